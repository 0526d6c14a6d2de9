"""Compute Engine's volumes, firewall rules and addresses through the command line, against a server made of Google's own
description of the API."""

import pytest

from cli import Cli
from gce_contract import PROJECT, ZONES
from gce_services_contract import REGION, GceServicesContract


@pytest.fixture
def gce():
    with GceServicesContract() as server:
        server.add("global/networks/default", description="")
        yield server


@pytest.fixture
def cli(gce, tmp_path):
    gce.credentials(tmp_path / "account.json")
    with Cli({"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "account.json"), "CLOUDSDK_COMPUTE_ZONE": ZONES[0],
              "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": gce.endpoint + "/compute/v1/"}) as made:
        yield made


@pytest.fixture
def web1(cli):
    assert cli("instances", "create", "web1", "--image", "debian-12", "--flavor", "e9-small").code == 0


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


def test_a_volume_from_its_creation_to_its_end(cli, gce, web1):
    made = cli("volumes", "create", "data", "10", "--type", "pd-ssd", "--description", "d", "--tag", "env=test", "--wait").json
    assert (made["name"], made["status"], made["size_gb"], made["type"], made["zone"]) == ("data", "available", 10, "pd-ssd", ZONES[0])
    assert made["tags"] == {"env": "test"}
    path = f"projects/{PROJECT}/zones/{ZONES[0]}/disks/data"
    for name in ("data", made["id"], ZONES[0] + "/data", path):
        assert cli("volumes", "get", name).json["id"] == made["id"]
    assert cli("volumes", "extend", "data", "20").json["size_gb"] == 20
    refused(cli("volumes", "extend", "data", "20"), 2, "larger")
    used = cli("volumes", "attach", "data", "web1", "--device", "sdx", "--wait").json
    assert (used["status"], used["attached_to"]) == ("in-use", [f"projects/{PROJECT}/zones/{ZONES[0]}/instances/web1"])
    assert cli("volumes", "delete", "data", "--yes").code in (2, 6)
    assert cli("volumes", "detach", "data").json["status"] == "available"
    refused(cli("volumes", "detach", "data", "web1"), 6, "does not have")
    taken = cli("snapshots", "create", "monday", "--volume", "data", "--force", "--wait").json
    assert (taken["status"], taken["volume"], taken["size_gb"]) == ("available", "data", 20)
    assert cli("volumes", "create", "copy", "20", "--snapshot", "monday", "--zone", ZONES[1]).json["snapshot"] == "monday"
    for what, name in (("snapshots", "monday"), ("volumes", "copy"), ("volumes", "data")):
        assert cli(what, "delete", name, "--yes", "--wait").code == 0
        assert cli(what, "get", name).code == 3
    refused(cli("volumes", "create", "v", "1", CLOUDSDK_COMPUTE_ZONE=""), 2, "'zone' is missing")
    refused(cli("volumes", "delete", f"projects/{PROJECT}/zones/{ZONES[0]}/instances/web1", "--yes"), 2, "no identifier")


def test_firewall_rules(cli, gce):
    rules = ("security-groups", "rules")
    made = cli(*rules, "create", "web", "--name", "web-https", "--protocol", "tcp", "--ports", "443", "--network", "default").json
    assert (made["name"], made["group"], made["direction"], made["ports"], made["remote"]) == (
        "web-https", "web", "ingress", "443", ["0.0.0.0/0"])
    assert (made["action"], made["priority"], made["network"]) == ("allow", 1000, "default")
    out = cli(*rules, "create", "web", "--name", "no-dns", "--protocol", "udp", "--ports", "53", "--direction", "egress", "--action", "deny",
              "--cidr", "10.0.0.0/8", "--priority", "5").json
    assert (out["action"], out["direction"], out["remote"], out["priority"]) == ("deny", "egress", ["10.0.0.0/8"], 5)
    inner = cli(*rules, "create", "db", "--name", "from-web", "--remote-group", "web").json
    assert (inner["protocol"], inner["remote_group"], inner["remote"]) == ("any", "web", None)
    assert {r["name"] for r in cli(*rules, "list", "web").items} == {"web-https", "no-dns"}
    assert cli(*rules, "delete", "no-dns", "--yes").code == 0 and len(cli(*rules, "list").items) == 2
    refused(cli(*rules, "create", "web"), 2, "'name' is missing")
    refused(cli("security-groups", "list"), 1, "not supported by gcp")


def test_addresses(cli, gce, web1):
    ip = cli("floating-ips", "allocate", "--name", "front", "--description", "d").json
    assert (ip["address"], ip["status"], ip["zone"]) == ("192.0.2.77", "available", REGION)
    for name in ("front", "192.0.2.77", f"projects/{PROJECT}/regions/{REGION}/addresses/front"):
        assert cli("floating-ips", "get", name).json["id"] == ip["id"]
    used = cli("floating-ips", "associate", "192.0.2.77", "web1", "--wait").json
    assert (used["status"], used["instance"]) == ("in-use", "web1")
    assert cli("instances", "get", "web1").json["addresses"] == ["10.172.0.2", "192.0.2.77"]
    assert cli("floating-ips", "disassociate", "front").json["status"] == "available"
    refused(cli("floating-ips", "disassociate", "front"), 6, "leads to no instance")
    assert cli("floating-ips", "release", "front", "--yes").code == 0 and cli("floating-ips", "list").items == []


@pytest.mark.parametrize("words, path", [
    (("volumes",), f"zones/{ZONES[0]}/disks"), (("snapshots",), "global/snapshots"), (("networks",), "global/networks"),
    (("subnets",), f"regions/{REGION}/subnetworks"), (("security-groups", "rules"), "global/firewalls"),
    (("floating-ips",), f"regions/{REGION}/addresses")])
def test_every_list_is_read_to_its_end(cli, gce, words, path):
    gce.things.clear()
    for n in range(3):
        gce.add(f"{path}/n{n}", sizeGb="1")
    assert [i["name"] for i in cli(*words, "list", "--page-size", "1").items] == ["n0", "n1", "n2"]
    assert len(cli(*words, "list", "--limit", "2").items) == 2


def test_a_lost_answer_makes_one_volume_only_and_a_dry_run_none(cli, gce):
    gce.faults.append(lambda r: "lost" if r.method == "POST" else None)
    assert cli("volumes", "create", "data", "1").json["status"] == "available"
    posts = [dict(r.query)["requestId"] for r in gce.requests if r.method == "POST"]
    assert len(posts) == 2 and posts[0] == posts[1]
    gce.requests.clear()
    assert cli("volumes", "delete", "data", "--yes", "--dry-run").json["would_send"][0]["method"] == "DELETE"
    assert {r.method for r in gce.requests} == {"GET"} and len(gce.things) == 2
