/*
 * ipsp-pcap/capture.h - capture files: read with libpcap (pcap and pcapng), written as pcap or
 * pcapng. Times are kept to the nanosecond.
 *
 * libpcap reads a pcapng of several interfaces only if all have one link type, and says so else.
 */
#ifndef IPSP_PCAP_CAPTURE_H
#define IPSP_PCAP_CAPTURE_H

#include <stdio.h>

#include "ipsp-pcap/secrets.h"

/** One packet of a capture. */
struct pc_frame {
	int64_t time_s;
	uint32_t time_ns;
	uint32_t len;		/* on the wire */
	uint32_t caplen;	/* octets at data; less than len: it was cut */
	const uint8_t *data;	/* until the next call */
};

struct pc_reader;
struct pc_writer;

/**
 * @param name  "-": standard input
 * @return false: *d
 */
IPSP_MUST_CHECK bool pc_reader_open(const char *name, struct pc_reader **out, struct pc_diag *d);

enum pc_next { PC_NEXT_FRAME, PC_NEXT_END, PC_NEXT_ERROR };

/** The next packet; PC_NEXT_ERROR: *d, and no more can be read. */
enum pc_next pc_reader_next(struct pc_reader *r, struct pc_frame *out, struct pc_diag *d);

int pc_reader_dlt(const struct pc_reader *r);		/* DLT_* */
const char *pc_reader_link_name(const struct pc_reader *r);	/* "EN10MB", or a number */
uint32_t pc_reader_snaplen(const struct pc_reader *r);
bool pc_reader_is_micro(const struct pc_reader *r);	/* its times are known to be microseconds */
FILE *pc_reader_file(const struct pc_reader *r);	/* internal, do not close */
void pc_reader_close(struct pc_reader *r);

enum pc_format { PC_FORMAT_PCAP, PC_FORMAT_PCAPNG };

struct pc_writer_config {
	enum pc_format format;
	int dlt;
	uint32_t snaplen;	/* what is longer is cut */
	bool micro;		/* pcap with microseconds, not nanoseconds */
};

/**
 * Makes the file, or empties it, unless it is the very file that is read.
 * @param name    "-": standard output
 * @param reader  what must not be overwritten
 */
IPSP_MUST_CHECK bool pc_writer_open(const char *name, const struct pc_writer_config *config,
				    const struct pc_reader *reader, struct pc_writer **out,
				    struct pc_diag *d);

/** data has caplen octets. False: *d. */
IPSP_MUST_CHECK bool pc_writer_put(struct pc_writer *w, const struct pc_frame *frame,
				   struct pc_diag *d);

/** Writes out what is left, and frees w in any case. False: *d. */
IPSP_MUST_CHECK bool pc_writer_close(struct pc_writer *w, struct pc_diag *d);

#endif
