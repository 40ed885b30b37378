"""The client libraries of others against a registry: etcd (so that we know the checks are right) or ours.

    registry_peers_test.py etcd|rota go|js
"""

import sys

import harness


def test(h):
    kind, client = sys.argv[1:]
    command = {"go": lambda: [h.peer("goetcd")], "js": lambda: h.peer_js("etcd3check.js")}[client]()
    registry = h.any_registry(kind)
    h.check_program("%s on %s" % (client, kind), command + ["--registry=" + registry.url], timeout_s=90)
    with h.check("it still answers"):
        registry.revision()


harness.main(test)
