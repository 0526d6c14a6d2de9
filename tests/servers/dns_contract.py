"""Purpose: contract servers of DNS services, each with the state of one zone database and as strict as its provider's
description: unknown members, missing ones, values that a name server would not take and bad tokens are refused; pages
are as small as asked for.

    Designate (with the Keystone before it): docs.openstack.org/api-ref/dns, read 2026-11
"""

import ipaddress
import json
import re
import uuid

import known_secrets
from contract import Contract, Refused, as_json

TYPES = {"A", "AAAA", "CNAME", "MX", "TXT", "SRV", "CAA", "NS", "PTR", "SPF", "SSHFP", "NAPTR", "CERT", "SOA", "TLSA", "DS", "HTTPS",
         "SVCB"}
HOST = re.compile(r"^(\.|([a-z0-9_*/-]{1,63}\.)+)$")
FIELDS = {"MX": (int, "host"), "SRV": (int, int, int, "host"), "CAA": (int, str, "quoted"), "NS": ("host",),
          "CNAME": ("host",), "PTR": ("host",)}


def words(text):
    return re.findall(r'"(?:[^"\\]|\\.)*"|\S+', text)


def check_rdata(kind, text):
    """What an authoritative server takes: names with their last dot, texts in quoted strings of at most 255 bytes."""
    if kind in ("A", "AAAA"):
        assert ipaddress.ip_address(text).version == (4 if kind == "A" else 6)
    elif kind == "TXT":
        strings = re.findall(r'"((?:[^"\\]|\\\d{3}|\\\D)*)"', text)
        assert " ".join(f'"{s}"' for s in strings) == text and strings, text
        for s in strings:
            assert len(re.sub(r"\\(\d{3}|\D)", "x", s)) <= 255 and s.isascii(), "a string is too long"
    elif kind in FIELDS:
        found = words(text)
        assert len(found) == len(FIELDS[kind]), text
        for word, wanted in zip(found, FIELDS[kind]):
            assert wanted is str or (0 <= int(word) < 65536 if wanted is int else
                                     HOST.match(word) if wanted == "host" else word[0] == word[-1] == '"'), text


def checked_rdata(kind, values, refuse):
    if not isinstance(values, list) or not values or len(set(values)) != len(values):
        refuse("the values are no list of different ones")
    for value in values:
        try:
            check_rdata(kind, value)
        except (AssertionError, ValueError) as e:
            refuse(f"{kind} {value!r}: {e}")
    if kind == "CNAME" and len(values) != 1:
        refuse("one CNAME only")


