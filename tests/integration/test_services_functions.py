"""Functions through the command line: Lambda by a contract server of our own (calls, logs, pages) and by moto, looked at with boto3."""

import base64
import io
import os
import zipfile

import boto3
import pytest

from cli import Cli
from harness import fleet
from lambda_contract import ACCOUNT, LambdaContract

ROLE = f"arn:aws:iam::{ACCOUNT}:role/runner"
PYTHON = ("--runtime", "python3.13", "--handler", "main.handler", "--role", ROLE)
HUSH = "hush-Hush~1"


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


@pytest.fixture
def server():
    with LambdaContract() as made:
        yield made


@pytest.fixture
def cli(server):
    with Cli(server.environment) as made:
        yield made


@pytest.fixture
def code(tmp_path):
    """A directory with all that may be packed."""
    top = tmp_path / "hello"
    (top / "lib" / "empty").mkdir(parents=True)
    (top / "main.py").write_text("def handler(event, context):\n    return {'echo': event}\n")
    (top / "lib" / "tööl").write_text("#!/bin/sh\n")
    (top / "lib" / "tööl").chmod(0o700)
    (top / "lib" / "link").symlink_to("../main.py")
    return top


def test_a_function_from_its_creation_to_its_end(cli, server, code, tmp_path):
    (tmp_path / "secrets").write_text(f"# those of the function\n\nDB_KEY={HUSH}\n")
    done = cli("functions", "create", "hello", str(code), *PYTHON, "--memory-mb", "256", "--timeout-s", "30", "--env", "A=1", "--tag", "t=x",
               "--description", "says hello", "--secrets-file", str(tmp_path / "secrets"), "--wait")
    made = done.json
    assert (made["name"], made["status"], made["provider_status"], made["runtime"], made["handler"], made["memory_mb"], made["timeout_s"]) == (
        "hello", "active", "Active", "python3.13", "main.handler", 256, 30)
    assert (made["env"], made["tags"], made["description"], made["updated"]) == (
        ["A", "DB_KEY"], {"t": "x"}, "says hello", "2026-11-23T10:00:00.123Z")
    assert server.functions["hello"]["Environment"] == {"Variables": {"A": "1", "DB_KEY": HUSH}}
    files = server.functions["hello"]["_files"]
    assert {n: m for n, (m, _) in files.items()} == {"lib/": "drwxr-xr-x", "lib/empty/": "drwxr-xr-x", "lib/link": "lrwxrwxrwx",
                                                    "lib/tööl": "-rwxr-xr-x", "main.py": "-rw-r--r--"}
    assert files["main.py"][1] == (code / "main.py").read_bytes() and files["lib/link"][1] == b"../main.py"
    told = cli("functions", "get", made["id"], "--raw")
    assert told.json["raw"]["Environment"]["Variables"] == {"A": "***", "DB_KEY": "***"} and HUSH not in told.out + done.out + done.err
    refused(cli("functions", "create", "hello", str(code), *PYTHON), 6, "already exist")
    (code / "main.py").write_text("other")
    assert cli("functions", "update", "hello", str(code), "--wait").code == 0
    assert server.functions["hello"]["_files"]["main.py"][1] == b"other" and set(server.last_body) == {"ZipFile"}
    assert cli("functions", "update", "hello", "--location", "s3://code/dir/x.zip").code == 0
    assert server.last_body == {"S3Bucket": "code", "S3Key": "dir/x.zip"}
    assert cli("functions", "delete", "hello", "--yes", "--wait").code == 0
    refused(cli("functions", "get", "hello"), 3, "Function not found")
    refused(cli("functions", "create", "fail", str(code), *PYTHON, "--wait"), 6, "it became 'failed'")
    assert cli("functions", "get", "fail").json["reason"] == "the image is gone"


