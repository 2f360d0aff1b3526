# tests/net/test_openiked.sh - Debian's openiked, unmodified, makes the SAs and policies of two routers
# by PF_KEY through libipsp-pfkey.so: a ping crosses from LAN to LAN as ESP.

. "$TB_SRC/tests/net/lib.sh"
command -v iked >/dev/null || { echo "openiked is not installed"; exit 77; }
tb_init
tb_topology
for r in router-a router-b; do tb_ipspd $r; done

# iked ROUTER active|passive LOCAL PEER OWN-NET OTHER-NET: with a /run of its own.
iked()
{
	cat >"$TB_DIR/$1/iked.conf" <<-CONF
		ikev2 "lan" $2 esp from $5 to $6 local $3 peer $4 \\
			ikesa enc aes-256 auth hmac-sha2-256 prf hmac-sha2-256 group modp2048 \\
			childsa enc aes-256 auth hmac-sha2-512 \\
			srcid $1.example dstid $(other "$1").example psk "a secret of both"
	CONF
	chmod 600 "$TB_DIR/$1/iked.conf"
	tb_start "$1" iked unshare -m sh -c "mount -t tmpfs none /run &&
		exec env LD_PRELOAD='$TB_BUILD/.libs/libipsp-pfkey.so' IPSP_PFKEY='$TB_DIR/$1/pfkey' \
			iked -dv -f '$TB_DIR/$1/iked.conf'"
}
other() { if [ "$1" = router-a ]; then echo router-b; else echo router-a; fi; }
# The sniffer of the WAN saw no ping in the clear.
nothing_clear() { equal 0 "$(seen wan wan "$t_clear && icmp")"; }
has_policies() { tb_ctl "$1" show spd | grep -c 'protect  PF_KEY policy' | grep -qx 3; }

claim "without policy the LANs reach each other in the clear" pings host-a 10.2.0.2
sniff wan a wan
iked router-b passive 198.51.100.1 192.0.2.1 10.2.0.0/16 10.1.0.0/16
claim "the responder waits" tb_until 10 eval 'tb_in router-b ss -lun | grep -q ":500 "'
iked router-a active 192.0.2.1 198.51.100.1 10.1.0.0/16 10.2.0.0/16
for r in router-a router-b; do
	claim "iked on $r has an SA with the other" tb_until 20 grep -q 'established peer' "$TB_DIR/$r/iked.log"
	claim "... and its policies are in force there" tb_until 10 has_policies $r
done
claim "a ping crosses from LAN to LAN" pings host-a 10.2.0.2
claim "... and the other way" pings host-b 10.1.0.2
unsniff wan wan
claim "as ESP" test "$(seen wan wan esp)" -ge 12
claim "... and nothing in the clear" nothing_clear

conclude
