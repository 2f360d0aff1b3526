/*
 * tests/unit/sad/check_sad.c - the SAD: what may be an SA, both indexes, lifetimes, number spaces.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/gcrypt.h"
#include "ipsp/sad.h"
#include "tests/unit/spd/memory.h"

#define SLOTS 16u

static struct memory memory;
static struct ipsp_sad *sad;
static void *region;
static size_t region_size;

static struct ipsp_sa_config config(uint64_t id, enum ipsp_dir dir, uint32_t spi)
{
	struct ipsp_sa_config c = {
		.id = id, .counter_id = id * 100, .dir = (uint8_t)dir, .proto = IPSP_PROTO_ESP,
		.mode = IPSP_MODE_TUNNEL, .df = IPSP_DF_COPY, .replay = true, .spi = spi,
		.replay_window_pkts = 64, .encr = IPSP_ENCR_AES_CBC, .encr_key_bits = 128,
		.integ = IPSP_INTEG_HMAC_SHA1_96, .encr_key.len = 16, .integ_key.len = 20,
	};

	return c;
}

static struct ipsp_addr v4(uint8_t last)
{
	return (struct ipsp_addr){ .family = 4, .octets = { 192, 0, 2, last } };
}

static enum ipsp_err add(const struct ipsp_sa_config *c, uint64_t now_s)
{
	struct ipsp_sa *replaced = NULL;
	enum ipsp_err err = ipsp_sad_add(sad, c, now_s, &replaced);

	if (replaced)
		ipsp_sa_free(sad, replaced);
	return err;
}

static void remove_id(uint64_t id)
{
	struct ipsp_sa *sa = ipsp_sad_remove(sad, id);

	ck_assert_ptr_nonnull(sa);
	ipsp_sa_free(sad, sa);
}

static uint64_t found_in(uint32_t spi, struct ipsp_addr dst)
{
	struct ipsp_sa *sa = ipsp_sad_find_inbound(sad, spi, IPSP_PROTO_ESP, &dst);

	return sa ? sa->id : 0;
}

START_TEST(test_inbound_is_found_by_spi_and_outbound_only_by_id)
{
	struct ipsp_sa_config in = config(1, IPSP_INBOUND, 0x1000);
	struct ipsp_sa_config out = config(2, IPSP_OUTBOUND, 0x2000);

	ck_assert_int_eq(add(&in, 5), IPSP_OK);
	ck_assert_int_eq(add(&out, 5), IPSP_OK);
	ck_assert_uint_eq(ipsp_sad_count(sad), 2);
	ck_assert_uint_eq(found_in(0x1000, v4(1)), 1);
	ck_assert_uint_eq(found_in(0x2000, v4(1)), 0);
	ck_assert_uint_eq(found_in(0x1001, v4(1)), 0);
	ck_assert_ptr_null(ipsp_sad_find_inbound(sad, 0x1000, IPSP_PROTO_AH,
						 &(struct ipsp_addr){ .family = 4 }));
	ck_assert_uint_eq(ipsp_sad_find(sad, 2)->spi, 0x2000);
	remove_id(1);
	ck_assert_uint_eq(found_in(0x1000, v4(1)), 0);
	ck_assert_ptr_null(ipsp_sad_find(sad, 1));
	ck_assert_ptr_null(ipsp_sad_remove(sad, 1));
}
END_TEST

START_TEST(test_one_spi_may_serve_two_addresses_but_not_one_twice)
{
	struct ipsp_sa_config a = config(1, IPSP_INBOUND, 0x1000);
	struct ipsp_sa_config b = config(2, IPSP_INBOUND, 0x1000);
	struct ipsp_sa_config any = config(3, IPSP_INBOUND, 0x1000);

	a.local = v4(1);
	b.local = v4(2);
	ck_assert_int_eq(add(&a, 5), IPSP_OK);
	ck_assert_int_eq(add(&b, 5), IPSP_OK);
	ck_assert_uint_eq(found_in(0x1000, v4(1)), 1);
	ck_assert_uint_eq(found_in(0x1000, v4(2)), 2);
	ck_assert_uint_eq(found_in(0x1000, v4(3)), 0);
	ck_assert_int_eq(add(&any, 5), IPSP_EEXIST);
	b.id = 4;
	ck_assert_int_eq(add(&b, 5), IPSP_EEXIST);
	ck_assert_uint_eq(ipsp_sad_count(sad), 2);
}
END_TEST

static void id_0(struct ipsp_sa_config *c) { c->id = 0; }
static void counter_0(struct ipsp_sa_config *c) { c->counter_id = 0; }
static void spi_255(struct ipsp_sa_config *c) { c->spi = 255; }
static void dir_0(struct ipsp_sa_config *c) { c->dir = 0; }
static void mode_4(struct ipsp_sa_config *c) { c->mode = 4; }
static void any_out(struct ipsp_sa_config *c) { c->mode = IPSP_MODE_ANY; c->dir = IPSP_OUTBOUND; }
static void df_0(struct ipsp_sa_config *c) { c->df = 0; }
static void df_4(struct ipsp_sa_config *c) { c->df = 4; }
static void proto_ah(struct ipsp_sa_config *c) { c->proto = IPSP_PROTO_AH; }
static void family_5(struct ipsp_sa_config *c) { c->local.family = 5; }
static void families(struct ipsp_sa_config *c) { c->local.family = 4; c->remote.family = 6; }
static void window_48(struct ipsp_sa_config *c) { c->replay_window_pkts = 48; }
static void window_8192(struct ipsp_sa_config *c) { c->replay_window_pkts = 8192; }
static void esn_alone(struct ipsp_sa_config *c) { c->esn = true; c->replay = false; }
static void encr_3(struct ipsp_sa_config *c) { c->encr = 3; }
static void integ_1(struct ipsp_sa_config *c) { c->integ = 1; }
static void integ_none(struct ipsp_sa_config *c) { c->integ = IPSP_INTEG_NONE; }
static void gcm_integ(struct ipsp_sa_config *c) { c->encr = IPSP_ENCR_AES_GCM_16; }
static void bits_64(struct ipsp_sa_config *c) { c->encr_key_bits = 64; }
static void key_short(struct ipsp_sa_config *c) { c->encr_key.len = 15; }
static void key_long(struct ipsp_sa_config *c) { c->encr_key.len = 17; }
static void key_huge(struct ipsp_sa_config *c) { c->encr_key.len = 60000; }
static void mac_short(struct ipsp_sa_config *c) { c->integ_key.len = 19; }

static const struct {
	const char *what;
	void (*spoil)(struct ipsp_sa_config *c);
	enum ipsp_err err;
} refused[] = {
	{ "id 0", id_0, IPSP_EINVAL }, { "counter id 0", counter_0, IPSP_EINVAL },
	{ "SPI 255", spi_255, IPSP_EINVAL }, { "direction", dir_0, IPSP_EINVAL },
	{ "mode", mode_4, IPSP_EINVAL }, { "df 0", df_0, IPSP_EINVAL },
	{ "any mode outbound", any_out, IPSP_EINVAL },
	{ "df 4", df_4, IPSP_EINVAL }, { "AH", proto_ah, IPSP_ENOTSUP },
	{ "family 5", family_5, IPSP_EINVAL }, { "two families", families, IPSP_EINVAL },
	{ "window 48", window_48, IPSP_EINVAL }, { "window 8192", window_8192, IPSP_EINVAL },
	{ "esn without window", esn_alone, IPSP_EINVAL }, { "3DES", encr_3, IPSP_ENOTSUP },
	{ "HMAC-MD5", integ_1, IPSP_ENOTSUP },
	{ "confidentiality alone", integ_none, IPSP_ENOTSUP },
	{ "integrity twice", gcm_integ, IPSP_ENOTSUP }, { "64 bits", bits_64, IPSP_EKEYLEN },
	{ "cipher key short", key_short, IPSP_EKEYLEN },
	{ "cipher key long", key_long, IPSP_EKEYLEN },
	{ "cipher key huge", key_huge, IPSP_EKEYLEN },
	{ "integrity key short", mac_short, IPSP_EKEYLEN },
};

START_TEST(test_what_cannot_be_an_sa_is_refused_and_the_old_one_stays)
{
	struct ipsp_sa_config c = config(1, IPSP_INBOUND, 0x1000);
	size_t octets;

	ck_assert_int_eq(add(&c, 5), IPSP_OK);
	octets = memory.octets;
	c.counter_id++;	/* another key, to the SAD */
	refused[_i].spoil(&c);
	ck_assert_msg(add(&c, 5) == refused[_i].err, "%s: %s", refused[_i].what,
		      ipsp_err_text(add(&c, 5)));
	ck_assert_uint_eq(ipsp_sad_count(sad), 1);
	ck_assert_uint_eq(found_in(0x1000, v4(1)), 1);
	ck_assert_uint_eq(memory.octets, octets);
}
END_TEST

