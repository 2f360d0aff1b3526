/*
 * ipspd/guard_nft.c - the filtering half of the guard: its nftables table, in nft's words, and the
 * table's twin (ipspd/guard_table.c says what for and writes them).
 *
 *   hook              layer of a generation      list of an interface      its boxes in order
 *   in, out  --jump-->  l0_in, l0_out  --goto-->   l0_in_3    --goto-->      l0_in_3_m
 *
 * (_ah: the boxes for IPv6 packets with AH; _p: sorts out what is too short for its ports; _n: the
 * boxes that name Neighbour Discovery).
 *
 * A chain that returns lets the packet go on to the next layer; drop is final. The hooks stand where
 * a packet looks as it does on the wire: before anything changes it inbound, after source NAT
 * outbound. A box is written exactly where nft can say it; fragments and headers that hide what a box
 * asks for are dropped when they might be meant (RFC 4301 section 7). Never writes a rule that passes
 * more than a BYPASS box. Logging has rules of its own, before the verdicts', which it never changes.
 * Rules that decide count, and say for whom (ipspd/guard_count.c). Both do so once a packet: drops in
 * each layer, as they end there, passes in the newest alone.
 */
#include "config.h"

#include "ipspd/guard_kernel.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/guard_boxes.h"
#include "ipspd/marks.h"

#define HAVE_PORTS "{ 6, 17, 33, 132, 136 }"	/* TCP, UDP, DCCP, SCTP, UDP-Lite */
#define HAVE_EITHER "{ 1, 6, 17, 33, 58, 132, 135, 136 }"	/* or ICMP, ICMPv6, Mobility Header */
#define PROTO_ICMP 1
#define PROTO_UDP 17
#define PROTO_AH 51
#define PROTO_ICMPV6 58
#define PROTO_MOBILITY 135
#define NEIGHBOURS "icmpv6 type 133-137 ip6 hoplimit 255 "	/* RFC 4861 */
#define NEIGHBOUR_FIRST (133u * 256)
#define NEIGHBOUR_LAST (137u * 256 + 255)
#define TIME_MAX_S UINT64_C(9000000000)	/* the kernel counts nanoseconds in 64 bits */

/* Whose rules are written: packets are counted, and logged, for it. */
struct origin {
	uint32_t ifindex;
	uint8_t dir;
	bool newest;	/* of the layer that has all packets that pass, and says so */
	bool log;
};

/* How much of a packet a chain can see. */
enum sight {
	SEES_ALL,
	SEES_AH6,	/* IPv6 with AH: nft looks behind it, so its protocol is known by other means */
};

static bool range_is_any(uint32_t lo, uint32_t hi, uint32_t max)
{
	return lo == 0 && hi == max;
}

static bool proto_is_any(const struct ipsp_selector *s)
{
	return range_is_any(s->proto_lo, s->proto_hi, 255);
}

static bool asks_beyond_addresses(const struct ipsp_selector *s)
{
	return !proto_is_any(s) || ipsp_selector_has_ports(s);
}

/* ---- one box ---- */

static bool addr_range_is_any(const struct ipsp_addr *lo, const struct ipsp_addr *hi)
{
	for (size_t i = 0; i < ipsp_addr_size(lo->family); i++) {
		if (lo->octets[i] != 0 || hi->octets[i] != 0xff)
			return false;
	}
	return true;
}

static void put_addrs(FILE *f, const char *what, const struct ipsp_addr *lo,
		      const struct ipsp_addr *hi)
{
	char a[IPSP_ADDR_TEXT], b[IPSP_ADDR_TEXT];

	if (addr_range_is_any(lo, hi))
		return;
	fprintf(f, "%s %s %s", lo->family == 4 ? "ip" : "ip6", what, ipsp_addr_print(lo, a));
	if (ipsp_addr_cmp(lo, hi) != 0)
		fprintf(f, "-%s", ipsp_addr_print(hi, b));
	fputc(' ', f);
}

