/*
 * tests/unit/ipspd/check_control.c - the control socket, by clients of flesh and blood on a real
 * socket: ipspd/control*.c. The frame is written out here, not taken from chan/.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <json-c/json.h>

#include "ipspd/control.h"
#include "ipspd/log.h"
#include "mibs/schema_gen.h"
#include "tests/unit/ipspd/fake_agent.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MESSAGE_MAX (8 + CHAN_PAYLOAD_MAX)

static struct agent agent;
static struct control *control;
static struct sockaddr_un address;

static void setup(void)
{
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sa_family_t);

	fake_agent_init(&agent);
	/* The kernel gives an abstract name. */
	address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(listener, 64), 0);
	len = sizeof(address);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	ck_assert_int_eq(control_new(&agent, listener, &control), 0);
}

static void teardown(void)
{
	control_free(control);
	fake_agent_fini(&agent);
}

/* ---- a client ---- */

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sa_family_t) + 6;	/* an abstract name the kernel gave */

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, len), 0);
	return fd;
}

static void turn(void)
{
	event_base_loop(agent.base, EVLOOP_NONBLOCK);
}

/* Enough turns of the loop for what is on its way to arrive. */
static void settle(void)
{
	for (int i = 0; i < 20; i++)
		turn();
}

static void send_frame(int client, uint16_t type, const char *text, size_t len, int fd)
{
	uint8_t head[8] = { 1, 0, (uint8_t)(type >> 8), (uint8_t)type, (uint8_t)(len >> 24),
			    (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len };
	struct iovec iov[2] = { { head, sizeof(head) }, { (void *)(uintptr_t)text, len } };
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(sizeof(int))];
	} with = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (fd >= 0) {
		m.msg_control = with.octets;
		m.msg_controllen = sizeof(with.octets);
		*CMSG_FIRSTHDR(&m) = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET,
						       SCM_RIGHTS };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
	}
	ck_assert_int_eq(sendmsg(client, &m, MSG_NOSIGNAL), (ssize_t)(len + sizeof(head)));
}

static void request(int client, const char *json)
{
	send_frame(client, CTL_REQUEST, json, strlen(json), -1);
}

struct answer {
	struct json_object *items;	/* an array */
	struct json_object *error;	/* of the end; NULL: none */
	bool ended, closed;
	size_t parts;
};

/* Reads one message if there is one. Collects into *a; long carries the parts of a long one. */
static bool read_message(int client, struct answer *a, char **text, size_t *len)
{
	static uint8_t buf[MESSAGE_MAX];
	struct json_object *o, *error;
	ssize_t n = recv(client, buf, sizeof(buf), MSG_DONTWAIT);
	uint16_t type;

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		a->closed = true;
		return true;
	}
	ck_assert_int_ge(n, 8);
	ck_assert_uint_eq(buf[0], 1);
	type = (uint16_t)(buf[2] << 8 | buf[3]);
	*text = realloc(*text, *len + (size_t)n - 8 + 1);
	memcpy(*text + *len, buf + 8, (size_t)n - 8);
	*len += (size_t)n - 8;
	(*text)[*len] = '\0';
	if (type == CTL_PART) {
		a->parts++;
		return true;
	}
	o = json_tokener_parse(*text);
	ck_assert_msg(o != NULL, "not JSON: %.200s", *text);
	*len = 0;
	if (type == CTL_ITEM) {
		json_object_array_add(a->items, o);
		return true;
	}
	ck_assert_uint_eq(type, CTL_END);
	a->ended = true;
	if (json_object_object_get_ex(o, "error", &error))
		a->error = json_object_get(error);
	json_object_put(o);
	return true;
}

/* Runs the loop until the answer has ended or the connection is closed. */
static struct answer answer_of(int client)
{
	struct answer a = { .items = json_object_new_array() };
	char *text = NULL;
	size_t len = 0;

	while (!a.ended && !a.closed)
		if (!read_message(client, &a, &text, &len))
			turn();
	free(text);
	return a;
}

/* What is there by now. */
static struct answer answer_so_far(int client)
{
	struct answer a = { .items = json_object_new_array() };
	char *text = NULL;
	size_t len = 0;

