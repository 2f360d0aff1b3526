/*
 * tests/fuzz/fuzz_guard.c - the saved guard, which root reads before anything else.
 *
 * What is read is saved as octets that read and save as the same; what is not leaves the caller's
 * count alone.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ipspd/guard_kernel.h"
#include "tests/fuzz/fuzz.h"

#define FILE_NAME "saved"

static size_t read_saved(uint8_t **out)
{
	FILE *f = fopen(fuzz_path(FILE_NAME), "rb");
	long len;

	must(f && fseek(f, 0, SEEK_END) == 0 && (len = ftell(f)) > 0);
	*out = malloc((size_t)len);
	rewind(f);
	must(*out && fread(*out, 1, (size_t)len, f) == (size_t)len);
	fclose(f);
	return (size_t)len;
}

static void must_be_whole(const struct guard_layer *layers, size_t n)
{
	must(n <= GUARD_LAYERS_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct wire_gen *g = layers[i].gen;

		must(g && layers[i].serial == 0);
		for (size_t p = 0; p < g->n_predicates; p++)
			must(ipsp_predicate_valid(&g->predicates[p]));
		for (size_t l = 0; l < g->n_lists; l++)
			for (uint32_t e = 0; e < g->lists[l].n_entries; e++)
				for (uint32_t s = 0; s < g->lists[l].entries[e].n_selectors; s++)
					must(ipsp_selector_valid(
						&g->lists[l].entries[e].selectors[s]));
	}
}

/* Loads what is saved and saves it again. @return false: it was refused */
static bool load_and_save(int dir)
{
	struct guard_layer layers[GUARD_LAYERS_MAX];
	size_t n = 4711;
	int rc = guard_file_load(dir, layers, &n);

	if (rc < 0) {
		must(n == 4711 && (rc == -EBADMSG || rc == -ENOMEM));
		return false;
	}
	must_be_whole(layers, n);
	must(guard_file_save(dir, layers, n) == 0);
	for (size_t i = 0; i < n; i++)
		wire_gen_free(layers[i].gen);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int dir = -1;
	uint8_t *first, *second;

	if (dir < 0)
		dir = open(fuzz_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(dir >= 0);
	fuzz_write(FILE_NAME, data, size, 0600);
	if (!load_and_save(dir))
		return 0;
	const size_t len = read_saved(&first);

	must(load_and_save(dir));
	must(read_saved(&second) == len && memcmp(first, second, len) == 0);
	free(first);
	free(second);
	return 0;
}