static void note_sender(void *arg, struct ipsp_sa *sa)
{
	*(uint64_t *)arg |= 1u << sa->id;
}

static uint64_t senders(void)
{
	uint64_t bits = 0;

	ipsp_sad_each_sender(sad, note_sender, &bits);
	return bits;
}

START_TEST(test_those_that_send_by_themselves_are_walked_apart)
{
	struct ipsp_sa_config plain = config(1, IPSP_OUTBOUND, 0x1001);
	struct ipsp_sa_config dummies = config(2, IPSP_OUTBOUND, 0x1002);
	struct ipsp_sa_config keepalives = config(3, IPSP_OUTBOUND, 0x1003);
	struct ipsp_sa_config inbound = config(4, IPSP_INBOUND, 0x1004);

	dummies.dummy_s = 9;
	keepalives.encap = inbound.encap = (struct ipsp_encap){
		.type = IPSP_ENCAP_UDP, .sport = 4500, .dport = 4500, .keepalive_s = 9,
	};
	ck_assert_int_eq(add(&plain, 1), IPSP_OK);
	ck_assert_int_eq(add(&dummies, 1), IPSP_OK);
	ck_assert_int_eq(add(&keepalives, 1), IPSP_OK);
	ck_assert_int_eq(add(&inbound, 1), IPSP_OK);
	ck_assert_uint_eq(senders(), 1u << 2 | 1u << 3);
	/* What an SA is told to do may change. */
	dummies.dummy_s = 0;
	plain.dummy_s = 9;
	ck_assert_int_eq(add(&dummies, 2), IPSP_OK);
	ck_assert_int_eq(add(&plain, 2), IPSP_OK);
	ck_assert_uint_eq(senders(), 1u << 1 | 1u << 3);
	remove_id(3);
	remove_id(2);
	ck_assert_uint_eq(senders(), 1u << 1);
	remove_id(1);
	ck_assert_uint_eq(senders(), 0);
}
END_TEST

