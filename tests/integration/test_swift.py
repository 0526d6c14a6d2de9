"""Swift beside its own tools: what OpenStack's client and boto3 write is read here, and the other way round."""

import json
import os
import subprocess
import sys

import pytest

import harness
from harness import run

pytestmark = [pytest.mark.stores("swift", only="its own ways"), pytest.mark.options(upload_delay="10ms")]
MIB = 1 << 20


def resident_peak(pid):
    """The most memory the process ever had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM"))


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


def delete_batch(mount, *keys):
    return mount.skydir("objects", "delete-batch", f"/swift/{mount.bucket}", *keys, "--yes", "--config", mount.config)


@pytest.mark.options(part_size="4M", upload_delay="10ms")
def test_large_objects_are_deleted_with_their_segments_in_few_requests(mount):
    for i in range(3):
        (mount.path / f"big{i}").write_bytes(os.urandom(9 * MIB))
    for i in range(20):
        (mount.path / f"small{i}").write_bytes(b"x")
    mount.sync()
    segments = f"{mount.bucket}_segments"
    assert len(mount.client.keys(segments)) >= 6
    mount.proxy.reset()
    delete_batch(mount, "big0", "big1", "gone", *(f"small{i}" for i in range(20)))
    ops = mount.ops()
    # Which ones are large is told by two listings; those are looked at, and their manifests read.
    assert ops["M"] == 2 and ops["H"] == 2 and ops["G"] == 2 and "D" not in ops, ops
    assert ops.get("L", 0) + ops.get("O", 0) + ops.get("b", 0) <= 4, ops
    assert mount.client.keys(mount.bucket) == ["big2"]
    left = set(mount.client.keys(segments))
    manifest = json.loads(mount.client.swift.get_object(mount.bucket, "big2", query_string="multipart-manifest=get")[1])
    assert left == {p["name"].split("/", 2)[2] for p in manifest}
    delete_batch(mount, "big2", "gone")
    assert mount.client.keys(segments) == [] and mount.client.keys(mount.bucket) == []


def test_segments_of_other_tools_go_along_too(mount):
    put_large(mount, "theirs", [os.urandom(2 * MIB), b"end"])
    put_large(mount, "stays", [os.urandom(2 * MIB), b"end"])
    mount.client.put(mount.bucket, "small", b"x")
    delete_batch(mount, "theirs", "small", "gone")
    assert mount.client.keys(mount.bucket) == ["stays"]
    assert mount.client.keys(f"{mount.bucket}_segments") == ["stays/0000", "stays/0001"]
    assert len(mount.client.get(mount.bucket, "stays")) == 2 * MIB + 3


def test_a_service_that_takes_fewer_names_at_once(mount):
    mount.client.put(mount.bucket, "k7", b"x")
    mount.proxy.fault(op="M", kind="status", status=200, count=1, body='{"Response Status": "413 Request Entity Too Large", '
                      '"Response Body": "Maximum Bulk Deletes: 16 per request", "Errors": [], "Number Deleted": 0}')
    delete_batch(mount, *(f"k{i}" for i in range(30)))
    assert mount.ops()["M"] == 3  # 30 refused, then twice 15
    assert mount.client.keys(mount.bucket) == []


def sdk(swift, auth, script):
    """Runs lines of Python with `sdk`, a connection of OpenStack's own SDK, in a process of its own: here `openstack` is one of our
    servers. What they print."""
    lines = f"""import json, sys
