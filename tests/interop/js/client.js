// The interop client over @grpc/grpc-js.
//
//   node client.js --server_host=HOST --server_port=PORT --test_case=CASE [--soak_...]
//
// Exit code: 0 passed, 1 failed, 2 wrong arguments or a case that is not supported.
'use strict';
const fs = require('fs');
const {grpc, testing, zeros, flags: readFlags, INITIAL_KEY, TRAILING_KEY} = require('./interop');

const LARGE_REQUEST = 271828;
const LARGE_REPLY = 314159;
const REQUEST_SIZES = [27182, 8, 1828, 45904];
const REPLY_SIZES = [31415, 9, 2653, 58979];
const INITIAL_VALUE = 'test_initial_metadata_value';
const TRAILING_VALUE = Buffer.from([0xab, 0xab, 0xab]);

const flags = readFlags({
  server_host: 'localhost', server_port: 0, use_tls: 'false', ca_file: '', test_case: '', soak_iterations: 10, soak_max_failures: 0,
  soak_per_iteration_max_acceptable_latency_ms: 1000, soak_overall_timeout_seconds: 10,
  soak_min_time_ms_between_rpcs: 0, soak_request_size: LARGE_REQUEST, soak_response_size: LARGE_REPLY,
});

const GZIP = 2; // as the option counts algorithms
const NO_COMPRESS = 2; // a write's flag

function open(Client, options = {}) {
  const credentials = flags.use_tls === 'true' ? grpc.credentials.createSsl(fs.readFileSync(flags.ca_file)) :
      grpc.credentials.createInsecure();
  // Without the option, channels to one address share their connections.
  return new Client(`${flags.server_host}:${flags.server_port}`, credentials, {'grpc.use_local_subchannel_pool': 1, ...options});
}

function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

function expectZeros(payload, size) {
  const body = payload ? payload.body : Buffer.alloc(0);
  expect(body.length === size && body.every((byte) => byte === 0), `${body.length} bytes, expected ${size} zeros`);
}

function expectStatus(status, code, message) {
  expect(status.code === code, `the call ended with ${status.code} "${status.details}", expected ${code}`);
  if (message !== undefined) expect(status.details === message, `the message is "${status.details}"`);
}

// A unary call's {error, reply, initial, trailing}.
function unary(client, method, request, metadata = new grpc.Metadata()) {
  return new Promise((done) => {
    const result = {initial: new grpc.Metadata(), trailing: new grpc.Metadata()};
    const finish = () => { if ('error' in result && result.ended) done(result); };
    const call = client[method](request, metadata, (error, reply) => { Object.assign(result, {error, reply}); finish(); });
    call.on('metadata', (initial) => { result.initial = initial; });
    call.on('status', (status) => { result.trailing = status.metadata; result.ended = true; finish(); });
  });
}

async function large(client, metadata, requestSize = LARGE_REQUEST, replySize = LARGE_REPLY) {
  const result = await unary(client, 'UnaryCall', {response_size: replySize, payload: zeros(requestSize)}, metadata);
  if (result.error) expectStatus(result.error, grpc.status.OK);
  expectZeros(result.reply.payload, replySize);
  return result;
}

// A stream's replies, one at a time (next() gives null at the end), and its metadata and status.
class Stream {
  constructor(call) {
    Object.assign(this, {call, replies: [], waiting: null, initial: new grpc.Metadata()});
    this.status = new Promise((done) => call.on('status', (status) => { done(status); this.put(null); }));
    call.on('metadata', (initial) => { this.initial = initial; });
    call.on('data', (reply) => this.put(reply));
    call.on('error', () => {}); // the status says it
  }

  put(reply) {
    if (this.waiting) this.waiting(reply);
    else this.replies.push(reply);
    this.waiting = null;
  }

  next() {
    if (this.replies.length > 0) return Promise.resolve(this.replies.shift());
    return new Promise((done) => { this.waiting = done; });
  }

