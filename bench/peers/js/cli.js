// Measures grpc-js as a client: cli.js OUTSTANDING WARM SECONDS FIRST_PORT PORTS; prints rps= cpu_us= p50= p99= p999= (us) hwm_kb=
const fs = require('fs');
const grpc = require('@grpc/grpc-js');
const Hello = require('./hello');

const [outstanding, warm, seconds, firstPort, ports] = process.argv.slice(2).map(Number);
const addresses = Array.from({ length: ports }, (_, i) => `127.0.0.1:${firstPort + i}`);
const client = new Hello('ipv4:' + addresses.join(','), grpc.credentials.createInsecure(), {
  'grpc.service_config': '{"loadBalancingConfig":[{"round_robin":{}}]}',
});
const times = [];
let phase = 0; // 0: not counted yet, 1: counted, 2: over
let failed = 0;

function say() {
  const started = process.hrtime.bigint();
  client.Say({ name: 'world' }, { deadline: Date.now() + 5000 }, (error) => {
    if (error) failed++;
    if (phase === 1) times.push(Number(process.hrtime.bigint() - started) / 1e3);
    if (phase < 2) say();
  });
}

function report(before, started) {
  const used = process.cpuUsage(before);
  const elapsed = Number(process.hrtime.bigint() - started) / 1e9;
  const n = times.length;
  times.sort((a, b) => a - b);
  const at = (p) => times[Math.min(n - 1, Math.floor(p * n))].toFixed(0);
  const peak = /VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1];
  console.log(`rps=${(n / elapsed).toFixed(0)} cpu_us=${((used.user + used.system) / n).toFixed(2)} p50=${at(0.5)} p99=${at(0.99)} ` +
    `p999=${at(0.999)} hwm_kb=${peak} failed=${failed}`);
  process.exit(0);
}

for (let i = 0; i < outstanding; i++) say();
setTimeout(() => {
  phase = 1;
  const before = process.cpuUsage();
  const started = process.hrtime.bigint();
  setTimeout(() => { phase = 2; report(before, started); }, seconds * 1000);
}, warm * 1000);
