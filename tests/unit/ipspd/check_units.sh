# tests/unit/ipspd/check_units.sh - systemd's own judgement of the units, and the order in which they load.

command -v systemd-analyze >/dev/null || { echo "no systemd-analyze"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
for unit in ipspd.service ipspd-guard.service; do
	# What is judged is here: the program need not be installed.
	sed "s|^ExecStart=[^ ]*|ExecStart=$TB_BUILD/sbin/ipspd|" "$TB_BUILD/dist/systemd/$unit" >"$dir/$unit"
done
verify() { systemd-analyze verify --man=no --recursive-errors=no "$dir/$1" >"$dir/said" 2>&1 && [ ! -s "$dir/said" ]; }
claim()
{
	text=$1
	shift
	if "$@"; then
		echo "ok: $text"
	else
		echo "FAILED: $text"
		cat "$dir/said" 2>/dev/null
		failed=1
	fi
}
# in_list UNIT KEY WORD: the unit names it there.
in_list() { grep "^$2=" "$dir/$1" | tr '= ' '\n\n' | grep -qx "$3"; }

claim "the daemon's unit is good" verify ipspd.service
claim "the guard's unit is good" verify ipspd-guard.service
claim "the guard comes before any network" in_list ipspd-guard.service Before network-pre.target
claim "... and makes the network wait for it" in_list ipspd-guard.service Wants network-pre.target
claim "... and before the daemon" in_list ipspd.service After ipspd-guard.service
claim "... which brings it along" in_list ipspd.service Wants ipspd-guard.service
claim "... and does not wait for the system to be up" in_list ipspd-guard.service DefaultDependencies no
for other in nftables netfilter-persistent ufw; do
	claim "... and after $other, which flushes nftables" in_list ipspd-guard.service After $other.service
done
exit $failed
