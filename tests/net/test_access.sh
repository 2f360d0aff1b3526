# tests/net/test_access.sh - the shipped access control of snmpd: every user, every level, every view.
#
# snmpd includes the file that is installed; what is tried stands in tests/net/managed_access.py.

. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
conf=$TB_BUILD/dist/snmpd/ipspd.conf
t_users=
for t_user in ipspd-writer ipspd-reader ipspd-monitor; do
	t_users="$t_users
		createUser $t_user SHA-256 \"$TB_PASS_AUTH\" AES \"$TB_PASS_PRIV\""
done
# The testbed's operator, who is none of them, looks at snmpd's own tables of access.
TB_SNMPD_MORE="$t_users
		view policy included .1.3.6.1.6.3.16
		includeFile $conf"
tb_snmpd router-a
tb_ipspd router-a
tb_ctl router-a wait --snmp --timeout 30
claim "snmpd takes the shipped file without a word" not grep -iE 'ipspd.conf.*(error|warning)' \
	"$TB_DIR/router-a/snmpd.log"
manage router-a managed_access.py "$conf"
claim "no secret is in a log" not grep -rq 'a-secret-nobody-reads' "$TB_DIR/router-a/ipspd.log" \
	"$TB_DIR/router-a/snmpd.log"
claim "no sanitizer has anything to say" not grep -hE 'Sanitizer|runtime error' "$TB_DIR/router-a/ipspd.log"
conclude
