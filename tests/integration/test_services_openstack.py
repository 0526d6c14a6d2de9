"""Volumes, networks and load balancers through the command line: a contract server of our own, made of OpenStack's description;
identity against a real Keystone."""

import pytest

from cli import Cli
from openstack_contract import OpenStackContract


@pytest.fixture
def server():
    with OpenStackContract() as made:
        yield made


@pytest.fixture
def cli(server):
    with Cli(server.environment) as made:
        yield made


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


def test_a_volume_from_its_creation_to_its_end(cli, server):
    made = cli("volumes", "create", "data", "10", "--type", "ssd", "--image", "debian-12", "--description", "d", "--tag", "env=test",
               "--wait").json
    assert (made["name"], made["status"], made["size_gb"], made["type"], made["tags"]) == ("data", "available", 10, "ssd", {"env": "test"})
    assert cli("volumes", "get", "data").json == cli("volumes", "get", made["id"]).json == made
    assert cli("volumes", "extend", "data", "20", "--wait").json["size_gb"] == 20
    refused(cli("volumes", "extend", "data", "20"), 2, "greater than current")
    attached = cli("volumes", "attach", "data", "web1", "--wait").json
    web1 = next(s["id"] for s in server.things["servers"].values() if s["name"] == "web1")
    assert (attached["status"], attached["attached_to"]) == ("in-use", [web1])
    refused(cli("volumes", "delete", "data", "--yes"), 2, "status must be")
    assert cli("volumes", "detach", "data", "--wait").json["status"] == "available"
    refused(cli("volumes", "detach", "data"), 6, "no instance has the volume")
    cli("volumes", "attach", "data", "a+b", "--wait").json  # no pattern
    cli("volumes", "detach", "data", "--wait").json
    server.requests.clear()
    assert cli("volumes", "delete", "data", "--yes", "--wait").code == 0
    assert server.changes() == ["DELETE volumes/" + made["id"]]
    refused(cli("volumes", "get", "data"), 3, "there is no volume 'data'")
    refused(cli("volumes", "create", "broken", "1", "--wait"), 6, "it became 'error'")
    refused(cli("volumes", "create", "huge", "501"), 7, "quota")


def test_snapshots_and_backups(cli, server):
    cli("volumes", "create", "data", "10", "--wait").json
    taken = cli("snapshots", "create", "monday", "--volume", "data", "--tag", "a=b", "--wait").json
    assert (taken["status"], taken["size_gb"], taken["tags"]) == ("available", 10, {"a": "b"})
    refused(cli("volumes", "delete", "data", "--yes"), 2, "in use")
    copy = cli("volumes", "create", "copy", "10", "--snapshot", "monday", "--wait").json
    assert copy["snapshot"] == taken["id"]
    assert cli("snapshots", "delete", "monday", "--yes", "--wait").code == 0 and cli("snapshots", "list").items == []
    refused(cli("backups", "create", "b0", "--volume", "data", "--incremental"), 2, "incremental")
    made = cli("backups", "create", "b1", "--volume", "data", "--wait").json
    assert (made["name"], made["status"], made["incremental"]) == ("b1", "available", False)
    assert cli("backups", "create", "b2", "--volume", "data", "--incremental", "--wait").json["incremental"] is True
    new = cli("backups", "restore", "b1", "--name", "again", "--yes", "--wait").json
    assert (new["name"], new["status"], new["size_gb"]) == ("again", "available", 10)
    assert cli("backups", "restore", "b1", "--yes", "--wait").json["name"].startswith("restore_backup_")
    over = cli("backups", "restore", "b1", "--volume", "copy", "--yes", "--wait").json
    assert over["id"] == copy["id"]
    server.requests.clear()
    refused(cli("backups", "restore", "b1", "--volume", "copy", "--name", "x", "--yes"), 2, "exclude each other")
    assert server.requests == []
    assert cli("backups", "delete", "b2", "--yes").code == 0 and [b["name"] for b in cli("backups", "list").items] == ["b1"]


