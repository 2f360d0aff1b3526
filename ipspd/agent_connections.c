/*
 * ipspd/agent_connections.c - ipspdConnTable: connections, what state they are in, and why.
 *
 * Those with manual keys are read straight from their rows, in the order of these. Those of IKE are found anew
 * (policy/connection.h) when somebody reads after a change that can concern them; one of them is kept, because
 * its columns are read one after the other.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipspd/agent_int.h"
#include "mibs/schema_gen.h"
#include "policy/bind.h"
#include "policy/sa.h"

enum { KIND_MANUAL = 1, KIND_IKE = 2 };
enum { STATE_UP = 1, STATE_PARTLY = 2, STATE_DOWN = 3 };
enum { ADMIN_ENABLED = 1, ADMIN_DISABLED = 2 };
enum { ADMIN_STATE_UP = 1, ADMIN_STATE_DOWN = 2 };
enum { REQUEST_NONE = 1, REQUEST_INITIATE, REQUEST_TERMINATE, REQUEST_REKEY, REQUEST_FLUSH };

#define PRE(column) MIB_COL(ipsaSaPreconfiguredActionTable, column)
#define PRE_ADMIN MIB_COL(ipspdPreActTable, ipspdPreActAdminStatus)

#define NO_IKE "needs IKE negotiation, and the ike process is not there"

/* ---- names ---- */

static bool encode(uint32_t kind, const char *action, const char *ike, struct mib_oid *out)
{
	const struct mib_value parts[] = {
		mib_value_integer((int32_t)kind),
		mib_value_octets(action, strlen(action)),
		mib_value_octets(ike, strlen(ike)),
	};

	return mib_index_encode(&mib_t_ipspdConnTable, parts, 3, out);
}

/* Where a row's index leads. */
struct names {
	int64_t kind;
	char action[POL_CONN_NAME];
	char ike[POL_CONN_NAME];
};

static bool decode(const uint32_t *index, size_t len, struct names *out)
{
	struct mib_value parts[MIB_INDEX_MAX];
	struct mib_index_scratch scratch;

	*out = (struct names){ 0 };
	if (mib_index_decode(&mib_t_ipspdConnTable, index, len, parts, &scratch, NULL) != MIB_OK ||
	    parts[1].octets.len >= POL_CONN_NAME || parts[2].octets.len >= POL_CONN_NAME)
		return false;
	out->kind = parts[0].number;
	memcpy(out->action, parts[1].octets.data, parts[1].octets.len);
	memcpy(out->ike, parts[2].octets.data, parts[2].octets.len);
	return true;
}

/* ---- manual keys ---- */

/* The row of one direction, or NULL. */
static const struct mib_row *sa_row(const struct agent *a, const char *name, uint32_t dir)
{
	const struct mib_value parts[] = { mib_value_octets(name, strlen(name)),
					   mib_value_integer((int32_t)dir) };
	struct mib_oid index;

	if (!mib_index_encode(&mib_t_ipsaSaPreconfiguredActionTable, parts, 2, &index))
		return NULL;
	return mib_view_row(mib_store_view(a->store), &mib_t_ipsaSaPreconfiguredActionTable,
			    index.ids, index.len);
}

/* Any row of that name: the outbound one before the other. */
static const struct mib_row *any_sa_row(const struct agent *a, const char *name)
{
	const struct mib_row *r = name[0] ? sa_row(a, name, IPSP_OUTBOUND) : NULL;

	return r || !name[0] ? r : sa_row(a, name, IPSP_INBOUND);
}

/* The first name after an index of ours, or of part of one. */
static bool next_manual(const struct agent *a, const struct mib_oid *after, struct mib_oid *out)
{
	const struct mib_row *r;
	struct mib_oid from = { 0 };
	char name[POL_CONN_NAME];

	if (after && after->len > 0 && after->ids[0] > KIND_MANUAL)
		return false;
	if (after && after->len > 1 && after->ids[0] == KIND_MANUAL) {
		from.len = after->len - 1;
		memcpy(from.ids, after->ids + 1, from.len * sizeof(from.ids[0]));
		/* With anything behind the name, that name's row has been. */
		if (from.len > (size_t)from.ids[0] + 1) {
			from.len = (size_t)from.ids[0] + 2;
			from.ids[from.len - 1] = UINT32_MAX;
		}
	}
	r = mib_view_next(mib_store_view(a->store), &mib_t_ipsaSaPreconfiguredActionTable, NULL,
			  from.len ? &from : NULL);
	if (!r)
		return false;
	mib_row_text(r, PRE(ipsaSaPreActActionName), name, sizeof(name));
	return encode(KIND_MANUAL, name, "", out);
}

