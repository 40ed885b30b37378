"""Our interop client and probe-client fail when they should, and say what came; their flags and output are those of the description.

The other side is Debian's grpcio doing one thing wrong (py/wrong_server.py), our own server, or nobody.
"""

import os
import re
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(HERE, "py")]
import harness  # noqa: E402
from interop_pb import _bytes, _varint  # noqa: E402

# gRPC's own, as Debian packages them for Go.
CREDENTIALS = "/usr/share/gocode/src/google.golang.org/grpc/testdata"
PATIENT = ["--soak_per_iteration_max_acceptable_latency_ms=20000", "--soak_overall_timeout_seconds=50"]
SOAK_LINE = r"^thread_id: (\d+) soak iteration: (\d+) elapsed_ms: (\d+) peer: (\S+) server_uri: (\S+) (succeeded|failed: .*)$"


def same(got, want):
    assert got == want, "%.300r, expected %.300r" % (got, want)


class Client:
    def __init__(self, h):
        self.h, self.program = h, h.program("tests/interop/client")

    def command(self, port, case, *flags):
        return [self.program, "--server_host=127.0.0.1", "--server_port=" + str(port), "--test_case=" + case] + list(flags)

    def run(self, port, case, *flags, code=0):
        process = self.h.run(self.command(port, case, *flags), timeout_s=60)
        assert process.code == code, "exit code %s: %s" % (process.code, process.text())
        self.h.forget(process)
        return process


def server(h, command):
    process = h.spawn(command)
    return process, process.wait_line(r"listening on port (\d+)$", timeout_s=30).group(1)


def wrong_server(h, *flags):
    return server(h, [harness.PYTHON, "-u", os.path.join(HERE, "py", "wrong_server.py")] + list(flags))


# --- Load reports ---

def double(number, value):
    return _varint(number << 3 | 1) + struct.pack("<d", value)


def entry(number, key, value):
    """Of a map: 4 is request_cost, 5 utilization, 8 named_metrics."""
    return _bytes(number, _bytes(1, key.encode("utf-8")) + double(2, value))


RIGHT = double(1, 0.8210) + double(2, 0.5847) + entry(5, "util", 0.30499)
COST = entry(4, "cost", 3456.32)
WRONG_REPORTS = [  # what is wrong, the report of a call, what the client says, whether to try it out of band too
    ("nothing in it", b"", r"cpu_utilization is not there, expected 0\.821$", True),
    ("another value", RIGHT + double(1, 0.5) + COST, r"cpu_utilization is 0\.5, expected 0\.821$", True),
    ("an entry is missing", double(1, 0.8210) + double(2, 0.5847) + COST, r"utilization\.util is not there, expected 0\.30499$", True),
    ("another request cost", RIGHT + COST + entry(4, "other\n", 1), r"request_cost\.other\\x0a is 1, expected none$", True),
    ("a request cost of zero", RIGHT + COST + entry(4, "other", 0), r"request_cost\.other is 0, expected none$", False),
    ("another utilization", RIGHT + COST + entry(5, "more", 0.1), r"utilization\.more is 0\.1, expected none$", False),
    ("a named metric", RIGHT + COST + entry(8, "name", -1), r"named_metrics\.name is -1, expected none$", False),
    ("utilization of the application", RIGHT + COST + double(9, 0.25), r"application_utilization is 0\.25, expected none$", False),
    ("requests per second", RIGHT + COST + double(6, 7), r"rps_fractional is 7, expected none$", False),
]
DESCRIBED = '--service_config_json={"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}'


def reports(h, client):
    out_of_band = []
    for what, report, says, too in WRONG_REPORTS:
        running, port = wrong_server(h, "--report=" + report.hex())
        with h.check("a load report with %s: orca_per_rpc fails" % what):
            process = client.run(port, "orca_per_rpc", code=1)
            assert process.count("trailer: " + says) == 1, process.text()
        if too:
            out_of_band.append((what, says, running, h.spawn(client.command(port, "orca_oob", "--orca_oob_patience_seconds=3"))))
        else:
            running.terminate()
    for what, says, running, process in out_of_band:
        with h.check("a load report with %s: orca_oob fails" % what):
            same(process.wait(30), 1)
            assert process.count("out of band: " + says) == 1, process.text()
            assert "CANCELLED" not in process.text(), process.text()
        h.forget(process)
        running.terminate()
    running, port = wrong_server(h)
    with h.check("no load report: orca_per_rpc fails"):
        assert "trailer: there is no report" in client.run(port, "orca_per_rpc", code=1).text()
    running.terminate()
    running, port = wrong_server(h, "--report=" + (RIGHT + COST).hex())
    with h.check("the very report from another implementation: orca_per_rpc passes"):
        client.run(port, "orca_per_rpc")
    running.terminate()
    running, port = server(h, [h.program("tests/interop/server"), "--port=0"])
    for case in ("orca_per_rpc", "orca_oob"):
        with h.check("%s, with the policy named by the command line" % case):
            client.run(port, case, DESCRIBED)
        with h.check("%s, with another policy on the command line: it hears nothing" % case):
            process = client.run(port, case, "--service_config_json={}", "--orca_oob_patience_seconds=1", code=1)
            assert "there is no report" in process.text(), process.text()
    running.terminate()


