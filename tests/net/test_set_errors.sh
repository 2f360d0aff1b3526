# tests/net/test_set_errors.sh - every error of RFC 3416 4.2.5 occurs where it belongs, and only there.
#
# Through a real snmpd, with the index of the varbind at fault, and with nothing changed: errors that a
# SET itself causes (tests/net/managed_errors.py), and those that need a full disk and another
# subagent (tests/net/managed_disk.py). noAccess and authorizationError for users: test_access.sh.

. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
state=$TB_DIR/router-a/state
mkdir "$state"
mount -t tmpfs -o size=12m,mode=0700 ipspd-test "$state"
TB_MOUNTS="$state"
TB_SNMPD_MORE="rwcommunity test"
tb_snmpd router-a
tb_ipspd router-a
tb_ctl router-a wait --snmp --timeout 30
manage router-a managed_errors.py

tb_start router-a refuser "$TB_BUILD/tests/net/refuser" "unix:$TB_DIR/router-a/agentx"
tb_until 20 says INTEGER tb_in router-a snmpget -v2c -c test 127.0.0.1 .1.3.6.1.4.1.8072.9999.9999.4808.1.0
manage router-a managed_disk.py "$state"

# The disk is of the same mind.
rules() { tb_ctl router-a export | grep -c '<spdRuleDefName>g[123]-'; }
before=$(rules)
kill -9 "$(tb_pid router-a ipspd)"
tb_ipspd router-a
tb_ctl router-a wait --snmp --timeout 30
claim "after kill -9 and a new start the same rows are there" equal "$before" "$(rules)"
claim "... those that could not be undone among them" equal 90 "$before"
claim "no sanitizer has anything to say" not grep -hE 'Sanitizer|runtime error' "$TB_DIR/router-a/ipspd.log"
conclude
