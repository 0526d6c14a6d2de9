"""Purpose: RDS to the letter of Amazon's own description (botocore's model): parameters that it does not have are refused, so is what
botocore's signer would have signed differently. States pass with each look; pages hold one thing and come empty between."""

import re
import urllib.parse
from xml.sax.saxutils import escape

import botocore.session

from contract import Contract, Refused
from lambda_contract import KEY, REGION, SECRET, check_signature

MODEL = botocore.session.get_session().get_service_model("rds")
STEPS = {"creating": "available", "starting": "available", "rebooting": "available", "stopping": "stopped"}
NEEDED = {"CreateDBInstance": {"AllocatedStorage", "MasterUsername"}}


def check_parameter(shape, path, name):
    wrong = Refused(400, "MalformedInput", f"Unexpected element {name}")
    if shape.type_name == "list":
        if len(path) < 2 or path[0] != shape.member.serialization.get("name", "member") or not re.fullmatch(r"[1-9]\d*", path[1]):
            raise wrong
        return check_parameter(shape.member, path[2:], name)
    if shape.type_name == "structure":
        if not path or path[0] not in shape.members:
            raise wrong
        return check_parameter(shape.members[path[0]], path[1:], name)
    if path:
        raise wrong
    return None


def xml(value, name="member"):
    if isinstance(value, dict):
        return "".join(f"<{k}>{xml(v, k)}</{k}>" for k, v in value.items() if v is not None and k[0] != "_")
    if isinstance(value, list):
        inner = {"DBInstances": "DBInstance", "DBSnapshots": "DBSnapshot", "TagList": "Tag"}[name]
        return "".join(f"<{inner}>{xml(v)}</{inner}>" for v in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))


