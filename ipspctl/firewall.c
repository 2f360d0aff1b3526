/*
 * ipspctl/firewall.c - rules for a firewall that drops what it does not know: see firewall.h. RFC 4301 for
 * the protocols, RFC 7296 2 and RFC 3948 for the ports.
 *
 * An accept in a table of ours would not help: every table has its say, and a drop in any is final. So the
 * rules are for the firewall's own.
 */
#include "ipspctl/firewall.h"

#include <stdio.h>

#include "ipspd/marks.h"

/* %1$s is the table, %2$s the TUN, %3$x and %4$x mark and mask of what the daemon sends. */
static const char rules[] =
	"add chain inet %1$s ipspd_in\n"
	"flush chain inet %1$s ipspd_in\n"
	"add rule inet %1$s ipspd_in meta l4proto { esp, ah } accept\n"
	"add rule inet %1$s ipspd_in udp dport { 500, 4500 } accept comment \"IKE, ESP in UDP: a NAT may "
	"have changed the source\"\n"
	"add rule inet %1$s ipspd_in ip frag-off & 0x1fff != 0 ip protocol udp accept comment \"what follows "
	"the first fragment of IKE\"\n"
	"add rule inet %1$s ipspd_in exthdr frag exists accept\n"
	"add rule inet %1$s ipspd_in icmp type destination-unreachable accept comment \"path MTU\"\n"
	"add rule inet %1$s ipspd_in icmpv6 type packet-too-big accept\n"
	"add rule inet %1$s ipspd_in iifname \"%2$s\" accept comment \"judged by the SPD\"\n"
	"add chain inet %1$s ipspd_out\n"
	"flush chain inet %1$s ipspd_out\n"
	"add rule inet %1$s ipspd_out meta mark & 0x%4$x == 0x%3$x accept comment \"judged by the SPD\"\n"
	"add rule inet %1$s ipspd_out udp dport { 500, 4500 } accept\n"
	"add rule inet %1$s ipspd_out oifname \"%2$s\" accept\n"
	"add chain inet %1$s ipspd_forward\n"
	"flush chain inet %1$s ipspd_forward\n"
	"add rule inet %1$s ipspd_forward iifname \"%2$s\" accept comment \"judged by the SPD\"\n"
	"add rule inet %1$s ipspd_forward oifname \"%2$s\" accept\n"
	"insert rule inet %1$s input jump ipspd_in\n"
	"insert rule inet %1$s output jump ipspd_out\n"
	"insert rule inet %1$s forward jump ipspd_forward\n";

void ctl_firewall_print(const char *table, const char *tun)
{
	printf(rules, table, tun, IPSPD_MARK_BYPASS, IPSPD_MARK_MASK);
}
