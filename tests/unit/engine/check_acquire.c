/*
 * tests/unit/engine/check_acquire.c - entries whose SAs a key manager makes: packets that wait, who is
 * asked and when, which SA a packet gets, and which it may come out of. The key manager is the test.
 * RFC 4301 4.4.1, 5.1, 5.2; RFC 2367 3.1.6.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/engine/world.h"

#define REQID 7u

static struct world w;

static struct ipsp_acquire asked, over;
static enum ipsp_acquire_end over_why;
static unsigned n_asked, n_over;

static void on_acquire(void *ctx, const struct ipsp_acquire *a)
{
	(void)ctx;
	asked = *a;
	n_asked++;
}

static void on_over(void *ctx, const struct ipsp_acquire *a, enum ipsp_acquire_end why)
{
	(void)ctx;
	over = *a;
	over_why = why;
	n_over++;
}

static void setup(void)
{
	n_asked = n_over = 0;
	world_init(&w);
	ipsp_worker_free(w.worker);
	ipsp_engine_free(w.engine);
	w.config.events.acquire = on_acquire;
	w.config.events.acquire_over = on_over;
	w.config.acquire_s = 10;
	ck_assert_int_eq(ipsp_engine_new(&w.config, &w.engine), IPSP_OK);
	ck_assert_int_eq(ipsp_worker_new(w.engine, &w.worker), IPSP_OK);
}

static void teardown(void)
{
	world_fini(&w);
}

static struct ipsp_template template(uint8_t pfp)
{
	return (struct ipsp_template){
		.proto = IPSP_PROTO_ESP, .mode = IPSP_MODE_TRANSPORT, .reqid = REQID, .pfp = pfp,
	};
}

/* Everything by these templates, in both directions. */
static void apply(struct ipsp_spd_entry entry, struct ipsp_template t)
{
	static uint64_t generation = 100;
	struct ipsp_selector any;
	struct ipsp_spd_list lists[2];
	const struct ipsp_update update = {
		.spd = { .generation = ++generation, .full = true, .n_lists = 2, .lists = lists },
	};

	ipsp_selector_any(4, &any);
	entry.id = 5;
	entry.action = IPSP_PROTECT;
	entry.n_selectors = 1;
	entry.selectors = &any;
	entry.n_templates = 1;
	entry.templates = &t;
	for (int i = 0; i < 2; i++)
		lists[i] = (struct ipsp_spd_list){
			.ifindex = WORLD_IF, .dir = (uint8_t)(i ? IPSP_OUTBOUND : IPSP_INBOUND),
			.n_entries = 1, .entries = &entry,
		};
	ck_assert_int_eq(ipsp_engine_apply(w.engine, &update, 1000, NULL), IPSP_OK);
}

static void manager(bool present)
{
	ipsp_engine_set_key_manager(w.engine, present, 1000);
}

/* One packet from 192.0.2.src to 192.0.2.2. @return its verdict */
static enum ipsp_verdict send_from(uint8_t src, uint64_t now_s, struct ipsp_packet *out)
{
	struct ipsp_packet p;

	world_udp(&p, IPSP_OUTBOUND, 80, 100);
	p.data[15] = src;
	ipsp_engine_outbound(w.worker, &p, 1, now_s);
	ipsp_engine_turn(w.engine, now_s);
	world_packet_free(&p);
	if (out)
		*out = p;
	return (enum ipsp_verdict)p.verdict;
}

static enum ipsp_verdict send_one(uint64_t now_s)
{
	return send_from(1, now_s, NULL);
}

static struct ipsp_sa_config sa(enum ipsp_dir dir, uint32_t spi)
{
	struct ipsp_sa_config c = world_sa(0, dir, spi);

	c.counter_id = 0;
	c.origin = IPSP_ORIGIN_PFKEY;
	c.reqid = REQID;
	return c;
}

static uint64_t add(const struct ipsp_sa_config *c)
{
	const struct ipsp_sa *made;

	ck_assert_int_eq(ipsp_engine_sa_add(w.engine, c, 1000, &made), IPSP_OK);
	return made->id;
}

