# tests/net/test_workers.sh - two engine processes of two workers each, under ThreadSanitizer: policy and SAs
# change without a pause while TCP, UDP and pings cross both ways. Octets are compared by their receivers, and
# the WAN is judged by tshark: nothing in the clear, no wrong ICV, no number twice, each packet under the SA
# that its entry names.

. "$TB_SRC/tests/net/lib.sh"
tb_init

if ! MAKEFLAGS='' make -s -C "$TB_BUILD" -j2 CFLAGS='-g1 -O1' tests/net/engine-tsan >"$TB_DIR/make.log" 2>&1; then
	cat "$TB_DIR/make.log"
	echo 'int main(void) { return 0; }' >"$TB_DIR/probe.c"
	${CC:-cc} -fsanitize=thread -o "$TB_DIR/probe" "$TB_DIR/probe.c" || exit 77
	exit 1
fi
CHANGES=1500
KEY=000102030405060708090a0b0c0d0e0f
MARK=0x69700000/0xffff0000

tb_topology
tb_in host-b ip addr add 10.2.1.2/32 dev lo
tell() { t_to=$TB_DIR/$1/commands; shift; echo "$*" >>"$t_to"; }
heard() { grep -q -- "$2" "$TB_DIR/$1/driver.log"; }

driver()
{
	mkfifo "$TB_DIR/$1/commands"
	TSAN_OPTIONS=halt_on_error=1 ip netns exec "$(tb_ns "$1")" "$TB_BUILD/tests/net/engine-tsan" ipsp0 2 \
		<"$TB_DIR/$1/commands" >"$TB_DIR/$1/driver.log" 2>&1 &
	TB_PIDS="$TB_PIDS $!"
}

# steer ROUTER PREFIX: what goes there passes the engine, but for what the engine lets out itself.
steer()
{
	tb_in "$1" ip route add default dev ipsp0 table 99
	tb_in "$1" ip rule add pref 100 fwmark $MARK lookup main
	tb_in "$1" ip rule add pref 101 iif ipsp0 lookup main
	tb_in "$1" ip rule add pref 102 to "$2" lookup 99
}

# pair ROUTER ID LOCAL REMOTE SPI-OUT SPI-IN TURNS: two SAs; TURNS: in every other generation only
pair()
{
	tell "$1" sa "$2" out tunnel "$5" "$3" "$4" "${KEY}00010203" gcm
	"$7" "$1"
	tell "$1" sa $(($2 + 1)) in tunnel "$6" "$3" "$4" "${KEY}00010203" gcm
	"$7" "$1"
}
turns() { tell "$1" turns; }

# policy ROUTER LOCAL REMOTE HERE THERE SPIS-OUT SPIS-IN: between the LANs one pair of SAs stays; another one
# is for host-b's second address (SRC and DST outbound), and what is for that without it is discarded.
policy()
{
	tell "$1" begin 1
	pair "$1" 1 "$2" "$3" "${6}1" "${7}1" :
	pair "$1" 3 "$2" "$3" "${6}3" "${7}3" turns
	tell "$1" list wan out
	tell "$1" entry 11 protect 3 quiet $SRC $DST
	turns "$1"
	tell "$1" entry 12 discard 0 quiet $SRC $DST
	tell "$1" entry 13 protect 1 quiet "$4" "$5"
	tell "$1" list wan in
	tell "$1" entry 21 protect 4 quiet $DST $SRC
	turns "$1"
	tell "$1" entry 22 discard 0 quiet $DST $SRC
	tell "$1" entry 23 protect 2 quiet "$5" "$4"
	tell "$1" commit
}

