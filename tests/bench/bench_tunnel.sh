#!/bin/sh
# tests/bench/bench_tunnel.sh - TCP from LAN to LAN through two routers with real daemons.
#
#   tunnel.clear.tcp            forwarded in the clear, before any policy: the testbed's own ceiling
#   tunnel.esp.tcp              in an ESP tunnel, AES-256-CBC with HMAC-SHA2-256-128, manual keys
#   tunnel.esp.tcp.vs_clear
#   tunnel.clear.rtt, tunnel.esp.rtt    mean of 100 pings
set -eu

# Only figures are for standard output; the testbed and its tools say more.
exec 3>&1 >&2
: "${PYTHON:=python3}"
seconds=${BENCH_QUICK:+1}
seconds=${seconds:-8}

if [ "$(id -u)" != 0 ] || ! command -v iperf3 >/dev/null; then
	echo "bench: tunnel left out: it needs root and iperf3"
	exit 0
fi
. "$TB_SRC/scripts/testbed.sh"
. "$TB_SRC/scripts/testbed-policy.sh"

line() { printf '%s %s %s\n' "$1" "$2" "$3" >&3; }

# Gbit/s that arrived; the first second is not counted.
tcp()
{
	tb_in host-a iperf3 -J -c 10.2.0.2 -O 1 -t "$seconds" >"$TB_DIR/iperf.json"
	"$PYTHON" -c 'import json, sys
end = json.load(open(sys.argv[1]))["end"]
print("%.3f" % (end["sum_received"]["bits_per_second"] / 1e9))' "$TB_DIR/iperf.json"
}

# Milliseconds.
rtt()
{
	tb_in host-a ping -q -c 100 -i 0.01 10.2.0.2 | sed -n 's,^rtt [^=]*= [^/]*/\([^/]*\)/.*,\1,p'
}

measure()
{
	tb_until 20 tb_in host-a ping -q -c 1 -W 1 10.2.0.2
	line "tunnel.$1.rtt" "$(rtt)" ms
	gbps=$(tcp)
	line "tunnel.$1.tcp" "$gbps" Gbit/s
}

tb_init
tb_topology
tb_start host-b iperf3 iperf3 -s
tb_until 20 tb_in host-b sh -c 'ss -Hltn sport = 5201 | grep -q .'
measure clear
clear=$gbps
for r in router-a router-b; do
	tb_snmpd $r
	tb_ipspd $r
	tb_ctl $r wait --snmp --timeout 30
done
tb_policies
measure esp
line tunnel.esp.tcp.vs_clear "$("$PYTHON" -c 'import sys
print("%.3f" % (float(sys.argv[1]) / float(sys.argv[2])))' "$gbps" "$clear")" ratio
