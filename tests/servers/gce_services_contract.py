"""Purpose: Compute Engine's disks, snapshots, firewall rules and addresses, on the server of gce_contract.py: as strict."""

from contract import Refused
from gce_contract import PREFIX, PROJECT, ZONES, GceContract

REGION = "europe-west6"


class GceServicesContract(GceContract):
    resources = (*GceContract.resources, "disks", "snapshots", "firewalls", "addresses", "networks", "subnetworks", "regionOperations")

    def __init__(self):
        super().__init__()
        self.things = {}  # by the path behind the project: "zones/Z/disks/NAME"

    def url(self, path):
        return f"{self.endpoint}{PREFIX}projects/{PROJECT}/{path}"

    def add(self, path, **values):
        scope, _, name = path.rsplit("/", 2)
        if path in self.things:
            raise Refused(409, "alreadyExists", f"The resource '{name}' already exists")
        self.things[path] = {"id": str(next(self.numbers)), "name": name, "selfLink": self.url(path),
                             "creationTimestamp": "2026-11-23T02:00:00.000-08:00", **values}
        if scope != "global":
            self.things[path][scope.split("/")[0].removesuffix("s")] = self.url(scope)
        return self.things[path]

    def look_up(self, path):
        if path not in self.things:
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        return self.things[path]

    def path_of(self, partial):
        return partial.removeprefix(f"projects/{PROJECT}/")

    def remove(self, path, zone=None):
        self.look_up(path)
        return self.begin(zone, lambda: self.things.pop(path))

    def scoped(self, query, kind, scopes, key):
        found = [(p, t) for p, t in self.things.items() if p.split("/")[-2] == kind]
        answer = self.page(query, found)
        items = {s: {"warning": {"code": "NO_RESULTS_ON_PAGE"}} for s in scopes}
        for path, thing in answer["items"]:
            items[path.rsplit("/", 2)[0]] = {key: [thing]}
        return {**answer, "items": items}

    def flat(self, query, kind):
        return self.page(query, [t for p, t in self.things.items() if p.split("/")[-2] == kind])

    def begin_in_region(self, then):
        made = self.begin(None, then)
        self.operations[made["name"]][0]["region"] = self.url(f"regions/{REGION}")
        return {**made, "region": self.url(f"regions/{REGION}")}

    def regionOperations_get(self, where, _query, _body):  # noqa: N802
        assert where["region"] == REGION
        return self.look(where["operation"])

    # ---- disks and snapshots ----

    def disks_aggregatedList(self, _where, query, _body):  # noqa: N802
        return self.scoped(query, "disks", [f"zones/{z}" for z in ZONES], "disks")

    def disks_get(self, where, _query, _body):
        return self.look_up(f"zones/{where['zone']}/disks/{where['disk']}")

    def disks_insert(self, where, _query, body):
        if "sourceSnapshot" in body:
            self.look_up(self.path_of(body["sourceSnapshot"]))
        if "type" in body:
            assert body["type"].startswith(f"zones/{where['zone']}/diskTypes/")
        body = {**body, "sizeGb": str(body["sizeGb"])}
        made = self.add(f"zones/{where['zone']}/disks/{body.pop('name')}", status="CREATING", **body)
        return self.begin(where["zone"], lambda: made.update(status="READY"))

    def disks_resize(self, where, _query, body):
        one = self.disks_get(where, None, None)
        if int(body["sizeGb"]) <= int(one["sizeGb"]):
            raise Refused(400, "invalid", "Invalid value for field 'sizeGb': must be larger")
        return self.begin(where["zone"], lambda: one.update(sizeGb=str(body["sizeGb"])))

    def disks_delete(self, where, _query, _body):
        one = self.disks_get(where, None, None)
        if one.get("users"):
            raise Refused(400, "resourceInUseByAnotherResource", "The disk resource is already being used by an instance")
        return self.remove(f"zones/{where['zone']}/disks/{where['disk']}", where["zone"])

    def instance_of(self, where):
        one = self.find(where)
        one.setdefault("selfLink", self.url(f"zones/{where['zone']}/instances/{where['instance']}"))
        return one

    def instances_aggregatedList(self, where, query, body):  # noqa: N802
        for zone, name in self.instances:
            self.instance_of({"zone": zone, "instance": name})
        return super().instances_aggregatedList(where, query, body)

    def instances_attachDisk(self, where, _query, body):  # noqa: N802
        one, disk = self.instance_of(where), self.look_up(self.path_of(body["source"]))

        def done():
            disk["users"] = [one["selfLink"]]
            one.setdefault("disks", []).append({"source": disk["selfLink"], "deviceName": body.get("deviceName", "persistent-disk-1")})

        return self.begin(where["zone"], done)

    def instances_detachDisk(self, where, query, _body):  # noqa: N802
        one = self.instance_of(where)
        mine = [d for d in one.get("disks", []) if d["deviceName"] == query["deviceName"]]
        if not mine:
            raise Refused(400, "invalid", "no such device")

        def done():
            one["disks"].remove(mine[0])
            self.things[mine[0]["source"].split(f"projects/{PROJECT}/")[1]]["users"] = []

        return self.begin(where["zone"], done)

    def snapshots_list(self, _where, query, _body):
        return self.flat(query, "snapshots")

    def snapshots_get(self, where, _query, _body):
        return self.look_up(f"global/snapshots/{where['snapshot']}")

    def snapshots_insert(self, _where, _query, body):
        disk = self.look_up(self.path_of(body["sourceDisk"]))
        made = self.add(f"global/snapshots/{body['name']}", status="CREATING", diskSizeGb=disk["sizeGb"],
                        **{k: v for k, v in body.items() if k != "name"})
        return self.begin(None, lambda: made.update(status="READY"))

    def snapshots_delete(self, where, _query, _body):
        return self.remove(f"global/snapshots/{where['snapshot']}")

    # ---- networks, rules, addresses ----

    def networks_list(self, _where, query, _body):
        return self.flat(query, "networks")

    def networks_get(self, where, _query, _body):
        return self.look_up(f"global/networks/{where['network']}")

    def subnetworks_aggregatedList(self, _where, query, _body):  # noqa: N802
        return self.scoped(query, "subnetworks", [f"regions/{REGION}"], "subnetworks")

    def subnetworks_get(self, where, _query, _body):
        return self.look_up(f"regions/{where['region']}/subnetworks/{where['subnetwork']}")

    def firewalls_list(self, _where, query, _body):
        return self.flat(query, "firewalls")

    def firewalls_get(self, where, _query, _body):
        return self.look_up(f"global/firewalls/{where['firewall']}")

    def firewalls_insert(self, _where, _query, body):
        if ("allowed" in body) == ("denied" in body):
            raise Refused(400, "invalid", "one of allowed and denied")
        unfit = ("destinationRanges",) if body["direction"] == "INGRESS" else ("sourceRanges", "sourceTags")
        if set(unfit) & set(body):
            raise Refused(400, "invalid", f"{unfit} do not go with {body['direction']}")
        if "network" in body:
            self.look_up(self.path_of(body["network"]))
        return self.begin(None, lambda: self.add(f"global/firewalls/{body['name']}", **{
            "priority": 1000, **{k: v for k, v in body.items() if k != "name"}}))

    def firewalls_delete(self, where, _query, _body):
        return self.remove(f"global/firewalls/{where['firewall']}")

    def addresses_aggregatedList(self, _where, query, _body):  # noqa: N802
        return self.scoped(query, "addresses", [f"regions/{REGION}", "global"], "addresses")

    def addresses_get(self, where, _query, _body):
        return self.look_up(f"regions/{where['region']}/addresses/{where['address']}")

    def addresses_insert(self, where, _query, body):
        assert where["region"] == REGION
        made = self.add(f"regions/{REGION}/addresses/{body['name']}", status="RESERVING", description=body.get("description", ""))
        return self.begin_in_region(lambda: made.update(status="RESERVED", address="192.0.2.77"))

    def addresses_delete(self, where, _query, _body):
        one = self.addresses_get(where, None, None)
        if one.get("users"):
            raise Refused(400, "resourceInUseByAnotherResource", "The address is in use")
        return self.begin_in_region(lambda: self.things.pop(f"regions/{REGION}/addresses/{where['address']}"))

    def address_named(self, text):
        return next(t for t in self.things.values() if t.get("address") == text)

    def instances_addAccessConfig(self, where, query, body):  # noqa: N802
        one, address = self.instance_of(where), self.address_named(body["natIP"])
        port = one["networkInterfaces"][0]
        port["name"] = "nic0"
        assert query["networkInterface"] == "nic0" and body["type"] == "ONE_TO_ONE_NAT"

        def done():
            port["accessConfigs"] = [{"name": body["name"], "natIP": body["natIP"]}]
            address.update(status="IN_USE", users=[one["selfLink"]])

        return self.begin(where["zone"], done)

    def instances_deleteAccessConfig(self, where, query, _body):  # noqa: N802
        port = self.instance_of(where)["networkInterfaces"][0]
        mine = [c for c in port["accessConfigs"] if c["name"] == query["accessConfig"]]
        if not mine or query["networkInterface"] != port["name"]:
            raise Refused(400, "invalid", "no such access configuration")

        def done():
            port["accessConfigs"].remove(mine[0])
            address = self.address_named(mine[0]["natIP"])
            address["status"] = "RESERVED"
            del address["users"]

        return self.begin(where["zone"], done)