START_TEST(test_the_same_configuration_changes_nothing)
{
	struct ipsp_sa_config c = config(1, IPSP_OUTBOUND, 0x1000);
	struct ipsp_sa *sa, *replaced = NULL;

	c.seq_ceiling = 100;
	ck_assert_int_eq(add(&c, 5), IPSP_OK);
	sa = ipsp_sad_find(sad, 1);
	c.seq_ceiling = 200;
	ck_assert_int_eq(ipsp_sad_add(sad, &c, 6, &replaced), IPSP_OK);
	ck_assert_ptr_null(replaced);
	ck_assert_ptr_eq(ipsp_sad_find(sad, 1), sa);
	ck_assert_uint_eq(ipsp_sa_seq_left(sa), 200);
}
END_TEST

START_TEST(test_a_changed_configuration_replaces_but_keeps_the_number_space)
{
	struct ipsp_sa_config c = config(1, IPSP_OUTBOUND, 0x1000);
	struct ipsp_sa *old, *replaced = NULL;

	ck_assert_int_eq(add(&c, 5), IPSP_OK);
	old = ipsp_sad_find(sad, 1);
	old->counter->seq = 41;
	c.df = IPSP_DF_SET;
	ck_assert_int_eq(ipsp_sad_add(sad, &c, 6, &replaced), IPSP_OK);
	ck_assert_ptr_eq(replaced, old);
	ck_assert_ptr_ne(ipsp_sad_find(sad, 1), old);
	ck_assert_uint_eq(ipsp_sad_count(sad), 1);
	ck_assert_uint_eq(ipsp_sa_seq_last(ipsp_sad_find(sad, 1)), 41);
	ipsp_sa_free(sad, replaced);
	/* A new key is a new space. */
	c.counter_id++;
	ck_assert_int_eq(add(&c, 7), IPSP_OK);
	ck_assert_uint_eq(ipsp_sa_seq_last(ipsp_sad_find(sad, 1)), 0);
}
END_TEST

