// The Peer service of peer.proto over @grpc/grpc-js.
//
//   node jsserver.js [--port=127.0.0.1:0]
//
// The first line says where it listens; then come a line per call begun and ended.
'use strict';
const {grpc, Peer} = require('./peer');

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

class Gone extends Error {}

// One call as the server sees it: logs its ends, sends what the metadata asks for, waits.
class Call {
  constructor(method, call) {
    Object.assign(this, {method, call, ended: false, trailers: new grpc.Metadata()});
    console.log('begin ' + method);
    const initial = new grpc.Metadata();
    for (const key of Object.keys(call.metadata.getMap())) {
      const to = key.startsWith('x-echo-') ? initial : key.startsWith('x-trail-') ? this.trailers : null;
      if (to) call.metadata.get(key).forEach((value) => to.add(key, value));
    }
    const deadline = call.getDeadline();
    if (deadline !== Infinity) this.trailers.set('x-timeout-ms', String(Math.trunc(deadline - Date.now())));
    if (Object.keys(initial.getMap()).length > 0) call.sendMetadata(initial);
    call.on('cancelled', () => this.end('gone'));
  }

  end(outcome) {
    if (!this.ended) console.log(`end ${this.method} ${outcome}`);
    this.ended = true;
  }

  async pause(msg) {
    if (msg.delay_ms > 0) await sleep(msg.delay_ms);
    if (this.ended) throw new Gone();
  }

  // Throws the status that the message asks for.
  finish(msg) {
    if (!msg.code) return;
    throw Object.assign(new Error(msg.text), {code: msg.code, details: msg.text, metadata: this.trailers});
  }
}

// The messages of a call; the plain iterator would destroy the call, replies and all, once they end.
const received = (call) => call.iterator({destroyOnReturn: false});

function reply(msg, count) {
  return {body: msg.body, text: msg.text, count};
}

// Runs the body of a method that has one reply.
async function single(method, call, callback, body) {
  const seen = new Call(method, call);
  try {
    const answer = await body(seen);
    seen.end('OK');
    callback(null, answer, seen.trailers);
  } catch (error) {
    if (!(error instanceof Gone)) {
      seen.end(grpc.status[error.code] || String(error));
      callback(error);
    }
  }
}

// Runs the body of a method that streams replies.
async function many(method, call, body) {
  const seen = new Call(method, call);
  try {
    await body(seen);
    seen.end('OK');
    call.end(seen.trailers);
  } catch (error) {
    if (!(error instanceof Gone)) {
      seen.end(grpc.status[error.code] || String(error));
      call.emit('error', error);
    }
  }
}

async function answer(seen, msg, total) {
  if (msg.count <= 0) await seen.pause(msg);
  for (let i = 0; i < msg.count; i++) {
    await seen.pause(msg);
    if (!seen.call.write(reply(msg, ++total.count))) {
      await new Promise((done) => { seen.call.once('drain', done); seen.call.once('cancelled', done); });
    }
    // The loop must turn now and then, or a cancellation is never heard.
    if (i % 64 === 63) await new Promise(setImmediate);
    if (seen.ended) throw new Gone();
  }
  seen.finish(msg);
}

const methods = {
  Unary: (call, callback) => single('Unary', call, callback, async (seen) => {
    await seen.pause(call.request);
    seen.finish(call.request);
    return reply(call.request, 1);
  }),
  ClientStream: (call, callback) => single('ClientStream', call, callback, async (seen) => {
    const bodies = [];
    let last = {delay_ms: 0, text: ''};
    for await (const msg of received(call)) {
      last = msg;
      if (msg.code) {
        await seen.pause(msg);
        seen.finish(msg);
      }
      bodies.push(msg.body);
    }
    await seen.pause(last);
    return {body: Buffer.concat(bodies), text: last.text, count: bodies.length};
  }),
  ServerStream: (call) => many('ServerStream', call, (seen) => answer(seen, call.request, {count: 0})),
  Bidi: (call) => many('Bidi', call, async (seen) => {
    const total = {count: 0};
    for await (const msg of received(call)) await answer(seen, msg, total);
    if (seen.ended) throw new Gone();
  }),
};

const flag = process.argv.find((word) => word.startsWith('--port='));
const port = flag ? flag.slice('--port='.length) : '127.0.0.1:0';
const server = new grpc.Server();
server.addService(Peer.service, methods);
server.bindAsync(port, grpc.ServerCredentials.createInsecure(), (error, number) => {
  if (error) throw error;
  console.log(`peer listening on ${port.slice(0, port.lastIndexOf(':'))}:${number}`);
});
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => server.tryShutdown(() => process.exit(0)));
}
