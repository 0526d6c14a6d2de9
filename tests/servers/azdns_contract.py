"""Purpose: Azure DNS by hand from the public REST reference (2018-05-01), in the frame of azvm_contract.py: members that are
not in the reference refused, etags that changes must name, texts in strings of at most 255 characters, pages of one thing.
"""

import json
import re
import uuid

from azvm_contract import FLAG, GROUP, NUMBER, SUBSCRIPTION, TEXT, AzvmContract, check
from contract import Refused, as_json

PREFIX = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network/dnszones/"
SHAPES = {
    "A": ("ARecords", [{"ipv4Address": TEXT}]), "AAAA": ("AAAARecords", [{"ipv6Address": TEXT}]),
    "CNAME": ("CNAMERecord", {"cname": TEXT}), "MX": ("MXRecords", [{"preference": NUMBER, "exchange": TEXT}]),
    "NS": ("NSRecords", [{"nsdname": TEXT}]), "PTR": ("PTRRecords", [{"ptrdname": TEXT}]),
    "SRV": ("SRVRecords", [{"priority": NUMBER, "weight": NUMBER, "port": NUMBER, "target": TEXT}]),
    "CAA": ("caaRecords", [{"flags": NUMBER, "tag": TEXT, "value": TEXT}]), "TXT": ("TXTRecords", [{"value": [TEXT]}]),
    "SOA": ("SOARecord", {"host": TEXT, "email": TEXT, "serialNumber": NUMBER, "refreshTime": NUMBER, "retryTime": NUMBER,
                          "expireTime": NUMBER, "minimumTTL": NUMBER}),
}
assert FLAG is bool


class AzdnsContract(AzvmContract):
    def __init__(self):
        super().__init__()
        self.zones, self.sets = {}, {}

    def route(self, request, path, query):
        if path.lower() == f"/subscriptions/{SUBSCRIPTION}/providers/microsoft.network/dnszones".lower():
            return self.page(request, query, list(self.zones.values()))
        if not path.lower().startswith(PREFIX.lower()):
            raise Refused(404, "ResourceNotFound", path)
        name, *rest = path[len(PREFIX):].split("/")
        if not rest:
            return self.zone(request, name)
        if name not in self.zones:
            raise Refused(404, "ParentResourceNotFound", "no such zone")
        if rest == ["recordsets"]:
            return self.page(request, query, [s for (z, _, _), s in self.sets.items() if z == name])
        kind, relative = rest
        if kind not in SHAPES:
            raise Refused(400, "BadRequest", f"The resource type {kind} is not known")
        return self.one_set(request, name, kind, relative)

    def zone(self, request, name):
        if request.method == "PUT":
            body = json.loads(request.body)
            check(body, {"location": TEXT, "tags": {"*": TEXT}, "properties": {"zoneType": TEXT}})
            if body["location"] != "global" or (request.headers.get("If-None-Match") == "*" and name in self.zones):
                raise Refused(412, "PreconditionFailed", "The zone exists already")
            self.zones[name] = {"id": PREFIX + name, "name": name, "type": "Microsoft.Network/dnszones", "etag": "z1", **body,
                                "properties": {"nameServers": ["ns1-01.azure-dns.com."], "numberOfRecordSets": 2,
                                               "zoneType": "Public", "provisioningState": "Succeeded"}}
            for kind, value in (("NS", [{"nsdname": "ns1-01.azure-dns.com."}]),
                                ("SOA", {"host": "ns1-01.azure-dns.com.", "email": "a.b.", "serialNumber": 1, "refreshTime": 2,
                                         "retryTime": 3, "expireTime": 4, "minimumTTL": 5})):
                self.put(name, kind, "@", {"TTL": 3600, SHAPES[kind][0]: value})
            return as_json(201, self.zones[name])
        if name not in self.zones:
            raise Refused(404, "ResourceNotFound", "no such zone")
        if request.method == "DELETE":
            del self.zones[name]
            self.sets = {k: s for k, s in self.sets.items() if k[0] != name}
            return 204, {}, ""
        return as_json(200, self.zones[name])

    def put(self, zone, kind, relative, properties):
        fqdn = zone + "." if relative == "@" else f"{relative}.{zone}."
        self.sets[zone, kind, relative] = {
            "id": f"{PREFIX}{zone}/{kind}/{relative}", "name": relative, "type": f"Microsoft.Network/dnszones/{kind}",
            "etag": str(uuid.uuid4()), "properties": {"provisioningState": "Succeeded", "fqdn": fqdn, "metadata": {"kept": "yes"},
                                                      **properties}}
        return self.sets[zone, kind, relative]

    def one_set(self, request, zone, kind, relative):
        key = (zone, kind, relative)
        there = self.sets.get(key)
        if request.method != "GET":
            wanted = request.headers.get("If-Match")
            if wanted and (not there or there["etag"] != wanted) or request.headers.get("If-None-Match") == "*" and there:
                raise Refused(412, "PreconditionFailed", "The condition was not met")
        if request.method == "PUT":
            body = json.loads(request.body)
            member, shape = SHAPES[kind]
            check(body, {"properties": {"TTL": NUMBER, "metadata": {"*": TEXT}, member: shape}})
            for text in body["properties"][member] if kind == "TXT" else ():
                if any(len(s) > 255 for s in text["value"]):
                    raise Refused(400, "BadRequest", "a string is too long")
            if not re.fullmatch(r"@|[a-z0-9_.*-]+", relative) or zone in relative:
                raise Refused(400, "BadRequest", "the name is not relative")
            beside = {k for z, k, r in self.sets if (z, r) == (zone, relative) and k != kind}
            if beside and (kind == "CNAME" or "CNAME" in beside):
                raise Refused(409, "Conflict", "a CNAME stands alone")
            return as_json(200 if there else 201, self.put(*key, body["properties"]))
        if not there:
            raise Refused(404, "NotFound", "no such record set")
        if request.method == "DELETE":
            del self.sets[key]
            return 200, {}, ""
        return as_json(200, there)

    def changes(self):
        return [r for r in self.requests if r.method != "GET" and "/token" not in r.path]