  async reply(size) {
    const reply = await this.next();
    expect(reply !== null, 'a reply is missing');
    expectZeros(reply.payload, size);
  }

  // Exactly these, then the end and OK.
  async finish(sizes) {
    for (const size of sizes) await this.reply(size);
    expect(await this.next() === null, 'a reply that nobody asked for');
    expectStatus(await this.status, grpc.status.OK);
  }
}

const ask = (requestSize, replySizes) => ({payload: zeros(requestSize), response_parameters: replySizes.map((size) => ({size}))});

function expectEchoed(initial, trailing) {
  expect(initial.get(INITIAL_KEY).join() === INITIAL_VALUE, `${INITIAL_KEY} is ${initial.get(INITIAL_KEY)}`);
  const got = trailing.get(TRAILING_KEY);
  expect(got.length === 1 && got[0].equals(TRAILING_VALUE), `${TRAILING_KEY} is ${got}`);
}

async function statusOf(client, message) {
  const {error} = await unary(client, 'UnaryCall', {response_status: {code: 2, message}});
  expectStatus(error || {code: 0}, grpc.status.UNKNOWN, message);
}

async function soak(call) {
  const end = Date.now() + 1000 * flags.soak_overall_timeout_seconds;
  let made = 0;
  let failed = 0;
  for (; made < flags.soak_iterations && Date.now() < end; made++) {
    const begin = process.hrtime.bigint();
    const why = await call().then(() => '', (error) => error.message);
    const tookMs = Number(process.hrtime.bigint() - begin) / 1e6;
    if (why || tookMs > flags.soak_per_iteration_max_acceptable_latency_ms) {
      failed++;
      console.log(`iteration ${made}: ${tookMs} ms ${why}`);
    }
    await new Promise((done) => setTimeout(done, Math.max(0, flags.soak_min_time_ms_between_rpcs - tookMs)));
  }
  expect(made === flags.soak_iterations && failed <= flags.soak_max_failures, `${made} iterations, ${failed} failed`);
}

const soakCall = (client) => large(client, undefined, flags.soak_request_size, flags.soak_response_size);

