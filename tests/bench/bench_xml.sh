#!/bin/sh
# tests/bench/bench_xml.sh - XML files of 1,000, 10,000 and 100,000 rules, in and out of a daemon by
# ipspctl: from the command to its end, so that an imported file is on disk. BENCH_DIR says where the
# state is kept (default: here), a place that _ipspd can reach.
#
#   xml.import_N_s, xml.export_N_s      seconds
set -eu

# Only figures are for standard output; the testbed and its tools say more.
exec 3>&1 >&2
: "${PYTHON:=python3}"
if [ "$(id -u)" != 0 ]; then
	echo "bench: xml left out: it needs root"
	exit 0
fi
TMPDIR=${BENCH_DIR:-$PWD}
. "$TB_SRC/scripts/testbed.sh"
. "$TB_SRC/tests/bench/lib.sh"

# rules N: an export of so many.
rules()
{
	"$PYTHON" - "$1" <<-'PY'
		import sys
		uri = "urn:ietf:params:xml:ns:yang:smiv2:IPSEC-SPD-MIB"
		print('<data xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">'
		      f'<IPSEC-SPD-MIB xmlns="{uri}"><spdRuleDefinitionTable>')
		for i in range(int(sys.argv[1])):
		    print(f"""
		      <spdRuleDefinitionEntry>
		        <spdRuleDefName>rule{i:06}</spdRuleDefName>
		        <spdRuleDefDescription>rule number {i}</spdRuleDefDescription>
		        <spdRuleDefFilter>1.3.6.1.2.1.153.1.7.1.0</spdRuleDefFilter>
		        <spdRuleDefFilterNegated>false</spdRuleDefFilterNegated>
		        <spdRuleDefAction>1.3.6.1.2.1.153.1.13.1.0</spdRuleDefAction>
		        <spdRuleDefAdminStatus>enabled</spdRuleDefAdminStatus>
		        <spdRuleDefStorageType>nonVolatile</spdRuleDefStorageType>
		        <spdRuleDefRowStatus>active</spdRuleDefRowStatus>
		      </spdRuleDefinitionEntry>""")
		print("</spdRuleDefinitionTable></IPSEC-SPD-MIB></data>")
	PY
}

# timed NAME COMMAND..: a line of its seconds.
timed()
{
	b_what=$1
	shift
	"$PYTHON" -c 'import subprocess, sys, time
began = time.monotonic()
subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
print("%s %.3f s" % (sys.argv[1], time.monotonic() - began))' "$b_what" "$@" >&3
}

tb_init
bench_space
scales="1k 10k 100k"
[ -z "${BENCH_QUICK:-}" ] || scales=1k
for scale in $scales; do
	rules "${scale%k}000" >"$TB_DIR/bench/$scale.xml"
	tb_ipspd bench
	set -- "$TB_BUILD/ipspctl/ipspctl" -s "$TB_DIR/bench/control"
	timed "xml.import_${scale}_s" "$@" import "$TB_DIR/bench/$scale.xml"
	timed "xml.export_${scale}_s" "$@" export
	kill "$(tb_pid bench ipspd)"
	tb_reap "$(tb_pid bench ipspd)"
	rm -r "$TB_DIR/bench/state"
done
