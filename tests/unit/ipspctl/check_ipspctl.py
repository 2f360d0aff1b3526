#!/usr/bin/python3
"""The command line against a daemon that the test plays: ipspctl/.

What is asked (the request's JSON and file), what is shown, and the exit status: 0 done, 1 refused or
no answer, 2 usage. The frame is written out here: version 1, zero, type, length, then the payload.
"""
import hashlib
import hmac
import json
import os
import pty
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

REQUEST, ITEM, END, PART, KEY = 1, 2, 3, 4, 5
IPSPCTL = os.path.join(os.environ.get('TB_BUILD', '.'), 'ipspctl', 'ipspctl')


def frame(kind, payload):
    return struct.pack('>BBHI', 1, 0, kind, len(payload)) + payload


ASKED = object()    # among a daemon's frames: the client is to send a key now


class Daemon:
    """Answers one request with the frames given; None closes instead."""

    def __init__(self, path, frames, write=None):
        self.request = None
        self.file = None
        self.key = None
        self.frames = frames
        self.write = write
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(1)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        try:
            peer, _ = self.listener.accept()
        except OSError:
            return
        with peer:
            data, fds, _, _ = socket.recv_fds(peer, 70000, 4)
            if len(data) < 8:
                return
            assert struct.unpack('>BBHI', data[:8]) == (1, 0, REQUEST, len(data) - 8), data[:8]
            self.request = json.loads(data[8:])
            if fds:
                size = os.fstat(fds[0]).st_size
                self.file = os.pread(fds[0], size, 0)
                if self.write is not None:
                    os.write(fds[0], self.write)
                for fd in fds:
                    os.close(fd)
            for f in self.frames:
                if f is not ASKED:
                    peer.sendall(f)
                elif not self.take_key(peer):
                    return

    def take_key(self, peer):
        """The answer to a question for a key: an empty message with a pipe."""
        data, fds, _, _ = socket.recv_fds(peer, 70000, 4)
        if not data:
            return False
        assert struct.unpack('>BBHI', data) == (1, 0, KEY, 0), data
        assert stat.S_ISFIFO(os.fstat(fds[0]).st_mode)
        self.key = os.read(fds[0], 4096)
        os.close(fds[0])
        return True

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(20)


def item(**members):
    return frame(ITEM, json.dumps(members).encode())


DONE = frame(END, b'{}')


def refusal(**error):
    return frame(END, json.dumps({'error': error}).encode())


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.socket = os.path.join(self.dir.name, 'control')

    def tearDown(self):
        self.dir.cleanup()

    def path(self, name, content=None):
        path = os.path.join(self.dir.name, name)
        if content is not None:
            with open(path, 'wb') as f:
                f.write(content)
        return path

    def run_ctl(self, *words, options=(), stdin=b'', stdout=subprocess.PIPE):
        return subprocess.run([IPSPCTL, '-s', self.socket, *options, *words], input=stdin,
                              stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False)

    def converse(self, words, frames=(DONE,), write=None, **how):
        daemon = Daemon(self.socket, frames, write)
        try:
            done = self.run_ctl(*words, **how)
        finally:
            daemon.stop()
            os.unlink(self.socket)
        return done, daemon


