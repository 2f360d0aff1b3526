/*
 * engine/crypto/mb_job.c - packets as jobs of ipsec-mb: ciphers with separate integrity, AES-CCM,
 * ChaCha20-Poly1305, and the integrity of AH. RFC 4303 3.3.2, 3.4.4; RFC 4302 3.3.3.
 *
 * The library works on several jobs side by side and gives them back in the order they came, so a
 * batch is put in, and what has not come out by its end is flushed. Nothing stays in the manager
 * between calls. A job computes the ICV into a place of ours, from where it is written or compared.
 */
#include <string.h>

#include "engine/crypto/mb.h"
#include "spd/octets.h"

#define CHUNK 64u	/* jobs at a time */
#define NONCE_ROOM 16u
#define SEQ_HI 4u
#define TAG_ROOM 64u

/* One packet on its way. */
struct item {
	enum ipsp_err *err;
	uint8_t nonce[NONCE_ROOM], aad[16];
	uint8_t received[IPSP_ICV_MAX];
	uint8_t tag[TAG_ROOM];
};

struct chunk {
	const struct ipsp_crypto_ctx *ctx;
	const struct mb_keys *keys;
	IMB_MGR *mgr;
	struct item items[CHUNK];
};

/* ---- what a job is made of ---- */

static void set_hmac(IMB_JOB *job, IMB_HASH_ALG alg, const struct mb_keys *keys, unsigned tag_len)
{
	job->hash_alg = alg;
	job->u.HMAC._hashed_auth_key_xor_ipad = keys->integ.hmac.ipad;
	job->u.HMAC._hashed_auth_key_xor_opad = keys->integ.hmac.opad;
	job->auth_tag_output_len_in_bytes = tag_len;
}

/* The library knows the lengths of RFC 4868; what is shorter is cut by us. */
static void set_integ(IMB_JOB *job, const struct crypto_integ *integ, const struct mb_keys *keys)
{
	switch (integ->mac) {
	case CRYPTO_HMAC_SHA1:
		set_hmac(job, IMB_AUTH_HMAC_SHA_1, keys, 12);
		break;
	case CRYPTO_HMAC_SHA256:
		set_hmac(job, IMB_AUTH_HMAC_SHA_256, keys, 16);
		break;
	case CRYPTO_HMAC_SHA384:
		set_hmac(job, IMB_AUTH_HMAC_SHA_384, keys, 24);
		break;
	case CRYPTO_HMAC_SHA512:
		set_hmac(job, IMB_AUTH_HMAC_SHA_512, keys, 32);
		break;
	case CRYPTO_XCBC:
		job->hash_alg = IMB_AUTH_AES_XCBC;
		job->u.XCBC._k1_expanded = (const uint32_t *)keys->integ.cbc_mac.k1;
		job->u.XCBC._k2 = keys->integ.cbc_mac.k2;
		job->u.XCBC._k3 = keys->integ.cbc_mac.k3;
		job->auth_tag_output_len_in_bytes = 12;
		break;
	default:
		job->hash_alg = IMB_AUTH_AES_CMAC;
		job->u.CMAC._key_expanded = keys->integ.cbc_mac.k1;
		job->u.CMAC._skey1 = keys->integ.cbc_mac.k2;
		job->u.CMAC._skey2 = keys->integ.cbc_mac.k3;
		job->auth_tag_output_len_in_bytes = 12;
		break;
	}
}

static void set_aes(IMB_JOB *job, const struct chunk *c)
{
	job->enc_keys = c->keys->encr.aes.enc;
	job->dec_keys = c->keys->encr.aes.dec;
	job->key_len_in_bytes = c->ctx->suite.encr->key_bits / 8u;
}

/* Salt and IV: RFC 3686 4, RFC 4309 4, RFC 7634 2. */
static void set_nonce(IMB_JOB *job, const struct chunk *c, struct item *it,
		      const struct ipsp_crypto_op *op)
{
	const size_t salt_len = c->ctx->suite.encr->salt_len;

	memcpy(it->nonce, crypto_ctx_salt(c->ctx), salt_len);
	memcpy(it->nonce + salt_len, op->iv, CRYPTO_COUNTER_IV);
	job->iv = it->nonce;
	job->iv_len_in_bytes = salt_len + CRYPTO_COUNTER_IV;
}