driver router-a
exec 8>>"$TB_DIR/router-a/commands"
driver router-b
exec 9>>"$TB_DIR/router-b/commands"
for r in router-a router-b; do tb_until 60 tb_in $r ip link show dev ipsp0; done
steer router-a 10.2.0.0/16
steer router-b 10.1.0.0/16
SRC=10.1.0.0/16 DST=10.2.1.0/24
policy router-a 192.0.2.1 198.51.100.1 10.1.0.0/16 10.2.0.0/16 0x100 0x200
SRC=10.2.1.0/24 DST=10.1.0.0/16
policy router-b 198.51.100.1 192.0.2.1 10.2.0.0/16 10.1.0.0/16 0x200 0x100
for r in router-a router-b; do tb_until 60 heard $r '^applied 1$'; done
claim "TSan's engines have a thread for each worker" equal 2 \
	"$(cat "/proc/$(sed -n 's/^engine //p' "$TB_DIR/router-a/driver.log")"/task/*/comm | grep -c '^worker [01]$')"
claim "both pairs of SAs carry packets" sh -c "ip netns exec $(tb_ns host-a) ping -q -c 2 -W 5 10.2.0.2 &&
	ip netns exec $(tb_ns host-a) ping -q -c 2 -W 5 10.2.1.2"

sniff wan a wan
tb_start host-a flood ping -q -f -W 1 10.2.1.2
for r in router-a router-b; do tell $r churn $CHANGES; done
claim "TCP and UDP cross both ways meanwhile, whole" \
	/usr/bin/python3 "$TB_SRC/tests/net/transfer.py" "$(tb_ns host-a)" "$(tb_ns host-b)" 10.2.0.2
for r in router-a router-b; do claim "$CHANGES changes of $r come into force" tb_until 300 heard $r '^churned '; done
grep -h '^churned ' "$TB_DIR/router-a/driver.log" "$TB_DIR/router-b/driver.log"
kill -INT "$(cat "$TB_DIR/host-a/flood.pid")"
tb_reap "$(cat "$TB_DIR/host-a/flood.pid")"
for r in router-a router-b; do tell $r quit; done
for r in router-a router-b; do
	claim "the engine of $r ends well" tb_until 60 heard $r '^engine-end 0$'
	claim "... it was one all the time" equal 1 "$(grep -c '^engine ' "$TB_DIR/$r/driver.log")"
	claim "... and ThreadSanitizer has nothing to say" not heard $r ThreadSanitizer
done
grep -h 'packets transmitted' "$TB_DIR/host-a/flood.log" || :

unsniff wan wan
claim "nothing is in the clear on the WAN" equal 0 "$(seen wan wan 'ip.addr == 10.0.0.0/8')"
decrypt()
{
	set -- -n -r "$TB_DIR/wan/wan.pcap" -o esp.enable_encryption_decode:TRUE \
		-o esp.enable_authentication_check:TRUE "$@"
	for t_spi in 0x00001001 0x00001003 0x00002001 0x00002003; do
		set -- -o "uat:esp_sa:\"IPv4\",\"*\",\"*\",\"$t_spi\",\"AES-GCM with 16 octet ICV [RFC4106]\",\"0x${KEY}00010203\",\"NULL\",\"\"" "$@"
	done
	tshark "$@" 2>/dev/null
}
decrypt -Y esp -T fields -E occurrence=f -e esp.spi -e esp.sequence -e esp.icv_bad >"$TB_DIR/esp"
decrypt -Y esp -T fields -E occurrence=l -e ip.src -e ip.dst >"$TB_DIR/inner"
claim "much has crossed" test "$(wc -l <"$TB_DIR/esp")" -gt 2000
claim "no number was used twice" equal "" "$(cut -f 1,2 "$TB_DIR/esp" | sort | uniq -d)"
paste "$TB_DIR/esp" "$TB_DIR/inner" >"$TB_DIR/both"
wrong()
{
	awk -F '\t' '$1 ~ /1$/ && ($4 ~ /^10\.2\.1\./ || $5 ~ /^10\.2\.1\./) ||
		$1 ~ /3$/ && $4 !~ /^10\.2\.1\./ && $5 !~ /^10\.2\.1\./ || $4 !~ /^10\./ || $3 == "True" || $3 == 1' \
		"$TB_DIR/both" | head -n 5
}
claim "each packet is under the SA that its entry names, with its key" equal "" "$(wrong)"
claim "... under those that come and go, too" grep -q '^0x00001003' "$TB_DIR/both"
conclude
