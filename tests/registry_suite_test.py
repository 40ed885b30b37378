"""One suite, two registries: what etcdctl does with etcd it does with ours, word for word.

    registry_suite_test.py etcd|rota

A row is a list of etcdctl commands, and what they print in all. P stands for the row's own prefix (taken out of
the output again), R+n for the revision n after the one the row began at, L for the id of the lease last granted.
"""

import json
import os
import re
import subprocess
import sys
import time

import harness

COMPACTED = "Error: etcdserver: mvcc: required revision has been compacted"
FUTURE = "Error: etcdserver: mvcc: required revision is a future revision"

ROWS = [
    ("put and get", ["put Pa 1", "get Pa"], "OK|a|1"),
    ("put shows what was there", ["put Pa 1", "put --prev-kv Pa 2"], "OK|OK|a|1"),
    ("get values only", ["put Pa 1", "get --print-value-only Pa"], "OK|1"),
    ("get of a missing key prints nothing", ["get Pa"], ""),
    ("a prefix, in order", ["put Pb 2", "put Pa 1", "get --prefix P"], "OK|OK|a|1|b|2"),
    ("keys only", ["put Pa 1", "get --prefix --keys-only P"], "OK|a|"),
    ("a limit", ["put Pa 1", "put Pb 2", "get --prefix --limit=1 P"], "OK|OK|a|1"),
    ("from a key on, bounded", ["put Pa 1", "put Pb 2", "get --from-key --limit=1 Pb"], "OK|OK|b|2"),
    ("half open", ["put Pa 1", "put Pb 2", "put Pc 3", "get Pa Pc"], "OK|OK|OK|a|1|b|2"),
    ("descending", ["put Pa 1", "put Pb 2", "get --prefix --order=DESCEND P"], "OK|OK|b|2|a|1"),
    ("by version", ["put Pa 1", "put Pa 2", "put Pb 3", "get --prefix --sort-by=VERSION P"], "OK|OK|OK|b|3|a|2"),
    ("by create revision, descending", ["put Pb 1", "put Pa 2", "get --prefix --sort-by=CREATE --order=DESCEND P"], "OK|OK|a|2|b|1"),
    ("by modification", ["put Pa 1", "put Pb 2", "put Pa 3", "get --prefix --sort-by=MODIFY P"], "OK|OK|OK|b|2|a|3"),
    ("by value", ["put Pa 2", "put Pb 1", "get --prefix --sort-by=VALUE P"], "OK|OK|b|1|a|2"),
    ("a past revision", ["put Pa 1", "put Pa 2", "get --rev=R+1 Pa"], "OK|OK|a|1"),
    ("a future revision", ["put Pa 1", "get --rev=R+9 Pa"], "OK|" + FUTURE),
    ("del", ["put Pa 1", "del Pa", "del Pa", "get Pa"], "OK|1|0"),
    ("del a prefix", ["put Pa 1", "put Pb 2", "del --prefix P", "get --prefix P"], "OK|OK|2"),
    ("del shows what was there", ["put Pa 1", "del --prev-kv Pa"], "OK|1|a|1"),
    ("an empty key", ["put \"\" x"], "Error: etcdserver: key is not provided"),
    ("ignore-value", ["put Pa 1", "put --ignore-value Pa", "get Pa"], "OK|OK|a|1"),
    ("ignore-value of a missing key", ["put --ignore-value Pa"], "Error: etcdserver: key not found"),
    ("a lease that is not there", ["put --lease=77 Pa 1", "lease revoke 77", "lease timetolive 77"],
     "Error: etcdserver: requested lease not found|Error: failed to revoke lease (etcdserver: requested lease not found)|lease 0000000000000077 already expired"),
    ("keep alive of a lease that is not there", ["lease keep-alive --once 77"], "Error: etcdserver: requested lease not found"),
    ("leases", ["lease grant 100", "put --lease=L Pa 1", "lease timetolive L --keys", "lease revoke L", "get Pa"],
     "lease L granted with TTL(100s)|OK|lease L granted with TTL(100s), remaining(N), attached keys([a])|lease L revoked"),
    ("a lease kept alive", ["lease grant 100", "lease keep-alive --once L", "lease revoke L"],
     "lease L granted with TTL(100s)|lease L keepalived with TTL(100)|lease L revoked"),
    ("a lease listed", ["lease grant 100", "lease list", "lease revoke L"], "lease L granted with TTL(100s)|found 1 leases|L|lease L revoked"),
    ("a TTL that is too long", ["lease grant 9000000001"], "Error: failed to grant lease (etcdserver: too large lease TTL)"),
    ("txn, then", ["put Pa 1", "txn: value(\"Pa\") = \"1\"||put Pb 2|get Pb||put Pb 3||"], "OK|SUCCESS||OK||b|2"),
    ("txn, else", ["put Pa 1", "txn: mod(\"Pa\") = \"1\"||put Pb 2||get Pa|del Pa||"], "OK|FAILURE||a|1||1"),
    ("txn, a key that is not there", ["txn: create(\"Pa\") = \"0\"|version(\"Pa\") = \"0\"||put Pa 1||get Pa||", "get Pa"], "SUCCESS||OK|a|1"),
    ("txn, the same key twice", ["txn: |put Pa 1|put Pa 2|||"], "Error: etcdserver: duplicate key given in txn request"),
    ("compaction", ["put Pa 1", "put Pa 2", "compaction R+2", "get --rev=R+1 Pa", "get Pa", "compaction R+2", "compaction R+9"],
     "OK|OK|compacted revision R+2|%s|a|2|%s|%s" % (COMPACTED, COMPACTED, FUTURE)),
]


