"""What is Azure's own: identities, directories that are real, other tools' blobs. The servers are Azurite, with the vendor's SDK
beside us, and the contract server (tests/servers/azure_contract.py) for what Azurite lacks."""

import datetime
import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from harness import fleet, run

SHORT = {"upload-delay": "10ms"}


@pytest.fixture(scope="module")
def contract():
    with fleet.AzureContract() as server:
        yield server


@pytest.fixture(scope="module")
def directories():
    with fleet.AzureContract(has_directories=True) as server:
        yield server


def contract_mount(make_mount, server, env=None, **config):
    """A mount of the contract server, which knows no client but ours."""
    config = {"connection-string": None, "hierarchical-namespace": "auto", "endpoint": server.endpoint, "account": server.account, **config}
    m = make_mount("azure", server=server, proxy=None, store_config=config, options={**SHORT, "log-level": "debug"})
    m.write_config()
    done = m.mount(env=env or {}, check=False)
    return m, done


def use(m):
    """Whether everything goes: a bucket, a file in two directions."""
    m.path.mkdir()
    (m.path / "d").mkdir()
    (m.path / "d" / "f").write_text("content")
    m.sync()
    assert (m.path / "d" / "f").read_text() == "content"
    run("rm", "-r", m.path / "d")
    m.sync()
    m.path.rmdir()


def identity(server):
    return {"tenant-id": server.tenant, "client-id": server.client_id}


def authority(server):
    return {"AZURE_AUTHORITY_HOST": server.endpoint}


def test_an_account_key(make_mount, contract):
    m, done = contract_mount(make_mount, contract, **{"account-key": contract.key})
    assert done.returncode == 0, done.stderr
    use(m)


def test_a_client_secret(make_mount, contract):
    m, done = contract_mount(make_mount, contract, authority(contract), **identity(contract),
                             **{"client-secret": contract.client_secret})
    assert done.returncode == 0, done.stderr
    use(m)


def test_a_client_secret_of_the_environment(make_mount, contract):
    env = {**authority(contract), "AZURE_TENANT_ID": contract.tenant, "AZURE_CLIENT_ID": contract.client_id,
           "AZURE_CLIENT_SECRET": contract.client_secret}
    m, done = contract_mount(make_mount, contract, env)
    assert done.returncode == 0, done.stderr
    use(m)


def test_a_certificate(make_mount, contract, tmp_path):
    pem = tmp_path / "both.pem"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "2", "-keyout", tmp_path / "key.pem",
        "-out", contract.dir / "certificate.pem")
    pem.write_bytes((tmp_path / "key.pem").read_bytes() + (contract.dir / "certificate.pem").read_bytes())
    m, done = contract_mount(make_mount, contract, authority(contract), **identity(contract), **{"client-certificate": pem})
    assert done.returncode == 0, done.stderr
    use(m)


def test_a_workload_identity(make_mount, contract, tmp_path):
    (tmp_path / "token").write_text(contract.federated + "\n")
    m, done = contract_mount(make_mount, contract, authority(contract), **identity(contract),
                             **{"federated-token-file": tmp_path / "token"})
    assert done.returncode == 0, done.stderr
    use(m)


def test_a_managed_identity(make_mount, contract):
    m, done = contract_mount(make_mount, contract, {"AZURE_POD_IDENTITY_AUTHORITY_HOST": contract.endpoint},
                             **{"use-metadata-service": "yes"})
    assert done.returncode == 0, done.stderr
    use(m)


def test_an_app_service(make_mount, contract):
    env = {"IDENTITY_ENDPOINT": f"{contract.endpoint}/msi/token", "IDENTITY_HEADER": "header-1"}
    m, done = contract_mount(make_mount, contract, env, **{"use-metadata-service": "yes"})
    assert done.returncode == 0, done.stderr
    use(m)


