/*
 * ipspd/engine_observe.c - what the guard logs: packets that the kernel decided without the engine.
 *
 * Reads the kernel's packet log (nfnetlink_log) from a socket that the parent has bound, and tells
 * the agent of each packet as of those the engine itself logs. The rate is the guard's matter
 * (ipspd/guard_nft.c). What is not exactly as the guard writes it is counted as malformed and told
 * once. Never writes to the socket.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipsp/flow.h"
#include "ipspd/engine.h"
#include "ipspd/log.h"
#include "ipspd/marks.h"

#define DATAGRAM_MAX 16384	/* octets; the kernel makes one of at most a page or two */
#define DATAGRAMS_A_TURN 16
#define LOG_PREFIX_MAX 32		/* octets, NUL included */

/* ---- the packet ---- */

/*
 * The kernel gives the first octets of a packet. Its own length is made to say what stands here, so
 * that it reads as a whole one; a length that is impossible stays.
 */
static void shorten(uint8_t *p, size_t len)
{
	if (len >= 20 && p[0] >> 4 == 4 && (size_t)(p[2] << 8 | p[3]) > len) {
		p[2] = (uint8_t)(len >> 8);
		p[3] = (uint8_t)len;
	} else if (len >= 40 && p[0] >> 4 == 6 && (size_t)(p[4] << 8 | p[5]) > len - 40) {
		p[4] = (uint8_t)((len - 40) >> 8);
		p[5] = (uint8_t)(len - 40);
	}
}

/* What the fixed header alone says, for packets whose headers go on behind what is here. */
static bool read_fixed_header(const uint8_t *p, size_t len, struct ipsp_flow *f)
{
	const uint8_t version = len > 0 ? p[0] >> 4 : 0;

	if (!(version == 4 && len >= 20) && !(version == 6 && len >= 40))
		return false;
	*f = (struct ipsp_flow){
		.family = version, .proto = p[version == 4 ? 9 : 6], .ttl = p[version == 4 ? 8 : 7],
		.src.family = version, .dst.family = version,
	};
	const size_t size = ipsp_addr_size(version);

	memcpy(f->src.octets, p + (version == 4 ? 12 : 8), size);
	memcpy(f->dst.octets, p + (version == 4 ? 16 : 24), size);
	return true;
}

/* @return false: not even an IP header */
static bool read_flow(const uint8_t *data, size_t len, struct ipsp_flow *f)
{
	uint8_t packet[IPSPD_LOG_COPY];

	if (len > sizeof(packet))
		len = sizeof(packet);
	if (len > 0)
		memcpy(packet, data, len);
	shorten(packet, len);
	return ipsp_flow_parse((struct ipsp_span){ packet, len }, f) == IPSP_REASON_NONE ||
	       read_fixed_header(packet, len, f);
}

/* ---- the message ---- */

/* -1: none */
static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "1f 0": id and action of the entry. */
static bool read_prefix(const char *text, uint64_t *id, uint8_t *action)
{
	size_t n = 0;

	*id = 0;
	for (; hex_value(text[n]) >= 0; n++) {
		if (n == 16)
			return false;
		*id = *id << 4 | (uint64_t)hex_value(text[n]);
	}
	if (*id == 0 || text[n] != ' ' || text[n + 1] < '0' || text[n + 1] > '2' ||
	    text[n + 2] != '\0')
		return false;
	*action = (uint8_t)(text[n + 1] - '0');
	return true;
}

/* As the engine reports its own: what became of the packet, and why. */
static void set_outcome(struct wire_event *e, uint8_t action)
{
	static const uint16_t reasons[] = {
		[IPSP_DISCARD] = IPSP_REASON_POLICY_DISCARD,
		[IPSP_BYPASS] = IPSP_REASON_NONE,
		[IPSP_PROTECT] = IPSP_REASON_POLICY_CLEAR,
	};

	e->action = action == IPSP_BYPASS ? IPSP_BYPASS : IPSP_DISCARD;
	e->reason = reasons[action];
}

