# shellcheck shell=sh
# tests/bench/lib.sh - one network namespace with what the SNMP and XML benchmarks need; sourced after
# scripts/testbed.sh, which ends it all.

# bench_space: the namespace "bench".
bench_space()
{
	ip netns add "$(tb_ns bench)"
	TB_SPACES="$TB_SPACES $(tb_ns bench)"
	tb_in bench ip link set lo up
	mkdir -p "$TB_DIR/bench"
}

# bench_snmpd NAME PORT [COMMAND..]: a master in that namespace, run by the command, its files under
# NAME, that lets the community "bench" do everything: what is measured is the subagents, and views
# and keys cost the master alone.
bench_snmpd()
{
	b_name=$1 b_port=$2
	shift 2
	mkdir -p "$TB_DIR/$b_name/snmp"
	cat >"$TB_DIR/$b_name/snmpd.conf" <<-CONF
		agentAddress udp:127.0.0.1:$b_port
		master agentx
		agentXSocket unix:$TB_DIR/$b_name/agentx
		agentXPerms 0660 0755 _ipspd _ipspd
		rwcommunity bench 127.0.0.1
	CONF
	tb_start bench "snmpd-$b_name" env SNMP_PERSISTENT_DIR="$TB_DIR/$b_name/snmp" "$@" \
		snmpd -f -Lo -C -c "$TB_DIR/$b_name/snmpd.conf" -p "$TB_DIR/$b_name/snmpd.pid"
	tb_until 20 test -S "$TB_DIR/$b_name/agentx"
}
