"""Databases through the command line: RDS by a contract server of our own and by moto, looked at with boto3."""

import boto3
import pytest

from cli import Cli
from harness import fleet
from rds_contract import RdsContract

HUSH = "hush-Hush~1"
CREATE = ("--class", "db.t4g.micro", "--size-gb", "20", "--user", "root")


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


@pytest.fixture
def server():
    with RdsContract() as made:
        yield made


@pytest.fixture
def cli(server):
    with Cli(server.environment) as made:
        yield made


@pytest.fixture
def password(tmp_path):
    (tmp_path / "password").write_text(HUSH + "\n")
    return "--password-file", str(tmp_path / "password")


def test_a_database_from_its_creation_to_its_end(cli, server, password):
    done = cli("databases", "create", "shop", "postgres", *CREATE, *password, "--version", "16.4", "--replicated", "--tag", "env=test",
               "--security-group", "sg-1", "--security-group", "sg-2", "--backup-days", "7", "--wait")
    made = done.json
    assert (made["name"], made["status"], made["engine"], made["version"], made["class"], made["size_gb"], made["user"]) == (
        "shop", "available", "postgres", "16.4", "db.t4g.micro", 20, "root")
    assert (made["host"], made["port"], made["public"], made["replicated"], made["tags"], made["created"]) == (
        "shop.rds.invalid", 5432, False, True, {"env": "test"}, "2026-11-23T10:00:00.123Z")
    form = server.forms[0][1]
    assert form["MasterUserPassword"] == HUSH and form["VpcSecurityGroupIds.VpcSecurityGroupId.2"] == "sg-2"
    assert HUSH not in done.out + done.err
    refused(cli("databases", "create", "shop", "postgres", *CREATE, *password), 6, "already exists")
    refused(cli("databases", "start", "shop"), 6, "is not in stopped state")
    assert cli("databases", "stop", "shop", "--wait").json["status"] == "stopped"
    assert cli("databases", "start", "shop", "--wait").json["status"] == "available"
    assert cli("databases", "reboot", "shop", "--wait").json["status"] == "available"
    taken = cli("databases", "snapshots", "create", "monday", "--database", "shop", "--wait").json
    assert (taken["status"], taken["database"], taken["kind"], taken["size_gb"]) == ("available", "shop", "manual", 20)
    refused(cli("databases", "snapshots", "create", "monday", "--database", "shop"), 6, "one exists")
    refused(cli("databases", "delete", "shop", "--yes"), 2, "--final-snapshot NAME")
    assert "shop" in server.instances
    assert cli("databases", "delete", "shop", "--final-snapshot", "end", "--yes", "--wait").code == 0
    refused(cli("databases", "get", "shop"), 3, "not found")
    assert [s["name"] for s in cli("databases", "snapshots", "list").items] == ["monday", "end"]
    assert cli("databases", "snapshots", "delete", "end", "--yes", "--wait").code == 0
    refused(cli("databases", "snapshots", "get", "end"), 3, "not found")


def test_passwords(cli, server, password, tmp_path):
    assert cli("databases", "create", "a", "mysql", *CREATE, "--password-file", "-", stdin=HUSH).code == 0
    assert cli("databases", "create", "b", "mysql", *CREATE, SKYDIR_DATABASE_PASSWORD=HUSH).code == 0
    assert [f["MasterUserPassword"] for _, f in server.forms if "MasterUserPassword" in f] == [HUSH, HUSH]
    assert cli("databases", "create", "c", "mysql", *CREATE, "--managed-password").code == 0
    server.requests.clear()
    plan = cli("databases", "create", "d", "mysql", *CREATE, *password, "--dry-run")
    assert plan.json["would_send"][0]["body"]["MasterUserPassword"] == "***" and HUSH not in plan.out + plan.err
    refused(cli("databases", "create", "d", "mysql", *CREATE), 2, "'password' is missing")
    refused(cli("databases", "create", "d", "mysql", *CREATE, *password, "--managed-password"), 2, "exclude each other")
    (tmp_path / "two").write_text(f"{HUSH}\nmore\n")
    done = cli("databases", "create", "d", "mysql", *CREATE, "--password-file", str(tmp_path / "two"))
    refused(done, 2, "must be one line")
    assert HUSH not in done.err and server.requests == []
    assert cli("databases", "create", "d", "mysql", *CREATE, "--password", HUSH).code == 2  # there is no such option