class DesignateContract(Contract):
    """slow: how many looks at a thing it takes until PENDING is ACTIVE."""

    def __init__(self, slow=0, page_max=1000):
        super().__init__()
        self.zones, self.sets, self.slow, self.page_max = {}, {}, slow, page_max
        self.floating = {f"RegionOne:{uuid.UUID(int=i)}": {"address": f"192.0.2.{i}", "ptrdname": None, "ttl": None,
                                                           "description": None, "status": "INACTIVE", "action": "NONE", "looks": 0}
                         for i in (1, 2, 3)}

    @property
    def environment(self):
        return {"OS_AUTH_URL": self.endpoint + "/identity/v3", "OS_USERNAME": "me", "OS_PASSWORD": known_secrets.OPENSTACK,
                "OS_PROJECT_NAME": "p", "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default"}

    def refuse(self, error):
        told = {"message": error.message}
        if error.code == "invalid_object":  # what is wrong stands here, and there is no message
            told = {"errors": {"errors": [{"path": ["records", 0], "message": error.message, "validator": "format"}]}}
        return as_json(error.status, {"code": error.status, "type": error.code, **told, "request_id": "req-1"},
                       **{"X-Openstack-Request-Id": "req-1"})

    def handle(self, request):
        if request.path == "/identity/v3/auth/tokens" and request.method == "POST":
            return self.sign_in()
        if request.headers.get("X-Auth-Token") != "token-1":
            raise Refused(401, "unauthorized", "no token")
        if not request.path.startswith("/dns/v2/"):
            raise Refused(404, "not_found", request.path)
        self.body = json.loads(request.body) if request.body else None
        self.query = dict(request.query)
        parts = request.path[len("/dns/v2/"):].replace("%3A", ":").split("/")
        return self.route(request.method, parts)

    def sign_in(self):
        catalog = [{"type": "dns", "name": "designate", "endpoints": [
            {"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": self.endpoint + "/dns"}]}]
        token = {"expires_at": "2099-01-01T00:00:00.000000Z", "project": {"id": "p1", "name": "p"}, "user": {"id": "u1"},
                 "catalog": catalog, "methods": ["password"]}
        return as_json(201, {"token": token}, **{"X-Subject-Token": "token-1"})

    def route(self, method, parts):
        if parts[0] == "zones" and len(parts) == 1:
            return self.make_zone() if method == "POST" else self.page("zones", self.zones.values())
        if parts[:2] == ["reverse", "floatingips"]:
            return self.reverse(method, parts[2:])
        if parts[0] != "zones" or parts[1] not in self.zones:
            raise Refused(404, "zone_not_found", "Could not find Zone")
        zone = self.zones[parts[1]]
        if len(parts) == 2:
            return self.one_zone(method, zone)
        if parts[2:] == ["nameservers"]:
            return as_json(200, {"nameservers": [{"hostname": "ns1.example.net.", "priority": 1}]})
        if parts[2:] == ["recordsets"]:
            mine = [s for s in self.sets.values() if s["zone_id"] == zone["id"]]
            return self.make_set(zone) if method == "POST" else self.page("recordsets", mine)
        found = self.sets.get(parts[3])
        if not found or found["zone_id"] != zone["id"]:
            raise Refused(404, "recordset_not_found", "Could not find RecordSet")
        return self.one_set(method, found)

    def page(self, key, rows):
        allowed = {"limit", "marker", "name", "type"}
        if set(self.query) - allowed:
            raise Refused(400, "bad_request", f"unknown query {self.query}")
        rows = [r for r in rows if all(r[k] == self.query[k] for k in ("name", "type") if k in self.query)]
        total = len(rows)
        ids = [r["id"] for r in rows]
        if "marker" in self.query:
            if self.query["marker"] not in ids:
                raise Refused(400, "invalid_marker", "Marker could not be found")
            rows = rows[ids.index(self.query["marker"]) + 1:]
        limit = min(int(self.query.get("limit", 20)), self.page_max)
        links = {"self": self.endpoint}
        if len(rows) > limit:
            more = "".join(f"&{k}={v}" for k, v in self.query.items() if k in ("name", "type"))
            path = "zones" if key == "zones" else f"zones/{rows[0]['zone_id']}/recordsets"
            links["next"] = f"{self.endpoint}/dns/v2/{path}?limit={limit}&marker={rows[limit - 1]['id']}{more}"
        return as_json(200, {key: [self.seen(r) for r in rows[:limit]], "links": links, "metadata": {"total_count": total}})

    def seen(self, row):
        if row["status"] == "PENDING":
            row["looks"] += 1
            if row["looks"] > self.slow:
                if row["action"] == "DELETE" and "ptrdname" in row:
                    row.update(ptrdname=None, ttl=None, status="INACTIVE", action="NONE")
                else:
                    row["status"], row["action"] = "ACTIVE", "NONE"
        return {k: v for k, v in row.items() if k != "looks"}

    def members(self, allowed, required=()):
        if not isinstance(self.body, dict):
            raise Refused(400, "invalid_object", "no object")
        for name in set(self.body) - set(allowed):
            raise Refused(400, "invalid_object", f"Additional properties are not allowed ('{name}' was unexpected)")
        for name in set(required) - set(self.body):
            raise Refused(400, "invalid_object", f"'{name}' is a required property")
        ttl = self.body.get("ttl")
        if ttl is not None and not 1 <= ttl <= 2147483647:
            raise Refused(400, "invalid_object", "ttl")

    def make_zone(self):
        self.members({"name", "email", "ttl", "description", "type"}, {"name", "email"})
        if not HOST.match(self.body["name"]) or "@" not in self.body["email"]:
            raise Refused(400, "invalid_object", "name or email")
        if any(z["name"] == self.body["name"] for z in self.zones.values()):
            raise Refused(409, "duplicate_zone", "Duplicate Zone")
        zone = {"id": str(uuid.uuid4()), "ttl": 3600, "description": None, "type": "PRIMARY", "status": "PENDING", "looks": 0,
                "action": "CREATE", "created_at": "2026-11-23T10:00:00.000000", "serial": 1, **self.body}
        self.zones[zone["id"]] = zone
        for kind, values in (("SOA", ["ns1.example.net. a.b. 1 2 3 4 5"]), ("NS", ["ns1.example.net."])):
            self.add_set(zone, zone["name"], kind, None, values)
        return as_json(202, self.seen(dict(zone)))

    def one_zone(self, method, zone):
        if method == "PATCH":
            self.members({"email", "ttl", "description"})
            zone.update(self.body, status="PENDING", action="UPDATE", looks=0)
            return as_json(202, self.seen(dict(zone)))
        if method == "DELETE":
            del self.zones[zone["id"]]
            self.sets = {k: s for k, s in self.sets.items() if s["zone_id"] != zone["id"]}
            return as_json(202, {**self.seen(dict(zone)), "action": "DELETE"})
        return as_json(200, self.seen(zone))

    def add_set(self, zone, name, kind, ttl, values, description=None):
        made = {"id": str(uuid.uuid4()), "zone_id": zone["id"], "zone_name": zone["name"], "name": name, "type": kind, "ttl": ttl,
                "records": values, "description": description, "status": "PENDING", "action": "CREATE", "looks": 0}
        self.sets[made["id"]] = made
        self.touched(zone)
        return made

    def touched(self, zone):
        """A zone is PENDING until all its name servers have what changed in it."""
        zone.update(status="PENDING", action="UPDATE", looks=0)

    def bad(self, why):
        raise Refused(400, "invalid_object", why)

    def check_values(self, kind, values):
        """The real Designate takes no quotes in a CAA record; a string of TXT has 255 characters with its quotes and escapes, and
        there are several only where one would not do (seen with version 20)."""
        if kind == "TXT" and any(len(s) > 255 or (len(v) <= 255 and s != v) for v in values for s in words(v)):
            self.bad(f"{values} is not a 'TXT' Record")
        if kind != "CAA":
            checked_rdata(kind, values, self.bad)
            return
        for value in values:
            if not re.fullmatch(r'[01] (issue|issuewild|iodef) [^"]+', value):
                self.bad(f"'{value}' is not a 'CAA' Record")

    def make_set(self, zone):
        self.members({"name", "type", "ttl", "records", "description"}, {"name", "type", "records"})
        name, kind = self.body["name"], self.body["type"]
        if kind not in TYPES or not HOST.match(name):
            self.bad("name or type")
        if name != zone["name"] and not name.endswith("." + zone["name"]):
            raise Refused(400, "invalid_recordset_location", "RecordSet is not contained within its parent zone")
        self.check_values(kind, self.body["records"])
        for other in self.sets.values():
            if (other["name"], other["type"]) == (name, kind):
                raise Refused(409, "duplicate_recordset", "Duplicate RecordSet")
            if other["name"] == name and "CNAME" in (kind, other["type"]):
                raise Refused(400, "invalid_recordset_location", "CNAME recordsets may not share a name")
        made = self.add_set(zone, name, kind, self.body.get("ttl"), self.body["records"], self.body.get("description"))
        return as_json(202, self.seen(dict(made)))

    def one_set(self, method, found):
        if method in ("PUT", "DELETE"):
            self.touched(self.zones[found["zone_id"]])
        if method == "PUT":
            self.members({"ttl", "records", "description"})
            self.check_values(found["type"], self.body.get("records", found["records"]))
            found.update(self.body, status="PENDING", action="UPDATE", looks=0)
            return as_json(202, self.seen(dict(found)))
        if method == "DELETE":
            del self.sets[found["id"]]
            return as_json(202, {**self.seen(dict(found)), "action": "DELETE"})
        return as_json(200, self.seen(found))

    def reverse(self, method, parts):
        shown = {k: {"id": k, **self.seen(v)} for k, v in self.floating.items()}
        if not parts:
            return as_json(200, {"floatingips": list(shown.values()), "links": {"self": self.endpoint},
                                 "metadata": {"total_count": len(shown)}})
        if parts[0] not in shown:
            raise Refused(404, "not_found", "no such floating IP")
        if method == "PATCH":
            self.members({"ptrdname", "ttl", "description"}, {"ptrdname"})
            if self.body["ptrdname"] is not None and not HOST.match(self.body["ptrdname"]):
                self.bad("ptrdname")
            one = self.floating[parts[0]]
            if self.body["ptrdname"] or not self.slow:
                one.update(self.body, status="PENDING" if self.body["ptrdname"] else "INACTIVE", action="UPDATE", looks=0)
            else:  # the name is shown until it is gone
                one.update(status="PENDING", action="DELETE", looks=0)
            return as_json(202, {"id": parts[0], **self.seen(dict(self.floating[parts[0]]))})
        return as_json(200, shown[parts[0]])

    # ---- for tests ----

    def values(self, name, kind):
        return [(s["ttl"], s["records"]) for s in self.sets.values() if (s["name"], s["type"]) == (name, kind)]

    def changes(self):
        return [r for r in self.requests if r.method != "GET" and "/dns/" in r.path]


