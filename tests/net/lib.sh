# shellcheck shell=sh
# tests/net/lib.sh - claims and counts for tests on the testbed; sourced first.
#
#   . "$TB_SRC/tests/net/lib.sh"; tb_init; ..; claim "pings cross" tb_in host-a ping ..; conclude

. "$TB_SRC/scripts/testbed.sh"
. "$TB_SRC/scripts/testbed-policy.sh"

T_PASSED=0
T_FAILED=0

# claim TEXT COMMAND..: the command must succeed.
claim()
{
	t_text=$1
	shift
	if "$@" >"$TB_DIR/claim.out" 2>&1; then
		T_PASSED=$((T_PASSED + 1))
		echo "ok: $t_text"
	else
		T_FAILED=$((T_FAILED + 1))
		echo "FAILED: $t_text"
		sed 's/^/    /' "$TB_DIR/claim.out" | tail -n 30
	fi
}

# not COMMAND..: succeeds when the command fails.
not() { ! "$@"; }

# equal A B: the same text?
equal()
{
	[ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }
}

# says TEXT COMMAND..: the command's output holds the text (whether it succeeds or not).
says()
{
	t_want=$1
	shift
	"$@" >"$TB_DIR/says.out" 2>&1 || :
	grep -qF -- "$t_want" "$TB_DIR/says.out" || { cat "$TB_DIR/says.out"; return 1; }
}

# t_proposals ROUTER METHOD: rows of what IKE proposes: "std", "p1" for the IKE SA by an authentication method of RFC 2409
# appendix A, "p2" for its Child SAs.
t_proposals()
{
	tb_set "$1" 'ipiaSaNegParamMinLifetimeSecs."std"' u 60 'ipiaSaNegParamMinLifetimeKB."std"' u 0 \
		'ipiaSaNegParamRefreshThreshSecs."std"' u 80 'ipiaSaNegParamRefreshThresholdKB."std"' u 80 \
		'ipiaSaNegParamIdleDurationSecs."std"' u 0 'ipiaSaNegParamRowStatus."std"' i createAndGo
	tb_set "$1" 'ipsaEspTranMaxLifetimeSec."aes"' u 3600 'ipsaEspTranMaxLifetimeKB."aes"' u 0 \
		'ipsaEspTranCipherTransformId."aes"' u 12 'ipsaEspTranCipherKeyLength."aes"' u 256 \
		'ipsaEspTranCipherKeyRounds."aes"' u 0 'ipsaEspTranIntegrityAlgorithmId."aes"' u 5 \
		'ipsaEspTranReplayPrevention."aes"' i true 'ipsaEspTranReplayWindowSize."aes"' u 64 \
		'ipsaEspTranRowStatus."aes"' i createAndGo
	tb_set "$1" 'ipiaIpsecTranTransformName.3."esp".0' s aes 'ipiaIpsecTranRowStatus.3."esp".0' i createAndGo
	tb_set "$1" 'ipiaIpsecPropTransformsName."p2".0.3' s esp 'ipiaIpsecPropRowStatus."p2".0.3' i createAndGo
	tb_set "$1" 'ipiaIkePropCipherAlgorithm."p1"' u 7 'ipiaIkePropCipherKeyLength."p1"' u 256 \
		'ipiaIkePropHashAlgorithm."p1"' u 4 'ipiaIkePropDhGroup."p1"' u 31 \
		'ipiaIkePropAuthenticationMethod."p1"' u "$2" 'ipiaIkePropMaxLifetimeSecs."p1"' u 28800 \
		'ipiaIkePropRowStatus."p1"' i createAndGo
}

# t_psk ROUTER: the secret of both ends, "psk". t_gateway ROUTER NAME FAMILY HEX TEXT: who proves itself by it, known
# by its address.
t_psk()
{
	tb_set "$1" 'ipsaCredType."psk"' i sharedSecret 'ipsaCredCredential."psk"' s 'between two routers' \
		'ipsaCredMngName."psk"' s '' 'ipsaCredRemoteID."psk"' s '' \
		'ipsaCredAdminStatus."psk"' i enabled 'ipsaCredRowStatus."psk"' i createAndGo
}
t_gateway()
{
	tb_set "$1" "ipsaPeerIdType.\"$2\".0" u "$(t_id_type "$3")" "ipsaPeerIdValue.\"$2\".0" s "$5" \
		"ipsaPeerIdAddressType.\"$2\".0" i "$(t_inet "$3")" "ipsaPeerIdAddress.\"$2\".0" x "$4" \
		"ipsaPeerIdCredentialName.\"$2\".0" s psk "ipsaPeerIdRowStatus.\"$2\".0" i createAndGo
}
# Of a family: its number as an identity of IKE's, and as InetAddressType.
t_id_type() { if [ "$1" = 4 ]; then echo 1; else echo 5; fi; }
t_inet() { if [ "$1" = 4 ]; then echo 1; else echo 2; fi; }

