"""The operations on object stores as commands: what they do is looked at past skydir."""

import json
import os
import subprocess

import pytest

from harness import SKYDIR, run

pytestmark = pytest.mark.stores("local", "s3", "moto", "gcs", "azure", "swift")
MIB = 1 << 20


@pytest.fixture
def sky(mount):
    """sky("buckets", "list") -> the result; the daemon of the mount or the command's own process does it."""

    def call(*words, code=0):
        done = subprocess.run([str(SKYDIR), *map(str, words), "-o", "json", "--config", str(mount.config)], text=True,
                              capture_output=True, timeout=120, stdin=subprocess.DEVNULL, env=mount.environment())
        assert done.returncode == code, (words, done.returncode, done.stderr)
        return json.loads(done.stdout) if done.stdout else json.loads(done.stderr.strip().splitlines()[-1])

    call.top = f"/{mount.store}/{mount.bucket}"
    return call


def test_buckets_are_made_told_and_deleted(mount, sky):
    other = f"/{mount.store}/{mount.bucket}2"
    assert sky("buckets", "exists", other)["exists"] is False
    assert sky("buckets", "ensure", other)["created"] is True
    assert sky("buckets", "ensure", other)["created"] is False
    assert sky("buckets", "exists", other)["exists"] is True
    names = [b["name"] for b in sky("buckets", "list", f"/{mount.store}")["items"]]
    assert {mount.bucket, mount.bucket + "2"} <= set(names)
    assert sky("buckets", "delete", other, "--yes")["deleted"] is True
    assert mount.bucket + "2" not in mount.client.buckets()


def test_files_go_up_and_come_down_whole(mount, sky, tmp_path):
    tree = {"a": b"", "b.txt": b"text", "d/e/big": os.urandom(40 * MIB + 7), "d/ü ñ": b"x" * 1000}
    for name, data in tree.items():
        (tmp_path / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from" / name).write_bytes(data)
    sent = sky("objects", "upload", "--recursive", tmp_path / "from", sky.top + "/t/")
    assert sent["count"] == len(tree)
    for name, data in tree.items():
        assert mount.client.get(mount.bucket, "t/" + name) == data
    assert mount.client.uploads(mount.bucket) == []
    got = sky("objects", "download", "--recursive", sky.top + "/t/", tmp_path / "to")
    assert got["count"] == len(tree)
    found = {str(p.relative_to(tmp_path / "to")): p.read_bytes() for p in (tmp_path / "to").rglob("*") if p.is_file()}
    assert found == tree


def test_a_download_replaces_no_file_unless_told(mount, sky, tmp_path):
    mount.client.put(mount.bucket, "k", b"theirs")
    (tmp_path / "k").write_bytes(b"mine")
    sky("objects", "download", sky.top + "/k", tmp_path, code=6)
    assert (tmp_path / "k").read_bytes() == b"mine"
    sky("objects", "download", sky.top + "/k", tmp_path, "--force")
    assert (tmp_path / "k").read_bytes() == b"theirs"


def test_a_download_goes_on_with_the_ranges_it_has(mount, sky, tmp_path):
    data = os.urandom(48 * MIB)
    mount.client.put(mount.bucket, "big", data)
    version = sky("objects", "get", sky.top + "/big")["version"]
    # As an interrupted run leaves it; the wrong bytes show that the first range is not fetched again.
    part = tmp_path / ".big.skydir-part"
    part.write_bytes(b"\1" * 16 * MIB + bytes(32 * MIB))
    note = {"version": version, "size": len(data), "part_bytes": 16 * MIB, "done": [1]}
    (tmp_path / ".big.skydir-part.json").write_text(json.dumps(note))
    got = sky("objects", "download", sky.top + "/big", tmp_path)
    assert got["items"][0]["resumed_bytes"] == 16 * MIB
    assert (tmp_path / "big").read_bytes() == b"\1" * 16 * MIB + data[16 * MIB:]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["big"]
    # What is left of another version counts for nothing.
    (tmp_path / "big").unlink()
    part.write_bytes(bytes(48 * MIB))
    (tmp_path / ".big.skydir-part.json").write_text(json.dumps({**note, "version": "another", "done": [1, 2]}))
    got = sky("objects", "download", sky.top + "/big", tmp_path)
    assert got["items"][0]["resumed_bytes"] == 0
    assert (tmp_path / "big").read_bytes() == data


@pytest.mark.stores("s3", "gcs", "azure", "swift")
def test_an_interrupted_upload_goes_on(mount, sky, tmp_path):
    data = os.urandom(64 * MIB)
    part = "P" if mount.kind == "gcs" else "U"  # there a part is an object like others, to be composed
    (tmp_path / "big").write_bytes(data)
    mount.proxy.fault(op=part, kind="status", status=403, code="AccessDenied", count=0, skip=2)
    sky("objects", "upload", tmp_path / "big", sky.top + "/big", "--parallel", "1", code=4)
    mount.proxy.clear()
    assert mount.client.get(mount.bucket, "big") is None
    mount.proxy.reset()
    sent = sky("objects", "upload", tmp_path / "big", sky.top + "/big")
    assert sent["items"][0]["resumed_bytes"] == 32 * MIB
    assert mount.proxy.ops()[part] == 2
    assert mount.client.get(mount.bucket, "big") == data
    assert mount.client.uploads(mount.bucket) == []


def test_one_failure_spoils_no_other_file(mount, sky, tmp_path):
    for name in "abc":
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "c").chmod(0)
    if os.geteuid() == 0:
        (tmp_path / "c").unlink()
        (tmp_path / "real").write_bytes(b"r")
        (tmp_path / "c").symlink_to(tmp_path / "real")  # followed when it is named, refused when it is opened
    sent = sky("objects", "upload", tmp_path / "a", tmp_path / "b", tmp_path / "c", sky.top + "/", code=10)
    assert sent["count"] == 2 and len(sent["errors"]) == 1
    assert mount.client.get(mount.bucket, "a") == b"a"
    assert mount.client.get(mount.bucket, "b") == b"b"


