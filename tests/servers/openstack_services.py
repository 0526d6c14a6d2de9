"""Purpose: real Nova (with Placement, Glance, Neutron) and Designate beside Keystone on 127.0.0.1, each one process, with SQLite
and no broker: the daemons of one project are green threads of its process, joined by oslo.messaging's own queue.

    openstack_services.py DIR NOVA_PORT     serves until it is ended; runs on the Python that scripts/lib-setup.sh makes for it

DIR gets configuration, data and logs, and settings.json when all answer: what openstack.py gives, and {"urls": {type: URL}}.
What is pretended: the machines (Nova's own fake driver: they run nowhere), the binding of ports (there is no agent), and
Designate's name server (its fake one; its own mdns answers instead). About two minutes and 1 GiB of memory.
Nothing outlives this process: the kernel ends each of them when it dies.
"""

import concurrent.futures
import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve()
spec = importlib.util.spec_from_file_location("skydir_keystone", HERE.with_name("openstack.py"))
base = importlib.util.module_from_spec(spec)
spec.loader.exec_module(base)
HOST, PASSWORD, REGION = base.HOST, base.PASSWORD, base.REGION
READY_S = 240
PATHS = {"nova": ("compute", "/v2.1"), "placement": ("placement", ""), "glance": ("image", ""), "neutron": ("network", ""),
         "designate": ("dns", "")}

USER = """auth_url = http://{host}:{keystone}/v3
auth_type = password
username = service
password = {password}
project_name = service
user_domain_id = default
project_domain_id = default
region_name = {region}
"""
COMMON = """
[DEFAULT]
log_file = {dir}/{name}.log
host = pretended
state_path = {dir}/{name}
transport_url = fake://
[oslo_concurrency]
lock_path = {dir}/lock
[database]
connection = sqlite:///{dir}/{name}.db
sqlite_synchronous = false
[keystone_authtoken]
www_authenticate_uri = http://{host}:{keystone}/v3
memcached_servers =
""" + USER
# A port of nobody's agent counts as bound: see BIND_ALL.
CONFS = {
    "placement": """
[placement_database]
connection = sqlite:///{dir}/placement.db
sqlite_synchronous = false
""",
    "glance": """
[DEFAULT]
bind_host = {host}
bind_port = {port}
workers = 0
enabled_backends = plain:file
[glance_store]
default_backend = plain
[plain]
filesystem_store_datadir = {dir}/glance/images
[os_glance_tasks_store]
filesystem_store_datadir = {dir}/glance/tasks
[os_glance_staging_store]
filesystem_store_datadir = {dir}/glance/staging
[paste_deploy]
flavor = keystone
config_file = {etc}/glance/glance-api-paste.ini
""",
    "neutron": """
[DEFAULT]
bind_host = {host}
bind_port = {port}
api_paste_config = {etc}/neutron/api-paste.ini
core_plugin = ml2
service_plugins = router
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
dhcp_agent_notification = false
[ml2]
type_drivers = local,flat,vxlan
tenant_network_types = vxlan
mechanism_drivers = skydir_bindall
extension_drivers = port_security
[ml2_type_flat]
flat_networks = public
[ml2_type_vxlan]
vni_ranges = 1:1000
""",
    # The compute node's name and identity are the same at each start; a fresh one is refused beside an old record.
    "nova": """
[DEFAULT]
report_interval = 2
compute_driver = fake.FakeDriverWithoutFakeNodes
my_ip = {host}
vif_plugging_timeout = 0
vif_plugging_is_fatal = false
sync_power_state_interval = -1
update_resources_interval = 10
[wsgi]
api_paste_config = {etc}/nova/api-paste.ini
[api_database]
connection = sqlite:///{dir}/nova_api.db
sqlite_synchronous = false
[glance]
endpoint_override = http://{host}:{glance}
[scheduler]
discover_hosts_in_cells_interval = 3
[vnc]
enabled = false
[placement]
""" + USER + "[neutron]\n" + USER + "[service_user]\n" + USER,
    # NOTIFY goes to port 53 unless the target says where.
    "designate": """
[service:api]
api_paste_config = {etc}/designate/api-paste.ini
auth_strategy = keystone
api_base_uri = http://{host}:{port}/
enable_host_header = false
[service:central]
workers = 0
[service:worker]
poll_delay = 1
poll_retry_interval = 2
poll_timeout = 5
[service:mdns]
listen = {host}:{mdns}
workers = 0
[storage:sqlalchemy]
connection = sqlite:///{dir}/designate.db
sqlite_synchronous = false
[network_api]
endpoints = {region}|http://{host}:{neutron}/
""",
}
POOLS = """
- name: default
  description: of the tests
  attributes: {{}}
  ns_records: [{{hostname: ns1.example.org., priority: 1}}]
  nameservers: [{{host: {host}, port: {mdns}}}]
  targets:
    - type: fake
      masters: [{{host: {host}, port: {mdns}}}]
      options: {{host: {host}, port: '{mdns}'}}
"""
BIND_ALL = """
from neutron_lib.plugins.ml2 import api


class BindAll(api.MechanismDriver):
    def initialize(self):
        pass

    def bind_port(self, context):
        context.set_binding(context.segments_to_bind[0][api.ID], "ovs", {"port_filter": True}, status="ACTIVE")
"""
MANAGE = {
    "keystone": (),
    "placement": (("placement-manage", "db", "sync"),),
    "glance": (("glance-manage", "db_sync"),),
    "nova": (("nova-manage", "api_db", "sync"),
             ("nova-manage", "cell_v2", "map_cell0", "--database_connection", "sqlite:///{dir}/nova_cell0.db"),
             ("nova-manage", "db", "sync"),
             ("nova-manage", "cell_v2", "create_cell", "--name", "cell1", "--transport-url", "fake://",
              "--database_connection", "sqlite:///{dir}/nova.db")),
    "designate": (("designate-manage", "database", "sync"),),
}


