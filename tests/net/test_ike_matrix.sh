#!/bin/sh
# IKEv2 with strongSwan, as a table: in each row other algorithms of the IKE SA and its Child SA, another key exchange and
# another proof; in each row both roles and both families, and we behind a NAT. strongSwan, which makes ESP itself
# (kernel-libipsec), always says that it is behind one, so that all of it goes on at port 4500.
. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
[ -x /usr/sbin/charon-systemd ] || exit 77

p=$TB_DIR/pki
d=$TB_DIR/router-b
mkdir -p "$p" "$d/x509" "$d/x509ca" "$d/private"

# NAME, strongSwan's words for IKE and ESP, ours (tests/net/ike_end.c), proof
rows='
cbc128 aes128-sha256-modp2048 aes128-sha256 12:128:12:5:14 12:128:12:0 psk
cbc192 aes192-sha384-modp3072 aes192-sha384 12:192:13:6:15 12:192:13:0 rsa
cbc256 aes256-sha512-modp4096 aes256-sha512 12:256:14:7:16 12:256:14:0 p256
ctr128 aes128ctr-aesxcbc-prfaesxcbc-modp6144 aes128ctr-aesxcbc 13:128:5:4:17 13:128:5:0 psk
ctr256 aes256ctr-aescmac-prfaescmac-modp8192 aes256ctr-aescmac 13:256:8:8:18 13:256:8:0 ed25519
gcm8 aes128gcm8-prfsha256-ecp256 aes128gcm8 18:128:0:5:19 18:128:0:0 psk
gcm12 aes192gcm12-prfsha384-ecp384 aes192gcm12 19:192:0:6:20 19:192:0:0 p256
gcm16 aes256gcm16-prfsha512-ecp521 aes256gcm16 20:256:0:7:21 20:256:0:0 rsa
ccm8 aes128ccm8-prfsha256-ecp256bp aes128ccm8 14:128:0:5:28 14:128:0:0 psk
ccm12 aes192ccm12-prfsha384-ecp384bp aes192ccm12 15:192:0:6:29 15:192:0:0 ed25519
ccm16 aes256ccm16-prfsha512-ecp512bp aes256ccm16 16:256:0:7:30 16:256:0:0 p256
chacha chacha20poly1305-prfsha256-x25519 chacha20poly1305 28:0:0:5:31 28:0:0:0 rsa
x448 aes128gcm16-prfsha256-x448 aes128gcm16 20:128:0:5:32 20:128:0:0 psk'

# ---- keys and certificates ----

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /O=Test/CN=Root \
	-keyout "$p/root.key" -out "$p/root.pem" 2>/dev/null
cp "$p/root.pem" "$d/x509ca"

# cert NAME KIND..: as openssl genpkey has it.
cert()
{
	t_n=$1
	shift
	openssl genpkey -out "$p/$t_n.key" "$@" 2>/dev/null
	openssl req -new -key "$p/$t_n.key" -subj "/O=Test/CN=$t_n" -out "$p/$t_n.csr"
	echo "subjectAltName=DNS:$t_n.example" >"$p/$t_n.ext"
	openssl x509 -req -in "$p/$t_n.csr" -days 30 -extfile "$p/$t_n.ext" -CA "$p/root.pem" -CAkey "$p/root.key" \
		-CAcreateserial -out "$p/$t_n.pem" 2>/dev/null
}
for end in a b; do
	cert $end-rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
	cert $end-p256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256
	cert $end-ed25519 -algorithm ED25519
done
cp "$p"/b-*.pem "$d/x509"
cp "$p"/b-*.key "$d/private"

# ---- strongSwan ----

# conn NAME-FAMILY HERE THERE OURS THEIRS IKE ESP PROOF
conn()
{
	if [ $8 = psk ]; then
		local='auth = psk' remote='auth = psk' cert=
	else
		local='auth = pubkey' remote='auth = pubkey' cert="certs = b-$8.pem"
	fi
	cat <<-CONF
		$1 {
			local_addrs = $2
			remote_addrs = $3
			version = 2
			proposals = $6
			local {
				$local
				$cert
				id = b-$8.example }
			remote {
				$remote
				id = a-$8.example }
			children { $1 {
				local_ts = $4
				remote_ts = $5
				esp_proposals = $7 } } }
	CONF
}

cat >"$d/strongswan.conf" <<-CONF
	charon-systemd {
		load_modular = no
		load = random nonce openssl aes sha1 sha2 hmac kdf gcm ccm ctr chapoly xcbc cmac mgf1 pem pkcs1 pkcs8 x509 constraints curve25519 kernel-libipsec kernel-netlink socket-default vici
		reuse_ikesa = no
		journal { default = -1 }
		filelog { log { path = $d/charon.log
			flush_line = yes
			default = 1 } }
	}
	swanctl { load = random nonce openssl pem pkcs1 pkcs8 x509 }
