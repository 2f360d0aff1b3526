# tests/net/test_ike_answer_swan.sh - strongSwan asks, router-b answers by its default response: what is agreed on is judged by
# the other implementation. It has no ESP of its own for transport mode where the kernel has none; then the Child SA is
# agreed on, and ended again by strongSwan.

. "$TB_SRC/tests/net/lib.sh"
[ -x /usr/sbin/charon-systemd ] || { echo "strongSwan is not installed"; exit 77; }
tb_init
tb_topology
tb_snmpd router-b
tb_ipspd router-b
tb_ctl router-b wait --snmp --timeout 30
log=$TB_DIR/router-b/ipspd.log
d=$TB_DIR/router-a

cat >"$d/strongswan.conf" <<CONF
charon-systemd {
	load_modular = no
	load = random nonce openssl aes sha1 sha2 hmac kdf pem curve25519 kernel-netlink socket-default vici
	install_routes = no
	journal { default = -1 }
	filelog { log { path = $d/charon.log
		flush_line = yes
		default = 1
		cfg = 2
		ike = 2 } }
}
swanctl { load = random nonce openssl pem }
CONF
# conn NAME MODE LOCAL-TS REMOTE-TS
conn()
{
	cat <<-CONF
		$1 { local_addrs = 192.0.2.1
			remote_addrs = 198.51.100.1
			version = 2
			mobike = no
			proposals = aes256-sha256-x25519
			local { auth = psk
				id = a.example }
			remote { auth = psk
				id = b.example }
			children { $1 { mode = $2
				local_ts = $3
				remote_ts = $4
				esp_proposals = aes256-sha256-x25519,aes256-sha256 } } }
	CONF
}
{
	echo 'connections {'
	conn all transport 0.0.0.0/0 0.0.0.0/0
	conn web transport '192.0.2.1/32[tcp]' '198.51.100.1/32[tcp/80]'
	conn tunnel tunnel 192.0.2.1/32 198.51.100.1/32
	echo '}'
	echo 'secrets { ike { secret = "between two routers" } }'
} >"$d/swanctl.conf"
tb_start router-a charon env STRONGSWAN_CONF="$d/strongswan.conf" unshare -m sh -c \
	'mount -t tmpfs none /run && exec /usr/sbin/charon-systemd'
charon=$TB_LAST
swan() { STRONGSWAN_CONF="$d/strongswan.conf" nsenter -t "$charon" -m -n swanctl "$@"; }

answers()
{
	t_wan=$(tb_ifindex router-b wan)
	t_psk router-b &&
	tb_set router-b "ipiaIkeIdCredentialName.$t_wan.2.\"b.example\"" s psk \
		"ipiaIkeIdRowStatus.$t_wan.2.\"b.example\"" i createAndGo &&
	tb_set router-b 'ipsaPeerIdType."any".0' u 0 'ipsaPeerIdAddressType."any".0' i unknown 'ipsaPeerIdAddress."any".0' x '' \
		'ipsaPeerIdCredentialName."any".0' s psk 'ipsaPeerIdRowStatus."any".0' i createAndGo &&
	t_proposals router-b 1 && t_actions router-b any 4 any transport p2 &&
	tb_set router-b 'ipiaIkeActIdentityType."ike-any"' u 2 'ipiaIkeActIdentityContext."ike-any"' s b.example &&
	tb_set router-b ipspdDefaultResponseAction.0 s child-any ipspdDefaultResponseIkeAction.0 s ike-any \
		ipspdDefaultResponse.0 i true && tb_ctl router-b wait
}
# asks NAME: whatever comes of it. judges TEXT: so strongSwan sees it.
asks() { swan --initiate --child "$1" --timeout 10 >"$TB_DIR/asked" 2>&1 || :; }
judges() { grep -qE "$1" "$d/charon.log"; }
agreed() { grep -q "Child SA with 192.0.2.1: ESP .*, $1" "$log"; }
claim "strongSwan has its connections" tb_until 20 swan --load-all --file "$d/swanctl.conf"
claim "rows are SET on router-b" answers
asks all
claim "strongSwan believes who answers" tb_until 10 judges "authentication of 'b.example' with pre-shared key successful"
claim "asked for all, only the two ends are agreed on" tb_until 10 agreed '198.51.100.1-198.51.100.1 === 192.0.2.1-192.0.2.1'
claim "... as strongSwan sees it, too" tb_until 10 judges 'match: 198.51.100.1/32'
asks web
claim "asked for one port, that is agreed on" tb_until 10 agreed '198.51.100.1-198.51.100.1\[6/80\] === '
asks tunnel
claim "asked for a tunnel, it refuses" tb_until 10 judges 'received NO_PROPOSAL_CHOSEN notify'
claim "when all is over no entry is left" eval 'tb_until 20 not says keyManager tb_snmp snmpwalk router-b ipspdSpdSource'
conclude
