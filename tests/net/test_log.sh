# tests/net/test_log.sh - rules whose action says "log": packets that the kernel's guard decides are
# named in the daemon's log, in both directions, and the rate of the log does not touch the verdict.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers

forge() { tb_in wan /usr/bin/python3 "$TB_SRC/tests/net/forge.py" a "$@"; }
log=$TB_DIR/router-a/ipspd.log

# rule NAME FILTER ACTION GROUP PRIORITY
rule()
{
	tb_set router-a "spdRuleDefFilter.\"$1\"" o "$2" "spdRuleDefAction.\"$1\"" o "$3" \
		"spdRuleDefRowStatus.\"$1\"" i createAndGo \
		"spdGroupContComponentName.\"$4\".$5" s "$1" "spdGroupContRowStatus.\"$4\".$5" i createAndGo
}

mf=diffServMultiFieldClfrAddrType
policy()
{
	tb_filter router-a 20 1 "$tb_lan4a" "$tb_lan4b" 16 &&
	tb_filter router-a 21 1 "$tb_lan4b" "$tb_lan4a" 16 &&
	tb_filter router-a 60 2 "$tb_lan6a" "$tb_lan6b" 32 &&
	tb_filter router-a 61 2 "$tb_lan6b" "$tb_lan6a" 32 &&
	tb_filter router-a 30 1 C0000200 C6336400 24 &&
	tb_filter router-a 31 1 C6336400 C0000200 24 &&
	tb_filter router-a 40 1 CB007100 "$tb_lan4a" 16 &&
	rule drop-in $mf.21 spdDropActionLog.0 wan-in 100 &&
	rule drop-in6 $mf.61 spdDropActionLog.0 wan-in 110 &&
	rule accept-in $mf.31 spdAcceptActionLog.0 wan-in 120 &&
	rule quiet-in $mf.40 spdDropAction.0 wan-in 130 &&
	rule rest-in spdTrueFilter.0 spdAcceptAction.0 wan-in 200 &&
	rule drop-out $mf.20 spdDropActionLog.0 wan-out 100 &&
	rule drop-out6 $mf.60 spdDropActionLog.0 wan-out 110 &&
	rule accept-out $mf.30 spdAcceptActionLog.0 wan-out 120 &&
	rule rest-out spdTrueFilter.0 spdAcceptAction.0 wan-out 200 &&
	tb_set router-a "spdEndGroupName.outbound.$1" s wan-out "spdEndGroupRowStatus.outbound.$1" i createAndGo \
		"spdEndGroupName.inbound.$1" s wan-in "spdEndGroupRowStatus.inbound.$1" i createAndGo &&
	tb_ctl router-a wait
}

# line ACTION DIRECTION RULE REASON ADDRESSES PROTOCOL: what the log says of such a packet
wan=$(tb_ifindex router-a wan)
line() { echo "packet: $1 interface $wan $2 spdRuleDefinitionTable.\"$3\"${4:+ }$4 $5 proto $6"; }
logged() { tb_until 20 grep -qF -- "$(line "$@")" "$log" || { grep packet: "$log"; return 1; }; }
count() { grep -cF -- "$1" "$log" || :; }
reached() { test "$(count "$1")" -ge "$2"; }
# exactly N TEXT: the log has that many lines of it, and no more.
exactly() { tb_until 20 reached "$2" "$1"; equal "$1" "$(count "$2")"; }

claim "rules that log are SET" policy "$wan"
tb_start router-a monitor "$TB_BUILD/ipspctl/ipspctl" -s "$TB_DIR/router-a/control" monitor

# One packet a rule.
claim "a clear inbound packet is dropped" forge 192.0.2.1 udp 10.2.0.2 10.1.0.2 4807
claim "... and logged with rule and addresses" \
	logged discard inbound drop-in policy-discard '10.2.0.2 -> 10.1.0.2' 17
