/*
 * Tests of pfkey/msg_*.c: messages of another program's making are read whole and written again to
 * the octet; what is not well formed is refused with RFC 2367's errno.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <linux/ipsec.h>
#include <stdlib.h>
#include <string.h>

#include "pfkey/msg.h"
#include "tests/unit/pfkey/samples.h"

#define EVERY (~UINT64_C(0))

struct octets {
	uint8_t at[PFKEY_MSG_MAX];
	size_t len;
};

static void from_hex(const char *hex, struct octets *out)
{
	char pair[3] = "";

	out->len = 0;
	for (; hex[0] && hex[1]; hex += 2) {
		memcpy(pair, hex, 2);
		out->at[out->len++] = (uint8_t)strtoul(pair, NULL, 16);
	}
}

static void sample(const char *name, struct octets *out)
{
	for (size_t i = 0; i < N_SAMPLES; i++) {
		if (strcmp(samples[i].name, name) == 0) {
			from_hex(samples[i].hex, out);
			return;
		}
	}
	ck_abort_msg("no sample %s", name);
}

static struct pfkey_msg read_sample(const char *name, struct octets *o)
{
	struct pfkey_msg m;

	sample(name, o);
	ck_assert_int_eq(pfkey_msg_read(o->at, o->len, &m), 0);
	return m;
}

static size_t write_again(const struct pfkey_msg *m, uint8_t *out, size_t size)
{
	struct pfkey_writer w;

	pfkey_begin(&w, out, size, m->type, m->satype, m->seq, m->pid);
	pfkey_put_some(&w, m, EVERY);
	out[2] = m->err;
	return pfkey_end(&w);
}

START_TEST(test_every_message_is_written_as_it_was_read)
{
	struct octets o;
	struct pfkey_msg m;
	uint8_t again[PFKEY_MSG_MAX];

	from_hex(samples[_i].hex, &o);
	ck_assert_msg(pfkey_msg_read(o.at, o.len, &m) == 0, "%s", samples[_i].name);
	memset(again, 0xaa, sizeof(again));
	ck_assert_uint_eq(write_again(&m, again, sizeof(again)), o.len);
	ck_assert_msg(memcmp(again, o.at, o.len) == 0, "%s", samples[_i].name);
}
END_TEST

START_TEST(test_every_message_ends_where_it_says)
{
	struct octets o;
	struct pfkey_msg m;

	from_hex(samples[_i].hex, &o);
	for (size_t len = 0; len < o.len; len++)
		ck_assert_int_eq(pfkey_msg_read(o.at, len, &m), EMSGSIZE);
	ck_assert_int_eq(pfkey_msg_read(o.at, o.len + 8, &m), EMSGSIZE);
}
END_TEST

/* The extensions of a message, last one first. */
static void turn_round(const struct octets *in, struct octets *out)
{
	size_t at = PFKEY_HEADER, end = in->len;

	memcpy(out->at, in->at, PFKEY_HEADER);
	out->len = in->len;
	while (at < in->len) {
		size_t n = (in->at[at] | in->at[at + 1] << 8) * 8u;

		end -= n;
		memcpy(out->at + end, in->at + at, n);
		at += n;
	}
}

START_TEST(test_the_order_of_extensions_means_nothing)
{
	struct octets o, turned;
	struct pfkey_msg m;
	uint8_t again[PFKEY_MSG_MAX];

	from_hex(samples[_i].hex, &o);
	turn_round(&o, &turned);
	ck_assert_int_eq(pfkey_msg_read(turned.at, turned.len, &m), 0);
	ck_assert_uint_eq(write_again(&m, again, sizeof(again)), o.len);
	ck_assert_msg(memcmp(again, o.at, o.len) == 0, "%s", samples[_i].name);
}
END_TEST

START_TEST(test_an_extension_twice_is_invalid)
{
	struct octets o;
	struct pfkey_msg m;

	from_hex(samples[_i].hex, &o);
	if (o.len == PFKEY_HEADER)
		return;
	size_t n = (o.at[16] | o.at[17] << 8) * 8u;

	memcpy(o.at + o.len, o.at + 16, n);
	o.len += n;
	o.at[4] = (uint8_t)(o.len / 8);
	o.at[5] = (uint8_t)(o.len / 8 >> 8);
	ck_assert_msg(pfkey_msg_read(o.at, o.len, &m) == EINVAL, "%s", samples[_i].name);
}
END_TEST

