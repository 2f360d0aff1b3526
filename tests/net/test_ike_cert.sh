#!/bin/sh
# How a router proves who it is, by rows that an operator SETs and key files: certificates of every kind of key, by way
# of an intermediate CA, raw public keys, a key in a PKCS #11 token, PPKs, CRLs; the other one is strongSwan, in both roles.
. "$TB_SRC/tests/net/lib.sh"
[ -x /usr/sbin/charon-systemd ] || { echo "strongSwan is not installed"; exit 77; }
tb_init

r=router-a
p=$TB_DIR/pki
d=$TB_DIR/router-b
tb_topology
# No fragment of IP passes: what is long goes in those of IKE (RFC 7383).
claim "the way takes no fragments" tb_in wan nft 'add table inet way; add chain inet way on { type filter hook forward priority 0; };
	add rule inet way on ip frag-off & 0x3fff != 0 counter drop'
mkdir -p "$p/web" "$d/x509" "$d/x509ca" "$d/private" "$d/pubkey"

serial=100
# key NAME KIND; cert NAME ISSUER EXTENSION..: by the issuer (itself: a root).
key()
{
	case $2 in
	rsa) set -- "$1" RSA -pkeyopt rsa_keygen_bits:2048 ;;
	p256) set -- "$1" EC -pkeyopt ec_paramgen_curve:P-256 ;;
	pss) set -- "$1" RSA-PSS -pkeyopt rsa_keygen_bits:2048 ;;
	esac
	t_n=$1
	shift
	openssl genpkey -out "$p/$t_n.key" -algorithm "$@" 2>/dev/null
}

cert()
{
	t_n=$1 t_i=$2
	shift 2
	printf '%s\n' "$@" >"$p/$t_n.ext"
	openssl req -new -key "$p/$t_n.key" -subj "/O=Test/CN=$t_n" -out "$p/$t_n.csr"
	# Serial numbers that rows have room for.
	serial=$((serial + 1))
	if [ "$t_i" = "$t_n" ]; then
		set -- -signkey "$p/$t_n.key"
	else
		set -- -CA "$p/$t_i.pem" -CAkey "$p/$t_i.key"
	fi
	openssl x509 -req -in "$p/$t_n.csr" -days 30 -extfile "$p/$t_n.ext" -out "$p/$t_n.pem" -set_serial $serial \
		"$@" 2>/dev/null
}

ca='basicConstraints=critical,CA:TRUE
keyUsage=keyCertSign,cRLSign'
key root p256
key middle p256
cert root root "$ca"
key other p256
cert other other "$ca"
key a-other p256
cert a-other other subjectAltName=DNS:a-other.example
key a-pss pss
cert a-pss root subjectAltName=DNS:a-pss.example
cert middle root "$ca" crlDistributionPoints=URI:http://192.0.2.254:8080/root.crl
for k in rsa p256 ed25519; do
	key a-$k $k
	key b-$k $k
	cert a-$k root "subjectAltName=DNS:a-$k.example" 'authorityInfoAccess=OCSP;URI:http://192.0.2.254:8081'
	case $k in
	ed25519) by='authorityInfoAccess=OCSP;URI:http://192.0.2.254:8081' ;;
	*) by=crlDistributionPoints=URI:http://192.0.2.254:8080/middle.crl ;;
	esac
	case $k in
	p256) also=,DNS:b-ppk.example ;;
	rsa) also=,DNS:b-pss.example ;;
	*) also= ;;
	esac
	cert b-$k middle "subjectAltName=DNS:b-$k.example$also" "$by"
	: >"$p/b-$k.by-middle"
	cp "$p/b-$k.pem" "$d/x509"
	cp "$p/b-$k.key" "$d/private"
done
for n in a-p256 b-p256; do
	openssl pkey -in "$p/$n.key" -pubout -out "$d/pubkey/$n.pub"
	openssl pkey -in "$p/$n.key" -pubout -outform DER -out "$p/$n.spki"
