# tests/net/test_pcap_wire.sh - what is particular to a bump in the wire: frames, sizes, interfaces, and that
# the kernel is no way round it.

TB_ATTACH=pcap
. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers

forge() { tb_in host-a /usr/bin/python3 "$TB_SRC/tests/net/forge.py" lan "$@"; }

# transfer FROM TO-SPACE TO-ADDRESS: some megabytes by TCP, whole and unchanged, both ways.
cat >"$TB_DIR/transfer.py" <<'PY'
import hashlib, os, socket, sys

def receive(s):
    data = bytearray()
    while part := s.recv(1 << 16):
        data += part
    return bytes(data)

family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
s = socket.socket(family)
s.settimeout(60)
if sys.argv[1] == "serve":
    s.bind((sys.argv[2], 7777))
    s.listen()
    print("listening", flush=True)
    peer = s.accept()[0]
    peer.settimeout(60)
    peer.sendall(receive(peer))
else:
    s.connect((sys.argv[2], 7777))
    data = os.urandom(3000000)
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
    assert receive(s) == data
PY
transfer()
{
	t_round=$((${t_round:-0} + 1))
	tb_start "$2" "serve$t_round" /usr/bin/python3 "$TB_DIR/transfer.py" serve "$3"
	tb_until 20 grep -q listening "$TB_DIR/$2/serve$t_round.log"
	tb_in "$1" /usr/bin/python3 "$TB_DIR/transfer.py" fetch "$3"
}
# largest SPACE IF NAME: octets of the largest frame captured there.
largest() { tshark -r "$TB_DIR/$1/$2.pcap" -Y "$3" -T fields -e ip.len 2>/dev/null | sort -n | tail -n 1; }

# Without policy.
sniff host-b lan large
claim "TCP in large segments with unfinished checksums crosses two bumps" transfer host-a host-b 10.2.0.2
unsniff host-b large
claim "... cut to what a wire takes" equal 1500 "$(largest host-b large 'tcp.dstport == 7777')"
claim "... with good checksums" equal 0 "$(tshark -r "$TB_DIR/host-b/large.pcap" -o tcp.check_checksum:TRUE \
	-Y 'tcp.dstport == 7777 && tcp.checksum.status == 0' 2>/dev/null | wc -l)"
claim "IPv6 likewise" transfer host-a host-b fd00:2::2
sniff wan a frames
claim "a frame of another protocol is tried" forge 10.1.0.1 other
claim "a frame with a VLAN tag" forge 10.1.0.1 vlan 10.1.0.2 10.2.0.2
claim "an ARP request with octets behind it" forge 10.1.0.1 arp 10.1.0.2 10.1.0.1
claim "a packet behind them crosses" pings host-a 10.2.0.2 1
unsniff wan frames
claim "... they did not" equal 0 "$(seen wan frames 'eth.type == 0x88b5 || vlan || udp.port == 7')"
claim "... but for ARP" test "$(seen wan frames 'arp.opcode == 1 && arp.src.proto_ipv4 == 10.1.0.2')" -ge 1
claim "... without what does not belong to it" equal 0 "$(seen wan frames 'arp && frame contains "forged"')"
claim "the two are counted" tb_until 20 says 'not-ip' tb_ctl router-a show stats

# The kernel of the bump, which is ready to forward.
tb_forward router-a
pin host-a lan 10.1.0.77 router-a lan
sniff wan a kernel
claim "a packet to the bump's own link address is tried" forge 10.1.0.77 udp 10.1.0.2 10.2.0.2 4807
claim "a packet behind it crosses" pings host-a 10.2.0.2 1
unsniff wan kernel
claim "... the kernel did not forward it" equal 0 "$(seen wan kernel 'udp.port == 4807')"

# With policy: sizes.
claim "a whole policy is SET on both routers" tb_policies
# Other addresses, for a sender remembers what it learnt about one.
tb_addr host-b lan 10.2.0.3/16 10.2.0.4/16 fd00:2::3/32
claim "a packet that does not fit and must not be cut is refused" says 'Frag needed and DF set (mtu' \
	tb_in host-a ping -c 1 -W 1 -s 1472 -M do 10.2.0.3
