/*
 * tests/unit/engine/check_hiding.c - what hides traffic (random padding, dummy packets), and choices
 * about padding, numbers and flow labels. ESP with NULL encryption shows what is inside.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/resync.h"
#include "ipsp/flow.h"
#include "spd/octets.h"
#include "tests/unit/engine/world.h"

#define NOW 1000u
#define ICV 12u

/* The world's own random octets are the same at each call. */
static enum ipsp_err draw(void *ctx, uint8_t *out, size_t len)
{
	(void)ctx;
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(random() >> 8);
	return IPSP_OK;
}

static void begin(struct world *w)
{
	world_init(w);
	srandom(4303);
	w->memory.platform.random = draw;
}

static const struct world_rule protect_out = { 9, IPSP_PROTECT, 1, IPSP_PORT_NONE, false };

static struct ipsp_sa_config tunnel(enum ipsp_dir dir)
{
	struct ipsp_sa_config sa = world_sa(1, dir, 0x1000);

	sa.mode = IPSP_MODE_TUNNEL;
	sa.df = IPSP_DF_COPY;
	return sa;
}

static struct ipsp_sa *install(struct world *w, const struct ipsp_sa_config *sa)
{
	enum ipsp_err result;

	ck_assert_int_eq(world_apply(w, &protect_out, 1, sa, 1, &result), IPSP_OK);
	ck_assert_int_eq(result, IPSP_OK);
	return ipsp_sad_find(ipsp_engine_sad(w->engine), 1);
}

/* Octets between the inner packet and the ESP padding. */
static uint32_t tfc_of(const struct ipsp_packet *p)
{
	const uint8_t *inner = p->data + 20 + 8;
	const uint8_t *trailer = p->data + p->len - ICV - 2;

	ck_assert_uint_eq(trailer[1], 4);
	return (uint32_t)(trailer - trailer[0] - inner) - get_be16(inner + 2);
}

START_TEST(test_hiding_random_padding_spreads_over_its_range)
{
	struct world w;
	struct ipsp_sa_config sa = tunnel(IPSP_OUTBOUND);
	unsigned zero = 0, high = 0;
	uint64_t sum = 0;

	begin(&w);
	sa.tfc_random = 255;
	install(&w, &sa);
	for (unsigned i = 0; i < 1000; i++) {
		struct ipsp_packet p;

		world_udp(&p, IPSP_OUTBOUND, 80, 40);
		uint8_t *const room = calloc(1, 1024);

		memcpy(room + IPSP_HEADROOM, p.data, p.len);
		world_packet_free(&p);
		p.room = room;
		p.data = room + IPSP_HEADROOM;
		p.room_len = 1024;
		ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
		const uint32_t more = tfc_of(&p);

		ck_assert_uint_le(more, 255);
		zero += more < 16;
		high += more > 239;
		sum += more;
		world_packet_free(&p);
	}
	/* The mean of 1000 even draws of 0..255 is 127.5 but for a deviation of 2.3. */
	ck_assert_uint_gt(sum, 110 * 1000);
	ck_assert_uint_lt(sum, 145 * 1000);
	ck_assert_uint_gt(zero, 10);
	ck_assert_uint_gt(high, 10);
	world_fini(&w);
}
END_TEST

START_TEST(test_hiding_what_has_no_room_for_padding_goes_without)
{
	struct world w;
	struct ipsp_sa_config sa = tunnel(IPSP_OUTBOUND);
	struct ipsp_packet p;

	begin(&w);
	sa.tfc_random = 255;
	install(&w, &sa);
	for (unsigned i = 0; i < 50; i++) {
		world_udp(&p, IPSP_OUTBOUND, 80, 40);	/* a buffer of IPSP_TAILROOM behind it */
		ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
		ck_assert_uint_le(tfc_of(&p), IPSP_TAILROOM);
		world_packet_free(&p);
	}
	world_fini(&w);
}
END_TEST

START_TEST(test_hiding_padding_and_dummies_are_for_esp_tunnels)
{
	struct world w;
	struct ipsp_sa_config sa = world_sa(1, IPSP_OUTBOUND, 0x1000);
	enum ipsp_err result;

	begin(&w);
	sa.tfc_random = 10;
	ck_assert_int_eq(world_apply(&w, &protect_out, 1, &sa, 1, &result), IPSP_OK);
	ck_assert_int_eq(result, IPSP_EINVAL);
	sa.tfc_random = 0;
	sa.dummy_s = 30;
	ck_assert_int_eq(world_apply(&w, &protect_out, 1, &sa, 1, &result), IPSP_OK);
	ck_assert_int_eq(result, IPSP_EINVAL);
	world_fini(&w);
}
END_TEST

