/*
 * engine/io/tun.c - the attachment `tun`: the inside by a TUN, the outside by raw sockets
 * and UDP.
 *
 * It must not decide what may pass: verdicts are the engine's, and a packet without one is dropped.
 */
#include "config.h"
#include "engine/io/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/header.h"
#include "engine/io/cut.h"
#include "engine/io/egress.h"
#include "engine/io/fast.h"
#include "engine/io/merge.h"
#include "engine/io/outer.h"
#include "engine/io/udp.h"
#include "engine/io/vnet.h"
#include "engine/segment.h"

/* Octets of a turn: more would be cold in the cache when their turn comes. */
#define TURN_OCTETS (192u << 10)
#define SEGMENT_ROOM 16384u	/* a packet cut from a large segment that is bypassed */

enum source_kind { SOURCE_TUN, SOURCE_RAW, SOURCE_UDP };

struct tun {
	struct io_attachment base;	/* first: they are one address */
	struct tun_config config;
	struct egress *egress;
	struct udp_socket *udp[2];	/* by family; NULL: none */
	struct fast *fast;		/* NULL: none */
	struct merger merger;
	size_t n_sources;
	struct {
		int fd;
		enum source_kind kind;
		enum outer_family family;
		uint8_t proto;			/* of a raw socket */
	} source[IO_SOURCES_MAX];
	/* what write_outside has for the raw sockets, by family */
	struct outer_send send[2][IO_BATCH];
	size_t n_send[2];
	uint8_t segment[SEGMENT_ROOM];
};

static struct tun *tun_of(struct io_attachment *a)
{
	return (struct tun *)a;
}

static size_t tun_sources(const struct io_attachment *a, struct io_source out[IO_SOURCES_MAX])
{
	const struct tun *t = (const struct tun *)a;

	for (size_t i = 0; i < t->n_sources; i++) {
		out[i] = (struct io_source){
			.fd = t->source[i].fd,
			.dir = t->source[i].kind == SOURCE_TUN ? IPSP_OUTBOUND : IPSP_INBOUND,
		};
	}
	return t->n_sources;
}

/** Source and destination of a packet whose header is all there. */
static bool packet_addrs(const struct ipsp_packet *p, struct ipsp_addr *src, struct ipsp_addr *dst)
{
	const int family = outer_family_of(p->data, p->len);
	const size_t at = family == OUTER_IPV4 ? 12 : 8;

	if (family < 0)
		return false;
	*src = (struct ipsp_addr) { .family = family == OUTER_IPV4 ? 4 : 6 };
	*dst = *src;
	const size_t size = ipsp_addr_size(src->family);

	memcpy(src->octets, p->data + at, size);
	memcpy(dst->octets, p->data + at + size, size);
	return true;
}

/** The interface a clear packet would leave by. @return false: none, so it is dropped here */
static bool place(struct tun *t, struct ipsp_packet *p)
{
	struct ipsp_addr src, dst;
	struct egress_route route;

	if (!packet_addrs(p, &src, &dst)) {
		io_count(&t->base.stats.drops[IO_REASON_READ_CUT], 1);
		return false;
	}
	/* The unspecified address as source (RFC 4861 4.3, DHCP) asks routing nothing. */
	static const uint8_t zero[16];

	if (memcmp(src.octets, zero, ipsp_addr_size(src.family)) == 0)
		src.family = 0;
	if (egress_lookup(t->egress, &src, &dst, &route) != 0) {
		io_count(&t->base.stats.drops[IO_REASON_NO_ROUTE], 1);
		return false;
	}
	p->ifindex = route.ifindex;
	p->link_mtu = route.mtu;
	return true;
}

/** One packet with what the kernel says of it. @return false: there is none; len 0: not a good one */
static bool read_one(struct tun *t, struct ipsp_packet *p)
{
	uint8_t *const data = p->room + IPSP_HEADROOM;
	struct virtio_net_hdr vnet = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	const struct iovec iov[] = { { &vnet, sizeof(vnet) }, { data, IO_PACKET_MAX } };
	const ssize_t before = t->config.offload ? (ssize_t)sizeof(vnet) : 0;
	const ssize_t got = before ? readv(t->config.tun_fd, iov, 2) :
				     read(t->config.tun_fd, data, IO_PACKET_MAX);

	if (got <= 0)
		return false;
	io_count(&t->base.stats.packets_in[IPSP_OUTBOUND - 1], 1);
	*p = (struct ipsp_packet) {
		.room = p->room, .room_len = p->room_len,
		.data = data, .len = got > before ? (uint32_t)(got - before) : 0,
	};
	if (p->len == 0) {
		io_count(&t->base.stats.drops[IO_REASON_READ_CUT], 1);
	} else if (!vnet_read(&vnet, p)) {
		io_count(&t->base.stats.drops[IO_REASON_OFFLOAD], 1);
		p->len = 0;
	}
	return true;
}

