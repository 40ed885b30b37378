"""balance_live_test.py weights | health go|py | hung | ejection: policies and servers that say how they are, or do not, under load.

weights: grpc-js servers report their load in trailers, then out of band; weighted_round_robin's shares follow.
hung: of three servers one stands still for a while; adaptive leaves it alone, and comes back to it.
ejection: of three grpcio servers one fails every second call for a while; outlier_detection takes it out, and back.
health: grpc-go or grpcio servers turn NOT_SERVING and SERVING again; calls leave at once, come back, and none fails.
"""

import re
import signal
import sys
import time

import harness

CALL = re.compile(r"^call (\d+) (\d+) (\d+) (\w+) (\S+)")


class Load:
    """tests/load_client on a list of addresses."""

    def __init__(self, h, addrs, config, rate, timeout_ms=5000):
        self.process = h.spawn([h.program("tests/load_client"), "ipv4:" + ",".join(addrs), "--rate=%d" % rate, "--timeout=%d" % timeout_ms,
                                "--config=" + config], name="load")
        self.addrs, self._calls, self._read = addrs, {}, 0

    def calls(self):
        """(start, code, address) of the calls that have ended, by their numbers, which are in the order of their starts."""
        lines = self.process.lines[self._read:]
        self._read += len(lines)
        for m in filter(None, map(CALL.match, lines)):
            self._calls[int(m[1])] = (int(m[2]), m[4], m[5])
        return self._calls

    def after(self, from_us, count, timeout_s=20):
        """The first so many calls that began from then on, once all of them have ended."""
        def ended():
            calls = self.calls()
            first = 1 + max((number for number, call in calls.items() if call[0] < from_us), default=0)
            window = [calls.get(number) for number in range(first, first + count)]
            return None not in window and window
        return harness.until("%d calls" % count, ended, timeout_s, step_s=0.05)

    def wait_shares(self, good, count, timeout_s=10):
        """Waits until the shares of so many calls, the last to end, are good."""
        def now_good():
            last = list(self.calls().values())[-count:]
            return len(last) == count and good(shares(last, self.addrs))
        harness.until("such shares", now_good, timeout_s, step_s=0.05)

    def finish(self):
        self.process.terminate()
        return [int(n) for n in re.search(r"^total (\d+) failed (\d+)$", self.process.text(), re.M).groups()]


def now_us():
    return int(time.monotonic() * 1e6)


def shares(calls, addrs):
    return [sum(1 for call in calls if call[2] == addr) / len(calls) for addr in addrs]


def near(got, want, tolerance):
    total = sum(want)
    return all(abs(g - w / total) <= tolerance for g, w in zip(got, want))


def weights(h):
    for oob, more in (("false", []), ("true", ["--oob"])):
        says = "out of band" if more else "in trailers"
        said = [10, 20, 40]
        servers = [h.spawn(h.peer_js("orcaserver.js") + ["--rps=%d" % rps] + more, name="orca %d" % rps) for rps in said]
        addrs = [server.wait_line(r"^listening on (\S+)", timeout_s=20).group(1) for server in servers]
        load = Load(h, addrs, '{"loadBalancingConfig":[{"weighted_round_robin":{"blackoutPeriod":"0.5s","weightUpdatePeriod":"0.2s",'
                    '"enableOobLoadReport":%s,"oobReportingPeriod":"0.2s"}}]}' % oob, rate=500)

        def measure(want):
            """The shares, once what was reported last is what they follow."""
            load.wait_shares(lambda got: near(got, want, 0.05), 210)
            return shares(load.after(now_us(), 1400), addrs)

        with h.check("reports %s: shares are 10:20:40" % says):
            got = measure(said)
            assert near(got, said, 0.01), got
        servers[0].signal(signal.SIGUSR1)
        servers[0].wait_line(r"^rps 20")
        servers[0].signal(signal.SIGUSR1)
        servers[0].wait_line(r"^rps 40")
        with h.check("reports %s: shares follow to 40:20:40" % says):
            got = measure([40, 20, 40])
            assert near(got, [40, 20, 40], 0.01), got
        with h.check("reports %s: no call fails" % says):
            total, failed = load.finish()
            assert total > 2 * (210 + 1400) and failed == 0, (total, failed)
        for server in servers:
            server.terminate()


