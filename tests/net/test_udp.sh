# tests/net/test_udp.sh - ESP in UDP through a NAT, tunnel and transport mode, one end with offload on its TUN
# and one without: octets compared by the receivers, checksums judged by their kernels, the WAN by tshark. The
# end outside does not know where the NAT puts the other one, and learns it from authenticated packets.
# With TB_ATTACH=pcap the ends are bumps in the wire, of tunnels alone.

. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology

MARK=0x69700000/0xffff0000
KEY=000102030405060708090a0b0c0d0e0f
NAT=198.51.100.254

case $TB_ATTACH in
pcap) device=pcap:lan,wan plain='' workers='' ends='host-a host-b' ;;
*) device=ipsp0 plain=plain workers=2 ends='host-a host-b router-a router-b' ;;
esac

# driver ROUTER [plain] [WORKERS]: its engine; commands go to its fifo, which is held open.
driver()
{
	mkfifo "$TB_DIR/$1/commands"
	# shellcheck disable=SC2086
	ip netns exec "$(tb_ns "$1")" "$TB_BUILD/tests/net/engine-driver" $device ${2:-} ${3:-} \
		<"$TB_DIR/$1/commands" >"$TB_DIR/$1/driver.log" 2>&1 &
	TB_PIDS="$TB_PIDS $!"
}
tell() { t_to=$TB_DIR/$1/commands; shift; echo "$*" >>"$t_to"; }
heard() { grep -q -- "$2" "$TB_DIR/$1/driver.log"; }

# steer ROUTER OWN PREFIX..: what goes there passes the engine, but for what the engine lets out itself.
steer()
{
	[ $TB_ATTACH != pcap ] || return 0
	t_r=$1
	tb_in "$t_r" ip route add default dev ipsp0 src "$2" table 99
	shift 2
	tb_in "$t_r" ip rule add pref 100 fwmark $MARK lookup main
	tb_in "$t_r" ip rule add pref 101 iif ipsp0 lookup main
	for t_p; do tb_in "$t_r" ip rule add pref 102 to "$t_p" lookup 99; done
}

# pair ROUTER ID MODE LOCAL REMOTE PORT SPI-OUT SPI-IN: two SAs, of which the outbound one follows
pair()
{
	tell "$1" sa "$2" out "$3" "$7" "$4" "$5" "${KEY}00010203" gcm
	tell "$1" encap 4500 "$6" 1
	tell "$1" sa $(($2 + 1)) in "$3" "$8" "$4" any "${KEY}00010203" gcm
	tell "$1" encap "$6" 4500 0
}

# tunnel ROUTER GENERATION OWN-LAN THEIR-LAN OWN THEIRS: between the LANs, SAs 1 and 2
tunnel()
{
	tell "$1" begin "$2"
	pair "$1" 1 tunnel "$5" "$6" 4500 "$7" "$8"
	tell "$1" list wan out
	tell "$1" entry 11 protect 1 quiet "$3" "$4"
	tell "$1" list wan in
	tell "$1" entry 13 protect 2 quiet "$4" "$3"
	tell "$1" commit
}

# transport ROUTER GENERATION OWN THEIRS SPI-OUT SPI-IN: between the routers themselves, SAs 3 and 4
transport()
{
	tell "$1" begin "$2"
	pair "$1" 3 transport "$3" "$4" 4500 "$5" "$6"
	tell "$1" list wan out
	tell "$1" entry 12 protect 3 quiet "$3/32" "$4/32"
	tell "$1" list wan in
	tell "$1" entry 14 protect 4 quiet "$4/32" "$3/32"
	tell "$1" commit
}

tb_in wan nft -f - <<NFT
table ip nat {
	chain post {
		type nat hook postrouting priority 100
		oifname "b" ip protocol udp masquerade to :6000-6009
		oifname "b" masquerade
	}
}
NFT
driver router-a $workers
exec 8>>"$TB_DIR/router-a/commands"
driver router-b $plain $workers
exec 9>>"$TB_DIR/router-b/commands"
for r in router-a router-b; do tb_until 20 heard $r '^engine '; done
steer router-a 192.0.2.1 10.2.0.0/16 198.51.100.1
steer router-b 198.51.100.1 10.1.0.0/16 $NAT
tunnel router-a 1 10.1.0.0/16 10.2.0.0/16 192.0.2.1 198.51.100.1 0x1001 0x2001
tunnel router-b 1 10.2.0.0/16 10.1.0.0/16 198.51.100.1 $NAT 0x2001 0x1001
for r in router-a router-b; do tb_until 20 heard $r 'applied 1'; done

