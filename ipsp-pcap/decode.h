/*
 * ipsp-pcap/decode.h - the IKE messages of a capture, as text.
 */
#ifndef IPSP_PCAP_DECODE_H
#define IPSP_PCAP_DECODE_H

#include "ipsp-pcap/capture.h"
#include "ipsp-pcap/ike_keys.h"

struct pc_decode_counts {
	uint64_t messages;	/* printed */
	uint64_t faulty;	/* of these */
};

/**
 * Prints every message found in UDP of ports 500 and 4500 to out: a line with time, octets and ends, then
 * a line a field. What came in pieces is printed with the last one of them; what lacks pieces, at the end.
 * @param keys  NULL: what is encrypted stays so
 * @return false: the capture could not be read to its end, or no memory is left, *d
 */
IPSP_MUST_CHECK bool pc_decode(struct pc_reader *reader, struct pc_ike_keys *keys, FILE *out,
			       struct pc_decode_counts *counts, struct pc_diag *d);

#endif
