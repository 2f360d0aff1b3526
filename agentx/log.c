/*
 * agentx/log.c - the subagent's log lines.
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "agentx/log.h"

static void log_va(struct ax_log *l, int priority, const char *fmt, va_list ap)
{
	char text[640];

	vsnprintf(text, sizeof(text), fmt, ap);
	l->log(l->arg, priority, text);
}

void ax_log(struct ax_log *l, int priority, const char *fmt, ...)
{
	va_list ap;

	if (!l->log)
		return;
	va_start(ap, fmt);
	log_va(l, priority, fmt, ap);
	va_end(ap);
}

void ax_log_limited(struct ax_log *l, int priority, const char *fmt, ...)
{
	const uint64_t now = ax_boottime_cs();
	va_list ap;

	if (!l->log)
		return;
	if (now - l->window_start_cs >= AX_LOG_WINDOW_CS) {
		if (l->suppressed)
			ax_log(l, priority, "%u lines like these were left out",
			       l->suppressed);
		l->window_start_cs = now;
		l->in_window = l->suppressed = 0;
	}
	if (l->in_window++ >= AX_LOG_BURST) {
		l->suppressed++;
		return;
	}
	va_start(ap, fmt);
	log_va(l, priority, fmt, ap);
	va_end(ap);
}

uint64_t ax_boottime_cs(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 100 + (uint64_t)ts.tv_nsec / 10000000;
}
