/*
 * ike/ppk.c - postquantum preshared keys. RFC 8784.
 *
 *	HDR, SAi1, KEi, Ni, N(USE_PPK)  -->
 *	<--  HDR, SAr1, KEr, Nr, N(USE_PPK)
 *	HDR, SK {IDi, AUTH, ..., N(PPK_IDENTITY, PPK_ID) [, N(NO_PPK_AUTH)]}  -->
 *	<--  HDR, SK {IDr, AUTH, ... [, N(PPK_IDENTITY)]}
 */
#include <gcrypt.h>
#include <string.h>

#include "ike/proof.h"

#define PPK_ID_FIXED 2u		/* RFC 8784 5.1 */

struct ike_plain_keys {
	uint8_t sk_d[IKE_PRF_MAX], sk_pi[IKE_PRF_MAX], sk_pr[IKE_PRF_MAX];
};

void ike_plain_keys_free(struct ike_plain_keys *k)
{
	gcry_free(k);	/* which wipes locked memory */
}

static const char *mix(struct ike_exchange *x)
{
	struct ike_proof *const p = ike_proof_of(x);
	struct ike_keys *const k = x->sa->keys;
	struct ike_plain_keys *const plain = gcry_malloc_secure(sizeof(*plain));

	if (!p || !plain) {
		gcry_free(plain);
		return "no memory";
	}
	memcpy(plain->sk_d, k->sk_d, IKE_PRF_MAX);
	memcpy(plain->sk_pi, k->sk_pi, IKE_PRF_MAX);
	memcpy(plain->sk_pr, k->sk_pr, IKE_PRF_MAX);
	p->plain = plain;
	return ike_keys_mix_ppk(x->sa->world->prfs, k, ike_secret_octets(x->peer->ppk)) == IPSP_OK ?
		       NULL : "the postquantum key cannot be mixed in";
}

static void unmix(struct ike_exchange *x)
{
	struct ike_proof *const p = x->proof;
	struct ike_keys *const k = x->sa->keys;

	memcpy(k->sk_d, p->plain->sk_d, IKE_PRF_MAX);
	memcpy(k->sk_pi, p->plain->sk_pi, IKE_PRF_MAX);
	memcpy(k->sk_pr, p->plain->sk_pr, IKE_PRF_MAX);
	ike_plain_keys_free(p->plain);
	p->plain = NULL;
}

const char *ike_ppk_begin(struct ike_exchange *x, bool *mixed)
{
	const struct ike_peer *const peer = x->peer;

	*mixed = peer->ppk && x->uses_ppk;
	if (*mixed)
		return mix(x);
	return peer->ppk && peer->ppk_required ?
		       "the peer has no postquantum preshared key, which is required" : NULL;
}

const char *ike_ppk_answered(struct ike_exchange *x, const struct ike_parsed *m)
{
	struct ike_notify n;

	if (ike_parsed_notify(m, IKE_N_PPK_IDENTITY, &n))
		return x->proof && x->proof->plain ? NULL :
						     "the peer uses a postquantum key that we do not";
	if (!x->proof || !x->proof->plain)
		return NULL;
	if (x->peer->ppk_required)
		return "the peer does not have our postquantum preshared key, which is required";
	ike_say(x->sa, IKE_LOG_NOTICE, "the peer does not have our postquantum preshared key: it is left out");
	unmix(x);
	return NULL;
}

/* PPK_ID: its type, then itself. */
static bool is_ours(const struct ike_peer *p, struct ipsp_span id)
{
	return p->ppk && id.len == p->ppk_id_len + 1u && id.data[0] == PPK_ID_FIXED &&
	       !memcmp(id.data + 1, p->ppk_id, p->ppk_id_len);
}

const char *ike_ppk_asked(struct ike_exchange *x, const struct ike_parsed *m,
			  struct ipsp_span *data)
{
	const struct ike_peer *const peer = x->peer;
	struct ike_notify id, without;

	if (ike_parsed_notify(m, IKE_N_PPK_IDENTITY, &id)) {
		if (x->uses_ppk && is_ours(peer, id.data))
			return mix(x);
		if (peer->ppk_required || !ike_parsed_notify(m, IKE_N_NO_PPK_AUTH, &without))
			return "the peer's postquantum preshared key is not known here, and one is required";
		*data = without.data;
		ike_say(x->sa, IKE_LOG_NOTICE,
			"the peer's postquantum preshared key is not known here: it is left out");
		return NULL;
	}
	return peer->ppk && peer->ppk_required ?
		       "the peer names no postquantum preshared key, which is required" : NULL;
}

void ike_ppk_write(struct ike_exchange *x, struct ike_builder *b)
{
	const struct ike_proof *const p = x->proof;
	uint8_t id[1 + IKE_PPK_ID_MAX] = { PPK_ID_FIXED };

	if (!p || !p->plain)
		return;
	if (!x->sa->initiator) {
		ike_build_flag(b, IKE_N_PPK_IDENTITY);
		return;
	}
	memcpy(id + 1, x->peer->ppk_id, x->peer->ppk_id_len);
	ike_build_notify(b, 0, (struct ipsp_span){ 0 }, IKE_N_PPK_IDENTITY,
			 (struct ipsp_span){ id, 1u + x->peer->ppk_id_len });
	if (!x->peer->ppk_required)
		ike_build_notify(b, 0, (struct ipsp_span){ 0 }, IKE_N_NO_PPK_AUTH,
				 (struct ipsp_span){ p->data[1], p->data_len[1] });
}
