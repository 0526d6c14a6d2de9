"""Purpose: the secrets that tests give to skydir, in one place, so that all that the suite printed and wrote can be looked through for
them (find_secrets.py, cli.py, test_secrets.py).

Each is a word that occurs nowhere else; names of options and of variables would be found everywhere. What a test makes up for itself it
looks for itself.
"""

import base64
import urllib.parse

S3 = "skydir/test+secret=key"  # versitygw, Ceph, moto
HOSTILE = "hostile/test+secret=key"
AWS = "contract/secret+key"  # contract servers of AWS
AZURE = "azure~secret"  # a service principal, at contract servers of Azure Resource Manager
AZURE_STORE = "client secret/1+"  # another, at azure_contract.py
AZURE_ACCOUNT = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # the emulators' own
AZURE_HOST = "host-key-hush=="
OPENSTACK = "openstack~secret-5e17"
KEYSTONE = "only-on-loopback"
INFOMANIAK = "app/secret+1"
CODA = "coda-secret-token-7f3a"
NEWSLETTER = "newsletter-secret-token-51c2"
OTLP = "otlp-c0llect0r-s3cret"

KNOWN = {name: value for name, value in list(globals().items()) if name.isupper() and isinstance(value, str)}


def forms(secret):
    """As it may be written: itself, encoded for an URL or in base64, and JSON's way of writing '/'."""
    return {secret.encode(), urllib.parse.quote(secret, safe="").encode(), secret.replace("/", "\\/").encode(),
            base64.b64encode(secret.encode()), base64.urlsafe_b64encode(secret.encode()).rstrip(b"=")}


NEEDLES = {form: name for name, value in KNOWN.items() for form in forms(value)}


def shown_in(data):
    """The names of those that stand in it, whatever the form."""
    return sorted({name for form, name in NEEDLES.items() if form in data})