class Usage(Case):
    WRONG = [
        [], ['nonsense'], ['show'], ['show', 'nonsense'], ['show', 'spd', 'extra'],
        ['show', 'rows', 'a', 'b'], ['get'], ['get', 'T', 'i', 'x'], ['get', 'T', 'i', 'c=v'],
        ['set'], ['set', 'T'], ['set', 'T', 'i'], ['set', 'T', 'i', 'j'],
        ['set', 'T', 'i', 'c=v', 'no'], ['set', 'T', 'i', '=v'], ['create'],
        ['create', 'T', 'i', 'j'], ['delete'], ['delete', 'T', 'i', 'j'], ['import'],
        ['import', '--replace'], ['import', 'a', 'b'], ['import', 'a', '--nonsense'],
        ['import', 'a', '--timeout'], ['import', 'a', '--timeout', 'x'], ['import', 'a', '--with-secrets'],
        ['import', 'a', '--key-file', 'b', '--passphrase-file', 'c'],
        ['import', 'a', '--key-file', 'b', '--without-secrets'], ['export', '--key-file', 'a'],
        ['export', '--replace'], ['export', 'a', 'b'],
        ['import', 'a', '--merge', '--replace'], ['export', 'a', 'b'], ['export', '--nonsense'],
        ['wait', '--generation'], ['wait', '--generation', 'x'], ['wait', '--generation', ''],
        ['wait', '--timeout', '-1'], ['wait', '--timeout', '99999999999999999999'],
        ['wait', '--timeout', '1x'], ['wait', '5'], ['release'], ['release', 'all'],
        ['release', 'all', 'up'], ['release', 'all', 'inbound', 'x'], ['monitor', 'x'], ['log'],
        ['log', 'a', 'b'], ['guard'], ['guard', 'show', 'x'], ['guard', 'remove', 'x'],
        ['lookup'], ['lookup', 'lo', 'inbound', '::1'], ['lookup', 'lo', 'inbound', '::1', '::2', 'tcp'],
        ['lookup', 'lo', 'inbound', '::1', '::2', '6', 'x'],
        ['lookup', 'lo', 'inbound', '::1', '::2', '6', '1', '2', '3'],
        ['firewall', 'a', 'b', 'c'], ['firewall', ''], ['firewall', 'a b'], ['firewall', 'a;'],
        ['firewall', 'a', 'b"'], ['firewall', 'a', 'sixteen-letters.'], ['firewall', 'a' * 65],
    ]

    def test_wrong_words_exit_2_and_ask_nothing(self):
        for words in self.WRONG:
            with self.subTest(words=words):
                done = self.run_ctl(*words)
                self.assertEqual(done.returncode, 2)
                self.assertIn(b'usage: ipspctl', done.stderr)
                self.assertEqual(done.stdout, b'')

    def test_unknown_option_exits_2(self):
        self.assertEqual(self.run_ctl('show', 'spd', options=['--nonsense']).returncode, 2)

    def test_help_and_version_exit_0(self):
        done = self.run_ctl(options=['--help'])
        self.assertEqual(done.returncode, 0)
        for word in (b'show spd', b'import FILE', b'release', b'monitor'):
            self.assertIn(word, done.stdout)
        done = self.run_ctl(options=['--version'])
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.startswith(b'ipspd '))


class NoAnswer(Case):
    def test_no_daemon_exits_1_and_says_so(self):
        done = self.run_ctl('show', 'status')
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'is ipspd running?', done.stderr)

    def test_socket_path_too_long(self):
        done = subprocess.run([IPSPCTL, '-s', '/' + 'x' * 200, 'show', 'spd'],
                              stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'too long', done.stderr)

    def test_answer_without_end_exits_1(self):
        for frames in ([], [item(text='x')], [frame(PART, b'{')], [frame(ITEM, b'nonsense')]):
            with self.subTest(frames=frames):
                done, _ = self.converse(['show', 'status'], frames)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b'before it had answered', done.stderr)


