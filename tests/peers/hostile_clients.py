"""Rows of clients that misbehave on one connection, beyond what mischief_client.py has: (name, reactions, act, same).

The reactions are mischief_client's, with the number that goes with them: rst:1 and goaway:6 are error codes of RFC 9113, status:13 a status of
gRPC's, http:415 one of HTTP's. They are what the RFC demands, or what PROTOCOL-HTTP2 and gRPC's statuscodes.md say; where those leave a choice,
what we have chosen, as docs/http2-conformance.md says for HTTP/2. Several stand where it is a matter of time which comes. act gives the bytes for stream 1 or is a function of the socket. same: the rules cost the
offender a stream at most, so a good call on stream 101 of that very connection must succeed after it.
"""

import gzip
import struct
import time

from mischief_client import ASK, PATH, call, request
from mischief_frames import (
    ACK, COMPRESSION_ERROR, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE,
    NO_ERROR, PING, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, data, frame, goaway, header_block, headers, message, rst_stream,
    settings, window_update)

ROWS = []
LATER = 101  # the stream of the good call
MALFORMED = "rst:1"  # PROTOCOL_ERROR (RFC 9113, 8.1.1)
NO_METHOD = "status:12"  # UNIMPLEMENTED
INTERNAL = "status:13"
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
    row("no_%s" % _name[1:], MALFORMED, asked(*without(_name)), True)
for _name, _value in FIELDS[:4]:
    row("two_of_%s" % _name[1:], MALFORMED, asked((_name, _value), *FIELDS), True)
row("no_authority", "ok", asked(*without(":authority")), True)
row("pseudo_field_behind_others", MALFORMED, asked(*FIELDS[1:], FIELDS[0]), True)
row("unknown_pseudo_field", MALFORMED, asked((":cheese", "x"), *FIELDS), True)
row("status_in_a_request", MALFORMED, asked((":status", "200"), *FIELDS), True)
row("method_connect", "http:405", asked((":method", "CONNECT"), (":authority", "x:1")), True)
row("method_connect_with_path", MALFORMED, call(1, method="CONNECT"), True)
for _method in ("PUT", "OPTIONS", "HEAD", "post", "P OST"):
    row("method_%s" % _method.replace(" ", "_"), "http:405", call(1, method=_method), True)
row("method_empty", MALFORMED, call(1, method=""), True)
for _path in ("http://x" + PATH, "*", PATH + "/", "//" + PATH, PATH + "?a=b", PATH + "%00", "/" + "a" * 7000, "/../" * 100, "/proto.HelloService/say", "/\xff"):
    row("path_%r" % _path[:24], NO_METHOD, call(1, path=_path), True)
row("path_empty", MALFORMED, call(1, path=""), True)
# A string longer than any that we decode (RFC 7541, 7.4).
row("path_of_64_kib", "goaway:9", lambda sock: sock.sendall(long_block(("x", "y"), (":path", "/" + "a" * 65536))), True)
for _type in ("application/grpcfoo", "text/html", "", "application/grpc-web", "APPLICATION/GRPC2"):
    row("content_type_%s" % (_type.replace("/", "_") or "empty"), "http:415", call(1, content_type=_type), True)
row("content_type_text_html_without_end", "http:415", request(1, content_type="text/html"), True)
row("no_content_type", "http:415", call(1, content_type=None), True)
row("get_without_end", "http:405", request(1, method="GET"), True)
row("content_type_with_json", "ok", call(1, content_type="application/grpc+json"), True)
row("te_of_another_kind", MALFORMED, call(1, te="gzip"), True)
for _name, _value in (("connection", "close"), ("transfer-encoding", "chunked"), ("upgrade", "h2c"), ("keep-alive", "1"), ("proxy-connection", "x"),
                      ("X-Capital", "1"), ("", "empty"), ("a b", "1"), ("x", "a\r\nb"), ("x", "a\0b"), ("content-length", "5"),
                      ("content-length", "x"), ("content-length", "99999999999999999999")):
    row("field_%r_%r" % (_name, _value), MALFORMED, call(1, None, (_name, _value)), True)
row("content_length_right", "ok", call(1, None, ("content-length", str(len(message(ASK))))), True)
row("host_beside_authority", "ok", call(1, None, ("host", "elsewhere")), True)
row("cookies", "ok", call(1, None, *[("cookie", "a=%d" % i) for i in range(50)]), True)

# gRPC.

for _timeout in ("1", "S", "1s", "1X", "999999999S", "0x1S", " 1S", "1.5S", "1S1S", "", "-1S", "99999999999999999999H"):
    row("timeout_%r" % _timeout, INTERNAL, call(1, None, ("grpc-timeout", _timeout)), True)
