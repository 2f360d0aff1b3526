/*
 * engine/stream.h - streams: what a worker remembers of packets of one flow in one SA, so that those
 * that are like one before them go on without being asked everything again. Private to engine/.
 *
 * A packet of plain ESP in tunnel mode that was let through in the ordinary way leaves a stream behind,
 * if everything that was decided of it is the same for all packets like it as long as policy and SAs
 * stay. Such a stream is good for one epoch, as a remembered match is (engine/cache.h). What may change
 * meanwhile is asked of each run of packets: is the SA usable, where is its peer, how long is the
 * path. Anything unusual goes the ordinary way, which alone drops packets, so it is for being fast,
 * never for being right, that a packet is taken here.
 */
#ifndef ENGINE_STREAM_H
#define ENGINE_STREAM_H

#include "engine/like.h"
#include "engine/pattern.h"

/** Streams of one kind that a worker remembers, by a hash: a power of two. */
#define IPSP_STREAMS 256u

/** Clear packets that become ESP packets of one SA. */
struct ipsp_stream_out {
	uint64_t epoch;			/* that it is good for; 0: none */
	struct ipsp_like like;		/* of clear packets */
	uint32_t ifindex, flags;	/* of them, too */
	const struct ipsp_sa *sa;
	const struct ipsp_spd_rule *rule;
	struct ipsp_pattern pattern;
	struct ipsp_addr src, dst;	/* of the outer header */
	uint16_t dport;			/* in UDP: the peer's */
	uint8_t proto;			/* of clear packets: what follows their header */
};

/** ESP packets of one SA, by the headers they come under. */
struct ipsp_stream_in {
	uint64_t epoch;
	struct ipsp_like like;		/* with SPI; not of packets whose headers are apart */
	uint32_t ifindex, flags;
	uint32_t spi;
	bool is_apart;			/* headers do not stand at data: see struct ipsp_packet */
	const struct ipsp_sa *sa;
	struct ipsp_flow outer;		/* but for total_len */
};

/** Clear packets that may come out of an SA. */
struct ipsp_stream_inner {
	uint64_t epoch;
	struct ipsp_like like;
	uint32_t ifindex, flags;
	uint8_t outer_ecn;		/* of the packet around it */
	uint8_t next_header;		/* that names it */
	const struct ipsp_sa *sa;
	const struct ipsp_spd_rule *rule;
};

struct ipsp_streams {
	struct ipsp_stream_out out[IPSP_STREAMS];
	struct ipsp_stream_in in[IPSP_STREAMS];
	struct ipsp_stream_inner inner[IPSP_STREAMS];
};

/* ---- outbound ---- */

/** Does a packet belong to a stream? Then ipsp_stream_outbound may take it. */
bool ipsp_stream_has_out(struct ipsp_worker *worker, const struct ipsp_packet *packet);

/**
 * Takes packets from the beginning of a vector that belong to streams and one SA, and finishes them.
 * @return how many; 0: the first one goes the ordinary way
 */
uint32_t ipsp_stream_outbound(struct ipsp_worker *worker, struct ipsp_packet *packets, size_t n,
			      uint64_t now_s);

/**
 * A packet goes through an SA alone by a rule that is fixed, and will be one ESP packet: packets like
 * it may do the same. Before it is changed.
 * @param plan  its own
 */
void ipsp_stream_note_out(struct ipsp_worker *worker, const struct ipsp_packet *packet,
			  const struct ipsp_flow *flow, const struct ipsp_spd_rule *rule,
			  const struct ipsp_sa *sa, const struct ipsp_esp_plan *plan);

/* ---- inbound ---- */

/** Is an ESP packet whose headers stand apart one of the stream? */
bool ipsp_stream_in_has_apart(const struct ipsp_stream_in *s, const struct ipsp_packet *packet);

/**
 * Is an ESP packet one of the stream?
 * @param esp_len  out: octets from the ESP header on
 */
static inline bool ipsp_stream_in_has(const struct ipsp_stream_in *s,
				      const struct ipsp_worker *worker,
				      const struct ipsp_packet *packet, uint32_t *esp_len)
{
	uint32_t total_len;

	if (s->epoch != worker->epoch || s->ifindex != packet->ifindex ||
	    s->flags != packet->flags || packet->segment_size > 0 ||
	    s->is_apart != (packet->outer != NULL))
		return false;
	if (s->is_apart) {
		*esp_len = packet->len;
		return ipsp_stream_in_has_apart(s, packet);
	}
	if (!ipsp_packet_valid(packet) ||
	    !ipsp_is_like(&s->like, packet->data, packet->len, &total_len))
		return false;
	*esp_len = total_len - s->outer.l4_offset;
	return true;
}

