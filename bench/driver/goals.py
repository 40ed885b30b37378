"""What we set out to reach: each goal is a bound on one of our medians, mostly a factor of a peer's or a limit's in the same run."""

from driver.bench import median


class Bound:
    """Ours is to be at most (or at least) `factor` times what `contender` has in `cell` (default: the goal's), or `factor` itself."""

    def __init__(self, factor, contender=None, cell=None, at_least=False):
        self.factor, self.contender, self.cell, self.at_least = factor, contender, cell, at_least

    def text(self, unit):
        sign = "≥" if self.at_least else "≤"
        if self.contender is None:
            return "%s %g %s" % (sign, self.factor, unit)
        return "%s %g × %s" % (sign, self.factor, self.whom())

    def whom(self):
        return self.contender if self.contender != "rota" else "ours at %s" % self.cell.split("/")[1]

    def judge(self, results, goal, ours):
        """(the ratio to what is compared with, whether it is kept); None, None: that was not measured."""
        if self.contender is None:
            return None, ours >= self.factor if self.at_least else ours <= self.factor
        other = median(results, self.cell or goal.cell, self.contender, goal.key)
        if not other:
            return None, None
        return ours / other, ours >= self.factor * other if self.at_least else ours <= self.factor * other


class Goal:
    def __init__(self, row, what, cell, key, unit, bounds, contender="rota", beside=("go", "cpp", "js"), limit=None):
        self.row, self.what, self.cell, self.key, self.unit, self.bounds = row, what, cell, key, unit, bounds
        self.contender, self.beside, self.limit = contender, beside, limit

    def judge(self, results):
        """None: not measured. Else ours, ratios by bound, peers, limit and the verdict."""
        ours = median(results, self.cell, self.contender, self.key)
        if ours is None:
            return None
        judged = [bound.judge(results, self, ours) for bound in self.bounds]
        verdicts = [kept for _ratio, kept in judged]
        verdict = "short" if False in verdicts else "not compared" if None in verdicts else "reached"
        peers = {name: median(results, self.cell, name, self.key) for name in self.beside}
        return {"ours": ours, "ratios": [ratio for ratio, _kept in judged], "verdict": verdict,
                "peers": {name: value for name, value in peers.items() if value is not None},
                "limit": median(results, self.cell, self.limit, self.key) if self.limit else None}


def at_most(factor, contender=None, cell=None):
    return Bound(factor, contender, cell)


def at_least(factor, contender=None, cell=None):
    return Bound(factor, contender, cell, at_least=True)


