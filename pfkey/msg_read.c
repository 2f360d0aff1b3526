/*
 * pfkey/msg_read.c - octets to messages. RFC 2367 2.
 *
 * What each extension's number means, how long it may be and who reads its body is one table. A body
 * is handed over whole; its reader may look at all of it and at nothing else.
 */
#include "pfkey/msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ipsec.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define WORD 8u

static uint16_t host16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static uint32_t host32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* ---- bodies: each is given the whole extension, at least as long as its table says ---- */

static bool read_sa(const uint8_t *at, size_t len, struct pfkey_sa *out)
{
	struct sadb_sa x;

	(void)len;
	memcpy(&x, at, sizeof(x));
	*out = (struct pfkey_sa){
		.spi = ntohl(x.sadb_sa_spi), .replay = x.sadb_sa_replay,
		.state = x.sadb_sa_state, .auth = x.sadb_sa_auth,
		.encrypt = x.sadb_sa_encrypt, .flags = x.sadb_sa_flags,
	};
	return true;
}

static bool read_lifetime(const uint8_t *at, size_t len, struct pfkey_lifetime *out)
{
	struct sadb_lifetime x;

	(void)len;
	memcpy(&x, at, sizeof(x));
	*out = (struct pfkey_lifetime){
		.allocations = x.sadb_lifetime_allocations, .bytes = x.sadb_lifetime_bytes,
		.add_s = x.sadb_lifetime_addtime, .use_s = x.sadb_lifetime_usetime,
	};
	return true;
}

/* @return octets of the sockaddr; 0: no address of IP, or cut short */
static size_t read_sockaddr(const uint8_t *at, size_t len, struct ipsp_addr *addr, uint16_t *port)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	sa_family_t family;

	if (len < sizeof(family))
		return 0;
	memcpy(&family, at, sizeof(family));
	memset(addr, 0, sizeof(*addr));
	if (family == AF_INET && len >= sizeof(in)) {
		memcpy(&in, at, sizeof(in));
		addr->family = 4;
		memcpy(addr->octets, &in.sin_addr, 4);
		*port = ntohs(in.sin_port);
		return sizeof(in);
	}
	if (family == AF_INET6 && len >= sizeof(in6)) {
		memcpy(&in6, at, sizeof(in6));
		addr->family = 6;
		memcpy(addr->octets, &in6.sin6_addr, 16);
		*port = ntohs(in6.sin6_port);
		return sizeof(in6);
	}
	return 0;
}

static size_t padded(size_t len)
{
	return (len + WORD - 1) / WORD * WORD;
}

static bool read_address(const uint8_t *at, size_t len, struct pfkey_address *out)
{
	struct sadb_address x;

	memcpy(&x, at, sizeof(x));
	size_t size = read_sockaddr(at + sizeof(x), len - sizeof(x), &out->addr, &out->port);

	out->proto = x.sadb_address_proto;
	out->prefix_len = x.sadb_address_prefixlen;
	return size != 0 && len == sizeof(x) + padded(size) &&
	       out->prefix_len <= ipsp_addr_size(out->addr.family) * 8;
}

static bool read_key(const uint8_t *at, size_t len, struct pfkey_key *out)
{
	struct sadb_key x;

	memcpy(&x, at, sizeof(x));
	out->bits = x.sadb_key_bits;
	out->octets = at + sizeof(x);
	return x.sadb_key_bits != 0 && x.sadb_key_bits <= PFKEY_KEY_OCTETS_MAX * 8 &&
	       len == sizeof(x) + padded((x.sadb_key_bits + 7u) / 8);
}

static bool read_ident(const uint8_t *at, size_t len, struct pfkey_ident *out)
{
	struct sadb_ident x;

	memcpy(&x, at, sizeof(x));
	out->type = x.sadb_ident_type;
	out->id = x.sadb_ident_id;
	out->text = (struct ipsp_span){ at + sizeof(x), 0 };
	if (len == sizeof(x))
		return true;
	const uint8_t *end = memchr(out->text.data, '\0', len - sizeof(x));

	if (!end)
		return false;
	out->text.len = (size_t)(end - out->text.data);
	return out->text.len <= PFKEY_IDENT_MAX && len == sizeof(x) + padded(out->text.len + 1);
}

