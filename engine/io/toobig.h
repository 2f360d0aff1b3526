/*
 * engine/io/toobig.h - what becomes of a packet that its link does not take: fragments, or an ICMP
 * error to its sender. RFC 791 3.2, RFC 1191, RFC 8201; RFC 4301 8.
 *
 * Makes packets, sends none.
 */
#ifndef ENGINE_IO_TOOBIG_H
#define ENGINE_IO_TOOBIG_H

#include <stdbool.h>
#include <stdint.h>

/* As much of a packet as an error quotes at most: RFC 4443 3.2 in 1280 octets. */
#define TOOBIG_QUOTE_MAX 1232u
#define TOOBIG_ERROR_MAX 1280u

/**
 * The largest clear packet that surely fits.
 * @param clear_len  of the packet before processing
 * @param wire_len   after it
 * @param mtu        what the link takes, below wire_len
 */
uint32_t toobig_inside_mtu(uint32_t clear_len, uint32_t wire_len, uint32_t mtu);

/**
 * Writes the ICMP error that tells the sender: fragmentation needed (IPv4), packet too big (IPv6). It
 * comes from the packet's destination, as a bump in the wire need not have an address.
 * @param quote      the packet's first octets, TOOBIG_QUOTE_MAX at most
 * @param out        TOOBIG_ERROR_MAX octets
 * @return its length; 0: no error is to be sent about such a packet (RFC 1122 3.2.2, RFC 4443 2.4)
 */
uint32_t toobig_error(const uint8_t *quote, uint32_t quote_len, uint32_t mtu, uint8_t *out);

/** May it be cut on the way? IPv4 without DF; options are not provided for. */
bool toobig_may_cut(const uint8_t *packet, uint32_t len);

/**
 * Writes the fragment that begins at payload octet *at, and moves *at behind it.
 * @param packet  toobig_may_cut
 * @param out     mtu octets
 * @return its length; 0: there is none left
 */
uint32_t toobig_cut(const uint8_t *packet, uint32_t len, uint32_t mtu, uint32_t *at, uint8_t *out);

#endif
