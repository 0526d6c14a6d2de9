"""EC2 through the command line: against moto, looked at with boto3 past skydir, and against a strict server of our own
that has what moto does not: pages, states that pass slowly, tokens, signatures (judged by botocore), lost answers."""

import urllib.parse

import boto3
import pytest

from cli import Cli
from ec2_contract import KEY, REGION, SECRET, Ec2Contract
from harness import fleet

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1fzKqQ3bVJdG4rTrkPq0dJ3l9n1cVJkq0cYQ2vJ0aR me@home"


@pytest.fixture
def ec2():
    with Ec2Contract() as server:
        yield server


@pytest.fixture
def cli(ec2):
    environment = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
                   "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_EC2": ec2.endpoint}
    with Cli(environment) as made:
        yield made


def forms(server, action):
    found = [dict(urllib.parse.parse_qsl(r.body.decode())) for r in server.requests]
    return [f for f in found if f["Action"] == action]


def create(cli, name="web1", *more):
    return cli("instances", "create", name, "--image", "debian-12", "--flavor", "t9.nano", *more)


def test_an_instance_from_its_creation_to_its_end(cli, ec2):
    made = create(cli, "web1", "--network", "front", "--security-group", "web", "--keypair", "me", "--zone", REGION + "a",
                  "--disk-gb", "20", "--tag", "env=test", "--tag", "Name=ignored", "--wait").json
    assert made == {"id": "i-" + "0" * 17, "name": "web1", "status": "running", "provider_status": "running",
                    "flavor": "t9.nano", "image": "ami-00000000", "zone": REGION + "a", "addresses": ["10.0.0.9", "192.0.2.9"],
                    "keypair": "me", "created": "2026-11-23T10:00:00.000Z", "tags": {"Name": "web1", "env": "test"},
                    "provider": "aws"}
    sent = ec2.last_form
    assert sent["SubnetId"] == "subnet-01" and sent["SecurityGroupId.1"] == "sg-09"
    assert sent["BlockDeviceMapping.1.DeviceName"] == "/dev/xvda" and sent["BlockDeviceMapping.1.Ebs.VolumeSize"] == "20"
    assert [i["id"] for i in cli("instances", "list").items] == [made["id"]]
    assert cli("instances", "get", "web1").json["id"] == cli("instances", "get", made["id"]).json["id"] == made["id"]
    assert cli("instances", "stop", "web1").json["status"] == "stopping"
    assert cli("instances", "stop", "web1", "--wait").json["status"] == "stopped"
    assert cli("instances", "start", made["id"], "--wait").json["status"] == "running"
    assert cli("instances", "reboot", "web1").code == 0
    assert cli("instances", "console", "web1", "--lines", "2").json["output"] == "two\nthree\n"
    assert cli("instances", "delete", "web1", "--yes", "--wait").code == 0
    assert cli("instances", "list").items[0]["status"] == "deleted"
    assert cli("instances", "get", "web1").code == 3


def test_a_lost_answer_starts_one_machine_only(cli, ec2):
    def lose(request):
        return "lost" if b"RunInstances" in request.body else None

    ec2.faults.append(lose)
    assert create(cli).json["name"] == "web1"
    tokens = [f["ClientToken"] for f in forms(ec2, "RunInstances")]
    assert len(tokens) == 2 and tokens[0] == tokens[1]
    assert len(ec2.instances) == 1
    assert create(cli, "web2").code == 0
    assert len(ec2.instances) == 2


def test_every_list_is_read_to_its_end(cli, ec2):
    for name in ("a", "b", "c"):
        create(cli, name)
    lists = {"instances": 3, "images": 4, "flavors": 2}
    for what, count in lists.items():
        ec2.requests.clear()
        assert len(cli(what, "list", "--page-size", "1").items) == count
        assert len(ec2.requests) == count + 1
    assert len(cli("instances", "list", "--limit", "2").items) == 2
    assert [f["id"] for f in cli("flavors", "list", "--zone", REGION + "a").items] == ["t9.big"]
    assert [z["name"] for z in cli("zones", "list").items] == [REGION + "a", REGION + "b"]


def test_images_are_found_by_a_part_of_their_name(cli, ec2):
    assert [i["name"] for i in cli("images", "list", "--name", "ebian").items] == ["debian-12", "debian-13"]
    image = cli("images", "get", "debian-13").json
    assert (image["id"], image["min_disk_gb"], image["architecture"]) == ("ami-00000001", 8, "arm64")
    assert cli("images", "get", "ami-00000001").json == image
    twin = cli("images", "get", "twin")
    assert twin.code == 6 and "2 things of kind image are named 'twin'" in twin.err
    assert cli("images", "get", "ami-99999999").code == 3


def test_keypairs(cli, ec2, tmp_path):
    (tmp_path / "key").write_text(PUBLIC_KEY)
    assert cli("keypairs", "create", "me", "--public-key", str(tmp_path / "key")).json["name"] == "me"
    again = cli("keypairs", "create", "me", "--public-key", str(tmp_path / "key"))
    assert again.code in (1, 6) and "already exists" in again.err
    assert cli("keypairs", "list").items[0]["public_key"] == PUBLIC_KEY
    assert cli("keypairs", "delete", "me", "--yes").code == 0
    assert cli("keypairs", "delete", "me", "--yes").code == 3


