# tests/net/test_attach_pcap.sh - the suite of tests/net/attach.sh, with bumps in the wire.

TB_ATTACH=pcap
. "$TB_SRC/tests/net/attach.sh"
