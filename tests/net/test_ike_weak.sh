# tests/net/test_ike_weak.sh - what old peers want: 3DES and a group of 768 bits, which two of us agree on only where allow-weak
# says that they may, and say so. TCP between two hosts is in transport mode, its first packet is not lost; what is not
# TCP goes as it is.

. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
printf 'allow-weak = true\n' >"$TB_DIR/weak.conf"
for r in router-a router-b; do tb_snmpd $r; done
tb_ipspd router-a -c "$TB_DIR/weak.conf"
tb_ipspd router-b
for r in router-a router-b; do tb_ctl $r wait --snmp --timeout 30; done

# weak ROUTER: its proposals are so. rows ROUTER PEER PEER-HEX OUR-HEX
weak()
{
	tb_set $1 'ipiaIkePropCipherAlgorithm."p1"' u 5 'ipiaIkePropCipherKeyLength."p1"' u 192 \
		'ipiaIkePropHashAlgorithm."p1"' u 5 'ipiaIkePropDhGroup."p1"' u 1 &&
	tb_set $1 'ipsaEspTranCipherTransformId."aes"' u 3 'ipsaEspTranCipherKeyLength."aes"' u 192 \
		'ipsaEspTranIntegrityAlgorithmId."aes"' u 6
}
rows()
{
	t_psk $1
	t_identities $1
	t_gateway $1 gw 4 $3 $2
	t_proposals $1 1
	t_child $1 tcp 4 gw transport p2 11 $4 $3 32
	tb_set $1 'ipiaIpsecActUsePfs."child-tcp"' i false
	for f in 110 111; do tb_set $1 diffServMultiFieldClfrProtocol.$f u 6; done
	# What is not TCP.
	for dir in out in; do
		tb_set $1 "spdRuleDefFilter.\"rest-$dir\"" o spdTrueFilter.0 "spdRuleDefAction.\"rest-$dir\"" o spdAcceptAction.0 \
			"spdRuleDefRowStatus.\"rest-$dir\"" i createAndGo "spdGroupContComponentName.\"wan-$dir\".99" s "rest-$dir" \
			"spdGroupContRowStatus.\"wan-$dir\".99" i createAndGo
	done
	t_in_force $1
}
octets() { /usr/bin/python3 "$TB_SRC/tests/net/transfer.py" "$(tb_ns router-a)" "$(tb_ns router-b)" 198.51.100.1; }
said() { grep -q "$2" "$TB_DIR/$1/ipspd.log"; }

claim "rows are SET on router-a" rows router-a 198.51.100.1 C6336401 C0000201
claim "rows are SET on router-b" rows router-b 192.0.2.1 C0000201 C6336401
claim "router-a may be weak" weak router-a
claim "router-b may not" says 'inconsistentValue' weak router-b
kill "$(tb_pid router-b ipspd)"
tb_reap "$(tb_pid router-b ipspd)"
tb_ipspd router-b -c "$TB_DIR/weak.conf"
tb_ctl router-b wait --snmp --timeout 30
claim "... before allow-weak says so" weak router-b
claim "... from when on that is in force" eval 'tb_ctl router-a wait && tb_ctl router-b wait'
sniff wan a tcp
claim "TCP crosses whole and unchanged" octets
claim "pings cross" pings router-a 198.51.100.1
unsniff wan tcp
claim "TCP was in ESP" test "$(seen wan tcp esp)" -ge 10
claim "... none of it in the clear" equal 0 "$(seen wan tcp tcp)"
claim "pings were no ESP" test "$(seen wan tcp icmp)" -ge 6
claim "it is called weak, IKE's" said router-a 'IKE SA .*weak: .*MODP_768'
claim "... and ESP's" said router-a 'Child SA with .*weak: .*3DES'
conclude
