"""Purpose: Google's Cloud Billing, Billing Budgets, BigQuery (its queries only), Service Usage and the quotas of Compute Engine to the
letter of their discovery documents: as strict as gce_contract.py, each below a path of its own. Pages hold one thing each and come
empty between. SQL is not understood, but what it must have is looked for; a query is done at the second look."""

import json
import pathlib
import re
import urllib.parse

import googleapiclient.discovery_cache

from contract import Refused, as_json
from gce_contract import PREFIX, PROJECT, GceContract

DOCUMENTS = {"cloudbilling.v1": "CLOUDBILLING", "billingbudgets.v1": "BILLINGBUDGETS", "bigquery.v2": "BIGQUERY", "serviceusage.v1beta1": "SERVICEUSAGE"}
ACCOUNT = "012345-567890-ABCDEF"
TABLE = "other-project.billing.gcp_billing_export_v1_012345"
SPENT = [  # (day, service, region, team, cost)
    ("2026-10-31", "Compute Engine", "europe-west6", "web", "0.10000000000000001"), ("2026-11-01", "Compute Engine", "europe-west6", "web", "1.2E-05"),
    ("2026-11-01", "Cloud Storage", None, None, "3"), ("2026-11-02", "Cloud Storage", None, None, "-0.25")]


def money(units, nanos, currency="USD"):
    return {"currencyCode": currency, **({"units": str(units)} if units else {}), **({"nanos": nanos} if nanos else {})}


