"""How a server's connections end when nobody has done anything wrong, and when the other end does not read.

    connections_test.py age rota|go|py  connections live a tenth of a second: that client's calls do not fail
    connections_test.py idle            a connection without calls is drained, one with a call is not
    connections_test.py deaf            who reads nothing from the socket is cut off, and costs little until then
    connections_test.py tail            a draining server's last replies arrive, however slowly they are read
    connections_test.py total           what all connections hold together is bounded: who holds most is ended, others are served
"""

import os
import signal
import socket
import sys
import time

import harness

sys.path.insert(0, harness.TESTS_DIR + "/peers")
from mischief_client import OURS, call, request  # noqa: E402
from mischief_frames import (  # noqa: E402
    ACK, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, PING, PREFACE, SETTINGS, data, frame, message, read_block, read_frame, settings,
    window_update)

LISTENING = r"peer listening on (\S+)$"
AGE_MS = 100
CALLS = ["unary_echo", "unary_100_at_once", "unary_1000_in_a_row", "client_stream_2_mib", "server_stream_100", "server_stream_8_mib_slow_reader",
         "bidi_ping_pong"]


def client(h, kind):
    return {"rota": lambda: [h.program("tests/e2e/peer_client")], "go": lambda: [h.peer("gopeer"), "client"],
            "py": lambda: h.peer_py("pyclient.py")}[kind]()


def server(h, *flags):
    running = h.spawn([h.program("tests/e2e/peer_server"), *flags], name="server")
    running.addr = running.wait_line(LISTENING).group(1)
    return running


def ends(h, running):
    with h.check("the server ends on SIGTERM"):
        assert running.terminate() == 0
    return int(running.wait_line(r"^accepted (\d+)$").group(1))


def age(h, kind):
    running = server(h, "--max-age=%d" % AGE_MS)
    command, start_s = client(h, kind), time.monotonic()
    load = h.spawn([h.program("tests/load_client"), running.addr, "--rate=1000", "--count=5000", "--timeout=5000"], name="load")
    for i in range(3):
        h.check_program("%s client, round %d" % (kind, i), command + [running.addr] + CALLS, timeout_s=60)
    load.wait(60)
    with h.check("5000 calls beside them, none failed: " + load.lines[-1]):
        assert load.lines[-1] == "total 5000 failed 0"
    want = (time.monotonic() - start_s) * 1000 / AGE_MS / 2
    accepted = ends(h, running)
    with h.check("%d connections, at least %d" % (accepted, want)):
        assert accepted >= want


class Bare:
    """A connection by hand."""

    def __init__(self, addr, *pairs):
        host, _, port = addr.rpartition(":")
        self.sock = socket.create_connection((host, int(port)), timeout=10)
        self.sock.sendall(PREFACE + settings(*OURS, *pairs) + window_update(0, 1 << 30))

    def until(self, what):
        """Reads and answers until what(kind, flags, payload), then returns the payload."""
        while True:
            kind, flags, _stream, payload = read_frame(self.sock)
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.sock.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
            if what(kind, flags, payload):
                return payload

    def heard(self):
        """Returns when the other end has read all that was sent."""
        self.sock.sendall(frame(PING, 0, 0, b"rota-e2e"))
        self.until(lambda kind, flags, _payload: kind == PING and flags & ACK)

    def status(self):
        """The grpc-status of the next trailers."""
        return read_block(self.until(lambda kind, _flags, payload: kind == HEADERS and "grpc-status" in read_block(payload)))["grpc-status"]

    def end(self):
        """Reads to the end, which must come within the socket's timeout."""
        try:
            self.until(lambda *_frame: False)
        except (EOFError, ConnectionError):
            pass


def idle(h):
    running = server(h, "--max-idle=500")
    quiet, busy = Bare(running.addr), Bare(running.addr)
    busy.sock.sendall(request(1))  # and no more: the server waits for its message
    start_s = time.monotonic()
    with h.check("a connection without calls hears GOAWAY, then its end"):
        quiet.until(lambda kind, _flags, _payload: kind == GOAWAY)
        assert time.monotonic() - start_s > 0.4
        quiet.end()
    with h.check("one with a call goes on"):
        for _ in range(2):  # it has outlived three that were idle
            Bare(running.addr).until(lambda kind, _flags, _payload: kind == GOAWAY)
        busy.sock.sendall(data(1, message(b"\x0a\x01x"), end=True))
        assert busy.status() == "0"
    with h.check("its end comes after the call's"):
        busy.until(lambda kind, _flags, _payload: kind == GOAWAY)
        busy.end()
    ends(h, running)


def memory_kib(process, what):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as status:
        return int(harness.field(what + r":\s+(\d+) kB", status.read()))


