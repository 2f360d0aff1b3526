# tests/net/test_modes.sh - IPv4 in IPv6, IPv6 in IPv4, and transport mode, configured by SNMP SETs on
# rows in use.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
claim "a whole policy is SET on both routers" tb_policies

# crossed ROUTER: the tunnels exchange their gateways, so that each family travels in the other.
crossed()
{
	for t_dir in inbound outbound; do
		tb_set "$1" "ipsaSaPreActPeerGatewayIdName.\"tunnel\".$t_dir" s peer6 \
			"ipsaSaPreActPeerGatewayIdName.\"tunnel6\".$t_dir" s peer
	done
	tb_ctl "$1" wait
}
claim "router-a's gateways are exchanged while in use" crossed router-a
claim "router-b's gateways are exchanged while in use" crossed router-b
sniff wan a crossed
claim "IPv4 crosses in IPv6" pings host-a 10.2.0.2
claim "IPv6 crosses in IPv4" pings host-a fd00:2::2
unsniff wan crossed
claim "IPv4 went as ESP over IPv6" test "$(seen wan crossed 'ipv6 && esp.spi == 0x1000')" -ge 3
claim "IPv6 went as ESP over IPv4" test "$(seen wan crossed 'ip && esp.spi == 0x1001')" -ge 3
claim "nothing of the LANs went in the clear" equal 0 \
	"$(seen wan crossed '(icmp || icmpv6) && (ip.addr == 10.0.0.0/8 || ipv6.addr == fd00::/8)')"

# transport ROUTER OUT-KEYS IN-KEYS OUT-SPI IN-SPI OUR4 THEIR4 OUR6 THEIR6: between the routers themselves.
transport()
{
	tb_sa "$1" host outbound "$4" "$2-enc" "$2-auth" ""
	tb_sa "$1" host inbound "$5" "$3-enc" "$3-auth" ""
	tb_sa "$1" host6 outbound $(($4 + 1)) "${2}6-enc" "${2}6-auth" ""
	tb_sa "$1" host6 inbound $(($5 + 1)) "${3}6-enc" "${3}6-auth" ""
	for t_dir in inbound outbound; do
		tb_set "$1" "ipsaSaPreActActionType.\"host\".$t_dir" u 2 "ipsaSaPreActActionType.\"host6\".$t_dir" u 2
	done
	tb_filter "$1" 80 1 "$6" "$7" 32
	tb_filter "$1" 81 1 "$7" "$6" 32
	tb_filter "$1" 82 2 "$8" "$9" 128
	tb_filter "$1" 83 2 "$9" "$8" 128
	tb_rule "$1" host-out 80 host outbound wan-out 200
	tb_rule "$1" host-in 81 host inbound wan-in 200
	tb_rule "$1" host6-out 82 host6 outbound wan-out 210
	tb_rule "$1" host6-in 83 host6 inbound wan-in 210
	tb_ctl "$1" wait
}
claim "transport mode is configured on router-a" transport router-a ab ba 20480 24576 \
	C0000201 C6336401 "$tb_wan6a" "$tb_wan6b"
claim "transport mode is configured on router-b" transport router-b ba ab 24576 20480 \
	C6336401 C0000201 "$tb_wan6b" "$tb_wan6a"
sniff wan a transport
claim "the routers reach each other over IPv4" pings router-a 198.51.100.1
claim "... and the other way" pings router-b 192.0.2.1
claim "the routers reach each other over IPv6" eval 'tb_in router-a ping -q -c 3 -i 0.1 -W 2 -I 2001:db8:a::1 2001:db8:b::1'
claim "the tunnels work beside that" pings host-a 10.2.0.2
unsniff wan transport
claim "that was ESP in transport mode, IPv4" test "$(seen wan transport 'ip && esp.spi == 0x5000')" -ge 6
claim "that was ESP in transport mode, IPv6" test "$(seen wan transport 'ipv6 && esp.spi == 0x5001')" -ge 3
claim "no ping of the routers went in the clear" equal 0 "$(seen wan transport \
	'(icmp.type == 8 || icmp.type == 0 || icmpv6.type == 128 || icmpv6.type == 129) && !(ip.addr == 192.0.2.254)')"

opened()
{
	tshark -r "$TB_DIR/wan/transport.pcap" -o esp.enable_encryption_decode:TRUE \
		-o "uat:esp_sa:\"IPv4\",\"192.0.2.1\",\"198.51.100.1\",\"0x00005000\",\"AES-CBC [RFC3602]\",\"0x$tb_ab_enc\",\"HMAC-SHA-256-128 [RFC4868]\",\"0x$tb_ab_auth\"" \
		-Y 'esp.spi == 0x5000 && icmp.type == 8' -T fields -e ip.src 2>/dev/null | sort -u
}
claim "tshark finds one IP header only, the routers' own" equal 192.0.2.1 "$(opened)"
conclude
