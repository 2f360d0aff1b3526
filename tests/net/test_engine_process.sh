# tests/net/test_engine_process.sh - two engine processes, without the rest: LAN to LAN as ESP, judged
# on the WAN by tshark; forged packets; SIGKILL under traffic. Steering by this test's own ip rules.

. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology

MARK=0x69700000/0xffff0000
AES_AB=000102030405060708090a0b0c0d0e0f
AES_BA=101112131415161718191a1b1c1d1e1f
SHA_AB=202122232425262728292a2b2c2d2e2f30313233
SHA_BA=303132333435363738393a3b3c3d3e3f40414243

# driver ROUTER WORKERS: its engine; commands go to its fifo, which is held open.
driver()
{
	mkfifo "$TB_DIR/$1/commands"
	ip netns exec "$(tb_ns "$1")" "$TB_BUILD/tests/net/engine-driver" ipsp0 "$2" \
		<"$TB_DIR/$1/commands" >"$TB_DIR/$1/driver.log" 2>&1 &
	TB_PIDS="$TB_PIDS $!"
	echo $! >"$TB_DIR/$1/driver.pid"
}
tell() { t_to=$TB_DIR/$1/commands; shift; echo "$*" >>"$t_to"; }
heard() { grep -q -- "$2" "$TB_DIR/$1/driver.log"; }
count() { grep -c -- "$2" "$TB_DIR/$1/driver.log" || :; }

# steer ROUTER PREFIX..: what goes there passes the engine, but for what the engine lets out itself.
steer()
{
	tb_in "$1" ip link set ipsp0 mtu 1400 up
	for t_f in -4 -6; do
		tb_in "$1" ip $t_f rule add pref 100 fwmark $MARK lookup main
		tb_in "$1" ip $t_f rule add pref 101 iif ipsp0 lookup main
		tb_in "$1" ip $t_f route add default dev ipsp0 table 99
		tb_in "$1" ip $t_f route add blackhole default metric 999999 table 99
	done
	t_r=$1
	shift
	for t_p; do
		tb_in "$t_r" ip "$(case $t_p in *:*) echo -6 ;; *) echo -4 ;; esac)" rule add pref 102 to "$t_p" lookup 99
	done
}

# policy ROUTER NUMBER LOCAL4 REMOTE4 LAN4 PEER4 LOCAL6 REMOTE6 LAN6 PEER6 OUT-SPI IN-SPI KEYS..
policy()
{
	t_r=$1 t_n=$2 l4=$3 r4=$4 lan4=$5 peer4=$6 l6=$7 r6=$8 lan6=$9
	shift 9
	peer6=$1 out=$2 in=$3 ko=$4 so=$5 ki=$6 si=$7
	tell "$t_r" begin "$t_n"
	tell "$t_r" sa 1 out tunnel "0x${out}01" "$l4" "$r4" "$ko" "$so"
	tell "$t_r" sa 2 in tunnel "0x${in}01" "$l4" "$r4" "$ki" "$si"
	tell "$t_r" sa 3 out tunnel "0x${out}02" any "$r6" "$ko" "$so"
	tell "$t_r" sa 4 in tunnel "0x${in}02" "$l6" "$r6" "$ki" "$si"
	tell "$t_r" sa 31 out transport "0x${out}11" "$l4" "$r4" "$ko" "$so"
	tell "$t_r" sa 32 in transport "0x${in}11" "$l4" "$r4" "$ki" "$si"
	tell "$t_r" sa 33 out transport "0x${out}12" "$l6" "$r6" "$ko" "$so"
	tell "$t_r" sa 34 in transport "0x${in}12" "$l6" "$r6" "$ki" "$si"
	tell "$t_r" list wan out
	tell "$t_r" entry 11 protect 1 quiet "$lan4" "$peer4"
	tell "$t_r" entry 14 protect 31 quiet "$l4/32" "$r4/32"
	tell "$t_r" entry 15 protect 33 quiet "$l6/128" "$r6/128"
	tell "$t_r" entry 12 protect 3 quiet "$lan6" "$peer6"
	tell "$t_r" entry 13 bypass 0 log 192.0.2.0/24 192.0.2.0/24
	tell "$t_r" list wan in
	tell "$t_r" entry 21 protect 2 quiet "$peer4" "$lan4"
	tell "$t_r" entry 24 protect 32 quiet "$r4/32" "$l4/32"
	tell "$t_r" entry 25 protect 34 quiet "$r6/128" "$l6/128"
	tell "$t_r" entry 22 protect 4 quiet "$peer6" "$lan6"
	tell "$t_r" commit
}
policy_a()
{
	policy router-a "$1" 192.0.2.1 198.51.100.1 10.1.0.0/16 10.2.0.0/16 2001:db8:a::1 2001:db8:b::1 \
		fd00:1::/32 fd00:2::/32 a b $AES_AB $SHA_AB $AES_BA $SHA_BA
}
policy_b()
{
	policy router-b "$1" 198.51.100.1 192.0.2.1 10.2.0.0/16 10.1.0.0/16 2001:db8:b::1 2001:db8:a::1 \
		fd00:2::/32 fd00:1::/32 b a $AES_BA $SHA_BA $AES_AB $SHA_AB
}

