# tests/net/test_fast_send.sh - ESP and AH by packet sockets (fast-send), without a ring from router-a, with one from
# router-b: that they go so, when they do not, and that routes and neighbours are followed.

. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
for t_r in router-a router-b; do
	tb_snmpd $t_r
done
echo 'fast-send = "packet"' >"$TB_DIR/router-a/options"
echo 'fast-send = "ring"' >"$TB_DIR/router-b/options"
for t_r in router-a router-b; do
	tb_ipspd $t_r -c "$TB_DIR/$t_r/options"
done
for t_r in router-a router-b; do
	tb_ctl $t_r wait --snmp --timeout 30
	# What the kernel's IP sends of both.
	tb_in $t_r nft 'table inet seen { chain output { type filter hook output priority 0; meta l4proto { esp, ah } counter; }; }'
done
claim "a whole policy is SET on both routers, in force after wait" tb_policies

# fast ROUTER, slow ROUTER: protected packets so far by packet sockets, by the kernel.
fast()
{
	t_fast=$(tb_ctl "$1" show stats | sed -n 's/^packets sent by packet socket: //p')
	echo "${t_fast:-0}"
}
slow() { tb_in "$1" nft list chain inet seen output | sed -n 's/.*counter packets \([0-9]*\) .*/\1/p'; }

# at ROUTER: which one the claims are about.
at()
{
	t_at=$1
	case $1 in
	router-a) t_host=host-a t_port=a t_far4=10.2.0.2 t_far6=fd00:2::2 t_gate4=192.0.2.254 t_gate6=2001:db8:a::fe
		t_own4=192.0.2.1 t_own6=2001:db8:a::1 t_peer4=198.51.100.1 t_peer6=2001:db8:b::1
		t_alt4=203.0.113 t_alt6=2001:db8:c ;;
	router-b) t_host=host-b t_port=b t_far4=10.1.0.2 t_far6=fd00:1::2 t_gate4=198.51.100.254 t_gate6=2001:db8:b::fe
		t_own4=198.51.100.1 t_own6=2001:db8:b::1 t_peer4=192.0.2.1 t_peer6=2001:db8:a::1
		t_alt4=198.18.0 t_alt6=2001:db8:d ;;
	esac
}

# went FAST SLOW COMMAND..: it succeeds, and the router sends so many packets, each way.
went()
{
	t_want="$1 $2"
	shift 2
	t_f=$(fast $t_at) t_s=$(slow $t_at)
	"$@" && equal "$t_want" "$(($(fast $t_at) - t_f)) $(($(slow $t_at) - t_s))"
}

# far, gateway FAMILY: addresses. ping_df FAMILY COUNT; by_itself FAMILY: a ping by which the packet socket is used again.
far() { eval "echo \$t_far$1"; }
gateway() { eval "echo \$t_gate$1"; }
ping_df() { tb_in $t_host ping "-$1" -q -c "$2" -i 0.1 -W 2 -M 'do' "$(far "$1")"; }
by_itself() { went 1 0 ping_df "$1" 1; }

# rings ROUTER: how many of its engine's workers share memory with a socket.
rings() { grep -c ' socket:\[' "/proc/$(tb_process "$1" engine)/maps"; }

for t_r in router-a router-b; do
	at $t_r
	for t_family in 4 6; do
		tb_in $t_at sysctl -qw net.ipv$t_family.neigh.wan.delay_first_probe_time=1
		pin $t_at wan "$(gateway $t_family)" wan $t_port
		claim "$t_at, IPv$t_family: ESP leaves by packet sockets, and none by the kernel" went 5 0 ping_df $t_family 5
	done
	claim "$t_at: a packet that may be cut is the kernel's, who numbers it" went 0 1 \
		tb_in $t_host ping -4 -q -c 1 -W 2 -M dont "$(far 4)"
	claim "... and what follows it is not" went 1 0 ping_df 4 1

	# Two fragments as long as the link, each cut in two by the engine, and a short one.
	claim "$t_at: what is longer than the link goes in pieces, by the kernel" went 0 5 \
		tb_in $t_host ping -4 -q -c 1 -W 2 -M dont -s 2972 "$(far 4)"
done
claim "router-a's engine has no ring" equal 0 "$(rings router-a)"
claim "each worker of router-b's has one" equal "$(nproc)" "$(rings router-b)"
claim "the MIB counts them, too" equal "$(fast router-b)" "$(tb_snmp snmpget router-b -Oqv ipspdSentByPacketSocket.0)"

at router-a
for t_family in 4 6; do
	tb_in router-a ip neigh change "$(gateway $t_family)" dev wan nud stale
	claim "IPv$t_family: a neighbour that may be gone is the kernel's" went 0 1 ping_df $t_family 1
	claim "... who finds it there, and then it is not" tb_until 20 by_itself $t_family
done

tb_in wan ip link set dev a address 02:00:00:00:00:77
for t_family in 4 6; do
	tb_in router-a ip neigh del "$(gateway $t_family)" dev wan
	claim "IPv$t_family: a neighbour with another link address is found by the kernel" went 0 1 ping_df $t_family 1
	claim "... and then packets leave for it by packet sockets" tb_until 20 by_itself $t_family
done

