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

# ---- connections with manual keys ----
conn='manual."tunnel".""'
claim "a connection with manual keys is up" says 'up' get "ipspdConnState.$conn"
claim "... with its algorithms" says 'ESP AES-CBC-256 HMAC-SHA2-256-128' get "ipspdConnSaAlgorithms.$conn"
claim "... and an SA for each direction" says 'Gauge32: 1' get "ipspdConnInSas.$conn"
claim "it is terminated by SNMP" set_ "ipspdConnRequest.$conn" i terminate
ctl wait
claim "... and down" says 'down' get "ipspdConnState.$conn"
claim "... with the reason" says 'taken out of use' get "ipspdConnReason.$conn"
claim "... by a manager" says 'down' get "ipspdConnAdminState.$conn"
claim "... and drops" silent host-a 10.2.0.2
claim "... when the other one does not" pings host-a fd00:2::2 2
kill -9 "$(tb_process router-a engine)" "$(tb_process router-a agent)"
tb_until 30 ctl wait --snmp --timeout 30
claim "a restart of agent and engine does not bring it back" silent host-a 10.2.0.2
claim "one direction alone is partly" eval 'set_ "ipspdPreActAdminStatus.\"tunnel\".outbound" i enabled && ctl wait &&
	says partly get "ipspdConnState.$conn"'
claim "it is initiated at the command line" ctl initiate tunnel
ctl wait
claim "... and traffic flows" pings host-a 10.2.0.2 2
claim "a termination that is undone" says 'inconsistentName' set_ "ipspdConnRequest.$conn" i terminate \
	'spdRuleDefDescription."nobody"' s x
claim "... has not happened" says 'up' get "ipspdConnState.$conn"
claim "manual keys are not negotiated anew" says 'nobody negotiates' ctl rekey tunnel
claim "... by SNMP neither" says 'inconsistentValue' set_ "ipspdConnRequest.$conn" i rekey
claim "a connection that is not there is named so" says 'no such connection' ctl terminate nothing
claim "... and inconsistentName" says 'inconsistentName' set_ 'ipspdConnRequest.manual."nothing".""' i terminate

