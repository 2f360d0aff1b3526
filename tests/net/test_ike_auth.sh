#!/bin/sh
# Who two ends of IKE are, the other one strongSwan's: every kind of key, both roles, certificates by way of an
# intermediate CA, a key in a PKCS #11 token, raw public keys, postquantum preshared keys.
. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
[ -x /usr/sbin/charon-systemd ] || exit 77

here=192.0.2.1
there=198.51.100.1
p=$TB_DIR/pki
d=$TB_DIR/router-b
mkdir -p "$p" "$d/x509" "$d/x509ca" "$d/private" "$d/pubkey"

# key NAME KIND..: as openssl genpkey has it.
key()
{
	t_n=$1
	shift
	openssl genpkey -out "$p/$t_n.key" "$@" 2>/dev/null
}

# cert NAME ISSUER SUBJECT EXTENSION..: by the issuer (itself: a root).
cert()
{
	t_n=$1 t_i=$2 t_s=$3
	shift 3
	printf '%s\n' "$@" >"$p/$t_n.ext"
	openssl req -new -key "$p/$t_n.key" -subj "$t_s" -out "$p/$t_n.csr"
	if [ "$t_i" = "$t_n" ]; then
		set -- -signkey "$p/$t_n.key"
	else
		set -- -CA "$p/$t_i.pem" -CAkey "$p/$t_i.key" -CAcreateserial
	fi
	openssl x509 -req -in "$p/$t_n.csr" -days 30 -extfile "$p/$t_n.ext" -out "$p/$t_n.pem" "$@" 2>/dev/null
}

p256='-algorithm EC -pkeyopt ec_paramgen_curve:P-256'
p384='-algorithm EC -pkeyopt ec_paramgen_curve:P-384'
rsa='-algorithm RSA -pkeyopt rsa_keygen_bits:2048'
ca='basicConstraints=critical,CA:TRUE
keyUsage=keyCertSign,cRLSign'
# Word splitting is wanted: arguments.
# shellcheck disable=SC2086
{
	key root $p256
	key middle $p256
	for k in rsa p256 p384 ed25519; do
		case $k in
		rsa) t_k=$rsa ;;
		p256) t_k=$p256 ;;
		p384) t_k=$p384 ;;
		ed25519) t_k='-algorithm ED25519' ;;
		esac
		key a-$k $t_k
		key b-$k $t_k
	done
}
cert root root /O=Test/CN=Root "$ca"
cert middle root /O=Test/CN=Middle "$ca"
for k in rsa p256 p384 ed25519; do
	cert a-$k root "/O=Test/CN=a-$k" "subjectAltName=DNS:a-$k.example"
	# Theirs come by way of an intermediate CA.
	cert b-$k middle "/O=Test/CN=b-$k" "subjectAltName=DNS:b-$k.example,email:b@$k.example"
	cp "$p/b-$k.pem" "$d/x509"
	cp "$p/b-$k.key" "$d/private"
	openssl pkey -in "$p/a-$k.key" -pubout -out "$p/a-$k.pub"
	openssl pkey -in "$p/b-$k.key" -pubout -out "$p/b-$k.pub"
done
cp "$p/a-rsa.key" "$p/a-pss.key"
cert a-pss root /O=Test/CN=pss "subjectAltName=DNS:pss.example"
cp "$p/root.pem" "$p/middle.pem" "$d/x509ca"
cp "$p/a-p256.pub" "$p/b-p256.pub" "$d/pubkey"

swan() { t_swan router-b "$@"; }

# conn NAME LOCAL REMOTE [MORE]: one of strongSwan's connections.
conn()
{
	cat <<-CONF
		$1 {
			local_addrs = $there
			remote_addrs = $here
			version = 2
			proposals = aes128gcm16-prfsha256-x25519
			${4:-}
			local { $2 }
			remote { $3 }
			children { $1 {
				local_ts = 10.2.0.0/16
				remote_ts = 10.1.0.0/16
				esp_proposals = aes128gcm16 } } }
	CONF
}

