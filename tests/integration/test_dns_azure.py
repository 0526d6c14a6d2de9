"""Azure DNS through the command line, against a server written after the public REST reference."""

import pytest

from azdns_contract import PREFIX, AzdnsContract
from azvm_contract import CLIENT, GROUP, LOCATION, SECRET, SUBSCRIPTION, TENANT
from cli import Cli


@pytest.fixture
def arm():
    with AzdnsContract() as server:
        yield server


@pytest.fixture
def cli(arm):
    config = (f"[azure]\ntype = azure\nmanagement-endpoint = {arm.endpoint}\nsubscription-id = {SUBSCRIPTION}\n"
              f"resource-group = {GROUP}\nlocation = {LOCATION}\n")
    with Cli({"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": SECRET,
              "AZURE_AUTHORITY_HOST": arm.endpoint}, config) as made:
        yield made


@pytest.fixture
def zone(cli):
    made = cli("dns", "zones", "create", "example.org", "--description", "d").json
    assert (made["name"], made["type"], made["description"], made["nameservers"]) == (
        "example.org", "public", "d", ["ns1-01.azure-dns.com"])
    return "example.org"


def test_a_zone_from_its_creation_to_its_end(cli, arm, zone):
    cli("dns", "zones", "create", "b.example").json
    assert [z["name"] for z in cli("dns", "zones", "list").items] == ["example.org", "b.example"]
    shown = cli("dns", "zones", "get", zone).json
    assert shown["id"] == PREFIX + zone and cli("dns", "zones", "get", shown["id"]).json == shown
    assert cli("dns", "zones", "create", zone).code == 6
    done = cli("dns", "zones", "update", zone, "--description", "x")
    assert done.code == 1 and "not supported by azure" in done.err
    assert cli("dns", "zones", "delete", zone, "--yes").code == 0
    assert cli("dns", "zones", "get", zone).code == 3


def test_record_sets_of_every_type(cli, arm, zone):
    sets = {("www", "A"): ["192.0.2.7", "192.0.2.8"], ("www", "AAAA"): ["2001:db8::7"], ("ftp", "CNAME"): ["www.example.org"],
            ("@", "MX"): ["10 mail.example.org"], ("@", "TXT"): ["v=spf1 -all", 'say "x" ' + "ü" * 300],
            ("_sip._tcp", "SRV"): ["0 5 5060 sip.example.org"], ("@", "CAA"): ['0 issue "ca.example"'],
            ("sub", "NS"): ["ns1.example.net"], ("7", "PTR"): ["www.example.org"], ("*.dev", "A"): ["192.0.2.10"]}
    for (name, kind), values in sets.items():
        made = cli("dns", "records", "create", zone, name, kind, *values).json
        assert (made["values"], made["ttl"], made["status"]) == (values, 3600, "active"), made
        assert cli("dns", "records", "get", zone, name, kind).json["values"] == values
    assert arm.sets[zone, "MX", "@"]["properties"]["MXRecords"] == [{"preference": 10, "exchange": "mail.example.org"}]
    assert len(arm.sets[zone, "TXT", "@"]["properties"]["TXTRecords"][1]["value"]) == 3
    listed = cli("dns", "records", "list", zone).items
    assert len(listed) == len(sets) + 2
    soa = [s["values"] for s in listed if s["type"] == "SOA"]
    assert soa == [["ns1-01.azure-dns.com a.b 1 2 3 4 5"]]
    assert [s["type"] for s in cli("dns", "records", "list", zone, "--name", "www", "--type", "AAAA").items] == ["AAAA"]
    assert len(cli("dns", "records", "list", zone, "--name", "www").items) == 2


def test_set_makes_replaces_and_leaves_alone(cli, arm, zone):
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.1").json
    arm.requests.clear()
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.1").json
    assert arm.changes() == []
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.2", "--ttl", "60").json
    assert len(arm.changes()) == 1 and arm.changes()[0].headers["If-Match"]
    assert arm.sets[zone, "A", "www"]["properties"]["metadata"] == {"kept": "yes"}
    assert cli("dns", "records", "create", zone, "www", "A", "192.0.2.3").code == 6
    assert cli("dns", "records", "set", zone, "www", "CNAME", "a.example").code == 6
    assert cli("dns", "records", "update", zone, "nix", "A", "192.0.2.3").code == 3
    assert cli("dns", "records", "set", zone, "www", "DS", "1 13 9 ab").code == 1
    assert cli("dns", "records", "delete", zone, "www", "A", "--yes").code == 0 and (zone, "A", "www") not in arm.sets


def test_what_changed_meanwhile_is_not_overwritten(cli, arm, zone):
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.1").json

    def meddle(request):
        if request.method == "PUT":
            arm.put(zone, "A", "www", {"TTL": 60, "ARecords": [{"ipv4Address": "192.0.2.99"}]})
            arm.faults.clear()
        return None

    arm.faults.append(meddle)
    done = cli("dns", "records", "set", zone, "www", "A", "192.0.2.2")
    assert done.code == 6 and "changed meanwhile" in done.err
    assert arm.sets[zone, "A", "www"]["properties"]["ARecords"] == [{"ipv4Address": "192.0.2.99"}]


def test_a_zone_file_is_applied(cli, arm, zone):
    file = cli.dir / "zone"
    file.write_text("$TTL 300\n@ MX 10 mail\nmail A 192.0.2.1\n")
    plan = cli("dns", "zones", "plan", zone, str(file)).json
    assert cli("dns", "zones", "apply", zone, str(file), "--plan-id", plan["plan_id"], "--yes").json["applied"] == 2
    assert "mail\t300\tIN\tA\t192.0.2.1\n" in cli("dns", "zones", "export", zone).json["text"]
