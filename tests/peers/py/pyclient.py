"""Tries a server of the Peer service (peer.proto) with Debian's grpcio.

    pyclient.py HOST:PORT [CHECK ...]

Prints ok or FAIL per check, then the totals; exit code 1 when one failed.
"""

import sys
import threading
import time

import grpc

from peer_pb import Msg

LONG_S = 10
CODES = {code.value[0]: code for code in grpc.StatusCode}
METADATA = (("x-echo-a", "one"), ("x-echo-a", "two"), ("x-echo-b-bin", b"\x00\xff\n"), ("x-trail-c", "three"),
            ("x-trail-d-bin", b"\x01"), ("x-trail-d-bin", b"\x02\x03"), ("x-other", "four"))


class Peer:
    def __init__(self, channel):
        codec = {"request_serializer": Msg.encode, "response_deserializer": Msg.decode}
        self.channel = channel
        self.unary = channel.unary_unary("/peer.Peer/Unary", **codec)
        self.client_stream = channel.stream_unary("/peer.Peer/ClientStream", **codec)
        self.server_stream = channel.unary_stream("/peer.Peer/ServerStream", **codec)
        self.bidi = channel.stream_stream("/peer.Peer/Bidi", **codec)

    def other(self, path):
        return self.channel.unary_unary(path, request_serializer=Msg.encode, response_deserializer=Msg.decode)


def same(got, want):
    assert got == want, "%.200r, want %.200r" % (got, want)


def status(call, code, text=None):
    """call() must end with that status."""
    try:
        call()
    except grpc.RpcError as error:
        same(error.code(), code)
        if text is not None:
            same(error.details(), text)
        return error
    raise AssertionError("it succeeded, want " + code.name)


def echo(peer, size=5):
    reply = peer.unary(Msg(body=b"x" * size, text="hi"), timeout=LONG_S)
    same((reply.body, reply.count, reply.text), (b"x" * size, 1, "hi"))


def unary_echo(peer):
    echo(peer)


def unary_empty(peer):
    echo(peer, 0)


def unary_1_mib(peer):
    echo(peer, 1 << 20)


def unary_request_over_4_mib_is_refused(peer):
    status(lambda: peer.unary(Msg(body=bytes(5 << 20)), timeout=LONG_S), grpc.StatusCode.RESOURCE_EXHAUSTED)
    echo(peer)


def unary_status_and_message(peer):
    status(lambda: peer.unary(Msg(code=5, text="no such thing")), grpc.StatusCode.NOT_FOUND, "no such thing")


def unary_message_of_any_text(peer):
    text = "größer 100% \n\t語 %41"
    status(lambda: peer.unary(Msg(code=9, text=text)), grpc.StatusCode.FAILED_PRECONDITION, text)


def unary_every_code(peer):
    for code in range(1, 17):
        status(lambda code=code: peer.unary(Msg(code=code, text="code %d" % code)), CODES[code], "code %d" % code)


def unary_unknown_method(peer):
    status(lambda: peer.other("/peer.Peer/None")(Msg()), grpc.StatusCode.UNIMPLEMENTED)


def unary_unknown_service(peer):
    status(lambda: peer.other("/peer.None/Unary")(Msg()), grpc.StatusCode.UNIMPLEMENTED)


def unary_deadline_is_kept(peer):
    start_s = time.monotonic()
    status(lambda: peer.unary(Msg(delay_ms=5000), timeout=0.2), grpc.StatusCode.DEADLINE_EXCEEDED)
    took_s = time.monotonic() - start_s
    assert 0.15 <= took_s <= 2, "ended after %.3fs, want 0.2s" % took_s


def unary_deadline_is_carried(peer):
    _, call = peer.unary.with_call(Msg(), timeout=5)
    got = dict(call.trailing_metadata()).get("x-timeout-ms")
    assert got is not None and 3000 <= int(got) <= 5100, "x-timeout-ms is %r, want about 5000" % got


def unary_cancel(peer):
    call = peer.unary.future(Msg(delay_ms=5000))
    threading.Timer(0.1, call.cancel).start()
    try:
        call.result(timeout=LONG_S)
    except grpc.FutureCancelledError:
        same(call.code(), grpc.StatusCode.CANCELLED)
        echo(peer)
        return
    raise AssertionError("it was not cancelled")


def check_metadata(initial, trailers):
    def of(key, metadata):
        return [value for name, value in metadata if name == key]
    same(", ".join(of("x-echo-a", initial)), "one, two")  # node joins the values of a key, which is legal
    same(of("x-echo-b-bin", initial), [b"\x00\xff\n"])
    same(of("x-trail-c", trailers), ["three"])
    same(of("x-trail-d-bin", trailers), [b"\x01", b"\x02\x03"])
    same(of("x-other", initial) + of("x-other", trailers), [])


def unary_metadata(peer):
    _, call = peer.unary.with_call(Msg(), metadata=METADATA, timeout=LONG_S)
    check_metadata(call.initial_metadata(), call.trailing_metadata())


def unary_metadata_with_error(peer):
    error = status(lambda: peer.unary(Msg(code=7, text="no"), metadata=METADATA, timeout=LONG_S),
                   grpc.StatusCode.PERMISSION_DENIED, "no")
    check_metadata(error.initial_metadata(), error.trailing_metadata())


def unary_100_at_once(peer):
    calls = [peer.unary.future(Msg(body=b"call %d" % i, delay_ms=50), timeout=LONG_S) for i in range(100)]
    for i, call in enumerate(calls):
        same(call.result().body, b"call %d" % i)


def unary_1000_in_a_row(peer):
    for i in range(1000):
        echo(peer, i)


