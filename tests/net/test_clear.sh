# tests/net/test_clear.sh - a peer that cannot do IPsec: packets with it cross in clear, both ways, only where the
# rule allows it, only for as long as it says, and never once an SA is there or the policy is another one. The key
# manager is one that always fails.

. "$TB_SRC/tests/net/lib.sh"
TB_ATTACH=tun
tb_init
tb_topology
TB_SNMPD_MORE="trap2sink 127.0.0.1:1162 test"
echo 'authCommunity log test' >"$TB_DIR/router-a/trapd.conf"
tb_start router-a trapd snmptrapd -f -Lo -n -C -c "$TB_DIR/router-a/trapd.conf" -Ox -OQ -F 'TRAP %V | %v\n' \
	-M "$TB_SRC/mibs/smi:$TB_SRC/mibs" -m IPSEC-SPD-MIB:IPSEC-IPSECACTION-MIB:IPSPD-MIB udp:127.0.0.1:1162
tb_snmpd router-a
tb_ipspd router-a
tb_ctl router-a wait --snmp --timeout 30

# A key manager that answers each ACQUIRE with an error, and says on its output which came.
tb_start router-a manager env PYTHONPATH="$TB_SRC/tests/net" /usr/bin/python3 -uc "
from pfkey_client import *
c = Client('$TB_DIR/router-a/pfkey', None)
assert c.ask(REGISTER, ESP, []).errno == 0
print('registered')
while True:
    m = c.hear()
    if m.type == ACQUIRE and m.errno == 0:
        c.send(ACQUIRE, ESP, errno=111, seq=m.seq)
        print('refused')"