def health(h):
    go = sys.argv[2] == "go"
    servers = [h.spawn([h.peer("gohealth")] if go else h.peer_py("pyhealth.py"), name="health %d" % i) for i in range(3)]
    addrs = [server.wait_line(r"^listening on (\S+)", timeout_s=20).group(1) for server in servers]
    rate = 2000 if go else 300
    count = rate * 4 // 5
    load = Load(h, addrs, '{"loadBalancingConfig":[{"round_robin":{}}],"healthCheckConfig":{"serviceName":"proto.HelloService"}}', rate=rate)
    grace_us = 200000  # for the news to travel on a busy machine
    load.wait_shares(lambda got: min(got) > 0, 60)

    def turn(server, number, line):
        mark = server.mark()
        server.signal(number)
        server.wait_line("^%s$" % line, after=mark)
        return now_us()

    for flip in range(4):
        i = flip % 3
        with h.check("flip %d: no call begins at a server that does not serve" % flip):
            gone = turn(servers[i], signal.SIGUSR1, "NOT_SERVING")
            late = [call for call in load.after(gone + grace_us, count) if call[2] == addrs[i]]
            assert not late, late[:3]
        with h.check("flip %d: it has its share again once it serves" % flip):
            back = turn(servers[i], signal.SIGUSR2, "SERVING")
            got = shares(load.after(back + grace_us, count), addrs)
            assert near(got, [1, 1, 1], 0.02), got
    with h.check("all three stop serving: calls fail with what the server says, and none before"):
        failed = [call for call in load.calls().values() if call[1] != "OK"]
        assert not failed, failed[:3]
        for server in servers:
            turn(server, signal.SIGUSR1, "NOT_SERVING")
        load.process.wait_line(r'UNAVAILABLE - .*says of "proto\.HelloService": NOT_SERVING')
    load.process.terminate()


def hung(h):
    ports = [harness.free_port() for _ in range(3)]
    servers = [h.spawn([h.program("examples/hello/server"), "--port=127.0.0.1:%d" % port, "--registry=none"], ready="server starting on") for port in ports]
    addrs = ["127.0.0.1:%d" % port for port in ports]
    load = Load(h, addrs, '{"loadBalancingConfig":[{"adaptive":{}}]}', rate=1000, timeout_ms=1000)
    with h.check("all are well: each has its share"):
        # On a busy machine some do answer later than others for a while, and get less for it.
        load.wait_shares(lambda got: min(got) > 0.1, 1000)
    servers[1].freeze()
    frozen = now_us()
    with h.check("a second after it stopped it gets less than one call in 200"):
        got = shares(load.after(frozen + 1000000, 4000), addrs)
        assert got[1] < 0.005, got
    with h.check("hardly a call is lost to it"):
        calls = load.after(frozen, 5000)
        lost = [call for call in calls if call[1] != "OK"]
        assert len(lost) < len(calls) * 0.005, (len(lost), len(calls))
    servers[1].thaw()
    with h.check("within 10 s of going on it has its share again, and keeps it"):
        load.wait_shares(lambda got: got[1] > 0.1, 1000)
        got = shares(load.after(now_us(), 2000), addrs)
        assert got[1] > 0.1, got
    load.process.terminate()


EJECTIONS = {
    "by its share of failures": '"failurePercentageEjection":{"threshold":30,"minimumHosts":3,"requestVolume":20}',
    "as an outlier": '"successRateEjection":{"stdevFactor":1000,"minimumHosts":3,"requestVolume":20}',
}


def ejection(h):
    servers = [h.spawn(h.peer_py("troubled_server.py"), name="troubled %d" % i) for i in range(3)]
    addrs = [server.wait_line(r"listening on (\S+)").group(1) for server in servers]

    def turn(line):
        mark = servers[1].mark()
        servers[1].signal(signal.SIGUSR1)
        servers[1].wait_line("^%s$" % line, after=mark)
        return now_us()

    for how, algorithm in EJECTIONS.items():
        load = Load(h, addrs, '{"loadBalancingConfig":[{"outlier_detection":{"interval":"0.5s","baseEjectionTime":"3s","maxEjectionPercent":40,%s,'
                    '"childPolicy":[{"round_robin":{}}]}}]}' % algorithm, rate=300)
        load.wait_shares(lambda got: near(got, [1, 1, 1], 0.02), 150)
        bad_us = turn("fails 2")
        with h.check("who fails every second call is ejected %s" % how):
            load.wait_shares(lambda got: got[1] == 0 and near(got, [1, 0, 1], 0.02), 150, timeout_s=3)
        good_us = turn("fails 0")
        with h.check("and comes back once it is well"):
            load.wait_shares(lambda got: near(got, [1, 1, 1], 0.02), 150, timeout_s=10)
            got = shares(load.after(now_us(), 900), addrs)  # over several sweeps
            assert near(got, [1, 1, 1], 0.02), got
        with h.check("nobody else was ever left out, and nothing failed but there and then"):
            calls = list(load.calls().values())
            wrong = [call for call in calls if call[1] != "OK" and not (call[2] == addrs[1] and bad_us - 200000 < call[0] < good_us + 200000)]
            assert not wrong, wrong[:3]
            windows = [shares(calls[i:i + 60], addrs) for i in range(0, len(calls) - 60, 60)]
            assert all(min(got[0], got[2]) > 0.2 for got in windows), [got for got in windows if min(got[0], got[2]) <= 0.2][:3]
        load.process.terminate()


def main(h):
    {"weights": weights, "health": health, "hung": hung, "ejection": ejection}[sys.argv[1]](h)


harness.main(main)
