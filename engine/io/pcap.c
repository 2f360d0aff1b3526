/*
 * engine/io/pcap.c - the attachment `pcap`: frames of two interfaces, raw sockets and UDP for tunnels.
 *
 * It must not decide what may pass: verdicts are the engine's, and a packet without one is dropped.
 * Fails closed by its nature: when this process is gone, nothing joins the two interfaces.
 */
#include "config.h"
#include "engine/io/pcap.h"

#include <errno.h>
#include <netinet/in.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/header.h"
#include "engine/io/cut.h"
#include "engine/io/egress.h"
#include "engine/io/frame.h"
#include "engine/io/outer.h"
#include "engine/io/udp.h"
#include "engine/segment.h"
#include "engine/sum.h"

#define ARP_LEN 28u
#define SCTP_CHECKSUM_OFFSET 8u
#define ETHERNET_MTU 1500u	/* until the interface says otherwise */

/** How a packet came, until it is written; its mark is its place in the table, from 1. */
struct passage {
	uint8_t head[FRAME_HEADER];
};

struct side {
	struct frame_reader *reader;
	struct ipsp_segmenter large;		/* what is left of a large segment */
	uint8_t large_head[FRAME_HEADER];
	bool is_cutting;
	uint32_t mtu;
};

struct wire {
	struct io_attachment base;	/* first: they are one address */
	struct pcap_config config;
	struct egress *egress;
	struct udp_socket *udp[2];	/* by family; NULL: none */
	struct side side[2];
	struct passage passages[IO_BATCH];
	uint8_t fragment[IO_PACKET_MAX];
	size_t n_sources;
	struct {
		int fd;
		int family;		/* enum outer_family; -1: frames */
		uint8_t proto;		/* of a raw socket; IPPROTO_UDP: of w->udp */
		enum pcap_side side;
	} source[IO_SOURCES_MAX];
};

static struct wire *wire_of(struct io_attachment *a)
{
	return (struct wire *)a;
}

static enum pcap_side other(enum pcap_side side)
{
	return side == PCAP_RED ? PCAP_BLACK : PCAP_RED;
}

static size_t wire_sources(const struct io_attachment *a, struct io_source out[IO_SOURCES_MAX])
{
	const struct wire *w = (const struct wire *)a;

	for (size_t i = 0; i < w->n_sources; i++) {
		const bool is_red = w->source[i].side == PCAP_RED;

		out[i] = (struct io_source) {
			.fd = w->source[i].fd, .dir = is_red ? IPSP_OUTBOUND : IPSP_INBOUND,
			.inside_ifindex = w->config.ifindex[PCAP_RED],
		};
	}
	return w->n_sources;
}

/* ---- reading ---- */

/** ARP for IPv4 on Ethernet (RFC 826), and of it no octet more than it has. */
static void cross_arp(struct wire *w, enum pcap_side from, const struct frame *f)
{
	static const uint8_t begin[] = { 0, 1, 8, 0, 6, 4, 0 };
	struct frame_send out = { .head = f->head, .data = f->data, .len = ARP_LEN };

	if (f->len < ARP_LEN || memcmp(f->data, begin, sizeof(begin)) != 0)
		io_count(&w->base.stats.drops[IO_REASON_NOT_IP], 1);
	else
		(void)frame_write(w->config.frames_fd[other(from)], &out, 1, &w->base.stats);
}

/** What is known of a packet that stands in its room. */
static void describe(struct wire *w, enum pcap_side from, const uint8_t *head, uint32_t len,
		     size_t i, struct ipsp_packet *p)
{
	struct passage *const way = &w->passages[i];
	uint8_t *const data = p->room + IPSP_HEADROOM;

	*p = (struct ipsp_packet) {
		.room = p->room, .room_len = p->room_len, .data = data, .len = len,
		.ifindex = w->config.ifindex[PCAP_BLACK], .mark = (uint32_t)i + 1,
		.flags = IPSP_PKT_PASSING,
	};
	if (from == PCAP_RED)
		p->link_mtu = w->side[PCAP_BLACK].mtu;
	memcpy(way->head, head, FRAME_HEADER);
}