static void put_range(FILE *f, const char *what, uint32_t lo, uint32_t hi, uint32_t max)
{
	if (range_is_any(lo, hi, max))
		return;
	fprintf(f, "%s %" PRIu32, what, lo);
	if (lo != hi)
		fprintf(f, "-%" PRIu32, hi);
	fputc(' ', f);
}

/* The kernel's clock is the engine's: both change in the same second, without the agent. */
static void put_times(FILE *f, const struct guard_box *b)
{
	if (b->from_s)
		fprintf(f, "meta time >= %" PRIu64 " ", b->from_s);
	if (b->until_s && b->until_s <= TIME_MAX_S)
		fprintf(f, "meta time < %" PRIu64 " ", b->until_s);
}

/* When it is, and everything that the IP header alone says. */
static void put_network(FILE *f, const struct guard_box *b)
{
	const struct ipsp_selector *s = &b->s;

	fputs("\t\t", f);
	put_times(f, b);
	fprintf(f, "meta nfproto %s ", s->family == 4 ? "ipv4" : "ipv6");
	put_addrs(f, "saddr", &s->src_lo, &s->src_hi);
	put_addrs(f, "daddr", &s->dst_lo, &s->dst_hi);
	put_range(f, s->family == 4 ? "ip dscp" : "ip6 dscp", s->dscp_lo, s->dscp_hi,
		  IPSP_DSCP_MAX);
	if (s->family == 6)
		put_range(f, "ip6 flowlabel", s->flow_lo, s->flow_hi, IPSP_FLOW_MAX);
}

/* ---- its parts: each writes what a rule asks for; false: nothing, there is no such part ---- */

/* Only packets that can hide nothing, so fewer than those that hide nothing. */
static void put_no_fragment(FILE *f, const struct guard_box *b)
{
	fputs(b->s.family == 4 ? "ip frag-off & 0x3fff == 0 " : "exthdr frag missing ", f);
}

/* Any packet of these addresses and protocols. */
static bool match_whole(FILE *f, const struct guard_box *b)
{
	put_network(f, b);
	put_range(f, "meta l4proto", b->s.proto_lo, b->s.proto_hi, 255);
	if (b->pass && b->s.hides == IPSP_HIDES_NEVER)
		put_no_fragment(f, b);
	return true;
}

/* Protocols and ports of a box for packets that hide them: whoever passes them has asked for none. */
static bool match_hiding(FILE *f, const struct guard_box *b)
{
	const char *later = b->s.family == 4 ? "ip frag-off & 0x1fff != 0 " : "frag frag-off != 0 ";
	const char *any = b->s.family == 4 ? "ip frag-off & 0x3fff != 0 " : "exthdr frag exists ";

	if (b->pass && ipsp_selector_has_ports(&b->s))
		return false;
	match_whole(f, b);
	fputs(b->pass ? later : any, f);
	if (b->pass)
		fputs("meta l4proto " HAVE_EITHER " ", f);
	return true;
}

/* Part of the line of ports (ipsp/types.h), from its own 0 on. @return false: it is not asked for */
static bool cut_ports(uint32_t lo, uint32_t hi, uint32_t from, uint32_t *out_lo, uint32_t *out_hi)
{
	if (hi < from || lo > from + IPSP_PORT_MAX)
		return false;
	*out_lo = lo > from ? lo - from : 0;
	*out_hi = hi - from < IPSP_PORT_MAX ? hi - from : IPSP_PORT_MAX;
	return true;
}

/* Some kernels take whatever stands in a later fragment for ports. */
static void put_whole_ports(FILE *f, const struct guard_box *b)
{
	if (b->pass && b->s.hides != IPSP_HIDES_NEVER)
		fputs(b->s.family == 4 ? "ip frag-off & 0x1fff == 0 " : "exthdr frag missing ", f);
}

