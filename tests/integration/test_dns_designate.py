"""DNS through the command line on Designate: a contract server of our own, made of OpenStack's description."""

import pytest

from cli import Cli
from dns_contract import DesignateContract


@pytest.fixture
def server():
    with DesignateContract(slow=1) as made:
        yield made


@pytest.fixture
def cli(server):
    with Cli(server.environment) as made:
        yield made


@pytest.fixture
def zone(cli):
    assert cli("dns", "zones", "create", "Example.ORG.", "--email", "h@example.org").json["name"] == "example.org"
    return "example.org"


def test_a_zone_from_its_creation_to_its_end(cli, server):
    made = cli("dns", "zones", "create", "example.org", "--email", "h@example.org", "--ttl", "600", "--wait").json
    assert (made["name"], made["status"], made["type"], made["ttl"]) == ("example.org", "active", "public", 600)
    assert made["nameservers"] == ["ns1.example.net"] and made["provider"] == "openstack"
    assert cli("dns", "zones", "get", made["id"]).json["name"] == "example.org"
    assert cli("dns", "zones", "update", "example.org", "--ttl", "900", "--description", "d").json["ttl"] == 900
    assert cli("dns", "zones", "create", "example.org", "--email", "h@example.org").code == 6
    assert cli("dns", "zones", "create", "other.org").code == 2
    assert cli("dns", "zones", "delete", "example.org", "--yes", "--wait").code == 0
    assert cli("dns", "zones", "list").items == [] and server.zones == {}
    assert cli("dns", "zones", "get", "example.org").code == 3


def test_record_sets_of_every_type(cli, server, zone):
    sets = {("www", "A"): ["192.0.2.7", "192.0.2.8"], ("www", "AAAA"): ["2001:db8::7"], ("ftp", "CNAME"): ["www.example.org"],
            ("@", "MX"): ["10 mail.example.org", "20 mail2.example.org"], ("@", "TXT"): ["v=spf1 -all", 'say "x" ' + "ü" * 300],
            ("_sip._tcp", "SRV"): ["0 5 5060 sip.example.org"], ("@", "CAA"): ['0 issue "ca.example"'],
            ("sub", "NS"): ["ns1.example.net"], ("7", "PTR"): ["www.example.org"],
            ("bücher", "A"): ["192.0.2.9"], ("*.dev", "A"): ["192.0.2.10"]}
    for (name, kind), values in sets.items():
        made = cli("dns", "records", "create", zone, name, kind, *values, "--wait").json
        assert made["values"] == values and made["status"] == "active", made
        got = cli("dns", "records", "get", zone, name, kind).json
        assert got == made
    assert server.values("example.org.", "CAA") == [(None, ["0 issue ca.example"])], "without quotes: Designate refuses them"
    for count in (252, 253, 254, 255, 256, 506, 507):  # a string of Designate's has 255 characters with its quotes
        made = cli("dns", "records", "set", zone, "long", "TXT", "u" * count).json
        assert made["values"] == ["u" * count] and len(server.values("long.example.org.", "TXT")[0][1][0]) > count
    cli("dns", "records", "delete", zone, "long", "TXT", "--yes")
    refused = cli("dns", "records", "create", zone, "x", "CAA", '5 issue "ca.example"')
    assert refused.code == 2 and "is not a 'CAA' Record" in refused.err
    assert server.values("example.org.", "MX") == [(None, ["10 mail.example.org.", "20 mail2.example.org."])]
    assert server.values("xn--bcher-kva.example.org.", "A") == [(None, ["192.0.2.9"])]
    listed = {(s["name"], s["type"]) for s in cli("dns", "records", "list", zone).items}
    assert len(listed) == len(sets) + 2 and ("*.dev.example.org", "A") in listed
    assert [s["type"] for s in cli("dns", "records", "list", zone, "--name", "www", "--type", "AAAA").items] == ["AAAA"]


def test_every_page_is_read_when_it_holds_one_thing(cli, server, zone):
    for i in range(4):
        cli("dns", "records", "create", zone, f"h{i}", "A", f"192.0.2.{i}").json
    server.page_max = 1
    whole = cli("dns", "records", "list", zone, "--page-size", "1").items
    assert len(whole) == 6 and len({(s["name"], s["type"]) for s in whole}) == 6
    assert len(cli("dns", "records", "list", zone, "--limit", "3").items) == 3
    assert cli("dns", "records", "get", zone, "h3", "A").json["values"] == ["192.0.2.3"]
    for i in range(3):
        cli("dns", "zones", "create", f"z{i}.example", "--email", "h@example.org").json
    assert [z["name"] for z in cli("dns", "zones", "list").items] == [zone] + [f"z{i}.example" for i in range(3)]


