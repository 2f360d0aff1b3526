# tests/net/test_notify.sh - notifications, as snmptrapd and tshark see them: actions and packets of
# RFC 4807, changes of policy, SAs, engine, guard and disk; through a v2c and a v3 target, and under a
# burst of packets that are logged.

. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
engine_id=0x80004f4c4807
TB_SNMPD_MORE="exactEngineID $engine_id
trap2sink 127.0.0.1:1162 test
createUser trapper SHA-256 $TB_PASS_AUTH AES $TB_PASS_PRIV
trapsess -v 3 -e $engine_id -u trapper -l authPriv -a SHA-256 -A $TB_PASS_AUTH -x AES -X $TB_PASS_PRIV 127.0.0.1:1163"

# trapd NAME PORT LINE..: a target that prints a notification a line, with our modules.
trapd()
{
	t_name=$1 t_port=$2
	shift 2
	printf '%s\n' "$@" >"$TB_DIR/router-a/$t_name.conf"
	tb_start router-a "$t_name" snmptrapd -f -Lo -n -C -c "$TB_DIR/router-a/$t_name.conf" -Ox -OQ \
		-F 'TRAP %V | %v\n' -M "$TB_SRC/mibs/smi:$TB_SRC/mibs" -m IPSEC-SPD-MIB:IPSEC-IPSECACTION-MIB:IPSPD-MIB \
		"udp:127.0.0.1:$t_port"
}
traps=$TB_DIR/router-a/trapd.log
# lines: a notification a line, also those with octets that snmptrapd breaks.
lines() { awk '/^TRAP / { print line; line = $0; next } { line = line " " $0 } END { print line }' "$traps"; }
# came COUNT PATTERN..: that many lines, or more, hold all patterns. cames: soon.
came()
{
	t_left=$1
	shift
	lines >"$TB_DIR/came"
	for t_pattern; do
		grep -E -- "$t_pattern" "$TB_DIR/came" >"$TB_DIR/came2" || :
		mv "$TB_DIR/came2" "$TB_DIR/came"
	done
	[ "$(wc -l <"$TB_DIR/came")" -ge "$t_left" ]
}
soon() { tb_until 20 came "$@" || { tail -n 5 "$traps"; return 1; }; }
count() { tb_snmp snmpget router-a -OqvU "$1"; }
# settled: all that was sent is answered, and nothing waits.
settled()
{
	[ "$(count ipspdNotifyWaiting.0)" = 0 ] &&
		[ "$(count ipspdNotifySent.0)" = "$(count ipspdNotifyAcknowledged.0)" ]
}

state=$TB_DIR/router-a/state
mkdir "$state"
mount -t tmpfs -o size=4m,mode=0700 ipspd-test "$state"
TB_MOUNTS=$state
trapd trapd 1162 'authCommunity log test'
trapd trapd3 1163 "createUser -e $engine_id trapper SHA-256 $TB_PASS_AUTH AES $TB_PASS_PRIV" 'authUser log trapper'
tb_snmpd router-a
tb_ipspd router-a
tb_ctl router-a wait --snmp --timeout 30
sniff router-a lo traps

# Policy. Rates first, or the SETs of the policy use them up.
claim "rates can be SET" tb_set router-a ipspdNotifyRate.0 u 0
claim "... which managers are told" soon 1 'ipspdPolicyChanged' 'ipspdNotifyDoor.0 = snmp' \
	'ipspdNotifyWho.0 = SNMP session [0-9]+' 'ipspdNotifyGeneration.0 = [1-9]' \
	'ipspdNotifyCommits.0 = 1' 'ipspdNotifyRows.0 = 1'
tb_new_keys
tb_secrets router-a
claim "a policy is SET, by many SETs" tb_policy_a
claim "... and in force" tb_ctl router-a wait --timeout 30
claim "... several of them are told at once" soon 1 ipspdPolicyChanged 'ipspdNotifyCommits.0 = ([2-9]|1[0-9])'
claim "each SA is told" soon 4 ipspdChildSaUp 'ipspdNotifyProtocol.0 = esp'
claim "... with its row, SPI and ends" soon 1 ipspdChildSaUp \
	'ipspdNotifyRow.0 = IPSEC-IPSECACTION-MIB::ipsaSaPreActActionDescription."tunnel".outbound' \
	'ipspdNotifyDirection.0 = outbound' 'ipspdNotifySpi.0 = 4096' \
	'ipspdNotifyRemoteType.0 = ipv4' 'ipspdNotifyRemoteAddress.0 = "C6 33 64 01'
claim "another door is named" tb_ctl router-a set spdRuleDefinitionTable '"tunnel-out"' spdRuleDefDescription=new
claim "... with who it was" soon 1 ipspdPolicyChanged 'ipspdNotifyDoor.0 = control' 'ipspdNotifyWho.0 = .*uid 0'

# The standard ones. The packet is 84 octets, of which the row asks for 28.
pre='"tunnel".outbound'
claim "an SA is to log" tb_set router-a "ipsaSaPreActDoActionLogging.$pre" i true \
	"ipsaSaPreActDoPacketLogging.$pre" i 28
