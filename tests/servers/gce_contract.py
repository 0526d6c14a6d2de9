"""Purpose: a Compute Engine to the letter: what Google's description (the discovery document compute.v1 of the PyPI package
google-api-python-client) does not have is refused: paths, query parameters, fields of bodies at any depth, writing of
output-only parts. Tokens are JWTs whose signature is verified, or were given out by its own token endpoint.

Pages hold one thing each and come empty between; each look at an operation is one step of it.
"""

import base64
import itertools
import json
import pathlib
import re
import time
import urllib.parse
import uuid

import googleapiclient.discovery_cache
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from contract import Contract, Refused, as_json

PROJECT, EMAIL = "skydir-test", "tests@skydir-test.iam.gserviceaccount.com"
PREFIX = "/compute/v1/"
ZONES = ("europe-west6-a", "europe-west6-b")


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class GceContract(Contract):
    document, prefix, audience = "compute.v1", PREFIX, "https://compute.googleapis.com/"
    resources = ("instances", "images", "machineTypes", "zones", "zoneOperations", "globalOperations", "projects")

    def __init__(self):
        super().__init__()
        path = pathlib.Path(googleapiclient.discovery_cache.__file__).parent / "documents" / f"{self.document}.json"
        document = json.loads(path.read_text())
        self.whole = document
        self.schemas, self.common, self.routes = document["schemas"], set(document["parameters"]), []
        for name in self.resources:
            for verb, method in document["resources"][name]["methods"].items():
                pattern = re.sub(r"\{\+?(\w+)\}", r"(?P<\1>[^/]+)", method["path"])
                self.routes.append((f"{name}_{verb}", re.compile(pattern), method))
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.instances, self.operations, self.by_request = {}, {}, {}
        self.numbers = itertools.count(4000000000000000001)
        self.metadata = {"kind": "compute#metadata", "fingerprint": "f0", "items": [{"key": "other", "value": "kept"}]}
        self.images = {PROJECT: ["golden"], "debian-cloud": ["debian-12-bookworm-v20261101", "debian-13-trixie-v20261101"]}

    def credentials(self, path):
        pem = self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()).decode()
        path.write_text(json.dumps({"type": "service_account", "project_id": PROJECT, "private_key_id": "k1",
                                    "private_key": pem, "client_email": EMAIL, "client_id": "1",
                                    "token_uri": self.endpoint + "/token"}))

    # ---- the frame ----

    def refuse(self, e):
        return as_json(e.status, {"error": {"code": e.status, "message": e.message,
                                            "errors": [{"message": e.message, "domain": "global", "reason": e.code}]}})

    def check_token(self, request):
        given = request.headers.get("Authorization", "")
        try:
            head, claims, signature = given.removeprefix("Bearer ").split(".")
            self.key.public_key().verify(unbase64(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
            claims = json.loads(unbase64(claims))
            is_good = claims["iss"] == EMAIL and claims["exp"] > time.time() and (
                claims.get("aud") == self.audience or "scope" in claims)
        except Exception:  # noqa: BLE001 (whatever is wrong with it)
            is_good = False
        if not is_good:
            raise Refused(401, "authError", "Request had invalid authentication credentials.")

    def handle(self, request):
        self.check_token(request)
        if not request.path.startswith(self.prefix):
            raise Refused(404, "notFound", "no such path")
        for name, pattern, method in self.routes:
            match = pattern.fullmatch(request.path[len(self.prefix):])
            if match and method["httpMethod"] == request.method:
                break
        else:
            raise Refused(404, "notFound", f"no such method: {request.method} {request.path}")
        query = dict(request.query)
        for key in query:
            if key not in self.common and method["parameters"].get(key, {}).get("location") != "query":
                raise Refused(400, "invalidParameter", f"Unknown query parameter: {key}")
        body = json.loads(request.body) if request.body else None
        if ("request" in method) != (body is not None):
            raise Refused(400, "badRequest", "a body where none belongs, or none where one does")
        if body is not None:
            self.check_body(body, {"$ref": method["request"]["$ref"]}, "")
        where = {k: urllib.parse.unquote(v) for k, v in match.groupdict().items()}
        if "requestId" in query:
            uuid.UUID(query["requestId"])
            if query["requestId"] in self.by_request:
                return as_json(200, self.by_request[query["requestId"]])
        if where["project"] not in self.images:
            if name == "images_list":
                return as_json(200, {"kind": "compute#imageList"})
            raise Refused(404, "notFound", f"project {where['project']} was not found")
        answer = getattr(self, name)(where, query, body)
        if "requestId" in query:
            self.by_request[query["requestId"]] = answer
        return as_json(200, answer)

    def check_body(self, value, schema, at):
        schema = self.schemas[schema["$ref"]] if "$ref" in schema else schema
        kind = schema.get("type")
        if kind == "object":
            if not isinstance(value, dict):
                raise Refused(400, "invalid", f"Invalid value for field '{at}'")
            for key, member in value.items():
                below = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
                if below is None or below.get("readOnly"):
                    raise Refused(400, "invalid", f"Unknown name '{key}' at '{at}'")
                self.check_body(member, below, f"{at}.{key}")
        elif kind == "array":
            if not isinstance(value, list):
                raise Refused(400, "invalid", f"Invalid value for field '{at}'")
            for member in value:
                self.check_body(member, schema["items"], at)
        elif kind == "boolean" and not isinstance(value, bool) or kind == "string" and isinstance(value, (dict, list, bool)):
            raise Refused(400, "invalid", f"Invalid value for field '{at}'")

    def page(self, query, items):
        """Things and nothing, in turn."""
        if "maxResults" in query and not 0 <= int(query["maxResults"]) <= 500:
            raise Refused(400, "invalid", "maxResults")
        at = int(query.get("pageToken", "t0")[1:])
        answer = {"items": items[at // 2:at // 2 + 1] if at % 2 else []}
        if at < 2 * len(items):
            answer["nextPageToken"] = f"t{at + 1}"
        return answer

    def begin(self, zone, then=None, error=None):
        name = f"operation-{uuid.uuid4()}"
        made = {"kind": "compute#operation", "name": name, "status": "PENDING", "progress": 0, "operationType": "x",
                **({"zone": f"{self.endpoint}{PREFIX}projects/{PROJECT}/zones/{zone}"} if zone else {})}
        self.operations[name] = [made, then, error]
        return dict(made)

    def look(self, name):
        if name not in self.operations:
            raise Refused(404, "notFound", "no such operation")
        made, then, error = entry = self.operations[name]
        made["status"] = {"PENDING": "RUNNING"}.get(made["status"], "DONE")
        if made["status"] == "DONE" and error:
            made["error"] = {"errors": [{"code": error[0], "message": error[1]}]}
        elif made["status"] == "DONE" and then:
            then()
            entry[1] = None
        return dict(made)

    # ---- methods, named as the description has them ----

    def zoneOperations_get(self, where, _query, _body):  # noqa: N802
        return self.look(where["operation"])

    def globalOperations_get(self, where, _query, _body):  # noqa: N802
        return self.look(where["operation"])

    def instances_aggregatedList(self, _where, query, _body):  # noqa: N802
        chosen = list(self.instances.values())
        if "filter" in query:
            key, value = query["filter"].split(" = ")
            chosen = [i for i in chosen if i[key] == value]
        answer = self.page(query, chosen)
        scopes = {f"zones/{z}": {"warning": {"code": "NO_RESULTS_ON_PAGE"}} for z in ZONES}
        for i in answer["items"]:
            scopes["zones/" + i["zone"].rsplit("/", 1)[1]] = {"instances": [i]}
        return {**answer, "items": scopes}

    def find(self, where):
        one = self.instances.get((where["zone"], where["instance"]))
        if not one:
            raise Refused(404, "notFound", f"The resource '{where['instance']}' was not found")
        return one

    def instances_get(self, where, _query, _body):
        return self.find(where)

    def instances_insert(self, where, _query, body):
        zone, name = where["zone"], body["name"]
        if (zone, name) in self.instances:
            raise Refused(409, "alreadyExists", f"The resource '{name}' already exists")
        if "n9-huge" in body["machineType"]:
            return self.begin(zone, error=("QUOTA_EXCEEDED", "Quota 'CPUS' exceeded.  Limit: 8.0"))
        assert body["disks"][0]["initializeParams"]["sourceImage"].startswith("projects/")
        ports = [{"networkIP": "10.172.0.2", "accessConfigs": [{"natIP": "192.0.2.20"}]} for _ in body["networkInterfaces"]]
        base = f"{self.endpoint}{PREFIX}projects/{PROJECT}/zones/{zone}"
        made = {"id": str(next(self.numbers)), "name": name, "status": "STAGING", "zone": base,
                "machineType": f"{base}/machineTypes/{body['machineType'].rsplit('/', 1)[1]}", "networkInterfaces": ports,
                "creationTimestamp": "2026-11-23T02:00:00.000-08:00", "labels": body.get("labels", {})}
        self.instances[zone, name] = made
        self.last_body = body
        return self.begin(zone, lambda: made.update(status="RUNNING"))

    def change(self, where, during, then):
        one = self.find(where)
        one["status"] = during or one["status"]
        return self.begin(where["zone"], then(one))

    def instances_start(self, where, _query, _body):
        return self.change(where, "STAGING", lambda one: lambda: one.update(status="RUNNING"))

    def instances_stop(self, where, _query, _body):
        return self.change(where, "STOPPING", lambda one: lambda: one.update(status="TERMINATED"))

    def instances_reset(self, where, _query, _body):
        return self.change(where, None, lambda _one: None)

    def instances_delete(self, where, _query, _body):
        return self.change(where, "STOPPING", lambda one: lambda: self.instances.pop((where["zone"], one["name"])))

    def instances_getSerialPortOutput(self, where, _query, _body):  # noqa: N802
        self.find(where)
        return {"contents": "one\ntwo\nthree\n", "start": "0", "next": "14"}

    def image(self, project, name):
        return {"name": name, "status": "READY", "diskSizeGb": "10", "architecture": "X86_64", "archiveSizeBytes": "123",
                "family": "-".join(name.split("-")[:2]), "creationTimestamp": "2026-11-01T00:00:00.000-07:00",
                "selfLink": f"{self.endpoint}{PREFIX}projects/{project}/global/images/{name}"}

    def images_list(self, where, query, _body):
        return self.page(query, [self.image(where["project"], n) for n in self.images[where["project"]]])

    def images_get(self, where, _query, _body):
        if where["image"] not in self.images[where["project"]]:
            raise Refused(404, "notFound", f"The resource '{where['image']}' was not found")
        return self.image(where["project"], where["image"])

    def images_getFromFamily(self, where, _query, _body):  # noqa: N802
        for name in self.images[where["project"]]:
            if name.startswith(where["family"] + "-"):
                return self.image(where["project"], name)
        raise Refused(404, "notFound", "no such family")

    TYPES = [{"name": n, "guestCpus": c, "memoryMb": 1024 * c} for n, c in (("e9-small", 2), ("n9-huge", 96))]

    def machineTypes_list(self, _where, query, _body):  # noqa: N802
        return self.page(query, self.TYPES)

    def machineTypes_aggregatedList(self, _where, query, _body):  # noqa: N802
        answer = self.page(query, [(z, t) for z in ZONES for t in self.TYPES])
        return {**answer, "items": {f"zones/{z}": {"machineTypes": [t]} for z, t in answer["items"]}}

    def zones_list(self, _where, query, _body):
        return self.page(query, [{"name": z, "status": "UP", "region": f"{self.endpoint}{PREFIX}r/europe-west6"} for z in ZONES])

    def projects_get(self, _where, _query, _body):
        return {"name": PROJECT, "commonInstanceMetadata": self.metadata}

    def projects_setCommonInstanceMetadata(self, _where, _query, body):  # noqa: N802
        if body.get("fingerprint") != self.metadata["fingerprint"]:
            raise Refused(412, "conditionNotMet", "Supplied fingerprint does not match current metadata fingerprint.")
        number = int(self.metadata["fingerprint"][1:]) + 1
        return self.begin(None, lambda: self.metadata.update(items=body["items"], fingerprint=f"f{number}"))
