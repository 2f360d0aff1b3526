/*
 * ike/event.c - what becomes of IKE SAs, and which messages come and go, for those who watch: struct ike_ops.event
 * and trace. An IKE SA that another takes the place of goes on, so its rekey is no news.
 */
#include <string.h>

#include "ike/internal.h"

static void tell(const struct ike_sa *sa, enum ike_event_kind kind, enum ike_end end,
		 const struct ike_identity *remote, const char *text)
{
	struct ike_event e = {
		.kind = kind, .end = end, .initiator = sa->initiator, .path = &sa->path,
		.conn = sa->conn, .remote = remote && remote->type ? remote : sa->remote,
		.text = text,
	};

	if (!sa->world->ops.event)
		return;
	memcpy(e.spi_i, sa->spi_i, IKE_SPI_LEN);
	memcpy(e.spi_r, sa->spi_r, IKE_SPI_LEN);
	sa->world->ops.event(sa->world->arg, &e);
}

void ike_event_up(struct ike_sa *sa)
{
	sa->told = true;
	tell(sa, IKE_EVENT_UP, 0, NULL, "");
}

void ike_event_down(struct ike_sa *sa, enum ike_end end, const char *text)
{
	if (!sa->told)
		return;
	sa->told = false;
	tell(sa, IKE_EVENT_DOWN, end, NULL, text);
}

void ike_event_inherit(struct ike_sa *from, struct ike_sa *to)
{
	to->told |= from->told;
	from->told = false;
}

void ike_event_auth_failed(const struct ike_sa *sa, const struct ike_identity *remote,
			   const char *text)
{
	tell(sa, IKE_EVENT_AUTH_FAILED, 0, remote, text);
}

void ike_event_failed(const struct ike_sa *sa, const char *text)
{
	tell(sa, IKE_EVENT_FAILED, 0, NULL, text);
}

void ike_event_unreachable(const struct ike_sa *sa, const char *text)
{
	tell(sa, IKE_EVENT_UNREACHABLE, 0, NULL, text);
}

void ike_trace(const struct ike_world *w, const struct ike_trace *t)
{
	if (w->ops.trace)
		w->ops.trace(w->arg, t);
}