import openstack
sdk = openstack.connect(load_yaml_config=False, load_envvars=False, **json.load(sys.stdin))
{script}"""
    who = {"region_name": swift.settings["region"], **auth}
    who["auth"] = {"auth_url": swift.settings["auth_url"], **auth["auth"]}
    done = subprocess.run([sys.executable, "-I", "-c", lines], input=json.dumps(who), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


UNSET = {"auth-url": None, "region": None, "application-credential-id": None, "application-credential-secret": None, "storage-url": None}


@pytest.mark.parametrize("how", ("password", "token", "cloud", "credential"))
def test_every_way_to_sign_in(make_mount, swift, how):
    """Against a real Keystone, by the standard variables and by clouds.yaml; the place is the catalogue's."""
    s, user = swift.settings, swift.settings["password"]
    who = {"OS_AUTH_URL": s["auth_url"], "OS_REGION_NAME": s["region"], "OS_PROJECT_NAME": user["project"], "OS_PROJECT_DOMAIN_ID": "default"}
    m = make_mount("swift", proxy=None, store_config={**UNSET, "cloud": "work" if how == "cloud" else None})
    if how == "password":
        env = {**who, "OS_USERNAME": user["username"], "OS_PASSWORD": user["password"], "OS_USER_DOMAIN_ID": "default"}
    elif how == "token":
        auth = {"username": user["username"], "password": user["password"], "project_name": user["project"],
                "user_domain_id": "default", "project_domain_id": "default"}
        token = sdk(swift, {"auth": auth}, "print(sdk.auth_token)")
        env = {**who, "OS_AUTH_TYPE": "token", "OS_TOKEN": token}
    elif how == "credential":
        env = {"OS_AUTH_URL": s["auth_url"], "OS_REGION_NAME": s["region"], "OS_AUTH_TYPE": "v3applicationcredential",
               "OS_APPLICATION_CREDENTIAL_ID": s["credential"]["id"], "OS_APPLICATION_CREDENTIAL_SECRET": s["credential"]["secret"]}
    else:
        env = {}
        place = m.dir / "conf" / "openstack"
        place.mkdir()
        (place / "clouds.yaml").write_text(json.dumps({"clouds": {"work": {"region_name": s["region"], "auth": {
            "auth_url": s["auth_url"], "username": user["username"], "password": user["password"], "project_name": user["project"],
            "user_domain_id": "default", "project_domain_id": "default"}}}}))  # JSON is YAML
    m.client.create_bucket(m.bucket)
    m.write_config()
    m.mount(env=env)
    (m.path / "f").write_text(how)
    m.sync()
    assert m.client.get(m.bucket, "f") == how.encode()


@pytest.mark.options(part_size="4M", upload_delay="10ms")
def test_openstacks_sdk_and_we_see_what_the_other_wrote(mount, tmp_path):
    """The whole client of OpenStack, which signs in and splits files by itself."""
    own = mount.server.settings["credential"]
    auth = {"auth_type": "v3applicationcredential",
            "auth": {"application_credential_id": own["id"], "application_credential_secret": own["secret"]}}
    data = os.urandom(9 * MIB + 1)
    (tmp_path / "big").write_bytes(data)
    sdk(mount.server, auth, f"""b = {mount.bucket!r}
sdk.create_object(b, "theirs/big", filename={str(tmp_path / 'big')!r}, segment_size={4 * MIB}, use_slo=True)
sdk.create_object(b, "theirs/small", data=b"by the SDK")""")
    assert (mount.path / "theirs" / "small").read_bytes() == b"by the SDK"
    # The SDK puts the segments of `big` below `big/`: so that is a directory, and the object stands beside it.
    assert (mount.path / "theirs" / "%~big%=").read_bytes() == data
    (mount.path / "ours").mkdir()
    (mount.path / "ours" / "big").write_bytes(data)
    (mount.path / "ours" / "small").write_bytes(b"by the mount")
    mount.sync()
    found = sdk(mount.server, auth, f"""b = {mount.bucket!r}
open({str(tmp_path / 'back')!r}, "wb").write(sdk.object_store.download_object("ours/big", container=b))
assert sdk.object_store.download_object("ours/small", container=b) == b"by the mount"
print(json.dumps([o.name for o in sdk.object_store.objects(b)]))
sdk.delete_object(b, "ours/small")""")
    assert (tmp_path / "back").read_bytes() == data
    assert {"ours/big", "ours/small", "theirs/big", "theirs/small"} <= set(json.loads(found))
    mount.fresh()
    assert sorted(os.listdir(mount.path / "ours")) == ["big"]


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


@pytest.mark.stores("local", "s3", "gcs", "azure", "swift")
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


@pytest.mark.stores("s3", "gcs", only="one that is quick is enough, and one that is not S3")
@pytest.mark.options(cache_size="64M", upload_delay="10ms")
def test_cp_of_a_big_file_between_stores_takes_little_memory(mount):
    """More than the cache holds and far more than the daemon may: it passes through."""
    there = mount.top / "local" / "b"
    there.mkdir()
    size, block = 128 * MIB, os.urandom(MIB)
    with open(there / "x", "wb") as f:
        for _ in range(size // MIB):
            f.write(block)
    before = resident_peak(mount.pid)
    run("cp", there / "x", mount.path / "y")
    mount.sync()
    run("cp", mount.path / "y", there / "z")
    mount.sync()
    run("cmp", there / "x", there / "z")
    if not harness.is_sanitized():
        grown = resident_peak(mount.pid) - before
        assert grown < 96 * MIB, f"{grown >> 20} MiB more"


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
