#!/bin/sh
# tests/bench/bench_outer.sh - what a packet of protocol 50 costs on its way from one user space to another over
# a veth pair, by raw sockets and by what goes past the network stack (tests/bench/outer.c).
#
#   ceiling.outer.raw.ns            raw sockets at both ends, as the engine has them
#   ceiling.outer.send_WAY.ns       another sender, the same receiver
#   ceiling.outer.receive_WAY.ns    the same sender, another receiver, in front of the stack, which drops them
#   .vs_raw                         over the first
#
# Nanoseconds of processor time of both ends, the kernel's halves included. The least of three runs in turns.
set -eu
exec 3>&1 >&2
: "${PYTHON:=python3}"
ms=1000 rounds='1 2 3'
[ -z "${BENCH_QUICK:-}" ] || ms=200 rounds=1
if [ "$(id -u)" != 0 ]; then
	echo "bench: outer left out: it needs root"
	exit 0
fi
. "$TB_SRC/scripts/testbed.sh"
tb_init
for s in left right; do
	ip netns add "$(tb_ns $s)"
	TB_SPACES="$TB_SPACES $(tb_ns $s)"
	tb_in $s ip link set dev lo up
	mkdir -p "$TB_DIR/$s"
done
tb_link left eth right eth
tb_addr left eth 192.0.2.1/24
tb_addr right eth 192.0.2.2/24
link_of() { tb_in "$1" cat /sys/class/net/eth/address; }
tb_in left ip neigh replace 192.0.2.2 lladdr "$(link_of right)" dev eth nud permanent

# The stack need not look at what somebody took in front of it.
drop() { tb_in right nft "add table netdev t; add chain netdev t c { type filter hook ingress device eth priority 0; };
	add rule netdev t c ip protocol 50 drop"; }

# one SEND-WAY RECEIVE-WAY: nanoseconds of a packet that arrived; nothing if this kernel has no such way
one()
{
	case $2 in packet | ring) drop ;; esac
	rm -f "$TB_DIR/right/receive.log"
	tb_start right receive "$TB_BUILD/tests/bench/outer" receive "$2" eth 192.0.2.2 192.0.2.1 "$(link_of left)" $((ms * 2))
	receiver=$TB_LAST
	if tb_until 5 grep -q ready "$TB_DIR/right/receive.log"; then
		tb_in left "$TB_BUILD/tests/bench/outer" send "$1" eth 192.0.2.1 192.0.2.2 "$(link_of right)" $ms \
			>"$TB_DIR/sent" || :
	fi
	wait "$receiver" || :
	case $2 in packet | ring) tb_in right nft delete table netdev t ;; esac
	"$PYTHON" -c 'import sys
a, b = (open(f).read().split() for f in sys.argv[1:])
if len(a) == 3 and len(b) == 3 and int(b[1]) > 0:
    print(round((float(a[2]) + float(b[2])) / int(b[1])))' "$TB_DIR/sent" "$TB_DIR/right/receive.log"
}

for round in $rounds; do
	for pair in raw:raw packet:raw ring:raw xdp:raw raw:packet raw:ring raw:xdp; do
		ns=$(one "${pair%:*}" "${pair#*:}")
		[ -z "$ns" ] || echo "$pair $ns" >>"$TB_DIR/all"
	done
done
"$PYTHON" - "$TB_DIR/all" >&3 <<'PY'
import sys
best = {}
for line in open(sys.argv[1]):
    pair, ns = line.split()
    best[pair] = min(best.get(pair, 1 << 40), int(ns))
names = {"raw:raw": "raw", "packet:raw": "send_packet", "ring:raw": "send_ring", "xdp:raw": "send_xdp",
         "raw:packet": "receive_packet", "raw:ring": "receive_ring", "raw:xdp": "receive_xdp"}
for pair, name in names.items():
    if pair in best:
        print("ceiling.outer.%s.ns %d ns" % (name, best[pair]))
        if pair != "raw:raw" and "raw:raw" in best:
            print("ceiling.outer.%s.vs_raw %.3f ratio" % (name, best[pair] / best["raw:raw"]))
PY