class Requests(Case):
    ASKED = [
        (['show', 'spd'], {'command': 'spd'}),
        (['show', 'sad'], {'command': 'sad'}),
        (['show', 'stats'], {'command': 'stats'}),
        (['show', 'status'], {'command': 'status'}),
        (['show', 'rows'], {'command': 'rows'}),
        (['show', 'rows', 'T'], {'command': 'rows', 'table': 'T'}),
        (['get', 'T'], {'command': 'get', 'table': 'T'}),
        (['get', 'T', 'a,1'], {'command': 'get', 'table': 'T', 'index': 'a,1'}),
        (['get', 'T', 'a=b'], {'command': 'get', 'table': 'T', 'index': 'a=b'}),
        (['set', 'T', 'c=v'], {'command': 'set', 'table': 'T', 'values': {'c': 'v'}}),
        (['set', 'T', '"a=b"', 'c=v=w', 'd='],
         {'command': 'set', 'table': 'T', 'index': '"a=b"', 'values': {'c': 'v=w', 'd': ''}}),
        (['create', 'T', 'i'], {'command': 'create', 'table': 'T', 'index': 'i', 'values': {}}),
        (['delete', 'T', 'i'], {'command': 'delete', 'table': 'T', 'index': 'i'}),
        (['wait'], {'command': 'wait'}),
        (['wait', '--snmp', '--generation', '7', '--timeout', '0'],
         {'command': 'wait', 'snmp': True, 'generation': 7, 'timeout': 0}),
        (['guard', 'show'], {'command': 'guard-show'}),
        (['lookup', '7', 'inbound', '::1', '::2'],
         {'command': 'lookup', 'ifindex': 7, 'direction': 'inbound', 'source': '::1',
          'destination': '::2'}),
        (['lookup', '7', 'outbound', '10.0.0.1', '10.0.0.2', '6', '9', '80'],
         {'command': 'lookup', 'ifindex': 7, 'direction': 'outbound', 'source': '10.0.0.1',
          'destination': '10.0.0.2', 'protocol': 6, 'source-port': 9, 'destination-port': 80}),
        (['lookup', '7', 'outbound', '10.0.0.1', '10.0.0.2', '1', '8', '0'],
         {'command': 'lookup', 'ifindex': 7, 'direction': 'outbound', 'source': '10.0.0.1',
          'destination': '10.0.0.2', 'protocol': 1, 'type': 8, 'code': 0}),
        (['release', 'all', 'inbound'],
         {'command': 'release', 'ifindex': 0, 'direction': 'inbound'}),
        (['release', 'lo', 'outbound'],
         {'command': 'release', 'ifindex': socket.if_nametoindex('lo'), 'direction': 'outbound'}),
        (['release', '4242', 'outbound'],
         {'command': 'release', 'ifindex': 4242, 'direction': 'outbound'}),
        (['monitor'], {'command': 'monitor'}),
        (['log', 'debug'], {'command': 'log', 'level': 'debug'}),
    ]

    def test_words_become_requests(self):
        for words, wanted in self.ASKED:
            with self.subTest(words=words):
                done, daemon = self.converse(words)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(daemon.request, wanted)

    def test_unknown_interface_asks_nothing(self):
        for name in ('no-such-if', '0', '', '-3', '2x'):
            with self.subTest(name=name):
                done = self.run_ctl('release', name, 'inbound')
                self.assertEqual(done.returncode, 1)
                self.assertIn(b'no such interface', done.stderr)

    def test_refusal_exits_1_with_object_and_reason(self):
        done, _ = self.converse(['delete', 'T', 'i'], [refusal(
            code='inconsistentValue', object='C."i"', text='it is in use')])
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, b'ipspctl: C."i": it is in use (inconsistentValue)\n')
        self.assertEqual(done.stdout, b'')


class Files(Case):
    def test_import_hands_over_a_copy(self):
        path = self.path('a.xml', b'<data/>')
        done, daemon = self.converse(
            ['import', path, '--replace', '--dry-run', '--diff'],
            [item(difference='+ T."x"'), item(created=1, changed=2, destroyed=3, generation=0),
             DONE])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(daemon.request, {'command': 'import', 'replace': True, 'dry-run': True,
                                          'difference': True, 'secrets': True})
        self.assertEqual(daemon.file, b'<data/>')
        self.assertEqual(done.stdout, b'+ T."x"\ncreated 1, changed 2, destroyed 3\n')

    def test_import_merges_by_default_and_from_standard_input(self):
        for words in (['-'], ['-', '--merge']):
            done, daemon = self.converse(['import', *words], stdin=b'<x/>')
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(daemon.request, {'command': 'import', 'secrets': True})
            self.assertEqual(daemon.file, b'<x/>')

    def test_refused_import_names_file_and_line(self):
        path = self.path('a.xml', b'<data/>')
        done, _ = self.converse(['import', path], [refusal(
            code='wrongValue', line=12, object='spdRuleDefAdminStatus', text='no')])
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.decode(),
                         f'ipspctl: {path}:12: spdRuleDefAdminStatus: no (wrongValue)\n')

    def test_file_that_is_not_there_or_too_large(self):
        done = self.run_ctl('import', self.path('none'))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'No such file', done.stderr)
        path = self.path('huge')
        with open(path, 'wb') as f:
            f.truncate((64 << 20) + 1)
        done = self.run_ctl('import', path)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'too large', done.stderr)

    def test_export_writes_file_or_standard_output(self):
        path = self.path('out.xml')
        done, daemon = self.converse(['export', path], write=b'<data/>')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(daemon.request, {'command': 'export'})
        with open(path, 'rb') as f:
            self.assertEqual(f.read(), b'<data/>')
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        for words in ([], ['-']):
            done, _ = self.converse(['export', *words], write=b'<data/>')
            self.assertEqual(done.stdout, b'<data/>')

    def test_refused_export_leaves_the_file_alone(self):
        path = self.path('out.xml', b'old')
        done, _ = self.converse(['export', path], [refusal(code='resourceUnavailable', text='no')])
        self.assertEqual(done.returncode, 1)
        with open(path, 'rb') as f:
            self.assertEqual(f.read(), b'old')

    def test_full_disk_exits_1(self):
        done, _ = self.converse(['export', '/dev/full'], write=b'<data/>')
        self.assertEqual(done.returncode, 1)
        with open('/dev/full', 'wb') as full:
            done, _ = self.converse(['show', 'stats'], [item(reason='x', packets=1), DONE],
                                    stdout=full)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'standard output', done.stderr)


