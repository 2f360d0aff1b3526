/* engine/crypto/no_mb.c - in place of engine/crypto/mb.c where ipsec-mb is not built in. */
#include "engine/crypto/backends.h"

const struct crypto_backend *crypto_ipsec_mb(void)
{
	return NULL;
}
