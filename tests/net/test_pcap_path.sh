# tests/net/test_pcap_path.sh - the whole path of tests/net/test_path.sh, with bumps in the wire.

TB_ATTACH=pcap
. "$TB_SRC/tests/net/test_path.sh"
