"""Calls of several attempts against foreign servers in trouble.

    retry_test.py failing     one of three fails each fifth call: retries make up for it
    retry_test.py pushback    it says when to come back, or not to
    retry_test.py refusing    one refuses streams, and drains its connection now and then: nothing is lost
    retry_test.py killed      kill -9 of one of three: no call fails
    retry_test.py stalling    each hundredth call stalls: hedges cut the tail, within the budget
    retry_test.py storm       three servers at 150 % of what they can do: the budget holds, goodput stays
"""

import collections
import json
import re
import sys

import fleet
import harness

sys.path.insert(0, harness.TESTS_DIR + "/peers")
import hostile  # noqa: E402
from mischief_frames import PREFACE, data, goaway, headers, message, read_exactly, rst_stream, settings  # noqa: E402

REFUSED_STREAM = 7


def config(**method):
    return "--config=" + json.dumps({"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": [dict(name=[{}], **method)]})


RETRY = config(retryPolicy={"maxAttempts": 4, "initialBackoff": "0.02s", "maxBackoff": "0.2s", "backoffMultiplier": 2,
                            "retryableStatusCodes": ["UNAVAILABLE"]})
HEDGE = config(hedgingPolicy={"maxAttempts": 2, "hedgingDelay": "0.05s", "nonFatalStatusCodes": ["UNAVAILABLE"]})
PLAIN = config()


def server(h, *flags):
    running = h.spawn(h.peer_py("troubled_server.py") + list(flags), name="Python server")
    running.addr = running.wait_line(r"peer listening on (\S+)").group(1)
    return running


