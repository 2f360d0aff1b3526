/*
 * tests/unit/ipspd/check_control.c - the control socket's connections and the form of requests:
 * ipspd/control.c, control_json.c.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipspd/log.h"
#include "tests/unit/ipspd/control_peer.h"

/* ---- refusals ---- */

static const struct {
	const char *name, *json, *code, *says;
	bool counts;	/* as a refused request */
} refusals[] = {
	{ "no JSON", "hello", "usage", "JSON", true },
	{ "nothing", "", "usage", "JSON", true },
	{ "half an object", "{\"command\": \"status\"", "usage", "JSON", true },
	{ "more than an object", "{\"command\": \"status\"} x", "usage", "JSON", true },
	{ "two objects", "{\"command\": \"status\"}{}", "usage", "JSON", true },
	{ "an array", "[\"status\"]", "usage", "JSON", true },
	{ "a string", "\"status\"", "usage", "JSON", true },
	{ "null", "null", "usage", "JSON", true },
	{ "not UTF-8", "{\"command\": \"\xff\"}", "usage", "JSON", true },
	{ "too deep", "{\"command\": \"status\", \"x\": [[[[[[[[[[1]]]]]]]]]]}", "usage", "JSON",
	  true },
	{ "a comment", "{\"command\": \"status\" /* please */}", "usage", "JSON", true },
	{ "no command", "{\"table\": \"x\"}", "usage", "command", true },
	{ "a command that is no string", "{\"command\": 1}", "usage", "command", true },
	{ "a command with a NUL", "{\"command\": \"status\\u0000x\"}", "usage", "command", true },
	{ "unknown command", "{\"command\": \"explode\"}", "usage", "no such command", true },
	{ "unknown member", "{\"command\": \"import\", \"dryrun\": true}", "usage", "'dryrun'",
	  true },
	{ "member of another command", "{\"command\": \"status\", \"table\": \"x\"}", "usage",
	  "'table'", true },
	{ "flag that is a string", "{\"command\": \"import\", \"dry-run\": \"yes\"}", "usage",
	  "'dry-run'", true },
	{ "flag that is a number", "{\"command\": \"wait\", \"snmp\": 1}", "usage", "'snmp'",
	  true },
	{ "number that is a string", "{\"command\": \"wait\", \"timeout\": \"1\"}", "usage",
	  "'timeout'", true },
	{ "negative number", "{\"command\": \"wait\", \"timeout\": -1}", "usage", "'timeout'",
	  true },
	{ "number with a fraction", "{\"command\": \"wait\", \"timeout\": 1.5}", "usage",
	  "'timeout'", true },
	{ "table that is null", "{\"command\": \"get\", \"table\": null}", "usage", "'table'",
	  true },
	{ "no table", "{\"command\": \"get\"}", "usage", "no such table", true },
	{ "unknown table", "{\"command\": \"get\", \"table\": \"x\"}", "usage", "no such table",
	  true },
	{ "rows of an unknown table", "{\"command\": \"rows\", \"table\": \"x\"}", "usage",
	  "no such table", true },
	{ "no index", "{\"command\": \"get\", \"table\": \"spdRuleDefinitionTable\"}", "usage",
	  "index", true },
	{ "index with a NUL",
	  "{\"command\": \"delete\", \"table\": \"spdRuleDefinitionTable\","
	  " \"index\": \"web\\u0000\"}",
	  "usage", "'index'", true },
	{ "index with a part missing",
	  "{\"command\": \"get\", \"table\": \"spdGroupContentsTable\", \"index\": \"g\"}",
	  "noCreation", "missing", false },
	{ "no such row",
	  "{\"command\": \"get\", \"table\": \"spdRuleDefinitionTable\", \"index\": \"no\"}",
	  "noSuchInstance", "no such row", false },
	{ "set without values", "{\"command\": \"set\", \"table\": \"spdLocalConfigObjects\"}",
	  "usage", "values", true },
	{ "values that are an array",
	  "{\"command\": \"set\", \"table\": \"spdLocalConfigObjects\", \"values\": []}", "usage",
	  "'values'", true },
	{ "value that is a number",
	  "{\"command\": \"set\", \"table\": \"spdLocalConfigObjects\","
	  " \"values\": {\"spdIngressPolicyGroupName\": 1}}",
	  "wrongType", "spdIngressPolicyGroupName", true },
	{ "value with a NUL",
	  "{\"command\": \"set\", \"table\": \"spdLocalConfigObjects\","
	  " \"values\": {\"spdIngressPolicyGroupName\": \"a\\u0000b\"}}",
	  "wrongType", "spdIngressPolicyGroupName", true },
	{ "column of another table",
	  "{\"command\": \"set\", \"table\": \"spdLocalConfigObjects\","
	  " \"values\": {\"spdRuleDefFilter\": \"spdTrueFilter.0\"}}",
	  "noSuchObject", "spdRuleDefFilter", true },
	{ "value that does not fit",
	  "{\"command\": \"create\", \"table\": \"spdRuleDefinitionTable\", \"index\": \"w\","
	  " \"values\": {\"spdRuleDefAdminStatus\": \"perhaps\"}}",
	  "wrongValue", "perhaps", true },
	{ "values for delete",
	  "{\"command\": \"delete\", \"table\": \"spdRuleDefinitionTable\", \"index\": \"w\","
	  " \"values\": {}}",
	  "usage", "'values'", true },
	{ "create without what is mandatory",
	  "{\"command\": \"create\", \"table\": \"spdRuleDefinitionTable\", \"index\": \"w\"}",
	  "inconsistentValue", "", true },
	{ "create of scalars",
	  "{\"command\": \"create\", \"table\": \"spdLocalConfigObjects\"}", "noCreation",
	  "cannot be created", true },
	{ "import without a file", "{\"command\": \"import\"}", "usage", "anonymous", true },
	{ "export without a file", "{\"command\": \"export\"}", "usage", "anonymous", true },
	{ "release without an interface",
	  "{\"command\": \"release\", \"direction\": \"inbound\"}", "wrongValue", "ifindex", true },
	{ "release of an ifindex beyond all",
	  "{\"command\": \"release\", \"direction\": \"inbound\", \"ifindex\": 4294967298}",
	  "wrongValue", "ifindex", true },
	{ "release of a direction there is not",
	  "{\"command\": \"release\", \"direction\": \"up\", \"ifindex\": 2}", "wrongValue",
	  "direction", true },
	{ "release of what is not closed",
	  "{\"command\": \"release\", \"direction\": \"inbound\", \"ifindex\": 2}",
	  "inconsistentName", "", true },
	{ "no log level", "{\"command\": \"log\"}", "usage", "level", true },
	{ "unknown log level", "{\"command\": \"log\", \"level\": \"loud\"}", "usage", "level",
	  true },
};

