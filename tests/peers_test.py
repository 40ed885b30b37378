"""The foreign programs tried on one another, so that a check that fails on ours is ours to mend.

    peers_test.py go|py|js     that client against each server there is
"""

import sys

import harness

LISTENING = r"peer listening on (\S+)$"


def servers(h):
    yield "go", [h.peer("gopeer"), "server"]
    yield "py", h.peer_py("pyserver.py")
    try:
        yield "js", h.peer_js("jsserver.js")
    except harness.Skip as why:
        print("js server left out: %s" % why)


def client(h, kind):
    return {"go": lambda: [h.peer("gopeer"), "client"],
            "py": lambda: h.peer_py("pyclient.py"),
            "js": lambda: h.peer_js("jsclient.js")}[kind]()


def test(h):
    kind = sys.argv[1]
    command = client(h, kind)
    for name, server in servers(h):
        # node's http2 half-closes a stream before it resets it, so that a server of Bidi sees a proper end; grpcio's server at times tells its
        # handler of the end before it tells of the reset.
        cancelled = ("Unary", "ServerStream") if kind == "js" or name == "py" else ("Unary", "ServerStream", "Bidi")
        running = h.spawn(server, name=name + " server")
        addr = running.wait_line(LISTENING).group(1)
        h.check_program("%s client, %s server" % (kind, name), command + [addr])
        with h.check("%s server saw calls cancelled" % name):
            for method in cancelled:
                running.wait_line("^end %s gone" % method, timeout_s=5)
        with h.check("%s server ends on SIGTERM" % name):
            assert running.terminate() == 0


harness.main(test)