/* The part of a box whose packets have ports, RFC 4301 4.4.1.1. */
static bool match_with_ports(FILE *f, const struct guard_box *b)
{
	const struct ipsp_selector *s = &b->s;
	uint32_t sport_lo, sport_hi, dport_lo, dport_hi;

	if (!cut_ports(s->sport_lo, s->sport_hi, 0, &sport_lo, &sport_hi) ||
	    !cut_ports(s->dport_lo, s->dport_hi, 0, &dport_lo, &dport_hi))
		return false;
	match_whole(f, b);
	fputs("meta l4proto " HAVE_PORTS " ", f);
	if (!range_is_any(sport_lo, sport_hi, IPSP_PORT_MAX) ||
	    !range_is_any(dport_lo, dport_hi, IPSP_PORT_MAX))
		put_whole_ports(f, b);
	put_range(f, "th sport", sport_lo, sport_hi, IPSP_PORT_MAX);
	put_range(f, "th dport", dport_lo, dport_hi, IPSP_PORT_MAX);
	return true;
}

static bool has_proto(const struct ipsp_selector *s, uint8_t proto)
{
	return s->proto_lo <= proto && proto <= s->proto_hi;
}

/* The messages of a box. @return false: there are none */
static bool messages_of(const struct ipsp_selector *s, uint32_t *lo, uint32_t *hi)
{
	return s->dport_hi == IPSP_PORT_NONE &&
	       cut_ports(s->sport_lo, s->sport_hi, IPSP_PORT_MESSAGE, lo, hi);
}

/* The part whose packets are ICMP or ICMPv6: type and code are two octets in a row. */
static bool match_icmp(FILE *f, const struct guard_box *b)
{
	uint32_t lo, hi;

	if ((!has_proto(&b->s, PROTO_ICMP) && !has_proto(&b->s, PROTO_ICMPV6)) ||
	    !messages_of(&b->s, &lo, &hi))
		return false;
	match_whole(f, b);
	fputs("meta l4proto { 1, 58 } ", f);
	if (!range_is_any(lo, hi, IPSP_PORT_MAX))
		put_whole_ports(f, b);
	put_range(f, "@th,0,16", lo, hi, IPSP_PORT_MAX);
	return true;
}

/* The part whose packets are Mobility Headers; only types at the 256s can be there. */
static bool match_mobility(FILE *f, const struct guard_box *b)
{
	uint32_t lo, hi;

	if (!has_proto(&b->s, PROTO_MOBILITY) || !messages_of(&b->s, &lo, &hi))
		return false;
	lo = (lo + 255) / 256;
	hi = hi / 256;
	/* nft knows no Mobility Header of IPv4, nor does anybody send one. */
	if (lo > hi || (b->pass && b->s.family == 4 && !range_is_any(lo, hi, 255)))
		return false;
	match_whole(f, b);
	fputs("meta l4proto 135 ", f);
	if (b->s.family == 6 && !range_is_any(lo, hi, 255)) {
		put_whole_ports(f, b);
		put_range(f, "mh type", lo, hi, 255);
	}
	return true;
}

/* The part whose packets have neither. */
static bool match_without_ports(FILE *f, const struct guard_box *b)
{
	if (b->s.sport_hi != IPSP_PORT_NONE || b->s.dport_hi != IPSP_PORT_NONE)
		return false;
	match_whole(f, b);
	fputs("meta l4proto != " HAVE_EITHER " ", f);
	return true;
}

/* A fragment that is not the first hides its ports: it may be what this box wants dropped. */
static bool match_fragments(FILE *f, const struct guard_box *b)
{
	if (b->pass)
		return false;
	match_whole(f, b);
	fputs(b->s.family == 4 ? "ip frag-off & 0x1fff != 0 " : "frag frag-off != 0 ", f);
	return true;
}

/* The box for an IPv6 packet known to carry AH, which has no ports. */
static bool match_ah6(FILE *f, const struct guard_box *b)
{
	const struct ipsp_selector *s = &b->s;

	if (s->family != 6 || !has_proto(s, PROTO_AH) || s->hides == IPSP_HIDES_ONLY ||
	    s->sport_hi != IPSP_PORT_NONE || s->dport_hi != IPSP_PORT_NONE)
		return false;
	put_network(f, b);
	if (b->pass && s->hides == IPSP_HIDES_NEVER)
		put_no_fragment(f, b);
	return true;
}

