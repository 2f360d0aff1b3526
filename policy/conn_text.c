/*
 * policy/conn_text.c - a connection in the words of its table's columns: see connection.h.
 *
 * Pieces are added whole or not at all, so names are never cut inside a character.
 */
#include "policy/connection.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ipsp/config.h"
#include "mibs/schema_gen.h"
#include "policy/algs.h"

#define PIECE_MAX 300

struct text {
	char *buf;
	size_t len;
	bool full;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *fmt, ...)
{
	char piece[PIECE_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(piece, sizeof(piece), fmt, ap);
	va_end(ap);
	if (t->full)
		return;
	/* Room is kept for the two points. */
	if (n < 0 || (size_t)n >= sizeof(piece) || t->len + (size_t)n + 3 > POL_CONN_COLUMN) {
		memcpy(t->buf + t->len, "..", 3);
		t->full = true;
		return;
	}
	memcpy(t->buf + t->len, piece, (size_t)n + 1);
	t->len += (size_t)n;
}

static const char *sep(const struct text *t, const char *s)
{
	return t->len > 0 ? s : "";
}

/* ---- identities ---- */

static void put_identity(struct text *t, const struct pol_identity *id)
{
	static const char *const types[] = { "anybody", "ipv4", "fqdn", "user-fqdn", "ipv4-subnet",
					     "ipv6", "ipv6-subnet", "ipv4-range", "ipv6-range",
					     "dn", "general-name", "key-id" };

	if (id->type < sizeof(types) / sizeof(types[0]))
		put(t, "%s%s", sep(t, "; "), types[id->type]);
	else
		put(t, "%stype %u", sep(t, "; "), id->type);
	if (id->value[0])
		put(t, ":%s", id->value);
}

/* Who says so of somebody with that credential. */
static void put_issuer(struct text *t, const struct pol_connection *c,
		       const struct pol_conn_credential *k)
{
	for (size_t i = 0; i < c->n_cas; i++)
		if (strcmp(c->cas[i].name, k->ca) == 0)
			put(t, " by %s", c->cas[i].dn);
}

static void put_local(struct text *t, const struct pol_connection *c)
{
	if (!c->local.type)
		return;
	put_identity(t, &c->local);
	if (!c->local.value[0] && (c->local.type == 1 || c->local.type == 5))
		put(t, " of interface %u", c->ifindex);
	else if (!c->local.value[0])
		put(t, " of certificate \"%s\"", c->local_credential.name);
	put_issuer(t, c, &c->local_credential);
}

static void put_credential(struct text *t, const char *whose, const struct pol_conn_credential *k)
{
	if (!k->name[0])
		return;
	put(t, "%s%s %s \"%s\"", sep(t, "; "), whose,
	    k->type == 2 ? "pre-shared key" : k->type == 3 ? (k->raw_key ? "public key" : "certificate") : "credential", k->name);
	if (k->ca[0])
		put(t, " of CA \"%s\", chain of %u", k->ca, k->max_chain);
	if (k->remote_id[0])
		put(t, " known as %s", k->remote_id);
	if (k->pss)
		put(t, ", RSA by PSS");
}

static void put_crl(struct text *t, const struct pol_conn_crl *crl)
{
	put(t, " \"%s\"", crl->name);
	if (crl->point[0])
		put(t, " at %s", crl->point);
	if (crl->this_update[0])
		put(t, " of %s", crl->this_update);
	if (crl->next_update[0])
		put(t, " until %s", crl->next_update);
}

static void put_ca(struct text *t, const struct pol_conn_ca *ca)
{
	static const char *const levels[] = { "", "not asked for", "if available", "required" };

	put(t, "%sCA \"%s\"", sep(t, "; "), ca->name);
	if (ca->certificate[0])
		put(t, " with certificate \"%s\"", ca->certificate);
	put(t, ", CRL %s", levels[ca->crl_level <= POL_CRL_REQUIRED ? ca->crl_level : 0]);
	if (!ca->in_requests)
		put(t, ", not named to peers");
	for (size_t i = 0; i < ca->n_crls && i < POL_CONN_CRLS_MAX; i++)
		put_crl(t, &ca->crls[i]);
	if (ca->n_crls > POL_CONN_CRLS_MAX)
		put(t, " and %zu more", ca->n_crls - POL_CONN_CRLS_MAX);
}

static void put_ppk(struct text *t, const struct pol_conn_peer *p)
{
	if (!p->ppk.name[0])
		return;
	put(t, "%sPPK \"%s\"", sep(t, "; "), p->ppk.name);
	if (p->ppk.remote_id[0])
		put(t, " known as %s", p->ppk.remote_id);
	put(t, "%s", p->ppk_required ? ", required" : ", if the peer has it");
}

static void put_credentials(struct text *t, const struct pol_connection *c)
{
	put_credential(t, "our", &c->local_credential);
	for (size_t i = 0; i < c->n_more; i++)
		put_credential(t, "or our", &c->more[i]);
	if (c->passed_over[0])
		put(t, "%snot used: %s", sep(t, "; "), c->passed_over);
	for (size_t i = 0; i < c->n_peers; i++)
		if (strcmp(c->peers[i].credential.name, c->local_credential.name) != 0)
			put_credential(t, "peer's", &c->peers[i].credential);
	for (size_t i = 0; i < c->n_peers; i++)
		put_ppk(t, &c->peers[i]);
	for (size_t i = 0; i < c->n_cas; i++)
		put_ca(t, &c->cas[i]);
}

/* ---- selectors ---- */

static unsigned common_bits(const struct ipsp_addr *lo, const struct ipsp_addr *hi)
{
	const unsigned bits = (unsigned)ipsp_addr_size(lo->family) * 8;
	unsigned n = 0;

	while (n < bits && !((lo->octets[n / 8] ^ hi->octets[n / 8]) & (0x80 >> n % 8)))
		n++;
	return n;
}

static void put_addresses(struct text *t, const struct ipsp_addr *lo, const struct ipsp_addr *hi)
{
	struct ipsp_addr first, last;
	const unsigned n = common_bits(lo, hi);
	char a[IPSP_ADDR_TEXT], b[IPSP_ADDR_TEXT];

	if (ipsp_addr_prefix(lo, n, &first, &last) == IPSP_OK && ipsp_addr_cmp(&first, lo) == 0 &&
	    ipsp_addr_cmp(&last, hi) == 0)
		put(t, "%s/%u", ipsp_addr_print(lo, a), n);
	else
		put(t, "%s-%s", ipsp_addr_print(lo, a), ipsp_addr_print(hi, b));
}

static void put_messages(struct text *t, const char *name, uint32_t lo, uint32_t hi)
{
	lo -= IPSP_PORT_MESSAGE;
	hi -= IPSP_PORT_MESSAGE;
	put(t, " %s type %u/%u", name, lo / 256, lo % 256);
	if (lo != hi)
		put(t, "-%u/%u", hi / 256, hi % 256);
}

static void put_ports(struct text *t, const char *name, uint32_t lo, uint32_t hi)
{
	if (lo == 0 && hi >= IPSP_PORT_MAX)
		return;
	if (lo == hi)
		put(t, " %s %u", name, lo);
	else
		put(t, " %s %u-%u", name, lo, hi);
}

static void put_selectors(struct text *t, const struct pol_connection *c)
{
	for (size_t i = 0; i < c->n_selectors; i++) {
		const struct ipsp_selector *s = &c->selectors[i];

		put(t, "%s", sep(t, "; "));
		put_addresses(t, &s->src_lo, &s->src_hi);
		put(t, " -> ");
		put_addresses(t, &s->dst_lo, &s->dst_hi);
		if (s->proto_lo == s->proto_hi)
			put(t, " proto %u", s->proto_lo);
		/* Of one that is turned round, messages stand where those received do. */
		if (s->sport_lo >= IPSP_PORT_MESSAGE && s->sport_hi <= IPSP_PORT_MESSAGE_MAX)
			put_messages(t, "sent", s->sport_lo, s->sport_hi);
		else
			put_ports(t, "sport", s->sport_lo, s->sport_hi);
		if (s->dport_lo >= IPSP_PORT_MESSAGE && s->dport_hi <= IPSP_PORT_MESSAGE_MAX)
			put_messages(t, "received", s->dport_lo, s->dport_hi);
		else
			put_ports(t, "dport", s->dport_lo, s->dport_hi);
	}
}

/* ---- algorithms ---- */

static const char *name_of(const struct pol_alg *a)
{
	return a ? a->name : "unknown";
}

static const char *weak(const struct pol_alg *a)
{
	return a && a->kind == POL_ALG_WEAK ? " (weak)" : "";
}

static void put_version(struct text *t, const struct pol_connection *c)
{
	static const char *const versions[] = { "", "IKEv2", "IKEv1 main mode",
						"IKEv2, then IKEv1 main mode" };

	if (!c->local.type)
		return;
	if (c->aggressive)
		put(t, "IKEv1 aggressive mode with %s%s",
		    name_of(pol_alg_ike_group(c->aggressive_group)),
		    weak(pol_alg_ike_group(c->aggressive_group)));
	else
		put(t, "%s", versions[c->version <= POL_IKE_V2_THEN_V1 ? c->version : 0]);
	put(t, "; both as responder%s",
	    c->aggressive_psk ? ", aggressive mode with a pre-shared key too" : "");
}

/* It says whose a private group is; all that we know are of nobody. */
static void put_vendor(struct text *t, size_t octets)
{
	if (octets)
		put(t, ", group of no vendor (VendorId of %zu octets)", octets);
}

static void put_proposal(struct text *t, const struct pol_ike_proposal *p)
{
	const struct pol_alg *const cipher = pol_alg_ike_cipher(p->cipher);
	const struct pol_alg *const hash = pol_alg_ike_hash(p->hash);
	const struct pol_alg *const group = pol_alg_ike_group(p->group);

	put(t, "%s%u %s: %s", sep(t, "; "), p->priority, p->name, name_of(cipher));
	if (p->key_bits)
		put(t, "-%u", p->key_bits);
	put(t, "%s %s%s %s%s %s %llu s", weak(cipher), name_of(hash), weak(hash), name_of(group),
	    weak(group), name_of(pol_alg_ike_method(p->method)), (unsigned long long)p->life_s);
	if (p->life_kb)
		put(t, " %llu kB", (unsigned long long)p->life_kb);
	if (p->derived_keys)
		put(t, " %u SAs", p->derived_keys);
	if (p->v2)
		put(t, " (encr %u prf %u integ %u auth %u)", p->encr, p->prf, p->integ, p->auth);
	for (size_t i = 0; i < p->n_add_ke; i++)
		put(t, " + ke %u", p->add_ke[i]);
	put_vendor(t, p->vendor_octets);
	if (!p->v1 || !p->v2)
		put(t, p->v2 ? " IKEv2 only" : " IKEv1 only");
}

static void put_esp(struct text *t, uint32_t encr, uint32_t bits, uint32_t auth)
{
	const struct pol_alg *a = pol_alg_esp(encr);

	put(t, "ESP %s", name_of(a));
	if (bits && a && a->variable_key)
		put(t, "-%u", bits);
	put(t, "%s", weak(a));
	if (auth)
		put(t, " %s%s", name_of(pol_alg_auth(auth)), weak(pol_alg_auth(auth)));
}

static void put_transform(struct text *t, const struct pol_connection *c,
			  const struct pol_child_transform *x)
{
	put(t, "%s%u %s: ", sep(t, "; "), x->proposal, x->name);
	if (x->protocol == 3)
		put_esp(t, x->encr, x->key_bits, x->auth);
	else if (x->protocol == 2)
		put(t, "AH %s%s", name_of(pol_alg_auth(x->auth)), weak(pol_alg_auth(x->auth)));
	else
		put(t, "IPComp %u%s", x->encr, x->usable ? " (DEFLATE)" : "");
	if (x->protocol == 4 && x->key_bits)
		put(t, " dictionary %u", x->key_bits);
	put(t, " %llu s", (unsigned long long)x->life_s);
	if (x->life_kb)
		put(t, " %llu kB", (unsigned long long)x->life_kb);
	if (x->protocol == 3)
		put(t, " (encr %u integ %u)", x->v2_encr, x->v2_integ);
	else if (x->protocol == 2)
		put(t, " (integ %u)", x->v2_integ);
	if (x->protocol != 4)
		put(t, x->replay ? " window %u" : " no window", x->window_pkts);
	if (c->version != POL_IKE_V1 && !(x->usable && pol_child_proposal_of(c, x)->offered))
		put(t, " not offered");
}

static void put_pfs(struct text *t, const struct pol_connection *c)
{
	if (!c->mode)
		return;
	if (!c->pfs)
		put(t, "none");
	else if (c->pfs_of_ike)
		put(t, "the IKE SA's group");
	else
		put(t, "%s%s", name_of(pol_alg_ike_group(c->pfs_group)),
		    weak(pol_alg_ike_group(c->pfs_group)));
	put_vendor(t, c->pfs_vendor_octets);
}

/* ---- the rest ---- */

static void put_life(struct text *t, const char *of, const struct pol_conn_life *l)
{
	if (!l->name[0])
		return;
	put(t, "%s%s by %s: renewed at %u %% of time, %u %% of octets", sep(t, "; "), of, l->name,
	    l->refresh_s_percent, l->refresh_kb_percent);
	if (l->min_life_s || l->min_life_kb)
		put(t, ", at least %llu s, %llu kB", (unsigned long long)l->min_life_s,
		    (unsigned long long)l->min_life_kb);
	if (l->idle_s)
		put(t, ", idle %llu s at most", (unsigned long long)l->idle_s);
}

static void put_lifetimes(struct text *t, const struct pol_connection *c)
{
	put_life(t, "IKE SA", &c->ike_life);
	if (c->ike_life.name[0] && c->threshold_percent != 100)
		put(t, ", %u %% of its SAs", c->threshold_percent);
	if (c->reauth_s)
		put(t, "%sauthenticated anew within %u s", sep(t, "; "), c->reauth_s);
	put_life(t, "SA", &c->child_life);
}

static void put_logging(struct text *t, const char *of, bool log, int32_t octets)
{
	if (log)
		put(t, "%s%s logged", sep(t, "; "), of);
	if (octets >= 0)
		put(t, "%spackets of %s logged, %d octets", sep(t, "; "), of, (int)octets);
}

static void put_from_packet(struct text *t, uint8_t bits)
{
	static const char *const words[] = { "source", "destination", "protocol", "source port",
					     "destination port" };
	const char *before = "; from the packet: ";

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (bits & 0x80 >> i) {
			put(t, "%s%s", before, words[i]);
			before = ", ";
		}
}

/* What is as usual is not said. */
static void put_choices(struct text *t, const struct pol_conn_choices *k)
{
	put_from_packet(t, k->from_packet);
	if (k->ecn == IPSP_ECN_COMPATIBILITY || k->ecn == IPSP_ECN_NONE)
		put(t, "; ECN %s", k->ecn == IPSP_ECN_NONE ? "none" : "compatibility");
	if (k->dscp >= 0)
		put(t, "; DSCP %d", k->dscp);
	if (k->tfc_pad_octets)
		put(t, "; padded to %u octets", k->tfc_pad_octets);
	if (k->dummy_interval_s)
		put(t, "; dummy packets after %u s", k->dummy_interval_s);
	if (k->esn == POL_CONN_ESN_NO || k->esn == POL_CONN_ESN_YES)
		put(t, "; %u-bit sequence numbers", k->esn == POL_CONN_ESN_YES ? 64 : 32);
}

static void put_options(struct text *t, const struct pol_connection *c)
{
	static const char *const granularities[] = { "", "subnet", "address", "protocol", "port" };
	static const char *const dfs[] = { "", "copied", "set", "clear" };

	if (c->mode)
		put(t, "granularity %s", granularities[c->granularity <= 4 ? c->granularity : 0]);
	if (c->mode == IPSP_MODE_TUNNEL)
		put(t, "; DF %s", dfs[c->df <= 3 ? c->df : 0]);
	if (c->gateway_of_packet)
		put(t, "; the packet's own address is the gateway");
	if (c->anyone)
		put(t, "; the gateway may be anywhere, and comes by itself");
	if (c->mode)
		put_choices(t, &c->choices);
	if (c->nat == POL_CONN_NAT_ALWAYS || c->nat == POL_CONN_NAT_NEVER)
		put(t, "%sUDP %s", sep(t, "; "), c->nat == POL_CONN_NAT_NEVER ? "never" : "always");
	if (c->retransmit_s != POL_CONN_RETRANSMIT_S || c->tries != POL_CONN_TRIES)
		put(t, "%srequests %u times, the second after %u s", sep(t, "; "), c->tries, c->retransmit_s);
	put_logging(t, "IKE SA", c->log_ike, c->log_ike_octets);
	put_logging(t, "SA", c->log_child, c->log_child_octets);
	if (c->ike_vendor_len)
		put(t, "%sVendor ID of %zu octets", sep(t, "; "), c->ike_vendor_len);
}

/* Not with whom: rules are for those too who see no addresses. */
static void put_start(struct text *t, const struct pol_conn_key *key,
		      const struct pol_conn_start *start)
{
	put(t, "%sautostart %u", sep(t, ", "), start->priority);
	if (start->rule[0])
		put(t, " as %s", start->rule);
	else if (key->ipsec[0])
		put(t, " host to host");
}

static void put_rules(struct text *t, const struct pol_conn_key *key,
		      const struct pol_connection *c)
{
	for (size_t i = 0; i < key->n_uses; i++) {
		const struct pol_conn_use *u = &key->uses[i];

		if (!u->rule[0])
			continue;
		put(t, "%s%s", sep(t, ", "), u->rule);
		if (u->dir)
			put(t, " %s %u", u->dir == IPSP_INBOUND ? "inbound" : "outbound",
			    u->ifindex);
	}
	if (c->answers)
		put(t, "default response");
	for (size_t i = 0; i < c->n_starts; i++)
		put_start(t, key, &c->starts[i]);
}

const char *pol_conn_text(const struct pol_conn_key *key, const struct pol_connection *c,
			  enum pol_conn_column column, char buf[POL_CONN_COLUMN])
{
	struct text t = { .buf = buf };

	buf[0] = '\0';
	switch (column) {
	case POL_CONN_PEER_IDENTITY:
		for (size_t i = 0; i < c->n_peers; i++) {
			put_identity(&t, &c->peers[i].id);
			put_issuer(&t, c, &c->peers[i].credential);
		}
		break;
	case POL_CONN_LOCAL_IDENTITY:
		put_local(&t, c);
		break;
	case POL_CONN_CREDENTIALS:
		put_credentials(&t, c);
		break;
	case POL_CONN_SELECTORS:
		put_selectors(&t, c);
		break;
	case POL_CONN_VERSION:
		put_version(&t, c);
		break;
	case POL_CONN_IKE_ALGORITHMS:
		for (size_t i = 0; i < c->n_proposals; i++)
			put_proposal(&t, &c->proposals[i]);
		break;
	case POL_CONN_SA_ALGORITHMS:
		for (size_t i = 0; i < c->n_transforms; i++)
			put_transform(&t, c, &c->transforms[i]);
		break;
	case POL_CONN_PFS:
		put_pfs(&t, c);
		break;
	case POL_CONN_LIFETIMES:
		put_lifetimes(&t, c);
		break;
	case POL_CONN_OPTIONS:
		put_options(&t, c);
		break;
	case POL_CONN_RULES:
		put_rules(&t, key, c);
		break;
	}
	return buf;
}

const char *pol_conn_manual_text(const struct mib_view *v, const struct mib_row *r,
				 char buf[POL_CONN_COLUMN])
{
	const struct mib_row *esp = pol_row_by_name(v, r, MIB_COL(ipsaSaPreconfiguredActionTable,
								  ipsaSaPreActESPTransformName),
						    &mib_t_ipsaEspTransformTable);
	const struct mib_row *ah = pol_row_by_name(v, r, MIB_COL(ipsaSaPreconfiguredActionTable,
								 ipsaSaPreActAHTransformName),
						   &mib_t_ipsaAhTransformTable);
	const struct mib_row *ipcomp = pol_row_by_name(v, r,
						       MIB_COL(ipsaSaPreconfiguredActionTable,
							       ipsaSaPreActIPCompTransformName),
						       &mib_t_ipsaIpcompTransformTable);
	struct text t = { .buf = buf };

	buf[0] = '\0';
	if (ipcomp)
		put(&t, "IPComp %lld", (long long)mib_row_number(
				ipcomp, MIB_COL(ipsaIpcompTransformTable, ipsaIpcompTranAlgorithm),
				0));
	if (esp) {
		put(&t, "%s", sep(&t, ", "));
		put_esp(&t, (uint32_t)mib_row_number(esp, MIB_COL(ipsaEspTransformTable,
								  ipsaEspTranCipherTransformId), 0),
			(uint32_t)mib_row_number(esp, MIB_COL(ipsaEspTransformTable,
							      ipsaEspTranCipherKeyLength), 0),
			(uint32_t)mib_row_number(esp, MIB_COL(ipsaEspTransformTable,
							      ipsaEspTranIntegrityAlgorithmId), 0));
	}
	if (ah)
		put(&t, "%sAH %s", sep(&t, ", "),
		    name_of(pol_alg_auth((uint32_t)mib_row_number(
			    ah, MIB_COL(ipsaAhTransformTable, ipsaAhTranAlgorithm), 0))));
	return buf;
}