def test_set_makes_replaces_and_leaves_alone(cli, server, zone):
    server.requests.clear()
    assert cli("dns", "records", "set", zone, "www", "A", "192.0.2.1", "--ttl", "300").json["values"] == ["192.0.2.1"]
    assert [r.method for r in server.changes()] == ["POST"]
    cli("dns", "records", "set", zone, "www.example.org", "A", "192.0.2.1", "--ttl", "300").json
    cli("dns", "records", "set", zone, "WWW", "A", "192.0.2.1").json
    assert len(server.changes()) == 1, "it is so already"
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.2").json
    assert [r.method for r in server.changes()] == ["POST", "PUT"]
    assert server.values("www.example.org.", "A") == [(300, ["192.0.2.2"])], "the TTL stays"
    assert cli("dns", "records", "create", zone, "www", "A", "192.0.2.3").code == 6
    assert cli("dns", "records", "update", zone, "nix", "A", "192.0.2.3").code == 3
    assert cli("dns", "records", "delete", zone, "www", "A", "--yes").code == 0
    assert cli("dns", "records", "delete", zone, "www", "A", "--yes").code == 3
    assert server.values("www.example.org.", "A") == []


@pytest.mark.parametrize("name, kind, values", [
    ("www", "A", ["192.0.2.256"]), ("www", "AAAA", ["192.0.2.1"]), ("a b", "A", ["192.0.2.1"]), ("@", "CNAME", ["x.example"]),
    ("www", "CNAME", ["a.example", "b.example"]), ("@", "MX", ["mail.example"]), ("@", "CAA", ["0 issue"]), ("@", "TXT", ['"open']),
    ("x" * 64, "A", ["192.0.2.1"]), ("_s", "SRV", ["1 2 70000 a.example"]), ("www", "WKS", ["x"]), ("@", "SOA", ["a b 1 2 3 4 5"])])
def test_what_is_wrong_never_reaches_the_network(cli, server, name, kind, values):
    done = cli("dns", "records", "set", "example.org", name, kind, *values)
    assert done.code == 2 and done.err.strip(), (done.code, done.err)
    assert server.requests == []


def test_a_cname_stands_alone_and_names_stay_in_their_zone(cli, server, zone):
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.1").json
    server.requests.clear()
    done = cli("dns", "records", "set", zone, "www", "CNAME", "other.example")
    assert done.code == 6 and "stands alone" in done.err
    assert cli("dns", "records", "set", zone, "example.org.", "CNAME", "other.example").code == 2
    assert cli("dns", "records", "set", zone, "www.example.com.", "A", "192.0.2.1").code == 2
    assert cli("dns", "records", "delete", zone, "@", "NS", "--yes").code == 2
    assert server.changes() == []


def test_a_dry_run_says_what_would_be_sent(cli, server, zone):
    server.requests.clear()
    plan = cli("dns", "records", "set", zone, "@", "TXT", "x" * 300, "--dry-run").json["would_send"]
    assert [p["method"] for p in plan] == ["POST"]
    assert plan[0]["body"]["records"] == ['"' + "x" * 253 + '" "' + "x" * 47 + '"']
    assert server.changes() == []


def test_reverse_names_of_floating_addresses(cli, server):
    assert [p["address"] for p in cli("dns", "ptrs", "list").items] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    made = cli("dns", "ptrs", "set", "192.0.2.2", "Host.example.org.", "--ttl", "600").json
    assert (made["name"], made["ttl"], made["status"]) == ("host.example.org", 600, "pending")
    assert [v["ptrdname"] for v in server.floating.values()] == [None, "host.example.org.", None]
    assert cli("dns", "ptrs", "get", "192.0.2.2").json["name"] == "host.example.org"
    assert cli("dns", "ptrs", "set", "192.0.2.2", "host.example.org", "--wait").json["status"] == "active"
    server.slow = 3
    assert cli("dns", "ptrs", "delete", "192.0.2.2", "--yes").code == 0
    assert cli("dns", "ptrs", "get", "192.0.2.2").json["status"] == "deleting", "nobody waited"
    done = cli.run("dns", "ptrs", "delete", "192.0.2.2", "--yes", "--wait")
    assert done.code == 0, done.err
    left = server.floating["RegionOne:00000000-0000-0000-0000-000000000002"]
    assert (left["ptrdname"], left["status"]) == (None, "INACTIVE"), "it came back when the name was gone"
    gone = cli("dns", "ptrs", "get", "192.0.2.2").json
    assert (gone["name"], gone["status"]) == (None, "inactive")
    assert cli("dns", "ptrs", "get", "192.0.2.9").code == 3


def test_two_zones_of_one_name_are_not_guessed_between(cli, server, zone):
    twin = {**next(iter(server.zones.values())), "id": "0" * 8 + "-0000-4000-8000-" + "0" * 12}
    server.zones[twin["id"]] = twin
    done = cli("dns", "records", "list", zone)
    assert done.code == 6 and "use the id" in done.err
    assert cli("dns", "records", "list", twin["id"]).items == []
