"""DNS through the command line on Infomaniak's domain zones: a contract server of our own, made of their OpenAPI."""

import pytest

from cli import Cli
from dns_contract import InfomaniakContract


@pytest.fixture
def server():
    with InfomaniakContract() as made:
        yield made


@pytest.fixture
def cli(server):
    # The limit of the real API (one request a second) would make these tests slow.
    with Cli(server.environment, "[infomaniak-domains]\ntype = infomaniak-domains\nrate-limit = 0\n") as made:
        yield made


@pytest.fixture
def zone(cli):
    assert cli("dns", "zones", "create", "example.ch").json["nameservers"][0] == "nsany1.infomaniak.com"
    return "example.ch"


def test_a_zone_from_its_creation_to_its_end(cli, server, zone):
    assert cli("dns", "zones", "create", zone).code == 6
    assert cli("dns", "zones", "create", "example.org").json["id"] == "example.org"
    server.page_max = 1
    assert [z["name"] for z in cli("dns", "zones", "list", "--page-size", "1").items] == ["example.ch", "example.org"]
    shown = cli("dns", "zones", "get", zone).json
    assert (shown["name"], shown["status"], shown["provider"]) == (zone, "active", "infomaniak-domains")
    done = cli("dns", "zones", "update", zone, "--ttl", "60")
    assert done.code == 1 and "not supported by infomaniak-domains" in done.err
    assert cli("dns", "zones", "delete", zone, "--yes").code == 0
    assert cli("dns", "zones", "get", zone).code == 3 and cli("dns", "zones", "create", "other.net").code == 3


def test_sets_are_put_together_from_single_records(cli, server, zone):
    sets = {("www", "A"): ["192.0.2.7", "192.0.2.8"], ("@", "MX"): ["10 mail.example.ch"], ("ftp", "CNAME"): ["www.example.ch"],
            ("@", "TXT"): ["v=spf1 -all", "x" * 300], ("_s._tcp", "SRV"): ["0 5 5060 sip.example.ch"],
            ("@", "CAA"): ['0 issue "ca.example"']}
    server.page_max = 1
    for (name, kind), values in sets.items():
        assert cli("dns", "records", "create", zone, name, kind, *values).json["values"] == values
        assert cli("dns", "records", "get", zone, name, kind).json["values"] == values
    assert server.values(".", "MX") == [(3600, "10 mail.example.ch")]
    assert server.values(".", "TXT")[0] == (3600, '"' + "x" * 255 + '" "' + "x" * 45 + '"')
    assert len(cli("dns", "records", "list", zone).items) == len(sets) + 1
    assert cli("dns", "records", "list", zone, "--limit", "2").json["count"] == 2


def test_a_change_touches_only_the_records_that_differ(cli, server, zone):
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.1", "192.0.2.2", "192.0.2.3", "--ttl", "600").json
    server.requests.clear()
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.3", "192.0.2.2", "192.0.2.1").json
    assert server.changes() == []
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.2", "192.0.2.9").json
    assert server.values("www", "A") == [(600, "192.0.2.2"), (600, "192.0.2.9")]
    assert [c.split()[0] for c in server.changes()] == ["PUT", "DELETE"]
    server.requests.clear()
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.2", "192.0.2.9", "--ttl", "60").json
    assert [c.split()[0] for c in server.changes()] == ["PUT", "PUT"]
    plan = cli("dns", "records", "set", zone, "www", "A", "192.0.2.7", "--dry-run").json["would_send"]
    assert [p["method"] for p in plan] == ["PUT", "DELETE"] and "secret-token" not in str(plan)
    assert cli("dns", "records", "delete", zone, "www", "A", "--yes").code == 0 and server.values("www", "A") == []


def test_bounds_and_tokens(cli, server, zone):
    server.requests.clear()
    assert cli("dns", "records", "set", zone, "a", "A", "192.0.2.1", "--ttl", "59").code == 2
    assert cli("dns", "records", "set", zone, "a", "A", "192.0.2.1", "--ttl", "86401").code == 2
    cli("dns", "records", "set", zone, "a", "A", "192.0.2.1").json
    assert cli("dns", "records", "set", zone, "a", "CNAME", "x.example").code == 6
    assert len(server.changes()) == 1
    done = cli("dns", "zones", "get", zone, INFOMANIAK_TOKEN="wrong-token")
    assert done.code == 4 and "wrong-token" not in done.err
    assert "INFOMANIAK_DOMAINS" in cli("dns", "zones", "list", INFOMANIAK_DOMAINS="").err


def test_a_zone_file_is_applied(cli, server, zone):
    file = cli.dir / "zone"
    file.write_text("$TTL 300\n@ MX 10 mail\nmail A 192.0.2.1\n")
    plan = cli("dns", "zones", "plan", zone, str(file)).json
    assert cli("dns", "zones", "apply", zone, str(file), "--plan-id", plan["plan_id"], "--yes").json["applied"] == 2
    assert "mail\t300\tIN\tA\t192.0.2.1\n" in cli("dns", "zones", "export", zone).json["text"]
