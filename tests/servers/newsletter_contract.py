"""Purpose: Infomaniak's Newsletter as its OpenAPI description has it (/1/newsletters, 2026-01), with a state.

The description leaves open what is refused; here a wrong token, an unknown newsletter, unknown parameters and members and wrong
types are.
"""

import csv
import io
import json
import re
import time

import known_secrets
from contract import Contract, Refused, as_json

TOKEN = known_secrets.NEWSLETTER
DOMAIN = "4711"
STAMP = 1763892000
LANGS = ("de_DE", "en_GB", "es_ES", "fr_FR", "it_IT")
PAGED = {"page", "per_page"}


def fail(why):
    raise Refused(422, "validation_failed", why)


def numbers(value):
    if not isinstance(value, list) or not all(isinstance(v, int) and not isinstance(v, bool) for v in value):
        fail("not a list of numbers")


def texts(value):
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        fail("not a list of texts")


def members(known, required=()):
    def check(value):
        if not isinstance(value, dict):
            fail("not an object")
        for name in required:
            if name not in value:
                fail(f"{name} is required")
        for name, part in value.items():
            kind = known.get(name)
            if kind is None:
                fail(f"{name} is unknown")
            elif isinstance(kind, tuple):
                if part not in kind:
                    fail(f"{name} is not one of {kind}")
            elif isinstance(kind, type):
                if not isinstance(part, kind) or (kind is int and isinstance(part, bool)):
                    fail(f"{name} is no {kind.__name__}")
            else:
                kind(part)
    return check


SELECT = members({"all": bool, "include": numbers, "exclude": numbers}, ("all",))
CHOSEN = members({"include": numbers, "exclude": numbers})
RECIPIENTS = members({"all_subscribers": bool, "emails": texts, "expert": dict, "groups": CHOSEN, "segments": CHOSEN})
CAMPAIGN = {"subject": str, "lang": LANGS, "email_from_name": str, "email_from_addr": str, "preheader": str, "content_html": str,
            "template_id": int, "force_sended": bool, "recipients": RECIPIENTS, "tracking_link": bool, "tracking_opening": bool,
            "tracking_utm": dict, "unsub_link": bool}
WEBFORM = {**{k: str for k in ("button", "confirmation_url", "design", "email_from_addr", "email_from_name", "email_title", "msg_ok",
                               "name", "notify_address", "notify_lang", "rgpd_msg", "subtitle", "title", "validation_url")},
           "notify": bool, "placeholder": bool, "rgpd": bool, "groups": numbers, "fields": list}
BULK = {"filter": members({"groups": numbers, "search": str, "status": str}), "segment": str, "select": SELECT}
CONDITIONS = members({"closure": ("OR",), "conds": list})


