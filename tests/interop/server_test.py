"""What gRPC's cases do not ask of the interop server: pauses, limits, pairs of metadata, whose load is reported, and that who does not read is
not sent to.

    server_test.py [SANITIZERS]     with sanitizers memory is not measured, since they hoard what is freed

The other side is Debian's grpcio, with the codec of py/.
"""

import concurrent.futures
import itertools
import os
import queue
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(HERE, "py")]
import harness  # noqa: E402

try:
    import grpc
except ImportError:
    grpc = None
from interop_pb import (  # noqa: E402
    FILL, INITIAL_KEY, METHODS, OUR_METHODS, SERVICE, TRAILING_KEY, Empty, LoadReport, OutputRequest, Payload, SimpleRequest)

MIB = 1 << 20
BLOCK = 64 << 10
LONG_S = 30
AGENT_KEY = "x-grpc-test-echo-useragent"
LEAST = 2  # so many requests fit into what both sides hold back, whatever the sizes of windows


class Stub:
    def __init__(self, channel):
        for name, (kind, request, reply) in {**METHODS, **OUR_METHODS}.items():
            setattr(self, name, getattr(channel, kind)("/%s/%s" % (SERVICE, name), request_serializer=request.encode,
                                                       response_deserializer=reply.decode))


def status(call):
    """The code and message that call() ends with."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""


def same(got, want):
    assert got == want, "%.300r, expected %.300r" % (got, want)


def refusals(h, stub):
    for size in (-1, (64 << 20) + 1):
        with h.check("a reply of %d bytes is refused" % size):
            same(status(lambda: stub.UnaryCall(SimpleRequest(size)))[0], "INVALID_ARGUMENT")
            same(status(lambda: list(stub.StreamingOutputCall(OutputRequest([(size, 0)]))))[0], "INVALID_ARGUMENT")
    with h.check("a request over 4 MiB is refused"):
        same(status(lambda: stub.UnaryCall(SimpleRequest(0, 5 * MIB)))[0], "RESOURCE_EXHAUSTED")
    with h.check("a code that gRPC does not have is UNKNOWN"):
        same(status(lambda: stub.UnaryCall(SimpleRequest(status=(99, "odd")))), ("UNKNOWN", "odd"))


def streams(h, stub):
    with h.check("intervals add up"):
        start_s = time.monotonic()
        replies = list(stub.StreamingOutputCall(OutputRequest([(10, 100000), (20, 200000)])))
        took_s = time.monotonic() - start_s
        same([len(reply.payload) for reply in replies], [10, 20])
        assert 0.29 <= took_s <= 3, "it took %.3f s" % took_s
    with h.check("a deadline within an interval"):
        long_pause = OutputRequest([(10, 0), (10, 60000000)])
        same(status(lambda: list(stub.StreamingOutputCall(long_pause, timeout=0.3)))[0], "DEADLINE_EXCEEDED")
    with h.check("a status in the middle of a stream ends it after the replies before"):
        replies = stub.FullDuplexCall(iter([OutputRequest([(5, 0), (6, 0)]), OutputRequest(status=(5, "mid")), OutputRequest([(7, 0)])]))
        same([len(next(replies).payload) for _ in range(2)], [5, 6])
        same(status(lambda: next(replies)), ("NOT_FOUND", "mid"))
    with h.check("streams cancelled in the middle, many at once"):
        def cancel_some(_):
            for _ in range(20):
                replies = stub.StreamingOutputCall(OutputRequest([(BLOCK, 0)] * 100))
                same(len(next(replies).payload), BLOCK)
                replies.cancel()
                same(status(lambda: list(replies))[0], "CANCELLED")
            return 20
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            same(sum(pool.map(cancel_some, range(8), timeout=LONG_S)), 160)  # raises what a thread raised
        same(len(stub.UnaryCall(SimpleRequest(10)).payload), 10)


def metadata(h, stub):
    with h.check("each pair of metadata comes back, in order, whatever its bytes"):
        initial = [(INITIAL_KEY, "a"), (INITIAL_KEY, "b, c")]
        trailing = [(TRAILING_KEY, value) for value in (b"\x01", b"", bytes(range(256)))]
        _, call = stub.UnaryCall.with_call(SimpleRequest(1), metadata=initial + trailing)
        same([tuple(pair) for pair in call.initial_metadata()], initial)
        same([tuple(pair) for pair in call.trailing_metadata()], trailing)
    with h.check("metadata comes back with an error too"):
        call = stub.StreamingOutputCall(OutputRequest(status=(9, "no")), metadata=initial + trailing)
        same(status(lambda: next(call)), ("FAILED_PRECONDITION", "no"))
        same([tuple(pair) for pair in call.initial_metadata()], initial)
        same([tuple(pair) for pair in call.trailing_metadata()], trailing)
    with h.check("the user agent comes back where that is asked for"):
        _, call = stub.EmptyCall.with_call(Empty(), metadata=[(AGENT_KEY, "true")])
        (key, agent), = call.initial_metadata()
        assert key == AGENT_KEY and agent.startswith("grpc-python/"), (key, agent)


def unary(h, stub, process):
    with h.check("who it is, where that is asked for; who calls and which way, nobody knows"):
        same(stub.UnaryCall(SimpleRequest(3, fill=FILL)).said,
             {"server_id": "%s-%d" % (socket.gethostname(), process.pid), "hostname": socket.gethostname()})
        same(stub.UnaryCall(SimpleRequest(3)).said, {})
    with h.check("CacheableUnaryCall tells the time, another one each time, and how long that may be kept"):
        before = time.time_ns()
        times = []
        for _ in range(2):
            reply, call = stub.CacheableUnaryCall.with_call(SimpleRequest(3))
            times.append(int(reply.payload))
            same([tuple(pair) for pair in call.initial_metadata()], [("cache-control", "max-age=60, public")])
        assert before <= times[0] < times[1] <= time.time_ns(), "%d, then %s" % (before, times)


class Duplex:
    """A call with two streams, whose requests are sent one by one."""

    def __init__(self, method, timeout_s=LONG_S):
        self._requests = queue.Queue()
        self.replies = method(iter(self._requests.get, None), timeout=timeout_s)

    def send(self, *request, **more):
        self._requests.put(OutputRequest(*request, **more))

    def ask(self, size, **more):
        """The size of the reply."""
        self.send([(size, 0)], **more)
        return len(next(self.replies).payload)

    def send_end(self):
        self._requests.put(None)

    def end(self):
        """The sizes of the replies that are left."""
        self.send_end()
        return [len(reply.payload) for reply in self.replies]

    def cancel(self):
        self.replies.cancel()
        self.send_end()


def half_duplex(h, stub, pool):
    with h.check("HalfDuplexCall answers all requests once the last has come"):
        call = Duplex(stub.HalfDuplexCall)
        call.send([(5, 0), (6, 100000)])
        call.send([])
        call.send([(7, 0)])
        ended = []
        replies = pool.submit(lambda: [(len(reply.payload), bool(ended)) for reply in call.replies])
        for _ in range(5):
            stub.EmptyCall(Empty())
        start_s = time.monotonic()
        ended.append(True)
        call.send_end()
        same(replies.result(LONG_S), [(5, True), (6, True), (7, True)])
        assert time.monotonic() - start_s > 0.09, "it did not pause"
        same(Duplex(stub.HalfDuplexCall).end(), [])
    with h.check("HalfDuplexCall ends at once with a status, and with more replies than it would keep"):
        same(status(lambda: Duplex(stub.HalfDuplexCall).ask(5, status=(5, "half"))), ("NOT_FOUND", "half"))
        many = [(0, 0)] * 40000
        same(status(lambda: list(stub.HalfDuplexCall(iter([OutputRequest(many), OutputRequest(many)])))),
             ("RESOURCE_EXHAUSTED", "more than 65536 replies are asked for"))


def reported(channel):
    """The CPU utilization as the server reports it out of band, every 100 ms."""
    method = channel.unary_stream("/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics", request_serializer=bytes, response_deserializer=LoadReport.decode)
    return (report.cpu for report in method(b"", timeout=2 * LONG_S))


def comes(reports, cpu):
    seen = list(itertools.takewhile(lambda value: value != cpu, itertools.islice(reports, 50)))
    assert len(seen) < 50, "%s is not reported, but %s" % (cpu, seen[-5:])


def load(h, channel, stub, pool, port):
    """What is reported out of band is one call's at a time."""
    reports = reported(channel)
    with h.check("a second call that tells what to report waits until the first has ended"):
        first, second = Duplex(stub.FullDuplexCall), Duplex(stub.FullDuplexCall)
        same([first.ask(1, cpu=0.1), second.ask(1)], [1, 1])
        comes(reports, 0.1)
        waiting = pool.submit(second.ask, 2, cpu=0.2)
        same([next(reports) for _ in range(10)], [0.1] * 10)
        same(first.ask(3, cpu=0.3), 3)
        comes(reports, 0.3)
        assert not waiting.done(), "it was answered"
        same(first.end(), [])
        same(waiting.result(LONG_S), 2)
        comes(reports, 0.2)
        same(second.ask(4, cpu=0.4), 4)
        comes(reports, 0.4)
        same(second.end(), [])
    with h.check("who waits may be cancelled or wait too long; a status comes without waiting; the next one goes on"):
        owner, late, gone, last, other = (Duplex(stub.FullDuplexCall, timeout_s) for timeout_s in (LONG_S, 0.5, LONG_S, LONG_S, LONG_S))
        same([call.ask(1) for call in (owner, gone, last, other)], [1] * 4)
        same(owner.ask(2, cpu=0.5), 2)
        comes(reports, 0.5)
        late_ends = pool.submit(status, lambda: late.ask(3, cpu=0.6))
        gone_ends = pool.submit(status, lambda: gone.ask(4, cpu=0.7))
        last_ends = pool.submit(last.ask, 5, cpu=0.8)
        same(late_ends.result(LONG_S)[0], "DEADLINE_EXCEEDED")
        late.cancel()
        same(status(lambda: other.ask(1, cpu=0.9, status=(9, "no"))), ("FAILED_PRECONDITION", "no"))
        gone.cancel()
        same(gone_ends.result(LONG_S)[0], "CANCELLED")
        assert not last_ends.done(), "it was answered"
        owner.cancel()
        same(last_ends.result(LONG_S), 5)
        comes(reports, 0.8)
        same(last.end(), [])
    with h.check("with the connection of owner and next, both are gone, and the one behind goes on"):
        proxy = h.proxy("127.0.0.1:" + port)
        with grpc.insecure_channel(proxy.addr) as lost:
            theirs = [Duplex(Stub(lost).FullDuplexCall) for _ in range(3)]
            ours = Duplex(stub.FullDuplexCall)
            same([call.ask(1) for call in theirs + [ours]], [1] * 4)
            same(theirs[0].ask(2, cpu=0.15), 2)
            comes(reports, 0.15)
            ends = [pool.submit(status, lambda call=call: call.ask(3, cpu=0.25)) for call in theirs[1:]]
            our_end = pool.submit(ours.ask, 4, cpu=0.35)
            same([next(reports) for _ in range(5)], [0.15] * 5)
            proxy.cut()
            same([end.result(LONG_S)[0] for end in ends], ["UNAVAILABLE"] * 2)
            same(our_end.result(LONG_S), 4)
            comes(reports, 0.35)
            same(ours.end(), [])
            for call in theirs:
                call.cancel()
    with h.check("a report that is too long to be kept is refused"):
        same(status(lambda: list(stub.FullDuplexCall(iter([OutputRequest(key_bytes=20000, cpu=0.5)]))))[0], "INVALID_ARGUMENT")
    with h.check("several of our clients run orca_oob at once, and all pass"):
        command = [h.program("tests/interop/client"), "--server_host=127.0.0.1", "--server_port=" + port, "--test_case=orca_oob"]
        clients = [h.spawn(command)]
        comes(reports, 0.821)  # the first tells now
        clients += [h.spawn(command) for _ in range(2)]
        same([client.wait(60) for client in clients], [0, 0, 0])


