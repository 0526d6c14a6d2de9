"""Purpose: Lambda and CloudWatch Logs to the letter of Amazon's own description (botocore's models): members, query parameters and
headers that it does not have are refused, so is what botocore's signer would have signed differently. Functions do what
moto leaves out: they are called (in this process: a few are known by name), fail, and write a log; their state passes
with each look; pages hold one thing."""

import base64
import datetime
import io
import json
import re
import stat
import urllib.parse
import zipfile

import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import known_secrets
from contract import Contract, Refused, as_json

KEY, SECRET, REGION, ACCOUNT = "AKIDCONTRACT", known_secrets.AWS, "eu-central-2", "123456789012"
MODELS = {name: botocore.session.get_session().get_service_model(name) for name in ("lambda", "logs")}
OPERATIONS = ("ListFunctions", "GetFunction", "CreateFunction", "UpdateFunctionCode", "DeleteFunction", "Invoke")


def check(value, shape, at):
    kinds = {"structure": dict, "map": dict, "list": list, "string": str, "blob": str, "integer": int, "long": int, "boolean": bool}
    if type(value) is not kinds[shape.type_name]:
        raise Refused(400, "SerializationException", f"{at} has the wrong type")
    if shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value and shape.members[name].serialization.get("location") is None:
                raise Refused(400, "ValidationException", f"{at}.{name} is required")
        for name, member in value.items():
            if name not in shape.members or shape.members[name].serialization.get("location"):
                raise Refused(400, "ValidationException", f"unknown member {at}.{name}")
            check(member, shape.members[name], f"{at}.{name}")
    elif shape.type_name == "map":
        for name, member in value.items():
            check(member, shape.value, f"{at}.{name}")
    elif shape.type_name == "list":
        for member in value:
            check(member, shape.member, at)
    elif "enum" in shape.metadata and value not in shape.metadata["enum"]:
        raise Refused(400, "ValidationException", f"{at} is none of its words: {value}")
    elif shape.type_name == "integer":
        if not shape.metadata.get("min", value) <= value <= shape.metadata.get("max", value):
            raise Refused(400, "ValidationException", f"{at} is out of its range")


