#!/bin/sh
# tests/bench/run.sh [NAME..] - runs the benchmarks of those names, or all; called by `make bench`.
# Callers set TB_SRC and TB_BUILD. Figures go to standard output, everything else to standard error.
set -eu

all="engine cores sad spd pfkey ike policy store snmp xml outer tunnel"

for name in "$@"; do
	case " $all " in
	*" $name "*) ;;
	*) echo "bench: no benchmark '$name'; there are: $all" >&2; exit 2 ;;
	esac
done
[ $# -gt 0 ] || set -- $all
for name in "$@"; do
	echo "bench: $name" >&2
	if [ -f "$TB_SRC/tests/bench/bench_$name.sh" ]; then
		sh "$TB_SRC/tests/bench/bench_$name.sh"
	else
		"$TB_BUILD/tests/bench/bench_$name"
	fi
done
