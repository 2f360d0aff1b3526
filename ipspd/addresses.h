/*
 * ipspd/addresses.h - the addresses of this system's interfaces, as the kernel has them now.
 *
 * They are asked for when somebody wants one, and kept until netlink tells of a change.
 */
#ifndef IPSPD_ADDRESSES_H
#define IPSPD_ADDRESSES_H

#include "ipsp/types.h"

struct addresses;
struct event_base;

/** @return NULL: no memory, or no netlink */
struct addresses *addresses_new(struct event_base *base);
void addresses_free(struct addresses *a);

/**
 * An address of an interface: of that family if it has one, else of the other; of IPv6 one that is
 * not link-local if it has one; of several the kernel's first.
 * @param family  4 or 6
 * @return false: it has none, or the kernel cannot be asked
 */
bool addresses_find(struct addresses *a, uint32_t ifindex, uint8_t family, struct ipsp_addr *out);

/**
 * All of them, in order and once each, but those of the loopback.
 * @return false: there are more than max, or the kernel cannot be asked; nothing is written
 */
bool addresses_all(struct addresses *a, struct ipsp_addr *out, size_t max, size_t *n);

/** changed(arg) is called when some came or went, or may have. NULL: no more. */
void addresses_on_change(struct addresses *a, void (*changed)(void *arg), void *arg);

#endif
