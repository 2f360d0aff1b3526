/* Tests of the guard against the SPD itself: what spd/ would protect or discard, the guard never passes. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/platform.h"
#include "ipsp/spd.h"
#include "ipspd/guard_boxes.h"
#include "ipspd/guard_kernel.h"
#include "ipspd/guard_pairs.h"
#include "samples.h"

#define POLICIES 100
#define PACKETS 300
#define ENTRIES_MAX 40
#define BOXES_A_ENTRY 3
#define PORTS 14u	/* of packets; boxes ask for ports below 13, or for those from 5 on */

static struct ipsp_selector boxes[ENTRIES_MAX * BOXES_A_ENTRY];
static struct ipsp_spd_entry entries[ENTRIES_MAX];

/* ---- chance: the same each time ---- */

static uint32_t state;

static uint32_t chance(uint32_t n)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % n;
}

static void range(uint32_t max, uint32_t *lo, uint32_t *hi)
{
	uint32_t a = chance(max + 1), b = chance(max + 1);

	*lo = a < b ? a : b;
	*hi = a < b ? b : a;
}

/* Few addresses and ports, so that boxes meet and overlap. */
static struct ipsp_addr address(uint8_t family, uint32_t n)
{
	struct ipsp_addr a = sample_addr(family == 4 ? "10.0.0.0" : "fd00::");
	size_t last = family == 4 ? 3 : 15;

	a.octets[last] = (uint8_t)n;
	a.octets[last - 1] = (uint8_t)(n >> 8);
	return a;
}

static void random_addresses(uint8_t family, struct ipsp_addr *lo, struct ipsp_addr *hi)
{
	uint32_t a, b;

	if (chance(3) == 0)
		return;	/* any */
	range(1023, &a, &b);
	*lo = address(family, a);
	*hi = address(family, chance(2) ? a : b);
}

static const uint8_t protocols[] = { 1, 6, 17, 47, 51, 58, 132 };

static struct ipsp_selector random_box(void)
{
	uint8_t family = chance(2) ? 4 : 6;
	struct ipsp_selector s;

	ipsp_selector_any(family, &s);
	random_addresses(family, &s.src_lo, &s.src_hi);
	random_addresses(family, &s.dst_lo, &s.dst_hi);
	if (chance(2))
		s.proto_lo = s.proto_hi = protocols[chance(sizeof(protocols))];
	else if (chance(4) == 0)
		s.proto_lo = 17;
	if (chance(3) == 0)
		range(12, &s.dport_lo, &s.dport_hi);
	if (chance(5) == 0)
		range(12, &s.sport_lo, &s.sport_hi);
	if (chance(8) == 0)
		s.dport_lo = 5, s.dport_hi = IPSP_PORT_NONE;
	if (chance(12) == 0)
		s.dport_lo = s.dport_hi = IPSP_PORT_NONE;
	if (chance(8) == 0)
		s.dscp_hi = (uint8_t)chance(64);
	if (chance(8) == 0 && family == 6)
		s.flow_hi = chance(4);
	return s;
}

static struct ipsp_spd_list random_list(uint8_t dir)
{
	uint32_t n = 1 + chance(ENTRIES_MAX), used = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t n_boxes = 1 + chance(BOXES_A_ENTRY);

		entries[i] = (struct ipsp_spd_entry){
			.id = i + 1, .action = (uint8_t)chance(3), .log = chance(4) == 0,
			.n_selectors = n_boxes, .selectors = &boxes[used],
		};
		while (n_boxes-- > 0)
			boxes[used++] = random_box();
	}
	return (struct ipsp_spd_list){ .ifindex = 3, .dir = dir, .n_entries = n,
				       .entries = entries };
}

