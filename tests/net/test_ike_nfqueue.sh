# tests/net/test_ike_nfqueue.sh - tests/net/ike_attach.sh, with the kernel's queues.

TB_ATTACH=nfqueue
. "$TB_SRC/tests/net/ike_attach.sh"
