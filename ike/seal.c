/* ike/seal.c - encrypted payloads: see seal.h. */
#include "ike/seal.h"

#include <gcrypt.h>
#include <string.h>
#include <sys/endian.h>

#include "engine/crypto/message.h"

#define FRAGMENT_LEN 4u		/* number and total of an SKF payload */
#define COUNTER_IV_LEN 8u

static bool copy_key(struct ipsp_key *key, struct ipsp_span octets)
{
	if (octets.len > sizeof(key->octets))
		return false;
	key->len = (uint16_t)octets.len;
	if (octets.len > 0)
		memcpy(key->octets, octets.data, octets.len);
	return true;
}

enum ipsp_err ike_seal_init(struct ike_seal *s, const struct ipsp_crypto *crypto, uint16_t encr,
			    uint16_t encr_key_bits, uint16_t integ, struct ipsp_span encr_key,
			    struct ipsp_span integ_key)
{
	struct ipsp_sa_config *const sa = gcry_calloc_secure(1, sizeof(*sa));
	enum ipsp_err err;

	if (!sa)
		return IPSP_ENOMEM;
	*s = (struct ike_seal){ .crypto = crypto };
	sa->proto = IPSP_PROTO_ESP;
	sa->encr = encr;
	sa->encr_key_bits = encr_key_bits;
	sa->integ = integ;
	err = copy_key(&sa->encr_key, encr_key) && copy_key(&sa->integ_key, integ_key) ?
		      crypto->shape(sa->proto, encr, encr_key_bits, integ, &s->shape) :
		      IPSP_EKEYLEN;
	if (err == IPSP_OK)
		err = crypto->ctx_new(sa, 1, &s->ctx);
	gcry_free(sa);
	return err;
}

void ike_seal_fini(struct ike_seal *s)
{
	if (s->ctx)
		s->crypto->ctx_free(s->ctx);
	s->ctx = NULL;
}

/* RFC 7296 3.14: text, padding and its length together are whole blocks of the cipher. */
static size_t pad_len(const struct ike_seal *s, size_t clear_len)
{
	const size_t block = s->shape.iv_is_counter ? 1 : s->shape.block_len;

	return (block - (clear_len + 1) % block) % block;
}

size_t ike_seal_len(const struct ike_seal *s, size_t clear_len, bool fragment)
{
	return IKE_HEADER_LEN + IKE_PAYLOAD_HEADER_LEN + (fragment ? FRAGMENT_LEN : 0) +
	       s->shape.iv_len + clear_len + pad_len(s, clear_len) + 1 + s->shape.icv_len;
}

/* @return where the IV goes */
static uint8_t *write_headers(const struct ike_header_fields *header, uint8_t first,
			      struct ike_fragment fragment, size_t len, uint8_t *out)
{
	const bool cut = fragment.total > 0;
	uint8_t *at = out + IKE_HEADER_LEN;

	ike_header_write(header, cut ? IKE_PAYLOAD_SKF : IKE_PAYLOAD_SK, len, out);
	at[0] = first;
	at[1] = 0;
	be16enc(at + 2, (uint16_t)(len - IKE_HEADER_LEN));
	at += IKE_PAYLOAD_HEADER_LEN;
	if (!cut)
		return at;
	be16enc(at, fragment.number);
	be16enc(at + 2, fragment.total);
	return at + FRAGMENT_LEN;
}

enum ipsp_err ike_seal(struct ike_seal *s, const struct ike_header_fields *header, uint8_t first,
		       struct ipsp_span clear, struct ike_fragment fragment, const uint8_t *iv,
		       uint8_t *out)
{
	const size_t len = ike_seal_len(s, clear.len, fragment.total > 0);
	const size_t padding = pad_len(s, clear.len);
	uint8_t *const at = write_headers(header, first, fragment, len, out);
	uint8_t *const text = at + s->shape.iv_len;
	struct crypto_message m = {
		.head = { out, (size_t)(at - out) }, .iv = at, .src = text, .dst = text,
		.text_len = clear.len + padding + 1,
	};

	if (s->n_sealed == UINT64_MAX)
		return IPSP_EOVERFLOW;
	s->n_sealed++;
	if (s->shape.iv_is_counter)
		be64enc(at, s->n_sealed);
	else if (s->shape.iv_len > 0)
		memcpy(at, iv, s->shape.iv_len);
	if (clear.len > 0)
		memcpy(text, clear.data, clear.len);
	memset(text + clear.len, 0, padding);
	text[clear.len + padding] = (uint8_t)padding;
	m.icv = text + m.text_len;
	return crypto_message_seal(s->ctx, 0, &m);
}

/* RFC 7296 3.14: the last octet counts the padding in front of it. */
static enum ipsp_err strip_padding(const uint8_t *clear, size_t len, struct ipsp_span *out)
{
	if (len < 1 || len - 1 < clear[len - 1])
		return IPSP_EMALFORMED;
	*out = (struct ipsp_span){ clear, len - 1 - clear[len - 1] };
	return IPSP_OK;
}

static bool take_fragment(struct ipsp_span *rest, const struct ike_payload *sealed,
			  struct ike_fragment *out)
{
	struct ipsp_span numbers;

	*out = (struct ike_fragment){ 0 };
	if (sealed->type != IKE_PAYLOAD_SKF)
		return true;
	if (!ike_take(rest, FRAGMENT_LEN, &numbers))
		return false;
	*out = (struct ike_fragment){ be16dec(numbers.data), be16dec(numbers.data + 2) };
	return true;
}

enum ipsp_err ike_unseal(const struct ike_seal *s, struct ipsp_span message,
			 const struct ike_payload *sealed, uint8_t *clear, struct ipsp_span *out,
			 struct ike_fragment *fragment)
{
	struct ipsp_span rest = sealed->body, iv, text;
	uint8_t icv[IPSP_ICV_MAX];
	struct crypto_message m = { .dst = clear, .icv = icv };
	enum ipsp_err err;

	if (!take_fragment(&rest, sealed, fragment) || !ike_take(&rest, s->shape.iv_len, &iv) ||
	    rest.len < s->shape.icv_len || !ike_take(&rest, rest.len - s->shape.icv_len, &text) ||
	    (!s->shape.iv_is_counter && text.len % s->shape.block_len != 0))
		return IPSP_EMALFORMED;
	memcpy(icv, rest.data, rest.len);
	m.head = (struct ipsp_span){ message.data, (size_t)(iv.data - message.data) };
	m.iv = iv.data;
	m.src = text.data;
	m.text_len = text.len;
	err = crypto_message_open(s->ctx, 0, &m);
	return err == IPSP_OK ? strip_padding(clear, text.len, out) : err;
}