/* The hook says the direction, the direction which interface counts. */
static bool read_place(struct nlattr *const *tb, struct wire_event *e)
{
	const struct nfulnl_msg_packet_hdr *hdr = nla_data(tb[NFULA_PACKET_HDR]);
	const bool in = hdr->hook == NF_INET_PRE_ROUTING;
	struct nlattr *const ifindex = tb[in ? NFULA_IFINDEX_INDEV : NFULA_IFINDEX_OUTDEV];

	if ((!in && hdr->hook != NF_INET_POST_ROUTING) || !ifindex)
		return false;
	e->dir = in ? IPSP_INBOUND : IPSP_OUTBOUND;
	e->ifindex = ntohl(nla_get_u32(ifindex));
	return true;
}

/* @return false: malformed, nothing was reported */
static bool take_packet(struct engine_role *role, struct nlmsghdr *nlh)
{
	struct nla_policy policy[NFULA_MAX + 1] = {
		[NFULA_PACKET_HDR] = { .minlen = sizeof(struct nfulnl_msg_packet_hdr) },
		[NFULA_IFINDEX_INDEV] = { .type = NLA_U32 },
		[NFULA_IFINDEX_OUTDEV] = { .type = NLA_U32 },
		[NFULA_PREFIX] = { .type = NLA_STRING, .maxlen = LOG_PREFIX_MAX },
	};
	struct nlattr *tb[NFULA_MAX + 1];
	struct wire_event e = { .kind = WIRE_EVENT_PACKET };
	struct ipsp_flow flow;
	uint8_t action;

	if (nlmsg_parse(nlh, sizeof(struct nfgenmsg), tb, NFULA_MAX, policy) < 0 ||
	    !tb[NFULA_PACKET_HDR] || !tb[NFULA_PREFIX] || !tb[NFULA_PAYLOAD] ||
	    !read_prefix(nla_get_string(tb[NFULA_PREFIX]), &e.id, &action) || !read_place(tb, &e))
		return false;
	set_outcome(&e, action);
	const size_t len = (size_t)nla_len(tb[NFULA_PAYLOAD]);
	const bool known = read_flow(nla_data(tb[NFULA_PAYLOAD]), len, &flow);

	engine_report_packet(role, &e, known ? &flow : NULL);
	return true;
}

size_t engine_observe_datagram(struct engine_role *role, void *data, size_t len)
{
	int left = (int)len;
	size_t bad = 0;
	struct nlmsghdr *nlh = data;

	for (; nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
			bad += !take_packet(role, nlh);
	}
	return bad + (left > 0);
}

/* ---- the socket ---- */

static void count_bad(struct engine_role *role, size_t bad)
{
	if (bad && !role->observe_bad)
		ipspd_log(LOG_WARNING, "engine", "malformed messages in the kernel's packet log");
	role->observe_bad += bad;
}

static void on_observed(evutil_socket_t fd, short what, void *arg)
{
	struct engine_role *role = arg;
	alignas(struct nlmsghdr) uint8_t data[DATAGRAM_MAX];

	(void)what;
	for (size_t i = 0; i < DATAGRAMS_A_TURN; i++) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_len = sizeof(from);
		/* MSG_TRUNC: says how long a datagram is that does not fit. */
		const ssize_t n = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT | MSG_TRUNC,
					   (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == ENOBUFS)
			continue;	/* some were lost: a log at a rate anyway */
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			ipspd_log(LOG_WARNING, "engine", "the kernel's packet log has ended: %s",
				  n < 0 ? strerror(errno) : "closed");
			event_del(role->observe);
			return;
		}
		/* Only the kernel, whose number is 0, logs packets. */
		if (from_len != sizeof(from) || from.nl_pid != 0)
			continue;
		count_bad(role, (size_t)n > sizeof(data) ?
				1 : engine_observe_datagram(role, data, (size_t)n));
	}
}

int engine_observe_start(struct engine_role *role, int fd)
{
	role->observe = event_new(role->base, fd, EV_READ | EV_PERSIST, on_observed, role);
	if (role->observe && event_add(role->observe, NULL) == 0)
		return 0;
	if (role->observe)
		event_free(role->observe);
	role->observe = NULL;
	return -ENOMEM;
}

void engine_observe_stop(struct engine_role *role)
{
	if (!role->observe)
		return;
	const int fd = event_get_fd(role->observe);

	event_free(role->observe);
	role->observe = NULL;
	close(fd);
}