START_TEST(test_numbers_and_windows_go_on_after_a_restart)
{
	struct ipsp_sa_config out = config(1, IPSP_OUTBOUND, 0x1000);
	struct ipsp_sa_config in = config(2, IPSP_INBOUND, 0x2000);
	struct ipsp_sa *sa;

	in.seq_floor = 3;
	ck_assert_int_eq(add(&out, 5), IPSP_OK);
	ck_assert_int_eq(add(&in, 5), IPSP_OK);
	ipsp_sad_find(sad, 1)->counter->seq = 1234;
	sa = ipsp_sad_find(sad, 2);
	ck_assert_int_eq(ipsp_replay_accept(&sa->counter->replay, 3), IPSP_EREPLAY);
	ck_assert_int_eq(ipsp_replay_accept(&sa->counter->replay, 77), IPSP_OK);
	ipsp_sad_free(sad);
	ck_assert_int_eq(ipsp_sad_new(&memory.platform, region, region_size, &sad), IPSP_OK);
	out.seq_floor = 1000;
	ck_assert_int_eq(add(&out, 500), IPSP_OK);
	ck_assert_int_eq(add(&in, 500), IPSP_OK);
	ck_assert_uint_eq(ipsp_sa_seq_last(ipsp_sad_find(sad, 1)), 1234);
	sa = ipsp_sad_find(sad, 2);
	ck_assert_int_eq(ipsp_replay_accept(&sa->counter->replay, 77), IPSP_EREPLAY);
	ck_assert_uint_eq(sa->counter->born_s, 5);
}
END_TEST

START_TEST(test_number_spaces_of_removed_sas_give_way_only_when_room_is_needed)
{
	uint32_t most = SLOTS / 4 * 3;
	struct ipsp_sa_config c;

	for (uint32_t i = 1; i <= most; i++) {
		c = config(i, IPSP_OUTBOUND, 0x1000 + i);
		ck_assert_int_eq(add(&c, 5), IPSP_OK);
		ipsp_sad_find(sad, i)->counter->seq = i;
	}
	c = config(99, IPSP_OUTBOUND, 0x9999);
	ck_assert_int_eq(add(&c, 5), IPSP_ENOSPC);
	remove_id(1);
	/* Back in time: its numbers go on. */
	c = config(1, IPSP_OUTBOUND, 0x1001);
	ck_assert_int_eq(add(&c, 5), IPSP_OK);
	ck_assert_uint_eq(ipsp_sa_seq_last(ipsp_sad_find(sad, 1)), 1);
	remove_id(1);
	c = config(99, IPSP_OUTBOUND, 0x9999);
	ck_assert_int_eq(add(&c, 5), IPSP_OK);
	ck_assert_uint_eq(ipsp_sa_seq_last(ipsp_sad_find(sad, 2)), 2);
	ck_assert_uint_eq(ipsp_sa_seq_last(ipsp_sad_find(sad, 99)), 0);
}
END_TEST

static void count_expired(void *arg, const struct ipsp_life_event *event)
{
	(void)event;
	++*(unsigned *)arg;
}

