"""No secret appears in what skydir prints, logs, sends to the outside of its provider, keeps on disk or shows as arguments.

Every secret here is a word that occurs nowhere else, so that looking for it cannot miss, nor find something else; and what is written is
looked through whole: outputs, logs at the debug level, journals, caches, databases, sockets' directories, metrics, OTLP, /proc."""

import base64
import http.server
import os
import pathlib
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest

import harness
from harness import eventually
from known_secrets import forms

OTLP = "zq9-otlp-0d41f7"
OTHERS = {  # what else may stand around when skydir runs: none of it is to come out
    "AWS_SESSION_TOKEN": None,
    "CODA_API_TOKEN": "zq9-coda-8c2b16",
    "INFOMANIAK_NEWSLETTER_TOKEN": "zq9-newsletter-57aa90",
    "INFOMANIAK_NEWSLETTER_ID": "4711",
    "OS_AUTH_URL": None,
    "AZURE_STORAGE_ACCOUNT": "account1",
    "AZURE_STORAGE_KEY": base64.b64encode(b"zq9-azure-63c4e8-and-more-of-it!").decode(),
    "AZURE_CLIENT_ID": "client-1", "AZURE_TENANT_ID": "tenant-1", "AZURE_CLIENT_SECRET": "zq9-azureclient-e0f3",
    "AZURE_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000001",
}
SHOWN = ("INFOMANIAK_NEWSLETTER_ID", "AZURE_STORAGE_ACCOUNT", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID")


class Watch:
    """Everything that came out, by where; and the arguments of all skydir processes, again and again."""

    def __init__(self, secrets, place=""):
        """place: a directory that stands in the environment of the processes that are meant, and of no others."""
        self.secrets, self.seen, self.place = [s for s in secrets if s], {}, str(place).encode()
        self.is_over = threading.Event()
        self.arguments = set()
        self.thread = threading.Thread(target=self.sample, daemon=True)
        self.thread.start()

    def add(self, where, data):
        self.seen.setdefault(where, []).append(data.encode() if isinstance(data, str) else data)

    def sample(self):
        while not self.is_over.wait(0.05):
            for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = entry.read_bytes()
                    if b"skydir" in line and self.place and self.place in entry.with_name("environ").read_bytes():
                        self.arguments.add(line)
                except OSError:  # it ended
                    continue

    def add_tree(self, top, *but):
        """What is below top, but for these files and directories."""
        for directory, names, files in os.walk(top):
            names[:] = [n for n in names if pathlib.Path(directory, n) not in but]
            for path in (pathlib.Path(directory, n) for n in files):
                if path.is_file() and not path.is_symlink() and path not in but:
                    self.add(str(path), path.read_bytes())

    def found(self):
        self.is_over.set()
        self.thread.join()
        everything = {**self.seen, "/proc/PID/cmdline": list(self.arguments)}
        return [where for where, parts in everything.items() for part in parts for s in self.secrets for form in forms(s) if form in part]


@pytest.fixture
def collector():
    bodies = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.bodies = bodies
    yield server
    server.shutdown()
    server.server_close()


def run(watch, mount, *args, **environment):
    """A command as a user runs it; what it prints is watched, whatever comes of it."""
    done = subprocess.run([str(harness.SKYDIR), *map(str, args)], env={**mount.environment(), **environment}, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=harness.PATIENCE_S, check=False)
    watch.add("skydir " + " ".join(map(str, args)), done.stdout + b"\n" + done.stderr)
    return done


def work(mount, watch, collector):
    """What a day brings, and what goes wrong in it."""
    (mount.path / "f").write_bytes(b"x" * 20000)
    (mount.path / "d").mkdir()
    (mount.path / "f").rename(mount.path / "d" / "g")
    mount.client.put(mount.bucket, "theirs", b"y" * 3000)
    run(watch, mount, "sync", mount.top)
    for command in (["status"], ["status", "-o", "json"], ["metrics"], ["doctor"], ["auth", "explain"], ["capabilities"], ["usage"],
                    ["usage", "--by", "operation", "--output", "json"], ["buckets", "list"], ["objects", "list", f"/s3/{mount.bucket}"],
                    ["objects", "delete", f"/s3/{mount.bucket}/theirs", "--dry-run"], ["objects", "get", f"/s3/{mount.bucket}/nobody"],
                    ["status", "--output", "json", "/nowhere"], ["help"], ["completion", "bash"]):
        run(watch, mount, *command)
    unreachable = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "CODA_API_ENDPOINT": "http://127.0.0.1:9"}
    clouds = {k: v for k, v in {**OTHERS, **unreachable}.items() if v}
    for command in (["auth", "explain"], ["doctor"], ["instances", "list", "--provider", "azure", "--timeout", "1s"],
                    ["instances", "create", "a", "--image", "i", "--flavor", "f", "--dry-run", "--provider", "aws"],
                    ["-o", "secret-access-key=x"], ["mount", "-o", "nonsense", mount.top]):
        run(watch, mount, *command, SKYDIR_CONFIG=str(mount.dir / "none.conf"), HTTPS_PROXY="http://127.0.0.1:9",
            AWS_ACCESS_KEY_ID=mount.server.key, AWS_SECRET_ACCESS_KEY=mount.server.secret, **clouds)
    with urllib.request.urlopen(f"http://127.0.0.1:{port_of(mount)}/metrics", timeout=30) as answer:
        watch.add("/metrics", answer.read())
    eventually(lambda: collector.bodies, what="OTLP")


