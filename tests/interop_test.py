"""Our server and client against the other implementations, and against peers that misbehave.

    interop_test.py server go|py|js|rota    that client's check-list on our server
    interop_test.py client go|py|js|rota    our client's check-list on that server
    interop_test.py hostile-clients         mischief.py's clients on our server, with another client beside them
    interop_test.py hostile-servers         our client on mischief.py's servers: the right status each time, in time
"""

import sys
import time

import harness

LISTENING = r"peer listening on (\S+)$"
MISCHIEF = [harness.PYTHON, "-u", harness.TESTS_DIR + "/peers/mischief.py"]
CALL_S = 2  # the deadline of each call to a hostile server


def servers(h):
    return {"rota": lambda: [h.program("tests/e2e/peer_server")],
            "go": lambda: [h.peer("gopeer"), "server"],
            "py": lambda: h.peer_py("pyserver.py"),
            "js": lambda: h.peer_js("jsserver.js")}


def clients(h):
    return {"rota": lambda: [h.program("tests/e2e/peer_client")],
            "go": lambda: [h.peer("gopeer"), "client"],
            "py": lambda: h.peer_py("pyclient.py"),
            "js": lambda: h.peer_js("jsclient.js")}


def pair(h, client, server):
    running = h.spawn(servers(h)[server](), name=server + " server")
    addr = running.wait_line(LISTENING).group(1)
    # node's http2 half-closes a stream before it resets it, so that a server of Bidi sees a proper end; grpcio's server at times tells its
    # handler of the end before it tells of the reset.
    cancelled = ("Unary", "ServerStream") if client == "js" or server == "py" else ("Unary", "ServerStream", "Bidi")
    h.check_program("%s client, %s server" % (client, server), clients(h)[client]() + [addr])
    with h.check("%s server saw calls cancelled" % server):
        for method in cancelled:
            running.wait_line("^end %s gone" % method, timeout_s=5)
    with h.check("%s server ends on SIGTERM" % server):
        assert running.terminate() == 0


def modes(h, side):
    """{name: what is allowed} of one side."""
    rows = [line.split(" ", 3) for line in h.run(MISCHIEF + ["list"]).lines]
    return {name: allowed.split(",") for of, name, allowed, _what in rows if of == side}


def hostile_clients(h):
    running = h.spawn(servers(h)["rota"](), name="server")
    addr = running.wait_line(LISTENING).group(1)
    names = list(modes(h, "client"))
    beside = h.spawn(clients(h)["rota"]() + [addr] + ["unary_echo", "unary_1000_in_a_row", "server_stream_8_mib_slow_reader"] * 2, name="client beside")
    h.check_program("hostile client", MISCHIEF + ["client", addr] + names, timeout_s=120)
    with h.check("the client beside them was well served"):
        assert beside.wait(30) == 0, beside.text()
    with h.check("the server ends on SIGTERM"):
        assert running.terminate() == 0


def hostile_servers(h):
    allowed = modes(h, "server")
    hostile = h.spawn(MISCHIEF + ["server", "all"], name="hostile servers")
    addrs = {hostile.wait_line("^%s listening on (\\S+)$" % name).group(1): name for name in allowed}
    start_s = time.monotonic()
    answers = h.run(clients(h)["rota"]() + ["say"] + list(addrs), timeout_s=30)
    with h.check("all calls ended by their deadline, and the client with them"):
        assert answers.code == 0, "exit code %s" % answers.code
        assert harness.since(start_s) < CALL_S + 4, "%.1f s" % harness.since(start_s)
    for line in answers.lines:
        addr, code, text = line.split(" ", 2)
        name = addrs.pop(addr)
        with h.check("%s: %s %s" % (name, code, text)):
            assert code in allowed[name], "want one of %s" % allowed[name]
            assert code == "OK" or text, "a failure without a word"
    with h.check("every call has ended"):
        assert not addrs, list(addrs.values())


def test(h):
    what = sys.argv[1]
    if what == "server":
        pair(h, sys.argv[2], "rota")
    elif what == "client":
        pair(h, "rota", sys.argv[2])
    else:
        {"hostile-clients": hostile_clients, "hostile-servers": hostile_servers}[what](h)


harness.main(test)
