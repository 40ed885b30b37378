// The interop service over @grpc/grpc-js.
//
//   node server.js --port=PORT [--use_tls=false]
'use strict';
const fs = require('fs');
const {grpc, testing, zeros, flags, INITIAL_KEY, TRAILING_KEY} = require('./interop');

// Sends the initial metadata that the call asks for; gives the trailing.
function echo(call) {
  const pick = (key) => {
    const found = new grpc.Metadata();
    call.metadata.get(key).forEach((value) => found.add(key, value));
    return found;
  };
  if (call.metadata.get(INITIAL_KEY).length > 0) call.sendMetadata(pick(INITIAL_KEY));
  return pick(TRAILING_KEY);
}

// The error that a request asks for, or null.
function outcome(request, trailing) {
  const wanted = request.response_status;
  return wanted && wanted.code ? {code: wanted.code, details: wanted.message, metadata: trailing} : null;
}

// Answers one request of a streaming method; throws what it is to end with.
async function answer(call, request, trailing) {
  const error = outcome(request, trailing);
  if (error) throw error;
  for (const asked of request.response_parameters) {
    if (asked.interval_us > 0) await new Promise((done) => setTimeout(done, asked.interval_us / 1000));
    if (call.cancelled) return;
    if (!call.write({payload: zeros(asked.size)})) {
      await new Promise((done) => { call.once('drain', done); call.once('cancelled', done); });
    }
  }
}

// Load: of a call in its trailer, of the server out of band.
const load = new grpc.ServerMetricRecorder();

function reportOfCall(call, report) {
  const recorder = call.getMetricsRecorder();
  recorder.recordCPUUtilizationMetric(report.cpu_utilization);
  recorder.recordMemoryUtilizationMetric(report.memory_utilization);
  for (const [name, value] of Object.entries(report.request_cost)) recorder.recordRequestCostMetric(name, value);
  for (const [name, value] of Object.entries(report.utilization)) recorder.recordUtilizationMetric(name, value);
}

function reportOfServer(report) {
  load.setCpuUtilizationMetric(report.cpu_utilization);
  load.message.mem_utilization = report.memory_utilization; // it has no function for this one
  load.setAllUtilizationMetrics(report.utilization);
}

// Ends a streaming call as `body` does.
async function stream(call, body) {
  const trailing = echo(call);
  try {
    await body(trailing);
    call.end(trailing);
  } catch (error) {
    call.emit('error', error);
  }
}

const methods = {
  EmptyCall: (call, callback) => callback(null, {}, echo(call)),
  UnaryCall: (call, callback) => {
    const trailing = echo(call);
    if (call.request.orca_per_query_report) reportOfCall(call, call.request.orca_per_query_report);
    callback(outcome(call.request, trailing), {payload: zeros(call.request.response_size)}, trailing);
  },
  StreamingInputCall: (call, callback) => {
    const trailing = echo(call);
    let total = 0;
    call.on('data', (request) => { total += request.payload ? request.payload.body.length : 0; });
    call.on('end', () => callback(null, {aggregated_payload_size: total}, trailing));
    call.on('error', () => {});
  },
  StreamingOutputCall: (call) => stream(call, (trailing) => answer(call, call.request, trailing)),
  FullDuplexCall: (call) => stream(call, async (trailing) => {
    for await (const request of call.iterator({destroyOnReturn: false})) {
      if (request.orca_oob_report) reportOfServer(request.orca_oob_report);
      await answer(call, request, trailing);
    }
  }),
};

const server = new grpc.Server({'grpc.server_call_metric_recording': 1}); // reports in trailers are off by default
server.addService(testing.TestService.service, methods);
load.addToServer(server);
const given = flags({port: 0, use_tls: 'false', tls_cert_file: '', tls_key_file: ''});
const credentials = given.use_tls === 'true' ?
    grpc.ServerCredentials.createSsl(null, [{private_key: fs.readFileSync(given.tls_key_file), cert_chain: fs.readFileSync(given.tls_cert_file)}]) :
    grpc.ServerCredentials.createInsecure();
server.bindAsync('[::]:' + given.port, credentials, (error, port) => {
  if (error) throw error;
  console.log('listening on port ' + port);
});
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.tryShutdown(() => process.exit(0));
    setTimeout(() => process.exit(0), 2000).unref(); // a call that never ends shall not keep us
  });
}
