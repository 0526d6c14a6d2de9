"""Purpose: Google's Infrastructure Manager to the letter of its discovery document (config.v1): paths, query parameters and fields
that it does not have are refused, as in gce_contract.py. Each look at a deployment or a preview is one step of it; pages hold one
thing each and come empty between."""

import json
import re
import urllib.parse

from contract import Refused, as_json
from gce_contract import PROJECT, GceContract

PLACE = f"projects/{PROJECT}/locations/europe-west6"


class ConfigContract(GceContract):
    document, prefix, audience, resources = "config.v1", "/v1/", "https://config.googleapis.com/", ()

    def __init__(self):
        super().__init__()
        self.deployments, self.previews = {}, {}

    def _load(self, document):
        def walk(name, resource):
            for verb, method in resource.get("methods", {}).items():
                pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/:]+)", method["flatPath"].removeprefix("v1/"))
                self.routes.append((f"{name}_{verb}", re.compile(pattern), method))
            for child, below in resource.get("resources", {}).items():
                walk(child, below)

        walk("projects", document["resources"]["projects"])

    def handle(self, request):
        if not self.routes:
            self._load(self.whole)
        self.check_token(request)
        path = urllib.parse.unquote(request.path).removeprefix(self.prefix)
        for name, pattern, method in self.routes:
            match = pattern.fullmatch(path)
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
        where = match.groupdict()
        if (where["projectsId"], where["locationsId"]) != (PROJECT, "europe-west6"):
            raise Refused(404, "notFound", "no such place")
        return as_json(200, getattr(self, name)(where, query, body))

    def rows(self, query, name, items):
        answer = self.page({"pageToken": query["pageToken"]} if "pageToken" in query else {}, items)
        return {name: answer["items"], **({"nextPageToken": answer["nextPageToken"]} if "nextPageToken" in answer else {})}

    def find(self, where):
        if where["deploymentsId"] not in self.deployments:
            raise Refused(404, "notFound", f"Resource '{where['deploymentsId']}' was not found")
        return self.deployments[where["deploymentsId"]]

    def apply(self, one, body, state):
        one.update(body, state=state)
        number = len(one["_revisions"])
        name = f"{one['name']}/revisions/r-{number}"
        inputs = one["terraformBlueprint"].get("inputValues", {})
        one["_revisions"].append({"name": name, "state": "APPLYING", "createTime": f"2026-11-23T10:00:0{number}Z", "applyResults": {
            "outputs": {"url": {"value": "http://192.0.2.7"}, "key": {"value": "hidden", "sensitive": True}}}, "_inputs": inputs})
        return {"name": f"{PLACE}/operations/o", "done": False}

    @staticmethod
    def shown(thing):
        return {k: v for k, v in thing.items() if k[0] != "_"}

    def deployments_list(self, _where, query, _body):
        return self.rows(query, "deployments", [self.shown(d) for d in self.deployments.values()])

    def deployments_get(self, where, _query, _body):
        one = self.find(where)
        seen = self.shown(one)
        latest = one["_revisions"][-1]
        if one["state"] in ("CREATING", "UPDATING"):
            is_bad = latest["_inputs"].get("fail", {}).get("inputValue") == "yes"
            one["state"], latest["state"] = ("FAILED", "FAILED") if is_bad else ("ACTIVE", "APPLIED")
            latest["updateTime"] = latest["createTime"]
            one["latestRevision"] = latest["name"]
            if is_bad:
                one["stateDetail"] = latest["stateDetail"] = "terraform failed"
        elif one["state"] == "DELETING":
            del self.deployments[where["deploymentsId"]]
        return seen

    def deployments_create(self, _where, query, body):
        if query["deploymentId"] in self.deployments:
            raise Refused(409, "alreadyExists", "Resource already exists")
        if not ({"gcsSource", "gitSource"} & set(body["terraformBlueprint"])):
            raise Refused(400, "badRequest", "no source")
        self.last_body = body
        one = self.deployments[query["deploymentId"]] = {"name": f"{PLACE}/deployments/{query['deploymentId']}", "_revisions": [],
                                                         "createTime": "2026-11-23T10:00:00Z"}
        return self.apply(one, body, "CREATING")

    def deployments_patch(self, where, query, body):
        assert set(query["updateMask"].split(",")) >= set(body)
        self.last_body = body
        return self.apply(self.find(where), body, "UPDATING")

    def deployments_delete(self, where, query, _body):
        assert query["force"] == "true" and query["deletePolicy"] == "DELETE"
        self.find(where)["state"] = "DELETING"
        return {"name": f"{PLACE}/operations/o", "done": False}

    def revisions_list(self, where, query, _body):
        return self.rows(query, "revisions", [self.shown(r) for r in self.find(where)["_revisions"]])

    def revisions_get(self, where, _query, _body):
        return self.shown(next(r for r in self.find(where)["_revisions"] if r["name"].endswith("/" + where["revisionsId"])))

    THINGS = [{"terraformInfo": {"address": f"google_thing.{n}", "type": "google_thing", "id": f"id-{n}"}, "intent": "CREATE"}
              for n in ("one", "two")]

    def resources_list(self, where, query, _body):
        self.revisions_get(where, None, None)
        return self.rows(query, "resources", [{**t, "state": "RECONCILED"} for t in self.THINGS])

    def previews_create(self, _where, query, body):
        if "deployment" in body:
            assert body["deployment"].rsplit("/", 1)[1] in self.deployments
        self.previews[query["previewId"]] = {"name": f"{PLACE}/previews/{query['previewId']}", "state": "CREATING", **body}
        return {"name": f"{PLACE}/operations/o", "done": False}

    def previews_get(self, where, _query, _body):
        one = self.previews[where["previewsId"]]
        if one["terraformBlueprint"]["gcsSource"].endswith("broken"):
            one.update(state="FAILED", errorStatus={"code": 3, "message": "no such module"})
        else:
            one["state"] = {"CREATING": "APPLYING"}.get(one["state"], "SUCCEEDED")
        return one

    def resourceChanges_list(self, where, query, _body):  # noqa: N802
        assert where["previewsId"] in self.previews
        return self.rows(query, "resourceChanges", self.THINGS)

    def previews_delete(self, where, _query, _body):
        del self.previews[where["previewsId"]]
        return {"name": f"{PLACE}/operations/o", "done": False}
