#!/bin/sh
# What IKE says when two ends do not fit, with strongSwan as the other: wrong addresses, identities, shared keys, traffic
# selectors and algorithms, each with its own reason in our log and none of the others, whoever begins.
. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
[ -x /usr/sbin/charon-systemd ] || exit 77

d=$TB_DIR/router-b
mkdir -p "$d"
cat >"$d/strongswan.conf" <<-CONF
	charon-systemd {
		load_modular = no
		load = random nonce openssl aes sha1 sha2 hmac kdf gcm pem curve25519 kernel-libipsec kernel-netlink socket-default vici
		reuse_ikesa = no
		journal { default = -1 }
		filelog { log { path = $d/charon.log
			default = 1 } }
	}
	swanctl { load = random nonce openssl pem vici }
CONF

# conn NAME IKE ESP OURS: for a peer that says it is a-NAME.example.
conn()
{
	cat <<-CONF
		$1 {
			local_addrs = 198.51.100.1
			remote_addrs = 192.0.2.1
			version = 2
			proposals = $2
			local { auth = psk
				id = b.example }
			remote { auth = psk
				id = a-$1.example }
			children { $1 {
				local_ts = $4
				remote_ts = 10.1.0.0/16
				esp_proposals = $3 } } }
	CONF
}
{
	echo 'connections {'
	conn fits aes128gcm16-prfsha256-x25519 aes128gcm16 10.2.0.0/16
	conn selectors aes128gcm16-prfsha256-x25519 aes128gcm16 10.9.0.0/16
	conn esp aes128gcm16-prfsha256-x25519 aes256-sha256 10.2.0.0/16
	conn ike aes256-sha384-ecp384 aes128gcm16 10.2.0.0/16
	echo '}'
	echo 'secrets { ike { secret = "between two routers" } }'
} >"$d/swanctl.conf"
t_charon router-b
swan() { t_swan router-b "$@"; }
claim "strongSwan has all connections" tb_until 20 swan --load-all --file "$d/swanctl.conf"

log() { echo "$TB_DIR/router-a/$1.log"; }
# end NAME ARGUMENT..: ours, with a log of its own.
end()
{
	t_n=$1
	shift
	rm -f "$(log "$t_n")"
	tb_start router-a "$t_n" "$TB_BUILD/tests/net/ike_end" "$@"
}
gone()
{
	kill -KILL "$(tb_pid router-a "$1")"
	tb_reap "$(tb_pid router-a "$1")"
}

# What each reason is known by.
all='no connection is configured for us
or it has no connection for
nothing has come from port
takes none of what we propose:
no proposal of the peer.s is one of ours
takes none of what we propose for a Child SA:
answer NO_PROPOSAL_CHOSEN: the peer proposes
does not take the traffic selectors
answer TS_UNACCEPTABLE: the peer asks for
the peer does not take us for
no connection is for
the peer is FQDN
the shared keys differ'

# only LOG REASON..: the log has these, and none of the others.
only()
{
	t_log=$(log "$1")
	shift
	echo "$all" >"$TB_DIR/reasons"
	while read -r t_reason; do
		t_wanted=no
		for t_w in "$@"; do
			[ "$t_w" != "$t_reason" ] || t_wanted=yes
		done
		if grep -q "$t_reason" "$t_log"; then t_is=yes; else t_is=no; fi
		[ $t_is = $t_wanted ] || { echo "'$t_reason': $t_is, not $t_wanted"; cat "$t_log"; return 1; }
	done <"$TB_DIR/reasons"
}
said() { grep -q "$2" "$(log "$1")"; }
# reason LOG REASON..: comes, and comes alone.
reason()
{
	tb_until 10 said "$1" "$2" || { cat "$(log "$1")"; return 1; }
	only "$@"
}
# we TEXT REASON [MORE] -- ARGUMENT..: we begin, and say why it fails.
we()
{
	t_claim=$1 t_r1=$2
	shift 2
	t_r2=
	if [ "$1" != -- ]; then t_r2=$1; shift; fi
	shift
	end end initiate local=192.0.2.1 remote=198.51.100.1 peer=2:b.example psk='between two routers' "$@"
	if [ -n "$t_r2" ]; then claim "we begin: $t_claim" reason end "$t_r1" "$t_r2"
	else claim "we begin: $t_claim" reason end "$t_r1"; fi
	gone end
}
# they CONNECTION TEXT REASON ARGUMENT..: they begin.
they()
{
	t_conn=$1 t_claim=$2 t_r1=$3
	shift 3
	end end local=192.0.2.1 remote=198.51.100.1 peer=2:b.example psk='between two routers' "$@"
	tb_until 10 said end READY
	swan --initiate --child "$t_conn" --timeout 10 >"$TB_DIR/swan.out" 2>&1 || :
	claim "they begin: $t_claim" reason end "$t_r1"
	gone end
}

# Takes some seconds; and goes on by itself, on a socket of its own.
end silent initiate local=2001:db8:a::1 remote=2001:db8:b::99 me=2:a-fits.example peer=2:b.example \
	psk='between two routers'

we "selectors that do not meet" 'does not take the traffic selectors' -- me=2:a-selectors.example
claim "... with both sides of ours" said end '10.1.0.0-10.1.255.255 === 10.2.0.0-10.2.255.255'
we "another algorithm of ESP" 'takes none of what we propose for a Child SA:' -- me=2:a-esp.example
claim "... which is said" said end 'for a Child SA: AES_GCM_16-128'
we "another algorithm of IKE" 'takes none of what we propose:' 'or it has no connection for' -- \
	me=2:a-fits.example ike=20:256:0:7:20
claim "... which is said" said end 'AES_GCM_16-256/HMAC_SHA2_512/ECP_384'
we "another identity of ours" 'the peer does not take us for' -- me=2:nobody.example
claim "... which is said" said end 'does not take us for FQDN nobody.example'
we "another shared key" 'the peer does not take us for' -- me=2:a-fits.example psk='of somebody else'

they selectors "selectors that do not meet" 'answer TS_UNACCEPTABLE: the peer asks for' me=2:a-selectors.example
claim "... with the peer's and ours" said end \
	'asks for 10.1.0.0-10.1.255.255 === 10.9.0.0-10.9.255.255; .* is for 10.1.0.0-10.1.255.255 === 10.2.0.0-10.2.255.255'
they esp "another algorithm of ESP" 'answer NO_PROPOSAL_CHOSEN: the peer proposes' me=2:a-esp.example
claim "... with the peer's and ours" said end 'proposes AES_CBC-256/HMAC_SHA2_256_128.* takes AES_GCM_16-128'
they ike "another algorithm of IKE" 'no proposal of the peer.s is one of ours' me=2:a-ike.example
claim "... with the peer's and ours" said end 'proposes AES_CBC-256.* takes AES_GCM_16-128/HMAC_SHA2_256/CURVE25519'
they fits "another identity of the peer" 'no connection is for' me=2:a-fits.example peer=2:c.example
claim "... with the one that is expected" said end 'is for FQDN b.example .*expected is FQDN c.example'
they fits "another shared key" 'the shared keys differ' me=2:a-fits.example psk='of somebody else'
they fits "an address of nobody's" 'no connection is configured for us' me=2:a-fits.example remote=198.51.100.77
claim "... with theirs and ours" said end '198.51.100.1: no connection is configured for us at 192.0.2.1'
claim "we begin: an address where nobody is" reason silent 'nothing has come from port'
claim "... which is said" said silent 'with 2001:db8:b::99: nothing has come from port 500'
conclude