/** Where the stream of a packet would be. NULL: the packet can be of none. */
struct ipsp_stream_in *ipsp_stream_place_in(const struct ipsp_worker *worker,
					    const struct ipsp_packet *packet);

/** The stream of an ESP packet, which is mostly that of the packet before; NULL: it is of none. */
static inline const struct ipsp_stream_in *ipsp_stream_of_in(const struct ipsp_worker *worker,
							     const struct ipsp_packet *packet,
							     const struct ipsp_stream_in *last,
							     uint32_t *esp_len)
{
	const struct ipsp_stream_in *s;

	if (last && ipsp_stream_in_has(last, worker, packet, esp_len))
		return last;
	s = ipsp_stream_place_in(worker, packet);
	return s && ipsp_stream_in_has(s, worker, packet, esp_len) ? s : NULL;
}

/** May packets of the stream go on now? Good for a batch: see struct ipsp_stream_in's sa. */
bool ipsp_stream_in_goes(const struct ipsp_stream_in *s, uint64_t now_s);

/**
 * Asks the window and finds the text, as ipsp_number_check and ipsp_esp_locate do.
 * @return false: the packet goes the ordinary way, and will be dropped there
 */
bool ipsp_stream_locate(const struct ipsp_stream_in *s, const struct ipsp_packet *packet,
			uint32_t esp_len, uint64_t *seq, struct ipsp_crypto_op *op);

/** A packet is of an SA: so are others like it. Nothing was undone of it yet. */
void ipsp_stream_note_in(const struct ipsp_worker *worker, struct ipsp_stream_in *place,
			 const struct ipsp_packet *packet, const struct ipsp_flow *flow,
			 const struct ipsp_sa *sa);

/** What came out of an SA, before anybody looked at it. */
struct ipsp_opened {
	const struct ipsp_packet *packet;	/* as it came */
	const struct ipsp_sa *sa;
	uint8_t *text;
	uint32_t payload_len;			/* without padding */
	uint8_t next_header;
	uint8_t outer_ecn;
};

/**
 * Is what came out of an SA one of the stream? Then it is what policy asks for, and has nothing of ours
 * inside.
 * @param len  out: octets of the clear packet
 */
static inline bool ipsp_stream_inner_has(const struct ipsp_stream_inner *s,
					 const struct ipsp_worker *worker,
					 const struct ipsp_opened *o, uint32_t *len)
{
	return s->epoch == worker->epoch && s->sa == o->sa && s->next_header == o->next_header &&
	       s->outer_ecn == o->outer_ecn && s->ifindex == o->packet->ifindex &&
	       s->flags == o->packet->flags &&
	       ipsp_is_like(&s->like, o->text, o->payload_len, len);
}

/** The stream of that, which is mostly that of the packet before; NULL: it is of none. */
static inline const struct ipsp_stream_inner *
ipsp_stream_of_inner(const struct ipsp_worker *worker, const struct ipsp_opened *o,
		     const struct ipsp_stream_inner *last, uint32_t *len)
{
	const struct ipsp_stream_inner *s;

	if (last && ipsp_stream_inner_has(last, worker, o, len))
		return last;
	if (o->payload_len == 0)
		return NULL;
	s = &worker->streams->inner[ipsp_like_hash(o->text, o->payload_len) % IPSP_STREAMS];
	return ipsp_stream_inner_has(s, worker, o, len) ? s : NULL;
}

/**
 * A packet that came out of a tunnel alone was found to be right by a rule that is fixed, and by its own
 * headers: so are others like it.
 * @param text   where it began when it was opened
 * @param inner  of it, as it is now
 * @param outer  of what it came in
 */
void ipsp_stream_note_inner(const struct ipsp_worker *worker, const struct ipsp_packet *packet,
			    const uint8_t *text, const struct ipsp_flow *inner,
			    const struct ipsp_flow *outer, const struct ipsp_spd_rule *rule,
			    const struct ipsp_sa *sa);

#endif
