"""Rows of misbehaving servers: HTTP/2 frames, header blocks and HPACK (RFC 9113, RFC 7541)."""

import struct

from hostile import ANY, NEW, OK_HEADERS, OK_TRAILERS, REPLY, SAME, begin, block, cut_block, good, only, row, trailers
from mischief_frames import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, data,
    frame, header_block, headers, message, rst_stream, settings, window_update)

PADDED, PRIORITIZED = 0x8, 0x20
ERROR = "INTERNAL UNAVAILABLE"  # of a connection that is given up
HEAD = header_block(*OK_HEADERS)
MESSAGE = message(REPLY)


def padded(kind, flags, stream, payload, size, claimed=None):
    return frame(kind, flags | PADDED, stream, bytes([size if claimed is None else claimed]) + payload + bytes(size))


# What is legal, however odd: the call succeeds.

row("good", "OK", SAME, good)
row("by_bytes", "OK", SAME, lambda link, s: [link.send(bytes([octet])) for octet in good(s)] and b"")
row("data_of_a_byte", "OK", SAME, lambda s: begin(s) + b"".join(data(s, MESSAGE[i:i + 1]) for i in range(len(MESSAGE))) + trailers(s))
row("prefix_in_five_frames", "OK", SAME,
    lambda s: begin(s) + b"".join(data(s, MESSAGE[i:i + 1]) for i in range(5)) + data(s, MESSAGE[5:]) + trailers(s))
row("unknown_frames_between", "OK", SAME,
    lambda s: (frame(0xFA, 0xFF, s, b"x" * 50) + begin(s) + frame(0xFB, 0, 0, b"") + data(s, MESSAGE) + frame(0x42, 0, s + 100, b"y") + trailers(s)))
row("unknown_flags", "OK", SAME,
    lambda s: (frame(HEADERS, END_HEADERS | 0xD2, s, HEAD) + frame(DATA, 0xF6, s, MESSAGE)
               + frame(HEADERS, END_HEADERS | END_STREAM | 0xD2, s, header_block(*OK_TRAILERS))))
row("reserved_bit_of_stream", "OK", SAME, lambda s: good(s | 0x80000000))
row("priority_and_ping_between", "OK", SAME,
    lambda s: begin(s) + frame(PRIORITY, 0, s, b"\0\0\0\0\x10") + frame(PING, 0, 0, b"12345678") + data(s, MESSAGE) + settings() + trailers(s))
row("padding_of_zero", "OK", SAME, lambda s: padded(HEADERS, END_HEADERS, s, HEAD, 0) + padded(DATA, 0, s, MESSAGE, 0) + trailers(s))
row("padding_of_255", "OK", SAME, lambda s: padded(HEADERS, END_HEADERS, s, HEAD, 255) + padded(DATA, 0, s, MESSAGE, 255) + trailers(s))
row("data_of_padding_alone", "OK", SAME, lambda s: begin(s) + padded(DATA, 0, s, b"", 200) * 10 + data(s, MESSAGE) + trailers(s))
row("priority_in_headers", "OK", SAME,
    lambda s: frame(HEADERS, END_HEADERS | PRIORITIZED, s, b"\0\0\0\0\x10" + HEAD) + data(s, MESSAGE) + trailers(s))
row("block_in_pieces", "OK", SAME, lambda s: cut_block(s, 5, *OK_HEADERS) + data(s, MESSAGE) + cut_block(s, 4, *OK_TRAILERS, end=True))
row("block_in_single_bytes", "OK", SAME, lambda s: cut_block(s, 1, *OK_HEADERS) + data(s, MESSAGE) + cut_block(s, 1, *OK_TRAILERS, end=True))
row("block_of_1000_single_bytes", "OK", SAME,
    lambda s: cut_block(s, 1, *OK_HEADERS, ("x-trace", "y" * 1000)) + data(s, MESSAGE) + cut_block(s, 1, *OK_TRAILERS, ("x-trace", "y" * 1000), end=True))
