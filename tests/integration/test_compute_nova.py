"""Nova and Glance through the command line, as OpenStack's and as Infomaniak's: a contract server of our own."""

import base64
import json

import pytest

from cli import Cli
from nova_contract import NovaContract

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1fzKqQ3bVJdG4rTrkPq0dJ3l9n1cVJkq0cYQ2vJ0aR me@home"


@pytest.fixture
def nova():
    with NovaContract() as server:
        yield server


@pytest.fixture(params=["openstack", "infomaniak"])
def cli(request, nova):
    with Cli(nova.environment if request.param == "openstack" else nova.infomaniak) as made:
        made.provider = request.param
        yield made


def create(cli, name="web1", *more):
    return cli("instances", "create", name, "--image", "debian-12", "--flavor", "a1-small", *more)


def test_an_instance_from_its_creation_to_its_end(cli, nova, tmp_path):
    (tmp_path / "data").write_text("#cloud-config\n")
    (tmp_path / "key").write_text(PUBLIC_KEY)
    assert cli("keypairs", "create", "me", "--public-key", str(tmp_path / "key")).json["fingerprint"] == "00:11"
    image = next(i for i in nova.images.values() if i["name"] == "debian-12")
    made = create(cli, "web1", "--keypair", "me", "--network", "net-front", "--network", nova.networks["net-back"],
                  "--security-group", "web", "--zone", "nova", "--user-data", str(tmp_path / "data"), "--tag", "env=test").json
    assert made == {"id": made["id"], "name": "web1", "status": "creating", "provider_status": "BUILD", "flavor": "a1-small",
                    "image": image["id"], "zone": "nova", "addresses": ["10.0.0.9", "192.0.2.9"], "keypair": "me",
                    "created": "2026-11-23T10:00:00.000Z", "tags": {"env": "test"}, "provider": cli.provider}
    body = nova.bodies[0]
    assert body["networks"] == [{"uuid": nova.networks["net-front"]}, {"uuid": nova.networks["net-back"]}]
    assert base64.b64decode(body["user_data"]) == b"#cloud-config\n" and body["security_groups"] == [{"name": "web"}]
    assert cli("instances", "reboot", made["id"], "--mode", "hard").code == 6, "it is not there yet"
    assert [i["id"] for i in cli("instances", "list").items] == [made["id"]]
    stopped = cli("instances", "stop", "web1", "--wait").json
    assert (stopped["status"], stopped["provider_status"]) == ("stopped", "SHUTOFF")
    assert cli("instances", "start", "web1").json["status"] == "creating"
    assert cli("instances", "get", "web1").json["status"] in ("creating", "running")
    assert cli("instances", "start", "web1").code == 6
    assert cli("instances", "reboot", "web1", "--wait").json["status"] == "running"
    assert cli("instances", "reboot", made["id"], "--mode", "hard").json["status"] == "restarting"
    assert cli("instances", "console", "web1", "--lines", "2").json == {"instance": made["id"], "output": "two\nthree\n",
                                                                        "provider": cli.provider}
    assert cli("instances", "delete", "web1", "--yes", "--wait").code == 0
    assert nova.servers == {} and cli("instances", "get", "web1").code == 3
    assert cli("instances", "get", made["id"]).code == 3
    assert cli("instances", "list").items == []


def test_a_disk_of_another_size_is_a_volume_of_the_image(cli, nova):
    assert create(cli, "web1", "--disk-gb", "40", "--wait").json["image"] is None
    disk = nova.bodies[0]["block_device_mapping_v2"][0]
    assert disk["volume_size"] == 40 and disk["boot_index"] == 0 and disk["delete_on_termination"] is True
    assert "imageRef" not in nova.bodies[0] and nova.bodies[0]["networks"] == "auto"


