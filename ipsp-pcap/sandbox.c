/*
 * ipsp-pcap/sandbox.c - an allow list of system calls: captures come from anyone.
 */
#include "config.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "ipsp-pcap/sandbox.h"

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

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static const int calls[] = {
	SCMP_SYS(brk), SCMP_SYS(clock_gettime), SCMP_SYS(close), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(futex),
	SCMP_SYS(getpid), SCMP_SYS(getrandom), SCMP_SYS(gettid), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(lseek), SCMP_SYS(madvise), SCMP_SYS(mlock),
	SCMP_SYS(mremap), SCMP_SYS(munlock), SCMP_SYS(munmap), SCMP_SYS(newfstatat),
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(tgkill), SCMP_SYS(write),
	SCMP_SYS(writev),
};

/* What the runtime of ASan and UBSan does on its own. */
static const int sanitizer_calls[] = {
	SCMP_SYS(arch_prctl), SCMP_SYS(getrlimit), SCMP_SYS(open), SCMP_SYS(openat),
	SCMP_SYS(prctl), SCMP_SYS(prlimit64), SCMP_SYS(readlink), SCMP_SYS(sched_yield),
	SCMP_SYS(setrlimit), SCMP_SYS(sigaltstack),
};

static bool allow(scmp_filter_ctx filter, const int *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, list[i], 0) < 0)
			return false;
	}
	return true;
}

/* Memory, but none that could hold a program. */
static bool allow_memory(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp not_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &not_exec) == 0 &&
	       seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				      &not_exec) == 0;
}

bool pc_sandbox_hide(void)
{
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

bool pc_sandbox_enter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	bool good;

	if (!filter)
		return false;
	good = allow(filter, calls, N_OF(calls)) && allow_memory(filter) &&
	       (!WITH_SANITIZERS || allow(filter, sanitizer_calls, N_OF(sanitizer_calls))) &&
	       seccomp_load(filter) == 0;
	seccomp_release(filter);
	if (good)
		SANDBOXED();
	return good;
}
