/*
 * ipspd/fetch_wire.h - what the ike process and the fetch process say to each other.
 *
 *	ike ---- FETCH_DIRECTORY ---> fetch	fd: the state directory. Once, first
 *	ike ---- FETCH -------------> fetch	u64 ticket, text URL, octets to post (none: a GET, of a CRL)
 *	ike <--- FETCHED ------------ fetch	u64 ticket, u32 octets, text why, fd with them; none came: 0, and no fd
 *
 * An answer comes once to each question, in any order.
 */
#ifndef IPSPD_FETCH_WIRE_H
#define IPSPD_FETCH_WIRE_H

#include "chan/chan.h"
#include "ike/credential.h"

enum fetch_message { FETCH_DIRECTORY = 1, FETCH, FETCHED };

#define FETCH_URL_MAX 512u
#define FETCH_POST_MAX 4096u
#define FETCH_WHY 128u
#define FETCH_TIME_S 12u	/* for all of one */

/** A question. */
struct fetch_request {
	uint64_t ticket;
	char url[FETCH_URL_MAX];
	struct ipsp_span post;		/* borrowed */
};

void fetch_request_put(struct chan_writer *w, const struct fetch_request *f);
/** False: malformed. */
IPSP_MUST_CHECK bool fetch_request_get(struct chan_reader *r, struct fetch_request *out);

/** An answer, but for its descriptor. */
struct fetch_answer {
	uint64_t ticket;
	uint32_t len;			/* 0: none came */
	char why[FETCH_WHY];		/* it did not, or one of before is told; "": it did */
};

void fetch_answer_put(struct chan_writer *w, const struct fetch_answer *f);
IPSP_MUST_CHECK bool fetch_answer_get(struct chan_reader *r, struct fetch_answer *out);

#endif
