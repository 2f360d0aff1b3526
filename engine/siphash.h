/*
 * engine/siphash.h - SipHash-2-4: places in tables that others could otherwise fill at one spot.
 * Private to engine/. Aumasson, Bernstein: "SipHash: a fast short-input PRF".
 */
#ifndef ENGINE_SIPHASH_H
#define ENGINE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define IPSP_SIPHASH_KEY 16u

/** @param key  random, and nobody else's */
uint64_t ipsp_siphash(const uint8_t key[IPSP_SIPHASH_KEY], const uint8_t *p, size_t len);

#endif
