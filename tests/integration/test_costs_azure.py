"""What is spent and what may be used at Azure: Cost Management, Consumption and usages by a contract server of our own."""

import datetime

import pytest

from azcost_contract import VM, AzcostContract
from azvm_contract import CLIENT, LOCATION, SECRET, SUBSCRIPTION, TENANT
from cli import Cli

WHEN = ("--since", "2026-10-31", "--until", "2026-11-02")


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


@pytest.fixture
def server():
    with AzcostContract() as made:
        yield made


@pytest.fixture
def cli(server):
    with Cli({"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": SECRET, "AZURE_AUTHORITY_HOST": server.endpoint},
             f"[azure]\ntype = azure\nmanagement-endpoint = {server.endpoint}\nsubscription-id = {SUBSCRIPTION}\nlocation = {LOCATION}\n") as made:
        yield made


def test_costs_by_month_by_day_and_in_all(cli, server):
    assert [(c["from"], c["until"], c["amount"], c["currency"]) for c in cli("costs", "list", *WHEN).items] == [
        ("2026-10-31", "2026-11-01", "0.1000000000000001", "CHF"), ("2026-11-01", "2026-11-03", "3.250012", "CHF")]
    assert server.bodies[-1]["timePeriod"] == {"from": "2026-10-31T00:00:00Z", "to": "2026-11-02T23:59:59Z"}
    assert [c["amount"] for c in cli("costs", "list", "--by", "day", *WHEN).items] == ["0.1000000000000001", "3.000012", "0.25"]
    assert [(t["amount"], t["currency"]) for t in cli("costs", "total", *WHEN).items] == [("3.3500120000000001", "CHF")]


def test_costs_by_service_region_resource_and_tag(cli, server):
    found = cli("costs", "list", "--by", "day,service,tag:team", *WHEN).items
    assert [(c["from"], c["service"], c["tag"], c["amount"]) for c in found] == [
        ("2026-10-31", "Virtual Machines", "web", "0.1000000000000001"), ("2026-11-01", "Virtual Machines", "web", "0.000012"),
        ("2026-11-01", "Storage", None, "3.00"), ("2026-11-02", "Storage", None, "0.25")]
    found = cli("costs", "list", "--by", "resource,account", "--month", "2026-10").items
    assert [(c["resource"], c["account"]) for c in found] == [(VM, SUBSCRIPTION)]
    assert cli("costs", "list", "--by", "region", "--limit", "1", *WHEN).items[0]["region"] == LOCATION
    assert cli("costs", "list", "--month", "2025-10").items == []


def test_a_forecast_is_summed_exactly(cli, server):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    until = str(today + datetime.timedelta(40))
    by_day = cli("costs", "forecast", "--until", until, "--by", "day").items
    assert len(by_day) in (40, 41) and {c["amount"] for c in by_day} == {"0.10"}
    by_month = cli("costs", "forecast", "--until", until).items
    assert len(by_month) in (2, 3) and all(c["estimated"] and c["currency"] == "CHF" for c in by_month)
    days = [(datetime.date.fromisoformat(c["until"]) - datetime.date.fromisoformat(c["from"])).days for c in by_month]
    assert [c["amount"] for c in by_month] == [f"{n / 10:.2f}" for n in days]


def test_details_of_both_kinds(cli, server):
    found = cli("costs", "details", *WHEN).items
    assert [(d["from"], d["service"], d["resource"], d["quantity"], d["amount"], d["currency"]) for d in found] == [
        ("2026-10-31T00:00:00.000Z", "Virtual Machines", VM, 1.5, "0.1000000000000001", "CHF"),
        ("2026-11-01T00:00:00.000Z", "Virtual Machines", VM, 24, "0.000012", "CHF"),
        ("2026-11-01T00:00:00.000Z", "Storage", VM + "-disk", 1.5, "3.00", "CHF"),
        ("2026-11-02T00:00:00.000Z", "Storage", VM + "-disk", 24, "0.25", "CHF")]


def test_budgets_and_quotas(cli, server):
    assert [(b["name"], b["period"], b["amount"], b["spent"], b["forecast"], b["currency"]) for b in cli("costs", "budgets").items] == [
        ("all", "month", "100.00", "12.34", "50.50", "CHF"), ("year", "year", "999.50", None, None, None)]
    found = cli("quotas", "list").items
    assert [(q["service"], q["id"], q["used"], q["limit"], q["unit"], q["region"]) for q in found] == [
        ("compute", "cores", 4, 100, None, LOCATION), ("volume", "PremiumDiskCount", 1, 50000, None, LOCATION),
        ("network", "PublicIPAddresses", 2, 1000, None, LOCATION), ("network", "VirtualNetworks", 1, 1000, None, LOCATION)]
    assert [q["name"] for q in cli("quotas", "list", "--service", "volume").items] == ["Premium Storage Managed Disks"]
    assert len(cli("quotas", "list", "--limit", "1").items) == 1
    assert cli("quotas", "get", "cores").json["name"] == "Total Regional vCPUs"
    refused(cli("quotas", "get", "nobody"), 3, "no quota 'nobody'")
    refused(cli("quotas", "list", "--code", "x"), 1, "'code' is not supported")
    refused(cli("metering", "usage"), 1, "not supported by azure")


def test_answers_that_are_not_what_was_asked_for(cli, server):
    for properties in ('{"columns": [{"name": "totalCost"}, {"name": "BillingMonth"}], "rows": [[1, "2019-01-01T00:00:00"]]}',
                       '{"columns": [{"name": "BillingMonth"}], "rows": [["2026-11-01T00:00:00"]]}', '{"rows": []}',
                       '{"columns": [{"name": "totalCost"}, {"name": "BillingMonth"}], "rows": [["x", "2026-11-01T00:00:00"]]}',
                       '{"columns": [{"name": "totalCost"}, {"name": "BillingMonth"}], "rows": [7]}'):
        server.faults.append(lambda r, p=properties: (200, {}, f'{{"properties": {p}}}') if r.path.endswith("/query") else None)
        done = cli("costs", "list", *WHEN)
        assert done.code == 1 and not server.faults, (properties, done.err)
