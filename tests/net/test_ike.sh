# tests/net/test_ike.sh - IKEv2 between two routers, by rows that an operator SETs: with strongSwan, whose ESP is
# its own, and with another ipspd. The first ping is not lost; SAs are rekeyed under traffic; a killed ike process
# leaves ESP alone and negotiates anew.

. "$TB_SRC/tests/net/lib.sh"
[ -x /usr/sbin/charon-systemd ] || { echo "strongSwan is not installed"; exit 77; }
tb_init
TB_SNMPD_MORE="trap2sink 127.0.0.1:1162 test"
traps=$TB_DIR/router-a/trapd.log
t_routers
printf 'authCommunity log test\n' >"$TB_DIR/router-a/trapd.conf"
tb_start router-a trapd snmptrapd -f -Lo -n -C -c "$TB_DIR/router-a/trapd.conf" -Ox -OQ -F 'TRAP %V | %v\n' \
	-M "$TB_SRC/mibs/smi:$TB_SRC/mibs" -m IPSEC-SPD-MIB:IPSEC-IPSECACTION-MIB:IPSPD-MIB udp:127.0.0.1:1162

# autostart ROUTER FAMILY SOURCE DESTINATION
autostart()
{
	tb_set $1 "ipiaAutoIkeAction.$2" o "spdCompActExecutionStrategy.\"lan$2\"" \
		"ipiaAutoIkeAddressType.$2" i "$(if [ $2 = 4 ]; then echo 1; else echo 2; fi)" \
		"ipiaAutoIkeSourceAddress.$2" x "$3" "ipiaAutoIkeDestAddress.$2" x "$4" \
		"ipiaAutoIkeProtocol.$2" u 1 "ipiaAutoIkeRowStatus.$2" i createAndGo
}

# one FROM TO: the first ping of all is answered.
one() { tb_in "$1" ping -q -c 1 -W 20 "$2"; }
count() { grep -c "$2" "$TB_DIR/$1/ipspd.log" || :; }
ike_pid() { tb_process "$1" ike; }
has_ike() { [ -n "$(ike_pid "$1")" ]; }
# another_ike ROUTER PID: another process than that runs.
# nothing_clear CAPTURE [WHICH]: no ping crossed the WAN unprotected; none of WHICH.
nothing_clear() { equal 0 "$(seen wan "$1" "$t_clear && (icmp || icmpv6) && ${2:-frame}")"; }
# traffic FROM TO [OCTETS]; traffic_whole: pings all the time; were all answered?
traffic()
{
	tb_in "$1" ping -i 0.02 -c 250 -W 3 -s "${3:-56}" "$2" >"$TB_DIR/traffic.out" 2>&1 &
	t_traffic=$!
}
traffic_whole()
{
	wait $t_traffic || :
	tail -n 3 "$TB_DIR/traffic.out"
	grep -q ' 0% packet loss' "$TB_DIR/traffic.out"
}
# traffic_but N: so many may be lost.
traffic_but()
{
	wait $t_traffic || :
	tail -n 3 "$TB_DIR/traffic.out"
	[ "$(sed -n 's/.* \([0-9]*\) received.*/\1/p' "$TB_DIR/traffic.out")" -ge $((250 - $1)) ]
}
has_no_sas() { not says 'spi 0x' tb_ctl "$1" show sad; }
has_no_ike_sas() { not says ipspdIkeSaState tb_ctl "$1" show ike; }
is_up() { says up tb_snmp snmpget router-a 'ipspdConnState.ike."child-lan4"."ike-lan4"'; }
established() { count "$1" 'ike: .*established with'; }
children() { count "$1" 'Child SA with 198.51.100.1: '; }
another_ike() { has_ike "$1" && [ "$(ike_pid "$1")" != "$2" ]; }

# told NOTIFICATION PATTERN: it came, with that in its line.
told() { tr '\n' ' ' <"$traps" | sed 's/TRAP /\n/g' | grep "::$1 " | grep -qE -- "$2"; }
# peer COLUMN: of the peer of IPv4, as router-a has it.
peer() { tb_snmp snmpget router-a -OqvU "ipspdPeer$1.\"gw4\".0"; }
more() { [ "$(tb_snmp snmpget router-a -OqvU "$1")" -gt 0 ]; }

