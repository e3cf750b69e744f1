import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EMPTY, utf8 } from '../../base/bytes.js';
import type { KeyValue, PutRequest, RangeRequest, RangeResponse, Reply } from '../../api/requests.js';
import { KV, RANGE_STREAM_PATH } from '../../api/services/kv.js';
import { encodeRangeRequest } from '../../api/wire/encode-request.js';
import { decodeRangeChunk } from '../../api/wire/range-stream.js';
import type { Method, Sender, ServerCall, ServerStreamMethod, UnaryMethod } from '../../grpc/method.js';
import { Cluster } from '../../node/testing/cluster.js';
import { calm } from '../../node/testing/surroundings.js';
import type { Store } from '../../node/store.js';
import { FakeStore } from '../testing/fake-store.js';
import { addKv } from './kv-service.js';

const ALL: RangeRequest = {
  key: utf8('\0'), rangeEnd: utf8('\0'), limit: 0, revision: 0, sortOrder: 'none', sortTarget: 'key', serializable: false, keysOnly: false,
  countOnly: false, minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0,
};
const CALL = { metadata: () => undefined } as unknown as ServerCall;

const putOf = (key: Uint8Array, value: Uint8Array): PutRequest =>
  ({ key, value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false });

/** A caller that takes what it is sent, and may do something between two chunks. */
class Caller implements Sender {
  readonly chunks: Uint8Array[] = [];
  readonly cancelled = false;
  readonly #between: (() => Promise<unknown>) | undefined;
  constructor(between?: () => Promise<unknown>) {
    this.#between = between;
  }
  async write(message: Uint8Array): Promise<void> {
    this.chunks.push(Uint8Array.from(message));
    await this.#between?.();
  }
  onCancel(): void { /* nobody leaves */ }
}

interface Merged {
  readonly kvs: readonly KeyValue[];
  readonly last: Reply<RangeResponse>;
  readonly bytes: readonly number[];
}

