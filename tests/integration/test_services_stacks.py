"""Stacks through the command line: Heat and Infrastructure Manager by contract servers of our own, CloudFormation by moto, looked
at with boto3. Azure's stand in test_services_azure.py."""

import json

import boto3
import pytest

from cli import Cli
from config_contract import ConfigContract
from harness import fleet
from openstack_contract import HeatContract

TEMPLATE = {"heat_template_version": "2021-04-16", "description": "two things", "parameters": {"size": {"type": "string"},
            "color": {"type": "string", "default": "red"}}, "resources": {"one": {"type": "OS::Test::Thing"}, "two": {"type": "OS::Test::Thing"}},
            "outputs": {"url": {"value": "http://192.0.2.7"}, "all": {"value": {"a": [1]}}}}
QUEUES = {"AWSTemplateFormatVersion": "2010-09-09", "Description": "a queue", "Parameters": {"Delay": {"Type": "String", "Default": "0", "NoEcho": True}, "Size": {"Type": "String", "Default": "1024"}},
          "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "Delay"},
                                                                         "MaximumMessageSize": {"Ref": "Size"}}}},
          "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}}}


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


@pytest.fixture
def heat():
    with HeatContract() as made:
        yield made


@pytest.fixture
def cli(heat):
    with Cli(heat.environment) as made:
        yield made


@pytest.fixture
def template(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps(TEMPLATE))
    return str(tmp_path / "t.json")


def test_a_stack_from_its_creation_to_its_end(cli, heat, template):
    done = cli("stacks", "create", "web", template, "--parameter", "size=small", "--rollback", "--timeout-min", "5", "--wait")
    made = done.json
    assert (made["name"], made["status"], made["provider_status"], made["parameters"]) == (
        "web", "complete", "CREATE_COMPLETE", {"size": "small"})
    assert heat.last_body["disable_rollback"] is False and heat.last_body["timeout_mins"] == 5
    told = [line.split()[1:3] for line in done.err.splitlines()]
    assert told == [["web", "CREATE_IN_PROGRESS"], ["one", "CREATE_COMPLETE"], ["two", "CREATE_COMPLETE"], ["web", "CREATE_COMPLETE"]]
    assert cli("stacks", "get", made["id"]).json["name"] == cli("stacks", "get", "web").json["name"] == "web"
    assert [(r["name"], r["id"], r["status"]) for r in cli("stacks", "resources", "web").items] == [
        ("one", "id-one", "complete"), ("two", "id-two", "complete")]
    assert cli("stacks", "resource", "web", "two").json["type"] == "OS::Test::Thing"
    refused(cli("stacks", "resource", "web", "three"), 3, "could not be found")
    assert {o["name"]: o["value"] for o in cli("stacks", "outputs", "web").items} == {"url": "http://192.0.2.7", "all": '{"a":[1]}'}
    assert json.loads(cli("stacks", "template", "web").json["template"]) == TEMPLATE
    updated = cli("stacks", "update", "web", "--parameter", "color=blue", "--wait")
    assert updated.json["parameters"] == {"size": "small", "color": "blue"}
    assert [line.split()[2] for line in updated.err.splitlines()][0] == "UPDATE_IN_PROGRESS" and "CREATE" not in updated.err
    assert cli("stacks", "suspend", "web", "--wait").json["status"] == "suspended"
    assert cli("stacks", "resume", "web", "--wait").json["status"] == "complete"
    assert len(cli("stacks", "events", "web").items) == 16
    refused(cli("stacks", "create", "web", template, "--parameter", "size=s"), 6, "already exists")
    assert cli("stacks", "delete", "web", "--yes", "--wait").code == 0
    refused(cli("stacks", "get", "web"), 3, "could not be found")


def test_a_stack_that_fails_says_why(cli, tmp_path):
    (tmp_path / "bad.json").write_text(json.dumps({"heat_template_version": "2021-04-16", "resources": {"x": {"type": "OS::Test::Broken"}}}))
    done = cli("stacks", "create-from-file", "bad", str(tmp_path / "bad.json"), "--wait")
    refused(done, 6, "it became 'failed'")
    assert "CREATE_FAILED  it broke" in done.err
    assert cli("stacks", "get", "bad").json["reason"] == "Resource CREATE failed: it broke"


