"""Rows of misbehaving servers: how a connection lives and ends; SETTINGS, GOAWAY, floods, silence."""

import struct
import time

from hostile import ANY, NEW, OK_HEADERS, REPLY, SAME, begin, good, row, trailers
from mischief_frames import (
    ACK, CONTINUATION, DATA, ENHANCE_YOUR_CALM, ENABLE_PUSH, END_HEADERS, END_STREAM, GOAWAY, HEADERS, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, NO_ERROR, PING, PREFACE, PROTOCOL_ERROR, SETTINGS, data, frame, goaway,
    header_block, headers, message, read_exactly, rst_stream, settings, window_update)

ERROR = "INTERNAL UNAVAILABLE"
WAIT = "DEADLINE_EXCEEDED UNAVAILABLE"  # grpc-go gives a connection up after 20 s, we when we know better
FOREVER = 1 << 30
LAST = 0x7FFFFFFF

# Not HTTP/2, or not for long. The first connection is spoilt; once the backoff of a second is over, the next one works.


def raw(name, want, act, **more):
    more = {"raw": True, "deadline_ms": 1000, "calls": 3, "gap_ms": 1300, "then": "OK UNAVAILABLE DEADLINE_EXCEEDED", **more}
    row(name, want, ANY, act, **more)


def greeted(link, octets=b""):
    """Reads the preface, sends bytes."""
    read_exactly(link.sock, len(PREFACE))
    link.send(octets)


