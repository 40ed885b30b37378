"""Servers that misbehave, one function per way; MODES has them with what a gRPC client must make of them.

`raw` modes get the connection as it was accepted. The others get it once HTTP/2 stands, with the number of
each stream that asks; what such a mode sends is the answer.
"""

import random
import socket
import struct
import sys

from mischief_frames import (
    ACK, COMPRESSION_ERROR, DATA, END_HEADERS, ENHANCE_YOUR_CALM, HEADERS, INITIAL_WINDOW_SIZE, INTERNAL_ERROR,
    CONTINUATION, MAX_CONCURRENT_STREAMS, NO_ERROR, PING, PREFACE, PUSH_PROMISE, REFUSED_STREAM, SETTINGS, data, frame,
    goaway, header_block, headers, message, read_exactly, read_frame, rst_stream, settings, window_update)

MODES = {}  # name: Mode

REPLY = b"\x08\xc8\x01\x12\x0ehello mischief"  # proto.HelloReply {code: 200, value: "hello mischief"}
OK_HEADERS = ((":status", "200"), ("content-type", "application/grpc"))


class Mode:
    def __init__(self, function, raw, codes, first):
        self.name = function.__name__
        self.what = function.__doc__
        self.codes = codes.split()  # what a call to it may end with
        self.function, self.raw, self.first = function, raw, first


def raw(codes):
    def add(function):
        MODES[function.__name__] = Mode(function, True, codes, None)
        return function
    return add


def answer(codes, first=settings()):
    def add(function):
        MODES[function.__name__] = Mode(function, False, codes, first)
        return function
    return add


