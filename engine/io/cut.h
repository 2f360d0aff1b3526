/*
 * engine/io/cut.h - sends packets that are longer than their path as fragments. RFC 4301 8.2.
 *
 * The kernel does not cut what is written to a raw socket with its header. What may be cut, the
 * engine has judged: it makes errors of the others (IPSP_VERDICT_ERROR).
 */
#ifndef ENGINE_IO_CUT_H
#define ENGINE_IO_CUT_H

#include "engine/io/attach.h"

/**
 * Calls send(arg, fragment, len) for each fragment of a packet. Fragments stand in one room, one after
 * the other: send must be done with each.
 * @param room_len  octets at room: no fragment is longer, whatever the mtu
 * @return false: it may not be cut; nothing was sent
 */
bool io_cut(const uint8_t *packet, uint32_t len, uint32_t mtu, uint8_t *room,
	    uint32_t room_len,
	    void (*send)(void *arg, uint8_t *fragment, uint32_t len), void *arg);

#endif
