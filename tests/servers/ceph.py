"""Purpose: a real Ceph object gateway (radosgw, Debian's) on 127.0.0.1: one monitor, one storage daemon that keeps all in
memory, one gateway, no authentication among them.

    ceph.py DIR PORT KEY SECRET     serves S3 for that one user until it is ended

DIR gets configuration and logs, and `ready` when the gateway answers to the user. What this gateway (16.2) is here for: it
ignores the conditions of a write in silence, tells no tag when a multipart upload is completed, has a flat key space, and is
what many private clouds run. Nothing outlives this process: the kernel ends the daemons when it dies.
"""

import ctypes
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HOST = "127.0.0.1"
CLUSTER = "7b1f0a52-4a39-4c0e-9d6c-0d6d3f1f5a01"
DISK = "7b1f0a52-4a39-4c0e-9d6c-0d6d3f1f5a02"
START_S = 120
PR_SET_PDEATHSIG = 1

CONF = """
[global]
fsid = {cluster}
mon_host = [v2:{host}:{mon},v1:{host}:{mon1}]
public_addr = {host}
cluster_addr = {host}
ms_bind_port_min = {osd}
ms_bind_port_max = {osd_max}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
# The default asks for an encrypted link, which needs the keys that this cluster has not.
ms_mon_client_mode = crc
run_dir = {dir}/run
admin_socket = {dir}/run/$name.asok
log_file = {dir}/$name.log
mon_data = {dir}/mon
osd_data = {dir}/osd
rgw_data = {dir}/rgw
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
# A share of the disk that is free says nothing here: the data are in memory.
mon_data_avail_warn = 1
mon_data_avail_crit = 1
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
memstore_device_bytes = 4294967296
[client.rgw]
rgw_frontends = beast endpoint={host}:{port}
rgw_thread_pool_size = 64
# Deletes, and what an overwritten object leaves behind, free memory at once.
rgw_gc_obj_min_wait = 1
rgw_gc_processor_period = 10
"""


def free_ports(count):
    """A run of ports below those that outgoing connections take."""
    for _ in range(1000):
        first = random.randint(20000, 31999 - count)
        try:
            for port in range(first, first + count):
                with socket.socket() as s:
                    s.bind((HOST, port))
            return first
        except OSError:
            continue
    raise SystemExit("no free ports")


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def tool(*command, timeout=60):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout,
                          preexec_fn=die_with_parent)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} exits {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def daemon(conf, *command):
    return subprocess.Popen([command[0], "-c", str(conf), *command[1:], "-f"], preexec_fn=die_with_parent)


def answers(port):
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{HOST}:{port}/", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def start(top, port):
    """Monitor, storage daemon and gateway, in this order: each needs those before it."""
    first = free_ports(12)
    place = {"mon": first, "mon1": first + 1, "osd": first + 2, "osd_max": first + 11}
    for name in ("run", "mon", "osd", "rgw"):
        (top / name).mkdir()
    conf = top / "ceph.conf"
    conf.write_text(CONF.format(cluster=CLUSTER, host=HOST, port=port, dir=top, **place))
    tool("monmaptool", "--create", "--fsid", CLUSTER, "--addv", "a",
         f"[v2:{HOST}:{place['mon']},v1:{HOST}:{place['mon1']}]", top / "monmap")
    tool("ceph-mon", "-c", conf, "-i", "a", "--mkfs", "--monmap", top / "monmap")
    yield conf, daemon(conf, "ceph-mon", "-i", "a")
    tool("ceph", "-c", conf, "osd", "new", DISK)
    tool("ceph-osd", "-c", conf, "-i", "0", "--mkfs", "--osd-uuid", DISK)
    yield conf, daemon(conf, "ceph-osd", "-i", "0")
    yield conf, daemon(conf, "radosgw", "-n", "client.rgw")


def main(argv):
    if len(argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    top, port, key, secret = pathlib.Path(argv[0]).resolve(), int(argv[1]), argv[2], argv[3]
    children = []

    def stop(*_):
        for child in children:
            child.kill()
        for child in children:
            child.wait()
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    for conf, child in start(top, port):
        children.append(child)
    tool("radosgw-admin", "-c", conf, "-n", "client.rgw", "user", "create", "--uid", "test", "--display-name", "test",
         "--access-key", key, "--secret-key", secret, "--max-buckets", "0")
    deadline = time.monotonic() + START_S
    while not answers(port):
        if time.monotonic() > deadline or any(c.poll() is not None for c in children):
            raise SystemExit("the gateway does not answer")
        time.sleep(0.1)
    (top / "ready").touch()
    while all(c.poll() is None for c in children):
        time.sleep(0.5)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
