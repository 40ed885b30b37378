"""The interop client over Debian's grpcio.

    client.py --server_host=HOST --server_port=PORT --test_case=CASE [--soak_...]

Exit code: 0 passed, 1 failed, 2 wrong arguments or a case that is not supported.
"""

import argparse
import queue
import sys
import time

import grpc

from interop_pb import INITIAL_KEY, METHODS, SERVICE, TRAILING_KEY, Empty, OutputRequest, Payload, SimpleRequest

LARGE_REQUEST, LARGE_REPLY = 271828, 314159
REQUEST_SIZES, REPLY_SIZES = (27182, 8, 1828, 45904), (31415, 9, 2653, 58979)
METADATA = ((INITIAL_KEY, "test_initial_metadata_value"), (TRAILING_KEY, b"\xab\xab\xab"))
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"


class Stub:
    def __init__(self, channel):
        for name, (kind, request, reply) in METHODS.items():
            make = getattr(channel, kind)
            setattr(self, name, make("/%s/%s" % (SERVICE, name), request_serializer=request.encode,
                                     response_deserializer=reply.decode))
        codec = {"request_serializer": Empty.encode, "response_deserializer": Empty.decode}
        self.UnimplementedCall = channel.unary_unary("/%s/UnimplementedCall" % SERVICE, **codec)
        self.NoService = channel.unary_unary("/grpc.testing.UnimplementedService/UnimplementedCall", **codec)


class Requests:
    """The request side of a stream, sent to from outside."""

    def __init__(self):
        self._queue = queue.Queue()

    def send(self, request):
        self._queue.put(request)

    def end(self):
        self._queue.put(None)

    def __iter__(self):
        return self

    def __next__(self):
        request = self._queue.get()
        if request is None:
            raise StopIteration
        return request


def same(got, want, what):
    assert got == want, "%s is %.100r, expected %.100r" % (what, got, want)


def zeros(reply, size):
    same(len(reply.payload or b""), size, "the payload's size")
    assert not any(reply.payload or b""), "the payload is not zeros"


def ends_with(call, code, message=None):
    try:
        call()
    except grpc.RpcError as error:
        same(error.code(), code, "the status")
        if message is not None:
            same(error.details(), message, "the message")
        return
    raise AssertionError("the call succeeded, expected " + code.name)


def empty_unary(stub, _flags):
    same(type(stub.EmptyCall(Empty())), Empty, "the reply")


def large(stub, flags=None):
    want = flags.soak_response_size if flags else LARGE_REPLY
    sent = flags.soak_request_size if flags else LARGE_REQUEST
    zeros(stub.UnaryCall(SimpleRequest(want, sent)), want)


def large_unary(stub, _flags):
    large(stub)


def concurrent_large_unary(stub, _flags):
    calls = [stub.UnaryCall.future(SimpleRequest(LARGE_REPLY, LARGE_REQUEST)) for _ in range(1000)]
    for call in calls:
        zeros(call.result(), LARGE_REPLY)


def client_streaming(stub, _flags):
    reply = stub.StreamingInputCall(Payload(size) for size in REQUEST_SIZES)
    same(reply.size, sum(REQUEST_SIZES), "the size")


def server_streaming(stub, _flags):
    replies = list(stub.StreamingOutputCall(OutputRequest([(size, 0) for size in REPLY_SIZES])))
    same(len(replies), len(REPLY_SIZES), "the number of replies")
    for reply, size in zip(replies, REPLY_SIZES):
        zeros(reply, size)


def ping_pong(stub, _flags):
    requests = Requests()
    replies = stub.FullDuplexCall(requests)
    for sent, size in zip(REQUEST_SIZES, REPLY_SIZES):
        requests.send(OutputRequest([(size, 0)], sent))
        zeros(next(replies), size)
    requests.end()
    same(list(replies), [], "what comes after the last reply")


def empty_stream(stub, _flags):
    same(list(stub.FullDuplexCall(iter(()))), [], "what comes")


def custom_metadata(stub, _flags):
    reply, unary = stub.UnaryCall.with_call(SimpleRequest(LARGE_REPLY, LARGE_REQUEST), metadata=METADATA)
    zeros(reply, LARGE_REPLY)
    stream = stub.FullDuplexCall(iter([OutputRequest([(LARGE_REPLY, 0)], LARGE_REQUEST)]), metadata=METADATA)
    replies = list(stream)
    same(len(replies), 1, "the number of replies")
    for call in (unary, stream):
        same(dict(call.initial_metadata()).get(INITIAL_KEY), METADATA[0][1], INITIAL_KEY)
        same(dict(call.trailing_metadata()).get(TRAILING_KEY), METADATA[1][1], TRAILING_KEY)


def status_code_and_message(stub, _flags):
    status = (2, "test status message")
    ends_with(lambda: stub.UnaryCall(SimpleRequest(status=status)), grpc.StatusCode.UNKNOWN, status[1])
    ends_with(lambda: list(stub.FullDuplexCall(iter([OutputRequest(status=status)]))), grpc.StatusCode.UNKNOWN, status[1])


