"""A run's results as tables of text, as docs/performance.md, and as pictures."""

import html
import os
import statistics

from driver.bench import QUIET, median
from driver.goals import GOALS

NAMES = {"rota": "rota", "go": "grpc-go", "cpp": "gRPC C++", "js": "grpc-js", "bare": "bare nghttp2 + libuv", "raw": "bare epoll, TCP",
         "true": "/bin/true", "canned": "canned", "nghttpd": "nghttpd, a file"}
COLUMNS = ("rps", "cpu_us", "p50", "p99", "p999", "hwm_kb", "settle_s", "cpu_ms_settled", "per_ep_kb", "idle_cpu_ms_per_s", "first_reply_ms", "put_cpu_ms",
           "traffic_again_s", "gb_per_cpu_s", "ms", "rss", "stripped_kb", "libraries_mb", "p50_ms", "p99_ms", "p999_ms", "slow_share", "failed")
PLOTS = (
    ("client-64.svg", "client/64", "cpu_us", "Client, 64 outstanding: µs of CPU a call"),
    ("client-512.svg", "client/512", "cpu_us", "Client, 512 outstanding: µs of CPU a call"),
    ("server-10x100.svg", "server/10x100", "cpu_us", "Server, 10 connections × 100 streams: µs of CPU a call"),
    ("endpoints-cpu.svg", "endpoints/1000", "cpu_ms_settled", "1,000 endpoints: ms of CPU until all are connected and quiet"),
    ("endpoints-memory.svg", "endpoints/1000", "per_ep_kb", "1,000 endpoints: KB of memory each"),
    ("start-to-exit.svg", "footprint", "ms", "Process: start, one reply, exit, in ms"),
    ("tail-b.svg", "tail/B", "p99_ms", "One slow server of ten, 60 % load: p99 in ms"),
)


def show(value):
    if value is None:
        return "-"
    if abs(value) >= 10000:
        return "{:,.0f}".format(value)
    return "%.0f" % value if abs(value) >= 100 else "%.3g" % value


def table(head, rows):
    """Markdown, in columns of equal width so that it reads as text too."""
    lines = [head] + rows
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    padded = [["%-*s" % (width, word) for width, word in zip(widths, line)] for line in lines]
    padded.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(line) + " |" for line in padded)


def goals_table(results):
    rows = []
    for goal in GOALS:
        judged = goal.judge(results)
        if judged is None:
            continue
        peers = ", ".join("%s %s" % (name, show(value)) for name, value in judged["peers"].items())
        ratios = ", ".join("%.2f × %s" % (ratio, bound.whom()) for ratio, bound in zip(judged["ratios"], goal.bounds) if ratio is not None)
        rows.append([goal.what, "; ".join(bound.text(goal.unit) for bound in goal.bounds), peers or "-", show(judged["limit"]),
                     "%s %s" % (show(judged["ours"]), goal.unit), ratios or "-", judged["verdict"]])
    return table(["what", "goal", "peers", "limit", "ours", "ratio", ""], rows)


def cell_table(results, cell):
    runs = results[cell]
    keys = [key for key in COLUMNS if any(key in got for gots in runs.values() for got in gots)]
    rows = [[NAMES.get(name, name)] + [show(median(results, cell, name, key)) for key in keys] + [str(len(gots)),
            "%.2f" % median(results, cell, name, "disturbed") if "disturbed" in gots[0] else "-"] for name, gots in runs.items()]
    return table([cell] + keys + ["runs", "disturbed"], rows)


def counts(results):
    judged = [goal.judge(results) for goal in GOALS]
    verdicts = [one["verdict"] for one in judged if one is not None]
    return "%d of %d goals reached, %d short, %d not compared, %d not measured" % (
        verdicts.count("reached"), len(GOALS), verdicts.count("short"), verdicts.count("not compared"), judged.count(None))


def tables(run):
    results = run["results"]
    return "\n\n".join([goals_table(results)] + [cell_table(results, cell) for cell in results] + [counts(results)]) + "\n"