START_TEST(test_without_a_key_manager_packets_drop_and_nobody_is_asked)
{
	struct ipsp_packet p;

	apply((struct ipsp_spd_entry){ 0 }, template(0));
	ck_assert_int_eq(send_from(1, 1000, &p), IPSP_VERDICT_DROP);
	ck_assert_int_eq(p.reason, IPSP_REASON_NO_KEY_MANAGER);
	ck_assert_uint_eq(p.entry_id, 5);
	ck_assert_uint_eq(n_asked + n_over, 0);
}
END_TEST

START_TEST(test_a_thousand_packets_of_one_need_ask_once)
{
	struct ipsp_packet p;

	apply((struct ipsp_spd_entry){ 0 }, template(0));
	manager(true);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(send_from((uint8_t)(1 + i % 200), 1000, &p), IPSP_VERDICT_HOLD);
		ck_assert_uint_ne(p.acquire_id, 0);
		ck_assert_uint_eq(p.acquire_id, asked.id);
	}
	ck_assert_uint_eq(n_asked, 1);
	ck_assert_uint_eq(asked.entry_id, 5);
	ck_assert_uint_eq(asked.n_templates, 1);
	ck_assert_uint_eq(asked.missing, 1);
	ck_assert_uint_eq(asked.attempts, 1);
	ck_assert_uint_ne(asked.seq, 0);
	ck_assert_uint_eq(asked.ifindex, WORLD_IF);
	ck_assert_uint_eq(asked.generation, ipsp_engine_generation(w.engine));
	/* Where the entry leaves it to the packet, it is said. */
	ck_assert_uint_eq(asked.templates[0].remote.octets[3], 2);
	ck_assert_uint_eq(asked.templates[0].local.octets[3], 1);
	ck_assert_uint_eq(asked.sel.src_lo.octets[3], 0);
}
END_TEST

