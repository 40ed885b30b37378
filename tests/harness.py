"""What the end-to-end tests share: processes, a private etcd, our registry, a proxy to cut, results.

    import harness
    def test(h):
        etcd = h.etcd()
        server = h.spawn([h.peer("goserver"), "--port=127.0.0.1:0", "--registry=" + etcd.url])
        server.wait_line(r"server starting on (\\S+)")
        with h.check("the server is registered"):
            assert "/grpclb/" in etcd.ctl("get", "--prefix", "/grpclb/")
    harness.main(test)

A test prints `ok NAME` or `FAIL NAME: why` per check and last `N passed, N failed`; it exits 0, 1, or 77
when something it needs is not here. Every wait has a bound and ends with the event it is for. All that was
started ends with the test, whatever its end; what the children printed is shown when a check failed.

Where things are comes from the environment, as ctest sets it: ROTA_BUILD_DIR (our programs),
ROTA_PEERS_DIR (what tests/peers/build made; default: peers in the build directory).
"""

import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback

from harness_process import Process, Timeout, until  # noqa: F401 (part of what a test may use)
from harness_proxy import Proxy
from harness_registry import Etcd, Registry, free_port, refusing_port  # noqa: F401

TESTS_DIR = os.path.dirname(os.path.abspath(__file__))
SOURCE_DIR = os.path.dirname(TESTS_DIR)
PYTHON = "/usr/bin/python3"  # the one with Debian's grpcio
SKIPPED = 77
OUR_GRACE_S = 10  # from SIGTERM to the end of a program of ours, under a sanitizer and on a busy machine too


class Skip(Exception):
    """The test needs something that is not on this machine."""