static void make_room(struct ipsp_packet *p, uint32_t len)
{
	*p = (struct ipsp_packet){ .room_len = IPSP_HEADROOM + len + IPSP_TAILROOM };
	p->room = calloc(1, p->room_len);
}

START_TEST(test_hiding_a_dummy_is_esp_with_next_header_59)
{
	struct world w;
	struct ipsp_sa_config sa = tunnel(IPSP_OUTBOUND);
	bool lengths[16] = { false };
	unsigned n_lengths = 0;

	begin(&w);
	sa.dummy_s = 30;
	sa.dummy_len = 15;
	const struct ipsp_sa *const in_force = install(&w, &sa);

	for (unsigned i = 0; i < 300; i++) {
		struct ipsp_packet p;

		make_room(&p, 15);
		ck_assert_int_eq(ipsp_engine_dummy(w.worker, 1, &p, NOW), IPSP_OK);
		ck_assert_uint_eq(p.verdict, IPSP_VERDICT_ESP_OUT);
		ck_assert_uint_eq(p.data[9], IPSP_PROTO_ESP);
		ck_assert_uint_eq(get_be32(p.data + 20), 0x1000);
		ck_assert_uint_eq(get_be32(p.data + 24), i + 1);
		const uint8_t *const trailer = p.data + p.len - ICV - 2;
		const uint32_t len = p.len - ICV - 2 - trailer[0] - 28;

		ck_assert_uint_eq(trailer[1], 59);
		ck_assert_uint_le(len, 15);
		lengths[len] = true;
		world_packet_free(&p);
	}
	for (unsigned i = 0; i < 16; i++)
		n_lengths += lengths[i];
	ck_assert_uint_eq(n_lengths, 16);
	ck_assert_uint_eq(atomic_load(&in_force->dummies), 300);
	ck_assert_uint_eq(atomic_load(&in_force->last_used_s), 0);
	world_fini(&w);
}
END_TEST

static struct {
	unsigned n;
	size_t len;
	uint8_t octets[IPSP_DUMMY_LEN_MAX];
} heard;

static void on_dummy(void *ctx, const struct ipsp_dummy_event *event)
{
	(void)ctx;
	heard.n++;
	heard.len = event->octets.len;
	memcpy(heard.octets, event->octets.data, event->octets.len);
}

START_TEST(test_hiding_a_received_dummy_is_counted_and_goes_nowhere)
{
	struct world w;
	struct ipsp_sa_config sas[2] = { tunnel(IPSP_OUTBOUND), tunnel(IPSP_INBOUND) };
	enum ipsp_err results[2];
	uint8_t sent[IPSP_DUMMY_LEN_MAX];
	struct ipsp_packet p;

	begin(&w);
	w.config.events.dummy = on_dummy;
	world_restart(&w);
	heard.n = 0;
	sas[0].dummy_s = 30;
	sas[0].dummy_len = 64;
	sas[1].id = sas[1].counter_id = 2;
	sas[1].spi = 0x2000;
	ck_assert_int_eq(world_apply(&w, &protect_out, 1, sas, 2, results), IPSP_OK);
	make_room(&p, 64);
	ck_assert_int_eq(ipsp_engine_dummy(w.worker, 1, &p, NOW), IPSP_OK);
	p.data[15] = 2;
	p.data[19] = 1;
	/* The SPI is under the ICV: an SA of the same keys that is inbound. */
	sas[1].spi = 0x1000;
	ck_assert_int_eq(world_apply(&w, &protect_out, 1, &sas[1], 1, results), IPSP_OK);
	p.ifindex = WORLD_IF;
	const uint8_t *const text = p.data + 20 + 8, *const trailer = p.data + p.len - ICV - 2;
	const size_t len = (size_t)(trailer - text) - trailer[0];

	ck_assert_uint_gt(len, 0);
	memcpy(sent, text, len);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), IPSP_REASON_DUMMY);
	ck_assert_uint_eq(p.verdict, IPSP_VERDICT_DROP);
	const struct ipsp_sa *const in = ipsp_sad_find(ipsp_engine_sad(w.engine), 2);

	ck_assert_uint_eq(atomic_load(&in->dummies), 1);
	ck_assert_uint_eq(atomic_load(&in->drops_other), 0);
	ck_assert_uint_eq(w.audits, 0);
	ck_assert_uint_eq(heard.n, 1);
	ck_assert_uint_eq(heard.len, len);
	ck_assert_mem_eq(heard.octets, sent, len);
	world_packet_free(&p);
	world_fini(&w);
}
END_TEST