# ---- the daemons: each runs in a process of its own ----

def serve_green(app, port):
    import eventlet
    import eventlet.wsgi

    with open(os.devnull, "w") as quiet:
        eventlet.wsgi.server(eventlet.listen((HOST, port)), app, log=quiet, keepalive=True, socket_timeout=900)


def serve_placement(top, port):
    import waitress
    from placement.wsgi import init_application

    waitress.serve(init_application(), host=HOST, port=port, threads=4, ident=None, clear_untrusted_proxy_headers=False)


def serve_glance(_top, _port):
    from glance.cmd.api import main as serve

    serve()


def serve_neutron(_top, port):
    from neutron import server
    from neutron.server import api

    serve_green(server.boot_server(api.api_server), port)


def serve_nova(_top, port):
    from nova.api.openstack import wsgi_app

    app = wsgi_app.init_application("osapi_compute")
    import nova.conf
    import os_brick
    import os_vif
    from nova import service
    from nova.compute import rpcapi as compute
    from nova.conductor import rpcapi as conductor
    from nova.scheduler import rpcapi as scheduler

    os_brick.setup(nova.conf.CONF)
    os_vif.initialize()
    for binary, module in (("nova-conductor", conductor), ("nova-scheduler", scheduler), ("nova-compute", compute)):
        service.Service.create(binary=binary, topic=module.RPC_TOPIC).start()
    serve_green(app, port)


def serve_designate(top, port):
    from designate.api.wsgi import init_application

    app = init_application()
    from designate.central import service as central
    from designate.manage.pool import PoolCommands
    from designate.mdns import service as mdns
    from designate.producer import service as producer
    from designate.worker import service as worker

    for module in (central, worker, producer, mdns):
        module.Service().start()
    PoolCommands().update(str(top / "designate.d" / "pools.yaml"), False, False)
    serve_green(app, port)


