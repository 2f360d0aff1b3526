/*
 * policy/conn_who.c - who the two ends of a connection are, and what proves it: see connection.h.
 *
 * Secrets are looked up in ipsaCredentialTable alone; a row of ipiaCredentialFilterTable of the same name may say
 * our identity (match field "identity"). No secret is read here but for its length.
 */
#include "policy/conn_parts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ipsp/config.h"
#include "mibs/schema_gen.h"
#include "policy/credential.h"

#define PEER(column) MIB_COL(ipsaPeerIdentityTable, column)
#define CRED(column) MIB_COL(ipsaCredentialTable, column)
#define CA(column) MIB_COL(ipiaIpsecCredMngServiceTable, column)

enum { CRED_X509 = 3 };
enum { METHOD_PSK = 1 };
enum { TRUE = 1 };	/* TruthValue */
enum { ID_IPV4 = 1, ID_FQDN = 2, ID_USER_FQDN = 3, ID_IPV6 = 5, ID_DN = 9 };

/* ---- credentials ---- */

/* @return false, with a fault: it cannot be used */
static bool read_credential(const struct mib_view *v, const struct mib_row *r,
			    struct pol_conn_credential *out, struct pol_connection *c)
{
	const struct mib_row *ca;
	struct ipsp_key key;
	size_t len;

	pol_conn_name(r, CRED(ipsaCredName), out->name);
	out->type = (uint8_t)mib_row_number(r, CRED(ipsaCredType), 0);
	out->pss = pol_row_truth(r, MIB_COL(ipspdCredOptTable, ipspdCredOptRsaPss), false);
	mib_row_text(r, CRED(ipsaCredRemoteID), out->remote_id, sizeof(out->remote_id));
	pol_conn_name(r, CRED(ipsaCredMngName), out->ca);
	if (!mib_row_active(r)) {
		pol_conn_fault(c, "credential \"%s\" is not active", out->name);
		return false;
	}
	if (!pol_row_enabled(r, CRED(ipsaCredAdminStatus))) {
		pol_conn_fault(c, "credential \"%s\" is disabled", out->name);
		return false;
	}
	out->raw_key = out->type == CRED_X509 && pol_credential_is_raw_key(v, r);
	len = pol_credential_key(v, r, &key);
	ipsp_key_wipe(&key);
	if (len == 0) {
		pol_conn_fault(c, "credential \"%s\" has no value", out->name);
		return false;
	}
	if (!out->ca[0])
		return true;
	ca = pol_row_by_name(v, r, CRED(ipsaCredMngName), &mib_t_ipiaIpsecCredMngServiceTable);
	if (!ca || !mib_row_active(ca)) {
		pol_conn_fault(c, "credential \"%s\" has no active CA \"%s\"", out->name, out->ca);
		return false;
	}
	out->max_chain = (uint8_t)mib_row_number(ca, CA(ipiaIcmsMaxChainLength), 0);
	if (out->type == CRED_X509)
		pol_conn_ca(v, r, ca, c);
	return true;
}

static void credential_of(const struct mib_view *v, const struct mib_row *r,
			  const struct mib_column *col, struct pol_conn_credential *out,
			  struct pol_connection *c)
{
	const struct mib_row *cred = pol_row_by_name(v, r, col, &mib_t_ipsaCredentialTable);

	pol_conn_name(r, col, out->name);
	if (cred)
		read_credential(v, cred, out, c);
}

/* ---- who we are ---- */

static const struct mib_row *identity_row(const struct mib_view *v, const struct mib_row *ike,
					  uint32_t ifindex)
{
	struct mib_value parts[3] = { mib_value_integer((int32_t)ifindex) };
	struct mib_oid index;

	if (!mib_row_get(ike, MIB_COL(ipiaIkeActionTable, ipiaIkeActIdentityType), &parts[1]) ||
	    !mib_row_get(ike, MIB_COL(ipiaIkeActionTable, ipiaIkeActIdentityContext), &parts[2]) ||
	    !mib_index_encode(&mib_t_ipiaIkeIdentityTable, parts, 3, &index))
		return NULL;
	return mib_view_row(v, &mib_t_ipiaIkeIdentityTable, index.ids, index.len);
}

/* Rules of the system-wide group and autostart rows name no interface: any that has a row. */
static const struct mib_row *any_identity_row(const struct mib_view *v, const struct mib_row *ike,
					      uint32_t *ifindex)
{
	struct pol_walk walk = { .view = v, .table = &mib_t_ipiaIkeIdentityTable };
	const struct mib_row *r;
	size_t len;

	while ((r = pol_walk_next(&walk))) {
		*ifindex = mib_row_index(r, &len)[0];
		if (identity_row(v, ike, *ifindex) == r)
			return r;
	}
	*ifindex = 0;
	return NULL;
}