START_TEST(test_packets_go_once_the_sa_is_there_and_use_the_newest)
{
	struct ipsp_sa_config c = sa(IPSP_OUTBOUND, 0x1000);
	const struct ipsp_sa_name newer = { IPSP_PROTO_ESP, 0x2000, { 4, { 192, 0, 2, 2 } } };
	struct ipsp_packet p;
	uint64_t first, second;

	apply((struct ipsp_spd_entry){ 0 }, template(0));
	manager(true);
	send_one(1000);
	first = add(&c);
	ck_assert_uint_eq(n_over, 1);
	ck_assert_int_eq(over_why, IPSP_ACQUIRE_DONE);
	ck_assert_uint_eq(over.id, asked.id);
	ck_assert_int_eq(send_from(1, 1000, &p), IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(p.sa->id, first);
	c.spi = 0x2000;
	second = add(&c);
	ck_assert_int_eq(send_from(1, 1000, &p), IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(p.sa->id, second);
	/* It is deleted again: the old one is as good as it was. */
	ck_assert_int_eq(ipsp_engine_sa_delete(w.engine, &newer), IPSP_OK);
	ck_assert_int_eq(send_from(1, 1000, &p), IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(p.sa->id, first);
	ck_assert_uint_eq(n_asked, 1);
}
END_TEST

/* A tunnel to whoever has an SA for the packet: RFC 4301 4.4.3. */
START_TEST(test_who_has_no_address_is_not_asked_and_found_by_selectors)
{
	struct ipsp_sa_config c = sa(IPSP_OUTBOUND, 0x1000);
	struct ipsp_template t = template(0);
	struct ipsp_packet p;
	uint64_t id;

	t.mode = c.mode = IPSP_MODE_TUNNEL;
	c.df = IPSP_DF_COPY;
	t.anyone = true;
	apply((struct ipsp_spd_entry){ 0 }, t);
	manager(true);
	ck_assert_int_eq(send_from(1, 1000, &p), IPSP_VERDICT_DROP);
	ck_assert_int_eq(p.reason, IPSP_REASON_POLICY_NO_SA);
	ck_assert_uint_eq(n_asked, 0);
	/* One for other packets is none. */
	c.remote = (struct ipsp_addr){ 4, { 203, 0, 113, 9 } };
	ipsp_selector_any(4, &c.sel);
	c.sel.dst_lo = c.sel.dst_hi = (struct ipsp_addr){ 4, { 192, 0, 2, 3 } };
	add(&c);
	ck_assert_int_eq(send_from(1, 1000, &p), IPSP_VERDICT_DROP);
	c.spi = 0x1001;
	c.sel.dst_lo.octets[3] = c.sel.dst_hi.octets[3] = 2;
	id = add(&c);
	ck_assert_int_eq(send_from(1, 1000, &p), IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(p.sa->id, id);
	ck_assert_uint_eq(n_asked, 0);
}
END_TEST

START_TEST(test_sas_of_others_are_not_used)
{
	struct ipsp_sa_config c = sa(IPSP_OUTBOUND, 0x1000);

	apply((struct ipsp_spd_entry){ 0 }, template(0));
	manager(true);
	c.reqid = REQID + 1;
	add(&c);
	c = sa(IPSP_OUTBOUND, 0x1001);
	c.remote.octets[3] = 9;
	add(&c);
	c = sa(IPSP_OUTBOUND, 0x1002);
	c.mode = IPSP_MODE_TUNNEL;
	c.df = IPSP_DF_COPY;
	add(&c);
	c = sa(IPSP_OUTBOUND, 0x1003);
	ipsp_selector_any(4, &c.sel);
	c.sel.dport_lo = c.sel.dport_hi = 81;
	add(&c);
	c = sa(IPSP_INBOUND, 0x1004);
	add(&c);
	ck_assert_int_eq(send_one(1000), IPSP_VERDICT_HOLD);
	ck_assert_uint_eq(n_over, 0);
}
END_TEST

START_TEST(test_populate_from_packet_gives_two_hosts_two_sas)
{
	struct ipsp_sa_config c = sa(IPSP_OUTBOUND, 0x1000);
	struct ipsp_packet p;
	uint64_t first, second;

	apply((struct ipsp_spd_entry){ 0 }, template(IPSP_PFP_SOURCE));
	manager(true);
	ck_assert_int_eq(send_from(1, 1000, NULL), IPSP_VERDICT_HOLD);
	ck_assert_uint_eq(asked.sel.src_lo.octets[3], 1);
	ck_assert_uint_eq(asked.sel.src_hi.octets[3], 1);
	c.sel = asked.sel;
	ck_assert_int_eq(send_from(3, 1000, NULL), IPSP_VERDICT_HOLD);
	ck_assert_uint_eq(n_asked, 2);
	ck_assert_uint_eq(asked.sel.src_lo.octets[3], 3);
	first = add(&c);
	ck_assert_uint_eq(n_over, 1);
	ck_assert_int_eq(send_from(1, 1000, &p), IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(p.sa->id, first);
	ck_assert_int_eq(send_from(3, 1000, NULL), IPSP_VERDICT_HOLD);
	c.sel = asked.sel;
	c.spi = 0x1001;
	c.local.octets[3] = 3;
	second = add(&c);
	ck_assert_uint_eq(n_over, 2);
	ck_assert_int_eq(send_from(3, 1000, &p), IPSP_VERDICT_ESP_OUT);
	ck_assert_uint_eq(p.sa->id, second);
	/* One that is for all of them is not what the entry asks for. */
	ipsp_selector_any(4, &c.sel);
	c.spi = 0x1002;
	add(&c);
	ck_assert_int_eq(send_from(4, 1000, NULL), IPSP_VERDICT_HOLD);
	ck_assert_uint_eq(n_asked, 3);
}
END_TEST

START_TEST(test_who_is_silent_is_asked_again_and_then_left_alone_longer_each_time)
{
	uint64_t now_s = 1000, wait_s = IPSP_ACQUIRE_BACKOFF_S;
	struct ipsp_packet p;

	apply((struct ipsp_spd_entry){ 0 }, template(0));
	manager(true);
	for (unsigned round = 1; round <= 3; round++, wait_s *= 2) {
		n_asked = n_over = 0;
		ck_assert_int_eq(send_one(now_s), IPSP_VERDICT_HOLD);
		for (unsigned i = 1; i <= IPSP_ACQUIRE_ATTEMPTS; i++) {
			ck_assert_uint_eq(n_asked, i);
			ck_assert_uint_eq(asked.attempts, i);
			ipsp_engine_tick(w.engine, now_s + 9);
			ck_assert_uint_eq(n_asked, i);
			now_s += 10;
			ipsp_engine_tick(w.engine, now_s);
		}
		ck_assert_uint_eq(n_over, 1);
		ck_assert_int_eq(over_why, IPSP_ACQUIRE_FAILED);
		ipsp_engine_tick(w.engine, now_s + wait_s - 1);
		ck_assert_int_eq(send_from(1, now_s + wait_s - 1, &p), IPSP_VERDICT_DROP);
		ck_assert_int_eq(p.reason, IPSP_REASON_ACQUIRE_FAILED);
		now_s += wait_s;
		ipsp_engine_tick(w.engine, now_s);
	}
}
END_TEST

START_TEST(test_a_key_manager_may_say_that_it_cannot)
{
	struct ipsp_packet p;

	apply((struct ipsp_spd_entry){ 0 }, template(0));
	manager(true);
	send_one(1000);
	ck_assert_ptr_nonnull(ipsp_engine_acquire(w.engine, asked.seq));
	ck_assert_int_eq(ipsp_engine_acquire_failed(w.engine, asked.seq + 1, 1000), IPSP_ENOENT);
	ck_assert_int_eq(ipsp_engine_acquire_failed(w.engine, asked.seq, 1000), IPSP_OK);
	ck_assert_int_eq(over_why, IPSP_ACQUIRE_FAILED);
	ck_assert_int_eq(ipsp_engine_acquire_failed(w.engine, asked.seq, 1000), IPSP_ENOENT);
	ck_assert_int_eq(send_from(1, 1001, &p), IPSP_VERDICT_DROP);
	ck_assert_int_eq(p.reason, IPSP_REASON_ACQUIRE_FAILED);
	ck_assert_uint_eq(n_asked, 1);
	/* Another one comes: what failed with the last is no matter. */
	manager(false);
	manager(true);
	ck_assert_int_eq(send_one(1001), IPSP_VERDICT_HOLD);
	ck_assert_uint_eq(n_asked, 2);
	manager(false);
	ck_assert_int_eq(over_why, IPSP_ACQUIRE_NO_MANAGER);
	ck_assert_uint_eq(n_over, 2);
}
END_TEST

START_TEST(test_where_the_entry_says_so_packets_pass_in_clear_after_a_failure_for_a_time)
{
	struct ipsp_packet in;

	apply((struct ipsp_spd_entry){ .clear_s = 60 }, template(0));
	manager(true);
	world_udp(&in, IPSP_INBOUND, 80, 10);
	ck_assert_int_eq(send_one(1000), IPSP_VERDICT_HOLD);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &in), IPSP_REASON_POLICY_CLEAR);
	ck_assert_int_eq(ipsp_engine_acquire_failed(w.engine, asked.seq, 1000), IPSP_OK);
	ck_assert_int_eq(over_why, IPSP_ACQUIRE_CLEAR);
	ck_assert_int_eq(send_one(1059), IPSP_VERDICT_BYPASS);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &in), IPSP_REASON_NONE);
	ck_assert_int_eq(in.verdict, IPSP_VERDICT_BYPASS);
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(w.engine)), 1);
	ipsp_engine_tick(w.engine, 1060);
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(w.engine)), 0);
	ck_assert_int_eq(send_one(1060), IPSP_VERDICT_HOLD);
	ck_assert_uint_eq(n_asked, 2);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &in), IPSP_REASON_POLICY_CLEAR);
	world_packet_free(&in);
}
END_TEST