START_TEST(test_hard_lifetimes_end_an_sa_once)
{
	struct ipsp_sa_config c = config(1, IPSP_OUTBOUND, 0x1000);
	struct ipsp_sa *sa;
	unsigned expired = 0;

	c.life_s = 100;
	c.life_bytes = 5000;
	ck_assert_int_eq(add(&c, 1000), IPSP_OK);
	sa = ipsp_sad_find(sad, 1);
	ck_assert_int_eq(ipsp_sa_usable(sa, 1099), IPSP_REASON_NONE);
	ck_assert_int_eq(ipsp_sa_usable(sa, 1100), IPSP_REASON_SA_EXPIRED);
	ck_assert_int_eq(ipsp_sa_usable(sa, 900), IPSP_REASON_NONE);
	sa->counter->bytes = 4999;
	ipsp_sad_expire(sad, 1099, count_expired, &expired);
	ck_assert_uint_eq(expired, 0);
	sa->counter->bytes = 5000;
	ck_assert_int_eq(ipsp_sa_usable(sa, 1000), IPSP_REASON_SA_EXPIRED);
	ipsp_sad_expire(sad, 1000, count_expired, &expired);
	ipsp_sad_expire(sad, 1200, count_expired, &expired);
	ck_assert_uint_eq(expired, 1);
	ck_assert_uint_eq(sa->state, IPSP_SA_DEAD);
	ck_assert_int_eq(ipsp_sa_usable(sa, 1000), IPSP_REASON_SA_NOT_USABLE);
	/* Installed again with the same key it is no younger. */
	remove_id(1);
	ck_assert_int_eq(add(&c, 2000), IPSP_OK);
	ck_assert_int_eq(ipsp_sa_usable(ipsp_sad_find(sad, 1), 2000), IPSP_REASON_SA_EXPIRED);
}
END_TEST

START_TEST(test_states_move_as_rfc_2367_says)
{
	static const bool allowed[4][4] = {
		/* to:               larval mature dying  dead */
		[IPSP_SA_LARVAL] = { true, true, false, true },
		[IPSP_SA_MATURE] = { false, true, true, true },
		[IPSP_SA_DYING] = { false, false, true, true },
		[IPSP_SA_DEAD] = { false, false, false, true },
	};
	static const bool usable[4] = { [IPSP_SA_MATURE] = true, [IPSP_SA_DYING] = true };
	struct ipsp_sa_config c = config(1, IPSP_OUTBOUND, 0x1000);
	struct ipsp_sa *sa;

	ck_assert_int_eq(ipsp_sad_set_state(sad, 1, IPSP_SA_DEAD), IPSP_ENOENT);
	ck_assert_int_eq(add(&c, 5), IPSP_OK);
	sa = ipsp_sad_find(sad, 1);
	ck_assert_uint_eq(sa->state, IPSP_SA_MATURE);
	for (unsigned from = 0; from < 4; from++) {
		for (unsigned to = 0; to < 4; to++) {
			sa->state = (uint8_t)from;
			ck_assert_int_eq(ipsp_sad_set_state(sad, 1, (enum ipsp_sa_state)to),
					 allowed[from][to] ? IPSP_OK : IPSP_EINVAL);
			ck_assert_uint_eq(sa->state, allowed[from][to] ? to : from);
		}
		sa->state = (uint8_t)from;
		ck_assert_int_eq(ipsp_sa_usable(sa, 5) == IPSP_REASON_NONE, usable[from]);
	}
	ck_assert_str_eq(ipsp_proto_text(IPSP_PROTO_ESP), "ESP");
	ck_assert_str_eq(ipsp_proto_text(IPSP_PROTO_AH), "AH");
	ck_assert_str_eq(ipsp_proto_text(IPSP_PROTO_IPCOMP), "IPComp");
	ck_assert_str_eq(ipsp_proto_text(0), "none");
	ck_assert_str_eq(ipsp_sa_state_text(IPSP_SA_LARVAL), "larval");
	ck_assert_str_eq(ipsp_sa_state_text(IPSP_SA_DEAD), "dead");
	ck_assert_str_eq(ipsp_sa_state_text((enum ipsp_sa_state)4), "unknown");
}
END_TEST