static bool read_sensitivity(const uint8_t *at, size_t len, struct ipsp_span *out)
{
	struct sadb_sens x;

	memcpy(&x, at, sizeof(x));
	*out = (struct ipsp_span){ at, len };
	return len == sizeof(x) + WORD * ((size_t)x.sadb_sens_sens_len + x.sadb_sens_integ_len) &&
	       len <= PFKEY_LABEL_MAX;
}

static bool read_items(const uint8_t *at, size_t len, size_t head, size_t item, size_t max,
		       struct ipsp_span *out)
{
	*out = (struct ipsp_span){ at + head, len - head };
	return (len - head) % item == 0 && (len - head) / item <= max;
}

static bool read_spirange(const uint8_t *at, struct pfkey_msg *m)
{
	struct sadb_spirange x;

	memcpy(&x, at, sizeof(x));
	m->spi_min = x.sadb_spirange_min;
	m->spi_max = x.sadb_spirange_max;
	return true;
}

/* Two sockaddrs of one family, one right behind the other. */
static bool read_pair(const uint8_t *at, size_t len, struct ipsp_addr *src, struct ipsp_addr *dst)
{
	uint16_t port;
	size_t size = read_sockaddr(at, len, src, &port);

	return size != 0 && read_sockaddr(at + size, len - size, dst, &port) == size;
}

static bool read_request(const uint8_t *at, size_t len, struct pfkey_request *out, size_t *used)
{
	struct sadb_x_ipsecrequest x;

	if (len < sizeof(x))
		return false;
	memcpy(&x, at, sizeof(x));
	*used = x.sadb_x_ipsecrequest_len;
	*out = (struct pfkey_request){
		.mode = x.sadb_x_ipsecrequest_mode, .level = x.sadb_x_ipsecrequest_level,
		.reqid = x.sadb_x_ipsecrequest_reqid,
	};
	if (*used < sizeof(x) || *used > len || *used % WORD != 0 ||
	    x.sadb_x_ipsecrequest_proto > 255 || out->mode > IPSEC_MODE_TUNNEL ||
	    out->level > IPSEC_LEVEL_UNIQUE)
		return false;
	out->proto = (uint8_t)x.sadb_x_ipsecrequest_proto;
	return *used == sizeof(x) ||
	       read_pair(at + sizeof(x), *used - sizeof(x), &out->src, &out->dst);
}

static bool read_policy(const uint8_t *at, size_t len, struct pfkey_policy *out)
{
	struct sadb_x_policy x;

	memcpy(&x, at, sizeof(x));
	*out = (struct pfkey_policy){
		.type = x.sadb_x_policy_type, .dir = x.sadb_x_policy_dir, .id = x.sadb_x_policy_id,
		.priority = x.sadb_x_policy_priority,
	};
	for (size_t done = sizeof(x), used; done < len; done += used) {
		if (out->n_requests == PFKEY_REQUESTS_MAX ||
		    !read_request(at + done, len - done, &out->requests[out->n_requests], &used))
			return false;
		out->n_requests++;
	}
	return x.sadb_x_policy_type <= IPSEC_POLICY_BYPASS && x.sadb_x_policy_dir < IPSEC_DIR_MAX;
}

static bool read_sa2(const uint8_t *at, struct pfkey_sa2 *out)
{
	struct sadb_x_sa2 x;

	memcpy(&x, at, sizeof(x));
	*out = (struct pfkey_sa2){ .mode = x.sadb_x_sa2_mode, .sequence = x.sadb_x_sa2_sequence,
				   .reqid = x.sadb_x_sa2_reqid };
	return x.sadb_x_sa2_mode <= IPSEC_MODE_TUNNEL;
}

static bool read_natt_port(const uint8_t *at, uint16_t *out)
{
	struct sadb_x_nat_t_port x;

	memcpy(&x, at, sizeof(x));
	*out = ntohs(x.sadb_x_nat_t_port_port);
	return true;
}

