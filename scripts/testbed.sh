# shellcheck shell=sh
# scripts/testbed.sh - two routers, a LAN host behind each, a WAN between them; sourced, not run.
#
#   host-a --- router-a ===== wan ===== router-b --- host-b
#   10.1.0.2    10.1.0.1                 10.2.0.1    10.2.0.2      (fd00:1:: and fd00:2:: alike)
#          192.0.2.1  192.0.2.254 198.51.100.254  198.51.100.1     (2001:db8:a:: and 2001:db8:b::)
#
# With TB_ATTACH=pcap the two routers are bumps in the wire instead: the WAN's addresses 10.1.0.1 and
# 10.2.0.1 are the hosts' next hops, router-a and router-b stand between, with the same outer addresses,
# an address on neither LAN, and a route to their own LAN.
#
# Every namespace, process and file is this testbed's own and goes when it ends, however it ends.
# Callers set TB_BUILD (where the programs are) and TB_SRC (the source tree).

set -eu

TB_USER_WRITE=operator
TB_USER_READ=viewer
TB_PASS_AUTH=authentication-secret
TB_PASS_PRIV=privacy-secret
TB_ATTACH=${TB_ATTACH:-tun}

tb_init()
{
	[ "$(id -u)" = 0 ] || { echo "needs root: network namespaces"; exit 77; }
	TB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/ipspd-testbed.XXXXXX")
	chmod 755 "$TB_DIR"
	TB_TAG=ipsp$$
	TB_PIDS=
	TB_SPACES=
	TB_MOUNTS=	# what a caller has mounted in TB_DIR
	trap tb_cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	export SNMP_PERSISTENT_DIR="$TB_DIR/snmp" SNMPCONFPATH="$TB_DIR/snmp"
	mkdir -p "$SNMP_PERSISTENT_DIR"
}

tb_cleanup()
{
	tb_status=$?
	trap - EXIT HUP INT TERM
	# Daemons first, by the numbers they were started with; then whatever lives in our namespaces.
	for tb_pid in $TB_PIDS; do tb_is_ours "$tb_pid" && kill "$tb_pid" 2>/dev/null || :; done
	for tb_pid in $TB_PIDS; do tb_is_ours "$tb_pid" && tb_reap "$tb_pid" || :; done
	for tb_ns in $TB_SPACES; do
		for tb_pid in $(ip netns pids "$tb_ns" 2>/dev/null); do
			kill -9 "$tb_pid" 2>/dev/null || :
		done
		ip netns del "$tb_ns" 2>/dev/null || :
	done
	for tb_mount in $TB_MOUNTS; do umount -l "$tb_mount" 2>/dev/null || :; done
	if [ -n "${TB_KEEP_FILES:-}" ] || [ "$tb_status" != 0 ] && [ -n "${TB_LOG_TO:-}" ]; then
		cp -r "$TB_DIR" "${TB_LOG_TO:-${TMPDIR:-/tmp}}/" 2>/dev/null || :
	fi
	rm -rf "$TB_DIR"
	exit "$tb_status"
}

# tb_is_ours PROCESS: still one that this shell has started? The numbers of those that have ended are given to others,
# soon where there are few of them.
tb_is_ours()
{
	[ "$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$1/status" 2>/dev/null)" = $$ ]
}

# A stopped process gets the time it needs (the checks of a sanitizer included), up to a bound, then no more.
tb_reap()
{
	tb_left=400
	while kill -0 "$1" 2>/dev/null; do
		tb_left=$((tb_left - 1))
		if [ $tb_left = 0 ]; then
			echo "process $1 had to be killed: $(tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null)" >&2
			kill -9 "$1" 2>/dev/null || :
			return 0
		fi
		sleep 0.05
	done
}

# tb_until SECONDS COMMAND..: runs it until it succeeds; fails when the time is over. The command may wait so as well: the
# count is a parameter, which each call has for itself.
tb_until()
{
	tb_tries=$(($1 * 10))
	shift
	set -- "$tb_tries" "$@"
	while ! tb_try "$@"; do
		[ "$1" -gt 1 ] || return 1
		tb_tries=$(($1 - 1))
		shift
		set -- "$tb_tries" "$@"
		sleep 0.1
	done
}

# tb_try COUNT COMMAND..
tb_try()
{
	shift
	"$@" >/dev/null 2>&1
}

tb_ns()	{ echo "$TB_TAG-$1"; }
tb_in()	{ tb_where=$(tb_ns "$1"); shift; ip netns exec "$tb_where" "$@"; }

