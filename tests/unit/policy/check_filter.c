/* tests/unit/policy/check_filter.c - filter rows against direct evaluation of the same filters. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rowtext.h"

#define ROUNDS 60
#define POINTS 300
#define CLASSIFIERS 6
#define COMPOUNDS 4
#define MEMBERS 3

/* A classifier as RFC 3289 words it, kept apart from how rows and boxes do. */
struct classifier {
	bool v6;
	unsigned src_bits, dst_bits;	/* of the first two octets only */
	uint8_t src[2], dst[2];
	int dscp;
	long flow;			/* -1: unset */
	unsigned proto;
	unsigned sport_min, sport_max, dport_min, dport_max;
};

struct member {
	bool is_compound;
	unsigned number;
	bool negated;
};

struct compound {
	bool is_or;
	unsigned n;
	struct member m[MEMBERS];
};

struct filters {
	struct classifier c[CLASSIFIERS];
	struct compound f[COMPOUNDS];	/* each only names ones before it */
};

static void port_pair(struct dice *d, unsigned *min, unsigned *max)
{
	static const unsigned ports[] = { 0, 22, 23, 24, 80, 443, 65534, 65535 };
	unsigned a = ports[dice_roll(d, 8)], b = ports[dice_roll(d, 8)];

	*min = dice_roll(d, 2) ? 0 : a < b ? a : b;
	*max = *min == 0 && dice_roll(d, 2) ? 65535 : a < b ? b : a;
}

static void random_classifier(struct dice *d, struct classifier *c)
{
	static const unsigned bits[] = { 0, 1, 8, 12, 16 };
	static const uint8_t octets[] = { 0, 1, 10, 127, 128, 255 };
	static const unsigned protos[] = { 1, 6, 17, 255, 255 };
	static const int dscps[] = { -1, -1, 0, 46, 63 };

	c->v6 = dice_roll(d, 2);
	c->src_bits = bits[dice_roll(d, 5)];
	c->dst_bits = bits[dice_roll(d, 5)];
	for (int i = 0; i < 2; i++) {
		c->src[i] = octets[dice_roll(d, 6)];
		c->dst[i] = octets[dice_roll(d, 6)];
	}
	c->dscp = dscps[dice_roll(d, 5)];
	c->flow = dice_roll(d, 4) ? -1 : 0x12345;
	c->proto = protos[dice_roll(d, 5)];
	port_pair(d, &c->sport_min, &c->sport_max);
	port_pair(d, &c->dport_min, &c->dport_max);
}

static void random_filters(struct dice *d, struct filters *f)
{
	for (unsigned i = 0; i < CLASSIFIERS; i++)
		random_classifier(d, &f->c[i]);
	for (unsigned i = 0; i < COMPOUNDS; i++) {
		f->f[i].is_or = dice_roll(d, 2);
		f->f[i].n = dice_roll(d, 8) ? 1 + dice_roll(d, MEMBERS) : 0;
		for (unsigned j = 0; j < f->f[i].n; j++) {
			struct member *m = &f->f[i].m[j];

			m->is_compound = i > 0 && dice_roll(d, 2);
			m->number = dice_roll(d, m->is_compound ? i : CLASSIFIERS);
			m->negated = dice_roll(d, 2);
		}
	}
}

static bool prefix_has(const uint8_t net[2], unsigned bits, const struct ipsp_addr *a)
{
	unsigned mask = 0xffffu & ~(0xffffu >> bits);

	return ((unsigned)(net[0] << 8 | net[1]) & mask) ==
	       ((unsigned)(a->octets[0] << 8 | a->octets[1]) & mask);
}

static bool ports_have(unsigned min, unsigned max, uint32_t port)
{
	return (min == 0 && max == 65535) ||
	       (port != IPSP_PORT_NONE && port >= min && port <= max);
}

static bool classifier_is(const struct classifier *c, const struct packet *p)
{
	return (p->family == 6) == c->v6 && prefix_has(c->src, c->src_bits, &p->src) &&
	       prefix_has(c->dst, c->dst_bits, &p->dst) &&
	       (c->dscp < 0 || c->dscp == p->dscp) &&
	       (c->flow < 0 || !c->v6 || c->flow == (long)p->flow) &&
	       (c->proto == 255 || c->proto == p->proto) &&
	       ports_have(c->sport_min, c->sport_max, p->sport) &&
	       ports_have(c->dport_min, c->dport_max, p->dport);
}