claim "without rows for it there is no ike process" not has_ike router-a
claim "rows are SET on router-a" t_lans router-a
claim "... and the ike process runs" tb_until 10 has_ike router-a
claim "... without privilege" grep -q 'CapEff:.0*$' "/proc/$(ike_pid router-a)/status"
claim "rows are SET on router-b" t_lans router-b


# ---- two of us ----
sniff wan a ours
claim "the first ping from cold crosses" one host-a 10.2.0.2
claim "... and the first of IPv6" one host-b fd00:1::2
claim "pings cross both ways" pings host-b 10.1.0.2
claim "... over IPv6, too" pings host-a fd00:2::2
unsniff wan ours
claim "as ESP" test "$(seen wan ours esp)" -ge 16
claim "... and nothing in the clear" nothing_clear ours
claim "the connection is up" tb_until 10 is_up
claim "IKE SAs are to be seen" tb_until 10 says established tb_snmp snmpwalk router-a ipspdIkeSaState
claim "... and Child SAs carry what was agreed on, and no more" says 'for 10.1.0.0/16 -> 10.2.0.0/16' tb_ctl router-a show sad
claim "... with their peers" tb_until 10 says gw6 tb_ctl router-b show ike
number=$(tb_snmp snmpwalk router-a -OQ ipspdIkeSaState | sed -n '1s/.*IkeSaState[.]\([0-9]*\).*/\1/p')
claim "... when they are rekeyed" tb_until 5 more "ipspdIkeSaRekeyIn.$number"
claim "... and when they end" tb_until 5 more "ipspdIkeSaExpiresIn.$number"
claim "the peer is up" tb_until 10 says up peer State
has() { for t_column; do [ "$(peer $t_column)" -ge 1 ] || return 1; done; }
claim "... with SAs of both directions" tb_until 10 has InSas OutSas
claim "... and what they carried" tb_until 10 has InPackets OutBytes
claim "a manager is told of the IKE SA" tb_until 10 told ipspdIkeSaUp 'ike-lan4.*PeerIdentity.0 = "?198.51.100.1'
claim "... and of its Child SAs" tb_until 10 told ipspdChildSaUp 'child-lan4.*Direction.0 = inbound'

traffic host-a 10.2.0.2
claim "new keys are negotiated under traffic" tb_ctl router-a rekey child-lan4
claim "... and by the other" tb_ctl router-b rekey child-lan4
claim "... so that there are three Child SAs by now" tb_until 10 eval '[ "$(children router-a)" -ge 3 ]'
claim "... and nothing is lost" traffic_whole

before=$(established router-a)
traffic host-a 10.2.0.2
claim "they authenticate anew when a row says so" tb_set router-a 'ipspdIkeActReauthentication."ike-lan4"' u 4
claim "... under traffic" tb_until 15 eval '[ "$(established router-a)" -gt "$before" ]'
claim "... and not again before long" tb_set router-a 'ipspdIkeActReauthentication."ike-lan4"' u 0
claim "... and nothing is lost" traffic_whole
claim "rules whose SAs are negotiated are in force" not says 'no key manager' tb_ctl router-a show status
claim "Child SAs are taken away" says 'those that IKE has negotiated end' tb_ctl router-a flush esp
claim "... at both ends" tb_until 10 eval 'has_no_sas router-a && has_no_sas router-b'
claim "... and negotiated anew when a packet needs them" one host-b 10.1.0.2
claim "IKE SAs are taken away" tb_ctl router-b flush
claim "... at both ends, with all below them" tb_until 10 eval 'has_no_sas router-a && has_no_sas router-b &&
	has_no_ike_sas router-a && has_no_ike_sas router-b'
claim "... and negotiated anew" one host-a 10.2.0.2
claim "... over IPv6, too" one host-b fd00:1::2

traffic host-a 10.2.0.2
old=$(ike_pid router-a)
before=$(established router-a)
kill -KILL "$old"
claim "a killed ike process is followed by another" tb_until 10 another_ike router-a "$old"
claim "... which negotiates anew" tb_until 15 eval '[ "$(established router-a)" -gt "$before" ]'
claim "... and nothing is lost" traffic_whole
claim "... then or later" tb_until 10 pings host-b 10.1.0.2

