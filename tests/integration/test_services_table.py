"""The table of docs/services.md is what the program says that each provider has (SKYDIR_WRITE_DOCS=yes writes it)."""

import os
import pathlib
import re

from cli import Cli

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "services.md"
KINDS = ("volumes.", "snapshots.", "backups.", "networks.", "subnets.", "ports.", "routers.", "security-groups.", "floating-ips.",
         "load-balancers.", "identity.", "quotas.", "stacks.", "functions.", "databases.")
PROVIDERS = ("openstack", "infomaniak", "aws", "gcp", "azure")


def test_the_page_shows_what_the_program_has():
    with Cli() as cli:
        found = [o for o in cli("capabilities").items if o["operation"].startswith(KINDS)]
    assert len(found) > 80
    lines = ["| operation | " + " | ".join(PROVIDERS) + " |", "| --- |" + " --- |" * len(PROVIDERS)]
    lines += [f"| `{o['operation'].replace('.', ' ')}` | " + " | ".join("yes" if o[p] else "–" for p in PROVIDERS) + " |" for o in found]
    text, pattern = PAGE.read_text(), re.compile(r"(<!-- operations -->\n\n)(.*?)(\n\n<!-- end -->)", re.S)
    table = "\n".join(lines)
    if os.environ.get("SKYDIR_WRITE_DOCS"):
        PAGE.write_text(pattern.sub(lambda m: m[1] + table + m[3], text))
    else:
        assert pattern.search(text)[2] == table, "run this test with SKYDIR_WRITE_DOCS=yes"