static bool compound_is(const struct filters *f, unsigned number, const struct packet *p)
{
	bool is[COMPOUNDS];

	for (unsigned i = 0; i <= number; i++) {
		const struct compound *c = &f->f[i];
		bool all = true, any = false;

		for (unsigned j = 0; j < c->n; j++) {
			const struct member *m = &c->m[j];
			bool r = m->is_compound ? is[m->number]
						: classifier_is(&f->c[m->number], p);

			r = r != m->negated;
			all = all && r;
			any = any || r;
		}
		is[i] = c->n > 0 && (c->is_or ? any : all);
	}
	return is[number];
}

static void put_filters(struct mib_store *s, const struct filters *f)
{
	char line[512];

	for (unsigned i = 0; i < CLASSIFIERS; i++) {
		const struct classifier *c = &f->c[i];
		const char *form = c->v6 ? "%x%02x::" : "%u.%u.0.0";
		char src[40], dst[40];
		int n;

		snprintf(src, sizeof(src), form, c->src[0], c->src[1]);
		snprintf(dst, sizeof(dst), form, c->dst[0], c->dst[1]);
		n = snprintf(line, sizeof(line),
			     "+ clfr %u AddrType=%s SrcAddr=%s SrcPrefixLength=%u DstAddr=%s "
			     "DstPrefixLength=%u Dscp=%d Protocol=%u SrcL4PortMin=%u "
			     "SrcL4PortMax=%u DstL4PortMin=%u DstL4PortMax=%u", i + 1,
			     c->v6 ? "ipv6" : "ipv4", src, c->src_bits, dst, c->dst_bits, c->dscp,
			     c->proto, c->sport_min, c->sport_max, c->dport_min, c->dport_max);
		if (c->flow >= 0)
			snprintf(line + n, sizeof(line) - (size_t)n, " FlowId=%ld", c->flow);
		rows_put(s, line);
	}
	for (unsigned i = 0; i < COMPOUNDS; i++) {
		snprintf(line, sizeof(line), "+ filter f%u LogicType=%s", i,
			 f->f[i].is_or ? "or" : "and");
		rows_put(s, line);
		for (unsigned j = 0; j < f->f[i].n; j++) {
			const struct member *m = &f->f[i].m[j];
			char target[80];

			snprintf(target, sizeof(target), m->is_compound
				 ? "spdCompFiltDescription.\"f%u\""
				 : "diffServMultiFieldClfrAddrType.%u",
				 m->is_compound ? m->number : m->number + 1);
			snprintf(line, sizeof(line),
				 "+ subfilter f%u,%u Subfilter=%s SubfilterIsNegated=%s", i, j,
				 target, m->negated ? "true" : "false");
			rows_put(s, line);
		}
	}
}

START_TEST(test_compiled_filters_agree_with_direct_evaluation)
{
	struct dice d = { 3289 };
	unsigned matched = 0, passed = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct mib_store *s = store_new();
		struct filters f;
		bool negated = dice_roll(&d, 2);
		struct pol_generation *g;
		char line[256];

		random_filters(&d, &f);
		put_filters(s, &f);
		snprintf(line, sizeof(line),
			 "+ rule r Filter=spdCompFiltDescription.\"f%d\" FilterNegated=%s "
			 "Action=spdAcceptAction.0", COMPOUNDS - 1, negated ? "true" : "false");
		rows_put(s, line);
		/* The guard is another filter of the same tree. */
		rows_put(s, "+ contents g,1 ComponentName=r "
			    "Filter=spdCompFiltDescription.\"f0\"");
		rows_put(s, "+ endpoint 2,2 Name=g");
		g = compile(s);
		ck_assert_str_eq(problem_of(s, g, "rule", "r"), "");
		for (int j = 0; j < POINTS; j++) {
			struct packet p;
			bool is;

			dice_packet(&d, &p);
			is = compound_is(&f, 0, &p) &&
			     compound_is(&f, COMPOUNDS - 1, &p) != negated;
			ck_assert_int_eq(verdict(list_of(g, 2, IPSP_OUTBOUND), &p),
					 is ? IPSP_BYPASS : IPSP_DISCARD);
			*(is ? &matched : &passed) += 1;
		}
		pol_generation_free(g);
		mib_store_free(s);
	}
	ck_assert_uint_gt(matched, ROUNDS);
	ck_assert_uint_gt(passed, ROUNDS);
}
END_TEST