# A peer that does not answer is no reason to end them.
tb_in wan nft 'add table inet silence; add chain inet silence way { type filter hook forward priority 0; }; add rule inet silence way meta l4proto udp drop'
old=$(ike_pid router-a)
kill -KILL "$old"
claim "one is killed while the peer's cannot be reached" tb_until 10 another_ike router-a "$old"
claim "... which asks in vain" tb_until 10 says initiating tb_snmp snmpwalk router-a ipspdIkeSaState
claim "... while all goes on" pings host-a 10.2.0.2
before=$(established router-a)
tb_in wan nft delete table inet silence
claim "... until it is answered" tb_until 20 eval '[ "$(established router-a)" -gt "$before" ]'

kill -KILL "$(tb_process router-a engine)"
claim "a killed engine has its SAs negotiated again" tb_until 20 one host-a 10.2.0.2

# Ends the channel between ike and agent under both of them: ike's last socket without a name.
break_channel()
{
	/usr/bin/python3 - "$(ike_pid router-a)" <<-'PY'
	import ctypes, os, socket, sys
	pid = int(sys.argv[1])
	pidfd = os.pidfd_open(pid)
	pidfd_getfd = 438
	last = None
	for fd in sorted(map(int, os.listdir("/proc/%d/fd" % pid))):
	    if not os.readlink("/proc/%d/fd/%d" % (pid, fd)).startswith("socket:"):
	        continue
	    s = socket.socket(fileno=ctypes.CDLL(None).syscall(pidfd_getfd, pidfd, fd, 0))
	    if s.family == socket.AF_UNIX and not s.getpeername():
	        last = s
	last.shutdown(socket.SHUT_RDWR)
	PY
}
# ---- messages as they come and go ----
tb_start router-a debug "$TB_BUILD/ipspctl/ipspctl" -s "$TB_DIR/router-a/control" ike debug -t
debug=$TB_DIR/router-a/debug.log
shown() { tb_until 3 grep -q "$1" "$debug"; }
renew_shown() { tb_ctl router-a rekey child-lan4 && shown 'CREATE_CHILD_SA'; }
# Each end of a negotiation is another one's beginning: so it has its time.
anew_shown() { tb_ctl router-a terminate child-lan4; tb_ctl router-a initiate child-lan4; shown 'octets, not shown'; }
claim "messages are shown as they come and go" tb_until 10 renew_shown
claim "... field by field, though they are encrypted" shown TSi
claim "... both ways" eval 'shown " sent " && shown " received "'
claim "... but no proof" tb_until 10 anew_shown
# A first message of IKEv1, from somewhere in the WAN.
v1_shown()
{
	tb_in wan /usr/bin/python3 -c 'import socket, sys
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(open(sys.argv[1], "rb").read(), ("192.0.2.1", 500))' \
		"$TB_SRC/tests/fuzz/seeds/ike/v1-00-main" && grep -q '(IDENTITY_PROTECTION)' "$debug"
}
claim "... and what IKEv1 says to us" tb_until 10 v1_shown
claim "... attribute by attribute" grep -q 'ATTR: Group - 14 (MODP_2048)' "$debug"
claim "who watches goes" kill "$(tb_pid router-a debug)"
tb_reap "$(tb_pid router-a debug)"

claim "the channel between ike and agent breaks" break_channel
claim "... which both find" tb_until 10 grep -q 'agent gone' "$TB_DIR/router-a/ipspd.log"
claim "... and there is another one" tb_until 10 says established tb_snmp snmpwalk router-a ipspdIkeSaState
claim "... while nothing else happens" pings host-a 10.2.0.2

# ---- the rows as a file: what there is begins anew from it ----
rows=$TB_DIR/rows.xml
claim "the rows are exported" tb_ctl router-a export "$rows"
claim "... as well-formed XML" xmllint --noout "$rows"
claim "... without the secret" not grep -qF -e 'between two routers' -e "$(printf 'between two routers' | base64)" "$rows"
kill "$(tb_pid router-a ipspd)"
tb_reap "$(tb_pid router-a ipspd)"
tb_in router-a "$TB_BUILD/ipspctl/ipspctl" -S "$TB_DIR/router-a/state" guard remove
rm -rf "$TB_DIR/router-a/state"
claim "another daemon begins with them" eval 'tb_ipspd router-a -i "$rows" && tb_ctl router-a wait --snmp --timeout 30'
claim "... but for the secret" equal notReady "$(tb_snmp snmpget router-a -OqvU 'ipsaCredRowStatus."psk"')"
claim "... without which nothing crosses" silent host-a 10.2.0.2
claim "the secret is SET" tb_set router-a 'ipsaCredCredential."psk"' s 'between two routers' 'ipsaCredRowStatus."psk"' i active
claim "... with which the file makes the other rows active" tb_ctl router-a import "$rows"
claim "... and the first ping crosses" eval 'tb_ctl router-a wait && one host-a 10.2.0.2'
claim "... over IPv6, too" one host-b fd00:1::2
claim "an export is as before" eval 'tb_ctl router-a export | cmp - "$rows"'

