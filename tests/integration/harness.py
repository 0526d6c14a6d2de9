"""Purpose: what the integration tests stand on: a running skydir mount, and clients that look into the store beside it.

A Mount owns everything it needs in one short directory of its own (config, cache, XDG directories, mount point), so that
tests run beside each other in any order. The clients never go through skydir: what they see is what is in the store.
"""

import calendar
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import uuid

import boto3
import botocore.config
import botocore.exceptions

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers"))
import fleet

SKYDIR = fleet.build_dir() / "skydir"
# Sanitizer builds are several times slower; nothing here waits by time where it can wait for an event.
PATIENCE_S = float(os.environ.get("SKYDIR_TEST_PATIENCE", "60"))


def scratch_dir(prefix):
    """Short, because the path of a Unix socket below it may have 107 bytes."""
    return pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=os.environ.get("SKYDIR_TEST_SCRATCH")))


def eventually(condition, timeout=PATIENCE_S, what="the condition"):
    """Waits until condition() is true (exceptions count as not yet) and returns its value."""
    deadline = time.monotonic() + timeout
    problem = None
    while True:
        try:
            value = condition()
            if value:
                return value
        except (OSError, AssertionError, ValueError, KeyError) as e:
            problem = e
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true in {timeout} s (last: {problem})")
        time.sleep(0.02)