static bool next_segment(struct wire *w, enum pcap_side from, size_t i, struct ipsp_packet *p)
{
	struct side *const s = &w->side[from];
	const uint32_t len = ipsp_segment_next(&s->large, p->room + IPSP_HEADROOM, IO_PACKET_MAX);

	s->is_cutting = len > 0;
	if (len > 0)
		describe(w, from, s->large_head, len, i, p);
	return len > 0;
}

/** What the sender left to its device is done here. @return false: not to be understood */
static bool finish_checksum(struct frame *f)
{
	if (!f->csum_partial)
		return true;
	/* SCTP's is another one, at an offset that no other protocol has. */
	return f->csum_offset != SCTP_CHECKSUM_OFFSET &&
	       ipsp_checksum_finish(f->data, f->len, f->csum_start, f->csum_offset);
}

/**
 * RFC 1122 3.2.1.2: a header that was damaged on the way is nobody's. What is no header at all the
 * engine finds out.
 */
static bool header_sum_right(const struct frame *f)
{
	const uint32_t len = f->len ? (f->data[0] & 15u) * 4 : 0;

	return f->type != FRAME_IPV4 || len < 20 || len > f->len ||
	       ipsp_sum(f->data, len) == 0xffff;
}

/** @return true: p is a packet; false: what the frame held is dealt with otherwise */
static bool take_frame(struct wire *w, enum pcap_side from, struct frame *f, size_t i,
		       struct ipsp_packet *p)
{
	struct side *const s = &w->side[from];

	if (f->ours)
		return false;
	if (f->type == FRAME_ARP && !f->tagged) {
		cross_arp(w, from, f);
		return false;
	}
	if (f->tagged || (f->type != FRAME_IPV4 && f->type != FRAME_IPV6) ||
	    f->len > IO_PACKET_MAX) {
		io_count(&w->base.stats.drops[IO_REASON_NOT_IP], 1);
		return false;
	}
	io_count(&w->base.stats.packets_in[(from == PCAP_RED ? IPSP_OUTBOUND : IPSP_INBOUND) - 1],
		 1);
	if (!header_sum_right(f)) {
		io_count(&w->base.stats.drops[IO_REASON_IP_CHECKSUM], 1);
		return false;
	}
	if (f->segment == IPSP_SEGMENT_NONE && finish_checksum(f)) {
		memcpy(p->room + IPSP_HEADROOM, f->data, f->len);
		describe(w, from, f->head, f->len, i, p);
		return true;
	}
	if (f->segment != IPSP_SEGMENT_NONE && f->csum_partial &&
	    ipsp_segment_begin(&s->large, f->segment, f->data, f->len, f->csum_start,
			       f->segment_size)) {
		memcpy(s->large_head, f->head, FRAME_HEADER);
		return next_segment(w, from, i, p);
	}
	io_count(&w->base.stats.drops[IO_REASON_OFFLOAD], 1);
	return false;
}

static size_t read_frames(struct wire *w, enum pcap_side from, struct ipsp_packet *packets,
			  size_t n)
{
	struct side *const s = &w->side[from];
	struct frame f;
	size_t good = 0;

	/* The frame that is being cut stays where it is until the next one is read. */
	while (good < n) {
		if (s->is_cutting)
			good += next_segment(w, from, good, &packets[good]);
		else if (!frame_read(s->reader, w->config.frames_fd[from], &w->base.stats, &f))
			break;
		else
			good += take_frame(w, from, &f, good, &packets[good]);
	}
	return good;
}

static size_t wire_read(struct io_attachment *a, size_t source, struct ipsp_packet *packets,
			size_t n)
{
	struct wire *w = wire_of(a);
	const int family = w->source[source].family;
	const uint8_t proto = w->source[source].proto;

	if (n > IO_BATCH)
		n = IO_BATCH;
	if (family < 0)
		return read_frames(w, w->source[source].side, packets, n);
	return proto == IPPROTO_UDP ? udp_read(w->udp[family], packets, n, &a->stats) :
				      outer_read(w->source[source].fd, (enum outer_family)family,
						 proto, packets, n, &a->stats);
}

