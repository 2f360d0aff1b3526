/*
 * ipsp-pcap/writer.c - captures out: pcap by libpcap, pcapng (draft-ietf-opsawg-pcapng) here, as
 * libpcap cannot write that. A pcapng of ours has one section and one interface.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/endian.h>
#include <sys/stat.h>

#include "ipsp-pcap/capture.h"

enum {
	NG_SECTION = 0x0a0d0d0a,
	NG_INTERFACE = 1,
	NG_PACKET = 6,
	NG_BYTE_ORDER = 0x1a2b3c4d,
	NG_OPTION_END = 0,
	NG_OPTION_RESOLUTION = 9,	/* of times: a power of ten */
	NG_VERSION_MAJOR = 1,
	NG_NANOSECONDS = 9,
};

struct pc_writer {
	struct pc_writer_config config;
	const char *name;
	FILE *file;
	pcap_t *dead;		/* pcap only, as is dumper, which owns file */
	pcap_dumper_t *dumper;
};

static bool failed(const struct pc_writer *w, struct pc_diag *d)
{
	pc_diag_set(d, "%s: %s", w->name, strerror(errno ? errno : EIO));
	return false;
}

/* ---- pcapng ---- */

/*
 * libpcap numbers link types in files otherwise than in programs, and does not export its table:
 * the header it would write tells.
 */
static bool link_number(const struct pc_writer_config *config, uint32_t *out)
{
	uint8_t header[64] = { 0 };
	FILE *f = fmemopen(header, sizeof(header), "wb");
	pcap_t *dead = pcap_open_dead(config->dlt, (int)config->snaplen);
	pcap_dumper_t *dumper = f && dead ? pcap_dump_fopen(dead, f) : NULL;
	uint32_t number;

	if (dumper)
		pcap_dump_close(dumper);
	else if (f)
		fclose(f);
	if (dead)
		pcap_close(dead);
	if (!dumper)
		return false;
	memcpy(&number, header + 20, sizeof(number));
	*out = number & 0xffff;
	return true;
}

static bool put(struct pc_writer *w, const void *data, size_t len)
{
	return fwrite(data, 1, len, w->file) == len;
}

static bool ng_begin(struct pc_writer *w, struct pc_diag *d)
{
	uint32_t link = 0;
	uint32_t section[7] = {
		NG_SECTION, sizeof(section), NG_BYTE_ORDER, 0, UINT32_MAX, UINT32_MAX,
		sizeof(section),
	};
	uint32_t interface[8] = { NG_INTERFACE, sizeof(interface), 0, w->config.snaplen };
	const uint16_t version[2] = { NG_VERSION_MAJOR, 0 };
	const uint16_t resolution[2] = { NG_OPTION_RESOLUTION, 1 };
	const uint8_t nanoseconds[4] = { NG_NANOSECONDS };
	uint16_t link16[2] = { 0 };

	if (!link_number(&w->config, &link)) {
		pc_diag_set(d, "%s: this link type cannot be written", w->name);
		return false;
	}
	link16[0] = (uint16_t)link;
	memcpy(&section[3], version, 4);
	memcpy(&interface[2], link16, 4);
	memcpy(&interface[4], resolution, 4);
	memcpy(&interface[5], nanoseconds, 4);
	interface[6] = NG_OPTION_END;
	interface[7] = sizeof(interface);
	return (put(w, section, sizeof(section)) && put(w, interface, sizeof(interface))) ||
	       failed(w, d);
}

static bool ng_put(struct pc_writer *w, const struct pc_frame *frame, uint32_t caplen)
{
	static const uint8_t zeros[4];
	uint32_t padding = -caplen & 3;
	uint64_t time_ns = (uint64_t)frame->time_s * 1000000000u + frame->time_ns;
	uint32_t size = 7 * 4 + caplen + padding + 4;
	const uint32_t head[7] = {
		NG_PACKET, size, 0, (uint32_t)(time_ns >> 32), (uint32_t)time_ns, caplen,
		frame->len,
	};

	return put(w, head, sizeof(head)) && put(w, frame->data, caplen) &&
	       put(w, zeros, padding) && put(w, &size, sizeof(size));
}

