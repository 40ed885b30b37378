// Tries a registry with npm's etcd3, in what registration and discovery need.
//
//   node etcd3check.js [--registry=http://127.0.0.1:2379]
//
// Prints ok or FAIL per check, then the totals; exit code 1 when one failed.
'use strict';
const assert = require('assert');
const {Etcd3} = require('etcd3');

const flag = process.argv.find((word) => word.startsWith('--registry='));
const hosts = (flag ? flag.slice('--registry='.length) : 'http://127.0.0.1:2379').split(',');
const client = new Etcd3({hosts, dialTimeout: 5000});
const root = `/etcd3check/${process.pid}-${Date.now()}/`;

// The next event of an emitter, within 8 s.
function next(emitter, name) {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`no ${name} came`)), 8000);
    emitter.once(name, (value) => { clearTimeout(timer); done(value); });
  });
}

const checks = {
  async put_get_delete(p) {
    await client.put(p + 'a').value('one');
    assert.strictEqual(await client.get(p + 'a').string(), 'one');
    const gone = await client.delete().key(p + 'a');
    assert.strictEqual(Number(gone.deleted), 1);
    assert.strictEqual(await client.get(p + 'a').string(), null);
  },
  async get_all_by_prefix(p) {
    for (const name of ['a', 'b', 'c']) await client.put(p + name).value(name);
    assert.deepStrictEqual(await client.getAll().prefix(p).strings(), {[p + 'a']: 'a', [p + 'b']: 'b', [p + 'c']: 'c'});
    assert.deepStrictEqual(await client.getAll().prefix(p).sort('Key', 'Descend').limit(2).keys(), [p + 'c', p + 'b']);
    assert.strictEqual(await client.getAll().prefix(p).count(), 3);
  },
  async namespace(p) {
    const inside = client.namespace(p);
    await inside.put('a').value('one');
    assert.strictEqual(await client.get(p + 'a').string(), 'one');
    assert.deepStrictEqual(await inside.getAll().strings(), {a: 'one'});
  },
  async transaction_put_if_absent(p) {
    const attempt = () => client.if(p + 'a', 'Create', '==', 0).then(client.put(p + 'a').value('mine'))
      .else(client.get(p + 'a')).commit();
    assert.strictEqual((await attempt()).succeeded, true);
    const second = await attempt();
    assert.strictEqual(second.succeeded, false);
    assert.strictEqual(String(second.responses[0].response_range.kvs[0].value), 'mine');
  },
  async lease_put_and_revoke(p) {
    const lease = client.lease(10, {autoKeepAlive: false});
    await lease.put(p + 'a').value('one');
    assert.strictEqual(await client.get(p + 'a').string(), 'one');
    await lease.revoke();
    assert.strictEqual(await client.get(p + 'a').string(), null);
  },
  async lease_keepalive(p) {
    const lease = client.lease(2);
    const fired = next(lease, 'keepaliveSucceeded');
    await lease.put(p + 'a').value('one');
    await fired;
    await lease.keepaliveOnce();
    await new Promise((done) => setTimeout(done, 3500)); // longer than it lives by itself
    assert.strictEqual(await client.get(p + 'a').string(), 'one');
    await lease.revoke();
  },
  async lease_lost_is_told(p) {
    const lease = client.lease(2);
    const id = await lease.grant();
    const lost = next(lease, 'lost');
    await client.leaseClient.leaseRevoke({ID: id});
    await lost;
    assert.strictEqual(await client.get(p + 'a').string(), null);
  },
  async watch_key(p) {
    const watch = await client.watch().key(p + 'a').create();
    const put = next(watch, 'put');
    await client.put(p + 'a').value('one');
    assert.strictEqual(String((await put).value), 'one');
    const gone = next(watch, 'delete');
    await client.delete().key(p + 'a');
    assert.strictEqual(String((await gone).key), p + 'a');
    await watch.cancel();
  },
  async watch_prefix_from_a_revision(p) {
    const first = await client.put(p + 'a').value('one');
    await client.put(p + 'b').value('two');
    const watch = client.watch().prefix(p).startRevision(first.header.revision).watcher();
    const seen = [];
    await new Promise((done, fail) => {
      setTimeout(() => fail(new Error(`came: ${seen}`)), 8000).unref();
      watch.on('put', (kv) => { if (seen.push(String(kv.value)) === 2) done(); });
    });
    assert.deepStrictEqual(seen, ['one', 'two']);
    await watch.cancel();
  },
  async watch_with_previous(p) {
    await client.put(p + 'a').value('one');
    const watch = await client.watch().key(p + 'a').withPreviousKV().create();
    const told = new Promise((done) => watch.on('put', (_kv, previous) => done(previous)));
    await client.put(p + 'a').value('two');
    assert.strictEqual(String((await told).value), 'one');
    await watch.cancel();
  },
  async two_watches_on_one_stream(p) {
    const watches = await Promise.all(['a', 'b'].map((name) => client.watch().key(p + name).create()));
    const told = watches.map((watch) => next(watch, 'put'));
    for (const name of ['b', 'a']) await client.put(p + name).value(name);
    assert.deepStrictEqual((await Promise.all(told)).map((kv) => String(kv.value)), ['a', 'b']);
    for (const watch of watches) await watch.cancel();
  },
  async lock(p) {
    const lock = client.lock(p + 'lock');
    await lock.acquire();
    await assert.rejects(client.lock(p + 'lock').acquire());
    await lock.release();
    await client.lock(p + 'lock').do(async () => {});
  },
};

async function main() {
  const totals = {ok: 0, failed: 0};
  for (const [name, check] of Object.entries(checks)) {
    const prefix = `${root}${name}/`;
    try {
      await check(prefix);
      await client.delete().prefix(prefix);
      totals.ok++;
      console.log('ok ' + name);
    } catch (error) {
      totals.failed++;
      console.log(`FAIL ${name}: ${String(error.message).replace(/\s+/g, ' ')}`);
    }
  }
  console.log(`${totals.ok} passed, ${totals.failed} failed`);
  process.exit(totals.failed === 0 ? 0 : 1);
}

main();
