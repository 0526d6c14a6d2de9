"""Purpose: a small Azure Storage service for what Azurite lacks, strict where a client could go wrong in silence.

    azure_contract.py PORT [--directories]     (an account with a hierarchical namespace)

It holds blobs, blocks and directories in memory and checks: Shared Key (computed here, from the vendor's description, by no code
of skydir's), service SAS and user delegation SAS, bearer tokens that it gave out itself, dates that are 15 minutes off, headers
and parameters that the description does not know, Content-MD5. Besides the blob and the Data Lake service it plays Microsoft
Entra's token endpoint (client secret, certificate with its signature, federated token), the identity service of a machine, and the
Resource Manager as far as the account's blob service goes (azure_account.py, with the old versions of blobs).
"""

import base64
import datetime
import email.utils
import hashlib
import hmac
import http.server
import itertools
import json
import re
import sys
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

import azure_account
from azure_account import Refused

ACCOUNT = "devstoreaccount1"
KEY = base64.b64decode("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
VERSION = "2025-11-05"
TENANT, CLIENT, SECRET, FEDERATED = "11111111-2222-3333-4444-555555555555", "client-1", "client secret/1+", "federated-token"
HEADERS = set("""host expect user-agent accept content-length content-type content-md5 authorization range if-match if-none-match x-ms-date
x-ms-version x-ms-blob-type x-ms-blob-content-type x-ms-copy-source x-ms-copy-source-authorization x-ms-requires-sync
x-ms-source-if-match x-ms-source-range x-ms-range-get-content-md5 x-ms-delete-snapshots x-ms-blob-condition-appendpos
x-ms-rename-source x-ms-properties x-ms-copy-action connection accept-encoding""".split())
PARAMS = set("""restype comp prefix delimiter marker maxresults include blockid blocklisttype snapshot versionid resource copyid
sv st se sr sp spr sig skoid sktid skt ske sks skv""".split())
DIRECTORIES = "--directories" in sys.argv
lock = threading.RLock()
containers = {}
service = azure_account.BlobService(ACCOUNT)
STORAGE, MANAGEMENT = "https://storage.azure.com/", "https://management.azure.com/"
tokens = {}
delegation = hashlib.sha256(b"delegation").digest()
counter = itertools.count(1)


class Blob:
    def __init__(self, data=b"", kind="BlockBlob", meta=None, content_type="application/octet-stream", blocks=(), folder=False):
        self.data, self.kind, self.meta, self.type, self.blocks, self.folder = data, kind, dict(meta or {}), content_type, list(blocks), folder
        self.version = None
        self.touch()

    def touch(self):
        self.etag = f'"0x8D{next(counter):012X}"'
        self.modified = time.time()


def stamp(s):
    return email.utils.formatdate(s, usegmt=True)


def sort_key(name):  # hyphens do not count, '_' before digits before letters
    return [(0 if c == "_" else 1 if c.isdigit() else 2, c) for c in name if c != "-"], name.count("-")


def shared_key(method, path, query, headers):
    h = {k.lower(): v for k, v in headers.items()}
    length = h.get("content-length", "")
    text = [method, h.get("content-encoding", ""), h.get("content-language", ""), "" if length == "0" else length,
            h.get("content-md5", ""), h.get("content-type", ""), "", "", h.get("if-match", ""), h.get("if-none-match", ""), "",
            h.get("range", "")]
    text += [f"{k}:{h[k].strip()}" for k in sorted((k for k in h if k.startswith("x-ms-")), key=sort_key)]
    text.append(f"/{ACCOUNT}{path}")
    text += [f"{k.lower()}:{v}" for k, v in sorted(query.items())]
    return base64.b64encode(hmac.new(KEY, "\n".join(text).encode(), hashlib.sha256).digest()).decode()


def check_sas(query, container, blob, need):
    q = lambda k: query.get(k, "")  # noqa: E731
    fields = [q("sp"), q("st"), q("se"), f"/blob/{ACCOUNT}/{container}" + (f"/{blob}" if q("sr") == "b" else "")]
    fields += ([q(k) for k in ("skoid", "sktid", "skt", "ske", "sks", "skv")] + ["", "", ""]) if q("skoid") else [""]
    fields += ["", q("spr"), q("sv"), q("sr"), "", "", "", "", "", "", ""]
    key = delegation if q("skoid") else KEY
    want = base64.b64encode(hmac.new(key, "\n".join(fields).encode(), hashlib.sha256).digest()).decode()
    expiry = datetime.datetime.fromisoformat(q("se").replace("Z", "+00:00")).timestamp() if q("se") else 0
    if q("sv") != "2022-11-02" or not hmac.compare_digest(want, q("sig")) or expiry < time.time():
        raise Refused(403, "AuthenticationFailed")
    if need not in q("sp"):
        raise Refused(403, "AuthorizationPermissionMismatch")


def check_bearer(value, resource=STORAGE):
    end, what = tokens.get(value[7:], (0, ""))
    if not value.startswith("Bearer ") or end < time.time() or what != resource:
        raise Refused(401, "InvalidAuthenticationInfo")


def check_assertion(text):
    """A JWT signed by the key of the certificate it names; the certificate's file is what the test wrote beside us."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    head, claims, signature = (base64.urlsafe_b64decode(p + "=" * (-len(p) % 4)) for p in text.split("."))
    with open("certificate.pem", "rb") as f:
        certificate = x509.load_pem_x509_certificate(f.read())
    header, claims = json.loads(head), json.loads(claims)
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA1())).decode().rstrip("=")
    assert header["alg"] == "RS256" and header["x5t"] == thumbprint
    certificate.public_key().verify(signature, text.rpartition(".")[0].encode(), padding.PKCS1v15(), hashes.SHA256())
    assert claims["iss"] == claims["sub"] == CLIENT and claims["aud"].endswith(f"/{TENANT}/oauth2/v2.0/token")
    assert claims["nbf"] <= time.time() < claims["exp"] and claims["jti"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        if isinstance(body, str):
            body = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        self.raw_path = url.path
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        try:
            if url.path.endswith("/oauth2/v2.0/token"):
                return self.token()
            if url.path in ("/metadata/identity/oauth2/token", "/msi/token"):
                return self.identity(url.path)
            with lock:
                if url.path.startswith("/subscriptions/"):
                    return self.manage(url.path)
                self.serve(self.command, url.path, self.query, self.headers, self.body)
        except Refused as e:
            code = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{e.code}</Code><Message>refused\nTime:now</Message></Error>'
            self.reply(e.status, code, x_ms_error_code=e.code, Content_Type="application/xml")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    # ---- identities ----

    def manage(self, path):
        check_bearer(self.headers.get("Authorization", ""), MANAGEMENT)
        status, said = service.answer(self.command, path, self.query, self.body, f"http://{self.headers['Host']}")
        self.reply(status, json.dumps(said), Content_Type="application/json")

    def give_token(self, resource):
        token = f"token-{next(counter)}"
        tokens[token] = (time.time() + 3600, resource)
        self.reply(200, json.dumps({"access_token": token, "expires_in": 3600, "token_type": "Bearer"}), Content_Type="application/json")

    def token(self):
        form = dict(urllib.parse.parse_qsl(self.body.decode()))
        known = {"grant_type", "client_id", "scope", "client_secret", "client_assertion", "client_assertion_type"}
        try:
            assert set(form) <= known and f"/{TENANT}/" in self.path and form["client_id"] == CLIENT
            assert form["grant_type"] == "client_credentials" and form["scope"] in (STORAGE + ".default", MANAGEMENT + ".default")
            if "client_secret" in form:
                assert form["client_secret"] == SECRET
            else:
                assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
                if form["client_assertion"] != FEDERATED:
                    check_assertion(form["client_assertion"])
        except Exception as e:  # whatever is wrong with it
            why = {"error": "invalid_client", "error_description": f"AADSTS7000215: refused ({type(e).__name__})"}
            return self.reply(401, json.dumps(why), Content_Type="application/json")
        self.give_token(form["scope"].removesuffix(".default"))

    def identity(self, path):
        good = self.headers.get("Metadata") == "true" if path.startswith("/metadata") else self.headers.get("X-IDENTITY-HEADER") == "header-1"
        resource = self.query.get("resource", "").rstrip("/") + "/"
        if not good or resource not in (STORAGE, MANAGEMENT):
            return self.reply(400, '{"error": "invalid_request"}', Content_Type="application/json")
        self.give_token(resource)

    # ---- who may ----

    def authorize(self, method, path, query, headers, container, blob):
        value = headers.get("Authorization", "")
        if "sig" in query:
            return check_sas(query, container, blob, {"GET": "r", "HEAD": "r", "PUT": "w", "DELETE": "d"}[method])
        if value.startswith("SharedKey "):
            sent = headers.get("x-ms-date", "")
            if not sent or abs(email.utils.parsedate_to_datetime(sent).timestamp() - time.time()) > 900:
                raise Refused(403, "AuthenticationFailed")
            if not hmac.compare_digest(value, f"SharedKey {ACCOUNT}:{shared_key(method, path, query, headers)}"):
                raise Refused(403, "AuthenticationFailed")
        elif value:
            check_bearer(value)
        else:
            raise Refused(403, "NoAuthenticationInformation")

    def serve(self, method, path, query, headers, body):
        unknown = [h for h in headers if h.lower() not in HEADERS and not h.lower().startswith("x-ms-meta-")]
        if unknown or set(query) - PARAMS:
            raise Refused(400, "UnsupportedHeader" if unknown else "UnsupportedQueryParameter")
        parts = urllib.parse.unquote(path).split("/", 3)
        if len(parts) < 2 or parts[1] != ACCOUNT:
            raise Refused(400, "InvalidUri")
        name, key = (parts + ["", ""])[2:4]
        self.authorize(method, path, query, headers, name, key)
        if "sig" not in query and headers.get("x-ms-version") != VERSION:
            raise Refused(400, "InvalidHeaderValue")
        if headers.get("Content-MD5") and base64.b64encode(hashlib.md5(body).digest()).decode() != headers["Content-MD5"]:
            raise Refused(400, "Md5Mismatch")
        if not name:
            return self.account(method, query)
        if not key:
            return self.container(method, name, query)
        if name not in containers:
            raise Refused(404, "ContainerNotFound")
        self.blob(method, name, containers[name], key, query, headers, body)

    def account(self, method, query):
        comp = query.get("comp")
        if comp == "properties":
            return self.reply(200, x_ms_is_hns_enabled=str(DIRECTORIES).lower(), x_ms_sku_name="Standard_LRS")
        if comp == "userdelegationkey" and method == "POST":
            if not self.headers.get("Authorization", "").startswith("Bearer "):
                raise Refused(403, "AuthenticationFailed")
            start, end = re.search(rb"<Start>(.*?)</Start><Expiry>(.*?)</Expiry>", self.body).groups()
            value = base64.b64encode(delegation).decode()
            rows = {"SignedOid": "oid", "SignedTid": TENANT, "SignedStart": start.decode(), "SignedExpiry": end.decode(),
                    "SignedService": "b", "SignedVersion": VERSION, "Value": value}
            return self.reply(200, "<UserDelegationKey>" + "".join(f"<{k}>{v}</{k}>" for k, v in rows.items()) + "</UserDelegationKey>")
        if comp != "list":
            raise Refused(400, "InvalidQueryParameterValue")
        inner = "".join(f"<Container><Name>{n}</Name><Properties><Last-Modified>{stamp(0)}</Last-Modified></Properties></Container>"
                        for n in sorted(containers))
        self.reply(200, f"\ufeff<?xml version=\"1.0\"?><EnumerationResults><Containers>{inner}</Containers><NextMarker/></EnumerationResults>")

    def container(self, method, name, query):
        if query.get("comp") == "batch":
            return self.batch(name)
        if query.get("restype") != "container" or not re.fullmatch("[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]", name):
            raise Refused(400, "InvalidResourceName")
        if method == "PUT":
            if name in containers:
                raise Refused(409, "ContainerAlreadyExists")
            containers[name] = {"blobs": {}, "blocks": {}, "old": {}}
            return self.reply(201)
        if name not in containers:
            raise Refused(404, "ContainerNotFound")
        if method == "DELETE":
            del containers[name]
            return self.reply(202)
        if query.get("comp") == "list":
            return self.list(name, containers[name], query)
        self.reply(200)

    def list(self, name, box, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        limit, entries = int(query.get("maxresults", 5000)), {}
        include = query.get("include", "").split(",")
        if delimiter and {"snapshots", "versions"} & set(include):
            raise Refused(400, "InvalidQueryParameterValue")
        for key, number, blob in azure_account.rows(box, "versions" in include):
            if not key.startswith(prefix):
                continue
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            if end >= 0:
                entries[key[:end + 1], 0] = None
            elif blob.folder and delimiter:
                entries[key + "/", 0] = None
            else:
                entries[key, number] = blob
        order = sorted(k for k in entries if k >= azure_account.marker_read(query.get("marker", "")))
        xml = []
        for key, number in order[:limit]:
            blob = entries[key, number]
            encoded = bool(re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", key))
            shown = f'<Name Encoded="true">{urllib.parse.quote(key)}</Name>' if encoded else f"<Name>{escape(key)}</Name>"
            if blob is None:
                xml.append(f"<BlobPrefix>{shown}</BlobPrefix>")
                continue
            kind = f"<ResourceType>{'directory' if blob.folder else 'file'}</ResourceType>" if DIRECTORIES else ""
            meta = "".join(f"<{k}>{escape(v)}</{k}>" for k, v in blob.meta.items()) if "metadata" in include else ""
            version = f"<VersionId>{blob.version}</VersionId>" if blob.version else ""
            if blob.version and box["blobs"].get(key) is blob:
                version += "<IsCurrentVersion>true</IsCurrentVersion>"
            xml.append(f"<Blob>{shown}{version}<Properties><Last-Modified>{stamp(blob.modified)}</Last-Modified><Etag>{blob.etag.strip(chr(34))}</Etag>"
                       f"{kind}<Content-Length>{len(blob.data)}</Content-Length><Content-Type>{escape(blob.type)}</Content-Type>"
                       f"<AccessTier>Hot</AccessTier></Properties><Metadata>{meta}</Metadata></Blob>")
        marker = azure_account.marker_of(*order[limit]) if len(order) > limit else ""
        self.reply(200, f"\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>{''.join(xml)}</Blobs>"
                        f"<NextMarker>{marker}</NextMarker></EnumerationResults>", Content_Type="application/xml")

    # ---- blobs ----

    def condition(self, blob, headers):
        if headers.get("If-None-Match") == "*" and blob and not blob.folder:
            raise Refused(409, "BlobAlreadyExists")
        if headers.get("If-Match") and (not blob or headers["If-Match"] != blob.etag):
            raise Refused(412, "ConditionNotMet")

    def meta_of(self, headers):
        meta = {k.lower()[10:]: v for k, v in headers.items() if k.lower().startswith("x-ms-meta-")}
        if any(not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", k) for k in meta):
            raise Refused(400, "InvalidMetadata")
        return meta

    def parents(self, box, key):
        while DIRECTORIES and "/" in key:
            key = key.rpartition("/")[0]
            blob = box["blobs"].get(key)
            if blob and not blob.folder:
                raise Refused(409, "PathConflict")
            box["blobs"].setdefault(key, Blob(meta={"hdi_isfolder": "true"}, folder=True))

    def write(self, box, key, blob):
        if DIRECTORIES and (key.endswith("/") or "//" in key or (key in box["blobs"] and box["blobs"][key].folder)):
            raise Refused(409, "PathConflict")
        self.parents(box, key)
        azure_account.put(service, box, key, blob)
        box["blocks"].pop(key, None)
        self.reply(201, **self.version_of(blob), ETag=blob.etag, Last_Modified=stamp(blob.modified))

    def version_of(self, blob):
        return {"x_ms_version_id": blob.version} if blob.version else {}

    def source(self, headers, wants_authorization):
        """The blob that x-ms-copy-source names, and its bytes in x-ms-source-range."""
        url = urllib.parse.urlsplit(headers["x-ms-copy-source"])
        query = dict(urllib.parse.parse_qsl(url.query))
        _, account, name, key = urllib.parse.unquote(url.path).split("/", 3)
        if "sig" in query:
            check_sas(query, name, key, "r")
        elif headers.get("x-ms-copy-source-authorization"):
            check_bearer(headers["x-ms-copy-source-authorization"])
        elif wants_authorization:
            raise Refused(401, "CannotVerifyCopySource")
        blob = containers.get(name, {"blobs": {}})["blobs"].get(key)
        if not blob or account != ACCOUNT:
            raise Refused(404, "CannotVerifyCopySource")
        if headers.get("x-ms-source-if-match", blob.etag) != blob.etag:
            raise Refused(412, "SourceConditionNotMet")
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("x-ms-source-range", ""))
        if match and int(match[2]) >= len(blob.data):
            raise Refused(416, "InvalidRange")
        return blob, blob.data[int(match[1]):int(match[2]) + 1] if match else blob.data

    def blob(self, method, name, box, key, query, headers, body):
        blob = azure_account.find(box, key, query.get("versionid"))
        if "resource" in query or "x-ms-rename-source" in headers:
            return self.path_call(box, key, query, headers)
        if method == "PUT":
            return self.put(box, key, blob, query, headers, body)
        if query.get("comp") == "blocklist":
            return self.block_list(box, key, blob, query)
        if not blob:
            raise Refused(404, "BlobNotFound")
        if method == "DELETE":
            return self.delete(box, key, blob, query, headers)
        self.condition(blob, headers)
        self.get(blob, headers)

    def delete(self, box, key, blob, query, headers):
        self.condition(blob, headers)
        if "versionid" in query:
            azure_account.delete_version(box, key, query["versionid"])
            return self.reply(202)
        if blob.folder and any(k.startswith(key + "/") for k in box["blobs"]):
            raise Refused(409, "DirectoryIsNotEmpty")
        azure_account.keep(service, box, key)
        del box["blobs"][key]
        self.reply(202)

    def get(self, blob, headers):
        said = {**self.version_of(blob), "ETag": blob.etag, "Last_Modified": stamp(blob.modified), "Content_Type": blob.type, "x_ms_blob_type": blob.kind,
                "x_ms_access_tier": "Hot", "Accept_Ranges": "bytes", **{f"x_ms_meta_{k}": v for k, v in blob.meta.items()}}
        self.raw = {f"x-ms-meta-{k}": v for k, v in blob.meta.items()}
        if getattr(blob, "copy_id", None):
            self.raw |= {"x-ms-copy-id": blob.copy_id, "x-ms-copy-status": "pending" if blob.copy_looks else "success"}
            blob.copy_looks = max(0, blob.copy_looks - 1)
        said = {k: v for k, v in said.items() if not k.startswith("x_ms_meta_")}
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("Range", "")) if self.command == "GET" else None
        if match and int(match[1]) >= len(blob.data):
            raise Refused(416, "InvalidRange")
        data, status = blob.data, 200
        if match:
            last = min(int(match[2] or len(data)), len(data) - 1)
            said["Content_Range"], status = f"bytes {match[1]}-{last}/{len(data)}", 206
            data = data[int(match[1]):last + 1]
        if not match or headers.get("x-ms-range-get-content-md5"):
            said["Content_MD5"] = base64.b64encode(hashlib.md5(data).digest()).decode()
        self.send_response(status)
        for k, v in [*((k.replace("_", "-"), v) for k, v in said.items()), *self.raw.items(), ("Content-Length", len(data))]:
            self.send_header(k, str(v))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def put(self, box, key, blob, query, headers, body):
        comp, kind = query.get("comp"), headers.get("x-ms-blob-content-type", "application/octet-stream")
        if comp == "block":
            data = self.source(headers, True)[1] if "x-ms-copy-source" in headers else body
            ids = box["blocks"].setdefault(key, {})
            if len({len(i) for i in ids} | {len(query["blockid"])}) > 1:
                raise Refused(400, "InvalidBlobOrBlock")
            if blob and blob.kind != "BlockBlob":
                raise Refused(409, "InvalidBlobType")
            ids[query["blockid"]] = data
            return self.reply(201)
        if comp == "appendblock":
            self.condition(blob, headers)
            if not blob or blob.kind != "AppendBlob":
                raise Refused(409 if blob else 404, "InvalidBlobType" if blob else "BlobNotFound")
            if int(headers.get("x-ms-blob-condition-appendpos", len(blob.data))) != len(blob.data):
                raise Refused(412, "AppendPositionConditionNotMet")
            blob.data += body
            blob.touch()
            return self.reply(201, ETag=blob.etag)
        self.condition(blob, headers)
        if comp == "metadata":
            if not blob:
                raise Refused(404, "BlobNotFound")
            blob = azure_account.changed(service, box, key, meta=self.meta_of(headers))
            return self.reply(200, **self.version_of(blob), ETag=blob.etag)
        if comp == "blocklist":
            return self.commit(box, key, blob, headers, body, kind)
        if "x-ms-copy-source" in headers:
            source, data = self.source(headers, headers.get("x-ms-requires-sync") == "true")
            is_sync = headers.get("x-ms-requires-sync") == "true"
            made = Blob(data, source.kind, self.meta_of(headers) or source.meta, source.type, source.blocks)
            self.write_copy(box, key, made, is_sync)
            return None
        self.write(box, key, Blob(body, headers["x-ms-blob-type"], self.meta_of(headers), kind))

    def write_copy(self, box, key, made, is_sync):
        """A copy that was not to be in one go goes on behind the answer: as long as two looks at it take."""
        self.parents(box, key)
        azure_account.put(service, box, key, made)
        made.copy_id, made.copy_looks = f"copy-{next(counter)}", 0 if is_sync else 2
        status = "success" if is_sync else "pending"
        self.reply(202, **self.version_of(made), ETag=made.etag, x_ms_copy_id=made.copy_id, x_ms_copy_status=status)

    def commit(self, box, key, blob, headers, body, kind):
        fresh, old = box["blocks"].get(key, {}), dict(blob.blocks) if blob else {}
        blocks = []
        for what, identity in re.findall(r"<(Latest|Committed|Uncommitted)>([^<]+)</", body.decode()):
            found = {"Latest": fresh.get(identity, old.get(identity)), "Committed": old.get(identity),
                     "Uncommitted": fresh.get(identity)}[what]
            if found is None:
                raise Refused(400, "InvalidBlockList")
            blocks.append((identity, found))
        made = Blob(b"".join(b for _, b in blocks), meta=self.meta_of(headers), content_type=kind, blocks=blocks)
        self.write(box, key, made)

    def block_list(self, box, key, blob, query):
        if not blob and not box["blocks"].get(key):
            raise Refused(404, "BlobNotFound")
        if blob and blob.kind != "BlockBlob":
            raise Refused(409, "InvalidBlobType")
        rows = lambda items: "".join(f"<Block><Name>{i}</Name><Size>{len(d)}</Size></Block>" for i, d in items)  # noqa: E731
        which = query.get("blocklisttype")
        inner = (f"<CommittedBlocks>{rows(blob.blocks if blob else [])}</CommittedBlocks>" if which == "committed" else
                 f"<UncommittedBlocks>{rows(box['blocks'].get(key, {}).items())}</UncommittedBlocks>")
        self.reply(200, f"\ufeff<?xml version=\"1.0\"?><BlockList>{inner}</BlockList>",
                   **({"ETag": blob.etag, "x_ms_blob_content_length": len(blob.data)} if blob else {}))

    # ---- Data Lake ----

    def path_call(self, box, key, query, headers):
        if not DIRECTORIES:
            raise Refused(409, "HierarchicalNamespaceNotEnabled")
        blobs = box["blobs"]
        if query.get("resource") == "directory":
            if key in blobs and (not blobs[key].folder or headers.get("If-None-Match") == "*"):
                raise Refused(409, "PathAlreadyExists")
            self.parents(box, key)
            meta = dict(p.split("=", 1) for p in headers.get("x-ms-properties", "").split(",") if p)
            meta = {k: base64.b64decode(v).decode() for k, v in meta.items()}
            blobs[key] = Blob(meta={**meta, "hdi_isfolder": "true"}, folder=True)
            return self.reply(201, ETag=blobs[key].etag)
        _, name, source = urllib.parse.unquote(headers["x-ms-rename-source"]).split("/", 2)
        if name not in containers or source not in containers[name]["blobs"]:
            raise Refused(404, "SourcePathNotFound")
        blob = containers[name]["blobs"][source]
        if headers.get("x-ms-source-if-match", blob.etag) != blob.etag:
            raise Refused(412, "SourceConditionNotMet")
        if headers.get("If-None-Match") == "*" and key in blobs:
            raise Refused(409, "PathAlreadyExists")
        if "/" in key and key.rpartition("/")[0] not in blobs:
            raise Refused(404, "RenameDestinationParentPathNotFound")
        if key.startswith(source + "/"):
            raise Refused(409, "InvalidRenameSourcePath")
        for k in [k for k in containers[name]["blobs"] if k == source or k.startswith(source + "/")]:
            blobs[key + k[len(source):]] = containers[name]["blobs"].pop(k)
        self.reply(201, ETag=blob.etag)

    # ---- many at once ----

    def batch(self, name):
        boundary = re.search("boundary=(.*)", self.headers["Content-Type"])[1]
        pieces = self.body.split(f"--{boundary}".encode())[1:-1]
        if len(pieces) > 256 or not self.body.endswith(f"--{boundary}--\r\n".encode()):
            raise Refused(400, "InvalidInput")
        out = []
        for piece in pieces:
            head, _, request = piece.strip(b"\r\n").decode().partition("\r\n\r\n")
            lines = request.split("\r\n")
            method, target, _ = lines[0].split(" ")
            headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
            url = urllib.parse.urlsplit(target)
            query = dict(urllib.parse.parse_qsl(url.query))
            _, account, container, key = urllib.parse.unquote(url.path).split("/", 3)
            status, code = 202, ""
            try:
                assert method == "DELETE" and account == ACCOUNT and container == name
                self.authorize(method, url.path, query, headers, container, key)
                if name not in containers:
                    raise Refused(404, "ContainerNotFound")
                blobs = containers[name]["blobs"]
                if key not in blobs:
                    raise Refused(404, "BlobNotFound")
                if blobs[key].folder and any(k.startswith(key + "/") for k in blobs):
                    raise Refused(409, "DirectoryIsNotEmpty")
                azure_account.keep(service, containers[name], key)
                del blobs[key]
            except Refused as e:
                status, code = e.status, e.code
            number = re.search("Content-ID: (.*)", head)[1].strip()
            out.append(f"--answer\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\nHTTP/1.1 {status} Whatever\r\n"
                       + (f"x-ms-error-code: {code}\r\n" if code else "") + "\r\n")
        self.reply(202, "".join(out) + "--answer--\r\n", Content_Type="multipart/mixed; boundary=answer")


if __name__ == "__main__":
    http.server.ThreadingHTTPServer.daemon_threads = True
    http.server.ThreadingHTTPServer.request_queue_size = 128
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