/* ---- writing ---- */

/** What leaves by one side in one go; a packet belongs to one of its three parts, or to a UDP socket. */
struct outbox {
	struct wire *wire;
	enum pcap_side to;
	struct frame_send frames[IO_BATCH];
	size_t n_frames;
	struct outer_send raw[2][IO_BATCH];
	size_t n_raw[2];
};

static void flush(struct outbox *o)
{
	struct wire *const w = o->wire;
	size_t sent = 0;

	if (o->n_frames)
		sent += frame_write(w->config.frames_fd[o->to], o->frames, o->n_frames,
				    &w->base.stats);
	for (int family = OUTER_IPV4; family <= OUTER_IPV6; family++) {
		if (o->n_raw[family])
			sent += outer_write(w->config.raw_out_fd[family], (enum outer_family)family,
					    o->raw[family], o->n_raw[family], &w->base.stats);
		o->n_raw[family] = 0;
		if (w->udp[family])
			sent += udp_flush(w->udp[family], &w->base.stats);
	}
	o->n_frames = 0;
	io_count(&w->base.stats.packets_out[(o->to == PCAP_BLACK ? IPSP_OUTBOUND : IPSP_INBOUND) -
					    1], sent);
}

/** @param way  the frame it goes in; NULL: by raw socket */
static void put(struct outbox *o, struct passage *way, uint8_t *data, uint32_t len)
{
	struct wire *const w = o->wire;
	const int family = outer_family_of(data, len);

	if (family < 0 || (!way && w->config.raw_out_fd[family] < 0)) {
		io_count(&w->base.stats.drops[IO_REASON_SEND], 1);
		return;
	}
	if (!way) {
		o->raw[family][o->n_raw[family]++] = (struct outer_send) {
			.data = data, .len = len, .ifindex = w->config.ifindex[o->to],
		};
		return;
	}
	way->head[12] = family == OUTER_IPV4 ? FRAME_IPV4 >> 8 : FRAME_IPV6 >> 8;
	way->head[13] = family == OUTER_IPV4 ? FRAME_IPV4 & 0xff : FRAME_IPV6 & 0xff;
	o->frames[o->n_frames++] = (struct frame_send) { way->head, data, len };
}

/** An error about a packet, in a frame that goes back as the packet came. */
static void put_error(struct wire *w, const struct passage *way, const struct ipsp_packet *p)
{
	uint8_t head[FRAME_HEADER];
	const struct frame_send back = { head, p->data, p->len };

	memcpy(head, way->head + 6, 6);
	memcpy(head + 6, way->head, 6);
	memcpy(head + 12, way->head + 12, 2);
	(void)frame_write(w->config.frames_fd[PCAP_RED], &back, 1, &w->base.stats);
}

/** How the fragments of a packet leave. */
struct cutting {
	struct outbox *box;
	struct passage *frame;
};

static void put_fragment(void *arg, uint8_t *fragment, uint32_t len)
{
	const struct cutting *c = arg;

	put(c->box, c->frame, fragment, len);
	flush(c->box);
}

/** What is longer than its path the engine has judged: it may be cut. */
static void put_cut(struct outbox *o, struct passage *frame, const struct ipsp_packet *p)
{
	struct wire *const w = o->wire;
	struct cutting cutting = { o, frame };

	flush(o);
	if (!io_cut(p->data, p->len, p->path_mtu, w->fragment, sizeof(w->fragment), put_fragment,
		    &cutting))
		io_count(&w->base.stats.drops[IO_REASON_PATH_TOO_BIG], 1);
}

/** ESP in UDP from the socket's port. @return false: it is no such packet */
static bool put_udp(struct outbox *o, const struct ipsp_packet *p)
{
	struct wire *const w = o->wire;
	const int family = outer_family_of(p->data, p->len);

	return family >= 0 && w->udp[family] &&
	       udp_add(w->udp[family], p->data, p->len, &w->base.stats);
}

