"""Purpose: an EC2 to the letter: parameters that Amazon's own description (botocore's model) does not have are refused, and
so is what botocore's signer would have signed differently.

Pages hold one thing each, and the first page of every list is empty; states pass slowly (each look is one step). What
moto does not show: pending states, short pages, ClientToken, lost answers.
"""

import base64
import copy
import datetime
import re
import urllib.parse
from xml.sax.saxutils import escape

import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import known_secrets
from contract import Contract, Refused

KEY, SECRET, REGION = "AKIDCONTRACT", known_secrets.AWS, "eu-central-2"
MODEL = botocore.session.get_session().get_service_model("ec2")
STEPS = {"pending": "running", "stopping": "stopped", "shutting-down": "terminated"}


def wire_name(name, shape):
    given = shape.serialization
    if given.get("queryName"):
        return given["queryName"]
    return (given["name"][0].upper() + given["name"][1:]) if given.get("name") else name


def check_parameter(shape, path, name):
    """Whether the dotted path fits the shape."""
    if shape.type_name == "list":
        if not path or not re.fullmatch(r"[1-9]\d*", path[0]):
            raise Refused(400, "UnknownParameter", f"The parameter {name} is not recognized")
        return check_parameter(shape.member, path[1:], name)
    if shape.type_name == "structure":
        members = {wire_name(n, s): s for n, s in shape.members.items()}
        if not path or path[0] not in members:
            raise Refused(400, "UnknownParameter", f"The parameter {name} is not recognized")
        return check_parameter(members[path[0]], path[1:], name)
    if path:
        raise Refused(400, "UnknownParameter", f"The parameter {name} is not recognized")
    return None


def check_signature(request, endpoint):
    given = request.headers.get("Authorization", "")
    scope = re.match(rf"AWS4-HMAC-SHA256 Credential={KEY}/\d{{8}}/{REGION}/ec2/aws4_request, SignedHeaders=([^,]+), ", given)
    if not scope:
        raise Refused(401, "AuthFailure", "AWS was not able to validate the provided access credentials")
    date = request.headers["X-Amz-Date"]
    again = AWSRequest(method=request.method, url=endpoint + request.path, data=request.body,
                       headers={n: request.headers[n] for n in scope[1].split(";") if n != "host"})
    again.context["timestamp"] = date
    signer = botocore.auth.SigV4Auth(Credentials(KEY, SECRET), "ec2", REGION)
    text = signer.string_to_sign(again, signer.canonical_request(again))
    if not given.endswith("Signature=" + signer.signature(text, again)):
        raise Refused(403, "SignatureDoesNotMatch", "The request signature does not match")
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.strptime(date + "+0000", "%Y%m%dT%H%M%SZ%z")
    if abs(age.total_seconds()) > 900:
        raise Refused(400, "RequestExpired", "Request has expired")


def xml(value):
    if isinstance(value, dict):
        return "".join(f"<{k}>{xml(v)}</{k}>" for k, v in value.items() if v is not None)
    if isinstance(value, (list, tuple)):
        return "".join(f"<item>{xml(v)}</item>" for v in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))