START_TEST(test_hiding_dummies_of_unfit_sas_are_refused)
{
	struct world w;
	struct ipsp_sa_config sa = world_sa(1, IPSP_OUTBOUND, 0x1000);
	struct ipsp_packet p;

	begin(&w);
	make_room(&p, 15);
	install(&w, &sa);
	ck_assert_int_eq(ipsp_engine_dummy(w.worker, 1, &p, NOW), IPSP_EINVAL);
	ck_assert_int_eq(ipsp_engine_dummy(w.worker, 5, &p, NOW), IPSP_EINVAL);
	sa = tunnel(IPSP_OUTBOUND);
	sa.dummy_s = 30;
	sa.dummy_len = 16;
	install(&w, &sa);
	ck_assert_int_eq(ipsp_engine_dummy(w.worker, 1, &p, NOW), IPSP_ENOSPC);
	ck_assert_uint_eq(p.reason, IPSP_REASON_NO_ROOM);
	world_packet_free(&p);
	world_fini(&w);
}
END_TEST

static unsigned n_sent;
static uint64_t sent_at[100], clock_s;

static void note_send(void *arg, uint64_t sa_id)
{
	(void)arg;
	ck_assert_uint_eq(sa_id, 1);
	sent_at[n_sent++] = clock_s;
}

START_TEST(test_hiding_dummies_are_due_at_odd_times_never_further_apart_than_asked)
{
	struct world w;
	struct ipsp_sa_config sa = tunnel(IPSP_OUTBOUND);
	bool differs = false;

	begin(&w);
	sa.dummy_s = 30;
	install(&w, &sa);
	n_sent = 0;
	for (clock_s = NOW; clock_s < NOW + 600; clock_s++)
		ipsp_engine_dummies(w.engine, clock_s, note_send, NULL);
	ck_assert_uint_ge(n_sent, 19);
	ck_assert_uint_le(sent_at[0], NOW + 30);
	for (unsigned i = 1; i < n_sent; i++) {
		const uint64_t gap = sent_at[i] - sent_at[i - 1];

		ck_assert_uint_ge(gap, 1);
		ck_assert_uint_le(gap, 30);
		differs |= i > 1 && gap != sent_at[i - 1] - sent_at[i - 2];
	}
	ck_assert(differs);
	world_fini(&w);
}
END_TEST

START_TEST(test_hiding_an_outer_flow_label_is_chosen_or_copied)
{
	static const uint32_t labels[][2] = {
		/* chosen, expected */
		{ 0, 0 }, { 0x12345, 0x12345 }, { IPSP_FLOW_COPY, 0xabcde },
	};
	struct world w;
	struct ipsp_sa_config sa = tunnel(IPSP_OUTBOUND);
	struct ipsp_selector box;
	struct ipsp_spd_entry entry = { .id = 9, .action = IPSP_PROTECT, .sa_id = 1,
					.n_selectors = 1, .selectors = &box };
	struct ipsp_spd_list list = { .ifindex = WORLD_IF, .dir = IPSP_OUTBOUND, .n_entries = 1,
				      .entries = &entry };
	struct ipsp_packet p;
	enum ipsp_err result;

	begin(&w);
	ipsp_selector_any(6, &box);
	sa.local = (struct ipsp_addr){ 6, { 0x20, 1, [15] = 1 } };
	sa.remote = (struct ipsp_addr){ 6, { 0x20, 1, [15] = 2 } };
	sa.flow_label = labels[_i][0];
	const struct ipsp_update update = {
		.spd = { .generation = 1, .full = true, .n_lists = 1, .lists = &list },
		.n_sas = 1, .sas = &sa,
	};

	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, NOW, &result), IPSP_OK);
	ck_assert_int_eq(result, IPSP_OK);
	make_room(&p, 48);
	p.data = p.room + IPSP_HEADROOM;
	p.len = 48;
	p.ifindex = WORLD_IF;
	put_be32(p.data, 6u << 28 | 0xabcde);
	put_be16(p.data + 4, 8);
	p.data[6] = 17;
	p.data[7] = 64;
	p.data[23] = 1;
	p.data[39] = 2;
	put_be16(p.data + 44, 8);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	ck_assert_uint_eq(get_be32(p.data) & IPSP_FLOW_MAX, labels[_i][1]);
	world_packet_free(&p);
	world_fini(&w);
}
END_TEST