static size_t read_inside(struct tun *t, struct ipsp_packet *packets, size_t n)
{
	size_t good = 0, octets = 0;

	/* Judged by the routing of now, not of the last turn. */
	egress_refresh(t->egress);
	for (size_t turn = 0; turn < n && octets < TURN_OCTETS; turn++) {
		struct ipsp_packet *const p = &packets[good];

		if (!read_one(t, p))
			break;
		octets += p->len;
		if (p->len && place(t, p))
			good++;
	}
	return good;
}

static size_t tun_read(struct io_attachment *a, size_t source, struct ipsp_packet *packets,
		       size_t n)
{
	struct tun *t = tun_of(a);

	switch (t->source[source].kind) {
	case SOURCE_TUN:
		return read_inside(t, packets, n);
	case SOURCE_UDP:
		return udp_read(t->udp[t->source[source].family], packets, n, &a->stats);
	default:
		return outer_read(t->source[source].fd, t->source[source].family,
				  t->source[source].proto, packets, n, &a->stats);
	}
}

static bool tun_has_more(const struct io_attachment *a, size_t source)
{
	const struct tun *const t = (const struct tun *)a;

	return t->source[source].kind == SOURCE_UDP &&
	       udp_has_more(t->udp[t->source[source].family]);
}

static void flush_raw(struct tun *t, enum outer_family family)
{
	const size_t n = t->n_send[family];
	size_t sent;

	if (n == 0)
		return;
	if (!t->fast || !fast_send(t->fast, family, t->send[family], n, &t->base.stats, &sent))
		sent = outer_write(t->config.raw_out_fd[family], family, t->send[family], n,
				   &t->base.stats);
	io_count(&t->base.stats.packets_out[IPSP_OUTBOUND - 1], sent);
	t->n_send[family] = 0;
}

/** ifindex 0: by any interface */
static void send_raw(struct tun *t, uint8_t *data, uint32_t len, uint32_t ifindex)
{
	const int family = outer_family_of(data, len);

	if (family < 0 || t->config.raw_out_fd[family] < 0) {
		io_count(&t->base.stats.drops[IO_REASON_SEND], 1);
		return;
	}
	t->send[family][t->n_send[family]++] = (struct outer_send) {
		.data = data, .len = len, .ifindex = ifindex,
	};
	if (t->n_send[family] == IO_BATCH)
		flush_raw(t, (enum outer_family)family);
}

/** One that is cut: the fragments go one after the other, as there is room for one. */
struct cutting {
	struct tun *tun;
	uint32_t ifindex;
};

static void send_fragment(void *arg, uint8_t *fragment, uint32_t len)
{
	const struct cutting *c = arg;

	send_raw(c->tun, fragment, len, c->ifindex);
	flush_raw(c->tun, OUTER_IPV4);
	flush_raw(c->tun, OUTER_IPV6);
}

/** As it is, or cut if its path wants that. ifindex 0: by any interface */
static void send_fitting(struct tun *t, uint8_t *data, uint32_t len, uint32_t path_mtu,
			 uint32_t ifindex)
{
	struct cutting cutting = { t, ifindex };

	if (path_mtu == 0 || len <= path_mtu)
		send_raw(t, data, len, ifindex);
	else if (!io_cut(data, len, path_mtu, t->segment, sizeof(t->segment), send_fragment,
			 &cutting))
		io_count(&t->base.stats.drops[IO_REASON_PATH_TOO_BIG], 1);
}

/** ESP packets may go to their peer by any interface. */
static void send_esp(struct tun *t, const struct ipsp_packet *p)
{
	for (uint32_t at = 0; at < p->len;) {
		const uint32_t left = p->len - at;
		const uint32_t len = p->pieces > 1 && p->piece_len < left ? p->piece_len : left;
		const int family = outer_family_of(p->data + at, len);

		if (family < 0 || !t->udp[family] || (p->path_mtu > 0 && len > p->path_mtu) ||
		    !udp_add(t->udp[family], p->data + at, len, &t->base.stats))
			send_fitting(t, p->data + at, len, p->path_mtu, 0);
		at += len;
	}
}

