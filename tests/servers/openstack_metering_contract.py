"""Purpose: os-simple-tenant-usage of Nova, Gnocchi (v1), CloudKitty (v2) and an account of Swift, on the server of
openstack_contract.py: as strict. Pages are as small as asked for and hold at most page_max things.

    docs.openstack.org/api-ref/compute, gnocchi.osci.io/rest.html, docs.openstack.org/cloudkitty/latest/api-reference/v2, read 2026-11
"""

import datetime
import re

from contract import Refused, as_json
from openstack_contract import OpenStackContract

DAY = "T00:00:00"
RATED = [  # (day, kind, resource, quantity, price as the server's own text): JSON's numbers, whose digits all count
    ("2026-10-31", "instance", "vm-1", 24, "0.1000000001"), ("2026-11-01", "instance", "vm-1", 24, "0.2"),
    ("2026-11-01", "volume.size", "vol-1", 10, "1.5E-05"), ("2026-11-02", "instance", "vm-2", 1.5, "0.3"),
]


class OpenStackMeteringContract(OpenStackContract):
    CATALOG = {**OpenStackContract.CATALOG, "metric": "/metric", "rating": "/rating", "object-store": "/swift/v1/AUTH_p1"}

    def __init__(self, page_max=1000, without=()):
        super().__init__(page_max=page_max)
        self.CATALOG = {k: v for k, v in type(self).CATALOG.items() if k not in without}
        self.usages = [
            {"instance_id": f"00000000-0000-0000-0000-00000000000{n}", "name": f"vm{n}", "hours": hours, "vcpus": cpus, "memory_mb": 1024 * cpus,
             "local_gb": 20, "started_at": "2026-11-01T00:00:00.000000", "ended_at": None, "tenant_id": "p1", "flavor": "a1", "state": "active",
             "uptime": 1} for n, hours, cpus in ((1, 10.1, 1), (2, 0.2, 4), (3, 1e-05, 2))]
        self.resources = {f"{n}1111111-2222-3333-4444-555555555555": {
            "id": f"{n}1111111-2222-3333-4444-555555555555", "type": "instance", "original_resource_id": f"vm-{n}", "project_id": "p1",
            "user_id": "u1", "creator": "c", "started_at": "2026-11-01T00:00:00+00:00", "ended_at": None, "revision_start": "2026-11-01T00:00:00+00:00",
            "revision_end": None, "metrics": {"cpu": f"{n}aaaaaaa-2222-3333-4444-555555555555", "memory": f"{n}bbbbbbb-2222-3333-4444-555555555555"}}
            for n in (1, 2, 3)}

    def handle(self, request):
        path = request.path
        own = {"/compute/v2.1/os-simple-tenant-usage/p1": self.tenant_usage, "/rating/v2/summary": self.summary,
               "/rating/v2/dataframes": self.dataframes, "/swift/v1/AUTH_p1": self.account}
        run = own.get(path) or (self.gnocchi if path.startswith("/metric/v1/") else None)
        if not run:
            return super().handle(request)
        self.part = path.split("/")[1]
        if request.headers.get("X-Auth-Token") != "token-1":
            raise Refused(401, "Unauthorized", "no token")
        if request.method != ("HEAD" if run == self.account else "GET") or request.body:
            raise Refused(405, "MethodNotAllowed", request.method)
        query = dict(request.query)
        if len(query) != len(request.query) and run != self.summary:
            raise Refused(400, "BadRequest", "something is given twice")
        return run(request, query)

    @staticmethod
    def only(query, *known):
        if set(query) - set(known):
            raise Refused(400, "BadRequest", f"unknown: {sorted(query)}")

    def account(self, _request, query):
        self.only(query)
        return 204, {"X-Account-Container-Count": "3", "X-Account-Object-Count": "70", "X-Account-Bytes-Used": "123456789012"}, ""

    # ---- Nova ----

    def tenant_usage(self, request, query):
        self.only(query, "start", "end", "limit", "marker")
        if request.headers.get("OpenStack-API-Version") != "compute 2.47":
            raise Refused(406, "NotAcceptable", "no microversion")
        start, end = (datetime.datetime.fromisoformat(query[k]) for k in ("start", "end"))
        if start >= end:
            raise Refused(400, "BadRequest", "Invalid start time. The start time cannot occur after the end time.")
        found = [] if query["start"].startswith("2026-09") else self.usages
        if not found:
            return as_json(200, {"tenant_usage": {}})
        at = next((i + 1 for i, u in enumerate(found) if u["instance_id"] == query.get("marker")), 0)
        count = min(int(query["limit"]), self.page_max)
        page = found[at:at + count]
        shown = {"tenant_id": "p1", "server_usages": page, "total_hours": sum(u["hours"] for u in page), "start": query["start"],
                 "stop": query["end"], "total_vcpus_usage": 1, "total_memory_mb_usage": 1, "total_local_gb_usage": 1}  # of the page
        if at + count >= len(found):
            return as_json(200, {"tenant_usage": shown})
        link = f"{self.endpoint}{request.path}?start={query['start']}&end={query['end']}&limit={query['limit']}&marker={page[-1]['instance_id']}"
        return as_json(200, {"tenant_usage": shown, "tenant_usage_links": [{"rel": "next", "href": link}]})

    # ---- Gnocchi ----

    def gnocchi(self, request, query):
        parts = request.path.split("/")[3:]
        if parts == ["resource", "generic"]:
            self.only(query, "sort", "limit", "marker")
            if query["sort"] != "id:asc":
                raise Refused(400, "BadRequest", "sort")
            left = sorted(r for r in self.resources if r > query.get("marker", ""))
            return as_json(200, [self.resources[r] for r in left[:min(int(query["limit"]), self.page_max)]])
        if parts[0] == "metric":
            return self.measures(query, parts[1:2], {m for r in self.resources.values() for m in r["metrics"].values()})
        if parts[:2] != ["resource", "generic"] or parts[2] not in self.resources:
            raise Refused(404, "NotFound", f"Resource {parts[2:]} does not exist")
        one = self.resources[parts[2]]
        if len(parts) == 3:
            self.only(query)
            return as_json(200, one)
        if parts[3] != "metric" or parts[5:] != ["measures"]:
            raise Refused(404, "NotFound", "no such path")
        return self.measures(query, parts[4:5], set(one["metrics"]))

    def measures(self, query, names, known):
        self.only(query, "start", "stop", "granularity", "aggregation")
        if names[0] not in known:
            raise Refused(404, "NotFound", f"Metric {names[0]} does not exist")
        if query.get("aggregation", "mean") not in ("mean", "max"):
            raise Refused(400, "BadRequest", "Aggregation method not available for this metric")
        kept = (300.0, 3600.0)
        wanted = [float(query["granularity"])] if "granularity" in query else kept
        if not set(wanted) <= set(kept):
            raise Refused(400, "BadRequest", "Granularity is not kept")
        all_of_it = [[f"2026-11-0{n}T01:00:00+00:00", g, 100.0 * n + 0.25] for g in wanted for n in (1, 2)]
        return as_json(200, [m for m in all_of_it if query["start"] <= m[0][:19] < query["stop"]])

    # ---- CloudKitty ----

    def period(self, query):
        for k in ("begin", "end"):
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00\+00:00", query[k]):
                raise Refused(400, "BadRequest", f"{k}: not a valid datetime")
        return [r for r in RATED if query["begin"][:10] <= r[0] < query["end"][:10]]

    def cut(self, query, items):
        at, count = int(query["offset"]), min(int(query["limit"]), self.page_max)
        if count < 1:
            raise Refused(400, "BadRequest", "limit")
        return items[at:at + count]

    def summary(self, request, query):
        self.only(query, "begin", "end", "offset", "limit", "groupby")
        by = [v for k, v in request.query if k == "groupby"]
        places = {"type": 1, "id": 2}
        groups = {}
        for row in self.period(query):
            groups.setdefault(tuple(row[places[b]] if b in places else "" for b in by), []).append(row)
        rows = self.cut(query, [[query["begin"], query["end"], 1.0, self.price(rows), *key] for key, rows in groups.items()])
        columns = '["begin", "end", "qty", "rate"' + "".join(f', "{b}"' for b in by) + "]" if rows else "[]"
        results = ", ".join(f'["{b}", "{e}", {q}, {p}' + "".join(f', "{k}"' for k in key) + "]" for b, e, q, p, *key in rows)
        return 200, {"Content-Type": "application/json"}, f'{{"total": {len(groups)}, "columns": {columns}, "results": [{results}]}}'

    @staticmethod
    def price(rows):
        import decimal
        return str(sum(decimal.Decimal(r[4]) for r in rows))

    def dataframes(self, _request, query):
        self.only(query, "begin", "end", "offset", "limit")
        found = self.period(query)
        frames = ", ".join(
            f'{{"period": {{"begin": "{d}T00:00:00+00:00", "end": "{d}T23:59:59+00:00"}}, "usage": {{"{kind}": [{{"vol": {{"unit": "u", "qty": {q}}}, '
            f'"rating": {{"price": {price}}}, "groupby": {{"id": "{one}", "project_id": "p1"}}, "metadata": {{"flavor_name": "a1"}}}}]}}}}'
            for d, kind, one, q, price in self.cut(query, found))
        return 200, {"Content-Type": "application/json"}, f'{{"total": {len(found)}, "dataframes": [{frames}]}}'