/* ---- IKE ---- */

static void forget_made(struct agent *a)
{
	pol_connection_free(a->connections.made);
	a->connections.made = NULL;
}

/* @return false: no memory */
static bool find_all(struct agent *a)
{
	struct connections *c = &a->connections;
	struct pol_conn_set set;

	if (!c->stale)
		return true;
	if (!pol_conn_set_make(mib_store_view(a->store), &set))
		return false;
	pol_conn_set_fini(&c->set);
	forget_made(a);
	c->set = set;
	c->stale = false;
	return true;
}

static bool next_ike(struct agent *a, const struct mib_oid *after, struct mib_oid *out)
{
	const struct pol_conn_set *set = &a->connections.set;
	size_t lo = 0, hi;

	if (!find_all(a))
		return false;
	hi = set->n_keys;
	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		struct mib_oid at;

		if (after && encode(KIND_IKE, set->keys[mid].ipsec, set->keys[mid].ike, &at) &&
		    mib_oid_cmp(at.ids, at.len, after->ids, after->len) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < set->n_keys &&
	       encode(KIND_IKE, set->keys[lo].ipsec, set->keys[lo].ike, out);
}

const struct pol_conn_set *connections_set(struct agent *a)
{
	return find_all(a) ? &a->connections.set : NULL;
}

static const struct pol_conn_key *key_of(struct agent *a, const struct names *n)
{
	const struct pol_conn_set *set = &a->connections.set;
	const struct pol_conn_key *k;
	size_t at;

	if (!find_all(a))
		return NULL;
	at = pol_conn_seek(set, n->action, n->ike, false);
	k = at < set->n_keys ? &set->keys[at] : NULL;
	return k && strcmp(k->ipsec, n->action) == 0 && strcmp(k->ike, n->ike) == 0 ? k : NULL;
}

/* The connection of that key; NULL: no memory. */
static const struct pol_connection *connection_of(struct agent *a, const struct pol_conn_key *k)
{
	struct connections *c = &a->connections;
	const uint64_t generation = mib_store_generation(a->store);

	if (c->made && c->made_of == k && c->made_at == generation)
		return c->made;
	forget_made(a);
	if (!pol_connection_make(mib_store_view(a->store), k, &c->made))
		return NULL;
	c->made_of = k;
	c->made_at = generation;
	return c->made;
}

/* ---- reading ---- */

static struct mib_value text_of(const char *text)
{
	return mib_value_octets(text, strlen(text));
}

/* State and reason of two directions with manual keys. */
static int manual_state(const struct agent *a, const char *name, char why[POL_CONN_COLUMN])
{
	static const struct {
		uint32_t dir;
		const char *word;
	} dirs[] = { { IPSP_OUTBOUND, "outbound" }, { IPSP_INBOUND, "inbound" } };
	int up = 0;

	why[0] = '\0';
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		const struct mib_row *r = sa_row(a, name, dirs[i].dir);
		char reason[POL_STATUS_TEXT] = "";

		if (r && agent_engine_state(a) == AGENT_ENGINE_DOWN)
			snprintf(reason, sizeof(reason), "waits for the engine, which is down");
		if (r && !reason[0] && pol_status_in_force(a->pol_status, r, reason))
			up++;
		else if (!why[0])
			snprintf(why, POL_CONN_COLUMN, r ? "%s SA %.200s" : "has no %s SA",
				 dirs[i].word, reason);
	}
	return up == 2 ? STATE_UP : up == 1 ? STATE_PARTLY : STATE_DOWN;
}

static uint32_t manual_sas(const struct agent *a, const char *name, uint32_t dir)
{
	const struct mib_row *r = sa_row(a, name, dir);
	char unused[POL_STATUS_TEXT];

	return r && agent_engine_state(a) != AGENT_ENGINE_DOWN &&
	       pol_status_in_force(a->pol_status, r, unused);
}

static int manual_admin(const struct agent *a, const char *name)
{
	for (uint32_t dir = IPSP_INBOUND; dir <= IPSP_OUTBOUND; dir++) {
		const struct mib_row *r = sa_row(a, name, dir);

		if (r && mib_row_number(r, PRE_ADMIN, ADMIN_ENABLED) != ADMIN_ENABLED)
			return ADMIN_STATE_DOWN;
	}
	return ADMIN_STATE_UP;
}

