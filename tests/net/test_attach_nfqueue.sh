# tests/net/test_attach_nfqueue.sh - the suite of tests/net/attach.sh, with the kernel's queues.

TB_ATTACH=nfqueue T_MORE=queues
. "$TB_SRC/tests/net/attach.sh"
