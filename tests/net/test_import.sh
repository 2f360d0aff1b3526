# tests/net/test_import.sh - files and URLs read by a process that holds nothing; secrets that leave and come back.

. "$TB_SRC/tests/net/lib.sh"
tb_init
t_routers
claim "a whole policy is SET on both routers" tb_policies

ctl() { tb_ctl router-a "$@"; }
# Behind the protecting rules, everything else is accepted.
for t_dir in out in; do
	ctl create spdRuleDefinitionTable "rest-$t_dir" spdRuleDefFilter=spdTrueFilter.0 \
		spdRuleDefAction=spdAcceptAction.0 >/dev/null
	ctl create spdGroupContentsTable "wan-$t_dir,60000" "spdGroupContComponentName=rest-$t_dir" >/dev/null
done
ctl wait
claim "traffic is protected" pings host-a 10.2.0.2

agent=$(tb_process router-a agent)
plain=$TB_DIR/plain.xml
ctl export "$plain"
unchanged() { ctl export >"$TB_DIR/now.xml" && cmp "$plain" "$TB_DIR/now.xml"; }

# ---- secrets in files ----
pass=$TB_DIR/pass key=$TB_DIR/key sealed=$TB_DIR/sealed.xml
echo 'the passphrase of this test' >"$pass"
echo 'another passphrase' >"$TB_DIR/wrong"
head -c 32 /dev/urandom >"$key"
chmod 600 "$pass" "$TB_DIR/wrong" "$key"
claim "an export has no secrets" not grep -q sealedSecrets "$plain"
claim "an export with secrets" ctl export "$sealed" --with-secrets --passphrase-file "$pass"
claim "... is the export with one element more" eval \
	'sed "/<sealedSecrets/,/<\/sealedSecrets>/d" "$sealed" | cmp - "$plain"'
claim "... and is well-formed" xmllint --noout "$sealed"
claim "... twice the same" eval 'ctl export --with-secrets --passphrase-file "$pass" | cmp - "$sealed"'
claim "... with all eight secrets" equal 8 "$(grep -c '<secret>' "$sealed")"
base64_of() { python3 -c 'import base64, sys; print(base64.b64encode(bytes.fromhex(sys.argv[1])).decode())' "$1"; }
no_key() { not grep -qiF -e "$tb_ab_enc" -e "$(base64_of "$tb_ab_enc")" "$1"; }
claim "... none of them in the clear" no_key "$sealed"
claim "importing it where it comes from changes nothing" says 'created 0, changed 0, destroyed 0' \
	ctl import "$sealed" --replace --passphrase-file "$pass"

# An empty system with a key file of its own.
ip netns add "$(tb_ns spare)"
TB_SPACES="$TB_SPACES $(tb_ns spare)"
mkdir -p "$TB_DIR/spare"
tb_in spare ip link set lo up
tb_ipspd spare
spare() { tb_ctl spare "$@"; }
spare export "$TB_DIR/empty.xml"
still_empty() { spare export >"$TB_DIR/now.xml" && cmp "$TB_DIR/empty.xml" "$TB_DIR/now.xml"; }
line_of() { grep -n "$1" "$sealed" | head -n 1 | cut -d: -f1; }
claim "without a key the file is refused" says 'no terminal' setsid -w \
	ip netns exec "$(tb_ns spare)" "$TB_BUILD/ipspctl/ipspctl" -s "$TB_DIR/spare/control" import "$sealed"
claim "a wrong passphrase is refused with file, line and object" \
	says "$sealed:$(line_of '<sealedSecrets'):" spare import "$sealed" --passphrase-file "$TB_DIR/wrong"
claim "a key file is not a passphrase" says 'not under a key file' spare import "$sealed" --key-file "$key"
awk '/<value>/ { n++ } n == 1 && /<value>/ { a = substr($0, index($0, "<value>") + 7, 1)
	sub("<value>.", "<value>" (a == "A" ? "B" : "A")) } 1' "$sealed" >"$TB_DIR/tampered.xml"
claim "tampered ciphertext is refused with its object" says 'ipsaCredCredential."ab-enc"' \
	spare import "$TB_DIR/tampered.xml" --passphrase-file "$pass"
