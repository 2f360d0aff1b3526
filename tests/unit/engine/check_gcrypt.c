/*
 * tests/unit/engine/check_gcrypt.c - the provider on published vectors, in vectors of packets.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/gcrypt.h"

#define PACKET_MAX 256u
#define BATCH 5u

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; hex[2 * n]; n++) {
		char pair[3] = { hex[2 * n], hex[2 * n + 1], 0 };

		out[n] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

#define MAC_KEY "000102030405060708090a0b0c0d0e0f10111213"
#define CBC_56 "90d382b410eeba7ad938c46cec1a82bf"
#define CBC_78 "0123456789abcdef0123456789abcdef"
#define PING_64 "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" \
		"202122232425262728292a2b2c2d2e2f3031323334353637"
#define B10(x) x x x x x x x x x x

/* ESP header and IV stand first in front; an HMAC's data is split between front and clear. */
static const struct {
	const char *name;
	uint16_t encr, bits, integ;
	bool esn;
	uint32_t seq_hi;
	const char *ekey, *akey, *front, *clear, *sealed, *icv;
} vectors[] = {
	{ "RFC 3602 case 5", IPSP_ENCR_AES_CBC, 128, IPSP_INTEG_HMAC_SHA1_96, false, 0, CBC_56,
	  MAC_KEY, "0000432100000001" "e96e8c08ab465763fd098d45dd3ff893",
	  "08000ebda70a00008e9c083db95b0700" PING_64 "0102030405060708090a0b0c0d0e0e01",
	  "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a"
	  "8e4b7e52775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6", NULL },
	{ "RFC 3602 case 6", IPSP_ENCR_AES_CBC, 128, IPSP_INTEG_HMAC_SHA1_96, false, 0, CBC_56,
	  MAC_KEY, "0000432100000008" "69d08df7d203329db093fc4924e5bd80",
	  "0800b5e8a80a0500a69c083d0b660e00777777777777777777777777" "0102" "0201",
	  "f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75", NULL },
	{ "RFC 3602 case 7", IPSP_ENCR_AES_CBC, 128, IPSP_INTEG_HMAC_SHA1_96, false, 0, CBC_78,
	  MAC_KEY, "0000876500000002" "f4e765244f6407adf13dc1380f673f37",
	  "45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a20400" PING_64
	  "0102030405060708090a0a04",
	  "773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8e4ecaec78ac53aad7a0f022b"
	  "859243c647752e94a859352b8a4d4d2decd136e5c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5"
	  "a100b842f1c22f0d", NULL },
	{ "RFC 3602 case 8", IPSP_ENCR_AES_CBC, 128, IPSP_INTEG_HMAC_SHA1_96, false, 0, CBC_78,
	  MAC_KEY, "0000876500000005" "85d47224b5f3dd5d2101d4ea8dffab22",
	  "45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083da3de0300" B10("ffffff")
	  "ffff" "0102030405060708090a0a04",
	  "15b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb50f980a08c9843fd3a1b06d5c"
	  "07ff9639b7eb7dfb3512e5de435e7207ed971ef3d2726d9b5ef6affc6d17a0decbb13892", NULL },
	{ "SP 800-38A F.2.3", IPSP_ENCR_AES_CBC, 192, IPSP_INTEG_HMAC_SHA1_96, false, 0,
	  "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", MAC_KEY,
	  "0000432100000001" "000102030405060708090a0b0c0d0e0f",
	  "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
	  "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a", NULL },
	{ "SP 800-38A F.2.5", IPSP_ENCR_AES_CBC, 256, IPSP_INTEG_HMAC_SHA1_96, false, 0,
	  "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", MAC_KEY,
	  "0000432100000001" "000102030405060708090a0b0c0d0e0f",
	  "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
	  "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d", NULL },
	{ "RFC 2202 case 1", IPSP_ENCR_NULL, 0, IPSP_INTEG_HMAC_SHA1_96, false, 0, "",
	  B10("0b0b"), "4869205468657265", "", "", "b617318655057264e28bc0b6" },
	{ "RFC 2202 case 3", IPSP_ENCR_NULL, 0, IPSP_INTEG_HMAC_SHA1_96, false, 0, "",
	  B10("aaaa"), "dddddddddddddddd", B10("dddddddd") "dddd", B10("dddddddd") "dddd",
	  "125d7342b9ac11cd91a39af4" },
	{ "RFC 4868 AUTH256-1", IPSP_ENCR_NULL, 0, IPSP_INTEG_HMAC_SHA2_256_128, false, 0, "",
	  B10("0b0b0b") "0b0b", "4869205468657265", "", "", "198a607eb44bfbc69903a0f1cf2bbdc5" },
	{ "RFC 4868 AUTH256-2", IPSP_ENCR_NULL, 0, IPSP_INTEG_HMAC_SHA2_256_128, false, 0, "",
	  "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665",
	  "7768617420646f20", "79612077616e7420666f72206e6f7468696e673f",
	  "79612077616e7420666f72206e6f7468696e673f", "167f928588c5cc2eef8e3093caa0e87c" },
	{ "RFC 4868 AUTH256-3", IPSP_ENCR_NULL, 0, IPSP_INTEG_HMAC_SHA2_256_128, false, 0, "",
	  B10("aaaaaa") "aaaa", "dddddddddddddddd", B10("dddddddd") "dddd",
	  B10("dddddddd") "dddd", "cdcb1220d1ecccea91e53aba3092f962" },
	{ "RFC 4868 AUTH256-4", IPSP_ENCR_NULL, 0, IPSP_INTEG_HMAC_SHA2_256_128, false, 0, "",
	  "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
	  "cdcdcdcdcdcdcdcd", B10("cdcdcdcd") "cdcd", B10("cdcdcdcd") "cdcd",
	  "372efcf9b40b35c2115b1346903d2ef4" },
	{ "GCM draft, 128 bits, esn", IPSP_ENCR_AES_GCM_16, 128, IPSP_INTEG_NONE, true, 0x87654321,
	  "4c80cdefbb5d10da906ac73c3613a634" "2e443b68", "",
	  "0000432100000000" "4956ed7e3b244cfe",
	  "45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f7369"
	  "70045f756470037369700963796265726369747902646b000021000101020201",
	  "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf"
	  "65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce61bc17d768fd9732",
	  "459018148f6cbe722fd04796562dfdb4" },
	{ "GCM draft, 192 bits", IPSP_ENCR_AES_GCM_16, 192, IPSP_INTEG_NONE, false, 0,
	  "feffe9928665731c6d6a8f9467308308feffe9928665731c" "cafebabe", "",
	  "0000a5f80000000a" "facedbaddecaf888",
	  "45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001",
	  "a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc77",
	  "95457b9652037f5318027b5b4cd7a636" },
	{ "GCM draft, 256 bits", IPSP_ENCR_AES_GCM_16, 256, IPSP_INTEG_NONE, false, 0,
	  "abbccddef00112233445566778899aababbccddef00112233445566778899aab" "11223344", "",
	  "4a2cbfe300000002" "0102030405060708",
	  "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000"
	  "020405b40101040201020201",
	  "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d34"
	  "7f0545659f14e99def842d8e", "b335f4eecfdbf831824b4c4915956c96" },
	{ "GCM draft, zeros", IPSP_ENCR_AES_GCM_16, 128, IPSP_INTEG_NONE, false, 0,
	  "00000000000000000000000000000000" "00000000", "",
	  "0000000000000001" "0000000000000000",
	  "4500003c99c500008001cb7a40679318010101010800075c02004400616263646566676869"
	  "6a6b6c6d6e6f707172737475767761626364656667686901020201",
	  "4688daf2f973a392732909c331d56d60f694abaa414b5e7ff5fdcdfff5e9a284456476492719ffb6"
	  "4de7d9dca1e1d894bc3bd57873ed4d181d19d4d5c8c18af3", "f821d496eeb096e98ad2b69e4799c71d" },
	{ "GCM draft, shortest text", IPSP_ENCR_AES_GCM_16, 128, IPSP_INTEG_NONE, false, 0,
	  "7d773d00c144c525ac619d18c84a3f47" "d9664267", "",
	  "335467aeffffffff" "43457e9182443bc6", "01020201", "437f866b",
	  "cb3f699fe9b0822bac961c4504bef270" },
};