def test_lists_metadata_copies_and_deletes(mount, sky, tmp_path):
    (tmp_path / "k").write_bytes(b"content")
    sky("objects", "upload", tmp_path / "k", sky.top + "/d/k", "--metadata", "colour=red")
    assert sky("objects", "get", sky.top + "/d/k")["metadata"] == {"colour": "red"}
    sky("objects", "metadata", "set", sky.top + "/d/k", "colour=blue", "shape=round")
    assert sky("objects", "get", sky.top + "/d/k")["metadata"] == {"colour": "blue", "shape": "round"}
    sky("objects", "copy", sky.top + "/d/k", sky.top + "/e")
    assert mount.client.get(mount.bucket, "e") == b"content"
    listed = sky("objects", "list", sky.top, "--delimiter", "/")["items"]
    assert [(o["key"], o["kind"]) for o in listed] == [("d/", "prefix"), ("e", "object")]
    assert [o["key"] for o in sky("objects", "list", sky.top, "--limit", "1")["items"]] == ["d/k"]
    sky("objects", "delete", sky.top + "/e", code=2)  # asks first
    sky("objects", "delete", sky.top + "/e", "--yes")
    assert sky("objects", "delete-batch", sky.top, "d/k", "gone", "--yes")["deleted"] == 2
    assert mount.client.keys(mount.bucket) == []


def test_a_batch_of_deletes_is_as_large_as_the_service_takes(mount, sky):
    at_once = {"s3": 1000, "moto": 1000, "gcs": 100, "azure": 256, "swift": 1000}
    for i in range(3):
        mount.client.put(mount.bucket, f"k{i * 100}", b"x")
    if mount.proxy:
        mount.proxy.reset()
    done = sky("objects", "delete-batch", sky.top, *(f"k{i}" for i in range(600)), "--yes")
    assert done["deleted"] == 600
    assert mount.client.keys(mount.bucket) == []
    if mount.proxy:
        ops = mount.ops()
        assert ops["M"] == -(-600 // at_once[mount.kind]) and not {"D", "H", "G"} & set(ops), ops
    sky("objects", "get", sky.top + "/d/k", code=3)


@pytest.mark.stores("local")
def test_wrong_places_are_named(mount, sky):
    assert "'/local' must be /STORE/BUCKET" in sky("buckets", "create", "/local", code=2)["message"]
    assert "must be /STORE/BUCKET/KEY" in sky("objects", "get", "/local/b", code=2)["message"]
    assert "there is no store 'nowhere'" in sky("buckets", "exists", "/nowhere/b", code=3)["message"]


@pytest.mark.stores("s3", "gcs", "azure", "swift")
def test_a_presigned_address_opens_the_object(mount, sky, tmp_path):
    mount.client.put(mount.bucket, "k", b"for all")
    url = sky("presign", "get", sky.top + "/k", "--expires", "60s")["url"]
    assert run("curl", "-fsS", url).stdout == "for all"


@pytest.mark.stores("swift", only="others have policies in their place")
def test_access_lists_of_a_container(mount, sky):
    assert sky("buckets", "acl", "get", sky.top) == {"read": "", "write": ""}
    sky("buckets", "acl", "set", sky.top, "--read", ".r:*,.rlistings")
    sky("buckets", "acl", "set", sky.top, "--write", "other:user")
    assert sky("buckets", "acl", "get", sky.top) == {"read": ".r:*,.rlistings", "write": "other:user"}


@pytest.mark.parametrize("wanted", ("no", "yes"))
def test_snapshots_are_told_read_and_deleted_only_when_that_is_asked_for(make_mount, tmp_path, wanted):
    m = make_mount("azure", store_config={"delete-snapshots": wanted}).start()
    m.client.put(m.bucket, "k", b"old")
    m.client.blobs.get_blob_client(m.bucket, "k").create_snapshot()
    m.client.put(m.bucket, "k", b"new")

    def call(*words):
        done = m.skydir(*words, "-o", "json", "--config", m.config, check=False)
        return done.returncode, json.loads(done.stdout) if done.stdout else json.loads(done.stderr.strip().splitlines()[-1])

    code, told = call("objects", "versions", f"/azure/{m.bucket}")
    assert code == 0 and [(v["key"], bool(v.get("version_id"))) for v in told["items"]] == [("k", False), ("k", True)], told
    old = told["items"][1]["version_id"]
    assert call("objects", "download", f"/azure/{m.bucket}/k", tmp_path / "old", "--version-id", old)[0] == 0
    assert (tmp_path / "old").read_bytes() == b"old"
    code, told = call("objects", "delete", f"/azure/{m.bucket}/k", "--yes")
    if wanted == "yes":
        assert code == 0 and m.client.keys(m.bucket) == []
    else:
        assert code == 6 and "delete-snapshots" in told["hint"], told
        assert m.client.get(m.bucket, "k") == b"new"
