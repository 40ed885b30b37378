"""The harness tried on itself: processes, the proxy, a private etcd, and results that can fail."""

import signal
import socket
import subprocess
import sys
import threading

import harness
from harness_process import Process

TALKER = """
import sys, time
print("first 1", flush=True)
print("second 2", file=sys.stderr, flush=True)
time.sleep(60)
"""


def processes(h):
    with h.check("a line of either stream is waited for, and what it holds is given"):
        child = h.spawn([sys.executable, "-c", TALKER], ready=r"first")
        assert child.wait_line(r"second (\d)").group(1) == "2"
    with h.check("a wait is bounded"):
        try:
            child.wait_line("third", timeout_s=0.05)
        except harness.Timeout as error:
            assert "third" in str(error)
        else:
            raise AssertionError("it waited for nothing")
    with h.check("kill ends a child that is frozen"):
        child.freeze()
        assert child.kill() == -signal.SIGKILL
    with h.check("waiting for a line of a child that has ended says so at once"):
        try:
            child.wait_line("third", timeout_s=60)
        except harness.Timeout as error:
            assert "ended (code -9)" in str(error)
    with h.check("an exit code is given"):
        assert h.run(["sh", "-c", "exit 3"]).code == 3
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
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._echo, args=(client,), daemon=True).start()

    @staticmethod
    def _echo(client):
        try:
            while data := client.recv(4096):
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


def refused(proxy):
    try:
        dial(proxy).close()
    except ConnectionRefusedError:
        return True
    return False


def proxy(h):
    px = h.proxy(EchoServer().addr)
    client = dial(px)
    with h.check("an open proxy passes bytes"):
        assert ask(client, b"one") == b"one" and px.accepted == 1
    with h.check("a frozen proxy is silent and delivers once healed"):
        px.freeze()
        client.sendall(b"two")
        client.settimeout(0.1)
        try:
            got = client.recv(100)
        except socket.timeout:
            got = None
        assert got is None
        client.settimeout(2)
        px.heal()
        assert client.recv(100) == b"two"
    with h.check("frozen one way, the other passes"):
        px.freeze("up")
        late = dial(px)  # taken, but served only after heal
        late.sendall(b"three")
        px.heal()
        assert late.recv(100) == b"three"
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
        client.sendall(b"lost")
        px.cut()
        assert ends(client)
        px.heal()
        assert ask(dial(px), b"six") == b"six"
    with h.check("stalled, a connection is silent while a new one passes"):
        client = dial(px)
        assert ask(client, b"still") == b"still"
        px.stall()
        client.sendall(b"lost")
        assert ask(dial(px), b"fresh") == b"fresh"
        client.settimeout(0.1)
        try:
            got = client.recv(100)
        except socket.timeout:
            got = None
        assert got is None
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
        try:
            server.ctl("get", "/a/1", timeout_s=0.3)
        except subprocess.TimeoutExpired:
            server.thaw()
        server.wait_keys("/a/", 0)


def test(h):
    processes(h)
    proxy(h)
    results(h)
    etcd(h)


harness.main(test)