static void put_address(struct mib_value *out, bool type, const struct ipsp_addr *addr,
			struct connections *c)
{
	if (type) {
		*out = mib_value_integer(addr->family == 4 ? 1 : addr->family == 6 ? 2 : 0);
		return;
	}
	c->address = *addr;
	*out = mib_value_octets(c->address.octets,
				addr->family ? ipsp_addr_size(addr->family) : 0);
}

static enum mib_err read_manual(struct agent *a, const struct names *n,
				const struct mib_column *col, struct mib_value *out)
{
	struct connections *c = &a->connections;
	const struct mib_row *r = any_sa_row(a, n->action);
	struct ipsp_addr peer = { 0 };
	struct mib_value name;

	if (!r || n->ike[0])
		return MIB_NO_SUCH_INSTANCE;
	switch (col->pos) {
	case MIB_C_ipspdConnState:
		*out = mib_value_integer(manual_state(a, n->action, c->text));
		return MIB_OK;
	case MIB_C_ipspdConnReason:
		(void)manual_state(a, n->action, c->text);
		*out = text_of(c->text);
		return MIB_OK;
	case MIB_C_ipspdConnAdminState:
		*out = mib_value_integer(manual_admin(a, n->action));
		return MIB_OK;
	case MIB_C_ipspdConnMode:
		*out = mib_value_integer((int32_t)mib_row_number(r, PRE(ipsaSaPreActActionType),
								 IPSP_MODE_TUNNEL));
		return MIB_OK;
	case MIB_C_ipspdConnPeerName:
		*out = mib_row_get(r, PRE(ipsaSaPreActPeerGatewayIdName), &name) ? name :
										   text_of("");
		return MIB_OK;
	case MIB_C_ipspdConnPeerAddressType:
	case MIB_C_ipspdConnPeerAddress:
		if (!pol_sa_peer(mib_store_view(a->store), r, &peer))
			peer = (struct ipsp_addr){ 0 };
		put_address(out, col->pos == MIB_C_ipspdConnPeerAddressType, &peer, c);
		return MIB_OK;
	case MIB_C_ipspdConnSaAlgorithms:
		*out = text_of(pol_conn_manual_text(mib_store_view(a->store), r, c->text));
		return MIB_OK;
	case MIB_C_ipspdConnInSas:
		*out = mib_value_unsigned(manual_sas(a, n->action, IPSP_INBOUND));
		return MIB_OK;
	case MIB_C_ipspdConnOutSas:
		*out = mib_value_unsigned(manual_sas(a, n->action, IPSP_OUTBOUND));
		return MIB_OK;
	case MIB_C_ipspdConnNextTry:
		*out = mib_value_unsigned(0);
		return MIB_OK;
	default:
		*out = text_of("");
		return MIB_OK;
	}
}

static const struct {
	size_t pos;
	enum pol_conn_column column;
} texts[] = {
	{ MIB_C_ipspdConnRules, POL_CONN_RULES },
	{ MIB_C_ipspdConnSelectors, POL_CONN_SELECTORS },
	{ MIB_C_ipspdConnPeerIdentity, POL_CONN_PEER_IDENTITY },
	{ MIB_C_ipspdConnLocalIdentity, POL_CONN_LOCAL_IDENTITY },
	{ MIB_C_ipspdConnCredentials, POL_CONN_CREDENTIALS },
	{ MIB_C_ipspdConnIkeVersion, POL_CONN_VERSION },
	{ MIB_C_ipspdConnIkeAlgorithms, POL_CONN_IKE_ALGORITHMS },
	{ MIB_C_ipspdConnSaAlgorithms, POL_CONN_SA_ALGORITHMS },
	{ MIB_C_ipspdConnPfs, POL_CONN_PFS },
	{ MIB_C_ipspdConnLifetimes, POL_CONN_LIFETIMES },
	{ MIB_C_ipspdConnOptions, POL_CONN_OPTIONS },
};

/* Its IKE SAs: how many Child SAs they have. *begun: there is one, whatever its state. */
static uint32_t children_of(struct agent *a, const struct pol_conn_key *k, bool *begun, bool *up)
{
	size_t n;
	const struct ike_wire_sa *const sas = agent_ike_sas(a, &n);
	uint32_t children = 0;

	*begun = *up = false;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(sas[i].ipsec, k->ipsec) != 0 || strcmp(sas[i].ike, k->ike) != 0)
			continue;
		*begun = true;
		*up |= sas[i].state == IKE_WIRE_ESTABLISHED;
		children += sas[i].n_children;
	}
	return children;
}