for t_r in router-a router-b; do
	# Held open, so that no command's end is the end of all.
	case $t_r in
	router-a) driver $t_r 1; exec 8>"$TB_DIR/$t_r/commands" ;;
	router-b) driver $t_r 2; exec 9>"$TB_DIR/$t_r/commands" ;;
	esac
	claim "the engine of $t_r starts without root" tb_until 30 heard $t_r '^engine '
done
steer router-a 10.2.0.0/16 fd00:2::/32 192.0.2.254/32 198.51.100.0/24 2001:db8:b::1/128
steer router-b 10.1.0.0/16 fd00:1::/32 192.0.2.1/32 2001:db8:a::1/128
uid() { awk '/^Uid:/ { print $2 }' "/proc/$(sed -n 's/^engine //p' "$TB_DIR/$1/driver.log" | tail -n 1)/status"; }
claim "... as nobody" equal 65534 "$(uid router-a)"

sniff wan a wan
claim "before the first generation nothing passes" silent host-a 10.2.0.2
tell router-a stats
claim "... and it is counted" tb_until 10 heard router-a '^drop not-ready '

policy_a 1
policy_b 1
claim "a generation is put in force" tb_until 20 heard router-a '^applied 1$'
tb_until 20 heard router-b '^applied 1$'
claim "numbers are reserved before they are used" tb_until 20 heard router-a '^reserve 1001 1$'
claim "IPv4 LAN to LAN" pings host-a 10.2.0.2
claim "IPv6 LAN to LAN" pings host-a fd00:2::2
claim "the other way, IPv4" pings host-b 10.1.0.2
claim "the other way, IPv6" pings host-b fd00:1::2
big() { tb_in host-a ping -q -c 2 -i 0.1 -W 2 -s 3000 "$1" | grep ' 0% packet loss'; }
claim "packets bigger than any link, IPv4" big 10.2.0.2
# The first one teaches the host the size of the way (RFC 8201).
claim "packets bigger than any link, IPv6" tb_until 10 big fd00:2::2
own() { tb_in router-a ping -q -c 3 -i 0.1 -W 2 -I "$1" "$2" | grep ' 0% packet loss'; }
claim "bypassed packets pass" own 192.0.2.1 192.0.2.254
claim "... and are reported with interface and addresses" \
	tb_until 10 heard router-a "^event 13 dir 2 action 1 interface $(tb_ifindex router-a wan) 192.0.2.1 192.0.2.254 protocol 1"
claim "transport mode between the routers, IPv4" own 192.0.2.1 198.51.100.1
claim "transport mode between the routers, IPv6" own 2001:db8:a::1 2001:db8:b::1
claim "what no entry names does not pass" not own 192.0.2.1 198.51.100.254
tell router-a stats
claim "... for that reason" tb_until 10 heard router-a '^drop policy-default '

# Forged on the WAN: the octets of a good packet again, and with one changed.
cat >"$TB_DIR/replay.py" <<'PY'
import sys
from scapy.all import IP, Raw, conf, rdpcap, send
conf.verb = 0
esp = [p[IP] for p in rdpcap(sys.argv[1]) if IP in p and p[IP].proto == 50 and p[IP].dst == "192.0.2.1"]
good = esp[0]
send(good)
# A number that has not come yet, so that the ICV is what is wrong.
bad = bytearray(bytes(esp[-1]))
bad[24:28] = (int.from_bytes(bad[24:28], "big") + 1000).to_bytes(4, "big")
send(IP(bytes(bad)))
PY
claim "a packet is sent again, and one with another number" \
	tb_in wan /usr/bin/python3 "$TB_DIR/replay.py" "$TB_DIR/wan/wan.pcap"
told() { tell router-a stats; tb_until 1 heard router-a "$1"; }
claim "the replay is dropped and counted" tb_until 10 told '^sa 2 .* replay [1-9]'
claim "the damaged one is dropped and counted" tb_until 10 told '^drop icv 1$'

