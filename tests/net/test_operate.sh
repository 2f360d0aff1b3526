# tests/net/test_operate.sh - what managers have done: SAs, connections, files, saving; by SNMP and at the command line.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
claim "a whole policy is SET on both routers" tb_policies

ctl() { tb_ctl router-a "$@"; }
set_() { tb_snmp snmpset router-a "$@"; }
get() { tb_snmp snmpget router-a "$@"; }
# ended OPERATION RUNS: it has ended so often.
ended() { tb_until 20 says "Counter32: $2" get "ipspdOperationRuns.$1"; }
ctl wait
claim "traffic is protected" pings host-a 10.2.0.2 2

# ---- SAs are taken away and brought back ----
claim "a SET that asks for a flush is answered" says 'run' set_ ipspdOperationRequest.flushSas i run
ended flushSas 1
claim "... and reads idle" says 'idle' get ipspdOperationRequest.flushSas
claim "... which succeeded" says 'succeeded' get ipspdOperationState.flushSas
claim "... and says what it did" says '4 associations' get ipspdOperationText.flushSas
claim "... and for whom" says 'SNMP' get ipspdOperationOwner.flushSas
ctl wait
sniff wan a flushed
claim "flushed, traffic drops" silent host-a 10.2.0.2
unsniff wan flushed
claim "... and does not leave in the clear" equal 0 "$(seen wan flushed "$t_clear")"
claim "the row says why" says 'taken out of use' get 'ipspdPreActReason."tunnel".outbound'
claim "one direction is brought back by its own object" set_ 'ipspdPreActAdminStatus."tunnel".outbound' i enabled
ctl wait
claim "... which is not enough" silent host-a 10.2.0.2
claim "all are brought back at the command line" says '3 associations' ctl initiate --all
ctl wait
claim "... and traffic flows" pings host-a 10.2.0.2 2
claim "flushing what there is none of does nothing" says '0 associations' ctl flush ah

# ---- a SET that is refused has asked for nothing ----
runs=$(get -Oqv ipspdOperationRuns.flushSas)
claim "a flush beside a bad assignment is refused" says 'inconsistentName' set_ ipspdOperationRequest.flushSas i run \
	'spdRuleDefDescription."nobody"' s x
claim "... with the bad one first, too" says 'inconsistentName' set_ 'spdRuleDefDescription."nobody"' s x \
	ipspdOperationRequest.flushSas i run
claim "... and an operation that does not exist" says 'noCreation' set_ ipspdOperationRequest.99 i run
claim "... and traffic flows on" pings host-a 10.2.0.2 2
claim "... for nothing has run" equal "$runs" "$(get -Oqv ipspdOperationRuns.flushSas)"

# ---- saving, and going back ----
before=$(ctl export)
imports=$TB_DIR/router-a/state/import
claim "saving succeeds" says 'saved.xml' ctl save
claim "... and the file is what an export is" eval 'ctl export | cmp - "$imports/saved.xml"'
claim "... in a directory of our own" equal '700 _ipspd' "$(stat -c '%a %U' "$imports")"
ctl create spdRuleDefinitionTable later spdRuleDefFilter=spdTrueFilter.0 spdRuleDefAction=spdDropAction.0 >/dev/null
job() { tb_snmp snmpset router-a "ipspdJobFile.\"$1\"" s "$2" "ipspdJobRowStatus.\"$1\"" i createAndGo; }
over() { tb_until 20 not says 'running' get "ipspdJobState.\"$1\""; }
claim "a dry run by SNMP is answered" set_ 'ipspdJobFile."try"' s saved.xml 'ipspdJobMode."try"' i replace \
	'ipspdJobDryRun."try"' i true 'ipspdJobRowStatus."try"' i createAndGo
over try
claim "... says what would go" says 'Gauge32: 1' get 'ipspdJobDestroyed."try"'
claim "... and has changed nothing" says 'later' ctl get spdRuleDefinitionTable later
claim "a job that has begun cannot be changed" says 'inconsistentValue' set_ 'ipspdJobDryRun."try"' i false
claim "out of service it can, and runs again" eval 'set_ "ipspdJobRowStatus.\"try\"" i notInService &&
	set_ "ipspdJobDryRun.\"try\"" i false "ipspdJobRowStatus.\"try\"" i active'
over try
claim "... for good" says 'succeeded' get 'ipspdJobState."try"'
claim "... and the state is what was saved" equal "$before" "$(ctl export)"
claim "jobs are in no file" not grep -q ipspdJob "$imports/saved.xml"
claim "a file is exported by a job" says 'copy.xml' ctl job out copy.xml --export
claim "... as a whole" cmp "$imports/saved.xml" "$imports/copy.xml"

# ---- what a manager may name ----
ln -s /etc/passwd "$imports/link.xml"
mkfifo "$imports/pipe.xml"
for t_name in ../state.db /etc/passwd .hidden a/b file:///etc/passwd ftp://127.0.0.1/x 'a b'; do
	claim "'$t_name' is no file to be named" says 'wrongValue' job bad "$t_name"
done
for t_name in link.xml pipe.xml gone.xml; do
	claim "$t_name is named" job "$t_name" "$t_name"
	over "$t_name"
	claim "... and not read" says 'failed' get "ipspdJobState.\"$t_name\""
done
claim "nothing is exported to a URL" says 'inconsistentValue' set_ 'ipspdJobKind."up"' i export \
	'ipspdJobFile."up"' s http://127.0.0.1/x 'ipspdJobRowStatus."up"' i createAndGo

# ---- URLs ----
cp "$imports/saved.xml" "$TB_DIR/served.xml"
sed -i 's/<spdRuleDefDescription>/&by job/;s/<spdRuleDefDescription\/>/<spdRuleDefDescription>by job<\/spdRuleDefDescription>/' \
	"$TB_DIR/served.xml"
tb_start router-a http /usr/bin/python3 "$TB_SRC/tests/net/serve.py" 8080 "$TB_DIR/served.xml"
tb_until 20 tb_in router-a python3 -c "import socket; socket.create_connection(('127.0.0.1', 8080))"
claim "a URL is imported by a row" job url http://127.0.0.1:8080/good
over url
claim "... well" says 'succeeded' get 'ipspdJobState."url"'
claim "... and SNMP sees what it said" says 'by job' tb_snmp snmpwalk router-a spdRuleDefDescription
claim "... with the generation that it made" not says 'Counter64: 0' get 'ipspdJobGeneration."url"'
sed -i 's/<spdRuleDefAdminStatus>enabled/<spdRuleDefAdminStatus>perhaps/' "$TB_DIR/served.xml"
line=$(grep -n '>perhaps' "$TB_DIR/served.xml" | head -n 1 | cut -d: -f1)
claim "a bad file is refused" eval 'job broken http://127.0.0.1:8080/good && over broken && says failed get "ipspdJobState.\"broken\""'
claim "... with the line" says "Gauge32: $line" get 'ipspdJobLine."broken"'
claim "... and the object" says 'spdRuleDefAdminStatus' get 'ipspdJobObject."broken"'
claim "a job that runs" eval 'job slow http://127.0.0.1:8080/slow && says running get "ipspdJobState.\"slow\""'
claim "... ends with its row" set_ 'ipspdJobRowStatus."slow"' i destroy
claim "... and the next one is not held up" says 'rows created' ctl job next saved.xml
claim "traffic is protected as before" pings host-a 10.2.0.2 2

# ---- options ----
claim "the options file is read again" says 'options file' ctl reload
claim "no agent died" eval 'not grep -q "signal" "$TB_DIR/router-a/ipspd.log"'
conclude
