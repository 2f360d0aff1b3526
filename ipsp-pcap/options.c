/*
 * ipsp-pcap/options.c - words behind a secret. Each word is a row: its name and what it does.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp-pcap/options.h"
#include "ipsp/compress.h"
#include "ipsp/crypto.h"
#include "ipsp/replay.h"
#include "ipsp/udp_encap.h"

#define DEFAULT_WINDOW_PKTS 64u

bool pc_number(const char *text, uint64_t max, uint64_t *out)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || *end || n > max)
		return false;
	*out = n;
	return true;
}

bool pc_address(const char *text, struct ipsp_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, out->octets) == 1)
		out->family = 4;
	else if (inet_pton(AF_INET6, text, out->octets) == 1)
		out->family = 6;
	return out->family != 0;
}

static const char *set_mode(char *value, struct pc_secret *s, uint32_t *icv)
{
	(void)icv;
	if (!strcmp(value, "tunnel"))
		s->sa.mode = IPSP_MODE_TUNNEL;
	else if (!strcmp(value, "transport"))
		s->sa.mode = IPSP_MODE_TRANSPORT;
	else
		return "mode is tunnel or transport";
	return NULL;
}

static const char *set_esn(char *value, struct pc_secret *s, uint32_t *icv)
{
	(void)icv;
	(void)value;
	s->sa.esn = true;
	if (!s->sa.replay) {
		s->sa.replay = true;
		s->sa.replay_window_pkts = DEFAULT_WINDOW_PKTS;
	}
	return NULL;
}

static const char *set_replay(char *value, struct pc_secret *s, uint32_t *icv)
{
	uint64_t n;

	(void)icv;
	if (!pc_number(value, IPSP_REPLAY_MAX, &n) || n < IPSP_REPLAY_MIN || (n & (n - 1)) != 0)
		return "replay is a power of two from 32 to 4096";
	s->sa.replay = true;
	s->sa.replay_window_pkts = (uint32_t)n;
	return NULL;
}

static const char *set_seq(char *value, struct pc_secret *s, uint32_t *icv)
{
	(void)icv;
	return pc_number(value, UINT64_MAX - 1, &s->sa.seq_floor) ? NULL : "seq is a number";
}

static const char *set_icv(char *value, struct pc_secret *s, uint32_t *icv)
{
	uint64_t n;

	(void)s;
	if (!pc_number(value, IPSP_ICV_MAX, &n))
		return "icv is a number of octets up to 32";
	*icv = (uint32_t)n;
	return NULL;
}

static const char *set_udp(char *value, struct pc_secret *s, uint32_t *icv)
{
	uint64_t sport = IPSP_UDP_PORT, dport = IPSP_UDP_PORT;
	char *colon = strchr(value, ':');

	(void)icv;
	if (colon)
		*colon++ = '\0';
	if (value[0] && (!colon || !pc_number(value, UINT16_MAX, &sport) ||
			 !pc_number(colon, UINT16_MAX, &dport)))
		return "udp is two ports, SOURCE:DESTINATION";
	s->udp = true;
	s->udp_sport = (uint16_t)sport;
	s->udp_dport = (uint16_t)dport;
	return NULL;
}

/* RFC 3173 3.3: the well-known number of a transform, or one of 256 and more. */
static const char *set_ipcomp(char *value, struct pc_secret *s, uint32_t *icv)
{
	uint64_t cpi = IPSP_COMP_DEFLATE;

	(void)icv;
	if (value[0] && (!pc_number(value, UINT16_MAX, &cpi) ||
			 (cpi < 256 && cpi != IPSP_COMP_DEFLATE)))
		return "ipcomp is a CPI: 2, or from 256 to 65535";
	s->cpi = (uint16_t)cpi;
	return NULL;
}

static const char *set_from(char *value, struct pc_secret *s, uint32_t *icv)
{
	(void)icv;
	return pc_address(value, &s->from) ? NULL : "from is an address";
}

static const char *set_df(char *value, struct pc_secret *s, uint32_t *icv)
{
	(void)icv;
	if (!strcmp(value, "copy"))
		s->sa.df = IPSP_DF_COPY;
	else if (!strcmp(value, "set"))
		s->sa.df = IPSP_DF_SET;
	else if (!strcmp(value, "clear"))
		s->sa.df = IPSP_DF_CLEAR;
	else
		return "df is copy, set or clear";
	return NULL;
}

/* Both families, until a prefix is of one. */
static void begin_selectors(struct pc_secret *s)
{
	if (s->n_selectors > 0)
		return;
	ipsp_selector_any(4, &s->selectors[0]);
	ipsp_selector_any(6, &s->selectors[1]);
	s->n_selectors = 2;
}

/* ADDRESS or ADDRESS/LENGTH, in one box. */
static const char *prefix_box(char *value, struct pc_secret *s, struct ipsp_addr *lo,
			      struct ipsp_addr *hi)
{
	char *slash = strchr(value, '/');
	struct ipsp_addr addr;
	uint64_t len;

	if (slash)
		*slash++ = '\0';
	if (!pc_address(value, &addr))
		return "src and dst are ADDRESS or ADDRESS/LENGTH";
	len = ipsp_addr_size(addr.family) * 8;
	if ((slash && !pc_number(slash, len, &len)) ||
	    ipsp_addr_prefix(&addr, (unsigned)len, lo, hi) != IPSP_OK)
		return "this prefix length is not one";
	begin_selectors(s);
	if (s->n_selectors == 2) {
		s->selectors[0] = s->selectors[addr.family == 6];
		s->n_selectors = 1;
	}
	return s->selectors[0].family == addr.family ? NULL : "src and dst are of two families";
}

