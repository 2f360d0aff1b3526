/*
 * tests/unit/engine/check_bundle.c - chains of SAs, nested ones, and what of them is refused.
 *
 * The form of AH and IPComp is judged by others (tests/interop/test_ah_scapy.py); here it is the way
 * of a packet through policy and SAs. What leaves may come back in: SAs are there both ways with one
 * key and SPI, and the gateways' addresses are this device's. RFC 4301 4.5, 5.1, 5.2, appendix E.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bundle.h"
#include "engine/compress/zlib.h"
#include "engine/header.h"
#include "spd/octets.h"
#include "tests/unit/engine/world.h"

#define SAS_MAX 12u
#define RULES_MAX 8u

static struct world w;
static struct ipsp_sa_config sas[2 * SAS_MAX];
static uint32_t n_sas;
static struct {
	struct ipsp_selector box;
	uint64_t sa_id;
} rules[RULES_MAX];
static uint32_t n_rules;

static const struct ipsp_addr us = { 4, { 192, 0, 2, 1 } };

static struct ipsp_addr gateway(uint8_t n)
{
	return (struct ipsp_addr){ 4, { 198, 51, 100, n } };
}

/* Inbound ids are those of the other way and 100. */
static struct ipsp_sa_config *add(uint64_t id, uint8_t proto, enum ipsp_mode mode)
{
	struct ipsp_sa_config *sa = &sas[n_sas++];

	ck_assert_uint_le(n_sas, SAS_MAX);
	*sa = world_sa(id, IPSP_OUTBOUND, 0x1000 + (uint32_t)id);
	sa->proto = proto;
	sa->mode = (uint8_t)mode;
	sa->df = IPSP_DF_COPY;
	sa->local = us;
	sa->remote = gateway(1);
	if (proto == IPSP_PROTO_AH)
		sa->encr = 0;
	if (proto == IPSP_PROTO_IPCOMP) {
		sa->spi = sa->encr = IPSP_COMP_DEFLATE;
		sa->integ = 0;
		sa->integ_key.len = 0;
		sa->replay = false;
	}
	return sa;
}

/* The last n SAs, innermost first, become one bundle. */
static void chain(uint32_t n)
{
	struct ipsp_sa_config *sa = &sas[n_sas - n];

	for (uint32_t i = 0; i < n; i++) {
		sa[i].bundle_id = sa[0].id;
		sa[i].next_id = i + 1 < n ? sa[i + 1].id : 0;
	}
}

/* Everything to that address (prefix_len 0: everything) goes through that SA. */
static void rule(struct ipsp_addr dst, unsigned prefix_len, uint64_t sa_id)
{
	ck_assert_uint_lt(n_rules, RULES_MAX);
	ipsp_selector_any(4, &rules[n_rules].box);
	ck_assert_int_eq(ipsp_addr_prefix(&dst, prefix_len, &rules[n_rules].box.dst_lo,
					  &rules[n_rules].box.dst_hi), IPSP_OK);
	rules[n_rules++].sa_id = sa_id;
}

static const struct ipsp_addr inside_net = { 4, { 10, 2, 0, 0 } };

/* In force: outbound as said, and the mirror of it. */
static void apply(void)
{
	static uint64_t generation = 1000;
	struct ipsp_spd_entry entries[2][RULES_MAX] = { { { 0 } } };
	struct ipsp_spd_list lists[2] = { { 0 } };
	enum ipsp_err results[2 * SAS_MAX];
	struct ipsp_update update = {
		.spd = { .generation = ++generation, .full = true, .n_lists = 2, .lists = lists },
		.n_sas = 2 * n_sas, .sas = sas,
	};

	for (uint32_t i = 0; i < n_sas; i++) {
		struct ipsp_sa_config *in = &sas[n_sas + i];

		*in = sas[i];
		in->dir = IPSP_INBOUND;
		in->id += 100;
		in->counter_id += 100;
		in->next_id += in->next_id ? 100 : 0;
		in->bundle_id += in->bundle_id ? 100 : 0;
		in->local = sas[i].remote;
		in->remote = sas[i].local;
	}
	for (uint32_t dir = 0; dir < 2; dir++) {
		for (uint32_t i = 0; i < n_rules; i++)
			entries[dir][i] = (struct ipsp_spd_entry){
				.id = i + 1, .action = IPSP_PROTECT, .n_selectors = 1,
				.selectors = &rules[i].box,
				.sa_id = rules[i].sa_id + (dir ? 0 : 100),
			};
		lists[dir] = (struct ipsp_spd_list){
			.ifindex = WORLD_IF, .dir = (uint8_t)(dir ? IPSP_OUTBOUND : IPSP_INBOUND),
			.n_entries = n_rules, .entries = entries[dir],
		};
	}
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, 1000, results), IPSP_OK);
	for (uint32_t i = 0; i < 2 * n_sas; i++)
		ck_assert_msg(results[i] == IPSP_OK, "SA %u: %s", (unsigned)sas[i].id,
			      ipsp_err_text(results[i]));
}

