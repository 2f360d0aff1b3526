/*
 * ipsp-pcap/decode.c - IKE messages of captures. RFC 7296 3.1, RFC 3948 2.2 for those behind a non-ESP
 * marker.
 */
#include "ipsp-pcap/decode.h"

#include <inttypes.h>
#include <string.h>
#include <sys/endian.h>
#include <time.h>

#include "ipsp-pcap/link.h"
#include "ipsp-pcap/message.h"
#include "ipsp/flow.h"
#include "ipsp/udp_encap.h"

#define PROTO_UDP 17
#define PORT_IKE 500u
#define MARKER_LEN 4u	/* RFC 3948 2.2 */

static void print_head(FILE *out, const struct pc_frame *frame, const struct ipsp_flow *flow,
		       size_t octets)
{
	char src[IPSP_ADDR_TEXT], dst[IPSP_ADDR_TEXT], date[32] = "?";
	const time_t time_s = (time_t)frame->time_s;
	struct tm tm;

	if (gmtime_r(&time_s, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "%s.%06" PRIu32 "  %zu octets  %s[%" PRIu32 "] > %s[%" PRIu32 "]\n", date,
		frame->time_ns / 1000, octets, ipsp_addr_print(&flow->src, src), flow->sport,
		ipsp_addr_print(&flow->dst, dst), flow->dport);
}

/* The IKE message in a packet, without a marker. */
static bool find_message(struct ipsp_span packet, const struct ipsp_flow *flow, struct ipsp_span *out)
{
	const size_t at = flow->l4_offset + IPSP_UDP_HEADER;

	if (!flow->proto_known || flow->proto != PROTO_UDP || flow->frag != IPSP_FRAG_NONE ||
	    !flow->ports_known || flow->total_len < at)
		return false;
	*out = (struct ipsp_span){ packet.data + at, flow->total_len - at };
	if (flow->sport == PORT_IKE || flow->dport == PORT_IKE)
		return true;
	if ((flow->sport != IPSP_UDP_PORT && flow->dport != IPSP_UDP_PORT) ||
	    out->len < MARKER_LEN || be32dec(out->data) != 0)
		return false;
	out->data += MARKER_LEN;
	out->len -= MARKER_LEN;
	return true;
}

static void decode_frame(const struct pc_decoder *d, int dlt, const struct pc_frame *frame, FILE *out,
			 struct pc_decode_counts *counts)
{
	struct ipsp_span packet = { frame->data, frame->caplen }, message;
	struct pc_link_view view;
	struct ipsp_flow flow;

	if (pc_link_parse(dlt, packet, &view) != PC_LINK_IP)
		return;
	packet.data += view.ip_at;
	packet.len -= view.ip_at;
	if (ipsp_flow_parse(packet, &flow) != IPSP_REASON_NONE ||
	    !find_message(packet, &flow, &message))
		return;
	counts->messages++;
	print_head(out, frame, &flow, message.len);
	if (!pc_decode_message(d, &flow.src, message))
		counts->faulty++;
	fputc('\n', out);
}

static void write_line(void *arg, const char *text)
{
	fprintf(arg, "%s\n", text);
}

bool pc_decode(struct pc_reader *reader, struct pc_ike_keys *keys, FILE *out,
	       struct pc_decode_counts *counts, struct pc_diag *d)
{
	struct pc_decoder decoder = { .line = write_line, .arg = out, .keys = keys,
				      .fragments = pc_fragments_new(write_line, out) };
	struct pc_frame frame;
	enum pc_next next;

	memset(counts, 0, sizeof(*counts));
	if (!decoder.fragments) {
		pc_diag_set(d, "out of memory");
		return false;
	}
	while ((next = pc_reader_next(reader, &frame, d)) == PC_NEXT_FRAME)
		decode_frame(&decoder, pc_reader_dlt(reader), &frame, out, counts);
	pc_fragments_end(decoder.fragments);
	pc_fragments_free(decoder.fragments);
	if (next == PC_NEXT_END && fflush(out) != 0) {
		pc_diag_set(d, "standard output cannot be written");
		return false;
	}
	return next == PC_NEXT_END;
}
