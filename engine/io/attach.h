/*
 * engine/io/attach.h - where packets come from and go to: one small interface for every attachment.
 *
 * An attachment reads batches of packets for the engine and does what the engine's verdicts say.
 * It judges nothing itself: a packet it cannot place (no route, damaged) is dropped and counted.
 * All descriptors are opened by the parent; nothing here waits. One thread has an attachment; each worker
 * has one of its own.
 */
#ifndef ENGINE_IO_ATTACH_H
#define ENGINE_IO_ATTACH_H

#include <stdatomic.h>

#include "ipsp/engine.h"

#define IO_BATCH 64		/* packets a turn: the event loop gets its turn after so many */
#define IO_PACKET_MAX 65535u	/* the longest packet that is not a jumbogram */
#define IO_ROOM (IPSP_HEADROOM + IO_PACKET_MAX + IPSP_TAILROOM)
#define IO_SOURCES_MAX 12

/*
 * Why an attachment dropped a packet. The columns are those of the core's IPSP_REASONS; on the way to
 * the agent their numbers follow the core's (IO_REASON_BASE).
 */
#define IO_REASONS(X) \
	X(NOT_READY, "not-ready", POLICY, EAGAIN, \
	  "no policy, or no number reserved for its SA, yet") \
	X(NO_ROUTE, "no-route", RESOURCE, ENOENT, "no way out but our own TUN") \
	X(READ_CUT, "read-cut", PACKET, EMALFORMED, \
	  "longer than any buffer, or without its ancillary data") \
	X(PATH_TOO_BIG, "path-too-big", SIZE, ETOOBIG, \
	  "bigger than the link it leaves by, and not to be cut") \
	X(SEND_QUEUE, "send-queue", RESOURCE, EAGAIN, "the kernel's send queue is full") \
	X(SEND, "send-failed", RESOURCE, EIO, "the kernel refused to send it") \
	X(TUN, "tun-failed", RESOURCE, EIO, "the kernel refused it from the TUN") \
	X(NOT_IP, "not-ip", PACKET, ENOTSUP, \
	  "a frame that is neither IP nor ARP, or bears a VLAN tag") \
	X(IP_CHECKSUM, "ip-checksum", PACKET, EMALFORMED, \
	  "an IPv4 header whose checksum is wrong") \
	X(OFFLOAD, "offload", PACKET, ENOTSUP, \
	  "an unfinished checksum or large segment of an unknown kind") \
	X(HANDOVER_LOST, "handover-lost", RESOURCE, EAGAIN, \
	  "lost on its way from the guard, which could not judge it") \
	X(KEEPALIVE, "keepalive", NONE, OK, "a NAT keepalive, RFC 3948: not an error") \
	X(NO_IKE, "no-ike", PACKET, ENOTSUP, \
	  "an IKE message at the port of ESP in UDP, and nobody who speaks IKE") \
	X(INSIDE_PROTECT, "inside-protect", POLICY, EPOLICY, \
	  "PROTECT towards the inside of a bump in the wire")

enum io_reason {
#define IO_REASON_ENUM(name, key, class, err, text) IO_REASON_##name,
	IO_REASONS(IO_REASON_ENUM)
#undef IO_REASON_ENUM
	IO_N_REASONS
};

#define IO_REASON_BASE 256u

/** As ipsp_reason_key .. ipsp_reason_err, of a number on the way to the agent: the core's or ours. */
const char *io_reason_key(unsigned number);
const char *io_reason_text(unsigned number);
enum ipsp_reason_class io_reason_class(unsigned number);
enum ipsp_err io_reason_err(unsigned number);

/** Written by the thread that has the attachment, read by any. */
struct io_stats {
	_Atomic uint64_t packets_in[2];		/* read, by [enum ipsp_dir - 1] */
	_Atomic uint64_t packets_out[2];	/* sent on or delivered, likewise */
	_Atomic uint64_t fast;			/* of those: sent by a packet socket */
	_Atomic uint64_t drops[IO_N_REASONS];
};

/** Counts, for the thread that writes. */
static inline void io_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/** Something readable that packets of one direction come from. */
struct io_source {
	int fd;
	enum ipsp_dir dir;
	/* A bump in the wire: the interface at the inside, by which outbound packets have come in
	 * and inbound ones will leave; its list for that has a say, too. 0: the kernel sees to it. */
	uint32_t inside_ifindex;
};

struct io_attachment;

struct io_attachment_ops {
	const char *name;

	/** What to watch. @return how many, at most IO_SOURCES_MAX; their places name them below */
	size_t (*sources)(const struct io_attachment *a, struct io_source out[IO_SOURCES_MAX]);

	/**
	 * Reads what is there, without waiting, from one source. What it returns must be written, or
	 * given up, before the next read: the attachment knows packets by their marks until then.
	 * @param packets  in: room and room_len (IO_ROOM); out: what the engine wants to know
	 * @param n        at most IO_BATCH
	 * @return how many packets are good; n: there may be more that no descriptor tells of
	 */
	size_t (*read)(struct io_attachment *a, size_t source, struct ipsp_packet *packets,
		       size_t n);

	/** Is there more that no descriptor tells of, though fewer came? NULL: never */
	bool (*has_more)(const struct io_attachment *a, size_t source);

	/** Sends a NAT keepalive (ipsp_engine_keepalives). NULL: has no such socket */
	void (*keepalive)(struct io_attachment *a, const struct ipsp_flow *datagram);

	/** Sends on or delivers those whose verdict says so. Data may be changed. */
	void (*write)(struct io_attachment *a, enum ipsp_dir dir, struct ipsp_packet *packets,
		      size_t n);

	/** Our own address towards remote, for SAs that name none; see ipsp_platform.local_addr. */
	enum ipsp_err (*local_addr)(struct io_attachment *a, const struct ipsp_addr *remote,
				    struct ipsp_addr *local);

	/** What leaves towards dst without being cut; see ipsp_platform.path_mtu. */
	uint32_t (*path_mtu)(struct io_attachment *a, const struct ipsp_addr *dst);

	/** What is readable when interfaces or routes have changed; see changed. */
	int (*changes_fd)(const struct io_attachment *a);

	/**
	 * Looks at interfaces and routes anew.
	 * @return false: an interface of its own is gone for good, and with it the attachment
	 */
	bool (*changed)(struct io_attachment *a);

	/** Frees it and closes its descriptors. */
	void (*free)(struct io_attachment *a);
};

/** What every attachment begins with. */
struct io_attachment {
	const struct io_attachment_ops *ops;
	struct io_stats stats;
};

#endif
