"""Purpose: Azure's flexible servers of PostgreSQL and MySQL, by hand from the public REST reference, on the server of azvm_contract.py:
as strict. A change is done when its operation is."""

import json
import re

from azvm_contract import GROUP, LOCATION, SUBSCRIPTION, AzvmContract, Refused, as_json, check

TEXT, NUMBER = str, int
SERVER = {"location": TEXT, "tags": {"*": TEXT}, "sku": {"name": TEXT, "tier": TEXT}, "properties": {
    "createMode": TEXT, "version": TEXT, "administratorLogin": TEXT, "administratorLoginPassword": TEXT, "availabilityZone": TEXT,
    "storage": {"storageSizeGB": NUMBER}, "backup": {"backupRetentionDays": NUMBER}, "network": {"publicNetworkAccess": TEXT},
    "highAvailability": {"mode": TEXT}}}
VERSIONS = {"DBforPostgreSQL": "2024-08-01", "DBforMySQL": "2023-12-30"}
TIERS = {"B": "Burstable", "D": "GeneralPurpose", "E": "MemoryOptimized"}
ONE = re.compile(rf"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft\.(\w+)/flexibleServers/([\w-]+)(?:/(\w+)(?:/([\w-]+))?)?")


class AzdbContract(AzvmContract):
    def __init__(self):
        super().__init__()
        self.things, self.last_body, self.restarts = {}, None, 0

    def route(self, request, path, query):
        if path == f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Sql/servers":
            return as_json(200, {"value": []})
        service = re.search(r"/providers/Microsoft\.(DBfor\w+)/", path)
        if not service:
            return super().route(request, path, query)
        if dict(request.query)["api-version"] != VERSIONS[service[1]]:
            raise Refused(400, "InvalidApiVersionParameter", "The api-version is invalid")
        kind = re.fullmatch(rf"/subscriptions/{SUBSCRIPTION}/providers/Microsoft\.(\w+)/flexibleServers", path)
        if kind:
            found = [t for k, t in self.things.items() if f"microsoft.{kind[1].lower()}/" in k and "/backups/" not in k]
            return self.page(request, query, found)
        one = ONE.fullmatch(path)
        if not one:
            raise Refused(404, "ResourceNotFound", f"no such path: {path}")
        if one[3] == "backups":
            return self.backups(request, query, path, one[1], one[4])
        return self.server(request, path, one[2], one[3])

    def server(self, request, path, name, verb):
        thing = self.things.get(path.removesuffix(f"/{verb}").lower())
        if request.method == "PUT":
            return self.make(request, path, name, thing)
        if not thing:
            raise Refused(404, "ResourceNotFound", f"The Resource '{name}' was not found.")
        if request.method == "DELETE":
            return self.later(202, {}, lambda: self.things.pop(path.lower()))
        if request.method == "GET" and verb is None:
            return as_json(200, thing)
        needs, after = {"start": ("Stopped", "Ready"), "stop": ("Ready", "Stopped"), "restart": ("Ready", "Ready")}[verb]
        if thing["properties"]["state"] != needs:
            raise Refused(409, "ServerIsBusy", f"Cannot complete operation while server is {thing['properties']['state']}")
        self.restarts += verb == "restart"
        return self.later(202, {}, lambda: thing["properties"].update(state=after))

    def make(self, request, path, name, thing):
        body = json.loads(request.body)
        check(body, SERVER)
        if thing:
            raise AssertionError("a server that is there would be changed")
        properties = body["properties"]
        if body["location"] != LOCATION or not properties.get("administratorLoginPassword") or body["sku"]["tier"] != TIERS[body["sku"]["name"].split("_")[1][0]]:
            raise Refused(400, "InvalidParameterValue", "Invalid value given for parameter")
        if body["sku"]["name"] == "Standard_Broken":
            return self.later(202, {}, None, ("SkuNotAvailable", "Specified SKU is not available"))
        self.last_body = body
        made = {"id": path, "name": name, "location": LOCATION, "tags": body.get("tags", {}), "sku": body["sku"],
                "systemData": {"createdAt": "2026-11-23T10:00:00.1234567Z"},
                "properties": {**{k: v for k, v in properties.items() if k not in ("administratorLoginPassword", "createMode")},
                               "state": "Provisioning", "fullyQualifiedDomainName": f"{name}.database.invalid"}}
        self.things[path.lower()] = made
        return self.later(202, {}, lambda: made["properties"].update(state="Ready"))

    def backups(self, request, query, path, service, name):
        if not name:
            return self.page(request, query, [t for k, t in self.things.items() if k.startswith(path.lower() + "/")])
        if request.method == "PUT":
            if request.body:
                raise Refused(400, "InvalidRequestContent", "there is no body")
            if path.rsplit("/", 2)[0].lower() not in self.things:
                raise Refused(404, "ResourceNotFound", "no such server")
            made = {"id": path, "name": name, "properties": {"source": "Customer Initiated" if service == "DBforPostgreSQL" else "On-Demand"}}
            self.things[path.lower()] = made
            return self.later(202, {}, lambda: made["properties"].update(completedTime="2026-11-23T11:00:00Z"))
        if path.lower() not in self.things:
            raise Refused(404, "ResourceNotFound", f"The backup '{name}' was not found.")
        if request.method == "DELETE":
            return self.later(202, {}, lambda: self.things.pop(path.lower()))
        return as_json(200, self.things[path.lower()])