row("empty_headers_then_continuation", "OK", SAME,
    lambda s: block([(0, b""), (0, b""), (0, b""), (END_HEADERS, HEAD)], s) + data(s, MESSAGE) + trailers(s))
row("empty_data_with_end_after_trailers_come", "OK", ANY, lambda s: good(s) + data(s, b"", end=True))
row("window_updates_after_the_end", "OK", SAME, lambda s: good(s) + window_update(s, 100) + rst_stream(s, 0))
row("priority_after_the_end", "OK", SAME, lambda s: good(s) + frame(PRIORITY, 0, s, b"\0\0\0\0\x10"))
row("data_after_the_end", "OK", ANY, lambda s: good(s) + data(s, b"more"))
row("headers_after_the_end", "OK", ANY, lambda s: good(s) + trailers(s))
row("ping_ack_unasked", "OK", SAME, lambda s: frame(PING, ACK, 0, b"87654321") + good(s))
row("settings_ack_unasked", "OK " + ERROR, ANY, lambda s: frame(SETTINGS, ACK, 0) + good(s))


# Lengths that are wrong.

for _name, _kind, _flags, _where, _size in (
        ("rst_stream_of_3", RST_STREAM, 0, 1, 3), ("rst_stream_of_5", RST_STREAM, 0, 1, 5), ("ping_of_7", PING, 0, 0, 7),
        ("ping_of_9", PING, 0, 0, 9), ("settings_of_5", SETTINGS, 0, 0, 5), ("settings_ack_of_6", SETTINGS, ACK, 0, 6),
        ("window_update_of_3", WINDOW_UPDATE, 0, 1, 3), ("window_update_of_5", WINDOW_UPDATE, 0, 0, 5),
        ("goaway_of_7", GOAWAY, 0, 0, 7), ("goaway_of_0", GOAWAY, 0, 0, 0)):
    row(_name, ERROR, NEW, lambda s, kind=_kind, flags=_flags, where=_where, size=_size: frame(kind, flags, s * where, bytes(size)))
row("priority_of_4", "OK " + ERROR, ANY, lambda s: frame(PRIORITY, 0, s, bytes(4)) + good(s))
row("data_above_the_frame_size", ERROR, NEW, lambda s: begin(s) + data(s, b"x" * 16385))
row("headers_above_the_frame_size", ERROR, NEW,
    lambda s: frame(HEADERS, END_HEADERS, s, HEAD + header_block(("x-a", "y" * 16384))))
row("data_of_16_mib", ERROR, NEW, lambda s: begin(s) + frame(DATA, 0, s, b"x" * 1000, length=0xFFFFFF))
row("settings_of_16_mib", ERROR, NEW, lambda s: frame(SETTINGS, 0, 0, b"x" * 1000, length=0xFFFFFF))
row("unknown_frame_of_16_mib", ERROR, NEW, lambda s: frame(0xFA, 0, 0, b"x" * 1000, length=0xFFFFFF))
row("priority_block_of_3", ERROR, NEW, lambda s: frame(HEADERS, END_HEADERS | PRIORITIZED, s, b"\0\0\0"))
row("empty_padded_data", ERROR, NEW, lambda s: begin(s) + frame(DATA, PADDED, s, b""))
row("empty_padded_headers", ERROR, NEW, lambda s: frame(HEADERS, END_HEADERS | PADDED, s, b""))
row("data_padding_as_long_as_all", ERROR, NEW, lambda s: begin(s) + frame(DATA, PADDED, s, b"\x09" + b"x" * 8))
row("data_padding_longer", ERROR, NEW, lambda s: begin(s) + frame(DATA, PADDED, s, b"\xff" + b"x" * 8))
row("headers_padding_longer", ERROR, NEW, lambda s: frame(HEADERS, END_HEADERS | PADDED, s, b"\xff" + HEAD))

# Frames where they do not belong.

