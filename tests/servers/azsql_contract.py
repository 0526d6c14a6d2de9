"""Purpose: Azure SQL, by hand from the public REST reference, on the server of azvm_contract.py: as strict. A change is done when its
operation is."""

import json
import re

from azvm_contract import GROUP, LOCATION, SUBSCRIPTION, AzvmContract, Refused, as_json, check

TEXT, NUMBER, FLAG = str, int, bool
SERVER = {"location": TEXT, "properties": {"version": TEXT, "minimalTlsVersion": TEXT, "administratorLogin": TEXT,
                                           "administratorLoginPassword": TEXT, "publicNetworkAccess": TEXT}}
DATABASE = {"location": TEXT, "tags": {"*": TEXT}, "sku": {"name": TEXT}, "properties": {"maxSizeBytes": NUMBER, "zoneRedundant": FLAG}}
BASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Sql/servers"
ONE = re.compile(BASE + r"/([\w-]+)(?:/databases(?:/([\w-]+)(?:/(\w+)(?:/([\w-]+))?)?)?)?")


class AzsqlContract(AzvmContract):
    def __init__(self):
        super().__init__()
        self.things, self.servers, self.failovers = {}, {}, 0

    def route(self, request, path, query):
        if path.startswith("/operations/"):
            return super().route(request, path, query)
        if re.search(r"/providers/Microsoft\.DBfor\w+/flexibleServers$", path):
            return as_json(200, {"value": []})
        if dict(request.query)["api-version"] != "2021-11-01":
            raise Refused(400, "InvalidApiVersionParameter", "The api-version is invalid")
        if path == f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Sql/servers":
            return self.page(request, query, [s for k, s in self.things.items() if "/databases/" not in k])
        one = ONE.fullmatch(path)
        if not one:
            raise Refused(404, "ResourceNotFound", f"no such path: {path}")
        server, database, verb, point = one.groups()
        if path.endswith("/databases"):
            return self.page(request, query, [d for k, d in self.things.items() if re.fullmatch(re.escape(path.lower()) + "/[^/]+", k)])
        if verb == "restorePoints":
            return self.points(request, query, path, point)
        if request.method == "PUT":
            return self.make(request, path, server, database)
        thing = self.things.get(path.removesuffix(f"/{verb}").lower())
        if not thing:
            raise Refused(404, "ResourceNotFound", f"The requested resource of type '{database or server}' was not found.")
        if request.method == "DELETE":
            return self.later(202, {}, lambda: self.things.pop(path.lower()))
        if request.method == "GET":
            return as_json(200, thing)
        if verb == "failover":
            self.failovers += 1
            return self.later(202, {}, None)
        if not thing["sku"]["name"].startswith("DW"):
            raise Refused(400, "PauseIsNotSupported", "Pause/Resume is not supported for this edition")
        return self.later(202, {}, lambda: thing["properties"].update(status={"pause": "Paused", "resume": "Online"}[verb]))

    def make(self, request, path, server, database):
        body = json.loads(request.body)
        check(body, DATABASE if database else SERVER)
        assert body["location"] == LOCATION and path.lower() not in self.things, "what is there would be changed"
        if not database:
            self.servers[server] = body["properties"].pop("administratorLoginPassword")
            made = {"id": path, "name": server, "location": LOCATION, "properties": body["properties"]}
            master = {"id": path + "/databases/master", "name": "master", "location": LOCATION, "properties": {"status": "Online"}}
            return self.later(202, {}, lambda: self.things.update({path.lower(): made, (path + "/databases/master").lower(): master}))
        if path.rsplit("/", 2)[0].lower() not in self.things:
            raise Refused(404, "ParentResourceNotFound", "there is no such server")
        made = {"id": path, "name": database, "location": LOCATION, "tags": body.get("tags", {}), "sku": body["sku"], "properties": {
            "zoneRedundant": False, **body.get("properties", {}), "status": "Creating", "creationDate": "2026-11-23T10:00:00.123Z"}}
        self.things[path.lower()] = made
        return self.later(202, {}, lambda: made["properties"].update(status="Online"))

    def points(self, request, query, path, point):
        if not point and request.method == "GET":
            return self.page(request, query, [t for k, t in self.things.items() if k.startswith(path.lower() + "/")])
        if not point:
            body = json.loads(request.body)
            check(body, {"restorePointLabel": TEXT})
            name = str(132_000_000 + len(self.things))
            made = {"id": f"{path}/{name}", "name": name, "properties": {
                "restorePointType": "DISCRETE", "restorePointLabel": body["restorePointLabel"], "restorePointCreationDate": "2026-11-23T11:00:00Z"}}
            return self.later(202, {}, lambda: self.things.update({made["id"].lower(): made}))
        if path.lower() not in self.things:
            raise Refused(404, "ResourceNotFound", "The restore point was not found.")
        if request.method == "DELETE":
            self.things.pop(path.lower())
            return 200, {}, ""
        return as_json(200, self.things[path.lower()])
