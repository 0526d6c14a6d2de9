"""Purpose: Cloud SQL to the letter of Google's discovery document (sqladmin.v1): paths, query parameters and fields that it does not
have are refused, as in gce_contract.py. Each look at an operation is one step of it; what it does is done at its end."""

import itertools

from contract import Refused
from gce_contract import PROJECT, GceContract


class SqlContract(GceContract):
    document, prefix, audience = "sqladmin.v1", "/", "https://sqladmin.googleapis.com/"
    resources = ("instances", "operations", "backupRuns")

    def __init__(self):
        super().__init__()
        self.databases, self.backups, self.last_body, self.last_query = {}, [], None, None
        self.backup_numbers = itertools.count(1700000000001)

    def begin(self, zone, then=None, error=None):
        made = super().begin(zone, then, error)
        self.operations[made["name"]][0].update(kind="sql#operation")
        return made

    def look(self, name):
        answer = super().look(name)
        if "error" in answer:
            answer["error"] = {"kind": "sql#operationErrors", **answer["error"]}
        return answer

    def operations_get(self, where, _query, _body):
        return self.look(where["operation"])

    def database(self, where):
        if where["instance"] not in self.databases:
            raise Refused(404, "instanceDoesNotExist", f"The Cloud SQL instance does not exist: {where['instance']}")
        return self.databases[where["instance"]]

    def instances_list(self, _where, query, _body):
        return self.page(query, list(self.databases.values()))

    def instances_get(self, where, _query, _body):
        return self.database(where)

    def instances_insert(self, _where, _query, body):
        if body["name"] in self.databases:
            raise Refused(409, "instanceAlreadyExists", "The Cloud SQL instance already exists.")
        versions = self.schemas["DatabaseInstance"]["properties"]["databaseVersion"]["enum"]
        if body["databaseVersion"] not in versions or not body.get("rootPassword"):
            raise Refused(400, "invalidRequest", "Invalid request: Incorrect value for databaseVersion")
        self.last_body = body
        made = {k: v for k, v in body.items() if k != "rootPassword"}
        made.update(kind="sql#instance", state="PENDING_CREATE", createTime="2026-11-23T10:00:00.123Z", gceZone="europe-west6-a",
                    ipAddresses=[{"type": "OUTGOING", "ipAddress": "192.0.2.9"}, {"type": "PRIVATE", "ipAddress": "10.0.0.3"}])
        if body["settings"]["tier"] == "db-broken":
            return self.begin(None, error=("INTERNAL_ERROR", "the instance could not be made"))
        self.databases[body["name"]] = made
        return self.begin(None, lambda: made.update(state="RUNNABLE"))

    def instances_patch(self, where, _query, body):
        one = self.database(where)
        assert set(body) == {"settings"} and set(body["settings"]) == {"activationPolicy"}
        return self.begin(None, lambda: one["settings"].update(body["settings"]))

    def instances_restart(self, where, _query, _body):
        one = self.database(where)
        return self.begin(None, lambda: one.update(_restarts=one.get("_restarts", 0) + 1))

    def instances_delete(self, where, query, _body):
        self.database(where)
        self.last_query = query
        return self.begin(None, lambda: self.databases.pop(where["instance"]))

    def backupRuns_list(self, where, query, _body):  # noqa: N802
        return self.page(query, [b for b in self.backups if where["instance"] in ("-", b["instance"])])

    def backup(self, where):
        for one in self.backups:
            if (one["instance"], one["id"]) == (where["instance"], where["id"]):
                return one
        raise Refused(404, "backupRunDoesNotExist", "The backup run does not exist.")

    def backupRuns_get(self, where, _query, _body):  # noqa: N802
        return self.backup(where)

    def backupRuns_insert(self, where, _query, body):  # noqa: N802
        self.database(where)
        one = {"kind": "sql#backupRun", "id": str(next(self.backup_numbers)), "instance": where["instance"], "status": "ENQUEUED",
               "type": "ON_DEMAND", "description": body["description"], "enqueuedTime": "2026-11-23T11:00:00Z",
               "databaseVersion": "POSTGRES_16", "selfLink": f"projects/{PROJECT}"}
        self.backups.append(one)
        made = self.begin(None, lambda: one.update(status="SUCCESSFUL"))
        self.operations[made["name"]][0].update(backupContext={"backupId": one["id"]})
        return {**made, "backupContext": {"backupId": one["id"]}}

    def backupRuns_delete(self, where, _query, _body):  # noqa: N802
        one = self.backup(where)
        return self.begin(None, lambda: self.backups.remove(one))
