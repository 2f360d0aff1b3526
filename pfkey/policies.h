/*
 * pfkey/policies.h - the policies of the server, for its parts that deal with them. Theirs alone.
 */
#ifndef PFKEY_POLICIES_H
#define PFKEY_POLICIES_H

#include "pfkey/server_int.h"

struct pfkey_held {
	struct pfkey_band_policy policy;
	uint64_t made_s, made_wall_s;
	uint64_t packets, bytes;	/* that it has decided, as far as was looked */
	uint64_t used_s, used_wall_s;	/* when there were more for the last time; 0: never */
	uint64_t packets_now, bytes_now;	/* while that is looked at */
};

/** An answer that waits for its change to come into force. */
struct pfkey_answer {
	STAILQ_ENTRY(pfkey_answer) entry;
	struct pfkey_client *client;	/* NULL: has gone */
	uint32_t serial;
	uint64_t until_s;
	size_t len;
	uint8_t message[];
};

struct pfkey_policies {
	struct pfkey_held **by_index, **by_key;
	size_t n, room;
	uint32_t number;		/* in the last index, above the direction */
	uint32_t order;			/* of the last policy */
	uint32_t reqid;			/* the last that we chose */
	uint32_t serial;		/* of the last change */
	STAILQ_HEAD(, pfkey_answer) waiting;	/* by serial */
};

/** The policy of that index, of that direction and selector; NULL: none. */
struct pfkey_held *pfkey_policy_at(const struct pfkey_policies *all, uint32_t index);
struct pfkey_held *pfkey_policy_of(const struct pfkey_policies *all, uint8_t dir,
				   const struct ipsp_selector *s);

/** The packets between two addresses with their prefixes and ports. @return false: cannot be */
bool pfkey_selector_of(const struct pfkey_address *src, const struct pfkey_address *dst,
		       uint8_t proto, struct ipsp_selector *out);

/**
 * Holds a policy and has it brought into force; the answer to m waits for that.
 * @param p  its index and order are filled in
 * @return 0; EEXIST: there is one of its direction and selector; ENOBUFS, ENOMEM
 */
int pfkey_policy_put(struct pfkey_client *c, const struct pfkey_msg *m,
		     struct pfkey_band_policy *p, bool may_replace);

/** Likewise for its end. @return 0; ENOMEM */
int pfkey_policy_remove(struct pfkey_client *c, const struct pfkey_msg *m, struct pfkey_held *p);

/** All that is told of it, as extensions. */
void pfkey_policy_describe(const struct pfkey_held *p, struct pfkey_msg *out);

#endif
