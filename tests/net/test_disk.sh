# tests/net/test_disk.sh - the disk is full, read-only, or has lost or spoilt the database.
#
# What the disk refuses is answered so and changes nothing. What cannot be the policy that was set is
# not served: the daemon says why and ends, the guard stays, and no packet crosses in the clear.

. "$TB_SRC/tests/net/lib.sh"
tb_init
tb_topology
state=$TB_DIR/router-a/state
log=$TB_DIR/router-a/ipspd.log
mkdir "$state"
mount -t tmpfs -o size=4m,mode=0700 ipspd-test "$state"
# What may be mounted there, one over the other, when the test ends.
TB_MOUNTS="$state $state"
claim "without policy the WAN carries it in the clear" pings host-a 10.2.0.2
tb_snmpd router-a
tb_ipspd router-a
tb_ctl router-a wait --snmp --timeout 30
tb_new_keys
tb_secrets router-a
claim "a policy is SET" tb_policy_a
claim "... and in force" tb_ctl router-a wait --timeout 30
sniff wan a wan

# set_rule NAME: a row, by SNMP. The answer's error is in $TB_DIR/set.err.
set_rule()
{
	tb_set router-a "spdRuleDefFilter.\"$1\"" o spdTrueFilter.0 "spdRuleDefAction.\"$1\"" o \
		spdDropAction.0 "spdRuleDefRowStatus.\"$1\"" i createAndGo
}
refused() { not set_rule "$1" && grep -q 'commitFailed' "$TB_DIR/set.err"; }
rows() { tb_ctl router-a export; }
generation() { tb_snmp snmpget router-a -Oqv ipspdCommittedGeneration.0; }
agent=$(tb_process router-a agent)

# Until nothing fits: what the log has room for already may still be written.
fill()
{
	dd if=/dev/zero of="$state/filler" bs=4k 2>/dev/null || :
	tb_left=50
	while [ $tb_left -gt 0 ] && set_rule "full$tb_left" 2>/dev/null; do tb_left=$((tb_left - 1)); done
	[ $tb_left -gt 0 ]
}
claim "a full disk refuses a SET in the end" fill
before=$(rows) gen=$(generation)
claim "... with commitFailed" refused again
claim "... which changes no row" equal "$before" "$(rows)"
claim "... and no generation" equal "$gen" "$(generation)"
claim "... and says why" tb_until 10 grep -q 'state.db: cannot write: database or disk is full' "$log"
claim "the agent lives on" equal "$agent" "$(tb_process router-a agent)"
rm "$state/filler"
claim "with room again the same SET works" set_rule again
claim "... and comes into force" tb_ctl router-a wait --timeout 30

# daemon_ends: starts the daemon, which must end by itself, with an error.
stop()
{
	kill "$(tb_pid router-a ipspd)" 2>/dev/null || :
	tb_reap "$(tb_pid router-a ipspd)"
}
daemon_ends()
{
	t_status=0
	timeout 30 ip netns exec "$(tb_ns router-a)" "$TB_BUILD/sbin/ipspd" -f -c /dev/null -S "$state" \
		-s "$TB_DIR/router-a/control" -k "$TB_DIR/router-a/pfkey" -a tun \
		-x "unix:$TB_DIR/router-a/agentx" >"$log" 2>&1 || t_status=$?
	cat "$log"
	[ $t_status != 0 ] && [ $t_status != 124 ] && ! grep -qE 'AddressSanitizer|runtime error' "$log"
}
closed()
{
	tb_in router-a nft list table inet ipspd_guard >/dev/null &&
		not tb_in host-a ping -q -c 1 -W 1 10.2.0.2
}

