# tests/net/test_pcap_leaks.sh - what is closed stays closed: tests/net/test_leaks.sh, with bumps in the wire.

TB_ATTACH=pcap
. "$TB_SRC/tests/net/test_leaks.sh"