class NewsletterContract(Contract):
    def __init__(self, tells_count=True):
        super().__init__()
        self.tells_count, self.next_id, self.now = tells_count, 10, lambda: int(time.time())
        self.campaigns, self.groups, self.contacts, self.segments, self.fields = {}, {}, {}, {}, {}
        self.webforms, self.uploads, self.tasks, self.tests, self.made = {}, {}, {}, [], []
        self.templates = {1: {"id": 1, "domain_id": 1, "name": "Plain", "content": {}, "thumbnail": "x.png"}}
        self.credits = [{"id": 1, "quantity": 1000, "type": "bought", "genre": "pack", "created_at": STAMP},
                        {"id": 2, "quantity": -10, "type": "used", "genre": "campaign", "created_at": STAMP, "campaign_id": 5,
                         "campaign_subject": "Old"}]

    @property
    def environment(self):
        return {"INFOMANIAK_NEWSLETTER_TOKEN": TOKEN, "INFOMANIAK_NEWSLETTER_ID": DOMAIN, "INFOMANIAK_API_URL": self.endpoint}

    # ---- answers ----

    def refuse(self, e):
        return as_json(e.status, {"result": "error", "error": {"code": e.code, "description": e.message}})

    def done(self, data, status=200, result="success", **more):
        return as_json(status, {"result": result, "data": data, **more})

    def task(self):
        name = f"task-{self.number()}"
        self.tasks[name] = "running"
        return self.done(name, 202, "asynchronous")

    def number(self):
        self.next_id += 1
        return self.next_id

    def page(self, rows, query):
        size, at = int(query.get("per_page", 15)), int(query.get("page", 1))
        if not 1 <= size <= 1000:
            fail("per_page")
        return self.done(rows[(at - 1) * size:at * size], total=len(rows), page=at, pages=max(1, -(-len(rows) // size)),
                         items_per_page=size)

    def handle(self, request):
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, "not_authorized", "Authorization required")
        match = re.fullmatch(r"/1/newsletters/(\d+)((?:/.*)?)", request.path)
        if not match or match[1] != DOMAIN:
            raise Refused(404, "object_not_found", "Object not found")
        query = dict(request.query)
        if len(query) != len(request.query):
            fail("a parameter stands there twice")
        body = json.loads(request.body) if request.body else None
        if body is not None and (request.method == "GET" or "json" not in request.headers.get("Content-Type", "")):
            fail("a body where none is")
        for method, pattern, known, check, function in self.routes():
            found = re.fullmatch(pattern, match[2])
            if not found or method != request.method:
                continue
            if set(query) - known:
                fail(f"unknown parameters {set(query) - known}")
            if check is None and body is not None:
                fail("a body where none is")
            if check is not None:
                check(body)
            return function(query, body, *[int(g) if g.isdigit() else g for g in found.groups()])
        raise Refused(404, "object_not_found", f"{request.method} {match[2]}")

    def routes(self):
        n, search, state = r"(\d+)", {"filter[search]"}, {"filter[search]", "filter[status]"}
        nothing, name = members({}), members({"name": str}, ("name",))
        ids = members({"subscriber_ids": numbers}, ("subscriber_ids",))
        required = ("subject", "lang", "email_from_name", "email_from_addr")
        contact = {"fields": dict, "groups": texts, "status": ("active", "unsubscribed")}
        return [
            ("GET", "", set(), None, lambda q, b: self.done({"id": int(DOMAIN), "name": "News", "credit_month": 100,
                                                              "sender_type": "x", "status": "enabled", "can_use_other_domains": True})),
            ("GET", "/campaigns", PAGED | {"filter[search]", "filter[status][]", "date_from", "date_to"}, None, self.list_campaigns),
            ("POST", "/campaigns", set(), members(CAMPAIGN, required), self.make_campaign),
            ("GET", "/campaigns/" + n, set(), None, lambda q, b, i: self.done(self.seen(self.campaign(i)))),
            ("PUT", "/campaigns/" + n, set(), members(CAMPAIGN), self.update_campaign),
            ("DELETE", "/campaigns/" + n, set(), None, lambda q, b, i: self.drop(self.campaigns, i)),
            ("POST", f"/campaigns/{n}/test", set(), members({"email": str}, ("email",)), self.test),
            ("PUT", f"/campaigns/{n}/schedule", set(), members({"started_at": int}), self.schedule),
            ("PUT", f"/campaigns/{n}/cancel", set(), nothing, self.cancel),
            ("POST", f"/campaigns/{n}/duplicate", set(), nothing, self.duplicate),
            ("POST", f"/campaigns/{n}/template/([\\w-]+)", set(), nothing, self.make_template),
            ("GET", f"/campaigns/{n}/tracking", PAGED | {"filter[action]", "filter[search]"}, None,
             lambda q, b, i: self.page([{"id": k, "email": f"s{k}@example.org", "action": a} for k, a in enumerate(["open", "click"])
                                        if q.get("filter[action]", a) == a], q)),
            ("GET", f"/campaigns/{n}/report/links", set(), None, lambda q, b, i: self.done([{"url": "https://example.org", "clicks": 4}])),
            ("GET", f"/campaigns/{n}/report/activity", PAGED | {"filter[action]", "filter[search]"}, None,
             lambda q, b, i: self.page([{"email": f"s{k}@example.org", "open_count": k} for k in range(3)], q)),
            ("GET", "/groups", PAGED | search, None, lambda q, b: self.page(self.matching(self.groups, q, "name"), q)),
            ("POST", "/groups", set(), name, lambda q, b: self.done(self.make_group(b["name"]), 201)),
            ("GET", "/groups/" + n, set(), None, lambda q, b, i: self.done(self.pick(self.groups, i))),
            ("PUT", "/groups/" + n, set(), name, lambda q, b, i: self.done(self.change(self.groups, i, b))),
            ("DELETE", "/groups/" + n, set(), None, lambda q, b, i: self.drop(self.groups, i)),
            ("GET", f"/groups/{n}/subscribers", PAGED | state, None, lambda q, b, i: self.page(self.found(q, self.pick(self.groups, i)), q)),
            ("POST", f"/groups/{n}/subscribers/assign", set(), ids, lambda q, b, i: self.put_in(i, b, True)),
            ("POST", f"/groups/{n}/subscribers/unassign", set(), ids, lambda q, b, i: self.put_in(i, b, False)),
            ("GET", "/subscribers", PAGED | state, None, lambda q, b: self.page(self.found(q), q)),
            ("POST", "/subscribers", set(), members({"email": str, **contact}, ("email",)), self.make_contact),
            ("GET", "/subscribers/count_status", set(), None, lambda q, b: self.done({"active": len(self.found({"filter[status]": "active"}))})),
            ("GET", "/subscribers/" + n, set(), None, lambda q, b, i: self.done(self.pick(self.contacts, i))),
            ("PUT", "/subscribers/" + n, set(), members(contact), self.update_contact),
            ("DELETE", "/subscribers/" + n, set(), None, lambda q, b, i: self.drop(self.contacts, i)),
            ("DELETE", f"/subscribers/{n}/forget", set(), None, lambda q, b, i: self.drop(self.contacts, i)),
            ("POST", "/subscribers/export", set(), members(BULK, ("select",)), lambda q, b: self.task()),
            ("PUT", "/subscribers/unsubscribe", set(), members(BULK, ("select",)), self.unsubscribe),
            ("PUT", "/subscribers/assign", set(), members({**BULK, "groups": texts}, ("select",)), self.assign),
            ("PUT", "/subscribers/unassign", set(), members({**BULK, "group_id": int}, ("select", "group_id")), self.unassign),
            ("POST", "/subscribers/import/upload", set(), members({"content": str}, ("content",)), self.upload),
            ("POST", "/subscribers/import", set(), members({"fields": texts, "groups": texts, "csv_separator": str, "csv_enclosure": str,
                                                            "replace_fields": bool, "upload_id": int}, ("fields", "upload_id")),
             self.import_contacts),
            ("GET", "/segments", PAGED | search, None, lambda q, b: self.page(self.matching(self.segments, q, "name"), q)),
            ("POST", "/segments", set(), members({"name": str, "data": CONDITIONS}, ("name", "data")),
             lambda q, b: self.done(self.keep(self.segments, {**b, "subscribed_count": 1, "updated_at": STAMP}), 201)),
            ("GET", "/segments/" + n, set(), None, lambda q, b, i: self.done(self.pick(self.segments, i))),
            ("PUT", "/segments/" + n, set(), members({"name": str, "data": CONDITIONS}),
             lambda q, b, i: self.done(self.change(self.segments, i, b))),
            ("DELETE", "/segments/" + n, set(), None, lambda q, b, i: self.drop(self.segments, i)),
            ("GET", f"/segments/{n}/subscribers", PAGED | state, None, lambda q, b, i: self.page(self.found(q)[:1], q)),
            ("GET", "/fields", PAGED | search, None, lambda q, b: self.page(self.matching(self.fields, q, "name"), q)),
            ("POST", "/fields", set(), members({"name": str, "slug": str, "type": ("boolean", "date_en", "date_fr", "email", "float",
                                                                                  "number", "text")}, ("name", "type")),
             lambda q, b: self.done(self.keep(self.fields, {"name": b["name"], "key": b.get("slug", b["name"].lower())}), 201)),
            ("PUT", "/fields/" + n, set(), name, lambda q, b, i: self.done(self.change(self.fields, i, b))),
            ("DELETE", "/fields/" + n, set(), None, lambda q, b, i: self.drop(self.fields, i)),
            ("GET", "/templates", PAGED, None, lambda q, b: self.page(list(self.templates.values()), q)),
            ("GET", r"/templates/([\w-]+)/html", set(), None, lambda q, b, i: self.done("<p>Hello</p>")),
            ("GET", "/webforms", PAGED | search, None, lambda q, b: self.page(self.matching(self.webforms, q, "name"), q)),
            ("POST", "/webforms", set(), members(WEBFORM), lambda q, b: self.done(self.keep(self.webforms, b), 201)),
            ("GET", "/webforms/themes", set(), None, lambda q, b: self.done(["light", "dark"])),
            ("GET", "/webforms/" + n, set(), None, lambda q, b, i: self.done(self.pick(self.webforms, i))),
            ("PUT", "/webforms/" + n, set(), members(WEBFORM), lambda q, b, i: self.done(self.change(self.webforms, i, b))),
            ("DELETE", "/webforms/" + n, set(), None, lambda q, b, i: self.drop(self.webforms, i)),
            ("GET", f"/webforms/{n}/fields", set(), None, lambda q, b, i: self.done([{"id": 1, "name": "email"}])),
            ("GET", "/credits", PAGED | search, None, lambda q, b: self.page(self.credits, q)),
            ("GET", "/credits/details", set(), None, lambda q, b: self.done({"left": 990})),
            ("GET", "/credits/accounts", PAGED | search, None, lambda q, b: self.done(self.credits[0])),
            ("GET", "/credits/packs", set(), None, lambda q, b: self.done([{"quantity": 500}, {"quantity": 5000}])),
            ("DELETE", r"/operations/([\w-]+)", set(), None, self.cancel_task),
        ]

    # ---- things ----

    def pick(self, things, key):
        if key not in things:
            raise Refused(404, "object_not_found", "Object not found")
        return things[key]

    def keep(self, things, value):
        made = {"id": self.number(), **value}
        things[made["id"]] = made
        return made

    def change(self, things, key, body):
        self.pick(things, key).update(body)
        return things[key]

    def drop(self, things, key):
        self.pick(things, key)
        del things[key]
        return self.done(True)

    def matching(self, things, query, member):
        return [t for t in things.values() if query.get("filter[search]", "") in t.get(member, "")]

    def make_group(self, name):
        return self.keep(self.groups, {"name": name, "updated_at": STAMP, "subscribed_count": "0",
                                       "statistics": {"open_rate": 0.5, "click_rate": 0.1}})

    def add_contact(self, email, status="active", groups=()):
        return self.keep(self.contacts, {"email": email, "status": status, "created_at": STAMP, "source": "api",
                                         "groups": [{"id": g} for g in groups], "fields": {}})

    def found(self, query, group=None):
        wanted = query.get("filter[status]")
        return [c for c in self.contacts.values()
                if (not wanted or c["status"] == wanted) and query.get("filter[search]", "") in c["email"]
                and (not group or {"id": group["id"]} in c["groups"])]

    # ---- campaigns ----

    def campaign(self, key):
        return self.pick(self.campaigns, key)

    def seen(self, campaign):
        seen = {"sending_batch": "x", "tracking_link": True, "tracking_opening": True, "tracking_utm": [], **campaign}
        seen["content"] = seen.pop("content_html", None)
        if self.tells_count:
            seen["subscribers_count"] = self.reached(campaign)
        return seen

    def reached(self, campaign):
        recipients = campaign.get("recipients", {})
        groups = recipients.get("groups", {}).get("include", [])
        if recipients.get("all_subscribers"):
            return len(self.found({"filter[status]": "active"}))
        return len([c for c in self.found({"filter[status]": "active"}) if any({"id": g} in c["groups"] for g in groups)]
                   ) + len(recipients.get("emails", []))

    def make_campaign(self, _query, body):
        return self.done(self.seen(self.keep(self.campaigns, {**body, "status": "draft"})), 201)

    def list_campaigns(self, query, _body):
        rows = [self.seen(c) for c in self.matching(self.campaigns, query, "subject")]
        return self.page([c for c in rows if query.get("filter[status][]", c["status"]) == c["status"]], query)

    def update_campaign(self, _query, body, key):
        if self.campaign(key)["status"] != "draft":
            raise Refused(400, "bad_request", "only drafts can be changed")
        return self.done(self.seen(self.change(self.campaigns, key, body)))

    def test(self, _query, body, key):
        self.tests.append((self.campaign(key)["id"], body["email"]))
        return self.done(True)

    def schedule(self, _query, body, key):
        found = self.campaign(key)
        if found["status"] not in ("draft", "scheduled", "canceled"):
            raise Refused(400, "bad_request", "it cannot be scheduled")
        found["started_at"] = body.get("started_at", self.now())
        found["status"] = "sent" if found["started_at"] <= self.now() + 5 else "scheduled"
        return self.done(True)

    def cancel(self, _query, _body, key):
        if self.campaign(key)["status"] != "scheduled":
            raise Refused(400, "bad_request", "it is not scheduled")
        self.campaign(key)["status"] = "canceled"
        return self.done(True)

    def duplicate(self, _query, _body, key):
        return self.done(self.seen(self.keep(self.campaigns, {**{k: v for k, v in self.campaign(key).items() if k != "id"},
                                                              "status": "draft"})))

    def make_template(self, _query, _body, key, template):
        self.campaign(key)
        self.made.append(str(template))
        return self.done(str(template))

    # ---- contacts ----

    def make_contact(self, _query, body):
        if any(c["email"] == body["email"] for c in self.contacts.values()):
            fail("the address is there already")
        made = self.add_contact(body["email"], body.get("status", "active"), [self.group_of(g) for g in body.get("groups", [])])
        made["fields"] = body.get("fields", {})
        return self.done(made, 201)

    def group_of(self, word):
        for group in self.groups.values():
            if word in (str(group["id"]), group["name"]):
                return group["id"]
        return self.make_group(word)["id"]

    def update_contact(self, _query, body, key):
        found = self.pick(self.contacts, key)
        found["fields"].update(body.get("fields", {}))
        found["status"] = body.get("status", found["status"])
        if "groups" in body:
            found["groups"] = [{"id": self.group_of(g)} for g in body["groups"]]
        return self.done(found)

    def put_in(self, group, body, is_in):
        self.pick(self.groups, group)
        for key in body["subscriber_ids"]:
            found = self.pick(self.contacts, key)
            found["groups"] = [g for g in found["groups"] if g["id"] != group] + ([{"id": group}] if is_in else [])
        return self.done([self.contacts[k] for k in body["subscriber_ids"]])

    def selected(self, body):
        select, wanted = body["select"], body.get("filter", {})
        if not select["all"]:
            return [self.pick(self.contacts, k) for k in select.get("include", [])]
        return [c for c in self.contacts.values() if c["id"] not in select.get("exclude", [])
                and wanted.get("search", "") in c["email"] and wanted.get("status", c["status"]) == c["status"]
                and (not wanted.get("groups") or any(g["id"] in wanted["groups"] for g in c["groups"]))]

    def unsubscribe(self, _query, body):
        for contact in self.selected(body):
            contact["status"] = "unsubscribed"
        return self.task()

    def assign(self, _query, body):
        for contact in self.selected(body):
            contact["groups"] += [{"id": self.group_of(g)} for g in body.get("groups", [])]
        return self.task()

    def unassign(self, _query, body):
        for contact in self.selected(body):
            contact["groups"] = [g for g in contact["groups"] if g["id"] != body["group_id"]]
        return self.task()

    def upload(self, _query, body):
        number = self.number()
        self.uploads[number] = body["content"]
        return self.done([str(number)])

    def import_contacts(self, _query, body):
        text = self.pick(self.uploads, body["upload_id"])
        for line in csv.reader(io.StringIO(text), delimiter=body.get("csv_separator", ",")):
            given = dict(zip(body["fields"], line))
            made = self.add_contact(given.pop("email"), groups=[self.group_of(g) for g in body.get("groups", [])])
            made["fields"] = given
        return self.done("import-1", result="asynchronous")

    def cancel_task(self, _query, _body, key):
        self.pick(self.tasks, key)
        self.tasks[key] = "canceled"
        return self.done(True)

    # ---- for tests ----

    def changes(self):
        return [f"{r.method} {r.path.removeprefix('/1/newsletters/' + DOMAIN)}" for r in self.requests if r.method != "GET"]
