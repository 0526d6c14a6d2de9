"""Purpose: an OpenStack for virtual machines to the letter: Keystone, Nova (microversion 2.47), Glance, the networks of
Neutron, and Designate (dns_contract.py). Members, parameters and values that the description does not have are refused, and so are
wrong credentials; pages are as small as asked for; states pass slowly (each look is one step).

    docs.openstack.org/api-ref/compute, /image/v2, /network/v2, /identity/v3, read 2026-11
"""

import base64
import itertools
import json
import re
import urllib.parse
import uuid

import known_secrets
from contract import Refused, as_json
from dns_contract import DesignateContract

PREFIXES = {"compute": "/compute/v2.1", "image": "/image", "network": "/network", "dns": "/dns"}
APP_ID, APP_SECRET = "0a0b0c0d0e0f40008000000000000001", known_secrets.INFOMANIAK
CREATE = {"name": str, "imageRef": str, "flavorRef": str, "key_name": str, "availability_zone": str, "metadata": dict,
          "user_data": str, "networks": (str, list), "security_groups": list, "block_device_mapping_v2": list, "config_drive": bool,
          "description": str, "adminPass": str, "min_count": int, "max_count": int}
DISK = {"uuid", "source_type", "destination_type", "boot_index", "delete_on_termination", "volume_size", "device_name",
        "volume_type", "tag"}
FAULTS = {400: "badRequest", 403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest", 401: "unauthorized"}


def is_uuid(text):
    return bool(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text))