# SIGKILL under traffic.
tb_in host-a ping -q -i 0.02 -c 400 10.2.0.2 >"$TB_DIR/ping.out" 2>&1 &
pinger=$!
TB_PIDS="$TB_PIDS $pinger"
tb_until 10 sh -c "test \$(tshark -r '$TB_DIR/wan/wan.pcap' 2>/dev/null | wc -l) -gt 100"
kill -9 "$(sed -n 's/^engine //p' "$TB_DIR/router-a/driver.log" | tail -n 1)"
twice() { test "$(count router-a '^applied 1$')" -ge 2; }
claim "an engine that is killed comes back with its policy" tb_until 30 twice
wait "$pinger" || :
claim "traffic goes on" pings host-a 10.2.0.2
claim "the other way as well" pings host-b 10.1.0.2

# The agent comes and goes; so does a reservation nobody answers.
tell router-a agent off
claim "without the agent packets go on" pings host-a 10.2.0.2
tell router-a agent on
claim "its return does not disturb them" pings host-a 10.2.0.2
thrice() { test "$(count router-a '^applied 1$')" -ge 3; }
tb_until 10 thrice

tell router-a begin 2
tell router-a sa 1 out tunnel 0xa01 192.0.2.1 198.51.100.1 $AES_AB $SHA_AB
tell router-a sa 5 in tunnel 0xb01 192.0.2.1 198.51.100.1 $AES_BA $SHA_BA
tell router-a sa 6 in tunnel 0xb01 192.0.2.1 198.51.100.1 $AES_BA $SHA_BA
tell router-a list wan out
tell router-a entry 11 protect 1 quiet 10.1.0.0/16 10.2.0.0/16
tell router-a list wan in
tell router-a entry 21 protect 6 quiet 10.2.0.0/16 10.1.0.0/16
tell router-a commit
claim "a duplicate SPI is refused by name" tb_until 20 heard router-a '^sa-refused 6 '
claim "... and the rest is in force" tb_until 20 heard router-a '^applied 2$'
claim "what came under the refused SA drops" silent host-a 10.2.0.2

tell router-a grant off
tell router-a begin 3
tell router-a sa 7 out tunnel 0xa03 192.0.2.1 198.51.100.1 $AES_AB $SHA_AB
tell router-a list wan out
tell router-a entry 11 protect 7 quiet 10.1.0.0/16 10.2.0.0/16
tell router-a commit
tb_until 20 heard router-a '^applied 3$'
claim "without a reservation nothing is sent" silent host-a 10.2.0.2

tell router-a quit
tell router-b quit
claim "engines end when their parent is gone" tb_until 20 heard router-a '^engine-end 0$'
unsniff wan wan
numbers() { tshark -r "$TB_DIR/wan/wan.pcap" -Y "esp.spi == $1" -T fields -e esp.sequence 2>/dev/null; }
for spi in 0xa01 0xa02 0xb02 0xa11 0xb12; do
	numbers $spi >"$TB_DIR/numbers"
	claim "numbers of $spi begin with 1" equal 1 "$(head -n 1 "$TB_DIR/numbers")"
	claim "... and rise one by one or more, never twice" sort -nuc "$TB_DIR/numbers"
done
claim "many packets went before and after the kill" test "$(numbers 0xa01 | wc -l)" -gt 100
claim "nothing of 0xa03 was sent" equal 0 "$(seen wan wan 'esp.spi == 0xa03')"
claim "no clear packet of either LAN was on the WAN" equal 0 \
	"$(seen wan wan 'ip.addr == 10.0.0.0/8 || ipv6.addr == fd00::/8')"
decrypted()
{
	tshark -r "$TB_DIR/wan/wan.pcap" -o esp.enable_encryption_decode:TRUE -o esp.enable_authentication_check:TRUE \
		-o "uat:esp_sa:\"$1\",\"*\",\"*\",\"$2\",\"AES-CBC [RFC3602]\",\"0x$AES_AB\",\"HMAC-SHA-1-96 [RFC2404]\",\"0x$SHA_AB\"" \
		-Y "esp.spi == $2 && $3" 2>/dev/null | wc -l
}
claim "tshark decrypts IPv4 in IPv4 with the keys" test "$(decrypted IPv4 0x00000a01 'icmp.type == 8 && ip.src == 10.1.0.2')" -gt 0
claim "tshark decrypts IPv6 in IPv6 with the keys" test "$(decrypted IPv6 0x00000a02 'icmpv6.type == 128 && ipv6.src == fd00:1::2')" -gt 0
claim "tshark finds no wrong ICV" equal 0 "$(decrypted IPv4 0x00000a01 'esp.icv_bad == 1')"
conclude
