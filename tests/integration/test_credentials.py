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
}
INFOMANIAK = {
    "none at all": ({}, {}, "", "INFOMANIAK_APP_CREDENTIAL_ID"),
    "half the variables": ({}, {"INFOMANIAK_APP_CREDENTIAL_ID": "i"}, "", "INFOMANIAK_APP_CREDENTIAL_SECRET"),
    "half an S3 key": ({"face": "s3"}, {"INFOMANIAK_S3_ACCESS_KEY": "i"}, "", "INFOMANIAK_S3_SECRET_KEY"),
    "wrong variables": ({}, {"INFOMANIAK_APP_CREDENTIAL_ID": "i", "INFOMANIAK_APP_CREDENTIAL_SECRET": SECRET,
                             "INFOMANIAK_AUTH_URL": "{auth}"}, "", "INFOMANIAK_APP_CREDENTIAL_ID"),
}


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
    assert done.returncode in (2, 4) and len(lines) == 1, (done.returncode, done.stderr)
    assert named in lines[0] and SECRET not in lines[0], lines[0]


@pytest.mark.parametrize("what", S3)
def test_s3(make_mount, versitygw, what):
    config, env, text, named = S3[what]
    env = {k: v.replace("{key}", versitygw.key) for k, v in env.items()}
    text = text.replace("KEY", versitygw.key)
    check(make_mount("s3", server=versitygw, proxy=None, source="/s3/{bucket}", store_config=config), env, text, named)


@pytest.mark.parametrize("what", SWIFT)
def test_swift(make_mount, swift, what):
    config, env, text, named = SWIFT[what]
    env = {k: v.replace("{auth}", swift.settings["auth_url"]) for k, v in env.items()}
    check(make_mount("swift", server=swift, proxy=None, source="/swift/{bucket}", store_config=config), env, text, named)


@pytest.mark.parametrize("what", INFOMANIAK)
def test_infomaniak(make_mount, swift, what):
    config, env, text, named = INFOMANIAK[what]
    env = {k: v.replace("{auth}", swift.settings["auth_url"]) for k, v in env.items()}
    m = make_mount("swift", server=swift, proxy=None, source="/swift/{bucket}",
                   store_config={**UNSET, "storage-url": None, "rate-limit": None, "type": "infomaniak", **config})
    check(m, env, text, named)
