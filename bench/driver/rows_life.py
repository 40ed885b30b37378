"""Rows of change: discovery through etcd, a server that comes back, servers of which one is slow."""

import base64
import http.client
import json
import os
import queue
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time

from driver import machine
from driver.bench import Missing
from driver.rows_calls import targets

HOST = "127.0.7.7"
SERVICE = "svc/hello"
SLOW = 3


class Etcd:
    """An etcd of our own, and puts into it as etcd's own naming writes them."""

    def __init__(self, b):
        if shutil.which("etcd") is None:
            raise Missing("no etcd (package etcd-server)")
        port = b.ports(2)
        self.address = "127.0.0.1:%d" % port
        ours, peers = "http://" + self.address, "http://127.0.0.1:%d" % (port + 1)
        data = b.path("etcd")
        shutil.rmtree(data, ignore_errors=True)
        self.process = b.start(["etcd", "--data-dir", data, "--listen-client-urls", ours, "--advertise-client-urls", ours, "--listen-peer-urls", peers,
                                "--initial-advertise-peer-urls", peers, "--initial-cluster", "default=" + peers], ready="ready to serve client requests")
        self.http = http.client.HTTPConnection(self.address)
        self.http.connect()
        self.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, path, **fields):
        body = {key: base64.b64encode(value.encode()).decode() for key, value in fields.items()}
        self.http.request("POST", path, json.dumps(body))
        answer = self.http.getresponse()
        answer.read()
        if answer.status != 200:
            raise Missing("etcd answered %d" % answer.status)

    def put(self, number, host, port):
        """When it was acknowledged."""
        self.ask("/v3/kv/put", key="%s/%05d" % (SERVICE, number), value=json.dumps({"Op": 0, "Addr": "%s:%d" % (host, port), "Metadata": None}))
        return time.monotonic()

    def remove(self, number):
        self.ask("/v3/kv/deleterange", key="%s/%05d" % (SERVICE, number))


