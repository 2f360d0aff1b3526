/*
 * tests/unit/sad/check_negotiated.c - SAs of key managers: SPIs, larval, mature, changed, walked.
 * RFC 2367 3.1.1 - 3.1.3; RFC 4301 4.4.2.1.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/compress/zlib.h"
#include "engine/crypto/gcrypt.h"
#include "ipsp/sad.h"
#include "tests/unit/spd/memory.h"

#define SLOTS 16u

static struct memory memory;
static void *region;
static struct ipsp_sad *sad;

static const struct ipsp_addr ours = { 4, { 192, 0, 2, 1 } };
static const struct ipsp_addr peer = { 4, { 192, 0, 2, 2 } };

/* Not the same each time, as SPIs are drawn. */
static enum ipsp_err draw(void *ctx, uint8_t *out, size_t len)
{
	(void)ctx;
	while (len-- > 0)
		*out++ = (uint8_t)rand();
	return IPSP_OK;
}

static void setup(void)
{
	size_t size = ipsp_counters_size(SLOTS);

	ck_assert_int_eq(ipsp_crypto_gcrypt_init(65536), IPSP_OK);
	memory_init(&memory, ipsp_crypto_gcrypt());
	memory.platform.random = draw;
	memory.platform.compress = ipsp_compress_zlib();
	region = aligned_alloc(64, (size + 63) / 64 * 64);
	memset(region, 0, size);
	ck_assert_int_eq(ipsp_sad_new(&memory.platform, region, size, &sad), IPSP_OK);
}

static void teardown(void)
{
	ipsp_sad_free(sad);
	ck_assert_uint_eq(memory.octets, 0);
	free(region);
}

static struct ipsp_sa_config config(enum ipsp_dir dir, uint32_t spi)
{
	return (struct ipsp_sa_config){
		.origin = IPSP_ORIGIN_PFKEY, .dir = (uint8_t)dir, .proto = IPSP_PROTO_ESP,
		.mode = IPSP_MODE_TRANSPORT, .replay = true, .replay_window_pkts = 64, .spi = spi,
		.encr = IPSP_ENCR_NULL, .integ = IPSP_INTEG_HMAC_SHA1_96,
		.integ_key = { 20, { 1, 2, 3 } }, .local = ours, .remote = peer,
	};
}

static enum ipsp_err add(const struct ipsp_sa_config *c, struct ipsp_sa *old, uint64_t now_s,
			 struct ipsp_sa **out)
{
	enum ipsp_err err = ipsp_sad_add_negotiated(sad, c, old, now_s, out);

	if (err == IPSP_OK && old)
		ipsp_sa_free(sad, old);
	return err;
}

static struct ipsp_sa *must_add(const struct ipsp_sa_config *c, uint64_t now_s)
{
	struct ipsp_sa *sa;

	ck_assert_int_eq(add(c, NULL, now_s, &sa), IPSP_OK);
	return sa;
}

static struct ipsp_spi_request request(uint32_t min, uint32_t max)
{
	return (struct ipsp_spi_request){
		.proto = IPSP_PROTO_ESP, .src = peer, .dst = ours, .spi_min = min, .spi_max = max,
	};
}

START_TEST(test_ten_thousand_spis_differ_and_none_is_reserved)
{
	const struct ipsp_spi_request r = request(0, 65535);
	static bool used[65536];
	struct ipsp_sa *sa;

	for (unsigned i = 0; i < 10000; i++) {
		ck_assert_int_eq(ipsp_sad_getspi(sad, &r, 10, &sa), IPSP_OK);
		ck_assert_uint_ge(sa->spi, 256);
		ck_assert_uint_le(sa->spi, 65535);
		ck_assert(!used[sa->spi]);
		used[sa->spi] = true;
		ck_assert_uint_eq(sa->state, IPSP_SA_LARVAL);
		ck_assert_int_eq(ipsp_sa_usable(sa, 10), IPSP_REASON_SA_NOT_USABLE);
		ck_assert_ptr_eq(ipsp_sad_find_inbound(sad, sa->spi, IPSP_PROTO_ESP, &ours), sa);
		ck_assert_ptr_eq(ipsp_sad_find(sad, sa->id), sa);
	}
	ck_assert_uint_eq(ipsp_sad_count(sad), 10000);
}
END_TEST

