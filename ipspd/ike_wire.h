/*
 * ipspd/ike_wire.h - connections on their way from the agent to the ike process, and IKE SAs on their way back.
 *
 * What is read is believed to be well formed only: numbers, lengths, families. Secrets are in it.
 */
#ifndef IPSPD_IKE_WIRE_H
#define IPSPD_IKE_WIRE_H

#include "chan/chan.h"
#include "ike/world.h"

/** What a peer is proved to, and proves itself, by: ipspd/ike_cred_wire.h. */
struct ike_wire_proof {
	uint8_t n_owns;
	uint32_t owns[IKE_CREDENTIALS_MAX];	/* as struct ike_peer.credentials */
	uint32_t trust;				/* 0: none */
};

/** A connection, and what is to be done with it. */
struct ike_wire_conn {
	struct ike_conn *conn;		/* counted by who has this; its peers have neither credentials nor trust */
	struct ike_wire_proof proofs[IKE_PEERS_MAX];
	bool start;			/* at once, not when a packet waits */
	struct ipsp_addr to;		/* start: with whom; family 0: the first peer that has an address */
};

/** Writes one; w->overflow says that it is too large for a message. */
void ike_wire_conn_put(struct chan_writer *w, const struct ike_wire_conn *c);

/**
 * Reads one, which must be all that is left.
 * @return false: malformed, or no memory; nothing is to be freed
 */
IPSP_MUST_CHECK bool ike_wire_conn_get(struct chan_reader *r, struct ike_wire_conn *out);

/** What can be asked of a connection, IKE_REQUEST. */
enum ike_wire_request {
	IKE_WIRE_INITIATE = 1,
	IKE_WIRE_TERMINATE,
	IKE_WIRE_REKEY,			/* its Child SAs */
	IKE_WIRE_REQUESTS
};

/** What is to end, IKE_FLUSH. */
enum ike_wire_flush {
	IKE_WIRE_FLUSH_ALL = 1,		/* IKE SAs and their Child SAs */
	IKE_WIRE_FLUSH_CHILDREN,
	IKE_WIRE_FLUSH_ESP,		/* Child SAs of it */
	IKE_WIRE_FLUSH_AH,
	IKE_WIRE_FLUSHES
};

/** ipspdIkeSaState. */
enum ike_wire_state {
	IKE_WIRE_INITIATING = 1,
	IKE_WIRE_AUTHENTICATING,
	IKE_WIRE_ESTABLISHED,
	IKE_WIRE_REKEYING,
	IKE_WIRE_DELETING,
	IKE_WIRE_STATES
};

/** One IKE SA. */
struct ike_wire_sa {
	uint32_t number;		/* 1 .. INT32_MAX; in this order */
	uint8_t spi_i[IKE_SPI_LEN], spi_r[IKE_SPI_LEN];
	uint8_t state;			/* enum ike_wire_state */
	bool initiator;
	struct ike_path path;
	char ipsec[IKE_NAME], ike[IKE_NAME];	/* of its connection */
	struct ike_identity local, remote;	/* type 0: not known yet */
	uint16_t encr, encr_key_bits, integ, prf, ke;	/* 0: not agreed yet, or none */
	uint64_t age_s;
	uint32_t renew_s, end_s;	/* until it is rekeyed, deleted; IKE_WIRE_NEVER */
	uint32_t n_children;
};

#define IKE_WIRE_NEVER UINT32_MAX
#define IKE_WIRE_SAS_MAX 64u	/* of one message */
#define IKE_WIRE_TEXT 256u

void ike_wire_sa_put(struct chan_writer *w, const struct ike_wire_sa *sa);
/** False: malformed. */
IPSP_MUST_CHECK bool ike_wire_sa_get(struct chan_reader *r, struct ike_wire_sa *out);

/** What became of an IKE SA: struct ike_event. */
struct ike_wire_event {
	uint8_t kind;			/* enum ike_event_kind */
	uint8_t end;			/* enum ike_end; 0: of another kind */
	bool initiator;
	uint8_t spi_i[IKE_SPI_LEN], spi_r[IKE_SPI_LEN];
	struct ike_path path;
	char ipsec[IKE_NAME], ike[IKE_NAME];	/* of its connection; both empty: none */
	struct ike_identity remote;	/* type 0: not known */
	char text[IKE_WIRE_TEXT];
};

void ike_wire_event_put(struct chan_writer *w, const struct ike_wire_event *e);
/** Reads one, which must be all that is left. False: malformed. */
IPSP_MUST_CHECK bool ike_wire_event_get(struct chan_reader *r, struct ike_wire_event *out);

/** When a connection is begun again that came to nothing. */
struct ike_wire_next {
	char ipsec[IKE_NAME], ike[IKE_NAME];
	uint32_t in_ms;			/* 0: that is not planned any more */
};

void ike_wire_next_put(struct chan_writer *w, const struct ike_wire_next *n);
/** Likewise. */
IPSP_MUST_CHECK bool ike_wire_next_get(struct chan_reader *r, struct ike_wire_next *out);

#endif