done
cp "$p/root.pem" "$p/middle.pem" "$p/other.pem" "$d/x509ca"

export SOFTHSM2_CONF="$p/softhsm2.conf"
mkdir "$p/tokens"
printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$p/tokens" >"$SOFTHSM2_CONF"
softhsm2-util --init-token --free --label ike --pin 1234 --so-pin 5678 >/dev/null
softhsm2-util --import "$p/a-p256.key" --token ike --label a --id 01 --pin 1234 >/dev/null
chown -R _ipspd "$p/tokens"

# ---- strongSwan ----

# conn NAME LOCAL REMOTE [MORE]
conn()
{
	cat <<-CONF
		$1 {
			local_addrs = 198.51.100.1
			remote_addrs = 192.0.2.1
			version = 2
			mobike = no
			proposals = aes256-sha256-x25519
			${4:-}
			local { $2 }
			remote { $3 }
			children { $1 {
				local_ts = 10.2.0.0/16
				remote_ts = 10.1.0.0/16
				esp_proposals = aes256-sha256-x25519 } } }
	CONF
}

cat >"$d/strongswan.conf" <<CONF
charon-systemd {
	load_modular = no
	load = random nonce openssl aes sha1 sha2 hmac kdf pem pkcs1 pkcs8 x509 pubkey constraints curve25519 kernel-libipsec kernel-netlink socket-default vici
	journal { default = -1 }
	filelog { log { path = $d/charon.log
		flush_line = yes
		default = 1 } }
}
swanctl { load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey vici }
CONF
{
	echo 'connections {'
	for k in rsa p256 ed25519; do
		conn $k "auth = pubkey
			certs = b-$k.pem
			id = b-$k.example" "auth = pubkey
			id = a-$k.example"
	done
	for k in root other all; do
		conn by-$k "auth = pubkey
			certs = b-p256.pem
			id = b-p256.example" "auth = pubkey
			$([ $k = all ] || echo "cacerts = $k.pem")"
	done
	for k in rsa pss; do
		conn pss-$k "auth = ike:rsa/pss-sha256
			certs = b-rsa.pem
			id = b-pss.example" "auth = ike:rsa/pss-sha256
			id = a-$k.example"
	done
	conn raw "auth = pubkey
		pubkeys = b-p256.pub
		id = b-raw.example" "auth = pubkey
		pubkeys = a-p256.pub
		id = a-raw.example"
	conn ppk "auth = pubkey
		certs = b-p256.pem
		id = b-ppk.example" "auth = pubkey
		id = a-p256.example" 'ppk_id = one
		ppk_required = yes'
	echo '}'
	echo 'secrets { ppk { secret = "not to be found by quanta" '
	echo 'id = one } }'
} >"$d/swanctl.conf"
t_charon router-b
swan() { t_swan router-b "$@"; }

tb_start wan web /usr/bin/python3 -u -m http.server --bind 192.0.2.254 --directory "$p/web" 8080
tb_until 10 grep -q Serving "$TB_DIR/wan/web.log"

# ---- rows ----

tb_snmpd $r
tb_ipspd $r
tb_ctl $r wait --snmp --timeout 30
wan=$(tb_ifindex $r wan)

# x509 NAME DER-FILE [CA]: a credential with that value.
x509()
{
	tb_set $r "ipsaCredType.\"$1\"" i x509 "ipsaCredCredential.\"$1\"" x "$(od -An -v -tx1 "$2" | tr -d ' \n')" \
		"ipsaCredMngName.\"$1\"" s "${3:-}" "ipsaCredRemoteID.\"$1\"" s '' \
		"ipsaCredAdminStatus.\"$1\"" i enabled "ipsaCredRowStatus.\"$1\"" i createAndGo
}

