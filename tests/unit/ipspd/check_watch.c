/*
 * Tests of ipspd/watch.h: the tables in which a manager watches, by GET and by GETNEXT, with an agent
 * that the test plays.
 *
 * The policy is compiled from rows; what engine and guard have counted is this test's invention.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/watch.h"
#include "mibs/schema_gen.h"
#include "tests/unit/ipspd/fake_agent.h"
#include "tests/unit/policy/rowtext.h"

#define TEXT_MAX 65536

static const char rows[] =
	"+ cred k Type=sharedSecret Credential=0x32*32 AdminStatus=enabled\n"
	"+ esp e CipherTransformId=12 CipherKeyLength=256 IntegrityAlgorithmId=5\n"
	"+ peer gw,0 Type=1 Value=198.51.100.1 AddressType=ipv4 Address=198.51.100.1\n"
	"+ peer gw,5 Type=1 Value=198.51.100.5 AddressType=ipv4 Address=198.51.100.5\n"
	"+ peer lone,0 Type=1 Value=203.0.113.1 AddressType=ipv4 Address=203.0.113.1\n"
	"+ pre p,1 ESPSPI=300 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k "
	"PeerGatewayIdName=gw\n"
	"+ pre p,2 ESPSPI=400 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k "
	"PeerGatewayIdName=gw\n"
	"~ pre q,2 ESPSPI=500 ESPTransformName=e ESPEncSecretName=k ESPAuthSecretName=k\n"
	"+ clfr 1 AddrType=ipv4 SrcAddr=10.1.0.0 SrcPrefixLength=16 DstAddr=10.2.0.0 "
	"DstPrefixLength=16\n"
	"+ clfr 2 AddrType=ipv4 Protocol=17 DstL4PortMin=53 DstL4PortMax=53\n"
	"+ rule tunnel Filter=diffServMultiFieldClfrAddrType.1 "
	"Action=ipsaSaPreActActionDescription.\"p\",2\n"
	"+ rule dns Filter=diffServMultiFieldClfrAddrType.2 Action=spdAcceptActionLog.0\n"
	"+ rule lone Filter=spdTrueFilter.0 Action=spdAcceptAction.0\n"
	"+ contents g,1 ComponentName=tunnel\n"
	"+ contents g,2 ComponentName=dns\n"
	"+ endpoint 2,3 Name=g\n"
	"+ endpoint 1,7 Name=g";

static struct agent agent;
static struct watch *watch;

static void setup(void)
{
	fake_agent_init(&agent);
	ck_assert_int_eq(watch_new(&agent, agent.status, &watch), MIB_OK);
	rows_put(agent.store, rows);
	agent.policy = compile(agent.store);
	pol_status_set_generation(agent.status, agent.policy);
	pol_status_applied(agent.status, mib_store_generation(agent.store));
	agent.engine = AGENT_ENGINE_IN_FORCE;
	agent.now_s = 1000;
}

static void teardown(void)
{
	pol_status_set_generation(agent.status, NULL);
	fake_agent_fini(&agent);
	watch_free(watch);
}

/* ---- what was counted ---- */

static uint64_t id_of(const char *table, const char *index)
{
	const struct mib_row *r = row_of(agent.store, table, index);
	const struct pol_origin *o;
	size_t len;

	ck_assert_ptr_nonnull(r);
	const uint32_t *ids = mib_row_index(r, &len);

	o = pol_origin_of(agent.policy, mib_row_table(r), ids, len);
	ck_assert_ptr_nonnull(o);
	return o->id;
}