def test_a_network_with_all_that_belongs_to_it(cli, server):
    net = cli("networks", "create", "office", "--mtu", "1400", "--description", "d").json
    assert (net["name"], net["status"], net["external"], net["mtu"]) == ("office", "active", False, 1400)
    front = cli("subnets", "create", "front", "--network", "office", "--cidr", "10.1.0.0/24", "--dns", "192.0.2.53", "--no-dhcp").json
    assert (front["gateway"], front["dhcp"], front["dns"], front["pools"]) == ("10.1.0.1", False, ["192.0.2.53"],
                                                                              ["10.1.0.2-10.1.0.254"])
    assert cli("subnets", "create", "six", "--network", "office", "--cidr", "2001:db8::/64", "--no-gateway").json["gateway"] is None
    assert server.last_body["ip_version"] == 6
    refused(cli("subnets", "create", "x", "--network", "office", "--cidr", "10.1.0.0/25"), 2, "overlaps")
    assert {s["name"] for s in cli("subnets", "list", "--network", "office").items} == {"front", "six"}
    assert cli("networks", "get", "office").json["subnets"] == [front["id"], cli("subnets", "get", "six").json["id"]]
    group = cli("security-groups", "create", "web").json
    port = cli("ports", "create", "p1", "--network", "office", "--subnet", "front", "--address", "10.1.0.9", "--security-group", "web").json
    assert (port["addresses"], port["subnets"], port["security_groups"]) == (["10.1.0.9"], [front["id"]], [group["id"]])
    assert [p["name"] for p in cli("ports", "list", "--network", "office").items] == ["p1"]
    router = cli("routers", "create", "r1", "--external-network", "public").json
    assert (router["external_network"], router["addresses"], router["snat"]) == (server.public, ["192.0.2.99"], True)
    refused(cli("routers", "create", "r2", "--external-network", "office"), 2, "not an external")
    joined = cli("routers", "interfaces", "add", "r1", "front").json
    assert (joined["owner"], joined["device"], joined["addresses"]) == ("network:router_interface", router["id"], ["10.1.0.1"])
    assert [i["id"] for i in cli("routers", "interfaces", "list", "r1").items] == [joined["id"]]
    refused(cli("routers", "delete", "r1", "--yes"), 6, "still has ports")
    assert cli("routers", "interfaces", "remove", "r1", "front", "--yes").code == 0
    refused(cli("routers", "interfaces", "remove", "r1", "front", "--yes"), 3, "no interface")
    refused(cli("networks", "delete", "office", "--yes"), 6, "in use")
    for what, name in (("routers", "r1"), ("ports", "p1"), ("subnets", "front"), ("subnets", "six"), ("networks", "office")):
        assert cli(what, "delete", name, "--yes").code == 0
        assert cli(what, "get", name).code == 3


def test_security_groups_and_their_rules(cli, server):
    web = cli("security-groups", "create", "web", "--description", "d").json
    cli("security-groups", "create", "db").json
    rules = ("security-groups", "rules")
    made = cli(*rules, "create", "web", "--protocol", "tcp", "--ports", "443").json
    assert (made["direction"], made["protocol"], made["ports"], made["remote"], made["group"]) == ("ingress", "tcp", "443", None, web["id"])
    span = cli(*rules, "create", "web", "--protocol", "udp", "--ports", "8000-8080", "--cidr", "2001:db8::/32", "--direction", "egress").json
    assert (span["ports"], span["remote"], span["ip_version"], span["direction"]) == ("8000-8080", ["2001:db8::/32"], 6, "egress")
    inner = cli(*rules, "create", "db", "--protocol", "any", "--remote-group", "web").json
    assert (inner["protocol"], inner["remote_group"]) == ("any", web["id"])
    refused(cli(*rules, "create", "web", "--protocol", "tcp", "--ports", "443"), 6, "already exists")
    assert len(cli(*rules, "list", "web").items) == 3 and len(cli(*rules, "list").items) == 5
    refused(cli("security-groups", "delete", "web", "--yes"), 6, "in use")
    refused(cli(*rules, "create", "web", "--action", "deny"), 1, "'action' is not supported by openstack")
    for rule in (made, span, inner):
        assert cli(*rules, "delete", rule["id"], "--yes").code == 0
    assert cli("security-groups", "delete", "web", "--yes").code == 0


