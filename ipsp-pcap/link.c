/*
 * ipsp-pcap/link.c - link headers of captures. The forms are those of tcpdump.org's list of link
 * types; IEEE 802.3, 802.1Q, 802.2, 802.11; RFC 1042, 1661, 2427, 2516, 2684, 2734, 3032.
 *
 * A parser moves a cursor over one header and hands over to the next one, inner headers being the
 * same under many link types. Nothing recurses but for PPI and PKTAP naming another link type, once.
 */
#include "ipsp-pcap/link.h"

#include <pcap/pcap.h>
#include <sys/endian.h>

#define TAGS_MAX 8u	/* VLAN tags or MPLS labels that a frame may have */

enum {
	ETHER_IPV4 = 0x0800,
	ETHER_IPV6 = 0x86dd,
	ETHER_VLAN = 0x8100,
	ETHER_QINQ = 0x88a8,
	ETHER_QINQ_OLD = 0x9100,
	ETHER_MPLS = 0x8847,
	ETHER_PPPOE = 0x8864,
	ETHER_LENGTH_MAX = 1500,	/* up to here it is a length, IEEE 802.3 3.2.6 */
	PPP_IPV4 = 0x0021,
	PPP_IPV6 = 0x0057,
	NLPID_IPV4 = 0xcc,
	NLPID_IPV6 = 0x8e,
	NLPID_SNAP = 0x80,
	/* AF_INET is 2 everywhere. */
	AF_V4 = 2,
	AF_V6_LINUX = 10,
	AF_V6_BSD = 24,
	AF_V6_FREEBSD = 28,
	AF_V6_DARWIN = 30,
	LABEL_V4_NULL = 0,
	LABEL_V6_NULL = 2,
};

struct cursor {
	const uint8_t *p;
	uint32_t len, at;
	struct pc_link_view view;
};

static bool has(const struct cursor *c, uint32_t n)
{
	return c->at <= c->len && n <= c->len - c->at;
}

/* ---- the end of each way: an IP packet at the cursor ---- */

static enum pc_link_result ip_here(struct cursor *c, enum pc_link_name name, uint32_t name_at,
				   uint8_t family)
{
	uint8_t version;

	if (!has(c, 1))
		return PC_LINK_SHORT;
	version = c->p[c->at] >> 4;
	if ((version != 4 && version != 6) || (family && version != family))
		return PC_LINK_OTHER;
	c->view.ip_at = c->at;
	c->view.name = (uint8_t)name;
	c->view.name_at = name_at;
	return PC_LINK_IP;
}

static enum pc_link_result raw(struct cursor *c)
{
	return ip_here(c, PC_NAME_NONE, 0, 0);
}

static bool counted(struct cursor *c, uint32_t at, uint32_t from, uint32_t max)
{
	if (c->view.n_lens == PC_LINK_LENS_MAX)
		return false;
	c->view.lens[c->view.n_lens].at = at;
	c->view.lens[c->view.n_lens].from = from;
	c->view.lens[c->view.n_lens++].max = max;
	return true;
}

/* ---- headers that many link types share ---- */

/* RFC 1661 2 and 6.5: a protocol of two octets, or the second one alone. */
static enum pc_link_result ppp_protocol(struct cursor *c)
{
	uint32_t name_at = c->at;
	uint32_t size;
	uint16_t proto;

	if (!has(c, 2))
		return PC_LINK_SHORT;
	size = c->p[c->at] & 1 ? 1 : 2;
	proto = size == 1 ? c->p[c->at] : be16dec(c->p + c->at);
	c->at += size;
	if (proto != PPP_IPV4 && proto != PPP_IPV6)
		return PC_LINK_OTHER;
	return ip_here(c, size == 1 ? PC_NAME_PPP_SHORT : PC_NAME_PPP, name_at,
		       proto == PPP_IPV4 ? 4 : 6);
}

/* RFC 2516 4: version and type, code, session, length. */
static enum pc_link_result pppoe(struct cursor *c)
{
	if (!has(c, 6))
		return PC_LINK_SHORT;
	if (c->p[c->at] != 0x11 || c->p[c->at + 1] != 0 ||
	    !counted(c, c->at + 4, c->at + 6, UINT16_MAX))
		return PC_LINK_OTHER;
	c->at += 6;
	return ppp_protocol(c);
}

