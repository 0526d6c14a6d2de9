"""Purpose: real Keystone and Swift (with its S3 face) on 127.0.0.1, each one process, with SQLite and no broker or memcached.

    openstack.py DIR SWIFT_PORT [CACHE]     serves until it is ended; runs on the Python that scripts/lib-setup.sh makes for it

DIR gets configuration, data and logs, and settings.json when both answer: what a client needs ({"auth_url", "region",
"project_id", "credential": {"id", "secret"}, "password": {...}, "ec2": {"access", "secret"}, "storage_url"}). The storage
nodes keep 64 KiB of extended attributes at each file: where DIR's file system holds less, they go to /dev/shm.
The finished identity database is kept in CACHE, by all that it is made of, and put back by the next start; only the
addresses in its catalogue are set anew. Nothing outlives this process: the kernel ends Keystone when it dies.
"""

import atexit
import base64
import ctypes
import hashlib
import importlib.metadata
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HOST = "127.0.0.1"
PASSWORD = "only-on-loopback"
REGION = "RegionOne"
XATTR_BYTES = 60000
START_S = 120

KEYSTONE_CONF = """
[DEFAULT]
log_file = {dir}/keystone.log
public_endpoint = http://{host}:{keystone}
max_token_size = 255
[database]
connection = sqlite:///{dir}/keystone.db
sqlite_synchronous = false
[token]
provider = fernet
expiration = 14400
[fernet_tokens]
key_repository = {dir}/keys
[fernet_receipts]
key_repository = {dir}/keys
[credential]
key_repository = {dir}/keys
[identity]
password_hash_rounds = 4
[cache]
enabled = true
# oslo_cache.dict hands out the objects it holds; what is changed in one is changed in all.
backend = dogpile.cache.memory_pickle
"""

SWIFT_CONF = """
[swift-hash]
swift_hash_path_prefix = test
swift_hash_path_suffix = test
"""

NODE_CONF = """
[DEFAULT]
bind_ip = {host}
bind_port = {port}
swift_dir = {dir}
devices = {data}
mount_check = false
disable_fallocate = true
workers = 0
log_level = WARNING
[pipeline:main]
pipeline = {node}-server
[app:{node}-server]
use = egg:swift#{node}
"""

# s3api must stand behind authtoken, or each S3 request is refused.
PROXY_CONF = """
[DEFAULT]
bind_ip = {host}
bind_port = {port}
swift_dir = {dir}
workers = 0
log_level = WARNING
expose_info = true
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk tempurl authtoken s3api s3token keystoneauth copy container_quotas account_quotas slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:cache]
paste.filter_factory = local_cache:filter_factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = http://{host}:{keystone}/v3
auth_url = http://{host}:{keystone}/v3
auth_type = password
username = service
password = {password}
project_name = service
user_domain_id = default
project_domain_id = default
delay_auth_decision = true
cache = swift.cache
token_cache_time = 5
service_token_roles_required = true
service_type = object-store
[filter:s3token]
use = egg:swift#s3token
auth_uri = http://{host}:{keystone}/v3
reseller_prefix = AUTH_
auth_type = password
auth_url = http://{host}:{keystone}/v3
username = service
password = {password}
project_name = service
user_domain_id = default
project_domain_id = default
secret_cache_duration = 60
[filter:s3api]
use = egg:swift#s3api
location = {region}
dns_compliant_bucket_names = true
s3_acl = false
min_segment_size = 5242880
[filter:keystoneauth]
use = egg:swift#keystoneauth
reseller_prefix = AUTH
operator_roles = admin, member
reseller_admin_role = ResellerAdmin
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
"""
PLAIN_FILTERS = ("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "tempurl", "copy",
                 "container_quotas", "account_quotas", "slo", "dlo", "symlink")


# ---- ports and places ----

def free_port():
    """Below those that outgoing connections take, which would be in the way of a server that starts later."""
    for _ in range(1000):
        port = random.randint(20000, 31999)
        with socket.socket() as s:
            try:
                s.bind((HOST, port))
                return port
            except OSError:
                continue
    raise SystemExit("no free port")


def holds_attributes(directory):
    with tempfile.NamedTemporaryFile(dir=directory) as probe:
        try:
            os.setxattr(probe.name, "user.probe", bytes(XATTR_BYTES))
            return True
        except OSError:
            return False


def data_dir(top):
    if holds_attributes(top):
        place = top / "data"
    else:
        place = pathlib.Path(tempfile.mkdtemp(prefix="skydir-swift-", dir="/dev/shm"))
        atexit.register(shutil.rmtree, place, ignore_errors=True)
    (place / "d1").mkdir(parents=True)
    return place


