/*
 * ipspd/ike_spd.h - SPD entries of the default response.
 */
#ifndef IPSPD_IKE_SPD_H
#define IPSPD_IKE_SPD_H

#include <sys/queue.h>

#include "ike/world.h"
#include "pfkey/msg.h"

struct ike_spd_entries;
LIST_HEAD(ike_spd_list, ike_spd_entries);

/** How messages of PF_KEY are sent. */
struct ike_spd_way {
	void *arg;
	uint32_t pid;
	/**
	 * The number of the next one. Should the engine refuse that, the Child SA ends.
	 * @param spi_in  0: nothing ends
	 * @return 0: no memory
	 */
	uint32_t (*seq)(void *arg, uint8_t protocol, uint32_t spi_in);
	/** Sends it. @return false: it cannot be */
	bool (*put)(void *arg, const uint8_t *message, size_t len);
};

/** Says the entries of a Child SA that is about to be added. False: it cannot be, and none is left. */
IPSP_MUST_CHECK bool ike_spd_add(const struct ike_spd_way *way, struct ike_spd_list *list,
				 const struct ike_child_sa *c);

/** Ends those that it alone has; of one that has none, nothing. */
void ike_spd_end(const struct ike_spd_way *way, struct ike_spd_list *list, uint8_t protocol, uint32_t spi_in);

/**
 * One that SPDDUMP tells of, of an earlier process: it is as if that one's Child SA had it still.
 * @param remote  out: with whom
 * @param reqid   out: of its SAs
 * @return false: it is not of a default response, it is there already, or there is no memory
 */
IPSP_MUST_CHECK bool ike_spd_adopt(struct ike_spd_list *list, const struct pfkey_msg *m, struct ipsp_addr *remote,
				   uint32_t *reqid);

/** Ends those of an earlier process: of one reqid, with one peer. */
void ike_spd_end_earlier(const struct ike_spd_way *way, struct ike_spd_list *list, uint32_t reqid,
			 const struct ipsp_addr *remote);

/** With whom an earlier process has some, each once. @return how many, up to max */
size_t ike_spd_earlier(const struct ike_spd_list *list, uint32_t reqid, struct ipsp_addr *remotes, size_t max);

/** Can that be the reqid of a default response? */
bool ike_spd_is_reqid(uint32_t reqid);

/** Who had them is gone. */
void ike_spd_forget(struct ike_spd_list *list);

#endif
