"""Echoes the messages of sample.proto by way of Google's own classes, which thus take and give what ours made of JSON.

    sample_server.py FOLDER [--reflection]    where sample_pb2.py is, and reflection_pb2.py

With --reflection it tells of itself as grpcio's own reflection does, which Debian lacks: out of the descriptor pool, v1alpha, a file together
with all that it imports, an error for what it does not know.
"""

import signal
import sys
import threading
from concurrent import futures

import grpc


def echo_all(messages, _context):
    yield from messages


def files_below(file, found):
    found[file.name] = file
    for imported in file.dependencies:
        if imported.name not in found:
            files_below(imported, found)
    return found


def reflection(services):
    """The handlers of grpc.reflection.v1alpha."""
    from google.protobuf import descriptor_pool
    import reflection_pb2
    pool = descriptor_pool.Default()
    reply = reflection_pb2.ServerReflectionResponse

    def find(request):
        kind = request.WhichOneof("message_request")
        if kind == "file_by_filename":
            return pool.FindFileByName(request.file_by_filename)
        if kind == "file_containing_symbol":
            return pool.FindFileContainingSymbol(request.file_containing_symbol)
        raise KeyError(kind)

    def answer(request):
        if request.HasField("list_services"):
            return reply(list_services_response={"service": [{"name": name} for name in services]})
        try:
            files = files_below(find(request), {}).values()
            return reply(file_descriptor_response={"file_descriptor_proto": [file.serialized_pb for file in files]})
        except KeyError as unknown:
            return reply(error_response={"error_code": grpc.StatusCode.NOT_FOUND.value[0], "error_message": "no %s" % unknown})

    info = grpc.stream_stream_rpc_method_handler(lambda requests, _: map(answer, requests), reflection_pb2.ServerReflectionRequest.FromString,
                                                 reply.SerializeToString)
    return grpc.method_handlers_generic_handler("grpc.reflection.v1alpha.ServerReflection", {"ServerReflectionInfo": info})


def main():
    sys.path.insert(0, sys.argv[1])
    import sample_pb2
    import sample_old_pb2

    def codec(request, reply):
        return {"request_deserializer": request.FromString, "response_serializer": reply.SerializeToString}

    def up(messages, _context):
        return sample_pb2.Shapes(numbers=[message.number for message in messages])

    def down(message, _context):
        for number in message.numbers:
            yield sample_pb2.Scalars(number=number)

    handlers = [reflection(["sample.Sampler"])] if "--reflection" in sys.argv else []
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10), handlers=(
        *handlers,
        grpc.method_handlers_generic_handler("sample.Sampler", {
            "Echo": grpc.unary_unary_rpc_method_handler(lambda m, _: m, **codec(sample_pb2.Known, sample_pb2.Known)),
            "Up": grpc.stream_unary_rpc_method_handler(up, **codec(sample_pb2.Scalars, sample_pb2.Shapes)),
            "Down": grpc.unary_stream_rpc_method_handler(down, **codec(sample_pb2.Shapes, sample_pb2.Scalars)),
            "Both": grpc.stream_stream_rpc_method_handler(echo_all, **codec(sample_pb2.Shapes, sample_pb2.Shapes)),
        }),))
    assert sample_old_pb2.Old is not None  # known to an Any
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print("peer listening on 127.0.0.1:%d" % port, flush=True)
    over.wait()
    server.stop(grace=1).wait(2)


if __name__ == "__main__":
    main()
