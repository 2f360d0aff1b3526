/* Tests of ipspd/sandbox.c: in a child of the test, what a role may not do ends it. Needs root. */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipspd/sandbox.h"

static bool has_root(void)
{
	return geteuid() == 0;
}

/* Does act in a sandboxed child. @return its wait status */
static int in_sandbox(enum ipspd_role role, void (*act)(void))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		const char *why;

		if (!sandbox_drop_root(IPSPD_USER, role, &why) || !sandbox_enter(role, &why))
			_exit(99);
		act();
		_exit(0);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void act_exec(void)
{
	char name[] = "true";
	char *argv[] = { name, NULL };

	execv("/bin/true", argv);
}

static void act_fork(void)
{
	if (fork() == 0)
		_exit(0);
}

static void act_ptrace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void act_raw_socket(void)
{
	(void)!socket(AF_INET, SOCK_RAW, 50);
}

static void act_packet_socket(void)
{
	(void)!socket(AF_PACKET, SOCK_RAW, 0);
}

static void act_kill(void)
{
	kill(getppid(), 0);
}

static void act_mount(void)
{
	syscall(SYS_mount, "x", "/x", "tmpfs", 0, NULL);
}

static void act_chroot(void)
{
	(void)!chroot("/");
}

static void act_setuid(void)
{
	(void)!setuid(0);
}

static void act_tcp(void)
{
	(void)!socket(AF_INET, SOCK_STREAM, 0);
}

static void act_unlink(void)
{
	unlink("/nonexistent");
}

static void act_thread(void)
{
	syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, NULL, NULL, NULL, 0);
}

static void act_engine_netlink(void)
{
	if (socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0) < 0)
		_exit(1);
}

static const struct {
	const char *name;
	enum ipspd_role role;
	void (*act)(void);
} forbidden[] = {
	{ "agent executes a program", ROLE_AGENT, act_exec },
	{ "agent makes a process", ROLE_AGENT, act_fork },
	{ "agent traces", ROLE_AGENT, act_ptrace },
	{ "agent opens a raw socket", ROLE_AGENT, act_raw_socket },
	{ "agent opens a packet socket", ROLE_AGENT, act_packet_socket },
	{ "agent signals", ROLE_AGENT, act_kill },
	{ "agent mounts", ROLE_AGENT, act_mount },
	{ "agent changes its root", ROLE_AGENT, act_chroot },
	{ "agent changes its user", ROLE_AGENT, act_setuid },
	{ "engine executes a program", ROLE_ENGINE, act_exec },
	{ "engine makes a process", ROLE_ENGINE, act_fork },
	{ "engine traces", ROLE_ENGINE, act_ptrace },
	{ "engine opens a raw socket", ROLE_ENGINE, act_raw_socket },
	{ "engine opens a TCP socket", ROLE_ENGINE, act_tcp },
	{ "engine unlinks a file", ROLE_ENGINE, act_unlink },
	{ "engine signals", ROLE_ENGINE, act_kill },
	{ "engine mounts", ROLE_ENGINE, act_mount },
	{ "engine changes its user", ROLE_ENGINE, act_setuid },
	{ "import executes a program", ROLE_IMPORT, act_exec },
	{ "import makes a process", ROLE_IMPORT, act_fork },
	{ "import makes a thread", ROLE_IMPORT, act_thread },
	{ "import opens a TCP socket", ROLE_IMPORT, act_tcp },
	{ "import unlinks a file", ROLE_IMPORT, act_unlink },
	{ "import traces", ROLE_IMPORT, act_ptrace },
	{ "import signals", ROLE_IMPORT, act_kill },
	{ "import changes its user", ROLE_IMPORT, act_setuid },
	{ "verdict executes a program", ROLE_VERDICT, act_exec },
	{ "verdict makes a process", ROLE_VERDICT, act_fork },
	{ "verdict opens a raw socket", ROLE_VERDICT, act_raw_socket },
	{ "verdict asks the kernel's routing", ROLE_VERDICT, act_engine_netlink },
	{ "verdict unlinks a file", ROLE_VERDICT, act_unlink },
	{ "verdict changes its user", ROLE_VERDICT, act_setuid },
	{ "ike executes a program", ROLE_IKE, act_exec },
	{ "ike makes a process", ROLE_IKE, act_fork },
	{ "ike traces", ROLE_IKE, act_ptrace },
	{ "ike opens a raw socket", ROLE_IKE, act_raw_socket },
	{ "ike opens a TCP socket", ROLE_IKE, act_tcp },
	{ "ike unlinks a file", ROLE_IKE, act_unlink },
	{ "ike signals", ROLE_IKE, act_kill },
	{ "ike changes its user", ROLE_IKE, act_setuid },
	{ "fetch executes a program", ROLE_CRL, act_exec },
	{ "fetch makes a process", ROLE_CRL, act_fork },
	{ "fetch traces", ROLE_CRL, act_ptrace },
	{ "fetch opens a raw socket", ROLE_CRL, act_raw_socket },
	{ "fetch signals", ROLE_CRL, act_kill },
	{ "fetch changes its user", ROLE_CRL, act_setuid },
	{ "fetch executes a program", ROLE_FETCH, act_exec },
	{ "fetch makes a process", ROLE_FETCH, act_fork },
	{ "fetch opens a raw socket", ROLE_FETCH, act_raw_socket },
	{ "fetch opens a packet socket", ROLE_FETCH, act_packet_socket },
	{ "fetch unlinks a file", ROLE_FETCH, act_unlink },
	{ "fetch traces", ROLE_FETCH, act_ptrace },
	{ "fetch signals", ROLE_FETCH, act_kill },
	{ "fetch changes its user", ROLE_FETCH, act_setuid },
};