START_TEST(test_bad_request_is_refused_counted_and_changes_nothing)
{
	uint64_t refused = mib_store_refusals(agent.store);
	struct answer a = ask(refusals[_i].json);

	ck_assert_msg(a.ended && a.error, "%s: accepted", refusals[_i].name);
	ck_assert_msg(strcmp(member(a.error, "code"), refusals[_i].code) == 0,
		      "%s: %s, not %s (%s)",
		      refusals[_i].name, member(a.error, "code"), refusals[_i].code,
		      member(a.error, "text"));
	ck_assert_msg(strstr(member(a.error, "text"), refusals[_i].says) != NULL,
		      "%s: '%s' does not say '%s'", refusals[_i].name, member(a.error, "text"),
		      refusals[_i].says);
	ck_assert_uint_eq(json_object_array_length(a.items), 0);
	ck_assert_uint_eq(mib_store_refusals(agent.store), refused + refusals[_i].counts);
	ck_assert_uint_eq(mib_store_generation(agent.store), 0);
	forget(&a);
}
END_TEST

START_TEST(test_connection_goes_on_after_a_refusal)
{
	int client = dial();
	struct answer a;

	request(client, "nonsense");
	a = answer_of(client);
	ck_assert_ptr_nonnull(a.error);
	forget(&a);
	request(client, "{\"command\": \"status\"}");
	a = answer_of(client);
	ck_assert_ptr_null(a.error);
	forget(&a);
	close(client);
}
END_TEST

