# tests/net/test_actions.sh - what actions do to packets on the wire: compound actions with their three
# strategies, lifetimes in octets and seconds, DF, and the options of IPSPD-MIB. All by SNMP SETs on
# rows in use, judged by tshark.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
claim "a whole policy is SET on both routers" tb_policies

get() { tb_snmp snmpget "$1" -Oqv "$2" | tr -d '"'; }

# put OBJECT TYPE VALUE ..: SET on router-a, and in force.
put() { tb_set router-a "$@" && tb_ctl router-a wait; }

# outer FILTER FIELD ..: these fields of the ESP packets that router-a sent, one packet a line.
outer()
{
	t_filter="ip.src == 192.0.2.1 && $1"
	shift
	for t_field; do set -- "$@" -e "$t_field"; shift; done
	tshark -r "$TB_DIR/wan/$t_shot.pcap" -Y "$t_filter" -T fields "$@" 2>/dev/null
}

# shot NAME, and then developed: a capture of its own on the WAN.
shot() { t_shot=$1; sniff wan a "$1"; }
developed() { unsniff wan "$t_shot"; }

# ---- DF of the outer header ----

df_pings()
{
	tb_in host-a ping -q -c 1 -W 2 -M do 10.2.0.2 && tb_in host-a ping -q -c 1 -W 2 -M dont 10.2.0.2
}

for t_df in 1:1,0 2:1,1 3:0,0; do
	put 'ipsaSaPreActDFHandling."tunnel".outbound' i ${t_df%:*}
	shot df${t_df%:*}
	claim "pings cross with DF handling ${t_df%:*}" df_pings
	developed
	claim "... and with and without DF inside it is ${t_df#*:} outside" equal "${t_df#*:}" \
		"$(outer esp.spi==0x1000 ip.flags.df | paste -sd,)"
done

# ---- until success: a second SA for the first ----

# second ROUTER DIRECTION ENC AUTH: an SA with SPI 0x3000, and a compound action of two
second()
{
	tb_secret "$1" second-enc "$3"
	tb_secret "$1" second-auth "$4"
	tb_sa "$1" second "$2" 12288 second-enc second-auth peer
	tb_set "$1" 'spdCompActExecutionStrategy."both"' i doUntilSuccess \
		'spdCompActRowStatus."both"' i createAndGo \
		'spdSubActSubActionName."both".10' o "ipsaSaPreActActionDescription.\"tunnel\".$2" \
		'spdSubActRowStatus."both".10' i createAndGo \
		'spdSubActSubActionName."both".20' o "ipsaSaPreActActionDescription.\"second\".$2" \
		'spdSubActRowStatus."both".20' i createAndGo
	tb_set "$1" "spdRuleDefAction.\"$5\"" o 'spdCompActExecutionStrategy."both"'
	tb_ctl "$1" wait
}
t_enc=$(tb_key) t_auth=$(tb_key)
claim "a second SA stands behind the first on router-a" second router-a outbound $t_enc $t_auth tunnel-out
claim "... and on router-b" second router-b inbound $t_enc $t_auth tunnel-in

claim "the SPD shows what the rule runs" says '  ipsaSaPreconfiguredActionTable."second",outbound' \
	tb_ctl router-a show spd

# Six pings of 96 octets of text so far; one of 512 ends the first SA's kilobyte, and begins no new count.
put 'ipsaSaPreActActionLifetimeKB."tunnel".outbound' u 1
shot kb
claim "pings go on over the end of the first SA's kilobyte" tb_in host-a ping -c 4 -i 0.1 -W 2 -s 472 10.2.0.2
developed
claim "the first went by it, all others by the second" equal 0x00001000,0x00003000,0x00003000,0x00003000 \
	"$(outer esp esp.spi | paste -sd,)"
not_in_force() { equal false "$(get "$1" "ipspdPreActInForce.$2")"; }
claim "the first is not in force" tb_until 10 not_in_force router-a '"tunnel".outbound'
claim "... and says why" says lifetime get router-a 'ipspdPreActReason."tunnel".outbound'
claim "the rule is in force" equal true "$(get router-a 'ipspdRuleInForce."tunnel-out"')"

# ---- the options of IPSPD-MIB ----

t_i='"second".outbound'
put "ipspdPreActOptDscp.$t_i" i 46 "ipspdPreActOptOuterTtl.$t_i" u 33 "ipspdPreActOptTfcPad.$t_i" u 1000 \
	"ipspdPreActOptEcn.$t_i" i compatibility "ipspdPreActOptEsn.$t_i" i true
tb_set router-b 'ipspdPreActOptEsn."second".inbound' i true
tb_ctl router-b wait
shot options
claim "pings cross with padding and 64-bit numbers" tb_in host-a ping -q -c 2 -i 0.1 -W 2 -Q 0x22 10.2.0.2
developed
# IP, ESP, IV, 1008 octets of text, ICV.
claim "DSCP, ECN, TTL and length are those of the SA" equal "46 0 33 1068" \
	"$(outer esp.spi==0x3000 ip.dsfield.dscp ip.dsfield.ecn ip.ttl ip.len | sort -u | tr '\t' ' ')"