START_TEST(test_forbidden_call_ends_the_process)
{
	if (!has_root())
		return;
	int status = in_sandbox(forbidden[_i].role, forbidden[_i].act);

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status %x",
		      forbidden[_i].name, (unsigned)status);
}
END_TEST

static void act_ordinary(void)
{
	int fds[2];
	char c;

	if (pipe2(fds, O_CLOEXEC) < 0 || write(fds[1], "x", 1) != 1 || read(fds[0], &c, 1) != 1)
		_exit(1);
	free(malloc(1 << 22));
}

static void act_agent_file(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || fsync(fd) == 0)
		_exit(1);
	act_tcp();
	act_unlink();
}

/* What needs no killing: it is answered with an error. */
static void act_executable_memory(void)
{
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	    MAP_FAILED)
		_exit(1);
}

static bool opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Not even what everyone may read. */
static void act_no_files(void)
{
	if (opens("/etc/passwd", O_RDONLY) || opens("/dev/null", O_RDWR) || opens(".", O_RDONLY) ||
	    opens("/etc/nsswitch.conf", O_RDONLY) || access("/", F_OK) == 0)
		_exit(1);
}

static void act_resolver_files(void)
{
	if (!opens("/etc/nsswitch.conf", O_RDONLY) || opens("/etc/nsswitch.conf", O_RDWR))
		_exit(1);
	if (opens("/etc/passwd", O_RDONLY) || opens("/proc/self/maps", O_RDONLY) ||
	    opens("/tmp", O_TMPFILE | O_RDWR) || opens("/tmp/check_sandbox", O_CREAT | O_RDWR))
		_exit(2);
}

static void act_no_unix(void)
{
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
		_exit(1);
}