struct sealed {
	uint8_t octets[BATCH][PACKET_MAX];
	struct ipsp_crypto_op ops[BATCH];
	struct ipsp_crypto_ctx *ctx;
	struct ipsp_crypto_shape shape;
	size_t front, len;
};

/* The vector sealed, several times in one call. */
static void seal_batch(int i, struct sealed *s)
{
	struct ipsp_sa_config sa = {
		.proto = IPSP_PROTO_ESP, .encr = vectors[i].encr, .encr_key_bits = vectors[i].bits,
		.integ = vectors[i].integ,
	};

	memset(s, 0, sizeof(*s));
	sa.encr_key.len = (uint16_t)unhex(vectors[i].ekey, sa.encr_key.octets);
	sa.integ_key.len = (uint16_t)unhex(vectors[i].akey, sa.integ_key.octets);
	ck_assert_int_eq(ipsp_crypto_gcrypt()->shape(IPSP_PROTO_ESP, sa.encr, sa.encr_key_bits,
						      sa.integ, &s->shape), IPSP_OK);
	ck_assert_int_eq(ipsp_crypto_gcrypt()->ctx_new(&sa, 1, &s->ctx), IPSP_OK);
	for (size_t n = 0; n < BATCH; n++) {
		s->front = unhex(vectors[i].front, s->octets[n]);
		s->ops[n] = ipsp_crypto_op_at(s->octets[n], &s->shape,
					      (uint32_t)unhex(vectors[i].clear,
							      s->octets[n] + s->front));
		s->ops[n].esn = vectors[i].esn;
		s->ops[n].seq_hi = vectors[i].seq_hi;
		ck_assert_uint_eq(s->front, 8u + s->shape.iv_len);
	}
	s->len = s->front + s->ops[0].text_len + s->shape.icv_len;
	ipsp_crypto_gcrypt()->seal(s->ctx, 0, s->ops, BATCH);
}