def test_the_azure_cli(make_mount, contract, tmp_path):
    token = subprocess.run(["curl", "-s", "-H", "Metadata: true",
                            f"{contract.endpoint}/metadata/identity/oauth2/token?resource=https%3A%2F%2Fstorage.azure.com%2F"],
                           capture_output=True, text=True, check=True).stdout.split('"')[3]
    (tmp_path / "bin").mkdir()
    az = tmp_path / "bin" / "az"
    az.write_text(f"""#!/bin/sh
[ "$1 $2" = "account get-access-token" ] || exit 2
echo '{{"accessToken": "{token}", "expires_on": 4000000000, "tokenType": "Bearer"}}'
""")
    az.chmod(0o755)
    (tmp_path / "azureProfile.json").write_text("{}")
    env = {"AZURE_CONFIG_DIR": str(tmp_path), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    m, done = contract_mount(make_mount, contract, env)
    assert done.returncode == 0, done.stderr
    use(m)


def test_a_link_is_signed_by_a_key_of_the_identity(make_mount, contract):
    """Who signs in by a token has no account key: the service gives one for a while (user delegation)."""
    m, done = contract_mount(make_mount, contract, authority(contract), **identity(contract),
                             **{"client-secret": contract.client_secret})
    assert done.returncode == 0, done.stderr
    m.path.mkdir()
    (m.path / "d").mkdir()
    (m.path / "d" / "a b").write_text("content")
    m.sync()
    url = json.loads(m.skydir("presign", "get", f"/azure/{m.bucket}/d/a b", "-o", "json", "--config", m.config,
                              env=authority(contract)).stdout)["url"]
    assert "skoid=" in url and "sig=" in url and contract.client_secret not in url
    assert urllib.request.urlopen(url, timeout=60).read() == b"content"
    with pytest.raises(urllib.error.HTTPError) as refused:  # to read, and nothing else
        urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=60)
    assert refused.value.code == 403
    run("rm", "-r", m.path / "d")
    m.sync()
    m.path.rmdir()


def test_an_overwrite_moves_no_unchanged_byte(make_mount, contract):
    """Blocks are kept, and the rest of the block that is cut is copied by the service."""
    with fleet.Proxy(contract.endpoint) as proxy:
        config = {"connection-string": None, "endpoint": f"{proxy.endpoint}/{contract.account}", "account": contract.account,
                  "account-key": contract.key}
        m = make_mount("azure", server=contract, proxy=proxy, store_config=config, options=SHORT)
        m.write_config()
        m.mount()
        m.path.mkdir()
        data = bytearray(os.urandom(40 << 20))
        (m.path / "f").write_bytes(data)
        m.sync()
        proxy.reset()
        with open(m.path / "f", "r+b") as f:
            f.seek(20 << 20)
            f.write(b"changed")
        data[20 << 20:(20 << 20) + 7] = b"changed"
        m.sync()
        counters = proxy.counters()
        assert counters["bytes_up"] < 1.5 * (1 << 20) and counters["bytes_down"] < 1 << 16, counters
        m.fresh()
        assert (m.path / "f").read_bytes() == data
        (m.path / "empty").write_bytes(b"")
        m.sync()
        proxy.reset()
        run("mv", m.path / "empty", m.path / "moved")  # of no known size: not in one go, so it is looked at until it is through
        m.sync()
        assert proxy.ops()["H"] >= 3 and proxy.ops()["C"] == 1, proxy.ops()
        run("rm", m.path / "moved", m.path / "f")
        m.sync()
        m.path.rmdir()
        m.umount()


def manager(server, **form):
    """The account's settings as the Resource Manager tells them."""
    form = {"grant_type": "client_credentials", "client_id": server.client_id, "client_secret": server.client_secret,
            "scope": "https://management.azure.com/.default"}
    url = f"{server.endpoint}/{server.tenant}/oauth2/v2.0/token"
    token = json.load(urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), timeout=60))["access_token"]
    path = (f"/subscriptions/{server.subscription}/resourceGroups/{server.group}/providers/Microsoft.Storage/storageAccounts/"
            f"{server.account}/blobServices/default?api-version=2023-05-01")
    request = urllib.request.Request(server.endpoint + path, headers={"Authorization": f"Bearer {token}"})
    return json.load(urllib.request.urlopen(request, timeout=60))["properties"]


@pytest.mark.parametrize("group", (None, "group1"))
def test_old_versions_are_kept_when_the_resource_manager_is_told_to(make_mount, contract, group):
    """A setting of the account, by a token; the blobs themselves by the key. Its other settings stay."""
    config = {"account-key": contract.key, "management-endpoint": contract.endpoint, "subscription-id": contract.subscription,
              "resource-group": group, **identity(contract), "client-secret": contract.client_secret}
    m, done = contract_mount(make_mount, contract, authority(contract), **config)
    assert done.returncode == 0, done.stderr

    def sky(*words):
        return json.loads(m.skydir(*words, "-o", "json", "--config", m.config, env=authority(contract)).stdout)

    bucket = f"/azure/{m.bucket}"
    m.path.mkdir()
    assert sky("buckets", "versioning", "get", bucket)["versioning"] is False
    try:
        assert sky("buckets", "versioning", "set", bucket, "on")["versioning"] is True
        assert sky("buckets", "versioning", "get", bucket)["versioning"] is True
        said = manager(contract)
        assert said["isVersioningEnabled"] is True and said["deleteRetentionPolicy"] == {"enabled": True, "days": 9}
        for text in ("one", "two!"):
            (m.path / "f").write_text(text)
            m.sync()
        rows = sky("objects", "versions", bucket + "/f")["items"]
        assert [(r["size"], r["is_latest"]) for r in rows] == [(4, True), (3, False)], rows
        for row in rows:
            sky("objects", "delete", bucket + "/f", "--version-id", row["version_id"], "--yes")
        assert sky("objects", "versions", bucket + "/f")["items"] == []
    finally:
        assert sky("buckets", "versioning", "set", bucket, "off")["versioning"] is False
    m.umount()
    m.mount()
    m.path.rmdir()


