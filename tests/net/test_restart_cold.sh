# tests/net/test_restart_cold.sh - everything killed at once and started again; the parent killed alone.

. "$TB_SRC/tests/net/lib.sh"
tb_init
TB_SNMPD_MORE="rwcommunity test 127.0.0.1"
t_routers
claim "a whole policy is SET on both routers" tb_policies
claim "traffic is protected" pings host-a 10.2.0.2

sniff wan a wan
for t_n in host-a,10.2.0.2 host-b,fd00:1::2; do
	tb_start "${t_n%,*}" ping ping -q -i 0.05 -W 2 "${t_n#*,}"
done
drive cold
for t_n in host-a host-b; do unsniff $t_n ping; done
unsniff wan wan
for t_spi in 0x1000 0x1001 0x2000 0x2001; do
	tshark -r "$TB_DIR/wan/wan.pcap" -Y "esp.spi == $t_spi" -T fields -e esp.sequence 2>/dev/null \
		>"$TB_DIR/numbers"
	claim "SPI $t_spi: no number was used twice, and they only rise" sort -c -n -u "$TB_DIR/numbers"
	claim "SPI $t_spi: ... in blocks, of 2^20 numbers each cold start" test \
		"$(tail -n 1 "$TB_DIR/numbers")" -gt $((${ROUNDS:-3} * 1048576))
done
claim "no packet of the LANs was on the wire in the clear" equal 0 "$(seen wan wan "$t_clear")"

# The parent alone. Its children end by themselves, and the guard stays.
children() { tb_process router-a agent; tb_process router-a engine; }
table() { tb_in router-a nft list table inet ipspd_guard; }
kill -9 "$(tb_pid router-a ipspd)"
claim "children end with their parent" tb_until 20 eval 'test -z "$(children)"'
claim "the guard stays" table
sniff wan a orphaned
claim "nothing passes" eval 'silent host-a 10.2.0.2 && silent host-b fd00:1::2'
unsniff wan orphaned
claim "... above all not in the clear" equal 0 "$(seen wan orphaned "$t_clear")"
tb_ipspd router-a
claim "another parent brings everything back" tb_ctl router-a wait --snmp --timeout 30

# start_at_once: another parent, while the children of the one before may still be there.
start_at_once()
{
	kill -9 "$(tb_pid router-a ipspd)"
	tb_ipspd router-a
	tb_ctl router-a wait --snmp --timeout 30
	equal 2 "$(children | wc -l)"
}
for t_n in 1 2 3; do claim "a parent that follows at once, $t_n" start_at_once; done
for t_n in agent engine; do
	kill -STOP "$(tb_process router-a $t_n)"
	claim "a parent that follows at once, with a stopped $t_n in its way" start_at_once
done
claim "a second parent on the same state is refused" says 'another ipspd runs on this state directory' \
	tb_in router-a "$TB_BUILD/sbin/ipspd" -f -c /dev/null -S "$TB_DIR/router-a/state" \
	-s "$TB_DIR/router-a/control2" -a tun
claim "... and leaves the first alone" tb_ctl router-a wait --snmp --timeout 10
claim "packets cross" eval 'tb_until 20 pings host-a 10.2.0.2 1 && pings host-b fd00:1::2'

# A process of an earlier parent that does not end, as its lock says: nothing is taken from it.
kill -9 "$(tb_pid router-a ipspd)"
tb_until 20 eval 'test -z "$(children)"'
tb_start router-a holder flock -s "$TB_DIR/router-a/state/guard/processes" sleep 600
tb_until 20 not flock -n -x "$TB_DIR/router-a/state/guard/processes" true
claim "the guard is not removed under such a process" not tb_in router-a \
	"$TB_BUILD/ipspctl/ipspctl" -S "$TB_DIR/router-a/state" guard remove
claim "no parent starts beside it" says 'processes of an earlier ipspd' \
	tb_in router-a "$TB_BUILD/sbin/ipspd" --guard-only -S "$TB_DIR/router-a/state"
kill "$(ps -o pid= --ppid "$TB_LAST")"
tb_ipspd router-a
claim "... until it has ended" tb_ctl router-a wait --snmp --timeout 30

# Orderly to the end: nothing is left but the guard.
for t_n in router-a router-b; do
	kill "$(tb_pid $t_n ipspd)"
	claim "$t_n: no process is left over" tb_until 20 eval \
		'test -z "$(tb_process '$t_n' "")$(tb_process '$t_n' agent)$(tb_process '$t_n' engine)"'
	claim "$t_n: the peer's numbers were always new to it" not grep -i replay "$TB_DIR/$t_n/ipspd.log"
	claim "$t_n: no sanitizer has anything to say" not grep -E 'Sanitizer|runtime error' "$TB_DIR/$t_n/ipspd.log"
done
conclude
