import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { Caller } from '../../client/caller.js';
import { ClientError, connect, type Client } from '../../client/client.js';
import { GrpcDialer } from '../../client/endpoint.js';
import { LeaseClient } from '../../client/leases.js';
import { serve, type Served } from './serve.js';

const refusedAs = (code: string) => (error: unknown): boolean => error instanceof ClientError && error.code === code;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

describe('client.lease', () => {
  let first: Served;
  let second: Served;
  let client: Client;
  let clock: ManualClock;
  /** Over both endpoints, by `clock`. */
  let caller: Caller;
  let leases: LeaseClient;

  beforeEach(async () => {
    [first, second] = await Promise.all([serve(), serve()]);
    client = connect({ endpoints: [first.endpoint] });
    clock = new ManualClock();
    caller = new Caller({
      endpoints: [first.endpoint, second.endpoint],
      timeoutMs: 5_000, maxAttempts: 4, retryDelayMs: 1, maxRetryDelayMs: 2, roundRobin: false,
    }, new GrpcDialer({ dialTimeoutMs: 2_000 }));
    leases = new LeaseClient(caller, clock);
  });

  afterEach(async () => {
    client.close();
    leases.close();
    caller.close();
    await Promise.all([first.server.drain(100), second.server.drain(100)]);
  });

  /** The answer is here: the next keep-alive and the end are timed again. */
  const renewed = (times: number): Promise<void> => until(() => first.store.lease.renewed === times && clock.timers === 2);

  it('grants, lists, tells, renews and revokes, with ids of 64 bits, and keys are put with a lease', async () => {
    const { id, ttl } = await client.lease.grant({ ttl: 60 });
    assert.ok(id > 0x7000_0000_0000_0000n);
    assert.equal(ttl, 60);
    const highest = 0x7fff_ffff_ffff_ffffn;
    assert.equal((await client.lease.grant({ ttl: 30, id: highest })).id, highest);
    await assert.rejects(client.lease.grant({ ttl: 30, id: highest }), refusedAs('FAILED_PRECONDITION'));
    assert.deepEqual((await client.lease.list()).ids, [id, highest]);
    await client.put('k', 'v', { lease: id });
    assert.equal((await client.get('k'))?.lease, id);
    await assert.rejects(client.put('k', 'v', { lease: 5n }), refusedAs('NOT_FOUND'));
    const told = await client.lease.timeToLive(id, { keys: true });
    assert.deepEqual([told.id, told.ttl, told.grantedTtl, told.keys.map(String)], [id, 59, 60, ['k']]);
    assert.deepEqual((await client.lease.timeToLive(id)).keys, []);
    assert.equal((await client.lease.keepAliveOnce(id)).ttl, 60);
    await client.lease.revoke(id);
    await assert.rejects(client.lease.revoke(id), refusedAs('NOT_FOUND'));
    await assert.rejects(client.lease.keepAliveOnce(id), refusedAs('NOT_FOUND'));
    await assert.rejects(client.lease.keepAlive(id), refusedAs('NOT_FOUND'));
    const gone = await client.lease.timeToLive(id, { keys: true });
    assert.deepEqual([gone.ttl, gone.grantedTtl], [-1, 0]);
    await assert.rejects(client.lease.grant({ ttl: 1.5 }), refusedAs('INVALID_ARGUMENT'));
    await assert.rejects(client.lease.revoke(2n ** 63n), refusedAs('INVALID_ARGUMENT'));
  });

  it('one that is held is renewed each third of its TTL, and revoked at the end of its scope, with no timer left', async () => {
    let lost: AbortSignal;
    {
      await using lease = await leases.hold({ ttl: 9 });
      ({ lost } = lease);
      clock.advance(2_999);
      assert.equal(clock.timers, 2, 'none is under way');
      clock.advance(1);
      await renewed(1);
      for (let times = 2; times < 6; times++) {
        clock.advance(3_000);
        await renewed(times);
      }
      assert.deepEqual([lease.ttl, lost.aborted, (await client.lease.list()).ids], [9, false, [lease.id]]);
    }
    assert.deepEqual((await client.lease.list()).ids, []);
    assert.deepEqual([lost.aborted, refusedAs('CANCELLED')(lost.reason), clock.timers], [true, true, 0]);
  });

  it('one that is held goes on at another endpoint, when one does not answer and when one is gone', async () => {
    for (const { store } of [first, second]) await store.lease.grant({ id: 7n, ttl: 2 });
    const lease = await leases.keepAlive(7n);
    const others = second.store.lease;
    first.store.lease.gate = new Promise(() => undefined);
    clock.advance(667);
    // It is over when a third of the TTL has passed.
    await until(() => clock.timers === 2);
    clock.advance(200);
    await until(() => others.renewed === 1 && clock.timers === 2);
    first.store.lease.gate = Promise.resolve();
    await second.server.drain(0);
    clock.advance(667);
    await renewed(2);
    assert.equal(lease.lost.aborted, false);
  });

  it('one that is held tells at its next keep-alive that the cluster let it end', async () => {
    const lease = await leases.hold({ ttl: 6 });
    await client.lease.revoke(lease.id);
    clock.advance(2_000);
    await until(() => lease.lost.aborted);
    assert.ok(refusedAs('NOT_FOUND')(lease.lost.reason));
    assert.equal(clock.timers, 0);
    await lease.revoke();
  });

  it('one that is held is lost a TTL after its last keep-alive that was answered had been sent, and not before', async () => {
    const lease = await leases.hold({ ttl: 6 });
    let open = (): void => undefined;
    first.store.lease.gate = new Promise((resolve) => (open = resolve));
    clock.advance(2_000);
    await until(() => clock.timers === 1);
    clock.advance(500);
    open();
    await renewed(1);
    await Promise.all([first.server.drain(0), second.server.drain(0)]);
    clock.advance(5_499);
    assert.equal(lease.lost.aborted, false);
    clock.advance(1);
    assert.ok(lease.lost.aborted && lease.lost.reason instanceof ClientError);
    assert.equal(clock.timers, 0);
    await lease[Symbol.asyncDispose]();
  });

  it('a client that is closed gives up what it holds', async () => {
    const lease = await client.lease.hold({ ttl: 60 });
    client.close();
    assert.ok(refusedAs('CANCELLED')(lease.lost.reason));
  });
});
