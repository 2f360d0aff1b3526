#!/bin/sh
# ipsp-pcap decode on what two strongSwan daemons say to each other, IKEv2 and IKEv1, with the keys from their
# log; whole and, where datagrams are small, in fragments. The judge is tshark, with the same table of keys.
. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
[ -x /usr/sbin/charon-systemd ] || exit 77

datagram_max=1280 # octets of a datagram with a message of IKE, or a part of it

# charon ROUTER HERE THERE LAN OTHER-LAN PROPOSAL VERSION AGGRESSIVE
charon()
{
	d=$TB_DIR/$1
	cat >"$d/strongswan.conf" <<-CONF
		charon-systemd {
			load_modular = no
			fragment_size = $datagram_max
			i_dont_care_about_security_and_use_aggressive_mode_psk = yes
			load = random nonce openssl aes sha1 sha2 hmac kdf gcm ccm ctr chapoly xcbc cmac pem curve25519 kernel-libipsec kernel-netlink socket-default vici
			journal { default = -1 }
			filelog { log { path = $d/charon.log
				ike = 4 } }
		}
		swanctl { load = random nonce openssl pem vici }
	CONF
	cat >"$d/swanctl.conf" <<-CONF
		connections { b {
			local_addrs = $2
			remote_addrs = $3
			version = $7
			aggressive = $8
			proposals = $6
			local { auth = psk
				id = $1.example }
			remote { auth = psk }
			children { c {
				local_ts = $4
				remote_ts = $5
				esp_proposals = aes128gcm16-x25519 } } } }
		secrets { ike { secret = "between two routers" } }
	CONF
	rm -f "$d/charon.log"
	t_charon $1
	tb_until 20 t_swan $1 --load-all --file "$d/swanctl.conf"
}

# exchange PROPOSAL VERSION AGGRESSIVE: begin, make another Child SA, rekey, end.
exchange()
{
	charon router-a 192.0.2.1 198.51.100.1 10.1.0.0/16 10.2.0.0/16 "$@"
	charon router-b 198.51.100.1 192.0.2.1 10.2.0.0/16 10.1.0.0/16 "$@"
	sniff wan a ike
	t_swan router-a --initiate --child c &&
		t_swan router-a --rekey --child c &&
		t_swan router-b --rekey --child c &&
		t_swan router-a --terminate --ike b
	t_status=$?
	unsniff wan ike
	t_no_charon router-a
	t_no_charon router-b
	return $t_status
}

# judged PROPOSAL CIPHER INTEGRITY
judged()
{
	claim "strongSwan's exchanges with $1" exchange "$1" 2 no
	/usr/bin/python3 "$TB_SRC/tests/net/decode_keys.py" "$TB_DIR/router-a/charon.log" \
		"$TB_DIR/wan/ike.pcap" "$2" "$3" >"$TB_DIR/keys"
	claim "are decoded as tshark decodes them" /usr/bin/python3 "$TB_SRC/tests/net/decode_judge.py" \
		"$TB_BUILD/ipsp-pcap/ipsp-pcap" "$TB_DIR/wan/ike.pcap" "$TB_DIR/keys" 2
}

# fragmented COUNT: so many datagrams, or more, had parts of messages.
fragmented() { test "$(seen wan ike 'isakmp.nextpayload == 53 || isakmp.nextpayload == 132')" -ge $1; }

# judged_v1 PROPOSAL AGGRESSIVE: IKEv1's.
judged_v1()
{
	claim "strongSwan's exchanges of IKEv1 with $1, aggressive: $2" exchange "$1" 1 $2
	/usr/bin/python3 "$TB_SRC/tests/net/decode_keys.py" "$TB_DIR/router-a/charon.log" \
		"$TB_DIR/wan/ike.pcap" >"$TB_DIR/keys"
	claim "are decoded as tshark decodes them" /usr/bin/python3 "$TB_SRC/tests/net/decode_judge.py" \
		"$TB_BUILD/ipsp-pcap/ipsp-pcap" "$TB_DIR/wan/ike.pcap" "$TB_DIR/keys" 1
}

judged aes256-sha256-modp2048 'AES-CBC-256 [RFC3602]' 'HMAC_SHA2_256_128 [RFC4868]'
judged aes128gcm16-prfsha256-x25519 'AES-GCM-128 with 16 octet ICV [RFC5282]' 'NONE [RFC4306]'
datagram_max=200
judged aes192ctr-sha384-ecp256 'AES-CTR-192 [RFC5930]' 'HMAC_SHA2_384_192 [RFC4868]'
claim "which came in fragments" fragmented 10
datagram_max=1280
judged aes256ccm12-prfsha512-ecp384 'AES-CCM-256 with 12 octet ICV [RFC5282]' 'NONE [RFC4306]'
claim "without keys what is encrypted stays so" says 'Encrypted: no keys were given' \
	"$TB_BUILD/ipsp-pcap/ipsp-pcap" decode "$TB_DIR/wan/ike.pcap"
sed 's/,[0-9a-f]\{8\}/,00000000/3' "$TB_DIR/keys" >"$TB_DIR/wrong"
claim "wrong keys open nothing" says 'Encrypted: the ICV does not fit these keys' \
	"$TB_BUILD/ipsp-pcap/ipsp-pcap" decode -K "$TB_DIR/wrong" "$TB_DIR/wan/ike.pcap"
datagram_max=200
judged_v1 aes256-sha256-modp2048 no
claim "which came in fragments" fragmented 10
datagram_max=1280
sed 's/,[0-9a-f]\{8\}/,00000000/' "$TB_DIR/keys" >"$TB_DIR/wrong"
claim "a wrong key opens nothing" says 'Encrypted: the key does not fit' \
	"$TB_BUILD/ipsp-pcap/ipsp-pcap" decode -K "$TB_DIR/wrong" "$TB_DIR/wan/ike.pcap"
judged_v1 3des-sha1-modp2048 yes
claim "weak algorithms must be asked for" says 'Encrypted: its algorithms are weak' \
	"$TB_BUILD/ipsp-pcap/ipsp-pcap" decode -K "$TB_DIR/keys" "$TB_DIR/wan/ike.pcap"
conclude
