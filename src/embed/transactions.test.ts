import assert from 'node:assert/strict';
import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import fc from 'fast-check';
import {
  ClientError, ConflictError, connect, createRevision, exists, leaseOf, missing, modRevision, op, value, version, type Client,
  type Isolation,
} from '../client/client.js';
import { openMemory, type MemoryStore } from './memory.js';

const text = (bytes: Uint8Array | undefined): string | undefined => (bytes === undefined ? undefined : Buffer.from(bytes).toString());
const numberOf = (bytes: Uint8Array | undefined): number => Number(text(bytes) ?? 0);

async function failure(promise: Promise<unknown>): Promise<ClientError> {
  const error: unknown = await promise.then(() => undefined, (reason: unknown) => reason);
  assert.ok(error instanceof ClientError, String(error));
  return error;
}

describe('transactions of the client', () => {
  let store: MemoryStore;
  let client: Client;

  before(async () => {
    store = await openMemory();
    ({ client } = store);
  });

  after(() => store.close());

  beforeEach(async () => {
    await client.delete({ prefix: '' });
  });

  it('a txn has a result for each operation, typed by its place, in the branch that was carried out', async () => {
    const lock = () =>
      client.txn()
        .if(missing('lock'))
        .then(op.put('lock', 'mine', { prevKv: true }), op.get('lock'), op.delete({ prefix: 'old/' }), op.get({ prefix: '' }))
        .else(op.get('lock'), op.txn(client.txn().if(value('lock').equals('mine')).then(op.get('lock')).toRequest()));
    const won = await lock().commit();
    assert.ok(won.succeeded);
    const [put, got, deleted, all] = won.results;
    assert.equal(put.prevKv, undefined);
    assert.equal(got?.modRevision, won.revision);
    assert.equal(deleted.deleted, 0);
    assert.equal(all.count, 1);
    const lost = await lock().commit();
    assert.ok(!lost.succeeded);
    const [kv, nested] = lost.results;
    assert.equal(text(kv?.value), 'mine');
    assert.equal(nested.succeeded && text(nested.results[0]?.value), 'mine');
    assert.equal(lost.responses.length, 2);
  });

  it('conditions are those of etcd, and hold for keys that do not exist as etcd has it', async () => {
    const lease = await client.lease.grant({ ttl: 60 });
    const { revision } = await client.put('a', 'm', { lease: lease.id });
    const holds = async (...conditions: ReturnType<typeof missing>[]): Promise<boolean> =>
      (await client.txn().if(...conditions).commit()).succeeded;
    assert.ok(await holds(exists('a'), missing('b'), value('a').equals('m'), value('a').isAbove('a'), value('a').isBelow('z'), value('a').differsFrom('n')));
    assert.ok(await holds(version('a').equals(1), createRevision('a').equals(revision), modRevision('a').isBelow(revision + 1), leaseOf('a').equals(lease.id)));
    assert.ok(await holds(modRevision({ prefix: '' }).isBelow(revision + 1)));
    assert.ok(!(await holds(value('b').equals(''))));
    assert.ok(!(await holds(exists('a'), exists('b'))));
  });

  it('update writes what comes of the present value, once for each of many at a time', async () => {
    const count = (retries = 100) => client.update('n', (kv) => String(numberOf(kv?.value) + 1), { retries });
    const done = await Promise.all(Array.from({ length: 20 }, () => count()));
    assert.equal(text((await client.get('n'))?.value), '20');
    assert.deepEqual(done.map(({ kv }) => numberOf(kv?.value)).sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i + 1));
    const last = done.find(({ kv }) => numberOf(kv?.value) === 20);
    assert.deepEqual(last?.kv && { ...last.kv, key: text(last.kv.key), value: 0 }, { ...(await client.get('n')), key: 'n', value: 0 });
  });

  it('update deletes, leaves alone without a write, keeps the lease, and gives up in the end', async () => {
    const lease = await client.lease.grant({ ttl: 60 });
    await client.put('k', '1', { lease: lease.id });
    const kept = await client.update('k', () => '2');
    assert.equal((await client.get('k'))?.lease, lease.id);
    assert.equal(kept.kv?.lease, lease.id);
    const { revision } = await client.getRange('k');
    assert.deepEqual((await client.update('k', (kv) => kv?.value)).changed, false);
    assert.equal((await client.getRange('k')).revision, revision);
    assert.deepEqual((await client.update('k', () => undefined)).kv, undefined);
    assert.equal(await client.get('k'), undefined);
    assert.equal((await client.update('k', () => undefined)).changed, false);
    let asked = 0;
    const meddled = client.update('k', async () => {
      await client.put('k', `other ${asked++}`);
      return 'mine';
    }, { retries: 3 });
    const error = await failure(meddled);
    assert.ok(error instanceof ConflictError);
    assert.deepEqual([error.code, error.attempts, asked], ['ABORTED', 4, 4]);
    assert.equal(text((await client.get('k'))?.value), 'other 3');
    await assert.rejects(client.update('k', () => { throw new Error('mine'); }), { message: 'mine' });
    assert.equal((await failure(client.update('k', () => '1', { signal: AbortSignal.abort() }))).code, 'CANCELLED');
  });

  it('stm moves amounts between accounts, by many at once, and the sum is right at every moment', async () => {
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) await client.put(`account/${name}`, '100');
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names), fc.integer({ min: 1, max: 20 })), { minLength: 5, maxLength: 12 },
        ),
        async (moves) => {
          await Promise.all(moves.map(([from, to, amount]) =>
            client.stm(async (tx) => {
              const [have, has] = await Promise.all([tx.get(`account/${from}`), tx.get(`account/${to}`)]);
              if (from === to) return;
              tx.put(`account/${from}`, String(numberOf(have) - amount));
              tx.put(`account/${to}`, String(numberOf(has) + amount));
            }, { retries: 200 })));
          const { kvs } = await client.getRange({ prefix: 'account/' });
          assert.equal(kvs.reduce((sum, kv) => sum + numberOf(kv.value), 0), 400);
        },
      ),
      { numRuns: 5 },
    );
  });

  it('stm reads what it wrote, writes nothing if it throws, and its tx is of no use afterwards', async () => {
    let kept: { get(key: string): Promise<unknown> } | undefined;
    const result = await client.stm(async (tx) => {
      kept = tx;
      tx.put('x', '1');
      assert.equal(text(await tx.get('x')), '1');
      tx.delete('x');
      assert.equal(await tx.get('x'), undefined);
      tx.put('x', '2');
      return 'done';
    });
    assert.equal(result, 'done');
    assert.equal(text((await client.get('x'))?.value), '2');
    await assert.rejects(client.stm((tx) => { tx.put('x', '3'); throw new Error('no'); }), { message: 'no' });
    assert.equal(text((await client.get('x'))?.value), '2');
    await assert.rejects(async () => kept?.get('x'), { code: 'INVALID_ARGUMENT' });
  });

  /** Two keys are read, one before and one after somebody else changed both. */
  async function between(isolation: Isolation): Promise<{ seen: string[]; runs: number }> {
    await client.put('l', '1');
    await client.put('r', '1');
    let runs = 0;
    const seen = await client.stm(async (tx) => {
      runs++;
      const left = text(await tx.get('l'));
      if (runs === 1) await client.txn().then(op.put('l', '2'), op.put('r', '2')).commit();
      return [`${left}`, `${text(await tx.get('r'))}`];
    }, { isolation });
    return { seen, runs };
  }

  it('stm: serializable reads are of one revision, repeatable ones are proven at commit, committed ones are not', async () => {
    assert.deepEqual(await between('serializable-snapshot'), { seen: ['1', '1'], runs: 1 });
    assert.deepEqual(await between('serializable'), { seen: ['1', '1'], runs: 1 });
    assert.deepEqual(await between('repeatable-reads'), { seen: ['2', '2'], runs: 2 });
    assert.deepEqual(await between('read-committed'), { seen: ['1', '2'], runs: 1 });
  });

  it('stm: only a snapshot notices that a key it writes unread was changed', async () => {
    const runsOf = async (isolation: Isolation): Promise<number> => {
      let runs = 0;
      await client.stm(async (tx) => {
        await tx.get('read');
        if (++runs === 1) await client.put('written', 'by another');
        tx.put('written', 'here');
      }, { isolation });
      return runs;
    };
    assert.equal(await runsOf('serializable-snapshot'), 2);
    assert.equal(await runsOf('serializable'), 1);
    assert.equal(await runsOf('repeatable-reads'), 1);
  });

  it('stm begins anew when its revision was compacted, and gives up after so many conflicts', async () => {
    await client.put('c', '1');
    let runs = 0;
    const seen = await client.stm(async (tx) => {
      await tx.get('c');
      if (++runs === 1) await client.compact((await client.put('d', '2')).revision);
      return text(await tx.get('d'));
    });
    assert.deepEqual([seen, runs], ['2', 2]);
    const error = await failure(client.stm(async (tx) => {
      await tx.get('c');
      await client.put('c', 'other');
      tx.put('c', 'mine');
    }, { retries: 2 }));
    assert.ok(error instanceof ConflictError);
    assert.equal(error.attempts, 3);
  });
});