def test_floating_addresses(cli, server):
    ip = cli("floating-ips", "allocate", "--description", "d").json
    assert (ip["status"], ip["network"], ip["port"]) == ("available", server.public, None)
    used = cli("floating-ips", "associate", ip["address"], "web1", "--wait").json
    web1 = next(s["id"] for s in server.things["servers"].values() if s["name"] == "web1")
    assert (used["status"], used["instance"], used["fixed_address"]) == ("in-use", web1, "10.0.0.10")
    free = cli("floating-ips", "disassociate", ip["id"]).json
    assert (free["status"], free["instance"], free["port"]) == ("available", None, None)
    port = next(p for p in server.things["ports"].values() if p["device_id"] != web1)
    assert cli("floating-ips", "associate", ip["address"], "--port", port["id"]).json["port"] == port["id"]
    server.add("ports", device_id=web1, device_owner="compute:nova", name="second", network_id="n", fixed_ips=[])
    refused(cli("floating-ips", "associate", ip["address"], "web1"), 6, "has 2 ports")
    server.add("networks", name="other", **{"router:external": True})
    refused(cli("floating-ips", "allocate"), 6, "2 external networks")
    assert cli("floating-ips", "allocate", "--network", "public").code == 0
    assert cli("floating-ips", "release", ip["address"], "--yes").code == 0
    refused(cli("floating-ips", "get", ip["address"]), 3, "no floating address")


def test_a_load_balancer_with_all_its_parts(cli, server):
    cli("networks", "create", "office").json
    cli("subnets", "create", "front", "--network", "office", "--cidr", "10.1.0.0/24").json
    lb = cli("load-balancers", "create", "web", "--subnet", "front", "--wait").json
    assert (lb["status"], lb["operating"], lb["driver"]) == ("active", "online", "amphora")

    def part(kind, *arguments):
        return cli("load-balancers", kind, *arguments)

    def settled():
        assert cli("load-balancers", "get", "web").code == 0 and cli("load-balancers", "get", "web").json["status"] == "active"

    listener = part("listeners", "create", "https", "--load-balancer", "web", "--protocol", "terminated-https", "--port", "443",
                    "--limit-connections", "100", "--wait").json
    assert (listener["protocol"], listener["port"], listener["limit"], listener["load_balancer"]) == ("terminated-https", 443, 100, lb["id"])
    settled()
    pool = part("pools", "create", "app", "--listener", "https", "--protocol", "http", "--algorithm", "least-connections", "--wait").json
    assert (pool["algorithm"], pool["listeners"]) == ("least-connections", [listener["id"]])
    refused(part("members", "create", "app", "10.1.0.7", "8080"), 6, "immutable")
    settled()
    member = part("members", "create", "app", "10.1.0.7", "8080", "--name", "m1", "--weight", "3", "--subnet", "front", "--wait").json
    assert (member["address"], member["port"], member["weight"], member["status"]) == ("10.1.0.7", 8080, 3, "active")
    settled()
    monitor = part("monitors", "create", "app", "http", "--path", "/up", "--codes", "200-204", "--name", "look", "--wait").json
    assert (monitor["type"], monitor["delay_s"], monitor["timeout_s"], monitor["path"], monitor["pool"]) == ("http", 5, 3, "/up", pool["id"])
    settled()
    assert [m["name"] for m in part("members", "list", "app").items] == ["m1"]
    assert part("members", "get", "m1", "app").json["id"] == member["id"]
    assert cli("load-balancers", "get", "web").json["listeners"] == [listener["id"]]
    other = cli("load-balancers", "create", "other", "--network", "office", "--wait").json
    part("pools", "create", "p2", "--load-balancer", "other", "--protocol", "tcp", "--wait").json
    assert [p["name"] for p in part("pools", "list", "--load-balancer", other["id"]).items] == ["p2"]
    assert [p["name"] for p in part("listeners", "list", "--load-balancer", "web").items] == ["https"]
    assert part("monitors", "get", "look").json["codes"] == "200-204"
    refused(cli("load-balancers", "delete", "web", "--yes"), 2, "children")
    for kind, *names in (("monitors", "look"), ("members", "m1", "app"), ("pools", "app"), ("listeners", "https")):
        assert part(kind, "delete", *names, "--yes", "--wait").code == 0
        settled()
    assert cli("load-balancers", "delete", "web", "--yes", "--wait").code == 0
    assert cli("load-balancers", "delete", "other", "--cascade", "--yes").code == 0
    refused(cli("load-balancers", "create", "x"), 2, "'subnet' and 'network'")


