"""Abuse of a server, which hangs up, stays small and serves others meanwhile.

    abuse_test.py floods     what is legal once, without end: who does it is disconnected
    abuse_test.py hoards     what makes a server keep things: it keeps no more than the bound
    abuse_test.py dawdlers   half of what must be whole (slow: half a minute)
    abuse_test.py pending    a thousand messages of 4 MiB that are not finished (slow)
    abuse_test.py idle N     N connections that say nothing

The bounds: RSS_MIB above what the server had before, for any of these; PENDING_MIB for unfinished messages, which is the server's
default max_pending_bytes and what surrounds them; IDLE_KIB for a connection that is idle. Others'
99th percentile at most doubles, or stays below NOISE_S, since attacker, server and the client beside share two cores; or what the machine
has else to do keeps the calls to another server, which nobody attacks, half as long meanwhile. In the instants that a flood lasts one call that
waits for a core is the percentile, hence TRIES; a server that suffers fails them all.
"""

import math
import re
import socket
import sys
import time

import harness

sys.path.insert(0, harness.TESTS_DIR + "/peers")
from mischief_client import OURS, call  # noqa: E402
from mischief_frames import ACK, END_STREAM, HEADERS, PING, PREFACE, SETTINGS, frame, read_frame, settings, window_update  # noqa: E402

ABUSE = [harness.PYTHON, "-u", harness.TESTS_DIR + "/peers/abuse.py"]
RSS_MIB = 128
PENDING_MIB = 512 + 32
IDLE_KIB = 6
NOISE_S = 0.03
TRIES = 3
QUIET_CALLS = 500
PAUSE_S = 0.002  # between calls, which leaves the cores to the two others
# {mode: how many pieces of peers/abuse.py must have been sent at the least}: what makes the scene and one more. Fewer, and it was something else
# that ended the connection. A flood's pieces are mostly a hundred frames; how many more there are is a matter of who runs when.
FLOODS = {**dict.fromkeys(["rapid_reset", "made_you_reset", "half_closed_reset", "streams_over_limit", "ping_flood", "ping_ack_flood", "settings_flood",
                           "empty_data_flood", "empty_headers_flood", "continuation_flood", "empty_continuation_flood", "header_bomb",
                           "priority_flood", "window_update_flood", "stream_window_flood", "unknown_frame_flood", "late_crumb_flood", "padding_flood",
                           "longer_than_said_reset", "endless_trailers_reset", "zero_increment_reset", "whole_calls_cancelled", "large_headers"], 2),
          **dict.fromkeys(["crumb_flood", "dribble"], 3)}
HOARDS = {"window_zero": 11, "never_read": 10, "unknown_fields": 258, "slow_body": 2}
DAWDLERS = {"half_preface": 1, "half_block": 1, "half_headers": 1}
PENDING = {"partial_messages": 40000}
FLOOD_S, HOARD_S, PENDING_S, DAWDLE_S, IDLE_S = 15, 3, 15, 30, 3


class Beside:
    """A client that behaves; each call is timed."""

    def __init__(self, addr):
        host, _, port = addr.rpartition(":")
        self.sock = socket.create_connection((host, int(port)), timeout=5)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(PREFACE + settings(*OURS) + window_update(0, 1 << 30))
        self.stream = -1

    def call(self):
        self.stream += 2
        start_s = time.monotonic()
        self.sock.sendall(call(self.stream))
        while True:
            kind, flags, stream, payload = read_frame(self.sock)
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.sock.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
            if kind == HEADERS and flags & END_STREAM and stream == self.stream:
                return time.monotonic() - start_s


def p99(times):
    return sorted(times)[math.ceil(len(times) * 0.99) - 1]


def memory_kib(process, what):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as status:
        return int(harness.field(what + r":\s+(\d+) kB", status.read()))


def serve(h, name):
    # The test has many connections, the server as many.
    command = ["sh", "-c", "ulimit -n $(ulimit -Hn); exec \"$0\" \"$@\"", h.program("examples/hello/server")]
    addr = "127.0.0.1:%d" % harness.free_port()
    return addr, h.spawn(command + ["--port=" + addr, "--registry=none"], ready="server starting", name=name)


def check_attack(attacker, want, least):
    """That it took place, and how it ended: want is a regular expression for the words before the number."""
    assert attacker.wait() == 0, "code %s" % attacker.code
    done = re.fullmatch("(?:%s) (\\d+)" % want, attacker.lines[-1])
    assert done, "want: " + want
    assert int(done.group(1)) >= least, "want %d at the least" % least


class Scene:
    def __init__(self, h):
        self.h = h
        self.addr, self.server = serve(h, "server")
        self.beside_calls = Beside(self.addr)
        self.elsewhere = Beside(serve(h, "other server")[0])
        self.quiet_s = p99([self.beside_calls.call() for _ in range(QUIET_CALLS)])
        self.base_kib = memory_kib(self.server, "VmRSS")

    def beside(self, mode, seconds, count):
        """The attacker, who has ended, and the times of calls meanwhile: to this server, to another."""
        attacker = self.h.spawn(ABUSE + [self.addr, mode, str(seconds), str(count)], ready="begun", timeout_s=60, name=mode)
        times, others = [self.beside_calls.call()], [self.elsewhere.call()]
        while attacker.running(PAUSE_S):
            times.append(self.beside_calls.call())
            others.append(self.elsewhere.call())
        return attacker, p99(times), p99(others), len(times)

    def attack(self, mode, seconds, want, least, count=1, bound_kib=RSS_MIB * 1024):
        for _try in range(TRIES):
            attacker, beside_s, others_s, n_calls = self.beside(mode, seconds, count)
            with self.h.check("%s: %s" % (mode, attacker.lines[-1])):
                check_attack(attacker, want, least)
            good = beside_s <= max(2 * self.quiet_s, NOISE_S, 2 * others_s)
            if good:
                break
        with self.h.check("%s: p99 of %d calls beside %.1f ms, %.1f elsewhere, %.1f when quiet" % (
                mode, n_calls, beside_s * 1e3, others_s * 1e3, self.quiet_s * 1e3)):
            assert good
        grown_kib = memory_kib(self.server, "VmHWM") - self.base_kib
        with self.h.check("%s: the server has grown by %d KiB at most" % (mode, grown_kib)):
            assert grown_kib <= bound_kib

    def end(self):
        with self.h.check("the server ends on SIGTERM"):
            assert self.server.terminate() == 0


def test(h):
    what = sys.argv[1]
    scene = Scene(h)
    if what == "floods":
        for mode, least in FLOODS.items():
            scene.attack(mode, FLOOD_S, "gone after", least)
    elif what == "hoards":
        for mode, least in HOARDS.items():
            # Who reads nothing at all may be cut off; the others break no rule.
            scene.attack(mode, HOARD_S, "kept|gone after" if mode == "never_read" else "kept", least)
    elif what == "pending":
        for mode, least in PENDING.items():
            scene.attack(mode, PENDING_S, "kept", least, bound_kib=PENDING_MIB * 1024)
    elif what == "dawdlers":
        for mode, least in DAWDLERS.items():
            scene.attack(mode, DAWDLE_S, "gone after", least)
    else:
        count = int(sys.argv[2])
        scene.attack("idle", IDLE_S + count / 1000, "kept", count, count, IDLE_KIB * count)
    scene.end()


if __name__ == "__main__":
    harness.main(test)
