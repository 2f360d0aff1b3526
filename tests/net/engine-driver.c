/*
 * tests/net/engine-driver.c - plays parent and agent for one engine process, in a namespace.
 *
 *	engine-driver TUN|pcap:RED,BLACK [plain] [packet|ring] [WORKERS]
 *
 * Opens the TUN, or the interfaces of a bump in the wire, and the sockets as the parent does, for one
 * worker or so many (plain: without offload; packet, ring: as fast-send in the options file), starts engine_main() as an unprivileged child in its
 * sandbox, starts it again whenever it ends, and gives it what stands in the commands on stdin. What
 * comes back stands on stdout, one event a line. Commands, one a line (prefixes: ADDRESS/LENGTH; keys:
 * hex):
 *
 *	begin NUMBER
 *	sa ID in|out tunnel|transport SPI LOCAL|any REMOTE|any AES-KEY SHA1-KEY|SHA256-KEY|gcm
 *	encap SPORT DPORT KEEPALIVE	the last SA is in UDP
 *	list IFNAME in|out
 *	entry ID discard|bypass|protect SA-ID log|quiet SOURCE DESTINATION
 *	turns			the last SA or entry is in every other generation only
 *	commit			sends it, and to each engine that starts from then on
 *	churn COUNT		sends so many generations, one when the one before is in force; the last of
 *				them is whole
 *	stats			counters, up to a line "end"
 *	grant on|off		answers RESERVE (on at first)
 *	agent off|on		the channel between agent and engine
 *	quit
 */
#include "config.h"
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chan/chan.h"
#include "engine/io/attach.h"
#include "ipsp/config.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "ipspd/parent.h"
#include "ipspd/report.h"
#include "ipspd/roles.h"
#include "ipspd/sandbox.h"
#include "ipspd/start.h"
#include "ipspd/wire.h"

#define NOBODY 65534
#define ITEMS_MAX 64


static struct event_base *base;
static struct chan *parent, *agent;
static struct engine_start start;
static pid_t engine_pid;
static bool grant = true, ending, rings;

/* The generation being written, and whether it is to be sent. */
static uint64_t number;
static bool committed;
static struct ipsp_sa_config sas[ITEMS_MAX];
static struct ipsp_spd_list lists[ITEMS_MAX];
static struct ipsp_spd_entry entries[ITEMS_MAX][ITEMS_MAX];	/* by list */
static struct ipsp_selector selectors[ITEMS_MAX][ITEMS_MAX];
static size_t n_sas, n_lists;

/* What comes and goes from one generation to the next, and how many of those are still to be sent. */
static bool sa_turns[ITEMS_MAX], entry_turns[ITEMS_MAX][ITEMS_MAX];
static bool *last_turns;
static unsigned long churn_left;
static long churn_began_ms;

/* What is "durable": ceilings by counter_id. */
static struct { uint64_t counter_id, ceiling; } reserved[ITEMS_MAX];
static size_t n_reserved;

