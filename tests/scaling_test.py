"""More calls than a connection has streams: 100 at once to grpcio with ten streams a connection and 0.2 s a call.

    scaling_test.py queue   without a config they wait for one connection
    scaling_test.py share   with a maximum of five, five share them
    scaling_test.py limit   a larger maximum than the channel's is the channel's ten
    scaling_test.py killed  one of five is reset under load, without a retry policy: its calls fail and no other
"""

import json
import sys

import fleet
import harness

CALL_S = 0.2


def run(h, most, count=100, meanwhile=None):
    """The load client's calls, how long they took together, and the proxy that they went through."""
    server = h.spawn(h.peer_py("troubled_server.py") + ["--streams=10", "--stall=1:%d" % (CALL_S * 1000)], name="Python server")
    proxy = h.proxy(server.wait_line(r"peer listening on (\S+)").group(1))
    config = {"connectionScaling": {"maxConnectionsPerSubchannel": most}} if most else {}
    load = h.spawn([h.program("tests/load_client"), "ipv4:" + proxy.addr, "--config=" + json.dumps(config), "--rate=100000",
                    "--count=%d" % count, "--timeout=30000"], name="load")
    if meanwhile:
        meanwhile(load, proxy)
    load.wait(40)
    calls = [fleet.Call(line) for line in load.lines if line.startswith("call ")]
    assert load.code == 0 and len(calls) == count, (load.code, len(calls))
    took_s = max(call.end_s for call in calls) - min(call.start_s for call in calls)
    print("# %d calls in %.2f s over %d connections" % (count, took_s, proxy.accepted))
    return calls, took_s, proxy


def failures(calls):
    return [str(call) for call in calls if call.code != "OK"]


def queue(h):
    calls, took_s, proxy = run(h, None)
    with h.check("no call fails"):
        assert not failures(calls), failures(calls)
    with h.check("one connection, ten rounds"):
        assert proxy.accepted == 1 and took_s >= 10 * CALL_S, (proxy.accepted, took_s)


def share(h):
    calls, took_s, proxy = run(h, 5)
    with h.check("no call fails"):
        assert not failures(calls), failures(calls)
    with h.check("five connections, two rounds"):
        assert proxy.accepted == 5 and 2 * CALL_S <= took_s < 5 * CALL_S, (proxy.accepted, took_s)


def limit(h):
    calls, took_s, proxy = run(h, 1000, count=150)
    with h.check("no call fails"):
        assert not failures(calls), failures(calls)
    with h.check("ten connections, two rounds"):
        assert proxy.accepted == 10 and 2 * CALL_S <= took_s < 5 * CALL_S, (proxy.accepted, took_s)


def killed(h):
    def reset_one(load, proxy):
        load.wait_line("^call ", count=50)
        assert proxy.accepted == 5, proxy.accepted
        proxy.reset_one()

    calls, _, proxy = run(h, 5, count=300, meanwhile=reset_one)
    lost = failures(calls)
    with h.check("its calls fail, %d, and no other" % len(lost)):
        assert 1 <= len(lost) <= 10 and all(call.code in ("OK", "UNAVAILABLE") for call in calls), lost
    with h.check("another connection takes its place"):
        assert proxy.accepted == 6, proxy.accepted


SCENES = {scene.__name__: scene for scene in (queue, share, limit, killed)}


def test(h):
    SCENES[sys.argv[1]](h)


harness.main(test)