def client_stream(peer, count, size):
    reply = peer.client_stream((Msg(body=b"y" * size) for _ in range(count)), timeout=LONG_S)
    same((reply.body, reply.count), (b"y" * size * count, count))


def client_stream_100(peer):
    client_stream(peer, 100, 100)


def client_stream_empty(peer):
    client_stream(peer, 0, 0)


def client_stream_2_mib(peer):
    client_stream(peer, 32, 65536)


def client_stream_status_before_half_close(peer):
    never = threading.Event()

    def endless():
        yield Msg(code=10, text="enough")
        never.wait()
    status(lambda: peer.client_stream(endless(), timeout=LONG_S), grpc.StatusCode.ABORTED, "enough")
    never.set()


def server_stream(peer, count, size):
    replies = list(peer.server_stream(Msg(body=b"z" * size, count=count), timeout=LONG_S))
    same([(r.body, r.count) for r in replies], [(b"z" * size, i) for i in range(1, count + 1)])


def server_stream_100(peer):
    server_stream(peer, 100, 100)


def server_stream_empty(peer):
    server_stream(peer, 0, 0)


def server_stream_8_mib_slow_reader(peer):
    for i, reply in enumerate(peer.server_stream(Msg(body=b"z" * 65536, count=128), timeout=LONG_S)):
        if i % 16 == 0:
            time.sleep(0.02)
            echo(peer)
        same((len(reply.body), reply.count), (65536, i + 1))


def server_stream_status_after_replies(peer):
    calls = peer.server_stream(Msg(count=3, code=11, text="that was all"), timeout=LONG_S)
    same([next(calls).count for _ in range(3)], [1, 2, 3])
    status(lambda: next(calls), grpc.StatusCode.OUT_OF_RANGE, "that was all")


def server_stream_deadline(peer):
    calls = peer.server_stream(Msg(count=1000, delay_ms=50), timeout=0.3)
    next(calls)
    status(lambda: list(calls), grpc.StatusCode.DEADLINE_EXCEEDED)


def server_stream_cancel(peer):
    calls = peer.server_stream(Msg(count=100000, body=bytes(1000)))
    next(calls)
    calls.cancel()
    status(lambda: list(calls), grpc.StatusCode.CANCELLED)
    echo(peer)


class Sender:
    """The request side of a bidi call, sent to from outside."""

    def __init__(self):
        self._messages, self._change, self._closed = [], threading.Condition(), False

    def send(self, msg):
        with self._change:
            self._messages.append(msg)
            self._change.notify()

    def close(self):
        with self._change:
            self._closed = True
            self._change.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self._change:
            self._change.wait_for(lambda: self._messages or self._closed)
            if self._messages:
                return self._messages.pop(0)
            raise StopIteration


def bidi_ping_pong(peer):
    sender = Sender()
    calls = peer.bidi(sender, timeout=LONG_S)
    for i in range(1, 51):
        sender.send(Msg(body=b"ping %d" % i, count=1))
        reply = next(calls)
        same((reply.body, reply.count), (b"ping %d" % i, i))
    sender.close()
    same(list(calls), [])


def bidi_replies_after_half_close(peer):
    calls = peer.bidi(iter([Msg(count=2, delay_ms=5) for _ in range(10)]), timeout=LONG_S)
    same([reply.count for reply in calls], list(range(1, 21)))


def bidi_initial_metadata_first(peer):
    sender = Sender()
    calls = peer.bidi(sender, metadata=METADATA, timeout=LONG_S)
    initial = calls.initial_metadata()  # before any message has been sent
    sender.close()
    same(list(calls), [])
    check_metadata(initial, calls.trailing_metadata())


def bidi_status(peer):
    sender = Sender()
    calls = peer.bidi(sender, timeout=LONG_S)
    sender.send(Msg(count=1, code=14, text="gone fishing"))
    same(next(calls).count, 1)
    status(lambda: next(calls), grpc.StatusCode.UNAVAILABLE, "gone fishing")
    sender.close()


def bidi_cancel(peer):
    sender = Sender()
    calls = peer.bidi(sender)
    sender.send(Msg(count=1))
    next(calls)
    calls.cancel()
    status(lambda: next(calls), grpc.StatusCode.CANCELLED)
    sender.close()
    echo(peer)


CHECKS = [
    unary_echo, unary_empty, unary_1_mib, unary_request_over_4_mib_is_refused, unary_status_and_message,
    unary_message_of_any_text, unary_every_code, unary_unknown_method, unary_unknown_service,
    unary_deadline_is_kept, unary_deadline_is_carried, unary_cancel, unary_metadata, unary_metadata_with_error,
    unary_100_at_once, unary_1000_in_a_row,
    client_stream_100, client_stream_empty, client_stream_2_mib, client_stream_status_before_half_close,
    server_stream_100, server_stream_empty, server_stream_8_mib_slow_reader, server_stream_status_after_replies,
    server_stream_deadline, server_stream_cancel,
    bidi_ping_pong, bidi_replies_after_half_close, bidi_initial_metadata_first, bidi_status, bidi_cancel,
]


def main():
    addr, names = sys.argv[1], sys.argv[2:]
    passed = failed = 0
    with grpc.insecure_channel(addr) as channel:
        grpc.channel_ready_future(channel).result(timeout=LONG_S)
        peer = Peer(channel)
        for check in CHECKS:
            if names and check.__name__ not in names:
                continue
            try:
                check(peer)
            except Exception as error:  # whatever it was, the check failed
                failed += 1
                print("FAIL %s: %s" % (check.__name__, str(error).replace("\n", " ") or repr(error)), flush=True)
            else:
                passed += 1
                print("ok " + check.__name__, flush=True)
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
