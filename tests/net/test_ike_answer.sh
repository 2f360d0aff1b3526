# tests/net/test_ike_answer.sh - the default response: router-b has a rule for its LAN, but none for what router-a negotiates. It refuses while that is
# switched off; then it answers for just that traffic, and has SPD entries for it until the SAs are gone. A rule that
# drops that traffic wins.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
log=$TB_DIR/router-b/ipspd.log

asks()
{
	t_psk router-a
	t_identities router-a
	t_gateway router-a gw 4 C6336401 198.51.100.1
	t_proposals router-a 1
	t_child router-a host 4 gw transport p2 11 C0000201 C6336401 32
	t_in_force router-a
}
answers()
{
	t_psk router-b
	t_identities router-b
	t_gateway router-b gw 4 C0000201 192.0.2.1
	t_proposals router-b 1
	t_child router-b lan 4 gw tunnel p2 12 $tb_lan4b $tb_lan4a 16
	t_actions router-b any 4 gw transport p2
	tb_set router-b ipspdDefaultResponseAction.0 s child-any ipspdDefaultResponseIkeAction.0 s ike-any
	t_in_force router-b
}
switch() { tb_set router-b ipspdDefaultResponse.0 i "$1" && tb_ctl router-b wait; }
one() { tb_in router-a ping -q -c 1 -W "$1" 198.51.100.1; }
has_entry() { says '192.0.2.1/32 -> 198.51.100.1/32' tb_ctl router-b show spd && says keyManager tb_snmp snmpwalk router-b ipspdSpdSource; }
said() { grep -q "$1" "$log"; }

claim "rows are SET on router-a" asks
claim "... and on router-b, with a rule for its LAN alone" answers
claim "switched off, nobody is answered" not one 3
claim "... which the log says" tb_until 10 said "no Child SA: .*TS_UNACCEPTABLE"
claim "... and no entry is there" not has_entry
claim "it is switched on" switch true
sniff wan a answered
claim "a ping crosses" tb_until 30 one 3
claim "... and more of them" pings router-a 198.51.100.1
unsniff wan answered
claim "as ESP" test "$(seen wan answered esp)" -ge 2
claim "... and no ping in the clear" equal 0 "$(seen wan answered 'icmp.type == 8 || icmp.type == 0')"
claim "entries for it are to be seen" has_entry
claim "the SAs are ended by who asked for them" tb_ctl router-a flush
claim "... and the entries are gone with them" tb_until 20 not has_entry

# ---- what rows drop ----
drops()
{
	tb_filter router-b 20 1 C0000201 C6336401 32
	tb_set router-b 'spdRuleDefFilter."drop"' o diffServMultiFieldClfrAddrType.20 'spdRuleDefAction."drop"' o spdDropAction.0 \
		'spdRuleDefRowStatus."drop"' i createAndGo 'spdGroupContComponentName."wan-in".1' s drop \
		'spdGroupContRowStatus."wan-in".1' i createAndGo
	tb_ctl router-b wait
}
claim "a rule of router-b drops that traffic" drops
claim "... which none of the answers changes" not one 5
claim "... whatever entries there are" tb_until 20 has_entry
claim "... before and after" not one 3
claim "it is switched off" switch false
claim "... and the entries go" tb_until 20 not has_entry
conclude
