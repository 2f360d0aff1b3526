/*
 * mibs/secmem.c - memory for secrets, see mibs/secmem.h. Everything else that uses libgcrypt in the
 * same process must come after mib_secmem_init.
 */
#include "config.h"

#include "mibs/secmem.h"

#include <errno.h>
#include <gcrypt.h>
#include <string.h>
#include <sys/resource.h>

/* AES-SIV; AES-GCM with more than one call for associated data; getrandom(2) as the source. */
#define SECMEM_GCRYPT_MIN "1.10.0"

static enum { SECMEM_NONE, SECMEM_LOCKED, SECMEM_SWAPPABLE, SECMEM_FOREIGN } secmem_state;

static void secmem_start(void)
{
	/* We report an unlocked pool ourselves; libgcrypt would print to standard error. */
	gcry_control(GCRYCTL_DISABLE_SECMEM_WARN);
	secmem_state = gcry_control(GCRYCTL_INIT_SECMEM, MIB_SECMEM_BYTES, 0) == 0 ?
			       SECMEM_LOCKED :
			       SECMEM_SWAPPABLE;
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

enum mib_err mib_secmem_init(unsigned int flags, struct mib_diag *d)
{
	if (secmem_state == SECMEM_NONE) {
		if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
			secmem_state = SECMEM_FOREIGN;
		} else if (!gcry_check_version(SECMEM_GCRYPT_MIN)) {
			mib_diag_set(d, NULL, NULL, 0, "libgcrypt %s is too old: %s is needed",
				     gcry_check_version(NULL), SECMEM_GCRYPT_MIN);
			return MIB_RESOURCE_UNAVAILABLE;
		} else {
			secmem_start();
		}
	}
	if (secmem_state == SECMEM_LOCKED || (flags & MIB_SECMEM_MAY_SWAP))
		return MIB_OK;
	if (secmem_state == SECMEM_FOREIGN) {
		mib_diag_set(d, NULL, NULL, 0,
			     "libgcrypt was initialised before, without locked memory for secrets");
		return MIB_RESOURCE_UNAVAILABLE;
	}
	struct rlimit lim = { 0, 0 };

	getrlimit(RLIMIT_MEMLOCK, &lim);
	mib_diag_set(d, NULL, NULL, 0,
		     "cannot lock %u octets of memory for secrets: RLIMIT_MEMLOCK is %llu; raise "
		     "it (systemd: LimitMEMLOCK=)",
		     MIB_SECMEM_BYTES, (unsigned long long)lim.rlim_cur);
	return MIB_RESOURCE_UNAVAILABLE;
}

bool mib_secmem_is_ready(void)
{
	return secmem_state != SECMEM_NONE;
}

enum mib_err mib_secret_init(struct mib_secret *s, size_t len)
{
	/* At least one octet: an empty secret is a secret too, and has an address. */
	uint8_t *data = gcry_calloc_secure(1, len ? len : 1);

	if (!data)
		return MIB_RESOURCE_UNAVAILABLE;
	s->data = data;
	s->len = len;
	return MIB_OK;
}

void mib_secret_fini(struct mib_secret *s)
{
	if (s->data)
		explicit_bzero(s->data, s->len);
	gcry_free(s->data);
	s->data = NULL;
	s->len = 0;
}
