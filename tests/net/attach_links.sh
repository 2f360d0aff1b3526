# shellcheck shell=sh
# tests/net/attach_links.sh - interfaces and addresses that go and come while the daemon runs: what policy protects
# is never in the clear, and flows again without anyone's doing. Part of attach.sh.

routes_a()
{
	tb_in router-a ip route replace default via 192.0.2.254
	tb_in router-a ip -6 route replace default via 2001:db8:a::fe
}
both() { pings host-a 10.2.0.2 1 && pings host-a fd00:2::2 1; }

sniff wan a links "$t_leaked"
tb_in router-a ip addr del 192.0.2.1/24 dev wan
tb_in router-a ip addr del 2001:db8:a::1/48 dev wan
claim "without its outer addresses nothing passes, IPv4" silent host-a 10.2.0.2
claim "... nor IPv6" silent host-a fd00:2::2
tb_addr router-a wan 192.0.2.1/24 2001:db8:a::1/48
routes_a
claim "with the addresses back everything does" tb_until 20 both
tb_in router-a ip link set wan down
claim "with the interface down nothing passes" silent host-a 10.2.0.2
tb_in router-a ip link set wan up
tb_in router-a ip -6 addr replace 2001:db8:a::1/48 dev wan nodad
routes_a
claim "with it up again everything does" tb_until 20 both
unsniff wan links

# Policy is for a number: who comes with it has the policy from the first packet on.
wan_a=$(tb_ifindex router-a wan)
tb_in router-a ip link del wan
claim "with the interface gone nothing passes" silent host-a 10.2.0.2
ip link add name wan index "$wan_a" netns "$(tb_ns router-a)" type veth peer name a netns "$(tb_ns wan)"
sniff_later() { tb_in wan ip link set dev a up && sniff wan a later "$t_leaked"; }
claim "an interface appears later, with its number" sniff_later
tb_in router-a ip link set wan up
tb_addr router-a wan 192.0.2.1/24 2001:db8:a::1/48
tb_addr wan a 192.0.2.254/24 2001:db8:a::fe/48
case $TB_ATTACH in
pcap)
	tb_addr wan a 10.1.0.1/16 fd00:1::1/32
	tb_in host-a ip neigh flush dev lan # its next hop has another link address now
	;;
*)
	tb_in wan ip route add 10.1.0.0/16 via 192.0.2.1
	tb_in wan ip -6 route add fd00:1::/32 via 2001:db8:a::1
	;;
esac
routes_a
claim "everything passes again" tb_until 30 both
claim "... and the other way" pings host-b 10.1.0.2
unsniff wan later
claim "nothing of it was in the clear, neither before" equal 0 "$(caught wan links)"
claim "... nor since" equal 0 "$(caught wan later)"
