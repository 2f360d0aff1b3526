/* ipspctl/firewall.h - what a firewall on the same machine must let pass. */
#ifndef IPSPCTL_FIREWALL_H
#define IPSPCTL_FIREWALL_H

#define FIREWALL_TABLE_MAX 64u	/* octets of a table's name */

/**
 * Prints nftables rules for a table of family inet that has chains input, output and forward, as `nft -f`
 * takes them. Asks no daemon.
 * @param table  its name; of letters, digits, _, - and . alone, as is tun
 * @param tun    the daemon's TUN
 */
void ctl_firewall_print(const char *table, const char *tun);

#endif