static void setup(void)
{
	world_init(&w);
	w.memory.platform.compress = ipsp_compress_zlib();
	/* The first worker began before there was compression. */
	world_restart(&w);
	n_sas = n_rules = 0;
}

static void teardown(void)
{
	world_fini(&w);
}

/* UDP to the inside network, of that many octets of data. */
static void make(struct ipsp_packet *p, uint32_t payload)
{
	world_udp(p, IPSP_OUTBOUND, 7, payload);
	memcpy(p->data + 16, (const uint8_t[]){ 10, 2, 0, 9 }, 4);
	ipsp_header_update(p->data, 4, 9, 17, p->len);
}

static const struct ipsp_sa *sa_of(uint64_t id)
{
	const struct ipsp_sa *sa = ipsp_sad_find(ipsp_engine_sad(w.engine), id);

	ck_assert_ptr_nonnull(sa);
	return sa;
}

static uint64_t packets_of(uint64_t id)
{
	return sa_of(id)->counter->packets;
}

static void expect(struct ipsp_packet *p, enum ipsp_dir dir, enum ipsp_verdict verdict,
		   enum ipsp_reason reason)
{
	enum ipsp_reason got = world_pass(&w, dir, p);

	ck_assert_msg(got == reason, "%s, not %s", ipsp_reason_key(got), ipsp_reason_key(reason));
	ck_assert_int_eq(p->verdict, verdict);
}

/* Out and in again: what comes out is what went in. */
static void there_and_back(uint32_t payload)
{
	uint8_t clear[2048];
	struct ipsp_packet p;
	uint32_t len;

	make(&p, payload);
	len = p.len;
	memcpy(clear, p.data, len);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
	ck_assert_uint_eq(p.pieces, 1);
	expect(&p, IPSP_INBOUND, IPSP_VERDICT_DELIVER, IPSP_REASON_NONE);
	ck_assert_uint_eq(p.len, len);
	ck_assert_mem_eq(p.data, clear, len);
	world_packet_free(&p);
}

static void add_bundle(enum ipsp_mode mode)
{
	add(1, IPSP_PROTO_IPCOMP, mode);
	add(2, IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT);
	add(3, IPSP_PROTO_AH, IPSP_MODE_TRANSPORT);
	chain(3);
	rule(inside_net, 16, 1);
}

START_TEST(test_each_sa_of_a_bundle_counts)
{
	add_bundle(IPSP_MODE_TUNNEL);
	apply();
	there_and_back(500);
	there_and_back(10);
	for (uint64_t id = 1; id <= 3; id++) {
		ck_assert_uint_eq(packets_of(id), 2);
		ck_assert_uint_eq(packets_of(id + 100), 2);
	}
}
END_TEST

START_TEST(test_an_sa_that_is_over_stops_its_bundle)
{
	struct ipsp_packet p;

	add_bundle(IPSP_MODE_TUNNEL);
	sas[2].seq_floor = UINT32_MAX;
	apply();
	make(&p, 10);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_DROP, IPSP_REASON_SEQ_EXHAUSTED);
	ck_assert_uint_eq(sa_of(3)->drops_other, 1);
	ck_assert_uint_eq(w.audits, 1);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_an_expired_sa_takes_no_number_of_the_others)
{
	struct ipsp_packet p;

	add_bundle(IPSP_MODE_TUNNEL);
	apply();
	ck_assert_int_eq(ipsp_sad_set_state(ipsp_engine_sad(w.engine), 3, IPSP_SA_DEAD), IPSP_OK);
	make(&p, 10);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_DROP, IPSP_REASON_SA_NOT_USABLE);
	ck_assert_uint_eq(ipsp_sa_seq_last(sa_of(2)), 0);
	world_packet_free(&p);
}
END_TEST

