# tests/net/test_ike_gateway.sh - tunnels through a real NAT: two of us behind it, one in front, as a gateway. Both clients
# are at the NAT's address for the gateway, which knows them by their names. What is in UDP is judged by tshark; the
# NAT forgets who is where, and all goes on. Transport mode, AH, narrow paths and a firewall that drops everything.

. "$TB_SRC/tests/net/lib.sh"
tb_init
command -v nft >/dev/null || { echo "nftables are not installed"; exit 77; }

for space in c1 c2 nat gw host; do
	ip netns add "$(tb_ns $space)"
	TB_SPACES="$TB_SPACES $(tb_ns $space)"
	tb_in $space ip link set lo up
	mkdir -p "$TB_DIR/$space"
done
for n in 1 2; do
	tb_link c$n wan nat lan$n
	tb_addr c$n wan 192.168.$n.2/24
	tb_addr nat lan$n 192.168.$n.1/24
	# Where the tunnel ends for the client: an address of its own.
	tb_addr c$n lo 10.2$n.0.1/32
	tb_in c$n ip route add default via 192.168.$n.1
	tb_in c$n ip route add 10.1.0.0/16 via 192.168.$n.1 src 10.2$n.0.1
done
tb_link nat wan gw wan
tb_link gw lan host lan
tb_addr nat wan 192.0.2.2/24
tb_addr gw wan 192.0.2.1/24
tb_addr gw lan 10.1.0.1/16
tb_addr host lan 10.1.0.2/16
tb_in host ip route add default via 10.1.0.1
tb_in gw ip route add default via 192.0.2.2
tb_forward nat
tb_forward gw

# masquerade PORTS: which the NAT has from then on.
masquerade()
{
	tb_in nat nft -f - <<-NFT
		table ip nat
		delete table ip nat
		table ip nat {
			chain out {
				type nat hook postrouting priority srcnat
				oifname "wan" ip protocol udp masquerade to $1
			}
		}
	NFT
}
claim "there is a NAT" masquerade :10000-19999
for r in c1 c2 gw; do
	tb_snmpd $r
	tb_ipspd $r
	tb_ctl $r wait --snmp --timeout 30
done

# named ROUTER US: we are that to all. peer ROUTER NAME ADDRESS-HEX WHO; tunnel ROUTER NAME NUMBER OURS THEIRS US: a rule for
# that peer.
named()
{
	t_wan=$(tb_ifindex $1 wan)
	tb_set $1 "ipiaIkeIdCredentialName.$t_wan.2.\"$2\"" s '' "ipiaIkeIdRowStatus.$t_wan.2.\"$2\"" i createAndGo
}
peer()
{
	tb_set $1 "ipsaPeerIdType.\"$2\".0" u 2 "ipsaPeerIdValue.\"$2\".0" s $4 "ipsaPeerIdAddressType.\"$2\".0" i 1 \
		"ipsaPeerIdAddress.\"$2\".0" x $3 "ipsaPeerIdCredentialName.\"$2\".0" s psk "ipsaPeerIdRowStatus.\"$2\".0" i createAndGo
}
tunnel()
{
	t_child $1 $2 4 $2 tunnel p2 $3 $4 $5 16
	tb_set $1 "ipiaIkeActIdentityType.\"ike-$2\"" u 2 "ipiaIkeActIdentityContext.\"ike-$2\"" s $6
}
client()
{
	t_psk c$1
	t_proposals c$1 1
	named c$1 c$1.example
	peer c$1 gw C0000201 gw.example
	tunnel c$1 gw 11 0A$(printf %02X $((20 + $1)))0000 $tb_lan4a c$1.example
	t_in_force c$1
}
gateway()
{
	t_psk gw
	t_proposals gw 1
	named gw gw.example
	for n in 1 2; do
		peer gw c$n C0000202 c$n.example
		tunnel gw c$n 1$n $tb_lan4a 0A$(printf %02X $((20 + n)))0000 gw.example
	done
	t_in_force gw
}
for n in 1 2; do claim "rows are SET on client $n" eval "client $n"; done
claim "rows are SET on the gateway" gateway
log=$TB_DIR/gw/ipspd.log
both() { for n in 1 2; do pings c$n 10.1.0.2 && pings host 10.2$n.0.1 || return 1; done; }
# ports CAPTURE FILTER: from how many that was sent.
ports() { tshark -r "$TB_DIR/nat/$1.pcap" -Y "$2" -T fields -e udp.srcport 2>/dev/null | sort -u | wc -l; }

