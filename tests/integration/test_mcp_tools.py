"""What tools do for an agent: the three with fixed names against services, progress and cancelling, also of calls that a mount's daemon
does; and the inspector's command line as a client that others wrote."""

import json
import os
import pathlib
import subprocess
import uuid

import boto3
import pytest
from harness import SKYDIR, fleet

from nova_contract import NovaContract
from test_mcp import environment, place, talk  # noqa: F401 (a fixture)


@pytest.fixture
def nova():
    with NovaContract() as server:
        yield server


def wrapper(place, variables):
    """skydir with these variables."""
    exports = "".join(f"export {k}='{v}'\n" for k, v in variables.items())
    (place / "run.sh").write_text(f'#!/bin/sh\n{exports}exec {SKYDIR} "$@"\n')
    (place / "run.sh").chmod(0o700)
    return str(place / "run.sh")


def talk_with(place, variables, work, mode, *args, **client):
    """As talk(), with variables of a provider."""
    return talk(place, work, mode, *args, command=wrapper(place, variables), **client)


# ---- the three tools ----


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_instances_of_infomaniak(place, nova, mode):
    async def work(c):
        await c.call_tool("instances.create", {"name": "web1", "image": "debian-12", "flavor": "a1-small", "provider": "infomaniak",
                                               "wait": True})
        return (await c.call_tool("list_cloud_instances", {})).structured_content

    found = talk_with(place, nova.infomaniak, work, mode, "--allow", "changes")
    assert found["status"] == "success" and found["count"] == len(found["instances"]) == 1
    one = found["instances"][0]
    assert (one["name"], one["status"], one["flavor"], one["addresses"]) == ("web1", "running", "a1-small", ["10.0.0.9", "192.0.2.9"])
    assert one["id"] in nova.servers and one["image"] in nova.images


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_buckets_and_uploads_to_s3(place, versitygw, mode):
    name = f"t{uuid.uuid4().hex[:12]}"
    s3 = boto3.client("s3", endpoint_url=versitygw.endpoint, region_name=fleet.REGION, aws_access_key_id=versitygw.key,
                      aws_secret_access_key=versitygw.secret)
    s3.create_bucket(Bucket=name)
    data = os.urandom(100_000)
    (place / "file").write_bytes(data)
    keys = {"INFOMANIAK_S3_ACCESS_KEY": versitygw.key, "INFOMANIAK_S3_SECRET_KEY": versitygw.secret,
            "INFOMANIAK_S3_ENDPOINT": versitygw.endpoint + "/"}

    async def work(c):
        return (await c.call_tool("list_s3_buckets", {}),
                await c.call_tool("upload_file_to_s3", {"file_path": str(place / "file"), "bucket": name, "object_name": "d/ö"}),
                await c.call_tool("upload_file_to_s3", {"file_path": str(place / "file"), "bucket": name + "x", "object_name": "k"}))

    buckets, sent, failed = talk_with(place, keys, work, mode, "--allow", "changes")
    assert buckets.structured_content["status"] == "success" and name in buckets.structured_content["buckets"]
    assert buckets.structured_content["count"] == len(buckets.structured_content["buckets"])
    assert sent.structured_content["status"] == "success" and not sent.is_error
    assert sent.structured_content["message"].startswith("Successfully uploaded ")
    assert s3.get_object(Bucket=name, Key="d/ö")["Body"].read() == data
    assert failed.is_error and failed.structured_content["status"] == "error" and failed.structured_content["message"]
    assert versitygw.secret not in str((buckets, sent, failed))


# ---- progress and cancelling ----


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_long_call_tells_its_progress(place, mode):
    told = []

    async def work(c):
        async def hear(progress, _total, message):
            told.append((progress, message))

        return await c.call_tool("instances.create", {"name": "web1", "image": "debian-12", "flavor": "a1-small", "wait": True},
                                 progress_callback=hear)

    with NovaContract(slow=3) as server:
        done = talk_with(place, server.environment, work, mode, "--allow", "changes")
    assert not done.is_error and done.structured_content["status"] == "running"
    assert told and told[0][1].startswith("status: creating (") and " of 10m00s)" in told[0][1], told
    assert [p for p, _ in told] == sorted({p for p, _ in told}), "it only grows"


