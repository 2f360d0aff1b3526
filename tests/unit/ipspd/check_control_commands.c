/*
 * tests/unit/ipspd/check_control_commands.c - what the commands of the control socket do:
 * ipspd/control_rows.c, control_files.c, control_show.c, control_daemon.c, control_monitor.c.
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

/* ---- files ---- */

START_TEST(test_bad_file_is_refused_with_its_line)
{
	int file = file_of("<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n"
			   "<x/>\n</data>");
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

/* ---- the key of sealed secrets ---- */

/* A pipe with so many octets. */
static int pipe_of(size_t len)
{
	static const char octets[100] = "key";
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(write(fds[1], octets, len), (ssize_t)len);
	close(fds[1]);
	return fds[0];
}

/* Asks with a file and waits for the question; what it says is in *a. */
static int begin_sealed(const char *json, int file, struct answer *a)
{
	struct json_object *seal = NULL;
	int client = dial();

	send_frame(client, CTL_REQUEST, json, strlen(json), file);
	*a = answer_so_far(client);
	ck_assert(!a->ended && !a->closed);
	ck_assert_uint_eq(json_object_array_length(a->items), 1);
	ck_assert(json_object_object_get_ex(item(a, 0), "seal", &seal));
	ck_assert_str_eq(member(seal, "kind"), "passphrase");
	ck_assert_uint_eq(strlen(member(seal, "salt")), 32);
	forget(a);
	return client;
}

static struct answer with_key(int client, int key)
{
	struct answer a;

	send_frame(client, CTL_KEY, "", 0, key);
	close(key);
	a = answer_of(client);
	close(client);
	settle();
	return a;
}

#define EXPORT_SEALED "{\"command\": \"export\", \"secrets\": \"passphrase\"}"
#define IMPORT_SEALED "{\"command\": \"import\", \"secrets\": true}"

START_TEST(test_secrets_are_sealed_under_the_key_that_comes)
{
	int file = memfd_create("test", MFD_CLOEXEC);
	struct answer a;
	int client;

	must_do("{\"command\": \"create\", \"table\": \"ipsaCredentialTable\", \"index\": \"k\","
		" \"values\": {\"ipsaCredType\": \"sharedSecret\","
		" \"ipsaCredCredential\": \"0x736563726574\"}}");
	client = begin_sealed(EXPORT_SEALED, file, &a);
	a = with_key(client, pipe_of(64));
	ck_assert_msg(a.ended && !a.error, "%s", member(a.error, "text"));
	forget(&a);
	client = begin_sealed(IMPORT_SEALED, file, &a);
	a = with_key(client, pipe_of(64));
	ck_assert_msg(a.ended && !a.error, "%s", member(a.error, "text"));
	ck_assert_str_eq(member(item(&a, 0), "changed"), "0");
	forget(&a);
	a = ask_file("{\"command\": \"import\"}", file);
	ck_assert_str_eq(member(a.error, "object"), "sealedSecrets");
	forget(&a);
	a = ask_file("{\"command\": \"import\", \"without-secrets\": true}", file);
	ck_assert(a.ended && !a.error);
	forget(&a);
	close(file);
}
END_TEST

START_TEST(test_key_of_another_length_or_kind_is_refused)
{
	int file = memfd_create("test", MFD_CLOEXEC);
	struct answer a;

	for (size_t len = 0; len < 100; len += 13) {
		a = with_key(begin_sealed(EXPORT_SEALED, file, &a), pipe_of(len));
		ck_assert_ptr_nonnull(strstr(member(a.error, "text"), "64 octets"));
		forget(&a);
	}
	a = with_key(begin_sealed(EXPORT_SEALED, file, &a), file_of(RULE_FILE));
	ck_assert_ptr_nonnull(strstr(member(a.error, "text"), "pipe"));
	forget(&a);
	ck_assert_int_eq(lseek(file, 0, SEEK_END), 0);
	close(file);
}
END_TEST

START_TEST(test_key_that_nobody_asked_for_closes_the_connection)
{
	int client = dial();
	struct answer a = with_key(client, pipe_of(64));

	ck_assert(a.closed);
	forget(&a);
}
END_TEST

START_TEST(test_client_that_leaves_instead_of_a_key_is_forgotten)
{
	int file = memfd_create("test", MFD_CLOEXEC);
	struct answer a;

	close(begin_sealed(EXPORT_SEALED, file, &a));
	settle();
	ck_assert_int_eq(lseek(file, 0, SEEK_END), 0);
	close(file);
}
END_TEST

static const struct {
	const char *json, *text;
} bad_imports[] = {
	{ "{\"command\": \"import\", \"url\": \"file:///etc/passwd\"}", "http" },
	{ "{\"command\": \"import\", \"url\": \"ftp://h/x\"}", "http" },
	{ "{\"command\": \"import\", \"url\": \"HTTPS:/h\"}", "http" },
	{ "{\"command\": \"import\", \"url\": \"http://h/\", \"timeout\": 0}", "seconds" },
	{ "{\"command\": \"import\", \"url\": \"http://h/\", \"timeout\": 601}", "seconds" },
	{ "{\"command\": \"import\", \"url\": \"http://h\\u0000/\"}", "valid" },
	{ "{\"command\": \"export\", \"secrets\": \"rot13\"}", "anonymous" },
};

START_TEST(test_bad_words_of_files_are_refused)
{
	struct answer a = ask(bad_imports[_i].json);

	ck_assert_msg(strstr(member(a.error, "text"), bad_imports[_i].text) != NULL, "%s: %s",
		      bad_imports[_i].json, member(a.error, "text"));
	forget(&a);
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
	/* Newer ones that are on their way do not matter. */
	agent.engine = AGENT_ENGINE_APPLYING;
	agent.in_engine = 1;
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

START_TEST(test_guard_is_shown_line_by_line)
{
	int client = dial();
	struct answer a;

	request(client, "{\"command\": \"guard-show\"}");
	settle();
	ck_assert(fake_agent_answer(&agent, "table inet\n\nrule 1"));
	a = answer_of(client);
	ck_assert_uint_eq(json_object_array_length(a.items), 3);
	ck_assert_str_eq(member(item(&a, 0), "text"), "table inet");
	ck_assert_str_eq(member(item(&a, 2), "text"), "rule 1");
	forget(&a);
	request(client, "{\"command\": \"guard-show\"}");
	settle();
	ck_assert(fake_agent_answer(&agent, NULL));
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
	fake_agent_set_policy(&agent, 2, IPSP_OUTBOUND, &entry, NULL);
}

static struct answer ask_engine(const char *json)
{
	int client = dial();
	struct answer a;

	request(client, json);
	settle();
	ck_assert(fake_agent_answer(&agent, NULL));
	/* Who has one answer may have another question. */
	while (settle(), fake_agent_answer(&agent, NULL))
		;
	a = answer_of(client);
	close(client);
	settle();
	return a;
}

/* What an engine would say, and no drops. */
static void count(const struct wire_entry_stats *entries, size_t n_entries,
		  const struct wire_sa_stats *sas, size_t n_sas)
{
	static const uint64_t no_drops[TOTALS_N_DROPS], no_icmp[IPSP_N_ICMP_COUNTS];
	const struct totals_report r = {
		.entries = entries, .n_entries = n_entries, .sas = sas, .n_sas = n_sas,
		.drops = no_drops, .icmp = no_icmp,
	};

	ck_assert(totals_take(agent.totals, &r, 1000));
}

START_TEST(test_spd_joins_policy_and_counters)
{
	const struct wire_entry_stats counted[] = {
		{ .id = 7, .ifindex = 2, .dir = IPSP_OUTBOUND, .packets = 3, .bytes = 300 },
		{ .id = 0, .ifindex = 2, .dir = IPSP_OUTBOUND, .packets = 4, .bytes = 400 },
	};
	struct answer a;

	set_policy(1);
	count(counted, 2, NULL, 0);
	a = ask_engine("{\"command\": \"spd\"}");
	ck_assert_uint_eq(json_object_array_length(a.items), 2);
	ck_assert_str_eq(member(item(&a, 0), "rule"), "spdRuleDefinitionTable.\"web\"");
	ck_assert_str_eq(member(item(&a, 0), "action"), "discard");
	ck_assert_str_eq(member(item(&a, 0), "direction"), "outbound");
	ck_assert_str_eq(member(item(&a, 0), "packets"), "3");
	ck_assert_ptr_nonnull(strstr(member(item(&a, 0), "selectors"),
				     "10.0.0.0\\/8 -> 0.0.0.0\\/0 proto 6 dport 23"));
	ck_assert_str_eq(member(item(&a, 1), "rule"), "(no rule)");
	ck_assert_str_eq(member(item(&a, 1), "packets"), "4");
	forget(&a);
}
END_TEST

START_TEST(test_own_ike_is_shown_by_the_addresses_of_the_moment)
{
	static const struct ipsp_addr own[] = {
		{ 4, { 192, 0, 2, 1 } }, { 6, { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
	};
	struct answer a;

	set_policy(1);
	agent.addresses = own;
	for (agent.n_addresses = 1; agent.n_addresses <= 2; agent.n_addresses++) {
		a = ask_engine("{\"command\": \"spd\"}");
		ck_assert_uint_eq(json_object_array_length(a.items), 3);
		ck_assert_str_eq(member(item(&a, 0), "action"), "bypass");
		ck_assert_str_eq(member(item(&a, 0), "source"), "system");
		ck_assert_str_eq(member(item(&a, 0), "selectors"), agent.n_addresses == 1 ?
				 "[ \"192.0.2.1 udp 500, 4500\" ]" :
				 "[ \"192.0.2.1 udp 500, 4500\", \"2001:db8::1 udp 500, 4500\" ]");
		forget(&a);
	}
	agent.n_addresses = 0;
}
END_TEST

START_TEST(test_object_longer_than_a_message_comes_in_parts)
{
	struct json_object *all;
	struct answer a;

	set_policy(MANY);
	a = ask_engine("{\"command\": \"spd\"}");
	ck_assert_uint_gt(a.parts, 0);
	ck_assert(json_object_object_get_ex(item(&a, 0), "selectors", &all));
	ck_assert_uint_eq(json_object_array_length(all), MANY);
	forget(&a);
}
END_TEST

START_TEST(test_stats_are_the_reasons_that_occurred)
{
	struct answer a;

	totals_kernel_drops(agent.totals, 2, 5);
	totals_kernel_drops(agent.totals, IO_REASON_BASE + IO_REASON_NO_ROUTE, 7);
	a = ask_engine("{\"command\": \"stats\"}");
	ck_assert_uint_eq(json_object_array_length(a.items), 2);
	ck_assert_str_eq(member(item(&a, 0), "reason"), ipsp_reason_key(2));
	ck_assert_str_eq(member(item(&a, 0), "class"), "policy");
	ck_assert_str_eq(member(item(&a, 0), "packets"), "5");
	ck_assert_str_eq(member(item(&a, 1), "reason"), "no-route");
	ck_assert_str_eq(member(item(&a, 1), "class"), "resource");
	ck_assert_str_eq(member(item(&a, 1), "packets"), "7");
	forget(&a);
}
END_TEST

START_TEST(test_stats_count_icmp_errors_if_there_were_any)
{
	static const uint64_t no_drops[TOTALS_N_DROPS];
	const uint64_t icmp[IPSP_N_ICMP_COUNTS] = { [IPSP_ICMP_LEARNED] = 3 };
	const struct totals_report r = { .drops = no_drops, .icmp = icmp };
	struct json_object *counts;
	struct answer a;

	ck_assert(totals_take(agent.totals, &r, 1000));
	a = ask_engine("{\"command\": \"stats\"}");
	ck_assert_uint_eq(json_object_array_length(a.items), 1);
	ck_assert(json_object_object_get_ex(item(&a, 0), "icmp-errors", &counts));
	ck_assert_str_eq(json_object_to_json_string(counts), "{ \"learned\": 3 }");
	forget(&a);
}
END_TEST

START_TEST(test_stats_say_what_went_by_packet_sockets_if_anything_did)
{
	static const uint64_t no_drops[TOTALS_N_DROPS], no_icmp[IPSP_N_ICMP_COUNTS];
	const struct totals_report r = { .drops = no_drops, .icmp = no_icmp, .fast = 12 };
	struct answer a;

	ck_assert(totals_take(agent.totals, &r, 1000));
	totals_engine_gone(agent.totals);
	ck_assert(totals_take(agent.totals, &r, 1001));
	a = ask_engine("{\"command\": \"stats\"}");
	ck_assert_uint_eq(json_object_array_length(a.items), 1);
	ck_assert_str_eq(member(item(&a, 0), "sent-by-packet-socket"), "24");
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
	const struct wire_sa_stats counted = { .id = 9, .state = 2, .seq = 77, .path_mtu = 1300 };
	struct answer a;

	set_policy(1);
	fake_agent_set_policy(&agent, 2, IPSP_OUTBOUND, &entry, &sa);
	count(NULL, 0, &counted, 1);
	a = ask_engine("{\"command\": \"sad\"}");
	ck_assert_str_eq(member(item(&a, 0), "source"), "192.0.2.1");
	ck_assert_str_eq(member(item(&a, 0), "destination"), "198.51.100.1");
	ck_assert_str_eq(member(item(&a, 0), "spi"), "4096");
	ck_assert_str_eq(member(item(&a, 0), "state"), "mature");
	ck_assert_str_eq(member(item(&a, 0), "sequence"), "77");
	ck_assert_str_eq(member(item(&a, 0), "path-mtu"), "1300");
	ck_assert_ptr_null(strstr(json_object_to_json_string(a.items), "key"));
	forget(&a);
}
END_TEST

START_TEST(test_sad_shows_all_SAs_of_key_managers)
{
	enum { N = 700 };
	struct wire_sad_sa sa = {
		.stats = { .dir = IPSP_INBOUND, .state = 2, .seq = 5, .idle_s = REPORT_NEVER_USED },
		.origin = IPSP_ORIGIN_PFKEY, .proto = IPSP_PROTO_ESP, .mode = IPSP_MODE_TUNNEL,
		.reqid = 6, .encr = IPSP_ENCR_AES_GCM_16, .encr_key_bits = 128, .life_s = 3600,
		.local = { 4, { 192, 0, 2, 1 } }, .remote = { 4, { 192, 0, 2, 2 } },
	};
	struct answer a;

	for (uint32_t i = 0; i < N; i++) {
		sa.stats.id = i + 1;
		sa.stats.spi = 0x1000 + i;
		ck_assert(sad_picture_take(agent.sad, &sa, "vpn", 10));
	}
	a = ask_engine("{\"command\": \"sad\"}");
	ck_assert_uint_eq(json_object_array_length(a.items), N);
	ck_assert_str_eq(member(item(&a, 0), "name"), "vpn");
	ck_assert_str_eq(member(item(&a, 0), "origin"), "keyManager");
	ck_assert_str_eq(member(item(&a, 0), "cipher"), "aes-gcm-16-128");
	ck_assert_str_eq(member(item(&a, 0), "life-seconds"), "3600");
	ck_assert_str_eq(member(item(&a, 0), "source"), "192.0.2.2");
	ck_assert_str_eq(member(item(&a, N - 1), "index"), "1700");
	ck_assert_ptr_null(json_object_object_get(item(&a, 0), "soft-seconds"));
	forget(&a);
}
END_TEST

/* One entry discards TCP from 10.0.0.0/8 to port 23 that leaves by interface 2. */
static const struct {
	int ifindex;
	const char *dir, *src, *dst;
	const char *more;		/* of the request */
	const char *answer;		/* the rules of its items; ?: may match; NULL: refused */
} lookups[] = {
#define FROM_TEN 2, "outbound", "10.0.0.1", "192.0.2.1"
	{ FROM_TEN, ", \"protocol\": 6, \"source-port\": 9, \"destination-port\": 23", "web" },
	{ FROM_TEN, ", \"protocol\": 6, \"destination-port\": 23", "web" },
	{ FROM_TEN, ", \"protocol\": 6, \"destination-port\": 24", "(no rule)" },
	{ FROM_TEN, ", \"protocol\": 6", "?web (no rule)" },
	{ FROM_TEN, "", "?web (no rule)" },
	{ FROM_TEN, ", \"protocol\": 17, \"destination-port\": 23", "(no rule)" },
	{ FROM_TEN, ", \"protocol\": 1, \"type\": 8, \"code\": 0", "(no rule)" },
	{ FROM_TEN, ", \"protocol\": 47", "(no rule)" },
	{ 2, "outbound", "11.0.0.1", "192.0.2.1", "", "(no rule)" },
	{ 2, "outbound", "fd00::1", "fd00::2", "", "(no rule)" },
	{ 2, "inbound", "10.0.0.1", "192.0.2.1", "", "(no policy)" },
	{ 3, "outbound", "10.0.0.1", "192.0.2.1", "", "(no policy)" },
	{ 2, "outbound", "fd00::1", "192.0.2.1", "", NULL },
	{ 2, "outbound", "10.1", "192.0.2.1", "", NULL },
	{ 2, "up", "10.0.0.1", "192.0.2.1", "", NULL },
	{ 0, "outbound", "10.0.0.1", "192.0.2.1", "", NULL },
	{ FROM_TEN, ", \"protocol\": 256", NULL },
	{ FROM_TEN, ", \"protocol\": 6, \"source-port\": 65536", NULL },
	{ FROM_TEN, ", \"protocol\": 47, \"source-port\": 1", NULL },
	{ FROM_TEN, ", \"protocol\": 6, \"type\": 1", NULL },
	{ FROM_TEN, ", \"source-port\": 1", NULL },
	{ FROM_TEN, ", \"protocol\": 1, \"code\": 1", NULL },
	{ FROM_TEN, ", \"protocol\": 58, \"type\": 256", NULL },
#undef FROM_TEN
};

START_TEST(test_lookup_says_which_entry_a_packet_meets)
{
	char json[300], got[100] = "";
	struct answer a;

	set_policy(1);
	snprintf(json, sizeof(json), "{\"command\": \"lookup\", \"ifindex\": %d, \"direction\":"
		 " \"%s\", \"source\": \"%s\", \"destination\": \"%s\"%s}", lookups[_i].ifindex,
		 lookups[_i].dir, lookups[_i].src, lookups[_i].dst, lookups[_i].more);
	a = ask(json);
	if (!lookups[_i].answer) {
		ck_assert_msg(a.error != NULL, "%s", json);
		forget(&a);
		return;
	}
	ck_assert_msg(!a.error, "%s", json);
	for (size_t i = 0; i < json_object_array_length(a.items); i++) {
		const char *rule = member(item(&a, (int)i), "rule");
		const size_t len = strlen(got);

		snprintf(got + len, sizeof(got) - len, "%s%s%s", i ? " " : "",
			 json_object_object_get(item(&a, (int)i), "may") ? "?" : "",
			 strstr(rule, "web") ? "web" : rule);
	}
	ck_assert_str_eq(got, lookups[_i].answer);
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
		.action = IPSP_DISCARD, .suppressed = 4, .proto = 17,
		.src = { 4, { 10, 1, 0, 1 } }, .dst = { 4, { 10, 2, 0, 2 } },
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
	Suite *s = suite_create("ipspd/control_commands");
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
	tcase_add_test(c, test_bad_file_is_refused_with_its_line);
	tcase_add_test(c, test_dry_run_and_replace_reach_the_importer);
	tcase_add_test(c, test_secrets_are_sealed_under_the_key_that_comes);
	tcase_add_test(c, test_key_of_another_length_or_kind_is_refused);
	tcase_add_test(c, test_key_that_nobody_asked_for_closes_the_connection);
	tcase_add_test(c, test_client_that_leaves_instead_of_a_key_is_forgotten);
	tcase_add_loop_test(c, test_bad_words_of_files_are_refused, 0,
			    (int)COUNT(bad_imports));
	tcase_add_test(c, test_export_fills_the_file);
	tcase_add_test(c, test_file_that_could_stall_the_agent_is_refused);
	tcase_add_test(c, test_status_says_where_things_stand);
	tcase_add_test(c, test_wait_ends_when_the_generation_is_in_force);
	tcase_add_test(c, test_wait_gives_up_at_its_deadline);
	tcase_add_test(c, test_guard_is_shown_line_by_line);
	tcase_add_test(c, test_log_level_is_handed_on);
	tcase_add_test(c, test_spd_joins_policy_and_counters);
	tcase_add_test(c, test_own_ike_is_shown_by_the_addresses_of_the_moment);
	tcase_add_test(c, test_object_longer_than_a_message_comes_in_parts);
	tcase_add_test(c, test_stats_are_the_reasons_that_occurred);
	tcase_add_test(c, test_stats_count_icmp_errors_if_there_were_any);
	tcase_add_test(c, test_stats_say_what_went_by_packet_sockets_if_anything_did);
	tcase_add_test(c, test_sad_shows_state_and_no_key);
	tcase_add_test(c, test_sad_shows_all_SAs_of_key_managers);
	tcase_add_loop_test(c, test_lookup_says_which_entry_a_packet_meets, 0,
			    sizeof(lookups) / sizeof(lookups[0]));
	tcase_add_test(c, test_release_opens_what_is_closed);
	tcase_add_test(c, test_monitor_tells_what_happens);
	tcase_add_test(c, test_monitor_that_does_not_read_loses_lines_and_is_told);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
