"""A child process whose output is kept and can be waited for, and the bounded wait itself.

A thread reads each child's output (both streams in one, as they come) and wakes who waits for a line.
Children are started from the main thread only: the kernel kills them when the thread that started them
ends, which is what cleans up after a test that was itself killed. A child that has ended stays a zombie until
end(), so that its number, and that of its group, stay its own for as long as signals may be sent there.
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1

# What a program says when it has found a mistake in itself: sanitizers, glibc's assert, ours.
SELF_ACCUSATION = re.compile(r"ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer|Assertion .* failed|assertion failed:")


class Timeout(AssertionError):
    """What was waited for did not come in time."""


def until(what, condition, timeout_s=10, step_s=0.01):
    """Asks condition() until it gives something true, which is returned; `what` names it in the error.

    For what announces itself by no line: asks in small steps. An exception counts as "not yet"."""
    end_s = time.monotonic() + timeout_s
    while True:
        error = None
        try:
            value = condition()
            if value:
                return value
        except Exception as not_yet:  # told below should it be the last
            error = not_yet
        if time.monotonic() >= end_s:
            raise Timeout("no %s within %gs%s" % (what, timeout_s, ": %s" % error if error else ""))
        time.sleep(step_s)


def _in_child():
    # No credentials or arguments to get wrong: on failure the child only outlives a killed test.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """Members: pid, name, lines (so far, without newlines), times (monotonic, one per line), code (None while it runs),
    ours (whether fault() is to be asked), may_end_with (codes that a test expects of an end by SIGTERM)."""

    def __init__(self, command, name=None, env=None, cwd=None):
        assert threading.current_thread() is threading.main_thread(), "start children from the main thread"
        self.name = name or os.path.basename(command[0])
        self.command = command
        self.lines, self.times = [], []
        self.code, self.ours, self.may_end_with = None, False, (0,)
        self._sent, self._stubborn, self._reaped = set(), False, False
        self._news = threading.Condition()
        self._over = False
        self._child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd,
            env=dict(os.environ, **(env or {})), start_new_session=True, preexec_fn=_in_child)
        self.pid = self._child.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._watch, daemon=True).start()

    def _read(self):
        for raw in self._child.stdout:
            with self._news:
                self.lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self.times.append(time.monotonic())
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def _watch(self):
        """Learns of the end and leaves the zombie."""
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with self._news:
            self.code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            self._news.notify_all()

    def running(self, within_s=0):
        """Whether it still runs after so long; an end is told at once."""
        if within_s > 0:
            with self._news:
                self._news.wait_for(lambda: self.code is not None, within_s)
        return self.code is None

    def text(self):
        return "\n".join(self.lines)

    def mark(self):
        """Where the output stands: give it as `after` to wait only for what comes later."""
        return len(self.lines)

    def wait_line(self, pattern, timeout_s=10, after=0, count=1):
        """Waits for the count-th line that matches the regular expression; returns its match."""
        end_s = time.monotonic() + timeout_s
        compiled = re.compile(pattern)
        next_line, seen = after, 0
        with self._news:
            while True:
                while next_line < len(self.lines):
                    match = compiled.search(self.lines[next_line])
                    next_line += 1
                    if match:
                        seen += 1
                        if seen == count:
                            return match
                if self._over:
                    self._news.wait_for(lambda: self.code is not None, 1)
                    raise Timeout("%s ended (code %s) without line %r; its last: %r"
                                  % (self.name, self.code, pattern, self.lines[-3:]))
                left_s = end_s - time.monotonic()
                if left_s <= 0 or not self._news.wait(left_s):
                    if time.monotonic() >= end_s:
                        raise Timeout("%s: no line %r within %gs; its last: %r"
                                      % (self.name, pattern, timeout_s, self.lines[-3:]))

    def count(self, pattern, after=0):
        """How many lines match so far."""
        return sum(1 for line in self.lines[after:] if re.search(pattern, line))

    def wait(self, timeout_s=10):
        """Waits for its end; returns the exit code (negative: the signal that ended it)."""
        with self._news:
            if not self._news.wait_for(lambda: self.code is not None, timeout_s):
                raise Timeout("%s still runs after %gs; its last: %r" % (self.name, timeout_s, self.lines[-3:]))
        self._reader.join(2)
        return self.code

    # Signals go to this very process, by its number; sent to one that has ended they do nothing.

    def signal(self, number):
        if self.running():
            if number == signal.SIGTERM and not self._catches(number):
                self.may_end_with += (-number,)
            self._sent.add(number)
            os.kill(self.pid, number)

    def _catches(self, number):
        try:
            with open("/proc/%d/status" % self.pid, encoding="ascii") as status:
                return int(re.search(r"^SigCgt:\s+(\w+)", status.read(), re.M).group(1), 16) >> (number - 1) & 1
        except (OSError, AttributeError):
            return False

    def terminate(self, timeout_s=10):
        """SIGTERM, then waits; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self):
        """SIGKILL, then waits."""
        self.signal(signal.SIGKILL)
        return self.wait(10)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def end(self, grace_s):
        """Ends it by any means, and then its own children, should it have left some."""
        if self._reaped:
            return
        if self.running():
            self.thaw()
            self.signal(signal.SIGTERM)
            try:
                self.wait(grace_s)
            except Timeout:
                self._stubborn = True
                self.kill()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self._reaped = True
        self._child.wait()
        self._reader.join(2)

    def fault(self):
        """Why the end of this program of ours, and what it said before, are not in order; None when they are.

        A code that it ended with by itself is for the test to look at, as is what SIGKILL did."""
        accusations = [line for line in self.lines if SELF_ACCUSATION.search(line)]
        if accusations:
            return "it says %r" % accusations[0]
        if self._stubborn:
            return "it went on after SIGTERM"
        if self.code < 0 and -self.code not in self._sent:
            return "it died of signal %d" % -self.code
        if signal.SIGTERM in self._sent and signal.SIGKILL not in self._sent and self.code not in self.may_end_with:
            return "it ended with code %d after SIGTERM" % self.code
        return None

    def show(self, last=60):
        """Prints its last lines to standard error, for a failed test."""
        print("--- %s (%s), code %s, last %d of %d lines" % (
            self.name, " ".join(self.command), self.code, min(last, len(self.lines)), len(self.lines)), file=sys.stderr)
        for line in self.lines[-last:]:
            print("    " + line, file=sys.stderr)