START_TEST(test_sealing_gives_the_published_octets)
{
	struct sealed s;
	uint8_t want[PACKET_MAX];

	seal_batch(_i, &s);
	for (size_t n = 0; n < BATCH; n++) {
		size_t len;

		ck_assert_int_eq(s.ops[n].err, IPSP_OK);
		if (vectors[_i].sealed) {
			len = unhex(vectors[_i].sealed, want);
			ck_assert_uint_eq(len, s.ops[n].text_len);
			ck_assert_msg(!memcmp(s.octets[n] + s.front, want, len), "%s",
				      vectors[_i].name);
		}
		if (vectors[_i].icv) {
			len = unhex(vectors[_i].icv, want);
			ck_assert_uint_eq(len, s.shape.icv_len);
			ck_assert_msg(!memcmp(s.octets[n] + s.len - len, want, len), "%s",
				      vectors[_i].name);
		}
	}
	ipsp_crypto_gcrypt()->ctx_free(s.ctx);
}
END_TEST

START_TEST(test_opening_gives_the_clear_octets_and_spots_the_damaged_one)
{
	struct sealed s;
	uint8_t clear[PACKET_MAX], zero[PACKET_MAX] = { 0 };
	size_t len;

	seal_batch(_i, &s);
	len = unhex(vectors[_i].clear, clear);
	s.octets[2][s.len - 1] ^= 1;
	s.octets[4][0] ^= 0x80;
	ipsp_crypto_gcrypt()->open(s.ctx, 0, s.ops, BATCH);
	for (size_t n = 0; n < BATCH; n++) {
		bool damaged = n == 2 || n == 4;

		ck_assert_int_eq(s.ops[n].err, damaged ? IPSP_EICV : IPSP_OK);
		if (!damaged)
			ck_assert_mem_eq(s.octets[n] + s.front, clear, len);
		else if (vectors[_i].encr != IPSP_ENCR_NULL && len > 0)
			ck_assert_msg(memcmp(s.octets[n] + s.front, clear, len) != 0, "clear text");
		if (damaged && vectors[_i].encr == IPSP_ENCR_AES_GCM_16)
			ck_assert_mem_eq(s.octets[n] + s.front, zero, len);
	}
	ipsp_crypto_gcrypt()->ctx_free(s.ctx);
}
END_TEST

