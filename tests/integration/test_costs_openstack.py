"""What is used, measured and spent at an OpenStack: Nova, Gnocchi, CloudKitty and Swift by a contract server of our own."""

import pytest

from cli import Cli
from openstack_metering_contract import OpenStackMeteringContract

WHEN = ("--since", "2026-10-31", "--until", "2026-11-02")
ONE = "11111111-2222-3333-4444-555555555555"


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


@pytest.fixture(params=(1, 1000), ids=("pages of one", "one page"))
def server(request):
    with OpenStackMeteringContract(page_max=request.param) as made:
        yield made


@pytest.fixture
def cli(server):
    with Cli(server.environment) as made:
        yield made


def test_hours_of_machines_are_summed_exactly_over_all_pages(cli):
    found = {(u["service"], u["name"]): u for u in cli("metering", "usage", *WHEN).items}
    compute = {k[1]: (u["used"], u["unit"]) for k, u in found.items() if k[0] == "compute"}
    assert compute == {"instances": (3, None), "instance-hours": (10.30001, "h"), "vcpu-hours": (10.90002, "h"),
                       "memory-hours": (11161.62048, "MiB h"), "disk-hours": (206.0002, "GiB h")}
    assert (found["compute", "instances"]["from"], found["compute", "instances"]["until"]) == ("2026-10-31", "2026-11-03")
    assert found["object-storage", "size"]["used"] == 123456789012 and found["object-storage", "objects"]["used"] == 70
    assert found["network", "network"]["used"] == 1 and found["network", "network"]["from"] is None
    assert ("volume", "size") in found
    assert {u["service"] for u in cli("metering", "usage", "--service", "object-storage").items} == {"object-storage"}
    empty = {u["name"]: u["used"] for u in cli("metering", "usage", "--service", "compute", "--month", "2026-09").items}
    assert empty == {"instances": 0, "instance-hours": 0, "vcpu-hours": 0, "memory-hours": 0, "disk-hours": 0}


def test_resources_metrics_and_measures(cli, server):
    found = cli("metering", "resources").items
    assert [(r["id"], r["type"], r["name"], r["metrics"]) for r in found] == [
        (f"{n}1111111-2222-3333-4444-555555555555", "instance", f"vm-{n}", ["cpu", "memory"]) for n in (1, 2, 3)]
    assert [m["name"] for m in cli("metering", "metrics", ONE).items] == ["cpu", "memory"]
    refused(cli("metering", "metrics", "nobody"), 3, "does not exist")
    measures = cli("metering", "measures", ONE, "cpu", *WHEN, "--granularity", "1h", "--aggregation", "max").items
    assert [(m["time"], m["seconds"], m["value"]) for m in measures] == [
        ("2026-11-01T01:00:00.000Z", 3600, 100.25), ("2026-11-02T01:00:00.000Z", 3600, 200.25)]
    by_id = cli("metering", "measures", ONE, "1aaaaaaa-2222-3333-4444-555555555555", "--since", "2026-11-02", "--until", "2026-11-02").items
    assert [m["seconds"] for m in by_id] == [300, 3600]
    refused(cli("metering", "measures", ONE, "disk", *WHEN), 3, "does not exist")
    refused(cli("metering", "measures", ONE, "cpu", *WHEN, "--granularity", "7s"), 2, "not kept")
    server.requests.clear()
    refused(cli("metering", "measures", ONE, "cpu", "--aggregation", "guess"), 2, "aggregation")
    refused(cli("metering", "measures", "..", "cpu"), 2, "'..'")
    assert not [r for r in server.requests if "/metric/" in r.path]


def test_costs_of_cloudkitty(cli, server):
    assert [(c["from"], c["until"], c["amount"], c["currency"]) for c in cli("costs", "list", *WHEN).items] == [
        ("2026-10-31", "2026-11-01", "0.1000000001", None), ("2026-11-01", "2026-11-03", "0.500015", None)]
    found = cli("costs", "list", "--by", "day,service,resource", *WHEN).items
    assert [(c["from"], c["service"], c["resource"], c["amount"]) for c in found] == [
        ("2026-10-31", "instance", "vm-1", "0.1000000001"), ("2026-11-01", "instance", "vm-1", "0.20"),
        ("2026-11-01", "volume.size", "vol-1", "0.000015"), ("2026-11-02", "instance", "vm-2", "0.30")]
    assert cli("costs", "total", *WHEN).items[0]["amount"] == "0.6000150001"
    assert len(cli("costs", "list", "--by", "service", "--limit", "1", *WHEN).items) == 1
    details = cli("costs", "details", *WHEN).items
    assert [(d["service"], d["resource"], d["name"], d["quantity"], d["amount"]) for d in details] == [
        ("instance", "vm-1", "a1", 24, "0.1000000001"), ("instance", "vm-1", "a1", 24, "0.20"), ("volume.size", "vol-1", "a1", 10, "0.000015"),
        ("instance", "vm-2", "a1", 1.5, "0.30")]
    assert cli("costs", "list", "--by", "service", "--month", "2026-08").items == []
    refused(cli("costs", "forecast"), 1, "not supported by openstack")
    refused(cli("quotas", "list", "--code", "x"), 1, "'code' is not supported")
    assert cli("quotas", "get", "instances").json["limit"] == 10


def test_a_cloud_without_gnocchi_and_cloudkitty():
    with OpenStackMeteringContract(page_max=1, without=("metric", "rating", "object-store")) as server, Cli(server.environment) as cli:
        found = cli("metering", "resources").items
        assert [(r["name"], r["type"], r["hours"]) for r in found] == [("vm1", "instance", 10.1), ("vm2", "instance", 0.2), ("vm3", "instance", 1e-05)]
        assert {u["service"] for u in cli("metering", "usage", *WHEN).items} == {"compute", "volume", "network"}
        done = cli("costs", "list", *WHEN)
        assert done.code != 0 and "rating" in done.err, done.err
        refused(cli("metering", "usage", "--service", "object-storage"), done.code, "object-store")


def test_pages_that_lead_nowhere():
    with OpenStackMeteringContract() as server, Cli(server.environment) as cli:
        for answer in ('{"total": 5, "columns": [], "results": []}', '{"columns": [], "results": []}',
                       '{"total": 1, "columns": ["rate"], "results": [[null]]}'):
            server.faults.append(lambda r, text=answer: (200, {}, text) if r.path.endswith("/summary") else None)
            done = cli("costs", "list", *WHEN)
            assert done.code != 0 and "costs.list" in done.err, (answer, done.err)
            assert server.faults == []
