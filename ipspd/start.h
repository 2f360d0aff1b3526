/*
 * ipspd/start.h - what the parent tells a child at its start, and what the agent answers.
 *
 * Both ends check: the parent believes nothing the agent says about what to open.
 */
#ifndef IPSPD_START_H
#define IPSPD_START_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chan/chan.h"

#define START_PATH_MAX 256	/* octets of a path or an address, NUL included */
#define START_ATTACH_MAX 8
#define START_ATTACH_NAME_MAX 64

/** MSG_START to the agent. The descriptors come in this order; -1: there is none. */
enum agent_fd { AGENT_FD_OPTIONS, AGENT_FD_CONTROL, AGENT_FD_IMPORT, AGENT_FDS };

struct agent_start {
	char statedir[START_PATH_MAX];
	char master[START_PATH_MAX];	/* -x; empty: what the options file says */
	char import_name[START_PATH_MAX];	/* of AGENT_FD_IMPORT, for messages */
	char control_path[START_PATH_MAX];
	uint8_t log_level;
	bool first;			/* the first agent of this parent: -i is for it alone */
	bool background;		/* let go of stderr once it serves */
	uint64_t guard_generation;	/* guard_generation(): what the database must have reached */
	int fds[AGENT_FDS];
};

/** MSG_START to the engine. */
enum engine_fd {
	ENGINE_FD_TUN,		/* IFF_TUN | IFF_NO_PI, non-blocking; -1: attached to nothing */
	ENGINE_FD_ESP4_IN,	/* raw socket, IPPROTO_ESP: reads whole IPv4 packets */
	ENGINE_FD_ESP6_IN,	/* raw socket, IPPROTO_ESP: reads from the ESP header on */
	ENGINE_FD_AH4_IN,	/* likewise, IPPROTO_AH */
	ENGINE_FD_AH6_IN,
	ENGINE_FD_UDP4,		/* bound to ENGINE_UDP_PORT, marked; -1: another program has the port */
	ENGINE_FD_UDP6,
	ENGINE_FD_RAW4_OUT,	/* IPPROTO_RAW, IP_HDRINCL, marked: writes whole IPv4 packets */
	ENGINE_FD_RAW6_OUT,	/* IPPROTO_RAW, IPV6_HDRINCL, marked: writes whole IPv6 packets */
	ENGINE_FD_FAST,		/* packet socket to send, as engine/io/fast.h says; -1: not asked for */
	ENGINE_FD_RING,		/* one with a ring, as engine/io/ring.h says, of this engine alone; -1: likewise */
	ENGINE_FD_COUNTERS,	/* memfd, outlives the engine; empty when no engine had it yet */
	ENGINE_FD_RED,		/* packet sockets of a bump in the wire, as engine/io/frame.h says; -1: */
	ENGINE_FD_BLACK,	/* there is none */
	ENGINE_FD_PACKET_LOG,	/* netlink, bound to IPSPD_LOG_GROUP; -1: the kernel has no such log */
	ENGINE_FD_HANDOVER,	/* likewise, to IPSPD_HANDOVER_GROUP; -1: what the guard cannot judge drops */
	ENGINE_FD_PFKEY,	/* listens for PF_KEY clients: AF_UNIX, SOCK_SEQPACKET; -1: nobody does */
	ENGINE_FD_ICMP4,	/* raw sockets that hear of packets too big for a path; reads whole IPv4 */
	ENGINE_FD_ICMP6,	/* packets; from the ICMPv6 header on */
	ENGINE_FD_QUEUE_IN,	/* netlink, bound to IPSPD_QUEUE_IN; -1: no packets are queued */
	ENGINE_FD_QUEUE_OUT,	/* likewise, to IPSPD_QUEUE_OUT */
	ENGINE_FD_VERDICTS,	/* to the process that gives the kernel verdicts: engine/io/nfqueue.h */
	ENGINE_FDS
};

/** ESP in UDP, RFC 3948. */
#define ENGINE_UDP_PORT 4500

/** How our own ESP and AH leave, other than by raw sockets. */
enum engine_fast_send { ENGINE_FAST_NO, ENGINE_FAST_PACKET, ENGINE_FAST_RING, ENGINE_FASTS };

