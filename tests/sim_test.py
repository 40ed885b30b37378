"""`rota sim` as a user runs it: output forms, the same result every time, mistakes told with place and exit code."""

import json
import os
import xml.dom.minidom

import harness

TEXT = """title  Two of a kind
duration 3s
clients 3
servers 5
service lognormal 2ms 0.8
slots 4
load poisson 800/s
server 2 slow 8
at 1s server 1 kill for 500ms
policy round_robin
policy least_request
policy peak_ewma
"""

MISTAKES = [
    ("servers 3\nlode poisson 5/s\n", [], 1, "{path}:2: \"lode\" is no statement"),
    ("servers 3\nload poisson 5/s\npolicy nobody_knows\n", [], 1, "{path}:3: policy nobody_knows: "),
    (TEXT, ["--policies", "a,,b"], 1, "--policies: policies are names separated by commas"),
    (TEXT, ["--seed", "x"], 2, "seed"),
    (TEXT, ["--svg", "/nowhere/at/all.svg"], 1, "/nowhere/at/all.svg"),
]


def test(h):
    program = h.program("tools/rota/rota")
    path = os.path.join(h.dir, "x.scenario")

    def run(*words, text=TEXT, code=0):
        with open(path, "w") as f:
            f.write(text)
        process = h.run([program, "sim", path] + list(words))
        assert process.code == code, "exit code %s: %s" % (process.code, process.text())
        return process

    with h.check("a table has a line a policy"):
        lines = run().lines
        assert lines[0] == "Two of a kind" and [line.split()[0] for line in lines[-3:]] == ["round_robin", "least_request", "peak_ewma"], lines
    with h.check("JSON, the same with one process and several, and the same again"):
        one, two, three = (run("--json", "--jobs", n).lines for n in ("1", "2", "3"))
        assert one == two == three
        results = json.loads("\n".join(one))["results"]
        assert [r["policy"] for r in results] == ["round_robin", "least_request", "peak_ewma"]
        assert all(r["calls"] == results[0]["calls"] > 1000 for r in results), "all policies see the same arrivals"
    with h.check("another seed is another run"):
        assert run("--json", "--seed", "2").lines != one
    with h.check("looking at invariants changes nothing"):
        assert run("--json", "--check").lines == one
    with h.check("other policies"):
        assert [line.split()[0] for line in run("--policies", "random,peak_ewma").lines[-2:]] == ["random", "peak_ewma"]
    with h.check("a drawing is well-formed"):
        svg = os.path.join(h.dir, "x.svg")
        run("--svg", svg)
        assert len(xml.dom.minidom.parse(svg).getElementsByTagName("polyline")) == 9
    with h.check("Markdown"):
        assert any(line.startswith("| policy | p50 ms |") for line in run("--markdown").lines)
    for text, words, code, sentence in MISTAKES:
        with h.check("told: " + sentence):
            out = run(*words, text=text, code=code).text()
            assert sentence.format(path=path) in out, out


harness.main(test)