claim "a key manager is there" tb_until 10 grep -q registered "$TB_DIR/router-a/manager.log"
refused() { grep -c refused "$TB_DIR/router-a/manager.log" || :; }
say() { tb_in router-a env PYTHONPATH="$TB_SRC/tests/net" /usr/bin/python3 -c "
from pfkey_client import *
c = Client('$TB_DIR/router-a/pfkey')
$1"; }
put() { tb_set router-a "$@" && tb_ctl router-a wait; }
status() { tb_ctl router-a show sad; }
guard() { tb_ctl router-a guard show; }
open() { guard | grep -q 'saddr 198.51.100.1 .*meta time\|meta time .*saddr 198.51.100.1 '; }
crosses() { tb_until 10 tb_in router-a ping -q -c 1 -W 1 198.51.100.1; }

wan=$(tb_ifindex router-a wan)
tb_filter router-a 10 1 C0000201 C6336401 32
tb_filter router-a 11 1 C6336401 C0000201 32
tb_set router-a 'ipiaSaNegParamMinLifetimeSecs."std"' u 60 'ipiaSaNegParamMinLifetimeKB."std"' u 0 \
	'ipiaSaNegParamRefreshThreshSecs."std"' u 80 'ipiaSaNegParamRefreshThresholdKB."std"' u 80 \
	'ipiaSaNegParamIdleDurationSecs."std"' u 0 'ipiaSaNegParamRowStatus."std"' i createAndGo
tb_set router-a 'ipsaEspTranMaxLifetimeSec."aes"' u 3600 'ipsaEspTranMaxLifetimeKB."aes"' u 0 \
	'ipsaEspTranCipherTransformId."aes"' u 12 'ipsaEspTranCipherKeyLength."aes"' u 256 \
	'ipsaEspTranCipherKeyRounds."aes"' u 0 'ipsaEspTranIntegrityAlgorithmId."aes"' u 5 \
	'ipsaEspTranReplayPrevention."aes"' i true 'ipsaEspTranReplayWindowSize."aes"' u 64 \
	'ipsaEspTranRowStatus."aes"' i createAndGo
tb_set router-a 'ipiaIpsecTranTransformName.3."esp".0' s aes 'ipiaIpsecTranRowStatus.3."esp".0' i createAndGo
tb_set router-a 'ipiaIpsecPropTransformsName."p2".0.3' s esp 'ipiaIpsecPropRowStatus."p2".0.3' i createAndGo
tb_set router-a 'ipiaIpsecActParametersName."child"' s std 'ipiaIpsecActProposalsName."child"' s p2 \
	'ipiaIpsecActUsePfs."child"' i false 'ipiaIpsecActUseIkeGroup."child"' i false \
	'ipiaIpsecActGroupId."child"' u 31 'ipiaIpsecActVendorId."child"' s '' \
	'ipiaIpsecActPeerGatewayIdName."child"' s '' 'ipiaIpsecActGranularity."child"' i subnet \
	'ipiaIpsecActMode."child"' i transport 'ipiaIpsecActRowStatus."child"' i createAndGo
for way in out.10 in.11; do
	dir=${way%.*}
	tb_set router-a "spdRuleDefFilter.\"$dir\"" o "diffServMultiFieldClfrAddrType.${way#*.}" \
		"spdRuleDefAction.\"$dir\"" o 'ipiaIpsecActParametersName."child"' \
		"spdRuleDefRowStatus.\"$dir\"" i createAndGo \
		"spdGroupContComponentName.\"wan-$dir\".1" s $dir "spdGroupContRowStatus.\"wan-$dir\".1" i createAndGo
done
tb_set router-a "spdEndGroupName.outbound.$wan" s wan-out "spdEndGroupRowStatus.outbound.$wan" i createAndGo \
	"spdEndGroupName.inbound.$wan" s wan-in "spdEndGroupRowStatus.inbound.$wan" i createAndGo
tb_ctl router-a wait

sniff router-b wan never
claim "without a word of it nothing crosses" silent router-a 198.51.100.1
claim "... though the key manager was asked" tb_until 10 eval '[ "$(refused)" -ge 1 ]'
unsniff router-b never
claim "... and nothing left in clear" equal 0 "$(seen router-b never icmp)"
claim "... nor comes in" silent router-b 192.0.2.1

# The failure before is remembered for some seconds; crosses asks again until it is forgotten.
put 'ipspdRuleOptFallback."out"' i clear 'ipspdRuleOptClearSeconds."out"' u 600 \
	'ipspdRuleOptFallback."in"' i clear 'ipspdRuleOptClearSeconds."in"' u 600
claim "before a negotiation fails nothing comes in" silent router-b 192.0.2.1
claim "where the rules say so, after a failure packets cross in clear" crosses
claim "... and the other way" pings router-b 192.0.2.1
claim "... which the SAD has" says clear status
claim "... managers are told" tb_until 10 grep -q \
	'ipspdClearPassing.*ipspdNotifyRow.0 = .*ipiaIpsecActParametersName.*ipspdNotifyClearSeconds.0 = \(600\|5[89][0-9]\)' \
	"$TB_DIR/router-a/trapd.log"
claim "... the log says so" tb_until 10 grep -q 'packets pass in clear, as its entry says' "$TB_DIR/router-a/ipspd.log"
claim "... and the guard lets that peer in for that time" open

# Another policy; then the same again, for which the time still runs.
put 'ipspdRuleOptFallback."in"' i drop
claim "with another policy the guard is shut" not open
claim "... and nothing crosses" silent router-b 192.0.2.1
put 'ipspdRuleOptFallback."in"' i clear
claim "with the first one again they cross" pings router-b 192.0.2.1

# An SA.
claim "an SA comes after all" say "
for src, dst, spi in ('192.0.2.1', '198.51.100.1', 0x7001), ('198.51.100.1', '192.0.2.1', 0x7002):
    reqid = $(tb_ctl router-a --json show sad | sed -n 's/.*"reqid": *\([0-9]*\).*/\1/p' | head -n 1)
    m = c.ask(ADD, ESP, [sa(spi)] + addresses(src, dst) + [lifetime(E_HARD, add=3600),
              key(E_AUTH, bytes(32)), key(E_ENCRYPT, bytes(32)), sa2(TRANSPORT, reqid)])
    assert m.errno == 0, m.errno"
claim "... and the guard is shut" tb_until 10 not open
sniff router-b wan protected
claim "... nothing comes in clear" silent router-b 192.0.2.1
tb_in router-a ping -q -c 1 -W 1 198.51.100.1 >/dev/null || :
unsniff router-b protected
claim "... nothing leaves in clear" equal 0 "$(seen router-b protected 'ip.src == 192.0.2.1 && (icmp.type == 0 || icmp.type == 8)')"
claim "... but as ESP" test "$(seen router-b protected 'ip.src == 192.0.2.1 && esp')" -ge 1

# The time is over.
put 'ipspdRuleOptClearSeconds."out"' u 3
say "assert c.ask(FLUSH).errno == 0"
claim "without it packets cross again after a failure" crosses
claim "... till the time of the rule is over" tb_until 20 grep -q 'pass in clear no more' "$TB_DIR/router-a/ipspd.log"
claim "... and the guard is shut" tb_until 10 not open
claim "... and nothing comes in" tb_until 10 silent router-b 192.0.2.1

# No engine, nobody who could say when it ends.
put 'ipspdRuleOptClearSeconds."out"' u 600
claim "once more packets cross" crosses
claim "... and the guard is open" tb_until 10 open
kill -9 "$(tb_process router-a engine)"
claim "without the engine that knows it is shut" tb_until 10 not open
conclude
