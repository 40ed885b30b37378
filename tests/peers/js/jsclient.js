// Tries a server of the Peer service (peer.proto) with @grpc/grpc-js.
//
//   node jsclient.js HOST:PORT [CHECK ...]
//
// Prints ok or FAIL per check, then the totals; exit code 1 when one failed.
'use strict';
const assert = require('assert');
const {grpc, Peer} = require('./peer');

const {status} = grpc;
const [addr, ...names] = process.argv.slice(2);
const peer = new Peer(addr, grpc.credentials.createInsecure());
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const within = (ms) => ({deadline: Date.now() + ms});

// A unary call to its end: the reply or error, with all metadata.
function unary(msg, {metadata = new grpc.Metadata(), options = within(10000), cancelAfterMs} = {}) {
  return new Promise((done) => {
    const result = {};
    const call = peer.Unary(msg, metadata, options, (error, reply) => Object.assign(result, {error, reply}));
    call.on('metadata', (initial) => { result.initial = initial; });
    call.on('status', (end) => { result.status = end; setImmediate(() => done(result)); });
    if (cancelAfterMs) setTimeout(() => call.cancel(), cancelAfterMs);
  });
}

// A streaming call to its end: the replies, status and initial metadata.
function collect(call) {
  return new Promise((done) => {
    const result = {replies: []};
    call.on('data', (msg) => result.replies.push(msg));
    call.on('metadata', (initial) => { result.initial = initial; });
    call.on('error', () => {}); // the status says it
    call.on('status', (end) => { result.status = end; setImmediate(() => done(result)); });
  });
}

function wantStatus(result, code, details) {
  assert.strictEqual(status[result.status.code], status[code], result.status.details);
  if (details !== undefined) assert.strictEqual(result.status.details, details);
}

async function echo(size = 5) {
  const body = Buffer.alloc(size, 'x');
  const result = await unary({body, text: 'hi'});
  wantStatus(result, status.OK);
  assert(result.reply.body.equals(body), 'the body differs');
  assert.deepStrictEqual([result.reply.count, result.reply.text], [1, 'hi']);
}

function someMetadata() {
  const metadata = new grpc.Metadata();
  for (const [key, value] of [['x-echo-a', 'one'], ['x-echo-a', 'two'], ['x-echo-b-bin', Buffer.from([0, 255, 10])],
    ['x-trail-c', 'three'], ['x-trail-d-bin', Buffer.from([1])], ['x-trail-d-bin', Buffer.from([2, 3])],
    ['x-other', 'four']]) {
    metadata.add(key, value);
  }
  return metadata;
}

function wantMetadata({initial, status: {metadata: trailers}}) {
  assert.deepStrictEqual(initial.get('x-echo-a').join(', '), 'one, two'); // node joins the values of a key
  assert.deepStrictEqual(initial.get('x-echo-b-bin'), [Buffer.from([0, 255, 10])]);
  assert.deepStrictEqual(trailers.get('x-trail-c'), ['three']);
  assert.deepStrictEqual(Buffer.concat(trailers.get('x-trail-d-bin')), Buffer.from([1, 2, 3]));
  assert.deepStrictEqual(initial.get('x-other').concat(trailers.get('x-other')), []);
}

