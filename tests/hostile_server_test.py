"""Every way a server can misbehave that we know of, tried on a client.

    hostile_server_test.py rota [sanitized] [ROW ...]    on our client
    hostile_server_test.py go [ROW ...]                  on grpc-go's, whose other answers the rows name and cite a rule against
    hostile_server_test.py list                          the rows

Each row is a server of its own for one run of the client, which makes a few calls. Demanded are: the first call's code; success of
those that follow, on the same connection or a new one as the row says; an end of each call by its deadline; no crash; and memory: RSS_MIB
more than a client has that meets no mischief. The rows are in tests/peers/hostile_*.py.
"""

import concurrent.futures
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import harness

sys.path.insert(0, harness.TESTS_DIR + "/peers")
import hostile  # noqa: E402
import hostile_frames  # noqa: E402,F401
import hostile_grpc  # noqa: E402,F401
import hostile_life  # noqa: E402,F401
import hostile_odd  # noqa: E402,F401

RSS_MIB = 24  # gather a message of 4 MiB twice, a window of data, what a table may hold
AT_ONCE = 6
SLACK_S = 2.0  # a busy machine, for each run


class Result:
    pass


def run(command, row):
    """One run of the client against the row's server."""
    result, server = Result(), hostile.Server(row)
    allowed_s = row.deadline_ms / 1e3 * (2 if row.par else row.calls) + row.calls * row.gap_ms / 1e3 + SLACK_S
    words = ["127.0.0.1", server.port, row.deadline_ms, row.calls, row.gap_ms] + (["par"] if row.par else [])
    with tempfile.TemporaryFile() as output:
        start_s = time.monotonic()
        process = subprocess.Popen([*command, *map(str, words)], stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        too_late = threading.Timer(allowed_s + 15, os.kill, (process.pid, signal.SIGKILL))
        too_late.start()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its number stays its own until nothing can be sent to it
        too_late.cancel()
        too_late.join()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        result.took_s, result.allowed_s = time.monotonic() - start_s, allowed_s
        output.seek(0)
        octets = output.read()
        result.text = octets.decode("utf-8", "replace")
        result.mangled = octets != result.text.encode("utf-8")
    result.exit, result.rss_kib, result.connections = process.returncode, usage.ru_maxrss, server.connections
    server.close()
    result.codes = [line.split()[0][5:] for line in result.text.splitlines() if line.startswith("code=")]
    result.sizes = [line.rsplit("=", 1)[1] for line in result.text.splitlines() if line.startswith("code=0 ")]
    return result


def named(number):
    return hostile.CODES[int(number)] if number.isdigit() and int(number) < len(hostile.CODES) else number


def judge(row, result, kind, base_kib):
    """Why the result is not what was wanted, or None."""
    foreign = kind == "go"
    want = row.go if foreign and row.go else row.want
    codes = [named(code) for code in result.codes]
    if result.exit != 0:
        return "exit code %s: %s" % (result.exit, result.text[-3000:])
    if len(codes) != row.calls:
        return "%d lines of %d calls: %s" % (len(codes), row.calls, result.text[-500:])
    if codes[0] not in want:
        return "the first call ended with %s, want one of %s: %s" % (codes[0], want, result.text.splitlines()[0][:300])
    if foreign:
        return None  # how it goes on is its own affair
    if result.mangled:
        return "a message that is no UTF-8: %s" % result.text[-500:]
    bad = [code for code in codes[1:] if code not in row.then]
    if bad:
        return "a later call ended with %s, want %s: %s" % (bad[0], row.then, result.text[-500:])
    if row.conn != hostile.ANY and result.connections != {hostile.SAME: 1, hostile.NEW: 2}[row.conn]:
        return "%d connections, want calls on the %s one: %s" % (result.connections, row.conn, result.text[-500:])
    if result.took_s > result.allowed_s:
        return "it took %.1f s, want at most %.1f" % (result.took_s, result.allowed_s)
    if base_kib and result.rss_kib - base_kib > RSS_MIB * 1024:
        return "it grew by %d KiB, want %d MiB at most" % (result.rss_kib - base_kib, RSS_MIB)
    return None


def test(h):
    kind, *names = sys.argv[1:]
    sanitized = "sanitized" in names
    names = [name for name in names if name != "sanitized"]
    if kind == "list":
        for row in hostile.ROWS.values():
            print("%-48s %s; %s" % (row.name, " or ".join(row.want), row.conn))
        h.ok("there are %d rows" % len(hostile.ROWS))
        return
    command = [h.peer("gointerop"), "probe"] if kind == "go" else [h.program("tests/interop/probe-client")]
    base_kib = None if sanitized or kind == "go" else run(command, hostile.ROWS["good"]).rss_kib
    rows = [hostile.ROWS[name] for name in names] if names else list(hostile.ROWS.values())
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for row, result in zip(rows, pool.map(lambda row: run(command, row), rows)):
            why = judge(row, result, kind, base_kib)
            if why:
                h.fail(row.name, why)
            else:
                h.ok("%s: %s" % (row.name, " ".join(named(code) for code in result.codes[:3])))


harness.main(test)
