"""A fleet changes under a thousand calls a second: one comes, one drains, one is killed, one starts again.

    change_test.py etcd|rota
"""

import sys

import fleet
import harness

NOTICED_S = 0.1  # from a put to the first call
RETURN_S = 0.3   # of a server that clients have tried in vain: they come back within a tenth of a second, by chance


def first_call_after(load, server, mark):
    """How long after its put the server had its first call. The put was done before its line came."""
    call = load.wait_call(server, after=mark)
    return call.start_s - fleet.line_time(server, "registry put key")


def add(h, registry, load):
    fresh = []
    with h.check("a server that comes has traffic within 100 ms of its put"):
        for start in (fleet.our_server, fleet.our_server, fleet.go_server):
            mark = load.mark()
            fresh.append(start(h, registry.addr))
            took_s = first_call_after(load, fresh[-1], mark)
            print("# first call after %.0f ms" % (took_s * 1000))
            assert took_s <= NOTICED_S, took_s
    with h.check("no call fails when servers come"):
        load.wait_calls(200)
        load.check_no_failure()
    return fresh


def drain(h, load, servers):
    for server in servers:
        mark = load.mark()
        with h.check("%s drains and not one call fails" % server.name.rpartition(" ")[0]):
            assert server.terminate() == 0, server.code
            load.wait_without(server)
            load.check_no_failure(mark)


def kill(h, load, server):
    """Calls gather on it while it is stopped; they are the ones in flight when it dies."""
    mark = load.mark()
    server.freeze()
    stopped_s = fleet.now_s()
    load.wait_calls(200)
    killed_s = fleet.now_s()
    server.kill()
    load.wait_ended(killed_s + 0.05)
    calls = load.calls(mark)
    failed = [call for call in calls if call.code != "OK"]
    with h.check("a killed server fails the calls in flight on it, and they are told at once"):
        assert failed and all(call.code == "UNAVAILABLE" for call in failed), [str(call) for call in failed[:3]]
        assert all(call.end_s - killed_s < 0.5 for call in failed), max(call.end_s - killed_s for call in failed)
    with h.check("a killed server fails no other call"):
        strangers = [call for call in failed if call.peer != server.addr or call.end_s < killed_s or call.start_s > killed_s + 0.05]
        assert not strangers, "%d of %d, the first: %s" % (len(strangers), len(failed), strangers[0])
        # One that was answered just as it was stopped is no failure; every other call on it is.
        on_it = [call for call in calls if call.peer == server.addr and call.start_s > stopped_s + 0.05]
        assert all(call.code != "OK" for call in on_it)
    with h.check("a thousand calls go on in time after the kill"):
        after = load.mark()
        load.wait_calls(1000)
        load.check_no_failure(after)
        assert max(call.end_s - call.start_s for call in load.calls(after)) < 1


def kill_at_once(h, load, server):
    mark = load.mark()
    killed_s = fleet.now_s()
    server.kill()
    load.wait_ended(killed_s + 0.05)
    with h.check("a server killed while it answers fails at most what is in flight on it"):
        strangers = [call for call in load.failed(mark) if call.peer != server.addr or call.start_s > killed_s + 0.05]
        assert not strangers, "%d, the first: %s" % (len(strangers), strangers[0])


def restart(h, registry, load, server):
    """Ended and killed, and started again on its port at once."""
    for how in ("terminate", "kill"):
        getattr(server, how)()
        load.wait_without(server)
        mark = load.mark()
        server = fleet.our_server(h, registry.addr, port=fleet.port_of(server))
        with h.check("a server that starts again after %s has traffic again" % how):
            took_s = first_call_after(load, server, mark)
            print("# first call after %.0f ms" % (took_s * 1000))
            assert took_s <= RETURN_S, took_s
            load.wait_calls(200)
            load.check_no_failure(mark)
    return server


def test(h):
    registry = h.any_registry(sys.argv[1])
    servers = [fleet.our_server(h, registry.addr) for _ in range(3)]
    load = fleet.Load(h, registry.addr, to_all=servers)
    servers += add(h, registry, load)
    drain(h, load, [servers[0], servers[5]])
    kill(h, load, servers[1])
    kill_at_once(h, load, servers[2])
    restart(h, registry, load, servers[3])
    with h.check("every call is accounted for"):
        load.finish()
        calls = load.calls()
        assert len({call.number for call in calls}) == len(calls)
    with h.check("the load was a thousand calls a second"):
        span_s = calls[-1].start_s - calls[0].start_s
        assert len(calls) / span_s > 900, len(calls) / span_s


harness.main(test)
