# shellcheck shell=sh
# tests/net/attach_path.sh - from SNMP SETs to ESP between two routers, judged on the wire. Part of attach.sh; leaves
# the whole policy in force.


hop_to() { t_space=$1; shift; tb_in "$t_space" /usr/bin/python3 "$TB_SRC/tests/net/forge.py" "$@"; }

claim "without policy the LANs reach each other in the clear" pings host-a 10.2.0.2
sniff host-a lan open
claim "... and packets forged on the WAN arrive" eval '
	for kind in udp frag options; do
		hop_to wan a $TB_HOP4_A $kind 10.2.0.2 10.1.0.2 + a $TB_HOP6_A $kind fd00:2::2 fd00:1::2
	done; pings host-a 10.1.0.1 1; unsniff host-a open
	equal 6 "$(seen host-a open "udp.port == 7 && !icmp && !icmpv6 || ip.frag_offset > 0 || ipv6.nxt == 44")"'
claim "a whole policy is SET on both routers, in force after wait" tb_policies

sniff wan a wan
sniff host-a lan lan
sniff host-b lan lan
claim "IPv4 crosses from LAN to LAN" pings host-a 10.2.0.2 5
claim "IPv4 crosses the other way" pings host-b 10.1.0.2 5
claim "IPv6 crosses from LAN to LAN" pings host-a fd00:2::2 5
claim "IPv6 crosses the other way" pings host-b fd00:1::2 5
claim "the largest packet that fits the tunnel crosses" \
	tb_in host-a ping -q -c 1 -W 2 -s 1372 -M do 10.2.0.2

# Forged clear packets towards both LANs, from the addresses that policy protects; a stranger's; one to the
# router itself.
set --
for kind in udp frag options; do
	set -- "$@" a $TB_HOP4_A $kind 10.2.0.2 10.1.0.2 + a $TB_HOP6_A $kind fd00:2::2 fd00:1::2 +
done
claim "forging packets of all forms" hop_to wan "$@" a $TB_HOP4_A udp 203.0.113.9 10.1.0.2 + \
	a 192.0.2.1 udp 203.0.113.9 192.0.2.1 161

# Replays and damage.
unsniff wan wan
sniff wan a wan2
claim "sending a captured ESP packet again, and a damaged one" \
	hop_to wan a 192.0.2.1 replay "$TB_DIR/wan/wan.pcap" 'esp && ip.dst == 192.0.2.1' + \
	a 192.0.2.1 flip "$TB_DIR/wan/wan.pcap" 'esp && ip.dst == 192.0.2.1'
claim "traffic flows on after all that" pings host-b 10.1.0.2
claim "... in IPv6 too" pings host-b fd00:1::2
unsniff wan wan2
unsniff host-a lan
unsniff host-b lan

claim "the WAN carried ESP over IPv4" test "$(seen wan wan 'esp && ip')" -ge 20
claim "the WAN carried ESP over IPv6" test "$(seen wan wan 'esp && ipv6')" -ge 20
claim "no ping crossed the WAN in the clear" equal 0 \
	"$(seen wan wan '(icmp || icmpv6) && (ip.addr == 10.1.0.0/16 && ip.addr == 10.2.0.0/16 ||
		ipv6.addr == fd00:1::/32 && ipv6.addr == fd00:2::/32)')"
claim "no forged packet reached the LAN" equal 0 \
	"$(seen host-a lan 'udp.port == 7 || ip.frag_offset > 0 || ipv6.nxt == 44')"
claim "nothing left the forged ports answered" equal 0 "$(seen wan wan2 'udp.srcport == 161')"

decrypted()
{
	tshark -r "$TB_DIR/wan/wan.pcap" -o esp.enable_encryption_decode:TRUE \
		-o esp.enable_authentication_check:TRUE \
		-o "uat:esp_sa:\"$1\",\"$2\",\"$3\",\"$4\",\"AES-CBC [RFC3602]\",\"0x$5\",\"HMAC-SHA-256-128 [RFC4868]\",\"0x$6\"" \
		-Y "$7" 2>/dev/null | wc -l
}
claim "tshark opens every IPv4 request with the keys that were set" test \
	"$(decrypted IPv4 192.0.2.1 198.51.100.1 0x00001000 "$tb_ab_enc" "$tb_ab_auth" \
		'esp.spi == 0x1000 && icmp && esp.icv_good == 1')" -ge 10
claim "tshark opens every IPv6 request with the keys that were set" test \
	"$(decrypted IPv6 2001:db8:a::1 2001:db8:b::1 0x00001001 "$tb_ab6_enc" "$tb_ab6_auth" \
		'esp.spi == 0x1001 && icmpv6 && esp.icv_good == 1')" -ge 10
claim "with another key it opens none" equal 0 \
	"$(decrypted IPv4 192.0.2.1 198.51.100.1 0x00001000 "$tb_ba_enc" "$tb_ba_auth" \
		'esp.spi == 0x1000 && icmp && icmp.type == 8')"
# The engine's other attachment, on the capture: what tshark opens, and nothing but the replays.
by_capture()
{
	cat >"$TB_DIR/secrets" <<-SECRETS
		0x1000@198.51.100.1 aes256-cbc:0x$tb_ab_enc+hmac-sha2-256-128:0x$tb_ab_auth replay=64
		0x1001@2001:db8:b::1 aes256-cbc:0x$tb_ab6_enc+hmac-sha2-256-128:0x$tb_ab6_auth replay=64
	SECRETS
	"$TB_BUILD/ipsp-pcap/ipsp-pcap" decap -q -E "$TB_DIR/secrets" "$TB_DIR/wan/wan.pcap" "$TB_DIR/host-a/opened.pcap" &&
	equal "5 5" "$(seen host-a opened 'icmp.type == 8 && ip.src == 10.1.0.2 && ip.dst == 10.2.0.2 && frame.len < 200') $(seen \
		host-a opened 'icmpv6.type == 128 && ipv6.src == fd00:1::2')"
}
claim "ipsp-pcap takes the same packets out of the capture" by_capture

sequence_numbers() { tshark -r "$TB_DIR/wan/wan.pcap" -Y "esp.spi == $1" -T fields -e esp.sequence 2>/dev/null; }
claim "sequence numbers rise by one from 1 on" equal \
	"$(seq 1 "$(sequence_numbers 0x1000 | wc -l)")" "$(sequence_numbers 0x1000)"

claim "show spd names the rule and counts its packets" says 'tunnel-out' tb_ctl router-a show spd
claim "show sad shows the SA" says '0x00001000' tb_ctl router-a show sad
claim "the replayed packet is counted as a replay" says 'replay' tb_ctl router-a show stats
claim "the damaged packet is counted as such" says 'icv' tb_ctl router-a show stats
claim "the rule is in force, says the MIB" says 'true' \
	tb_snmp snmpget router-a 'ipspdRuleInForce."tunnel-out"'
claim "a secret reads as nothing" says '""' tb_snmp snmpget router-a -Oqv 'ipsaCredCredential."ab-enc"'
in_database()
{
	/usr/bin/python3 - "$1" "$TB_DIR/router-a/state" <<-'PY'
		import pathlib, sys
		key = bytes.fromhex(sys.argv[1])
		files = [f for f in pathlib.Path(sys.argv[2]).rglob("*") if f.is_file()]
		assert files
		sys.exit(not any(key in f.read_bytes() for f in files))
	PY
}
claim "no secret is on disk in the clear" not in_database "$tb_ab_enc"
