#!/bin/sh
# The provider that takes ICVs nobody checked is in ipsp-pcap, and in no program that runs as a daemon.
set -eu
cd "${TB_BUILD:-.}"

# has PROGRAM: libtool may have put a script in its place
has()
{
	program=$1
	[ -f "${1%/*}/.libs/${1##*/}" ] && program=${1%/*}/.libs/${1##*/}
	nm "$program" | grep -q ' ipsp_crypto_analysis$'
}

has ipsp-pcap/ipsp-pcap || { echo "not found where it belongs"; exit 1; }
! has sbin/ipspd || { echo "ipspd is linked with the provider for analysis"; exit 1; }
for library in .libs/libipsp.a .libs/libipsp_gcrypt.a; do
	! nm "$library" 2>/dev/null | grep -q 'ipsp_crypto_analysis' ||
		{ echo "$library has the provider for analysis"; exit 1; }
done
