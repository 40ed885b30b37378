"""What is wrong is named, with what was expected, and the exit code says so; nothing crashes or hangs.

    bad_input_test.py [etcd|rota]     with a registry: what is bad inside it
"""

import json
import os
import re
import socket
import sys
import threading

import fleet
import harness

SERVER, CLIENT, ROTA = "examples/hello/server", "examples/hello/client", "tools/rota/rota"

# program, arguments, exit code, what the message must hold.
REFUSED = (
    (CLIENT, ["--registry=ftp://x"], 2, ["ftp://x", "expected etcd://host:port"]),
    (CLIENT, ["--registry=etcd://127.0.0.1:99999"], 1, ["127.0.0.1:99999"]),
    (CLIENT, ["--registry=etcd://127.0.0.1:abc"], 1, ["127.0.0.1:abc"]),
    (CLIENT, ["--registry=etcd://[::1"], 1, ["[::1"]),
    (CLIENT, ["--registry=etcd://,"], 1, ["empty name between commas"]),
    (CLIENT, ["--registry=etcd://127.0.0.1:1?dialect=foo"], 1, ["foo", "grpclb, official"]),
    (CLIENT, ["--registry=etcd://127.0.0.1:1?colour=red"], 1, ["colour", "there are dialect, prefix, config, tls"]),
    (CLIENT, ["--service="], 1, ["no service", "etcd://members/service"]),
    (CLIENT, ["--registry=127.0.0.1:1", "--policy=no_such"], 1, ["no_such", "pick_first, round_robin"]),
    (CLIENT, ["--count=-1"], 2, ["--count=-1", "whole number"]),
    (CLIENT, ["--count=many"], 2, ["--count=many", "whole number"]),
    (CLIENT, ["--interval=99999999999999999999"], 2, ["--interval=9", "whole number"]),
    (CLIENT, ["--colour=red"], 2, ["--colour=red", "usage:"]),
    (SERVER, [], 2, ["--port is missing", "usage:"]),
    (SERVER, ["--registry=none", "--port=:99999"], 1, ["99999", "up to 65535"]),
    (SERVER, ["--registry=none", "--port=abc"], 1, ["abc", "HOST:PORT"]),
    (SERVER, ["--registry=none", "--port="], 1, ["empty", "HOST:PORT"]),
    (SERVER, ["--registry=none", "--port=1.2.3.4.5:80"], 1, ["1.2.3.4.5", "IP address"]),
    (SERVER, ["--registry=none", "--port=192.0.2.1:80"], 1, ["192.0.2.1:80", "not available"]),
    (SERVER, ["--registry=none", "--port=unix:/no/such/dir/x"], 1, ["/no/such/dir/x", "no such file"]),
    (SERVER, ["--port=127.0.0.1:0", "--weight=0"], 2, ["--weight=0", "whole number"]),
    (SERVER, ["--port=127.0.0.1:0", "--lease=0"], 2, ["--lease=0", "whole number"]),
    (SERVER, ["--port=127.0.0.1:0", "--service="], 2, ["--service is empty"]),
    (SERVER, ["--port=127.0.0.1:0", "--advertise=nowhere"], 1, ["nowhere", "HOST:PORT"]),
    (SERVER, ["--port=127.0.0.1:0", "--registry=etcd://127.0.0.1:99999"], 1, ["127.0.0.1:99999"]),
    (ROTA, [], 2, ["endpoints", "registry", "watch"]),
    (ROTA, ["no_such"], 2, ["no_such", "--help"]),
    (ROTA, ["endpoints"], 2, ["TARGET"]),
    (ROTA, ["endpoints", "--colour", "x"], 2, ["--colour", "--help"]),
    (ROTA, ["endpoints", "ftp://x"], 1, ["ftp", "dns, ipv4, ipv6, unix"]),
    (ROTA, ["endpoints", "etcd://127.0.0.1:1"], 1, ["no service"]),
    (ROTA, ["endpoints", "ipv4:1.2.3:4"], 1, ["1.2.3"]),
    (ROTA, ["watch", "ftp://x"], 1, ["ftp", "dns, ipv4, ipv6, unix"]),
    (ROTA, ["call", "127.0.0.1:1", "--max-reply-bytes=abc"], 2, ["--max-reply-bytes=abc", "whole number"]),
    (ROTA, ["call", "127.0.0.1:1", "--tls", "--plaintext"], 2, ["--plaintext", "TLS"]),
    (ROTA, ["health", "127.0.0.1:1", "--max-reply-bytes=0"], 2, ["--max-reply-bytes=0", "whole number"]),
    (ROTA, ["bench", "127.0.0.1:1", "a/b", "--ca", "x", "--plaintext"], 2, ["--plaintext", "TLS"]),
    (ROTA, ["bench", "127.0.0.1:1", "a"], 2, ["SERVICE/METHOD"]),
    (ROTA, ["watch", "127.0.0.1:1", "--picks", "--tls", "--plaintext"], 2, ["--plaintext", "TLS"]),
    (ROTA, ["registry", "--listen", "127.0.0.1:99999"], 1, ["99999", "up to 65535"]),
    (ROTA, ["bench"], 2, ["SERVICE/METHOD are needed"]),
    (ROTA, ["bench", "127.0.0.1:1"], 2, ["SERVICE/METHOD are needed"]),
    (ROTA, ["registry", "--listen", "nowhere"], 1, ["nowhere", "HOST:PORT"]),
    (ROTA, ["registry", "--listen", "127.0.0.1:0", "--data", "/dev/null/x"], 1, ["/dev/null/x"]),
    (ROTA, ["registry", "--colour"], 2, ["--colour", "--help"]),
    (ROTA, ["health", "127.0.0.1:1", "-json"], 2, ["unknown flag -json", "--help"]),
    (ROTA, ["call", "127.0.0.1:1", "-x"], 2, ["unknown flag -x", "--help"]),
    (ROTA, ["health", "127.0.0.1:1", "-d", "{}"], 2, ["unknown flag -d", "--help"]),
    (ROTA, ["call", "127.0.0.1:1", "-d", "{}"], 2, ["-d", "go with SERVICE/METHOD"]),
    (ROTA, ["call", "127.0.0.1:1", "a.B", "-d", "{}"], 2, ["-d", "go with SERVICE/METHOD"]),
    (ROTA, ["call", "127.0.0.1:1", "--verbose"], 2, ["--verbose", "go with SERVICE/METHOD"]),
    (ROTA, ["call", "127.0.0.1:1", "a/b", "--metadata", "x-bin: AA!"], 2, ["x-bin: AA!", "expected base64"]),
    (ROTA, ["call", "127.0.0.1:1", "a/b", "--metadata", "x-bin=A"], 2, ["x-bin=A", "expected base64"]),
    (ROTA, ["bench", "127.0.0.1:1", "a/b", "--policy", "p", "--service-config", "{}"], 2, ["--policy or --service-config"]),
    (ROTA, ["bench", "127.0.0.1:1", "a/b", "--rate", "1", "--outstanding", "64"], 2, ["--outstanding or --rate"]),
    (ROTA, ["watch", "etcd://127.0.0.1:1/x", "--ca", "/no"], 2, ["--picks", "?cacert="]),
    (ROTA, ["watch", "etcd://127.0.0.1:1/x", "--plaintext"], 2, ["--picks", "?cacert="]),
    (ROTA, ["watch", "etcd://127.0.0.1:1/x", "--max-reply-bytes=1"], 2, ["--picks", "?cacert="]),
)