def test_templates_are_checked_and_previewed(cli, heat, template, tmp_path):
    checked = cli("stacks", "validate", template, "--parameter", "size=s").json
    assert checked["valid"] and checked["description"] == "two things"
    assert [(p["name"], p["default"]) for p in checked["parameters"]] == [("size", None), ("color", "red")]
    assert [(c["action"], c["resource"]) for c in cli("stacks", "preview", "new", template, "--parameter", "size=s").items] == [
        ("create", "one"), ("create", "two")]
    refused(cli("stacks", "create", "x", template), 2, "was not provided")
    refused(cli("stacks", "create", "x", template, "--capability", "C"), 1, "'capability' is not supported by openstack")
    (tmp_path / "no").write_text("not: [json")
    refused(cli("stacks", "validate", str(tmp_path / "no")), 2, "Template format")
    assert heat.stacks == {}
    heat.requests.clear()
    assert cli("stacks", "create-from-file", "x", str(tmp_path / "absent")).code in (1, 2, 3) and heat.requests == []
    plan = cli("stacks", "create", "x", template, "--parameter", "size=s", "--dry-run").json["would_send"]
    assert plan[0]["method"] == "POST" and heat.stacks == {}


def test_every_list_is_read_to_its_end(cli, heat, template):
    for name in ("a", "b", "c"):
        assert cli("stacks", "create", name, template, "--parameter", "size=s", "--wait").code == 0
    heat.page_max = 1
    assert [s["name"] for s in cli("stacks", "list", "--page-size", "1").items] == ["a", "b", "c"]
    assert len(cli("stacks", "list", "--limit", "2").items) == 2
    assert len(cli("stacks", "events", "b", "--page-size", "1").items) == 4


@pytest.fixture
def cfn(moto):
    with Cli({"AWS_ACCESS_KEY_ID": fleet.KEY, "AWS_SECRET_ACCESS_KEY": fleet.SECRET, "AWS_REGION": "eu-west-1",
              "AWS_ENDPOINT_URL": moto.endpoint}) as made:
        yield made


def test_cloudformation(cfn, moto, tmp_path):
    judge = boto3.client("cloudformation", endpoint_url=moto.endpoint, aws_access_key_id="k", aws_secret_access_key="s",
                         region_name="eu-west-1")
    (tmp_path / "q.json").write_text(json.dumps(QUEUES))
    file = str(tmp_path / "q.json")
    assert cfn("stacks", "validate", file).json["valid"] is True
    changes = cfn("stacks", "preview", "skydir-q", file).items
    assert [(c["action"], c["resource"], c["type"]) for c in changes] == [("create", "Queue", "AWS::SQS::Queue")]
    assert "skydir-q" not in [s["StackName"] for s in judge.describe_stacks()["Stacks"]]
    done = cfn("stacks", "create", "skydir-q", file, "--parameter", "Delay=5", "--tag", "env=test", "--wait")
    made = done.json
    assert (made["name"], made["status"], made["tags"]) == ("skydir-q", "complete", {"env": "test"})
    assert "CREATE_COMPLETE" in done.err
    seen = judge.describe_stacks(StackName="skydir-q")["Stacks"][0]
    assert {p["ParameterKey"] for p in seen["Parameters"]} == {"Delay", "Size"}
    assert [r["name"] for r in cfn("stacks", "resources", "skydir-q").items] == ["Queue"]
    assert cfn("stacks", "resource", "skydir-q", "Queue").json["type"] == "AWS::SQS::Queue"
    assert [o["name"] for o in cfn("stacks", "outputs", "skydir-q").items] == ["Name"]
    assert json.loads(cfn("stacks", "template", "skydir-q").json["template"]) == QUEUES
    assert cfn("stacks", "events", "skydir-q").items[0]["resource"]
    plan = cfn("stacks", "update", "skydir-q", "--parameter", "Size=2048", "--dry-run").json["would_send"][0]["body"]
    assert {k: v for k, v in plan.items() if k.startswith("Parameters.")} == {
        "Parameters.member.1.ParameterKey": "Delay", "Parameters.member.1.UsePreviousValue": "true",
        "Parameters.member.2.ParameterKey": "Size", "Parameters.member.2.ParameterValue": "2048"}
    assert cfn("stacks", "update", "skydir-q", "--parameter", "Size=2048", "--wait").json["parameters"]["Size"] == "2048"
    queues = boto3.client("sqs", endpoint_url=moto.endpoint, aws_access_key_id="k", aws_secret_access_key="s", region_name="eu-west-1")
    attributes = queues.get_queue_attributes(QueueUrl=cfn("stacks", "resource", "skydir-q", "Queue").json["id"],
                                             AttributeNames=["All"])["Attributes"]
    assert attributes["DelaySeconds"] == "5"  # the value that was not named stayed
    refused(cfn("stacks", "suspend", "skydir-q"), 1, "not supported by aws")
    assert cfn("stacks", "delete", "skydir-q", "--yes", "--wait").code == 0
    assert cfn("stacks", "get", made["name"]).code == 3 and cfn("stacks", "delete", "skydir-q", "--yes").code == 3


