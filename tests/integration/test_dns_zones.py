"""Whole zones: export, plan, apply, over the slots of a driver (Designate's contract server)."""

import pytest

from cli import Cli
from dns_contract import DesignateContract

FILE = """$TTL 300
@       MX 10 mail
mail    A 192.0.2.1
www     CNAME @
txt     TXT "one" "two"
"""


@pytest.fixture
def server():
    with DesignateContract() as made:
        yield made


@pytest.fixture
def cli(server):
    with Cli(server.environment) as made:
        made("dns", "zones", "create", "example.org", "--email", "h@example.org").json
        yield made


@pytest.fixture
def file(cli):
    path = cli.dir / "zone"
    path.write_text(FILE)
    return path


def apply(cli, file, *more):
    plan = cli("dns", "zones", "plan", "example.org", str(file), *more).json
    return cli("dns", "zones", "apply", "example.org", str(file), "--plan-id", plan["plan_id"], "--yes", *more)


def test_a_file_is_planned_applied_and_exported(cli, server, file):
    plan = cli("dns", "zones", "plan", "example.org", str(file)).json
    assert [(s["name"], s["type"]) for s in plan["adds"]] == [
        ("example.org", "MX"), ("mail.example.org", "A"), ("txt.example.org", "TXT"), ("www.example.org", "CNAME")]
    assert plan["changes"] == plan["deletes"] == [] and plan["needs_force"] is None
    server.requests.clear()
    assert cli("dns", "zones", "apply", "example.org", str(file), "--dry-run").json == plan
    assert server.changes() == []
    done = cli("dns", "zones", "apply", "example.org", str(file), "--plan-id", plan["plan_id"], "--yes").json
    assert done["applied"] == 4 and len(server.changes()) == 4
    assert server.values("txt.example.org.", "TXT") == [(300, ['"onetwo"'])]
    assert apply(cli, file).json["applied"] == 0, "it is so already"
    text = cli("dns", "zones", "export", "example.org").json["text"]
    assert "mail\t300\tIN\tA\t192.0.2.1\n" in text and "@\tIN\tSOA\t" in text
    assert cli.run("dns", "zones", "export", "example.org").out == text, "a pipe gets the file itself"
    listed = cli.run("dns", "records", "list", "example.org", "--type", "mx", "--no-headers").out.split()
    assert listed[:2] == ["example.org", "MX"], "types are typed in small letters too"
    file.write_text(text)
    assert apply(cli, file).json["plan"] == ""
    shown = cli.run("dns", "zones", "plan", "example.org", str(file))
    assert shown.code == 0 and done["plan_id"] not in shown.out


def test_nothing_is_done_but_the_plan_that_was_seen(cli, server, file):
    plan = cli("dns", "zones", "plan", "example.org", str(file)).json
    cli("dns", "records", "set", "example.org", "mail", "A", "192.0.2.9").json
    server.requests.clear()
    done = cli("dns", "zones", "apply", "example.org", str(file), "--plan-id", plan["plan_id"], "--yes")
    assert done.code == 6 and "not the one that was seen" in done.err
    assert cli("dns", "zones", "apply", "example.org", str(file), "--yes").code == 2
    assert server.changes() == []


def test_much_change_needs_force(cli, server, file):
    apply(cli, file).json
    file.write_text(FILE.replace("192.0.2.1", "192.0.2.2").replace("txt ", "; "))
    server.requests.clear()
    done = apply(cli, file)
    assert done.code == 6 and "2 of 4" in done.err and server.changes() == []
    plan = cli("dns", "zones", "plan", "example.org", str(file)).json
    done = cli("dns", "zones", "apply", "example.org", str(file), "--plan-id", plan["plan_id"], "--force", "--yes").json
    assert done["applied"] == 2 and server.values("txt.example.org.", "TXT") == []


def test_the_zones_own_ns_records_change_only_when_asked_for_and_by_force(cli, server, file):
    file.write_text(FILE + "@ NS ns9.example.net.\n")
    apply(cli, file).json
    assert server.values("example.org.", "NS") == [(None, ["ns1.example.net."])]
    done = apply(cli, file, "--apex-ns")
    assert done.code == 6 and "NS" in done.err
    plan = cli("dns", "zones", "plan", "example.org", str(file), "--apex-ns").json
    cli("dns", "zones", "apply", "example.org", str(file), "--apex-ns", "--force", "--plan-id", plan["plan_id"], "--yes").json
    assert server.values("example.org.", "NS") == [(300, ["ns9.example.net."])]


def test_a_cname_takes_the_place_of_an_address(cli, server, file):
    apply(cli, file).json
    extra = "".join(f"h{i} A 192.0.2.{i}\n" for i in range(9))
    file.write_text(FILE + extra)
    apply(cli, file).json
    file.write_text(FILE.replace("www     CNAME @", "www A 192.0.2.7").replace("mail    A 192.0.2.1", "mail CNAME other.example.")
                    + extra)
    assert apply(cli, file).json["applied"] == 4
    assert server.values("mail.example.org.", "CNAME") == [(300, ["other.example."])]


def test_a_change_that_fails_says_how_far_it_came(cli, server, file):
    server.faults.append(lambda r: (403, {}, '{"code": 403, "message": "no"}') if b"txt" in r.body else None)
    done = apply(cli, file)
    assert done.code == 4 and "2 of 4 changes are done" in done.err
    assert apply(cli, file).json["applied"] == 2, "the rest"


@pytest.mark.parametrize("text, why", [("a A 1.2.3\n", "line 1"), ("$INCLUDE /etc/passwd\n", "line 1"),
                                       ("\na.example.com. A 192.0.2.1\n", "line 2")])
def test_a_bad_file_never_reaches_the_network(cli, server, file, text, why):
    server.requests.clear()
    file.write_text(text)
    done = cli("dns", "zones", "plan", "example.org", str(file))
    assert done.code == 2 and why in done.err and server.requests == []
