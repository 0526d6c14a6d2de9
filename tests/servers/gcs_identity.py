"""Purpose: the identity side of the GCS contract server: it plays Google's token endpoint, the security token service,
IAM credentials and the metadata server, and says which bearer tokens are good.

Every signature is verified with the public half of the key that the server gave out itself, by the cryptography package,
and those of requests to AWS by botocore; claims are checked as the services check them. Credentials files of every kind are written to a directory.
"""

import base64
import json
import os
import pathlib
import sys
import time
import urllib.parse
import uuid

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

EMAIL = "tests@skydir-test.iam.gserviceaccount.com"
TARGET = "acted-as@skydir-test.iam.gserviceaccount.com"
STORAGE_AUDIENCE = "https://storage.googleapis.com/"
GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"  # Google's own library names it whatever token_uri says
PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
STORAGE_SCOPES = ("https://www.googleapis.com/auth/devstorage.full_control",
                  "https://www.googleapis.com/auth/devstorage.read_write", PLATFORM)
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
AWS_TYPE = "urn:ietf:params:aws:token-type:aws4_request"
AWS_KEYS = {"AccessKeyId": "ASIASKYDIRTEST", "SecretAccessKey": "aws/secret+of=tests", "Token": "session+token/of=tests"}
AWS_REGION = "eu-central-2"
LIFE_S = 3600


