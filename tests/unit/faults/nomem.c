/*
 * tests/unit/faults/nomem.c - see nomem.h. For one thread.
 *
 * The program's definitions come before those of its libraries, for all of them. These run before
 * AddressSanitizer is ready, so they are not instrumented themselves.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <gcrypt.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/faults/nomem.h"

#define BARE __attribute__((no_sanitize("address", "undefined"), noinline))

/* AddressSanitizer's, where the program is built with it. */
void *__interceptor_malloc(size_t size) __attribute__((weak));
void *__interceptor_calloc(size_t n, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *p, size_t size) __attribute__((weak));

/* glibc's, under the names that nobody replaces. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

/* The linker's: where the program's own code stands. */
extern const char __executable_start[], etext[];

static struct {
	bool armed, happened;
	enum nomem_scope scope;
	enum nomem_kind kind;
	unsigned long nth, asked;
	uintptr_t spared, spared_end;	/* a function */
} state;

static inline __attribute__((always_inline, no_sanitize("address", "undefined")))
bool refused(const void *caller)
{
	if (!state.armed)
		return false;
	if (state.scope == NOMEM_OURS && ((uintptr_t)caller < (uintptr_t)__executable_start ||
					  (uintptr_t)caller >= (uintptr_t)etext))
		return false;
	if ((uintptr_t)caller >= state.spared && (uintptr_t)caller < state.spared_end)
		return false;
	state.asked++;
	if (state.nth == 0 || state.asked < state.nth ||
	    (state.kind == NOMEM_ONCE && state.asked > state.nth))
		return false;
	state.happened = true;
	errno = ENOMEM;
	return true;
}

#define CALLER __builtin_return_address(0)

static BARE void *real_malloc(size_t size)
{
	return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

static BARE void *real_realloc(void *p, size_t size)
{
	return __interceptor_realloc ? __interceptor_realloc(p, size) : __libc_realloc(p, size);
}

BARE void *malloc(size_t size)
{
	return refused(CALLER) ? NULL : real_malloc(size);
}

BARE void *calloc(size_t n, size_t size)
{
	if (refused(CALLER))
		return NULL;
	return __interceptor_calloc ? __interceptor_calloc(n, size) : __libc_calloc(n, size);
}

BARE void *realloc(void *p, size_t size)
{
	return refused(CALLER) ? NULL : real_realloc(p, size);
}

BARE void *reallocarray(void *p, size_t n, size_t size)
{
	size_t octets;

	if (__builtin_mul_overflow(n, size, &octets)) {
		errno = ENOMEM;
		return NULL;
	}
	return refused(CALLER) ? NULL : real_realloc(p, octets);
}

static BARE char *copy(const char *text, size_t len)
{
	char *to = real_malloc(len + 1);

	if (!to)
		return NULL;
	for (size_t i = 0; i < len; i++)
		to[i] = text[i];
	to[len] = '\0';
	return to;
}

BARE char *strdup(const char *text)
{
	return refused(CALLER) ? NULL : copy(text, strlen(text));
}

BARE char *strndup(const char *text, size_t len)
{
	return refused(CALLER) ? NULL : copy(text, strnlen(text, len));
}

/* libgcrypt's locked pool, which runs out as any memory does. */
BARE void *gcry_malloc_secure(size_t size)
{
	static void *(*next)(size_t);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "gcry_malloc_secure");
	return refused(CALLER) ? NULL : next(size);
}

BARE void *gcry_calloc_secure(size_t n, size_t size)
{
	static void *(*next)(size_t, size_t);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "gcry_calloc_secure");
	return refused(CALLER) ? NULL : next(n, size);
}

void nomem_arm(enum nomem_scope scope, enum nomem_kind kind, unsigned long nth)
{
	state.scope = scope;
	state.kind = kind;
	state.nth = nth;
	state.asked = 0;
	state.happened = false;
	state.armed = true;
}

unsigned long nomem_disarm(void)
{
	state.armed = false;
	return state.asked;
}

void nomem_spare(const void *function)
{
	const ElfW(Sym) *symbol;
	Dl_info where;

	if (!dladdr1(function, &where, (void **)&symbol, RTLD_DL_SYMENT) || !symbol)
		abort();
	state.spared = (uintptr_t)where.dli_saddr;
	state.spared_end = state.spared + symbol->st_size;
}

bool nomem_happened(void)
{
	return state.happened;
}
