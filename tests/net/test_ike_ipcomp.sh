# tests/net/test_ike_ipcomp.sh - IPComp that IKEv2 agrees on, by rows that an operator SETs: the negotiation with
# OpenIKED, which does it too; packets with another ipspd, and with strongSwan, whose ESP of its own has no
# compression, without. What compresses well is short on the WAN; what does not help goes as it is.

. "$TB_SRC/tests/net/lib.sh"
[ -x /usr/sbin/charon-systemd ] || { echo "strongSwan is not installed"; exit 77; }
command -v iked >/dev/null || { echo "openiked is not installed"; exit 77; }
tb_init
t_routers

# rows ROUTER PEER-HEX PEER OURS THEIRS: a tunnel of ESP with IPComp inside, negotiated.
rows()
{
	t_psk $1
	t_identities $1
	t_gateway $1 gw 4 $2 $3
	t_proposals $1 1
	tb_set $1 'ipsaIpcompTranMaxLifetimeSec."deflate"' u 0 'ipsaIpcompTranMaxLifetimeKB."deflate"' u 0 \
		'ipsaIpcompTranAlgorithm."deflate"' u 2 'ipsaIpcompTranDictionarySize."deflate"' u 0 \
		'ipsaIpcompTranPrivateAlgorithm."deflate"' u 0 'ipsaIpcompTranRowStatus."deflate"' i createAndGo
	tb_set $1 'ipiaIpsecTranTransformName.4."comp".0' s deflate 'ipiaIpsecTranRowStatus.4."comp".0' i createAndGo
	tb_set $1 'ipiaIpsecPropTransformsName."p2".0.4' s comp 'ipiaIpsecPropRowStatus."p2".0.4' i createAndGo
	t_child $1 lan 4 gw tunnel p2 1 $4 $5 16
	tb_set $1 'ipiaIpsecActUsePfs."child-lan"' i false
	t_in_force $1
}

log=$TB_DIR/router-a/ipspd.log
# compressing N: so many Child SAs with compression have been made. ipcomps ROUTER: IPComp SAs that are there;
# equal_ipcomps: those of one Child SA, at both ends.
compressing() { [ "$(grep -c 'Child SA with 198.51.100.1: .*IPComp CPI' "$log")" -ge "$1" ]; }
ipcomps() { tb_snmp snmpwalk "$1" -OqvU ipspdSaProtocol | grep -c ipcomp || :; }
equal_ipcomps() { equal 2 "$(ipcomps router-a)" && equal 2 "$(ipcomps router-b)"; }
# large FROM TO: pings of octets that compress well.
large() { tb_in "$1" ping -q -c 3 -i 0.1 -W 2 -s 1000 -p 00 "$2"; }
nothing_clear() { equal 0 "$(seen wan "$1" "$t_clear && icmp")"; }
# forget_iked: it ends, and what it has made with it.
forget_iked()
{
	kill "$(tb_pid router-b iked)"
	tb_reap "$(tb_pid router-b iked)"
	tb_in router-b env PYTHONPATH="$TB_SRC/tests/net" /usr/bin/python3 -c "
from pfkey_client import *
c = Client('$TB_DIR/router-b/pfkey')
assert c.ask(SPDFLUSH).errno == 0 and c.ask(FLUSH).errno == 0"
}
# iked active|passive: on router-b, by PF_KEY of the ipspd there.
iked()
{
	cat >"$TB_DIR/router-b/iked.conf" <<-CONF
		ikev2 "lan" $1 ipcomp esp from 10.2.0.0/16 to 10.1.0.0/16 local 198.51.100.1 peer 192.0.2.1 \\
			ikesa enc aes-256 auth hmac-sha2-256 prf hmac-sha2-256 group curve25519 \\
			childsa enc aes-256 auth hmac-sha2-256 srcid 198.51.100.1 dstid 192.0.2.1 psk "between two routers"
	CONF
	chmod 600 "$TB_DIR/router-b/iked.conf"
	rm -f "$TB_DIR/router-b/iked.log"
	tb_start router-b iked unshare -m sh -c "mount -t tmpfs none /run &&
		exec env LD_PRELOAD='$TB_BUILD/.libs/libipsp-pfkey.so' IPSP_PFKEY='$TB_DIR/router-b/pfkey' \
			iked -dvv -f '$TB_DIR/router-b/iked.conf'"
}
iked_says() { grep -q "$1" "$TB_DIR/router-b/iked.log"; }

claim "rows of a tunnel with compression are SET on router-a" rows router-a C6336401 198.51.100.1 $tb_lan4a $tb_lan4b

# ---- OpenIKED, in both roles: what is said, not what is done with it ----
iked passive
claim "OpenIKED waits" tb_until 10 eval 'tb_in router-b ss -lun | grep -q ":500 "'
tb_in host-a ping -q -c 1 -W 0.1 10.2.0.2 || :
claim "we ask OpenIKED, and both compress" tb_until 10 compressing 1
claim "... which has read it so" tb_until 5 iked_says 'req cpi 0x[0-9a-f]*, transform DEFLATE, length 3'
claim "it ends" forget_iked
claim "the connection to it ends, too" tb_ctl router-a terminate child-lan
iked active
claim "OpenIKED asks us, and both compress" tb_until 10 compressing 2
claim "... which has read our answer so" tb_until 5 iked_says 'res cpi 0x[0-9a-f]*, transform DEFLATE, length 3'
claim "it ends" forget_iked

