"""Purpose: Azure's function applications, by hand from the public REST reference, on the server of azvm_contract.py: as strict. With
their own hosts (PATH /HOST/...): the deployment service, which unpacks what it is given and takes its time, and the
functions; and Application Insights, whose tokens are others."""

import io
import json
import re
import urllib.parse
import uuid
import zipfile

import known_secrets
from azvm_contract import CLIENT, GROUP, LOCATION, SECRET, SUBSCRIPTION, TENANT, AzvmContract, Refused, as_json, check

TEXT, FLAG = str, bool
SITE = {"location": TEXT, "kind": TEXT, "tags": {"*": TEXT}, "properties": {
    "serverFarmId": TEXT, "reserved": FLAG, "httpsOnly": FLAG, "siteConfig": {
        "linuxFxVersion": TEXT, "minTlsVersion": TEXT, "ftpsState": TEXT, "appSettings": [{"name": TEXT, "value": TEXT}]}}}
PLAN = {"location": TEXT, "kind": TEXT, "sku": {"name": TEXT, "tier": TEXT}, "properties": {"reserved": FLAG}}
BASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
STORE_KEY, HOST_KEY, INSIGHTS_ID = "c3RvcmFnZS1rZXk=", known_secrets.AZURE_HOST, "12345678-1234-1234-1234-123456789abc"
VERSIONS = {"Microsoft.Web": "2023-12-01", "Microsoft.Storage": "2023-05-01"}