static void die(const char *what)
{
	fprintf(stderr, "engine-driver: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* ---- descriptors, as the parent opens them ---- */

static int open_device(const char *name, const char **why)
{
	struct attach a;

	if (strncmp(name, "pcap:", 5) != 0)
		return open_tun(name, &start, why);
	*why = attach_parse(name, &a);
	return *why ? -EINVAL : open_wire(&a, &start, why);
}

static void open_all(const char *name, bool offload, enum engine_fast_send fast, uint8_t n_workers)
{
	const char *why = name;

	engine_start_init(&start);
	start.log_level = LOG_DEBUG;
	start.n_workers = n_workers;
	start.offload = offload ? ENGINE_OFFLOAD_TUN : 0;
	start.fds[ENGINE_FD_COUNTERS][0] = memfd_create("counters", MFD_CLOEXEC);
	if (start.fds[ENGINE_FD_COUNTERS][0] < 0)
		die("memfd");
	if (open_sockets(&start, &why) < 0 || open_device(name, &why) < 0)
		die(why);
	if (fast != ENGINE_FAST_NO && open_fasts(&start) < 0)
		die("fast-send");
	rings = fast == ENGINE_FAST_RING;
}

/* ---- from the engine ---- */

static void print_drop(const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	(void)chan_get_u32(&r);
	const unsigned reason = chan_get_u16(&r);

	printf("drop %s %" PRIu64 "\n", io_reason_key(reason), chan_get_u64(&r));
}

static void print_event(const struct chan_msg *m)
{
	struct wire_event e;
	char src[INET6_ADDRSTRLEN] = "-", dst[INET6_ADDRSTRLEN] = "-";

	if (!report_event_read(m, &e)) {
		printf("malformed event\n");
		return;
	}
	if (e.packet_len >= 20) {
		const bool v4 = e.packet[0] >> 4 == 4;

		inet_ntop(v4 ? AF_INET : AF_INET6, e.packet + (v4 ? 12 : 8), src, sizeof(src));
		inet_ntop(v4 ? AF_INET : AF_INET6, e.packet + (v4 ? 16 : 24), dst, sizeof(dst));
	}
	printf("event %" PRIu64 " dir %u action %u interface %u %s %s protocol %u\n", e.id, e.dir,
	       e.action, e.ifindex, src, dst, e.packet[e.packet[0] >> 4 == 4 ? 9 : 6]);
}

static void send_reserved(uint64_t counter_id, uint64_t ceiling)
{
	uint8_t buf[16];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u64(&w, counter_id);
	chan_put_u64(&w, ceiling);
	if (chan_send(agent, MSG_RESERVED, buf, w.len, NULL, 0) != 0)
		printf("RESERVED not sent\n");
}

static void send_generation(bool whole);

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void applied(uint64_t generation)
{
	if (churn_left == 0) {
		printf("applied %" PRIu64 "\n", generation);
	} else if (--churn_left == 0) {
		printf("churned %" PRIu64 " in %ld ms\n", generation, now_ms() - churn_began_ms);
	} else {
		number++;
		send_generation(churn_left % 2);
	}
}

static void reserve(uint64_t counter_id, uint64_t next)
{
	size_t i = 0;

	if (churn_left == 0)
		printf("reserve %" PRIu64 " %" PRIu64 "\n", counter_id, next);
	if (!grant)
		return;
	while (i < n_reserved && reserved[i].counter_id != counter_id)
		i++;
	if (i == ITEMS_MAX)
		die("too many number spaces");
	if (i == n_reserved)
		n_reserved++;
	reserved[i].counter_id = counter_id;
	reserved[i].ceiling = next + RESERVE_BLOCK - 1;
	send_reserved(counter_id, reserved[i].ceiling);
}

static void print_entries(const struct chan_msg *m)
{
	struct wire_entry_stats said[REPORT_ENTRIES_MAX];
	uint32_t serial;
	size_t n;

	if (!report_entries_read(m, &serial, said, &n))
		return;
	for (size_t i = 0; i < n; i++)
		printf("entry %" PRIu64 " %" PRIu64 "\n", said[i].id, said[i].packets);
}

static void print_sas(const struct chan_msg *m)
{
	struct wire_sa_stats said[REPORT_SAS_MAX];
	uint32_t serial;
	size_t n;

	if (!report_sas_read(m, &serial, said, &n))
		return;
	for (size_t i = 0; i < n; i++)
		printf("sa %" PRIu64 " spi 0x%x state %u packets %" PRIu64 " seq %" PRIu64
		       " auth %" PRIu64 " replay %" PRIu64 "\n", said[i].id, said[i].spi,
		       said[i].state, said[i].packets, said[i].seq, said[i].auth_errors,
		       said[i].replay_errors);
}

static void on_agent_message(void *arg, struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };

	(void)arg;
	switch (m->type) {
	case MSG_GEN_APPLIED:
		applied(chan_get_u64(&r));
		break;
	case MSG_GEN_REFUSED:
		printf("refused %" PRIu64 "\n", chan_get_u64(&r));
		break;
	case MSG_SA_REFUSED:
		(void)chan_get_u64(&r);
		printf("sa-refused %" PRIu64, chan_get_u64(&r));
		printf(" %s\n", ipsp_err_text((enum ipsp_err)chan_get_u8(&r)));
		break;
	case MSG_RESERVE: {
		const uint64_t counter_id = chan_get_u64(&r);

		reserve(counter_id, chan_get_u64(&r));
		break;
	}
	case MSG_EVENT:
		print_event(m);
		break;
	case MSG_STATS_ENTRIES:
		print_entries(m);
		break;
	case MSG_STATS_SAS:
		print_sas(m);
		break;
	case MSG_STATS_DROP:
		print_drop(m);
		break;
	case MSG_STATS_END:
		printf("end\n");
		break;
	default:
		printf("message %u\n", m->type);
	}
}

static void on_agent_closed(void *arg, int why)
{
	(void)arg;
	(void)why;
	chan_free(agent);
	agent = NULL;
}

static void on_parent_message(void *arg, struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	size_t len;

	(void)arg;
	(void)chan_get_u8(&r);
	(void)chan_get_octets(&r, &len);
	const uint8_t *const text = chan_get_octets(&r, &len);

	if (m->type == MSG_LOG && text)
		printf("log %.*s\n", (int)len, (const char *)text);
}

static void on_parent_closed(void *arg, int why)
{
	(void)arg;
	(void)why;
	chan_free(parent);
	parent = NULL;
}

/* ---- to the engine ---- */

static int emit(void *arg, uint16_t type, const uint8_t *data, size_t len)
{
	(void)arg;
	return chan_send(agent, type, data, len, NULL, 0);
}

static void send_generation(bool whole)
{
	static struct ipsp_sa_config some_sas[ITEMS_MAX];
	static struct ipsp_spd_list some_lists[ITEMS_MAX];
	static struct ipsp_spd_entry some_entries[ITEMS_MAX][ITEMS_MAX];
	size_t n = 0;

	if (!agent || !committed)
		return;
	for (size_t i = 0; i < n_reserved && churn_left == 0; i++)
		send_reserved(reserved[i].counter_id, reserved[i].ceiling);
	for (size_t i = 0; i < n_sas; i++) {
		if (whole || !sa_turns[i])
			some_sas[n++] = sas[i];
	}
	for (size_t i = 0; i < n_lists; i++) {
		some_lists[i] = lists[i];
		some_lists[i].n_entries = 0;
		some_lists[i].entries = some_entries[i];
		for (uint32_t j = 0; j < lists[i].n_entries; j++) {
			if (whole || !entry_turns[i][j])
				some_entries[i][some_lists[i].n_entries++] = entries[i][j];
		}
	}
	if (wire_put_generation(number, some_lists, n_lists, some_sas, n, emit, NULL) != 0)
		printf("generation not sent\n");
}

static void connect_agent(void)
{
	const struct chan_handler handler = {
		.message = on_agent_message, .closed = on_agent_closed,
	};
	int fds[2];

	if (!parent || chan_pair(fds) != 0 || chan_new(base, fds[0], &handler, &agent) != 0 ||
	    chan_send(parent, MSG_AGENT, NULL, 0, &fds[1], 1) != 0)
		die("channel agent to engine");
	close(fds[1]);
	send_generation(true);
}

static void engine_child(int fd)
{
	const char *why;

	if (dup2(fd, ROLE_CHANNEL_FD) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		die("giving up root");
	/* Nothing that the driver holds goes along but the channel and the standard three. */
	for (int other = ROLE_CHANNEL_FD + 1; other < 256; other++)
		close(other);
	if (!sandbox_enter(ROLE_ENGINE, &why))
		die(why);
	_exit(engine_main(ROLE_CHANNEL_FD));
}

static void start_engine(void)
{
	const struct chan_handler handler = {
		.message = on_parent_message, .closed = on_parent_closed,
	};
	int fds[2];

	if (chan_pair(fds) != 0)
		die("channel parent to engine");
	if (rings)
		open_rings(&start);
	fflush(stdout);
	engine_pid = fork();
	if (engine_pid < 0)
		die("fork");
	if (engine_pid == 0)
		engine_child(fds[1]);
	close(fds[1]);
	if (chan_new(base, fds[0], &handler, &parent) != 0 ||
	    engine_start_send(parent, &start) != 0)
		die("START");
	engine_start_close(&start, ENGINE_FD_RING);
	printf("engine %d\n", (int)engine_pid);
	connect_agent();
}

static void on_child(evutil_socket_t sig, short what, void *arg)
{
	int status;

	(void)sig;
	(void)what;
	(void)arg;
	if (waitpid(engine_pid, &status, WNOHANG) != engine_pid)
		return;
	printf("engine-end %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	if (ending) {
		event_base_loopbreak(base);
		return;
	}
	chan_free(parent);
	chan_free(agent);
	parent = agent = NULL;
	start_engine();
}

/* ---- commands ---- */

static struct ipsp_addr parse_addr(const char *text)
{
	struct ipsp_addr a = { 0 };

	if (strcmp(text, "any") == 0)
		return a;
	a.family = strchr(text, ':') ? 6 : 4;
	if (inet_pton(a.family == 4 ? AF_INET : AF_INET6, text, a.octets) != 1)
		die(text);
	return a;
}

static void parse_prefix(char *text, struct ipsp_addr *lo, struct ipsp_addr *hi)
{
	char *slash = strchr(text, '/');

	if (!slash)
		die(text);
	*slash = '\0';
	const struct ipsp_addr a = parse_addr(text);

	if (ipsp_addr_prefix(&a, (unsigned)strtoul(slash + 1, NULL, 10), lo, hi) != IPSP_OK)
		die(text);
}

static void parse_key(const char *hex, struct ipsp_key *k)
{
	const size_t len = strlen(hex) / 2;

	if (len > IPSP_KEY_MAX)
		die("key");
	for (size_t i = 0; i < len; i++) {
		unsigned octet;

		if (sscanf(hex + 2 * i, "%2x", &octet) != 1)
			die("key");
		k->octets[i] = (uint8_t)octet;
	}
	k->len = (uint16_t)len;
}

static uint8_t parse_dir(const char *text)
{
	return strcmp(text, "in") == 0 ? IPSP_INBOUND : IPSP_OUTBOUND;
}

static void do_sa(char *const *w)
{
	struct ipsp_sa_config *const s = &sas[n_sas];

	last_turns = &sa_turns[n_sas++];
	*last_turns = false;
	*s = (struct ipsp_sa_config) {
		.id = strtoull(w[1], NULL, 0),
		.dir = parse_dir(w[2]),
		.proto = IPSP_PROTO_ESP,
		.mode = strcmp(w[3], "tunnel") == 0 ? IPSP_MODE_TUNNEL : IPSP_MODE_TRANSPORT,
		.df = IPSP_DF_COPY,
		.spi = (uint32_t)strtoul(w[4], NULL, 0),
		.local = parse_addr(w[5]),
		.remote = parse_addr(w[6]),
		.replay = true,
		.replay_window_pkts = 64,
		.encr = IPSP_ENCR_AES_CBC,
		.integ = IPSP_INTEG_HMAC_SHA1_96,
	};
	s->counter_id = s->id + 1000;
	parse_key(w[7], &s->encr_key);
	s->encr_key_bits = (uint16_t)(s->encr_key.len * 8);
	if (strcmp(w[8], "gcm") == 0) {
		s->encr = IPSP_ENCR_AES_GCM_16;
		s->encr_key_bits -= 32;	/* the salt */
		s->integ = IPSP_INTEG_NONE;
		return;
	}
	parse_key(w[8], &s->integ_key);
	if (s->integ_key.len == 32)
		s->integ = IPSP_INTEG_HMAC_SHA2_256_128;
}

static void do_encap(char *const *w)
{
	sas[n_sas - 1].encap = (struct ipsp_encap) {
		.type = IPSP_ENCAP_UDP,
		.sport = (uint16_t)strtoul(w[1], NULL, 0),
		.dport = (uint16_t)strtoul(w[2], NULL, 0),
		.keepalive_s = (uint16_t)strtoul(w[3], NULL, 0),
		.follow_id = sas[n_sas - 1].dir == IPSP_INBOUND ? sas[n_sas - 1].id - 1 : 0,
	};
}

static void do_list(char *const *w)
{
	lists[n_lists] = (struct ipsp_spd_list) {
		.ifindex = if_nametoindex(w[1]),
		.dir = parse_dir(w[2]),
		.entries = entries[n_lists],
	};
	if (!lists[n_lists].ifindex)
		die(w[1]);
	n_lists++;
}

static void do_entry(char *const *w)
{
	struct ipsp_spd_list *const l = &lists[n_lists - 1];
	struct ipsp_selector *const sel = &selectors[n_lists - 1][l->n_entries];

	ipsp_selector_any(strchr(w[5], ':') ? 6 : 4, sel);
	parse_prefix(w[5], &sel->src_lo, &sel->src_hi);
	parse_prefix(w[6], &sel->dst_lo, &sel->dst_hi);
	last_turns = &entry_turns[n_lists - 1][l->n_entries];
	*last_turns = false;
	entries[n_lists - 1][l->n_entries++] = (struct ipsp_spd_entry) {
		.id = strtoull(w[1], NULL, 0),
		.action = strcmp(w[2], "protect") == 0 ? IPSP_PROTECT :
			  strcmp(w[2], "bypass") == 0 ? IPSP_BYPASS : IPSP_DISCARD,
		.sa_id = strtoull(w[3], NULL, 0),
		.log = strcmp(w[4], "log") == 0,
		.n_selectors = 1,
		.selectors = sel,
	};
}

static void do_begin(char *const *w)
{
	number = strtoull(w[1], NULL, 0);
	committed = false;
	n_sas = n_lists = 0;
}

static void do_commit(char *const *w)
{
	(void)w;
	committed = true;
	send_generation(true);
}

static void do_turns(char *const *w)
{
	(void)w;
	*last_turns = true;
}

static void do_churn(char *const *w)
{
	churn_left = strtoul(w[1], NULL, 10);
	churn_began_ms = now_ms();
	number++;
	send_generation(churn_left % 2);
}

static void do_stats(char *const *w)
{
	static const uint8_t serial[4] = { 0, 0, 0, 1 };

	(void)w;
	if (!agent || chan_send(agent, MSG_STATS_GET, serial, sizeof(serial), NULL, 0) != 0)
		printf("STATS_GET not sent\n");
}

static void do_grant(char *const *w)
{
	grant = strcmp(w[1], "on") == 0;
}

static void do_agent(char *const *w)
{
	chan_free(agent);
	agent = NULL;
	if (strcmp(w[1], "on") == 0)
		connect_agent();
}

static void do_quit(char *const *w)
{
	(void)w;
	ending = true;
	chan_free(parent);
	parent = NULL;
}

static const struct {
	const char *name;
	size_t words;
	void (*call)(char *const *w);
} commands[] = {
	{ "begin", 2, do_begin }, { "sa", 9, do_sa }, { "encap", 4, do_encap },
	{ "list", 3, do_list },
	{ "entry", 7, do_entry }, { "commit", 1, do_commit }, { "turns", 1, do_turns },
	{ "churn", 2, do_churn }, { "stats", 1, do_stats },
	{ "grant", 2, do_grant }, { "agent", 2, do_agent }, { "quit", 1, do_quit },
};

static void run_line(char *line)
{
	char *words[10] = { NULL }, *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(line, " \n", &save); w && n < 10; w = strtok_r(NULL, " \n", &save))
		words[n++] = w;
	for (size_t i = 0; n && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(words[0], commands[i].name) == 0 && n == commands[i].words) {
			commands[i].call(words);
			return;
		}
	}
	if (n) {
		errno = EINVAL;
		die(words[0]);
	}
}

