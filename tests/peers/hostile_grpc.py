"""Rows of misbehaving servers: sound HTTP/2 whose gRPC is not (doc/PROTOCOL-HTTP2.md, doc/statuscodes.md,
doc/http-grpc-status-mapping.md, doc/compression.md in grpc/grpc)."""

import gzip
import struct
import zlib

from hostile import OK_HEADERS, OK_TRAILERS, REPLY, SAME, begin, good, only, row, trailers
from mischief_frames import data, headers, message, rst_stream

MIB = 1 << 20

# Statuses.

row("status_missing", "UNKNOWN", SAME, lambda s: begin(s, message(REPLY)) + trailers(s, ("x-a", "1")))
row("status_missing_and_no_message", "UNKNOWN INTERNAL", SAME, lambda s: begin(s) + trailers(s, ("x-a", "1")))
row("no_trailers", "INTERNAL", SAME, lambda s: begin(s) + data(s, message(REPLY), end=True))
row("no_trailers_and_no_message", "INTERNAL", SAME, lambda s: begin(s) + data(s, end=True))
row("no_trailers_but_an_empty_frame", "INTERNAL", SAME, lambda s: begin(s, message(REPLY)) + data(s, end=True))
row("headers_alone", "UNKNOWN INTERNAL", SAME, lambda s: headers(s, *OK_HEADERS, end=True))
for _text, _want, _go in (("abc", "UNKNOWN INTERNAL", None), ("", "UNKNOWN INTERNAL", None), ("1.5", "UNKNOWN INTERNAL", None),
                          ("0x0", "UNKNOWN INTERNAL", None), ("0 ", "UNKNOWN INTERNAL", None), ("99999999999", "UNKNOWN INTERNAL", "1215752191"),
                          ("1" * 1000, "UNKNOWN INTERNAL", None), ("17", "UNKNOWN", "17"), ("-1", "UNKNOWN", "4294967295 -1"), ("255", "UNKNOWN", "255"),
                          ("2147483647", "UNKNOWN", "2147483647"), ("2147483648", "UNKNOWN INTERNAL", "-2147483648"), ("00", "OK", None),
                          ("005", "NOT_FOUND", None)):
    row("status_%s" % (_text[:12] or "empty"), _want, SAME, lambda s, text=_text: good(s, trailers=(("grpc-status", text), ("grpc-message", "odd"))), go=_go,
        why=_go and "doc/statuscodes.md: codes that a client does not know are UNKNOWN")
for _code, _want in ((1, "CANCELLED"), (4, "DEADLINE_EXCEEDED"), (8, "RESOURCE_EXHAUSTED"), (16, "UNAUTHENTICATED")):
    row("status_%d" % _code, _want, SAME, lambda s, code=_code: only(s, ("grpc-status", str(code))))
row("status_0_then_5", "OK NOT_FOUND UNKNOWN INTERNAL", SAME, lambda s: good(s, trailers=(("grpc-status", "0"), ("grpc-status", "5"))))
row("status_5_then_0", "OK NOT_FOUND UNKNOWN INTERNAL", SAME, lambda s: good(s, trailers=(("grpc-status", "5"), ("grpc-status", "0"))))
row("status_among_the_headers", "OK", SAME, lambda s: headers(s, *OK_HEADERS, ("grpc-status", "5")) + good(s)[len(begin(s)):])
row("status_5_after_a_message", "NOT_FOUND", SAME, lambda s: good(s, trailers=(("grpc-status", "5"), ("grpc-message", "gone"))))
row("status_5_after_half_a_message", "NOT_FOUND INTERNAL", SAME, lambda s: good(s, message(REPLY)[:500], (("grpc-status", "5"),)))

# Status messages.

for _name, _text in (("stray_percent_signs", "100% %zz %4"), ("broken_utf8", b"a%ff%feb"), ("raw_bytes", b"\x80\xff\xfe"), ("controls", "a%0d%0ab%00c"),
                     ("of_6_kib", "m" * 6000), ("of_percents", "%" * 2000), ("empty", ""), ("overlong_utf8", "%c0%80"), ("surrogates", "%ed%a0%80")):
    row("grpc_message_" + _name, "NOT_FOUND", SAME, lambda s, text=_text: only(s, ("grpc-status", "5"), ("grpc-message", text)))
