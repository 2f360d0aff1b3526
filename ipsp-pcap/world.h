/*
 * ipsp-pcap/world.h - an engine of libipsp whose SPD and SAD are made from a secrets file.
 *
 * Inbound, each SA is an interface of its own, whose only SPD entry wants everything protected by
 * that SA: so the engine delivers what this SA carried, whatever it was. Outbound there is one
 * interface, whose entries are the SAs' selectors in the order of their lines, and everything else
 * is bypassed. A line with IPComp is a chain of two SAs, and is named by the inner one.
 */
#ifndef IPSP_PCAP_WORLD_H
#define IPSP_PCAP_WORLD_H

#include "ipsp-pcap/secrets.h"
#include "ipsp/engine.h"
#include "ipsp/reassemble.h"

struct pc_world;

/**
 * Makes the engine and installs the SAs. Keys are wiped from *secrets, but for those of the SA
 * without SPI, which is installed anew for each SPI that turns up.
 * @param dir      what the engine is for: IPSP_INBOUND (decap) or IPSP_OUTBOUND (encap)
 * @param secrets  borrowed for the world's life
 * @param weak     outbound: SAs without integrity are fine
 * @return false: *d says which line, and why
 */
IPSP_MUST_CHECK bool pc_world_new(enum ipsp_dir dir, struct pc_secrets *secrets, bool weak,
				  struct pc_world **out, struct pc_diag *d);

/** Wipes and frees. NULL is fine. */
void pc_world_free(struct pc_world *world);

/**
 * Is there an SA for this packet of ESP or AH? The line that names SPI and address; else, for ESP, the
 * one that names none. Inbound.
 * @param proto    IPSP_PROTO_ESP, _AH
 * @param ifindex  out: the interface to give the engine; written only on true
 */
bool pc_world_find(struct pc_world *world, uint8_t proto, uint32_t spi, const struct ipsp_addr *dst,
		   uint32_t *ifindex);

/** Takes a fragment of ESP or AH, as ipsp_reassemble does. */
enum ipsp_reassembly_result pc_world_join(struct pc_world *world, struct ipsp_packet *packet,
					  const struct ipsp_flow *flow, uint64_t now_s,
					  enum ipsp_reason *reason);

/** Has a fragment of the same datagram been taken? */
bool pc_world_has(const struct pc_world *world, const struct ipsp_flow *flow, uint64_t now_s);

/** One packet into the engine. Inbound: ifindex is that of pc_world_find; else 0. */
void pc_world_process(struct pc_world *world, struct ipsp_packet *packet, uint32_t ifindex);

/** The line of the SA that sealed a packet. Outbound. */
const struct pc_secret *pc_world_secret(const struct pc_world *world, const struct ipsp_sa *sa);

#endif