/* RFC 3032 2.1: labels up to the bottom of the stack; then the version tells. */
static enum pc_link_result mpls(struct cursor *c)
{
	for (unsigned n = 0; n < TAGS_MAX; n++) {
		uint32_t at = c->at, entry;

		if (!has(c, 4))
			return PC_LINK_SHORT;
		entry = be32dec(c->p + c->at);
		c->at += 4;
		if (!(entry & 0x100))
			continue;
		if (entry >> 12 == LABEL_V4_NULL || entry >> 12 == LABEL_V6_NULL)
			return ip_here(c, PC_NAME_LABEL, at, entry >> 12 == LABEL_V4_NULL ? 4 : 6);
		return raw(c);
	}
	return PC_LINK_OTHER;
}

/* An Ethernet type at the cursor, and what it names. */
static enum pc_link_result ether_type(struct cursor *c)
{
	for (unsigned n = 0; n < TAGS_MAX; n++) {
		uint32_t name_at = c->at;

		if (!has(c, 2))
			return PC_LINK_SHORT;
		c->at += 2;
		switch (be16dec(c->p + name_at)) {
		case ETHER_IPV4:
			return ip_here(c, PC_NAME_ETHER, name_at, 4);
		case ETHER_IPV6:
			return ip_here(c, PC_NAME_ETHER, name_at, 6);
		case ETHER_MPLS:
			return mpls(c);
		case ETHER_PPPOE:
			return pppoe(c);
		case ETHER_VLAN:
		case ETHER_QINQ:
		case ETHER_QINQ_OLD:
			c->at += 2;
			break;
		default:
			return PC_LINK_OTHER;
		}
	}
	return PC_LINK_OTHER;
}

/* RFC 1042: LLC for SNAP, organisation 0 (or the one of bridged Ethernet), Ethernet type. */
static enum pc_link_result llc(struct cursor *c)
{
	const uint8_t *p = c->p + c->at;

	if (!has(c, 8))
		return PC_LINK_SHORT;
	if (p[0] != 0xaa || p[1] != 0xaa || p[2] != 3 || p[3] != 0 || p[4] != 0 ||
	    (p[5] != 0 && p[5] != 0xf8))
		return PC_LINK_OTHER;
	c->at += 6;
	return ether_type(c);
}

static enum pc_link_result ethernet_type(struct cursor *c)
{
	if (!has(c, 2))
		return PC_LINK_SHORT;
	if (be16dec(c->p + c->at) > ETHER_LENGTH_MAX)
		return ether_type(c);
	if (!counted(c, c->at, c->at + 2, ETHER_LENGTH_MAX))
		return PC_LINK_OTHER;
	c->at += 2;
	return llc(c);
}

/* ---- link types ---- */

static enum pc_link_result ethernet(struct cursor *c)
{
	c->at += 12;
	return ethernet_type(c);
}

static enum pc_link_result netanalyzer(struct cursor *c)
{
	c->at += 4;
	return ethernet(c);
}

static bool is_af_v6(uint32_t af)
{
	return af == AF_V6_LINUX || af == AF_V6_BSD || af == AF_V6_FREEBSD || af == AF_V6_DARWIN;
}

/* In the order of the machine that captured. header_len: with whatever follows the family. */
static enum pc_link_result af_any_order(struct cursor *c, uint32_t header_len)
{
	uint32_t be, le;
	bool is_le;

	if (!has(c, header_len))
		return PC_LINK_SHORT;
	be = be32dec(c->p);
	le = le32dec(c->p);
	is_le = le < be;
	c->at += header_len;
	if ((is_le ? le : be) != AF_V4 && !is_af_v6(is_le ? le : be))
		return PC_LINK_OTHER;
	return ip_here(c, is_le ? PC_NAME_AF_LE : PC_NAME_AF_BE, 0,
		       (is_le ? le : be) == AF_V4 ? 4 : 6);
}

