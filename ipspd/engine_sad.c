/*
 * ipspd/engine_sad.c - SAs of key managers, told to the agent some at a time: see sad_wire.h.
 *
 * The place in the SAD is kept from one question to the next, while SAs come and go.
 */
#include "config.h"

#include <string.h>

#include "ipspd/engine.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"
#include "ipspd/sad_wire.h"

static void describe(const struct engine_role *role, const struct ipsp_sa *sa, uint64_t now_s,
		     struct wire_sad_sa *out)
{
	*out = (struct wire_sad_sa){
		.stats = engine_sa_stats(role->engine, sa, now_s),
		.origin = sa->origin, .proto = sa->proto, .mode = sa->mode, .esn = sa->esn,
		.in_udp = sa->encap.type != IPSP_ENCAP_NONE,
		.window_pkts = sa->replay ? sa->replay_window_pkts : 0, .reqid = sa->reqid,
		.encr = sa->encr, .encr_key_bits = sa->encr_key_bits, .integ = sa->integ,
		.local = sa->local, .remote = sa->remote, .sel = sa->sel,
		.life_s = sa->life_s, .life_use_s = sa->life_use_s,
		.life_bytes = sa->life_bytes, .life_packets = sa->life_packets,
		.soft_s = sa->soft_s, .soft_use_s = sa->soft_use_s,
		.soft_bytes = sa->soft_bytes, .soft_packets = sa->soft_packets,
		.idle_s = sa->idle_s,
	};
}

static void tell_some(struct engine_role *role, uint32_t serial)
{
	struct wire_sad_sa sas[SAD_WIRE_SAS_MAX];
	const uint64_t now_s = engine_now_s();
	const struct ipsp_sa *sa = NULL;
	size_t n = 0;

	while (role->sad_walks && n < SAD_WIRE_SAS_MAX &&
	       (sa = ipsp_sad_cursor_next(&role->sad_cursor))) {
		if (sa->origin != IPSP_ORIGIN_POLICY)
			describe(role, sa, now_s, &sas[n++]);
	}
	if (!sa)
		engine_sad_forget(role);
	const int err = sad_wire_send(role->agent, serial, sa != NULL, sas, n);

	if (err)
		ipspd_log(LOG_WARNING, "engine", "SAs of key managers are not told: error %d", -err);
}

void engine_sad_message(struct engine_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint32_t serial = chan_get_u32(&r);
	const uint8_t from_first = chan_get_u8(&r);

	if (!chan_reader_done(&r) || from_first > 1) {
		ipspd_log(LOG_ERR, "engine", "malformed SAD_GET from the agent");
		return;
	}
	if (from_first) {
		engine_sad_forget(role);
		ipsp_sad_cursor_init(&role->sad_cursor, ipsp_engine_sad(role->engine));
		role->sad_walks = true;
	}
	tell_some(role, serial);
}

void engine_sad_forget(struct engine_role *role)
{
	if (role->sad_walks)
		ipsp_sad_cursor_fini(&role->sad_cursor);
	role->sad_walks = false;
}
