/*
 * tests/bench/bench_snmp.c - ipspd and a plain table_tdata subagent (tests/bench/tdata.c), each
 * under an snmpd of its own, asked the same by one manager in turns. bench_snmp.sh starts them all.
 *
 *	bench_snmp IPSPD-ADDRESS AGENT-PID TDATA-ADDRESS TDATA-PID DIRECTORY
 *
 * The manager is Net-SNMP's library over SNMPv2c, with one request outstanding. Rows are rules; all
 * filling rows are volatile. Each figure is the median over short slices in which ipspd, the
 * reference and (for durable rows) the disk of DIRECTORY take turns, and a ratio is the median of
 * the slices' ratios: what else the machine does falls on all of them alike. Processor time is that
 * of the subagent's process alone, over the slices in which it was asked.
 */
#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define SLICES 15u
#define FILL_ROWS 24u		/* rows a SET while filling */
#define REPETITIONS 50		/* of a GETBULK */
#define ANSWER_MS 20000

static const struct scale {
	const char *name;
	uint32_t n;
} scales[] = {
	{ "1k", 1000 },
	{ "10k", 10000 },
	{ "100k", 100000 },
};

static const oid rule_entry[] = { 1, 3, 6, 1, 2, 1, 153, 1, 4, 1 };
static const oid true_filter[] = { 1, 3, 6, 1, 2, 1, 153, 1, 7, 1, 0 };
static const oid drop_action[] = { 1, 3, 6, 1, 2, 1, 153, 1, 13, 1, 0 };

enum { COL_FILTER = 3, COL_NEGATED, COL_ACTION, COL_ADMIN, COL_CHANGED, COL_STORAGE, COL_STATUS };

enum { VOLATILE = 2, NON_VOLATILE = 3 };

/** A subagent and the manager's session with its master. */
struct side {
	const char *name;
	void *session;
	int fd;
	clockid_t cpu;
	uint32_t rows;		/* rules that are there; their names are their numbers */
	oid walk[MAX_OID_LEN];	/* where the bulk walk stands */
	size_t walk_len;
	long columns;		/* rows of one column seen */
	bool answered;
	netsnmp_pdu *answer;
};

struct bench {
	struct side sides[2];	/* ipspd, tdata */
	char sync_path[300];
	int sync_fd;
	uint64_t random;
};

/* ---- one request ---- */

static int on_answer(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *arg)
{
	struct side *s = arg;

	(void)session;
	(void)id;
	bench_must(operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE, "no answer came");
	s->answer = snmp_clone_pdu(pdu);
	s->answered = true;
	return 1;
}

/** Sends and waits; the answer is good, and the caller's to free. */
static netsnmp_pdu *ask(struct side *s, netsnmp_pdu *pdu)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	s->answered = false;
	bench_must(snmp_sess_async_send(s->session, pdu, on_answer, s) != 0, "cannot send");
	while (!s->answered) {
		fd_set fds;

		bench_must(poll(&p, 1, ANSWER_MS) == 1, "no answer in time");
		FD_ZERO(&fds);
		FD_SET(s->fd, &fds);
		snmp_sess_read(s->session, &fds);
	}
	bench_must(s->answer != NULL, "no memory");
	if (s->answer->errstat != SNMP_ERR_NOERROR)
		fprintf(stderr, "bench: %s: %s, varbind %ld\n", s->name,
			snmp_errstring((int)s->answer->errstat), s->answer->errindex);
	bench_must(s->answer->errstat == SNMP_ERR_NOERROR, "refused");
	return s->answer;
}

static netsnmp_pdu *pdu_of(int type)
{
	netsnmp_pdu *pdu = snmp_pdu_create(type);

	bench_must(pdu != NULL, "no memory");
	return pdu;
}

/** The name of a column of that rule. */
static size_t rule_oid(oid *out, int column, uint32_t number)
{
	char name[16];
	const int len = snprintf(name, sizeof(name), "rule%06u", number);
	size_t n = OID_LENGTH(rule_entry);

	memcpy(out, rule_entry, sizeof(rule_entry));
	out[n++] = (oid)column;
	out[n++] = (oid)len;
	for (int i = 0; i < len; i++)
		out[n++] = (u_char)name[i];
	return n;
}

