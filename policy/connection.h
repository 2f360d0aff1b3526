/*
 * policy/connection.h - what is to be negotiated with whom: IKE and IPsec actions as one whole.
 *
 * draft-ietf-ipsp-ikeaction-mib: an IPsec action (Child SA) and the IKE action (IKE SA) that serves it, with
 * all that their names lead to. A connection is every pair of them that an active rule or autostart
 * row leads to. IKEv1 numbers are those of the rows; IKEv2's (RFC 7296 3.3.2) are made from them.
 * Faults are found here, in words, and not by who negotiates. Only reads; memory from the heap.
 */
#ifndef POLICY_CONNECTION_H
#define POLICY_CONNECTION_H

#include "ipsp/types.h"
#include "policy/rows.h"

#define POL_CONN_NAME 33		/* octets of a row's name, NUL included */
#define POL_CONN_TEXT 200
#define POL_CONN_PEERS_MAX 32
#define POL_CONN_PROPOSALS_MAX 32
#define POL_CONN_TRANSFORMS_MAX 128
#define POL_CONN_VENDOR_MAX 255
#define POL_CONN_ADD_KE_MAX 7
#define POL_CONN_CAS_MAX 8
#define POL_CONN_RETRANSMIT_S 2		/* defaults of ipspdIkeActTable */
#define POL_CONN_TRIES 8
#define POL_CONN_CRLS_MAX 4
#define POL_CONN_MORE_MAX 3		/* ipspdIkeIdOptTable */

/* ---- which connections there are ---- */

/** A rule that leads to a connection, at one interface; or an autostart row. */
struct pol_conn_use {
	char rule[POL_CONN_NAME];	/* "": an autostart row */
	uint32_t autostart;		/* its priority */
	uint32_t ifindex;		/* 0: the system-wide group */
	uint8_t dir;			/* enum ipsp_dir; 0: no group that it is in is bound */
};

/** A pair of actions. In the order of the index (ipsec, ike). */
struct pol_conn_key {
	char ipsec[POL_CONN_NAME];	/* "": an IKE SA alone */
	char ike[POL_CONN_NAME];	/* "": none serves the IPsec action, and why says so */
	char why[POL_CONN_TEXT];
	bool answers;			/* the default response; no rule uses it */
	struct pol_conn_use *uses;
	size_t n_uses;
};

struct pol_conn_set {
	struct pol_conn_key *keys;
	size_t n_keys;
};

/**
 * Finds them. The IKE action that serves an IPsec action is, first hit: the last one before it in its compound
 * action; that of a rule for ipiaIkePhase1Filter at the same interface, with the same peer list; the only one
 * with the same peer list.
 * @return false: no memory
 */
bool pol_conn_set_make(const struct mib_view *v, struct pol_conn_set *out);
void pol_conn_set_fini(struct pol_conn_set *s);

/** Has the default response an action, be it switched on or off? Then who asks is told what becomes of it. */
bool pol_conn_has_response(const struct mib_view *v);

/** Can a change of that row make other connections, or other uses of them? */
bool pol_conn_set_depends(const struct mib_row *r);

/** The first key at or after (strict: after) these names; s->n_keys: none. */
size_t pol_conn_seek(const struct pol_conn_set *s, const char *ipsec, const char *ike, bool strict);

/* ---- one connection ---- */

/** ipspdIkeActVersion. */
enum pol_ike_version { POL_IKE_V2 = 1, POL_IKE_V1 = 2, POL_IKE_V2_THEN_V1 = 3 };

/** Who somebody is. RFC 2407 4.6.2.1, RFC 7296 3.5: the same numbers. */
struct pol_identity {
	uint8_t type;			/* 0: anybody */
	char value[257];		/* "": of type's own: our address, the certificate's subject */
};

/** What proves who somebody is. */
struct pol_conn_credential {
	char name[POL_CONN_NAME];	/* "": none */
	uint8_t type;			/* IpsaCredentialType: 2 sharedSecret, 3 x509 */
	bool raw_key;			/* x509: a public key without a certificate */
	bool pss;			/* its RSA key signs by PSS where the peer takes that */
	char ca[POL_CONN_NAME];		/* row of ipiaIpsecCredMngServiceTable; "": none */
	uint8_t max_chain;		/* certificates between the CA's and this one */
	char remote_id[64];		/* as which the other side knows it; "": unsaid */
};

/** ipspdCaCrlLevel. */
enum pol_crl_level { POL_CRL_NONE = 1, POL_CRL_IF_AVAILABLE = 2, POL_CRL_REQUIRED = 3 };