# t_actions ROUTER NAME FAMILY GATEWAY MODE PROPOSALS: "ike-NAME" and "child-NAME", which no rule uses yet. Needs t_proposals;
# ipiaIkeId of the family's addresses.
t_actions()
{
	tb_set "$1" "ipiaIpsecActParametersName.\"child-$2\"" s std "ipiaIpsecActProposalsName.\"child-$2\"" s "$6" \
		"ipiaIpsecActUsePfs.\"child-$2\"" i true "ipiaIpsecActUseIkeGroup.\"child-$2\"" i false \
		"ipiaIpsecActGroupId.\"child-$2\"" u 31 "ipiaIpsecActVendorId.\"child-$2\"" s '' \
		"ipiaIpsecActPeerGatewayIdName.\"child-$2\"" s "$4" "ipiaIpsecActGranularity.\"child-$2\"" i subnet \
		"ipiaIpsecActMode.\"child-$2\"" i "$5" "ipiaIpsecActRowStatus.\"child-$2\"" i createAndGo
	tb_set "$1" "ipiaIkeActParametersName.\"ike-$2\"" s std "ipiaIkeActExchangeMode.\"ike-$2\"" i main \
		"ipiaIkeActAgressiveModeGroupId.\"ike-$2\"" u 14 "ipiaIkeActIdentityType.\"ike-$2\"" u "$(t_id_type "$3")" \
		"ipiaIkeActIdentityContext.\"ike-$2\"" s default "ipiaIkeActPeerName.\"ike-$2\"" s "$4" \
		"ipiaIkeActRowStatus.\"ike-$2\"" i createAndGo \
		"ipiaIkeActPropName.\"ike-$2\".0" s p1 "ipiaIkeActPropRowStatus.\"ike-$2\".0" i createAndGo
}

# t_child ROUTER NAME FAMILY GATEWAY MODE PROPOSALS NUMBER OURS THEIRS BITS: a rule in both directions that negotiates
# what it protects, by such actions.
t_child()
{
	t_actions "$1" "$2" "$3" "$4" "$5" "$6"
	tb_set "$1" "spdCompActExecutionStrategy.\"$2\"" i doUntilFailure "spdCompActRowStatus.\"$2\"" i createAndGo
	tb_set "$1" "spdSubActSubActionName.\"$2\".0" o "ipiaIkeActParametersName.\"ike-$2\"" \
		"spdSubActRowStatus.\"$2\".0" i createAndGo "spdSubActSubActionName.\"$2\".1" o \
		"ipiaIpsecActParametersName.\"child-$2\"" "spdSubActRowStatus.\"$2\".1" i createAndGo
	tb_filter "$1" "${7}0" "$(t_inet "$3")" "$8" "$9" "${10}"
	tb_filter "$1" "${7}1" "$(t_inet "$3")" "$9" "$8" "${10}"
	for t_way in out.0 in.1; do
		t_dir=${t_way%.*}
		tb_set "$1" "spdRuleDefFilter.\"$2-$t_dir\"" o "diffServMultiFieldClfrAddrType.$7${t_way#*.}" \
			"spdRuleDefAction.\"$2-$t_dir\"" o "spdCompActExecutionStrategy.\"$2\"" \
			"spdRuleDefRowStatus.\"$2-$t_dir\"" i createAndGo "spdGroupContComponentName.\"wan-$t_dir\".$7" s "$2-$t_dir" \
			"spdGroupContRowStatus.\"wan-$t_dir\".$7" i createAndGo
	done
}

