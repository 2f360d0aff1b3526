#!/bin/sh
# The core under ThreadSanitizer: policy and SAs change while workers send and receive. A build of its
# own, as no other sanitizer goes with it.
set -eu
src=${TB_SRC:-.}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cc=${CC:-gcc}
echo 'int main(void) { return 0; }' >"$dir/probe.c"
if ! $cc -fsanitize=thread -o "$dir/probe" "$dir/probe.c" 2>/dev/null || ! "$dir/probe" 2>/dev/null; then
	echo "no ThreadSanitizer with $cc here"
	exit 77
fi
$cc -std=gnu11 -g -O1 -fsanitize=thread -pthread -I"$src/include" -I"$src" -o "$dir/concurrency" \
	"$src/tests/unit/engine/concurrency.c" "$src"/spd/*.c "$src"/sad/*.c "$src"/engine/*.c
TSAN_OPTIONS=halt_on_error=1 "$dir/concurrency"