# ---- strongSwan, with its own ESP, which is always in UDP ----
claim "the other daemon takes its leave" kill "$(tb_pid router-b ipspd)"
tb_reap "$(tb_pid router-b ipspd)"
claim "... and so does its guard" tb_in router-b "$TB_BUILD/ipspctl/ipspctl" -S "$TB_DIR/router-b/state" guard remove
claim "... so that nothing is up" tb_until 10 not says established tb_snmp snmpwalk router-a ipspdIkeSaState
claim "... as a manager is told" tb_until 10 told ipspdIkeSaDown 'ike-lan4.*DownReason.0 = byPeer'
claim "... of its Child SAs, too" tb_until 10 told ipspdChildSaDown 'child-lan4.*deleted it'
claim "... and reads of the peer" tb_until 10 says 'has no SAs' peer Reason
d=$TB_DIR/router-b
cat >"$d/strongswan.conf" <<CONF
charon-systemd {
	load_modular = no
	load = random nonce openssl aes sha1 sha2 hmac kdf pem curve25519 kernel-libipsec kernel-netlink socket-default vici
	journal { default = -1 }
	filelog { log { path = $d/charon.log
		flush_line = yes
		default = 1
		ike = 4
		chd = 4 } }
}
swanctl { load = random nonce openssl pem vici }
CONF
for f in 4 6; do
	if [ $f = 4 ]; then us=198.51.100.1 them=192.0.2.1 ours=10.2.0.0/16 theirs=10.1.0.0/16
	else us=2001:db8:b::1 them=2001:db8:a::1 ours=fd00:2::/32 theirs=fd00:1::/32; fi
	cat <<-CONF
	connections { lan$f {
		local_addrs = $us
		remote_addrs = $them
		version = 2
		mobike = yes
		proposals = aes256-sha256-x25519
		local { auth = psk }
		remote { auth = psk }
		children { lan$f {
			local_ts = $ours
			remote_ts = $theirs
			esp_proposals = aes256-sha256-x25519 } }
	} }
	CONF
