"""DNS through the command line on Route 53: against moto, looked at with boto3 past skydir."""

import uuid

import boto3
import pytest

from cli import Cli
from harness import fleet

ENDPOINT = fleet.os.environ.get("SKYDIR_TEST_MOTO_ENDPOINT")
pytestmark = pytest.mark.skipif(not ENDPOINT, reason="moto is not running")


@pytest.fixture
def cli():
    with Cli({"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-central-1",
              "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_ROUTE_53": ENDPOINT}) as made:
        yield made


@pytest.fixture
def boto():
    return boto3.client("route53", endpoint_url=ENDPOINT, region_name="us-east-1", aws_access_key_id="k",
                        aws_secret_access_key="s")


@pytest.fixture
def zone(cli):
    name = f"z{uuid.uuid4().hex[:12]}.example"
    made = cli("dns", "zones", "create", name, "--description", "<a> & b", "--wait").json
    assert (made["name"], made["status"], made["description"]) == (name, "active", "<a> & b")
    yield name
    cli("dns", "zones", "delete", name, "--yes")


def sets_of(boto, zone):
    found = boto.list_hosted_zones_by_name(DNSName=zone)["HostedZones"][0]
    pages = boto.get_paginator("list_resource_record_sets").paginate(HostedZoneId=found["Id"])
    return found["Id"], {(s["Name"], s["Type"]): s for page in pages for s in page["ResourceRecordSets"]}


def test_a_zone_from_its_creation_to_its_end(cli, boto, zone):
    shown = cli("dns", "zones", "get", zone).json
    assert shown["type"] == "public" and shown["nameservers"] and shown["provider"] == "aws"
    assert cli("dns", "zones", "get", shown["id"]).json["name"] == zone
    assert cli("dns", "zones", "update", zone, "--description", "new").json["description"] == "new"
    assert zone in [z["name"] for z in cli("dns", "zones", "list", "--page-size", "1").items]
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.1").json
    assert cli("dns", "zones", "delete", zone, "--yes", "--wait").code == 0, "with all its records"
    assert zone + "." not in [z["Name"] for z in boto.list_hosted_zones()["HostedZones"]]
    assert cli("dns", "zones", "get", zone).code == 3


def test_record_sets_of_every_type(cli, boto, zone):
    sets = {("www", "A"): ["192.0.2.7", "192.0.2.8"], ("www", "AAAA"): ["2001:db8::7"], ("ftp", "CNAME"): ["www.example.org"],
            ("@", "MX"): ["10 mail.example.org"], ("@", "TXT"): ["v=spf1 -all", 'say "x" ' + "ü" * 300],
            ("_sip._tcp", "SRV"): ["0 5 5060 sip.example.org"], ("@", "CAA"): ['0 issue "ca.example"'],
            ("sub", "NS"): ["ns1.example.net"], ("7", "PTR"): ["www.example.org"], ("*.dev", "A"): ["192.0.2.10"]}
    for (name, kind), values in sets.items():
        made = cli("dns", "records", "create", zone, name, kind, *values, "--ttl", "60", "--wait").json
        assert (made["values"], made["ttl"], made["status"]) == (values, 60, "active"), made
        assert cli("dns", "records", "get", zone, name, kind).json["values"] == values
    _, found = sets_of(boto, zone)
    assert [v["Value"] for v in found[f"{zone}.", "MX"]["ResourceRecords"]] == ["10 mail.example.org."]
    text = [v["Value"] for v in found[f"{zone}.", "TXT"]["ResourceRecords"]][1]
    assert text.startswith('"say \\"x\\" \\303\\274') and '" "' in text
    listed = cli("dns", "records", "list", zone, "--page-size", "1").items
    assert len(listed) == len(sets) + 2 and f"*.dev.{zone}" in [s["name"] for s in listed]
    assert [s["type"] for s in cli("dns", "records", "list", zone, "--name", "www", "--type", "AAAA").items] == ["AAAA"]


def test_set_makes_replaces_and_leaves_alone(cli, boto, zone):
    cli("dns", "records", "set", zone, "www", "A", "192.0.2.1").json
    assert cli("dns", "records", "set", zone, "www", "A", "192.0.2.1", "--dry-run").json.get("would_send") is None
    plan = cli("dns", "records", "set", zone, "www", "A", "192.0.2.2", "--dry-run").json["would_send"]
    assert len(plan) == 1 and plan[0]["method"] == "POST"
    made = cli("dns", "records", "set", zone, "www", "A", "192.0.2.2", "192.0.2.3").json
    assert (made["values"], made["ttl"]) == (["192.0.2.2", "192.0.2.3"], 300)
    assert cli("dns", "records", "create", zone, "www", "A", "192.0.2.3").code == 6
    assert cli("dns", "records", "update", zone, "nix", "A", "192.0.2.3").code == 3
    assert cli("dns", "records", "set", zone, "www", "CNAME", "x.example").code == 6
    assert cli("dns", "records", "delete", zone, "www", "A", "--yes", "--wait").code == 0
    assert (f"www.{zone}.", "A") not in sets_of(boto, zone)[1]


def test_aliases_are_shown_and_routing_policies_left_alone(cli, boto, zone):
    zone_id, _ = sets_of(boto, zone)
    alias = {"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": "lb.us-east-1.elb.amazonaws.com", "EvaluateTargetHealth": False}
    weighted = {"Name": f"w.{zone}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    boto.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": [
        {"Action": "CREATE", "ResourceRecordSet": {"Name": f"a.{zone}", "Type": "A", "AliasTarget": alias}},
        {"Action": "CREATE", "ResourceRecordSet": {**weighted, "SetIdentifier": "one", "Weight": 1}},
        {"Action": "CREATE", "ResourceRecordSet": {**weighted, "SetIdentifier": "two", "Weight": 1}}]})
    shown = cli("dns", "records", "get", zone, "a", "A").json
    assert (shown["alias"], shown["values"], shown["ttl"]) == ("lb.us-east-1.elb.amazonaws.com", [], None)
    for arguments in (("set", zone, "w", "A", "192.0.2.9"), ("delete", zone, "w", "A", "--yes")):
        done = cli("dns", "records", *arguments)
        assert done.code == 6 and "routing policy" in done.err
    cli("dns", "records", "set", zone, "a", "A", "192.0.2.5", "--ttl", "60").json
    assert cli("dns", "records", "get", zone, "a", "A").json["alias"] is None
