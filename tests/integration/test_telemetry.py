"""What is told to the outside: counters on a loopback port for Prometheus, metrics and spans for an OpenTelemetry collector.

The collector reads strictly, by OpenTelemetry's own protocol descriptions: a field that they do not know is a failure."""

import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import urllib.request

import pytest
from google.protobuf.json_format import ParseDict

import known_secrets
from cli import Cli
from harness import SKYDIR, eventually

pytestmark = pytest.mark.stores("s3", only="telemetry is the same for all")
TOKEN = f"Bearer {known_secrets.OTLP}"


class Collector:
    """Takes what OTLP brings over HTTP in JSON."""

    def __init__(self):
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        kinds = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}
        self.spans, self.metrics, self.bodies, self.wrong, self.status, self.resources = [], [], [], [], 200, []
        self.resources_of_metrics = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    assert self.headers["Content-Type"] == "application/json"
                    assert self.headers["Authorization"] == TOKEN
                    data = json.loads(body)
                    for resource in data.get("resourceSpans", []):
                        for scope in resource["scopeSpans"]:
                            for span in scope["spans"]:  # ids are in hexadecimal, where protobuf's JSON has base64
                                assert re.fullmatch("[0-9a-f]{32}", span["traceId"]) and re.fullmatch("[0-9a-f]{16}", span["spanId"])
                    message = ParseDict(data, kinds[self.path](), ignore_unknown_fields=False)
                    outer.bodies.append(body)
                    for resource in getattr(message, "resource_spans", []):
                        outer.resources.append({a.key: a.value.string_value for a in resource.resource.attributes})
                        outer.spans += [s for scope in resource.scope_spans for s in scope.spans]
                    for resource in getattr(message, "resource_metrics", []):
                        outer.resources_of_metrics.append({a.key: a.value.string_value for a in resource.resource.attributes})
                        outer.metrics.append({m.name: m for scope in resource.scope_metrics for m in scope.metrics})
                except Exception as e:  # told by the test, not by the server's thread
                    outer.wrong.append(repr(e))
                self.send_response(outer.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def collector():
    c = Collector()
    yield c
    c.close()


def tell(mount, **values):
    """Mounts again with a section of telemetry."""
    mount.umount()
    mount.sections = {"telemetry": values}
    mount.write_config()
    mount.mount()


def port_of(mount):
    found = eventually(lambda: re.findall(r"metrics.ready address=http://127.0.0.1:(\d+)/metrics", mount.log.read_text()), what="the port")
    return int(found[-1])


def attributes(span):
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


def ask(port, text):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(text)
        answer = b""
        while more := s.recv(65536):
            answer += more
        return answer


def test_prometheus_reads_the_port(mount):
    tell(mount, **{"metrics-port": 0})
    port = port_of(mount)
    (mount.path / "f").write_bytes(b"x" * 1000)
    mount.sync()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert re.search(rf'^http_requests_total\{{mount="{mount.top}",store="s3",operation="PutObject"\}} [1-9]', text, re.M)
    assert not any(secret in text for secret in mount.secrets())
    listening = pathlib.Path("/proc/net/tcp").read_text() + pathlib.Path("/proc/net/tcp6").read_text()
    assert {line.split()[1] for line in listening.splitlines() if f":{port:04X} " in line and " 0A " in line} == {f"0100007F:{port:04X}"}
    promtool = os.environ.get("SKYDIR_PROMETHEUS")
    if promtool:
        done = subprocess.run([f"{promtool}/promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
        assert done.returncode in (0, 3) and "error while linting" not in done.stderr, done.stderr  # 3: hints as to style


def test_the_real_prometheus_scrapes_it(mount, tmp_path):
    programs = os.environ.get("SKYDIR_PROMETHEUS")
    if not programs:
        pytest.skip("there is no prometheus here (scripts/test fetches it)")
    tell(mount, **{"metrics-port": 0})
    (mount.path / "f").write_bytes(b"x" * 1000)
    mount.sync()
    (tmp_path / "prometheus.yml").write_text(
        f"scrape_configs:\n- job_name: skydir\n  scrape_interval: 1s\n  static_configs:\n  - targets: ['127.0.0.1:{port_of(mount)}']\n")
    with open(tmp_path / "log", "w+") as log:
        server = subprocess.Popen([f"{programs}/prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
                                   "--web.listen-address=127.0.0.1:0"], stdout=log, stderr=log)
        try:
            def own_port():
                # it does not tell which one it was given
                for entry in pathlib.Path(f"/proc/{server.pid}/fd").iterdir():
                    try:
                        link = os.readlink(entry)
                    except OSError:  # closed just now
                        continue
                    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
                        f = line.split()
                        if f[3] == "0A" and link == f"socket:[{f[9]}]":
                            return int(f[1].split(":")[1], 16)
                return None

            port = eventually(own_port, what="prometheus")

            def found():
                try:
                    query = f"http://127.0.0.1:{port}/api/v1/query?query=http_requests_total"
                    with urllib.request.urlopen(query, timeout=30) as answer:
                        return json.load(answer)["data"]["result"]
                except OSError:
                    return None

            result = eventually(found, what="a scrape")
        finally:
            server.terminate()
            server.wait()
    assert any(r["metric"].get("operation") == "PutObject" and r["metric"]["job"] == "skydir" for r in result)


def test_hostile_clients_of_the_port_get_a_short_answer_and_stop_nobody(mount):
    tell(mount, **{"metrics-port": 0})
    port = port_of(mount)
    silent = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(8)]
    for s in silent:
        s.sendall(b"GET /metr")
    host = b"Host: 127.0.0.1\r\n"
    for request, status in (
        (b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"403"), (b"GET /metrics HTTP/1.1\r\n\r\n", b"403"),
        (b"GET /metrics HTTP/1.1\r\n" + host + host + b"\r\n", b"403"), (b"POST /metrics HTTP/1.1\r\n" + host + b"\r\n", b"405"),
        (b"GET / HTTP/1.1\r\n" + host + b"\r\n", b"404"), (b"GET /metrics/../../etc/passwd HTTP/1.1\r\n" + host + b"\r\n", b"404"),
        (b"nonsense\r\n\r\n", b"400"), (b"\0\xff\0\r\n\r\n", b"400"), (b"GET /" + b"x" * 9000, b"431"),
        (b"GET /metrics?x=1 HTTP/1.1\r\nhost: localhost:9\r\n\r\n", b"200"), (b"HEAD /metrics HTTP/1.0\r\n" + host + b"\r\n", b"200"),
    ):
        try:
            answer = ask(port, request)
        except ConnectionError:  # of what was sent beyond the bound nothing is read
            assert status == b"431"
            continue
        assert answer.startswith(b"HTTP/1.1 " + status), (request[:60], answer[:60])
    assert ask(port, b"HEAD /metrics HTTP/1.1\r\n" + host + b"\r\n").endswith(b"\r\n\r\n")
    for s in silent:
        s.close()
    assert mount.status()["state"] == "mounted"


@pytest.mark.options(passthrough="no")  # what the kernel writes past us is no call
def test_every_call_and_every_request_is_a_span(mount, collector):
    tell(mount, **{"otlp-endpoint": collector.endpoint, "otlp-authorization": TOKEN, "sample": 1, "interval": "1s"})
    (mount.path / "f").write_bytes(b"x" * 5000)
    mount.client.put(mount.bucket, "theirs", b"y" * 7000)
    mount.sync()
    mount.fresh()
    assert (mount.path / "theirs").read_bytes() == b"y" * 7000
    with pytest.raises(FileNotFoundError):
        (mount.path / "nobody").read_bytes()
    mount.umount()
    assert not collector.wrong
    names = {s.name for s in collector.spans}
    assert {"fs.lookup", "fs.create", "fs.write", "fs.read", "fs.flush", "PutObject", "GetObject"} <= names, names
    by_id = {s.span_id: s for s in collector.spans}
    assert len(by_id) == len(collector.spans), "ids are unique"
    assert all(s.end_time_unix_nano >= s.start_time_unix_nano > 0 for s in collector.spans)
    # What a call had to wait for is its child.
    get = next(s for s in collector.spans if s.name == "GetObject" and attributes(s)["http.response.body.size"] == 7000)
    assert by_id[get.parent_span_id].name.startswith("fs.") and by_id[get.parent_span_id].trace_id == get.trace_id
    put = next(s for s in collector.spans if s.name == "PutObject")
    assert attributes(put)["http.response.status_code"] == 200 and attributes(put)["http.request.body.size"] == 5000
    assert attributes(put)["skydir.store"] == "s3" and attributes(put)["http.request.method"] == "PUT"
    assert collector.resources[0]["service.name"] == "skydir" and collector.resources[0]["skydir.mount"] == str(mount.top)
    sums = collector.metrics[-1]["http_requests_total"].sum
    assert sums.is_monotonic and sums.aggregation_temporality == 2
    assert any({a.key: a.value.string_value for a in p.attributes}.get("operation") == "GetObject" and p.as_int >= 1 for p in sums.data_points)
    everything = b"".join(collector.bodies)
    assert b"theirs" not in everything and mount.bucket.encode() not in everything, "no keys"
    assert not any(secret.encode() in everything for secret in mount.secrets())


def test_spans_are_not_sent_to_providers_and_a_dead_collector_stops_nobody(mount, collector):
    collector.close()
    tell(mount, **{"otlp-endpoint": collector.endpoint, "otlp-authorization": TOKEN, "sample": 1, "interval": "1s"})
    for i in range(50):
        (mount.path / f"f{i}").write_bytes(b"x")
    mount.sync()
    eventually(lambda: "telemetry.send" in mount.log.read_text(), what="a warning")
    dropped = eventually(lambda: re.search(r"telemetry_spans_dropped_total\{[^}]*\} ([1-9]\d*)", mount.skydir("metrics", mount.top).stdout),
                         what="spans that were dropped")
    assert int(dropped[1]) > 0 and len(mount.keys()) == 50
    assert mount.log.read_text().count("warn: telemetry.send") == 1, "told once"
    assert TOKEN.split()[1] not in mount.log.read_text()


def daemon_of(cli):
    daemon = subprocess.Popen([str(SKYDIR), "daemon"], env=cli.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert daemon.stdout.readline().strip().endswith(".sock")
    return daemon


def test_a_daemon_without_a_mount_tells_too(collector):
    with Cli(config=f"[telemetry]\nmetrics-port = 0\notlp-endpoint = {collector.endpoint}\notlp-authorization = {TOKEN}\n"
                    "sample = 1\ninterval = 1s\n") as cli:
        daemon = daemon_of(cli)
        try:
            port = int(next(re.search(r"127.0.0.1:(\d+)/metrics", line) for line in daemon.stderr if "metrics.ready" in line)[1])
            assert cli("buckets", "list", "/local").code == 0
            text = ask(port, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").decode()
            assert "telemetry_spans_sent_total" in text and "skydir_dirty_files" not in text, "what only a mount has is not there"
            shown = cli.run("metrics")
            assert shown.code == 0 and f'mount="daemon:{daemon.pid}"' in shown.out, shown.err
            eventually(lambda: collector.metrics, what="metrics at the collector")
        finally:
            daemon.send_signal(signal.SIGTERM)
            log = daemon.communicate(timeout=60)[1]
        assert daemon.returncode == 0 and TOKEN.split()[1] not in log
    assert not collector.wrong and "skydir.mount" not in collector.resources_of_metrics[0]
    assert collector.resources_of_metrics[0]["service.name"] == "skydir"


def test_a_daemon_with_a_bad_section_does_not_start():
    with Cli(config="[telemetry]\nmetrics-port = many\n") as cli:
        done = cli.run("daemon")
        assert done.code != 0 and "metrics-port" in done.err and done.out == ""


def test_without_a_sample_there_are_metrics_and_no_spans(mount, collector):
    tell(mount, **{"otlp-endpoint": collector.endpoint, "otlp-authorization": TOKEN, "sample": 0, "interval": "1s"})
    (mount.path / "f").write_bytes(b"x")
    mount.sync()
    eventually(lambda: collector.metrics, what="metrics")
    mount.umount()
    assert collector.spans == [] and not collector.wrong


@pytest.mark.parametrize("values, why", (
    ({"metrics-port": 70000}, "metrics-port: '70000' will not do"),
    ({"sample": 2}, "sample: '2' will not do"),
    ({"sample": "nan"}, "sample: 'nan' will not do"),
    ({"interval": "1ms"}, "interval: '1ms' will not do"),
    ({"otlp-endpoint": "collector:4318"}, "otlp-endpoint: 'collector:4318' will not do"),
    ({"otlp-endpont": "http://x"}, "did you mean 'otlp-endpoint'?"),
))
def test_mistakes_name_file_and_line(mount, values, why):
    mount.umount()
    mount.sections = {"telemetry": values}
    mount.write_config()
    done = mount.mount(check=False)
    assert done.returncode == 2 and why in done.stderr and "skydir.conf:" in done.stderr
    mount.sections = {}
    mount.write_config()
    mount.mount()
