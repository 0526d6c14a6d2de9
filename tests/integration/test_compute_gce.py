"""Compute Engine through the command line, against a server made of Google's own description of the API."""

import pytest

from cli import Cli
from contract import Refused
from gce_contract import ZONES, GceContract

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1fzKqQ3bVJdG4rTrkPq0dJ3l9n1cVJkq0cYQ2vJ0aR me@home"


@pytest.fixture
def gce():
    with GceContract() as server:
        yield server


@pytest.fixture
def cli(gce, tmp_path):
    gce.credentials(tmp_path / "account.json")
    with Cli({"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "account.json"), "CLOUDSDK_COMPUTE_ZONE": ZONES[0],
              "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": gce.endpoint + "/compute/v1/"}) as made:
        yield made


def create(cli, name="web1", *more):
    return cli("instances", "create", name, "--image", "debian-12", "--flavor", "e9-small", *more)


def test_an_instance_from_its_creation_to_its_end(cli, gce, tmp_path):
    (tmp_path / "key").write_text(PUBLIC_KEY + "\n")
    (tmp_path / "data").write_text("#cloud-config\n")
    assert cli("keypairs", "create", "me", "--public-key", str(tmp_path / "key")).code == 0
    made = create(cli, "web1", "--keypair", "me", "--user-data", str(tmp_path / "data"), "--disk-gb", "20", "--tag", "env=test",
                  "--security-group", "http-server", "--network", "default", "--wait").json
    assert made["status"] == "running" and made["provider_status"] == "RUNNING"
    assert (made["flavor"], made["zone"], made["tags"]) == ("e9-small", ZONES[0], {"env": "test"})
    assert made["addresses"] == ["10.172.0.2", "192.0.2.20"] and made["created"] == "2026-11-23T10:00:00.000Z"
    body = gce.last_body
    assert body["disks"][0]["initializeParams"] == {
        "sourceImage": "projects/debian-cloud/global/images/debian-12-bookworm-v20261101", "diskSizeGb": 20}
    assert body["metadata"]["items"] == [{"key": "ssh-keys", "value": "me:" + PUBLIC_KEY},
                                         {"key": "user-data", "value": "#cloud-config\n"}]
    assert body["tags"] == {"items": ["http-server"]}
    for name in ("web1", made["id"], ZONES[0] + "/web1"):
        assert cli("instances", "get", name).json["id"] == made["id"]
    assert cli("instances", "stop", "web1").json["status"] == "stopped"
    assert cli("instances", "start", "web1").json["status"] == "running"
    assert cli("instances", "reboot", "web1", "--mode", "hard").code == 0
    soft = cli("instances", "reboot", "web1")
    assert soft.code == 1 and "--mode hard" in soft.err
    assert cli("instances", "console", "web1", "--lines", "1").json["output"] == "three\n"
    assert cli("instances", "delete", "web1", "--yes", "--wait").code == 0
    assert cli("instances", "get", "web1").code == 3 and not gce.instances


def test_an_operation_that_fails_is_an_error(cli, gce):
    full = cli("instances", "create", "big", "--image", "golden", "--flavor", "n9-huge")
    assert full.code == 7 and "Quota 'CPUS' exceeded" in full.err
    assert not gce.instances


def test_a_lost_answer_starts_one_machine_only(cli, gce):
    gce.faults.append(lambda r: "lost" if r.method == "POST" else None)
    assert create(cli).json["name"] == "web1"
    posts = [dict(r.query)["requestId"] for r in gce.requests if r.method == "POST"]
    assert len(posts) == 2 and posts[0] == posts[1]


def test_every_list_is_read_to_its_end(cli, gce):
    for name, zone in (("a", ZONES[0]), ("b", ZONES[1]), ("same", ZONES[0]), ("same", ZONES[1])):
        assert create(cli, name, "--zone", zone).code == 0
    assert len(cli("instances", "list", "--page-size", "1").items) == 4
    assert len(cli("instances", "list", "--limit", "3").items) == 3
    assert [z["region"] for z in cli("zones", "list", "--page-size", "1").items] == ["europe-west6"] * 2
    assert [f["id"] for f in cli("flavors", "list").items] == ["e9-small", "n9-huge"]
    assert [f["id"] for f in cli("flavors", "list", CLOUDSDK_COMPUTE_ZONE="").items] == ["e9-small", "n9-huge"]
    assert [i["name"] for i in cli("images", "list", "--page-size", "1").items] == [
        "golden", "debian-12-bookworm-v20261101", "debian-13-trixie-v20261101"]
    assert [i["name"] for i in cli("images", "list", "--owner", "self").items] == ["golden"]
    both = cli("instances", "get", "same")
    assert both.code == 6 and "ZONE/NAME" in both.err
    assert cli("instances", "get", ZONES[1] + "/same").json["zone"] == ZONES[1]


