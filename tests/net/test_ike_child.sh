# tests/net/test_ike_child.sh - Child SAs of all kinds, negotiated by two of us, by rows that an operator SETs: ESP and AH,
# transport and tunnel mode, both families, as tshark and scapy judge the packets; lifetimes that end by time and by octets;
# what happens when the peer cannot be reached for longer than that.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers

# esp ROUTER NAME KB; ah ROUTER NAME SECONDS: proposals of one transform with that lifetime: AES-GCM; AH with HMAC-SHA-256.
esp()
{
	tb_set "$1" "ipsaEspTranMaxLifetimeSec.\"$2\"" u 0 "ipsaEspTranMaxLifetimeKB.\"$2\"" u "$3" \
		"ipsaEspTranCipherTransformId.\"$2\"" u 20 "ipsaEspTranCipherKeyLength.\"$2\"" u 128 \
		"ipsaEspTranCipherKeyRounds.\"$2\"" u 0 "ipsaEspTranIntegrityAlgorithmId.\"$2\"" u 0 \
		"ipsaEspTranReplayPrevention.\"$2\"" i true "ipsaEspTranReplayWindowSize.\"$2\"" u 64 \
		"ipsaEspTranRowStatus.\"$2\"" i createAndGo \
		"ipiaIpsecTranTransformName.3.\"$2\".0" s "$2" "ipiaIpsecTranRowStatus.3.\"$2\".0" i createAndGo \
		"ipiaIpsecPropTransformsName.\"$2\".0.3" s "$2" "ipiaIpsecPropRowStatus.\"$2\".0.3" i createAndGo
}
ah()
{
	tb_set "$1" "ipsaAhTranMaxLifetimeSec.\"$2\"" u "$3" "ipsaAhTranMaxLifetimeKB.\"$2\"" u 0 \
		"ipsaAhTranAlgorithm.\"$2\"" u 5 "ipsaAhTranReplayProtection.\"$2\"" i true \
		"ipsaAhTranReplayWindowSize.\"$2\"" u 64 "ipsaAhTranRowStatus.\"$2\"" i createAndGo \
		"ipiaIpsecTranTransformName.2.\"$2\".0" s "$2" "ipiaIpsecTranRowStatus.2.\"$2\".0" i createAndGo \
		"ipiaIpsecPropTransformsName.\"$2\".0.2" s "$2" "ipiaIpsecPropRowStatus.\"$2\".0.2" i createAndGo
}

# rows ROUTER PEER4 PEER4-HEX OUR4-HEX PEER6 PEER6-HEX OUR6-HEX OURS4 THEIRS4 OURS6 THEIRS6: the routers themselves in
# transport mode, UDP by AH and the rest by ESP; their LANs of IPv4 by AH, and those of IPv6 by ESP, for some KB.
rows()
{
	t_psk $1
	t_identities $1
	t_gateway $1 gw4 4 $3 $2
	t_gateway $1 gw6 6 $6 $5
	t_proposals $1 1
	tb_set $1 'ipiaSaNegParamRefreshThreshSecs."std"' u 50 'ipiaSaNegParamRefreshThresholdKB."std"' u 50
	ah $1 ah 3600
	esp $1 kb 32
	t_child $1 udp4 4 gw4 transport ah 8 $4 $3 32
	t_child $1 udp6 6 gw6 transport ah 9 $7 $6 128
	for f in 80 81 90 91; do tb_set $1 diffServMultiFieldClfrProtocol.$f u 17; done
	t_child $1 host4 4 gw4 transport p2 11 $4 $3 32
	t_child $1 host6 6 gw6 transport p2 12 $7 $6 128
	t_child $1 lan6 6 gw6 tunnel kb 13 ${10} ${11} 32
	t_child $1 lan4 4 gw4 tunnel ah 14 $8 $9 16
	# tshark checks nothing else.
	for f in 4 6; do tb_set $1 "ipspdIpsecActEsn.\"child-host$f\"" i no; done
	t_in_force $1
}
rows_a() { rows router-a 198.51.100.1 C6336401 C0000201 2001:db8:b::1 $tb_wan6b $tb_wan6a $tb_lan4a $tb_lan4b $tb_lan6a $tb_lan6b; }
rows_b() { rows router-b 192.0.2.1 C0000201 C6336401 2001:db8:a::1 $tb_wan6a $tb_wan6b $tb_lan4b $tb_lan4a $tb_lan6b $tb_lan6a; }

one() { tb_in "$1" ping -q -c 1 -W 20 "$2"; }
# What comes to UDP port 7 of router-b goes back.
tb_start router-b echo /usr/bin/python3 -uc '
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("::", 7))
print("listens")
while True:
    octets, peer = s.recvfrom(2000)
    s.sendto(octets, peer)'
tb_until 10 grep -q listens "$TB_DIR/router-b/echo.log"
# echo_udp ADDRESS: a datagram of router-a's goes there and comes back.
echo_udp()
{
	tb_in router-a /usr/bin/python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.connect((sys.argv[1], 7))
s.send(b"there and back")
assert s.recv(2000) == b"there and back"' "$1"
}
# judged ROUTER CAPTURE: by others, with the keys of the SAs that are there now.
judged()
{
	tb_in "$1" env PYTHONPATH="$TB_SRC/tests/net" /usr/bin/python3 "$TB_SRC/tests/net/sa_judge.py" "$TB_DIR/$1/pfkey" \
		"$TB_DIR/wan/$2.pcap" >"$TB_DIR/judged.out" 2>&1 || { cat "$TB_DIR/judged.out"; return 1; }
}
# opened N PROTOCOLS: at least so many packets were of these, from the outside to the inside.
opened() { [ "$(sed -n "s/^\([0-9]*\) good $2\$/\1/p" "$TB_DIR/judged.out")" -ge "$1" ]; }
log=$TB_DIR/router-a/ipspd.log

