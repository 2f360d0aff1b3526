/* engine/io/vnet.c - see vnet.h. */
#include "config.h"
#include "engine/io/vnet.h"

static bool kind_known(uint8_t gso_type)
{
	switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
	case VNET_GSO_UDP_L4:
		return true;
	default:
		return false;
	}
}

bool vnet_read(const struct virtio_net_hdr *h, struct ipsp_packet *packet)
{
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if ((uint32_t)h->csum_start + h->csum_offset + 2 > packet->len)
			return false;
		packet->flags |= IPSP_PKT_CSUM_PARTIAL;
		packet->csum_start = h->csum_start;
		packet->csum_offset = h->csum_offset;
	}
	if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	if (!kind_known(h->gso_type) || h->gso_size == 0)
		return false;
	packet->segment_size = h->gso_size;
	return true;
}
