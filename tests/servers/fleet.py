"""Purpose: starts the servers that the tests run against, each on a free port of 127.0.0.1, and ends them.

As a module: Versitygw, Moto, Ceph, FakeGcs, GcsContract, Azurite, Swift, OpenStack and Proxy, each a context manager with .endpoint (and for the S3
servers .key and .secret). As a program:

    fleet.py run versitygw moto -- COMMAND...   runs COMMAND beside the servers; exits with its exit code
    fleet.py serve versitygw                    prints the settings and stays until it is interrupted

A name with a question mark (ceph?) is a server that may be left out: when it does not start, that is said, and its tests are
skipped.

The environment that `run` gives to COMMAND: SKYDIR_TEST_S3_ENDPOINT, _KEY, _SECRET, _REGION and _DIR (the directory
whose files are the buckets' objects), SKYDIR_TEST_MOTO_ENDPOINT, SKYDIR_TEST_CEPH_ENDPOINT, _KEY and _SECRET, SKYDIR_TEST_GCS_ENDPOINT (fake-gcs-server),
SKYDIR_TEST_SWIFT (a file with all that a client of Swift needs), SKYDIR_TEST_SWIFT_ENDPOINT and SKYDIR_TEST_OS_* (what OS_*
would hold), SKYDIR_TEST_OPENSTACK (a file like SKYDIR_TEST_SWIFT's), SKYDIR_TEST_GCS_CONTRACT and SKYDIR_TEST_GCS_CREDENTIALS (a key file for that one), SKYDIR_TEST_AZURE_ENDPOINT and _CONNECTION.
Nothing outlives this program: the kernel ends each server when its parent dies, however that happens.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import known_secrets

KEY = "skydirtestkey"
SECRET = known_secrets.S3
REGION = "us-east-1"
TOP = pathlib.Path(__file__).resolve().parents[2]

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def build_dir():
    return pathlib.Path(os.environ.get("SKYDIR_BUILD_DIR", TOP / "build" / "release"))


class Server:
    """One child process with a scratch directory of its own."""

    name = "server"
    ready_s = 30

    def __init__(self):
        self.process = None
        self.port = 0
        self.dir = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        scratch = os.environ.get("SKYDIR_TEST_SCRATCH")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"skydir-{self.name}-", dir=scratch))
        # A port found free may be taken before the server binds it: then another one is tried.
        for attempt in range(5):
            self.port = free_port()
            if self._launch():
                return self
        log = (self.dir / "log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{self.name} does not start: {log}")

    def _launch(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**clean_environment(), **self.environment()},
                preexec_fn=_die_with_parent,
            )
        deadline = time.monotonic() + self.ready_s
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.answers():
                return self.process.poll() is None
            time.sleep(0.05)
        self._end()
        return False

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def _end(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self):
        self._end()
        self.process = None
        if self.dir:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()


def clean_environment():
    """What a server inherits: nothing that would send it to a real cloud or through a web proxy."""
    unwanted = ("AWS_", "AZURE_", "GOOGLE_", "STORAGE_EMULATOR_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy",
                "https_proxy", "ALL_PROXY")
    return {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}


class Versitygw(Server):
    """The strict S3 server. An object is a file: .buckets / BUCKET / KEY (written straight there, it is listed too)."""

    name = "versitygw"
    key, secret, region = KEY, SECRET, REGION

    @property
    def buckets(self):
        return self.dir / "buckets"

    def command(self):
        self.buckets.mkdir(exist_ok=True)
        (self.dir / "versions").mkdir(exist_ok=True)
        program = os.environ.get("SKYDIR_VERSITYGW") or _cached_versitygw()
        return [program, "--port", f"127.0.0.1:{self.port}", "--region", REGION, "--keep-alive", "--quiet", "posix",
                "--versioning-dir", str(self.dir / "versions"), str(self.buckets)]

    def environment(self):
        return {"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}


def cache_dir():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "skydir-tests"


def _cached(pattern):
    found = sorted(cache_dir().glob(pattern))
    if not found:
        raise RuntimeError(f"{pattern} is not there yet (scripts/test makes it)")
    return str(found[-1])


def _cached_versitygw():
    return _cached("versitygw-*/versitygw")


class Moto(Server):
    """The lax S3 server with a flat key space: `a` and `a/b` are two objects. Keys and signatures are not checked."""

    name = "moto"
    key, secret, region = KEY, SECRET, REGION

    def command(self):
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def environment(self):
        return {"PYTHONUNBUFFERED": "1"}


class Ceph(Server):
    """Ceph's object gateway (ceph.py): a flat key space, signatures checked, conditions of writes ignored in silence."""

    name = "ceph"
    ready_s = 180
    key, secret, region = KEY, SECRET, REGION

    def command(self):
        # Addresses of local sockets are short: those of the daemons stand below this.
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="skydir-ceph-", dir="/tmp"))
        return [sys.executable, str(pathlib.Path(__file__).with_name("ceph.py")), str(self.home), str(self.port), KEY, SECRET]

    def answers(self):
        return (self.home / "ready").exists()

    def _end(self):
        super()._end()
        shutil.rmtree(self.home, ignore_errors=True)


