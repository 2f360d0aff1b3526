# tests/net/test_attach_tun.sh - the suite of tests/net/attach.sh, with a virtual interface and raw sockets.

TB_ATTACH=tun
. "$TB_SRC/tests/net/attach.sh"
