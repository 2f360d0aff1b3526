# tests/net/test_watch.sh - the tables in which a manager watches: known numbers of packets, read back by
# net-snmp's tools on both routers, over a killed engine and a change of policy.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers

mf=diffServMultiFieldClfrAddrType

# rule ROUTER NAME FILTER ACTION GROUP PRIORITY
rule()
{
	tb_set "$1" "spdRuleDefFilter.\"$2\"" o "$3" "spdRuleDefAction.\"$2\"" o "$4" \
		"spdRuleDefRowStatus.\"$2\"" i createAndGo \
		"spdGroupContComponentName.\"$5\".$6" s "$2" "spdGroupContRowStatus.\"$5\".$6" i createAndGo
}

# others ROUTER NEAR FAR: the net of its own hop passes, the far one does not
others()
{
	tb_filter "$1" 70 1 "$2" "$2" 24 && tb_filter "$1" 71 1 "$2" "$3" 24 &&
	rule "$1" hop-out $mf.70 spdAcceptAction.0 wan-out 200 &&
	rule "$1" hop-in $mf.70 spdAcceptAction.0 wan-in 200 &&
	rule "$1" drop-out $mf.71 spdDropAction.0 wan-out 210 &&
	tb_ctl "$1" wait
}

value() { tb_snmp snmpget "$1" -OqvU "$2"; }
is() { equal "$3" "$(value "$1" "$2")"; }
# becomes ROUTER INSTANCE VALUE: within the time that tables may be late.
becomes() { tb_until 20 is "$@" || is "$@"; }
# counted ROUTER RULE PACKETS BYTES KERNEL
counted()
{
	becomes "$1" "ipspdRulePackets.\"$2\"" "$3" && is "$1" "ipspdRuleBytes.\"$2\"" "$4" &&
		is "$1" "ipspdRuleKernelPackets.\"$2\"" "$5"
}
# entry ROUTER DIRECTION RULE COLUMN: that column of the rule's entry
entry()
{
	tb_snmp snmpbulkwalk "$1" -OQX "ipspdSpdRuleName" |
		sed -n "s/.*\[$(tb_ifindex "$1" wan)\]\[$2\]\[\([0-9]*\)\] = .*\"$3\"\$/\1/p" >"$TB_DIR/order"
	value "$1" "$4.$(tb_ifindex "$1" wan).$2.$(cat "$TB_DIR/order")"
}
silently() { "$@" || :; }

claim "policy with a tunnel, a bypass and a drop is SET" eval '
	tb_policies && others router-a C0000200 C6336400 && others router-b C6336400 C0000200'
claim "five pings cross the tunnel" pings host-a 10.2.0.2 5
claim "four are bypassed on one side" pings router-a 192.0.2.254 4
claim "and three on the other" pings router-b 198.51.100.254 3
claim "three are dropped" silently tb_in router-a ping -q -c 3 -i 0.1 -W 0.2 198.51.100.254
claim "two meet the end of the list" silently tb_in router-a ping -q -c 2 -i 0.1 -W 0.2 203.0.113.9

for r in router-a router-b; do
	claim "$r: the rule out counts five pings, none in the kernel" counted $r tunnel-out 5 420 0
	claim "$r: so does the one in" counted $r tunnel-in 5 420 0
done
claim "the kernel counts what is bypassed" counted router-a hop-out 4 336 4
claim "... inbound" counted router-a hop-in 4 336 4
claim "... on the other router" counted router-b hop-out 3 252 3
claim "... and what is dropped" counted router-a drop-out 3 252 3
claim "a rule without packets says so" counted router-b drop-out 0 0 0
claim "... and not when the last was" says 'No Such Instance' value router-b 'ipspdRuleIdle."drop-out"'
claim "the entry says the same as its rule" equal 3 "$(entry router-a outbound drop-out ipspdSpdPackets)"
claim "... that it is SPD-O" equal spdO "$(entry router-a outbound drop-out ipspdSpdPart)"
claim "... what it discards" equal '192.0.2.0/24 -> 198.51.100.0/24' \
	"$(entry router-a outbound drop-out ipspdSpdSelectorText)"
claim "... the tunnel's that it is SPD-S" equal spdS "$(entry router-a inbound tunnel-in ipspdSpdPart)"
claim "... and its association" says tunnel entry router-a inbound tunnel-in ipspdSpdSa
wan=$(tb_ifindex router-a wan)
claim "the end of the list counted its two" test "$(value router-a ipspdSpdListEndPackets.$wan.outbound)" -ge 2
policy_discard() { tb_snmp snmpbulkwalk router-a -OQX ipspdDropReason | sed -n 's/.*\[\([0-9]*\)\] = policy-discard$/\1/p'; }
claim "the reason of the drops counts them" becomes router-a "ipspdDropPackets.$(policy_discard)" 3

