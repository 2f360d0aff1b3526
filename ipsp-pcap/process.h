/*
 * ipsp-pcap/process.h - one captured frame at a time through the engine.
 *
 * The engine works in place, so each frame's IP packet is copied into the processor's buffer and
 * its link header set in front of what came out.
 */
#ifndef IPSP_PCAP_PROCESS_H
#define IPSP_PCAP_PROCESS_H

#include "ipsp-pcap/capture.h"
#include "ipsp-pcap/counts.h"
#include "ipsp-pcap/world.h"

/** ESP headers, one inside the other, that are taken away; then the packet goes on as it is. */
#define PC_DEPTH_MAX 16u

struct pc_processor;

/** For link type dlt. World and counts are borrowed for its life. NULL: out of memory. */
struct pc_processor *pc_processor_new(enum ipsp_dir dir, int dlt, struct pc_world *world,
				      struct pc_counts *counts);
void pc_processor_free(struct pc_processor *p);

enum pc_outcome {
	PC_UNCHANGED,	/* *out is *in */
	PC_CHANGED,	/* *out is the new frame, until the next call */
	PC_DROPPED,	/* *out is *in, and it is refused */
};

/** Decapsulates or encapsulates one frame, and counts what became of it. */
enum pc_outcome pc_process(struct pc_processor *p, const struct pc_frame *in,
			   struct pc_frame *out);

#endif
