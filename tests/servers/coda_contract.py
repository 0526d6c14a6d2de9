"""Purpose: Coda's REST API v1 as its OpenAPI description (1.5.0) has it, with a state: docs, pages, tables, rows, changes that
take a moment. It refuses what the description does not know: query parameters, members of bodies, wrong types, wrong tokens.

A change is queued (202, requestId) and made after `lag` looks at its status; until then reads see what was.
"""

import json
import re
import urllib.parse

import known_secrets
from contract import Contract, Refused, as_json

TOKEN = known_secrets.CODA
REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 410: "Gone", 422: "Unprocessable Entity",
           429: "Too Many Requests"}
PAGED = {"limit": int, "pageToken": str}
STAMP = "2026-11-23T10:00:{:02d}.000Z"


def checked_body(body, members, required=()):
    """members: name -> type, tuple of allowed words, or a function that checks."""
    if not isinstance(body, dict):
        raise Refused(400, "", "The body must be an object")
    for name in required:
        if name not in body:
            raise Invalid(name, "is required")
    for name, value in body.items():
        if name not in members:
            raise Invalid(name, "is not a known member")
        kind = members[name]
        if isinstance(kind, tuple):
            if value not in kind:
                raise Invalid(name, f"must be one of {', '.join(kind)}")
        elif isinstance(kind, type):
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise Invalid(name, f"must be {kind.__name__}")
        else:
            kind(value)


class Invalid(Refused):
    def __init__(self, path, why):
        super().__init__(400, "", "Request validation failed")
        self.detail = {"validationErrors": [{"path": path, "message": why}]}


def strings(value):
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise Invalid("list", "must hold strings")


def canvas(value):
    checked_body(value, {"format": ("html", "markdown"), "content": str}, ("format", "content"))


def page_content(value):
    if value.get("type") == "embed":
        checked_body(value, {"type": str, "url": str, "renderMethod": ("compatibility", "standard")}, ("url",))
    else:
        checked_body(value, {"type": ("canvas",), "canvasContent": canvas}, ("type", "canvasContent"))


def content_update(value):
    checked_body(value, {"insertionMode": ("append", "prepend", "replace"), "elementId": str, "canvasContent": canvas},
                 ("insertionMode", "canvasContent"))


PAGE_CREATE = {"name": str, "subtitle": str, "iconName": str, "imageUrl": str, "parentPageId": str, "pageContent": page_content}


def initial_page(value):
    checked_body(value, PAGE_CREATE)


def row_edit(value):
    checked_body(value, {"cells": list}, ("cells",))
    for cell in value["cells"]:
        checked_body(cell, {"column": str, "value": lambda v: v}, ("column", "value"))


def principal(value):
    names = {"email": "email", "group": "groupId", "domain": "domain", "workspace": "workspaceId", "anyone": None}
    member = names.get(value.get("type"), "?")
    if member == "?":
        raise Invalid("principal.type", "is unknown")
    checked_body(value, {"type": str, **({member: str} if member else {})}, ("type", *([member] if member else [])))