START_TEST(test_fields_come_out_in_host_order)
{
	struct octets o;
	struct pfkey_msg m = read_sample("add with all", &o);

	ck_assert_uint_eq(m.type, SADB_ADD);
	ck_assert_uint_eq(m.satype, SADB_SATYPE_ESP);
	ck_assert_uint_eq(m.seq, 7);
	ck_assert_uint_eq(m.pid, 4711);
	ck_assert(!m.freeswan);
	ck_assert_uint_eq(m.sa.spi, 0x1002);
	ck_assert_uint_eq(m.sa.replay, 32);
	ck_assert_uint_eq(m.sa.auth, SADB_AALG_SHA1HMAC);
	ck_assert_uint_eq(m.sa.encrypt, SADB_X_EALG_AESCBC);
	ck_assert_uint_eq(m.sa.flags, SADB_SAFLAGS_PFS);
	ck_assert_uint_eq(m.current.bytes, 2);
	ck_assert_uint_eq(m.hard.add_s, 7);
	ck_assert_uint_eq(m.soft.use_s, 12);
	ck_assert_uint_eq(m.src.addr.family, 6);
	ck_assert_uint_eq(m.dst.addr.octets[15], 2);
	ck_assert_uint_eq(m.proxy.prefix_len, 8);
	ck_assert_uint_eq(m.auth.bits, 160);
	ck_assert_uint_eq(m.encrypt.bits, 130);
	ck_assert_uint_eq(m.encrypt.octets[16], 16);
	ck_assert_uint_eq(m.src_id.text.len, 9);
	ck_assert_mem_eq(m.dst_id.text.data, "u@b.example", 11);
	ck_assert_uint_eq(m.dst_id.id, 1000);
	ck_assert_uint_eq(m.sa2.mode, IPSEC_MODE_TRANSPORT);
	ck_assert_uint_eq(m.sa2.reqid, 77);
	ck_assert_uint_eq(m.natt_sport, 4500);
	ck_assert_uint_eq(m.natt_dport, 4501);
	ck_assert_uint_eq(m.natt_oa.addr.octets[3], 9);
}
END_TEST

START_TEST(test_policies_carry_their_transformations)
{
	struct octets o;
	struct pfkey_msg m = read_sample("spdupdate of a bundle", &o);

	ck_assert_uint_eq(m.policy.n_requests, 3);
	ck_assert_uint_eq(m.policy.requests[0].proto, 108);
	ck_assert_uint_eq(m.policy.requests[0].dst.octets[15], 2);
	ck_assert_uint_eq(m.policy.requests[1].src.family, 0);
	ck_assert_uint_eq(m.policy.requests[2].level, IPSEC_LEVEL_UNIQUE);
	ck_assert_uint_eq(m.policy.requests[2].reqid, 4);
	ck_assert_uint_eq(m.src.port, 80);

	m = read_sample("acquire", &o);
	struct pfkey_comb c;

	ck_assert_uint_eq(pfkey_n_combs(&m), 2);
	pfkey_comb_at(&m, 1, &c);
	ck_assert_uint_eq(c.encrypt_max_bits, 256);
	ck_assert_uint_eq(c.hard.use_s, 8);

	m = read_sample("registered", &o);
	struct pfkey_alg a;

	ck_assert_uint_eq(pfkey_n_algs(m.algs[0]), 2);
	pfkey_alg_at(m.algs[1], 0, &a);
	ck_assert_uint_eq(a.iv_len, 16);
	ck_assert_uint_eq(a.max_bits, 256);
}
END_TEST

START_TEST(test_flows_of_freeswan_are_told_from_policies)
{
	static const struct {
		const char *name;
		bool freeswan;
	} cases[] = {
		{ "flow to add", true }, { "flow to delete", true }, { "flows to clear", true },
		{ "spdadd", false }, { "spddelete", false }, { "add with all", false },
	};
	struct octets o;
	struct pfkey_msg m = read_sample(cases[_i].name, &o);

	ck_assert_msg(m.freeswan == cases[_i].freeswan, "%s", cases[_i].name);
	ck_assert_int_eq(pfkey_msg_check_request(&m), 0);
}
END_TEST

