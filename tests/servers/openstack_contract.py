"""Purpose: Cinder, Neutron and Octavia (with the parts of Keystone, Nova and Glance that they are used with) as one server with
one state, as strict as their descriptions: unknown queries and members, wrong types, references to what is not there,
changes of what is busy or used are refused. Pages are as small as asked for and hold at most page_max things.

    docs.openstack.org/api-ref (block-storage v3, network v2, load-balancer v2, compute, image), read 2026-11
"""

import ipaddress
import itertools
import json
import re
import uuid

import known_secrets
from contract import Contract, Refused, as_json

TEXT, NUMBER, FLAG, ANY = str, int, bool, None
TEXTS, MAP = [str], {"*": str}
PROTOCOLS = ("HTTP", "HTTPS", "TERMINATED_HTTPS", "TCP", "UDP", "SCTP", "PROXY", "PROXYV2")
POOL_PROTOCOLS = tuple(p for p in PROTOCOLS if p != "TERMINATED_HTTPS")
ALGORITHMS = ("ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT")
MONITORS = ("HTTP", "HTTPS", "TCP", "PING", "TLS-HELLO", "UDP-CONNECT", "SCTP")


def uid():
    return str(uuid.uuid4())


class Kind:
    """path and name of a thing; what may be sent (shape), must be sent (needs), names another thing (refs)."""

    def __init__(self, path, name, shape, needs=(), refs=(), filters=(), plural=None):
        self.path, self.name, self.shape, self.needs = path, name, shape, needs
        self.refs, self.filters, self.plural = dict(refs), {"name", *filters}, plural or name + "s"


KINDS = {k.path: k for k in (
    Kind("volumes", "volume", {"name": TEXT, "size": NUMBER, "volume_type": TEXT, "availability_zone": TEXT, "snapshot_id": TEXT,
                               "imageRef": TEXT, "description": TEXT, "metadata": MAP}, ("size",),
         {"snapshot_id": "snapshots", "imageRef": "images"}),
    Kind("snapshots", "snapshot", {"name": TEXT, "volume_id": TEXT, "description": TEXT, "force": FLAG, "metadata": MAP},
         ("volume_id",), {"volume_id": "volumes"}),
    Kind("backups", "backup", {"name": TEXT, "volume_id": TEXT, "snapshot_id": TEXT, "description": TEXT, "incremental": FLAG,
                               "force": FLAG}, ("volume_id",), {"volume_id": "volumes", "snapshot_id": "snapshots"}),
    Kind("networks", "network", {"name": TEXT, "description": TEXT, "shared": FLAG, "mtu": NUMBER}, (), (), ("router:external",)),
    Kind("subnets", "subnet", {"name": TEXT, "network_id": TEXT, "cidr": TEXT, "ip_version": NUMBER, "gateway_ip": ANY,
                               "enable_dhcp": FLAG, "dns_nameservers": TEXTS, "description": TEXT},
         ("network_id", "cidr", "ip_version"), {"network_id": "networks"}, ("network_id",)),
    Kind("ports", "port", {"name": TEXT, "network_id": TEXT, "fixed_ips": [{"subnet_id": TEXT, "ip_address": TEXT}],
                           "security_groups": TEXTS, "description": TEXT}, ("network_id",),
         {"network_id": "networks", "security_groups": "security-groups"}, ("network_id", "device_id", "device_owner")),
    Kind("routers", "router", {"name": TEXT, "external_gateway_info": {"network_id": TEXT}, "description": TEXT}),
    Kind("security-groups", "security_group", {"name": TEXT, "description": TEXT}),
    Kind("security-group-rules", "security_group_rule",
         {"security_group_id": TEXT, "direction": ("ingress", "egress"), "protocol": TEXT, "port_range_min": NUMBER,
          "port_range_max": NUMBER, "remote_ip_prefix": TEXT, "ethertype": ("IPv4", "IPv6"), "remote_group_id": TEXT,
          "description": TEXT}, ("security_group_id", "direction"),
         {"security_group_id": "security-groups", "remote_group_id": "security-groups"}, ("security_group_id",)),
    Kind("floatingips", "floatingip", {"floating_network_id": TEXT, "port_id": ANY, "fixed_ip_address": TEXT, "description": TEXT},
         ("floating_network_id",), {"floating_network_id": "networks", "port_id": "ports"}, ("floating_ip_address",)),
    Kind("loadbalancers", "loadbalancer", {"name": TEXT, "vip_subnet_id": TEXT, "vip_network_id": TEXT, "vip_address": TEXT,
                                           "description": TEXT}, (),
         {"vip_subnet_id": "subnets", "vip_network_id": "networks"}),
    Kind("listeners", "listener", {"name": TEXT, "loadbalancer_id": TEXT, "protocol": PROTOCOLS, "protocol_port": NUMBER,
                                   "default_pool_id": TEXT, "connection_limit": NUMBER, "description": TEXT},
         ("loadbalancer_id", "protocol", "protocol_port"), {"loadbalancer_id": "loadbalancers", "default_pool_id": "pools"}),
    Kind("pools", "pool", {"name": TEXT, "loadbalancer_id": TEXT, "listener_id": TEXT, "protocol": POOL_PROTOCOLS,
                           "lb_algorithm": ALGORITHMS, "description": TEXT}, ("protocol", "lb_algorithm"),
         {"loadbalancer_id": "loadbalancers", "listener_id": "listeners"}),
    Kind("members", "member", {"name": TEXT, "address": TEXT, "protocol_port": NUMBER, "weight": NUMBER, "subnet_id": TEXT,
                               "backup": FLAG}, ("address", "protocol_port"), {"subnet_id": "subnets"}),
    Kind("healthmonitors", "healthmonitor", {"name": TEXT, "pool_id": TEXT, "type": MONITORS, "delay": NUMBER, "timeout": NUMBER,
                                             "max_retries": NUMBER, "url_path": TEXT, "expected_codes": TEXT},
         ("pool_id", "type", "delay", "timeout", "max_retries"), {"pool_id": "pools"}),
    Kind("servers", "server", {}), Kind("images", "image", {}),
)}
KINDS["security-groups"].plural, KINDS["security-group-rules"].plural = "security_groups", "security_group_rules"
BALANCED = ("loadbalancers", "listeners", "pools", "members", "healthmonitors")
GOOD = {"volumes": "available", "snapshots": "available", "backups": "available"}
LB = ("OFFLINE", "ONLINE")