static void set_cipher(IMB_JOB *job, const struct chunk *c, struct item *it,
		       const struct ipsp_crypto_op *op)
{
	switch (c->ctx->suite.encr->mode) {
	case CRYPTO_CBC:
		job->cipher_mode = IMB_CIPHER_CBC;
		set_aes(job, c);
		job->iv = op->iv;
		job->iv_len_in_bytes = IMB_AES_BLOCK_SIZE;
		break;
	case CRYPTO_CTR:
		job->cipher_mode = IMB_CIPHER_CNTR;
		set_aes(job, c);
		set_nonce(job, c, it, op);
		break;
	case CRYPTO_CCM:
		job->cipher_mode = IMB_CIPHER_CCM;
		job->hash_alg = IMB_AUTH_AES_CCM;
		set_aes(job, c);
		job->dec_keys = job->enc_keys;
		set_nonce(job, c, it, op);
		job->u.CCM.aad = it->aad;
		job->u.CCM.aad_len_in_bytes = crypto_op_aad(op, it->aad);
		job->auth_tag_output_len_in_bytes = c->ctx->shape.icv_len;
		break;
	case CRYPTO_POLY1305:
		job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
		job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
		job->enc_keys = c->ctx->encr_key;
		job->dec_keys = c->ctx->encr_key;
		job->key_len_in_bytes = 32;
		set_nonce(job, c, it, op);
		job->u.CHACHA20_POLY1305.aad = it->aad;
		job->u.CHACHA20_POLY1305.aad_len_in_bytes = crypto_op_aad(op, it->aad);
		job->auth_tag_output_len_in_bytes = 16;
		break;
	default:
		job->cipher_mode = IMB_CIPHER_NULL;
		break;
	}
}

/* AES-CCM authenticates the clear text, all else the sealed one. */
static IMB_CHAIN_ORDER order_of(const struct ipsp_crypto_ctx *ctx, IMB_CIPHER_DIRECTION dir)
{
	const bool sealing = dir == IMB_DIR_ENCRYPT;
	const bool clear = ctx->suite.encr->mode == CRYPTO_CCM;

	return sealing != clear ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
}

/* Offsets count from src, which may stand apart from the sealed packet, on either side of it. */
static uint64_t offset_from(const uint8_t *src, const uint8_t *at)
{
	return (uint64_t)(uintptr_t)at - (uint64_t)(uintptr_t)src;
}

static void fill(IMB_JOB *job, const struct chunk *c, struct item *it,
		 const struct ipsp_crypto_op *op, IMB_CIPHER_DIRECTION dir)
{
	const struct crypto_suite *const suite = &c->ctx->suite;

	job->src = op->src;
	job->dst = op->dst;
	job->cipher_direction = dir;
	job->chain_order = order_of(c->ctx, dir);
	job->cipher_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = op->text_len;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = op->text_len;
	set_cipher(job, c, it, op);
	if (suite->integ) {
		set_integ(job, suite->integ, c->keys);
		job->hash_start_src_offset_in_bytes = offset_from(op->src, op->aad);
		job->msg_len_to_hash_in_bytes = CRYPTO_ESP_HEADER + c->ctx->shape.iv_len +
						op->text_len + (op->esn ? SEQ_HI : 0);
	}
	job->auth_tag_output = it->tag;
	job->user_data = it;
}

/* ---- in and out of the manager ---- */

static void finished(const IMB_JOB *job)
{
	const struct item *const it = job->user_data;

	*it->err = job->status == IMB_STATUS_COMPLETED ? IPSP_OK : IPSP_ECRYPTO;
}

static void submit(IMB_MGR *mgr)
{
	const IMB_JOB *done = IMB_SUBMIT_JOB(mgr);

	while (done) {
		finished(done);
		done = IMB_GET_COMPLETED_JOB(mgr);
	}
}

