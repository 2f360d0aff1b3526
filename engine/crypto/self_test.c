/*
 * engine/crypto/self_test.c - published vectors, run against a provider before it is trusted.
 *
 * Each vector is sealed and must give the published octets, opened again and must give the clear
 * ones, and opened once more with one bit wrong and must be refused. Cipher and integrity are
 * proved apart: where a publication has no ICV the ciphertext is compared, and the other way round.
 */
#include <string.h>

#include "engine/crypto/gcrypt.h"

#define VECTOR_MAX 192u

struct vector {
	uint16_t encr, encr_key_bits, integ;
	bool esn;
	uint32_t seq_hi;
	const char *encr_key, *integ_key;	/* hex, like all the octets here */
	const char *header_iv;	/* ESP header and IV; for an HMAC: how its data begins */
	const char *clear;	/* text: payload, padding, trailer; or the rest of the data */
	const char *sealed;	/* the text encrypted; NULL: not compared */
	const char *icv;	/* NULL: not compared */
};

#define SHA1_KEY_1 "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
#define CCM_CLEAR "45000030000102030405060708090a0b0c0d0e0f101112131415161718191a1b" \
		  "1c1d1e1f202122232425262701020204"

static const struct vector vectors[] = {
	{ /* RFC 3602 4, case 5 */
		.encr = IPSP_ENCR_AES_CBC, .encr_key_bits = 128,
		.integ = IPSP_INTEG_HMAC_SHA1_96,
		.encr_key = "90d382b410eeba7ad938c46cec1a82bf", .integ_key = SHA1_KEY_1,
		.header_iv = "0000432100000001" "e96e8c08ab465763fd098d45dd3ff893",
		.clear = "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f1011121314151617"
			 "18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
			 "0102030405060708090a0b0c0d0e0e01",
		.sealed = "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856"
			  "a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a"
			  "a269add047ad2d5913ac19b7cfbad4a6",
	}, { /* NIST SP 800-38A F.2.3, two blocks */
		.encr = IPSP_ENCR_AES_CBC, .encr_key_bits = 192,
		.integ = IPSP_INTEG_HMAC_SHA1_96,
		.encr_key = "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
		.integ_key = SHA1_KEY_1,
		.header_iv = "0000432100000001" "000102030405060708090a0b0c0d0e0f",
		.clear = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
		.sealed = "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a",
	}, { /* NIST SP 800-38A F.2.5, two blocks */
		.encr = IPSP_ENCR_AES_CBC, .encr_key_bits = 256,
		.integ = IPSP_INTEG_HMAC_SHA1_96,
		.encr_key = "603deb1015ca71be2b73aef0857d7781"
			    "1f352c073b6108d72d9810a30914dff4",
		.integ_key = SHA1_KEY_1,
		.header_iv = "0000432100000001" "000102030405060708090a0b0c0d0e0f",
		.clear = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
		.sealed = "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
	}, { /* RFC 2202 3, case 1: the data is "Hi There" */
		.encr = IPSP_ENCR_NULL, .integ = IPSP_INTEG_HMAC_SHA1_96,
		.encr_key = "", .integ_key = SHA1_KEY_1,
		.header_iv = "4869205468657265", .clear = "", .sealed = "",
		.icv = "b617318655057264e28bc0b6",
	}, { /* RFC 4868 2.7.2.1, AUTH256-2 */
		.encr = IPSP_ENCR_NULL, .integ = IPSP_INTEG_HMAC_SHA2_256_128,
		.encr_key = "",
		.integ_key = "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665",
		.header_iv = "7768617420646f20",
		.clear = "79612077616e7420666f72206e6f7468696e673f",
		.sealed = "79612077616e7420666f72206e6f7468696e673f",
		.icv = "167f928588c5cc2eef8e3093caa0e87c",
	}, { /* RFC 4868 2.7.2.2, AUTH384-2 */
		.encr = IPSP_ENCR_NULL, .integ = IPSP_INTEG_HMAC_SHA2_384_192,
		.encr_key = "",
		.integ_key = "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665"
			     "4a6566654a6566654a6566654a656665",
		.header_iv = "7768617420646f20",
		.clear = "79612077616e7420666f72206e6f7468696e673f",
		.icv = "2c7353974f1842fd66d53c452ca42122b28c0b594cfb184d",
	}, { /* RFC 4868 2.7.2.3, AUTH512-2 */
		.encr = IPSP_ENCR_NULL, .integ = IPSP_INTEG_HMAC_SHA2_512_256,
		.encr_key = "",
		.integ_key = "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665"
			     "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665",
		.header_iv = "7768617420646f20",
		.clear = "79612077616e7420666f72206e6f7468696e673f",
		.icv = "cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454",
	}, { /* RFC 3686 6, TV 1 */
		.encr = IPSP_ENCR_AES_CTR, .encr_key_bits = 128,
		.integ = IPSP_INTEG_HMAC_SHA1_96,
		.encr_key = "ae6852f8121067cc4bf7a5765577f39e" "00000030", .integ_key = SHA1_KEY_1,
		.header_iv = "0000432100000001" "0000000000000000",
		.clear = "53696e676c6520626c6f636b206d7367",
		.sealed = "e4095d4fb7a7b3792d6175a3261311b8",
	}, { /* RFC 3686 6, TV 4 */
		.encr = IPSP_ENCR_AES_CTR, .encr_key_bits = 192,
		.integ = IPSP_INTEG_HMAC_SHA1_96,
		.encr_key = "16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb78515" "00000048",
		.integ_key = SHA1_KEY_1,
		.header_iv = "0000432100000001" "36733c147d6d93cb",
		.clear = "53696e676c6520626c6f636b206d7367",
		.sealed = "4b55384fe259c9c84e7935a003cbe928",
	}, { /* RFC 3686 6, TV 7 */
		.encr = IPSP_ENCR_AES_CTR, .encr_key_bits = 256,
		.integ = IPSP_INTEG_HMAC_SHA1_96,
		.encr_key = "776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c104"
			    "00000060",
		.integ_key = SHA1_KEY_1,
		.header_iv = "0000432100000001" "db5672c97aa8f0b2",
		.clear = "53696e676c6520626c6f636b206d7367",
		.sealed = "145ad01dbf824ec7560863dc71e3e0c0",
	}, { /* nothing is published with nonces of 11 octets: made with OpenSSL */
		.encr = IPSP_ENCR_AES_CCM_8, .encr_key_bits = 128,
		.encr_key = "000102030405060708090a0b0c0d0e0f" "a1a2a3", .integ_key = "",
		.header_iv = "0000432100000001" "0001020304050607",
		.clear = CCM_CLEAR,
		.sealed = "7924a848247d433fc95391acf279541e45fcecd87965aaba7fc0604017ab78da"
			  "debd249b5020fe165c19e818bb97c8b6",
		.icv = "86d437fff31e8bb0",
	}, { /* likewise */
		.encr = IPSP_ENCR_AES_CCM_12, .encr_key_bits = 192,
		.encr_key = "000102030405060708090a0b0c0d0e0f1011121314151617" "a1a2a3",
		.integ_key = "",
		.header_iv = "0000432100000001" "0001020304050607",
		.clear = CCM_CLEAR,
		.sealed = "0bee8aa62ba85c4a883fac5640ac44d0b31e57392e3c2a56e88aef3579583a37"
			  "bd5652f1a8b42617fdd2424a0dd2f6f7",
		.icv = "b320bef9200dce6c2771433b",
	}, { /* likewise */
		.encr = IPSP_ENCR_AES_CCM_16, .encr_key_bits = 256,
		.encr_key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
			    "a1a2a3",
		.integ_key = "",
		.header_iv = "0000432100000001" "0001020304050607",
		.clear = CCM_CLEAR,
		.sealed = "27f99a171b9d87b5d80605297d6bfb435a2dbd8c91394d2bf2dc349b78b32833"
			  "e9dca6b6d76aee3af955573bcb93860b",
		.icv = "e932a319f61446d74b83d1ed1f01862e",
	}, { /* draft-mcgrew-gcm-test-01 4, with the ICV cut as RFC 4106 6 says */
		.encr = IPSP_ENCR_AES_GCM_8, .encr_key_bits = 128,
		.esn = true, .seq_hi = 0x87654321,
		.encr_key = "4c80cdefbb5d10da906ac73c3613a634" "2e443b68", .integ_key = "",
		.header_iv = "0000432100000000" "4956ed7e3b244cfe",
		.clear = "45000048699a000080114db7c0a80102c0a801010a9bf15638d3010000010000"
			 "00000000045f736970045f756470037369700963796265726369747902646b00"
			 "0021000101020201",
		.icv = "459018148f6cbe72",
	}, { /* likewise */
		.encr = IPSP_ENCR_AES_GCM_12, .encr_key_bits = 192,
		.encr_key = "feffe9928665731c6d6a8f9467308308feffe9928665731c" "cafebabe",
		.integ_key = "",
		.header_iv = "0000a5f80000000a" "facedbaddecaf888",
		.clear = "45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e"
			 "501016d075680001",
		.icv = "95457b9652037f5318027b5b",
	}, { /* draft-mcgrew-gcm-test-01 4: 64-bit numbers */
		.encr = IPSP_ENCR_AES_GCM_16, .encr_key_bits = 128,
		.esn = true, .seq_hi = 0x87654321,
		.encr_key = "4c80cdefbb5d10da906ac73c3613a634" "2e443b68", .integ_key = "",
		.header_iv = "0000432100000000" "4956ed7e3b244cfe",
		.clear = "45000048699a000080114db7c0a80102c0a801010a9bf15638d3010000010000"
			 "00000000045f736970045f756470037369700963796265726369747902646b00"
			 "0021000101020201",
		.sealed = "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34"
			  "cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce"
			  "61bc17d768fd9732",
		.icv = "459018148f6cbe722fd04796562dfdb4",
	}, { /* draft-mcgrew-gcm-test-01 4 */
		.encr = IPSP_ENCR_AES_GCM_16, .encr_key_bits = 192,
		.encr_key = "feffe9928665731c6d6a8f9467308308feffe9928665731c" "cafebabe",
		.integ_key = "",
		.header_iv = "0000a5f80000000a" "facedbaddecaf888",
		.clear = "45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e"
			 "501016d075680001",
		.sealed = "a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0"
			  "315b27452144cc77",
		.icv = "95457b9652037f5318027b5b4cd7a636",
	}, { /* draft-mcgrew-gcm-test-01 4 */
		.encr = IPSP_ENCR_AES_GCM_16, .encr_key_bits = 256,
		.encr_key = "abbccddef00112233445566778899aababbccddef00112233445566778899aab"
			    "11223344",
		.integ_key = "",
		.header_iv = "4a2cbfe300000002" "0102030405060708",
		.clear = "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee000000000"
			 "7002400020bf0000020405b40101040201020201",
		.sealed = "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763"
			  "748a637985771d347f0545659f14e99def842d8e",
		.icv = "b335f4eecfdbf831824b4c4915956c96",
	},
};