def serve(name, top, port):
    conf = top / f"{name}.d"
    os.environ.update({"OS_PLACEMENT_CONFIG_DIR": str(conf), "OS_NOVA_CONFIG_DIR": str(conf), "OS_DESIGNATE_CONFIG_DIR": str(conf),
                       "OS_NEUTRON_CONFIG_FILES": str(conf / "neutron.conf"), "OS_NOVA_DISABLE_EVENTLET_PATCHING": "1"})
    reads_arguments = name in ("glance", "nova", "designate")
    sys.argv = [name, *(["--config-file", str(conf / f"{name}.conf")] if reads_arguments else [])]
    if name != "placement":
        import eventlet

        eventlet.monkey_patch()
    globals()["serve_" + name](top, port)


# ---- making them ----

def configure(top, ports):
    etc = pathlib.Path(sys.prefix) / "etc"
    for name, special in CONFS.items():
        place = {"dir": top, "name": name, "host": HOST, "password": PASSWORD, "region": REGION, "etc": etc, "port": ports[name],
                 **ports}
        conf = top / f"{name}.d"
        for made in (conf, top / name, top / "lock"):
            made.mkdir(exist_ok=True)
        (conf / f"{name}.conf").write_text((COMMON + special).format(**place))
        if name in ("nova", "designate"):  # they look for it beside their own
            (conf / "api-paste.ini").symlink_to(etc / name / "api-paste.ini")
    (top / "designate.d" / "pools.yaml").write_text(POOLS.format(host=HOST, mdns=ports["mdns"]))
    (top / "nova" / "compute_id").write_text("00000000-0000-4000-8000-000000000003\n")
    for made in ("images", "tasks", "staging"):
        (top / "glance" / made).mkdir()
    plugin = top / "plugins" / "skydir_bindall-1.dist-info"
    plugin.mkdir(parents=True)
    (top / "plugins" / "skydir_bindall.py").write_text(BIND_ALL)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: skydir_bindall\nVersion: 1\n")
    (plugin / "entry_points.txt").write_text("[neutron.ml2.mechanism_drivers]\nskydir_bindall = skydir_bindall:BindAll\n")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command[:3]))}: {done.stdout[-1000:]}{done.stderr[-2000:]}")


def make_neutron_tables(conf, url):
    """Its migrations change constraints, which SQLite cannot: the tables are made from its models."""
    import sqlalchemy
    from neutron.db.migration.models import head

    head.get_metadata().create_all(sqlalchemy.create_engine(url))
    run(pathlib.Path(sys.executable).with_name("neutron-db-manage"), "--config-file", conf, "stamp", "heads")


def prepare(name, top):
    if name == "keystone":
        base.make_database(top)
        return name
    conf = top / f"{name}.d" / f"{name}.conf"
    if name == "neutron":
        run(sys.executable, __file__, "neutron-tables", conf, f"sqlite:///{top}/neutron.db")
    for program, *arguments in MANAGE.get(name, ()):
        run(pathlib.Path(sys.executable).with_name(program), "--config-file", conf, *(a.format(dir=top) for a in arguments))
    for database in top.glob(f"{name}*.db"):  # or one thread's open read blocks another's commit
        with base.sqlite3.connect(database) as opened:
            opened.execute("PRAGMA journal_mode = WAL")
    return name


class Fleet:
    def __init__(self, top, ports):
        self.top, self.ports, self.running = top, ports, {}

    def start(self, name):
        """On the main thread: a child ends with the thread that made it."""
        if name == "keystone":
            command = [sys.executable, base.__file__, "keystone", self.top, self.ports[name]]
        else:
            command = [sys.executable, "-W", "ignore", HERE, "serve", name, self.top, self.ports[name]]
        with open(self.top / f"{name}.out", "wb") as log:
            self.running[name] = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                                  preexec_fn=base.die_with_parent,
                                                  env={**os.environ, "PYTHONPATH": str(self.top / "plugins")})

    def wait(self, name):
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self.running[name].poll() is None:
            try:
                base.socket.create_connection((HOST, self.ports[name]), timeout=1).close()
                return
            except OSError:
                time.sleep(0.2)
        raise SystemExit(f"{name} does not start: {(self.top / f'{name}.out').read_text(errors='replace')[-3000:]}")


def ask(url, token, method, path, body=None):
    service = base.Keystone(url)
    service.token = token
    return service.call(method, path, body)[1]