START_TEST(test_a_high_half_is_under_the_icv)
{
	struct sealed s;

	seal_batch(_i, &s);
	s.ops[0].esn = true;
	s.ops[0].seq_hi = vectors[_i].seq_hi + 1;
	ipsp_crypto_gcrypt()->open(s.ctx, 0, s.ops, 1);
	ck_assert_int_eq(s.ops[0].err, IPSP_EICV);
	ipsp_crypto_gcrypt()->ctx_free(s.ctx);
}
END_TEST

START_TEST(test_text_may_come_from_one_place_and_go_to_another)
{
	struct sealed s, apart;
	uint8_t clear[PACKET_MAX], opened[PACKET_MAX];
	struct ipsp_crypto_op op;
	size_t len;

	seal_batch(_i, &s);
	seal_batch(_i, &apart);
	ipsp_crypto_gcrypt()->ctx_free(apart.ctx);
	len = unhex(vectors[_i].clear, clear);
	memset(apart.ops[0].dst, 0, len + s.shape.icv_len);
	op = apart.ops[0];
	op.src = clear;
	ipsp_crypto_gcrypt()->seal(s.ctx, 0, &op, 1);
	ck_assert_int_eq(op.err, IPSP_OK);
	ck_assert_mem_eq(apart.octets[0], s.octets[0], s.len);
	op = s.ops[0];
	op.dst = opened;
	ipsp_crypto_gcrypt()->open(s.ctx, 0, &op, 1);
	ck_assert_int_eq(op.err, IPSP_OK);
	ck_assert_mem_eq(opened, clear, len);
	s.octets[1][s.len - 1] ^= 1;
	memset(opened, 0xa5, sizeof(opened));
	op = s.ops[1];
	op.dst = opened;
	ipsp_crypto_gcrypt()->open(s.ctx, 0, &op, 1);
	ck_assert_int_eq(op.err, IPSP_EICV);
	if (len > 0)
		ck_assert(memcmp(opened, clear, len) != 0);
	ipsp_crypto_gcrypt()->ctx_free(s.ctx);
}
END_TEST

/* What AH authenticates comes in pieces. The data of an HMAC vector, cut anywhere. */
START_TEST(test_integrity_alone_takes_its_data_in_pieces)
{
	struct ipsp_sa_config sa = { .proto = IPSP_PROTO_AH, .integ = vectors[_i].integ };
	const struct ipsp_crypto *crypto = ipsp_crypto_gcrypt();
	uint8_t data[PACKET_MAX], want[IPSP_ICV_MAX], icv[IPSP_ICV_MAX];
	struct ipsp_crypto_shape shape;
	struct ipsp_crypto_ctx *ctx;
	size_t len;

	if (vectors[_i].encr != IPSP_ENCR_NULL)
		return;
	sa.integ_key.len = (uint16_t)unhex(vectors[_i].akey, sa.integ_key.octets);
	ck_assert_int_eq(crypto->shape(IPSP_PROTO_AH, 0, 0, sa.integ, &shape), IPSP_OK);
	ck_assert_uint_eq(shape.iv_len, 0);
	ck_assert_int_eq(crypto->ctx_new(&sa, 1, &ctx), IPSP_OK);
	len = unhex(vectors[_i].front, data);
	len += unhex(vectors[_i].clear, data + len);
	ck_assert_uint_eq(unhex(vectors[_i].icv, want), shape.icv_len);
	for (size_t cut = 0; cut <= len; cut++) {
		const struct ipsp_span spans[] = {
			{ data, cut / 2 }, { data + cut / 2, cut - cut / 2 },
			{ data + cut, len - cut },
		};
		struct ipsp_auth_op op = { .spans = spans, .n_spans = 3, .icv = icv };

		crypto->auth(ctx, 0, &op, 1);
		ck_assert_int_eq(op.err, IPSP_OK);
		ck_assert_mem_eq(icv, want, shape.icv_len);
		crypto->verify(ctx, 0, &op, 1);
		ck_assert_int_eq(op.err, IPSP_OK);
		icv[cut % shape.icv_len] ^= 0x10;
		crypto->verify(ctx, 0, &op, 1);
		ck_assert_int_eq(op.err, IPSP_EICV);
	}
	crypto->ctx_free(ctx);
}
END_TEST