static void on_stdin(evutil_socket_t fd, short what, void *arg)
{
	static char buf[8192];
	static size_t used;
	const ssize_t got = read((int)fd, buf + used, sizeof(buf) - 1 - used);
	char *end;

	(void)what;
	(void)arg;
	if (got <= 0) {
		do_quit(NULL);
		event_base_loopbreak(base);
		return;
	}
	used += (size_t)got;
	buf[used] = '\0';
	while ((end = strchr(buf, '\n'))) {
		*end++ = '\0';
		run_line(buf);
		used = strlen(end);
		memmove(buf, end, used + 1);
	}
}

int main(int argc, char **argv)
{
	enum engine_fast_send fast = ENGINE_FAST_NO;
	unsigned long n_workers = 1;
	bool plain = false;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "plain") == 0)
			plain = true;
		else if (strcmp(argv[i], "packet") == 0)
			fast = ENGINE_FAST_PACKET;
		else if (strcmp(argv[i], "ring") == 0)
			fast = ENGINE_FAST_RING;
		else
			n_workers = strtoul(argv[i], NULL, 10);
	}
	if (argc < 2 || n_workers < 1 || n_workers > ENGINE_WORKERS_MAX) {
		fprintf(stderr, "usage: engine-driver TUN|pcap:RED,BLACK [plain] [packet|ring] [WORKERS]\n");
		return EXIT_FAILURE;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	base = event_base_new();
	open_all(argv[1], !plain, fast, (uint8_t)n_workers);
	struct event *in = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_stdin, NULL);
	struct event *child = evsignal_new(base, SIGCHLD, on_child, NULL);

	if (!in || !child || event_add(in, NULL) < 0 || event_add(child, NULL) < 0)
		die("event");
	start_engine();
	event_base_dispatch(base);
	event_free(in);
	event_free(child);
	chan_free(agent);
	chan_free(parent);
	event_base_free(base);
	return EXIT_SUCCESS;
}