/* What of the entry's chain is not as it must be; all drop. */
static const struct {
	const char *name;
	uint8_t protos[3];	/* innermost first */
	uint64_t next[3];
} wrong_chains[] = {
	{ "AH inside of ESP", { 51, 50 }, { 2, 0 } },
	{ "ESP twice", { 50, 50 }, { 2, 0 } },
	{ "the outer one is not there", { 50 }, { 9 } },
	{ "in a circle", { 50, 51 }, { 2, 1 } },
};

START_TEST(test_chains_out_of_order_are_no_bundles)
{
	struct ipsp_packet p;

	for (uint32_t i = 0; i < 3 && wrong_chains[_i].protos[i]; i++) {
		struct ipsp_sa_config *sa = add(i + 1, wrong_chains[_i].protos[i],
						IPSP_MODE_TRANSPORT);

		sa->next_id = wrong_chains[_i].next[i];
	}
	rule(inside_net, 16, 1);
	apply();
	make(&p, 10);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_NO_SA);
	world_packet_free(&p);
}
END_TEST

static void change_nothing_around(struct ipsp_sa_config *sa)
{
	sa->next_id = 0;
}

static void change_cpi(struct ipsp_sa_config *sa)
{
	sa->spi = 5;
}

static void change_cpi_too_big(struct ipsp_sa_config *sa)
{
	sa->spi = 65536;
}

static void change_transform(struct ipsp_sa_config *sa)
{
	sa->encr = sa->spi = 3;
}

static void change_numbers(struct ipsp_sa_config *sa)
{
	sa->replay = true;
}

static void change_place(struct ipsp_sa_config *sa)
{
	sa->bundle_id = 77;
}

static const struct {
	const char *name;
	void (*change)(struct ipsp_sa_config *sa);
	enum ipsp_err err;
} wrong_ipcomps[] = {
	{ "IPComp alone", change_nothing_around, IPSP_EINVAL },
	{ "a CPI that is another transform", change_cpi, IPSP_EINVAL },
	{ "a CPI of 17 bits", change_cpi_too_big, IPSP_EINVAL },
	{ "LZS", change_transform, IPSP_ENOTSUP },
	{ "a window", change_numbers, IPSP_EINVAL },
	{ "IPComp around something", change_place, IPSP_EINVAL },
};

START_TEST(test_compression_that_cannot_be_is_refused)
{
	struct ipsp_sa *replaced;
	struct ipsp_sa_config *sa = add(1, IPSP_PROTO_IPCOMP, IPSP_MODE_TRANSPORT);

	sa->next_id = 2;
	wrong_ipcomps[_i].change(sa);
	ck_assert_msg(ipsp_sad_add(ipsp_engine_sad(w.engine), sa, 1000, &replaced) ==
			      wrong_ipcomps[_i].err, "%s", wrong_ipcomps[_i].name);
}
END_TEST

START_TEST(test_without_a_provider_there_is_no_compression)
{
	struct ipsp_sa_config *sa = add(1, IPSP_PROTO_IPCOMP, IPSP_MODE_TRANSPORT);
	struct ipsp_sa *replaced;

	sa->next_id = 2;
	world_fini(&w);
	world_init(&w);
	ck_assert_int_eq(ipsp_sad_add(ipsp_engine_sad(w.engine), sa, 1000, &replaced),
			 IPSP_ENOTSUP);
}
END_TEST

/* ---- templates ---- */

/* An SA of a key manager, and the mirror of it. spi 0: whichever */
static void negotiate_as(uint8_t proto, enum ipsp_mode mode, uint32_t reqid, uint32_t spi)
{
	struct ipsp_sa_config out = *add(n_sas + 1, proto, mode), in;
	const struct ipsp_sa *sa;

	out.spi = spi ? spi : out.spi;
	out.id = out.counter_id = 0;
	out.origin = IPSP_ORIGIN_PFKEY;
	out.reqid = reqid;
	in = out;
	in.dir = IPSP_INBOUND;
	in.local = out.remote;
	in.remote = out.local;
	ck_assert_int_eq(ipsp_engine_sa_add(w.engine, &out, 1000, &sa), IPSP_OK);
	ck_assert_int_eq(ipsp_engine_sa_add(w.engine, &in, 1000, &sa), IPSP_OK);
}

static void negotiate(uint8_t proto, enum ipsp_mode mode, uint32_t reqid)
{
	negotiate_as(proto, mode, reqid, 0);
}