done >"$d/swanctl.conf"
echo 'secrets { ike { secret = "between two routers" } }' >>"$d/swanctl.conf"
t_charon router-b
swan() { t_swan router-b "$@"; }
# ike_spi: of the initiator of lan4's IKE SA; esp_spis: of its Child SA in use.
ike_spi() { swan --list-sas --ike lan4 | sed -n 's/.*ESTABLISHED.* \([0-9a-f]*\)_i.*/\1/p'; }
esp_spis()
{
	swan --list-sas --ike lan4 |
		awk '/reqid/ { used = /INSTALLED/ } used && /^ *(in|out) / { sub(",", "", $2); print $1, $2 }'
}
claim "strongSwan is there" tb_until 20 swan --load-all --file "$d/swanctl.conf"
# secrets: watch what goes between the two, to be searched for the secrets of strongSwan's log.
tb_start router-a secrets "$TB_BUILD/ipspctl/ipspctl" -s "$TB_DIR/router-a/control" ike debug -t
setup_shown() { grep -q 'Exchange Type: 35 (IKE_AUTH)' "$TB_DIR/router-a/secrets.log"; }
sniff wan a swan
claim "the first ping to strongSwan crosses" tb_until 20 one host-a 10.2.0.2
claim "... and over IPv6" tb_until 20 one host-a fd00:2::2
traffic host-a 10.2.0.2
claim "strongSwan renews the keys under traffic" swan --rekey --child lan4
claim "... and we do" tb_ctl router-a rekey child-lan4
claim "... and nothing is lost" traffic_whole
old=$(ike_spi)
before=$(esp_spis)
claim "strongSwan renews the IKE SA" swan --rekey --ike lan4
claim "... which has other SPIs then" tb_until 10 not says "$old" swan --list-sas
claim "... and its Child SA those that it had" eval '[ -n "$before" ] && equal "$before" "$(esp_spis)"'
claim "... and all goes on" pings host-b 10.1.0.2
# RFC 4555. libipsec cannot move an SA, so strongSwan makes a new one.
tb_in router-a sysctl -qw net.ipv4.conf.wan.promote_secondaries=1
tb_in router-a ip addr add 192.0.2.9/24 dev wan
traffic host-a 10.2.0.2
tb_in router-a ip addr del 192.0.2.1/24 dev wan
tb_in router-a ip route replace default via 192.0.2.254
claim "when our address changes, the IKE SA goes along" tb_until 10 says 192.0.2.9 swan --list-sas
claim "... and traffic goes on" traffic_but 60
claim "... with strongSwan's leave" tb_until 5 grep -q 'it goes on between 192.0.2.9' "$TB_DIR/router-a/ipspd.log"
tb_in router-a ip addr add 192.0.2.1/24 dev wan
tb_in router-a ip addr del 192.0.2.9/24 dev wan
claim "... and back" tb_until 10 says 192.0.2.1 swan --list-sas
claim "... where pings cross" tb_until 10 pings host-a 10.2.0.2
tb_in router-a ip addr add 2001:db8:a::9/48 dev wan nodad
traffic host-a fd00:2::2
tb_in router-a ip addr del 2001:db8:a::1/48 dev wan
claim "an IKE SA of IPv6 goes along, too" tb_until 10 says 2001:db8:a::9 swan --list-sas --ike lan6
claim "... and traffic goes on" traffic_but 60
claim "... with strongSwan's leave" tb_until 5 grep -q 'it goes on between 2001:db8:a::9' "$TB_DIR/router-a/ipspd.log"
tb_in router-a ip addr add 2001:db8:a::1/48 dev wan nodad
tb_in router-a ip addr del 2001:db8:a::9/48 dev wan
claim "... and back" tb_until 10 says 2001:db8:a::1 swan --list-sas --ike lan6
claim "... where pings cross" tb_until 10 pings host-b fd00:1::2
# RFC 7296 2.8.3, RFC 4478. strongSwan sends by the new SA before its answer can be here.
before=$(established router-a)
traffic host-a 10.2.0.2
claim "both are to authenticate anew within seconds" tb_set router-a 'ipspdIkeActReauthentication."ike-lan4"' u 4
claim "... and do" tb_until 15 eval '[ "$(established router-a)" -gt "$before" ]'
claim "... from now on, within an hour" tb_set router-a 'ipspdIkeActReauthentication."ike-lan4"' u 3600
claim "... and no more is lost than is on its way then" traffic_but 3
claim "strongSwan ends it" swan --terminate --ike lan4
claim "... and begins" swan --initiate --child lan4
claim "... and hears how long its authentication counts" tb_until 5 grep -q 'received AUTH_LIFETIME of 3600s' "$d/charon.log"
claim "... and its pings cross" pings host-b 10.1.0.2
claim "strongSwan ends that of IPv6" swan --terminate --ike lan6
claim "... and begins" swan --initiate --child lan6
claim "... and its pings cross" pings host-b fd00:1::2

