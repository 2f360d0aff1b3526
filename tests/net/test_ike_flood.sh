#!/bin/sh
# 50,000 requests of IKE_SA_INIT a second, each from an address that is not its sender's: whoever is there, strongSwan, has
# its IKE SA all the same, half open ones stay few, and no more goes out than came in.
. "$TB_SRC/tests/net/lib.sh"
tb_init
[ -x /usr/sbin/charon-systemd ] || exit 77

rate=50000
for end in a b; do
	ip netns add "$(tb_ns $end)"
	TB_SPACES="$TB_SPACES $(tb_ns $end)"
	tb_in $end ip link set lo up
	mkdir -p "$TB_DIR/$end"
done
tb_link a wan b wan
tb_addr a wan 192.0.2.1/24
tb_addr b wan 192.0.2.2/24
tb_in b sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan.rp_filter=0
tb_in b ip route add default via 192.0.2.1

d=$TB_DIR/a
# It asks again each second: a machine that has other things to do, too, does not read all that comes.
cat >"$d/strongswan.conf" <<-CONF
	charon-systemd {
		retransmit_timeout = 1.0
		retransmit_base = 1.0
		retransmit_tries = 60
		load_modular = no
		load = random nonce openssl aes sha1 sha2 hmac kdf gcm pem curve25519 kernel-libipsec kernel-netlink socket-default vici
		reuse_ikesa = no
		journal { default = -1 }
		filelog { log { path = $d/charon.log
			flush_line = yes
			default = 1 } }
	}
	swanctl { load = random nonce openssl pem }
CONF
cat >"$d/swanctl.conf" <<-CONF
	connections { b {
		local_addrs = 192.0.2.1
		remote_addrs = 192.0.2.2
		version = 2
		proposals = aes128gcm16-prfsha256-x25519
		local { auth = psk }
		remote { auth = psk }
		children { c {
			local_ts = 0.0.0.0/0
			remote_ts = 0.0.0.0/0
			esp_proposals = aes128gcm16 } } } }
	secrets { ike { secret = "between two" } }
CONF
t_charon a
swan() { t_swan a "$@"; }
claim "strongSwan is there" tb_until 20 swan --load-all --file "$d/swanctl.conf"

# The ike process's event loop, sockets and threads, with an engine process.
mkfifo "$TB_DIR/question"
tb_in b "$TB_BUILD/tests/bench/bench_ike" respond 192.0.2.2 0.0.0.0 31 0 0 <"$TB_DIR/question" >"$TB_DIR/answer" &
TB_PIDS="$TB_PIDS $!"
exec 4>"$TB_DIR/question"
claim "so are we" tb_until 10 grep -q ready "$TB_DIR/answer"

# half_open: how many IKE SAs are, once it answers.
half_open()
{
	t_n=$(wc -l <"$TB_DIR/answer")
	echo >&4
	tb_until 10 eval '[ "$(wc -l <"$TB_DIR/answer")" -gt "$t_n" ]' || return 1
	set -- $(tail -n 1 "$TB_DIR/answer")
	echo "$3"
}
counter() { tb_in b cat "/sys/class/net/wan/statistics/$1"; }
no_more_out() { echo "in $(counter rx_bytes), out $(counter tx_bytes)"; [ "$(counter tx_bytes)" -le "$(counter rx_bytes)" ]; }
is_full() { [ "$(half_open)" -ge 64 ]; }
is_bounded() { t_open=$(half_open); echo "$t_open"; [ "$t_open" -le 70 ]; }

tb_start a flood "$TB_BUILD/tests/net/ike_flood" 192.0.2.2 $rate
flood=$TB_LAST
claim "under the flood there are half open IKE SAs" tb_until 10 is_full
claim "strongSwan has its IKE SA all the same" swan --initiate --child c --timeout 60
claim "... with a cookie" tb_until 10 grep -q 'parsed IKE_SA_INIT response 0 \[ N(COOKIE) \]' "$d/charon.log"
for i in 2 3 4 5; do
	claim "... and number $i" swan --initiate --child c --timeout 60
done
claim "half open ones are few" is_bounded
claim "no more went out than came in" no_more_out
kill "$flood" || :
wait "$flood" || :
cat "$d/flood.log"
claim "it was a flood" grep -q ' sent, ' "$d/flood.log"
conclude
