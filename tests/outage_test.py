"""The registry goes away and returns, in every way we know of; calls go on and servers come back by themselves.

    outage_test.py etcd|rota killed|emptied|frozen|entries [slow]
"""

import sys

import fleet
import harness

BACK_S = 5  # the servers are in the registry again
ALL_IS_WELL_S = 2 * fleet.LEASE_S + 1  # an entry without keepalive would be gone by then


class Scene:
    """A registry that keeps its data, three servers of ours, and a load that may not lose one call."""

    def __init__(self, h, kind):
        self.h = h
        self.registry = h.registry(data=True) if kind == "rota" else h.etcd()
        self.servers = [fleet.our_server(h, self.registry.addr) for _ in range(3)]
        self.load = fleet.Load(h, self.registry.addr, "--timeout=30000", to_all=self.servers)

    def keys(self):
        return sorted(fleet.PREFIX + server.addr for server in self.servers)

    def check_back(self, returned_s):
        """All are in the registry soon, and stay."""
        with self.h.check("the servers are back in the registry within %d s" % BACK_S):
            self.registry.wait_keys(fleet.PREFIX, len(self.servers), BACK_S)
            print("# back after %.1f s" % (fleet.now_s() - returned_s))
            assert self.registry.keys(fleet.PREFIX) == self.keys()
        with self.h.check("and they stay there"):
            end_s = fleet.now_s() + ALL_IS_WELL_S
            while fleet.now_s() < end_s:
                assert self.registry.keys(fleet.PREFIX) == self.keys()

    def check_change_is_seen(self):
        """Discovery works again: one comes, one goes."""
        with self.h.check("a server that comes now has traffic within %d s" % BACK_S):
            mark = self.load.mark()
            self.servers.append(fleet.our_server(self.h, self.registry.addr))
            self.load.wait_call(self.servers[-1], BACK_S, after=mark)
        gone = self.servers.pop(0)
        with self.h.check("one that leaves now is forgotten"):
            assert gone.terminate() == 0
            self.load.wait_without(gone)

    def check_calls(self):
        with self.h.check("not one call failed"):
            self.load.check_no_failure()

    def check_quick(self, after):
        with self.h.check("calls went on in time meanwhile"):
            calls = self.load.calls(after)
            slow = ["%.1f s at %.1f" % (call.end_s - call.start_s, call.start_s) for call in calls if call.end_s - call.start_s >= 1]
            assert len(calls) > 1000 and not slow, "of %d calls %d were slow: %s" % (len(calls), len(slow), ", ".join(slow[:20]))

    def finish(self):
        self.check_calls()
        self.load.finish()


def outage(scene, seconds):
    """So long the load runs on; then it is checked that nobody noticed."""
    mark = scene.load.mark()
    scene.load.wait_calls(seconds * 1000, timeout_s=seconds * 2 + 10)
    scene.check_quick(mark)
    scene.check_calls()


def killed(h, kind, down_s):
    """Killed, restarted with its data. Meanwhile a server leaves and one comes."""
    scene = Scene(h, kind)
    scene.registry.kill()
    outage(scene, down_s)
    with h.check("a server drains without a registry and no call fails"):
        gone = scene.servers.pop(0)
        assert gone.terminate() == 0, gone.code
        scene.load.wait_without(gone)
        scene.load.check_no_failure()
    fresh = h.spawn([h.program("examples/hello/server"), "--port=127.0.0.1:0", "--lease=%d" % fleet.LEASE_S,
                     "--registry=etcd://" + scene.registry.addr], name="server without a registry")
    with h.check("a server starts without a registry and says what it tries"):
        fresh.wait_line("registry: .*trying again")
    scene.registry.start()
    returned_s = fleet.now_s()
    with h.check("it registers when there is one"):
        fresh.addr = fleet.registered(fresh, timeout_s=BACK_S).group(1)
        scene.load.wait_call(fresh, BACK_S)
    scene.servers.append(fresh)
    # The entry of the one that left stood under a lease, which the registry kept over its restart.
    scene.registry.wait_keys(fleet.PREFIX, 3, BACK_S)
    scene.check_back(returned_s)
    scene.check_change_is_seen()
    scene.finish()


