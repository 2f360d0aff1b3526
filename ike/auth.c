/* ike/auth.c - what proves who somebody is. RFC 7296 2.15. */
#include <string.h>

#include "ike/internal.h"

/* InitiatorSignedOctets: the message, the other's nonce, prf(SK_pi, IDi body). */
enum ipsp_err ike_auth_octets(struct ike_exchange *x, bool initiators,
			      struct ipsp_span out[IKE_AUTH_PARTS],
			      uint8_t mac_id[IKE_PRF_MAX])
{
	const struct ike_keys *const k = x->sa->keys;
	const struct ike_identity *const id = initiators ? &x->id_i : &x->id_r;
	const uint8_t head[4] = { id->type };
	const struct ipsp_span body[] = { { head, sizeof(head) }, { id->octets, id->len } };

	out[0] = initiators ? (struct ipsp_span){ x->init_request, x->init_request_len } :
			      (struct ipsp_span){ x->init_response, x->init_response_len };
	out[1] = initiators ? (struct ipsp_span){ x->nonce_r, x->nonce_r_len } :
			      (struct ipsp_span){ x->nonce_i, x->nonce_i_len };
	out[2] = (struct ipsp_span){ mac_id, k->prf_len };
	out[3] = (struct ipsp_span){ x->int_auth, x->int_auth_len };
	return ike_prf(x->sa->world->prfs, k->prf,
		       (struct ipsp_span){ initiators ? k->sk_pi : k->sk_pr, k->prf_len }, body, 2,
		       mac_id);
}

/* prf(prf(Shared Secret, "Key Pad for IKEv2"), <SignedOctets>) */
enum ipsp_err ike_auth_psk(struct ike_exchange *x, bool initiators, const struct ike_secret *secret,
			   uint8_t out[IKE_PRF_MAX])
{
	static const char pad[] = "Key Pad for IKEv2";
	const struct ike_keys *const k = x->sa->keys;
	struct ike_prfs *const prfs = x->sa->world->prfs;
	const struct ipsp_span padding = { (const uint8_t *)pad, sizeof(pad) - 1 };
	uint8_t mac_id[IKE_PRF_MAX], key[IKE_PRF_MAX];
	struct ipsp_span octets[IKE_AUTH_PARTS];
	enum ipsp_err err = ike_auth_octets(x, initiators, octets, mac_id);

	if (err == IPSP_OK)
		err = ike_prf(prfs, k->prf, ike_secret_octets(secret), &padding, 1, key);
	if (err == IPSP_OK)
		err = ike_prf(prfs, k->prf, (struct ipsp_span){ key, k->prf_len }, octets, IKE_AUTH_PARTS,
			      out);
	explicit_bzero(key, sizeof(key));
	return err;
}
