/*
 * tests/fuzz/fuzz_frame.c - any octets as a captured frame of any link type.
 *
 * The first octet chooses the way, the next two the link type; the rest is the frame. Inbound there
 * is an SA for every SPI that neither encrypts nor checks, so that layers behind ESP are reached, one of
 * them with IPComp;
 * outbound every packet is put into ESP in UDP.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/crypto/gcrypt.h"
#include "ipsp-pcap/link.h"
#include "ipsp-pcap/process.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRAME_MAX 65536u

static void must(bool good)
{
	if (!good)
		abort();
}

static struct pc_world *worlds[2];
static struct pc_secrets secrets[2];

static struct pc_world *world_of(enum ipsp_dir dir)
{
	static const char *const lines[2] = {
		"none:\n0x1000@192.0.2.1 none:0x ipcomp", "0x1000@192.0.2.1 none:0x+hmac-sha1-96:0x"
			 "000102030405060708090a0b0c0d0e0f10111213 from=192.0.2.2 udp",
	};
	unsigned at = dir == IPSP_OUTBOUND;
	struct pc_diag diag;
	char text[256];

	if (worlds[at])
		return worlds[at];
	must(ipsp_crypto_gcrypt_init(65536) == IPSP_OK);
	strcpy(text, lines[at]);
	secrets[at].files[0] = strdup("fuzz");
	secrets[at].n_files = 1;
	must(pc_secrets_parse(text, strlen(text), 0, false, &secrets[at], &diag));
	must(pc_world_new(dir, &secrets[at], true, &worlds[at], &diag));
	return worlds[at];
}

/* A frame that was changed is one of the same link type, with a whole IP packet. */
static void check_changed(int dlt, const struct pc_frame *frame)
{
	struct pc_link_view view;
	struct ipsp_flow flow;
	struct ipsp_span packet;

	must(pc_link_parse(dlt, (struct ipsp_span){ frame->data, frame->caplen }, &view) ==
	     PC_LINK_IP);
	packet = (struct ipsp_span){ frame->data + view.ip_at, frame->caplen - view.ip_at };
	must(ipsp_flow_parse(packet, &flow) == IPSP_REASON_NONE);
	must(flow.total_len == packet.len && frame->len == frame->caplen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pc_processor *processor;
	struct pc_counts counts = { 0 };
	struct pc_frame in = { 0 }, out;
	enum ipsp_dir dir;
	uint8_t *copy;
	int dlt;

	if (size < 3 || size > FRAME_MAX)
		return 0;
	dir = data[0] & 1 ? IPSP_OUTBOUND : IPSP_INBOUND;
	dlt = data[1] | data[2] << 8;
	processor = pc_processor_new(dir, dlt, world_of(dir), &counts);
	copy = malloc(size - 2);
	must(processor && copy);
	memcpy(copy, data + 3, size - 3);
	in.data = copy;
	in.caplen = in.len = (uint32_t)size - 3;
	switch (pc_process(processor, &in, &out)) {
	case PC_CHANGED:
		must(counts.changed == 1 && counts.layers >= 1);
		check_changed(dlt, &out);
		break;
	case PC_DROPPED:
		must(pc_counts_dropped(&counts) == 1);
		break;
	case PC_HELD:
		must(counts.held == 1 && counts.changed == 0);
		break;
	default:
		must(out.data == in.data && out.len == in.len && counts.changed == 0);
		break;
	}
	free(copy);
	pc_processor_free(processor);
	return 0;
}
