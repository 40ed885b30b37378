"""Calls through an HTTP proxy that the environment names: with TLS and without, a login, refusals, silence, and hosts that need no proxy."""

import os
import re
import socket
import threading
import time

import harness


class ConnectProxy:
    """A proxy that knows one name, HOST; answers are as `mode` says. Remembers what it was asked."""

    def __init__(self, target):
        self.target, self.mode, self.asked, self._sockets = target, "open", [], []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.addr = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            got = client.recv(4096)
            if not got:
                return
            head += got
        head, _, early = head.partition(b"\r\n\r\n")
        self.asked.append(head.decode())
        answer = {"forbidden": b"HTTP/1.1 403 Forbidden\r\n\r\n", "login": b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                  "garbage": b"SSH-2.0-x\r\n", "endless": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000}.get(self.mode)
        if self.mode == "silent":
            self._sockets.append(client)
        elif self.mode == "gone":
            client.close()
        elif answer is not None:
            client.sendall(answer)
            self._sockets.append(client)
        else:
            self._tunnel(client, early)

    def _tunnel(self, client, early):
        host, _, port = self.target.rpartition(":")
        server = socket.create_connection((host, int(port)))
        # The server's first bytes may come with the answer, which may come in pieces.
        for piece in (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2", b"00 OK\r\nVia: test\r\n\r"):
            client.sendall(piece)
            time.sleep(0.02)  # so that each arrives by itself
        server.settimeout(0.2)
        try:
            first = server.recv(65536)
        except socket.timeout:
            first = b""
        server.settimeout(None)
        client.sendall(b"\n" + first)
        server.sendall(early)
        threading.Thread(target=self._copy, args=(client, server), daemon=True).start()
        self._copy(server, client)

    @staticmethod
    def _copy(source, sink):
        try:
            while True:
                got = source.recv(65536)
                if not got:
                    break
                sink.sendall(got)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


NAME = "waterzooi.test.google.be"  # the test server's certificate has it


class Caller:
    def __init__(self, h, proxy, ca):
        self.h, self.proxy, self.ca = h, proxy, ca

    def health(self, target, *flags, **variables):
        env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        env.update({"https_proxy": "http://" + self.proxy.addr}, **variables)
        self.proxy.asked.clear()
        return self.h.run([self.h.program("tools/rota/rota"), "health", target, "--timeout", "3000", *flags],
                          env={name: value for name, value in env.items() if value is not None})


def served(h, *flags):
    address = "127.0.0.1:%d" % harness.free_port()
    h.spawn([h.program("examples/hello/server"), "--port=" + address, "--registry=none", *flags], ready="server starting", name="server")
    return address


def check_ways(h, plain, secure, certs):
    with h.check("TLS through a proxy, which is given the name"):
        port = secure.proxy.target.split(":")[1]
        run = secure.health("%s:%s" % (NAME, port), "--ca=" + certs + "/ca.pem")
        assert run.code == 0, run.text()
        assert secure.proxy.asked == ["CONNECT %s:%s HTTP/1.1\r\nHost: %s:%s" % (NAME, port, NAME, port)], secure.proxy.asked
    with h.check("the certificate must be the server's, not the proxy's"):
        run = secure.health("other.test:" + port, "--ca=" + certs + "/ca.pem")
        assert run.code == 1 and 'is not for "other.test"' in run.text(), run.text()
    with h.check("plaintext through a proxy, when asked for"):
        assert plain.health("svc.test:80", "--plaintext").code == 0
        assert plain.proxy.asked[0].startswith("CONNECT svc.test:80 "), plain.proxy.asked
    with h.check("and not otherwise"):
        run = plain.health("svc.test:80")
        assert run.code == 1 and "through a proxy plaintext must be asked for" in run.text() and "--plaintext" in run.text(), run.text()
        assert not plain.proxy.asked
    with h.check("with a login, which is percent-decoded"):
        assert plain.health("svc.test:80", "--plaintext", https_proxy="http://user:p%40ss@" + plain.proxy.addr).code == 0
        assert "Proxy-Authorization: Basic dXNlcjpwQHNz" in plain.proxy.asked[0], plain.proxy.asked
    with h.check("a port that is not given is 443"):
        assert plain.health("svc.test", "--plaintext").code == 0
        assert plain.proxy.asked[0].startswith("CONNECT svc.test:443 "), plain.proxy.asked


def check_exceptions(h, plain):
    for name, target, variables in (("localhost needs no proxy", "localhost:%s", {}), ("nor do loopback addresses", "127.0.0.1:%s", {}),
                                    ("nor ipv4: targets", "ipv4:127.0.0.1:%s", {})):
        with h.check(name):
            run = plain.health(target % plain.proxy.target.split(":")[1], **variables)
            assert run.code == 0 and not plain.proxy.asked, run.text()
    with h.check("nor hosts of no_proxy, whose names are looked up here"):
        run = plain.health("svc.invalid:80", "--plaintext", no_proxy="other,.invalid")
        assert run.code == 1 and not plain.proxy.asked, run.text()
    with h.check("grpc_proxy is asked before https_proxy"):
        assert plain.health("svc.test:80", "--plaintext", grpc_proxy="http://" + plain.proxy.addr, https_proxy="http://127.0.0.1:1").code == 0
    with h.check("an empty one turns it off"):
        run = plain.health("svc.invalid:80", "--plaintext", grpc_proxy="")
        assert run.code == 1 and not plain.proxy.asked, run.text()


def check_failures(h, plain):
    for mode, says in (("forbidden", 'svc.test:80: the proxy refuses the connection: "HTTP/1.1 403 Forbidden"'),
                       ("login", "407 Proxy Authentication Required.*go into the proxy's URL"), ("garbage", "the proxy's answer is no HTTP/1.1"),
                       ("endless", "the proxy's answer has no end within 8192 bytes"), ("gone", "before the proxy answered CONNECT")):
        with h.check("a proxy that is %s: the status says so" % mode):
            plain.proxy.mode = mode
            run = plain.health("svc.test:80", "--plaintext", https_proxy="http://user:secret@" + plain.proxy.addr)
            assert run.code == 1 and "UNAVAILABLE" in run.text() and re.search(says, run.text()), run.text()
            assert "secret" not in run.text(), run.text()
    with h.check("a silent one is left at the deadline"):
        plain.proxy.mode = "silent"
        assert "DEADLINE_EXCEEDED" in plain.health("svc.test:80", "--plaintext").text()
    plain.proxy.mode = "open"
    with h.check("one that is not there is named as the proxy"):
        run = plain.health("svc.test:80", "--plaintext", https_proxy="http://127.0.0.1:1")
        assert run.code == 1 and "127.0.0.1:1: connection refused (the proxy that the environment names)" in run.text(), run.text()


def test(h):
    certs = os.path.join(os.path.dirname(h.program("tests/interop/client")), "certs")
    plain = Caller(h, ConnectProxy(served(h)), None)
    secure = Caller(h, ConnectProxy(served(h, "--cert=" + certs + "/server.pem", "--key=" + certs + "/server.key")), certs + "/ca.pem")
    check_ways(h, plain, secure, certs)
    check_exceptions(h, plain)
    check_failures(h, plain)


harness.main(test)
