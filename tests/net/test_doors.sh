# tests/net/test_doors.sh - SNMP, command line and XML are doors to one state, with one set of rules.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
claim "a whole policy is SET on both routers" tb_policies

# What one door writes the others read.
claim "a rule is created at the command line" tb_ctl router-a create spdRuleDefinitionTable block \
	spdRuleDefFilter=spdTrueFilter.0 spdRuleDefAction=spdDropActionLog.0
claim "... SNMP reads it" says 'spdDropActionLog' tb_snmp snmpget router-a 'spdRuleDefAction."block"'
claim "SNMP changes it" tb_snmp snmpset router-a 'spdRuleDefAdminStatus."block"' i disabled
claim "... the command line reads it" says 'disabled' tb_ctl router-a get spdRuleDefinitionTable block
claim "... and so does XML" says '<spdRuleDefAdminStatus>disabled' tb_ctl router-a export
claim "the command line deletes it" tb_ctl router-a delete spdRuleDefinitionTable block
claim "... SNMP does not find it any more" says 'No Such Instance' \
	tb_snmp snmpget router-a 'spdRuleDefAction."block"'

# Refusals: one reason at every door, nothing changed.
before=$(tb_ctl router-a export)
claim "a rule in use cannot be destroyed by SNMP" says 'inconsistentValue' \
	tb_snmp snmpset router-a 'spdRuleDefRowStatus."tunnel-out"' i destroy
claim "... nor at the command line, which says why" says 'spdGroupContentsTable' \
	tb_ctl router-a delete spdRuleDefinitionTable tunnel-out
claim "a wrong enumeration is wrongValue" says 'wrongValue' \
	tb_snmp snmpset router-a -Ir 'spdRuleDefAdminStatus."tunnel-out"' i 7
claim "a wrong type is wrongType" says 'wrongType' \
	tb_snmp snmpset router-a -Ir 'spdRuleDefAdminStatus."tunnel-out"' s 'enabled'
claim "a long name is wrongLength" says 'wrongLength' \
	tb_snmp snmpset router-a -Ir 'spdGroupContComponentName."wan-out".100' s "$(printf '%040d' 1)"
claim "an unknown column is refused with its name" says 'spdRuleDefNonsense' \
	tb_ctl router-a set spdRuleDefinitionTable tunnel-out spdRuleDefNonsense=1
claim "half a transaction is none" says 'inconsistent' tb_snmp snmpset router-a \
	'spdRuleDefDescription."tunnel-out"' s 'half' 'spdRuleDefRowStatus."tunnel-in"' i destroy
claim "nothing has changed" equal "$before" "$(tb_ctl router-a export)"
claim "refusals are counted" not says ': 0' tb_snmp snmpget router-a ipspdRefusedRequests.0