START_TEST(test_a_ceiling_only_rises)
{
	struct ipsp_sa_config out = config(1, IPSP_OUTBOUND, 0x1000);
	struct ipsp_sa_config in = config(2, IPSP_INBOUND, 0x2000);
	struct ipsp_sa *sa;

	out.seq_ceiling = 100;
	out.seq_floor = 40;
	ck_assert_int_eq(add(&out, 5), IPSP_OK);
	ck_assert_int_eq(add(&in, 5), IPSP_OK);
	sa = ipsp_sad_find(sad, 1);
	ck_assert_uint_eq(ipsp_sa_seq_left(sa), 60);
	ck_assert_uint_eq(ipsp_sa_seq_last(sa), 40);
	ck_assert_int_eq(ipsp_sad_raise_ceiling(sad, 1, 150), IPSP_OK);
	ck_assert_uint_eq(ipsp_sa_seq_left(sa), 110);
	ck_assert_int_eq(ipsp_sad_raise_ceiling(sad, 1, 120), IPSP_OK);
	ck_assert_uint_eq(ipsp_sa_seq_left(sa), 110);
	ck_assert_int_eq(ipsp_sad_raise_ceiling(sad, 2, 120), IPSP_EINVAL);
	ck_assert_int_eq(ipsp_sad_raise_ceiling(sad, 3, 120), IPSP_ENOENT);
}
END_TEST

START_TEST(test_no_memory_leaves_all_as_it_was)
{
	struct ipsp_sa_config c = config(1, IPSP_INBOUND, 0x1000);
	size_t octets;

	ck_assert_int_eq(add(&c, 5), IPSP_OK);
	octets = memory.octets;
	c.df = IPSP_DF_SET;
	memory.fail_at = 0;
	ck_assert_int_eq(add(&c, 5), IPSP_ENOMEM);
	memory.fail_at = -1;
	ck_assert_uint_eq(memory.octets, octets);
	ck_assert_uint_eq(ipsp_sad_find(sad, 1)->df, IPSP_DF_COPY);
}
END_TEST

static void setup(void)
{
	ck_assert_int_eq(ipsp_crypto_gcrypt_init(65536), IPSP_OK);
	memory_init(&memory, ipsp_crypto_gcrypt());
	region_size = ipsp_counters_size(SLOTS);
	region = aligned_alloc(64, (region_size + 63) / 64 * 64);
	memset(region, 0, region_size);
	ck_assert_int_eq(ipsp_sad_new(&memory.platform, region, region_size, &sad), IPSP_OK);
}

static void teardown(void)
{
	ipsp_sad_free(sad);
	ck_assert_uint_eq(memory.octets, 0);
	free(region);
}

int main(void)
{
	Suite *suite = suite_create("sad");
	TCase *tc = tcase_create("sad");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_test(tc, test_inbound_is_found_by_spi_and_outbound_only_by_id);
	tcase_add_test(tc, test_one_spi_may_serve_two_addresses_but_not_one_twice);
	tcase_add_loop_test(tc, test_what_cannot_be_an_sa_is_refused_and_the_old_one_stays, 0,
			    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, test_those_that_send_by_themselves_are_walked_apart);
	tcase_add_test(tc, test_the_same_configuration_changes_nothing);
	tcase_add_test(tc, test_a_changed_configuration_replaces_but_keeps_the_number_space);
	tcase_add_test(tc, test_numbers_and_windows_go_on_after_a_restart);
	tcase_add_test(tc, test_number_spaces_of_removed_sas_give_way_only_when_room_is_needed);
	tcase_add_test(tc, test_hard_lifetimes_end_an_sa_once);
	tcase_add_test(tc, test_states_move_as_rfc_2367_says);
	tcase_add_test(tc, test_a_ceiling_only_rises);
	tcase_add_test(tc, test_no_memory_leaves_all_as_it_was);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