/* ---- its rules ---- */

static void put_log(FILE *f, const struct guard_box *b)
{
	unsigned action = b->pass ? IPSP_BYPASS : b->discard ? IPSP_DISCARD : IPSP_PROTECT;

	fprintf(f, "limit rate %d/second burst %d packets log prefix \"%" PRIx64 " %u\" group %d\n",
		IPSPD_LOG_RATE, IPSPD_LOG_BURST, b->id, action, IPSPD_LOG_GROUP);
}

static void put_drop(FILE *f, const struct origin *o, enum wire_guard_what what, uint64_t id)
{
	fputs("counter drop", f);
	guard_counts_mark(f, (uint8_t)what, id, o->ifindex, o->dir);
	fputc('\n', f);
}

static void put_verdict(FILE *f, const struct guard_box *b, const struct origin *o,
			bool is_fragment)
{
	if (!b->pass) {
		put_drop(f, o, is_fragment ? WIRE_GUARD_FRAGMENT :
			 b->discard ? WIRE_GUARD_DISCARDED : WIRE_GUARD_UNPROTECTED, b->id);
		return;
	}
	fputs("counter return", f);
	if (o->newest)
		guard_counts_mark(f, WIRE_GUARD_PASSED, b->id, o->ifindex, o->dir);
	fputc('\n', f);
}

static void put_ask(FILE *f, const char *prefix)
{
	fprintf(f, "log prefix \"%s\" group %d snaplen %d counter drop\n", prefix,
		IPSPD_HANDOVER_GROUP, IPSPD_HANDOVER_COPY);
}

/* Might a message of Neighbour Discovery be in the box? */
static bool has_neighbours(const struct guard_box *b)
{
	uint32_t lo, hi;

	return b->s.family == 6 && has_proto(&b->s, PROTO_ICMPV6) && messages_of(&b->s, &lo, &hi) &&
	       lo <= NEIGHBOUR_LAST && hi >= NEIGHBOUR_FIRST;
}

/*
 * Where only some packets of a box are meant, the engine says which. What it lets in comes out of our
 * TUN, and nothing of a link's own would be understood there: Neighbour Discovery that might be
 * dropped is dropped here, that which might be passed is left to what follows.
 */
static void put_ask_part(FILE *f, const struct guard_box *b, const struct origin *o,
			 bool (*match)(FILE *f, const struct guard_box *b))
{
	static const char *const others[] = {
		"meta l4proto != icmpv6 ", "icmpv6 type != 133-137 ", "ip6 hoplimit != 255 ",
	};

	if (o->dir == IPSP_OUTBOUND || !has_neighbours(b)) {
		if (match(f, b))
			put_ask(f, IPSPD_HANDOVER);
		return;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (!match(f, b))
			return;
		fputs(others[i], f);
		put_ask(f, IPSPD_HANDOVER);
	}
	if (b->discard && match(f, b)) {
		fputs(NEIGHBOURS, f);
		put_drop(f, o, WIRE_GUARD_DISCARDED, b->id);
	}
}

/* What is beyond the limit is not logged, and gets its verdict all the same: hence two rules. */
static void put_part(FILE *f, const struct guard_box *b, const struct origin *o,
		     bool (*match)(FILE *f, const struct guard_box *b))
{
	if (b->ask) {
		put_ask_part(f, b, o, match);
		return;
	}
	if (o->log && b->log && b->id && (o->newest || !b->pass) && match(f, b))
		put_log(f, b);
	if (match(f, b))
		put_verdict(f, b, o, match == match_fragments);
}

