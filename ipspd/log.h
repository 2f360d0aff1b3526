/*
 * ipspd/log.h - one log for all processes: the parent writes it, children send it there.
 *
 * A line has a priority of <syslog.h>, a category (who in the program: "agentx", "store", "guard" ..)
 * and a text that begins with its subject. Secrets never go here. Each process has one log, set up
 * once, of one thread (but log_of_thread); lines logged before that go to stderr.
 */
#ifndef IPSPD_LOG_H
#define IPSPD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <syslog.h>

#define LOG_TEXT_MAX 1024	/* longer texts are cut */

struct chan;
struct chan_msg;

/** Logs a line when priority is at or below the level. Control characters are escaped. */
void ipspd_log(int priority, const char *category, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Where lines go; the last call counts. Before the first one: standard error, with the time. */
void log_to_syslog(void);
void log_to_channel(struct chan *c);	/* MSG_LOG to the parent; NULL: nowhere any more */

/**
 * Lines of the calling thread go to line from now on, for a thread beside the one whose log it is: who
 * gets them logs them there. Everything else here is that one thread's. text is as it was written.
 */
void log_of_thread(void (*line)(void *arg, int priority, const char *category, const char *text),
		   void *arg);

/** Writes a line that a child sent, with the child's name. */
void log_from_child(const char *child, int priority, const char *category, const char *text);

/** Which process writes these lines: "parent", until said otherwise. Borrowed for life. */
void log_set_process(const char *name);

void log_set_level(int level);
/** MSG_LOG_LEVEL of the parent. @return false: it is malformed, and nothing changed */
bool log_take_level(const struct chan_msg *m);
int log_level(void);

/** "err", "warning", "info" ... as syslog.conf names them. @return -1: no such level */
int log_level_parse(const char *name);
const char *log_level_name(int level);

/** Someone who wants to see the lines of this process too (`ipspctl monitor`). Caller's memory. */
struct log_listener {
	void (*line)(void *arg, int priority, const char *category, const char *text);
	void *arg;
	struct log_listener *next;
};
void log_listen(struct log_listener *l);
void log_forget(struct log_listener *l);

#endif
