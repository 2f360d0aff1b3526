/* tests/unit/engine/check_embed.c - the engine with policies one by one: precedence, keys, packets. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/gcrypt.h"
#include "ipsp/embed.h"
#include "tests/unit/engine/world.h"

#define NOW 1000u
#define MAX 8u

struct bed {
	struct memory memory;
	void *region;
	struct ipsp_embed *embed;
	struct ipsp_worker *worker;
};

static void setup(struct bed *b)
{
	const size_t size = (ipsp_counters_size(WORLD_SLOTS) + 63) / 64 * 64;

	ck_assert_int_eq(ipsp_crypto_gcrypt_init(65536), IPSP_OK);
	memory_init(&b->memory, ipsp_crypto_gcrypt());
	b->region = aligned_alloc(64, size);
	memset(b->region, 0, size);
	const struct ipsp_engine_config config = {
		.platform = &b->memory.platform, .counters = b->region,
		.counters_size = ipsp_counters_size(WORLD_SLOTS),
	};

	ck_assert_int_eq(ipsp_embed_new(&config, MAX, &b->embed), IPSP_OK);
	ck_assert_int_eq(ipsp_worker_new(ipsp_embed_engine(b->embed), &b->worker), IPSP_OK);
}

static void teardown(struct bed *b)
{
	ipsp_worker_free(b->worker);
	ipsp_embed_free(b->embed);
	ck_assert_uint_eq(b->memory.octets, 0);
	free(b->region);
}

static struct ipsp_embed_policy policy(enum ipsp_action action, const char *local,
				       const char *remote)
{
	struct ipsp_embed_policy p = { .action = (uint8_t)action };

	ck_assert_int_eq(ipsp_identity_parse(local, &p.local), IPSP_IDENTITY_OK);
	ck_assert_int_eq(ipsp_identity_parse(remote, &p.remote), IPSP_IDENTITY_OK);
	return p;
}

static uint32_t add(struct bed *b, const struct ipsp_embed_policy *p)
{
	uint32_t id = 0;

	ck_assert_int_eq(ipsp_embed_add(b->embed, p, NOW, &id), IPSP_OK);
	ck_assert_uint_ne(id, 0);
	return id;
}

/* What becomes of UDP from 192.0.2.1 to 192.0.2.2, or back, and by which policy. */
static enum ipsp_treatment look(struct bed *b, enum ipsp_dir dir, uint16_t port, uint32_t *by)
{
	struct ipsp_packet p;
	enum ipsp_treatment treatment;

	world_udp(&p, dir, port, 10);
	ck_assert_int_eq(ipsp_embed_look(b->worker, dir, &p, &treatment, by), IPSP_OK);
	world_packet_free(&p);
	return treatment;
}

static struct ipsp_embed_keys keys(uint32_t spi_in, uint32_t spi_out)
{
	return (struct ipsp_embed_keys) {
		.spi_in = spi_in, .spi_out = spi_out, .encr = IPSP_ENCR_AES_CBC,
		.encr_key_bits = 128, .integ = IPSP_INTEG_HMAC_SHA1_96,
		.encr_in = { 16, { 1 } }, .encr_out = { 16, { 1 } },
		.integ_in = { 20, { 2 } }, .integ_out = { 20, { 2 } },
	};
}

START_TEST(test_embed_nothing_is_touched_before_the_first_policy_and_after_the_last)
{
	struct bed b;
	uint32_t by;

	setup(&b);
	const struct ipsp_embed_policy none = policy(IPSP_DISCARD, "any", "any");
	const uint32_t id = add(&b, &none);

	ck_assert_int_eq(look(&b, IPSP_OUTBOUND, 80, &by), IPSP_TREATMENT_DROP);
	ck_assert_uint_eq(by, id);
	ck_assert_int_eq(ipsp_embed_remove(b.embed, id, NOW), IPSP_OK);
	ck_assert_int_eq(look(&b, IPSP_OUTBOUND, 80, &by), IPSP_TREATMENT_BYPASS);
	ck_assert_uint_eq(by, 0);
	ck_assert_int_eq(ipsp_embed_remove(b.embed, id, NOW), IPSP_ENOENT);
	teardown(&b);
}
END_TEST

