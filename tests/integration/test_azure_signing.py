"""Shared Key and shared access signatures judged by azure-storage-blob's own code, on generated requests.

SKYDIR_AZURE_SEED and SKYDIR_AZURE_CASES change what is generated.
"""

import base64
import datetime
import json
import os
import random
import subprocess
import types
import urllib.parse

import pytest

authentication = pytest.importorskip("azure.storage.blob._shared.authentication")
from azure.storage.blob._shared_access_signature import BlobSharedAccessSignature  # noqa: E402
from harness import fleet  # noqa: E402

TOOL = fleet.build_dir() / "tests" / "tools" / "azure_tool"
SEED = int(os.environ.get("SKYDIR_AZURE_SEED", "20260101"))
CASES = int(os.environ.get("SKYDIR_AZURE_CASES", "400"))
ACCOUNT = "myaccount"
KEY = base64.b64encode(bytes(range(64))).decode()

SEGMENTS = ["a", "a b", "%", "ü", "日本", "a+b", "a=b&c", "(x)", "'", '"', "*", "!", "$", ",", ";", ":", "@", "#", "?", "[]", "~x", "-._~"]
META = ["a", "a_b", "ab", "a1", "a_1", "_a", "A", "aB", "hdi_isfolder", "mtime", "x__2dy", "z9", "b_", "b__", "b0"]
MS = ["x-ms-version", "x-ms-blob-type", "x-ms-blob-content-type", "x-ms-copy-source", "x-ms-copy-source-authorization",
      "x-ms-source-if-match", "x-ms-source-range", "x-ms-content-crc64", "x-ms-range-get-content-crc64", "x-ms-delete-snapshots"]
QUERY = [["comp", "list"], ["restype", "container"], ["prefix", "a b/ü"], ["include", "metadata,snapshots"], ["marker", "2!76!x=="],
         ["blockid", "YWJjZA=="], ["delimiter", "/"], ["maxresults", "5000"], ["snapshot", "2026-01-01T00:00:00.0000000Z"]]


@pytest.fixture(scope="module")
def tool():
    with subprocess.Popen([str(TOOL)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        def ask(case):
            p.stdin.write(json.dumps(case) + "\n")
            p.stdin.flush()
            answer = json.loads(p.stdout.readline())
            assert "error" not in answer, answer
            return answer

        yield ask
        p.stdin.close()


def random_case(rng):
    key = "/".join(rng.choice(SEGMENTS) for _ in range(rng.randint(1, 4)))
    headers = [[f"x-ms-meta-{name}", rng.choice(["1", "x y", "a:b", "=?UTF-8?B?w6k=?="])]
               for name in rng.sample(META, rng.randint(0, 6)) if True]
    seen = {h[0].lower() for h in headers}
    headers = [h for i, h in enumerate(headers) if h[0].lower() not in {x[0].lower() for x in headers[:i]}]
    headers += [[name, rng.choice(["v", "true", "bytes=0-9"])] for name in rng.sample(MS, rng.randint(0, 5)) if name not in seen]
    for name, value in (("Content-Type", "text/plain"), ("If-Match", '"0x8D"'), ("If-None-Match", "*"),
                        ("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==")):
        if rng.random() < 0.3:
            headers.append([name, value])
    body = rng.choice([None, "", "x", "ü" * 20])
    return {
        "form": "sign", "method": rng.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]), "scheme": "http",
        "host": "127.0.0.1:10000", "path": "/c/" + urllib.parse.quote(key, safe="/-._~"),
        "query": rng.sample(QUERY, rng.randint(0, 5)), "headers": headers, "body": body,
        "account": ACCOUNT, "key": KEY, "wall_s": rng.randint(1_000_000_000, 2_000_000_000),
    }


class Judge(authentication.SharedKeyCredentialPolicy):
    def _add_authorization_header(self, request, string_to_sign):
        self.string_to_sign = string_to_sign
        super()._add_authorization_header(request, string_to_sign)


@pytest.mark.parametrize("number", range(CASES // 100))
def test_shared_key_is_what_the_vendor_makes_of_it(tool, number):
    rng = random.Random(SEED + number)
    for _ in range(100):
        case = random_case(rng)
        ours = tool(case)
        headers = dict(case["headers"])
        headers["x-ms-date"] = ours["date"]
        length = len((case["body"] or "").encode())
        headers["Content-Length"] = str(length)
        query = {k: urllib.parse.quote(v, safe="") for k, v in case["query"]}
        http = types.SimpleNamespace(method=case["method"], headers=headers, query=query,
                                     url=f"http://{case['host']}{case['path']}")
        judge = Judge(ACCOUNT, KEY)
        judge.on_request(types.SimpleNamespace(http_request=http, context=types.SimpleNamespace(transport=None)))
        assert ours["string_to_sign"] == judge.string_to_sign, case
        assert ours["authorization"] == headers["Authorization"]


def test_a_shared_access_signature_is_what_the_vendor_makes_of_it(tool, monkeypatch):
    module = __import__("azure.storage.blob._shared.shared_access_signature", fromlist=["x"])
    rng = random.Random(SEED)
    for _ in range(100):
        blob = rng.choice([None, "/".join(rng.choice(SEGMENTS) for _ in range(rng.randint(1, 3)))])
        start, expires = rng.choice([0, 1_700_000_000]), rng.randint(1_700_000_001, 1_900_000_000)
        case = {"form": "sas", "account": ACCOUNT, "key": KEY, "container": "c", "blob": blob,
                "permissions": rng.choice(["r", "cw", "rcw"]), "start": start, "expires": expires,
                "is_https_only": rng.random() < 0.5}
        ours = tool(case)
        theirs = BlobSharedAccessSignature(ACCOUNT, account_key=KEY)
        theirs.x_ms_version = "2022-11-02"

        def when(s):
            return datetime.datetime.fromtimestamp(s, datetime.timezone.utc) if s else None

        arguments = {"permission": case["permissions"], "expiry": when(expires), "start": when(start),
                     "protocol": "https" if case["is_https_only"] else None}
        said = []
        token = (theirs.generate_blob("c", blob, sts_hook=said.append, **arguments) if blob
                 else theirs.generate_container("c", sts_hook=said.append, **arguments))
        assert ours["string_to_sign"] == said[0]
        assert dict(ours["query"]) == dict(urllib.parse.parse_qsl(token)), case