class NovaContract(DesignateContract):
    def __init__(self, slow=1, page_max=1000):
        super().__init__(slow, page_max)
        numbers = itertools.count(1)
        self.servers, self.keys, self.bodies = {}, {}, []
        self.images = {}
        for name, status in (("debian-12", "active"), ("debian-13", "active"), ("twin", "active"), ("twin", "queued")):
            image = {"id": str(uuid.UUID(int=next(numbers) << 64)), "name": name, "status": status, "owner": "p1", "size": 123,
                     "min_disk": 8, "hw_architecture": "x86_64", "os_distro": "debian", "created_at": "2026-01-02T03:04:05Z",
                     "visibility": "public", "disk_format": "raw"}
            self.images[image["id"]] = image
        self.flavors = {}
        for name, cpus in (("a1-small", 1), ("a4.big+", 4), ("huge", 64)):
            flavor = {"id": str(uuid.UUID(int=next(numbers) << 64)), "name": name, "vcpus": cpus, "ram": 1024 * cpus, "disk": 20}
            self.flavors[flavor["id"]] = flavor
        self.networks = {"net-front": str(uuid.UUID(int=99 << 64)), "net-back": str(uuid.UUID(int=98 << 64))}

    @property
    def infomaniak(self):
        """The variables of Infomaniak's public cloud."""
        return {"INFOMANIAK_APP_CREDENTIAL_ID": APP_ID, "INFOMANIAK_APP_CREDENTIAL_SECRET": APP_SECRET,
                "INFOMANIAK_AUTH_URL": self.endpoint + "/identity/v3/"}

    # ---- the frame ----

    def sign_in(self):
        identity = json.loads(self.request.body)["auth"]["identity"]
        if identity["methods"] == ["application_credential"]:
            is_good = identity["application_credential"] == {"id": APP_ID, "secret": APP_SECRET}
        else:
            is_good = identity["password"]["user"] == {"name": "me", "password": known_secrets.OPENSTACK, "domain": {"name": "Default"}}
        if not is_good:
            raise Refused(401, "Unauthorized", "The request you have made requires authentication.")
        catalog = [{"type": kind, "name": kind, "endpoints": [
            {"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": self.endpoint + prefix}]}
            for kind, prefix in PREFIXES.items()]
        token = {"expires_at": "2099-01-01T00:00:00.000000Z", "project": {"id": "p1", "name": "p"}, "user": {"id": "u1"},
                 "catalog": catalog, "methods": identity["methods"]}
        return as_json(201, {"token": token}, **{"X-Subject-Token": "token-1"})

    def handle(self, request):
        self.request = request
        self.is_nova = request.path.startswith(PREFIXES["compute"] + "/")
        others = ("/identity/", "/dns/")
        if request.path.startswith(others):
            return super().handle(request)
        if request.headers.get("X-Auth-Token") != "token-1":
            raise Refused(401, "unauthorized", "no token")
        if self.is_nova and request.headers.get("OpenStack-API-Version") != "compute 2.47":
            raise Refused(406, "computeFault", "Version is not supported by the API")
        self.query, self.body = dict(request.query), json.loads(request.body) if request.body else None
        for service, route in (("compute", self.nova), ("image", self.glance), ("network", self.neutron)):
            if request.path.startswith(PREFIXES[service] + "/"):
                path = request.path[len(PREFIXES[service]) + 1:]
                return route(request.method, [urllib.parse.unquote(p) for p in path.split("/")])
        raise Refused(404, "itemNotFound", request.path)

    def refuse(self, e):
        if not getattr(self, "is_nova", False):
            return super().refuse(e)
        body = {FAULTS.get(e.status, "computeFault"): {"code": e.status, "message": e.message}}
        return as_json(e.status, body, **{"X-Openstack-Request-Id": "req-of-nova"})

    def allow(self, *names):
        for name in self.query:
            if name not in names:
                raise Refused(400, "badRequest", f"Additional properties are not allowed ('{name}' was unexpected)")

    def pages(self, key, things, path, **more):
        """Nova's: a list of links where more follows."""
        if "limit" in self.query and not 0 <= int(self.query["limit"]) <= 1000:
            raise Refused(400, "badRequest", "limit")
        names = [t["id"] for t in things]
        start = 0
        if "marker" in self.query:
            if self.query["marker"] not in names:
                raise Refused(400, "badRequest", f"marker [{self.query['marker']}] not found")
            start = names.index(self.query["marker"]) + 1
        limit = min(int(self.query.get("limit", 1000)), self.page_max)
        page = things[start:start + limit]
        answer = {key: [more.get("show", dict)(t) for t in page]}
        if start + limit < len(things):
            rest = urllib.parse.urlencode({**self.query, "limit": limit, "marker": page[-1]["id"]})
            answer[key + "_links"] = [{"rel": "next", "href": f"{self.endpoint}{PREFIXES['compute']}/{path}?{rest}"}]
        return as_json(200, answer)

    # ---- Nova ----

    def nova(self, method, parts):
        route = {("GET", "servers", 1): self.list_servers, ("GET", "servers", 2): self.get_server,
                 ("POST", "servers", 1): self.make_server, ("DELETE", "servers", 2): self.delete_server,
                 ("POST", "servers", 3): self.act, ("GET", "flavors", 1): self.list_flavors, ("GET", "flavors", 2): self.list_flavors,
                 ("GET", "os-keypairs", 1): self.list_keys, ("POST", "os-keypairs", 1): self.make_key,
                 ("DELETE", "os-keypairs", 2): self.delete_key, ("GET", "os-availability-zone", 1): self.list_zones,
                 }.get((method, parts[0], len(parts)))
        if parts == ["servers", "detail"]:
            route = self.list_servers
        if not route:
            raise Refused(404, "itemNotFound", "The resource could not be found.")
        return route(parts)

    def list_servers(self, parts):
        self.allow("limit", "marker", "name", "status", "sort_key", "sort_dir")
        try:
            pattern = re.compile(self.query.get("name", ""))
        except re.error:
            raise Refused(500, "computeFault", "Unexpected API Error.") from None
        chosen = [s for s in self.servers.values() if pattern.search(s["name"])]
        if parts[1:]:
            return self.pages("servers", chosen, "servers/detail", show=self.shown)
        return self.pages("servers", chosen, "servers", show=lambda s: {"id": s["id"], "name": s["name"], "links": []})

    def shown(self, server):
        """As it stands; then one step further."""
        seen = {k: v for k, v in server.items() if k not in ("looks", "then")}
        if server["then"] is not None:
            server["looks"] += 1
            if server["looks"] > self.slow:
                if server["then"] == "gone":
                    self.servers.pop(server["id"], None)
                else:
                    server.update({"status": server["then"], "OS-EXT-STS:task_state": None, "then": None})
        return seen

    def find(self, name):
        if name not in self.servers:
            raise Refused(404, "itemNotFound", f"Instance {name} could not be found.")
        return self.servers[name]

    def get_server(self, parts):
        self.allow()
        return as_json(200, {"server": self.shown(self.find(parts[1]))})

    def checked_server(self):
        if set(self.body) != {"server"}:
            raise Refused(400, "badRequest", "Additional properties are not allowed")
        made = self.body["server"]
        for name, value in made.items():
            if name not in CREATE or not isinstance(value, CREATE[name]):
                raise Refused(400, "badRequest", f"Invalid input for field/attribute {name}")
        for name in ("name", "flavorRef", "networks"):
            if name not in made:
                raise Refused(400, "badRequest", f"'{name}' is a required property")
        for disk in made.get("block_device_mapping_v2", []):
            if set(disk) - DISK or disk["uuid"] not in self.images:
                raise Refused(400, "badRequest", "Invalid input for field/attribute block_device_mapping_v2")
        if ("imageRef" in made) == ("block_device_mapping_v2" in made):
            raise Refused(400, "badRequest", "Invalid imageRef provided.")
        if "imageRef" in made and made["imageRef"] not in self.images:
            raise Refused(400, "badRequest", "Can not find requested image")
        if made["flavorRef"] not in self.flavors:
            raise Refused(400, "badRequest", f"Flavor {made['flavorRef']} could not be found.")
        if "key_name" in made and made["key_name"] not in self.keys:
            raise Refused(400, "badRequest", "Invalid key_name provided.")
        if made.get("availability_zone", "nova") != "nova":
            raise Refused(400, "badRequest", "The requested availability zone is not available")
        networks = made["networks"]
        if networks not in ("auto", "none") and (isinstance(networks, str) or any(
                set(n) != {"uuid"} or n["uuid"] not in self.networks.values() for n in networks)):
            raise Refused(400, "badRequest", "Invalid input for field/attribute networks")
        if any(set(g) != {"name"} or g["name"] not in ("default", "web") for g in made.get("security_groups", [])):
            raise Refused(400, "badRequest", "Security group not found for project")
        for key, value in made.get("metadata", {}).items():
            if not isinstance(value, str) or len(value) > 255 or len(key) > 255:
                raise Refused(400, "badRequest", "Invalid input for field/attribute metadata")
        base64.b64decode(made.get("user_data", ""), validate=True)
        return made

    def make_server(self, _parts):
        asked = self.checked_server()
        flavor = self.flavors[asked["flavorRef"]]
        if flavor["name"] == "huge":
            raise Refused(403, "forbidden", "Quota exceeded for cores: Requested 64, but already used 0 of 16 cores")
        self.bodies.append(asked)
        made = {"id": str(uuid.uuid4()), "name": asked["name"], "status": "BUILD", "OS-EXT-STS:task_state": "spawning",
                "flavor": {"original_name": flavor["name"], "vcpus": flavor["vcpus"], "ram": flavor["ram"], "disk": 20},
                "image": {"id": asked["imageRef"], "links": []} if "imageRef" in asked else "",
                "OS-EXT-AZ:availability_zone": asked.get("availability_zone", "nova"), "key_name": asked.get("key_name"),
                "created": "2026-11-23T10:00:00Z", "metadata": asked.get("metadata", {}),
                "addresses": {"n": [{"addr": "192.0.2.9", "version": 4, "OS-EXT-IPS:type": "floating"},
                                    {"addr": "10.0.0.9", "version": 4, "OS-EXT-IPS:type": "fixed"}]},
                "looks": 0, "then": "ACTIVE"}
        self.servers[made["id"]] = made
        return as_json(202, {"server": {"id": made["id"], "links": [], "adminPass": "x", "security_groups": []}})

    def delete_server(self, parts):
        self.find(parts[1]).update({"OS-EXT-STS:task_state": "deleting", "looks": 0, "then": "gone"})
        return 204, {}, ""

    def act(self, parts):
        server = self.find(parts[1])
        if parts[2] != "action" or len(self.body) != 1:
            raise Refused(400, "badRequest", "There is no such action")
        name, value = next(iter(self.body.items()))
        if name == "os-getConsoleOutput":
            lines = ["one", "two", "three"]
            if set(value) - {"length"} or not isinstance(value.get("length", 1), int):
                raise Refused(400, "badRequest", "Invalid input for field/attribute length")
            return as_json(200, {"output": "".join(line + "\n" for line in lines[-value.get("length", 3):])})
        known = {"os-start": (("SHUTOFF",), None, "powering-on", "ACTIVE"), "os-stop": (("ACTIVE",), None, "powering-off", "SHUTOFF")}
        if name == "reboot" and set(value) == {"type"} and value["type"] in ("SOFT", "HARD"):
            is_hard = value["type"] == "HARD"
            known["reboot"] = (("ACTIVE", "SHUTOFF") if is_hard else ("ACTIVE",), "HARD_REBOOT" if is_hard else "REBOOT",
                               "rebooting_hard" if is_hard else "rebooting", "ACTIVE")
        if name not in known or (name != "reboot" and value is not None):
            raise Refused(400, "badRequest", f"There is no such action: {name}")
        allowed, status, task, then = known[name]
        if server["status"] not in allowed or server["OS-EXT-STS:task_state"]:
            raise Refused(409, "conflictingRequest", f"Cannot '{name}' instance {server['id']} while it is in vm_state "
                          f"{server['status'].lower()}")
        server.update({"status": status or server["status"], "OS-EXT-STS:task_state": task, "looks": 0, "then": then})
        return 202, {}, ""

    def list_flavors(self, parts):
        self.allow("limit", "marker", "name", "is_public", "minRam", "minDisk")
        return self.pages("flavors", list(self.flavors.values()), "/".join(parts))

    def list_keys(self, _parts):
        self.allow("limit", "marker")
        return self.pages("keypairs", [{**k, "id": k["name"]} for k in self.keys.values()], "os-keypairs",
                          show=lambda k: {"keypair": {n: v for n, v in k.items() if n != "id"}})

    def make_key(self, _parts):
        asked = self.body["keypair"]
        if set(self.body) != {"keypair"} or set(asked) - {"name", "public_key", "type", "user_id"} or "name" not in asked:
            raise Refused(400, "badRequest", "Additional properties are not allowed")
        if asked["name"] in self.keys:
            raise Refused(409, "conflictingRequest", f"Key pair '{asked['name']}' already exists.")
        if "public_key" in asked and not asked["public_key"].startswith("ssh-"):
            raise Refused(400, "badRequest", "Keypair data is invalid: failed to generate fingerprint")
        made = {"name": asked["name"], "type": "ssh", "fingerprint": "00:11", "public_key": asked.get("public_key", "ssh-rsa AAAA made")}
        self.keys[asked["name"]] = made
        private = {} if "public_key" in asked else {"private_key": "-----BEGIN RSA PRIVATE KEY-----\nx\n"}
        return as_json(201, {"keypair": {**made, **private, "user_id": "u1"}})

    def delete_key(self, parts):
        if self.keys.pop(parts[1], None) is None:
            raise Refused(404, "itemNotFound", f"Keypair {parts[1]} not found for user u1")
        return 204, {}, ""

    def list_zones(self, _parts):
        self.allow()
        return as_json(200, {"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": True}, "hosts": None},
                                                      {"zoneName": "dark", "zoneState": {"available": False}, "hosts": None}]})

    # ---- Glance and Neutron ----

    def glance(self, method, parts):
        if parts[:2] != ["v2", "images"] or method != "GET":
            raise Refused(404, "not_found", "no such path")
        if parts[2:]:
            if parts[2] not in self.images:
                raise Refused(404, "not_found", f"No image found with ID {parts[2]}")
            return as_json(200, self.images[parts[2]])
        self.allow("limit", "marker", "name", "owner", "status", "visibility", "sort_key", "sort_dir")
        chosen = [i for i in self.images.values() if all(i[k] == self.query[k] for k in ("name", "owner") if k in self.query)]
        names = [i["id"] for i in chosen]
        if self.query.get("marker", names[0] if names else "") not in names and "marker" in self.query:
            raise Refused(400, "bad_request", "Invalid marker")
        start = names.index(self.query["marker"]) + 1 if "marker" in self.query else 0
        limit = min(int(self.query.get("limit", 25)), self.page_max)
        answer = {"images": chosen[start:start + limit], "first": "/v2/images", "schema": "/v2/schemas/images"}
        if start + limit < len(chosen):  # it does not know what stands before it in the path
            rest = urllib.parse.urlencode({**self.query, "marker": names[start + limit - 1]})
            answer["next"] = f"/v2/images?{rest}"
        return as_json(200, answer)

    def neutron(self, method, parts):
        if parts != ["v2.0", "networks"] or method != "GET":
            raise Refused(404, "HTTPNotFound", "The resource could not be found.")
        self.allow("limit", "marker", "name", "fields")
        return as_json(200, {"networks": [{"id": i, "name": n} for n, i in self.networks.items()
                                          if self.query.get("name", n) == n]})
