"""Health and reflection of a greeting server, asked in plain bytes over Debian's grpcio; prints ok and FAIL lines.

    services_client.py HOST:PORT
"""

import sys

import grpc

from peer_pb import fields, message

HEALTH = "/grpc.health.v1.Health/"


def check(name, good, detail=""):
    print("%s %s%s" % ("ok" if good else "FAIL", name, "" if good else ": %s" % (detail,)), flush=True)


def check_health(channel):
    ask = channel.unary_unary(HEALTH + "Check")
    check("the server is SERVING", fields(ask(b"", timeout=5)) == {1: 1})
    check("so is the service", fields(ask(message({1: "proto.HelloService"}), timeout=5)) == {1: 1})
    try:
        ask(message({1: "no.Service"}), timeout=5)
        check("an unknown service is NOT_FOUND", False, "it was found")
    except grpc.RpcError as error:
        check("an unknown service is NOT_FOUND", error.code() == grpc.StatusCode.NOT_FOUND, error)
    for name, service, want in (("the server", "", 1), ("an unknown service", "no.Service", 3)):
        stream = channel.unary_stream(HEALTH + "Watch")(message({1: service}), timeout=5)
        check("a watch tells of %s at once" % name, fields(next(stream)) == {1: want})
        stream.cancel()
    entry = fields(fields(channel.unary_unary(HEALTH + "List")(b"", timeout=5))[1])
    check("the list has a status for each name", fields(entry[2]) == {1: 1}, entry)


def repeated(data, number):
    """All fields of one number, all of them lengths and bytes."""
    found, at = [], 0
    while at < len(data):
        size, shift, start = 0, 0, at + 1
        while True:
            size |= (data[start] & 0x7F) << shift
            shift += 7
            start += 1
            if data[start - 1] < 0x80:
                break
        if data[at] >> 3 == number:
            found.append(data[start:start + size])
        at = start + size
    return found


def check_reflection(channel, version):
    method = channel.stream_stream("/grpc.reflection.%s.ServerReflection/ServerReflectionInfo" % version)
    questions = [message({7: "*"}), message({4: "proto.HelloService.Say"}), message({3: "hello.proto"}), message({4: "grpc.health.v1.Health"}),
                 message({4: "no.Such"}), message({6: "proto.HelloReply"})]
    listed, symbol, file, other, missing, numbers = [fields(answer) for answer in method(iter(questions), timeout=5)]
    names = [fields(service)[1] for service in repeated(listed[6], 1)]
    check("%s lists in order" % version, names == sorted(names) and b"proto.HelloService" in names and len(names) == 4, names)
    check("%s finds a method" % version, 4 in symbol and fields(repeated(symbol[4], 1)[0])[1] == b"hello.proto", symbol)
    check("%s sends a file again when asked again" % version, file.get(4) == symbol.get(4))
    check("%s finds another file" % version, fields(repeated(other[4], 1)[0])[1] == b"grpc/health/v1/health.proto", other)
    check("%s says what is not found" % version, fields(missing[7])[1] == 5, missing)
    check("%s knows of no extensions" % version, fields(numbers[5]) == {1: b"proto.HelloReply"}, numbers)
    try:
        from google.protobuf import descriptor_pool
        pool = descriptor_pool.DescriptorPool()
        for one in repeated(symbol[4], 1) + repeated(other[4], 1):
            pool.AddSerializedFile(one)
        check("%s sends descriptors that protobuf takes" % version, pool.FindMethodByName("proto.HelloService.Say").output_type.full_name == "proto.HelloReply")
    except ImportError:
        print("no protobuf for Python: descriptors are not tried", flush=True)


def main():
    channel = grpc.insecure_channel(sys.argv[1])
    check_health(channel)
    check_reflection(channel, "v1")
    check_reflection(channel, "v1alpha")
    channel.close()


if __name__ == "__main__":
    main()
