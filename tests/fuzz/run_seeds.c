/*
 * tests/fuzz/run_seeds.c - runs a fuzz target on its seeds, without a fuzzer.
 *
 * Linked with one tests/fuzz/fuzz_NAME.c and built with -DFUZZ_SEEDS='"NAME"': runs every file in
 * tests/fuzz/seeds/NAME of the source tree (TB_SRC), whole and cut short, so that `make check`
 * proves what the fuzzer has found before. With arguments, runs those files or directories instead.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEED_MAX (1u << 22)
#define CUTS 64		/* lengths tried of each seed */

static unsigned n_seeds;

/** Of its own size, so that a sanitizer sees an octet too far. */
static void run_octets(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(SEED_MAX);
	size_t size;

	if (!f || !data) {
		perror(path);
		free(data);
		if (f)
			fclose(f);
		return 1;
	}
	size = fread(data, 1, SEED_MAX, f);
	fclose(f);
	run_octets(data, size);
	for (size_t i = 0; i < CUTS && i < size; i++)
		run_octets(data, i * size / CUTS);
	free(data);
	n_seeds++;
	return 0;
}

static int run_dir(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int failed = 0;

	if (!dir) {
		perror(path);
		return 1;
	}
	while ((entry = readdir(dir))) {
		char file[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		failed |= run_file(file);
	}
	closedir(dir);
	return failed;
}

int main(int argc, char **argv)
{
	const char *src = getenv("TB_SRC");
	int failed = 0;

	if (argc < 2) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/tests/fuzz/seeds/%s", src ? src : ".", FUZZ_SEEDS);
		failed = run_dir(path);
	}
	for (int i = 1; i < argc; i++) {
		struct stat st;

		failed |= stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode) ? run_dir(argv[i]) :
									  run_file(argv[i]);
	}
	printf("%u seeds of %s\n", n_seeds, FUZZ_SEEDS);
	return failed || !n_seeds ? EXIT_FAILURE : EXIT_SUCCESS;
}
