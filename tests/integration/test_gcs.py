"""Google Cloud Storage: what is its own. The tests of file-system behaviour run on `gcs` like on every other store."""

import json
import os
import stat

import pytest

import harness
from harness import eventually, fleet

KINDS = ("service_account", "authorized_user", "external_file", "external_url", "external_program", "external_aws", "impersonated",
         "impersonated_by_account")


@pytest.mark.stores("gcs", "fakegcs", only="its own ways")
def test_both_see_what_the_other_wrote(mount):
    mount.client.put(mount.bucket, "theirs/a file", b"by Google's library")
    assert (mount.path / "theirs" / "a file").read_bytes() == b"by Google's library"
    (mount.path / "ours").mkdir()
    data = os.urandom(3_000_000)
    (mount.path / "ours" / "b").write_bytes(data)
    assert mount.read("ours/b") == data
    (mount.path / "theirs" / "a file").rename(mount.path / "ours" / "c")
    (mount.path / "ours" / "b").unlink()
    assert mount.read("ours/c") == b"by Google's library"
    assert mount.keys() == ["ours/c"]


@pytest.mark.stores("gcs", "fakegcs", only="its own ways")
@pytest.mark.options(part_size="1M", upload_delay="20ms")
def test_a_big_file_is_composed_and_leaves_nothing_behind(mount):
    data = os.urandom(40_000_000)  # 39 parts: more than one composition takes
    (mount.path / "big").write_bytes(data)
    assert mount.read("big") == data
    assert mount.client.uploads(mount.bucket) == []
    assert os.listdir(mount.path) == ["big"]
    mount.fresh()
    assert (mount.path / "big").read_bytes() == data


@pytest.mark.stores("gcs", only="its own ways")
@pytest.mark.options(part_size="1M", upload_delay="20ms")
def test_parts_of_an_upload_that_nobody_ended_are_not_shown_nor_in_the_way(mount):
    mount.client.put(mount.bucket, ".skydir-uploads/parts/0123456789abcdef0123456789abcdef/00001", b"part",
                     Metadata={"skydir-upload-key": "k"})
    (mount.path / "f").write_bytes(b"x")
    mount.sync()
    assert os.listdir(mount.path) == ["f"]
    (mount.path / "f").unlink()
    mount.sync()
    os.rmdir(mount.path)
    eventually(lambda: mount.bucket not in mount.client.buckets(), what="the bucket's end")


@pytest.mark.stores("gcs", only="its own ways")
@pytest.mark.options(part_size="256M", upload_delay="20ms")
def test_a_broken_upload_goes_on_where_it_broke(mount):
    data = os.urandom(1 << 20) * 80 + b"of a size of its own"
    mount.sync()
    fleet.gcs_control(mount.server, break_upload=f"{len(data)}/{50 << 20}")
    (mount.path / "big").write_bytes(data)
    mount.sync()
    assert mount.client.get(mount.bucket, "big") == data
    sessions = [r for r in fleet.gcs_state(mount.server)["requests"] if r.startswith("session:")]
    assert f"session:bytes */{len(data)}" in sessions, "the service is asked how far it came"
    assert any(s.startswith("session:bytes 52428800-") for s in sessions), sessions
    # From its beginning it would be 50 MiB more; what was on its way when it broke counts too.
    assert mount.proxy.counters()["bytes_up"] < len(data) + (45 << 20), "not sent again from its beginning"


@pytest.mark.stores("gcs", only="its own ways")
def test_a_copy_in_several_steps(mount):
    data = os.urandom(1 << 20) * 40
    mount.client.put(mount.bucket, "from", data)
    harness.run("cp", mount.path / "from", mount.path / "to")
    assert mount.read("to") == data
    assert mount.ops()["C"] >= 3  # 16 MiB a call
    assert mount.proxy.counters()["bytes_up"] < 1 << 20


@pytest.mark.stores("gcs", "fakegcs", only="its own ways")
@pytest.mark.options(attrs="default", upload_delay="20ms")
def test_attributes_cost_nothing(mount):
    for i in range(30):
        f = mount.path / "d" / f"{i}"
        f.parent.mkdir(exist_ok=True)
        f.write_bytes(b"x" * i)
        f.chmod(0o600 + i % 8)
        os.utime(f, (1000 + i, 2000 + i))
    mount.fresh()
    for i in range(30):
        st = next(e for e in os.scandir(mount.path / "d") if e.name == f"{i}").stat()
        assert (stat.S_IMODE(st.st_mode), st.st_mtime, st.st_size) == (0o600 + i % 8, 2000 + i, i)
    ops = mount.ops()
    assert set(ops) <= {"L", "B", "b", "H"} and ops["L"] <= 2 and ops.get("H", 0) <= 1, ops


