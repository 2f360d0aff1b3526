# tests/net/test_pcap_processes.sh - processes killed under traffic: tests/net/test_processes.sh, with bumps in the wire.

TB_ATTACH=pcap
. "$TB_SRC/tests/net/test_processes.sh"
