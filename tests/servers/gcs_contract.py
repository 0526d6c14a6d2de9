"""Purpose: a Google Cloud Storage server to the letter: what Google's description of the JSON API (the discovery document
storage.v1 of the PyPI package google-api-python-client) does not allow is refused.

    gcs_contract.py PORT DIRECTORY

Strict where emulators are lax: unknown query parameters, body fields and selected fields (`fields=`), missing or bad
bearer tokens (signatures of JWTs are verified), every precondition, checksums, names, the protocol of resumable uploads
with its status probe, the token loop of rewrites, moves, folders of hierarchical namespaces, batches, V4 signed URLs.
It also plays the token endpoint, STS, IAM credentials and the metadata server (gcs_identity.py), and writes credentials
files of every kind into DIRECTORY. Tests steer it by /-/control?NAME=VALUE and look into it by /-/state.
Threads: one per connection; the state has one lock (gcs_objects.py).
"""

import email.parser
import http.server
import json
import pathlib
import re
import sys
import threading
import urllib.parse
import uuid

import googleapiclient.discovery_cache

import gcs_identity
import gcs_objects
from gcs_objects import CHUNK, KEPT_MULTIPLE, ApiError, invalid, not_found

BATCH_MAX = 100


class Description:
    """The discovery document: routes, parameters, schemas."""

    def __init__(self):
        path = pathlib.Path(googleapiclient.discovery_cache.__file__).parent / "documents" / "storage.v1.json"
        document = json.loads(path.read_text())
        self.schemas = document["schemas"]
        self.common = set(document["parameters"])
        self.base = "/" + document["servicePath"]
        self.routes = []
        self.collect(document["resources"])

    def collect(self, resources):
        for resource in resources.values():
            for method in resource.get("methods", {}).values():
                pattern = re.sub(r"\{\+?(\w+)\}", r"(?P<\1>[^/]+)", method["path"])
                self.routes.append((re.compile(pattern), method))
            self.collect(resource.get("resources", {}))

    def find(self, verb, path):
        if not path.startswith(self.base):
            return None, None
        is_known = False
        for pattern, method in self.routes:
            match = pattern.fullmatch(path[len(self.base):])
            if match and method["httpMethod"] == verb:
                return method, {k: urllib.parse.unquote(v, errors="strict") for k, v in match.groupdict().items()}
            is_known |= bool(match)
        if is_known:
            raise ApiError(405, "methodNotAllowed", "Method Not Allowed")
        return None, None

    def check_query(self, method, query):
        parameters = method.get("parameters", {})
        for name, value in query.items():
            row = parameters.get(name)
            if name in self.common:
                continue
            if not row or row["location"] != "query":
                raise ApiError(400, "invalidParameter", f"Unknown query parameter: {name}")
            if (row["type"] == "integer" or row.get("format") == "int64") and not re.fullmatch(r"-?\d{1,19}", value):
                raise ApiError(400, "invalidParameter", f"Invalid value for {name}")
            if row["type"] == "boolean" and value not in ("true", "false"):
                raise ApiError(400, "invalidParameter", f"Invalid value for {name}")
        for name, row in parameters.items():
            if row.get("required") and row["location"] == "query" and name not in query:
                raise ApiError(400, "required", f"Required parameter: {name}")

    def check_body(self, schema, value, where="body"):
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        kind = schema.get("type")
        if value is None:
            return
        if kind == "object":
            if not isinstance(value, dict):
                raise ApiError(400, "parseError", f"{where} is no object")
            for name, inner in value.items():
                row = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
                if not row:
                    raise ApiError(400, "parseError", f"Unknown name \"{name}\" at '{where}': Cannot find field.")
                self.check_body(row, inner, f"{where}.{name}")
        elif kind == "array":
            if not isinstance(value, list):
                raise ApiError(400, "parseError", f"{where} is no array")
            for i, inner in enumerate(value):
                self.check_body(schema["items"], inner, f"{where}[{i}]")
        elif kind == "string" and not isinstance(value, str):
            raise ApiError(400, "parseError", f"{where} is no string")
        elif kind == "boolean" and not isinstance(value, bool):
            raise ApiError(400, "parseError", f"{where} is no boolean")
        elif kind == "integer" and not isinstance(value, int):
            raise ApiError(400, "parseError", f"{where} is no integer")

    def select(self, text, schema, value):
        """The partial response that fields=TEXT asks for; a field that does not exist is refused."""
        position = 0

        def parse():
            nonlocal position
            chosen = {}
            while position < len(text):
                match = re.match(r"[\w*]+(?:/[\w*]+)*", text[position:])
                if not match:
                    raise ApiError(400, "invalidParameter", f"Invalid field selection {text[position:][:40]}")
                position += match.end()
                inner = None
                if text[position:position + 1] == "(":
                    position += 1
                    inner = parse()
                    if text[position:position + 1] != ")":
                        raise ApiError(400, "invalidParameter", "Invalid field selection")
                    position += 1
                names = match[0].split("/")
                for name in reversed(names[1:]):
                    inner = {name: inner}
                chosen[names[0]] = inner
                if text[position:position + 1] != ",":
                    break
                position += 1
            return chosen

        def apply(chosen, row, found):
            if "$ref" in row:
                row = self.schemas[row["$ref"]]
            if row.get("type") == "array":
                return [apply(chosen, row["items"], v) for v in found]
            result = {}
            for name, inner in chosen.items():
                known = row.get("properties", {}).get(name) or row.get("additionalProperties")
                if name == "*":
                    return found
                if not known:
                    raise ApiError(400, "invalidParameter", f"Invalid field selection {name}")
                if isinstance(found, dict) and name in found:
                    result[name] = apply(inner, known, found[name]) if inner else found[name]
            return result

        chosen = parse()
        if position != len(text):
            raise ApiError(400, "invalidParameter", "Invalid field selection")
        return apply(chosen, schema, value)