	settle();
	while (!a.ended && !a.closed && read_message(client, &a, &text, &len))
		turn();
	free(text);
	return a;
}

static void forget(struct answer *a)
{
	json_object_put(a->items);
	json_object_put(a->error);
}

static const char *member(struct json_object *o, const char *name)
{
	struct json_object *v;

	return o && json_object_object_get_ex(o, name, &v) ? json_object_get_string(v) : "";
}

static struct json_object *item(const struct answer *a, size_t nr)
{
	return json_object_array_get_idx(a->items, nr);
}

static struct answer ask(const char *json)
{
	int client = dial();
	struct answer a;

	request(client, json);
	a = answer_of(client);
	close(client);
	settle();
	return a;
}

/* Must end well. */
static struct answer must_ask(const char *json)
{
	struct answer a = ask(json);

	ck_assert_msg(a.ended && !a.error, "%s: %s", json, member(a.error, "text"));
	return a;
}

static void must_do(const char *json)
{
	struct answer a = must_ask(json);

	forget(&a);
}

static const char *value(const struct answer *a, const char *column)
{
	struct json_object *values = NULL;

	json_object_object_get_ex(item(a, 0), "values", &values);
	return member(values, column);
}

#define CREATE_RULE                                                                                \
	"{\"command\": \"create\", \"table\": \"spdRuleDefinitionTable\", \"index\": \"web\","     \
	" \"values\": {\"spdRuleDefFilter\": \"spdTrueFilter.0\","                                 \
	" \"spdRuleDefAction\": \"spdDropAction.0\"}}"
#define GET_RULE                                                                                   \
	"{\"command\": \"get\", \"table\": \"spdRuleDefinitionTable\", \"index\": \"\\\"web\\\"\"}"
#define SET_SCALAR                                                                                 \
	"{\"command\": \"set\", \"table\": \"spdLocalConfigObjects\","                             \
	" \"values\": {\"spdIngressPolicyGroupName\": \"in\"}}"

/* ---- rows ---- */

START_TEST(test_row_is_created_read_changed_and_deleted)
{
	struct answer a = must_ask(CREATE_RULE);

	ck_assert_str_eq(member(item(&a, 0), "generation"), "1");
	forget(&a);
	a = must_ask(GET_RULE);
	ck_assert_str_eq(member(item(&a, 0), "table"), "spdRuleDefinitionTable");
	ck_assert_str_eq(member(item(&a, 0), "index"), "\"web\"");
	ck_assert_str_eq(value(&a, "spdRuleDefFilter"), "spdTrueFilter.0");
	ck_assert_str_eq(value(&a, "spdRuleDefRowStatus"), "active");
	forget(&a);
	must_do("{\"command\": \"set\", \"table\": \"spdRuleDefinitionTable\", \"index\": \"web\","
		" \"values\": {\"spdRuleDefAdminStatus\": \"disabled\"}}");
	a = must_ask(GET_RULE);
	ck_assert_str_eq(value(&a, "spdRuleDefAdminStatus"), "disabled");
	forget(&a);
	must_do("{\"command\": \"delete\", \"table\": \"spdRuleDefinitionTable\","
		" \"index\": \"web\"}");
	a = ask(GET_RULE);
	ck_assert_str_eq(member(a.error, "code"), "noSuchInstance");
	forget(&a);
	ck_assert_uint_eq(mib_store_generation(agent.store), 3);
}
END_TEST

START_TEST(test_scalars_need_no_index)
{
	struct answer a;

	must_do(SET_SCALAR);
	a = must_ask("{\"command\": \"get\", \"table\": \"spdLocalConfigObjects\"}");
	ck_assert_str_eq(value(&a, "spdIngressPolicyGroupName"), "in");
	forget(&a);
}
END_TEST