static void add_integer(netsnmp_pdu *pdu, int column, uint32_t number, long value)
{
	oid name[MAX_OID_LEN];
	const size_t len = rule_oid(name, column, number);

	snmp_pdu_add_variable(pdu, name, len, ASN_INTEGER, &value, sizeof(value));
}

static void add_oid(netsnmp_pdu *pdu, int column, uint32_t number, const oid *value, size_t size)
{
	oid name[MAX_OID_LEN];
	const size_t len = rule_oid(name, column, number);

	snmp_pdu_add_variable(pdu, name, len, ASN_OBJECT_ID, value, size);
}

static void add_rule(netsnmp_pdu *pdu, uint32_t number, long storage)
{
	add_oid(pdu, COL_FILTER, number, true_filter, sizeof(true_filter));
	add_oid(pdu, COL_ACTION, number, drop_action, sizeof(drop_action));
	add_integer(pdu, COL_STORAGE, number, storage);
	add_integer(pdu, COL_STATUS, number, RS_CREATEANDGO);
}

/* ---- what is measured: n requests, the work they did ---- */

static void create(struct side *s, uint32_t n, long storage)
{
	for (uint32_t i = 0; i < n; i++) {
		netsnmp_pdu *pdu = pdu_of(SNMP_MSG_SET);

		add_rule(pdu, s->rows++, storage);
		snmp_free_pdu(ask(s, pdu));
	}
}

static uint32_t create_volatile(struct bench *b, struct side *s, uint32_t n)
{
	(void)b;
	create(s, n, VOLATILE);
	return n;
}

static uint32_t create_durable(struct bench *b, struct side *s, uint32_t n)
{
	(void)b;
	create(s, n, NON_VOLATILE);
	return n;
}

static uint32_t get(struct bench *b, struct side *s, uint32_t n)
{
	static const int columns[] = { COL_FILTER, COL_NEGATED, COL_ACTION, COL_ADMIN, COL_STATUS };
	oid name[MAX_OID_LEN];

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t number = bench_below(&b->random, s->rows);
		const size_t len = rule_oid(name, columns[bench_below(&b->random, 5)], number);
		netsnmp_pdu *pdu = pdu_of(SNMP_MSG_GET), *answer;

		snmp_add_null_var(pdu, name, len);
		answer = ask(s, pdu);
		bench_must(answer->variables->type == ASN_INTEGER ||
			   answer->variables->type == ASN_OBJECT_ID, "a row has no value");
		snmp_free_pdu(answer);
	}
	return n;
}

static void walk_from_start(struct side *s)
{
	memcpy(s->walk, rule_entry, sizeof(rule_entry));
	s->walk_len = OID_LENGTH(rule_entry);
}

/** Goes on with the walk of the whole table, round and round. @return varbinds */
static uint32_t bulk(struct bench *b, struct side *s, uint32_t n)
{
	uint32_t seen = 0;

	(void)b;
	for (uint32_t i = 0; i < n; i++) {
		netsnmp_pdu *pdu = pdu_of(SNMP_MSG_GETBULK), *answer;

		pdu->non_repeaters = 0;
		pdu->max_repetitions = REPETITIONS;
		snmp_add_null_var(pdu, s->walk, s->walk_len);
		answer = ask(s, pdu);
		for (const netsnmp_variable_list *v = answer->variables; v; v = v->next_variable) {
			if (v->type == SNMP_ENDOFMIBVIEW ||
			    snmp_oidtree_compare(v->name, v->name_length, rule_entry,
						 OID_LENGTH(rule_entry)) != 0) {
				walk_from_start(s);
				break;
			}
			memcpy(s->walk, v->name, v->name_length * sizeof(oid));
			s->walk_len = v->name_length;
			seen++;
		}
		snmp_free_pdu(answer);
	}
	return seen;
}

/** Pages appended, each in force before the next. */
static void sync_pages(const struct bench *b, uint32_t n)
{
	static const uint8_t page[4096];

	for (uint32_t i = 0; i < n; i++)
		bench_must(write(b->sync_fd, page, sizeof(page)) == sizeof(page) &&
			   fdatasync(b->sync_fd) == 0, b->sync_path);
}