def test_what_fails(cli, server, password):
    refused(cli("databases", "create", "x", "mysql", "--class", "db.huge", *CREATE[2:], *password), 7, "quota exceeded")
    refused(cli("databases", "create", "broken", "mysql", *CREATE, *password, "--wait"), 6, "it became 'failed'")
    server.requests.clear()
    refused(cli("databases", "create", "x", "mysql", "--class", "db.t4g.micro", "--user", "root", *password), 2, "'size_gb' is missing")
    refused(cli("databases", "create", "x", "mysql", *CREATE, *password, "--network", "n"), 1, "'network' is not supported by aws")
    refused(cli("databases", "create", "x", "mysql", *CREATE, "--size-gb", "0", *password), 2, "'size_gb' must be 1 to")
    refused(cli("databases", "delete", "x", "--final-snapshot", "s", "--no-final-snapshot", "--yes"), 2, "--final-snapshot NAME")
    refused(cli("databases", "delete", "x", "--no-final-snapshot"), 2, "cannot be undone")
    assert server.requests == []


def test_every_list_is_read_to_its_end(cli, server, password):
    for name in ("a", "b", "c"):
        assert cli("databases", "create", name, "mysql", *CREATE, *password).code == 0
        assert cli("databases", "snapshots", "create", "of-" + name, "--database", name).code == 0
    assert [d["name"] for d in cli("databases", "list", "--page-size", "1").items] == ["a", "b", "c"]
    assert [s["name"] for s in cli("databases", "snapshots", "list", "--page-size", "1").items] == ["of-a", "of-b", "of-c"]
    assert [s["name"] for s in cli("databases", "snapshots", "list", "--database", "b").items] == ["of-b"]
    assert len(cli("databases", "list", "--limit", "2").items) == 2


def test_rds_by_moto(moto, password):
    judge = boto3.client("rds", endpoint_url=moto.endpoint, aws_access_key_id="k", aws_secret_access_key="s", region_name="eu-west-1")
    with Cli({"AWS_ACCESS_KEY_ID": fleet.KEY, "AWS_SECRET_ACCESS_KEY": fleet.SECRET, "AWS_REGION": "eu-west-1",
              "AWS_ENDPOINT_URL": moto.endpoint}) as cli:
        made = cli("databases", "create", "skydir-db", "postgres", *CREATE, *password, "--tag", "a=b", "--wait").json
        seen = judge.describe_db_instances(DBInstanceIdentifier="skydir-db")["DBInstances"][0]
        assert (made["status"], seen["DBInstanceStatus"], seen["AllocatedStorage"], seen["MasterUsername"]) == ("available", "available", 20, "root")
        assert seen["TagList"] == [{"Key": "a", "Value": "b"}] and seen["StorageEncrypted"] is True
        assert cli("databases", "snapshots", "create", "skydir-s", "--database", "skydir-db", "--wait").json["status"] == "available"
        assert judge.describe_db_snapshots(DBSnapshotIdentifier="skydir-s")["DBSnapshots"][0]["DBInstanceIdentifier"] == "skydir-db"
        assert cli("databases", "stop", "skydir-db", "--wait").json["status"] == "stopped"
        assert judge.describe_db_instances(DBInstanceIdentifier="skydir-db")["DBInstances"][0]["DBInstanceStatus"] == "stopped"
        assert cli("databases", "start", "skydir-db", "--wait").json["status"] == "available"
        assert cli("databases", "delete", "skydir-db", "--no-final-snapshot", "--yes", "--wait").code == 0
        assert cli("databases", "snapshots", "delete", "skydir-s", "--yes").code == 0
        assert judge.describe_db_instances()["DBInstances"] == []
