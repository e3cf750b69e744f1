"""Drives an etcd with Python's etcd3 and prints what it found, a line for each step."""

import argparse
import queue
import threading

import etcd3
from etcd3 import exceptions

arguments = argparse.ArgumentParser()
arguments.add_argument("--endpoints", default="http://127.0.0.1:2379")
host, port = arguments.parse_args().endpoints.split(",")[0].split("://")[1].split(":")
client = etcd3.client(host=host, port=int(port), timeout=20)


def kv():
    print("put", client.put("kv/a", "1").header is not None)
    client.put("kv/b", "2")
    print("put if not exists", client.put_if_not_exists("kv/a", "x"), client.put_if_not_exists("kv/c", "3"))
    print("get", client.get("kv/a")[0], client.get("none")[0])
    print("prefix", [(value, meta.key) for value, meta in client.get_prefix("kv/", sort_order="descend", sort_target="key")])
    print("replace", client.replace("kv/a", "1", "one"), client.replace("kv/a", "1", "two"))
    print("range", [value for value, _ in client.get_range("kv/a", "kv/c")])
    print("delete", client.delete("kv/c"), client.delete("kv/c"))
    print("delete prefix", client.delete_prefix("kv/").deleted)


def txn():
    tx = client.transactions
    for _ in range(2):
        done, answers = client.transaction(
            compare=[tx.version("txn") == 0],
            success=[tx.put("txn", "made"), tx.get("txn")],
            failure=[tx.get("txn"), tx.delete("txn")],
        )
        print("txn", done, [a[0][0] if isinstance(a, list) else a is not None for a in answers])


def watch():
    seen = queue.Queue()
    events, cancel = client.watch_prefix("watch/")
    threading.Thread(target=lambda: [seen.put((type(e).__name__, e.key, e.value)) for e in events], daemon=True).start()
    for n in range(5):
        client.put("watch/%d" % n, str(n))
    client.delete("watch/0")
    print("watch", [seen.get(timeout=20) for _ in range(6)])
    cancel()


def lease():
    given = client.lease(60)
    client.put("lease/a", "1", lease=given)
    print("lease", given.granted_ttl, given.keys, 0 < given.remaining_ttl <= 60, [r.TTL for r in given.refresh()])
    given.revoke()
    print("revoked", client.get("lease/a")[0])


def lock():
    held = client.lock("lock", ttl=60)
    print("lock", held.acquire(), held.is_acquired())
    try:
        print("lock that is held", client.lock("lock", ttl=60).acquire(timeout=1))
    except Exception as error:
        print("lock that is held", type(error).__name__)
    print("unlock", held.release(), held.is_acquired())


def members():
    print("members", sorted(member.name for member in client.members))
    print("status", client.status().leader.name in {member.name for member in client.members})
    print("alarms", list(client.list_alarms()))


def errors():
    for name, call in {"empty key": lambda: client.put("", "x"), "compacted": lambda: (client.compact(3), list(client.watch_prefix_once("x", timeout=1)))}.items():
        try:
            call()
            print(name, "no error")
        except Exception as error:
            print(name, type(error).__name__)


for scenario in (kv, txn, watch, lease, lock, members, errors):
    scenario()
assert exceptions.Etcd3Exception
