# tests/net/test_pcap_udp.sh - ESP in UDP through a NAT: tests/net/test_udp.sh, with bumps in the wire.

TB_ATTACH=pcap
. "$TB_SRC/tests/net/test_udp.sh"
