"""`skydir buckets list` reads to the end when each page of the service holds one bucket, on every store that has pages."""

import json

import pytest

from cli import Cli
from contract import Contract, Refused, as_json

NAMES = [f"bucket-{n}" for n in range(5)]
KEY = "a2V5"  # base64 of "key"


class OneByOne(Contract):
    """All four services; which one is seen by the path."""

    def refuse(self, e):
        return as_json(e.status, {"error": {"code": e.status, "message": e.message}})

    def handle(self, request):
        query = dict(request.query)
        if request.path.endswith("/auth/tokens"):
            token = {"expires_at": "2099-01-01T00:00:00.000000Z", "project": {"id": "p"}, "user": {"id": "u"}, "catalog": []}
            return as_json(201, {"token": token}, **{"X-Subject-Token": "t"})
        if request.path == "/storage/v1/b":
            at = int(query.get("pageToken", "0"))
            return as_json(200, {"items": [{"name": NAMES[at], "timeCreated": "2026-01-02T03:04:05Z"}],
                                 **({"nextPageToken": str(at + 1)} if at + 1 < len(NAMES) else {})})
        if request.path.startswith("/v1/AUTH_p"):
            rest = [n for n in NAMES if n > query.get("marker", "")]
            return as_json(200, [{"name": n, "count": 0, "bytes": 0, "last_modified": "2026-01-02T03:04:05.000000"} for n in rest[:1]])
        if query.get("comp") == "list":
            at = int(query.get("marker") or 0)
            name, following = NAMES[at], at + 1 if at + 1 < len(NAMES) else ""
            return 200, {"Content-Type": "application/xml"}, (
                f'<?xml version="1.0"?><EnumerationResults><Containers><Container><Name>{name}</Name><Properties><Last-Modified>'
                f"Thu, 01 Jan 2026 00:00:00 GMT</Last-Modified></Properties></Container></Containers><NextMarker>{following}"
                "</NextMarker></EnumerationResults>")
        if request.path == "/":
            at = int(query.get("continuation-token", "0"))
            more = f"<ContinuationToken>{at + 1}</ContinuationToken>" if at + 1 < len(NAMES) else ""
            return 200, {"Content-Type": "application/xml"}, (
                f"<ListAllMyBucketsResult><Buckets><Bucket><Name>{NAMES[at]}</Name><CreationDate>2026-01-02T03:04:05.000Z"
                f"</CreationDate></Bucket></Buckets>{more}</ListAllMyBucketsResult>")
        raise Refused(404, "notFound", request.path)


@pytest.mark.parametrize("store", ["s3", "gcs", "azure", "swift"])
def test_buckets_come_one_by_one(store):
    with OneByOne() as server:
        at = server.endpoint
        sections = {
            "s3": f"type = s3\nendpoint = {at}\nregion = x-1\naccess-key-id = k\nsecret-access-key = s\n",
            "gcs": f"type = gcs\nendpoint = {at}\nproject-id = p\nanonymous = yes\n",
            "azure": f"type = azure\nconnection-string = AccountName=acc;AccountKey={KEY};BlobEndpoint={at}/acc\nhierarchical-namespace = no\n",
            "swift": f"type = swift\nauth-url = {at}/v3\nusername = u\npassword = p\nproject-name = p\nuser-domain-name = d\n"
                     f"project-domain-name = d\nstorage-url = {at}/v1/AUTH_p\n"}
        with Cli(config=f"[{store}]\n{sections[store]}") as cli:
            found = cli("buckets", "list", f"/{store}")
            assert found.code == 0, found.err
            assert [b["name"] for b in json.loads(found.out)["items"]] == NAMES
            lists = [r for r in server.requests if r.method == "GET"]
            assert len(NAMES) <= len(lists) <= len(NAMES) + 1
