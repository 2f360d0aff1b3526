/*
 * ike/proof.h - how both ends prove who they are in one IKE_AUTH: between ike/v2_auth.c, which knows the
 * messages, and what signs and verifies. RFC 7296 2.15, 3.6 to 3.8; RFC 7427; RFC 7670; RFC 8784. Private to ike/.
 *
 *	IKE_SA_INIT:	ike_proof_announce writes what we take, ike_proof_notice reads what they take
 *	IKE_AUTH:	ike_proof_begin computes ours, ike_proof_write_* writes it, ike_proof_check judges theirs
 *
 * Signatures are jobs; meanwhile what came is kept.
 */
#ifndef IKE_PROOF_H
#define IKE_PROOF_H

#include "ike/internal.h"
#include "ike/sign.h"
#include "ike/verify.h"

#define IKE_FETCHES_MAX (2u * IKE_CHAIN_MAX)
#define IKE_AUTH_SHARED_KEY 2u	/* RFC 7296 3.8 */

/** A CRL or an OCSP answer that was asked for. */
struct ike_fetch {
	struct ike_fetch *next;		/* of those that the world waits for */
	struct ike_exchange *x;
	uint64_t ticket;
	bool ocsp;
	char url[IKE_URL_MAX];
	uint8_t *octets;		/* NULL: none came */
	size_t len;
	struct ike_crl *crl;		/* made of them by the job */
};

/** An OCSP answer about our own certificate, that may go along. RFC 4806 */
struct ike_staple {
	size_t len;			/* 0: there is none */
	uint8_t *octets;
	gnutls_x509_crt_t issuer;	/* of the credential's, or of trust */
	struct ike_trust *trust;	/* counted */
	int64_t now_s;
	enum ike_standing standing;	/* found by the job */
	int64_t until_s;
};

/** Of one exchange, from the first message that needs it. */
struct ike_proof {
	/* what they ask for, RFC 7296 3.7 */
	bool asks_cert, asks_raw_key, asks_ocsp;
	struct ike_identity asked;	/* the initiator's IDr; type 0: it says none */
	size_t n_wanted;
	uint8_t (*wanted)[IKE_KEY_HASH_LEN];
	/* ours: signatures of what is signed; with a PPK the second is for a peer without, RFC 8784 */
	struct ike_credential *own;	/* counted; NULL: by the shared key */
	const struct ike_scheme *scheme;
	uint8_t *octets[2];
	size_t octets_len[2];
	uint8_t data[2][IKE_SIGNATURE_MAX];
	size_t data_len[2];
	enum ipsp_err err;
	struct ike_staple staple;
	/* theirs */
	struct ike_parsed *kept;
	void (*checked)(struct ike_exchange *x, const struct ike_parsed *m, const char *why,
			uint64_t now_ms);
	struct ike_verify verify;
	uint8_t *signed_by_peer;
	unsigned n_fetches;
	struct ike_fetch *fetches[IKE_FETCHES_MAX];
	/* the keys before a PPK was mixed in; in locked memory, NULL: none was */
	struct ike_plain_keys *plain;
};

/* ---- ike/proof.c ---- */

/** NULL: no memory */
struct ike_proof *ike_proof_of(struct ike_exchange *x);
void ike_proof_free(struct ike_proof *p);

/** What we take, into IKE_SA_INIT: the initiator's, or the answer to what was noticed. */
void ike_proof_announce(struct ike_exchange *x, struct ike_builder *b);
/** What the other takes, of its message of IKE_SA_INIT. */
void ike_proof_notice(struct ike_exchange *x, const struct ike_parsed *m);
/** CERTREQ of a message. False: no memory */
bool ike_proof_take_requests(struct ike_exchange *x, const struct ike_parsed *m);

/** ike/choose.c: that of ours to show; not counted. NULL: none can be */
struct ike_credential *ike_credential_choose(const struct ike_exchange *x, int64_t now_s);

/**
 * Chooses our proof and our identity, and begins to compute: then ike_wait.
 * @param own     out: who we say we are
 * @param by_key  the other proves itself by the shared key
 * @return NULL; why there is none
 */
const char *ike_proof_begin(struct ike_exchange *x, struct ike_identity *own, bool by_key);
/** NULL; why the computation failed. */
const char *ike_proof_failed(const struct ike_exchange *x);
/** CERT and (the initiator) CERTREQ payloads. */
void ike_proof_write_certs(struct ike_exchange *x, struct ike_builder *b);
/** Octets of our certificates in a message. */
size_t ike_proof_certs_len(const struct ike_exchange *x);
/** AUTH, and what a PPK needs. */
void ike_proof_write_auth(struct ike_exchange *x, struct ike_builder *b);

/** Are we to that peer whom it asks for? local: who we are; a name without octets is each of our certificates'. */
bool ike_proof_is_ours(const struct ike_peer *p, const struct ike_identity *local,
		       const struct ike_identity *asked);
/** Can a peer prove itself to us so? method: the AUTH payload's */
bool ike_proof_possible(const struct ike_peer *p, uint8_t method);
/** The AUTH payload's method; 0: there is none. */
uint8_t ike_proof_method(const struct ike_parsed *m);
/**
 * Judges what the other sent, now or later, then calls checked once, with why NULL if it is good. m is then
 * the same message.
 */
void ike_proof_check(struct ike_exchange *x, const struct ike_parsed *m,
		     void (*checked)(struct ike_exchange *x, const struct ike_parsed *m,
				     const char *why, uint64_t now_ms),
		     uint64_t now_ms);

/** The jobs. */
void ike_proof_sign_run(struct ike_proof *p);
void ike_proof_revocation_run(struct ike_proof *p);

/* ---- ike/fetch.c ---- */

/** The CRLs that the world has of these certificates' URLs, into v. */
void ike_crls_kept(struct ike_world *w, struct ike_verify *v);
/** Asks for what is missing; x waits for it. @return how many were asked for */
unsigned ike_fetch_begin(struct ike_exchange *x);
/** Keeps the CRLs that came. */
void ike_crls_keep(struct ike_exchange *x);
void ike_fetch_free(struct ike_fetch *f);

/* ---- ike/staple.c ---- */

/** Takes what is kept about our certificate, once that is chosen and where the peer asks for it; asks for what is not. */
void ike_staple_begin(struct ike_exchange *x, int64_t now_s);
/** The job's part: is it good? */
void ike_staple_run(struct ike_proof *p);
/** CERT with it, if it is; behind those of certificates. */
void ike_staple_write(struct ike_exchange *x, struct ike_builder *b);
void ike_staple_fini(struct ike_staple *s);
/** The answer to a question of this file; another's ticket is nothing. */
void ike_staple_came(struct ike_world *w, uint64_t ticket, struct ipsp_span answer);

/* ---- ike/ppk.c, RFC 8784 ---- */

/** The initiator, before IKE_AUTH: mixes it in if both have said so. NULL; why not */
const char *ike_ppk_begin(struct ike_exchange *x, bool *mixed);
/** The initiator, by the answer: takes it out if the other had none. NULL; why that may not be */
const char *ike_ppk_answered(struct ike_exchange *x, const struct ike_parsed *m);
/**
 * The responder, by the request: mixes it in, or sees to it that nobody has to.
 * @param data  in, out: authentication data to look at
 */
const char *ike_ppk_asked(struct ike_exchange *x, const struct ike_parsed *m,
			  struct ipsp_span *data);
/** PPK_IDENTITY, and the initiator's NO_PPK_AUTH. */
void ike_ppk_write(struct ike_exchange *x, struct ike_builder *b);
void ike_plain_keys_free(struct ike_plain_keys *k);

#endif