def descriptors(process):
    return len(os.listdir("/proc/%d/fd" % process.pid))


def deaf(h):
    """Four who ask and never read: three say no more, one goes on asking."""
    running = server(h, "--write-timeout=1000")
    base_kib, base_descriptors = memory_kib(running, "VmRSS"), descriptors(running)
    long = message(b"\x0a\x80\x7d" + b"n" * 16000)
    bares = [Bare(running.addr, (INITIAL_WINDOW_SIZE, (1 << 31) - 1)) for _ in range(4)]
    for bare in bares:
        bare.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for stream in range(1, 1201, 2):
            bare.sock.sendall(call(stream, long))
    start_s, stream, gone_s = time.monotonic(), 1199, None
    bares[0].sock.settimeout(10)
    while gone_s is None and time.monotonic() - start_s < 20:
        stream += 2
        try:
            bares[0].sock.sendall(call(stream, long))
        except OSError:
            gone_s = time.monotonic() - start_s
    with h.check("who goes on asking is cut off after %s s" % gone_s):
        assert gone_s is not None
    with h.check("so are those who say no more"):
        harness.until("all are gone", lambda: descriptors(running) == base_descriptors, 15)
        assert 1 <= running.count(" WARN net: ") <= 4  # one a second tells of all, be they cut off for this or for asking too much
    grown_kib = memory_kib(running, "VmHWM") - base_kib
    with h.check("the server has grown by %d KiB at most" % grown_kib):
        assert grown_kib < 128 * 1024
    with h.check("others are served"):
        other = Bare(running.addr)
        other.sock.sendall(call(1))
        assert other.status() == "0"
    ends(h, running)


def tail(h):
    """A server that drains while the last replies, which it has given to the system, need seconds on their way."""
    running = server(h, "--grace=30000")
    slow, long = Bare(running.addr, (INITIAL_WINDOW_SIZE, (1 << 31) - 1)), message(b"\x0a\xe0\xd4\x03" + b"n" * 60000)
    slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    for stream in range(1, 201, 2):
        slow.sock.sendall(request(stream) + b"".join(data(stream, long[at:at + 16384]) for at in range(0, len(long), 16384)) + data(stream, end=True))
    running.wait_line("^receive:", count=100)
    os.kill(running.pid, signal.SIGTERM)
    with h.check("its client gets all of them"):
        for _ in range(100):
            time.sleep(0.05)
            assert slow.status() == "0"
            slow.sock.sendall(window_update(0, 60000))  # as clients do: bytes that a server which has gone would answer with a reset
        slow.end()
    with h.check("the server ends when it has"):
        slow.sock.close()
        assert running.wait(5) == 0


def total(h):
    """Connections with replies that they do not let through, until there is room for no more. Those beyond the bound may go as they come."""
    running = server(h, "--max-total=%d" % (8 << 20))
    base_kib = memory_kib(running, "VmRSS")
    long = message(b"\x0a\xe0\xd4\x03" + b"n" * 60000)  # fits into a window, and its reply is as long
    hoards = []

    def body(stream):
        return b"".join(data(stream, long[at:at + 16384]) for at in range(0, len(long), 16384)) + data(stream, end=True)
    for _ in range(4):
        hoard = Bare(running.addr, (INITIAL_WINDOW_SIZE, 0))
        for stream in range(1, 101, 2):
            hoard.sock.sendall(request(stream) + body(stream))
            hoard.heard()
        if len(hoards) < 2:
            running.wait_line("^receive:", count=len(hoards) * 50 + 50)
        hoards.append(hoard)
    other = Bare(running.addr)
    with h.check("one that holds little is served"):
        other.sock.sendall(request(1) + body(1))
        assert other.status() == "0"
    with h.check("the log says who was ended"):
        port = int(running.wait_line(":([0-9]+): ended, it held [0-9]+ of the 8388608 bytes").group(1))
    with h.check("who was ended hears why"):
        ended = next(hoard for hoard in hoards if hoard.sock.getsockname()[1] == port)
        away = ended.until(lambda kind, _flags, _payload: kind == GOAWAY)
        assert away[4:] == b"\0\0\0\x0btoo much of the server's memory waits for this connection", away
    grown_kib = memory_kib(running, "VmHWM") - base_kib
    with h.check("the server has grown by %d KiB at most" % grown_kib):
        assert grown_kib < 32 * 1024
    with h.check("and again, on the same connection"):
        other.sock.sendall(call(3))
        assert other.status() == "0"
    for hoard in hoards:
        hoard.sock.close()
    ends(h, running)


def test(h):
    scene = {"age": age, "idle": idle, "deaf": deaf, "tail": tail, "total": total}[sys.argv[1]]
    scene(h, *sys.argv[2:])


harness.main(test)
