/*
 * engine/io/frame.h - Ethernet frames from and to one interface, by a packet socket.
 *
 * The socket has PACKET_VNET_HDR and PACKET_AUXDATA on: a frame that was never on a wire may lack
 * its checksum, or be a large segment that the sender left to its device to cut, and an 802.1Q tag
 * is not in the octets. Only here the kernel says so; a capture library would hand on a frame with
 * a wrong checksum, of a length no link has, without its tag.
 *
 * Judges nothing: who reads decides what a frame is good for.
 */
#ifndef ENGINE_IO_FRAME_H
#define ENGINE_IO_FRAME_H

#include "engine/io/attach.h"
#include "engine/segment.h"

#define FRAME_HEADER 14u	/* destination, source, EtherType */
#define FRAME_BATCH 16		/* frames a system call */

#define FRAME_IPV4 0x0800u
#define FRAME_ARP 0x0806u
#define FRAME_IPV6 0x86ddu

/** A frame as it was read; good until the next frame_read. */
struct frame {
	uint8_t head[FRAME_HEADER];
	uint16_t type;		/* EtherType */
	bool ours;		/* for this interface's own address: the kernel has it too */
	bool tagged;		/* has an 802.1Q tag, which head does not show */
	uint8_t *data;		/* behind the header; may be changed */
	uint32_t len;
	bool csum_partial;	/* the checksum at csum_start + csum_offset is not finished */
	uint16_t csum_start, csum_offset;	/* from data */
	enum ipsp_segment_kind segment;		/* IPSP_SEGMENT_NONE: an ordinary frame */
	uint16_t segment_size;
};

struct frame_reader;

/** @return NULL: no memory */
struct frame_reader *frame_reader_new(void);
void frame_reader_free(struct frame_reader *r);

/**
 * The next frame, without waiting. Frames that are damaged are counted and passed over.
 * @param fd  of one socket all the reader's life; all that was read at once must be taken before
 *	      the descriptor says again whether there is more
 * @return false: there is none
 */
bool frame_read(struct frame_reader *r, int fd, struct io_stats *stats, struct frame *out);

/** One frame to send. */
struct frame_send {
	const uint8_t *head;	/* FRAME_HEADER octets */
	uint8_t *data;		/* borrowed for the call */
	uint32_t len;
};

/**
 * Sends IO_BATCH frames at most, without waiting.
 * @return how many were sent; the others are counted in stats
 */
size_t frame_write(int fd, const struct frame_send *frames, size_t n, struct io_stats *stats);

#endif
