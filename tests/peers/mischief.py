"""Peers that misbehave, to see that ours does not.

    mischief.py list                              the modes: side, name, what is allowed to come of it, what it does
    mischief.py server MODE... | all              a server per mode; a line says where each listens
    mischief.py client HOST:PORT [MODE ...]       misbehaves towards a server of proto.HelloService, checks after
                                                  each time that it reacted soundly and still serves

Only Python's own library is used; all frames are made by hand.
"""

import signal
import socket
import sys
import threading

import mischief_client
import mischief_server


def show_modes():
    for mode in mischief_server.MODES.values():
        print("server", mode.name, ",".join(mode.codes), mode.what)
    for mode in mischief_client.MODES.values():
        print("client", mode.name, ",".join(mode.reactions), mode.what)


def serve(mode):
    listener = socket.create_server(("127.0.0.1", 0))
    mischief_server.say("%s listening on 127.0.0.1:%d" % (mode.name, listener.getsockname()[1]))
    while True:
        sock, _ = listener.accept()
        mischief_server.say("%s connection" % mode.name)
        threading.Thread(target=mischief_server.serve_one, args=(mode, sock), daemon=True).start()


def serve_all(modes):
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    for mode in modes:
        threading.Thread(target=serve, args=(mode,), daemon=True).start()
    signal.sigwait(ends)


def main(words):
    servers = mischief_server.MODES
    if words == ["list"]:
        show_modes()
    elif words == ["server", "all"]:
        serve_all(servers.values())
    elif len(words) >= 2 and words[0] == "server" and all(word in servers for word in words[1:]):
        serve_all([servers[word] for word in words[1:]])
    elif len(words) >= 2 and words[0] == "client" and all(word in mischief_client.MODES for word in words[2:]):
        return mischief_client.try_all(words[1], words[2:])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