static enum pc_link_result null_(struct cursor *c)
{
	return af_any_order(c, 4);
}

/* OpenBSD's encapsulation interface: family, SPI, flags. */
static enum pc_link_result enc(struct cursor *c)
{
	return af_any_order(c, 12);
}

/* pflog: its own length, then the family. The header is padded to four octets. */
static enum pc_link_result pflog(struct cursor *c)
{
	uint8_t af;

	if (!has(c, 2))
		return PC_LINK_SHORT;
	af = c->p[1];
	c->at += (c->p[0] + 3u) & ~3u;
	if (af != AF_V4 && !is_af_v6(af))
		return PC_LINK_OTHER;
	return ip_here(c, PC_NAME_AF_OCTET, 1, af == AF_V4 ? 4 : 6);
}

static enum pc_link_result linux_sll(struct cursor *c)
{
	c->at += 14;
	return ether_type(c);
}

static enum pc_link_result linux_sll2(struct cursor *c)
{
	uint16_t type;

	if (!has(c, 20))
		return PC_LINK_SHORT;
	type = be16dec(c->p);
	if (type == ETHER_IPV4 || type == ETHER_IPV6) {
		c->at += 20;
		return ip_here(c, PC_NAME_ETHER, 0, type == ETHER_IPV4 ? 4 : 6);
	}
	if (type != ETHER_VLAN && type != ETHER_QINQ && type != ETHER_QINQ_OLD)
		return PC_LINK_OTHER;
	c->at += 22;
	return ether_type(c);
}

/* RFC 1662 3.1, the address and control octets left out or not. */
static enum pc_link_result ppp(struct cursor *c)
{
	if (!has(c, 2))
		return PC_LINK_SHORT;
	if (c->p[c->at] == 0xff && c->p[c->at + 1] == 3)
		c->at += 2;
	return ppp_protocol(c);
}

static enum pc_link_result ppp_with_direction(struct cursor *c)
{
	c->at += 1;
	return ppp(c);
}

/* pppd's: direction where the address was, then control. */
static enum pc_link_result ppp_pppd(struct cursor *c)
{
	c->at += 2;
	return ppp_protocol(c);
}

/* Address, control, Ethernet type. */
static enum pc_link_result cisco_hdlc(struct cursor *c)
{
	c->at += 2;
	return ether_type(c);
}

static enum pc_link_result hdlc_with_direction(struct cursor *c)
{
	c->at += 1;
	return cisco_hdlc(c);
}

/* PPP or Cisco's HDLC, told apart by the address: RFC 1547 4.3.1. */
static enum pc_link_result ppp_serial(struct cursor *c)
{
	if (!has(c, 2))
		return PC_LINK_SHORT;
	return c->p[0] == 0x0f || c->p[0] == 0x8f ? cisco_hdlc(c) : ppp(c);
}

/* RFC 2427: an address of 2 to 4 octets, the last one marked; control; a protocol. */
static enum pc_link_result frame_relay(struct cursor *c)
{
	uint32_t size = 2;

	while (size < 4 && has(c, size) && !(c->p[c->at + size - 1] & 1))
		size++;
	if (!has(c, size + 3))
		return PC_LINK_SHORT;
	c->at += size;
	if (c->p[c->at++] != 3)
		return PC_LINK_OTHER;
	if (c->p[c->at] == 0)	/* padding */
		c->at++;
	if (!has(c, 6))
		return PC_LINK_SHORT;
	switch (c->p[c->at++]) {
	case NLPID_IPV4:
		return ip_here(c, PC_NAME_NLPID, c->at - 1, 4);
	case NLPID_IPV6:
		return ip_here(c, PC_NAME_NLPID, c->at - 1, 6);
	case NLPID_SNAP:
		if (c->p[c->at] != 0 || c->p[c->at + 1] != 0 || c->p[c->at + 2] != 0)
			return PC_LINK_OTHER;
		c->at += 3;
		return ether_type(c);
	default:
		return PC_LINK_OTHER;
	}
}

static enum pc_link_result frame_relay_with_direction(struct cursor *c)
{
	c->at += 1;
	return frame_relay(c);
}