def test_images_by_all_their_names(cli):
    full = cli("images", "get", "debian-12").json
    assert full["id"] == "projects/debian-cloud/global/images/debian-12-bookworm-v20261101" and full["owner"] == "debian-cloud"
    for name in (full["id"], "debian-cloud/debian-12", "debian-cloud/family/debian-12", "debian-cloud/" + full["name"]):
        assert cli("images", "get", name).json == full
    assert cli("images", "get", "nothing").code == 3
    assert cli("images", "get", "debian-cloud/../x").code in (1, 2, 3)


def test_keypairs_leave_the_rest_of_the_metadata_alone(cli, gce, tmp_path):
    (tmp_path / "key").write_text(PUBLIC_KEY)
    for name in ("me", "you"):
        assert cli("keypairs", "create", name, "--public-key", str(tmp_path / "key")).code == 0
    assert cli("keypairs", "create", "me", "--public-key", str(tmp_path / "key")).code in (1, 6)
    assert [(k["name"], k["type"], k["public_key"]) for k in cli("keypairs", "list").items] == [
        ("me", "ssh-ed25519", PUBLIC_KEY), ("you", "ssh-ed25519", PUBLIC_KEY)]
    assert cli("keypairs", "delete", "me", "--yes").code == 0
    assert cli("keypairs", "delete", "me", "--yes").code == 3
    assert gce.metadata["items"] == [{"key": "other", "value": "kept"}, {"key": "ssh-keys", "value": "you:" + PUBLIC_KEY}]
    (tmp_path / "evil").write_text(PUBLIC_KEY + "\nroot:" + PUBLIC_KEY)
    assert cli("keypairs", "create", "eve", "--public-key", str(tmp_path / "evil")).code == 2
    none = cli("keypairs", "create", "x")
    assert none.code == 1 and "makes no key pairs" in none.err


def test_metadata_changed_meanwhile_is_not_overwritten(cli, gce, tmp_path):
    (tmp_path / "key").write_text(PUBLIC_KEY)

    def change(request):
        if request.method == "POST":
            gce.metadata["fingerprint"] = "f7"
            gce.faults.remove(change)

    gce.faults.append(change)
    assert cli("keypairs", "create", "me", "--public-key", str(tmp_path / "key")).code == 6
    assert len(gce.metadata["items"]) == 1


def test_a_dry_run_changes_nothing(cli, gce):
    create(cli)
    gce.requests.clear()
    for arguments in (("create", "x", "--image", "golden", "--flavor", "e9-small"), ("stop", "web1"), ("delete", "web1", "--yes")):
        assert cli("instances", *arguments, "--dry-run").json["would_send"][0]["method"] in ("POST", "DELETE")
    assert {r.method for r in gce.requests} == {"GET"}


def test_errors_say_what_happened(cli, gce, tmp_path):
    other = GceContract()
    other.http = gce.http  # only for the address of its token endpoint
    other.credentials(tmp_path / "other.json")
    bad = cli("instances", "list", GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "other.json"))
    assert bad.code == 4
    nowhere = cli("instances", "create", "x", "--image", "golden", "--flavor", "e9-small", CLOUDSDK_COMPUTE_ZONE="")
    assert nowhere.code == 2 and "zone" in nowhere.err
    assert cli("instances", "create", "Not Good", "--image", "golden", "--flavor", "e9-small").code == 2
    gce.requests.clear()
    assert cli("instances", "get", "a b = c").code == 3 and not gce.requests
    gce.faults.append(lambda _: gce.refuse(Refused(403, "rateLimitExceeded", "Rate Limit Exceeded")))
    assert cli("zones", "list").code == 0
