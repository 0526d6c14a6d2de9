"""Purpose: Azure Resource Manager with virtual machines, by hand from the public REST reference: token endpoint, api-version,
fields and parameters that are not in the reference refused, pages of one thing with a nextLink, and changes that are done
later (Azure-AsyncOperation and Location, with Retry-After)."""

import json
import re
import urllib.parse
import uuid

import known_secrets
from contract import Contract, Refused, as_json

TENANT, CLIENT, SECRET = "11111111-2222-3333-4444-555555555555", "client-id", known_secrets.AZURE
SUBSCRIPTION, GROUP, LOCATION = "99999999-8888-7777-6666-555555555555", "group1", "westeurope"
TEXT, FLAG, NUMBER = str, bool, int
ID = {"id": TEXT}
MACHINE = {
    "location": TEXT, "zones": [TEXT], "tags": {"*": TEXT},
    "properties": {
        "hardwareProfile": {"vmSize": TEXT},
        "storageProfile": {"imageReference": {"id": TEXT, "publisher": TEXT, "offer": TEXT, "sku": TEXT, "version": TEXT},
                           "osDisk": {"createOption": TEXT, "deleteOption": TEXT, "diskSizeGB": NUMBER}},
        "osProfile": {"computerName": TEXT, "adminUsername": TEXT, "customData": TEXT, "linuxConfiguration": {
            "disablePasswordAuthentication": FLAG, "ssh": {"publicKeys": [{"path": TEXT, "keyData": TEXT}]}}},
        "networkProfile": {"networkApiVersion": TEXT, "networkInterfaceConfigurations": [{"name": TEXT, "properties": {
            "primary": FLAG, "deleteOption": TEXT, "networkSecurityGroup": ID, "ipConfigurations": [{
                "name": TEXT, "properties": {"subnet": ID, "publicIPAddressConfiguration": {
                    "name": TEXT, "sku": {"name": TEXT}, "properties": {"publicIPAllocationMethod": TEXT, "deleteOption": TEXT}}}}]}}]},
    },
}
KEY = {"location": TEXT, "tags": {"*": TEXT}, "properties": {"publicKey": TEXT}}


def check(value, shape, at="body"):
    if isinstance(shape, dict):
        for name, member in value.items():
            if name not in shape and "*" not in shape:
                raise Refused(400, "InvalidRequestContent", f"Could not find member '{name}' on {at}")
            check(member, shape.get(name, shape.get("*")), f"{at}.{name}")
    elif isinstance(shape, list):
        for member in value:
            check(member, shape[0], at)
    elif shape is not object and type(value) is not shape:
        raise Refused(400, "InvalidRequestContent", f"{at} has the wrong type")


