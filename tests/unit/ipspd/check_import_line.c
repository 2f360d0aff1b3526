/*
 * Tests of ipspd/agent_import.c: files in line, and the import process as the test plays it, with
 * the parent that starts it.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "ipspd/agent_int.h"
#include "ipspd/messages.h"

static struct agent agent;
static struct chan *parent;		/* the parent's end */
static unsigned starts, stops;		/* that the parent was asked for */
static uint32_t serial;			/* of the last start */
static uint8_t network;
static struct chan *process;		/* the import process's end */
static unsigned jobs;
static struct import_job job;

/* ---- what agent_import.c wants of the rest of the agent ---- */

void agent_serve(struct agent *a)
{
	(void)a;
}

void agent_give_up(struct agent *a, int status)
{
	a->status = status;
}

/* ---- the other ends ---- */

static void parent_hears(void *arg, struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	(void)arg;
	serial = chan_get_u32(&r);
	if (m->type == MSG_IMPORT_STOP) {
		stops++;
		ck_assert(chan_reader_done(&r));
		return;
	}
	ck_assert_int_eq(m->type, MSG_IMPORT_START);
	network = chan_get_u8(&r);
	ck_assert_uint_eq(chan_get_u32(&r), 9);
	ck_assert(chan_reader_done(&r));
	starts++;
}

static void agent_hears(void *arg, struct chan_msg *m)
{
	(void)arg;
	ck_assert_int_eq(m->type, MSG_IMPORT);
	ck_assert(import_came(&agent, m));
}

static void process_hears(void *arg, struct chan_msg *m)
{
	(void)arg;
	ck_assert_int_eq(m->type, IMPORT_JOB);
	ck_assert(import_job_read(m, &job));
	if (job.fd >= 0)
		close(job.fd);
	jobs++;
}

static void ignore_end(void *arg, int why)
{
	(void)arg;
	(void)why;
}

static void process_ended(void *arg, int why)
{
	(void)arg;
	(void)why;
	chan_free(process);
	process = NULL;
}

static void settle(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(agent.base, EVLOOP_NONBLOCK);
}

static void setup(void)
{
	struct chan_handler at_parent = { parent_hears, ignore_end, NULL },
			    at_agent = { agent_hears, ignore_end, NULL };
	int fds[2];

	memset(&agent, 0, sizeof(agent));
	agent.base = event_base_new();
	ck_assert_int_eq(chan_pair(fds), 0);
	ck_assert_int_eq(chan_new(agent.base, fds[0], &at_parent, &parent), 0);
	ck_assert_int_eq(chan_new(agent.base, fds[1], &at_agent, &agent.parent), 0);
	starts = stops = jobs = 0;
	process = NULL;
}

static void teardown(void)
{
	imports_fini(&agent);
	chan_free(process);
	chan_free(parent);
	chan_free(agent.parent);
	event_base_free(agent.base);
}

/* The parent starts a process, or says that it cannot. */
static void start_process(uint32_t number, bool can)
{
	struct chan_handler handler = { process_hears, process_ended, NULL };
	uint8_t buf[4];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };
	int fds[2];

	ck_assert_int_eq(chan_pair(fds), 0);
	chan_free(process);
	ck_assert_int_eq(chan_new(agent.base, fds[1], &handler, &process), 0);
	chan_put_u32(&w, number);
	ck_assert_int_eq(chan_send(parent, MSG_IMPORT, buf, w.len, &fds[0], can ? 1 : 0), 0);
	close(fds[0]);
	settle();
}

static void say(uint16_t type, const void *data, size_t len)
{
	ck_assert_int_eq(chan_send(process, type, data, len, NULL, 0), 0);
	settle();
}

static void say_done(uint64_t octets)
{
	uint8_t buf[8];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, octets);
	say(IMPORT_DONE, buf, w.len);
}

/* ---- who asks ---- */

struct asker {
	struct agent_parse parse;
	unsigned answers;
	enum mib_err err;
	size_t len;
	struct xml_diag d;
};

static void answered(struct agent_parse *q, enum mib_err err, struct import_records *r,
		     const struct xml_diag *d)
{
	struct asker *a = (struct asker *)(void *)q;

	a->answers++;
	a->err = err;
	a->len = r->len;
	a->d = *d;
}

static void ask(struct asker *a, const char *url)
{
	*a = (struct asker){ .parse = { .fd = url ? -1 : STDIN_FILENO, .url = url, .seconds = 9,
					.done = answered } };
	agent_parse_start(&agent, &a->parse);
	settle();
}

START_TEST(test_file_is_given_to_a_process_and_its_records_taken)
{
	struct asker a;

	ask(&a, NULL);
	ck_assert_uint_eq(starts, 1);
	ck_assert_uint_eq(network, 0);
	start_process(serial, true);
	ck_assert_uint_eq(jobs, 1);
	ck_assert_str_eq(job.url, "");
	say(IMPORT_OCTETS, "abc", 3);
	say(IMPORT_OCTETS, "de", 2);
	ck_assert_uint_eq(a.answers, 0);
	say_done(5);
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_int_eq(a.err, MIB_OK);
	ck_assert_uint_eq(a.len, 5);
}
END_TEST

START_TEST(test_url_is_given_to_one_with_the_network)
{
	struct asker a;

	ask(&a, "http://192.0.2.1/x");
	ck_assert_uint_eq(network, 1);
	start_process(serial, true);
	ck_assert_str_eq(job.url, "http://192.0.2.1/x");
	ck_assert_uint_eq(job.seconds, 9);
}
END_TEST

