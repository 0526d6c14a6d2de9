"""Infomaniak's Newsletter through the command line: a contract server of our own, made of the provider's description."""

import json
import time

import pytest

from cli import Cli
from contract import as_json
from newsletter_contract import DOMAIN, TOKEN, NewsletterContract

# The limit of the real API (sixty requests a minute) would make these tests slow.
CONFIG = "[news]\ntype = infomaniak-newsletter\nrate-limit = 0\n"


@pytest.fixture
def server():
    with NewsletterContract() as made:
        yield made


@pytest.fixture
def cli(server):
    with Cli(server.environment, CONFIG) as made:
        yield made


def news(cli, *words, code=0, **more):
    done = cli("newsletter", *words, **more)
    assert done.code == code, done.err
    return done


@pytest.fixture
def friends(server):
    made = server.make_group("Friends")
    for name in ("ann", "bea", "cleo"):
        server.add_contact(f"{name}@example.org", "active" if name != "cleo" else "unsubscribed", [made["id"]])
    return made


def create(cli, *more, **env):
    return news(cli, "campaigns", "create", "--subject", "News", "--lang", "en_GB", "--from-name", "Me", "--from", "me@example.org",
                *more, **env).json


def test_a_campaign_from_its_creation_to_its_end(cli, server, friends, tmp_path):
    (tmp_path / "text.html").write_text("<p>Hello</p>")
    made = create(cli, "--content", str(tmp_path / "text.html"), "--lists", str(friends["id"]), "--preheader", "short", "--template", "1",
                  "--track-links", "no", "--unsubscribe-link", "yes")
    kept = server.campaigns[int(made["id"])]
    assert kept["content_html"] == "<p>Hello</p>" and kept["recipients"] == {"groups": {"include": [friends["id"]]}}
    assert (kept["template_id"], kept["tracking_link"], kept["unsub_link"]) == (1, False, True)
    assert (made["status"], made["from"], made["subscribers"], made["provider"]) == ("draft", "me@example.org", 2, "news")
    news(cli, "campaigns", "update", made["id"], "--subject", "News 2", "--all")
    shown = news(cli, "campaigns", "get", made["id"]).json
    assert shown["subject"] == "News 2" and shown["recipients"]["all_subscribers"] is True
    news(cli, "campaigns", "test", made["id"], "me@example.org")
    assert server.tests == [(int(made["id"]), "me@example.org")]
    other = news(cli, "campaigns", "duplicate", made["id"]).json
    assert [c["id"] for c in news(cli, "campaigns", "list", "--page-size", "1", "--status", "draft", "--search", "News").items] == [
        made["id"], other["id"]]
    assert news(cli, "campaigns", "template", made["id"], "mine").json["data"] == "mine" and server.made == ["mine"]
    news(cli, "campaigns", "delete", other["id"], "--yes")
    news(cli, "campaigns", "get", other["id"], code=3)


def test_nothing_is_sent_that_was_not_seen(cli, server, friends):
    made = create(cli, "--lists", str(friends["id"]))
    kept = server.campaigns[int(made["id"])]
    server.requests.clear()
    for words in ([], ["--yes"]):
        assert "must be looked at first" in news(cli, "campaigns", "send", made["id"], *words, code=2).err
    assert "cannot be undone" in news(cli, "campaigns", "send", made["id"], "--plan-id", "0" * 32, code=2).err
    assert server.requests == []
    seen = news(cli, "campaigns", "preview", made["id"]).json
    assert seen["recipients"] == 2 and f"campaign {made['id']} 'News' goes to 2 recipients at once" in seen["plan"]
    server.add_contact("dora@example.org", "active", [friends["id"]])
    assert "not what was seen" in news(cli, "campaigns", "send", made["id"], "--plan-id", seen["plan_id"], "--yes", code=6).err
    assert server.changes() == [] and kept["status"] == "draft"
    again = news(cli, "campaigns", "preview", made["id"]).json
    assert again["recipients"] == 3
    planned = news(cli, "campaigns", "send", made["id"], "--dry-run").json["would_send"]
    assert planned[0]["recipients"] == 3 and planned[1]["method"] == "PUT" and server.changes() == []
    sent = news(cli, "campaigns", "send", made["id"], "--plan-id", again["plan_id"], "--yes").json
    assert (sent["sent"], sent["recipients"]) == (True, 3) and kept["status"] == "sent"
    assert server.changes() == [f"PUT /campaigns/{made['id']}/schedule"]
    assert "it is 'sent'" in news(cli, "campaigns", "preview", made["id"], code=6).err