/* Rules with one classifier: who matches, who does not. */
static const struct {
	const char *name;
	const char *columns;
	const char *src, *dst;
	uint8_t proto;
	uint32_t sport, dport;
	uint8_t dscp;
	uint32_t flow;
	bool matches;
} classifier_cases[] = {
	{ "addresses unset are any", "AddrType=ipv4", "192.0.2.7", "10.0.0.1", 6, 1, 2, 0, 0,
	  true },
	{ "an IPv4 classifier and an IPv6 packet", "AddrType=ipv4", "2001:db8::1", "2001:db8::2",
	  6, 1, 2, 0, 0, false },
	{ "length 0 makes an address any", "AddrType=ipv4 DstAddr=10.9.9.9", "192.0.2.7",
	  "172.16.0.1", 6, 1, 2, 0, 0, true },
	{ "last address of a prefix", "AddrType=ipv4 DstAddr=10.2.0.0 DstPrefixLength=16",
	  "192.0.2.7", "10.2.255.255", 6, 1, 2, 0, 0, true },
	{ "first address behind a prefix", "AddrType=ipv4 DstAddr=10.2.0.0 DstPrefixLength=16",
	  "192.0.2.7", "10.3.0.0", 6, 1, 2, 0, 0, false },
	{ "host bits of the address do not count",
	  "AddrType=ipv4 SrcAddr=10.2.3.4 SrcPrefixLength=16", "10.2.200.1", "10.9.0.1", 6, 1, 2,
	  0, 0, true },
	{ "a host", "AddrType=ipv6 SrcAddr=2001:db8::1 SrcPrefixLength=128", "2001:db8::1",
	  "2001:db8::2", 58, IPSP_PORT_NONE, IPSP_PORT_NONE, 0, 0, true },
	{ "another host", "AddrType=ipv6 SrcAddr=2001:db8::1 SrcPrefixLength=128", "2001:db8::3",
	  "2001:db8::2", 58, IPSP_PORT_NONE, IPSP_PORT_NONE, 0, 0, false },
	{ "all ports and a packet without", "AddrType=ipv4 DstL4PortMin=0 DstL4PortMax=65535",
	  "192.0.2.7", "10.0.0.1", 1, IPSP_PORT_NONE, IPSP_PORT_NONE, 0, 0, true },
	{ "all ports but one and a packet without",
	  "AddrType=ipv4 DstL4PortMin=1 DstL4PortMax=65535", "192.0.2.7", "10.0.0.1", 1,
	  IPSP_PORT_NONE, IPSP_PORT_NONE, 0, 0, false },
	{ "the port asked for", "AddrType=ipv4 Protocol=6 DstL4PortMin=23 DstL4PortMax=23",
	  "192.0.2.7", "10.0.0.1", 6, 4000, 23, 0, 0, true },
	{ "the port beside it", "AddrType=ipv4 Protocol=6 DstL4PortMin=23 DstL4PortMax=23",
	  "192.0.2.7", "10.0.0.1", 6, 4000, 24, 0, 0, false },
	{ "source ports are not destination ports",
	  "AddrType=ipv4 SrcL4PortMin=23 SrcL4PortMax=23", "192.0.2.7", "10.0.0.1", 6, 4000, 23,
	  0, 0, false },
	{ "protocol 255 is any", "AddrType=ipv4 Protocol=255", "192.0.2.7", "10.0.0.1", 17, 1, 2,
	  0, 0, true },
	{ "another protocol", "AddrType=ipv4 Protocol=6", "192.0.2.7", "10.0.0.1", 17, 1, 2, 0, 0,
	  false },
	{ "DSCP -1 is any", "AddrType=ipv4 Dscp=-1", "192.0.2.7", "10.0.0.1", 17, 1, 2, 46, 0,
	  true },
	{ "the DSCP asked for", "AddrType=ipv4 Dscp=46", "192.0.2.7", "10.0.0.1", 17, 1, 2, 46, 0,
	  true },
	{ "DSCP 0 is not any", "AddrType=ipv4 Dscp=0", "192.0.2.7", "10.0.0.1", 17, 1, 2, 46, 0,
	  false },
	{ "an unset flow label is any", "AddrType=ipv6", "2001:db8::1", "2001:db8::2", 6, 1, 2, 0,
	  7, true },
	{ "flow label 0 is not any", "AddrType=ipv6 FlowId=0", "2001:db8::1", "2001:db8::2", 6, 1,
	  2, 0, 7, false },
	{ "the flow label asked for", "AddrType=ipv6 FlowId=7", "2001:db8::1", "2001:db8::2", 6,
	  1, 2, 0, 7, true },
	{ "IPv4 has no flow label", "AddrType=ipv4 FlowId=7", "192.0.2.7", "10.0.0.1", 6, 1, 2, 0,
	  0, true },
};

