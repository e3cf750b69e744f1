import assert from 'node:assert/strict';
import { EMPTY, utf8 } from '../../base/bytes.js';
import { get, put } from '../../api/testing/requests.js';
import type { RequestOp, TxnRequest } from '../../api/requests.js';
import { Cluster } from './cluster.js';
import { calm } from './surroundings.js';

const putOp = (key: string): RequestOp => ({ kind: 'put', request: put(key, 'v') });
const getOp = (key: string): RequestOp => ({ kind: 'range', request: get(key) });
const remove = (key: string, rangeEnd = ''): { key: Uint8Array; rangeEnd: Uint8Array; prevKv: boolean } =>
  ({ key: utf8(key), rangeEnd: rangeEnd === '' ? EMPTY : utf8(rangeEnd), prevKv: false });
const txn = (...success: RequestOp[]): TxnRequest => ({ compare: [], success, failure: [putOp('never')] });

describe('operations on keys', function () {
  this.timeout(60_000);
  let cluster: Cluster;

  afterEach(() => cluster.close());

  it('are counted by every member that carries them out, and what was refused or only looked at is not', async () => {
    cluster = await Cluster.start(calm);
    const { store } = await cluster.leader();
    await store.put(put('a', '1'));
    await store.put({ ...put('a', '2'), prevKv: true });
    await store.deleteRange(remove('nothing'));
    await store.deleteRange(remove('x', 'y'));
    await store.deleteRange({ ...remove('a'), prevKv: true });
    await store.txn(txn(putOp('b'), getOp('b'), { kind: 'txn', request: txn(putOp('c'), { kind: 'delete-range', request: remove('z') }) }));
    await store.txn(txn(putOp('d')));
    await assert.rejects(store.txn(txn(putOp('e'), putOp('f'), { kind: 'put', request: { ...put('g', ''), lease: 77n } })));
    const written = { puts: 5, deletes: 4, txns: 1 };
    await cluster.until('all to have applied it', () => cluster.nodes.every((node) => node.store.status().operations.puts === written.puts));
    for (const node of cluster.nodes) assert.deepEqual(node.store.status().operations, { ...written, ranges: 1 }, `member ${node.id}`);
    await store.range(get('a'));
    await store.range({ ...get('a'), rangeEnd: utf8('z'), serializable: true });
    await store.txn({ compare: [], success: [getOp('a'), getOp('b')], failure: [] });
    assert.deepEqual(store.status().operations, { ...written, ranges: 5, txns: 2 });
  });
});
