#!/usr/bin/python3
"""serve.py PORT FILE [CERTIFICATE]: a web server that is asked for good files and bad ones.

/good gives the file, /N/good leads there over N redirects, /to-file, /to-ftp and /to-http lead away,
/slow begins and never ends, /endless never stops, /gone is not there.
"""
import http.server
import ssl
import sys
import threading

PORT, PATH = int(sys.argv[1]), sys.argv[2]
START = b'<data xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">\n'
AWAY = {"/to-file": "file:///etc/passwd", "/to-ftp": "ftp://127.0.0.1/good",
        "/to-http": "http://127.0.0.1:8080/good", "/round": "/round"}


class Handler(http.server.BaseHTTPRequestHandler):
    def lead(self, where):
        self.send_response(302)
        self.send_header("Location", where)
        self.end_headers()

    def begin(self, length=None):
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def do_GET(self):
        hops, _, rest = self.path[1:].partition("/")
        if self.path in AWAY:
            self.lead(AWAY[self.path])
        elif hops.isdigit():
            self.lead(f"/{int(hops) - 1}/{rest}" if int(hops) > 1 else f"/{rest}")
        elif self.path == "/good":
            with open(PATH, "rb") as f:
                content = f.read()
            self.begin(len(content))
            self.wfile.write(content)
        elif self.path == "/slow":
            self.begin()
            self.wfile.write(START)
            self.wfile.flush()
            threading.Event().wait()
        elif self.path == "/endless":
            self.begin()
            self.wfile.write(START)
            try:
                while True:
                    self.wfile.write(b"\n" * 65536)
            except OSError:
                pass
        else:
            self.send_error(404)


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
server.daemon_threads = True
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
