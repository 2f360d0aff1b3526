/* ipspd/log.c - one line of log: to stderr, to syslog, or to the parent. */
#include "config.h"

#include "ipspd/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "chan/chan.h"
#include "ipspd/messages.h"

enum target { TO_STDERR, TO_SYSLOG, TO_CHANNEL };

/* One log a process, of one thread; all threads ask for the level. */
static struct {
	enum target target;
	struct chan *channel;
	const char *process;
	_Atomic int level;
	struct log_listener *listeners;
	bool busy;	/* a listener that logs must not come back here */
} the_log = { .target = TO_STDERR, .process = "parent", .level = LOG_INFO };

/* Where this thread's lines go, if not there. */
static _Thread_local struct {
	void (*line)(void *arg, int priority, const char *category, const char *text);
	void *arg;
} own;

static const char *const level_names[] = {
	"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
};

int log_level_parse(const char *name)
{
	for (int i = 0; i <= LOG_DEBUG; i++) {
		if (strcmp(level_names[i], name) == 0)
			return i;
	}
	return -1;
}

const char *log_level_name(int level)
{
	return level >= 0 && level <= LOG_DEBUG ? level_names[level] : "unknown";
}

/* A line stays one line, whatever a packet or a file put into it. */
static void escape(const char *in, char *out, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)in; *p && n + 5 < size; p++) {
		if (*p >= ' ' && *p != 0x7f) {
			out[n++] = (char)*p;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = digits[*p >> 4];
		out[n++] = digits[*p & 15];
	}
	out[n] = '\0';
}

static void to_stderr(const char *child, int priority, const char *category, const char *text)
{
	struct timespec now;
	struct tm tm;
	char when[32] = "-";

	clock_gettime(CLOCK_REALTIME, &now);
	if (localtime_r(&now.tv_sec, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(stderr, "%s.%03ld %s %s: %s: %s\n", when, now.tv_nsec / 1000000,
		log_level_name(priority), child, category, text);
}

static void to_channel(int priority, const char *category, const char *text)
{
	uint8_t buf[LOG_TEXT_MAX + 128];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	if (!the_log.channel)
		return;
	chan_put_u8(&w, (uint8_t)priority);
	chan_put_octets(&w, category, strlen(category));
	chan_put_octets(&w, text, strlen(text));
	/* Nowhere is left to complain when this fails: the parent is gone, or drowns in lines. */
	if (!w.overflow)
		(void)chan_send(the_log.channel, MSG_LOG, buf, w.len, NULL, 0);
}

static void write_line(const char *child, int priority, const char *category, const char *text)
{
	switch (the_log.target) {
	case TO_STDERR:
		to_stderr(child, priority, category, text);
		break;
	case TO_SYSLOG:
		syslog(priority, "%s: %s: %s", child, category, text);
		break;
	case TO_CHANNEL:
		to_channel(priority, category, text);
		break;
	}
}

void ipspd_log(int priority, const char *category, const char *fmt, ...)
{
	char raw[LOG_TEXT_MAX], text[LOG_TEXT_MAX];
	va_list ap;

	if (priority > the_log.level)
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	if (own.line) {
		own.line(own.arg, priority, category, raw);
		return;
	}
	escape(raw, text, sizeof(text));
	write_line(the_log.process, priority, category, text);
	if (the_log.busy)
		return;
	the_log.busy = true;
	for (struct log_listener *l = the_log.listeners, *next; l; l = next) {
		next = l->next;
		l->line(l->arg, priority, category, text);
	}
	the_log.busy = false;
}

void log_from_child(const char *child, int priority, const char *category, const char *text)
{
	char clean_category[64], clean[LOG_TEXT_MAX];

	escape(category, clean_category, sizeof(clean_category));
	escape(text, clean, sizeof(clean));
	write_line(child, priority & LOG_PRIMASK, clean_category, clean);
}

void log_to_syslog(void)
{
	openlog("ipspd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	the_log.target = TO_SYSLOG;
}

void log_to_channel(struct chan *c)
{
	the_log.channel = c;
	the_log.target = TO_CHANNEL;
}

void log_of_thread(void (*line)(void *arg, int priority, const char *category, const char *text),
		   void *arg)
{
	own.line = line;
	own.arg = arg;
}

void log_set_process(const char *name)
{
	the_log.process = name;
}

void log_set_level(int level)
{
	the_log.level = level;
}

bool log_take_level(const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint8_t level = chan_get_u8(&r);

	if (!chan_reader_done(&r) || level > LOG_DEBUG)
		return false;
	log_set_level(level);
	return true;
}

int log_level(void)
{
	return the_log.level;
}

void log_listen(struct log_listener *l)
{
	l->next = the_log.listeners;
	the_log.listeners = l;
}

void log_forget(struct log_listener *l)
{
	for (struct log_listener **at = &the_log.listeners; *at; at = &(*at)->next) {
		if (*at == l) {
			*at = l->next;
			return;
		}
	}
}