CONF
{
	echo 'connections {'
	echo "$rows" | while read -r name ike esp our_ike our_esp proof; do
		[ -n "$name" ] || continue
		conn $name-4 198.51.100.1 192.0.2.1,198.51.100.254 10.2.0.0/16 10.1.0.0/16 $ike $esp $proof
		conn $name-6 2001:db8:b::1 2001:db8:a::1 fd00:2::/32 fd00:1::/32 $ike $esp $proof
	done
	conn esn 198.51.100.1 192.0.2.1 10.2.0.0/16 10.1.0.0/16 aes128gcm16-prfsha256-x25519 aes128gcm16-esn psk
	echo '}'
	echo 'secrets { ike { secret = "between two routers" } }'
} >"$d/swanctl.conf"
t_charon router-b
swan() { t_swan router-b "$@"; }
claim "strongSwan has all connections" tb_until 20 swan --load-all --file "$d/swanctl.conf"

# ---- cells ----

children() { grep -c '^CHILD' "$TB_DIR/router-a/end.log" || :; }
has_children() { [ "$(children)" -ge $1 ]; }
# It has received our answer, and made SAs of it.
is_theirs() { [ "$(grep -c "CHILD_SA $1{[0-9]*} established" "$d/charon.log" || :)" -ge $2 ]; }

# cell COMMAND..: its verdict, at the end of the line.
cell()
{
	if "$@" >"$TB_DIR/cell.out" 2>&1; then
		T_PASSED=$((T_PASSED + 1))
		printf ' %-9s' ok
	else
		T_FAILED=$((T_FAILED + 1))
		printf ' %-9s' FAILED
		{ echo "--- $*"; cat "$TB_DIR/cell.out" "$TB_DIR/router-a/end.log"; } >>"$TB_DIR/failures"
	fi
}
ours() { tb_until 10 has_children 1 && tb_until 10 is_theirs $1 1; }
theirs() { swan --initiate --child $1 --timeout 10 && tb_until 10 has_children $(($2 + 1)); }

# end NAME FAMILY HERE THERE IKE ESP PROOF: a process of ours that begins.
end()
{
	t_c=$1-$2 t_here=$3 t_there=$4 t_ike=$5 t_esp=$6 t_proof=$7
	rm -f "$TB_DIR/router-a/end.log"
	if [ $t_proof = psk ]; then
		set -- psk='between two routers'
	else
		set -- key="$p/a-$t_proof.key" certs="$p/a-$t_proof.pem" cas="$p/root.pem"
	fi
	tb_start router-a end "$TB_BUILD/tests/net/ike_end" initiate local=$t_here remote=$t_there \
		me=2:a-$t_proof.example peer=2:b-$t_proof.example ike=$t_ike esp=$t_esp "$@"
}
gone()
{
	kill -KILL "$(tb_pid router-a end)"
	tb_reap "$(tb_pid router-a end)"
}

# family ..: as end: both roles, by one process of ours.
family()
{
	end "$@"
	cell ours $t_c
	cell theirs $t_c "$(children)"
	gone
}

# behind ..: as end, with a NAT at the first hop. Two of its Child SAs were there before.
natted() { grep -c 'remote host is behind NAT' "$d/charon.log" || :; }
more_natted() { [ "$(natted)" -gt $1 ]; }
through() { tb_until 10 has_children 1 && tb_until 10 is_theirs $1 3 && more_natted $2; }
behind()
{
	t_before=$(natted)
	tb_in wan nft "table ip nat { chain out { type nat hook postrouting priority srcnat
		ip saddr 192.0.2.1 ip protocol udp masquerade; }; }"
	end "$@"
	cell through $t_c "$t_before"
	gone
	tb_in wan nft delete table ip nat
}

printf '%-39s %-18s %-8s %-9s %-9s %-9s %-9s %-9s\n' IKE ESP proof 'IPv4: we' 'they' 'IPv6: we' they 'by NAT'
echo "$rows" >"$TB_DIR/rows"
while read -r name ike esp our_ike our_esp proof; do
	[ -n "$name" ] || continue
	printf '%-39s %-18s %-8s' $ike $esp $proof
	family $name 4 192.0.2.1 198.51.100.1 $our_ike $our_esp $proof
	family $name 6 2001:db8:a::1 2001:db8:b::1 $our_ike $our_esp $proof
	behind $name 4 192.0.2.1 198.51.100.1 $our_ike $our_esp $proof
	echo
done <"$TB_DIR/rows"

# Its own ESP has no ESN: it agrees, then cannot make what it has agreed on.
rm -f "$TB_DIR/router-a/end.log"
tb_start router-a end "$TB_BUILD/tests/net/ike_end" local=192.0.2.1 remote=198.51.100.1 me=2:a-psk.example \
	peer=2:b-psk.example psk='between two routers' esp=20:128:0:1
tb_until 10 grep -q READY "$TB_DIR/router-a/end.log"
swan --initiate --child esn --timeout 10 >/dev/null 2>&1 || :
claim "both agree on ESN" tb_until 10 grep -q 'selected proposal: ESP:AES_GCM_16_128/EXT_SEQ' "$d/charon.log"
claim "... so that we have the Child SA" tb_until 10 has_children 1
[ ! -e "$TB_DIR/failures" ] || cat "$TB_DIR/failures"
conclude
