/*
 * tests/unit/faults/nomem.h - makes single allocations of a program fail.
 *
 * Linked into a test, nomem.c takes the place of malloc and its kin for the program and all its
 * libraries, and passes on to the C library or to AddressSanitizer. Nothing fails until armed.
 * Check's own assertions allocate too: none between nomem_arm and nomem_disarm.
 */
#ifndef TESTS_UNIT_FAULTS_NOMEM_H
#define TESTS_UNIT_FAULTS_NOMEM_H

#include <stdbool.h>

/** Whose allocations count. */
enum nomem_scope {
	NOMEM_OURS,	/* asked for by the program itself: our code, as it is linked into it */
	NOMEM_ALL,	/* and by the libraries that it uses */
};

enum nomem_kind {
	NOMEM_ONCE,	/* that one allocation */
	NOMEM_FOR_GOOD,	/* that one and all after it */
};

/** The nth allocation from now fails (1: the next). 0: none; they are only counted. */
void nomem_arm(enum nomem_scope scope, enum nomem_kind kind, unsigned long nth);

/** Nothing fails any more. @return how many allocations were asked for since nomem_arm */
unsigned long nomem_disarm(void);

/**
 * What that function of a library asks for itself never fails, for a library that would crash: from
 * now on, whatever is armed. One function.
 */
void nomem_spare(const void *function);

/** Has one failed since nomem_arm? */
bool nomem_happened(void);

#endif
