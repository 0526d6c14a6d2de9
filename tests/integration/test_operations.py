"""Each operation on each provider: it works, or says `not supported by PROVIDER` (exit 1). docs/operations.md holds what came
out; SKYDIR_WRITE_DOCS=yes writes it, and without that a test fails when the page is not what it found."""

import concurrent.futures
import contextlib
import os
import pathlib
import re
import uuid

import pytest

import operations
from azdns_contract import AzdnsContract
from azvm_contract import CLIENT, GROUP, LOCATION, SECRET, SUBSCRIPTION, TENANT, AzvmContract
from cli import Cli
from clouddns_contract import CloudDnsContract
from dns_contract import InfomaniakContract
from ec2_contract import KEY, REGION, Ec2Contract
from ec2_contract import SECRET as EC2_SECRET
from gce_contract import ZONES, GceContract
from harness import fleet
from nova_contract import NovaContract
from operations import Walk

pytestmark = pytest.mark.timeout(600)  # some hundred commands each
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.fixture
def stack():
    with contextlib.ExitStack() as made:
        yield made


def arm(stack, contract):
    server = stack.enter_context(contract())
    return stack.enter_context(Cli(
        {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": SECRET, "AZURE_AUTHORITY_HOST": server.endpoint},
        f"[azure]\ntype = azure\nmanagement-endpoint = {server.endpoint}\nsubscription-id = {SUBSCRIPTION}\n"
        f"resource-group = {GROUP}\nlocation = {LOCATION}\n"))


def google(stack, contract, place, variable, path, **more):
    server = stack.enter_context(contract())
    server.credentials(place)
    return stack.enter_context(Cli({"GOOGLE_APPLICATION_CREDENTIALS": str(place), variable: server.endpoint + path, **more}))


def openstack(stack, name):
    server = stack.enter_context(NovaContract())
    return stack.enter_context(Cli(server.environment if name == "openstack" else server.infomaniak))


def walk_all(jobs):
    """[(walk, function, arguments)]: beside each other; the walks, in order."""
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        done = [pool.submit(function, walk, *arguments) for walk, function, arguments in jobs]
        for one in done:
            one.result()
    return [walk for walk, _, _ in jobs]


def judge(name, rows, walks):
    """Every cell was asked for, and the page shows what came out."""
    for walk in walks:
        assert sorted(walk.cells) == sorted(rows), walk.name
        told = {o["operation"]: o for o in walk.run("capabilities").items} if name != "storage" else {}
        for row, works in walk.cells.items():
            operation = row.split(" --")[0].replace(" ", ".")
            if operation in told and (works or " --" not in row):
                assert told[operation][walk.name] == works, f"capabilities tells {operation} of {walk.name} otherwise"
    found = operations.table(rows, walks)
    text = PAGE.read_text()
    pattern = re.compile(rf"(<!-- {name}: .*? -->\n\n)(.*?)(\n<!-- end -->)", re.S)
    assert pattern.search(text), f"{PAGE.name} has no place for {name}"
    if os.environ.get("SKYDIR_WRITE_DOCS"):
        PAGE.write_text(pattern.sub(lambda m: m[1] + found + m[3], text))
    else:
        assert pattern.search(text)[2] == found, f"{PAGE.name} is not current: run this test with SKYDIR_WRITE_DOCS=yes"


def test_compute(stack, tmp_path):
    key = tmp_path / "key"
    key.write_text(operations.PUBLIC_KEY)
    ec2 = stack.enter_context(Ec2Contract())
    aws = stack.enter_context(Cli({"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": EC2_SECRET, "AWS_REGION": REGION,
                                   "AWS_ENDPOINT_URL_EC2": ec2.endpoint}))
    gce = google(stack, GceContract, tmp_path / "account.json", "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", "/compute/v1/",
                 CLOUDSDK_COMPUTE_ZONE=ZONES[0])
    jobs = [(Walk(openstack(stack, name), name), operations.compute, ("debian-12", "a1-small", key))
            for name in ("openstack", "infomaniak")]
    jobs += [(Walk(aws, "aws"), operations.compute, ("debian-12", "t9.nano", key)),
             (Walk(gce, "gcp"), operations.compute, ("debian-12", "e9-small", key)),
             (Walk(arm(stack, AzvmContract), "azure"), operations.compute, ("golden", "Small", key, "--network", "net"))]
    judge("compute", operations.COMPUTE, walk_all(jobs))


def test_dns(stack, tmp_path, moto):
    zone_file = tmp_path / "zone"
    zone_file.write_text(operations.ZONE_FILE)
    aws = stack.enter_context(Cli({"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": REGION,
                                   "AWS_ENDPOINT_URL_ROUTE_53": moto.endpoint}))
    domains = stack.enter_context(InfomaniakContract())
    infomaniak = stack.enter_context(Cli(domains.environment,
                                         "[infomaniak-domains]\ntype = infomaniak-domains\nrate-limit = 0\n"))
    cloud_dns = google(stack, CloudDnsContract, tmp_path / "account.json", "CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS", "/dns/v1/")
    mail = ("--email", "h@example.org")
    jobs = [(Walk(openstack(stack, name), name), operations.dns, ("example.org", "second.example", zone_file, *mail))
            for name in ("openstack", "infomaniak")]
    jobs += [(Walk(infomaniak, "infomaniak-domains"), operations.dns, ("example.ch", "example.org", zone_file)),
             (Walk(aws, "aws"), operations.dns, (f"z{uuid.uuid4().hex[:12]}.example", f"y{uuid.uuid4().hex[:12]}.example", zone_file)),
             (Walk(cloud_dns, "gcp"), operations.dns, ("example.org", "second.example", zone_file)),
             (Walk(arm(stack, AzdnsContract), "azure"), operations.dns, ("example.org", "second.example", zone_file))]
    judge("dns", operations.DNS, walk_all(jobs))


def infomaniak_store(stack, swift, face):
    settings = swift.settings
    return stack.enter_context(Cli({
        "INFOMANIAK_AUTH_URL": settings["auth_url"], "INFOMANIAK_APP_CREDENTIAL_ID": settings["credential"]["id"],
        "INFOMANIAK_APP_CREDENTIAL_SECRET": settings["credential"]["secret"], "INFOMANIAK_S3_ENDPOINT": swift.endpoint,
        "INFOMANIAK_S3_REGION": settings["region"]}, f"[infomaniak-{face}]\ntype = infomaniak\nface = {face}\n"))


def test_storage(stack, make_mount, tmp_path, swift):
    jobs = []
    for kind in ("local", "s3", "gcs", "azure", "swift"):
        m = make_mount(kind, proxy=None, bucket=f"o{uuid.uuid4().hex[:12]}")
        if kind == "azure":
            managed(stack, m)
        m.write_config()
        (tmp_path / kind).mkdir()
        jobs.append((Walk(StoreCli(m), m.store), operations.storage, (m.bucket, tmp_path / kind)))
    for face in ("s3", "swift"):
        (tmp_path / f"infomaniak-{face}").mkdir()
        jobs.append((Walk(infomaniak_store(stack, swift, face), f"infomaniak-{face}"), operations.storage,
                     (f"o{uuid.uuid4().hex[:12]}", tmp_path / f"infomaniak-{face}")))
    judge("storage", operations.STORAGE, walk_all(jobs))


def managed(stack, mount):
    """Azurite keeps blobs, and the contract server is the Resource Manager, which says whether versions are kept."""
    manager = stack.enter_context(fleet.AzureContract())
    mount.store_config = {**mount.store_config, "management-endpoint": manager.endpoint, "subscription-id": manager.subscription,
                          "tenant-id": manager.tenant, "client-id": manager.client_id, "client-secret": manager.client_secret}
    before = mount.environment
    mount.environment = lambda: {**before(), "AZURE_AUTHORITY_HOST": manager.endpoint}


class StoreCli:
    """The command with the configuration of a mount that is not mounted."""

    def __init__(self, mount):
        self.mount = mount

    def __call__(self, *arguments):
        done = self.mount.skydir(*arguments, "--output", "json", check=False)
        done.code, done.out, done.err = done.returncode, done.stdout, done.stderr
        return done