/* One that cannot be used is no fault while there are others: why is kept apart. */
static void read_more(const struct mib_view *v, const struct mib_row *identity, struct pol_connection *c)
{
	static const size_t columns[] = { MIB_C_ipspdIkeIdOptSecondCred, MIB_C_ipspdIkeIdOptThirdCred,
					  MIB_C_ipspdIkeIdOptFourthCred };
	char fault[POL_CONN_TEXT];

	memcpy(fault, c->fault, sizeof(fault));
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		struct pol_conn_credential *const out = &c->more[c->n_more];

		c->fault[0] = '\0';
		*out = (struct pol_conn_credential){ .type = 0 };
		credential_of(v, identity, &mib_t_ipspdIkeIdOptTable.columns[columns[i]], out, c);
		if (out->name[0] && out->type != CRED_X509)
			pol_conn_fault(c, "credential \"%s\" is not there, or no X.509 one", out->name);
		if (out->name[0] && !c->fault[0])
			c->n_more++;
		else if (c->fault[0] && !c->passed_over[0])
			memcpy(c->passed_over, c->fault, sizeof(c->passed_over));
	}
	memcpy(c->fault, fault, sizeof(c->fault));
}

/* The identity text that a filter row of the credential's name gives. */
static bool identity_text(const struct mib_view *v, const struct mib_row *identity, char *buf,
			  size_t size)
{
	const struct mib_row *r = pol_row_by_name(v, identity,
						  MIB_COL(ipiaIkeIdentityTable,
							  ipiaIkeIdCredentialName),
						  &mib_t_ipiaCredentialFilterTable);
	char field[16];

	if (!r || !mib_row_active(r))
		return false;
	mib_row_text(r, MIB_COL(ipiaCredentialFilterTable, ipiaCredFiltMatchFieldName), field,
		     sizeof(field));
	return strcasecmp(field, "identity") == 0 &&
	       mib_row_text(r, MIB_COL(ipiaCredentialFilterTable, ipiaCredFiltMatchFieldValue),
			    buf, size) > 0;
}

static void read_local(const struct mib_view *v, const struct pol_conn_key *key,
		       const struct mib_row *ike, struct pol_connection *c)
{
	const struct mib_row *r = NULL;

	c->local.type = (uint8_t)mib_row_number(
		ike, MIB_COL(ipiaIkeActionTable, ipiaIkeActIdentityType), 0);
	for (size_t i = 0; i < key->n_uses && !r; i++) {
		c->ifindex = key->uses[i].ifindex;
		r = c->ifindex ? identity_row(v, ike, c->ifindex) : NULL;
	}
	if (!r && c->ifindex == 0)
		r = any_identity_row(v, ike, &c->ifindex);
	if (!r || !mib_row_active(r)) {
		/* Not the context, which may say who we are: reasons are for monitors too. */
		pol_conn_fault(c, "has no active ipiaIkeIdentityTable row for interface %u, identity "
			       "type %u and its context", c->ifindex, c->local.type);
		return;
	}
	credential_of(v, r, MIB_COL(ipiaIkeIdentityTable, ipiaIkeIdCredentialName),
		      &c->local_credential, c);
	read_more(v, r, c);
	/* Addresses are the interface's, names of certificates are theirs. */
	if (c->local.type == ID_IPV4 || c->local.type == ID_IPV6 ||
	    (c->local_credential.type == CRED_X509 && !c->local_credential.raw_key &&
	     (c->local.type == ID_DN || c->local.type == ID_FQDN ||
	      c->local.type == ID_USER_FQDN)))
		return;
	if (!identity_text(v, r, c->local.value, sizeof(c->local.value)))
		mib_row_text(ike, MIB_COL(ipiaIkeActionTable, ipiaIkeActIdentityContext),
			     c->local.value, sizeof(c->local.value));
}

/* ---- who they are ---- */

/* What is named must be there: without it nothing is to be negotiated. */
static void read_ppk(const struct mib_view *v, const struct mib_row *r, struct pol_conn_peer *p,
		     struct pol_connection *c)
{
	credential_of(v, r, MIB_COL(ipspdPeerOptTable, ipspdPeerOptPpkName), &p->ppk, c);
	p->ppk_required = mib_row_number(r, MIB_COL(ipspdPeerOptTable, ipspdPeerOptPpkRequired),
					 TRUE) == TRUE;
	if (p->ppk.name[0] && p->ppk.type != POL_CRED_SHARED_SECRET)
		pol_conn_fault(c, "has no shared secret \"%s\" for a PPK", p->ppk.name);
}

