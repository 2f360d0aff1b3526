/* tests/unit/ipspd/samples.h - selectors written short, for the tests of this folder. */
#ifndef TESTS_UNIT_IPSPD_SAMPLES_H
#define TESTS_UNIT_IPSPD_SAMPLES_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "ipsp/config.h"

static inline struct ipsp_addr sample_addr(const char *text)
{
	struct ipsp_addr a = { .family = strchr(text, ':') ? 6 : 4 };

	if (inet_pton(a.family == 6 ? AF_INET6 : AF_INET, text, a.octets) != 1)
		abort();
	return a;
}

/* Everything between the two ranges of addresses; family of src_lo. */
static inline struct ipsp_selector sample_box(const char *src_lo, const char *src_hi,
					      const char *dst_lo, const char *dst_hi)
{
	struct ipsp_selector s;
	struct ipsp_addr a = sample_addr(src_lo);

	ipsp_selector_any(a.family, &s);
	s.src_lo = a;
	s.src_hi = sample_addr(src_hi);
	s.dst_lo = sample_addr(dst_lo);
	s.dst_hi = sample_addr(dst_hi);
	return s;
}

#endif