def test_a_key_alone_cannot_say_whether_versions_are_kept(make_mount, contract):
    m, done = contract_mount(make_mount, contract, **{"account-key": contract.key})
    assert done.returncode == 0, done.stderr
    done = m.skydir("buckets", "versioning", "get", f"/azure/{m.bucket}", "--config", m.config, check=False)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 1 and len(lines) == 1 and "not supported by azure" in lines[0] and "subscription-id" in lines[0], done.stderr


TENANT = fleet.AzureContract.tenant
WRONG = [
    ({"account-key": "d3Jvbmc="}, {}, "account-key"),
    ({"account-key": "not base64!"}, {}, "account-key"),
    ({"sas-token": "sv=2022-11-02&sp=rwdl&sr=c&se=2020-01-01T00%3A00%3A00Z&sig=AAAA"}, {}, "sas-token"),
    ({"sas-token": "nonsense"}, {}, "sas-token"),
    ({"client-secret": "wrong", "tenant-id": fleet.AzureContract.tenant, "client-id": "client-1"}, {}, "AZURE_CLIENT_SECRET"),
    ({}, {"AZURE_CLIENT_SECRET": "x", "AZURE_CLIENT_ID": "client-1"}, "AZURE_TENANT_ID"),
    ({"client-certificate": "/nonexistent.pem", "tenant-id": "t", "client-id": "c"}, {}, "/nonexistent.pem"),
    ({"federated-token-file": "/nonexistent", "tenant-id": "t", "client-id": "c"}, {}, "AZURE_FEDERATED_TOKEN_FILE"),
    ({"connection-string": "what"}, {}, "connection-string"),
    ({}, {}, "az login"),
    ({"anonymous": "yes"}, {}, "anonymous"),
    ({"connection-string": "AccountName={account};AccountKey=d3Jvbmc=;BlobEndpoint={endpoint}/{account}"}, {}, "connection-string"),
    ({}, {"AZURE_STORAGE_KEY": "d3Jvbmc="}, "AZURE_STORAGE_KEY"),
    ({"client-certificate": "{certificate}", "tenant-id": TENANT, "client-id": "client-1"}, {}, "/both.pem"),
    ({"federated-token-file": "{token}", "tenant-id": TENANT, "client-id": "client-1"}, {}, "/token'"),
    ({"use-metadata-service": "yes"}, {"IDENTITY_ENDPOINT": "{endpoint}/msi/token", "IDENTITY_HEADER": "AAAA"}, "IDENTITY_ENDPOINT"),
    ({"use-metadata-service": "yes"}, {"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1"}, "az login"),
    ({}, {"AZURE_CONFIG_DIR": "{cli}", "PATH": "{cli}:/usr/bin:/bin"}, "az login"),
]


