/*
 * ipspd/agent_clock.c - policy that changes with the time of day.
 *
 * A generation has in it what time filters change for some changes ahead, so engine and kernel change
 * by themselves at the right second. It is made anew when the first of these changes has come, to
 * look further ahead, and when the clock is set: the moments it was made for are not now any more.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = (struct agent *)arg;
	uint64_t expirations;
	ssize_t n = read(fd, &expirations, sizeof(expirations));

	(void)what;
	if (n < 0 && errno != ECANCELED)
		return;
	ipspd_log(LOG_INFO, "apply", n < 0 ? "the clock was set: policy is compiled anew" :
					     "a time filter changes: policy is compiled anew");
	apply_commit(a, NULL, 0);
}

int64_t clock_now_s(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_REALTIME, &now) == 0 ? now.tv_sec : 0;
}

void clock_wake_at(struct agent *a, int64_t at_s)
{
	/* 0 disarms: nothing changes by itself, and no step of the clock matters. */
	const struct itimerspec when = { .it_value.tv_sec = at_s == POL_NEVER ? 0 : (time_t)at_s };

	if (!a->clock)
		return;
	if (timerfd_settime(event_get_fd(a->clock), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			    &when, NULL) < 0)
		ipspd_log(LOG_ERR, "apply", "no timer for what changes with time: %s",
			  strerror(errno));
}

int clock_init(struct agent *a)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	a->clock = event_new(a->base, fd, EV_READ | EV_PERSIST, on_time, a);
	if (a->clock && event_add(a->clock, NULL) == 0)
		return 0;
	if (a->clock)
		event_free(a->clock);
	a->clock = NULL;
	close(fd);
	return -ENOMEM;
}

void clock_fini(struct agent *a)
{
	if (!a->clock)
		return;
	int fd = event_get_fd(a->clock);

	event_free(a->clock);
	close(fd);
}
