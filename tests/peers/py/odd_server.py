"""A server whose reflection is at odds with itself, service by service, and whose texts would steer a terminal.

    odd_server.py FOLDER [--token] [--slow=SECONDS] [--chain=SECONDS]    where reflection_pb2.py is

Files are sent once a stream, with what they import, as grpc-go does. --token: those who ask must send x-token: secret. --slow: each answer
takes that long, and one service is all there is. --chain: each file imports another one, which takes that long
or, if that is no time, is large.
"""

import signal
import sys
import threading
import time
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2

STEER = "\x1b[31m\u009b2J\x7f"


def make_file(name, service, imports=(), message=None, takes="good.Note", **more):
    """A file with one service, whose only method takes and returns that type."""
    package, _, local = service.rpartition(".")
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, dependency=imports, syntax="proto3", **more)
    if message is not None:
        file.message_type.add(name=message)
    if local:
        file.service.add(name=local).method.add(name="Do", input_type="." + takes, output_type="." + takes)
    return file


NOTE = make_file("note.proto", "good.", message="Note")
FILES = {
    "good.First": (make_file("first.proto", "good.First", ["note.proto"]), NOTE),
    "good.Same": (make_file("first.proto", "good.Same", ["note.proto"]), NOTE),
    "good.Copy": (make_file("copy.proto", "good.Copy", ["copied.proto"]), make_file("copied.proto", "good.", message="Note")),
    "bad.Import": (make_file("import.proto", "bad.Import", ["note.proto", "none.proto"]), NOTE),
    "bad.Link": (make_file("link.proto", "bad.Link", takes="no.Where"),),
    "bad.Twice": (make_file("twice.proto", "good.Twice", message="Note"), NOTE),
    "bad.Other": (NOTE,),
    "good.Last": (make_file("last.proto", "good.Last", ["note.proto"]), NOTE),
}
NAMES = ["good.First", "good.Same", "bad.Zero", "bad.Number", "bad.Import", "bad.Link", "bad.Twice", "bad.Other", "bad.Bytes", "bad.Stream",
         "by.Hand", STEER, "good.Last", "good.Copy"]
ERRORS = {"bad.Zero": (0, "zero " + STEER), "bad.Number": (99, "ninety-nine")}


def make_link(i, large):
    """Large: 8 MiB in a field that no descriptor has."""
    file = make_file("chain%d.proto" % i, "good.Chain%s" % (i or ""), ["chain%d.proto" % (i + 1)])
    return file.SerializeToString() + (b"\xfa\x7f\x80\x80\x80\x04" + bytes(8 << 20) if large else b"")


def reflection(slow_s, token, chain):
    """The handlers of grpc.reflection.v1."""
    import reflection_pb2
    reply = reflection_pb2.ServerReflectionResponse

    def answer(request, sent, context):
        if request.HasField("list_services"):
            return reply(list_services_response={"service": [{"name": name} for name in (NAMES[:1] if slow_s > 0 else NAMES)]})
        name = request.file_containing_symbol
        if chain is not None:
            time.sleep(chain)
            i = int(request.file_by_filename[5:-6] or 0)
            return reply(file_descriptor_response={"file_descriptor_proto": [make_link(i, chain == 0)]})
        if name == "bad.Stream":
            context.abort(grpc.StatusCode.INTERNAL, "no more of this")
        if name == "bad.Bytes":
            return reply(file_descriptor_response={"file_descriptor_proto": [b"\xff\xff"]})
        if name in FILES:
            files = [file for i, file in enumerate(FILES[name]) if i == 0 or file.name not in sent]
            sent.update(file.name for file in files)
            return reply(file_descriptor_response={"file_descriptor_proto": [file.SerializeToString() for file in files]})
        code, text = ERRORS.get(name, (grpc.StatusCode.NOT_FOUND.value[0], "not here"))
        return reply(error_response={"error_code": code, "error_message": text})

    def answers(requests, context):
        if token and ("x-token", "secret") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
        sent = set()
        for request in requests:
            time.sleep(slow_s)
            yield answer(request, sent, context)

    info = grpc.stream_stream_rpc_method_handler(answers, reflection_pb2.ServerReflectionRequest.FromString, reply.SerializeToString)
    return grpc.method_handlers_generic_handler("grpc.reflection.v1.ServerReflection", {"ServerReflectionInfo": info})


def main():
    sys.path.insert(0, sys.argv[1])
    slow_s = sum(float(word.partition("=")[2]) for word in sys.argv if word.startswith("--slow="))
    chain = next((float(word.partition("=")[2]) for word in sys.argv if word.startswith("--chain=")), None)

    def fail(_request, context):
        context.abort(grpc.StatusCode.INTERNAL, "ill " + STEER)

    def echo(request, context):
        if "--token" in sys.argv and ("x-token", "secret") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
        return request

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10), handlers=(
        reflection(slow_s, "--token" in sys.argv, chain),
        grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(fail)}),
        grpc.method_handlers_generic_handler("good.First", {"Do": grpc.unary_unary_rpc_method_handler(echo)}),))
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print("peer listening on 127.0.0.1:%d" % port, flush=True)
    over.wait()
    server.stop(grace=1).wait(2)


if __name__ == "__main__":
    main()