python3 - "$sealed" "$TB_DIR/swapped.xml" "$TB_DIR/short.xml" <<-'PY'
	import re, sys
	text = open(sys.argv[1]).read()
	values = re.findall(r'<value>.*?</value>', text)
	swapped = text.replace(values[0], '@').replace(values[1], values[0]).replace('@', values[1])
	open(sys.argv[2], 'w').write(swapped)
	open(sys.argv[3], 'w').write(re.sub(r' *<secret>.*?</secret>\n', '', text, count=1, flags=re.S))
PY
claim "secrets that have changed places are refused" says 'another row' \
	spare import "$TB_DIR/swapped.xml" --passphrase-file "$pass"
claim "a list that lacks a secret is refused" says 'listCheck' \
	spare import "$TB_DIR/short.xml" --passphrase-file "$pass"
sed '/<listCheck>/d' "$sealed" >"$TB_DIR/cut.xml"
claim "a list without its end is refused" says 'listCheck' \
	spare import "$TB_DIR/cut.xml" --passphrase-file "$pass"
claim "nothing has changed by all that" still_empty
claim "with the passphrase it comes in" spare import "$sealed" --passphrase-file "$pass"
claim "... and goes out again the same" eval \
	'spare export --with-secrets --passphrase-file "$pass" | cmp - "$sealed"'
claim "the two systems have different key files" not cmp "$TB_DIR/router-a/state/ipspd.key" "$TB_DIR/spare/state/ipspd.key"
claim "a key file does it too" ctl export "$TB_DIR/keyed.xml" --with-secrets --key-file "$key"
claim "... into the other system" says 'created 0, changed 0' spare import "$TB_DIR/keyed.xml" --key-file "$key"
claim "... and out of it the same" eval 'spare export --with-secrets --key-file "$key" | cmp - "$TB_DIR/keyed.xml"'
claim "no log names a passphrase" eval 'not grep -q "passphrase of this test" "$TB_DIR"/*/*.log'
chmod 644 "$key"
claim "a key that others can read is refused" says '0600' spare import "$TB_DIR/keyed.xml" --key-file "$key"
kill "$(tb_pid spare ipspd)"
tb_reap "$(tb_pid spare ipspd)"
ip netns exec "$(tb_ns spare)" "$TB_BUILD/ipspctl/ipspctl" -S "$TB_DIR/spare/state" guard remove
rm -rf "$TB_DIR/spare/state"
tb_ipspd spare -i "$plain"
claim "-i brings rows in before the doors open" says 'notReady' spare get ipsaCredentialTable ab-enc
claim "... and the log names those that are not ready" tb_until 10 grep -q 'ipsaCredentialTable."ab-enc"' "$TB_DIR/spare/ipspd.log"
kill "$(tb_pid spare ipspd)"
tb_reap "$(tb_pid spare ipspd)"
claim "a bad file of -i ends the daemon, with file and line" says "$pass line 1:" ip netns exec "$(tb_ns spare)" \
	"$TB_BUILD/sbin/ipspd" -f -c /dev/null -S "$TB_DIR/spare/state" -s "$TB_DIR/spare/control" -a none -i "$pass"
claim "... and it did end" not kill -0 "$(tb_pid spare ipspd)"

