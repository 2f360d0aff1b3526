# tests/net/test_guard_watch.sh - what other programs take from the guard is put back, logged and counted.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
claim "a whole policy is SET on both routers" tb_policies
claim "traffic is protected" pings host-a 10.2.0.2

router() { tb_in router-a "$@"; }
# The guard without what changes by itself: counters, and the number of the TUN.
guard() { tb_ctl router-a guard show | sed -E '/^layer/d; s/counter packets [0-9]+ bytes [0-9]+/counter/; s/dev [0-9]+$/dev TUN/; s/26991: iif [a-z0-9]+/26991: iif TUN/;
	s/(iif|oif) ("?[a-z]*[0-9]+"?|"other") accept/\1 TUN accept/'; }
count() { tb_snmp snmpget router-a -Oqv ipspdGuardRestorations.0; }
log_lines() { grep -c "put back: $1" "$TB_DIR/router-a/ipspd.log"; }
guard >"$TB_DIR/whole"
whole() { guard >"$TB_DIR/now"; diff "$TB_DIR/whole" "$TB_DIR/now"; }
risen() { test "$(count)" -gt "$before"; }

claim "nothing had to be put back until now" equal 0 "$(count)"
claim "policy changes are not taken for damage" eval '
	tb_snmp snmpset router-a "spdRuleDefAdminStatus.\"tunnel-out\"" i disabled &&
	tb_ctl router-a wait && tb_snmp snmpset router-a "spdRuleDefAdminStatus.\"tunnel-out\"" i enabled &&
	tb_ctl router-a wait && tb_until 20 whole && equal 0 "$(count)"'

# damage TEXT LOGGED SCRIPT: what the script does is put back, is counted, and has such a log line.
damage()
{
	before=$(count)
	lines=$(log_lines "$2" || :)
	claim "$1: it is done" router sh -c "$3"
	claim "$1: put back" eval 'tb_until 20 risen && tb_until 20 whole || whole'
	claim "$1: logged" test "$(log_lines "$2")" -gt "$lines"
}

damage "the ruleset is flushed" "nftables table, which was changed by nft" "nft flush ruleset"
damage "the table is deleted" "nftables table" "nft delete table inet ipspd_guard"
damage "a hook is emptied" "nftables table" "nft flush chain inet ipspd_guard in"
damage "one rule is deleted" "nftables table" 'nft delete rule inet ipspd_guard in handle $(
	nft -a list chain inet ipspd_guard in | sed -n "s/.*jump.*handle //p" | head -n 1)'
damage "a rule that accepts is inserted" "nftables table" "nft insert rule inet ipspd_guard in accept"
damage "the table sleeps" "nftables table" "nft add table inet ipspd_guard '{ flags dormant; }'"
damage "a hook's policy and a chain are added" "nftables table" "nft add chain inet ipspd_guard mine"
damage "an ip rule is deleted" "1 ip rules that were gone" "ip rule del pref 26992"
damage "an IPv6 rule is deleted" "1 ip rules that were gone" "ip -6 rule del pref 26992"
damage "all rules are flushed" "[0-9] ip rules that were gone" "ip rule flush; ip rule add pref 32766 lookup main
	ip -6 rule flush; ip -6 rule add pref 32766 lookup main"
damage "a foreign rule stands at our place" "1 ip rules that are not ours" "ip rule add pref 26992 to 10.2.0.0/16 lookup main"
damage "a narrower rule takes a rule's place" "1 ip rules that are not ours" "
	ip rule add pref 26992 from 10.1.0.0/16 to 10.2.0.0/16 iif lo lookup 26992; ip rule del pref 26992 from 10.1.0.0/16 to 10.2.0.0/16"
# A new daemon, so that each case still has its line: a parent soon writes one a second only.
kill "$(tb_pid router-a ipspd)"
tb_reap "$(tb_pid router-a ipspd)"
tb_ipspd router-a
claim "a new daemon finds the guard of the old one" eval 'tb_ctl router-a wait --snmp --timeout 30 && tb_until 20 whole'