row("grpc_message_twice", "NOT_FOUND", SAME, lambda s: only(s, ("grpc-status", "5"), ("grpc-message", "a"), ("grpc-message", "b")))
row("status_details_of_noise", "NOT_FOUND INTERNAL", SAME, lambda s: only(s, ("grpc-status", "5"), ("grpc-status-details-bin", "////")))
row("status_details_not_base64", "NOT_FOUND INTERNAL", SAME, lambda s: only(s, ("grpc-status", "5"), ("grpc-status-details-bin", "*")))
row("pushback_of_noise", "UNAVAILABLE", SAME, lambda s: only(s, ("grpc-status", "14"), ("grpc-retry-pushback-ms", "soon")))
row("load_report_of_noise", "OK", SAME, lambda s: good(s, trailers=(*OK_TRAILERS, ("endpoint-load-metrics-bin", "////////"))))

# Metadata.

BIN = "INTERNAL OK UNKNOWN"
row("bin_not_base64_in_headers", BIN, SAME, lambda s: headers(s, *OK_HEADERS, ("x-a-bin", "*** !!")) + good(s)[len(begin(s)):])
row("bin_not_base64_in_trailers", BIN, SAME, lambda s: good(s, trailers=(*OK_TRAILERS, ("x-a-bin", "*** !!"))))
row("bin_of_one_character", BIN, SAME, lambda s: headers(s, *OK_HEADERS, ("x-a-bin", "A")) + good(s)[len(begin(s)):])
row("bin_padded_and_not", "OK", SAME, lambda s: headers(s, *OK_HEADERS, ("x-a-bin", "AQ=="), ("x-b-bin", "AQ"), ("x-c-bin", "")) + good(s)[len(begin(s)):])
row("reserved_metadata", "OK", SAME, lambda s: headers(s, *OK_HEADERS, ("grpc-cheese", "1"), ("grpc-timeout", "x")) + good(s)[len(begin(s)):], go="INTERNAL",
    why="PROTOCOL-HTTP2.md: grpc-timeout is a request's")
row("value_of_bytes_above_127", "OK INTERNAL", SAME, lambda s: headers(s, *OK_HEADERS, ("x-a", b"\x80\xff")) + good(s)[len(begin(s)):])

# What is no gRPC.

