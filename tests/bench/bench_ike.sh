#!/bin/sh
# tests/bench/bench_ike.sh - IKEv2 between two ends on this machine, ours and then strongSwan's: IKE_SA_INIT and
# IKE_AUTH with a Child SA. Both ends share the processors, so ratios of one run are what counts. Ours asks an engine
# process for its SAs; strongSwan has them in its own (kernel-libipsec), and few enough of them: it looks for each
# among all.
#
#   ike.setups.HOW      setups a second, 8 under way: with a shared key and a group (x25519, modp2048), or by
#                       x25519 with certificates (rsa2048, ecdsa256)
#   ike.latency.HOW     from its beginning to its Child SA, one after the other: ms
#   ike.bytes_per_sa    memory of the ike process for an IKE SA with its Child SA, of 10,000; .engine: of the engine
#   .charon, .vs_charon of each: strongSwan's, and ours over it
set -eu

# Only figures are for standard output; the testbed and its tools say more.
exec 3>&1 >&2
: "${PYTHON:=python3}"
setups=200 singles=50 many=10000 rounds=5
[ -z "${BENCH_QUICK:-}" ] || { setups=20 singles=5 many=100 rounds=1; }

if [ "$(id -u)" != 0 ]; then
	echo "bench: ike left out: it needs root"
	exit 0
fi
. "$TB_SRC/scripts/testbed.sh"

charon=
if [ -x /usr/sbin/charon-systemd ] && command -v swanctl >/dev/null; then
	charon=yes
else
	echo "bench: no comparison: charon-systemd or swanctl is not installed"
fi

line() { printf '%s %s %s\n' "$1" "$2" "$3" >&3; }
calc() { "$PYTHON" -c 'import sys
print("%.3f" % eval(sys.argv[1]))' "$1"; }

# The smallest of the numbers: other work on the machine only takes time away.
least() { printf '%s\n' "$@" | sort -n | head -n 1; }

# ---- keys ----

# key NAME KIND..: as openssl genpkey has it, and a certificate by the CA.
key()
{
	k_n=$TB_DIR/$1
	k_s=/O=Bench/CN=$1
	shift
	openssl genpkey -out "$k_n.key" "$@" 2>/dev/null
	openssl req -new -key "$k_n.key" -subj "$k_s" -out "$k_n.csr"
	openssl x509 -req -in "$k_n.csr" -days 30 -CA "$TB_DIR/ca.pem" -CAkey "$TB_DIR/ca.key" -CAcreateserial \
		-out "$k_n.pem" 2>/dev/null
}

keys()
{
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /O=Bench/CN=CA -keyout "$TB_DIR/ca.key" \
		-out "$TB_DIR/ca.pem" 2>/dev/null
	for end in a b; do
		key $end-rsa2048 -algorithm RSA -pkeyopt rsa_keygen_bits:2048
		key $end-ecdsa256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256
	done
}

# ---- ours ----

# What bench_ike is to be called with. group HOW; proofs END HOW
group() { if [ "$1" = modp2048 ]; then echo 14; else echo 31; fi; }
proofs()
{
	case $2 in
	rsa2048|ecdsa256) echo "$TB_DIR/$1-$2.key $TB_DIR/$1-$2.pem $TB_DIR/ca.pem" ;;
	esac
}

ours_start()
{
	rm -f "$TB_DIR/question"
	mkfifo "$TB_DIR/question"
	# shellcheck disable=SC2046
	tb_in b "$TB_BUILD/tests/bench/bench_ike" respond 192.0.2.2 192.0.2.1 "$(group $1)" 0 0 \
		$(proofs b $1) <"$TB_DIR/question" >"$TB_DIR/answer" &
	responder=$!
	TB_PIDS="$TB_PIDS $responder"
	exec 4>"$TB_DIR/question"
	tb_until 10 grep -q ready "$TB_DIR/answer"
}
ours_stop()
{
	exec 4>&-
	wait "$responder" || :
}
# HOW N UNDER-WAY: seconds.
# shellcheck disable=SC2046
ours_run()
{
	tb_in a "$TB_BUILD/tests/bench/bench_ike" initiate 192.0.2.1 192.0.2.2 "$(group $1)" "$2" "$3" $(proofs a $1)
}
ours_memory()
{
	ours_lines=$(wc -l <"$TB_DIR/answer")
	echo >&4
	tb_until 10 eval '[ "$(wc -l <"$TB_DIR/answer")" -gt "$ours_lines" ]'
	tail -n 1 "$TB_DIR/answer"
}

# ---- strongSwan ----

