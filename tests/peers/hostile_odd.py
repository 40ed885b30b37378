"""Rows of servers that are odd, and mostly within their rights: HPACK's corners, windows to the brim, frames of other RFCs."""

import struct

from hostile import ANY, BODY_BYTES, NEW, OK_HEADERS, OK_TRAILERS, REPLY, SAME, begin, block, good, only, row, trailers
from mischief_frames import (
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, NO_ERROR, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, _HUFFMAN, _integer,
    _string, data, frame, header_block, headers, message, settings, window_update)

PADDED, PRIORITIZED = 0x8, 0x20
ERROR = "INTERNAL UNAVAILABLE"
MESSAGE = message(REPLY)
HEAD = header_block(*OK_HEADERS)
TAIL = header_block(*OK_TRAILERS)
LAST = 0x7FFFFFFF
CODES = {symbol: code for code, symbol in _HUFFMAN.items()}


def huffman(text):
    """A string of HPACK's, padded as RFC 7541, 5.2 says."""
    bits = "".join(format(code, "0%db" % size) for size, code in (CODES[symbol] for symbol in text))
    bits += "1" * (-len(bits) % 8)
    octets = bytes(int(bits[at:at + 8], 2) for at in range(0, len(bits), 8))
    length = bytearray(_integer(len(octets), 7))
    length[0] |= 0x80
    return bytes(length) + octets


def indexed(name, value):
    """A literal that goes into the table."""
    return b"\x40" + _string(name) + _string(value)


def answer(stream, head, tail=TAIL):
    return frame(HEADERS, END_HEADERS, stream, head) + data(stream, MESSAGE) + frame(HEADERS, END_HEADERS | END_STREAM, stream, tail)


def hpack(name, head, want="OK", conn=SAME, tail=TAIL, **more):
    row("hpack_" + name, want, conn, lambda s: answer(s, head, tail), **more)


# HPACK: what a decoder must know.

FIRST = b"\x88\x5f\x10application/grpc", indexed("grpc-status", "0")  # 62 is the content-type, then the status, and the content-type 63
row("hpack_table_over_streams", "OK", SAME, lambda s: answer(s, *FIRST) if s == 1 else answer(s, b"\x88\xbf", b"\xbe"), times=3)
row("hpack_name_of_the_table", "NOT_FOUND", SAME, lambda s: answer(s, b"\x88\x5f\x10application/grpc" + indexed("grpc-status", "0"), b"\x7e\x015"))
hpack("huffman_everywhere", b"\x08" + huffman("200") + b"\x00" + huffman("content-type") + huffman("application/grpc") + b"\x40" + huffman("x-odd") +
      huffman("<{^}>~|#$@[]"), tail=b"\x00" + huffman("grpc-status") + huffman("0"))
hpack("huffman_of_nothing", HEAD + b"\x00\x01x\x80")
hpack("never_indexed", b"\x88\x1f\x10\x10application/grpc" + b"\x10\x03x-a\x011", tail=b"\x10" + _string("grpc-status") + _string("0"))
hpack("not_indexed_by_number", b"\x88\x0f\x10\x10application/grpc")
hpack("last_of_the_static_table", HEAD + b"\xbd")
hpack("all_of_the_static_table_that_may_be", HEAD + bytes(0x80 | index for index in (32, 33, 34, 42, 44, 45, 46, 54, 55, 59, 60)))
hpack("table_size_0_then_4096", b"\x20\x3f\xe1\x1f" + HEAD)
hpack("table_size_and_an_entry_gone", b"\x88" + indexed("content-type", "application/grpc"), tail=b"\x20\xbe", want=ERROR, conn=NEW)
hpack("table_size_in_the_middle", b"\x88\x20" + HEAD[len(header_block(OK_HEADERS[0])):], want=ERROR, conn=NEW, go="DEADLINE_EXCEEDED OK " + ERROR,
      deadline_ms=700, why="RFC 7541, 4.2: at the beginning of a block only")
