"""Purpose: Cost Explorer, Budgets, Service Quotas and STS to the letter of Amazon's own description (botocore's models): members that
it does not have, words that are in none of its lists, and what botocore's signer would have signed differently are refused. Each page
holds one thing.

moto knows neither pages of costs nor quotas (2026-11)."""

import datetime
import json
import re
import urllib.parse

import botocore.session

from contract import Contract, Refused, as_json
from lambda_contract import ACCOUNT, KEY, REGION, SECRET, check, check_signature

MODELS = {name: botocore.session.get_session().get_service_model(name) for name in ("ce", "budgets", "service-quotas")}
TARGETS = {m.metadata["targetPrefix"]: m for m in MODELS.values()}
SIGNED = {"ce": ("ce", "us-east-1"), "budgets": ("budgets", "us-east-1"), "service-quotas": ("servicequotas", REGION)}
DAYS = {"2026-10-30": 1, "2026-10-31": 2, "2026-11-01": 3, "2026-11-02": 4}  # something is used on these
SERVICES = {"Amazon Simple Storage Service": "0.0000062500", "Amazon Elastic Compute Cloud - Compute": "10.1000000001"}


def check_texts(value, shape, at="body"):
    """The patterns of texts and numbers' least, which check() leaves out."""
    if shape.type_name == "structure":
        for name, member in value.items():
            check_texts(member, shape.members[name], f"{at}.{name}")
    elif shape.type_name == "list":
        for member in value:
            check_texts(member, shape.member, at)
    elif shape.type_name == "string" and "pattern" in shape.metadata and not re.fullmatch(shape.metadata["pattern"], value):
        raise Refused(400, "ValidationException", f"{at}: {value!r} does not fit")