def test_every_list_is_read_to_its_end(cli, nova):
    for name in ("a", "b", "c"):
        create(cli, name).json
        cli("keypairs", "create", name).json
    for what, count in {"instances": 3, "images": 4, "flavors": 3, "keypairs": 3}.items():
        nova.requests.clear()
        assert len(cli(what, "list", "--page-size", "1").items) == count
        asked = [r for r in nova.requests if "/identity/" not in r.path]
        assert len(asked) == count, "a page each"
        assert len(cli(what, "list", "--limit", "2").items) == 2
    nova.page_max = 1
    assert len(cli("images", "list").items) == 4
    assert cli("instances", "get", "c").json["name"] == "c", "names are looked for on every page"
    assert [(z["name"], z["status"]) for z in cli("zones", "list").items] == [("nova", "available"), ("dark", "unavailable")]


def test_images_and_flavors(cli, nova):
    assert [i["name"] for i in cli("images", "list", "--name", "ebian").items] == ["debian-12", "debian-13"]
    assert len(cli("images", "list", "--owner", "self").items) == 4
    image = cli("images", "get", "debian-13").json
    assert (image["status"], image["min_disk_gb"], image["architecture"], image["os"]) == ("available", 8, "x86_64", "debian")
    assert cli("images", "get", image["id"]).json == image
    assert cli("images", "get", "twin").code == 6 and cli("images", "get", "nothing").code == 3
    flavor = cli("flavors", "list").items[1]
    assert (flavor["name"], flavor["cpus"], flavor["memory_mb"], flavor["disk_gb"]) == ("a4.big+", 4, 4096, 20)
    assert cli("instances", "create", "x", "--image", image["id"], "--flavor", "a4.big+").json["flavor"] == "a4.big+"


def test_keypairs(cli, nova, tmp_path):
    made = cli("keypairs", "create", "a/b").json
    assert made["private_key"].startswith("-----BEGIN")
    assert cli("keypairs", "create", "a/b").code == 6
    assert [(k["name"], k.get("private_key")) for k in cli("keypairs", "list").items] == [("a/b", None)]
    (tmp_path / "key").write_text("nonsense")
    assert cli("keypairs", "create", "x", "--public-key", str(tmp_path / "key")).code == 2
    assert cli("keypairs", "delete", "a/b", "--yes").code == 0 and nova.keys == {}
    assert cli("keypairs", "delete", "a/b", "--yes").code == 3


def test_a_name_is_no_pattern(nova):
    names = ["web.1", "a+b", "x(y", "[z]", "q*", "p|q", "^s$", "back\\slash"]
    with Cli(nova.environment) as cli:
        for name in [*names, "webx1", "aab", "s"]:
            create(cli, name).json
        for name in names:
            assert cli("instances", "get", name).json["name"] == name


def test_a_dry_run_changes_nothing(cli, nova):
    create(cli, "web1", "--wait").json
    before = json.dumps(nova.servers)
    for arguments in (("create", "x", "--image", "debian-12", "--flavor", "a1-small"), ("stop", "web1"), ("start", "web1"),
                      ("reboot", "web1"), ("delete", "web1", "--yes")):
        done = cli("instances", *arguments, "--dry-run")
        assert len(done.json["would_send"]) == 1 and "token-1" not in done.out + done.err
    assert json.dumps(nova.servers) == before


def test_errors_say_what_happened(cli, nova):
    full = cli("instances", "create", "x", "--image", "debian-12", "--flavor", "huge")
    told = json.loads(full.err)
    assert full.code == 7 and "Quota exceeded" in told["message"]
    assert (told["provider"], told["request_id"]) == (cli.provider, "req-of-nova")
    gone = cli("instances", "create", "x", "--image", "debian-12", "--flavor", "none-such")
    assert gone.code == 2 and "could not be found" in gone.err
    assert create(cli, "x", "--network", "none-such").code == 3
    prefix, secret = ("OS_", "PASSWORD") if cli.provider == "openstack" else ("INFOMANIAK_", "APP_CREDENTIAL_SECRET")
    bad = cli("instances", "list", **{prefix + secret: "no-such-secret"})
    assert bad.code == 4 and prefix in bad.err and "no-such-secret" not in bad.err, bad.err