# t_identities ROUTER: on its WAN interface, addresses of both families. t_in_force ROUTER: so are the groups "wan-out" and
# "wan-in" there.
t_identities()
{
	t_wan=$(tb_ifindex "$1" wan)
	for t_f in 1 5; do
		tb_set "$1" "ipiaIkeIdCredentialName.$t_wan.$t_f.\"default\"" s '' \
			"ipiaIkeIdRowStatus.$t_wan.$t_f.\"default\"" i createAndGo
	done
}
t_in_force()
{
	t_wan=$(tb_ifindex "$1" wan)
	tb_set "$1" "spdEndGroupName.outbound.$t_wan" s wan-out "spdEndGroupRowStatus.outbound.$t_wan" i createAndGo \
		"spdEndGroupName.inbound.$t_wan" s wan-in "spdEndGroupRowStatus.inbound.$t_wan" i createAndGo
	tb_ctl "$1" wait
}

# t_lans ROUTER: tunnels of ESP that it negotiates with the other one between their LANs of both families, "lan4" and "lan6";
# in force.
t_lans()
{
	if [ "$1" = router-a ]; then
		set -- "$1" C6336401 198.51.100.1 "$tb_wan6b" 2001:db8:b::1 "$tb_lan4a" "$tb_lan4b" "$tb_lan6a" "$tb_lan6b"
	else
		set -- "$1" C0000201 192.0.2.1 "$tb_wan6a" 2001:db8:a::1 "$tb_lan4b" "$tb_lan4a" "$tb_lan6b" "$tb_lan6a"
	fi
	t_psk "$1"
	t_identities "$1"
	t_gateway "$1" gw4 4 "$2" "$3"
	t_gateway "$1" gw6 6 "$4" "$5"
	t_proposals "$1" 1
	t_child "$1" lan4 4 gw4 tunnel p2 11 "$6" "$7" 16
	t_child "$1" lan6 6 gw6 tunnel p2 12 "$8" "$9" 32
	t_in_force "$1"
}

# t_charon SPACE: strongSwan, by strongswan.conf in that space's folder, as its process "charon". t_swan SPACE ARGUMENT..:
# swanctl, where that is. t_no_charon SPACE: it ends.
t_charon()
{
	tb_start "$1" charon env STRONGSWAN_CONF="$TB_DIR/$1/strongswan.conf" unshare -m sh -c \
		'mount -t tmpfs none /run && exec /usr/sbin/charon-systemd'
}
t_swan()
{
	t_space=$1
	shift
	env STRONGSWAN_CONF="$TB_DIR/$t_space/strongswan.conf" \
		nsenter -t "$(tb_pid "$t_space" charon)" -m -n swanctl "$@"
}
t_no_charon()
{
	kill "$(tb_pid "$1" charon)"
	tb_reap "$(tb_pid "$1" charon)"
}