def test_recipients_are_counted_where_the_service_does_not_tell(cli, server, friends):
    server.tells_count = False
    segment = server.keep(server.segments, {"name": "S", "data": {}, "subscribed_count": 1, "updated_at": 1})
    lists = create(cli, "--lists", str(friends["id"]), "--segments", str(segment["id"]))
    assert "at most 3 recipients" in news(cli, "campaigns", "preview", lists["id"]).json["plan"]
    everybody = create(cli, "--all")
    assert news(cli, "campaigns", "preview", everybody["id"]).json["recipients"] == 2
    nobody = create(cli)
    assert "goes to nobody" in news(cli, "campaigns", "preview", nobody["id"], code=6).err
    mails = create(cli, "--recipients", '{"emails": ["x@example.org"]}')
    assert news(cli, "campaigns", "preview", mails["id"]).json["recipients"] == 1


def test_scheduling(cli, server, friends):
    made = create(cli, "--lists", str(friends["id"]))
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7200))
    news(cli, "campaigns", "schedule", made["id"], at)
    kept = server.campaigns[int(made["id"])]
    assert kept["status"] == "scheduled" and kept["started_at"] > time.time() + 3600
    news(cli, "campaigns", "unschedule", made["id"])
    assert kept["status"] == "canceled"
    assert "not scheduled" in news(cli, "campaigns", "unschedule", made["id"], code=2).err
    assert "a minute ahead" in news(cli, "campaigns", "schedule", made["id"], "2026-01-01T00:00:00Z", code=2).err
    assert "must be a time" in news(cli, "campaigns", "schedule", made["id"], "soon", code=2).err


def test_figures(cli, server):
    made = create(cli)
    assert [t["action"] for t in news(cli, "campaigns", "tracking", made["id"], "--page-size", "1").items] == ["open", "click"]
    assert len(news(cli, "campaigns", "tracking", made["id"], "--action", "open").items) == 1
    assert news(cli, "campaigns", "links", made["id"]).items[0]["clicks"] == 4
    assert len(news(cli, "campaigns", "activity", made["id"], "--page-size", "1").items) == 3
    all_of_it = news(cli, "campaigns", "statistics", made["id"]).json
    assert [len(all_of_it[k]) for k in ("tracking", "links", "activity")] == [2, 1, 3]


def test_lists_and_their_contacts(cli, server, friends):
    made = news(cli, "lists", "create", "Work").json
    news(cli, "lists", "update", made["id"], "Office")
    assert [(g["name"], g["contacts"]) for g in news(cli, "lists", "list", "--page-size", "1").items] == [("Friends", 0), ("Office", 0)]
    assert news(cli, "lists", "get", made["id"]).json["name"] == "Office"
    ann, bea, _ = list(server.contacts)
    news(cli, "lists", "add", made["id"], str(ann), str(bea))
    assert [c["email"] for c in news(cli, "lists", "contacts", made["id"], "--page-size", "1").items] == [
        "ann@example.org", "bea@example.org"]
    news(cli, "lists", "remove", made["id"], str(ann))
    assert [c["id"] for c in news(cli, "lists", "contacts", made["id"], "--status", "active").items] == [str(bea)]
    assert "must be a number" in news(cli, "lists", "add", made["id"], "ann", code=2).err
    news(cli, "lists", "delete", made["id"], "--yes")
    news(cli, "lists", "get", made["id"], code=3)


