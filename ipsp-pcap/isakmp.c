/*
 * ipsp-pcap/isakmp.c - an ISAKMP SA of a capture: see isakmp.h.
 *
 * Every exchange is a chain: a message's IV is the last block of the one before. Messages that were sent again
 * have the IV that they had; so the last few of each chain are kept. After one that is not in the capture the
 * next stays closed, but its last block may be the IV of what follows.
 */
#include "ipsp-pcap/isakmp.h"

#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "ike/v1_choice.h"
#include "ike/v1_cipher.h"

#define KEY_MAX 64u
#define PUBLIC_MAX 1024u	/* octets of a public value: MODP 8192 */
#define CHAINS_MAX 32u		/* exchanges under way at once; the one that rested longest gives way */
#define STEPS_MAX 4u		/* messages of a chain that may come again */
#define PAYLOADS_MAX 64u	/* of a message: no more are looked at */

struct step {
	uint8_t iv[IKE_V1_BLOCK_MAX], last[IKE_V1_BLOCK_MAX];
};

struct chain {
	bool used;
	uint32_t id;			/* message ID; 0: phase 1 */
	uint64_t when;			/* counts messages */
	unsigned n_steps;		/* that were; the last STEPS_MAX are kept */
	struct step steps[STEPS_MAX];
	uint8_t next[IKE_V1_BLOCK_MAX];	/* IV of the next message */
	uint8_t missed[IKE_V1_BLOCK_MAX];	/* last block of the last one that stayed closed */
};

struct pc_isakmp {
	uint8_t cookie_i[IKE_SPI_LEN];
	bool allow_weak;
	uint8_t *key;			/* locked */
	size_t key_len;
	bool chosen;
	struct ike_v1_choice choice;
	unsigned n_public;		/* of these: the initiator's, then the responder's */
	uint8_t public[2][PUBLIC_MAX];
	size_t public_len[2];
	struct ike_v1_cipher *cipher;	/* NULL: not opened yet */
	size_t block_len;
	uint64_t n_opened;
	struct chain phase1, chains[CHAINS_MAX];
};

struct pc_isakmp *pc_isakmp_new(const uint8_t *cookie_i, struct ipsp_span key, bool allow_weak)
{
	struct pc_isakmp *const sa = key.len <= KEY_MAX ? calloc(1, sizeof(*sa)) : NULL;

	if (!sa)
		return NULL;
	sa->key = gcry_malloc_secure(KEY_MAX);
	if (!sa->key) {
		free(sa);
		return NULL;
	}
	memcpy(sa->cookie_i, cookie_i, IKE_SPI_LEN);
	memcpy(sa->key, key.data, key.len);
	sa->key_len = key.len;
	sa->allow_weak = allow_weak;
	return sa;
}

void pc_isakmp_free(struct pc_isakmp *sa)
{
	if (!sa)
		return;
	ike_v1_cipher_free(sa->cipher);
	gcry_free(sa->key);
	free(sa);
}

bool pc_isakmp_is(const struct pc_isakmp *sa, const struct ike_header *h)
{
	return !memcmp(sa->cookie_i, h->spi_i, IKE_SPI_LEN);
}

/* ---- what is not encrypted ---- */

static bool is_phase1(const struct ike_header *h)
{
	return h->exchange == IKE_V1_EXCHANGE_IDENTITY_PROTECTION ||
	       h->exchange == IKE_V1_EXCHANGE_AGGRESSIVE;
}

static bool is_answered(const struct ike_header *h)
{
	static const uint8_t none[IKE_SPI_LEN];

	return memcmp(h->spi_r, none, IKE_SPI_LEN) != 0;
}

/* The first value that comes is the initiator's; it may come again. */
static void see_public(struct pc_isakmp *sa, struct ipsp_span body)
{
	const unsigned n = sa->n_public;

	if (n == 2 || body.len > PUBLIC_MAX ||
	    (n == 1 && body.len == sa->public_len[0] && !memcmp(body.data, sa->public[0], body.len)))
		return;
	memcpy(sa->public[n], body.data, body.len);
	sa->public_len[n] = body.len;
	sa->n_public++;
}

void pc_isakmp_see(struct pc_isakmp *sa, const struct ike_header *h, struct ipsp_span message)
{
	struct ike_chain chain = {
		{ message.data + IKE_HEADER_LEN, message.len - IKE_HEADER_LEN }, h->first_payload, true,
	};
	struct ike_payload payload;
	struct ike_fault fault;

	if (!is_phase1(h) || (h->flags & IKE_V1_FLAG_ENCRYPTION))
		return;
	for (unsigned n = 0; n < PAYLOADS_MAX; n++) {
		if (ike_payload_next(&chain, &payload, &fault) != IKE_STEP_ITEM)
			return;
		if (payload.type == IKE_V1_PAYLOAD_KE)
			see_public(sa, payload.body);
		else if (payload.type == IKE_V1_PAYLOAD_SA && is_answered(h) && !sa->chosen)
			sa->chosen = ike_v1_choice_find(payload.body, &sa->choice, &fault);
	}
}

