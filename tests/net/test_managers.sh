# tests/net/test_managers.sh - managers that nobody here wrote: pysnmp, Net-SNMP's tools, Prometheus.
#
# Each router gets its whole policy from pysnmp in one SET of 500 varbinds, in an order of chance
# (tests/net/managed_policy.py). Net-SNMP's tools read it by the modules that are installed, and
# prometheus-snmp-exporter scrapes it with the shipped module and as the shipped monitor.

. "$TB_SRC/tests/net/lib.sh"
tb_init
TB_SNMPD_MORE="createUser ipspd-monitor SHA-256 \"$TB_PASS_AUTH\" AES \"$TB_PASS_PRIV\"
		includeFile $TB_BUILD/dist/snmpd/ipspd.conf"
t_routers

# keys_json: the testbed's keys, as tests/net/managed_policy.py wants them.
keys_json()
{
	for t_k in ab ba ab6 ba6; do
		eval "printf '\"%s\": \"%s\", \"%s\": \"%s\", ' $t_k-enc \$tb_${t_k}_enc $t_k-auth \$tb_${t_k}_auth"
	done | sed 's/^/{/; s/, $/}/'
}
tb_new_keys
for t_site in a b; do
	manage router-$t_site managed_policy.py $t_site "$(keys_json)" "$(tb_ifindex router-$t_site wan)"
	claim "router-$t_site: it comes into force" tb_ctl router-$t_site wait --timeout 30
done
sniff wan a wan
claim "packets cross under it, IPv4" pings host-a 10.2.0.2
claim "packets cross under it, IPv6" pings host-b fd00:1::2
unsniff wan wan
claim "... as ESP" not equal 0 "$(seen wan wan esp)"
claim "... and never in the clear" equal 0 "$(seen wan wan "($t_clear) && !esp")"

# Net-SNMP's tools, with the modules as they are installed.
table() { tb_snmp snmptable router-a -Ci "$1"; }
claim "snmptranslate finds an object by its name" equal .1.3.6.1.2.1.153.1.4.1.3.1.97 \
	"$(snmptranslate -M "$TB_SRC/mibs/smi:$TB_SRC/mibs" -m IPSEC-SPD-MIB -On 'IPSEC-SPD-MIB::spdRuleDefFilter."a"')"
claim "snmptable prints the rules" says 'diffServMultiFieldClfrAddrType.20' table spdRuleDefinitionTable
claim "snmptable prints whether they are in force" says 'true' table ipspdRuleTable
claim "snmptable prints actions that have two indexes" says 'aes256-sha256' \
	table ipsaSaPreconfiguredActionTable
claim "snmptable prints no secret" not says "$(echo "$tb_ab_enc" | cut -c1-8)" table ipsaCredentialTable
claim "snmpbulkwalk and snmpwalk say the same" eval '
	tb_snmp snmpbulkwalk router-a -Cr40 spdMIB >"$TB_DIR/bulk" && tb_snmp snmpwalk router-a spdMIB >"$TB_DIR/walk" &&
	diff "$TB_DIR/bulk" "$TB_DIR/walk"'
claim "snmpbulkget gives several columns of several rows" says 'spdGroupContComponentName."wan-in".121' \
	tb_snmp snmpbulkget router-a -Cn1 -Cr5 ipspdVersion spdGroupContComponentName spdGroupContRowStatus

# Prometheus, with the shipped module and the pass phrases of the shipped user.
sed -e "s/^    password: \"\"/    password: \"$TB_PASS_AUTH\"/" \
	-e "s/^    priv_password: \"\"/    priv_password: \"$TB_PASS_PRIV\"/" \
	"$TB_BUILD/dist/prometheus/ipspd.yml" >"$TB_DIR/snmp.yml"
tb_start router-a exporter prometheus-snmp-exporter --config.file="$TB_DIR/snmp.yml" \
	--web.listen-address=127.0.0.1:9116
claim "prometheus-snmp-exporter starts with the shipped module" tb_until 20 \
	grep -q 'Listening on' "$TB_DIR/router-a/exporter.log"
manage router-a managed_exporter.py 'http://127.0.0.1:9116/snmp?target=127.0.0.1&module=ipspd'

claim "no sanitizer has anything to say" not grep -hE 'Sanitizer|runtime error' "$TB_DIR"/router-*/ipspd.log
conclude