def put_image(url, token):
    made = ask(url, token, "POST", "/v2/images", {"name": "tiny", "disk_format": "raw", "container_format": "bare",
                                                  "visibility": "public"})
    request = urllib.request.Request(f"{url}/v2/images/{made['id']}/file", bytes(4096), method="PUT",
                                     headers={"X-Auth-Token": token, "Content-Type": "application/octet-stream"})
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60).close()


def provision(keystone_url, urls, project):
    keystone = base.Keystone(keystone_url)
    keystone.sign_in("admin", "admin")
    token = keystone.token
    for number, name, ram in (("1", "small", 512), ("2", "a2.big+", 2048)):
        ask(urls["compute"], token, "POST", "/flavors", {"flavor": {"id": number, "name": name, "ram": ram, "vcpus": int(number),
                                                                    "disk": 1}})
    put_image(urls["image"], token)
    for name, more, cidr in (("public", {"router:external": True, "provider:network_type": "flat",
                                         "provider:physical_network": "public"}, "192.0.2.0/24"),
                             ("private", {"project_id": project}, "10.10.0.0/24")):
        made = ask(urls["network"], token, "POST", "/v2.0/networks", {"network": {"name": name, **more}})["network"]
        ask(urls["network"], token, "POST", "/v2.0/subnets",
            {"subnet": {"name": name, "network_id": made["id"], "ip_version": 4, "cidr": cidr, "project_id": made["project_id"]}})
    deadline = time.monotonic() + READY_S
    for path, kind, needed in (("/os-services", "services", 3), ("/os-hypervisors", "hypervisors", 1)):
        while sum(one.get("state", "up") == "up" for one in ask(urls["compute"], token, "GET", path)[kind]) < needed:
            if time.monotonic() > deadline:
                raise SystemExit(f"{path}: not all of them report")
            time.sleep(0.5)


def main(argv):
    top = pathlib.Path(argv[0]).resolve()
    ports = {"nova": int(argv[1])}
    for name in ("keystone", "placement", "glance", "neutron", "designate", "mdns"):
        ports[name] = base.free_port()
    os.umask(0o077)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    keystone_url = f"http://{HOST}:{ports['keystone']}/v3"
    urls = {kind: f"http://{HOST}:{ports[name]}{path}" for name, (kind, path) in PATHS.items()}
    (top / "keystone.conf").write_text(base.KEYSTONE_CONF.format(dir=top, host=HOST, keystone=ports["keystone"]))
    configure(top, ports)
    os.environ["OS_PLACEMENT_CONFIG_DIR"] = str(top / "placement.d")  # placement-manage heeds no option
    fleet = Fleet(top, ports)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(prepare, name, top) for name in ("keystone", "nova", "placement", "neutron", "glance", "designate")]
        identity = None
        for job in concurrent.futures.as_completed(jobs):
            if job.result() != "nova":  # it asks Keystone and Placement at once
                fleet.start(job.result())
            if job.result() == "keystone":
                fleet.wait("keystone")
                identity = base.fill(keystone_url, {"identity": keystone_url, **urls})
    fleet.wait("placement")
    fleet.start("nova")
    for name in fleet.running:
        fleet.wait(name)
    provision(keystone_url, urls, identity["project_id"])
    fresh = top / "settings.new"
    fresh.write_text(json.dumps({**identity, "auth_url": keystone_url, "region": REGION, "urls": urls, "mdns_port": ports["mdns"]}))
    fresh.rename(top / "settings.json")
    while all(p.poll() is None for p in fleet.running.values()):
        time.sleep(1)
    raise SystemExit("one of the services has ended")


if __name__ == "__main__":
    # Our own directory holds an openstack.py, which must not be taken for OpenStack's library of that name.
    sys.path[:] = [p for p in sys.path if pathlib.Path(p or ".").resolve() != HERE.parent]
    if sys.argv[1] == "serve":
        serve(sys.argv[2], pathlib.Path(sys.argv[3]), int(sys.argv[4]))
    elif sys.argv[1] == "neutron-tables":
        make_neutron_tables(*sys.argv[2:4])
    else:
        main(sys.argv[1:])
