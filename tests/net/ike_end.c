/*
 * tests/net/ike_end.c - one end of IKEv2 with sockets and nothing else, for tests against others: no SAD, no
 * configuration but its command line. Its log, and its Child SAs, go to standard output.
 *
 *	ike_end [initiate] local=A remote=A|any me=TYPE:TEXT peer=TYPE:TEXT [psk=TEXT] [key=FILE|URI] [certs=FILE]
 *		[cas=FILE] [revocation-required] [raw=FILE] [pss] [childless]
 *		[moves-to=A] [ppk=TEXT ppk-id=TEXT] [ike=ENCR:BITS:INTEG:PRF:KE] [esp=ENCR:BITS:INTEG:ESN]
 *
 * It fetches nothing: of revocation it knows what its peer sends along. What it proposes is in IANA's numbers. When it is of IPv6, so is all.
 */
#include <arpa/inet.h>
#include <gcrypt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/crypto/gcrypt.h"
#include "ike/world.h"

#define FILE_MAX 65536u
#define N_SOCKETS 2u	/* ports 500 and 4500 */

struct end {
	struct ike_world *world;
	struct ike_conn *conn;
	int sockets[N_SOCKETS];
	uint32_t next_spi;
	bool childless;
	unsigned encr, bits, integ, prf, ke;	/* of the IKE SA */
	unsigned child_encr, child_bits, child_integ, child_esn;
	struct ipsp_addr at, next;	/* where it is; where it goes when it gets SIGUSR1 */
	struct ike_credential_parts credential;
	struct ike_trust_parts trust;
};

static volatile sig_atomic_t ended, moves;

static void on_signal(int number)
{
	if (number == SIGUSR1)
		moves = 1;
	else
		ended = number;
}

static void fail(const char *what)
{
	fprintf(stderr, "ike_end: %s\n", what);
	exit(2);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- what the world asks for ---- */

static socklen_t put_address(const struct ipsp_addr *a, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memcpy(&in.sin_addr, a->octets, 4);
	memcpy(&in6.sin6_addr, a->octets, 16);
	if (a->family == 4)
		memcpy(out, &in, sizeof(in));
	else
		memcpy(out, &in6, sizeof(in6));
	return a->family == 4 ? sizeof(in) : sizeof(in6);
}

static void take_address(const struct sockaddr_storage *from, struct ike_path *path)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	memcpy(&in, from, sizeof(in));
	memcpy(&in6, from, sizeof(in6));
	path->remote_port = ntohs(in.sin_port);	/* at the same place in both */
	path->remote.family = from->ss_family == AF_INET ? 4 : 6;
	if (from->ss_family == AF_INET)
		memcpy(path->remote.octets, &in.sin_addr, 4);
	else
		memcpy(path->remote.octets, &in6.sin6_addr, 16);
}

static void on_send(void *arg, const struct ike_path *path, struct ipsp_span message)
{
	const struct end *const end = arg;
	const bool marked = path->local_port == 4500;
	struct sockaddr_storage to;
	const socklen_t to_len = put_address(&path->remote, path->remote_port, &to);
	uint8_t octets[FILE_MAX + 4] = { 0 };

	if (message.len > FILE_MAX)
		fail("a message is too long");
	memcpy(octets + (marked ? 4 : 0), message.data, message.len);
	if (sendto(end->sockets[marked], octets, message.len + (marked ? 4 : 0), 0,
		   (const struct sockaddr *)&to, to_len) < 0)
		perror("sendto");
}

static void on_keepalive(void *arg, const struct ike_path *path)
{
	(void)arg;
	printf("KEEPALIVE %u\n", path->remote_port);
}

static void on_random(void *arg, uint8_t *out, size_t n)
{
	(void)arg;
	gcry_create_nonce(out, n);
}

static void on_run(void *arg, struct ike_job *job)
{
	const struct end *const end = arg;

	ike_job_run(job);
	ike_job_done(end->world, job, now_ms());
}

static void on_get_spi(void *arg, uint64_t ticket, uint8_t protocol, const struct ike_path *path)
{
	struct end *const end = arg;

	(void)protocol;
	(void)path;
	ike_spi_done(end->world, ticket, ++end->next_spi, now_ms());
}

