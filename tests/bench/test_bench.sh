#!/bin/sh
# tests/bench/test_bench.sh - the benchmarks run, and print lines of the form they promise, with the
# names that others look for. Nothing is said about their figures.
set -eu
dir=$(mktemp -d "${TMPDIR:-/tmp}/ipspd-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"	# the daemon's user has to get there
export BENCH_QUICK=1 BENCH_DIR="$dir"
failed=0

fail() { echo "FAILED: $*"; failed=1; }

benches="engine cores sad spd store"
# Those that start daemons need root.
[ "$(id -u)" != 0 ] || ! [ -x "$TB_BUILD/tests/bench/tdata" ] || benches="$benches snmp xml outer ike"

for name in $benches; do
	sh "$TB_SRC/tests/bench/run.sh" $name >"$dir/$name" 2>"$dir/$name.err" || {
		cat "$dir/$name.err"
		fail "$name ends with an error"
	}
	! grep -Evn '^[a-z0-9_.]+ [0-9]+(\.[0-9]+)? [A-Za-z]+(/s)?$' "$dir/$name" ||
		fail "$name prints something else than a name, a value and a unit"
	[ -z "$(cut -d' ' -f1 "$dir/$name" | sort | uniq -d)" ] || fail "$name prints a name twice"
done
while read -r bench figure; do
	[ -e "$dir/$bench" ] || continue
	grep -q "^$figure " "$dir/$bench" || fail "no $figure"
done <<-NAMES
	engine engine.encap.aes128gcm.64.vs_raw
	engine engine.decap.aes128gcm.1400.vs_raw
	engine engine.encap.aes256cbcsha256.512.gbps
	engine engine.decap.nullsha1.64.pps
	cores scale.cores
	sad sad.bytes_per_sa
	sad sad.add
	outer ceiling.outer.raw.ns
	outer ceiling.outer.send_packet.vs_raw
	outer ceiling.outer.receive_ring.vs_raw
	ike ike.setups.x25519
	ike ike.latency.ecdsa256
	ike ike.bytes_per_sa
	spd spd.lookup.100.mlps
	spd spd.update.100.ms
	store store.txn.volatile.1k.per_s
	store store.txn.nonvolatile.1k.vs_fdatasync
	store store.walk.1k.varbinds_per_s
	store store.bytes_per_row
	snmp snmp.create.volatile.vs_tdata.1k
	snmp snmp.create.nonvolatile.vs_tdata_and_sync.1k
	snmp snmp.get.vs_tdata.1k
	snmp snmp.bulkwalk.vs_tdata.1k
	snmp snmp.cpu_us.get.vs_tdata.1k
	snmp snmp.cpu_us.set.1k
	snmp snmp.cpu_us.bulk.1k
	xml xml.import_1k_s
	xml xml.export_1k_s
NAMES
sh "$TB_SRC/tests/bench/run.sh" nonsense >"$dir/out" 2>&1 && fail "an unknown name is taken"
[ -z "$(find "$dir" -name 'bench-store*' -o -name 'ipspd-testbed*')" ] || fail "files stay behind"
[ $failed = 0 ] && echo "ok"
exit $failed
