/*
 * tests/unit/faults/check_control.c - requests of the control socket with each allocation failing in
 * turn, from the connection to the answer: ours, json-c's, libevent's, libxml2's.
 *
 * The client is answered as ever, or gets an error, or is disconnected: never less than the whole as
 * if it were that. What an error answers has changed nothing; and the same request works afterwards.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libxml/xmlerror.h>

#include "tests/unit/faults/nomem.h"
#include "tests/unit/ipspd/control_peer.h"
#include "xml/xml.h"

#define TRIES_MAX 3000
#define FILE_MAX (64u << 10)

#define ROW(command, more)                                                                         \
	"{\"command\": \"" command "\", \"table\": \"spdRuleDefinitionTable\","                    \
	" \"index\": \"\\\"a rule with a name\\\"\"" more "}"

static const struct {
	const char *name, *json;
	const char *file;	/* its descriptor goes with the request; NULL: none does */
	bool waits;		/* for the engine */
} requests[] = {
	{ "get", ROW("get", ""), NULL, false },
	{ "set", ROW("set", ", \"values\": {\"spdRuleDefDescription\":"
		     " \"a description that is longer than the shortest buffer there is\"}"), NULL, false },
	{ "create", CREATE_RULE, NULL, false },
	{ "delete", ROW("delete", ""), NULL, false },
	{ "rows", "{\"command\": \"rows\", \"table\": \"spdRuleDefinitionTable\"}", NULL, false },
	{ "status", "{\"command\": \"status\"}", NULL, false },
	{ "spd", "{\"command\": \"spd\"}", NULL, false },
	{ "sad", "{\"command\": \"sad\"}", NULL, false },
	{ "guard-show", "{\"command\": \"guard-show\"}", NULL, false },
	{ "wait", "{\"command\": \"wait\", \"generation\": 0}", NULL, true },
	{ "log", "{\"command\": \"log\", \"level\": \"debug\"}", NULL, false },
	{ "import", "{\"command\": \"import\", \"replace\": true, \"difference\": true}", RULE_FILE,
	  false },
	{ "dry run", "{\"command\": \"import\", \"dry-run\": true, \"difference\": true}",
	  RULE_FILE,
	  false },
	{ "export", "{\"command\": \"export\"}", "", false },
};

/* One entry and one SA, to show. */
static struct ipsp_selector all = { .src_lo = { .family = 4 }, .src_hi = { .family = 4 },
				    .dst_lo = { .family = 4 }, .dst_hi = { .family = 4 } };
static struct ipsp_spd_entry entry = { .id = 7, .action = IPSP_DISCARD, .selectors = &all,
				       .n_selectors = 1 };
static struct ipsp_sa_config sa = { .id = 7, .local = { .family = 4 }, .remote = { .family = 4 } };

static void begin(void)
{
	setup();
	must_do(ROW("create", ", \"values\": {\"spdRuleDefFilter\": \"spdTrueFilter.0\","
		    " \"spdRuleDefAction\": \"spdDropAction.0\"}"));
	fake_agent_set_policy(&agent, 2, IPSP_OUTBOUND, &entry, &sa);
}

struct run {
	struct answer a;
	uint64_t generation;
	char file[FILE_MAX], state[FILE_MAX];
};

static void read_file(int file, char *text)
{
	const ssize_t len = pread(file, text, FILE_MAX - 1, 0);

	ck_assert_int_ge(len, 0);
	text[len] = '\0';
	close(file);
}

static void read_state(char *text)
{
	const int file = memfd_create("test", MFD_CLOEXEC);
	struct mib_diag d = { 0 };

	ck_assert_int_eq(xml_export(agent.store, file, NULL, &d), MIB_OK);
	read_file(file, text);
}

/* The loop's turns allocate nothing for the test; it speaks before and reads behind them. */
static void run(size_t nr, enum nomem_scope scope, enum nomem_kind kind, unsigned long n,
		struct run *out)
{
	const int client = dial(), file = requests[nr].file ? file_of(requests[nr].file) : -1;

	send_frame(client, CTL_REQUEST, requests[nr].json, strlen(requests[nr].json), file);
	nomem_arm(scope, kind, n);
	settle();
	if (requests[nr].waits) {
		agent.engine = AGENT_ENGINE_IN_FORCE;
		fake_agent_changed(&agent);
	}
	while (fake_agent_answer(&agent, "table inet ipspd {\n\tchain a\n}\n"))
		;
	settle();
	nomem_disarm();
	agent.engine = AGENT_ENGINE_DOWN;
	out->a = answer_so_far(client);
	/* Counts what could not be read as well. */
	if (item(&out->a, 0))
		json_object_object_del(item(&out->a, 0), "refused-requests");
	out->generation = mib_store_generation(agent.store);
	read_state(out->state);
	if (file >= 0)
		read_file(file, out->file);
	close(client);
	settle();
}

static bool is_export(size_t nr)
{
	return requests[nr].file && !requests[nr].file[0];
}

