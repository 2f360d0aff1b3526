/* tests/unit/ipspd/fake_agent.c - see fake_agent.h. */
#include "config.h"

#include "tests/unit/ipspd/fake_agent.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "mibs/schema_gen.h"
#include "policy/items.h"
#include "xml/parse.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static uint64_t stopped_clock(void)
{
	return 1;
}

void fake_agent_init(struct agent *a)
{
	*a = (struct agent){ .engine = AGENT_ENGINE_DOWN, .problem = "", .log_level = -1 };
	a->base = event_base_new();
	must(a->base != NULL);
	must(mib_store_new(NULL, stopped_clock, &a->store) == MIB_OK);
	must(pol_bind(a->store) == MIB_OK);
	a->totals = totals_new();
	must(a->totals != NULL);
	a->sad = sad_picture_new();
	must(a->sad != NULL);
	must(pol_status_new(a->store, &a->status) == MIB_OK);
}

void fake_agent_set_policy(struct agent *a, uint32_t ifindex, enum ipsp_dir dir,
			   const struct ipsp_spd_entry *entry, const struct ipsp_sa_config *sa)
{
	static const uint32_t web[] = { 3, 'w', 'e', 'b' };
	static const uint16_t first[] = { 1 };
	struct pol_generation *g = pol_generation_new(1, 1);
	struct pol_entry *e = pol_entry_new(entry, first, 1, 0);
	struct pol_origin *o = pol_origin_new(entry->id, &mib_t_spdRuleDefinitionTable, web, 4, NULL);
	struct pol_sa *s = sa ? pol_sa_new(sa) : NULL;

	must(g && e && o && (s || !sa));
	g->n_lists = 1;
	g->lists[0] = (struct pol_list){ .ifindex = ifindex, .dir = (uint8_t)dir,
					 .entries = pol_map_empty(&pol_entries_type) };
	must(pol_map_put(&g->lists[0].entries, e) && pol_map_put(&g->origins, o) &&
	     (!s || pol_map_put(&g->sas, s)));
	pol_entry_unref(e);
	pol_origin_unref(o);
	pol_sa_unref(s);
	pol_generation_free(a->policy);
	a->policy = g;
}

void fake_agent_fini(struct agent *a)
{
	must(!a->watchers && !a->listeners && !a->questions);
	pol_generation_free(a->policy);
	mib_store_free(a->store);
	pol_status_free(a->status);
	totals_free(a->totals);
	sad_picture_free(a->sad);
	event_base_free(a->base);
}

void fake_agent_changed(struct agent *a)
{
	for (struct agent_watcher *w = a->watchers, *next; w; w = next) {
		next = w->next;
		w->changed(w);
	}
}

bool fake_agent_answer(struct agent *a, const char *text)
{
	struct agent_question **at = &a->questions, *q;

	if (!*at)
		return false;
	while ((*at)->next)
		at = &(*at)->next;
	q = *at;
	*at = NULL;
	if (q->counted)
		q->counted(q);
	else
		q->guard(q, text);
	return true;
}

void fake_agent_event(struct agent *a, const struct wire_event *e)
{
	for (struct agent_event_listener *l = a->listeners; l; l = l->next)
		l->event(l, e);
}

/* ---- ipspd/agent.h ---- */

struct event_base *agent_base(const struct agent *a)
{
	return a->base;
}

struct mib_store *agent_store(const struct agent *a)
{
	return a->store;
}

bool agent_snmp_open(const struct agent *a)
{
	return a->snmp_open;
}

enum agent_engine_state agent_engine_state(const struct agent *a)
{
	return a->engine;
}

uint64_t agent_applied_generation(const struct agent *a)
{
	return a->applied;
}

bool agent_ike_in_force(const struct agent *a, uint64_t generation)
{
	return agent_in_force(a, generation);
}

void agent_ike_trace(struct agent *a, struct agent_tracer *t)
{
	a->tracer = t;
}

const char *agent_ike_failure(const struct agent *a, const char *ipsec, const char *ike)
{
	(void)a;
	(void)ipsec;
	(void)ike;
	return "";
}

bool agent_in_force(const struct agent *a, uint64_t generation)
{
	return a->engine != AGENT_ENGINE_DOWN && a->applied >= generation &&
	       a->in_engine >= generation;
}

const struct pol_generation *agent_policy(const struct agent *a)
{
	return a->policy;
}

bool agent_addresses(const struct agent *a, struct ipsp_addr *out, size_t *n)
{
	for (*n = 0; *n < a->n_addresses; ++*n)
		out[*n] = a->addresses[*n];
	return a->n_addresses > 0;
}

const char *agent_apply_problem(const struct agent *a)
{
	return a->problem;
}

void agent_watch(struct agent *a, struct agent_watcher *w)
{
	w->next = a->watchers;
	a->watchers = w;
}

