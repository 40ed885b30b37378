"""`rota watch TARGET --picks`: why calls go where they go, as lines and as JSON."""

import json
import sys

import harness


def start_server(h):
    port = harness.free_port()
    h.spawn([h.program("examples/hello/server"), "--port=127.0.0.1:%d" % port, "--registry=none"], ready="server starting on")
    return "127.0.0.1:%d" % port


class Picks:
    def __init__(self, h, target):
        self.h, self.target = h, target
        self.program = h.program("tools/rota/rota")

    def run(self, *words, code=0):
        process = self.h.run([self.program, "watch", self.target, "--picks", "--every", "20"] + list(words))
        assert process.code == code, process.text()
        return process

    def objects(self, *words):
        return [json.loads(line) for line in self.run("--json", *words).lines]


def check_calls(h, picks, servers):
    with h.check("adaptive names latency, calls and faults of what it considered, and who won"):
        good = [pick for pick in picks.objects("--policy", "adaptive", "--count", "20") if pick["verdict"] == "OK"]
        assert len(good) >= 20, good
        assert {pick["address"] for pick in good} == set(servers), good
        for pick in good:
            assert pick["method"] == "/grpc.health.v1.Health/Check" and pick["attempt"] == 1, pick
            winners = [note["endpoint"] for note in pick["notes"] if note["won"]]
            assert winners == [pick["address"]], pick
            considered = [note for note in pick["notes"] if note["policy"] == "adaptive"]
            assert all("calls under way" in note["note"] for note in considered), pick
            assert min(note["score"] for note in considered) == [note["score"] for note in considered if note["won"]][0], pick
        with_latency = [note for note in good[-1]["notes"] if "latency" in note.get("note", "") and "latency 0.000" not in note["note"]]
        assert with_latency, good[-1]


def check_lines(h, picks):
    with h.check("a line for the pick, one for each note"):
        text = "\n".join(picks.run("--policy=round_robin", "--count=4").lines)
        assert " OK /grpc.health.v1.Health/Check -> 127.0.0.1:" in text and "  * round_robin 127.0.0.1:" in text and " turn 1 of " in text, text
    with h.check("a service config with policies above others"):
        config = '{"loadBalancingConfig":[{"outlier_detection":{"failurePercentageEjection":{},"childPolicy":[{"round_robin":{}}]}}]}'
        text = "\n".join(picks.run("--service-config", config, "--count", "3").lines)
        assert "outlier_detection: 0 of 2 ejected" in text and "    * round_robin 127.0.0.1:" in text, text


def check_without_calls(h, picks):
    with h.check("picks for a method, without calls"):
        objects = picks.objects("shop.Orders/Get", "--policy", "least_request", "--count", "60")
        good = [pick for pick in objects if pick["verdict"] == "OK"]
        assert good and all(pick["method"] == "/shop.Orders/Get" for pick in objects), objects
        assert all(note["score"] == 0 for pick in good for note in pick["notes"] if note["policy"] == "least_request"), good


def check_mistakes(h, picks):
    with h.check("mistakes are told"):
        assert "no_such_policy" in picks.run("--policy", "no_such_policy", code=1).text()
        picks.run("--policy", "a", "--service-config", "{}", code=2)
        process = h.run([picks.program, "watch", picks.target, "--every", "20"])
        assert process.code == 2 and "go with --picks" in process.text(), process.text()
    with h.check("nobody there"):
        text = Picks(h, "127.0.0.1:%d" % harness.refusing_port()).run("--count", "1").text()
        assert "FAIL /grpc.health.v1.Health/Check: " in text and "pick_first: FAIL: TRANSIENT_FAILURE" in text, text


def test(h):
    servers = [start_server(h), start_server(h)]
    picks = Picks(h, "ipv4:" + ",".join(servers))
    check_calls(h, picks, servers)
    check_lines(h, picks)
    check_without_calls(h, picks)
    check_mistakes(h, picks)


if __name__ == "__main__":
    sys.exit(harness.main(test))
