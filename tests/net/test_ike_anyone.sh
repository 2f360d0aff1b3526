# tests/net/test_ike_anyone.sh - a gateway whose peers may be anywhere: rows that an operator SETs name them, but no address.
# Clients are strongSwan's, two of them behind one NAT, each with an address of its own inside. What is for an address goes
# to who has it, and to nobody else; who asks for another one's is refused; what nobody has is dropped.

. "$TB_SRC/tests/net/lib.sh"
[ -x /usr/sbin/charon-systemd ] || { echo "strongSwan is not installed"; exit 77; }
command -v nft >/dev/null || { echo "nftables are not installed"; exit 77; }
tb_init

for space in c1 c2 c3 nat wan gw host; do
	ip netns add "$(tb_ns $space)"
	TB_SPACES="$TB_SPACES $(tb_ns $space)"
	tb_in $space ip link set lo up
	mkdir -p "$TB_DIR/$space"
done
# at SPACE N: it is 203.0.N.2, behind the WAN's 203.0.N.1.
at()
{
	tb_link $1 wan wan w$2
	tb_addr $1 wan 203.0.$2.2/24
	tb_addr wan w$2 203.0.$2.1/24
	tb_in $1 ip route add default via 203.0.$2.1
}
at c1 111
at nat 112
for n in 2 3; do
	tb_link c$n wan nat lan$n
	tb_addr c$n wan 192.168.$n.2/24
	tb_addr nat lan$n 192.168.$n.1/24
	tb_in c$n ip route add default via 192.168.$n.1
done
tb_link wan gw gw wan
tb_addr wan gw 192.0.2.254/24
tb_addr gw wan 192.0.2.1/24
tb_in gw ip route add default via 192.0.2.254
tb_link gw lan host lan
tb_addr gw lan 10.1.0.1/16
tb_addr host lan 10.1.0.2/16
tb_in host ip route add default via 10.1.0.1
for space in nat wan gw; do tb_forward $space; done
claim "there is a NAT" tb_in nat nft 'add table ip nat; add chain ip nat out { type nat hook postrouting priority srcnat; };
	add rule ip nat out oifname wan masquerade'
tb_snmpd gw
tb_ipspd gw
tb_ctl gw wait --snmp --timeout 30

# ---- rows ----
# listed N: cN.example, wherever it is.
listed()
{
	tb_set gw "ipsaPeerIdType.\"road\".$1" u 2 "ipsaPeerIdValue.\"road\".$1" s c$1.example \
		"ipsaPeerIdAddressType.\"road\".$1" i 0 "ipsaPeerIdAddress.\"road\".$1" x '' \
		"ipsaPeerIdCredentialName.\"road\".$1" s psk "ipsaPeerIdRowStatus.\"road\".$1" i createAndGo
}
rows()
{
	t_psk gw
	t_proposals gw 1
	t_wan=$(tb_ifindex gw wan)
	tb_set gw "ipiaIkeIdCredentialName.$t_wan.2.\"gw.example\"" s '' "ipiaIkeIdRowStatus.$t_wan.2.\"gw.example\"" i createAndGo
	for n in 1 2 3; do listed $n; done
	t_child gw road 4 road tunnel p2 11 $tb_lan4a 0A090000 16
	tb_set gw 'ipiaIkeActIdentityType."ike-road"' u 2 'ipiaIkeActIdentityContext."ike-road"' s gw.example
	t_in_force gw
}
claim "rows are SET for three peers without an address" rows
claim "... and are in force" tb_until 10 says "10.1.0.0/16 -> 10.9.0.0/16" tb_ctl gw show spd
claim "... without a problem" not says road tb_ctl gw show problems

