"""Streams with a reader ten times slower than the writer: what memory they cost us, on either side.

    bulk_test.py PAIR MIB    PAIR: ours, goserver, goclient (the other side is ours); MIB go each way

How fast the pair is without waiting is measured first, then the reader takes ten times as long for each message. The bound
GROWN_MIB is on what our processes grow above their size after the first messages, at their largest.
"""

import sys

import harness

SIZE = 65536
PROBE_MIB = 128
SLOWER = 10
GROWN_MIB = 8


def memory_kib(process, what):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as status:
        return int(harness.field(what + r":\s+(\d+) kB", status.read()))


class Pair:
    def __init__(self, h, kind):
        ours, go = [h.program("tests/bulk_peer")], [h.peer("gobulk")]
        self.h = h
        self.server_command, self.server_ours = (go, False) if kind == "goserver" else (ours, True)
        self.client_command, self.client_ours = (go, False) if kind == "goclient" else (ours, True)

    def run(self, way, mib, read_us):
        """Seconds, and how much client and server grew, in KiB; None: not ours."""
        server = self.h.spawn(self.server_command + ["server"], name="server")
        addr = server.wait_line(r"^bulk listening on (\S+)$").group(1)
        count = mib * (1 << 20) // SIZE
        client = self.h.spawn(self.client_command + [way, addr, str(count), str(SIZE), str(read_us)], ready="^warm$", timeout_s=30, name="client")
        base_kib = memory_kib(server, "VmRSS")
        client.wait(60 + mib / 8)
        assert client.code == 0, client.text()
        done = client.wait_line(r"^done \d+ (\S+)(?: grown (-?\d+))?$")
        grown = (int(done.group(2)) if self.client_ours else None, memory_kib(server, "VmHWM") - base_kib if self.server_ours else None)
        server.kill()
        return float(done.group(1)), grown


def test(h):
    kind, mib = sys.argv[1], int(sys.argv[2])
    pair = Pair(h, kind)
    for way in ("up", "down"):
        fast_s, _grown = pair.run(way, PROBE_MIB, 0)
        read_us = max(1, round(SLOWER * fast_s / (PROBE_MIB * (1 << 20) / SIZE) * 1e6))
        slow_s, grown = pair.run(way, mib, read_us)
        print("%s: %.0f MiB/s unhindered, %.0f MiB/s read" % (way, PROBE_MIB / fast_s, mib / slow_s), flush=True)
        with h.check("%s: the reader was waited for" % way):
            assert slow_s >= 0.9 * mib * (1 << 20) / SIZE * read_us / 1e6
        for who, kib in zip(("client", "server"), grown):
            if kib is not None:
                with h.check("%s: our %s has grown by %d KiB at most" % (way, who, kib)):
                    assert kib < GROWN_MIB * 1024


if __name__ == "__main__":
    harness.main(test)