START_TEST(test_a_range_is_used_up_to_its_last_spi)
{
	const struct ipsp_spi_request r = request(1000, 1099), one = request(1000, 1000);
	struct ipsp_spi_request ah = one, elsewhere = one;
	struct ipsp_sa *sa;

	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(ipsp_sad_getspi(sad, &r, 10, &sa), IPSP_OK);
	ck_assert_int_eq(ipsp_sad_getspi(sad, &r, 10, &sa), IPSP_ENOSPC);
	ck_assert_int_eq(ipsp_sad_getspi(sad, &one, 10, &sa), IPSP_EEXIST);
	ah.proto = IPSP_PROTO_AH;
	ck_assert_int_eq(ipsp_sad_getspi(sad, &ah, 10, &sa), IPSP_OK);
	elsewhere.dst.octets[3] = 9;
	ck_assert_int_eq(ipsp_sad_getspi(sad, &elsewhere, 10, &sa), IPSP_OK);
}
END_TEST

static const struct {
	const char *name;
	struct ipsp_spi_request r;
} bad_requests[] = {
	{ "no protocol", { .src = { 4, { 1 } }, .dst = { 4, { 2 } }, .spi_max = 300 } },
	{ "no destination", { .proto = IPSP_PROTO_ESP, .src = { 4, { 1 } }, .spi_max = 300 } },
	{ "two families", { .proto = IPSP_PROTO_ESP, .src = { 6, { 1 } }, .dst = { 4, { 2 } },
			    .spi_max = 300 } },
	{ "reserved numbers alone", { .proto = IPSP_PROTO_ESP, .src = { 4, { 1 } },
				      .dst = { 4, { 2 } }, .spi_max = 255 } },
	{ "a range from high to low", { .proto = IPSP_PROTO_ESP, .src = { 4, { 1 } },
					.dst = { 4, { 2 } }, .spi_min = 301, .spi_max = 300 } },
};

START_TEST(test_requests_for_spis_that_cannot_be_are_refused)
{
	struct ipsp_sa *sa;

	ck_assert_msg(ipsp_sad_getspi(sad, &bad_requests[_i].r, 10, &sa) == IPSP_EINVAL, "%s",
		      bad_requests[_i].name);
	ck_assert_uint_eq(ipsp_sad_count(sad), 0);
}
END_TEST

START_TEST(test_policy_and_key_managers_share_the_spis_of_an_address)
{
	const struct ipsp_spi_request one = request(4096, 4096);
	struct ipsp_sa_config c = config(IPSP_INBOUND, 4096);
	struct ipsp_sa *sa, *replaced;

	c.origin = IPSP_ORIGIN_POLICY;
	c.id = c.counter_id = 77;
	c.local.family = 0;
	ck_assert_int_eq(ipsp_sad_add(sad, &c, 10, &replaced), IPSP_OK);
	ck_assert_int_eq(ipsp_sad_getspi(sad, &one, 10, &sa), IPSP_EEXIST);
	c.origin = IPSP_ORIGIN_PFKEY;
	c.local = ours;
	ck_assert_int_eq(add(&c, NULL, 10, &sa), IPSP_EEXIST);
	c = config(IPSP_INBOUND, 5000);
	sa = must_add(&c, 10);
	c.origin = IPSP_ORIGIN_POLICY;
	c.id = c.counter_id = 78;
	ck_assert_int_eq(ipsp_sad_add(sad, &c, 10, &replaced), IPSP_EEXIST);
	/* Nor does a row take an SA's place by its id. */
	c.id = sa->id;
	c.spi = 6000;
	ck_assert_int_eq(ipsp_sad_add(sad, &c, 10, &replaced), IPSP_EEXIST);
	ck_assert_ptr_eq(ipsp_sad_find(sad, sa->id), sa);
}
END_TEST