/** A row of ipiaCredMngCRLTable. */
struct pol_conn_crl {
	char name[POL_CONN_NAME];
	char point[257];		/* where it is to be had; "": unsaid */
	char this_update[33], next_update[33];
};

/** A row of ipiaIpsecCredMngServiceTable that a credential names. */
struct pol_conn_ca {
	char name[POL_CONN_NAME];
	char dn[257];
	char certificate[POL_CONN_NAME];	/* its own; "": none */
	enum pol_crl_level crl_level;
	bool in_requests;		/* peers are told that it is asked for */
	struct pol_conn_crl crls[POL_CONN_CRLS_MAX];	/* the first ones */
	size_t n_crls;			/* all of them */
};

struct pol_conn_peer {
	uint32_t priority;
	struct pol_identity id;
	struct ipsp_addr address;	/* family 0: not known, it comes to us */
	struct pol_conn_credential credential;	/* its row's, else our identity's */
	struct pol_conn_credential ppk;	/* RFC 8784; name "": none */
	bool ppk_required;
};

/** One row of ipiaIkeProposalTable, where an IKE action has it. */
struct pol_ike_proposal {
	uint32_t priority;
	char name[POL_CONN_NAME];
	bool v1, v2;			/* it can be offered in that version */
	uint16_t cipher, key_bits, hash, group, method;	/* IKEv1 */
	uint16_t encr, prf, integ, auth;		/* IKEv2; integ 0: the cipher brings it */
	uint64_t life_s, life_kb;	/* life_kb 0: no limit */
	uint32_t derived_keys;		/* Child SAs made before it is renewed; 0: no limit */
	uint16_t add_ke[POL_CONN_ADD_KE_MAX];	/* RFC 9370, in order */
	size_t n_add_ke;
	size_t vendor_octets;		/* of the vendor whose private groups it means */
};

/** IpsecDoiSecProtocolId. */
enum pol_child_protocol { POL_CHILD_AH = 2, POL_CHILD_ESP = 3, POL_CHILD_IPCOMP = 4 };

/** What several rows of ipiaIpsecProposalsTable with one priority ask for together. */
struct pol_child_proposal {
	uint32_t priority;
	uint8_t protocols;		/* that have a transform: 1 << each */
	bool usable;			/* each of its protocols has one that can be done */
	/* IKEv2 offers it: of AH and ESP it has one (RFC 7296 3.3), which is that of the first such proposal, as
	 * packets are to go through one of them alone; the default response, whose SPD entries come behind, takes
	 * either. IPComp is asked for beside it (2.22). */
	bool offered;
};

/** One alternative for one protocol. */
struct pol_child_transform {
	uint32_t proposal;		/* priority of its row in ipiaIpsecProposalsTable */
	uint8_t protocol;		/* enum pol_child_protocol */
	bool usable;			/* an SA can be made of it now */
	char name[POL_CONN_NAME];
	uint16_t encr, key_bits, auth;	/* IKEv1; IPComp: encr is the algorithm */
	uint16_t v2_encr, v2_integ;
	bool replay;
	uint32_t window_pkts;
	uint64_t life_s, life_kb;
};

/** ipspdIkeActNatTraversal, ipspdIpsecActEsn. */
enum pol_conn_nat { POL_CONN_NAT_AUTO = 1, POL_CONN_NAT_ALWAYS = 2, POL_CONN_NAT_NEVER = 3 };
enum pol_conn_esn { POL_CONN_ESN_NO = 1, POL_CONN_ESN_YES = 2, POL_CONN_ESN_EITHER = 3 };

/** A row of ipspdIpsecActTable. */
struct pol_conn_choices {
	uint8_t ecn;			/* enum ipsp_ecn */
	int8_t dscp;			/* -1: that of the packet inside */
	uint32_t tfc_pad_octets, dummy_interval_s;	/* 0: none */
	enum pol_conn_esn esn;
	uint8_t from_packet;		/* ipspdIpsecActFromPacket: the highest bit is source(0) */
};

/** An autostart row, and what its imagined packet starts. */
struct pol_conn_start {
	uint32_t priority;
	char rule[POL_CONN_NAME];	/* the rule that it matches; "": none, from host to host */
	struct ipsp_selector packet;
};

/** A row of ipiaSaNegotiationParametersTable. */
struct pol_conn_life {
	char name[POL_CONN_NAME];
	uint64_t min_life_s, min_life_kb;
	uint8_t refresh_s_percent, refresh_kb_percent;
	uint64_t idle_s;		/* 0: for ever */
};