/* All orders in which three policies can be put in. */
static const unsigned orders[6][3] = {
	{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
};

START_TEST(test_embed_the_better_priority_wins_whatever_came_first)
{
	struct bed b;
	struct ipsp_embed_policy p[3];
	uint32_t id[3], by;

	setup(&b);
	p[0] = policy(IPSP_DISCARD, "192.0.2.1", "192.0.2.2,80");
	p[0].priority = IPSP_PRIORITY_LOWEST;
	p[1] = policy(IPSP_BYPASS, "any", "any");
	p[1].priority = IPSP_PRIORITY_HIGHEST;
	p[2] = policy(IPSP_DISCARD, "any", "any,80");
	for (unsigned i = 0; i < 3; i++)
		id[orders[_i][i]] = add(&b, &p[orders[_i][i]]);
	ck_assert_int_eq(look(&b, IPSP_OUTBOUND, 80, &by), IPSP_TREATMENT_BYPASS);
	ck_assert_uint_eq(by, id[1]);
	ck_assert_int_eq(ipsp_embed_remove(b.embed, id[1], NOW), IPSP_OK);
	ck_assert_int_eq(look(&b, IPSP_OUTBOUND, 80, &by), IPSP_TREATMENT_DROP);
	ck_assert_uint_eq(by, id[2]);
	teardown(&b);
}
END_TEST

START_TEST(test_embed_of_one_priority_the_narrower_wins)
{
	struct bed b;
	struct ipsp_embed_policy p[3];
	uint32_t id[3], by;

	setup(&b);
	p[0] = policy(IPSP_DISCARD, "any", "any");
	p[1] = policy(IPSP_DISCARD, "192.0.2.0/24", "any");
	p[2] = policy(IPSP_BYPASS, "192.0.2.0/24", "192.0.2.2");
	for (unsigned i = 0; i < 3; i++)
		id[orders[_i][i]] = add(&b, &p[orders[_i][i]]);
	look(&b, IPSP_OUTBOUND, 80, &by);
	ck_assert_uint_eq(by, id[2]);
	ck_assert_int_eq(ipsp_embed_remove(b.embed, id[2], NOW), IPSP_OK);
	look(&b, IPSP_OUTBOUND, 80, &by);
	ck_assert_uint_eq(by, id[1]);
	teardown(&b);
}
END_TEST

START_TEST(test_embed_sides_are_turned_round_inbound)
{
	struct bed b;
	uint32_t by;

	setup(&b);
	const struct ipsp_embed_policy p = policy(IPSP_BYPASS, "192.0.2.1", "192.0.2.2,5000");
	const uint32_t id = add(&b, &p);

	/* world_udp: from port 5000 */
	ck_assert_int_eq(look(&b, IPSP_INBOUND, 9, &by), IPSP_TREATMENT_BYPASS);
	ck_assert_uint_eq(by, id);
	ck_assert_int_eq(look(&b, IPSP_OUTBOUND, 9, &by), IPSP_TREATMENT_DROP);
	ck_assert_int_eq(look(&b, IPSP_OUTBOUND, 5000, &by), IPSP_TREATMENT_BYPASS);
	teardown(&b);
}
END_TEST

START_TEST(test_embed_a_domain_has_its_own_policies_and_those_of_all)
{
	struct bed b;
	struct ipsp_packet packet;
	enum ipsp_treatment treatment;
	uint32_t by;

	setup(&b);
	const struct ipsp_embed_policy all = policy(IPSP_DISCARD, "any", "any,80");
	struct ipsp_embed_policy one = policy(IPSP_BYPASS, "any", "any,81");

	one.ifindex = WORLD_OTHER_IF;
	const uint32_t id_all = add(&b, &all), id_one = add(&b, &one);

	world_udp(&packet, IPSP_OUTBOUND, 81, 0);
	packet.ifindex = WORLD_OTHER_IF;
	ck_assert_int_eq(ipsp_embed_look(b.worker, IPSP_OUTBOUND, &packet, &treatment, &by),
			 IPSP_OK);
	ck_assert_int_eq(treatment, IPSP_TREATMENT_BYPASS);
	ck_assert_uint_eq(by, id_one);
	packet.data[23] = 80;
	ck_assert_int_eq(ipsp_embed_look(b.worker, IPSP_OUTBOUND, &packet, &treatment, &by),
			 IPSP_OK);
	ck_assert_uint_eq(by, id_all);
	world_packet_free(&packet);
	ck_assert_int_eq(look(&b, IPSP_OUTBOUND, 81, &by), IPSP_TREATMENT_DROP);
	ck_assert_uint_eq(by, 0);
	teardown(&b);
}
END_TEST

START_TEST(test_embed_what_cannot_be_is_refused_and_changes_nothing)
{
	struct bed b;
	uint32_t id = 77, by;

	setup(&b);
	const struct ipsp_embed_policy good = policy(IPSP_DISCARD, "any", "any");
	struct ipsp_embed_policy bad[] = { good, good, good, good, good };

	bad[0].remote = policy(IPSP_DISCARD, "any6", "any6").remote;
	bad[1].priority = IPSP_PRIORITY_LOWEST + 1;
	bad[2].action = IPSP_PROTECT + 1;
	bad[3].action = IPSP_PROTECT;
	bad[3].mode = IPSP_MODE_TUNNEL;
	bad[4].action = IPSP_PROTECT;
	bad[4].mode = IPSP_MODE_ANY;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(ipsp_embed_add(b.embed, &bad[i], NOW, &id) == IPSP_EINVAL, "%zu", i);
		ck_assert_uint_eq(id, 77);
	}
	ck_assert_int_eq(look(&b, IPSP_OUTBOUND, 80, &by), IPSP_TREATMENT_DROP);
	ck_assert_uint_eq(ipsp_engine_generation(ipsp_embed_engine(b.embed)), 0);
	for (uint32_t i = 0; i < MAX; i++)
		add(&b, &good);
	ck_assert_int_eq(ipsp_embed_add(b.embed, &good, NOW, NULL), IPSP_ENOSPC);
	ck_assert_int_eq(ipsp_embed_flush(b.embed, NOW), IPSP_OK);
	struct ipsp_embed_policy named = good;

	named.id = 7;
	ck_assert_uint_eq(add(&b, &named), 7);
	ck_assert_int_eq(ipsp_embed_add(b.embed, &named, NOW, NULL), IPSP_EEXIST);
	teardown(&b);
}
END_TEST

