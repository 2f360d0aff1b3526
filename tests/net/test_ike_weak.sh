# tests/net/test_ike_weak.sh - what old peers want: 3DES and a group of 768 bits, which two of us agree on only where allow-weak
# says that they may, and say so. TCP between two hosts is in transport mode, its first packet is not lost; what is not
# TCP goes as it is. Both families, whoever begins; tshark opens it with the keys of the SAs; strongSwan agrees, too.

. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
printf 'allow-weak = true\n' >"$TB_DIR/weak.conf"
for r in router-a router-b; do tb_snmpd $r; done
tb_ipspd router-a -c "$TB_DIR/weak.conf"
tb_ipspd router-b
for r in router-a router-b; do tb_ctl $r wait --snmp --timeout 30; done

# weak ROUTER: its proposals are so. rows ROUTER PEER PEER-HEX OUR-HEX PEER6 PEER6-HEX OUR6-HEX OUR-LAN THEIR-LAN: TCP of the
# routers, and of their LANs.
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
	t_gateway $1 gw6 6 $6 $5
	t_child $1 tcp 4 gw transport p2 11 $4 $3 32
	t_child $1 tcp6 6 gw6 transport p2 12 $7 $6 128
	t_child $1 lan 4 gw tunnel p2 13 $8 $9 16
	for n in tcp tcp6 lan; do
		tb_set $1 "ipiaIpsecActUsePfs.\"child-$n\"" i false "ipspdIpsecActEsn.\"child-$n\"" i no
	done
	for f in 110 111 120 121 130 131; do tb_set $1 diffServMultiFieldClfrProtocol.$f u 6; done
	# What is not TCP.
	for dir in out in; do
		tb_set $1 "spdRuleDefFilter.\"rest-$dir\"" o spdTrueFilter.0 "spdRuleDefAction.\"rest-$dir\"" o spdAcceptAction.0 \
			"spdRuleDefRowStatus.\"rest-$dir\"" i createAndGo "spdGroupContComponentName.\"wan-$dir\".99" s "rest-$dir" \
			"spdGroupContRowStatus.\"wan-$dir\".99" i createAndGo
	done
	t_in_force $1
}
# octets FROM TO ADDRESS
octets() { /usr/bin/python3 "$TB_SRC/tests/net/transfer.py" "$(tb_ns $1)" "$(tb_ns $2)" $3; }
# refused FROM ADDRESS: TCP says that nobody listens there. judged CAPTURE: tshark opens that, in both directions.
refused() { says 'Connection refused' tb_in $1 bash -c "exec 3<>/dev/tcp/$2/9"; }
judged()
{
	tb_in router-a env PYTHONPATH="$TB_SRC/tests/net" /usr/bin/python3 "$TB_SRC/tests/net/sa_judge.py" \
		"$TB_DIR/router-a/pfkey" "$TB_DIR/wan/$1.pcap" >"$TB_DIR/judged.out" 2>&1 &&
		grep -qx '2 good ip:esp:tcp' "$TB_DIR/judged.out" && grep -qx '2 good ipv6:esp:tcp' "$TB_DIR/judged.out" ||
		{ cat "$TB_DIR/judged.out"; return 1; }
}
said() { grep -q "$2" "$TB_DIR/$1/ipspd.log"; }

claim "rows are SET on router-a" rows router-a 198.51.100.1 C6336401 C0000201 2001:db8:b::1 $tb_wan6b \
	$tb_wan6a $tb_lan4a $tb_lan4b
claim "rows are SET on router-b" rows router-b 192.0.2.1 C0000201 C6336401 2001:db8:a::1 $tb_wan6a \
	$tb_wan6b $tb_lan4b $tb_lan4a
claim "router-a may be weak" weak router-a
claim "router-b may not" says 'inconsistentValue' weak router-b
kill "$(tb_pid router-b ipspd)"
tb_reap "$(tb_pid router-b ipspd)"
tb_ipspd router-b -c "$TB_DIR/weak.conf"
tb_ctl router-b wait --snmp --timeout 30
claim "... before allow-weak says so" weak router-b
claim "... from when on that is in force" eval 'tb_ctl router-a wait && tb_ctl router-b wait'
sniff wan a tcp
claim "TCP crosses whole and unchanged" octets router-a router-b 198.51.100.1
claim "pings cross" pings router-a 198.51.100.1
unsniff wan tcp
claim "TCP was in ESP" test "$(seen wan tcp esp)" -ge 10
claim "... none of it in the clear" equal 0 "$(seen wan tcp tcp)"
claim "pings were no ESP" test "$(seen wan tcp icmp)" -ge 6
claim "it is called weak, IKE's" said router-a 'IKE SA .*weak: .*MODP_768'
claim "... and ESP's" said router-a 'Child SA with .*weak: .*3DES'

# ---- of IPv6, and the other one begins ----
claim "TCP of IPv6 crosses whole and unchanged" octets router-b router-a 2001:db8:a::1
claim "the other one begins" eval 'tb_ctl router-a flush && octets router-b router-a 192.0.2.1'
sniff wan a judged '(ip or ip6) and (ip proto 50 or ip6 proto 50)'
claim "TCP to where nobody listens is refused" eval 'refused router-a 198.51.100.1 && refused router-b 2001:db8:a::1'
unsniff wan judged
claim "... as tshark reads, with the keys of the SAs" judged judged

# ---- strongSwan as the other end ----
# Its own ESP knows no transport mode: it is TCP of the LANs, in a tunnel.
[ -x /usr/sbin/charon-systemd ] || { conclude; exit; }
kill "$(tb_pid router-b ipspd)"
tb_reap "$(tb_pid router-b ipspd)"
claim "the other daemon has taken its leave" tb_in router-b "$TB_BUILD/ipspctl/ipspctl" -S "$TB_DIR/router-b/state" guard remove
d=$TB_DIR/router-b
cat >"$d/strongswan.conf" <<CONF
charon-systemd {
	load_modular = no
	load = random nonce openssl aes sha1 sha2 hmac kdf pem kernel-libipsec kernel-netlink socket-default vici
	journal { default = -1 }
	filelog { log { path = $d/charon.log
		flush_line = yes
		default = 1 } }
}
swanctl { load = random nonce openssl pem vici }
CONF
cat >"$d/swanctl.conf" <<CONF
connections { lan {
	local_addrs = 198.51.100.1
	remote_addrs = 192.0.2.1
	version = 2
	proposals = 3des-sha384-prfsha384-modp768
	local { auth = psk }
	remote { auth = psk }
	children { lan {
		local_ts = 10.2.0.0/16[tcp]
		remote_ts = 10.1.0.0/16[tcp]
		esp_proposals = 3des-sha384 } }
} }
secrets { ike { secret = "between two routers" } }
CONF
t_charon router-b
swan() { t_swan router-b "$@"; }
claim "strongSwan is there" tb_until 20 swan --load-all --file "$d/swanctl.conf"
sniff wan a swan
claim "TCP to strongSwan's LAN crosses" tb_until 20 refused host-a 10.2.0.2
claim "... and from it, when strongSwan has begun" eval 'swan --terminate --ike lan && swan --initiate --child lan &&
	refused host-b 10.1.0.2'
unsniff wan swan
claim "... with what is weak" grep -q 'selected proposal: ESP:3DES_CBC/HMAC_SHA2_384_192' "$d/charon.log"
claim "... as ESP in UDP" test "$(seen wan swan 'udp.port == 4500 && esp')" -ge 4
claim "... and none of it in the clear" equal 0 "$(seen wan swan tcp)"
conclude