def test_infrastructure_manager(tmp_path):
    (tmp_path / "source").write_text("gs://my-bucket/web\n")
    (tmp_path / "broken").write_text("gs://my-bucket/broken\n")
    (tmp_path / "text").write_text('resource "x" "y" {}')
    source = str(tmp_path / "source")
    with ConfigContract() as server:
        server.credentials(tmp_path / "account.json")
        with Cli({"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "account.json"), "CLOUDSDK_COMPUTE_ZONE": "europe-west6-a",
                  "CLOUDSDK_API_ENDPOINT_OVERRIDES_CONFIG": server.endpoint + "/"}) as gcp:
            made = gcp("stacks", "create", "web", source, "--parameter", "size=small", "--tag", "env=test", "--wait").json
            assert (made["name"], made["status"], made["parameters"], made["tags"]) == ("web", "complete", {"size": "small"}, {"env": "test"})
            assert server.last_body["terraformBlueprint"]["gcsSource"] == "gs://my-bucket/web"
            refused(gcp("stacks", "create", "web", source), 6, "already exists")
            assert gcp("stacks", "update", "web", "--parameter", "color=red", "--wait").json["parameters"] == {"size": "small", "color": "red"}
            assert server.last_body["terraformBlueprint"]["gcsSource"] == "gs://my-bucket/web"
            assert [(r["name"], r["status"]) for r in gcp("stacks", "resources", "web", "--page-size", "1").items] == [
                ("google_thing.one", "complete"), ("google_thing.two", "complete")]
            assert gcp("stacks", "resource", "web", "google_thing.two").json["id"] == "id-two"
            assert [e["id"] for e in gcp("stacks", "events", "web").items] == ["r-0", "r-1"]
            assert {o["name"]: o["value"] for o in gcp("stacks", "outputs", "web").items} == {"url": "http://192.0.2.7", "key": None}
            assert gcp("stacks", "template", "web").json["template"] == "gs://my-bucket/web"
            for name in ("web", "new"):
                assert [c["action"] for c in gcp("stacks", "preview", name, source).items] == ["create", "create"]
            refused(gcp("stacks", "preview", "new", str(tmp_path / "broken")), 2, "no such module")
            assert server.previews == {}
            failed = gcp("stacks", "create", "bad", source, "--parameter", "fail=yes", "--wait")
            refused(failed, 6, "it became 'failed'")
            assert gcp("stacks", "get", "bad").json["reason"] == "terraform failed"
            assert [s["name"] for s in gcp("stacks", "list", "--page-size", "1").items] == ["web", "bad"]
            server.requests.clear()
            refused(gcp("stacks", "create", "x", str(tmp_path / "text")), 2, "gs://BUCKET/DIR")
            assert server.requests == []
            refused(gcp("stacks", "suspend", "web"), 1, "not supported by gcp")
            assert gcp("stacks", "delete", "web", "--yes", "--wait").code == 0 and gcp("stacks", "get", "web").code == 3