static bool read_sec_ctx(const uint8_t *at, size_t len, struct ipsp_span *out)
{
	struct sadb_x_sec_ctx x;

	memcpy(&x, at, sizeof(x));
	*out = (struct ipsp_span){ at, len };
	return len == sizeof(x) + padded(x.sadb_x_ctx_len) && len <= PFKEY_LABEL_MAX;
}

static bool read_filter(const uint8_t *at, struct pfkey_filter *out)
{
	struct sadb_x_filter x;
	uint8_t family;

	memcpy(&x, at, sizeof(x));
	family = x.sadb_x_filter_family == AF_INET ? 4 : x.sadb_x_filter_family == AF_INET6 ? 6 : 0;
	*out = (struct pfkey_filter){ .src.family = family, .dst.family = family,
				      .src_prefix_len = x.sadb_x_filter_splen,
				      .dst_prefix_len = x.sadb_x_filter_dplen };
	memcpy(out->src.octets, x.sadb_x_filter_saddr, ipsp_addr_size(family));
	memcpy(out->dst.octets, x.sadb_x_filter_daddr, ipsp_addr_size(family));
	return (family != 0 || x.sadb_x_filter_family == AF_UNSPEC) &&
	       x.sadb_x_filter_splen <= ipsp_addr_size(family) * 8 &&
	       x.sadb_x_filter_dplen <= ipsp_addr_size(family) * 8;
}

static struct ipsp_addr traffic_addr(uint8_t family, const uint8_t *at)
{
	struct ipsp_addr a = { .family = family };

	memcpy(a.octets, at, ipsp_addr_size(family));
	return a;
}

static void traffic_box(const uint8_t *at, struct ipsp_selector *out)
{
	ipsp_selector_any(at[0], out);
	out->proto_lo = at[1];
	out->proto_hi = at[2];
	out->hides = at[3];
	out->sport_lo = host32(at + 4);
	out->sport_hi = host32(at + 8);
	out->dport_lo = host32(at + 12);
	out->dport_hi = host32(at + 16);
	out->src_lo = traffic_addr(at[0], at + 24);
	out->src_hi = traffic_addr(at[0], at + 40);
	out->dst_lo = traffic_addr(at[0], at + 56);
	out->dst_hi = traffic_addr(at[0], at + 72);
}

static bool read_traffic(const uint8_t *at, size_t len, struct pfkey_msg *m)
{
	const size_t n = host16(at + 4);
	struct ipsp_selector box;

	if (n == 0 || n > IPSP_SA_BOXES_MAX ||
	    len != PFKEY_TRAFFIC_HEAD + n * PFKEY_TRAFFIC_BOX)
		return false;
	m->traffic = (struct ipsp_span){ at, len };
	for (size_t i = 0; i < n; i++) {
		const uint8_t family = at[PFKEY_TRAFFIC_HEAD + i * PFKEY_TRAFFIC_BOX];

		if (ipsp_addr_size(family) == 0)
			return false;
		pfkey_traffic_at(m, i, &box);
		if (!ipsp_selector_valid(&box))
			return false;
	}
	return true;
}

static bool read_handling(const uint8_t *at, struct pfkey_handling *out)
{
	*out = (struct pfkey_handling){
		.df = at[4], .ecn = at[5], .dscp = at[6] == UINT8_MAX ? -1 : at[6],
		.idle_s = host32(at + 8), .window_pkts = host32(at + 12),
		.tfc_pad = host16(at + 16), .dummy_s = host16(at + 18),
		.idle_with = ntohl(host32(at + 20)), .with_spi = ntohl(host32(at + 24)),
		.with_proto = at[28],
	};
	return out->df >= IPSP_DF_COPY && out->df <= IPSP_DF_CLEAR && out->ecn <= IPSP_ECN_NONE &&
	       out->dscp <= (int16_t)IPSP_DSCP_MAX;
}

/* ---- the table ---- */

