/*
 * ipspd/guard.c - the guard's layers: in memory, on disk, in the kernel, in that order of truth.
 *
 * A change is saved before the kernel has it: after a crash between the two the next start applies
 * what was saved. Never opens by failing: when the kernel refuses a change, it keeps what it had.
 *
 * guard_apply makes the kernel what it should be from whatever it is; guard_check does so only where
 * it is not.
 */
#include "config.h"

#include "ipspd/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ipspd/guard_kernel.h"
#include "ipspd/guard_watch.h"
#include "ipspd/guard_wire.h"
#include "ipspd/log.h"

#define DIR_NAME "guard"
#define LOCK_NAME "lock"
#define PROCESSES_NAME "processes"
#define LOCK_WAIT_MS 1000	/* a parent that was killed may have been about to start a child */
#define PROCESSES_WAIT_MS 10000	/* what it had started is on its way out */
#define LOCK_POLL_MS 10
#define LOOKS 5	/* at a table that was written, until it was still */

struct guard {
	int dir_fd;
	int lock_fd;
	struct guard_layer layers[GUARD_LAYERS_MAX];
	size_t n_layers;
	uint32_t tun_ifindex;
	char tun_name[16];
	bool unsteered;		/* see guard_steer */
	struct guard_sum table;	/* as we left it in the kernel */
	bool table_is_known;	/* nobody came between our change and our look at it */
	struct nft_ctx *owner;	/* of the table's twin; NULL: there is none */
	struct guard_counts *counts;
};

/* ---- the directory ---- */

/* The state directory is the agent's, who might have put another directory in the place of ours. */
static int check_dir(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid == 0 && (st.st_mode & 077) == 0 ? 0 : -EPERM;
}

