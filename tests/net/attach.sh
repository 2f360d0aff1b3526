# shellcheck shell=sh
# tests/net/attach.sh - the test suite of attachments: the same for each of them (TB_ATTACH), one part after the
# other on one pair of routers. Sourced by tests/net/test_attach_*.sh, which may say what is particular to theirs: T_MORE.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
for t_part in path traffic links modes processes ${T_MORE:-} leaks; do
	echo "--- $t_part, by $TB_ATTACH"
	. "$TB_SRC/tests/net/attach_$t_part.sh"
done
conclude
