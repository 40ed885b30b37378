"""A fleet of the hello program for the tests: its servers, ours or in Go, and a steady load that keeps account.

Addresses are 127.0.0.1:PORT throughout, as what a call reports as its peer is compared with what was registered.
"""

import bisect
import re
import time

import harness

SERVICE = "grpclb_test1"
PREFIX = "/grpclb/%s/" % SERVICE
RECEIVED = r"receive:grpc(\d+)$"
LEASE_S = 2


def our_server(h, registry_addr, *flags, port=0, lease_s=LEASE_S):
    """Our server, registered. registry_addr: HOST:PORT, or "none"."""
    server = h.spawn([h.program("examples/hello/server"), "--port=127.0.0.1:%s" % port, "--lease=%d" % lease_s,
                      "--registry=" + (registry_addr if registry_addr == "none" else "etcd://" + registry_addr), *flags],
                     name="our server")
    if registry_addr != "none":
        server.addr = registered(server).group(1)
        server.name = "our server " + server.addr
    return server


def registered(server, after=0, timeout_s=10):
    """Waits until the server says that it is registered; the match holds its address."""
    return server.wait_line(r"registry put key:/grpclb/[^/]+/(\S+) .*success", timeout_s, after=after)


def go_server(h, registry_addr, *flags, port=0, lease_s=LEASE_S):
    server = h.spawn([h.peer("goserver"), "--port=127.0.0.1:%s" % port, "--lease=%d" % lease_s,
                      "--registry=http://" + registry_addr, *flags], name="Go server")
    server.addr = server.wait_line(r"server starting on (\S+)").group(1)
    server.name = "Go server " + server.addr
    return server


def our_client(h, registry_addr, *flags):
    return h.spawn([h.program("examples/hello/client"), "--registry=etcd://" + registry_addr, *flags], name="our client")


def go_client(h, registry_addr, *flags):
    return h.spawn([h.peer("goclient"), "--registry=http://" + registry_addr, *flags], name="Go client")


def turns(servers, count):
    """Who received which call: server by the call's number. For one client's calls, of which there were so many."""
    took = {}

    def all_told():  # a server's line may be on its way still
        took.update({int(match.group(1)): server for server in servers for match in
                     (re.search(RECEIVED, line) for line in list(server.lines)) if match})
        return len(took) >= count

    harness.until("%d calls to be told of" % count, all_told, 5)
    return took


def port_of(server):
    return int(server.addr.rpartition(":")[2])


class Call:
    """Members: number, start_s and end_s (monotonic, as time.monotonic()), code, peer, message."""

    def __init__(self, line):
        _, number, start_us, latency_us, self.code, self.peer, self.message = line.split(" ", 6)
        self.number, self.start_s = int(number), int(start_us) / 1e6
        self.end_s = self.start_s + int(latency_us) / 1e6

    def __str__(self):
        return "call %d at %s: %s %r after %.0f ms" % (
            self.number, self.peer, self.code, self.message, (self.end_s - self.start_s) * 1000)


class Load:
    """tests/load_client on a target until finish: by default a thousand calls a second, round robin."""

    def __init__(self, h, registry_addr, *flags, service=SERVICE, to_all=()):
        """Returns once every server of to_all has answered a call."""
        self._read, self._calls, self._at = 0, [], []  # lines read so far, their calls, the line of each
        self._numbers, self._whole = set(), 0          # who has ended beyond _whole; all up to there have
        self.process = h.spawn([h.program("tests/load_client"), "etcd://%s/%s" % (registry_addr, service), *flags], name="load")
        for server in to_all:
            self.wait_call(server)

    def wait_call(self, server, timeout_s=10, after=0):
        """Waits for a call that this server answered; returns it."""
        return Call(self.process.wait_line(r"^call \d+ \d+ \d+ OK %s " % re.escape(server.addr), timeout_s, after).string)

    def wait_calls(self, count, timeout_s=20):
        """Lets so many more calls end."""
        self.process.wait_line(r"^call ", timeout_s, after=self.mark(), count=count)

    def wait_without(self, server, count=50, timeout_s=20):
        """Waits until so many calls in a row ended and none of them on this server."""
        def quiet():
            last = self.process.lines[-count:]
            return len(last) == count and not any(server.addr in line for line in last)
        harness.until("%d calls without %s" % (count, server.addr), quiet, timeout_s)

    def wait_ended(self, before_s, timeout_s=20):
        """Waits until all calls that started before this time have ended."""
        first_later, seen = None, 0

        def ended():  # calls are numbered in the order of their starts
            nonlocal first_later, seen
            self._parse()
            later = [call.number for call in self._calls[seen:] if call.start_s > before_s]
            seen = len(self._calls)
            if later:
                first_later = min(later + ([first_later] if first_later else []))
            return first_later and self._whole >= first_later - 1
        harness.until("end of all calls", ended, timeout_s, step_s=0.05)

    def wait_start(self, server, since_s, timeout_s=10, after=0):
        """Waits for a call that started on this server after that time, and has ended."""
        harness.until("new call on " + server.addr, lambda: any(
            call.peer == server.addr and call.start_s > since_s for call in self.calls(after)), timeout_s, step_s=0.05)

    def mark(self):
        return self.process.mark()

    def _parse(self):
        """Each line once: whoever asks again and again would else take the time of those who are measured."""
        lines = self.process.lines[self._read:]
        for at, line in enumerate(lines, self._read):
            if line.startswith("call "):
                self._calls.append(Call(line))
                self._at.append(at)
                self._numbers.add(self._calls[-1].number)
        self._read += len(lines)
        while self._whole + 1 in self._numbers:
            self._whole += 1
            self._numbers.remove(self._whole)

    def calls(self, after=0):
        self._parse()
        return self._calls[bisect.bisect_left(self._at, after):]

    def failed(self, after=0):
        return [call for call in self.calls(after) if call.code != "OK"]

    def check_no_failure(self, after=0):
        failed = self.failed(after)
        assert not failed, "%d calls failed, the first: %s" % (len(failed), failed[0])

    def finish(self):
        """Ends the load; checks that every call was accounted for."""
        assert self.process.terminate() == 0, self.process.code
        total = re.match(r"total (\d+) failed (\d+)", self.process.lines[-1])
        assert total and int(total.group(1)) == len(self.calls()), self.process.lines[-1]


def line_time(process, pattern, after=0):
    """When the first matching line came, monotonic."""
    for line, at_s in zip(process.lines[after:], process.times[after:]):
        if re.search(pattern, line):
            return at_s
    raise AssertionError("%s has no line %r" % (process.name, pattern))


def now_s():
    return time.monotonic()
