/*
 * tests/fuzz/fuzz_pfkey.c - any octets as a PF_KEY message.
 *
 * What is read must be written to something that is read as the same again, and never past its end.
 */
#include <string.h>

#include "pfkey/msg.h"
#include "tests/fuzz/fuzz.h"

static size_t write_again(const struct pfkey_msg *m, uint8_t *out, size_t size)
{
	struct pfkey_writer w;

	pfkey_begin(&w, out, size, m->type, m->satype, m->seq, m->pid);
	pfkey_put_some(&w, m, ~UINT64_C(0));
	return pfkey_end(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t first[PFKEY_MSG_MAX], second[PFKEY_MSG_MAX];
	struct pfkey_msg m, again;

	if (pfkey_msg_read(data, size, &m) != 0)
		return 0;
	const int verdict = pfkey_msg_check_request(&m);
	const size_t len = write_again(&m, first, sizeof(first));

	/* What was left out is unknown, or private to key management. */
	must(len != 0 && len <= size);
	must(pfkey_msg_read(first, len, &again) == 0);
	must(again.freeswan == m.freeswan);
	must((m.has & ~PFKEY_HAS(SADB_X_EXT_KMPRIVATE)) == again.has);
	must(m.has != again.has || m.err != 0 || pfkey_msg_check_request(&again) == verdict);
	must(write_again(&again, second, sizeof(second)) == len);
	must(memcmp(first, second, len) == 0);
	return 0;
}