static void write_one(struct outbox *o, const struct ipsp_packet *p)
{
	struct wire *const w = o->wire;
	struct passage *const way = p->mark ? &w->passages[p->mark - 1] : NULL;
	const bool is_tunnel = p->verdict == IPSP_VERDICT_ESP_OUT &&
			       p->sa->mode == IPSP_MODE_TUNNEL;
	struct passage *const frame = is_tunnel ? NULL : way;

	if (o->to == PCAP_BLACK && p->path_mtu > 0 && p->len > p->path_mtu)
		put_cut(o, frame, p);
	else if (!is_tunnel || !put_udp(o, p))
		put(o, frame, p->data, p->len);
}

static void wire_write(struct io_attachment *a, enum ipsp_dir dir, struct ipsp_packet *packets,
		       size_t n)
{
	struct outbox o = {
		.wire = wire_of(a), .to = dir == IPSP_OUTBOUND ? PCAP_BLACK : PCAP_RED,
	};
	const enum ipsp_verdict protect = dir == IPSP_OUTBOUND ? IPSP_VERDICT_ESP_OUT :
								 IPSP_VERDICT_DELIVER;

	for (size_t i = 0; i < n && i < IO_BATCH; i++) {
		const struct ipsp_packet *const p = &packets[i];

		/* A clear packet to ourselves that raw sockets have read is the kernel's matter. */
		if (p->verdict == IPSP_VERDICT_ERROR && p->mark)
			put_error(o.wire, &o.wire->passages[p->mark - 1], p);
		if (p->verdict == protect || (p->verdict == IPSP_VERDICT_BYPASS && p->mark))
			write_one(&o, p);
	}
	flush(&o);
}

/* ---- the two interfaces ---- */

static enum ipsp_err wire_local_addr(struct io_attachment *a, const struct ipsp_addr *remote,
				     struct ipsp_addr *local)
{
	static const struct ipsp_addr none;
	struct egress_route route;

	if (egress_lookup(wire_of(a)->egress, &none, remote, &route) != 0 || !route.source.family)
		return IPSP_ENOENT;
	*local = route.source;
	return IPSP_OK;
}

/* Nothing leaves by another interface. */
static uint32_t wire_path_mtu(struct io_attachment *a, const struct ipsp_addr *dst)
{
	(void)dst;
	return wire_of(a)->side[PCAP_BLACK].mtu;
}

static void wire_keepalive(struct io_attachment *a, const struct ipsp_flow *datagram)
{
	const struct pcap_config *const c = &wire_of(a)->config;
	const int fd = c->udp_fd[datagram->dst.family == 4 ? OUTER_IPV4 : OUTER_IPV6];

	if (fd >= 0)
		udp_keepalive(fd, c->ifindex[PCAP_BLACK], datagram);
}

static int wire_changes_fd(const struct io_attachment *a)
{
	return egress_fd(((const struct wire *)a)->egress);
}

/** The socket of an interface that was removed is bound to none, for ever. */
static bool is_bound(int fd, uint32_t ifindex)
{
	struct sockaddr_ll at = { 0 };
	socklen_t size = sizeof(at);

	return getsockname(fd, (struct sockaddr *)&at, &size) == 0 &&
	       (uint32_t)at.sll_ifindex == ifindex;
}

static void learn_mtu(struct side *s, int fd, uint32_t ifindex)
{
	struct ifreq ifr = { .ifr_ifindex = (int)ifindex };

	if (ioctl(fd, SIOCGIFNAME, &ifr) == 0 && ioctl(fd, SIOCGIFMTU, &ifr) == 0 &&
	    ifr.ifr_mtu > 0)
		s->mtu = (uint32_t)ifr.ifr_mtu;
}

static bool wire_changed(struct io_attachment *a)
{
	struct wire *w = wire_of(a);
	bool good = true;

	egress_refresh(w->egress);
	for (int i = PCAP_RED; i <= PCAP_BLACK; i++) {
		learn_mtu(&w->side[i], w->config.frames_fd[i], w->config.ifindex[i]);
		good = good && is_bound(w->config.frames_fd[i], w->config.ifindex[i]);
	}
	return good;
}

