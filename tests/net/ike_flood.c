/*
 * tests/net/ike_flood.c - who asks for IKE SAs that it does not want: requests of IKE_SA_INIT, each whole and good, each
 * from another address, which is not ours.
 *
 *	ike_flood TO PER-SECOND		until it is told to end; then it says how many went
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>
#include <sys/socket.h>
#include <time.h>

#include "ike/build.h"
#include "ike/message.h"
#include "ike/proposal.h"

#define TRAIN 64u	/* datagrams a call */
#define HEADERS (sizeof(struct ip) + sizeof(struct udphdr))
#define NONCE_LEN 32u
#define CURVE25519_LEN 32u

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	ended = number;
}

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A request without an SPI. @return its length */
static size_t make_request(uint8_t *out, size_t size)
{
	static const uint8_t ke[4 + CURVE25519_LEN] = { 0, IKE_KE_CURVE25519, 0, 0, 9 };
	static const uint8_t nonce[NONCE_LEN] = { 1 };
	struct ike_header_fields h = { .exchange = IKE_EXCHANGE_IKE_SA_INIT,
				       .flags = IKE_FLAG_INITIATOR };
	struct ike_offers offers = { .n = 1 };
	struct ike_offer *const o = &offers.offers[0];
	struct ipsp_span chain;
	struct ike_builder b;

	*o = (struct ike_offer){ .number = 1, .protocol = IKE_PROTOCOL_IKE };
	ike_offer_add(o, IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 128);
	ike_offer_add(o, IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256, 0);
	ike_offer_add(o, IKE_TRANSFORM_KE, IKE_KE_CURVE25519, 0);
	ike_build_begin(&b, out + IKE_HEADER_LEN, size - IKE_HEADER_LEN);
	ike_offers_write(&offers, &b);
	ike_build_payload(&b, IKE_PAYLOAD_KE);
	ike_build_octets(&b, (struct ipsp_span){ ke, sizeof(ke) });
	ike_build_payload(&b, IKE_PAYLOAD_Nonce);
	ike_build_octets(&b, (struct ipsp_span){ nonce, sizeof(nonce) });
	if (!ike_build_end(&b, &chain))
		fail("request");
	ike_header_write(&h, b.first, IKE_HEADER_LEN + chain.len, out);
	return IKE_HEADER_LEN + chain.len;
}

/* One of a train: another address and SPI with each number. */
static void number_it(uint8_t *packet, uint32_t n)
{
	uint8_t *const request = packet + HEADERS;

	be32enc(packet + offsetof(struct ip, ip_src), UINT32_C(0x0b000000) + n % (1u << 24));
	be32enc(request, n);
	be32enc(request + 4, n ^ UINT32_MAX);
}

static void make_headers(uint8_t *packet, const struct in_addr *to, size_t len)
{
	const struct ip ip = { .ip_v = 4, .ip_hl = sizeof(ip) / 4, .ip_ttl = 64, .ip_p = IPPROTO_UDP,
			       .ip_len = htons((uint16_t)(HEADERS + len)), .ip_dst = *to };
	const struct udphdr udp = { .uh_sport = htons(500), .uh_dport = htons(500),
				    .uh_ulen = htons((uint16_t)(sizeof(udp) + len)) };

	memcpy(packet, &ip, sizeof(ip));
	memcpy(packet + sizeof(ip), &udp, sizeof(udp));	/* no checksum: RFC 768 */
}

int main(int argc, char **argv)
{
	static uint8_t packets[TRAIN][512];
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct mmsghdr train[TRAIN];
	struct iovec iov[TRAIN];
	const int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	uint32_t sent = 0;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || fd < 0)
		fail("ike_flood TO PER-SECOND");
	for (unsigned i = 0; i < TRAIN; i++) {
		const size_t len = make_request(packets[i] + HEADERS, sizeof(packets[i]) - HEADERS);

		make_headers(packets[i], &to.sin_addr, len);
		iov[i] = (struct iovec){ packets[i], HEADERS + len };
		train[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1,
							  .msg_name = &to,
							  .msg_namelen = sizeof(to) } };
	}
	signal(SIGTERM, on_signal);
	const double per_s = atof(argv[2]), began_s = now_s();

	while (!ended) {
		const double ahead_s = sent / per_s - (now_s() - began_s);
		const struct timespec wait = { .tv_nsec = (long)(ahead_s * 1e9) };

		if (ahead_s > 0)
			nanosleep(&wait, NULL);
		for (unsigned i = 0; i < TRAIN; i++)
			number_it(packets[i], sent + i);
		const int n = sendmmsg(fd, train, TRAIN, 0);

		if (n < 0)
			fail("sendmmsg");
		sent += (uint32_t)n;
	}
	printf("%u sent, %.0f a second\n", sent, sent / (now_s() - began_s));
	return 0;
}
