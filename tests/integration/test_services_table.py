"""The table of docs/services.md is what the program says that each provider has, that of docs/operations.md the servers on which these
operations are tried (SKYDIR_WRITE_DOCS=yes writes both)."""

import os
import pathlib
import re

import pytest

from cli import Cli

HERE = pathlib.Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
KINDS = ("volumes.", "snapshots.", "backups.", "networks.", "subnets.", "ports.", "routers.", "security-groups.", "floating-ips.",
         "load-balancers.", "identity.", "quotas.", "metering.", "costs.", "stacks.", "functions.", "databases.")
PROVIDERS = ("openstack", "infomaniak", "aws", "gcp", "azure")
NET = KINDS[:10]
# Which file tries which kinds of a provider, and against what. Infomaniak is OpenStack, by the same code.
TRIED = (
    ("openstack", (*NET, "quotas.", "identity."), "test_services_openstack.py", "contract"),
    ("openstack", ("identity.",), "test_services_openstack.py", "Keystone"),
    ("openstack", ("stacks.",), "test_services_stacks.py", "contract"),
    ("openstack", ("metering.", "costs.", "quotas."), "test_costs_openstack.py", "contract"),
    ("aws", NET, "test_services_ec2.py", "moto, contract"),
    ("aws", ("stacks.",), "test_services_stacks.py", "moto"),
    ("aws", ("functions.",), "test_services_functions.py", "contract, moto"),
    ("aws", ("databases.",), "test_services_databases.py", "contract, moto"),
    ("aws", ("metering.", "costs.", "quotas."), "test_costs_aws.py", "contract"),
    ("gcp", NET, "test_services_gce.py", "contract"),
    ("gcp", ("stacks.",), "test_services_stacks.py", "contract"),
    ("gcp", ("functions.", "databases."), "test_services_gcp_functions.py", "contract"),
    ("gcp", ("metering.", "costs.", "quotas."), "test_costs_gcp.py", "contract"),
    ("azure", (*NET, "stacks."), "test_services_azure.py", "contract"),
    ("azure", ("functions.", "databases."), "test_services_azure_functions.py", "contract"),
    ("azure", ("metering.", "costs.", "quotas."), "test_costs_azure.py", "contract"),
)


def write_or_compare(page, name, table):
    text, pattern = page.read_text(), re.compile(rf"(<!-- {name} -->\n\n)(.*?)(\n\n<!-- end -->)", re.S)
    assert pattern.search(text), f"{page.name} has no place for {name}"
    if os.environ.get("SKYDIR_WRITE_DOCS"):
        page.write_text(pattern.sub(lambda m: m[1] + table + m[3], text))
    else:
        assert pattern.search(text)[2] == table, "run this test with SKYDIR_WRITE_DOCS=yes"


@pytest.fixture(scope="module")
def found():
    with Cli() as cli:
        rows = [o for o in cli("capabilities").items if o["operation"].startswith(KINDS)]
    assert len(rows) > 90
    return rows


def test_the_page_shows_what_the_program_has(found):
    lines = ["| operation | " + " | ".join(PROVIDERS) + " |", "| --- |" + " --- |" * len(PROVIDERS)]
    lines += [f"| `{o['operation'].replace('.', ' ')}` | " + " | ".join("yes" if o[p] else "–" for p in PROVIDERS) + " |" for o in found]
    write_or_compare(DOCS / "services.md", "operations", "\n".join(lines))


def test_every_operation_is_tried_on_a_server_of_each_provider(found):
    texts = {name: (HERE / name).read_text() for _, _, name, _ in TRIED}
    lines = ["| operation | " + " | ".join(PROVIDERS) + " |", "| --- |" + " --- |" * len(PROVIDERS)]
    untried = []
    for row in found:
        words, cells = row["operation"].replace(".", " "), []
        for provider in PROVIDERS:
            of = "openstack" if provider == "infomaniak" else provider
            where = [(f, server) for p, kinds, f, server in TRIED if p == of and row["operation"].startswith(kinds)]
            servers = list(dict.fromkeys(s for f, s in where if all(re.search(rf"(?<![\w-]){w}(?![\w-])", texts[f]) for w in words.split())))
            if row[provider] and not servers:
                untried.append((provider, words))
            cells.append(", ".join(servers) if row[provider] else "–")
        lines.append(f"| `{words}` | " + " | ".join(cells) + " |")
    assert untried == [], untried
    write_or_compare(DOCS / "operations.md", "services", "\n".join(lines))
