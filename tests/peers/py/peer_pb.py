"""peer.proto's Msg and the hello service's messages, written out by hand: the few lines of protobuf that they need."""


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


def fields(data):
    """The fields of a message: {number: last value}, a value being an int or bytes."""
    found, at = {}, 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        if tag & 7 == 0:
            found[tag >> 3], at = _read_varint(data, at)
        elif tag & 7 == 2:
            size, at = _read_varint(data, at)
            if at + size > len(data):
                raise ValueError("field %d ends after the message" % (tag >> 3))
            found[tag >> 3] = data[at:at + size]
            at += size
        else:
            raise ValueError("wire type %d is in none of these messages" % (tag & 7))
    return found


def message(values):
    """The bytes of {number: value}; zero and empty values are left out, as proto3 has it."""
    out = bytearray()
    for number, value in values.items():
        if isinstance(value, str):
            value = value.encode("utf-8")
        if isinstance(value, bytes) and value:
            out += _varint(number << 3 | 2) + _varint(len(value)) + value
        elif isinstance(value, int) and value:
            out += _varint(number << 3) + _varint(value)
    return bytes(out)


def _int32(number):
    number &= 0xFFFFFFFF
    return number - (1 << 32) if number >> 31 else number


class Msg:
    def __init__(self, body=b"", count=0, code=0, text="", delay_ms=0):
        self.body, self.count, self.code, self.text, self.delay_ms = body, count, code, text, delay_ms

    def encode(self):
        return message({1: self.body, 2: self.count, 3: self.code, 4: self.text, 5: self.delay_ms})

    @staticmethod
    def decode(data):
        got = fields(data)
        return Msg(got.get(1, b""), _int32(got.get(2, 0)), _int32(got.get(3, 0)),
                   got.get(4, b"").decode("utf-8"), _int32(got.get(5, 0)))