# tb_link SPACE-A IF-A SPACE-B IF-B
tb_link()
{
	ip link add name "$2" netns "$(tb_ns "$1")" type veth peer name "$4" netns "$(tb_ns "$3")"
	tb_in "$1" ip link set dev "$2" up
	tb_in "$3" ip link set dev "$4" up
}

# tb_addr SPACE IF ADDRESS..
tb_addr()
{
	tb_s=$1 tb_i=$2
	shift 2
	for tb_a; do tb_in "$tb_s" ip addr add "$tb_a" dev "$tb_i" $(case $tb_a in *:*) echo nodad ;; esac); done
}

tb_forward()
{
	tb_in "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# The outer addresses, and the ways to all of them, are the same in both topologies.
tb_topology()
{
	for tb_n in host-a router-a wan router-b host-b; do
		ip netns add "$(tb_ns $tb_n)"
		TB_SPACES="$TB_SPACES $(tb_ns $tb_n)"
		# Who may not use its link-local address yet asks nobody for a neighbour: the first packet would wait.
		tb_in $tb_n sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
		tb_in $tb_n ip link set lo up
		mkdir -p "$TB_DIR/$tb_n"
	done
	tb_link host-a lan router-a lan
	tb_link router-a wan wan a
	tb_link wan b router-b wan
	tb_link router-b lan host-b lan
	tb_addr host-a lan 10.1.0.2/16 fd00:1::2/32
	tb_addr router-a wan 192.0.2.1/24 2001:db8:a::1/48
	tb_addr wan a 192.0.2.254/24 2001:db8:a::fe/48
	tb_addr wan b 198.51.100.254/24 2001:db8:b::fe/48
	tb_addr router-b wan 198.51.100.1/24 2001:db8:b::1/48
	tb_addr host-b lan 10.2.0.2/16 fd00:2::2/32
	tb_forward wan
	case $TB_ATTACH in
	pcap) tb_bumps ;;
	*) tb_routers ;;
	esac
	tb_in host-a ip route add default via 10.1.0.1
	tb_in host-a ip -6 route add default via fd00:1::1
	tb_in host-b ip route add default via 10.2.0.1
	tb_in host-b ip -6 route add default via fd00:2::1
	tb_in router-a ip route add default via 192.0.2.254
	tb_in router-a ip -6 route add default via 2001:db8:a::fe
	tb_in router-b ip route add default via 198.51.100.254
	tb_in router-b ip -6 route add default via 2001:db8:b::fe
}

# To whom a clear packet for a host goes on the WAN's links: TB_HOP4_A and so on.
tb_routers()
{
	tb_addr router-a lan 10.1.0.1/16 fd00:1::1/32
	tb_addr router-b lan 10.2.0.1/16 fd00:2::1/32
	tb_forward router-a
	tb_forward router-b
	# The WAN knows the way to both LANs: without protection clear packets would arrive.
	tb_in wan ip route add 10.1.0.0/16 via 192.0.2.1
	tb_in wan ip route add 10.2.0.0/16 via 198.51.100.1
	tb_in wan ip -6 route add fd00:1::/32 via 2001:db8:a::1
	tb_in wan ip -6 route add fd00:2::/32 via 2001:db8:b::1
	TB_HOP4_A=192.0.2.1 TB_HOP6_A=2001:db8:a::1
}

tb_bumps()
{
	tb_addr wan a 10.1.0.1/16 fd00:1::1/32
	tb_addr wan b 10.2.0.1/16 fd00:2::1/32
	tb_in router-a ip route add 10.1.0.0/16 dev lan
	tb_in router-a ip -6 route add fd00:1::/32 dev lan
	tb_in router-b ip route add 10.2.0.0/16 dev lan
	tb_in router-b ip -6 route add fd00:2::/32 dev lan
	TB_HOP4_A=10.1.0.2 TB_HOP6_A=fd00:1::2
}