def etcdctl(h, registry, words, text):
    run = subprocess.run([h.tool("etcdctl", "etcd-client"), "--endpoints=" + registry.url, *words], input=text, timeout=20,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=dict(os.environ, ETCDCTL_API="3"))
    # Logged beside the error, with addresses and times in it.
    return "".join(line + "\n" for line in run.stdout.splitlines() if not line.startswith('{"level"'))


def run_row(h, registry, prefix, commands):
    base, lease, out = registry.revision(), None, ""
    for command in commands:
        def fill(text):
            text = re.sub(r"R\+(\d+)", lambda m: str(base + int(m.group(1))), text)
            return re.sub(r"\bL\b", lease or "L", re.sub(r"\bP(?=[a-c\"\s]|$)", prefix, text))
        if command.startswith("txn: "):
            got = etcdctl(h, registry, ["txn"], fill(command[5:]).replace("|", "\n"))
        else:
            words = [word.replace('""', "") for word in fill(command).split(" ")]
            got = etcdctl(h, registry, words, "")
        granted = re.match(r"lease (\w+) granted", got)
        if granted and not lease:
            lease = granted.group(1)
        out += got
    out = out.replace(prefix, "").replace(lease or "\0", "L")
    out = re.sub(r"remaining\(\d+s\)", "remaining(N)", out)
    return re.sub(r"compacted revision (\d+)", lambda m: "compacted revision R+%d" % (int(m.group(1)) - base), out)


def check_rows(h, registry):
    for number, (name, commands, want) in enumerate(ROWS):
        with h.check(name):
            got = run_row(h, registry, "/row%d/" % number, commands)
            assert got.strip() == want.replace("|", "\n").strip(), "got %r" % got


def watch(h, registry, *words):
    return h.spawn(["env", "ETCDCTL_API=3", h.tool("etcdctl", "etcd-client"), "--endpoints=" + registry.url, "watch", *words], name="etcdctl watch")


def check_watches(h, registry):
    with h.check("a watch from a past revision goes on"):
        base = registry.revision()
        for value in "12":
            registry.ctl("put", "/w/a", value)
        registry.ctl("put", "/other", "x")
        seen = watch(h, registry, "--prefix", "--rev=%d" % (base + 2), "/w/")
        seen.wait_line("^2$")
        registry.ctl("put", "/w/b", "3")
        registry.ctl("del", "--prefix", "/w/")
        seen.wait_line("^DELETE$", count=2)
        seen.wait_line("^$", count=2)
        assert seen.lines == "PUT|/w/a|2|PUT|/w/b|3|DELETE|/w/a||DELETE|/w/b|".split("|"), seen.lines
    with h.check("a watch shows previous values"):
        registry.ctl("put", "/v", "1")
        seen = watch(h, registry, "--prev-kv", "--rev=%d" % (registry.revision() + 1), "/v")
        registry.ctl("put", "/v", "2")
        seen.wait_line("^2$")
        assert seen.lines == "PUT|/v|1|/v|2".split("|"), seen.lines
    with h.check("a watch from before a compaction ends with the reason"):
        base = registry.revision()
        registry.ctl("put", "/c", "1")
        registry.ctl("put", "/c", "2")
        registry.ctl("compaction", str(base + 2))
        seen = watch(h, registry, "--rev=%d" % (base + 1), "/c")
        seen.wait_line("required revision has been compacted")
    with h.check("a lease that ends takes its keys, and a watch tells"):
        seen = watch(h, registry, "--prefix", "--rev=%d" % (registry.revision() + 1), "/l/")
        lease = harness.field(r"lease (\w+) granted", registry.ctl("lease", "grant", "2"))
        registry.ctl("put", "--lease=" + lease, "/l/a", "1")
        seen.wait_line("^DELETE$", timeout_s=10)
        assert registry.keys("/l/") == []