/* IEEE 802.5: source routing information if the source address says so. */
static enum pc_link_result token_ring(struct cursor *c)
{
	uint32_t routing = 0;

	if (!has(c, 15))
		return PC_LINK_SHORT;
	if ((c->p[1] & 0xc0) != 0x40)
		return PC_LINK_OTHER;
	if (c->p[8] & 0x80)
		routing = c->p[14] & 0x1f;
	c->at += 14 + routing;
	return llc(c);
}

static enum pc_link_result fddi(struct cursor *c)
{
	if (!has(c, 13))
		return PC_LINK_SHORT;
	if ((c->p[0] & 0xf0) != 0x50)
		return PC_LINK_OTHER;
	c->at += 13;
	return llc(c);
}

/* RFC 4338: two network addresses, then LLC. */
static enum pc_link_result fibre_channel(struct cursor *c)
{
	c->at += 16;
	return llc(c);
}

/* Flags that say what the traffic is, VPI, VCI. */
static enum pc_link_result sun_atm(struct cursor *c)
{
	if (!has(c, 4))
		return PC_LINK_SHORT;
	if ((c->p[0] & 0x0f) != 2)
		return PC_LINK_OTHER;
	c->at += 4;
	return llc(c);
}

static enum pc_link_result firewire(struct cursor *c)
{
	c->at += 16;
	return ether_type(c);
}

/* Direction and a header that compression did away with; the packet may be compressed too. */
static enum pc_link_result slip(struct cursor *c)
{
	c->at += 16;
	return raw(c);
}

/* IEEE 802.11 9.2.4: only data frames with data in them, and only in the clear. */
static enum pc_link_result wifi_frame(struct cursor *c, bool padded)
{
	enum { TYPE_DATA = 0x08, SUB_NO_DATA = 0x40, SUB_QOS = 0x80, DS_BOTH = 3, ORDER = 0x80,
	       PROTECTED = 0x40, AGGREGATE = 0x80 };
	uint32_t size = 24;
	uint8_t control, flags;

	if (!has(c, 24))
		return PC_LINK_SHORT;
	control = c->p[c->at];
	flags = c->p[c->at + 1];
	if ((control & 0x0c) != TYPE_DATA || (control & SUB_NO_DATA) || (flags & PROTECTED))
		return PC_LINK_OTHER;
	if ((flags & DS_BOTH) == DS_BOTH)
		size += 6;
	if (control & SUB_QOS) {
		if (!has(c, size + 2))
			return PC_LINK_SHORT;
		if (c->p[c->at + size] & AGGREGATE)
			return PC_LINK_OTHER;
		size += flags & ORDER ? 6 : 2;
	}
	if (padded)
		size = (size + 3u) & ~3u;
	c->at += size;
	return llc(c);
}

static enum pc_link_result wifi(struct cursor *c)
{
	return wifi_frame(c, false);
}

/*
 * Radiotap: version, padding, length, then words that say which fields follow. The flags come
 * first but for a clock of eight aligned octets; they say whether 802.11's header is padded.
 */
static enum pc_link_result radiotap(struct cursor *c)
{
	enum { HAS_CLOCK = 1, HAS_FLAGS = 2, FLAG_PADDED = 0x20, WORDS_MAX = 16 };
	uint32_t size, fields = 4, present;
	bool padded = false;

	if (!has(c, 8))
		return PC_LINK_SHORT;
	size = le16dec(c->p + 2);
	if (!has(c, size))
		return PC_LINK_SHORT;
	if (size < 8)
		return PC_LINK_OTHER;
	present = le32dec(c->p + 4);
	for (unsigned n = 0; n < WORDS_MAX && fields + 4 <= size; n++) {
		fields += 4;
		if (!(le32dec(c->p + fields - 4) & 0x80000000u))
			break;
	}
	if (present & HAS_CLOCK)
		fields = ((fields + 7) & ~7u) + 8;
	if ((present & HAS_FLAGS) && fields < size)
		padded = (c->p[fields] & FLAG_PADDED) != 0;
	c->at += size;
	return wifi_frame(c, padded);
}

