# tests/net/test_pfkey.sh - every PF_KEY message to a running daemon, laid out by another program; policies by
# PF_KEY are seen in the SPD, outlive engine and agent, and are behind what rows say.

. "$TB_SRC/tests/net/lib.sh"
TB_ATTACH=none
tb_init
tb_topology
tb_snmpd router-a
tb_ipspd router-a
tb_ctl router-a wait --snmp --timeout 30
sock=$TB_DIR/router-a/pfkey

claim "the socket is root's alone" equal "600 0 0" "$(stat -c '%a %u %g' "$sock")"
tb_in router-a /usr/bin/python3 "$TB_SRC/tests/net/pfkey_judge.py" "$sock" 2>&1 | tee "$TB_DIR/judge.out"
claim "the judge comes to its end" grep -q '^the end, ' "$TB_DIR/judge.out"
T_PASSED=$((T_PASSED + $(grep -c '^ok: ' "$TB_DIR/judge.out" || :)))
T_FAILED=$((T_FAILED + $(grep -c '^FAILED: ' "$TB_DIR/judge.out" || :)))

# say LINE..: statements on a client of the socket.
say() { tb_in router-a env PYTHONPATH="$TB_SRC/tests/net" /usr/bin/python3 -c "
from pfkey_client import *
c = Client('$sock')
$1"; }
source_of() { tb_snmp snmpwalk router-a -Ov -Oq ipspdSpdSource; }

count_sas() { tb_ctl router-a --json show sad | grep -c keyManager || :; }
walk_sas() { tb_snmp snmpbulkwalk router-a -Ov -Oq ipspdSaOrigin | grep -c keyManager || :; }
claim "a key manager makes SAs" say "
for i in range(2000):
    m = c.ask(ADD, ESP, [sa(0x10000 + i)] + addresses('127.0.0.1', '198.51.100.2') +
              [lifetime(E_HARD, add=3600), key(E_AUTH, bytes(32)), key(E_ENCRYPT, bytes(16)), sa2(TUNNEL, 9)])
    assert m.errno == 0"
claim "ipspctl shows all of them" equal 2000 "$(count_sas)"
claim "a manager sees all of them" tb_until 10 eval 'equal 2000 "$(walk_sas)"'
claim "... with their lifetimes" says 3600 tb_snmp snmpwalk router-a -Ov -Oq ipspdSaLifeSeconds
claim "flushed they are gone" say "assert c.ask(FLUSH).errno == 0"
claim "... for ipspctl" equal 0 "$(count_sas)"

claim "a manager sees who computes" says libgcrypt tb_snmp snmpwalk router-a -Ov -Oq ipspdCryptoLibraryName
claim "... what" says aes-gcm-16-128 tb_snmp snmpwalk router-a -Ov -Oq ipspdCryptoSuiteCipher
claim "... how fast" says ' Mbit/s' tb_ctl router-a show algorithms
claim "... and that it is not weak" equal false "$(tb_snmp snmpget router-a -Ov -Oq ipspdCryptoWeak.0)"

claim "a policy is installed" say "
assert c.ask(SPDADD, 0, selector('10.1.0.0/16', '10.2.0.0/16') + [policy(DISCARD, OUT)]).errno == 0"
claim "a manager sees whose it is" says keyManager source_of
claim "... and ipspctl" says 'PF_KEY policy' tb_ctl router-a show spd
for role in engine agent; do
	kill -9 "$(tb_process router-a $role)"
	claim "it outlives the $role" tb_until 20 say "
assert len(c.dump(SPDDUMP)) == 1"
	claim "... in force" tb_until 20 eval 'tb_ctl router-a show spd | grep -q "PF_KEY policy"'
done
conclude
