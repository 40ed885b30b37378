"""Our etcd client on a real registry: values in both dialects, entries that others spoil, members that hang or die.

    etcd_client_test.py dialects etcd|rota
    etcd_client_test.py repair etcd|rota
    etcd_client_test.py members
    etcd_client_test.py login|token
"""

import json
import os
import re
import socket
import subprocess
import sys
import time

import harness

SERVICE = "greeter"
GRPCLB = "/grpclb/" + SERVICE + "/"
OFFICIAL = SERVICE + "/"
REGISTERED = r"registry put key"
TRYING = r"trying again"


def endpoints(h, target, code=0):
    run = h.run([h.program("tools/rota/rota"), "endpoints", "--json", target])
    assert run.code == code, "exit code %s: %s" % (run.code, run.text())
    return json.loads(run.text())


def found(listing):
    """address -> what is told of it, without what the registry numbers."""
    ours = ("weight", "zone", "version", "metadata", "suspect")
    return {e["address"]: {k: e[k] for k in ours if k in e} for e in listing["endpoints"]}


def start_server(h, registry, *flags, lease=5, params=""):
    server = h.spawn([h.program("examples/hello/server"), "--port=127.0.0.1:0", "--service=" + SERVICE,
                      "--registry=" + registry + params, "--lease=%d" % lease, *flags])
    server.key = server.wait_line(r"registry put key:(\S+)").group(1)
    return server


def start_watch(h, target):
    return h.spawn([h.program("tools/rota/rota"), "watch", target], name="rota watch")


# Dialects.

def grpclb(h, registry):
    registry.ctl("put", GRPCLB + "10.0.0.1:80", "10.0.0.1:80")
    registry.ctl("put", GRPCLB + "10.0.0.2:80", '{"addr":"10.0.0.2:80","weight":5,"zone":"a","version":"1.2","metadata":{"dc":"x"}}')
    registry.ctl("put", GRPCLB + "10.0.0.3:80", "7")
    registry.ctl("put", GRPCLB + "name", "[::1]:80")
    registry.ctl("put", GRPCLB + "bad1", "hello")
    registry.ctl("put", GRPCLB + "bad2", '{"addr":')
    registry.ctl("put", GRPCLB + "bad3", "10.0.0.9:0")
    registry.ctl("put", "/grpclb/" + SERVICE + "-admin/10.0.0.8:80", "10.0.0.8:80")
    registry.ctl("put", GRPCLB + "admin/10.0.0.6:80", "10.0.0.6:80")
    registry.ctl("put", "/grpclb/" + SERVICE[:-1] + "/10.0.0.7:80", "10.0.0.7:80")
    listing = endpoints(h, registry.target(SERVICE))
    with h.check("grpclb: addresses, JSON and weights are read, neighbours are not"):
        want = {"10.0.0.1:80": {}, "10.0.0.2:80": {"weight": 5, "zone": "a", "version": "1.2", "metadata": {"dc": "x"}},
                "10.0.0.3:80": {"weight": 7}, "[::1]:80": {}}
        assert found(listing) == want, found(listing)
    with h.check("values that are no servers are skipped and counted"):
        assert listing["skipped"] == 3, listing["skipped"]
    with h.check("the list has the registry's revision"):
        assert listing["revision"] == registry.revision(), listing["revision"]


