/*
 * ipspd/sandbox.c - an unprivileged user and an allow list of system calls for each role.
 *
 * The lists are tables. Arguments are looked at where the call alone would allow too much: which
 * sockets may be made, and that no memory becomes both new and executable. Paths are not seccomp's
 * to judge; file permissions are, and the roles own nothing but the state directory. The import
 * process, which has no business even there, has no paths at all, or those of sandbox_files.c.
 */
#include "config.h"

#include "ipspd/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/netlink.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef IPSPD_SANITIZERS
#define WITH_SANITIZERS 1

/* The search for leaks at exit stops and reads other threads, which no sandbox here allows. */
static int is_sandboxed;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return is_sandboxed;
}
#define SANDBOXED() (is_sandboxed = 1)
#else
#define WITH_SANITIZERS 0
#define SANDBOXED() ((void)0)
#endif

/* The import process. */
#define IMPORT_CPU_S 120
#define IMPORT_FILES 32
#define IMPORT_MEMORY (512ul << 20)

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

/* What every event loop of ours does. */
static const int common_calls[] = {
	SCMP_SYS(brk), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(close),
	SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_wait), SCMP_SYS(eventfd2), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(futex), SCMP_SYS(getpid), SCMP_SYS(getrandom),
	SCMP_SYS(getsockopt), SCMP_SYS(gettid), SCMP_SYS(gettimeofday), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(lseek),
	SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(mremap), SCMP_SYS(munlock),
	SCMP_SYS(munmap), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(newfstatat), SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(read),
	SCMP_SYS(readv), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
	SCMP_SYS(set_robust_list), SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
	SCMP_SYS(sigaltstack), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
	SCMP_SYS(timerfd_gettime), SCMP_SYS(write), SCMP_SYS(writev),
	/* abort(3), so that a failed assertion says so */
	SCMP_SYS(tgkill),
	SCMP_SYS(uname), SCMP_SYS(sysinfo),
};

/* Time zones and name services of the C library, read-only by file permissions. */
static const int path_calls[] = {
	SCMP_SYS(openat), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(readlink), SCMP_SYS(readlinkat),
};

/* SQLite beneath the state directory; the control socket; AgentX. */
static const int agent_calls[] = {
	SCMP_SYS(open), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(fstatfs),
	SCMP_SYS(statfs), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat),
	SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
	SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(preadv), SCMP_SYS(pwritev),
	SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(flock), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
	SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(umask), SCMP_SYS(utimensat),
	SCMP_SYS(getppid), SCMP_SYS(msync), SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg),
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept4), SCMP_SYS(accept),
	SCMP_SYS(getpeername), SCMP_SYS(getsockname),
};

/* Packets by the batch; questions to the kernel's routing; clients of the PF_KEY socket. */
static const int engine_calls[] = {
	SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg), SCMP_SYS(bind), SCMP_SYS(connect),
	SCMP_SYS(getsockname), SCMP_SYS(msync), SCMP_SYS(ioctl), SCMP_SYS(accept4),
};

/*
 * Datagrams; questions to the kernel's routing; what libgcrypt stirs its random numbers with. What PKCS #11 modules do
 * with tokens that are files: those that reach theirs otherwise find nothing.
 */
static const int ike_calls[] = {
	SCMP_SYS(getrusage), SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg), SCMP_SYS(bind), SCMP_SYS(getsockname),
	SCMP_SYS(open), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(getdents64), SCMP_SYS(ftruncate),
	SCMP_SYS(pread64), SCMP_SYS(getppid), SCMP_SYS(sched_getaffinity),
};

/* The import process: the import of a URL reads the resolver's files and talks to servers. */
static const int fetch_calls[] = {
	SCMP_SYS(open), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(pread64),
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(getpeername), SCMP_SYS(getsockname),
	SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(getrusage), SCMP_SYS(getdents64),
	SCMP_SYS(fstatfs), SCMP_SYS(statfs), SCMP_SYS(getcwd), SCMP_SYS(getppid),
	SCMP_SYS(sched_getaffinity),
};

/* The fetch process, as well: closes its own file system, keeps files in one directory, hands on memory. */
static const int crl_calls[] = {
	SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_add_rule), SCMP_SYS(landlock_restrict_self),
	SCMP_SYS(mkdirat), SCMP_SYS(unlinkat), SCMP_SYS(renameat), SCMP_SYS(fsync), SCMP_SYS(memfd_create),
};

/* What the runtime of ASan and UBSan does on its own. */
static const int sanitizer_calls[] = {
	SCMP_SYS(getrlimit), SCMP_SYS(setrlimit), SCMP_SYS(prlimit64), SCMP_SYS(readlink),
	SCMP_SYS(open), SCMP_SYS(stat), SCMP_SYS(prctl), SCMP_SYS(arch_prctl), SCMP_SYS(getcwd),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(ioctl), SCMP_SYS(personality),
	SCMP_SYS(process_vm_readv), SCMP_SYS(pread64), SCMP_SYS(getdents64), SCMP_SYS(getppid),
};

