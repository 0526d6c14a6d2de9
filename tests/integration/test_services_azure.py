"""Azure's volumes, security groups and addresses through the command line, against a server written after the public REST
reference."""

import json

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


TEMPLATE = {"$schema": "https://schema.example/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
            "parameters": {"size": {"type": "string"}, "count": {"type": "int", "defaultValue": 1},
                           "secret": {"type": "secureString", "defaultValue": ""}},
            "resources": [{"type": "Microsoft.Test/things", "name": "one"}, {"type": "Microsoft.Test/things", "name": "two"}],
            "outputs": {"url": {"type": "string", "value": "http://192.0.2.7"}, "all": {"type": "object", "value": {"a": [1]}}}}


@pytest.fixture
def template(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps(TEMPLATE))
    return str(tmp_path / "t.json")


def test_a_stack_from_its_creation_to_its_end(cli, arm, template):
    done = cli("stacks", "create", "web", template, "--parameter", "size=small", "--parameter", "count=3", "--parameter", "secret=hush",
               "--tag", "a=b", "--wait")
    made = done.json
    assert (made["name"], made["status"], made["parameters"], made["tags"]) == (
        "web", "complete", {"size": "small", "count": "3", "secret": None}, {"a": "b"})
    assert arm.last_body["properties"]["parameters"]["count"] == {"value": 3}
    assert [line.split()[1:4] for line in done.err.splitlines()][:2] == [["one", "Microsoft.Test/things", "Succeeded"],
                                                                       ["two", "Microsoft.Test/things", "Succeeded"]]
    assert [r["name"] for r in cli("stacks", "resources", "web").items] == ["one", "two"]
    assert cli("stacks", "resource", "web", "TWO").json["id"].endswith("/Microsoft.Test/things/two")
    refused(cli("stacks", "resource", "web", "three"), 3, "no resource")
    assert {o["name"]: o["value"] for o in cli("stacks", "outputs", "web").items} == {"url": "http://192.0.2.7", "all": '{"a":[1]}'}
    assert json.loads(cli("stacks", "template", made["id"]).json["template"]) == TEMPLATE
    refused(cli("stacks", "create", "web", template, "--parameter", "size=s"), 6, "already")
    updated = cli("stacks", "update", "web", "--parameter", "size=big", "--wait").json
    assert "secret" not in arm.last_body["properties"]["parameters"]  # what is not told is not sent as something else
    assert updated["parameters"] == {"size": "big", "count": "3"} and arm.last_body["properties"]["template"] == TEMPLATE
    refused(cli("stacks", "suspend", "web"), 1, "not supported by azure")
    assert cli("stacks", "delete", "web", "--yes", "--wait").code == 0 and cli("stacks", "list").items == []


def test_a_stack_that_fails_and_templates_that_are_wrong(cli, arm, template, tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"resources": [{"type": "Microsoft.Test/broken", "name": "x"}]}))
    done = cli("stacks", "create", "bad", str(bad), "--wait")
    refused(done, 6, "it became 'failed'")
    assert "it broke" in done.err and cli("stacks", "get", "bad").json["reason"] == "At least one resource failed."
    assert cli("stacks", "validate", template, "--parameter", "size=s").json["valid"] is True
    refused(cli("stacks", "validate", template, "--parameter", "nope=s"), 2, "'nope' is not found")
    changes = cli("stacks", "preview", "new", template, "--parameter", "size=s").items
    assert [(c["action"], c["type"], c["details"]) for c in changes] == [("create", "Microsoft.Test/things", ["properties.x"])] * 2
    bad.write_text("param size string")
    arm.requests.clear()
    refused(cli("stacks", "validate", str(bad)), 2, "no JSON")
    assert not [r for r in arm.requests if "deployments" in r.path]
    for name in ("a", "b", "c"):
        assert cli("stacks", "create", name, template, "--parameter", "size=s").code == 0
    assert [s["name"] for s in cli("stacks", "list").items] == ["bad", "a", "b", "c"]
    assert cli("stacks", "create-from-file", "d", template, "--parameter", "size=s", "--wait").json["name"] == "d"
    assert {e["resource"] for e in cli("stacks", "events", "d").items} >= {"one", "two"}