# ---- limits of SAs: octets, Child SAs of an IKE SA, seconds without use ----
# is_new SPI: lan4's IKE SA has another than that. child_up: it has a Child SA.
is_new() { [ -n "$(ike_spi)" ] && [ "$(ike_spi)" != "$1" ]; }
child_up() { [ -n "$(esp_spis)" ]; }
made() { [ "$(children router-a)" -ge "$1" ]; }
limit() { tb_set router-a "$1" u "$2" && tb_ctl router-a wait; }
before=$(children router-a)
claim "SAs are to carry 64 KB" limit 'ipsaEspTranMaxLifetimeKB."aes"' 64
claim "... from the next one on" eval 'tb_ctl router-a rekey child-lan4 && tb_until 10 made $((before + 1))'
traffic host-a 10.2.0.2 500
claim "others take their place before that" tb_until 10 made $((before + 2))
claim "... and nothing is lost" traffic_whole
claim "... without a limit again" limit 'ipsaEspTranMaxLifetimeKB."aes"' 0
claim "an IKE SA is to make three Child SAs" limit 'ipiaIkePropLifetimeDerivedKeys."p1"' 3
claim "... the first with itself" eval 'tb_ctl router-a terminate child-lan4 && one host-a 10.2.0.2'
old=$(ike_spi)
before=$(children router-a)
claim "... the second later" eval 'tb_ctl router-a rekey child-lan4 && tb_until 10 made $((before + 1)) && equal "$old" "$(ike_spi)"'
traffic host-a 10.2.0.2
claim "... after the third it makes another IKE SA" eval 'tb_ctl router-a rekey child-lan4 && tb_until 10 is_new "$old"'
before=$(esp_spis)
claim "... which has taken the Child SAs, with their SPIs" tb_until 10 eval 'child_up && equal "$before" "$(esp_spis)"'
claim "... and nothing is lost" traffic_whole
claim "... without a limit again" limit 'ipiaIkePropLifetimeDerivedKeys."p1"' 0
claim "SAs that carry nothing are to end within seconds" limit 'ipiaSaNegParamIdleDurationSecs."std"' 2
claim "... from the next one on" eval 'tb_ctl router-a terminate child-lan4 && one host-a 10.2.0.2'
old=$(ike_spi)
claim "... and do, as strongSwan is told" tb_until 10 not child_up
claim "... but not their IKE SA" equal "$old" "$(ike_spi)"
claim "the next packet crosses" one host-a 10.2.0.2
claim "... by another Child SA of it" equal "$old" "$(ike_spi)"
claim "... without a limit again" limit 'ipiaSaNegParamIdleDurationSecs."std"' 0

# RFC 4301 4.4.1.2: populate from packet. strongSwan has no route to what is one host's.
narrow_sas() { swan --list-sas --ike lan4 | grep -E '^ +local +10' | sort | tr -d ' \n' | grep -qx "$1"; }
claim "rows want an SA for each protocol" eval 'tb_set router-a "ipspdIpsecActFromPacket.\"child-lan4\"" x 20 &&
	tb_ctl router-a wait && tb_ctl router-a terminate child-lan4'
claim "... whose first packet crosses" one host-a 10.2.0.2
claim "... and makes one for it alone" tb_until 10 narrow_sas 'local10.2.0.0/16[[]icmp[]]'
tb_in host-a bash -c 'echo >/dev/udp/10.2.0.2/4807'
claim "another protocol has another one" tb_until 10 narrow_sas 'local10.2.0.0/16[[]icmp[]]local10.2.0.0/16[[]udp[]]'
claim "... under the same IKE SA" equal 1 "$(swan --list-sas --ike lan4 | grep -c ESTABLISHED)"
claim "... and back" eval 'tb_set router-a "ipspdIpsecActFromPacket.\"child-lan4\"" x 00 &&
	tb_ctl router-a wait && tb_ctl router-a terminate child-lan4 && one host-a 10.2.0.2'
claim "whoever watches has seen what was negotiated" tb_until 10 setup_shown
kill "$(tb_pid router-a secrets)"
tb_reap "$(tb_pid router-a secrets)"
claim "... but no key of strongSwan's log" /usr/bin/python3 "$TB_SRC/tests/net/ike_secrets.py" "$d/charon.log" \
	"$TB_DIR/router-a/secrets.log" 'between two routers'
traffic host-a 10.2.0.2
old=$(ike_pid router-a)
before=$(established router-a)
kill -KILL "$old"
claim "a killed ike process is followed by another" tb_until 10 another_ike router-a "$old"
claim "... which negotiates anew with strongSwan" tb_until 15 eval '[ "$(established router-a)" -gt "$before" ]'
# strongSwan forgets the old SAs when it hears of the new IKE SA, a moment before we can send on new ones.
claim "... and no more is lost than that takes" traffic_but 25
unsniff wan swan
claim "all of it was ESP in UDP" test "$(seen wan swan 'udp.port == 4500 && esp')" -ge 100
# What strongSwan lets pass between two of its SAs is its own.
claim "... and nothing of ours in the clear" nothing_clear swan '(ip.src == 10.1.0.0/16 || ipv6.src == fd00:1::/32)'

