# shellcheck shell=sh
# tests/net/attach_traffic.sh - traffic of all kinds through the policy that attach_path.sh has SET: octets compared by
# their receivers, rules of other actions, an SA that is not the rule's, changes while packets flow.

# Octets.
octets() { /usr/bin/python3 "$TB_SRC/tests/net/transfer.py" "$(tb_ns host-a)" "$(tb_ns host-b)" "$1"; }
sniff wan a octets "$t_leaked"
claim "TCP and UDP cross whole and unchanged, IPv4" octets 10.2.0.2
claim "... and IPv6" octets fd00:2::2
large() { tb_in host-a ping -q -c 3 -i 0.1 -W 2 -s 4000 "$1" | grep ' 0% packet loss'; }
claim "packets in fragments cross, IPv4" large 10.2.0.2
# The first one teaches the host the size of the way.
claim "... and IPv6" tb_until 10 large fd00:2::2
unsniff wan octets
claim "nothing of it was in the clear" equal 0 "$(caught wan octets)"

# BYPASS and DISCARD: to the WAN's own address, which the tunnels do not lead to.
near4=C0000000 near6=20010DB8000A00000000000000000000
other_filters()
{
	tb_filter router-a 90 1 $tb_lan4a $near4 16
	tb_filter router-a 91 1 $near4 $tb_lan4a 16
	tb_filter router-a 92 2 $tb_lan6a $near6 32
	tb_filter router-a 93 2 $near6 $tb_lan6a 32
}
# other_rule NAME FILTER ACTION GROUP PRIORITY
other_rule()
{
	tb_set router-a "spdRuleDefFilter.\"$1\"" o "diffServMultiFieldClfrAddrType.$2" \
		"spdRuleDefAction.\"$1\"" o "$3.0" "spdRuleDefRowStatus.\"$1\"" i createAndGo \
		"spdGroupContComponentName.\"$4\".$5" s "$1" "spdGroupContRowStatus.\"$4\".$5" i createAndGo
}
bypass_rules()
{
	other_rule pass-out 90 spdAcceptAction wan-out 50 && other_rule pass-in 91 spdAcceptAction wan-in 50 &&
	other_rule pass6-out 92 spdAcceptAction wan-out 60 && other_rule pass6-in 93 spdAcceptAction wan-in 60 &&
	tb_ctl router-a wait
}
discard_rules()
{
	other_rule drop-out 90 spdDropAction wan-out 40 && other_rule drop6-in 93 spdDropAction wan-in 40 &&
	tb_ctl router-a wait
}
other_filters
claim "what no rule names does not pass, IPv4" silent host-a 192.0.2.254
claim "... nor IPv6" silent host-a 2001:db8:a::fe
claim "rules let it pass" bypass_rules
sniff wan a bypass
claim "it passes, IPv4" pings host-a 192.0.2.254
claim "it passes, IPv6" pings host-a 2001:db8:a::fe
unsniff wan bypass
claim "... in the clear, both ways" equal 12 "$(seen wan bypass \
	'(ip.addr == 10.1.0.2 || ipv6.addr == fd00:1::2) && (icmp.type == 8 || icmp.type == 0 || icmpv6.type == 128 || icmpv6.type == 129)')"
claim "rules before them discard one way of each" discard_rules
sniff wan a discard
claim "nothing passes outbound" silent host-a 192.0.2.254
claim "nothing passes inbound" silent host-a 2001:db8:a::fe
unsniff wan discard
claim "... nothing left, and what left was not let in again" equal "0 2" "$(seen wan discard 'icmp.type == 8') $(seen wan \
	discard 'icmpv6.type == 129')"
hit() { tb_ctl router-a show spd | grep -q "discard.*$1.*hits [1-9]"; }
claim "the rules that discarded count it" eval 'tb_until 20 hit drop-out && tb_until 20 hit drop6-in'

# The wrong SA: router-b protects IPv4 by the SA that is for IPv6.
by_sa() { tb_set router-b 'spdRuleDefAction."tunnel-out"' o "ipsaSaPreActActionDescription.\"$1\".outbound" && tb_ctl router-b wait; }
claim "router-b uses another SA of the two" by_sa tunnel6
sniff host-a lan wrong
claim "what comes under it is not let in" silent host-b 10.1.0.2
claim "a packet under its own SA is" pings host-b fd00:1::2 1
unsniff host-a wrong
claim "... and nothing else was" equal 0 "$(seen host-a wrong 'ip.src == 10.2.0.2')"
claim "it is counted for what it is" tb_until 20 says policy-mismatch tb_ctl router-a show stats
claim "router-b uses the right one again" by_sa tunnel
claim "... and packets pass" pings host-b 10.1.0.2

# Policy changes under traffic.
sniff wan a live "$t_leaked"
tb_in host-a ping -q -i 0.01 -c 200 -W 2 10.2.0.2 >"$TB_DIR/live.out" 2>&1 &
t_live=$!
TB_PIDS="$TB_PIDS $t_live"
turns()
{
	for t_turn in 1 2 3 4; do
		tb_set router-a 'spdGroupContRowStatus."wan-out".50' i destroy || return 1
		tb_set router-a 'spdGroupContComponentName."wan-out".50' s pass-out \
			'spdGroupContRowStatus."wan-out".50' i createAndGo || return 1
		tb_set router-a 'spdRuleDefAction."tunnel-out"' o 'ipsaSaPreActActionDescription."tunnel".outbound' || return 1
		tb_ctl router-a wait || return 1
	done
}
claim "rules come and go while packets flow" turns
wait "$t_live" || :
claim "... none of which is lost" grep -q ' 0% packet loss' "$TB_DIR/live.out"
unsniff wan live
claim "... and none in the clear" equal 0 "$(caught wan live)"