static struct ipsp_flow random_packet(void)
{
	uint8_t family = chance(2) ? 4 : 6;
	struct ipsp_flow f = {
		.family = family, .proto = protocols[chance(sizeof(protocols))],
		.dscp = (uint8_t)chance(64), .proto_known = true, .ports_known = true,
		.flow_label = family == 6 ? chance(6) : 0,
		.src = address(family, chance(1024)), .dst = address(family, chance(1024)),
		.sport = IPSP_PORT_NONE, .dport = IPSP_PORT_NONE,
	};

	if (!ipsp_proto_has_ports(f.proto))
		return f;
	if (chance(4) == 0) {
		f.frag = IPSP_FRAG_LATER;
		f.ports_known = false;
	} else {
		f.sport = chance(PORTS);
		f.dport = chance(PORTS);
	}
	return f;
}

/* ---- how the kernel takes a box ---- */

static bool is_in(const struct ipsp_addr *a, const struct ipsp_addr *lo, const struct ipsp_addr *hi)
{
	return ipsp_addr_cmp(a, lo) >= 0 && ipsp_addr_cmp(a, hi) <= 0;
}

static bool has_every_port(const struct ipsp_selector *s)
{
	return s->sport_lo == 0 && s->sport_hi >= IPSP_PORT_NONE - 1 && s->dport_lo == 0 &&
	       s->dport_hi >= IPSP_PORT_NONE - 1;
}

static bool box_has(const struct guard_box *b, const struct ipsp_flow *f)
{
	const struct ipsp_selector *s = &b->s;

	if (s->family != f->family || !is_in(&f->src, &s->src_lo, &s->src_hi) ||
	    !is_in(&f->dst, &s->dst_lo, &s->dst_hi) || f->proto < s->proto_lo ||
	    f->proto > s->proto_hi || f->dscp < s->dscp_lo || f->dscp > s->dscp_hi ||
	    f->flow_label < s->flow_lo || f->flow_label > s->flow_hi)
		return false;
	/* What hides its ports is dropped by a box that asks for some, and passed by none. */
	if (!f->ports_known)
		return !b->pass || has_every_port(s);
	return f->sport >= s->sport_lo && f->sport <= s->sport_hi && f->dport >= s->dport_lo &&
	       f->dport <= s->dport_hi;
}

static bool guard_passes(const struct guard_boxes *b, const struct ipsp_flow *f)
{
	for (size_t i = 0; i < b->n; i++) {
		if (box_has(&b->items[i], f))
			return b->items[i].pass;
	}
	return false;
}

static bool in_prefix(const struct ipsp_addr *a, const struct ipsp_addr *net, uint8_t len)
{
	for (unsigned bit = 0; bit < len; bit++) {
		if ((a->octets[bit / 8] ^ net->octets[bit / 8]) & 0x80 >> bit % 8)
			return false;
	}
	return true;
}

static bool is_steered(const struct guard_pairs *p, const struct ipsp_flow *f)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->items[i].family == f->family &&
		    in_prefix(&f->src, &p->items[i].src, p->items[i].src_len) &&
		    in_prefix(&f->dst, &p->items[i].dst, p->items[i].dst_len))
			return true;
	}
	return false;
}

/* ---- the SPD's own judgement ---- */

static void *zeroed(void *ctx, size_t size)
{
	(void)ctx;
	return calloc(1, size);
}

static void release(void *ctx, void *mem, size_t size)
{
	(void)ctx;
	(void)size;
	free(mem);
}

static enum ipsp_err no_chance(void *ctx, uint8_t *out, size_t len)
{
	(void)ctx;
	memset(out, 7, len);
	return IPSP_OK;
}

static const struct ipsp_platform platform = { .alloc = zeroed, .free = release,
					       .random = no_chance };

/* The action; DISCARD where nothing matches. */
static enum ipsp_action judged_one(const struct ipsp_spd *spd, uint8_t dir,
				   const struct ipsp_flow *f)
{
	struct ipsp_spd_match m = ipsp_spd_lookup(spd, 3, (enum ipsp_dir)dir, f, NULL);

	return m.result == IPSP_SPD_RULE ? (enum ipsp_action)m.rule->action : IPSP_DISCARD;
}

