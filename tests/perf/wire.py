"""Purpose: skydir-wire from Python: signed requests in plans, and what they cost.

The plans are signed before they run, so that only the wire is in the figures.
"""

import base64
import collections
import hashlib
import re
import subprocess
import urllib.parse

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import fleet

CONNECTIONS = 32
PART = 16 << 20
RANGE = 8 << 20

Answer = collections.namedtuple("Answer", "status is_right length etag body")


class _Unsigned(S3SigV4Auth):
    def payload(self, _request):
        return "UNSIGNED-PAYLOAD"


class Presigner:
    """URLs that carry their own signature, for curl."""

    def __init__(self, endpoint, bucket):
        self.top = f"{endpoint}/{bucket}/"
        self.signer = S3SigV4QueryAuth(Credentials(fleet.KEY, fleet.SECRET), "s3", fleet.REGION, expires=3600)

    def url(self, method, key):
        request = AWSRequest(method=method, url=self.top + urllib.parse.quote(key))
        self.signer.add_auth(request)
        return request.url


class Wire:
    """One skydir-wire process; .seconds, .cpu_s: of all plans since mark()."""

    def __init__(self, endpoint, bucket):
        self.endpoint, self.bucket = endpoint, bucket
        self.signer = _Unsigned(Credentials(fleet.KEY, fleet.SECRET), "s3", fleet.REGION)
        program = fleet.build_dir() / "tests" / "perf" / "skydir-wire"
        self.process = subprocess.Popen([str(program), str(urllib.parse.urlsplit(endpoint).port)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.mark()

    def mark(self):
        self.seconds = self.cpu_s = 0.0

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.terminate()
        self.process.wait()

    # ---- requests: (head, body, expect); body and expect are (file, offset, length) or None ----

    def request(self, method, key="", query="", body=None, expect=None, headers=None, data=None):
        """data: a body of bytes, sent with the head."""
        path = f"/{self.bucket}" + (f"/{urllib.parse.quote(key)}" if key else "")
        url = f"{self.endpoint}{path}" + (f"?{query}" if query else "")
        request = AWSRequest(method=method, url=url, headers=headers or {})
        self.signer.add_auth(request)
        length = body[2] if body else len(data or b"")
        lines = [f"{method} {path}" + (f"?{query}" if query else "") + " HTTP/1.1",
                 f"Host: {urllib.parse.urlsplit(self.endpoint).netloc}"]
        lines += [f"{k}: {v}" for k, v in request.headers.items()]
        if method in ("PUT", "POST"):
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, "", ""]).encode() + (data or b""), body, expect

    def get(self, key, expect):
        """expect: (file, offset, length): that range is asked for, and has to be what the file holds there."""
        _, offset, length = expect
        return self.request("GET", key, expect=expect, headers={"Range": f"bytes={offset}-{offset + length - 1}"})

    def put(self, key, body):
        return self.request("PUT", key, body=body)

    def list(self, prefix, after="", delimiter=""):
        query = {"list-type": "2", "prefix": prefix, "start-after": after, "delimiter": delimiter}
        return self.request("GET", query=urllib.parse.urlencode({k: v for k, v in query.items() if v}))

    def copy(self, source, key):
        return self.request("PUT", key, headers={"x-amz-copy-source": f"/{self.bucket}/{urllib.parse.quote(source)}"})

    def copy_part(self, source, key, upload, number, offset, length):
        return self.request("PUT", key, f"partNumber={number}&uploadId={upload}", headers={
            "x-amz-copy-source": f"/{self.bucket}/{urllib.parse.quote(source)}",
            "x-amz-copy-source-range": f"bytes={offset}-{offset + length - 1}"})

    def part(self, key, upload, number, body):
        return self.request("PUT", key, f"partNumber={number}&uploadId={upload}", body=body)

    def delete_many(self, keys):
        data = ("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>" +
                "".join(f"<Object><Key>{k}</Key></Object>" for k in keys) + "</Delete>").encode()
        return self.request("POST", query="delete=", data=data, headers={
            "Content-MD5": base64.b64encode(hashlib.md5(data).digest()).decode()})

    # ---- plans ----

    def run(self, requests, connections=CONNECTIONS):
        """All of them, as many at once as there are connections. AssertionError when one fails or has the wrong bytes."""
        out = self.process.stdin
        out.write(f"plan {len(requests)} {connections}\n".encode())
        for head, body, expect in requests:
            path, offset, length = body or ("-", 0, 0)
            expected, at, n = expect or ("-", 0, 0)
            out.write(f"{len(head)} {offset} {length} {path}\n{at} {n} {expected}\n".encode() + head)
        out.flush()
        _, seconds, cpu_s = self.process.stdout.readline().split()
        self.seconds += float(seconds)
        self.cpu_s += float(cpu_s)
        answers = [self._answer() for _ in requests]
        for (head, _, _), a in zip(requests, answers):
            assert 200 <= a.status < 300 and a.is_right, f"{head.splitlines()[0]}: {a.status} {a.body[:200]}"
        return answers

    def _answer(self):
        status, is_right, length, kept, etag = self.process.stdout.readline().split(b" ", 4)
        body = self.process.stdout.read(int(kept))
        self.process.stdout.read(1)
        return Answer(int(status), is_right == b"1", int(length), etag.strip().decode(), body)

    def begin(self, key):
        body = self.run([self.request("POST", key, "uploads=")], 1)[0].body.decode()
        return urllib.parse.quote(re.search("<UploadId>(.*?)</UploadId>", body)[1])

    def complete(self, key, upload, etags):
        data = ("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" +
                "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in enumerate(etags, 1)) +
                "</CompleteMultipartUpload>").encode()
        body = self.run([self.request("POST", key, f"uploadId={upload}", data=data)], 1)[0].body
        assert b"<Error" not in body, body[:200]

    def etags(self, answers):
        """Of parts sent (in the head) and of parts copied (in the body)."""
        def of(a):
            found = re.search(b"<ETag>(.*?)</ETag>", a.body)
            return (found[1].decode() if found else a.etag).replace("&#34;", '"').replace("&quot;", '"')
        return [of(a) for a in answers]

    def upload(self, key, body):
        """One object of a file, in parts when it is big."""
        path, offset, size = body
        if size <= PART:
            self.run([self.put(key, body)], 1)
            return
        upload = self.begin(key)
        parts = [self.part(key, upload, n, (path, offset + at, min(PART, size - at)))
                 for n, at in enumerate(range(0, size, PART), 1)]
        self.complete(key, upload, self.etags(self.run(parts)))