static void flush(IMB_MGR *mgr)
{
	for (;;) {
		const IMB_JOB *const done = IMB_FLUSH_JOB(mgr);

		if (!done)
			return;
		finished(done);
	}
}

/* ---- ESP ---- */

static bool is_null(const struct ipsp_crypto_ctx *ctx)
{
	return ctx->suite.encr->cipher == CRYPTO_CIPHER_NONE;
}

/* The high half is authenticated from where the ICV is, which comes later or was read before. */
static bool prepare(const struct ipsp_crypto_ctx *ctx, const struct ipsp_crypto_op *op,
		    const uint8_t *sealed)
{
	if (!ctx->suite.integ)
		return op->text_len > 0;
	if (!crypto_op_in_a_row(op, sealed, ctx->shape.iv_len) ||
	    (op->text_len == 0 && !is_null(ctx)))
		return false;
	if (op->esn)
		put_be32(op->icv, op->seq_hi);
	return true;
}

static void seal_chunk(struct chunk *c, struct ipsp_crypto_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct ipsp_crypto_op *const op = &ops[i];

		op->err = IPSP_ECRYPTO;
		if (!prepare(c->ctx, op, op->dst))
			continue;
		if (is_null(c->ctx) && op->src != op->dst)
			memcpy(op->dst, op->src, op->text_len);
		c->items[i].err = &op->err;
		fill(IMB_GET_NEXT_JOB(c->mgr), c, &c->items[i], op, IMB_DIR_ENCRYPT);
		submit(c->mgr);
	}
	flush(c->mgr);
	for (size_t i = 0; i < n; i++) {
		if (ops[i].err == IPSP_OK)
			memcpy(ops[i].icv, c->items[i].tag, c->ctx->shape.icv_len);
	}
}

/* Decrypted while it was authenticated: leaves nothing that was not proved. */
static void judge(const struct chunk *c, const struct item *it, struct ipsp_crypto_op *op)
{
	if (op->err == IPSP_OK && !crypto_equal(it->tag, it->received, c->ctx->shape.icv_len))
		op->err = IPSP_EICV;
	if (is_null(c->ctx)) {
		if (op->err == IPSP_OK && op->src != op->dst)
			memcpy(op->dst, op->src, op->text_len);
	} else if (op->err != IPSP_OK) {
		memset(op->dst, 0, op->text_len);
	}
}

static void open_chunk(struct chunk *c, struct ipsp_crypto_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct ipsp_crypto_op *const op = &ops[i];
		struct item *const it = &c->items[i];

		op->err = IPSP_ECRYPTO;
		memcpy(it->received, op->icv, c->ctx->shape.icv_len);
		if (!prepare(c->ctx, op, op->src))
			continue;
		it->err = &op->err;
		fill(IMB_GET_NEXT_JOB(c->mgr), c, it, op, IMB_DIR_DECRYPT);
		submit(c->mgr);
	}
	flush(c->mgr);
	for (size_t i = 0; i < n; i++)
		judge(c, &c->items[i], &ops[i]);
}

typedef void work(struct chunk *c, struct ipsp_crypto_op *ops, size_t n);

static void by_chunks(const struct ipsp_crypto_ctx *ctx, unsigned thread, work *do_it,
		      struct ipsp_crypto_op *ops, size_t n)
{
	const struct mb_thread *const t = mb_thread(thread);
	struct key_slot *slot;
	struct chunk c;

	c.ctx = ctx;
	c.keys = mb_keys_claim(t, ctx, &slot);
	c.mgr = t->mgr;
	for (size_t at = 0; at < n; at += CHUNK)
		do_it(&c, ops + at, n - at < CHUNK ? n - at : CHUNK);
	key_cache_release(slot);
}

void mb_job_seal(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		 size_t n)
{
	by_chunks(ctx, thread, seal_chunk, ops, n);
}

void mb_job_open(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_crypto_op *ops,
		 size_t n)
{
	by_chunks(ctx, thread, open_chunk, ops, n);
}

/* ---- AH ---- */

