/* Tests of ipspd/wire.c and ipspd/wire_read.c: what is sent comes out the same, and nothing else does. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chan/chan.h"
#include "ipspd/messages.h"
#include "ipspd/wire.h"
#include "samples.h"

#define RECORDS_MAX 64

struct record {
	uint16_t type;
	size_t len;
	uint8_t data[CHAN_PAYLOAD_MAX];
};

static struct record *records;
static size_t n_records;

static int keep(void *arg, uint16_t type, const uint8_t *data, size_t len)
{
	(void)arg;
	if (n_records == RECORDS_MAX)
		return -ENOSPC;
	records[n_records].type = type;
	records[n_records].len = len;
	memcpy(records[n_records++].data, data, len);
	return 0;
}

static struct ipsp_selector boxes[4];
static const uint8_t pred_octets[] = { 0, 1, 2, 3 };
static const uint64_t pred_ids[] = { 7, 99 };
/* octets at 20 or, not in the selector, under one of two SAs */
static const struct ipsp_pred_node pred_nodes[] = {
	{ .op = IPSP_PRED_OCTETS, .arg = IPSP_CMP_LESS, .offset = 20, .count = 4 },
	{ .op = IPSP_PRED_SELECTORS, .count = 1 },
	{ .op = IPSP_PRED_NOT },
	{ .op = IPSP_PRED_SA, .count = 2 },
	{ .op = IPSP_PRED_AND },
	{ .op = IPSP_PRED_OR },
};
static const struct ipsp_predicate predicate = {
	.n_nodes = 6, .n_octets = 4, .n_ids = 2, .n_selectors = 1, .nodes = pred_nodes,
	.octets = pred_octets, .ids = pred_ids, .selectors = &boxes[3],
};
static struct ipsp_spd_entry entries[3];
static const struct ipsp_template templates[] = {
	{ .proto = IPSP_PROTO_ESP, .mode = IPSP_MODE_TUNNEL, .level = IPSP_LEVEL_UNIQUE,
	  .pfp = IPSP_PFP_ALL, .reqid = 0x01020304, .local = { 6, { 0x20, 1 } },
	  .remote = { 6, { 0x20, 2 } } },
	{ .proto = IPSP_PROTO_AH, .mode = IPSP_MODE_TRANSPORT, .level = IPSP_LEVEL_USE, .anyone = true },
};
/* Until success: the SA, then all of two accepts that are logged. */
static const struct ipsp_step program[] = {
	{ .kind = IPSP_STEP_UNTIL_SUCCESS, .end = 5, .action_id = 70 },
	{ .kind = IPSP_STEP_PROTECT, .log = true, .may_decide = true, .action_id = 71, .sa_id = 99 },
	{ .kind = IPSP_STEP_ALL, .end = 5, .action_id = 72 },
	{ .kind = IPSP_STEP_BYPASS, .log = true, .action_id = 73 },
	{ .kind = IPSP_STEP_FAIL, .action_id = 74 },
};
#define PROGRAM_STEPS (sizeof(program) / sizeof(program[0]))
static struct ipsp_spd_list lists[2];
static struct ipsp_sa_config sas[2];