# ---- a connection for IKE: example (d) of the MIB's description ----
row() { tb_set router-a "$@"; }
ike_policy()
{
	wan=$(tb_ifindex router-a wan)
	tb_set router-a 'ipsaCredType."psk-b"' i sharedSecret 'ipsaCredCredential."psk-b"' s 'a long pre-shared key' \
		'ipsaCredAdminStatus."psk-b"' i enabled 'ipsaCredRowStatus."psk-b"' i createAndGo
	row 'ipsaPeerIdType."gw-b".0' u 1 'ipsaPeerIdValue."gw-b".0' s 198.51.100.1 'ipsaPeerIdAddressType."gw-b".0' i 1 \
		'ipsaPeerIdAddress."gw-b".0' x C6336401 'ipsaPeerIdCredentialName."gw-b".0' s psk-b 'ipsaPeerIdRowStatus."gw-b".0' i createAndGo
	row 'ipiaSaNegParamMinLifetimeSecs."std"' u 300 'ipiaSaNegParamMinLifetimeKB."std"' u 0 'ipiaSaNegParamRefreshThreshSecs."std"' u 80 \
		'ipiaSaNegParamRefreshThresholdKB."std"' u 90 'ipiaSaNegParamIdleDurationSecs."std"' u 0 'ipiaSaNegParamRowStatus."std"' i createAndGo
	row 'ipiaIpsecTranTransformName.3."esp-std".0' s aes256-sha256 'ipiaIpsecTranRowStatus.3."esp-std".0' i createAndGo
	row 'ipiaIpsecPropTransformsName."p2-std".0.3' s esp-std 'ipiaIpsecPropRowStatus."p2-std".0.3' i createAndGo
	row 'ipiaIpsecActParametersName."ipsec-b"' s std 'ipiaIpsecActProposalsName."ipsec-b"' s p2-std 'ipiaIpsecActUsePfs."ipsec-b"' i true \
		'ipiaIpsecActUseIkeGroup."ipsec-b"' i false 'ipiaIpsecActGroupId."ipsec-b"' u 14 'ipiaIpsecActVendorId."ipsec-b"' s '' \
		'ipiaIpsecActPeerGatewayIdName."ipsec-b"' s gw-b 'ipiaIpsecActGranularity."ipsec-b"' i subnet \
		'ipiaIpsecActMode."ipsec-b"' i tunnel 'ipiaIpsecActRowStatus."ipsec-b"' i createAndGo
	row 'ipiaIkePropLifetimeDerivedKeys."p1-std"' u 0 'ipiaIkePropCipherAlgorithm."p1-std"' u 7 'ipiaIkePropCipherKeyLength."p1-std"' u 256 \
		'ipiaIkePropHashAlgorithm."p1-std"' u 4 'ipiaIkePropDhGroup."p1-std"' u 14 'ipiaIkePropAuthenticationMethod."p1-std"' u 1 \
		'ipiaIkePropMaxLifetimeSecs."p1-std"' u 28800 'ipiaIkePropRowStatus."p1-std"' i createAndGo
	row "ipiaIkeIdCredentialName.$wan.1.\"default\"" s '' "ipiaIkeIdRowStatus.$wan.1.\"default\"" i createAndGo
	row 'ipiaIkeActParametersName."ike-b"' s std 'ipiaIkeActExchangeMode."ike-b"' i main 'ipiaIkeActAgressiveModeGroupId."ike-b"' u 14 \
		'ipiaIkeActIdentityType."ike-b"' u 1 'ipiaIkeActIdentityContext."ike-b"' s default 'ipiaIkeActPeerName."ike-b"' s gw-b \
		'ipiaIkeActRowStatus."ike-b"' i createAndGo
	row 'ipiaIkeActPropName."ike-b".0' s p1-std 'ipiaIkeActPropRowStatus."ike-b".0' i createAndGo
	row 'spdCompActExecutionStrategy."vpn-b"' i doUntilFailure 'spdCompActRowStatus."vpn-b"' i createAndGo
	row 'spdSubActSubActionName."vpn-b".0' o 'ipiaIkeActParametersName."ike-b"' 'spdSubActRowStatus."vpn-b".0' i createAndGo
	row 'spdSubActSubActionName."vpn-b".1' o 'ipiaIpsecActParametersName."ipsec-b"' 'spdSubActRowStatus."vpn-b".1' i createAndGo
	tb_filter router-a 30 1 0A090000 0A080000 16
	tb_filter router-a 31 1 0A080000 0A090000 16
	for t_way in out.30 in.31; do
		t_dir=${t_way%.*}
		row "spdRuleDefFilter.\"vpn-b-$t_dir\"" o "diffServMultiFieldClfrAddrType.${t_way#*.}" \
			"spdRuleDefAction.\"vpn-b-$t_dir\"" o 'spdCompActExecutionStrategy."vpn-b"' \
			"spdRuleDefRowStatus.\"vpn-b-$t_dir\"" i createAndGo \
			"spdGroupContComponentName.\"wan-$t_dir\".500" s "vpn-b-$t_dir" "spdGroupContRowStatus.\"wan-$t_dir\".500" i createAndGo
	done
	row ipiaAutoIkeAction.0 o 'spdCompActExecutionStrategy."vpn-b"' ipiaAutoIkeAddressType.0 i 1 ipiaAutoIkeSourceAddress.0 x 0A090001 \
		ipiaAutoIkeDestAddress.0 x 0A080001 ipiaAutoIkeProtocol.0 u 1 ipiaAutoIkeRowStatus.0 i createAndGo
}
claim "the rows of a connection for IKE are SET" ike_policy
conn='ike."ipsec-b"."ike-b"'
column() { claim "... $1" says "$3" get "ipspdConn$2.$conn"; }
claim "the connection is a row that is down" says 'down' get "ipspdConnState.$conn"
# Once there is a process for it.
claim "... and says why" tb_until 10 says negotiated get "ipspdConnReason.$conn"
column "the rules that lead to it" Rules 'vpn-b-out outbound'
column "what is to be protected" Selectors '10.9.0.0/16 -> 10.8.0.0/16'
column "the mode" Mode tunnel
column "the peer" PeerName gw-b
column "its address" PeerAddress 'C6 33 64 01'
column "who it must be" PeerIdentity 'ipv4:198.51.100.1'
column "who we are" LocalIdentity "ipv4 of interface $(tb_ifindex router-a wan)"
column "what proves it" Credentials 'pre-shared key "psk-b"'
column "the version" IkeVersion IKEv2
column "the proposals" IkeAlgorithms 'p1-std: AES-CBC-256 SHA2-256 MODP-2048 pre-shared key 28800 s (encr 12 prf 5 integ 12 auth 2)'
column "the transforms" SaAlgorithms 'ESP AES-CBC-256 HMAC-SHA2-256-128'
column "PFS" Pfs MODP-2048
column "when it is renewed" Lifetimes '80 %'
column "the options" Options 'granularity subnet; DF copied'
claim "its key is in none of it" not says 'long pre-shared' tb_snmp snmpwalk router-a ipspdConnections
claim "the ike process takes what is asked of it" tb_until 10 ctl initiate ipsec-b
claim "... and begins" tb_until 10 says 'initiating' tb_snmp snmpwalk router-a ipspdIkeSaState
claim "... so that the peer is known" says 'gw-b' tb_snmp snmpwalk router-a ipspdIkeSaPeer
claim "... for people, too" says 'gw-b' ctl show ike
claim "a disabled credential makes it impossible" set_ 'ipsaCredAdminStatus."psk-b"' i disabled
claim "what needs IKE is refused" says 'inconsistentValue' set_ "ipspdConnRequest.$conn" i initiate
claim "... with the reason" says 'psk-b' ctl initiate ipsec-b
claim "rows that are not in force are listed" says '"ipsec-b"' tb_snmp snmpwalk router-a ipspdProblemIndex
claim "... with the reason" says 'psk-b' tb_snmp snmpwalk router-a ipspdProblemReason
claim "... and counted" equal "$(tb_snmp snmpwalk router-a ipspdProblemState | wc -l)" "$(get -Oqv ipspdRowsNotInForce.0)"
ctl create spdRuleDefinitionTable alone spdRuleDefFilter=spdTrueFilter.0 spdRuleDefAction=spdDropAction.0 >/dev/null
claim "a rule that nothing leads to is one of them" tb_until 20 says 'no group that is bound' ctl show problems
ctl delete spdRuleDefinitionTable alone >/dev/null
claim "... until it goes" tb_until 20 not says '"alone"' ctl show problems
claim "a disabled credential is found" says "psk-b" get "ipspdConnReason.$conn"
claim "... and another IKE version" eval 'set_ "ipspdIkeActVersion.\"ike-b\"" i v1 && says "IKEv1 main" get "ipspdConnIkeVersion.$conn"'
ctl wait

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
claim "no process died by itself" eval 'not grep -qE "signal (4|6|7|11|31)" "$TB_DIR/router-a/ipspd.log"'
conclude