def check(value, shape, at):
    if shape is ANY:
        return
    if isinstance(shape, tuple):
        if value not in shape:
            raise Refused(400, "BadRequest", f"Invalid input for {at}: {value!r} is not one of {shape}")
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            raise Refused(400, "BadRequest", f"{at} is no object")
        for name, member in value.items():
            if name not in shape and "*" not in shape:
                raise Refused(400, "BadRequest", f"Unrecognized attribute(s) '{name}' of {at}")
            check(member, shape.get(name, shape.get("*")), f"{at}.{name}")
    elif isinstance(shape, list):
        for member in value:
            check(member, shape[0], at)
    elif type(value) is not shape:
        raise Refused(400, "BadRequest", f"Invalid input for {at}: {value!r}")


class OpenStackContract(Contract):
    """slow: how many looks at a thing it takes until what was begun is done."""

    def __init__(self, slow=1, page_max=1000):
        super().__init__()
        self.has_quota_details = True  # an extension of Neutron's
        self.slow, self.page_max, self.things = slow, page_max, {path: {} for path in KINDS}
        self.addresses = itertools.count(10)
        for name in ("web1", "db1", "a+b"):
            self.add("servers", name=name)
        self.add("images", name="debian-12")
        self.public = self.add("networks", name="public", **{"router:external": True})["id"]
        for server in self.things["servers"].values():
            self.add("ports", name="", network_id="n0", device_id=server["id"], device_owner="compute:nova", security_groups=[],
                     fixed_ips=[{"subnet_id": "s0", "ip_address": f"10.0.0.{next(self.addresses)}"}], mac_address="fa:16:3e:00:00:01")

    @property
    def environment(self):
        return {"OS_AUTH_URL": self.endpoint + "/identity/v3", "OS_USERNAME": "me", "OS_PASSWORD": known_secrets.OPENSTACK,
                "OS_PROJECT_NAME": "p", "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default"}

    CATALOG = {"block-storage": "/volume/v3/p1", "network": "/network", "load-balancer": "/lb", "compute": "/compute/v2.1",
               "image": "/image"}

    def sign_in(self):
        catalog = [{"type": t, "name": t, "endpoints": [{"interface": "public", "region": "R", "region_id": "R",
                                                         "url": self.endpoint + p}]} for t, p in self.CATALOG.items()]
        token = {"expires_at": "2099-01-01T00:00:00.000000Z", "project": {"id": "p1", "name": "p"}, "user": {"id": "u1"},
                 "catalog": catalog, "methods": ["password"], "roles": [{"id": "r1", "name": "member"}]}
        return as_json(201, {"token": token}, **{"X-Subject-Token": "token-1"})

    def refuse(self, error):
        shapes = {"network": {"NeutronError": {"type": error.code, "message": error.message, "detail": ""}},
                  "heat": {"code": error.status, "title": "-", "explanation": "There was an error.",
                           "error": {"message": error.message, "type": error.code, "traceback": None}},
                  "lb": {"faultcode": "Client", "faultstring": error.message, "debuginfo": None}}
        name = "overLimit" if error.status == 413 else "itemNotFound" if error.status == 404 else "badRequest"
        return as_json(error.status, shapes.get(self.part, {name: {"code": error.status, "message": error.message}}),
                       **{"X-Openstack-Request-Id": "req-1"})

    def limits(self):
        """What the project may use (-1: without end) and does: of each service where it tells it."""
        volumes, servers, networks = (self.things[k] for k in ("volumes", "servers", "networks"))
        found = {
            "/compute/v2.1/limits": {"limits": {"rate": [], "absolute": {
                "maxTotalInstances": 10, "totalInstancesUsed": len(servers), "maxTotalCores": 20, "totalCoresUsed": 2 * len(servers),
                "maxTotalRAMSize": -1, "totalRAMUsed": 2048, "maxTotalKeypairs": 100, "maxServerMeta": 128}}},
            "/volume/v3/p1/limits": {"limits": {"rate": [], "absolute": {
                "maxTotalVolumes": 10, "totalVolumesUsed": len(volumes), "maxTotalVolumeGigabytes": 1000,
                "totalGigabytesUsed": sum(v.get("size", 0) for v in volumes.values()), "maxTotalSnapshots": 10, "totalSnapshotsUsed": 0}}},
            "/network/v2.0/quotas/p1": {"quota": {"network": 100, "floatingip": -1}},
        }
        if self.has_quota_details:
            found["/network/v2.0/quotas/p1/details.json"] = {"quota": {
                "network": {"reserved": 0, "used": len(networks), "limit": 100}, "floatingip": {"reserved": 0, "used": 0, "limit": -1}}}
        return found

    # ---- the frame ----

    def handle(self, request):
        self.part = request.path.split("/")[1]
        if request.path == "/identity/v3/auth/tokens" and request.method == "POST":
            return self.sign_in()
        if request.headers.get("X-Auth-Token") != "token-1":
            raise Refused(401, "Unauthorized", "no token")
        self.body, self.query = json.loads(request.body) if request.body else None, request.query
        if request.method == "GET" and not self.query and request.path in self.limits():
            return as_json(200, self.limits()[request.path])
        for prefix, paths in (("/volume/v3/p1/", ("volumes", "snapshots", "backups")), ("/lb/v2/lbaas/", BALANCED),
                              ("/network/v2.0/", ("networks", "subnets", "ports", "routers", "security-groups",
                                                  "security-group-rules", "floatingips")),
                              ("/compute/v2.1/", ("servers",)), ("/image/v2/", ("images",))):
            parts = request.path.removeprefix(prefix).split("/")
            if request.path.startswith(prefix) and parts[0] in paths:
                if prefix.startswith("/volume") and request.headers.get("OpenStack-API-Version") != "volume 3.50":
                    raise Refused(406, "NotAcceptable", "no microversion")
                return self.route(request, prefix, parts)
        raise Refused(404, "NotFound", f"no such path: {request.path}")

    def route(self, request, prefix, parts):
        if parts[0] == "pools" and parts[2:3] == ["members"]:
            self.pool = self.find("pools", parts[1])
            prefix, parts = f"{prefix}pools/{parts[1]}/", parts[2:]
        kind, method = KINDS[parts[0]], request.method
        is_list = len(parts) == 1 or parts[1] == "detail"
        if method == "GET" and is_list:
            return self.listed(kind, prefix + "/".join(parts))
        if is_list:
            return self.create(kind) if method == "POST" else self.no(request)
        one = self.find(kind.path, parts[1])
        if len(parts) > 2:
            return self.act(request, kind, one, parts[2:])
        if method == "GET":
            return as_json(200, {kind.name: self.seen(kind, one)})
        if method == "PUT" and kind.path == "floatingips":
            return self.move_address(one)
        return self.delete(kind, one) if method == "DELETE" else self.no(request)

    def no(self, request):
        raise Refused(405, "NotAllowed", f"{request.method} {request.path}")

    def find(self, path, name):
        found = self.things[path].get(name)
        if not found:
            raise Refused(404, "NotFound", f"{KINDS[path].name} {name} could not be found")
        return found

    def add(self, path, **values):
        made = {"id": uid(), "status": "ACTIVE", "description": "", "looks": 0, "then": None,
                "created_at": "2026-11-23T10:00:00.000000", **values}
        self.things[path][made["id"]] = made
        return made

    def begin(self, one, key, during, after):
        one[key], one["looks"], one["then"] = during, self.slow, (key, after)

    def seen(self, kind, one):
        if one["then"]:
            one["looks"] -= 1
            if one["looks"] < 0:
                one[one["then"][0]], one["then"] = one["then"][1], None
                if one.get("operating_status"):
                    one["operating_status"] = "ONLINE"
        return {k: v for k, v in one.items() if k not in ("looks", "then", "pool")}

    def listed(self, kind, path):
        query = dict(self.query)
        if set(query) - kind.filters - {"limit", "marker"}:
            raise Refused(400, "BadRequest", f"unknown query {query}")
        rows = [t for t in self.things[kind.path].values() if kind.path != "members" or t["pool"] == self.pool["id"]]
        for name in kind.filters & set(query):
            wanted = [v for k, v in self.query if k == name]
            if kind.path == "servers":  # Nova takes it for a pattern
                rows = [r for r in rows if re.search(wanted[0], r[name])]
                continue
            rows = [r for r in rows if str(r.get(name)).lower() in (w.lower() for w in wanted)]
        ids = [r["id"] for r in rows]
        if "marker" in query:
            rows = rows[ids.index(query["marker"]) + 1:]
        limit = min(int(query.get("limit", 1000)), self.page_max)
        answer = {kind.plural: [self.seen(kind, r) for r in rows[:limit]]}
        if len(rows) > limit:
            more = "".join(f"&{k}={v}" for k, v in self.query if k not in ("limit", "marker"))
            link = f"{self.endpoint}{path}?limit={limit}&marker={rows[limit - 1]['id']}{more}"
            answer[kind.plural + "_links"] = [{"rel": "previous", "href": "http://127.0.0.2:1/"}, {"rel": "next", "href": link}]
            if kind.path == "images":
                answer["next"] = link
        return as_json(200, answer)

    def create(self, kind):
        if not isinstance(self.body, dict) or set(self.body) != {kind.name} or not kind.shape:
            raise Refused(400, "BadRequest", f"no {kind.name}")
        body = self.body[kind.name]
        check(body, kind.shape, kind.name)
        for name in kind.needs:
            if name not in body:
                raise Refused(400, "BadRequest", f"Failed to parse request. Required attribute '{name}' not specified")
        for name, path in kind.refs.items():
            given = body.get(name) or []
            for one in given if isinstance(given, list) else [given]:
                self.find(path, one)
        self.last_body = body
        if kind.path in BALANCED:
            return self.create_balanced(kind, body)
        made = getattr(self, "make_" + kind.name)(body)
        shown = self.seen(kind, made) if kind.path != "backups" else {"id": made["id"], "name": made["name"], "links": []}
        return as_json(202 if kind.path in GOOD else 201, {kind.name: shown})

    def delete(self, kind, one):
        users = {"volumes": [("snapshots", "volume_id")], "networks": [("subnets", "network_id"), ("floatingips", "floating_network_id")],
                 "security-groups": [("security-group-rules", "remote_group_id")], "pools": [("listeners", "default_pool_id")]}
        for path, name in users.get(kind.path, ()):
            if any(t.get(name) == one["id"] for t in self.things[path].values()):
                raise Refused(400 if kind.path == "volumes" else 409, "InUse", f"{kind.name} {one['id']} is in use by {path}")
        if kind.path in GOOD and one["status"] not in ("available", "error"):
            raise Refused(400, "BadRequest", f"Invalid {kind.name}: status must be available or error, not {one['status']}")
        if kind.path == "routers" and any(p.get("device_id") == one["id"] for p in self.things["ports"].values()):
            raise Refused(409, "RouterInUse", f"Router {one['id']} still has ports")
        if kind.path in BALANCED:
            return self.delete_balanced(kind, one)
        del self.things[kind.path][one["id"]]
        return (202 if kind.path in GOOD else 204), {}, ""

    # ---- Cinder and Nova ----

    def make_volume(self, body):
        if body["size"] > 500:
            raise Refused(413, "OverQuota", "VolumeSizeExceedsAvailableQuota: Requested volume exceeds allowed gigabytes quota")
        made = self.add("volumes", bootable="false", encrypted=False, attachments=[], volume_type=body.pop("volume_type", "ssd"),
                        availability_zone=body.pop("availability_zone", "nova"), metadata=body.pop("metadata", {}), **body)
        self.begin(made, "status", "creating", "error" if made["name"] == "broken" else "available")
        return made

    def make_snapshot(self, body):
        volume = self.find("volumes", body["volume_id"])
        if volume["status"] != "available" and not body.pop("force", False):
            raise Refused(400, "BadRequest", "Invalid volume: Volume status must be available")
        made = self.add("snapshots", size=volume["size"], metadata=body.pop("metadata", {}), **body)
        self.begin(made, "status", "creating", "available")
        return made

    def make_backup(self, body):
        volume = self.find("volumes", body["volume_id"])
        if body.get("incremental") and not any(b["volume_id"] == volume["id"] for b in self.things["backups"].values()):
            raise Refused(400, "BadRequest", "No backups available to do an incremental backup.")
        body.pop("force", None)
        made = self.add("backups", size=volume["size"], is_incremental=body.pop("incremental", False), fail_reason=None, **body)
        self.begin(made, "status", "creating", "available")
        return made

    def act(self, request, kind, one, parts):
        if kind.path == "volumes" and parts == ["action"] and request.method == "POST":
            check(self.body, {"os-extend": {"new_size": NUMBER}}, "action")
            if self.body["os-extend"]["new_size"] <= one["size"]:
                raise Refused(400, "BadRequest", "New size for extend must be greater than current size.")
            one["size"] = self.body["os-extend"]["new_size"]
            self.begin(one, "status", "extending", one["status"])
            return 202, {}, ""
        if kind.path == "backups" and parts == ["restore"] and request.method == "POST":
            return self.restore(one)
        if kind.path == "servers" and parts[0] == "os-volume_attachments":
            return self.attach(request, one, parts[1:])
        if kind.path == "routers" and parts[0] in ("add_router_interface", "remove_router_interface") and request.method == "PUT":
            return self.interface(one, parts[0] == "add_router_interface")
        return self.no(request)

    def restore(self, backup):
        check(self.body, {"restore": {"volume_id": TEXT, "name": TEXT}}, "body")
        wanted = self.body["restore"]
        if "volume_id" in wanted:
            volume = self.find("volumes", wanted["volume_id"])
        else:
            volume = self.add("volumes", name=wanted.get("name", "restore_backup_" + backup["id"]), size=backup["size"],
                              attachments=[], bootable="false", encrypted=False, volume_type="ssd", metadata={})
        self.begin(volume, "status", "restoring-backup", "available")
        return as_json(202, {"restore": {"backup_id": backup["id"], "volume_id": volume["id"], "volume_name": volume["name"]}})

    def attach(self, request, server, parts):
        if request.method == "POST":
            check(self.body, {"volumeAttachment": {"volumeId": TEXT, "device": TEXT}}, "body")
            volume = self.find("volumes", self.body["volumeAttachment"]["volumeId"])
            if volume["status"] != "available":
                raise Refused(400, "BadRequest", "Invalid volume: volume is not available")
            volume["attachments"] = [{"server_id": server["id"], "device": "/dev/vdb"}]
            self.begin(volume, "status", "attaching", "in-use")
            return as_json(200, {"volumeAttachment": {"id": volume["id"], "volumeId": volume["id"], "serverId": server["id"]}})
        volume = self.find("volumes", parts[0])
        if request.method != "DELETE" or server["id"] not in [a["server_id"] for a in volume["attachments"]]:
            raise Refused(404, "NotFound", "volume is not attached")
        volume["attachments"] = []
        self.begin(volume, "status", "detaching", "available")
        return 202, {}, ""

    # ---- Neutron ----

    def make_network(self, body):
        return self.add("networks", subnets=[], **{"router:external": False, "shared": False, "mtu": 1450, **body})

    def make_subnet(self, body):
        try:
            net = ipaddress.ip_network(body["cidr"])
        except ValueError:
            raise Refused(400, "InvalidInput", f"Invalid CIDR {body['cidr']}") from None
        if net.version != body["ip_version"]:
            raise Refused(400, "InvalidInput", "ip_version does not match cidr")
        for other in self.things["subnets"].values():
            if other["network_id"] == body["network_id"] and ipaddress.ip_network(other["cidr"]).overlaps(net):
                raise Refused(400, "InvalidInput", "Requested subnet overlaps with another subnet")
        made = self.add("subnets", **{"gateway_ip": str(net[1]), "enable_dhcp": True, "dns_nameservers": [],
                                      "allocation_pools": [{"start": str(net[2]), "end": str(net[-2])}], **body})
        self.things["networks"][body["network_id"]]["subnets"].append(made["id"])
        return made

    def new_port(self, network, subnet=None, address=None, **more):
        subnet = subnet or next((s["id"] for s in self.things["subnets"].values() if s["network_id"] == network), "none")
        return self.add("ports", network_id=network, mac_address="fa:16:3e:00:00:02", **{
            "status": "DOWN", "device_id": "", "device_owner": "", "security_groups": [],
            "fixed_ips": [{"subnet_id": subnet, "ip_address": address or f"10.9.0.{next(self.addresses)}"}], **more})

    def make_port(self, body):
        fixed = (body.pop("fixed_ips", None) or [{}])[0]
        return self.new_port(body.pop("network_id"), fixed.get("subnet_id"), fixed.get("ip_address"), **body)

    def make_router(self, body):
        gateway = body.pop("external_gateway_info", None)
        if gateway:
            if not self.find("networks", gateway["network_id"])["router:external"]:
                raise Refused(400, "BadRequest", "Network is not an external network")
            gateway = {**gateway, "enable_snat": True, "external_fixed_ips": [{"subnet_id": "x", "ip_address": "192.0.2.99"}]}
        return self.add("routers", routes=[], external_gateway_info=gateway, **body)

    def interface(self, router, is_added):
        check(self.body, {"subnet_id": TEXT}, "body")
        subnet = self.find("subnets", self.body["subnet_id"])
        mine = [p for p in self.things["ports"].values() if p["device_id"] == router["id"] and
                p["fixed_ips"][0]["subnet_id"] == subnet["id"]]
        if is_added and mine:
            raise Refused(400, "BadRequest", "Router already has a port on subnet")
        if not is_added and not mine:
            raise Refused(404, "RouterInterfaceNotFoundForSubnet", "Router has no interface on subnet")
        port = mine[0] if mine else self.new_port(subnet["network_id"], subnet["id"], subnet["gateway_ip"], status="ACTIVE",
                                                  device_id=router["id"], device_owner="network:router_interface", name="")
        if not is_added:
            del self.things["ports"][port["id"]]
        return as_json(200, {"id": router["id"], "subnet_id": subnet["id"], "port_id": port["id"], "subnet_ids": [subnet["id"]]})

    def make_security_group(self, body):
        made = self.add("security-groups", security_group_rules=[], **body)
        self.make_security_group_rule({"security_group_id": made["id"], "direction": "egress", "ethertype": "IPv4"})
        return made

    def make_security_group_rule(self, body):
        if "port_range_min" in body and body.get("protocol") not in ("tcp", "udp", "sctp"):
            raise Refused(400, "SecurityGroupInvalidPortRange", "ports need a protocol")
        body = {"ethertype": "IPv4", "protocol": None, "port_range_min": None, "port_range_max": None, "remote_ip_prefix": None,
                "remote_group_id": None, **body}
        if body["remote_ip_prefix"] and f"IPv{ipaddress.ip_network(body['remote_ip_prefix']).version}" != body["ethertype"]:
            raise Refused(400, "SecurityGroupRuleParameterConflict", "Conflicting value ethertype")
        for other in self.things["security-group-rules"].values():
            if all(other[k] == v for k, v in body.items()):
                raise Refused(409, "SecurityGroupRuleExists", "Security group rule already exists.")
        made = self.add("security-group-rules", **body)
        self.things["security-groups"][body["security_group_id"]]["security_group_rules"].append(made)
        return made

    def make_floatingip(self, body):
        if not self.things["networks"][body["floating_network_id"]]["router:external"]:
            raise Refused(400, "BadRequest", "Network is not a valid external network")
        return self.add("floatingips", floating_ip_address=f"192.0.2.{next(self.addresses)}", port_id=None, fixed_ip_address=None,
                        port_details=None, **{**body, "status": "DOWN"})

    def move_address(self, one):
        check(self.body, {"floatingip": {"port_id": ANY, "fixed_ip_address": TEXT}}, "body")
        wanted = self.body["floatingip"]["port_id"]
        port = self.find("ports", wanted) if wanted else None
        one.update(port_id=wanted, fixed_ip_address=port and port["fixed_ips"][0]["ip_address"],
                   port_details=port and {k: port[k] for k in ("device_id", "device_owner")})
        return as_json(200, {"floatingip": self.seen(KINDS["floatingips"], one)})

    # ---- Octavia: what changes a part makes the whole immutable for a while ----

    def balancer_of(self, one):
        while True:
            pool = one.get("pool") or one.get("pool_id")
            if pool:
                one = self.things["pools"][pool]
            elif one.get("loadbalancers"):
                return self.things["loadbalancers"][one["loadbalancers"][0]["id"]]
            else:
                return one

    def hold(self, balancer):
        if balancer["provisioning_status"] != "ACTIVE":
            raise Refused(409, "ImmutableObject", f"Load Balancer {balancer['id']} is immutable and cannot be updated.")
        self.begin(balancer, "provisioning_status", "PENDING_UPDATE", "ACTIVE")

    def create_balanced(self, kind, body):
        more = {"provisioning_status": "ACTIVE", "operating_status": "OFFLINE"}
        balancer = None
        if kind.path == "loadbalancers":
            if ("vip_subnet_id" in body) == ("vip_network_id" in body):
                raise Refused(400, "ValidationException", "VIP must contain one of: vip_subnet_id, vip_network_id")
            more.update(vip_address=f"10.9.0.{next(self.addresses)}", listeners=[], pools=[], provider="amphora")
        elif kind.path == "members":
            balancer = self.balancer_of(self.pool)
            more.update(pool=self.pool["id"], weight=1, backup=False)
        elif kind.path == "healthmonitors":
            if body["delay"] < body["timeout"]:
                raise Refused(400, "ValidationException", "delay must be greater than or equal to timeout")
            balancer = self.balancer_of(self.things["pools"][body["pool_id"]])
            more.update(pools=[{"id": body["pool_id"]}], url_path="/", expected_codes="200")
        else:
            listener = self.things["listeners"].get(body.get("listener_id"))
            balancer = self.balancer_of(listener) if listener else self.find("loadbalancers", body.get("loadbalancer_id"))
            more.update(loadbalancers=[{"id": balancer["id"]}], connection_limit=-1)
            if kind.path == "pools":
                more.update(members=[], listeners=[{"id": listener["id"]}] if listener else [], healthmonitor_id=None)
        if balancer:
            self.hold(balancer)
        made = self.add(kind.path, **{**more, **body})
        del made["status"]
        self.begin(made, "provisioning_status", "PENDING_CREATE", "ACTIVE")
        if kind.path == "members":
            self.pool["members"].append({"id": made["id"]})
        elif kind.path in ("listeners", "pools"):
            balancer[kind.path].append({"id": made["id"]})
        return as_json(201, {kind.name: self.seen(kind, made)})

    def delete_balanced(self, kind, one):
        query = dict(self.query)
        if set(query) - ({"cascade"} if kind.path == "loadbalancers" else set()):
            raise Refused(400, "BadRequest", "unknown query")
        if kind.path != "loadbalancers":
            self.hold(self.balancer_of(one))
        elif (one["listeners"] or one["pools"]) and query.get("cascade") != "true":
            raise Refused(400, "ValidationException", "Cannot delete Load Balancer - it has children")
        del self.things[kind.path][one["id"]]
        for owner in (*self.things["loadbalancers"].values(), *self.things["pools"].values()):
            for name in ("listeners", "pools", "members"):
                owner[name] = [i for i in owner.get(name, []) if i["id"] != one["id"]]
        return 204, {}, ""

    def changes(self):
        """What was asked for that is no look and no sign-in: "POST volumes"."""
        return [f"{r.method} {re.sub('^/(volume/v3/p1|network/v2.0|lb/v2/lbaas|compute/v2.1)/', '', r.path)}" for r in self.requests
                if r.method != "GET" and "/identity/" not in r.path]


