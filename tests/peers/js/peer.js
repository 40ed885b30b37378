// The Peer service of peer.proto, loaded once for server and client.
'use strict';
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const file = path.join(__dirname, '..', 'peer.proto');
const definition = loader.loadSync(file, {keepCase: true, defaults: true});

exports.grpc = grpc;
exports.Peer = grpc.loadPackageDefinition(definition).peer.Peer;
