"""Drives an etcd endpoint with grpcio and prints what it found as JSON.

The messages are written by hand, so that nothing but grpcio is needed: what is tried is the
transport.
"""

import argparse
import json
import sys
import threading

import grpc

arguments = argparse.ArgumentParser()
arguments.add_argument("--endpoint", default="http://127.0.0.1:2379")
arguments.add_argument("--ca")
arguments.add_argument("--prefix", default="python/")
arguments.add_argument("--small", action="store_true")
options = arguments.parse_args()


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(message):
    """Field number to the list of its values."""
    found, at = {}, 0

    def read():
        nonlocal at
        n = shift = 0
        while True:
            byte = message[at]
            at += 1
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return n

    while at < len(message):
        tag = read()
        if tag & 7 == 0:
            value = read()
        else:
            size = read()
            value = message[at : at + size]
            at += size
        found.setdefault(tag >> 3, []).append(value)
    return found


def key(name):
    return (options.prefix + name).encode()


def put_request(k, v):
    return field(1, k) + field(2, v)


def range_request(k, end=b"", **more):
    names = {"limit": 3, "revision": 4, "order": 5, "serializable": 7, "keys_only": 8, "count_only": 9}
    out = field(1, k) + (field(2, end) if end else b"")
    return out + b"".join(field(names[name], value) for name, value in more.items())


class Client:
    def __init__(self, compression=None):
        address = options.endpoint.split("://")[1]
        settings = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        if options.ca:
            with open(options.ca, "rb") as file:
                credentials = grpc.ssl_channel_credentials(root_certificates=file.read())
            self.channel = grpc.secure_channel(address, credentials, options=settings, compression=compression)
        else:
            self.channel = grpc.insecure_channel(address, options=settings, compression=compression)

    def call(self, path, request, **more):
        return self.channel.unary_unary(path)(request, **{"timeout": 20, "wait_for_ready": True, **more})

    def put(self, k, v, **more):
        return self.call("/etcdserverpb.KV/Put", put_request(k, v), **more)

    def get(self, k, **more):
        kvs = fields(self.call("/etcdserverpb.KV/Range", range_request(k), **more)).get(2, [])
        return fields(kvs[0]).get(5, [b""])[0] if kvs else None


def expect(ok, message):
    if not ok:
        raise AssertionError(message)


def code_of(run):
    try:
        run()
    except grpc.RpcError as error:
        return error.code(), error.details()
    return None, ""


def put_and_get(client):
    value = bytes(range(256))
    client.put(key("bytes"), value)
    expect(client.get(key("bytes")) == value, "other bytes came back")
    client.put(key("empty"), b"")
    expect(client.get(key("empty")) == b"", "an empty value")


def ranges(client):
    for n in range(5):
        client.put(key("range/%d" % n), b"v")
    answer = fields(client.call("/etcdserverpb.KV/Range", range_request(key("range/"), key("range0"), limit=2, order=2, keys_only=1)))
    found = [fields(kv)[1][0] for kv in answer[2]]
    expect(found == [key("range/4"), key("range/3")] and answer[3] == [1], repr(answer))
    counted = fields(client.call("/etcdserverpb.KV/Range", range_request(key("range/"), key("range0"), count_only=1, serializable=1)))
    expect(counted[4] == [5], repr(counted))


def txns(client):
    k = key("txn")
    client.put(k, b"a")
    compare = field(2, 3) + field(3, k) + field(7, b"a")
    request = field(1, compare) + field(2, field(2, put_request(k, b"b"))) + field(3, field(1, range_request(k)))
    for want in ([1], []):
        answer = fields(client.call("/etcdserverpb.KV/Txn", request))
        expect(answer.get(2, []) == want, repr(answer))


def deletes(client):
    client.put(key("gone/a"), b"1")
    client.put(key("gone/b"), b"2")
    answer = fields(client.call("/etcdserverpb.KV/DeleteRange", field(1, key("gone/")) + field(2, key("gone0")) + field(3, 1)))
    expect(answer[2] == [2] and len(answer[3]) == 2, repr(answer))