static void put_box(FILE *f, const struct guard_box *b, const struct origin *o)
{
	/* The kernel's clock ends before. */
	if (b->from_s > TIME_MAX_S)
		return;
	/* One with a predicate is asked of all packets that might be meant. */
	if (b->s.hides == IPSP_HIDES_ONLY && !b->ask) {
		put_part(f, b, o, match_hiding);
		return;
	}
	if (!ipsp_selector_has_ports(&b->s)) {
		put_part(f, b, o, match_whole);
		return;
	}
	put_part(f, b, o, match_fragments);
	put_part(f, b, o, match_with_ports);
	put_part(f, b, o, match_icmp);
	put_part(f, b, o, match_mobility);
	put_part(f, b, o, match_without_ports);
}

/* ---- one list ---- */

/* RFC 4861: without it no neighbour is found; a router never forwards it (hop limit 255). */
static void put_end(FILE *f, const struct origin *o)
{
	fputs("\t\t" NEIGHBOURS "return\n\t\t", f);
	put_drop(f, o, WIRE_GUARD_END, 0);
	fputs("\t}\n", f);
}

static void put_boxes_chain(FILE *f, const char *name, const char *suffix,
			    const struct guard_boxes *boxes, const struct origin *o,
			    enum sight sight)
{
	fprintf(f, "\tchain %s_%s {\n", name, suffix);
	for (size_t i = 0; i < boxes->n; i++) {
		if (sight == SEES_ALL)
			put_box(f, &boxes->items[i], o);
		else
			put_part(f, &boxes->items[i], o, match_ah6);
	}
	put_end(f, o);
}

/* Does the box name a protocol of ours, and not just everything? */
static bool names_own_protocol(const struct ipsp_selector *s)
{
	if (s->proto_lo != s->proto_hi)
		return false;
	if (s->proto_lo == 50 || s->proto_lo == PROTO_AH)
		return true;
	bool has_500 = s->dport_lo <= 500 && s->dport_hi >= 500;
	bool has_4500 = s->dport_lo <= 4500 && s->dport_hi >= 4500;
	return s->proto_lo == PROTO_UDP && (has_500 || has_4500) &&
	       !range_is_any(s->dport_lo, s->dport_hi, IPSP_PORT_NONE);
}

/* What may drop some of them: of those alone, as the engine lets the others pass. */
static void put_own_ask(FILE *f, const struct guard_box *b)
{
	if (b->s.proto_lo != PROTO_UDP) {
		match_whole(f, b);
	} else {
		if (!match_with_ports(f, b))
			return;
		fputs("udp dport { 500, 4500 } ", f);
	}
	fputs("fib daddr type local ", f);
	put_ask(f, IPSPD_HANDOVER_OWN);
}

/*
 * What routers say of the path of our own ESP and AH is for the engine to judge (RFC 4301 6.1.1, 8.2): it
 * quotes such a packet, in its IPv4 or IPv6 header's protocol, and is for this device.
 */
static void put_path_errors(FILE *f)
{
	fputs("\t\ticmp type destination-unreachable icmp code frag-needed @th,136,8 { 17, 50, 51 } "
	      "fib daddr type local return\n"
	      "\t\ticmpv6 type packet-too-big @th,112,8 { 17, 50, 51 } fib daddr type local return\n",
	      f);
}

/*
 * The headers that may name AH. nft looks behind it in IPv6, and finds no protocol at all in its later
 * fragments.
 */
static const char *const before_ah[] = { "ip6", "hbh", "rt", "dst", "frag" };

/*
 * ESP, AH and IKE addressed to ourselves are judged by SAs, not by selectors, unless an entry that
 * names them says otherwise.
 */
static void put_own_protocols(FILE *f, const struct guard_boxes *boxes, const struct origin *o)
{
	for (size_t i = 0; i < boxes->n; i++) {
		const struct guard_box *b = &boxes->items[i];

		if (!names_own_protocol(&b->s))
			continue;
		if (b->ask && b->discard)
			put_own_ask(f, b);
		else if (!b->ask && (b->pass || b->discard))
			put_box(f, b, o);
	}
	fputs("\t\tmeta l4proto { 50, 51 } fib daddr type local return\n", f);
	for (size_t i = 0; i < sizeof(before_ah) / sizeof(before_ah[0]); i++)
		fprintf(f, "\t\t%s nexthdr 51 fib daddr type local return\n", before_ah[i]);
	fputs("\t\tudp dport { 500, 4500 } fib daddr type local return\n", f);
	put_path_errors(f);
}

