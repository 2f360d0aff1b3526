# shellcheck shell=sh
# tests/net/attach_queues.sh - what is particular to the kernel's queues: which packets come there, and that none
# passes without a verdict. Part of attach.sh; follows attach_traffic.sh, whose rules let packets for the WAN pass.

queue_table() { tb_in router-a nft list table inet ipspd_queue 2>/dev/null; }
# queued iif|oif IF NUMBER: how many rules lead packets of that interface there.
queued() { queue_table | grep -c "$1 \"$2\".*queue.* $3" || :; }
# reached NUMBER: how many packets have come to that queue.
reached() { tb_in router-a awk -v q="$1" '$1 == q { print $8 }' /proc/net/netfilter/nfnetlink_queue; }

claim "inbound packets of the WAN are queued, as its row says" equal 1 "$(queued iif wan 26994)"
claim "outbound ones are" equal 1 "$(queued oif wan 26995)"
claim "those of the LAN, which no row names, are not" equal 0 "$(queue_table | grep -c '"lan"' || :)"
claim "one rule that discards goes" eval "tb_set router-a 'spdGroupContRowStatus.\"wan-out\".40' i destroy \
	'spdRuleDefRowStatus.\"drop-out\"' i destroy && tb_ctl router-a wait"
t_in=$(reached 26994) t_out=$(reached 26995)
claim "what rules let pass passes" pings host-a 192.0.2.254
claim "... by the queues, both ways" test "$(reached 26994)" -ge $((t_in + 3)) -a "$(reached 26995)" -ge $((t_out + 3))

t_lan=$(tb_ifindex router-a lan)
lan_row()
{
	tb_set router-a "spdEndGroupName.inbound.$t_lan" s wan-in "spdEndGroupRowStatus.inbound.$t_lan" i createAndGo &&
	tb_ctl router-a wait
}
claim "a row comes for the LAN, inbound" lan_row
claim "... whose packets are queued from now on" equal "1 0" "$(queued iif lan 26994) $(queued oif lan 26995)"
claim "... and judged by it" silent host-a 192.0.2.254
claim "the row goes, and the interface is freed" eval 'tb_set router-a "spdEndGroupRowStatus.inbound.$t_lan" i destroy &&
	tb_ctl router-a release lan inbound && tb_ctl router-a wait'
claim "... whose packets are queued no more" equal 0 "$(queued iif lan 26994)"

claim "no other program takes the table away" not tb_in router-a nft delete table inet ipspd_queue
t_engine=$(tb_process router-a engine)
kill -STOP "$t_engine"
claim "without a verdict nothing passes, not even what rules let pass" silent host-a 192.0.2.254
kill -CONT "$t_engine"
claim "with the engine going on it does" tb_until 20 pings host-a 192.0.2.254 1
kill -9 "$(tb_process router-a verdict)"
claim "who gives verdicts is killed: the engine is made anew with it" \
	tb_until 20 grep -q 'killed: the verdict process is gone' "$TB_DIR/router-a/ipspd.log"
claim "... and all flows again" tb_until 20 pings host-a 192.0.2.254 1
claim "... protected traffic as well" pings host-a 10.2.0.2
verdict_says() { grep -h "^$1:" "/proc/$(tb_process router-a verdict)/status" | cut -f2; }
claim "it has one capability, to administer the network" equal 0000000000001000 "$(verdict_says CapEff)"
claim "... and is behind a system call filter" equal 2 "$(verdict_says Seccomp)"

# anew ATTACHMENT: router-a's daemon with it, and nothing left of the one before.
anew()
{
	kill "$(tb_pid router-a ipspd)"
	tb_reap "$(tb_pid router-a ipspd)"
	t_after=$(queue_table)
	TB_ATTACH=$1 tb_ipspd router-a
	tb_ctl router-a wait --snmp --timeout 30
}
claim "the daemon starts with interfaces that are named, one of them not there yet" anew nfqueue:wan,lan,later
claim "... the table of the one before went with it" equal "" "$t_after"
claim "... packets of all of them are queued, both ways" equal "1 1 1 1" \
	"$(queued iifname lan 26994) $(queued oifname lan 26995) $(queued iifname later 26994) $(queued oifname later 26995)"
claim "... protected traffic flows" tb_until 20 pings host-a 10.2.0.2 1
t_in=$(reached 26994)
claim "... and what has no policy passes" pings host-a 10.1.0.1
claim "... by the queues" test "$(reached 26994)" -ge $((t_in + 3))
claim "the daemon starts as before" anew nfqueue
