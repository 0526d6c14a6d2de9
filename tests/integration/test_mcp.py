"""`skydir mcp` and `skydir daemon` as agents use them: the official SDK's client in both eras, and lines of our own."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess

import pytest
from harness import SKYDIR, eventually, scratch_dir
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


@pytest.fixture
def place():
    top = scratch_dir("mcp-")
    for name in ("run", "home", "local/bucket"):
        (top / name).mkdir(mode=0o700, parents=True)
    (top / "conf").write_text(f"[disk]\ntype = local\nroot = {top}/local\n")
    (top / "conf").chmod(0o600)
    yield top
    shutil.rmtree(top)


def environment(place):
    return {"HOME": str(place / "home"), "PATH": os.environ["PATH"], "SKYDIR_RUNTIME_DIR": str(place / "run"),
            "SKYDIR_CONFIG": str(place / "conf")}


def talk(place, work, mode, *args, command=str(SKYDIR), **client):
    """Runs work(client) against a server of its own."""
    server = StdioServerParameters(command=command, args=["mcp", *args], env=environment(place))

    async def run():
        async with Client(stdio_client(server), mode=mode, **client) as c:
            return await work(c)

    return asyncio.run(run())


async def all_tools(c):
    tools, cursor = [], None
    while True:
        page = await c.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if not cursor:
            return tools


@pytest.mark.parametrize("mode,version", [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
def test_the_sdk_sees_the_tools_of_its_trust_level(place, mode, version):
    async def work(c):
        return c.protocol_version, await all_tools(c)

    for args, worst in [((), 0), (("--allow", "changes"), 1), (("--allow", "destructive"), 2)]:
        spoken, tools = talk(place, work, mode, *args)
        assert spoken == version
        names = [t.name for t in tools]
        assert names[:2] == ["list_cloud_instances", "list_s3_buckets"] and "instances.list" in names
        assert len(set(names)) == len(names)
        assert ("upload_file_to_s3" in names) == (worst >= 1)
        assert ("instances.create" in names) == (worst >= 1)
        assert ("instances.delete" in names) == (worst >= 2)
        for t in tools:
            hints = t.annotations
            assert t.title and t.output_schema and t.input_schema["type"] == "object"
            assert None not in (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_objects_and_the_status_are_resources(place, mode):
    (place / "local/bucket/a b.txt").write_text("wörld")
    (place / "local/bucket/raw").write_bytes(b"\xff\x00\x01")
    (place / "local/bucket/big").write_bytes(bytes(5 << 20))

    async def work(c):
        assert (await c.list_resources()).resources[0].uri == "skydir://status"
        assert "not mounted" in (await c.read_resource("skydir://status")).contents[0].text
        assert (await c.read_resource("skydir://disk/bucket/a%20b.txt")).contents[0].text == "wörld"
        assert (await c.read_resource("skydir://disk/bucket/raw")).contents[0].blob == "/wAB"
        for uri in ("big", "missing", "..%2f..%2fconf"):
            with pytest.raises(Exception) as problem:
                await c.read_resource(f"skydir://disk/bucket/{uri}")
            assert "MCPError" in repr(problem.value)

    talk(place, work, mode)


def test_results_fit_their_schemas_and_bad_values_are_told(place):
    async def work(c):
        rows = await c.call_tool("capabilities", {})
        assert not rows.is_error and json.loads(rows.content[0].text) == rows.structured_content
        assert any(r["operation"] == "instances.list" and r["openstack"] for r in rows.structured_content["items"])
        bad = await c.call_tool("instances.list", {"limit": -1})
        assert bad.is_error and "'limit'" in bad.content[0].text
        none = await c.call_tool("list_cloud_instances", {})
        assert none.is_error and none.structured_content["status"] == "error"
        with pytest.raises(Exception, match="unknown tool"):
            await c.call_tool("nothing", {})

    talk(place, work, "auto")


def lines(place, *messages, args=()):
    done = subprocess.run([SKYDIR, "mcp", *args], env=environment(place), capture_output=True, text=True, timeout=60,
                          input="".join(json.dumps(m) + "\n" if isinstance(m, dict) else m + "\n" for m in messages))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_lines_of_our_own(place):
    def request(number, method, **params):
        return {"jsonrpc": "2.0", "id": number, "method": method, "params": {"_meta": META, **params}}

    answers = lines(place, "garbage", "[" * 5000, request(1, "server/discover"), request(2, "initialize"),
                    request(3, "tools/list", cursor="x"), request(4, "tools/list"), {"jsonrpc": "2.0", "id": 5, "method": "status"})
    by_id = {a["id"]: a for a in answers if a.get("id")}
    assert [a["error"]["code"] for a in answers[:2]] == [-32700, -32700]
    found = by_id[1]["result"]
    assert found["supportedVersions"][0] == "2026-07-28" and found["resultType"] == "complete"
    assert found["ttlMs"] >= 0 and found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "skydir"
    assert by_id[2]["error"]["code"] == -32601
    assert by_id[3]["error"]["code"] == -32602
    assert by_id[4]["result"]["tools"]
    assert by_id[5]["error"]["code"] == -32602  # the operations are methods of the socket only


@pytest.fixture
def daemon(place):
    process = subprocess.Popen([SKYDIR, "daemon"], env=environment(place), stdout=subprocess.PIPE, text=True)
    path = process.stdout.readline().strip()
    yield process, path
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert not os.path.exists(path)


# A sanitizer keeps what was freed, and shadows of it.
HAS_SANITIZER = any(name in SKYDIR.read_bytes() for name in (b"__tsan_init", b"__asan_init"))


def resident_kb(pid):
    if HAS_SANITIZER:
        return 0
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(path)
    return s


def test_two_hundred_clients_and_hostile_ones_do_not_make_the_daemon_grow(daemon, place):
    process, path = daemon
    line = b'{"jsonrpc":"2.0","id":1,"method":"version"}\n'

    def round_of_calls(clients):
        for s in clients:
            s.sendall(line * 20)
        for s in clients:
            got = 0
            while got < 20:
                data = s.recv(65536)
                assert data
                got += data.count(b"\n")

    clients = [connect(path) for _ in range(200)]
    round_of_calls(clients)
    before = resident_kb(process.pid)
    for _ in range(10):
        round_of_calls(clients)
    assert resident_kb(process.pid) < before + 4096
    hostile = [connect(path) for _ in range(20)]

    def round_of_nonsense():
        for s in hostile:
            s.sendall(b"x" * (3 << 20) + b"\n" + b"[" * 100000 + b"\n")
        for s in hostile:
            got = 0
            while got < 2:
                got += s.recv(65536).count(b"-32700")
        round_of_calls(clients)

    round_of_nonsense()
    before = resident_kb(process.pid)  # with what the allocator keeps of lines of a mebibyte each
    for _ in range(5):
        round_of_nonsense()
    assert resident_kb(process.pid) < before + 16384
    for s in hostile:
        s.sendall(b'{"jsonrpc":"2.0","id":')
    round_of_calls(clients)
    for s in clients + hostile:
        s.close()
    assert subprocess.run([SKYDIR, "status"], env=environment(place), capture_output=True, text=True).returncode == 0


def test_a_stale_socket_is_replaced(daemon, place):
    process, path = daemon
    stale = place / "run/999999.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(stale))
    dead.close()
    subprocess.run([SKYDIR, "status"], env=environment(place), check=True, capture_output=True)
    eventually(lambda: not stale.exists())


def test_auth_explain_names_each_source_and_no_secret(place):
    (place / "conf").unlink()
    env = {**environment(place), "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "very-secret-text"}
    (place / "conf").write_text("")
    done = subprocess.run([SKYDIR, "auth", "explain", "aws", "--output", "json"], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "very-secret-text" not in done.stdout
    steps = {s["source"]: s["state"] for s in json.loads(done.stdout)["items"]}
    assert steps["environment"] == "used"
    assert "not asked" in steps.values() and len(steps) == 6
    assert subprocess.run([SKYDIR, "auth", "explain", "nope"], env=env, capture_output=True).returncode == 3


def test_an_upload_by_the_named_tool(place):
    async def work(c):
        return await c.call_tool("upload_file_to_s3", {"file_path": "/dev/zero", "bucket": "b", "object_name": "k"})

    answer = talk(place, work, "auto", "--allow", "changes")
    assert answer.structured_content["status"] == "error" and "regular file" in answer.structured_content["message"]