def bars(title, values):
    """A bar chart; hand-made, since no library for it is at hand everywhere."""
    width, left, row = 640, 180, 26
    height = 40 + row * len(values)
    most = max(value for _name, value in values) or 1
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13">' % (width, height),
             '<rect width="100%" height="100%" fill="white"/>', '<text x="10" y="22" font-weight="bold">%s</text>' % html.escape(title)]
    for i, (name, value) in enumerate(values):
        y = 36 + row * i
        color = "#2563a8" if name.startswith("rota") else "#b0b7c0"
        parts.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (left - 8, y + 15, html.escape(NAMES.get(name, name))))
        length = (width - left - 80) * value / most
        parts.append('<rect x="%d" y="%d" width="%.1f" height="18" fill="%s"/>' % (left, y, max(1, length), color))
        parts.append('<text x="%.1f" y="%d">%s</text>' % (left + max(1, length) + 6, y + 15, show(value)))
    return "\n".join(parts + ["</svg>"]) + "\n"


def plot(run, folder):
    for file_name, cell, key, title in PLOTS:
        values = [(name, median(run["results"], cell, name, key)) for name in run["results"].get(cell, {})]
        values = [(name, value) for name, value in values if value is not None]
        if values:
            with open(os.path.join(folder, file_name), "w", encoding="utf-8") as file:
                file.write(bars(title, values))


def disturbance(results):
    runs = [got["disturbed"] for runs in results.values() for gots in runs.values() for got in gots if "disturbed" in got]
    busy = sum(1 for value in runs if value > QUIET)
    if busy == 0:
        return "All %d runs were undisturbed." % len(runs)
    return ("Of %d runs %d were disturbed, by %.1f cores in the median: CPU of a call holds nevertheless, but calls a second and what they took\n"
            "(p50, p99, p99.9) say little where the column `disturbed` is not near 0." % (len(runs), busy, statistics.median(runs)))


def performance(run):
    """docs/performance.md"""
    facts, results = run["facts"], run["results"]
    versions = "; ".join(facts["peers"].values())
    skipped = ["- %s: %s" % item for item in {**facts["skipped"], **run["skipped"]}.items()]
    lines = [
        "# Performance", "",
        "Made by `make bench` and `bench/report`; nothing here is written by hand. Figures of one machine drift by half between hours, so that what",
        "counts is the ratio to a peer or to a limit in the same run: contenders take turns inside each repetition, a run is repeated (up to 4",
        "times, the calmest kept) when others used more than 0.08 cores meanwhile, and medians are shown; `disturbed` says what was left of that. CPU is",
        "that of the whole process.", "",
        "- when: %s, %d repetitions of %g s%s" % (facts["date"], run["repeats"], run["seconds"], ", a quick run" if run["quick"] else ""),
        "- machine: %s; %s; load %s at the beginning" % (facts["machine"], facts["system"], facts["load"]),
        "- beside it: %s; %s; %s" % (versions, facts["tools"]["h2load"], facts["tools"]["etcd"]), "",
        disturbance(results), "",
        "## Goals", "", "`make bench`, or a row of it alone: `make bench ROWS=client,server`; `REPEATS=N` (3) and `EACH=SECONDS` (4) say how often and for how long.",
        "grpc-go's weighted_round_robin is measured where `PEERS_GOPATH` names a GOPATH with a grpc-go of 1.54 to 1.60",
        "([bench/peers/build](../bench/peers/build)).", "", goals_table(results), "", counts(results) + ".", "",
        "Limits: bare_h2 is nghttp2 and libuv without anything of gRPC above them, raw and pingpong are epoll with as many bytes, nghttpd serves a",
        "file of the reply's size. Their sources are in [bench/peers](../bench/peers).", "",
        "Where the system's congestion control is BBR, rota's connections to loopback addresses use reno instead, which large messages owe much to;",
        "why, and what it is without: [decisions/0014-loopback.md](decisions/0014-loopback.md).", "",
        "## Figures", "",
        "cpu_us: µs of CPU a call; p50 to p999: µs; hwm_kb, rss: KB at the peak; disturbed: cores that others used meanwhile.", "",
    ]
    for cell in results:
        lines += [cell_table(results, cell), ""]
    if skipped:
        lines += ["## Not measured", ""] + skipped + [""]
    return "\n".join(lines)
