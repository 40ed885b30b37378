"""proto.HelloService/Say over Debian's grpcio, and its health, which signals change: SIGUSR1 is NOT_SERVING, SIGUSR2 is
SERVING again. The first line says where it listens; then comes a line per change.

    pyhealth.py
"""

import concurrent.futures
import signal
import threading

import grpc

from peer_pb import fields, message

changed = threading.Condition()
status = {"now": 1}


def say(request, _context):
    return message({1: 200, 2: "hello " + fields(request).get(1, b"").decode()})


def watch(_request, context):
    """What is so now, then every change."""
    told = None
    while context.is_active():
        with changed:
            changed.wait_for(lambda: status["now"] != told, timeout=1)
            now = status["now"]
        if now != told:
            told = now
            yield message({1: now})


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers([
        grpc.method_handlers_generic_handler("proto.HelloService", {"Say": grpc.unary_unary_rpc_method_handler(say)}),
        grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Watch": grpc.unary_stream_rpc_method_handler(watch)}),
    ])
    port = server.add_insecure_port("127.0.0.1:0")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM])  # before there are threads
    server.start()
    print("listening on 127.0.0.1:%d" % port, flush=True)
    while True:
        number = signal.sigwait([signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM])
        if number == signal.SIGTERM:
            return
        with changed:
            status["now"] = 2 if number == signal.SIGUSR1 else 1
            changed.notify_all()
        print("NOT_SERVING" if number == signal.SIGUSR1 else "SERVING", flush=True)


if __name__ == "__main__":
    main()