/* One octet of a good message is another. */
START_TEST(test_what_cannot_be_is_invalid)
{
	static const struct {
		const char *why, *sample;
		size_t at;
		uint8_t octet;
	} cases[] = {
		{ "version 1", "getspi", 0, 1 },
		{ "an extension without length", "getspi", 16, 0 },
		{ "an extension that ends behind the message", "getspi", 56 + 8, 9 },
		{ "an address of a family nobody knows", "getspi", 24, 77 },
		{ "an address of IPv6 in the room of IPv4", "getspi", 24, 10 },
		{ "a prefix longer than the address", "spdadd", 16 + 5, 33 },
		{ "a key of no bits", "update", 149, 0 },
		{ "a key of more bits than there are", "update", 149, 2 },
		{ "a mode that is not", "update", 212, 7 },
		{ "a direction that is not", "spddelete", 16 + 48 + 6, 9 },
		{ "a policy type that is not", "spddelete", 16 + 48 + 4, 9 },
		{ "a transformation that is cut", "spdadd", 16 + 48 + 16, 15 },
		{ "a transformation that is longer than its policy", "spdadd", 16 + 48 + 16, 56 },
	};
	struct octets o;
	struct pfkey_msg m;

	sample(cases[_i].sample, &o);
	o.at[cases[_i].at] = cases[_i].octet;
	ck_assert_msg(pfkey_msg_read(o.at, o.len, &m) == EINVAL, "%s", cases[_i].why);
}
END_TEST

START_TEST(test_unknown_extensions_are_passed_over)
{
	struct octets o;
	struct pfkey_msg m;

	sample("register", &o);
	memcpy(o.at + o.len, (const uint8_t[]){ 1, 0, 200, 0, 1, 2, 3, 4, 1, 0, 200, 0, 0, 0, 0, 0 },
	       16);
	o.at[4] = 4;
	ck_assert_int_eq(pfkey_msg_read(o.at, 32, &m), 0);
	ck_assert_uint_eq(m.has, 0);
	/* Nor are those that stand for FreeS/WAN's here known on a socket. */
	o.at[18] = PFKEY_FS_EXT_SRC_MASK + PFKEY_EXT_FS;
	ck_assert_int_eq(pfkey_msg_read(o.at, 32, &m), 0);
	ck_assert_uint_eq(m.has, 0);
}
END_TEST

#define SD (PFKEY_HAS(SADB_EXT_ADDRESS_SRC) | PFKEY_HAS(SADB_EXT_ADDRESS_DST))

/* Every type with every single extension taken away and added: what RFC 2367 3.1 demands. */
START_TEST(test_requests_need_what_they_need_and_have_nothing_else)
{
	static const struct {
		const char *sample;
		uint64_t must;
		uint64_t never;		/* one of many */
	} cases[] = {
		{ "getspi", SD, PFKEY_HAS(SADB_EXT_KEY_AUTH) },
		{ "update", SD | PFKEY_HAS(SADB_EXT_SA), PFKEY_HAS(SADB_EXT_SPIRANGE) },
		{ "add with all", SD | PFKEY_HAS(SADB_EXT_SA), PFKEY_HAS(SADB_EXT_PROPOSAL) },
		{ "delete", SD | PFKEY_HAS(SADB_EXT_SA), PFKEY_HAS(SADB_EXT_KEY_ENCRYPT) },
		{ "get", SD | PFKEY_HAS(SADB_EXT_SA), PFKEY_HAS(SADB_X_EXT_POLICY) },
		{ "acquire", SD | PFKEY_HAS(SADB_EXT_PROPOSAL), PFKEY_HAS(SADB_EXT_SA) },
		{ "register", 0, PFKEY_HAS(SADB_EXT_SUPPORTED_AUTH) },
		{ "flush", 0, PFKEY_HAS(SADB_EXT_SA) },
		{ "spdadd", SD | PFKEY_HAS(SADB_X_EXT_POLICY), PFKEY_HAS(SADB_EXT_KEY_AUTH) },
		{ "spdget", PFKEY_HAS(SADB_X_EXT_POLICY), PFKEY_HAS(SADB_EXT_SA) },
		{ "migrate", SD | PFKEY_HAS(SADB_X_EXT_POLICY), PFKEY_HAS(SADB_EXT_KEY_AUTH) },
		{ "flow to add", SD | PFKEY_HAS(SADB_EXT_SA) |
		  PFKEY_HAS_FS(PFKEY_FS_EXT_SRC_FLOW), PFKEY_HAS(SADB_EXT_KEY_AUTH) },
	};
	struct octets o;
	struct pfkey_msg m = read_sample(cases[_i].sample, &o);
	const uint64_t has = m.has;

	ck_assert_msg(pfkey_msg_check_request(&m) == 0, "%s", cases[_i].sample);
	for (unsigned ext = 0; ext < PFKEY_EXTS; ext++) {
		m.has = has & ~PFKEY_HAS(ext);
		ck_assert_msg(!(cases[_i].must & PFKEY_HAS(ext)) ||
			      pfkey_msg_check_request(&m) == EINVAL, "%s without %u",
			      cases[_i].sample, ext);
	}
	m.has = has | cases[_i].never;
	ck_assert_msg(pfkey_msg_check_request(&m) == EINVAL, "%s", cases[_i].sample);
}
END_TEST

