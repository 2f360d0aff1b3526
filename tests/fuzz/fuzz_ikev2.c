/*
 * tests/fuzz/fuzz_ikev2.c - any octets as what an IKEv2 daemon is sent, by anybody and by a peer that holds
 * the keys.
 *
 * The first octet chooses: a datagram for a daemon that knows nobody, or for one with an established IKE SA,
 * or what stands inside an encrypted message of the peer's, as request or as answer to a request that is
 * on its way. Nothing crashes or leaks; strangers get no more octets than they sent.
 */
#include <string.h>

#include "ike/internal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ike/pair.h"

static struct pair pair;
static size_t n_answered;

static unsigned count(struct pair *p, const struct pair_datagram *d)
{
	(void)p;
	n_answered += d->len;
	return 0;
}

static struct ike_path path_to(unsigned end)
{
	return (struct ike_path){ pair.ends[end].addr, pair.ends[!end].addr, 500, 500 };
}

static void datagram(const uint8_t *data, size_t size)
{
	const struct ike_path path = path_to(1);

	n_answered = 0;
	ike_receive(pair.ends[1].world, &path, (struct ipsp_span){ data, size }, pair.now_ms);
	must(n_answered <= size);
}

/* kind, exchange, first payload's type, message id; then the chain. */
static void sealed(const uint8_t *data, size_t size, bool response)
{
	struct ike_sa *const sa = pair_sa(&pair, 0);
	const struct ike_path path = path_to(1);
	struct ike_header_fields h = { 0 };
	static uint8_t out[IKE_MESSAGE_MAX];
	uint8_t iv[IPSP_IV_MAX] = { 0 };

	if (size < 3 || size > 16384)
		return;
	memcpy(h.spi_i, sa->spi_i, IKE_SPI_LEN);
	memcpy(h.spi_r, sa->spi_r, IKE_SPI_LEN);
	h.exchange = (uint8_t)(IKE_EXCHANGE_IKE_SA_INIT + data[0] % 4);
	h.message_id = response ? data[2] % 4 : sa->next_id;
	h.flags = (uint8_t)(IKE_FLAG_INITIATOR | (response ? IKE_FLAG_RESPONSE : 0));
	must(ike_seal(&sa->keys->of_initiator, &h, data[1],
		      (struct ipsp_span){ data + 3, size - 3 }, (struct ike_fragment){ 0 }, iv,
		      out) == IPSP_OK);
	ike_receive(pair.ends[1].world, &path,
		    (struct ipsp_span){ out, ike_seal_len(&sa->keys->of_initiator, size - 3, false) },
		    pair.now_ms);
}

/* Requests of all kinds that are on their way. */
static void ask(void)
{
	struct ike_sa *const sa = pair_sa(&pair, 1);

	sa->window = 4;
	must(ike_child_begin(sa, sa->children, pair.now_ms) == IPSP_OK);
	must(ike_child_begin(sa, NULL, pair.now_ms) == IPSP_OK);
	ike_liveness_begin(sa, pair.now_ms);
	must(ike_rekey_begin(sa, pair.now_ms) == IPSP_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	pair_init(&pair);
	pair.ends[0].conn->child.compress = pair.ends[1].conn->child.compress = true;
	if (data[0] & 3) {
		pair_initiate(&pair, 0);
		pair_settle(&pair);
	}
	pair.fate = count;
	switch (data[0] & 3) {
	case 2:
		sealed(data + 1, size - 1, false);
		break;
	case 3:
		ask();
		sealed(data + 1, size - 1, true);
		break;
	default:
		datagram(data + 1, size - 1);
		break;
	}
	pair_pass(&pair, 20000);
	pair_fini(&pair);
	return 0;
}
