/*
 * tests/fuzz/fuzz_ikewire.c - connections as agent and ike tell each other, what they name (ipspd/ike_cred_wire.h), IKE SAs
 * and what becomes of them (ipspd/ike_wire.h), and what ike asks the fetch process for (ipspd/fetch_wire.h), as a
 * taken-over process might send them.
 *
 * The first octet chooses. What is read is written as the same octets again.
 */
#include "config.h"

#include <string.h>

#include "ipspd/fetch_wire.h"
#include "ipspd/ike_cred_wire.h"
#include "ipspd/ike_wire.h"
#include "tests/fuzz/fuzz.h"

static uint8_t again[CHAN_PAYLOAD_MAX];

static void try_conn(const uint8_t *data, size_t len)
{
	struct chan_reader r = { .data = data, .len = len };
	struct chan_writer w = { .data = again, .size = sizeof(again) };
	struct ike_wire_conn c;

	if (len > sizeof(again) || !ike_wire_conn_get(&r, &c))
		return;
	must(c.conn->n_peers >= 1 && c.conn->n_peers <= IKE_PEERS_MAX);
	must(c.conn->offers.n >= 1 && c.conn->offers.n <= IKE_OFFERS_MAX);
	must(!c.conn->has_child || (c.conn->child.ours.n >= 1 && c.conn->child.theirs.n >= 1));
	ike_wire_conn_put(&w, &c);
	must(!w.overflow && w.len == len && memcmp(again, data, len) == 0);
	ike_conn_unref(c.conn);
}

static void try_sa(const uint8_t *data, size_t len)
{
	struct chan_reader r = { .data = data, .len = len };
	struct chan_writer w = { .data = again, .size = sizeof(again) };
	struct ike_wire_sa sa;

	if (!ike_wire_sa_get(&r, &sa))
		return;
	must(sa.number >= 1 && sa.state >= 1 && sa.state < IKE_WIRE_STATES);
	ike_wire_sa_put(&w, &sa);
	must(!w.overflow && w.len == r.at && memcmp(again, data, w.len) == 0);
}

static void try_own(const uint8_t *data, size_t len)
{
	struct chan_reader r = { .data = data, .len = len };
	struct chan_writer w = { .data = again, .size = sizeof(again) };
	struct ike_wire_own own;

	if (!ike_wire_own_get(&r, &own))
		return;
	ike_wire_own_put(&w, &own);
	must(w.len == len && memcmp(again, data, len) == 0);
}

static void try_trust(const uint8_t *data, size_t len)
{
	struct chan_reader r = { .data = data, .len = len };
	struct chan_writer w = { .data = again, .size = sizeof(again) };
	struct ike_wire_trust trust;

	if (!ike_wire_trust_get(&r, &trust))
		return;
	must(trust.level <= IKE_CRL_REQUIRED);
	ike_wire_trust_put(&w, &trust);
	must(w.len == len && memcmp(again, data, len) == 0);
}

static void try_event(const uint8_t *data, size_t len)
{
	struct chan_reader r = { .data = data, .len = len };
	struct chan_writer w = { .data = again, .size = sizeof(again) };
	struct ike_wire_event e;

	if (len > sizeof(again) || !ike_wire_event_get(&r, &e))
		return;
	must(e.kind >= IKE_EVENT_UP && e.kind < IKE_EVENTS);
	must(memchr(e.text, 0, sizeof(e.text)) && memchr(e.ike, 0, sizeof(e.ike)));
	ike_wire_event_put(&w, &e);
	must(!w.overflow && w.len == len && memcmp(again, data, len) == 0);
}

static void try_next(const uint8_t *data, size_t len)
{
	struct chan_reader r = { .data = data, .len = len };
	struct chan_writer w = { .data = again, .size = sizeof(again) };
	struct ike_wire_next n;

	if (!ike_wire_next_get(&r, &n))
		return;
	must(memchr(n.ipsec, 0, sizeof(n.ipsec)) && memchr(n.ike, 0, sizeof(n.ike)));
	ike_wire_next_put(&w, &n);
	must(w.len == len && memcmp(again, data, len) == 0);
}

static void try_request(const uint8_t *data, size_t len)
{
	struct chan_reader r = { .data = data, .len = len };
	struct chan_writer w = { .data = again, .size = sizeof(again) };
	struct fetch_request request;

	if (!fetch_request_get(&r, &request))
		return;
	must(request.post.len <= FETCH_POST_MAX);
	fetch_request_put(&w, &request);
	must(w.len == len && memcmp(again, data, len) == 0);
}

static void try_answer(const uint8_t *data, size_t len)
{
	struct chan_reader r = { .data = data, .len = len };
	struct chan_writer w = { .data = again, .size = sizeof(again) };
	struct fetch_answer answer;

	if (!fetch_answer_get(&r, &answer))
		return;
	must(answer.len <= IKE_FETCH_MAX);
	fetch_answer_put(&w, &answer);
	must(w.len == len && memcmp(again, data, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 8) {
	case 0:
		try_conn(data + 1, size - 1);
		break;
	case 1:
		try_sa(data + 1, size - 1);
		break;
	case 2:
		try_own(data + 1, size - 1);
		break;
	case 3:
		try_trust(data + 1, size - 1);
		break;
	case 4:
		try_event(data + 1, size - 1);
		break;
	case 5:
		try_request(data + 1, size - 1);
		break;
	case 6:
		try_answer(data + 1, size - 1);
		break;
	default:
		try_next(data + 1, size - 1);
		break;
	}
	return 0;
}
