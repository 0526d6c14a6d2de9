"""What is spent, what it costs and what may be used at Google: Cloud Billing, budgets, the export in BigQuery, quotas, by a contract
server of our own."""

import pytest

from cli import Cli
from gce_contract import PROJECT
from gcp_costs_contract import ACCOUNT, TABLE, GcpCostsContract

WHEN = ("--since", "2026-10-31", "--until", "2026-11-02")


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


@pytest.fixture
def server():
    with GcpCostsContract() as made:
        yield made


@pytest.fixture
def cli(server, tmp_path):
    with Cli(server.environment(tmp_path / "account.json"), f"[gcp]\ntype = gcp\nbilling-table = {TABLE}\n") as made:
        yield made


def test_costs_by_the_export(cli, server):
    found = cli("costs", "list", "--by", "day,service,tag:team", *WHEN).items
    assert [(c["from"], c["service"], c["tag"], c["amount"], c["currency"]) for c in found] == [
        ("2026-10-31", "Compute Engine", "web", "0.10000000000000001", "CHF"), ("2026-11-01", "Compute Engine", "web", "0.000012", "CHF"),
        ("2026-11-01", "Cloud Storage", None, "3.00", "CHF"), ("2026-11-02", "Cloud Storage", None, "-0.25", "CHF")]
    found = cli("costs", "list", "--by", "region,account", "--month", "2026-10").items
    assert [(c["from"], c["until"], c["region"], c["account"]) for c in found] == [("2026-10-01", "2026-11-01", "europe-west6", PROJECT)]
    assert [(t["amount"], t["currency"]) for t in cli("costs", "total", *WHEN).items] == [("2.85001200000000001", "CHF")]
    assert len(cli("costs", "list", "--limit", "1", *WHEN).items) == 1
    assert cli("costs", "list", "--month", "2026-08").items == []


def test_costs_without_an_export(server, tmp_path):
    environment = server.environment(tmp_path / "account.json")
    with Cli(environment) as cli:
        refused(cli("costs", "list"), 2, "billing-table = PROJECT.DATASET.TABLE")
    for bad in ("a`; DROP TABLE x; --", "nodots"):
        with Cli(environment, f"[gcp]\ntype = gcp\nbilling-table = {bad}\n") as cli:
            refused(cli("costs", "list"), 2, "is not like project.dataset.table")
    assert server.requests == []


def test_who_pays_and_budgets(cli, server, tmp_path):
    assert cli("costs", "account").json == {"provider": "gcp", "id": f"billingAccounts/{ACCOUNT}", "project": PROJECT, "enabled": True}
    assert [(b["name"], b["period"], b["amount"], b["spent"], b["currency"]) for b in cli("costs", "budgets").items] == [
        ("all", "month", "100.50", None, "CHF"), ("as before", "year", None, None, None)]
    server.billing = None
    refused(cli("costs", "budgets"), 2, "no account pays for the project")
    with Cli(server.environment(tmp_path / "account.json"), f"[gcp]\ntype = gcp\nbilling-account = {ACCOUNT}\n") as own:
        assert len(own("costs", "budgets").items) == 2


def test_list_prices(cli, server):
    assert [s["name"] for s in cli("costs", "services").items] == ["Compute Engine", "Cloud Storage"]
    found = cli("costs", "prices", "Cloud Storage", "--currency", "CHF").items
    assert [(p["id"], p["description"], p["unit"], p["amount"], p["currency"], p["regions"]) for p in found] == [
        ("0001", "Standard Storage Zurich", "gibibyte month", "0.025", "CHF", ["europe-west6"]),
        ("0002", "Archive", "gibibyte month", "1.500000001", "CHF", ["europe-west6"])]
    assert found[0]["tiers"] == [{"from": 0, "amount": "0.00"}, {"from": 5, "amount": "0.025"}]
    assert len(cli("costs", "prices", "95FF-2EF5-5EA1").items) == 2
    refused(cli("costs", "prices", "Nothing"), 3, "Nothing")
    server.requests.clear()
    refused(cli("costs", "prices", "Cloud Storage", "--currency", "chf"), 2, "must be like CHF")
    assert server.requests == []


def test_quotas(cli, server):
    found = cli("quotas", "list").items
    assert [(q["service"], q["id"], q["region"], q["used"], q["limit"], q["unit"]) for q in found][:5] == [
        ("volume", "SNAPSHOTS", None, 1, 5000, None), ("network", "NETWORKS", None, 2, 15, None),
        ("compute", "CPUS", "europe-west6", 4, 24, None), ("volume", "DISKS_TOTAL_GB", "europe-west6", 10.5, 4096, "GiB"),
        ("network", "IN_USE_ADDRESSES", "europe-west6", 0, None, None)]
    assert len(found) == 8
    assert {q["region"] for q in cli("quotas", "list", "--region", "us-east1", "--service", "compute").items} == {"us-east1"}
    assert len(cli("quotas", "list", "--limit", "1").items) == 1
    refused(cli("quotas", "get", "CPUS"), 2, "several quotas 'CPUS'")
    assert cli("quotas", "get", "CPUS", "--region", "us-east1").json["limit"] == 24
    run = cli("quotas", "list", "--code", "run.googleapis.com").items
    assert [(q["service"], q["id"], q["name"], q["region"], q["limit"]) for q in run] == [
        ("run.googleapis.com", "run.googleapis.com/m1", "Metric 1", None, 600), ("run.googleapis.com", "run.googleapis.com/m1", "Metric 1", "us-east1", None),
        ("run.googleapis.com", "run.googleapis.com/m2", "Metric 2", None, 600), ("run.googleapis.com", "run.googleapis.com/m2", "Metric 2", "us-east1", None)]
    refused(cli("quotas", "list", "--code", "nobody.googleapis.com"), 3, "Not found")


def test_what_google_does_not_tell(cli, server):
    refused(cli("costs", "forecast"), 1, "not supported by gcp")
    refused(cli("metering", "usage"), 1, "not supported by gcp")
    assert server.requests == []
