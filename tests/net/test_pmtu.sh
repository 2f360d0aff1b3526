# tests/net/test_pmtu.sh - the path in the middle becomes narrow: what senders learn, and what still arrives.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
claim "a whole policy is SET on both routers, in force after wait" tb_policies

# AES-CBC and HMAC-SHA2-256-128 around N octets of clear packet and two of trailer, in whole blocks.
ping_of() { tb_in host-a ping "$1" -c "$2" -W 2 -M do -s "$3" "$4"; }
claim "the largest packet that the links take crosses" ping_of -4 1 1410 10.2.0.2
claim "... in IPv6 too" ping_of -6 1 1358 fd00:2::2
claim "one more octet is answered with the size that fits (M151)" says 'mtu = 1438' \
	ping_of -4 2 1411 10.2.0.2
claim "... in IPv6 too" says 'mtu=1406' ping_of -6 2 1359 fd00:2::2

sniff wan b wan
# One link, of which router-a sees nothing.
tb_in wan ip link set dev b mtu 1300
tb_in router-b ip link set dev wan mtu 1300
claim "a path that becomes narrow is learned" says 'mtu = 1230' ping_of -4 4 1400 10.2.0.2
claim "... in IPv6 too" says 'Packet too big: mtu=1280' ping_of -6 4 1358 fd00:2::2
claim "... and shown by the SA's row" equal 1300 \
	"$(tb_snmp snmpget router-a -OqvU 'ipspdSaPathMtu."tunnel".outbound.1')"
claim "... and by ipspctl" eval 'tb_ctl router-a show sad | grep -q "path MTU 1300"'
claim "what fits it crosses" ping_of -4 1 1202 10.2.0.2
claim "the least that IPv6 may ask for crosses a path that is too narrow for its ESP" \
	ping_of -6 1 1232 fd00:2::2
claim "3,000 octets that may be cut cross as fragments of one ESP packet (H63)" \
	tb_in host-a ping -c 1 -W 2 -M dont -s 2972 10.2.0.2
unsniff wan wan
claim "... of protocol 50, with an offset" test "$(seen wan wan 'ip.proto == 50 && ip.frag_offset > 0')" -ge 2
claim "no fragment of a clear packet crossed the WAN" equal 0 \
	"$(seen wan wan 'icmp.type == 8 && ip.addr == 10.2.0.2')"

claim "what was sent is counted in ipspdIcmp" test \
	"$(tb_snmp snmpget router-a -OqvU ipspdIcmpTooBigSent.0)" -ge 4
claim "... and what was learned" test "$(tb_snmp snmpget router-a -OqvU ipspdIcmpLearned.0)" -ge 1
claim "... and shown by ipspctl" eval 'tb_ctl router-a show stats | grep -q "sent-too-big *[1-9]"'

# By a scalar nobody is told, at once and by the next engine, too.
told() { tb_in host-a ip route flush cache && says 'Frag needed' ping_of -4 2 1411 10.2.0.2; }
tb_set router-a ipspdPathIcmpRate.0 u 0
tb_ctl router-a wait
claim "with ipspdPathIcmpRate 0 nobody is told" not told
claim "another engine comes" fell router-a engine
tb_ctl router-a wait --timeout 30
claim "... and tells nobody either" not told
tb_set router-a ipspdPathIcmpRate.0 u 100
tb_ctl router-a wait
claim "with 100 senders are told again" told

# Cut before it is encrypted, by the action's row.
tb_set router-a 'ipspdPreActOptFragBefore."tunnel".outbound' i true
tb_ctl router-a wait
sniff wan b before
claim "3,000 octets that may be cut cross when they are cut first" \
	tb_in host-a ping -c 1 -W 2 -M dont -s 2972 10.2.0.2
unsniff wan before
# The ESP of three fragments is three packets; answers are cut as they were.
claim "... as ESP packets of which none is a fragment" equal "3 0" "$(seen wan before \
	'ip.src == 192.0.2.1 && esp') $(seen wan before 'ip.src == 192.0.2.1 && (ip.flags.mf == 1 || ip.frag_offset > 0)')"
# A rule about all of IPv6 leaves the link alone (H118).
all6()
{
	tb_set router-a diffServMultiFieldClfrAddrType.95 i ipv6 diffServMultiFieldClfrStatus.95 i createAndGo
	tb_rule router-a all6-out 95 tunnel6 outbound wan-out 300
	tb_rule router-a all6-in 95 tunnel6 inbound wan-in 300
	tb_ctl router-a wait
}
claim "all of IPv6 is protected on router-a" all6
sniff wan a all6
forget() { tb_in router-a ip -6 neigh flush all && tb_in wan ip -6 neigh flush all; }
claim "neighbours are forgotten" forget
claim "the tunnel works: they were found again" pings host-a fd00:2::2
claim "what else is in the clear is not answered" not tb_in wan ping -6 -q -c 1 -W 1 2001:db8:a::1
unsniff wan all6
claim "they were asked for in the clear" test "$(seen wan all6 'icmpv6.type == 135 && ipv6.src == 2001:db8:a::1')" -ge 1
conclude