def large(client):
    value = b"0123456789abcdef" * ((40 << 10 if options.small else 1 << 20) // 16)
    client.put(key("large"), value)
    expect(client.get(key("large")) == value, "other bytes came back")


def too_large(client):
    if options.small:
        return
    code, words = code_of(lambda: client.put(key("too-large"), bytes(1600 << 10)))
    expect(code == grpc.StatusCode.INVALID_ARGUMENT and "request is too large" in words, "%s %s" % (code, words))
    code, words = code_of(lambda: client.put(key("too-large"), bytes(8 << 20)))
    expect(code == grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in words, "%s %s" % (code, words))
    client.get(key("bytes"))


def compressed(client):
    for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        value = b"compress me " * 1000
        client.put(key("compressed"), value, compression=compression)
        expect(client.get(key("compressed")) == value, "other bytes came back")


def many(client):
    calls = 20 if options.small else 500
    path = "/etcdserverpb.KV/Put"
    futures = [client.channel.unary_unary(path).future(put_request(key("many/%d" % n), b"%d" % n), timeout=20) for n in range(calls)]
    for future in futures:
        future.result()
    gets = [client.channel.unary_unary("/etcdserverpb.KV/Range").future(range_request(key("many/%d" % n)), timeout=20) for n in range(calls)]
    for n, future in enumerate(gets):
        expect(fields(fields(future.result())[2][0])[5] == [b"%d" % n], "call %d" % n)


def cancelled(client):
    for n in range(5 if options.small else 100):
        future = client.channel.unary_unary("/etcdserverpb.KV/Range").future(range_request(key("large")), timeout=20)
        if n % 3:
            threading.Event().wait(n * 0.00001)
        future.cancel()
    client.get(key("bytes"))


def deadlines(client):
    for left in (0.000001, 0.00005, 0.001):
        code, words = code_of(lambda: client.get(key("large"), timeout=left))
        expect(code in (None, grpc.StatusCode.DEADLINE_EXCEEDED), "%s %s" % (code, words))
    client.get(key("bytes"))


def metadata(client):
    pairs = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("key-bin", bytes([0, 1, 255, 254])),
             ("long", "m" * 3000), ("empty", ""), ("twice", "1"), ("twice", "2")]
    for _ in range(3):
        client.get(key("bytes"), metadata=pairs)
    for count in range(0, 140, 20):
        client.get(key("bytes"), metadata=[("name-%d" % n, "value-%d-%d" % (count, n)) for n in range(count)])


def words(client):
    code, text = code_of(lambda: client.call("/etcdserverpb.KV/Range", range_request(key("bytes"), revision=1 << 40)))
    expect(code == grpc.StatusCode.OUT_OF_RANGE and "future revision" in text, "%s %s" % (code, text))
    code, text = code_of(lambda: client.put(b"", b"x"))
    expect(code == grpc.StatusCode.INVALID_ARGUMENT and text == "etcdserver: key is not provided", "%s %s" % (code, text))


def unknown(client):
    code, text = code_of(lambda: client.call("/no.Such/Method", b""))
    expect(code == grpc.StatusCode.UNIMPLEMENTED, "%s %s" % (code, text))


def watch(client):
    stream = client.channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=20)
    expect(fields(next(stream))[1] == [1], "not serving")
    stream.cancel()
    code, text = code_of(lambda: next(stream))
    expect(code == grpc.StatusCode.CANCELLED, "%s %s" % (code, text))


def reflection(client):
    requests = iter([field(7, b""), field(4, b"etcdserverpb.KV")])
    answers = list(client.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")(requests, timeout=20))
    expect(len(answers) == 2, "%d answers" % len(answers))


TESTS = {
    "put and get keep every byte": put_and_get,
    "range with limit, order, keys only and count only": ranges,
    "txn takes either branch": txns,
    "delete says what was there": deletes,
    "a large value, both ways": large,
    "a request beyond the limit is refused": too_large,
    "compressed requests": compressed,
    "many calls at once": many,
    "calls that are cancelled leave the connection well": cancelled,
    "deadlines": deadlines,
    "metadata of any kind and size": metadata,
    "errors in etcd's words": words,
    "unknown methods": unknown,
    "a stream that is cancelled": watch,
    "a stream of requests and answers": reflection,
}


def main():
    client = Client()
    checks = []
    for name, run in TESTS.items():
        try:
            run(client)
            checks.append({"name": name, "ok": True})
        except Exception as error:  # each is told
            checks.append({"name": name, "ok": False, "error": repr(error)[:500]})
    client.channel.close()
    print(json.dumps({"client": "python grpcio %s" % grpc.__version__, "checks": checks}))
    sys.exit(0 if all(check["ok"] for check in checks) else 1)


main()
