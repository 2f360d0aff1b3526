/*
 * engine/resync.c - see engine/resync.h.
 */
#include <string.h>

#include "engine/esp.h"
#include "engine/resync.h"
#include "spd/octets.h"

bool ipsp_resync_wanted(const struct ipsp_sa *sa, uint64_t now_s)
{
	struct ipsp_sa *const own = (struct ipsp_sa *)(uintptr_t)sa;

	if (!ipsp_resync_is_due(sa))
		return false;
	return atomic_exchange_explicit(&own->resync_s, now_s, memory_order_relaxed) != now_s;
}

bool ipsp_resync_find(struct ipsp_worker *worker, const struct ipsp_sa *sa, const uint8_t *esp,
		      const struct ipsp_crypto_op *op, uint64_t *seq)
{
	const struct ipsp_platform *p = worker->engine->config.platform;
	const size_t len = IPSP_ESP_HEADER + (size_t)sa->shape.iv_len + op->text_len +
			   sa->shape.icv_len;
	bool found = false;

	if (len > sizeof(worker->plain))
		return false;
	for (uint32_t i = 1; i <= IPSP_RESYNC_TRIES && !found; i++) {
		const uint64_t high = (*seq >> 32) + i;
		struct ipsp_crypto_op trial;

		if (high > UINT32_MAX)
			break;
		memcpy(worker->plain, esp, len);
		trial = ipsp_crypto_op_at(worker->plain, &sa->shape, op->text_len);
		trial.esn = true;
		trial.seq_hi = (uint32_t)high;
		p->crypto->open(sa->crypto, worker->thread, &trial, 1);
		found = trial.err == IPSP_OK;
		if (found)
			*seq = high << 32 | (uint32_t)*seq;
	}
	p->wipe(p->ctx, worker->plain, len);
	return found;
}

bool ipsp_resync_find_auth(struct ipsp_worker *worker, const struct ipsp_sa *sa,
			   struct ipsp_auth_op *op, uint8_t seq_hi[4], uint64_t *seq)
{
	const struct ipsp_crypto *crypto = worker->engine->config.platform->crypto;

	for (uint32_t i = 1; i <= IPSP_RESYNC_TRIES; i++) {
		const uint64_t high = (*seq >> 32) + i;

		if (high > UINT32_MAX)
			break;
		put_be32(seq_hi, (uint32_t)high);
		crypto->verify(sa->crypto, worker->thread, op, 1);
		if (op->err == IPSP_OK) {
			*seq = high << 32 | (uint32_t)*seq;
			return true;
		}
	}
	return false;
}