/** A large segment in clear: cut here, one packet after the other. */
static void send_segments(struct tun *t, const struct ipsp_packet *p)
{
	struct ipsp_segmenter s;
	struct ipsp_flow flow;
	uint32_t len;

	if (ipsp_flow_parse((struct ipsp_span){ p->data, p->len }, &flow) != IPSP_REASON_NONE ||
	    !ipsp_segment_begin(&s, flow.proto == IPPROTO_TCP ? IPSP_SEGMENT_TCP : IPSP_SEGMENT_UDP,
				p->data, flow.total_len, flow.l4_offset, p->segment_size)) {
		io_count(&t->base.stats.drops[IO_REASON_OFFLOAD], 1);
		return;
	}
	while ((len = ipsp_segment_next(&s, t->segment, sizeof(t->segment))) > 0) {
		send_raw(t, t->segment, len, p->ifindex);
		flush_raw(t, OUTER_IPV4);
		flush_raw(t, OUTER_IPV6);
	}
}

/** A clear packet leaves by the interface whose policy let it pass, or not at all. */
static void send_clear(struct tun *t, const struct ipsp_packet *p)
{
	if (p->segment_size > 0)
		send_segments(t, p);
	else if ((p->flags & IPSP_PKT_CSUM_PARTIAL) &&
		 !ipsp_checksum_finish(p->data, p->len, p->csum_start, p->csum_offset))
		io_count(&t->base.stats.drops[IO_REASON_OFFLOAD], 1);
	else
		send_fitting(t, p->data, p->len, p->path_mtu, p->ifindex);
}

/** Into the TUN: iov[0] is the header of virtio, which a TUN without offload does not have. */
static void write_tun(void *ctx, const struct iovec *iov, size_t n, size_t packets)
{
	struct tun *const t = ctx;
	const size_t skip = t->config.offload ? 0 : 1;
	ssize_t done;

	do
		done = writev(t->config.tun_fd, iov + skip, (int)(n - skip));
	while (done < 0 && errno == EINTR);
	if (done >= 0)
		io_count(&t->base.stats.packets_out[IPSP_INBOUND - 1], packets);
	else
		io_count(&t->base.stats.drops[IO_REASON_TUN], packets);
}

/** One packet, as it is. */
static void write_one(struct tun *t, const struct ipsp_packet *p)
{
	struct virtio_net_hdr plain = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	const struct iovec one[] = { { &plain, sizeof(plain) }, { p->data, p->len } };

	write_tun(t, one, 2, 1);
}

static void write_outside(struct tun *t, const struct ipsp_packet *packets, size_t n)
{
	if (t->fast)
		fast_turn(t->fast);
	for (size_t i = 0; i < n; i++) {
		if (packets[i].verdict == IPSP_VERDICT_ESP_OUT)
			send_esp(t, &packets[i]);
		else if (packets[i].verdict == IPSP_VERDICT_BYPASS)
			send_clear(t, &packets[i]);
		else if (packets[i].verdict == IPSP_VERDICT_ERROR)
			write_one(t, &packets[i]);	/* back where the packet came from */
	}
	for (int family = OUTER_IPV4; family <= OUTER_IPV6; family++) {
		flush_raw(t, (enum outer_family)family);
		if (t->udp[family])
			io_count(&t->base.stats.packets_out[IPSP_OUTBOUND - 1],
				 udp_flush(t->udp[family], &t->base.stats));
	}
}

static void write_inside(struct tun *t, const struct ipsp_packet *packets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct ipsp_packet *const p = &packets[i];

		/* A clear packet for BYPASS has reached its receiver by the kernel already. */
		if (p->verdict != IPSP_VERDICT_DELIVER)
			continue;
		if (t->config.offload)
			merge_add(&t->merger, p->data, p->len);
		else
			write_one(t, p);
	}
	merge_flush(&t->merger);
}

static void tun_write(struct io_attachment *a, enum ipsp_dir dir, struct ipsp_packet *packets,
		      size_t n)
{
	if (dir == IPSP_OUTBOUND)
		write_outside(tun_of(a), packets, n);
	else
		write_inside(tun_of(a), packets, n);
}

static enum ipsp_err tun_local_addr(struct io_attachment *a, const struct ipsp_addr *remote,
				    struct ipsp_addr *local)
{
	static const struct ipsp_addr none;
	struct egress_route route;