# tb_snmpd ROUTER: the master agent, with an AgentX socket, two SNMPv3 users and their views, and the
# lines of TB_SNMPD_MORE.
tb_snmpd()
{
	tb_d=$TB_DIR/$1
	cat >"$tb_d/snmpd.conf" <<-CONF
		agentAddress udp:127.0.0.1:161
		master agentx
		agentXSocket unix:$tb_d/agentx
		agentXPerms 0660 0755 _ipspd _ipspd
		createUser $TB_USER_WRITE SHA-256 "$TB_PASS_AUTH" AES "$TB_PASS_PRIV"
		createUser $TB_USER_READ SHA-256 "$TB_PASS_AUTH" AES "$TB_PASS_PRIV"
		view policy included .1.3.6.1.2.1.153
		view policy included .1.3.6.1.2.1.97
		view policy included .1.3.6.1.4.1.8072.9999.9999.4807
		view policy included .1.3.6.1.2.1.1
		group writers usm $TB_USER_WRITE
		group readers usm $TB_USER_READ
		access writers "" usm priv exact policy policy none
		access readers "" usm priv exact policy none none
		${TB_SNMPD_MORE:-}
	CONF
	mkdir -p "$tb_d/snmp"
	tb_start "$1" snmpd env SNMP_PERSISTENT_DIR="$tb_d/snmp" \
		snmpd -f -Lo -C -c "$tb_d/snmpd.conf" -p "$tb_d/snmpd.pid"
	tb_until 20 test -S "$tb_d/agentx"
}

# tb_start SPACE NAME COMMAND..: runs it in the background; its output goes to SPACE/NAME.log.
# TB_LAST is its process.
tb_start()
{
	tb_s=$1 tb_what=$2
	shift 2
	ip netns exec "$(tb_ns "$tb_s")" "$@" >>"$TB_DIR/$tb_s/$tb_what.log" 2>&1 &
	TB_LAST=$!
	TB_PIDS="$TB_PIDS $TB_LAST"
	echo "$TB_LAST" >"$TB_DIR/$tb_s/$tb_what.pid"
}

# tb_ipspd ROUTER [OPTION..]: the daemon, in that router's namespace.
tb_ipspd()
{
	tb_r=$1
	shift
	tb_start "$tb_r" ipspd "$TB_BUILD/sbin/ipspd" -f -c /dev/null -S "$TB_DIR/$tb_r/state" \
		-s "$TB_DIR/$tb_r/control" -k "$TB_DIR/$tb_r/pfkey" -x "unix:$TB_DIR/$tb_r/agentx" \
		-a "$(tb_attachment)" "$@"
	# The socket may be there from an earlier run, and so may for a moment an agent whose parent was
	# killed: an answer counts when the agent is this daemon's.
	tb_daemon=$TB_LAST
	tb_until 30 tb_answers "$tb_r" "$tb_daemon"
}

# tb_answers ROUTER PROCESS: is it that daemon whose agent answers?
tb_answers()
{
	tb_ctl "$1" show status &&
		[ "$(ps -o ppid= -p "$(tb_process "$1" agent)" | tr -d ' ')" = "$2" ]
}

tb_attachment()
{
	case $TB_ATTACH in
	pcap) echo pcap:lan,wan ;;
	*) echo "$TB_ATTACH" ;;
	esac
}

# tb_ctl ROUTER COMMAND..: ipspctl there.
tb_ctl()
{
	tb_r=$1
	shift
	tb_in "$tb_r" "$TB_BUILD/ipspctl/ipspctl" -s "$TB_DIR/$tb_r/control" "$@"
}

# tb_snmp TOOL ROUTER [-OPTION..] ARGUMENT..: a Net-SNMP tool, as the operator (TB_USER: another),
# authPriv, with our modules.
tb_snmp()
{
	tb_tool=$1 tb_r=$2 tb_options=
	shift 2
	while [ "${1#-}" != "$1" ]; do
		tb_options="$tb_options $1"
		shift
	done
	# Word splitting is wanted: one argument an option.
	# shellcheck disable=SC2086
	tb_in "$tb_r" "$tb_tool" -v3 -l "${TB_LEVEL:-authPriv}" -u "${TB_USER:-$TB_USER_WRITE}" -a SHA-256 \
		-A "$TB_PASS_AUTH" -x AES -X "$TB_PASS_PRIV" -M "$TB_SRC/mibs/smi:$TB_SRC/mibs" \
		-m "IPSEC-SPD-MIB:IPSEC-IPSECACTION-MIB:IPSEC-IKEACTION-MIB:IPSPD-MIB" -t 5 -r 2 \
		$tb_options 127.0.0.1 "$@"
}

tb_ifindex()
{
	tb_in "$1" cat "/sys/class/net/$2/ifindex"
}

# tb_process ROUTER agent|engine: the pid of that child of ipspd, or nothing.
tb_process()
{
	for tb_p in $(ip netns pids "$(tb_ns "$1")"); do
		if tr '\0' ' ' <"/proc/$tb_p/cmdline" 2>/dev/null | grep -q "^ipspd: $2"; then
			echo "$tb_p"
		fi
	done
}

tb_pid()
{
	cat "$TB_DIR/$1/$2.pid"
}
