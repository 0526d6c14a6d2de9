"""Purpose: Azure Resource Manager's disks, snapshots, security groups and public addresses, by hand from the public REST
reference, on the server of azvm_contract.py: as strict."""

import json
import re

from azvm_contract import GROUP, LOCATION, SUBSCRIPTION, AzvmContract, Refused, as_json, check

TEXT, NUMBER = str, int
TAGGED = {"location": TEXT, "tags": {"*": TEXT}}
RULE = {"properties": {"protocol": TEXT, "sourcePortRange": TEXT, "destinationPortRange": TEXT, "sourceAddressPrefix": TEXT,
                       "destinationAddressPrefix": TEXT, "access": TEXT, "priority": NUMBER, "direction": TEXT, "description": TEXT}}
SHAPES = {
    "disks": {**TAGGED, "zones": [TEXT], "sku": {"name": TEXT}, "properties": {
        "diskSizeGB": NUMBER, "creationData": {"createOption": TEXT, "sourceResourceId": TEXT}}},
    "snapshots": {**TAGGED, "properties": {"creationData": {"createOption": TEXT, "sourceResourceId": TEXT}}},
    "networkSecurityGroups": TAGGED,
    "publicIPAddresses": {**TAGGED, "sku": {"name": TEXT}, "properties": {"publicIPAllocationMethod": TEXT}},
}
DEPLOYMENT = {"tags": {"*": TEXT}, "properties": {"mode": TEXT, "template": {"*": object}, "parameters": {"*": {"value": object}},
                                                  "onErrorDeployment": {"type": TEXT}}}
VERSIONS = {"disks": "2024-03-02", "snapshots": "2024-03-02"}
BASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"