static void count(void)
{
	static const uint64_t no_drops[TOTALS_N_DROPS], no_icmp[IPSP_N_ICMP_COUNTS];
	const struct wire_entry_stats entries[] = {
		{ id_of("rule", "tunnel"), 3, IPSP_OUTBOUND, 5, 420 },
		{ 0, 3, IPSP_OUTBOUND, 2, 168 },
	};
	const struct wire_sa_stats sas[] = {
		{ .id = id_of("pre", "p,1"), .counter_id = 1, .spi = 300, .dir = IPSP_INBOUND,
		  .state = 2, .packets = 4, .bytes = 400, .seq = 4, .auth_errors = 1,
		  .replay_errors = 2, .other_errors = 3, .dummies = 6, .age_s = 50, .idle_s = 7 },
		{ .id = id_of("pre", "p,2"), .counter_id = 2, .spi = 400, .dir = IPSP_OUTBOUND,
		  .state = 2, .packets = 5, .bytes = 5000, .seq = 5, .age_s = 60, .idle_s = 9,
		  .path_mtu = 1300 },
	};
	const struct totals_report r = {
		.entries = entries, .n_entries = 2, .sas = sas, .n_sas = 2, .drops = no_drops, .icmp = no_icmp,
	};

	ck_assert(totals_take(agent.totals, &r, 990));
	ck_assert(totals_kernel(agent.totals, 3, IPSP_OUTBOUND, id_of("rule", "dns"), 3, 180, 995));
	ck_assert(totals_kernel(agent.totals, 7, IPSP_INBOUND, id_of("rule", "dns"), 1, 60, 999));
}

/* ---- a table as a manager reads it ---- */

static void add_line(char *text, const struct mib_column *col, const struct mib_oid *name,
		     const struct mib_value *v)
{
	const size_t prefix = col->table->entry_oid_len + 1;
	char index[256], value[512];
	size_t len = strlen(text);

	mib_index_print(col->table, name->ids + prefix, name->len - prefix, index, sizeof(index));
	mib_value_print(col, v, false, value, sizeof(value));
	ck_assert_uint_lt(snprintf(text + len, TEXT_MAX - len, "%s %s: %s\n", col->name, index,
				   value), TEXT_MAX - len);
}

/* One column (NULL: all), by GETNEXT; each instance by GET as well. */
static const char *read_table(const struct mib_table *t, const char *only)
{
	static char text[TEXT_MAX];
	struct mib_oid at = { .len = t->entry_oid_len };
	struct mib_oid end;

	memcpy(at.ids, t->entry_oid, at.len * sizeof(at.ids[0]));
	end = at;
	end.ids[end.len - 1]++;
	text[0] = '\0';
	for (;;) {
		const struct mib_column *col = NULL;
		const uint32_t *index;
		struct mib_value v;
		struct mib_oid name;
		char got[512], again[512];
		size_t len;

		if (mib_next(agent.store, at.ids, at.len, false, end.ids, end.len, &name, &v) !=
		    MIB_OK)
			return text;
		mib_table_by_oid(name.ids, name.len, &col, &index, &len);
		ck_assert_ptr_nonnull(col);
		ck_assert_ptr_eq(col->table, t);
		mib_value_print(col, &v, false, got, sizeof(got));
		if (!only || strcmp(col->name, only) == 0)
			add_line(text, col, &name, &v);
		ck_assert_int_eq(mib_get(agent.store, name.ids, name.len, &v), MIB_OK);
		mib_value_print(col, &v, false, again, sizeof(again));
		ck_assert_str_eq(got, again);
		at = name;
	}
}

#define TABLE(name) read_table(&mib_t_##name, NULL)
#define COLUMN(name, column) read_table(&mib_t_##name, #column)

static void has(const char *text, const char *line)
{
	ck_assert_msg(strstr(text, line) != NULL, "no '%s' in\n%s", line, text);
}

/* ---- SPD ---- */

