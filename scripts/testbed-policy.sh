# shellcheck shell=sh
# scripts/testbed-policy.sh - the testbed's policy, by SNMP SETs alone; sourced after testbed.sh.
#
# One ESP tunnel over IPv4 for the IPv4 LANs and one over IPv6 for the IPv6 LANs: AES-256-CBC with
# HMAC-SHA2-256-128, manual keys, a pair of keys for each direction. Every row of it comes from an
# snmpset below; the order is targets first, endpoints last.

# 256 random bits in hexadecimal.
tb_key() { od -An -tx1 -N32 /dev/urandom | tr -d ' \n'; }

# tb_set ROUTER OBJECT TYPE VALUE ..: one SET PDU, all of it or nothing.
tb_set()
{
	tb_snmp snmpset "$@" >/dev/null 2>"$TB_DIR/set.err" || {
		cat "$TB_DIR/set.err" >&2
		return 1
	}
}

# tb_secret ROUTER NAME HEX
tb_secret()
{
	tb_set "$1" "ipsaCredType.\"$2\"" i sharedSecret "ipsaCredCredential.\"$2\"" x "$3" \
		"ipsaCredMngName.\"$2\"" s "" "ipsaCredRemoteID.\"$2\"" s "" \
		"ipsaCredAdminStatus.\"$2\"" i enabled "ipsaCredRowStatus.\"$2\"" i createAndGo
}

# tb_sa ROUTER NAME inbound|outbound SPI ENC AUTH GATEWAY
tb_sa()
{
	i="\"$2\".$3"
	tb_set "$1" "ipsaSaPreActActionLifetimeSec.$i" u 0 "ipsaSaPreActActionType.$i" u 1 \
		"ipsaSaPreActESPSPI.$i" i "$4" "ipsaSaPreActESPTransformName.$i" s aes256-sha256 \
		"ipsaSaPreActESPEncSecretName.$i" s "$5" "ipsaSaPreActESPAuthSecretName.$i" s "$6" \
		"ipsaSaPreActPeerGatewayIdName.$i" s "$7" "ipsaSaPreActRowStatus.$i" i createAndGo
}

# tb_gateway ROUTER NAME TEXT FAMILY HEX
tb_gateway()
{
	tb_set "$1" "ipsaPeerIdType.\"$2\".0" u "$(if [ "$4" = 1 ]; then echo 1; else echo 5; fi)" \
		"ipsaPeerIdValue.\"$2\".0" s "$3" "ipsaPeerIdAddressType.\"$2\".0" i "$4" \
		"ipsaPeerIdAddress.\"$2\".0" x "$5" "ipsaPeerIdCredentialName.\"$2\".0" s "" \
		"ipsaPeerIdRowStatus.\"$2\".0" i createAndGo
}

# tb_filter ROUTER ID FAMILY SRC DST PREFIXLENGTH
tb_filter()
{
	tb_set "$1" "diffServMultiFieldClfrAddrType.$2" i "$3" \
		"diffServMultiFieldClfrSrcAddr.$2" x "$4" "diffServMultiFieldClfrSrcPrefixLength.$2" u "$6" \
		"diffServMultiFieldClfrDstAddr.$2" x "$5" "diffServMultiFieldClfrDstPrefixLength.$2" u "$6" \
		"diffServMultiFieldClfrStatus.$2" i createAndGo
}

# tb_rule ROUTER NAME FILTER-ID ACTION-NAME DIRECTION GROUP PRIORITY: the rule and its place, in one PDU
tb_rule()
{
	tb_set "$1" "spdRuleDefFilter.\"$2\"" o "diffServMultiFieldClfrAddrType.$3" \
		"spdRuleDefAction.\"$2\"" o "ipsaSaPreActActionDescription.\"$4\".$5" \
		"spdRuleDefRowStatus.\"$2\"" i createAndGo \
		"spdGroupContComponentName.\"$6\".$7" s "$2" "spdGroupContRowStatus.\"$6\".$7" i createAndGo
}