START_TEST(test_largest_message_is_judged)
{
	static char json[CHAN_PAYLOAD_MAX + 1];
	struct answer a;

	memset(json, ' ', CHAN_PAYLOAD_MAX);
	memcpy(json, "{\"command\": \"", 13);
	memset(json + 13, 'x', CHAN_PAYLOAD_MAX - 15);
	memcpy(json + CHAN_PAYLOAD_MAX - 2, "\"}", 2);
	a = ask(json);
	ck_assert_str_eq(member(a.error, "text"), "no such command");
	forget(&a);
}
END_TEST

static const struct {
	const char *name;
	uint8_t octets[16];
	size_t len;
} frames[] = {
	{ "another version", { 2, 0, 0, CTL_REQUEST, 0, 0, 0, 2, '{', '}' }, 10 },
	{ "a length that lies", { 1, 0, 0, CTL_REQUEST, 0, 0, 0, 9, '{', '}' }, 10 },
	{ "half a header", { 1, 0, 0 }, 3 },
	{ "an item", { 1, 0, 0, CTL_ITEM, 0, 0, 0, 2, '{', '}' }, 10 },
	{ "an end", { 1, 0, 0, CTL_END, 0, 0, 0, 2, '{', '}' }, 10 },
	{ "an unknown type", { 1, 0, 0x7f, 0xff, 0, 0, 0, 2, '{', '}' }, 10 },
};

START_TEST(test_what_is_not_the_protocol_closes_the_connection)
{
	int client = dial();
	struct answer a;

	ck_assert_int_eq(send(client, frames[_i].octets, frames[_i].len, 0),
			 (ssize_t)frames[_i].len);
	a = answer_of(client);
	ck_assert_msg(a.closed, "%s", frames[_i].name);
	forget(&a);
	close(client);
	must_do("{\"command\": \"status\"}");
}
END_TEST

START_TEST(test_second_request_before_the_first_has_ended_closes)
{
	int client = dial();
	struct answer a;

	request(client, "{\"command\": \"guard-show\"}");
	settle();
	ck_assert_ptr_nonnull(agent.questions);
	request(client, "{\"command\": \"status\"}");
	a = answer_of(client);
	ck_assert(a.closed);
	ck_assert_ptr_null(agent.questions);
	forget(&a);
	close(client);
}
END_TEST

START_TEST(test_33rd_client_is_turned_away_until_one_leaves)
{
	int clients[CONTROL_CLIENTS_MAX], late;
	struct answer a;

	ck_assert_int_eq(CONTROL_CLIENTS_MAX, 32);
	for (size_t i = 0; i < COUNT(clients); i++)
		clients[i] = dial();
	settle();
	settle();
	late = dial();
	a = answer_of(late);
	ck_assert(a.closed);
	forget(&a);
	close(late);
	close(clients[7]);
	settle();
	must_do("{\"command\": \"status\"}");
	for (size_t i = 0; i < COUNT(clients); i++)
		if (i != 7)
			close(clients[i]);
	settle();
}
END_TEST

/* ---- waiting for the store ---- */

