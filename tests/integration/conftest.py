"""Purpose: the fixtures of the integration tests.

`mount` runs a test once per store: `local`, `s3` (versitygw, the strict server), `moto` (a flat key space), `gcs` (the
contract server) and `azure` (Azurite). `ceph` (Ceph's S3 gateway), `swift` (Keystone and Swift) and `fakegcs` (fake-gcs-server) are run on where a test
says so, or with --stores.
A test says what it needs by markers:
    @pytest.mark.stores("s3", "moto")           on these stores, to save time: what it tells is not theirs alone
    @pytest.mark.stores("s3", only="why")       on no others, also not with --stores
    @pytest.mark.lacks(gcs="why")               not on this one: what the service, or its test server, does not have
    @pytest.mark.options(upload_delay="10ms")   keys of [skydir] (with - for _)
    @pytest.mark.store_config(region="x")       keys of the store's section
    @pytest.mark.slow                           left out by scripts/test --fast
    @pytest.mark.both_ways                      on `local` once more with passthrough=no
All of it with passthrough=no: SKYDIR_TEST_PASSTHROUGH=no.
All that can be, on each cloud: --stores gcs,azure,swift (slow; what CI leaves out).
"""

import json
import os
import pathlib

import pytest

import harness
from harness import fleet

STORES = ("local", "s3", "moto", "gcs", "azure")
SWIFT_TOO = ("test_basic", "test_rename", "test_metadata", "test_names", "test_big", "test_model")  # it is slow
CEPH_TOO = ("test_basic", "test_rename", "test_names", "test_partial", "test_model")
SERVERS = {"s3": "versitygw", "moto": "moto", "ceph": "ceph", "gcs": "gcs_contract", "fakegcs": "fake_gcs", "azure": "azurite", "swift": "swift"}


def pytest_addoption(parser):
    parser.addoption("--plain", action="store_true",
                     help="run the tests of file-system behaviour on an ordinary directory, to judge the tests")
    parser.addoption("--stores", default="", help="run on these stores (a,b,c) whatever is not for one alone, and nothing else")


def pytest_configure(config):
    for line in ("stores(*names, only=WHY): run on these stores", "lacks(**stores): not on these, because", "options(**keys): keys of [skydir]",
                 "store_config(**keys): keys of the store's section", "slow: left out by scripts/test --fast",
                 "both_ways: once more with passthrough=no", "needs_none: without passthrough"):
        config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(config, items):
    if config.getoption("--stores"):
        items[:] = [i for i in items if "mount" in i.fixturenames]


def pytest_generate_tests(metafunc):
    if "mount" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("stores")
        names = marker.args if marker else STORES
        if not marker and metafunc.module.__name__ in SWIFT_TOO:
            names = (*names, "swift")
        if not marker and metafunc.module.__name__ in CEPH_TOO:
            names = (*names, "ceph")
        wanted = [n for n in metafunc.config.getoption("--stores").split(",") if n]
        if wanted:
            is_tied = marker and marker.kwargs.get("only")
            names = [n for n in wanted if n in names or not is_tied]
        for lacking in metafunc.definition.iter_markers("lacks"):
            names = [n for n in names if n not in lacking.kwargs]
        if metafunc.config.getoption("--plain"):
            names = ["plain"] if "local" in names else []
        elif metafunc.definition.get_closest_marker("both_ways") and "local" in names:
            names = [*names, "local-through-us"]
        metafunc.parametrize("mount", names, indirect=True)


class _Given:
    """A server that scripts/test has started already."""

    def __init__(self, endpoint):
        self.endpoint, self.key, self.secret, self.region = endpoint, fleet.KEY, fleet.SECRET, fleet.REGION


@pytest.fixture(scope="session")
def versitygw():
    """The strict S3 server; .buckets is the directory whose files are the objects."""
    endpoint = os.environ.get("SKYDIR_TEST_S3_ENDPOINT")
    if endpoint:
        given = _Given(endpoint)
        given.key, given.secret = os.environ["SKYDIR_TEST_S3_KEY"], os.environ["SKYDIR_TEST_S3_SECRET"]
        given.buckets = pathlib.Path(os.environ["SKYDIR_TEST_S3_DIR"])
        yield given
    else:
        with fleet.Versitygw() as server:
            yield server