class AzfuncContract(AzvmContract):
    queries = {"deleteEmptyServerFarm"}

    def __init__(self):
        super().__init__()
        self.insights_tokens, self.code, self.settings, self.deployments, self.calls, self.queried = set(), {}, {}, {}, [], []
        path = f"{BASE}/Microsoft.Storage/storageAccounts/store1"
        self.things = {path.lower(): {"id": path, "name": "store1"}}
        self.inner = {"hello": "/api/hello"}
        self.will_fail = False

    def handle(self, request):
        host = request.path.split("/")[1]
        if host.endswith(".azurewebsites.net"):
            return self.at_host(host, request, "/" + request.path.split("/", 2)[2])
        if request.path.startswith("/v1/apps/"):
            return self.insights(request)
        form = dict(urllib.parse.parse_qsl(request.body.decode())) if request.path == f"/{TENANT}/oauth2/v2.0/token" else {}
        if form.get("scope") == "https://api.applicationinsights.io/.default":
            assert (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)
            self.insights_tokens.add(uuid.uuid4().hex)
            return as_json(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": list(self.insights_tokens)[-1]})
        return super().handle(request)

    def route(self, request, path, query):
        if path.startswith("/operations/"):
            return super().route(request, path, query)
        provider = re.search(r"/providers/(Microsoft\.\w+)/", path)
        if not provider or dict(request.query)["api-version"] != VERSIONS.get(provider[1]):
            raise Refused(400, "InvalidApiVersionParameter", "The api-version is invalid")
        kind = re.fullmatch(rf"/subscriptions/{SUBSCRIPTION}/providers/Microsoft\.\w+/(\w+)", path)
        if kind:
            return self.page(request, query, [t for k, t in self.things.items() if f"/{kind[1].lower()}/" in k])
        parts = path.removeprefix(BASE + "/").split("/")
        name, verbs, at = parts[2], parts[3:], f"{BASE}/{'/'.join(parts[:3])}"
        thing = self.things.get(at.lower())
        if request.method == "PUT":
            return self.make(request, at, parts[1], name, thing)
        if not thing:
            raise Refused(404, "ResourceNotFound", f"The Resource '{parts[1]}/{name}' was not found.")
        if request.method == "DELETE":
            if query["deleteEmptyServerFarm"] == "true":
                self.things.pop(thing["properties"]["serverFarmId"].lower())
            self.things.pop(at.lower())
            return 200, {}, ""
        if request.method == "GET" and not verbs:
            return as_json(200, thing)
        return self.act(request, query, thing, "/".join(verbs))

    def make(self, request, path, kind, name, thing):
        body = json.loads(request.body)
        check(body, {"sites": SITE, "serverfarms": PLAN}[kind])
        assert body["location"] == LOCATION and (not thing or kind == "serverfarms")
        made = {"id": path, "name": name, **body}
        if kind == "serverfarms":
            self.things[path.lower()] = made
            return as_json(200, made)
        if body["properties"]["serverFarmId"].lower() not in self.things:
            raise Refused(404, "ResourceNotFound", "there is no such plan")
        self.settings[name] = {s["name"]: s["value"] for s in body["properties"]["siteConfig"].pop("appSettings")}
        assert f"AccountKey={STORE_KEY};" in self.settings[name]["AzureWebJobsStorage"]
        made["properties"].update(state="Running", defaultHostName=f"{name}.azurewebsites.net", lastModifiedTimeUtc="2026-11-23T10:00:00.12", hostNameSslStates=[
            {"name": f"{name}.azurewebsites.net", "hostType": "Standard"}, {"name": f"{name}.scm.azurewebsites.net", "hostType": "Repository"}])
        return self.later(202, {}, lambda: self.things.update({path.lower(): made}))

    def act(self, request, query, thing, verb):
        name = thing["name"]
        if verb == "functions":
            return self.page(request, query, [{"name": f"{name}/{n}", "properties": {
                "name": n, "invoke_url_template": f"https://{name}.azurewebsites.net{p}" if p else ""}} for n, p in self.inner.items()])
        assert request.method == "POST" and not request.body
        answers = {"listKeys": {"keys": [{"keyName": "key1", "value": STORE_KEY}]},
                   "host/default/listKeys": {"masterKey": "master-hush", "functionKeys": {"default": HOST_KEY}, "systemKeys": {}},
                   "config/appsettings/list": {"properties": self.settings.get(name, {})}}
        if verb not in answers:
            raise Refused(404, "ResourceNotFound", f"no such path: {verb}")
        return as_json(200, answers[verb])

    def at_host(self, host, request, path):
        name = host.split(".")[0]
        if host.endswith(".scm.azurewebsites.net"):
            if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
                return 401, {}, ""
            if path == "/api/deployments/latest":
                looks = self.deployments[name] = self.deployments[name] + 1
                done = looks > 2
                return as_json(200 if done else 202, {"status": (3 if self.will_fail else 4) if done else 1, "complete": done,
                                                      "status_text": "pip failed" if self.will_fail and done else ""})
            assert (request.method, path, dict(request.query)) == ("POST", "/api/zipdeploy", {"isAsync": "true"})
            with zipfile.ZipFile(io.BytesIO(request.body)) as z:
                self.code[name] = sorted(z.namelist())
            self.deployments[name] = 0
            return 202, {"Location": f"https://{host}/api/deployments/latest?deployer=x"}, ""
        assert "Authorization" not in request.headers  # the token is not the function's to see
        if request.headers.get("x-functions-key") != HOST_KEY:
            return 401, {}, ""
        if path == "/api/fail":
            return 500, {}, ""
        self.calls.append(json.loads(request.body))
        return as_json(200, {"echo": self.calls[-1]})

    def insights(self, request):
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.insights_tokens:
            return as_json(401, {"error": {"code": "InvalidTokenError", "message": "The provided authentication is not valid"}})
        assert request.path == f"/v1/apps/{INSIGHTS_ID}/query" and request.method == "POST"
        self.queried.append(json.loads(request.body)["query"])
        return as_json(200, {"tables": [{"name": "PrimaryResult", "columns": [], "rows": [
            ["2026-11-23T10:00:00Z", "information", "one", "i1"], ["2026-11-23T10:00:01Z", "error", "two", "i1"]]}]})
