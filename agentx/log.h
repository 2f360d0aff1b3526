/*
 * agentx/log.h - where the subagent's words go. The daemon gives a callback; lines that a manager
 * or the master can cause at will pass a limit first.
 */
#ifndef AGENTX_LOG_H
#define AGENTX_LOG_H

#include <stdbool.h>
#include <stdint.h>

/** How many limited lines pass in one window; the rest are counted and told at the next one. */
#define AX_LOG_BURST 20
#define AX_LOG_WINDOW_CS 1000

struct ax_log {
	/** priority as in syslog(3); text is borrowed for the call. May be NULL. */
	void (*log)(void *arg, int priority, const char *text);
	void *arg;
	uint64_t window_start_cs;
	unsigned in_window;
	unsigned suppressed;
};

/** A line about a change of state. */
void ax_log(struct ax_log *l, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** A line somebody outside can cause: at most AX_LOG_BURST in a window. */
void ax_log_limited(struct ax_log *l, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** CLOCK_BOOTTIME in centiseconds, the clock of the store. */
uint64_t ax_boottime_cs(void);

#endif
