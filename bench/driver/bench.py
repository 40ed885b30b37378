"""A run of the benchmarks: programs started and pinned, measurements repeated and kept."""

import os
import random
import re
import signal
import socket
import statistics
import subprocess
import time

from driver import machine

QUIET = 0.08  # cores that others may use or the hypervisor take, before a run counts as disturbed
TRIES = 4
GIVE_UP = 3
NUMBER = re.compile(r"(\w+)=(-?[0-9.]+)")


class Missing(Exception):
    """A row or a contender that this machine cannot run; the text says why."""


def numbers(text):
    return {key: float(value) for key, value in NUMBER.findall(text)}


class Bench:
    """options: quick, repeats, seconds. ours and peers: folders of programs. work: a folder of our own."""

    def __init__(self, build, work, quick, repeats=0, seconds=0):
        self.build, self.work, self.quick = build, work, quick
        self.peers = os.path.join(work, "peers")
        self.repeats = repeats or (1 if quick else 3)
        self.seconds = seconds or (1 if quick else 4)
        self.warm = 0.5 if quick else 1
        self.tries = 1 if quick else TRIES
        self.results = {}  # cell -> contender -> list of dicts of numbers
        self.skipped = {}
        self.running = []
        self.started = 0
        self.restless = 0

    # --- Programs ---

    def ours(self, name):
        return os.path.join(self.build, "tools/rota" if name == "rota" else "bench", name)

    def peer(self, name):
        path = os.path.join(self.peers, name)
        if not os.path.exists(path):
            raise Missing("%s was not built on this machine" % name)
        return path

    def has(self, name):
        return os.path.exists(os.path.join(self.peers, name))

    def path(self, name):
        return os.path.join(self.work, name)

    def ports(self, count, host="127.0.0.1"):
        """The first of so many free ports in a row, below the range of the kernel's own choice."""
        for _ in range(200):
            first = random.randrange(11000, 32000 - count)
            if all(self.is_free(host, first + i) for i in range(count)):
                return first
        raise Missing("no %d free ports in a row" % count)

    @staticmethod
    def is_free(host, port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
            return True

    @staticmethod
    def pinned(command, core):
        return command if core is None else ["taskset", "-c", str(core)] + command

    @staticmethod
    def environment(env):
        return {**os.environ, **(env or {})}

    def start(self, command, core=None, ready="READY", env=None, stdout=subprocess.DEVNULL):
        """A process that runs until stop(); its standard error goes to its attribute `log`."""
        self.started += 1
        log = self.path("log/%d" % self.started)
        with open(log, "w", encoding="utf-8") as stderr:
            process = subprocess.Popen(self.pinned(command, core), stdout=stdout, stderr=stderr, env=self.environment(env), text=True)
        process.log = log
        self.running.append(process)
        until = time.monotonic() + 10
        while ready and ready not in machine.read(log):
            if process.poll() is not None or time.monotonic() > until:
                raise Missing("%s did not start: %s" % (" ".join(command), machine.read(log)[-300:]))
            time.sleep(0.01)
        return process

    def stop(self, *processes, signum=signal.SIGTERM):
        for process in processes:
            process.send_signal(signum)
        for process in processes:
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
            self.running.remove(process)

    def stop_all(self):
        self.stop(*list(self.running))

    def canned(self, port, count=1, core=None, host="127.0.0.1", more=()):
        return self.start([self.peer("canned"), "-a", host, "-p", str(port), "-n", str(count)] + list(more), core)

    # --- Measurements ---

    def quietly(self, measure, servers=()):
        """Repeats a disturbed measurement a few times and returns the numbers of the least disturbed.

        On a machine that stays busy through GIVE_UP measurements nothing is repeated until one is calm."""
        best = None
        for _ in range(self.tries if self.restless < GIVE_UP else 1):
            watch = machine.Watch(servers)
            got = measure()
            got.update(watch.look())
            got["disturbed"] = got["foreign"] + got["steal"]
            if best is None or got["disturbed"] < best["disturbed"]:
                best = got
            if got["disturbed"] <= QUIET:
                break
        self.restless = self.restless + 1 if best["disturbed"] > QUIET else 0
        return best

    def run(self, command, core=None, env=None, timeout_s=120):
        """The numbers that a program prints, and cpu_s and wall_s."""
        times, began = os.times(), time.monotonic()
        done = subprocess.run(self.pinned(command, core), capture_output=True, text=True, env=self.environment(env), timeout=timeout_s, check=False)
        if done.returncode != 0 or not done.stdout:
            raise Missing("%s ended with %d: %s" % (" ".join(command), done.returncode, (done.stderr or done.stdout)[-300:]))
        now = os.times()
        got = numbers(done.stdout)
        got["cpu_s"] = now.children_user + now.children_system - times.children_user - times.children_system
        got["wall_s"] = time.monotonic() - began
        return got

    def keep(self, cell, contender, got):
        self.results.setdefault(cell, {}).setdefault(contender, []).append(got)
        shown = " ".join("%s=%.4g" % (key, got[key]) for key in got if key not in ("cpu_s", "wall_s", "disturbed"))
        print("  %-26s %-16s %s" % (cell, contender, shown), flush=True)

    def take(self, cell, contender, measure, servers=()):
        """Measures and keeps; a contender that this machine lacks is skipped with a sentence."""
        before = list(self.running)
        try:
            self.keep(cell, contender, self.quietly(measure, servers))
        except (Missing, subprocess.TimeoutExpired, OSError) as missing:
            self.stop(*[process for process in self.running if process not in before])
            self.skip("%s, %s" % (cell, contender), missing)

    def skip(self, what, why):
        if what not in self.skipped:
            print("  %s is skipped: %s" % (what, why), flush=True)
        self.skipped[what] = str(why)


def median(results, cell, contender, key):
    """Over the undisturbed runs, if most are; else over all. None: not measured."""
    runs = [got for got in results.get(cell, {}).get(contender, []) if key in got]
    calm = [got for got in runs if got.get("disturbed", 0) <= QUIET]
    values = [got[key] for got in (calm if 2 * len(calm) >= len(runs) else runs)]
    return statistics.median(values) if values else None