describe('a write whose outcome is unknown', () => {
  let server: Http2Server;
  let endpoint: string;
  let asked: number;

  /** It takes the request, and is gone before it answers. */
  before(async () => {
    server = createServer();
    const sessions = new Set<ServerHttp2Session>();
    server.on('session', (session) => sessions.add(session));
    server.on('sessionError', () => undefined);
    server.on('stream', (stream) => {
      stream.on('error', () => undefined);
      stream.on('data', () => undefined);
      stream.on('end', () => {
        asked++;
        for (const session of sessions) session.destroy();
        sessions.clear();
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    endpoint = `127.0.0.1:${(server.address() as { port: number }).port}`;
  });

  after(() => new Promise((done) => server.close(done)));

  beforeEach(() => {
    asked = 0;
  });

  it('says so and is not sent again; a read is, and one that was refused or never left is known', async () => {
    await using client = connect({ endpoints: [endpoint], maxAttempts: 3, retryDelayMs: 1 });
    const put = await failure(client.put('a', 'b'));
    assert.deepEqual([put.outcomeUnknown, put.unsent, asked], [true, false, 1]);
    assert.match(put.message, /whether it was carried out is not known/);
    asked = 0;
    const read = await failure(client.get('a'));
    assert.equal(read.outcomeUnknown, false);
    assert.ok(asked > 1);
    const never = await failure(client.put('a', 'b', { signal: AbortSignal.abort() }));
    assert.deepEqual([never.outcomeUnknown, never.unsent], [false, true]);
    await using store = await openMemory();
    assert.equal((await failure(store.client.put('', 'b'))).outcomeUnknown, false);
  });

  it('an update is not tried again, since its function could be applied to its own result', async () => {
    await using store = await openMemory();
    const { client } = store;
    let runs = 0;
    const commit = client.commit.bind(client);
    client.commit = async (request, options) => {
      await commit(request, options);
      throw new ClientError('UNAVAILABLE', { details: 'the connection broke', outcomeUnknown: true });
    };
    const error = await failure(client.update('n', (kv) => {
      runs++;
      return String(numberOf(kv?.value) + 1);
    }));
    assert.deepEqual([error.outcomeUnknown, runs, text((await client.get('n'))?.value)], [true, 1, '1']);
  });
});