row("timeout_99999999H", "ok", call(1, None, ("grpc-timeout", "99999999H")), True)
row("timeout_twice", "ok", call(1, None, ("grpc-timeout", "0n"), ("grpc-timeout", "1H")), True)
for _flag in (2, 3, 128, 255):
    row("flag_%d" % _flag, INTERNAL, call(1, message(ASK, flag=_flag)), True)
row("flag_1_with_identity", INTERNAL, call(1, message(ASK, flag=1), ("grpc-encoding", "identity")), True)
row("gzip_of_noise", INTERNAL, call(1, message(b"\x1f\x8bnoise", flag=1), ("grpc-encoding", "gzip")), True)
row("gzip_truncated", INTERNAL, call(1, message(gzip.compress(ASK)[:-9], flag=1), ("grpc-encoding", "gzip")), True)
row("gzip_bomb", "status:8", lambda sock: bomb(sock), True)
row("gzip_good", "ok", call(1, message(gzip.compress(ASK), flag=1), ("grpc-encoding", "gzip")), True)
row("two_messages", INTERNAL, call(1, message(ASK) * 2), True)
row("ten_thousand_empty_messages", INTERNAL, lambda sock: sock.sendall(request(1) + b"".join(data(1, message(b"") * 1000) for _ in range(10))), True)
row("three_thousand_messages_in_a_frame_each", INTERNAL, lambda sock: sock.sendall(request(1) + data(1, message(ASK)) * 3000))
row("message_without_end", "silence", lambda sock: sock.sendall(request(1) + data(1, message(ASK))), True)
row("message_of_which_a_byte_lacks", "silence", lambda sock: sock.sendall(request(1) + data(1, message(ASK)[:-1])), True)
row("prefix_in_five_frames", "ok", request(1) + b"".join(data(1, message(ASK)[i:i + 1]) for i in range(5)) + data(1, message(ASK)[5:], end=True), True)
row("padded", "ok", request(1) + frame(DATA, PADDED | END_STREAM, 1, b"\xff" + message(ASK) + bytes(255)), True)
row("metadata_of_6_kib", "ok", call(1, None, *[("x-%d" % i, "y" * 100) for i in range(45)]), True)
row("metadata_between_spaces", "ok", call(1, None, ("x", " a ")), True)
row("headers_in_single_bytes", "ok", lambda sock: sock.sendall(pieces(WHOLE) + BODY), True)
row("metadata_of_2_kib_in_single_bytes", "ok", lambda sock: sock.sendall(pieces(WHOLE + block(("x", "y" * 2000))) + BODY), True)
row("trailers_in_single_bytes", "ok", lambda sock: sock.sendall(request(1) + data(1, message(ASK)) + pieces(block(("x-a", "b" * 50)), END_STREAM)), True)
row("bin_of_noise", "ok", call(1, None, ("x-bin", "\x01*")), True)
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


def pieces(whole, flags=0):
    """A header block in frames of a byte."""
    return (frame(HEADERS, flags, 1, whole[:1]) + b"".join(frame(CONTINUATION, 0, 1, whole[i:i + 1]) for i in range(1, len(whole) - 1))
            + frame(CONTINUATION, END_HEADERS, 1, whole[-1:]))


