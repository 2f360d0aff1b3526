# tests/net/test_ike_answer.sh - the default response: router-b has no rule for what router-a negotiates, and none that
# negotiates at all. It says no while that is switched off; then it answers for just that traffic, in both families, and
# has SPD entries for it until the SAs are gone: over rekeys, and over the end of its ike process. A rule that drops that
# traffic wins.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
log=$TB_DIR/router-b/ipspd.log

asks()
{
	t_psk router-a
	t_identities router-a
	for f in 4 6; do
		tb_set router-a "ipsaPeerIdType.\"gw$f\".0" u 2 "ipsaPeerIdValue.\"gw$f\".0" s b.example \
			"ipsaPeerIdAddressType.\"gw$f\".0" i "$(t_inet $f)" \
			"ipsaPeerIdAddress.\"gw$f\".0" x "$(if [ $f = 4 ]; then echo C6336401; else echo $tb_wan6b; fi)" \
			"ipsaPeerIdCredentialName.\"gw$f\".0" s psk "ipsaPeerIdRowStatus.\"gw$f\".0" i createAndGo
	done
	t_proposals router-a 1
	t_child router-a host4 4 gw4 transport p2 11 C0000201 C6336401 32
	t_child router-a host6 6 gw6 transport p2 12 $tb_wan6a $tb_wan6b 128
	t_in_force router-a
}
# One action with whoever has the secret, known by one name.
answers()
{
	t_psk router-b &&
	tb_set router-b "ipiaIkeIdCredentialName.$(tb_ifindex router-b wan).2.\"b.example\"" s psk \
		"ipiaIkeIdRowStatus.$(tb_ifindex router-b wan).2.\"b.example\"" i createAndGo &&
	tb_set router-b 'ipsaPeerIdType."any".0' u 0 'ipsaPeerIdAddressType."any".0' i unknown \
		'ipsaPeerIdAddress."any".0' x '' 'ipsaPeerIdCredentialName."any".0' s psk 'ipsaPeerIdRowStatus."any".0' i createAndGo &&
	t_proposals router-b 1 && t_actions router-b any 4 any transport p2 &&
	tb_set router-b 'ipiaIkeActIdentityType."ike-any"' u 2 'ipiaIkeActIdentityContext."ike-any"' s b.example &&
	tb_set router-b ipspdDefaultResponseAction.0 s child-any ipspdDefaultResponseIkeAction.0 s ike-any &&
	tb_ctl router-b wait
}
switch() { tb_set router-b ipspdDefaultResponse.0 i "$1" && tb_ctl router-b wait; }
one() { tb_in router-a ping -q -c 1 -W "$1" "${2:-198.51.100.1}"; }
has_entry() { says '192.0.2.1/32 -> 198.51.100.1/32' tb_ctl router-b show spd && says keyManager tb_snmp snmpwalk router-b ipspdSpdSource; }
has_entry6() { says '2001:db8:a::1/128 -> 2001:db8:b::1/128' tb_ctl router-b show spd; }
said() { grep -q "$2" "$TB_DIR/$1/ipspd.log"; }
# made: Child SAs at router-b so far. more N: there have been more.
made() { grep -c 'Child SA with 192.0.2.1: ESP' "$log" || :; }
more() { [ "$(made)" -gt "$1" ]; }
ike() { tb_process router-b ike; }
has_ike() { [ -n "$(ike)" ]; }
conn='ike."child-any"."ike-any"'

claim "rows are SET on router-a" asks
claim "rows are SET on router-b" answers
claim "no tunnel can be made of the action" says 'inconsistentValue' tb_set router-b 'ipiaIpsecActMode."child-any"' i tunnel
claim "... nor can it be destroyed" says 'inconsistentValue' tb_set router-b 'ipiaIpsecActRowStatus."child-any"' i destroy

# ---- off ----
claim "an ike process runs to say no" tb_until 10 has_ike
one 1 || :
claim "switched off, router-a is told that nobody negotiates" tb_until 20 said router-a NO_PROPOSAL_CHOSEN
claim "... and the log of router-b why" tb_until 10 said router-b 'no connection is configured for us at 198.51.100.1'
claim "... and no entry is there" not has_entry

# ---- on ----
claim "it is switched on" switch true
claim "it does not begin by itself" says 'inconsistentValue' tb_set router-b "ipspdConnRequest.$conn" i initiate
sniff wan a answered
# What failed before is not asked for again at once.
claim "a ping crosses" tb_until 3 one 2
claim "... and the first one of IPv6" one 20 2001:db8:b::1
claim "... and more of them" pings router-a 198.51.100.1
unsniff wan answered
claim "as ESP" test "$(seen wan answered esp)" -ge 10
claim "... and no ping in the clear" equal 0 "$(seen wan answered 'icmp.type == 8 || icmp.type == 0 || icmpv6.type == 128 ||
	icmpv6.type == 129')"
claim "entries for it are to be seen" has_entry
claim "... of IPv6, too" has_entry6

# ---- new SAs ----
before=$(made)
claim "router-b renews its SAs" tb_ctl router-b rekey child-any
claim "... as is to be seen" tb_until 20 more "$before"
before=$(made)
claim "router-a does" tb_ctl router-a rekey child-host4
claim "... as is to be seen" tb_until 20 more "$before"
claim "... and pings cross by the entries of before" eval 'has_entry && pings router-a 198.51.100.1'
before=$(made)
claim "its ike process falls" fell router-b ike
claim "... and pings cross nevertheless" pings router-a 198.51.100.1
claim "... by the entries of before" eval 'has_entry && has_entry6'
claim "... the next one asks for SAs of its own" tb_until 30 more "$before"
claim "... and they carry on" eval 'has_entry && pings router-a 198.51.100.1'
claim "... in IPv6" eval 'has_entry6 && pings router-a 2001:db8:b::1'
claim "the SAs are ended by who asked for them" tb_ctl router-a flush
claim "... and the entries are gone with them" tb_until 20 eval 'not has_entry && not has_entry6'

# ---- what rows drop ----
drops()
{
	tb_filter router-b 20 1 C0000201 C6336401 32
	tb_set router-b 'spdRuleDefFilter."drop"' o diffServMultiFieldClfrAddrType.20 'spdRuleDefAction."drop"' o spdDropAction.0 \
		'spdRuleDefRowStatus."drop"' i createAndGo 'spdGroupContComponentName."wan-in".1' s drop \
		'spdGroupContRowStatus."wan-in".1' i createAndGo "spdEndGroupName.inbound.$(tb_ifindex router-b wan)" s wan-in \
		"spdEndGroupRowStatus.inbound.$(tb_ifindex router-b wan)" i createAndGo
	tb_ctl router-b wait
}
claim "a rule of router-b drops that traffic" drops
one 1 || :
claim "... whatever entries there are" tb_until 20 has_entry
claim "... which changes nothing" not one 2
claim "it is switched off" switch false
claim "... and the entries go" tb_until 20 not has_entry
conclude
