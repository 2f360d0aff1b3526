#!/bin/sh
# tests/bench/bench_snmp.sh - SNMP at 1,000, 10,000 and 100,000 rules, beside a plain table_tdata
# subagent: the daemon and tests/bench/tdata.c, each under an snmpd of its own, in a network
# namespace of their own. tests/bench/bench_snmp.c is the manager; its top says how it measures.
# BENCH_DIR says where the state is kept (default: here), a place that _ipspd can reach; on a tmpfs the
# durable figures mean nothing.
#
# Manager, masters and both subagents share one processor. With one request outstanding only one of them
# works at a time, and where the scheduler puts each would else count for more than what it does: to
# wake an idle processor costs more than to answer.
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
cpu=$(taskset -cp $$ | sed 's/.*[ ,-]//')
bench_space
bench_snmpd bench 161 taskset -c "$cpu"
tb_ipspd bench
tb_ctl bench wait --snmp --timeout 30
bench_snmpd tdata 162 taskset -c "$cpu"
tb_start bench tdata taskset -c "$cpu" "$TB_BUILD/tests/bench/tdata" "unix:$TB_DIR/tdata/agentx"
tdata=$TB_LAST
registered() { tb_in bench snmpget -v2c -c bench 127.0.0.1:162 1.3.6.1.2.1.153.1.4.1.9.1.97 | grep Instance; }
tb_until 20 registered
agent=$(tb_process bench agent)
taskset -acp "$cpu" "$agent"
tb_in bench taskset -c "$cpu" "$TB_BUILD/tests/bench/bench_snmp" udp:127.0.0.1:161 "$agent" \
	udp:127.0.0.1:162 "$tdata" "$TB_DIR/bench" >&3
