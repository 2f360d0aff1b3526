#!/bin/sh
# Every fuzz target for a moment, with new inputs each time: `make fuzz` is for finding more.
command -v clang >/dev/null || { echo "clang is not installed (scripts/deps)"; exit 77; }
: "${TB_SRC:?}" "${TB_BUILD:?}"
FUZZ_SECONDS=${FUZZ_SECONDS:-5} FUZZ_RUNS=${FUZZ_RUNS:-5000} \
	exec sh "$TB_SRC/tests/fuzz/run.sh" "$TB_SRC" "$TB_BUILD/fuzz"
