/*
 * tests/fuzz/fuzz_agentx.c - octets a master might send: through the decoder alone, then into an
 * open session that serves a real store, so that Gets and SETs reach it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agentx/session.h"
#include "mibs/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SESSION_ID 1

static struct event_base *base;
static struct mib_store *store;
static struct ax_session *session;
static struct ax_log no_log;
static int our_fd = -1;

static void on_up(void *arg)
{
	(void)arg;
}

static void on_lost(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	close(our_fd);
	our_fd = -1;
}

static void init(void)
{
	static const struct ax_session_ops ops = { on_up, on_lost };

	base = event_base_new();
	if (!base || mib_store_new(NULL, ax_boottime_cs, &store) != MIB_OK ||
	    ax_session_new(base, store, &ax_timing_default, &ops, NULL, &no_log, &session) !=
		    MIB_OK)
		abort();
}

/** Each frame by the decoder alone, its list to the end. */
static void decode(const uint8_t *data, size_t size)
{
	struct ax_header h;
	struct ax_pdu p;
	struct ax_reader r;

	while (ax_frame_next(data, size, &h) == AX_FRAME_PDU) {
		if (ax_pdu_parse(&h, data + AX_HEADER_SIZE, &p)) {
			const bool ranges = h.type >= AX_GET && h.type <= AX_GET_BULK;
			struct ax_range range;
			struct ax_varbind vb;
			size_t n = 0;

			ax_pdu_list(&p, &r);
			while (ax_reader_more(&r) &&
			       (ranges ? ax_read_range(&r, &range) : ax_read_varbind(&r, &vb)))
				n++;
			if (n != p.n_items)
				abort();
		}
		data += AX_HEADER_SIZE + h.payload_len;
		size -= AX_HEADER_SIZE + h.payload_len;
	}
}

/** Answers Open and the Registers; packet ids may be any, so all that can be are answered. */
static void open_session(int fd)
{
	uint8_t in[8192];
	size_t len = 0;

	for (int round = 0; round < 2; round++) {
		struct ax_header h;
		size_t at = 0;
		ssize_t n;

		event_base_loop(base, EVLOOP_NONBLOCK);
		n = recv(fd, in + len, sizeof(in) - len, MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
		while (ax_frame_next(in + at, len - at, &h) == AX_FRAME_PDU) {
			struct ax_buf b;

			at += AX_HEADER_SIZE + h.payload_len;
			h.type = AX_RESPONSE;
			h.session_id = SESSION_ID;
			ax_buf_init(&b, AX_PDU_MAX);
			ax_pdu_begin(&b, &h, NULL);
			ax_put_response(&b, 1000, 0, 0);
			if (!ax_pdu_end(&b, 0) || send(fd, b.data, b.len, MSG_NOSIGNAL) < 0)
				abort();
			ax_buf_fini(&b);
		}
		len = 0;
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
	if (!ax_session_is_up(session))
		abort();
}

/** Throws away what the session answers. */
static void drain(int fd)
{
	uint8_t in[65536];

	while (recv(fd, in, sizeof(in), MSG_DONTWAIT) > 0)
		continue;
}

static void serve(const uint8_t *data, size_t size)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		abort();
	our_fd = pair[0];
	if (ax_session_start(session, our_fd) != MIB_OK)
		abort();
	open_session(pair[1]);
	while (size && our_fd >= 0) {
		const ssize_t n = send(pair[1], data, size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			break;
		data += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
		event_base_loop(base, EVLOOP_NONBLOCK);
		drain(pair[1]);
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
	close(pair[1]);
	while (our_fd >= 0)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!base)
		init();
	decode(data, size);
	serve(data, size);
	return 0;
}