START_TEST(test_a_classifier_matches_what_it_says)
{
	struct mib_store *s = store_new();
	struct packet p = packet(classifier_cases[_i].src, classifier_cases[_i].dst,
				 classifier_cases[_i].proto, classifier_cases[_i].sport,
				 classifier_cases[_i].dport);
	struct pol_generation *g;
	char line[256];

	p.dscp = classifier_cases[_i].dscp;
	p.flow = classifier_cases[_i].flow;
	snprintf(line, sizeof(line), "+ clfr 7 %s", classifier_cases[_i].columns);
	rows_put(s, line);
	rows_put(s, "+ rule yes Filter=diffServMultiFieldClfrAddrType.7 Action=spdAcceptAction.0\n"
		    "+ rule no Filter=diffServMultiFieldClfrAddrType.7 Action=spdAcceptAction.0 "
		    "FilterNegated=true\n"
		    "+ contents g,1 ComponentName=yes\n"
		    "+ contents n,1 ComponentName=no\n"
		    "+ endpoint 2,2 Name=g\n"
		    "+ endpoint 1,2 Name=n");
	g = compile(s);
	ck_assert_msg(verdict(list_of(g, 2, IPSP_OUTBOUND), &p) ==
			      (classifier_cases[_i].matches ? IPSP_BYPASS : IPSP_DISCARD),
		      "%s", classifier_cases[_i].name);
	ck_assert_msg(verdict(list_of(g, 2, IPSP_INBOUND), &p) ==
			      (classifier_cases[_i].matches ? IPSP_DISCARD : IPSP_BYPASS),
		      "not %s", classifier_cases[_i].name);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

#define MESSAGE(type, code) (IPSP_PORT_MESSAGE + (type) * 256 + (code))

/* RFC 4301 4.4.1.1: messages in the place of ports, and who hides them. */
static const struct {
	const char *name;
	const char *columns, *choices;
	uint8_t proto;
	uint32_t sport;
	bool hides;
	bool matches;
} message_cases[] = {
	{ "the message asked for", "Protocol=1", "MessageFirst=2048 MessageLast=2048", 1,
	  MESSAGE(8, 0), false, true },
	{ "another code", "Protocol=1", "MessageFirst=2048 MessageLast=2048", 1, MESSAGE(8, 1),
	  false, false },
	{ "another type", "Protocol=1", "MessageFirst=2048 MessageLast=2048", 1, MESSAGE(0, 0),
	  false, false },
	{ "all codes of a type", "Protocol=58", "MessageFirst=256 MessageLast=511", 58,
	  MESSAGE(1, 255), false, true },
	{ "a range of types", "Protocol=58", "MessageFirst=256 MessageLast=1279", 58,
	  MESSAGE(4, 9), false, true },
	{ "a Mobility Header", "Protocol=135", "MessageFirst=1280 MessageLast=1280", 135,
	  MESSAGE(5, 0), false, true },
	{ "another Mobility Header", "Protocol=135", "MessageFirst=1280 MessageLast=1280", 135,
	  MESSAGE(1, 0), false, false },
	{ "any message", "Protocol=1", "MessageFirst=0 MessageLast=65535", 1, MESSAGE(13, 0),
	  false, true },
	{ "ports of the same number are no messages", "SrcL4PortMin=2048 SrcL4PortMax=2048", "Opaque=any", 1,
	  MESSAGE(8, 0), false, false },
	{ "a packet that hides and one asked for that does", "", "Opaque=only", 17, 1, true, true },
	{ "a packet that shows and one asked for that hides", "", "Opaque=only", 17, 1, false,
	  false },
	{ "a packet that hides and one asked for that shows", "", "Opaque=never", 17, 1, true,
	  false },
	{ "a packet that shows and one asked for that does", "", "Opaque=never", 17, 1, false,
	  true },
	{ "a packet that hides, and nobody cares", "", "Opaque=any", 17, 1, true, true },
};

START_TEST(test_a_classifier_matches_messages_and_what_hides_them)
{
	struct mib_store *s = store_new();
	const char *ends[] = { "192.0.2.7", "10.0.0.1" };
	struct packet p = packet(ends[0], ends[1], message_cases[_i].proto, message_cases[_i].sport,
				 message_cases[_i].proto == 17 ? 2 : IPSP_PORT_NONE);
	struct pol_generation *g;
	char line[256];

	p.hides = message_cases[_i].hides;
	snprintf(line, sizeof(line), "+ clfr 7 AddrType=ipv4 %s\n= clfropt 7 %s",
		 message_cases[_i].columns, message_cases[_i].choices);
	rows_put(s, line);
	rows_put(s, "+ rule yes Filter=diffServMultiFieldClfrAddrType.7 Action=spdAcceptAction.0\n"
		    "+ rule no Filter=diffServMultiFieldClfrAddrType.7 Action=spdAcceptAction.0 "
		    "FilterNegated=true\n"
		    "+ contents g,1 ComponentName=yes\n"
		    "+ contents n,1 ComponentName=no\n"
		    "+ endpoint 2,2 Name=g\n"
		    "+ endpoint 1,2 Name=n");
	g = compile(s);
	ck_assert_msg(verdict(list_of(g, 2, IPSP_OUTBOUND), &p) ==
			      (message_cases[_i].matches ? IPSP_BYPASS : IPSP_DISCARD),
		      "%s", message_cases[_i].name);
	ck_assert_msg(verdict(list_of(g, 2, IPSP_INBOUND), &p) ==
			      (message_cases[_i].matches ? IPSP_DISCARD : IPSP_BYPASS),
		      "not %s", message_cases[_i].name);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

/* 50 sources and 50 destinations are 2500 boxes together. */
START_TEST(test_a_filter_too_large_for_boxes_is_a_predicate)
{
	static const char *const negated[] = { "false", "true" };
	const struct packet p = packet("192.0.2.1", "10.0.0.1", 6, 1, 2);
	struct mib_store *s = store_new();
	char text[1024];

	rows_put(s, "+ filter from LogicType=or\n+ filter to LogicType=or\n+ filter f\n"
		    "+ subfilter f,1 Subfilter=spdCompFiltDescription.\"from\"\n"
		    "+ subfilter f,2 Subfilter=spdCompFiltDescription.\"to\"\n"
		    "+ rule r Filter=spdCompFiltDescription.\"f\" Action=spdAcceptAction.0\n"
		    "+ contents g,1 ComponentName=r\n"
		    "+ endpoint 2,2 Name=g");
	for (unsigned i = 1; i <= 50; i++) {
		snprintf(text, sizeof(text),
			 "+ clfr %u AddrType=ipv4 SrcAddr=10.0.%u.1 SrcPrefixLength=32\n"
			 "+ clfr %u AddrType=ipv4 DstAddr=10.0.%u.1 DstPrefixLength=32\n"
			 "+ subfilter from,%u Subfilter=diffServMultiFieldClfrAddrType.%u\n"
			 "+ subfilter to,%u Subfilter=diffServMultiFieldClfrAddrType.%u",
			 i, i, 100 + i, i, i, i, i, 100 + i);
		rows_put(s, text);
	}
	for (size_t i = 0; i < 2; i++) {
		struct pol_generation *g;

		snprintf(text, sizeof(text), "= rule r FilterNegated=%s", negated[i]);
		rows_put(s, text);
		g = compile(s);
		ck_assert_str_eq(problem_of(s, g, "rule", "r"), "");
		ck_assert_ptr_nonnull(first_match(list_of(g, 2, IPSP_OUTBOUND), &p));
		ck_assert_ptr_nonnull(first_match(list_of(g, 2, IPSP_OUTBOUND), &p)->predicate);
		pol_generation_free(g);
	}
	mib_store_free(s);
}
END_TEST

/* RFC 3289: a classifier that is pointed at goes only with its last pointer. */
START_TEST(test_a_classifier_that_is_to_go_matches_until_then)
{
	const struct packet p = packet("192.0.2.1", "10.0.0.1", 6, 1, 2);
	struct mib_store *s = store_new();
	struct pol_generation *g;

	rows_put(s, "+ clfr 1 AddrType=ipv4\n"
		    "+ rule r Filter=diffServMultiFieldClfrAddrType.1 Action=spdAcceptAction.0\n"
		    "+ contents g,1 ComponentName=r\n"
		    "+ endpoint 2,2 Name=g");
	rows_put(s, "- clfr 1");
	g = compile(s);
	ck_assert_str_eq(problem_of(s, g, "rule", "r"), "");
	ck_assert_int_eq(verdict(list_of(g, 2, IPSP_OUTBOUND), &p), IPSP_BYPASS);
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

START_TEST(test_an_empty_compound_filter_is_false_before_negation)
{
	static const char *const logics[] = { "and", "or" };
	const struct packet p = packet("192.0.2.1", "10.0.0.1", 6, 1, 2);

	for (size_t i = 0; i < 2; i++) {
		struct mib_store *s = store_new();
		struct pol_generation *g;
		char text[512];

		snprintf(text, sizeof(text),
			 "+ filter f LogicType=%s\n"
			 "+ rule yes Filter=spdCompFiltDescription.\"f\" Action=spdAcceptAction.0\n"
			 "+ rule no Filter=spdCompFiltDescription.\"f\" Action=spdAcceptAction.0 "
			 "FilterNegated=true\n"
			 "+ contents g,1 ComponentName=yes\n"
			 "+ contents h,1 ComponentName=no\n"
			 "+ endpoint 2,2 Name=g\n"
			 "+ endpoint 2,3 Name=h", logics[i]);
		rows_put(s, text);
		g = compile(s);
		ck_assert_int_eq(verdict(list_of(g, 2, IPSP_OUTBOUND), &p), IPSP_DISCARD);
		ck_assert_int_eq(verdict(list_of(g, 3, IPSP_OUTBOUND), &p), IPSP_BYPASS);
		pol_generation_free(g);
		mib_store_free(s);
	}
}
END_TEST

START_TEST(test_filters_named_twice_on_each_level_cost_no_more_than_the_budget)
{
	struct mib_store *s = store_new();
	struct pol_generation *g;
	char text[512];

	rows_put(s, "+ filter f0 LogicType=or\n"
		    "+ subfilter f0,1 Subfilter=spdTrueFilter.0");
	for (unsigned i = 1; i < 15; i++) {
		int n = snprintf(text, sizeof(text), "+ filter f%u LogicType=or", i);

		for (unsigned j = 0; j < 4; j++)
			n += snprintf(text + n, sizeof(text) - (size_t)n,
				      "\n+ subfilter f%u,%u "
				      "Subfilter=spdCompFiltDescription.\"f%u\"", i, j, i - 1);
		rows_put(s, text);
	}
	rows_put(s, "+ rule r Filter=spdCompFiltDescription.\"f14\" Action=spdAcceptAction.0\n"
		    "+ contents g,1 ComponentName=r\n"
		    "+ endpoint 2,2 Name=g");
	g = compile(s);
	ck_assert_ptr_nonnull(strstr(problem_of(s, g, "rule", "r"), "too complex"));
	pol_generation_free(g);
	mib_store_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy/filter");
	TCase *c = tcase_create("filter");
	SRunner *sr;
	int failed;

	tcase_add_test(c, test_compiled_filters_agree_with_direct_evaluation);
	tcase_add_loop_test(c, test_a_classifier_matches_what_it_says, 0,
			    sizeof(classifier_cases) / sizeof(classifier_cases[0]));
	tcase_add_loop_test(c, test_a_classifier_matches_messages_and_what_hides_them, 0,
			    sizeof(message_cases) / sizeof(message_cases[0]));
	tcase_add_test(c, test_a_filter_too_large_for_boxes_is_a_predicate);
	tcase_add_test(c, test_a_classifier_that_is_to_go_matches_until_then);
	tcase_add_test(c, test_an_empty_compound_filter_is_false_before_negation);
	tcase_add_test(c, test_filters_named_twice_on_each_level_cost_no_more_than_the_budget);
	tcase_set_timeout(c, 300);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