static unsigned n_seen, n_keyed;

static void see(void *arg, const struct ipsp_embed_policy *p, bool keyed)
{
	(void)arg;
	(void)p;
	n_seen++;
	n_keyed += keyed;
}

START_TEST(test_embed_traffic_to_be_protected_drops_until_there_are_keys_and_after)
{
	struct bed b;
	struct ipsp_packet packet;
	enum ipsp_treatment treatment;

	setup(&b);
	const struct ipsp_embed_policy p = policy(IPSP_PROTECT, "192.0.2.1", "192.0.2.2");
	const struct ipsp_embed_keys k = keys(0x1000, 0x2000);
	const uint32_t id = add(&b, &p);

	world_udp(&packet, IPSP_OUTBOUND, 80, 10);
	ck_assert_int_eq(ipsp_embed_encapsulate(b.worker, &packet, NOW, &treatment), IPSP_ENOENT);
	ck_assert_int_eq(treatment, IPSP_TREATMENT_DROP);
	ck_assert_int_eq(ipsp_embed_rekey(b.embed, id, &k, NOW), IPSP_OK);
	ck_assert_int_eq(look(&b, IPSP_OUTBOUND, 80, NULL), IPSP_TREATMENT_TRANSPORT);
	ck_assert_int_eq(ipsp_embed_encapsulate(b.worker, &packet, NOW, &treatment), IPSP_OK);
	ck_assert_int_eq(treatment, IPSP_TREATMENT_TRANSPORT);
	ck_assert_uint_eq(packet.data[9], IPSP_PROTO_ESP);
	n_seen = n_keyed = 0;
	ipsp_embed_each(b.embed, see, NULL);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_uint_eq(n_keyed, 1);
	ck_assert_int_eq(ipsp_embed_unkey(b.embed, id, NOW), IPSP_OK);
	ck_assert_int_eq(ipsp_embed_unkey(b.embed, id, NOW), IPSP_ENOENT);
	ck_assert_int_eq(look(&b, IPSP_OUTBOUND, 80, NULL), IPSP_TREATMENT_DROP);
	world_packet_free(&packet);
	teardown(&b);
}
END_TEST

