/*
 * sad/sad.h - the SAD inside: what the files of sad/ share. Private to sad/.
 *
 *	sad.c      SAs in and out, found by id and name
 *	change.c   SAs of key managers: larval, in the place of one another
 *	traffic.c  SAs of key managers found for outbound packets
 *	life.c     lifetimes: what is due, what packets used up
 */
#ifndef SAD_SAD_H
#define SAD_SAD_H

#include "sad/due.h"
#include "sad/index.h"
#include "sad/sa.h"

struct ipsp_sa_list {
	struct ipsp_sa *first, *last;
};

struct ipsp_sad {
	const struct ipsp_platform *platform;
	struct ipsp_counters counters;
	uint64_t seed;			/* of hashes */
	uint64_t last_id;		/* given to an SA of a key manager */
	uint32_t n_sas;
	struct ipsp_sa_list lists[IPSP_N_ORIGINS];	/* by enum ipsp_sa_origin */
	struct ipsp_sa **senders;	/* those that send by themselves, in no order */
	uint32_t n_senders, senders_room;
	struct ipsp_sad_cursor *cursors;
	struct ipsp_sa_index by_id, by_name;
	struct ipsp_sa_index by_traffic;	/* the newest of each key: see traffic.c */
	uint32_t n_shaped[IPSP_PFP_ALL + 1];	/* in by_traffic, by shape */
	_Atomic uint32_t shapes;		/* a bit for each shape there is */
	struct ipsp_sa_due due;
	struct ipsp_sad_garbage *garbage;
	_Atomic(struct ipsp_sa *) noted;	/* by packets, for ipsp_sad_expire */
};

/** Makes room in all indexes for one more SA. False: no memory */
bool ipsp_sad_reserve(struct ipsp_sad *sad);

/** Puts a finished SA in, for which there is room; old: the one that goes for it, or NULL. */
void ipsp_sad_link(struct ipsp_sad *sad, struct ipsp_sa *sa, struct ipsp_sa *old);

/** Takes it out of everything. */
void ipsp_sad_unlink(struct ipsp_sad *sad, struct ipsp_sa *sa);

/** Would another SA than but have the same name as one of cfg? Policy's outbound SAs may. */
bool ipsp_sad_name_taken(const struct ipsp_sad *sad, const struct ipsp_sa_config *cfg,
			 const struct ipsp_sa *but);

/** Into by_traffic, where there is room, and out of it; SAs that do not belong there are passed over. */
void ipsp_sad_file_traffic(struct ipsp_sad *sad, struct ipsp_sa *sa, struct ipsp_sa *old);
void ipsp_sad_unfile_traffic(struct ipsp_sad *sad, const struct ipsp_sa *sa);

/** Sets when the SA is looked at next. */
void ipsp_sa_schedule(struct ipsp_sa *sa);

#endif