# key_file NAME FILE: the private key of a credential.
key_file()
{
	install -m 600 -o _ipspd "$2" "$TB_DIR/$r/state/keys/$1"
}

rows()
{
	x509 root-cert "$p/root.der"
	tb_set $r 'ipiaIcmsDistinguishedName."root"' s 'CN=root' 'ipiaIcmsPolicyStatement."root"' s '' \
		'ipiaIcmsMaxChainLength."root"' i 1 'ipiaIcmsCredentialName."root"' s root-cert \
		'ipspdCaCrlLevel."root"' i none 'ipiaIcmsRowStatus."root"' i createAndGo
	for k in rsa p256 ed25519; do
		x509 a-$k "$p/a-$k.der" root
		key_file a-$k "$p/a-$k.key"
	done
	x509 other-cert "$p/other.der"
	tb_set $r 'ipiaIcmsDistinguishedName."other"' s 'CN=other' 'ipiaIcmsPolicyStatement."other"' s '' \
		'ipiaIcmsMaxChainLength."other"' i 1 'ipiaIcmsCredentialName."other"' s other-cert \
		'ipspdCaCrlLevel."other"' i none 'ipiaIcmsRowStatus."other"' i createAndGo
	x509 a-other "$p/a-other.der" other
	key_file a-other "$p/a-other.key"
	x509 a-pss "$p/a-pss.der" root
	key_file a-pss "$p/a-pss.key"
	x509 a-raw "$p/a-p256.spki"
	key_file a-raw "$p/a-p256.key"
	x509 b-raw "$p/b-p256.spki"
	x509 a-token "$p/a-p256.der" root
	echo 'pkcs11:token=ike;object=a;type=private?pin-value=1234' >"$p/token.uri"
	key_file a-token "$p/token.uri"
	tb_set $r 'ipsaPeerIdType."gw".0' u 2 'ipsaPeerIdValue."gw".0' s b-p256.example \
		'ipsaPeerIdAddressType."gw".0' i 1 'ipsaPeerIdAddress."gw".0' x C6336401 \
		'ipsaPeerIdCredentialName."gw".0' s '' 'ipsaPeerIdRowStatus."gw".0' i createAndGo
	tb_set $r "ipiaIkeIdCredentialName.$wan.2.\"a-raw.example\"" s a-p256 \
		"ipiaIkeIdRowStatus.$wan.2.\"a-raw.example\"" i createAndGo
	t_proposals $r 3
	t_child $r vpn 4 gw tunnel p2 1 0A010000 0A020000 16
	tb_set $r 'ipiaIkeActIdentityType."ike-vpn"' u 2 'ipiaIkeActIdentityContext."ike-vpn"' s a-raw.example
	# What is with the web server, in the clear.
	tb_filter $r 3 1 C0000201 C00002FE 32
	tb_filter $r 4 1 C00002FE C0000201 32
	for way in out.3 in.4; do
		dir=${way%.*}
		tb_set $r "spdRuleDefFilter.\"web-$dir\"" o "diffServMultiFieldClfrAddrType.${way#*.}" \
			"spdRuleDefAction.\"web-$dir\"" o spdAcceptAction.0 "spdRuleDefRowStatus.\"web-$dir\"" i createAndGo \
			"spdGroupContComponentName.\"wan-$dir\".2" s "web-$dir" \
			"spdGroupContRowStatus.\"wan-$dir\".2" i createAndGo
	done
	t_in_force $r
}

# use OWN THEIR-NAME [THEIR-CREDENTIAL]: what the connection is proved by from now on.
use()
{
	tb_set $r "ipiaIkeIdCredentialName.$wan.2.\"a-raw.example\"" s "$1" 'ipsaPeerIdValue."gw".0' s "$2" \
		'ipsaPeerIdCredentialName."gw".0' s "${3:-}"
	tb_ctl $r wait
}

