/*
 * engine/io/vnet.h - what the kernel says of a packet with a header of virtio. Virtio 1.2, 5.1.6.
 *
 * Numbers in that header have this machine's order, as a TUN that was not told otherwise has them.
 */
#ifndef ENGINE_IO_VNET_H
#define ENGINE_IO_VNET_H

#include <linux/virtio_net.h>

#include "ipsp/engine.h"

#define VNET_GSO_UDP_L4 5	/* VIRTIO_NET_HDR_GSO_UDP_L4, since Linux 6.2 */

/**
 * Sets the packet's segment_size, flags, csum_start and csum_offset.
 * @return false: a kind of large segment, or a place of a checksum, that nobody here can handle
 */
bool vnet_read(const struct virtio_net_hdr *h, struct ipsp_packet *packet);

#endif
