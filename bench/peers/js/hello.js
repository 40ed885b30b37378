// The service, by HELLO_PROTO's descriptor.
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

module.exports = grpc.loadPackageDefinition(loader.loadSync(process.env.HELLO_PROTO)).proto.HelloService;