# charon [OPTION]: strongSwan's daemon, with all connections.
charon()
{
	cat >"$d/strongswan.conf" <<-CONF
		charon-systemd {
			load_modular = no
			load = random nonce openssl aes sha1 sha2 hmac kdf gcm mgf1 pem pkcs1 pkcs8 x509 pubkey revocation constraints curve25519 kernel-libipsec kernel-netlink socket-default vici
			${1:-}
			journal { default = -1 }
			filelog { log { path = $d/charon.log
				ike = 1
				cfg = 1 } }
		}
		swanctl { load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey vici }
	CONF
	{
		echo 'connections {'
		for k in rsa p256 p384 ed25519; do
			conn $k "auth = pubkey
				certs = b-$k.pem
				id = b-$k.example" "auth = pubkey
				id = a-$k.example"
		done
		conn pss "auth = rsa/pss-sha256
			certs = b-rsa.pem
			id = b@rsa.example" "auth = pubkey
			id = pss.example"
		conn dn "auth = pubkey
			certs = b-p256.pem" "auth = pubkey
			id = \"O=Test, CN=a-p256\""
		conn raw "auth = pubkey
			pubkeys = b-p256.pub
			id = b-raw.example" "auth = pubkey
			pubkeys = a-p256.pub
			id = a-raw.example"
		conn ppk "auth = psk
			id = b-ppk.example" "auth = psk
			id = a-ppk.example" "ppk_id = one
			ppk_required = yes"
		conn moves "auth = psk
			id = b-moves.example" "auth = psk
			id = a-moves.example" | sed '/local_addrs/d'
		conn bare "auth = psk
			id = b-bare.example" "auth = psk
			id = a-bare.example" "childless = force"
		echo '}'
		echo 'secrets { ike { secret = "between two routers" }'
		echo 'ppk { secret = "not to be found by quanta" '
		echo 'id = one } }'
	} >"$d/swanctl.conf"
	rm -f "$d/charon.log"
	t_charon router-b
	tb_until 20 swan --load-all --file "$d/swanctl.conf"
}

end()
{
	rm -f "$TB_DIR/router-a/end.log"
	tb_start router-a end "$TB_BUILD/tests/net/ike_end" "$@"
	tb_until 10 grep -q READY "$TB_DIR/router-a/end.log"
}

unend()
{
	kill "$(tb_pid router-a end)"
	tb_reap "$(tb_pid router-a end)"
}

# meets CONNECTION HOW ARGUMENT..: both roles, one after the other; HOW is what our log says of the peer's proof.
meets()
{
	t_c=$1 t_how=$2
	shift 2
	end initiate local=$here remote=$there "$@"
	claim "$t_c: we begin" tb_until 10 grep -q CHILD "$TB_DIR/router-a/end.log"
	claim "$t_c: it proved itself by $t_how" tb_until 10 grep -q "$t_how" "$TB_DIR/router-a/end.log"
	claim "$t_c: strongSwan has it" tb_until 10 says "$t_c: #" swan --list-sas
	unend
	end local=$here remote=$there "$@"
	claim "$t_c: it begins" swan --initiate --child $t_c --timeout 10
	claim "$t_c: we answered" tb_until 10 grep -q "$t_how" "$TB_DIR/router-a/end.log"
	unend
}

charon
a="cas=$p/root.pem"
meets rsa 'RSA with SHA256' me=2:a-rsa.example peer=2:b-rsa.example key="$p/a-rsa.key" certs="$p/a-rsa.pem" "$a"
meets pss 'RSA PSS with SHA256' me=2:pss.example peer=3:b@rsa.example key="$p/a-rsa.key" certs="$p/a-pss.pem" "$a" pss
claim "pss: strongSwan takes ours" \
	grep -q "authentication of 'pss.example' with RSA_EMSA_PSS_SHA2_256_SALT_32 successful" "$d/charon.log"
meets p256 'ECDSA with SHA256' me=2:a-p256.example peer=2:b-p256.example key="$p/a-p256.key" certs="$p/a-p256.pem" "$a"
meets p384 'ECDSA with SHA384' me=2:a-p384.example peer=2:b-p384.example key="$p/a-p384.key" certs="$p/a-p384.pem" "$a"
meets ed25519 'Ed25519' me=2:a-ed25519.example peer=2:b-ed25519.example key="$p/a-ed25519.key" certs="$p/a-ed25519.pem" "$a"
meets dn 'ECDSA with SHA256' me=9: peer=9:CN=b-p256,O=Test key="$p/a-p256.key" certs="$p/a-p256.pem" "$a"
meets raw 'ECDSA with SHA256' me=2:a-raw.example peer=2:b-raw.example key="$p/a-p256.key" raw="$p/b-p256.pub"
meets ppk 'established with FQDN b-ppk.example' me=2:a-ppk.example peer=2:b-ppk.example psk='between two routers' \
	ppk='not to be found by quanta' ppk-id=one