def say(line):
    """Prints a line in one piece: many threads have something to say."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def drain(sock):
    """Reads until the other side is done."""
    while sock.recv(65536):
        pass


def noise(size):
    return random.Random(7).randbytes(size)


# Modes that never get as far as a call.

@raw("UNAVAILABLE")
def http1(sock):
    """answers in HTTP/1.1"""
    sock.recv(100)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\nConnection: close\r\n\r\nno!\n")
    drain(sock)


@raw("UNAVAILABLE")
def close(sock):
    """accepts and closes"""


@raw("UNAVAILABLE")
def close_with_reset(sock):
    """accepts and resets"""
    reset(sock)


@raw("DEADLINE_EXCEEDED UNAVAILABLE")
def silent(sock):
    """accepts and says nothing"""
    drain(sock)


@raw("UNAVAILABLE")
def garbage(sock):
    """sends bytes that are no HTTP/2"""
    sock.sendall(noise(4096))
    drain(sock)


@raw("UNAVAILABLE INTERNAL")
def settings_then_garbage(sock):
    """begins well, goes on with noise"""
    sock.sendall(settings() + noise(4096))
    drain(sock)


@raw("UNAVAILABLE")
def half_settings(sock):
    """closes within its first frame"""
    sock.sendall(settings((MAX_CONCURRENT_STREAMS, 100))[:11])


@raw("UNAVAILABLE INTERNAL")
def frame_of_16_mib(sock):
    """announces a frame as long as can be said"""
    sock.sendall(settings() + frame(DATA, 0, 1, b"x" * 1000, length=0xFFFFFF))
    drain(sock)


@raw("UNAVAILABLE DEADLINE_EXCEEDED")
def settings_of_odd_size(sock):
    """sends SETTINGS of five bytes"""
    sock.sendall(frame(SETTINGS, 0, 0, b"12345"))
    drain(sock)


@raw("UNAVAILABLE DEADLINE_EXCEEDED")
def goaway_at_once(sock):
    """takes leave before any call, and closes"""
    sock.sendall(settings() + goaway(0, NO_ERROR))


@raw("UNAVAILABLE DEADLINE_EXCEEDED")
def goaway_and_stay(sock):
    """takes leave before any call, and keeps the connection"""
    sock.sendall(settings() + goaway(0, NO_ERROR))
    drain(sock)


@raw("UNAVAILABLE DEADLINE_EXCEEDED")
def goaway_too_many_pings(sock):
    """takes leave, complaining of pings"""
    sock.sendall(settings() + goaway(0, ENHANCE_YOUR_CALM, b"too_many_pings"))
    drain(sock)


# Modes that have a connection and spoil the call.

@answer("OK")
def good(sock, stream):
    """answers as it should: shows that the rest of this file is to be trusted"""
    sock.sendall(headers(stream, *OK_HEADERS) + data(stream, message(REPLY))
                 + headers(stream, ("grpc-status", "0"), end=True))


@answer("OK")
def drip(sock, stream):
    """answers as it should, a byte at a time"""
    whole = headers(stream, *OK_HEADERS) + data(stream, message(REPLY)) + headers(stream, ("grpc-status", "0"), end=True)
    for at in range(len(whole)):
        sock.sendall(whole[at:at + 1])


@answer("DEADLINE_EXCEEDED")
def ignore(sock, stream):
    """takes calls and never answers"""


@answer("DEADLINE_EXCEEDED", first=settings((MAX_CONCURRENT_STREAMS, 0)))
def no_streams(sock, stream):
    """allows no stream at all"""


@answer("DEADLINE_EXCEEDED", first=settings((INITIAL_WINDOW_SIZE, 0)))
def no_window(sock, stream):
    """lets no byte of a message come"""


@answer("UNAVAILABLE DEADLINE_EXCEEDED")
def refuse(sock, stream):
    """refuses every stream"""
    sock.sendall(rst_stream(stream, REFUSED_STREAM))


@answer("INTERNAL UNKNOWN")
def reset_stream(sock, stream):
    """resets every stream with an internal error"""
    sock.sendall(rst_stream(stream, INTERNAL_ERROR))


@answer("UNAVAILABLE")
def close_on_call(sock, stream):
    """closes the connection when a call comes"""
    sock.shutdown(socket.SHUT_RDWR)


@answer("UNAVAILABLE")
def close_within_message(sock, stream):
    """closes the connection within its answer"""
    sock.sendall(headers(stream, *OK_HEADERS) + data(stream, message(REPLY)[:7]))
    sock.shutdown(socket.SHUT_RDWR)


@answer("INTERNAL UNAVAILABLE UNKNOWN")
def bad_header_block(sock, stream):
    """sends headers that no decoder understands"""
    sock.sendall(frame(HEADERS, END_HEADERS, stream, b"\xff\xff\xff\xff\xff\xff\xff"))


@answer("INTERNAL UNAVAILABLE UNKNOWN RESOURCE_EXHAUSTED")
def headers_of_1_mib(sock, stream):
    """sends more headers than anybody wants"""
    block = header_block(*OK_HEADERS, *(("x-%d" % i, "y" * 1000) for i in range(1000)))
    sock.sendall(frame(HEADERS, 0, stream, block[:16384]))
    for at in range(16384, len(block), 16384):
        last = at + 16384 >= len(block)
        sock.sendall(frame(CONTINUATION, END_HEADERS if last else 0, stream, block[at:at + 16384]))


@answer("INTERNAL UNAVAILABLE UNKNOWN RESOURCE_EXHAUSTED DEADLINE_EXCEEDED")
def endless_headers(sock, stream):
    """sends one header block without end"""
    sock.sendall(frame(HEADERS, 0, stream, header_block(*OK_HEADERS)))
    for number in range(20000):
        sock.sendall(frame(CONTINUATION, 0, stream, header_block(("x-%d" % number, "y" * 100))))


@answer("INTERNAL UNAVAILABLE UNKNOWN")
def data_before_headers(sock, stream):
    """sends a message without headers"""
    sock.sendall(data(stream, message(REPLY)) + headers(stream, ("grpc-status", "0"), end=True))


@answer("INTERNAL UNAVAILABLE UNKNOWN")
def push(sock, stream):
    """pushes, which nobody asked for"""
    sock.sendall(frame(PUSH_PROMISE, END_HEADERS, stream, struct.pack(">I", 2) + header_block((":path", "/"))))


@answer("INTERNAL UNAVAILABLE RESOURCE_EXHAUSTED UNKNOWN")
def over_the_window(sock, stream):
    """sends 64 MiB whatever the window"""
    sock.sendall(headers(stream, *OK_HEADERS) + data(stream, message(b"", length=4 << 20)))
    for _ in range(4096):
        sock.sendall(data(stream, b"x" * 16384))


@answer("OK INTERNAL UNAVAILABLE")
def window_overflow(sock, stream):
    """opens a window beyond 2^31 - 1"""
    sock.sendall(window_update(stream, 0x7FFFFFFF) + window_update(0, 0x7FFFFFFF))
    good(sock, stream)


@answer("OK")
def pings(sock, stream):
    """sends a thousand pings before it answers"""
    sock.sendall(b"".join(frame(PING, 0, 0, struct.pack(">Q", i)) for i in range(1000)))
    good(sock, stream)


@answer("INTERNAL UNAVAILABLE UNKNOWN")
def goaway_within_call(sock, stream):
    """takes leave with an error while the call runs, disowning it, and closes"""
    sock.sendall(goaway(stream, COMPRESSION_ERROR, b"cannot read this"))
    sock.shutdown(socket.SHUT_RDWR)


# Modes whose HTTP/2 is sound and whose gRPC is not.

def reply(sock, stream, payload, *trailers, first=OK_HEADERS):
    sock.sendall(headers(stream, *first) + data(stream, payload) + headers(stream, *trailers, end=True))


@answer("INTERNAL UNKNOWN")
def truncated_message(sock, stream):
    """ends within a message, and calls it a success"""
    reply(sock, stream, message(REPLY, length=100), ("grpc-status", "0"))


@answer("INTERNAL UNKNOWN")
def truncated_prefix(sock, stream):
    """ends within a message's prefix"""
    reply(sock, stream, b"\0\0\0", ("grpc-status", "0"))


