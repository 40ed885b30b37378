// A HelloService on grpc-js: srv.js HOST:PORT
const grpc = require('@grpc/grpc-js');
const Hello = require('./hello');

const server = new grpc.Server();
server.addService(Hello.service, {
  Say: (call, done) => done(null, { code: 200, value: 'hello ' + call.request.name }),
});
server.bindAsync(process.argv[2], grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.error('READY');
});
