/* ipspd/sad_picture.c - SAs of no row, by index and by id: see sad_picture.h. */
#include "config.h"

#include "ipspd/sad_picture.h"

#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "mibs/value.h"

#define SAS_MAX (1u << 19)	/* an engine that invents SAs gets no further */
#define NUMBERS (1u << 30)

struct node {
	struct sad_picture_sa sa;	/* first: what others hold is the node */
	RB_ENTRY(node) by_index, by_id;
	TAILQ_ENTRY(node) entry;	/* those that this walk has seen stand last */
	uint32_t walk;
};

RB_HEAD(picture_indexes, node);
RB_HEAD(picture_ids, node);

struct sad_picture {
	struct picture_indexes indexes;
	struct picture_ids ids;
	TAILQ_HEAD(, node) all;
	size_t n;
	uint32_t walk;
};

/* In the order of OIDs. */
static int index_cmp(const struct node *a, const struct node *b)
{
	const size_t a_len = strlen(a->sa.name), b_len = strlen(b->sa.name);

	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	const int names = memcmp(a->sa.name, b->sa.name, a_len);

	if (names != 0)
		return names;
	if (a->sa.sa.stats.dir != b->sa.sa.stats.dir)
		return a->sa.sa.stats.dir < b->sa.sa.stats.dir ? -1 : 1;
	return a->sa.number < b->sa.number ? -1 : a->sa.number > b->sa.number;
}

static int id_cmp(const struct node *a, const struct node *b)
{
	const uint64_t a_id = a->sa.sa.stats.id, b_id = b->sa.sa.stats.id;

	return a_id < b_id ? -1 : a_id > b_id;
}

RB_PROTOTYPE(picture_indexes, node, by_index, index_cmp)
RB_GENERATE(picture_indexes, node, by_index, index_cmp)
RB_PROTOTYPE(picture_ids, node, by_id, id_cmp)
RB_GENERATE(picture_ids, node, by_id, id_cmp)

struct sad_picture *sad_picture_new(void)
{
	struct sad_picture *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	RB_INIT(&p->indexes);
	RB_INIT(&p->ids);
	TAILQ_INIT(&p->all);
	return p;
}

static void take_out(struct sad_picture *p, struct node *n)
{
	RB_REMOVE(picture_indexes, &p->indexes, n);
	RB_REMOVE(picture_ids, &p->ids, n);
	TAILQ_REMOVE(&p->all, n, entry);
	p->n--;
}

void sad_picture_clear(struct sad_picture *p)
{
	struct node *n;

	while ((n = TAILQ_FIRST(&p->all))) {
		TAILQ_REMOVE(&p->all, n, entry);
		free(n);
	}
	RB_INIT(&p->indexes);
	RB_INIT(&p->ids);
	p->n = 0;
}

void sad_picture_free(struct sad_picture *p)
{
	if (p)
		sad_picture_clear(p);
	free(p);
}

void sad_picture_begin(struct sad_picture *p)
{
	p->walk++;
}

void sad_picture_end(struct sad_picture *p)
{
	struct node *n;

	while ((n = TAILQ_FIRST(&p->all)) && n->walk != p->walk) {
		take_out(p, n);
		free(n);
	}
}

static uint32_t number_of(const struct wire_sad_sa *sa)
{
	return SAD_PICTURE_NUMBERS + (uint32_t)(sa->stats.id % NUMBERS);
}

static struct node *node_of(const struct sad_picture *p, uint64_t id)
{
	const struct node key = { .sa.sa.stats.id = id };

	/* The tree macros know no const. */
	return RB_FIND(picture_ids, &((struct sad_picture *)(uintptr_t)p)->ids,
		       (struct node *)(uintptr_t)&key);
}

static bool has_index_of(const struct node *n, const struct wire_sad_sa *sa, const char *name)
{
	return n->sa.sa.stats.dir == sa->stats.dir && strcmp(n->sa.name, name) == 0;
}

bool sad_picture_take(struct sad_picture *p, const struct wire_sad_sa *sa, const char *name,
		      int64_t now_s)
{
	struct node *n = node_of(p, sa->stats.id);

	if (n && !has_index_of(n, sa, name)) {
		take_out(p, n);
		free(n);
		n = NULL;
	}
	if (n) {
		TAILQ_REMOVE(&p->all, n, entry);
	} else {
		n = p->n < SAS_MAX ? calloc(1, sizeof(*n)) : NULL;
		if (!n)
			return false;
		memcpy(n->sa.name, name, strnlen(name, SAD_PICTURE_NAME_MAX));
		n->sa.number = number_of(sa);
		n->sa.sa = *sa;
		/* Another one with that number: 2^30 SAs lie between them. */
		if (RB_INSERT(picture_indexes, &p->indexes, n)) {
			free(n);
			return true;
		}
		RB_INSERT(picture_ids, &p->ids, n);
		p->n++;
	}
	n->sa.sa = *sa;
	n->sa.seen_s = now_s;
	n->walk = p->walk;
	TAILQ_INSERT_TAIL(&p->all, n, entry);
	return true;
}

size_t sad_picture_count(const struct sad_picture *p)
{
	return p->n;
}

size_t sad_picture_index(const struct sad_picture_sa *sa, uint32_t index[SAD_PICTURE_INDEX_MAX])
{
	const size_t name_len = strlen(sa->name);
	size_t n = 0;

	index[n++] = (uint32_t)name_len;
	for (size_t i = 0; i < name_len; i++)
		index[n++] = (uint8_t)sa->name[i];
	index[n++] = sa->sa.stats.dir;
	index[n++] = sa->number;
	return n;
}

/* < 0: the node comes before the index, which may be any OID. */
static int against(const struct node *n, const uint32_t *index, size_t len)
{
	uint32_t own[SAD_PICTURE_INDEX_MAX];
	const size_t own_len = sad_picture_index(&n->sa, own);

	return mib_oid_cmp(own, own_len, index, len);
}

const struct sad_picture_sa *sad_picture_at(const struct sad_picture *p, const uint32_t *index,
					    size_t len)
{
	const struct node *n = RB_ROOT(&p->indexes);
	int cmp;

	while (n && (cmp = against(n, index, len)) != 0)
		n = cmp < 0 ? RB_RIGHT(n, by_index) : RB_LEFT(n, by_index);
	return n ? &n->sa : NULL;
}

const struct sad_picture_sa *sad_picture_after(const struct sad_picture *p, const uint32_t *index,
					       size_t len)
{
	const struct node *n = RB_ROOT(&p->indexes), *best = NULL;

	while (n) {
		if (len == 0 || against(n, index, len) > 0) {
			best = n;
			n = RB_LEFT(n, by_index);
		} else {
			n = RB_RIGHT(n, by_index);
		}
	}
	return best ? &best->sa : NULL;
}
