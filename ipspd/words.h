/*
 * ipspd/words.h - selectors and algorithms in words, the same at every door.
 */
#ifndef IPSPD_WORDS_H
#define IPSPD_WORDS_H

#include <stddef.h>

#include "ipsp/config.h"

/** Room for any selector in words. */
#define WORDS_SELECTOR 384

/**
 * "10.0.0.0/8 -> 0.0.0.0/0 proto 6 dport 23": what may be any is left out, except addresses.
 * Returns buf.
 */
const char *words_selector(const struct ipsp_selector *s, char buf[WORDS_SELECTOR]);

/** "aes-cbc", "null"; "unknown" for numbers that no SA of ours has. */
const char *words_protocol(uint8_t proto);	/* "esp", "ah", "ipcomp" */
const char *words_cipher(const struct ipsp_sa_config *sa);
/** "hmac-sha2-256-128"; "none" when the cipher does that as well. */
const char *words_integrity(const struct ipsp_sa_config *sa);

#endif