START_TEST(test_hiding_numbers_go_on_from_zero_only_where_that_is_asked_for)
{
	struct world w;
	struct ipsp_sa_config sa = world_sa(1, IPSP_OUTBOUND, 0x1000);
	struct ipsp_packet p;

	begin(&w);
	sa.seq_rollover = _i;
	sa.seq_floor = UINT32_MAX - 1;
	install(&w, &sa);
	for (uint64_t seq = UINT32_MAX; seq < UINT32_MAX + UINT64_C(3); seq++) {
		world_udp(&p, IPSP_OUTBOUND, 80, 0);
		if (_i || seq == UINT32_MAX) {
			ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
			ck_assert_uint_eq(get_be32(p.data + 24), (uint32_t)seq);
		} else {
			ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p),
					 IPSP_REASON_SEQ_EXHAUSTED);
		}
		world_packet_free(&p);
	}
	sa.esn = true;
	sa.seq_rollover = true;
	enum ipsp_err result;

	ck_assert_int_eq(world_apply(&w, &protect_out, 1, &sa, 1, &result), IPSP_OK);
	ck_assert_int_eq(result, IPSP_EINVAL);
	world_fini(&w);
}
END_TEST

/* A packet of an SA with 64-bit numbers, as its sender makes it after so many of them. */
static void esn_packet(struct ipsp_packet *p, uint64_t after)
{
	struct world peer;
	struct ipsp_sa_config sa = world_sa(1, IPSP_OUTBOUND, 0x1000);

	world_init(&peer);
	sa.esn = true;
	sa.seq_floor = after;
	install(&peer, &sa);
	world_udp(p, IPSP_OUTBOUND, 80, 8);
	ck_assert_int_eq(world_pass(&peer, IPSP_OUTBOUND, p), IPSP_REASON_NONE);
	p->data[15] = 2;
	p->data[19] = 1;
	world_fini(&peer);
}

static enum ipsp_reason take(struct world *w, uint64_t after, uint64_t now_s)
{
	struct ipsp_packet p;

	esn_packet(&p, after);
	ipsp_engine_inbound(w->worker, &p, 1, now_s);
	world_packet_free(&p);
	return (enum ipsp_reason)p.reason;
}

static void install_esn(struct world *w, struct ipsp_sa_config *sa)
{
	world_init(w);
	*sa = world_sa(1, IPSP_INBOUND, 0x1000);
	sa->esn = true;
	install(w, sa);
	ck_assert_int_eq(take(w, 99, NOW), IPSP_REASON_NONE);
}

START_TEST(test_hiding_a_lost_high_half_is_found_again_after_enough_failures)
{
	/* Three times 2^32 packets were lost at a stretch. */
	const uint64_t far = UINT64_C(3) << 32;
	struct world w;
	struct ipsp_sa_config sa;

	install_esn(&w, &sa);
	for (unsigned i = 0; i < IPSP_RESYNC_AFTER; i++)
		ck_assert_int_eq(take(&w, far + 100 + i, NOW), IPSP_REASON_ICV);
	ck_assert_int_eq(take(&w, far + 200, NOW), IPSP_REASON_NONE);
	/* The window has moved: the next one needs no search, and the first is behind. */
	ck_assert_int_eq(take(&w, far + 201, NOW), IPSP_REASON_NONE);
	ck_assert_int_eq(take(&w, far + 201, NOW), IPSP_REASON_REPLAY);
	world_fini(&w);
}
END_TEST