reason() { tb_snmp snmpget $r 'ipspdConnReason.ike."child-vpn"."ike-vpn"'; }
is_up() { says up tb_snmp snmpget $r 'ipspdConnState.ike."child-vpn"."ike-vpn"'; }
said() { tail -n +"$from" "$TB_DIR/$r/ipspd.log" | grep -q -- "$1"; }
# By another process than who was seen to act: so a moment later, perhaps.
logged() { tb_until 10 said "$1"; }
mark() { from=$(($(wc -l <"$TB_DIR/$r/ipspd.log") + 1)); }
one() { tb_in host-a ping -q -c 1 -W 2 10.2.0.2; }

# meets CONNECTION HOW OWN THEIR-NAME [THEIR-CREDENTIAL]: both roles, one after the other.
meets()
{
	t_c=$1 t_how=$2
	shift 2
	mark
	claim "$t_c: rows are SET" use "$@"
	claim "$t_c: pings cross" tb_until 20 one
	claim "$t_c: it proved itself by $t_how" logged "proves itself by $t_how"
	claim "$t_c: strongSwan ends it" swan --terminate --ike "${s:-$t_c}"
	mark
	claim "$t_c: and begins" swan --initiate --child "${s:-$t_c}" --timeout 10
	claim "$t_c: which we answered" logged "proves itself by $t_how"
}

for n in root middle other a-other a-pss a-rsa a-p256 a-ed25519 b-p256 b-rsa; do
	openssl x509 -in "$p/$n.pem" -outform DER -out "$p/$n.der"
done
claim "rows are SET, and keys are in their files" rows
claim "strongSwan is there" tb_until 20 swan --load-all --file "$d/swanctl.conf"
s=p256 meets p256 'ECDSA with SHA256' a-p256 b-p256.example
s=rsa meets rsa 'RSA with SHA256' a-rsa b-rsa.example
s=ed25519 meets ed25519 'Ed25519' a-ed25519 b-ed25519.example
s=raw meets raw 'ECDSA with SHA256' a-raw b-raw.example b-raw
s=p256 meets token 'ECDSA with SHA256' a-token b-p256.example

# ---- several certificates of ours ----

# more NAME: a second credential of our identity.
more()
{
	tb_set $r "ipspdIkeIdOptSecondCred.$wan.2.\"a-raw.example\"" s "$1"
	tb_ctl $r wait
}

# shows WHOM HOW CONNECTION: strongSwan begins, and is shown that certificate.
shows()
{
	mark
	claim "$3: strongSwan begins" swan --initiate --child "$3" --timeout 10
	claim "... and is shown $1's" logged "our certificate is that of CN=$1,O=Test, by pass $2"
	claim "... which it finds good" tb_until 10 grep -q "authentication of '$1.example' with .* successful" "$d/charon.log"
	claim "... strongSwan ends it" swan --terminate --ike "$3"
}

claim "two credentials of two CAs" eval 'use a-p256 b-p256.example && more a-other'
shows a-other '2: of an authority that the peer names' by-other
shows a-p256 '2: of an authority that the peer names' by-root
shows a-p256 '2: of an authority that the peer names' by-all
claim "one of the two is disabled" tb_set $r 'ipsaCredAdminStatus."a-other"' i disabled
claim "... and passed over, in the MIB" tb_until 10 says 'not used: credential' \
	tb_snmp snmpget $r 'ipspdConnCredentials.ike."child-vpn"."ike-vpn"'
claim "... and in the log" logged 'credential "a-other" is disabled, and is passed over'
claim "one credential" more ''

# ---- PSS ----
claim "an RSA key is to sign by PSS" tb_set $r 'ipspdCredOptRsaPss."a-rsa"' i true
s=pss-rsa meets pss 'RSA PSS with SHA256' a-rsa b-pss.example
claim "strongSwan saw PSS, too" tb_until 10 grep -q "authentication of 'a-rsa.example' with RSA_EMSA_PSS_SHA2_256.* successful" "$d/charon.log"
claim "an RSA key is to sign as before" tb_set $r 'ipspdCredOptRsaPss."a-rsa"' i false
claim "... which strongSwan does not take here" not swan --initiate --child pss-rsa --timeout 10
s=pss-pss meets 'a key for PSS alone' 'RSA PSS with SHA256' a-pss b-pss.example