def check_member(h, registry):
    with h.check("endpoint status"):
        status = json.loads(registry.ctl("endpoint", "status", "-w", "json"))[0]["Status"]
        assert status["leader"] == status["header"]["member_id"] and status["raftTerm"] >= 2, status
        assert re.match(r"3\.\d+\.\d+", status["version"]), status
    with h.check("endpoint status as a table"):
        assert "| %s |" % registry.url in registry.ctl("endpoint", "status", "-w", "table")
    with h.check("endpoint health"):
        assert "is healthy" in registry.ctl("endpoint", "health")
    with h.check("member list"):
        assert registry.url in registry.ctl("member", "list")
    with h.check("a value of 1 MB"):
        value = "x" * 1000000
        etcdctl(h, registry, ["put", "/big"], value)
        assert registry.ctl("get", "--print-value-only", "/big").strip() == value
    with h.check("a value above the limit"):
        got = etcdctl(h, registry, ["put", "/big"], "x" * 1700000)
        assert "etcdserver: request is too large" in got, got


def check_restart(h, kind):
    registry = h.etcd() if kind == "etcd" else h.registry(data=True)
    with h.check("after kill -9 everything is there again"):
        for value in "12":
            registry.ctl("put", "/a", value)
        registry.ctl("put", "/b", "1")
        registry.ctl("del", "/b")
        lease = harness.field(r"lease (\w+) granted", registry.ctl("lease", "grant", "300"))
        registry.ctl("put", "--lease=" + lease, "/c", "1")
        before = registry.ctl("get", "--prefix", "/", "-w", "fields"), registry.cluster_id()
        registry.restart()
        after = registry.ctl("get", "--prefix", "/", "-w", "fields"), registry.cluster_id()
        strip = re.compile(r'"RaftTerm".*')
        assert strip.sub("", before[0]) == strip.sub("", after[0]) and before[1] == after[1], (before, after)
        ttl = registry.ctl("lease", "timetolive", "--keys", lease)
        assert "attached keys([/c])" in ttl and int(harness.field(r"remaining\((\d+)s\)", ttl)) > 290, ttl


def rss_mib(process):
    with open("/proc/%d/status" % process.pid) as status:
        return int(harness.field(r"VmRSS:\s+(\d+) kB", status.read())) // 1024


def check_slow_readers(h, registry):
    """Ours only: etcd keeps what a watcher does not read, in memory."""
    with h.check("watchers that do not read cost nothing, and get everything afterwards"):
        watchers = [watch(h, registry, "--rev=%d" % (registry.revision() + 1), "/slow") for _ in range(16)]
        registry.ctl("put", "/slow", "first")
        for seen in watchers:
            seen.wait_line("^first$")
            seen.freeze()
        try:
            before = rss_mib(registry.process)
            value = "x" * 200000
            for _ in range(60):
                etcdctl(h, registry, ["put", "/slow"], value)
            grown = rss_mib(registry.process) - before
            assert grown < 120, "%d MiB more for 12 MB of values and 16 watchers" % grown
        finally:
            for seen in watchers:
                seen.thaw()
        for seen in watchers:
            seen.wait_line("^x+$", count=60, timeout_s=20)
            seen.terminate()


def stop_while_watched(h, registry):
    """How many seconds it takes."""
    seen = watch(h, registry, "--rev=%d" % (registry.revision() + 1), "/x")
    registry.ctl("put", "/x", "1")
    seen.wait_line("^1$")
    start_s = time.monotonic()
    assert registry.process.terminate() == 0
    return harness.since(start_s)


def check_refusals(h, registry):
    with h.check("what a single registry does not do is said"):
        for command in (["snapshot", "save", os.path.join(h.dir, "s")], ["defrag"], ["member", "remove", "1"], ["endpoint", "hashkv"]):
            got = registry.ctl(*command, code=None)
            assert "a single embedded registry" in got, got
    with h.check("who comes with a name and password needs none, as with etcd"):
        registry.ctl("--user=root:x", "put", "/with-login", "1")  # warns, and does it
    with h.check("SIGTERM ends it at once, watches or not"):
        took_s = []
        for _ in range(3):
            took_s.append(stop_while_watched(h, registry))
            registry.start()
        # For a watcher that does not answer it waits a second before the end and one after: that one of three does is the machine's affair.
        assert sorted(took_s)[1] < 0.9 and max(took_s) < 4, took_s


def test(h):
    kind = sys.argv[1]
    registry = h.any_registry(kind)
    check_rows(h, registry)
    check_watches(h, registry)
    check_member(h, registry)
    if kind == "rota":
        check_slow_readers(h, registry)
        check_refusals(h, registry)
    check_restart(h, kind)


harness.main(test)
