# tests/net/test_filters.sh - filters that are no selectors decide packets that come in, are forwarded and go
# out: octets at an offset, the IP Security Option, IKE phases, compounds, a group's filter, time.

. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
tb_snmpd router-a
tb_ipspd router-a
tb_ctl router-a wait --snmp --timeout 30
wan=$(tb_ifindex router-a wan)

# offset NAME OFFSET TYPE VALUE
offset()
{
	tb_set router-a "spdIpOffFiltOffset.\"$1\"" u "$2" "spdIpOffFiltType.\"$1\"" i "$3" \
		"spdIpOffFiltValue.\"$1\"" x "$4" "spdIpOffFiltRowStatus.\"$1\"" i createAndGo
}

# rule NAME FILTER GROUP PRIORITY: accepts
rule()
{
	tb_set router-a "spdRuleDefFilter.\"$1\"" o "$2" "spdRuleDefAction.\"$1\"" o spdAcceptAction.0 \
		"spdRuleDefRowStatus.\"$1\"" i createAndGo \
		"spdGroupContComponentName.\"$3\".$4" s "$1" "spdGroupContRowStatus.\"$3\".$4" i createAndGo
}

# member COMPOUND PRIORITY FILTER NEGATED
member()
{
	tb_set router-a "spdSubFiltSubfilter.\"$1\".$2" o "$3" \
		"spdSubFiltSubfilterIsNegated.\"$1\".$2" i "$4" "spdSubFiltRowStatus.\"$1\".$2" i createAndGo
}

# The packets' first four octets of payload, TCP, and what no option has (its header is five words).
policy()
{
	offset pass 28 equal 50415353
	offset tcp 9 equal 06
	offset time 28 equal 54494d45
	tb_set router-a 'spdIpsoHeadFiltType."u"' b 0 'spdIpsoHeadFiltClassification."u"' i unclassified \
		'spdIpsoHeadFiltRowStatus."u"' i createAndGo
	tb_set router-a 'spdIpsoHeadFiltType."s"' b 0 'spdIpsoHeadFiltClassification."s"' i secret \
		'spdIpsoHeadFiltRowStatus."s"' i createAndGo
	# not (secret or not (these octets)), in two levels
	tb_set router-a 'spdCompFiltLogicType."bad"' i or 'spdCompFiltRowStatus."bad"' i createAndGo
	member bad 1 'spdIpsoHeadFiltType."s"' false
	member bad 2 'spdIpOffFiltOffset."pass"' true
	tb_set router-a 'spdCompFiltRowStatus."good"' i createAndGo
	member good 1 'spdCompFiltDescription."bad"' true
	member good 2 spdTrueFilter.0 false
	rule octets 'spdCompFiltDescription."good"' mixed 10
	rule anything spdTrueFilter.0 labelled 1
	tb_set router-a 'spdGroupContFilter."mixed".20' o 'spdIpsoHeadFiltType."u"' \
		'spdGroupContComponentType."mixed".20' i group 'spdGroupContComponentName."mixed".20' s labelled \
		'spdGroupContRowStatus."mixed".20' i createAndGo
	rule phase1 ipiaIkePhase1Filter.0 mixed 30
	rule tcp 'spdIpOffFiltOffset."tcp"' mixed 40
	for t_dir in inbound outbound; do
		tb_set router-a "spdEndGroupName.$t_dir.$wan" s mixed "spdEndGroupRowStatus.$t_dir.$wan" i createAndGo
	done
	tb_ctl router-a wait
}

in_by() { tb_in wan /usr/bin/python3 "$TB_SRC/tests/net/forge_filters.py" a "$mac_wan" 10.2.0.2 10.1.0.2 "$@"; }
out_by() { tb_in host-a /usr/bin/python3 "$TB_SRC/tests/net/forge_filters.py" lan "$mac_lan" 10.1.0.2 10.2.0.2 "$@"; }
mac_wan=$(tb_in router-a cat /sys/class/net/wan/address)
mac_lan=$(tb_in router-a cat /sys/class/net/lan/address)

claim "filters of all kinds are SET" policy
for t_rule in octets phase1 tcp anything; do
	claim "rule $t_rule is in force" says true tb_snmp snmpget router-a "ipspdRuleInForce.\"$t_rule\""
done

# judged SPACE CAPTURE WHAT: which of the packets came through
judged()
{
	claim "$3: the last packet came" eval "tb_until 20 came $1 $2 'udp.dstport == 5999'"
	unsniff $1 $2
	for t_port in 5001 5004 5007; do
		claim "$3: port $t_port passes" equal 1 "$(seen $1 $2 "udp.dstport == $t_port && ip.ttl < 64 && !icmp")"
	done
	for t_port in 5002 5003 5005 5006 5008; do
		claim "$3: port $t_port is dropped" equal 0 "$(seen $1 $2 "udp.dstport == $t_port && ip.ttl < 64 && !icmp")"
	done
	claim "$3: a fragment that hides the octets is dropped" equal 0 "$(seen $1 $2 'ip.frag_offset > 0 && ip.ttl < 64 && !icmp')"
	claim "$3: IKE_SA_INIT passes" equal 1 "$(seen $1 $2 'isakmp.exchangetype == 34 && ip.ttl < 64 && !icmp')"
	claim "$3: CREATE_CHILD_SA is dropped" equal 0 "$(seen $1 $2 'isakmp.exchangetype == 36 && ip.ttl < 64 && !icmp')"
}
came() { [ "$(seen "$@")" -gt 0 ]; }

sniff host-a lan inside
claim "packets are forged at the WAN" in_by
judged host-a inside "forwarded, inbound"
sniff wan a outside
claim "packets are forged at the LAN" out_by
judged wan outside "forwarded, outbound"

