# shellcheck shell=sh
# tests/net/attach_processes.sh - processes killed under traffic: no loss with the agent, no reuse with the engine.
# Part of attach.sh.


roots() { for t_p in "$@"; do ps -o user= -p "$(tb_process router-a "$t_p")"; done | sort -u | tr -d '\n'; }
claim "agent and engine run as the unprivileged account" equal _ipspd "$(roots agent engine)"
seccomp() { grep -h '^Seccomp:' "/proc/$(tb_process router-a "$1")/status" | tr -dc 0-9; }
claim "the agent is behind a system call filter" equal 2 "$(seccomp agent)"
claim "the engine is behind a system call filter" equal 2 "$(seccomp engine)"
caps() { grep -h '^CapEff:' "/proc/$(tb_process router-a "$1")/status" | cut -f2; }
claim "the agent has no capability" equal 0000000000000000 "$(caps agent)"
claim "the engine has no capability" equal 0000000000000000 "$(caps engine)"

rows_before=$(tb_ctl router-a export)
old=$(tb_process router-a agent)
tb_in host-a ping -q -c 60 -i 0.05 -W 2 10.2.0.2 >"$TB_DIR/ping.out" &
pinger=$!
TB_PIDS="$TB_PIDS $pinger"
kill -9 "$old"
wait "$pinger" || :
claim "no ping is lost while the agent is killed" grep -q ' 0% packet loss' "$TB_DIR/ping.out"
claim "the agent comes back" tb_ctl router-a wait --snmp --timeout 30
claim "... as another process" not equal "$old" "$(tb_process router-a agent)"
claim "... with all rows" equal "$rows_before" "$(tb_ctl router-a export)"

sniff wan a wan
claim "traffic before the engine dies" pings host-a 10.2.0.2 5
old=$(tb_process router-a engine)
kill -9 "$old"
claim "the engine comes back with policy in force" tb_ctl router-a wait --timeout 30
tb_until 20 eval 'test -n "$(tb_process router-a engine)"'
claim "... as another process" not equal "$old" "$(tb_process router-a engine)"
claim "traffic after the engine came back" eval 'tb_until 20 pings host-a 10.2.0.2 1 && pings host-a 10.2.0.2 5'
claim "the way back as well" pings host-b 10.1.0.2 5
unsniff wan wan
numbers() { tshark -r "$TB_DIR/wan/wan.pcap" -Y 'esp.spi == 0x1000' -T fields -e esp.sequence 2>/dev/null; }
claim "no sequence number was sent twice" equal "$(numbers | sort -n | uniq)" "$(numbers)"
claim "no clear packet meanwhile" equal 0 "$(seen wan wan 'icmp.type == 8 || icmp.type == 0')"

# A cold start: everything of router-a goes and comes again on the same disk.
last=$(numbers | tail -n 1)
kill "$(tb_pid router-a ipspd)"
tb_reap "$(tb_pid router-a ipspd)"
tb_ipspd router-a
claim "a cold start brings everything back" tb_ctl router-a wait --snmp --timeout 30
sniff wan a cold
claim "the peer accepts what is sent after a cold start" pings host-a 10.2.0.2 3
unsniff wan cold
first=$(tshark -r "$TB_DIR/wan/cold.pcap" -Y 'esp.spi == 0x1000' -T fields -e esp.sequence 2>/dev/null | head -n 1)
claim "numbers go on above all that were used" test "$first" -gt "$last"

claim "rows are the same after all" equal "$rows_before" "$(tb_ctl router-a export)"