class Harness:
    def __init__(self):
        self.build_dir = os.environ.get("ROTA_BUILD_DIR", os.path.join(SOURCE_DIR, "build"))
        self.peers_dir = os.environ.get("ROTA_PEERS_DIR", os.path.join(self.build_dir, "peers"))
        self.dir = tempfile.mkdtemp(prefix="rota-e2e-")
        self.processes, self.proxies = [], []
        self.passed = self.failed = 0

    # Programs.

    def program(self, path):
        """One of ours, by its path in the build directory, for instance examples/hello/server; it must be there."""
        path = os.path.join(self.build_dir, path)
        if not os.path.exists(path):
            raise AssertionError(path + " is not built")
        return path

    def peer(self, name):
        """A foreign program that tests/peers/build made."""
        return self._found(os.path.join(self.peers_dir, name), "is not built, see tests/peers/build")

    def peer_py(self, name):
        """The command line of a Python peer; skips where grpcio is missing."""
        if not os.path.exists(PYTHON) or os.system(PYTHON + " -c 'import grpc' 2>/dev/null") != 0:
            raise Skip("no grpcio for " + PYTHON + " (package python3-grpcio)")
        return [PYTHON, "-u", os.path.join(TESTS_DIR, "peers", "py", name)]

    def peer_js(self, name):
        """The command line of a node peer; skips where node or its packages are missing."""
        node = self.tool("node", "nodejs")
        self._found(os.path.join(self.peers_dir, "js.stamp"), "is not there, see tests/peers/build")
        modules = os.path.join(self.peers_dir, "js", "node_modules")
        script = os.path.join(TESTS_DIR, "peers", "js", name)
        return ["env", "NODE_PATH=" + modules, node, script]

    def npm_tool(self, name):
        """The command line of a program that came with the packages of the node peers."""
        self._found(os.path.join(self.peers_dir, "js.stamp"), "is not there, see tests/peers/build")
        return [self.tool("node", "nodejs"), self._found(os.path.join(self.peers_dir, "js", "node_modules", ".bin", name), "is not there")]

    def tool(self, name, package):
        """A program of the machine; skips the test where it is missing."""
        path = shutil.which(name)
        if path is None:
            raise Skip("no %s (package %s)" % (name, package))
        return path

    def _found(self, path, else_why):
        if not os.path.exists(path):
            raise Skip("%s %s" % (path, else_why))
        return path

    # Things that run.

    def spawn(self, command, ready=None, timeout_s=10, name=None, env=None, cwd=None):
        """Starts a program; with `ready` waits for a line that matches it."""
        process = Process([str(word) for word in command], name=name, env=env, cwd=cwd)
        process.ours = any(self._is_ours(str(word)) for word in command)  # behind sh, env or valgrind too
        self.processes.append(process)
        if ready is not None:
            process.wait_line(ready, timeout_s)
        return process

    def run(self, command, timeout_s=30, name=None, env=None, cwd=None):
        """Runs a program to its end; the Process given back has .code, .lines and .text()."""
        process = self.spawn(command, name=name, env=env, cwd=cwd)
        process.wait(timeout_s)
        return process

    def etcd(self, **options):
        """A real etcd of one's own, running; see harness_registry.Etcd."""
        self.tool("etcd", "etcd-server")
        return Etcd(self, **options).start()

    def registry(self, **options):
        """Our embedded registry, running; see harness_registry.Registry."""
        return Registry(self, **options).start()

    def any_registry(self, kind, **options):
        """The one called `kind`, etcd or rota, so that one test serves both."""
        return {"etcd": self.etcd, "rota": self.registry}[kind](**options)

    def proxy(self, target):
        """A TCP proxy before HOST:PORT; see harness_proxy.Proxy."""
        proxy = Proxy(target)
        self.proxies.append(proxy)
        return proxy

    # Results.

    @contextlib.contextmanager
    def check(self, name, fatal=False):
        """A block that is one check: it fails when the block raises. The test goes on unless `fatal`."""
        try:
            yield
        except Skip:
            raise
        except Exception as error:  # any other is a failure of this check, also one of the test's own
            where = traceback.extract_tb(error.__traceback__)[-1]
            why = str(error) or type(error).__name__
            self.fail(name, "%s (%s:%d: %s)" % (why, os.path.basename(where.filename), where.lineno, where.line))
            if fatal:
                raise GiveUp() from error
        else:
            self.ok(name)

    def ok(self, name):
        self.passed += 1
        print("ok " + name, flush=True)

    def fail(self, name, why):
        self.failed += 1
        print("FAIL %s: %s" % (name, why), flush=True)

    def check_program(self, name, command, timeout_s=60, env=None):
        """Runs a peer that prints ok and FAIL lines of its own; they count here, under `name`."""
        process = self.run(command, timeout_s, name=name, env=env)
        seen = 0
        for line in process.lines:
            if line.startswith("ok "):
                self.ok("%s: %s" % (name, line[3:]))
                seen += 1
            elif line.startswith("FAIL "):
                check, _, why = line[5:].partition(": ")
                self.fail("%s: %s" % (name, check), why)
        if process.code != 0 or seen == 0:
            self.fail(name, "exit code %s after %d checks that passed" % (process.code, seen))
        return process

    def _is_ours(self, path):
        return (path.startswith(self.build_dir + os.sep) and not path.startswith(self.peers_dir + os.sep)
                and os.path.isfile(path) and os.access(path, os.X_OK))

    def forget(self, process):
        """Ends one that nothing more is wanted of; what it printed will not be shown. A program of ours must end in order."""
        process.end(OUR_GRACE_S if process.ours else 2)
        fault = process.fault() if process.ours else None
        if fault:
            self.fail("the end of " + process.name, fault)
        else:
            self.processes.remove(process)

    def close(self):
        """Ends all that was started: asks first, then kills. A program of ours that does not end in order is a failure."""
        for process in list(reversed(self.processes)):
            process.end(OUR_GRACE_S if process.ours else 2)
            fault = process.fault() if process.ours else None
            if fault:
                self.fail("the end of " + process.name, fault)
        for proxy in self.proxies:
            proxy.close()
        if self.failed:
            for process in self.processes:
                process.show()
        shutil.rmtree(self.dir, ignore_errors=True)


class GiveUp(Exception):
    """A fatal check failed; it has been counted."""


def _on_signal(number, _frame):
    raise SystemExit(128 + number)


def main(test):
    """Runs test(Harness()) and exits."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _on_signal)
    h = Harness()
    code = 0
    try:
        test(h)
        if h.passed + h.failed == 0:
            h.fail("test", "it checked nothing")
    except GiveUp:
        code = 1
    except Skip as why:
        print("skipped: %s" % why, flush=True)
        code = SKIPPED
    except Exception:  # the test itself broke: a failure, after which everything is still cleaned up
        h.fail("test", "broke off\n" + traceback.format_exc())
    finally:
        h.close()
    print("%d passed, %d failed" % (h.passed, h.failed), flush=True)
    sys.exit(1 if h.failed else code)


def field(pattern, text):
    """The first group of `pattern` in `text`, which must be there."""
    found = re.search(pattern, text)
    if not found:
        raise AssertionError("nothing matches %r in %r" % (pattern, text[:200]))
    return found.group(1)


def since(start_s):
    """Seconds since a time.monotonic()."""
    return time.monotonic() - start_s