static void read_peer(const struct mib_view *v, const struct mib_row *r, struct pol_conn_peer *p,
		      struct pol_connection *c)
{
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);
	const int64_t type = mib_row_number(r, PEER(ipsaPeerIdAddressType), 0);
	const uint8_t *octets;
	const size_t n = pol_row_octets(r, PEER(ipsaPeerIdAddress), &octets);

	*p = (struct pol_conn_peer){ .priority = index[len - 1] };
	p->id.type = (uint8_t)mib_row_number(r, PEER(ipsaPeerIdType), 0);
	mib_row_text(r, PEER(ipsaPeerIdValue), p->id.value, sizeof(p->id.value));
	if (!p->id.value[0] || strcmp(p->id.value, "*") == 0)
		p->id = (struct pol_identity){ 0 };
	p->address.family = type == 1 ? 4 : type == 2 ? 6 : 0;
	if (p->address.family && n == ipsp_addr_size(p->address.family))
		memcpy(p->address.octets, octets, n);
	else
		p->address.family = 0;
	credential_of(v, r, PEER(ipsaPeerIdCredentialName), &p->credential, c);
	read_ppk(v, r, p, c);
	/* The peer's own goes before our identity's. */
	if (!p->credential.name[0])
		p->credential = c->local_credential;
}

static void read_peers(const struct mib_view *v, const struct mib_row *ike,
		       const struct mib_row *ipsec, struct pol_connection *c)
{
	struct pol_walk walk = { .view = v, .table = &mib_t_ipsaPeerIdentityTable };
	const struct mib_value *name;
	const struct mib_row *r;
	struct mib_value part;
	struct mib_oid prefix;

	pol_conn_name(ike, MIB_COL(ipiaIkeActionTable, ipiaIkeActPeerName), c->peer_list);
	if (!c->peer_list[0] && ipsec)
		pol_conn_name(ipsec, MIB_COL(ipiaIpsecActionTable, ipiaIpsecActPeerGatewayIdName),
			      c->peer_list);
	if (!c->peer_list[0])
		return;	/* whoever the packet is for, and whoever comes */
	part = mib_value_octets(c->peer_list, strlen(c->peer_list));
	name = &part;
	if (!mib_index_encode(walk.table, name, 1, &prefix))
		return;
	walk.prefix = &prefix;
	while ((r = pol_walk_next(&walk))) {
		if (c->n_peers == POL_CONN_PEERS_MAX) {
			pol_conn_fault(c, "peer list \"%s\" has more than %d rows", c->peer_list,
				       POL_CONN_PEERS_MAX);
			return;
		}
		read_peer(v, r, &c->peers[c->n_peers++], c);
	}
	if (c->n_peers == 0)
		pol_conn_fault(c, "peer list \"%s\" has no active row", c->peer_list);
}

/* ---- does what they have prove it? ---- */

static void check_psk(const struct pol_ike_proposal *p, struct pol_connection *c)
{
	for (size_t i = 0; i < c->n_peers; i++) {
		const struct pol_conn_peer *peer = &c->peers[i];

		if (!peer->credential.name[0] || peer->credential.type != POL_CRED_SHARED_SECRET)
			pol_conn_fault(c, "proposal \"%s\" wants a pre-shared key, and peer "
				       "\"%s\".%u has none", p->name, c->peer_list,
				       peer->priority);
		/* Main mode finds the key by address alone: RFC 2409 5.4. */
		if (c->version == POL_IKE_V1 && !c->aggressive && peer->address.family == 0)
			pol_conn_fault(c, "IKEv1 main mode with a pre-shared key needs the address of "
				       "peer \"%s\".%u", c->peer_list, peer->priority);
	}
	if (c->n_peers == 0 && c->local_credential.type != POL_CRED_SHARED_SECRET)
		pol_conn_fault(c, "proposal \"%s\" wants a pre-shared key, and there is none",
			       p->name);
}

static void check_methods(struct pol_connection *c)
{
	for (size_t i = 0; i < c->n_proposals; i++) {
		const struct pol_ike_proposal *p = &c->proposals[i];

		if (p->method == METHOD_PSK)
			check_psk(p, c);
		else if (c->local_credential.type != CRED_X509)
			pol_conn_fault(c, "proposal \"%s\" wants a certificate, and our identity has "
				       "none", p->name);
	}
}

void pol_conn_who(const struct mib_view *v, const struct pol_conn_key *key,
		  const struct mib_row *ike, const struct mib_row *ipsec, struct pol_connection *c)
{
	read_local(v, key, ike, c);
	read_peers(v, ike, ipsec, c);
	check_methods(c);
}