START_TEST(test_keys_make_a_larval_sa_mature_in_its_place)
{
	const struct ipsp_spi_request one = request(4096, 4096);
	struct ipsp_sa_config c = config(IPSP_INBOUND, 4096);
	const struct ipsp_sa_name name = { IPSP_PROTO_ESP, 4096, ours };
	struct ipsp_sa *larval, *sa;
	uint64_t id;

	ck_assert_int_eq(ipsp_sad_getspi(sad, &one, 10, &larval), IPSP_OK);
	id = larval->id;
	c.integ_key.len = 3;
	ck_assert_int_eq(add(&c, larval, 11, &sa), IPSP_EKEYLEN);
	ck_assert_ptr_eq(ipsp_sad_find_name(sad, &name), larval);
	c.integ_key.len = 20;
	ck_assert_int_eq(add(&c, NULL, 11, &sa), IPSP_EEXIST);
	ck_assert_int_eq(add(&c, larval, 12, &sa), IPSP_OK);
	ck_assert_uint_eq(sa->id, id);
	ck_assert_uint_eq(sa->state, IPSP_SA_MATURE);
	ck_assert_uint_eq(sa->counter->born_s, 12);
	ck_assert_ptr_eq(ipsp_sad_find_name(sad, &name), sa);
	ck_assert_uint_eq(ipsp_sad_count(sad), 1);
	/* Its ring is no larger than its window. */
	ck_assert_uint_eq(sa->counter->replay.n_blocks, 3);
	ck_assert_int_eq(ipsp_replay_accept(&sa->counter->replay, 100), IPSP_OK);
	ck_assert_int_eq(ipsp_replay_accept(&sa->counter->replay, 37), IPSP_OK);
	ck_assert_int_eq(ipsp_replay_accept(&sa->counter->replay, 36), IPSP_EOLD);
	ck_assert_int_eq(ipsp_replay_accept(&sa->counter->replay, 37), IPSP_EREPLAY);
}
END_TEST

START_TEST(test_outbound_sas_are_one_by_spi_and_destination)
{
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 4096);
	struct ipsp_sa_name name = { IPSP_PROTO_ESP, 4096, peer };
	struct ipsp_sa *a, *b, *none;

	a = must_add(&c, 10);
	ck_assert_int_eq(add(&c, NULL, 10, &none), IPSP_EEXIST);
	c.remote.octets[3] = 3;
	b = must_add(&c, 10);
	ck_assert_ptr_eq(ipsp_sad_find_name(sad, &name), a);
	name.dst = c.remote;
	ck_assert_ptr_eq(ipsp_sad_find_name(sad, &name), b);
	/* No packet that comes in is theirs. */
	ck_assert_ptr_null(ipsp_sad_find_inbound(sad, 4096, IPSP_PROTO_ESP, &peer));
	c.remote.family = 0;
	c.spi = 4097;
	ck_assert_int_eq(add(&c, NULL, 10, &none), IPSP_EINVAL);
}
END_TEST

START_TEST(test_a_changed_sa_keeps_its_keys_numbers_and_counts)
{
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 4096);
	const struct ipsp_sa_name before = { IPSP_PROTO_ESP, 4096, peer };
	struct ipsp_sa *old, *sa, *other;
	enum ipsp_seq_limit limit;
	uint64_t first;

	old = must_add(&c, 10);
	ck_assert_uint_eq(ipsp_counter_take(old->counter, 7, 0, 0, false, &first, &limit), 7);
	old->counter->packets = 7;
	c.remote.octets[3] = 3;
	other = must_add(&c, 10);
	ck_assert_int_eq(ipsp_sad_change(sad, old, &c, &sa), IPSP_EEXIST);
	c.remote.octets[3] = 4;
	c.life_s = 50;
	c.reqid = 9;
	ck_assert_int_eq(ipsp_sad_change(sad, old, &c, &sa), IPSP_OK);
	ck_assert_uint_eq(sa->id, old->id);
	ck_assert_ptr_eq(sa->crypto, old->crypto);
	ck_assert_ptr_eq(sa->counter, old->counter);
	ipsp_sa_free(sad, old);
	ck_assert_ptr_null(ipsp_sad_find_name(sad, &before));
	ck_assert_uint_eq(sa->reqid, 9);
	ck_assert_uint_eq(sa->counter->packets, 7);
	ck_assert_uint_eq(ipsp_sa_seq_last(sa), 7);
	ck_assert_int_eq(ipsp_sa_usable(sa, 59), IPSP_REASON_NONE);
	ck_assert_int_eq(ipsp_sa_usable(sa, 60), IPSP_REASON_SA_EXPIRED);
	ck_assert_ptr_eq(ipsp_sad_find(sad, other->id), other);
}
END_TEST

