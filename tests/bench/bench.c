/*
 * tests/bench/bench.c - see bench.h.
 */
#include "tests/bench/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void bench_line(double value, const char *unit, const char *name_fmt, ...)
{
	va_list ap;

	va_start(ap, name_fmt);
	vprintf(name_fmt, ap);
	va_end(ap);
	printf(" %.*f %s\n", value < 100 ? 3 : 0, value, unit);
	fflush(stdout);
}

void bench_must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench: %s\n", what);
	exit(EXIT_FAILURE);
}

bool bench_is_quick(void)
{
	return getenv("BENCH_QUICK") != NULL;
}

static double seconds_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

double bench_cpu_s(void)
{
	return seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

double bench_wall_s(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

double bench_enough_s(double seconds)
{
	return bench_is_quick() ? 1e-4 : seconds;
}

uint64_t bench_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

uint32_t bench_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((bench_random(state) >> 32) * n >> 32);
}
