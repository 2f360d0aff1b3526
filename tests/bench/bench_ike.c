/*
 * tests/bench/bench_ike.c - one end of IKE as the daemon has it: the event loop, sockets and threads of the ike
 * process, and an engine process that it asks for SAs by PF_KEY. tests/bench/bench_ike.sh puts two together.
 *
 *	bench_ike respond LOCAL REMOTE GROUP N UNDER-WAY [KEY CERTIFICATE CA]
 *	bench_ike initiate LOCAL REMOTE GROUP N UNDER-WAY [KEY CERTIFICATE CA]
 *
 * An initiator begins IKE SAs, each with a Child SA, UNDER-WAY at a time, until there are N; then it says how many
 * seconds that took. A responder says, for each line that comes in, how many octets of memory its process and
 * that of its engine have to themselves, and how many IKE SAs are half open. REMOTE 0.0.0.0 is anybody.
 */
#include "config.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "engine/crypto/gcrypt.h"
#include "ike/timer.h"
#include "ipspd/ike.h"
#include "ipspd/log.h"
#include "tests/bench/bench.h"
#include "tests/bench/server.h"

#define SECMEM_OCTETS (16u << 20)
#define FILE_MAX 65536u

struct end {
	struct ike_role role;		/* first: what the world gives to its table's functions */
	struct ike_conn *conn;
	bool initiates;
	uint32_t wanted, under_way, begun, made;
	double began_s;
	pid_t engine;
	struct ike_credential_parts credential;
	struct ike_trust_parts trust;
};

/* ---- the engine process ---- */

/* Before there are threads. @return a socket to it */
static int start_engine(struct end *end)
{
	const struct sockaddr_un here = { .sun_family = AF_UNIX };
	const int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	struct sockaddr_un name;
	socklen_t len = sizeof(name);

	/* An abstract name that the kernel chooses. */
	bench_must(listener >= 0 && bind(listener, (const struct sockaddr *)&here,
					 sizeof(here.sun_family)) == 0 &&
		   listen(listener, 1) == 0 &&
		   getsockname(listener, (struct sockaddr *)&name, &len) == 0, "socket");
	end->engine = fork();
	bench_must(end->engine >= 0, "fork");
	if (end->engine == 0)
		bench_serve(listener);
	bench_must(fd >= 0 && connect(fd, (const struct sockaddr *)&name, len) == 0, "connect");
	close(listener);
	return fd;
}

/* ---- what the world asks for ---- */

static void begin_more(struct end *end)
{
	while (end->begun < end->wanted && end->begun - end->made < end->under_way) {
		struct ike_path path;

		end->begun++;
		bench_must(ike_net_path(&end->role, end->conn, &end->conn->peers[0].address, &path) &&
			   ike_initiate(end->role.world, end->conn, 0, &path, ike_now_ms()) == IPSP_OK,
			   "an IKE SA begins");
	}
}

/* Behind what goes on now: the world is not called from within. */
static void on_more(evutil_socket_t fd, short what, void *arg)
{
	struct end *const end = arg;

	(void)fd;
	(void)what;
	if (end->made == end->wanted) {
		printf("%.6f\n", bench_wall_s() - end->began_s);
		fflush(stdout);
		exit(0);
	}
	begin_more(end);
	ike_role_rearm(&end->role);
}

static enum ipsp_err on_child_add(void *arg, const struct ike_child_sa *c)
{
	struct end *const end = arg;	/* by its first member */
	const enum ipsp_err err = ike_pfkey_add(&end->role, c);

	bench_must(err == IPSP_OK, "a Child SA is added");
	end->made++;
	if (end->initiates)
		event_base_once(end->role.base, -1, EV_TIMEOUT, on_more, end, NULL);
	return err;
}

static void on_random(void *arg, uint8_t *out, size_t n)
{
	bench_must(engine_random_take(&((struct ike_role *)arg)->random, out, n) == IPSP_OK, "random");
}

static void on_log(void *arg, enum ike_level level, const char *who, const char *text)
{
	(void)arg;
	if (level <= IKE_LOG_NOTICE)
		fprintf(stderr, "bench_ike: %s: %s\n", who, text);
}

static int64_t on_wall_s(void *arg)
{
	(void)arg;
	return (int64_t)time(NULL);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ike_role_rearm((struct ike_role *)arg);
}

/* ---- memory ---- */

/* Octets that are nobody else's. */
static unsigned long private_octets(pid_t pid)
{
	char path[64], line[128];
	unsigned long kb = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "r");

	bench_must(f != NULL, path);
	while (fgets(line, sizeof(line), f) && sscanf(line, "RssAnon: %lu", &kb) != 1)
		;
	fclose(f);
	return kb * 1024;
}

static bool count_half_open(void *arg, const struct ike_view *v)
{
	*(unsigned *)arg += v->phase == IKE_PHASE_INITIATING || v->phase == IKE_PHASE_AUTHENTICATING;
	return true;
}

static void on_question(evutil_socket_t fd, short what, void *arg)
{
	const struct end *const end = arg;
	unsigned n = 0;
	char line[16];

	(void)what;
	if (read(fd, line, sizeof(line)) <= 0)
		exit(0);
	ike_world_each(end->role.world, count_half_open, &n);
	printf("%lu %lu %u\n", private_octets(getpid()), private_octets(end->engine), n);
	fflush(stdout);
}

/* ---- start ---- */

static struct ipsp_addr address(const char *text)
{
	struct ipsp_addr a = { .family = 4 };

	bench_must(inet_pton(AF_INET, text, a.octets) == 1, text);
	return a;
}