static const struct {
	const char *name;
	enum ipspd_role role;
	void (*act)(void);
} allowed[] = {
	{ "agent reads, writes, allocates", ROLE_AGENT, act_ordinary },
	{ "verdict reads, writes, allocates", ROLE_VERDICT, act_ordinary },
	{ "verdict has no files", ROLE_VERDICT, act_no_files },
	{ "agent works with files and the master", ROLE_AGENT, act_agent_file },
	{ "agent is refused executable memory", ROLE_AGENT, act_executable_memory },
	{ "engine reads, writes, allocates", ROLE_ENGINE, act_ordinary },
	{ "engine asks the kernel's routing", ROLE_ENGINE, act_engine_netlink },
	{ "engine is refused executable memory", ROLE_ENGINE, act_executable_memory },
	{ "import reads, writes, allocates", ROLE_IMPORT, act_ordinary },
	{ "import finds no file", ROLE_IMPORT, act_no_files },
	{ "import is refused executable memory", ROLE_IMPORT, act_executable_memory },
	{ "fetch reads, writes, allocates", ROLE_FETCH, act_ordinary },
	{ "fetch opens a TCP socket", ROLE_FETCH, act_tcp },
	{ "fetch finds the resolver's files alone", ROLE_FETCH, act_resolver_files },
	{ "fetch is refused sockets of this machine", ROLE_FETCH, act_no_unix },
	{ "fetch is refused executable memory", ROLE_FETCH, act_executable_memory },
};

START_TEST(test_what_a_role_needs_is_allowed)
{
	if (!has_root())
		return;
	int status = in_sandbox(allowed[_i].role, allowed[_i].act);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status %x",
		      allowed[_i].name, (unsigned)status);
}
END_TEST

static void act_look_at_privilege(void)
{
	if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0)
		_exit(1);
	if (open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0)
		_exit(2);
}

START_TEST(test_root_is_gone)
{
	if (!has_root())
		return;
	int status = in_sandbox(ROLE_AGENT, act_look_at_privilege);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x",
		      (unsigned)status);
	pid_t pid = fork();
	if (pid == 0) {
		const char *why;
		struct rlimit core;

		if (!sandbox_drop_root(IPSPD_USER, ROLE_AGENT, &why))
			_exit(1);
		if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
		    prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 ||
		    getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
			_exit(2);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x",
		      (unsigned)status);
}
END_TEST

static const struct {
	enum ipspd_role role;
	uint32_t capabilities;
} capable[] = {
	{ ROLE_AGENT, 0 }, { ROLE_ENGINE, 0 }, { ROLE_IMPORT, 0 }, { ROLE_FETCH, 0 },
	{ ROLE_VERDICT, 1u << CAP_NET_ADMIN },
};

START_TEST(test_a_role_keeps_the_capabilities_it_needs_and_no_other)
{
	if (!has_root())
		return;
	pid_t pid = fork();
	if (pid == 0) {
		struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
		struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
		const char *why;

		if (!sandbox_drop_root(IPSPD_USER, capable[_i].role, &why) ||
		    syscall(SYS_capget, &head, data) < 0)
			_exit(1);
		_exit(data[0].effective == capable[_i].capabilities &&
		      data[0].permitted == capable[_i].capabilities && data[1].permitted == 0 &&
		      data[0].inheritable == 0 ? 0 : 2);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "role %d: status %x",
		      (int)capable[_i].role, (unsigned)status);
}
END_TEST

START_TEST(test_nobody_is_refused)
{
	const char *why = NULL;

	if (!has_root())
		return;
	ck_assert(!sandbox_drop_root("no-such-user-of-ours", ROLE_AGENT, &why));
	ck_assert_ptr_nonnull(why);
	ck_assert(!sandbox_drop_root("root", ROLE_VERDICT, &why));
	ck_assert_uint_eq(geteuid(), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/sandbox");
	TCase *tc = tcase_create("sandbox");

	tcase_add_loop_test(tc, test_forbidden_call_ends_the_process, 0,
			    sizeof(forbidden) / sizeof(forbidden[0]));
	tcase_add_loop_test(tc, test_what_a_role_needs_is_allowed, 0,
			    sizeof(allowed) / sizeof(allowed[0]));
	tcase_add_test(tc, test_root_is_gone);
	tcase_add_loop_test(tc, test_a_role_keeps_the_capabilities_it_needs_and_no_other, 0,
			    sizeof(capable) / sizeof(capable[0]));
	tcase_add_test(tc, test_nobody_is_refused);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
