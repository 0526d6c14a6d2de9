"""Swift beside its own tools: what OpenStack's client and boto3 write is read here, and the other way round."""

import json
import os

import pytest

import harness
from harness import run

pytestmark = [pytest.mark.stores("swift"), pytest.mark.options(upload_delay="10ms")]
MIB = 1 << 20


def put_large(mount, key, pieces, dynamic=False):
    """As the swift client does it: segments in a container beside, and a manifest."""
    swift, segments = mount.client.swift, f"{mount.bucket}_segments"
    swift.put_container(segments)
    manifest = []
    for i, piece in enumerate(pieces):
        etag = swift.put_object(segments, f"{key}/{i:04}", piece)
        manifest.append({"path": f"/{segments}/{key}/{i:04}", "etag": etag, "size_bytes": len(piece)})
    if dynamic:
        swift.put_object(mount.bucket, key, b"", headers={"X-Object-Manifest": f"{segments}/{key}/"})
    else:
        swift.put_object(mount.bucket, key, json.dumps(manifest), query_string="multipart-manifest=put")


@pytest.mark.parametrize("dynamic", (False, True), ids=("slo", "dlo"))
def test_large_objects_of_others_are_read(mount, dynamic):
    pieces = [os.urandom(2 * MIB), os.urandom(3 * MIB + 5), b"end"]
    put_large(mount, "d/large", pieces, dynamic)
    whole = b"".join(pieces)
    assert [e.stat().st_size for e in os.scandir(mount.path / "d")] == [len(whole)]
    assert (mount.path / "d" / "large").read_bytes() == whole
    with open(mount.path / "d" / "large", "rb") as f:
        f.seek(2 * MIB - 10)
        assert f.read(20) == whole[2 * MIB - 10:2 * MIB + 10]


def test_a_large_object_of_ours_is_static_and_leaves_nothing_behind(mount):
    data = bytearray(os.urandom(40 * MIB))
    (mount.path / "big").write_bytes(data)
    mount.sync()
    headers, content = mount.client.swift.get_object(mount.bucket, "big")
    assert headers["x-static-large-object"] == "True" and content == data
    with open(mount.path / "big", "r+b") as f:
        f.seek(9 * MIB)
        f.write(b"changed in the middle")
    mount.sync()
    data[9 * MIB:9 * MIB + 21] = b"changed in the middle"
    assert mount.client.get(mount.bucket, "big") == data
    manifest = json.loads(mount.client.swift.get_object(mount.bucket, "big", query_string="multipart-manifest=get")[1])
    named = {p["name"].split("/", 2)[2] for p in manifest}
    assert set(mount.client.keys(f"{mount.bucket}_segments")) == named
    os.unlink(mount.path / "big")
    mount.sync()
    assert mount.client.keys(f"{mount.bucket}_segments") == []


def test_a_token_that_is_refused_is_renewed(mount):
    mount.client.put(mount.bucket, "k", b"content")
    mount.proxy.fault(op="*", kind="status", status=401, count=1)
    assert (mount.path / "k").read_bytes() == b"content"
    mount.proxy.fault(op="P", kind="status", status=401, count=1)
    (mount.path / "new").write_bytes(b"new")
    mount.sync()
    assert mount.client.get(mount.bucket, "new") == b"new"


def test_the_s3_face_shows_the_same_objects(mount):
    s = mount.server.settings
    s3 = harness.s3_client(mount.server.endpoint, s["ec2"]["access"], s["ec2"]["secret"], s["region"])
    (mount.path / "d").mkdir()
    (mount.path / "d" / "ours").write_bytes(b"by swift")
    mount.sync()
    assert s3.get_object(Bucket=mount.bucket, Key="d/ours")["Body"].read() == b"by swift"
    s3.put_object(Bucket=mount.bucket, Key="d/theirs", Body=b"by s3", Metadata={"mtime": "1000000000"})
    upload = s3.create_multipart_upload(Bucket=mount.bucket, Key="d/parts")["UploadId"]
    parts = []
    for number, piece in enumerate((b"1" * 5 * MIB, b"2"), 1):
        etag = s3.upload_part(Bucket=mount.bucket, Key="d/parts", UploadId=upload, PartNumber=number, Body=piece)["ETag"]
        parts.append({"ETag": etag, "PartNumber": number})
    s3.complete_multipart_upload(Bucket=mount.bucket, Key="d/parts", UploadId=upload, MultipartUpload={"Parts": parts})
    mount.fresh()
    assert (mount.path / "d" / "theirs").read_bytes() == b"by s3"
    assert (mount.path / "d" / "parts").read_bytes() == b"1" * 5 * MIB + b"2"


def test_a_directory_says_so(mount):
    (mount.path / "empty").mkdir()
    mount.sync()
    headers = mount.client.swift.head_object(mount.bucket, "empty/")
    assert headers["content-type"] == "application/directory"


@pytest.mark.stores("local", "s3", "swift")
def test_copy_file_range_between_buckets_moves_no_byte(mount):
    (mount.path / "from").write_bytes(b"content" * 100000)
    other = mount.root / f"{mount.bucket}2"
    other.mkdir()
    mount.sync()
    if mount.proxy:
        mount.proxy.reset()
    with open(mount.path / "from", "rb") as source, open(other / "to", "wb") as target:
        left = os.fstat(source.fileno()).st_size
        while left:
            done = os.copy_file_range(source.fileno(), target.fileno(), left)
            assert done > 0
            left -= done
    mount.sync()
    assert mount.client.get(f"{mount.bucket}2", "to") == b"content" * 100000
    if mount.proxy:
        assert mount.proxy.ops().get("C") == 1
        assert not {"P", "G"} & set(mount.proxy.ops())


def test_cp_between_stores_streams(mount):
    there = mount.top / "local" / "b"
    there.mkdir()
    data = os.urandom(24 * MIB)
    (there / "x").write_bytes(data)
    run("cp", there / "x", mount.path / "y")
    mount.sync()
    assert mount.client.get(mount.bucket, "y") == data
    mount.fresh()
    run("cp", mount.path / "y", there / "z")
    mount.sync()
    assert (there / "z").read_bytes() == data
