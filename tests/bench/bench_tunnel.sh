#!/bin/sh
# tests/bench/bench_tunnel.sh - from LAN to LAN through two routers. All on this machine: two gateways and
# the load share its processors, so ratios of one run are what counts.
#
#   tunnel.clear.*              forwarded in the clear: the testbed's own ceiling
#   ceiling.*                   a forwarder in user space that protects nothing (tests/bench/ceiling.c)
#   libipsec.*                  strongSwan with kernel-libipsec: ESP in UDP, AES-128-GCM; .cbcsha256: AES-128-CBC
#                               with HMAC-SHA2-256
#   tunnel.udp.*, tunnel.esp.*  two of our engine processes: the same in UDP, and by protocol 50
#   tunnel.esp.fast.*, .ring.*  the latter sent by packet sockets, by their rings; .vs_raw: over tunnel.esp.*;
#                               .vs_batch: over ceiling.batch.tcp
#   tunnel.daemon.tcp           whole daemons, policy by SNMP: ESP, AES-256-CBC with HMAC-SHA2-256, manual keys
#
# tcp: Gbit/s of iperf3; rtt: mean of pings; pps64: datagrams of 64 octets a second that arrive, at the best
# of some rates; cpu_s_per_gb: processor seconds of both gateways' processes for 10^9 octets of that TCP.
set -eu

# Only figures are for standard output; the testbed and its tools say more.
exec 3>&1 >&2
: "${PYTHON:=python3}"
seconds=${BENCH_QUICK:+1}
seconds=${seconds:-6}
rates="100000 300000 600000 1000000 1500000"
few_rates="300000 1000000"
[ -z "${BENCH_QUICK:-}" ] || rates=100000 few_rates=100000

if [ "$(id -u)" != 0 ] || ! command -v iperf3 >/dev/null; then
	echo "bench: tunnel left out: it needs root and iperf3"
	exit 0
fi
. "$TB_SRC/scripts/testbed.sh"
. "$TB_SRC/scripts/testbed-policy.sh"
. "$TB_SRC/tests/bench/gateways.sh"

line() { printf '%s %s %s\n' "$1" "$2" "$3" >&3; }
ratio() { "$PYTHON" -c 'import sys
a, b = map(float, sys.argv[1:])
print("%.3f" % (a / b if b else 0))' "$1" "$2"; }

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
	tb_in host-a ping -q -c 300 -i 0.005 10.2.0.2 | sed -n 's,^rtt [^=]*= [^/]*/\([^/]*\)/.*,\1,p'
}

# pps64 RATE..: datagrams a second that arrive, 64 octets each with their headers.
pps64()
{
	best=0
	for rate; do
		tb_in host-b "$TB_BUILD/tests/bench/flood" count 9999 1000 >"$TB_DIR/count" &
		counter=$!
		tb_until 5 tb_in host-b sh -c 'ss -Hlun sport = 9999 | grep -q .'
		tb_in host-a "$TB_BUILD/tests/bench/flood" send 10.2.0.2 9999 36 "$rate" 1300 || :
		wait $counter || :
		got=$(cat "$TB_DIR/count")
		[ "${got:-0}" -le "$best" ] || best=$got
	done
	echo "$best"
}

# cpu PROCESS..: what they have used, in seconds.
cpu()
{
	for p; do cat "/proc/$p/stat"; done | "$PYTHON" -c 'import os, sys
print(sum(sum(map(int, l.rsplit(")", 1)[1].split()[11:13])) for l in sys.stdin)
      / os.sysconf("SC_CLK_TCK"))'
}

