/*
 * ipspd/fetch_cache.h - CRLs on disk, a file a URL, so that a start needs no server. They are signed, and need no other
 * care.
 */
#ifndef IPSPD_FETCH_CACHE_H
#define IPSPD_FETCH_CACHE_H

#include <stddef.h>
#include <stdint.h>

/** Opens the directory "crls" in that one, which is made if it is not there. @return fd, or -errno */
int fetch_cache_open(int statedir_fd);

/** What is kept of a URL, which the caller frees. NULL: nothing */
uint8_t *fetch_cache_get(int dir_fd, const char *url, size_t *len);

/** Likewise, if it is not yet to be followed by the next one. */
uint8_t *fetch_cache_fresh(int dir_fd, const char *url, size_t *len);

/** Keeps it, in place of one of that URL; with too many of them the oldest goes. Trouble is logged. */
void fetch_cache_put(int dir_fd, const char *url, const uint8_t *octets, size_t len);

#endif
