/*
 * ipspd/guard_wire.h - keeps the kernel from forwarding what comes in by the interfaces of a bump in
 * the wire: only the engine joins them.
 *
 * One ip rule an interface and family, before all of the guard's others:
 *
 *   26989  iif RED, iif BLACK      blackhole
 *
 * Packets to this machine itself are not concerned (the local table goes first). No stop or crash
 * removes the rules; a start with other interfaces, or `ipspctl guard remove`, does.
 */
#ifndef IPSPD_GUARD_WIRE_H
#define IPSPD_GUARD_WIRE_H

/**
 * Makes the rules those of the two interfaces: first what is missing, then what is too much.
 * @param red, black  names; both NULL: there is no bump, so there are no rules
 * @param changed  out: how many rules were not as they should be, as far as it came
 * @return 0; -ENOMEM, -EIO with *why (static or internal)
 */
int guard_wire_apply(const char *red, const char *black, unsigned *changed, const char **why);

#endif
