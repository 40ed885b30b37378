"""Rows of size: channels of a thousand and ten thousand endpoints, whole processes, long messages."""

import os
import resource
import shutil
import subprocess

from driver import machine
from driver.bench import Missing
from driver.rows_calls import CLIENT_CORE, SERVER_CORE, ONE_CORE, targets, wait_port

HOST = "127.0.7.7"
LISTENERS_EACH = 2500  # of a canned process, so that open files suffice
MIB = 1 << 20


def more_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def measure_endpoints(b, contender, port, count):
    where = ["-host", HOST, "-base", str(port), "-n", str(count)]
    times = ["-c", "64", "-dur", str(b.seconds), "-warm", str(b.warm)]
    if contender == "rota":
        got = b.run([b.ours("scale")] + where, timeout_s=200)
        if count > LISTENERS_EACH:  # more addresses than a command line has room for
            return got
        calls = b.run([b.ours("client"), "-target", targets(port, count, HOST)] + times)
        got.update({key: calls[key] for key in ("rps", "cpu_us", "p50", "p99", "p999", "failed")})
        return got
    return b.run([b.peer("%s_cli" % contender), "-mode", "scale"] + where + times, timeout_s=200)


def endpoints(b, count, contenders, repeats):
    if more_files() < count * 2 and count > LISTENERS_EACH:
        raise Missing("%d open files are too few for %d endpoints" % (more_files(), count))
    for _ in range(repeats):
        for contender in contenders:
            port = b.ports(count, HOST)
            servers = [b.canned(port + first, min(LISTENERS_EACH, count - first), host=HOST) for first in range(0, count, LISTENERS_EACH)]
            b.take("endpoints/%d" % count, contender, lambda: measure_endpoints(b, contender, port, count), servers)
            b.stop(*servers)


def scale(b):
    """1,000 endpoints, round_robin: until it is quiet, then idle, then calls, 64 outstanding."""
    endpoints(b, 1000, ("rota", "go") if b.quick else ("rota", "go", "cpp"), b.repeats)


def scale10k(b):
    """10,000 endpoints. The peers need minutes of it, so that they run once."""
    tries, b.tries = b.tries, 1
    endpoints(b, 10000, ("rota",), b.repeats)
    if not b.quick:
        endpoints(b, 10000, ("go",), 1)
    b.tries = tries


def stripped(b, program):
    """KiB of the program without symbols, and MiB of the shared libraries that it loads."""
    copy = b.path("stripped")
    shutil.copy(program, copy)
    subprocess.run(["strip", copy], check=False, capture_output=True)
    paths = [word for word in machine.output(["ldd", copy]).split() if word.startswith("/")]
    return {"stripped_kb": os.path.getsize(copy) / 1024, "libraries_mb": sum(os.path.getsize(os.path.realpath(path)) for path in paths) / MIB}


def footprint(b):
    """A process from its start over one reply to its end."""
    port = b.ports(1)
    server = b.canned(port)
    address = "127.0.0.1:%d" % port
    contenders = {"rota": [b.ours("one"), address], "true": ["/bin/true"]}
    for peer in ("go", "cpp"):
        if b.has(peer + "_min"):
            contenders[peer] = [b.peer(peer + "_min"), address]
    for _ in range(5 if b.quick else 21):
        for name, command in contenders.items():
            got = b.run([b.peer("spawn"), "1"] + command)
            if got["rc"] != 0:
                raise Missing("%s failed" % " ".join(command))
            b.results.setdefault("footprint", {}).setdefault(name, []).append(got)
    b.stop(server)
    for name, command in contenders.items():
        if name != "true":
            b.keep("size", name, stripped(b, command[0]))


def measure_bulk(b, command, env, server, way, address):
    count = 200 if b.quick else 1000
    warm = 64  # messages that the programs send first
    before = machine.cpu_s(server.pid)
    got = b.run(command + [way, address, str(count), str(MIB), "0"], CLIENT_CORE, env)
    cpu = got["cpu_s"] + machine.cpu_s(server.pid) - before
    return {"gb_per_cpu_s": (count + warm) * MIB / cpu / 1e9, "client_s": got["cpu_s"], "both_s": cpu}


def bulk(b):
    """Streams of 1 MiB messages, client and server of one kind on a core each: bytes for each second of CPU of both."""
    contenders = {"rota": ([b.ours("bulk")], None)}
    if b.has("go_bulk"):
        contenders["go"] = ([b.peer("go_bulk")], ONE_CORE)
    else:
        b.skip("bulk, go", "go_bulk was not built on this machine")
    for _ in range(b.repeats):
        for name, (command, env) in contenders.items():
            address = "127.0.0.1:%d" % b.ports(1)
            server = b.start(command + ["server", address], SERVER_CORE, ready="", env=env)
            wait_port(b, int(address.split(":")[1]))
            for way in ("up", "down"):
                b.take("bulk/%s" % way, name, lambda: measure_bulk(b, command, env, server, way, address), [server])
            b.stop(server)