static enum ipsp_err on_child_add(void *arg, const struct ike_child_sa *c)
{
	(void)arg;
	printf("CHILD %08x %08x\n", c->spi_in, c->spi_out);
	return IPSP_OK;
}

static void on_child_delete(void *arg, uint8_t protocol, const struct ike_path *path, uint32_t spi_in,
			    uint32_t spi_out)
{
	(void)arg;
	(void)protocol;
	(void)path;
	printf("GONE %08x %08x\n", spi_in, spi_out);
}

static void on_child_move(void *arg, uint8_t protocol, uint32_t spi_in, const struct ike_path *to,
			  bool udp)
{
	char from[INET_ADDRSTRLEN], there[INET_ADDRSTRLEN];

	(void)arg;
	(void)protocol;
	printf("MOVED %08x %s %s%s\n", spi_in, inet_ntop(AF_INET, to->local.octets, from, sizeof(from)),
	       inet_ntop(AF_INET, to->remote.octets, there, sizeof(there)), udp ? " UDP" : "");
}

static bool on_source(void *arg, const struct ipsp_addr *remote, struct ipsp_addr *out)
{
	const struct end *const end = arg;

	(void)remote;
	*out = end->at;
	return true;
}

static void on_log(void *arg, enum ike_level level, const char *who, const char *text)
{
	(void)arg;
	(void)level;
	printf("%s: %s\n", who, text);
}

static int64_t on_wall_s(void *arg)
{
	(void)arg;
	return time(NULL);
}

/* ---- the command line ---- */

static struct ipsp_addr address(const char *text)
{
	struct ipsp_addr a = { .family = strchr(text, ':') ? 6 : 4 };

	if (inet_pton(a.family == 4 ? AF_INET : AF_INET6, text, a.octets) != 1)
		fail("an address is none");
	return a;
}

/* 2:b.example and so on: types are the numbers of RFC 7296 3.5. */
static void identity(const char *text, struct ike_identity *out)
{
	const char *const colon = strchr(text, ':');

	if (!colon || !ike_identity_make((uint8_t)atoi(text), colon + 1, out))
		fail("an identity is none");
}

static struct ipsp_span span(const char *text)
{
	return (struct ipsp_span){ (const uint8_t *)text, strlen(text) };
}

static struct ipsp_span file(const char *name)
{
	uint8_t *const octets = malloc(FILE_MAX);
	FILE *const f = fopen(name, "rb");
	size_t len;

	if (!octets || !f)
		fail(name);
	len = fread(octets, 1, FILE_MAX, f);
	fclose(f);
	return (struct ipsp_span){ octets, len };
}

static bool is(const char *argument, const char *key, const char **value)
{
	const size_t len = strlen(key);

	*value = argument + len;
	return !strncmp(argument, key, len);
}

static void take(struct end *end, const char *argument)
{
	struct ike_peer *const peer = &end->conn->peers[0];
	const char *v;

	if (is(argument, "local=", &v)) {
		end->conn->local = end->at = address(v);
	} else if (is(argument, "moves-to=", &v)) {
		end->next = address(v);
	} else if (is(argument, "remote=", &v)) {
		if (strcmp(v, "any") != 0)
			peer->address = address(v);
	} else if (is(argument, "me=", &v)) {
		identity(v, &end->conn->local_id);
	} else if (is(argument, "peer=", &v)) {
		identity(v, &peer->id);
	} else if (is(argument, "ike=", &v)) {
		if (sscanf(v, "%u:%u:%u:%u:%u", &end->encr, &end->bits, &end->integ, &end->prf,
			   &end->ke) != 5)
			fail(argument);
	} else if (is(argument, "esp=", &v)) {
		if (sscanf(v, "%u:%u:%u:%u", &end->child_encr, &end->child_bits,
			   &end->child_integ, &end->child_esn) != 4)
			fail(argument);
	} else if (is(argument, "psk=", &v)) {
		peer->secret = ike_secret_new(span(v));
	} else if (is(argument, "key=", &v)) {
		end->credential.key = strncmp(v, "pkcs11:", 7) ? file(v) : span(v);
	} else if (is(argument, "certs=", &v)) {
		end->credential.certs = file(v);
	} else if (is(argument, "cas=", &v)) {
		end->trust.cas = file(v);
	} else if (is(argument, "raw=", &v)) {
		end->trust.raw_key = file(v);
	} else if (is(argument, "ppk=", &v)) {
		peer->ppk = ike_secret_new(span(v));
		peer->ppk_required = true;
	} else if (is(argument, "ppk-id=", &v)) {
		peer->ppk_id_len = (uint8_t)strlen(v);
		memcpy(peer->ppk_id, v, strlen(v) <= IKE_PPK_ID_MAX ? strlen(v) : 0);
	} else if (!strcmp(argument, "childless")) {
		end->childless = true;
	} else if (!strcmp(argument, "revocation-required")) {
		end->trust.level = IKE_CRL_REQUIRED;
	} else if (!strcmp(argument, "pss")) {
		end->credential.pss = true;
	} else if (strcmp(argument, "initiate")) {
		fail(argument);
	}
}