# tb_policy ROUTER OUT-KEYS IN-KEYS OUT-SPI IN-SPI PEER4 PEER4-HEX PEER6 PEER6-HEX OURS THEIRS ..
tb_policy()
{
	r=$1 out=$2 in=$3 spi_out=$4 spi_in=$5 peer=$6 peer_hex=$7 peer6=$8 peer6_hex=$9
	shift 9
	our4=$1 their4=$2 our6=$3 their6=$4
	tb_set $r 'ipsaEspTranMaxLifetimeSec."aes256-sha256"' u 0 'ipsaEspTranMaxLifetimeKB."aes256-sha256"' u 0 \
		'ipsaEspTranCipherTransformId."aes256-sha256"' u 12 \
		'ipsaEspTranCipherKeyLength."aes256-sha256"' u 256 \
		'ipsaEspTranCipherKeyRounds."aes256-sha256"' u 0 \
		'ipsaEspTranIntegrityAlgorithmId."aes256-sha256"' u 5 \
		'ipsaEspTranReplayPrevention."aes256-sha256"' i true \
		'ipsaEspTranReplayWindowSize."aes256-sha256"' u 64 \
		'ipsaEspTranRowStatus."aes256-sha256"' i createAndGo
	tb_gateway $r peer "$peer" 1 "$peer_hex"
	tb_gateway $r peer6 "$peer6" 2 "$peer6_hex"
	tb_sa $r tunnel outbound "$spi_out" $out-enc $out-auth peer
	tb_sa $r tunnel inbound "$spi_in" $in-enc $in-auth peer
	tb_sa $r tunnel6 outbound "$((spi_out + 1))" ${out}6-enc ${out}6-auth peer6
	tb_sa $r tunnel6 inbound "$((spi_in + 1))" ${in}6-enc ${in}6-auth peer6
	tb_filter $r 20 1 "$our4" "$their4" 16
	tb_filter $r 21 1 "$their4" "$our4" 16
	tb_filter $r 60 2 "$our6" "$their6" 32
	tb_filter $r 61 2 "$their6" "$our6" 32
	tb_rule $r tunnel-out 20 tunnel outbound wan-out 100
	tb_rule $r tunnel-in 21 tunnel inbound wan-in 100
	tb_rule $r tunnel6-out 60 tunnel6 outbound wan-out 110
	tb_rule $r tunnel6-in 61 tunnel6 inbound wan-in 110
	wan=$(tb_ifindex $r wan)
	# Both directions of the interface close behind the policy in one transaction.
	tb_set $r "spdEndGroupName.outbound.$wan" s wan-out "spdEndGroupRowStatus.outbound.$wan" i createAndGo \
		"spdEndGroupName.inbound.$wan" s wan-in "spdEndGroupRowStatus.inbound.$wan" i createAndGo
}

tb_lan4a=0A010000 tb_lan4b=0A020000
tb_lan6a=FD000001000000000000000000000000 tb_lan6b=FD000002000000000000000000000000
tb_wan6a=20010DB8000A00000000000000000001 tb_wan6b=20010DB8000B00000000000000000001

# Keys of the testbed's tunnels: a to b and b to a, over IPv4 and over IPv6.
tb_new_keys()
{
	for tb_k in ab ba ab6 ba6; do
		eval "tb_${tb_k}_enc=$(tb_key) tb_${tb_k}_auth=$(tb_key)"
	done
}

# tb_secrets ROUTER: the keys, as credentials.
tb_secrets()
{
	for tb_k in ab ba ab6 ba6; do
		eval "tb_secret $1 $tb_k-enc \$tb_${tb_k}_enc"
		eval "tb_secret $1 $tb_k-auth \$tb_${tb_k}_auth"
	done
}

tb_policy_a()
{
	tb_policy router-a ab ba 4096 8192 198.51.100.1 C6336401 2001:db8:b::1 $tb_wan6b \
		$tb_lan4a $tb_lan4b $tb_lan6a $tb_lan6b
}

tb_policy_b()
{
	tb_policy router-b ba ab 8192 4096 192.0.2.1 C0000201 2001:db8:a::1 $tb_wan6a \
		$tb_lan4b $tb_lan4a $tb_lan6b $tb_lan6a
}

# Both routers, in force.
tb_policies()
{
	tb_new_keys
	for tb_r in router-a router-b; do tb_secrets $tb_r; done
	tb_policy_a
	tb_policy_b
	for tb_r in router-a router-b; do tb_ctl $tb_r wait; done
}