START_TEST(test_a_changed_sa_goes_into_udp_and_out_of_it)
{
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 4096);
	struct ipsp_sa *old, *sa;

	old = must_add(&c, 10);
	c.encap = (struct ipsp_encap){ .type = IPSP_ENCAP_UDP, .sport = 4500 };
	ck_assert_int_eq(ipsp_sad_change(sad, old, &c, &sa), IPSP_EINVAL);
	c.encap.dport = 24500;
	ck_assert_int_eq(ipsp_sad_change(sad, old, &c, &sa), IPSP_OK);
	ipsp_sa_free(sad, old);
	ck_assert_uint_eq(sa->encap.type, IPSP_ENCAP_UDP);
	ck_assert_uint_eq(sa->encap.dport, 24500);
	c.encap = (struct ipsp_encap){ .type = IPSP_ENCAP_NONE };
	old = sa;
	ck_assert_int_eq(ipsp_sad_change(sad, old, &c, &sa), IPSP_OK);
	ipsp_sa_free(sad, old);
	ck_assert_uint_eq(sa->encap.type, IPSP_ENCAP_NONE);
}
END_TEST

/* ---- lifetimes ---- */

static struct {
	uint8_t life, unit, state;
	uint64_t id;
} seen[16];
static unsigned n_seen;

static void on_over(void *arg, const struct ipsp_life_event *e)
{
	(void)arg;
	ck_assert_uint_lt(n_seen, 16);
	seen[n_seen].life = e->life;
	seen[n_seen].unit = e->unit;
	seen[n_seen].state = e->sa->state;
	seen[n_seen++].id = e->sa->id;
}

static void expire(uint64_t now_s)
{
	n_seen = 0;
	ipsp_sad_expire(sad, now_s, on_over, NULL);
}

START_TEST(test_soft_comes_before_hard_and_each_once)
{
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 4096);
	struct ipsp_sa *sa;

	c.soft_s = 10;
	c.life_s = 20;
	sa = must_add(&c, 100);
	expire(109);
	ck_assert_uint_eq(n_seen, 0);
	expire(110);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(seen[0].life, IPSP_LIFE_SOFT);
	ck_assert_uint_eq(seen[0].unit, IPSP_LIFE_SECONDS);
	ck_assert_uint_eq(seen[0].state, IPSP_SA_DYING);
	ck_assert_int_eq(ipsp_sa_usable(sa, 119), IPSP_REASON_NONE);
	expire(119);
	ck_assert_uint_eq(n_seen, 0);
	expire(120);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(seen[0].life, IPSP_LIFE_HARD);
	expire(1000);
	ck_assert_uint_eq(n_seen, 0);
}
END_TEST

START_TEST(test_a_larval_sa_dies_when_no_keys_come)
{
	struct ipsp_spi_request r = request(256, UINT32_MAX);
	struct ipsp_sa *a, *b;

	ck_assert_int_eq(ipsp_sad_getspi(sad, &r, 100, &a), IPSP_OK);
	r.larval_s = 5;
	ck_assert_int_eq(ipsp_sad_getspi(sad, &r, 100, &b), IPSP_OK);
	expire(105);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(seen[0].id, b->id);
	ck_assert_uint_eq(seen[0].life, IPSP_LIFE_LARVAL);
	ck_assert_uint_eq(seen[0].state, IPSP_SA_DEAD);
	expire(100 + IPSP_LARVAL_S - 1);
	ck_assert_uint_eq(n_seen, 0);
	expire(100 + IPSP_LARVAL_S);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(seen[0].id, a->id);
}
END_TEST

static void carry(struct ipsp_sa *sa, uint64_t packets, uint64_t bytes, uint64_t now_s)
{
	sa->counter->packets += packets;
	sa->counter->bytes += bytes;
	sa->last_used_s = now_s;
	ipsp_sa_note_use(sa, now_s);
}

START_TEST(test_packets_and_octets_use_an_sa_up)
{
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 4096);
	struct ipsp_sa *sa;

	c.soft_packets = 10;
	c.life_packets = 20;
	c.soft_bytes = 1000;
	c.life_bytes = 3000;
	sa = must_add(&c, 100);
	carry(sa, 9, 999, 101);
	expire(101);
	ck_assert_uint_eq(n_seen, 0);
	carry(sa, 1, 0, 102);
	carry(sa, 1, 0, 102);
	expire(102);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(seen[0].life, IPSP_LIFE_SOFT);
	ck_assert_uint_eq(seen[0].unit, IPSP_LIFE_PACKETS);
	carry(sa, 1, 2001, 103);
	ck_assert_int_eq(ipsp_sa_usable(sa, 103), IPSP_REASON_SA_EXPIRED);
	expire(103);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(seen[0].life, IPSP_LIFE_HARD);
	ck_assert_uint_eq(seen[0].unit, IPSP_LIFE_BYTES);
}
END_TEST

