/*
 * ipspd/control_lookup.c - lookup: which entry a packet would meet, by the policy as compiled. Counts nothing
 * and sends nothing.
 *
 * What is not said of the packet is not known, as is what an entry asks beyond selectors. So entries that
 * may match come first, and behind them the first that does, whatever else the packet is.
 */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>

#include "ipsp/flow.h"
#include "ipspd/compiled.h"
#include "ipspd/control_client.h"

/** Does a packet of which not all is known match? */
enum fit { FIT_NO, FIT_MAY, FIT_YES };

/** What is said of the packet: an interval in each dimension. */
struct asked {
	uint32_t ifindex;
	enum ipsp_dir dir;
	struct ipsp_addr src, dst;
	uint32_t proto_lo, proto_hi;
	uint32_t sport_lo, sport_hi, dport_lo, dport_hi;
};

/* ---- the request ---- */

static bool read_addr(const char *text, struct ipsp_addr *out)
{
	*out = (struct ipsp_addr){ .family = 4 };
	if (text && inet_pton(AF_INET, text, out->octets) == 1)
		return true;
	out->family = 6;
	return text && inet_pton(AF_INET6, text, out->octets) == 1;
}

/* @return false: more than most */
static bool read_number(struct json_object *request, const char *key, int64_t most, uint32_t *lo,
			uint32_t *hi)
{
	const int64_t n = request_number(request, key, -1);

	if (n >= 0)
		*lo = *hi = (uint32_t)n;
	return n <= most;
}

/* Ports of a protocol that has some, or a message, stand on one line: see ipsp/types.h. */
static const char *read_ports(struct json_object *request, struct asked *a)
{
	const bool known = a->proto_lo == a->proto_hi;
	const bool ports = known && ipsp_proto_has_ports((uint8_t)a->proto_lo);
	const bool messages = known && ipsp_proto_has_messages((uint8_t)a->proto_lo);
	const bool asks_ports = request_number(request, "source-port", -1) >= 0 ||
				request_number(request, "destination-port", -1) >= 0;
	const int64_t type = request_number(request, "type", -1);
	const int64_t code = request_number(request, "code", -1);

	if ((asks_ports && !ports) || ((type >= 0 || code >= 0) && !messages))
		return "the protocol has no such thing";
	if (type > 255 || code > 255 || (code >= 0 && type < 0))
		return "type and code are 0 to 255, a code behind a type";
	a->sport_hi = a->dport_hi = IPSP_PORT_NONE;
	if (!known)
		return NULL;
	a->sport_lo = a->dport_lo = ports ? 0 : IPSP_PORT_NONE;
	if (ports)
		a->sport_hi = a->dport_hi = IPSP_PORT_MAX;
	if (messages) {
		a->sport_lo = IPSP_PORT_MESSAGE + (uint32_t)(type >= 0 ? type * 256 : 0) +
			      (uint32_t)(code >= 0 ? code : 0);
		a->sport_hi = type < 0 ? IPSP_PORT_MESSAGE_MAX :
			      code < 0 ? a->sport_lo + 255 : a->sport_lo;
	}
	return read_number(request, "source-port", IPSP_PORT_MAX, &a->sport_lo, &a->sport_hi) &&
	       read_number(request, "destination-port", IPSP_PORT_MAX, &a->dport_lo, &a->dport_hi) ?
		       NULL : "ports are 0 to 65535";
}

/* @return NULL, or what is wrong */
static const char *read_request(struct json_object *request, struct asked *a)
{
	const char *dir = request_text(request, "direction");
	const int64_t ifindex = request_number(request, "ifindex", -1);

	*a = (struct asked){ .proto_hi = 255, .ifindex = (uint32_t)ifindex };
	if (ifindex <= 0 || ifindex > INT32_MAX)
		return "lookup needs an interface";
	if (!dir || (strcmp(dir, "inbound") != 0 && strcmp(dir, "outbound") != 0))
		return "lookup needs a direction, inbound or outbound";
	a->dir = dir[0] == 'i' ? IPSP_INBOUND : IPSP_OUTBOUND;
	if (!read_addr(request_text(request, "source"), &a->src) ||
	    !read_addr(request_text(request, "destination"), &a->dst) ||
	    a->src.family != a->dst.family)
		return "lookup needs two addresses of one family";
	if (!read_number(request, "protocol", 255, &a->proto_lo, &a->proto_hi))
		return "a protocol is 0 to 255";
	return read_ports(request, a);
}

