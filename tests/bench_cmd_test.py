"""`rota bench`: what it counts is what was answered, and a server that stops for a while shows.

    bench_cmd_test.py
"""

import json
import threading
import time

import harness


def serve(h):
    port = harness.free_port()
    server = h.spawn([h.program("examples/hello/server"), "--port=127.0.0.1:%d" % port, "--registry=none"], ready="server starting on")
    return server, "127.0.0.1:%d" % port


def bench(h, *words):
    done = h.run([h.program("tools/rota/rota"), "bench"] + list(words) + ["--json", "--quiet"])
    return done.code, json.loads(done.lines[-1]) if done.lines and done.lines[-1].startswith("{") else done.text()


def test(h):
    server, target = serve(h)
    method = "proto.HelloService/Say"

    with h.check("closed loop: each call is answered once"):
        code, said = bench(h, target, method, "-d", '{"name": "x"}', "--outstanding", "8", "--duration", "1", "--warm-up", "0")
        assert code == 0 and set(said["codes"]) == {"OK"}, said
        assert said["calls"] == said["codes"]["OK"] == said["replies"] > 100, said
        assert abs(said["calls_per_s"] * said["seconds"] / said["calls"] - 1) < 2e-5, said  # they are printed in six digits
        latency = said["latency_us"]
        assert 0 < latency["p50"] <= latency["p99"] <= latency["p99.9"] <= latency["max"], said
    with h.check("open loop: the rate is kept"):
        code, said = bench(h, target, method, "--rate", "500", "--duration", "2", "--warm-up", "0")
        # Poisson: 1000 calls, standard deviation 32.
        assert code == 0 and 840 < said["calls"] + said["unfinished"] < 1160, said
    with h.check("open loop: a stop of half a second shows in half a second's worth of calls"):
        def stop(mark):
            server.wait_line("receive:", after=mark, count=500)
            server.freeze()
            time.sleep(0.5)  # the stop is what is measured
            server.thaw()

        thread = threading.Thread(target=stop, args=(server.mark(),))
        thread.start()
        code, said = bench(h, target, method, "--rate", "500", "--duration", "3", "--warm-up", "0")
        thread.join()
        # A sixth of the calls were due while it slept; half of those waited for more than a quarter of a second.
        assert said["latency_us"]["p90"] > 50000 and said["latency_us"]["max"] > 400000, said
    with h.check("streams count their replies"):
        code, said = bench(h, target, "grpc.health.v1.Health/Watch", "--timeout", "100", "--outstanding", "2", "--duration", "1", "--warm-up", "0")
        assert code == 1 and set(said["codes"]) == {"DEADLINE_EXCEEDED"} and said["replies"] >= said["calls"] > 4, said
    with h.check("mistakes are named"):
        assert "has no method Sing" in bench(h, target, "proto.HelloService/Sing")[1]
        assert "SERVICE/METHOD" in bench(h, target, "Say")[1]
        assert bench(h, target, method, "--rate", "0")[0] == 2
    server.terminate()
    with h.check("a server that is not there"):
        code, text = bench(h, target, method)
        assert code == 1 and "UNAVAILABLE" in text, text


harness.main(test)