/** How the TUN is. */
enum engine_offload {
	ENGINE_OFFLOAD_TUN = 1 << 0,	/* IFF_VNET_HDR: unfinished checksums, large TCP segments */
	ENGINE_OFFLOAD_UDP = 1 << 1,	/* and large segments of UDP */
};

/** Workers: threads of the engine that packets are read by, each from descriptors of its own. */
#define ENGINE_WORKERS_MAX 16

struct engine_start {
	uint8_t log_level;
	uint8_t n_workers;	/* 1 .. ENGINE_WORKERS_MAX */
	uint8_t offload;	/* enum engine_offload bits */
	uint8_t crypto;		/* enum ipsp_crypto_choice */
	bool allow_weak;	/* algorithms that RFC 8221 advises against */
	uint32_t tun_ifindex;	/* 0 without a TUN */
	uint32_t tun_mtu;
	char tun_name[16];
	uint32_t red_ifindex, black_ifindex;	/* 0 without a bump in the wire */
	/* By worker; what is not a worker's own is the first one's. -1: none. */
	int fds[ENGINE_FDS][ENGINE_WORKERS_MAX];
};

/** No descriptors, one worker, everything else 0. */
void engine_start_init(struct engine_start *s);

/** Closes what is open of one kind, or of all kinds. */
void engine_start_close(struct engine_start *s, enum engine_fd which);
void engine_start_close_all(struct engine_start *s);

/** MSG_START to ike: UDP sockets for any address, with the bypass mark; -1: there is none. */
enum ike_fd { IKE_FD_500_4, IKE_FD_500_6, IKE_FD_4500_4, IKE_FD_4500_6, IKE_FDS };

struct ike_start {
	uint8_t log_level;
	int fds[IKE_FDS];
};

/** MSG_OPTIONS: what the options file says, as far as the parent needs it. */
struct agent_options {
	uint8_t log_level;	/* of <syslog.h>, LOG_EMERG .. LOG_DEBUG */
	uint8_t n_workers;	/* 1 .. ENGINE_WORKERS_MAX; 0: one for each processor */
	bool offload;		/* of the TUN */
	uint8_t crypto;		/* enum ipsp_crypto_choice */
	bool allow_weak;
	uint8_t fast_send;	/* enum engine_fast_send */
	size_t n_attach;
	char attach[START_ATTACH_MAX][START_ATTACH_NAME_MAX];	/* as attach_parse takes them */
};

/** Each sends; @return what chan_send says. */
int agent_start_send(struct chan *c, const struct agent_start *s);
int engine_start_send(struct chan *c, const struct engine_start *s);
int ike_start_send(struct chan *c, const struct ike_start *s);
int agent_options_send(struct chan *c, const struct agent_options *o);

/** Each reads; takes the message's descriptors on success. @return false: malformed, nothing taken */
bool agent_start_read(struct chan_msg *m, struct agent_start *s);
bool engine_start_read(struct chan_msg *m, struct engine_start *s);
bool ike_start_read(struct chan_msg *m, struct ike_start *s);
bool agent_options_read(const struct chan_msg *m, struct agent_options *o);

/** One attachment as -a and the options file name it. */
enum attach_kind { ATTACH_NONE, ATTACH_TUN, ATTACH_PCAP, ATTACH_NFQUEUE };
#define ATTACH_QUEUED_MAX 8
struct attach {
	enum attach_kind kind;
	char name[16];		/* TUN, NFQUEUE: of the TUN, "%d" for the kernel to number it */
	char red[16], black[16];	/* PCAP: interface names, different ones */
	size_t n_queued;	/* NFQUEUE: 0: the interfaces and directions that rows name */
	char queued[ATTACH_QUEUED_MAX][16];	/* else: these, in both directions */
};

/** Reads "tun", "tun:NAME", "nfqueue", "nfqueue:IF,..", "pcap:RED,BLACK", "none".
 *  @return NULL, or what is wrong with it */
const char *attach_parse(const char *text, struct attach *out);

#endif