/* IPv6 headers may hide the protocol from nft: sorts those packets out before any box is asked. */
static void put_sorting(FILE *f, const char *name, const struct origin *o, char next)
{
	fprintf(f, "\t\tmeta nfproto ipv4 goto %s_%c\n", name, next);
	for (size_t i = 0; i < sizeof(before_ah) / sizeof(before_ah[0]); i++)
		fprintf(f, "\t\t%s nexthdr 51 goto %s_ah\n", before_ah[i], name);
	/* True of every packet whose protocol can be found. */
	fprintf(f, "\t\tmeta l4proto { 0-255 } goto %s_%c\n\t\t", name, next);
	put_drop(f, o, WIRE_GUARD_HIDDEN, 0);
}

/*
 * Drops what is too short for the ports or message of its protocol, and not a later fragment: a box
 * that asks for them would miss it, and the next one might pass it.
 */
static void put_ports_chain(FILE *f, const char *name, const struct origin *o)
{
	fprintf(f, "\tchain %s_p {\n", name);
	fprintf(f, "\t\tip frag-off & 0x1fff != 0 goto %s_m\n", name);
	fprintf(f, "\t\tfrag frag-off != 0 goto %s_m\n", name);
	fprintf(f, "\t\tmeta l4proto != " HAVE_EITHER " goto %s_m\n", name);
	/* Each true of every packet that has one. */
	fprintf(f, "\t\tmeta l4proto " HAVE_PORTS " th dport { 0-65535 } goto %s_m\n", name);
	fprintf(f, "\t\tmeta l4proto { 1, 58 } @th,0,16 { 0-65535 } goto %s_m\n", name);
	fprintf(f, "\t\tmeta nfproto ipv4 meta l4proto 135 goto %s_m\n", name);
	fprintf(f, "\t\tmh type { 0-255 } goto %s_m\n\t\t", name);
	put_drop(f, o, WIRE_GUARD_SHORT, 0);
	fputs("\t}\n", f);
}

/*
 * Neighbour Discovery passes, but for what boxes say that name ICMPv6 and no other protocol: as the engine
 * has it (engine/neighbour.h). In order, and before all others.
 */
static bool names_neighbours(const struct guard_box *b)
{
	return b->s.proto_lo == b->s.proto_hi && has_neighbours(b);
}

static void put_neighbours(FILE *f, const char *name, const struct guard_boxes *boxes,
			   const struct origin *o)
{
	fprintf(f, "\tchain %s_n {\n", name);
	for (size_t i = 0; i < boxes->n; i++) {
		if (names_neighbours(&boxes->items[i]))
			put_box(f, &boxes->items[i], o);
	}
	fputs("\t\treturn\n\t}\n", f);
}

static bool put_list(FILE *f, const struct ipsp_spd_list *l, const char *name, size_t max,
		     const struct origin *o)
{
	struct guard_boxes boxes;
	bool beyond = false, ports = false;

	if (!guard_boxes_make(l, max, &boxes))
		return false;
	for (size_t i = 0; i < boxes.n; i++) {
		beyond |= boxes.items[i].s.family == 6 && asks_beyond_addresses(&boxes.items[i].s);
		ports |= ipsp_selector_has_ports(&boxes.items[i].s);
	}
	put_boxes_chain(f, name, "m", &boxes, o, SEES_ALL);
	if (beyond)
		put_boxes_chain(f, name, "ah", &boxes, o, SEES_AH6);
	if (ports)
		put_ports_chain(f, name, o);
	put_neighbours(f, name, &boxes, o);
	fprintf(f, "\tchain %s {\n\t\t" NEIGHBOURS "goto %s_n\n", name, name);
	if (l->dir == IPSP_INBOUND)
		put_own_protocols(f, &boxes, o);
	if (beyond)
		put_sorting(f, name, o, ports ? 'p' : 'm');
	else
		fprintf(f, "\t\tgoto %s_%c\n", name, ports ? 'p' : 'm');
	fputs("\t}\n", f);
	guard_boxes_fini(&boxes);
	return true;
}