START_TEST(test_families_are_not_mixed)
{
	struct octets o;
	struct pfkey_msg m = read_sample("update", &o);

	m.dst.addr.family = 6;
	ck_assert_int_eq(pfkey_msg_check_request(&m), EINVAL);
	m = read_sample("flow to add", &o);
	m.mask_dst.addr.family = 6;
	ck_assert_int_eq(pfkey_msg_check_request(&m), EINVAL);
}
END_TEST

START_TEST(test_what_only_the_system_says_is_no_request)
{
	struct octets o;
	struct pfkey_msg m = read_sample("expire", &o);

	ck_assert_int_eq(pfkey_msg_check_request(&m), EOPNOTSUPP);
	m.type = SADB_RESERVED;
	ck_assert_int_eq(pfkey_msg_check_request(&m), EINVAL);
	m.type = 99;
	ck_assert_int_eq(pfkey_msg_check_request(&m), EINVAL);
}
END_TEST

START_TEST(test_an_error_is_answered_by_the_header_alone)
{
	struct octets o;
	uint8_t answer[PFKEY_HEADER];
	static const uint8_t expected[PFKEY_HEADER] = {
		2, SADB_GETSPI, EEXIST, SADB_SATYPE_ESP, 2, 0, 0, 0, 7, 0, 0, 0, 0x67, 0x12, 0, 0,
	};

	sample("getspi", &o);
	o.at[6] = 0xff;		/* what is reserved is not sent back */
	pfkey_error_answer(o.at, o.len, EEXIST, answer);
	ck_assert_mem_eq(answer, expected, sizeof(expected));
	pfkey_error_answer(o.at, 3, EMSGSIZE, answer);
	ck_assert_uint_eq(answer[0], PF_KEY_V2);
	ck_assert_uint_eq(answer[1], SADB_GETSPI);
	ck_assert_uint_eq(answer[8], 0);
}
END_TEST

START_TEST(test_a_writer_never_passes_its_end)
{
	struct octets o;
	struct pfkey_msg m;
	uint8_t again[PFKEY_MSG_MAX];

	from_hex(samples[_i].hex, &o);
	ck_assert_int_eq(pfkey_msg_read(o.at, o.len, &m), 0);
	for (size_t size = PFKEY_HEADER; size < o.len; size++) {
		memset(again, 0xaa, sizeof(again));
		ck_assert_uint_eq(write_again(&m, again, size), 0);
		ck_assert_uint_eq(again[size], 0xaa);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pfkey/msg");
	TCase *tc = tcase_create("messages");
	const int n = (int)N_SAMPLES;

	tcase_add_loop_test(tc, test_every_message_is_written_as_it_was_read, 0, n);
	tcase_add_loop_test(tc, test_every_message_ends_where_it_says, 0, n);
	tcase_add_loop_test(tc, test_the_order_of_extensions_means_nothing, 0, n);
	tcase_add_loop_test(tc, test_an_extension_twice_is_invalid, 0, n);
	tcase_add_test(tc, test_fields_come_out_in_host_order);
	tcase_add_test(tc, test_policies_carry_their_transformations);
	tcase_add_loop_test(tc, test_flows_of_freeswan_are_told_from_policies, 0, 6);
	tcase_add_loop_test(tc, test_what_cannot_be_is_invalid, 0, 13);
	tcase_add_test(tc, test_unknown_extensions_are_passed_over);
	tcase_add_loop_test(tc, test_requests_need_what_they_need_and_have_nothing_else, 0, 12);
	tcase_add_test(tc, test_families_are_not_mixed);
	tcase_add_test(tc, test_what_only_the_system_says_is_no_request);
	tcase_add_test(tc, test_an_error_is_answered_by_the_header_alone);
	tcase_add_loop_test(tc, test_a_writer_never_passes_its_end, 0, n);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
