"""Compression beyond gRPC's cases: deflate, bombs, limits, which replies of a stream, our command; and what else goes in trailers: long messages,
details.

    compression_test.py [SANITIZERS]     with sanitizers memory is not measured, since they hoard what is freed

The other side is Debian's grpcio, with the codec of py/, HTTP/2 by hand where it is to be seen what comes compressed, and our programs.
"""

import os
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(HERE, "py"), os.path.join(os.path.dirname(HERE), "peers")]
import harness  # noqa: E402

try:
    import grpc
except ImportError:
    grpc = None
from interop_pb import METHODS, SERVICE, OutputRequest, Payload, SimpleRequest  # noqa: E402
from mischief_frames import (  # noqa: E402
    ACK, DATA, HEADER_TABLE_SIZE, HEADERS, PREFACE, SETTINGS, data, frame, headers, message, read_block, read_frame, settings)

MIB = 1 << 20
LIMIT = 4 * MIB
COMPRESSED_CASES = ["server_compressed_unary", "server_compressed_streaming"]


class Stub:
    def __init__(self, channel):
        for name, (kind, request, reply) in METHODS.items():
            setattr(self, name, getattr(channel, kind)("/%s/%s" % (SERVICE, name), request_serializer=request.encode,
                                                       response_deserializer=reply.decode))