fits=$(sed -n 's/.*(mtu = \([0-9]*\)).*/\1/p' "$TB_DIR/says.out" | head -n 1)
claim "... with a size that fits" tb_in host-a ping -q -c 1 -W 2 -s $((${fits:-2000} - 28)) -M do 10.2.0.3
claim "IPv6 is refused likewise" says 'Packet too big: mtu' \
	tb_in host-a ping -c 1 -W 1 -s 1452 -M do fd00:2::3
fits=$(sed -n 's/.*mtu=\([0-9]*\).*/\1/p' "$TB_DIR/says.out" | head -n 1)
claim "... with a size that fits" tb_in host-a ping -q -c 1 -W 2 -s $((${fits:-2000} - 48)) -M do fd00:2::3
claim "TCP crosses the tunnel, as its sender learns what fits" transfer host-a host-b 10.2.0.2
claim "IPv6 likewise" transfer host-a host-b fd00:2::2
sniff wan a cut
claim "one that may be cut crosses" tb_in host-a ping -q -c 2 -i 0.1 -W 2 -s 1472 -M dont 10.2.0.4
unsniff wan cut
claim "... in fragments around ESP" test "$(seen wan cut 'ip.frag_offset > 0 && ip.src == 192.0.2.1')" -ge 2

# RED's own list discards what it does not let in.
red=$(tb_ifindex router-a lan)
red_list()
{
	tb_set router-a "spdEndGroupName.inbound.$red" s wan-in "spdEndGroupRowStatus.inbound.$red" i createAndGo &&
	tb_ctl router-a wait
}
claim "RED gets a list that lets in nothing of its hosts" red_list
claim "... and what BLACK's would protect is dropped" silent host-a 10.2.0.2
claim "RED's list is taken away and its interface freed" eval 'tb_set router-a \
	"spdEndGroupRowStatus.inbound.$red" i destroy && tb_ctl router-a release lan inbound && tb_ctl router-a wait'
claim "... and all crosses as before" pings host-a 10.2.0.2
red_protects()
{
	tb_rule router-a red-back 21 tunnel outbound red-out 10 &&
	tb_set router-a "spdEndGroupName.outbound.$red" s red-out "spdEndGroupRowStatus.outbound.$red" i createAndGo &&
	tb_ctl router-a wait
}
claim "RED gets a list that protects what leaves towards its hosts" red_protects
claim "... which would be an SA inside of the boundary, and drops" silent host-a 10.2.0.2
claim "... counted as that" tb_until 20 says 'inside-protect' tb_ctl router-a show stats
claim "that list is taken away and its interface freed" eval 'tb_set router-a \
	"spdEndGroupRowStatus.outbound.$red" i destroy && tb_ctl router-a release lan outbound && tb_ctl router-a wait'
claim "... and all crosses again" pings host-a 10.2.0.2

# The interfaces.
tb_in router-a ip link set lan down
tb_in router-a ip link set lan up
tb_in router-a ip route replace 10.1.0.0/16 dev lan
claim "an interface goes down and up" tb_until 20 pings host-a 10.2.0.2 1
old=$(tb_process router-a engine)
tb_in router-a ip link del lan
claim "an interface is removed: the engine says so and ends" \
	tb_until 20 grep -q 'an interface is gone' "$TB_DIR/router-a/ipspd.log"
tb_link host-a lan router-a lan
tb_addr host-a lan 10.1.0.2/16 fd00:1::2/32
tb_in host-a ip route add default via 10.1.0.1
tb_in router-a ip route add 10.1.0.0/16 dev lan
claim "it comes again: so does the engine, with policy in force" tb_until 30 pings host-a 10.2.0.2 1
claim "... as another process" not equal "$old" "$(tb_process router-a engine)"

# No daemon, no wire; and no kernel in its place.
kill "$(tb_pid router-a ipspd)"
tb_reap "$(tb_pid router-a ipspd)"
claim "without the daemon not even ARP crosses" not arp_crosses
claim "the kernel still forwards nothing" eval "tb_in router-a ip rule | grep -q '26989:.*iif wan.*blackhole'"
claim "guard remove frees it" tb_in router-a "$TB_BUILD/ipspctl/ipspctl" -S "$TB_DIR/router-a/state" guard remove
claim "... for both families" not eval '{ tb_in router-a ip rule; tb_in router-a ip -6 rule; } | grep 269'
conclude
