"""Rows of clients that misbehave on one connection, beyond what mischief_client.py has: (name, reactions, act, same).

The reactions are mischief_client's; act gives the bytes for stream 1 or is a function of the socket. same: the rules cost the
offender a stream at most, so a good call on stream 101 of that very connection must succeed after it.
"""

import gzip
import struct

from mischief_client import ASK, PATH, call, request
from mischief_frames import (
    ACK, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, GOAWAY, HEADERS, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE,
    NO_ERROR, PING, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, data, frame, goaway, header_block, headers, message, rst_stream,
    settings, window_update)

ROWS = []
LATER = 101  # the stream of the good call
GONE = "goaway closed"
REFUSED = "rst http status"
PADDED, PRIORITIZED = 0x8, 0x20


def row(name, reactions, act, same=False):
    ROWS.append((name, reactions.split(), act, same))


def block(*fields):
    return header_block(*fields)


FIELDS = ((":method", "POST"), (":scheme", "http"), (":path", PATH), (":authority", "mischief"), ("te", "trailers"),
          ("content-type", "application/grpc"))
WHOLE = block(*FIELDS)
BODY = data(1, message(ASK), end=True)


def asked(*fields, body=BODY):
    """A question of just these fields."""
    return headers(1, *fields) + body


def without(name, *more):
    return tuple(field for field in FIELDS if field[0] != name) + more


# What a request must look like.

for _name in (":method", ":scheme", ":path"):
    row("no_%s" % _name[1:], REFUSED, asked(*without(_name)), True)
for _name, _value in FIELDS[:4]:
    row("two_of_%s" % _name[1:], REFUSED, asked((_name, _value), *FIELDS), True)
row("no_authority", "ok " + REFUSED, asked(*without(":authority")), True)
row("pseudo_field_behind_others", REFUSED, asked(*FIELDS[1:], FIELDS[0]), True)
row("unknown_pseudo_field", REFUSED, asked((":cheese", "x"), *FIELDS), True)
row("status_in_a_request", REFUSED, asked((":status", "200"), *FIELDS), True)
row("method_connect", REFUSED, asked((":method", "CONNECT"), (":authority", "x:1")), True)
row("method_connect_with_path", REFUSED, call(1, method="CONNECT"), True)
for _method in ("PUT", "OPTIONS", "HEAD", "post", "", "P OST"):
    row("method_%s" % (_method.replace(" ", "_") or "empty"), REFUSED, call(1, method=_method), True)
for _path, _reactions in (("http://x" + PATH, REFUSED), ("*", REFUSED), ("", REFUSED), (PATH + "/", REFUSED), ("//" + PATH, REFUSED),
                          (PATH + "?a=b", REFUSED), (PATH + "%00", REFUSED), ("/" + "a" * 7000, REFUSED), ("/../" * 100, REFUSED),
                          ("/proto.HelloService/say", REFUSED), ("/\xff", REFUSED)):
    row("path_%r" % _path[:24], _reactions, call(1, path=_path), True)
row("path_of_64_kib", REFUSED + " " + GONE, lambda sock: sock.sendall(long_block(("x", "y"), (":path", "/" + "a" * 65536))), True)
for _type in ("application/grpcfoo", "text/html", "", "application/grpc-web", "APPLICATION/GRPC2"):
    row("content_type_%s" % (_type.replace("/", "_") or "empty"), REFUSED, call(1, content_type=_type), True)
row("content_type_text_html_without_end", REFUSED, request(1, content_type="text/html"), True)
row("no_content_type", REFUSED, call(1, content_type=None), True)
row("get_without_end", REFUSED, request(1, method="GET"), True)
row("content_type_with_json", "ok " + REFUSED, call(1, content_type="application/grpc+json"), True)
row("te_of_another_kind", "ok " + REFUSED, call(1, te="gzip"), True)
for _name, _value in (("connection", "close"), ("transfer-encoding", "chunked"), ("upgrade", "h2c"), ("keep-alive", "1"), ("proxy-connection", "x"),
                      ("X-Capital", "1"), ("", "empty"), ("a b", "1"), ("x", "a\r\nb"), ("x", "a\0b"), ("content-length", "5"),
                      ("content-length", "x"), ("content-length", "99999999999999999999")):
    row("field_%r_%r" % (_name, _value), REFUSED, call(1, None, (_name, _value)), True)