sniff nat wan tunnel
for n in 1 2; do
	claim "client $n reaches the host, by its first packet" tb_in c$n ping -q -c 1 -W 20 10.1.0.2
done
claim "the host and both clients reach each other" both
unsniff nat tunnel
claim "as ESP in UDP" test "$(seen nat tunnel 'udp.port == 4500 && esp')" -ge 24
claim "... from two ports of the NAT" equal 2 "$(ports tunnel 'esp && ip.src == 192.0.2.2')"
claim "... and nothing else" equal 0 "$(seen nat tunnel 'icmp || (ip.proto == 50)')"

# ---- who is silent ----
# Nothing goes by either tunnel any more; what keeps the mappings is longer than any conversation: it is waited for.
sniff nat wan silent 'udp port 4500'
alive() { equal 2 "$(ports silent 'udp.length == 9 && ip.dst == 192.0.2.1')"; }
claim "both clients keep what the NAT has mapped" tb_until 60 alive
unsniff nat silent
claim "... with an octet of 0xff" equal ff "$(tshark -r "$TB_DIR/nat/silent.pcap" -d udp.port==4500,data -Y 'udp.length == 9' \
	-T fields -e data 2>/dev/null | sort -u)"

# ---- other mappings: what is masqueraded goes with its interface ----
tb_in nat ip link set wan down
masquerade :20000-29999
tb_in nat ip link set wan up
tb_until 10 tb_in nat grep -q up /sys/class/net/wan/operstate
sniff nat wan mapped 'udp port 4500'
# What the gateway sends before it has heard of another port is lost: hence until.
again() { for n in 1 2; do tb_in c$n ping -q -c 1 -W 1 10.1.0.2 || return 1; done; }
claim "by other ports of the NAT the clients reach the host" tb_until 10 again
claim "... and it them" both
unsniff nat mapped
claim "... by those ports" eval 'equal 2 "$(ports mapped "esp && ip.src == 192.0.2.2 && udp.srcport >= 20000")" &&
	equal 0 "$(ports mapped "esp && ip.src == 192.0.2.2 && udp.srcport < 20000")"'
claim "... as the gateway has seen" eval '[ "$(grep -c "its peer is at 192.0.2.2 port 2" "$log")" -ge 2 ]'
children() { grep -c 'Child SA with .* SPI' "$log" || :; }
before=$(children)
claim "... by which both ask for other keys" eval 'tb_ctl c1 rekey child-gw && tb_ctl c2 rekey child-gw'
claim "... and get them" tb_until 10 eval '[ "$(children)" -ge $((before + 2)) ]'

# ---- a client with another address of its own: MOBIKE ----
tb_addr c1 wan 192.168.1.3/24
tb_in c1 sysctl -qw net.ipv4.conf.wan.promote_secondaries=1
before=$(grep -c 'established with' "$log")
tb_in c1 ip addr del 192.168.1.2/24 dev wan
tb_in c1 ip route replace default via 192.168.1.1
tb_in c1 ip route replace 10.1.0.0/16 via 192.168.1.1 src 10.21.0.1
claim "a client that moves goes on" tb_until 10 tb_in c1 ping -q -c 1 -W 1 10.1.0.2
claim "... and is found there" tb_until 10 both
claim "... under the same IKE SA" equal "$before" "$(grep -c 'established with' "$log")"

# ---- transport mode: the client is where the NAT is for the gateway ----
# host ROUTER PEER OURS THEIRS US
host()
{
	t_child $1 host 4 $2 transport p2 15 $3 $4 32
	tb_set $1 'ipiaIkeActIdentityType."ike-host"' u 2 'ipiaIkeActIdentityContext."ike-host"' s $5
	tb_ctl $1 wait
}
claim "a client and the gateway are to speak in transport mode" eval \
	'host c2 gw C0A80202 C0000201 c2.example && host gw c2 C0000201 C0000202 gw.example'
