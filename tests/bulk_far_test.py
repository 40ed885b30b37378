"""Streams to a server that is 50 ms away: windows must grow, or a stream gets no more than 1.3 MiB/s.

    bulk_far_test.py ours|goserver|goclient

A proxy keeps what it reads for half of the round trip. The Go server counts pings (gRFC A9) by its defaults, 5 minutes apart.
"""

import collections
import socket
import sys
import threading
import time

import harness
from bulk_test import SIZE, Pair

RTT_S = 0.05
MIB = 32
WORST_S = MIB / 1.3 / 4  # a quarter of what fixed windows take; a tenth is usual


class Far:
    def __init__(self, target):
        host, _, port = target.rpartition(":")
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addr = "%s:%d" % self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, far = self.listener.accept()[0], socket.create_connection(self.target)
            for one, other in ((near, far), (far, near)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                waiting, news = collections.deque(), threading.Condition()
                threading.Thread(target=self.read, args=(one, waiting, news), daemon=True).start()
                threading.Thread(target=self.write, args=(other, waiting, news), daemon=True).start()

    @staticmethod
    def read(sock, waiting, news):
        piece = b"-"
        while piece:
            try:
                piece = sock.recv(1 << 20)
            except OSError:
                piece = b""
            with news:
                waiting.append((time.monotonic() + RTT_S / 2, piece))
                news.notify()

    @staticmethod
    def write(sock, waiting, news):
        while True:
            with news:
                news.wait_for(lambda: waiting)
                due_s, piece = waiting.popleft()
            time.sleep(max(0, due_s - time.monotonic()))
            try:
                if not piece:
                    sock.shutdown(socket.SHUT_WR)
                    return
                sock.sendall(piece)
            except OSError:
                return


def test(h):
    pair = Pair(h, sys.argv[1])
    server = h.spawn(pair.server_command + ["server"], name="server")
    far = Far(server.wait_line(r"^bulk listening on (\S+)$").group(1))
    for way in ("up", "down"):
        client = h.run(pair.client_command + [way, far.addr, str(MIB * (1 << 20) // SIZE), str(SIZE), "0"], timeout_s=100, name="client")
        with h.check("%s: %s" % (way, client.lines[-1])):
            assert client.code == 0
            assert float(client.wait_line(r"^done \d+ (\S+)").group(1)) < WORST_S


harness.main(test)