static uint8_t digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The octets that hex stands for; how many. */
static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; hex[2 * n]; n++)
		out[n] = (uint8_t)(digit(hex[2 * n]) << 4 | digit(hex[2 * n + 1]));
	return n;
}

static bool equal(const uint8_t *octets, const char *hex)
{
	uint8_t want[VECTOR_MAX];

	return !hex || !memcmp(octets, want, unhex(hex, want));
}

static bool opens(const struct ipsp_crypto *crypto, struct ipsp_crypto_ctx *ctx,
		  const struct ipsp_crypto_shape *shape, const struct vector *v, uint32_t text_len,
		  const uint8_t *sealed, size_t damaged)
{
	uint8_t buf[VECTOR_MAX];
	struct ipsp_crypto_op op = ipsp_crypto_op_at(buf, shape, text_len);
	enum ipsp_err want = damaged < VECTOR_MAX ? IPSP_EICV : IPSP_OK;

	memcpy(buf, sealed, sizeof(buf));
	if (damaged < VECTOR_MAX)
		buf[damaged] ^= 0x40;
	op.esn = v->esn;
	op.seq_hi = v->seq_hi;
	crypto->open(ctx, 0, &op, 1);
	if (op.err != want)
		return false;
	return want != IPSP_OK || equal(op.dst, v->clear);
}