def emptied(h, kind, down_s):
    """Killed, restarted empty: the revision goes back; the second time also as another cluster."""
    scene = Scene(h, kind)
    for i in range(20):
        scene.registry.ctl("put", "/ballast/%d" % i, "x")
    for options in ({}, {"new_cluster": True}) if kind == "etcd" else ({},):
        scene.registry.kill()
        outage(scene, down_s)
        scene.registry.restart(empty=True, **options)
        scene.check_back(fleet.now_s())
        scene.check_change_is_seen()
    scene.finish()


def frozen(h, kind, down_s):
    """Stopped for three leases, then continued."""
    scene = Scene(h, kind)
    scene.registry.freeze()
    outage(scene, down_s)
    scene.registry.thaw()
    scene.check_back(fleet.now_s())
    scene.check_change_is_seen()
    scene.finish()


def server_stopped(h, scene):
    """A server stopped past its lease leaves the registry, and returns at once when it is continued."""
    stopped = scene.servers[0]
    with h.check("a stopped server is out of the registry when its lease is over"):
        stopped.freeze()
        scene.registry.wait_keys(fleet.PREFIX, 2, 4 * fleet.LEASE_S)
        scene.load.wait_without(stopped)
    with h.check("continued it registers again at once"):
        mark, calls = stopped.mark(), scene.load.mark()
        thawed_s = fleet.now_s()
        stopped.thaw()
        fleet.registered(stopped, after=mark)
        took_s = fleet.line_time(stopped, "registry put key", mark) - thawed_s
        print("# registered after %.0f ms" % (took_s * 1000))
        assert took_s < 1, took_s
    with h.check("and has traffic again"):
        # Also what had been sent to it while it slept is answered now; so look for a call that started later.
        scene.load.wait_start(stopped, thawed_s, BACK_S, after=calls)
    scene.check_calls()


def key_deleted(h, scene):
    """Somebody deletes an entry: its server puts it again, also one with a long lease."""
    patient = fleet.our_server(h, scene.registry.addr, lease_s=60)
    scene.servers.append(patient)
    for server in (scene.servers[0], patient):
        with h.check("an entry deleted by etcdctl comes back (%s)" % ("lease of 60 s" if server is patient else "short lease")):
            mark = server.mark()
            scene.registry.ctl("del", fleet.PREFIX + server.addr)
            deleted_s = fleet.now_s()
            fleet.registered(server, after=mark, timeout_s=BACK_S)
            print("# back after %.1f s" % (fleet.now_s() - deleted_s))
            scene.registry.wait_keys(fleet.PREFIX, 4, BACK_S)
    with h.check("an entry overwritten by somebody without a lease is ours again"):
        mark = patient.mark()
        scene.registry.ctl("put", fleet.PREFIX + patient.addr, "127.0.0.1:1")
        fleet.registered(patient, after=mark, timeout_s=BACK_S)
        assert patient.addr in scene.registry.ctl("get", "--print-value-only", fleet.PREFIX + patient.addr)
    with h.check("a lease revoked by somebody is replaced"):
        mark = scene.servers[0].mark()
        lease = harness.field(r'"lease":(\d+)', scene.registry.ctl("get", "-w", "json", fleet.PREFIX + scene.servers[0].addr))
        scene.registry.ctl("lease", "revoke", "%x" % int(lease))
        fleet.registered(scene.servers[0], after=mark, timeout_s=BACK_S)
        scene.registry.wait_keys(fleet.PREFIX, 4, BACK_S)


def entries(h, kind, _down_s):
    scene = Scene(h, kind)
    server_stopped(h, scene)
    key_deleted(h, scene)
    scene.finish()


# Seconds of each: quick, slow.
SCENES = {"killed": (killed, 15, 60), "emptied": (emptied, 3, 60), "frozen": (frozen, 3 * fleet.LEASE_S, 60), "entries": (entries, 0, 0)}


def test(h):
    kind, name = sys.argv[1:3]
    run, quick_s, slow_s = SCENES[name]
    run(h, kind, slow_s if "slow" in sys.argv[3:] else quick_s)


harness.main(test)
