"""interop.proto's messages by hand: the few lines of protobuf that they need, and the service's methods.

A message is a class with `encode` and `decode`; what is empty or zero is left out, as proto3 has it.
"""

import struct


def _varint(number):
    number &= (1 << 64) - 1  # a negative int32 goes as ten bytes
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at


def _fields(data):
    """{number: [values]}, a value being an int, bytes or, of eight bytes, a float."""
    found, at = {}, 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        if tag & 7 == 0:
            value, at = _read_varint(data, at)
        elif tag & 7 == 1:
            value, = struct.unpack_from("<d", data, at)
            at += 8
        elif tag & 7 == 2:
            size, at = _read_varint(data, at)
            value = data[at:at + size]
            at += size
        else:
            raise ValueError("wire type %d is in none of these messages" % (tag & 7))
        found.setdefault(tag >> 3, []).append(value)
    return found


def _int(number, value):
    return _varint(number << 3) + _varint(value) if value else b""


def _bytes(number, value):
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _int32(values):
    number = values[-1] & 0xFFFFFFFF if values else 0
    return number - (1 << 32) if number >> 31 else number


def _payload(number, size):
    """A payload of that many zeros; None is no payload."""
    return b"" if size is None else _bytes(number, _bytes(2, bytes(size)) if size else b"")


def _read_payload(values):
    """The body, or None where there is no payload."""
    return _fields(values[-1]).get(2, [b""])[-1] if values else None


def _choice(number, value):
    """A bool that may be left open: None."""
    return b"" if value is None else _bytes(number, _int(1, int(value)))


def _read_choice(values):
    return bool(_int32(_fields(values[-1]).get(1))) if values else None


def _status(number, status):
    return b"" if status is None else _bytes(number, _int(1, status[0]) + _bytes(2, status[1].encode("utf-8")))


def _read_status(values):
    """(code, message) or None."""
    if not values:
        return None
    got = _fields(values[-1])
    return _int32(got.get(1)), got.get(2, [b""])[-1].decode("utf-8")


class LoadReport:
    """xds.data.orca.v3.OrcaLoadReport, decoded; cpu: the utilization."""

    @staticmethod
    def decode(data):
        report = LoadReport()
        report.cpu = _fields(data).get(1, [0.0])[-1]
        return report


class Empty:
    def encode(self):
        return b""

    @staticmethod
    def decode(_data):
        return Empty()


FILL = {"username": 4, "oauth_scope": 5, "server_id": 9, "grpclb_route_type": 10}


class SimpleRequest:
    def __init__(self, response_size=0, payload=None, status=None, response_type=0, response_compressed=None, expect_compressed=None, fill=()):
        """payload: how many zeros, when encoded; the body itself, when decoded. fill: of FILL, what the reply shall say; not decoded."""
        self.response_size, self.payload, self.status, self.response_type = response_size, payload, status, response_type
        self.response_compressed, self.expect_compressed, self.fill = response_compressed, expect_compressed, fill

    def encode(self):
        return (_int(2, self.response_size) + _payload(3, self.payload) + _choice(6, self.response_compressed) +
                _status(7, self.status) + _choice(8, self.expect_compressed) + b"".join(_int(FILL[name], 1) for name in self.fill))

    @staticmethod
    def decode(data):
        got = _fields(data)
        return SimpleRequest(_int32(got.get(2)), _read_payload(got.get(3)), _read_status(got.get(7)), _int32(got.get(1)),
                             _read_choice(got.get(6)), _read_choice(got.get(8)))


class Payload:
    """A message with a payload as its field 1: StreamingInputCallRequest, StreamingOutputCallResponse, and what servers send of SimpleResponse."""

    def __init__(self, payload=None):
        self.payload = payload

    def encode(self):
        return _payload(1, self.payload)

    @staticmethod
    def decode(data):
        return Payload(_read_payload(_fields(data).get(1)))


class SimpleResponse(Payload):
    """said: what it says besides, {name: value}."""

    NAMES = {2: "username", 3: "oauth_scope", 4: "server_id", 6: "hostname"}

    @staticmethod
    def decode(data):
        got = _fields(data)
        reply = SimpleResponse(_read_payload(got.pop(1, None)))
        reply.said = {SimpleResponse.NAMES[number]: values[-1].decode("utf-8") for number, values in got.items() if number != 5}
        if 5 in got:
            reply.said["grpclb_route_type"] = _int32(got[5])
        return reply


class Aggregate:
    """StreamingInputCallResponse."""

    def __init__(self, size=0):
        self.size = size

    def encode(self):
        return _int(1, self.size)

    @staticmethod
    def decode(data):
        return Aggregate(_int32(_fields(data).get(1)))


class OutputRequest:
    """StreamingOutputCallRequest; replies: [(size, interval_us)] or, to be encoded, [(size, interval_us, compressed)]."""

    def __init__(self, replies=(), payload=None, status=None, cpu=None, key_bytes=0):
        """cpu: the utilization that the server shall report out of band, with a cost whose name has key_bytes; not decoded."""
        self.replies, self.payload, self.status, self.cpu, self.key_bytes = replies, payload, status, cpu, key_bytes

    def encode(self):
        asked = b"".join(_bytes(2, _int(1, size) + _int(2, interval_us) + b"".join(_choice(3, one) for one in compressed))
                         for size, interval_us, *compressed in self.replies)
        cost = _bytes(3, _bytes(1, b"k" * self.key_bytes)) if self.key_bytes else b""
        report = b"" if self.cpu is None else _bytes(8, b"\x09" + struct.pack("<d", self.cpu) + cost)
        return asked + _payload(3, self.payload) + _status(7, self.status) + report

    @staticmethod
    def decode(data):
        got = _fields(data)
        asked = [_fields(one) for one in got.get(2, [])]
        request = OutputRequest([(_int32(one.get(1)), _int32(one.get(2))) for one in asked],
                                _read_payload(got.get(3)), _read_status(got.get(7)))
        request.compressed = [bool(_read_choice(one.get(3))) for one in asked]
        return request


SERVICE = "grpc.testing.TestService"
METHODS = {  # name: (kind, request, reply)
    "EmptyCall": ("unary_unary", Empty, Empty),
    "UnaryCall": ("unary_unary", SimpleRequest, SimpleResponse),
    "StreamingInputCall": ("stream_unary", Payload, Aggregate),
    "StreamingOutputCall": ("unary_stream", OutputRequest, Payload),
    "FullDuplexCall": ("stream_stream", OutputRequest, Payload),
}
OUR_METHODS = {  # that our server has too
    "CacheableUnaryCall": ("unary_unary", SimpleRequest, SimpleResponse),
    "HalfDuplexCall": ("stream_stream", OutputRequest, Payload),
}
INITIAL_KEY = "x-grpc-test-echo-initial"
TRAILING_KEY = "x-grpc-test-echo-trailing-bin"
