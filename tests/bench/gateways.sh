# shellcheck shell=sh
# tests/bench/gateways.sh - what may stand between the testbed's LANs: the forwarder without protection,
# strongSwan with kernel-libipsec, our engine processes alone. One at a time; sourced after
# scripts/testbed.sh. GATEWAYS are the processes that do the work.

G_MARK=0x69700000/0xffff0000
G_KEY=000102030405060708090a0b0c0d0e0f
G_SUM=202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f

g_out() { if [ "$1" = router-a ]; then echo 10.2.0.0/16; else echo 10.1.0.0/16; fi; }
g_own() { if [ "$1" = router-a ]; then echo 10.1.0.0/16; else echo 10.2.0.0/16; fi; }
g_here() { if [ "$1" = router-a ]; then echo 192.0.2.1; else echo 198.51.100.1; fi; }
g_there() { if [ "$1" = router-a ]; then echo 198.51.100.1; else echo 192.0.2.1; fi; }

g_kill()
{
	for g_pid in $GATEWAYS $G_MORE; do kill "$g_pid" 2>/dev/null || :; done
	for g_pid in $GATEWAYS $G_MORE; do tb_reap "$g_pid"; done
	GATEWAYS= G_MORE=
}

G_MORE=

# ---- nothing protected ----

ceiling_start()
{
	for g_r in router-a router-b; do
		tb_start $g_r ceiling "$TB_BUILD/tests/bench/ceiling" "$1" ceil0 \
			"$(g_here $g_r)" "$(g_there $g_r)"
		GATEWAYS="$GATEWAYS $TB_LAST"
		tb_until 10 tb_in $g_r ip link show dev ceil0
		tb_in $g_r sysctl -qw net.ipv4.conf.ceil0.rp_filter=0
		tb_until 10 tb_in $g_r ip route add "$(g_out $g_r)" dev ceil0
	done
}
ceiling_stop() { g_kill; }

# ---- strongSwan ----

charon_there()
{
	[ -x /usr/sbin/charon-systemd ] && command -v swanctl >/dev/null &&
		[ -e /usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so ]
}

# charon_start PROPOSAL: each with a /run of its own, where its pid, sockets and configuration are.
charon_start()
{
	for g_r in router-a router-b; do
		g_d=$TB_DIR/$g_r/charon
		mkdir -p "$g_d"
		cat >"$g_d/strongswan.conf" <<-CONF
			charon-systemd {
				load_modular = no
				load = random nonce openssl aes aesni sha1 sha2 hmac kdf gcm pem curve25519 kernel-libipsec kernel-netlink socket-default vici
				journal { default = -1 }
				filelog { log { path = $g_d/log
					default = 1 } }
			}
			swanctl { load = random nonce openssl pem vici }
		CONF
		cat >"$g_d/swanctl.conf" <<-CONF
			connections { b {
				local_addrs = $(g_here $g_r)
				remote_addrs = $(g_there $g_r)
				version = 2
				encap = yes
				mobike = no
				proposals = aes128-sha256-x25519
				local { auth = psk
					id = $(g_here $g_r) }
				remote { auth = psk
					id = $(g_there $g_r) }
				children { c {
					local_ts = $(g_own $g_r)
					remote_ts = $(g_out $g_r)
					esp_proposals = $1 } } } }
			secrets { ike { secret = "between two routers" } }
		CONF
		tb_start $g_r charon env STRONGSWAN_CONF="$g_d/strongswan.conf" unshare -m sh -c \
			'mount -t tmpfs none /run && : >/run/own && exec /usr/sbin/charon-systemd'
		GATEWAYS="$GATEWAYS $TB_LAST"
		# Until then swanctl would find the machine's own daemon, if there is one.
		tb_until 10 test -e "/proc/$TB_LAST/root/run/own"
		tb_until 20 charon_do $g_r $TB_LAST --load-all --file "$g_d/swanctl.conf"
	done
	# shellcheck disable=SC2086
	set -- $GATEWAYS
	charon_do router-a "$1" --initiate --child c >"$TB_DIR/router-a/charon/initiate" 2>&1 || {
		cat "$TB_DIR/router-a/charon/initiate" "$TB_DIR/router-a/charon/log"
		return 1
	}
}

# charon_do ROUTER PROCESS ARGUMENT..: swanctl where that daemon's /run is.
charon_do()
{
	g_r=$1 g_p=$2
	shift 2
	STRONGSWAN_CONF="$TB_DIR/$g_r/charon/strongswan.conf" nsenter -t "$g_p" -m -n swanctl "$@"
}
charon_stop() { g_kill; }

# ---- our engine ----

# engines_start udp|esp gcm|cbc [packet|ring]: esp by packet sockets, by their rings
engines_start()
{
	for g_r in router-a router-b; do
		g_in=$TB_DIR/$g_r/commands
		rm -f "$g_in"
		mkfifo "$g_in"
		tb_start $g_r driver sh -c 'exec "$0" ipsp0 $2 <"$1"' "$TB_BUILD/tests/net/engine-driver" "$g_in" ${3:-}
		G_MORE="$G_MORE $TB_LAST"
		if [ $g_r = router-a ]; then exec 7>"$g_in"; else exec 8>"$g_in"; fi
		tb_until 10 tb_in $g_r ip link show dev ipsp0
		tb_in $g_r ip rule add pref 100 fwmark $G_MARK lookup main
		tb_in $g_r ip rule add pref 101 iif ipsp0 lookup main
		tb_in $g_r ip route add default dev ipsp0 table 99
		tb_in $g_r ip rule add pref 102 to "$(g_out $g_r)" lookup 99
		engine_policy $g_r "$1" "$2" >"$g_in"
		g_driver=$TB_LAST
		tb_until 10 pgrep -P "$g_driver"
		GATEWAYS="$GATEWAYS $(pgrep -P "$g_driver")"
	done
}

# engine_policy ROUTER udp|esp gcm|cbc: the commands.
engine_policy()
{
	g_spi_out=0x1001 g_spi_in=0x2001
	[ "$1" = router-a ] || { g_spi_out=0x2001; g_spi_in=0x1001; }
	case $3 in gcm) g_keys="${G_KEY}00010203 gcm" ;; *) g_keys="$G_KEY $G_SUM" ;; esac
	echo begin 1
	echo sa 1 out tunnel $g_spi_out "$(g_here "$1")" "$(g_there "$1")" "$g_keys"
	[ "$2" != udp ] || echo encap 4500 4500 0
	echo sa 2 in tunnel $g_spi_in "$(g_here "$1")" "$(g_there "$1")" "$g_keys"
	[ "$2" != udp ] || echo encap 4500 4500 0
	echo list wan out
	echo entry 11 protect 1 quiet "$(g_own "$1")" "$(g_out "$1")"
	echo list wan in
	echo entry 12 protect 2 quiet "$(g_out "$1")" "$(g_own "$1")"
	echo commit
}

engine_gone() { ! tb_in "$1" ip link show dev ipsp0; }

engines_stop()
{
	echo quit >&7
	echo quit >&8
	exec 7>&- 8>&-
	GATEWAYS=
	for g_pid in $G_MORE; do tb_reap "$g_pid"; done
	G_MORE=
	for g_r in router-a router-b; do
		for g_pref in 100 101 102; do tb_in $g_r ip rule del pref $g_pref; done
		# The next ones' TUNs have the same name.
		tb_until 10 engine_gone $g_r
	done
}