describe('RangeStream', () => {
  function methods(store: Store, maxRequestBytes: number): ReadonlyMap<string, Method> {
    const table = new Map<string, Method>();
    addKv(table, store, { maxRequestBytes });
    return table;
  }

  async function stream(store: Store, request: RangeRequest, maxRequestBytes = 1_000, between?: () => Promise<unknown>): Promise<Merged> {
    const caller = new Caller(between);
    await (methods(store, maxRequestBytes).get(RANGE_STREAM_PATH) as ServerStreamMethod).handle(encodeRangeRequest(request), caller, CALL);
    const answers = caller.chunks.map(decodeRangeChunk);
    const last = answers.at(-1) as Reply<RangeResponse>;
    for (const { count, more, revision } of answers.slice(0, -1)) assert.deepEqual([count, more, revision], [0, false, 0]);
    return { kvs: answers.flatMap(({ kvs }) => kvs), last, bytes: caller.chunks.map(({ length }) => length) };
  }

  async function whole(store: Store, request: RangeRequest): Promise<Reply<RangeResponse>> {
    const answer = await (methods(store, 1_000).get(KV.Range.path) as UnaryMethod).handle(encodeRangeRequest(request), CALL);
    return KV.Range.decodeResponse(answer);
  }

  const plain = ({ kvs, ...rest }: RangeResponse): object =>
    ({ ...rest, kvs: kvs.map((kv) => ({ ...kv, key: Buffer.from(kv.key), value: Buffer.from(kv.value) })) });

  it('merged it is what Range answers, whatever is asked for: on a real store', async function () {
    this.timeout(60_000);
    const cluster = await Cluster.start(calm);
    try {
      const { store } = await cluster.leader();
      const key = (n: number): Uint8Array => utf8(`k${String(n).padStart(3, '0')}`);
      for (let n = 0; n < 120; n++) await store.put(putOf(key((n * 37) % 100), utf8('v'.repeat((n * 13) % 90))));
      await store.deleteRange({ key: key(40), rangeEnd: key(45), prevKv: false });
      const { revision: newest } = store.status();
      const requests = fc.record({
        from: fc.nat(110), to: fc.option(fc.nat(110)), limit: fc.constantFrom(-1, 0, 0, 1, 9, 10, 11, 30, 99, 200),
        revision: fc.option(fc.integer({ min: 2, max: newest })),
        keysOnly: fc.boolean(), countOnly: fc.constantFrom(false, false, false, true), serializable: fc.boolean(),
        sortOrder: fc.constantFrom('none' as const, 'ascend' as const),
        bytes: fc.constantFrom(1, 60, 400, 5_000, 1_000_000),
      });
      await fc.assert(fc.asyncProperty(requests, async ({ from, to, bytes, revision, ...rest }) => {
        const request = { ...ALL, ...rest, key: key(from), rangeEnd: to === null ? utf8('\0') : key(to), revision: revision ?? 0 };
        const [{ kvs, last }, expected] = [await stream(store, request, bytes), await whole(store, request)];
        assert.deepEqual(plain({ ...last, kvs }), plain(expected));
      }), { numRuns: 150 });
    } finally {
      for (const node of cluster.alive) await cluster.stop(node);
    }
  });

  it('a target to sort by without an order sorts what one chunk holds, as etcd does, and loses no key of a longer range', async function () {
    this.timeout(60_000);
    const cluster = await Cluster.start(calm);
    try {
      const { store } = await cluster.leader();
      for (let n = 35; n > 0; n--) await store.put(putOf(utf8(`k${String(n).padStart(2, '0')}`), utf8(`v${String(99 - n)}`)));
      const names = (kvs: readonly KeyValue[]): string[] => kvs.map(({ key }) => Buffer.from(key).toString());
      for (const sortTarget of ['version', 'create', 'mod', 'value'] as const) {
        for (const [rangeEnd, limit] of [['k05', 0], ['k11', 0], ['l', 3], ['l', 10]] as const) {
          const request: RangeRequest = { ...ALL, rangeEnd: utf8(rangeEnd), limit, sortTarget };
          const { kvs, last } = await stream(store, request);
          assert.deepEqual(plain({ ...last, kvs }), plain(await whole(store, request)), `${sortTarget} to ${rangeEnd} limit ${limit}`);
        }
        for (const limit of [0, 11, 30]) {
          const { kvs, last } = await stream(store, { ...ALL, limit, sortTarget });
          const expected = await whole(store, { ...ALL, limit });
          assert.deepEqual([names(kvs), last.more, last.count], [names(expected.kvs), expected.more, expected.count]);
        }
      }
    } finally {
      for (const node of cluster.alive) await cluster.stop(node);
    }
  });

  it('counts the range once, however many chunks it has', async () => {
    const store = new FakeStore();
    for (let n = 0; n < 200; n++) await store.put(putOf(utf8(`k${n}`), new Uint8Array(100)));
    const asked: RangeRequest[] = [];
    const { range } = store;
    store.range = (request, caller) => {
      asked.push(request);
      return range.call(store, request, caller);
    };
    const { last } = await stream(store, ALL);
    assert.ok(asked.length > 10, `${asked.length} chunks`);
    assert.deepEqual([asked.filter(({ uncounted }) => uncounted !== true).length, last.count], [1, 200]);
  });

  it('is at one revision, whatever is written while it goes on', async () => {
    const store = new FakeStore();
    const put = (key: string, value: string): Promise<unknown> => store.put(putOf(utf8(key), utf8(value)));
    for (let n = 10; n < 60; n++) await put(`k${n}`, 'old');
    let n = 59;
    const { kvs, last, bytes } = await stream(store, ALL, 100, async () => {
      await put(`k${n--}`, 'new');
      await put(`z${n}`, 'new');
    });
    assert.ok(bytes.length > 2, `${bytes.length} chunks`);
    assert.deepEqual([kvs.length, last.count, last.more, last.revision], [50, 50, false, 51]);
    assert.deepEqual(new Set(kvs.map(({ value }) => Buffer.from(value).toString())), new Set(['old']));
  });

  it('chunks grow and shrink with their bytes, so that little is held however long the range is', async () => {
    const store = new FakeStore();
    for (let n = 0; n < 2_000; n++) {
      await store.put(putOf(utf8(`k${String(n).padStart(5, '0')}`), n < 1_500 ? EMPTY : new Uint8Array(2_000)));
    }
    const { bytes, kvs } = await stream(store, ALL, 10_000);
    assert.equal(kvs.length, 2_000);
    assert.ok(bytes.some((each) => each > 5_000 && each < 20_000));
    // One chunk of large values after one of small ones is too large; the next ones are not.
    assert.ok(bytes.filter((each) => each > 25_000).length <= 8, String(bytes));
    assert.ok(bytes.length > 30, `${bytes.length} chunks`);
  });

  it('other orders and filters are refused as by etcd, and what Range refuses is refused', async () => {
    const store = new FakeStore();
    const refused = (request: Partial<RangeRequest>, message: RegExp): Promise<void> =>
      assert.rejects(stream(store, { ...ALL, ...request }), message);
    await refused({ sortOrder: 'descend' }, /RangeStream does not support custom sort orders/);
    await refused({ sortOrder: 'ascend', sortTarget: 'mod' }, /RangeStream does not support custom sort orders/);
    await refused({ sortOrder: 'descend', sortTarget: 'value' }, /RangeStream does not support custom sort orders/);
    await refused({ minModRevision: 1 }, /RangeStream does not support revision filters/);
    await refused({ key: EMPTY }, /key is not provided/);
    await refused({ revision: 99 }, /future revision/);
  });
});