# ---- dummy packets, and padding at random ----

dummies() { get router-b 'ipspdSaDummies."second".inbound.1' | grep -q '^[2-9]\|^1[0-9]'; }

put "ipspdPreActOptTfcPad.$t_i" u 0 "ipspdPreActOptTfcRandom.$t_i" u 255 "ipspdPreActOptDummyInterval.$t_i" u 1
shot hidden
claim "equal pings cross" tb_in host-a ping -q -c 20 -i 0.05 -W 2 10.2.0.2
claim "the peer receives dummy packets, and counts them" tb_until 20 dummies
developed
claim "equal packets are of many lengths" test "$(outer 'esp.spi==0x3000' ip.len | sort -u | wc -l)" -ge 5
claim "... which are no errors" equal "0 packets" "$(get router-b 'ipspdSaOtherErrors."second".inbound.1')"
put "ipspdPreActOptTfcRandom.$t_i" u 0 "ipspdPreActOptDummyInterval.$t_i" u 0

# ---- the second SA is over while nothing passes ----

put "ipsaSaPreActActionLifetimeSec.$t_i" u 1
claim "a second without packets ends the second SA" tb_until 10 not_in_force router-a "$t_i"
claim "the rule says that its compound fails" says "compound action that fails" get router-a 'ipspdRuleReason."tunnel-out"'
shot over
claim "nothing crosses then" silent host-a 10.2.0.2
developed
claim "... neither by ESP nor in clear" equal 0 "$(seen wan over 'ip.src == 192.0.2.1 && esp || ip.src == 10.1.0.0/16')"
put "ipsaSaPreActActionLifetimeSec.$t_i" u 0
claim "a longer lifetime brings it back" pings host-a 10.2.0.2
claim "... and it is in force" equal true "$(get router-a "ipspdPreActInForce.$t_i")"

# ---- the other strategies ----

put 'spdCompActExecutionStrategy."both"' i doUntilFailure
claim "until failure: the first SA is over, so nothing crosses" silent host-a 10.2.0.2
put 'spdCompActExecutionStrategy."both"' i doAll \
	'spdSubActSubActionName."both".5' o spdAcceptActionLog.0 'spdSubActRowStatus."both".5' i createAndGo
shot all
claim "all: the SA that works carries them" pings host-a 10.2.0.2
developed
claim "... and accept lets nothing out in clear" equal "0 0x00003000" \
	"$(seen wan all 'ip.src == 10.1.0.0/16') $(outer esp esp.spi | sort -u)"
put 'spdSubActSubActionName."both".30' o spdDropAction.0 'spdSubActRowStatus."both".30' i createAndGo
claim "all, with a drop: nothing crosses" silent host-a 10.2.0.2

# ---- clear, where a rule allows it ----

in_clear() { shot "$1"; silent host-a 10.2.0.2 >/dev/null; developed; seen wan "$1" 'ip.src == 10.1.0.0/16 && icmp'; }
put 'spdRuleDefAction."tunnel-out"' o 'ipsaSaPreActActionDescription."tunnel".outbound'
claim "an SA that is over means drop" equal 0 "$(in_clear drop)"
put 'ipspdRuleOptFallback."tunnel-out"' i clear
claim "... or clear, where the rule says so" tb_until 10 eval '[ "$(in_clear clear)" -ge 1 ]'
claim "... and says it" says "in clear" get router-a 'ipspdRuleReason."tunnel-out"'
put 'ipspdRuleOptFallback."tunnel-out"' i drop
claim "... and no more when it does not" equal 0 "$(in_clear again)"

# ---- inbound: the guard, which judges clear packets, follows ----

put_b() { tb_set router-b "$@" && tb_ctl router-b wait; }
put 'spdRuleDefAction."tunnel-out"' o spdAcceptAction.0
put_b 'spdRuleDefAction."tunnel-in"' o 'ipsaSaPreActActionDescription."second".inbound' \
	'ipspdRuleOptFallback."tunnel-in"' i clear
# arrives NAME: how many of two pings in clear come to host-b.
arrives()
{
	sniff host-b lan "$1"
	silent host-a 10.2.0.2 >/dev/null || :
	unsniff host-b "$1"
	seen host-b "$1" 'icmp.type == 8'
}
claim "clear packets do not come in while there is an SA for them" equal 0 "$(arrives in)"
tb_set router-b 'ipsaSaPreActActionLifetimeSec."second".inbound' u 1
claim "its lifetime ends" tb_until 10 not_in_force router-b '"second".inbound'
# The guard may be about to follow: what the first try loses is no fault.
claim "they do then, where the rule says so" tb_until 10 eval 'equal 2 "$(arrives over)"'
put_b 'ipsaSaPreActActionLifetimeSec."second".inbound' u 0
claim "... and no more when it is back" equal 0 "$(arrives back)"
conclude