# --- Replies ---

WRONG_REPLIES = [  # the server's flag, {case: what the client says}
    ("short", {"large_unary": "the payload is too short: 314158 bytes, expected 314159",
               "server_streaming": "the payload is too short: 31414 bytes, expected 31415",
               "ping_pong": "the payload is too short: 31414 bytes, expected 31415",
               "cancel_after_first_response": "the payload is too short: 31414 bytes, expected 31415",
               "custom_metadata": "the payload is too short: 314158 bytes, expected 314159"}),
    ("long", {"large_unary": "the payload is too long: 314160 bytes, expected 314159"}),
    ("content", {"large_unary": "the payload's byte 314158 is 0x78, expected zeros", "ping_pong": "the payload's byte 31414 is 0x78, expected zeros"}),
    ("missing", {"large_unary": "there is no payload, expected 314159 bytes", "server_streaming": "there is no payload, expected 31415 bytes"}),
    ("none", {"server_streaming": "0 replies, expected 4", "ping_pong": "the stream ended without the reply asked for",
              "cancel_after_first_response": "the stream ended without the reply asked for"}),
    ("more", {"server_streaming": "more than 4 replies", "empty_stream": "a reply that nobody asked for"}),
]


def replies(h, client):
    for reply, cases in WRONG_REPLIES:
        running, port = wrong_server(h, "--reply=" + reply)
        for case, says in cases.items():
            with h.check("replies that are wrong, %s: %s" % (reply, case)):
                same(client.run(port, case, code=1).lines, [says, case + ": failed"])
        if reply == "short":
            with h.check("replies that are wrong, short: rpc_soak"):
                process = client.run(port, "rpc_soak", "--soak_iterations=2", code=1)
                same(process.count(SOAK_LINE[:-len("(succeeded|failed: .*)$")] + "failed: the payload is too short: 314158 bytes, expected 314159$"), 2)
        running.terminate()
    with h.check("what a server says is told escaped"):
        running, port = wrong_server(h, "--message=a\x1b[2Jb\nc\u20ac\u009b")
        process = client.run(port, "empty_unary", code=1)
        same(process.lines[0], 'the call ended with ABORTED "a\\x1b[2Jb\\x0ac\u20ac\\xc2\\x9b", expected OK')
        running.terminate()


def nobody(h, client):
    for case in ("cancel_after_begin", "timeout_on_sleeping_server"):
        with h.check("no server: %s fails" % case):
            process = client.run(harness.free_port(), case, code=1)
            said = [line for line in process.lines if not line.startswith("channel: ")]  # what the library logs
            assert len(said) == 2 and "UNAVAILABLE" in said[0] and said[1] == case + ": failed", process.text()


def cancelled(h, client):
    running, port = wrong_server(h)
    with h.check("cancel_after_begin: the server hears of the call"):
        client.run(port, "cancel_after_begin")
        running.wait_line("^a call of StreamingInputCall$")
    running.terminate()


# --- Soaks ---