for _name, _kind, _payload in (("data_on_0", DATA, MESSAGE), ("headers_on_0", HEADERS, HEAD), ("rst_stream_on_0", RST_STREAM, bytes(4)),
                               ("priority_on_0", PRIORITY, bytes(5)), ("continuation_on_0", CONTINUATION, HEAD),
                               ("push_promise_on_0", PUSH_PROMISE, b"\0\0\0\2" + HEAD)):
    row(_name, ERROR, NEW, lambda s, kind=_kind, payload=_payload: frame(kind, END_HEADERS if kind != DATA else 0, 0, payload))
for _name, _kind, _payload in (("settings_on_a_stream", SETTINGS, b""), ("ping_on_a_stream", PING, bytes(8)), ("goaway_on_a_stream", GOAWAY, bytes(8))):
    row(_name, ERROR, NEW, lambda s, kind=_kind, payload=_payload: frame(kind, 0, s, payload))
row("data_on_an_idle_stream", ERROR, NEW, lambda s: data(s + 100, b"x"), go="DEADLINE_EXCEEDED", deadline_ms=700,
    why="RFC 9113, 5.1: on an idle stream anything but HEADERS or PRIORITY is a connection error")
row("headers_on_an_idle_stream", ERROR, NEW, lambda s: trailers(s + 100), go="DEADLINE_EXCEEDED", deadline_ms=700,
    why="RFC 9113, 5.1.1: a stream that the client has not opened")
row("headers_on_an_even_stream", ERROR, NEW, lambda s: begin(2), go="DEADLINE_EXCEEDED", deadline_ms=700,
    why="RFC 9113, 5.1.1: a server opens streams by PUSH_PROMISE alone")
row("rst_stream_on_an_idle_stream", ERROR, NEW, lambda s: rst_stream(s + 100, 8), go="DEADLINE_EXCEEDED", deadline_ms=700,
    why="RFC 9113, 6.4: RST_STREAM of an idle stream is a connection error")
row("window_update_on_an_idle_stream", ERROR, NEW, lambda s: window_update(s + 100, 1), go="DEADLINE_EXCEEDED", deadline_ms=700,
    why="RFC 9113, 5.1")
row("push_promise", ERROR, NEW, lambda s: frame(PUSH_PROMISE, END_HEADERS, s, struct.pack(">I", 2) + header_block((":path", "/"))) + good(s),
    go="OK " + ERROR, why="RFC 9113, 6.6: with ENABLE_PUSH 0 it is a connection error")
row("data_before_headers", ERROR, ANY, lambda s: data(s, MESSAGE) + trailers(s), go="UNKNOWN INTERNAL", why="the answer is malformed")
row("data_on_the_connection_of_a_dead_stream", "INTERNAL", SAME, lambda s: begin(s) + rst_stream(s, 2) + data(s, b"x") + trailers(s))

# Header blocks out of order.

for _name, _between in (("data_within_a_block", lambda s: data(s, b"x")), ("ping_within_a_block", lambda s: frame(PING, 0, 0, bytes(8))),
                        ("settings_within_a_block", lambda s: settings()), ("unknown_frame_within_a_block", lambda s: frame(0xFA, 0, 0, b"")),
                        ("other_block_within_a_block", lambda s: headers(s + 2, *OK_HEADERS)),
                        ("headers_again_within_a_block", lambda s: headers(s, *OK_HEADERS)),
                        ("other_continuation_within_a_block", lambda s: frame(CONTINUATION, END_HEADERS, s + 2, HEAD))):
    row(_name, ERROR, NEW, lambda s, between=_between: frame(HEADERS, 0, s, HEAD[:9]) + between(s) + frame(CONTINUATION, END_HEADERS, s, HEAD[9:]))