/* AVS begins with a cookie and its length; else it is the Prism header of fixed size. */
static enum pc_link_result prism(struct cursor *c)
{
	uint32_t size = 144;

	if (!has(c, 8))
		return PC_LINK_SHORT;
	if ((be32dec(c->p) & 0xfffff000u) == 0x80211000u)
		size = be32dec(c->p + 4);
	if (!has(c, size))
		return PC_LINK_SHORT;
	c->at += size;
	return wifi_frame(c, false);
}

static enum pc_link_result ppi(struct cursor *c);
static enum pc_link_result pktap(struct cursor *c);

static const struct {
	int dlt;
	enum pc_link_result (*parse)(struct cursor *c);
} links[] = {
	{ DLT_NULL, null_ },
	{ DLT_EN10MB, ethernet },
	{ DLT_IEEE802, token_ring },
	{ DLT_SLIP, slip },
	{ DLT_PPP, ppp_serial },
	{ DLT_FDDI, fddi },
	{ DLT_ATM_RFC1483, llc },
	{ DLT_RAW, raw },
	{ DLT_PPP_SERIAL, ppp_serial },
	{ DLT_PPP_ETHER, pppoe },
	{ DLT_C_HDLC, cisco_hdlc },
	{ DLT_IEEE802_11, wifi },
	{ DLT_FRELAY, frame_relay },
	{ DLT_LOOP, null_ },
	{ DLT_ENC, enc },
	{ DLT_LINUX_SLL, linux_sll },
	{ DLT_PFLOG, pflog },
	{ DLT_PRISM_HEADER, prism },
	{ DLT_IP_OVER_FC, fibre_channel },
	{ DLT_SUNATM, sun_atm },
	{ DLT_IEEE802_11_RADIO, radiotap },
	{ DLT_APPLE_IP_OVER_IEEE1394, firewire },
	{ DLT_IEEE802_11_RADIO_AVS, prism },
	{ DLT_PPP_PPPD, ppp_pppd },
	{ DLT_PPI, ppi },
	{ DLT_PPP_WITH_DIR, ppp_with_direction },
	{ DLT_C_HDLC_WITH_DIR, hdlc_with_direction },
	{ DLT_FRELAY_WITH_DIR, frame_relay_with_direction },
	{ DLT_MPLS, mpls },
	{ DLT_IPV4, raw },
	{ DLT_IPV6, raw },
	{ DLT_NETANALYZER, netanalyzer },
	{ DLT_PKTAP, pktap },
	{ DLT_LINUX_SLL2, linux_sll2 },
};

static enum pc_link_result by_type(int dlt, struct cursor *c)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (links[i].dlt == dlt)
			return links[i].parse(c);
	}
	return PC_LINK_OTHER;
}

/* What is behind a header that names a link type; such a header does not come twice. */
static enum pc_link_result wrapped(struct cursor *c, uint32_t size, uint32_t dlt)
{
	struct cursor inner = { .len = c->len - size };
	enum pc_link_result result;

	if (dlt == DLT_PPI || dlt == DLT_PKTAP || dlt > 0xffff)
		return PC_LINK_OTHER;
	inner.p = c->p + size;
	result = by_type((int)dlt, &inner);
	if (result != PC_LINK_IP)
		return result;
	c->view = inner.view;
	c->view.ip_at += size;
	c->view.name_at += size;
	for (uint32_t i = 0; i < c->view.n_lens; i++) {
		c->view.lens[i].at += size;
		c->view.lens[i].from += size;
	}
	return PC_LINK_IP;
}

/* Version, flags, length, link type. */
static enum pc_link_result ppi(struct cursor *c)
{
	uint32_t size;

	if (!has(c, 8))
		return PC_LINK_SHORT;
	size = le16dec(c->p + 2);
	if (size < 8)
		return PC_LINK_OTHER;
	return has(c, size) ? wrapped(c, size, le32dec(c->p + 4)) : PC_LINK_SHORT;
}

/* Darwin's: length, record type, link type. */
static enum pc_link_result pktap(struct cursor *c)
{
	uint32_t size;