# ---- another ipspd ----
claim "the connection to it ends" tb_ctl router-a terminate child-lan
claim "rows are SET on router-b" rows router-b C0000201 192.0.2.1 $tb_lan4b $tb_lan4a
claim "the first ping crosses" tb_in host-b ping -q -c 1 -W 20 10.1.0.2
claim "... and both compress" tb_until 10 compressing 3
sniff wan a large
claim "pings of octets that compress well cross" large host-a 10.2.0.2
claim "... the other way, too" large host-b 10.1.0.2
unsniff wan large
claim "as ESP" test "$(seen wan large esp)" -ge 12
claim "... much shorter than they were" equal 0 "$(seen wan large 'esp && ip.len > 400')"
claim "... and nothing in the clear" nothing_clear large
claim "short pings, which are not compressed, cross" pings host-a 10.2.0.2
tb_in host-a ping -i 0.02 -c 60 -W 3 -s 500 10.2.0.2 >"$TB_DIR/traffic.out" 2>&1 &
traffic=$!
claim "keys are renewed under traffic" tb_ctl router-a rekey child-lan
claim "... with CPIs of their own" tb_until 10 compressing 4
wait $traffic || :
claim "... and nothing is lost" grep -q ' 0% packet loss' "$TB_DIR/traffic.out"
kill -KILL "$(tb_process router-a ike)"
claim "the successor of a killed ike process compresses" tb_until 15 compressing 5
claim "... what was before goes, and a manager sees an IPComp SA in each direction" tb_until 20 equal_ipcomps
claim "... while pings cross" large host-a 10.2.0.2

# ---- a NAT between them, which gives router-a other ports, and then others again ----
# ports N: so much is added to them; by rules without a state, so that nothing has to be forgotten.
ports()
{
	tb_in wan nft -f - <<-NFT
		table ip nat
		delete table ip nat
		table ip nat {
			chain forward {
				type filter hook forward priority 0
				ip saddr 192.0.2.1 udp sport 500 udp sport set $(($1 + 500))
				ip saddr 192.0.2.1 udp sport 4500 udp sport set $(($1 + 4500))
				ip daddr 192.0.2.1 udp dport $(($1 + 500)) udp dport set 500
				ip daddr 192.0.2.1 udp dport $(($1 + 4500)) udp dport set 4500
			}
		}
	NFT
}
claim "there is a NAT between them" ports 10000
claim "the connection ends" tb_ctl router-a terminate child-lan
sniff wan a nat
claim "the first ping crosses" tb_in host-a ping -q -c 1 -W 20 10.2.0.2
claim "pings of octets that compress well cross" large host-a 10.2.0.2
claim "... the other way, too" large host-b 10.1.0.2
claim "... and short ones" pings host-b 10.1.0.2
claim "by other ports they cross, too" ports 20000
claim "... as soon as we are heard there" tb_until 10 tb_in host-a ping -q -c 1 -W 1 10.2.0.2
claim "... the other way, too" tb_until 10 large host-b 10.1.0.2
claim "... and short ones" pings host-b 10.1.0.2
unsniff wan nat
claim "all of it was ESP in UDP" test "$(seen wan nat 'udp.port == 4500 && esp')" -ge 20
claim "... much shorter than it was" equal 0 "$(seen wan nat 'esp && ip.len > 450')"
claim "... and nothing in the clear" nothing_clear nat
claim "what was moved is still compressed" test "$(ipcomps router-b)" -ge 2
claim "the connection ends" tb_ctl router-a terminate child-lan

# ---- strongSwan, which is asked and does without ----
claim "the other daemon takes its leave" kill "$(tb_pid router-b ipspd)"
tb_reap "$(tb_pid router-b ipspd)"
tb_in wan nft delete table ip nat
claim "... and so does its guard" tb_in router-b "$TB_BUILD/ipspctl/ipspctl" -S "$TB_DIR/router-b/state" guard remove
d=$TB_DIR/router-b
cat >"$d/strongswan.conf" <<CONF
charon-systemd {
	load_modular = no
	load = random nonce openssl aes sha1 sha2 hmac kdf pem curve25519 kernel-libipsec kernel-netlink socket-default vici
	journal { default = -1 }
	filelog { log { path = $d/charon.log
		default = 1 } }
}
swanctl { load = random nonce openssl pem vici }
CONF
cat >"$d/swanctl.conf" <<CONF
connections { lan {
	local_addrs = 198.51.100.1
	remote_addrs = 192.0.2.1
	version = 2
	proposals = aes256-sha256-x25519
	local { auth = psk }
	remote { auth = psk }
	children { lan {
		local_ts = 10.2.0.0/16
		remote_ts = 10.1.0.0/16
		esp_proposals = aes256-sha256
		ipcomp = yes } }
} }
secrets { ike { secret = "between two routers" } }
CONF
t_charon router-b
before=$(grep -c "IPComp CPI" "$log")
swan() { t_swan router-b "$@"; }
claim "strongSwan is there" tb_until 20 swan --load-all --file "$d/swanctl.conf"
claim "the first ping to it crosses" tb_until 20 tb_in host-a ping -q -c 1 -W 20 10.2.0.2
claim "... and large ones" large host-a 10.2.0.2
claim "... its own, too" large host-b 10.1.0.2
claim "nothing is compressed" equal "$before" "$(grep -c "IPComp CPI" "$log")"
# What was there before is listened to for a moment.
claim "... with no SA for it" tb_until 10 eval 'equal 0 "$(ipcomps router-a)"'
claim "strongSwan begins" eval 'swan --terminate --ike lan && swan --initiate --child lan'
claim "... and pings cross" pings host-b 10.1.0.2
conclude