# ---- clients ----
# conn NAME OWN-NAME INSIDE
conn()
{
	cat <<-CONF
		connections { $1 {
			remote_addrs = 192.0.2.1
			version = 2
			mobike = no
			proposals = aes256-sha256-x25519
			local { auth = psk
				id = $2.example }
			remote { auth = psk
				id = gw.example }
			children { $1 {
				local_ts = 10.9.0.$3/32
				remote_ts = 10.1.0.0/16
				esp_proposals = aes256-sha256-x25519 } } } }
	CONF
}
# charon N CONN..: a client with these connections; the last argument of each is an address of its own.
charon()
{
	t_n=$1
	shift
	d=$TB_DIR/c$t_n
	cat >"$d/strongswan.conf" <<-CONF
		charon-systemd {
			load_modular = no
			load = random nonce openssl aes sha1 sha2 hmac kdf pem curve25519 kernel-libipsec kernel-netlink socket-default vici
			reuse_ikesa = no
			journal { default = -1 }
			filelog { log { path = $d/charon.log
				flush_line = yes
				default = 1 } }
		}
		swanctl { load = random nonce openssl pem }
	CONF
	for t_conn; do
		conn $t_conn
		# Where the tunnel's own address is, so that it can have a route.
		tb_in c$t_n ip addr replace 10.9.0.${t_conn##* }/32 dev lo
	done >"$d/swanctl.conf"
	echo 'secrets { ike { secret = "between two routers" } }' >>"$d/swanctl.conf"
	tb_start c$t_n charon env STRONGSWAN_CONF="$d/strongswan.conf" unshare -m sh -c \
		'mount -t tmpfs none /run && exec /usr/sbin/charon-systemd'
}
swan()
{
	t_c=c$1
	shift
	STRONGSWAN_CONF="$TB_DIR/$t_c/strongswan.conf" nsenter -t "$(tb_pid $t_c charon)" -m -n swanctl "$@"
}
up() { swan "$1" --initiate --child "$2" --timeout 10; }
# spi N in|out: of a client's Child SA.
spi() { swan "$1" --list-sas | sed -n "s/^ *$2 *\([0-9a-f]*\),.*/0x\1/p"; }
log=$TB_DIR/gw/ipspd.log
said() { grep -q "$1" "$log"; }
drops() { tb_ctl gw show stats | sed -n 's/^ *policy-no-sa[^0-9]*\([0-9]*\).*/\1/p'; }

charon 1 'own c1 1'
charon 2 'own c2 2'
charon 3 'own c3 3' 'other c3 1' 'stranger x 4'
for n in 1 2 3; do
	claim "strongSwan is there, client $n" tb_until 20 swan $n --load-all --file "$TB_DIR/c$n/swanctl.conf"
done
for n in 1 2; do
	claim "client $n comes" up $n own
	claim "... is known by its name" tb_until 10 said "established with FQDN c$n.example"
	claim "... and is reached" tb_until 10 tb_in host ping -q -c 1 -W 1 10.9.0.$n
done
# both: pings of both clients to the host and back, at the same time.
both()
{
	t_pids= t_whole=0
	for n in 1 2; do
		tb_in c$n ping -q -c 20 -i 0.05 -W 5 -I 10.9.0.$n 10.1.0.2 >"$TB_DIR/c$n/ping.out" 2>&1 &
		t_pids="$t_pids $!"
		tb_in host ping -q -c 20 -i 0.05 -W 5 10.9.0.$n >"$TB_DIR/c$n/pong.out" 2>&1 &
		t_pids="$t_pids $!"
	done
	for t_pid in $t_pids; do wait $t_pid || t_whole=1; done
	cat "$TB_DIR"/c?/p?ng.out
	return $t_whole
}
# esp CAPTURE FILTER: SPIs of what was sent so, in UDP, one a line.
esp() { tshark -r "$TB_DIR/gw/$1.pcap" -Y "udp && esp && $2" -T fields -e esp.spi 2>/dev/null | sort -u | tr '\n' ' '; }
sniff gw wan both
claim "both reach the host, and it them, at the same time" both
unsniff gw both
claim "... by ESP" test "$(seen gw both esp)" -ge 160
claim "... and by nothing else" equal 0 "$(seen gw both 'icmp || ip.proto == 50')"
claim "what is for the first goes to its address, by its SA" equal "$(spi 1 in) " "$(esp both 'ip.dst == 203.0.111.2')"
claim "... and what it sends, by its own" equal "$(spi 1 out) " "$(esp both 'ip.src == 203.0.111.2')"
claim "what is for the second goes to the NAT, by its SA" equal "$(spi 2 in) " "$(esp both 'ip.dst == 203.0.112.2')"
claim "... and what it sends, by its own" equal "$(spi 2 out) " "$(esp both 'ip.src == 203.0.112.2')"
claim "... and nothing goes anywhere else" equal 0 "$(seen gw both 'esp && !(ip.addr == 203.0.111.2 || ip.addr == 203.0.112.2)')"

# ---- what nobody has ----
before=$(drops)
dropped() { [ "$(drops)" -ge $((${before:-0} + $1)) ]; }
# Who is asked for SAs, and hears of those that are made, up to the first one.
tb_start gw listener env PYTHONPATH="$TB_SRC/tests/net" /usr/bin/python3 -u -c "
from pfkey_client import *
c = Client('$TB_DIR/gw/pfkey', 60)
c.ask(REGISTER, ESP)
print('listens')
kind = 0
while kind != ADD:
    kind = c.hear().type
    print('heard', kind)"
claim "a key manager listens" tb_until 10 grep -q listens "$TB_DIR/gw/listener.log"
sniff gw wan nobody
claim "what is for an address that nobody has is not answered" not tb_in host ping -q -c 2 -i 0.1 -W 0.3 10.9.0.77
claim "... but dropped, as there is no SA" tb_until 10 dropped 2
claim "... while the others go on" pings c1 10.1.0.2
claim "... under keys that they renew" swan 2 --rekey --child own
claim "... as the key manager hears" tb_until 10 grep -q 'heard 3' "$TB_DIR/gw/listener.log"
claim "... which was asked for nothing" not grep -q 'heard 6' "$TB_DIR/gw/listener.log"
claim "nor is a manager heard who would begin" says inconsistentValue \
	tb_snmp snmpset gw 'ipspdConnRequest.ike."child-road"."ike-road"' i initiate
claim "... or who asks by ipspctl" not tb_ctl gw initiate child-road
unsniff gw nobody
# That it renews is answered.
claim "no peer was asked for it" equal 0 "$(seen gw nobody 'isakmp.flag_r == 0 && ip.src == 192.0.2.1')"
claim "... and nothing of it left" equal 0 "$(seen gw nobody 'icmp || ip.addr == 10.9.0.77')"

# ---- who is not listed; what another one has ----
claim "who is not listed is refused" not up 3 stranger
claim "... as it hears" tb_until 5 grep -q 'received AUTHENTICATION_FAILED' "$TB_DIR/c3/charon.log"
tb_start c1 traffic ping -q -i 0.05 -W 5 -I 10.9.0.1 10.1.0.2
claim "who asks for another one's address is refused" not up 3 other
claim "... as it hears" tb_until 5 grep -q 'received TS_UNACCEPTABLE' "$TB_DIR/c3/charon.log"
claim "... with the reason in our log" tb_until 10 said 'asks for traffic that FQDN c1.example has'
claim "... and gets its own" up 3 own
claim "... by which it reaches the host" tb_until 10 tb_in c3 ping -q -c 1 -W 1 -I 10.9.0.3 10.1.0.2
unsniff c1 traffic
# But the one that is on its way.
whole()
{
	sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' "$1" |
		awk '{ done = $2 > 0 && $2 >= $1 - 1 } END { exit !done }'
}
claim "... while nothing of the first's is lost" whole "$TB_DIR/c1/traffic.log"
claim "... and the second, behind the same NAT, goes on" eval 'pings host 10.9.0.2 && pings host 10.9.0.3'

# ---- one that goes ----
claim "the first goes" swan 1 --terminate --ike own
claim "... and what is for it is dropped" not tb_in host ping -q -c 1 -W 0.3 10.9.0.1
claim "its address may be had by another then" up 3 other
claim "... who is reached there" tb_until 10 tb_in host ping -q -c 1 -W 1 10.9.0.1
claim "... and the first is refused it" not up 1 own
claim "... as it hears" tb_until 5 grep -q 'received TS_UNACCEPTABLE' "$TB_DIR/c1/charon.log"
claim "... while the second goes on" pings host 10.9.0.2

# ---- an IKE process that does not know any more whose the SAs are ----
old=$(tb_process gw ike)
another() { [ -n "$(tb_process gw ike)" ] && [ "$(tb_process gw ike)" != "$old" ]; }
kill -KILL "$old"
claim "the process for IKE is killed, and there is another" tb_until 10 another
claim "... which ends the SAs" tb_until 10 said 'that an earlier process made end'
claim "... so that what was for them is dropped" not tb_in host ping -q -c 1 -W 0.3 10.9.0.2
claim "one of the clients comes again" eval 'swan 2 --terminate --ike own --force >/dev/null; up 2 own'
claim "... and is reached" tb_until 10 tb_in host ping -q -c 1 -W 1 10.9.0.2
conclude