START_TEST(test_seconds_of_use_count_from_the_first_packet)
{
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 4096);
	struct ipsp_sa *sa;

	c.soft_use_s = 5;
	c.life_use_s = 10;
	sa = must_add(&c, 100);
	expire(1000);
	ck_assert_uint_eq(n_seen, 0);
	carry(sa, 1, 100, 1000);
	carry(sa, 1, 100, 1003);
	expire(1004);
	ck_assert_uint_eq(n_seen, 0);
	expire(1005);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(seen[0].life, IPSP_LIFE_SOFT);
	ck_assert_uint_eq(seen[0].unit, IPSP_LIFE_USE_SECONDS);
	ck_assert_int_eq(ipsp_sa_usable(sa, 1009), IPSP_REASON_NONE);
	ck_assert_int_eq(ipsp_sa_usable(sa, 1010), IPSP_REASON_SA_EXPIRED);
	expire(1010);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(seen[0].life, IPSP_LIFE_HARD);
}
END_TEST

START_TEST(test_an_idle_sa_ends_and_a_busy_one_does_not)
{
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 4096);
	struct ipsp_sa *sa;

	c.idle_s = 300;
	sa = must_add(&c, 100);
	carry(sa, 1, 100, 250);
	expire(400);
	ck_assert_uint_eq(n_seen, 0);
	expire(549);
	ck_assert_uint_eq(n_seen, 0);
	expire(550);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(seen[0].life, IPSP_LIFE_IDLE);
	ck_assert_uint_eq(sa->state, IPSP_SA_DEAD);
}
END_TEST

START_TEST(test_traffic_one_way_keeps_both_directions)
{
	struct ipsp_sa_config out = config(IPSP_OUTBOUND, 4096), in = config(IPSP_INBOUND, 5000);
	struct ipsp_sa *busy;

	out.idle_s = in.idle_s = 300;
	out.idle_with = 5000;
	in.idle_with = 4096;
	busy = must_add(&in, 100);
	(void)must_add(&out, 100);
	carry(busy, 1, 100, 250);
	expire(549);
	ck_assert_uint_eq(n_seen, 0);
	expire(550);
	ck_assert_uint_eq(n_seen, 2);
	ck_assert_uint_eq(seen[0].life, IPSP_LIFE_IDLE);
	ck_assert_uint_eq(seen[1].life, IPSP_LIFE_IDLE);
}
END_TEST

START_TEST(test_an_sa_that_packets_noted_may_go_before_anyone_looks)
{
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 4096);
	struct ipsp_sa *sa;

	c.soft_packets = 1;
	sa = must_add(&c, 100);
	carry(sa, 1, 1, 100);
	ck_assert_ptr_eq(ipsp_sad_remove(sad, sa->id), sa);
	ipsp_sad_forget_notes(sad);
	ipsp_sa_free(sad, sa);
	expire(200);
	ck_assert_uint_eq(n_seen, 0);
}
END_TEST

enum { MANY = 3000 };
static uint64_t ended_s[MANY];
static uint64_t now;

static void note_end(void *arg, const struct ipsp_life_event *e)
{
	(void)arg;
	ck_assert_uint_eq(ended_s[e->sa->spi - 256], 0);
	ended_s[e->sa->spi - 256] = now;
}

START_TEST(test_thousands_of_lifetimes_end_each_at_its_second)
{
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 0);
	static uint64_t lives[MANY], ids[MANY];

	srand(1);
	memset(ended_s, 0, sizeof(ended_s));
	for (uint32_t i = 0; i < MANY; i++) {
		c.spi = 256 + i;
		lives[i] = c.life_s = 1 + (unsigned)rand() % 500;
		ids[i] = must_add(&c, 0)->id;
	}
	for (uint32_t i = 0; i < MANY; i += 3) {
		ipsp_sa_free(sad, ipsp_sad_remove(sad, ids[i]));
		lives[i] = 0;
	}
	for (now = 1; now <= 501; now++)
		ipsp_sad_expire(sad, now, note_end, NULL);
	ck_assert_mem_eq(ended_s, lives, sizeof(lives));
}
END_TEST

