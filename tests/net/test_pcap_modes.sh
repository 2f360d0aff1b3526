# tests/net/test_pcap_modes.sh - crossed tunnels, and transport mode for hosts: tests/net/test_modes.sh, with bumps in the wire.

TB_ATTACH=pcap
. "$TB_SRC/tests/net/test_modes.sh"