const checks = {
  unary_echo: () => echo(),
  unary_empty: () => echo(0),
  unary_1_mib: () => echo(1 << 20),
  async unary_request_over_4_mib_is_refused() {
    wantStatus(await unary({body: Buffer.alloc(5 << 20)}), status.RESOURCE_EXHAUSTED);
    await echo();
  },
  async unary_message_of_any_text() {
    const text = 'größer 100% \n\t語 %41';
    wantStatus(await unary({code: 9, text}), status.FAILED_PRECONDITION, text);
  },
  async unary_every_code() {
    for (let code = 1; code <= 16; code++) wantStatus(await unary({code, text: 'code ' + code}), code, 'code ' + code);
  },
  async unary_unknown_method() {
    const bytes = (data) => data;
    const error = await new Promise((done) => peer.makeUnaryRequest(
      '/peer.Peer/None', bytes, bytes, Buffer.alloc(0), within(10000), (e) => done(e)));
    assert.strictEqual(error && error.code, status.UNIMPLEMENTED);
  },
  async unary_deadline_is_kept() {
    const start = Date.now();
    wantStatus(await unary({delay_ms: 5000}, {options: within(200)}), status.DEADLINE_EXCEEDED);
    assert(Date.now() - start < 2000, `ended after ${Date.now() - start} ms`);
  },
  async unary_deadline_is_carried() {
    const {status: {metadata}} = await unary({}, {options: within(5000)});
    const left = Number(metadata.get('x-timeout-ms')[0]);
    assert(left >= 3000 && left <= 5100, `x-timeout-ms is ${metadata.get('x-timeout-ms')}, want about 5000`);
  },
  async unary_cancel() {
    wantStatus(await unary({delay_ms: 5000}, {cancelAfterMs: 100}), status.CANCELLED);
    await echo();
  },
  async unary_metadata() {
    const result = await unary({}, {metadata: someMetadata()});
    wantStatus(result, status.OK);
    wantMetadata(result);
  },
  async unary_metadata_with_error() {
    const result = await unary({code: 7, text: 'no'}, {metadata: someMetadata()});
    wantStatus(result, status.PERMISSION_DENIED, 'no');
    wantMetadata(result);
  },
  async unary_100_at_once() {
    const results = await Promise.all([...Array(100).keys()].map((i) => unary({body: Buffer.from('call ' + i), delay_ms: 50})));
    results.forEach((result, i) => assert.strictEqual(String(result.reply && result.reply.body), 'call ' + i));
  },
  client_stream_100: () => clientStream(100, 100),
  client_stream_empty: () => clientStream(0, 0),
  client_stream_2_mib: () => clientStream(32, 65536),
  async server_stream_100() {
    const {replies, status: end} = await collect(peer.ServerStream({body: Buffer.from('z'), count: 100}, within(10000)));
    wantStatus({status: end}, status.OK);
    assert.deepStrictEqual(replies.map((r) => r.count), [...Array(100).keys()].map((i) => i + 1));
  },
  async server_stream_8_mib_slow_reader() {
    const call = peer.ServerStream({body: Buffer.alloc(65536), count: 128}, within(10000));
    const done = collect(call);
    call.pause();
    await sleep(100);
    await echo();
    call.resume();
    const result = await done;
    wantStatus(result, status.OK);
    assert.strictEqual(result.replies.length, 128);
  },
  async server_stream_status_after_replies() {
    const result = await collect(peer.ServerStream({count: 3, code: 11, text: 'that was all'}, within(10000)));
    wantStatus(result, status.OUT_OF_RANGE, 'that was all');
    assert.strictEqual(result.replies.length, 3);
  },
  async server_stream_deadline() {
    const result = await collect(peer.ServerStream({count: 1000, delay_ms: 50}, within(300)));
    wantStatus(result, status.DEADLINE_EXCEEDED);
    assert(result.replies.length > 0, 'no reply');
  },
  async server_stream_cancel() {
    const call = peer.ServerStream({count: 100000, body: Buffer.alloc(1000)});
    call.once('data', () => call.cancel());
    wantStatus(await collect(call), status.CANCELLED);
    await echo();
  },
  async bidi_ping_pong() {
    const call = peer.Bidi(within(10000));
    let sent = 0;
    const next = () => (sent < 50 ? call.write({body: Buffer.from('ping ' + ++sent), count: 1}) : call.end());
    call.on('data', next);
    const done = collect(call);
    next();
    const {replies} = await done;
    assert.deepStrictEqual(replies.map((r) => String(r.body)), [...Array(50).keys()].map((i) => 'ping ' + (i + 1)));
  },
  async bidi_replies_after_half_close() {
    const call = peer.Bidi(within(10000));
    const done = collect(call);
    for (let i = 0; i < 10; i++) call.write({count: 2, delay_ms: 5});
    call.end();
    const result = await done;
    wantStatus(result, status.OK);
    assert.strictEqual(result.replies.length, 20);
  },
  async bidi_initial_metadata_first() {
    const call = peer.Bidi(someMetadata(), within(10000));
    const done = collect(call);
    await new Promise((got) => call.on('metadata', got)); // before any message has been sent
    call.end();
    wantMetadata(await done);
  },
  async bidi_status() {
    const call = peer.Bidi(within(10000));
    const done = collect(call);
    call.write({count: 1, code: 14, text: 'gone fishing'});
    const result = await done;
    wantStatus(result, status.UNAVAILABLE, 'gone fishing');
    assert.strictEqual(result.replies.length, 1);
  },
  async bidi_cancel() {
    const call = peer.Bidi();
    call.once('data', () => call.cancel());
    const done = collect(call);
    call.write({count: 1});
    wantStatus(await done, status.CANCELLED);
    await echo();
  },
};

async function clientStream(count, size) {
  const body = Buffer.alloc(size, 'y');
  const reply = await new Promise((done, fail) => {
    const call = peer.ClientStream(within(10000), (error, msg) => (error ? fail(error) : done(msg)));
    for (let i = 0; i < count; i++) call.write({body});
    call.end();
  });
  assert.deepStrictEqual([reply.count, reply.body.length], [count, count * size]);
}

async function main() {
  const totals = {ok: 0, failed: 0};
  for (const [name, check] of Object.entries(checks)) {
    if (names.length > 0 && !names.includes(name)) continue;
    try {
      await check();
      totals.ok++;
      console.log('ok ' + name);
    } catch (error) {
      totals.failed++;
      console.log(`FAIL ${name}: ${String(error.message).replace(/\s+/g, ' ')}`);
    }
  }
  console.log(`${totals.ok} passed, ${totals.failed} failed`);
  process.exit(totals.ok > 0 && totals.failed === 0 ? 0 : 1);
}

main();