@answer("RESOURCE_EXHAUSTED")
def message_over_4_mib(sock, stream):
    """announces a message of 5 MiB"""
    sock.sendall(headers(stream, *OK_HEADERS) + data(stream, message(b"x" * 1000, length=5 << 20)))


@answer("RESOURCE_EXHAUSTED INTERNAL")
def message_of_4_gib(sock, stream):
    """announces a message as long as can be said"""
    sock.sendall(headers(stream, *OK_HEADERS) + data(stream, message(b"x" * 1000, length=0xFFFFFFFF)))


@answer("INTERNAL UNIMPLEMENTED UNKNOWN")
def compressed_without_encoding(sock, stream):
    """flags a message as compressed, having named no compression"""
    reply(sock, stream, message(REPLY, flag=1), ("grpc-status", "0"))


@answer("INTERNAL UNIMPLEMENTED UNKNOWN")
def unknown_encoding(sock, stream):
    """compresses with what nobody knows"""
    reply(sock, stream, message(REPLY, flag=1), ("grpc-status", "0"), first=(*OK_HEADERS, ("grpc-encoding", "mystery")))


@answer("INTERNAL UNKNOWN")
def unknown_flag(sock, stream):
    """flags a message with 7"""
    reply(sock, stream, message(REPLY, flag=7), ("grpc-status", "0"))


@answer("INTERNAL")
def bad_protobuf(sock, stream):
    """sends a message that is no protobuf"""
    reply(sock, stream, message(b"\xff\xff\xff\xff"), ("grpc-status", "0"))


@answer("INTERNAL UNIMPLEMENTED UNKNOWN CANCELLED")
def no_message(sock, stream):
    """says success and sends no reply"""
    sock.sendall(headers(stream, *OK_HEADERS) + headers(stream, ("grpc-status", "0"), end=True))


@answer("INTERNAL UNIMPLEMENTED UNKNOWN")
def two_messages(sock, stream):
    """sends two replies to a call that has one"""
    reply(sock, stream, message(REPLY) * 2, ("grpc-status", "0"))