static struct ike_selector side(const char *lo, const char *hi)
{
	return (struct ike_selector){ .lo = address(lo), .hi = address(hi), .port_hi = 65535 };
}

static void add(struct ike_offer *o, uint8_t type, unsigned id, unsigned bits)
{
	if (id != 0 && !ike_offer_add(o, type, (uint16_t)id, (uint16_t)bits))
		fail("a proposal has too much");
}

static void offer(const struct end *end)
{
	struct ike_conn *const c = end->conn;
	struct ike_offer *const ike = &c->offers.offers[0], *const esp = &c->child.offers.offers[0];

	c->offers.n = c->child.offers.n = 1;
	*ike = (struct ike_offer){ .number = 1, .protocol = IKE_PROTOCOL_IKE };
	add(ike, IKE_TRANSFORM_ENCR, end->encr, end->bits);
	add(ike, IKE_TRANSFORM_INTEG, end->integ, 0);
	add(ike, IKE_TRANSFORM_PRF, end->prf, 0);
	add(ike, IKE_TRANSFORM_KE, end->ke, 0);
	*esp = (struct ike_offer){ .number = 1, .protocol = IKE_PROTOCOL_ESP };
	add(esp, IKE_TRANSFORM_ENCR, end->child_encr, end->child_bits);
	add(esp, IKE_TRANSFORM_INTEG, end->child_integ, 0);
	ike_offer_add(esp, IKE_TRANSFORM_ESN, (uint16_t)end->child_esn, 0);
	c->has_child = true;
	c->child.ours.n = c->child.theirs.n = 1;
	if (end->at.family == 4) {
		c->child.ours.s[0] = side("10.1.0.0", "10.1.255.255");
		c->child.theirs.s[0] = side("10.2.0.0", "10.2.255.255");
	} else {
		c->child.ours.s[0] = side("fd00:1::", "fd00:1:ffff:ffff:ffff:ffff:ffff:ffff");
		c->child.theirs.s[0] = side("fd00:2::", "fd00:2:ffff:ffff:ffff:ffff:ffff:ffff");
	}
}

static void finish(struct end *end)
{
	struct ike_peer *const peer = &end->conn->peers[0];
	char why[IKE_WHY_TEXT];

	if (end->credential.key.len > 0) {
		peer->credentials[0] = ike_credential_new(&end->credential, why);
		if (!peer->credentials[0])
			fail(why);
		peer->n_credentials = 1;
	}
	if (end->trust.cas.len > 0 || end->trust.raw_key.len > 0) {
		peer->trust = ike_trust_new(&end->trust, why);
		if (!peer->trust)
			fail(why);
	}
}

/* ---- datagrams ---- */

static int open_socket(const struct ipsp_addr *local, uint16_t port)
{
	const int fd = socket(local->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_storage at;
	const socklen_t len = put_address(local, port, &at);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, len) < 0)
		fail("a port is not to be had");
	return fd;
}

static void receive(struct end *end, unsigned which)
{
	static uint8_t octets[FILE_MAX];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	const size_t skip = which == 1 ? 4 : 0;
	const ssize_t n = recvfrom(end->sockets[which], octets, sizeof(octets), 0,
				   (struct sockaddr *)&from, &from_len);
	struct ike_path path = { .local = end->at, .local_port = which == 1 ? 4500 : 500 };

	if (n < (ssize_t)skip || (skip && memcmp(octets, "\0\0\0\0", 4)))
		return;
	take_address(&from, &path);
	ike_receive(end->world, &path, (struct ipsp_span){ octets + skip, (size_t)n - skip }, now_ms());
}

