/* tests/fuzz/fuzz.h - what fuzz targets share: what must hold, and a directory for their files. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/** The target. @return 0 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** A property of what is tried; when it does not hold, the input at hand shows a fault. */
#define must(holds)                                                                                \
	do {                                                                                       \
		if (!(holds)) {                                                                    \
			fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #holds);     \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/** A directory of this process, in memory where there is such a place; goes when it ends. */
const char *fuzz_dir(void);

/** Writes a file of it anew, with this mode. */
void fuzz_write(const char *name, const void *data, size_t size, unsigned int mode);

/** Its path; good until the next call. */
const char *fuzz_path(const char *name);

#endif