# Both directions of both routers have one association with five packets.
for r in router-a router-b; do for dir in inbound outbound; do
	claim "$r: the SA $dir is mature" is $r "ipspdSaState.\"tunnel\".$dir.1" mature
	claim "$r: ... and carried five packets" becomes $r "ipspdSaPackets.\"tunnel\".$dir.1" 5
	claim "$r: ... of that number" is $r "ipspdSaSequence.\"tunnel\".$dir.1" 5
done; done
claim "its cipher is named" is router-a 'ipspdSaCipher."tunnel".outbound.1' aes-cbc
claim "... with the bits of its key" is router-a 'ipspdSaCipherBits."tunnel".outbound.1' 256
claim "the peer is up" is router-a 'ipspdPeerState."peer".0' up
claim "... and had five packets each way" eval '
	becomes router-a "ipspdPeerInPackets.\"peer\".0" 5 && becomes router-a "ipspdPeerOutPackets.\"peer\".0" 5'

# Other doors say the same.
claim "the command line has the same counters" says '"ipspdRulePackets":"4"' eval \
	'tb_ctl router-a --json show rows spdRuleDefinitionTable | tr -d " " | grep hop-out'
claim "... and in its own words" says 'drop-out' eval 'tb_ctl router-a show spd | grep "drop-out" | grep 252'
claim "a file has no observed state" not eval 'tb_ctl router-a export | grep -E "ipspdSpd|ipspdSaTable|ipspdRulePackets"'
for table in ipspdSpdTable ipspdSpdSelTable ipspdSpdListTable ipspdSaTable ipspdPeerTable ipspdDropTable; do
	claim "snmptable prints $table" eval "tb_snmp snmptable router-b -Ci -Cb $table | grep -q '[0-9]'"
done
claim "no IKE runs, and no IKE SA is shown" says 'No Such' tb_snmp snmpwalk router-a ipspdIkeSaTable

# What was counted outlives the engine, and policy.
claim "the engine is killed, and another one comes" fell router-a engine
claim "... and is back with the policy in force" eval 'tb_until 30 is router-a ipspdEngineState.0 inForce'
claim "two more pings cross" pings host-a 10.2.0.2 2
claim "the rule goes on counting" counted router-a tunnel-out 7 588 0
claim "... and the association" becomes router-a 'ipspdSaPackets."tunnel".outbound.1' 7
claim "both ends take a new SPI, right after two more pings" eval '
	pings host-a 10.2.0.2 2
	tb_set router-a "ipsaSaPreActESPSPI.\"tunnel\".outbound" i 4100 &&
		tb_set router-b "ipsaSaPreActESPSPI.\"tunnel\".inbound" i 4100 &&
		tb_ctl router-a wait && tb_ctl router-b wait && pings host-a 10.2.0.2 3'
claim "... and each association counts on, what came last under the old one too" eval '
	becomes router-a "ipspdSaPackets.\"tunnel\".outbound.1" 12 &&
		becomes router-b "ipspdSaPackets.\"tunnel\".inbound.1" 12 &&
		is router-a "ipspdSaSequence.\"tunnel\".outbound.1" 3'
claim "a rule is taken out of force" eval '
	tb_set router-a "spdRuleDefAdminStatus.\"drop-out\"" i disabled && tb_ctl router-a wait'
claim "... and keeps what it counted" counted router-a drop-out 3 252 3
claim "... as do the others" counted router-a hop-out 4 336 4
claim "it comes back" eval '
	tb_set router-a "spdRuleDefAdminStatus.\"drop-out\"" i enabled && tb_ctl router-a wait'
claim "... drops one more" silently tb_in router-a ping -q -c 1 -W 0.2 198.51.100.254
claim "... and counts it on top" counted router-a drop-out 4 336 4

# What cannot be used has a row that says why.
claim "an association of one second and one of a key that is disabled" eval '
	tb_sa router-a short outbound 5000 ab-enc ab-auth peer &&
	tb_set router-a "ipsaSaPreActActionLifetimeSec.\"short\".outbound" u 1 \
		"ipsaCredAdminStatus.\"ba6-enc\"" i disabled && tb_ctl router-a wait'
claim "the one without a key is down" becomes router-a 'ipspdSaState."tunnel6".inbound.1' down
claim "... and says so" says 'disabled' value router-a 'ipspdSaReason."tunnel6".inbound.1'
claim "the short one is dead" becomes router-a 'ipspdSaState."short".outbound.1' dead
claim "... and says that its lifetime is over" says 'lifetime' value router-a 'ipspdSaReason."short".outbound.1'
claim "... as its action does" says 'lifetime' value router-a 'ipspdPreActReason."short".outbound'
claim "their peer is partly up" becomes router-a 'ipspdPeerState."peer".0' partly
claim "... and names one of them" says 'action "' value router-a 'ipspdPeerReason."peer".0'
claim "a peer that only IKE could reach" tb_gateway router-a lone 203.0.113.1 1 CB007101
claim "... is a row that is down" is router-a 'ipspdPeerState."lone".0' down
claim "... since no action names it" says 'no action names it' value router-a 'ipspdPeerReason."lone".0'
conclude
