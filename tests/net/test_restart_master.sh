# tests/net/test_restart_master.sh - snmpd killed, ended and stopped under SETs; packets do not notice.

. "$TB_SRC/tests/net/lib.sh"
tb_init
TB_SNMPD_MORE="rwcommunity test 127.0.0.1"
t_routers
claim "a whole policy is SET on both routers" tb_policies
claim "traffic is protected" pings host-a 10.2.0.2

sniff wan a wan
drive master
unsniff wan wan
claim "packets cross" eval 'pings host-a 10.2.0.2 && pings host-b fd00:1::2'
claim "no packet of the LANs was on the wire in the clear" equal 0 "$(seen wan wan "$t_clear")"
for t_n in router-a router-b; do
	claim "$t_n: no sanitizer has anything to say" not grep -E 'Sanitizer|runtime error' "$TB_DIR/$t_n/ipspd.log"
done
conclude
