/*
 * ipsp-pcap/link.h - where the IP packet stands in a captured frame, and how the frame says so.
 *
 * One table of link types (libpcap's DLT_*). Frames are hostile: nothing is read beyond len.
 */
#ifndef IPSP_PCAP_LINK_H
#define IPSP_PCAP_LINK_H

#include "ipsp/types.h"

enum pc_link_result {
	PC_LINK_IP,	/* an IP packet begins at ip_at */
	PC_LINK_OTHER,	/* some other protocol, or a form that is not known here */
	PC_LINK_SHORT,	/* ends within the link header */
};

/** How a header names the family of what follows it. */
enum pc_link_name {
	PC_NAME_NONE,		/* not at all: the packet's own version tells */
	PC_NAME_ETHER,		/* two octets, an Ethernet type */
	PC_NAME_PPP,		/* two octets, a PPP protocol, RFC 1661 2 */
	PC_NAME_PPP_SHORT,	/* one octet of it, RFC 1661 6.5 */
	PC_NAME_NLPID,		/* one octet, RFC 2427 3 */
	PC_NAME_AF_BE,		/* four octets, an address family of some BSD */
	PC_NAME_AF_LE,
	PC_NAME_AF_OCTET,	/* one octet of that */
	PC_NAME_LABEL,		/* MPLS explicit null, RFC 3032 2.1 */
};

#define PC_LINK_LENS_MAX 2u

struct pc_link_view {
	uint32_t ip_at;
	uint8_t name;		/* enum pc_link_name */
	uint32_t name_at;
	uint32_t n_lens;	/* lengths in the header that count the packet */
	struct {
		uint32_t at;	/* two octets, network order */
		uint32_t from;	/* what they count begins here */
		uint32_t max;	/* more would mean something else */
	} lens[PC_LINK_LENS_MAX];
};

/** Does this link type carry IP in a form known here? */
bool pc_link_known(int dlt);

/** The link type to write: the same, but for the two that can carry one family only. */
int pc_link_written(int dlt);

/**
 * Finds the IP packet. What stands at ip_at has version 4 or 6, the one the header named.
 * @param out  written only on PC_LINK_IP
 */
enum pc_link_result pc_link_parse(int dlt, struct ipsp_span frame, struct pc_link_view *out);

/**
 * Makes a copy of the header fit another packet.
 * @param header  ip_at octets, changed in place
 * @param family  4 or 6, of the packet that will stand behind it
 * @param ip_len  octets of that
 * @return false: a length does not fit its field; the header is no good then
 */
bool pc_link_fit(const struct pc_link_view *view, uint8_t *header, uint8_t family,
		 uint32_t ip_len);

#endif