/* Everything to the inside network goes by these templates, and comes back by them. */
static void apply_templates(const struct ipsp_template *templates, uint8_t n)
{
	static uint64_t generation = 5000;
	struct ipsp_template mirror[IPSP_TEMPLATES_MAX];
	struct ipsp_spd_entry entries[2] = { { 0 } };
	struct ipsp_spd_list lists[2] = { { 0 } };
	struct ipsp_update update = {
		.spd = { .generation = ++generation, .full = true, .n_lists = 2, .lists = lists },
	};

	n_rules = 0;
	rule(inside_net, 16, 0);
	for (uint8_t i = 0; i < n; i++) {
		mirror[i] = templates[i];
		mirror[i].local = templates[i].remote;
		mirror[i].remote = templates[i].local;
	}
	for (uint32_t dir = 0; dir < 2; dir++) {
		entries[dir] = (struct ipsp_spd_entry){
			.id = 1, .action = IPSP_PROTECT, .n_selectors = 1,
			.selectors = &rules[0].box, .n_templates = n,
			.templates = dir ? templates : mirror,
		};
		lists[dir] = (struct ipsp_spd_list){
			.ifindex = WORLD_IF, .dir = (uint8_t)(dir ? IPSP_OUTBOUND : IPSP_INBOUND),
			.n_entries = 1, .entries = &entries[dir],
		};
	}
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, 1000, NULL), IPSP_OK);
}

static struct ipsp_template template(uint8_t proto, enum ipsp_mode mode, uint32_t reqid)
{
	return (struct ipsp_template){
		.proto = proto, .mode = (uint8_t)mode, .level = IPSP_LEVEL_REQUIRE, .reqid = reqid,
		.local = us, .remote = gateway(1),
	};
}

START_TEST(test_templates_make_a_bundle_of_sas_that_know_nothing_of_one_another)
{
	const struct ipsp_template templates[] = {
		template(IPSP_PROTO_IPCOMP, IPSP_MODE_TUNNEL, 4),
		template(IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT, 5),
		template(IPSP_PROTO_AH, IPSP_MODE_TRANSPORT, 6),
	};
	struct ipsp_packet p;

	ipsp_engine_set_key_manager(w.engine, true, 1000);
	apply_templates(templates, 3);
	negotiate(IPSP_PROTO_IPCOMP, IPSP_MODE_TUNNEL, 4);
	negotiate(IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT, 5);
	negotiate(IPSP_PROTO_AH, IPSP_MODE_TRANSPORT, 6);
	there_and_back(500);
	/* What came under less than all of them is not what another entry asks for. */
	make(&p, 500);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
	ck_assert_uint_eq(p.data[9], IPSP_PROTO_AH);
	apply_templates(templates, 2);
	expect(&p, IPSP_INBOUND, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_MISMATCH);
	world_packet_free(&p);
	make(&p, 500);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
	ck_assert_uint_eq(p.data[9], IPSP_PROTO_ESP);
	apply_templates(templates, 3);
	expect(&p, IPSP_INBOUND, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_MISMATCH);
	world_packet_free(&p);
}
END_TEST

/*
 * RFC 3173 2.2: what does not get smaller is sent in the outer header alone. _i: enum ipsp_level of IPComp; each template
 * has a reqid of its own, as PF_KEY's unique ones have.
 */
START_TEST(test_what_another_key_managers_tunnel_did_not_compress_comes_in)
{
	struct ipsp_template templates[] = {
		template(IPSP_PROTO_IPCOMP, IPSP_MODE_TUNNEL, 4),
		template(IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT, 5),
	};
	struct ipsp_packet p;

	templates[0].level = (uint8_t)_i;
	ipsp_engine_set_key_manager(w.engine, true, 1000);
	apply_templates(templates, 2);
	negotiate(IPSP_PROTO_IPCOMP, IPSP_MODE_TUNNEL, 4);
	negotiate(IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT, 5);
	there_and_back(500);
	there_and_back(10);
	/* Of several tunnels between the two, what is around it says whose it was. */
	negotiate_as(IPSP_PROTO_IPCOMP, IPSP_MODE_TUNNEL, 8, 0x4001);
	negotiate_as(IPSP_PROTO_IPCOMP, IPSP_MODE_TUNNEL, 5, 0x4002);
	there_and_back(500);
	there_and_back(10);
	/* Not what came under another SA than the entry's. */
	make(&p, 10);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
	templates[1].reqid = 6;
	apply_templates(templates, 2);
	expect(&p, IPSP_INBOUND, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_MISMATCH);
	world_packet_free(&p);
}
END_TEST

