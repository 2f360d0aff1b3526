/* tests/unit/engine_io/packets.h - octets of packets, and checksums counted the plain way (RFC 1071). */
#ifndef TESTS_UNIT_ENGINE_IO_PACKETS_H
#define TESTS_UNIT_ENGINE_IO_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

/** The one's complement sum of n octets, added to sum; 0xffff over something with its checksum. */
uint32_t packets_sum(uint32_t sum, const uint8_t *p, uint32_t n);

/** Are the checksums of IPv4's header and of what stands at l4 right? len is the packet's. */
bool packets_sums_right(const uint8_t *p, uint32_t len, uint32_t l4, uint8_t proto);

/** 192.0.2.1 to 192.0.2.2 or 2001:db8::1 to ::2, header only, checksum right. @return its length */
uint32_t packets_header(uint8_t *p, int family, uint8_t proto, uint32_t total_len);

/** Puts the checksum of an IPv4 header without options right. */
void packets_header_sum(uint8_t *p);

#endif
