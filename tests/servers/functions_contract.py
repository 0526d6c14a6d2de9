"""Purpose: Cloud Functions (2nd generation) and Cloud Logging to the letter of Google's discovery documents (cloudfunctions.v2,
logging.v2), with the address to which code is put, the token endpoint that gives identity tokens, and the functions
themselves. Each look at an operation is one step of it; pages hold one thing and come empty between."""

import io
import json
import pathlib
import re
import time
import urllib.parse
import uuid
import zipfile

import googleapiclient.discovery_cache
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from contract import Refused, as_json
from gce_contract import EMAIL, PROJECT, GceContract, unbase64

REGION = "europe-west6"
PLACE = f"projects/{PROJECT}/locations/{REGION}"
MADE = {"functions_create", "functions_patch", "functions_delete"}


class FunctionsContract(GceContract):
    document, audience, resources = "cloudfunctions.v2", None, ()
    audiences = {"functions": "https://cloudfunctions.googleapis.com/", "entries": "https://logging.googleapis.com/"}

    def __init__(self):
        super().__init__()
        self.functions, self.uploads, self.sources, self.logs, self.calls = {}, {}, {}, [], []
        place = self.whole["resources"]["projects"]["resources"]["locations"]["resources"]
        self.add_routes("functions", place["functions"])
        self.add_routes("operations", place["operations"])
        path = pathlib.Path(googleapiclient.discovery_cache.__file__).parent / "documents" / "logging.v2.json"
        logging = json.loads(path.read_text())
        self.schemas = {**logging["schemas"], **self.schemas}
        self.add_routes("entries", logging["resources"]["entries"])

    def add_routes(self, name, resource):
        for verb, method in resource["methods"].items():
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/:]+)", method["flatPath"])
            self.routes.append((f"{name}_{verb}", re.compile("/" + pattern), method))

    def check_token(self, request):
        if request.headers.get("Authorization") != "Bearer opaque":  # of those that other than the key file's give
            super().check_token(request)

    def metadata_server(self, request):
        assert request.headers["Metadata-Flavor"] == "Google"
        place, query = request.path.rsplit("/", 1)[1], dict(request.query)
        if place == "identity":
            return 200, {"Metadata-Flavor": "Google"}, f"identity-for-{query['audience']}"
        assert place == "token"
        return as_json(200, {"access_token": "opaque", "expires_in": 3600, "token_type": "Bearer"}, **{"Metadata-Flavor": "Google"})

    def iam(self, request):
        """Tokens of the account that somebody acts as."""
        assert request.headers["Authorization"] == "Bearer opaque"
        account, verb = urllib.parse.unquote(request.path).rsplit("/", 1)[1].split(":")
        assert account == "other@x.iam" and request.method == "POST"
        body = json.loads(request.body)
        if verb == "generateIdToken":
            assert body == {"audience": body["audience"], "includeEmail": True, "delegates": []}
            return as_json(200, {"token": f"identity-for-{body['audience']}"})
        assert verb == "generateAccessToken"
        return as_json(200, {"accessToken": "opaque", "expireTime": "2099-01-01T00:00:00Z"})

    def identity(self, request):
        """{id_token} for an assertion that the account signed; access tokens for others."""
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        if form["grant_type"] == "refresh_token":
            assert form["refresh_token"] == "refresh"
            return as_json(200, {"access_token": "opaque", "expires_in": 3600, "token_type": "Bearer", "id_token": "of-a-person"})
        head, claims, signature = form["assertion"].split(".")
        self.key.public_key().verify(unbase64(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
        claims = json.loads(unbase64(claims))
        assert claims["iss"] == EMAIL and claims["aud"] == self.endpoint + "/token" and claims["exp"] > time.time() and "scope" not in claims
        return as_json(200, {"id_token": f"identity-for-{claims['target_audience']}"})

    def put(self, request):
        name, query = request.path.rsplit("/", 1)[1], dict(request.query)
        if query != {"X-Goog-Signature": "a+b/=="} or "Authorization" in request.headers:
            return 403, {"Content-Type": "application/xml"}, "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>"
        assert request.headers["Content-Type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(request.body)) as z:
            self.sources[name] = sorted(z.namelist())
        return 200, {}, ""

    def run(self, request):
        name = request.path.rsplit("/", 1)[1]
        if request.headers.get("Authorization") != f"Bearer identity-for-{self.endpoint}/run/{name}":
            return 403, {"Content-Type": "text/html"}, "<html>Forbidden</html>"
        self.calls.append(json.loads(request.body))
        headers = {"Function-Execution-Id": "run-1", "Content-Type": "text/plain"}
        if self.functions[name]["buildConfig"]["entryPoint"] == "fail":
            return 500, headers, "Internal Server Error"
        if self.functions[name]["buildConfig"]["entryPoint"] == "text":
            return 200, headers, "plain text"
        return 200, {**headers, "Content-Type": "application/json"}, json.dumps({"echo": self.calls[-1]})

    def handle(self, request):
        special = {"token": self.identity, "upload": self.put, "run": self.run, "computeMetadata": self.metadata_server,
                   "v1": self.iam}.get(request.path.split("/")[1])
        if special:
            return special(request)
        path = urllib.parse.unquote(request.path)
        for name, pattern, method in self.routes:
            match = pattern.fullmatch(path)
            if match and method["httpMethod"] == request.method:
                break
        else:
            raise Refused(404, "notFound", f"no such method: {request.method} {request.path}")
        self.audience = self.audiences["entries" if name == "entries_list" else "functions"]
        self.check_token(request)
        query = dict(request.query)
        for key in query:
            if key not in self.common and method["parameters"].get(key, {}).get("location") != "query":
                raise Refused(400, "invalidParameter", f"Unknown query parameter: {key}")
        body = json.loads(request.body) if request.body else None
        if ("request" in method) != (body is not None):
            raise Refused(400, "badRequest", "a body where none belongs, or none where one does")
        if body is not None:
            self.check_body(body, {"$ref": method["request"]["$ref"]}, "")
        where = match.groupdict()
        if name.startswith("functions") and (where["projectsId"], where["locationsId"]) != (PROJECT, REGION):
            raise Refused(403, "forbidden", "no such place")
        return as_json(200, getattr(self, name)(where, query, body))

    def rows(self, query, name, items):
        answer = self.page({"pageToken": query["pageToken"]} if query.get("pageToken") else {}, items)
        return {name: answer["items"], **({"nextPageToken": answer["nextPageToken"]} if "nextPageToken" in answer else {})}

    def find(self, where):
        if where["functionsId"] not in self.functions:
            raise Refused(404, "notFound", f"Resource '{PLACE}/functions/{where['functionsId']}' was not found")
        return self.functions[where["functionsId"]]

    def start(self, then=None, error=None):
        name = f"{PLACE}/operations/operation-{uuid.uuid4()}"
        self.operations[name] = [2, then, error]
        return {"name": name, "done": False}

    def operations_get(self, where, _query, _body):
        name = f"{PLACE}/operations/{where['operationsId']}"
        entry = self.operations[name]
        entry[0] -= 1
        if entry[0] > 0:
            return {"name": name, "done": False}
        if entry[2]:
            return {"name": name, "done": True, "error": {"code": 3, "message": entry[2]}}
        if entry[1]:
            entry[1]()
            entry[1] = None
        return {"name": name, "done": True, "response": {}}

    def operations_list(self, *_arguments):
        raise NotImplementedError

    def functions_list(self, _where, query, _body):
        return self.rows(query, "functions", list(self.functions.values()))

    def functions_get(self, where, _query, _body):
        return self.find(where)

    def functions_generateUploadUrl(self, _where, _query, body):  # noqa: N802
        assert body == {"environment": "GEN_2"}
        name = f"u{len(self.uploads)}"
        self.uploads[name] = {"bucket": "gcf-uploads", "object": f"{name}.zip", "generation": "7"}
        return {"uploadUrl": f"{self.endpoint}/upload/{name}?X-Goog-Signature=a%2Bb%2F%3D%3D", "storageSource": self.uploads[name]}

    def functions_create(self, _where, query, body):
        name = query["functionId"]
        if name in self.functions:
            raise Refused(409, "alreadyExists", f"Could not create Cloud Run service {name}. A Cloud Run service with this name already exists.")
        made = {**body, "name": f"{PLACE}/functions/{name}", "state": "DEPLOYING", "updateTime": "2026-11-23T10:00:00.123456Z"}
        if body["buildConfig"]["runtime"] == "python1":
            return self.start(error="Build failed: runtime python1 is not supported")
        self.functions[name] = made

        def done():
            made["state"] = "ACTIVE"
            made.setdefault("serviceConfig", {}).update(uri=f"{self.endpoint}/run/{name}", service=f"{PLACE}/services/{name}")

        return self.start(done)

    def functions_patch(self, where, query, body):
        assert query["updateMask"] == "buildConfig.source" and set(body) == {"buildConfig"}
        one = self.find(where)
        return self.start(lambda: one["buildConfig"].update(body["buildConfig"]))

    def functions_delete(self, where, _query, _body):
        self.find(where)
        return self.start(lambda: self.functions.pop(where["functionsId"]))

    def entries_list(self, _where, _query, body):
        assert body["resourceNames"] == [f"projects/{PROJECT}"] and body["orderBy"] == "timestamp asc"
        found = re.fullmatch(r'resource\.type="cloud_run_revision" AND resource\.labels\.service_name="([\w-]+)" AND '
                             rf'resource\.labels\.location="{REGION}" AND timestamp>="([\d:TZ.-]+)"', body["filter"])
        if not found:
            raise Refused(400, "badRequest", "Unparseable filter")
        return self.rows(body, "entries", [e for e in self.logs if e["timestamp"] >= found[2]])