for t_r in router-a router-b; do
	at $t_r
	claim "$t_at: another engine comes" fell $t_at engine
	tb_ctl $t_at wait --timeout 30
	for t_family in 4 6; do
		pin $t_at wan "$(gateway $t_family)" wan $t_port
		claim "IPv$t_family: it sends by packet sockets, too" went 3 0 ping_df $t_family 3
	done
done
claim "router-b's has rings of its own" equal "$(nproc)" "$(rings router-b)"

# Another way to the peer.
tb_in wan sysctl -qw net.ipv4.conf.all.rp_filter=0
for t_r in router-a router-b; do
	at $t_r
	t_way=alt-$t_port
	tb_link $t_at alt wan $t_way
	tb_addr $t_at alt $t_alt4.1/24 $t_alt6::1/48
	tb_addr wan $t_way $t_alt4.254/24 $t_alt6::fe/48
	tb_in wan sysctl -qw net.ipv4.conf.$t_way.rp_filter=0
	pin $t_at alt $t_alt4.254 wan $t_way
	pin $t_at alt $t_alt6::fe wan $t_way
	sniff wan $t_way $t_way esp
	tb_in $t_at ip route add $t_peer4 via $t_alt4.254 src $t_own4
	tb_in $t_at ip -6 route add $t_peer6 via $t_alt6::fe src $t_own6
	for t_family in 4 6; do
		claim "$t_at, IPv$t_family: a route to another next hop is followed" went 3 0 ping_df $t_family 3
	done
	unsniff wan $t_way
	claim "... by all packets" equal 6 "$(caught wan $t_way)"
	claim "... from the interface's own link address" equal 6 \
		"$(seen wan $t_way "eth.src == $(tb_in $t_at cat /sys/class/net/alt/address)")"
done
at router-a
tb_in router-a ip route replace 198.51.100.1 src 192.0.2.1 nexthop via 203.0.113.254 nexthop via 192.0.2.254
tb_in router-a ip -6 route del 2001:db8:b::1
tb_in router-a ip -6 route add 2001:db8:b::1 src 2001:db8:a::1 nexthop via 2001:db8:c::fe nexthop via 2001:db8:a::fe
for t_family in 4 6; do
	claim "IPv$t_family: of several next hops the kernel chooses" went 0 1 ping_df $t_family 1
done
tb_in router-a ip route del 198.51.100.1
tb_in router-a ip -6 route del 2001:db8:b::1

# ah ROUTER OUT-KEY IN-KEY OUT-SPI IN-SPI: its rows, in use, get AH instead of ESP.
ah()
{
	tb_set "$1" 'ipsaAhTranMaxLifetimeSec."ah-sha256"' u 0 'ipsaAhTranMaxLifetimeKB."ah-sha256"' u 0 \
		'ipsaAhTranAlgorithm."ah-sha256"' u 5 'ipsaAhTranReplayProtection."ah-sha256"' i true \
		'ipsaAhTranReplayWindowSize."ah-sha256"' u 64 'ipsaAhTranRowStatus."ah-sha256"' i createAndGo
	tb_secret "$1" ab-ah "$t_ab_ah"
	tb_secret "$1" ba-ah "$t_ba_ah"
	for t_sa in "tunnel outbound $2 $4" "tunnel inbound $3 $5" "tunnel6 outbound $2 $(($4 + 1))" "tunnel6 inbound $3 $(($5 + 1))"; do
		# shellcheck disable=SC2086
		set -- "$1" $t_sa
		tb_set "$1" "ipsaSaPreActESPTransformName.\"$2\".$3" s "" "ipsaSaPreActESPEncSecretName.\"$2\".$3" s "" \
			"ipsaSaPreActESPAuthSecretName.\"$2\".$3" s "" "ipsaSaPreActAHSPI.\"$2\".$3" i "$5" \
			"ipsaSaPreActAHTransformName.\"$2\".$3" s ah-sha256 "ipsaSaPreActAHSharedSecretName.\"$2\".$3" s "$4-ah"
	done
	tb_ctl "$1" wait
}
t_ab_ah=$(tb_key) t_ba_ah=$(tb_key)
claim "router-a's SAs become AH" ah router-a ab ba 20480 24576
claim "router-b's SAs become AH" ah router-b ba ab 24576 20480
sniff wan a ah ah
for t_r in router-a router-b; do
	at $t_r
	for t_family in 4 6; do
		claim "$t_at, IPv$t_family: AH leaves by packet sockets" went 3 0 ping_df $t_family 3
	done
done
unsniff wan ah
claim "... as what it is" equal 24 "$(seen wan ah 'ah && (icmp || icmpv6)')"

# anew ATTACHMENT [OPTION..]: router-a's daemon with them.
anew()
{
	kill "$(tb_pid router-a ipspd)"
	tb_reap "$(tb_pid router-a ipspd)"
	TB_ATTACH=$1
	shift
	tb_ipspd router-a "$@"
	tb_ctl router-a wait --snmp --timeout 30
}
at router-a
claim "router-a's daemon comes by the kernel's queues, with rings" anew nfqueue -c "$TB_DIR/router-b/options"
claim "... its only worker has one" equal 1 "$(rings router-a)"
for t_family in 4 6; do
	claim "IPv$t_family: by packet sockets, too" went 3 0 ping_df $t_family 3
done
claim "it comes by the TUN, without the option" anew tun
claim "without the option nothing leaves by packet sockets" went 0 3 tb_in host-a ping -4 -q -c 3 -i 0.1 -W 2 10.2.0.2
conclude