static size_t spans_len(const struct ipsp_auth_op *op)
{
	size_t len = 0;

	for (uint32_t i = 0; i < op->n_spans; i++) {
		if (op->spans[i].len > MB_GATHER - len)
			return MB_GATHER + 1;
		len += op->spans[i].len;
	}
	return len;
}

static void gather(const struct ipsp_auth_op *op, uint8_t *to)
{
	for (uint32_t i = 0; i < op->n_spans; i++) {
		if (op->spans[i].len > 0)
			memcpy(to, op->spans[i].data, op->spans[i].len);
		to += op->spans[i].len;
	}
}

static void fill_auth(IMB_JOB *job, const struct chunk *c, struct item *it, const uint8_t *data,
		      size_t len)
{
	job->src = data;
	job->dst = NULL;
	job->cipher_direction = IMB_DIR_ENCRYPT;
	job->chain_order = IMB_ORDER_HASH_CIPHER;
	job->cipher_mode = IMB_CIPHER_NULL;
	job->cipher_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = 0;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = len;
	set_integ(job, c->ctx->suite.integ, c->keys);
	job->auth_tag_output = it->tag;
	job->user_data = it;
}

/* As many packets as fit side by side; at least one. Returns how many. */
static size_t auth_some(struct chunk *c, uint8_t *room, struct ipsp_auth_op *ops, size_t n)
{
	size_t used = 0, i;

	for (i = 0; i < n && i < CHUNK; i++) {
		const size_t len = spans_len(&ops[i]);

		if (i > 0 && len > MB_GATHER - used)
			break;
		ops[i].err = IPSP_ECRYPTO;
		c->items[i].err = &ops[i].err;
		if (len == 0 || len > MB_GATHER)
			continue;
		gather(&ops[i], room + used);
		fill_auth(IMB_GET_NEXT_JOB(c->mgr), c, &c->items[i], room + used, len);
		submit(c->mgr);
		used += len;
	}
	flush(c->mgr);
	return i;
}

typedef void outcome(const struct item *it, size_t icv_len, struct ipsp_auth_op *op);

static void write_icv(const struct item *it, size_t icv_len, struct ipsp_auth_op *op)
{
	if (op->err == IPSP_OK)
		memcpy(op->icv, it->tag, icv_len);
}

static void compare_icv(const struct item *it, size_t icv_len, struct ipsp_auth_op *op)
{
	if (op->err == IPSP_OK && !crypto_equal(it->tag, op->icv, icv_len))
		op->err = IPSP_EICV;
}

static void by_gmac(const struct ipsp_crypto_ctx *ctx, const struct mb_thread *t,
		    const struct mb_keys *keys, outcome *do_it, struct ipsp_auth_op *ops, size_t n)
{
	struct item it;

	for (size_t i = 0; i < n; i++) {
		mb_gmac_spans(ctx, t, keys, &ops[i], it.tag);
		ops[i].err = IPSP_OK;
		do_it(&it, ctx->shape.icv_len, &ops[i]);
	}
}

static void auth_all(const struct ipsp_crypto_ctx *ctx, unsigned thread, outcome *do_it,
		     struct ipsp_auth_op *ops, size_t n)
{
	const struct mb_thread *const t = mb_thread(thread);
	struct key_slot *slot;
	struct chunk c;

	c.ctx = ctx;
	c.keys = mb_keys_claim(t, ctx, &slot);
	c.mgr = t->mgr;
	if (ctx->suite.integ->mac == CRYPTO_MAC_GMAC) {
		by_gmac(ctx, t, c.keys, do_it, ops, n);
		n = 0;
	}
	while (n > 0) {
		const size_t some = auth_some(&c, t->gather, ops, n);

		for (size_t i = 0; i < some; i++)
			do_it(&c.items[i], ctx->shape.icv_len, &ops[i]);
		ops += some;
		n -= some;
	}
	key_cache_release(slot);
}

void mb_job_auth(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		 size_t n)
{
	auth_all(ctx, thread, write_icv, ops, n);
}

void mb_job_verify(const struct ipsp_crypto_ctx *ctx, unsigned thread, struct ipsp_auth_op *ops,
		   size_t n)
{
	auth_all(ctx, thread, compare_icv, ops, n);
}
