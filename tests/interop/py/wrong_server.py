"""The interop service over Debian's grpcio, doing one thing wrong: for seeing that a client notices.

    wrong_server.py [--reply=short|long|content|missing|none|more] [--report=HEX] [--message=TEXT]

--reply: what each payload is, or that a stream ends without the replies asked for, or with one more. --report: the load report, as it is on the
wire, in the trailers of each UnaryCall and out of band, whatever was asked for. --message: calls of one reply end ABORTED with it.
It prints a line for each call of StreamingInputCall.
"""

import argparse
import threading
from concurrent import futures

import grpc
from interop_pb import Payload
from server import Service, handlers, wait_for_the_end


class Wrong(Service):
    reply, report, message = None, None, None

    def spoil(self, good):
        """The reply instead of that one; its payload is a number of zeros, or the body itself."""
        return {"short": Payload(good.payload - 1), "long": Payload(good.payload + 1), "missing": Payload(),
                "content": Payload(b"\0" * (good.payload - 1) + b"x")}.get(self.reply, good)

    def spoil_all(self, goods):
        if self.reply != "none":
            yield from map(self.spoil, goods)
        if self.reply == "more":
            yield Payload(1)

    def EmptyCall(self, request, context):
        if self.message is not None:
            context.abort(grpc.StatusCode.ABORTED, self.message)
        return super().EmptyCall(request, context)

    def UnaryCall(self, request, context):
        if self.message is not None:
            context.abort(grpc.StatusCode.ABORTED, self.message)
        good = super().UnaryCall(request, context)
        if self.report is not None:
            context.set_trailing_metadata((("endpoint-load-metrics-bin", self.report),))
        return self.spoil(good)

    def StreamingInputCall(self, requests, context):
        print("a call of StreamingInputCall", flush=True)
        return super().StreamingInputCall(requests, context)

    def StreamingOutputCall(self, request, context):
        yield from self.spoil_all(super().StreamingOutputCall(request, context))

    def FullDuplexCall(self, requests, context):
        yield from self.spoil_all(super().FullDuplexCall(requests, context))

    def reports(self, _request, context):
        """Out of band."""
        ended = threading.Event()
        context.add_callback(ended.set)
        while not ended.is_set():
            yield self.report
            ended.wait(0.1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--reply", choices=["short", "long", "content", "missing", "none", "more"])
    parser.add_argument("--report", type=bytes.fromhex)
    parser.add_argument("--message")
    flags = parser.parse_args()
    service = Wrong()
    service.reply, service.report, service.message = flags.reply, flags.report, flags.message
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64))
    out_of_band = {"StreamCoreMetrics": grpc.unary_stream_rpc_method_handler(service.reports)}
    server.add_generic_rpc_handlers((handlers(service), grpc.method_handlers_generic_handler("xds.service.orca.v3.OpenRcaService", out_of_band)))
    port = server.add_insecure_port("[::]:0")
    server.start()
    print("listening on port %d" % port, flush=True)
    wait_for_the_end(server)


if __name__ == "__main__":
    main()