claim "... which is in force" tb_ctl router-a wait --timeout 30
claim "a packet leaves under it" silent host-a 10.2.0.2
claim "its notification has all that RFC 4807 lists, in order" soon 1 \
	'snmpModules.1.1.4.1.0 = IPSEC-SPD-MIB::spdPacketNotification \| .*spdActionExecuted.0 = IPSEC-IPSECACTION-MIB::ipsaSaPreActActionDescription."tunnel".outbound \| .*spdIPEndpointAddType.0 = ipv4 \| .*spdIPEndpointAddress.0 = "C0 00 02 01 *" \| .*spdIPSourceType.0 = ipv4 \| .*spdIPSourceAddress.0 = "0A 01 00 02 *" \| .*spdIPDestinationType.0 = ipv4 \| .*spdIPDestinationAddress.0 = "0A 02 00 02 *" \| .*spdPacketDirection.0 = outbound \| .*spdPacketPart.0 = "45 00 00 54 '
claim "... and as many octets as were asked for" soon 1 \
	'spdPacketPart.0 = "45 00 00 54 .. .. .. .. .. 01 .. .. 0A 01 00 02 *0A 02 00 02 08 00 .. .. .. .. .. .. *" *$'
claim "its action's as well" soon 1 'spdActionNotification \| .*ActionDescription."tunnel".outbound' \
	'spdIPSourceAddress.0 = "0A 01 00 02'
claim "no second one within the interval" eval 'silent host-a 10.2.0.2 && tb_until 20 settled &&
	equal 1 "$(grep -c spdPacketNotification "$traps")"'
claim "... which is counted" test "$(count ipspdNotifySuppressed.0)" -gt 0

forge() { tb_in wan /usr/bin/python3 "$TB_SRC/tests/net/forge.py" a "$@"; }
tb_filter router-a 30 1 CB007100 C0000200 24
tb_set router-a 'spdRuleDefFilter."log"' o diffServMultiFieldClfrAddrType.30 \
	'spdRuleDefAction."log"' o spdDropActionLog.0 'spdRuleDefRowStatus."log"' i createAndGo \
	'spdGroupContComponentName."wan-in".10' s log 'spdGroupContRowStatus."wan-in".10' i createAndGo
tb_ctl router-a wait --timeout 30
claim "a packet is dropped and logged by the guard" forge 192.0.2.1 udp 203.0.113.5 192.0.2.1 4807
claim "... which managers are told" soon 1 \
	'spdActionNotification \| .*spdActionExecuted.0 = IPSEC-SPD-MIB::spdDropActionLog.0 \| .*spdIPEndpointAddType.0 = ipv4 \| .*spdIPEndpointAddress.0 = "C0 00 02 01 *" \| .*spdIPSourceType.0 = ipv4 \| .*spdIPSourceAddress.0 = "CB 00 71 05 *" \| .*spdIPDestinationType.0 = ipv4 \| .*spdIPDestinationAddress.0 = "C0 00 02 01 *" \| .*spdPacketDirection.0 = inbound *$'

claim "the inbound SA is to log" tb_set router-a 'ipsaSaPreActDoActionLogging."tunnel".inbound' i true
tb_ctl router-a wait --timeout 30
claim "a clear packet that should have come under it is dropped" eval 'forge 192.0.2.1 udp 10.2.0.9 10.1.0.2 4807 &&
	tb_until 20 grep -q "policy-clear 10.2.0.9 -> 10.1.0.2" "$TB_DIR/router-a/ipspd.log"'
claim "... which is no run of its action" eval 'tb_until 20 settled &&
	not came 1 spdActionNotification "0A 02 00 09"'

# A burst, with no limit of ours but the kernel's and the engine's.
claim "the interval is taken away" tb_set router-a ipspdNotifyInterval.0 u 0
tb_in wan ip addr add 203.0.113.5/32 dev a
tb_start wan burst ping -q -c 10000 -l 10000 -W 1 -I 203.0.113.5 192.0.2.1
t_left=10
gets() { while [ $t_left -gt 0 ] && count ipspdVersion.0; do t_left=$((t_left - 1)); done; equal 0 $t_left; }
claim "GETs are answered during a burst of 10,000 logged packets" gets
claim "... and SETs" tb_set router-a 'spdRuleDefDescription."log"' s burst
claim "... and the command line" tb_ctl router-a show status
claim "the packets are all dropped" eval 'tb_until 20 not kill -0 $(tb_pid wan burst);
	grep "10000 packets transmitted, 0 received" "$TB_DIR/wan/burst.log"'
claim "... several of them told" soon 2 'spdActionNotification .*spdDropActionLog.0'
claim "... and all that was sent is answered" tb_until 20 settled
claim "nothing was dropped or refused" equal '0 0' "$(count ipspdNotifyDropped.0) $(count ipspdNotifyRefused.0)"
tb_set router-a ipspdNotifyInterval.0 u 60