@pytest.fixture(scope="session")
def moto():
    """The S3 server with a flat key space."""
    endpoint = os.environ.get("SKYDIR_TEST_MOTO_ENDPOINT")
    if endpoint:
        yield _Given(endpoint)
    else:
        with fleet.Moto() as server:
            yield server


@pytest.fixture(scope="session")
def ceph():
    """Ceph's gateway: signatures checked, conditions ignored."""
    endpoint = os.environ.get("SKYDIR_TEST_CEPH_ENDPOINT")
    if endpoint:
        yield _Given(endpoint)
    elif os.environ.get("SKYDIR_TEST_FLEET"):
        pytest.skip("Ceph's gateway was not started")
    else:
        with fleet.Ceph() as server:
            yield server


@pytest.fixture(scope="session")
def gcs_contract():
    """The strict GCS server; .credentials holds credentials files of every kind."""
    endpoint = os.environ.get("SKYDIR_TEST_GCS_CONTRACT")
    if endpoint:
        given = _Given(endpoint)
        given.project = fleet.GcsContract.project
        given.key_file = pathlib.Path(os.environ["SKYDIR_TEST_GCS_CREDENTIALS"])
        given.credentials = given.key_file.parent
        yield given
    else:
        with fleet.GcsContract() as server:
            yield server


@pytest.fixture(scope="session")
def fake_gcs():
    """fake-gcs-server: the GCS server that others wrote."""
    endpoint = os.environ.get("SKYDIR_TEST_GCS_ENDPOINT")
    if endpoint:
        given = _Given(endpoint)
        given.project = fleet.FakeGcs.project
        yield given
    else:
        with fleet.FakeGcs() as server:
            yield server


@pytest.fixture(scope="session")
def swift():
    """Keystone and Swift; .settings is what a client needs."""
    endpoint = os.environ.get("SKYDIR_TEST_SWIFT_ENDPOINT")
    if endpoint:
        given = _Given(endpoint)
        given.settings = json.loads(pathlib.Path(os.environ["SKYDIR_TEST_SWIFT"]).read_text())
        given.secret = given.settings["credential"]["secret"]
        yield given
    else:
        with fleet.Swift() as server:
            yield server


@pytest.fixture(scope="session")
def azurite():
    """The Azure Blob server."""
    endpoint = os.environ.get("SKYDIR_TEST_AZURE_ENDPOINT")
    if endpoint:
        yield _Given(endpoint)
    else:
        with fleet.Azurite() as server:
            yield server


def _marked(request, name):
    found = {}
    for marker in reversed(list(request.node.iter_markers(name))):
        found.update({k.replace("_", "-"): v for k, v in marker.kwargs.items()})
    return found


@pytest.fixture
def make_mount(request):
    """make_mount("s3", options={...}) -> a Mount that was not started; closed when the test ends."""
    made, proxies = [], []

    def make(kind, **more):
        if request.config.getoption("--plain"):
            more, kind = {}, "plain"
        more.setdefault("options", _marked(request, "options"))
        more.setdefault("store_config", _marked(request, "store_config"))
        if kind in SERVERS:
            server = more.pop("server", None) or request.getfixturevalue(SERVERS[kind])
            if "proxy" not in more:
                more["proxy"] = fleet.Proxy(server.endpoint).start()
                proxies.append(more["proxy"])
            more["server"] = server
        m = harness.Plain() if kind == "plain" else harness.Mount(kind, **more)
        made.append(m)
        return m

    yield make
    problems = []
    for m in reversed(made):
        try:
            m.close()
        except AssertionError as e:
            problems.append(str(e))
    for proxy in proxies:
        proxy.stop()
    assert not problems, "\n".join(problems)


@pytest.fixture
def mount(request, make_mount):
    """A started mount with an empty bucket, of the store that the test is run for."""
    kind, through_us, _ = request.param.partition("-through-us")
    more = {"options": {**_marked(request, "options"), "passthrough": "no"}} if through_us else {}
    return make_mount(kind, **more).start()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its daemon logged and what was asked of the server."""
    report = (yield).get_result()
    mount = getattr(item, "funcargs", {}).get("mount")
    if report.when == "call" and report.failed and isinstance(mount, harness.Mount):
        report.sections.append(("skydir log", mount.tail(40)))
        if mount.proxy:
            try:
                entries = mount.proxy.log()[-40:]
                report.sections.append(("requests", "\n".join(f"{e['op']} {e['status']} {e['request']}" for e in entries)))
            except (OSError, ValueError):
                pass
