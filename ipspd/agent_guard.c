/*
 * ipspd/agent_guard.c - what the parent says of the guard: its text for people, and how often it was put
 * back.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "ipspd/agent_int.h"
#include "ipspd/log.h"
#include "ipspd/messages.h"

#define GUARD_TEXT_MAX (16u << 20)

void agent_guard_show(struct agent *a, struct agent_question *question)
{
	struct guard_questions *q = &a->guard;
	uint8_t buf[4];
	struct chan_writer w = { .data = buf, .size = sizeof(buf) };

	question->serial = ++q->serial;
	question->next = q->questions;
	q->questions = question;
	chan_put_u32(&w, question->serial);
	if (chan_send(a->parent, MSG_GUARD_SHOW, buf, w.len, NULL, 0) < 0)
		ipspd_log(LOG_ERR, "guard", "the parent cannot be asked");
}

static bool text_add(struct guard_questions *q, const uint8_t *text, size_t len)
{
	if (len > GUARD_TEXT_MAX - q->text_len)
		return false;
	char *grown = (char *)realloc(q->text, q->text_len + len + 1);

	if (!grown)
		return false;
	memcpy(grown + q->text_len, text, len);
	q->text = grown;
	q->text_len += len;
	q->text[q->text_len] = '\0';
	return true;
}

static void guard_answer(struct guard_questions *q, uint32_t serial)
{
	for (struct agent_question **at = &q->questions; *at; at = &(*at)->next) {
		struct agent_question *one = *at;

		if (one->serial != serial)
			continue;
		*at = one->next;
		one->guard(one, q->text);
		break;
	}
	free(q->text);
	q->text = NULL;
	q->text_len = 0;
}

bool guard_text_came(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	struct guard_questions *q = &a->guard;
	uint32_t serial = chan_get_u32(&r);
	uint8_t more = chan_get_u8(&r);
	size_t len;
	const uint8_t *text = chan_get_octets(&r, &len);

	if (!chan_reader_done(&r) || more > 1)
		return false;
	if (!text_add(q, text, len))
		return false;
	if (!more)
		guard_answer(q, serial);
	return true;
}

bool guard_restored_came(struct agent *a, const struct chan_msg *m)
{
	struct chan_reader r = { .data = m->data, .len = m->len };
	uint64_t restored = chan_get_u64(&r);

	if (!chan_reader_done(&r))
		return false;
	a->guard.restored = restored;
	return true;
}

uint64_t agent_guard_restored(const struct agent *a)
{
	return a->guard.restored;
}

void guard_questions_fini(struct agent *a)
{
	free(a->guard.text);
}
