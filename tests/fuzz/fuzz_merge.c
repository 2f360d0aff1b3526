/*
 * tests/fuzz/fuzz_merge.c - any octets as packets that came out of SAs, on their way into the TUN.
 *
 * Records of two octets of length and a packet, one behind the other; the first octet says whether
 * UDP is joined. Whatever stands in them, each packet is written once, nothing is longer than IP
 * allows, and what a header of virtio says lies inside of what follows it.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/io/merge.h"
#include "engine/io/vnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t n_written, n_octets;

static void must(bool good)
{
	if (!good)
		abort();
}

static void on_write(void *ctx, const struct iovec *iov, size_t n, size_t packets)
{
	struct virtio_net_hdr vnet;
	struct ipsp_packet p = { 0 };

	(void)ctx;
	must(n >= 2 && iov[0].iov_len == sizeof(vnet));
	memcpy(&vnet, iov[0].iov_base, sizeof(vnet));
	for (size_t i = 1; i < n; i++)
		p.len += (uint32_t)iov[i].iov_len;
	must(p.len <= 65535 && vnet_read(&vnet, &p));
	must((p.segment_size > 0) == (packets > 1) && (packets == 1 || vnet.hdr_len < p.len));
	n_written += packets;
	n_octets += p.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct merger m;
	static uint8_t copy[1 << 16];
	size_t n = 0, octets = 0;

	if (size < 1 || size > sizeof(copy))
		return 0;
	memcpy(copy, data, size);
	n_written = n_octets = 0;
	merge_init(&m, data[0] & 1, on_write, NULL);
	for (size_t at = 1; size - at > 2;) {
		const size_t asked = (size_t)(copy[at] << 8 | copy[at + 1]), left = size - at - 2;
		const size_t len = asked < left ? asked : left;

		at += 2;
		if (len > 0) {
			merge_add(&m, copy + at, (uint32_t)len);
			n++;
			octets += len;
		}
		at += len;
	}
	merge_flush(&m);
	/* Joined packets lose their headers, and nothing else. */
	must(n_written == n && n_octets <= octets);
	return 0;
}