conclude()
{
	if [ "$T_FAILED" != 0 ]; then
		for t_log in "$TB_DIR"/*/*.log; do
			echo "--- $t_log"
			tail -n 40 "$t_log"
		done
	fi
	echo "$T_PASSED passed, $T_FAILED failed"
	[ "$T_FAILED" = 0 ]
}

# t_routers: topology, snmpd and ipspd on both routers, sessions open.
t_routers()
{
	tb_topology
	for t_r in router-a router-b; do
		tb_snmpd $t_r
		tb_ipspd $t_r
		tb_ctl $t_r wait --snmp --timeout 30
	done
}

# drive HOW: tests/net/restart_driver.py on both routers; its claims count here.
drive()
{
	export TB_DIR TB_TAG TB_BUILD TB_SRC
	/usr/bin/python3 "$TB_SRC/tests/net/restart_driver.py" "$@" 2>&1 | tee "$TB_DIR/driver.out"
	claim "the driver comes to its end" grep -q ' held, ' "$TB_DIR/driver.out"
	T_PASSED=$((T_PASSED + $(grep -c '^ok: ' "$TB_DIR/driver.out" || :)))
	T_FAILED=$((T_FAILED + $(grep -c '^FAILED: ' "$TB_DIR/driver.out" || :)))
}

# manage ROUTER SCRIPT ARGUMENT..: a script of pysnmp managers (tests/net/manager.py) there; its claims
# count here.
manage()
{
	t_r=$1 t_script=$2
	shift 2
	export TB_DIR TB_BUILD TB_SRC TB_USER_WRITE TB_PASS_AUTH TB_PASS_PRIV
	tb_in "$t_r" /usr/bin/python3 "$TB_SRC/tests/net/$t_script" "$@" 2>&1 | tee "$TB_DIR/manage.out"
	claim "$t_script comes to its end" grep -q '^the end, ' "$TB_DIR/manage.out"
	T_PASSED=$((T_PASSED + $(grep -c '^ok: ' "$TB_DIR/manage.out" || :)))
	T_FAILED=$((T_FAILED + $(grep -c '^FAILED: ' "$TB_DIR/manage.out" || :)))
}

# replaced ROUTER ROLE PROCESS: another one has its place. fell ROUTER ROLE: a process of the daemon's is killed, and
# replaced. Who waits for policy before that may be told of the one that is dead.
replaced()
{
	t_fresh=$(tb_process "$1" "$2")
	[ -n "$t_fresh" ] && [ "$t_fresh" != "$3" ]
}
fell()
{
	t_victim=$(tb_process "$1" "$2")
	kill -9 "$t_victim"
	tb_until 20 replaced "$1" "$2" "$t_victim"
}

# What tshark calls a packet of the LANs in the clear.
t_clear='ip.addr == 10.1.0.0/16 || ip.addr == 10.2.0.0/16 || ipv6.addr == fd00:1::/32 || ipv6.addr == fd00:2::/32'

# Packets of one LAN for the other, as tcpdump's filter has it.
t_leaked='(net 10.1.0.0/16 and net 10.2.0.0/16) or (net fd00:1::/32 and net fd00:2::/32)'

# sniff SPACE IF NAME [FILTER]; unsniff SPACE NAME; seen SPACE NAME FILTER: how many packets tshark finds;
# caught SPACE NAME: how many there are.
sniff()
{
	rm -f "$TB_DIR/$1/$3.log" # of an earlier one, which would say too soon that this one listens
	tb_start "$1" "$3" tcpdump -i "$2" -U --immediate-mode -w "$TB_DIR/$1/$3.pcap" -Z root "${4:-}"
	tb_until 20 grep -q 'listening on' "$TB_DIR/$1/$3.log"
}

# t_written LOG: has the sniffer written all that the kernel has for it, as it says itself? On lo every packet
# passes twice, and is taken once.
t_written()
{
	kill -USR1 "$t_sniffer" 2>/dev/null || return 0
	sed -n 's/^.*: \([0-9]*\) packets\{0,1\} captured, \([0-9]*\) .* filter, \([0-9]*\) .*/\1 \2 \3/p' "$1" | tail -n 1 |
		awk -v times="$(grep -c 'listening on lo,' "$1")" '{ done = ($1 + $3) * (1 + times) >= $2 } END { exit !done }'
}

# What passed before the call is in the capture then, however busy the machine is; pings are stopped by it, too.
unsniff()
{
	t_sniffer=$(tb_pid "$1" "$2") t_turns=250
	if grep -q 'listening on' "$TB_DIR/$1/$2.log"; then
		while ! t_written "$TB_DIR/$1/$2.log" && [ $t_turns -gt 0 ]; do
			t_turns=$((t_turns - 1))
			sleep 0.02
		done
	fi
	kill -INT "$t_sniffer"
	tb_reap "$t_sniffer"
}

caught() { sed -n 's/ packets\{0,1\} captured$//p' "$TB_DIR/$1/$2.log"; }

seen()
{
	tshark -r "$TB_DIR/$1/$2.pcap" -Y "$3" 2>/dev/null | wc -l
}

# ping4, ping6 FROM TO-ADDRESS [COUNT]: all of them answered.
pings()
{
	tb_in "$1" ping -q -c "${3:-3}" -i 0.1 -W 2 "$2" | tee "$TB_DIR/pings.out"
	grep -q ' 0% packet loss' "$TB_DIR/pings.out"
}

# silent FROM TO-ADDRESS: none of them answered.
silent()
{
	not tb_in "$1" ping -q -c 2 -i 0.1 -W 1 "$2"
}

# pin SPACE IF ADDRESS OTHER-SPACE OTHER-IF: the address is that interface's, without asking.
pin()
{
	t_mac=$(tb_in "$4" cat "/sys/class/net/$5/address")
	tb_in "$1" ip neigh replace "$3" lladdr "$t_mac" dev "$2" nud permanent
}

# arp_crosses: host-a finds a neighbour that it did not know, 10.1.0.9, on the WAN's side of a bump in the wire.
arp_crosses()
{
	tb_in wan ip addr replace 10.1.0.9/32 dev a
	tb_in host-a ip neigh flush to 10.1.0.9
	tb_in host-a ping -q -c 1 -W 0.3 10.1.0.9 || :
	tb_in host-a ip neigh show to 10.1.0.9 | grep lladdr
}
