/*
 * tests/unit/agentx/scripted.c - a master that does as the test says.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/agentx/scripted.h"

#define IN_SIZE (2 * AX_PDU_MAX)

void master_init(struct master *m, struct event_base *base, int fd)
{
	*m = (struct master){ .base = base, .fd = fd, .flags = AX_NETWORK_BYTE_ORDER };
	m->in = malloc(IN_SIZE);
	ck_assert_ptr_nonnull(m->in);
	ck_assert_int_eq(evutil_make_socket_nonblocking(fd), 0);
}

void master_fini(struct master *m)
{
	if (m->fd >= 0)
		close(m->fd);
	free(m->in);
}

/** Reads what is there. @return false: the end */
static bool take(struct master *m)
{
	ssize_t n = recv(m->fd, m->in + m->len, IN_SIZE - m->len, 0);

	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return false;
	ck_assert(n > 0 || errno == EAGAIN);
	if (n > 0)
		m->len += (size_t)n;
	return true;
}

void master_receive(struct master *m, struct ax_pdu *p)
{
	struct ax_header h;

	memmove(m->in, m->in + m->taken, m->len - m->taken);
	m->len -= m->taken;
	m->taken = 0;
	while (ax_frame_next(m->in, m->len, &h) != AX_FRAME_PDU) {
		const size_t before = m->len;

		event_base_loop(m->base, EVLOOP_NONBLOCK);
		ck_assert_msg(take(m), "the subagent closed the connection");
		if (m->len == before)
			event_base_loop(m->base, EVLOOP_ONCE);
	}
	m->taken = AX_HEADER_SIZE + h.payload_len;
	ck_assert(ax_pdu_parse(&h, m->in + AX_HEADER_SIZE, p));
}

bool master_hears_nothing(struct master *m)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(m->base, EVLOOP_NONBLOCK);
	ck_assert(take(m));
	return m->len == m->taken;
}

void master_expect_end(struct master *m)
{
	do {
		event_base_loop(m->base, EVLOOP_NONBLOCK);
		m->len = m->taken = 0;
	} while (take(m));
}

void master_send(struct master *m, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len) {
		ssize_t n = send(m->fd, at, len, MSG_NOSIGNAL);

		if (n < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			event_base_loop(m->base, EVLOOP_NONBLOCK);
			continue;
		}
		at += n;
		len -= (size_t)n;
	}
}

void master_begin(struct master *m, struct ax_buf *b, uint8_t type, uint32_t transaction_id)
{
	const struct ax_header h = { .type = type,
				     .flags = m->flags,
				     .session_id = m->session_id,
				     .transaction_id = transaction_id,
				     .packet_id = ++m->last_packet_id };

	ax_buf_init(b, AX_PDU_MAX);
	ax_pdu_begin(b, &h, NULL);
}

void master_send_pdu(struct master *m, struct ax_buf *b)
{
	ck_assert(ax_pdu_end(b, 0));
	master_send(m, b->data, b->len);
	ax_buf_fini(b);
}

void master_ask(struct master *m, uint8_t type, uint32_t transaction_id)
{
	struct ax_buf b;

	master_begin(m, &b, type, transaction_id);
	master_send_pdu(m, &b);
}

void master_answer(struct master *m, const struct ax_header *request, uint32_t uptime_cs,
		   uint16_t error)
{
	struct ax_header h = *request;
	struct ax_buf b;

	h.type = AX_RESPONSE;
	h.session_id = m->session_id;
	h.flags = m->flags;
	ax_buf_init(&b, AX_PDU_MAX);
	ax_pdu_begin(&b, &h, NULL);
	ax_put_response(&b, uptime_cs, error, 0);
	master_send_pdu(m, &b);
}

void master_open(struct master *m, uint32_t session_id, uint32_t uptime_cs)
{
	struct ax_pdu p;

	master_receive(m, &p);
	ck_assert_uint_eq(p.h.type, AX_OPEN);
	m->session_id = session_id;
	master_answer(m, &p.h, uptime_cs, 0);
	for (size_t i = 0; i < mib_n_modules; i++) {
		master_receive(m, &p);
		ck_assert_uint_eq(p.h.type, AX_REGISTER);
		ck_assert_uint_eq(p.h.session_id, session_id);
		master_answer(m, &p.h, uptime_cs, 0);
	}
	event_base_loop(m->base, EVLOOP_NONBLOCK);
}

void master_expect(struct master *m, uint16_t error, uint16_t index, struct ax_pdu *p)
{
	master_receive(m, p);
	ck_assert_uint_eq(p->h.type, AX_RESPONSE);
	ck_assert_uint_eq(p->h.packet_id, m->last_packet_id);
	ck_assert_uint_eq(p->h.session_id, m->session_id);
	ck_assert_uint_eq(p->h.flags, m->flags & AX_NETWORK_BYTE_ORDER);
	ck_assert_uint_eq(p->response.error, error);
	ck_assert_uint_eq(p->response.index, index);
}
