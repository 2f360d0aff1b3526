# tests/net/test_ike_pcap.sh - tests/net/ike_attach.sh, with bumps in the wire.

TB_ATTACH=pcap
. "$TB_SRC/tests/net/ike_attach.sh"