class Seen:
    """A client that tells when a server begins to answer."""

    def __init__(self, b, contender, etcd, rate):
        commands = {
            "rota": [b.ours("seen"), "etcd://%s/%s?dialect=official" % (etcd.address, SERVICE), str(rate)],
            "go": [os.path.join(b.peers, "go_cli"), "-mode", "seen", "-etcd", etcd.address, "-service", SERVICE, "-rate", str(rate)],
        }
        self.process = b.start(commands[contender], ready="", stdout=subprocess.PIPE)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for line in self.process.stdout:
                found = re.match(r"seen code=(\d+) t=([0-9.]+)", line)
                if found:
                    self.lines.put((int(found.group(1)), float(found.group(2))))
        except ValueError:
            pass  # closed by stop()

    def wait(self, code, timeout_s=10):
        """When that server began to answer."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            try:
                got, at = self.lines.get(timeout=max(0.01, until - time.monotonic()))
            except queue.Empty:
                break
            if got == code:
                return at
        raise Missing("server %d was not called within %d s" % (code, timeout_s))

    def wait_all(self, codes):
        missing = set(codes)
        until = time.monotonic() + 10
        while missing and time.monotonic() < until:
            try:
                missing.discard(self.lines.get(timeout=1)[0])
            except queue.Empty:
                pass
        if missing:
            raise Missing("servers %s were not called" % sorted(missing))

    def forget(self):
        while not self.lines.empty():
            self.lines.get()


def contenders_of(b):
    if not b.has("go_cli"):
        b.skip("discovery, go", "go_cli was not built on this machine")
        return ("rota",)
    return ("rota", "go")


def appear(b, etcd, contender, port, trials):
    """Milliseconds from the acknowledged put of a third server to its first reply, and what the same cost from when it was called."""
    etcd.put(0, "127.0.0.1", port)
    etcd.put(1, "127.0.0.1", port + 1)
    seen = Seen(b, contender, etcd, 2000)
    seen.wait_all((200, 201))
    took = []
    for _ in range(trials):
        time.sleep(0.3 + random.random() / 10)
        seen.forget()
        acknowledged = etcd.put(2, "127.0.0.1", port + 2)
        took.append((seen.wait(202) - acknowledged) * 1e3)
        time.sleep(0.1)
        etcd.remove(2)
    b.stop(seen.process)
    return {"first_reply_ms": statistics.median(took), "first_reply_max_ms": max(took)}


def update_cost(b, etcd, contender, port, trials):
    """CPU milliseconds of one more put among a thousand: what half a second with it costs more than one without."""
    def spent():
        before = machine.cpu_s(seen.process.pid)
        time.sleep(0.5)
        return (machine.cpu_s(seen.process.pid) - before) * 1e3

    for i in range(1000):
        etcd.put(i, HOST, port + i)
    seen = Seen(b, contender, etcd, 20)
    seen.wait(200, 30)
    time.sleep(4)
    base, costs = statistics.median(spent() for _ in range(5)), []
    for i in range(trials):
        etcd.put(1000 + i, HOST, port + 1000 + i)
        costs.append(spent() - base)
    b.stop(seen.process)
    for i in range(1000 + trials):
        etcd.remove(i)
    return {"put_cpu_ms": max(0.0, statistics.median(costs))}


def discovery(b):
    """A third server put into etcd, until it answers; one more put among a thousand, in CPU."""
    etcd = Etcd(b)
    trials = 5 if b.quick else 15
    port, many = b.ports(3), b.ports(1100, HOST)
    few = b.canned(port, 3, more=["-I"])
    for _ in range(b.repeats):
        for contender in contenders_of(b):
            b.take("discovery/put", contender, lambda: appear(b, etcd, contender, port, trials), [etcd.process, few])
            for i in range(3):
                etcd.remove(i)
    b.stop(few)
    servers = b.canned(many, 1100, host=HOST)
    for contender in contenders_of(b):
        b.take("discovery/update", contender, lambda: update_cost(b, etcd, contender, many, trials), [etcd.process, servers])
    b.stop(servers, etcd.process)


def come_back(b, etcd, contender, port):
    """Seconds from a killed server's return into the registry, three seconds later, to its first reply."""
    servers = [b.canned(port + i, more=["-c", str(200 + i)]) for i in range(3)]
    for i in range(3):
        etcd.put(i, "127.0.0.1", port + i)
    seen = Seen(b, contender, etcd, 1000)
    seen.wait_all(range(200, 203))
    b.stop(servers[1], signum=signal.SIGKILL)
    time.sleep(3)
    seen.forget()
    servers[1] = b.canned(port + 1, more=["-c", "201"])
    told = etcd.put(1, "127.0.0.1", port + 1)
    back = seen.wait(201) - told
    b.stop(seen.process, *servers)
    for i in range(3):
        etcd.remove(i)
    return {"traffic_again_s": max(0.0, back)}


def restart(b):
    """A server is killed, and is in etcd again three seconds later: when does it have traffic?"""
    etcd = Etcd(b)
    port = b.ports(3)
    for _ in range(b.repeats):
        for contender in contenders_of(b):
            b.take("restart", contender, lambda: come_back(b, etcd, contender, port), [etcd.process])
    b.stop(etcd.process)


# --- One of ten servers is ten times slower ---

LATENCY_US = 40  # one way, about half of what bare TCP needs for both
CALM_RATE = 300
SITUATIONS = {"A": (["-s", "1000", "-x", "%d:10000" % SLOW, "-k", "0"], 3000), "B": (["-s", "1000", "-x", "%d:10000" % SLOW, "-k", "1"], 5460)}
POLICIES = {
    "adaptive": "{}", "least_request": "{}", "round_robin": "{}",
    "weighted_round_robin": '{"blackoutPeriod":"0.2s","weightUpdatePeriod":"0.1s"}',
}


