"""The demo's programs under valgrind, their memory after many calls, their size.

    leak_test.py etcd|rota
"""

import os
import re
import subprocess
import sys

import fleet
import harness

MEMCHECK = ["--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect",
            "--error-exitcode=99"]
GROWTH_KB = 256  # of the resident memory; a leak of 26 bytes a call would show


class Checked:
    """Starts programs under valgrind and looks at their ends."""

    def __init__(self, h):
        self.h, self.valgrind = h, h.tool("valgrind", "valgrind")

    def spawn(self, program, *arguments, ready=None):
        return self.h.spawn([self.valgrind, *MEMCHECK, self.h.program(program), *arguments], ready, timeout_s=30,
                            name="valgrind " + program)

    def check_end(self, name, process, code=0, timeout_s=60):
        with self.h.check("valgrind has nothing to say about " + name):
            assert process.wait(timeout_s) == code, "code %s" % process.code
            said = [line for line in process.lines if re.match(r"==\d+==", line)]
            assert not said, said[:3]


def demo(h, kind):
    """Three servers, a client; one server killed with calls in flight, the registry lost, all ended."""
    checked = Checked(h)
    if kind == "rota":
        registry = checked.spawn("tools/rota/rota", "registry", "--listen", "127.0.0.1:0")
        addr = registry.wait_line(r"registry listening on (\S+)$", 30).group(1)
    else:
        registry = h.etcd()
        addr = registry.addr
    servers = [checked.spawn("examples/hello/server", "--port=127.0.0.1:0", "--registry=" + addr) for _ in range(3)]
    for server in servers:
        server.addr = fleet.registered(server, timeout_s=30).group(1)
    checked.check_end("the client", checked.spawn("examples/hello/client", "--registry=" + addr, "--count=100"))
    checked.check_end("rota endpoints", checked.spawn("tools/rota/rota", "endpoints", "--json", "etcd://%s/grpclb_test1" % addr))
    watch = checked.spawn("tools/rota/rota", "watch", "etcd://%s/grpclb_test1" % addr, ready=re.escape(servers[0].addr))
    load = checked.spawn("tests/load_client", "etcd://%s/grpclb_test1" % addr, "--rate=200", ready="^call 100 ")
    servers[0].terminate(30)
    checked.check_end("a server that drains under load", servers[0])
    servers[1].freeze()
    load.wait_line("^call", 30, after=load.mark(), count=100)
    servers[1].kill()
    load.wait_line("UNAVAILABLE", 30)
    watch.terminate(30)
    checked.check_end("rota watch", watch)
    registry.process.kill() if kind == "etcd" else registry.terminate(30)
    if kind == "rota":
        checked.check_end("the registry", registry)
    load.wait_line("^call", 30, after=load.mark(), count=400)
    load.terminate(30)
    checked.check_end("a load whose servers and registry went", load)
    servers[2].wait_line("trying again", 30)
    servers[2].terminate(30)
    checked.check_end("a server that has lost its registry", servers[2])


def mistakes(h):
    checked = Checked(h)
    nobody = "127.0.0.1:%d" % harness.refusing_port()
    wrong = [("examples/hello/client", ["--registry=" + nobody], 1), ("examples/hello/client", ["--registry=etcd://a:b"], 1),
             ("examples/hello/client", ["--registry=" + nobody, "--policy=no_such"], 1),
             ("examples/hello/server", ["--registry=none", "--port=:99999"], 1), ("tools/rota/rota", ["endpoints", "ftp://x"], 1),
             ("tools/rota/rota", ["endpoints", "etcd://%s/x" % nobody], 1)]
    running = [(program, arguments, code, checked.spawn(program, *arguments)) for program, arguments, code in wrong]
    for program, arguments, code, process in running:
        checked.check_end(" ".join([os.path.basename(program)] + arguments), process, code)


def resident_kb(process):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))


def many_calls(h, kind):
    """Ten thousand calls to warm up, ten thousand more."""
    registry = h.any_registry(kind)
    server = fleet.our_server(h, registry.addr)
    client = fleet.our_client(h, registry.addr, "--count=1000000")
    sizes = []
    for calls in (10000, 20000):
        client.wait_line(r"code:200 value:\"hello grpc%d\"" % calls, 60)
        sizes.append([resident_kb(process) for process in (client, server)])
    for i, name in enumerate(("client", "server")):
        with h.check("ten thousand calls leave the memory of the %s where it was" % name):
            print("# %d kB, then %d kB" % (sizes[0][i], sizes[1][i]))
            assert sizes[1][i] - sizes[0][i] <= GROWTH_KB, (sizes[0][i], sizes[1][i])


def size(h):
    stripped = os.path.join(h.dir, "client")
    subprocess.run([h.tool("strip", "binutils"), "-o", stripped, h.program("examples/hello/client")], check=True)
    with h.check("the stripped client is smaller than 1 MB"):
        print("# %d bytes" % os.path.getsize(stripped))
        assert os.path.getsize(stripped) < 1000000


def test(h):
    kind = sys.argv[1]
    size(h)
    many_calls(h, kind)
    demo(h, kind)
    mistakes(h)


harness.main(test)
