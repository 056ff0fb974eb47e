"""A webhook's receiver: a real HTTP(S) server that keeps what it got and answers as a test says."""

import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

from gateway import PATIENCE


class Receiver:
    """`answer(request) -> (status, headers, body)` decides; None as status: no answer at all until the receiver stops."""

    def __init__(self, certificates=None, name="server"):
        self.requests = []  # dicts in the order of arrival
        self.answer = lambda request: (200, {}, b"{}")
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                r = {"at": time.time(), "path": self.path, "headers": dict(self.headers), "raw": body,
                     "body": json.loads(body)}
                with outer.lock:
                    outer.requests.append(r)
                status, headers, data = outer.answer(r)
                if status is None:
                    outer.stopping.wait(300)
                    return
                self.send_response(status)
                if "Transfer-Encoding" not in headers:
                    self.send_header("Content-Length", str(len(data)))
                for k, v in headers.items():
                    self.send_header(k, v)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.is_tls = certificates is not None
        if self.is_tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(PATIENCE)

    @property
    def url(self):
        return f"{'https' if self.is_tls else 'http'}://localhost:{self.port}"

    def got(self, **match):
        with self.lock:
            return [r for r in self.requests if all(r["body"].get(k) == v for k, v in match.items())]


def check_signature(request, secret):
    """As docs/reminders.md tells receivers to do it."""
    signed = request["headers"]["X-Chatgate-Timestamp"].encode() + b"." + request["raw"]
    want = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(request["headers"]["X-Chatgate-Signature"], want)
    assert abs(int(request["headers"]["X-Chatgate-Timestamp"]) - time.time()) < 1000
