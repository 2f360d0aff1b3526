#!/bin/sh
# tests/bench/bench_snmp.sh - SNMP at 1,000, 10,000 and 100,000 rules, beside a plain table_tdata
# subagent: the daemon and tests/bench/tdata.c, each under an snmpd of its own, in a network
# namespace of their own. tests/bench/bench_snmp.c is the manager; its top says how it measures.
# BENCH_DIR says where the state is kept (default: here), a place that _ipspd can reach; on a tmpfs the
# durable figures mean nothing.
set -eu

# Only figures are for standard output; the testbed and its tools say more.
exec 3>&1 >&2
if [ "$(id -u)" != 0 ] || ! [ -x "$TB_BUILD/tests/bench/tdata" ]; then
	echo "bench: snmp left out: it needs root and Net-SNMP's agent library"
	exit 0
fi
TMPDIR=${BENCH_DIR:-$PWD}
. "$TB_SRC/scripts/testbed.sh"
. "$TB_SRC/tests/bench/lib.sh"

tb_init
bench_space
bench_snmpd bench 161
tb_ipspd bench
tb_ctl bench wait --snmp --timeout 30
bench_snmpd tdata 162
tb_start bench tdata "$TB_BUILD/tests/bench/tdata" "unix:$TB_DIR/tdata/agentx"
tdata=$TB_LAST
registered() { tb_in bench snmpget -v2c -c bench 127.0.0.1:162 1.3.6.1.2.1.153.1.4.1.9.1.97 | grep Instance; }
tb_until 20 registered
tb_in bench "$TB_BUILD/tests/bench/bench_snmp" udp:127.0.0.1:161 "$(tb_process bench agent)" \
	udp:127.0.0.1:162 "$tdata" "$TB_DIR/bench" >&3