# RFC 6023: an IKE SA alone; its Child SA comes later.
end initiate local=$here remote=$there me=2:a-bare.example peer=2:b-bare.example psk='between two routers' childless
claim "an IKE SA without a Child SA" tb_until 10 grep -q 'established with FQDN b-bare' "$TB_DIR/router-a/end.log"
claim "strongSwan has it" tb_until 10 says 'bare: #' swan --list-sas
claim "no Child SA is there" test "$(grep -c CHILD "$TB_DIR/router-a/end.log")" = 0
unend
end local=$here remote=$there me=2:a-bare.example peer=2:b-bare.example psk='between two routers'
claim "it begins with an IKE SA alone" swan --initiate --child bare --timeout 10
claim "and asks for the Child SA by itself" tb_until 10 grep -q CHILD "$TB_DIR/router-a/end.log"
unend

# RFC 4555: whichever of the two has begun moves.
us=2:a-moves.example them=2:b-moves.example
tb_in router-a sysctl -qw net.ipv4.conf.wan.promote_secondaries=1
tb_in router-b sysctl -qw net.ipv4.conf.wan.promote_secondaries=1
tb_in router-a ip addr add 192.0.2.9/24 dev wan
end initiate local=$here remote=$there me=$us peer=$them psk='between two routers' moves-to=192.0.2.9
claim "one that may move" tb_until 10 grep -q CHILD "$TB_DIR/router-a/end.log"
kill -USR1 "$(tb_pid router-a end)"
claim "we move" tb_until 10 grep -q 'MOVED .* 192.0.2.9 ' "$TB_DIR/router-a/end.log"
claim "strongSwan follows" tb_until 10 says "remote 'a-moves.example' @ 192.0.2.9[4500]" swan --list-sas
unend
tb_in router-a ip addr del 192.0.2.9/24 dev wan
end local=$here remote=any me=$us peer=$them psk='between two routers'
claim "strongSwan begins" swan --initiate --child moves --timeout 10
tb_in router-b ip addr add 198.51.100.9/24 dev wan
tb_in router-b ip addr del $there/24 dev wan
claim "strongSwan moves, and we follow when it is there" \
	tb_until 10 grep -q 'MOVED .* 198.51.100.9' "$TB_DIR/router-a/end.log"
tb_in router-b ip addr add $there/24 dev wan
tb_in router-b ip addr del 198.51.100.9/24 dev wan
claim "... and back" tb_until 10 grep -q "MOVED .* $there" "$TB_DIR/router-a/end.log"
unend

# A key that does not leave its token.
export SOFTHSM2_CONF="$p/softhsm2.conf"
mkdir "$p/tokens"
printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$p/tokens" >"$SOFTHSM2_CONF"
softhsm2-util --init-token --free --label ike --pin 1234 --so-pin 5678 >/dev/null
softhsm2-util --import "$p/a-p256.key" --token ike --label a --id 01 --pin 1234 >/dev/null
meets p256 'ECDSA with SHA256' me=2:a-p256.example peer=2:b-p256.example \
	key='pkcs11:token=ike;object=a;type=private?pin-value=1234' certs="$p/a-p256.pem" "$a"
end initiate local=$here remote=$there me=2:a-p256.example peer=2:b-rsa.example key="$p/a-p256.key" \
	certs="$p/a-p256.pem" "$a"
claim "an identity that strongSwan does not have is no peer" \
	tb_until 10 grep -q 'IKE_AUTH fails: AUTHENTICATION_FAILED' "$TB_DIR/router-a/end.log"
unend
end initiate local=$here remote=$there me=2:a-p256.example peer=2:b-p256.example key="$p/a-p256.key" \
	certs="$p/a-p256.pem" cas="$p/a-p384.pem"
claim "a CA that is not ours is told by name" \
	tb_until 10 grep -q 'no CA that is configured signed for the peer: CN=Middle,O=Test is signed by CN=Root' \
	"$TB_DIR/router-a/end.log"
unend

# Without RFC 7427.
t_no_charon router-b
charon 'signature_authentication = no'
meets rsa 'RSA with SHA1' me=2:a-rsa.example peer=2:b-rsa.example key="$p/a-rsa.key" certs="$p/a-rsa.pem" "$a"
meets p384 'ECDSA with SHA384 on P-384' me=2:a-p384.example peer=2:b-p384.example key="$p/a-p384.key" \
	certs="$p/a-p384.pem" "$a"
conclude