/* ---- walks ---- */

START_TEST(test_a_walk_goes_on_while_sas_come_and_go)
{
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 0);
	static bool walked[1000];
	struct ipsp_sad_cursor cursor;
	const struct ipsp_sa *sa;
	unsigned n = 0;

	for (uint32_t i = 0; i < 500; i++) {
		c.spi = 1000 + i;
		must_add(&c, 0);
	}
	ipsp_sad_cursor_init(&cursor, sad);
	while ((sa = ipsp_sad_cursor_next(&cursor))) {
		const uint32_t i = sa->spi - 1000;
		const struct ipsp_sa_name after = { IPSP_PROTO_ESP, sa->spi + 1, peer };
		struct ipsp_sa *gone = ipsp_sad_find_name(sad, &after);

		ck_assert(!walked[i]);
		walked[i] = true;
		n++;
		/* The one walked, and the one the cursor rests at. */
		ipsp_sa_free(sad, ipsp_sad_remove(sad, sa->id));
		if (gone && i % 10 == 0)
			ipsp_sa_free(sad, ipsp_sad_remove(sad, gone->id));
		if (i < 500) {
			c.spi = 1500 + i;
			must_add(&c, 0);
		}
	}
	ipsp_sad_cursor_fini(&cursor);
	ck_assert_uint_eq(ipsp_sad_count(sad), 0);
	ck_assert_uint_ge(n, 800);
}
END_TEST

START_TEST(test_many_sas_are_all_found_as_the_indexes_grow)
{
	enum { N = 20000 };
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 0);
	static uint64_t ids[N];
	struct ipsp_sa_name name = { IPSP_PROTO_ESP, 0, peer };

	for (uint32_t i = 0; i < N; i++) {
		c.spi = 256 + i;
		ids[i] = must_add(&c, 0)->id;
		if (i % 4 == 3) {
			ipsp_sa_free(sad, ipsp_sad_remove(sad, ids[i - 1]));
			ipsp_sad_free_garbage(sad, ipsp_sad_take_garbage(sad));
		}
	}
	for (uint32_t i = 0; i < N; i++) {
		const struct ipsp_sa *sa = ipsp_sad_find(sad, ids[i]);

		name.spi = 256 + i;
		ck_assert_ptr_eq(ipsp_sad_find_name(sad, &name), sa);
		ck_assert((sa == NULL) == (i % 4 == 2));
	}
}
END_TEST

/* The outbound SA that packets to the peer go through now. */
static const struct ipsp_sa *carries(uint64_t now_s)
{
	static const struct ipsp_flow flow = {
		.family = 4, .src = { 4, { 10, 1, 0, 1 } }, .dst = { 4, { 10, 2, 0, 1 } },
		.proto = 17, .sport = 1, .dport = 2, .proto_known = true, .ports_known = true,
	};
	const struct ipsp_sa_query q = {
		.proto = IPSP_PROTO_ESP, .mode = IPSP_MODE_TRANSPORT, .remote = peer, .flow = &flow,
	};

	return ipsp_sad_find_traffic(sad, &q, now_s);
}

/* The outbound tunnel that a packet to 10.2.0.host goes through, wherever the other end is, or only to there. */
static const struct ipsp_sa *tunnel_to(uint8_t host, const struct ipsp_addr *remote)
{
	const struct ipsp_flow flow = {
		.family = 4, .src = { 4, { 10, 1, 0, 1 } }, .dst = { 4, { 10, 2, 0, host } },
		.proto = 17, .sport = 1, .dport = 2, .proto_known = true, .ports_known = true,
	};
	struct ipsp_sa_query q = {
		.reqid = 7, .proto = IPSP_PROTO_ESP, .mode = IPSP_MODE_TUNNEL, .flow = &flow,
	};

	if (remote)
		q.remote = *remote;
	return ipsp_sad_find_traffic(sad, &q, 0);
}