row("continuation_without_headers", ERROR, NEW, lambda s: frame(CONTINUATION, END_HEADERS, s, HEAD))
row("continuation_after_the_block", ERROR, NEW, lambda s: begin(s) + frame(CONTINUATION, END_HEADERS, s, HEAD))
row("continuation_after_data", ERROR, NEW, lambda s: begin(s, MESSAGE) + frame(CONTINUATION, END_HEADERS, s, HEAD))
row("block_without_end", "DEADLINE_EXCEEDED " + ERROR, ANY, lambda s: frame(HEADERS, 0, s, HEAD), deadline_ms=700, then="OK DEADLINE_EXCEEDED UNAVAILABLE")

# Windows.

row("window_update_0_on_the_stream", "INTERNAL", ANY, lambda s: window_update(s, 0) + good(s), go="OK " + ERROR,
    why="RFC 9113, 6.9: an increment of 0 is a stream error")
row("window_update_0_on_the_connection", ERROR, NEW, lambda s: window_update(0, 0) + good(s), go="OK " + ERROR,
    why="RFC 9113, 6.9: on the connection it is a connection error")
row("window_of_the_stream_overflows", "INTERNAL OK", SAME, lambda s: window_update(s, 0x7FFFFFFF) * 2 + good(s))
row("window_of_the_connection_overflows", ERROR, NEW, lambda s: window_update(0, 0x7FFFFFFF) * 2, go="DEADLINE_EXCEEDED OK",
    deadline_ms=700, why="RFC 9113, 6.9.1: a window above 2^31-1 is a connection error")


def over_the_window(link, stream):
    link.send(begin(stream, message(b"", length=4 << 20)))
    for _ in range(4096):
        link.send(data(stream, b"x" * 16384))


row("data_over_all_windows", "INTERNAL UNAVAILABLE RESOURCE_EXHAUSTED", ANY, over_the_window)

# HPACK.

def hpack(name, octets, want=ERROR, conn=NEW, **more):
    row("hpack_" + name, want, conn, lambda s: frame(HEADERS, END_HEADERS, s, octets), **more)