for _status, _code in ((201, "UNKNOWN"), (204, "UNKNOWN"), (206, "UNKNOWN"), (301, "UNKNOWN"), (304, "UNKNOWN"), (307, "UNKNOWN"), (400, "INTERNAL"),
                       (401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"), (404, "UNIMPLEMENTED"), (405, "UNKNOWN"), (408, "UNKNOWN"), (413, "UNKNOWN"),
                       (415, "UNKNOWN"), (418, "UNKNOWN"), (421, "UNKNOWN"), (429, "UNAVAILABLE"), (431, "UNKNOWN INTERNAL"), (500, "UNKNOWN"),
                       (501, "UNKNOWN"), (502, "UNAVAILABLE"), (503, "UNAVAILABLE"), (504, "UNAVAILABLE"), (505, "UNKNOWN"), (599, "UNKNOWN"),
                       (999, "UNKNOWN INTERNAL")):
    row("html_%d" % _status, _code, SAME, lambda s, status=_status: (
        headers(s, (":status", str(status)), ("content-type", "text/html")) + data(s, b"<h1>no</h1>", end=True)))
row("html_404_alone", "UNIMPLEMENTED", SAME, lambda s: headers(s, (":status", "404"), ("content-type", "text/html"), end=True))
row("html_503_of_1_mib", "UNAVAILABLE", SAME, lambda link, s: link.send(
    headers(s, (":status", "503"), ("content-type", "text/html")) + b"".join(data(s, b"x" * 16000) for _ in range(4))))
row("html_200", "UNKNOWN", SAME, lambda s: headers(s, (":status", "200"), ("content-type", "text/html")) + data(s, b"<p>hello</p>", end=True))
row("html_200_without_end", "UNKNOWN", SAME, lambda s: headers(s, (":status", "200"), ("content-type", "text/html")) + data(s, b"<p>"))
row("html_with_a_status", "NOT_FOUND UNKNOWN", SAME, lambda s: only(s, ("grpc-status", "5"), content_type="text/html"))
row("503_with_a_status", "NOT_FOUND UNAVAILABLE", SAME, lambda s: only(s, ("grpc-status", "5"), status="503"))
row("503_of_grpc_with_status_0", "OK INTERNAL UNAVAILABLE UNKNOWN", SAME, lambda s: only(s, ("grpc-status", "0"), status="503"))
row("html_with_status_0_before_a_body", "UNKNOWN INTERNAL", SAME,
    lambda s: headers(s, (":status", "200"), ("content-type", "text/html"), ("grpc-status", "0")) + data(s, b"<p>hello</p>", end=True))
row("503_with_status_0_before_a_body", "UNAVAILABLE UNKNOWN INTERNAL", SAME, lambda s: headers(s, (":status", "503"), ("grpc-status", "0")) + data(s, b"no", end=True))
row("content_type_missing", "UNKNOWN INTERNAL", SAME, lambda s: headers(s, OK_HEADERS[0]) + good(s)[len(begin(s)):], go="UNKNOWN INTERNAL OK")
for _text in ("application/grpc+proto", "application/grpc;charset=x", "application/grpc+json"):
    row("content_type_%s" % _text[12:], "OK", SAME, lambda s, text=_text: headers(s, OK_HEADERS[0], ("content-type", text)) + good(s)[len(begin(s)):])
row("content_type_in_capitals", "OK UNKNOWN", SAME, lambda s: headers(s, OK_HEADERS[0], ("content-type", "Application/GRPC")) + good(s)[len(begin(s)):])
for _text in ("application/grpcfoo", "application/json", "application/grp", "application/grpc-web+proto", ""):
    row("content_type_%s" % (_text[12:] or "empty"), "UNKNOWN", SAME,
        lambda s, text=_text: headers(s, OK_HEADERS[0], ("content-type", text)) + good(s)[len(begin(s)):])
row("content_type_twice", "OK UNKNOWN", SAME, lambda s: headers(s, *OK_HEADERS, ("content-type", "text/html")) + good(s)[len(begin(s)):])

# Messages.

row("message_none", "INTERNAL UNIMPLEMENTED UNKNOWN", SAME, lambda s: begin(s) + trailers(s), go="INTERNAL UNKNOWN OK")
row("message_none_in_trailers_only", "INTERNAL UNIMPLEMENTED UNKNOWN", SAME, lambda s: only(s, ("grpc-status", "0")), go="INTERNAL UNKNOWN OK")
row("messages_two", "INTERNAL UNIMPLEMENTED UNKNOWN", SAME, lambda s: good(s, message(REPLY) * 2))
row("messages_without_end", "INTERNAL UNIMPLEMENTED", SAME, lambda s: begin(s, message(REPLY) * 16), go="UNKNOWN", why="PROTOCOL-HTTP2.md: a unary call has one reply")
row("message_of_0", "OK", SAME, lambda s: good(s, message(b"")))
row("message_truncated", "INTERNAL", SAME, lambda s: good(s, message(REPLY, length=2000)))
row("message_truncated_by_end", "INTERNAL", SAME, lambda s: begin(s) + data(s, message(REPLY)[:500], end=True))
row("prefix_truncated", "INTERNAL", SAME, lambda s: good(s, b"\0\0\0"))
row("prefix_of_a_second_message", "INTERNAL", SAME, lambda s: good(s, message(REPLY) + b"\0"))
row("message_then_noise", "INTERNAL RESOURCE_EXHAUSTED", SAME, lambda s: good(s, message(REPLY) + b"\xff" * 50))
row("message_above_the_limit", "RESOURCE_EXHAUSTED", SAME, lambda s: begin(s, message(b"x" * 1000, length=4 * MIB + 1)))
row("message_of_4_gib", "RESOURCE_EXHAUSTED", SAME, lambda s: begin(s, message(b"x" * 1000, length=0xFFFFFFFF)))
row("message_of_2_gib", "RESOURCE_EXHAUSTED", SAME, lambda s: begin(s, message(b"", length=0x80000000)))
row("message_at_the_limit_unfinished", "DEADLINE_EXCEEDED", SAME, lambda s: begin(s, message(b"x" * 1000, length=4 * MIB)), deadline_ms=700)
row("message_no_protobuf", "INTERNAL", SAME, lambda s: good(s, message(b"\xff" * 20)))
row("message_protobuf_of_depth", "INTERNAL OK RESOURCE_EXHAUSTED", SAME, lambda s: good(s, message(b"\x7b" * 16000)))
row("message_protobuf_cut", "INTERNAL", SAME, lambda s: good(s, message(REPLY[:100])))
row("message_protobuf_of_wrong_types", "INTERNAL OK", SAME, lambda s: good(s, message(b"\x08\x01\x10\x01")))
row("prefix_alone_then_silence", "DEADLINE_EXCEEDED", SAME, lambda s: begin(s, b"\0\0"), deadline_ms=700)

# Compression.

GZIP = (*OK_HEADERS, ("grpc-encoding", "gzip"))


def gzipped(name, want, payload, encoding="gzip", flag=1, **more):
    row("gzip_" + name, want, SAME, lambda s: (headers(s, *OK_HEADERS, ("grpc-encoding", encoding))
                                               + b"".join(data(s, body[at:at + 16384]) for body in (message(payload(), flag=flag),)
                                                          for at in range(0, len(body), 16384)) + trailers(s)), **more)


# grpc-go takes the last four bytes for the size before it looks at the rest.
BELIEVED = {"go": "RESOURCE_EXHAUSTED", "why": "compression.md: what cannot be decompressed is INTERNAL"}


def zeros(size):
    """A gzip of so many zeros, made without having them; one MiB is packed, so that the making is no part of what is timed."""
    packer, crc = zlib.compressobj(9, zlib.DEFLATED, -15), 0
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(size // MIB):
        crc = zlib.crc32(bytes(MIB), crc)
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + block * (size // MIB) + b"\x03\0" + struct.pack("<II", crc, size)


row("flag_without_encoding", "INTERNAL UNIMPLEMENTED", SAME, lambda s: good(s, message(REPLY, flag=1)))
row("flag_with_identity", "INTERNAL UNIMPLEMENTED", SAME,
    lambda s: headers(s, *OK_HEADERS, ("grpc-encoding", "identity")) + data(s, message(REPLY, flag=1)) + trailers(s))
for _flag in (2, 3, 4, 128, 129, 255):
    row("flag_%d" % _flag, "INTERNAL", SAME, lambda s, flag=_flag: good(s, message(REPLY, flag=flag)))
row("encoding_unknown", "INTERNAL UNIMPLEMENTED", SAME, lambda s: headers(s, *OK_HEADERS, ("grpc-encoding", "mystery")) + data(s, message(REPLY, flag=1)) + trailers(s))
row("encoding_of_no_text", "INTERNAL UNIMPLEMENTED", SAME, lambda s: headers(s, *OK_HEADERS, ("grpc-encoding", b"\xff\xfe")) + data(s, message(REPLY, flag=1)) + trailers(s))
row("encoding_unknown_unused", "OK INTERNAL", SAME,
    lambda s: headers(s, *OK_HEADERS, ("grpc-encoding", "mystery")) + data(s, message(REPLY)) + trailers(s))
row("encoding_gzip_unused", "OK", SAME, lambda s: headers(s, *GZIP) + data(s, message(REPLY)) + trailers(s))
gzipped("good", "OK", lambda: gzip.compress(REPLY))
gzipped("noise", "INTERNAL", lambda: b"\x1f\x8bnot gzip at all")
gzipped("empty", "OK INTERNAL", lambda: b"")
gzipped("truncated", "INTERNAL", lambda: gzip.compress(REPLY)[:-12], **BELIEVED)
gzipped("without_trailer", "INTERNAL", lambda: gzip.compress(REPLY)[:-8])
gzipped("wrong_crc", "INTERNAL", lambda: gzip.compress(REPLY)[:-8] + b"\0\0\0\0" + struct.pack("<I", len(REPLY)))
gzipped("wrong_length", "INTERNAL", lambda: gzip.compress(REPLY)[:-4] + b"\xff\xff\xff\x7f", **BELIEVED)
gzipped("noise_behind", "OK INTERNAL", lambda: gzip.compress(REPLY) + b"noise", **BELIEVED)
gzipped("two_members", "OK INTERNAL", lambda: gzip.compress(REPLY[:500]) + gzip.compress(REPLY[500:]))
gzipped("bomb_of_5_mib", "RESOURCE_EXHAUSTED", lambda: zeros(5 * MIB))
gzipped("bomb_of_40_mib", "RESOURCE_EXHAUSTED", lambda: zeros(40 * MIB))
gzipped("bomb_of_members", "RESOURCE_EXHAUSTED", lambda: gzip.compress(bytes(MIB)) * 20)
gzipped("deflate_is_not_gzip", "INTERNAL", lambda: zlib.compress(REPLY))
gzipped("of_gzip", "INTERNAL", lambda: gzip.compress(gzip.compress(REPLY)))

# RST_STREAM: what codes mean (PROTOCOL-HTTP2.md, "Errors").

RESETS = {0: "INTERNAL UNKNOWN", 1: "INTERNAL", 2: "INTERNAL", 3: "INTERNAL", 4: "INTERNAL", 5: "INTERNAL UNKNOWN", 6: "INTERNAL", 7: "UNAVAILABLE",
          8: "CANCELLED", 9: "INTERNAL", 10: "INTERNAL", 11: "RESOURCE_EXHAUSTED", 12: "PERMISSION_DENIED", 13: "UNKNOWN INTERNAL",
          14: "UNKNOWN INTERNAL", 0xFFFFFFFF: "UNKNOWN INTERNAL"}
for _code, _want in RESETS.items():
    row("reset_%d_within_the_answer" % (_code & 0xFFFF), _want, SAME, lambda s, code=_code: begin(s, message(REPLY)) + rst_stream(s, code),
        go={3: "RESOURCE_EXHAUSTED", 7: "OK"}.get(_code), why="PROTOCOL-HTTP2.md, \"Errors\"; A6: an answer begun is not asked for again")
    # A stream refused before any answer is asked again, unseen by the caller.
    row("reset_%d_at_once" % (_code & 0xFFFF), _want if _code != 7 else "OK", SAME, lambda s, code=_code: rst_stream(s, code),
        go={3: "RESOURCE_EXHAUSTED"}.get(_code), why="PROTOCOL-HTTP2.md, \"Errors\"")
row("reset_0_after_the_trailers", "OK", SAME, lambda s: good(s) + rst_stream(s, 0))
row("reset_2_after_the_trailers", "OK", SAME, lambda s: good(s) + rst_stream(s, 2))
row("reset_twice", "CANCELLED", SAME, lambda s: rst_stream(s, 8) + rst_stream(s, 8))
row("answer_and_reset_before_the_question_ends", "OK", SAME, lambda s: good(s) + rst_stream(s, 0), at_headers=True, times=3, go="OK UNKNOWN INTERNAL")
row("refused_for_ever", "UNAVAILABLE", SAME, lambda s: rst_stream(s, 7), times=1 << 30, then="UNAVAILABLE")
row("reset_for_ever", "INTERNAL", SAME, lambda s: rst_stream(s, 2), times=1 << 30, then="INTERNAL", calls=50, gap_ms=0)
row("answers_of_noise_for_ever", "INTERNAL", SAME, lambda s: begin(s, b"\xff" * 20), times=1 << 30, then="INTERNAL", calls=50, gap_ms=0,
    go="RESOURCE_EXHAUSTED", why="both the flag and the length are wrong")