row("content_length_right", "ok", call(1, None, ("content-length", str(len(message(ASK))))), True)
row("host_beside_authority", "ok " + REFUSED, call(1, None, ("host", "elsewhere")), True)
row("cookies", "ok", call(1, None, *[("cookie", "a=%d" % i) for i in range(50)]), True)

# gRPC.

for _timeout in ("1", "S", "1s", "1X", "999999999S", "0x1S", " 1S", "1.5S", "1S1S", "", "-1S", "99999999999999999999H"):
    row("timeout_%r" % _timeout, "ok " + REFUSED, call(1, None, ("grpc-timeout", _timeout)), True)
row("timeout_of_nothing", "http status rst", call(1, None, ("grpc-timeout", "")), True)
row("timeout_99999999H", "ok", call(1, None, ("grpc-timeout", "99999999H")), True)
row("timeout_twice", "ok " + REFUSED, call(1, None, ("grpc-timeout", "0n"), ("grpc-timeout", "1H")), True)
for _flag in (2, 3, 128, 255):
    row("flag_%d" % _flag, REFUSED, call(1, message(ASK, flag=_flag)), True)
row("flag_1_with_identity", REFUSED, call(1, message(ASK, flag=1), ("grpc-encoding", "identity")), True)
row("gzip_of_noise", REFUSED, call(1, message(b"\x1f\x8bnoise", flag=1), ("grpc-encoding", "gzip")), True)
row("gzip_truncated", REFUSED, call(1, message(gzip.compress(ASK)[:-9], flag=1), ("grpc-encoding", "gzip")), True)
row("gzip_bomb", REFUSED, lambda sock: bomb(sock), True)
row("gzip_good", "ok", call(1, message(gzip.compress(ASK), flag=1), ("grpc-encoding", "gzip")), True)
row("two_messages", "ok " + REFUSED, call(1, message(ASK) * 2), True)
row("ten_thousand_empty_messages", "ok " + REFUSED, lambda sock: sock.sendall(request(1) + b"".join(data(1, message(b"") * 1000) for _ in range(10))), True)
row("ten_thousand_messages_in_a_frame_each", "ok " + REFUSED + " " + GONE, lambda sock: sock.sendall(request(1) + data(1, message(ASK)) * 3000))
row("message_without_end", "silence", lambda sock: sock.sendall(request(1) + data(1, message(ASK))), True)
row("message_of_which_a_byte_lacks", "silence", lambda sock: sock.sendall(request(1) + data(1, message(ASK)[:-1])), True)
row("prefix_in_five_frames", "ok", request(1) + b"".join(data(1, message(ASK)[i:i + 1]) for i in range(5)) + data(1, message(ASK)[5:], end=True), True)
row("padded", "ok", request(1) + frame(DATA, PADDED | END_STREAM, 1, b"\xff" + message(ASK) + bytes(255)), True)
row("metadata_of_6_kib", "ok", call(1, None, *[("x-%d" % i, "y" * 100) for i in range(45)]), True)
row("bin_of_noise", "ok " + REFUSED, call(1, None, ("x-bin", "\x01*")), True)
row("encodings_without_end", "ok", call(1, None, ("grpc-accept-encoding", "," * 4000)), True)

# Frames.


def bomb(sock):
    body = message(gzip.compress(bytes(20 << 20)), flag=1)
    sock.sendall(request(1, ("grpc-encoding", "gzip")) + b"".join(data(1, body[at:at + 16384]) for at in range(0, len(body), 16384)) + data(1, end=True))


def long_block(*fields, stream=1):
    whole = block(*(field for field in FIELDS if field[0] not in dict(fields)), *fields)
    pieces = [whole[at:at + 16384] for at in range(0, len(whole), 16384)]
    return (frame(HEADERS, END_STREAM, stream, pieces[0]) + b"".join(frame(CONTINUATION, 0, stream, piece) for piece in pieces[1:])
            + frame(CONTINUATION, END_HEADERS, stream))