/* The one that packets go to. */
static struct ipsp_addr peer_in(enum ipsp_mode mode)
{
	return mode == IPSP_MODE_TUNNEL ? gateway(1) : (struct ipsp_addr){ 4, { 10, 2, 0, 9 } };
}

/* Compression is asked for beside the rest, and may be left out: RFC 7296 2.22. */
static void apply_compressed(enum ipsp_mode mode)
{
	struct ipsp_template templates[] = {
		template(IPSP_PROTO_IPCOMP, mode, 7),
		template(IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT, 7),
	};

	templates[0].level = IPSP_LEVEL_USE;
	templates[0].remote = templates[1].remote = peer_in(mode);
	ipsp_engine_set_key_manager(w.engine, true, 1000);
	apply_templates(templates, 2);
}

static const struct ipsp_sa *put(struct ipsp_sa_config cfg, enum ipsp_dir dir)
{
	const struct ipsp_addr remote = cfg.remote;
	const struct ipsp_sa *sa;

	if (dir == IPSP_INBOUND) {
		cfg.local = remote;
		cfg.remote = us;
		cfg.dir = IPSP_INBOUND;
	}
	ck_assert_int_eq(ipsp_engine_sa_add(w.engine, &cfg, 1000, &sa), IPSP_OK);
	return sa;
}

/*
 * IPComp inside ESP, both ways, that know of one another, for what goes to one address.
 * @return the outbound ESP SA
 */
static const struct ipsp_sa *negotiate_both(enum ipsp_mode mode, uint8_t host)
{
	struct ipsp_sa_config esp = *add(n_sas + 1, IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT);
	struct ipsp_sa_config comp = *add(n_sas + 1, IPSP_PROTO_IPCOMP, mode);
	const struct ipsp_sa *out;

	esp.id = comp.id = 0;
	esp.origin = comp.origin = IPSP_ORIGIN_PFKEY;
	esp.reqid = comp.reqid = 7;
	esp.remote = comp.remote = peer_in(mode);
	comp.spi = 0x3000u + host;
	ipsp_selector_any(4, &comp.sel);
	comp.sel.dst_lo = comp.sel.dst_hi = (struct ipsp_addr){ 4, { 10, 2, 0, host } };
	out = put(esp, IPSP_OUTBOUND);
	comp.next_id = out->id;
	put(comp, IPSP_OUTBOUND);
	/* Inbound each has its id before the other one comes. */
	esp.id = 1000u + host;
	comp.id = 2000u + host;
	esp.bundle_id = comp.id;
	comp.next_id = esp.id;
	put(comp, IPSP_INBOUND);
	put(esp, IPSP_INBOUND);
	return out;
}

/* _i: enum ipsp_mode. What is short is not compressed, and comes out all the same. */
START_TEST(test_compression_that_was_negotiated_is_of_one_bundle_with_what_is_around_it)
{
	const enum ipsp_mode mode = (enum ipsp_mode)_i;
	const struct ipsp_sa *esp;

	apply_compressed(mode);
	esp = negotiate_both(mode, 9);
	there_and_back(500);
	there_and_back(10);
	ck_assert_uint_eq(esp->counter->packets, 2);
	ck_assert_uint_lt(esp->counter->bytes, 400);
	ck_assert_uint_eq(packets_of(1009), 2);
	ck_assert(!ipsp_worker_wants(w.worker));
}
END_TEST

START_TEST(test_what_is_compressed_stays_with_its_own_bundle)
{
	const struct ipsp_sa *esp, *newer;

	apply_compressed(IPSP_MODE_TUNNEL);
	esp = negotiate_both(IPSP_MODE_TUNNEL, 9);
	newer = negotiate_both(IPSP_MODE_TUNNEL, 10);
	there_and_back(500);
	ck_assert_uint_eq(esp->counter->packets, 1);
	ck_assert_uint_eq(newer->counter->packets, 0);
}
END_TEST