hpack("index_0", b"\x80")
hpack("index_out_of_range", b"\x88\xfe")
hpack("index_enormous", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
hpack("literal_of_index_out_of_range", b"\x88\x7e\x01x")
hpack("integer_unfinished", b"\xff")
hpack("string_unfinished", b"\x88\x00\x05ab")
hpack("string_longer_than_the_block", b"\x88\x00\x7f\xff\xff\x7f")
hpack("huffman_of_eos", b"\x88\x00\x01a\x84\xff\xff\xff\xff")
hpack("huffman_padding_of_zeros", b"\x88\x00\x01a\x81\x00")
hpack("huffman_padding_too_long", b"\x88\x00\x01a\x82\x1f\xff")
hpack("table_above_the_setting", b"\x3f\xe1\xff\x03" + HEAD)
hpack("table_size_at_the_end", HEAD + b"\x20", go="DEADLINE_EXCEEDED", deadline_ms=700, why="RFC 7541, 4.2: at the beginning of a block only")
row("hpack_table_size_0", "OK", SAME, lambda s: frame(HEADERS, END_HEADERS, s, b"\x20" + HEAD) + data(s, MESSAGE) + trailers(s))
row("hpack_dynamic_table_used", "OK", SAME,
    lambda s: frame(HEADERS, END_HEADERS, s, b"\x88\x5f\x10application/grpc") + data(s, MESSAGE) + headers(s, *OK_TRAILERS, end=True))


def bomb(stream, count):
    """A field of 4000 bytes in the table, then a byte for each time it is meant."""
    return cut(stream, HEAD + b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * count)


def cut(stream, whole):
    pieces = [whole[at:at + 16384] for at in range(0, len(whole), 16384)]
    return block(list(zip([0] * (len(pieces) - 1) + [END_HEADERS], pieces)), stream)


LARGE = "RESOURCE_EXHAUSTED UNAVAILABLE"  # that of the stream, or of a connection that does it too often
THEIRS = "INTERNAL " + LARGE
OURS = "what a header list above the limit ends with is not laid down; gRPC C++ says the same as we"
row("hpack_bomb_of_64_mib", LARGE, ANY, lambda s: bomb(s, 16000), go=THEIRS, why=OURS)
row("hpack_bomb_of_400_mib", LARGE, ANY, lambda s: bomb(s, 100000), go=THEIRS, why=OURS)
row("hpack_bombs_on", LARGE, ANY, lambda link, s: [link.send(bomb(s, 12000)) for _ in range(50)] and b"", go=THEIRS, why=OURS)
row("header_list_of_1_mib", LARGE, ANY, lambda s: cut_block(s, 16384, *OK_HEADERS, *(("x-%d" % i, "y" * 1000) for i in range(1000))) + good(s),
    go="OK " + THEIRS, why="the limit that SETTINGS_MAX_HEADER_LIST_SIZE announced; grpc-go's is 16 MiB")
row("header_list_of_12_kib", "RESOURCE_EXHAUSTED", SAME, lambda s: headers(s, *OK_HEADERS, *(("x-%d" % i, "y" * 1000) for i in range(12))) + good(s)[len(begin(s)):],
    go="OK " + THEIRS, why="the same: 8 KiB are announced")
row("trailer_list_of_12_kib", "RESOURCE_EXHAUSTED", SAME,
    lambda s: begin(s, MESSAGE) + headers(s, *OK_TRAILERS, *(("x-%d" % i, "y" * 1000) for i in range(12)), end=True),
    go="OK " + THEIRS, why="the same")
row("ten_thousand_small_fields", LARGE, ANY, lambda s: cut(s, HEAD + b"\x00\x01a\x00" * 10000), go="OK " + THEIRS + " DEADLINE_EXCEEDED",
    deadline_ms=700, why="the same")

# Fields that HTTP/2 forbids: the answer is malformed, its stream is reset, and nothing else (8.1.1).

def malformed(name, fields, go="OK", **more):
    row(name, "INTERNAL", SAME, lambda s: headers(s, *fields) + data(s, MESSAGE) + trailers(s), go=go + " INTERNAL UNKNOWN UNAVAILABLE",
        why="RFC 9113, 8.2 and 8.3: the answer is malformed", **more)


GRPC = OK_HEADERS[1]
malformed("no_status_field", [GRPC])
malformed("two_status_fields", [OK_HEADERS[0], *OK_HEADERS])
for _text in ("", "ok", "20", "2000", "+20", "0x0", " 200", "2 0"):
    malformed("status_field_%r" % _text, [(":status", _text), GRPC])
malformed("status_field_behind_others", [GRPC, OK_HEADERS[0]])
malformed("unknown_pseudo_field", [OK_HEADERS[0], (":cheese", "x"), GRPC])
malformed("pseudo_field_of_requests", [OK_HEADERS[0], (":path", "/"), GRPC])
malformed("name_in_capitals", [*OK_HEADERS, ("X-Bad", "1")])
malformed("name_empty", [*OK_HEADERS, ("", "1")])
malformed("name_with_a_space", [*OK_HEADERS, ("x bad", "1")])
malformed("name_with_a_colon", [*OK_HEADERS, ("x:bad", "1")])
malformed("name_not_ascii", [*OK_HEADERS, (b"x-\xff", "1")])
malformed("value_with_a_zero", [*OK_HEADERS, ("x-bad", b"a\0b")])
malformed("value_with_a_line_end", [*OK_HEADERS, ("x-bad", "a\r\nb")])
malformed("connection_field", [*OK_HEADERS, ("connection", "close")])
malformed("keep_alive_field", [*OK_HEADERS, ("keep-alive", "timeout=5")])
malformed("transfer_encoding_field", [*OK_HEADERS, ("transfer-encoding", "chunked")])
malformed("upgrade_field", [*OK_HEADERS, ("upgrade", "h2c")])
malformed("proxy_connection_field", [*OK_HEADERS, ("proxy-connection", "close")])
malformed("content_length_no_number", [*OK_HEADERS, ("content-length", "many")])
malformed("content_length_twice", [*OK_HEADERS, ("content-length", "1011"), ("content-length", "5")])
malformed("content_length_too_small", [*OK_HEADERS, ("content-length", "5")])
malformed("content_length_too_large", [*OK_HEADERS, ("content-length", "5000")])
row("content_length_right", "OK", SAME, lambda s: headers(s, *OK_HEADERS, ("content-length", str(len(MESSAGE)))) + data(s, MESSAGE) + trailers(s))

# 1xx.

HINTS = ((":status", "103"), ("link", "</x>; rel=preload"))
INTERIM = "RFC 9113, 8.1: interim responses come before the response"
row("100_first", "OK", SAME, lambda s: headers(s, (":status", "100")) + good(s), go="UNKNOWN", why=INTERIM)
row("103_ten_times", "OK", SAME, lambda s: headers(s, *HINTS) * 10 + good(s), go="UNKNOWN", why=INTERIM)
row("103_with_a_grpc_status", "OK", SAME, lambda s: headers(s, *HINTS, ("grpc-status", "5"), GRPC) + good(s), go="INTERNAL", why=INTERIM)
row("103_without_end_of_them", "OK " + LARGE, ANY, lambda s: headers(s, *HINTS) * 20000 + good(s), go="UNKNOWN", why=INTERIM)
row("100_that_ends_the_stream", "INTERNAL", SAME, lambda s: headers(s, (":status", "100"), end=True), go="INTERNAL UNKNOWN UNAVAILABLE",
    why="RFC 9113, 8.1: a 1xx that ends the stream is malformed")
row("100_after_the_headers", "INTERNAL", SAME, lambda s: begin(s) + headers(s, (":status", "100")) + data(s, MESSAGE) + trailers(s),
    go="INTERNAL UNKNOWN UNAVAILABLE OK", why="RFC 9113, 8.1")
row("data_after_100", "INTERNAL", SAME, lambda s: headers(s, (":status", "100")) + data(s, MESSAGE) + trailers(s), go="INTERNAL UNKNOWN OK",
    why="the answer has no headers")
row("101", "INTERNAL UNKNOWN OK", SAME, lambda s: headers(s, (":status", "101")) + good(s))

# Trailers.

row("trailers_without_end_stream", "INTERNAL", SAME, lambda s: begin(s, MESSAGE) + headers(s, *OK_TRAILERS), go="INTERNAL")
row("trailers_then_data", "INTERNAL", SAME, lambda s: begin(s, MESSAGE) + headers(s, *OK_TRAILERS) + data(s, b"", end=True), go="INTERNAL")
row("trailers_with_a_status_field", "INTERNAL", SAME, lambda s: begin(s, MESSAGE) + trailers(s, (":status", "200"), *OK_TRAILERS), go="OK INTERNAL",
    why="RFC 9113, 8.1: no pseudo-header fields in trailers")
row("trailers_with_a_path_field", "INTERNAL", SAME, lambda s: begin(s, MESSAGE) + trailers(s, (":path", "/"), *OK_TRAILERS), go="OK INTERNAL",
    why="the same")
row("trailers_of_nothing", "UNKNOWN INTERNAL", SAME, lambda s: begin(s, MESSAGE) + frame(HEADERS, END_HEADERS | END_STREAM, s))
row("trailers_only_in_pieces", "NOT_FOUND", SAME, lambda s: cut_block(s, 7, *OK_HEADERS, ("grpc-status", "5"), end=True))
row("only_an_empty_block", "INTERNAL UNKNOWN", SAME, lambda s: frame(HEADERS, END_HEADERS | END_STREAM, s))
row("only_with_1xx_before", "NOT_FOUND", SAME, lambda s: headers(s, *HINTS) + only(s, ("grpc-status", "5")), go="UNKNOWN", why=INTERIM)