	if (egress_lookup(tun_of(a)->egress, &none, remote, &route) != 0 || !route.source.family)
		return IPSP_ENOENT;
	*local = route.source;
	return IPSP_OK;
}

static void tun_keepalive(struct io_attachment *a, const struct ipsp_flow *datagram)
{
	const int fd = tun_of(a)->config.udp_fd[datagram->dst.family == 4 ? OUTER_IPV4 : OUTER_IPV6];

	if (fd >= 0)
		udp_keepalive(fd, 0, datagram);
}

static uint32_t tun_path_mtu(struct io_attachment *a, const struct ipsp_addr *dst)
{
	static const struct ipsp_addr none;
	struct egress_route route;

	return egress_lookup(tun_of(a)->egress, &none, dst, &route) == 0 ? route.mtu : 0;
}

static int tun_changes_fd(const struct io_attachment *a)
{
	return egress_fd(((const struct tun *)a)->egress);
}

static bool tun_changed(struct io_attachment *a)
{
	egress_refresh(tun_of(a)->egress);
	return true;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void tun_free(struct io_attachment *a)
{
	struct tun *t = tun_of(a);

	fast_free(t->fast);
	close_fd(t->config.tun_fd);
	close_fd(t->config.fast_fd);
	for (int family = OUTER_IPV4; family <= OUTER_IPV6; family++) {
		close_fd(t->config.esp_in_fd[family]);
		close_fd(t->config.ah_in_fd[family]);
		close_fd(t->config.raw_out_fd[family]);
		close_fd(t->config.udp_fd[family]);
		udp_socket_free(t->udp[family]);
	}
	egress_free(t->egress);
	free(t);
}

static const struct io_attachment_ops tun_ops = {
	.name = "tun",
	.sources = tun_sources,
	.read = tun_read,
	.has_more = tun_has_more,
	.keepalive = tun_keepalive,
	.write = tun_write,
	.local_addr = tun_local_addr,
	.path_mtu = tun_path_mtu,
	.changes_fd = tun_changes_fd,
	.changed = tun_changed,
	.free = tun_free,
};

static int set_nonblocking(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static void add_source(struct tun *t, int fd, enum source_kind kind, enum outer_family family)
{
	t->source[t->n_sources].fd = fd;
	t->source[t->n_sources].kind = kind;
	t->source[t->n_sources++].family = family;
}

/** A raw socket that packets come by. fd -1: there is none. */
static int add_raw(struct tun *t, int fd, enum outer_family family, uint8_t proto)
{
	if (fd < 0)
		return 0;
	t->source[t->n_sources].proto = proto;
	add_source(t, fd, SOURCE_RAW, family);
	return outer_in_init(fd, family, proto);
}

/** What is there of one family outside. */
static int attach_outside(struct tun *t, const struct tun_config *c, enum outer_family family)
{
	int err = 0;

	if (c->raw_out_fd[family] >= 0)
		err = outer_out_init(c->raw_out_fd[family], family);
	if (!err)
		err = add_raw(t, c->esp_in_fd[family], family, IPPROTO_ESP);
	if (!err)
		err = add_raw(t, c->ah_in_fd[family], family, IPPROTO_AH);
	if (!err && c->udp_fd[family] >= 0) {
		add_source(t, c->udp_fd[family], SOURCE_UDP, family);
		err = udp_socket_new(c->udp_fd[family], c->raw_out_fd[family], family, 0,
				     &t->udp[family]);
	}
	return err;
}

int tun_attach(const struct tun_config *config, struct io_attachment **out)
{
	struct tun *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->base.ops = &tun_ops;
	t->config = *config;
	merge_init(&t->merger, config->offload_udp, write_tun, t);
	add_source(t, config->tun_fd, SOURCE_TUN, OUTER_IPV4);
	err = set_nonblocking(config->tun_fd);
	for (int family = OUTER_IPV4; family <= OUTER_IPV6 && !err; family++)
		err = attach_outside(t, config, (enum outer_family)family);
	if (!err)
		err = egress_new(config->mark, config->tun_ifindex, &t->egress);
	if (!err && config->fast_fd >= 0)
		err = fast_new(config->fast_fd, config->ring, config->mark, t->egress, &t->fast);
	if (err) {
		egress_free(t->egress);
		udp_socket_free(t->udp[OUTER_IPV4]);
		udp_socket_free(t->udp[OUTER_IPV6]);
		free(t);
		return err;
	}
	*out = &t->base;
	return 0;
}
