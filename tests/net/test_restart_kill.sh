# tests/net/test_restart_kill.sh - agents, engines and parents killed at random under pings and SETs.
#
# RESTARTS kills of each kind over both routers (100); RESTART_SEED repeats a run's order.

. "$TB_SRC/tests/net/lib.sh"
tb_init
TB_SNMPD_MORE="rwcommunity test 127.0.0.1"
t_routers
claim "a whole policy is SET on both routers" tb_policies
claim "traffic is protected" pings host-a 10.2.0.2

# traffic FROM TO: pings all the time, into FROM/TO.log
traffic() { tb_start "$1" "$2" ping -q -i 0.05 -W 2 "$2"; }
sniff wan a wan
for t_pair in host-a,10.2.0.2 host-a,fd00:2::2 host-b,10.1.0.2 host-b,fd00:1::2; do
	traffic "${t_pair%,*}" "${t_pair#*,}"
done

drive kill

for t_pair in host-a,10.2.0.2 host-a,fd00:2::2 host-b,10.1.0.2 host-b,fd00:1::2; do
	unsniff "${t_pair%,*}" "${t_pair#*,}"
	echo "# $t_pair: $(grep transmitted "$TB_DIR/${t_pair%,*}/${t_pair#*,}.log")"
done
claim "after all that, packets cross" eval 'pings host-a 10.2.0.2 5 && pings host-a fd00:2::2 5'
claim "... started at the other end too" eval 'pings host-b 10.1.0.2 5 && pings host-b fd00:1::2 5'
unsniff wan wan

claim "no packet of the LANs was on the wire in the clear" equal 0 "$(seen wan wan "$t_clear")"
for t_spi in 0x1000 0x1001 0x2000 0x2001; do
	tshark -r "$TB_DIR/wan/wan.pcap" -Y "esp.spi == $t_spi" -T fields -e esp.sequence 2>/dev/null \
		>"$TB_DIR/numbers"
	echo "# SPI $t_spi: $(wc -l <"$TB_DIR/numbers") packets, last $(tail -n 1 "$TB_DIR/numbers")"
	claim "SPI $t_spi: many packets were seen" test "$(wc -l <"$TB_DIR/numbers")" -gt 50
	claim "SPI $t_spi: no number was used twice, and they only rise" sort -c -n -u "$TB_DIR/numbers"
done
for t_r in router-a router-b; do
	claim "$t_r: the peer's numbers were always new to it" not grep -i replay "$TB_DIR/$t_r/ipspd.log"
	claim "$t_r: no sanitizer has anything to say" not grep -E 'Sanitizer|runtime error' "$TB_DIR/$t_r/ipspd.log"
done
conclude