def test_contacts_one_by_one(cli, server, friends):
    made = news(cli, "contacts", "create", "dora@example.org", "--lists", "Friends", "--lists", "New", "--field", "name=Dora").json
    kept = server.contacts[int(made["id"])]
    assert kept["fields"] == {"name": "Dora"} and len(kept["groups"]) == 2 and len(server.groups) == 2
    assert news(cli, "contacts", "update", made["id"], "--status", "unsubscribed", "--field", "city=Bern").json["status"] == "unsubscribed"
    assert kept["fields"] == {"name": "Dora", "city": "Bern"}
    assert news(cli, "contacts", "get", made["id"]).json["email"] == "dora@example.org"
    assert len(news(cli, "contacts", "list", "--page-size", "1").items) == 4
    assert len(news(cli, "contacts", "list", "--status", "active", "--search", "an").items) == 1
    assert news(cli, "contacts", "count").json["data"] == {"active": 2}
    news(cli, "contacts", "delete", made["id"], "--yes")
    news(cli, "contacts", "forget", str(list(server.contacts)[0]), "--yes")
    assert len(server.contacts) == 2
    assert "already" in news(cli, "contacts", "create", "bea@example.org", code=2).err


def test_many_contacts_at_once(cli, server, friends, tmp_path):
    ann, bea, cleo = list(server.contacts)
    assert "whom is it about" in news(cli, "contacts", "unsubscribe", "--yes", code=2).err
    assert "exclude each other" in news(cli, "contacts", "export", "--all", "--contacts", "1", code=2).err
    task = news(cli, "contacts", "export", "--all", "--status", "active", "--search", "example").json
    assert task["result"] == "asynchronous" and task["data"] in server.tasks
    news(cli, "tasks", "cancel", task["data"])
    assert server.tasks[task["data"]] == "canceled"
    news(cli, "contacts", "assign", "--contacts", str(ann), "--contacts", str(bea), "--to", "Work")
    work = list(server.groups)[-1]
    assert [c for c in server.contacts if {"id": work} in server.contacts[c]["groups"]] == [ann, bea]
    news(cli, "contacts", "unassign", "--all", "--exclude", str(bea), "--from", str(work))
    assert [c for c in server.contacts if {"id": work} in server.contacts[c]["groups"]] == [bea]
    news(cli, "contacts", "unsubscribe", "--all", "--lists", str(work), "--yes")
    assert [server.contacts[c]["status"] for c in (ann, bea, cleo)] == ["active", "unsubscribed", "unsubscribed"]
    (tmp_path / "people.csv").write_text("eve@example.org;Eve\nflo@example.org;Flo\n")
    done = news(cli, "contacts", "import", str(tmp_path / "people.csv"), "--fields", "email", "--fields", "name", "--lists", "New",
                "--separator", ";", "--replace", "no").json
    assert done["result"] == "asynchronous"
    assert [c["fields"] for c in server.contacts.values() if c["email"] in ("eve@example.org", "flo@example.org")] == [
        {"name": "Eve"}, {"name": "Flo"}]


def test_segments_fields_templates_and_forms(cli, server, friends):
    rule = json.dumps({"closure": "OR", "conds": [{"closure": "AND", "conds": []}]})
    made = news(cli, "segments", "create", "Old", "--conditions", rule).json
    news(cli, "segments", "update", made["id"], "--name", "Older")
    assert [s["name"] for s in news(cli, "segments", "list", "--page-size", "1").items] == ["Older"]
    assert news(cli, "segments", "get", made["id"]).json["data"] == json.loads(rule)
    assert len(news(cli, "segments", "contacts", made["id"], "--page-size", "1").items) == 1
    news(cli, "segments", "delete", made["id"], "--yes")
    field = news(cli, "fields", "create", "City", "text", "--slug", "town").json
    assert field["key"] == "town"
    news(cli, "fields", "update", field["id"], "Town")
    assert [f["name"] for f in news(cli, "fields", "list", "--page-size", "1").items] == ["Town"]
    news(cli, "fields", "delete", field["id"], "--yes")
    assert [t["name"] for t in news(cli, "templates", "list", "--page-size", "1").items] == ["Plain"]
    assert news(cli, "templates", "get", "1").json["data"] == "<p>Hello</p>"
    form = news(cli, "webforms", "create", "Join", "--title", "Join us", "--lists", str(friends["id"]), "--settings",
                '{"rgpd": true}').json
    assert server.webforms[int(form["id"])] == {"id": int(form["id"]), "name": "Join", "title": "Join us", "groups": [friends["id"]],
                                                "rgpd": True}
    news(cli, "webforms", "update", form["id"], "--button", "Go")
    assert news(cli, "webforms", "get", form["id"]).json["button"] == "Go"
    assert len(news(cli, "webforms", "list", "--page-size", "1").items) == 1
    assert news(cli, "webforms", "fields", form["id"]).items[0]["name"] == "email"
    assert news(cli, "webforms", "themes").json["items"] == ["light", "dark"]
    news(cli, "webforms", "delete", form["id"], "--yes")
    assert not server.webforms


