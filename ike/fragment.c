/*
 * ike/fragment.c - messages that came in pieces. RFC 7383 2.6.
 *
 * Every piece was opened with the keys before it is kept, so only the peer can fill this. One message at a
 * time: a piece of another one, or of another cut of the same one into more pieces, begins anew.
 */
#include <stdlib.h>
#include <string.h>

#include "ike/internal.h"

#define FRAGMENTS_MAX 128u

void ike_assembly_free(struct ike_sa *sa)
{
	struct ike_assembly *const a = &sa->assembly;

	for (uint16_t i = 0; i < a->total; i++)
		free((void *)a->pieces[i].data);
	free(a->pieces);
	*a = (struct ike_assembly){ 0 };
}

static bool begin(struct ike_sa *sa, const struct ike_header *h, uint16_t total)
{
	struct ike_assembly *const a = &sa->assembly;

	ike_assembly_free(sa);
	a->pieces = calloc(total, sizeof(*a->pieces));
	if (!a->pieces)
		return false;
	a->id = h->message_id;
	a->response = h->flags & IKE_FLAG_RESPONSE;
	a->total = total;
	return true;
}

static bool belongs(const struct ike_assembly *a, const struct ike_header *h, uint16_t total)
{
	return a->total == total && a->id == h->message_id &&
	       a->response == !!(h->flags & IKE_FLAG_RESPONSE);
}

static bool keep(struct ike_assembly *a, uint16_t number, struct ipsp_span piece)
{
	struct ipsp_span *const slot = &a->pieces[number - 1];
	uint8_t *copy;

	if (slot->data || a->len + piece.len > IKE_MESSAGE_MAX)
		return false;
	copy = malloc(piece.len ? piece.len : 1);
	if (!copy)
		return false;
	memcpy(copy, piece.data, piece.len);
	*slot = (struct ipsp_span){ copy, piece.len };
	a->len += piece.len;
	a->n++;
	return true;
}

bool ike_assemble(struct ike_sa *sa, const struct ike_header *h, uint8_t first,
		  struct ike_fragment fragment, struct ipsp_span piece, struct ipsp_span *chain,
		  uint8_t *chain_first)
{
	struct ike_assembly *const a = &sa->assembly;
	size_t at = 0;

	if (fragment.total == 0 || fragment.total > FRAGMENTS_MAX || fragment.number == 0 ||
	    fragment.number > fragment.total)
		return false;
	/* RFC 7383 2.5.1: the peer may cut it smaller; what was cut larger is not wanted any more. */
	if (belongs(a, h, a->total) && fragment.total < a->total)
		return false;
	if ((!belongs(a, h, fragment.total) && !begin(sa, h, fragment.total)) ||
	    !keep(a, fragment.number, piece))
		return false;
	if (fragment.number == 1)
		a->first = first;
	if (a->n < a->total)
		return false;
	for (uint16_t i = 0; i < a->total; i++) {
		memcpy(sa->world->clear + at, a->pieces[i].data, a->pieces[i].len);
		at += a->pieces[i].len;
	}
	*chain = (struct ipsp_span){ sa->world->clear, at };
	*chain_first = a->first;
	ike_assembly_free(sa);
	return true;
}
