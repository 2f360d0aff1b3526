# tests/net/test_segments.sh - a certificate chain of 6 kB goes in and out by SNMP, in segments; secrets in
# segments come out nowhere.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
cd "$TB_DIR"

# ---- a chain of five, the end entity first ----

# certificate N ISSUER: EC keys, and a comment as long as a policy of some authorities
certificate()
{
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=number $1" \
		-keyout key$1.pem -out req$1.pem
	echo "nsComment=$(printf '%0900d' "$1")" >ext$1
	if [ "$1" = "$2" ]; then
		openssl x509 -req -in req$1.pem -signkey key$1.pem -days 9 -extfile ext$1 -outform DER -out crt$1.der
	else
		openssl x509 -req -in req$1.pem -CA crt$2.der -CAform DER -CAkey key$2.pem -set_serial 0x10$1 \
			-days 9 -extfile ext$1 -outform DER -out crt$1.der
	fi
}

chain()
{
	certificate 5 5
	for t_n in 4 3 2 1; do certificate $t_n $((t_n + 1)); done
	cat crt1.der crt2.der crt3.der crt4.der crt5.der >chain.der
	split -b 1024 -d -a 1 chain.der piece
	test "$(stat -c %s chain.der)" -gt 6000
}
claim "openssl makes a chain of more than 6000 octets" chain
t_size=$(stat -c %s chain.der)
t_last=$(((t_size - 1) / 1024 + 1))

hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }

# segment CREDENTIAL N: what snmpset takes to make that segment
segment()
{
	echo "ipsaCredSegValue.\"$1\".$2 x $(hex piece$(($2 - 1))) ipsaCredSegRowStatus.\"$1\".$2 i createAndGo"
}

# value ROUTER OBJECT: its octets in hexadecimal
value() { tb_snmp snmpget "$1" -Oqvx "$2" | tr -d '" \n' | tr A-F a-f; }
get() { tb_snmp snmpget "$1" -Oqv "$2"; }

# whole ROUTER CREDENTIAL: all segments read back, one by one
whole()
{
	: >out.hex
	for t_n in $(seq $t_last); do value "$1" "ipsaCredSegValue.\"$2\".$t_n" >>out.hex; done
	hex chain.der >in.hex
	cmp in.hex out.hex
}

# walked ROUTER WALK-TOOL CREDENTIAL: the same by a walk of the column
walked()
{
	tb_snmp "$2" "$1" -Oqvx "ipsaCredSegValue.\"$3\"" | tr -d '" \n' | tr A-F a-f >out.hex
	cmp in.hex out.hex
}

# ---- all of it in one SET, in any order ----

at_once()
{
	# shellcheck disable=SC2046
	tb_set router-a 'ipsaCredAdminStatus."chain"' i enabled \
		$(for t_n in $(seq $t_last -2 1) $(seq $((t_last - 1)) -2 1); do segment chain $t_n; done) \
		'ipsaCredType."chain"' i x509 'ipsaCredRowStatus."chain"' i createAndGo
}
claim "credential and segments are one SET, segments backwards" at_once
claim "GETs of the segments give the chain" whole router-a chain
claim "... and so does a walk" walked router-a snmpwalk chain
claim "... and a bulk walk" walked router-a snmpbulkwalk chain
claim "its size is the chain's" equal $t_size "$(get router-a 'ipsaCredSize."chain"')"
claim "the credential's own column reads empty" equal "" "$(value router-a 'ipsaCredCredential."chain"')"
claim "segments are stored as their credential" equal "$t_last nonVolatile" \
	"$(tb_snmp snmpwalk router-a -Oqv 'ipsaCredSegStorageType."chain"' | sort | uniq -c | xargs)"
claim "they changed at one time" equal 1 \
	"$(tb_snmp snmpwalk router-a -Oqvt 'ipsaCredSegLastChanged."chain"' | sort -u | wc -l)"

# ---- over several SETs ----

# shellcheck disable=SC2046
in_parts()
{
	tb_set router-a 'ipsaCredType."parts"' i x509 'ipsaCredRowStatus."parts"' i createAndWait
	for t_n in $(seq 2 $t_last); do tb_set router-a $(segment parts $t_n); done
}
claim "segments come one by one, the first one not at all" in_parts
enable='ipsaCredAdminStatus."parts" i enabled ipsaCredRowStatus."parts" i active'
claim "with a gap it cannot be used" says inconsistentValue tb_set router-a $enable
# shellcheck disable=SC2046
claim "the last one comes" tb_set router-a $(segment parts 1)
claim "without a gap it can" tb_set router-a $enable
claim "it is the chain" whole router-a parts
claim "a segment in use stays" says inconsistentValue tb_set router-a 'ipsaCredSegRowStatus."parts".2' i destroy
claim "... and cannot be spoilt" says inconsistentValue tb_set router-a 'ipsaCredSegValue."parts".1' x 00
claim "a segment of 1025 octets has the wrong length" says wrongLength tb_set router-a \
	'ipsaCredSegValue."parts".9' x "$(printf '%02050d' 0)" 'ipsaCredSegRowStatus."parts".9' i createAndGo
claim "a chain that is cut short cannot be used" says inconsistentValue tb_set router-a \
	'ipsaCredType."cut"' i x509 'ipsaCredSegValue."cut".1' x "$(hex piece0)" \
	'ipsaCredSegRowStatus."cut".1' i createAndGo \
	'ipsaCredAdminStatus."cut"' i enabled 'ipsaCredRowStatus."cut"' i createAndGo

# ---- secrets ----

# shellcheck disable=SC2046
secret()
{
	tb_set router-a 'ipsaCredType."hidden"' i sharedSecret $(segment hidden 1) $(segment hidden 2) \
		'ipsaCredAdminStatus."hidden"' i enabled 'ipsaCredRowStatus."hidden"' i createAndGo
}
claim "a secret goes into two segments" secret
claim "GET gives nothing of it" equal "" "$(value router-a 'ipsaCredSegValue."hidden".1')"
claim "a walk gives two segments of nothing" equal "2 \"\"" \
	"$(tb_snmp snmpwalk router-a -Oqv 'ipsaCredSegValue."hidden"' | sort | uniq -c | xargs -d '\n' | sed 's/^ *//')"
claim "a bulk walk too" equal 2 "$(tb_snmp snmpbulkwalk router-a -Oqv 'ipsaCredSegValue."hidden"' | grep -cx '""')"
claim "its size is none" equal 0 "$(get router-a 'ipsaCredSize."hidden"')"
claim "it cannot become a certificate, to be read" says inconsistentValue \
	tb_set router-a 'ipsaCredType."hidden"' i x509

# ---- files ----

claim "router-a's rows are exported" tb_ctl router-a export "$TB_DIR/rows.xml"
claim "router-b imports them" tb_ctl router-b import "$TB_DIR/rows.xml"
claim "router-b has the chain" whole router-b chain
claim "... in use" equal enabled "$(get router-b 'ipsaCredAdminStatus."chain"')"
conclude