def check_refused(h, program, arguments, code, words, timeout_s=10):
    name = " ".join([program.rpartition("/")[2]] + arguments)
    with h.check(name):
        run = h.run([h.program(program), *arguments], timeout_s)
        assert run.code == code, "code %s: %s" % (run.code, run.text()[-300:])
        for word in words:
            assert word in run.text(), "no %r in: %s" % (word, run.text()[-500:])


class Odd:
    """A peer of no use: takes connections and says something, or nothing. Members: addr."""

    def __init__(self, says):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._says, self._open = says, []
        self.addr = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            client, _ = self._listener.accept()
            self._open.append(client)
            if self._says is not None:
                try:
                    client.sendall(self._says)
                    client.shutdown(socket.SHUT_WR)
                except OSError:
                    pass


ODD = (("speaks HTTP/1.1", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
       ("talks nonsense", bytes(range(256)) * 8),
       ("hangs up", b""),
       ("says nothing", None))
WHY = {"is not there": "connection refused", "speaks HTTP/1.1": "HTTP/1, not HTTP/2", "talks nonsense": "broke HTTP/2",
       "hangs up": "closed by the peer", "says nothing": "timed out"}


def addresses(h):
    taken = Odd(None).addr
    check_refused(h, SERVER, ["--registry=none", "--port=" + taken], 1, [taken, "already in use"])
    check_refused(h, ROTA, ["registry", "--listen", taken], 1, [taken, "already in use"])
    nobody = "127.0.0.1:%d" % harness.refusing_port()
    peers = [("is not there", nobody)] + [(how, Odd(says).addr) for how, says in ODD]
    started = [(how, addr, h.spawn(command)) for how, addr in peers for command in (
        [h.program(CLIENT), "--registry=" + addr], [h.program(ROTA), "endpoints", "etcd://%s/x" % addr])]
    for how, addr, process in started:  # all at once, as each waits for seconds
        with h.check("%s: a registry that %s is named" % (process.name, how)):
            assert process.wait(20) == 1, process.code
            assert addr in process.lines[-1] and WHY[how] in process.lines[-1], process.lines[-1]
    with h.check("a server without a registry serves, says what is wrong and still ends in order"):
        server = h.spawn([h.program(SERVER), "--port=127.0.0.1:0", "--registry=" + nobody])
        server.wait_line("W .*" + re.escape(nobody) + ".*refused")
        server.wait_line("server starting on")
        assert server.terminate(5) == 0


def hostile_clients(h):
    """Bytes that are no HTTP/2 reach a server: the connection ends, the server does not."""
    server = h.spawn([h.program(SERVER), "--port=127.0.0.1:0", "--registry=none"], ready="server starting on")
    port = int(harness.until("port", lambda: listening_port(server.pid)))
    with h.check("bytes that are no HTTP/2 end their connection only"):
        for _, says in ODD[:3]:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                client.settimeout(5)
                client.sendall(says)
                if not says:
                    client.shutdown(socket.SHUT_WR)
                while read(client):
                    pass
        load = h.spawn([h.program("tests/load_client"), "ipv4:127.0.0.1:%d" % port, "--count=10"])
        assert load.wait() == 0 and load.lines[-1] == "total 10 failed 0", load.lines[-1]
        assert server.terminate() == 0


def read(client):
    try:
        return client.recv(65536)
    except ConnectionResetError:
        return b""


def listening_port(pid):
    """The TCP port that the process listens on, from /proc."""
    inodes = set()
    for fd in os.listdir("/proc/%d/fd" % pid):
        match = re.match(r"socket:\[(\d+)\]", os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        if match:
            inodes.add(match.group(1))
    for table in ("tcp", "tcp6"):
        with open("/proc/%d/net/%s" % (pid, table), encoding="ascii") as rows:
            for row in rows:
                words = row.split()
                if words[3] == "0A" and words[9] in inodes:
                    return int(words[1].rpartition(":")[2], 16)
    return None


def entries(h, kind):
    """What is wrong in the registry: values that are no address, and addresses behind which is nothing of use."""
    registry = h.any_registry(kind)
    bad = {"word": "nonsense", "empty": "", "json": "{\"addr\":", "no-addr": "{\"weight\":3}", "port": "127.0.0.1:99999",
           "type": "{\"addr\":17}", "list": "[1,2]", "binary": "\x01\x02", "deep": "[" * 10000}
    for key, value in bad.items():
        registry.ctl("put", "/grpclb/values/" + key, value)
    with h.check("only values that are no address: none is found, each is named"):
        client = h.run([h.program(CLIENT), "--registry=" + registry.addr, "--service=values", "--count=1"], 15)
        assert client.code == 1, client.code
        for key in bad:
            assert client.count("/grpclb/values/%s: skipped" % key), key
    server = fleet.our_server(h, registry.addr, "--service=values")
    with h.check("among values that are no address the one that is serves"):
        client = h.run([h.program(CLIENT), "--registry=" + registry.addr, "--service=values"])
        assert client.code == 0 and client.count("code:200") == 20
        listed = h.run([h.program(ROTA), "endpoints", registry.target("values")])
        assert listed.code == 0 and server.addr in listed.text() and str(len(bad)) in listed.text(), listed.text()
    for how, says in ODD[:3]:
        odd = Odd(says)
        service = "odd" + re.sub(r"\W", "", how)
        registry.ctl("put", "/grpclb/%s/x" % service, odd.addr)
        with h.check("a server that %s fails the calls, by name" % how):
            client = h.run([h.program(CLIENT), "--registry=" + registry.addr, "--service=" + service, "--count=2"], 15)
            failed = [line for line in client.lines if "E | UNAVAILABLE: " in line]
            assert client.code == 1 and len(failed) == 2 and odd.addr in failed[-1], client.text()[-500:]


def steering(h, kind):
    """Texts out of the registry that would steer a terminal: shown without harm, and whole in JSON."""
    steer, shown = "\x1b[31m\u009b2J\x7f\n\u00e9", "?[31m?2J? \u00e9"
    registry = h.any_registry(kind)
    target = registry.target("steer")
    registry.ctl("put", "/grpclb/steer/x", json.dumps({"addr": "127.0.0.1:1", "zone": "z" + steer, "version": "v" + steer, "metadata": {"k" + steer: "m" + steer}}))
    registry.ctl("put", "/rota/config/grpclb/steer", json.dumps({"for": steer}, ensure_ascii=False))
    listed = h.run([h.program(ROTA), "endpoints", target])
    watch = h.spawn([h.program(ROTA), "watch", target])
    with h.check("endpoints and watch show nothing of them to a terminal"):
        for word in ("z" + shown, "v" + shown):
            assert word in listed.text(), listed.text()
        watch.wait_line(re.escape("k%s=m%s" % (shown, shown)))
        registry.ctl("put", "/rota/config/grpclb/steer", "{" + steer)
        watch.wait_line("makes no sense")
        assert not re.search("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f]", listed.text() + watch.text())
    with h.check("JSON has them whole"):
        one = json.loads(h.run([h.program(ROTA), "endpoints", "--json", target]).text())["endpoints"][0]
        assert (one["zone"], one["metadata"]) == ("z" + steer, {"k" + steer: "m" + steer}), one
    assert watch.terminate() == 0


def test(h):
    if len(sys.argv) > 1:
        entries(h, sys.argv[1])
        steering(h, sys.argv[1])
        return
    for row in REFUSED:
        check_refused(h, *row)
    addresses(h)
    hostile_clients(h)


harness.main(test)