START_TEST(test_an_sa_beats_what_may_pass_in_clear)
{
	const struct ipsp_sa_config c = sa(IPSP_OUTBOUND, 0x1000);

	apply((struct ipsp_spd_entry){ .clear_s = 60 }, template(0));
	manager(true);
	send_one(1000);
	ck_assert_int_eq(ipsp_engine_acquire_failed(w.engine, asked.seq, 1000), IPSP_OK);
	add(&c);
	ck_assert_int_eq(send_one(1001), IPSP_VERDICT_ESP_OUT);
	/* ... and nothing does any more, whatever becomes of the SA. */
	ck_assert_uint_eq(ipsp_sad_count(ipsp_engine_sad(w.engine)), 1);
}
END_TEST

static const uint8_t groups[][4] = { { 224, 0, 0, 1 }, { 239, 255, 255, 255 },
				     { 255, 255, 255, 255 } };

START_TEST(test_nobody_is_asked_for_the_sa_of_a_group)
{
	struct ipsp_packet p;

	apply((struct ipsp_spd_entry){ .id = 0 }, template(0));
	manager(true);
	world_udp(&p, IPSP_OUTBOUND, 80, 10);
	memcpy(p.data + 16, groups[_i], 4);
	ck_assert_int_eq(world_pass(&w, IPSP_OUTBOUND, &p), IPSP_REASON_POLICY_NO_SA);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_DROP);
	ipsp_engine_turn(w.engine, 1000);
	ck_assert_uint_eq(n_asked, 0);
	world_packet_free(&p);
}
END_TEST