claim "rows are SET on router-a" rows_a
claim "rows are SET on router-b" rows_b

sniff wan a modes
claim "a first ping between the routers crosses" one router-a 198.51.100.1
claim "... and of IPv6" one router-b 2001:db8:a::1
claim "... and pings both ways" eval 'pings router-b 192.0.2.1 && pings router-a 2001:db8:b::1'
claim "a first ping between the LANs crosses" one host-a 10.2.0.2
claim "... and of IPv6" one host-a fd00:2::2
claim "... and pings both ways" eval 'pings host-b 10.1.0.2 && pings host-b fd00:1::2'
claim "a datagram between the routers, and its answer" echo_udp 198.51.100.1
claim "... and of IPv6" echo_udp 2001:db8:b::1
unsniff wan modes
claim "tshark opens all ESP, and scapy all AH, with the keys of their SAs" judged router-a modes
claim "... pings between the routers in ESP, in transport mode" eval 'opened 8 ip:esp:icmp && opened 8 ipv6:esp:icmpv6'
claim "... datagrams in AH, in transport mode" eval 'opened 2 ip:ah:udp && opened 2 ipv6:ah:udp'
claim "... pings of the LANs in AH and in ESP, as tunnels" eval 'opened 8 ip:ah:ip:icmp && opened 8 ipv6:esp:ipv6:icmpv6'
claim "between the routers it was ESP, of IPv4" test "$(seen wan modes 'esp && ip')" -ge 8
claim "... and of IPv6, beside that of the LANs" test "$(seen wan modes 'esp && ipv6')" -ge 16
# A ping of 56 octets: 64 of ICMP and the trailer are 80 of AES-CBC, with SPI, sequence number, IV and ICV 120; were there an
# IP header inside they would be more.
claim "... in transport mode: without another header inside" test "$(seen wan modes 'ip && esp && ip.len == 140')" -ge 8
claim "... of IPv6 as well" test "$(seen wan modes 'ipv6 && esp && ipv6.plen == 120')" -ge 8
claim "... and no other ESP of IPv4" equal 0 "$(seen wan modes 'ip && esp && ip.len != 140')"
claim "between the LANs it was AH alone, around whole packets" test "$(seen wan modes 'ah.next_header == 4 && !esp')" -ge 8
claim "... of the tunnel's ends" equal 0 "$(seen wan modes 'ah.next_header == 4 && !(ip.addr == 192.0.2.1 && ip.addr == 198.51.100.1)')"
claim "... and nothing without either" equal 0 "$(seen wan modes '(icmp.type == 8 || icmp.type == 0 || icmpv6.type == 128 ||
	icmpv6.type == 129) && !ah')"

# ---- lifetimes ----
# renewed N WHAT: so many Child SAs of that have been made at router-a. whole FILE: pings all the time, all of them answered.
renewed() { [ "$(grep -c "Child SA with .*: $2 SPI" "$log")" -ge "$1" ]; }
whole()
{
	tail -n 3 "$TB_DIR/$1.out"
	grep -q ' 0% packet loss' "$TB_DIR/$1.out"
}
ahs=$(grep -c 'Child SA with .*: AH SPI' "$log")
esps=$(grep -c 'Child SA with .*: ESP SPI' "$log")
claim "SAs of AH are to live for 5 s" eval "tb_set router-a 'ipsaAhTranMaxLifetimeSec.\"ah\"' u 5 && tb_ctl router-a wait"
claim "... from the next one on" eval 'tb_ctl router-a rekey child-lan4 && tb_until 10 renewed $((ahs + 1)) AH'
tb_in host-a ping -i 0.02 -c 300 -W 3 10.2.0.2 >"$TB_DIR/seconds.out" 2>&1 &
seconds=$!
tb_in host-b ping -i 0.02 -c 300 -W 3 fd00:1::2 >"$TB_DIR/kb.out" 2>&1 &
kb=$!
wait $kb $seconds || :
claim "SAs that live for 5 s are renewed" renewed $((ahs + 2)) AH
claim "... before their end: nothing is lost" whole seconds
claim "SAs that live for 32 KB are renewed" renewed $((esps + 1)) ESP
claim "... before their end: nothing is lost" whole kb

# M116, S10: without IKE the SAs end, and with them the traffic, none of which goes in the clear.
sniff wan a ends "$t_leaked"
tb_in wan nft 'table inet silence { chain way { type filter hook forward priority 0; meta l4proto udp udp dport { 500, 4500 } drop; }; }'
claim "when the peer cannot be reached, SAs end with their lifetime" tb_until 20 silent host-a 10.2.0.2
tb_in wan nft delete table inet silence
claim "... and there are others when it can" tb_until 20 pings host-a 10.2.0.2 1
unsniff wan ends
claim "... nothing was in the clear meanwhile" equal 0 "$(caught wan ends)"
conclude
