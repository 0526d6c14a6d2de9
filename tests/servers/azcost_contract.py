"""Purpose: Azure's Cost Management (query, forecast), Consumption (budgets, usageDetails) and usages of Compute and Network, by hand
from the public REST reference, on the server of azvm_contract.py: as strict. Pages hold one row each.

    learn.microsoft.com/rest/api/cost-management, /consumption, /compute/usage, /virtualnetwork/usages, read 2026-11
"""

import datetime
import json
import re
import urllib.parse

from azvm_contract import LOCATION, SUBSCRIPTION, AzvmContract, Refused, check

TEXT, FLAG = str, bool
QUESTION = {"type": TEXT, "timeframe": TEXT, "timePeriod": {"from": TEXT, "to": TEXT}, "dataset": {
    "granularity": TEXT, "aggregation": {"*": {"name": TEXT, "function": TEXT}}, "grouping": [{"type": TEXT, "name": TEXT}]}}
FORECAST = {**QUESTION, "includeActualCost": FLAG, "includeFreshPartialCost": FLAG}
DIMENSIONS = {"ServiceName": 1, "ResourceLocation": 2, "ResourceId": 3, "SubscriptionId": None}
VM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"
SPENT = [  # (day, service, place, resource, team, cost as the server's own text)
    ("2026-10-31", "Virtual Machines", LOCATION, VM, "web", "0.1000000000000001"), ("2026-11-01", "Virtual Machines", LOCATION, VM, "web", "1.2E-05"),
    ("2026-11-01", "Storage", LOCATION, VM + "-disk", "", "3"), ("2026-11-02", "Storage", LOCATION, VM + "-disk", "", "0.25")]
ARM = "https://management.azure.com"


def row(cells):
    """Amounts keep their digits."""
    return "[" + ", ".join(c if isinstance(c, Digits) else json.dumps(c) for c in cells) + "]"


class Digits(str):
    pass