START_TEST(test_entries_stand_in_order_and_the_end_behind_them)
{
	ck_assert_str_eq(COLUMN(ipspdSpdTable, ipspdSpdRuleName),
			 "ipspdSpdRuleName 3,outbound,1: spdRuleDefinitionTable.\"tunnel\"\n"
			 "ipspdSpdRuleName 3,outbound,2: spdRuleDefinitionTable.\"dns\"\n"
			 "ipspdSpdRuleName 3,outbound,3: \n"
			 "ipspdSpdRuleName 7,inbound,1: spdRuleDefinitionTable.\"tunnel\"\n"
			 "ipspdSpdRuleName 7,inbound,2: spdRuleDefinitionTable.\"dns\"\n"
			 "ipspdSpdRuleName 7,inbound,3: \n");
}
END_TEST

START_TEST(test_an_entry_says_all_that_it_is)
{
	const char *text;

	count();
	text = TABLE(ipspdSpdTable);
	has(text, "ipspdSpdPart 3,outbound,1: spdS\n");
	has(text, "ipspdSpdPart 3,outbound,2: spdO\n");
	has(text, "ipspdSpdPart 7,inbound,2: spdI\n");
	has(text, "ipspdSpdAction 3,outbound,1: protect\n");
	has(text, "ipspdSpdAction 3,outbound,2: bypass\n");
	has(text, "ipspdSpdAction 3,outbound,3: discard\n");
	has(text, "ipspdSpdRule 3,outbound,2: spdRuleDefDescription.\"dns\"\n");
	has(text, "ipspdSpdRule 3,outbound,3: 0.0\n");
	has(text, "ipspdSpdGroup 3,outbound,1: g\n");
	has(text, "ipspdSpdSelectors 3,outbound,1: 1\n");
	has(text, "ipspdSpdSelectors 3,outbound,3: 0\n");
	has(text, "ipspdSpdSelectorText 3,outbound,1: 10.1.0.0/16 -> 10.2.0.0/16\n");
	has(text, "ipspdSpdConditional 3,outbound,1: false\n");
	has(text, "ipspdSpdSteps 3,outbound,1: 0\n");
	has(text, "ipspdSpdLog 3,outbound,1: false\n");
	has(text, "ipspdSpdLog 3,outbound,2: true\n");
	has(text, "ipspdSpdSa 3,outbound,1: ipsaSaPreconfiguredActionTable.\"p\",outbound\n");
	/* An outbound SA is of no use inbound: such packets are dropped. */
	has(text, "ipspdSpdAction 7,inbound,1: discard\n");
}
END_TEST

START_TEST(test_entries_count_by_list_and_rules_in_all)
{
	const char *text;

	count();
	text = TABLE(ipspdSpdTable);
	has(text, "ipspdSpdPackets 3,outbound,1: 5\n");
	has(text, "ipspdSpdBytes 3,outbound,1: 420\n");
	has(text, "ipspdSpdKernelPackets 3,outbound,1: 0\n");
	has(text, "ipspdSpdIdle 3,outbound,1: 10\n");
	has(text, "ipspdSpdPackets 3,outbound,2: 3\n");
	has(text, "ipspdSpdKernelPackets 3,outbound,2: 3\n");
	has(text, "ipspdSpdPackets 3,outbound,3: 2\n");
	has(text, "ipspdSpdPackets 7,inbound,2: 1\n");
	has(text, "ipspdSpdPackets 7,inbound,1: 0\n");
	ck_assert_str_eq(COLUMN(ipspdSpdTable, ipspdSpdIdle),
			 "ipspdSpdIdle 3,outbound,1: 10\n"
			 "ipspdSpdIdle 3,outbound,2: 5\n"
			 "ipspdSpdIdle 3,outbound,3: 10\n"
			 "ipspdSpdIdle 7,inbound,2: 1\n");
	text = TABLE(ipspdRuleTable);
	has(text, "ipspdRulePackets \"dns\": 4\n");
	has(text, "ipspdRuleBytes \"dns\": 240\n");
	has(text, "ipspdRuleKernelPackets \"dns\": 4\n");
	has(text, "ipspdRuleIdle \"dns\": 1\n");
	has(text, "ipspdRulePackets \"tunnel\": 5\n");
	has(text, "ipspdRulePackets \"lone\": 0\n");
	ck_assert_ptr_null(strstr(text, "ipspdRuleIdle \"lone\""));
	has(text, "ipspdRuleInForce \"dns\": true\n");
}
END_TEST