HEAT_WORDS = {"create": "CREATE", "update": "UPDATE", "delete": "DELETE", "suspend": "SUSPEND", "resume": "RESUME"}


class HeatContract(OpenStackContract):
    """Heat: a template is JSON here: {"parameters": {name: {type, default}}, "resources": {name: {type}}, "outputs": {name: ...}}.
    Each look at a stack is a step: one resource is done, then the stack."""

    CATALOG = {**OpenStackContract.CATALOG, "orchestration": "/heat/v1/p1"}

    def __init__(self, **more):
        super().__init__(**more)
        self.stacks = {}

    def handle(self, request):
        if not request.path.startswith("/heat/v1/p1/"):
            return super().handle(request)
        self.part = "heat"
        if request.headers.get("X-Auth-Token") != "token-1":
            raise Refused(401, "Unauthorized", "no token")
        self.body, self.query = json.loads(request.body) if request.body else None, request.query
        parts = request.path.removeprefix("/heat/v1/p1/").split("/")
        if parts == ["stacks"] and request.method == "GET":
            return self.marked("stacks", [self.step(s) for s in self.stacks.values()], {"name": "stack_name", "id": "id"})
        if parts in (["stacks"], ["stacks", "preview"], ["validate"]) and request.method == "POST":
            return self.begin_stack(parts[-1])
        stack = self.stacks.get(parts[2]) if len(parts) > 2 else None
        if not stack or stack["stack_name"] != parts[1] or stack["stack_status"] == "DELETE_COMPLETE":
            raise Refused(404, "StackNotFound", f"The Stack ({'/'.join(parts[1:])}) could not be found.")
        return self.of_stack(request, stack, parts[3:])

    def marked(self, name, rows, filters):
        query = dict(self.query)
        if set(query) - set(filters) - {"limit", "marker"}:
            raise Refused(400, "BadRequest", f"unknown query {query}")
        rows = [r for r in rows if all(r[member] == query[f] for f, member in filters.items() if f in query)]
        if "marker" in query:
            rows = rows[[r["id"] for r in rows].index(query["marker"]) + 1:]
        limit = min(int(query.get("limit", 1000)), self.page_max)
        return as_json(200, {name: [{k: v for k, v in r.items() if k[0] != "_"} for r in rows[:limit]]})

    def read_template(self, text, given):
        try:
            template = json.loads(text)
            check(template, {"heat_template_version": TEXT, "description": TEXT, "resources": {"*": {"type": TEXT}},
                             "parameters": {"*": {"type": TEXT, "default": TEXT}}, "outputs": {"*": {"value": ANY, "description": TEXT}}}, "t")
        except (ValueError, AttributeError):
            raise Refused(400, "InvalidTemplate", "Template format version not found.") from None
        for name in given:
            if name not in template.get("parameters", {}):
                raise Refused(400, "UnknownUserParameter", f"The Parameter ({name}) was not defined in template.")
        for name, about in template.get("parameters", {}).items():
            if "default" not in about and name not in given:
                raise Refused(400, "UserParameterMissing", f"The Parameter ({name}) was not provided.")
        return template

    def begin_stack(self, what):
        shape = {"template": TEXT, "parameters": {"*": TEXT}, "environment": TEXT}
        if what != "validate":
            shape = {**shape, "stack_name": TEXT, "disable_rollback": FLAG, "timeout_mins": NUMBER}
        check(self.body, shape, "body")
        if what == "validate":
            template = self.read_template(self.body["template"], self.body.get("parameters", ()))
            return as_json(200, {"Description": template.get("description", ""), "Parameters": {
                n: {"Type": p["type"], "Default": p.get("default")} for n, p in template.get("parameters", {}).items()}})
        template = self.read_template(self.body["template"], self.body.get("parameters", {}))
        if what == "preview":
            return as_json(200, {"stack": {"resources": [{"resource_name": n, "resource_type": r["type"]}
                                                         for n, r in template["resources"].items()]}})
        if any(s["stack_name"] == self.body["stack_name"] and s["stack_status"] != "DELETE_COMPLETE" for s in self.stacks.values()):
            raise Refused(409, "StackExists", f"The Stack ({self.body['stack_name']}) already exists.")
        made = {"id": uid(), "stack_name": self.body["stack_name"], "description": template.get("description", ""), "outputs": [],
                "parameters": self.body.get("parameters", {}), "creation_time": "2026-11-23T10:00:00Z", "updated_time": None,
                "tags": None, "_template": template, "_events": [], "_left": []}
        self.stacks[made["id"]] = made
        self.last_body = self.body
        self.start(made, "create")
        return as_json(201, {"stack": {"id": made["id"], "links": []}})

    def event(self, stack, name, status, reason=""):
        stack["_events"].append({"id": uid(), "event_time": f"2026-11-23T10:00:{len(stack['_events']):02}Z", "resource_name": name,
                                 "resource_status": status, "resource_status_reason": reason})

    def start(self, stack, action):
        stack["stack_status"] = HEAT_WORDS[action] + "_IN_PROGRESS"
        stack["stack_status_reason"] = f"Stack {HEAT_WORDS[action]} started"
        stack["_left"] = list(stack["_template"]["resources"])
        self.event(stack, stack["stack_name"], stack["stack_status"])

    def step(self, stack):
        if not stack["stack_status"].endswith("_IN_PROGRESS"):
            return stack
        word = stack["stack_status"].split("_")[0]
        if stack["_left"]:
            name = stack["_left"].pop(0)
            is_bad = stack["_template"]["resources"][name]["type"] == "OS::Test::Broken" and word == "CREATE"
            self.event(stack, name, word + ("_FAILED" if is_bad else "_COMPLETE"), "it broke" if is_bad else "state changed")
            stack["_left"] = [] if is_bad else stack["_left"]
            if is_bad:
                stack.update(stack_status=word + "_FAILED", stack_status_reason="Resource CREATE failed: it broke")
            return stack
        stack.update(stack_status=word + "_COMPLETE", outputs=[{"output_key": n, "output_value": o["value"], "description": ""}
                                                              for n, o in stack["_template"].get("outputs", {}).items()])
        self.event(stack, stack["stack_name"], stack["stack_status"])
        return stack

    def of_stack(self, request, stack, parts):
        resources = [{"resource_name": n, "resource_type": r["type"], "physical_resource_id": f"id-{n}",
                      "resource_status": stack["stack_status"], "updated_time": "2026-11-23T10:00:00Z"}
                     for n, r in stack["_template"]["resources"].items()]
        if request.method == "GET" and not parts:
            return as_json(200, {"stack": {k: v for k, v in self.step(stack).items() if k[0] != "_"}})
        if request.method == "GET" and parts == ["resources"]:
            return as_json(200, {"resources": resources})
        if request.method == "GET" and parts == ["events"]:
            return self.marked("events", stack["_events"], {})
        if request.method == "GET" and parts == ["template"]:
            return as_json(200, stack["_template"])
        if request.method == "GET" and parts[0] == "resources":
            found = [r for r in resources if r["resource_name"] == parts[1]]
            if not found:
                raise Refused(404, "ResourceNotFound", f"The Resource ({parts[1]}) could not be found.")
            return as_json(200, {"resource": found[0]})
        if request.method == "DELETE" and not parts:
            self.start(stack, "delete")
            return 204, {}, ""
        if request.method == "PATCH" and not parts:
            check(self.body, {"template": TEXT, "parameters": {"*": TEXT}, "environment": TEXT}, "body")
            stack["parameters"].update(self.body.get("parameters", {}))
            if "template" in self.body:
                stack["_template"] = self.read_template(self.body["template"], stack["parameters"])
            self.start(stack, "update")
            return 202, {}, ""
        if request.method == "POST" and parts == ["actions"] and self.body in ({"suspend": None}, {"resume": None}):
            self.start(stack, next(iter(self.body)))
            return 202, {}, ""
        return self.no(request)
