"""Mischief tried on implementations that are known to be good, so that what it calls sound is sound.

    mischief_test.py client go|py    hostile clients against that server
    mischief_test.py server go       that client against hostile servers; grpcio's breaks down over them

Where a reference does otherwise than we ask of ours, DIFFERS names it; the rest must hold.
"""

import re
import sys

import harness

MISCHIEF = [harness.PYTHON, "-u", harness.TESTS_DIR + "/peers/mischief.py"]
DIFFERS = {
    ("client", "go"): {"gzip_good", "headers_of_1_mib", "data_on_idle_stream", "method_get", "no_message"},
    ("client", "py"): {"bad_header_block", "headers_of_1_mib", "endless_headers", "even_stream", "stream_backwards",
                       "data_on_idle_stream", "window_update_of_zero", "many_streams", "content_type_json",
                       "message_over_4_mib", "message_of_4_gib", "compressed_without_encoding", "unknown_encoding",
                       "unknown_flag"},
    ("server", "go"): {"status_is_99", "status_is_negative", "status_not_a_number", "push", "headers_of_1_mib"},
}


def modes(h, side):
    """{name: what is allowed} of one side."""
    listing = h.run(MISCHIEF + ["list"])
    rows = [line.split(" ", 3) for line in listing.lines]
    return {name: allowed.split(",") for of, name, allowed, _what in rows if of == side}


def clients(h, kind):
    server = {"go": lambda: [h.peer("gopeer"), "server"], "py": lambda: h.peer_py("pyserver.py")}[kind]()
    addr = h.spawn(server).wait_line(r"listening on (\S+)$").group(1)
    names = [name for name in modes(h, "client") if name not in DIFFERS["client", kind]]
    h.check_program("hostile client, %s server" % kind, MISCHIEF + ["client", addr] + names, timeout_s=120)


def servers(h, kind):
    say = [h.peer("gopeer"), "say"]
    allowed = modes(h, "server")
    hostile = h.spawn(MISCHIEF + ["server", "all"], name="hostile servers")
    addrs = {hostile.wait_line("^%s listening on (\\S+)$" % name).group(1): name for name in allowed}
    answers = h.run(say + list(addrs), timeout_s=30)
    for line in answers.lines:
        addr, code, text = line.split(" ", 2)
        name, code = addrs.pop(addr), snake(code)
        if name in DIFFERS["server", kind]:
            continue
        with h.check("%s client, %s: %s %s" % (kind, name, code, text)):
            assert code in allowed[name], "want one of %s" % allowed[name]
    with h.check("every call has ended"):
        assert not addrs, list(addrs.values())


def snake(code):
    """UNKNOWN or Unknown, DeadlineExceeded or DEADLINE_EXCEEDED: one spelling."""
    code = code if code.isupper() else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", code).upper()
    return {"CANCELED": "CANCELLED"}.get(code, code)


def test(h):
    {"client": clients, "server": servers}[sys.argv[1]](h, sys.argv[2])


harness.main(test)
