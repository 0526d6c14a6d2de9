"""Purpose: an S3 server that means harm: a socket that answers what a test tells it to, byte by byte.

    with Hostile() as server:
        server.answer = lambda request: server.page(b"...")      request: the head as text

`answer` returns bytes, or an iterable of bytes that may go on for ever. What was asked is in server.requests (heads).
TLS: Hostile(tls=(certificate, key)).
"""

import socket
import ssl
import threading

import known_secrets

KEY, SECRET = "hostiletestkey", known_secrets.HOSTILE


def head(status=200, length=None, **fields):
    lines = [f"HTTP/1.1 {status} x"] + [f"{k.replace('_', '-')}: {v}" for k, v in fields.items()]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(body, status=200, **fields):
    return head(status, len(body), **fields) + body


def listing(keys=(), prefixes=(), token=None, size=1, etag='"0123456789abcdef0123456789abcdef"'):
    """A ListObjectsV2 page."""
    rows = "".join(f"<Contents><Key>{k}</Key><Size>{size}</Size><ETag>{etag}</ETag>"
                   "<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>" for k in keys)
    rows += "".join(f"<CommonPrefixes><Prefix>{p}</Prefix></CommonPrefixes>" for p in prefixes)
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return answer(f"<ListBucketResult>{more}{rows}</ListBucketResult>".encode())


class Hostile:
    key, secret = KEY, SECRET

    def __init__(self, tls=None):
        self.requests, self.sent = [], 0
        self.answer = lambda request: head(500, 0)
        self._stop = False
        self._context = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*tls)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]

    @property
    def endpoint(self):
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self._stop = True
        self._listener.close()

    def _accept(self):
        while not self._stop:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        try:
            if self._context:
                peer = self._context.wrap_socket(peer, server_side=True)
            while not self._stop:
                data = b""
                while b"\r\n\r\n" not in data:
                    more = peer.recv(65536)
                    if not more:
                        return
                    data += more
                text = data.decode(errors="replace")
                self.requests.append(text)
                reply = self.answer(text)
                for piece in [reply] if isinstance(reply, bytes) else reply:
                    if self._stop:
                        return
                    peer.sendall(piece)
                    self.sent += len(piece)
                if not isinstance(reply, bytes):
                    return  # without an end of its own: the connection's end
        except (OSError, ssl.SSLError):
            pass
        finally:
            peer.close()
