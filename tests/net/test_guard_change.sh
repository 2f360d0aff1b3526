# tests/net/test_guard_change.sh - boot, policy changes, interfaces and addresses that change: all under
# traffic and forged packets, and nothing in the clear that policy always closed.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
claim "a whole policy is SET on both routers" tb_policies
claim "traffic is protected" pings host-a 10.2.0.2

router() { tb_in router-a "$@"; }
forge() { tb_in "$1" /usr/bin/python3 "$TB_SRC/tests/net/forge.py" "$2" "$3" storm "$4" "$5" "$TB_DIR/stop"; }

# Clear packets of all forms, both ways and both families, and pings, until quiet.
storm()
{
	rm -f "$TB_DIR/stop"
	sniff wan a "$1"
	sniff host-a lan "$1"
	storm_pids=
	for t_ping in 10.2.0.2 fd00:2::2; do
		tb_in host-a ping -q -i 0.05 "$t_ping" >/dev/null 2>&1 &
		storm_pids="$storm_pids $!"
	done
	pingers=$storm_pids
	forge wan a 192.0.2.1 10.2.0.2 10.1.0.2 >"$TB_DIR/storm1" 2>&1 & storm_pids="$storm_pids $!"
	forge wan a 2001:db8:a::1 fd00:2::2 fd00:1::2 >"$TB_DIR/storm2" 2>&1 & storm_pids="$storm_pids $!"
	forge host-a lan 10.1.0.1 10.1.0.2 10.2.0.2 >"$TB_DIR/storm3" 2>&1 & storm_pids="$storm_pids $!"
	forge host-a lan fd00:1::1 fd00:1::2 fd00:2::2 >"$TB_DIR/storm4" 2>&1 & storm_pids="$storm_pids $!"
	TB_PIDS="$TB_PIDS $storm_pids"
	tb_until 30 eval 'grep -q storm "$TB_DIR/storm1" && grep -q storm "$TB_DIR/storm2" &&
		grep -q storm "$TB_DIR/storm3" && grep -q storm "$TB_DIR/storm4"'
}

# So many octets of it are written down that each form was tried.
sent_some() { test "$(wc -c <"$TB_DIR/wan/boot.pcap")" -gt 40000; }

# quiet TEXT NAME: ends it; nothing crossed in the clear, either way.
quiet()
{
	touch "$TB_DIR/stop"
	for t_pid in $pingers; do kill "$t_pid" 2>/dev/null || :; done
	for t_pid in $storm_pids; do wait "$t_pid" 2>/dev/null || :; done
	unsniff wan "$2"
	unsniff host-a "$2"
	claim "$1: packets were forged" test "$(seen wan "$2" 'ip.dst == 10.1.0.2 && ip.src == 10.2.0.2')" -gt 20
	claim "$1: nothing left in the clear" equal 0 \
		"$(seen wan "$2" '(ip.src == 10.1.0.0/16 || ipv6.src == fd00:1::/32) && !icmp.type == 3')"
	claim "$1: nothing came in in the clear" equal 0 \
		"$(seen host-a "$2" 'eth.dst == '"$(tb_in host-a cat /sys/class/net/lan/address)"' && frame contains "forged in the storm" && !icmp && !icmpv6')"
}

storm policy
round=0
changes=0
while [ $round -lt 10 ]; do
	round=$((round + 1))
	# Its packets are protected, or fall to the end of the list, which discards them.
	for t_set in 'spdRuleDefAdminStatus."tunnel-out" i disabled spdRuleDefAdminStatus."tunnel-in" i disabled' \
		'spdRuleDefAdminStatus."tunnel-out" i enabled spdRuleDefAdminStatus."tunnel6-out" i disabled' \
		'spdRuleDefAdminStatus."tunnel-in" i enabled spdRuleDefAdminStatus."tunnel6-out" i enabled'; do
		# shellcheck disable=SC2086
		tb_set router-a $t_set && changes=$((changes + 1))
		[ $((changes % 7)) != 0 ] || kill -HUP "$(tb_pid router-a ipspd)"
	done