/* ---- layers ---- */

static const char *dir_name(uint8_t dir)
{
	return dir == IPSP_INBOUND ? "in" : "out";
}

/* Which list an interface has: its own, or the one of all others. */
static void put_dispatch(FILE *f, const struct wire_gen *g, size_t layer, uint8_t dir)
{
	const char *how = dir == IPSP_INBOUND ? "iif" : "oif";
	bool any = false, everywhere = false;

	fprintf(f, "\tchain l%zu_%s {\n", layer, dir_name(dir));
	for (size_t i = 0; i < g->n_lists; i++) {
		const struct ipsp_spd_list *l = &g->lists[i];

		if (l->dir != dir)
			continue;
		everywhere |= l->ifindex == 0;
		if (l->ifindex == 0)
			continue;
		fprintf(f, "%s%" PRIu32 " : goto l%zu_%s_%" PRIu32,
			any ? ", " : dir == IPSP_INBOUND ? "\t\tiif vmap { " : "\t\toif vmap { ",
			l->ifindex, layer, dir_name(dir), l->ifindex);
		any = true;
	}
	if (any)
		fputs(" }\n", f);
	if (everywhere)
		fprintf(f, "\t\t%sname != \"lo\" goto l%zu_%s_0\n", how, layer, dir_name(dir));
	fputs("\t}\n", f);
}

static size_t count_boxes(const struct guard_view *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n_layers; i++) {
		for (size_t j = 0; j < v->layers[i].gen->n_lists; j++)
			n += guard_boxes_count(&v->layers[i].gen->lists[j]);
	}
	return n;
}

static bool put_layer(FILE *f, const struct guard_view *v, bool logs, size_t layer,
		      size_t total)
{
	const struct wire_gen *g = v->layers[layer].gen;
	bool newest = layer + 1 == v->n_layers;

	for (size_t i = 0; i < g->n_lists; i++) {
		const struct ipsp_spd_list *l = &g->lists[i];
		size_t n = guard_boxes_count(l);
		size_t max = total <= GUARD_BOXES_MAX ? n : GUARD_BOXES_MAX * n / total;
		const struct origin o = { .ifindex = l->ifindex, .dir = l->dir, .newest = newest,
					  .log = logs };
		char name[48];

		snprintf(name, sizeof(name), "l%zu_%s_%" PRIu32, layer, dir_name(l->dir),
			 l->ifindex);
		if (!put_list(f, l, name, max > 8 ? max : 8, &o))
			return false;
	}
	put_dispatch(f, g, layer, IPSP_INBOUND);
	put_dispatch(f, g, layer, IPSP_OUTBOUND);
	return true;
}

static void put_hook(FILE *f, const struct guard_view *v, int later, uint8_t dir)
{
	bool in = dir == IPSP_INBOUND;

	fprintf(f, "\tchain %s {\n\t\ttype filter hook %s priority %d; policy accept;\n",
		dir_name(dir), in ? "prerouting" : "postrouting", (in ? -350 : 300) + later);
	fprintf(f, "\t\t%sname \"lo\" accept\n", in ? "iif" : "oif");
	if (v->tun_ifindex)
		fprintf(f, "\t\t%s %" PRIu32 " accept\n", in ? "iif" : "oif", v->tun_ifindex);
	fprintf(f, "\t\tmeta mark & 0x%08x == { 0x%08x, 0x%08x } accept\n", IPSPD_MARK_MASK,
		IPSPD_MARK_BYPASS, IPSPD_MARK_JUDGED);
	for (size_t i = 0; i < v->n_layers; i++)
		fprintf(f, "\t\tjump l%zu_%s\n", i, dir_name(dir));
	fputs("\t}\n", f);
}