/* Octets of an extension, and whether a longer one is fine. 0: not known, passed over. */
static const struct {
	uint8_t size;
	bool longer;
} shapes[PFKEY_EXTS] = {
	[SADB_EXT_SA] = { 16, false },
	[SADB_EXT_LIFETIME_CURRENT] = { 32, false },
	[SADB_EXT_LIFETIME_HARD] = { 32, false },
	[SADB_EXT_LIFETIME_SOFT] = { 32, false },
	[SADB_EXT_ADDRESS_SRC] = { 24, true },
	[SADB_EXT_ADDRESS_DST] = { 24, true },
	[SADB_EXT_ADDRESS_PROXY] = { 24, true },
	[SADB_EXT_KEY_AUTH] = { 16, true },
	[SADB_EXT_KEY_ENCRYPT] = { 16, true },
	[SADB_EXT_IDENTITY_SRC] = { 16, true },
	[SADB_EXT_IDENTITY_DST] = { 16, true },
	[SADB_EXT_SENSITIVITY] = { 16, true },
	[SADB_EXT_PROPOSAL] = { 8, true },
	[SADB_EXT_SUPPORTED_AUTH] = { 8, true },
	[SADB_EXT_SUPPORTED_ENCRYPT] = { 8, true },
	[SADB_EXT_SPIRANGE] = { 16, false },
	[SADB_X_EXT_KMPRIVATE] = { 8, true },
	[SADB_X_EXT_POLICY] = { 16, true },
	[SADB_X_EXT_SA2] = { 16, false },
	[SADB_X_EXT_NAT_T_TYPE] = { 8, false },
	[SADB_X_EXT_NAT_T_SPORT] = { 8, false },
	[SADB_X_EXT_NAT_T_DPORT] = { 8, false },
	[SADB_X_EXT_NAT_T_OA] = { 24, true },
	[SADB_X_EXT_SEC_CTX] = { 8, true },
	[SADB_X_EXT_KMADDRESS] = { 40, true },
	[SADB_X_EXT_FILTER] = { 40, false },
	[PFKEY_EXT_TRAFFIC] = { PFKEY_TRAFFIC_HEAD, true },
	[PFKEY_EXT_HANDLING] = { 32, false },
	[PFKEY_FS_EXT_SRC_FLOW + PFKEY_EXT_FS] = { 24, true },
	[PFKEY_FS_EXT_DST_FLOW + PFKEY_EXT_FS] = { 24, true },
	[PFKEY_FS_EXT_SRC_MASK + PFKEY_EXT_FS] = { 24, true },
	[PFKEY_FS_EXT_DST_MASK + PFKEY_EXT_FS] = { 24, true },
	[PFKEY_FS_EXT_PROTOCOL + PFKEY_EXT_FS] = { 8, false },
};

