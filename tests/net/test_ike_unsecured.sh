# tests/net/test_ike_unsecured.sh - who accepts unsecured and answers secured, and who has the default response alone. router-b is
# the server: it negotiates with whomever it sends to, and lets come in what is in the clear. router-a is a client without a
# rule: its first TCP segment is in the clear, the server's answer waits for SAs, and from then on all is secured. Between
# clients nothing is. While the client's default response is switched off nothing comes of it.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers

# known ROUTER NAME: as whom it speaks, and whoever has the secret is heard.
known()
{
	t_psk "$1" &&
	tb_set "$1" "ipiaIkeIdCredentialName.$(tb_ifindex "$1" wan).2.\"$2\"" s psk \
		"ipiaIkeIdRowStatus.$(tb_ifindex "$1" wan).2.\"$2\"" i createAndGo &&
	tb_set "$1" 'ipsaPeerIdType."any".0' u 0 'ipsaPeerIdAddressType."any".0' i unknown 'ipsaPeerIdAddress."any".0' x '' \
		'ipsaPeerIdCredentialName."any".0' s psk 'ipsaPeerIdRowStatus."any".0' i createAndGo &&
	t_proposals "$1" 1 && t_actions "$1" any 4 any transport p2 &&
	tb_set "$1" 'ipiaIkeActIdentityType."ike-any"' u 2 'ipiaIkeActIdentityContext."ike-any"' s "$2"
}
# From it to anywhere by TCP, both ways; inbound may be in the clear.
serves()
{
	known router-b b.example &&
	tb_set router-b 'ipsaPeerIdAddressType."any".0' i 1 'ipsaPeerIdAddress."any".0' x C0000201 &&
	tb_filter router-b 20 1 C6336401 00000000 32 && tb_filter router-b 21 1 00000000 C6336401 32 || return 1
	tb_set router-b diffServMultiFieldClfrDstPrefixLength.20 u 0 diffServMultiFieldClfrProtocol.20 u 6 \
		diffServMultiFieldClfrSrcPrefixLength.21 u 0 diffServMultiFieldClfrProtocol.21 u 6 || return 1
	for way in out.20 in.21; do
		dir=${way%.*}
		tb_set router-b "spdRuleDefFilter.\"$dir\"" o "diffServMultiFieldClfrAddrType.${way#*.}" \
			"spdRuleDefAction.\"$dir\"" o 'ipiaIpsecActParametersName."child-any"' \
			"spdRuleDefRowStatus.\"$dir\"" i createAndGo \
			"spdGroupContComponentName.\"wan-$dir\".1" s $dir "spdGroupContRowStatus.\"wan-$dir\".1" i createAndGo || return 1
	done
	tb_set router-b 'ipspdRuleOptAcceptClear."in"' i true && t_in_force router-b
}
answers()
{
	known router-a a.example &&
	tb_set router-a ipspdDefaultResponseAction.0 s child-any ipspdDefaultResponseIkeAction.0 s ike-any \
		ipspdDefaultResponse.0 i true && tb_ctl router-a wait
}
# talk FROM TO ADDRESS SECONDS: a connection by TCP, one line each way.
talk() { /usr/bin/python3 "$TB_SRC/tests/net/talk.py" "$(tb_ns "$1")" "$(tb_ns "$2")" "$3" "$4"; }
said() { grep -q "$2" "$TB_DIR/$1/ipspd.log"; }
has_entry() { says '198.51.100.1/32 -> 192.0.2.1/32' tb_ctl router-a show spd; }
# first FILTER: the number of the first such packet.
first() { tshark -r "$TB_DIR/wan/secured.pcap" -Y "$1" -T fields -e frame.number 2>/dev/null | head -n 1; }
in_order()
{
	t_last=0
	for t_filter in 'tcp.flags.syn == 1 && tcp.flags.ack == 0 && ip.src == 192.0.2.1' 'isakmp && ip.src == 198.51.100.1' \
		'esp && ip.src == 198.51.100.1' 'esp && ip.src == 192.0.2.1'; do
		t_now=$(first "$t_filter")
		[ "${t_now:-0}" -gt $t_last ] || { echo "$t_filter: ${t_now:-none}, behind $t_last"; return 1; }
		t_last=$t_now
	done
}

claim "rows are SET on the server" serves
claim "rows are SET on the client: the default response" answers
sniff wan a secured
claim "the client speaks with the server" talk router-a router-b 198.51.100.1 20
unsniff wan secured
claim "its first segment is in the clear, then the server asks by IKE, answers by ESP, and is answered so" in_order
claim "nothing but first segments is in the clear" equal 0 "$(seen wan secured 'tcp && !(tcp.flags.syn == 1 && tcp.flags.ack == 0)')"
claim "... of the client's" equal 0 "$(seen wan secured 'tcp && ip.src != 192.0.2.1')"
claim "the client has an entry for it" has_entry
sniff wan a clear
claim "the client speaks with another one" talk wan router-a 192.0.2.1 20
unsniff wan clear
claim "... in the clear" test "$(seen wan clear 'tcp.len > 0')" -ge 2
claim "... without IKE" equal 0 "$(seen wan clear 'isakmp && !(ip.addr == 198.51.100.1)')"
claim "the server ends its SAs" tb_ctl router-b flush
claim "... and the client's entry is gone" tb_until 20 not has_entry

# ---- switched off ----
claim "the client's default response is switched off" eval 'tb_set router-a ipspdDefaultResponse.0 i false && tb_ctl router-a wait'
sniff wan a refused
claim "the client does not speak with the server any more" not talk router-a router-b 198.51.100.1 3
claim "... as the server's log says" tb_until 10 said router-b NO_PROPOSAL_CHOSEN
unsniff wan refused
claim "... which has sent nothing in the clear" equal 0 "$(seen wan refused 'tcp && ip.src == 198.51.100.1')"
claim "... and no entry is there" not has_entry
conclude