/* ---- rows come and go between the figures ---- */

static void fill(struct side *s, uint32_t n)
{
	while (s->rows < n) {
		netsnmp_pdu *pdu = pdu_of(SNMP_MSG_SET);

		for (uint32_t i = 0; i < FILL_ROWS && s->rows < n; i++)
			add_rule(pdu, s->rows++, VOLATILE);
		snmp_free_pdu(ask(s, pdu));
	}
}

static void drain(struct side *s, uint32_t n)
{
	while (s->rows > n) {
		netsnmp_pdu *pdu = pdu_of(SNMP_MSG_SET);

		for (uint32_t i = 0; i < FILL_ROWS && s->rows > n; i++)
			add_integer(pdu, COL_STATUS, --s->rows, RS_DESTROY);
		snmp_free_pdu(ask(s, pdu));
	}
}

/* ---- slices ---- */

static int double_cmp(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *of, size_t n)
{
	qsort(of, n, sizeof(of[0]), double_cmp);
	return n % 2 ? of[n / 2] : (of[n / 2 - 1] + of[n / 2]) / 2;
}

static double cpu_s(const struct side *s)
{
	struct timespec ts;

	bench_must(clock_gettime(s->cpu, &ts) == 0, "a subagent is gone");
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

struct what {
	const char *name;		/* snmp.NAME */
	const char *per_s;		/* the rate's name and unit */
	const char *unit;
	const char *cpu;		/* snmp.cpu_us.CPU; NULL: not that */
	uint32_t (*run)(struct bench *b, struct side *s, uint32_t n);
	uint32_t n;			/* requests a slice */
	bool makes_rows;
	bool syncs;			/* beside the disk's own rate */
};

static const struct what whats[] = {
	{ "get", "per_s", "GET/s", "get", get, 300, false, false },
	{ "bulkwalk", "varbinds_per_s", "varbind/s", "bulk", bulk, 20, false, false },
	{ "create.volatile", "per_s", "SET/s", "set", create_volatile, 200, true, false },
	{ "create.nonvolatile", "per_s", "SET/s", NULL, create_durable, 50, true, true },
};

#define N_WHATS (sizeof(whats) / sizeof(whats[0]))

/** Of one slice: seconds a unit of work. */
struct slice {
	double wall[2];
	double cpu[2];
	double sync;
};

static void run_slice(struct bench *b, const struct what *w, uint32_t n, struct slice *out)
{
	for (size_t i = 0; i < 2; i++) {
		struct side *s = &b->sides[i];
		const uint32_t rows = s->rows;
		const double cpu_from = cpu_s(s), from = bench_wall_s();
		const uint32_t done = w->run(b, s, n);

		out->wall[i] = (bench_wall_s() - from) / done;
		out->cpu[i] = (cpu_s(s) - cpu_from) / done;
		if (w->makes_rows)
			drain(s, rows);
	}
	if (w->syncs) {
		const double from = bench_wall_s();

		sync_pages(b, n);
		out->sync = (bench_wall_s() - from) / n;
	}
}

static double median_of(const struct slice *slices, size_t n,
			double (*value)(const struct slice *s))
{
	double values[SLICES];

	for (size_t i = 0; i < n; i++)
		values[i] = value(&slices[i]);
	return median(values, n);
}

static double rate_ours(const struct slice *s) { return 1 / s->wall[0]; }
static double rate_reference(const struct slice *s) { return 1 / s->wall[1]; }
static double rate_sync(const struct slice *s) { return 1 / s->sync; }
static double vs_reference(const struct slice *s) { return s->wall[1] / s->wall[0]; }
static double cpu_ours(const struct slice *s) { return s->cpu[0]; }
static double cpu_reference(const struct slice *s) { return s->cpu[1]; }
static double cpu_vs_reference(const struct slice *s) { return s->cpu[0] / s->cpu[1]; }
static double vs_reference_and_sync(const struct slice *s)
{
	return s->wall[0] / (s->wall[1] + s->sync);
}

/** @param cpu_us  out: of ipspd's subagent, for each unit of work */
static void measure(struct bench *b, const struct what *w, const char *scale, double *cpu_us)
{
	const size_t n = bench_is_quick() ? 1 : SLICES;
	const uint32_t requests = bench_is_quick() ? 3 : w->n;
	struct slice slices[SLICES];

	for (size_t i = 0; i < n; i++)
		run_slice(b, w, requests, &slices[i]);
	bench_line(median_of(slices, n, rate_ours), w->unit, "snmp.%s.%s.%s", w->name, w->per_s,
		   scale);
	bench_line(median_of(slices, n, rate_reference), w->unit, "snmp.%s.tdata_%s.%s", w->name,
		   w->per_s, scale);
	if (w->syncs) {
		bench_line(median_of(slices, n, rate_sync), "sync/s", "snmp.%s.fdatasync_per_s.%s",
			   w->name, scale);
		bench_line(median_of(slices, n, vs_reference_and_sync), "ratio",
			   "snmp.%s.vs_tdata_and_sync.%s", w->name, scale);
	} else {
		bench_line(median_of(slices, n, vs_reference), "ratio", "snmp.%s.vs_tdata.%s",
			   w->name, scale);
	}
	*cpu_us = median_of(slices, n, cpu_ours) * 1e6;
	if (w->cpu == NULL)
		return;
	bench_line(*cpu_us, "us", "snmp.cpu_us.%s.%s", w->cpu, scale);
	bench_line(median_of(slices, n, cpu_reference) * 1e6, "us", "snmp.cpu_us.%s.tdata.%s",
		   w->cpu, scale);
	bench_line(median_of(slices, n, cpu_vs_reference), "ratio", "snmp.cpu_us.%s.vs_tdata.%s",
		   w->cpu, scale);
}

/* ---- who takes part ---- */

static void open_side(struct side *s, const char *name, char *address, const char *pid)
{
	netsnmp_session session;

	s->name = name;
	bench_must(clock_getcpuclockid((pid_t)strtol(pid, NULL, 10), &s->cpu) == 0,
		   "no such process");
	snmp_sess_init(&session);
	session.peername = address;
	session.version = SNMP_VERSION_2c;
	session.community = (u_char *)"bench";
	session.community_len = strlen("bench");
	session.timeout = ANSWER_MS * 1000L;
	session.retries = 0;
	s->session = snmp_sess_open(&session);
	bench_must(s->session != NULL, address);
	s->fd = snmp_sess_transport(s->session)->sock;
	walk_from_start(s);
}

static void open_sync(struct bench *b, const char *dir)
{
	snprintf(b->sync_path, sizeof(b->sync_path), "%s/sync", dir);
	b->sync_fd = open(b->sync_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bench_must(b->sync_fd >= 0, b->sync_path);
}

int main(int argc, char **argv)
{
	static struct bench b = { .random = 88172645463325252ull };
	const size_t n = bench_is_quick() ? 1 : sizeof(scales) / sizeof(scales[0]);
	double cpu_us[sizeof(scales) / sizeof(scales[0])][N_WHATS];

	bench_must(argc == 6, "usage: bench_snmp ADDRESS PID ADDRESS PID DIRECTORY");
	setenv("MIBS", "", 1);		/* names are of no use here */
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	init_snmp("bench_snmp");
	open_side(&b.sides[0], "ipspd", argv[1], argv[2]);
	open_side(&b.sides[1], "tdata", argv[3], argv[4]);
	open_sync(&b, argv[5]);
	for (size_t i = 0; i < n; i++) {
		const uint32_t rows = bench_is_quick() ? 100 : scales[i].n;

		fill(&b.sides[0], rows);
		fill(&b.sides[1], rows);
		for (size_t k = 0; k < N_WHATS; k++)
			measure(&b, &whats[k], scales[i].name, &cpu_us[i][k]);
	}
	for (size_t k = 0; n > 1 && k < N_WHATS; k++) {
		if (whats[k].cpu != NULL)
			bench_line(cpu_us[n - 1][k] / cpu_us[0][k], "ratio",
				   "snmp.cpu_us.%s.100k_vs_1k", whats[k].cpu);
	}
	close(b.sync_fd);
	unlink(b.sync_path);
	return EXIT_SUCCESS;
}