START_TEST(test_secrets_are_not_shown)
{
	struct answer a;

	must_do("{\"command\": \"create\", \"table\": \"ipsaCredentialTable\", \"index\": \"k\","
		" \"values\": {\"ipsaCredType\": \"sharedSecret\","
		" \"ipsaCredCredential\": \"0x0123456789abcdef\"}}");
	a = must_ask("{\"command\": \"rows\", \"table\": \"ipsaCredentialTable\"}");
	ck_assert_uint_eq(json_object_array_length(a.items), 1);
	ck_assert_ptr_null(strstr(json_object_to_json_string(a.items), "0123456789abcdef"));
	ck_assert_str_eq(value(&a, "ipsaCredRowStatus"), "active");
	forget(&a);
}
END_TEST

START_TEST(test_rows_come_in_order_however_many)
{
	struct answer a;
	char json[256], last[64] = "";

	/* More than one step of the walk takes. */
	for (int i = 0; i < 450; i++) {
		snprintf(json, sizeof(json), "{\"command\": \"create\", \"table\": "
			 "\"spdTimeFilterTable\", \"index\": \"t%03d\"}", (i * 7) % 450);
		must_do(json);
	}
	a = must_ask("{\"command\": \"rows\", \"table\": \"spdTimeFilterTable\"}");
	ck_assert_uint_eq(json_object_array_length(a.items), 450);
	for (size_t i = 0; i < 450; i++) {
		ck_assert_int_lt(strcmp(last, member(item(&a, i), "index")), 0);
		snprintf(last, sizeof(last), "%s", member(item(&a, i), "index"));
	}
	forget(&a);
	a = must_ask("{\"command\": \"rows\"}");
	ck_assert_uint_gt(json_object_array_length(a.items), 450);
	forget(&a);
}
END_TEST

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
	ck_assert_msg(strcmp(member(a.error, "code"), refusals[_i].code) == 0, "%s: %s, not %s (%s)",
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

static int file_of(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

#define RULE_FILE                                                                                  \
	"<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n"                               \
	"<IPSEC-SPD-MIB xmlns=\"urn:ietf:params:xml:ns:yang:smiv2:IPSEC-SPD-MIB\">\n"              \
	"<spdRuleDefinitionTable><spdRuleDefinitionEntry><spdRuleDefName>x</spdRuleDefName>\n"     \
	"<spdRuleDefFilter>1.3.6.1.2.1.153.1.7.1.0</spdRuleDefFilter>\n"                           \
	"<spdRuleDefAction>1.3.6.1.2.1.153.1.13.1.0</spdRuleDefAction>\n"                          \
	"<spdRuleDefRowStatus>active</spdRuleDefRowStatus></spdRuleDefinitionEntry>\n"             \
	"</spdRuleDefinitionTable></IPSEC-SPD-MIB></data>\n"

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

/* ---- files ---- */

static struct answer ask_file(const char *json, int file)
{
	int client = dial();
	struct answer a;

	send_frame(client, CTL_REQUEST, json, strlen(json), file);
	a = answer_of(client);
	close(client);
	settle();
	return a;
}

START_TEST(test_bad_file_is_refused_with_its_line)
{
	int file = file_of("<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n<x/>\n</data>");
	struct answer a = ask_file("{\"command\": \"import\"}", file);

	ck_assert_str_eq(member(a.error, "code"), "noSuchObject");
	ck_assert_str_eq(member(a.error, "line"), "2");
	ck_assert_str_eq(member(a.error, "object"), "x");
	forget(&a);
	close(file);
}
END_TEST

START_TEST(test_dry_run_and_replace_reach_the_importer)
{
	int file = file_of(RULE_FILE);
	struct answer a = ask_file("{\"command\": \"import\", \"dry-run\": true}", file);

	ck_assert_str_eq(member(item(&a, 0), "created"), "1");
	ck_assert_str_eq(member(item(&a, 0), "generation"), "0");
	ck_assert_uint_eq(mib_store_generation(agent.store), 0);
	forget(&a);
	must_do(CREATE_RULE);
	a = ask_file("{\"command\": \"import\", \"replace\": true}", file);
	ck_assert_str_eq(member(item(&a, 0), "destroyed"), "1");
	forget(&a);
	close(file);
}
END_TEST

START_TEST(test_export_fills_the_file)
{
	int file = memfd_create("test", MFD_CLOEXEC);
	struct answer a;
	char head[64] = "";

	must_do(CREATE_RULE);
	a = ask_file("{\"command\": \"export\"}", file);
	ck_assert(a.ended && !a.error);
	ck_assert_int_gt(pread(file, head, sizeof(head) - 1, 0), 0);
	ck_assert_int_eq(strncmp(head, "<?xml version=\"1.0\"", 19), 0);
	forget(&a);
	close(file);
}
END_TEST

START_TEST(test_file_that_could_stall_the_agent_is_refused)
{
	char path[] = "/var/tmp/check_control.XXXXXX";
	int on_disk = mkstemp(path), pipes[2];
	struct answer a;

	ck_assert_int_ge(on_disk, 0);
	unlink(path);
	ck_assert_int_eq(pipe(pipes), 0);
	a = ask_file("{\"command\": \"import\"}", pipes[0]);
	ck_assert_ptr_nonnull(strstr(member(a.error, "text"), "anonymous"));
	forget(&a);
	if (fcntl(on_disk, F_GET_SEALS) < 0) {	/* not where /var/tmp is in memory */
		a = ask_file("{\"command\": \"export\"}", on_disk);
		ck_assert_ptr_nonnull(strstr(member(a.error, "text"), "anonymous"));
		forget(&a);
	}
	close(on_disk);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

/* ---- the daemon ---- */

START_TEST(test_status_says_where_things_stand)
{
	struct answer a;

	must_do(CREATE_RULE);
	agent.snmp_open = true;
	agent.engine = AGENT_ENGINE_APPLYING;
	agent.problem = "no memory \xc3";	/* cut in the middle of a character */
	a = must_ask("{\"command\": \"status\"}");
	ck_assert_str_eq(member(item(&a, 0), "version"), PACKAGE_VERSION);
	ck_assert_str_eq(member(item(&a, 0), "committed"), "1");
	ck_assert_str_eq(member(item(&a, 0), "applied"), "0");
	ck_assert_str_eq(member(item(&a, 0), "engine"), "applying");
	ck_assert_str_eq(member(item(&a, 0), "snmp"), "session open");
	ck_assert_str_eq(member(item(&a, 0), "problem"), "no memory ?");
	forget(&a);
}
END_TEST

START_TEST(test_wait_ends_when_the_generation_is_in_force)
{
	int client = dial();
	struct answer a;

	must_do(CREATE_RULE);
	request(client, "{\"command\": \"wait\", \"snmp\": true}");
	a = answer_so_far(client);
	ck_assert(!a.ended);
	forget(&a);
	agent.applied = 1;
	fake_agent_changed(&agent);
	agent.engine = AGENT_ENGINE_IN_FORCE;
	fake_agent_changed(&agent);
	a = answer_so_far(client);
	ck_assert(!a.ended);
	forget(&a);
	agent.snmp_open = true;
	fake_agent_changed(&agent);
	a = answer_of(client);
	ck_assert(a.ended && !a.error);
	forget(&a);
	close(client);
	must_do("{\"command\": \"wait\"}");
	must_do("{\"command\": \"wait\", \"generation\": 1, \"snmp\": true}");
}
END_TEST

START_TEST(test_wait_gives_up_at_its_deadline)
{
	struct answer a = ask("{\"command\": \"wait\", \"generation\": 9, \"timeout\": 0}");

	ck_assert_str_eq(member(a.error, "code"), "resourceUnavailable");
	ck_assert_ptr_nonnull(strstr(member(a.error, "text"), "9 was waited for"));
	forget(&a);
}
END_TEST

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

START_TEST(test_guard_is_shown_line_by_line)
{
	int client = dial();
	struct answer a;

	request(client, "{\"command\": \"guard-show\"}");
	settle();
	ck_assert(fake_agent_answer(&agent, NULL, "table inet\n\nrule 1"));
	a = answer_of(client);
	ck_assert_uint_eq(json_object_array_length(a.items), 3);
	ck_assert_str_eq(member(item(&a, 0), "text"), "table inet");
	ck_assert_str_eq(member(item(&a, 2), "text"), "rule 1");
	forget(&a);
	request(client, "{\"command\": \"guard-show\"}");
	settle();
	ck_assert(fake_agent_answer(&agent, NULL, NULL));
	a = answer_of(client);
	ck_assert_str_eq(member(a.error, "code"), "genErr");
	forget(&a);
	close(client);
}
END_TEST

START_TEST(test_log_level_is_handed_on)
{
	must_do("{\"command\": \"log\", \"level\": \"debug\"}");
	ck_assert_int_eq(agent.log_level, LOG_DEBUG);
}
END_TEST

/* ---- policy and counters ---- */

#define MANY 2000

static struct ipsp_selector selectors[MANY];
static struct ipsp_spd_entry entry = { .id = 7, .action = IPSP_DISCARD };
static struct ipsp_spd_list list = { .ifindex = 2, .dir = IPSP_OUTBOUND };
static struct pol_origin origin = { .id = 7, .name = "spdRuleDefinitionTable.\"web\"" };
static struct pol_generation policy = { .number = 1 };

/* One entry of n selectors, 10.0.0.0/8 -> any, telnet. */
static void set_policy(size_t n)
{
	for (size_t i = 0; i < n; i++)
		selectors[i] = (struct ipsp_selector){
			.src_lo = { .family = 4, .octets = { 10 } },
			.src_hi = { .family = 4, .octets = { 10, 255, 255, 255 } },
			.dst_lo = { .family = 4 },
			.dst_hi = { .family = 4, .octets = { 255, 255, 255, 255 } },
			.proto_lo = 6, .proto_hi = 6,
			.sport_hi = IPSP_PORT_NONE,
			.dport_lo = 23, .dport_hi = 23,
			.dscp_hi = IPSP_DSCP_MAX, .flow_hi = IPSP_FLOW_MAX,
		};
	entry.selectors = selectors;
	entry.n_selectors = n;
	list.entries = &entry;
	list.n_entries = 1;
	policy.lists = &list;
	policy.n_lists = 1;
	policy.origins = &origin;
	policy.n_origins = 1;
	agent.policy = &policy;
}

static struct answer ask_engine(const char *json, const struct agent_stats *s)
{
	int client = dial();
	struct answer a;

	request(client, json);
	settle();
	ck_assert(fake_agent_answer(&agent, s, NULL));
	a = answer_of(client);
	close(client);
	settle();
	return a;
}

START_TEST(test_spd_joins_policy_and_counters)
{
	struct wire_entry_stats counted = { .id = 7, .packets = 3, .bytes = 300 };
	const struct agent_stats stats = { .entries = &counted, .n_entries = 1 };
	struct answer a;

	set_policy(1);
	a = ask_engine("{\"command\": \"spd\"}", &stats);
	ck_assert_uint_eq(json_object_array_length(a.items), 2);
	ck_assert_str_eq(member(item(&a, 0), "rule"), "spdRuleDefinitionTable.\"web\"");
	ck_assert_str_eq(member(item(&a, 0), "action"), "discard");
	ck_assert_str_eq(member(item(&a, 0), "direction"), "outbound");
	ck_assert_str_eq(member(item(&a, 0), "packets"), "3");
	ck_assert_ptr_nonnull(strstr(member(item(&a, 0), "selectors"),
				     "10.0.0.0\\/8 -> 0.0.0.0\\/0 proto 6 dport 23"));
	ck_assert_str_eq(member(item(&a, 1), "rule"), "(no rule)");
	forget(&a);
	/* With the engine down, without counters. */
	a = ask_engine("{\"command\": \"spd\"}", NULL);
	ck_assert_uint_eq(json_object_array_length(a.items), 2);
	ck_assert_str_eq(member(item(&a, 0), "packets"), "");
	forget(&a);
}
END_TEST

START_TEST(test_object_longer_than_a_message_comes_in_parts)
{
	struct json_object *all;
	struct answer a;

	set_policy(MANY);
	a = ask_engine("{\"command\": \"spd\"}", NULL);
	ck_assert_uint_gt(a.parts, 0);
	ck_assert(json_object_object_get_ex(item(&a, 0), "selectors", &all));
	ck_assert_uint_eq(json_object_array_length(all), MANY);
	forget(&a);
}
END_TEST

START_TEST(test_stats_are_the_reasons_that_occurred)
{
	uint64_t drops[IPSP_N_REASONS] = { 0 };
	const struct agent_stats stats = { .drops = drops };
	struct answer a;

	drops[2] = 5;
	a = ask_engine("{\"command\": \"stats\"}", &stats);
	ck_assert_uint_eq(json_object_array_length(a.items), 1);
	ck_assert_str_eq(member(item(&a, 0), "reason"), ipsp_reason_key(2));
	ck_assert_str_eq(member(item(&a, 0), "packets"), "5");
	forget(&a);
	a = ask_engine("{\"command\": \"stats\"}", NULL);
	ck_assert_ptr_nonnull(strstr(member(a.error, "text"), "engine"));
	forget(&a);
}
END_TEST

START_TEST(test_sad_shows_state_and_no_key)
{
	static struct ipsp_sa_config sa = {
		.id = 9, .spi = 4096, .dir = IPSP_OUTBOUND, .mode = IPSP_MODE_TUNNEL,
		.local = { .family = 4, .octets = { 192, 0, 2, 1 } },
		.remote = { .family = 4, .octets = { 198, 51, 100, 1 } },
		.encr = IPSP_ENCR_AES_CBC, .encr_key_bits = 256,
		.integ = IPSP_INTEG_HMAC_SHA2_256_128,
	};
	struct wire_sa_stats counted = { .id = 9, .state = 2, .seq = 77 };
	const struct agent_stats stats = { .sas = &counted, .n_sas = 1 };
	struct answer a;

	set_policy(1);
	policy.sas = &sa;
	policy.n_sas = 1;
	a = ask_engine("{\"command\": \"sad\"}", &stats);
	ck_assert_str_eq(member(item(&a, 0), "source"), "192.0.2.1");
	ck_assert_str_eq(member(item(&a, 0), "destination"), "198.51.100.1");
	ck_assert_str_eq(member(item(&a, 0), "spi"), "4096");
	ck_assert_str_eq(member(item(&a, 0), "state"), "mature");
	ck_assert_str_eq(member(item(&a, 0), "sequence"), "77");
	ck_assert_ptr_null(strstr(json_object_to_json_string(a.items), "key"));
	forget(&a);
}
END_TEST

START_TEST(test_release_opens_what_is_closed)
{
	struct answer a;

	must_do(CREATE_RULE);
	must_do("{\"command\": \"create\", \"table\": \"spdGroupContentsTable\","
		" \"index\": \"g,1\", \"values\": {\"spdGroupContComponentName\": \"web\"}}");
	must_do("{\"command\": \"create\", \"table\": \"spdEndpointToGroupTable\","
		" \"index\": \"outbound,2\", \"values\": {\"spdEndGroupName\": \"g\"}}");
	a = ask("{\"command\": \"release\", \"direction\": \"outbound\", \"ifindex\": 2}");
	ck_assert_str_eq(member(a.error, "code"), "inconsistentValue");
	forget(&a);
	must_do("{\"command\": \"delete\", \"table\": \"spdEndpointToGroupTable\","
		" \"index\": \"outbound,2\"}");
	must_do("{\"command\": \"get\", \"table\": \"ipspdClosureTable\","
		" \"index\": \"outbound,2\"}");
	must_do("{\"command\": \"release\", \"direction\": \"outbound\", \"ifindex\": 2}");
	a = ask("{\"command\": \"get\", \"table\": \"ipspdClosureTable\","
		" \"index\": \"outbound,2\"}");
	ck_assert_str_eq(member(a.error, "code"), "noSuchInstance");
	forget(&a);
}
END_TEST

/* ---- monitor ---- */

START_TEST(test_monitor_tells_what_happens)
{
	const struct wire_event e = {
		.kind = WIRE_EVENT_PACKET, .id = 7, .ifindex = 2, .dir = IPSP_OUTBOUND,
		.action = IPSP_DISCARD, .suppressed = 4, .packet_len = 20,
		.packet = { 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 2, 0, 2 },
	};
	int client = dial();
	struct answer a;

	log_set_level(LOG_INFO);
	set_policy(1);
	request(client, "{\"command\": \"monitor\"}");
	settle();
	must_do(CREATE_RULE);
	agent.engine = AGENT_ENGINE_APPLYING;
	fake_agent_changed(&agent);
	agent.engine = AGENT_ENGINE_IN_FORCE;
	agent.applied = 1;
	fake_agent_changed(&agent);
	ipspd_log(LOG_INFO, "store", "a line");
	fake_agent_event(&agent, &e);
	a = answer_so_far(client);
	ck_assert_uint_eq(json_object_array_length(a.items), 4);
	ck_assert_str_eq(member(item(&a, 0), "kind"), "generation");
	ck_assert_ptr_nonnull(strstr(member(item(&a, 0), "text"), "1"));
	ck_assert_str_eq(member(item(&a, 1), "kind"), "applied");
	ck_assert_str_eq(member(item(&a, 2), "kind"), "log");
	ck_assert_str_eq(member(item(&a, 2), "text"), "info store: a line");
	ck_assert_str_eq(member(item(&a, 3), "kind"), "event");
	ck_assert_str_eq(member(item(&a, 3), "text"),
			 "discard interface 2 outbound spdRuleDefinitionTable.\"web\""
			 " 10.1.0.1 -> 10.2.0.2 proto 17 (and 4 alike)");
	ck_assert(!a.ended && !a.closed);
	forget(&a);
	close(client);
	settle();
}
END_TEST

START_TEST(test_monitor_that_does_not_read_loses_lines_and_is_told)
{
	struct answer a = { .items = json_object_new_array() };
	int client = dial();
	char text[1001], *part = NULL;
	size_t len = 0;
	int64_t told = 0, lost = 0;

	memset(text, 'x', 1000);
	text[1000] = '\0';
	request(client, "{\"command\": \"monitor\"}");
	settle();
	for (int i = 0; i < 5000; i++)
		control_announce(control, "log", text);
	while (read_message(client, &a, &part, &len))
		turn();
	control_announce(control, "log", "after");
	settle();
	while (read_message(client, &a, &part, &len))
		turn();
	for (size_t i = 0; i < json_object_array_length(a.items); i++) {
		told++;
		lost += atoll(member(item(&a, i), "lost"));
	}
	ck_assert_int_gt(lost, 0);
	ck_assert_int_eq(told + lost, 5001);
	ck_assert_str_eq(member(item(&a, (size_t)told - 1), "text"), "after");
	free(part);
	forget(&a);
	close(client);
	settle();
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
	tcase_add_test(c, test_row_is_created_read_changed_and_deleted);
	tcase_add_test(c, test_scalars_need_no_index);
	tcase_add_test(c, test_secrets_are_not_shown);
	tcase_add_test(c, test_rows_come_in_order_however_many);
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
	tcase_add_test(c, test_bad_file_is_refused_with_its_line);
	tcase_add_test(c, test_dry_run_and_replace_reach_the_importer);
	tcase_add_test(c, test_export_fills_the_file);
	tcase_add_test(c, test_file_that_could_stall_the_agent_is_refused);
	tcase_add_test(c, test_status_says_where_things_stand);
	tcase_add_test(c, test_wait_ends_when_the_generation_is_in_force);
	tcase_add_test(c, test_wait_gives_up_at_its_deadline);
	tcase_add_loop_test(c, test_client_that_is_gone_is_forgotten, 0, COUNT(slow));
	tcase_add_test(c, test_guard_is_shown_line_by_line);
	tcase_add_test(c, test_log_level_is_handed_on);
	tcase_add_test(c, test_spd_joins_policy_and_counters);
	tcase_add_test(c, test_object_longer_than_a_message_comes_in_parts);
	tcase_add_test(c, test_stats_are_the_reasons_that_occurred);
	tcase_add_test(c, test_sad_shows_state_and_no_key);
	tcase_add_test(c, test_release_opens_what_is_closed);
	tcase_add_test(c, test_monitor_tells_what_happens);
	tcase_add_test(c, test_monitor_that_does_not_read_loses_lines_and_is_told);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