static bool read_body(unsigned ext, const uint8_t *at, size_t len, struct pfkey_msg *m)
{
	switch (ext) {
	case SADB_EXT_SA:
		return read_sa(at, len, &m->sa);
	case SADB_EXT_LIFETIME_CURRENT:
		return read_lifetime(at, len, &m->current);
	case SADB_EXT_LIFETIME_HARD:
		return read_lifetime(at, len, &m->hard);
	case SADB_EXT_LIFETIME_SOFT:
		return read_lifetime(at, len, &m->soft);
	case SADB_EXT_ADDRESS_SRC:
		return read_address(at, len, &m->src);
	case SADB_EXT_ADDRESS_DST:
		return read_address(at, len, &m->dst);
	case SADB_EXT_ADDRESS_PROXY:
		return read_address(at, len, &m->proxy);
	case SADB_EXT_KEY_AUTH:
		return read_key(at, len, &m->auth);
	case SADB_EXT_KEY_ENCRYPT:
		return read_key(at, len, &m->encrypt);
	case SADB_EXT_IDENTITY_SRC:
		return read_ident(at, len, &m->src_id);
	case SADB_EXT_IDENTITY_DST:
		return read_ident(at, len, &m->dst_id);
	case SADB_EXT_SENSITIVITY:
		return read_sensitivity(at, len, &m->sensitivity);
	case SADB_EXT_PROPOSAL:
		m->prop_replay = at[offsetof(struct sadb_prop, sadb_prop_replay)];
		return read_items(at, len, sizeof(struct sadb_prop), sizeof(struct sadb_comb),
				  PFKEY_COMBS_MAX, &m->combs);
	case SADB_EXT_SUPPORTED_AUTH:
	case SADB_EXT_SUPPORTED_ENCRYPT:
		return read_items(at, len, sizeof(struct sadb_supported), sizeof(struct sadb_alg),
				  PFKEY_ALGS_MAX, &m->algs[ext - SADB_EXT_SUPPORTED_AUTH]);
	case SADB_EXT_SPIRANGE:
		return read_spirange(at, m);
	case SADB_X_EXT_POLICY:
		return read_policy(at, len, &m->policy);
	case SADB_X_EXT_SA2:
		return read_sa2(at, &m->sa2);
	case SADB_X_EXT_NAT_T_TYPE:
		m->natt_type = at[offsetof(struct sadb_x_nat_t_type, sadb_x_nat_t_type_type)];
		return true;
	case SADB_X_EXT_NAT_T_SPORT:
		return read_natt_port(at, &m->natt_sport);
	case SADB_X_EXT_NAT_T_DPORT:
		return read_natt_port(at, &m->natt_dport);
	case SADB_X_EXT_NAT_T_OA:
		return read_address(at, len, &m->natt_oa);
	case SADB_X_EXT_SEC_CTX:
		return read_sec_ctx(at, len, &m->sec_ctx);
	case SADB_X_EXT_KMADDRESS:
		return read_pair(at + sizeof(struct sadb_x_kmaddress),
				 len - sizeof(struct sadb_x_kmaddress), &m->km_local,
				 &m->km_remote);
	case SADB_X_EXT_FILTER:
		return read_filter(at, &m->filter);
	case PFKEY_EXT_HANDLING:
		return read_handling(at, &m->handling);
	case PFKEY_EXT_TRAFFIC:
		return read_traffic(at, len, m);
	case PFKEY_FS_EXT_SRC_FLOW + PFKEY_EXT_FS:
		return read_address(at, len, &m->flow_src);
	case PFKEY_FS_EXT_DST_FLOW + PFKEY_EXT_FS:
		return read_address(at, len, &m->flow_dst);
	case PFKEY_FS_EXT_SRC_MASK + PFKEY_EXT_FS:
		return read_address(at, len, &m->mask_src);
	case PFKEY_FS_EXT_DST_MASK + PFKEY_EXT_FS:
		return read_address(at, len, &m->mask_dst);
	case PFKEY_FS_EXT_PROTOCOL + PFKEY_EXT_FS:
		m->flow_proto = at[4];
		return true;
	default:
		return true;
	}
}

/* ---- messages ---- */

/* The extension at `at`. @return 0: none that fits into what is left */
static size_t extension_len(const uint8_t *at, size_t left)
{
	if (left < WORD)
		return 0;
	size_t len = host16(at) * (size_t)WORD;

	return len <= left ? len : 0;
}

/* See the top of pfkey/msg.h. */
static bool is_freeswan(const uint8_t *data, size_t len, uint8_t type)
{
	bool seen[4] = { false }, policy = false;

	if (type != PFKEY_FS_ADDFLOW && type != PFKEY_FS_DELFLOW)
		return false;
	for (size_t at = PFKEY_HEADER, n; at < len; at += n) {
		n = extension_len(data + at, len - at);
		if (n == 0)
			return false;
		const uint16_t ext = host16(data + at + 2);

		policy |= ext == SADB_X_EXT_POLICY;
		if (ext >= PFKEY_FS_EXT_SRC_FLOW && ext <= PFKEY_FS_EXT_DST_MASK)
			seen[ext - PFKEY_FS_EXT_SRC_FLOW] = n >= 24;
	}
	if (seen[0] && seen[1] && seen[2] && seen[3])
		return true;
	return type == PFKEY_FS_DELFLOW && !policy;
}