def check_signature(request, endpoint, service, region=REGION):
    given = request.headers.get("Authorization", "")
    scope = re.match(rf"AWS4-HMAC-SHA256 Credential={KEY}/\d{{8}}/{region}/{service}/aws4_request, SignedHeaders=([^,]+), ", given)
    if not scope:
        raise Refused(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
    date = request.headers["X-Amz-Date"]
    query = urllib.parse.urlencode(request.query, quote_via=urllib.parse.quote)
    again = AWSRequest(method=request.method, url=endpoint + request.path + ("?" + query if query else ""), data=request.body,
                       headers={n: request.headers[n] for n in scope[1].split(";") if n != "host"})
    again.context["timestamp"] = date
    signer = botocore.auth.SigV4Auth(Credentials(KEY, SECRET), service, region)
    text = signer.string_to_sign(again, signer.canonical_request(again))
    if not given.endswith("Signature=" + signer.signature(text, again)):
        raise Refused(403, "InvalidSignatureException", "The request signature we calculated does not match")


class LambdaContract(Contract):
    def __init__(self):
        super().__init__()
        self.functions, self.logs, self.routes, self.last_body = {}, {}, [], None
        self.stuck = False  # what is made stays Pending
        for name in OPERATIONS:
            operation = MODELS["lambda"].operation_model(name)
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", operation.http["requestUri"].split("?")[0])
            self.routes.append((operation.http["method"], re.compile(pattern), operation))

    @property
    def environment(self):
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION, "AWS_ENDPOINT_URL_LAMBDA": self.endpoint,
                "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": self.endpoint}

    def refuse(self, e):
        return as_json(e.status, {"Type": "User", "message": e.message, "__type": e.code},
                       **{"x-amzn-RequestId": "req-lambda", "x-amzn-ErrorType": e.code})

    def handle(self, request):
        if request.path == "/":
            return self.handle_logs(request)
        check_signature(request, self.endpoint, "lambda")
        path = urllib.parse.unquote(request.path)
        for method, pattern, operation in self.routes:
            match = pattern.fullmatch(path)
            if match and method == request.method:
                break
        else:
            raise Refused(404, "UnknownOperationException", f"{request.method} {path}")
        shape, query = operation.input_shape, dict(request.query)
        known = {s.serialization["name"] for s in shape.members.values() if s.serialization.get("location") == "querystring"}
        if len(query) != len(request.query) or set(query) - known:
            raise Refused(400, "ValidationException", f"unknown in the query: {query}")
        headers = {s.serialization["name"].lower() for s in shape.members.values() if s.serialization.get("location") == "header"}
        signing = {"x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}
        strange = {n.lower() for n in request.headers if n.lower().startswith("x-amz-")} - headers - signing
        if strange:
            raise Refused(400, "ValidationException", f"unknown headers: {strange}")
        if operation.name == "Invoke":
            return self.invoke(match["FunctionName"], request, query)
        body = json.loads(request.body) if request.body else {}
        if request.method in ("POST", "PUT"):
            check(body, shape, "body")
            self.last_body = body
        return getattr(self, operation.name)(match.groupdict(), query, body)

    def find(self, name):
        name = name.rsplit(":", 1)[1] if name.startswith("arn:") else name
        if name not in self.functions:
            raise Refused(404, "ResourceNotFoundException", f"Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
        return self.functions[name]

    @staticmethod
    def unpack(code):
        if "S3Bucket" in code:
            return {"where": f"{code['S3Bucket']}/{code['S3Key']}"}, 1000
        data = base64.b64decode(code["ZipFile"], validate=True)
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            assert z.testzip() is None
            return {i.filename: (stat.filemode(i.external_attr >> 16), z.read(i)) for i in z.infolist()}, len(data)

    def ListFunctions(self, _where, query, _body):  # noqa: N802
        names, at = sorted(self.functions), int(query.get("Marker", "0"))
        shown = [{k: v for k, v in self.functions[n].items() if k[0] != "_" and not k.startswith("State")} for n in names[at:at + 1]]
        return as_json(200, {"Functions": shown, **({"NextMarker": str(at + 1)} if at + 1 < len(names) else {})})

    def GetFunction(self, where, _query, _body):  # noqa: N802
        one = self.find(where["FunctionName"])
        shown = {k: v for k, v in one.items() if k[0] != "_"}
        if one["State"] == "Pending" and not self.stuck:
            one.update({"State": "Failed", "StateReason": "the image is gone"} if "fail" in one["FunctionName"] else {"State": "Active"})
        return as_json(200, {"Configuration": shown, "Code": {"Location": "https://signed.invalid/?X-Amz-Signature=hush"},
                             "Tags": one["_tags"]})

    def CreateFunction(self, _where, _query, body):  # noqa: N802
        name = body["FunctionName"]
        if name in self.functions:
            raise Refused(409, "ResourceConflictException", f"Function already exist: {name}")
        if not re.fullmatch(rf"arn:aws:iam::{ACCOUNT}:role/\w+", body["Role"]):
            raise Refused(400, "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.")
        files, size = self.unpack(body["Code"])
        made = {k: v for k, v in body.items() if k not in ("Code", "Tags")}
        made.update(FunctionArn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}", State="Pending", StateReason="it is made", CodeSize=size,
                    LastModified="2026-11-23T10:00:00.123+0000", _files=files, _tags=body.get("Tags", {}),
                    LoggingConfig={"LogGroup": f"/aws/lambda/{name}", "LogFormat": "Text"})
        self.functions[name] = made
        return as_json(201, {k: v for k, v in made.items() if k[0] != "_"})

    def UpdateFunctionCode(self, where, _query, body):  # noqa: N802
        one = self.find(where["FunctionName"])
        one["_files"], one["CodeSize"] = self.unpack(body)
        return as_json(200, {k: v for k, v in one.items() if k[0] != "_"})

    def DeleteFunction(self, where, _query, _body):  # noqa: N802
        del self.functions[self.find(where["FunctionName"])["FunctionName"]]
        return 204, {}, ""

    def invoke(self, name, request, query):
        one = self.find(name)
        payload, kind = json.loads(request.body or b"null"), request.headers.get("X-Amz-Invocation-Type")
        if query.get("Qualifier", "$LATEST") not in ("$LATEST", "7"):
            raise Refused(404, "ResourceNotFoundException", f"Function not found: {name}:{query['Qualifier']}")
        log = self.logs.setdefault(one["LoggingConfig"]["LogGroup"], [])
        now = int(datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000)
        log += [(now, "START"), (now, f"given {json.dumps(payload)}\n"), (now, "END")]
        if kind == "Event":
            return 202, {"x-amzn-RequestId": "req-call"}, ""
        tail = base64.b64encode(b"\xbc\x9fSTART\ngiven it\nEND\n").decode() if request.headers.get("X-Amz-Log-Type") == "Tail" else None
        headers = {"Content-Type": "application/json", "X-Amz-Executed-Version": query.get("Qualifier", "$LATEST"), "x-amzn-RequestId": "req-call",
                   **({"X-Amz-Log-Result": tail} if tail else {})}
        if one.get("Handler") == "main.fail":
            answer = {"errorMessage": "division by zero", "errorType": "ZeroDivisionError", "stackTrace": []}
            return 200, {**headers, "X-Amz-Function-Error": "Unhandled"}, json.dumps(answer)
        if one.get("Handler") == "main.bytes":
            return 200, headers, b"\xff\x00\xfe"
        return 200, headers, json.dumps({"echo": payload})

    def handle_logs(self, request):
        check_signature(request, self.endpoint, "logs")
        if request.headers.get("Content-Type") != "application/x-amz-json-1.1":
            raise Refused(400, "SerializationException", "the content type")
        prefix, _, action = request.headers["X-Amz-Target"].partition(".")
        assert (prefix, action) == ("Logs_20140328", "FilterLogEvents")
        body = json.loads(request.body)
        check(body, MODELS["logs"].operation_model(action).input_shape, "body")
        if body["logGroupName"] not in self.logs:
            raise Refused(400, "ResourceNotFoundException", "The specified log group does not exist.")
        found = [e for e in self.logs[body["logGroupName"]] if e[0] >= body.get("startTime", 0)]
        at = int(body.get("nextToken", "t0")[1:])  # things and nothing, in turn
        events = [{"timestamp": t, "message": m, "logStreamName": "s", "eventId": str(at)} for t, m in found[at // 2:at // 2 + 1]] if at % 2 else []
        return as_json(200, {"events": events, **({"nextToken": f"t{at + 1}"} if at < 2 * len(found) else {})})