# A file system that goes read-only under its writers, as after an I/O error: only real ones can.
before=$(rows)
stop
truncate -s 16M "$TB_DIR/ext4"
if mkfs.ext4 -q "$TB_DIR/ext4" && cp -a "$state" "$TB_DIR/state.copy" &&
   mount -o loop,errors=remount-ro "$TB_DIR/ext4" "$state" 2>/dev/null; then
	cp -a "$TB_DIR/state.copy"/. "$state"/
	chown --reference="$TB_DIR/state.copy" "$state"
	chmod --reference="$TB_DIR/state.copy" "$state"
	tb_ipspd router-a
	claim "on another disk it goes on" tb_ctl router-a wait --snmp --timeout 30
	agent=$(tb_process router-a agent)
	mount -o remount,abort "$state"
	claim "a disk gone read-only refuses a SET" refused ro
	claim "... which changes no row" equal "$before" "$(rows)"
	claim "... and says why" tb_until 10 grep -qE 'state.db: cannot .*(I/O error|[Rr]ead-only|readonly)' "$log"
	claim "the agent lives on, too" equal "$agent" "$(tb_process router-a agent)"
	stop
	claim "on a read-only disk it does not start" daemon_ends
	claim "... but says that it is read-only" grep -qi 'read-only' "$log"
	claim "... and the guard stays" closed
	umount -l "$state"
else
	echo "skipped: no loop device for a disk that goes read-only"
fi
tb_ipspd router-a
claim "on a disk that can be written it starts" tb_ctl router-a wait --snmp --timeout 30
claim "... with the same rows" equal "$before" "$(rows)"

# Killed, so that the newest rows stand in the log alone; then ended in good order.
claim "a SET before the kill" set_rule unmoved
claim "... comes into force" tb_ctl router-a wait --timeout 30
before=$(rows)
# The agent must not see its parent go, or it would end in good order; nor be started again.
kill -STOP "$(tb_pid router-a ipspd)"
for t_p in $(tb_process router-a agent) $(tb_process router-a engine) $(tb_pid router-a ipspd); do
	kill -9 "$t_p" 2>/dev/null || :
done
tb_reap "$(tb_pid router-a ipspd)"
cp -a "$state" "$TB_DIR/killed"
claim "the log has rows after the kill" test -s "$TB_DIR/killed/state.db-wal"
tb_ipspd router-a
claim "after a kill it has all rows" equal "$before" "$(rows)"
stop
cp -a "$state" "$TB_DIR/good"

# put_back COPY: the state directory as it was.
put_back()
{
	rm -rf "${state:?}"/*
	cp -a "$TB_DIR/$1"/. "$state"/
}
sql() { python3 -c 'import sqlite3, sys
c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit(); c.close()' "$state/state.db" "$1"; }
noise() { dd if=/dev/urandom of="$state/$1" bs=1 seek="$2" count="$3" conv=notrunc 2>/dev/null; }
middle() { echo $(($(stat -c %s "$state/state.db") / 8192 * 4096)); }

# spoilt COPY WHAT COMMAND TEXT: with that done to the state, it does not start and says TEXT.
spoilt()
{
	put_back "$1"
	eval "$3"
	claim "$2: it does not start" daemon_ends
	claim "... and names the file and the fault" grep -qE "state\\.db.*($4)" "$log"
	claim "... and the guard stays" closed
}
db=$state/state.db
spoilt good "header overwritten" 'noise state.db 0 100' 'not a database'
spoilt good "a page in the middle overwritten" 'noise state.db "$(middle)" 4096' 'malformed|corrupt'
spoilt good "cut in half" 'truncate -s "$(middle)" "$db"' 'malformed|corrupt'
spoilt good "of no length" ': >"$db"' 'generation 0, but generation'
spoilt good "gone" 'rm "$db"' 'generation 0, but generation'
spoilt good "of a newer version" 'sql "PRAGMA user_version = 99"' 'version 99'
spoilt good "its key gone" 'rm "$state/ipspd.key"' 'ipspd.key of its secrets is missing'
spoilt good "another key" 'noise ipspd.key 0 32' 'sealed under a key other than'
spoilt killed "its log gone" 'rm "$db-wal"' 'generation [0-9]+, but generation'
spoilt killed "noise for a log" 'noise state.db-wal 0 200000' 'generation [0-9]+, but generation'

put_back good
tb_ipspd router-a
claim "put back, it starts" tb_ctl router-a wait --snmp --timeout 30
claim "... and has all rows" equal "$before" "$(rows)"
claim "... in force" tb_ctl router-a wait --timeout 30
unsniff wan wan
claim "no packet of the LANs crossed in the clear, ever" equal 0 "$(seen wan wan 'icmp.type == 8 && !esp')"
conclude
