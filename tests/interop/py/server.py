"""The interop service over Debian's grpcio.

    server.py --port=PORT [--use_tls=true --tls_cert_file=FILE --tls_key_file=FILE]
"""

import argparse
import signal
import sys
import threading
import time
from concurrent import futures

import grpc

from interop_pb import INITIAL_KEY, METHODS, SERVICE, TRAILING_KEY, Aggregate, Empty, Payload

CODES = {code.value[0]: code for code in grpc.StatusCode}


def echo_metadata(context):
    sent = context.invocation_metadata()
    initial = tuple((m.key, m.value) for m in sent if m.key == INITIAL_KEY)
    if initial:
        context.send_initial_metadata(initial)
    context.set_trailing_metadata(tuple((m.key, m.value) for m in sent if m.key == TRAILING_KEY))


def echo_status(request, context):
    if request.status and request.status[0]:
        context.abort(CODES.get(request.status[0], grpc.StatusCode.UNKNOWN), request.status[1])


def answer(request, context):
    """The replies that a request of a streaming method asks for."""
    echo_status(request, context)
    if any(request.compressed):
        context.set_compression(Service.asked)
    for (size, interval_us), compressed in zip(request.replies, request.compressed):
        time.sleep(interval_us / 1e6)
        if not compressed:
            context.disable_next_message_compression()
        yield Payload(size)


class Service:
    asked = None  # the compression of replies that shall be compressed

    def EmptyCall(self, _request, context):
        echo_metadata(context)
        return Empty()

    def UnaryCall(self, request, context):
        echo_metadata(context)
        echo_status(request, context)
        if request.response_compressed:
            context.set_compression(self.asked)
        elif request.response_compressed is False:
            context.disable_next_message_compression()
        return Payload(request.response_size)

    def StreamingInputCall(self, requests, context):
        echo_metadata(context)
        return Aggregate(sum(len(request.payload or b"") for request in requests))

    def StreamingOutputCall(self, request, context):
        echo_metadata(context)
        yield from answer(request, context)

    def FullDuplexCall(self, requests, context):
        echo_metadata(context)
        for request in requests:
            yield from answer(request, context)


def handlers(service):
    table = {}
    for name, (kind, request, reply) in METHODS.items():
        make = getattr(grpc, kind + "_rpc_method_handler")
        table[name] = make(getattr(service, name), request_deserializer=request.decode, response_serializer=reply.encode)
    return grpc.method_handlers_generic_handler(SERVICE, table)


def wait_for_the_end(server):
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(0.2):  # short, so that signals are looked at
        pass
    server.stop(1).wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", default="0")
    parser.add_argument("--compression", choices=["none", "gzip", "deflate"], default="none", help="of replies, unless the request asks for its own")
    parser.add_argument("--use_tls", choices=["false", "true"], default="false")
    parser.add_argument("--tls_cert_file")
    parser.add_argument("--tls_key_file")
    flags = parser.parse_args()
    algorithm = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate}[flags.compression]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), compression=algorithm)
    Service.asked = algorithm if flags.compression == "deflate" else grpc.Compression.Gzip
    server.add_generic_rpc_handlers((handlers(Service()),))
    if flags.use_tls == "true":
        with open(flags.tls_key_file, "rb") as key, open(flags.tls_cert_file, "rb") as cert:
            port = server.add_secure_port("[::]:" + flags.port, grpc.ssl_server_credentials([(key.read(), cert.read())]))
    else:
        port = server.add_insecure_port("[::]:" + flags.port)
    server.start()
    print("listening on port %d" % port, flush=True)
    wait_for_the_end(server)


if __name__ == "__main__":
    main()