class InfomaniakContract(Contract):
    """Domain zones as Infomaniak's OpenAPI description has them: one record a value, TTLs from 60 to 86400 seconds."""

    TYPES = {"A", "AAAA", "CAA", "CNAME", "DNAME", "DS", "MX", "NS", "SMIMEA", "SRV", "SSHFP", "TLSA", "TXT"}

    def __init__(self, domains=("example.ch", "example.org"), page_max=100):
        super().__init__()
        self.domains, self.page_max, self.zones, self.records, self.next_id = domains, page_max, {}, {}, 1

    @property
    def environment(self):
        return {"INFOMANIAK_TOKEN": "secret-token", "INFOMANIAK_API_URL": self.endpoint,
                "INFOMANIAK_DOMAINS": ", ".join(self.domains)}

    def refuse(self, e):
        return as_json(e.status, {"result": "error", "error": {"code": e.code, "description": e.message}})

    def done(self, data, **more):
        return as_json(200, {"result": "success", "data": data, **more})

    def handle(self, request):
        if request.headers.get("Authorization") != "Bearer secret-token":
            raise Refused(401, "not_authorized", "not authorized")
        parts, query = request.path.strip("/").split("/"), dict(request.query)
        body = json.loads(request.body) if request.body else None
        if parts[:2] == ["2", "domains"] and parts[3:] == ["zones"]:
            if parts[2] not in self.domains:
                raise Refused(404, "object_not_found", "no such domain")
            mine = [self.seen_zone(z) for z in self.zones if z == parts[2] or z.endswith("." + parts[2])]
            return self.page(mine, query)
        if parts[:2] != ["2", "zones"]:
            raise Refused(404, "object_not_found", request.path)
        name = parts[2]
        if len(parts) == 3:
            return self.one_zone(request.method, name, body)
        if name not in self.zones:
            raise Refused(404, "zone_does_not_exists", "no such zone")
        if len(parts) == 4 and request.method == "GET":
            return self.page([r for r in self.records.values() if r["zone"] == name], query)
        if len(parts) == 4 and request.method != "POST":
            raise Refused(405, "method_not_allowed", request.method)
        return self.make_record(name, body) if len(parts) == 4 else self.one_record(request.method, name, int(parts[4]), body)

    def page(self, rows, query):
        if set(query) - {"page", "per_page"}:
            raise Refused(400, "bad_request", "unknown query")
        size, number = min(int(query.get("per_page", 15)), self.page_max), int(query.get("page", 1))
        pages = max(1, -(-len(rows) // size))
        shown = [{k: v for k, v in r.items() if k != "zone"} for r in rows[(number - 1) * size:number * size]]
        return self.done(shown, total=len(rows), page=number, pages=pages, items_per_page=size)

    def seen_zone(self, name):
        return {"id": self.zones[name], "fqdn": name, "dnssec": {"is_enabled": False},
                "nameservers": ["nsany1.infomaniak.com", "nsany2.infomaniak.com"]}

    def one_zone(self, method, name, body):
        if method == "POST":
            if set(body) - {"skel"}:
                raise Refused(422, "validation_failed", "unknown member")
            if name in self.zones:
                raise Refused(400, "zone_already_exists", "exists")
            if not any(name == d or name.endswith("." + d) for d in self.domains):
                raise Refused(404, "object_not_found", "no such domain")
            self.zones[name] = len(self.zones) + 100
            self.add(name, ".", "NS", "nsany1.infomaniak.com", 3600)
        elif name not in self.zones:
            raise Refused(404, "zone_does_not_exists", "no such zone")
        if method == "DELETE":
            del self.zones[name]
            self.records = {k: r for k, r in self.records.items() if r["zone"] != name}
            return self.done(True)
        return self.done(self.seen_zone(name))

    def add(self, zone, source, kind, target, ttl):
        made = {"zone": zone, "id": self.next_id, "source": source, "type": kind, "target": target, "ttl": ttl, "updated_at": 1}
        self.records[self.next_id] = made
        self.next_id += 1
        return made

    def check(self, body, allowed, required, kind):
        if not isinstance(body, dict) or set(body) - allowed or required - set(body):
            raise Refused(422, "validation_failed", f"members {body}")
        if not 60 <= body.get("ttl", 60) <= 86400:
            raise Refused(422, "validation_failed", "ttl")
        target = body.get("target", "")
        if kind in ("A", "AAAA"):
            ipaddress.ip_address(target)
        if kind in FIELDS and len(words(target)) != len(FIELDS[kind]):
            raise Refused(400, "invalid_dns_record", target)
        if kind == "TXT" and target[0] != '"' and len(target.encode()) > 255:
            raise Refused(400, "invalid_dns_record", "a string is too long")

    def make_record(self, zone, body):
        kind, source = body.get("type"), body.get("source") or "."
        if kind not in self.TYPES:
            raise Refused(400, "unsupported_dns_record_type", str(kind))
        self.check(body, {"source", "target", "ttl", "type"}, {"target", "ttl", "type"}, kind)
        beside = [r for r in self.records.values() if (r["zone"], r["source"]) == (zone, source)]
        if any((r["type"], r["target"]) == (kind, body["target"]) for r in beside):
            raise Refused(400, "dns_record_already_exists", "exists")
        if beside and (kind == "CNAME" or any(r["type"] == "CNAME" for r in beside)):
            raise Refused(400, "dns_record_mutual_exclusion", "a CNAME stands alone")
        made = self.add(zone, source, kind, body["target"], body["ttl"])
        return self.done({k: v for k, v in made.items() if k != "zone"})

    def one_record(self, method, zone, number, body):
        found = self.records.get(number)
        if not found or found["zone"] != zone:
            raise Refused(404, "object_not_found", "no such record")
        if method == "DELETE":
            del self.records[number]
            return self.done(True)
        if method == "PUT":
            self.check(body, {"target", "ttl"}, set(), found["type"])
            found.update(body)
        return self.done({k: v for k, v in found.items() if k != "zone"})

    def values(self, source, kind):
        return sorted((r["ttl"], r["target"]) for r in self.records.values() if (r["source"], r["type"]) == (source, kind))

    def changes(self):
        return [f"{r.method} {r.path}" for r in self.requests if r.method != "GET"]
