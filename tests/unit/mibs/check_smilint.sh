#!/bin/sh
# libsmi's smilint, another reader of SMIv2, has nothing to say about the modules at level 3.
command -v smilint >/dev/null || { echo "smilint is not installed"; exit 77; }
top=${TB_SRC:-$(cd "$(dirname "$0")/../../.." && pwd)}
conf=$(mktemp) || exit 1
trap 'rm -f "$conf"' EXIT
echo "smilint: path $top/mibs:$top/mibs/smi" >"$conf"
count=0
for module in "$top"/mibs/*-MIB.txt; do
	said=$(smilint -c "$conf" -l 3 "$module" 2>&1)
	if [ -n "$said" ]; then
		echo "$said"
		exit 1
	fi
	count=$((count + 1))
done
# A check of the check: a fault must be seen.
bad=$(mktemp) || exit 1
trap 'rm -f "$conf" "$bad"' EXIT
sed 's/{ ipspdObjects 1 }/{ ipspdNothing 1 }/' "$top/mibs/IPSPD-MIB.txt" >"$bad"
if [ -z "$(smilint -c "$conf" -l 3 "$bad" 2>&1)" ]; then
	echo "smilint sees no fault where there is one"
	exit 1
fi
echo "$count modules without complaint"
[ "$count" -eq 5 ]
