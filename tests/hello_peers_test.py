"""The hello program in Go on a real etcd: three servers take turns, one drains, one dies.

Run on nothing of ours, so that a mixed fleet that fails is known to fail because of us.
"""

import re
import signal

import harness

RECEIVED = r"receive:grpc\d+"


def start_server(h, etcd, *flags):
    server = h.spawn([h.peer("goserver"), "--port=127.0.0.1:0", "--registry=" + etcd.url, "--lease=2", *flags])
    server.addr = server.wait_line(r"server starting on (\S+)").group(1)
    return server


def test(h):
    etcd = h.etcd()
    servers = [start_server(h, etcd), start_server(h, etcd, "--value=json", "--weight=3", "--zone=a"), start_server(h, etcd)]
    with h.check("all are registered under their addresses"):
        assert etcd.keys("/grpclb/") == sorted("/grpclb/grpclb_test1/" + s.addr for s in servers)
    with h.check("a log line looks like the hello program's"):
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} I \| registry put key:/grpclb/\S+ val:\S+ success$",
                        servers[0].lines[0]), servers[0].lines[0]
    with h.check("twenty calls are answered in order and shared out"):
        client = h.run([h.peer("goclient"), "--registry=" + etcd.url, "--interval=5"])
        assert client.code == 0, client.code
        answers = [m.group(1) for m in re.finditer(r'\| code:200 value:"(.*)"', client.text())]
        assert answers == ["hello grpc%d" % i for i in range(1, 21)], answers
        # The first calls may go before all three connections are up.
        counts = sorted(s.count(RECEIVED) for s in servers)
        assert sum(counts) == 20 and counts[0] >= 5, counts
    with h.check("a server drains, one comes, one is killed: at most the call in flight fails"):
        client = h.spawn([h.peer("goclient"), "--registry=" + etcd.url, "--interval=5", "--count=500"])
        client.wait_line("code:200", count=50)
        assert servers[0].terminate() == 0
        client.wait_line("discovery delete key:.*" + servers[0].addr)
        fresh = start_server(h, etcd)
        client.wait_line("discovery put key:.*" + fresh.addr)
        fresh.wait_line(RECEIVED)
        servers[1].kill()
        # Its entry stays until the lease is over, but its connection is gone: only a call in flight can fail.
        assert client.wait(20) in (0, 1)
        assert client.count(r"\| error:") <= 1, client.count(r"\| error:")
    with h.check("the killed one leaves the registry with its lease"):
        left = etcd.wait_keys("/grpclb/", 2)
        assert not any(servers[1].addr in key for key in left), left
    with h.check("SIGINT drains as well"):
        fresh.signal(signal.SIGINT)
        assert fresh.wait() == 0
        assert len(etcd.wait_keys("/grpclb/", 1)) == 1


harness.main(test)