def s3_client(endpoint, key, secret, region=fleet.REGION):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name=region,
        config=botocore.config.Config(
            s3={"addressing_style": "path"},
            retries={"max_attempts": 5},
            max_pool_connections=32,
            # moto stores the framing of a trailer as content.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


class S3Client:
    """Straight to the server, not through the proxy: what it asks is not counted."""

    def __init__(self, server):
        self.s3 = s3_client(server.endpoint, server.key, server.secret)

    def create_bucket(self, bucket):
        self.s3.create_bucket(Bucket=bucket)

    def buckets(self):
        return [b["Name"] for b in self.s3.list_buckets()["Buckets"]]

    def put(self, bucket, key, data=b"", **more):
        return self.s3.put_object(Bucket=bucket, Key=key, Body=data, **more)

    def get(self, bucket, key):
        """The content, or None when there is no such object."""
        try:
            return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except botocore.exceptions.ClientError as e:
            if e.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise

    def meta(self, bucket, key):
        return self.s3.head_object(Bucket=bucket, Key=key)["Metadata"]

    def delete(self, bucket, key):
        self.s3.delete_object(Bucket=bucket, Key=key)

    def keys(self, bucket, prefix=""):
        """Every key there is, markers of directories too."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return sorted(o["Key"] for page in pages for o in page.get("Contents", []))

    def uploads(self, bucket):
        return [u["Key"] for u in self.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]

    def drop_uploads(self, bucket, key):
        """What was sent of unfinished uploads of key is gone, as after the days a service keeps it."""
        for upload in self.s3.list_multipart_uploads(Bucket=bucket)["Uploads"]:
            self.s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"])


class AzureClient:
    """The vendor's own SDK, straight to the server."""

    def __init__(self, server):
        from azure.storage.blob import BlobServiceClient

        # The emulator refuses the newest version of the service. An object is read in one request, so that it is of one version.
        self.blobs = BlobServiceClient.from_connection_string(fleet.connection_string(server.endpoint),
                                                              api_version="2025-11-05", max_single_get_size=1 << 30)

    # The names of backends/azure/blob_name.c, written a second time.
    MARK, LOOK_ALIKES = "\u201b", {"\\": "\uff3c", "\x7f": "\u2421", **{chr(i): chr(0x2400 + i) for i in range(1, 32)}}

    @classmethod
    def name(cls, key):
        """What stands in the service for a key."""
        text = ""
        for i, c in enumerate(key):
            last = i + 1 == len(key) or key[i + 1] == "/"
            if 0xdc80 <= ord(c) <= 0xdcff:
                text += f"{cls.MARK}{ord(c) - 0xdc00:02X}"
            elif c in cls.LOOK_ALIKES:
                text += cls.LOOK_ALIKES[c]
            elif c == "." and last:
                text += "\uff0e"
            elif c in cls.LOOK_ALIKES.values() or (c == "\uff0e" and last):
                text += cls.MARK + c
            else:
                text += c
        return text

    @classmethod
    def key(cls, name):
        back = {v: k for k, v in cls.LOOK_ALIKES.items()}
        text, i = "", 0
        while i < len(name):
            c = name[i]
            following = name[i + 1:i + 3]
            if c == cls.MARK and (following[:1] in back or following[:1] in (cls.MARK, "\uff0e")):
                text, i = text + following[0], i + 2
            elif c == cls.MARK and re.fullmatch("[89A-F][0-9A-F]", following):
                text, i = text + chr(0xdc00 + int(following, 16)), i + 3
            else:
                last = i + 1 == len(name) or name[i + 1] == "/"
                text, i = text + ("." if c == "\uff0e" and last else back.get(c, c)), i + 1
        return text

    def create_bucket(self, bucket):
        self.blobs.create_container(bucket)

    def buckets(self):
        return [c.name for c in self.blobs.list_containers()]

    def _blob(self, bucket, key):
        return self.blobs.get_blob_client(bucket, self.name(key))

    def put(self, bucket, key, data=b"", Metadata=None, ContentType=None, **_):
        from azure.storage.blob import ContentSettings

        settings = ContentSettings(content_type=ContentType) if ContentType else None
        metadata = {k.replace("-", "__2d"): v for k, v in (Metadata or {}).items()}
        answer = self._blob(bucket, key).upload_blob(data, overwrite=True, metadata=metadata, content_settings=settings)
        return {"ETag": answer["etag"]}

    def get(self, bucket, key):
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return self._blob(bucket, key).download_blob().readall()
        except ResourceNotFoundError:
            return None

    def meta(self, bucket, key):
        metadata = self._blob(bucket, key).get_blob_properties().metadata
        return {k.lower().replace("__2d", "-"): v for k, v in metadata.items()}

    def delete(self, bucket, key):
        self._blob(bucket, key).delete_blob()

    def keys(self, bucket, prefix=""):
        names = self.blobs.get_container_client(bucket).list_blob_names(name_starts_with=self.name(prefix))
        return sorted(self.key(n) for n in names)

    def uploads(self, bucket):
        return []

    def drop_uploads(self, bucket, key):
        self.put(bucket, key)  # throws all blocks away that are not committed
        self.delete(bucket, key)


class GcsClient:
    """Google's own library, straight to the server."""

    def __init__(self, server):
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage
        from google.oauth2.credentials import Credentials

        # A bare token: with a key file the library would ask Google itself where that may be used.
        credentials = Credentials(fleet.gcs_token(server)) if hasattr(server, "key_file") else AnonymousCredentials()
        self.gcs = storage.Client(project=server.project, credentials=credentials,
                                  client_options={"api_endpoint": server.endpoint})

    def create_bucket(self, bucket):
        self.gcs.create_bucket(bucket)

    def buckets(self):
        return [b.name for b in self.gcs.list_buckets()]

    def _blob(self, bucket, key):
        return self.gcs.bucket(bucket).blob(key)

    def put(self, bucket, key, data=b"", Metadata=None, ContentType=None, **_):
        blob = self._blob(bucket, key)
        blob.metadata = Metadata
        blob.upload_from_string(data, content_type=ContentType or "application/octet-stream")
        return {"ETag": str(blob.generation)}

    def get(self, bucket, key):
        from google.api_core.exceptions import NotFound

        try:
            return self._blob(bucket, key).download_as_bytes()
        except NotFound:
            return None

    def wire_meta(self, bucket, key):
        """The metadata as it stands in the service."""
        blob = self._blob(bucket, key)
        blob.reload()
        return blob.metadata or {}

    def meta(self, bucket, key):
        """The same with mtime as the other stores have it; here it is RFC 3339, as rclone writes it."""
        found = dict(self.wire_meta(bucket, key))
        if found.get("mtime", "").endswith("Z"):
            whole, _, fraction = found["mtime"][:-1].partition(".")
            seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
            found["mtime"] = f"{seconds}.{fraction:0<9}"
        return found

    def delete(self, bucket, key):
        self._blob(bucket, key).delete()

    def keys(self, bucket, prefix=""):
        return sorted(b.name for b in self.gcs.list_blobs(bucket, prefix=prefix))

    def uploads(self, bucket):
        """Parts of uploads that are not over."""
        return self.keys(bucket, ".skydir-uploads/")

    def drop_uploads(self, bucket, _key):
        for part in self.uploads(bucket):
            self.delete(bucket, part)


class SwiftClient:
    """OpenStack's own library for Swift, straight to the server."""

    def __init__(self, server):
        import swiftclient

        s = server.settings
        self.settings = s
        self.swift = swiftclient.Connection(
            auth_version="3", authurl=s["auth_url"], timeout=60, retries=2,
            os_options={"auth_type": "v3applicationcredential", "application_credential_id": s["credential"]["id"],
                        "application_credential_secret": s["credential"]["secret"], "region_name": s["region"]})

    @staticmethod
    def _absent(error):
        return error.http_status == 404

    def create_bucket(self, bucket):
        self.swift.put_container(bucket)

    def buckets(self):
        return [c["name"] for c in self.swift.get_account(full_listing=True)[1]]

    def put(self, bucket, key, data=b"", Metadata=None, ContentType=None, **_):
        headers = {f"X-Object-Meta-{k}": v for k, v in (Metadata or {}).items()}
        etag = self.swift.put_object(bucket, key, data, content_type=ContentType or "application/octet-stream", headers=headers)
        return {"ETag": etag}

    def get(self, bucket, key):
        import swiftclient

        try:
            return self.swift.get_object(bucket, key)[1]
        except swiftclient.ClientException as e:
            if self._absent(e):
                return None
            raise

    def meta(self, bucket, key):
        prefix = "x-object-meta-"
        return {k[len(prefix):]: v for k, v in self.swift.head_object(bucket, key).items() if k.startswith(prefix)}

    def delete(self, bucket, key):
        self.swift.delete_object(bucket, key)

    def keys(self, bucket, prefix=""):
        return sorted(o["name"] for o in self.swift.get_container(bucket, prefix=prefix, full_listing=True)[1])

    def uploads(self, bucket):
        """Records of uploads that are not over."""
        import swiftclient

        try:
            return [k for k in self.keys(f"{bucket}_segments", ".skydir/") if k.endswith("/00000000")]
        except swiftclient.ClientException as e:
            if self._absent(e):
                return []
            raise


    def drop_uploads(self, bucket, _key):
        for name in self.keys(f"{bucket}_segments", ".skydir/"):
            self.delete(f"{bucket}_segments", name)


class LocalClient:
    """Reads and writes the directory of a `local` store; see the top of backends/local/local.c for its layout."""

    def __init__(self, root):
        self.root = pathlib.Path(root)

    def _bucket(self, bucket):
        return self.root / bucket

    def create_bucket(self, bucket):
        self._bucket(bucket).mkdir(parents=True)

    def buckets(self):
        return sorted(p.name for p in self.root.iterdir() if not p.name.startswith(".")) if self.root.exists() else []

    # The names of backends/local/local.c, written a second time.
    @staticmethod
    def _encode_component(component):
        text = component
        if component in (b"", b".", b"..") or re.search(rb"%[=@+v]$", component):
            text = component.replace(b"%", b"%25")
            if component in (b".", b".."):
                text = text.replace(b".", b"%2e")
            text += b"%="
        pieces = []
        while len(text) > 253:
            pieces.append(text[:240] + b"%+")
            text = text[240:]
        return b"/".join([*pieces, text])

    @classmethod
    def _encode(cls, key):
        return os.fsdecode(b"/".join(cls._encode_component(c) for c in os.fsencode(key).split(b"/")))

    @staticmethod
    def _decode(path):
        joined = re.sub(rb"(?<=[^/]{240})%\+/", b"", os.fsencode(path))

        def component(c):
            c = c.removesuffix(b"%@")
            if c.endswith(b"%="):
                return re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), c[:-2])
            return c

        return os.fsdecode(b"/".join(component(c) for c in joined.split(b"/")))

    def put(self, bucket, key, data=b"", **_):
        path = self._bucket(bucket) / self._encode(key)
        if path.is_dir():
            path = path.with_name(path.name + "%@")
        for parent in reversed(path.relative_to(self._bucket(bucket)).parents):
            place = self._bucket(bucket) / parent
            if place.is_file():
                place.rename(place.with_name(place.name + "%@"))
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.root / ".skydir" / f"test-{uuid.uuid4().hex}"
        temporary.parent.mkdir(exist_ok=True)
        temporary.write_bytes(data)
        temporary.rename(path)

    def _find(self, bucket, key):
        path = self._bucket(bucket) / self._encode(key)
        for candidate in (path.with_name(path.name + "%@"), path):
            if candidate.is_file():
                return candidate
        return None

    def get(self, bucket, key):
        path = self._find(bucket, key)
        return path.read_bytes() if path else None

    def delete(self, bucket, key):
        path = self._find(bucket, key)
        if path:
            path.unlink()

    def keys(self, bucket, prefix=""):
        top = self._bucket(bucket)
        found = []
        for directory, names, files in os.walk(top):
            names[:] = [n for n in names if not n.endswith("%v") and not (n == ".skydir" and directory == str(top))]
            for name in files:
                found.append(self._decode(os.path.relpath(os.path.join(directory, name), top)))
        return sorted(k for k in found if k.startswith(prefix))

    def uploads(self, _bucket):
        return []


