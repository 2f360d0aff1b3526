/*
 * agentx/answer.c - Get, GetNext and GetBulk out of the store. RFC 2741 7.2.3.
 *
 * Values go from the store into the Response one by one; nothing is copied in between and nothing
 * is allocated but the Response. GetBulk finds the names of its last iteration in the Response it
 * is writing.
 */
#include "agentx/answer.h"
#include "agentx/error.h"

/** Begins the Response: the request's header but for h.type (7.2.2 step 1); it names no context. */
static size_t begin(const struct ax_header *request, uint16_t error, uint16_t index,
		    struct ax_buf *b)
{
	struct ax_header h = *request;

	h.type = AX_RESPONSE;
	h.flags &= AX_NETWORK_BYTE_ORDER;

	const size_t start = ax_pdu_begin(b, &h, NULL);

	ax_put_response(b, 0, error, index);
	return start;
}

void ax_answer_plain(const struct ax_header *request, uint16_t error, uint16_t index,
		     struct ax_buf *b)
{
	const size_t start = begin(request, error, index, b);

	if (!ax_pdu_end(b, start))
		return;		/* no memory for 28 octets: the master's timeout speaks for us */
}

/** One variable, found or not, as the Get family gives it. @return false: genErr */
static bool put_found(struct ax_buf *b, enum mib_err err, const uint32_t *name, size_t len,
		      const struct mib_value *v)
{
	if (err == MIB_OK)
		ax_put_varbind(b, ax_value_type_of(v->syntax), name, len, v);
	else if (ax_error_exception(err) != AX_NULL)
		ax_put_varbind(b, ax_error_exception(err), name, len, NULL);
	else
		return false;
	return !b->bad;
}

/** 7.2.3.1. s NULL: a context without variables. */
static bool answer_get(struct mib_store *s, const struct ax_range *range, struct ax_buf *b)
{
	struct mib_value v;
	const enum mib_err err =
		s ? mib_get(s, range->start.ids, range->start.len, &v) : MIB_NO_SUCH_OBJECT;

	return put_found(b, err, range->start.ids, range->start.len, &v);
}

/**
 * 7.2.3.2: the first variable after from (or at it, with include) and before the range's end.
 * Not found: endOfMibView with the name from.
 */
static bool answer_next(struct mib_store *s, const struct mib_oid *from, bool include,
			const struct mib_oid *end, bool *found, struct ax_buf *b)
{
	struct mib_oid name;
	struct mib_value v;
	const enum mib_err err = s ? mib_next(s, from->ids, from->len, include, end->ids, end->len,
					      &name, &v) :
				     MIB_END_OF_VIEW;

	*found = err == MIB_OK;
	return *found ? put_found(b, err, name.ids, name.len, &v) :
			put_found(b, err, from->ids, from->len, NULL);
}

/**
 * One more iteration of the repeaters (7.2.3.3): each goes on from its VarBind of the last
 * iteration, which begins at last in the buffer.
 * @param repeaters  a reader over their SearchRanges, by value
 * @param index      of the first repeater; the failing one on return
 */
static bool repeat(struct mib_store *s, struct ax_reader repeaters, size_t last, bool *any,
		   size_t *index, struct ax_buf *b)
{
	struct ax_range range;
	struct ax_varbind before;
	size_t at = last;

	*any = false;
	for (; ax_reader_more(&repeaters); ++*index) {
		struct ax_reader r;
		bool found = false;

		/* The buffer may move while it grows, so each look at it starts anew. */
		ax_reader_init(&r, b->data + at, b->len - at, b->network_order);
		if (!ax_read_range(&repeaters, &range) || !ax_read_varbind(&r, &before))
			return false;
		at = (size_t)(r.at - b->data);
		if (before.type == AX_END_OF_MIB_VIEW) {
			ax_put_varbind(b, AX_END_OF_MIB_VIEW, before.name.ids, before.name.len,
				       NULL);
			if (b->bad)
				return false;
		} else if (!answer_next(s, &before.name, false, &range.end, &found, b)) {
			return false;
		}
		*any = *any || found;
	}
	return true;
}

/** All SearchRanges once, then the repeaters again. @return the failing one's index, or 0 */
static size_t answer_list(struct mib_store *s, const struct ax_pdu *p, struct ax_buf *b)
{
	const bool bulk = p->h.type == AX_GET_BULK;
	const size_t once = bulk && p->bulk.non_repeaters < p->n_items ? p->bulk.non_repeaters :
									p->n_items;
	const size_t first_pass = bulk && !p->bulk.max_repetitions ? once : p->n_items;
	struct ax_reader r, repeaters;
	struct ax_range range;
	size_t last = 0;
	bool any = false;

	ax_pdu_list(p, &r);
	repeaters = r;
	for (size_t i = 0; i < first_pass; i++) {
		bool found = false;

		if (i == once) {
			repeaters = r;
			last = b->len;
		}
		if (!ax_read_range(&r, &range))
			return i + 1;
		if (p->h.type == AX_GET ? !answer_get(s, &range, b) :
					  !answer_next(s, &range.start, range.include, &range.end,
						       &found, b))
			return i + 1;
		any = any || (i >= once && found);
	}
	for (unsigned done = 1; bulk && any && done < p->bulk.max_repetitions; done++) {
		const size_t here = b->len;
		size_t index = once + 1;

		if (b->len > AX_BULK_SOFT_MAX)
			break;
		if (!repeat(s, repeaters, last, &any, &index, b))
			return index;
		last = here;
	}
	return 0;
}

void ax_answer_read(struct mib_store *s, const struct ax_pdu *p, struct ax_buf *b)
{
	const size_t start = begin(&p->h, 0, 0, b);
	const size_t failed = answer_list(p->has_context ? NULL : s, p, b);

	if (failed) {
		ax_buf_cut(b, start);
		ax_answer_plain(&p->h, AX_SNMP_GEN_ERR, (uint16_t)failed, b);
	} else if (!ax_pdu_end(b, start)) {
		ax_answer_plain(&p->h, AX_SNMP_GEN_ERR, 1, b);
	}
}