START_TEST(test_selectors_have_rows_of_their_own)
{
	const char *text = TABLE(ipspdSpdSelTable);

	has(text, "ipspdSpdSelText 3,outbound,2,1: 0.0.0.0/0 -> 0.0.0.0/0 proto 17 dport 53\n");
	has(text, "ipspdSpdSelAddressType 3,outbound,1,1: ipv4\n");
	has(text, "ipspdSpdSelProtoFirst 3,outbound,2,1: 17\n");
	has(text, "ipspdSpdSelProtoLast 3,outbound,1,1: 255\n");
	has(text, "ipspdSpdSelSrcPortLast 3,outbound,2,1: 131072\n");
	has(text, "ipspdSpdSelDstPortFirst 7,inbound,2,1: 53\n");
	has(text, "ipspdSpdSelFlowLast 7,inbound,1,1: 1048575\n");
	/* The end of a list has none. */
	ck_assert_ptr_null(strstr(text, "outbound,3,"));
}
END_TEST

START_TEST(test_a_list_counts_what_meets_its_end)
{
	count();
	ck_assert_str_eq(TABLE(ipspdSpdListTable),
			 "ipspdSpdListGroup 3,outbound: g\n"
			 "ipspdSpdListGroup 7,inbound: g\n"
			 "ipspdSpdListEntries 3,outbound: 2\n"
			 "ipspdSpdListEntries 7,inbound: 2\n"
			 "ipspdSpdListEndPackets 3,outbound: 2\n"
			 "ipspdSpdListEndPackets 7,inbound: 0\n"
			 "ipspdSpdListEndBytes 3,outbound: 168\n"
			 "ipspdSpdListEndBytes 7,inbound: 0\n");
}
END_TEST

/* ---- indexes that no row has ---- */

START_TEST(test_any_index_leads_to_the_next_row)
{
	static const struct {
		uint32_t after[6];
		size_t n;
		uint32_t next[3];	/* {0}: none in the column */
	} cases[] = {
		{ { 0 }, 0, { 3, 2, 1 } },
		{ { 2, UINT32_MAX, 9 }, 3, { 3, 2, 1 } },
		{ { 3 }, 1, { 3, 2, 1 } },
		{ { 3, 2 }, 2, { 3, 2, 1 } },
		{ { 3, 2, 0 }, 3, { 3, 2, 1 } },
		{ { 3, 2, 1 }, 3, { 3, 2, 2 } },
		{ { 3, 2, 1, 0, 5 }, 5, { 3, 2, 2 } },
		{ { 3, 2, 3 }, 3, { 7, 1, 1 } },
		{ { 3, 2, UINT32_MAX }, 3, { 7, 1, 1 } },
		{ { 3, UINT32_MAX, UINT32_MAX }, 3, { 7, 1, 1 } },
		{ { 7, 1, 2 }, 3, { 7, 1, 3 } },
		{ { 7, 1, 3 }, 3, { 0 } },
		{ { UINT32_MAX, UINT32_MAX, UINT32_MAX }, 3, { 0 } },
	};
	const struct mib_table *t = &mib_t_ipspdSpdTable;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mib_oid after = { .len = cases[i].n }, got;
		bool more;

		memcpy(after.ids, cases[i].after, after.len * sizeof(after.ids[0]));
		more = mib_next_index(agent.store, t, &after, &got);
		ck_assert_msg(more == (cases[i].next[0] != 0), "case %zu", i);
		if (more)
			ck_assert_msg(mib_oid_cmp(got.ids, got.len, cases[i].next, 3) == 0,
				      "case %zu: %u.%u.%u", i, got.ids[0], got.ids[1],
				      got.ids[2]);
	}
}
END_TEST

