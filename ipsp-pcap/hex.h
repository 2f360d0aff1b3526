/*
 * ipsp-pcap/hex.h - hex digits of keys, without the C library's buffers.
 */
#ifndef IPSP_PCAP_HEX_H
#define IPSP_PCAP_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Its value; -1: it is none. */
int pc_hex_digit(char c);

/** The whole text, an even number of digits, up to max octets. False: it is not that. */
bool pc_hex(const char *text, uint8_t *out, size_t max, size_t *n);

#endif
