# tests/net/test_restart_undo.sh - SETs that another subagent refuses, or hangs or dies in: ours is undone.
#
# One PDU creates, changes and destroys rows of ours, a secret too, and sets an object of
# tests/net/refuser.c. Whatever the refuser does, either all of it happens or nothing: in memory, on
# disk, in XML, in the SPD and on the wire.

. "$TB_SRC/tests/net/lib.sh"
tb_init
TB_SNMPD_MORE="view policy included .1.3.6.1.4.1.8072.9999.9999.4808"
t_routers
claim "a whole policy is SET on both routers" tb_policies

refuser=.1.3.6.1.4.1.8072.9999.9999.4808
start_refuser()
{
	tb_start router-a refuser "$TB_BUILD/tests/net/refuser" "unix:$TB_DIR/router-a/agentx"
	tb_until 20 says INTEGER tb_snmp snmpget router-a $refuser.1.0
}
stop_refuser() { kill -9 "$(tb_pid router-a refuser)" 2>/dev/null || :; tb_reap "$(tb_pid router-a refuser)"; }

# plan NUMBER: what the refuser does to the next SETs (enum refusal there).
plan() { tb_set router-a $refuser.1.0 i "$1"; }

# theirs, ours: the two parts of the PDU.
set_both()
{
	theirs="$refuser.2.0 i 5"
	ours='diffServMultiFieldClfrAddrType.300 i ipv4 diffServMultiFieldClfrDstAddr.300 x 0A090001
		diffServMultiFieldClfrDstPrefixLength.300 u 32 diffServMultiFieldClfrStatus.300 i createAndGo
		spdRuleDefFilter."made" o diffServMultiFieldClfrAddrType.300 spdRuleDefAction."made" o spdDropAction.0
		spdRuleDefRowStatus."made" i createAndGo
		spdGroupContComponentName."wan-out".300 s made spdGroupContRowStatus."wan-out".300 i createAndGo
		spdRuleDefDescription."tunnel-out" s changed
		spdGroupContRowStatus."wan-out".50 i destroy spdRuleDefRowStatus."victim" i destroy
		ipsaCredCredential."ab-enc" x '$(printf '5a%.0s' $(seq 32))
	# Words are arguments here, and none has a space in it.
	# shellcheck disable=SC2086
	case $1 in
	ours-first) tb_snmp snmpset router-a -Ir -t30 -r0 $ours $theirs ;;
	*) tb_snmp snmpset router-a -Ir -t30 -r0 $theirs $ours ;;
	esac
}

# All that can be seen of the policy; counters and clocks left out.
state()
{
	tb_ctl router-a wait >/dev/null
	tb_ctl router-a export
	tb_ctl router-a --json show spd | grep -v '"packets"\|"bytes"'
	tb_ctl router-a guard show | sed 's/generation [0-9]*//; s/default dev [0-9]*/default dev TUN/; s/counter packets [0-9]* bytes [0-9]*//'
}

unchanged() { state >"$TB_DIR/state.now"; diff "$TB_DIR/state.before" "$TB_DIR/state.now"; }

claim "a row to be destroyed is made" tb_set router-a 'spdRuleDefFilter."victim"' o spdTrueFilter.0 \
	'spdRuleDefAction."victim"' o spdDropAction.0 'spdRuleDefAdminStatus."victim"' i disabled \
	'spdRuleDefRowStatus."victim"' i createAndGo 'spdGroupContComponentName."wan-out".50' s victim \
	'spdGroupContRowStatus."wan-out".50' i createAndGo
start_refuser
state >"$TB_DIR/state.before"

# refused PLAN ORDER ERROR TEXT
refused()
{
	claim "$4, $2: it is told to" plan "$1"
	claim "$4, $2: the SET fails" not eval 'set_both '"$2"' >"$TB_DIR/set.out" 2>&1'
	claim "$4, $2: ... with $3" grep -qE "$3" "$TB_DIR/set.out"
	claim "$4, $2: nothing has changed" unchanged
}

for t_order in ours-first theirs-first; do
	refused 1 $t_order wrongValue "refused in RESERVE1"
	refused 2 $t_order resourceUnavailable "refused in RESERVE2"
	refused 3 $t_order commitFailed "refused in ACTION"
	refused 5 $t_order 'undoFailed|commitFailed' "refused in ACTION, and no undo"
	refused 6 $t_order genErr "dead in RESERVE1"
	start_refuser
	refused 7 $t_order 'genErr|commitFailed|undoFailed' "dead in ACTION"
	start_refuser
done
claim "undone transactions are generations of their own" says 'committed' tb_ctl router-a --json show status

# What hangs must not keep the other doors out. The command has its turn before its deadline.
hung()
{
	claim "$2: it is told to" plan "$1"
	set_both ours-first >"$TB_DIR/hung.out" 2>&1 &
	t_set=$!
	claim "$2: it does hang" tb_until 20 eval 'grep -q "^State:.T" "/proc/$(tb_pid router-a refuser)/status"'
	claim "$2: the command line has its turn" tb_ctl router-a set spdRuleDefinitionTable tunnel-in \
		spdRuleDefDescription="door $1"
	claim "$2: the SET ends" eval "wait $t_set || :"
	claim "$2: ... refused" grep -q 'Reason:' "$TB_DIR/hung.out"
	claim "$2: the command's change stands" says "door $1" tb_ctl router-a get spdRuleDefinitionTable tunnel-in
	tb_ctl router-a set spdRuleDefinitionTable tunnel-in spdRuleDefDescription= >/dev/null
	claim "$2: nothing else has changed" unchanged
	stop_refuser
	start_refuser
}
hung 8 "hung in RESERVE1"
hung 9 "hung in ACTION"
claim "packets cross with the old key" eval 'pings host-a 10.2.0.2 && pings host-b fd00:1::2'

# The disk is of the same mind.
kill -9 "$(tb_pid router-a ipspd)"
tb_ipspd router-a
tb_ctl router-a wait --snmp --timeout 30
claim "after kill -9 and a new start nothing has changed" unchanged
claim "packets cross with the old key from disk" eval 'pings host-a 10.2.0.2 && pings host-b fd00:1::2'

# COMMIT is in the CleanupSet, which has no answer: by then all have agreed, and all of it happens.
claim "refused in COMMIT: it is told to" plan 4
claim "refused in COMMIT: the SET was answered before" set_both ours-first
claim "... and all of it has happened" eval '
	says "changed" tb_snmp snmpget router-a spdRuleDefDescription.\"tunnel-out\" &&
	says "active" tb_snmp snmpget router-a spdRuleDefRowStatus.\"made\" &&
	says "No Such Instance" tb_snmp snmpget router-a spdRuleDefRowStatus.\"victim\"'
tb_ctl router-a wait
claim "... the new key too" silent host-a 10.2.0.2
claim "no sanitizer has anything to say" not grep -hE 'Sanitizer|runtime error' "$TB_DIR"/router-*/ipspd.log
conclude