START_TEST(test_hiding_forged_packets_are_tried_once_a_second_and_move_nothing)
{
	const uint64_t far = UINT64_C(1) << 32;
	struct world w;
	struct ipsp_sa_config sa;
	struct ipsp_packet p;

	install_esn(&w, &sa);
	for (unsigned i = 0; i < 2 * IPSP_RESYNC_AFTER; i++) {
		esn_packet(&p, far + 1000 + i);
		p.data[p.len - 1] ^= 1;
		ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), IPSP_REASON_ICV);
		world_packet_free(&p);
	}
	/* This second's try is gone; the next second has one. */
	ck_assert_int_eq(take(&w, far + 5000, NOW), IPSP_REASON_ICV);
	ck_assert_int_eq(take(&w, 100, NOW), IPSP_REASON_NONE);
	ck_assert_int_eq(take(&w, far + 5000, NOW + 1), IPSP_REASON_ICV);
	world_fini(&w);
}
END_TEST

START_TEST(test_hiding_more_than_the_bound_is_never_found)
{
	struct world w;
	struct ipsp_sa_config sa;

	install_esn(&w, &sa);
	for (unsigned i = 0; i < IPSP_RESYNC_AFTER + 8; i++)
		ck_assert_int_eq(take(&w, ((uint64_t)IPSP_RESYNC_TRIES + 2) << 32 | (100 + i),
				      NOW + i), IPSP_REASON_ICV);
	world_fini(&w);
}
END_TEST

/* Padding of zeros, sealed by hand: HMAC-SHA1-96 is the provider's. */
START_TEST(test_hiding_padding_of_any_octets_is_taken_only_where_that_is_asked_for)
{
	struct world w;
	struct ipsp_sa_config sa = world_sa(1, IPSP_OUTBOUND, 0x1000);
	struct ipsp_packet p;
	struct ipsp_crypto_shape shape;
	struct ipsp_crypto_ctx *ctx;

	begin(&w);
	install(&w, &sa);
	world_udp(&p, IPSP_OUTBOUND, 80, 0);	/* 8 octets, so that two of padding follow */
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_NONE);
	uint8_t *const esp = p.data + 20;

	ck_assert_uint_eq(esp[8 + 8 + 2], 2);
	esp[8 + 8] = esp[8 + 9] = 0;
	const struct ipsp_crypto *const crypto = w.memory.platform.crypto;

	ck_assert_int_eq(crypto->shape(IPSP_PROTO_ESP, sa.encr, 0, sa.integ, &shape), IPSP_OK);
	ck_assert_int_eq(crypto->ctx_new(&sa, 1, &ctx), IPSP_OK);
	struct ipsp_crypto_op op = ipsp_crypto_op_at(esp, &shape, 12);

	crypto->seal(ctx, 0, &op, 1);
	crypto->ctx_free(ctx);
	p.data[15] = 2;
	p.data[19] = 1;
	sa = world_sa(1, IPSP_INBOUND, 0x1000);
	sa.pad_unchecked = _i;
	install(&w, &sa);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &p), _i ? IPSP_REASON_NONE :
								IPSP_REASON_PADDING);
	world_packet_free(&p);
	world_fini(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hiding");
	TCase *t = tcase_create("traffic");

	tcase_add_test(t, test_hiding_random_padding_spreads_over_its_range);
	tcase_add_test(t, test_hiding_what_has_no_room_for_padding_goes_without);
	tcase_add_test(t, test_hiding_padding_and_dummies_are_for_esp_tunnels);
	tcase_add_test(t, test_hiding_a_dummy_is_esp_with_next_header_59);
	tcase_add_test(t, test_hiding_a_received_dummy_is_counted_and_goes_nowhere);
	tcase_add_test(t, test_hiding_dummies_of_unfit_sas_are_refused);
	tcase_add_test(t, test_hiding_dummies_are_due_at_odd_times_never_further_apart_than_asked);
	tcase_add_loop_test(t, test_hiding_an_outer_flow_label_is_chosen_or_copied, 0, 3);
	tcase_add_loop_test(t, test_hiding_padding_of_any_octets_is_taken_only_where_that_is_asked_for,
			    0, 2);
	suite_add_tcase(s, t);
	t = tcase_create("numbers");
	tcase_add_loop_test(t, test_hiding_numbers_go_on_from_zero_only_where_that_is_asked_for, 0,
			    2);
	tcase_add_test(t, test_hiding_a_lost_high_half_is_found_again_after_enough_failures);
	tcase_add_test(t, test_hiding_forged_packets_are_tried_once_a_second_and_move_nothing);
	tcase_add_test(t, test_hiding_more_than_the_bound_is_never_found);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