class AzServicesContract(AzvmContract):
    def add(self, kind, name, provider="Microsoft.Network", **values):
        path = f"{BASE}/{provider}/{kind}/{name}"
        self.things[path.lower()] = made = {"id": path, "name": name, "location": LOCATION, "properties": {}, **values}
        return made

    def thing(self, path):
        if path.lower() not in self.things:
            raise Refused(404, "ResourceNotFound", f"The Resource '{path}' was not found.")
        return self.things[path.lower()]

    def deployments(self, request, query, path):
        parts = path.split("/")[8:]  # behind "deployments"
        body = json.loads(request.body) if request.body else None
        if not parts:
            found = [t for k, t in self.things.items() if "/deployments/" in k]
            return self.page(request, query, [self.shown(t) for t in found])
        name, verb = parts[0], parts[1] if len(parts) > 1 else None
        if body is not None:
            check(body, DEPLOYMENT if verb is None else {"properties": DEPLOYMENT["properties"]})
            template = body["properties"]["template"]
            if "resources" not in template:
                raise Refused(400, "InvalidTemplate", "Deployment template validation failed: no resources")
            for given in body["properties"]["parameters"]:
                if given not in template.get("parameters", {}):
                    raise Refused(400, "InvalidTemplate", f"The template parameter '{given}' is not found")
        if verb == "validate":
            return as_json(200, {"properties": {"provisioningState": "Succeeded"}})
        if verb == "whatIf":
            return self.what_if(template)
        if request.method == "PUT":
            return self.deploy(path, name, body, template)
        thing = self.thing(path.rsplit("/", 1)[0] if verb else path)
        if verb == "operations":
            return self.page(request, query, thing["operations"][:thing["looks"]])
        if verb == "exportTemplate":
            return as_json(200, {"template": thing["template"]})
        if request.method == "DELETE":
            return self.later(202, {}, lambda: self.things.pop(path.lower()))
        thing["looks"] += 1
        if thing["looks"] > len(thing["operations"]):
            bad = [o for o in thing["operations"] if o["properties"]["provisioningState"] == "Failed"]
            thing["properties"]["provisioningState"] = "Failed" if bad else "Succeeded"
            if bad:
                thing["properties"]["error"] = {"code": "DeploymentFailed", "message": "At least one resource failed."}
        return as_json(200, self.shown(thing))

    @staticmethod
    def shown(thing):
        return {k: v for k, v in thing.items() if k not in ("operations", "template", "looks")}

    def what_if(self, template):
        changes = [{"resourceId": f"{BASE}/{r['type']}/{r['name']}", "changeType": "Create", "delta": [{"path": "properties.x"}]}
                   for r in template["resources"]]
        name = "whatif-" + str(len(self.operations))
        self.operations[name] = changes
        return as_json(202, {}, **{"Location": f"{self.endpoint}/whatif/{name}?api-version=2024-03-01", "Retry-After": "0"})

    def deploy(self, path, name, body, template):
        operations = [{"operationId": f"{len(self.requests)}-{r['name']}", "properties": {
            "timestamp": f"2026-11-23T10:00:0{n}Z", "provisioningState": "Failed" if r["type"].endswith("broken") else "Succeeded",
            "statusMessage": {"error": {"message": "it broke"}} if r["type"].endswith("broken") else None,
            "targetResource": {"id": f"{BASE}/{r['type']}/{r['name']}", "resourceName": r["name"], "resourceType": r["type"]}}}
            for n, r in enumerate(template["resources"])]
        operations.append({"operationId": f"{len(self.requests)}-end", "properties": {
            "timestamp": "2026-11-23T10:00:09Z", "provisioningState": "Succeeded", "provisioningOperation": "EvaluateDeploymentOutput"}})
        made = {"id": path, "name": name, "tags": body.get("tags", {}), "template": template, "operations": operations, "looks": 0,
                "properties": {"provisioningState": "Accepted", "timestamp": "2026-11-23T10:00:00Z", "mode": "Incremental",
                               "parameters": {k: {"type": "SecureString"} if k == "secret" else {"type": "String", **v}
                                              for k, v in body["properties"]["parameters"].items()},
                               "outputs": {k: {"type": "String", "value": v["value"]} for k, v in template.get("outputs", {}).items()}}}
        self.things[path.lower()] = made
        self.last_body = body
        return as_json(201, self.shown(made), **{"Azure-AsyncOperation": f"{self.endpoint}/operations/x?api-version=2024-03-01"})

    def route(self, request, path, query):
        if path.startswith("/whatif/"):
            return as_json(200, {"status": "Succeeded", "properties": {"changes": self.operations[path.rsplit("/", 1)[1]]}})
        if "/providers/Microsoft.Resources/deployments" in path:
            if dict(request.query)["api-version"] != "2024-03-01" or not path.startswith(BASE):
                raise Refused(400, "InvalidApiVersion", "2024-03-01")
            return self.deployments(request, query, path)
        asked = dict(request.query)["api-version"]
        rule = re.fullmatch(rf"({BASE}/Microsoft\.Network/networkSecurityGroups/[\w-]+)/securityRules(?:/([\w-]+))?", path, re.IGNORECASE)
        if rule:
            return self.rules(request, query, *rule.groups())
        one = re.fullmatch(rf"{BASE}/Microsoft\.\w+/(\w+)/([\w-]+)", path, re.IGNORECASE)
        for kind, wanted in VERSIONS.items():
            if f"/{kind.lower()}" in path.lower() and asked != wanted:
                raise Refused(400, "InvalidApiVersion", f"{kind} want {wanted}")
        if path.endswith("/attachDetachDataDisks") and request.method == "POST":
            return self.attach(request, path.rsplit("/", 1)[0])
        if not one or one[1] not in SHAPES:
            return super().route(request, path, query)
        if request.method == "GET":
            return as_json(200, self.thing(path))
        if request.method == "DELETE":
            if path.lower() in self.things and self.things[path.lower()].get("managedBy"):
                raise Refused(409, "OperationNotAllowed", "Disk is attached to VM")
            return self.later(202, {}, lambda: self.things.pop(path.lower()))
        body = json.loads(request.body)
        check(body, SHAPES[one[1]])
        return self.change(request, path, one[1], one[2], body)

    def change(self, request, path, kind, name, body):
        if request.method == "PATCH":
            thing = self.thing(path)
            if body["properties"]["diskSizeGB"] <= thing["properties"]["diskSizeGB"]:
                raise Refused(400, "InvalidParameter", "the disk must become larger")
            return self.later(202, {}, lambda: thing["properties"].update(body["properties"]))
        if request.headers.get("If-None-Match") == "*" and path.lower() in self.things:
            raise Refused(412, "PreconditionFailed", "it is there")
        if body.get("location") != LOCATION:
            raise Refused(400, "LocationRequired", "no location")
        more = {"provisioningState": "Succeeded"}
        if kind in ("disks", "snapshots"):
            data = body["properties"]["creationData"]
            source = self.thing(data["sourceResourceId"]) if data["createOption"] == "Copy" else None
            more.update(diskState="Unattached", timeCreated="2026-11-23T10:00:00.1234567+00:00",
                        diskSizeGB=body["properties"].get("diskSizeGB") or source["properties"]["diskSizeGB"])
        if kind == "publicIPAddresses":
            more["ipAddress"] = "192.0.2.88"
        if kind == "networkSecurityGroups":
            more["securityRules"] = []
        made = {**body, "id": path, "name": name, "properties": {**body.get("properties", {}), **more}}
        return self.later(201, made, lambda: self.things.__setitem__(path.lower(), made))

    def attach(self, request, path):
        vm, body = self.thing(path), json.loads(request.body)
        check(body, {"dataDisksToAttach": [{"diskId": TEXT}], "dataDisksToDetach": [{"diskId": TEXT}]})
        for entry in body.get("dataDisksToAttach", []):
            disk = self.thing(entry["diskId"])
            disk["managedBy"], disk["properties"]["diskState"] = vm["id"], "Attached"
        for entry in body.get("dataDisksToDetach", []):
            disk = self.thing(entry["diskId"])
            if disk.pop("managedBy", None) != vm["id"]:
                raise Refused(409, "OperationNotAllowed", "the disk is not attached")
            disk["properties"]["diskState"] = "Unattached"
        return self.later(202, {}, None)

    def rules(self, request, query, group, name):
        rules = self.thing(group)["properties"]["securityRules"]
        found = next((r for r in rules if r["name"] == name), None)
        if request.method == "GET":
            if name and not found:
                raise Refused(404, "NotFound", "no such rule")
            return as_json(200, found) if name else self.page(request, query, rules)
        if request.method == "DELETE":
            return self.later(202, {}, lambda: rules.remove(found)) if found else (204, {}, "")
        body = json.loads(request.body)
        check(body, RULE)
        p = body["properties"]
        if {"protocol", "access", "priority", "direction", "sourcePortRange", "destinationPortRange", "sourceAddressPrefix",
            "destinationAddressPrefix"} - set(p) or not 100 <= p["priority"] <= 4096:
            raise Refused(400, "InvalidRequestFormat", "a member is missing, or the priority is not from 100 to 4096")
        if found:
            raise Refused(412, "PreconditionFailed", "it is there")
        if any((r["properties"]["priority"], r["properties"]["direction"]) == (p["priority"], p["direction"]) for r in rules):
            raise Refused(409, "SecurityRuleConflict", "Rules cannot have the same Priority and Direction")
        made = {"id": f"{group}/securityRules/{name}", "name": name, **body}
        return self.later(201, made, lambda: rules.append(made))