static bool take_spi(void *arg, const struct ike_view *v)
{
	memcpy(arg, v->spi_i, IKE_SPI_LEN);
	return false;
}

/* False: there is no IKE SA. */
static bool first_spi(const struct end *end, uint8_t spi[IKE_SPI_LEN])
{
	memset(spi, 0, IKE_SPI_LEN);
	ike_world_each(end->world, take_spi, spi);
	return memcmp(spi, "\0\0\0\0\0\0\0\0", IKE_SPI_LEN);
}

/* Its other address, as if a route led there now. */
static void move(struct end *end)
{
	moves = 0;
	end->at = end->next;
	for (unsigned i = 0; i < N_SOCKETS; i++) {
		close(end->sockets[i]);
		end->sockets[i] = open_socket(&end->at, i == 1 ? 4500 : 500);
	}
	ike_paths_changed(end->world, now_ms());
}

/* Until it is told to end, then until the others know. */
static void serve(struct end *end)
{
	uint8_t spi[IKE_SPI_LEN];
	bool told = false;

	while (!ended || first_spi(end, spi)) {
		struct pollfd fds[N_SOCKETS];
		const uint64_t due = ike_tick(end->world, now_ms()), now = now_ms();

		if (moves)
			move(end);
		if (ended && !told)
			told = ike_terminate(end->world, spi, now);
		fflush(stdout);
		for (unsigned i = 0; i < N_SOCKETS; i++)
			fds[i] = (struct pollfd){ .fd = end->sockets[i], .events = POLLIN };
		if (poll(fds, N_SOCKETS, due > now + 1000 ? 1000 : due > now ? (int)(due - now) : 0) <= 0)
			continue;
		for (unsigned i = 0; i < N_SOCKETS; i++) {
			if (fds[i].revents)
				receive(end, i);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct ike_ops ops = { .send = on_send, .keepalive = on_keepalive,
					    .random = on_random, .run = on_run, .get_spi = on_get_spi,
					    .child_add = on_child_add,
					    .child_delete = on_child_delete,
					    .child_move = on_child_move, .source = on_source, .log = on_log,
					    .wall_s = on_wall_s };
	struct end end = { .conn = ike_conn_new(), .encr = IKE_ENCR_AES_GCM_16, .bits = 128, .prf = IKE_PRF_HMAC_SHA2_256, .ke = IKE_KE_CURVE25519,
			   .child_encr = IKE_ENCR_AES_GCM_16, .child_bits = 128 };
	struct ike_path path = { .local_port = 500, .remote_port = 500 };

	if (!end.conn || ipsp_crypto_gcrypt_init(1 << 20) != IPSP_OK)
		fail("no memory");
	/* The peer may still know those of an earlier process. */
	gcry_create_nonce(&end.next_spi, sizeof(end.next_spi));
	end.next_spi |= 0x80000000;
	end.conn->n_peers = 1;
	for (int i = 1; i < argc; i++)
		take(&end, argv[i]);
	offer(&end);
	end.conn->has_child = !end.childless;
	if (end.next.family)
		end.conn->local.family = 0;
	finish(&end);
	signal(SIGTERM, on_signal);
	signal(SIGUSR1, on_signal);
	end.sockets[0] = open_socket(&end.at, 500);
	end.sockets[1] = open_socket(&end.at, 4500);
	end.world = ike_world_new(&ops, &end, ipsp_crypto_gcrypt());
	if (!end.world || ike_world_configure(end.world, &end.conn, 1) != IPSP_OK)
		fail("no memory");
	path.local = end.at;
	path.remote = end.conn->peers[0].address;
	printf("READY\n");
	if (argc > 1 && !strcmp(argv[1], "initiate") &&
	    ike_initiate(end.world, end.conn, 0, &path, now_ms()) != IPSP_OK)
		fail("it does not begin");
	serve(&end);
	ike_world_free(end.world);
	ike_conn_unref(end.conn);
	return 0;
}
