#!/bin/sh
# Builds the fuzz targets with clang in a directory of their own and runs each for a while, from a
# copy of its seeds: nothing found ever lands in the source tree.
#
#   run.sh SRC DIR      SRC: the source tree; DIR: what is built and found goes there
#
#   FUZZ_SECONDS  how long each runs (60)          FUZZ_TARGET  which, by name (all)
#   FUZZ_RUNS     at most so many inputs (no end)  FUZZ_CC      the compiler (clang)
#
# Prints a line a target; fails when one found a fault, and says where the input is that shows it.
set -eu
src=$1
dir=$2
seconds=${FUZZ_SECONDS:-60}
runs=${FUZZ_RUNS:--1}
# The make that called us must not share its jobs: it may be waiting for this one.
unset MAKEFLAGS MFLAGS MAKELEVEL || :

mkdir -p "$dir/build" "$dir/corpus" "$dir/found" "$dir/log"
if [ -f "$src/Makefile" ] && [ ! -f "$dir/build/Makefile" ]; then
	echo "fuzz: $src is configured itself; configure in a directory of its own" >&2
	exit 1
fi
cd "$dir/build"
if [ ! -f Makefile ] || [ "$src/configure" -nt Makefile ]; then
	"$src/configure" --quiet --enable-fuzzers --disable-shared CC="${FUZZ_CC:-clang}" \
		CFLAGS="-g -O1" >"$dir/log/configure" 2>&1 ||
		{ cat "$dir/log/configure"; exit 1; }
fi
make -s -j"$(nproc)" fuzz-programs >"$dir/log/make" 2>&1 || { cat "$dir/log/make"; exit 1; }
targets=${FUZZ_TARGET:-$(make -s fuzz-targets)}

# run_one NAME
run_one()
{
	log=$dir/log/$1
	mkdir -p "$dir/corpus/$1"
	cp "$src/tests/fuzz/seeds/$1"/* "$dir/corpus/$1"
	if "tests/fuzz/fuzz_$1" -runs="$runs" -max_total_time="$seconds" -timeout=20 \
		-rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$dir/found/$1-" \
		"$dir/corpus/$1" >"$log" 2>&1; then
		n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		cov=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
		echo "$1: ok, $n inputs, $cov edges"
		return 0
	fi
	input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
	echo "$1: FAILED, reproduce with $dir/build/tests/fuzz/fuzz_$1 ${input:-(no input: $log)}"
	grep -m 3 -E 'ERROR: |SUMMARY: |runtime error: |must hold' "$log" || tail -n 5 "$log"
	return 1
}

status=0
for name in $targets; do
	run_one "$name" || status=1
done
exit $status