class PlainClient(LocalClient):
    """For --plain: the tests themselves, judged by an ordinary directory."""


def daemons_of(runtime_dir):
    """The processes that were started with this runtime directory: {pid: command line}."""
    wanted = f"SKYDIR_RUNTIME_DIR={runtime_dir}".encode()
    found = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            with open(f"/proc/{entry.name}/environ", "rb") as f:
                if wanted not in f.read().split(b"\0"):
                    continue
            with open(f"/proc/{entry.name}/cmdline", "rb") as f:
                line = f.read().replace(b"\0", b" ").decode(errors="replace")
            with open(f"/proc/{entry.name}/stat", "rb") as f:
                if f.read().rpartition(b")")[2].split()[0] == b"Z":
                    continue
        except OSError:
            continue
        found[int(entry.name)] = line
    return found


def is_mounted(path):
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as f:
        return any(line.split(" ")[1] == str(path) for line in f)


class Mount:
    """One skydir mount of one store. Use as a context manager, or start() and close()."""

    def __init__(self, kind, server=None, proxy=None, store_config=None, options=None, bucket=None, source=None):
        self.kind = kind  # "local", "s3", "moto", "ceph", "gcs", "fakegcs", "azure" or "swift"
        self.server, self.proxy = server, proxy
        self.dir = scratch_dir("m")
        self.top = self.dir / "mnt"  # the mount point
        self.store = {"local": "local", "gcs": "gcs", "fakegcs": "gcs", "azure": "azure", "swift": "swift"}.get(kind, "s3")
        self.options = dict(options or {})
        self.store_config = dict(store_config or {})
        self.sections = {}  # more of the configuration: {"monthly": {"type": "budget", ...}}
        self.source = source
        self.bucket = bucket or f"t{uuid.uuid4().hex[:12]}"
        self.config = self.dir / "skydir.conf"
        self.log = self.dir / "log"
        for name in ("mnt", "run", "home", "data", "cache", "conf"):
            (self.dir / name).mkdir(mode=0o700)
        if kind == "local":
            self.client = LocalClient(self.dir / "data" / "skydir" / "local")
        else:
            clients = {"azure": AzureClient, "gcs": GcsClient, "swift": SwiftClient}
            self.client = clients.get(self.store, S3Client)(server)

    # ---- where things are ----

    @property
    def root(self):
        """The directory of the store: its entries are the buckets."""
        return self.top / self.store

    @property
    def path(self):
        """The directory of the test's bucket."""
        return self.top if self.source else self.root / self.bucket

    @property
    def cache_dir(self):
        return self.dir / "cache" / "skydir"

    def environment(self):
        unwanted = ("AWS_", "XDG_", "SKYDIR_CONFIG", "SKYDIR_RUNTIME", "INFOMANIAK_", "OS_", "GOOGLE_", "AZURE_", "STORAGE_EMULATOR_", "CLOUDSDK_",
                    "GCLOUD_")
        e = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
        e.update(
            HOME=str(self.dir / "home"),
            XDG_RUNTIME_DIR=str(self.dir / "run"),
            SKYDIR_RUNTIME_DIR=str(self.dir / "run"),
            XDG_DATA_HOME=str(self.dir / "data"),
            XDG_CACHE_HOME=str(self.dir / "cache"),
            XDG_CONFIG_HOME=str(self.dir / "conf"),
            SKYDIR_CONFIG=str(self.config),
            ASAN_OPTIONS=f"log_path={self.dir}/sanitizer:detect_leaks=1",
            UBSAN_OPTIONS=f"log_path={self.dir}/sanitizer:print_stacktrace=1",
            TSAN_OPTIONS=f"log_path={self.dir}/sanitizer:halt_on_error=0",
            NO_COLOR="1",
        )
        return e

    # ---- configuration ----

    def write_config(self):
        options = {"cache-dir": self.cache_dir, "log-file": self.log, "log-level": "info",
                   "passthrough": os.environ.get("SKYDIR_TEST_PASSTHROUGH"), **self.options}
        lines = ["[skydir]"] + [f"{k} = {v}" for k, v in options.items() if v is not None]
        if self.kind != "local":
            endpoint = self.proxy.endpoint if self.proxy else self.server.endpoint
            values = {**self._store_values(endpoint), **self.store_config}
            lines += [f"[{self.store}]"] + [f"{k} = {v}" for k, v in values.items() if v is not None]
        for name, values in self.sections.items():
            lines += [f"[{name}]"] + [f"{k} = {v}" for k, v in values.items()]
        self.config.write_text("\n".join(lines) + "\n")
        self.config.chmod(0o600)

    def _store_values(self, endpoint):
        if self.kind == "azure":
            # Which kind of account it is would be asked once in each mount; that is told, so that requests can be counted.
            return {"type": "azure", "connection-string": fleet.connection_string(endpoint), "hierarchical-namespace": "no"}
        if self.kind == "swift":
            s = self.server.settings
            return {"type": "swift", "auth-url": s["auth_url"], "region": s["region"], "rate-limit": "0",
                    "application-credential-id": s["credential"]["id"],
                    "application-credential-secret": s["credential"]["secret"],
                    "storage-url": f"{endpoint}/v1/AUTH_{s['project_id']}"}
        if self.kind == "gcs":
            return {"type": "gcs", "endpoint": endpoint, "project-id": self.server.project,
                    "credentials-file": self.server.key_file}
        if self.kind == "fakegcs":
            return {"type": "gcs", "endpoint": endpoint, "project-id": self.server.project, "anonymous": "yes",
                    "conditional-writes": "no"}
        return {
            "type": "s3",
            "endpoint": endpoint,
            "region": fleet.REGION,
            "access-key-id": self.server.key,
            "secret-access-key": self.server.secret,
        }

    # ---- the command ----

    def skydir(self, *args, check=True, timeout=PATIENCE_S, env=None):
        """Runs `skydir ARGS`; returns the CompletedProcess (text)."""
        done = subprocess.run(
            [str(SKYDIR), *map(str, args)],
            env={**self.environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        for secret in self.secrets():
            assert secret not in done.stdout + done.stderr, f"skydir {args} shows a secret"
        if check and done.returncode != 0:
            raise AssertionError(f"skydir {args} exits {done.returncode}: {done.stderr.strip()} {self.tail()}")
        return done

    def start(self, create_bucket=True):
        if create_bucket:
            self.client.create_bucket(self.bucket)
        self.write_config()
        self.mount()
        if self.proxy:
            self.proxy.reset()
        return self

    def mount(self, *more, **how):
        args = ["mount", *([self.source.format(bucket=self.bucket)] if self.source else []), self.top, *more]
        return self.skydir(*args, **how)

    def umount(self, *more, **how):
        done = self.skydir("umount", *more, self.top, **how)
        if done.returncode == 0:
            eventually(lambda: not daemons_of(self.dir / "run"), what="the daemon's end")
        return done

    def remount(self):
        """Unmounts, draining, and mounts again: with an empty kernel cache."""
        self.umount()
        self.mount()

    def remove_cache(self):
        shutil.rmtree(self.cache_dir, ignore_errors=True)

    def fresh(self):
        """As a machine that has never seen the store: unmounted, the cache thrown away, mounted again."""
        self.umount()
        self.remove_cache()
        self.mount()
        if self.proxy:
            self.proxy.reset()

    def sync(self, *path):
        return self.skydir("sync", *(path or (self.top,)))

    def status(self):
        """What `skydir status` tells of this mount."""
        mounts = json.loads(self.skydir("status", self.top, "-o", "json").stdout)["mounts"]
        assert len(mounts) == 1, mounts
        return mounts[0]

    def kernel_requests(self):
        """How often the kernel asked the daemon, by operation."""
        found = re.findall(r'kernel_requests_total\{[^}]*operation="(\w+)"[^}]*\} (\d+)', self.skydir("metrics", self.top).stdout)
        return {operation: int(count) for operation, count in found}

    @property
    def pid(self):
        pids = [p for p, line in daemons_of(self.dir / "run").items() if "mount" in line]
        assert len(pids) == 1, f"one daemon expected: {pids}"
        return pids[0]

    def kill(self, number=signal.SIGKILL):
        pid = self.pid
        os.kill(pid, number)
        eventually(lambda: pid not in daemons_of(self.dir / "run"), what=f"the end of {pid} after signal {number}")
        return pid

    def unmount_lazily(self):
        """What the kernel still holds of a daemon that is gone."""
        while is_mounted(self.top):
            subprocess.run(["fusermount3", "-uz", str(self.top)], check=True, capture_output=True)

    # ---- looking ----

    def read(self, key):
        """What the store holds under key (None: nothing), after all was written."""
        self.sync()
        return self.client.get(self.bucket, key)

    def keys(self, prefix=""):
        """The keys of files in the store (no markers of directories), after all was written."""
        self.sync()
        return [k for k in self.client.keys(self.bucket, prefix) if not k.endswith("/")]

    def ops(self):
        return self.proxy.ops()

    def tail(self, lines=15):
        if not self.log.exists():
            return ""
        return "\nlog:\n" + "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def secrets(self):
        """What no log, error or process argument may show."""
        known = [self.server.secret] if self.server and getattr(self.server, "secret", None) else []
        return known + [str(v) for k, v in self.store_config.items() if ("secret" in k or "token" in k) and not k.endswith("-file")]

    def leaks(self):
        """Files of this mount's directory that show a secret, besides the one it was written into."""
        found = []
        for path in (self.log, *self.dir.glob("sanitizer*"), *self.dir.glob("run/**/*")):
            if path.is_file():
                text = path.read_bytes()
                found += [str(path) for secret in self.secrets() if len(secret) > 5 and secret.encode() in text]
        for pid in daemons_of(self.dir / "run"):
            with contextlib.suppress(OSError):
                line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                found += [f"the arguments of {pid}" for secret in self.secrets() if secret.encode() in line]
        return found

    def sanitizer_reports(self):
        return "\n".join(p.read_text(errors="replace") for p in self.dir.glob("sanitizer*"))

    # ---- the end ----

    def close(self):
        """Unmounts and looks for what must not be left. Everything is gone afterwards, whatever was found."""
        problems = [f"a secret is shown: {self.leaks()}"] if self.leaks() else []
        try:
            if is_mounted(self.top):
                with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                    self.skydir("umount", "--now", self.top, timeout=30)
            if is_mounted(self.top):
                problems.append("umount --now left the mount")
                self.unmount_lazily()
            try:
                eventually(lambda: not daemons_of(self.dir / "run"), timeout=20, what="the daemon's end")
            except AssertionError:
                problems.append(f"left running: {daemons_of(self.dir / 'run')}")
            if self.sanitizer_reports():
                problems.append(self.sanitizer_reports())
            if self.leaks():
                problems.append(f"a secret is shown: {self.leaks()}")
        finally:
            for pid in daemons_of(self.dir / "run"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            tail = self.tail() if problems else ""
            shutil.rmtree(self.dir, ignore_errors=True)
        assert not problems, "; ".join(problems) + tail

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.close()


class Plain(Mount):
    """An ordinary directory in the place of a mount (pytest --plain): shows that a test asks only what POSIX gives."""

    def __init__(self, *_, **more):
        super().__init__("local")
        self.kind, self.proxy, self.source = "plain", None, None
        self.client = PlainClient(self.root)

    def start(self, create_bucket=True):
        self.root.mkdir()
        self.path.mkdir()
        return self

    def sync(self, *path):
        pass

    def remount(self):
        pass

    def fresh(self):
        pass

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def is_sanitized():
    """Whether the daemon was built with ASan or TSan."""
    program = SKYDIR.read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


def run(*command, check=True, timeout=PATIENCE_S, cwd=None, **more):
    """A program as a user runs it; its output as text."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout, cwd=cwd,
                          stdin=subprocess.DEVNULL, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} exits {done.returncode}: {done.stderr.strip()}")
    return done


def tree(top):
    """Everything below a directory: {relative name: content, target of the link or None for a directory}."""
    found = {}
    for directory, names, files in os.walk(top):
        for name in names + files:
            path = os.path.join(directory, name)
            kind = os.lstat(path).st_mode
            relative = os.path.relpath(path, top)
            if stat.S_ISLNK(kind):
                found[relative] = os.readlink(path)
            elif stat.S_ISDIR(kind):
                found[relative] = None
            else:
                with open(path, "rb") as f:
                    found[relative] = f.read()
    return found
