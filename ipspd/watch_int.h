/*
 * ipspd/watch_int.h - what the files of ipspd/watch.h share. Theirs alone.
 */
#ifndef IPSPD_WATCH_INT_H
#define IPSPD_WATCH_INT_H

#include "ipspd/compiled.h"
#include "ipspd/watch.h"

/** What all SAs of one peer list come to. */
struct watch_peer {
	char name[33];
	uint32_t in, out;		/* that can be used */
	uint32_t n;			/* SAs and connections configured ... */
	uint32_t up;			/* ... and of those, that can be used */
	uint64_t in_packets, in_bytes, out_packets, out_bytes;
	int64_t last_s;			/* 0: never */
	char why[POL_STATUS_TEXT];	/* of the first that cannot be used */
};

#define WATCH_SOURCES 5

#define WATCH_TEXT 256

struct watch {
	struct agent *agent;
	struct mib_source sources[WATCH_SOURCES];
	struct mib_listener listener;
	struct pol_observer observer;
	/* what the last read borrows */
	uint32_t oid[MIB_OID_MAX];
	char text[WATCH_TEXT];
	/* watch_peer.c: by name */
	struct watch_peer *peers;
	size_t n_peers;
	int64_t peers_s;		/* when they were made; 0: never */
	int64_t peers_keep_s;		/* and how long they are good */
};

/** The least full index of n parts that comes after `after` (NULL: the least of all). */
bool watch_after(const struct mib_oid *after, size_t n, uint32_t *key);

/** Values that the sources give; texts are copied into w and cut at 255 octets. */
struct mib_value watch_text(struct watch *w, const char *text);
struct mib_value watch_truth(bool yes);
/** Seconds since then; MIB_NO_SUCH_INSTANCE: never. */
enum mib_err watch_idle(struct watch *w, int64_t last_s, struct mib_value *out);
/** What does not fit reads as the most that does. */
struct mib_value watch_gauge(uint64_t n);

/** watch_spd.c, watch_sa.c, watch_peer.c: fill in their sources. @return how many */
size_t watch_spd_sources(struct watch *w, struct mib_source *to);
size_t watch_sa_sources(struct watch *w, struct mib_source *to);
size_t watch_peer_sources(struct watch *w, struct mib_source *to);

#endif
