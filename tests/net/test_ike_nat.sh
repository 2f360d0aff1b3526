#!/bin/sh
# Two clients behind one NAT, strongSwan both, with the same addresses inside; we are the gateway. All goes on at port
# 4500, keepalives keep what the NAT has mapped, and when it has forgotten that, each client is found at its new port.
. "$TB_SRC/tests/net/lib.sh"
tb_init
[ -x /usr/sbin/charon-systemd ] || exit 77
command -v nft >/dev/null || exit 77

for space in c1 c2 nat gw; do
	ip netns add "$(tb_ns $space)"
	TB_SPACES="$TB_SPACES $(tb_ns $space)"
	tb_in $space ip link set lo up
	mkdir -p "$TB_DIR/$space"
done
for n in 1 2; do
	tb_link c$n lan nat lan$n
	tb_addr c$n lan 192.168.$n.2/24
	tb_addr nat lan$n 192.168.$n.1/24
	tb_in c$n ip route add default via 192.168.$n.1
done
tb_link nat wan gw wan
tb_addr nat wan 192.0.2.2/24
tb_addr gw wan 192.0.2.1/24
tb_forward nat

# masquerade [PORTS]: whose ports it has from then on.
masquerade()
{
	tb_in nat nft -f - <<-NFT
		table ip nat
		delete table ip nat
		table ip nat {
			chain out {
				type nat hook postrouting priority srcnat
				oifname "wan" ip protocol udp masquerade $1
			}
		}
	NFT
}
claim "there is a NAT" masquerade 'to :10000-19999'
# It forgets what was silent for so many seconds.
tb_in nat sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3 net.netfilter.nf_conntrack_udp_timeout_stream=3
# Of keepalives, RFC 3948 2.3, by port.
tb_in gw nft -f - <<-NFT
	table ip keep {
		counter alive { }
		chain in {
			type filter hook input priority 0
			udp dport 4500 udp length 9 counter name alive
		}
	}
NFT
keepalives() { tb_in gw nft list counter ip keep alive | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }
has_keepalives() { [ "$(keepalives)" -ge $1 ]; }

# charon N: one of the clients, who is cN.example.
charon()
{
	d=$TB_DIR/c$1
	cat >"$d/strongswan.conf" <<-CONF
		charon-systemd {
			load_modular = no
			load = random nonce openssl aes sha1 sha2 hmac kdf gcm pem curve25519 kernel-libipsec kernel-netlink socket-default vici
			keep_alive = 1s
			journal { default = -1 }
			filelog { log { path = $d/charon.log
				flush_line = yes
				default = 1 } }
		}
		swanctl { load = random nonce openssl pem }
	CONF
	cat >"$d/swanctl.conf" <<-CONF
		connections { b {
			remote_addrs = 192.0.2.1
			version = 2
			mobike = no
			proposals = aes128gcm16-prfsha256-x25519
			local { auth = psk
				id = c$1.example }
			remote { auth = psk
				id = gw.example }
			children { c {
				local_ts = 10.2.0.0/16
				remote_ts = 10.1.0.0/16
				esp_proposals = aes128gcm16 } } } }
		secrets { ike { secret = "between two routers" } }
	CONF
	# Where the tunnel's own address is, so that it can have a route.
	tb_in c$1 ip addr add 10.2.0.1/16 dev lo
	t_charon c$1
	tb_until 20 swan $1 --load-all --file "$d/swanctl.conf"
}
swan()
{
	t_c=c$1
	shift
	t_swan $t_c "$@"
}
log=$TB_DIR/gw/end.log
said() { grep -c "$1" "$log" || :; }
tb_start gw end "$TB_BUILD/tests/net/ike_end" local=192.0.2.1 remote=any me=2:gw.example psk='between two routers'
claim "we are there" tb_until 10 grep -q READY "$log"
charon 1
charon 2
for n in 1 2; do
	claim "client $n has its IKE SA and Child SA" swan $n --initiate --child c --timeout 10
	claim "... and sees that it is behind a NAT" tb_until 10 grep -q 'local host is behind NAT' "$TB_DIR/c$n/charon.log"
	claim "... we know it by its name" tb_until 10 grep -q "established with FQDN c$n.example" "$log"
done
claim "there are two Child SAs" tb_until 10 eval 'equal 2 "$(said "^CHILD")"'
claim "... none of which took the other's place" equal 0 "$(said '^GONE')"

before=$(keepalives)
claim "keepalives come, longer than the NAT remembers" tb_until 15 has_keepalives $((before + 10))
for n in 1 2; do
	claim "client $n renews its Child SA" swan $n --rekey --child c
done
claim "... so that there are two more" tb_until 10 eval '[ "$(said "^CHILD")" = 4 ]'
claim "... and nobody has moved" equal 0 "$(said 'the peer is at')"

# What is masqueraded goes with its interface.
tb_in nat ip link set wan down
masquerade 'to :20000-29999'
tb_in nat ip link set wan up
tb_until 10 tb_in nat ping -q -c 1 -W 1 192.0.2.1
for n in 1 2; do
	claim "client $n renews its Child SA by another mapping" swan $n --rekey --child c
done
claim "each is found at its new port" tb_until 10 eval '[ "$(said "the peer is at 192.0.2.2 port 2[0-9]* now")" = 2 ]'
claim "... at ports that differ" equal 2 "$(sed -n 's/.*the peer is at 192.0.2.2 port \([0-9]*\) now/\1/p' "$log" | sort -u | wc -l)"
claim "... with its Child SAs" tb_until 10 eval '[ "$(said "^MOVED")" -ge 2 ]'
claim "both renew the IKE SA there" eval 'swan 1 --rekey --ike b && swan 2 --rekey --ike b'
claim "... and have it" tb_until 10 eval 'says "ESTABLISHED" swan 1 --list-sas && says "ESTABLISHED" swan 2 --list-sas'
kill -KILL "$(tb_pid gw end)"
conclude
