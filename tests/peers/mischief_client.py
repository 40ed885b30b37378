"""Clients that misbehave, one function per way; MODES has them with the reactions a server may choose from.

A reaction is what a mode's connection shows first, for the stream that matters if there is one:
    ok       a call was answered with status OK     status   with another status
    http     with an HTTP status other than 200     rst      the stream was reset
    goaway   the connection was given up, with an error code; closed: without a word
    silence  nothing of the above, for as long as we look
After each mode a proper call on a new connection must succeed: nobody else may suffer.
"""

import gzip
import socket
import struct
import time

from mischief_frames import (
    ACK, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, GOAWAY, HEADERS, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE,
    PING, PREFACE, RST_STREAM, SETTINGS, CANCEL, data, frame, header_block, headers, message, read_block, read_frame,
    rst_stream, settings, window_update)
from mischief_server import noise

MODES = {}  # name: Mode
PATH = "/proto.HelloService/Say"
ASK = b"\x0a\x08mischief"  # proto.HelloRequest {name: "mischief"}
OURS = ((HEADER_TABLE_SIZE, 0), (ENABLE_PUSH, 0))
LOOK_S, SILENCE_S = 3.0, 0.3


class Mode:
    def __init__(self, function, reactions, raw):
        self.name, self.what, self.function, self.raw = function.__name__, function.__doc__, function, raw
        self.reactions = reactions.split()


def mode(reactions, raw=False):
    def add(function):
        MODES[function.__name__] = Mode(function, reactions, raw)
        return function
    return add


def request(stream, *more, end=False, **changes):
    """The headers of a call; a pseudo-header or header may be changed, or left out with None."""
    fields = {":method": "POST", ":scheme": "http", ":path": PATH, ":authority": "mischief", "te": "trailers",
              "content-type": "application/grpc"}
    for name, value in changes.items():
        fields[{"content_type": "content-type", "te": "te"}.get(name, ":" + name)] = value
    return headers(stream, *((n, v) for n, v in fields.items() if v is not None), *more, end=end)


def call(stream, payload=None, *more, **changes):
    """A whole call."""
    return request(stream, *more, **changes) + data(stream, message(ASK) if payload is None else payload, end=True)


# Not HTTP/2, or not for long. These get a bare connection.

@mode("closed goaway", raw=True)
def http1_get(sock):
    """speaks HTTP/1.1"""
    sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


@mode("closed goaway", raw=True)
def garbage(sock):
    """sends bytes that are no HTTP/2"""
    sock.sendall(noise(4096))


@mode("closed goaway", raw=True)
def half_preface(sock):
    """ends within the preface"""
    sock.sendall(PREFACE[:10])
    sock.shutdown(socket.SHUT_WR)


@mode("silence closed goaway", raw=True)
def connect_only(sock):
    """connects and says nothing"""


@mode("closed goaway", raw=True)
def preface_then_garbage(sock):
    """begins well, goes on with noise"""
    sock.sendall(PREFACE + settings() + noise(4096))


@mode("closed goaway ok", raw=True)
def no_settings(sock):
    """asks without having sent SETTINGS"""
    sock.sendall(PREFACE + call(1))


# Broken HTTP/2, after a proper start.

@mode("closed goaway rst silence")
def frame_of_16_mib(sock):
    """announces a frame as long as can be said"""
    sock.sendall(request(1) + frame(DATA, 0, 1, b"x" * 1000, length=0xFFFFFF))


@mode("silence closed goaway rst")  # a server that decodes what it has sees our SETTINGS ACK as the rest of it
def half_a_frame(sock):
    """sends half a frame and waits"""
    sock.sendall(call(1)[:20])


