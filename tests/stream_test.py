"""The streaming example: all of a stream, a part of one, more than the queues hold, both ways."""

import harness

SUMS = ["sum 1", "sum 3", "sum 6"]


def test(h):
    server = h.spawn([h.program("examples/stream/server"), "127.0.0.1:0"])
    target = server.wait_line(r"serving on (\S+)").group(1)

    def client(*words):
        ended = h.run([h.program("examples/stream/client"), target, *words])
        assert ended.code == 0, (ended.code, ended.lines[-5:])
        return ended.lines

    with h.check("a stream to its end, its trailers, and a conversation"):
        assert client("3") == ["1", "2", "3", "that were 3", *SUMS]
        server.wait_line("counting to 3 for the example")
        server.wait_line("summed to 6")
    with h.check("a stream without a message"):
        assert client("0") == ["that were 0", *SUMS]
    with h.check("more than queues and windows hold"):
        lines = client("200000")
        assert lines == [str(i) for i in range(1, 200001)] + ["that were 200000", *SUMS], lines[-5:]
    with h.check("a part of one that hardly ends"):
        assert client(str(2**63), "3") == ["1", "2", "3", *SUMS]
    with h.check("the server has no call left that it would wait for"):
        assert server.terminate() == 0


harness.main(test)