def test_a_function_is_called(cli, server, code):
    assert cli("functions", "create", "hello", str(code), *PYTHON, "--wait").code == 0
    called = cli("functions", "invoke", "hello", '{"name": "me"}', "--version", "7").json
    assert (called["payload"], called["version"], called["http_status"], called["log"], called["request_id"]) == (
        {"echo": {"name": "me"}}, "7", 200, "START\ngiven it\nEND\n", "req-call")
    assert cli("functions", "invoke", "hello").json["payload"] == {"echo": {}}
    assert cli("functions", "invoke", "hello", "{}", "--async").json["http_status"] == 202
    refused(cli("functions", "invoke", "hello", "{}", "--version", "8"), 3, "not found")
    server.functions["hello"]["Handler"] = "main.bytes"
    answer = cli("functions", "invoke", "hello").json
    assert answer["is_base64"] and base64.b64decode(answer["payload"]) == b"\xff\x00\xfe"
    server.functions["hello"]["Handler"] = "main.fail"
    failed = cli("functions", "invoke", "hello")
    refused(failed, 1, "the function failed (Unhandled): ZeroDivisionError: division by zero")
    assert "START\ngiven it\nEND\n" in failed.err and not failed.out  # its log, line by line


def test_a_call_whose_answer_is_lost_is_not_made_twice(cli, server, code):
    assert cli("functions", "create", "hello", str(code), *PYTHON, "--wait").code == 0
    server.requests.clear()
    server.faults.append(lambda request: "lost" if request.path.endswith("/invocations") else None)
    assert cli("functions", "invoke", "hello").code == 5
    assert [r.method for r in server.requests] == ["POST"]


def test_logs(cli, server, code):
    assert cli("functions", "create", "hello", str(code), *PYTHON, "--wait").code == 0
    assert cli("functions", "logs", "hello").items == []  # it never ran: there is no log
    assert cli("functions", "invoke", "hello", '{"n": 1}').code == 0
    server.logs["/aws/lambda/hello"].insert(0, (1000, "of 1970"))
    lines = cli("functions", "logs", "hello", "--since", "10m", "--page-size", "1").items
    assert [line["message"] for line in lines] == ["START", 'given {"n": 1}\n', "END"] and lines[0]["time"].startswith("20")
    assert len(cli("functions", "logs", "hello", "--since", "40000d").items) == 4
    assert len(cli("functions", "logs", "hello", "--limit", "2").items) == 2
    server.functions["hello"]["LoggingConfig"]["LogGroup"] = "elsewhere"
    assert cli("functions", "logs", "hello").items == []
    refused(cli("functions", "logs", "nobody"), 3, "Function not found")


def test_the_list_is_read_to_its_end(cli, server, code):
    for name in ("a", "b", "c"):
        assert cli("functions", "create", name, str(code), *PYTHON, "--env", f"X={HUSH}").code == 0
    done = cli("functions", "list", "--page-size", "1", "--raw")
    assert [f["name"] for f in done.items] == ["a", "b", "c"] and done.items[0]["env"] == ["X"] and HUSH not in done.out
    assert len(cli("functions", "list", "--limit", "2").items) == 2


def test_what_is_wrong_is_told_before_anything_is_sent(cli, server, code, tmp_path):
    (tmp_path / "bad").write_bytes(b"PK\x03\x04 no zip")
    (tmp_path / "empty").mkdir()
    (tmp_path / "secrets").write_text(f"A=1\n{HUSH}\n")
    create = ("functions", "create", "x")
    refused(cli(*create, *PYTHON), 2, "'code' is missing")
    refused(cli(*create, str(code), "--location", "s3://b/k", *PYTHON), 2, "exclude each other")
    refused(cli(*create, str(code), *PYTHON[:4]), 2, "'role' is missing")
    refused(cli(*create, "--location", "https://b/k", *PYTHON), 2, "s3://BUCKET/KEY")
    refused(cli(*create, str(tmp_path / "absent"), *PYTHON), 3, "cannot read the code")
    refused(cli(*create, str(tmp_path / "bad"), *PYTHON), 2, "is a broken zip")
    refused(cli(*create, str(tmp_path / "empty"), *PYTHON), 2, "there is nothing in")
    refused(cli(*create, str(code), *PYTHON, "--plan", "p"), 1, "'plan' is not supported by aws")
    done = cli(*create, str(code), *PYTHON, "--secrets-file", str(tmp_path / "secrets"))
    refused(done, 2, "line 2 of the secrets")
    assert HUSH not in done.err
    refused(cli("functions", "invoke", "x", "no json"), 2, "is no JSON")
    refused(cli("functions", "logs", "x", "--since", "yesterday"), 2, "'since'")
    refused(cli("functions", "get", ".."), 2, "must not be")
    os.mkfifo(code / "pipe")
    refused(cli(*create, str(code), *PYTHON), 2, "neither file, directory nor link")
    (code / "pipe").unlink()
    for target in ("/etc/passwd", "../../outside", "../lib/../../x"):
        (code / "lib" / "link").unlink()
        (code / "lib" / "link").symlink_to(target)
        refused(cli(*create, str(code), *PYTHON), 2, "leads out of what is packed")
    assert server.requests == []