/* ---- life ---- */

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void free_parts(struct wire *w)
{
	egress_free(w->egress);
	for (int i = PCAP_RED; i <= PCAP_BLACK; i++)
		frame_reader_free(w->side[i].reader);
	for (int family = OUTER_IPV4; family <= OUTER_IPV6; family++)
		udp_socket_free(w->udp[family]);
	explicit_bzero(w, sizeof(*w));
	free(w);
}

static void wire_free(struct io_attachment *a)
{
	struct wire *w = wire_of(a);

	for (int i = 0; i < 2; i++) {
		close_fd(w->config.frames_fd[i]);
		close_fd(w->config.esp_in_fd[i]);
		close_fd(w->config.ah_in_fd[i]);
		close_fd(w->config.raw_out_fd[i]);
		close_fd(w->config.udp_fd[i]);
	}
	free_parts(w);
}

static const struct io_attachment_ops wire_ops = {
	.name = "pcap",
	.sources = wire_sources,
	.read = wire_read,
	.keepalive = wire_keepalive,
	.write = wire_write,
	.local_addr = wire_local_addr,
	.path_mtu = wire_path_mtu,
	.changes_fd = wire_changes_fd,
	.changed = wire_changed,
	.free = wire_free,
};

static void add_source(struct wire *w, int fd, int family, enum pcap_side side)
{
	const size_t i = w->n_sources++;

	w->source[i].fd = fd;
	w->source[i].family = family;
	w->source[i].side = side;
}

/** fd -1: there is none. */
static int add_raw_source(struct wire *w, int fd, int family, uint8_t proto)
{
	if (fd < 0)
		return 0;
	w->source[w->n_sources].proto = proto;
	add_source(w, fd, family, PCAP_BLACK);
	return outer_in_init(fd, (enum outer_family)family, proto);
}

static int add_udp_source(struct wire *w, int family)
{
	const struct pcap_config *const c = &w->config;

	if (c->udp_fd[family] < 0)
		return 0;
	w->source[w->n_sources].proto = IPPROTO_UDP;
	add_source(w, c->udp_fd[family], family, PCAP_BLACK);
	return udp_socket_new(c->udp_fd[family], c->raw_out_fd[family], (enum outer_family)family,
			      c->ifindex[PCAP_BLACK], &w->udp[family]);
}

static int add_sockets(struct wire *w)
{
	int err = 0;

	for (int family = OUTER_IPV4; family <= OUTER_IPV6 && !err; family++) {
		if (w->config.raw_out_fd[family] >= 0)
			err = outer_out_init(w->config.raw_out_fd[family],
					     (enum outer_family)family);
		if (!err)
			err = add_raw_source(w, w->config.esp_in_fd[family], family, IPPROTO_ESP);
		if (!err)
			err = add_raw_source(w, w->config.ah_in_fd[family], family, IPPROTO_AH);
		if (!err)
			err = add_udp_source(w, family);
	}
	return err;
}

int pcap_attach(const struct pcap_config *config, struct io_attachment **out)
{
	struct wire *w = calloc(1, sizeof(*w));
	int err = 0;

	if (!w)
		return -ENOMEM;
	w->base.ops = &wire_ops;
	w->config = *config;
	for (int i = PCAP_RED; i <= PCAP_BLACK && !err; i++) {
		w->side[i].reader = frame_reader_new();
		err = w->side[i].reader ? 0 : -ENOMEM;
		w->side[i].mtu = ETHERNET_MTU;
		learn_mtu(&w->side[i], config->frames_fd[i], config->ifindex[i]);
		add_source(w, config->frames_fd[i], -1, (enum pcap_side)i);
	}
	if (!err)
		err = add_sockets(w);
	/* RED is no way to a peer. */
	if (!err)
		err = egress_new(config->mark, config->ifindex[PCAP_RED], &w->egress);
	if (err) {
		free_parts(w);
		return err;
	}
	*out = &w->base;
	return 0;
}
