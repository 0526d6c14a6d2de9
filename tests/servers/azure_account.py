"""Purpose: two parts of the Azure contract server that concern the whole account: the Resource Manager's view of its blob service,
by hand from the public REST reference (2023-05-01), and the old versions of blobs that are kept when that says so."""

import base64
import copy
import datetime
import itertools
import json
import time

SUBSCRIPTION, GROUP = "99999999-8888-7777-6666-555555555555", "group1"
API = "2023-05-01"
# What may be set; what is not sent gets its standard.
PROPERTIES = {"cors": dict, "defaultServiceVersion": str, "deleteRetentionPolicy": dict, "isVersioningEnabled": bool,
              "automaticSnapshotPolicyEnabled": bool, "changeFeed": dict, "restorePolicy": dict,
              "containerDeleteRetentionPolicy": dict, "lastAccessTimeTrackingPolicy": dict}
counter = itertools.count(1)


class Refused(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


class BlobService:
    """Settings of the account, as the Resource Manager tells and takes them."""

    def __init__(self, account):
        self.account = account
        self.properties = {"cors": {"corsRules": []}, "deleteRetentionPolicy": {"enabled": True, "days": 9}}
        self.calls = []  # for tests

    @property
    def is_versioning(self):
        return bool(self.properties.get("isVersioningEnabled"))

    def answer(self, method, path, query, body, base):
        """(status, document)"""
        top = f"/subscriptions/{SUBSCRIPTION}/"
        accounts = f"resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/"
        self.calls.append(f"{method} {path}")
        try:
            if query.get("api-version") != API or set(query) - {"api-version", "$skiptoken"}:
                raise Refused(400, "InvalidApiVersionParameter")
            if method == "GET" and path == top + "providers/Microsoft.Storage/storageAccounts":
                names = ["another", self.account]  # one a page
                at = int(query.get("$skiptoken", 0))
                page = {"value": [{"id": top + accounts + names[at], "name": names[at], "location": "westeurope"}]}
                if at + 1 < len(names):
                    page["nextLink"] = f"{base}{path}?api-version={API}&%24skiptoken={at + 1}"
                return 200, page
            if path != top + accounts + self.account + "/blobServices/default":
                raise Refused(404, "ResourceNotFound")
            if method == "PUT":
                self.take(json.loads(body))
            elif method != "GET":
                raise Refused(405, "MethodNotAllowed")
        except Refused as e:
            return e.status, {"error": {"code": e.code, "message": "refused"}}
        return 200, {"id": path, "name": "default", "type": "Microsoft.Storage/storageAccounts/blobServices",
                     "sku": {"name": "Standard_LRS", "tier": "Standard"}, "properties": self.properties}

    def take(self, body):
        given = body.get("properties", {})
        if set(body) != {"properties"} or any(type(v) is not PROPERTIES.get(k) for k, v in given.items()):
            raise Refused(400, "InvalidRequestPropertyValue")
        self.properties = {"cors": {"corsRules": []}, "deleteRetentionPolicy": {"enabled": False}, **given}


def created(blob):
    when = datetime.datetime.fromtimestamp(blob.modified, datetime.timezone.utc)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{next(counter):07d}Z"


def put(service, box, key, blob):
    """The new state of a blob. What was there is kept when it is a version, or when versions are kept now."""
    keep(service, box, key)
    blob.version = created(blob) if service.is_versioning else None
    box["blobs"][key] = blob


def keep(service, box, key):
    old = box["blobs"].get(key)
    if old and (old.version or service.is_versioning):
        old.version = old.version or created(old)
        box["old"].setdefault(key, []).append(old)


def changed(service, box, key, **members):
    """A blob with another state of its metadata."""
    blob = copy.copy(box["blobs"][key])
    for name, value in members.items():
        setattr(blob, name, value)
    blob.touch()
    put(service, box, key, blob)
    return blob


def find(box, key, version):
    """The blob, or the version of it."""
    current = box["blobs"].get(key)
    if not version or (current and current.version == version):
        return current
    return next((b for b in box["old"].get(key, []) if b.version == version), None)


def delete_version(box, key, version):
    current = box["blobs"].get(key)
    if current and current.version == version:
        raise Refused(403, "OperationNotAllowedOnRootBlob")
    left = [b for b in box["old"].get(key, []) if b.version != version]
    if len(left) == len(box["old"].get(key, [])):
        raise Refused(404, "BlobNotFound")
    box["old"][key] = left


def rows(box, wants_versions):
    """(key, number, blob), the oldest version of each first."""
    keys = set(box["blobs"]) | (set(box["old"]) if wants_versions else set())
    for key in sorted(keys):
        found = [*(box["old"].get(key, []) if wants_versions else []), *([box["blobs"][key]] if key in box["blobs"] else [])]
        for number, blob in enumerate(found):
            yield key, number, blob


def marker_of(key, number):
    return base64.b64encode(json.dumps([key, number]).encode()).decode()


def marker_read(text):
    try:
        key, number = json.loads(base64.b64decode(text)) if text else ("", 0)
    except ValueError:
        raise Refused(400, "OutOfRangeInput") from None
    return key, number