# TCP in both directions through the handover: segments put together by the kernel, checksums left to devices.
head -c 2000000 /dev/urandom >"$TB_DIR/good"
tb_start host-b serve /usr/bin/python3 -m http.server 8080 -d "$TB_DIR"
claim "TCP crosses" eval 'tb_until 20 tb_in host-a curl -s -m 20 -o "$TB_DIR/got" http://10.2.0.2:8080/good'
claim "... octet by octet" cmp "$TB_DIR/good" "$TB_DIR/got"

# Time: a rule that begins in a few seconds. Nobody tells the daemon when.
timed() { in_by timed; came host-a time 'udp.dstport == 5008'; }
period() { echo "$(date -u -d "@$1" +%Y%m%dT%H%M%SZ)/THISANDFUTURE"; }
sniff host-a lan time
claim "a rule for later is SET" eval 'tb_set router-a "spdTimeFiltPeriod.\"t\"" s "$(period $(($(date +%s) + 86400)))" \
	"spdTimeFiltRowStatus.\"t\"" i createAndGo && tb_set router-a "spdCompFiltRowStatus.\"later\"" i createAndGo &&
	member later 1 "spdTimeFiltPeriod.\"t\"" false && member later 2 "spdIpOffFiltOffset.\"time\"" false &&
	rule later "spdCompFiltDescription.\"later\"" mixed 50 && tb_ctl router-a wait'
begin=$(($(date +%s) + 12))
claim "... for some seconds later" eval 'tb_set router-a "spdTimeFiltPeriod.\"t\"" s "$(period $begin)" && tb_ctl router-a wait'
claim "before its time nothing passes" not timed
claim "... and it is that early" test "$(date +%s)" -lt $begin
kill -STOP "$(tb_process router-a agent)"
claim "in its time it passes, with the agent stopped" tb_until 40 timed
kill -CONT "$(tb_process router-a agent)"
claim "... not before" test "$(tshark -r "$TB_DIR/host-a/time.pcap" -Y 'udp.dstport == 5008' -T fields -e frame.time_epoch 2>/dev/null | head -n 1 | cut -d. -f1)" -ge $begin
claim "the agent compiles anew" tb_until 20 grep -q 'a time filter changes' "$TB_DIR/router-a/ipspd.log"

# A message of ICMP: the request goes out, nothing says that its answer may come in.
messages()
{
	tb_set router-a diffServMultiFieldClfrAddrType.9 i ipv4 diffServMultiFieldClfrProtocol.9 u 1 \
		ipspdClfrMessageFirst.9 u 2048 ipspdClfrMessageLast.9 u 2048 diffServMultiFieldClfrStatus.9 i createAndGo
	rule echo diffServMultiFieldClfrAddrType.9 mixed 5
	tb_ctl router-a wait
}
claim "a rule for one message of ICMP is SET" messages
claim "it is shown as such" eval 'tb_ctl router-a show spd | grep -q "proto 1 type 8/0"'
sniff host-b lan echo
claim "the answer does not come in" not tb_in host-a ping -q -c 1 -W 1 10.2.0.2
claim "... to the request that went out" eval "tb_until 20 came host-b echo 'icmp.type == 0'"
unsniff host-b echo

# Exemptions: in force at once, before all rules, and shown.
exempt() { tb_set router-a ipspdExemptLevel.0 i $1 && tb_ctl router-a wait && in_by kerberos; }
kerberos() { came host-a exempt 'udp.dstport == 88'; }
sniff host-a lan exempt
claim "at level 3 Kerberos is a protocol like any other" exempt 3
claim "... and is dropped" not kerberos
claim "at level 0 it is exempt" exempt 0
claim "... and passes" tb_until 20 kerberos
claim "... by an entry that says so" eval 'tb_ctl router-a show spd | grep -q ipspdExemptLevel.0'
claim "... with a warning in the log" tb_until 10 grep -q 'source port 88' "$TB_DIR/router-a/ipspd.log"
claim "the level is kept" equal 0 "$(tb_snmp snmpget router-a -Oqv ipspdExemptLevel.0)"
tb_set router-a ipspdExemptLevel.0 i 3
unsniff host-a exempt

# Without an engine what only it can judge is dropped.
unsniff host-a time
sniff host-a lan dead
kill -STOP "$(tb_process router-a engine)"
claim "packets are forged with the engine stopped" in_by octets
claim "... and are dropped" not came host-a dead 'udp.dstport == 5001'
kill -CONT "$(tb_process router-a engine)"

# This system's own addresses, which are followed.
own()
{
	tb_set router-a diffServMultiFieldClfrAddrType.99 i ipv4 ipspdClfrMe.99 i destination \
		diffServMultiFieldClfrStatus.99 i createAndGo
	rule own diffServMultiFieldClfrAddrType.99 mixed 60
	tb_ctl router-a wait
}
knows() { tb_ctl router-a show spd | grep -qF -- "$1"; }
claim "a rule for this system's own addresses is made" own
claim "... and is about the one it has" knows '-> 192.0.2.1'
tb_addr router-a wan 192.0.2.77/24
tb_addr router-a wan 2001:db8:a::77/64
claim "an address that comes is one of them (M36)" tb_until 10 knows '-> 192.0.2.77'
claim "... and the system's IKE passes there (H117)" knows '192.0.2.77 udp 500, 4500'
claim "... in IPv6, too (H119)" tb_until 10 knows '2001:db8:a::77 udp 500, 4500'
tb_in router-a ip addr del 192.0.2.77/24 dev wan
claim "... and one that goes is none" tb_until 10 not knows 192.0.2.77
conclude