/* Two lists with three entries and two SAs: one of each kind of everything. */
static void setup(void)
{
	records = (struct record *)calloc(RECORDS_MAX, sizeof(*records));
	n_records = 0;
	boxes[0] = sample_box("10.1.0.0", "10.1.255.255", "10.2.0.0", "10.2.255.255");
	boxes[0].proto_lo = boxes[0].proto_hi = 6;
	boxes[0].dport_lo = boxes[0].dport_hi = 80;
	boxes[0].dscp_lo = 8;
	boxes[0].dscp_hi = 9;
	boxes[1] = sample_box("fd00::", "fd00::ff", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	boxes[1].flow_lo = 5;
	boxes[1].flow_hi = 70000;
	ipsp_selector_any(4, &boxes[2]);
	boxes[3] = sample_box("fd00::1", "fd00::2", "::", "::1");
	entries[0] = (struct ipsp_spd_entry){ .id = 0x1122334455667788, .action = IPSP_PROTECT,
					      .log = true, .action_id = 70, .n_steps = PROGRAM_STEPS,
					      .steps = program, .n_templates = 2,
					      .templates = templates, .clear_s = 1u << 30,
					      .accept_clear = true, .n_selectors = 2,
					      .selectors = &boxes[0] };
	entries[1] = (struct ipsp_spd_entry){ .id = 2, .action = IPSP_PROTECT, .log = true,
					      .action_id = 75, .sa_id = 99, .n_selectors = 1,
					      .no_frag_state = true,
					      .selectors = &boxes[2], .from_s = 6,
					      .until_s = UINT64_C(1) << 32 | 7,
					      .predicate = &predicate };
	entries[2] = (struct ipsp_spd_entry){ .id = 3, .action = IPSP_DISCARD };
	lists[0] = (struct ipsp_spd_list){ .ifindex = 7, .dir = IPSP_OUTBOUND, .n_entries = 2,
					   .entries = &entries[0] };
	lists[1] = (struct ipsp_spd_list){ .ifindex = 0, .dir = IPSP_INBOUND, .n_entries = 1,
					   .entries = &entries[2] };
	sas[0] = (struct ipsp_sa_config){
		.id = 99, .counter_id = 1234, .dir = IPSP_OUTBOUND, .proto = IPSP_PROTO_ESP,
		.mode = IPSP_MODE_TUNNEL, .df = IPSP_DF_CLEAR, .ecn = IPSP_ECN_COMPATIBILITY,
		.dscp_set = true, .dscp = 46, .outer_ttl = 33, .tfc_pad = 1400,
		.tfc_random = 200, .dummy_s = 30, .dummy_len = 15, .flow_label = IPSP_FLOW_COPY,
		.pad_unchecked = true, .seq_rollover = true,
		.frag_before = true, .esn = true, .replay = false,
		.spi = 0xdeadbeef, .seq_floor = UINT64_C(1) << 40, .life_s = 3600,
		.life_bytes = UINT64_MAX, .life_use_s = 1, .life_packets = 2, .soft_s = 3,
		.soft_use_s = 4, .soft_bytes = 5, .soft_packets = 6, .idle_s = 7,
		.packet_log = 65536, .next_id = UINT64_C(7) << 33, .bundle_id = UINT64_C(9) << 33,
		.encr = IPSP_ENCR_AES_CBC, .encr_key_bits = 256,
		.integ = IPSP_INTEG_HMAC_SHA2_256_128,
		.encr_key = { .len = 32, .octets = { 1, 2, 3 } },
		.integ_key = { .len = IPSP_KEY_MAX, .octets = { 4, 5, 6 } },
	};
	sas[0].encap = (struct ipsp_encap) {
		.type = IPSP_ENCAP_UDP, .sport = 4500, .dport = 4501, .keepalive_s = 20,
		.follow_id = UINT64_C(3) << 40, .orig_src = sample_addr("10.0.0.1"),
		.orig_dst = sample_addr("2001:db8::7"),
	};
	sas[0].local = sample_addr("2001:db8::1");
	sas[0].remote = sample_addr("2001:db8::2");
	sas[1] = (struct ipsp_sa_config){
		.id = 100, .counter_id = 5, .dir = IPSP_INBOUND, .proto = IPSP_PROTO_ESP,
		.mode = IPSP_MODE_TRANSPORT, .spi = 256, .replay = true,
		.replay_window_pkts = 64, .encr = IPSP_ENCR_NULL,
	};
	ck_assert_int_eq(wire_put_generation(41, lists, 2, sas, 2, keep, NULL), 0);
}

static void teardown(void)
{
	free(records);
}

/* Feeds all that was kept. @return what the first refusal, or the end, said */
static int feed(struct wire_gen **out)
{
	struct wire_builder *b = wire_builder_new(41);

	ck_assert_uint_eq(records[0].type, MSG_GEN_BEGIN);
	for (size_t i = 1; i < n_records; i++) {
		if (records[i].type == MSG_GEN_COMMIT)
			return wire_builder_finish(b, records[i].data, records[i].len, out);
		int rc = wire_builder_add(b, records[i].type, records[i].data, records[i].len);
		if (rc < 0) {
			ck_assert_uint_gt(strlen(wire_builder_why(b)), 0);
			wire_builder_free(b);
			return rc;
		}
	}
	wire_builder_free(b);
	return -ENOMSG;
}

static struct record *find(uint16_t type, size_t nth)
{
	for (size_t i = 0; i < n_records; i++) {
		if (records[i].type == type && nth-- == 0)
			return &records[i];
	}
	ck_abort_msg("no such record");
	return NULL;
}

static void same_predicate(const struct ipsp_predicate *a, const struct ipsp_predicate *b)
{
	ck_assert_uint_eq(a->n_nodes, b->n_nodes);
	ck_assert_uint_eq(a->n_octets, b->n_octets);
	ck_assert_uint_eq(a->n_ids, b->n_ids);
	ck_assert_uint_eq(a->n_selectors, b->n_selectors);
	ck_assert_mem_eq(a->nodes, b->nodes, a->n_nodes * sizeof(*a->nodes));
	ck_assert_mem_eq(a->octets, b->octets, a->n_octets);
	ck_assert_mem_eq(a->ids, b->ids, a->n_ids * sizeof(*a->ids));
	ck_assert_mem_eq(a->selectors, b->selectors, a->n_selectors * sizeof(*a->selectors));
}

START_TEST(test_a_generation_arrives_as_it_was)
{
	struct wire_gen *g = NULL;

	ck_assert_int_eq(feed(&g), 0);
	ck_assert_uint_eq(g->number, 41);
	ck_assert_uint_eq(g->n_lists, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(g->lists[i].ifindex, lists[i].ifindex);
		ck_assert_uint_eq(g->lists[i].dir, lists[i].dir);
		ck_assert_uint_eq(g->lists[i].n_entries, lists[i].n_entries);
		for (uint32_t j = 0; j < lists[i].n_entries; j++) {
			const struct ipsp_spd_entry *a = &lists[i].entries[j];
			const struct ipsp_spd_entry *b = &g->lists[i].entries[j];

			ck_assert_uint_eq(a->id, b->id);
			ck_assert_uint_eq(a->action, b->action);
			ck_assert_uint_eq(a->log, b->log);
			ck_assert_uint_eq(a->sa_id, b->sa_id);
			ck_assert_uint_eq(a->action_id, b->action_id);
			ck_assert_uint_eq(a->n_steps, b->n_steps);
			if (a->n_steps)
				ck_assert_mem_eq(a->steps, b->steps, a->n_steps * sizeof(*a->steps));
			ck_assert_uint_eq(a->clear_s, b->clear_s);
			ck_assert_uint_eq(a->accept_clear, b->accept_clear);
			ck_assert_uint_eq(a->no_frag_state, b->no_frag_state);
			ck_assert_uint_eq(a->n_templates, b->n_templates);
			if (a->n_templates)
				ck_assert_mem_eq(a->templates, b->templates,
						 a->n_templates * sizeof(*a->templates));
			ck_assert_uint_eq(a->from_s, b->from_s);
			ck_assert_uint_eq(a->until_s, b->until_s);
			ck_assert_uint_eq(a->n_selectors, b->n_selectors);
			ck_assert(!a->predicate == !b->predicate);
			if (a->predicate)
				same_predicate(a->predicate, b->predicate);
			if (a->n_selectors)
				ck_assert_mem_eq(a->selectors, b->selectors,
						 a->n_selectors * sizeof(*a->selectors));
		}
	}
	ck_assert_uint_eq(g->n_sas, 2);
	ck_assert_mem_eq(g->sas, sas, sizeof(sas));
	wire_gen_free(g);
}
END_TEST

START_TEST(test_selectors_beyond_one_message_arrive_whole)
{
	enum { MANY = 5000 };
	struct ipsp_selector *many = (struct ipsp_selector *)calloc(MANY, sizeof(*many));
	struct wire_gen *g = NULL;

	for (uint32_t i = 0; i < MANY; i++) {
		ipsp_selector_any(6, &many[i]);
		many[i].src_lo.octets[14] = (uint8_t)(i >> 8);
		many[i].src_lo.octets[15] = (uint8_t)i;
	}
	entries[1].selectors = many;
	entries[1].n_selectors = MANY;
	n_records = 0;
	ck_assert_int_eq(wire_put_generation(41, lists, 2, sas, 2, keep, NULL), 0);
	ck_assert_int_eq(feed(&g), 0);
	ck_assert_mem_eq(g->lists[0].entries[1].selectors, many, MANY * sizeof(*many));
	wire_gen_free(g);
	free(many);
}
END_TEST

START_TEST(test_every_message_cut_short_or_longer_is_refused)
{
	struct wire_gen *g = NULL;

	for (size_t i = 1; i < n_records; i++) {
		size_t len = records[i].len;

		for (size_t cut = 0; cut < len; cut++) {
			records[i].len = cut;
			ck_assert_msg(feed(&g) < 0, "record %zu cut to %zu", i, cut);
		}
		records[i].data[len] = 0;
		records[i].len = len + 1;
		ck_assert_msg(feed(&g) < 0, "record %zu with an octet more", i);
		records[i].len = len;
	}
	ck_assert_int_eq(feed(&g), 0);
	wire_gen_free(g);
}
END_TEST

START_TEST(test_every_message_left_out_is_noticed)
{
	struct record saved;
	struct wire_gen *g = NULL;

	for (size_t i = 1; i + 1 < n_records; i++) {
		saved = records[i];
		records[i].type = MSG_GEN_SA + 1000;
		ck_assert_int_lt(feed(&g), 0);
		memmove(&records[i], &records[i + 1], (n_records - i - 1) * sizeof(saved));
		n_records--;
		ck_assert_msg(feed(&g) < 0, "without record %zu", i);
		memmove(&records[i + 1], &records[i], (n_records - i) * sizeof(saved));
		records[i] = saved;
		n_records++;
	}
}
END_TEST

/* One octet of one message set to something that no sender of ours would send. */
static const struct {
	const char *name;
	uint16_t type;
	size_t nth, at;
	uint8_t value;
} spoilt[] = {
	{ "list of direction 0", MSG_GEN_LIST, 0, 4, 0 },
	{ "list of direction 3", MSG_GEN_LIST, 0, 4, 3 },
	{ "entry with action 3", MSG_GEN_ENTRY, 1, 8, 3 },
	{ "entry with flag 16", MSG_GEN_ENTRY, 1, 9, 31 },
	{ "entry without the action that follows", MSG_GEN_ENTRY, 1, 9, 1 },
	{ "bypass that names an SA", MSG_GEN_ENTRY, 2, 17, 99 },
	{ "protect with an SA that is not there", MSG_GEN_ENTRY, 1, 17, 98 },
	{ "program of an entry with an SA", MSG_GEN_ENTRY, 0, 17, 99 },
	{ "program that begins with an action", MSG_GEN_ACTION, 0, 10, IPSP_STEP_BYPASS },
	{ "program whose part ends behind it", MSG_GEN_ACTION, 0, 53, 6 },
	{ "program with an SA that is not there", MSG_GEN_ACTION, 0, 49, 98 },
	{ "step with flag 8", MSG_GEN_ACTION, 0, 31, 15 },
	{ "negotiated step with an SA", MSG_GEN_ACTION, 0, 31, 7 },
	{ "five templates", MSG_GEN_ACTION, 0, 114, 5 },
	{ "one template less than there is", MSG_GEN_ACTION, 0, 114, 1 },
	{ "template of no protocol", MSG_GEN_ACTION, 0, 115, 17 },
	{ "template of any mode", MSG_GEN_ACTION, 0, 116, 3 },
	{ "template of no level", MSG_GEN_ACTION, 0, 117, 3 },
	{ "template with an unknown selector", MSG_GEN_ACTION, 0, 118, 32 },
	{ "template between two families", MSG_GEN_ACTION, 0, 123, 4 },
	{ "program with fewer steps than it says", MSG_GEN_ACTION, 0, 9, 6 },
	{ "program with more steps than there may be", MSG_GEN_ACTION, 0, 8, 0xff },
	{ "more selectors than come", MSG_GEN_ENTRY, 0, 37, 3 },
	{ "fewer selectors than come", MSG_GEN_ENTRY, 0, 37, 1 },
	{ "selectors beyond all bounds", MSG_GEN_ENTRY, 0, 34, 0xff },
	{ "entry over before it begins", MSG_GEN_ENTRY, 1, 33, 6 },
	{ "parts of no predicate", MSG_GEN_ENTRY, 0, 45, 1 },
	{ "more nodes than come", MSG_GEN_ENTRY, 1, 41, 7 },
	{ "more octets than come", MSG_GEN_ENTRY, 1, 45, 5 },
	{ "more ids than come", MSG_GEN_ENTRY, 1, 49, 3 },
	{ "more selectors of a predicate than come", MSG_GEN_ENTRY, 1, 53, 2 },
	{ "nodes beyond all bounds", MSG_GEN_ENTRY, 1, 38, 0xff },
	{ "no such array of a predicate", MSG_GEN_PREDICATE, 0, 0, 9 },
	{ "array of a predicate twice", MSG_GEN_PREDICATE, 1, 0, 1 },
	{ "no such node", MSG_GEN_PREDICATE, 0, 5, 9 },
	{ "comparison of no kind", MSG_GEN_PREDICATE, 0, 6, 7 },
	{ "octets outside their pool", MSG_GEN_PREDICATE, 0, 18, 5 },
	{ "SAs of a predicate in falling order", MSG_GEN_PREDICATE, 2, 12, 99 },
	{ "no selectors in a message of them", MSG_GEN_SELECTORS, 0, 1, 0 },
	{ "selector of family 5", MSG_GEN_SELECTORS, 0, 2, 5 },
	{ "selector of family 0", MSG_GEN_SELECTORS, 0, 2, 0 },
	{ "selector with its protocols turned round", MSG_GEN_SELECTORS, 0, 4, 1 },
	{ "selector with DSCP 64", MSG_GEN_SELECTORS, 0, 6, 64 },
	{ "SA with SPI 0", MSG_GEN_SA, 1, 30, 0 },
	{ "SA of direction 0", MSG_GEN_SA, 0, 16, 0 },
	{ "SA of no protocol of ours", MSG_GEN_SA, 0, 17, 6 },
	{ "SA of mode 3", MSG_GEN_SA, 0, 18, 3 },
	{ "SA with DF 4", MSG_GEN_SA, 0, 19, 4 },
	{ "SA with ECN 3", MSG_GEN_SA, 0, 20, 3 },
	{ "SA with a DSCP of 64", MSG_GEN_SA, 0, 22, 64 },
	{ "SA with too much padding", MSG_GEN_SA, 0, 24, 0x80 },
	{ "SA with a boolean of 2", MSG_GEN_SA, 0, 26, 2 },
	{ "SA with a window of 65", MSG_GEN_SA, 1, 35, 65 },
	{ "SA with ends of two families", MSG_GEN_SA, 0, 132, 4 },
	{ "a key longer than any", MSG_GEN_SA, 0, 175, IPSP_KEY_MAX + 1 },
	{ "two SAs of one id", MSG_GEN_SA, 1, 7, 99 },
	{ "commit of another generation", MSG_GEN_COMMIT, 0, 7, 42 },
	{ "commit with another number of lists", MSG_GEN_COMMIT, 0, 11, 3 },
	{ "commit with another number of entries", MSG_GEN_COMMIT, 0, 15, 2 },
	{ "commit with another number of SAs", MSG_GEN_COMMIT, 0, 19, 1 },
};

START_TEST(test_what_no_sender_of_ours_sends_is_refused)
{
	struct record *r = find(spoilt[_i].type, spoilt[_i].nth);
	struct wire_gen *g = NULL;

	ck_assert_uint_lt(spoilt[_i].at, r->len);
	ck_assert_msg(r->data[spoilt[_i].at] != spoilt[_i].value, "%s: spoils nothing",
		      spoilt[_i].name);
	r->data[spoilt[_i].at] = spoilt[_i].value;
	/* SPI 256 is in two octets. */
	if (strcmp(spoilt[_i].name, "SA with SPI 0") == 0)
		r->data[31] = 0;
	if (strcmp(spoilt[_i].name, "entry over before it begins") == 0)
		r->data[29] = 0;
	ck_assert_msg(feed(&g) < 0, "%s", spoilt[_i].name);
}
END_TEST

START_TEST(test_second_list_of_one_place_is_refused)
{
	struct wire_builder *b = wire_builder_new(1);
	struct record *r = find(MSG_GEN_LIST, 0);

	ck_assert_int_eq(wire_builder_add(b, r->type, r->data, r->len), 0);
	ck_assert_int_eq(wire_builder_add(b, r->type, r->data, r->len), -EINVAL);
	wire_builder_free(b);
}
END_TEST

/* ---- what changes ---- */

static struct ipsp_selector unasked_boxes[2];
static const struct ipsp_unasked unasked[] = {
	{ .reqid = 0x80000001, .n = 2, .n_selectors = 2, .selectors = unasked_boxes },
	{ .sa_id = 100, .again = true },
};

/* One of each kind of everything, after GEN_FOLLOW. */
static void put_change(void)
{
	struct wire_change c;

	for (int i = 0; i < 2; i++)
		ipsp_selector_any(i ? 6 : 4, &unasked_boxes[i]);
	n_records = 0;
	wire_change_begin(&c, 41, 40, keep, NULL);
	wire_change_sa(&c, &sas[0]);
	wire_change_sa_gone(&c, 100);
	wire_change_unasked(&c, &unasked[0]);
	wire_change_unasked(&c, &unasked[1]);
	wire_change_list(&c, 7, IPSP_OUTBOUND);
	wire_change_entry(&c, &entries[0]);
	wire_change_entry(&c, &entries[1]);
	wire_change_list_gone(&c, 3, IPSP_INBOUND);
	wire_change_edit(&c, 0, IPSP_INBOUND);
	wire_change_run(&c, 5, 1);
	wire_change_entry(&c, &entries[2]);
	wire_change_run(&c, 9, 1);
	wire_change_edit(&c, 0, IPSP_OUTBOUND);
	wire_change_run(&c, 0, 0);
	wire_change_entry(&c, &entries[0]);
	ck_assert_int_eq(wire_change_commit(&c, 41), 0);
}

/* Feeds it, from the record behind GEN_FOLLOW on. */
static int feed_change(struct wire_gen **out)
{
	struct wire_builder *b = wire_builder_new(41);

	wire_builder_follow(b);
	for (size_t i = 1; i < n_records; i++) {
		if (records[i].type == MSG_GEN_COMMIT)
			return wire_builder_finish(b, records[i].data, records[i].len, out);
		int rc = wire_builder_add(b, records[i].type, records[i].data, records[i].len);
		if (rc < 0) {
			wire_builder_free(b);
			return rc;
		}
	}
	wire_builder_free(b);
	return -ENODATA;
}

START_TEST(test_a_change_is_read_as_it_was_written)
{
	struct wire_gen *g = NULL;

	put_change();
	ck_assert_int_eq(feed_change(&g), 0);
	ck_assert(g->follows);
	ck_assert_uint_eq(g->n_sas, 1);
	ck_assert_uint_eq(g->n_sas_gone, 1);
	ck_assert_uint_eq(g->sas_gone[0], 100);
	ck_assert_uint_eq(g->n_unasked, 2);
	ck_assert_uint_eq(g->unasked[0].reqid, 0x80000001);
	ck_assert_uint_eq(g->unasked[0].n, 2);
	ck_assert(!g->unasked[0].again);
	ck_assert_uint_eq(g->unasked[0].n_selectors, 2);
	ck_assert_mem_eq(g->unasked[0].selectors, unasked_boxes, sizeof(unasked_boxes));
	ck_assert_uint_eq(g->unasked[1].sa_id, 100);
	ck_assert(g->unasked[1].again);
	ck_assert_uint_eq(g->n_lists, 1);
	ck_assert_uint_eq(g->lists[0].n_entries, 2);
	ck_assert_uint_eq(g->lists[0].entries[1].id, 2);
	ck_assert_uint_eq(g->n_lists_gone, 1);
	ck_assert_uint_eq(g->lists_gone[0].ifindex, 3);
	ck_assert_uint_eq(g->n_edits, 2);
	ck_assert_uint_eq(g->edits[0].n_runs, 2);
	ck_assert_uint_eq(g->edits[0].runs[0].keep, 5);
	ck_assert_uint_eq(g->edits[0].runs[0].remove, 1);
	ck_assert_uint_eq(g->edits[0].runs[0].entries[0].id, 3);
	ck_assert_uint_eq(g->edits[0].runs[1].n_entries, 0);
	ck_assert_uint_eq(g->edits[1].n_runs, 1);
	ck_assert_uint_eq(g->edits[1].runs[0].entries[0].n_selectors, 2);
	ck_assert_mem_eq(g->edits[1].runs[0].entries[0].selectors, boxes, 2 * sizeof(boxes[0]));
	wire_gen_free(g);
}
END_TEST

START_TEST(test_a_change_that_lacks_any_part_is_refused)
{
	for (size_t gone = 1; gone == 1 || gone < n_records; gone++) {
		struct wire_gen *g = NULL;

		put_change();
		memmove(&records[gone], &records[gone + 1],
			(n_records - gone - 1) * sizeof(*records));
		n_records--;
		ck_assert_msg(feed_change(&g) < 0, "record %zu", gone);
		ck_assert_ptr_null(g);
	}
}
END_TEST

/* Spoils one octet of GEN_UNASKED. */
static const struct {
	const char *name;
	size_t nth, at;
	uint8_t value;
} spoilt_unasked[] = {
	{ "both an id and a reqid", 0, 7, 1 },
	{ "behind a higher one", 0, 0, 1 },
	{ "a boolean of 2", 1, 12, 2 },
	{ "one selector more than there are", 0, 15, 3 },
	{ "one selector less", 0, 15, 1 },
	{ "more selectors than a message has", 0, 14, 3 },
	{ "selector of family 5", 0, 16, 5 },
};

START_TEST(test_unasked_sas_of_the_wrong_form_are_refused)
{
	struct wire_gen *g = NULL;
	struct record *r;

	put_change();
	r = find(MSG_GEN_UNASKED, spoilt_unasked[_i].nth);
	ck_assert_uint_lt(spoilt_unasked[_i].at, r->len);
	r->data[spoilt_unasked[_i].at] = spoilt_unasked[_i].value;
	/* An id takes the place of the reqid. */
	if (spoilt_unasked[_i].at == 0)
		memset(r->data + 8, 0, 4);
	ck_assert_msg(feed_change(&g) < 0, "%s", spoilt_unasked[_i].name);
	ck_assert_ptr_null(g);
}
END_TEST

static const uint16_t of_change[] = { MSG_GEN_SA_GONE, MSG_GEN_LIST_GONE, MSG_GEN_EDIT,
				      MSG_GEN_RUN, MSG_GEN_UNASKED };

START_TEST(test_a_whole_generation_takes_no_part_of_a_change)
{
	struct wire_builder *b = wire_builder_new(1);
	struct record *r;

	put_change();
	r = find(of_change[_i], 0);
	ck_assert_int_eq(wire_builder_add(b, r->type, r->data, r->len), -EINVAL);
	wire_builder_free(b);
}
END_TEST

START_TEST(test_a_run_outside_of_an_edit_and_a_list_after_one_are_refused)
{
	static const uint16_t wrong[][2] = {
		{ MSG_GEN_SA_GONE, MSG_GEN_RUN },
		{ MSG_GEN_EDIT, MSG_GEN_LIST },
		{ MSG_GEN_EDIT, MSG_GEN_ENTRY },
		{ MSG_GEN_EDIT, MSG_GEN_EDIT },
		{ MSG_GEN_LIST_GONE, MSG_GEN_LIST_GONE },
		{ MSG_GEN_EDIT, MSG_GEN_SA },
	};
	struct wire_builder *b = wire_builder_new(1);

	put_change();
	wire_builder_follow(b);
	for (int i = 0; i < 2; i++) {
		struct record *r = find(wrong[_i][i], 0);

		ck_assert_int_eq(wire_builder_add(b, r->type, r->data, r->len),
				 i == 0 ? 0 : -EINVAL);
	}
	wire_builder_free(b);
}
END_TEST

START_TEST(test_layers_take_no_keys)
{
	struct wire_builder *b = wire_builder_new(1);
	struct record *r = find(MSG_GEN_SA, 0);
	struct wire_gen *g = NULL;

	ck_assert_int_eq(wire_builder_add(b, r->type, r->data, r->len), 0);
	ck_assert_int_eq(wire_builder_finish_lists(b, &g), -EINVAL);
	ck_assert_ptr_null(g);
}
END_TEST

START_TEST(test_layers_need_no_sa_that_they_name)
{
	struct wire_builder *b = wire_builder_new(1);
	struct wire_gen *g = NULL;

	n_records = 0;
	ck_assert_int_eq(wire_put_lists(lists, 2, keep, NULL), 0);
	for (size_t i = 0; i < n_records; i++)
		ck_assert_int_eq(wire_builder_add(b, records[i].type, records[i].data,
						  records[i].len), 0);
	ck_assert_int_eq(wire_builder_finish_lists(b, &g), 0);
	ck_assert_uint_eq(g->n_lists, 2);
	wire_gen_free(g);
}
END_TEST

static int stop_at_third(void *arg, uint16_t type, const uint8_t *data, size_t len)
{
	int *n = (int *)arg;

	(void)type;
	(void)data;
	(void)len;
	return ++*n == 3 ? -ENOBUFS : 0;
}

START_TEST(test_failing_to_send_ends_the_generation)
{
	int n = 0;

	ck_assert_int_eq(wire_put_generation(1, lists, 2, sas, 2, stop_at_third, &n), -ENOBUFS);
	ck_assert_int_eq(n, 3);
}
END_TEST

START_TEST(test_too_much_is_refused_before_anything_is_sent)
{
	int n = 0;

	entries[0].n_selectors = WIRE_SELECTORS_MAX + 1;
	ck_assert_int_eq(wire_put_lists(lists, 2, stop_at_third, &n), -E2BIG);
	ck_assert_int_eq(n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/wire");
	TCase *tc = tcase_create("wire");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_a_generation_arrives_as_it_was);
	tcase_add_test(tc, test_selectors_beyond_one_message_arrive_whole);
	tcase_add_test(tc, test_every_message_cut_short_or_longer_is_refused);
	tcase_add_test(tc, test_every_message_left_out_is_noticed);
	tcase_add_loop_test(tc, test_what_no_sender_of_ours_sends_is_refused, 0,
			    sizeof(spoilt) / sizeof(spoilt[0]));
	tcase_add_test(tc, test_second_list_of_one_place_is_refused);
	tcase_add_test(tc, test_layers_take_no_keys);
	tcase_add_test(tc, test_a_change_is_read_as_it_was_written);
	tcase_add_test(tc, test_a_change_that_lacks_any_part_is_refused);
	tcase_add_loop_test(tc, test_unasked_sas_of_the_wrong_form_are_refused, 0,
			    sizeof(spoilt_unasked) / sizeof(spoilt_unasked[0]));
	tcase_add_loop_test(tc, test_a_whole_generation_takes_no_part_of_a_change, 0,
			    sizeof(of_change) / sizeof(of_change[0]));
	tcase_add_loop_test(tc, test_a_run_outside_of_an_edit_and_a_list_after_one_are_refused, 0, 6);
	tcase_add_test(tc, test_layers_need_no_sa_that_they_name);
	tcase_add_test(tc, test_failing_to_send_ends_the_generation);
	tcase_add_test(tc, test_too_much_is_refused_before_anything_is_sent);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