class GcpCostsContract(GceContract):
    resources = ("projects", "regions")

    def __init__(self):
        super().__init__()
        self.services, self.queries, self.billing = [], {}, ACCOUNT
        place = pathlib.Path(googleapiclient.discovery_cache.__file__).parent / "documents"
        for name in DOCUMENTS:
            document = json.loads((place / f"{name}.json").read_text())
            self._load(name.split(".")[0], document, document)

    def _load(self, service, document, below):
        for resource in below.get("resources", {}).values():
            for method in resource.get("methods", {}).values():
                path = document["servicePath"] + method.get("flatPath", method["path"])
                self.services.append((service, document, re.compile(re.sub(r"\{\+?(\w+)\}", r"(?P<\1>[^/:]+)", path)), method))
            self._load(service, document, resource)

    def environment(self, key_file):
        self.credentials(key_file)
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(key_file), "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": self.endpoint + "/compute/v1/",
                **{f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{v}": f"{self.endpoint}/{k.split('.')[0]}" for k, v in DOCUMENTS.items()}}

    def handle(self, request):
        if request.path.startswith(PREFIX):
            self.audience = GceContract.audience
            return super().handle(request)
        name, _, path = request.path[1:].partition("/")
        for service, document, pattern, method in self.services:
            match = pattern.fullmatch(path) if service == name and method["httpMethod"] == request.method else None
            if match:
                break
        else:
            raise Refused(404, "notFound", f"no such method: {request.method} {request.path}")
        self.audience = f"https://{name}.googleapis.com/"
        self.check_token(request)
        query = dict(request.query)
        for key in query:
            if key not in document["parameters"] and method["parameters"].get(key, {}).get("location") != "query":
                raise Refused(400, "invalidParameter", f"Unknown query parameter: {key}")
            words = method["parameters"].get(key, {}).get("enum")
            if words and query[key] not in words:
                raise Refused(400, "invalidParameter", f"{key}: {query[key]}")
        body = json.loads(request.body) if request.body else None
        if ("request" in method) != (body is not None):
            raise Refused(400, "badRequest", "a body where none belongs, or none where one does")
        if body is not None:
            kept, self.schemas = self.schemas, document["schemas"]
            try:
                self.check_body(body, {"$ref": method["request"]["$ref"]}, "")
            finally:
                self.schemas = kept
        where = [urllib.parse.unquote(v) for v in match.groupdict().values()]
        return as_json(200, getattr(self, method["id"].replace(".", "_"))(where, query, body))

    @staticmethod
    def rows(query, name, items):
        if not 1 <= int(query["pageSize"]) <= 5000:
            raise Refused(400, "invalid", "pageSize")
        at = int(query.get("pageToken", "t0")[1:])
        return {**({name: items[at // 2:at // 2 + 1]} if at % 2 else {}), **({"nextPageToken": f"t{at + 1}"} if at < 2 * len(items) else {})}

    # ---- Compute Engine ----

    def projects_get(self, _where, _query, _body):
        return {"name": PROJECT, "quotas": [{"metric": "SNAPSHOTS", "limit": 5000, "usage": 1}, {"metric": "NETWORKS", "limit": 15, "usage": 2}]}

    @staticmethod
    def region(name):
        return {"name": name, "quotas": [{"metric": "CPUS", "limit": 24.0, "usage": 4.0}, {"metric": "DISKS_TOTAL_GB", "limit": 4096, "usage": 10.5},
                                         {"metric": "IN_USE_ADDRESSES", "limit": -1.0, "usage": 0}]}

    def regions_list(self, _where, query, _body):
        return self.page(query, [self.region(n) for n in ("europe-west6", "us-east1")])

    def regions_get(self, where, _query, _body):
        return self.region(where["region"])

    # ---- Service Usage ----

    def serviceusage_services_consumerQuotaMetrics_list(self, where, query, _body):  # noqa: N802
        if where[:2] != ["projects", PROJECT] or where[2] != "run.googleapis.com":
            raise Refused(404, "notFound", f"Not found: service {where[2]}")
        metrics = [{"name": f"projects/1/services/run.googleapis.com/consumerQuotaMetrics/m{n}", "metric": f"run.googleapis.com/m{n}",
                    "displayName": f"Metric {n}", "consumerQuotaLimits": [{
                        "metric": f"run.googleapis.com/m{n}", "unit": "1/min/{project}/{region}", "quotaBuckets": [
                            {"effectiveLimit": "600", "defaultLimit": "600"},
                            {"effectiveLimit": "-1", "defaultLimit": "600", "dimensions": {"region": "us-east1"}}]}]} for n in (1, 2)]
        return self.rows(query, "metrics", metrics)

    # ---- Cloud Billing ----

    def cloudbilling_projects_getBillingInfo(self, where, _query, _body):  # noqa: N802
        assert where == [PROJECT]
        return {"name": f"projects/{PROJECT}/billingInfo", "projectId": PROJECT, "billingEnabled": bool(self.billing),
                **({"billingAccountName": f"billingAccounts/{self.billing}"} if self.billing else {})}

    def cloudbilling_services_list(self, _where, query, _body):
        return self.rows(query, "services", [{"name": f"services/{i}", "serviceId": i, "displayName": n}
                                             for i, n in (("6F81-5844-456A", "Compute Engine"), ("95FF-2EF5-5EA1", "Cloud Storage"))])

    def cloudbilling_services_skus_list(self, where, query, _body):
        if where != ["95FF-2EF5-5EA1"]:
            raise Refused(404, "notFound", "Requested entity was not found.")
        currency = query.get("currencyCode", "USD")
        skus = [{"name": "s", "skuId": f"000{n}", "description": text, "category": {"resourceFamily": "Storage"}, "serviceRegions": ["europe-west6"],
                 "pricingInfo": [{"effectiveTime": "2026-11-01T00:00:00Z", "pricingExpression": {
                     "usageUnit": "GiBy.mo", "usageUnitDescription": "gibibyte month", "tieredRates": [
                         {"startUsageAmount": 0, "unitPrice": money(0, 0, currency)}, {"startUsageAmount": 5, "unitPrice": money(units, nanos, currency)}]}}]}
                for n, text, units, nanos in ((1, "Standard Storage Zurich", 0, 25000000), (2, "Archive", 1, 500000001))]
        return self.rows(query, "skus", skus)

    def billingbudgets_billingAccounts_budgets_list(self, where, query, _body):  # noqa: N802
        if where != [ACCOUNT]:
            raise Refused(403, "forbidden", "The caller does not have permission")
        base = f"billingAccounts/{ACCOUNT}/budgets/"
        return self.rows(query, "budgets", [
            {"name": base + "1", "displayName": "all", "amount": {"specifiedAmount": money(100, 500000000, "CHF")}, "budgetFilter": {"calendarPeriod": "MONTH"}},
            {"name": base + "2", "displayName": "as before", "amount": {"lastPeriodAmount": {}}, "budgetFilter": {"calendarPeriod": "YEAR"}}])

    # ---- BigQuery ----

    def bigquery_jobs_query(self, where, _query, body):
        given = {p["name"]: p["parameterValue"]["value"] for p in body["queryParameters"]}
        sql = body["query"]
        if body["useLegacySql"] or body["parameterMode"] != "NAMED" or f" FROM `{TABLE}` " not in sql or "BIGNUMERIC" not in sql or "credits" not in sql:
            raise Refused(400, "invalidQuery", "Syntax error")
        if set(re.findall(r"@(\w+)", sql)) != set(given) or sql.count("(") != sql.count(")"):
            raise Refused(400, "invalidQuery", "Query parameter not found")
        columns = re.findall(r", ([^,]+?|\(SELECT.*?\)|IFNULL\(.*?\)) AS by\d", sql)
        found = [(day if "%d" in sql else day[:7], "CHF", cost, *({"service.description": service, "project.id": PROJECT}.get(
            c, region if c.startswith("IFNULL") else team) for c in columns)) for day, service, region, team, cost in SPENT
            if given["since"] <= day < given["until"]]
        job = f"job_{len(self.queries)}"
        self.queries[job] = [0, found]
        return {"kind": "bigquery#queryResponse", "jobComplete": False, "jobReference": {"projectId": where[0], "jobId": job, "location": "EU"}}

    def bigquery_jobs_getQueryResults(self, where, query, _body):  # noqa: N802
        if query.get("location") != "EU" or where[1] not in self.queries:
            raise Refused(404, "notFound", f"Not found: Job {where[1]}")
        job = self.queries[where[1]]
        job[0] += 1
        reference = {"jobReference": {"projectId": where[0], "jobId": where[1], "location": "EU"}}
        if job[0] == 1:
            return {**reference, "jobComplete": False}
        at = int(query.get("pageToken", "t0")[1:])
        rows = [{"f": [{"v": c} for c in r]} for r in job[1][at:at + 1]]
        return {**reference, "jobComplete": True, "totalRows": str(len(job[1])), "rows": rows,
                **({"pageToken": f"t{at + 1}"} if at + 1 < len(job[1]) else {})}