for _name, _bytes in (("settings_of_5", frame(SETTINGS, 0, 0, bytes(5))), ("settings_ack_of_6", frame(SETTINGS, ACK, 0, bytes(6))),
                      ("settings_on_a_stream", frame(SETTINGS, 0, 1)), ("settings_push_2", settings((ENABLE_PUSH, 2))),
                      ("settings_window_of_2_gib", settings((INITIAL_WINDOW_SIZE, 1 << 31))), ("settings_frames_of_1", settings((MAX_FRAME_SIZE, 1))),
                      ("ping_of_7", frame(PING, 0, 0, bytes(7))), ("ping_on_a_stream", frame(PING, 0, 1, bytes(8))),
                      ("goaway_of_7", frame(GOAWAY, 0, 0, bytes(7))), ("rst_stream_on_0", rst_stream(0, 8)),
                      ("rst_stream_on_an_idle_stream", rst_stream(99, 8)), ("window_update_on_an_idle_stream", window_update(99, 1)),
                      ("window_update_0_on_the_connection", window_update(0, 0)), ("window_update_of_3", frame(WINDOW_UPDATE, 0, 0, bytes(3))),
                      ("window_overflows", window_update(0, 0x7FFFFFFF)), ("push_promise", frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + WHOLE)),
                      ("data_on_0", data(0, b"x")), ("headers_on_0", headers(0, *FIELDS)), ("continuation_alone", frame(CONTINUATION, END_HEADERS, 1, WHOLE)),
                      ("ping_within_a_block", frame(HEADERS, 0, 1, WHOLE[:9]) + frame(PING, 0, 0, bytes(8))),
                      ("headers_within_a_block", frame(HEADERS, 0, 1, WHOLE[:9]) + headers(3, *FIELDS)),
                      ("data_padding_longer", request(1) + frame(DATA, PADDED, 1, b"\xffx")), ("headers_padding_longer", frame(HEADERS, PADDED | END_HEADERS, 1, b"\xff" + WHOLE)),
                      ("empty_padded_headers", frame(HEADERS, PADDED | END_HEADERS, 1)), ("frame_above_the_size", request(1) + data(1, bytes(16385))),
                      ("hpack_index_0", frame(HEADERS, END_HEADERS, 1, b"\x80")), ("hpack_index_out_of_range", frame(HEADERS, END_HEADERS, 1, b"\xfe")),
                      ("hpack_huffman_of_eos", frame(HEADERS, END_HEADERS, 1, b"\x00\x01a\x84\xff\xff\xff\xff")),
                      ("hpack_table_too_large", frame(HEADERS, END_HEADERS, 1, b"\x3f\xe1\xff\x03" + WHOLE))):
    row(_name, GONE, _bytes)
row("priority_of_4", GONE + " rst", request(1) + frame(PRIORITY, 0, 1, bytes(4)))
row("headers_that_depend_on_themselves", "ok rst " + GONE, frame(HEADERS, END_HEADERS | PRIORITIZED, 1, struct.pack(">IB", 1, 9) + WHOLE) + BODY)
row("window_of_the_stream_overflows", "rst ok", request(1) + window_update(1, 0x7FFFFFFF) + BODY, True)
row("data_after_the_end", "ok rst " + GONE, call(1) + data(1, b"x"))
row("headers_after_the_end", "ok rst " + GONE, call(1) + request(1))
row("trailers_that_do_not_end", "rst " + GONE, request(1) + data(1, message(ASK)) + headers(1, ("x-a", "b")), True)
row("trailers_with_a_pseudo_field", "rst " + GONE, request(1) + data(1, message(ASK)) + headers(1, (":path", "/"), end=True), True)
row("goaway_then_a_call", "ok", goaway(0, NO_ERROR) + call(1))
row("goaway_with_an_error_then_a_call", "ok " + GONE, goaway(0, 2) + call(1))
row("settings_up_and_down", "ok", b"".join(settings((HEADER_TABLE_SIZE, size), (INITIAL_WINDOW_SIZE, size)) for size in (0, 100, 65535)) + call(1))
row("window_below_zero", "ok", settings((INITIAL_WINDOW_SIZE, 1)) + call(1) + settings((INITIAL_WINDOW_SIZE, 0)) + window_update(1, 1000))
row("reset_within_the_headers", GONE + " silence", frame(HEADERS, 0, 1, WHOLE[:20]) + frame(RST_STREAM, 0, 1, bytes(4)))
row("reset_then_more", "silence rst " + GONE, request(1) + rst_stream(1, 8) + BODY, True)
row("header_list_of_100_kib", "rst http status " + GONE, lambda sock: sock.sendall(long_block(*[("x-%d" % i, "y" * 1000) for i in range(100)])), True)
row("hpack_bomb", "rst http status " + GONE, lambda sock: sock.sendall(
    frame(HEADERS, END_STREAM, 1, WHOLE + b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000) + frame(CONTINUATION, END_HEADERS, 1, b"\xbe" * 16000)))
