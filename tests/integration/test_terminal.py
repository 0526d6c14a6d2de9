"""Commands on a terminal: colours, the line that tells how far a wait is, plans that are shown and asked about; and what
stays plain in a pipe."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import pytest

import harness
from cli import Cli
from dns_contract import DesignateContract
from ec2_contract import KEY, REGION, SECRET, Ec2Contract

COLOUR = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture
def ec2():
    with Ec2Contract() as server:
        yield server


@pytest.fixture
def cli(ec2):
    environment = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION,
                   "AWS_ENDPOINT_URL_EC2": ec2.endpoint}
    with Cli(environment) as made:
        yield made


def terminal(cli, *arguments, typed="", width=200, **environment):
    """Runs it with a terminal for all three streams; its exit code and all that was shown."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("4H", 40, width, 0, 0))
    child = subprocess.Popen([str(harness.SKYDIR), *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
                             env={**cli.environment, "TERM": "xterm-256color", **environment}, start_new_session=True)
    os.close(theirs)
    os.write(ours, typed.encode())
    shown, deadline = b"", time.monotonic() + 120
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            data = os.read(ours, 65536)
        except OSError:  # the last of its ends is closed
            break
        if not data:
            break
        shown += data
    os.close(ours)
    return child.wait(60), shown.decode()


def create(cli, *more):
    return cli("instances", "create", "web1", "--image", "debian-12", "--flavor", "t9.nano", *more)


def test_status_words_have_colours_on_a_terminal_only(cli):
    create(cli, "--wait").json
    code, shown = terminal(cli, "instances", "list")
    assert code == 0 and re.search("\x1b\\[32mrunning\x1b\\[", shown), repr(shown)
    code, shown = terminal(cli, "instances", "get", "web1")
    assert code == 0 and re.search("\x1b\\[32mrunning", shown), repr(shown)
    assert len(COLOUR.findall(shown)) == 2, "nothing else has"
    assert not COLOUR.search(terminal(cli, "instances", "list", NO_COLOR="1")[1])
    assert not COLOUR.search(terminal(cli, "instances", "list", TERM="dumb")[1])
    assert "\x1b" not in cli.run("instances", "list", TERM="xterm-256color").out
    assert not COLOUR.search(terminal(cli, "instances", "list", "--output", "csv")[1])


def test_a_text_is_shown_alone_and_drives_no_terminal(cli, ec2):
    made = create(cli, "--wait").json
    written = cli("instances", "console", made["id"]).json["output"]
    assert cli.run("instances", "console", "web1").out == written, "a pipe gets it as it is"
    code, shown = terminal(cli, "instances", "console", "web1")
    assert code == 0 and not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", shown) and "provider" not in shown
    assert shown.split()[:1] == written.split()[:1]


def test_a_narrow_terminal_cuts_what_comes_last(cli):
    made = create(cli, "--wait").json
    code, shown = terminal(cli, "instances", "list", width=60)
    assert code == 0 and made["id"] in shown and "running" in shown and "192.0.2.9" not in shown, shown
    code, shown = terminal(cli, "instances", "get", "web1", width=30)
    assert code == 0 and "provider_status" in shown and "10.0.0.9,192.0.2.9" in shown, shown


def test_a_wait_shows_how_far_it_is_and_takes_the_line_away(cli):
    code, shown = terminal(cli, "instances", "create", "web1", "--image", "debian-12", "--flavor", "t9.nano", "--wait")
    assert code == 0 and re.search("\r\x1b\\[Kstatus: creating \\(\\d+s of 10m00s\\)", shown), repr(shown)
    assert "\r\x1b[K" in shown[shown.rindex("of 10m00s"):], "the line is gone before the result"
    plain = create(cli, "--wait")
    assert plain.code == 0 and plain.err == ""


def test_a_wait_has_a_limit(cli, ec2):
    done = create(cli, "--wait", "--timeout", "1ms")
    told = json.loads(done.err)
    assert done.code == 8 and (told["code"], told["retryable"], told["provider"]) == ("wait-over", False, "aws"), done.err
    assert len(ec2.instances) == 1, "what was begun goes on"


def test_an_error_in_json_names_provider_code_and_request(cli, ec2, tmp_path):
    done = cli("instances", "create", "x", "--image", "ami-00000000", "--flavor", "t9.big")
    told = json.loads(done.err)
    assert (told["code"], told["provider"], told["request_id"]) == ("quota", "aws", "req-of-ec2")
    assert told["retryable"] is False and "vCPU" in told["message"]
    told = json.loads(cli("dns", "ptrs", "list", "--provider", "aws").err)
    assert (told["code"], told["provider"]) == ("unsupported", "aws")
    told = json.loads(cli("objects", "get", "/local/none/such").err)
    assert (told["code"], told["provider"]) == ("not-found", "local")


# ---- plans ----

FILE = "$TTL 300\nmail A 192.0.2.1\nwww CNAME @\n"


@pytest.fixture
def dns():
    with DesignateContract(slow=1) as server, Cli(server.environment) as cli:
        cli("dns", "zones", "create", "example.org", "--email", "h@example.org").json
        (cli.dir / "zone").write_text(FILE)
        cli.server, cli.apply = server, ("dns", "zones", "apply", "example.org", str(cli.dir / "zone"))
        yield cli


def test_a_plan_is_shown_and_asked_about(dns):
    code, shown = terminal(dns, *dns.apply, typed="n\n")
    assert code == 130 and "+ mail 300 A 192.0.2.1" in shown and "Go on? [y/N]" in shown and "nothing was done" in shown, shown
    assert dns.server.changes()[1:] == []
    code, shown = terminal(dns, *dns.apply, "--wait", typed="y\n")
    assert code == 0, shown
    assert dns.server.values("mail.example.org.", "A") == [(300, ["192.0.2.1"])]
    assert {z["status"] for z in dns.server.zones.values()} == {"ACTIVE"}, "--wait waited"


def test_without_a_terminal_or_with_yes_the_checksum_must_be_given(dns):
    for more in ((), ("--yes",)):
        done = dns(*dns.apply, *more)
        assert done.code == 2 and "dns zones plan shows it and its --plan-id" in done.err, done.err
    code, shown = terminal(dns, *dns.apply, "--yes")
    assert code == 2 and "--plan-id" in shown
    assert dns.server.changes()[1:] == []


def test_a_plan_that_needs_force_is_not_asked_about(dns):
    assert terminal(dns, *dns.apply, typed="y\n")[0] == 0
    (dns.dir / "zone").write_text("$TTL 300\nmail A 192.0.2.9\n")
    before = len(dns.server.changes())
    code, shown = terminal(dns, *dns.apply, typed="y\n")
    assert code == 6 and "--force" in shown and "Go on?" not in shown, shown
    assert len(dns.server.changes()) == before
    assert terminal(dns, *dns.apply, "--force", typed="y\n")[0] == 0
    assert dns.server.values("mail.example.org.", "A") == [(300, ["192.0.2.9"])]
