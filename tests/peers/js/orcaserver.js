// proto.HelloService/Say over @grpc/grpc-js, with load reports: so many requests a second at full utilization, whatever is
// true. In trailers, or with --oob out of band (the service is there either way); SIGUSR1 doubles what it says.
//
//   node orcaserver.js [--port=127.0.0.1:0] [--rps=100] [--oob]
//
// The first line says where it listens.
'use strict';
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const definition = loader.loadSync(path.join(__dirname, '..', 'hello.proto'), {keepCase: true, defaults: true});
const {HelloService} = grpc.loadPackageDefinition(definition).proto;
const flag = (name, fallback) => {
  const word = process.argv.find((each) => each === '--' + name || each.startsWith('--' + name + '='));
  return word === undefined ? fallback : word.split('=')[1] || true;
};
const outOfBand = flag('oob', false);
let rps = Number(flag('rps', 100));

const load = new grpc.ServerMetricRecorder();
const tell = () => {
  load.setApplicationUtilizationMetric(1);
  load.setQpsMetric(outOfBand ? rps : 0);
};
tell();
let packed = null; // grpc-js 1.14 reads its .proto files anew for each report in a trailer, 20 ms; once is enough
process.on('SIGUSR1', () => { rps *= 2; packed = null; tell(); console.log('rps ' + rps); });

const server = new grpc.Server({'grpc.server_call_metric_recording': outOfBand ? 0 : 1});
server.addService(HelloService.service, {
  Say: (call, callback) => {
    if (!outOfBand) {
      const recorder = call.getMetricsRecorder();
      recorder.recordApplicationUtilizationMetric(1);
      recorder.recordQpsMetric(rps);
      packed = packed || recorder.serialize();
      recorder.serialize = () => packed;
    }
    callback(null, {code: 200, value: 'hello ' + call.request.name});
  },
});
load.addToServer(server);
server.bindAsync(flag('port', '127.0.0.1:0'), grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log('listening on 127.0.0.1:' + port);
});
process.on('SIGTERM', () => process.exit(0));