/* ---- what is ---- */

static const char *begin(struct pc_isakmp *sa)
{
	const struct ipsp_span publics[2] = { { sa->public[0], sa->public_len[0] },
					      { sa->public[1], sa->public_len[1] } };

	if (!sa->chosen || sa->n_public < 2)
		return "the capture has not how its ISAKMP SA began";
	if (!sa->allow_weak && ike_v1_weak(sa->choice.encr, sa->choice.hash))
		return "its algorithms are weak, and need --allow-weak";
	sa->block_len = ike_v1_block_len(sa->choice.encr);
	if (sa->block_len == 0 ||
	    ike_v1_iv(sa->choice.hash, publics, sa->block_len, sa->phase1.next) != IPSP_OK)
		return "its algorithms are not known here";
	switch (ike_v1_cipher_new(sa->choice.encr, sa->choice.key_bits,
				  (struct ipsp_span){ sa->key, sa->key_len }, &sa->cipher)) {
	case IPSP_OK:
		return NULL;
	case IPSP_EKEYLEN:
		return "its key has not its cipher's length";
	default:
		return "the crypto library refuses its key";
	}
}

/* The chain of an exchange, which may begin with this message. NULL: the crypto library fails */
static struct chain *chain_of(struct pc_isakmp *sa, uint32_t id)
{
	struct chain *oldest = &sa->chains[0];
	uint8_t id_be[4];
	const struct ipsp_span parts[2] = { { sa->phase1.next, sa->block_len }, { id_be, 4 } };

	if (id == 0)
		return &sa->phase1;
	for (size_t i = 0; i < CHAINS_MAX; i++) {
		if (sa->chains[i].used && sa->chains[i].id == id)
			return &sa->chains[i];
		if (sa->chains[i].when < oldest->when)
			oldest = &sa->chains[i];
	}
	be32enc(id_be, id);
	*oldest = (struct chain){ .used = true, .id = id };
	return ike_v1_iv(sa->choice.hash, parts, sa->block_len, oldest->next) == IPSP_OK ? oldest :
											   NULL;
}

/* The step that this message was already; NULL: it is a new one. */
static const struct step *step_again(const struct chain *chain, const uint8_t *last, size_t len)
{
	for (size_t i = 0; i < STEPS_MAX && i < chain->n_steps; i++) {
		if (!memcmp(chain->steps[i].last, last, len))
			return &chain->steps[i];
	}
	return NULL;
}

static void step_on(struct chain *chain, const uint8_t *iv, const uint8_t *last, size_t len)
{
	struct step *const step = &chain->steps[chain->n_steps++ % STEPS_MAX];

	memcpy(step->iv, iv, len);
	memcpy(step->last, last, len);
	memcpy(chain->next, last, len);
}

/* RFC 2408 3.2: the header of the payload that the message's says is first. */
static bool is_payload(uint8_t first, const uint8_t *clear, size_t len)
{
	return ike_name(IKE_LIST_V1_PAYLOAD, first) && ike_name(IKE_LIST_V1_PAYLOAD, clear[0]) &&
	       clear[1] == 0 && be16dec(clear + 2) >= IKE_PAYLOAD_HEADER_LEN &&
	       be16dec(clear + 2) <= len;
}

/* With one IV or the other. */
static const char *try_open(struct pc_isakmp *sa, struct chain *chain, uint8_t first,
			    struct ipsp_span sealed, uint8_t *clear)
{
	const uint8_t *const last = sealed.data + sealed.len - sa->block_len;
	const struct step *const again = step_again(chain, last, sa->block_len);
	const uint8_t *const ivs[] = { again ? again->iv : chain->next, chain->missed };

	for (size_t i = 0; i < sizeof(ivs) / sizeof(ivs[0]); i++) {
		if (ike_v1_decrypt(sa->cipher, ivs[i], sealed, clear) != IPSP_OK)
			return "the crypto library fails";
		if (!is_payload(first, clear, sealed.len))
			continue;
		if (!again)
			step_on(chain, ivs[i], last, sa->block_len);
		return NULL;
	}
	memcpy(chain->missed, last, sa->block_len);
	return "the key does not fit, or a message before it is not in the capture";
}

const char *pc_isakmp_open(struct pc_isakmp *sa, const struct ike_header *h, struct ipsp_span sealed,
			   uint8_t *clear)
{
	const char *const why = sa->cipher ? NULL : begin(sa);
	struct chain *chain;

	if (why)
		return why;
	if (sealed.len == 0 || sealed.len % sa->block_len != 0)
		return "it is not of whole blocks";
	chain = chain_of(sa, h->message_id);
	if (!chain)
		return "the crypto library fails";
	chain->when = ++sa->n_opened;
	return try_open(sa, chain, h->first_payload, sealed, clear);
}