START_TEST(test_a_tunnel_is_found_by_its_selectors_wherever_its_peer_is)
{
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 256);
	struct ipsp_addr elsewhere = peer;
	struct ipsp_sa *one, *two;

	elsewhere.octets[3]++;
	c.mode = IPSP_MODE_TUNNEL;
	c.df = IPSP_DF_COPY;
	c.reqid = 7;
	ipsp_selector_any(4, &c.sel);
	c.sel.dst_lo = c.sel.dst_hi = (struct ipsp_addr){ 4, { 10, 2, 0, 1 } };
	one = must_add(&c, 0);
	c.spi = 257;
	c.remote = elsewhere;
	c.sel.dst_lo.octets[3] = c.sel.dst_hi.octets[3] = 2;
	two = must_add(&c, 0);
	ck_assert_ptr_eq(tunnel_to(1, NULL), one);
	ck_assert_ptr_eq(tunnel_to(2, NULL), two);
	ck_assert_ptr_null(tunnel_to(3, NULL));
	/* Where a peer is named it must be that one, and of two for the same packets each is found. */
	ck_assert_ptr_eq(tunnel_to(1, &peer), one);
	ck_assert_ptr_null(tunnel_to(1, &elsewhere));
	c.spi = 258;
	c.sel.dst_lo.octets[3] = c.sel.dst_hi.octets[3] = 1;
	two = must_add(&c, 0);
	ck_assert_ptr_eq(tunnel_to(1, &peer), one);
	ck_assert_ptr_eq(tunnel_to(1, &elsewhere), two);
	ck_assert_ptr_eq(tunnel_to(1, NULL), two);
}
END_TEST

START_TEST(test_of_many_sas_to_one_peer_the_newest_usable_carries)
{
	enum { N = 1000 };
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 0);
	struct ipsp_sa *all[N], *changed;

	for (uint32_t i = 0; i < N; i++) {
		c.spi = 256 + i;
		c.life_s = i == N - 2 ? 5 : 0;
		all[i] = must_add(&c, 0);
		ck_assert_ptr_eq(carries(0), all[i]);
	}
	/* One among them goes, and the newest, and the one behind it is over by then. */
	ipsp_sa_free(sad, ipsp_sad_remove(sad, all[N - 3]->id));
	ck_assert_ptr_eq(carries(0), all[N - 1]);
	ipsp_sa_free(sad, ipsp_sad_remove(sad, all[N - 1]->id));
	ck_assert_ptr_eq(carries(4), all[N - 2]);
	ck_assert_ptr_eq(carries(5), all[N - 4]);
	/* One that changes keeps its place; one that comes from another reqid has that of its age. */
	c.life_s = 9;
	ck_assert_int_eq(ipsp_sad_change(sad, all[0], &c, &changed), IPSP_OK);
	ipsp_sa_free(sad, all[0]);
	all[0] = changed;
	ck_assert_ptr_eq(carries(5), all[N - 4]);
	c.reqid = 7;
	ck_assert_int_eq(ipsp_sad_change(sad, all[500], &c, &changed), IPSP_OK);
	ipsp_sa_free(sad, all[500]);
	c.reqid = 0;
	ck_assert_int_eq(ipsp_sad_change(sad, changed, &c, &all[500]), IPSP_OK);
	ipsp_sa_free(sad, changed);
	for (uint32_t i = N - 4; i > 0; i--) {
		ck_assert_ptr_eq(carries(5), all[i]);
		ipsp_sa_free(sad, ipsp_sad_remove(sad, all[i]->id));
	}
	ck_assert_ptr_eq(carries(5), all[0]);
	ck_assert_ptr_null(carries(9));
}
END_TEST

static struct ipsp_sa *add_tunnel(uint32_t cpi, uint32_t reqid, uint64_t next_id)
{
	struct ipsp_sa_config c = config(IPSP_INBOUND, cpi);

	c.proto = IPSP_PROTO_IPCOMP;
	c.mode = IPSP_MODE_TUNNEL;
	c.df = IPSP_DF_COPY;
	c.encr = IPSP_COMP_DEFLATE;
	c.integ = 0;
	c.integ_key.len = 0;
	c.replay = false;
	c.reqid = reqid;
	c.next_id = next_id;
	return must_add(&c, 10);
}

static const struct ipsp_sa *tunnel(uint32_t reqid, uint64_t now_s)
{
	const struct ipsp_flow outer = { .family = 4, .src = peer, .dst = ours };

	return ipsp_sad_find_tunnel(sad, reqid, &outer, &outer, now_s);
}