START_TEST(test_change_waits_while_another_door_has_the_store)
{
	int first = dial(), second = dial();
	struct mib_txn *txn;
	struct answer a;

	ck_assert_int_eq(mib_txn_begin(agent.store, MIB_DOOR_SNMP, "test", &txn), MIB_OK);
	request(first, CREATE_RULE);
	settle();
	request(second, "{\"command\": \"delete\", \"table\": \"spdRuleDefinitionTable\","
			" \"index\": \"web\"}");
	a = answer_so_far(first);
	ck_assert(!a.ended && !a.closed);
	forget(&a);
	/* Who only reads does not wait. */
	must_do("{\"command\": \"get\", \"table\": \"spdLocalConfigObjects\"}");
	mib_txn_done(txn);
	a = answer_of(first);
	ck_assert(a.ended && !a.error);
	forget(&a);
	/* The second was behind it in the line, or there would be no row to delete. */
	a = answer_of(second);
	ck_assert_msg(a.ended && !a.error, "%s", member(a.error, "text"));
	forget(&a);
	ck_assert_uint_eq(mib_store_generation(agent.store), 2);
	close(first);
	close(second);
}
END_TEST

START_TEST(test_import_waits_for_the_store_and_keeps_its_file)
{
	static const char json[] = "{\"command\": \"import\", \"difference\": true}";
	int client = dial(), file = file_of(RULE_FILE);
	struct mib_txn *txn;
	struct answer a;

	ck_assert_int_eq(mib_txn_begin(agent.store, MIB_DOOR_SNMP, "test", &txn), MIB_OK);
	send_frame(client, CTL_REQUEST, json, strlen(json), file);
	close(file);
	a = answer_so_far(client);
	ck_assert(!a.ended);
	forget(&a);
	mib_txn_done(txn);
	a = answer_of(client);
	ck_assert_msg(a.ended && !a.error, "%s", member(a.error, "text"));
	ck_assert_str_eq(member(item(&a, 0), "difference"), "+ spdRuleDefinitionTable.\"x\"");
	ck_assert_str_eq(member(item(&a, 1), "created"), "1");
	ck_assert_str_eq(member(item(&a, 1), "generation"), "1");
	forget(&a);
	close(client);
}
END_TEST

START_TEST(test_client_that_left_the_line_is_forgotten)
{
	int client = dial();
	struct mib_txn *txn;

	ck_assert_int_eq(mib_txn_begin(agent.store, MIB_DOOR_SNMP, "test", &txn), MIB_OK);
	request(client, SET_SCALAR);
	settle();
	close(client);
	settle();
	mib_txn_done(txn);
	settle();
	ck_assert_uint_eq(mib_store_generation(agent.store), 0);
}
END_TEST

/* ---- clients that go ---- */

static const char *const slow[] = {
	"{\"command\": \"wait\", \"generation\": 9}", "{\"command\": \"guard-show\"}",
	"{\"command\": \"spd\"}", "{\"command\": \"stats\"}", "{\"command\": \"rows\"}",
	"{\"command\": \"monitor\"}",
};

START_TEST(test_client_that_is_gone_is_forgotten)
{
	int client = dial();

	request(client, slow[_i]);
	if (_i != 4)	/* rows: gone before the walk's first step */
		settle();
	close(client);
	settle();
	/* teardown finds nobody watching or asking */
	ck_assert_ptr_null(agent.questions);
	fake_agent_changed(&agent);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/control");
	TCase *c = tcase_create("control");
	SRunner *r = srunner_create(s);
	int failed;

	log_to_channel(NULL);
	tcase_set_timeout(c, 120);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, test_bad_request_is_refused_counted_and_changes_nothing, 0,
			    COUNT(refusals));
	tcase_add_test(c, test_connection_goes_on_after_a_refusal);
	tcase_add_test(c, test_largest_message_is_judged);
	tcase_add_loop_test(c, test_what_is_not_the_protocol_closes_the_connection, 0,
			    COUNT(frames));
	tcase_add_test(c, test_second_request_before_the_first_has_ended_closes);
	tcase_add_test(c, test_33rd_client_is_turned_away_until_one_leaves);
	tcase_add_test(c, test_change_waits_while_another_door_has_the_store);
	tcase_add_test(c, test_import_waits_for_the_store_and_keeps_its_file);
	tcase_add_test(c, test_client_that_left_the_line_is_forgotten);
	tcase_add_loop_test(c, test_client_that_is_gone_is_forgotten, 0, COUNT(slow));
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
