# tests/net/test_fast_send.sh - ESP by packet sockets (fast-send): that it goes so, when it does not, and that
# routes and neighbours are followed.

. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
echo 'fast-send = "packet"' >"$TB_DIR/options"
for t_r in router-a router-b; do
	tb_snmpd $t_r
done
tb_ipspd router-a -c "$TB_DIR/options"
tb_ipspd router-b
for t_r in router-a router-b; do
	tb_ctl $t_r wait --snmp --timeout 30
	# What the kernel's IP sends of ESP.
	tb_in $t_r nft 'table inet seen { chain output { type filter hook output priority 0; meta l4proto esp counter; }; }'
done
claim "a whole policy is SET on both routers, in force after wait" tb_policies

# fast ROUTER, slow ROUTER: packets of ESP so far by packet sockets, by the kernel.
fast()
{
	t_fast=$(tb_ctl "$1" show stats | sed -n 's/^packets sent by packet socket: //p')
	echo "${t_fast:-0}"
}
slow() { tb_in "$1" nft list chain inet seen output | sed -n 's/.*counter packets \([0-9]*\) .*/\1/p'; }

# went FAST SLOW COMMAND..: it succeeds, and router-a sends so many packets, each way.
went()
{
	t_want="$1 $2"
	shift 2
	t_f=$(fast router-a) t_s=$(slow router-a)
	"$@" && equal "$t_want" "$(($(fast router-a) - t_f)) $(($(slow router-a) - t_s))"
}

# far, gateway FAMILY: addresses. ping_df FAMILY COUNT; by_itself FAMILY: a ping by which the packet socket is used again.
far() { case $1 in 4) echo 10.2.0.2 ;; 6) echo fd00:2::2 ;; esac; }
ping_df() { tb_in host-a ping "-$1" -q -c "$2" -i 0.1 -W 2 -M 'do' "$(far "$1")"; }
by_itself() { went 1 0 ping_df "$1" 1; }
gateway() { case $1 in 4) echo 192.0.2.254 ;; 6) echo 2001:db8:a::fe ;; esac; }

for t_family in 4 6; do
	tb_in router-a sysctl -qw net.ipv$t_family.neigh.wan.delay_first_probe_time=1
	pin router-a wan "$(gateway $t_family)" wan a
	claim "IPv$t_family: ESP leaves by packet sockets, and none by the kernel" went 5 0 ping_df $t_family 5
done
claim "a packet that may be cut is the kernel's, who numbers it" went 0 1 \
	tb_in host-a ping -4 -q -c 1 -W 2 -M dont 10.2.0.2
claim "... and what follows it is not" went 1 0 ping_df 4 1

# Two fragments as long as the link, each cut in two by the engine, and a short one.
claim "what is longer than the link goes in pieces, by the kernel" went 0 5 \
	tb_in host-a ping -4 -q -c 1 -W 2 -M dont -s 2972 10.2.0.2

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

claim "another engine comes" fell router-a engine
tb_ctl router-a wait --timeout 30
for t_family in 4 6; do
	pin router-a wan "$(gateway $t_family)" wan a
	claim "IPv$t_family: it sends by packet sockets, too" went 3 0 ping_df $t_family 3
done

# Another way to the peer.
tb_link router-a alt wan c
tb_addr router-a alt 203.0.113.1/24 2001:db8:c::1/48
tb_addr wan c 203.0.113.254/24 2001:db8:c::fe/48
tb_in wan sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.c.rp_filter=0
pin router-a alt 203.0.113.254 wan c
pin router-a alt 2001:db8:c::fe wan c
sniff wan c alt esp
tb_in router-a ip route add 198.51.100.1 via 203.0.113.254 src 192.0.2.1
tb_in router-a ip -6 route add 2001:db8:b::1 via 2001:db8:c::fe src 2001:db8:a::1
for t_family in 4 6; do
	claim "IPv$t_family: a route to another next hop is followed" went 3 0 ping_df $t_family 3
done
unsniff wan alt
claim "... by all packets" equal 6 "$(caught wan alt)"
tb_in router-a ip route replace 198.51.100.1 src 192.0.2.1 nexthop via 203.0.113.254 nexthop via 192.0.2.254
tb_in router-a ip -6 route del 2001:db8:b::1
tb_in router-a ip -6 route add 2001:db8:b::1 src 2001:db8:a::1 nexthop via 2001:db8:c::fe nexthop via 2001:db8:a::fe
for t_family in 4 6; do
	claim "IPv$t_family: of several next hops the kernel chooses" went 0 1 ping_df $t_family 1
done

claim "without the option nothing leaves by packet sockets" equal 0 "$(fast router-b)"
claim "... and all by the kernel" test "$(slow router-b)" -ge 20
conclude