/* Which sockets a role may make. */
struct socket_kind {
	enum ipspd_role role;
	int family;
	int type;	/* low bits, without SOCK_CLOEXEC and SOCK_NONBLOCK; 0: any */
};

static const struct socket_kind sockets[] = {
	{ ROLE_AGENT, AF_UNIX, 0 },		/* AgentX; the C library's name services */
	{ ROLE_AGENT, AF_INET, SOCK_STREAM },	/* AgentX over TCP */
	{ ROLE_AGENT, AF_INET6, SOCK_STREAM },
	{ ROLE_AGENT, AF_INET, SOCK_DGRAM },	/* the resolver, when the master has a name */
	{ ROLE_AGENT, AF_INET6, SOCK_DGRAM },
	{ ROLE_AGENT, AF_NETLINK, 0 },
	{ ROLE_ENGINE, AF_NETLINK, 0 },		/* which way a packet would go */
	{ ROLE_ENGINE, AF_INET, SOCK_DGRAM },	/* which address is ours */
	{ ROLE_ENGINE, AF_INET6, SOCK_DGRAM },
	{ ROLE_IKE, AF_NETLINK, 0 },		/* which way a peer is */
	{ ROLE_FETCH, AF_INET, SOCK_STREAM },
	{ ROLE_FETCH, AF_INET6, SOCK_STREAM },
	{ ROLE_FETCH, AF_INET, SOCK_DGRAM },	/* the resolver; which addresses are usable */
	{ ROLE_FETCH, AF_INET6, SOCK_DGRAM },
	{ ROLE_FETCH, AF_NETLINK, 0 },
	{ ROLE_CRL, AF_INET, SOCK_STREAM },	/* the same */
	{ ROLE_CRL, AF_INET6, SOCK_STREAM },
	{ ROLE_CRL, AF_INET, SOCK_DGRAM },
	{ ROLE_CRL, AF_INET6, SOCK_DGRAM },
	{ ROLE_CRL, AF_NETLINK, 0 },
};
#define SOCK_TYPE_BITS 0xf

/* ---- root ---- */

/* The kernel takes verdicts on packets from who may administer the network. */
static bool choose_capabilities(enum ipspd_role role)
{
	capng_clear(CAPNG_SELECT_BOTH);
	return role != ROLE_VERDICT ||
	       capng_update(CAPNG_ADD, (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
			    CAP_NET_ADMIN) == 0;
}

bool sandbox_drop_root(const char *user, enum ipspd_role role, const char **why)
{
	const struct rlimit none = { 0, 0 };
	const struct passwd *pw = getpwnam(user);

	if (!pw || pw->pw_uid == 0) {
		*why = "the unprivileged user does not exist, or is root";
		return false;
	}
	if (!choose_capabilities(role) ||
	    capng_change_id((int)pw->pw_uid, (int)pw->pw_gid,
			    (capng_flags_t)(CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING)) != 0) {
		*why = "cannot change to the unprivileged user";
		return false;
	}
	if (setuid(0) == 0 || setgid(0) == 0 || capng_have_capabilities(CAPNG_SELECT_CAPS) !=
	    (role == ROLE_VERDICT ? CAPNG_PARTIAL : CAPNG_NONE)) {
		*why = "root could be had back";
		return false;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0) {
		*why = "cannot forbid new privileges and core dumps";
		return false;
	}
	return true;
}

bool sandbox_lock_memory(void)
{
	struct rlimit limit;

	/* The sanitizers reserve terabytes that cannot be locked. */
	if (WITH_SANITIZERS)
		return true;
	/* With a limit, memory would run out at it: better swappable than dead. What nobody has touched
	 * has no secrets. */
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY)
		return false;
	return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

/* ---- system calls ---- */

static int allow_calls(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	int rc = 0;

	/* A call this architecture does not have has a negative number: nobody can make it. */
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (calls[i] >= 0)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	}
	return rc;
}

static int allow_sockets(scmp_filter_ctx ctx, enum ipspd_role role)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		const struct socket_kind *k = &sockets[i];

		if (k->role != role)
			continue;
		if (k->type == 0)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)k->family, 0));
		else
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
					      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)k->family, 0),
					      SCMP_A1(SCMP_CMP_MASKED_EQ, SOCK_TYPE_BITS,
						      (scmp_datum_t)k->type));
	}
	return rc;
}

/* Memory, but nothing new to execute: the C library would load modules, and can go on without. */
static int allow_memory(scmp_filter_ctx ctx)
{
	static const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < N_OF(calls); i++) {
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 1,
				      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		if (rc == 0)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 1,
					      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	}
	return rc;
}

/*
 * Threads of its own, never a process: the agent opens its connection to the master aside, the engine
 * has workers.
 */