# SAs that go, the engine, the guard.
claim "an SA gets a lifetime of a second" tb_set router-a "ipsaSaPreActActionLifetimeSec.$pre" u 1
claim "... the one before is replaced" soon 1 ipspdChildSaDown 'ipspdNotifyDownReason.0 = replaced' 'ipspdNotifySpi.0 = 4096'
claim "... and the new one expires" soon 1 ipspdChildSaDown 'ipspdNotifyDownReason.0 = expired' 'ipspdNotifySpi.0 = 4096'
claim "a key manager makes an SA that is to be replaced soon" tb_in router-a env PYTHONPATH="$TB_SRC/tests/net" \
	/usr/bin/python3 -c "
from pfkey_client import *
assert Client('$TB_DIR/router-a/pfkey').ask(ADD, ESP, [sa(0x7777)] + addresses('192.0.2.1', '198.51.100.1') +
    [lifetime(E_SOFT, add=1), key(E_AUTH, bytes(32)), key(E_ENCRYPT, bytes(16))]).errno == 0"
claim "... which managers are told when it is time" soon 1 ipspdChildSaExpiring 'ipspdNotifySpi.0 = 30583' \
	'ipspdNotifyDirection.0 = outbound'
claim "the engine is killed" kill -9 "$(tb_process router-a engine)"
claim "... which managers are told" soon 1 ipspdEngineStateChanged 'ipspdEngineState.0 = down'
claim "... and that it is back" soon 1 ipspdEngineStateChanged 'ipspdEngineState.0 = inForce'
tb_in router-a nft delete table inet ipspd_guard
claim "the guard is put back, which managers are told" soon 1 ipspdGuardRestored 'ipspdGuardRestorations.0 = 1'

# The disk.
fill()
{
	dd if=/dev/zero of="$state/filler" bs=4k 2>/dev/null || :
	t_left=50
	while [ $t_left -gt 0 ] && tb_set router-a 'spdRuleDefDescription."log"' s "$t_left" 2>/dev/null; do
		t_left=$((t_left - 1))
	done
	[ $t_left -gt 0 ]
}
claim "a full disk refuses a SET in the end" fill
claim "... which managers are told" soon 1 ipspdStoreTrouble 'ipspdNotifyTrouble.0 = write' \
	'ipspdNotifyTroubles.0 = [1-9]' 'ipspdNotifyText.0 = .*disk is full'
rm "$state/filler"

# The master.
claim "the master is stopped" kill "$(tb_pid router-a snmpd)"
tb_reap "$(tb_pid router-a snmpd)"
mark=$(grep -c ipspdPolicyChanged "$traps" || :)
claim "... and the policy changed" tb_ctl router-a set spdRuleDefinitionTable '"log"' spdRuleDefDescription=while-away
waiting() { tb_ctl router-a --json show status | grep -qE '"waiting": ?[1-9]'; }
claim "... of which the notification waits" tb_until 20 waiting
tb_snmpd router-a
tb_ctl router-a wait --snmp --timeout 30
claim "... until there is a master again" soon $((mark + 1)) ipspdPolicyChanged

# A database that cannot be the one that was in force.
kill "$(tb_pid router-a ipspd)"
tb_reap "$(tb_pid router-a ipspd)"
dd if=/dev/urandom of="$state/state.db" bs=1 count=100 conv=notrunc 2>/dev/null
tb_start router-a ipspd "$TB_BUILD/sbin/ipspd" -f -c /dev/null -S "$state" -s "$TB_DIR/router-a/control" \
	-k "$TB_DIR/router-a/pfkey" -x "unix:$TB_DIR/router-a/agentx" -a tun
claim "with a spoilt database the daemon ends" tb_until 20 not kill -0 "$(tb_pid router-a ipspd)"
claim "... which managers are told" soon 1 ipspdStoreTrouble 'ipspdNotifyTrouble.0 = open' 'ipspdNotifyText.0 = .*state.db'

# What others make of them.
claim "the v3 target has them, too" tb_until 20 grep -q spdPacketNotification "$TB_DIR/router-a/trapd3.log"
unsniff router-a traps
decode() { tshark -r "$TB_DIR/router-a/traps.pcap" -d udp.port==1162,snmp -Y 'udp.dstport == 1162' "$@" 2>/dev/null; }
claim "tshark finds nothing malformed" equal 0 "$(decode -Y '_ws.malformed' | wc -l)"
claim "... and the same names in the same order" eval 'decode -T fields -e snmp.name |
	grep -q "^1.3.6.1.2.1.1.3.0,1.3.6.1.6.3.1.1.4.1.0,1.3.6.1.2.1.153.2.1.1.0,1.3.6.1.2.1.153.2.1.2.0,1.3.6.1.2.1.153.2.1.3.0,1.3.6.1.2.1.153.2.1.4.0,1.3.6.1.2.1.153.2.1.5.0,1.3.6.1.2.1.153.2.1.6.0,1.3.6.1.2.1.153.2.1.7.0,1.3.6.1.2.1.153.2.1.8.0,1.3.6.1.2.1.153.2.1.9.0"'
hidden() { not grep -qi -- "$(echo "$1" | sed 's/../& /g; s/ $//')" "$traps"; }
claim "no key is in any of them" eval 'hidden "$tb_ab_enc" && hidden "$tb_ab_auth" && hidden "$tb_ba_enc"'
conclude