class AwsCostsContract(Contract):
    def __init__(self):
        super().__init__()
        self.bodies = []
        self.budgets = [
            {"BudgetName": "all", "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": {"Amount": "100.0", "Unit": "USD"},
             "CalculatedSpend": {"ActualSpend": {"Amount": "12.345", "Unit": "USD"}, "ForecastedSpend": {"Amount": "40", "Unit": "USD"}}},
            {"BudgetName": "year", "BudgetType": "COST", "TimeUnit": "ANNUALLY", "BudgetLimit": {"Amount": "1000", "Unit": "USD"}}]
        self.quotas = {
            "ec2": [("L-1216C47A", "Running On-Demand Standard instances", 1152.0, True, False), ("L-0263D0A3", "EC2-VPC Elastic IPs", 5.0, True, False)],
            "ebs": [("L-D18FCD1D", "Storage for gp2 volumes", 50.5, True, False)],
            "vpc": [("L-F678F1CE", "VPCs per Region", 5.0, True, False)],
            "lambda": [("L-B99A9384", "Concurrent executions", 1000.0, True, True), ("L-2ACBD22F", "Function and layer storage", 75.0, False, False)]}

    @property
    def environment(self):
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION, "AWS_ENDPOINT_URL_COST_EXPLORER": self.endpoint,
                "AWS_ENDPOINT_URL_BUDGETS": self.endpoint, "AWS_ENDPOINT_URL_SERVICE_QUOTAS": self.endpoint, "AWS_ENDPOINT_URL_STS": self.endpoint}

    def refuse(self, e):
        return as_json(e.status, {"__type": e.code, "message": e.message}, **{"x-amzn-RequestId": "req-costs"})

    def handle(self, request):
        if request.method != "POST" or request.path != "/" or request.query:
            raise Refused(404, "UnknownOperationException", f"{request.method} {request.path}")
        if "X-Amz-Target" not in request.headers:
            return self.identity(request)
        prefix, action = request.headers["X-Amz-Target"].split(".")
        model = TARGETS[prefix]
        check_signature(request, self.endpoint, *SIGNED[model.service_name])
        if request.headers["Content-Type"] != "application/x-amz-json-1.1":
            raise Refused(400, "SerializationException", "the wrong Content-Type")
        body, shape = json.loads(request.body), model.operation_model(action).input_shape
        check(body, shape, "body")
        check_texts(body, shape)
        self.bodies.append((action, body))
        return as_json(200, getattr(self, action)(body))

    def identity(self, request):
        check_signature(request, self.endpoint, "sts")
        form = dict(urllib.parse.parse_qsl(request.body.decode(), strict_parsing=True))
        assert form == {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
        return 200, {"Content-Type": "text/xml"}, (
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
            f"<Arn>arn:aws:iam::{ACCOUNT}:user/u</Arn><UserId>AIDA</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult>"
            "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>")

    @staticmethod
    def page(body, token, name, items):
        at = int(body.get(token, "p0")[1:])
        return {name: items[at:at + 1], **({token: f"p{at + 1}"} if at + 1 < len(items) else {})}

    @staticmethod
    def periods(body):
        first, end = (datetime.date.fromisoformat(body["TimePeriod"][k]) for k in ("Start", "End"))
        if first >= end:
            raise Refused(400, "ValidationException", "Start date should be before end date")
        at = first
        while at < end:
            after = at + datetime.timedelta(1)
            if body["Granularity"] == "MONTHLY":
                after = min(end, (at.replace(day=1) + datetime.timedelta(32)).replace(day=1))
            yield {"Start": str(at), "End": str(after)}
            at = after

    def GetCostAndUsage(self, body):  # noqa: N802
        assert len(body["Metrics"]) == 1 and body["Granularity"] in ("DAILY", "MONTHLY")
        metric, found = body["Metrics"][0], []
        if metric not in ("UnblendedCost", "UsageQuantity"):
            raise Refused(400, "ValidationException", f"Invalid metric {metric}")
        groups = body.get("GroupBy", [])
        if len(groups) > 2:
            raise Refused(400, "ValidationException", "too many groups")
        only = body.get("Filter", {}).get("Dimensions")
        for period in self.periods(body):
            days = sum(n for day, n in DAYS.items() if period["Start"] <= day < period["End"])
            result = {"TimePeriod": period, "Total": {}, "Groups": [], "Estimated": period["End"] > "2026-11-01"}
            if not groups:
                result["Total"] = {metric: {"Amount": f"{days}.0000000001", "Unit": "USD"}}
                found.append(result)
                continue
            for name, amount in SERVICES.items():  # a page may cut through a period
                if not days or (only and (only["Key"] != "SERVICE" or name not in only["Values"])):
                    continue
                words = {"SERVICE": name, "REGION": "eu-central-2", "LINKED_ACCOUNT": ACCOUNT, "USAGE_TYPE": "EUC2-Requests-Tier1"}
                keys = [f"{g['Key']}${'web' if 'S3' in name or 'Storage' in name else ''}" if g["Type"] == "TAG" else words[g["Key"]]
                        for g in groups]
                unit = "USD" if metric == "UnblendedCost" else "Requests"
                found.append({**result, "Groups": [{"Keys": keys, "Metrics": {metric: {"Amount": amount, "Unit": unit}}}]})
        return {**self.page(body, "NextPageToken", "ResultsByTime", found), "GroupDefinitions": groups}

    def GetCostForecast(self, body):  # noqa: N802
        if body["TimePeriod"]["Start"] < str(datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(1)):
            raise Refused(400, "ValidationException", "the start date must not lie in the past")
        periods = list(self.periods(body))
        return {"Total": {"Amount": f"{len(periods)}.5", "Unit": "USD"},
                "ForecastResultsByTime": [{"TimePeriod": p, "MeanValue": "1.50000000001"} for p in periods]}

    def DescribeBudgets(self, body):  # noqa: N802
        if body["AccountId"] != ACCOUNT:
            raise Refused(400, "AccessDeniedException", "not yours")
        return self.page(body, "NextToken", "Budgets", self.budgets)

    def shown(self, service, quota):
        code, name, value, is_adjustable, is_global = quota
        return {"ServiceCode": service, "ServiceName": service.upper(), "QuotaCode": code, "QuotaName": name, "Value": value, "Unit": "None",
                "Adjustable": is_adjustable, "GlobalQuota": is_global}

    def find(self, service):
        if service not in self.quotas:
            raise Refused(400, "NoSuchResourceException", f"The request failed because the specified service {service} does not exist.")
        return self.quotas[service]

    def ListServiceQuotas(self, body):  # noqa: N802
        return self.page(body, "NextToken", "Quotas", [self.shown(body["ServiceCode"], q) for q in self.find(body["ServiceCode"])])

    def GetServiceQuota(self, body):  # noqa: N802
        for quota in self.find(body["ServiceCode"]):
            if quota[0] == body["QuotaCode"]:
                return {"Quota": self.shown(body["ServiceCode"], quota)}
        raise Refused(400, "NoSuchResourceException", "The request failed because the specified service quota does not exist.")