class RdsContract(Contract):
    def __init__(self):
        super().__init__()
        self.instances, self.snapshots, self.forms = {}, {}, []

    @property
    def environment(self):
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION, "AWS_ENDPOINT_URL_RDS": self.endpoint}

    def refuse(self, e):
        return e.status, {"Content-Type": "text/xml"}, (
            f'<ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><Error><Type>Sender</Type><Code>{e.code}</Code>'
            f"<Message>{escape(e.message)}</Message></Error><RequestId>req-rds</RequestId></ErrorResponse>")

    def handle(self, request):
        check_signature(request, self.endpoint, "rds")
        pairs = urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)
        form = dict(pairs)
        assert request.method == "POST" and request.path == "/" and not request.query and len(form) == len(pairs)
        assert form.pop("Version") == MODEL.api_version
        action = form.pop("Action")
        shape = MODEL.operation_model(action).input_shape
        for name in form:
            check_parameter(shape, name.split("."), name)
        for name in (*shape.required_members, *NEEDED.get(action, ())):
            if name not in form:
                raise Refused(400, "MissingParameter", f"The request must contain the parameter {name}")
        self.forms.append((action, form))
        answer = getattr(self, action)(form)
        return 200, {"Content-Type": "text/xml"}, (
            f'<{action}Response xmlns="http://rds.amazonaws.com/doc/{MODEL.api_version}/"><{action}Result>{xml(answer)}</{action}Result>'
            f"<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>")

    def find(self, form):
        name = form["DBInstanceIdentifier"].lower()
        if name not in self.instances:
            raise Refused(404, "DBInstanceNotFound", f"DBInstance {name} not found.")
        return self.instances[name]

    @staticmethod
    def page(form, name, items):
        if not 20 <= int(form.get("MaxRecords", "100")) <= 100:
            raise Refused(400, "InvalidParameterValue", "Invalid value for MaxRecords")
        at = int(form.get("Marker", "m0")[1:])
        return {name: items[at // 2:at // 2 + 1] if at % 2 else [], **({"Marker": f"m{at + 1}"} if at < 2 * len(items) else {})}

    def DescribeDBInstances(self, form):  # noqa: N802
        if "DBInstanceIdentifier" not in form:
            return self.page(form, "DBInstances", list(self.instances.values()))
        one = self.find(form)
        shown = dict(one)
        if one["DBInstanceStatus"] == "deleting":
            del self.instances[one["DBInstanceIdentifier"]]
        elif "broken" in one["DBInstanceIdentifier"]:
            one["DBInstanceStatus"] = "failed"
        one["DBInstanceStatus"] = STEPS.get(one["DBInstanceStatus"], one["DBInstanceStatus"])
        return {"DBInstances": [shown]}

    def CreateDBInstance(self, form):  # noqa: N802
        name = form["DBInstanceIdentifier"].lower()
        if name in self.instances:
            raise Refused(400, "DBInstanceAlreadyExists", "DB instance already exists")
        if ("MasterUserPassword" in form) == (form.get("ManageMasterUserPassword") == "true"):
            raise Refused(400, "InvalidParameterCombination", "a password, or one that is managed")
        if form["DBInstanceClass"] == "db.huge":
            raise Refused(400, "InstanceQuotaExceeded", "Instance quota exceeded")
        tags = [{"Key": form[f"Tags.Tag.{n}.Key"], "Value": form[f"Tags.Tag.{n}.Value"]} for n in range(1, 9) if f"Tags.Tag.{n}.Key" in form]
        made = {k: form.get(k) for k in ("Engine", "EngineVersion", "DBInstanceClass", "AllocatedStorage", "MasterUsername", "MultiAZ",
                                         "PubliclyAccessible", "AvailabilityZone")}
        made.update(DBInstanceIdentifier=name, DBInstanceStatus="creating", InstanceCreateTime="2026-11-23T10:00:00.123Z", TagList=tags,
                    Endpoint={"Address": f"{name}.rds.invalid", "Port": 5432})
        self.instances[name] = made
        return {"DBInstance": made}

    def change(self, form, needs, state):
        one = self.find(form)
        if one["DBInstanceStatus"] != needs:
            raise Refused(400, "InvalidDBInstanceState", f"Instance {one['DBInstanceIdentifier']} is not in {needs} state.")
        one["DBInstanceStatus"] = state
        return {"DBInstance": one}

    def StartDBInstance(self, form):  # noqa: N802
        return self.change(form, "stopped", "starting")

    def StopDBInstance(self, form):  # noqa: N802
        return self.change(form, "available", "stopping")

    def RebootDBInstance(self, form):  # noqa: N802
        return self.change(form, "available", "rebooting")

    def DeleteDBInstance(self, form):  # noqa: N802
        one = self.find(form)
        if (form.get("SkipFinalSnapshot") == "true") == ("FinalDBSnapshotIdentifier" in form):
            raise Refused(400, "InvalidParameterCombination", "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
        if "FinalDBSnapshotIdentifier" in form:
            self.snap(form["FinalDBSnapshotIdentifier"], one)
        one["DBInstanceStatus"] = "deleting"
        return {"DBInstance": one}

    def snap(self, name, one):
        self.snapshots[name] = {"DBSnapshotIdentifier": name, "DBInstanceIdentifier": one["DBInstanceIdentifier"], "Status": "creating",
                                "Engine": one["Engine"], "AllocatedStorage": one["AllocatedStorage"], "SnapshotType": "manual",
                                "SnapshotCreateTime": "2026-11-23T11:00:00Z"}
        return self.snapshots[name]

    def CreateDBSnapshot(self, form):  # noqa: N802
        if form["DBSnapshotIdentifier"] in self.snapshots:
            raise Refused(400, "DBSnapshotAlreadyExists", "Cannot create the snapshot because one exists")
        return {"DBSnapshot": self.snap(form["DBSnapshotIdentifier"], self.find(form))}

    def DescribeDBSnapshots(self, form):  # noqa: N802
        if "DBSnapshotIdentifier" not in form:
            of = form.get("DBInstanceIdentifier")
            return self.page(form, "DBSnapshots", [s for s in self.snapshots.values() if of in (None, s["DBInstanceIdentifier"])])
        if form["DBSnapshotIdentifier"] not in self.snapshots:
            raise Refused(404, "DBSnapshotNotFound", f"DBSnapshot {form['DBSnapshotIdentifier']} not found.")
        one = self.snapshots[form["DBSnapshotIdentifier"]]
        shown = dict(one)
        one["Status"] = "available"
        return {"DBSnapshots": [shown]}

    def DeleteDBSnapshot(self, form):  # noqa: N802
        return {"DBSnapshot": self.snapshots.pop(self.DescribeDBSnapshots(form)["DBSnapshots"][0]["DBSnapshotIdentifier"])}