@answer("INTERNAL UNKNOWN")
def no_status(sock, stream):
    """sends trailers without a status"""
    reply(sock, stream, message(REPLY), ("x-other", "1"))


@answer("INTERNAL UNKNOWN")
def no_trailers(sock, stream):
    """ends after the message"""
    sock.sendall(headers(stream, *OK_HEADERS) + data(stream, message(REPLY), end=True))


@answer("INTERNAL UNKNOWN")
def status_is_a_word(sock, stream):
    """says that its status is fine"""
    reply(sock, stream, message(REPLY), ("grpc-status", "fine"))


@answer("UNKNOWN")
def status_is_99(sock, stream):
    """has a status that does not exist"""
    reply(sock, stream, message(REPLY), ("grpc-status", "99"), ("grpc-message", "odd"))


@answer("UNKNOWN INTERNAL")
def status_is_negative(sock, stream):
    """has a status below zero"""
    reply(sock, stream, message(REPLY), ("grpc-status", "-1"))


@answer("NOT_FOUND")
def message_not_percent_encoded(sock, stream):
    """has a status message with stray percent signs"""
    sock.sendall(headers(stream, *OK_HEADERS, ("grpc-status", "5"), ("grpc-message", "100% %zz %4"), end=True))


@answer("OK INTERNAL UNKNOWN")
def metadata_not_base64(sock, stream):
    """has binary metadata that is not base64"""
    reply(sock, stream, message(REPLY), ("grpc-status", "0"), first=(*OK_HEADERS, ("x-a-bin", "*** !!")))


@answer("INTERNAL UNAVAILABLE UNKNOWN")
def header_in_capitals(sock, stream):
    """sends a header name in capitals"""
    reply(sock, stream, message(REPLY), ("grpc-status", "0"), first=(*OK_HEADERS, ("X-Bad", "1")))


@answer("UNKNOWN INTERNAL")
def html_200(sock, stream):
    """is a web server"""
    sock.sendall(headers(stream, (":status", "200"), ("content-type", "text/html")) + data(stream, b"<p>hello</p>", end=True))


@answer("UNKNOWN INTERNAL")
def no_content_type(sock, stream):
    """does not say what it sends"""
    reply(sock, stream, message(REPLY), ("x-other", "1"), first=((":status", "200"),))


@answer("UNKNOWN INTERNAL UNAVAILABLE")
def status_not_a_number(sock, stream):
    """has an HTTP status that is no number"""
    reply(sock, stream, message(REPLY), ("grpc-status", "0"), first=((":status", "ok"), OK_HEADERS[1]))


def _http(status, codes):
    def refuse_in_html(sock, stream):
        sock.sendall(headers(stream, (":status", str(status)), ("content-type", "text/html"))
                     + data(stream, b"<h1>no</h1>", end=True))
    refuse_in_html.__name__ = "html_%d" % status
    refuse_in_html.__doc__ = "is a web server or proxy that answers %d" % status
    answer(codes)(refuse_in_html)


for _status, _code in ((400, "INTERNAL"), (401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"), (404, "UNIMPLEMENTED"),
                       (429, "UNAVAILABLE"), (500, "UNKNOWN"), (502, "UNAVAILABLE"), (503, "UNAVAILABLE"),
                       (504, "UNAVAILABLE")):
    _http(_status, _code)


def serve_one(mode, sock):
    """One connection, to its end."""
    with sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if mode.raw:
                mode.function(sock)
                return
            if read_exactly(sock, len(PREFACE)) != PREFACE:
                return
            sock.sendall(mode.first)
            while True:
                kind, flags, stream, payload = read_frame(sock)
                if kind == SETTINGS and not flags & ACK:
                    sock.sendall(frame(SETTINGS, ACK, 0))
                elif kind == PING and not flags & ACK:
                    sock.sendall(frame(PING, ACK, 0, payload))
                elif kind == HEADERS:
                    say("%s call" % mode.name)
                    mode.function(sock, stream)
        except (OSError, EOFError):
            pass  # the other side has had enough