# ---- a peer that does not believe us any more ----
secret() { sed -i "s/secret = .*/secret = \"$1\" } }/" "$d/swanctl.conf" && swan --load-creds --clear --file "$d/swanctl.conf"; }
claim "the peer has another secret, which its SAs do not mind" eval 'secret other && pings host-b 10.1.0.2'
old=$(ike_pid router-a)
kill -KILL "$old"
claim "a killed ike process is followed by another" tb_until 10 another_ike router-a "$old"
claim "... which is refused, so that the SAs that it found end" tb_until 15 not says 198.51.100.1 tb_ctl router-a show sad
claim "... as is to be read" tb_until 10 grep -q 'as authentication fails now' "$TB_DIR/router-a/ipspd.log"
claim "... and nothing crosses" silent host-a 10.2.0.2
claim "when it is believed again, they are made anew" eval 'secret "between two routers" && tb_ctl router-a initiate child-lan4 &&
	tb_until 20 pings host-a 10.2.0.2'

# ---- a rule that goes ----
# Its peer's packets are caught on the WAN and kept; ours still reach the peer.
cat >"$TB_DIR/late.py" <<'PY'
import sys
from scapy.all import IP, UDP, conf, rdpcap, send
conf.verb = 0
esp = [p[IP] for p in rdpcap(sys.argv[1]) if UDP in p and p[UDP].dport == 4500 and bytes(p[UDP].payload)[:4].strip(b"\0\xff")]
# A sender leaves that to its device, which the capture is before.
del esp[-1][UDP].chksum
send(esp[-1])
PY
late() { tb_in wan /usr/bin/python3 "$TB_DIR/late.py" "$TB_DIR/wan/late.pcap"; }
some() { [ "$(seen "$@")" -ge 1 ]; }
rules() { tb_set router-a 'spdGroupContRowStatus."wan-out".11' i "$1" 'spdGroupContRowStatus."wan-in".11' i "$1" && tb_ctl router-a wait; }
claim "before a rule goes, pings cross" tb_until 10 pings host-b 10.1.0.2
sniff wan b late 'src host 198.51.100.1'
tb_in wan sysctl -qw net.ipv4.conf.b.forwarding=0
claim "a packet of the peer's is on its way" silent host-b 10.1.0.2
claim "... as ESP" tb_until 10 some wan late 'udp.port == 4500 && esp'
unsniff wan late
claim "the rule goes" rules notInService
sniff host-a lan came 'icmp and src host 10.2.0.2'
claim "... and so does the outbound SA, at once" tb_until 10 not says '-> 198.51.100.1' tb_ctl router-a show sad
claim "... so that our packets stop" silent host-a 10.2.0.2
claim "the packet comes in when it comes" late
claim "... to its host" tb_until 10 some host-a came icmp
claim "... as is to be seen" tb_until 10 says sa-unasked tb_ctl router-a show stats
unsniff host-a came
tb_in wan sysctl -qw net.ipv4.conf.b.forwarding=1
claim "the rule is there again" rules active
claim "... and pings cross" tb_until 20 pings host-a 10.2.0.2

# ---- rows that go ----
claim "a connection is ended by a manager" tb_ctl router-a terminate child-lan4
claim "... and down then" tb_until 10 not is_up
next_try() { tb_snmp snmpget router-a -OqvU 'ipspdConnNextTry.ike."child-lan4"."ike-lan4"'; }
tb_in router-a ip route add unreachable 198.51.100.1
claim "one that starts by itself" autostart router-a 4 0A010001 0A020001
claim "... says when it is begun again, while there is no way" tb_until 10 more 'ipspdConnNextTry.ike."child-lan4"."ike-lan4"'
tb_in router-a ip route del unreachable 198.51.100.1
claim "... and is up without a packet" tb_until 15 is_up
claim "... with nothing planned any more" tb_until 10 eval 'equal 0 "$(next_try)"'
claim "a disabled credential ends what it has proved" eval 'tb_set router-a "ipsaCredAdminStatus.\"psk\"" i disabled &&
	tb_until 10 not says established tb_snmp snmpwalk router-a ipspdIkeSaState'
claim "... and its traffic" silent host-a 10.2.0.2
claim "... and the ike process, which has nothing to do" tb_until 10 not has_ike router-a
conclude