# charon_one END HERE THERE HOW
charon_one()
{
	d=$TB_DIR/$1
	mkdir -p "$d/x509" "$d/x509ca" "$d/private"
	cat >"$d/strongswan.conf" <<-CONF
		charon-systemd {
			load_modular = no
			load = random nonce openssl aes aesni sha1 sha2 hmac kdf gcm pem pkcs1 pkcs8 x509 constraints curve25519 kernel-libipsec kernel-netlink socket-default vici
			threads = 32
			install_virtual_ip = no
			reuse_ikesa = no
			dos_protection = no
			ikesa_table_size = 4096
			ikesa_table_segments = 16
			journal { default = -1 }
			plugins { vici { socket = unix://$d/vici } }
		}
		swanctl { load = random nonce openssl pem pkcs1 pkcs8 x509 vici }
	CONF
	case $4 in
	rsa2048|ecdsa256)
		cp "$TB_DIR/$1-$4.pem" "$d/x509"
		cp "$TB_DIR/$1-$4.key" "$d/private"
		cp "$TB_DIR/ca.pem" "$d/x509ca"
		auth='auth = pubkey' cert="certs = $1-$4.pem" ;;
	*) auth='auth = psk' cert= ;;
	esac
	case $4 in
	modp2048) ke=modp2048 ;;
	*) ke=x25519 ;;
	esac
	cat >"$d/swanctl.conf" <<-CONF
		connections { b {
			local_addrs = $2
			remote_addrs = $3
			version = 2
			mobike = no
			unique = never
			proposals = aes128gcm16-prfsha256-$ke
			local {
				$auth
				$cert
			}
			remote { $auth }
			children { c {
				local_ts = 0.0.0.0/0
				remote_ts = 0.0.0.0/0
				esp_proposals = aes128gcm16 } } } }
		secrets { ike { secret = "between two" } }
	CONF
	tb_start $1 charon env STRONGSWAN_CONF="$d/strongswan.conf" unshare -m sh -c \
		'mount -t tmpfs none /run && exec /usr/sbin/charon-systemd'
	tb_until 20 tb_in $1 env STRONGSWAN_CONF="$d/strongswan.conf" swanctl --load-all --uri "unix://$d/vici" \
		--file "$d/swanctl.conf"
}
charon_start()
{
	charon_one a 192.0.2.1 192.0.2.2 $1
	charon_one b 192.0.2.2 192.0.2.1 $1
}
charon_stop()
{
	for end in a b; do
		kill -9 "$(tb_pid $end charon)"
		tb_reap "$(tb_pid $end charon)"
		rm -rf "${TB_DIR:?}/$end/x509" "$TB_DIR/$end/private" "$TB_DIR/$end/vici"
	done
}
charon_run() { "$TB_BUILD/tests/bench/vici" "$TB_DIR/a/vici" c "$2" "$3"; }
charon_memory() { awk '/^RssAnon/ { print $2 * 1024 }' "/proc/$(tb_pid b charon)/status"; }

# ---- what is measured ----

# run WHO HOW: rounds, each with daemons that have no SAs yet; seconds of the best ones in $many_s and $one_s.
run()
{
	many_s= one_s=
	for i in $(seq $rounds); do
		$1_start $2
		one_s="$one_s $($1_run $2 $singles 1)"
		many_s="$many_s $($1_run $2 $setups 8)"
		$1_stop
	done
	# shellcheck disable=SC2086
	many_s=$(least $many_s) one_s=$(least $one_s)
}

measure()
{
	run ours $1
	ours_many=$many_s ours_one=$one_s
	line "ike.setups.$1" "$(calc "$setups / $many_s")" setups/s
	line "ike.latency.$1" "$(calc "$one_s * 1e3 / $singles")" ms
	[ -n "$charon" ] || return 0
	run charon $1
	line "ike.setups.$1.charon" "$(calc "$setups / $many_s")" setups/s
	line "ike.latency.$1.charon" "$(calc "$one_s * 1e3 / $singles")" ms
	line "ike.setups.$1.vs_charon" "$(calc "$many_s / $ours_many")" ratio
	line "ike.latency.$1.vs_charon" "$(calc "$ours_one / $one_s")" ratio
}

# grown BEFORE AFTER
grown() { calc "($2 - $1) / $many"; }

tb_init
for end in a b; do
	ip netns add "$(tb_ns $end)"
	TB_SPACES="$TB_SPACES $(tb_ns $end)"
	tb_in $end ip link set lo up
	mkdir -p "$TB_DIR/$end"
done
tb_link a wan b wan
tb_addr a wan 192.0.2.1/24
tb_addr b wan 192.0.2.2/24
keys

for how in ${BENCH_IKE:-x25519 modp2048 rsa2048 ecdsa256}; do
	measure $how
done

ours_start x25519
# shellcheck disable=SC2046
set -- $(ours_memory)
ours_run x25519 $many 8 >/dev/null
before=$1 engine=$2
# shellcheck disable=SC2046
set -- $(ours_memory)
ours_stop
line ike.bytes_per_sa "$(grown $before $1)" octets
line ike.bytes_per_sa.engine "$(grown $engine $2)" octets
if [ -n "$charon" ]; then
	charon_start x25519
	before=$(charon_memory)
	charon_run x25519 $many 8 >/dev/null
	charon_now=$(charon_memory)
	charon_stop
	line ike.bytes_per_sa.charon "$(grown $before $charon_now)" octets
fi