static int allow_threads(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	/* Its flags are in memory, where no filter sees them; the C library then takes clone. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return rc != 0 ? rc : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
					       SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
}

/* What libraries ask of a descriptor: is it a terminal (the options file's reader), how much waits. */
static int allow_questions(scmp_filter_ctx ctx)
{
	static const unsigned long requests[] = { TCGETS, FIONREAD, FIONBIO };

	for (size_t i = 0; i < N_OF(requests); i++) {
		int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					  SCMP_A1(SCMP_CMP_EQ, requests[i], 0));

		if (rc != 0 && rc != -EEXIST)	/* there: the role may have all of them */
			return rc;
	}
	return 0;
}

/* setproctitle(3) and thread names, nothing else. */
static int allow_prctl(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
}

/*
 * Paths are refused with an error rather than death: libraries look for files that they can do
 * without. So are sockets of AF_UNIX to who only resolves names, or asks modules for keys.
 */
static int refuse_paths(scmp_filter_ctx ctx)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < N_OF(path_calls); i++) {
		if (path_calls[i] >= 0)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), path_calls[i], 0);
	}
	return rc;
}

static int refuse_unix_sockets(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 1,
				SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
}

/* What each role adds to the common calls. */
static const struct role_rules {
	enum ipspd_role role;
	const int *calls;
	size_t n_calls;
	bool paths;
	bool threads;		/* and questions about descriptors */
} role_rules[] = {
	{ ROLE_AGENT, agent_calls, N_OF(agent_calls), true, true },
	{ ROLE_ENGINE, engine_calls, N_OF(engine_calls), true, true },
	{ ROLE_IMPORT, NULL, 0, false, false },
	{ ROLE_FETCH, fetch_calls, N_OF(fetch_calls), true, true },
	{ ROLE_VERDICT, NULL, 0, false, false },
	{ ROLE_IKE, ike_calls, N_OF(ike_calls), true, true },
	{ ROLE_CRL, fetch_calls, N_OF(fetch_calls), true, true },
};

static int fill_role(scmp_filter_ctx ctx, const struct role_rules *r)
{
	int rc = allow_calls(ctx, r->calls, r->n_calls);

	if (rc == 0 && r->paths)
		rc = allow_calls(ctx, path_calls, N_OF(path_calls));
	else if (rc == 0)
		rc = refuse_paths(ctx);
	if (rc == 0 && r->threads)
		rc = allow_threads(ctx);
	if (rc == 0 && r->threads)
		rc = allow_questions(ctx);
	if (rc == 0 && (r->role == ROLE_FETCH || r->role == ROLE_IKE || r->role == ROLE_CRL))
		rc = refuse_unix_sockets(ctx);
	return rc;
}

static int fill(scmp_filter_ctx ctx, enum ipspd_role role)
{
	int rc = allow_calls(ctx, common_calls, N_OF(common_calls));

	for (size_t i = 0; rc == 0 && i < N_OF(role_rules); i++) {
		if (role_rules[i].role == role)
			rc = fill_role(ctx, &role_rules[i]);
	}
	if (rc == 0 && role == ROLE_CRL)
		rc = allow_calls(ctx, crl_calls, N_OF(crl_calls));
	if (rc == 0)
		rc = allow_sockets(ctx, role);
	if (rc == 0)
		rc = allow_memory(ctx);
	if (rc == 0)
		rc = WITH_SANITIZERS ?
			     allow_calls(ctx, sanitizer_calls, N_OF(sanitizer_calls)) :
			     allow_prctl(ctx);
	return rc;
}

/* It works for some seconds on some mebibytes, writes nothing, and is no one's but the agent's. */
static bool limit_resources(const char **why)
{
	static const struct {
		int resource;
		rlim_t limit;
		bool sanitizers_too;	/* whose shadow memory is terabytes */
	} limits[] = {
		{ RLIMIT_CPU, IMPORT_CPU_S, true },
		{ RLIMIT_FSIZE, 0, true },
		{ RLIMIT_NOFILE, IMPORT_FILES, true },
		{ RLIMIT_DATA, IMPORT_MEMORY, false },
	};

	for (size_t i = 0; i < N_OF(limits); i++) {
		const struct rlimit l = { limits[i].limit, limits[i].limit };

		if (WITH_SANITIZERS && !limits[i].sanitizers_too)
			continue;
		if (setrlimit((__rlimit_resource_t)limits[i].resource, &l) < 0) {
			*why = "its use of the machine cannot be limited";
			return false;
		}
	}
	return true;
}

bool sandbox_enter(enum ipspd_role role, const char **why)
{
	static char said[80];

	if (role == ROLE_IMPORT || role == ROLE_FETCH) {
		if (!limit_resources(why) || !sandbox_close_files(role == ROLE_FETCH, why))
			return false;
	}
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);

	if (!ctx) {
		*why = "seccomp: no memory";
		return false;
	}
	int rc = fill(ctx, role);
	/* The kernel's audit log names the call that ended the process. */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc != 0) {
		snprintf(said, sizeof(said), "seccomp: %s", strerror(-rc));
		*why = said;
		return false;
	}
	SANDBOXED();
	return true;
}
