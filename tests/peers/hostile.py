"""A server that misbehaves as one row of a table says, and what a client made of it.

A row's misbehaviour is spent on its first `times` questions (streams, or connections for `raw` rows); whoever asks after that is
answered as they should be. So a row can demand that the calls that follow succeed, and on the very same connection where HTTP/2
ends but a stream.

A row's `act` gives the bytes that are sent to a stream once its question is whole, or is a function that takes the link and
the stream and sends what it likes; `first` is what the connection begins with.
"""

import socket
import struct
import threading

from mischief_frames import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, data, frame,
    header_block, headers, message, read_exactly, read_frame, settings)

CODES = ("OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED "
         "FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED").split()
ROWS = {}  # name: Row, of all modules that were imported

OK_HEADERS = ((":status", "200"), ("content-type", "application/grpc"))
OK_TRAILERS = (("grpc-status", "0"),)
BODY_BYTES = 1000
# grpc.testing.SimpleResponse {payload {body: 1000 zeros}}
REPLY = b"\x0a\xeb\x07\x12\xe8\x07" + bytes(BODY_BYTES)

SAME, NEW, ANY = "same", "new", "any"  # which connection the next call is on


class Row:
    """want: the codes that the first call may end with. conn: see above. go: grpc-go's codes where they are others; why: what
    sides with us then. deadline_ms is the calls'; `calls` of them are made, `gap_ms` apart, or beside each other with par."""

    def __init__(self, name, want, conn, act, *, times=1, first=None, raw=False, at_headers=False, deadline_ms=3000, calls=3, gap_ms=20,
                 par=False, go=None, why=None, then="OK"):
        self.name, self.conn, self.act = name, conn, act
        self.want, self.then, self.go = want.split(), then.split(), go.split() if go else None
        self.times, self.first, self.raw, self.at_headers = times, settings() if first is None else first, raw, at_headers
        self.deadline_ms, self.calls, self.gap_ms, self.par = deadline_ms, calls, gap_ms, par
        self.why = why


def row(name, *args, **more):
    assert name not in ROWS, name
    ROWS[name] = Row(name, *args, **more)


def good(stream, payload=None, trailers=OK_TRAILERS):
    """An answer as it should be."""
    return headers(stream, *OK_HEADERS) + data(stream, message(REPLY) if payload is None else payload) + headers(stream, *trailers, end=True)


def begin(stream, payload=b""):
    """An answer's headers and what there is of a body."""
    return headers(stream, *OK_HEADERS) + (data(stream, payload) if payload else b"")


def trailers(stream, *fields):
    return headers(stream, *(fields or OK_TRAILERS), end=True)


def only(stream, *fields, status="200", content_type="application/grpc"):
    """An answer of trailers alone."""
    start = [(":status", status)] if status is not None else []
    return headers(stream, *start, *([("content-type", content_type)] if content_type is not None else []), *fields, end=True)


def block(kind_flags_pieces, stream):
    """HEADERS and CONTINUATION frames: [(flags, bytes), ...]."""
    (flags, piece), *rest = kind_flags_pieces
    return frame(HEADERS, flags, stream, piece) + b"".join(frame(CONTINUATION, flags, stream, piece) for flags, piece in rest)


def cut_block(stream, size, *fields, end=False):
    """A header block in pieces of `size` bytes."""
    whole = header_block(*fields)
    pieces = [whole[at:at + size] for at in range(0, len(whole), size)]
    flags = [0] * (len(pieces) - 1) + [END_HEADERS]
    flags[0] |= END_STREAM if end else 0
    return block(list(zip(flags, pieces)), stream)


class Link:
    """One connection, seen from the server. settled: the other side has acknowledged settings."""

    def __init__(self, server, sock):
        self.server, self.sock, self.settled = server, sock, False
        self.window = self.initial = 65535  # the connection's window, and what streams begin with, for those who keep to them

    def send(self, octets):
        self.sock.sendall(octets)

    def frame(self):
        """The next frame; SETTINGS and PING are answered."""
        kind, flags, stream, payload = read_frame(self.sock)
        if kind in (SETTINGS, PING) and not flags & ACK:
            self.send(frame(kind, ACK, 0, payload if kind == PING else b""))
        if kind == SETTINGS:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[at:at + 6])
                self.initial = value if name == INITIAL_WINDOW_SIZE else self.initial
        if kind == WINDOW_UPDATE and stream == 0:
            self.window += struct.unpack(">I", payload)[0]
        self.settled = self.settled or kind == SETTINGS and flags & ACK
        return kind, flags, stream, payload

    def question(self):
        """The next stream that has asked all."""
        while True:
            kind, flags, stream, _ = self.frame()
            if kind in (DATA, HEADERS) and (flags & END_STREAM or kind == HEADERS and self.server.row.at_headers):
                return stream

    def until_closed(self):
        while self.sock.recv(65536):
            pass

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Server:
    """One row's. connections: how many have come; spent: how often it has misbehaved."""

    def __init__(self, row_):
        self.row, self.connections, self.spent, self.lock = row_, 0, 0, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.links = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                sock, _ = self.listener.accept()
                self.connections += 1
                self.links.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()
        except OSError:
            pass  # closed: the row is over

    def close(self):
        self.listener.close()
        for sock in self.links:
            sock.close()

    def misbehaves(self):
        with self.lock:
            self.spent += 1
            return self.spent <= self.row.times

    def act(self, link, stream):
        octets = self.row.act(link, stream) if self.row.act.__code__.co_varnames[0] == "link" else self.row.act(stream)
        if octets:
            link.send(octets)

    def _serve(self, sock):
        with sock:
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._talk(Link(self, sock))
            except (OSError, EOFError):
                pass  # the other side has had enough

    def _talk(self, link):
        if self.row.raw and self.misbehaves():
            self.act(link, 0)
            return
        if read_exactly(link.sock, len(PREFACE)) != PREFACE:
            return
        link.send(settings() if self.row.raw else self.row.first)
        while True:
            stream = link.question()
            if not self.row.raw and self.misbehaves():
                self.act(link, stream)
            else:
                link.send(good(stream))


__all__ = ["ANY", "BODY_BYTES", "CODES", "CONTINUATION", "NEW", "OK_HEADERS", "OK_TRAILERS", "REPLY", "ROWS", "RST_STREAM", "SAME", "Link", "Row",
           "Server", "begin", "block", "cut_block", "good", "only", "row", "trailers"]