for _name, _code, _bytes in (("settings_of_5", FRAME_SIZE_ERROR, frame(SETTINGS, 0, 0, bytes(5))), ("settings_ack_of_6", FRAME_SIZE_ERROR, frame(SETTINGS, ACK, 0, bytes(6))),
                      ("settings_on_a_stream", PROTOCOL_ERROR, frame(SETTINGS, 0, 1)), ("settings_push_2", PROTOCOL_ERROR, settings((ENABLE_PUSH, 2))),
                      ("settings_window_of_2_gib", FLOW_CONTROL_ERROR, settings((INITIAL_WINDOW_SIZE, 1 << 31))), ("settings_frames_of_1", PROTOCOL_ERROR, settings((MAX_FRAME_SIZE, 1))),
                      ("ping_of_7", FRAME_SIZE_ERROR, frame(PING, 0, 0, bytes(7))), ("ping_on_a_stream", PROTOCOL_ERROR, frame(PING, 0, 1, bytes(8))),
                      ("goaway_of_7", FRAME_SIZE_ERROR, frame(GOAWAY, 0, 0, bytes(7))), ("rst_stream_on_0", PROTOCOL_ERROR, rst_stream(0, 8)),
                      ("rst_stream_on_an_idle_stream", PROTOCOL_ERROR, rst_stream(99, 8)), ("window_update_on_an_idle_stream", PROTOCOL_ERROR, window_update(99, 1)),
                      ("window_update_0_on_the_connection", PROTOCOL_ERROR, window_update(0, 0)), ("window_update_of_3", FRAME_SIZE_ERROR, frame(WINDOW_UPDATE, 0, 0, bytes(3))),
                      ("window_overflows", FLOW_CONTROL_ERROR, window_update(0, 0x7FFFFFFF)), ("push_promise", PROTOCOL_ERROR, frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + WHOLE)),
                      ("data_on_0", PROTOCOL_ERROR, data(0, b"x")), ("headers_on_0", PROTOCOL_ERROR, headers(0, *FIELDS)), ("continuation_alone", PROTOCOL_ERROR, frame(CONTINUATION, END_HEADERS, 1, WHOLE)),
                      ("ping_within_a_block", PROTOCOL_ERROR, frame(HEADERS, 0, 1, WHOLE[:9]) + frame(PING, 0, 0, bytes(8))),
                      ("headers_within_a_block", PROTOCOL_ERROR, frame(HEADERS, 0, 1, WHOLE[:9]) + headers(3, *FIELDS)),
                      ("data_padding_longer", PROTOCOL_ERROR, request(1) + frame(DATA, PADDED, 1, b"\xffx")), ("headers_padding_longer", PROTOCOL_ERROR, frame(HEADERS, PADDED | END_HEADERS, 1, b"\xff" + WHOLE)),
                      ("empty_padded_headers", FRAME_SIZE_ERROR, frame(HEADERS, PADDED | END_HEADERS, 1)), ("frame_above_the_size", FRAME_SIZE_ERROR, request(1) + data(1, bytes(16385))),
                      ("hpack_index_0", COMPRESSION_ERROR, frame(HEADERS, END_HEADERS, 1, b"\x80")), ("hpack_index_out_of_range", COMPRESSION_ERROR, frame(HEADERS, END_HEADERS, 1, b"\xfe")),
                      ("hpack_huffman_of_eos", COMPRESSION_ERROR, frame(HEADERS, END_HEADERS, 1, b"\x00\x01a\x84\xff\xff\xff\xff")),
                      ("hpack_table_too_large", COMPRESSION_ERROR, frame(HEADERS, END_HEADERS, 1, b"\x3f\xe1\xff\x03" + WHOLE))):
    row(_name, "goaway:%d" % _code, _bytes)
row("priority_of_4", "rst:6", request(1) + frame(PRIORITY, 0, 1, bytes(4)))
row("headers_that_depend_on_themselves", "rst:1", frame(HEADERS, END_HEADERS | PRIORITIZED, 1, struct.pack(">IB", 1, 9) + WHOLE) + BODY)
row("window_of_the_stream_overflows", "rst:3", request(1) + window_update(1, 0x7FFFFFFF) + BODY, True)
row("data_after_the_end", "rst:5", call(1) + data(1, b"x"))
row("headers_after_the_end", "rst:5", call(1) + request(1))
row("trailers_that_do_not_end", MALFORMED, request(1) + data(1, message(ASK)) + headers(1, ("x-a", "b")), True)
row("trailers_with_a_pseudo_field", MALFORMED, request(1) + data(1, message(ASK)) + headers(1, (":path", "/"), end=True), True)
row("goaway_then_a_call", "ok", goaway(0, NO_ERROR) + call(1))
row("goaway_then_a_call_later", "goaway:0", lambda sock: (sock.sendall(goaway(0, NO_ERROR)), time.sleep(0.1), sock.sendall(call(1))))
row("goaway_with_an_error_then_a_call", "ok", goaway(0, 2) + call(1))
row("settings_up_and_down", "ok", b"".join(settings((HEADER_TABLE_SIZE, size), (INITIAL_WINDOW_SIZE, size)) for size in (0, 100, 65535)) + call(1))
row("window_below_zero", "ok", settings((INITIAL_WINDOW_SIZE, 1)) + call(1) + settings((INITIAL_WINDOW_SIZE, 0)) + window_update(1, 1000))
row("reset_within_the_headers", "goaway:1", frame(HEADERS, 0, 1, WHOLE[:20]) + frame(RST_STREAM, 0, 1, bytes(4)))
row("reset_then_more", "goaway:5", request(1) + rst_stream(1, 8) + BODY, True)
row("header_list_of_100_kib", "rst:11", lambda sock: sock.sendall(long_block(*[("x-%d" % i, "y" * 1000) for i in range(100)])), True)
row("hpack_bomb", "rst:11", lambda sock: sock.sendall(
    frame(HEADERS, END_STREAM, 1, WHOLE + b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000) + frame(CONTINUATION, END_HEADERS, 1, b"\xbe" * 16000)))
