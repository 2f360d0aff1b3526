/*
 * ipspctl/secrets.h - the key of secrets in a file: from a passphrase, or from a key file.
 *
 * The passphrase never leaves this process, and the key only through a pipe. Both are in locked
 * memory, wiped after use, and in no core dump.
 */
#ifndef IPSPCTL_SECRETS_H
#define IPSPCTL_SECRETS_H

#include <stdbool.h>

#include <json-c/json.h>

/** Where the key comes from, as the command line says. */
struct secrets_source {
	const char *passphrase_file;	/* its first line; NULL: the terminal is asked */
	const char *key_file;		/* MIB_FILE_SEAL_KEY_FILE octets; NULL: a passphrase */
	bool is_new;			/* asked of the terminal, a passphrase is asked twice */
};

/**
 * A client_key_fn; arg is a struct secrets_source. seal says what the file was, or is to be, sealed
 * under, and the salt.
 */
int secrets_key(void *arg, struct json_object *seal);
#endif