class AzvmContract(Contract):
    queries = set()  # that a subclass knows beside

    def __init__(self):
        super().__init__()
        self.tokens, self.operations, self.things = set(), {}, {}
        base = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute/images/"
        for name in ("golden", "silver"):
            self.things[(base + name).lower()] = {"id": base + name, "name": name, "properties": {
                "provisioningState": "Succeeded", "storageProfile": {"osDisk": {"osType": "Linux", "diskSizeGB": 30}}}}

    def refuse(self, e):
        return as_json(e.status, {"error": {"code": e.code, "message": e.message}}, **{"x-ms-request-id": "arm-1"})

    def handle(self, request):
        if request.path == f"/{TENANT}/oauth2/v2.0/token":
            form = dict(urllib.parse.parse_qsl(request.body.decode()))
            if (form["client_id"], form["client_secret"]) != (CLIENT, SECRET):
                return as_json(401, {"error": "invalid_client", "error_description": "AADSTS7000215"})
            assert form["scope"] == "https://management.azure.com/.default"
            self.tokens.add(uuid.uuid4().hex)
            return as_json(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": list(self.tokens)[-1]})
        if request.path == "/log":
            assert "Authorization" not in request.headers and dict(request.query) == {"sig": "a+b/="}
            return 200, {"Content-Type": "text/plain"}, "one\ntwo\n"
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise Refused(401, "InvalidAuthenticationToken", "The access token is invalid.")
        query = dict(request.query)
        if not re.fullmatch(r"20\d\d-\d\d-\d\d", query.pop("api-version", "")) or len(query) + 1 != len(request.query):
            raise Refused(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required")
        if set(query) - {"$expand", "$filter", "statusOnly", "skipShutdown", "page"} - self.queries:
            raise Refused(400, "InvalidQuery", f"unknown: {query}")
        return self.route(request, urllib.parse.unquote(request.path), query)

    def route(self, request, path, query):
        if path.startswith("/operations/"):
            return self.look(path.rsplit("/", 1)[1])
        top = f"/subscriptions/{SUBSCRIPTION}/"
        if not path.startswith(top):
            raise Refused(404, "SubscriptionNotFound", "The subscription could not be found.")
        rest = path[len(top):]
        lists = {"providers/Microsoft.Compute/skus": self.skus, "locations": self.locations}
        if rest in lists:
            return self.page(request, query, lists[rest]())
        kind = re.fullmatch(r"providers/Microsoft\.\w+/(\w+)", rest)
        if kind:
            return self.page(request, query, self.of_kind(kind[1], "statusOnly" in query))
        one = re.fullmatch(rf"resourceGroups/{GROUP}/providers/Microsoft\.\w+/(\w+)/([\w-]+)(?:/(\w+))?", rest, re.IGNORECASE)
        if not one:
            raise Refused(404, "ResourceNotFound", f"no such path: {path}")
        return self.one(request, path, query, *one.groups())

    def of_kind(self, kind, is_status):
        found = [t for key, t in self.things.items() if f"/{kind.lower()}/" in key]
        if is_status:
            return [{"id": t["id"].upper(), "properties": {"instanceView": self.view(t)}} for t in found]
        return [{k: v for k, v in t.items() if k != "power"} for t in found]

    @staticmethod
    def view(thing):
        return {"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/" + thing["power"]}]}

    def page(self, request, query, items):
        at = int(query.get("page", "0"))
        answer = {"value": items[at:at + 1]}
        if at + 1 < len(items):
            more = urllib.parse.urlencode({**dict(request.query), "page": at + 1})
            answer["nextLink"] = f"{self.endpoint}{request.path}?{more}"
        return as_json(200, answer)

    def later(self, status, body, then, error=None):
        name = uuid.uuid4().hex
        self.operations[name] = [2, then, error]
        return as_json(status, body, **{"Azure-AsyncOperation": f"{self.endpoint}/operations/{name}?api-version=2024-07-01",
                                        "Retry-After": "0"})

    def look(self, name):
        operation = self.operations[name]
        operation[0] -= 1
        if operation[0] > 0:
            return as_json(200, {"status": "InProgress"}, **{"Retry-After": "0"})
        if operation[2]:
            return as_json(200, {"status": "Failed", "error": {"code": operation[2][0], "message": operation[2][1]}})
        if operation[1]:
            operation[1]()
            operation[1] = None
        return as_json(200, {"status": "Succeeded"})

    def one(self, request, path, query, kind, name, verb):
        thing = self.things.get("/".join(path.split("/")[:9]).lower())
        if request.method == "PUT":
            return self.put(request, path, kind, name, thing)
        if request.method == "DELETE":
            return self.later(202, {}, lambda: self.remove(path)) if thing else (204, {}, "")
        if not thing:
            raise Refused(404, "ResourceNotFound", f"The Resource '{kind}/{name}' was not found.")
        if request.method == "POST":
            return self.act(thing, verb, query)
        shown = json.loads(json.dumps(thing))
        if kind == "virtualMachines" and query.get("$expand") == "instanceView":
            shown["properties"]["instanceView"] = self.view(thing)
        if kind == "networkInterfaces" and query.get("$expand"):
            for c in shown["properties"]["ipConfigurations"]:
                c["properties"]["publicIPAddress"] = self.things[c["properties"]["publicIPAddress"]["id"].lower()]
        return as_json(200, shown)

    def put(self, request, path, kind, name, thing):
        body = json.loads(request.body)
        check(body, MACHINE if kind == "virtualMachines" else KEY)
        if body.get("location") != LOCATION:
            raise Refused(400, "LocationRequired", "The location property is required for this definition.")
        if thing and request.headers.get("If-None-Match") == "*":
            raise Refused(412, "PreconditionFailed", "it is there")
        made = {**body, "id": path, "name": name, "properties": {**body["properties"], "provisioningState": "Succeeded"} if
                "properties" in body else {}}
        if kind == "sshPublicKeys":
            self.things[path.lower()] = made
            return as_json(201, made)
        if body["properties"]["hardwareProfile"]["vmSize"] == "Huge":
            return self.later(201, made, None, ("OperationNotAllowedQuotaExceeded", "exceeding approved Total Regional Cores quota"))
        self.last_body = body
        network = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network"
        port, address = f"{network}/networkInterfaces/{name}-nic", f"{network}/publicIPAddresses/{name}-ip"
        made["properties"].update(timeCreated="2026-11-23T10:00:00.1234567+00:00", networkProfile={"networkInterfaces": [{"id": port}]})
        made["power"] = "starting"
        self.things[path.lower()] = made
        self.things[address.lower()] = {"id": address, "properties": {"ipAddress": "192.0.2.30"}}
        self.things[port.lower()] = {"id": port, "properties": {"virtualMachine": {"id": path}, "ipConfigurations": [
            {"properties": {"privateIPAddress": "10.1.0.4", "publicIPAddress": {"id": address}}}]}}
        return self.later(201, {k: v for k, v in made.items() if k != "power"}, lambda: made.update(power="running"))

    def remove(self, path):
        name = path.rsplit("/", 1)[1].lower()
        self.things = {k: t for k, t in self.things.items() if k.rsplit("/", 1)[1] not in (name, name + "-nic", name + "-ip")}

    def act(self, thing, verb, query):
        after = {"start": "running", "deallocate": "deallocated", "restart": "running", "powerOff": "stopped"}
        self.verbs = getattr(self, "verbs", []) + [(verb, query.get("skipShutdown"))]
        if verb == "generateKeyPair":
            thing["properties"]["publicKey"] = "ssh-rsa AAAA made"
            return as_json(200, {"privateKey": "-----BEGIN\nX\n", "publicKey": "ssh-rsa AAAA made", "id": thing["id"]})
        if verb == "retrieveBootDiagnosticsData":
            return as_json(200, {"serialConsoleLogBlobUri": self.endpoint + "/log?sig=a%2Bb%2F%3D"})
        return self.later(202, {}, lambda: thing.update(power=after[verb]))

    def skus(self):
        return [{"resourceType": "disks", "name": "P4"}] + [
            {"resourceType": "virtualMachines", "name": name, "family": "f", "locationInfo": [{"location": LOCATION, "zones": zones}],
             "capabilities": [{"name": "vCPUs", "value": "2"}, {"name": "MemoryGB", "value": "0.5"}]}
            for name, zones in (("Small", ["1", "2"]), ("Huge", ["2"]))]

    def locations(self):
        return [{"name": LOCATION, "availabilityZoneMappings": [{"logicalZone": z} for z in "123"]}, {"name": "other"}]
