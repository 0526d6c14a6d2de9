"""What is spent and what may be used at Amazon: Cost Explorer, Budgets and Service Quotas by a contract server of our own."""

import datetime

import pytest

from aws_costs_contract import AwsCostsContract
from cli import Cli
from lambda_contract import REGION

WHEN = ("--since", "2026-10-31", "--until", "2026-11-02")


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


@pytest.fixture
def server():
    with AwsCostsContract() as made:
        yield made


@pytest.fixture
def cli(server):
    with Cli(server.environment) as made:
        yield made


def test_costs_by_month_by_day_and_in_all(cli, server):
    assert [(c["from"], c["until"], c["amount"], c["currency"], c["estimated"]) for c in cli("costs", "list", *WHEN).items] == [
        ("2026-10-31", "2026-11-01", "2.0000000001", "USD", False), ("2026-11-01", "2026-11-03", "7.0000000001", "USD", True)]
    assert server.bodies[-1][1]["TimePeriod"] == {"Start": "2026-10-31", "End": "2026-11-03"}
    assert [c["amount"] for c in cli("costs", "list", "--by", "day", *WHEN).items] == ["2.0000000001", "3.0000000001", "4.0000000001"]
    total = cli("costs", "total", *WHEN).items
    assert [(t["from"], t["until"], t["amount"], t["currency"]) for t in total] == [("2026-10-31", "2026-11-03", "9.0000000002", "USD")]
    assert [c["amount"] for c in cli("costs", "list", "--month", "2026-10").items] == ["3.0000000001"]
    assert server.bodies[-1][1]["TimePeriod"] == {"Start": "2026-10-01", "End": "2026-11-01"}


def test_costs_by_service_region_account_and_tag(cli, server):
    found = cli("costs", "list", "--by", "service,tag:team", *WHEN).items
    assert [(c["from"], c["service"], c["tag"], c["amount"]) for c in found] == [
        ("2026-10-31", "Amazon Simple Storage Service", "web", "0.00000625"),
        ("2026-10-31", "Amazon Elastic Compute Cloud - Compute", None, "10.1000000001"),
        ("2026-11-01", "Amazon Simple Storage Service", "web", "0.00000625"),
        ("2026-11-01", "Amazon Elastic Compute Cloud - Compute", None, "10.1000000001")], "page by page, each with one group"
    assert server.bodies[-1][1]["GroupBy"] == [{"Type": "DIMENSION", "Key": "SERVICE"}, {"Type": "TAG", "Key": "team"}]
    one = cli("costs", "list", "--by", "region", "--by", "account", "--limit", "1", *WHEN).items
    assert [(c["region"], c["account"]) for c in one] == [("eu-central-2", "123456789012")]
    text = cli.run("costs", "list", "--by", "service", *WHEN).out
    assert "10.1000000001" in text and "FROM" in text.upper()


def test_what_was_used(cli, server):
    found = cli("metering", "usage", "--service", "object-storage", *WHEN).items
    assert [(u["service"], u["name"], u["used"], u["unit"], u["from"]) for u in found] == [
        ("Amazon Simple Storage Service", "EUC2-Requests-Tier1", 6.25e-06, "Requests", "2026-10-31"),
        ("Amazon Simple Storage Service", "EUC2-Requests-Tier1", 6.25e-06, "Requests", "2026-11-01")]
    assert len(cli("metering", "usage", *WHEN).items) == 4


def test_a_forecast_begins_today(cli, server):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    found = cli("costs", "forecast", "--until", str(today + datetime.timedelta(2)), "--by", "day").items
    assert {c["amount"] for c in found} == {"1.50000000001"} and {c["currency"] for c in found} == {"USD"} and len(found) in (2, 3)
    assert len(cli("costs", "forecast").items) == 1
    refused(cli("costs", "forecast", "--until", "2001-01-01"), 2, "begins today")
    refused(cli("costs", "forecast", "--by", "service"), 2, "by day or by month only")


def test_budgets_of_the_account(cli, server):
    assert cli("costs", "budgets").items == [
        {"provider": "aws", "id": "all", "name": "all", "period": "month", "amount": "100.00", "spent": "12.345", "forecast": "40.00",
         "currency": "USD"},
        {"provider": "aws", "id": "year", "name": "year", "period": "year", "amount": "1000.00", "spent": None, "forecast": None,
         "currency": "USD"}]


def test_quotas_by_service_code_and_name(cli, server):
    found = cli("quotas", "list").items
    assert [(q["service"], q["id"], q["limit"], q["region"]) for q in found] == [
        ("compute", "L-1216C47A", 1152, REGION), ("compute", "L-0263D0A3", 5, REGION), ("volume", "L-D18FCD1D", 50.5, REGION),
        ("network", "L-F678F1CE", 5, REGION)]
    assert found[0] == {"provider": "aws", "service": "compute", "id": "L-1216C47A", "name": "Running On-Demand Standard instances",
                        "region": REGION, "used": None, "limit": 1152, "unit": None, "adjustable": True}
    assert [q["id"] for q in cli("quotas", "list", "--code", "lambda").items] == ["L-B99A9384", "L-2ACBD22F"]
    assert [q["id"] for q in cli("quotas", "list", "--service", "volume").items] == ["L-D18FCD1D"]
    assert len(cli("quotas", "list", "--limit", "1").items) == 1
    assert cli("quotas", "get", "L-F678F1CE").json["service"] == "network"
    assert cli("quotas", "get", "L-2ACBD22F", "--code", "lambda").json["name"] == "Function and layer storage"
    assert cli("quotas", "get", "VPCs per Region").json["id"] == "L-F678F1CE"
    assert cli("quotas", "get", "L-B99A9384", "--code", "lambda").json["region"] is None
    refused(cli("quotas", "get", "nobody"), 3, "no quota 'nobody'")
    refused(cli("quotas", "list", "--code", "nowhere"), 3, "does not exist")


@pytest.mark.parametrize("words, text", (
    (("costs", "list", "--month", "2026-13"), "is no month"),
    (("costs", "list", "--since", "2026-02-30"), "is no day"),
    (("costs", "list", "--since", "2026-11-02", "--until", "2026-11-01"), "ends before it begins"),
    (("costs", "list", "--since", "2019-01-01"), "longer than"),
    (("costs", "list", "--month", "2026-10", "--until", "2026-10-03"), "either a month"),
    (("costs", "list", "--by", "colour"), "'colour' is none of"),
    (("costs", "list", "--by", "service,region,account"), "two things"),
    (("costs", "list", "--by", "day,month"), "either by day"),
    (("costs", "list", "--by", "tag:"), "tag:"),
    (("costs", "list", "--by", "service,service"), "twice"),
    (("quotas", "list", "--code", "ec2", "--service", "compute"), "exclude each other"),
))
def test_what_is_wrong_is_never_sent(cli, server, words, text):
    refused(cli(*words), 2, text)
    assert server.requests == []


def test_what_amazon_does_not_have(cli, server):
    refused(cli("costs", "list", "--by", "resource", *WHEN), 1, "'by resource' is not supported by aws")
    refused(cli("costs", "details"), 1, "not supported by aws")
    assert server.requests == []


def test_amounts_that_are_none(cli, server):
    def broken(request):
        return 200, {}, '{"ResultsByTime":[{"TimePeriod":{"Start":"2026-10-31","End":"2026-11-01"},"Groups":[],"Total":{"UnblendedCost":{"Amount":"much","Unit":"USD"}}}]}'

    server.faults.append(broken)
    done = cli("costs", "list", *WHEN)
    assert done.code != 0 and "'much' is no amount" in done.err