START_TEST(test_refusal_comes_with_its_line)
{
	struct xml_diag d = { .line = 12, .diag = { .object = "o", .text = "no" } };
	struct asker a;

	ask(&a, NULL);
	start_process(serial, true);
	say(IMPORT_OCTETS, "abc", 3);
	ck_assert_int_eq(import_refused_send(process, MIB_WRONG_VALUE, &d), 0);
	settle();
	ck_assert_int_eq(a.err, MIB_WRONG_VALUE);
	ck_assert_uint_eq(a.d.line, 12);
	ck_assert_str_eq(a.d.diag.object, "o");
}
END_TEST

START_TEST(test_process_that_ends_in_the_middle_is_an_error)
{
	struct asker a;

	ask(&a, NULL);
	start_process(serial, true);
	say(IMPORT_OCTETS, "abc", 3);
	chan_free(process);
	process = NULL;
	settle();
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_int_eq(a.err, MIB_RESOURCE_UNAVAILABLE);
	ck_assert_uint_eq(a.len, 0);
}
END_TEST

START_TEST(test_process_that_cannot_be_started_is_an_error)
{
	struct asker a;

	ask(&a, NULL);
	start_process(serial, false);
	ck_assert_int_eq(a.err, MIB_RESOURCE_UNAVAILABLE);
}
END_TEST

static const struct {
	const char *name;
	uint16_t type;
	const char *data;
	size_t len;
} nonsense[] = {
	{ "message of no type", 99, "", 0 },
	{ "refusal without a reason", IMPORT_REFUSED, "\0\0\0\1", 4 },
	{ "refusal that is none", IMPORT_REFUSED, "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0", 16 },
	{ "fewer octets than came", IMPORT_DONE, "\0\0\0\0\0\0\0\1", 8 },
	{ "end cut short", IMPORT_DONE, "\0", 1 },
	{ "job of its own", IMPORT_JOB, "", 0 },
};

START_TEST(test_nonsense_is_an_error)
{
	struct asker a;

	ask(&a, NULL);
	start_process(serial, true);
	say(nonsense[_i].type, nonsense[_i].data, nonsense[_i].len);
	ck_assert_msg(a.answers == 1 && a.err != MIB_OK, "%s", nonsense[_i].name);
}
END_TEST

START_TEST(test_files_are_read_one_after_the_other)
{
	struct asker a, b, c;

	ask(&a, NULL);
	ask(&b, "http://192.0.2.1/b");
	ask(&c, "http://192.0.2.1/c");
	ck_assert_uint_eq(starts, 1);
	agent_forget_parse(&agent, &b.parse);
	start_process(serial, true);
	say_done(0);
	ck_assert_uint_eq(a.answers, 1);
	settle();
	ck_assert_uint_eq(starts, 2);
	start_process(serial, true);
	ck_assert_str_eq(job.url, "http://192.0.2.1/c");
	say_done(0);
	ck_assert_uint_eq(c.answers, 1);
	ck_assert_uint_eq(b.answers, 0);
}
END_TEST

START_TEST(test_forgotten_file_ends_its_process)
{
	struct asker a, b;
	uint32_t first;

	ask(&a, NULL);
	first = serial;
	ask(&b, NULL);
	agent_forget_parse(&agent, &a.parse);
	settle();
	ck_assert_uint_eq(stops, 1);
	ck_assert_uint_eq(starts, 2);
	ck_assert_uint_ne(serial, first);
	/* The first one comes late: it is no one's. */
	start_process(first, true);
	ck_assert_uint_eq(jobs, 0);
	ck_assert_ptr_null(process);
	start_process(serial, true);
	ck_assert_uint_eq(jobs, 1);
	say_done(0);
	ck_assert_uint_eq(a.answers, 0);
	ck_assert_uint_eq(b.answers, 1);
}
END_TEST

START_TEST(test_process_that_never_stops_talking_is_stopped)
{
	static const uint8_t octets[CHAN_PAYLOAD_MAX];
	struct asker a;

	ask(&a, NULL);
	start_process(serial, true);
	for (size_t sent = 0; process && sent <= IMPORT_RECORDS_MAX; sent += sizeof(octets)) {
		(void)!chan_send(process, IMPORT_OCTETS, octets, sizeof(octets), NULL, 0);
		event_base_loop(agent.base, EVLOOP_NONBLOCK);
	}
	settle();
	ck_assert_uint_eq(a.answers, 1);
	ck_assert_int_eq(a.err, MIB_RESOURCE_UNAVAILABLE);
	ck_assert_uint_eq(stops, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/agent_import");
	TCase *tc = tcase_create("import_line");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_file_is_given_to_a_process_and_its_records_taken);
	tcase_add_test(tc, test_url_is_given_to_one_with_the_network);
	tcase_add_test(tc, test_refusal_comes_with_its_line);
	tcase_add_test(tc, test_process_that_ends_in_the_middle_is_an_error);
	tcase_add_test(tc, test_process_that_cannot_be_started_is_an_error);
	tcase_add_loop_test(tc, test_nonsense_is_an_error, 0,
			    (int)(sizeof(nonsense) / sizeof(nonsense[0])));
	tcase_add_test(tc, test_files_are_read_one_after_the_other);
	tcase_add_test(tc, test_forgotten_file_ends_its_process);
	tcase_add_test(tc, test_process_that_never_stops_talking_is_stopped);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