START_TEST(test_without_what_is_around_it_nothing_is_compressed)
{
	struct ipsp_packet p;
	const struct ipsp_sa *esp;

	apply_compressed(IPSP_MODE_TUNNEL);
	esp = negotiate_both(IPSP_MODE_TUNNEL, 9);
	negotiate_both(IPSP_MODE_TUNNEL, 10);
	ck_assert_int_eq(ipsp_sad_set_state(ipsp_engine_sad(w.engine), esp->id, IPSP_SA_DEAD), IPSP_OK);
	make(&p, 500);
	world_pass(&w, IPSP_OUTBOUND, &p);
	ck_assert_int_ne(p.verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_int_ne(p.verdict, IPSP_VERDICT_BYPASS);
	world_packet_free(&p);
}
END_TEST

/* _i: enum ipsp_mode. */
START_TEST(test_a_peer_that_does_not_compress_is_in_the_mode_all_the_same)
{
	const enum ipsp_mode mode = (enum ipsp_mode)_i;
	struct ipsp_sa_config esp = *add(1, IPSP_PROTO_ESP, mode);

	esp.id = 0;
	esp.origin = IPSP_ORIGIN_PFKEY;
	esp.reqid = 7;
	esp.remote = peer_in(mode);
	apply_compressed(mode);
	put(esp, IPSP_OUTBOUND);
	put(esp, IPSP_INBOUND);
	there_and_back(500);
	there_and_back(10);
	/* Nor is it asked again. */
	ck_assert(!ipsp_worker_wants(w.worker));
}
END_TEST

START_TEST(test_transport_mode_does_not_stand_for_a_tunnel_that_is_not_compressed)
{
	struct ipsp_packet p;

	apply_compressed(IPSP_MODE_TUNNEL);
	negotiate(IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT, 7);
	make(&p, 500);
	world_pass(&w, IPSP_OUTBOUND, &p);
	ck_assert_int_ne(p.verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_int_ne(p.verdict, IPSP_VERDICT_BYPASS);
	ck_assert(ipsp_worker_wants(w.worker));
	world_packet_free(&p);
}
END_TEST

/* ---- nesting ---- */

/* A tunnel to gateway n by SA n, for what goes there or is inside of it. */
static void add_tunnel(uint8_t n)
{
	add(n, IPSP_PROTO_ESP, IPSP_MODE_TUNNEL)->remote = gateway(n);
}

START_TEST(test_a_tunnel_goes_through_the_tunnel_that_its_outer_header_asks_for)
{
	struct ipsp_packet p;

	add_tunnel(1);
	add_tunnel(2);
	rule(gateway(1), 32, 2);
	rule(inside_net, 16, 1);
	apply();
	make(&p, 40);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
	ck_assert_uint_eq(p.data[19], 2);
	ck_assert_uint_eq(p.entry_id, 2);
	ck_assert_uint_eq(p.sa->id, 1);
	/* NULL encryption: the inner tunnel's header can be seen. */
	ck_assert_uint_eq(p.data[28 + 9], IPSP_PROTO_ESP);
	ck_assert_uint_eq(p.data[28 + 19], 1);
	world_packet_free(&p);
	there_and_back(40);
	there_and_back(1);
	ck_assert_uint_eq(packets_of(1), 3);
	ck_assert_uint_eq(packets_of(2), 3);
	ck_assert_uint_eq(packets_of(101), 2);
	ck_assert_uint_eq(packets_of(102), 2);
}
END_TEST

START_TEST(test_bundles_nest_too)
{
	add(1, IPSP_PROTO_ESP, IPSP_MODE_TUNNEL);
	add(2, IPSP_PROTO_AH, IPSP_MODE_TRANSPORT);
	chain(2);
	add(3, IPSP_PROTO_ESP, IPSP_MODE_TUNNEL)->remote = gateway(2);
	add(4, IPSP_PROTO_AH, IPSP_MODE_TRANSPORT)->remote = gateway(2);
	chain(2);
	rule(gateway(1), 32, 3);
	rule(inside_net, 16, 1);
	apply();
	there_and_back(60);
	for (uint64_t id = 1; id <= 4; id++)
		ck_assert_uint_eq(packets_of(id + 100), 1);
}
END_TEST

START_TEST(test_an_sa_is_not_applied_to_its_own_packets)
{
	add_tunnel(1);
	rule(inside_net, 0, 1);
	apply();
	there_and_back(40);
	ck_assert_uint_eq(packets_of(1), 1);
}
END_TEST

START_TEST(test_two_tunnels_that_ask_for_one_another_end)
{
	struct ipsp_packet p;

	add_tunnel(1);
	add_tunnel(2);
	rule(gateway(1), 32, 2);
	rule(gateway(2), 32, 1);
	rule(inside_net, 16, 1);
	apply();
	make(&p, 40);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
	ck_assert_uint_eq(packets_of(1), 1);
	ck_assert_uint_eq(packets_of(2), 1);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_transport_mode_towards_the_same_gateway_is_not_put_around)
{
	add_tunnel(1);
	add(2, IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT);
	rule(gateway(1), 32, 2);
	rule(inside_net, 16, 1);
	apply();
	there_and_back(40);
	ck_assert_uint_eq(packets_of(2), 0);
}
END_TEST

START_TEST(test_transport_mode_goes_through_a_tunnel)
{
	struct ipsp_packet p;

	add(1, IPSP_PROTO_ESP, IPSP_MODE_TRANSPORT)->remote =
		(struct ipsp_addr){ 4, { 10, 2, 0, 9 } };
	add_tunnel(2);
	rule(inside_net, 16, 1);
	rules[0].box.proto_lo = rules[0].box.proto_hi = 17;
	rule(inside_net, 16, 2);
	apply();
	make(&p, 40);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
	ck_assert_uint_eq(p.data[19], 2);
	world_packet_free(&p);
	there_and_back(40);
}
END_TEST

START_TEST(test_a_tunnel_whose_outer_one_is_not_in_force_drops)
{
	struct ipsp_packet p;

	add_tunnel(1);
	rule(gateway(1), 32, 9);
	rule(inside_net, 16, 1);
	apply();
	make(&p, 40);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_NO_SA);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_more_tunnels_than_may_nest_drop)
{
	struct ipsp_packet p;

	for (uint8_t n = 1; n <= IPSP_NEST_MAX + 1; n++)
		add_tunnel(n);
	for (uint8_t n = 1; n <= IPSP_NEST_MAX; n++)
		rule(gateway(n), 32, n + 1u);
	rule(inside_net, 16, 1);
	apply();
	make(&p, 40);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_DROP, IPSP_REASON_NESTING);
	world_packet_free(&p);
	/* One less. */
	rules[IPSP_NEST_MAX - 1].box.dst_lo = rules[IPSP_NEST_MAX - 1].box.dst_hi = gateway(99);
	apply();
	there_and_back(40);
}
END_TEST

