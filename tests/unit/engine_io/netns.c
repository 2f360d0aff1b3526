/* tests/unit/engine_io/netns.c - a private network namespace for one test process. */
#include "config.h"
#include "tests/unit/engine_io/netns.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipsp/types.h"

bool netns_possible(void)
{
	const pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) != 0 || access("/dev/net/tun", R_OK | W_OK) != 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

void netns_enter(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	netns_run("ip link set lo up");
}

void netns_enter_with(const char *const *devices)
{
	const int old = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(old, 0);
	netns_enter();
	const int new = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(new, 0);
	ck_assert_int_eq(setns(old, CLONE_NEWNET), 0);
	for (; *devices; devices++)
		netns_run("ip link set %s netns /proc/%d/fd/%d", *devices, (int)getpid(), new);
	ck_assert_int_eq(setns(new, CLONE_NEWNET), 0);
	close(old);
	close(new);
}

void netns_run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	const int len = vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	ck_assert(len > 0 && (size_t)len < sizeof(command));
	ck_assert_msg(system(command) == 0, "failed: %s", command);
}

struct ipsp_addr netns_addr(const char *text)
{
	struct ipsp_addr a = { 0 };

	if (!*text)
		return a;
	a.family = strchr(text, ':') ? 6 : 4;
	ck_assert_int_eq(inet_pton(a.family == 4 ? AF_INET : AF_INET6, text, a.octets), 1);
	return a;
}

int netns_tun(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_uint_lt(strlen(name), sizeof(ifr.ifr_name));
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}