done
claim "thirty policies one after the other are in force" eval 'equal 30 $changes && tb_ctl router-a wait --timeout 60'
quiet "policy changes and reloads" policy
claim "traffic is protected after them" eval 'tb_until 20 pings host-a 10.2.0.2 1 && pings host-a fd00:2::2'

# What interfaces, addresses and routes do under traffic.
storm links
claim "addresses come and go" router sh -c '
	ip addr add 192.0.2.7/24 dev wan; ip addr add 2001:db8:a::7/48 dev wan nodad; ip addr add 10.1.7.7/16 dev lan
	ip addr del 192.0.2.7/24 dev wan; ip addr del 2001:db8:a::7/48 dev wan; ip addr del 10.1.7.7/16 dev lan'
claim "routes change" router sh -c '
	ip route add 10.2.0.0/16 via 192.0.2.254; ip -6 route add fd00:2::/32 via 2001:db8:a::fe
	ip route replace default via 192.0.2.254 metric 5; ip route del 10.2.0.0/16; ip -6 route del fd00:2::/32'
claim "the WAN interface goes down and up" router sh -c '
	ip link set wan down; ip link set wan up; ip route replace default via 192.0.2.254
	ip -6 addr add 2001:db8:a::1/48 dev wan nodad; ip -6 route replace default via 2001:db8:a::fe'
claim "it gets another name" router sh -c '
	ip link set wan down; ip link set wan name outside; ip link set outside up; ip route replace default via 192.0.2.254
	ip -6 addr add 2001:db8:a::1/48 dev outside nodad; ip -6 route replace default via 2001:db8:a::fe'
claim "the TUN goes, and comes back" eval 'router ip link del ipspd0 && tb_until 20 router ip link show ipspd0 &&
	tb_ctl router-a wait --timeout 60'
quiet "addresses, routes and interfaces" links
claim "traffic is protected after them" eval 'tb_until 20 pings host-a 10.2.0.2 1 && tb_until 20 pings host-a fd00:2::2'

# Boot: the saved guard alone, then the interface it is for, then the daemon; the network is there all the while.
index=$(tb_ifindex router-a outside)
kill "$(tb_pid router-a ipspd)"
tb_reap "$(tb_pid router-a ipspd)"
claim "the machine forgets everything but its disk" router sh -c '
	nft flush ruleset; for f in -4 -6; do
		for p in 26990 26991 26992; do while ip $f rule del pref $p 2>/dev/null; do :; done; done
		ip $f route flush table 26992; done; ip link del outside'
claim "the guard is loaded before there is the interface" router "$TB_BUILD/sbin/ipspd" --guard-only -c /dev/null \
	-S "$TB_DIR/router-a/state"
ip link add name outside index "$index" netns "$(tb_ns router-a)" type veth peer name a netns "$(tb_ns wan)"
tb_in wan ip link set dev a up
tb_addr wan a 192.0.2.254/24 2001:db8:a::fe/48
tb_in wan ip route replace 10.1.0.0/16 via 192.0.2.1
tb_in wan ip -6 route replace fd00:1::/32 via 2001:db8:a::1
router ip link set dev outside up
tb_addr router-a outside 192.0.2.1/24 2001:db8:a::1/48
router ip route replace default via 192.0.2.254
router ip -6 route replace default via 2001:db8:a::fe
storm boot
claim "packets are tried before the daemon" tb_until 30 sent_some
tb_ipspd router-a
claim "the daemon starts on it" tb_ctl router-a wait --timeout 60
quiet "a boot" boot
claim "traffic is protected after it" eval 'tb_until 20 pings host-a 10.2.0.2 1 && tb_until 20 pings host-a fd00:2::2'
conclude