def port_of(mount):
    line = next(x for x in mount.log.read_text().splitlines() if "metrics.ready" in x)
    return int(line.rsplit(":", 1)[1].split("/")[0])


@pytest.mark.stores("s3", only="one mount is enough, with the variables of all providers around it")
@pytest.mark.options(log_level="debug")
def test_no_secret_comes_out_anywhere(mount, collector):
    mount.umount()
    mount.sections = {"telemetry": {"otlp-endpoint": f"http://127.0.0.1:{collector.server_port}", "otlp-authorization": f"Bearer {OTLP}",
                                    "sample": 1, "interval": "1s", "metrics-port": 0}}
    mount.write_config()
    watch = Watch([mount.server.secret, OTLP, *(v for k, v in OTHERS.items() if k not in SHOWN)], mount.dir)
    try:
        mount.mount()
        work(mount, watch, collector)
        time.sleep(0.2)  # the arguments are looked at a few times more
        watch.add_tree(mount.dir, mount.config, mount.top)  # in the mount are the buckets of other tests, too
        mount.umount()
        # Wrong ones show nothing either.
        mount.store_config["secret-access-key"] = "zq9-wrong-5512ab"
        watch.secrets.append("zq9-wrong-5512ab")
        mount.write_config()
        run(watch, mount, "mount", mount.top)
        run(watch, mount, "objects", "list", f"/s3/{mount.bucket}")
        if os.path.ismount(mount.top):
            run(watch, mount, "umount", "--now", mount.top)
        watch.add_tree(mount.dir, mount.config, mount.top)
        watch.add("OTLP", b"\n".join(collector.bodies))
    finally:
        watch.is_over.set()
    assert len(watch.seen) > 25 and len(watch.arguments) > 0 and any("journal.db" in w for w in watch.seen), "there was something to look at"
    assert b"http.done" in mount.log.read_bytes(), "the log was at the debug level"
    assert watch.found() == []


@pytest.mark.parametrize("write", (
    lambda w, s: w.add("a log", f"key={s}"), lambda w, s: w.add("an URL", urllib.parse.quote(f"?k={s}", safe="").encode()),
    lambda w, s: w.add("basic", base64.b64encode(s.encode())), lambda w, s: w.add("json", s.replace("/", "\\/")),
    lambda w, s: w.arguments.add(b"skydir\0mount\0" + s.encode()),
))
def test_the_watch_finds_what_is_there(write):
    """Else the test above could not fail."""
    watch = Watch(["zq9/planted+secret=0", "zq9-another"])
    watch.add("innocent", "nothing to see")
    assert Watch(["zq9/planted+secret=0"]).found() == []
    write(watch, "zq9/planted+secret=0")
    assert len(watch.found()) >= 1