class CodaContract(Contract):
    def __init__(self, lag=0, page_max=500):
        super().__init__()
        self.lag, self.page_max, self.counter, self.clock = lag, page_max, 0, 0
        self.docs, self.mutations, self.exports, self.triggered, self.pushed, self.syncs = {}, {}, {}, [], [], {}
        self.export_looks = 1  # how often an export is looked at before it is done

    @property
    def environment(self):
        return {"CODA_API_TOKEN": TOKEN, "CODA_API_URL": self.endpoint + "/apis/v1"}

    # ---- making a state ----

    def new_id(self, prefix):
        self.counter += 1
        return f"{prefix}{self.counter:06d}"

    def now(self):
        self.clock += 1
        return f"2026-11-23T{10 + self.clock // 3600:02d}:{self.clock // 60 % 60:02d}:{self.clock % 60:02d}.000Z"

    def add_doc(self, name, **more):
        doc = {"id": self.new_id("doc"), "name": name, "owner": "ann@example.org", "created": self.now(), "pages": {}, "tables": {},
               "formulas": {}, "controls": {}, "permissions": {}, "rules": {"grid-auto-1"}, "published": None,
               "acl": {"allowEditorsToChangePermissions": True, "allowCopying": True, "allowViewersToRequestEditing": False}, **more}
        doc["updated"] = doc["created"]
        self.docs[doc["id"]] = doc
        return doc

    def add_page(self, doc, name, text="", kind="canvas", **more):
        page = {"id": self.new_id("canvas-"), "name": name, "text": text, "kind": kind, "hidden": False, **more}
        doc["pages"][page["id"]] = page
        self.touch(doc)
        return page

    def add_table(self, doc, name, columns, rows=(), kind="table"):
        """columns: names, or (name, format); rows: lists of values."""
        table = {"id": self.new_id("grid-" if kind == "table" else "table-"), "name": name, "kind": kind, "columns": {}, "rows": {},
                 "page": next(iter(doc["pages"]), None)}
        for column in columns:
            title, kind_of = column if isinstance(column, tuple) else (column, "text")
            made = {"id": self.new_id("c-"), "name": title, "type": kind_of}
            table["columns"][made["id"]] = made
        doc["tables"][table["id"]] = table
        for values in rows:
            self.add_row(doc, table, dict(zip(table["columns"], values)))
        self.touch(doc)
        return table

    def add_row(self, doc, table, values):
        row = {"id": self.new_id("i-"), "values": values, "created": self.now()}
        row["updated"] = row["created"]
        table["rows"][row["id"]] = row
        self.touch(doc)
        return row

    def add_formula(self, doc, name, value):
        made = {"id": self.new_id("f-"), "name": name, "value": value}
        doc["formulas"][made["id"]] = made
        return made

    def add_control(self, doc, name, kind, value):
        made = {"id": self.new_id("ctrl-"), "name": name, "kind": kind, "value": value}
        doc["controls"][made["id"]] = made
        return made

    def touch(self, doc):
        doc["updated"] = self.now()

    # ---- answers ----

    def refuse(self, e):
        body = {"statusCode": e.status, "statusMessage": REASONS.get(e.status, "Error"), "message": e.message}
        if isinstance(e, Invalid):
            body["codaDetail"] = e.detail
        return as_json(e.status, body)

    def handle(self, request):
        if request.path.startswith("/blobs/"):
            return self.blob(request)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, "", "The API token is invalid or has expired.")
        path = request.path.removeprefix("/apis/v1/")
        for method, pattern, query, function in self.routes():
            found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern), path)
            if not found or method != request.method:
                continue
            arguments = {k: urllib.parse.unquote(v) for k, v in found.groupdict().items()}
            return function(self.checked_query(request.query, query), self.body_of(request), **arguments)
        raise Refused(404, "", f"no such path: {request.method} {path}")

    def body_of(self, request):
        if not request.body:
            return None
        if request.method == "GET" or not request.headers.get("Content-Type", "").startswith("application/json"):
            raise Refused(400, "", "a body where none is, or that is no JSON")
        return json.loads(request.body)

    def checked_query(self, pairs, known):
        given = {}
        for name, value in pairs:
            if name not in known or name in given:
                raise Invalid(name, "is not a known parameter")
            kind = known[name]
            if kind is bool and value not in ("true", "false"):
                raise Invalid(name, "must be true or false")
            if kind is int and not (value.isdigit() and int(value) >= 1):
                raise Invalid(name, "must be a number from 1 on")
            if isinstance(kind, tuple) and value not in kind:
                raise Invalid(name, f"must be one of {', '.join(kind)}")
            given[name] = value == "true" if kind is bool else int(value) if kind is int else value
        return given

    def page(self, rows, query, **more):
        size = min(query.get("limit", 25), self.page_max)
        start = 0
        if "pageToken" in query:
            if not query["pageToken"].startswith("page-"):
                raise Refused(400, "", "bad page token")
            start = int(query["pageToken"][5:])
        answer = {"items": rows[start:start + size], "href": f"{self.endpoint}/apis/v1/list"}
        if start + size < len(rows):
            answer["nextPageToken"] = f"page-{start + size}"
            answer["nextPageLink"] = f"{self.endpoint}/apis/v1/list?pageToken=page-{start + size}"
        else:
            answer.update(more)
        return as_json(200, answer)

    def queue(self, change, **more):
        request_id = "mutate:" + self.new_id("")
        self.mutations[request_id] = {"left": self.lag, "change": change}
        if not self.lag:
            change()
        return as_json(202, {"requestId": request_id, **more})

    def routes(self):
        doc, page = "docs/{doc}", "docs/{doc}/pages/{page}"
        table = "docs/{doc}/tables/{table}"
        sorts, values = {"sortBy": ("name",)}, {"useColumnNames": bool, "valueFormat": ("simple", "simpleWithArrays", "rich")}
        since = {"sinceDate": str, "untilDate": str}
        return [
            ("GET", "whoami", {}, self.whoami),
            ("GET", "categories", {}, lambda q, b: as_json(200, {"items": [{"name": "Project management"}, {"name": "Games"}]})),
            ("GET", "resolveBrowserLink", {"url": str, "degradeGracefully": bool}, self.resolve),
            ("GET", "mutationStatus/{request}", {}, self.mutation),
            ("GET", "docs", {"isOwner": bool, "isPublished": bool, "query": str, "sourceDoc": str, "isStarred": bool,
                             "inGallery": bool, "workspaceId": str, "folderId": str, **PAGED}, self.list_docs),
            ("POST", "docs", {}, self.create_doc),
            ("GET", doc, {}, lambda q, b, doc: as_json(200, self.seen_doc(self.doc(doc)))),
            ("PATCH", doc, {}, self.update_doc),
            ("DELETE", doc, {}, self.delete_doc),
            ("PUT", doc + "/publish", {}, self.publish),
            ("DELETE", doc + "/publish", {}, self.unpublish),
            ("GET", doc + "/acl/metadata", {}, self.sharing),
            ("GET", doc + "/acl/settings", {}, lambda q, b, doc: as_json(200, self.doc(doc)["acl"])),
            ("PATCH", doc + "/acl/settings", {}, self.update_acl),
            ("GET", doc + "/acl/permissions", PAGED,
             lambda q, b, doc: self.page(list(self.doc(doc)["permissions"].values()), q)),
            ("POST", doc + "/acl/permissions", {}, self.add_permission),
            ("DELETE", doc + "/acl/permissions/{permission}", {}, self.delete_permission),
            ("GET", doc + "/acl/principals/search", {"query": str}, self.principals),
            ("GET", doc + "/pages", PAGED,
             lambda q, b, doc: self.page([self.seen_page(self.doc(doc), p) for p in self.doc(doc)["pages"].values()], q)),
            ("POST", doc + "/pages", {}, self.create_page),
            ("GET", page, {}, lambda q, b, doc, page: as_json(200, self.seen_page(self.doc(doc), self.one_page(doc, page)))),
            ("PUT", page, {}, self.update_page),
            ("DELETE", page, {}, self.delete_page),
            ("GET", page + "/content", {"contentFormat": ("plainText",), **PAGED}, self.page_lines),
            ("DELETE", page + "/content", {}, self.clear_page),
            ("POST", page + "/export", {}, self.begin_export),
            ("GET", page + "/export/{export}", {}, self.get_export),
            ("GET", doc + "/tables", {"tableTypes": ("table", "view", "table,view"), **sorts, **PAGED}, self.list_tables),
            ("GET", table, {"useUpdatedTableLayouts": bool},
             lambda q, b, doc, table: as_json(200, self.seen_table(self.doc(doc), self.table(doc, table)))),
            ("GET", table + "/columns", {"visibleOnly": bool, **PAGED},
             lambda q, b, doc, table: self.page([self.seen_column(c) for c in self.table(doc, table)["columns"].values()], q)),
            ("GET", table + "/columns/{column}", {},
             lambda q, b, doc, table, column: as_json(200, self.seen_column(self.column(self.table(doc, table), column)))),
            ("GET", table + "/rows", {"query": str, "sortBy": ("createdAt", "natural", "updatedAt"), "visibleOnly": bool,
                                      "syncToken": str, **values, **PAGED}, self.list_rows),
            ("POST", table + "/rows", {"disableParsing": bool}, self.upsert_rows),
            ("DELETE", table + "/rows", {}, self.delete_rows),
            ("GET", table + "/rows/{row}", values, self.get_row),
            ("PUT", table + "/rows/{row}", {"disableParsing": bool}, self.update_row),
            ("DELETE", table + "/rows/{row}", {}, self.delete_row),
            ("POST", table + "/rows/{row}/buttons/{column}", {}, self.push),
            ("GET", doc + "/formulas", {**sorts, **PAGED}, lambda q, b, doc: self.named(doc, "formulas", q)),
            ("GET", doc + "/formulas/{name}", {}, lambda q, b, doc, name: self.one_named(doc, "formulas", name)),
            ("GET", doc + "/controls", {**sorts, **PAGED}, lambda q, b, doc: self.named(doc, "controls", q)),
            ("GET", doc + "/controls/{name}", {}, lambda q, b, doc, name: self.one_named(doc, "controls", name)),
            ("POST", doc + "/hooks/automation/{rule}", {}, self.trigger),
            ("GET", "analytics/docs/summary", {"isPublished": bool, "workspaceId": str, **since},
             lambda q, b: as_json(200, {"totalSessions": 17 * len(self.docs)})),
            ("GET", "analytics/docs", {"docIds": str, "workspaceId": str, "query": str, "isPublished": bool,
                                       "scale": ("daily", "cumulative"), "orderBy": str, "direction": ("ascending", "descending"),
                                       **since, **PAGED}, self.doc_figures),
            ("GET", "analytics/docs/{doc}/pages", {**since, **PAGED}, self.page_figures),
            ("GET", "analytics/updated", {}, lambda q, b: as_json(200, {
                "docAnalyticsLastUpdated": "2026-11-22", "packAnalyticsLastUpdated": "2026-11-22",
                "packFormulaAnalyticsLastUpdated": "2026-11-22"})),
        ]

    # ---- finding ----

    def doc(self, doc):
        found = self.docs.get(doc)
        if not found:
            raise Refused(404, "", f"Could not find a doc with the ID {doc}")
        if found["owner"] == "nobody":
            raise Refused(403, "", "You do not have access to this doc")
        return found

    def pick(self, things, key, what):
        for thing in things.values():
            if key in (thing["id"], thing["name"]):
                return thing
        raise Refused(404, "", f"Could not find a {what} with the ID or name {key}")

    def one_page(self, doc, key):
        found = self.pick(self.doc(doc)["pages"], key, "page")
        if found.get("gone"):
            raise Refused(410, "", "The page has been deleted")
        return found

    def table(self, doc, key):
        return self.pick(self.doc(doc)["tables"], key, "table")

    def column(self, table, key):
        return self.pick(table["columns"], key, "column")

    def row(self, table, key):
        for row in table["rows"].values():
            if key == row["id"] or key == self.row_name(table, row):
                return row
        raise Refused(404, "", f"Could not find a row with the ID or name {key}")

    def row_name(self, table, row):
        return str(row["values"].get(next(iter(table["columns"]), None), ""))

    # ---- docs ----

    def whoami(self, _query, _body):
        return as_json(200, {"name": "Ann", "loginId": "ann@example.org", "type": "user", "scoped": False, "tokenName": "skydir",
                             "href": f"{self.endpoint}/apis/v1/whoami",
                             "workspace": {"id": "ws-1", "type": "workspace", "browserLink": "https://coda.io/ws", "name": "Home"}})

    def seen_doc(self, doc):
        tables = doc["tables"].values()
        seen = {"id": doc["id"], "type": "doc", "href": f"{self.endpoint}/apis/v1/docs/{doc['id']}",
                "browserLink": f"https://coda.io/d/_d{doc['id']}", "name": doc["name"], "owner": doc["owner"], "ownerName": "Ann",
                "docSize": {"totalRowCount": sum(len(t["rows"]) for t in tables), "tableAndViewCount": len(doc["tables"]),
                            "pageCount": len(doc["pages"]), "overApiSizeLimit": False},
                "createdAt": doc["created"], "updatedAt": doc["updated"], "workspaceId": "ws-1", "folderId": doc.get("folder", "fl-1"),
                "workspace": {"id": "ws-1", "type": "workspace", "browserLink": "https://coda.io/ws"},
                "folder": {"id": doc.get("folder", "fl-1"), "type": "folder", "browserLink": "https://coda.io/f", "name": "Work"}}
        if doc["published"]:
            seen["published"] = {"browserLink": "https://coda.io/@ann/x", "discoverable": True, "earnCredit": False,
                                 "mode": doc["published"].get("mode", "view"), "categories": []}
        return seen

    def list_docs(self, query, _body):
        docs = [d for d in self.docs.values() if query.get("query", "").lower() in d["name"].lower()]
        if query.get("isPublished"):
            docs = [d for d in docs if d["published"]]
        if query.get("folderId"):
            docs = [d for d in docs if d.get("folder", "fl-1") == query["folderId"]]
        return self.page([self.seen_doc(d) for d in docs], query)

    def create_doc(self, _query, body):
        checked_body(body, {"title": str, "sourceDoc": str, "timezone": str, "folderId": str, "initialPage": initial_page})
        made = self.add_doc(body.get("title", "Untitled"), folder=body.get("folderId", "fl-1"))
        initial = body.get("initialPage")
        if initial:
            self.add_page(made, initial.get("name", "Untitled"),
                          initial.get("pageContent", {}).get("canvasContent", {}).get("content", ""))
        request_id = "mutate:" + self.new_id("")
        self.mutations[request_id] = {"left": self.lag, "change": lambda: None}
        return as_json(201, {**self.seen_doc(made), "requestId": request_id})

    def update_doc(self, _query, body, doc):
        checked_body(body, {"title": str, "iconName": str})
        found = self.doc(doc)
        found["name"] = body.get("title", found["name"])
        found["icon"] = body.get("iconName")
        self.touch(found)
        return as_json(200, {})

    def delete_doc(self, _query, _body, doc):
        self.doc(doc)
        del self.docs[doc]
        return as_json(202, {})

    def publish(self, _query, body, doc):
        checked_body(body, {"slug": str, "discoverable": bool, "earnCredit": bool, "categoryNames": strings,
                            "mode": ("view", "play", "edit")})
        found = self.doc(doc)
        return self.queue(lambda: found.update(published=body or {"mode": "view"}))

    def unpublish(self, _query, _body, doc):
        self.doc(doc)["published"] = None
        return as_json(200, {})

    def sharing(self, _query, _body, doc):
        self.doc(doc)
        return as_json(200, {"canShare": True, "canShareWithWorkspace": True, "canShareWithOrg": False, "canCopy": True})

    def update_acl(self, _query, body, doc):
        found = self.doc(doc)
        checked_body(body, {k: bool for k in found["acl"]})
        found["acl"].update(body)
        return as_json(200, found["acl"])

    def add_permission(self, _query, body, doc):
        checked_body(body, {"access": ("readonly", "write", "comment"), "principal": principal, "suppressEmail": bool},
                     ("access", "principal"))
        found = self.doc(doc)
        made = {"id": self.new_id("perm-"), "access": body["access"], "principal": body["principal"]}
        found["permissions"][made["id"]] = made
        return as_json(200, {})

    def delete_permission(self, _query, _body, doc, permission):
        if not self.doc(doc)["permissions"].pop(permission, None):
            raise Refused(404, "", "no such permission")
        return as_json(200, {})

    def principals(self, query, _body, doc):
        self.doc(doc)
        text = query.get("query", "")
        users = [{"name": n, "loginId": f"{n.lower()}@example.org", "type": "user"} for n in ("Ann", "Anton", "Bea")]
        groups = [{"type": "group", "groupId": "grp-1", "groupName": "Antarctica"}]
        return as_json(200, {"users": [u for u in users if text and u["name"].startswith(text)],
                             "groups": [g for g in groups if text and g["groupName"].startswith(text)]})

    def resolve(self, query, _body):
        found = re.fullmatch(r"https://coda\.io/d/(?:[\w-]*)_d([\w-]+)", query.get("url", ""))
        if not found:
            raise Refused(400, "", "That does not appear to be a Coda URL")
        doc = self.doc(found.group(1))
        return as_json(200, {"type": "apiLink", "href": f"{self.endpoint}/apis/v1/resolveBrowserLink", "browserLink": query["url"],
                             "resource": {"type": "doc", "id": doc["id"], "name": doc["name"], "href": self.seen_doc(doc)["href"]}})

    def mutation(self, _query, _body, request):
        found = self.mutations.get(request)
        if not found:
            raise Refused(404, "", "no such mutation")
        if found["left"] > 0:
            found["left"] -= 1
            if not found["left"]:
                found["change"]()
            return as_json(200, {"completed": False})
        return as_json(200, {"completed": True, **({"warning": found["warning"]} if "warning" in found else {})})

    # ---- pages ----

    def reference(self, doc, page):
        return {"id": page["id"], "type": "page", "href": f"{self.endpoint}/apis/v1/docs/{doc['id']}/pages/{page['id']}",
                "browserLink": f"https://coda.io/d/_d{doc['id']}/{page['id']}", "name": page["name"]}

    def seen_page(self, doc, page):
        seen = {**self.reference(doc, page), "contentType": page["kind"], "isHidden": page["hidden"],
                "isEffectivelyHidden": page["hidden"], "children": [], "createdAt": doc["created"], "updatedAt": doc["updated"]}
        if page.get("parent"):
            seen["parent"] = self.reference(doc, doc["pages"][page["parent"]])
        for ours, theirs in (("subtitle", "subtitle"), ("image", "imageUrl")):
            if page.get(theirs):
                seen[ours] = page[theirs]
        return seen

    def create_page(self, _query, body, doc):
        checked_body(body, PAGE_CREATE)
        found = self.doc(doc)
        content = body.get("pageContent", {})
        made = {"id": self.new_id("canvas-"), "name": body.get("name", "Untitled"), "hidden": False, "subtitle": body.get("subtitle"),
                "kind": content.get("type", "canvas"), "text": content.get("canvasContent", {}).get("content", ""),
                "parent": body.get("parentPageId")}
        if made["parent"]:
            self.one_page(doc, made["parent"])

        def change():
            found["pages"][made["id"]] = made
            self.touch(found)
        return self.queue(change, id=made["id"])

    def update_page(self, _query, body, doc, page):
        checked_body(body, {"name": str, "subtitle": str, "iconName": str, "imageUrl": str, "isHidden": bool,
                            "contentUpdate": content_update})
        found, update = self.one_page(doc, page), body.get("contentUpdate")

        def change():
            found.update(name=body.get("name", found["name"]), hidden=body.get("isHidden", found["hidden"]),
                         subtitle=body.get("subtitle", found.get("subtitle")))
            if update:
                new = update["canvasContent"]["content"]
                found["text"] = {"append": found["text"] + new, "prepend": new + found["text"], "replace": new}[update["insertionMode"]]
            self.touch(self.doc(doc))
        return self.queue(change, id=found["id"])

    def delete_page(self, _query, _body, doc, page):
        found, owner = self.one_page(doc, page), self.doc(doc)

        def change():
            del owner["pages"][found["id"]]
            self.touch(owner)
        return self.queue(change, id=found["id"])

    def page_lines(self, query, _body, doc, page):
        lines = [{"id": f"cl-{i}", "type": "line", "itemContent": {"style": "paragraph", "format": "plainText", "content": text,
                                                                    "lineLevel": 0}}
                 for i, text in enumerate(self.one_page(doc, page)["text"].splitlines())]
        return self.page(lines, query)

    def clear_page(self, _query, body, doc, page):
        checked_body(body or {}, {"elementIds": strings})
        found, gone = self.one_page(doc, page), (body or {}).get("elementIds")

        def change():
            lines = found["text"].splitlines()
            found["text"] = "\n".join(t for i, t in enumerate(lines) if gone and f"cl-{i}" not in gone)
        return self.queue(change, id=found["id"])

    def begin_export(self, _query, body, doc, page):
        checked_body(body, {"outputFormat": ("html", "markdown")}, ("outputFormat",))
        found = self.one_page(doc, page)
        if found["kind"] != "canvas":
            raise Refused(400, "", "only canvas pages can be exported")
        made = {"id": self.new_id("export-"), "looks": self.export_looks, "page": found, "format": body["outputFormat"], "doc": doc}
        self.exports[made["id"]] = made
        return as_json(202, {"id": made["id"], "status": "inProgress", "href": f"{self.endpoint}/apis/v1/export"})

    def get_export(self, _query, _body, doc, page, export):
        found = self.exports.get(export)
        if not found or found["doc"] != doc or found["page"] is not self.one_page(doc, page):
            raise Refused(404, "", "no such export")
        answer = {"id": export, "status": "inProgress", "href": f"{self.endpoint}/apis/v1/export"}
        if found["looks"] > 0:
            found["looks"] -= 1
        elif found["page"].get("broken"):
            answer.update(status="failed", error="the page is broken")
        else:
            answer.update(status="complete", downloadLink=f"{self.endpoint}/blobs/{export}?key=a%2Fb%3D&x=1")
        return as_json(200, answer)

    def blob(self, request):
        if request.headers.get("Authorization"):
            raise Refused(400, "", "credentials were sent to another service")
        name = request.path.removeprefix("/blobs/")
        if name.startswith("moved-"):
            found = self.exports[name.removeprefix("moved-")]
        elif sorted(request.query) != [("key", "a/b="), ("x", "1")]:
            raise Refused(403, "", "a bad signature")
        else:
            return 302, {"Location": f"{self.endpoint}/blobs/moved-{name}"}, ""
        text = found["page"]["text"]
        if found["format"] == "html":
            text = "".join(f"<p>{line}</p>" for line in text.splitlines())
        return 200, {"Content-Type": "text/markdown"}, text

    # ---- tables ----

    def seen_table(self, doc, table):
        page = doc["pages"].get(table["page"])
        return {"id": table["id"], "type": "table", "tableType": table["kind"], "name": table["name"],
                "href": f"{self.endpoint}/apis/v1/docs/{doc['id']}/tables/{table['id']}",
                "browserLink": f"https://coda.io/d/_d{doc['id']}#{table['id']}", "rowCount": len(table["rows"]), "sorts": [],
                "layout": "default", "displayColumn": {"id": next(iter(table["columns"]), ""), "type": "column", "href": ""},
                "createdAt": doc["created"], "updatedAt": doc["updated"], **({"parent": self.reference(doc, page)} if page else {})}

    def list_tables(self, query, _body, doc):
        found = self.doc(doc)
        kinds = query.get("tableTypes", "table,view").split(",")
        # Lists hold references only: no row count, no times.
        rows = [{k: v for k, v in self.seen_table(found, t).items()
                 if k in ("id", "type", "tableType", "href", "browserLink", "name", "parent")}
                for t in found["tables"].values() if t["kind"] in kinds]
        return self.page(sorted(rows, key=lambda t: t["name"]) if "sortBy" in query else rows, query)

    def seen_column(self, column):
        return {"id": column["id"], "type": "column", "href": "", "name": column["name"], "display": False, "calculated": False,
                "format": {"type": column["type"], "isArray": False}}

    def seen_row(self, table, row, query):
        values = {}
        for key, column in table["columns"].items():
            value = row["values"].get(key, "")
            if isinstance(value, list) and query.get("valueFormat", "simple") == "simple":
                value = ",".join(str(v) for v in value)
            if query.get("valueFormat") == "rich" and isinstance(value, str) and value:
                value = f"```{value}```"
            values[column["name"] if query.get("useColumnNames") else key] = value
        return {"id": row["id"], "type": "row", "href": "", "name": self.row_name(table, row),
                "index": list(table["rows"]).index(row["id"]), "browserLink": f"https://coda.io/d/x#_r{row['id']}",
                "createdAt": row["created"], "updatedAt": row["updated"], "values": values}

    def list_rows(self, query, _body, doc, table):
        if query.get("sortBy") == "natural" and query.get("visibleOnly") is False:
            raise Refused(400, "", "natural order is only there for visible rows")
        found = self.table(doc, table)
        rows = list(found["rows"].values())
        if "query" in query:
            match = re.fullmatch(r'("(?:[^"\\]|\\.)*"|[\w-]+):(.*)', query["query"])
            if not match:
                raise Refused(400, "", "bad query")
            key = match.group(1)
            column = self.column(found, json.loads(key) if key.startswith('"') else key)
            rows = [r for r in rows if r["values"].get(column["id"]) == json.loads(match.group(2))]
        if "syncToken" in query:
            if query["syncToken"] not in self.syncs:
                raise Refused(400, "", "bad sync token")
            rows = [r for r in rows if r["updated"] > self.syncs[query["syncToken"]]]
        if query.get("sortBy") == "updatedAt":
            rows.sort(key=lambda r: r["updated"])
        token = self.new_id("sync-")
        self.syncs[token] = max((r["updated"] for r in found["rows"].values()), default="")
        return self.page([self.seen_row(found, r, query) for r in rows], query, nextSyncToken=token)

    def cells(self, table, edit):
        return {self.column(table, c["column"])["id"]: c["value"] for c in edit["cells"]}

    def upsert_rows(self, query, body, doc, table):
        checked_body(body, {"rows": list, "keyColumns": strings}, ("rows",))
        for edit in body["rows"]:
            row_edit(edit)
        found, owner = self.table(doc, table), self.doc(doc)
        edits = [self.cells(found, e) for e in body["rows"]]
        keys = [self.column(found, k)["id"] for k in body.get("keyColumns", [])]
        ids = [] if keys else [self.new_id("i-") for _ in edits]

        def parsed(value):
            return int(value) if not query.get("disableParsing") and isinstance(value, str) and value.isdigit() else value

        def change():
            for i, values in enumerate(edits):
                values = {k: parsed(v) for k, v in values.items()}
                same = [r for r in found["rows"].values() if keys and all(r["values"].get(k) == values.get(k) for k in keys)]
                for row in same:
                    row["values"].update(values)
                    row["updated"] = self.now()
                if not same:
                    row = self.add_row(owner, found, values)
                    if ids:
                        del found["rows"][row["id"]]
                        row["id"] = ids[i]
                        found["rows"][ids[i]] = row
            self.touch(owner)
        return self.queue(change, **({"addedRowIds": ids} if ids else {}))

    def update_row(self, _query, body, doc, table, row):
        checked_body(body, {"row": row_edit}, ("row",))
        found = self.table(doc, table)
        target, values = self.row(found, row), self.cells(found, body["row"])

        def change():
            target["values"].update(values)
            target["updated"] = self.now()
            self.touch(self.doc(doc))
        return self.queue(change, id=target["id"])

    def get_row(self, query, _body, doc, table, row):
        found = self.table(doc, table)
        return as_json(200, self.seen_row(found, self.row(found, row), query))

    def delete_row(self, _query, _body, doc, table, row):
        found = self.table(doc, table)
        target = self.row(found, row)
        return self.queue(lambda: (found["rows"].pop(target["id"]), self.touch(self.doc(doc))), id=target["id"])

    def delete_rows(self, _query, body, doc, table):
        checked_body(body, {"rowIds": strings}, ("rowIds",))
        found = self.table(doc, table)
        for row in body["rowIds"]:
            if row not in found["rows"]:
                raise Refused(404, "", f"no row {row}")
        return self.queue(lambda: [found["rows"].pop(r) for r in body["rowIds"]], rowIds=body["rowIds"])

    def push(self, _query, body, doc, table, row, column):
        if body is not None:
            raise Refused(400, "", "a button takes no body")
        found = self.table(doc, table)
        target, button = self.row(found, row), self.column(found, column)
        if button["type"] != "button":
            raise Refused(400, "", "the column is not a button")
        return self.queue(lambda: self.pushed.append((target["id"], button["id"])), rowId=target["id"], columnId=button["id"])

    def named(self, doc, kind, query):
        rows = list(self.doc(doc)[kind].values())
        return self.page([{"id": r["id"], "type": kind[:-1], "href": "", "name": r["name"]}
                          for r in (sorted(rows, key=lambda r: r["name"]) if "sortBy" in query else rows)], query)

    def one_named(self, doc, kind, name):
        found = self.pick(self.doc(doc)[kind], name, kind[:-1])
        return as_json(200, {"id": found["id"], "type": kind[:-1], "href": "", "name": found["name"], "value": found["value"],
                             **({"controlType": found["kind"]} if kind == "controls" else {})})

    def trigger(self, _query, body, doc, rule):
        if rule not in self.doc(doc)["rules"]:
            raise Refused(422, "", "The automation is not triggered by webhooks")
        if not isinstance(body, dict):
            raise Refused(400, "", "the payload must be an object")
        return self.queue(lambda: self.triggered.append((rule, body)))

    def doc_figures(self, query, _body):
        wanted = query.get("docIds")
        rows = [{"doc": {"id": d["id"], "type": "doc", "href": "", "browserLink": "", "title": d["name"], "createdAt": d["created"]},
                 "metrics": [{"date": "2026-11-22", "views": 9, "copies": 1, "likes": 2}]}
                for d in self.docs.values() if not wanted or d["id"] in wanted.split(",")]
        if query.get("direction") == "descending":
            rows.reverse()
        return self.page(rows, query)

    def page_figures(self, query, _body, doc):
        return self.page([{"page": {"id": p["id"], "name": p["name"]}, "metrics": [{"date": "2026-11-22", "views": 3}]}
                          for p in self.doc(doc)["pages"].values()], query)

    # ---- for tests ----

    def changes(self):
        return [f"{r.method} {r.path.removeprefix('/apis/v1/')}" for r in self.requests
                if r.method != "GET" and not r.path.endswith("/export")]