class FakeGcs(Server):
    """fake-gcs-server: no credentials, and most conditions are ignored."""

    name = "fake-gcs"
    project = "skydir-test"

    def command(self):
        program = os.environ.get("SKYDIR_FAKE_GCS") or _cached("fake-gcs-server-*/fake-gcs-server")
        return [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(self.port), "-backend", "memory",
                "-public-host", f"127.0.0.1:{self.port}"]


class GcsContract(Server):
    """gcs_contract.py: strict to the letter of Google's description. Credentials files of every kind are in .credentials."""

    name = "gcs-contract"
    project = "skydir-test"

    @property
    def credentials(self):
        return self.dir / "credentials"

    @property
    def key_file(self):
        return self.credentials / "service_account.json"

    def command(self):
        shutil.rmtree(self.credentials, ignore_errors=True)
        self.credentials.mkdir()
        return [sys.executable, str(TOP / "tests" / "servers" / "gcs_contract.py"), str(self.port), str(self.credentials)]


def _gcs_ask(server, path, **headers):
    request = urllib.request.Request(server.endpoint + path, headers=headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return json.load(answer)


def gcs_control(server, **settings):
    """Steers the contract server: break_upload="SIZE/AT" (of a resumable upload of SIZE bytes, once), moves="no", self_signed="no"."""
    return _gcs_ask(server, "/-/control?" + urllib.parse.urlencode({k.replace("_", "-"): v for k, v in settings.items()}))


def gcs_state(server):
    """{"objects": {BUCKET: {KEY: generations}}, "issued": [...], "sessions": n, "requests": [...]}"""
    return _gcs_ask(server, "/-/state")


def gcs_token(server):
    """An access token that the contract server takes for an hour."""
    path = "/computeMetadata/v1/instance/service-accounts/default/token"
    return _gcs_ask(server, path, **{"Metadata-Flavor": "Google"})["access_token"]


class Azurite(Server):
    """The strict Azure Blob server. Its account and key are the emulators' own, the same everywhere."""

    name = "azurite"
    ready_s = 120
    account = "devstoreaccount1"
    key = known_secrets.AZURE_ACCOUNT

    def command(self):
        program = os.environ.get("SKYDIR_AZURITE") or _cached("azurite-*/azurite-blob")
        return [program, "--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location", str(self.dir / "data"),
                "--silent", "--disableTelemetry"]

    @property
    def connection_string(self):
        return connection_string(self.endpoint)


def connection_string(endpoint):
    """Of an Azure emulator, or of the proxy before one."""
    return (f"AccountName={Azurite.account};AccountKey={Azurite.key};"
            f"BlobEndpoint={endpoint}/{Azurite.account}")


class AzureContract(Azurite):
    """tests/servers/azure_contract.py: what Azurite lacks (tokens, delegation keys, Put Block From URL, directories, old versions, the Resource
    Manager)."""

    name = "azure-contract"
    ready_s = 30
    subscription, group = "99999999-8888-7777-6666-555555555555", "group1"
    tenant, client_id, client_secret, federated = ("11111111-2222-3333-4444-555555555555", "client-1", "client secret/1+",
                                                   "federated-token")

    def __init__(self, has_directories=False):
        super().__init__()
        self.has_directories = has_directories

    def command(self):
        program = pathlib.Path(__file__).with_name("azure_contract.py")
        return ["env", f"--chdir={self.dir}", sys.executable, str(program), str(self.port),
                *(["--directories"] if self.has_directories else [])]


class Swift(Server):
    """Real Keystone and Swift with its S3 face (openstack.py). .settings is what a client needs."""

    name = "swift"
    ready_s = 300

    def command(self):
        venv = pathlib.Path(_cached("openstack-venv-*/.complete")).parent
        program = os.environ.get("SKYDIR_OPENSTACK_PYTHON") or venv / "bin" / "python"
        self.home = self.dir / f"run{self.port}"
        self.home.mkdir()
        return [str(program), str(pathlib.Path(__file__).with_name("openstack.py")), str(self.home), str(self.port),
                str(cache_dir() / "openstack")]

    def answers(self):
        return (self.home / "settings.json").exists()

    @property
    def settings_file(self):
        return self.home / "settings.json"

    @property
    def settings(self):
        return json.loads(self.settings_file.read_text())


class OpenStack(Swift):
    """Real Keystone, Nova, Placement, Glance, Neutron and Designate (openstack_services.py)."""

    name = "openstack"
    ready_s = 900

    def command(self):
        venv = pathlib.Path(_cached("openstack-services-venv-*/.complete")).parent
        program = os.environ.get("SKYDIR_OPENSTACK_SERVICES_PYTHON") or venv / "bin" / "python"
        self.home = self.dir / f"run{self.port}"
        self.home.mkdir()
        return [str(program), str(pathlib.Path(__file__).with_name("openstack_services.py")), str(self.home), str(self.port)]


class Proxy(Server):
    """skydir-proxy before an S3 server: latency, a bandwidth limit, counted requests, faults on demand."""

    name = "proxy"
    ready_s = 5

    def __init__(self, upstream, latency_ms=0, rate=0):
        super().__init__()
        self.upstream = urllib.parse.urlsplit(upstream).netloc
        self.latency_ms, self.rate = latency_ms, rate
        self.control_port = 0

    def command(self):
        self.control_port = free_port()
        program = os.environ.get("SKYDIR_PROXY") or build_dir() / "tests" / "servers" / "skydir-proxy"
        return [str(program), "--listen", str(self.port), "--control", str(self.control_port),
                "--upstream", self.upstream, "--latency-ms", str(self.latency_ms), "--rate", str(self.rate)]

    def answers(self):
        try:
            self._control("/counters")
            return True
        except OSError:
            return False

    def _control(self, path, **query):
        url = f"http://127.0.0.1:{self.control_port}{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            raise ValueError(f"{url}: {e.read().decode(errors='replace')}") from None

    def counters(self):
        """{"ops": {"G": 1, ...}, "requests": n, "bytes_up": n, "bytes_down": n, "connections": n, "open": n, ...}"""
        return self._control("/counters")

    def ops(self):
        """Requests by operation, without those that were not seen: {"P": 1}."""
        return self.counters()["ops"]

    def log(self):
        """The last requests: [{"op": "P", "request": "PUT /bucket/key", "status": 200}, ...]"""
        return self._control("/log")

    def reset(self):
        """Counters and log begin at zero again."""
        self._control("/reset")

    def fault(self, op="*", kind="status", count=1, **more):
        """The next `count` requests of operation `op` (letters, or * for any; count 0: all until clear()) go wrong.

        kind: status (status=503, code=SlowDown, retry_after=SECONDS, body=TEXT, header="Name: value"; the server is
        not asked), reset-before, reset-mid (at=BYTE of the answer's body), reset-after (the server has done it, the
        answer is lost), truncate (at=), stall (at=, ms=; 0: for ever), delay (ms=), corrupt (at=; a bit of the
        answer's body), corrupt-up (of the request's body). at: the middle when not given. skip=N lets N pass first,
        match=TEXT looks only at request targets that contain it, head=TEXT at heads that do (case counts).
        permille=N draws N of 1000 of those it would apply to, by a generator of its own, seeded with seed=.
        skew: a server whose clock is skew_s= ahead refuses what was signed by another (RequestTimeTooSkewed).
        strip: the conditions of a request do not reach the server, which must not check signatures.
        counters()["faults_by"] counts by label= (or kind).
        """
        self._control("/fault", op=op, kind=kind, count=count, **more)

    def clear(self):
        """No more faults."""
        self._control("/clear")

    def set(self, **settings):
        """latency_ms=, rate= (bytes a second and connection and direction; 0: no limit), hide_server=1 (answers do not tell what server it is)"""
        self._control("/set", **settings)

    def down(self):
        """As if the machine were gone: connections are reset and refused."""
        self._control("/down")

    def up(self):
        self._control("/up")


SERVERS = {"versitygw": Versitygw, "moto": Moto, "ceph": Ceph, "fake-gcs": FakeGcs, "gcs-contract": GcsContract, "azurite": Azurite,
           "azure-contract": AzureContract, "swift": Swift, "openstack": OpenStack}


def _settings(server):
    if isinstance(server, Versitygw):
        return {
            "SKYDIR_TEST_S3_ENDPOINT": server.endpoint,
            "SKYDIR_TEST_S3_KEY": server.key,
            "SKYDIR_TEST_S3_SECRET": server.secret,
            "SKYDIR_TEST_S3_REGION": server.region,
            "SKYDIR_TEST_S3_DIR": str(server.buckets),
        }
    if isinstance(server, OpenStack):
        return {"SKYDIR_TEST_OPENSTACK": str(server.settings_file)}
    if isinstance(server, Swift):
        found = server.settings
        return {
            "SKYDIR_TEST_SWIFT": str(server.settings_file),
            "SKYDIR_TEST_SWIFT_ENDPOINT": server.endpoint,
            "SKYDIR_TEST_OS_AUTH_URL": found["auth_url"],
            "SKYDIR_TEST_OS_REGION_NAME": found["region"],
            "SKYDIR_TEST_OS_APPLICATION_CREDENTIAL_ID": found["credential"]["id"],
            "SKYDIR_TEST_OS_APPLICATION_CREDENTIAL_SECRET": found["credential"]["secret"],
        }
    if isinstance(server, FakeGcs):
        return {"SKYDIR_TEST_GCS_ENDPOINT": server.endpoint}
    if isinstance(server, GcsContract):
        return {"SKYDIR_TEST_GCS_CONTRACT": server.endpoint, "SKYDIR_TEST_GCS_CREDENTIALS": str(server.key_file)}
    if isinstance(server, AzureContract):
        return {"SKYDIR_TEST_AZURE_CONTRACT": server.connection_string, "SKYDIR_TEST_AZURE_CONTRACT_ENDPOINT": server.endpoint}
    if isinstance(server, Azurite):
        return {"SKYDIR_TEST_AZURE_ENDPOINT": server.endpoint, "SKYDIR_TEST_AZURE_CONNECTION": server.connection_string}
    if isinstance(server, Ceph):
        return {"SKYDIR_TEST_CEPH_ENDPOINT": server.endpoint, "SKYDIR_TEST_CEPH_KEY": server.key,
                "SKYDIR_TEST_CEPH_SECRET": server.secret}
    return {"SKYDIR_TEST_MOTO_ENDPOINT": server.endpoint}


def _run(servers, command):
    settings = {"SKYDIR_TEST_FLEET": " ".join(server.name for server in servers)}
    for server in servers:
        settings.update(_settings(server))
    # A shell starts background jobs with SIGINT ignored; the command shall heed it again.
    child = subprocess.Popen(command, env={**os.environ, **settings},
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))

    def stop(_number, _frame):
        child.send_signal(signal.SIGINT)  # pytest then still tears its fixtures down
        signal.alarm(30)

    # The terminal's own ^C reaches the child by itself; a second signal would only cut its cleaning short.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, lambda *_: child.kill())
    status = child.wait()
    return 128 - status if status < 0 else status


def _enter(stack, name):
    """The started server; None when it is one that may be left out and does not start."""
    try:
        return stack.enter_context(SERVERS[name.rstrip("?")]())
    except (RuntimeError, OSError) as e:
        if not name.endswith("?"):
            raise
        print(f"fleet.py: {name} is left out: {e}", file=sys.stderr)
        return None


def main(argv):
    if len(argv) < 2 or argv[0] not in ("run", "serve"):
        print(__doc__, file=sys.stderr)
        return 2
    split = argv.index("--") if "--" in argv else len(argv)
    names, command = argv[1:split], argv[split + 1:]
    unknown = [n for n in names if n.rstrip("?") not in SERVERS]
    if unknown or (argv[0] == "run") != bool(command):
        print(f"fleet.py: unknown server {unknown}" if unknown else __doc__, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack:
        servers = [server for name in names if (server := _enter(stack, name))]
        if command:
            return _run(servers, command)
        for server in servers:
            for key, value in _settings(server).items():
                print(f"export {key}='{value}'", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
