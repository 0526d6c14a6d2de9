"""A wrong parameter never reaches the network: for every operation of the table, every parameter with values that its schema does
not allow, over the socket and as a tool of MCP, with every provider configured and a server that hears all of them."""

import json
import os
import shutil
import signal
import socket
import subprocess

import pytest

from contract import Contract, as_json
from harness import SKYDIR, scratch_dir

BATCH = 50


class Listener(Contract):
    """Hears every provider, and knows nothing."""

    def handle(self, request):
        return as_json(404, {"error": {"code": 404, "message": "no"}})


@pytest.fixture
def listener():
    with Listener() as server:
        yield server


@pytest.fixture
def connection(listener):
    """To a daemon with all providers and stores set up."""
    top = scratch_dir("parameters-")
    at = listener.endpoint
    (top / "conf").write_text(f"""
[s3]
type = s3
endpoint = {at}
region = x-1
access-key-id = k
secret-access-key = s
[openstack]
type = openstack
auth-url = {at}/v3
username = u
password = p
project-name = p
user-domain-name = d
project-domain-name = d
[aws]
type = aws
region = x-1
endpoint = {at}
access-key-id = k
secret-access-key = s
[azure-cloud]
type = azure
account = a
management-endpoint = {at}
subscription-id = 1
[infomaniak-domains]
type = infomaniak-domains
token = t
domains = example.ch
endpoint = {at}
""")
    (top / "conf").chmod(0o600)
    (top / "run").mkdir(mode=0o700)
    environment = {"HOME": str(top), "PATH": os.environ["PATH"], "SKYDIR_RUNTIME_DIR": str(top / "run"), "SKYDIR_CONFIG": str(top / "conf")}
    daemon = subprocess.Popen([SKYDIR, "daemon", "--allow", "destructive"], env=environment, stdout=subprocess.PIPE, text=True)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(120)
        s.connect(daemon.stdout.readline().strip())
        with s.makefile("rw") as lines:
            yield lines
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(60) == 0
    shutil.rmtree(top)


def ask(connection, calls):
    """[(method, params)] in batches; the answers, in order."""
    found = []
    for at in range(0, len(calls), BATCH):
        batch = [{"jsonrpc": "2.0", "id": i, "method": m, "params": p} for i, (m, p) in enumerate(calls[at:at + BATCH])]
        connection.write(json.dumps(batch) + "\n")
        connection.flush()
        answers = {a["id"]: a for a in json.loads(connection.readline())}
        found += [answers[i] for i in range(len(batch))]
    return found


def wrong_values(schema):
    """Values that a parameter of this schema must not have."""
    kind = schema["type"]
    if "enum" in schema:
        return ["none-of-them", "", 7, None, [schema["enum"][0]]]
    if kind == "string" and "pattern" in schema:
        return ["soon", "", "-5s", "5 s", -1, True, {}]
    if kind == "string":
        long = ["x" * (schema["maxLength"] + 1)] if schema["maxLength"] < 20000 else []
        return [5, True, None, ["x"], {"x": "y"}, "a\0b", *long]
    if kind == "integer":
        return ["5", True, None, 1.5, schema["minimum"] - 1, schema["maximum"] + 1]
    if kind == "boolean":
        return ["yes", 0, 1, None]
    if kind == "array":
        return ["x", 5, None, {}, [5], ["a\0b"], [["x"]], ["x"] * (schema["maxItems"] + 1)]
    if kind == "object":
        return ["x", 5, None, [], {"a": 5}, {"": "x"}, {"a": "b\0c"}]
    assert kind == ["object", "array"], kind
    return ["x", 5, None, True]


def right_value(schema):
    kind = schema["type"]
    if "enum" in schema:
        return schema["enum"][0]
    return {"string": "1", "integer": schema.get("minimum"), "boolean": True, "array": ["x"], "object": {"a": "b"}}.get(
        kind if isinstance(kind, str) else "", {})


def wrong_calls(method):
    """(params, what the message must name)"""
    schema = method["params"]
    base = {name: right_value(schema["properties"][name]) for name in schema["required"]}
    for name, one in schema["properties"].items():
        for value in wrong_values(one):
            yield {**base, name: value}, name
    for name in schema["required"]:
        yield {n: v for n, v in base.items() if n != name}, name
    yield {**base, "no_such_parameter": 1}, "no_such_parameter"


def methods_of(connection):
    connection.write('{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n')
    connection.flush()
    return json.loads(connection.readline())["result"]["methods"]


def test_over_the_socket(connection, listener):
    methods = methods_of(connection)
    assert len(methods) > 100
    cases = [(m["name"], params, what) for m in methods for params, what in wrong_calls(m)]
    answers = ask(connection, [(name, params) for name, params, _ in cases])
    for (name, params, what), answer in zip(cases, answers):
        told = answer.get("error", {})
        assert told.get("code") == -32602 and f"'{what}'" in told["message"], (name, str(params)[:200], str(answer)[:300])
    assert listener.requests == []
    # And the server would have heard them.
    for provider in ("openstack", "aws", "azure-cloud"):
        ask(connection, [("instances.list", {"provider": provider})])
    ask(connection, [("dns.zones.list", {"provider": "infomaniak-domains"})])
    ask(connection, [("objects.list", {"path": "/s3/bucket"})])
    heard = {r.path.split("/")[1] for r in listener.requests}
    assert {"v3", "", "2", "bucket"} <= heard, heard


def test_as_tools(connection, listener):
    connection.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}) + "\n")
    connection.flush()
    assert "result" in json.loads(connection.readline())
    tools, cursor = [], None
    while not tools or cursor:
        page = ask(connection, [("tools/list", {"cursor": cursor} if cursor else {})])[0]["result"]
        tools, cursor = tools + page["tools"], page.get("nextCursor")
    assert len(tools) > 100
    cases = []
    for tool in tools:
        method = {"params": {"required": [], "properties": {}, **tool["inputSchema"]}}
        method["params"]["properties"] = {n: s for n, s in method["params"]["properties"].items() if n != "confirm_token"}
        cases += [(tool["name"], *case) for case in list(wrong_calls(method))[::3]]
    answers = ask(connection, [("tools/call", {"name": name, "arguments": params}) for name, params, _ in cases])
    for (name, params, what), answer in zip(cases, answers):
        result = answer.get("result", {})
        assert result.get("isError") and f"'{what}'" in result["content"][0]["text"], (name, str(params)[:200], str(answer)[:300])
    assert listener.requests == []
