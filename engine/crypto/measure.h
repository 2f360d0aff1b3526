/*
 * engine/crypto/measure.h - how long a library takes. Private to engine/crypto/.
 */
#ifndef ENGINE_CRYPTO_MEASURE_H
#define ENGINE_CRYPTO_MEASURE_H

#include "engine/crypto/ctx.h"

/**
 * Seals some short and some long packets of a suite that the library has, a few times over.
 * @return nanoseconds of processor time, of the best time; UINT64_MAX: it failed
 */
uint64_t crypto_measure(const struct crypto_backend *backend, const struct crypto_suite *suite);

/** What crypto_measure said, as megabits a second. 0: it was not asked, or failed */
uint32_t crypto_measured_mbits(uint64_t ns);

/** Processor time of this thread, in nanoseconds. */
uint64_t crypto_now_ns(void);

#endif