def soaks(h, client, port):
    uri = "127.0.0.1:%s" % port
    for case, threads in (("rpc_soak", 1), ("channel_soak", 1), ("rpc_soak", 2), ("channel_soak", 2)):
        with h.check("%s, %d threads: a line for each iteration" % (case, threads)):
            process = client.run(port, case, "--soak_iterations=6", "--soak_num_threads=%d" % threads, *PATIENT)
            lines = [match.groups() for match in (re.match(SOAK_LINE, line) for line in process.lines) if match]
            same(sorted(line[:2] for line in lines), sorted((str(i), str(j)) for i in range(threads) for j in range(6 // threads)))
            same({line[3:] for line in lines}, {(uri, uri, "succeeded")})
    with h.check("iterations that are too slow are failures"):
        process = client.run(port, "rpc_soak", "--soak_iterations=3", "--soak_per_iteration_max_acceptable_latency_ms=0", code=1)
        same(process.count(r" failed: \S+ ms exceeds max acceptable latency: 0 ms$"), 3)
        assert "3 iterations, 3 failed" in process.text() and "3 failures, at most 0 are allowed" in process.text(), process.text()
    with h.check("no server: a line for each iteration"):
        process = client.run(harness.free_port(), "rpc_soak", "--soak_iterations=2", code=1)
        same(process.count(r"^thread_id: 0 soak iteration: \d elapsed_ms: \d+ peer: unknown server_uri: \S+ failed: UNAVAILABLE \".+\"$"), 2)
    with h.check("the lines are on standard error"):
        silent = h.run(["/bin/sh", "-c", 'exec "$@" 2>/dev/null', "sh"] + client.command(port, "rpc_soak", *PATIENT))
        same(silent.lines, ["rpc_soak: passed"])
    with h.check("nobody waits after the last iteration"):
        start_s = time.monotonic()
        client.run(port, "rpc_soak", "--soak_iterations=1", "--soak_min_time_ms_between_rpcs=20000", *PATIENT)
        assert time.monotonic() - start_s < 15
    with h.check("nobody waits beyond the end"):
        start_s = time.monotonic()
        process = client.run(port, "rpc_soak", "--soak_iterations=2", "--soak_min_time_ms_between_rpcs=20000", "--soak_overall_timeout_seconds=1", code=1)
        assert time.monotonic() - start_s < 15 and "1 of 2 iterations within 1 s" in process.text(), process.text()
    with h.check("a soak without iterations is refused"):
        assert "--soak_iterations: at least 1" in client.run(port, "rpc_soak", "--soak_iterations=0", code=2).text()


# --- Flags and output ---

def flags(h, client, port):
    with h.check("flags that are empty say nothing"):
        process = client.run(port, "empty_unary", "--service_config_json=", "--additional_metadata=", "--server_host_override=", "--ca_file=",
                             "--custom_credentials_type=", "--use_alts=false")
        same(process.lines, ["empty_unary: passed"])
    with h.check("flags that other clients take"):
        process = client.run(port, "empty_unary", "--alts_handshaker_service_address=", "--google_c2p_universe_domain=googleapis.com",
                             "--do_not_abort_on_transient_failures=false", "--log_metadata_and_status", "--enable_observability=false")
        same(process.count("is ignored: no case here needs it"), 5)
    for flag, says in (("--use_alts=true", "--use_alts: there is no ALTS here"), ("--use_alts", "--use_alts: there is no ALTS here"),
                       ("--custom_credentials_type=google_default_credentials", "--custom_credentials_type: there are no google_default_credentials here")):
        with h.check("%s is refused" % flag):
            same(client.run(port, "empty_unary", flag, code=2).lines, ["interop: " + says])
    with h.check("keys of additional metadata may be in upper case"):
        client.run(port, "empty_unary", "--additional_metadata=X-Some-Key:Value;Y-BIN:Z")
    for what, command in (("a case", client.command(port, "empty_unary")), ("the list", client.command(port, "list")),
                          ("--help", [client.program, "--help"]), ("probe-client", [h.program("tests/interop/probe-client"), "127.0.0.1", port] + ["1"] * 3)):
        with h.check("standard output that takes nothing, %s: no success" % what):
            process = h.run(["/bin/sh", "-c", 'exec "$@" >/dev/full', "sh"] + command)
            assert process.code == 1 and "standard output: No space left on device" in process.text(), (process.code, process.text())


def credentials(h, client):
    """The recipe of README.md."""
    if not os.path.exists(CREDENTIALS):
        print("gRPC's test credentials are left out: no %s (package golang-google-grpc-dev)" % CREDENTIALS, flush=True)
        return
    running, port = server(h, [h.program("tests/interop/server"), "--port=0", "--use_tls=true", "--tls_cert_file=%s/server1.pem" % CREDENTIALS,
                               "--tls_key_file=%s/server1.key" % CREDENTIALS])
    for more in ([], ["--use_test_ca=true"]):
        with h.check(" ".join(["gRPC's test credentials"] + more)):
            client.run(port, "large_unary", "--use_tls=true", "--ca_file=%s/ca.pem" % CREDENTIALS, "--server_host_override=foo.test.google.fr", *more)
    with h.check("gRPC's test credentials are not those of --use_test_ca"):
        process = client.run(port, "empty_unary", "--use_tls=true", "--use_test_ca=true", "--server_host_override=foo.test.google.fr", code=1)
        assert "issuer that is not trusted" in process.text(), process.text()
    running.terminate()


def probe(h, port):
    program = h.program("tests/interop/probe-client")
    with h.check("probe-client --help"):
        process = h.run(["/bin/sh", "-c", 'exec "$@" 2>/dev/null', "sh", program, "--help"])
        assert process.code == 0 and "DEADLINE_MS" in process.text(), process.text()
    with h.check("probe-client, a deadline that has passed at once"):
        process = h.run([program, "127.0.0.1", port, "0", "2", "0"])
        assert process.code == 0 and process.count(r"^code=4 msg=.+ size=0$") == 2, process.text()
    with h.check("probe-client shows a long message whole"):
        running, rude = wrong_server(h, "--message=long\n" + "m" * 2000)
        process = h.run([program, "127.0.0.1", rude, "5000", "2", "0", "par"])
        same(process.lines, ["code=10 msg=%s size=0" % ("long\\x0a" + "m" * 2000)] * 2)
        running.terminate()


def test(h):
    h.peer_py("")  # skips all of it where grpcio is missing
    client = Client(h)
    nobody(h, client)
    cancelled(h, client)
    running, port = server(h, [h.program("tests/interop/server"), "--port=0"])
    soaks(h, client, port)
    flags(h, client, port)
    probe(h, port)
    running.terminate()
    credentials(h, client)
    replies(h, client)
    reports(h, client)


harness.main(test)
