"""Rows of unary calls: clients against the fixed server, servers under h2load, two loops, TLS."""

import os
import re
import subprocess

from driver import machine
from driver.bench import Missing

CLIENT_CORE, SERVER_CORE = 0, 1
ONE_CORE = {"GOMAXPROCS": "1"}
REQUEST = b"\0\0\0\0\x07\x0a\x05world"
REPLY = b"\0\0\0\0\x10\x08\xc8\x01\x12\x0bhello world"


def targets(first, count=3, host="127.0.0.1"):
    return "ipv4:" + ",".join("%s:%d" % (host, first + i) for i in range(count))


def load(b, c, port):
    """Our client's, Go's and C++'s ways to say: so many outstanding, so long, three servers from a port on."""
    times = ["-c", str(c), "-dur", str(b.seconds), "-warm", str(b.warm)]
    return {
        "rota": ([b.ours("client"), "-target", targets(port)] + times, None),
        "go": ([os.path.join(b.peers, "go_cli"), "-base", str(port)] + times, ONE_CORE),
        "cpp": ([os.path.join(b.peers, "cpp_cli"), "-base", str(port)] + times, None),
        "js": (["node", os.path.join(b.peers, "js/cli.js"), str(c), str(b.warm), str(b.seconds), str(port), "3"], {"HELLO_PROTO": b.path("peers/js/hello.proto")}),
        "bare": ([os.path.join(b.peers, "bare_h2"), str(c), str(b.seconds), str(port)], None),
    }


def measure_client(b, command, env, servers, key="rps"):
    before = sum(machine.cpu_s(server.pid) for server in servers)
    got = b.run(command, CLIENT_CORE, env)
    got["server_us"] = (sum(machine.cpu_s(server.pid) for server in servers) - before) / got["wall_s"] / got[key] * 1e6
    return got


def client(b):
    """Closed loop, pinned to a core; three canned servers on the other."""
    port, raw_port = b.ports(3), b.ports(1)
    servers = [b.canned(port + i, core=SERVER_CORE) for i in range(3)]
    raw = b.start([b.peer("pingpong"), "server", str(raw_port)], SERVER_CORE)
    for _ in range(b.repeats):
        for c in (64, 512) if b.quick else (1, 64, 512):
            contenders = dict(load(b, c, port), raw=([b.peer("pingpong"), "client", str(raw_port), str(c), str(b.seconds)], None))
            for name, (command, env) in contenders.items():
                if name == "js" and not b.has("js.stamp"):
                    b.skip("client, js", "grpc-js was not built on this machine")
                    continue
                b.take("client/%d" % c, name, lambda command=command, env=env: measure_client(b, command, env, servers + [raw]), servers + [raw])
    b.stop(raw, *servers)


def blocking(b):
    """One call at a time, by the blocking calls, from one core to the other."""
    port, raw_port = b.ports(3), b.ports(1)
    servers = [b.canned(port + i, core=SERVER_CORE) for i in range(3)]
    servers.append(b.start([b.peer("pingpong"), "server", str(raw_port)], SERVER_CORE))
    times = ["-dur", str(b.seconds), "-warm", str(b.warm)]
    contenders = {
        "rota": [b.ours("client"), "-blocking", "-target", targets(port)] + times,
        "rota, own thread": [b.ours("client"), "-thread", "-target", targets(port)] + times,
        "raw": [b.peer("pingpong"), "client", str(raw_port), "1", str(b.seconds)],
        "go": [os.path.join(b.peers, "go_cli"), "-c", "1", "-base", str(port)] + times,
        "cpp": [os.path.join(b.peers, "cpp_cli"), "-c", "1", "-base", str(port)] + times,
    }
    for _ in range(b.repeats):
        for name, command in contenders.items():
            b.take("blocking", name, lambda command=command: b.run(command, CLIENT_CORE, ONE_CORE), servers)
    b.stop(*servers)


def h2load(b, url, connections, streams, body, seconds):
    command = ["h2load", "-c", str(connections), "-m", str(streams), "-t", "1", "--warm-up-time=1", "-D", "%dms" % (seconds * 1000)]
    if body:
        command += ["-H", "content-type: application/grpc", "-H", "te: trailers", "-d", b.path("request")]
    try:
        return subprocess.run(b.pinned(command + [url], CLIENT_CORE), capture_output=True, text=True, check=False, timeout=60).stdout
    except FileNotFoundError as missing:
        raise Missing("no h2load (package nghttp2-client)") from missing


