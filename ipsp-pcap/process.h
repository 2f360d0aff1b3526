/*
 * ipsp-pcap/process.h - one captured frame at a time through the engine.
 *
 * Fragments of ESP and AH of SAs that are known are put together first, if the first one comes first: what
 * they were is in the frame of the last. The engine works in place, so each frame's IP packet is copied into the processor's buffer and
 * its link header set in front of what came out.
 */
#ifndef IPSP_PCAP_PROCESS_H
#define IPSP_PCAP_PROCESS_H

#include "ipsp-pcap/capture.h"
#include "ipsp-pcap/counts.h"
#include "ipsp-pcap/world.h"

/** SAs, one inside the other, that are undone; then the packet goes on as it is. */
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
	PC_HELD,	/* a fragment that waits for others: nothing to write */
};

/** Decapsulates or encapsulates one frame, and counts what became of it. */
enum pc_outcome pc_process(struct pc_processor *p, const struct pc_frame *in,
			   struct pc_frame *out);

#endif