def test_the_newsletter_and_its_credits(cli, server):
    assert news(cli, "get").json["status"] == "enabled"
    assert [c["quantity"] for c in news(cli, "credits", "list", "--page-size", "1").items] == [1000, -10]
    assert news(cli, "credits", "get").json["data"] == {"left": 990}
    assert news(cli, "credits", "account").json["data"]["quantity"] == 1000
    assert len(news(cli, "credits", "packs").items) == 2


def test_errors_and_who_we_are(cli, server):
    assert news(cli, "get", INFOMANIAK_NEWSLETTER_TOKEN="wrong", code=4)
    assert news(cli, "get", "--newsletter", "99", code=3)
    assert "which newsletter is meant" in news(cli, "get", INFOMANIAK_NEWSLETTER_ID="", code=2).err
    server.faults.append(lambda r: as_json(429, {"result": "error", "error": {"code": "too_many_requests", "description": "slow"}},
                                           **{"Retry-After": "1"}))
    assert news(cli, "get").json["id"] == DOMAIN
    steps = {s["source"]: s["state"] for s in cli("auth", "explain", "infomaniak-newsletter").items}
    assert steps == {"section": "absent", "INFOMANIAK_NEWSLETTER_TOKEN": "used"}
    rows = {o["operation"] for o in cli("capabilities", "--filter", "infomaniak-newsletter=true").items}
    assert "newsletter.campaigns.send" in rows and not any(o.startswith("dns.") for o in rows)


def test_a_dry_run_sends_nothing_and_shows_no_secret(cli, server, friends, tmp_path):
    (tmp_path / "x.csv").write_text("a@example.org\n")
    made = create(cli, "--lists", str(friends["id"]))["id"]
    server.requests.clear()
    calls = [["campaigns", "create", "--subject", "a", "--lang", "en_GB", "--from-name", "a", "--from", "a@example.org"],
             ["campaigns", "update", made, "--subject", "b"], ["campaigns", "delete", made, "--yes"],
             ["campaigns", "test", made, "a@example.org"], ["campaigns", "schedule", made, "2099-01-01T00:00:00Z"],
             ["campaigns", "unschedule", made], ["campaigns", "duplicate", made], ["campaigns", "template", made, "x"],
             ["lists", "create", "a"], ["lists", "update", "1", "b"], ["lists", "delete", "1", "--yes"], ["lists", "add", "1", "2"],
             ["lists", "remove", "1", "2"], ["contacts", "create", "a@example.org"], ["contacts", "update", "1", "--status", "active"],
             ["contacts", "delete", "1", "--yes"], ["contacts", "forget", "1", "--yes"], ["contacts", "export", "--all"],
             ["contacts", "unsubscribe", "--all", "--yes"], ["contacts", "assign", "--all", "--to", "x"],
             ["contacts", "unassign", "--all", "--from", "1"], ["contacts", "import", str(tmp_path / "x.csv"), "--fields", "email"],
             ["segments", "create", "a", "--conditions", "{}"], ["segments", "update", "1", "--name", "b"],
             ["segments", "delete", "1", "--yes"], ["fields", "create", "a", "text"], ["fields", "update", "1", "b"],
             ["fields", "delete", "1", "--yes"], ["webforms", "create", "a"], ["webforms", "update", "1"],
             ["webforms", "delete", "1", "--yes"], ["tasks", "cancel", "x"]]
    for call in calls:
        done = news(cli, *call, "--dry-run")
        [request] = done.json["would_send"]
        assert f"/1/newsletters/{DOMAIN}/" in request["url"] and request["method"] != "GET"
        assert TOKEN not in done.out + done.err
    assert server.requests == []
