/*
 * tests/net/agentx-harness.c - a store served by libagentx, and nothing else: what
 * test_agentx_master.py runs beside a real snmpd.
 *
 *	agentx-harness MASTER
 *
 * Commands come on standard input, one a line, and are answered on standard output from the event
 * loop; log lines appear there too, as "log TEXT". The end of the input ends it.
 *
 *	ping		"pong": the loop turns
 *	state		"state connected=0|1 connections=N losses=N tested=N refused=N generation=N"
 *	walk		the store's own walk: "OID TYPE VALUE" a line, "end" last
 *	hold, release	stages a transaction of another door, and ends it: "held", "released"
 *	notify		sends the first notification of the schema: "sent" or "dropped"
 *	burst		10,000 of them at once, all different: "sent"
 *	notes		"notes sent=N acknowledged=N refused=N unanswered=N waiting=N dropped=N"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "agentx/subagent.h"

static struct event_base *base;
static struct mib_store *store;
static struct ax_subagent *agent;
static struct mib_txn *held;

static void print_log(void *arg, int priority, const char *text)
{
	(void)arg;
	(void)priority;
	printf("log %s\n", text);
	fflush(stdout);
}

static void print_oid(const uint32_t *ids, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf(".%u", (unsigned)ids[i]);
}

static void print_value(const struct mib_value *v)
{
	switch (v->syntax) {
	case MIB_SYN_INTEGER:
		printf(" INTEGER %lld", (long long)v->number);
		break;
	case MIB_SYN_UNSIGNED:
		printf(" Gauge32 %lld", (long long)v->number);
		break;
	case MIB_SYN_COUNTER32:
		printf(" Counter32 %lld", (long long)v->number);
		break;
	case MIB_SYN_TIMETICKS:
		printf(" Timeticks %lld", (long long)v->number);
		break;
	case MIB_SYN_COUNTER64:
		printf(" Counter64 %llu", (unsigned long long)v->counter64);
		break;
	case MIB_SYN_OID:
		printf(" OID ");
		print_oid(v->oid.ids, v->oid.len);
		break;
	case MIB_SYN_OCTETS:
	case MIB_SYN_BITS:
		printf(" STRING ");
		for (size_t i = 0; i < v->octets.len; i++)
			printf("%02x", v->octets.data[i]);
		break;
	}
	printf("\n");
}

static void walk(void)
{
	struct mib_oid at = { 0 };
	struct mib_oid name;
	struct mib_value v;

	while (mib_next(store, at.ids, at.len, false, NULL, 0, &name, &v) == MIB_OK) {
		print_oid(name.ids, name.len);
		print_value(&v);
		at = name;
	}
	printf("end\n");
}

static void state(void)
{
	struct ax_state s;

	ax_subagent_state(agent, &s);
	printf("state connected=%d connections=%llu losses=%llu tested=%llu refused=%llu "
	       "generation=%llu\n",
	       s.is_connected, (unsigned long long)s.connections, (unsigned long long)s.losses,
	       (unsigned long long)s.sets.tested, (unsigned long long)s.sets.refused,
	       (unsigned long long)mib_store_generation(store));
}

/* More than anybody could want to know, none equal to another. */
static void burst(void)
{
	static const uint32_t index[] = { 0 };
	const struct mib_column *col = mib_column_by_name("ipspdNotifySpi");

	for (uint32_t i = 0; i < 10000; i++) {
		const struct ax_note_object object = { col, index, 1, mib_value_unsigned(i) };

		(void)!ax_notify(agent, &mib_notifications[0], &object, 1, 1);
	}
	printf("sent\n");
}

static void notes(void)
{
	struct ax_state s;

	ax_subagent_state(agent, &s);
	printf("notes sent=%llu acknowledged=%llu refused=%llu unanswered=%llu waiting=%zu "
	       "dropped=%llu\n",
	       (unsigned long long)s.session.notes_sent,
	       (unsigned long long)s.session.notes_acknowledged,
	       (unsigned long long)s.session.notes_refused,
	       (unsigned long long)s.session.notes_unanswered, s.session.notes_waiting,
	       (unsigned long long)s.session.notes_dropped);
}

static void obey(const char *command)
{
	if (strcmp(command, "ping") == 0) {
		printf("pong\n");
	} else if (strcmp(command, "state") == 0) {
		state();
	} else if (strcmp(command, "walk") == 0) {
		walk();
	} else if (strcmp(command, "hold") == 0) {
		printf("%s\n", mib_txn_begin(store, MIB_DOOR_CONTROL, "harness", &held) == MIB_OK ?
				       "held" :
				       "busy");
	} else if (strcmp(command, "release") == 0) {
		mib_txn_done(held);
		printf("released\n");
	} else if (strcmp(command, "notify") == 0) {
		printf("%s\n", ax_notify(agent, &mib_notifications[0], NULL, 0, 0) == MIB_OK ?
				       "sent" :
				       "dropped");
	} else if (strcmp(command, "burst") == 0) {
		burst();
	} else if (strcmp(command, "notes") == 0) {
		notes();
	} else {
		printf("what?\n");
	}
	fflush(stdout);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	struct evbuffer *in = arg;
	char *line;

	(void)what;
	if (evbuffer_read(in, fd, 4096) <= 0) {
		event_base_loopbreak(base);
		return;
	}
	while ((line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF))) {
		obey(line);
		free(line);
	}
}

int main(int argc, char **argv)
{
	struct event_config *config = event_config_new();
	struct evbuffer *in = evbuffer_new();
	struct event *input;

	if (argc != 2 || !config || !in)
		return EXIT_FAILURE;
	/* Standard input may be a file, which epoll does not take. */
	event_config_require_features(config, EV_FEATURE_FDS);
	base = event_base_new_with_config(config);
	if (!base || mib_store_new(NULL, ax_boottime_cs, &store) != MIB_OK ||
	    ax_subagent_new(base, store, argv[1], print_log, NULL, &agent) != MIB_OK)
		return EXIT_FAILURE;
	input = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, in);
	event_add(input, NULL);
	event_base_dispatch(base);
	event_free(input);
	ax_subagent_free(agent);
	mib_store_free(store);
	evbuffer_free(in);
	event_base_free(base);
	event_config_free(config);
	return EXIT_SUCCESS;
}
