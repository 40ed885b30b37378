"""`rota call` and `rota health` against our server and others'.

    call_test.py ours|go|cpp|py|buf|json|js|odd|slow

ours: the greeting server. go, cpp, py: grpc-go, C++ and Python, whose reflection is v1alpha. buf: another command, `buf curl`,
asks our server. json: Python's server without reflection, so that descriptors come from protoc; what our JSON becomes is compared with what
Google's own json_format makes of it. js: the same server, by the descriptors that programs in node have. odd:
a server whose reflection is at odds with itself. slow: one that takes long for each answer.
"""

import json
import os
import sys
import time

import harness

SAMPLES = os.path.join(harness.SOURCE_DIR, "src", "dynamic")


class Rota:
    """The command, with one server as its target."""

    def __init__(self, h, target):
        self.h, self.target = h, target
        self.program = h.program("tools/rota/rota")

    def run(self, verb, *words):
        return self.h.run([self.program, verb, self.target] + list(words))

    def call(self, *words, code=0):
        """The lines of a call that must end with that exit code."""
        process = self.run("call", *words)
        assert process.code == code, "exit code %s: %s" % (process.code, process.text())
        return process.lines

    def replies(self, *words):
        return [json.loads(line) for line in self.call(*words)]

    def pipe(self, text, *words):
        """A call with that on its standard input."""
        path = os.path.join(self.h.dir, "stdin")
        with open(path, "wb") as file:
            file.write(text)
        return self.h.run(["/bin/sh", "-c", 'exec "$@" <"$0"', path, self.program, "call", self.target] + list(words))