class Refused(Exception):
    def __init__(self, error, description, status=400):
        super().__init__(description)
        self.status, self.answer = status, {"error": error, "error_description": description}


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Identity:
    def __init__(self, directory, base):
        self.directory, self.base = pathlib.Path(directory), base
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.key_id = uuid.uuid4().hex
        self.tokens = {}  # token -> (end, scopes, account)
        self.subject = "subject-" + uuid.uuid4().hex
        self.refresh = "refresh-" + uuid.uuid4().hex
        self.issued = []  # how each token was got, for tests
        self.takes_self_signed = True
        self.imds_token = "imds-" + uuid.uuid4().hex
        self.write_files()

    # ---- files ----

    def write_files(self):
        pem = self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()).decode()
        account = {"type": "service_account", "project_id": "skydir-test", "private_key_id": self.key_id,
                   "private_key": pem, "client_email": EMAIL, "client_id": "1", "token_uri": self.base + "/token"}
        user = {"type": "authorized_user", "client_id": "id.apps", "client_secret": "client-secret",
                "refresh_token": self.refresh, "quota_project_id": "skydir-test", "token_uri": self.base + "/token"}
        acting = f"{self.base}/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
        external = {"type": "external_account", "audience": POOL, "subject_token_type": JWT_TYPE,
                    "token_url": self.base + "/sts/v1/token"}
        subject = self.directory / "subject.txt"
        subject.write_text(self.subject + "\n")
        program = self.directory / "program.py"
        program.write_text(
            "import json, os, sys, time\n"
            f"assert os.environ['GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE'] == '{POOL}'\n"
            f"print(json.dumps(dict(version=1, success=True, token_type='{JWT_TYPE}', id_token='{self.subject}',\n"
            "    expiration_time=int(time.time()) + 600)))\n")
        files = {
            "service_account": account,
            "authorized_user": user,
            "external_file": {**external, "credential_source": {"file": str(subject)}},
            "external_url": {**external, "service_account_impersonation_url": acting, "credential_source": {
                "url": self.base + "/subject?format=json", "headers": {"X-Test": "yes"},
                "format": {"type": "json", "subject_token_field_name": "token"}}},
            "external_program": {**external, "credential_source": {
                "executable": {"command": f"{sys.executable} {program}", "timeout_millis": 10000}}},
            "external_aws": {**external, "subject_token_type": AWS_TYPE, "credential_source": {
                "environment_id": "aws1", "region_url": self.base + "/latest/meta-data/placement/availability-zone",
                "url": self.base + "/latest/meta-data/iam/security-credentials",
                "imdsv2_session_token_url": self.base + "/latest/api/token",
                "regional_cred_verification_url":
                    "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"}},
            "impersonated": {"type": "impersonated_service_account", "service_account_impersonation_url": acting,
                             "source_credentials": {k: v for k, v in user.items() if k != "quota_project_id"}},
            "impersonated_by_account": {"type": "impersonated_service_account",
                                        "service_account_impersonation_url": acting, "source_credentials": account},
        }
        for name, content in files.items():
            path = self.directory / f"{name}.json"
            path.write_text(json.dumps(content))
            os.chmod(path, 0o600)

    # ---- tokens ----

    def issue(self, how, scopes, account):
        token = "ya29." + uuid.uuid4().hex
        self.tokens[token] = (time.time() + LIFE_S, scopes, account)
        self.issued.append(how)
        return token

    def verify(self, data, signature):
        try:
            self.key.public_key().verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise Refused("invalid_grant", "Invalid JWT Signature.") from None

    def read_jwt(self, text, *audiences):
        try:
            head, claims, signature = text.split(".")
            header, body = json.loads(unbase64(head)), json.loads(unbase64(claims))
        except ValueError:
            raise Refused("invalid_grant", "Bad JWT") from None
        if header.get("alg") != "RS256" or header.get("kid") != self.key_id:
            raise Refused("invalid_grant", "Unknown key")
        self.verify(f"{head}.{claims}".encode(), unbase64(signature))
        if body.get("iss") != EMAIL or body.get("sub", EMAIL) != EMAIL or body.get("aud") not in audiences:
            raise Refused("invalid_grant", "Bad iss, sub or aud")
        if not body["iat"] - 60 <= time.time() < body["exp"] <= body["iat"] + 3600:
            raise Refused("invalid_grant", "Token must be a short-lived token (60 minutes) and in a reasonable timeframe")
        return body

    def check_bearer(self, header, scopes=STORAGE_SCOPES):
        """None when the token may do that; else what is wrong."""
        if not header or not header.startswith("Bearer "):
            return "Anonymous caller does not have storage.objects access."
        token = header[7:]
        if token in self.tokens:
            end, given, _ = self.tokens[token]
            if time.time() > end:
                return "Token expired"
            return None if any(s in given for s in scopes) else "Request had insufficient authentication scopes."
        if not self.takes_self_signed or scopes != STORAGE_SCOPES:
            return "Invalid Credentials"
        try:
            self.read_jwt(token, STORAGE_AUDIENCE)
        except Refused as e:
            return str(e)
        return None

    # ---- endpoints ----

    def token(self, form):
        grant = form.get("grant_type")
        if grant == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            claims = self.read_jwt(form.get("assertion", ""), self.base + "/token", GOOGLE_TOKEN_URL)
            if not claims.get("scope"):
                raise Refused("invalid_scope", "No scope")
            token = self.issue("assertion", claims["scope"].split(), EMAIL)
        elif grant == "refresh_token":
            if form.get("refresh_token") != self.refresh:
                raise Refused("invalid_grant", "Token has been expired or revoked.")
            if form.get("client_id") != "id.apps" or form.get("client_secret") != "client-secret":
                raise Refused("invalid_client", "Unauthorized", 401)
            token = self.issue("refresh", [PLATFORM], None)
        else:
            raise Refused("unsupported_grant_type", f"Invalid grant_type: {grant}")
        return {"access_token": token, "expires_in": LIFE_S, "token_type": "Bearer"}

    def exchange(self, form):
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange":
            raise Refused("unsupported_grant_type", "Bad grant_type")
        if form.get("audience") != POOL or form.get("subject_token_type") not in (JWT_TYPE, AWS_TYPE):
            raise Refused("invalid_target", "Bad audience or subject_token_type")
        if form.get("requested_token_type") != "urn:ietf:params:oauth:token-type:access_token":
            raise Refused("invalid_request", "Bad requested_token_type")
        if form["subject_token_type"] == AWS_TYPE:
            self.check_aws(form.get("subject_token", ""))
        elif form.get("subject_token") != self.subject:
            raise Refused("invalid_grant", "The subject token was refused.")
        how = "exchange" if form["subject_token_type"] == JWT_TYPE else "exchange of a request to AWS"
        return {"access_token": self.issue(how, form.get("scope", "").split(), None), "expires_in": LIFE_S,
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer"}

    def check_aws(self, text):
        """The request that the service would send to AWS: as botocore signs it, for this pool, and fresh."""
        def refuse(why):
            raise Refused("invalid_grant", f"Invalid AWS request: {why}")

        try:
            told = json.loads(urllib.parse.unquote(text, errors="strict"))
            pairs = [(h["key"].lower(), h["value"]) for h in told["headers"]]
        except (ValueError, KeyError, TypeError):
            refuse("no JSON with url, method and headers")
        headers = dict(pairs)
        if len(headers) != len(pairs) or set(told) != {"url", "method", "headers"} or told["method"] != "POST":
            refuse("its parts")
        if told["url"] != f"https://sts.{AWS_REGION}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15":
            refuse("its address")
        if headers.get("host") != f"sts.{AWS_REGION}.amazonaws.com" or headers.get("x-goog-cloud-target-resource") != POOL:
            refuse("host or target")
        if headers.get("x-amz-security-token") != AWS_KEYS["Token"]:
            refuse("session token")
        given = headers.pop("authorization", "")
        stamp = headers.get("x-amz-date", "")
        try:
            age_s = time.time() - (time.mktime(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) - time.timezone)
        except ValueError:
            refuse("x-amz-date")
        if abs(age_s) > 900:
            refuse("too old")
        keys = botocore.credentials.Credentials(AWS_KEYS["AccessKeyId"], AWS_KEYS["SecretAccessKey"])
        signer = botocore.auth.SigV4Auth(keys, "sts", AWS_REGION)
        request = botocore.awsrequest.AWSRequest("POST", told["url"], headers=headers, data=b"")
        request.context["timestamp"] = stamp
        names = signer.signed_headers(signer.headers_to_sign(request))
        signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        if given != (f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, Signature={signature}"):
            refuse("its signature")

    def instance(self, method, path, headers):
        """(status, text): of the metadata of an instance of AWS, which takes version 2 only."""
        if path == "/latest/api/token":
            is_good = method == "PUT" and headers.get("X-aws-ec2-metadata-token-ttl-seconds", "").isdigit()
            return (200, self.imds_token) if is_good else (400, "")
        if method != "GET" or headers.get("X-aws-ec2-metadata-token") != self.imds_token:
            return 401, ""
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + LIFE_S))
        keys = json.dumps({"Code": "Success", "Type": "AWS-HMAC", **AWS_KEYS, "Expiration": end})
        known = {"placement/availability-zone": AWS_REGION + "a", "iam/security-credentials": "a role",
                 "iam/security-credentials/a%20role": keys}
        below = path.removeprefix("/latest/meta-data/")
        return (200, known[below]) if below in known else (404, "")

    def act_as(self, email, body):
        if set(body) - {"scope", "delegates", "lifetime"} or not body.get("scope"):
            raise Refused("INVALID_ARGUMENT", "Bad request")
        token = self.issue("impersonation", body["scope"], email)
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + LIFE_S))
        return {"accessToken": token, "expireTime": end}

    def sign_blob(self, body):
        if set(body) - {"payload", "delegates"}:
            raise Refused("INVALID_ARGUMENT", "Bad request")
        signature = self.key.sign(base64.b64decode(body["payload"]), padding.PKCS1v15(), hashes.SHA256())
        return {"keyId": self.key_id, "signedBlob": base64.b64encode(signature).decode()}

    def metadata(self, path, query, headers):
        """(status, text): of the metadata server."""
        if headers.get("Metadata-Flavor") != "Google":
            return 403, "Missing Metadata-Flavor:Google header."
        if path == "instance/service-accounts/default/token":
            scopes = query.get("scopes", PLATFORM).split(",")
            return 200, json.dumps({"access_token": self.issue("metadata", scopes, TARGET), "expires_in": LIFE_S,
                                    "token_type": "Bearer"})
        known = {"instance/service-accounts/default/email": TARGET, "project/project-id": "skydir-test"}
        return (200, known[path]) if path in known else (404, "not found")

    # ---- signed URLs ----

    def check_signed(self, method, raw_path, raw_query, host):
        """What is wrong with a V4 signed URL, or None."""
        query = dict(urllib.parse.parse_qsl(raw_query))
        signed = "&".join(sorted(p for p in raw_query.split("&") if not p.startswith("X-Goog-Signature=")))
        try:
            email, day, _, service, kind = query["X-Goog-Credential"].split("/")
            begin = time.mktime(time.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ")) - time.timezone
            life = int(query["X-Goog-Expires"])
            signature = bytes.fromhex(query["X-Goog-Signature"])
        except (KeyError, ValueError):
            return "MalformedSecurityHeader"
        if query.get("X-Goog-Algorithm") != "GOOG4-RSA-SHA256" or (service, kind) != ("storage", "goog4_request"):
            return "MalformedSecurityHeader"
        if email not in (EMAIL, TARGET) or not query["X-Goog-Date"].startswith(day) or life > 604800:
            return "AccessDenied"
        if not begin - 900 <= time.time() <= begin + life:
            return "ExpiredToken"
        request = "\n".join([method, raw_path, signed, f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"])
        digest = hashes.Hash(hashes.SHA256())
        digest.update(request.encode())
        text = "\n".join(["GOOG4-RSA-SHA256", query["X-Goog-Date"], f"{day}/auto/storage/goog4_request",
                          digest.finalize().hex()])
        try:
            self.verify(text.encode(), signature)
        except Refused:
            return "SignatureDoesNotMatch"
        return None