	if (!has(c, 12))
		return PC_LINK_SHORT;
	size = le32dec(c->p);
	if (size < 12 || le32dec(c->p + 4) != 1)
		return PC_LINK_OTHER;
	return has(c, size) ? wrapped(c, size, le32dec(c->p + 8)) : PC_LINK_SHORT;
}

int pc_link_written(int dlt)
{
	return dlt == DLT_IPV4 || dlt == DLT_IPV6 ? DLT_RAW : dlt;
}

bool pc_link_known(int dlt)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (links[i].dlt == dlt)
			return true;
	}
	return false;
}

enum pc_link_result pc_link_parse(int dlt, struct ipsp_span frame, struct pc_link_view *out)
{
	struct cursor c = { .p = frame.data, .len = (uint32_t)frame.len };
	enum pc_link_result result;

	if (frame.len > UINT32_MAX / 2)
		return PC_LINK_OTHER;
	result = by_type(dlt, &c);
	if (result == PC_LINK_IP)
		*out = c.view;
	return result;
}

static void put_name(const struct pc_link_view *view, uint8_t *header, bool is_v4)
{
	uint8_t *at = header + view->name_at;

	switch (view->name) {
	case PC_NAME_ETHER:
		be16enc(at, is_v4 ? ETHER_IPV4 : ETHER_IPV6);
		break;
	case PC_NAME_PPP:
		be16enc(at, is_v4 ? PPP_IPV4 : PPP_IPV6);
		break;
	case PC_NAME_PPP_SHORT:
		*at = is_v4 ? PPP_IPV4 : PPP_IPV6;
		break;
	case PC_NAME_NLPID:
		*at = is_v4 ? NLPID_IPV4 : NLPID_IPV6;
		break;
	case PC_NAME_AF_BE:
		be32enc(at, is_v4 ? AF_V4 : AF_V6_BSD);
		break;
	case PC_NAME_AF_LE:
		le32enc(at, is_v4 ? AF_V4 : AF_V6_BSD);
		break;
	case PC_NAME_AF_OCTET:
		*at = is_v4 ? AF_V4 : AF_V6_BSD;
		break;
	case PC_NAME_LABEL:
		be32enc(at, (be32dec(at) & 0xfff) |
			    (uint32_t)(is_v4 ? LABEL_V4_NULL : LABEL_V6_NULL) << 12);
		break;
	default:
		break;
	}
}

static uint8_t family_named(const struct pc_link_view *view, const uint8_t *header)
{
	const uint8_t *at = header + view->name_at;

	switch (view->name) {
	case PC_NAME_ETHER:
		return be16dec(at) == ETHER_IPV4 ? 4 : 6;
	case PC_NAME_PPP:
		return be16dec(at) == PPP_IPV4 ? 4 : 6;
	case PC_NAME_PPP_SHORT:
		return *at == PPP_IPV4 ? 4 : 6;
	case PC_NAME_NLPID:
		return *at == NLPID_IPV4 ? 4 : 6;
	case PC_NAME_AF_BE:
		return be32dec(at) == AF_V4 ? 4 : 6;
	case PC_NAME_AF_LE:
		return le32dec(at) == AF_V4 ? 4 : 6;
	case PC_NAME_AF_OCTET:
		return *at == AF_V4 ? 4 : 6;
	case PC_NAME_LABEL:
		return be32dec(at) >> 12 == LABEL_V4_NULL ? 4 : 6;
	default:
		return 0;
	}
}

bool pc_link_fit(const struct pc_link_view *view, uint8_t *header, uint8_t family, uint32_t ip_len)
{
	uint8_t named = family_named(view, header);

	/* A family that is named already keeps its number: BSDs have several for IPv6. */
	if (named && named != family)
		put_name(view, header, family == 4);
	for (uint32_t i = 0; i < view->n_lens; i++) {
		uint32_t len = view->ip_at - view->lens[i].from + ip_len;

		if (len > view->lens[i].max)
			return false;
		be16enc(header + view->lens[i].at, (uint16_t)len);
	}
	return true;
}