int pfkey_msg_read(const void *data, size_t len, struct pfkey_msg *out)
{
	const uint8_t *octets = data;
	struct sadb_msg head;

	if (len < sizeof(head) || len > PFKEY_MSG_MAX)
		return EMSGSIZE;
	memcpy(&head, data, sizeof(head));
	if (head.sadb_msg_version != PF_KEY_V2)
		return EINVAL;
	if (head.sadb_msg_len * (size_t)WORD != len)
		return EMSGSIZE;
	memset(out, 0, sizeof(*out));
	out->type = head.sadb_msg_type;
	out->err = head.sadb_msg_errno;
	out->satype = head.sadb_msg_satype;
	out->seq = head.sadb_msg_seq;
	out->pid = head.sadb_msg_pid;
	out->freeswan = is_freeswan(octets, len, out->type);

	uint64_t seen = 0;

	for (size_t at = PFKEY_HEADER, n; at < len; at += n) {
		n = extension_len(octets + at, len - at);
		if (n == 0)
			return EINVAL;
		unsigned ext = host16(octets + at + 2);

		/* There is none of such numbers: here they are FreeS/WAN's. */
		if (ext >= PFKEY_EXT_FS)
			continue;
		if (out->freeswan && ext >= SADB_X_EXT_POLICY)
			ext += PFKEY_EXT_FS;
		if (shapes[ext].size == 0)
			continue;
		if (seen & PFKEY_HAS(ext))
			return EINVAL;
		seen |= PFKEY_HAS(ext);
		if (n < shapes[ext].size || (n > shapes[ext].size && !shapes[ext].longer) ||
		    !read_body(ext, octets + at, n, out))
			return EINVAL;
	}
	out->has = seen;
	return 0;
}

size_t pfkey_n_traffic(const struct pfkey_msg *m)
{
	return m->traffic.len > 0 ? (m->traffic.len - PFKEY_TRAFFIC_HEAD) / PFKEY_TRAFFIC_BOX : 0;
}

void pfkey_traffic_at(const struct pfkey_msg *m, size_t i, struct ipsp_selector *out)
{
	traffic_box(m->traffic.data + PFKEY_TRAFFIC_HEAD + i * PFKEY_TRAFFIC_BOX, out);
}

size_t pfkey_n_combs(const struct pfkey_msg *m)
{
	return m->combs.len / sizeof(struct sadb_comb);
}

void pfkey_comb_at(const struct pfkey_msg *m, size_t i, struct pfkey_comb *out)
{
	struct sadb_comb x;

	memcpy(&x, m->combs.data + i * sizeof(x), sizeof(x));
	*out = (struct pfkey_comb){
		.auth = x.sadb_comb_auth, .encrypt = x.sadb_comb_encrypt,
		.flags = x.sadb_comb_flags,
		.auth_min_bits = x.sadb_comb_auth_minbits,
		.auth_max_bits = x.sadb_comb_auth_maxbits,
		.encrypt_min_bits = x.sadb_comb_encrypt_minbits,
		.encrypt_max_bits = x.sadb_comb_encrypt_maxbits,
		.soft = { x.sadb_comb_soft_allocations, x.sadb_comb_soft_bytes,
			  x.sadb_comb_soft_addtime, x.sadb_comb_soft_usetime },
		.hard = { x.sadb_comb_hard_allocations, x.sadb_comb_hard_bytes,
			  x.sadb_comb_hard_addtime, x.sadb_comb_hard_usetime },
	};
}

size_t pfkey_n_algs(struct ipsp_span algs)
{
	return algs.len / sizeof(struct sadb_alg);
}

void pfkey_alg_at(struct ipsp_span algs, size_t i, struct pfkey_alg *out)
{
	struct sadb_alg x;

	memcpy(&x, algs.data + i * sizeof(x), sizeof(x));
	*out = (struct pfkey_alg){ x.sadb_alg_id, x.sadb_alg_ivlen, x.sadb_alg_minbits,
				   x.sadb_alg_maxbits };
}