/* Up: with a Child SA, or, an IKE SA alone, established. */
static int ike_state(struct agent *a, const struct pol_conn_key *k, const struct pol_connection *conn,
		     char why[POL_CONN_COLUMN])
{
	struct ike_wire_conn wire;
	const char *fault, *last;
	bool begun, up;
	const uint32_t children = children_of(a, k, &begun, &up);

	why[0] = '\0';
	if (up && (children > 0 || !k->ipsec[0]))
		return STATE_UP;
	fault = agent_ike_compile(mib_store_view(a->store), k, conn, &wire);
	if (!fault) {
		ike_conn_unref(wire.conn);
		fault = agent_ike_fault(a, k->ipsec, k->ike);
	}
	last = fault ? "" : agent_ike_failure(a, k->ipsec, k->ike);
	snprintf(why, POL_CONN_COLUMN, "%s%s%s", fault ? fault : !agent_ike_is_there(a) ? NO_IKE :
		 up ? "has an IKE SA, and no Child SA" : begun ? "is being negotiated" :
		 conn->anyone ? "waits for its peers, whose addresses are not known" :
			     "is negotiated when a packet needs it, or the peer begins",
		 last[0] ? "; the last time: " : "", last);
	return up ? STATE_PARTLY : STATE_DOWN;
}

static enum mib_err read_ike(struct agent *a, const struct names *n, const struct mib_column *col,
			     struct mib_value *out)
{
	static const struct ipsp_addr nowhere;
	struct connections *c = &a->connections;
	const struct pol_conn_key *k = key_of(a, n);
	const struct pol_connection *conn = k ? connection_of(a, k) : NULL;
	bool begun, up;

	if (!k)
		return MIB_NO_SUCH_INSTANCE;
	if (!conn)
		return MIB_RESOURCE_UNAVAILABLE;
	switch (col->pos) {
	case MIB_C_ipspdConnState:
		*out = mib_value_integer(ike_state(a, k, conn, c->text));
		return MIB_OK;
	case MIB_C_ipspdConnReason:
		(void)ike_state(a, k, conn, c->text);
		*out = text_of(c->text);
		return MIB_OK;
	case MIB_C_ipspdConnAdminState:
		*out = mib_value_integer(ADMIN_STATE_UP);
		return MIB_OK;
	case MIB_C_ipspdConnMode:
		*out = mib_value_integer(conn->mode);
		return conn->mode ? MIB_OK : MIB_NO_SUCH_INSTANCE;
	case MIB_C_ipspdConnPeerName:
		*out = text_of(conn->peer_list);
		return MIB_OK;
	case MIB_C_ipspdConnPeerAddressType:
	case MIB_C_ipspdConnPeerAddress:
		put_address(out, col->pos == MIB_C_ipspdConnPeerAddressType,
			    conn->n_peers ? &conn->peers[0].address : &nowhere, c);
		return MIB_OK;
	case MIB_C_ipspdConnInSas:
	case MIB_C_ipspdConnOutSas:
		*out = mib_value_unsigned(children_of(a, k, &begun, &up));
		return MIB_OK;
	case MIB_C_ipspdConnNextTry:
		*out = mib_value_unsigned(agent_ike_next_s(a, k->ipsec, k->ike));
		return MIB_OK;
	default:
		break;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].pos == col->pos) {
			*out = text_of(pol_conn_text(k, conn, texts[i].column, c->text));
			return MIB_OK;
		}
	return MIB_NO_SUCH_INSTANCE;
}

static enum mib_err read_connection(void *arg, const struct mib_column *col,
				    const uint32_t *index, size_t len, struct mib_value *out)
{
	struct names n;

	if (!decode(index, len, &n))
		return MIB_NO_SUCH_INSTANCE;
	return n.kind == KIND_MANUAL ? read_manual((struct agent *)arg, &n, col, out) :
				       read_ike((struct agent *)arg, &n, col, out);
}

static bool next_connection(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	struct agent *a = (struct agent *)arg;

	return next_manual(a, after, out) || next_ike(a, after, out);
}

static bool has_connection(void *arg, const uint32_t *index, size_t len)
{
	struct agent *a = (struct agent *)arg;
	struct names n;

	if (!decode(index, len, &n))
		return false;
	return n.kind == KIND_MANUAL ? !n.ike[0] && any_sa_row(a, n.action) :
				       key_of(a, &n) != NULL;
}

/* ---- what is asked of one ---- */

static enum mib_err set_admin(struct agent *a, struct mib_txn *t, const char *name, int32_t admin)
{
	const struct mib_value v = mib_value_integer(admin);
	enum mib_err err = MIB_OK;

