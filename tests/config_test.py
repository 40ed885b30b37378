"""Service configs that stand in the registry beside the servers: found, reloaded, refused, withdrawn.

    config_test.py etcd|rota
"""

import json
import os
import sys

import harness

SERVICE = "greeter"
KEY = "/rota/config/grpclb/" + SERVICE


def policy(name):
    return '{"loadBalancingConfig":[{"%s":{}}]}' % name


class Client:
    """A channel that says for every pick which policy made it, and what it logs."""

    def __init__(self, h, target):
        self.process = h.spawn([h.program("tools/rota/rota"), "watch", target, "--picks", "--every", "20"], name="picks")

    def wait_policy(self, name, timeout_s=5):
        self.process.wait_line(r"^  [* ] %s\b" % name, timeout_s=timeout_s, after=self.process.mark())

    def check_calls(self, name):
        """The next picks are this policy's, and none fails."""
        mark = self.process.mark()
        self.process.wait_line(r"^  [* ] %s\b" % name, after=mark, count=15)
        assert self.process.count(r" FAIL ", after=mark) == 0, "\n".join(self.process.lines[-40:])


def start_server(h, registry):
    server = h.spawn([h.program("examples/hello/server"), "--port=127.0.0.1:0", "--service=" + SERVICE, "--registry=" + registry.target("")[:-1]])
    server.wait_line(r"registry put key")
    return server


def endpoints(h, target):
    return json.loads(h.run([h.program("tools/rota/rota"), "endpoints", "--json", target]).text())


def check_hot_reload(h, registry, target):
    client = Client(h, target)
    watch = h.spawn([h.program("tools/rota/rota"), "watch", target], name="watch")
    with h.check("none: the default, pick_first"):
        watch.wait_line(r"\* no service config$")
        client.wait_policy("pick_first")
        assert "service_config" not in endpoints(h, target)
    with h.check("one is put: clients follow within a second"):
        registry.ctl("put", KEY, policy("round_robin"))
        watch.wait_line(r"\* service config of etcd key %s, revision \d+: \{.*round_robin" % KEY)
        client.wait_policy("round_robin", 1)
        client.check_calls("round_robin")
    with h.check("a client that starts has it from its first pick on"):
        fresh = h.run([h.program("tools/rota/rota"), "watch", target, "--picks", "--every", "1", "--count", "3"])
        assert "round_robin" in fresh.text() and not any(line.startswith("    pick_first: the") for line in fresh.lines), fresh.text()
    with h.check("a bad one is told, and the good one stays"):
        registry.ctl("put", KEY, '{"loadBalancingConfig":[{"no_such_policy":{}}]}')
        watch.wait_line("no_such_policy")
        client.check_calls("round_robin")
        registry.ctl("put", KEY, "{nonsense")
        watch.wait_line(r"! service config of etcd key %s, revision \d+ makes no sense.*line 1" % KEY)
        client.check_calls("round_robin")
    with h.check("the next good one counts"):
        registry.ctl("put", KEY, policy("least_request"))
        client.wait_policy("least_request", 2)
    with h.check("it is listed beside the servers"):
        listing = endpoints(h, target)
        assert listing["service_config"] == json.loads(policy("least_request")) and KEY in listing["service_config_origin"], listing
        assert len(listing["endpoints"]) == 2 and listing["skipped"] == 0, listing
    with h.check("withdrawn: the default again"):
        registry.ctl("del", KEY)
        client.wait_policy("pick_first", 2)
    client.process.terminate()
    watch.terminate()


def check_choices(h, registry, target):
    for_us = os.uname().nodename

    def chosen(choices):
        registry.ctl("put", KEY, json.dumps(choices))
        return endpoints(h, target).get("service_config")

    everybody = {"serviceConfig": {"for": "everybody"}}
    with h.check("the canary by host name"):
        assert chosen([{"clientHostname": [for_us], "serviceConfig": {"for": "us"}}, everybody]) == {"for": "us"}
        assert chosen([{"clientHostname": [for_us + "x"], "serviceConfig": {"for": "us"}}, everybody]) == {"for": "everybody"}
    with h.check("the canary by language"):
        assert chosen([{"clientLanguage": ["go", "c"], "serviceConfig": {"for": "us"}}, everybody]) == {"for": "us"}
        assert chosen([{"clientLanguage": ["go"], "serviceConfig": {"for": "us"}}]) is None
    with h.check("the canary by percentage"):
        assert chosen([{"percentage": 0, "serviceConfig": {"for": "few"}}, everybody]) == {"for": "everybody"}
        assert chosen([{"percentage": 100, "serviceConfig": {"for": "all"}}, everybody]) == {"for": "all"}
    with h.check("one bad choice makes the list invalid"):
        assert chosen([everybody, {"percentage": 101, "serviceConfig": {}}]) is None
        assert "percentage" in endpoints(h, target)["service_config_problem"]
    registry.ctl("del", KEY)


def check_other_keys(h, registry):
    with h.check("another key by config=, and none"):
        registry.ctl("put", "/mine", policy("round_robin"))
        assert endpoints(h, registry.target(SERVICE) + "?config=/mine")["service_config"] == json.loads(policy("round_robin"))
        assert "service_config" not in endpoints(h, registry.target(SERVICE) + "?config=")


def check_outage(h, registry, target):
    registry.ctl("put", KEY, policy("round_robin"))
    client = Client(h, target)
    client.wait_policy("round_robin")
    with h.check("the registry hangs: the config stays"):
        registry.freeze()
        client.check_calls("round_robin")
        registry.thaw()
        client.check_calls("round_robin")
    client.process.terminate()


def test(h, kind):
    registry = h.any_registry(kind)
    target = registry.target(SERVICE)
    for _ in range(2):
        start_server(h, registry)
    check_hot_reload(h, registry, target)
    check_choices(h, registry, target)
    check_other_keys(h, registry)
    check_outage(h, registry, target)


if __name__ == "__main__":
    sys.exit(harness.main(lambda h: test(h, sys.argv[1])))
