/*
 * pfkey/msg_write.c - messages to octets. RFC 2367 2: reserved fields and padding are zero.
 */
#include "pfkey/msg.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define WORD 8u

/* Room for len octets and their padding, all zero. NULL: there is none. */
static uint8_t *take(struct pfkey_writer *w, size_t len)
{
	const size_t padded = (len + WORD - 1) / WORD * WORD;

	if (w->overflow || padded > w->size - w->len) {
		w->overflow = true;
		return NULL;
	}
	uint8_t *at = w->data + w->len;

	memset(at, 0, padded);
	w->len += padded;
	return at;
}

/* An extension: its struct, then what stands behind it. NULL: no room */
static uint8_t *put(struct pfkey_writer *w, const void *head, size_t head_len, size_t tail_len)
{
	uint8_t *at = take(w, head_len + tail_len);

	if (!at)
		return NULL;
	memcpy(at, head, head_len);
	return at + head_len;
}

static uint16_t words(size_t octets)
{
	return (uint16_t)((octets + WORD - 1) / WORD);
}

void pfkey_begin(struct pfkey_writer *w, void *data, size_t size, uint8_t type, uint8_t satype,
		 uint32_t seq, uint32_t pid)
{
	const struct sadb_msg head = {
		.sadb_msg_version = PF_KEY_V2, .sadb_msg_type = type, .sadb_msg_satype = satype,
		.sadb_msg_seq = seq, .sadb_msg_pid = pid,
	};

	*w = (struct pfkey_writer){ .data = data, .size = size };
	put(w, &head, sizeof(head), 0);
}

size_t pfkey_end(struct pfkey_writer *w)
{
	const uint16_t len = words(w->len);

	if (w->overflow || w->len / WORD > UINT16_MAX)
		return 0;
	memcpy(w->data + offsetof(struct sadb_msg, sadb_msg_len), &len, sizeof(len));
	return w->len;
}

void pfkey_put_sa(struct pfkey_writer *w, const struct pfkey_sa *sa)
{
	const struct sadb_sa x = {
		.sadb_sa_len = words(sizeof(x)), .sadb_sa_exttype = SADB_EXT_SA,
		.sadb_sa_spi = htonl(sa->spi), .sadb_sa_replay = sa->replay,
		.sadb_sa_state = sa->state, .sadb_sa_auth = sa->auth,
		.sadb_sa_encrypt = sa->encrypt, .sadb_sa_flags = sa->flags,
	};

	put(w, &x, sizeof(x), 0);
}

void pfkey_put_lifetime(struct pfkey_writer *w, uint16_t ext, const struct pfkey_lifetime *l)
{
	const struct sadb_lifetime x = {
		.sadb_lifetime_len = words(sizeof(x)), .sadb_lifetime_exttype = ext,
		.sadb_lifetime_allocations = l->allocations, .sadb_lifetime_bytes = l->bytes,
		.sadb_lifetime_addtime = l->add_s, .sadb_lifetime_usetime = l->use_s,
	};

	put(w, &x, sizeof(x), 0);
}

