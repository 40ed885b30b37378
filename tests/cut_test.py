"""The network between a client and the registry fails while the registry's content changes: both is seen afterwards.

    cut_test.py etcd|rota cut|stalled|replaced [slow]
"""

import re
import sys

import fleet
import harness

SEEN_S = 5
SILENCE_S = 20  # a watch that says nothing for ten seconds is asked, and given five to answer


class Scene:
    """A client and a load behind a proxy; the servers reach the registry directly. Two kinds of observer: the client prints what
    it discovers, the load's calls show where they go."""

    def __init__(self, h, kind):
        self.h, self.kind = h, kind
        self.registry = h.any_registry(kind)
        self.proxy = h.proxy(self.registry.addr)
        self.servers = [fleet.our_server(h, self.registry.addr) for _ in range(9)]
        self.load = fleet.Load(h, self.proxy.addr, "--timeout=30000", to_all=self.servers)
        self.client = fleet.our_client(h, self.proxy.addr, "--count=1000000", "--interval=100")
        self.client.wait_line("code:200")

    def change(self):
        """Puts one server, deletes another's entry; returns both. The one deleted goes on serving, so that only
        the registry tells that it is not to be used: a server in Go does not register again. Few of many go, so that the
        client does not doubt the registry."""
        fresh = fleet.our_server(self.h, self.registry.addr)
        self.registry.ctl("del", fleet.PREFIX + self.leaver.addr)
        return fresh, self.leaver

    def prepare(self):
        self.leaver = fleet.go_server(self.h, self.registry.addr)
        self.load.wait_call(self.leaver)
        self.client.wait_line("discovery put key:.*" + re.escape(self.leaver.addr))

    def check_seen(self, name, fresh, gone, within_s=SEEN_S):
        healed_s = fleet.now_s()
        with self.h.check(name + ": the put is seen"):
            self.client.wait_line("discovery put key:.*" + re.escape(fresh.addr), within_s)
            self.load.wait_call(fresh, within_s)
            print("# put seen after %.1f s" % (fleet.now_s() - healed_s))
        with self.h.check(name + ": the delete is seen"):
            self.client.wait_line("discovery delete key:.*" + re.escape(gone.addr), within_s)
            self.load.wait_without(gone, timeout_s=within_s)
        with self.h.check(name + ": no call failed"):
            self.load.check_no_failure()
            assert self.client.count(" E \\| ") == 0
        gone.kill()

    def run(self, name, sever, mend, meanwhile=lambda: None, seconds=1):
        self.prepare()
        sever()
        fresh, gone = self.change()
        meanwhile()
        self.load.wait_calls(seconds * 1000, timeout_s=seconds * 2 + 10)
        if not name.startswith("mute"):  # when only the client's own words are lost, events still come
            with self.h.check(name + ": nothing is known of it meanwhile"):
                assert not any(call.peer == fresh.addr for call in self.load.calls())
        mend()
        self.check_seen(name, fresh, gone)

    def compact(self):
        self.registry.ctl("compaction", str(self.registry.revision()))

    def lose(self):
        """Frozen, and what was under way is lost, as when a firewall forgot the connection."""
        self.proxy.cut()
        self.proxy.heal()


def cut(h, kind, seconds):
    scene = Scene(h, kind)
    px = scene.proxy
    scene.run("cut", px.cut, px.heal, seconds=seconds)
    scene.run("cut, compacted", px.cut, px.heal, meanwhile=scene.compact, seconds=seconds)
    scene.run("frozen", px.freeze, px.heal, seconds=seconds)
    scene.run("frozen, then reset", px.freeze, scene.lose, seconds=seconds)
    scene.run("frozen, compacted, then reset", px.freeze, scene.lose, meanwhile=scene.compact, seconds=seconds)
    scene.run("deaf", lambda: px.freeze("down"), px.heal, seconds=seconds)
    scene.run("mute", lambda: px.freeze("up"), px.heal, seconds=seconds)
    scene.load.finish()


def stalled(h, kind):
    """The watch falls silent and nobody says so: the client finds out by itself, and asks again on another connection."""
    scene = Scene(h, kind)
    scene.prepare()
    scene.proxy.stall()
    fresh, gone = scene.change()
    scene.check_seen("stalled", fresh, gone, within_s=SILENCE_S)
    scene.load.finish()


def replaced(h, kind, seconds):
    """Behind the same address is another registry: an older backup's, another cluster."""
    scene = Scene(h, kind)
    for i in range(20):
        scene.registry.ctl("put", "/ballast/%d" % i, "x")
    other = h.any_registry(kind)
    there = [fleet.our_server(h, other.addr), fleet.go_server(h, other.addr)]
    scene.proxy.cut()
    scene.proxy.retarget(other.addr)
    scene.load.wait_calls(seconds * 1000, timeout_s=seconds * 2 + 10)
    scene.proxy.heal()
    with h.check("replaced: the servers of the new registry are used"):
        for server in there:
            scene.load.wait_call(server, SEEN_S)
    with h.check("replaced: its changes are seen"):
        there.append(fleet.our_server(h, other.addr))
        scene.load.wait_call(there[2], SEEN_S)
        assert there[0].terminate() == 0
        scene.load.wait_without(there[0])
    with h.check("replaced: no call failed"):
        scene.load.check_no_failure()
    scene.load.finish()


def member_down(h, kind):
    """One of the members named is not there, and one is no registry at all."""
    registry = h.any_registry(kind)
    dead = "127.0.0.1:%d" % harness.refusing_port()
    server = fleet.our_server(h, registry.addr)
    with h.check("a dead member among several does not keep a client from finding servers"):
        client = fleet.our_client(h, dead + "," + registry.addr)
        assert client.wait() == 0 and client.count("code:200") == 20, client.code
    with h.check("nor a server from registering"):
        fleet.our_server(h, dead + "," + registry.addr)
        registry.wait_keys(fleet.PREFIX, 2)
    with h.check("a member that is no registry does no harm either"):
        client = fleet.our_client(h, server.addr + "," + registry.addr)
        assert client.wait() == 0 and client.count("code:200") == 20, client.code


def test(h):
    kind, name = sys.argv[1:3]
    h.peer("goserver")
    seconds = 30 if "slow" in sys.argv[3:] else 1
    if name == "cut":
        cut(h, kind, seconds)
    elif name == "stalled":
        stalled(h, kind)
    else:
        replaced(h, kind, seconds)
        member_down(h, kind)


harness.main(test)
