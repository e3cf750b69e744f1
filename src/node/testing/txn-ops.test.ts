import assert from 'node:assert/strict';
import { utf8 } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import { get, put } from '../../api/testing/requests.js';
import type { RequestOp, TxnRequest } from '../../api/requests.js';
import { Cluster } from './cluster.js';
import { calm } from './surroundings.js';

describe('--max-txn-ops', function () {
  this.timeout(30_000);
  let cluster: Cluster;

  afterEach(() => cluster.close());

  const puts = (count: number): RequestOp[] => Array.from({ length: count }, (_, n) => ({ kind: 'put', request: put(`k${n}`, 'v') }));
  const reads = (count: number): RequestOp[] => Array.from({ length: count }, (_, n) => ({ kind: 'range', request: get(`k${n}`) }));
  const of = (success: RequestOp[], failure: RequestOp[] = []): TxnRequest => ({ compare: [], success, failure });
  const asked = (txn: TxnRequest): Promise<unknown> =>
    (cluster.nodes[0]?.store.txn(txn) ?? Promise.reject(new Error('no member'))).then(({ responses }) => responses.length, codeOf);

  it('C1 of 1024 takes that many in each list, written and read on every member alike, and no more', async () => {
    cluster = await Cluster.start(calm, { maxTxnOps: 1024 });
    assert.equal(await asked(of(puts(1024), puts(1024))), 1024);
    assert.equal(await asked(of(reads(1024), reads(1024))), 1024);
    for (const many of [puts(1025), reads(1025)]) assert.deepEqual([await asked(of(many)), await asked(of([], many))], ['TOO_MANY_OPS', 'TOO_MANY_OPS']);
    const compare = Array.from({ length: 1024 }, () => ({ key: utf8('k0'), rangeEnd: new Uint8Array(0), result: 'equal', target: { kind: 'version', version: 1 } }) as const);
    assert.equal(await asked({ compare, success: puts(1024), failure: puts(1024) }), 1024);
    await cluster.settled();
    const counts = await Promise.all(cluster.nodes.map(({ store }) => store.range({ ...get('k'), rangeEnd: utf8('l'), countOnly: true })));
    assert.deepEqual(counts.map(({ count }) => count), [1024, 1024, 1024]);
  });

  it('is 128 unless told otherwise, and less if so told', async () => {
    cluster = await Cluster.start(calm, { members: 1 });
    assert.deepEqual([await asked(of(puts(128))), await asked(of(puts(129)))], [128, 'TOO_MANY_OPS']);
    await cluster.close();
    cluster = await Cluster.start(calm, { members: 1, maxTxnOps: 2 });
    assert.deepEqual([await asked(of(reads(2))), await asked(of(reads(3))), await asked(of(puts(3)))], [2, 'TOO_MANY_OPS', 'TOO_MANY_OPS']);
  });
});