START_TEST(test_ah_takes_no_cipher_and_esp_needs_one)
{
	const struct ipsp_crypto *crypto = ipsp_crypto_gcrypt();
	struct ipsp_crypto_shape shape;

	ck_assert_int_eq(crypto->shape(IPSP_PROTO_AH, IPSP_ENCR_NULL, 0, IPSP_INTEG_HMAC_SHA1_96,
				       &shape), IPSP_ENOTSUP);
	ck_assert_int_eq(crypto->shape(IPSP_PROTO_AH, 0, 0, IPSP_INTEG_NONE, &shape),
			 IPSP_ENOTSUP);
	ck_assert_int_eq(crypto->shape(IPSP_PROTO_ESP, 0, 0, IPSP_INTEG_HMAC_SHA1_96, &shape),
			 IPSP_ENOTSUP);
}
END_TEST

static void no_seal(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		    size_t n)
{
	(void)ctx;
	(void)thread;
	for (size_t i = 0; i < n; i++)
		ops[i].err = IPSP_OK;
}

static void flip_seal(struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		      size_t n)
{
	ipsp_crypto_gcrypt()->seal(ctx, thread, ops, n);
	ops[0].icv[0] ^= 1;
}

START_TEST(test_the_self_test_refuses_a_provider_that_errs)
{
	struct ipsp_crypto crypto = *ipsp_crypto_gcrypt();

	ck_assert_int_eq(ipsp_crypto_self_test(&crypto), IPSP_OK);
	crypto.seal = no_seal;
	ck_assert_int_eq(ipsp_crypto_self_test(&crypto), IPSP_ECRYPTO);
	crypto.seal = flip_seal;
	ck_assert_int_eq(ipsp_crypto_self_test(&crypto), IPSP_ECRYPTO);
	crypto = *ipsp_crypto_gcrypt();
	crypto.open = no_seal;
	ck_assert_int_eq(ipsp_crypto_self_test(&crypto), IPSP_ECRYPTO);
}
END_TEST

static void setup(void)
{
	ck_assert_int_eq(ipsp_crypto_gcrypt_init(65536), IPSP_OK);
}

int main(void)
{
	Suite *suite = suite_create("gcrypt");
	TCase *tc = tcase_create("gcrypt");
	SRunner *runner = srunner_create(suite);
	const int n = sizeof(vectors) / sizeof(vectors[0]);
	int failed;

	tcase_add_unchecked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 300);	/* a busy machine is no failure */
	tcase_add_loop_test(tc, test_sealing_gives_the_published_octets, 0, n);
	tcase_add_loop_test(tc, test_opening_gives_the_clear_octets_and_spots_the_damaged_one, 0,
			    n);
	tcase_add_loop_test(tc, test_text_may_come_from_one_place_and_go_to_another, 0, n);
	tcase_add_loop_test(tc, test_integrity_alone_takes_its_data_in_pieces, 0, n);
	tcase_add_test(tc, test_ah_takes_no_cipher_and_esp_needs_one);
	tcase_add_loop_test(tc, test_a_high_half_is_under_the_icv, 0, n);
	tcase_add_test(tc, test_the_self_test_refuses_a_provider_that_errs);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
