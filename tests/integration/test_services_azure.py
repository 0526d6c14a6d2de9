"""Azure's volumes, security groups and addresses through the command line, against a server written after the public REST
reference."""

import pytest

from az_services_contract import AzServicesContract
from azvm_contract import CLIENT, GROUP, LOCATION, SECRET, SUBSCRIPTION, TENANT
from cli import Cli


@pytest.fixture
def arm():
    with AzServicesContract() as server:
        server.add("virtualMachines", "web1", "Microsoft.Compute")
        yield server


@pytest.fixture
def cli(arm):
    config = (f"[azure]\ntype = azure\nmanagement-endpoint = {arm.endpoint}\nsubscription-id = {SUBSCRIPTION}\n"
              f"resource-group = {GROUP}\nlocation = {LOCATION}\n")
    with Cli({"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": SECRET,
              "AZURE_AUTHORITY_HOST": arm.endpoint}, config) as made:
        yield made


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


def test_a_volume_from_its_creation_to_its_end(cli, arm):
    made = cli("volumes", "create", "data", "10", "--type", "Premium_LRS", "--zone", LOCATION + "-2", "--tag", "env=test", "--wait").json
    assert (made["name"], made["status"], made["size_gb"], made["type"]) == ("data", "available", 10, "Premium_LRS")
    assert (made["zone"], made["tags"], made["created"]) == (LOCATION + "-2", {"env": "test"}, "2026-11-23T10:00:00.123Z")
    for name in ("data", "DATA", f"{GROUP}/data", made["id"]):
        assert cli("volumes", "get", name).json["id"] == made["id"]
    assert cli("volumes", "create", "data", "10").code == 6
    assert cli("volumes", "extend", "data", "20").json["size_gb"] == 20
    used = cli("volumes", "attach", "data", "web1", "--wait").json
    assert used["status"] == "in-use" and used["attached_to"][0].endswith("/virtualMachines/web1")
    assert cli("volumes", "delete", "data", "--yes").code == 6
    assert cli("volumes", "detach", "data", "--wait").json["attached_to"] == []
    taken = cli("snapshots", "create", "monday", "--volume", "data", "--wait").json
    assert (taken["status"], taken["volume"], taken["size_gb"]) == ("available", made["id"], 20)
    assert cli("volumes", "create", "copy", "20", "--snapshot", "monday").json["snapshot"] == taken["id"]
    for what, name in (("snapshots", "monday"), ("volumes", "copy"), ("volumes", "data")):
        assert cli(what, "delete", name, "--yes", "--wait").code == 0
        assert cli(what, "get", name).code == 3
    refused(cli("volumes", "create", "v", "1", "--description", "d"), 1, "'description' is not supported by azure")
    vm = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute/virtualMachines/web1"
    refused(cli("volumes", "delete", vm, "--yes"), 2, "no identifier")
    assert vm.lower() in arm.things


def test_security_groups_and_their_rules(cli, arm):
    web = cli("security-groups", "create", "web", "--tag", "a=b").json
    assert (web["name"], web["tags"], web["rules"]) == ("web", {"a": "b"}, [])
    rules = ("security-groups", "rules")
    made = cli(*rules, "create", "web", "--name", "https", "--protocol", "tcp", "--ports", "443", "--priority", "200").json
    assert (made["group"], made["direction"], made["protocol"], made["ports"], made["remote"], made["priority"]) == (
        "web", "ingress", "tcp", "443", None, 200)
    out = cli(*rules, "create", "web", "--name", "no-dns", "--protocol", "udp", "--ports", "53-54", "--direction", "egress",
              "--action", "deny", "--cidr", "10.0.0.0/8", "--description", "d").json
    assert (out["action"], out["remote"], out["ports"], out["priority"]) == ("deny", ["10.0.0.0/8"], "53-54", 1000)
    refused(cli(*rules, "create", "web", "--name", "x", "--priority", "200"), 6, "same Priority")
    refused(cli(*rules, "create", "web", "--name", "x", "--remote-group", "web"), 1, "'remote_group' is not supported")
    assert [r["name"] for r in cli(*rules, "list", "web").items] == ["https", "no-dns"]
    assert cli(*rules, "delete", out["id"], "--yes").code == 0
    refused(cli(*rules, "delete", "https", "--yes"), 2, "no identifier")
    assert [r["name"] for r in cli(*rules, "list", "web").items] == ["https"]
    assert cli("security-groups", "delete", "web", "--yes").code == 0 and cli("security-groups", "get", "web").code == 3


def test_addresses(cli, arm):
    ip = cli("floating-ips", "allocate", "--name", "front").json
    assert (ip["address"], ip["status"], ip["zone"]) == ("192.0.2.88", "available", LOCATION)
    assert cli("floating-ips", "get", "192.0.2.88").json["id"] == ip["id"]
    refused(cli("floating-ips", "associate", "front", "web1"), 1, "not supported by azure")
    refused(cli("floating-ips", "allocate"), 2, "'name'")
    assert cli("floating-ips", "release", "192.0.2.88", "--yes").code == 0 and cli("floating-ips", "list").items == []


@pytest.mark.parametrize("words, kind, provider", [
    (("volumes",), "disks", "Microsoft.Compute"), (("snapshots",), "snapshots", "Microsoft.Compute"),
    (("networks",), "virtualNetworks", "Microsoft.Network"), (("security-groups",), "networkSecurityGroups", "Microsoft.Network"),
    (("floating-ips",), "publicIPAddresses", "Microsoft.Network")])
def test_every_list_is_read_to_its_end(cli, arm, words, kind, provider):
    for n in range(3):
        arm.add(kind, f"n{n}", provider)
    assert [i["name"] for i in cli(*words, "list").items] == ["n0", "n1", "n2"]
    assert len(cli(*words, "list", "--limit", "2").items) == 2


def test_a_dry_run_changes_nothing(cli, arm):
    before = dict(arm.things)
    plan = cli("volumes", "create", "x", "1", "--dry-run").json["would_send"]
    assert plan[0]["method"] == "PUT" and SECRET not in str(plan) and arm.things == before
