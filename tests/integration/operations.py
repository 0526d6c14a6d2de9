"""Purpose: which operations each provider must have an answer to, and the walks that ask for them one after the other.

A cell is an operation at a provider. It works against the provider's server, or says `not supported by PROVIDER` and exits 1; there
is no third way. test_operations.py makes the tables of docs/operations.md of it.
"""

import json

# What each section must have, row by row, in the order of the walk: the operation, and how it is told apart from
# others of its name.
COMPUTE = ("zones list", "images list", "images get", "flavors list", "keypairs create", "keypairs list", "instances create",
           "instances list", "instances get", "instances console", "instances stop", "instances start", "instances reboot --mode soft",
           "instances reboot --mode hard", "instances delete", "keypairs delete")
DNS = ("dns zones create", "dns zones list", "dns zones get", "dns zones update", "dns records create", "dns records list",
       "dns records get", "dns records update", "dns records set", "dns zones export", "dns zones plan", "dns zones apply",
       "dns records delete", "dns zones delete", "dns ptrs list", "dns ptrs get", "dns ptrs set", "dns ptrs delete")
STORAGE = ("buckets create", "buckets list", "buckets exists", "buckets ensure", "objects upload", "objects list", "objects get",
           "objects download", "objects copy", "objects metadata set", "presign get", "presign put", "buckets versioning set",
           "buckets versioning get", "objects versions", "buckets policy set", "buckets policy get", "buckets policy delete",
           "buckets acl set", "buckets acl get", "objects delete", "objects delete-batch", "buckets delete")
# Those that come in pages: asked for again with a page of one thing.
LISTS = ("zones list", "images list", "flavors list", "keypairs list", "instances list", "dns zones list", "dns records list",
         "dns ptrs list", "objects list", "objects versions")
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1fzKqQ3bVJdG4rTrkPq0dJ3l9n1cVJkq0cYQ2vJ0aR me@home"
ZONE_FILE = "$TTL 300\n@ MX 10 mail\nmail A 192.0.2.1\n"


class Walk:
    """One provider: `run` calls the command with --output json and gives .code, .out and .err."""

    def __init__(self, run, name):
        self.run, self.name, self.cells = run, name, {}

    def do(self, row, *arguments, check=None):
        """The row's operation; check looks at its result. False when it is not supported."""
        limit = ("--timeout", "120s") if "--wait" in arguments else ()
        done = self.run(*row.split(), *map(str, arguments), *limit)
        says = f"not supported by {self.name}"
        if done.code == 0:
            result = json.loads(done.out) if done.out.strip() else None
            assert check is None or check(result), f"{self.name}: {row}: {result}"
        else:
            told = json.loads(done.err.strip().splitlines()[-1])
            message = told["message"] + (f" ({told['hint']})" if told["hint"] else "")
            assert done.code == 1 and says in message and told["provider"] == self.name, f"{self.name}: {row}: {done.code}: {done.err}"
            operation = ".".join(w for w in row.split(" --")[0].split())
            assert message.startswith(f"{operation}: {says}"), message
        if done.code == 0 and row in LISTS:
            self.page_by_page(row, arguments, result)
        self.cells[row] = done.code == 0
        return done.code == 0

    def page_by_page(self, row, arguments, whole):
        """A list is the same when each page holds one thing; and what was asked for is more than a page."""
        pages = json.loads(self.run(*row.split(), *map(str, arguments), "--page-size", "1").out)

        def names(result):
            return [(i.get("id"), i.get("name"), i.get("key"), i.get("type"), i.get("version_id")) for i in result["items"]]

        assert names(pages) == names(whole) and len(set(names(whole))) == whole["count"] >= 2, f"{self.name}: {row}: {whole} {pages}"


    def need(self, *arguments):
        """What must work that is not looked at here."""
        done = self.run(*map(str, arguments))
        assert done.code == 0, f"{self.name}: {arguments}: {done.err}"


def items(count):
    return lambda result: len(result["items"]) == result["count"] >= count


def named(name):
    return lambda result: name in [i["name"] for i in result["items"]]


def is_status(word):
    return lambda result: result["status"] == word


def compute(walk, image, flavor, key_file, *more):
    """An instance, a key and what they need, from the beginning to the end."""
    walk.do("zones list", check=items(1))
    walk.do("images list", check=items(1))
    walk.do("images get", image, check=lambda r: r["id"])
    walk.do("flavors list", check=items(1))
    walk.do("keypairs create", "pair", "--public-key", key_file, check=lambda r: r["name"] == "pair")
    for name in ("spare", "third"):
        walk.need("keypairs", "create", name, "--public-key", key_file)
    walk.do("keypairs list", check=named("pair"))
    walk.do("instances create", "vm", "--image", image, "--flavor", flavor, "--keypair", "pair", "--wait", *more,
            check=is_status("running"))
    for name in ("vm2", "vm3"):
        walk.need("instances", "create", name, "--image", image, "--flavor", flavor, "--keypair", "spare", "--wait", *more)
    walk.do("instances list", check=named("vm"))
    walk.do("instances get", "vm", check=is_status("running"))
    walk.do("instances console", "vm", "--lines", 1, check=lambda r: r["output"].count("\n") == 1)
    walk.do("instances stop", "vm", "--wait", check=is_status("stopped"))
    walk.do("instances start", "vm", "--wait", check=is_status("running"))
    walk.do("instances reboot --mode soft", "vm", "--wait", check=is_status("running"))
    walk.do("instances reboot --mode hard", "vm", "--wait", check=is_status("running"))
    walk.do("instances delete", "vm", "--yes", "--wait")
    walk.do("keypairs delete", "pair", "--yes")
    left = walk.run("instances", "get", "vm")
    assert left.code == 3, left.err