class AzcostContract(AzvmContract):
    queries = {"$top", "$skiptoken"}

    def __init__(self):
        super().__init__()
        self.bodies, self.filters = [], []

    def route(self, request, path, query):
        kind = re.fullmatch(rf"/subscriptions/{SUBSCRIPTION}/providers/Microsoft\.(\w+/(?:locations/\w+/)?\w+)", path)
        own = {"CostManagement/query": (self.query, "2023-11-01", "POST"), "CostManagement/forecast": (self.forecast, "2023-11-01", "POST"),
               "Consumption/usageDetails": (self.details, "2023-05-01", "GET"), "Consumption/budgets": (self.budgets, "2023-05-01", "GET"),
               f"Compute/locations/{LOCATION}/usages": (self.compute, "2024-07-01", "GET"),
               f"Network/locations/{LOCATION}/usages": (self.network, "2024-05-01", "GET")}.get(kind and kind[1])
        if not own:
            return super().route(request, path, query)
        run, version, method = own
        if request.method != method:
            raise Refused(405, "MethodNotAllowed", request.method)
        if dict(request.query)["api-version"] != version:
            raise Refused(400, "InvalidApiVersion", f"want {version}")
        return run(request, query)

    def cut(self, request, query, items, wrap):
        at = int(query.get("$skiptoken", "0"))
        link = ""
        if at + 1 < len(items):
            more = urllib.parse.urlencode({**dict(request.query), "$skiptoken": at + 1})
            link = f"{self.endpoint}{request.path}?{more}"
        return 200, {"Content-Type": "application/json"}, wrap(items[at:at + 1], link)

    def question(self, request, shape):
        body = json.loads(request.body)
        check(body, shape)
        self.bodies.append(body)
        period, data = body["timePeriod"], body["dataset"]
        if (body["type"], body["timeframe"]) != ("ActualCost", "Custom") or data["aggregation"] != {"totalCost": {"name": "Cost", "function": "Sum"}}:
            raise Refused(400, "BadRequest", "Invalid query definition")
        if len(data.get("grouping", [])) > 2:
            raise Refused(400, "BadRequest", "Invalid query definition: at most two groups")
        for name in ("from", "to"):
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", period[name]):
                raise Refused(400, "BadRequest", "Invalid time period")
        if period["from"] >= period["to"]:
            raise Refused(400, "BadRequest", "Invalid time period")
        return body, period["from"][:10], period["to"][:10], data

    def answer_rows(self, request, query, columns, rows):
        shown = json.dumps([{"name": c, "type": "Number" if c in ("totalCost", "UsageDate") else "String"} for c in columns])
        return self.cut(request, query, rows, lambda page, link: (
            f'{{"id": "q", "type": "Microsoft.CostManagement/query", "properties": {{"nextLink": {json.dumps(link or None)}, '
            f'"columns": {shown}, "rows": [{", ".join(row(r) for r in page)}]}}}}'))

    def query(self, request, query):
        body, first, last, data = self.question(request, QUESTION)
        groups, found = data.get("grouping", []), {}
        for one in SPENT:
            if not first <= one[0] <= last:
                continue
            key = [int(one[0].replace("-", "")) if data["granularity"] == "Daily" else one[0][:7] + "-01T00:00:00"]
            for g in groups:
                if g["type"] == "TagKey":
                    key += [g["name"], one[4]]
                elif g["type"] == "Dimension" and g["name"] in DIMENSIONS:
                    place = DIMENSIONS[g["name"]]
                    key.append(one[place] if place else SUBSCRIPTION)
                else:
                    raise Refused(400, "BadRequest", f"Invalid dimension {g['name']}")
            found.setdefault(tuple(key), []).append(one[5])
        if data["granularity"] not in ("Daily", "Monthly"):
            raise Refused(400, "BadRequest", "granularity")
        import decimal
        names = [n for g in groups for n in (["TagKey", "TagValue"] if g["type"] == "TagKey" else [g["name"]])]
        columns = ["totalCost", "UsageDate" if data["granularity"] == "Daily" else "BillingMonth", *names, "Currency"]
        rows = [[Digits(sum(map(decimal.Decimal, v))) if len(v) > 1 else Digits(v[0]), *k, "CHF"] for k, v in found.items()]
        return self.answer_rows(request, query, columns, rows)

    def forecast(self, request, query):
        body, first, last, data = self.question(request, FORECAST)
        if body["includeActualCost"] or body["includeFreshPartialCost"] or data["granularity"] != "Daily":
            raise Refused(400, "BadRequest", "a forecast of days only")
        day, rows = datetime.date.fromisoformat(first), []
        while str(day) <= last:
            rows.append([Digits("0.1"), int(str(day).replace("-", "")), "Forecast", "CHF"])
            day += datetime.timedelta(1)
        return self.answer_rows(request, query, ["totalCost", "UsageDate", "CostStatus", "Currency"], rows)

    def listed(self, request, query, items):
        return self.cut(request, query, items, lambda page, link: (
            f'{{"value": [{", ".join(page)}]' + (f', "nextLink": {json.dumps(link)}' if link else "") + "}"))

    def details(self, request, query):
        self.filters.append(query["$filter"])
        period = re.fullmatch(r"properties/usageStart ge '(\S{10})' and properties/usageEnd le '(\S{10})'", query["$filter"])
        if not period or query.get("$expand") != "properties/meterDetails":
            raise Refused(400, "BadRequest", f"Invalid OData expression in $filter: {query}")
        found = []
        for n, (day, service, place, one, _, cost) in enumerate(SPENT):
            if not period[1] <= day <= period[2]:
                continue
            if n % 2:  # both kinds are in use
                found.append(f'{{"kind": "modern", "name": "u{n}", "properties": {{"date": "{day}T00:00:00Z", "meterCategory": "{service}", "meterName": "m", '
                             f'"unitOfMeasure": "1 Hour", "quantity": 24, "costInBillingCurrency": {cost}, "costInUSD": 99, "billingCurrencyCode": "CHF", '
                             f'"instanceName": "{one}", "resourceLocation": "{place}"}}}}')
            else:
                found.append(f'{{"kind": "legacy", "name": "u{n}", "properties": {{"date": "{day}T00:00:00Z", "consumedService": "Microsoft.X", "meterDetails": '
                             f'{{"meterCategory": "{service}", "meterName": "m", "unitOfMeasure": "1 Hour"}}, "quantity": 1.5, "cost": {cost}, '
                             f'"billingCurrency": "CHF", "resourceId": "{one}"}}}}')
        return self.listed(request, query, found)

    def budgets(self, request, query):
        base = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Consumption/budgets/"
        found = [{"id": base + "all", "name": "all", "properties": {"category": "Cost", "amount": 100, "timeGrain": "Monthly", "currentSpend": {
            "amount": 12.34, "unit": "CHF"}, "forecastSpend": {"amount": 50.5, "unit": "CHF"}}},
                 {"id": base + "year", "name": "year", "properties": {"category": "Cost", "amount": 999.5, "timeGrain": "Annually"}}]
        return self.listed(request, query, [json.dumps(b) for b in found])

    @staticmethod
    def usage_of(name, text, used, limit):
        return json.dumps({"unit": "Count", "currentValue": used, "limit": limit, "name": {"value": name, "localizedValue": text}})

    def compute(self, request, query):
        return self.listed(request, query, [self.usage_of("cores", "Total Regional vCPUs", 4, 100), self.usage_of(
            "PremiumDiskCount", "Premium Storage Managed Disks", 1, 50000)])

    def network(self, request, query):
        return self.listed(request, query, [self.usage_of("PublicIPAddresses", "Public IP Addresses", 2, 1000), self.usage_of(
            "VirtualNetworks", "Virtual Networks", 1, 1000)])