@mode("closed goaway")
def bad_header_block(sock):
    """sends headers that no decoder understands"""
    sock.sendall(frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff\xff"))


@mode("closed goaway rst http status")
def headers_of_1_mib(sock):
    """sends more headers than anybody wants"""
    block = header_block((":method", "POST"), (":scheme", "http"), (":path", PATH), (":authority", "mischief"),
                         ("te", "trailers"), ("content-type", "application/grpc"),
                         *(("x-%d" % i, "y" * 1000) for i in range(1000)))
    pieces = [block[at:at + 16384] for at in range(0, len(block), 16384)]
    sock.sendall(frame(HEADERS, 0, 1, pieces[0])
                 + b"".join(frame(CONTINUATION, 0, 1, piece) for piece in pieces[1:-1])
                 + frame(CONTINUATION, END_HEADERS, 1, pieces[-1]) + data(1, message(ASK), end=True))


@mode("closed goaway rst")
def endless_headers(sock):
    """sends one header block without end"""
    sock.sendall(frame(HEADERS, 0, 1, header_block((":method", "POST"))))
    for number in range(100000):
        sock.sendall(frame(CONTINUATION, 0, 1, header_block(("x-%d" % number, "y" * 100))))


@mode("closed goaway")
def even_stream(sock):
    """opens a stream with a server's number"""
    sock.sendall(call(2))


@mode("closed goaway rst")
def stream_backwards(sock):
    """opens a stream with a lower number than the last"""
    sock.sendall(request(5) + call(3))


@mode("closed goaway rst")
def data_on_idle_stream(sock):
    """sends a message on a stream that it did not open"""
    sock.sendall(data(1, message(ASK), end=True))


@mode("closed goaway rst ok")
def window_update_of_zero(sock):
    """opens a window by nothing"""
    sock.sendall(request(1) + window_update(1, 0) + data(1, message(ASK), end=True))


@mode("closed goaway rst ok")
def window_overflow(sock):
    """opens a window beyond 2^31 - 1"""
    sock.sendall(request(1) + window_update(1, 0x7FFFFFFF) + data(1, message(ASK), end=True))


@mode("closed goaway rst ok")
def many_pings(sock):
    """sends ten thousand pings, then a call"""
    sock.sendall(b"".join(frame(PING, 0, 0, struct.pack(">Q", i)) for i in range(10000)) + call(1))


@mode("closed goaway rst ok")
def many_settings(sock):
    """sends ten thousand SETTINGS, then a call"""
    sock.sendall(settings() * 10000 + call(1))


@mode("closed goaway rst ok")
def rapid_reset(sock):
    """opens and resets five thousand streams, then calls"""
    for stream in range(3, 10003, 2):
        sock.sendall(request(stream) + rst_stream(stream, CANCEL))
    sock.sendall(call(10003))
    return 10003


@mode("closed goaway rst ok status")
def many_streams(sock):
    """leaves five thousand calls half asked, then calls"""
    for stream in range(3, 10003, 2):
        sock.sendall(request(stream))
    sock.sendall(call(10003))
    return 10003


@mode("silence closed goaway rst")
def never_reads(sock):
    """asks a hundred times and lets no byte of a reply come"""
    sock.sendall(settings((INITIAL_WINDOW_SIZE, 0)) + b"".join(call(stream) for stream in range(1, 201, 2)))


@mode("silence")
def half_a_call(sock):
    """asks and never finishes the question"""
    sock.sendall(request(1) + data(1, message(ASK)[:7]))


@mode("ok")
def cancelled_then_asked_again(sock):
    """cancels within a message, and calls on the same connection"""
    sock.sendall(request(1) + data(1, message(ASK)[:7]) + rst_stream(1, CANCEL) + call(3))
    return 3


# Sound HTTP/2 that is no gRPC.

@mode("ok")
def good(sock):
    """asks as it should: shows that the rest of this file is to be trusted"""
    sock.sendall(call(1))


@mode("ok")
def drip(sock):
    """asks as it should, a byte at a time"""
    for byte in call(1):
        sock.sendall(bytes([byte]))


@mode("http status rst")
def method_get(sock):
    """asks with GET"""
    sock.sendall(call(1, method="GET"))


@mode("http status rst goaway closed")
def no_path(sock):
    """asks for no path"""
    sock.sendall(call(1, path=None))


@mode("status")
def unknown_service(sock):
    """asks for a service that nobody has"""
    sock.sendall(call(1, path="/none.None/None"))


@mode("status http rst goaway closed")
def path_of_one_slash(sock):
    """asks for a path that names no method"""
    sock.sendall(call(1, path="/"))


@mode("status http rst goaway closed")
def path_without_slash(sock):
    """asks for a path that does not begin with a slash"""
    sock.sendall(call(1, path="Say"))


@mode("http status rst")
def content_type_json(sock):
    """sends another content type"""
    sock.sendall(call(1, content_type="application/json"))


@mode("http status rst ok")
def no_content_type(sock):
    """does not say what it sends"""
    sock.sendall(call(1, content_type=None))


@mode("http status rst ok")
def no_te(sock):
    """does not say that it takes trailers"""
    sock.sendall(call(1, te=None))


@mode("http status rst ok")
def timeout_is_a_word(sock):
    """has a deadline that is no number"""
    sock.sendall(call(1, None, ("grpc-timeout", "soon")))


@mode("http status rst ok")
def timeout_of_ten_digits(sock):
    """has a deadline of more digits than are allowed"""
    sock.sendall(call(1, None, ("grpc-timeout", "9999999999H")))


@mode("http status rst ok")
def timeout_negative(sock):
    """has a deadline below zero"""
    sock.sendall(call(1, None, ("grpc-timeout", "-1S")))


@mode("status rst ok")
def timeout_zero(sock):
    """has a deadline that is over at once"""
    sock.sendall(call(1, None, ("grpc-timeout", "0n")))


@mode("status rst")
def truncated_message(sock):
    """ends within a message"""
    sock.sendall(call(1, message(ASK, length=100)))


@mode("status rst")
def truncated_prefix(sock):
    """ends within a message's prefix"""
    sock.sendall(call(1, b"\0\0\0"))


@mode("status rst")
def message_over_4_mib(sock):
    """announces a message of 5 MiB"""
    sock.sendall(request(1) + data(1, message(b"x" * 1000, length=5 << 20)))


@mode("status rst")
def message_of_4_gib(sock):
    """announces a message as long as can be said"""
    sock.sendall(request(1) + data(1, message(b"x" * 1000, length=0xFFFFFFFF)))


@mode("status rst")
def compressed_without_encoding(sock):
    """flags a message as compressed, having named no compression"""
    sock.sendall(call(1, message(ASK, flag=1)))


@mode("status rst")
def unknown_encoding(sock):
    """compresses with what nobody knows"""
    sock.sendall(call(1, message(ASK, flag=1), ("grpc-encoding", "mystery")))


GZIP = ("grpc-encoding", "gzip")


@mode("status rst")
def gzip_bomb(sock):
    """sends 8 KiB that are 8 MiB"""
    sock.sendall(call(1, message(gzip.compress(bytes(8 << 20)), flag=1), GZIP))


@mode("status rst")
def gzip_cut_off(sock):
    """sends half a gzip"""
    sock.sendall(call(1, message(gzip.compress(noise(1000))[:500], flag=1), GZIP))


@mode("status rst")
def gzip_of_noise(sock):
    """sends noise and calls it gzip"""
    sock.sendall(call(1, message(noise(1000), flag=1), GZIP))


@mode("ok")
def gzip_good(sock):
    """compresses as it should: shows that the three before are to be trusted"""
    sock.sendall(call(1, message(gzip.compress(ASK), flag=1), GZIP))


@mode("status rst")
def unknown_flag(sock):
    """flags a message with 7"""
    sock.sendall(call(1, message(ASK, flag=7)))


@mode("status rst")
def bad_protobuf(sock):
    """sends a message that is no protobuf"""
    sock.sendall(call(1, message(b"\xff\xff\xff\xff")))


@mode("status rst")
def text_not_utf8(sock):
    """has a string that is not UTF-8"""
    sock.sendall(call(1, message(b"\x0a\x02\xff\xfe")))


@mode("status rst ok")
def nested_groups(sock):
    """sends sixty thousand nested groups as an unknown field"""
    body = message(b"\x7b" * 60000)  # what the first window takes
    sock.sendall(request(1) + b"".join(data(1, body[at:at + 16384]) for at in range(0, len(body), 16384))
                 + data(1, end=True))


@mode("status rst")
def no_message(sock):
    """asks without a message"""
    sock.sendall(request(1, end=True))


@mode("status rst ok")
def two_messages(sock):
    """asks twice in a call that has one message"""
    sock.sendall(call(1, message(ASK) * 2))


@mode("ok status rst http")
def metadata_not_base64(sock):
    """has binary metadata that is not base64"""
    sock.sendall(call(1, None, ("x-a-bin", "*** !!")))


@mode("rst goaway closed http status ok")
def header_in_capitals(sock):
    """sends a header name in capitals"""
    sock.sendall(call(1, None, ("X-Bad", "1")))


@mode("rst goaway closed http status ok")
def connection_header(sock):
    """sends a header that HTTP/2 has abolished"""
    sock.sendall(call(1, None, ("connection", "close")))


@mode("ok status rst")
def trailers_from_the_client(sock):
    """ends its question with trailers"""
    sock.sendall(request(1) + data(1, message(ASK)) + headers(1, ("x-late", "1"), end=True))


# Looking.

def reaction(sock, stream, seconds):
    """(kind, detail) of what comes first; answers SETTINGS and PING meanwhile."""
    end_s, drained = time.monotonic() + seconds, False
    try:
        while True:
            sock.settimeout(max(end_s - time.monotonic(), 0.001))
            kind, flags, on, payload = read_frame(sock)
            if kind in (SETTINGS, PING) and not flags & ACK:
                sock.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
            elif kind == GOAWAY and struct.unpack(">I", payload[4:8])[0] != 0:
                return "goaway", "code %d %s" % (struct.unpack(">I", payload[4:8])[0], payload[8:40].decode("latin-1"))
            elif kind == GOAWAY:
                drained = True  # the answer may be on its way
            elif kind == RST_STREAM and on == stream:
                return "rst", "code %d" % struct.unpack(">I", payload)[0]
            elif kind == HEADERS and on == stream:
                fields = read_block(payload)
                if "grpc-status" in fields:
                    kind_of = "ok" if fields["grpc-status"] == "0" else "status"
                    return kind_of, "%s %s" % (fields["grpc-status"], fields.get("grpc-message", ""))
                if fields.get("status", "200") != "200":
                    return "http", fields["status"]
                if flags & END_STREAM:
                    return "trailers without status", str(fields)
    except socket.timeout:
        return "silence", "for %gs" % seconds
    except (EOFError, ConnectionError):
        return ("goaway", "code 0") if drained else ("closed", "")


def connect(addr, start):
    host, _, port = addr.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if start:
        sock.sendall(PREFACE + settings(*OURS))
    return sock


def misbehave(addr, chosen):
    with connect(addr, not chosen.raw) as sock:
        stream = None
        try:
            stream = chosen.function(sock)
        except socket.timeout:
            return "stuck", "it reads no more, and keeps the connection"
        except OSError:
            pass  # it has closed while we wrote; why may still be read
        return reaction(sock, stream or 1, SILENCE_S if "silence" in chosen.reactions else LOOK_S)


def try_all(addr, names):
    passed = failed = 0
    for chosen in [MODES[name] for name in names] if names else MODES.values():
        got, detail = misbehave(addr, chosen)
        with connect(addr, True) as sock:
            good(sock)
            after, after_detail = reaction(sock, 1, LOOK_S)
        why = None
        if got not in chosen.reactions:
            why = "%s (%s), want one of: %s" % (got, detail, " ".join(chosen.reactions))
        elif after != "ok":
            why = "a good call after it: %s (%s)" % (after, after_detail)
        passed, failed = passed + (why is None), failed + (why is not None)
        print("FAIL %s: %s" % (chosen.name, why) if why else "ok %s: %s %s" % (chosen.name, got, detail), flush=True)
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1