SALT = bytes(range(16))


def question(kind):
    return item(seal={'kind': kind, 'salt': SALT.hex()})


class Secrets(Case):
    """Keys as python's hashlib makes them."""

    def private(self, name, content):
        path = self.path(name, content)
        os.chmod(path, 0o600)
        return path

    def scrypt(self, passphrase):
        return hashlib.scrypt(passphrase, salt=SALT, n=65536, r=8, p=1, maxmem=1 << 28, dklen=64)

    def test_passphrase_of_a_file_becomes_a_key(self):
        path = self.private('pass', b'correct horse\nsecond line\n')
        for command in (['export', '--with-secrets'], ['import', self.path('a.xml', b'<data/>')]):
            done, daemon = self.converse([*command, '--passphrase-file', path],
                                         [question('passphrase'), ASKED, DONE])
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(daemon.key, self.scrypt(b'correct horse'))
            self.assertNotIn(b'horse', json.dumps(daemon.request).encode())

    def test_key_file_becomes_a_key(self):
        content = bytes(range(0x40, 0x60))
        path = self.private('key', content)
        done, daemon = self.converse(['export', '--with-secrets', '--key-file', path],
                                     [question('key-file'), ASKED, DONE])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(daemon.request, {'command': 'export', 'secrets': 'key-file'})
        self.assertEqual(daemon.key,
                         hmac.new(content, b'ipspd key file' + SALT, hashlib.sha512).digest())

    def refused(self, words, kind, reason):
        done, daemon = self.converse(words, [question(kind), ASKED])
        self.assertEqual(done.returncode, 1)
        self.assertIn(reason, done.stderr)
        self.assertNotIn(b'closed the connection', done.stderr)
        self.assertIsNone(daemon.key)

    def test_bad_keys_are_refused_here(self):
        xml = self.path('a.xml', b'<data/>')
        for content, reason in ((b'', b'empty'), (b'\n', b'empty'), (b'x' * 2000, b'too long')):
            path = self.private('pass', content)
            self.refused(['import', xml, '--passphrase-file', path], 'passphrase', reason)
        path = self.private('key', b'x' * 33)
        self.refused(['import', xml, '--key-file', path], 'key-file', b'32 octets')
        self.refused(['import', xml, '--key-file', path], 'passphrase', b'not under a key file')
        self.refused(['import', xml, '--passphrase-file', path], 'key-file', b'--key-file')
        os.chmod(path, 0o640)
        self.refused(['import', xml, '--key-file', path], 'key-file', b'0600')
        self.refused(['import', xml, '--key-file', self.path('none')], 'key-file', b'No such file')

    def on_terminal(self, words, typed):
        """Runs it with a terminal of its own; what it shows, and the daemon's end."""
        daemon = Daemon(self.socket, [question('passphrase'), ASKED, DONE])
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(IPSPCTL, [IPSPCTL, '-s', self.socket, *words])
        shown = b''
        for answer in typed:
            while not shown.endswith(b': '):
                shown += os.read(terminal, 1)
            os.write(terminal, answer)
            shown += os.read(terminal, 2)
        try:
            while piece := os.read(terminal, 4096):
                shown += piece
        except OSError:
            pass    # the other end of a terminal is gone
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        daemon.stop()
        os.unlink(self.socket)
        return os.waitstatus_to_exitcode(status), shown, daemon

    def test_terminal_is_asked_without_echo(self):
        status, shown, daemon = self.on_terminal(['import', self.path('a.xml', b'<data/>')],
                                                 [b'correct horse\n'])
        self.assertEqual(status, 0, shown)
        self.assertEqual(daemon.key, self.scrypt(b'correct horse'))
        self.assertNotIn(b'horse', shown)

    def test_new_passphrase_is_asked_twice(self):
        words = ['export', self.path('out.xml'), '--with-secrets']
        status, shown, daemon = self.on_terminal(words, [b'one\n', b'one\n'])
        self.assertEqual(status, 0, shown)
        self.assertEqual(daemon.key, self.scrypt(b'one'))
        status, shown, daemon = self.on_terminal(words, [b'one\n', b'two\n'])
        self.assertEqual(status, 1)
        self.assertIn(b'two different', shown)
        self.assertIsNone(daemon.key)

    def test_url_is_the_daemons_to_fetch(self):
        for url in ('http://192.0.2.1/a', 'https://h/b', 'ftp://h/c'):
            done, daemon = self.converse(['import', url, '--timeout', '5', '--without-secrets'])
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(daemon.request, {'command': 'import', 'url': url, 'timeout': 5,
                                              'without-secrets': True})
            self.assertIsNone(daemon.file)

    def test_rows_that_are_not_ready_are_shown(self):
        done, _ = self.converse(['import', 'http://h/a'], [
            item(**{'not-ready': 'T."a": no secret\x1b'}),
            item(**{'created': 1, 'changed': 0, 'destroyed': 0, 'rows-not-ready': 1,
                    'generation': 4}), DONE])
        self.assertEqual(done.stdout.decode().splitlines()[0], 'not ready: T."a": no secret\\x1b')
        self.assertIn(b'1 rows are not ready', done.stdout)