/* ---- entries ---- */

static enum fit least(enum fit a, enum fit b)
{
	return a < b ? a : b;
}

/* What may be, lo .. hi, against what an entry takes. */
static enum fit fit_range(uint32_t lo, uint32_t hi, uint32_t takes_lo, uint32_t takes_hi)
{
	if (lo > takes_hi || hi < takes_lo)
		return FIT_NO;
	return lo >= takes_lo && hi <= takes_hi ? FIT_YES : FIT_MAY;
}

static enum fit fit_addr(const struct ipsp_addr *a, const struct ipsp_addr *lo,
			 const struct ipsp_addr *hi)
{
	return ipsp_addr_cmp(a, lo) >= 0 && ipsp_addr_cmp(a, hi) <= 0 ? FIT_YES : FIT_NO;
}

static enum fit fit_selector(const struct asked *a, const struct ipsp_selector *s)
{
	enum fit fit = least(fit_addr(&a->src, &s->src_lo, &s->src_hi),
			     fit_addr(&a->dst, &s->dst_lo, &s->dst_hi));

	/* It is a whole packet. */
	if (s->hides == IPSP_HIDES_ONLY)
		return FIT_NO;
	fit = least(fit, fit_range(a->proto_lo, a->proto_hi, s->proto_lo, s->proto_hi));
	fit = least(fit, fit_range(a->sport_lo, a->sport_hi, s->sport_lo, s->sport_hi));
	fit = least(fit, fit_range(a->dport_lo, a->dport_hi, s->dport_lo, s->dport_hi));
	fit = least(fit, fit_range(0, IPSP_DSCP_MAX, s->dscp_lo, s->dscp_hi));
	return a->src.family == 4 ? fit :
				    least(fit, fit_range(0, IPSP_FLOW_MAX, s->flow_lo, s->flow_hi));
}

static enum fit fit_entry(const struct asked *a, const struct ipsp_spd_entry *e)
{
	enum fit fit = FIT_NO;

	for (uint32_t i = 0; i < e->n_selectors && fit != FIT_YES; i++) {
		const enum fit one = fit_selector(a, &e->selectors[i]);

		if (one > fit)
			fit = one;
	}
	return e->predicate || e->from_s || e->until_s ? least(fit, FIT_MAY) : fit;
}

/* ---- the answer ---- */

static void answer(struct control_client *c, const struct asked *a, const struct pol_list *l)
{
	const struct pol_entry *e;
	enum fit fit = FIT_NO;
	struct pol_map_walk w;
	size_t nr = 0;

	pol_map_walk_start(&w, &l->entries, 0);
	for (; fit != FIT_YES && (e = (const struct pol_entry *)pol_map_walk_next(&w)); nr++) {
		struct json_object *item;

		fit = fit_entry(a, &e->spd);
		if (fit == FIT_NO)
			continue;
		item = control_spd_entry(c, l, nr, e);
		if (fit == FIT_MAY)
			control_json_add(item, "may", json_object_new_boolean(true));
		client_item(c, item);
	}
	if (fit != FIT_YES)
		client_item(c, control_spd_end(c, l));
}

static void lookup(struct control_client *c, struct json_object *request, int fd)
{
	const struct pol_generation *g = agent_policy(c->agent);
	const struct pol_list *l;
	struct asked a;
	const char *wrong = read_request(request, &a);

	(void)fd;
	if (wrong) {
		client_usage(c, wrong);
		return;
	}
	l = compiled_list_at(g, a.ifindex, a.dir);
	if (!l)
		l = compiled_list_at(g, 0, a.dir);
	if (l)
		answer(c, &a, l);
	else
		client_item(c, control_spd_untouched(a.ifindex, a.dir));
	client_end(c);
}

static const struct control_member members[] = {
	{ "ifindex", json_type_int },
	{ "direction", json_type_string },
	{ "source", json_type_string },
	{ "destination", json_type_string },
	{ "protocol", json_type_int },
	{ "source-port", json_type_int },
	{ "destination-port", json_type_int },
	{ "type", json_type_int },
	{ "code", json_type_int },
	{ NULL, json_type_null },
};

const struct control_command control_lookup_commands[] = {
	{ "lookup", members, lookup },
	{ NULL, NULL, NULL },
};