hpack("oldest_entries_leave", HEAD + b"".join(indexed("x-%03d" % i, "y" * 27) for i in range(65)), tail=b"\xfd" + TAIL)  # 65 of 64 bytes; 125 is the second
hpack("entry_that_has_left", HEAD + b"".join(indexed("x-%03d" % i, "y" * 27) for i in range(65)), tail=b"\xfe" + TAIL, want=ERROR, conn=NEW)
hpack("entry_larger_than_the_table", HEAD + indexed("x-a", "1") + indexed("x-b", "y" * 4096))
hpack("entry_larger_than_the_table_empties_it", HEAD + indexed("x-a", "1") + indexed("x-b", "y" * 4096), tail=b"\xbe" + TAIL, want=ERROR, conn=NEW)
hpack("entry_named_by_one_that_it_drives_out", HEAD + indexed("x-a", "1") + b"\x7e" + _string("y" * 4050), tail=b"\xbe" + TAIL)
hpack("integer_with_zeros_behind", HEAD + b"\x00\x03x-a\x7f\x83\x80\x00" + b"y" * 130, want="OK " + ERROR, conn=ANY)
hpack("integer_of_ten_octets", HEAD + b"\x00\x03x-a\x7f" + b"\xff" * 10 + b"\x7f", want=ERROR, conn=NEW)
hpack("string_of_4_gib", HEAD + b"\x00\x03x-a\x7f\x80\xff\xff\xff\x0f", want=ERROR, conn=NEW)
row("hpack_cut_anywhere", "OK", SAME, lambda s: (
    block([(0, FIRST[0][:s % 7 + 1]), (0, FIRST[0][s % 7 + 1:s % 7 + 2]), (END_HEADERS, FIRST[0][s % 7 + 2:])], s)) + data(s, MESSAGE) + trailers(s), times=3)

# Windows.


def _varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def paced(link, stream, start, size, piece, padding):
    """DATA no further than the windows, which the client opens: `start` and zeros behind it, `size` bytes, in frames of so much and so
    much padding. They are made one by one: what this program holds counts for the clients that it forks off."""
    credit, spent = 0, BODY_BYTES * 4  # of the connection's, by other answers
    for at in range(0, size, piece):
        part = (start + bytes(piece))[:piece] if at == 0 else bytes(min(piece, size - at))
        taken = len(part) + (padding + 1 if padding else 0)
        while link.initial + credit < taken or link.window < taken + spent:
            kind, _, on, octets = link.frame()
            credit += struct.unpack(">I", octets)[0] if kind == WINDOW_UPDATE and on == stream else 0
        link.send(frame(DATA, PADDED, stream, bytes([padding]) + part + bytes(padding)) if padding else data(stream, part))
        credit -= taken
        link.window -= taken


def long_answer(body_bytes, piece, padding=0):
    inner = b"\x12" + _varint(body_bytes)
    outer = b"\x0a" + _varint(len(inner) + body_bytes) + inner

    def act(link, stream):
        link.send(begin(stream))
        paced(link, stream, message(outer, length=len(outer) + body_bytes), 5 + len(outer) + body_bytes, piece, padding)
        return trailers(stream)
    return act


row("padding_beyond_the_windows", "OK", SAME, long_answer(200000, 100, 155), times=3)
row("message_of_4_mib", "OK", SAME, long_answer((4 << 20) - 10, 16384))
row("windows_to_the_brim", "OK", SAME, lambda s: window_update(0, LAST - 65535) + window_update(s, LAST - 65535) + good(s))
row("window_updates_with_the_reserved_bit", "OK", SAME, lambda s: frame(WINDOW_UPDATE, 0, s, b"\x80\0\0\1") + frame(WINDOW_UPDATE, 0, 0, b"\x80\0\0\1") + good(s))
row("window_update_of_the_reserved_bit_alone", ERROR, NEW, lambda s: frame(WINDOW_UPDATE, 0, 0, b"\x80\0\0\0"))
row("settings_window_largest", "OK", SAME, lambda s: settings((INITIAL_WINDOW_SIZE, LAST)) + good(s))
row("settings_said_twice_in_a_frame", "OK", SAME, lambda s: settings((INITIAL_WINDOW_SIZE, 0), (INITIAL_WINDOW_SIZE, 65535)) + good(s), first=settings(
    (INITIAL_WINDOW_SIZE, 7), (INITIAL_WINDOW_SIZE, 65535)))