START_TEST(test_a_tunnel_without_compression_is_found_by_its_ends)
{
	const struct ipsp_flow from_us = { .family = 4, .src = ours, .dst = peer };
	struct ipsp_sa *first, *second, *bound;

	ck_assert_ptr_null(tunnel(7, 10));
	bound = add_tunnel(300, 7, 1u << 20);	/* it is known by the SA that it names */
	ck_assert_ptr_null(tunnel(7, 10));
	first = add_tunnel(301, 7, 0);
	second = add_tunnel(302, 8, 0);
	ck_assert_ptr_eq(tunnel(7, 10), first);
	ck_assert_ptr_eq(tunnel(8, 10), second);
	ck_assert_ptr_eq(tunnel(9, 10), second);
	ck_assert_ptr_null(ipsp_sad_find_tunnel(sad, 7, &from_us, &from_us, 10));
	ck_assert_int_eq(ipsp_sad_set_state(sad, second->id, IPSP_SA_DEAD), IPSP_OK);
	ck_assert_ptr_eq(tunnel(8, 10), first);
	ipsp_sa_free(sad, ipsp_sad_remove(sad, bound->id));
	ck_assert_ptr_eq(tunnel(7, 10), first);
	ipsp_sa_free(sad, ipsp_sad_remove(sad, first->id));
	ck_assert_ptr_null(tunnel(7, 10));
}
END_TEST

START_TEST(test_without_memory_nothing_is_half_there)
{
	const struct ipsp_spi_request r = request(256, UINT32_MAX);
	struct ipsp_sa_config c = config(IPSP_OUTBOUND, 4096);
	enum ipsp_err err = IPSP_ENOMEM;
	struct ipsp_sa *sa;

	for (long n = 0; err != IPSP_OK; n++) {
		memory.fail_at = n;
		err = ipsp_sad_getspi(sad, &r, 10, &sa);
		ck_assert_uint_eq(ipsp_sad_count(sad), err == IPSP_OK);
	}
	err = IPSP_ENOMEM;
	for (long n = 0; err != IPSP_OK; n++) {
		memory.fail_at = n;
		err = add(&c, NULL, 10, &sa);
		ck_assert_uint_eq(ipsp_sad_count(sad), 1 + (err == IPSP_OK));
	}
	memory.fail_at = -1;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sad/negotiated");
	TCase *tc = tcase_create("negotiated");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_test(tc, test_ten_thousand_spis_differ_and_none_is_reserved);
	tcase_add_test(tc, test_a_range_is_used_up_to_its_last_spi);
	tcase_add_loop_test(tc, test_requests_for_spis_that_cannot_be_are_refused, 0,
			    sizeof(bad_requests) / sizeof(bad_requests[0]));
	tcase_add_test(tc, test_policy_and_key_managers_share_the_spis_of_an_address);
	tcase_add_test(tc, test_keys_make_a_larval_sa_mature_in_its_place);
	tcase_add_test(tc, test_outbound_sas_are_one_by_spi_and_destination);
	tcase_add_test(tc, test_a_changed_sa_keeps_its_keys_numbers_and_counts);
	tcase_add_test(tc, test_a_changed_sa_goes_into_udp_and_out_of_it);
	tcase_add_test(tc, test_soft_comes_before_hard_and_each_once);
	tcase_add_test(tc, test_a_larval_sa_dies_when_no_keys_come);
	tcase_add_test(tc, test_packets_and_octets_use_an_sa_up);
	tcase_add_test(tc, test_seconds_of_use_count_from_the_first_packet);
	tcase_add_test(tc, test_an_idle_sa_ends_and_a_busy_one_does_not);
	tcase_add_test(tc, test_traffic_one_way_keeps_both_directions);
	tcase_add_test(tc, test_an_sa_that_packets_noted_may_go_before_anyone_looks);
	tcase_add_test(tc, test_thousands_of_lifetimes_end_each_at_its_second);
	tcase_add_test(tc, test_a_walk_goes_on_while_sas_come_and_go);
	tcase_add_test(tc, test_many_sas_are_all_found_as_the_indexes_grow);
	tcase_add_test(tc, test_a_tunnel_is_found_by_its_selectors_wherever_its_peer_is);
	tcase_add_test(tc, test_of_many_sas_to_one_peer_the_newest_usable_carries);
	tcase_add_test(tc, test_a_tunnel_without_compression_is_found_by_its_ends);
	tcase_add_test(tc, test_without_memory_nothing_is_half_there);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