static int open_dir(int statedir_fd, bool make, int *out)
{
	if (make && mkdirat(statedir_fd, DIR_NAME, 0700) < 0 && errno != EEXIST)
		return -errno;
	int fd = openat(statedir_fd, DIR_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = check_dir(fd);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

/* how: LOCK_EX or LOCK_SH. @return fd, -EWOULDBLOCK: others have it for so long, or -errno */
static int lock(int dir_fd, const char *name, int how, unsigned wait_ms)
{
	const struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };
	int fd = openat(dir_fd, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	for (unsigned waited = 0; flock(fd, how | LOCK_NB) < 0; waited += LOCK_POLL_MS) {
		int rc = -errno;

		if (rc != -EWOULDBLOCK || waited >= wait_ms) {
			close(fd);
			return rc;
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

/* @return 0; -EBUSY: children of a parent that is gone do not end; -errno */
static int wait_for_processes(int dir_fd, unsigned wait_ms)
{
	int fd = lock(dir_fd, PROCESSES_NAME, LOCK_EX, wait_ms);

	if (fd < 0)
		return fd == -EWOULDBLOCK ? -EBUSY : fd;
	close(fd);
	return 0;
}

int guard_hold(struct guard *g)
{
	return lock(g->dir_fd, PROCESSES_NAME, LOCK_SH, 0);
}

/* ---- layers ---- */

static void layers_free(struct guard_layer *layers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		wire_gen_free(layers[i].gen);
}

/* One layer that lets nothing pass on any interface: lists without entries. */
static bool closed_layer(struct guard_layer *out)
{
	static const struct ipsp_spd_list closed[2] = {
		{ .ifindex = 0, .dir = IPSP_INBOUND },
		{ .ifindex = 0, .dir = IPSP_OUTBOUND },
	};
	struct wire_gen *g = (struct wire_gen *)calloc(1, sizeof(*g));
	struct ipsp_spd_list *lists = (struct ipsp_spd_list *)malloc(sizeof(closed));

	if (!g || !lists) {
		free(g);
		free(lists);
		return false;
	}
	memcpy(lists, closed, sizeof(closed));
	g->lists = lists;
	g->n_lists = 2;
	/* It stands for a policy, whichever: an empty database must not open it. */
	*out = (struct guard_layer){ .gen = g, .generation = 1 };
	return true;
}

bool guard_list_steered(const struct ipsp_spd_list *l, struct guard_pairs *out)
{
	for (uint32_t i = 0; i < l->n_entries; i++) {
		const struct ipsp_spd_entry *e = &l->entries[i];

		if (e->action != IPSP_PROTECT)
			continue;
		for (uint32_t j = 0; j < e->n_selectors; j++) {
			if (!guard_pairs_add(out, &e->selectors[j]))
				return false;
		}
	}
	return true;
}

bool guard_steered(const struct guard_layer *layers, size_t n, struct guard_pairs *out)
{
	struct guard_pairs pairs = { NULL, 0, 0 };

	for (size_t i = 0; i < n; i++) {
		const struct wire_gen *g = layers[i].gen;

		for (size_t j = 0; j < g->n_lists; j++) {
			if (g->lists[j].dir == IPSP_OUTBOUND &&
			    !guard_list_steered(&g->lists[j], &pairs)) {
				guard_pairs_fini(&pairs);
				return false;
			}
		}
	}
	guard_pairs_reduce(&pairs, GUARD_PAIRS_MAX);
	*out = pairs;
	return true;
}

/* ---- the kernel ---- */

/*
 * Writes the table, and remembers what it looks like. Ours must be the only change between two looks,
 * or what we remember might be another program's.
 */
static int apply_table(struct guard *g, const struct guard_view *v, const char **why)
{
	struct guard_sum before, after = { .there = false };

	g->table_is_known = false;
	for (unsigned i = 0; i < LOOKS && !g->table_is_known; i++) {
		bool looked = guard_look(&before, why) == 0;
		const char *uncounted = "";

		/* What it cannot read is lost to the counters, and no reason not to go on. */
		(void)guard_counts_read(g->counts, &uncounted);
		int rc = guard_table_apply(v, why);

		if (rc < 0)
			return rc;
		guard_counts_anew(g->counts);
		looked = looked && guard_look(&after, why) == 0;
		g->table_is_known = looked && after.commits == before.commits + 1;
		if (!looked)
			break;
	}
	g->table = after;
	return 0;
}

static bool make_view(const struct guard *g, const struct guard_layer *layers, size_t n,
		      struct guard_view *v)
{
	*v = (struct guard_view){ .layers = layers, .n_layers = n, .tun_ifindex = g->tun_ifindex,
				  .tun_name = g->tun_name, .log = true,
				  .owner = g->owner };
	return guard_steered(layers, g->unsteered ? 0 : n, &v->steered);
}

static void view_fini(struct guard_view *v)
{
	guard_pairs_fini(&v->steered);
}

/*
 * Filters first: while rules change, what no rule leads to the engine is dropped, not passed.
 */
static int apply(struct guard *g, const struct guard_layer *layers, size_t n, const char **why)
{
	struct guard_changes changes = { .table = false };
	struct guard_view v;

	if (!make_view(g, layers, n, &v)) {
		*why = "no memory";
		return -ENOMEM;
	}
	int rc = apply_table(g, &v, why);
	if (rc == 0)
		rc = guard_route_apply(&v, &changes, why);
	view_fini(&v);
	return rc;
}

/* @return 0; -EAGAIN: the table is written, and not known; -errno */
static int check_table(struct guard *g, const struct guard_view *v, struct guard_changes *found,
		       const char **why)
{
	struct guard_sum now;
	int rc = guard_look(&now, why);

	if (rc < 0 && rc != -EAGAIN)
		return rc;
	if (rc == 0 && g->table_is_known && now.there && now.sum == g->table.sum)
		return 0;
	/* What is there may still be what we wrote when we do not know what that looks like. */
	found->table = rc == 0 && (g->table_is_known || !now.there);
	rc = apply_table(g, v, why);
	return rc < 0 ? rc : g->table_is_known ? 0 : -EAGAIN;
}

int guard_check(struct guard *g, unsigned parts, struct guard_changes *found, const char **why)
{
	struct guard_view v;
	int rc = 0;

	*found = (struct guard_changes){ .table = false };
	if (!make_view(g, g->layers, g->n_layers, &v)) {
		*why = "no memory";
		return -ENOMEM;
	}
	if (parts & GUARD_TABLE)
		rc = check_table(g, &v, found, why);
	if (parts & GUARD_ROUTES) {
		int route_rc = guard_route_apply(&v, found, why);

		rc = route_rc < 0 ? route_rc : rc;
	}
	view_fini(&v);
	return rc;
}

int guard_apply(struct guard *g, const char **why)
{
	return apply(g, g->layers, g->n_layers, why);
}

int guard_set_tun(struct guard *g, uint32_t ifindex, const char *name, const char **why)
{
	g->tun_ifindex = ifindex;
	snprintf(g->tun_name, sizeof(g->tun_name), "%s", name);
	return guard_apply(g, why);
}

void guard_steer(struct guard *g, bool steer)
{
	g->unsteered = !steer;
}

void guard_each_list(const struct guard *g,
		     void (*each)(void *arg, uint32_t ifindex, uint8_t dir), void *arg)
{
	for (size_t i = 0; i < g->n_layers; i++) {
		const struct wire_gen *const gen = g->layers[i].gen;

		for (size_t j = 0; j < gen->n_lists; j++)
			each(arg, gen->lists[j].ifindex, gen->lists[j].dir);
	}
}

void guard_own(struct guard *g)
{
	const char *why = "";

	if (!g->owner)
		g->owner = guard_table_own(&why);
	if (!g->owner)
		ipspd_log(LOG_NOTICE, "guard", "no table of our own beside the guard's: what another "
			  "program takes away is missing until it is put back (%s)", why);
}

void guard_inherit(struct guard *g)
{
	for (size_t i = 0; i < g->n_layers; i++)
		g->layers[i].serial = 0;
}

uint64_t guard_generation(const struct guard *g)
{
	uint64_t newest = 0;

	for (size_t i = 0; i < g->n_layers; i++) {
		if (g->layers[i].generation > newest)
			newest = g->layers[i].generation;
	}
	return newest;
}

/* Layers of a guard that is to be changed. */
struct change {
	struct guard_layer next[GUARD_LAYERS_MAX], gone[GUARD_LAYERS_MAX];
	size_t n_next, n_gone;
	struct guard_layer closed;	/* among next; gen NULL: there is none */
};

/*
 * One after the other, so many agents have come and gone before any policy of theirs was in force that no
 * more layers fit. What they left is replaced by one that lets nothing pass, which is tighter than all of
 * them; the next policy that is applied takes its place.
 */
static bool close_kept(struct change *c, uint32_t keep_serial)
{
	uint64_t newest = 0;

	if (!closed_layer(&c->closed))
		return false;
	for (size_t i = 0; i < c->n_next; i++) {
		if (c->next[i].generation > newest)
			newest = c->next[i].generation;
		c->gone[c->n_gone++] = c->next[i];
	}
	c->closed.serial = keep_serial;
	if (newest > c->closed.generation)
		c->closed.generation = newest;
	c->next[0] = c->closed;
	c->n_next = 1;
	ipspd_log(LOG_CRIT, "guard", "too many policies came without being in force: everything is dropped "
		  "until one is");
	return true;
}

static int put_in_force(struct guard *g, const struct change *c, const char **why)
{
	const char *again = "";
	int rc = guard_file_save(g->dir_fd, c->next, c->n_next);

	if (rc < 0) {
		*why = strerror(-rc);
		return rc;
	}
	rc = apply(g, c->next, c->n_next, why);
	/* Back to what was, as far as kernel and disk let us. */
	if (rc < 0 && (guard_file_save(g->dir_fd, g->layers, g->n_layers) < 0 ||
		       guard_apply(g, &again) < 0))
		ipspd_log(LOG_CRIT, "guard", "cannot put the guard back: %s", again);
	return rc;
}

int guard_change(struct guard *g, uint32_t keep_serial, struct guard_layer *layers, size_t n,
		 const char **why)
{
	struct change c = { .n_next = 0 };
	int rc;

	for (size_t i = 0; i < g->n_layers; i++) {
		if (g->layers[i].serial == keep_serial)
			c.next[c.n_next++] = g->layers[i];
		else
			c.gone[c.n_gone++] = g->layers[i];
	}
	if (n >= GUARD_LAYERS_MAX) {
		*why = "too many layers";
		return -E2BIG;
	}
	if (n > GUARD_LAYERS_MAX - c.n_next && !close_kept(&c, keep_serial)) {
		*why = "no memory";
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		c.next[c.n_next++] = layers[i];
	rc = put_in_force(g, &c, why);
	if (rc < 0) {
		layers_free(&c.closed, c.closed.gen != NULL);
		return rc;
	}
	layers_free(c.gone, c.n_gone);
	memcpy(g->layers, c.next, sizeof(c.next[0]) * c.n_next);
	g->n_layers = c.n_next;
	return 0;
}

void guard_count(struct guard *g, void (*each)(void *arg, const struct wire_guard_count *c),
		 void *arg)
{
	const char *why = "";

	if (guard_counts_read(g->counts, &why) < 0)
		ipspd_log(LOG_WARNING, "guard", "its counters cannot be read: %s", why);
	guard_counts_take(g->counts, each, arg);
}

char *guard_show(struct guard *g)
{
	char *nft = guard_table_show(), *route = guard_route_show(), *text = NULL;
	size_t size = 0;
	FILE *f = nft && route ? open_memstream(&text, &size) : NULL;

	if (f) {
		for (size_t i = 0; i < g->n_layers; i++)
			fprintf(f, "layer %zu: generation %llu\n", i,
				(unsigned long long)g->layers[i].generation);
		fprintf(f, "%s%s", route, nft);
		if (fclose(f) != 0) {
			free(text);
			text = NULL;
		}
	}
	free(nft);
	free(route);
	return text;
}

/* ---- life ---- */

static int load(struct guard *g)
{
	int rc = guard_file_load(g->dir_fd, g->layers, &g->n_layers);

	if (rc == 0 || rc == -ENOENT || rc == -ENOMEM)
		return rc == -ENOENT ? 0 : rc;
	ipspd_log(LOG_CRIT, "guard", "the saved guard cannot be read (%s): everything is dropped "
		  "until policy is loaded", strerror(-rc));
	if (!closed_layer(&g->layers[0]))
		return -ENOMEM;
	g->n_layers = 1;
	return 0;
}

int guard_open(int statedir_fd, struct guard **out)
{
	struct guard *g = (struct guard *)calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->lock_fd = -1;
	g->counts = guard_counts_new();
	int rc = g->counts ? open_dir(statedir_fd, true, &g->dir_fd) : -ENOMEM;
	if (rc < 0) {
		guard_counts_free(g->counts);
		free(g);
		return rc;
	}
	rc = g->lock_fd = lock(g->dir_fd, LOCK_NAME, LOCK_EX, LOCK_WAIT_MS);
	if (rc >= 0)
		rc = wait_for_processes(g->dir_fd, PROCESSES_WAIT_MS);
	if (rc >= 0)
		rc = load(g);
	if (rc < 0) {
		guard_free(g);
		return rc;
	}
	*out = g;
	return 0;
}

void guard_free(struct guard *g)
{
	if (!g)
		return;
	guard_table_disown(g->owner);
	guard_counts_free(g->counts);
	layers_free(g->layers, g->n_layers);
	if (g->lock_fd >= 0)
		close(g->lock_fd);
	close(g->dir_fd);
	free(g);
}

static int remove_all(int dir_fd, const char **why)
{
	unsigned removed;

	/* The file first: what is left of a removal cut short must not come back at boot. */
	int rc = guard_file_remove(dir_fd);

	if (rc < 0) {
		*why = strerror(-rc);
		return rc;
	}
	rc = guard_route_remove(why);
	if (rc == 0)
		rc = guard_wire_apply(NULL, NULL, &removed, why);
	return rc < 0 ? rc : guard_table_remove(why);
}

int guard_remove(const char *statedir, const char **why)
{
	int dir_fd;
	int state_fd = open(statedir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = state_fd < 0 ? -errno : open_dir(state_fd, true, &dir_fd);

	if (state_fd >= 0)
		close(state_fd);
	if (rc < 0) {
		*why = rc == -EPERM ? "its guard directory is not root's alone" : strerror(-rc);
		return rc;
	}
	int lock_fd = lock(dir_fd, LOCK_NAME, LOCK_EX, 0);
	rc = lock_fd < 0 ? lock_fd : wait_for_processes(dir_fd, 0);
	if (rc == 0)
		rc = remove_all(dir_fd, why);
	else
		*why = rc == -EWOULDBLOCK || rc == -EBUSY ? "a daemon runs, and needs its guard" :
							    strerror(-rc);
	if (lock_fd >= 0)
		close(lock_fd);
	close(dir_fd);
	return rc;
}