static struct ipsp_span file(const char *name)
{
	uint8_t *const octets = malloc(FILE_MAX);
	FILE *const f = fopen(name, "rb");

	bench_must(octets && f, name);
	const size_t len = fread(octets, 1, FILE_MAX, f);

	fclose(f);
	return (struct ipsp_span){ octets, len };
}

static int open_socket(uint16_t port)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), on = 1;
	const struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };

	bench_must(fd >= 0 && setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) == 0 &&
		   bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0, "a port");
	return fd;
}

static void prove_by(struct end *end, char **files)
{
	struct ike_peer *const peer = &end->conn->peers[0];
	char why[IKE_WHY_TEXT] = "a shared key";

	if (!files[0]) {
		peer->secret = ike_secret_new((struct ipsp_span){ (const uint8_t *)"between two", 11 });
		bench_must(peer->secret != NULL, why);
		return;
	}
	end->credential.key = file(files[0]);
	end->credential.certs = file(files[1]);
	end->trust.cas = file(files[2]);
	peer->credentials[0] = ike_credential_new(&end->credential, why);
	bench_must(peer->credentials[0] != NULL, why);
	peer->n_credentials = 1;
	peer->trust = ike_trust_new(&end->trust, why);
	bench_must(peer->trust != NULL, why);
	/* The certificate's own name, whatever it is. */
	bench_must(ike_identity_make(IKE_ID_DER_ASN1_DN, "", &end->conn->local_id) &&
		   ike_identity_make(IKE_ID_DER_ASN1_DN, "", &peer->id), "identities");
}

static void configure(struct end *end, char **argv)
{
	static const struct ike_selector all = {
		.lo = { .family = 4 }, .hi = { 4, { 255, 255, 255, 255 } }, .port_hi = UINT16_MAX,
	};
	struct ike_conn *const c = ike_conn_new();

	bench_must(c != NULL, "memory");
	end->conn = c;
	struct ike_offer *const ike = &c->offers.offers[0], *const esp = &c->child.offers.offers[0];

	c->local = address(argv[0]);
	c->n_peers = 1;
	bench_must(ike_identity_make(IKE_ID_IPV4_ADDR, argv[0], &c->local_id), "an identity");
	if (strcmp(argv[1], "0.0.0.0")) {
		c->peers[0].address = address(argv[1]);
		bench_must(ike_identity_make(IKE_ID_IPV4_ADDR, argv[1], &c->peers[0].id), argv[1]);
	}
	c->offers.n = c->child.offers.n = 1;
	*ike = (struct ike_offer){ .number = 1, .protocol = IKE_PROTOCOL_IKE };
	ike_offer_add(ike, IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 128);
	ike_offer_add(ike, IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256, 0);
	ike_offer_add(ike, IKE_TRANSFORM_KE, (uint16_t)atoi(argv[2]), 0);
	*esp = (struct ike_offer){ .number = 1, .protocol = IKE_PROTOCOL_ESP };
	ike_offer_add(esp, IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 128);
	ike_offer_add(esp, IKE_TRANSFORM_ESN, 0, 0);
	c->has_child = true;
	c->child.reqid = 1;
	c->child.window_log2 = 6;
	c->child.ours.n = c->child.theirs.n = 1;
	c->child.ours.s[0] = c->child.theirs.s[0] = all;
	end->wanted = (uint32_t)atoi(argv[3]);
	end->under_way = (uint32_t)atoi(argv[4]);
	prove_by(end, argv + 5);
}

static void start(struct end *end, char **argv)
{
	static const struct ike_ops ops = {
		.send = ike_net_send, .keepalive = ike_net_keepalive, .random = on_random,
		.run = ike_jobs_put, .get_spi = ike_pfkey_get_spi, .child_add = on_child_add,
		.child_delete = ike_pfkey_delete, .log = on_log, .wall_s = on_wall_s,
	};
	struct ike_role *const role = &end->role;
	const int engine = start_engine(end);

	for (int i = 0; i < IKE_FDS; i++)
		role->fds[i] = -1;
	role->fds[IKE_FD_500_4] = open_socket(500);
	role->fds[IKE_FD_4500_4] = open_socket(4500);
	role->base = event_base_new();
	bench_must(role->base && ipsp_crypto_gcrypt_init(SECMEM_OCTETS) == IPSP_OK, "crypto");
	configure(end, argv);
	role->world = ike_world_new(&ops, role, ipsp_crypto_gcrypt());
	role->wake = event_new(role->base, -1, 0, on_wake, role);
	bench_must(role->world && role->wake && ike_jobs_start(role) == 0 &&
		   ike_pfkey_start(role) == 0 && ike_net_start(role) == 0 &&
		   ike_world_configure(role->world, &end->conn, 1) == IPSP_OK, "start");
	ike_pfkey_connect(role, engine);
}

int main(int argc, char **argv)
{
	static struct end end;
	const struct timeval stuck = { .tv_sec = 60 };

	bench_must(argc == 7 || argc == 10, "arguments");
	log_set_level(LOG_EMERG);
	start(&end, argv + 2);
	end.initiates = !strcmp(argv[1], "initiate");
	if (end.initiates) {
		end.began_s = bench_wall_s();
		begin_more(&end);
		event_base_loopexit(end.role.base, &stuck);
	} else {
		struct event *const question = event_new(end.role.base, STDIN_FILENO,
							 EV_READ | EV_PERSIST, on_question, &end);

		bench_must(question && event_add(question, NULL) == 0, "memory");
		printf("ready\n");
		fflush(stdout);
	}
	ike_role_rearm(&end.role);
	event_base_dispatch(end.role.base);
	bench_must(false, "it is stuck");
}
