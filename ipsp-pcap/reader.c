/*
 * ipsp-pcap/reader.c - captures in, by libpcap.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>

#include "ipsp-pcap/capture.h"

struct pc_reader {
	pcap_t *pcap;
	FILE *file;	/* closed with pcap */
	const char *name;
	char link_name[32];
	bool micro;
};

#define MAGIC_MICRO 0xa1b2c3d4u

/* libpcap does not tell what the file had before it was asked for nanoseconds. */
static bool is_micro(FILE *f)
{
	uint8_t magic[4];
	bool micro;

	if (fseek(f, 0, SEEK_CUR) != 0)
		return false;
	micro = fread(magic, 1, sizeof(magic), f) == sizeof(magic) &&
		(be32dec(magic) == MAGIC_MICRO || le32dec(magic) == MAGIC_MICRO);
	rewind(f);
	return micro;
}

bool pc_reader_open(const char *name, struct pc_reader **out, struct pc_diag *d)
{
	struct pc_reader *r = calloc(1, sizeof(*r));
	char why[PCAP_ERRBUF_SIZE];
	int dlt;

	if (!r) {
		pc_diag_set(d, "out of memory");
		return false;
	}
	r->name = strcmp(name, "-") ? name : "standard input";
	r->file = strcmp(name, "-") ? fopen(name, "rbe") : stdin;
	if (!r->file) {
		pc_diag_set(d, "%s: %s", name, strerror(errno));
		free(r);
		return false;
	}
	r->micro = is_micro(r->file);
	r->pcap = pcap_fopen_offline_with_tstamp_precision(r->file, PCAP_TSTAMP_PRECISION_NANO,
							   why);
	if (!r->pcap) {
		pc_diag_set(d, "%s: %s", r->name, why);
		if (r->file != stdin)
			fclose(r->file);
		free(r);
		return false;
	}
	dlt = pcap_datalink(r->pcap);
	if (pcap_datalink_val_to_name(dlt))
		snprintf(r->link_name, sizeof(r->link_name), "%s", pcap_datalink_val_to_name(dlt));
	else
		snprintf(r->link_name, sizeof(r->link_name), "%d", dlt);
	*out = r;
	return true;
}

enum pc_next pc_reader_next(struct pc_reader *r, struct pc_frame *out, struct pc_diag *d)
{
	struct pcap_pkthdr *header;
	const u_char *data;

	switch (pcap_next_ex(r->pcap, &header, &data)) {
	case 1:
		break;
	case PCAP_ERROR_BREAK:
		return PC_NEXT_END;
	default:
		pc_diag_set(d, "%s: %s", r->name, pcap_geterr(r->pcap));
		return PC_NEXT_ERROR;
	}
	*out = (struct pc_frame){
		.time_s = header->ts.tv_sec,
		.time_ns = (uint32_t)header->ts.tv_usec,
		.len = header->len,
		.caplen = header->caplen,
		.data = data,
	};
	return PC_NEXT_FRAME;
}

int pc_reader_dlt(const struct pc_reader *r)
{
	return pcap_datalink(r->pcap);
}

const char *pc_reader_link_name(const struct pc_reader *r)
{
	return r->link_name;
}

uint32_t pc_reader_snaplen(const struct pc_reader *r)
{
	int snaplen = pcap_snapshot(r->pcap);

	return snaplen > 0 ? (uint32_t)snaplen : 0;
}

bool pc_reader_is_micro(const struct pc_reader *r)
{
	return r->micro;
}

FILE *pc_reader_file(const struct pc_reader *r)
{
	return r->file;
}

void pc_reader_close(struct pc_reader *r)
{
	if (!r)
		return;
	pcap_close(r->pcap);
	free(r);
}