def test_a_dry_run_sends_nothing_and_shows_no_secret(cli, server, code, tmp_path):
    (tmp_path / "secrets").write_text(f"PLAIN_NAME={HUSH}")
    done = cli("functions", "create", "x", str(code), *PYTHON, "--secrets-file", str(tmp_path / "secrets"), "--dry-run")
    plan = done.json["would_send"][0]
    assert plan["method"] == "POST" and plan["body"]["Code"]["ZipFile"].startswith("(a zip of ") and HUSH not in done.out + done.err
    assert plan["body"]["Environment"]["Variables"] == {"PLAIN_NAME": "***"} and server.requests == []
    assert cli("functions", "invoke", "x", '{"a": 1}', "--dry-run").json["would_send"][0]["body"] == {"a": 1}
    assert server.requests == []


def test_the_same_files_are_the_same_zip(cli, server, code, tmp_path):
    sent = []
    for name in ("a", "b"):
        os.utime(code / "main.py", (len(sent) * 1e6, len(sent) * 1e6))
        assert cli("functions", "create", name, str(code), *PYTHON).code == 0
        sent.append(server.last_body["Code"]["ZipFile"])
    assert sent[0] == sent[1]
    (tmp_path / "own.zip").write_bytes(base64.b64decode(sent[0]))
    assert cli("functions", "create", "c", str(tmp_path / "own.zip"), *PYTHON).code == 0
    assert server.last_body["Code"]["ZipFile"] == sent[0]  # a zip goes as it is
    (tmp_path / "other").symlink_to(code)
    assert cli("functions", "create", "e", str(tmp_path / "other"), *PYTHON).code == 0
    assert server.last_body["Code"]["ZipFile"] == sent[0]
    assert cli("functions", "create", "d", str(code / "main.py"), *PYTHON).code == 0
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(server.last_body["Code"]["ZipFile"]))) as z:
        assert z.namelist() == ["main.py"]


def test_code_that_is_too_large_is_not_sent(cli, server, tmp_path):
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "noise").write_bytes(os.urandom(51 << 20))
    refused(cli("functions", "create", "x", str(tmp_path / "big"), *PYTHON), 1, "at most 50 MiB may be sent")
    with zipfile.ZipFile(tmp_path / "stored.zip", "w") as z:  # it would be small once more packed, and of no use
        z.writestr("zeros", bytes(51 << 20))
    refused(cli("functions", "create", "x", str(tmp_path / "stored.zip"), *PYTHON), 1, "at most 50 MiB may be sent")
    with open(tmp_path / "big" / "hole", "wb") as f:
        f.truncate(600 << 20)
    refused(cli("functions", "create", "x", str(tmp_path / "big"), *PYTHON), 1, "larger than 512 MiB unpacked")
    assert server.requests == []


def test_lambda_by_moto(moto, code):
    more = {"endpoint_url": moto.endpoint, "aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "eu-west-1"}
    iam, judge = boto3.client("iam", **more), boto3.client("lambda", **more)
    role = iam.create_role(RoleName="skydir-runner", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    with Cli({"AWS_ACCESS_KEY_ID": fleet.KEY, "AWS_SECRET_ACCESS_KEY": fleet.SECRET, "AWS_REGION": "eu-west-1",
              "AWS_ENDPOINT_URL": moto.endpoint}) as cli:
        made = cli("functions", "create", "skydir-fn", str(code), *PYTHON[:4], "--role", role, "--env", "A=1", "--wait").json
        seen = judge.get_function(FunctionName="skydir-fn")
        assert made["id"] == seen["Configuration"]["FunctionArn"] and seen["Configuration"]["Environment"]["Variables"] == {"A": "1"}
        assert made["code_bytes"] == seen["Configuration"]["CodeSize"] > 100
        assert "skydir-fn" in [f["name"] for f in cli("functions", "list").items]
        assert cli("functions", "delete", "skydir-fn", "--yes", "--wait").code == 0
        assert "skydir-fn" not in [f["FunctionName"] for f in judge.list_functions()["Functions"]]
    iam.delete_role(RoleName="skydir-runner")
