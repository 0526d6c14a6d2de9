"""Azure's virtual machines through the command line, against a server written after the public REST reference."""

import json

import pytest

from azvm_contract import CLIENT, GROUP, LOCATION, SECRET, SUBSCRIPTION, TENANT, AzvmContract
from cli import Cli

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1fzKqQ3bVJdG4rTrkPq0dJ3l9n1cVJkq0cYQ2vJ0aR me@home"


@pytest.fixture
def arm():
    with AzvmContract() as server:
        yield server


@pytest.fixture
def cli(arm):
    config = (f"[azure]\ntype = azure\nmanagement-endpoint = {arm.endpoint}\nsubscription-id = {SUBSCRIPTION}\n"
              f"resource-group = {GROUP}\nlocation = {LOCATION}\n")
    with Cli({"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": SECRET,
              "AZURE_AUTHORITY_HOST": arm.endpoint}, config) as made:
        yield made


@pytest.fixture
def key(cli, tmp_path):
    (tmp_path / "key").write_text(PUBLIC_KEY)
    assert cli("keypairs", "create", "me", "--public-key", str(tmp_path / "key")).code == 0


def create(cli, name="web1", *more, flavor="Small"):
    return cli("instances", "create", name, "--image", "Debian:debian-12:12:latest", "--flavor", flavor, "--network", "net",
               "--keypair", "me", *more)


def test_an_instance_from_its_creation_to_its_end(cli, arm, key):
    made = create(cli, "web1", "--zone", LOCATION + "-2", "--disk-gb", "64", "--tag", "env=test", "--security-group", "web",
                  "--wait").json
    assert (made["status"], made["provider_status"]) == ("running", "running")
    assert made["addresses"] == ["10.1.0.4", "192.0.2.30"] and made["zone"] == LOCATION + "-2"
    assert (made["flavor"], made["image"], made["tags"]) == ("Small", "Debian:debian-12:12:latest", {"env": "test"})
    port = arm.last_body["properties"]["networkProfile"]["networkInterfaceConfigurations"][0]["properties"]
    assert port["ipConfigurations"][0]["properties"]["subnet"]["id"].endswith("/virtualNetworks/net/subnets/default")
    assert arm.last_body["properties"]["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"][0]["keyData"] == PUBLIC_KEY
    for name in ("web1", "WEB1", f"{GROUP}/web1", made["id"]):
        assert cli("instances", "get", name).json["addresses"] == made["addresses"]
    assert cli("instances", "stop", "web1").json["provider_status"] == "deallocated"
    assert cli("instances", "start", "web1", "--wait").json["status"] == "running"
    assert cli("instances", "reboot", "web1").code == 0
    assert cli("instances", "reboot", "web1", "--mode", "hard").code == 0
    assert arm.verbs == [("deallocate", None), ("start", None), ("restart", None), ("powerOff", "true"), ("start", None)]
    assert cli("instances", "console", "web1", "--lines", "1").json["output"] == "two\n"
    assert create(cli).code in (1, 6)  # nothing is replaced
    assert cli("instances", "delete", "web1", "--yes", "--wait").code == 0
    assert cli("instances", "delete", "web1", "--yes").code == 3
    assert cli("instances", "list").items == []


def test_every_list_is_read_to_its_end(cli, arm, key):
    for name in ("a", "b", "c"):
        assert create(cli, name).code == 0
    listed = cli("instances", "list").items
    assert [(i["name"], i["status"], i["addresses"]) for i in listed] == [
        (n, "running", ["10.1.0.4", "192.0.2.30"]) for n in ("a", "b", "c")]
    assert [i["name"] for i in cli("images", "list").items] == ["golden", "silver"]
    assert [(f["id"], f["cpus"], f["memory_mb"]) for f in cli("flavors", "list").items] == [("Small", 2, 512), ("Huge", 2, 512)]
    assert [f["id"] for f in cli("flavors", "list", "--zone", LOCATION + "-1").items] == ["Small"]
    assert [z["name"] for z in cli("zones", "list").items] == [f"{LOCATION}-{n}" for n in "123"]
    assert cli("images", "get", "golden").json["min_disk_gb"] == 30


def test_keypairs(cli, arm, key):
    made = cli("keypairs", "create", "pair").json
    assert made["private_key"].startswith("-----BEGIN") and made["public_key"] == "ssh-rsa AAAA made"
    assert [(k["name"], k["type"]) for k in cli("keypairs", "list").items] == [("me", "ssh-ed25519"), ("pair", "ssh-rsa")]
    assert cli("keypairs", "create", "me").code in (1, 6)
    assert cli("keypairs", "delete", "me", "--yes").code == 0
    assert cli("keypairs", "delete", "me", "--yes").code == 3


def test_an_operation_that_fails_is_an_error(cli, arm, key):
    full = create(cli, flavor="Huge")
    assert full.code == 7 and "Cores quota" in full.err
    refusal = '{"error": {"code": "AuthorizationFailed", "message": "not yours"}}'
    arm.faults.append(lambda r: (403, {"x-ms-request-id": "arm-2"}, refusal) if r.path.endswith("/virtualMachines") else None)
    done = cli("instances", "list")
    told = json.loads(done.err)
    assert done.code == 4 and (told["message"], told["provider"], told["request_id"]) == ("not yours", "azure", "arm-2")


def test_an_operation_elsewhere_is_not_followed(cli, arm, key):
    arm.faults.append(lambda r: (201, {"Azure-AsyncOperation": "http://127.0.0.2:1/x"}, "{}") if r.method == "PUT" else None)
    stray = create(cli)
    assert stray.code == 1 and "another host" in stray.err


def test_a_dry_run_changes_nothing_and_bad_credentials_are_told(cli, arm, key):
    create(cli)
    arm.requests.clear()
    plan = create(cli, "x", "--dry-run").json["would_send"]
    assert plan[0]["method"] == "PUT" and SECRET not in str(plan)
    assert cli("instances", "delete", "web1", "--yes", "--dry-run").json["would_send"][0]["method"] == "DELETE"
    assert {r.method for r in arm.requests if "token" not in r.path} == {"GET"}
    bad = cli("instances", "list", AZURE_CLIENT_SECRET="nope")
    assert bad.code == 4 and "nope" not in bad.err