START_TEST(test_clear_packets_are_accepted_where_the_entry_says_so)
{
	struct ipsp_packet in;

	apply((struct ipsp_spd_entry){ .accept_clear = true }, template(0));
	manager(true);
	world_udp(&in, IPSP_INBOUND, 80, 10);
	ck_assert_int_eq(world_pass(&w, IPSP_INBOUND, &in), IPSP_REASON_NONE);
	ck_assert_int_eq(in.verdict, IPSP_VERDICT_BYPASS);
	ck_assert_int_eq(send_one(1000), IPSP_VERDICT_HOLD);
	world_packet_free(&in);
}
END_TEST

START_TEST(test_an_sa_that_is_only_wanted_is_asked_for_and_not_waited_for)
{
	struct ipsp_template t = template(0);
	const struct ipsp_sa_config c = sa(IPSP_OUTBOUND, 0x1000);

	t.level = IPSP_LEVEL_USE;
	apply((struct ipsp_spd_entry){ 0 }, t);
	manager(true);
	ck_assert_int_eq(send_one(1000), IPSP_VERDICT_BYPASS);
	ck_assert_int_eq(send_one(1000), IPSP_VERDICT_BYPASS);
	ck_assert_uint_eq(n_asked, 1);
	add(&c);
	ck_assert_uint_eq(n_over, 1);
	ck_assert_int_eq(send_one(1000), IPSP_VERDICT_ESP_OUT);
}
END_TEST

/* ---- a program ---- */

/* Until one succeeds: the negotiated SA, then this. */
static void apply_program(enum ipsp_step_kind second, uint32_t clear_s)
{
	const struct ipsp_step steps[] = {
		{ .kind = IPSP_STEP_UNTIL_SUCCESS, .end = 3 },
		{ .kind = IPSP_STEP_PROTECT, .negotiated = true, .may_decide = true },
		{ .kind = (uint8_t)second },
	};

	apply((struct ipsp_spd_entry){ .n_steps = 3, .steps = steps, .clear_s = clear_s },
	      template(0));
}

START_TEST(test_the_next_action_is_not_run_while_the_negotiation_goes_on)
{
	const struct ipsp_sa_config c = sa(IPSP_OUTBOUND, 0x1000);

	apply_program(IPSP_STEP_BYPASS, 60);
	manager(true);
	ck_assert_int_eq(send_one(1000), IPSP_VERDICT_HOLD);
	ck_assert_int_eq(ipsp_engine_acquire_failed(w.engine, asked.seq, 1000), IPSP_OK);
	ck_assert_int_eq(send_one(1000), IPSP_VERDICT_BYPASS);
	add(&c);
	ck_assert_int_eq(send_one(1000), IPSP_VERDICT_ESP_OUT);
}
END_TEST

START_TEST(test_without_a_key_manager_the_next_action_is_run)
{
	apply_program(IPSP_STEP_BYPASS, 0);
	ck_assert_int_eq(send_one(1000), IPSP_VERDICT_BYPASS);
	manager(true);
	ck_assert_int_eq(send_one(1000), IPSP_VERDICT_HOLD);
}
END_TEST

/* ---- inbound ---- */

/* A packet that went through out comes back under the inbound SA of that SPI. */
static enum ipsp_reason come_back(uint32_t spi)
{
	struct ipsp_packet p;
	enum ipsp_reason reason;

	world_udp(&p, IPSP_OUTBOUND, 80, 100);
	ipsp_engine_outbound(w.worker, &p, 1, 1000);
	ck_assert_int_eq(p.verdict, IPSP_VERDICT_ESP_OUT);
	world_reflect(&p, spi);
	reason = world_pass(&w, IPSP_INBOUND, &p);
	world_packet_free(&p);
	return reason;
}

START_TEST(test_what_comes_in_must_be_of_an_sa_that_was_asked_for_and_inside_its_selectors)
{
	struct ipsp_sa_config c = sa(IPSP_OUTBOUND, 0x2000);

	apply((struct ipsp_spd_entry){ 0 }, template(0));
	manager(true);
	/* Spoilt ICVs would be found first: the SPI is under the ICV, so both have one. */
	add(&c);
	c = sa(IPSP_INBOUND, 0x2000);
	add(&c);
	ck_assert_int_eq(come_back(0x2000), IPSP_REASON_NONE);
}
END_TEST

