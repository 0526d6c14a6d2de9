"""Purpose: a Cloud DNS to the letter: what Google's description (dns.v1 of the PyPI package google-api-python-client) does not
have is refused, by the frame of gce_contract.py. A change is all or nothing, and a deletion must name what is there word
for word. Each look at a change is one step of it. Pages hold one thing each.
"""

from contract import Refused
from dns_contract import HOST, checked_rdata
from gce_contract import GceContract


class CloudDnsContract(GceContract):
    document, prefix, audience = "dns.v1", "/", "https://dns.googleapis.com/"
    resources = ("managedZones", "resourceRecordSets", "changes")

    def __init__(self):
        super().__init__()
        self.zones, self.sets, self.changes_made = {}, {}, {}

    def zone(self, where):
        for z in self.zones.values():
            if where["managedZone"] in (z["name"], z["id"]):
                return z
        raise Refused(404, "notFound", "The 'parameters.managedZone' resource was not found")

    def paged(self, query, key, items):
        at = int(query.get("pageToken", "t0")[1:])
        return {key: items[at:at + 1], **({"nextPageToken": f"t{at + 1}"} if at + 1 < len(items) else {})}

    def managedZones_list(self, _where, query, _body):  # noqa: N802
        return self.paged(query, "managedZones", [z for z in self.zones.values() if query.get("dnsName") in (None, z["dnsName"])])

    def managedZones_get(self, where, _query, _body):  # noqa: N802
        return self.zone(where)

    def managedZones_create(self, _where, _query, body):  # noqa: N802
        for needed in ("name", "dnsName", "description"):
            if needed not in body:
                raise Refused(400, "required", f"entity.managedZone.{needed}")
        if body["name"] in self.zones or not HOST.match(body["dnsName"]):
            raise Refused(409, "alreadyExists", "The resource already exists")
        made = {**body, "id": str(100 + len(self.zones)), "nameServers": ["ns-cloud-a1.googledomains.com."],
                "creationTime": "2026-11-23T10:00:00.000Z"}
        self.zones[body["name"]] = made
        self.sets[body["name"]] = {(made["dnsName"], kind): {"name": made["dnsName"], "type": kind, "ttl": 21600, "rrdatas": v}
                                   for kind, v in (("NS", ["ns-cloud-a1.googledomains.com."]), ("SOA", ["a. b. 1 2 3 4 5"]))}
        return made

    def managedZones_patch(self, where, _query, body):  # noqa: N802
        self.zone(where).update(body)
        return {"kind": "dns#operation", "status": "done"}

    def managedZones_delete(self, where, _query, _body):  # noqa: N802
        name = self.zone(where)["name"]
        if len(self.sets[name]) > 2:
            raise Refused(400, "containerNotEmpty", "The resource is not empty")
        del self.zones[name], self.sets[name]
        return {}

    def resourceRecordSets_list(self, where, query, _body):  # noqa: N802
        if "type" in query and "name" not in query:
            raise Refused(400, "required", "name must be given with type")
        rows = [s for s in self.sets[self.zone(where)["name"]].values()
                if all(s[k] == query[k] for k in ("name", "type") if k in query)]
        return self.paged(query, "rrsets", rows)

    def changes_create(self, where, _query, body):
        zone = self.zone(where)
        sets = dict(self.sets[zone["name"]])
        for gone in body.get("deletions", []):
            if sets.get((gone["name"], gone["type"])) != gone:
                raise Refused(412, "conditionNotMet", "Precondition not met for 'entity.change.deletions[0]'")
            del sets[gone["name"], gone["type"]]
        for made in body.get("additions", []):
            self.check_set(zone, sets, made)
            sets[made["name"], made["type"]] = made
        self.sets[zone["name"]] = sets
        change = {"id": str(len(self.changes_made)), "status": "pending", **body}
        self.changes_made[change["id"]] = change
        return dict(change)

    def check_set(self, zone, sets, made):
        def bad(why):
            raise Refused(400, "invalid", why)

        if not HOST.match(made["name"]) or not ("." + made["name"]).endswith("." + zone["dnsName"]) or "ttl" not in made:
            bad("name or ttl")
        checked_rdata(made["type"], made["rrdatas"], bad)
        for name, kind in sets:
            if name == made["name"] and (kind == made["type"] or "CNAME" in (kind, made["type"])):
                raise Refused(409, "alreadyExists", "The resource already exists, or a CNAME stands beside it")

    def changes_get(self, where, _query, _body):
        change = self.changes_made[where["changeId"]]
        change["status"] = "done"
        return change

    # ---- for tests ----

    def values(self, zone, name, kind):
        found = self.sets[zone].get((name, kind))
        return found and (found["ttl"], found["rrdatas"])

    def changes(self):
        return [r for r in self.requests if r.method != "GET"]