class Shown(Case):
    def shown(self, words, *items, options=()):
        done, _ = self.converse(words, [*items, DONE], options=options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def test_row(self):
        out = self.shown(['get', 'T', 'i'], item(table='T', index='"i"', values={'c': 'v'}))
        self.assertEqual(out.split(), ['T."i"', 'c', 'v'])

    def test_control_characters_do_not_reach_the_terminal(self):
        for bad, shown in (('a\x1b[2Jb', 'a\\x1b[2Jb'), ('a\nT.x', 'a\\nT.x'),
                           ('a\x9b2J', 'a\\x9b2J'), ('a\x7f\r', 'a\\x7f\\x0d'),
                           ('Gr\u00fc\u00df', 'Gr\u00fc\u00df')):
            out = self.shown(['get', 'T', 'i'], item(table='T', index=bad, values={'c': bad}))
            self.assertIn(f'T.{shown}\n', out)
            self.assertEqual(out.count('\n'), 2)
            self.assertTrue(out.endswith(f' {shown}\n'))
            out = self.shown(['monitor'], item(kind='log', text=bad))
            self.assertEqual(out, f'[log] {shown}\n')

    def test_spd(self):
        out = self.shown(['show', 'spd'],
                         item(ifindex=1, direction='outbound', order=0, action='protect',
                              rule='T."r"', log=True, packets=3, bytes=300,
                              selectors=['10.0.0.0/8 -> 0.0.0.0/0']),
                         item(ifindex=1, direction='outbound', order=1, action='discard',
                              rule='(no rule)'))
        self.assertEqual(out, 'lo outbound:\n'
                              '  protect  T."r" log (no SA)  hits 3, 300 octets\n'
                              '           10.0.0.0/8 -> 0.0.0.0/0\n'
                              '  discard  (no rule)\n')

    def test_json_is_an_array(self):
        self.assertEqual(json.loads(self.shown(['show', 'stats'], options=['--json'])), [])
        items = [{'reason': 'a', 'packets': 1}, {'reason': 'b', 'packets': 2}]
        out = self.shown(['show', 'stats'], *[item(**i) for i in items], options=['--json'])
        self.assertEqual(json.loads(out), items)

    def test_object_in_parts_is_one_object(self):
        whole = json.dumps({'reason': 'x' * 100000, 'packets': 1}).encode()
        pieces = [frame(PART, whole[:60000]), frame(ITEM, whole[60000:])]
        out = self.shown(['show', 'stats'], *pieces, options=['--json'])
        self.assertEqual(json.loads(out), [json.loads(whole)])

    def test_monitor_says_what_was_lost(self):
        out = self.shown(['monitor'], item(kind='event', text='x', lost=7))
        self.assertEqual(out, '(7 lines lost)\n[event] x\n')


if __name__ == '__main__':
    unittest.main(verbosity=1, argv=[sys.argv[0]])
