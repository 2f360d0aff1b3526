/*
 * ipspd/import_fetch.h - a file from a URL, as it comes, into the parser.
 *
 * http and https only, also after redirects, of which there are few; https never leads to http. A
 * server's certificate must be good. No proxy, no cookie, no password, no file is looked for.
 */
#ifndef IPSPD_IMPORT_FETCH_H
#define IPSPD_IMPORT_FETCH_H

#include <stdint.h>

#include "xml/parse.h"

/** Once, early: libcurl and what it loads. */
void import_fetch_init(void);

/**
 * Fetches, feeds and ends.
 * @param seconds  for all of it
 * @return what the parser says; MIB_WRONG_VALUE, MIB_RESOURCE_UNAVAILABLE with *d: it cannot be
 *         fetched, and why
 */
MIB_MUST_CHECK enum mib_err import_fetch(const char *url, uint32_t seconds,
					 struct xml_parse *parse, struct xml_diag *d);

#endif