def ask_rota(b, policy, port, rate, seconds):
    descriptors = b.path("hello.pb")
    config = '{"loadBalancingConfig":[{"%s":%s}]}' % (policy, POLICIES[policy])
    command = [b.ours("rota"), "bench", targets(port, 10), "proto.HelloService/Say", "-d", '{"name":"world"}', "--rate", str(rate), "--duration",
               str(seconds), "--warm-up", "2", "--service-config", config, "--descriptors", descriptors, "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise Missing(done.stderr[-300:])
    got = json.loads(done.stdout)
    return dict(got["latency_us"], p999=got["latency_us"]["p99.9"], failed=got["calls"] - got["replies"], unfinished=got["unfinished"])


def ask_go(b, policy, port, rate, seconds):
    program = "go_recent" if policy in POLICIES else "go_cli"
    return b.run([b.peer(program), "-mode", "open", "-policy", policy, "-config", POLICIES.get(policy, "{}"), "-base", str(port), "-n", "10", "-rate",
                  str(rate), "-warm", "2", "-dur", str(seconds), "-timeout", "20"])


def measure_tail(b, ask, policy, situation):
    arguments, rate = SITUATIONS[situation]
    port = b.ports(10)
    server = b.canned(port, 10, more=arguments + ["-O"])
    got = ask(b, policy, port, rate, 3 if b.quick else 8)
    log = server.log
    b.stop(server)
    served = [int(word) for word in re.search(r"served=([0-9,]+)", machine.read(log)).group(1).split(",")]
    kept = {key: got[key] / 1e3 for key in ("p50", "p99", "p999")}
    kept.update(failed=got.get("failed", 0), slow_share=100 * served[SLOW] / max(1, sum(served)))
    return {"%s_ms" % key if key.startswith("p") else key: value for key, value in kept.items()}


def simulate_tail(b, policy, situation):
    """What the simulator foretells: from the situation, and from how long calls take here when all is well and quiet."""
    port = b.ports(10)
    server = b.canned(port, 10, more=["-s", "1000"])
    calm = ask_rota(b, "round_robin", port, CALM_RATE, 3)
    b.stop(server)
    with open(os.path.join(os.path.dirname(__file__), "../../sim/scenarios/tail-%s.scenario" % situation.lower()), encoding="utf-8") as file:
        scenario = file.read()
    times = " ".join("%s%% %.0fus" % (share, calm["p" + share] - 2 * LATENCY_US) for share in ("50", "90", "99", "99.9"))
    scenario, n = re.subn("(?m)^service .*", "service quantiles " + times, re.sub("(?m)^latency .*", "latency %dus" % LATENCY_US, scenario))
    assert n == 1, scenario
    done = subprocess.run([b.ours("rota"), "sim", "-", "--policies", policy, "--json"], input=scenario, capture_output=True, text=True, timeout=120,
                          check=False)
    if done.returncode != 0:
        raise Missing(done.stderr[-300:])
    got = json.loads(done.stdout)["results"][0]
    latency = got["latency_ms"]
    return {"p50_ms": latency["p50"], "p99_ms": latency["p99"], "p999_ms": latency["p99.9"], "failed": got["calls"] - got["ok"] - got["unfinished"],
            "slow_share": 100 * got["bad_share"]}


def go_policies(b):
    """Debian's grpc-go has neither least_request nor weighted_round_robin; the former is written in peers/go/cli by its specification."""
    if b.quick:
        return ("least_request_4",)
    if b.has("go_recent"):
        return ("round_robin", "least_request_4", "weighted_round_robin")
    b.skip("tail, go's weighted_round_robin", "it takes a grpc-go since 1.54, which PEERS_GOPATH would name (bench/peers/build)")
    return ("round_robin", "least_request_4")


def tail(b):
    """Open loop, Poisson; A: sleeping servers without limit; B: one slot each, at 60 % of what they can do."""
    subprocess.run(["protoc", "-I", os.path.join(os.path.dirname(__file__), "../../examples/hello"), "--descriptor_set_out=" + b.path("hello.pb"),
                    "--include_imports", "hello.proto"], check=True)
    tries, b.tries = b.tries, min(2, b.tries)
    for _ in range(b.repeats):
        for situation in SITUATIONS:
            for policy in ("adaptive", "least_request", "weighted_round_robin") if not b.quick else ("adaptive",):
                b.take("tail/" + situation, "rota " + policy, lambda: measure_tail(b, ask_rota, policy, situation))
            for policy in go_policies(b):
                b.take("tail/" + situation, "go " + policy, lambda: measure_tail(b, ask_go, policy, situation))
            b.take("tail/" + situation, "simulator adaptive", lambda: simulate_tail(b, "adaptive", situation))
    b.tries = tries