LISTS = {("volumes",): "volumes", ("snapshots",): "snapshots", ("backups",): "backups", ("networks",): "networks",
         ("subnets",): "subnets", ("ports",): "ports", ("routers",): "routers", ("security-groups",): "security-groups",
         ("security-groups", "rules"): "security-group-rules", ("floating-ips",): "floatingips",
         ("load-balancers",): "loadbalancers", ("load-balancers", "listeners"): "listeners", ("load-balancers", "pools"): "pools",
         ("load-balancers", "monitors"): "healthmonitors"}


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_every_list_is_read_to_its_end(cli, server, words):
    things = server.things[LISTS[words]]
    things.clear()
    for n in range(3):
        server.add(LISTS[words], name=f"n{n}", provisioning_status="ACTIVE")
    server.page_max = 1
    server.requests.clear()
    listed = cli(*words, "list", "--page-size", "1").items
    assert [t["id"] for t in listed] == list(things)
    assert len([r for r in server.requests if r.method == "GET"]) == 3
    assert len(cli(*words, "list", "--limit", "2").items) == 2
    name = list(things.values())[2]["name"]
    if words[-1] != "rules" and words[-1] != "floating-ips":
        assert cli(*words, "get", name).json["id"] == listed[2]["id"]
        twin = server.add(LISTS[words], name=name, provisioning_status="ACTIVE")
        refused(cli(*words, "get", name), 6, "use the id")
        assert cli(*words, "get", twin["id"]).json["id"] == twin["id"]


@pytest.mark.parametrize("arguments", [
    ("volumes", "create", "v", "0"), ("volumes", "create", "v", "x"), ("volumes", "create", "v"), ("volumes", "extend", "v", "-1"),
    ("subnets", "create", "s", "--network", "n", "--cidr", "10.0.0.0"), ("subnets", "create", "s", "--network", "n", "--cidr", "10.0.0.0/33"),
    ("subnets", "create", "s", "--network", "n", "--cidr", "10.0.0.0/24", "--dns", "nope"),
    ("subnets", "create", "s", "--network", "n", "--cidr", "10.0.0.0/24", "--gateway", "10.0.0.1", "--no-gateway"),
    ("security-groups", "rules", "create", "g", "--ports", "80"), ("security-groups", "rules", "create", "g", "--protocol", "TCP/6"),
    ("security-groups", "rules", "create", "g", "--protocol", "tcp", "--ports", "90-80"),
    ("security-groups", "rules", "create", "g", "--protocol", "tcp", "--ports", "0"),
    ("security-groups", "rules", "create", "g", "--protocol", "tcp", "--ports", "1-65536"),
    ("security-groups", "rules", "create", "g", "--direction", "sideways"), ("floating-ips", "associate", "192.0.2.1"),
    ("floating-ips", "associate", "192.0.2.1", "web1", "--port", "p"),
    ("load-balancers", "members", "create", "p", "not-an-address", "80"), ("load-balancers", "members", "create", "p", "192.0.2.1", "0"),
    ("load-balancers", "pools", "create", "p", "--protocol", "http"), ("load-balancers", "monitors", "create", "p", "smoke")])
def test_what_is_wrong_never_reaches_the_network(cli, server, arguments):
    done = cli(*arguments)
    assert done.code == 2 and done.err.strip(), (done.code, done.err)
    assert server.requests == []


def test_a_dry_run_changes_nothing(cli, server):
    cli("volumes", "create", "data", "1", "--wait").json
    server.requests.clear()
    for arguments in (("volumes", "create", "x", "1"), ("volumes", "attach", "data", "web1"), ("volumes", "extend", "data", "2"),
                      ("volumes", "delete", "data", "--yes"), ("snapshots", "create", "s", "--volume", "data"),
                      ("networks", "create", "n"), ("floating-ips", "allocate")):
        plan = cli(*arguments, "--dry-run").json["would_send"]
        assert len(plan) == 1 and plan[0]["method"] in ("POST", "DELETE")
    assert server.changes() == []


def test_another_services_identifier_and_odd_names_go_nowhere(cli, server):
    refused(cli("volumes", "get", "../servers"), 3, "there is no volume")
    assert cli("security-groups", "rules", "delete", "..", "--yes").code == 2
    assert server.changes() == []


