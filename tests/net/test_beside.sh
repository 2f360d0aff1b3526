# tests/net/test_beside.sh - what else runs on a gateway: a program that is past policy by the mark of its
# socket, and a firewall that drops everything, with the rules that `ipspctl firewall` prints.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
claim "a whole policy is SET on both routers" tb_policies

# The mark.
claim "pings cross" pings host-a 10.2.0.2
claim "lookup names their rule" says '"tunnel-out"' tb_ctl router-a lookup wan outbound 10.1.0.2 10.2.0.2 1 8 0
claim "... and none for others" says '(no rule)' tb_ctl router-a lookup wan outbound 10.1.0.2 10.3.0.2 1 8 0
sniff wan a mark
claim "the router's own packets are protected" tb_in router-a ping -q -c 1 -W 2 -I 10.1.0.1 10.2.0.2
claim "a program with the mark is tried" not tb_in router-a ping -q -c 1 -W 0.5 -m $((0x69700000)) -I 10.1.0.1 10.2.0.2
unsniff wan mark
claim "... it alone is in the clear, and its answer does not come in" equal "1 0" "$(seen wan mark \
	'icmp && ip.src == 10.1.0.1') $(seen wan mark 'icmp && ip.dst == 10.1.0.1')"

# The firewall.
nft_a() { tb_in router-a nft "$@"; }
# SNMP and the rest of this machine itself go by lo.
drop_all()
{
	nft_a -f - <<'NFT'
table inet closed {
	chain input { type filter hook input priority 10; policy drop; iifname "lo" accept; icmpv6 type { 135, 136 } accept; }
	chain output { type filter hook output priority 10; policy drop; oifname "lo" accept; icmpv6 type { 135, 136 } accept; }
	chain forward { type filter hook forward priority 10; policy drop; }
}
NFT
}
print_rules() { tb_ctl router-a firewall closed ipspd0 >"$TB_DIR/rules.nft" && nft_a -f - <"$TB_DIR/rules.nft"; }

claim "a firewall drops everything" drop_all
claim "... and nothing crosses" silent host-a 10.2.0.2
claim "it takes the printed rules" print_rules
claim "pings cross again" tb_until 20 pings host-a 10.2.0.2 1
claim "... begun from the other side" pings host-b 10.1.0.2
claim "... in IPv6 too" eval 'pings host-a fd00:2::2 && pings host-b fd00:1::2'
claim "packets whose ESP comes in fragments cross" tb_in host-b ping -q -c 2 -i 0.1 -W 2 -s 3000 -M dont 10.1.0.2
claim "the router itself answers nobody outside" silent wan 192.0.2.1
claim "the rules may be taken once more" print_rules
claim "... and pings cross" pings host-a 10.2.0.2
conclude
