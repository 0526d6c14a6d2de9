"""Purpose: what the contract servers of control planes share: a server in a thread of the test, a log of what it was asked,
and faults on demand.

A contract server knows the provider's own description of its service and refuses what does not fit it. A test reads its
state and its log as Python objects.
    with SomeContract() as server: ... server.endpoint, server.requests, server.faults
Threads: one per connection; handle() runs under one lock.
"""

import collections
import http.server
import json
import threading
import urllib.parse

Request = collections.namedtuple("Request", "method path query headers body")


class Refused(Exception):
    """An answer that is an error, made by the subclass's refuse()."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        pass

    def answer(self):
        split = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = urllib.parse.parse_qsl(split.query, keep_blank_values=True)
        request = Request(self.command, split.path, query, self.headers, body)
        server = self.server.contract
        with server.lock:
            server.requests.append(request)
            reply = server.answer(request)
        if reply is None:  # done, but the answer is lost
            self.close_connection = True
            return
        status, headers, text = reply
        data = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = answer


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


class Contract:
    def __init__(self):
        self.lock = threading.RLock()
        self.requests = []
        # Each is fault(request) -> None (does not apply), a reply, or "lost" (done, but not told); used up when it applies.
        self.faults = []
        self.http = None

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def __enter__(self):
        self.http = _Server(("127.0.0.1", 0), _Handler)
        self.http.contract = self
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_exception):
        self.http.shutdown()
        self.http.server_close()

    def answer(self, request):
        for fault in list(self.faults):
            reply = fault(request)
            if reply is None:
                continue
            self.faults.remove(fault)
            if reply != "lost":
                return reply
            self.checked(request)
            return None
        return self.checked(request)

    def checked(self, request):
        try:
            return self.handle(request)
        except Refused as e:
            return self.refuse(e)

    def handle(self, request):
        raise NotImplementedError

    def refuse(self, error):
        raise NotImplementedError


def as_json(status, value, **headers):
    return status, {"Content-Type": "application/json", **headers}, json.dumps(value)