def official(h, registry):
    target = registry.target(SERVICE) + "?dialect=official"
    with h.check("a service without servers has an exit code of its own"):
        assert endpoints(h, target, code=3)["endpoints"] == []
    registry.ctl("put", OFFICIAL + "one", '{"Op":0,"Addr":"10.0.0.1:80","Metadata":null}')
    registry.ctl("put", OFFICIAL + "two", '{"Op":0,"Addr":"10.0.0.2:80","Metadata":{"weight":3,"zone":"b"}}')
    registry.ctl("put", OFFICIAL + "gone", '{"Op":1,"Addr":"10.0.0.3:80","Metadata":null}')
    registry.ctl("put", OFFICIAL + "bare", "10.0.0.4:80")
    listing = endpoints(h, target)
    with h.check("official: what etcd's own naming writes is read, metadata included"):
        assert found(listing) == {"10.0.0.1:80": {}, "10.0.0.2:80": {"weight": 3, "zone": "b"}}, found(listing)
        assert listing["skipped"] == 1, listing["skipped"]
    watch = start_watch(h, target)
    watch.wait_line(r" \+ 10\.0\.0\.2:80")
    with h.check("official: changes are seen as they are made"):
        registry.ctl("put", OFFICIAL + "three", '{"Op":0,"Addr":"10.0.0.5:80"}')
        watch.wait_line(r" \+ 10\.0\.0\.5:80")
        registry.ctl("put", OFFICIAL + "three", '{"Op":1,"Addr":"10.0.0.5:80"}')
        watch.wait_line(r" - 10\.0\.0\.5:80")
        registry.ctl("put", OFFICIAL + "two", "spoilt")
        watch.wait_line(r" - 10\.0\.0\.2:80")
        registry.ctl("put", OFFICIAL + "two", '{"Op":0,"Addr":"10.0.0.2:80"}')
        watch.wait_line(r" \+ 10\.0\.0\.2:80", count=2)
    watch.terminate()
    registry.ctl("del", "--prefix", OFFICIAL)


def written(h, registry):
    server = start_server(h, registry.url, "--weight=4", params="?dialect=official")
    with h.check("official: our server writes what etcd's own naming reads"):
        value = json.loads(registry.ctl("get", "--print-value-only", server.key))
        addr = server.key[len(OFFICIAL):]
        assert server.key == OFFICIAL + addr and value == {"Op": 0, "Addr": addr, "Metadata": {"weight": 4}}, (server.key, value)
    with h.check("official: our client finds it"):
        client = h.run([h.program("examples/hello/client"), "--registry=" + registry.url + "?dialect=official", "--service=" + SERVICE, "--count=3"])
        assert client.code == 0, client.text()
    with h.check("it leaves nothing behind"):
        assert server.terminate() == 0
        assert registry.keys(OFFICIAL) == [], registry.keys(OFFICIAL)
    with h.check("an unknown dialect is named"):
        run = h.run([h.program("tools/rota/rota"), "endpoints", registry.target(SERVICE) + "?dialect=zk"])
        assert run.code == 1 and 'unknown dialect "zk"; there are grpclb, official' in run.text(), (run.code, run.text())


def silence(h, registry):
    """The list is answered, on the first connection; what is asked of leases on the next is not."""
    proxy = h.proxy(registry.addr)
    deaf = socket.create_server(("127.0.0.1", 0))
    for i in range(4):
        lease = re.search(r"lease (\S+) granted", registry.ctl("lease", "grant", "60")).group(1)
        registry.ctl("put", "--lease=" + lease, "/grpclb/silent/10.0.0.%d:80" % i, "10.0.0.%d:80" % i)
    proxy.freeze("down")
    start_s = time.monotonic()
    run = h.spawn([h.program("tools/rota/rota"), "endpoints", "--timeout", "3000", "etcd://%s/silent" % proxy.addr], name="rota endpoints")
    harness.until("the first connection", lambda: proxy.joined == 1, 2)
    proxy.retarget("127.0.0.1:%d" % deaf.getsockname()[1])
    proxy.heal()
    with h.check("a registry that falls silent over leases is waited for once, not for each"):
        run.wait_line("4 servers", timeout_s=10)
        assert harness.since(start_s) < 5, harness.since(start_s)
    deaf.close()


def dialects(h, kind):
    registry = h.any_registry(kind)
    grpclb(h, registry)
    silence(h, registry)
    official(h, registry)
    written(h, registry)


# Repairs.

def lease_of(registry, key, **how):
    kvs = json.loads(registry.ctl("get", "-w", "json", key, **how)).get("kvs", [])
    return kvs[0].get("lease", 0) if kvs else None


def wait_own(registry, server, lease_not=(), timeout_s=8):
    """Waits until the server's key stands under a lease that is none of those; returns it."""
    def there():
        return lease_of(registry, server.key) not in (None, 0, *lease_not)
    harness.until("%s under a lease of its own" % server.key, there, timeout_s, step_s=0.05)
    return lease_of(registry, server.key)