/* ---- pcap ---- */

static bool pcap_begin(struct pc_writer *w, struct pc_diag *d)
{
	w->dead = pcap_open_dead_with_tstamp_precision(w->config.dlt, (int)w->config.snaplen,
						       w->config.micro ?
						       PCAP_TSTAMP_PRECISION_MICRO :
						       PCAP_TSTAMP_PRECISION_NANO);
	if (w->dead)
		w->dumper = pcap_dump_fopen(w->dead, w->file);
	if (!w->dumper)
		pc_diag_set(d, "%s: %s", w->name,
			    w->dead ? pcap_geterr(w->dead) : "out of memory");
	return w->dumper != NULL;
}

/* libpcap does not tell of errors here: ferror does. */
static bool pcap_put(struct pc_writer *w, const struct pc_frame *frame, uint32_t caplen)
{
	struct pcap_pkthdr header = {
		.ts = { .tv_sec = frame->time_s,
			.tv_usec = frame->time_ns / (w->config.micro ? 1000 : 1) },
		.caplen = caplen,
		.len = frame->len,
	};

	pcap_dump((u_char *)w->dumper, &header, frame->data);
	return !ferror(w->file);
}

/* ---- both ---- */

/* Not truncated until it is known to be another file than the one that is read. */
static FILE *open_output(const char *name, const struct pc_reader *reader, struct pc_diag *d)
{
	struct stat in, out;
	FILE *f;

	if (stat(name, &out) == 0 && fstat(fileno(pc_reader_file(reader)), &in) == 0 &&
	    in.st_dev == out.st_dev && in.st_ino == out.st_ino && S_ISREG(out.st_mode)) {
		pc_diag_set(d, "%s: this is the file that is read", name);
		return NULL;
	}
	f = fopen(name, "wbe");
	if (!f)
		pc_diag_set(d, "%s: %s", name, strerror(errno));
	return f;
}

static void writer_free(struct pc_writer *w)
{
	if (w->dumper)
		pcap_dump_close(w->dumper);
	else if (w->file)
		fclose(w->file);
	if (w->dead)
		pcap_close(w->dead);
	free(w);
}

bool pc_writer_open(const char *name, const struct pc_writer_config *config,
		    const struct pc_reader *reader, struct pc_writer **out, struct pc_diag *d)
{
	struct pc_writer *w = calloc(1, sizeof(*w));
	bool is_stdout = !strcmp(name, "-");

	if (!w) {
		pc_diag_set(d, "out of memory");
		return false;
	}
	w->config = *config;
	w->name = is_stdout ? "standard output" : name;
	w->file = is_stdout ? stdout : open_output(name, reader, d);
	if (!w->file || !(config->format == PC_FORMAT_PCAP ? pcap_begin(w, d) : ng_begin(w, d))) {
		writer_free(w);
		return false;
	}
	*out = w;
	return true;
}

bool pc_writer_put(struct pc_writer *w, const struct pc_frame *frame, struct pc_diag *d)
{
	uint32_t snaplen = w->config.snaplen;
	uint32_t caplen = snaplen && frame->caplen > snaplen ? snaplen : frame->caplen;

	errno = 0;
	return (w->config.format == PC_FORMAT_PCAP ? pcap_put(w, frame, caplen) :
						     ng_put(w, frame, caplen)) ||
	       failed(w, d);
}

bool pc_writer_close(struct pc_writer *w, struct pc_diag *d)
{
	bool good;

	errno = 0;
	good = fflush(w->file) == 0 && !ferror(w->file);
	if (!good)
		failed(w, d);
	writer_free(w);
	return good;
}
