"""Real Nova, Glance, Neutron and Designate through the command line, looked at past skydir too. They take minutes to start, so
only where SKYDIR_TEST_OPENSTACK_SERVICES=1 is in the environment of scripts/test (or SKYDIR_TEST_OPENSTACK names the settings)."""

import json
import os
import pathlib
import socket
import struct
import urllib.request
import uuid

import pytest

from cli import Cli

SETTINGS = os.environ.get("SKYDIR_TEST_OPENSTACK")
pytestmark = [pytest.mark.timeout(900), pytest.mark.skipif(not SETTINGS, reason="SKYDIR_TEST_OPENSTACK_SERVICES=1 starts them")]
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1fzKqQ3bVJdG4rTrkPq0dJ3l9n1cVJkq0cYQ2vJ0aR me@home"


class Services:
    """OpenStack past skydir: plain HTTP with a token of the same user."""

    def __init__(self):
        self.settings = json.loads(pathlib.Path(SETTINGS).read_text())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        credential = self.settings["credential"]
        body = {"auth": {"identity": {"methods": ["application_credential"], "application_credential": credential}}}
        request = urllib.request.Request(self.settings["auth_url"] + "/auth/tokens", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with self.opener.open(request, timeout=60) as answer:
            self.token = answer.headers["X-Subject-Token"]

    def get(self, service, path):
        request = urllib.request.Request(self.settings["urls"][service] + path, headers={"X-Auth-Token": self.token})
        with self.opener.open(request, timeout=60) as answer:
            return json.load(answer)

    @property
    def environment(self):
        credential = self.settings["credential"]
        return {"OS_AUTH_URL": self.settings["auth_url"], "OS_REGION_NAME": self.settings["region"],
                "OS_AUTH_TYPE": "v3applicationcredential", "OS_APPLICATION_CREDENTIAL_ID": credential["id"],
                "OS_APPLICATION_CREDENTIAL_SECRET": credential["secret"]}

    def addresses(self, name):
        """What the name server answers for an A record (RFC 1035)."""
        question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0\0\1\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(30)
            s.sendto(struct.pack(">6H", 7, 0, 1, 0, 0, 0) + question, ("127.0.0.1", self.settings["mdns_port"]))
            answer = s.recv(4096)
        count, at, found = struct.unpack(">H", answer[6:8])[0], 12 + len(question), []
        for _ in range(count):
            while answer[at] and answer[at] < 0xc0:
                at += answer[at] + 1
            at += 2 if answer[at] else 1
            kind, _, _, length = struct.unpack(">HHIH", answer[at:at + 10])
            at += 10
            if kind == 1:
                found.append(socket.inet_ntoa(answer[at:at + length]))
            at += length
        return sorted(found)


@pytest.fixture(scope="module")
def services():
    return Services()


@pytest.fixture
def cli(services):
    with Cli(services.environment) as made:
        yield made


@pytest.fixture
def name():
    return "t" + uuid.uuid4().hex[:10]


def create(cli, name, *more):
    return cli("instances", "create", name, "--image", "tiny", "--flavor", "small", "--network", "private", *more)


def test_an_instance_from_its_creation_to_its_end(cli, services, name, tmp_path):
    (tmp_path / "key").write_text(PUBLIC_KEY)
    (tmp_path / "data").write_text("#cloud-config\n")
    assert cli("keypairs", "create", name, "--public-key", str(tmp_path / "key")).json["fingerprint"].count(":") == 15
    assert name in [k["name"] for k in cli("keypairs", "list").items]
    try:
        made = create(cli, name, "--keypair", name, "--user-data", str(tmp_path / "data"), "--tag", "env=test", "--wait").json
        assert (made["status"], made["provider_status"], made["flavor"]) == ("running", "ACTIVE", "small")
        assert made["tags"] == {"env": "test"} and made["keypair"] == name and made["addresses"][0].startswith("10.10.0.")
        theirs = services.get("compute", f"/servers/{made['id']}")["server"]
        assert (theirs["name"], theirs["status"], theirs["key_name"]) == (name, "ACTIVE", name)
        assert cli("instances", "start", name).code == 6
        stopped = cli("instances", "stop", name, "--wait").json
        assert (stopped["status"], stopped["provider_status"]) == ("stopped", "SHUTOFF")
        assert services.get("compute", f"/servers/{made['id']}")["server"]["status"] == "SHUTOFF"
        assert cli("instances", "start", name, "--wait").json["status"] == "running"
        assert cli("instances", "reboot", name, "--mode", "hard", "--wait").json["status"] == "running"
        assert cli("instances", "reboot", made["id"], "--wait").json["status"] == "running"
        assert "FAKE CONSOLE" in cli("instances", "console", name).json["output"]
        told = create(cli, name + "2", "--dry-run").json
        assert len(told["would_send"]) == 1
        assert [s["name"] for s in services.get("compute", f"/servers?name={name}")["servers"]] == [name]
    finally:
        ended = cli("instances", "delete", name, "--yes", "--wait")
    assert ended.code == 0 and cli("instances", "get", name).code == 3
    assert services.get("compute", f"/servers?name={name}")["servers"] == []
    assert cli("keypairs", "delete", name, "--yes").code == 0


def test_every_list_is_read_to_its_end(cli, services, name):
    names = [f"{name}{c}" for c in ("a", ".b", "+c")]
    for one in names:
        create(cli, one, "--wait").json
    try:
        for arguments in (("--page-size", "1"), ("--page-size", "2"), ()):
            assert set(names) <= {i["name"] for i in cli("instances", "list", *arguments).items}
        assert len(cli("instances", "list", "--limit", "2", "--page-size", "1").items) == 2
        for one in names:  # a name is no pattern, though Nova takes it for one
            assert cli("instances", "get", one).json["name"] == one
        assert {"small", "a2.big+"} == {f["name"] for f in cli("flavors", "list", "--page-size", "1").items}
        assert "tiny" in [i["name"] for i in cli("images", "list", "--page-size", "1").items]
        assert {"public", "private"} <= {n["name"] for n in cli("networks", "list", "--page-size", "1").items}
        assert ("nova", "available") in [(z["name"], z["status"]) for z in cli("zones", "list").items]
    finally:
        ended = [cli("instances", "delete", one, "--yes", "--wait").code for one in names]
    assert ended == [0, 0, 0]


def test_errors_say_what_happened(cli, name):
    gone = cli("instances", "get", name)
    assert gone.code == 3 and name in gone.err
    gone = cli("instances", "get", str(uuid.uuid4()))
    assert gone.code == 3 and json.loads(gone.err)["request_id"].startswith("req-")
    wrong = cli("instances", "create", name, "--image", "tiny", "--flavor", "none-such", "--network", "private")
    assert wrong.code in (2, 3) and "none-such" in wrong.err
    assert cli("instances", "create", name, "--image", "none-such", "--flavor", "small").code == 3
    refused = cli("instances", "list", OS_APPLICATION_CREDENTIAL_SECRET="wrong-secret")
    assert refused.code == 4 and "wrong-secret" not in refused.err


def test_a_network_a_rule_and_an_address(cli, services, name):
    net = cli("networks", "create", name).json
    assert cli("subnets", "create", name, "--network", name, "--cidr", "10.77.0.0/24").json["cidr"] == "10.77.0.0/24"
    assert cli("security-groups", "create", name, "--description", "d").json["name"] == name
    rule = cli("security-groups", "rules", "create", name, "--direction", "ingress", "--protocol", "tcp", "--ports", "22",
               "--cidr", "192.0.2.0/24").json
    theirs = services.get("network", f"/v2.0/security-group-rules/{rule['id']}")["security_group_rule"]
    assert (theirs["port_range_min"], theirs["port_range_max"], theirs["remote_ip_prefix"]) == (22, 22, "192.0.2.0/24")
    ip = cli("floating-ips", "allocate", "--network", "public").json
    assert ip["address"].startswith("192.0.2.")
    assert cli("floating-ips", "release", ip["address"], "--yes").code == 0
    assert cli("security-groups", "delete", name, "--yes").code == 0
    for subnet in cli("subnets", "list", "--network", net["id"]).items:
        assert cli("subnets", "delete", subnet["id"], "--yes").code == 0
    assert cli("networks", "delete", name, "--yes").code == 0
    assert name not in [n["name"] for n in services.get("network", "/v2.0/networks")["networks"]]


def test_a_zone_and_its_records(cli, services, name):
    zone = name + ".example"
    made = cli("dns", "zones", "create", zone, "--email", "h@example.org", "--ttl", "600", "--wait").json
    assert (made["name"], made["status"], made["ttl"]) == (zone, "active", 600)
    sets = {("www", "A"): ["192.0.2.7", "192.0.2.8"], ("www", "AAAA"): ["2001:db8::7"], ("ftp", "CNAME"): [f"www.{zone}"],
            ("@", "MX"): [f"10 mail.{zone}", f"20 mail2.{zone}"], ("@", "TXT"): ["v=spf1 -all", 'say "x" ' + "u" * 300],
            ("_sip._tcp", "SRV"): [f"0 5 5060 sip.{zone}"], ("@", "CAA"): ['0 issue "ca.example"'], ("sub", "NS"): ["ns1.example.net"],
            ("7", "PTR"): [f"www.{zone}"], ("bücher", "A"): ["192.0.2.9"], ("*.dev", "A"): ["192.0.2.10"]}
    try:
        for (label, kind), values in sets.items():
            made = cli("dns", "records", "create", zone, label, kind, *values, "--wait").json
            assert sorted(made["values"]) == sorted(values) and made["status"] == "active", made
            assert sorted(cli("dns", "records", "get", zone, label, kind).json["values"]) == sorted(values)
        listed = cli("dns", "records", "list", zone, "--page-size", "1").items
        assert len({(s["name"], s["type"]) for s in listed}) == len(listed) == len(sets) + 2
        assert services.addresses(f"www.{zone}") == ["192.0.2.7", "192.0.2.8"], "asked of the name server"
        assert cli("dns", "records", "set", zone, "www", "A", "192.0.2.99", "--ttl", "300", "--wait").json["ttl"] == 300
        assert services.addresses(f"www.{zone}") == ["192.0.2.99"]
        before = cli("dns", "records", "get", zone, "www", "A").json
        assert cli("dns", "records", "set", zone, "www", "A", "192.0.2.99", "--ttl", "300").json == before, "nothing to do"
        assert cli("dns", "records", "create", zone, "www", "A", "192.0.2.1").code == 6
        assert cli("dns", "records", "delete", zone, "www", "AAAA", "--yes", "--wait").code == 0
        assert cli("dns", "records", "get", zone, "www", "AAAA").code == 3
        assert cli("dns", "zones", "create", zone, "--email", "h@example.org").code == 6
    finally:
        ended = cli("dns", "zones", "delete", zone, "--yes", "--wait")
    assert ended.code == 0 and cli("dns", "zones", "get", zone).code == 3


def test_a_zone_file_is_planned_and_applied(cli, services, name, tmp_path):
    zone = name + ".example"
    cli("dns", "zones", "create", zone, "--email", "h@example.org", "--wait").json
    file = tmp_path / "zone"
    file.write_text(f"$ORIGIN {zone}.\n$TTL 300\nwww IN A 192.0.2.1\nmail IN A 192.0.2.2\n@ IN MX 10 mail\n")
    try:
        plan = cli("dns", "zones", "plan", zone, str(file)).json
        assert cli("dns", "zones", "apply", zone, str(file), "--plan-id", "0" * len(plan["plan_id"]), "--yes").code == 6
        assert services.addresses(f"www.{zone}") == []
        done = cli("dns", "zones", "apply", zone, str(file), "--plan-id", plan["plan_id"], "--yes", "--wait")
        assert done.code == 0, done.err
        assert services.addresses(f"www.{zone}") == ["192.0.2.1"] and services.addresses(f"mail.{zone}") == ["192.0.2.2"]
        again = cli("dns", "zones", "plan", zone, str(file)).json
        assert not any(again[kind] for kind in ("adds", "changes", "deletes") if kind in again), again
        exported = cli("dns", "zones", "export", zone).json
        assert "192.0.2.2" in json.dumps(exported)
    finally:
        cli("dns", "zones", "delete", zone, "--yes", "--wait")


def test_the_reverse_name_of_a_floating_address(cli, name):
    zone = "2.0.192.in-addr.arpa"
    ip = cli("floating-ips", "allocate", "--network", "public").json["address"]
    try:
        made = cli("dns", "ptrs", "set", ip, f"{name}.example.org", "--wait").json
        assert (made["address"], made["name"]) == (ip, f"{name}.example.org")
        assert cli("dns", "ptrs", "get", ip).json["name"] == f"{name}.example.org"
        assert ip in [p["address"] for p in cli("dns", "ptrs", "list").items]
        assert cli("dns", "ptrs", "delete", ip, "--yes", "--wait").code == 0
        assert cli("dns", "ptrs", "get", ip).json["name"] is None
    finally:
        cli("floating-ips", "release", ip, "--yes")
    assert zone not in [z["name"] for z in cli("dns", "zones", "list").items]
