"""DNS through the command line on Cloud DNS, against a server made of Google's own description of the API."""

import json

import pytest

from cli import Cli
from clouddns_contract import CloudDnsContract


@pytest.fixture
def server():
    with CloudDnsContract() as made:
        yield made


@pytest.fixture
def cli(server, tmp_path):
    server.credentials(tmp_path / "account.json")
    with Cli({"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "account.json"),
              "CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS": server.endpoint + "/dns/v1/"}) as made:
        yield made


@pytest.fixture
def zone(cli):
    made = cli("dns", "zones", "create", "example.org", "--description", "d").json
    assert (made["id"], made["name"], made["type"]) == ("example-org", "example.org", "public")
    return "example.org"


def test_a_zone_from_its_creation_to_its_end(cli, server, zone):
    cli("dns", "zones", "create", "9.example", "--private").json
    assert [(z["id"], z["type"]) for z in cli("dns", "zones", "list", "--page-size", "1").items] == [
        ("example-org", "public"), ("zone-9-example", "private")]
    shown = cli("dns", "zones", "get", zone).json
    assert cli("dns", "zones", "get", "example-org").json == shown and shown["nameservers"] == ["ns-cloud-a1.googledomains.com"]
    assert cli("dns", "zones", "update", zone, "--description", "new").json["description"] == "new"
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.1").json
    assert cli("dns", "zones", "delete", zone, "--yes").code == 0, "with all its records"
    assert cli("dns", "zones", "get", zone).code == 3


def test_record_sets_of_every_type(cli, server, zone):
    sets = {("www", "A"): ["192.0.2.7", "192.0.2.8"], ("www", "AAAA"): ["2001:db8::7"], ("ftp", "CNAME"): ["www.example.org"],
            ("@", "MX"): ["10 mail.example.org"], ("@", "TXT"): ["v=spf1 -all", 'say "x" ' + "ü" * 300],
            ("_sip._tcp", "SRV"): ["0 5 5060 sip.example.org"], ("@", "CAA"): ['0 issue "ca.example"'],
            ("sub", "NS"): ["ns1.example.net"], ("7", "PTR"): ["www.example.org"], ("*.dev", "A"): ["192.0.2.10"]}
    for (name, kind), values in sets.items():
        made = cli("dns", "records", "create", zone, name, kind, *values).json
        assert (made["values"], made["ttl"], made["status"]) == (values, 300, "pending"), made
        assert cli("dns", "records", "get", zone, name, kind).json["values"] == values
    assert server.values("example-org", "example.org.", "MX") == (300, ["10 mail.example.org."])
    assert len(cli("dns", "records", "list", zone).items) == len(sets) + 2
    assert [s["type"] for s in cli("dns", "records", "list", zone, "--type", "AAAA").items] == ["AAAA"]


def test_set_makes_replaces_and_leaves_alone(cli, server, zone):
    assert cli("dns", "records", "set", zone, "www", "A", "192.0.2.1", "--wait").json["status"] == "active"
    server.requests.clear()
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.1").json
    assert server.changes() == []
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.2", "--ttl", "60").json
    body = json.loads(server.changes()[0].body)
    assert [d["rrdatas"] for d in body["deletions"]] == [["192.0.2.1"]] and len(server.changes()) == 1
    assert server.values("example-org", "www.example.org.", "A") == (60, ["192.0.2.2"])
    assert cli("dns", "records", "create", zone, "www", "A", "192.0.2.3").code == 6
    assert cli("dns", "records", "update", zone, "nix", "A", "192.0.2.3").code == 3
    assert cli("dns", "records", "delete", zone, "www", "A", "--yes", "--wait").code == 0
    assert server.values("example-org", "www.example.org.", "A") is None


def test_what_changed_meanwhile_is_not_overwritten(cli, server, zone):
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.1").json
    key = ("www.example.org.", "A")

    def meddle(request):
        if request.method == "POST" and request.path.endswith("/changes"):
            server.sets["example-org"][key] = {**server.sets["example-org"][key], "rrdatas": ["192.0.2.99"]}
            server.faults.clear()
        return None

    server.faults.append(meddle)
    done = cli("dns", "records", "set", zone, "www", "A", "192.0.2.2")
    assert done.code == 6 and server.values("example-org", *key)[1] == ["192.0.2.99"]
