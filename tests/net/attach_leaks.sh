# shellcheck shell=sh
# tests/net/attach_leaks.sh - what policy closed stays closed: rows taken away, processes killed, TUN gone.
# With TB_ATTACH=pcap there is no TUN to go, and no way around a bump that is dead. Part of attach.sh; its end.

claim "traffic is protected" pings host-a 10.2.0.2

wan=$(tb_ifindex router-a wan)
forge_in()
{
	tb_in wan /usr/bin/python3 "$TB_SRC/tests/net/forge.py" a $TB_HOP4_A udp 10.2.0.2 10.1.0.2 4807 + \
		a $TB_HOP6_A udp fd00:2::2 fd00:1::2 4807
}
send_out()
{
	tb_in host-a /usr/bin/python3 "$TB_SRC/tests/net/forge.py" lan 10.1.0.1 udp 10.1.0.2 10.2.0.2 4807 + \
		lan fd00:1::1 udp fd00:1::2 fd00:2::2 4807
}

# The WAN's next hop is on the inside of a bump, and must be known when nothing answers.
if [ $TB_ATTACH = pcap ]; then
	for t_a in 10.1.0.2 fd00:1::2; do pin wan a $t_a host-a lan; done
	for t_a in 10.1.0.1 fd00:1::1; do pin host-a lan $t_a wan a; done
	leak='(ip.src == 10.1.0.2 || ipv6.src == fd00:1::2) && !(icmpv6.type >= 133 && icmpv6.type <= 137)'
else
	for t_a in $TB_HOP4_A $TB_HOP6_A; do pin wan a $t_a router-a wan; done
	leak='ip.src == 10.1.0.0/16 || ipv6.src == fd00:1::/32'
fi

# What was sent before has been dealt with: packets of the router's own LAN side are answered, ARP crosses a
# bump, and nothing one whose processes are dead.
wire=whole
dealt_with()
{
	case $TB_ATTACH-$wire in
	pcap-whole) tb_until 20 arp_crosses ;;
	pcap-cut) not arp_crosses ;;
	*) pings host-a 10.1.0.1 1 ;;
	esac
}

# closed WHEN: nothing passes router-a's WAN interface in the clear, either way, in either family.
closed_round=0
closed()
{
	closed_round=$((closed_round + 1))
	sniff wan a "closed$closed_round"
	sniff host-a lan "closed$closed_round"
	claim "$1: packets are tried" eval 'forge_in && send_out'
	claim "$1: what was sent has been dealt with" dealt_with
	unsniff wan "closed$closed_round"
	unsniff host-a "closed$closed_round"
	claim "$1: nothing left in the clear" equal 0 \
		"$(seen wan "closed$closed_round" "$leak")"
	claim "$1: nothing came in in the clear" equal 0 \
		"$(seen host-a "closed$closed_round" 'udp.port == 4807 && !icmp && !icmpv6 && (ip.src == 10.2.0.0/16 || ipv6.src == fd00:2::/32)')"
}

row() { tb_snmp snmpset router-a "$@"; tb_ctl router-a wait; }

closed "with policy"
# What another program takes from the guard is back soon, and not missed until then.
guarded() { tb_in router-a nft list table inet ipspd_guard; }
claim "another program flushes nftables" tb_in router-a nft flush ruleset
closed "with nftables flushed"
claim "the guard is put back" tb_until 20 guarded
t_engine=$(tb_process router-a engine)
kill -STOP "$t_engine"
claim "nftables are flushed while the engine stands still" tb_in router-a nft flush ruleset
[ $TB_ATTACH != pcap ] || wire=cut
closed "with the engine standing still"
wire=whole
kill -CONT "$t_engine"
claim "the guard is put back again" tb_until 20 guarded
claim "protected traffic flows" tb_until 20 pings host-a 10.2.0.2 1
claim "a contents row is destroyed" row 'spdGroupContRowStatus."wan-out".100' i destroy
closed "without the contents row"
claim "the rule is destroyed" row 'spdRuleDefRowStatus."tunnel-out"' i destroy
closed "without the rule"
claim "the outbound endpoint row is taken out of service" row "spdEndGroupRowStatus.outbound.$wan" i notInService
closed "with the endpoint row out of service"
claim "both endpoint rows are destroyed" row "spdEndGroupRowStatus.outbound.$wan" i destroy \
	"spdEndGroupRowStatus.inbound.$wan" i destroy
closed "without endpoint rows"
claim "the closure is seen" says 'closed' tb_snmp snmpget router-a "ipspdClosureState.outbound.$wan"

claim "the engine is killed" kill -9 "$(tb_process router-a engine)"
closed "with the engine killed"
claim "the daemon answers still" tb_ctl router-a wait --timeout 30

kill -9 "$(tb_pid router-a ipspd)"
tb_until 20 eval 'test -z "$(tb_process router-a agent)$(tb_process router-a engine)"'
wire=cut
closed "with every process killed"
if [ $TB_ATTACH = tun ]; then
	tb_in router-a ip link del ipspd0 2>/dev/null || :
	closed "with the TUN deleted as well"
fi
tb_ipspd router-a
wire=whole
claim "a new daemon starts on what is left" tb_ctl router-a wait --snmp --timeout 30
closed "after a new start"

claim "release frees the outbound direction" tb_ctl router-a release wan outbound
claim "release by SNMP frees the inbound direction" row "ipspdClosureRelease.inbound.$wan" i true
claim "... so that packets pass untouched again" eval '
	sniff wan a freed; send_out; pings host-a 10.1.0.1 1; unsniff wan freed
	test "$(seen wan freed "udp.port == 4807 && ip.src == 10.1.0.2")" = 1'
claim "guard remove is refused while the daemon runs" not tb_in router-a \
	"$TB_BUILD/ipspctl/ipspctl" -S "$TB_DIR/router-a/state" guard remove
kill "$(tb_pid router-a ipspd)"
tb_reap "$(tb_pid router-a ipspd)"
claim "guard remove works without one" tb_in router-a \
	"$TB_BUILD/ipspctl/ipspctl" -S "$TB_DIR/router-a/state" guard remove
claim "... and leaves neither table nor rule" eval \
	'not tb_in router-a nft list table inet ipspd_guard && not eval "tb_in router-a ip rule | grep -q 269"'
