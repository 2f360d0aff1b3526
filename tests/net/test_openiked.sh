# tests/net/test_openiked.sh - Debian's openiked, unmodified, makes SAs and policies by PF_KEY through
# libipsp-pfkey.so: with another openiked, so that pings cross as ESP, and with strongSwan and its own
# ESP, which is always in UDP.

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
nothing_clear() { equal 0 "$(seen wan "$1" "$t_clear && icmp")"; }
has_policies() { tb_ctl "$1" show spd | grep -c 'protect  PF_KEY policy' | grep -qx 3; }

# kill_iked ROUTER: all of its processes at once, so that none tidies up after another. The parent goes
# last: the kernel wakes up those stopped that nobody is the parent of.
kill_iked()
{
	all=
	for pid in $(ip netns pids "$(tb_ns "$1")" | sort -rn); do
		[ "$(cat "/proc/$pid/comm")" != iked ] || { kill -STOP "$pid"; all="$all $pid"; }
	done
	kill -KILL $all
}
# say ROUTER STATEMENTS: on a client of its socket.
say() { tb_in "$1" env PYTHONPATH="$TB_SRC/tests/net" /usr/bin/python3 -c "
from pfkey_client import *
c = Client('$TB_DIR/$1/pfkey')
$2"; }

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
claim "... and nothing in the clear" nothing_clear wan

# SAs and policies are the kernel's, not their maker's.
kill_iked router-a
kill_iked router-b
sniff wan a orphans
claim "without iked its SAs and policies live on" pings host-a 10.2.0.2
unsniff wan orphans
claim "as ESP" test "$(seen wan orphans esp)" -ge 4
claim "... and nothing in the clear" nothing_clear orphans
sniff wan a dead
claim "... till their hard lifetime is over" say router-a "
for m in c.dump():
    parts = [m.ext[e] for e in (E_SA, E_SRC, E_DST, E_SA2)] + [lifetime(E_HARD, add=1)]
    assert c.ask(UPDATE, ESP, parts).errno == 0"
claim "... and then they are gone" tb_until 10 say router-a "assert c.dump() == []"
claim "... their traffic stops" silent host-a 10.2.0.2
unsniff wan dead
claim "... and nothing is in the clear" nothing_clear dead
[ -x /usr/sbin/charon-systemd ] || { conclude; exit; }

# The other router's are strongSwan's now, with its ESP of its own.
claim "policies are taken away" say router-b "assert c.ask(SPDFLUSH).errno == 0"
claim "... at the other, too" say router-a "assert c.ask(SPDFLUSH).errno == 0"
kill "$(tb_pid router-b ipspd)"
tb_reap "$(tb_pid router-b ipspd)"
tb_in router-b nft flush ruleset
d=$TB_DIR/router-b
cat >"$d/strongswan.conf" <<CONF
charon-systemd {
	load_modular = no
	load = random nonce openssl aes sha1 sha2 hmac kdf pem kernel-libipsec kernel-netlink socket-default vici
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
	mobike = no
	proposals = aes256-sha256-modp2048
	local { auth = psk
		id = router-b.example }
	remote { auth = psk
		id = router-a.example }
	children { lan {
		local_ts = 10.2.0.0/16
		remote_ts = 10.1.0.0/16
		esp_proposals = aes256-sha512 } }
} }
secrets { ike { secret = "a secret of both" } }
CONF
t_charon router-b
claim "strongSwan is there" tb_until 20 t_swan router-b --load-all --file "$d/swanctl.conf"
sniff wan a swan
rm -f "$TB_DIR/router-a/iked.log"
iked router-a active 192.0.2.1 198.51.100.1 10.1.0.0/16 10.2.0.0/16
claim "openiked has an SA with strongSwan" tb_until 20 grep -q 'established peer' "$TB_DIR/router-a/iked.log"
claim "a ping crosses from its LAN to the other" tb_until 10 pings host-a 10.2.0.2
claim "... and the other way" pings host-b 10.1.0.2
unsniff wan swan
claim "as ESP in UDP" test "$(seen wan swan 'udp.port == 4500 && esp')" -ge 12
claim "... and nothing in the clear" nothing_clear swan

# A NAT in between gives the other one another address: iked is told, as by a kernel. It would not, were a packet of
# iked's the first that it sees.
tb_start router-a listener env PYTHONPATH="$TB_SRC/tests/net" /usr/bin/python3 -uc "
from pfkey_client import *
c = Client('$TB_DIR/router-a/pfkey', 30)
assert c.ask(REGISTER, ESP).errno == 0
print('listens')
m = c.hear()
while m.type != NEW_MAPPING:
    m = c.hear()
ports = [struct.unpack_from('>H', m.ext[e], 4)[0] for e in (E_SPORT, E_DPORT)]
print('moved', m.ext[E_SRC] == address(E_SRC, '198.51.100.1', prefix=32),
      m.ext[E_DST] == address(E_DST, '192.0.2.254', prefix=32), ports[0], ports[1] // 1000)"
claim "a key manager listens" tb_until 10 grep -q listens "$TB_DIR/router-a/listener.log"
tb_in wan nft -f - <<NFT
table ip nat {
	chain post {
		type nat hook postrouting priority 100
		oifname "a" ip protocol udp masquerade to :6000-6009
	}
	chain first {
		type filter hook prerouting priority raw
		iifname "a" ip protocol udp drop
	}
}
NFT
tb_in host-b ping -q -c 3 -i 0.1 -W 1 10.1.0.2 || :
claim "it hears where the peer is now" tb_until 20 grep -q '^moved True True 4500 6$' "$TB_DIR/router-a/listener.log"
conclude
