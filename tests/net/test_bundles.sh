# tests/net/test_bundles.sh - AH, and bundles of IPComp, ESP and AH, configured by SNMP SETs on rows in
# use, between two routers.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
claim "a whole policy is SET on both routers" tb_policies

# transforms ROUTER: those of AH and IPComp, and keys of AH.
transforms()
{
	tb_set "$1" 'ipsaAhTranMaxLifetimeSec."ah-sha256"' u 0 'ipsaAhTranMaxLifetimeKB."ah-sha256"' u 0 \
		'ipsaAhTranAlgorithm."ah-sha256"' u 5 'ipsaAhTranReplayProtection."ah-sha256"' i true \
		'ipsaAhTranReplayWindowSize."ah-sha256"' u 64 'ipsaAhTranRowStatus."ah-sha256"' i createAndGo
	tb_set "$1" 'ipsaIpcompTranMaxLifetimeSec."deflate"' u 0 'ipsaIpcompTranMaxLifetimeKB."deflate"' u 0 \
		'ipsaIpcompTranAlgorithm."deflate"' u 2 'ipsaIpcompTranDictionarySize."deflate"' u 0 \
		'ipsaIpcompTranPrivateAlgorithm."deflate"' u 0 'ipsaIpcompTranRowStatus."deflate"' i createAndGo
	tb_secret "$1" ab-ah "$t_ab_ah"
	tb_secret "$1" ba-ah "$t_ba_ah"
}
t_ab_ah=$(tb_key) t_ba_ah=$(tb_key)
claim "AH and IPComp transforms are configured on router-a" transforms router-a
claim "AH and IPComp transforms are configured on router-b" transforms router-b

# bundle ROUTER OUT IN: the IPv4 tunnel's rows, in use, get IPComp inside and AH around; the IPv6 one's
# AH instead of ESP.
bundle()
{
	for t_dir in outbound inbound; do
		t_keys=$2
		[ $t_dir = outbound ] || t_keys=$3
		t_spi=20480
		[ "$t_keys" = ab ] || t_spi=24576
		tb_set "$1" "ipsaSaPreActAHSPI.\"tunnel\".$t_dir" i $t_spi \
			"ipsaSaPreActAHTransformName.\"tunnel\".$t_dir" s ah-sha256 \
			"ipsaSaPreActAHSharedSecretName.\"tunnel\".$t_dir" s "$t_keys-ah" \
			"ipsaSaPreActIPCompSPI.\"tunnel\".$t_dir" i 2 \
			"ipsaSaPreActIPCompTransformName.\"tunnel\".$t_dir" s deflate
		tb_set "$1" "ipsaSaPreActESPTransformName.\"tunnel6\".$t_dir" s "" \
			"ipsaSaPreActESPEncSecretName.\"tunnel6\".$t_dir" s "" \
			"ipsaSaPreActESPAuthSecretName.\"tunnel6\".$t_dir" s "" \
			"ipsaSaPreActAHSPI.\"tunnel6\".$t_dir" i $((t_spi + 1)) \
			"ipsaSaPreActAHTransformName.\"tunnel6\".$t_dir" s ah-sha256 \
			"ipsaSaPreActAHSharedSecretName.\"tunnel6\".$t_dir" s "$t_keys-ah"
	done
	tb_ctl "$1" wait
}
claim "router-a's rows become bundles while in use" bundle router-a ab ba
claim "router-b's rows become bundles while in use" bundle router-b ba ab
sniff wan a bundles
claim "IPv4 crosses" pings host-a 10.2.0.2
claim "octets that compress well cross" tb_in host-a ping -q -c 3 -i 0.1 -W 2 -s 1200 -p 61 10.2.0.2
claim "IPv6 crosses" pings host-a fd00:2::2
unsniff wan bundles
claim "IPv4 went as ESP in AH" test "$(seen wan bundles 'ip && ah.spi == 0x5000 && esp.spi == 0x1000')" -ge 6
claim "what compresses well was much smaller" equal 0 "$(seen wan bundles 'esp.spi == 0x1000 && ip.len > 400')"
claim "IPv6 went under AH, readable" test "$(seen wan bundles \
	'ah.spi == 0x5001 && icmpv6.type == 128 && ipv6.dst == fd00:2::2')" -ge 3
claim "nothing of the LANs went without AH" equal 0 \
	"$(seen wan bundles '(icmp || icmpv6) && !ah && (ip.addr == 10.1.0.0/16 || ipv6.addr == fd00:1::/32)')"

# The WAN routes: what comes from router-b has lost one on its way, and AH does not mind.
claim "the WAN lowers the TTL" test "$(seen wan bundles 'ah.spi == 0x6000 && ip.ttl == 63')" -ge 6

# Its path: octets of an outer header, AH with 16 of ICV, ESP with IV and 16 of ICV around whole blocks of 16, of
# which two are the trailer. Compression is not counted on.
ping_of() { tb_in host-a ping -4 -c "$1" -W 2 -M do -s "$2" 10.2.0.2; }
whole() { /usr/bin/python3 "$TB_SRC/tests/net/transfer.py" "$(tb_ns host-a)" "$(tb_ns host-b)" "$1"; }
claim "the largest packet that fits the bundle crosses" ping_of 1 1378
claim "one more octet is answered with the size that fits, though it compresses well" says 'mtu = 1406' ping_of 2 1379
claim "TCP and UDP cross the bundle, whole" whole 10.2.0.2
tb_in wan ip link set dev b mtu 1300
tb_in router-b ip link set dev wan mtu 1300
claim "TCP and UDP cross when the path becomes narrow" whole 10.2.0.2
claim "... under AH in IPv6, too" whole fd00:2::2
claim "tracepath finds the narrow path, and both routers on it" says 'pmtu 1198' \
	tb_in host-a tracepath -4 -n -m 4 -p 33434 10.2.0.2
claim "it was learned of errors that quote AH" equal 1300 \
	"$(tb_snmp snmpget router-a -OqvU 'ipspdSaPathMtu."tunnel".outbound.3')"
tb_in wan ip link set dev b mtu 1500
tb_in router-b ip link set dev wan mtu 1500

claim "show sad names each SA of the bundle" says ipcomp tb_ctl router-a --json show sad
claim "ipspdSaTable has a row for each SA of the bundle: IPComp" says 'ipcomp(3)' \
	tb_snmp snmpget router-a 'ipspdSaProtocol."tunnel".outbound.1'
claim "... ESP" says 'esp(1)' tb_snmp snmpget router-a 'ipspdSaProtocol."tunnel".outbound.2'
claim "... AH" says 'ah(2)' tb_snmp snmpget router-a 'ipspdSaProtocol."tunnel".outbound.3'
claim "... and no more" says 'No Such Instance' tb_snmp snmpget router-a 'ipspdSaProtocol."tunnel".outbound.4'
claim "only the innermost is a tunnel" says 'transport(2)' \
	tb_snmp snmpget router-a 'ipspdSaMode."tunnel".outbound.3'

# Between themselves the peers disagree: one leaves AH away.
bare()
{
	tb_set router-b 'ipsaSaPreActAHTransformName."tunnel".outbound' s ''
	tb_ctl router-b wait
}
claim "router-b sends without AH" bare
claim "then nothing comes back" silent host-a 10.2.0.2
claim "because router-a expects AH" says expected-ah tb_ctl router-a show stats
conclude