@pytest.mark.parametrize("config, env, named", WRONG)
def test_bad_credentials_name_what_to_mend(make_mount, contract, tmp_path, config, env, named):
    """One line, and the secret is not in it."""
    (tmp_path / "azureProfile.json").write_text("{}")
    (tmp_path / "az").write_text("#!/bin/sh\necho 'Please run az login' >&2\nexit 1\n")
    (tmp_path / "az").chmod(0o755)
    (tmp_path / "token").write_text("of somebody else")
    words = {"endpoint": contract.endpoint, "account": contract.account, "cli": tmp_path, "token": tmp_path / "token",
             "certificate": tmp_path / "both.pem"}
    if "client-certificate" in config:
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-days", "2", "-keyout", tmp_path / "key.pem",
            "-out", tmp_path / "cert.pem")
        (tmp_path / "both.pem").write_bytes((tmp_path / "key.pem").read_bytes() + (tmp_path / "cert.pem").read_bytes())
    config, env = ({k: v.format(**words) for k, v in d.items()} for d in (config, env))
    m = make_mount("azure", server=contract, proxy=None, options=SHORT, source="/azure/{bucket}",
                   store_config={"connection-string": None, "endpoint": contract.endpoint, "account": contract.account, **config})
    m.write_config()
    done = m.mount(env={**authority(contract), **env}, check=False)
    assert done.returncode in (1, 2, 4), (done.returncode, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and named in lines[0], done.stderr
    assert "AAAA" not in done.stderr and "d3Jvbmc" not in done.stderr


def test_directories_are_real(make_mount, directories):
    m, done = contract_mount(make_mount, directories, **{"account-key": directories.key})
    assert done.returncode == 0, done.stderr
    m.path.mkdir()
    (m.path / "a" / "b").mkdir(parents=True)
    (m.path / "empty").mkdir()
    (m.path / "a" / "b" / "f").write_text("deep")
    (m.path / "top").write_text("top")
    m.umount()
    __import__("shutil").rmtree(m.cache_dir)
    m.mount()
    assert os.path.isdir(m.path / "empty"), m.tail(80)
    assert (m.path / "empty").is_dir() and os.listdir(m.path / "empty") == []  # looked up before any listing
    assert sorted(os.listdir(m.path)) == ["a", "empty", "top"]
    assert (m.path / "a" / "b" / "f").read_text() == "deep"
    os.rename(m.path / "top", m.path / "a" / "moved")
    os.rename(m.path / "a", m.path / "c")
    m.sync()
    m.umount()
    __import__("shutil").rmtree(m.cache_dir)
    m.mount()
    assert sorted(os.listdir(m.path)) == ["c", "empty"]
    assert (m.path / "c" / "moved").read_text() == "top" and (m.path / "c" / "b" / "f").read_text() == "deep"
    run("rm", "-r", m.path / "c")
    (m.path / "empty").rmdir()
    m.sync()
    assert os.listdir(m.path) == []
    try:
        m.path.rmdir()  # the container is empty: no directory stayed behind
    except OSError:
        raise AssertionError(m.tail(60)) from None


@pytest.mark.stores("azure", only="its own ways")
def test_blobs_of_other_tools_are_read(mount):
    container = mount.client.blobs.get_container_client(mount.bucket)
    log = container.get_blob_client("log")
    log.create_append_blob()
    log.append_block(b"one\n")
    log.append_block(b"two\n")
    page = container.get_blob_client("disk")
    page.create_page_blob(1024)
    page.upload_page(b"p" * 512, 0, 512)
    container.upload_blob("blobfuse-dir", b"", metadata={"hdi_isfolder": "true"})
    container.upload_blob("link", b"target", metadata={"is_symlink": "true"})
    container.upload_blob("from-rclone", b"x", metadata={"mtime": "2001-02-03T04:05:06.123456789Z"})
    assert (mount.path / "log").read_bytes() == b"one\ntwo\n"
    assert (mount.path / "disk").read_bytes() == b"p" * 512 + b"\0" * 512
    assert os.listdir(mount.path)
    assert (mount.path / "blobfuse-dir").is_dir()
    assert os.readlink(mount.path / "link") == "target"
    when = datetime.datetime(2001, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc).timestamp()
    assert int((mount.path / "from-rclone").stat().st_mtime) == when
    (mount.path / "blobfuse-dir").rmdir()
    mount.sync()
    assert "blobfuse-dir" not in mount.client.keys(mount.bucket)


@pytest.mark.stores("azure", only="its own ways")
@pytest.mark.options(part_size="4M", upload_delay="10ms")
def test_a_big_append_blob_is_replaced_whole(mount):
    """Its name takes no blocks; what holds for it must not be held against other blobs."""
    data = bytearray(os.urandom(20 << 20))
    log = mount.client.blobs.get_container_client(mount.bucket).get_blob_client("log")
    log.create_append_blob()
    for at in range(0, len(data), 4 << 20):
        log.append_block(bytes(data[at:at + (4 << 20)]))
    with open(mount.path / "log", "ab") as f:
        f.write(b"one line more")
    data += b"one line more"
    assert mount.read("log") == data
    (mount.path / "log").write_bytes(data * 2)
    assert mount.read("log") == data * 2
    (mount.path / "other").write_bytes(data)
    mount.sync()
    mount.proxy.reset()
    with open(mount.path / "other", "ab") as f:
        f.write(b"x")
    assert mount.read("other") == data + b"x"
    assert mount.proxy.counters()["bytes_up"] < 1 << 20
    assert "upload.no_part_copy" not in mount.log.read_text()


@pytest.mark.stores("azure", only="its own ways")
def test_what_is_written_is_read_by_the_sdk(mount):
    data = os.urandom(40 << 20)
    (mount.path / "big").write_bytes(data)
    (mount.path / "dir").mkdir()
    (mount.path / "dir" / "small").write_text("small")
    mount.sync()
    container = mount.client.blobs.get_container_client(mount.bucket)
    assert container.download_blob("big").readall() == data
    blocks = container.get_blob_client("big").get_block_list()[0]
    assert len(blocks) > 1 and sum(b.size for b in blocks) == len(data)
    assert container.get_blob_client("dir/").get_blob_properties().metadata["hdi_isfolder"] == "true"
    assert container.download_blob("dir/small").readall() == b"small"
    assert container.get_blob_client("dir/small").get_blob_properties().content_settings.content_md5
