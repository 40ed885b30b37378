"""HelloService over Debian's grpcio, in trouble as asked for.

    troubled_server.py [--fail=N] [--pushback=MS] [--stall=N:MS] [--slot=MS:QUEUE] [--streams=N]

--fail: each N-th call fails UNAVAILABLE, with --pushback as grpc-retry-pushback-ms. --stall: each N-th call takes so long. --slot: one call
is served at a time, each takes so long; with QUEUE calls waiting already, one fails UNAVAILABLE. --streams: so many at once on a connection.
The first line says where it listens. SIGUSR1 makes each second call fail, until the next SIGUSR1, each time with a line "fails N". SIGTERM
makes it print "received N previous P", P the calls that announced earlier attempts.
"""

import argparse
import asyncio
import signal

import grpc

from peer_pb import fields, message


class Server:
    def __init__(self, args):
        self.fail, self.pushback = args.fail, args.pushback
        self.stall, self.stall_s = args.stall[0], args.stall[1] / 1000
        self.slot_s, self.queue = args.slot[0] / 1000, args.slot[1]
        self.received = self.previous = self.waiting = 0
        self.slot = asyncio.Lock()

    def turn(self):
        self.fail = 0 if self.fail == 2 else 2
        print("fails %d" % self.fail, flush=True)

    async def say(self, data, context):
        self.received += 1
        number = self.received
        if any(key == "grpc-previous-rpc-attempts" for key, _ in context.invocation_metadata()):
            self.previous += 1
        if self.fail and number % self.fail == 0:
            if self.pushback is not None:
                context.set_trailing_metadata((("grpc-retry-pushback-ms", self.pushback),))
            await context.abort(grpc.StatusCode.UNAVAILABLE, "this one fails")
        if self.stall and number % self.stall == 0:
            await asyncio.sleep(self.stall_s)
        if self.slot_s:
            await self.serve(context)
        return message({1: 200, 2: "hello " + fields(data).get(1, b"").decode("utf-8")})

    async def serve(self, context):
        if self.waiting > self.queue:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "too much")
        self.waiting += 1
        try:
            async with self.slot:
                await asyncio.sleep(self.slot_s)
        finally:
            self.waiting -= 1


def pair(text):
    return tuple(int(part) for part in text.split(":"))


async def main():
    args = argparse.ArgumentParser()
    args.add_argument("--fail", type=int, default=0)
    args.add_argument("--pushback")
    args.add_argument("--stall", type=pair, default=(0, 0))
    args.add_argument("--slot", type=pair, default=(0, 0))
    args.add_argument("--streams", type=int)
    args = args.parse_args()
    troubled = Server(args)
    server = grpc.aio.server(options=[("grpc.max_concurrent_streams", args.streams)] if args.streams else [])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("proto.HelloService", {
        "Say": grpc.unary_unary_rpc_method_handler(troubled.say)}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print("peer listening on 127.0.0.1:%d" % port, flush=True)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, troubled.turn)
    await over.wait()
    print("received %d previous %d" % (troubled.received, troubled.previous), flush=True)
    await server.stop(0.2)


asyncio.run(main())