static bool entry_protects_neighbours(const struct ipsp_spd_entry *e)
{
	for (uint32_t i = 0; e->action == IPSP_PROTECT && i < e->n_selectors; i++) {
		const struct guard_box b = { .s = e->selectors[i] };

		if (names_neighbours(&b))
			return true;
	}
	return false;
}

/* Is there an entry that names it and wants it protected? Then the engine sorts out which of it. */
static bool protects_neighbours(const struct guard_view *v)
{
	for (size_t i = 0; i < v->n_layers; i++) {
		const struct wire_gen *g = v->layers[i].gen;

		for (size_t j = 0; j < g->n_lists; j++) {
			const struct ipsp_spd_list *l = &g->lists[j];

			for (size_t k = 0; l->dir == IPSP_OUTBOUND && k < l->n_entries; k++)
				if (entry_protects_neighbours(&l->entries[k]))
					return true;
		}
	}
	return false;
}

/*
 * A packet of this machine is first routed before it has a source address, so the ip rules that ask
 * for one miss it. Changing its mark makes the kernel ask them again.
 */
static void put_reroute(FILE *f, const struct guard_view *v, int later)
{
	fprintf(f, "\tchain reroute {\n\t\ttype route hook output priority %d; policy accept;\n"
		   "\t\tmeta mark & 0x%08x == 0x%08x accept\n", -140 + later, IPSPD_MARK_MASK,
		IPSPD_MARK_BYPASS);
	fputs("\t\toifname \"lo\" accept\n", f);
	if (!protects_neighbours(v))
		fputs("\t\t" NEIGHBOURS "accept\n", f);
	for (size_t i = 0; i < v->steered.n; i++) {
		const struct guard_pair *p = &v->steered.items[i];
		const char *ip = p->family == 4 ? "ip" : "ip6";
		char a[IPSP_ADDR_TEXT];

		fprintf(f, "\t\tmeta nfproto %s ", p->family == 4 ? "ipv4" : "ipv6");
		if (p->src_len)
			fprintf(f, "%s saddr %s/%u ", ip, ipsp_addr_print(&p->src, a), p->src_len);
		if (p->dst_len)
			fprintf(f, "%s daddr %s/%u ", ip, ipsp_addr_print(&p->dst, a), p->dst_len);
		fprintf(f, "meta mark set meta mark | 0x%08x accept\n", IPSPD_MARK_REROUTE);
	}
	fputs("\t}\n", f);
}

/* ---- tables ---- */

struct table {
	const char *name;
	const char *flags;	/* as nft writes them */
	int later;		/* added to the priorities of its hooks */
	bool log;
};

/* Added so that deleting cannot fail; the kernel sees one change. */
static bool put_table(FILE *f, const struct guard_view *v, const struct table *t)
{
	size_t total = count_boxes(v);
	bool good = true;

	fprintf(f, "add table inet %s { %s }\ndelete table inet %s\ntable inet %s {\n\t%s\n",
		t->name, t->flags, t->name, t->name, t->flags);
	for (size_t i = 0; good && i < v->n_layers; i++)
		good = put_layer(f, v, t->log, i, total);
	put_hook(f, v, t->later, IPSP_INBOUND);
	put_hook(f, v, t->later, IPSP_OUTBOUND);
	put_reroute(f, v, t->later);
	fputs("}\n", f);
	return good;
}

char *guard_nft_text(const struct guard_view *v)
{
	/* The twin comes behind, so that it is the table that counts and logs. */
	const struct table table = { .name = IPSPD_NFT_TABLE, .flags = "", .log = v->log };
	const struct table twin = { .name = IPSPD_NFT_TWIN, .flags = "flags owner;", .later = 1 };
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	bool good = put_table(f, v, &table) && (!v->owner || put_table(f, v, &twin));

	good = ferror(f) == 0 && good;
	if (fclose(f) != 0 || !good) {
		free(text);
		return NULL;
	}
	return text;
}
