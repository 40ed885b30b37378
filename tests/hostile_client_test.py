"""Every way a client can misbehave on one connection that we know of, tried on our server.

    hostile_client_test.py [sanitized] [ROW ...]

Each row is a connection of its own. Demanded are: the reaction; that a good call succeeds afterwards, on the same connection where the
row says so and on a new one always; that the server lives, ends in order on SIGTERM, and has grown by RSS_MIB at most over all rows. The
rows are in tests/peers/hostile_clients.py.
"""

import socket
import sys

import harness

sys.path.insert(0, harness.TESTS_DIR + "/peers")
import hostile_clients  # noqa: E402
import mischief_client  # noqa: E402
from mischief_frames import PREFACE, settings, window_update  # noqa: E402

RSS_MIB = 64
NUMBERED = ("rst", "goaway", "status", "http")  # their details begin with the code


def memory_kib(process, what):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as status:
        return int(harness.field(what + r":\s+(\d+) kB", status.read()))


def good(addr):
    with mischief_client.connect(addr, True) as sock:
        mischief_client.good(sock)
        return mischief_client.reaction(sock, 1, mischief_client.LOOK_S)


def attempt(addr, reactions, act, same):
    """Why this row is not well, or the reaction's own words."""
    with mischief_client.connect(addr, False) as sock:
        # Nothing of the server's has to wait for a window, nor for our table.
        sock.sendall(PREFACE + settings(*mischief_client.OURS) + window_update(0, 1 << 20))
        try:
            if callable(act):
                act(sock)
            else:
                sock.sendall(act)
        except socket.timeout:
            return None, "it reads no more, and keeps the connection"
        except OSError:
            pass
        seconds = mischief_client.SILENCE_S if "silence" in reactions else mischief_client.LOOK_S
        got, detail = mischief_client.reaction(sock, 1, seconds)
        exact = "%s:%s" % (got, harness.field(r"(\d+)", detail)) if got in NUMBERED else got
        if exact not in reactions:
            return None, "%s (%s), want %s" % (exact, detail, " or ".join(reactions))
        if same and got not in ("goaway", "closed"):
            sock.sendall(mischief_client.call(hostile_clients.LATER))
            after, why = mischief_client.reaction(sock, hostile_clients.LATER, mischief_client.LOOK_S)
            if after != "ok":
                return None, "after %s a good call on the same connection: %s (%s)" % (got, after, why)
    after, why = good(addr)
    if after != "ok":
        return None, "a good call on a new connection: %s (%s)" % (after, why)
    return got + (" " + detail if detail else ""), None


def test(h):
    names = [name for name in sys.argv[1:] if name != "sanitized"]
    addr = "127.0.0.1:%d" % harness.free_port()
    server = h.spawn([h.program("examples/hello/server"), "--port=" + addr, "--registry=none"], ready="server starting", name="server")
    with h.check("a good call, before all", fatal=True):
        assert good(addr)[0] == "ok"
    base_kib = memory_kib(server, "VmRSS")
    for name, reactions, act, same in hostile_clients.ROWS:
        if names and name not in names:
            continue
        got, why = attempt(addr, reactions, act, same)
        if why:
            h.fail(name, why)
        else:
            h.ok("%s: %s" % (name, got))
        if not server.running():
            break
    if "sanitized" not in sys.argv:
        grown_kib = memory_kib(server, "VmHWM") - base_kib
        with h.check("the server has grown by %d KiB at most" % grown_kib):
            assert grown_kib <= RSS_MIB * 1024
    with h.check("the server ends on SIGTERM"):
        assert server.terminate() == 0


harness.main(test)
