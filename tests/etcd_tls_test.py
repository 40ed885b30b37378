"""An etcd that speaks TLS and wants client certificates: our programs register and discover; what fails says of what."""

import os
import re

import harness
import harness_registry


class SecureEtcd(harness_registry.Etcd):
    """etcd with the certificates of the tests, which etcdctl and our programs are told by the environment."""

    def __init__(self, h, certs):
        super().__init__(h, ["--cert-file=%s/server.pem" % certs, "--key-file=%s/server.key" % certs,
                             "--trusted-ca-file=%s/ca.pem" % certs, "--client-cert-auth"])

    @property
    def url(self):
        return "https://" + self.addr


def test(h):
    certs = os.path.join(os.path.dirname(h.program("tests/interop/client")), "certs")
    rota, server = h.program("tools/rota/rota"), h.program("examples/hello/server")
    files = "cacert=%s/ca.pem&cert=%s/client.pem&key=%s/client.key" % (certs, certs, certs)
    os.environ.update(ETCDCTL_CACERT=certs + "/ca.pem", ETCDCTL_CERT=certs + "/client.pem", ETCDCTL_KEY=certs + "/client.key")
    etcd = SecureEtcd(h, certs).start()
    uri = "etcd://%s" % etcd.addr

    with h.check("a server registers, by files of its URI"):
        running = h.spawn([server, "--port=127.0.0.1:0", "--registry=%s?%s" % (uri, files), "--service=secure"], name="server")
        key = etcd.wait_keys("/grpclb/secure/", 1)[0]
    with h.check("it is found, by files of the environment"):
        found = h.run([rota, "endpoints", uri + "/secure?tls=true"])
        assert found.code == 0 and key.split("/")[-1] in found.text(), found.text()
    with h.check("and by https members of the environment"):
        os.environ["ETCDCTL_ENDPOINTS"] = etcd.url
        found = h.run([rota, "endpoints", "etcd:///secure"])
        del os.environ["ETCDCTL_ENDPOINTS"]
        assert found.code == 0 and key.split("/")[-1] in found.text(), found.text()
    with h.check("it deregisters"):
        running.terminate()
        etcd.wait_keys("/grpclb/secure/", 0)
    for name in ("ETCDCTL_CACERT", "ETCDCTL_CERT", "ETCDCTL_KEY"):
        del os.environ[name]
    for name, more, says in (("without a client certificate", "cacert=%s/ca.pem" % certs, "our certificate|a client certificate"),
                             ("with the system's authorities", "tls=true", "issuer that is not trusted"),
                             ("under another name", files + "&servername=other.test", 'is not for "other.test"'),
                             ("without its authority's file", "cacert=/nowhere", r"tls\.ca_file: /nowhere: no such file")):
        with h.check(name + ": the program says so"):
            found = h.run([rota, "endpoints", "%s/secure?%s" % (uri, more)])
            assert found.code == 1 and re.search(says, found.text()), found.text()
    with h.check("without its authority's file: a call says so too"):
        called = h.run([rota, "call", "%s/secure?cacert=/nowhere" % uri, "list"])
        assert called.code != 0 and re.search(r"does not start: .*tls\.ca_file: /nowhere: no such file", called.text()), called.text()


harness.main(test)