# XML. yanglint wants what is in the outermost element, by our modules and their deviations.
yang_takes()
{
	sed '1,2d;$d' "$1" >"$TB_DIR/inner.xml"
	yanglint -p "$TB_BUILD/mibs/yang" -p "$TB_SRC/mibs/yang" -t config \
		"$TB_BUILD"/mibs/yang/*-MIB.yang "$TB_BUILD/mibs/yang/ipspd-deviations.yang" \
		"$TB_DIR/inner.xml"
}
tb_ctl router-a export "$TB_DIR/a.xml"
claim "the export is well-formed" xmllint --noout "$TB_DIR/a.xml"
claim "... and valid by its YANG modules" yang_takes "$TB_DIR/a.xml"
claim "importing what was exported changes nothing" says 'created 0, changed 0, destroyed 0' \
	tb_ctl router-a import "$TB_DIR/a.xml" --replace
claim "a dry run says what would go" says '- spdRuleDefinitionTable.' tb_ctl router-a import --dry-run --diff --replace \
	"$TB_SRC/tests/net/empty.xml"
claim "... and changes nothing" equal "$before" "$(tb_ctl router-a export)"
sed 's/<spdRuleDefAdminStatus>enabled/<spdRuleDefAdminStatus>perhaps/' "$TB_DIR/a.xml" >"$TB_DIR/bad.xml"
line=$(grep -n '>perhaps' "$TB_DIR/bad.xml" | head -n 1 | cut -d: -f1)
claim "a bad value is refused with file and line" says "$TB_DIR/bad.xml:$line:" tb_ctl router-a import "$TB_DIR/bad.xml"
claim "... which YANG forbids as well" not yang_takes "$TB_DIR/bad.xml"
claim "... and object" says 'spdRuleDefAdminStatus' tb_ctl router-a import "$TB_DIR/bad.xml"
head -c 2000 "$TB_DIR/a.xml" >"$TB_DIR/cut.xml"
claim "a cut file is refused with its line" says "$TB_DIR/cut.xml:" tb_ctl router-a import "$TB_DIR/cut.xml"
claim "nothing has changed by that" equal "$before" "$(tb_ctl router-a export)"
sed 's/<spdRuleDefDescription>/&by XML/;s/<spdRuleDefDescription\/>/<spdRuleDefDescription>by XML<\/spdRuleDefDescription>/' \
	"$TB_DIR/a.xml" >"$TB_DIR/changed.xml"
claim "an import with merge changes rows in one transaction" tb_ctl router-a import "$TB_DIR/changed.xml" --merge
claim "... which SNMP sees" says 'by XML' tb_snmp snmpwalk router-a spdRuleDefDescription
tb_ctl router-a wait
claim "traffic is protected as before" pings host-a 10.2.0.2

# The command line in JSON.
for what in spd sad rows stats status; do
	claim "show $what is JSON" eval "tb_ctl router-a --json show $what | /usr/bin/python3 -m json.tool"
done
claim "rows of one table" says 'tunnel-out' tb_ctl router-a show rows spdRuleDefinitionTable

# What cannot be done drops, and says so in status, MIB and log.
in_log() { grep -qF -- "$1" "$TB_DIR/router-a/ipspd.log"; }
claim "a rule with an empty compound action is accepted" eval 'tb_ctl router-a create spdCompoundActionTable nothing &&
	tb_ctl router-a create spdRuleDefinitionTable idle spdRuleDefFilter=spdTrueFilter.0 \
		"spdRuleDefAction=spdCompActExecutionStrategy.\"nothing\"" &&
	tb_ctl router-a create spdGroupContentsTable wan-out,50 spdGroupContComponentName=idle && tb_ctl router-a wait'
claim "... its traffic is dropped, not passed" silent host-a 10.2.0.2
claim "... the status names it" says 'spdRuleDefinitionTable."idle"' tb_ctl router-a show status
claim "a worker for each processor looks at packets" equal "$(nproc)" \
	"$(tb_snmp snmpget router-a -Oqv ipspdWorkers.0)"
claim "... as the status says, too" sh -c "ip netns exec $(tb_ns router-a) '$TB_BUILD/ipspctl/ipspctl' \
	-s '$TB_DIR/router-a/control' show status | grep -qE '^workers:? +$(nproc)$'"
claim "... the log names it" tb_until 10 in_log 'spdRuleDefinitionTable."idle"'
claim "... the MIB says that it is not in force" says 'false' tb_snmp snmpget router-a 'ipspdRuleInForce."idle"'
claim "... and why" says 'compound' tb_snmp snmpget router-a 'ipspdRuleReason."idle"'
claim "without its place in the group" eval 'tb_ctl router-a delete spdGroupContentsTable wan-out,50 && tb_ctl router-a wait'
claim "... traffic flows again" pings host-a 10.2.0.2

# Views.
TB_USER=$TB_USER_READ
claim "the reader reads" says 'tunnel' tb_snmp snmpwalk router-a spdRuleDefFilter
claim "... and cannot write" says 'noAccess' tb_snmp snmpset router-a 'spdRuleDefDescription."tunnel-out"' s x
TB_USER=$TB_USER_WRITE TB_LEVEL=authNoPriv
claim "without privacy not even the operator reads" not says 'diffServ' tb_snmp snmpget router-a 'spdRuleDefFilter."tunnel-out"'
TB_LEVEL=authPriv

# The AgentX master hangs: the other doors go on; then it goes on too.
kill -STOP "$(tb_pid router-a snmpd)"
claim "with snmpd stopped the command line reads" says 'tunnel-out' tb_ctl router-a show rows spdRuleDefinitionTable
claim "... and writes" tb_ctl router-a set spdRuleDefinitionTable tunnel-out spdRuleDefDescription=meanwhile
claim "... and packets flow" pings host-a 10.2.0.2
kill -CONT "$(tb_pid router-a snmpd)"
claim "after that SNMP reads what was written" tb_until 20 says 'meanwhile' \
	tb_snmp snmpget router-a 'spdRuleDefDescription."tunnel-out"'

# The master goes and comes.
kill "$(tb_pid router-a snmpd)"
tb_reap "$(tb_pid router-a snmpd)"
rm -f "$TB_DIR/router-a/agentx"
tb_snmpd router-a
claim "a new snmpd gets a new session" tb_ctl router-a wait --snmp --timeout 60
claim "... and serves the rows" tb_until 20 says 'meanwhile' \
	tb_snmp snmpget router-a 'spdRuleDefDescription."tunnel-out"'
conclude
