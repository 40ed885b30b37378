// What @grpc/proto-loader makes of a .proto, and so what servers in node tell by reflection: a FileDescriptorSet.
//
//   node descriptors.js FILE.proto OUT
'use strict';
const fs = require('fs');
const path = require('path');
const loader = require('@grpc/proto-loader');

const [proto, out] = process.argv.slice(2);
const definition = loader.loadSync(proto, {keepCase: true, includeDirs: [path.dirname(proto)]});
const service = Object.values(definition).find((one) => !one.format);
const files = Object.values(service)[0].requestType.fileDescriptorProtos;

function varint(number) {
  return number < 128 ? [number] : [(number & 127) | 128, ...varint(number >>> 7)];
}

// Each is field 1 of the set.
fs.writeFileSync(out, Buffer.concat(files.flatMap((file) => [Buffer.from([10, ...varint(file.length)]), file])));