/* Two of them, each the other's peer: packets go through both. */
START_TEST(test_embed_two_ends_understand_one_another_in_both_modes)
{
	static const uint8_t addrs[8] = { 192, 0, 2, 1, 192, 0, 2, 2 };
	struct bed a, b;
	struct ipsp_packet packet;
	enum ipsp_treatment treatment;

	setup(&a);
	setup(&b);
	struct ipsp_embed_policy pa = policy(IPSP_PROTECT, "192.0.2.1", "192.0.2.2");
	struct ipsp_embed_policy pb = policy(IPSP_PROTECT, "192.0.2.2", "192.0.2.1");

	if (_i) {
		pa.mode = pb.mode = IPSP_MODE_TUNNEL;
		pa.local_end = pb.remote_end = (struct ipsp_addr) { 4, { 198, 51, 100, 1 } };
		pa.remote_end = pb.local_end = (struct ipsp_addr) { 4, { 198, 51, 100, 2 } };
		pa.replay_window_pkts = pb.replay_window_pkts = 64;
	}
	const struct ipsp_embed_keys ka = keys(0x1000, 0x2000), kb = keys(0x2000, 0x1000);

	ck_assert_int_eq(ipsp_embed_rekey(a.embed, add(&a, &pa), &ka, NOW), IPSP_OK);
	ck_assert_int_eq(ipsp_embed_rekey(b.embed, add(&b, &pb), &kb, NOW), IPSP_OK);
	world_udp(&packet, IPSP_OUTBOUND, 80, 100);
	ck_assert_int_eq(ipsp_embed_encapsulate(a.worker, &packet, NOW, &treatment), IPSP_OK);
	ck_assert_int_eq(treatment, _i ? IPSP_TREATMENT_TUNNEL : IPSP_TREATMENT_TRANSPORT);
	ck_assert_uint_eq(packet.data[12], _i ? 198 : 192);
	ck_assert_int_eq(ipsp_embed_decapsulate(b.worker, &packet, NOW, &treatment), IPSP_OK);
	ck_assert_int_eq(treatment, _i ? IPSP_TREATMENT_TUNNEL : IPSP_TREATMENT_TRANSPORT);
	ck_assert_uint_eq(packet.len, 128);
	ck_assert_mem_eq(packet.data + 12, addrs, 8);
	/* It is clear now, and clear is not what the policy wants. */
	ck_assert_int_eq(ipsp_embed_decapsulate(b.worker, &packet, NOW, &treatment), IPSP_EPOLICY);
	ck_assert_uint_eq(packet.reason, IPSP_REASON_POLICY_CLEAR);
	world_packet_free(&packet);
	teardown(&a);
	teardown(&b);
}
END_TEST