# ---- attacks ----
bad=$TB_DIR/bad.xml
refused() { says "$bad:$1:" ctl import "$bad" && grep -qF -- "$2" "$TB_DIR/says.out"; }
cat >"$bad" <<-'XML'
	<?xml version="1.0"?>
	<!DOCTYPE data [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
	<data xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">&c;</data>
XML
claim "entities that grow are refused" refused 2 'document type'
printf '<!DOCTYPE data SYSTEM "file:///etc/passwd" [<!ENTITY %% p SYSTEM "http://127.0.0.1/x"> %%p;]>\n<data/>\n' >"$bad"
claim "external entities are refused" refused 1 'document type'
printf '<data xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">\n<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>\n</data>' >"$bad"
claim "an inclusion is refused" refused 2 'attributes'
{ printf '<data xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">\n'; head -c 2000000 /dev/zero | tr '\0' '<'; } >"$bad"
claim "nonsense is refused" refused 2 ''
{ printf '<data '; head -c 2000000 /dev/zero | tr '\0' 'a'; printf '="x"/>'; } >"$bad"
claim "a huge attribute is refused" refused 1 'too long'
printf '\377\376<\0d\0/\0>\0' >"$bad"
claim "UTF-16 is refused" refused 1 'UTF-8'
truncate -s 65M "$bad"
claim "a huge file is refused" says 'large' ctl import "$bad"
claim "nothing has changed by all that" unchanged
claim "... and the agent is the same" equal "$agent" "$(tb_process router-a agent)"

# ---- URLs ----
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$TB_DIR/cert.key" -out "$TB_DIR/cert.pem" 2>/dev/null
chmod 644 "$TB_DIR/cert.pem"
cat "$TB_DIR/cert.pem" >>"$TB_DIR/cert.key"
tb_start router-a http /usr/bin/python3 "$TB_SRC/tests/net/serve.py" 8080 "$plain"
tb_start router-a https /usr/bin/python3 "$TB_SRC/tests/net/serve.py" 8443 "$plain" "$TB_DIR/cert.key"
http=http://127.0.0.1:8080
tb_until 20 tb_in router-a python3 -c "import socket; [socket.create_connection(('127.0.0.1', p)) for p in (8080, 8443)]"
same='created 0, changed 0, destroyed 0'
claim "a URL is imported" says "$same" ctl import $http/good
claim "... by a name" says "$same" ctl import http://localhost:8080/good
claim "... over redirects" says "$same" ctl import $http/3/good
claim "... but not over too many" says 'redirect' ctl import $http/9/good
claim "... nor over a ring of them" says 'redirect' ctl import $http/round
claim "a redirect to a file is refused" says 'cannot be fetched' ctl import $http/to-file
claim "a redirect to another protocol is refused" says 'cannot be fetched' ctl import $http/to-ftp
claim "a file is no URL" says 'only http and https' ctl import file:///etc/passwd
claim "nor is a password in one" says 'cannot be fetched' ctl import http://a:b@127.0.0.1:8080/good
claim "what is not there is said" says '404' ctl import $http/gone
claim "nobody there is said" says "http://127.0.0.1:9/x: " ctl import http://127.0.0.1:9/x
claim "a body without an end is refused" says 'large' ctl import $http/endless
claim "a slow server has its time and no more" says 'imed out' ctl import $http/slow --timeout 2
claim "a certificate that nobody vouches for is refused" says 'ertificate' ctl import https://localhost:8443/good
# A daemon for which that certificate is one of the system's.
cat >"$TB_DIR/trusting" <<-SH
	mount --bind "$TB_DIR/cert.pem" /etc/ssl/certs/ca-certificates.crt && exec "\$@"
SH
tb_start spare https /usr/bin/python3 "$TB_SRC/tests/net/serve.py" 8443 "$plain" "$TB_DIR/cert.key"
tb_start spare ipspd unshare -m sh "$TB_DIR/trusting" "$TB_BUILD/sbin/ipspd" -f -c /dev/null \
	-S "$TB_DIR/spare/state" -s "$TB_DIR/spare/control" -a none
tb_until 30 spare show status
claim "... one that the system knows is good" says "$same" spare import https://localhost:8443/good
claim "... but not for another name" says 'ertificate' spare import https://127.0.0.1:8443/good
claim "https never leads to http" says 'cannot be fetched' spare import https://localhost:8443/to-http
claim "nothing has changed by all that" unchanged

# ---- the process ----
begin_slow()
{
	tb_start router-a slow "$TB_BUILD/ipspctl/ipspctl" -s "$TB_DIR/router-a/control" import $http/slow --timeout "$1"
	slow=$TB_LAST
	tb_until 20 eval 'test -n "$(tb_process router-a import)"'
	importer=$(tb_process router-a import)
	tb_until 20 grep -q "GET /slow" "$TB_DIR/router-a/http.log"
	: >"$TB_DIR/router-a/http.log"
}
: >"$TB_DIR/router-a/http.log"
begin_slow 60
claim "other doors go on while a file is read" ctl show status
claim "... and writing ones" ctl set spdLocalConfigObjects spdIngressPolicyGroupName=meanwhile
ctl set spdLocalConfigObjects spdIngressPolicyGroupName= >/dev/null
state() { grep -h "^$1:" "/proc/$importer/status" | cut -f2-; }
claim "the import process is the unprivileged account" equal _ipspd "$(ps -o user= -p "$importer")"
claim "... has no capability" equal 0000000000000000 "$(state CapEff)$(state CapPrm | tr -d 0)"
claim "... no group" equal '' "$(state Groups | tr -d ' ')"
claim "... is behind a system call filter" equal 2 "$(state Seccomp)"
claim "... gains nothing new" equal 1 "$(state NoNewPrivs)"
claim "... has no file of the store" eval 'not ls -l /proc/$importer/fd | grep -q "$TB_DIR"'
claim "... and little memory, time and no file to write" eval \
	'grep -qE "Max file size +0 +0" /proc/$importer/limits && grep -qE "Max cpu time +[0-9]+ " /proc/$importer/limits'
kill -9 "$importer"
wait "$slow" && t_rc=0 || t_rc=$?
claim "killed in the middle, it is an error" equal 1 "$t_rc"
claim "... that says so" grep -q 'import process ended' "$TB_DIR/router-a/slow.log"
# Long enough for it to begin on a busy machine, too.
begin_slow 4
kill -STOP "$importer"
wait "$slow" && t_rc=0 || t_rc=$?
claim "one that hangs is killed at its deadline" equal 1 "$t_rc"
begin_slow 60
kill "$slow"
wait "$slow" 2>/dev/null || :
claim "one that nobody wants any more is ended" tb_until 20 eval 'test -z "$(tb_process router-a import)"'
claim "... and the next file is read" says "$same" ctl import $http/good
claim "nothing has changed by all that" unchanged
claim "... and the agent is the same" equal "$agent" "$(tb_process router-a agent)"

# ---- without secrets, what was protected drops ----
kill "$(tb_pid router-a ipspd)"
tb_reap "$(tb_pid router-a ipspd)"
tb_in router-a "$TB_BUILD/ipspctl/ipspctl" -S "$TB_DIR/router-a/state" guard remove
rm -rf "$TB_DIR/router-a/state"
tb_ipspd router-a
sniff wan a lost
ctl import "$plain" >"$TB_DIR/listed"
for t_row in 'ipsaCredentialTable."ab-enc"' 'ipsaSaPreconfiguredActionTable."tunnel",outbound' \
	'spdRuleDefinitionTable."tunnel-out"' 'spdGroupContentsTable."wan-out",100'; do
	claim "without its secret $t_row is listed" grep -qF "not ready: $t_row" "$TB_DIR/listed"
done
claim "... and reads notReady" says notReady ctl get spdRuleDefinitionTable tunnel-out
claim "rows that need no secret are active" says active ctl get spdRuleDefinitionTable rest-out
ctl wait
claim "what the rule behind them accepts passes" pings router-a 192.0.2.254 2
claim "what they protected does not pass" silent host-a 10.2.0.2
claim "the same file again changes nothing" says "$same" ctl import "$plain"
kill "$(tb_pid router-a ipspd)"
tb_reap "$(tb_pid router-a ipspd)"
tb_ipspd router-a
ctl wait --timeout 30
claim "nor after a restart" silent host-a 10.2.0.2
claim "... when the other passes still" pings router-a 192.0.2.254 2
unsniff wan lost
claim "no clear packet was seen" equal 0 "$(seen wan lost 'ip.addr == 10.2.0.2 && !esp')"
claim "the file with secrets repairs them all" not grep -q 'not ready' "$(ctl import "$sealed" --passphrase-file "$pass" \
	>"$TB_DIR/repaired"; echo "$TB_DIR/repaired")"
ctl wait
claim "... and the export is what it was" unchanged
claim "no agent or engine died of its sandbox" eval 'not grep -q "signal 31" "$TB_DIR"/*/ipspd.log'
conclude
