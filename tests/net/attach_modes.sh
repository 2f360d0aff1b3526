# shellcheck shell=sh
# tests/net/attach_modes.sh - IPv4 in IPv6, IPv6 in IPv4, and transport mode, configured by SNMP SETs on
# rows in use. Part of attach.sh; the tunnels stay crossed.


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
	"$(seen wan crossed '(icmp || icmpv6) && (ip.addr == 10.1.0.0/16 && ip.addr == 10.2.0.0/16 ||
		ipv6.addr == fd00:1::/32 && ipv6.addr == fd00:2::/32)')"

# Transport mode is between the routers themselves; a bump in the wire does it for hosts.
if [ $TB_ATTACH = pcap ]; then
	tb_addr host-a lan 192.0.2.10/24 2001:db8:a::10/48
	tb_addr host-b lan 198.51.100.10/24 2001:db8:b::10/48
	end_a=host-a end_b=host-b
	end4a=192.0.2.10 end4b=198.51.100.10 end6a=2001:db8:a::10 end6b=2001:db8:b::10
	hex4a=C000020A hex4b=C633640A hex6a=20010DB8000A00000000000000000010 hex6b=20010DB8000B00000000000000000010
else
	end_a=router-a end_b=router-b
	end4a=192.0.2.1 end4b=198.51.100.1 end6a=2001:db8:a::1 end6b=2001:db8:b::1
	hex4a=C0000201 hex4b=C6336401 hex6a=$tb_wan6a hex6b=$tb_wan6b
fi

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
	$hex4a $hex4b $hex6a $hex6b
claim "transport mode is configured on router-b" transport router-b ba ab 24576 20480 \
	$hex4b $hex4a $hex6b $hex6a
sniff wan a transport
claim "the ends reach each other over IPv4" tb_in $end_a ping -q -c 3 -i 0.1 -W 2 -I $end4a $end4b
claim "... and the other way" tb_in $end_b ping -q -c 3 -i 0.1 -W 2 -I $end4b $end4a
claim "the ends reach each other over IPv6" tb_in $end_a ping -q -c 3 -i 0.1 -W 2 -I $end6a $end6b
claim "what is too long with its ESP crosses in fragments of it" \
	tb_in $end_a ping -q -c 2 -i 0.1 -W 2 -M dont -s 1450 -I $end4a $end4b
claim "the tunnels work beside that" pings host-a 10.2.0.2
unsniff wan transport
claim "... each of them of protocol 50" test "$(seen wan transport 'ip.proto == 50 && ip.frag_offset > 0')" -ge 4
claim "that was ESP in transport mode, IPv4" test "$(seen wan transport 'ip && esp.spi == 0x5000')" -ge 6
claim "that was ESP in transport mode, IPv6" test "$(seen wan transport 'ipv6 && esp.spi == 0x5001')" -ge 3
claim "no ping of the ends went in the clear" equal 0 "$(seen wan transport \
	'(icmp.type == 8 || icmp.type == 0 || icmpv6.type == 128 || icmpv6.type == 129) && !(ip.addr == 192.0.2.254)')"

opened()
{
	tshark -r "$TB_DIR/wan/transport.pcap" -o esp.enable_encryption_decode:TRUE \
		-o "uat:esp_sa:\"IPv4\",\"$end4a\",\"$end4b\",\"0x00005000\",\"AES-CBC [RFC3602]\",\"0x$tb_ab_enc\",\"HMAC-SHA-256-128 [RFC4868]\",\"0x$tb_ab_auth\"" \
		-Y 'esp.spi == 0x5000 && icmp.type == 8' -T fields -e ip.src 2>/dev/null | sort -u
}
claim "tshark finds one IP header only, the end's own" equal $end4a "$(opened)"