claim "... once" exactly 1 '"drop-in"'
claim "so is one of IPv6" forge 2001:db8:a::1 udp fd00:2::2 fd00:1::2 4807
claim "... with its addresses" logged discard inbound drop-in6 policy-discard 'fd00:2::2 -> fd00:1::2' 17
claim "a fragment is tried" forge 192.0.2.1 frag 10.2.0.3 10.1.0.3
claim "... and logged" logged discard inbound drop-in policy-discard '10.2.0.3 -> 10.1.0.3' 17
claim "an outbound packet does not get through" silent host-a 10.2.0.2
claim "... and is logged" logged discard outbound drop-out policy-discard '10.1.0.2 -> 10.2.0.2' 1
claim "... once a packet" exactly 2 '"drop-out"'
claim "nor does one of IPv6" silent host-a fd00:2::2
claim "... which is logged" logged discard outbound drop-out6 policy-discard 'fd00:1::2 -> fd00:2::2' 58
claim "... once a packet" exactly 2 '"drop-out6"'
claim "nor do the router's own" not tb_in router-a ping -q -c 2 -i 0.1 -W 1 -I 10.1.0.1 10.2.0.9
claim "... which are logged" logged discard outbound drop-out policy-discard '10.1.0.1 -> 10.2.0.9' 1
claim "... once a packet" exactly 2 '10.1.0.1 -> 10.2.0.9'
claim "what is let pass gets through" pings router-b 192.0.2.1 2
claim "... logged on its way in" logged bypass inbound accept-in '' '198.51.100.1 -> 192.0.2.1' 1
claim "... and out" logged bypass outbound accept-out '' '192.0.2.1 -> 198.51.100.1' 1
claim "... once a packet each way" eval "exactly 2 '\"accept-in\"' && exactly 2 '\"accept-out\"'"
claim "the monitor shows it" tb_until 20 grep -qF 'drop-in' "$TB_DIR/router-a/monitor.log"

# Behind the quiet ones goes one that is logged: what has not been logged then is not.
claim "rules without log are tried" eval \
	'forge 192.0.2.1 udp 203.0.113.5 10.1.0.2 4807 && tb_in wan ping -q -c 2 -i 0.1 192.0.2.1 &&
	forge 192.0.2.1 udp 10.2.0.5 10.1.0.2 4807'
claim "... with one that logs behind them" \
	logged discard inbound drop-in policy-discard '10.2.0.5 -> 10.1.0.2' 17
claim "... and stay silent" equal '0 0 0' "$(count '"quiet-in"') $(count '"rest-in"') $(count '"rest-out"')"

# Above the rate.
flood() { tb_in "$1" ping -f -q -c 400 -W 1 "$2" | tee "$TB_DIR/flood.out"; }
sniff host-a lan flood
claim "a flood is dropped, packets above the rate as well" eval 'flood host-b 10.1.0.2 | grep " 100% packet loss"'
claim "... none of them came through" eval 'pings host-a 10.1.0.1 1 && unsniff host-a flood &&
	equal 0 "$(seen host-a flood "icmp && ip.src == 10.2.0.2")"'
claim "... some of it is logged" logged discard inbound drop-in policy-discard '10.2.0.2 -> 10.1.0.2' 1
claim "... and not all" test "$(count '"drop-in"')" -lt 400
claim "a flood passes where it may" eval 'flood router-b 192.0.2.1 | grep " 0% packet loss"'

# The engine's end and the daemon's.
claim "the engine is killed, and another one comes" fell router-a engine
claim "... and the daemon answers still" tb_ctl router-a wait --timeout 30
claim "the next one logs on" eval 'forge 192.0.2.1 udp 10.2.0.6 10.1.0.2 4807 &&
	logged discard inbound drop-in policy-discard "10.2.0.6 -> 10.1.0.2" 17'
kill "$(tb_pid router-a ipspd)"
tb_reap "$(tb_pid router-a ipspd)"
tb_in router-a nft delete table inet ipspd_guard
claim "the saved guard loads without the daemon" tb_in router-a "$TB_BUILD/sbin/ipspd" --guard-only \
	-S "$TB_DIR/router-a/state"
claim "... with what it logs" eval 'tb_in router-a nft list table inet ipspd_guard | grep -q "log prefix"'
claim "... and with nobody to hear it" silent host-b 10.1.0.2
claim "a new daemon starts on that" tb_ipspd router-a
claim "... and logs on" eval 'forge 192.0.2.1 udp 10.2.0.7 10.1.0.2 4807 &&
	logged discard inbound drop-in policy-discard "10.2.0.7 -> 10.1.0.2" 17'
conclude
