import assert from 'node:assert/strict';
import { ClientError, connect, op, type Client } from '../../client/client.js';
import { Cluster } from '../../node/testing/cluster.js';
import { calm } from '../../node/testing/surroundings.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { serveStore, type Served } from './serve.js';


const refusedAs = (code: string) => (error: unknown): boolean => error instanceof ClientError && error.code === code;
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

describe('client.lock and client.election', function () {
  this.timeout(30_000);
  let cluster: Cluster;
  let served: Omit<Served, 'store'>;
  let client: Client;

  before(async () => {
    cluster = await Cluster.start(calm, { members: 1 });
    await cluster.until('the newest version', () => cluster.nodes[0]?.replica.state.version === NEWEST_VERSION);
    served = await serveStore(cluster.nodes[0]?.store as (typeof cluster.nodes)[0]['store']);
  });

  after(async () => {
    await served.server.drain(0);
    await cluster.close();
  });

  beforeEach(() => {
    client = connect({ endpoints: [served.endpoint] });
  });

  afterEach(async () => {
    for (const id of (await client.lease.list()).ids) await client.lease.revoke(id);
    client.close();
  });

  const queued = async (name: string, count: number): Promise<void> => {
    while ((await client.getRange({ prefix: `${name}/` })).count !== count) await new Promise((resolve) => setTimeout(resolve, 2));
  };

  it('a lock is held by one after the other, in their order, and gives back its lease with its scope', async () => {
    const order: number[] = [];
    let holders = 0;
    const run = async (n: number): Promise<void> => {
      await using lock = await client.lock('l', { ttl: 60 });
      assert.equal(++holders, 1);
      order.push(n);
      assert.equal((await client.txn().if(lock.isHeld).then(op.put('guarded', `${n}`)).commit()).succeeded, true);
      assert.equal(lock.lost.aborted, false);
      holders--;
    };
    const first = await client.lock('l');
    assert.deepEqual([first.lease.ttl, text(first.key)], [60, `l/${first.lease.id.toString(16)}`]);
    const all: Promise<void>[] = [];
    for (let n = 0; n < 8; n++) {
      all.push(run(n));
      await queued('l', n + 2);
    }
    await first.unlock();
    assert.ok(refusedAs('CANCELLED')(first.lost.reason));
    await Promise.all(all);
    assert.deepEqual([order, (await client.lease.list()).ids], [[0, 1, 2, 3, 4, 5, 6, 7], []]);
    assert.equal((await client.txn().if(first.isHeld).then(op.put('guarded', 'late')).commit()).succeeded, false);
    await first.unlock();
  });

  it('who gives up waiting leaves nothing behind, and a lease that was given stays', async () => {
    const held = await client.lock('l');
    const lease = await client.lease.hold({ ttl: 60 });
    for (const options of [{ ttl: 60 }, { lease }]) {
      const abort = new AbortController();
      const waits = client.lock('l', { ...options, signal: abort.signal });
      await queued('l', 2);
      abort.abort();
      await assert.rejects(waits, refusedAs('CANCELLED'));
      await queued('l', 1);
    }
    await assert.rejects(client.lock('l', { signal: AbortSignal.abort() }), refusedAs('CANCELLED'));
    assert.deepEqual([...(await client.lease.list()).ids].sort(), [held.lease.id, lease.id].sort());
    await held.unlock();
    const mine = await client.lock('l', { lease });
    await mine.unlock();
    assert.deepEqual([(await client.lease.list()).ids, lease.lost.aborted], [[lease.id], false]);
    await assert.rejects(client.lock(''), refusedAs('INVALID_ARGUMENT'));
  });

  it('whose lease is lost is told, whether they hold or wait', async () => {
    const held = await client.lock('l', { ttl: 6 });
    const lease = await client.lease.hold({ ttl: 60 });
    const waits = client.lock('l', { lease });
    await queued('l', 2);
    lease.abandon();
    await assert.rejects(waits, refusedAs('CANCELLED'));
    await client.lease.revoke(held.lease.id);
    // At its next keep-alive.
    await cluster.until('it to be lost', () => held.lost.aborted);
    assert.ok(held.lost.reason instanceof ClientError);
    await held.unlock();
  });

  it('a leader proclaims and resigns, the next one leads then, and an observer hears of all in order', async () => {
    const election = client.election('e');
    assert.equal(await election.leader(), undefined);
    const seen: string[] = [];
    const stop = new AbortController();
    const observing = (async () => {
      for await (const { value } of election.observe({ signal: stop.signal })) seen.push(text(value));
    })();
    const heard = (last: string): Promise<true> => cluster.until(last, () => seen.at(-1) === last);
    const first = await election.campaign('one', { ttl: 60 });
    await heard('one');
    const next = election.campaign('two');
    await queued('e', 2);
    await first.proclaim('one again');
    await heard('one again');
    assert.equal(text((await election.leader())?.value), 'one again');
    await first.resign();
    const second = await next;
    await heard('two');
    await assert.rejects(first.proclaim('late'), refusedAs('FAILED_PRECONDITION'));
    await client.delete(second.key);
    await assert.rejects(second.proclaim('without a key'), refusedAs('FAILED_PRECONDITION'));
    assert.ok(refusedAs('FAILED_PRECONDITION')(second.lost.reason));
    await client.compact((await client.status()).header.revision);
    const third = await election.campaign('three', { lease: await client.lease.hold({ ttl: 60 }) });
    await heard('three');
    stop.abort();
    await assert.rejects(observing, refusedAs('CANCELLED'));
    await third[Symbol.asyncDispose]();
    assert.deepEqual(seen, ['one', 'one again', 'two', 'three']);
  });
});
