#!/bin/sh
# libipsp takes nothing from outside but what a freestanding program has: the memory functions that
# string.h counts with, and what the compiler itself puts in (hardening, sanitizers, coverage).
set -eu
archive=${TB_BUILD:-.}/.libs/libipsp.a
[ -f "$archive" ] || { echo "no static library was built"; exit 77; }

wanted=$(nm -u "$archive" | sed -n 's/^ *[Uvw] //p' | sort -u)
given=$(nm --defined-only "$archive" | awk 'NF == 3 { print $3 }' | sort -u)
[ -n "$given" ] || { echo "nm shows no symbols in $archive"; exit 1; }
bad=
for symbol in $wanted; do
	case $symbol in
	memcpy | memmove | memset | memcmp) ;;
	__memcpy_chk | __memmove_chk | __memset_chk | __stack_chk_fail) ;;
	__asan_* | __ubsan_* | __sanitizer_* | __gcov_* | __llvm_* | _GLOBAL_OFFSET_TABLE_) ;;
	ipsp_*) echo "$given" | grep -qx "$symbol" || bad="$bad $symbol" ;;
	*) bad="$bad $symbol" ;;
	esac
done
[ -z "$bad" ] || { echo "libipsp uses outside symbols:$bad"; exit 1; }

# Headers: the freestanding ones, string.h and our own.
src=${TB_SRC:-.}
bad=$(grep -n '^#include <' "$src"/include/ipsp/*.h "$src"/spd/*.[ch] "$src"/sad/*.[ch] \
	"$src"/engine/*.[ch] |
	grep -v -E '<(limits|stdatomic|stdbool|stddef|stdint|string)\.h>' || :)
[ -z "$bad" ] || { echo "libipsp includes system headers:"; echo "$bad"; exit 1; }