damage "routes are flushed" "2 routes that were gone" "ip route flush table 26992"
damage "IPv6 routes are flushed" "2 routes that were gone" "ip -6 route flush table 26992"
damage "a route leads past the engine" "1 routes that are not ours" "ip route add 10.2.0.0/16 via 192.0.2.254 table 26992"
damage "the TUN is taken down" "TUN ipspd0, which was down" "ip link set ipspd0 down"
damage "the TUN is deleted" "TUN ipspd0, which was gone" "ip link del ipspd0"
claim "the engine gets the new TUN" tb_ctl router-a wait --timeout 30
claim "traffic flows again" eval 'tb_until 20 pings host-a 10.2.0.2 1 && pings host-a 10.2.0.2 && pings host-a fd00:2::2'
damage "the TUN gets another name" "rules of TUN other, which was ipspd0" "
	ip link set ipspd0 down; ip link set ipspd0 name other; ip link set other up"
claim "traffic flows through it" eval 'tb_until 20 pings host-a 10.2.0.2 1 && pings host-a 10.2.0.2'

# Between the flush and the putting back the table's twin holds, which nobody else can touch: a
# parent that is stopped makes that as long as we like.
parent=$(tb_pid router-a ipspd)
kill -STOP "$parent"
claim "the ruleset is flushed while the parent cannot see it" router nft flush ruleset
claim "... the table is gone" not router nft list table inet ipspd_guard
claim "... its twin cannot be deleted" not router nft delete table inet ipspd_guard_live
sniff wan a flushed
sniff host-a lan flushed
claim "... packets are forged" eval '
	tb_in wan /usr/bin/python3 "$TB_SRC/tests/net/forge.py" a 192.0.2.1 udp 10.2.0.2 10.1.0.2 4807 &&
	tb_in wan /usr/bin/python3 "$TB_SRC/tests/net/forge.py" a 2001:db8:a::1 udp fd00:2::2 fd00:1::2 4807'
claim "... protected traffic flows" eval 'pings host-a 10.2.0.2 && pings host-a fd00:2::2'
unsniff wan flushed
unsniff host-a flushed
kill -CONT "$parent"
claim "... no forged packet comes in" equal 0 "$(seen host-a flushed 'udp.port == 4807 && !icmp && !icmpv6')"
claim "... no clear packet goes out" equal 0 "$(seen wan flushed 'ip.src == 10.1.0.0/16 || ipv6.src == fd00:1::/32')"
claim "the table is back" tb_until 20 whole

# Another program that will not have it: as fast as it can, as often as it can.
before=$(count)
lines=$(log_lines "" || :)
claim "a program fights with us" router sh -c '
	i=0; while [ $i -lt 150 ]; do nft delete table inet ipspd_guard 2>/dev/null; i=$((i + 1)); done; :'
claim "... and we stay last" tb_until 30 whole
claim "... having counted" test "$(count)" -gt "$before"
claim "... without a log line for each" test "$(log_lines "")" -le $((lines + 60))
claim "... and answer all the while" tb_ctl router-a show status

claim "a thousand foreign rules at our places" router sh -c '
	i=0; while [ $i -lt 1000 ]; do echo "rule add pref 26992 to 10.9.0.0/16 fwmark $((i + 1)) lookup main"; i=$((i + 1)); done |
	ip -batch -'
claim "... go again" tb_until 60 whole

settled=$(count)
claim "policy changes are not taken for damage even now" eval '
	tb_snmp snmpset router-a "spdRuleDefAdminStatus.\"tunnel-out\"" i disabled &&
	tb_ctl router-a wait && tb_snmp snmpset router-a "spdRuleDefAdminStatus.\"tunnel-out\"" i enabled &&
	tb_ctl router-a wait && tb_until 20 whole && equal "$settled" "$(count)"'
claim "the count is in the status" says "$settled" tb_ctl router-a show status

# What is back holds.
sniff wan a after
sniff host-a lan after
claim "packets are forged" eval '
	tb_in wan /usr/bin/python3 "$TB_SRC/tests/net/forge.py" a 192.0.2.1 udp 10.2.0.2 10.1.0.2 4807 &&
	tb_in wan /usr/bin/python3 "$TB_SRC/tests/net/forge.py" a 2001:db8:a::1 udp fd00:2::2 fd00:1::2 4807'
claim "protected traffic flows" eval 'pings host-a 10.2.0.2 && pings host-a fd00:2::2'
unsniff wan after
unsniff host-a after
claim "no forged packet comes in" equal 0 "$(seen host-a after 'udp.port == 4807 && !icmp && !icmpv6')"
claim "no clear packet goes out" equal 0 "$(seen wan after 'ip.src == 10.1.0.0/16 || ipv6.src == fd00:1::/32')"
conclude
