"""The harness tried on itself: processes, the proxy, a private etcd, and results that can fail."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import harness
from harness_process import Process

TALKER = """
import sys, time
print("first 1", flush=True)
print("second 2", file=sys.stderr, flush=True)
time.sleep(60)
"""


@contextlib.contextmanager
def raises(kind, says=""):
    """A block that must raise."""
    try:
        yield
    except kind as error:
        assert says in str(error), error
    else:
        raise AssertionError("no %s" % kind.__name__)


def processes(h):
    with h.check("a line of either stream is waited for, and what it holds is given"):
        child = h.spawn([sys.executable, "-c", TALKER], ready=r"first")
        assert child.wait_line(r"second (\d)").group(1) == "2"
    with h.check("a wait is bounded"):
        with raises(harness.Timeout, "third"):
            child.wait_line("third", timeout_s=0.05)
        with raises(harness.Timeout, "still runs"):
            child.wait(0.05)
    with h.check("kill ends a child that is frozen"):
        child.freeze()
        assert child.kill() == -signal.SIGKILL
    with h.check("waiting for a line of a child that has ended says so at once"):
        start_s = time.monotonic()
        with raises(harness.Timeout, "ended (code -9)"):
            child.wait_line("third", timeout_s=60)
        assert harness.since(start_s) < 30
    with h.check("an exit code is given"):
        assert h.run(["sh", "-c", "exit 3"]).code == 3
    with h.check("one that has ended keeps its number until end, so that no signal goes astray"):
        child = h.run(["sh", "-c", "sleep 60 & echo $!"])
        grandchild = int(child.lines[0])
        os.kill(child.pid, 0)
        assert alive(grandchild)
        child.end(grace_s=1)
        harness.until("end of the grandchild", lambda: not alive(grandchild))
        with raises(ProcessLookupError):
            os.kill(child.pid, 0)
        child.signal(signal.SIGKILL)
    with h.check("a child dies with its test, even when that is killed"):
        script = "import harness_process as p; c = p.Process(['sleep', '60']); print(c.pid, flush=True); c.wait(60)"
        test = h.spawn([sys.executable, "-c", script], cwd=harness.TESTS_DIR)
        grandchild = int(test.wait_line(r"^(\d+)$").group(1))
        test.kill()
        harness.until("end of the grandchild", lambda: not alive(grandchild))


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class EchoServer:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addr = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.got, self.clients = b"", []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            self.clients.append(client)
            threading.Thread(target=self._echo, args=(client,), daemon=True).start()

    def _echo(self, client):
        try:
            while data := client.recv(4096):
                self.got += data
                client.sendall(data)
        except OSError:
            pass
        client.close()


def dial(proxy):
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=2)
    client.settimeout(2)
    return client


def ask(client, text):
    client.sendall(text)
    return client.recv(100)


def ends(client):
    """Whether the connection is over, by reset or by end."""
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def silent(client):
    """Whether nothing comes for a moment."""
    client.settimeout(0.1)
    try:
        client.recv(100)
    except socket.timeout:
        return True
    finally:
        client.settimeout(2)
    return False


def refused(proxy):
    try:
        dial(proxy).close()
    except ConnectionRefusedError:
        return True
    return False


def proxy(h):
    server = EchoServer()
    px = h.proxy(server.addr)
    client = dial(px)
    with h.check("an open proxy passes bytes"):
        assert ask(client, b"one") == b"one" and px.accepted == 1
    with h.check("a frozen proxy is silent and delivers once healed"):
        px.freeze()
        client.sendall(b"two")
        assert silent(client) and b"two" not in server.got
        px.heal()
        assert client.recv(100) == b"two"
    with h.check("frozen one way, the other passes"):
        px.freeze("down")
        client.sendall(b"three")
        harness.until("what passes up", lambda: b"three" in server.got)
        assert silent(client)
        px.heal()
        assert client.recv(100) == b"three"
        px.freeze("up")
        client.sendall(b"held")
        server.clients[0].sendall(b"said")
        assert client.recv(100) == b"said" and silent(client) and b"held" not in server.got
        late = dial(px)  # taken, but served only after heal
        late.sendall(b"late")
        assert silent(late) and len(server.clients) == 1
        px.heal()
        assert client.recv(100) == b"held" and late.recv(100) == b"late"
    with h.check("a cut proxy resets what is there and refuses the rest"):
        px.cut()
        assert ends(client) and ends(late) and refused(px)
    with h.check("a healed proxy takes connections on the same port"):
        px.heal()
        assert ask(dial(px), b"four") == b"four"
    with h.check("cut and heal while frozen"):
        client = dial(px)
        assert ask(client, b"five") == b"five"
        px.freeze()
        client.sendall(b"cut off")
        px.cut()
        assert ends(client)
        px.heal()
        assert ask(dial(px), b"six") == b"six" and b"cut off" not in server.got
    with h.check("stalled, a connection is silent while a new one passes"):
        client = dial(px)
        assert ask(client, b"still") == b"still"
        px.stall()
        client.sendall(b"lost")
        assert ask(dial(px), b"fresh") == b"fresh"
        assert silent(client) and b"lost" not in server.got
    with h.check("reset leaves the door open"):
        client = dial(px)
        assert ask(client, b"seven") == b"seven"
        px.reset()
        assert ends(client) and ask(dial(px), b"eight") == b"eight"


def results(h):
    with h.check("a test that fails says so, shows its children and exits 1"):
        script = ("import harness\ndef test(h):\n  h.run(['echo', 'clue'])\n"
                  "  with h.check('wrong'):\n    assert False, 'because'\n  h.ok('right')\nharness.main(test)")
        run = subprocess.run([sys.executable, "-c", script], cwd=harness.TESTS_DIR, text=True, check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert run.returncode == 1 and "clue" in run.stderr
        assert run.stdout.splitlines()[0].startswith("FAIL wrong: because")
        assert run.stdout.splitlines()[-1] == "1 passed, 1 failed"
    with h.check("a test without its tools is skipped"):
        script = "import harness\nharness.main(lambda h: h.tool('no-such-tool', 'none'))"
        run = subprocess.run([sys.executable, "-c", script], cwd=harness.TESTS_DIR, check=False,
                             stdout=subprocess.DEVNULL)
        assert run.returncode == harness.SKIPPED
    with h.check("a test that checks nothing fails"):
        run = subprocess.run([sys.executable, "-c", "import harness\nharness.main(lambda h: None)"],
                             cwd=harness.TESTS_DIR, check=False, stdout=subprocess.DEVNULL)
        assert run.returncode == 1
    with h.check("output is read whole after the end"):
        child = Process(["seq", "10000"])
        child.wait()
        assert len(child.lines) == 10000


# Programs "of ours": (what is wrong with them, their text, what the test does, what the failure says or None).
OURS = [
    ("nothing", "trap 'exit 0' TERM; echo on; while :; do sleep 0.01; done", "", None),
    ("it catches no SIGTERM", "echo on; exec sleep 60", "", None),
    ("the test killed it", "echo on; exec sleep 60", "child.kill()", None),
    ("it ended by itself, with a code for the test to look at", "echo on; exit 3", "child.wait()", None),
    ("the test expects that code", "trap 'exit 3' TERM; echo on; while :; do sleep 0.01; done", "child.may_end_with = (3,)", None),
    ("it finds a leak at its end", "trap 'echo ERROR: LeakSanitizer: 1; exit 23' TERM; echo on; while :; do sleep 0.01; done", "", "LeakSanitizer"),
    ("it finds a leak and the test looks away", "trap 'exit 23' TERM; echo on; while :; do sleep 0.01; done", "child.terminate()", "code 23"),
    ("it ends wrongly", "trap 'exit 1' TERM; echo on; while :; do sleep 0.01; done", "", "code 1"),
    ("it crashes by itself", "echo on; kill -SEGV $$", "child.wait()", "signal 11"),
    ("it crashes at its end", "trap 'kill -ABRT $$' TERM; echo on; while :; do sleep 0.01; done", "", "signal 6"),
    ("it complains and goes on until it is killed", "echo x.c:1:2: runtime error: overflow; echo on; exec sleep 60", "child.kill()", "runtime error"),
    ("it does not end", "trap '' TERM; echo on; while :; do sleep 0.01; done", "", "went on after SIGTERM"),
]


def ends_of_ours(h):
    build = os.path.join(h.dir, "build")
    os.mkdir(build)
    for wrong, text, act, says in OURS:
        program = os.path.join(build, "program")
        with open(program, "w", encoding="ascii") as file:
            file.write("#!/bin/bash\n" + text + "\n")
        os.chmod(program, 0o755)
        script = ("import harness\nharness.OUR_GRACE_S = 1\ndef test(h):\n  child = h.spawn(['env', h.program('program')], ready='on')\n"
                  "  %s\n  h.ok('right')\nharness.main(test)" % (act or "pass"))
        run = subprocess.run([sys.executable, "-c", script], cwd=harness.TESTS_DIR, text=True, check=False, env=dict(os.environ, ROTA_BUILD_DIR=build),
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with h.check("a program of ours and its end: %s" % wrong):
            assert run.returncode == (1 if says else 0), run.stdout
            assert not says or "FAIL the end of env: " in run.stdout and says in run.stdout, run.stdout
    with h.check("a program of ours that is not built is a failure"):
        run = subprocess.run([sys.executable, "-c", "import harness\nharness.main(lambda h: h.program('none'))"], cwd=harness.TESTS_DIR,
                             check=False, stdout=subprocess.DEVNULL)
        assert run.returncode == 1


def etcd(h):
    server = h.etcd()
    with h.check("a private etcd answers"):
        server.ctl("put", "/a/1", "one")
        assert server.keys("/a/") == ["/a/1"] and server.revision() == 2
    with h.check("killed and started again it has its data, on the same port"):
        server.restart()
        assert server.wait_keys("/a/", 1) == ["/a/1"]
    with h.check("restarted empty it has none"):
        server.restart(empty=True)
        assert server.wait_keys("/a/", 0) == []
    with h.check("a new cluster has another id"):
        before = server.cluster_id()
        server.restart(empty=True)
        assert server.cluster_id() == before
        server.restart(new_cluster=True)
        assert server.cluster_id() != before
    with h.check("frozen it does not answer, thawed it does"):
        server.freeze()
        with raises(subprocess.TimeoutExpired):
            server.ctl("get", "/a/1", timeout_s=0.3)
        server.thaw()
        server.wait_keys("/a/", 0)


def test(h):
    processes(h)
    proxy(h)
    results(h)
    ends_of_ours(h)
    etcd(h)


harness.main(test)