# Frames of other RFCs, and flags together.

row("altsvc_origin_and_priority_update", "OK", SAME, lambda s: (
    frame(0x0A, 0, 0, b"\0\x0bexample.com" + b'h2=":1"') + frame(0x0A, 0, s, b"\0\0" + b'h2=":1"') + frame(0x0C, 0, 0, b"\0\x13https://example.com")
    + frame(0x10, 0, 0, struct.pack(">I", s) + b"u=1") + good(s)))
row("altsvc_and_origin_cut_short", "OK", SAME, lambda s: frame(0x0A, 0, 0, b"\xff") + frame(0x0C, 0, s, b"\xff\xff") + frame(0x10, 0, 0, b"") + good(s))
row("headers_padded_and_prioritized", "OK", SAME, lambda s: (
    frame(HEADERS, END_HEADERS | PADDED | PRIORITIZED, s, b"\x09" + b"\0\0\0\0\x10" + HEAD + bytes(9)) + data(s, MESSAGE)
    + frame(HEADERS, END_HEADERS | END_STREAM | PADDED | PRIORITIZED, s, b"\0" + b"\x80\0\0\0\xff" + TAIL)))
row("headers_padding_into_the_priority", ERROR, NEW, lambda s: frame(HEADERS, END_HEADERS | PADDED | PRIORITIZED, s, b"\x03\0\0\0\0\x10"))
row("goaway_with_the_reserved_bit", "OK", NEW, lambda s: frame(GOAWAY, 0, 0, struct.pack(">II", s | 0x80000000, NO_ERROR)) + good(s))
row("priority_of_an_idle_stream", "OK", SAME, lambda s: frame(PRIORITY, 0, s + 100, b"\0\0\0\0\x10") + good(s))
row("priority_on_itself", "OK " + ERROR, ANY, lambda s: frame(PRIORITY, 0, s, struct.pack(">IB", s, 1)) + good(s))
row("settings_ack_with_other_flags", "OK", SAME, lambda s: frame(SETTINGS, 0xFE, 0, b"") + good(s))
row("trailers_in_pieces_that_end_the_stream", "OK", SAME, lambda s: begin(s, MESSAGE) + block([(END_STREAM, TAIL[:4]), (0, b""), (END_HEADERS, TAIL[4:])], s))
row("rst_stream_with_flags", "CANCELLED", SAME, lambda s: frame(RST_STREAM, 0xFF, s, struct.pack(">I", 8)))

# Answers.

row("only_without_content_type", "NOT_FOUND", SAME, lambda s: only(s, ("grpc-status", "5"), content_type=None), go="NOT_FOUND UNKNOWN INTERNAL",
    why="doc/http-grpc-status-mapping.md: a grpc-status that is there counts")
row("only_404_with_a_status", "PERMISSION_DENIED", SAME, lambda s: only(s, ("grpc-status", "7"), status="404"))
row("only_with_content_length_0", "NOT_FOUND", SAME, lambda s: only(s, ("grpc-status", "5"), ("content-length", "0")))
row("many_cookies", "OK", SAME, lambda s: headers(s, *OK_HEADERS, *[("set-cookie", "a=%d" % i) for i in range(50)]) + good(s)[len(begin(s)):])
row("trailers_without_a_message_but_an_empty_frame", "NOT_FOUND", SAME, lambda s: begin(s) + data(s) + trailers(s, ("grpc-status", "5")))