tb_start wan capture tcpdump -i b -s 200 --immediate-mode -U -w "$TB_DIR/wan.pcap" -Z root
tb_until 10 grep -q 'listening on' "$TB_DIR/wan/capture.log"
tb_until 10 tb_in host-a ping -q -c 1 -W 1 10.2.0.2
claim "the end outside learns where the NAT has put the other one" \
	tb_until 10 heard router-b "its peer is at $NAT port 600[0-9] now, and packets go there"
claim "TCP and UDP cross in tunnel mode, whole" \
	/usr/bin/python3 "$TB_SRC/tests/net/transfer.py" "$(tb_ns host-a)" "$(tb_ns host-b)" 10.2.0.2
spis='00001001 00002001'
if [ $TB_ATTACH != pcap ]; then
	transport router-a 2 192.0.2.1 198.51.100.1 0x1002 0x2002
	transport router-b 2 198.51.100.1 $NAT 0x2002 0x1002
	for r in router-a router-b; do tb_until 20 heard $r 'applied 2'; done
	tb_until 10 tb_in router-a ping -q -c 1 -W 1 198.51.100.1
	claim "TCP and UDP cross the NAT in transport mode, whole" \
		/usr/bin/python3 "$TB_SRC/tests/net/transfer.py" "$(tb_ns router-a)" "$(tb_ns router-b)" 198.51.100.1
	spis="$spis 00001002 00002002"
fi

# both ROUTER OWN-LAN THEIR-LAN OWN THEIRS TUNNEL-OUT TUNNEL-IN OUT IN: the rule for the routers would match the
# tunnel's own packets, too.
both()
{
	tell "$1" begin 3
	pair "$1" 1 tunnel "$4" "$5" 4500 "$6" "$7"
	pair "$1" 3 transport "$4" "$5" 4500 "$8" "$9"
	tell "$1" list wan out
	tell "$1" entry 12 protect 3 quiet "$4/32" "$5/32"
	tell "$1" entry 11 protect 1 quiet "$2" "$3"
	tell "$1" list wan in
	tell "$1" entry 14 protect 4 quiet "$5/32" "$4/32"
	tell "$1" entry 13 protect 2 quiet "$3" "$2"
	tell "$1" commit
}
both router-a 10.1.0.0/16 10.2.0.0/16 192.0.2.1 198.51.100.1 0x1001 0x2001 0x1002 0x2002
both router-b 10.2.0.0/16 10.1.0.0/16 198.51.100.1 $NAT 0x2001 0x1001 0x2002 0x1002
for r in router-a router-b; do tb_until 20 heard $r 'applied 3'; done
tb_until 10 tb_in host-a ping -q -c 1 -W 1 10.2.0.2
claim "TCP and UDP cross the tunnel whole, with the rule between the routers before it" \
	/usr/bin/python3 "$TB_SRC/tests/net/transfer.py" "$(tb_ns host-a)" "$(tb_ns host-b)" 10.2.0.2

wrong_checksums()
{
	tb_in "$1" nstat -asz TcpInCsumErrors UdpInCsumErrors | awk 'NR > 1 { n += $2 } END { print n + 0 }'
}
for h in $ends; do
	claim "the kernel of $h has seen no wrong checksum" equal "$(wrong_checksums $h)" 0
done
keepalive_came()
{
	tell router-b stats
	heard router-b '^drop keepalive [1-9]'
}
claim "a keepalive comes when nothing else is sent, and is counted" tb_until 10 keepalive_came

unsniff wan capture
claim "tshark sees ESP in UDP and nothing else on the WAN" equal \
	"$(tshark -n -r "$TB_DIR/wan.pcap" -Y 'ip && !(udp.port == 4500)' 2>/dev/null | head -3)" ""
for spi in $spis; do
	claim "tshark sees SPI $spi" test -n \
		"$(tshark -n -r "$TB_DIR/wan.pcap" -Y "udpencap && esp.spi == 0x$spi" -c 4000 2>/dev/null | head -1)"
done
conclude