static void must_be_as(size_t nr, unsigned long n, const struct run *want, const struct run *got)
{
	ck_assert_msg(json_object_equal(got->a.items, want->a.items), "%s, allocation %lu: %s\n%s",
		      requests[nr].name, n, json_object_to_json_string(want->a.items),
		      json_object_to_json_string(got->a.items));
	ck_assert_uint_eq(got->generation, want->generation);
	ck_assert_str_eq(got->file, want->file);
	ck_assert_str_eq(got->state, want->state);
}

static void judge(size_t nr, unsigned long n, const struct run *want, const struct run *got)
{
	ck_assert_msg(got->a.ended || got->a.closed, "%s, allocation %lu: no answer",
		      requests[nr].name, n);
	if (got->a.ended && !got->a.error) {
		must_be_as(nr, n, want, got);
		return;
	}
	ck_assert_msg(nomem_happened(), "%s, allocation %lu: %s", requests[nr].name, n,
		      member(got->a.error, "text"));
	if (got->a.ended) {
		ck_assert_str_ne(member(got->a.error, "text"), "");
		ck_assert_msg(got->generation == 1, "%s, allocation %lu", requests[nr].name, n);
	}
	ck_assert(got->generation == 1 || got->generation == want->generation);
	if (got->generation == want->generation)
		ck_assert_str_eq(got->state, want->state);
	/* The answer may be lost where the file is not. */
	if (is_export(nr) && got->a.ended)
		ck_assert_ptr_null(strstr(got->file, "</data>"));
}

static void try(size_t nr, enum nomem_scope scope, enum nomem_kind kind, const struct run *want)
{
	static struct run got, again;
	bool happened = true;
	unsigned long n;

	for (n = 1; happened; n++) {
		ck_assert_uint_lt(n, TRIES_MAX);
		begin();
		run(nr, scope, kind, n, &got);
		happened = nomem_happened();
		judge(nr, n, want, &got);
		if (happened && got.generation == 1) {
			run(nr, scope, kind, 0, &again);
			ck_assert(again.a.ended && !again.a.error);
			must_be_as(nr, n, want, &again);
			forget(&again.a);
		}
		forget(&got.a);
		teardown();
	}
	ck_assert_uint_gt(n, 2);
}

START_TEST(test_a_request_without_memory_is_answered_whole_or_not_at_all)
{
	static struct run want;

	begin();
	run((size_t)_i, NOMEM_ALL, NOMEM_ONCE, 0, &want);
	ck_assert(want.a.ended && !want.a.error);
	teardown();
	try((size_t)_i, NOMEM_ALL, NOMEM_ONCE, &want);
	try((size_t)_i, NOMEM_OURS, NOMEM_FOR_GOOD, &want);
	forget(&want.a);
}
END_TEST

/* Whether the monitor on that connection was told one line, whole; else it must have been closed. */
static bool was_told(int client)
{
	struct answer a = answer_so_far(client);
	const bool told = json_object_array_length(a.items) == 1;

	ck_assert(told != a.closed && !a.ended);
	if (told) {
		ck_assert_str_eq(member(item(&a, 0), "kind"), "log");
		ck_assert_str_eq(member(item(&a, 0), "text"), "a line of some length is logged");
	}
	forget(&a);
	return told;
}

START_TEST(test_a_monitor_without_memory_is_told_or_closed)
{
	unsigned int closed = 0;
	bool happened = true;

	for (unsigned long n = 1; happened; n++) {
		int client;

		ck_assert_uint_lt(n, TRIES_MAX);
		begin();
		client = dial();
		request(client, "{\"command\": \"monitor\"}");
		settle();
		nomem_arm(NOMEM_ALL, NOMEM_ONCE, n);
		control_announce(control, "log", "a line of some length is logged");
		settle();
		nomem_disarm();
		happened = nomem_happened();
		closed += !was_told(client);
		close(client);
		settle();
		teardown();
	}
	ck_assert_uint_gt(closed, 5);
}
END_TEST

/* LeakSanitizer's: json-c's parser leaks a value that it cannot add, libxml2's writer a name. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libjson-c\nleak:xmlTextWriterStart";
}

/* What libxml2 would say of its lack of memory. */
static void quiet(void *arg, const char *format, ...)
{
	(void)arg;
	(void)format;
}

int main(void)
{
	Suite *s = suite_create("faults/control");
	TCase *c = tcase_create("memory");
	SRunner *r = srunner_create(s);
	int failed;

	xmlSetGenericErrorFunc(NULL, quiet);
	/* json-c up to 0.16 reads a member's name from NULL. */
	nomem_spare((const void *)(uintptr_t)json_tokener_parse_ex);
	tcase_set_timeout(c, 300);
	tcase_add_loop_test(c, test_a_request_without_memory_is_answered_whole_or_not_at_all, 0,
			    COUNT(requests));
	tcase_add_test(c, test_a_monitor_without_memory_is_told_or_closed);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