class Lines:
    """`skydir mcp`, spoken to line by line."""

    def __init__(self, variables, *args):
        self.process = subprocess.Popen([SKYDIR, "mcp", *args], env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.send("initialize", 0, protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "t", "version": "1"})
        assert self.answer(0)["result"]["protocolVersion"] == "2025-11-25"

    def send(self, method, number=None, **params):
        message = {"jsonrpc": "2.0", "method": method, "params": params, **({} if number is None else {"id": number})}
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def read(self):
        line = self.process.stdout.readline()
        assert line, "it has ended"
        return json.loads(line)

    def answer(self, number):
        """The next that is no notification must be this one's."""
        message = self.read()
        while "id" not in message:
            message = self.read()
        assert message["id"] == number, message
        return message

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        """It ends when no call is under way any more: here, because they were cancelled."""
        self.process.stdin.close()
        try:
            assert self.process.wait(60) == 0
        finally:
            self.process.kill()
            self.process.stdout.close()


def test_a_call_that_is_cancelled_ends_and_is_not_answered(place):
    with NovaContract(slow=1 << 30) as server, Lines({**environment(place), **server.environment}, "--allow", "changes") as c:
        c.send("tools/call", 2, name="instances.create", _meta={"progressToken": "t"},
               arguments={"name": "web1", "image": "debian-12", "flavor": "a1-small", "wait": True})
        told = c.read()
        assert told["method"] == "notifications/progress" and told["params"]["progressToken"] == "t"
        c.send("notifications/cancelled", requestId=2)  # the wait would go on for ten minutes
        c.send("tools/call", 3, name="instances.list", arguments={})
        assert c.answer(3)["result"]["structuredContent"]["count"] == 1, "and not the answer of 2"


@pytest.mark.stores("s3")
@pytest.mark.options(upload_delay="10ms")
def test_a_call_that_the_mounts_daemon_does_tells_its_progress_and_can_be_cancelled(mount):
    mount.proxy.fault("P", "delay", count=0, ms=600_000)
    (mount.path / "f").write_bytes(b"content")
    variables = {k: v for k, v in mount.environment().items() if not k.startswith("SKYDIR_CONFIG")}
    with Lines(variables) as c:
        for number in (1, 2):
            c.send("tools/call", number, name="mount.sync", arguments={}, _meta={"progressToken": number})
            told = c.read()
            while told["params"]["progressToken"] != number:  # of the first, on its way when that was cancelled
                told = c.read()
            assert told["method"] == "notifications/progress" and told["params"]["message"] == "1 file left", told
            if number == 1:
                c.send("notifications/cancelled", requestId=1)
                c.send("ping", 9)
                c.answer(9)
        c.send("notifications/cancelled", requestId=2)
        c.send("ping", 10)
        c.answer(10)
    mount.proxy.clear()


# ---- the inspector ----


def inspector():
    found = os.environ.get("SKYDIR_MCP_INSPECTOR") or next(iter(sorted(map(str, fleet.cache_dir().glob("inspector-*/mcp-inspector")))), None)
    if not found or not pathlib.Path(found).exists():
        pytest.skip("the inspector of the Model Context Protocol is not installed (scripts/test does it)")
    return found


def inspect(place, *arguments):
    program = wrapper(place, environment(place))  # it passes on few variables
    done = subprocess.run([inspector(), "--cli", program, "mcp", *arguments], env=environment(place), text=True, capture_output=True,
                          timeout=150, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def test_the_inspector_lists_calls_and_reads(place):
    (place / "local/bucket/a.txt").write_text("hello")
    tools = {t["name"]: t for t in inspect(place, "--method", "tools/list")["tools"]}
    assert "list_cloud_instances" in tools and "instances.create" not in tools
    assert tools["capabilities"]["annotations"]["readOnlyHint"] is True
    rows = inspect(place, "--method", "tools/call", "--tool-name", "capabilities", "--tool-arg", "provider=aws")
    assert {"operation": "instances.list", "aws": True} in json.loads(rows["content"][0]["text"])["items"]
    assert inspect(place, "--method", "resources/list")["resources"][0]["uri"] == "skydir://status"
    read = inspect(place, "--method", "resources/read", "--uri", "skydir://disk/bucket/a.txt")
    assert read["contents"][0]["text"] == "hello"
