"""EC2's volumes, networks and addresses through the command line: against moto, looked at with boto3 past skydir, and against a
strict server of our own that judges parameters and signatures by Amazon's model and has short pages."""

import urllib.parse

import boto3
import pytest

from cli import Cli
from contract import Refused
from ec2_contract import KEY, REGION, SECRET, Ec2Contract
from harness import fleet


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


@pytest.fixture
def judge(moto):
    return boto3.client("ec2", endpoint_url=moto.endpoint, aws_access_key_id="k", aws_secret_access_key="s", region_name="eu-west-1")


@pytest.fixture
def cli(moto):
    with Cli({"AWS_ACCESS_KEY_ID": fleet.KEY, "AWS_SECRET_ACCESS_KEY": fleet.SECRET, "AWS_REGION": "eu-west-1",
              "AWS_ENDPOINT_URL": moto.endpoint}) as made:
        yield made


@pytest.fixture
def instance(judge):
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "vol-host"}]}]
    made = judge.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, InstanceType="t3.micro",
                               TagSpecifications=tags)["Instances"][0]["InstanceId"]
    yield made
    judge.terminate_instances(InstanceIds=[made])


def test_a_volume_from_its_creation_to_its_end(cli, judge, instance):
    made = cli("volumes", "create", "ec2-data", "10", "--zone", "eu-west-1a", "--type", "gp3", "--tag", "env=test", "--wait").json
    assert (made["name"], made["size_gb"], made["type"], made["tags"]) == ("ec2-data", 10, "gp3", {"Name": "ec2-data", "env": "test"})
    assert judge.describe_volumes(VolumeIds=[made["id"]])["Volumes"][0]["Size"] == 10
    assert cli("volumes", "get", "ec2-data").json["id"] == cli("volumes", "get", made["id"]).json["id"] == made["id"]
    assert cli("volumes", "extend", "ec2-data", "20").json["id"] == made["id"]
    used = cli("volumes", "attach", "ec2-data", "vol-host", "--wait").json
    assert (used["status"], used["attached_to"]) == ("in-use", [instance])
    assert judge.describe_volumes(VolumeIds=[made["id"]])["Volumes"][0]["Attachments"][0]["Device"] == "/dev/sdf"
    assert cli("volumes", "detach", "ec2-data", "--wait").json["attached_to"] == []
    taken = cli("snapshots", "create", "ec2-snap", "--volume", "ec2-data", "--description", "d", "--wait").json
    assert (taken["status"], taken["volume"], taken["description"]) == ("available", made["id"], "d")
    assert {s["id"] for s in cli("snapshots", "list").items} >= {taken["id"]}
    copy = cli("volumes", "create", "ec2-copy", "10", "--zone", "eu-west-1a", "--snapshot", "ec2-snap").json
    assert copy["snapshot"] == taken["id"]
    for what, name in (("snapshots", "ec2-snap"), ("volumes", "ec2-copy"), ("volumes", "ec2-data")):
        assert cli(what, "delete", name, "--yes", "--wait").code == 0
        assert cli(what, "get", name).code == 3
    refused(cli("volumes", "create", "v", "1"), 2, "'zone' is missing")
    refused(cli("volumes", "create", "v", "1", "--zone", "eu-west-1a", "--description", "d"), 1, "'description' is not supported by aws")
    refused(cli("backups", "list"), 1, "not supported by aws")


def test_networks_groups_and_rules(cli, judge):
    net = cli("networks", "create", "ec2-office", "--cidr", "10.77.0.0/16").json
    assert (net["name"], net["cidrs"]) == ("ec2-office", ["10.77.0.0/16"])
    sub = cli("subnets", "create", "ec2-front", "--network", "ec2-office", "--cidr", "10.77.1.0/24", "--zone", "eu-west-1a").json
    assert (sub["network"], sub["zone"]) == (net["id"], "eu-west-1a")
    assert [s["id"] for s in cli("subnets", "list", "--network", "ec2-office").items] == [sub["id"]]
    web = cli("security-groups", "create", "ec2-web", "--network", "ec2-office", "--description", "d").json
    db = cli("security-groups", "create", "ec2-db", "--network", net["id"], "--tag", "a=b").json
    assert (web["network"], web["description"], db["tags"]) == (net["id"], "d", {"Name": "ec2-db", "a": "b"})
    rules = ("security-groups", "rules")
    made = cli(*rules, "create", "ec2-web", "--protocol", "tcp", "--ports", "443").json
    assert (made["direction"], made["protocol"], made["ports"], made["remote"]) == ("ingress", "tcp", "443", ["0.0.0.0/0"])
    out = cli(*rules, "create", "ec2-web", "--protocol", "udp", "--ports", "53-54", "--cidr", "10.0.0.0/8", "--direction", "egress").json
    inner = cli(*rules, "create", "ec2-db", "--remote-group", "ec2-web").json
    assert (inner["protocol"], inner["ports"], inner["remote_group"]) == ("any", None, web["id"])
    seen = judge.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [web["id"]]}])["SecurityGroupRules"]
    assert {(r["IsEgress"], r["FromPort"], r["ToPort"]) for r in seen if r["IpProtocol"] != "-1"} == {(False, 443, 443), (True, 53, 54)}
    assert {r["id"] for r in cli(*rules, "list", "ec2-web").items} >= {made["id"], out["id"]}
    for rule in (made, out, inner):
        assert cli(*rules, "delete", rule["id"], "--yes").code == 0, rule
    left = judge.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [web["id"]]}])["SecurityGroupRules"]
    assert [r["IpProtocol"] for r in left] == ["-1"]
    assert cli(*rules, "delete", "web-rule", "--yes").code == 2
    for what, name in (("security-groups", "ec2-web"), ("security-groups", "ec2-db"), ("subnets", "ec2-front"), ("networks", "ec2-office")):
        assert cli(what, "delete", name, "--yes").code == 0
    assert cli("networks", "get", "ec2-office").code == 3