START_TEST(test_an_SA_follows_any_index_before_it)
{
	/* "p".inbound.1 is 1.112.1.1 */
	static const struct {
		uint32_t after[5];
		size_t n;
		uint32_t next[4];
	} cases[] = {
		{ { 0 }, 0, { 1, 112, 1, 1 } },
		{ { 1, 112, 1 }, 3, { 1, 112, 1, 1 } },
		{ { 1, 112, 1, 0, 9 }, 5, { 1, 112, 1, 1 } },
		{ { 1, 112, 1, 1 }, 4, { 1, 112, 2, 1 } },
		{ { 1, 112, 1, 7 }, 4, { 1, 112, 2, 1 } },
		{ { 1, 112, 2, 1, 0 }, 5, { 1, 113, 2, 1 } },
		{ { 1, 113, 2, 1 }, 4, { 0 } },
		{ { UINT32_MAX }, 1, { 0 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mib_oid after = { .len = cases[i].n }, got;
		bool more;

		memcpy(after.ids, cases[i].after, after.len * sizeof(after.ids[0]));
		more = mib_next_index(agent.store, &mib_t_ipspdSaTable, &after, &got);
		ck_assert_msg(more == (cases[i].next[0] != 0), "case %zu", i);
		if (more)
			ck_assert_msg(mib_oid_cmp(got.ids, got.len, cases[i].next, 4) == 0,
				      "case %zu", i);
	}
}
END_TEST

START_TEST(test_rows_that_are_not_there_have_no_instance)
{
	static const uint32_t names[][5] = {
		{ 3, 2, 0 }, { 3, 2, 4 }, { 3, 1, 1 }, { 0, 2, 1 }, { 7, 3, 1 },
	};
	struct mib_value v;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_int_eq(mib_read(agent.store, MIB_COL(ipspdSpdTable, ipspdSpdPart),
					  names[i], 3, &v), MIB_NO_SUCH_INSTANCE);
	ck_assert_int_eq(mib_read(agent.store, MIB_COL(ipspdSpdTable, ipspdSpdPart), names[0], 2,
				  &v), MIB_NO_SUCH_INSTANCE);
	ck_assert_int_eq(mib_read(agent.store, MIB_COL(ipspdSaTable, ipspdSaState),
				  (const uint32_t[]){ 1, 112, 1, 2 }, 4, &v),
			 MIB_NO_SUCH_INSTANCE);
}
END_TEST

/* ---- SAs ---- */

START_TEST(test_an_SA_is_named_by_its_action_and_says_what_it_carried)
{
	const char *text;

	count();
	text = TABLE(ipspdSaTable);
	has(text, "ipspdSaState \"p\",inbound,1: mature\n");
	has(text, "ipspdSaReason \"p\",inbound,1: \n");
	has(text, "ipspdSaProtocol \"p\",inbound,1: esp\n");
	has(text, "ipspdSaMode \"p\",inbound,1: tunnel\n");
	has(text, "ipspdSaSpi \"p\",inbound,1: 300\n");
	has(text, "ipspdSaRemoteType \"p\",inbound,1: ipv4\n");
	has(text, "ipspdSaLocalType \"p\",inbound,1: unknown\n");
	has(text, "ipspdSaCipher \"p\",inbound,1: aes-cbc\n");
	has(text, "ipspdSaCipherBits \"p\",inbound,1: 256\n");
	has(text, "ipspdSaIntegrity \"p\",inbound,1: hmac-sha2-256-128\n");
	has(text, "ipspdSaSequence \"p\",inbound,1: 4\n");
	has(text, "ipspdSaAge \"p\",inbound,1: 50\n");
	has(text, "ipspdSaUsedKbytes \"p\",outbound,1: 4\n");
	has(text, "ipspdSaPackets \"p\",inbound,1: 4\n");
	has(text, "ipspdSaBytes \"p\",inbound,1: 400\n");
	has(text, "ipspdSaIcvErrors \"p\",inbound,1: 1\n");
	has(text, "ipspdSaReplays \"p\",inbound,1: 2\n");
	has(text, "ipspdSaOtherErrors \"p\",inbound,1: 3\n");
	has(text, "ipspdSaIdle \"p\",inbound,1: 17\n");
	has(text, "ipspdSaPathMtu \"p\",inbound,1: 0\n");
	has(text, "ipspdSaPathMtu \"p\",outbound,1: 1300\n");
	has(text, "ipspdSaDummies \"p\",inbound,1: 6\n");
}
END_TEST

START_TEST(test_an_SA_that_cannot_be_used_says_why)
{
	const char *text;

	text = TABLE(ipspdSaTable);
	has(text, "ipspdSaState \"p\",outbound,1: down\n");
	has(text, "ipspdSaReason \"p\",outbound,1: waits to come into force\n");
	has(text, "ipspdSaReason \"q\",outbound,1: is not in service\n");
	ck_assert_ptr_null(strstr(text, "ipspdSaSpi \"q\""));
	ck_assert_ptr_null(strstr(text, "ipspdSaAge"));
	ck_assert_ptr_null(strstr(text, "ipspdSaPathMtu"));
	count();
	ck_assert_int_eq(pol_status_refused(agent.status, id_of("pre", "p,2"), "has no luck"),
			 MIB_OK);
	text = TABLE(ipspdSaTable);
	has(text, "ipspdSaState \"p\",outbound,1: down\n");
	has(text, "ipspdSaReason \"p\",outbound,1: has no luck\n");
	has(text, "ipspdSaPackets \"p\",outbound,1: 5\n");
	agent.engine = AGENT_ENGINE_DOWN;
	text = COLUMN(ipspdSaTable, ipspdSaReason);
	has(text, "ipspdSaReason \"p\",inbound,1: waits for the engine");
}
END_TEST

/* ---- SAs of key managers ---- */

static void take_negotiated(uint64_t id, enum ipsp_dir dir, const char *name)
{
	struct wire_sad_sa sa = {
		.stats = { .id = id, .counter_id = id, .spi = 0x2000, .dir = (uint8_t)dir,
			   .state = 2, .packets = 8, .bytes = 4096, .seq = 8, .age_s = 70,
			   .idle_s = 3 },
		.origin = IPSP_ORIGIN_PFKEY, .proto = IPSP_PROTO_ESP,
		.mode = IPSP_MODE_TRANSPORT, .reqid = 42, .encr = IPSP_ENCR_AES_GCM_16,
		.encr_key_bits = 128, .local = { 4, { 192, 0, 2, 1 } },
		.remote = { 4, { 192, 0, 2, 2 } }, .life_s = 3600, .life_packets = 5000,
		.soft_s = 3000, .soft_bytes = 2048,
	};

	ipsp_selector_any(4, &sa.sel);
	sa.sel.proto_lo = sa.sel.proto_hi = 6;
	ck_assert(sad_picture_take(agent.sad, &sa, name, 990));
}

START_TEST(test_SAs_of_key_managers_stand_among_those_of_rows)
{
	const struct wire_sad_sa clear = {
		.stats = { .id = 3, .counter_id = 3, .dir = IPSP_OUTBOUND, .state = 2,
			   .idle_s = REPORT_NEVER_USED },
		.origin = IPSP_ORIGIN_CLEAR, .reqid = 42, .remote = { 4, { 192, 0, 2, 9 } },
	};
	const struct wire_sad_sa larval = {
		.stats = { .id = 4, .counter_id = 4, .spi = 0x2001, .dir = IPSP_INBOUND, .state = 1,
			   .idle_s = REPORT_NEVER_USED },
		.origin = IPSP_ORIGIN_PFKEY, .proto = IPSP_PROTO_AH, .mode = IPSP_MODE_ANY,
	};
	const char *text;

	count();
	take_negotiated(1, IPSP_INBOUND, "p");
	take_negotiated(2, IPSP_OUTBOUND, "o");
	ck_assert(sad_picture_take(agent.sad, &clear, "PF_KEY", 990));
	ck_assert(sad_picture_take(agent.sad, &larval, "PF_KEY", 990));
	ck_assert_str_eq(COLUMN(ipspdSaTable, ipspdSaOrigin),
			 "ipspdSaOrigin \"o\",outbound,1002: keyManager\n"
			 "ipspdSaOrigin \"p\",inbound,1: row\n"
			 "ipspdSaOrigin \"p\",inbound,1001: keyManager\n"
			 "ipspdSaOrigin \"p\",outbound,1: row\n"
			 "ipspdSaOrigin \"PF_KEY\",inbound,1004: keyManager\n"
			 "ipspdSaOrigin \"PF_KEY\",outbound,1003: clear\n");
	text = TABLE(ipspdSaTable);
	has(text, "ipspdSaState \"p\",inbound,1001: mature\n");
	has(text, "ipspdSaMode \"p\",inbound,1001: transport\n");
	has(text, "ipspdSaSpi \"p\",inbound,1001: 8192\n");
	has(text, "ipspdSaCipher \"p\",inbound,1001: aes-gcm-16\n");
	has(text, "ipspdSaReqid \"p\",inbound,1001: 42\n");
	has(text, "ipspdSaSelector \"p\",inbound,1001: 0.0.0.0/0 -> 0.0.0.0/0 proto 6\n");
	has(text, "ipspdSaLifeSeconds \"p\",inbound,1001: 3600\n");
	has(text, "ipspdSaLifePackets \"p\",inbound,1001: 5000\n");
	has(text, "ipspdSaSoftSeconds \"p\",inbound,1001: 3000\n");
	has(text, "ipspdSaSoftKbytes \"p\",inbound,1001: 2\n");
	has(text, "ipspdSaPackets \"p\",inbound,1001: 8\n");
	has(text, "ipspdSaUsedKbytes \"p\",inbound,1001: 4\n");
	has(text, "ipspdSaIdle \"p\",inbound,1001: 13\n");
	/* Of what is not there yet, or never will be, nothing is said. */
	has(text, "ipspdSaState \"PF_KEY\",inbound,1004: larval\n");
	has(text, "ipspdSaProtocol \"PF_KEY\",inbound,1004: ah\n");
	ck_assert_ptr_null(strstr(text, "ipspdSaMode \"PF_KEY\""));
	ck_assert_ptr_null(strstr(text, "ipspdSaCipher \"PF_KEY\""));
	ck_assert_ptr_null(strstr(text, "ipspdSaSpi \"PF_KEY\",outbound"));
	ck_assert_ptr_null(strstr(text, "ipspdSaIdle \"PF_KEY\""));
}
END_TEST

/* ---- peers ---- */

START_TEST(test_a_peer_is_the_sum_of_its_SAs)
{
	const char *text;

	count();
	text = TABLE(ipspdPeerTable);
	has(text, "ipspdPeerState \"gw\",0: up\n");
	has(text, "ipspdPeerReason \"gw\",0: \n");
	has(text, "ipspdPeerInSas \"gw\",0: 1\n");
	has(text, "ipspdPeerOutSas \"gw\",0: 1\n");
	has(text, "ipspdPeerInPackets \"gw\",0: 4\n");
	has(text, "ipspdPeerInBytes \"gw\",0: 400\n");
	has(text, "ipspdPeerOutPackets \"gw\",0: 5\n");
	has(text, "ipspdPeerOutBytes \"gw\",0: 5000\n");
	has(text, "ipspdPeerIdle \"gw\",0: 17\n");
	has(text, "ipspdPeerState \"gw\",5: down\n");
	has(text, "ipspdPeerReason \"gw\",5: is not used: another row of its list comes first\n");
	has(text, "ipspdPeerState \"lone\",0: down\n");
	has(text, "ipspdPeerReason \"lone\",0: no action names it\n");
}
END_TEST

START_TEST(test_a_peer_is_partly_up_for_the_SA_that_is_not)
{
	const char *text;

	count();
	ck_assert_int_eq(pol_status_refused(agent.status, id_of("pre", "p,2"), "has no luck"),
			 MIB_OK);
	text = TABLE(ipspdPeerTable);
	has(text, "ipspdPeerState \"gw\",0: partly\n");
	has(text, "ipspdPeerReason \"gw\",0: action \"p\" out: has no luck\n");
	has(text, "ipspdPeerOutSas \"gw\",0: 0\n");
	agent.engine = AGENT_ENGINE_DOWN;
	agent.now_s++;
	text = TABLE(ipspdPeerTable);
	has(text, "ipspdPeerState \"gw\",0: down\n");
	has(text, "ipspdPeerInPackets \"gw\",0: 4\n");
}
END_TEST

/* ---- life ---- */

START_TEST(test_no_policy_has_no_rows)
{
	struct pol_generation *g = agent.policy;

	agent.policy = NULL;
	pol_status_set_generation(agent.status, NULL);
	ck_assert_str_eq(TABLE(ipspdSpdTable), "");
	ck_assert_str_eq(TABLE(ipspdSpdSelTable), "");
	ck_assert_str_eq(TABLE(ipspdSpdListTable), "");
	ck_assert_str_eq(TABLE(ipspdIkeSaTable), "");
	has(TABLE(ipspdSaTable), "ipspdSaState \"p\",inbound,1: down\n");
	agent.policy = g;
}
END_TEST

START_TEST(test_what_a_rule_counted_ends_with_its_row_alone)
{
	count();
	rows_put(agent.store, "= rule dns RowStatus=active AdminStatus=disabled");
	has(TABLE(ipspdRuleTable), "ipspdRulePackets \"dns\": 4\n");
	rows_put(agent.store, "- contents g,2\n- rule dns");
	rows_put(agent.store, "+ rule dns Filter=spdTrueFilter.0 Action=spdAcceptAction.0");
	has(TABLE(ipspdRuleTable), "ipspdRulePackets \"dns\": 0\n");
	has(TABLE(ipspdRuleTable), "ipspdRulePackets \"tunnel\": 5\n");
}
END_TEST

START_TEST(test_reads_say_that_counters_are_wanted)
{
	(void)COLUMN(ipspdSpdListTable, ipspdSpdListEndPackets);
	ck_assert_uint_gt(agent.wanted, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/watch");
	TCase *c = tcase_create("watch");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, test_entries_stand_in_order_and_the_end_behind_them);
	tcase_add_test(c, test_an_entry_says_all_that_it_is);
	tcase_add_test(c, test_entries_count_by_list_and_rules_in_all);
	tcase_add_test(c, test_selectors_have_rows_of_their_own);
	tcase_add_test(c, test_a_list_counts_what_meets_its_end);
	tcase_add_test(c, test_any_index_leads_to_the_next_row);
	tcase_add_test(c, test_an_SA_follows_any_index_before_it);
	tcase_add_test(c, test_rows_that_are_not_there_have_no_instance);
	tcase_add_test(c, test_an_SA_is_named_by_its_action_and_says_what_it_carried);
	tcase_add_test(c, test_an_SA_that_cannot_be_used_says_why);
	tcase_add_test(c, test_SAs_of_key_managers_stand_among_those_of_rows);
	tcase_add_test(c, test_a_peer_is_the_sum_of_its_SAs);
	tcase_add_test(c, test_a_peer_is_partly_up_for_the_SA_that_is_not);
	tcase_add_test(c, test_no_policy_has_no_rows);
	tcase_add_test(c, test_what_a_rule_counted_ends_with_its_row_alone);
	tcase_add_test(c, test_reads_say_that_counters_are_wanted);
	suite_add_tcase(s, c);

	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
