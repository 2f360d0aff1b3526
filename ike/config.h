/*
 * ike/config.h - what the daemon is told: connections, and secrets. IKEv2's side of the MIB's IKE and IPsec
 * actions.
 *
 * A connection is counted: IKE SAs keep the one they were made by, even when a later configuration has
 * another of its name or none.
 */
#ifndef IKE_CONFIG_H
#define IKE_CONFIG_H

#include "ike/credential.h"
#include "ike/proposal.h"
#include "ike/ts.h"

#define IKE_NAME 33u		/* octets of a row's name, NUL included */
#define IKE_PEERS_MAX 32u
#define IKE_CREDENTIALS_MAX 4u
#define IKE_IDENTITY_MAX 511u
#define IKE_PPK_ID_MAX 64u
#define IKE_SECRET_MAX 512u

/** Who somebody is. RFC 7296 3.5. */
struct ike_identity {
	uint8_t type;		/* IKE_ID_*; 0: anybody */
	uint16_t len;
	uint8_t octets[IKE_IDENTITY_MAX + 1];	/* text has a NUL behind it */
};

/** A secret that both know. In locked memory, counted. */
struct ike_secret;

/** Copies. @return NULL: no memory, or longer than IKE_SECRET_MAX */
struct ike_secret *ike_secret_new(struct ipsp_span octets);
struct ike_secret *ike_secret_ref(struct ike_secret *s);
void ike_secret_unref(struct ike_secret *s);
struct ipsp_span ike_secret_octets(const struct ike_secret *s);

/** One that may be the other end. */
struct ike_peer {
	struct ipsp_addr address;	/* family 0: it comes to us */
	struct ike_identity id;
	struct ike_secret *secret;	/* NULL: none */
	/** Ours for it, in the order of preference; before the secret. Counted. */
	size_t n_credentials;
	struct ike_credential *credentials[IKE_CREDENTIALS_MAX];
	struct ike_trust *trust;	/* how it may sign; NULL: it may not. Counted */
	/** A postquantum preshared key, RFC 8784. NULL: none */
	struct ike_secret *ppk;
	uint8_t ppk_id_len;
	uint8_t ppk_id[IKE_PPK_ID_MAX];
	bool ppk_required;		/* else it is left out where the other end has none */
};

/** A lifetime. 0: no limit. */
struct ike_life {
	uint64_t hard_s, hard_kb;
	uint8_t soft_percent, soft_kb_percent;	/* of each: when it is renewed; 100: only ended */
};

/** How a Child SA treats its packets. */
struct ike_handling {
	uint8_t df, ecn;	/* enum ipsp_df, ipsp_ecn */
	int8_t dscp;		/* -1: the packet's own */
	uint16_t tfc_pad;	/* octets; 0: none */
	uint16_t dummy_s;	/* 0: no dummy packets */
	uint32_t idle_s;	/* both directions; 0: for ever */
};

/** A Child SA that may be asked for. */
#define IKE_ANSWER_REQID 0x40000000u

struct ike_child_config {
	struct ike_offers offers;	/* of ESP or AH */
	struct ike_selectors ours, theirs;
	struct ike_life life;
	uint32_t reqid;			/* rows' have the highest bit, those of the default response the next one */
	bool transport;			/* else tunnel mode */
	bool compress;			/* IPComp, where the peer does it too */
	bool answers;			/* the default response: see ike/answer.c */
	bool anyone;			/* tunnels with peers who may be anywhere: see ike/anyone.c */
	uint8_t pfp;			/* IPSP_PFP_*: selectors that are one packet's alone, which leaves here */
	struct ike_handling handling;
	uint8_t window_log2;		/* of the anti-replay window in packets */
};

/** Is a NAT looked for, and does ESP go in UDP? RFC 7296 2.23 */
enum ike_nat {
	IKE_NAT_AUTO,		/* it does when there is one */
	IKE_NAT_ALWAYS,		/* ... or none: the peer is made to believe that we are behind one */
	IKE_NAT_NEVER,		/* none is looked for */
	IKE_NATS
};

/** What a connection has of IKE SAs. */
enum ike_conn_standing {
	IKE_CONN_DOWN,
	IKE_CONN_COMING,	/* one in the making */
	IKE_CONN_STANDS,	/* one that is established */
};

struct ike_conn {
	unsigned refs;
	char ipsec[IKE_NAME], ike[IKE_NAME];	/* names of its rows */
	struct ipsp_addr local;			/* family 0: whatever a route says */
	struct ike_identity local_id;		/* an address without octets: the one that we have there */
	struct ike_offers offers;		/* of the IKE SA */
	struct ike_life life;
	uint32_t children_max;			/* made, before it is renewed: Child SAs; 0: no limit */
	uint32_t liveness_s;			/* without a word from the peer; 0: never asked */
	enum ike_nat nat;
	uint32_t reauth_s;			/* till both authenticate anew; 0: never */
	uint32_t retransmit_s;			/* before a request is sent again; 0: as usual */
	uint8_t tries;				/* how often it is sent; 0: as usual */
	size_t n_peers;
	struct ike_peer peers[IKE_PEERS_MAX];
	bool has_child;
	struct ike_child_config child;
	/* While many are looked at or changed at once, ike/world.h. */
	enum ike_conn_standing standing;	/* as ike_survey found it */
	struct ike_conn *heir;			/* borrowed; under which its IKE SAs go on; NULL: none */
	bool ends;				/* with its IKE SAs */
};

/** Zeroed, with one reference. NULL: no memory */
struct ike_conn *ike_conn_new(void);
struct ike_conn *ike_conn_ref(struct ike_conn *c);
void ike_conn_unref(struct ike_conn *c);

/**
 * Makes an identity from text. A distinguished name is RFC 4514's, or empty: the one of the certificate.
 * @return false: text is not one of that type
 */
IPSP_MUST_CHECK bool ike_identity_make(uint8_t type, const char *text, struct ike_identity *out);

/** Who we are on an address: what is configured, where an address without octets is that one. */
struct ike_identity ike_identity_on(const struct ike_identity *configured,
				    const struct ipsp_addr *addr);

/** From an ID payload's body. False: too long, or an address of another size. */
IPSP_MUST_CHECK bool ike_identity_read(struct ipsp_span body, struct ike_identity *out);

/** Is it one whom we would take for wanted? Anybody fits type 0; names without regard of case. An empty
 *  distinguished name fits every one. */
bool ike_identity_fits(const struct ike_identity *wanted, const struct ike_identity *is);

#define IKE_IDENTITY_TEXT 576
/** "FQDN router-a.example" into buf; octets that cannot be printed as hex. Returns buf. */
const char *ike_identity_text(const struct ike_identity *id, char buf[IKE_IDENTITY_TEXT]);

#endif