START_TEST(test_what_comes_in_outside_of_its_sas_selectors_drops)
{
	struct ipsp_sa_config c = sa(IPSP_OUTBOUND, 0x2000);

	apply((struct ipsp_spd_entry){ 0 }, template(0));
	manager(true);
	add(&c);
	c = sa(IPSP_INBOUND, 0x2000);
	ipsp_selector_any(4, &c.sel);
	c.sel.dport_lo = c.sel.dport_hi = 443;
	add(&c);
	ck_assert_int_eq(come_back(0x2000), IPSP_REASON_SA_SELECTOR);
}
END_TEST

START_TEST(test_an_SA_of_several_sets_carries_what_is_in_one_of_them)
{
	struct ipsp_sa_config c = sa(IPSP_OUTBOUND, 0x2000);
	struct ipsp_selector boxes[2];

	apply((struct ipsp_spd_entry){ 0 }, template(0));
	manager(true);
	add(&c);
	ipsp_selector_any(4, &boxes[0]);
	boxes[0].proto_lo = boxes[0].proto_hi = 17;
	boxes[1] = boxes[0];
	boxes[0].dport_lo = boxes[0].dport_hi = 443;
	boxes[1].dport_lo = boxes[1].dport_hi = 444;
	c = sa(IPSP_INBOUND, 0x2000);
	c.boxes = boxes;
	c.n_boxes = 2;
	add(&c);
	ck_assert_int_eq(come_back(0x2000), IPSP_REASON_SA_SELECTOR);
	/* What its configuration was made of is not looked at any more. */
	memset(boxes, 0, sizeof(boxes));
	ck_assert_int_eq(come_back(0x2000), IPSP_REASON_SA_SELECTOR);
	ipsp_selector_any(4, &boxes[0]);
	boxes[1] = boxes[0];
	boxes[0].dport_lo = boxes[0].dport_hi = 443;
	c.spi = 0x2001;
	add(&c);
	c.dir = IPSP_OUTBOUND;
	c.n_boxes = 0;
	add(&c);
	ck_assert_int_eq(come_back(0x2001), IPSP_REASON_NONE);
}
END_TEST

START_TEST(test_an_SA_carries_no_more_sets_than_there_may_be)
{
	static struct ipsp_selector boxes[IPSP_SA_BOXES_MAX + 1];
	struct ipsp_sa_config c = sa(IPSP_OUTBOUND, 0x2000);
	const struct ipsp_sa *made;

	for (size_t i = 0; i <= IPSP_SA_BOXES_MAX; i++)
		ipsp_selector_any(4, &boxes[i]);
	c.boxes = boxes;
	c.n_boxes = IPSP_SA_BOXES_MAX + 1;
	ck_assert_int_eq(ipsp_engine_sa_add(w.engine, &c, 1000, &made), IPSP_EINVAL);
	c.n_boxes = IPSP_SA_BOXES_MAX;
	boxes[3].dport_lo = boxes[3].dport_hi + 1;
	ck_assert_int_eq(ipsp_engine_sa_add(w.engine, &c, 1000, &made), IPSP_EINVAL);
	boxes[3] = boxes[2];
	ck_assert_int_eq(ipsp_engine_sa_add(w.engine, &c, 1000, &made), IPSP_OK);
}
END_TEST

START_TEST(test_what_comes_in_under_an_sa_of_another_entry_drops)
{
	struct ipsp_sa_config c = sa(IPSP_OUTBOUND, 0x2000);

	apply((struct ipsp_spd_entry){ 0 }, template(0));
	manager(true);
	add(&c);
	c = sa(IPSP_INBOUND, 0x2000);
	c.reqid = REQID + 1;
	add(&c);
	ck_assert_int_eq(come_back(0x2000), IPSP_REASON_POLICY_MISMATCH);
}
END_TEST

/* ---- bounds ---- */

