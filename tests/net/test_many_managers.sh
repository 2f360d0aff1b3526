# tests/net/test_many_managers.sh - many managers at once, and one with very much at once.
#
# Eight write the same rows in the same moments (tests/net/managed_writers.py), with ipspctl and XML
# exports beside them; a group of 2,000 rows is destroyed by one SET while packets try to cross
# (tests/net/managed_group.py); rows are toggled, and live through their states, under traffic
# (tests/net/managed_life.py).

. "$TB_SRC/tests/net/lib.sh"
tb_init
TB_SNMPD_MORE="rwcommunity test"
t_routers
claim "a whole policy is SET on both routers" tb_policies
claim "packets cross under it" pings host-a 10.2.0.2
sniff wan a wan
agent=$(tb_process router-a agent)

# Other doors, all the time. What they say is told at the end.
t_other_doors()
{
	i=0
	while [ -e "$TB_DIR/go-on" ]; do
		i=$((i + 1))
		tb_ctl router-a set spdRuleDefinitionTable tunnel-in spdRuleDefDescription="door $i" || return 1
		tb_ctl router-a export "$TB_DIR/beside.xml" || return 1
	done
	echo "$i rounds"
}
: >"$TB_DIR/go-on"
t_other_doors >"$TB_DIR/doors.out" 2>&1 &
t_doors=$!
manage router-a managed_writers.py 25
rm "$TB_DIR/go-on"
claim "ipspctl and exports had their turns meanwhile" wait $t_doors
claim "... more than one" grep -qE '^[0-9]+ rounds' "$TB_DIR/doors.out"

yang_takes()
{
	sed '1,2d;$d' "$1" >"$TB_DIR/inner.xml"
	yanglint -p "$TB_BUILD/mibs/yang" -p "$TB_SRC/mibs/yang" -t config \
		"$TB_BUILD"/mibs/yang/*-MIB.yang "$TB_BUILD/mibs/yang/ipspd-deviations.yang" "$TB_DIR/inner.xml"
}
tb_ctl router-a export "$TB_DIR/last.xml"
claim "the last export is valid by the YANG modules" yang_takes "$TB_DIR/last.xml"
claim "... and so is one from the midst of it" yang_takes "$TB_DIR/beside.xml"
claim "... and importing it changes nothing" says 'created 0, changed 0, destroyed 0' \
	tb_ctl router-a import "$TB_DIR/last.xml" --replace
claim "the agent is the same as before" equal "$agent" "$(tb_process router-a agent)"
claim "packets still cross" eval 'tb_ctl router-a wait --timeout 30 && pings host-a 10.2.0.2'

# From the first packet here to the last, the LANs' packets are ESP or they are not there.
tb_start host-a flow ping -q -i 0.02 -W 1 10.2.0.2
manage router-a managed_life.py
manage router-a managed_group.py "$(tb_ifindex router-a wan)"
tb_ctl router-a wait --timeout 30
kill -INT "$(tb_pid host-a flow)"
tb_reap "$(tb_pid host-a flow)"
claim "with its group the interface is closed" silent host-a 10.2.0.2
unsniff wan wan
claim "packets crossed as ESP" not equal 0 "$(seen wan wan esp)"
claim "... and none in the clear, at any moment" equal 0 "$(seen wan wan "($t_clear) && !esp")"
claim "the agent is still the same" equal "$agent" "$(tb_process router-a agent)"
claim "no sanitizer has anything to say" not grep -hE 'Sanitizer|runtime error' "$TB_DIR"/router-*/ipspd.log
conclude