/* Of a fragment that hides its ports: BYPASS only when all ports that it might hide have that. */
static enum ipsp_action judged(const struct ipsp_spd *spd, uint8_t dir, const struct ipsp_flow *f)
{
	if (f->ports_known)
		return judged_one(spd, dir, f);
	for (uint32_t i = 0; i < PORTS * PORTS; i++) {
		struct ipsp_flow whole = *f;

		whole.ports_known = true;
		whole.sport = i / PORTS;
		whole.dport = i % PORTS;
		enum ipsp_action action = judged_one(spd, dir, &whole);
		if (action != IPSP_BYPASS)
			return action;
	}
	return IPSP_BYPASS;
}

static struct ipsp_spd *build(struct ipsp_spd_db *db, const struct ipsp_spd_list *l)
{
	struct ipsp_spd_update u = { .generation = 1, .full = true, .n_lists = 1, .lists = l };
	struct ipsp_spd *spd;

	ck_assert_int_eq(ipsp_spd_build(db, NULL, &u, &spd), IPSP_OK);
	return spd;
}

/* How many boxes the guard may have: as many as there are, or so few that it must merge. */
static const size_t bounds[] = { 1000, 30, 15, 8 };
static unsigned n_passed[4];

static void compare(const struct ipsp_spd *spd, const struct ipsp_spd_list *l,
		    const struct guard_boxes b[4], const struct guard_pairs *pairs, unsigned policy)
{
	for (unsigned i = 0; i < PACKETS; i++) {
		struct ipsp_flow f = random_packet();
		enum ipsp_action action = judged(spd, l->dir, &f);

		for (size_t j = 0; j < 4; j++) {
			bool passes = guard_passes(&b[j], &f);

			n_passed[j] += passes;
			ck_assert_msg(!passes || action == IPSP_BYPASS,
				      "policy %u packet %u: open with %zu boxes", policy, i, b[j].n);
			if (j == 0 && f.ports_known)
				ck_assert_msg(passes || action != IPSP_BYPASS,
					      "policy %u packet %u: closed without need", policy, i);
		}
		if (action == IPSP_PROTECT)
			ck_assert_msg(is_steered(pairs, &f),
				      "policy %u packet %u: does not go to the engine", policy, i);
	}
}

START_TEST(test_guard_never_passes_what_the_spd_protects_or_discards)
{
	struct ipsp_spd_db *db;

	ck_assert_int_eq(ipsp_spd_db_new(&platform, &db), IPSP_OK);
	for (unsigned policy = 0; policy < POLICIES; policy++) {
		state = policy;
		struct ipsp_spd_list l = random_list(policy % 2 ? IPSP_INBOUND : IPSP_OUTBOUND);
		struct guard_pairs pairs = { NULL, 0, 0 };
		struct guard_boxes b[4];
		struct ipsp_spd *spd = build(db, &l);

		for (size_t j = 0; j < 4; j++) {
			ck_assert(guard_boxes_make(&l, bounds[j], &b[j]));
			ck_assert_uint_le(b[j].n, bounds[j]);
		}
		ck_assert(guard_list_steered(&l, &pairs));
		guard_pairs_reduce(&pairs, 1 + policy % 20);
		compare(spd, &l, b, &pairs, policy);
		for (size_t j = 0; j < 4; j++)
			guard_boxes_fini(&b[j]);
		guard_pairs_fini(&pairs);
		ipsp_spd_free(spd);
	}
	ipsp_spd_db_free(db);
	/* Chance has tried it: much is let pass, and less of it by fewer boxes. */
	ck_assert_uint_gt(n_passed[0], 1000);
	ck_assert_uint_gt(n_passed[1], n_passed[3]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ipspd/guard against spd");
	TCase *tc = tcase_create("property");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_guard_never_passes_what_the_spd_protects_or_discards);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