@pytest.mark.stores("gcs", "fakegcs", only="its own ways")
@pytest.mark.options(attrs="default", upload_delay="20ms")
def test_rclone_and_gcsfuse_are_understood_and_understand(mount):
    put = mount.client.put
    put(mount.bucket, "rclone", b"x", Metadata={"mtime": "2009-02-13T23:31:30.123456789Z"})
    put(mount.bucket, "gcsfuse", b"x", Metadata={"gcsfuse_mtime": "2009-02-13T23:31:30.5Z"})
    put(mount.bucket, "gsutil", b"x", Metadata={"goog-reserved-file-mtime": "1234567890"})
    put(mount.bucket, "old-link", b"", Metadata={"gcsfuse_symlink_target": "some/where"})
    put(mount.bucket, "new-link", b"else/where", Metadata={"goog-reserved-file-is-symlink": "true"})
    os.listdir(mount.path)
    assert (mount.path / "rclone").stat().st_mtime_ns == 1234567890_123456789
    assert (mount.path / "gcsfuse").stat().st_mtime_ns == 1234567890_500000000
    assert (mount.path / "gsutil").stat().st_mtime_ns == 1234567890_000000000
    assert os.readlink(mount.path / "old-link") == "some/where"
    assert os.readlink(mount.path / "new-link") == "else/where"
    (mount.path / "mine").write_bytes(b"x")
    os.utime(mount.path / "mine", ns=(0, 1234567890_123456789))
    os.symlink("to/there", mount.path / "link")
    mount.sync()
    assert mount.client.wire_meta(mount.bucket, "mine")["mtime"] == "2009-02-13T23:31:30.123456789Z"
    assert mount.client.wire_meta(mount.bucket, "link")["goog-reserved-file-is-symlink"] == "true"
    assert mount.client.get(mount.bucket, "link") == b"to/there"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_credentials(make_mount, gcs_contract, kind):
    path = gcs_contract.credentials / f"{kind}.json"
    m = make_mount("gcs", store_config={"credentials-file": path})
    before = m.environment
    m.environment = lambda: {**before(), "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}
    m.start()
    (m.path / "f").write_bytes(b"by " + kind.encode())
    assert m.read("f") == b"by " + kind.encode()


@pytest.mark.parametrize("variables, wrong", (
    ({}, None), ({"AWS_SECRET_ACCESS_KEY": "another"}, "token_url of"), ({"AWS_SECRET_ACCESS_KEY": ""}, "AWS_SECRET_ACCESS_KEY is not"),
    ({"AWS_REGION": "no region!"}, "AWS_REGION")))
def test_keys_of_aws_in_the_environment(make_mount, gcs_contract, tmp_path, variables, wrong):
    """Then no metadata are asked for. Broken ones end in one line that says what."""
    account = json.loads((gcs_contract.credentials / "external_aws.json").read_text())
    source = {k: v for k, v in account["credential_source"].items() if k in ("environment_id", "regional_cred_verification_url")}
    path = tmp_path / "k.json"
    path.write_text(json.dumps({**account, "credential_source": source}))
    m = make_mount("gcs", source="/gcs/{bucket}", store_config={"credentials-file": path})
    before = m.environment
    keys = {"AWS_ACCESS_KEY_ID": "ASIASKYDIRTEST", "AWS_SECRET_ACCESS_KEY": "aws/secret+of=tests",
            "AWS_SESSION_TOKEN": "session+token/of=tests", "AWS_REGION": "eu-central-2"}
    m.environment = lambda: {**before(), **{k: v for k, v in {**keys, **variables}.items() if v}}
    m.client.create_bucket(m.bucket)
    m.write_config()
    done = m.mount(check=False)
    if wrong:
        lines = done.stderr.strip().splitlines()
        assert done.returncode in (2, 4) and len(lines) == 1 and wrong in lines[0], done.stderr
        assert "another" not in done.stderr and "session+token" not in done.stderr
        return
    assert done.returncode == 0, done.stderr
    (m.path / "f").write_bytes(b"by a role of AWS")
    m.sync()
    assert m.client.get(m.bucket, "f") == b"by a role of AWS"
    assert "exchange of a request to AWS" in fleet.gcs_state(gcs_contract)["issued"]


def test_the_metadata_server(make_mount, gcs_contract):
    m = make_mount("gcs", store_config={"credentials-file": None, "project-id": None, "use-metadata-service": "yes"})
    before = m.environment
    m.environment = lambda: {**before(), "GCE_METADATA_HOST": gcs_contract.endpoint.removeprefix("http://")}
    m.start()
    (m.path / "f").write_bytes(b"x")
    assert m.read("f") == b"x"
    assert m.bucket in os.listdir(m.root)  # of the machine's own project


def test_self_signed_tokens_refused_means_the_endpoint_is_asked(make_mount, gcs_contract):
    fleet.gcs_control(gcs_contract, self_signed="no")
    try:
        m = make_mount("gcs").start()
        (m.path / "f").write_bytes(b"x")
        assert m.read("f") == b"x"
        assert "assertion" in fleet.gcs_state(gcs_contract)["issued"]
    finally:
        fleet.gcs_control(gcs_contract, self_signed="yes")


def test_the_standard_places_make_a_store_without_a_configuration(make_mount, gcs_contract, fake_gcs):
    for extra in ({"GOOGLE_APPLICATION_CREDENTIALS": str(gcs_contract.key_file), "STORAGE_EMULATOR_HOST":
                   fake_gcs.endpoint, "GOOGLE_CLOUD_PROJECT": "skydir-test"},):
        m = make_mount("fakegcs", proxy=None)
        before = m.environment
        m.environment = lambda before=before, extra=extra: {**before(), **extra}
        m.client.create_bucket(m.bucket)
        m.config.write_text(f"[skydir]\ncache-dir = {m.cache_dir}\nlog-file = {m.log}\n")
        m.mount()
        assert sorted(os.listdir(m.top)) == ["gcs", "local"]
        (m.path / "f").write_bytes(b"x")
        assert m.read("f") == b"x"


BAD = {
    "no file": (None, "GOOGLE_APPLICATION_CREDENTIALS"),
    "not json": ("hello", "is no JSON file"),
    "no key": ({"private_key": None}, "has no 'private_key'"),
    "broken key": ({"private_key": "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"}, "private_key of"),
    "another's key": ("swap", "token_uri of"),
    "revoked": ("revoked", "gcloud auth application-default login"),
    "an unknown type": ({"type": "magic"}, "not known"),
    "no refresh token": (("authorized_user", {"refresh_token": None}), "has no 'refresh_token'"),
    "another client": (("authorized_user", {"client_secret": "secret"}), "token endpoint of"),
    "no subject's file": (("external_file", {"credential_source": {"file": "/nonexistent"}}), "credential_source.file of"),
    "another's subject": (("external_file", {"credential_source": {"file": "/etc/hostname"}}), "token_url of"),
    "no subject's address": (("external_url", {"credential_source": {"url": "http://127.0.0.1:1/"}}), "credential_source.url of"),
    "a program that may not run": (("external_program", {}), "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"),
    "no source": (("external_file", {"credential_source": {}}), "credential_source"),
    "another pool": (("external_file", {"audience": "//other"}), "token_url of"),
    "acting as nobody": (("impersonated", {"source_credentials": None}), "source_credentials"),
    "acting as another": (("impersonated", {"service_account_impersonation_url": "ANOTHER"}), "service_account_impersonation_url"),
}


def test_no_metadata_server_is_said_in_one_line(make_mount, gcs_contract):
    m = make_mount("gcs", source="/gcs/{bucket}", store_config={"credentials-file": None, "use-metadata-service": "yes"})
    before = m.environment
    m.environment = lambda: {**before(), "GCE_METADATA_HOST": "127.0.0.1:1"}
    m.write_config()
    done = m.mount(check=False)
    lines = done.stderr.strip().splitlines()
    assert done.returncode in (2, 4, 5) and len(lines) == 1 and "metadata server" in lines[0], done.stderr


@pytest.mark.parametrize("what", BAD)
def test_bad_credentials_say_in_one_line_what_to_mend(make_mount, gcs_contract, tmp_path, what):
    content, words = BAD[what]
    path = tmp_path / "k.json"
    account = json.loads(gcs_contract.key_file.read_text())
    if content == "swap":
        account["private_key_id"] = "unknown"
        path.write_text(json.dumps(account))
    elif content == "revoked":
        user = json.loads((gcs_contract.credentials / "authorized_user.json").read_text())
        path.write_text(json.dumps({**user, "refresh_token": "gone"}))
    elif isinstance(content, tuple):
        whole = {**json.loads((gcs_contract.credentials / f"{content[0]}.json").read_text()), **content[1]}
        if whole.get("service_account_impersonation_url") == "ANOTHER":
            whole["service_account_impersonation_url"] = f"{gcs_contract.endpoint}/v1/projects/-/serviceAccounts/a@b:generateAccessToken"
        path.write_text(json.dumps({k: v for k, v in whole.items() if v is not None}))
    elif isinstance(content, dict):
        path.write_text(json.dumps({k: v for k, v in {**account, **content}.items() if v is not None}))
    elif content:
        path.write_text(content)
    m = make_mount("gcs", source="/gcs/{bucket}", store_config={"credentials-file": None})
    before = m.environment
    m.environment = lambda: {**before(), "GOOGLE_APPLICATION_CREDENTIALS": str(path)}
    m.client.create_bucket(m.bucket)
    m.write_config()
    done = m.mount(check=False)
    lines = done.stderr.strip().splitlines()
    assert done.returncode in (2, 4, 5) and len(lines) == 1, done.stderr
    assert "GOOGLE_APPLICATION_CREDENTIALS" in lines[0] and words in lines[0] and "client-secret" not in lines[0], lines[0]