sniff nat wan host
claim "the first ping crosses" tb_in c2 ping -q -c 1 -W 20 192.0.2.1
claim "TCP and UDP cross whole, with checksums that fit" /usr/bin/python3 "$TB_SRC/tests/net/transfer.py" \
	"$(tb_ns c2)" "$(tb_ns gw)" 192.0.2.1
unsniff nat host
claim "... as ESP in UDP" test "$(seen nat host 'udp.port == 4500 && esp')" -ge 100
claim "... and nothing else" equal 0 "$(seen nat host 'tcp || icmp || (udp && !(udp.port == 4500 || udp.port == 500))')"
wrong_checksums() { tb_in $1 nstat -asz TcpInCsumErrors UdpInCsumErrors | awk 'NR > 1 { n += $2 } END { print n + 0 }'; }
for r in c2 gw; do claim "the kernel of $r has seen no wrong checksum" equal 0 "$(wrong_checksums $r)"; done

# ---- AH, which a NAT spoils ----
ah()
{
	tb_set c2 'ipsaAhTranMaxLifetimeSec."ah"' u 3600 'ipsaAhTranMaxLifetimeKB."ah"' u 0 \
		'ipsaAhTranAlgorithm."ah"' u 5 'ipsaAhTranReplayProtection."ah"' i true \
		'ipsaAhTranReplayWindowSize."ah"' u 64 'ipsaAhTranRowStatus."ah"' i createAndGo \
		'ipiaIpsecTranTransformName.2."ah".0' s ah 'ipiaIpsecTranRowStatus.2."ah".0' i createAndGo \
		'ipiaIpsecPropTransformsName."ah".0.2' s ah 'ipiaIpsecPropRowStatus."ah".0.2' i createAndGo
	t_child c2 ah 4 gw tunnel ah 16 0A160000 0A030000 16
	tb_set c2 'ipiaIkeActIdentityType."ike-ah"' u 2 'ipiaIkeActIdentityContext."ike-ah"' s c2.example
	tb_ctl c2 wait
}
claim "a client has a rule for AH" ah
tb_in c2 ping -q -c 1 -W 0.2 -I 10.22.0.1 10.3.0.1 || :
refused='AH does not pass the NAT'
claim "AH is not asked for through the NAT" tb_until 10 grep -q "IKE_AUTH fails: $refused" "$TB_DIR/c2/ipspd.log"
claim "... as is to be read in the MIB" tb_until 10 says "$refused" tb_snmp snmpget c2 'ipspdConnReason.ike."child-ah"."ike-ah"'

# ---- a path through the NAT that is narrower than both ends ----
ping_of() { tb_in $1 ping -4 -c 4 -i 0.2 -W 2 -M do -s $2 $3; }
tb_in nat ip link set dev lan2 mtu 1300
tb_in c2 ip link set dev wan mtu 1300
claim "the gateway learns how narrow the path of a client is, by errors about UDP" says 'mtu = 12' ping_of host 1372 10.22.0.1
claim "... and what fits it crosses" ping_of host 1100 10.22.0.1

# ---- a firewall that drops everything but what ipspctl prints ----
closed()
{
	tb_in gw nft -f - <<-NFT
		table inet closed {
			chain input { type filter hook input priority 10; policy drop; iifname "lo" accept; }
			chain output { type filter hook output priority 10; policy drop; oifname "lo" accept; }
			chain forward { type filter hook forward priority 10; policy drop; }
		}
	NFT
}
printed() { tb_ctl gw firewall closed ipspd0 >"$TB_DIR/rules.nft" && tb_in gw nft -f "$TB_DIR/rules.nft"; }
claim "a firewall of the gateway's drops everything" closed
claim "... tunnels, too" silent c1 10.1.0.2
claim "with the printed rules" printed
claim "... all is negotiated anew" eval 'tb_ctl c1 flush && tb_until 20 pings c1 10.1.0.2 1'
claim "... and all clients and the host reach each other" tb_until 20 both
conclude
