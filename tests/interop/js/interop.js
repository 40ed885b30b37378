// What the node client and server share: the service of interop.proto, flags, zeros.
'use strict';
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const definition = loader.loadSync(path.join(__dirname, '..', 'interop.proto'), {keepCase: true, defaults: true});

exports.grpc = grpc;
exports.testing = grpc.loadPackageDefinition(definition).grpc.testing;
exports.INITIAL_KEY = 'x-grpc-test-echo-initial';
exports.TRAILING_KEY = 'x-grpc-test-echo-trailing-bin';
exports.zeros = (size) => ({type: 0, body: Buffer.alloc(size)});

// The flags given, over those in `known`, whose type they take; an unknown one exits with 2.
exports.flags = (known) => {
  const flags = Object.assign({}, known);
  for (const word of process.argv.slice(2)) {
    const [, name, value] = /^--(\w+)=(.*)$/.exec(word) || [];
    if (!(name in known)) {
      console.error(word + ' is not supported');
      process.exit(2);
    }
    flags[name] = typeof known[name] === 'number' ? Number(value) : value;
  }
  return flags;
};