class Ec2Contract(Contract):
    def __init__(self):
        super().__init__()
        self.instances, self.tokens = {}, {}
        self.keys = {}
        self.images = [{"imageId": f"ami-{n:08x}", "name": name, "imageState": "available", "imageOwnerId": "1234567890",
                        "architecture": "arm64", "rootDeviceName": "/dev/xvda", "creationDate": "2026-01-02T03:04:05.000Z",
                        "blockDeviceMapping": [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": 8}}]}
                       for n, name in enumerate(("debian-12", "debian-13", "twin", "twin"))]
        self.types = [{"instanceType": t, "vCpuInfo": {"defaultVCpus": 2}, "memoryInfo": {"sizeInMiB": 1024},
                       "processorInfo": {"supportedArchitectures": ["i386", "x86_64"]}} for t in ("t9.nano", "t9.big")]
        self.subnets = [{"subnetId": "subnet-01", "vpcId": "vpc-07", "availabilityZone": REGION + "a",
                         "tagSet": [{"key": "Name", "value": "front"}]}]
        self.groups = [{"groupId": "sg-09", "groupName": "web", "vpcId": "vpc-07"}]

    # ---- the frame ----

    def refuse(self, e):
        return e.status, {"Content-Type": "text/xml", "x-amzn-RequestId": "req-of-ec2"}, (
            f'<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>{e.code}</Code><Message>{escape(e.message)}'
            "</Message></Error></Errors><RequestID>req-of-ec2</RequestID></Response>")

    def handle(self, request):
        check_signature(request, self.endpoint)
        if request.method != "POST" or request.path != "/" or request.query:
            raise Refused(400, "MalformedRequest", "POST / with a form")
        pairs = urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)
        form = dict(pairs)
        if len(form) != len(pairs) or form.pop("Version", "") != MODEL.api_version:
            raise Refused(400, "InvalidParameterCombination", "a parameter twice, or a wrong version")
        action = form.pop("Action")
        shape = MODEL.operation_model(action).input_shape
        for name in form:
            check_parameter(shape, name.split("."), name)
        for name in shape.required_members:
            wire = wire_name(name, shape.members[name])
            if not any(n == wire or n.startswith(wire + ".") for n in form):
                raise Refused(400, "MissingParameter", f"The request must contain the parameter {wire}")
        answer = getattr(self, action)(form)
        return 200, {"Content-Type": "text/xml;charset=UTF-8"}, (
            f'<?xml version="1.0" encoding="UTF-8"?><{action}Response xmlns="http://ec2.amazonaws.com/doc/{MODEL.api_version}/">'
            f"<requestId>r</requestId>{xml(answer)}</{action}Response>")

    def page(self, form, name, items, least=5):
        """An empty first page, then one thing a page."""
        size = form.get("MaxResults")
        if size is None:
            return {name: items}
        if not least <= int(size) <= 1000:
            raise Refused(400, "InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid")
        at = int(form.get("NextToken", "page-0").split("-")[1])
        following = f"page-{at + 1}" if at < len(items) else ""
        return {name: items[at - 1:at] if at else [], "nextToken": following}

    @staticmethod
    def filters(form):
        found = {}
        for name, value in form.items():
            match = re.fullmatch(r"Filter\.(\d+)\.Value\.\d+", name)
            if match:
                found.setdefault(form[f"Filter.{match[1]}.Name"], []).append(value)
        return found

    # ---- actions ----

    def DescribeInstances(self, form):  # noqa: N802 (the API's name)
        chosen = list(self.instances.values())
        if "InstanceId.1" in form:
            if form["InstanceId.1"] not in self.instances:
                raise Refused(400, "InvalidInstanceID.NotFound", f"The instance ID '{form['InstanceId.1']}' does not exist")
            chosen = [self.instances[form["InstanceId.1"]]]
        for name, values in self.filters(form).items():
            key = {"tag:Name": lambda i: i["tagSet"][0]["value"], "instance-state-name": lambda i: i["instanceState"]["name"]}
            chosen = [i for i in chosen if key[name](i) in values]
        answer = copy.deepcopy(self.page(form, "reservationSet", [{"instancesSet": [i]} for i in chosen]))
        for i in chosen:
            i["instanceState"] = {"name": STEPS.get(i["instanceState"]["name"], i["instanceState"]["name"])}
        return answer

    def RunInstances(self, form):  # noqa: N802
        token = form.get("ClientToken")
        if token and token in self.tokens:
            return {"instancesSet": [self.tokens[token]]}
        if form["InstanceType"] not in [t["instanceType"] for t in self.types]:
            raise Refused(400, "InvalidParameterValue", f"Invalid value '{form['InstanceType']}' for InstanceType.")
        if form["InstanceType"] == "t9.big":
            raise Refused(400, "VcpuLimitExceeded", "You have requested more vCPU capacity than your current limit")
        tags = []
        while f"TagSpecification.1.Tag.{len(tags) + 1}.Key" in form:
            n = len(tags) + 1
            tags.append({"key": form[f"TagSpecification.1.Tag.{n}.Key"], "value": form[f"TagSpecification.1.Tag.{n}.Value"]})
        made = {"instanceId": f"i-{len(self.instances):017x}", "imageId": form["ImageId"], "instanceState": {"name": "pending"},
                "instanceType": form["InstanceType"], "keyName": form.get("KeyName"), "launchTime": "2026-11-23T10:00:00.000Z",
                "placement": {"availabilityZone": form.get("Placement.AvailabilityZone", REGION + "b")},
                "privateIpAddress": "10.0.0.9", "ipAddress": "192.0.2.9", "tagSet": tags}
        self.instances[made["instanceId"]] = made
        self.last_form = form
        if token:
            self.tokens[token] = made
        return {"instancesSet": [made]}

    def change(self, form, allowed, state):
        one = self.instances.get(form["InstanceId.1"])
        if not one:
            raise Refused(400, "InvalidInstanceID.NotFound", f"The instance ID '{form['InstanceId.1']}' does not exist")
        if one["instanceState"]["name"] not in allowed:
            raise Refused(400, "IncorrectInstanceState", "The instance is not in a state from which it can do that")
        if state:
            one["instanceState"] = {"name": state}
        return {"instancesSet": [{"instanceId": one["instanceId"]}]}

    def StartInstances(self, form):  # noqa: N802
        return self.change(form, ("stopped", "running", "pending"), "pending")

    def StopInstances(self, form):  # noqa: N802
        return self.change(form, ("running", "stopping", "stopped"), "stopping")

    def RebootInstances(self, form):  # noqa: N802
        return {"return": bool(self.change(form, ("running",), None))}

    def TerminateInstances(self, form):  # noqa: N802
        return self.change(form, ("pending", "running", "stopping", "stopped", "shutting-down", "terminated"), "shutting-down")

    def GetConsoleOutput(self, form):  # noqa: N802
        self.change({"InstanceId.1": form["InstanceId"]}, ("running", "stopped", "pending"), None)
        return {"instanceId": form["InstanceId"], "output": base64.b64encode(b"one\ntwo\nthree\n").decode()}

    def DescribeImages(self, form):  # noqa: N802
        chosen = [i for i in self.images if form.get("ImageId.1") in (None, i["imageId"])]
        for name, values in self.filters(form).items():
            assert name == "name"
            pattern = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in values[0])
            chosen = [i for i in chosen if re.fullmatch(pattern, i["name"])]
        if "ImageId.1" in form and not chosen:
            raise Refused(400, "InvalidAMIID.NotFound", f"The image id '[{form['ImageId.1']}]' does not exist")
        return self.page(form, "imagesSet", chosen, least=1)

    def DescribeInstanceTypes(self, form):  # noqa: N802
        return self.page(form, "instanceTypeSet", self.types)

    def DescribeInstanceTypeOfferings(self, form):  # noqa: N802
        assert form["LocationType"] == "availability-zone" and self.filters(form) == {"location": [REGION + "a"]}
        return self.page(form, "instanceTypeOfferingSet", [{"instanceType": "t9.big", "location": REGION + "a"}])

    def DescribeSubnets(self, form):  # noqa: N802
        chosen = [s for s in self.subnets if form.get("SubnetId.1") in (None, s["subnetId"])]
        for name, values in self.filters(form).items():
            chosen = [s for s in chosen if {"vpc-id": s["vpcId"], "tag:Name": s["tagSet"][0]["value"],
                                            "availability-zone": s["availabilityZone"]}[name] in values]
        return {"subnetSet": chosen}

    def DescribeSecurityGroups(self, form):  # noqa: N802
        chosen = self.groups
        for name, values in self.filters(form).items():
            chosen = [g for g in chosen if g[{"group-name": "groupName", "vpc-id": "vpcId"}[name]] in values]
        return {"securityGroupInfo": chosen}

    def DescribeKeyPairs(self, form):  # noqa: N802
        if "KeyName.1" in form and form["KeyName.1"] not in self.keys:
            raise Refused(400, "InvalidKeyPair.NotFound", f"The key pair '{form['KeyName.1']}' does not exist")
        return {"keySet": [k for n, k in self.keys.items() if form.get("KeyName.1") in (None, n)]}

    def ImportKeyPair(self, form):  # noqa: N802
        if form["KeyName"] in self.keys:
            raise Refused(400, "InvalidKeyPair.Duplicate", f"The keypair '{form['KeyName']}' already exists")
        key = base64.b64decode(form["PublicKeyMaterial"], validate=True).decode()
        self.keys[form["KeyName"]] = {"keyName": form["KeyName"], "keyPairId": "key-01", "keyType": key.split("-")[1][:7],
                                      "keyFingerprint": "aa:bb", "publicKey": key}
        return {k: v for k, v in self.keys[form["KeyName"]].items() if k != "publicKey"}

    def DeleteKeyPair(self, form):  # noqa: N802
        self.keys.pop(form["KeyName"], None)
        return {"return": True}

    def DescribeAvailabilityZones(self, _form):  # noqa: N802
        return {"availabilityZoneInfo": [{"zoneName": REGION + z, "regionName": REGION, "zoneState": "available"} for z in "ab"]}

