# shellcheck shell=sh
# tests/net/ike_attach.sh - negotiated tunnels by another attachment than TUN (TB_ATTACH): the packet that asks for an SA is
# held and crosses, both families, both ways; SAs are renewed under traffic. Sourced by tests/net/test_ike_*.sh.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers

claim "rows are SET on router-a" t_lans router-a
claim "rows are SET on router-b" t_lans router-b

one() { tb_in "$1" ping -q -c 1 -W 20 "$2"; }
children() { grep -c 'Child SA with .* SPI' "$TB_DIR/router-a/ipspd.log" || :; }
is_renewed() { [ "$(children)" -ge "$1" ]; }
sniff wan a crossed
claim "the first ping from cold crosses" one host-a 10.2.0.2
claim "... and the first of IPv6, from the other side" one host-b fd00:1::2
claim "pings cross both ways" eval 'pings host-b 10.1.0.2 && pings host-a fd00:2::2'
before=$(children)
tb_in host-a ping -i 0.02 -c 100 -W 3 10.2.0.2 >"$TB_DIR/traffic.out" 2>&1 &
traffic=$!
claim "new keys are negotiated under traffic" tb_ctl router-a rekey child-lan4
claim "... and by the other" tb_ctl router-b rekey child-lan4
claim "... so that there are two more Child SAs" tb_until 10 is_renewed $((before + 2))
wait $traffic || :
claim "... and nothing is lost" grep ' 0% packet loss' "$TB_DIR/traffic.out"
unsniff wan crossed
claim "as ESP, of both families" test "$(seen wan crossed 'esp && ip')" -ge 100 -a "$(seen wan crossed 'esp && ipv6')" -ge 8
claim "... and nothing in the clear" equal 0 "$(seen wan crossed "($t_clear) && (icmp.type == 8 || icmp.type == 0 ||
	icmpv6.type == 128 || icmpv6.type == 129)")"
conclude