# ---- Keystone ----

def serve_keystone(top, port):
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(top / "keystone.conf")
    sys.argv = sys.argv[:1]
    import waitress
    from keystone.server.wsgi import initialize_public_application

    waitress.serve(initialize_public_application(), host=HOST, port=port, threads=4, ident=None,
                   clear_untrusted_proxy_headers=False)


def cache_key():
    versions = [importlib.metadata.version(n) for n in ("keystone", "swift", "oslo.db", "SQLAlchemy")]
    return hashlib.sha256(json.dumps([versions, pathlib.Path(__file__).read_text()]).encode()).hexdigest()[:16]


def manage(top, *arguments):
    program = pathlib.Path(sys.executable).with_name("keystone-manage")
    done = subprocess.run([program, "--config-file", top / "keystone.conf", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"keystone-manage {arguments[0]}: {done.stderr[-2000:]}")


def make_database(top):
    keys = top / "keys"
    keys.mkdir(mode=0o700)
    for index in "01":
        (keys / index).write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
    manage(top, "db_sync")
    manage(top, "bootstrap", "--bootstrap-password", PASSWORD)
    # Otherwise one thread's open read blocks another's commit.
    with sqlite3.connect(top / "keystone.db") as database:
        database.execute("PRAGMA journal_mode = WAL")


def put_back(top, cache):
    """The finished database of an earlier start; None when there is none."""
    kept = cache / f"keystone-{cache_key()}" if cache else None
    if not kept or not kept.is_dir():
        return None
    shutil.copytree(kept / "keys", top / "keys")
    shutil.copy(kept / "keystone.db", top / "keystone.db")
    return json.loads((kept / "identity.json").read_text())


def keep(top, cache, identity):
    cache.mkdir(parents=True, exist_ok=True)
    fresh = pathlib.Path(tempfile.mkdtemp(prefix="new-", dir=cache))
    shutil.copytree(top / "keys", fresh / "keys")
    with sqlite3.connect(top / "keystone.db") as source, sqlite3.connect(fresh / "keystone.db") as copy:
        source.backup(copy)
    (fresh / "identity.json").write_text(json.dumps(identity))
    try:
        fresh.rename(cache / f"keystone-{cache_key()}")
    except OSError:  # another start was first
        shutil.rmtree(fresh)


def set_addresses(top, addresses):
    """The ports are others at each start: {service type: URL}."""
    with sqlite3.connect(top / "keystone.db") as database:
        for kind, url in addresses.items():
            database.execute("UPDATE endpoint SET url = ? WHERE service_id IN (SELECT id FROM service WHERE type = ?)",
                             (url, kind))


class Keystone:
    """A client with just what filling a fresh Keystone takes."""

    def __init__(self, url):
        self.url, self.token = url, None

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method,
                                         data=None if body is None else json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("X-Auth-Token", self.token)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                text = answer.read()
                return answer.headers, json.loads(text) if text else None
        except urllib.error.HTTPError as e:
            raise SystemExit(f"{method} {path}: {e.code} {e.read().decode(errors='replace')[:500]}") from None

    def sign_in(self, user, project):
        self.token = None
        domain = {"id": "default"}
        headers, answer = self.call("POST", "/auth/tokens", {"auth": {
            "identity": {"methods": ["password"],
                         "password": {"user": {"name": user, "domain": domain, "password": PASSWORD}}},
            "scope": {"project": {"name": project, "domain": domain}}}})
        self.token = headers["X-Subject-Token"]
        return answer["token"]

    def make(self, kind, **values):
        return self.call("POST", f"/{kind}s", {kind: values})[1][kind]["id"]

    def roles(self):
        return {r["name"]: r["id"] for r in self.call("GET", "/roles")[1]["roles"]}


def fill(url, addresses):
    """Projects, users, the catalogue and credentials; what a client needs of them."""
    keystone = Keystone(url)
    keystone.sign_in("admin", "admin")
    for name in ("ResellerAdmin", "service"):
        if name not in keystone.roles():
            keystone.make("role", name=name)
    roles = keystone.roles()
    for name, granted in (("service", ("admin", "service", "ResellerAdmin")), ("test", ("member", "reader"))):
        project = keystone.make("project", name=name, domain_id="default")
        user = keystone.make("user", name=name, domain_id="default", password=PASSWORD)
        for role in granted:
            keystone.call("PUT", f"/projects/{project}/users/{user}/roles/{roles[role]}")
    keystone.call("PUT", f"/regions/{REGION}", {"region": {}})
    for kind, address in addresses.items():
        service = keystone.make("service", type=kind, name=kind)
        for interface in ("public", "internal", "admin"):
            keystone.make("endpoint", service_id=service, interface=interface, region_id=REGION, url=address)
    me = keystone.sign_in("test", "test")
    user, project = me["user"]["id"], me["project"]["id"]
    made = keystone.call("POST", f"/users/{user}/application_credentials",
                         {"application_credential": {"name": "unrestricted", "unrestricted": True}})[1]
    ec2 = keystone.call("POST", f"/users/{user}/credentials/OS-EC2", {"tenant_id": project})[1]["credential"]
    return {"project_id": project, "user_id": user,
            "credential": {k: made["application_credential"][k] for k in ("id", "secret")},
            "password": {"username": "test", "project": "test", "password": PASSWORD},
            "ec2": {"access": ec2["access"], "secret": ec2["secret"]}}


# ---- Swift ----

def write_swift(top, data, ports, keystone):
    from swift.common.ring import RingBuilder

    place = {"host": HOST, "dir": top, "data": data, "keystone": keystone, "password": PASSWORD, "region": REGION}
    (top / "swift.conf").write_text(SWIFT_CONF)
    for node in ("account", "container", "object"):
        (top / f"{node}.conf").write_text(NODE_CONF.format(node=node, port=ports[node], **place))
        builder = RingBuilder(1, 1, 1)
        builder.add_dev({"region": 1, "zone": 1, "ip": HOST, "port": ports[node], "device": "d1", "weight": 1,
                         "replication_ip": HOST, "replication_port": ports[node], "meta": ""})
        builder.rebalance()
        builder.get_ring().save(str(top / f"{node}.ring.gz"))
    text = PROXY_CONF.format(port=ports["proxy"], **place)
    text += "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in PLAIN_FILTERS)
    (top / "proxy.conf").write_text(text)


def serve_swift(top, ports, ready):
    import eventlet
    import eventlet.wsgi
    from swift.common import http_protocol, utils, wsgi

    utils.set_swift_dir(str(top))
    eventlet.hubs.use_hub(utils.get_hub())
    threads = []
    for node in ("object", "container", "account", "proxy"):
        conf, _logger, log_name = wsgi._initrp(str(top / f"{node}.conf"), f"{node}-server", verbose=True)
        app = wsgi.loadapp(str(top / f"{node}.conf"), global_conf={"log_name": log_name})
        listener = eventlet.listen((HOST, ports[node]))
        threads.append(eventlet.spawn(eventlet.wsgi.server, listener, app, utils.NullLogger(),
                                      protocol=http_protocol.SwiftHttpProtocol, socket_timeout=60,
                                      capitalize_response_headers=False))
    eventlet.sleep(0)
    ready()
    threads[-1].wait()


# ---- both ----

def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def wait_for(port, process):
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("Keystone does not start")


def main(argv):
    top, cache = pathlib.Path(argv[0]).resolve(), pathlib.Path(argv[2]) if len(argv) > 2 else None
    ports = {"proxy": int(argv[1]), **{n: free_port() for n in ("account", "container", "object")}}
    keystone_port = free_port()
    url = f"http://{HOST}:{keystone_port}/v3"
    storage_url = f"http://{HOST}:{ports['proxy']}/v1/AUTH_%(project_id)s"
    addresses = {"identity": url, "object-store": storage_url}
    os.umask(0o077)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    (top / "keystone.conf").write_text(KEYSTONE_CONF.format(dir=top, host=HOST, keystone=keystone_port))
    identity = put_back(top, cache)
    if identity:
        set_addresses(top, addresses)
    else:
        make_database(top)
    keystone = subprocess.Popen([sys.executable, __file__, "keystone", str(top), str(keystone_port)],
                                preexec_fn=die_with_parent)
    write_swift(top, data_dir(top), ports, keystone_port)

    def ready():
        nonlocal identity
        wait_for(keystone_port, keystone)
        if not identity:
            identity = fill(url, addresses)
            if cache:
                keep(top, cache, identity)
        told = {**identity, "auth_url": url, "region": REGION,
                "storage_url": storage_url % {"project_id": identity["project_id"]}}
        fresh = top / "settings.new"
        fresh.write_text(json.dumps(told))
        fresh.rename(top / "settings.json")

    serve_swift(top, ports, ready)


if __name__ == "__main__":
    if sys.argv[1] == "keystone":
        serve_keystone(pathlib.Path(sys.argv[2]), int(sys.argv[3]))
    else:
        import eventlet

        eventlet.monkey_patch()
        main(sys.argv[1:])