def dns(walk, zone, second, zone_file, *more):
    """A zone and its records, from the beginning to the end; then reverse names."""
    walk.do("dns zones create", zone, "--wait", *more, check=is_status("active"))
    walk.need("dns", "zones", "create", second, "--wait", *more)
    walk.do("dns zones list", check=named(zone))
    walk.need("dns", "zones", "delete", second, "--yes")
    walk.do("dns zones get", zone, check=lambda r: r["name"] == zone)
    walk.do("dns zones update", zone, "--description", "new", check=lambda r: r["name"] == zone)
    values = {"A": ["192.0.2.7"], "MX": ["10 mail.example.net"]}
    walk.do("dns records create", zone, "www", "A", *values["A"], "--ttl", 600, "--wait", check=lambda r: r["values"] == values["A"])
    walk.need("dns", "records", "set", zone, "other", "A", "192.0.2.9")
    walk.do("dns records list", zone, check=named("www." + zone))
    walk.do("dns records get", zone, "www", "A", check=lambda r: (r["values"], r["ttl"]) == (values["A"], 600))
    walk.do("dns records update", zone, "www", "A", "192.0.2.8", check=lambda r: r["values"] == ["192.0.2.8"])
    walk.do("dns records set", zone, "@", "MX", *values["MX"], check=lambda r: r["values"] == values["MX"])
    walk.do("dns zones export", zone, check=lambda r: "192.0.2.8" in r["text"])
    plan = {}
    walk.do("dns zones plan", zone, zone_file, check=lambda r: plan.update(r) or (len(r["adds"]), len(r["deletes"])) == (1, 2))
    walk.do("dns zones apply", zone, zone_file, "--plan-id", plan["plan_id"], "--force", "--yes", "--wait",
            check=lambda r: r["applied"] == len(plan["adds"]) + len(plan["changes"]) + len(plan["deletes"]))
    walk.do("dns records delete", zone, "mail", "A", "--yes")
    assert walk.run("dns", "records", "get", zone, "mail", "A").code == 3
    walk.do("dns zones delete", zone, "--yes", "--wait")
    assert walk.run("dns", "zones", "get", zone).code == 3
    walk.do("dns ptrs list", check=items(1))
    walk.do("dns ptrs set", "192.0.2.2", "host.example.org", "--wait", check=lambda r: r["name"] == "host.example.org")
    walk.do("dns ptrs get", "192.0.2.2", check=lambda r: r["name"] == "host.example.org")
    walk.do("dns ptrs delete", "192.0.2.2", "--yes", "--wait")


def storage(walk, bucket, place):
    """A bucket and an object, from the beginning to the end. place: a directory for files."""
    top = f"/{walk.name}/{bucket}"
    (place / "file").write_bytes(b"content")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policies = {"gcs": {"bindings": [{"role": "roles/storage.objectViewer", "members": ["allUsers"]}]},
                "swift": {"read": ".r:*", "write": ""}, "infomaniak-swift": {"read": ".r:*", "write": ""}}
    (place / "policy").write_text(json.dumps(policies.get(walk.name, {"Version": "2012-10-17", "Statement": [statement]})))
    walk.do("buckets create", top)
    walk.do("buckets list", f"/{walk.name}", check=named(bucket))
    walk.do("buckets exists", top, check=lambda r: r["exists"] is True)
    walk.do("buckets ensure", top, check=lambda r: r["created"] is False)
    walk.do("objects upload", place / "file", top + "/d/k", check=items(1))
    for name in ("a", "e"):
        walk.need("objects", "upload", place / "file", f"{top}/{name}")
    walk.do("objects list", top, check=lambda r: [o["key"] for o in r["items"]] == ["a", "d/k", "e"])
    walk.do("objects get", top + "/d/k", check=lambda r: r["size"] == 7)
    walk.do("objects download", top + "/d/k", place / "back",
            check=lambda _: (place / "back").read_bytes() == b"content")
    walk.do("objects copy", top + "/d/k", top + "/copy")
    walk.do("objects metadata set", top + "/copy", "colour=red")
    walk.do("presign get", top + "/copy", check=lambda r: r["url"].startswith("http"))
    walk.do("presign put", top + "/new", check=lambda r: r["url"].startswith("http"))
    walk.do("buckets policy set", top, "--policy", f"@{place / 'policy'}")
    walk.do("buckets policy get", top)
    walk.do("buckets policy delete", top, "--yes")
    walk.do("buckets acl set", top, "--read", ".r:*")
    walk.do("buckets acl get", top, check=lambda r: r["read"] == ".r:*")
    walk.do("objects delete", top + "/copy", "--yes")
    walk.do("objects versions", top, check=items(3))
    walk.do("objects delete-batch", top, "a", "d/k", "e", "gone", "--yes", check=lambda r: r["deleted"] == 4)
    if walk.do("buckets versioning set", top, "on"):
        walk.run("buckets", "versioning", "set", top, "off")
    walk.do("buckets versioning get", top)
    walk.do("buckets delete", top, "--yes")


def table(rows, walks):
    """In Markdown: a row an operation, a column a provider."""
    width = max(len(r) for r in rows) + 2
    lines = [f"| {'operation':{width}} | " + " | ".join(w.name for w in walks) + " |",
             f"| {'-' * width} |" + "|".join(" " + "-" * len(w.name) + " " for w in walks) + "|"]
    for row in rows:
        cells = " | ".join(f"{'yes' if w.cells[row] else '–':{len(w.name)}}" for w in walks)
        lines.append(f"| {'`' + row + '`':{width}} | {cells} |")
    return "\n".join(lines) + "\n"