@pytest.fixture(scope="module")
def keystone(swift):
    s = swift.settings
    with Cli({"OS_AUTH_URL": s["auth_url"], "OS_REGION_NAME": s["region"], "OS_AUTH_TYPE": "password",
              "OS_USERNAME": s["password"]["username"], "OS_PASSWORD": s["password"]["password"],
              "OS_PROJECT_NAME": s["password"]["project"], "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default"}) as made:
        yield made, s


def test_identity_on_keystone(keystone):
    cli, s = keystone
    me = cli("identity", "users", "current").json
    assert (me["name"], me["id"], me["enabled"]) == ("test", s["user_id"], True)
    assert cli("identity", "users", "get", me["id"]).json["id"] == me["id"]
    project = cli("identity", "projects", "current").json
    assert (project["name"], project["id"]) == ("test", s["project_id"])
    assert [p["name"] for p in cli("identity", "projects", "list").items] == ["test"]
    assert {(r["name"], r["project"]) for r in cli("identity", "users", "roles").items} >= {("member", s["project_id"])}
    refused(cli("identity", "roles", "list"), 4, "not authorized")  # a plain user may not
    refused(cli("identity", "users", "get", "admin"), 4, "not authorized")


def test_credentials_on_keystone(keystone):
    cli, s = keystone
    made = cli("identity", "app-credentials", "create", "backup", "--role", "reader", "--description", "d", "--expires",
               "2099-01-31T00:00:00").json
    assert made["secret"] and (made["roles"], made["unrestricted"], made["project"]) == (["reader"], False, s["project_id"])
    try:
        with Cli({"OS_AUTH_URL": s["auth_url"], "OS_AUTH_TYPE": "v3applicationcredential", "OS_REGION_NAME": s["region"],
                  "OS_APPLICATION_CREDENTIAL_ID": made["id"], "OS_APPLICATION_CREDENTIAL_SECRET": made["secret"]}) as other:
            assert [r["name"] for r in other("identity", "users", "roles").items] == ["reader"]
        refused(cli("identity", "app-credentials", "create", "backup"), 6, "")
        shown = cli("identity", "app-credentials", "get", "backup").json
        assert shown["secret"] is None and shown["expires"] == "2099-01-31T00:00:00.000Z"
        assert "backup" in [c["name"] for c in cli("identity", "app-credentials", "list").items]
    finally:
        assert cli("identity", "app-credentials", "delete", "backup", "--yes").code == 0
    refused(cli("identity", "app-credentials", "get", "backup"), 3, "no application credential")
    key = cli("identity", "ec2-credentials", "create").json
    assert key["access"] and key["secret"] and key["project"] == s["project_id"]
    assert key["access"] in [k["access"] for k in cli("identity", "ec2-credentials", "list").items]
    assert cli("identity", "ec2-credentials", "delete", key["access"], "--yes").code == 0
    assert key["access"] not in [k["access"] for k in cli("identity", "ec2-credentials", "list").items]


def test_quotas_of_each_service_and_what_is_used(cli, server):
    cli("volumes", "create", "data", "10", "--wait").json
    found = {(q["service"], q["name"]): q for q in cli("quotas", "list").items}
    assert found["compute", "instances"] == {"provider": "openstack", "service": "compute", "id": "instances", "name": "instances",
                                             "region": None, "used": 3, "adjustable": None,
                                             "limit": 10, "unit": None}
    assert found["compute", "memory"]["limit"] is None and found["compute", "memory"]["unit"] == "MiB"
    assert found["compute", "keypairs"]["used"] is None and found["compute", "keypairs"]["limit"] == 100
    assert (found["volume", "size"]["used"], found["volume", "size"]["limit"], found["volume", "size"]["unit"]) == (10, 1000, "GiB")
    assert (found["network", "network"]["used"], found["network", "network"]["limit"]) == (1, 100)
    assert found["network", "floatingip"]["limit"] is None and len(found) == 9
    assert {q["service"] for q in cli("quotas", "list", "--service", "volume").items} == {"volume"}
    server.has_quota_details = False
    found = {q["name"]: q for q in cli("quotas", "list", "--service", "network").items}
    assert found["network"]["used"] is None and found["network"]["limit"] == 100 and len(found) == 2
    refused(cli("quotas", "list", "--service", "dns"), 2, "service")