def repair(h, kind):
    registry = h.any_registry(kind)
    server = start_server(h, registry.url)
    lease = wait_own(registry, server)
    with h.check("a key deleted by somebody is put again under the same lease"):
        mark = server.mark()
        registry.ctl("del", server.key)
        server.wait_line("somebody deleted the key", after=mark)
        assert wait_own(registry, server) == lease
    with h.check("a key that somebody wrote over is put again, and it is said"):
        mark = server.mark()
        registry.ctl("put", server.key, "10.9.9.9:9")
        server.wait_line("somebody else registers under the same key", after=mark)
        assert wait_own(registry, server) == lease
    with h.check("a lease revoked by somebody is followed by another"):
        mark = server.mark()
        registry.ctl("lease", "revoke", "%x" % lease)
        server.wait_line(REGISTERED, after=mark)
        assert wait_own(registry, server, (lease,)) != lease
    with h.check("a server stopped past its lease is there at once when it goes on"):
        server.freeze()
        registry.wait_keys(GRPCLB, 0, timeout_s=15)
        mark = server.mark()
        start_s = time.monotonic()
        server.thaw()
        server.wait_line(REGISTERED, after=mark)
        assert harness.since(start_s) < 2, harness.since(start_s)
        registry.wait_keys(GRPCLB, 1)
    with h.check("an outage is told once, not at each try"):
        mark = server.mark()
        registry.kill()
        server.wait_line(TRYING, timeout_s=15, after=mark)
        told = server.count(TRYING, after=mark)
        with socket.create_server(("127.0.0.1", int(registry.addr.rpartition(":")[2]))) as door:  # where its tries are seen, and fail
            door.settimeout(15)
            for _ in range(3):
                door.accept()[0].close()
        assert server.count(TRYING, after=mark) <= told + 1, server.lines[mark:]
    with h.check("and the server ends in time without a registry"):
        assert server.terminate() == 0


# Members.

