"""HTTP/2 by hand, for programs that mean to get it wrong: frames, header blocks, gRPC's length prefix.

Nothing here checks what it is told to write. Header blocks are written as literals without indexing and
without Huffman (RFC 7541, 6.2.2); those of others are read on the promise that they use no dynamic table,
which SETTINGS_HEADER_TABLE_SIZE = 0 asks for.
"""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)


def frame(kind, flags, stream, payload=b"", length=None):
    """A frame; `length` other than the payload's makes a liar of it."""
    size = len(payload) if length is None else length
    return struct.pack(">BHBBI", size >> 16, size & 0xFFFF, kind, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", number, value) for number, value in pairs))


def rst_stream(stream, code):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def goaway(last_stream, code, text=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last_stream, code) + text)


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def _integer(number, bits):
    limit = (1 << bits) - 1
    if number < limit:
        return bytes([number])
    out, number = [limit], number - limit
    while number > 127:
        out.append(number % 128 + 128)
        number //= 128
    return bytes(out + [number])


def _string(text):
    data = text.encode("utf-8") if isinstance(text, str) else text
    return _integer(len(data), 7) + data


def header_block(*fields):
    """The bytes of (name, value) pairs."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in fields)


def headers(stream, *fields, end=False):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, header_block(*fields))


def data(stream, payload=b"", end=False):
    return frame(DATA, END_STREAM if end else 0, stream, payload)


def message(payload, flag=0, length=None):
    """A message as gRPC frames it; `length` other than the payload's makes a liar of it."""
    return struct.pack(">BI", flag, len(payload) if length is None else length) + payload


# Reading, of well-behaved peers.

def read_exactly(sock, size):
    got = b""
    while len(got) < size:
        more = sock.recv(size - len(got))
        if not more:
            raise EOFError("closed")
        got += more
    return got


def read_frame(sock):
    """(kind, flags, stream, payload); EOFError at the end."""
    high, low, kind, flags, stream = struct.unpack(">BHBBI", read_exactly(sock, 9))
    return kind, flags, stream & 0x7FFFFFFF, read_exactly(sock, high << 16 | low)


# The Huffman code of RFC 7541 is canonical: the symbols of each length, in order, tell all of it. What is
# longer than 15 bits is no ASCII that a header here would hold.
_SYMBOLS = {5: "012aceiost", 6: " %-./3456789=A_bdfghlmnpru", 7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz", 8: "&*,;XZ",
            10: "!\"()?", 11: "'+|", 12: "#>", 13: "\0$@[]~", 14: "^}", 15: "<`{"}


def _huffman_table():
    table, code, last = {}, 0, 0
    for size, symbols in _SYMBOLS.items():
        code <<= size - last
        last = size
        for symbol in symbols:
            table[size, code] = symbol
            code += 1
    return table


_HUFFMAN = _huffman_table()


def _unhuffman(coded):
    out, code, size = "", 0, 0
    for byte in coded:
        for bit in range(7, -1, -1):
            code, size = code << 1 | byte >> bit & 1, size + 1
            if (size, code) in _HUFFMAN:
                out += _HUFFMAN[size, code]
                code = size = 0
    return out  # what is left over is padding


_STATIC = {8: ("status", "200"), 9: ("status", "204"), 10: ("status", "206"), 11: ("status", "304"),
           12: ("status", "400"), 13: ("status", "404"), 14: ("status", "500")}


def _read_integer(block, at, bits):
    number, at = block[at] & ((1 << bits) - 1), at + 1
    if number == (1 << bits) - 1:
        shift = 0
        while True:
            number += (block[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if block[at - 1] < 128:
                break
    return number, at


def _read_string(block, at):
    coded = block[at] & 0x80
    size, at = _read_integer(block, at, 7)
    raw = block[at:at + size]
    return (_unhuffman(raw) if coded else raw.decode("latin-1")), at + size


def read_block(block):
    """{name: value} of a header block without dynamic table; ":status" is called "status", and the other
    names of the static table by their number."""
    found, at = {}, 0
    while at < len(block):
        first = block[at]
        if first & 0x80:
            index, at = _read_integer(block, at, 7)
            name, value = _STATIC.get(index, (str(index), ""))
            found[name] = value
        elif first & 0xE0 == 0x20:  # a table size
            _, at = _read_integer(block, at, 5)
        else:
            index, at = _read_integer(block, at, 6 if first & 0x40 else 4)
            if index:
                name = _STATIC.get(index, (str(index), ""))[0]
            else:
                name, at = _read_string(block, at)
            found[name], at = _read_string(block, at)
    return found
