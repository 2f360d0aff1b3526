/*
 * engine/io/tun.c - the attachment `tun`: the inside by a TUN, the outside by raw sockets.
 *
 * It must not decide what may pass: verdicts are the engine's, and a packet without one is dropped.
 */
#include "config.h"
#include "engine/io/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/io/egress.h"
#include "engine/io/outer.h"

struct tun {
	struct io_attachment base;	/* first: they are one address */
	struct tun_config config;
	struct egress *egress;
	size_t n_sources;
	struct {
		int fd;
		int family;		/* enum outer_family; -1: the TUN */
	} source[IO_SOURCES_MAX];
};

static struct tun *tun_of(struct io_attachment *a)
{
	return (struct tun *)a;
}

static size_t tun_sources(const struct io_attachment *a, struct io_source out[IO_SOURCES_MAX])
{
	const struct tun *t = (const struct tun *)a;

	for (size_t i = 0; i < t->n_sources; i++) {
		out[i].fd = t->source[i].fd;
		out[i].dir = t->source[i].family < 0 ? IPSP_OUTBOUND : IPSP_INBOUND;
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
		t->base.stats.drops[IO_REASON_READ_CUT]++;
		return false;
	}
	/* The unspecified address as source (RFC 4861 4.3, DHCP) asks routing nothing. */
	static const uint8_t zero[16];

	if (memcmp(src.octets, zero, ipsp_addr_size(src.family)) == 0)
		src.family = 0;
	if (egress_lookup(t->egress, &src, &dst, &route) != 0) {
		t->base.stats.drops[IO_REASON_NO_ROUTE]++;
		return false;
	}
	p->ifindex = route.ifindex;
	return true;
}

static size_t read_inside(struct tun *t, struct ipsp_packet *packets, size_t n)
{
	size_t good = 0;

	/* Judged by the routing of now, not of the last turn. */
	egress_refresh(t->egress);
	for (size_t turn = 0; turn < n; turn++) {
		struct ipsp_packet *const p = &packets[good];
		uint8_t *const data = p->room + IPSP_HEADROOM;
		const ssize_t got = read(t->config.tun_fd, data, IO_PACKET_MAX);

		if (got <= 0)
			break;
		*p = (struct ipsp_packet) {
			.room = p->room, .room_len = p->room_len,
			.data = data, .len = (uint32_t)got,
		};
		t->base.stats.packets_in[IPSP_OUTBOUND - 1]++;
		if (place(t, p))
			good++;
	}
	return good;
}

static size_t tun_read(struct io_attachment *a, size_t source, struct ipsp_packet *packets,
		       size_t n)
{
	struct tun *t = tun_of(a);

	if (t->source[source].family < 0)
		return read_inside(t, packets, n);
	return outer_read(t->source[source].fd, (enum outer_family)t->source[source].family,
			  packets, n, &a->stats);
}

static void write_outside(struct tun *t, const struct ipsp_packet *packets, size_t n)
{
	struct outer_send send[2][IO_BATCH];
	size_t count[2] = { 0, 0 };

	for (size_t i = 0; i < n && i < IO_BATCH; i++) {
		const struct ipsp_packet *const p = &packets[i];

		if (p->verdict != IPSP_VERDICT_BYPASS && p->verdict != IPSP_VERDICT_ESP_OUT)
			continue;
		const int family = outer_family_of(p->data, p->len);

		if (family < 0 || t->config.raw_out_fd[family] < 0) {
			t->base.stats.drops[IO_REASON_SEND]++;
			continue;
		}
		/* A clear packet leaves by the interface whose policy let it pass, or not at all;
		 * an ESP packet may go to its peer by any. */
		send[family][count[family]++] = (struct outer_send) {
			.data = p->data, .len = p->len,
			.ifindex = p->verdict == IPSP_VERDICT_BYPASS ? p->ifindex : 0,
		};
	}
	for (int family = OUTER_IPV4; family <= OUTER_IPV6; family++) {
		if (count[family])
			t->base.stats.packets_out[IPSP_OUTBOUND - 1] +=
				outer_write(t->config.raw_out_fd[family],
					    (enum outer_family)family, send[family], count[family],
					    &t->base.stats);
	}
}

static void write_inside(struct tun *t, const struct ipsp_packet *packets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct ipsp_packet *const p = &packets[i];
		ssize_t done;

		/* A clear packet for BYPASS has reached its receiver by the kernel already. */
		if (p->verdict != IPSP_VERDICT_DELIVER)
			continue;
		do
			done = write(t->config.tun_fd, p->data, p->len);
		while (done < 0 && errno == EINTR);
		if (done == (ssize_t)p->len)
			t->base.stats.packets_out[IPSP_INBOUND - 1]++;
		else
			t->base.stats.drops[IO_REASON_TUN]++;
	}
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

	close_fd(t->config.tun_fd);
	for (int family = OUTER_IPV4; family <= OUTER_IPV6; family++) {
		close_fd(t->config.esp_in_fd[family]);
		close_fd(t->config.raw_out_fd[family]);
	}
	egress_free(t->egress);
	free(t);
}

static const struct io_attachment_ops tun_ops = {
	.name = "tun",
	.sources = tun_sources,
	.read = tun_read,
	.write = tun_write,
	.local_addr = tun_local_addr,
	.changes_fd = tun_changes_fd,
	.changed = tun_changed,
	.free = tun_free,
};

static int set_nonblocking(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int tun_attach(const struct tun_config *config, struct io_attachment **out)
{
	struct tun *t = calloc(1, sizeof(*t));
	int err = -ENOMEM;

	if (!t)
		return -ENOMEM;
	t->base.ops = &tun_ops;
	t->source[t->n_sources].fd = config->tun_fd;
	t->source[t->n_sources++].family = -1;
	err = set_nonblocking(config->tun_fd);
	for (int family = OUTER_IPV4; family <= OUTER_IPV6 && !err; family++) {
		if (config->raw_out_fd[family] >= 0)
			err = outer_out_init(config->raw_out_fd[family],
					     (enum outer_family)family);
		if (err || config->esp_in_fd[family] < 0)
			continue;
		t->source[t->n_sources].fd = config->esp_in_fd[family];
		t->source[t->n_sources++].family = family;
		err = outer_in_init(config->esp_in_fd[family], (enum outer_family)family);
	}
	if (!err)
		err = egress_new(config->mark, config->tun_ifindex, &t->egress);
	if (err) {
		free(t);
		return err;
	}
	t->config = *config;
	*out = &t->base;
	return 0;
}