const cases = {
  empty_unary: async (client) => {
    const {error} = await unary(client, 'EmptyCall', {});
    expectStatus(error || {code: 0}, grpc.status.OK);
  },
  large_unary: (client) => large(client),
  concurrent_large_unary: (client) => Promise.all(Array.from({length: 1000}, () => large(client))),
  client_streaming: (client) => new Promise((done, fail) => {
    const call = client.StreamingInputCall((error, reply) => error ? fail(error) : done(reply.aggregated_payload_size));
    for (const size of REQUEST_SIZES) call.write({payload: zeros(size)});
    call.end();
  }).then((total) => expect(total === 74922, `the size is ${total}`)),
  server_streaming: (client) => new Stream(client.StreamingOutputCall(ask(0, REPLY_SIZES))).finish(REPLY_SIZES),
  ping_pong: async (client) => {
    const stream = new Stream(client.FullDuplexCall());
    for (let i = 0; i < REQUEST_SIZES.length; i++) {
      stream.call.write(ask(REQUEST_SIZES[i], [REPLY_SIZES[i]]));
      await stream.reply(REPLY_SIZES[i]);
    }
    stream.call.end();
    await stream.finish([]);
  },
  empty_stream: async (client) => {
    const stream = new Stream(client.FullDuplexCall());
    stream.call.end();
    await stream.finish([]);
  },
  custom_metadata: async (client) => {
    const sent = new grpc.Metadata();
    sent.set(INITIAL_KEY, INITIAL_VALUE);
    sent.set(TRAILING_KEY, TRAILING_VALUE);
    const {initial, trailing} = await large(client, sent);
    expectEchoed(initial, trailing);
    const stream = new Stream(client.FullDuplexCall(sent));
    stream.call.write(ask(LARGE_REQUEST, [LARGE_REPLY]));
    stream.call.end();
    await stream.finish([LARGE_REPLY]);
    expectEchoed(stream.initial, (await stream.status).metadata);
  },
  status_code_and_message: async (client) => {
    const message = 'test status message';
    await statusOf(client, message);
    const stream = new Stream(client.FullDuplexCall());
    stream.call.write({response_status: {code: 2, message}});
    stream.call.end();
    expectStatus(await stream.status, grpc.status.UNKNOWN, message);
  },
  special_status_message: (client) => statusOf(client, '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n'),
  unimplemented_method: async (client) => {
    const {error} = await unary(client, 'UnimplementedCall', {});
    expectStatus(error || {code: 0}, grpc.status.UNIMPLEMENTED);
  },
  unimplemented_service: async () => {
    const {error} = await unary(open(testing.UnimplementedService), 'UnimplementedCall', {});
    expectStatus(error || {code: 0}, grpc.status.UNIMPLEMENTED);
  },
  cancel_after_begin: (client) => new Promise((done) => {
    const call = client.StreamingInputCall((error) => done(error || {code: 0}));
    call.cancel();
  }).then((status) => expectStatus(status, grpc.status.CANCELLED)),
  cancel_after_first_response: async (client) => {
    const stream = new Stream(client.FullDuplexCall());
    stream.call.write(ask(REQUEST_SIZES[0], [REPLY_SIZES[0]]));
    await stream.reply(REPLY_SIZES[0]);
    stream.call.cancel();
    expectStatus(await stream.status, grpc.status.CANCELLED);
  },
  timeout_on_sleeping_server: async (client) => {
    const stream = new Stream(client.FullDuplexCall({deadline: Date.now() + 1}));
    stream.call.write(ask(REQUEST_SIZES[0], []));
    expectStatus(await stream.status, grpc.status.DEADLINE_EXCEEDED);
  },
  client_compressed_unary: async (client) => {
    const gzip = open(testing.TestService, {'grpc.default_compression_algorithm': GZIP});
    for (const [compressed, claimed, code] of [[false, true, grpc.status.INVALID_ARGUMENT], [true, true, grpc.status.OK], [false, false, grpc.status.OK]]) {
      const request = {response_size: LARGE_REPLY, payload: zeros(LARGE_REQUEST), expect_compressed: {value: claimed}};
      const {error, reply} = await unary(compressed ? gzip : client, 'UnaryCall', request);
      expectStatus(error || {code: grpc.status.OK}, code);
      if (!error) expectZeros(reply.payload, LARGE_REPLY);
    }
  },
  client_compressed_streaming: async () => {
    const client = open(testing.TestService, {'grpc.default_compression_algorithm': GZIP});
    const send = (...messages) => new Promise((done) => {
      const call = client.StreamingInputCall((error, reply) => done({error, reply}));
      for (const [size, compressed, claimed] of messages)
        call.write({payload: zeros(size), expect_compressed: {value: claimed}}, compressed ? 0 : NO_COMPRESS);
      call.end();
    });
    const {error} = await send([27182, false, true]);
    expectStatus(error || {code: grpc.status.OK}, grpc.status.INVALID_ARGUMENT);
    const result = await send([27182, true, true], [45904, false, false]);
    if (result.error) expectStatus(result.error, grpc.status.OK);
    expect(result.reply.aggregated_payload_size === 27182 + 45904, `the size is ${result.reply.aggregated_payload_size}`);
  },
  rpc_soak: (client) => soak(() => soakCall(client)),
  channel_soak: () => soak(async () => {
    const client = open(testing.TestService);
    await soakCall(client).finally(() => client.close());
  }),
};

if (!(flags.test_case in cases)) {
  console.error(`the case "${flags.test_case}" is not supported`);
  process.exit(2);
}
Promise.resolve(cases[flags.test_case](open(testing.TestService))).then(() => {
  console.log(flags.test_case + ': passed');
  process.exit(0);
}, (error) => {
  console.log(`${flags.test_case}: failed: ${error.message}`);
  process.exit(1);
});