static size_t sockaddr_size(const struct ipsp_addr *a)
{
	return a->family == 4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void write_sockaddr(uint8_t *at, const struct ipsp_addr *a, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memcpy(&in.sin_addr, a->octets, 4);
	memcpy(&in6.sin6_addr, a->octets, 16);
	if (a->family == 4)
		memcpy(at, &in, sizeof(in));
	else
		memcpy(at, &in6, sizeof(in6));
}

void pfkey_put_address(struct pfkey_writer *w, uint16_t ext, const struct pfkey_address *a)
{
	const size_t size = sockaddr_size(&a->addr);
	const struct sadb_address x = {
		.sadb_address_len = words(sizeof(x) + size), .sadb_address_exttype = ext,
		.sadb_address_proto = a->proto, .sadb_address_prefixlen = a->prefix_len,
	};
	uint8_t *at = put(w, &x, sizeof(x), size);

	if (at)
		write_sockaddr(at, &a->addr, a->port);
}

void pfkey_put_key(struct pfkey_writer *w, uint16_t ext, const struct pfkey_key *k)
{
	const size_t octets = (k->bits + 7u) / 8;
	const struct sadb_key x = {
		.sadb_key_len = words(sizeof(x) + octets), .sadb_key_exttype = ext,
		.sadb_key_bits = k->bits,
	};
	uint8_t *at = put(w, &x, sizeof(x), octets);

	if (at)
		memcpy(at, k->octets, octets);
}

void pfkey_put_ident(struct pfkey_writer *w, uint16_t ext, const struct pfkey_ident *id)
{
	const size_t tail = id->text.len ? id->text.len + 1 : 0;
	const struct sadb_ident x = {
		.sadb_ident_len = words(sizeof(x) + tail), .sadb_ident_exttype = ext,
		.sadb_ident_type = id->type, .sadb_ident_id = id->id,
	};
	uint8_t *at = put(w, &x, sizeof(x), tail);

	if (at && tail)
		memcpy(at, id->text.data, id->text.len);
}

void pfkey_put_proposal(struct pfkey_writer *w, uint8_t replay, const struct pfkey_comb *combs,
			size_t n)
{
	const size_t tail = n * sizeof(struct sadb_comb);
	const struct sadb_prop head = {
		.sadb_prop_len = words(sizeof(head) + tail), .sadb_prop_exttype = SADB_EXT_PROPOSAL,
		.sadb_prop_replay = replay,
	};
	uint8_t *at = put(w, &head, sizeof(head), tail);

	for (size_t i = 0; at && i < n; i++) {
		const struct pfkey_comb *c = &combs[i];
		const struct sadb_comb x = {
			.sadb_comb_auth = c->auth, .sadb_comb_encrypt = c->encrypt,
			.sadb_comb_flags = c->flags,
			.sadb_comb_auth_minbits = c->auth_min_bits,
			.sadb_comb_auth_maxbits = c->auth_max_bits,
			.sadb_comb_encrypt_minbits = c->encrypt_min_bits,
			.sadb_comb_encrypt_maxbits = c->encrypt_max_bits,
			.sadb_comb_soft_allocations = c->soft.allocations,
			.sadb_comb_hard_allocations = c->hard.allocations,
			.sadb_comb_soft_bytes = c->soft.bytes,
			.sadb_comb_hard_bytes = c->hard.bytes,
			.sadb_comb_soft_addtime = c->soft.add_s,
			.sadb_comb_hard_addtime = c->hard.add_s,
			.sadb_comb_soft_usetime = c->soft.use_s,
			.sadb_comb_hard_usetime = c->hard.use_s,
		};

		memcpy(at + i * sizeof(x), &x, sizeof(x));
	}
}

void pfkey_put_supported(struct pfkey_writer *w, uint16_t ext, const struct pfkey_alg *algs,
			 size_t n)
{
	const size_t tail = n * sizeof(struct sadb_alg);
	const struct sadb_supported head = {
		.sadb_supported_len = words(sizeof(head) + tail), .sadb_supported_exttype = ext,
	};
	uint8_t *at = put(w, &head, sizeof(head), tail);

	for (size_t i = 0; at && i < n; i++) {
		const struct sadb_alg x = {
			.sadb_alg_id = algs[i].id, .sadb_alg_ivlen = algs[i].iv_len,
			.sadb_alg_minbits = algs[i].min_bits, .sadb_alg_maxbits = algs[i].max_bits,
		};

		memcpy(at + i * sizeof(x), &x, sizeof(x));
	}
}

void pfkey_put_spirange(struct pfkey_writer *w, uint32_t min, uint32_t max)
{
	const struct sadb_spirange x = {
		.sadb_spirange_len = words(sizeof(x)), .sadb_spirange_exttype = SADB_EXT_SPIRANGE,
		.sadb_spirange_min = min, .sadb_spirange_max = max,
	};

	put(w, &x, sizeof(x), 0);
}

static size_t request_size(const struct pfkey_request *r)
{
	const size_t pair = r->src.family ? 2 * sockaddr_size(&r->src) : 0;

	return sizeof(struct sadb_x_ipsecrequest) + pair;
}

void pfkey_put_policy(struct pfkey_writer *w, const struct pfkey_policy *p)
{
	size_t tail = 0;

	for (unsigned i = 0; i < p->n_requests; i++)
		tail += request_size(&p->requests[i]);
	const struct sadb_x_policy x = {
		.sadb_x_policy_len = words(sizeof(x) + tail),
		.sadb_x_policy_exttype = SADB_X_EXT_POLICY, .sadb_x_policy_type = p->type,
		.sadb_x_policy_dir = p->dir, .sadb_x_policy_id = p->id,
		.sadb_x_policy_priority = p->priority,
	};
	uint8_t *at = put(w, &x, sizeof(x), tail);

	for (unsigned i = 0; at && i < p->n_requests; i++) {
		const struct pfkey_request *r = &p->requests[i];
		const size_t size = request_size(r);
		const struct sadb_x_ipsecrequest q = {
			.sadb_x_ipsecrequest_len = (uint16_t)size,
			.sadb_x_ipsecrequest_proto = r->proto, .sadb_x_ipsecrequest_mode = r->mode,
			.sadb_x_ipsecrequest_level = r->level,
			.sadb_x_ipsecrequest_reqid = r->reqid,
		};

		memcpy(at, &q, sizeof(q));
		if (r->src.family) {
			write_sockaddr(at + sizeof(q), &r->src, 0);
			write_sockaddr(at + sizeof(q) + sockaddr_size(&r->src), &r->dst, 0);
		}
		at += size;
	}
}

void pfkey_put_sa2(struct pfkey_writer *w, const struct pfkey_sa2 *sa2)
{
	const struct sadb_x_sa2 x = {
		.sadb_x_sa2_len = words(sizeof(x)), .sadb_x_sa2_exttype = SADB_X_EXT_SA2,
		.sadb_x_sa2_mode = sa2->mode, .sadb_x_sa2_sequence = sa2->sequence,
		.sadb_x_sa2_reqid = sa2->reqid,
	};

	put(w, &x, sizeof(x), 0);
}

void pfkey_put_natt_type(struct pfkey_writer *w, uint8_t type)
{
	const struct sadb_x_nat_t_type x = {
		.sadb_x_nat_t_type_len = words(sizeof(x)),
		.sadb_x_nat_t_type_exttype = SADB_X_EXT_NAT_T_TYPE, .sadb_x_nat_t_type_type = type,
	};

	put(w, &x, sizeof(x), 0);
}

void pfkey_put_natt_port(struct pfkey_writer *w, uint16_t ext, uint16_t port)
{
	const struct sadb_x_nat_t_port x = {
		.sadb_x_nat_t_port_len = words(sizeof(x)), .sadb_x_nat_t_port_exttype = ext,
		.sadb_x_nat_t_port_port = htons(port),
	};

	put(w, &x, sizeof(x), 0);
}

void pfkey_put_kmaddress(struct pfkey_writer *w, const struct ipsp_addr *local,
			 const struct ipsp_addr *remote)
{
	const size_t size = sockaddr_size(local);
	const struct sadb_x_kmaddress x = {
		.sadb_x_kmaddress_len = words(sizeof(x) + 2 * size),
		.sadb_x_kmaddress_exttype = SADB_X_EXT_KMADDRESS,
	};
	uint8_t *at = put(w, &x, sizeof(x), 2 * size);

	if (!at)
		return;
	write_sockaddr(at, local, 0);
	write_sockaddr(at + size, remote, 0);
}

void pfkey_put_filter(struct pfkey_writer *w, const struct pfkey_filter *f)
{
	struct sadb_x_filter x = {
		.sadb_x_filter_len = words(sizeof(x)), .sadb_x_filter_exttype = SADB_X_EXT_FILTER,
		.sadb_x_filter_family = f->src.family == 4 ? AF_INET :
					f->src.family == 6 ? AF_INET6 : AF_UNSPEC,
		.sadb_x_filter_splen = f->src_prefix_len, .sadb_x_filter_dplen = f->dst_prefix_len,
	};

	memcpy(x.sadb_x_filter_saddr, f->src.octets, sizeof(f->src.octets));
	memcpy(x.sadb_x_filter_daddr, f->dst.octets, sizeof(f->dst.octets));
	put(w, &x, sizeof(x), 0);
}

void pfkey_put_fs_protocol(struct pfkey_writer *w, uint8_t proto)
{
	uint8_t *at = take(w, WORD);
	const uint16_t head[2] = { 1, PFKEY_FS_EXT_PROTOCOL };

	if (!at)
		return;
	memcpy(at, head, sizeof(head));
	at[4] = proto;
}

void pfkey_put_whole(struct pfkey_writer *w, struct ipsp_span extension)
{
	uint8_t *at = take(w, extension.len);

	if (at)
		memcpy(at, extension.data, extension.len);
}

void pfkey_put_handling(struct pfkey_writer *w, const struct pfkey_handling *h)
{
	const struct {
		uint16_t len, ext;
		uint8_t df, ecn, dscp, zero;
		uint32_t idle_s, window_pkts;
		uint16_t tfc_pad, dummy_s;
		uint32_t idle_with, with_spi;
		uint8_t with_proto, zeros[3];
	} x = {
		.len = words(sizeof(x)), .ext = PFKEY_EXT_HANDLING, .df = h->df, .ecn = h->ecn,
		.dscp = h->dscp < 0 ? UINT8_MAX : (uint8_t)h->dscp, .idle_s = h->idle_s,
		.window_pkts = h->window_pkts, .tfc_pad = h->tfc_pad, .dummy_s = h->dummy_s,
		.idle_with = htonl(h->idle_with), .with_spi = htonl(h->with_spi),
		.with_proto = h->with_proto,
	};

	put(w, &x, sizeof(x), 0);
}

void pfkey_put_traffic(struct pfkey_writer *w, const struct ipsp_selector *boxes, size_t n)
{
	const size_t len = PFKEY_TRAFFIC_HEAD + n * PFKEY_TRAFFIC_BOX;
	const uint16_t head[3] = { words(len), PFKEY_EXT_TRAFFIC, (uint16_t)n };
	uint8_t *at = take(w, len);

	if (!at)
		return;
	memcpy(at, head, sizeof(head));
	at += PFKEY_TRAFFIC_HEAD;
	for (size_t i = 0; i < n; i++, at += PFKEY_TRAFFIC_BOX) {
		const struct ipsp_selector *const s = &boxes[i];
		const uint8_t octets[4] = { s->family, s->proto_lo, s->proto_hi, s->hides };
		const uint32_t ports[4] = { s->sport_lo, s->sport_hi, s->dport_lo, s->dport_hi };
		const size_t size = ipsp_addr_size(s->family);

		memcpy(at, octets, sizeof(octets));
		memcpy(at + 4, ports, sizeof(ports));
		memcpy(at + 24, s->src_lo.octets, size);
		memcpy(at + 40, s->src_hi.octets, size);
		memcpy(at + 56, s->dst_lo.octets, size);
		memcpy(at + 72, s->dst_hi.octets, size);
	}
}

static void put_combs(struct pfkey_writer *w, const struct pfkey_msg *m)
{
	struct pfkey_comb combs[PFKEY_COMBS_MAX];
	const size_t n = pfkey_n_combs(m);

	for (size_t i = 0; i < n; i++)
		pfkey_comb_at(m, i, &combs[i]);
	pfkey_put_proposal(w, m->prop_replay, combs, n);
}

static void put_algs(struct pfkey_writer *w, uint16_t ext, struct ipsp_span span)
{
	struct pfkey_alg algs[PFKEY_ALGS_MAX];
	const size_t n = pfkey_n_algs(span);

	for (size_t i = 0; i < n; i++)
		pfkey_alg_at(span, i, &algs[i]);
	pfkey_put_supported(w, ext, algs, n);
}

static void put_one(struct pfkey_writer *w, const struct pfkey_msg *m, uint16_t ext)
{
	switch (ext) {
	case SADB_EXT_SA:
		pfkey_put_sa(w, &m->sa);
		break;
	case SADB_EXT_LIFETIME_CURRENT:
		pfkey_put_lifetime(w, ext, &m->current);
		break;
	case SADB_EXT_LIFETIME_HARD:
		pfkey_put_lifetime(w, ext, &m->hard);
		break;
	case SADB_EXT_LIFETIME_SOFT:
		pfkey_put_lifetime(w, ext, &m->soft);
		break;
	case SADB_EXT_ADDRESS_SRC:
		pfkey_put_address(w, ext, &m->src);
		break;
	case SADB_EXT_ADDRESS_DST:
		pfkey_put_address(w, ext, &m->dst);
		break;
	case SADB_EXT_ADDRESS_PROXY:
		pfkey_put_address(w, ext, &m->proxy);
		break;
	case SADB_EXT_KEY_AUTH:
		pfkey_put_key(w, ext, &m->auth);
		break;
	case SADB_EXT_KEY_ENCRYPT:
		pfkey_put_key(w, ext, &m->encrypt);
		break;
	case SADB_EXT_IDENTITY_SRC:
		pfkey_put_ident(w, ext, &m->src_id);
		break;
	case SADB_EXT_IDENTITY_DST:
		pfkey_put_ident(w, ext, &m->dst_id);
		break;
	case SADB_EXT_SENSITIVITY:
		pfkey_put_whole(w, m->sensitivity);
		break;
	case SADB_EXT_PROPOSAL:
		put_combs(w, m);
		break;
	case SADB_EXT_SUPPORTED_AUTH:
	case SADB_EXT_SUPPORTED_ENCRYPT:
		put_algs(w, ext, m->algs[ext - SADB_EXT_SUPPORTED_AUTH]);
		break;
	case SADB_EXT_SPIRANGE:
		pfkey_put_spirange(w, m->spi_min, m->spi_max);
		break;
	case SADB_X_EXT_POLICY:
		pfkey_put_policy(w, &m->policy);
		break;
	case SADB_X_EXT_SA2:
		pfkey_put_sa2(w, &m->sa2);
		break;
	case SADB_X_EXT_NAT_T_TYPE:
		pfkey_put_natt_type(w, m->natt_type);
		break;
	case SADB_X_EXT_NAT_T_SPORT:
		pfkey_put_natt_port(w, ext, m->natt_sport);
		break;
	case SADB_X_EXT_NAT_T_DPORT:
		pfkey_put_natt_port(w, ext, m->natt_dport);
		break;
	case SADB_X_EXT_NAT_T_OA:
		pfkey_put_address(w, ext, &m->natt_oa);
		break;
	case SADB_X_EXT_SEC_CTX:
		pfkey_put_whole(w, m->sec_ctx);
		break;
	case PFKEY_EXT_HANDLING:
		pfkey_put_handling(w, &m->handling);
		break;
	case PFKEY_EXT_TRAFFIC:
		pfkey_put_whole(w, m->traffic);
		break;
	case SADB_X_EXT_KMADDRESS:
		pfkey_put_kmaddress(w, &m->km_local, &m->km_remote);
		break;
	case SADB_X_EXT_FILTER:
		pfkey_put_filter(w, &m->filter);
		break;
	case PFKEY_FS_EXT_SRC_FLOW + PFKEY_EXT_FS:
		pfkey_put_address(w, PFKEY_FS_EXT_SRC_FLOW, &m->flow_src);
		break;
	case PFKEY_FS_EXT_DST_FLOW + PFKEY_EXT_FS:
		pfkey_put_address(w, PFKEY_FS_EXT_DST_FLOW, &m->flow_dst);
		break;
	case PFKEY_FS_EXT_SRC_MASK + PFKEY_EXT_FS:
		pfkey_put_address(w, PFKEY_FS_EXT_SRC_MASK, &m->mask_src);
		break;
	case PFKEY_FS_EXT_DST_MASK + PFKEY_EXT_FS:
		pfkey_put_address(w, PFKEY_FS_EXT_DST_MASK, &m->mask_dst);
		break;
	case PFKEY_FS_EXT_PROTOCOL + PFKEY_EXT_FS:
		pfkey_put_fs_protocol(w, m->flow_proto);
		break;
	default:	/* private to key management (17): not ours to send */
		break;
	}
}

void pfkey_put_some(struct pfkey_writer *w, const struct pfkey_msg *m, uint64_t mask)
{
	for (uint16_t ext = 0; ext < PFKEY_EXTS; ext++) {
		if (m->has & mask & PFKEY_HAS(ext))
			put_one(w, m, ext);
	}
}

void pfkey_error_answer(const void *request, size_t len, uint8_t err, uint8_t out[PFKEY_HEADER])
{
	struct sadb_msg head = { .sadb_msg_version = 0 };

	memcpy(&head, request, len < sizeof(head) ? len : sizeof(head));
	head.sadb_msg_version = PF_KEY_V2;
	head.sadb_msg_errno = err;
	head.sadb_msg_len = words(sizeof(head));
	head.sadb_msg_reserved = 0;
	memcpy(out, &head, sizeof(head));
}