void agent_forget_watcher(struct agent *a, struct agent_watcher *w)
{
	for (struct agent_watcher **at = &a->watchers; *at; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			return;
		}
	}
}

void agent_listen_events(struct agent *a, struct agent_event_listener *l)
{
	l->next = a->listeners;
	a->listeners = l;
}

void agent_forget_event_listener(struct agent *a, struct agent_event_listener *l)
{
	for (struct agent_event_listener **at = &a->listeners; *at; at = &(*at)->next) {
		if (*at == l) {
			*at = l->next;
			return;
		}
	}
}

const struct pol_status *agent_status(const struct agent *a)
{
	return a->status;
}

void agent_totals_wanted(struct agent *a)
{
	a->wanted++;
}

void agent_forget_totals(struct agent *a, uint64_t id)
{
	totals_forget(a->totals, id);
}

int64_t agent_now_s(const struct agent *a)
{
	return a->now_s;
}

const struct totals *agent_totals(const struct agent *a)
{
	return a->totals;
}

static void ask(struct agent *a, struct agent_question *q)
{
	q->next = a->questions;
	a->questions = q;
}

void agent_count(struct agent *a, struct agent_question *q)
{
	ask(a, q);
}

const struct wire_crypto *agent_crypto(const struct agent *a)
{
	return &a->crypto;
}

uint32_t agent_workers(const struct agent *a)
{
	(void)a;
	return 2;
}

const struct sad_picture *agent_sad(const struct agent *a)
{
	return a->sad;
}

void agent_sad_wanted(struct agent *a)
{
	(void)a;
}

void agent_sad_look(struct agent *a, struct agent_question *q)
{
	ask(a, q);
}

void agent_notes(const struct agent *a, struct agent_note_stats *out)
{
	(void)a;
	*out = (struct agent_note_stats){ .sent = 3, .suppressed = 5 };
}

uint64_t agent_guard_restored(const struct agent *a)
{
	return a->guard_restored;
}

void agent_guard_show(struct agent *a, struct agent_question *q)
{
	ask(a, q);
}

void agent_forget_question(struct agent *a, struct agent_question *q)
{
	for (struct agent_question **at = &a->questions; *at; at = &(*at)->next) {
		if (*at == q) {
			*at = q->next;
			return;
		}
	}
}

void agent_set_log_level(struct agent *a, int level)
{
	a->log_level = level;
}

/* ---- files: read in the loop's next turn, in this process ---- */

static bool keep(void *arg, const uint8_t *octets, size_t len)
{
	return import_records_add(arg, octets, len);
}

static void read_file(evutil_socket_t fd, short what, void *arg)
{
	struct agent_parse *q = arg;
	struct import_records records = { 0 };
	struct xml_diag d = { 0 };
	struct import_writer *w = calloc(1, sizeof(*w));
	struct xml_sink sink;
	struct xml_parse *p = NULL;
	enum mib_err err = MIB_RESOURCE_UNAVAILABLE;

	(void)fd;
	(void)what;
	if (w) {
		w->flush = keep;
		w->arg = &records;
		w->diag = &d;
		sink = import_writer_sink(w);
		err = xml_parse_new(&sink, &d, &p);
	}
	if (!err)
		err = xml_parse_fd(p, q->fd);
	xml_parse_free(p);
	if (!err && !import_writer_end(w))
		err = MIB_RESOURCE_UNAVAILABLE;
	free(w);
	if (err && !d.diag.text[0])
		mib_diag_set(&d.diag, NULL, NULL, 0, "out of memory");
	event_free(q->timer);
	q->timer = NULL;
	q->done(q, err, &records, &d);
	import_records_fini(&records);
}

void agent_parse_start(struct agent *a, struct agent_parse *q)
{
	const struct timeval at_once = { 0, 0 };

	struct xml_diag d = { 0 };

	q->timer = evtimer_new(a->base, read_file, q);
	if (q->timer && evtimer_add(q->timer, &at_once) == 0)
		return;
	agent_forget_parse(a, q);
	mib_diag_set(&d.diag, NULL, NULL, 0, "out of memory");
	q->done(q, MIB_RESOURCE_UNAVAILABLE, NULL, &d);
}

void agent_forget_parse(struct agent *a, struct agent_parse *q)
{
	(void)a;
	if (q->timer)
		event_free(q->timer);
	q->timer = NULL;
}

bool agent_file_salt(struct agent *a, uint8_t salt[MIB_FILE_SEAL_SALT], struct mib_diag *d)
{
	(void)d;
	memcpy(salt, a->salt, MIB_FILE_SEAL_SALT);
	return true;
}

void agent_adopt_file_salt(struct agent *a, const uint8_t salt[MIB_FILE_SEAL_SALT])
{
	memcpy(a->salt, salt, MIB_FILE_SEAL_SALT);
}