class Run:
    """The load client on these addresses, to its end. Members: calls (fleet.Call), failed, stats (a dict)."""

    def __init__(self, h, addrs, *flags, timeout_s=60, meanwhile=None):
        process = h.spawn([h.program("tests/load_client"), "ipv4:" + ",".join(addrs), *flags], name="load")
        if meanwhile:
            meanwhile(process)
        process.wait(timeout_s)
        assert process.code == 0, process.code
        self.calls = sorted((fleet.Call(line) for line in process.lines if line.startswith("call ")), key=lambda call: call.number)
        self.failed = [call for call in self.calls if call.code != "OK"]
        words = next(line for line in process.lines if line.startswith("stats ")).split()[1:]
        self.stats = {name: int(number) for name, number in zip(words[::2], words[1::2])}
        print("# %d calls, %d failed, %s" % (len(self.calls), len(self.failed), self.stats))

    def p99_ms(self):
        times = sorted(call.end_s - call.start_s for call in self.calls)
        return times[len(times) * 99 // 100] * 1000

    def check_no_failure(self):
        assert not self.failed, "%d of %d failed, the first: %s" % (len(self.failed), len(self.calls), self.failed[0])


def failing(h):
    servers = [server(h, "--fail=5"), server(h), server(h)]
    addrs = [s.addr for s in servers]
    plain = Run(h, addrs, PLAIN, "--rate=300", "--count=900")
    with h.check("without a policy those calls fail"):
        assert 30 < len(plain.failed) < 90, len(plain.failed)
    run = Run(h, addrs, RETRY, "--rate=300", "--count=900")
    with h.check("with one no call fails"):
        run.check_no_failure()
    with h.check("a retry each, and no more"):
        assert 30 < run.stats["retries"] < 90, run.stats
        assert run.stats["attempts"] == len(run.calls) + run.stats["retries"]
    for s in servers:
        s.terminate()
    with h.check("servers saw as many attempts announced"):
        total = sum(int(re.search(r"previous (\d+)", s.lines[-1]).group(1)) for s in servers)
        assert total == run.stats["retries"], total


def pushback(h):
    later = Run(h, [server(h, "--fail=20", "--pushback=300").addr], RETRY, "--rate=100", "--count=400")
    with h.check("pushed back calls succeed"):
        later.check_no_failure()
    with h.check("after what the server said"):
        waits = sum(int((call.end_s - call.start_s) / 0.299) for call in later.calls)  # a retry may be pushed back too
        assert waits >= later.stats["retries"] >= 20, (waits, later.stats)
    never = Run(h, [server(h, "--fail=5", "--pushback=-1").addr], RETRY, "--rate=100", "--count=100")
    with h.check("none where it says so"):
        assert len(never.failed) == 20 and never.stats["retries"] == 0, never.stats


class Refusing(hostile.Server):
    """Refuses each stream of a connection that `every` divides; the eightieth is above its GOAWAY."""

    every = 1000

    def _talk(self, link):
        if read_exactly(link.sock, len(PREFACE)) != PREFACE:
            return
        link.send(settings())
        answered, count = 0, 0
        while True:
            stream = link.question()
            count += 1
            if count == 80:
                link.send(goaway(answered, 0))
                link.until_closed()  # with calls unread an end would be a reset, which overtakes the GOAWAY
                return
            if count % self.every == 0:
                link.send(rst_stream(stream, REFUSED_STREAM))
                continue
            answered = stream
            link.send(headers(stream, *hostile.OK_HEADERS) + data(stream, message(b"")) + headers(stream, *hostile.OK_TRAILERS, end=True))


def refusing(h):
    refuser = Refusing(hostile.Row("refusing", "OK", hostile.ANY, None))
    good = server(h)
    addrs = ["127.0.0.1:%d" % refuser.port, good.addr]

    def begin(load):
        """A call is refused but once without a policy: there has to be another server from the first refusal on."""
        for addr in addrs:
            load.wait_line("^call .* OK %s " % addr)
        refuser.every = 3

    run = Run(h, addrs, PLAIN, "--rate=400", "--count=2000", meanwhile=begin)
    with h.check("no call is lost without any policy"):
        run.check_no_failure()
        assert run.stats["retries"] == 0 and run.stats["transparent"] > 200, run.stats
    with h.check("the server was called and drained its connections"):
        assert refuser.connections > 5, refuser.connections
    # Five times refused in a row, which is the end, should be out of the question: where calls come in bunches it is all chance.
    refuser.every = 8
    alone = Run(h, addrs[:1], RETRY, "--rate=200", "--count=400")
    with h.check("one that refuses twice is tried again by the policy"):
        alone.check_no_failure()
    refuser.close()


def killed(h):
    servers = [server(h) for _ in range(3)]

    def kill_one(load):
        load.wait_line("^call ", count=600)
        servers[1].kill()

    run = Run(h, [s.addr for s in servers], RETRY, "--rate=600", "--count=2400", meanwhile=kill_one)
    with h.check("no call fails when one of three is killed"):
        run.check_no_failure()
    with h.check("it was in use until then"):
        assert sum(call.peer == servers[1].addr for call in run.calls) > 100


def stalling(h):
    addrs = [server(h, "--stall=100:1000").addr for _ in range(3)]
    plain = Run(h, addrs, PLAIN, "--rate=200", "--count=2000")
    hedged = Run(h, addrs, HEDGE, "--rate=200", "--count=2000")
    slowest = {run: sorted(call.end_s - call.start_s for call in run.calls)[-len(run.calls) // 200] * 1000 for run in (plain, hedged)}
    print("# p99.5 %.0f ms, hedged %.0f ms" % (slowest[plain], slowest[hedged]))
    with h.check("hedges cut the tail"):
        assert slowest[plain] > 900 and slowest[hedged] < 300, slowest
    with h.check("no call fails"):
        hedged.check_no_failure()
    with h.check("within the budget"):
        assert 10 <= hedged.stats["hedges"] <= len(hedged.calls) * 0.1, hedged.stats


def storm(h):
    """One slot of 20 ms a server: 150 calls a second are what three can do."""
    def run(policy):
        addrs = [server(h, "--slot=20:5").addr for _ in range(3)]
        return Run(h, addrs, policy, "--rate=225", "--count=2700", timeout_s=40)

    plain, stormy = run(PLAIN), run(RETRY)
    goodput = [len(r.calls) - len(r.failed) for r in (plain, stormy)]
    print("# goodput %d, with retries %d of %d" % (*goodput, len(plain.calls)))
    with h.check("it is overload"):
        assert goodput[0] < len(plain.calls) * 0.8
    with h.check("at most 1.1 attempts a call"):
        assert stormy.stats["over_budget"] > 0
        # Seconds with fewer than 100 calls, which only a machine that stands still makes here, have the floor of 10 retries.
        first_s = stormy.calls[0].start_s
        begun = collections.Counter(int(call.start_s - first_s) for call in stormy.calls)
        floor = sum(max(0, 10 - begun[second] / 10) for second in range(12))
        assert stormy.stats["attempts"] <= 1.1 * len(stormy.calls) + floor, (stormy.stats, floor)
    with h.check("goodput within 5 % of that without retries"):
        assert goodput[1] >= 0.95 * goodput[0], goodput


SCENES = {scene.__name__: scene for scene in (failing, pushback, refusing, killed, stalling, storm)}


def test(h):
    SCENES[sys.argv[1]](h)


harness.main(test)