START_TEST(test_embed_keys_that_do_not_fit_leave_no_half_of_a_pair)
{
	struct bed b;
	struct ipsp_embed_keys k = keys(0x1000, 0x2000);

	setup(&b);
	const struct ipsp_embed_policy p = policy(IPSP_PROTECT, "192.0.2.1", "192.0.2.2");
	const struct ipsp_embed_policy other = policy(IPSP_BYPASS, "192.0.2.1", "192.0.2.3");
	const uint32_t id = add(&b, &p);
	struct ipsp_sad *const sad = ipsp_engine_sad(ipsp_embed_engine(b.embed));

	ck_assert_int_eq(ipsp_embed_rekey(b.embed, id, &k, NOW), IPSP_OK);
	ck_assert_uint_eq(ipsp_sad_count(sad), 2);
	k.encr_out.len = 15;
	ck_assert_int_eq(ipsp_embed_rekey(b.embed, id, &k, NOW), IPSP_EKEYLEN);
	ck_assert_uint_eq(ipsp_sad_count(sad), 0);
	k.spi_in = 0;
	ck_assert_int_eq(ipsp_embed_rekey(b.embed, id, &k, NOW), IPSP_EINVAL);
	k.spi_out = 0;
	ck_assert_int_eq(ipsp_embed_rekey(b.embed, id, &k, NOW), IPSP_EINVAL);
	k = keys(0x1000, 0x2000);
	ck_assert_int_eq(ipsp_embed_rekey(b.embed, id + 1, &k, NOW), IPSP_ENOENT);
	ck_assert_int_eq(ipsp_embed_rekey(b.embed, add(&b, &other), &k, NOW), IPSP_EINVAL);
	teardown(&b);
}
END_TEST

/* Each allocation of a life of changes fails once: the call says so, and the policy stands as it did. */
START_TEST(test_embed_without_memory_nothing_changes)
{
	struct bed b;
	uint32_t by, id;
	unsigned refused = 0;

	setup(&b);
	const struct ipsp_embed_policy first = policy(IPSP_DISCARD, "any", "any");
	const struct ipsp_embed_policy second = policy(IPSP_BYPASS, "192.0.2.1", "any");

	id = add(&b, &first);
	for (long left = 0;; left++) {
		b.memory.fail_at = left;
		const enum ipsp_err err = ipsp_embed_add(b.embed, &second, NOW, &by);

		b.memory.fail_at = -1;
		if (err == IPSP_OK)
			break;
		ck_assert_int_eq(err, IPSP_ENOMEM);
		ck_assert_int_eq(look(&b, IPSP_OUTBOUND, 80, &by), IPSP_TREATMENT_DROP);
		ck_assert_uint_eq(by, id);
		refused++;
	}
	ck_assert_uint_gt(refused, 4);
	b.memory.fail_at = 1;
	ck_assert_int_eq(ipsp_embed_flush(b.embed, NOW), IPSP_ENOMEM);
	b.memory.fail_at = -1;
	ck_assert_int_eq(look(&b, IPSP_OUTBOUND, 80, &by), IPSP_TREATMENT_BYPASS);
	ck_assert_uint_ne(by, 0);
	teardown(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("embed");
	TCase *t = tcase_create("policies");

	tcase_add_test(t, test_embed_nothing_is_touched_before_the_first_policy_and_after_the_last);
	tcase_add_loop_test(t, test_embed_the_better_priority_wins_whatever_came_first, 0, 6);
	tcase_add_loop_test(t, test_embed_of_one_priority_the_narrower_wins, 0, 6);
	tcase_add_test(t, test_embed_sides_are_turned_round_inbound);
	tcase_add_test(t, test_embed_a_domain_has_its_own_policies_and_those_of_all);
	tcase_add_test(t, test_embed_what_cannot_be_is_refused_and_changes_nothing);
	tcase_add_test(t, test_embed_without_memory_nothing_changes);
	suite_add_tcase(s, t);
	t = tcase_create("keys");
	tcase_add_test(t, test_embed_traffic_to_be_protected_drops_until_there_are_keys_and_after);
	tcase_add_loop_test(t, test_embed_two_ends_understand_one_another_in_both_modes, 0, 2);
	tcase_add_test(t, test_embed_keys_that_do_not_fit_leave_no_half_of_a_pair);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);

	srunner_run_all(r, CK_NORMAL);
	const int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