def services(h, port):
    """Health and reflection, as our command sees them."""
    rota, target = h.program("tools/rota/rota"), "127.0.0.1:" + port
    with h.check("it says that the service is serving"):
        health = h.run([rota, "health", target, SERVICE])
        assert health.code == 0 and health.lines == ["SERVING"], health.text()
    with h.check("reflection has its services"):
        listed = h.run([rota, "call", target])
        assert listed.code == 0 and SERVICE in listed.text(), listed.text()
    with h.check("reflection is enough to call it"):
        called = h.run([rota, "call", target, SERVICE + "/UnaryCall", "-d", '{"responseSize": 3}'])
        assert called.code == 0 and '"AAAA"' in called.text(), called.text()
        called = h.run([rota, "call", target, SERVICE + "/UnaryCall", "-d", '{"fillServerId": true}'])
        assert called.code == 0 and '"serverId"' in called.text() and '"hostname"' in called.text(), called.text()


def rss_bytes(process):
    with open("/proc/%d/status" % process.pid) as lines:
        return 1024 * int(harness.field(r"VmRSS:\s+(\d+)", lines.read()))


def memory(h, stub, process, measured):
    base = rss_bytes(process)

    def bounded():
        grown = rss_bytes(process) - base
        assert not measured or grown < 8 * MIB, "memory grew by %d KiB" % (grown >> 10)

    with h.check("128 MiB to a slow reader, in bounded memory"):
        n_replies = 0
        for reply in stub.StreamingOutputCall(OutputRequest([(BLOCK, 0)] * (128 * MIB // BLOCK))):
            same(len(reply.payload), BLOCK)
            n_replies += 1
            if n_replies % 64 == 0:
                time.sleep(0.01)
                bounded()
        same(n_replies, 128 * MIB // BLOCK)
    with h.check("128 MiB from a client"):
        same(stub.StreamingInputCall(Payload(BLOCK) for _ in range(128 * MIB // BLOCK)).size, 128 * MIB)
        bounded()
    with h.check("a client that asks and never reads is read no more"):
        sent, stop = [0], threading.Event()

        def requests():
            while not stop.is_set():
                sent[0] += 1
                yield OutputRequest([(BLOCK, 0)], BLOCK)
        call = stub.FullDuplexCall(requests())
        before = 0
        while sent[0] != before or not sent[0]:  # until a second passes without a request
            before = sent[0]
            time.sleep(1)
            assert sent[0] < 4000, "%d requests were taken" % sent[0]
        assert sent[0] >= LEAST and call.is_active(), "%d requests were taken, and the call ended: %s" % (sent[0], not call.is_active())
        bounded()
        # It waits, and goes on as it is read.
        for _ in range(sent[0] - 1):
            same(len(next(call).payload), BLOCK)
        harness.until("more requests to be taken", lambda: sent[0] > before)
        stop.set()
        call.cancel()
        same(status(lambda: list(call))[0], "CANCELLED")


def soaks(h, process, port):
    """Our client, while the server stands still."""
    for case in ("rpc_soak", "channel_soak"):
        with h.check("%s ends in time beside a server that no longer answers" % case):
            client = h.spawn([h.program("tests/interop/client"), "--server_port=" + port, "--test_case=" + case, "--soak_iterations=100000",
                              "--soak_max_failures=100000", "--soak_per_iteration_max_acceptable_latency_ms=60000", "--soak_request_size=10",
                              "--soak_response_size=10", "--soak_overall_timeout_seconds=3"])
            time.sleep(1)  # some iterations are answered
            process.freeze()
            try:
                same(client.wait(20), 1)
            finally:
                process.thaw()
            assert "DEADLINE_EXCEEDED" in client.text() and " of 100000 iterations within 3 s" in client.text(), client.text()[-500:]


def arguments(h):
    for args, why in ((["--use_alts=true"], "there is no ALTS here"), (["--use_alts"], "there is no ALTS here"),
                      (["--use_tls=true", "--tls_key_file=k"], "--tls_key_file=k: --tls_cert_file is missing"),
                      (["--use_tls=true", "--tls_cert_file=c"], "--tls_cert_file=c: --tls_key_file is missing"),
                      (["--tls_cert_file=c"], "--tls_cert_file=c: --tls_key_file is missing"),
                      (["--tls_cert_file=c", "--tls_key_file=k"], "--tls_cert_file=c: --use_tls=true is missing"),
                      (["--use_tls=false", "--tls_cert_file=c", "--tls_key_file=k"], "--tls_cert_file=c: --use_tls=true is missing")):
        with h.check("%s is refused" % " ".join(args)):
            process = h.spawn([h.program("tests/interop/server"), "--port=0"] + args)
            harness.until("end or a port", lambda: process.code is not None or process.lines)
            assert "listening" not in process.text(), "it listens"
            assert process.wait(10) == 2 and why in process.text(), process.text()
    with h.check("--use_alts=false is as good as nothing"):
        process = h.spawn([h.program("tests/interop/server"), "--port=0", "--use_alts=false"], ready="listening on port")
        same((process.terminate(), len(process.lines)), (0, 1))


def test(h):
    if grpc is None:
        raise harness.Skip("no grpcio for %s (package python3-grpcio)" % sys.executable)
    process = h.spawn([h.program("tests/interop/server"), "--port=0"])
    port = process.wait_line(r"listening on port (\d+)$").group(1)
    with grpc.insecure_channel("127.0.0.1:" + port) as channel:
        stub = Stub(channel)
        refusals(h, stub)
        streams(h, stub)
        metadata(h, stub)
        unary(h, stub, process)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            half_duplex(h, stub, pool)
            load(h, channel, stub, pool, port)
        services(h, port)
        memory(h, stub, process, measured=len(sys.argv) < 2)
    soaks(h, process, port)
    with h.check("it ends on SIGTERM"):
        same(process.terminate(), 0)
    with h.check("it ends on SIGTERM while one call has the report and others wait for it"):
        process = h.spawn([h.program("tests/interop/server"), "--port=0"])
        with grpc.insecure_channel("127.0.0.1:" + process.wait_line(r"listening on port (\d+)$").group(1)) as channel:
            calls = [Duplex(Stub(channel).FullDuplexCall) for _ in range(3)]
            same([call.ask(1) for call in calls], [1] * 3)
            same(calls[0].ask(2, cpu=0.1), 2)
            for call in calls[1:]:
                call.send([(3, 0)], cpu=0.2)
            same(process.terminate(), 0)
            for call in calls:
                call.cancel()
    arguments(h)


harness.main(test)