def special_status_message(stub, _flags):
    ends_with(lambda: stub.UnaryCall(SimpleRequest(status=(2, SPECIAL))), grpc.StatusCode.UNKNOWN, SPECIAL)


def unimplemented_method(stub, _flags):
    ends_with(lambda: stub.UnimplementedCall(Empty()), grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_service(stub, _flags):
    ends_with(lambda: stub.NoService(Empty()), grpc.StatusCode.UNIMPLEMENTED)


def cancel_after_begin(stub, _flags):
    requests = Requests()
    call = stub.StreamingInputCall.future(requests)
    call.cancel()
    requests.end()
    assert call.cancelled(), "the call was not cancelled"
    same(call.code(), grpc.StatusCode.CANCELLED, "the status")


def cancel_after_first_response(stub, _flags):
    requests = Requests()
    replies = stub.FullDuplexCall(requests)
    requests.send(OutputRequest([(REPLY_SIZES[0], 0)], REQUEST_SIZES[0]))
    zeros(next(replies), REPLY_SIZES[0])
    replies.cancel()
    ends_with(lambda: next(replies), grpc.StatusCode.CANCELLED)
    requests.end()


def timeout_on_sleeping_server(stub, _flags):
    requests = Requests()
    requests.send(OutputRequest((), REQUEST_SIZES[0]))
    ends_with(lambda: list(stub.FullDuplexCall(requests, timeout=0.001)), grpc.StatusCode.DEADLINE_EXCEEDED)
    requests.end()


def client_compressed_unary(stub, _flags):
    request = SimpleRequest(LARGE_REPLY, LARGE_REQUEST, expect_compressed=True)
    ends_with(lambda: stub.UnaryCall(request), grpc.StatusCode.INVALID_ARGUMENT)
    zeros(stub.UnaryCall(request, compression=grpc.Compression.Gzip), LARGE_REPLY)
    request.expect_compressed = False
    zeros(stub.UnaryCall(request), LARGE_REPLY)


def soak(flags, call):
    start_s, made, failed = time.monotonic(), 0, 0
    while made < flags.soak_iterations and time.monotonic() - start_s < flags.soak_overall_timeout_seconds:
        begin_s, why = time.monotonic(), None
        try:
            call()
        except (AssertionError, grpc.RpcError) as error:
            why = str(error)
        took_ms = 1e3 * (time.monotonic() - begin_s)
        made += 1
        if why or took_ms > flags.soak_per_iteration_max_acceptable_latency_ms:
            failed += 1
            print("iteration %d: %.3f ms %s" % (made, took_ms, why or ""))
        time.sleep(max(0, flags.soak_min_time_ms_between_rpcs - took_ms) / 1e3)
    same(made, flags.soak_iterations, "the number of iterations")
    assert failed <= flags.soak_max_failures, "%d failures" % failed


def rpc_soak(stub, flags):
    soak(flags, lambda: large(stub, flags))


def channel_soak(_stub, flags):
    def call():
        with open_channel(flags) as channel:
            large(Stub(channel), flags)
    soak(flags, call)


CASES = {case.__name__: case for case in (
    empty_unary, large_unary, client_streaming, server_streaming, ping_pong, empty_stream, custom_metadata,
    status_code_and_message, special_status_message, unimplemented_method, unimplemented_service, cancel_after_begin,
    cancel_after_first_response, timeout_on_sleeping_server, concurrent_large_unary, client_compressed_unary, rpc_soak, channel_soak)}


def open_channel(flags):
    target = "%s:%d" % (flags.server_host, flags.server_port)
    options = [("grpc.use_local_subchannel_pool", 1)]  # or channels to one address share their connections
    if flags.use_tls == "false":
        return grpc.insecure_channel(target, options)
    if flags.server_host_override:
        options.append(("grpc.ssl_target_name_override", flags.server_host_override))
    with open(flags.ca_file, "rb") as file:
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(file.read()), options)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server_host", default="localhost")
    parser.add_argument("--server_port", type=int, required=True)
    parser.add_argument("--test_case", choices=list(CASES), required=True)
    parser.add_argument("--use_tls", choices=["false", "true"], default="false")
    parser.add_argument("--ca_file", help="whom to trust; with TLS only, and then needed")
    parser.add_argument("--server_host_override", help="the name that the server's certificate has")
    for name, default in (("soak_iterations", 10), ("soak_max_failures", 0), ("soak_overall_timeout_seconds", 10),
                          ("soak_per_iteration_max_acceptable_latency_ms", 1000), ("soak_min_time_ms_between_rpcs", 0),
                          ("soak_request_size", LARGE_REQUEST), ("soak_response_size", LARGE_REPLY)):
        parser.add_argument("--" + name, type=int, default=default)
    flags = parser.parse_args()
    with open_channel(flags) as channel:
        try:
            CASES[flags.test_case](Stub(channel), flags)
        except (AssertionError, grpc.RpcError) as error:
            print("%s: failed: %s" % (flags.test_case, error))
            return 1
    print("%s: passed" % flags.test_case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
