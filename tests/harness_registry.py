"""Registries for the tests: a private etcd and our own, with the same handle.

Members of both: addr (127.0.0.1:PORT, kept over restarts), url (http://addr), target(SERVICE) (the URI for
our programs), process (the one that runs now). start, kill (-9), restart with or without its data, freeze
and thaw (SIGSTOP, SIGCONT), ctl (etcdctl; its output, which must be a success).
"""

import json
import os
import random
import shutil
import socket
import subprocess
import time

from harness_process import Timeout, until


class _Base:
    kind = None

    def __init__(self, harness):
        self._harness = harness
        self.process, self.addr, self._starts = None, None, 0

    @property
    def url(self):
        return "http://" + self.addr

    def target(self, service):
        return "etcd://%s/%s" % (self.addr, service)

    def kill(self):
        self.process.kill()

    def stop(self):
        return self.process.terminate()

    def freeze(self):
        self.process.freeze()

    def thaw(self):
        self.process.thaw()

    def ctl(self, *words, timeout_s=10, code=0):
        """Runs etcdctl; returns what it printed. `code` is the exit code it must have, None for any."""
        tool = self._harness.tool("etcdctl", "etcd-client")
        run = subprocess.run([tool, "--endpoints=" + self.url, *words], timeout=timeout_s, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                             env=dict(os.environ, ETCDCTL_API="3"))
        if code is not None and run.returncode != code:
            raise AssertionError("etcdctl %s: code %s: %s" % (" ".join(words), run.returncode, run.stdout))
        return run.stdout

    def keys(self, prefix="/"):
        """The keys under a prefix, in order."""
        out = self.ctl("get", "--prefix", "--keys-only", prefix)
        return [line for line in out.splitlines() if line]

    def _header(self):
        return json.loads(self.ctl("endpoint", "status", "-w", "json"))[0]["Status"]["header"]

    def revision(self):
        return self._header()["revision"]

    def cluster_id(self):
        return self._header()["cluster_id"]

    def wait_keys(self, prefix, count, timeout_s=10):
        """Waits until so many keys stand under the prefix; returns them."""
        def there():
            self._last = self.keys(prefix)
            return len(self._last) == count
        try:
            until("%d keys under %s" % (count, prefix), there, timeout_s, step_s=0.05)
        except Timeout as error:
            raise Timeout("%s; the last: %s" % (error, getattr(self, "_last", None))) from None
        return self._last


class Etcd(_Base):
    """Debian's etcd-server, one member, on ports and a directory of its own."""

    kind = "etcd"

    def __init__(self, harness, flags=()):
        super().__init__(harness)
        self._flags = list(flags)
        self._data = os.path.join(harness.dir, "etcd-%d" % len(harness.processes))
        self._peer, self._cluster = None, 0

    def start(self, timeout_s=20):
        """Starts it; it takes no port 0, so the first start tries again should a port be snatched away."""
        for _ in range(3):
            if self.addr is None:
                self.addr, self._peer = "127.0.0.1:%d" % free_port(), "127.0.0.1:%d" % free_port()
            process = self._launch()
            try:
                process.wait_line(r"ready to serve client requests", timeout_s)
                self._starts += 1
                return self
            except Timeout:
                if self._starts or process.running() or not process.count("address already in use"):
                    raise
                self.addr = None
        raise Timeout("etcd finds no free port")

    def _launch(self):
        peer = "http://" + self._peer
        self.process = self._harness.spawn([
            "etcd", "--name=e2e", "--data-dir=" + self._data, "--unsafe-no-fsync",
            "--listen-client-urls=" + self.url, "--advertise-client-urls=" + self.url,
            "--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
            "--initial-cluster=e2e=" + peer, "--initial-cluster-token=%s-%d" % (os.path.basename(self._harness.dir), self._cluster),
        ] + self._flags, name="etcd")
        return self.process

    def restart(self, empty=False, down_s=0, new_cluster=False):
        """Kills it if it runs, and starts it again on the same port: with its data, empty (the revision goes
        back), or empty as a new cluster (the cluster's id changes as well)."""
        empty = empty or new_cluster
        self._cluster += new_cluster
        if self.process.running():
            self.process.kill()
        if empty:
            shutil.rmtree(self._data, ignore_errors=True)
        if down_s:
            time.sleep(down_s)  # the outage is what is being tested
        return self.start()


class Registry(_Base):
    """`rota registry`. data=True keeps its keys in a directory; otherwise a restart is an empty one."""

    kind = "rota"

    def __init__(self, harness, data=False, flags=()):
        super().__init__(harness)
        self._flags = list(flags)
        self._data = os.path.join(harness.dir, "registry-%d" % len(harness.processes)) if data else None

    def start(self, timeout_s=10):
        command = [self._harness.program("tools/rota/rota"), "registry", "--listen", self.addr or "127.0.0.1:%d" % free_port()]
        if self._data:
            command += ["--data", self._data]
        self.process = self._harness.spawn(command + self._flags, name="rota registry")
        self.addr = self.process.wait_line(r"registry listening on (\S+)$", timeout_s).group(1)
        return self

    def restart(self, empty=False, down_s=0):
        if self.process.running():
            self.process.kill()
        if empty and self._data:
            shutil.rmtree(self._data, ignore_errors=True)
        if down_s:
            time.sleep(down_s)  # the outage is what is being tested
        return self.start()


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on; only for programs that cannot take port 0.

    From below the range that the system hands out by itself, so that nobody who asks for port 0 gets it meanwhile.
    """
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


_refusing = []


def refusing_port():
    """A port where connections are refused as long as the test runs: it is taken, and nobody listens."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    _refusing.append(taken)
    return taken.getsockname()[1]