def test_addresses(cli, judge, instance):
    ip = cli("floating-ips", "allocate", "--name", "ec2-ip").json
    assert (ip["name"], ip["status"]) == ("ec2-ip", "available")
    used = cli("floating-ips", "associate", ip["address"], "vol-host", "--wait").json
    assert (used["status"], used["instance"]) == ("in-use", instance)
    assert judge.describe_addresses(AllocationIds=[ip["id"]])["Addresses"][0]["InstanceId"] == instance
    assert cli("floating-ips", "disassociate", "ec2-ip").json["status"] == "available"
    refused(cli("floating-ips", "disassociate", "ec2-ip"), 6, "leads nowhere")
    assert ip["id"] in [i["id"] for i in cli("floating-ips", "list").items]
    assert cli("floating-ips", "release", "ec2-ip", "--yes").code == 0
    refused(cli("floating-ips", "get", ip["address"]), 3, "no floating address")


LISTS = {("volumes",): ("DescribeVolumes", "volumeSet", "volumeId", "vol-"),
         ("snapshots",): ("DescribeSnapshots", "snapshotSet", "snapshotId", "snap-"),
         ("networks",): ("DescribeVpcs", "vpcSet", "vpcId", "vpc-"), ("subnets",): ("DescribeSubnets", "subnetSet", "subnetId", "subnet-"),
         ("security-groups",): ("DescribeSecurityGroups", "securityGroupInfo", "groupId", "sg-"),
         ("security-groups", "rules"): ("DescribeSecurityGroupRules", "securityGroupRuleSet", "securityGroupRuleId", "sgr-")}


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_every_list_is_read_to_its_end(words):
    action, name, identifier, prefix = LISTS[words]
    with Ec2Contract() as server:
        things = [{identifier: f"{prefix}0{n}", "tagSet": [{"key": "Name", "value": f"n{n}"}]} for n in range(3)]
        setattr(server, action, lambda form: server.page(form, name, things))
        with Cli({"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
                  "AWS_ENDPOINT_URL_EC2": server.endpoint}) as cli:
            assert [i["id"] for i in cli(*words, "list", "--page-size", "1").items] == [t[identifier] for t in things]
            assert len(server.requests) == 4
            assert len(cli(*words, "list", "--limit", "2").items) == 2


def test_a_lost_answer_makes_one_volume_only():
    with Ec2Contract() as server:
        made = {}

        def create(form):
            made.setdefault(form["ClientToken"], {"volumeId": f"vol-{len(made)}", "status": "creating", "size": form["Size"]})
            return made[form["ClientToken"]]

        server.CreateVolume = create
        with Cli({"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
                  "AWS_ENDPOINT_URL_EC2": server.endpoint}) as cli:
            server.faults.append(lambda r: "lost" if b"CreateVolume" in r.body else None)
            assert cli("volumes", "create", "v", "1", "--zone", REGION + "a").json["id"] == "vol-0" and len(made) == 1
            server.requests.clear()
            plan = cli("volumes", "create", "v", "1", "--zone", REGION + "a", "--dry-run").json["would_send"]
            assert plan[0]["body"]["Action"] == "CreateVolume" and SECRET not in str(plan)
            server.faults.append(lambda _: server.refuse(Refused(400, "VolumeLimitExceeded", "You have reached the limit")))
            refused(cli("volumes", "create", "w", "1", "--zone", REGION + "a"), 7, "limit")
            assert not [r for r in server.requests if "CreateVolume" not in urllib.parse.unquote(r.body.decode())]