raw("closed_on_accept", "UNAVAILABLE", lambda link, s: link.close())
raw("reset_on_accept", "UNAVAILABLE", lambda link, s: link.reset())
raw("closed_after_the_preface", "UNAVAILABLE", lambda link, s: greeted(link))
raw("closed_after_settings", "OK UNAVAILABLE", lambda link, s: greeted(link, settings()))
raw("closed_within_settings", "UNAVAILABLE", lambda link, s: greeted(link, settings((MAX_CONCURRENT_STREAMS, 100))[:11]))
raw("silence", WAIT, lambda link, s: link.until_closed(), deadline_ms=700)
raw("half_of_settings_then_silence", WAIT, lambda link, s: (greeted(link, settings((1, 1))[:7]), link.until_closed()) and b"", deadline_ms=700)
for _name, _octets in (("http1_400", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\nConnection: close\r\n\r\nno!\n"),
                       ("http1_200_html", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nhi!\n"),
                       ("http1_upgrade", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + settings()),
                       ("tls_hello", b"\x16\x03\x01\x00\x10\x02\x00\x00\x0c\x03\x03" + bytes(10)), ("tls_alert", b"\x15\x03\x03\x00\x02\x02\x46"),
                       ("ssh", b"SSH-2.0-OpenSSH_9.2p1\r\n"), ("zeros", bytes(5000)), ("ones", b"\xff" * 5000), ("preface_echoed", PREFACE + settings()),
                       ("headers_before_settings", headers(1, *OK_HEADERS)), ("ping_before_settings", frame(PING, 0, 0, bytes(8))),
                       ("goaway_before_settings", goaway(0, NO_ERROR)), ("settings_ack_first", frame(SETTINGS, ACK, 0)),
                       ("settings_of_16_mib_first", frame(SETTINGS, 0, 0, b"", length=0xFFFFFF)),
                       ("settings_then_noise", settings() + b"\xde\xad\xbe\xef" * 1000)):
    raw("answers_" + _name, WAIT + (" OK INTERNAL" if "noise" in _name else ""), lambda link, s, octets=_octets: (link.send(octets), link.until_closed()) and b"")
raw("closes_for_ever", "UNAVAILABLE", lambda link, s: link.close(), times=FOREVER, then="UNAVAILABLE", gap_ms=50, calls=5)
raw("silence_for_ever", WAIT, lambda link, s: link.until_closed(), times=FOREVER, then=WAIT, deadline_ms=500, gap_ms=10)

# SETTINGS, in mid-stream unless said otherwise.

row("settings_empty_twice", "OK", SAME, lambda s: settings() * 2 + good(s))
row("settings_unknown", "OK", SAME, lambda s: settings((0x99, 7), (0xFFFF, 0xFFFFFFFF), (8, 1)) + good(s))
row("settings_acks_never_sent", "OK", SAME, lambda link, s: _without_acks(link, s))
for _name, _pairs in (("push_2", [(ENABLE_PUSH, 2)]), ("window_of_2_gib", [(INITIAL_WINDOW_SIZE, 0x80000000)]),
                      ("window_of_4_gib", [(INITIAL_WINDOW_SIZE, 0xFFFFFFFF)]), ("frames_of_16383", [(MAX_FRAME_SIZE, 16383)]),
                      ("frames_of_0", [(MAX_FRAME_SIZE, 0)]), ("frames_of_16_mib", [(MAX_FRAME_SIZE, 1 << 24)])):
    row("settings_" + _name, ERROR, NEW, lambda s, pairs=_pairs: settings(*pairs) + good(s), go="OK " + ERROR, why="RFC 9113, 6.5.2")
row("settings_push_1", ERROR, NEW, lambda s: settings((ENABLE_PUSH, 1)) + good(s), go="OK " + ERROR,
    why="RFC 9113, 6.5.2: a client must take ENABLE_PUSH of 1 for a connection error")
row("settings_push_0", "OK", SAME, lambda s: settings((ENABLE_PUSH, 0)) + good(s))
row("settings_frames_largest", "OK", SAME, lambda s: settings((MAX_FRAME_SIZE, (1 << 24) - 1)) + good(s))
row("settings_table_0_then_4096", "OK", SAME, lambda s: settings((HEADER_TABLE_SIZE, 0)) + good(s) + settings((HEADER_TABLE_SIZE, 4096)))
row("settings_table_enormous", "OK", SAME, lambda s: settings((HEADER_TABLE_SIZE, 0xFFFFFFFF)) + good(s))
row("settings_table_up_and_down", "OK", SAME,
    lambda s: b"".join(settings((HEADER_TABLE_SIZE, size)) for size in (0, 100, 0, 65536, 33, 4096)) + good(s), times=3)
row("settings_header_list_0", "OK INTERNAL RESOURCE_EXHAUSTED UNAVAILABLE", SAME, lambda s: settings((MAX_HEADER_LIST_SIZE, 0)) + good(s),
    then="OK INTERNAL RESOURCE_EXHAUSTED UNAVAILABLE CANCELLED")
row("settings_header_list_again_enough", "OK", SAME, lambda s: settings((MAX_HEADER_LIST_SIZE, 0)) + settings((MAX_HEADER_LIST_SIZE, 8192)) + good(s))
row("settings_33_entries", "OK " + ERROR, ANY, lambda s: settings(*[(0x99, 1)] * 33) + good(s))
row("settings_of_a_full_frame", "OK " + ERROR, ANY, lambda s: settings(*[(0x99, 1)] * 2730) + good(s))


def _without_acks(link, stream):
    link.frame = lambda: __import__("mischief_frames").read_frame(link.sock)
    return good(stream)


def window_of_five(link, stream):
    """The question comes as the windows let it, where it was begun after the acknowledgement: until then others may count (RFC 9113, 6.5.3)."""
    bound = 5 if link.settled else 65535
    while True:
        kind, flags, on, payload = link.frame()
        if kind == DATA:
            assert len(payload) <= bound, "beyond the window"
            link.send(window_update(on, 5))
            if flags & END_STREAM:
                return good(on)
        assert kind != HEADERS


row("window_0_then_50_then_all", "OK", SAME,
    lambda link, s: (link.send(settings((INITIAL_WINDOW_SIZE, 50))), link.send(settings((INITIAL_WINDOW_SIZE, 65535)))) and good(s),
    first=settings((INITIAL_WINDOW_SIZE, 0)), at_headers=True, times=3)
row("window_of_5", "OK", SAME, window_of_five, first=settings((INITIAL_WINDOW_SIZE, 5)), at_headers=True, times=3)
row("window_below_zero_then_open", "OK", SAME,
    lambda link, s: (link.send(settings((INITIAL_WINDOW_SIZE, 0)) + window_update(s, 10) + window_update(s, 1000))) or good(s),
    first=settings((INITIAL_WINDOW_SIZE, 60)), at_headers=True, go=None, calls=1)
row("window_never_opened", "DEADLINE_EXCEEDED", SAME, lambda s: b"", first=settings((INITIAL_WINDOW_SIZE, 0)), at_headers=True, deadline_ms=500,
    times=FOREVER, then="DEADLINE_EXCEEDED")
row("window_overflows_by_settings", ERROR, ANY, lambda s: window_update(s, LAST - 100) + settings((INITIAL_WINDOW_SIZE, 65536)), at_headers=True,
    first=settings((INITIAL_WINDOW_SIZE, 5)), go="OK DEADLINE_EXCEEDED " + ERROR, deadline_ms=700, calls=1,
    why="RFC 9113, 6.9.2")


def streams_later(link, stream):
    link.send(settings((MAX_CONCURRENT_STREAMS, 0)) + good(stream))
    time.sleep(0.3)
    link.send(settings((MAX_CONCURRENT_STREAMS, 1)))


row("streams_0_then_1", "OK", SAME, streams_later)
row("streams_0_for_ever", "OK", SAME, lambda s: settings((MAX_CONCURRENT_STREAMS, 0)) + good(s), then="DEADLINE_EXCEEDED", deadline_ms=500)
row("streams_1_of_four", "OK", SAME, lambda s: settings((MAX_CONCURRENT_STREAMS, 1)) + good(s), calls=5, par=True)
row("streams_0_while_one_is_open", "OK", SAME, lambda link, s: [link.send(octets) for octets in
                                                               (begin(s), settings((MAX_CONCURRENT_STREAMS, 0)), data(s, message(REPLY)), trailers(s),
                                                                settings((MAX_CONCURRENT_STREAMS, 10)))] and b"")

# GOAWAY.

row("goaway_0_after_the_question", "OK", NEW, lambda s: goaway(0, NO_ERROR))
row("goaway_0_and_close", "OK", NEW, lambda link, s: (link.send(goaway(0, NO_ERROR)), link.close()) and b"")
row("goaway_of_ours_then_answer", "OK", NEW, lambda s: goaway(s, NO_ERROR) + good(s))
row("goaway_above_ours_then_answer", "OK", NEW, lambda s: goaway(LAST, NO_ERROR) + good(s))
row("goaway_within_the_answer", "OK", NEW, lambda s: begin(s) + goaway(s, NO_ERROR) + data(s, message(REPLY)) + trailers(s))
row("goaway_after_the_answer", "OK", NEW, lambda s: good(s) + goaway(s, NO_ERROR))
row("goaway_twice_then_answer", "OK", NEW, lambda s: goaway(LAST, NO_ERROR) + goaway(s, NO_ERROR) + good(s))
row("goaway_twice_the_second_without_ours", "OK", NEW, lambda s: goaway(s, NO_ERROR) + goaway(0, NO_ERROR))
row("goaway_that_grows", "OK " + ERROR, NEW, lambda s: goaway(s, NO_ERROR) + goaway(s + 2, NO_ERROR) + good(s))
row("goaway_of_an_even_stream", "OK " + ERROR, NEW, lambda s: goaway(2, NO_ERROR) + good(s))
row("goaway_ten_times", "OK", NEW, lambda s: goaway(s, NO_ERROR) * 10 + good(s))
row("goaway_with_16_kib_of_text", "OK", NEW, lambda s: goaway(s, NO_ERROR, b"x" * 16000) + good(s))
row("goaway_with_text_of_noise", "OK", NEW, lambda s: goaway(s, ENHANCE_YOUR_CALM, b"\0\xff\r\n%s%n") + good(s))
for _code in (1, 2, 6, 9, 11, 12, 13, 255):
    row("goaway_code_%d_then_answer" % _code, "OK", NEW, lambda s, code=_code: goaway(s, code) + good(s))
    row("goaway_code_%d_and_close" % _code, "UNAVAILABLE", NEW, lambda link, s, code=_code: (link.send(goaway(s, code)), link.close()) and b"")
row("goaway_too_many_pings", "OK", NEW, lambda s: goaway(s, ENHANCE_YOUR_CALM, b"too_many_pings") + good(s))
row("goaway_then_silence", "DEADLINE_EXCEEDED", NEW, lambda s: goaway(s, NO_ERROR), deadline_ms=700)
row("goaway_of_others_then_silence", "OK", NEW, lambda s: goaway(0, PROTOCOL_ERROR), deadline_ms=2000)
row("goaway_at_once", "UNAVAILABLE DEADLINE_EXCEEDED", ANY, good, first=settings() + goaway(0, NO_ERROR), then="UNAVAILABLE DEADLINE_EXCEEDED", deadline_ms=1000)
# What was opened between the two frames is served.
row("goaway_above_at_once", "UNAVAILABLE DEADLINE_EXCEEDED OK", ANY, good, first=settings() + goaway(LAST, NO_ERROR),
    then="UNAVAILABLE DEADLINE_EXCEEDED OK", deadline_ms=1000)


def between_four(link, stream):
    """Four ask beside each other: two are served, two were never seen."""
    streams = sorted([stream] + [link.question() for _ in range(3)])
    link.send(goaway(streams[1], NO_ERROR) + good(streams[0]) + good(streams[1]))


def interleaved(link, stream):
    """Four answers, frame by frame in turn."""
    streams = [stream] + [link.question() for _ in range(3)]
    for make in (begin, lambda s: data(s, message(REPLY)[:3]), lambda s: data(s, message(REPLY)[3:700]), lambda s: data(s, message(REPLY)[700:]), trailers):
        link.send(b"".join(make(s) for s in reversed(streams)))


def after_first(act):
    """The first question is answered: those that are asked at once come after it."""
    def spoil(link, stream):
        if stream == 1:
            return good(stream)
        return act(link, stream)
    return spoil


row("goaway_between_four", "OK", NEW, after_first(between_four), times=2, calls=5, par=True)
row("answers_interleaved", "OK", SAME, after_first(interleaved), times=2, calls=5, par=True)
row("one_of_four_reset", "OK", SAME, after_first(lambda link, s: rst_stream(s, 8)), times=2, calls=5, par=True, then="OK CANCELLED")

# Closed, or silent, in each phase of an answer.

ANSWER = (("after_the_question", lambda s: b""), ("within_the_headers", lambda s: begin(s)[:15]), ("after_the_headers", begin),
          ("within_the_prefix", lambda s: begin(s, b"\0\0\0")), ("within_the_message", lambda s: begin(s, message(REPLY)[:500])),
          ("within_a_frame", lambda s: begin(s, message(REPLY))[:-200]), ("after_the_message", lambda s: begin(s, message(REPLY))),
          ("within_the_trailers", lambda s: good(s)[:-4]))
for _name, _octets in ANSWER:
    row("closed_" + _name, "UNAVAILABLE", NEW, lambda link, s, octets=_octets: (link.send(octets(s)), link.close()) and b"")
    row("reset_" + _name, "UNAVAILABLE", NEW, lambda link, s, octets=_octets: (link.send(octets(s)), time.sleep(0.05), link.reset()) and b"")
    row("silence_" + _name, "DEADLINE_EXCEEDED", ANY, lambda s, octets=_octets: octets(s), deadline_ms=500, go="DEADLINE_EXCEEDED UNAVAILABLE",
        then="OK DEADLINE_EXCEEDED " + ERROR)  # half a frame spoils the connection for those that follow
row("closed_after_the_answer", "OK", NEW, lambda link, s: (link.send(good(s)), link.close()) and b"")
row("asked_half_and_closed", "UNAVAILABLE", NEW, lambda link, s: link.close(), at_headers=True)

# Floods, each followed by a good answer for whom it does not disturb.

FLOODED = "OK INTERNAL UNAVAILABLE RESOURCE_EXHAUSTED"


def flood(name, make, count, want=FLOODED, **more):
    def act(link, stream):
        piece = make(stream) * 100
        for _ in range(count // 100):
            link.send(piece)
        link.send(good(stream))
    row("flood_of_" + name, want, ANY, act, **more)


flood("a_thousand_pings", lambda s: frame(PING, 0, 0, bytes(8)), 1000, "OK")
row("five_thousand_pings_at_once", "OK", SAME, lambda s: frame(PING, 0, 0, bytes(8)) * 5000 + good(s))
flood("pings", lambda s: frame(PING, 0, 0, bytes(8)), 20000)
flood("ping_acks", lambda s: frame(PING, ACK, 0, bytes(8)), 20000)
flood("a_hundred_settings", lambda s: settings(), 100, "OK")
flood("settings", lambda s: settings(), 20000)
flood("settings_of_windows", lambda s: settings((INITIAL_WINDOW_SIZE, 1)) + settings((INITIAL_WINDOW_SIZE, 65535)), 5000)
flood("empty_data", lambda s: data(s), 20000, "OK INTERNAL UNAVAILABLE RESOURCE_EXHAUSTED")
flood("empty_padded_data", lambda s: frame(DATA, 8, s, b"\0"), 20000)
flood("window_updates", lambda s: window_update(0, 1), 20000)
flood("window_updates_of_the_stream", lambda s: window_update(s, 1), 20000)
flood("priorities", lambda s: frame(2, 0, s, b"\0\0\0\0\x10"), 20000)
flood("unknown_frames", lambda s: frame(0xFA, 0, 0, b"x" * 50), 20000)
flood("resets_of_old_streams", lambda s: rst_stream(s, 8), 20000, "CANCELLED")
flood("goaways", lambda s: goaway(s, NO_ERROR), 20000)
flood("interim_answers", lambda s: headers(s, (":status", "103")), 20000, go="UNKNOWN", why="RFC 9113, 8.1")


def continuations(link, stream, piece=header_block(("x", "y"))):
    link.send(frame(HEADERS, 0, stream, header_block(*OK_HEADERS)))
    while True:
        link.send(frame(CONTINUATION, 0, stream, piece) * 100)


SPOILT = ERROR + " RESOURCE_EXHAUSTED DEADLINE_EXCEEDED"
row("flood_of_continuations", SPOILT, ANY, continuations, deadline_ms=1500)
row("flood_of_empty_continuations", SPOILT, ANY, lambda link, s: continuations(link, s, b""), deadline_ms=1500)
row("flood_of_pushes", ERROR, NEW, lambda s: b"".join(
    frame(5, END_HEADERS, s, struct.pack(">I", i) + header_block((":path", "/"))) for i in range(2, 2000, 2)), go="DEADLINE_EXCEEDED", deadline_ms=700,
    why="RFC 9113, 6.6")


def endless(link, stream):
    """Replies without end, though there is one to come."""
    link.send(begin(stream))
    for _ in range(1000):
        link.send(data(stream, message(REPLY) * 16))


row("flood_of_replies", "INTERNAL UNIMPLEMENTED", ANY, endless, go="UNKNOWN", why="PROTOCOL-HTTP2.md: a unary call has one reply")


def never_reads(link, stream):
    """Pings without end, reading no answer."""
    while True:
        link.send(frame(PING, 0, 0, bytes(8)) * 1000)


row("flood_of_pings_unread", "DEADLINE_EXCEEDED " + ERROR, ANY, never_reads, deadline_ms=1500)