START_TEST(test_a_nested_tunnel_must_come_by_the_outer_one_of_its_entry)
{
	struct ipsp_packet p;

	add_tunnel(1);
	add_tunnel(2);
	add_tunnel(3);
	rule(gateway(1), 32, 3);
	rule(inside_net, 16, 1);
	apply();
	make(&p, 40);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
	rules[0].sa_id = 2;
	apply();
	expect(&p, IPSP_INBOUND, IPSP_VERDICT_DROP, IPSP_REASON_POLICY_MISMATCH);
	ck_assert_uint_eq(packets_of(101), 0);
	world_packet_free(&p);
}
END_TEST

/* ---- large segments ---- */

static void make_segments(struct ipsp_packet *p, uint32_t payload, uint16_t size)
{
	make(p, payload);
	p->segment_size = size;
	p->csum_start = 20;
	p->csum_offset = 6;
	p->flags = IPSP_PKT_CSUM_PARTIAL;
}

START_TEST(test_each_segment_goes_through_the_bundle)
{
	static uint8_t arena[IPSP_ARENA_MIN];
	struct ipsp_packet p;
	uint32_t at = 0, clear = 0;

	if (_i == 0) {
		add(1, IPSP_PROTO_AH, IPSP_MODE_TUNNEL);
		rule(inside_net, 16, 1);
	} else if (_i == 1) {
		add_bundle(IPSP_MODE_TUNNEL);
	} else {
		add_tunnel(1);
		add_tunnel(2);
		rule(gateway(1), 32, 2);
		rule(inside_net, 16, 1);
	}
	apply();
	ipsp_worker_set_arena(w.worker, arena, sizeof(arena));
	make_segments(&p, 1000, 300);
	expect(&p, IPSP_OUTBOUND, IPSP_VERDICT_ESP_OUT, IPSP_REASON_NONE);
	ck_assert_uint_eq(p.pieces, 4);
	for (int piece = 0; piece < 4; piece++, at += p.piece_len) {
		struct ipsp_packet in = { .ifindex = WORLD_IF };

		in.len = at + p.piece_len <= p.len ? p.piece_len : p.len - at;
		in.room_len = IPSP_HEADROOM + in.len + IPSP_TAILROOM;
		in.room = calloc(1, in.room_len);
		in.data = in.room + IPSP_HEADROOM;
		memcpy(in.data, p.data + at, in.len);
		expect(&in, IPSP_INBOUND, IPSP_VERDICT_DELIVER, IPSP_REASON_NONE);
		clear += in.len - 28;
		world_packet_free(&in);
	}
	ck_assert_uint_eq(clear, 1000);
	ck_assert_uint_ge(at, p.len);
	ck_assert_uint_eq(packets_of(1), 4);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_segments_without_room_in_the_arena_wait_or_drop)
{
	static uint8_t arena[4096];
	struct ipsp_packet p[2];

	add(1, IPSP_PROTO_AH, IPSP_MODE_TUNNEL);
	rule(inside_net, 16, 1);
	apply();
	make_segments(&p[0], 1000, 300);
	expect(&p[0], IPSP_OUTBOUND, IPSP_VERDICT_DROP, IPSP_REASON_NO_ROOM);
	ipsp_worker_set_arena(w.worker, arena, sizeof(arena));
	world_packet_free(&p[0]);
	make_segments(&p[0], 1000, 300);
	make_segments(&p[1], 1000, 300);
	ck_assert_uint_eq(ipsp_engine_outbound(w.worker, p, 2, 1000), 1);
	ck_assert_int_eq(p[0].verdict, IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(ipsp_engine_outbound(w.worker, p + 1, 1, 1000), 1);
	ck_assert_int_eq(p[1].verdict, IPSP_VERDICT_ESP_OUT);
	world_packet_free(&p[0]);
	world_packet_free(&p[1]);
}
END_TEST

#define N(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("engine/bundle");
	TCase *t = tcase_create("bundles");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_each_sa_of_a_bundle_counts);
	tcase_add_test(t, test_an_sa_that_is_over_stops_its_bundle);
	tcase_add_test(t, test_an_expired_sa_takes_no_number_of_the_others);
	tcase_add_loop_test(t, test_chains_out_of_order_are_no_bundles, 0, N(wrong_chains));
	tcase_add_loop_test(t, test_compression_that_cannot_be_is_refused, 0, N(wrong_ipcomps));
	tcase_add_test(t, test_without_a_provider_there_is_no_compression);
	tcase_add_loop_test(t, test_each_segment_goes_through_the_bundle, 0, 3);
	tcase_add_test(t, test_segments_without_room_in_the_arena_wait_or_drop);
	tcase_add_test(t, test_templates_make_a_bundle_of_sas_that_know_nothing_of_one_another);
	tcase_add_loop_test(t, test_what_another_key_managers_tunnel_did_not_compress_comes_in, IPSP_LEVEL_REQUIRE,
			    IPSP_LEVEL_USE + 1);
	tcase_add_loop_test(t, test_compression_that_was_negotiated_is_of_one_bundle_with_what_is_around_it,
			    IPSP_MODE_TUNNEL, IPSP_MODE_TRANSPORT + 1);
	tcase_add_test(t, test_what_is_compressed_stays_with_its_own_bundle);
	tcase_add_test(t, test_without_what_is_around_it_nothing_is_compressed);
	tcase_add_loop_test(t, test_a_peer_that_does_not_compress_is_in_the_mode_all_the_same,
			    IPSP_MODE_TUNNEL, IPSP_MODE_TRANSPORT + 1);
	tcase_add_test(t, test_transport_mode_does_not_stand_for_a_tunnel_that_is_not_compressed);
	suite_add_tcase(s, t);
	t = tcase_create("nested");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_a_tunnel_goes_through_the_tunnel_that_its_outer_header_asks_for);
	tcase_add_test(t, test_bundles_nest_too);
	tcase_add_test(t, test_an_sa_is_not_applied_to_its_own_packets);
	tcase_add_test(t, test_two_tunnels_that_ask_for_one_another_end);
	tcase_add_test(t, test_transport_mode_towards_the_same_gateway_is_not_put_around);
	tcase_add_test(t, test_transport_mode_goes_through_a_tunnel);
	tcase_add_test(t, test_a_tunnel_whose_outer_one_is_not_in_force_drops);
	tcase_add_test(t, test_more_tunnels_than_may_nest_drop);
	tcase_add_test(t, test_a_nested_tunnel_must_come_by_the_outer_one_of_its_entry);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);

	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);

	srunner_free(sr);
	return failed ? 1 : 0;
}
