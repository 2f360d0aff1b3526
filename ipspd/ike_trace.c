/*
 * ipspd/ike_trace.c - `ipspctl ike debug -t`: messages of IKE as they come and go, decoded, as text for the agent.
 *
 * Messages are shown as they are in clear, so that what stands in them is what both ends mean; what proves an
 * identity is left out, for it could help to guess a shared key. An agent that does not keep up loses messages, which
 * are counted, and never holds a negotiation up.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/endian.h>
#include <time.h>

#include "ike/decode.h"
#include "ipspd/ike.h"
#include "ipspd/messages.h"

#define QUEUED_MAX (1u << 20)		/* octets on their way to the agent */
#define MESSAGE_MAX 65535u
#define CUT "(and more)\n"

/** Lines of one message. */
struct lines {
	size_t len;
	bool full;
	char text[CHAN_PAYLOAD_MAX - 64];
};

static void add_line(void *arg, const char *line)
{
	struct lines *const l = arg;
	const size_t n = strlen(line);

	if (l->full)
		return;
	l->full = l->len + n + sizeof(CUT) + 1 > sizeof(l->text);
	if (l->full) {
		memcpy(l->text + l->len, CUT, sizeof(CUT) - 1);
		l->len += sizeof(CUT) - 1;
		return;
	}
	memcpy(l->text + l->len, line, n);
	l->text[l->len + n] = '\n';
	l->len += n + 1;
}

static void add_head(struct lines *l, const struct ike_trace *t)
{
	char local[IPSP_ADDR_TEXT], remote[IPSP_ADDR_TEXT], line[256], when[32] = "";
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	if (localtime_r(&now.tv_sec, &tm))
		strftime(when, sizeof(when), "%F %T", &tm);
	snprintf(line, sizeof(line), "%s.%03ld %s %s port %u %s %s port %u%s, %zu octets", when,
		 now.tv_nsec / 1000000, t->sent ? "sent" : "received",
		 ipsp_addr_print(&t->path->local, local), t->path->local_port,
		 t->sent ? "->" : "<-", ipsp_addr_print(&t->path->remote, remote),
		 t->path->remote_port, t->sealed ? ", encrypted" : "", t->header.len + t->chain.len);
	add_line(l, line);
}

static void send_lines(struct ike_role *role, const struct lines *l)
{
	static uint8_t buf[CHAN_PAYLOAD_MAX];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	chan_put_u32(&w, role->trace_lost);
	chan_put_octets(&w, l->text, l->len);
	if (chan_send(role->agent, MSG_IKE_TRACED, buf, w.len, NULL, 0) == 0)
		role->trace_lost = 0;
}

void ike_trace_message(void *arg, const struct ike_trace *t)
{
	static uint8_t message[MESSAGE_MAX];
	static struct lines l;
	struct ike_role *const role = arg;
	const struct ike_decoder decoder = { .line = add_line, .arg = &l, .hides_proofs = true };
	const size_t len = t->header.len + t->chain.len;

	if (!role->traces || !role->agent)
		return;
	if (len > sizeof(message) || chan_queued(role->agent) > QUEUED_MAX) {
		role->trace_lost += role->trace_lost < UINT32_MAX;
		return;
	}
	memcpy(message, t->header.data, t->header.len);
	memcpy(message + t->header.len, t->chain.data, t->chain.len);
	/* As if it had never been encrypted. */
	if (t->sealed) {
		message[16] = t->first;
		be32enc(message + 24, (uint32_t)len);
	}
	l.len = 0;
	l.full = false;
	add_head(&l, t);
	(void)ike_decode(&decoder, (struct ipsp_span){ message, len });
	add_line(&l, "");
	send_lines(role, &l);
	explicit_bzero(message, len);
}

bool ike_trace_wanted(struct ike_role *role, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	const uint8_t on = chan_get_u8(&r);

	if (!chan_reader_done(&r) || on > 1)
		return false;
	role->traces = on;
	role->trace_lost = 0;
	return true;
}