CPU = "µs CPU"
GO_LEAST = "go least_request_4"
GO_WEIGHTED = "go weighted_round_robin"
GO_TAIL = ("go round_robin", GO_LEAST, GO_WEIGHTED)
SIMULATED = "simulator adaptive"
GOALS = (
    Goal("client", "client, 64 outstanding: CPU of a call", "client/64", "cpu_us", CPU, [at_most(0.25, "go"), at_most(1.6, "bare")], limit="bare"),
    Goal("client", "client, 512 outstanding: CPU of a call", "client/512", "cpu_us", CPU, [at_most(0.18, "go"), at_most(1, "rota", "client/64")],
         limit="bare"),
    Goal("client", "client, 64 outstanding: calls a second on one core", "client/64", "rps", "/s", [at_least(4, "go")], limit="bare"),
    Goal("client", "client, 64 outstanding: p99.9", "client/64", "p999", "µs", [at_most(0.25, "go")], limit="raw"),
    Goal("blocking", "blocking calls, a loop of one's own: p50", "blocking", "p50", "µs", [at_most(1.2, "raw")], limit="raw"),
    Goal("blocking", "the same: CPU of a call", "blocking", "cpu_us", CPU, [at_most(1.2, "raw")], limit="raw"),
    Goal("blocking", "blocking calls, rota's own thread: p50", "blocking", "p50", "µs", [at_most(1, "go")], contender="rota, own thread", limit="raw"),
    Goal("server", "server, 1 connection × 100 streams: CPU of a call", "server/1x100", "cpu_us", CPU, [at_most(0.2, "go"), at_most(1.2, "nghttpd")],
         limit="nghttpd"),
    Goal("server", "server, 10 connections × 100 streams: CPU of a call", "server/10x100", "cpu_us", CPU, [at_most(0.2, "go"), at_most(1.2, "nghttpd")],
         limit="nghttpd"),
    Goal("scale", "1,000 endpoints: settled", "endpoints/1000", "settle_s", "s", [at_most(0.3, "go")]),
    Goal("scale", "1,000 endpoints: CPU until then", "endpoints/1000", "cpu_ms_settled", "ms", [at_most(0.25, "go")]),
    Goal("scale", "1,000 endpoints: memory of each", "endpoints/1000", "per_ep_kb", "KB", [at_most(10)]),
    Goal("scale", "1,000 endpoints, 64 outstanding: CPU of a call", "endpoints/1000", "cpu_us", CPU, [at_most(0.3, "go")]),
    Goal("scale", "1,000 endpoints, idle: CPU each second", "endpoints/1000", "idle_cpu_ms_per_s", "ms", [at_most(0.2)]),
    Goal("scale10k", "10,000 endpoints: settled", "endpoints/10000", "settle_s", "s", [at_most(2)]),
    Goal("scale10k", "10,000 endpoints: CPU until then", "endpoints/10000", "cpu_ms_settled", "ms", [at_most(1500)]),
    Goal("scale10k", "10,000 endpoints: memory", "endpoints/10000", "rss_kb", "KB", [at_most(120 * 1024)]),
    Goal("discovery", "put acknowledged by etcd, to the new server's first reply", "discovery/put", "first_reply_ms", "ms", [at_most(0.6, "go")]),
    Goal("discovery", "one more put among 1,000: CPU", "discovery/update", "put_cpu_ms", "ms", [at_most(0.1, "go")]),
    Goal("restart", "killed server in the registry again: has traffic", "restart", "traffic_again_s", "s", [at_most(0.5)]),
    Goal("loops", "two client loops on two cores: calls a second", "loops/2", "rps", "/s", [at_least(1.8, "rota", "loops/1")], beside=()),
    Goal("footprint", "process: start, one reply, exit", "footprint", "ms", "ms", [at_most(2.5, "true")], limit="true"),
    Goal("footprint", "process: peak of memory", "footprint", "rss", "KB", [at_most(4096)], limit="true"),
    Goal("footprint", "stripped client, librota linked in", "size", "stripped_kb", "KB", [at_most(400)]),
    Goal("tls", "TLS 1.3, client, 64 outstanding: CPU of a call", "tls/client", "cpu_us", CPU, [at_most(0.5, "go")]),
    Goal("tls", "TLS 1.3, server, 64 outstanding: CPU of a call", "tls/server", "cpu_us", CPU, [at_most(0.5, "go")]),
    Goal("bulk", "1 MiB messages to the server: GB for a second of CPU", "bulk/up", "gb_per_cpu_s", "GB/s", [at_least(1.5, "go")]),
    Goal("bulk", "1 MiB messages to the client: GB for a second of CPU", "bulk/down", "gb_per_cpu_s", "GB/s", [at_least(1.5, "go")]),
    Goal("tail", "one slow server of ten (A: it sleeps longer), adaptive: p99", "tail/A", "p99_ms", "ms", [at_most(5), at_most(1, GO_LEAST)],
         contender="rota adaptive", beside=GO_TAIL),
    Goal("tail", "the same beside what the simulator says of it", "tail/A", "p99_ms", "ms", [at_least(0.8, SIMULATED), at_most(1.2, SIMULATED)],
         contender="rota adaptive", beside=()),
    Goal("tail", "one slow server of ten (B: each serves one at a time), adaptive: p99", "tail/B", "p99_ms", "ms", [at_most(5), at_most(0.4, GO_LEAST)],
         contender="rota adaptive", beside=GO_TAIL),
    Goal("tail", "the same beside grpc-go's weighted_round_robin with load reports", "tail/B", "p99_ms", "ms", [at_most(1, GO_WEIGHTED)],
         contender="rota adaptive", beside=()),
    Goal("tail", "the same beside what the simulator says of it", "tail/B", "p99_ms", "ms", [at_least(0.8, SIMULATED), at_most(1.2, SIMULATED)],
         contender="rota adaptive", beside=()),
    Goal("tail", "the same: p99.9", "tail/B", "p999_ms", "ms", [at_most(10)], contender="rota adaptive", beside=GO_TAIL),
    Goal("tail", "the same: share of calls that the slow one gets", "tail/B", "slow_share", "%", [at_most(1.5)], contender="rota adaptive",
         beside=GO_TAIL),
)
