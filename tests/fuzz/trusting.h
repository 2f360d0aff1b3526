/*
 * tests/fuzz/trusting.h - a crypto provider that takes every ICV for good and encrypts nothing, so that
 * what stands behind the integrity check is reached as well.
 */
#ifndef TESTS_FUZZ_TRUSTING_H
#define TESTS_FUZZ_TRUSTING_H

#include "ipsp/crypto.h"

const struct ipsp_crypto *fuzz_trusting(void);

#endif
