/*
 * ipspd/guard_kernel.h - the guard's two halves in the kernel. Inside the guard only.
 */
#ifndef IPSPD_GUARD_KERNEL_H
#define IPSPD_GUARD_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ipspd/guard.h"
#include "ipspd/guard_pairs.h"

struct nft_ctx;

/** What both halves are made from. */
struct guard_view {
	const struct guard_layer *layers;
	size_t n_layers;
	uint32_t tun_ifindex;		/* 0: no TUN */
	const char *tun_name;
	struct guard_pairs steered;	/* what must go through the engine */
	bool log;			/* entries with log do */
	struct nft_ctx *owner;		/* of the twin; NULL: there is none */
};

/** The table as the kernel has it. */
struct guard_sum {
	bool there;
	uint64_t sum;		/* of its flags, chains and rules */
	uint32_t commits;	/* how often nftables had been changed at that moment; wraps */
};

/** Adds what an outbound list must have seen by the engine: PROTECT. @return false: no memory */
bool guard_list_steered(const struct ipsp_spd_list *l, struct guard_pairs *out);

/** The same for all layers, bounded and sorted. @return false: no memory */
bool guard_steered(const struct guard_layer *layers, size_t n, struct guard_pairs *out);

/* ipspd/guard_nft.c */

/** The whole ruleset as nft reads it, one transaction. Caller frees. NULL: no memory */
char *guard_nft_text(const struct guard_view *v);

/* ipspd/guard_table.c */

/**
 * Replaces the table, and the owner's twin of it; without logging, and with a warning, where the
 * kernel has none.
 * @return 0; -EIO with *why (good until the next call)
 */
int guard_table_apply(const struct guard_view *v, const char **why);
/** Makes an empty twin. @return its owner; NULL with *why: this kernel has no such tables */
struct nft_ctx *guard_table_own(const char **why);
/** The twin goes with it. NULL is fine. */
void guard_table_disown(struct nft_ctx *owner);
/** The table as the kernel has it. Caller frees. "" when there is none; NULL: no memory */
char *guard_table_show(void);
int guard_table_remove(const char **why);

/* ipspd/guard_look.c */

/** Looks at the table. @return 0; -EAGAIN: it was never still; -errno; with *why */
int guard_look(struct guard_sum *out, const char **why);

/* ipspd/guard_count.c */

struct guard_counts;

/** NULL: no memory */
struct guard_counts *guard_counts_new(void);
/** NULL is fine. */
void guard_counts_free(struct guard_counts *c);
/** Writes the comment by which a rule's counter is known: guard_nft.c. id, ifindex: see the struct. */
void guard_counts_mark(FILE *f, uint8_t what, uint64_t id, uint32_t ifindex, uint8_t dir);
/** Reads the kernel's counters. @return 0 or -errno with *why; what was not read is so next time */
int guard_counts_read(struct guard_counts *c, const char **why);
/** The table was written: the kernel counts from nothing. */
void guard_counts_anew(struct guard_counts *c);
/** Gives away what was read since the last call, and forgets rules that are gone. */
void guard_counts_take(struct guard_counts *c,
		       void (*each)(void *arg, const struct wire_guard_count *one), void *arg);

/* ipspd/guard_route.c */

/**
 * Makes rules and routes what v asks for: adds first, then removes. Changes nothing that is right.
 * @param changes  adds what it did
 * @return 0 or -errno with *why
 */
int guard_route_apply(const struct guard_view *v, struct guard_changes *changes, const char **why);
/** Prints our rules and routes. Caller frees; NULL: no memory, or the kernel would not say */
char *guard_route_show(void);
int guard_route_remove(const char **why);

/* ipspd/guard_file.c */

/** Writes the layers into the directory: new file, fsync, rename, fsync. @return 0 or -errno */
int guard_file_save(int dir_fd, const struct guard_layer *layers, size_t n);
/**
 * Reads them back.
 * @return 0; -ENOENT: none saved; -EBADMSG: not what guard_file_save writes; -errno
 */
int guard_file_load(int dir_fd, struct guard_layer layers[GUARD_LAYERS_MAX], size_t *n);
int guard_file_remove(int dir_fd);

#endif
