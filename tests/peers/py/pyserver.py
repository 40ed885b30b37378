"""The Peer service of peer.proto, and HelloService, over Debian's grpcio.

    pyserver.py [--port=127.0.0.1:0]

The first line says where it listens; then come a line per Peer call begun and ended, and `receive:NAME`.
"""

import argparse
import os
import signal
import sys
import threading
from concurrent import futures

import grpc

from peer_pb import Msg, fields, message

STATUS = {code.value[0]: code for code in grpc.StatusCode}


def say(line):
    sys.stdout.write(line + "\n")  # in one piece: many threads have something to say
    sys.stdout.flush()


class Call:
    """One call as the server sees it: logs its ends, sends what the metadata asks for, waits."""

    def __init__(self, method, context):
        self.method, self.context = method, context
        self.over = threading.Event()
        say("begin " + method)
        if not context.add_callback(self.over.set):
            self.over.set()
        asked = context.invocation_metadata()
        initial = [(m.key, m.value) for m in asked if m.key.startswith("x-echo-")]
        trailers = [(m.key, m.value) for m in asked if m.key.startswith("x-trail-")]
        left_s = context.time_remaining()
        if left_s is not None and left_s < 1e6:  # without a deadline it is some very large number
            trailers.append(("x-timeout-ms", str(int(left_s * 1000))))
        context.set_trailing_metadata(tuple(trailers))
        if initial:
            context.send_initial_metadata(tuple(initial))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _trace):
        outcome = "OK"
        # A stream that breaks off may be felt before grpcio says that the call is over.
        if self.over.is_set() or (kind is not None and not self.context.code() and self.over.wait(1)):
            outcome = "gone"
        elif kind is not None:
            outcome = self.context.code().name if self.context.code() else kind.__name__
        say("end %s %s" % (self.method, outcome))

    def pause(self, msg):
        """Waits as the message asks; False when the call is over meanwhile."""
        return not self.over.wait(max(msg.delay_ms, 0) / 1000)

    def finish(self, msg):
        if msg.code:
            self.context.abort(STATUS.get(msg.code, grpc.StatusCode.UNKNOWN), msg.text)


def unary(msg, context):
    with Call("Unary", context) as call:
        call.pause(msg)
        call.finish(msg)
        return Msg(body=msg.body, text=msg.text, count=1)


def client_stream(messages, context):
    with Call("ClientStream", context) as call:
        bodies, last = [], Msg()
        for last in messages:
            if last.code:
                call.pause(last)
                call.finish(last)
            bodies.append(last.body)
        call.pause(last)
        return Msg(body=b"".join(bodies), text=last.text, count=len(bodies))


def answers(call, messages):
    total = 0
    for msg in messages:
        if msg.count <= 0:
            call.pause(msg)
        for _ in range(msg.count):
            if not call.pause(msg):
                return
            total += 1
            yield Msg(body=msg.body, text=msg.text, count=total)
        call.finish(msg)


def server_stream(msg, context):
    with Call("ServerStream", context) as call:
        yield from answers(call, [msg])


def bidi(messages, context):
    with Call("Bidi", context) as call:
        yield from answers(call, messages)


def hello(data, _context):
    name = fields(data).get(1, b"").decode("utf-8")
    say("receive:" + name)
    return message({1: 200, 2: "hello " + name})


def handlers():
    codec = {"request_deserializer": Msg.decode, "response_serializer": Msg.encode}
    return (
        grpc.method_handlers_generic_handler("peer.Peer", {
            "Unary": grpc.unary_unary_rpc_method_handler(unary, **codec),
            "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream, **codec),
            "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream, **codec),
            "Bidi": grpc.stream_stream_rpc_method_handler(bidi, **codec),
        }),
        grpc.method_handlers_generic_handler("proto.HelloService", {
            "Say": grpc.unary_unary_rpc_method_handler(hello),
        }),
    )


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--port", default="127.0.0.1:0", help="address to listen on")
    port = args.parse_args().port
    # A thread per running call, and sleeping ones: more than any check starts at once.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=150), handlers=handlers())
    number = server.add_insecure_port(port if not port.startswith(":") else "[::]" + port)
    over = threading.Event()
    for number_of_signal in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number_of_signal, lambda *_: over.set())
    server.start()
    say("peer listening on %s:%d" % (port.rpartition(":")[0] or "localhost", number))
    over.wait()
    server.stop(grace=3).wait(4)
    os._exit(0)  # a thread that a call never gave back shall not keep us


if __name__ == "__main__":
    main()
