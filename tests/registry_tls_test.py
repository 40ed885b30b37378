"""`rota registry` and the hello programs over TLS: etcdctl reads and writes, servers register and are called, strangers are refused."""

import os
import re
import socket

import harness
import harness_registry


class SecureRegistry(harness_registry.Registry):
    @property
    def url(self):
        return "https://" + self.addr


def outer_address():
    """An address of this machine that is not loopback, or None. No packet is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
    except OSError:
        return None


def test(h):
    certs = os.path.join(os.path.dirname(h.program("tests/interop/client")), "certs")
    rota, server, client = h.program("tools/rota/rota"), h.program("examples/hello/server"), h.program("examples/hello/client")
    files = "cacert=%s/ca.pem&cert=%s/client.pem&key=%s/client.key" % (certs, certs, certs)
    ours = ["--cert=%s/server.pem" % certs, "--key=%s/server.key" % certs]
    os.environ.update(ETCDCTL_CACERT=certs + "/ca.pem", ETCDCTL_CERT=certs + "/client.pem", ETCDCTL_KEY=certs + "/client.key")
    registry = SecureRegistry(h, flags=ours + ["--ca=%s/ca.pem" % certs, "--require-client-cert"]).start()
    uri = "etcd://%s?%s" % (registry.addr, files)

    with h.check("etcdctl writes and reads, and is told an https member"):
        registry.ctl("put", "/a", "1")
        assert registry.keys("/a") == ["/a"]
        assert "https://" + registry.addr in registry.ctl("member", "list")
    with h.check("it says that it speaks TLS"):
        registry.process.wait_line("registry speaks TLS, to clients with a certificate")
    for name in ("ETCDCTL_CACERT", "ETCDCTL_CERT", "ETCDCTL_KEY"):
        del os.environ[name]
    with h.check("a server that speaks TLS registers by TLS, and is called"):
        running = h.spawn([server, "--port=127.0.0.1:0", "--registry=" + uri, "--service=secure"] + ours, name="server")
        running.wait_line("registry put key")
        called = h.run([client, "--registry=" + uri, "--service=secure", "--ca=%s/ca.pem" % certs, "--count=3"])
        assert called.code == 0 and called.text().count("code:200") == 3, called.text()
    with h.check("plaintext calls to it fail, and say why"):
        called = h.run([client, "--registry=" + uri, "--service=secure", "--count=1"])
        assert called.code == 1 and "does it expect TLS?" in called.text(), called.text()
    with h.check("without a client certificate the registry is not reached"):
        found = h.run([rota, "endpoints", "etcd://%s/secure?cacert=%s/ca.pem" % (registry.addr, certs)])
        assert found.code == 1 and re.search("our certificate|a client certificate", found.text()), found.text()
    with h.check("nor in plaintext"):
        found = h.run([rota, "endpoints", "--timeout", "2000", "etcd://%s/secure" % registry.addr])
        assert found.code == 1, found.text()
    with h.check("a server that demands certificates sees one"):
        strict = h.spawn([server, "--port=127.0.0.1:0", "--registry=none", "--ca=%s/ca.pem" % certs, "--require-client-cert"] + ours, name="server")
        strict.wait_line("server starting")
    with h.check("without a certificate of one's own no TLS is served"):
        refused = h.run([rota, "registry", "--listen=127.0.0.1:0", "--require-client-cert"])
        assert refused.code == 1 and "cert" in refused.text(), refused.text()
    plaintext(h, rota, server)


def plaintext(h, rota, server):
    """Beyond this machine: the registry says that it is open, and calls ask for plaintext by a flag."""
    with h.check("a registry open to others says so"):
        open_one = h.spawn([rota, "registry", "--listen=0.0.0.0:0"], ready="registry speaks plaintext, and anybody")
        open_one.terminate()
    here = outer_address()
    if here is None:
        print("# no address but loopback: calls beyond this machine not tried", flush=True)
        return
    target = "%s:%d" % (here, harness.free_port())
    h.spawn([server, "--port=" + target, "--registry=none"], ready="server starting", name="server")
    with h.check("rota health to another address wants --plaintext"):
        asked = h.run([rota, "health", target])
        assert asked.code == 1 and "--plaintext" in asked.text(), asked.text()
        asked = h.run([rota, "health", target, "--plaintext"])
        assert asked.code == 0 and "SERVING" in asked.text(), asked.text()
    with h.check("rota call too"):
        asked = h.run([rota, "call", target])
        assert asked.code == 1 and "--plaintext" in asked.text(), asked.text()
        assert h.run([rota, "call", target, "--plaintext"]).code == 0
    with h.check("but not both ways at once"):
        assert h.run([rota, "call", target, "--plaintext", "--tls"]).code == 2


harness.main(test)