	for (uint32_t dir = IPSP_INBOUND; dir <= IPSP_OUTBOUND && err == MIB_OK; dir++) {
		const struct mib_row *r = sa_row(a, name, dir);
		size_t len;
		const uint32_t *index = r ? mib_row_index(r, &len) : NULL;

		if (r)
			err = mib_txn_force(t, PRE_ADMIN, index, len, &v);
	}
	return err;
}

/** What is asked of a connection of IKE, till its transaction is done. */
struct asked {
	struct mib_after after;
	struct agent *agent;
	struct names names;
	enum ike_wire_request request;
};

static void asked_for(struct mib_after *after, bool committed)
{
	struct asked *const asked = (struct asked *)after;

	if (committed)
		agent_ike_ask(asked->agent, asked->request, asked->names.action, asked->names.ike);
	free(asked);
}

static enum mib_err ask_ike(struct agent *a, struct mib_txn *t, const struct mib_row *r,
			    const struct names *n, int64_t request, struct mib_diag *d)
{
	const struct mib_column *const col = MIB_COL(ipspdConnTable, ipspdConnRequest);
	const struct pol_conn_key *const k = key_of(a, n);
	const struct pol_connection *const conn = k ? connection_of(a, k) : NULL;
	struct ike_wire_conn wire;
	struct asked *asked;

	if (!conn)
		return MIB_RESOURCE_UNAVAILABLE;
	if (conn->anyone && request == REQUEST_INITIATE)
		return pol_refuse(d, r, col, "none of its peers has an address: they come by themselves");
	if (k->answers && request == REQUEST_INITIATE)
		return pol_refuse(d, r, col, "it is the default response, which answers whoever asks and begins "
				  "nothing by itself");
	const char *const why = agent_ike_compile(mib_store_view(a->store), k, conn, &wire);

	if (why)
		return pol_refuse(d, r, col, "%s", why);
	ike_conn_unref(wire.conn);
	if (!agent_ike_is_there(a))
		return pol_refuse(d, r, col, NO_IKE);
	asked = calloc(1, sizeof(*asked));
	if (!asked)
		return MIB_RESOURCE_UNAVAILABLE;
	*asked = (struct asked){
		.after = { .done = asked_for }, .agent = a, .names = *n,
		.request = request == REQUEST_INITIATE ? IKE_WIRE_INITIATE :
			   request == REQUEST_REKEY ? IKE_WIRE_REKEY : IKE_WIRE_TERMINATE,
	};
	mib_txn_after(t, &asked->after);
	return MIB_OK;
}

static enum mib_err hear(void *arg, struct mib_txn *t, const struct mib_row *r,
			 struct mib_diag *d)
{
	const struct mib_column *col = MIB_COL(ipspdConnTable, ipspdConnRequest);
	const int64_t request = mib_row_number(r, col, REQUEST_NONE);
	struct names n;
	size_t len;
	const uint32_t *index = mib_row_index(r, &len);

	if (request == REQUEST_NONE || !decode(index, len, &n))
		return MIB_OK;
	if (n.kind == KIND_IKE)
		return ask_ike((struct agent *)arg, t, r, &n, request, d);
	if (request == REQUEST_REKEY)
		return pol_refuse(d, r, col, "its keys are manual, and nobody negotiates them: give it "
				  "new ones in its credentials");
	return set_admin((struct agent *)arg, t, n.action,
			 request == REQUEST_INITIATE ? ADMIN_ENABLED : ADMIN_DISABLED);
}

/* ---- life ---- */

static void committed(void *arg, uint64_t generation, const struct mib_change *changes, size_t n)
{
	struct agent *a = (struct agent *)arg;

	(void)generation;
	for (size_t i = 0; i < n && !a->connections.stale; i++)
		a->connections.stale =
			(changes[i].before && pol_conn_set_depends(changes[i].before)) ||
			(changes[i].after && pol_conn_set_depends(changes[i].after));
}

enum mib_err connections_add(struct agent *a)
{
	struct connections *c = &a->connections;
	enum mib_err err;

	c->stale = true;
	c->source = (struct mib_source){
		.table = &mib_t_ipspdConnTable, .next = next_connection, .has = has_connection,
		.asked = hear, .read = read_connection, .arg = a,
	};
	c->listener = (struct mib_listener){ .committed = committed, .arg = a };
	err = mib_store_add_source(a->store, &c->source);
	return err == MIB_OK ? mib_store_add_listener(a->store, &c->listener) : err;
}

void connections_fini(struct agent *a)
{
	forget_made(a);
	pol_conn_set_fini(&a->connections.set);
}