static const char *set_src(char *value, struct pc_secret *s, uint32_t *icv)
{
	struct ipsp_addr lo, hi;
	const char *why = prefix_box(value, s, &lo, &hi);

	(void)icv;
	if (why)
		return why;
	s->selectors[0].src_lo = lo;
	s->selectors[0].src_hi = hi;
	return NULL;
}

static const char *set_dst(char *value, struct pc_secret *s, uint32_t *icv)
{
	struct ipsp_addr lo, hi;
	const char *why = prefix_box(value, s, &lo, &hi);

	(void)icv;
	if (why)
		return why;
	s->selectors[0].dst_lo = lo;
	s->selectors[0].dst_hi = hi;
	return NULL;
}

static const char *set_proto(char *value, struct pc_secret *s, uint32_t *icv)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} names[] = { { "icmp", 1 }, { "tcp", 6 }, { "udp", 17 }, { "esp", 50 }, { "ah", 51 },
		    { "icmp6", 58 } };
	uint64_t n = 256;

	(void)icv;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(value, names[i].name))
			n = names[i].proto;
	}
	if (n > 255 && !pc_number(value, 255, &n))
		return "proto is a number, icmp, icmp6, tcp, udp, esp or ah";
	begin_selectors(s);
	for (uint32_t i = 0; i < s->n_selectors; i++)
		s->selectors[i].proto_lo = s->selectors[i].proto_hi = (uint8_t)n;
	return NULL;
}

/* N or N-N. */
static bool port_range(char *value, uint64_t *lo, uint64_t *hi)
{
	char *dash = strchr(value, '-');

	if (dash)
		*dash++ = '\0';
	if (!pc_number(value, UINT16_MAX, lo))
		return false;
	*hi = *lo;
	return !dash || (pc_number(dash, UINT16_MAX, hi) && *lo <= *hi);
}

static const char *set_sport(char *value, struct pc_secret *s, uint32_t *icv)
{
	uint64_t lo, hi;

	(void)icv;
	if (!port_range(value, &lo, &hi))
		return "sport is a port or two, LOW-HIGH";
	begin_selectors(s);
	for (uint32_t i = 0; i < s->n_selectors; i++) {
		s->selectors[i].sport_lo = (uint32_t)lo;
		s->selectors[i].sport_hi = (uint32_t)hi;
	}
	return NULL;
}

static const char *set_dport(char *value, struct pc_secret *s, uint32_t *icv)
{
	uint64_t lo, hi;

	(void)icv;
	if (!port_range(value, &lo, &hi))
		return "dport is a port or two, LOW-HIGH";
	begin_selectors(s);
	for (uint32_t i = 0; i < s->n_selectors; i++) {
		s->selectors[i].dport_lo = (uint32_t)lo;
		s->selectors[i].dport_hi = (uint32_t)hi;
	}
	return NULL;
}

/* TYPE or TYPE/CODE; without one, the first or last code. */
static bool message_of(char *value, uint32_t code, uint32_t *out)
{
	char *slash = strchr(value, '/');
	uint64_t type, asked = code;

	if (slash)
		*slash++ = '\0';
	if (!pc_number(value, UINT8_MAX, &type) || (slash && !pc_number(slash, UINT8_MAX, &asked)))
		return false;
	*out = (uint32_t)(type * 256 + asked);
	return true;
}

/* Messages of ICMP, ICMPv6 and Mobility Headers stand as source ports. */
static const char *set_type(char *value, struct pc_secret *s, uint32_t *icv)
{
	const char *what = "type is one or two, LOW-HIGH, each TYPE or TYPE/CODE";
	char *dash = strchr(value, '-'), first[8];
	uint32_t lo, hi;

	(void)icv;
	if (dash)
		*dash++ = '\0';
	if (strlen(value) >= sizeof(first))
		return what;
	strcpy(first, value);
	if (!message_of(first, 0, &lo) || !message_of(dash ? dash : value, UINT8_MAX, &hi) ||
	    lo > hi)
		return what;
	begin_selectors(s);
	for (uint32_t i = 0; i < s->n_selectors; i++) {
		s->selectors[i].sport_lo = IPSP_PORT_MESSAGE + lo;
		s->selectors[i].sport_hi = IPSP_PORT_MESSAGE + hi;
	}
	return NULL;
}

static const struct {
	const char *name;
	enum { VALUE_NONE, VALUE_MAY, VALUE_MUST } value;
	const char *(*set)(char *value, struct pc_secret *s, uint32_t *icv);
} options[] = {
	{ "mode", VALUE_MUST, set_mode },
	{ "esn", VALUE_NONE, set_esn },
	{ "replay", VALUE_MUST, set_replay },
	{ "seq", VALUE_MUST, set_seq },
	{ "icv", VALUE_MUST, set_icv },
	{ "udp", VALUE_MAY, set_udp },
	{ "ipcomp", VALUE_MAY, set_ipcomp },
	{ "from", VALUE_MUST, set_from },
	{ "df", VALUE_MUST, set_df },
	{ "src", VALUE_MUST, set_src },
	{ "dst", VALUE_MUST, set_dst },
	{ "proto", VALUE_MUST, set_proto },
	{ "sport", VALUE_MUST, set_sport },
	{ "dport", VALUE_MUST, set_dport },
	{ "type", VALUE_MUST, set_type },
};

const char *pc_option_apply(char *word, struct pc_secret *s, uint32_t *icv)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].name, word))
			continue;
		if (value && options[i].value == VALUE_NONE)
			return "esn takes no value";
		if (!value && options[i].value == VALUE_MUST)
			return "this word needs a value";
		return options[i].set(value ? value : word + strlen(word), s, icv);
	}
	return "a word behind the secret is not known";
}