START_TEST(test_no_more_is_asked_for_than_there_may_be)
{
	unsigned held = 0;

	apply((struct ipsp_spd_entry){ 0 }, template(IPSP_PFP_SOURCE | IPSP_PFP_DESTINATION_PORT));
	manager(true);
	for (uint32_t i = 0; i < IPSP_ACQUIRES_MAX + 200; i++) {
		struct ipsp_packet p;

		world_udp(&p, IPSP_OUTBOUND, (uint16_t)(1 + i), 10);
		ipsp_engine_outbound(w.worker, &p, 1, 1000);
		ipsp_engine_turn(w.engine, 1000);
		held += p.verdict == IPSP_VERDICT_HOLD;
		ck_assert_int_ne(p.verdict, IPSP_VERDICT_BYPASS);
		world_packet_free(&p);
	}
	ck_assert_uint_le(n_asked, IPSP_ACQUIRES_MAX);
	ck_assert_uint_ge(n_asked, IPSP_ACQUIRES_MAX - 24);
	/* Those who were told to wait for one that is not asked for are told otherwise. */
	ck_assert_uint_eq(n_over, held - n_asked);
	ck_assert_int_eq(over_why, IPSP_ACQUIRE_FULL);
}
END_TEST

START_TEST(test_one_packet_call_may_want_only_so_many)
{
	struct ipsp_packet p[64];
	unsigned held = 0, full = 0;

	apply((struct ipsp_spd_entry){ 0 }, template(IPSP_PFP_DESTINATION_PORT));
	manager(true);
	for (uint16_t i = 0; i < 64; i++)
		world_udp(&p[i], IPSP_OUTBOUND, i + 1, 10);
	ipsp_engine_outbound(w.worker, p, 64, 1000);
	for (int i = 0; i < 64; i++) {
		held += p[i].verdict == IPSP_VERDICT_HOLD;
		full += p[i].verdict == IPSP_VERDICT_DROP &&
			p[i].reason == IPSP_REASON_ACQUIRE_FULL;
		world_packet_free(&p[i]);
	}
	ck_assert_uint_gt(held, 0);
	ck_assert_uint_eq(held + full, 64);
	ipsp_engine_turn(w.engine, 1000);
	ck_assert_uint_eq(n_asked, held);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine/acquire");
	TCase *tc = tcase_create("acquire");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_test(tc, test_without_a_key_manager_packets_drop_and_nobody_is_asked);
	tcase_add_test(tc, test_a_thousand_packets_of_one_need_ask_once);
	tcase_add_test(tc, test_packets_go_once_the_sa_is_there_and_use_the_newest);
	tcase_add_test(tc, test_who_has_no_address_is_not_asked_and_found_by_selectors);
	tcase_add_test(tc, test_sas_of_others_are_not_used);
	tcase_add_test(tc, test_populate_from_packet_gives_two_hosts_two_sas);
	tcase_add_test(tc, test_who_is_silent_is_asked_again_and_then_left_alone_longer_each_time);
	tcase_add_test(tc, test_a_key_manager_may_say_that_it_cannot);
	tcase_add_test(tc, test_where_the_entry_says_so_packets_pass_in_clear_after_a_failure_for_a_time);
	tcase_add_test(tc, test_an_sa_beats_what_may_pass_in_clear);
	tcase_add_loop_test(tc, test_nobody_is_asked_for_the_sa_of_a_group, 0,
			    sizeof(groups) / sizeof(groups[0]));
	tcase_add_test(tc, test_clear_packets_are_accepted_where_the_entry_says_so);
	tcase_add_test(tc, test_an_sa_that_is_only_wanted_is_asked_for_and_not_waited_for);
	tcase_add_test(tc, test_the_next_action_is_not_run_while_the_negotiation_goes_on);
	tcase_add_test(tc, test_without_a_key_manager_the_next_action_is_run);
	tcase_add_test(tc, test_what_comes_in_must_be_of_an_sa_that_was_asked_for_and_inside_its_selectors);
	tcase_add_test(tc, test_what_comes_in_outside_of_its_sas_selectors_drops);
	tcase_add_test(tc, test_an_SA_of_several_sets_carries_what_is_in_one_of_them);
	tcase_add_test(tc, test_an_SA_carries_no_more_sets_than_there_may_be);
	tcase_add_test(tc, test_what_comes_in_under_an_sa_of_another_entry_drops);
	tcase_add_test(tc, test_no_more_is_asked_for_than_there_may_be);
	tcase_add_test(tc, test_one_packet_call_may_want_only_so_many);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