class Cluster:
    """Three members of one etcd, on ports and directories of their own."""

    def __init__(self, h):
        h.tool("etcd", "etcd-server")
        self.h = h
        self.urls = ["http://127.0.0.1:%d" % harness.free_port() for _ in range(3)]
        self.peers = ["http://127.0.0.1:%d" % harness.free_port() for _ in range(3)]
        initial = ",".join("m%d=%s" % (i, url) for i, url in enumerate(self.peers))
        self.members = [h.spawn([
            "etcd", "--name=m%d" % i, "--data-dir=%s/m%d" % (h.dir, i), "--unsafe-no-fsync",
            "--listen-client-urls=" + self.urls[i], "--advertise-client-urls=" + self.urls[i],
            "--listen-peer-urls=" + self.peers[i], "--initial-advertise-peer-urls=" + self.peers[i],
            "--initial-cluster=" + initial, "--initial-cluster-token=" + h.dir,
        ], name="etcd m%d" % i) for i in range(3)]
        for member in self.members:
            member.wait_line(r"ready to serve client requests", 30)

    @property
    def uri(self):
        return "etcd://" + ",".join(url[len("http://"):] for url in self.urls)

    def ctl(self, *words, without=None):
        """Through any member but that one; waits out an election."""
        tool = self.h.tool("etcdctl", "etcd-client")
        urls = [url for i, url in enumerate(self.urls) if i != without]
        end_s = time.monotonic() + 15
        while True:
            run = subprocess.run([tool, "--endpoints=" + urls[0], "--command-timeout=3s", *words], timeout=10, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if run.returncode == 0:
                return run.stdout
            urls.append(urls.pop(0))
            assert time.monotonic() < end_s, run.stdout


def lease_kept(cluster, server, without):
    """The key stands under its lease, and the lease's end is put off twice while we look."""
    lease = lease_of(cluster, server.key, without=without)
    assert lease, "%s is gone" % server.key
    left_s = []

    def renewed_twice():
        left_s.append(json.loads(cluster.ctl("lease", "timetolive", "%x" % lease, "-w", "json", without=without))["ttl"])
        return sum(after > before for before, after in zip(left_s, left_s[1:])) == 2

    harness.until("two renewals of the lease", renewed_twice, 20, step_s=0.2)
    assert lease_of(cluster, server.key, without=without) == lease, left_s


def hang(h, cluster, server, watch, i):
    """A member stands still for longer than the watch bears silence."""
    key = GRPCLB + "10.0.1.%d:80" % i
    mark = server.mark()
    cluster.members[i].freeze()
    try:
        cluster.ctl("put", key, "10.0.1.%d:80" % i, without=i)
        with h.check("member %d hangs: a change is seen all the same" % i):
            watch.wait_line(r" \+ 10\.0\.1\.%d:80" % i, timeout_s=25)
        with h.check("member %d hangs: the lease is kept" % i):
            lease_kept(cluster, server, without=i)
            assert not server.count(TRYING, after=mark), server.lines[mark:]
    finally:
        cluster.members[i].thaw()


def members(h, _kind):
    cluster = Cluster(h)
    server = start_server(h, cluster.uri, lease=6)
    watch = start_watch(h, cluster.uri + "/" + SERVICE)
    watch.wait_line(r" \+ ")
    for i in range(3):
        hang(h, cluster, server, watch, i)
    with h.check("a member killed: changes are seen and the lease is kept"):
        mark = server.mark()
        cluster.members[1].kill()
        cluster.ctl("put", GRPCLB + "10.0.2.1:80", "10.0.2.1:80", without=1)
        watch.wait_line(r" \+ 10\.0\.2\.1:80", timeout_s=25)
        lease_kept(cluster, server, without=1)
        assert not server.count(TRYING, after=mark), server.lines[mark:]
    with h.check("a member down: who asks anew is answered"):
        assert "10.0.2.1:80" in found(endpoints(h, cluster.uri + "/" + SERVICE))
    with h.check("a member down: the entry goes with its server"):
        assert server.terminate() == 0
        watch.wait_line(r" - %s" % server.key[len(GRPCLB):])


# An etcd that wants a login.

def with_users(h, *flags):
    """zoe may read and write the service's keys, bob others'. The root user's calls need --user."""
    etcd = harness.Etcd(h, flags=list(flags)).start()
    for user, password in (("root", "secret"), ("zoe", "p@s/s:w%rd"), ("bob", "secret")):
        etcd.ctl("user", "add", user, "--new-user-password=" + password)
    etcd.ctl("user", "grant-role", "root", "root")
    for user, prefix in (("zoe", GRPCLB), ("bob", "/elsewhere/")):
        etcd.ctl("role", "add", user)
        etcd.ctl("role", "grant-permission", "--prefix", user, "readwrite", prefix)
        etcd.ctl("user", "grant-role", user, user)
    etcd.ctl("auth", "enable")
    return etcd


ZOE = "zoe:p%40s%2Fs%3Aw%25rd@"
AS_ROOT = "--user=root:secret"


def wait_root_keys(etcd, count, timeout_s=10):
    harness.until("%d keys" % count, lambda: len(etcd.ctl(AS_ROOT, "get", "--prefix", "--keys-only", GRPCLB).split()) == count, timeout_s)


def login(h, _kind):
    etcd = with_users(h)
    endpoints_of = [h.program("tools/rota/rota"), "endpoints", "--timeout", "2000"]
    with h.check("who asks is told that a login is wanted"):
        run = h.run(endpoints_of + [etcd.target(SERVICE)])
        assert run.code == 1 and "user name is empty" in run.text() and "asks for a login" in run.text(), (run.code, run.text())
    with h.check("a server tells it too, and serves"):
        anybody = h.spawn([h.program("examples/hello/server"), "--port=127.0.0.1:0", "--service=" + SERVICE, "--registry=" + etcd.url])
        anybody.wait_line(r"user name is empty .*asks for a login.*" + TRYING)
        anybody.wait_line("server starting")
    with h.check("with user and password in the URI it registers"):
        server = start_server(h, "etcd://" + ZOE + etcd.addr)
        wait_root_keys(etcd, 1)
    with h.check("and is found, with its lease, which shows no password"):
        listing = endpoints(h, "etcd://%s%s/%s" % (ZOE, etcd.addr, SERVICE))
        assert len(found(listing)) == 1 and listing["endpoints"][0]["ttl"] > 0, listing
        assert listing["target"] == etcd.target(SERVICE), listing
    with h.check("with those of the environment too"):
        run = h.run(endpoints_of + [etcd.target(SERVICE)], env=dict(os.environ, ETCDCTL_USER="zoe", ETCDCTL_PASSWORD="p@s/s:w%rd"))
        assert run.code == 0, run.text()
    for name, target, says in (("a wrong password", "etcd://zoe:secret@", 'login as "zoe": .*invalid user ID or password'),
                               ("a user without a role for it", "etcd://bob:secret@", 'permission denied.*no role of etcd.s user "bob" permits it')):
        with h.check("%s: what is wrong is said, without the password" % name):
            run = h.run(endpoints_of + [target + etcd.addr + "/" + SERVICE])
            assert run.code == 1 and re.search(says, run.text()) and "secret" not in run.text(), (run.code, run.text())
            failing = h.spawn([h.program("examples/hello/server"), "--port=127.0.0.1:0", "--service=" + SERVICE, "--registry=" + target + etcd.addr])
            failing.wait_line(says)
            failing.terminate()
            assert "secret" not in failing.text(), failing.text()
    with h.check("a server that stops takes its entry out"):
        server.terminate()
        wait_root_keys(etcd, 0)
        assert "zoe:" not in server.text() and "rd@" not in server.text()
    with h.check("a member that hangs over logins costs no lease"):
        members = [h.proxy(etcd.addr) for _ in range(2)]
        between = start_server(h, "etcd://" + ZOE + ",".join(member.addr for member in members), lease=6)
        for member in members:
            member.freeze()
            time.sleep(8)  # more than a lease, less than the channel needs to see that the connection is dead
            member.heal()
            assert between.count(TRYING) == 0, between.text()
        between.terminate()
    with h.check("when no login is wanted any more all register"):
        late = start_server(h, "etcd://" + ZOE + etcd.addr)
        etcd.ctl(AS_ROOT, "auth", "disable")
        anybody.wait_line(REGISTERED)
        etcd.wait_keys(GRPCLB, 2)
    with h.check("and when it is wanted again, who has a login stays and takes its entry out"):
        etcd.ctl("auth", "enable")
        time.sleep(6)  # longer than the lease
        assert late.key in etcd.ctl(AS_ROOT, "get", "--prefix", "--keys-only", GRPCLB)
        assert late.count(TRYING) == 0, late.text()
        late.terminate()
        harness.until("its entry to go", lambda: late.key not in etcd.ctl(AS_ROOT, "get", "--prefix", "--keys-only", GRPCLB), 4)


def token(h, _kind):
    """Tokens that last a second, so that each is over by the time of the next use."""
    etcd = with_users(h, "--auth-token-ttl=1")
    proxy = h.proxy(etcd.addr)
    server = start_server(h, "etcd://" + ZOE + etcd.addr, lease=9)
    client = start_watch(h, "etcd://%s%s/%s" % (ZOE, proxy.addr, SERVICE))
    client.wait_line(re.escape(server.key.split("/")[-1]))
    with h.check("a registration outlives its tokens, without a word"):
        time.sleep(8)  # keepalives each 3 s
        assert server.count(TRYING) == 0, server.text()
        assert len(endpoints(h, "etcd://%s%s/%s" % (ZOE, etcd.addr, SERVICE))["endpoints"]) == 1
    with h.check("a watch that is opened again has a token that holds"):
        proxy.cut()
        time.sleep(2)
        other = start_server(h, "etcd://" + ZOE + etcd.addr, lease=9)
        proxy.heal()
        client.wait_line(re.escape(other.key.split("/")[-1]), 20)
    with h.check("users that change stop nobody"):
        etcd.ctl(AS_ROOT, "user", "add", "new:x")
        third = start_server(h, "etcd://" + ZOE + etcd.addr, lease=9)
        client.wait_line(re.escape(third.key.split("/")[-1]), 10)
        time.sleep(4)
        assert server.count(TRYING) == 0, server.text()
    with h.check("entries go when their servers do, tokens over or not"):
        for running in (server, other, third):
            running.terminate()
        wait_root_keys(etcd, 0, timeout_s=5)  # the last one's lease, kept each 3 s of 9, has 6 left; logins are slow on a busy machine


if __name__ == "__main__":
    MODES = {"dialects": dialects, "repair": repair, "members": members, "login": login, "token": token}
    harness.main(lambda h: MODES[sys.argv[1]](h, sys.argv[2] if len(sys.argv) > 2 else "etcd"))