static bool vector_holds(const struct ipsp_crypto *crypto, const struct vector *v)
{
	struct ipsp_sa_config sa = {
		.proto = IPSP_PROTO_ESP, .encr = v->encr, .encr_key_bits = v->encr_key_bits, .integ = v->integ,
	};
	struct ipsp_crypto_op op;
	uint8_t packet[VECTOR_MAX] = { 0 };
	struct ipsp_crypto_ctx *ctx;
	struct ipsp_crypto_shape shape;
	size_t text_at, icv_at;
	bool good;

	sa.encr_key.len = (uint16_t)unhex(v->encr_key, sa.encr_key.octets);
	sa.integ_key.len = (uint16_t)unhex(v->integ_key, sa.integ_key.octets);
	if (crypto->shape(IPSP_PROTO_ESP, sa.encr, sa.encr_key_bits, sa.integ, &shape) != IPSP_OK ||
	    crypto->ctx_new(&sa, 1, &ctx) != IPSP_OK)
		return false;
	text_at = unhex(v->header_iv, packet);
	op = ipsp_crypto_op_at(packet, &shape, (uint32_t)unhex(v->clear, packet + text_at));
	op.esn = v->esn;
	op.seq_hi = v->seq_hi;
	icv_at = text_at + op.text_len;
	crypto->seal(ctx, 0, &op, 1);
	good = op.err == IPSP_OK && equal(packet + text_at, v->sealed) &&
	       equal(packet + icv_at, v->icv) &&
	       opens(crypto, ctx, &shape, v, op.text_len, packet, VECTOR_MAX) &&
	       opens(crypto, ctx, &shape, v, op.text_len, packet, 0) &&
	       opens(crypto, ctx, &shape, v, op.text_len, packet, icv_at - 1) &&
	       opens(crypto, ctx, &shape, v, op.text_len, packet, icv_at + shape.icv_len - 1);
	crypto->ctx_free(ctx);
	return good;
}

enum ipsp_err ipsp_crypto_self_test(const struct ipsp_crypto *crypto)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		if (!vector_holds(crypto, &vectors[i]))
			return IPSP_ECRYPTO;
	}
	return IPSP_OK;
}
