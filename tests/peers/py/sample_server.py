"""Echoes the messages of sample.proto by way of Google's own classes, which thus take and give what ours made of JSON.

    sample_server.py FOLDER    where sample_pb2.py is
"""

import signal
import sys
import threading
from concurrent import futures

import grpc


def echo_all(messages, _context):
    yield from messages


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

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10), handlers=(
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