def measure_server(b, process, url, connections, streams, body):
    seconds = max(2, b.seconds)
    before = machine.cpu_s(process.pid)
    text = h2load(b, url, connections, streams, body, seconds)
    used = machine.cpu_s(process.pid) - before
    rate = re.search(r"finished in [^,]+, ([0-9.]+) req/s", text)
    failed = re.search(r"(\d+) failed, (\d+) errored", text)
    if rate is None or float(rate.group(1)) == 0 or failed.groups() != ("0", "0"):
        raise Missing("h2load got no answers: %s" % text[-200:])
    # The warm-up second costs the server as much as one that counts.
    return {"rps": float(rate.group(1)), "cpu_us": used * seconds / (seconds + 1) / (float(rate.group(1)) * seconds) * 1e6,
            "hwm_kb": machine.status_kb(process.pid, "VmHWM"), "rss_kb": machine.status_kb(process.pid, "VmRSS")}


def servers_of(b, port, tls=()):
    address = "127.0.0.1:%d" % port
    return {
        "rota": ([b.ours("server"), "-addr", address] + list(tls), None, "READY"),
        "go": ([os.path.join(b.peers, "go_srv"), "-addr", address] + list(tls), ONE_CORE, "READY"),
        "cpp": ([os.path.join(b.peers, "cpp_srv"), "-addr", address], None, "READY"),
        "js": (["node", os.path.join(b.peers, "js/srv.js"), address], {"HELLO_PROTO": b.path("peers/js/hello.proto")}, "READY"),
        "canned": ([b.peer("canned"), "-p", str(port)], None, "READY"),
        "nghttpd": (["nghttpd", "--no-tls", "-d", b.path("www"), str(port), "-a", "127.0.0.1"], None, ""),
    }


def wait_port(b, port):
    for _ in range(300):
        if not b.is_free("127.0.0.1", port):
            return
        subprocess.run(["sleep", "0.01"], check=True)


def server(b):
    """Servers pinned to a core, h2load on the other: 1 and 10 connections of 100 streams."""
    os.makedirs(b.path("www"), exist_ok=True)
    for name, content in (("request", REQUEST), ("www/static", REPLY)):
        with open(b.path(name), "wb") as file:
            file.write(content)
    for _ in range(b.repeats):
        for name in ("rota", "go", "cpp", "js", "canned", "nghttpd"):
            port = b.ports(1)
            command, env, ready = servers_of(b, port)[name]
            try:
                process = b.start(command, SERVER_CORE, ready, env)
            except (Missing, OSError) as missing:
                b.skip("server, %s" % name, missing)
                continue
            wait_port(b, port)
            url = "http://127.0.0.1:%d/%s" % (port, "static" if name == "nghttpd" else "proto.HelloService/Say")
            for connections in (1, 10):
                b.take("server/%dx100" % connections, name,
                       lambda: measure_server(b, process, url, connections, 100, name != "nghttpd"), [process])
            b.stop(process)


def loops(b):
    """A loop and its three servers on one core; then the same again on the other core at the same time."""
    for _ in range(b.repeats):
        for count in (1, 2):
            port = b.ports(3 * count)
            servers = [b.canned(port + i, core=i // 3) for i in range(3 * count)]
            command = [b.ours("client"), "-loops", str(count), "-dur", str(b.seconds), "-warm", str(b.warm)]
            for loop in range(count):
                command += ["-target", targets(port + 3 * loop)]
            b.take("loops/%d" % count, "rota", lambda: b.run(command, CLIENT_CORE if count == 1 else None), servers)
            b.stop(*servers)


def certificates(b):
    """A certificate for localhost that is its own issuer."""
    cert, key = b.path("cert.pem"), b.path("key.pem")
    try:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as missing:
        raise Missing("no openssl command (package openssl)") from missing
    return cert, key


def tls(b):
    """64 outstanding over TLS 1.3: clients against three of our servers, servers under h2load."""
    cert, key = certificates(b)
    with open(b.path("request"), "wb") as file:
        file.write(REQUEST)
    port = b.ports(3)
    files = ["-cert", cert, "-key", key]
    servers = [b.start([b.ours("server"), "-addr", "127.0.0.1:%d" % (port + i)] + files, SERVER_CORE) for i in range(3)]
    for _ in range(b.repeats):
        for name in ("rota", "go"):
            command, env = load(b, 64, port)[name]
            b.take("tls/client", name, lambda: measure_client(b, command + ["-ca", cert], env, servers), servers)
    b.stop(*servers)
    for _ in range(b.repeats):
        for name in ("rota", "go"):
            port = b.ports(1)
            command, env, ready = servers_of(b, port, files)[name]
            try:
                process = b.start(command, SERVER_CORE, ready, env)
            except (Missing, OSError) as missing:
                b.skip("tls server, %s" % name, missing)
                continue
            url = "https://127.0.0.1:%d/proto.HelloService/Say" % port
            b.take("tls/server", name, lambda: measure_server(b, process, url, 1, 64, True), [process])
            b.stop(process)