# ---- a postquantum preshared key ----
mark
claim "a key that is not there" tb_set $r 'ipspdPeerOptPpkName."gw".0' s quanta
claim "... keeps the connection down, and says so" tb_until 10 says 'for a PPK' reason
tb_set $r 'ipsaCredType."quanta"' i sharedSecret 'ipsaCredCredential."quanta"' s 'not to be found by quanta' \
	'ipsaCredMngName."quanta"' s '' 'ipsaCredRemoteID."quanta"' s one \
	'ipsaCredAdminStatus."quanta"' i enabled 'ipsaCredRowStatus."quanta"' i createAndGo
s=ppk meets ppk 'ECDSA with SHA256' a-p256 b-ppk.example
claim "strongSwan used it" tb_until 10 grep -q "using PPK for PPK_ID 'one'" "$d/charon.log"
claim "without one from now on" tb_set $r 'ipspdPeerOptPpkName."gw".0' s ''

# ---- revocation ----

# level LEVEL: how CRLs are looked at.
level()
{
	tb_set $r 'ipspdCaCrlLevel."root"' i "$1"
	tb_ctl $r wait
}

# crl REVOKED..: those of both CAs, where their certificates say.
crl()
{
	for t_n in root middle; do
		: >"$p/$t_n.index"
		for t_c; do
			[ -e "$p/$t_c.by-$t_n" ] || continue
			printf 'R\t351231235959Z\t260101000000Z\t%s\tunknown\t/CN=%s\n' \
				"$(openssl x509 -in "$p/$t_c.pem" -noout -serial | cut -d= -f2)" "$t_c" >>"$p/$t_n.index"
		done
		printf '[ca]\ndefault_ca = c\n[c]\ndatabase = %s\ndefault_md = sha256\n' "$p/$t_n.index" >"$p/$t_n.conf"
		openssl ca -config "$p/$t_n.conf" -gencrl -crldays 1 -keyfile "$p/$t_n.key" -cert "$p/$t_n.pem" \
			-out "$p/crl.pem" 2>/dev/null
		openssl crl -in "$p/crl.pem" -outform DER -out "$p/web/$t_n.crl"
	done
}