def status(call):
    """The error that call() ends with."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call succeeded")


def same(got, want):
    assert got == want, "%.300r, expected %.300r" % (got, want)


def rss_bytes(process):
    with open("/proc/%d/status" % process.pid) as lines:
        return 1024 * int(harness.field(r"VmRSS:\s+(\d+)", lines.read()))


def to_our_server(h, stub):
    for algorithm in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        with h.check("a client's %s" % algorithm.name):
            reply = stub.UnaryCall(SimpleRequest(100000, 100000, expect_compressed=True), compression=algorithm)
            same(len(reply.payload), 100000)
        with h.check("a stream of %s" % algorithm.name):
            same(stub.StreamingInputCall((Payload(50000) for _ in range(20)), compression=algorithm).size, 1000000)
        with h.check("%s both ways, small messages among them, which stay as they are" % algorithm.name):
            sizes = [0, 1, 1000, 7, 100000]
            requests = (OutputRequest([(size, 0)], size) for size in sizes)
            same([len(reply.payload or b"") for reply in stub.FullDuplexCall(requests, compression=algorithm)], sizes)


class Duplex:
    """A FullDuplexCall by hand. encoding: what its first headers announced."""

    def __init__(self, port, *more):
        self._sock = socket.create_connection(("127.0.0.1", int(port)), timeout=10)
        self._bytes, self.encoding = b"", None
        self._sock.sendall(PREFACE + settings((HEADER_TABLE_SIZE, 0)) + headers(
            1, (":method", "POST"), (":scheme", "http"), (":path", "/%s/FullDuplexCall" % SERVICE), (":authority", "test"), ("te", "trailers"),
            ("content-type", "application/grpc"), *more))

    def ask(self, compressed):
        """Asks for as many replies, each compressed, not, or, with None, as the server likes; which of them were."""
        request = OutputRequest([(1000, 0, choice) for choice in compressed])
        self._sock.sendall(data(1, message(request.encode())))
        return [self._read_flag() for _ in compressed]

    def _read(self, size):
        while len(self._bytes) < size:
            kind, flags, stream, payload = read_frame(self._sock)
            if kind == SETTINGS and not flags & ACK:
                self._sock.sendall(frame(SETTINGS, ACK, 0))
            elif kind == HEADERS and stream == 1:
                self.encoding = read_block(payload).get("grpc-encoding")
            elif kind == DATA and stream == 1:
                self._bytes += payload
        got, self._bytes = self._bytes[:size], self._bytes[size:]
        return got

    def _read_flag(self):
        prefix = self._read(5)
        size = int.from_bytes(prefix[1:], "big")
        self._read(size)
        same((prefix[0], size < 1000), (prefix[0], prefix[0] == 1))
        return prefix[0] == 1

    def close(self):
        self._sock.close()


def replies_of_a_stream(h, ports):
    """ports: {whether the server compresses unasked: its port}."""
    yes, no, unset = True, False, None
    for by_default, asked, want in (
            (False, [[unset], [yes], [unset], [no], [yes]], [[no], [yes], [no], [no], [yes]]),
            (False, [[no], [yes, no, unset, yes]], [[no], [yes, no, no, yes]]),
            (False, [[yes, unset], [unset, no, yes]], [[yes, no], [no, no, yes]]),
            (True, [[unset], [no], [unset], [yes], [no]], [[yes], [no], [yes], [yes], [no]]),
            (True, [[no], [unset], [yes]], [[no], [yes], [yes]])):
        with h.check("FullDuplexCall, compressed unasked: %s, asked: %s" % (by_default, asked)):
            call = Duplex(ports[by_default], ("grpc-accept-encoding", "identity,gzip"))
            same([call.ask(compressed) for compressed in asked], want)
            same(call.encoding, "gzip")
            call.close()
        with h.check("the same, from a client that does not take it"):
            call = Duplex(ports[by_default])
            same([call.ask(compressed) for compressed in asked], [[no] * len(compressed) for compressed in asked])
            assert call.encoding in (None, "identity"), call.encoding
            call.close()


def bombs(h, stub, process, measured):
    fits = LIMIT - 64  # the payload's own fields
    with h.check("a request up to the limit, compressed to a few KiB"):
        same(len(stub.UnaryCall(SimpleRequest(1, fits), compression=grpc.Compression.Gzip).payload), 1)
    base = rss_bytes(process)
    for algorithm in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        with h.check("a %s bomb of 256 MiB is RESOURCE_EXHAUSTED, in bounded memory" % algorithm.name):
            for size in (LIMIT + 1, 256 * MIB):
                error = status(lambda: stub.UnaryCall(SimpleRequest(1, size), compression=algorithm))
                same(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
                assert "decompressed has more than 4194304 bytes" in error.details(), error.details()
            grown = rss_bytes(process) - base
            assert not measured or grown < 8 * MIB, "memory grew by %d KiB" % (grown >> 10)


def our_command(h, port):
    rota = [h.program("tools/rota/rota"), "call", "127.0.0.1:" + port]
    method = SERVICE + "/UnaryCall"
    body = '{"payload": {"body": "%s"}, "responseSize": 300, "expectCompressed": {"value": %s}}'
    with h.check("rota call --gzip compresses, by reflection too, and reads what comes compressed"):
        called = h.run(rota + [method, "--gzip", "-d", body % ("A" * 400, "true")])
        assert called.code == 0 and "A" * 400 in called.text(), called.text()
    with h.check("rota call compresses nothing unasked"):
        called = h.run(rota + [method, "-d", body % ("A" * 400, "true")])
        assert called.code == 1 and "INVALID_ARGUMENT" in called.text(), called.text()


def bombs_at_our_command(h, port):
    rota = [h.program("tools/rota/rota"), "call", "127.0.0.1:" + port, SERVICE + "/UnaryCall", "-d"]
    with h.check("a reply of 64 MiB, compressed to 64 KiB, is RESOURCE_EXHAUSTED"):
        called = h.run(rota + ['{"responseSize": %d}' % (64 * MIB)])
        assert called.code == 1 and "RESOURCE_EXHAUSTED: reply: a message decompressed has more than 4194304 bytes" in called.text(), called.text()


def trailers(h, stub):
    for what, message in (("700 letters", "m" * 700), ("700 characters of three bytes", "\u20ac" * 700), ("line ends and per cents", "100%\r\n" * 200)):
        with h.check("a status message of %s comes whole" % what):
            same(status(lambda: stub.UnaryCall(SimpleRequest(status=(10, message)))).details(), message)
    for size in (700, 2000, 8000):
        request = {"status": (10, "m" * size)}
        for method, call in (("UnaryCall", lambda: stub.UnaryCall(SimpleRequest(**request))),
                             ("StreamingOutputCall", lambda: list(stub.StreamingOutputCall(OutputRequest(**request)))),
                             ("FullDuplexCall", lambda: list(stub.FullDuplexCall(iter([OutputRequest([(5, 0)]), OutputRequest(**request)]))))):
            with h.check("%s ends with a status message of %d letters" % (method, size)):
                error = status(call)
                same((error.code(), len(error.details())), (grpc.StatusCode.ABORTED, size))
                same(error.details(), "m" * size)
    with h.check("grpc-status-details-bin comes as it was set, beside a long message"):
        details = bytes(range(256)) * 4
        error = status(lambda: stub.UnaryCall(SimpleRequest(status=(10, "m" * 700)), metadata=[("x-test-details-bin", details)]))
        same([value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin"], [details])
        same(error.details(), "m" * 700)


def from_their_server(h, algorithm):
    server = h.spawn(h.peer_py(os.path.join(HERE, "py", "server.py")) + ["--port=0", "--compression=" + algorithm])
    port = server.wait_line(r"listening on port (\d+)$").group(1)
    for case in COMPRESSED_CASES + ["server_streaming", "ping_pong", "large_unary", "special_status_message", "custom_metadata"]:
        with h.check("our client, a server with %s: %s" % (algorithm, case)):
            client = h.run([h.program("tests/interop/client"), "--server_host=127.0.0.1", "--server_port=" + port, "--test_case=" + case])
            assert client.code == 0, client.text()
    same(server.terminate(), 0)


def test(h):
    if grpc is None:
        raise harness.Skip("no grpcio for %s (package python3-grpcio)" % sys.executable)
    process = h.spawn([h.program("tests/interop/server"), "--port=0", "--gzip=true"])
    port = process.wait_line(r"listening on port (\d+)$").group(1)
    plain = h.spawn([h.program("tests/interop/server"), "--port=0"])
    ports = {True: port, False: plain.wait_line(r"listening on port (\d+)$").group(1)}
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1), ("grpc.max_metadata_size", 16 << 10)]
    with grpc.insecure_channel("127.0.0.1:" + port, options) as channel:
        stub = Stub(channel)
        to_our_server(h, stub)
        replies_of_a_stream(h, ports)
        bombs(h, stub, process, measured=len(sys.argv) < 2)
        our_command(h, port)
        bombs_at_our_command(h, port)
        trailers(h, stub)
    with h.check("it ends on SIGTERM"):
        same([process.terminate(), plain.terminate()], [0, 0])
    for algorithm in ("gzip", "deflate"):
        from_their_server(h, algorithm)


harness.main(test)
