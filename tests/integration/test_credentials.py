"""Bad credentials of each kind end a mount in one line that names the variable, option or file to mend, and show no secret.
Those of Google and Azure stand beside their servers: test_gcs.py, test_azure.py."""

import pytest

NONE = {"access-key-id": None, "secret-access-key": None}
SECRET = "wrong-secret-AAAA"

S3 = {
    "half a key": ({"secret-access-key": None}, {}, "", "secret-access-key"),
    "wrong secret": ({"secret-access-key": SECRET}, {}, "", "secret-access-key"),
    "wrong variable": (NONE, {"AWS_ACCESS_KEY_ID": "{key}", "AWS_SECRET_ACCESS_KEY": SECRET}, "", "AWS_SECRET_ACCESS_KEY"),
    "half the variables": (NONE, {"AWS_ACCESS_KEY_ID": "nobody"}, "", "AWS_SECRET_ACCESS_KEY"),
    "no such profile": ({**NONE, "profile": "missing"}, {}, "", "missing"),
    "wrong profile": ({**NONE, "profile": "p"}, {}, f"[p]\naws_access_key_id = KEY\naws_secret_access_key = {SECRET}\n", ".aws/credentials"),
    "half a profile": ({**NONE, "profile": "p"}, {}, "[p]\naws_access_key_id = nobody\n", "aws_secret_access_key"),
    "a role of nobody": ({**NONE, "profile": "p"}, {}, "[p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = gone\n", "gone"),
    "a role without a region's STS": ({**NONE, "profile": "p"}, {"AWS_ENDPOINT_URL_STS": "{nobody}"},
                                      f"[p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = q\n[q]\naws_access_key_id = i\n"
                                      f"aws_secret_access_key = {SECRET}\n", "arn:aws:iam::1:role/r"),
    "a program that fails": ({**NONE, "profile": "p"}, {}, "[p]\ncredential_process = /bin/false\n", "credential_process"),
    "a program that is not there": ({**NONE, "profile": "p"}, {}, "[p]\ncredential_process = /nonexistent\n", "/nonexistent"),
    "a program that prints no keys": ({**NONE, "profile": "p"}, {}, "[p]\ncredential_process = /bin/echo {}\n", "/bin/echo"),
    "nobody signed in": ({**NONE, "profile": "p"}, {}, "[p]\nsso_start_url = https://a.example/start\nsso_region = us-east-1\n"
                         "sso_account_id = 1\nsso_role_name = r\n", "aws sso login"),
    "a container without keys": ({**NONE, "use-metadata-service": "yes"}, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{nobody}/keys"}, "",
                                 "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    "an instance without metadata": ({**NONE, "use-metadata-service": "yes"}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "{nobody}"}, "",
                                     "AWS_ACCESS_KEY_ID"),
    "token file": (NONE, {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"}, "", "/nonexistent"),
    "none at all": (NONE, {}, "", "AWS_ACCESS_KEY_ID"),
}
UNSET = {"application-credential-id": None, "application-credential-secret": None, "auth-url": None, "region": None}
SWIFT = {
    "wrong secret": ({"application-credential-secret": SECRET}, {}, "", "application-credential-secret"),
    "no secret": ({"application-credential-secret": None}, {}, "", "application-credential-secret"),
    "no address": ({"auth-url": None}, {}, "", "auth-url"),
    "none at all": (UNSET, {}, "", "OS_CLOUD"),
    "no such cloud": ({**UNSET, "cloud": "missing"}, {}, "clouds:\n  other: {}\n", "missing"),
    "broken file": ({**UNSET, "cloud": "c"}, {}, "clouds: [unclosed\n", "clouds.yaml"),
    "wrong variables": (UNSET, {"OS_AUTH_URL": "{auth}", "OS_USERNAME": "nobody", "OS_PASSWORD": SECRET, "OS_PROJECT_NAME": "p",
                                "OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default"}, "", "OS_"),
    "half the variables": (UNSET, {"OS_AUTH_URL": "{auth}", "OS_USERNAME": "nobody"}, "", "OS_PASSWORD"),
    "wrong token": (UNSET, {"OS_AUTH_URL": "{auth}", "OS_AUTH_TYPE": "token", "OS_TOKEN": SECRET, "OS_PROJECT_NAME": "p",
                            "OS_PROJECT_DOMAIN_NAME": "Default"}, "", "OS_TOKEN"),
    "wrong password of a cloud": ({**UNSET, "cloud": "c"}, {}, "clouds: {c: {auth: {auth_url: \"{auth}\", username: nobody, password: "
                                  + SECRET + ", project_name: p, user_domain_name: Default, project_domain_name: Default}}}\n", "'c'"),
    "no such region": ({"region": "Nowhere"}, {}, "", "Nowhere"),
    "nobody there": ({"auth-url": "{nobody}/identity/v3"}, {}, "", "auth-url"),
}
INFOMANIAK = {
    "none at all": ({}, {}, "", "INFOMANIAK_APP_CREDENTIAL_ID"),
    "half the variables": ({}, {"INFOMANIAK_APP_CREDENTIAL_ID": "i"}, "", "INFOMANIAK_APP_CREDENTIAL_SECRET"),
    "wrong S3 keys": ({"face": "s3", "endpoint": "{swift}"}, {"INFOMANIAK_S3_ACCESS_KEY": "nobody", "INFOMANIAK_S3_SECRET_KEY": SECRET,
                                                              "INFOMANIAK_S3_REGION": "RegionOne"}, "", "INFOMANIAK_S3_SECRET_KEY"),
    "half an S3 key": ({"face": "s3"}, {"INFOMANIAK_S3_ACCESS_KEY": "i"}, "", "INFOMANIAK_S3_SECRET_KEY"),
    "wrong variables": ({}, {"INFOMANIAK_APP_CREDENTIAL_ID": "i", "INFOMANIAK_APP_CREDENTIAL_SECRET": SECRET,
                             "INFOMANIAK_AUTH_URL": "{auth}"}, "", "INFOMANIAK_APP_CREDENTIAL_ID"),
}


NOBODY = "http://127.0.0.1:1"  # nothing listens there


def filled(values, **words):
    """The same with {auth} and the like replaced."""

    def fill(text):
        for word, value in words.items():
            text = text.replace("{" + word + "}", value) if text else text
        return text

    return {k: fill(v) for k, v in values.items()} if isinstance(values, dict) else fill(values)


def check(m, env, text, named):
    if text:
        aws = m.dir / "home" / ".aws"
        aws.mkdir()
        (aws / "credentials").write_text(text)
        (m.dir / "conf" / "openstack").mkdir()
        (m.dir / "conf" / "openstack" / "clouds.yaml").write_text(text)
    m.write_config()
    done = m.mount(env=env, check=False)
    lines = done.stderr.strip().splitlines()
    # 1: what it found is broken; 5: who should give them does not answer.
    assert done.returncode in (1, 2, 4, 5) and len(lines) == 1, (done.returncode, done.stderr)
    assert named in lines[0] and SECRET not in lines[0], lines[0]


@pytest.mark.parametrize("what", S3)
def test_s3(make_mount, versitygw, what):
    config, env, text, named = S3[what]
    env = filled(env, key=versitygw.key, nobody=NOBODY)
    text = text.replace("= KEY", f"= {versitygw.key}")
    check(make_mount("s3", server=versitygw, proxy=None, source="/s3/{bucket}", store_config=config), env, text, named)


@pytest.mark.parametrize("what", SWIFT)
def test_swift(make_mount, swift, what):
    config, env, text, named = SWIFT[what]
    words = {"auth": swift.settings["auth_url"], "nobody": NOBODY}
    m = make_mount("swift", server=swift, proxy=None, source="/swift/{bucket}", store_config={**filled(config, **words), "storage-url": None})
    check(m, filled(env, **words), filled(text, **words), named)


@pytest.mark.parametrize("what", INFOMANIAK)
def test_infomaniak(make_mount, swift, what):
    config, env, text, named = INFOMANIAK[what]
    words = {"auth": swift.settings["auth_url"], "swift": swift.endpoint}
    m = make_mount("swift", server=swift, proxy=None, source="/swift/{bucket}",
                   store_config={**UNSET, "storage-url": None, "rate-limit": None, "type": "infomaniak", **filled(config, **words)})
    check(m, filled(env, **words), text, named)