def check_calls(h, rota):
    with h.check("services are listed with their methods"):
        text = "\n".join(rota.call())
        assert "service proto.HelloService {" in text and "  rpc Say(proto.HelloRequest) returns (proto.HelloReply);" in text, text
    with h.check("a message is described"):
        assert rota.call("proto.HelloReply") == ["message proto.HelloReply {", "  int64 code = 1;", "  string value = 2;", "}"]
    with h.check("a call"):
        assert rota.replies("proto.HelloService/Say", "-d", '{"name": "a\\u00e9"}') == [{"code": "200", "value": "hello a\u00e9"}]
    with h.check("a call without data sends an empty message"):
        assert rota.replies("/proto.HelloService/Say") == [{"code": "200", "value": "hello "}]
    with h.check("JSON from a file"):
        path = os.path.join(h.dir, "request.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write('\n{"name":\n"file"}\n')
        assert rota.replies("proto.HelloService/Say", "-d", "@" + path) == [{"code": "200", "value": "hello file"}]
    with h.check("JSON from standard input, by each of its names"):
        for name in ("-", "@", "@-"):
            process = rota.pipe(b' \t\r\n{"name":"in"}\n', "proto.HelloService/Say", "-d", name)
            assert json.loads(process.text()) == {"code": "200", "value": "hello in"}, process.text()
    with h.check("data without a message in it sends an empty one"):
        assert rota.replies("proto.HelloService/Say", "-d", " ") == [{"code": "200", "value": "hello "}]
        assert json.loads(rota.pipe(b"", "proto.HelloService/Say", "-d", "@").text()) == {"code": "200", "value": "hello "}
    with h.check("unknown fields are passed over when asked for"):
        assert rota.replies("proto.HelloService/Say", "--allow-unknown-fields", "-d", '{"nam":[{}],"name":"x"}') == [{"code": "200", "value": "hello x"}]


def check_mistakes(h, rota):
    with h.check("a method that is not there"):
        assert "has no method Sing" in "\n".join(rota.call("proto.HelloService/Sing", code=1))
    with h.check("a service that is not there"):
        assert "NOT_FOUND" in "\n".join(rota.call("proto.NoService/Say", code=1))
    with h.check("a field that is not there"):
        assert "nam: proto.HelloRequest has no such field" in "\n".join(rota.call("proto.HelloService/Say", "-d", '{"nam":1}', code=2))
    with h.check("two messages where one is taken"):
        assert "takes one message, here are 2" in "\n".join(rota.call("proto.HelloService/Say", "-d", "{} {}", code=2))
    with h.check("JSON that is none"):
        assert "line 1, column" in "\n".join(rota.call("proto.HelloService/Say", "-d", '{"name"', code=2))
    with h.check("the place of what is wrong in JSON"):
        for text, place in (
                (b'{"name":"x"} xyz', "message 2: line 1, column 14: expected a value"),
                (b'{"name":"x"}\n{"name":\n 1e}', "message 2: line 3, column 2: a number that is none"),
                (b'{"name":"x\xff"}', "message 1: line 1, column 9: a string that is not UTF-8"),
                (b'{"name":"x","name":"y"}', "message 1: line 1, column 13: a key that comes twice"),
                (b'[{"name":"x"}]', "message 1: expected an object"),
                (b'{"a\\u001b[31m":1}', "message 1: a?[31m: proto.HelloRequest has no such field"),
                (b'{"a\\u009b1m":1}', "message 1: a?1m: proto.HelloRequest has no such field")):
            process = rota.pipe(text, "proto.HelloService/Say", "-d", "@")
            assert process.code == 2 and process.text().strip() == "rota call: -d @: " + place, process.text()
    with h.check("a key that may not be sent"):
        assert "grpc-x" in "\n".join(rota.call("proto.HelloService/Say", "--metadata", "grpc-x:1", code=2))
    with h.check("nobody there"):
        nobody = Rota(h, "127.0.0.1:%d" % harness.refusing_port())
        assert "UNAVAILABLE" in "\n".join(nobody.call(code=1))
        assert nobody.run("health").code == 1


def check_health(h, rota, serving, resting):
    with h.check("health"):
        process = rota.run("health")
        assert (process.code, process.lines) == (0, ["SERVING"]), process.text()
        process = rota.run("health", serving, "--json")
        assert (process.code, json.loads(process.lines[0])) == (0, {"service": serving, "status": "SERVING"}), process.text()
    with h.check("a service that health says nothing of"):
        process = rota.run("health", "no.Service")
        assert (process.code, process.lines) == (3, ["SERVICE_UNKNOWN"]), process.text()
    if resting:
        with h.check("a service that rests"):
            process = rota.run("health", resting)
            assert (process.code, process.lines) == (3, ["NOT_SERVING"]), process.text()


def check_watch(h, rota, server):
    watch = h.spawn([rota.program, "health", rota.target, "--watch"])
    with h.check("a watch hears the server leave"):
        watch.wait_line("^SERVING$")
        assert server.terminate() == 0
        watch.wait_line("^NOT_SERVING$")
        assert watch.wait(5) == 1


def check_limits(rota, h):
    method = ("proto.HelloService/Say", "-d", '{"name": "a name of some length"}')
    with h.check("--max-reply-bytes is for replies, not for what reflection answers"):
        assert rota.replies(*method, "--max-reply-bytes=100")[0]["code"] == "200"
        assert "RESOURCE_EXHAUSTED" in "\n".join(rota.call(*method, "--max-reply-bytes=10", code=1))


def check_full(rota, h):
    """Standard output is a device that takes nothing."""
    for words in (("call",), ("call", "proto.HelloService/Say"), ("call", "--help"), ("health",), ("health", "--watch"), ("endpoints",), ("watch",),
                  ("watch", "--picks")):
        with h.check("rota %s: what cannot be written is no success" % " ".join(words)):
            process = h.run(["/bin/sh", "-c", 'exec "$@" >/dev/full', "sh", rota.program, words[0], rota.target, *words[1:]], timeout_s=10)
            assert process.code == 1 and process.text().strip() == "rota %s: standard output: No space left on device" % words[0], (
                process.code, process.text())


def test_ours(h):
    # What port 0 became is not told by the greeting server.
    port = harness.free_port()
    server = h.spawn([h.program("examples/hello/server"), "--port=127.0.0.1:%d" % port, "--registry=none"], ready="server starting on")
    rota = Rota(h, "127.0.0.1:%d" % port)
    check_calls(h, rota)
    check_mistakes(h, rota)
    check_limits(rota, h)
    check_full(rota, h)
    check_health(h, rota, "proto.HelloService", None)
    h.check_program("python client", h.peer_py("services_client.py") + [rota.target])
    check_watch(h, rota, server)


def test_go(h):
    server = h.spawn([h.peer("gopeer"), "server"])
    rota = Rota(h, server.wait_line(r"peer listening on (\S+)$").group(1))
    check_calls(h, rota)
    check_mistakes(h, rota)
    check_health(h, rota, "peer.Peer", "resting")
    with h.check("a server's stream"):
        assert rota.replies("peer.Peer/ServerStream", "-d", '{"count":3,"text":"x"}') == [{"count": n, "text": "x"} for n in (1, 2, 3)]
    with h.check("a client's stream"):
        assert rota.replies("peer.Peer/ClientStream", "-d", '{"body":"YQ=="} {"body":"Yg=="}', "-d", '{"body":"Yw==","text":"t"}') == [
            {"body": "YWJj", "count": 3, "text": "t"}]
    with h.check("a client's stream of nothing"):
        assert rota.replies("peer.Peer/ClientStream") == [{}]
    with h.check("streams both ways"):
        assert len(rota.replies("peer.Peer/Bidi", "-d", '{"count":2} {"count":1}')) == 3
    with h.check("many messages both ways, more than any queue holds"):
        path = os.path.join(h.dir, "many.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps({"count": 1, "text": "y" * 1000}) * 3000)
        assert len(rota.replies("peer.Peer/Bidi", "-d", "@" + path)) == 3000
    with h.check("a status that is not OK"):
        assert rota.call("peer.Peer/Unary", "-d", '{"code":5,"text":"not here"}', code=1) == ["NOT_FOUND: not here"]
    with h.check("metadata there and back"):
        lines = rota.call("peer.Peer/Unary", "--verbose", "--metadata", "x-echo-a: 1", "--metadata=x-trail-b=2")
        assert "< x-echo-a: 1" in lines and "< x-trail-b: 2" in lines, lines
    with h.check("binary metadata is base64"):
        for sent, back in (("AAEC/w==", "AAEC/w"), ("AAEC/w", "AAEC/w"), ("", ""), ("/" * 300, "/" * 300)):
            lines = rota.call("peer.Peer/Unary", "--verbose", "--metadata", "x-echo-c-bin: " + sent)
            assert "< x-echo-c-bin: " + back in lines, lines
    with h.check("a deadline"):
        lines = rota.call("peer.Peer/Unary", "-d", '{"delay_ms":9000}', "--timeout", "1000", code=1)
        assert lines[0].startswith("DEADLINE_EXCEEDED: "), lines
    with h.check("the server ends in order"):
        assert server.terminate() == 0


def test_cpp(h):
    server = h.spawn([h.peer("cppinterop"), "server", "--port=0"])
    rota = Rota(h, "127.0.0.1:" + server.wait_line(r"listening on port (\d+)$").group(1))
    service = "grpc.testing.TestService"
    with h.check("services are listed"):
        text = "\n".join(rota.call())
        assert "service %s {" % service in text and "UnaryCall(" in text, text
    check_health(h, rota, "", None)  # C++ speaks of the whole server only
    with h.check("a call"):
        assert rota.replies(service + "/UnaryCall", "-d", '{"responseSize":3}') == [{"payload": {"body": "AAAA"}}]
    with h.check("streams"):
        asked = '{"responseParameters":[{"size":1},{"size":2}]}'
        assert len(rota.replies(service + "/StreamingOutputCall", "-d", asked)) == 2
        assert rota.replies(service + "/StreamingInputCall", "-d", '{"payload":{"body":"AAAA"}} {"payload":{"body":"AA=="}}') == [
            {"aggregatedPayloadSize": 4}]
        assert len(rota.replies(service + "/FullDuplexCall", "-d", asked + asked)) == 4
    with h.check("a status that is not OK"):
        lines = rota.call(service + "/UnaryCall", "-d", '{"responseStatus":{"code":7,"message":"no"}}', code=1)
        assert lines == ["PERMISSION_DENIED: no"], lines


def test_buf(h):
    buf = h.npm_tool("buf")
    port = harness.free_port()
    h.spawn([h.program("examples/hello/server"), "--port=127.0.0.1:%d" % port, "--registry=none"], ready="server starting on")
    url = "http://127.0.0.1:%d" % port
    for version in ("grpc-v1", "grpc-v1alpha"):
        curl = buf + ["curl", "--http2-prior-knowledge", "--protocol=grpc", "--reflect-protocol=" + version]
        with h.check("buf curl lists by " + version):
            assert "proto.HelloService/Say" in h.run(curl + ["--list-methods", url]).lines
        with h.check("buf curl calls by " + version):
            reply = h.run(curl + ["-d", '{"name":"buf"}', url + "/proto.HelloService/Say"])
            assert json.loads(reply.text()) == {"code": "200", "value": "hello buf"}, reply.text()


KNOWN = [
    "{}",
    '{"any":{"@type":"type.googleapis.com/sample.Shapes","numbers":[1,-1],"byName":{"a":2},"maybe":0,"otherOne":""}}',
    '{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.5s"}}',
    '{"any":{"@type":"type.googleapis.com/sample.old.Old","text":"x","number":0,"loose":[1,2],"packed":[3]}}',
    '{"time":"2021-10-13T15:32:35.777148Z","times":["0001-01-01T00:00:00Z","1969-12-31T23:59:59.5+02:00","2000-02-29T12:00:00.000000001Z"]}',
    '{"span":"-0.5s"}', '{"span":"315576000000s"}', '{"mask":"aB,c.dE"}', '{"empty":{}}',
    '{"object":{"a":1.5,"b":[null,true,"x",{"c":{}}],"d":-3}}', '{"value":null}', '{"value":"x"}', '{"list":[1,[],{}]}',
    '{"values":{"a":null,"b":false}}', '{"real":0,"long":"-9223372036854775808","text":"","data":"-_8=","flag":false}',
    '{"value":18446744073709551615}', '{"object":{"a":9223372036854775808,"b":-0.0}}', '{"old":{"text":"","number":7}}',
    '{"old":{"text":"x","inner":{"a":1},"[sample.old.extra]":0,"[sample.old.Elsewhere.inside]":{"flag":true}}}',
]
SHAPES = [
    '{"inner":{"a":1},"numbers":[0,1],"loose":[5,-5],"texts":["","\\u00e9\\ud83d\\ude00"],"inners":[{},{"b":2}],"byLong":{"-7":{}},'
    '"byFlag":{"true":"RED","false":"DARK"},"renamed":null,"@odd\\"name":3,"colours":["GREY",1,-1]}',
    '{"one":0}', '{"third":{}}', '{"deeper":{"deeper":{"maybe":-1}}}',
]
SCALARS = [
    '{"real":0.1,"single":0.1,"long":"-1","ulong":"18446744073709551615","number":-2147483648,"f64":1,"f32":4294967295,"flag":true,'
    '"text":"a\\"\\\\\\n\\u0000","data":"AAEC","unsigned":4294967295,"colour":"RED","sf32":-1,"sf64":"-1","s32":-2147483648,"s64":"-9223372036854775808"}',
    '{"real":"NaN"}', '{"real":"-Infinity","single":"Infinity"}', '{"real":1e300,"single":3.4028234e38}', '{"real":5e-324,"single":1e-45}',
    '{"real":123456789.125,"single":16777216}',
]


def python_messages(h, *words):
    """Google's json_format, and the modules that protoc makes for it, which can then be imported."""
    try:
        sys.path.insert(0, h.dir)
        from google.protobuf import json_format
    except ImportError:
        raise harness.Skip("no protobuf for Python (package python3-protobuf)") from None
    made = h.run([h.tool("protoc", "protobuf-compiler"), "--python_out=" + h.dir] + list(words))
    assert made.code == 0, made.text()
    return json_format


def test_py(h):
    reflection = os.path.join(harness.SOURCE_DIR, "proto", "grpc", "reflection", "v1alpha")
    python_messages(h, "-I" + SAMPLES, "-I" + reflection, "sample.proto", "sample_old.proto", "reflection.proto")
    server = h.spawn(h.peer_py("sample_server.py") + [h.dir, "--reflection"])
    rota = Rota(h, server.wait_line(r"peer listening on (\S+)$").group(1))
    with h.check("services are listed with their methods"):
        text = "\n".join(rota.call())
        assert "service sample.Sampler {" in text and "  rpc Up(stream sample.Scalars) returns (sample.Shapes);" in text, text
    with h.check("a message is described"):
        assert "  google.protobuf.Any any = 1;" in rota.call("sample.Known"), rota.call("sample.Known")
    with h.check("calls and streams"):
        assert rota.replies("sample.Sampler/Echo", "-d", KNOWN[1]) == [json.loads(KNOWN[1])]
        assert rota.replies("sample.Sampler/Up", "-d", '{"number":1}{"number":2}') == [{"numbers": [1, 2]}]
        assert rota.replies("sample.Sampler/Down", "-d", '{"numbers":[1,0]}') == [{"number": 1}, {}]
    with h.check("a service and a method that are not there"):
        assert "NOT_FOUND" in "\n".join(rota.call("no.Service/Echo", code=1))
        assert "has no method Sing" in "\n".join(rota.call("sample.Sampler/Sing", code=1))


def test_json(h):
    descriptors = os.path.join(h.dir, "sample.pb")
    json_format = python_messages(h, "-I" + SAMPLES, "--include_imports", "--descriptor_set_out=" + descriptors, "sample.proto", "sample_old.proto")
    import sample_pb2

    server = h.spawn(h.peer_py("sample_server.py") + [h.dir])
    rota = Rota(h, server.wait_line(r"peer listening on (\S+)$").group(1))

    def check(method, kind, texts):
        want = [json_format.MessageToDict(json_format.Parse(text, kind())) for text in texts]
        for text, one in zip(texts, want):
            with h.check("%s %s" % (method, text)):
                got = rota.replies("--descriptors", descriptors, "sample.Sampler/" + method, "-d", text)
                assert got == [one], "%s, not %s" % (got, one)

    check("Echo", sample_pb2.Known, KNOWN)
    check("Both", sample_pb2.Shapes, SHAPES)
    with h.check("scalars"):
        for text in SCALARS:
            any_text = json.dumps({"any": dict(json.loads(text), **{"@type": "a.b/sample.Scalars"})})
            got = rota.replies("--descriptors", descriptors, "sample.Sampler/Echo", "-d", any_text)
            want = json_format.MessageToDict(json_format.Parse(any_text, sample_pb2.Known()))
            assert got == [want], "%s, not %s" % (got[0], want)
    with h.check("whole numbers that need all 64 bits, without quotes"):
        for text in ('{"ulong":18446744073709551615,"f64":9223372036854775808,"text":"18446744073709551616\\""}', '{"real":100000000000000000000}',
                     '{"real":-100000000000000000000,"ulong":0}'):
            any_text = text.replace("{", '{"any":{"@type":"a.b/sample.Scalars",', 1) + "}"
            got = rota.replies("--descriptors", descriptors, "sample.Sampler/Echo", "-d", any_text)
            want = json_format.MessageToDict(json_format.Parse(any_text, sample_pb2.Known()))
            assert got == [want], "%s, not %s" % (got[0], want)
        for text in ('{"ulong":18446744073709551616}', '{"long":9223372036854775808}', '{"real":1e999}'):
            words = ["--descriptors", descriptors, "sample.Sampler/Up", "-d", text]
            assert rota.run("call", *words).code == 2, text
    with h.check("streams"):
        assert rota.replies("--descriptors", descriptors, "sample.Sampler/Up", "-d", '{"number":1}{"number":2}') == [{"numbers": [1, 2]}]
        assert rota.replies("--descriptors", descriptors, "sample.Sampler/Down", "-d", '{"numbers":[1,0]}') == [{"number": 1}, {}]
    with h.check("a message of proto2 is described"):
        assert rota.call("--descriptors", descriptors, "sample.old.Old")[1:5] == [
            "  optional int32 number = 1;", "  repeated int32 loose = 2;", "  repeated int32 packed = 3;", "  required string text = 4;"]
    with h.check("no reflection is said so"):
        for words in ((), ("sample.Sampler",), ("sample.Sampler/Echo",)):
            text = "\n".join(rota.call(*words, code=1))
            assert "UNIMPLEMENTED: " in text and "(--descriptors FILE)" in text, text
    with h.check("a file of descriptors that is not there is named"):
        assert rota.call("--descriptors", "/nowhere/x.pb", code=1) == ["rota call: /nowhere/x.pb: No such file or directory"]
    with h.check("no health is said so"):
        assert rota.run("health").code == 1


def test_js(h):
    descriptors = os.path.join(h.dir, "js.pb")
    made = h.run(h.peer_js("descriptors.js") + [os.path.join(SAMPLES, "sample.proto"), descriptors])
    assert os.path.exists(descriptors), made.text()
    python_messages(h, "-I" + SAMPLES, "sample.proto", "sample_old.proto")
    server = h.spawn(h.peer_py("sample_server.py") + [h.dir])
    rota = Rota(h, server.wait_line(r"peer listening on (\S+)$").group(1))
    with h.check("types by less than their full names are found"):
        lines = rota.call("--descriptors", descriptors, "sample.Shapes")
        assert "  sample.Shapes.Inner inner = 1;" in lines and "  map<bool, sample.Colour> by_flag = 8;" in lines, lines
    with h.check("calls"):
        for text in (KNOWN[1], KNOWN[9]):
            got = rota.replies("--descriptors", descriptors, "sample.Sampler/Echo", "-d", text)
            assert got == [json.loads(text)], got
        assert rota.replies("--descriptors", descriptors, "sample.Sampler/Both", "-d", SHAPES[2]) == [json.loads(SHAPES[2])]


def odd_server(h, *words):
    python_messages(h, "-I" + os.path.join(harness.SOURCE_DIR, "proto", "grpc", "reflection", "v1"), "reflection.proto")
    server = h.spawn(h.peer_py("odd_server.py") + [h.dir] + list(words))
    return Rota(h, server.wait_line(r"peer listening on (\S+)$").group(1))


def harmless(text):
    """Nothing in it could steer a terminal."""
    return not any(c < " " and c != "\n" or "\x7f" <= c < "\xa0" for c in text)


def service_line(lines, name):
    return next((line for line in lines if line.startswith("service %s " % name)), "none")


def test_odd(h):
    rota = odd_server(h)
    process = rota.run("call")
    good = "  rpc Do(good.Note) returns (good.Note);"
    with h.check("services before and behind bad ones are listed with their methods"):
        text = process.text()
        assert "service good.First {\n" + good in text and "service good.Last {\n" + good in text, text
    for name, why in (("good.Same", "a file of the same name as another service's"), ("good.Copy", "a type of its own that another service's file declares, too")):
        with h.check("a service is listed that has " + why):
            assert "service %s {\n%s" % (name, good) in text, text
    for name, why in (("bad.Zero", "UNKNOWN: reflection: zero ?[31m?2J?"), ("bad.Number", "UNKNOWN: reflection: ninety-nine"),
                      ("bad.Import", "INTERNAL: reflection: an import, none.proto, is not there"),
                      ("bad.Link", "bad.Link refers to no.Where, which no known file declares"), ("bad.Twice", "good.Note is declared twice"),
                      ("bad.Bytes", "malformed or cut off"), ("bad.Stream", "INTERNAL: no more of this")):
        with h.check("why %s has no methods is told" % name):
            assert why in service_line(process.lines, name), process.text()
    with h.check("what the server does not tell is said so"):
        for name in ("by.Hand", "bad.Other", "?[31m?2J?"):
            assert service_line(process.lines, name).endswith(" (the server does not tell its methods)"), process.text()
    with h.check("the exit code says that methods are missing"):
        assert process.code == 1, process.code
    with h.check("no text of the server's steers the terminal"):
        health = rota.run("health")
        assert health.code == 1 and "INTERNAL: ill ?[31m?2J?" in health.text(), health.text()
        assert harmless(process.text() + health.text())
    with h.check("metadata goes with the questions too"):
        asked = odd_server(h, "--token")
        assert "UNAUTHENTICATED: who are you?" in "\n".join(asked.call("good.First/Do", code=1))
        assert asked.replies("good.First/Do", "--metadata", "x-token: secret") == [{}]
        bench = asked.run("bench", "good.First/Do", "--metadata=x-token:secret", "--duration=1", "--warm-up=0", "--outstanding=1", "--json", "--quiet")
        assert list(json.loads(bench.lines[-1])["codes"]) == ["OK"], bench.text()


def test_slow(h):
    rota = odd_server(h, "--slow=6")
    with h.check("--timeout holds for reflection too"):
        begin = time.monotonic()
        assert "DEADLINE_EXCEEDED" in "\n".join(rota.call("good.First/Do", "--timeout", "500", code=1))
        assert time.monotonic() - begin < 4
    for words, why in ((["--chain=0"], "RESOURCE_EXHAUSTED: reflection: the files are too large together"),
                       (["--chain=0.3"], "DEADLINE_EXCEEDED: ")):
        with h.check("a server that has ever new imports: " + why):
            lines = odd_server(h, *words).call("good.Chain", "--timeout", "60000" if why.startswith("RES") else "1500", code=1)
            assert why in lines[-1], lines
    with h.check("each question has its ten seconds, not all together"):
        assert rota.call() == ["service good.First {", "  rpc Do(good.Note) returns (good.Note);", "}"]


harness.main({"ours": test_ours, "go": test_go, "cpp": test_cpp, "py": test_py, "buf": test_buf, "json": test_json, "js": test_js, "odd": test_odd, "slow": test_slow}[sys.argv[1]])