mark
claim "CRLs are asked for" level required
claim "... and without one there is no peer" eval 'use a-ed25519 b-ed25519.example && silent host-a 10.2.0.2'
claim "... which is told" logged 'nobody says whether the certificate of CN=b-ed25519,O=Test is revoked'
crl
mark
s=p256 meets crl 'ECDSA with SHA256' a-p256 b-p256.example
claim "they were fetched" tb_until 10 grep -q 'GET /middle.crl HTTP/1.1" 200' "$TB_DIR/wan/web.log"
claim "... and are kept" tb_until 10 eval '[ "$(ls "$TB_DIR/$r/state/crls" | wc -l)" = 2 ]'
claim "... a manager ends it" tb_ctl $r terminate child-vpn
rm "$TB_DIR/$r/state/crls"/*
crl b-rsa
kill -KILL "$(tb_process $r ike)"
mark
claim "a certificate that is revoked" use a-rsa b-rsa.example
claim "... is no peer's" silent host-a 10.2.0.2
claim "... which is told" logged 'the certificate of CN=b-rsa,O=Test is revoked'

# ---- OCSP ----

# responder CA STATUS NAME: of that CA, and what it has about one certificate; no status: it does not know that one.
responder()
{
	[ -z "$2" ] || printf '%s\t351231235959Z\t%s\t%s\tunknown\t/CN=%s\n' "$2" "$([ "$2" = V ] || echo 260101000000Z)" \
		"$(openssl x509 -in "$p/$3.pem" -noout -serial | cut -d= -f2)" "$3" >"$p/ocsp.line"
	[ -n "$2" ] || : >"$p/ocsp.line"
	mv "$p/ocsp.line" "$p/ocsp.index"
	rm -f "$TB_DIR/wan/ocsp.log"
	tb_start wan ocsp openssl ocsp -index "$p/ocsp.index" -port 8081 -CA "$p/$1.pem" -rsigner "$p/$1.pem" \
		-rkey "$p/$1.key" -ndays 1
	tb_until 10 tb_in wan sh -c 'ss -Hltn sport = :8081 | grep -q .'
}

ocsp_down()
{
	kill "$(tb_pid wan ocsp)"
	wait "$(tb_pid wan ocsp)" || :
}

# ocsp [STATUS]: what the responder of the intermediate CA has about b-ed25519; nothing: it does not know that one.
ocsp()
{
	[ ! -e "$TB_DIR/wan/ocsp.pid" ] || ocsp_down
	responder middle "${1:-}" b-ed25519
}

# begins HOW: strongSwan begins with b-ed25519, and is taken (or not). We may have begun before it.
begins()
{
	# An IKE SA of ours that ended while it waited to hear of revocation is one for strongSwan still.
	swan --terminate --ike ed25519 --force || :
	mark
	case $1 in
	taken)
		swan --initiate --child ed25519 --timeout 10 || swan --list-sas --ike ed25519 | grep -q INSTALLED &&
			swan --terminate --ike ed25519
		;;
	refused) not swan --initiate --child ed25519 --timeout 10 ;;
	esac
}

claim "an OCSP responder knows it" eval 'use a-ed25519 b-ed25519.example && ocsp V'
claim "... and it is taken" begins taken
claim "a responder that says it is revoked" ocsp R
claim "... is believed" begins refused
claim "... and that is told" logged 'the certificate of CN=b-ed25519,O=Test is revoked'
claim "a responder that does not know it" ocsp
claim "... is not enough" begins refused
claim "... and that is told" logged 'nobody says whether the certificate of CN=b-ed25519,O=Test is revoked'
ocsp_down
claim "a responder that is not there is not enough either" begins refused
claim "... and that is told" logged 'nobody says whether the certificate of CN=b-ed25519,O=Test is revoked'
claim "where it may be missing" level ifAvailable
claim "... it is taken" begins taken
claim "... and that is told" logged 'is revoked: taken all the same'

# ---- rows that revoke ----
revoked="\"by-hand\".$((0x$(openssl x509 -in "$p/b-ed25519.pem" -noout -serial | cut -d= -f2)))"
mark
claim "a row revokes one of the intermediate CA's" eval 'x509 middle-cert "$p/middle.der" && tb_set $r \
	"ipiaIcmsDistinguishedName.\"middle\"" s CN=middle "ipiaIcmsPolicyStatement.\"middle\"" s "" \
	"ipiaIcmsMaxChainLength.\"middle\"" i 0 "ipiaIcmsCredentialName.\"middle\"" s middle-cert \
	"ipiaIcmsRowStatus.\"middle\"" i createAndGo && tb_set $r \
	"ipiaCmcDistributionPoint.\"middle\".\"by-hand\"" s "" "ipiaCmcThisUpdate.\"middle\".\"by-hand\"" s "" \
	"ipiaCmcNextUpdate.\"middle\".\"by-hand\"" s "" "ipiaCmcRowStatus.\"middle\".\"by-hand\"" i createAndGo && tb_set $r \
	"ipiaRctRevokedDate.$revoked" s "" "ipiaRctRevokedReason.$revoked" i keyCompromise \
	"ipiaRctRowStatus.$revoked" i createAndGo && tb_ctl $r wait'
by='is revoked (key compromise) by a row of ipiaRevokedCertificateTable, of CRL "by-hand"'
claim "... which is refused" begins refused
claim "... and that is told" logged "the certificate of CN=b-ed25519,O=Test $by"
claim "... in the MIB, too" tb_until 10 says "$by" reason
claim "without the row" eval 'tb_set $r "ipiaRctRowStatus.$revoked" i destroy && tb_ctl $r wait'
claim "... it is taken" begins taken

claim "CRLs are required again" level required
kill "$(tb_pid wan web)"
kill -KILL "$(tb_process $r ike)"
mark
claim "kept lists are known to another process, without the server" use a-p256 b-p256.example
claim "... a ping crosses" tb_until 20 one
claim "lists that are not there are not asked for" level none

# ---- what is wrong is said ----
mark
claim "another name than the certificate's" use a-p256 other.example
claim "... is no peer" silent host-a 10.2.0.2
claim "... nor when it begins" not swan --initiate --child p256 --timeout 10
claim "... and the name is told" logged 'no connection is for FQDN b-p256.example'
claim "another certificate than the one that is named" use a-p256 b-p256.example a-rsa
claim "... is no peer" silent host-a 10.2.0.2
claim "... and whose it is is told" logged 'is not the one that is configured, but that of'
chmod 640 "$TB_DIR/$r/state/keys/a-rsa"
claim "a key that others may read" use a-rsa b-rsa.example
claim "... is not used, and that is told" tb_until 10 says 'others than its owner may read it' reason
key_file a-rsa "$p/a-p256.key"
claim "a key of another certificate" tb_ctl $r reload
claim "... is not used, and that is told" tb_until 10 says "the private key is not the certificate's" reason
key_file a-rsa "$p/a-rsa.key"
claim "once it is the right one" tb_ctl $r reload
claim "... a ping crosses" tb_until 20 one

# ---- our own OCSP answer, for a peer that asks for it: strongSwan 5.9 does not ----
kill "$(tb_pid router-b charon)"
tb_reap "$(tb_pid router-b charon)"
cat "$p/b-p256.pem" "$p/middle.pem" >"$p/b-chain.pem"

# asks: one that fetches nothing, and takes nobody of whom it does not know that he is good.
asks()
{
	rm -f "$TB_DIR/router-b/end.log"
	tb_start router-b end "$TB_BUILD/tests/net/ike_end" initiate local=198.51.100.1 remote=192.0.2.1 childless \
		me=2:b-p256.example peer=2:a-p256.example key="$p/b-p256.key" certs="$p/b-chain.pem" cas="$p/root.pem" \
		revocation-required ike=12:256:12:5:31
	tb_until 10 grep -q -e 'established with' -e 'nobody says whether' "$TB_DIR/router-b/end.log" || return 1
	kill "$(tb_pid router-b end)"
	tb_reap "$(tb_pid router-b end)"
}

good() { asks && grep -q 'established with' "$TB_DIR/router-b/end.log"; }

claim "an identity whose certificate has a responder" use a-p256 b-p256.example
claim "... which knows it" eval 'responder root V a-p256'
claim "a peer that asks for its answer gets none at first" asks
claim "... and is left to say so" grep -q 'nobody says whether the certificate of CN=a-p256,O=Test is revoked' \
	"$TB_DIR/router-b/end.log"
claim "... but the responder was asked" tb_until 10 grep -q 'Received request' "$TB_DIR/wan/ocsp.log"
claim "... and then it comes along" tb_until 20 good
claim "chains of certificates went in fragments of IKE" grep -q 'parsed IKE_AUTH request .* EF(1/' "$d/charon.log"
claim "... strongSwan's, too" grep -q 'generating IKE_AUTH re.* EF(1/' "$d/charon.log"
claim "... and none was one of IP" says 'packets 0 bytes 0' tb_in wan nft list chain inet way on
conclude
