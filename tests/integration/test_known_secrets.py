"""The search for secrets finds what is there, in any form, and says so without showing it."""

import base64
import pathlib
import re
import subprocess
import sys
import urllib.parse

import pytest

import known_secrets
from cli import Cli

HERE = pathlib.Path(__file__)
TOOL = HERE.parents[1] / "servers" / "find_secrets.py"


def find(*paths):
    return subprocess.run([sys.executable, str(TOOL), *map(str, paths)], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("write", (
    lambda s: s.encode(), lambda s: urllib.parse.quote(s, safe="").encode(), lambda s: base64.b64encode(s.encode()),
    lambda s: s.replace("/", "\\/").encode(), lambda s: b"\0" * ((1 << 20) - 5) + s.encode() + b"\0" * 100))
def test_a_secret_is_found_in_any_form_and_place(tmp_path, write):
    (tmp_path / "d").mkdir()
    (tmp_path / "innocent").write_bytes(b"nothing" * 1000)
    assert find(tmp_path).returncode == 0
    (tmp_path / "d" / "log").write_bytes(b"before " + write(known_secrets.S3) + b" behind")
    done = find(tmp_path)
    assert done.returncode == 1 and "S3" in done.stderr and str(tmp_path / "d" / "log") in done.stderr
    assert known_secrets.S3 not in done.stdout + done.stderr


def test_a_path_that_is_missing_is_no_success(tmp_path):
    assert find(tmp_path / "nowhere").returncode == 2


def test_secrets_are_words_that_occur_nowhere_else():
    assert len(known_secrets.KNOWN) > 10
    assert all(len(s) > 9 for s in known_secrets.KNOWN.values())
    page = "".join(p.read_text() for p in (HERE.parents[2] / "docs").glob("*.md"))
    assert known_secrets.shown_in(page.encode()) == []
    with Cli() as cli:
        assert cli.run("help").code == 0  # which looks itself


def test_they_are_what_the_servers_want():
    text = (HERE.parents[1] / "servers" / "openstack.py").read_text()
    assert re.search(r'^PASSWORD = "(.*)"$', text, re.M)[1] == known_secrets.KEYSTONE
    text = (HERE.parents[1] / "servers" / "azure_contract.py").read_text()
    assert known_secrets.AZURE_STORE in text and known_secrets.AZURE_ACCOUNT in text


def test_a_command_that_shows_one_fails_the_test(tmp_path):
    with Cli() as cli, pytest.raises(AssertionError, match="shows"):
        cli.run(known_secrets.CODA)  # no such command: it is named