# measure NAME tcp|send|all: what goes through now; GATEWAYS are the processes that do the work. send: all but rtt,
# and fewer rates.
measure()
{
	tb_until 20 tb_in host-a ping -q -c 1 -W 1 10.2.0.2
	before=$(cpu $GATEWAYS)
	gbps=$(tcp)
	after=$(cpu $GATEWAYS)
	line "$1.tcp" "$gbps" Gbit/s
	[ "$2" != tcp ] || return 0
	if [ -n "$GATEWAYS" ]; then
		per_gb=$("$PYTHON" -c 'import json, sys
end = json.load(open(sys.argv[1]))["end"]
print("%.2f" % ((float(sys.argv[3]) - float(sys.argv[2])) / (end["sum_received"]["bytes"] / 1e9)))' \
			"$TB_DIR/iperf.json" "$before" "$after")
		line "$1.cpu_s_per_gb" "$per_gb" s
	fi
	# Word splitting is wanted: one argument a rate.
	# shellcheck disable=SC2086
	if [ "$2" = all ]; then
		ms=$(rtt)
		line "$1.rtt" "$ms" ms
		pps=$(pps64 $rates)
	else
		pps=$(pps64 $few_rates)
	fi
	line "$1.pps64" "$pps" /s
}

tb_init
tb_topology
tb_start host-b iperf3 iperf3 -s
tb_until 20 tb_in host-b sh -c 'ss -Hltn sport = 5201 | grep -q .'
GATEWAYS=
measure tunnel.clear tcp
clear=$gbps

for mode in single batch offload; do
	ceiling_start $mode
	measure "ceiling.$mode" tcp
	ceiling_stop
	[ $mode != batch ] || batch=$gbps
done
ceiling=$gbps

libipsec= libipsec_cbc= libipsec_rtt= libipsec_pps=
if charon_there; then
	charon_start aes128gcm16
	measure libipsec all
	libipsec=$gbps libipsec_rtt=$ms libipsec_pps=$pps
	charon_stop
	charon_start aes128-sha256
	measure libipsec.cbcsha256 tcp
	libipsec_cbc=$gbps
	charon_stop
else
	echo "bench: no comparison: charon-systemd, kernel-libipsec or swanctl is not installed"
fi

engines_start udp gcm
measure tunnel.udp all
line tunnel.udp.tcp.vs_ceiling "$(ratio "$gbps" "$ceiling")" ratio
line tunnel.cpu_s_per_gb "$per_gb" s
if [ -n "$libipsec" ]; then
	line tunnel.udp.tcp.vs_libipsec "$(ratio "$gbps" "$libipsec")" ratio
	line tunnel.rtt.vs_libipsec "$(ratio "$ms" "$libipsec_rtt")" ratio
	line tunnel.pps64 "$pps" /s
	line tunnel.pps64.vs_libipsec "$(ratio "$pps" "$libipsec_pps")" ratio
fi
engines_stop
engines_start udp cbc
measure tunnel.udp.cbcsha256 tcp
[ -z "$libipsec_cbc" ] ||
	line tunnel.udp.cbcsha256.tcp.vs_libipsec "$(ratio "$gbps" "$libipsec_cbc")" ratio
engines_stop
engines_start esp gcm
measure tunnel.esp send
[ -z "$libipsec" ] || line tunnel.esp.tcp.vs_libipsec "$(ratio "$gbps" "$libipsec")" ratio
line tunnel.esp.tcp.vs_clear "$(ratio "$gbps" "$clear")" ratio
line tunnel.esp.tcp.vs_batch "$(ratio "$gbps" "$batch")" ratio
engines_stop
raw_gbps=$gbps raw_per_gb=$per_gb raw_pps=$pps
for way in packet ring; do
	name=tunnel.esp.$(if [ $way = packet ]; then echo fast; else echo ring; fi)
	engines_start esp gcm $way
	measure "$name" send
	line "$name.tcp.vs_raw" "$(ratio "$gbps" "$raw_gbps")" ratio
	line "$name.tcp.vs_batch" "$(ratio "$gbps" "$batch")" ratio
	line "$name.cpu_s_per_gb.vs_raw" "$(ratio "$per_gb" "$raw_per_gb")" ratio
	line "$name.pps64.vs_raw" "$(ratio "$pps" "$raw_pps")" ratio
	engines_stop
done

for r in router-a router-b; do
	tb_snmpd $r
	tb_ipspd $r
	tb_ctl $r wait --snmp --timeout 30
done
tb_policies
GATEWAYS=
measure tunnel.daemon tcp