def test_a_dry_run_changes_nothing(cli, ec2):
    create(cli)
    ec2.requests.clear()
    for arguments in (("create", "x", "--image", "ami-1", "--flavor", "t9.nano", "--user-data", "/dev/null"),
                      ("stop", "web1"), ("start", "web1"), ("reboot", "web1"), ("delete", "web1", "--yes")):
        plan = cli("instances", *arguments, "--dry-run").json["would_send"]
        assert plan[0]["method"] == "POST" and plan[0]["body"]["Action"].endswith("Instances")
        assert SECRET not in str(plan) and KEY not in str(plan)
    assert {dict(urllib.parse.parse_qsl(r.body.decode()))["Action"] for r in ec2.requests} == {"DescribeInstances"}


def test_errors_say_what_happened(cli, ec2):
    full = cli("instances", "create", "x", "--image", "ami-00000000", "--flavor", "t9.big")
    assert full.code == 7 and "vCPU" in full.err and "req-of-ec2" in full.err
    assert cli("instances", "get", "i-0123456789abcdef0").code == 3
    state = cli("instances", "reboot", create(cli).json["id"])  # still pending
    assert state.code == 6 and "not in a state" in state.err
    hard = cli("instances", "reboot", "web1", "--mode", "hard")
    assert hard.code == 1 and "no hard reboot" in hard.err
    bad = cli("instances", "list", AWS_SECRET_ACCESS_KEY="wrong")
    assert bad.code == 4 and "wrong" not in bad.err
    nowhere = cli("instances", "list", AWS_REGION="")
    assert nowhere.code != 0 and "AWS_REGION" in nowhere.err


def test_an_error_in_an_answer_of_status_200_is_no_empty_list(cli, ec2):
    from contract import Refused

    ec2.faults.append(lambda _: (200, *ec2.refuse(Refused(200, "UnauthorizedOperation", "You may not"))[1:]))
    refused = cli("instances", "list")
    assert refused.code == 4 and "You may not" in refused.err


def test_throttled_calls_are_made_again(cli, ec2):
    from contract import Refused

    for _ in range(2):
        ec2.faults.append(lambda _: ec2.refuse(Refused(503, "RequestLimitExceeded", "Request limit exceeded.")))
    assert cli("zones", "list").code == 0
    assert len(ec2.requests) == 3


def test_one_broken_provider_does_not_spoil_the_others(ec2):
    section = (f"type = aws\nregion = {REGION}\nendpoint = {ec2.endpoint}\naccess-key-id = {KEY}\n"
               "secret-access-key = {}\n")
    with Cli(config=f"[good]\n{section.format(SECRET)}[bad]\n{section.format('x')}") as cli:
        create_one = cli("instances", "create", "a", "--image", "ami-00000000", "--flavor", "t9.nano", "--provider", "good")
        assert create_one.code == 0, create_one.err
        every = cli("instances", "list", "--all-providers")
        assert every.code == 10
        shown = cli.run("instances", "list", "--all-providers").out.splitlines()
        assert shown[0].split()[:2] == ["PROVIDER", "ID"] and [line.split()[0] for line in shown[1:]] == ["good"]
        assert cli.run("instances", "list", "--all-providers", "--output", "csv").out.startswith("provider,id,name")
        assert "PROVIDER" not in cli.run("instances", "list", "--provider", "good").out
        assert '"provider":"good"' in every.out.replace(" ", "") and "bad" in every.out + every.err


def test_against_moto_and_boto3(moto):
    environment = {"AWS_ACCESS_KEY_ID": fleet.KEY, "AWS_SECRET_ACCESS_KEY": fleet.SECRET, "AWS_REGION": "eu-west-1",
                   "AWS_ENDPOINT_URL": moto.endpoint}
    judge = boto3.client("ec2", endpoint_url=moto.endpoint, aws_access_key_id="k", aws_secret_access_key="s",
                         region_name="eu-west-1")
    image = judge.describe_images()["Images"][0]["ImageId"]
    with Cli(environment) as cli:
        made = [cli("instances", "create", f"vm{n}", "--image", image, "--flavor", "t3.micro", "--tag", "a=b").json["id"]
                for n in range(3)]
        seen = [i for r in judge.describe_instances()["Reservations"] for i in r["Instances"]]
        assert {i["InstanceId"] for i in seen} >= set(made)
        assert {"Key": "a", "Value": "b"} in seen[0]["Tags"]
        assert {i["id"] for i in cli("instances", "list", "--page-size", "1").items} >= set(made)
        assert cli("instances", "stop", "vm0", "--wait").json["status"] == "stopped"
        assert judge.describe_instances(InstanceIds=[made[0]])["Reservations"][0]["Instances"][0]["State"]["Name"] == "stopped"
        assert cli("instances", "start", "vm0", "--wait").json["status"] == "running"
        key = cli("keypairs", "create", "pair").json
        assert key["private_key"].startswith("-----BEGIN")
        assert judge.describe_key_pairs(KeyNames=["pair"])["KeyPairs"]
        assert cli("keypairs", "delete", "pair", "--yes").code == 0
        for one in made:
            assert cli("instances", "delete", one, "--yes", "--wait").code == 0
        states = {i["State"]["Name"] for r in judge.describe_instances()["Reservations"] for i in r["Instances"]}
        assert states == {"terminated"}