class Call:
    """One request of the API, alone or in a batch."""

    def __init__(self, method, target):
        self.method = method
        self.raw_path, _, self.raw_query = target.partition("?")
        try:
            pairs = urllib.parse.parse_qsl(self.raw_query, keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            raise invalid("The query is not UTF-8") from None
        self.query = dict(pairs)
        if len(self.query) != len(pairs):
            raise ApiError(400, "invalidParameter", "A query parameter stands there twice")
        self.path, self.body = {}, {}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port, directory):
        super().__init__(("127.0.0.1", port), Handler)
        self.base = f"http://127.0.0.1:{port}"
        data = pathlib.Path(directory) / "data"
        data.mkdir(exist_ok=True)
        self.description = Description()
        self.store = gcs_objects.Store(str(data))
        self.identity = gcs_identity.Identity(directory, self.base)
        self.control = {"break-upload": None, "moves": "yes"}
        self.requests = []
        self.control_lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    # ---- reading and answering ----

    def body(self):
        """The request's body, all of it."""
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length) if length else b""
        self.is_read = True
        return data

    def answer(self, status, content=b"", kind="application/json; charset=UTF-8", headers=()):
        if isinstance(content, (dict, list)):
            content = json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if content or status not in (204, 304):
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    @staticmethod
    def error_body(e):
        return {"error": {"code": e.status, "message": e.message,
                          "errors": [{"domain": "global", "reason": e.reason, "message": e.message}]}}

    def handle_any(self):
        self.is_read = False
        try:
            self.serve()
        except ApiError as e:
            self.drain()
            if e.status == 304:
                self.answer(304)
            elif "alt=media" in self.path:
                self.answer(e.status, e.message.encode(), "text/html; charset=UTF-8")
            else:
                self.answer(e.status, self.error_body(e))
        except gcs_identity.Refused as e:
            self.drain()
            self.answer(e.status, e.answer)
        except (ConnectionError, BrokenPipeError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any

    def drain(self):
        """What is left of a refused request: the connection stays usable for small ones."""
        if not self.is_read and int(self.headers.get("Content-Length") or 0) <= 1 << 20:
            self.body()
        elif not self.is_read:
            self.close_connection = True

    # ---- what is asked ----

    def serve(self):
        path = self.path.partition("?")[0]
        if path.startswith("/-/"):
            return self.serve_control(path[3:])
        if path in ("/token", "/sts/v1/token"):
            form = dict(urllib.parse.parse_qsl(self.body().decode()))
            identity = self.server.identity
            return self.answer(200, identity.token(form) if path == "/token" else identity.exchange(form))
        if path.startswith("/v1/projects/-/serviceAccounts/"):
            return self.serve_iam(path)
        if path.startswith("/computeMetadata/v1/"):
            query = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
            status, text = self.server.identity.metadata(path[len("/computeMetadata/v1/"):], query, self.headers)
            return self.answer(status, text.encode(), "application/text", [("Metadata-Flavor", "Google")])
        if path.startswith("/latest/"):
            status, text = self.server.identity.instance(self.command, path, self.headers)
            return self.answer(status, text.encode(), "text/plain")
        if path == "/subject":
            if self.headers.get("X-Test") != "yes":
                raise not_found("subject")
            return self.answer(200, {"token": self.server.identity.subject})
        if "X-Goog-Signature=" in self.path:
            return self.serve_signed()
        return self.serve_api()

    def serve_control(self, what):
        query = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
        self.body()
        server = self.server
        with server.control_lock:
            if what == "control":
                if "self-signed" in query:
                    server.identity.takes_self_signed = query.pop("self-signed") == "yes"
                server.control.update(query)
                return self.answer(200, server.control)
            if what == "state":
                with server.store.lock:
                    found = {n: {k: len(v) for k, v in b.objects.items()} for n, b in server.store.buckets.items()}
                    return self.answer(200, {"objects": found, "issued": server.identity.issued,
                                             "sessions": len(server.store.sessions), "requests": server.requests})
        raise not_found("control")

    def serve_iam(self, path):
        wrong = self.server.identity.check_bearer(self.headers.get("Authorization"), (gcs_identity.PLATFORM,))
        body = json.loads(self.body() or b"{}")
        if wrong:
            raise ApiError(401, "authError", wrong)
        name, _, verb = path.rpartition("/")[2].partition(":")
        if name != gcs_identity.TARGET or verb not in ("generateAccessToken", "signBlob"):
            raise ApiError(403, "forbidden", "Permission 'iam.serviceAccounts.getAccessToken' denied")
        identity = self.server.identity
        self.answer(200, identity.act_as(name, body) if verb == "generateAccessToken" else identity.sign_blob(body))

    def check_caller(self):
        wrong = self.server.identity.check_bearer(self.headers.get("Authorization"))
        if wrong:
            raise ApiError(401, "authError", wrong)

    def serve_api(self):
        call = Call(self.command, self.path)
        if call.raw_path.startswith("/upload/storage/v1/b/"):
            return self.serve_upload(call)
        self.check_caller()
        if call.raw_path.startswith("/download/"):
            call.raw_path = call.raw_path[len("/download"):]
        if call.raw_path == "/batch/storage/v1":
            return self.serve_batch()
        text = self.body()
        found, method = self.perform(call, text, self.headers.get("Content-Type"))
        if isinstance(found, gcs_objects.Version):
            return self.send_media(found)
        return self.answer(204) if found is None else self.answer(200, found)

    def perform(self, call, text, content_type):
        """Checks a call against the description and runs it: (result, method)."""
        description = self.server.description
        try:
            method, call.path = description.find(call.method, call.raw_path)
        except UnicodeDecodeError:
            raise invalid("The path is not UTF-8") from None
        handler = method and getattr(self.server.store, method["id"].removeprefix("storage.").replace(".", "_"), None)
        with self.server.control_lock:
            self.server.requests = [*self.server.requests[-200:], method["id"] if method else call.raw_path]
            has_moves = self.server.control["moves"] == "yes"
        if not handler or (method["id"] == "storage.objects.move" and not has_moves):
            raise ApiError(404, "notFound", "Not Found")
        description.check_query(method, call.query)
        if text:
            if not (content_type or "").startswith("application/json"):
                raise ApiError(400, "badContent", "Unsupported content with type: " + str(content_type))
            try:
                call.body = json.loads(text)
            except ValueError:
                raise ApiError(400, "parseError", "Parse Error") from None
            if "request" not in method:
                raise invalid("This method takes no body")
            description.check_body(method["request"], call.body)
        found = handler(call)
        if "fields" in call.query and isinstance(found, dict):
            found = description.select(call.query["fields"], method["response"], found)
        return found, method

    def send_media(self, version):
        size, first = version.data.size, 0
        last, status, headers = size - 1, 200, []
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if match:
            first, last = int(match[1]), min(int(match[2] or size), size - 1)
            if first >= size:
                raise ApiError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
            status = 206
            headers.append(("Content-Range", f"bytes {first}-{last}/{size}"))
        headers += [("X-Goog-Generation", version.generation), ("X-Goog-Metageneration", version.metageneration),
                    ("X-Goog-Hash", f"crc32c={version.data.crc32c}"), ("X-Goog-Stored-Content-Length", size),
                    ("X-Goog-Storage-Class", version.storage_class), ("ETag", f"{version.generation}")]
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, str(value))
        self.send_header("Content-Type", version.content_type)
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        for chunk in version.data.chunks(first, last - first + 1):
            self.wfile.write(chunk)

    # ---- batches ----

    def serve_batch(self):
        kind = self.headers.get("Content-Type") or ""
        text = self.body()
        if not kind.startswith("multipart/mixed"):
            raise ApiError(400, "badRequest", "A batch is multipart/mixed")
        message = email.parser.BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + text)
        parts = message.get_payload()
        if not isinstance(parts, list) or not 1 <= len(parts) <= BATCH_MAX:
            raise ApiError(400, "badRequest", f"A batch has 1 to {BATCH_MAX} requests")
        boundary = "batch_" + uuid.uuid4().hex
        out = []
        for part in parts:
            if part.get_content_type() != "application/http":
                raise ApiError(400, "badRequest", "A part of a batch is application/http")
            head, _, body = part.get_payload(decode=False).replace("\r\n", "\n").partition("\n\n")
            verb, target, _ = head.split("\n")[0].split(" ")
            try:
                found, _ = self.perform(Call(verb, target), body.strip().encode(), "application/json")
                status, content = (204, "") if found is None else (200, json.dumps(found))
            except ApiError as e:
                status, content = e.status, json.dumps(self.error_body(e))
            identity = (part.get("Content-ID") or "").strip("<>")
            out.append(f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: <response-{identity}>\r\n\r\n"
                       f"HTTP/1.1 {status} X\r\nContent-Type: application/json; charset=UTF-8\r\n"
                       f"Content-Length: {len(content.encode())}\r\n\r\n{content}\r\n")
        out.append(f"--{boundary}--\r\n")
        self.answer(200, "".join(out).encode(), f"multipart/mixed; boundary={boundary}")

    # ---- uploads ----

    def serve_upload(self, call):
        if "upload_id" in call.query and self.command in ("PUT", "DELETE"):
            return self.serve_session(call)
        self.check_caller()
        match = re.fullmatch(r"/upload/storage/v1/b/([^/]+)/o", call.raw_path)
        kind = call.query.get("uploadType")
        if not match or self.command != "POST" or kind not in ("multipart", "resumable", "media"):
            raise not_found("upload")
        description = self.server.description
        method, call.path = description.find("POST", description.base + f"b/{match[1]}/o")
        description.check_query(method, call.query)
        call.bucket = call.path["bucket"]
        with self.server.control_lock:
            self.server.requests = [*self.server.requests[-200:], "storage.objects.insert:" + kind]
        if kind == "resumable":
            return self.begin_session(call, method)
        if kind == "media":
            data, resource = self.server.store.new_data(), {"contentType": self.headers.get("Content-Type")}
            self.receive(data, int(self.headers.get("Content-Length") or 0))
        else:
            data, resource = self.read_related(method)
        self.send_insert(call, method, data, resource)

    def send_insert(self, call, method, data, resource):
        found = self.server.store.insert(call, call.bucket, data, resource)
        if "fields" in call.query:
            found = self.server.description.select(call.query["fields"], method["response"], found)
        self.answer(200, found)

    def receive(self, data, length):
        """Appends that many bytes of the body; fewer when the connection breaks. Returns what is missing."""
        while length:
            chunk = self.rfile.read1(min(CHUNK, length))
            if not chunk:
                break
            data.append(chunk)
            length -= len(chunk)
        self.is_read = True
        return length

    def read_related(self, method):
        """multipart/related of a resource and its bytes, which go straight into a file."""
        match = re.search(r"^multipart/related;.*boundary=\"?([^\";]+)", self.headers.get("Content-Type") or "")
        left = int(self.headers.get("Content-Length") or 0)
        if not match:
            raise invalid("Missing boundary")
        mark = b"--" + match[1].encode()

        def line():
            nonlocal left
            text = self.rfile.readline(min(left, 1 << 20))
            left -= len(text)
            return text

        def head():
            if line().rstrip(b"\r\n") != mark:
                raise invalid("Malformed multipart body.")
            kind = ""
            while (text := line().strip()):
                if text.lower().startswith(b"content-type:"):
                    kind = text.partition(b":")[2].strip().decode()
            return kind

        if not head().startswith("application/json"):
            raise invalid("The first part of multipart/related is JSON")
        text = b""
        while not (text.endswith(b"\n") and text.strip()):
            piece = line()
            if not piece:
                raise invalid("Malformed multipart body.")
            text += piece
        try:
            resource = json.loads(text)
        except ValueError:
            raise ApiError(400, "parseError", "Parse Error") from None
        self.server.description.check_body(method["request"], resource)
        kind = head()
        if resource.get("contentType", kind) != kind:
            raise invalid("The two content types differ")
        resource["contentType"] = kind
        tail = b"\r\n" + mark + b"--"
        data = self.server.store.new_data()
        # Behind the last boundary a line end may stand.
        if left < len(tail) or self.receive(data, max(0, left - len(tail) - 2)):
            self.close_connection = True
            raise ConnectionError
        rest, found, after = self.rfile.read(min(left, len(tail) + 2)).rpartition(tail)
        if not found or after not in (b"", b"\r\n"):
            raise invalid("Malformed multipart body.")
        data.append(rest)
        return data, resource

    def begin_session(self, call, method):
        text = self.body()
        resource = json.loads(text or b"{}")
        self.server.description.check_body(method["request"], resource)
        store, identity = self.server.store, uuid.uuid4().hex
        store.bucket(call.bucket)
        resource.setdefault("contentType", self.headers.get("X-Upload-Content-Type"))
        with store.lock:
            store.check(call, store.bucket(call.bucket).live(call.query.get("name") or resource.get("name")))
            store.sessions[identity] = (call, method, resource, store.new_data())
        location = f"{self.server.base}{call.raw_path}?uploadType=resumable&upload_id={identity}"
        self.answer(200, b"", headers=[("Location", location), ("X-GUploader-UploadID", identity)])

    def serve_session(self, call):
        store, identity = self.server.store, call.query["upload_id"]
        if identity not in store.sessions:
            raise not_found("upload session")
        begun, method, resource, data = store.sessions[identity]
        with self.server.control_lock:
            self.server.requests = [*self.server.requests[-200:], "session:" + (self.headers.get("Content-Range") or "")]
        if self.command == "DELETE":
            self.body()
            del store.sessions[identity]
            return self.answer(499)
        length = int(self.headers.get("Content-Length") or 0)
        probe = re.fullmatch(r"bytes \*/(\d+|\*)", self.headers.get("Content-Range") or "")
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", self.headers.get("Content-Range") or "")
        if probe and not length:
            return self.answer_session(identity, data, int(probe[1]) if probe[1] != "*" else None)
        if not match or int(match[2]) - int(match[1]) + 1 != length:
            raise invalid("Bad Content-Range")
        total = int(match[3]) if match[3] != "*" else None
        if int(match[1]) != data.size:
            raise ApiError(503, "backendError", "The upload goes on elsewhere")
        if total != int(match[2]) + 1 and length % KEPT_MULTIPLE:
            raise invalid("A chunk that is not the last has a multiple of 256 KiB")
        self.receive_session(data, length, total)
        self.answer_session(identity, data, total)

    def receive_session(self, data, length, total):
        """A broken connection keeps what is whole; tests may break one on purpose (break-upload=SIZE/AT)."""
        before, stop = data.size, length
        with self.server.control_lock:
            size, _, at = (self.server.control["break-upload"] or "").partition("/")
            if size and int(size) == total:
                self.server.control["break-upload"] = None
                stop = min(length, int(at))
        if self.receive(data, stop) or stop < length:
            data.cut(before + (data.size - before) // KEPT_MULTIPLE * KEPT_MULTIPLE)
            self.close_connection = True
            raise ConnectionError

    def answer_session(self, identity, data, total):
        begun, method, resource, _ = self.server.store.sessions[identity]
        if total is not None and data.size == total:
            self.send_insert(begun, method, data, resource)
            self.server.store.sessions.pop(identity, None)
            return
        headers = [("Range", f"bytes=0-{data.size - 1}")] if data.size else []
        self.answer(308, headers=headers)

    # ---- signed URLs: the XML API's paths ----

    def serve_signed(self):
        raw_path, _, raw_query = self.path.partition("?")
        wrong = self.server.identity.check_signed(self.command, raw_path, raw_query, self.headers.get("Host"))
        if wrong:
            self.drain()
            return self.answer(403, f"<Error><Code>{wrong}</Code></Error>".encode(), "application/xml")
        bucket, _, key = raw_path[1:].partition("/")
        call = Call(self.command, "/")
        call.path = {"bucket": urllib.parse.unquote(bucket), "object": urllib.parse.unquote(key)}
        store = self.server.store
        if self.command == "PUT":
            data = store.new_data()
            self.receive(data, int(self.headers.get("Content-Length") or 0))
            store.insert(call, call.path["bucket"], data, {"name": call.path["object"]})
            return self.answer(200, b"", "text/html")
        call.query["alt"] = "media"
        return self.send_media(store.objects_get(call))


if __name__ == "__main__":
    Server(int(sys.argv[1]), sys.argv[2]).serve_forever()
