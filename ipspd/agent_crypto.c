/* ipspd/agent_crypto.c - what the engine offers, and who computes it: ipspdCrypto. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "ipspd/agent_int.h"
#include "mibs/schema_gen.h"

enum { PROTOCOL_ESP = 1, PROTOCOL_AH = 2, PROTOCOL_IPCOMP = 3 };
enum { TEST_PASSED = 1, TEST_FAILED = 2 };

bool crypto_message(struct agent *a, const struct chan_msg *m)
{
	struct wire_crypto *c = calloc(1, sizeof(*c));

	if (!c || !crypto_wire_read(m, c)) {
		const bool no_memory = !c;

		free(c);
		return no_memory;	/* what was told before stands */
	}
	free(a->crypto.told);
	a->crypto.told = c;
	return true;
}

const struct wire_crypto *agent_crypto(const struct agent *a)
{
	static const struct wire_crypto nothing;

	return a->crypto.told ? a->crypto.told : &nothing;
}

static struct mib_value text(const char *s)
{
	return mib_value_octets(s, strlen(s));
}

static enum mib_err read_scalar(void *arg, const struct mib_column *col, const uint32_t *index,
				size_t len, struct mib_value *out)
{
	const struct agent *a = arg;

	(void)index;
	(void)len;
	if (col->pos != MIB_C_ipspdCryptoWeak || !a->crypto.told)
		return MIB_NO_SUCH_INSTANCE;
	*out = mib_value_integer(a->crypto.told->allow_weak ? 1 : 2);
	return MIB_OK;
}

/* Rows are numbered from 1. */
static bool next_number(const struct mib_oid *after, uint32_t n, struct mib_oid *out)
{
	const uint32_t number = after && after->len > 0 ? after->ids[0] : 0;

	if (number >= n)
		return false;
	*out = (struct mib_oid){ .len = 1, .ids = { number + 1 } };
	return true;
}

static bool next_library(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	return next_number(after, agent_crypto(arg)->n_libraries, out);
}

static enum mib_err read_library(void *arg, const struct mib_column *col, const uint32_t *index,
				 size_t len, struct mib_value *out)
{
	const struct wire_crypto *c = agent_crypto(arg);

	if (len != 1 || index[0] < 1 || index[0] > c->n_libraries)
		return MIB_NO_SUCH_INSTANCE;
	const struct wire_crypto_library *l = &c->libraries[index[0] - 1];

	switch (col->pos) {
	case MIB_C_ipspdCryptoLibraryName:
		*out = text(l->name);
		return MIB_OK;
	case MIB_C_ipspdCryptoLibraryWrong:
		*out = mib_value_unsigned(l->n_wrong);
		return MIB_OK;
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
}

static bool next_suite(void *arg, const struct mib_oid *after, struct mib_oid *out)
{
	return next_number(after, agent_crypto(arg)->n_suites, out);
}

static enum mib_err read_suite(void *arg, const struct mib_column *col, const uint32_t *index,
			       size_t len, struct mib_value *out)
{
	const struct wire_crypto *c = agent_crypto(arg);

	if (len != 1 || index[0] < 1 || index[0] > c->n_suites)
		return MIB_NO_SUCH_INSTANCE;
	const struct wire_crypto_suite *s = &c->suites[index[0] - 1];

	switch (col->pos) {
	case MIB_C_ipspdCryptoSuiteProtocol:
		*out = mib_value_integer(s->proto == IPSP_PROTO_AH ? PROTOCOL_AH :
					 s->proto == IPSP_PROTO_IPCOMP ? PROTOCOL_IPCOMP :
									 PROTOCOL_ESP);
		return MIB_OK;
	case MIB_C_ipspdCryptoSuiteCipher:
		*out = text(s->encr);
		return MIB_OK;
	case MIB_C_ipspdCryptoSuiteBits:
		*out = mib_value_unsigned(s->encr_bits);
		return MIB_OK;
	case MIB_C_ipspdCryptoSuiteIntegrity:
		*out = text(s->integ);
		return MIB_OK;
	case MIB_C_ipspdCryptoSuiteLibrary:
		*out = text(s->library);
		return MIB_OK;
	case MIB_C_ipspdCryptoSuiteTest:
		*out = mib_value_integer(s->library[0] ? TEST_PASSED : TEST_FAILED);
		return MIB_OK;
	case MIB_C_ipspdCryptoSuiteSpeed:
		*out = mib_value_unsigned(s->mbits);
		return MIB_OK;
	case MIB_C_ipspdCryptoSuiteWeak:
		*out = mib_value_integer(s->weak ? 1 : 2);
		return MIB_OK;
	default:
		return MIB_NO_SUCH_INSTANCE;
	}
}

enum mib_err crypto_init(struct agent *a)
{
	struct mib_source *to = a->crypto.sources;
	enum mib_err err = MIB_OK;

	to[0] = (struct mib_source){ .table = &mib_t_ipspdCrypto, .read = read_scalar, .arg = a };
	to[1] = (struct mib_source){ .table = &mib_t_ipspdCryptoLibraryTable,
				     .next = next_library, .read = read_library, .arg = a };
	to[2] = (struct mib_source){ .table = &mib_t_ipspdCryptoSuiteTable, .next = next_suite,
				     .read = read_suite, .arg = a };
	for (size_t i = 0; err == MIB_OK && i < CRYPTO_SOURCES; i++)
		err = mib_store_add_source(a->store, &to[i]);
	return err;
}

void crypto_fini(struct agent *a)
{
	free(a->crypto.told);
}
