"""Mixed fleets: servers and clients, ours and those in Go, in one service.

    fleet_test.py etcd|rota
"""

import json
import re
import sys

import fleet
import harness

SERVERS = {"our": fleet.our_server, "Go": fleet.go_server}
CLIENTS = {"our": fleet.our_client, "Go": fleet.go_client}


def answers(client):
    return [match.group(1) for match in re.finditer(r'\| code:200 value:"(.*)"', client.text())]


def rotates(order, n):
    """Whether any n calls in a row went to n servers."""
    return all(len(set(order[i:i + n])) == n for i in range(len(order) - n + 1))


def pairs(h, registry):
    """Every kind of server with every kind of client, as the demo has it: three servers, twenty calls."""
    for server_kind, start_server in SERVERS.items():
        for client_kind, start_client in CLIENTS.items():
            name = "%s servers, %s client" % (server_kind, client_kind)
            service = "pair_%s_%s" % (server_kind, client_kind)
            servers = [start_server(h, registry.addr, "--service=" + service) for _ in range(3)]
            client = start_client(h, registry.addr, "--service=" + service, "--interval=5")
            with h.check(name + ": every call is answered, in order"):
                assert client.wait() == 0, client.code
                assert answers(client) == ["hello grpc%d" % i for i in range(1, 21)], answers(client)
            with h.check(name + ": the calls are shared out"):
                took = fleet.turns(servers, 20)
                order = [took[i].addr for i in range(1, 21)]
                # grpc-go's client does not wait for all connections before its first calls.
                begun = 0 if client_kind == "our" else 8
                assert rotates(order[begun:], 3), order
                if client_kind == "our":
                    assert sorted(order.count(s.addr) for s in servers) == [6, 7, 7], order
            with h.check(name + ": the servers leave the registry when they are ended"):
                assert [s.terminate() for s in servers] == [0, 0, 0]
                assert registry.keys("/grpclb/%s/" % service) == []


def values(h, registry, servers):
    """What each says of itself is read by the other."""
    with h.check("all four are registered, each under its address"):
        assert registry.keys(fleet.PREFIX) == sorted(fleet.PREFIX + s.addr for s in servers)
    with h.check("our JSON value has what the Go program reads"):
        value = json.loads(registry.ctl("get", "--print-value-only", fleet.PREFIX + servers[1].addr))
        assert value["addr"] == servers[1].addr and value["weight"] == 5, value
    with h.check("rota endpoints tells weights and zones of both"):
        listed = h.run([h.program("tools/rota/rota"), "endpoints", "--json", registry.target(fleet.SERVICE)])
        assert listed.code == 0, listed.text()
        found = {e["address"]: (e.get("weight"), e.get("zone")) for e in endpoints(listed.text())}
        want = {servers[0].addr: (None, None), servers[1].addr: (5, None), servers[2].addr: (None, None), servers[3].addr: (3, "b")}
        assert found == want, found


def endpoints(text):
    document = json.loads(text)
    return document["endpoints"] if isinstance(document, dict) else document


def together(h, registry):
    """Two servers of each kind in one service, with and without JSON values; one value is no address."""
    registry.ctl("put", fleet.PREFIX + "broken", "this is no address")
    servers = [fleet.our_server(h, registry.addr), fleet.our_server(h, registry.addr, "--weight=5"),
               fleet.go_server(h, registry.addr), fleet.go_server(h, registry.addr, "--value=json", "--weight=3", "--zone=b")]
    ours = fleet.our_client(h, registry.addr, "--count=40")
    with h.check("our client goes round both kinds"):
        assert ours.wait() == 0, ours.code
        took = fleet.turns(servers, 40)
        order = [took[i].addr for i in range(1, 41)]
        assert rotates(order, 4), order
    with h.check("our client names the value that is no address"):
        assert ours.count(re.escape(fleet.PREFIX + "broken")) > 0
    registry.ctl("del", fleet.PREFIX + "broken")
    values(h, registry, servers)
    marks = [s.mark() for s in servers]
    both = [fleet.our_client(h, registry.addr, "--count=200", "--interval=2"), fleet.go_client(h, registry.addr, "--count=200", "--interval=2")]
    with h.check("both clients at once: no call fails, every server takes its quarter"):
        assert [client.wait(20) for client in both] == [0, 0]
        counts = []
        def all_told():  # a server's last line may be on its way still
            counts[:] = [s.count(fleet.RECEIVED, after=mark) for s, mark in zip(servers, marks)]
            return sum(counts) >= 400
        harness.until("400 calls to be told of", all_told, 5)
        # Only the Go client's first calls, before it has all connections, may be unevenly shared.
        assert sum(counts) == 400 and all(90 <= count <= 110 for count in counts), counts
    return servers


def leaving(h, registry, servers):
    """One of each kind drains and another comes, while a client of each kind calls."""
    clients = {kind: start(h, registry.addr, "--count=100000", "--interval=1") for kind, start in CLIENTS.items()}
    for client in clients.values():
        client.wait_line("code:200", count=50)
    for server in (servers[0], servers[2]):
        assert server.terminate() == 0, server.code
        for client in clients.values():
            client.wait_line("discovery delete key:.*" + re.escape(server.addr))
    for kind, start in SERVERS.items():
        fresh = start(h, registry.addr)
        with h.check("a new %s server is found by both clients" % kind):
            for client in clients.values():
                client.wait_line("discovery put key:.*" + re.escape(fresh.addr))
            fresh.wait_line(fleet.RECEIVED, count=100)
    for kind, client in clients.items():
        with h.check("the %s client has no call that failed" % kind):
            wrong = [line for line in client.lines if re.search(r" E \| |\| error:", line)]
            assert not wrong, "%d, the first: %s" % (len(wrong), wrong[0])
        client.kill()


def test(h):
    registry = h.any_registry(sys.argv[1])
    h.peer("goserver")
    pairs(h, registry)
    leaving(h, registry, together(h, registry))


harness.main(test)
