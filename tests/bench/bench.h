/*
 * tests/bench/bench.h - what the benchmark programs share: lines, clocks, seeded numbers.
 *
 * A program prints one "name value unit" line a figure on standard output and nothing else there.
 * It never judges a figure. With BENCH_QUICK in the environment everything is measured for a moment
 * only and at the smallest sizes: to see that a program works, not for its figures.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Prints one line; the name is a format. */
void bench_line(double value, const char *unit, const char *name_fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Ends the program, with the reason on standard error, unless good. */
void bench_must(bool good, const char *what);

bool bench_is_quick(void);

/** Seconds of this thread's processor time: what others do on the machine does not count. */
double bench_cpu_s(void);

/** Seconds of a clock that never goes back. */
double bench_wall_s(void);

/** How long one figure is measured: seconds, or next to nothing when quick. */
double bench_enough_s(double seconds);

/** The next number of a fixed sequence: every run measures the same (xorshift64*). */
uint64_t bench_random(uint64_t *state);

/** A number below n. */
uint32_t bench_below(uint64_t *state, uint32_t n);

#endif