struct pol_connection {
	char fault[POL_CONN_TEXT];	/* why it cannot be negotiated as it stands; "" */
	/* The IKE SA. */
	enum pol_ike_version version;
	bool aggressive, aggressive_psk;
	enum pol_conn_nat nat;
	uint32_t reauth_s;		/* 0: never */
	uint32_t retransmit_s;
	uint8_t tries;
	uint16_t aggressive_group;
	uint8_t threshold_percent;	/* of derived_keys */
	struct pol_conn_life ike_life;
	struct pol_identity local;
	struct pol_conn_credential local_credential;
	struct pol_conn_credential more[POL_CONN_MORE_MAX];	/* of ours, X.509, that can be used */
	size_t n_more;
	char passed_over[POL_CONN_TEXT];	/* why one of the rest of those cannot be; "" */
	uint32_t ifindex;		/* whose identity row it is; 0: none */
	uint8_t ike_vendor[POL_CONN_VENDOR_MAX];
	size_t ike_vendor_len;
	struct pol_ike_proposal proposals[POL_CONN_PROPOSALS_MAX];
	size_t n_proposals;
	/* Both. */
	char peer_list[POL_CONN_NAME];
	struct pol_conn_peer peers[POL_CONN_PEERS_MAX];
	size_t n_peers;
	struct pol_conn_ca cas[POL_CONN_CAS_MAX];	/* that their credentials name */
	size_t n_cas;
	/* The Child SA; unused when there is no IPsec action. */
	struct pol_conn_life child_life;
	struct pol_child_proposal child_proposals[POL_CONN_PROPOSALS_MAX];
	size_t n_child_proposals;
	struct pol_child_transform transforms[POL_CONN_TRANSFORMS_MAX];
	size_t n_transforms;
	bool pfs, pfs_of_ike;		/* with a group of its own, or the IKE SA's */
	uint16_t pfs_group;
	size_t pfs_vendor_octets;	/* of the vendor whose private groups it means */
	struct pol_conn_choices choices;
	bool answers;			/* the default response: any traffic, as a peer asks */
	uint8_t granularity;		/* 1 subnet .. 4 port */
	uint8_t mode, df;		/* enum ipsp_mode, enum ipsp_df */
	bool gateway_of_packet;		/* tunnel mode: the packet's own address is the peer's */
	bool anyone;			/* as of pol_negotiate_anyone */
	bool log_ike, log_child;
	int32_t log_ike_octets, log_child_octets;	/* of packets; -1: not logged */
	/** From ours to theirs, one box a rule; ends with the first that does not fit. */
	struct ipsp_selector *selectors;
	size_t n_selectors;
	struct pol_conn_start *starts;
	size_t n_starts;
};

/**
 * Makes the connection of a key. A fault leaves out what it concerns; the rest is as configured.
 * @return false: no memory
 */
bool pol_connection_make(const struct mib_view *v, const struct pol_conn_key *key,
			 struct pol_connection **out);
void pol_connection_free(struct pol_connection *c);

/** The proposal of a transform. */
const struct pol_child_proposal *pol_child_proposal_of(const struct pol_connection *c,
						       const struct pol_child_transform *t);

/** Is compression asked for? That is agreed on beside the proposals, whichever of them is chosen. */
bool pol_conn_compresses(const struct pol_connection *c);

/* ---- as text, for people (policy/conn_text.c) ---- */

#define POL_CONN_COLUMN 256	/* an SnmpAdminString, NUL included; what does not fit ends in ".." */

enum pol_conn_column {
	POL_CONN_PEER_IDENTITY,
	POL_CONN_LOCAL_IDENTITY,
	POL_CONN_CREDENTIALS,
	POL_CONN_SELECTORS,
	POL_CONN_VERSION,
	POL_CONN_IKE_ALGORITHMS,
	POL_CONN_SA_ALGORITHMS,
	POL_CONN_PFS,
	POL_CONN_LIFETIMES,
	POL_CONN_OPTIONS,
	POL_CONN_RULES,
};

/** Returns buf. */
const char *pol_conn_text(const struct pol_conn_key *key, const struct pol_connection *c,
			  enum pol_conn_column column, char buf[POL_CONN_COLUMN]);

/** The transforms of a row of ipsaSaPreconfiguredActionTable. Returns buf. */
const char *pol_conn_manual_text(const struct mib_view *v, const struct mib_row *r,
				 char buf[POL_CONN_COLUMN]);

#endif
