"""Each provider's own way to say "too many requests": waited out and asked again, exactly once a refusal; and what is said when
it does not end."""

import json
import time

import pytest

from azvm_contract import CLIENT, GROUP, LOCATION, SUBSCRIPTION, TENANT, AzvmContract
from azvm_contract import SECRET as AZURE_SECRET
from cli import Cli
from dns_contract import DesignateContract, InfomaniakContract
from ec2_contract import KEY, REGION, Ec2Contract
from ec2_contract import SECRET as EC2_SECRET
from gce_contract import ZONES, GceContract
from nova_contract import NovaContract


def ec2(server, _tmp_path):
    return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": EC2_SECRET, "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_EC2": server.endpoint}, None


def gce(server, tmp_path):
    server.credentials(tmp_path / "account.json")
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "account.json"), "CLOUDSDK_COMPUTE_ZONE": ZONES[0],
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": server.endpoint + "/compute/v1/"}, None


def azure(server, _tmp_path):
    return ({"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": AZURE_SECRET,
             "AZURE_AUTHORITY_HOST": server.endpoint},
            f"[azure]\ntype = azure\nmanagement-endpoint = {server.endpoint}\nsubscription-id = {SUBSCRIPTION}\n"
            f"resource-group = {GROUP}\nlocation = {LOCATION}\n")


def own(server, _tmp_path):
    return server.environment, None


def answer(status, body, **headers):
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body)


XML = "<Response><Errors><Error><Code>{}</Code><Message>slow down</Message></Error></Errors><RequestID>r-1</RequestID></Response>"
CASES = {
    "ec2": (Ec2Contract, ec2, ("zones", "list"), (503, {"Content-Type": "text/xml"}, XML.format("RequestLimitExceeded"))),
    "ec2-code": (Ec2Contract, ec2, ("zones", "list"), (400, {"Content-Type": "text/xml"}, XML.format("Throttling"))),
    "gce": (GceContract, gce, ("zones", "list"),
            answer(403, {"error": {"code": 403, "message": "slow down", "errors": [{"reason": "rateLimitExceeded"}]}})),
    "gce-429": (GceContract, gce, ("zones", "list"), answer(429, {"error": {"code": 429, "message": "slow down"}})),
    "azure": (AzvmContract, azure, ("instances", "list"),
              answer(429, {"error": {"code": "TooManyRequests", "message": "slow down"}}, **{"Retry-After": "1"})),
    "nova": (NovaContract, own, ("keypairs", "list"),
             answer(429, {"overLimit": {"code": 429, "message": "slow down"}}, **{"Retry-After": "1"})),
    "nova-413": (NovaContract, own, ("keypairs", "list"), answer(413, {"overLimit": {"code": 413, "message": "slow down"}})),
    "designate": (DesignateContract, own, ("dns", "zones", "list"), answer(429, {"code": 429, "type": "over_quota", "message": "slow down"})),
    "infomaniak": (InfomaniakContract, own, ("dns", "zones", "list"),
                   answer(429, {"result": "error", "error": {"code": "too_many_requests", "description": "slow down"}}, **{"Retry-After": "1"})),
}


def asked(server):
    return [r for r in server.requests if "/tokens" not in r.path and "token" not in r.path.rsplit("/", 1)[-1]]


@pytest.mark.parametrize("case", CASES)
def test_throttled_calls_are_made_again(case, tmp_path):
    make, settings, command, refusal = CASES[case]
    with make() as server:
        environment, config = settings(server, tmp_path)
        with Cli(environment, config) as cli:
            assert cli(*command).code == 0
            server.requests.clear()
            whole = cli(*command)
            usual = len(asked(server))
            assert usual
            for _ in range(2):
                server.faults.append(lambda r: refusal if r in asked(server) else None)
            server.requests.clear()
            began = time.monotonic()
            again = cli(*command)
            assert again.code == 0 and again.json == whole.json and len(asked(server)) == usual + 2
            if "Retry-After" in refusal[1]:
                assert time.monotonic() - began >= 2, "it waits as long as it was told"
                return  # the rest takes long with it
            server.faults += [lambda r: refusal if r in asked(server) else None] * 50
            given_up = cli(*command)
            told = json.loads(given_up.err)
            assert given_up.code == 5 and (told["code"], told["retryable"]) == ("throttled", True) and "slow down" in told["message"]
