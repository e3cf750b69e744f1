import assert from 'node:assert/strict';
import fc from 'fast-check';
import { codeOf, CodecError } from '../../base/errors.js';
import {
  MAX_TXN_DEPTH, MAX_TXN_OPS_TOTAL,
  decodeCompactionRequest, decodeDeleteRangeRequest, decodePutRequest, decodeRangeRequest, decodeTxnRequest,
} from './decode-request.js';
import {
  decodeCompactionResponse, decodeDeleteRangeResponse, decodePutResponse, decodeRangeResponse, decodeTxnResponse,
} from './decode-response.js';
import {
  encodeCompactionRequest, encodeDeleteRangeRequest, encodePutRequest, encodeRangeRequest, encodeTxnRequest,
} from './encode-request.js';
import {
  encodeCompactionResponse, encodeDeleteRangeInSlices,
  encodeDeleteRangeResponse, encodeHeaderPrefix, encodePutResponse, encodeRangeResponse,
  encodeTxnResponse,
} from './encode-response.js';
import { serviceMethods, type AnyMethod } from '../protos/protos.js';
import type * as wire from '../requests.js';

const kv = serviceMethods('etcdserverpb.KV');
const method = (name: string): AnyMethod => kv[name] as AnyMethod;

const bytes = fc.uint8Array({ maxLength: 40 });
const safe = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 300 }), fc.maxSafeInteger());
const natural = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 300 }), fc.maxSafeNat());
const lease = fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));

const range: fc.Arbitrary<wire.RangeRequest> = fc.record({
  key: bytes, rangeEnd: bytes, limit: safe, revision: safe,
  sortOrder: fc.constantFrom('none', 'ascend', 'descend'),
  sortTarget: fc.constantFrom('key', 'version', 'create', 'mod', 'value'),
  serializable: fc.boolean(), keysOnly: fc.boolean(), countOnly: fc.boolean(),
  minModRevision: safe, maxModRevision: safe, minCreateRevision: safe, maxCreateRevision: safe,
});
const put: fc.Arbitrary<wire.PutRequest> = fc.record({
  key: bytes, value: bytes, lease, prevKv: fc.boolean(), ignoreValue: fc.boolean(), ignoreLease: fc.boolean(),
});
const del: fc.Arbitrary<wire.DeleteRangeRequest> = fc.record({ key: bytes, rangeEnd: bytes, prevKv: fc.boolean() });
const target: fc.Arbitrary<wire.CompareTarget> = fc.oneof(
  safe.map((version) => ({ kind: 'version', version }) as const),
  safe.map((revision) => ({ kind: 'create', revision }) as const),
  safe.map((revision) => ({ kind: 'mod', revision }) as const),
  bytes.map((value) => ({ kind: 'value', value }) as const),
  lease.map((l) => ({ kind: 'lease', lease: l }) as const),
  fc.constant({ kind: 'unknown' } as const),
);
const compare: fc.Arbitrary<wire.Compare> = fc.record({
  result: fc.constantFrom('equal', 'greater', 'less', 'not-equal'), target, key: bytes, rangeEnd: bytes,
});
const { txn } = fc.letrec<{ txn: wire.TxnRequest; op: wire.RequestOp }>((tie) => ({
  op: fc.oneof(
    { maxDepth: 2 },
    range.map((request) => ({ kind: 'range', request }) as const),
    put.map((request) => ({ kind: 'put', request }) as const),
    del.map((request) => ({ kind: 'delete-range', request }) as const),
    fc.constant({ kind: 'empty' } as const),
    tie('txn').map((request) => ({ kind: 'txn', request }) as const),
  ),
  txn: fc.record({
    compare: fc.array(compare, { maxLength: 3 }),
    success: fc.array(tie('op'), { maxLength: 3 }),
    failure: fc.array(tie('op'), { maxLength: 2 }),
  }),
}));
const compaction: fc.Arbitrary<wire.CompactionRequest> = fc.record({ revision: safe, physical: fc.boolean() });

/**
 * Both directions against the generic codec: what it writes we read, and what we write it reads
 * back to the same.
 */
function requestAgrees<T>(name: string, request: T, encode: (q: T) => Buffer, decode: (b: Uint8Array) => T): void {
  const ours = encode(request);
  assert.deepEqual(plain(decode(ours)), plain(request), 'read back what was written');
  const generic = method(name);
  const theirs = Buffer.from(generic.requestSerialize(generic.requestDeserialize(ours)));
  assert.deepEqual(plain(decode(theirs)), plain(request), 'read what protobufjs wrote');
}

function responseAgrees(name: string, response: object, ours: Buffer, decode: (b: Uint8Array) => object): void {
  const plainResponse = plain(response) as Record<string, unknown>;
  const { header, ...body } = plain(decode(ours)) as Record<string, unknown>;
  assert.deepEqual(strip(body), plainResponse);
  assert.deepEqual(header, { clusterId: 77n, memberId: 2n ** 53n - 1n, revision: plainResponse['revision'], raftTerm: 5 });
  const generic = method(name);
  const theirs = Buffer.from(generic.responseSerialize(generic.responseDeserialize(ours)));
  const { header: again, ...bodyAgain } = plain(decode(theirs)) as Record<string, unknown>;
  assert.deepEqual([again, strip(bodyAgain)], [header, plainResponse]);
}

/** Buffers and views as plain arrays of one class, so that deepEqual compares contents. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  }
  return value;
}

/** Inner headers are how a revision travels; the response itself has none. */
function strip(value: unknown): unknown {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(strip);
  return Object.fromEntries(Object.entries(value).filter(([k]) => k !== 'header').map(([k, v]) => [k, strip(v)]));
}

const keyValue: fc.Arbitrary<wire.KeyValue> = fc.record({
  key: bytes, createRevision: natural, modRevision: natural, version: natural, value: bytes, lease,
});
const rangeResponse = fc.record({ revision: natural, kvs: fc.array(keyValue, { maxLength: 4 }), more: fc.boolean(), count: natural });
const putResponse = fc.record({ revision: natural, prevKv: fc.option(keyValue, { nil: undefined }) });
const deleteResponse = fc.record({ revision: natural, deleted: natural, prevKvs: fc.array(keyValue, { maxLength: 3 }) });
const responseOp: fc.Arbitrary<wire.ResponseOp> = fc.oneof(
  rangeResponse.map((response) => ({ kind: 'range', response }) as const),
  putResponse.map((response) => ({ kind: 'put', response }) as const),
  deleteResponse.map((response) => ({ kind: 'delete-range', response }) as const),
);
const txnResponse = fc.record({
  revision: natural, succeeded: fc.boolean(),
  responses: fc.array(
    fc.oneof(
      responseOp,
      fc.array(responseOp, { maxLength: 2 }).map((responses) => ({
        kind: 'txn', response: { revision: 0, succeeded: true, responses },
      }) as const),
    ),
    { maxLength: 3 },
  ),
});

describe('wire codecs', () => {
  it('every request equals what protobufjs makes of it, in both directions', () => {
    fc.assert(fc.property(range, (q) => requestAgrees('Range', q, encodeRangeRequest, decodeRangeRequest)));
    fc.assert(fc.property(put, (q) => requestAgrees('Put', q, encodePutRequest, decodePutRequest)));
    fc.assert(fc.property(del, (q) => requestAgrees('DeleteRange', q, encodeDeleteRangeRequest, decodeDeleteRangeRequest)));
    fc.assert(fc.property(txn, (q) => requestAgrees('Txn', q, encodeTxnRequest, decodeTxnRequest)));
    fc.assert(fc.property(compaction, (q) => requestAgrees('Compact', q, encodeCompactionRequest, decodeCompactionRequest)));
  });

  it('every response equals what protobufjs makes of it, in both directions', () => {
    const prefix = encodeHeaderPrefix(77n, 2n ** 53n - 1n);
    fc.assert(fc.property(rangeResponse, (p) => responseAgrees('Range', p, encodeRangeResponse(prefix, 5, p), decodeRangeResponse)));
    fc.assert(fc.property(putResponse, (p) => responseAgrees('Put', p, encodePutResponse(prefix, 5, p), decodePutResponse)));
    fc.assert(fc.property(deleteResponse, (p) =>
      responseAgrees('DeleteRange', p, encodeDeleteRangeResponse(prefix, 5, p), decodeDeleteRangeResponse)));
    fc.assert(fc.property(txnResponse, (p) => responseAgrees('Txn', p, encodeTxnResponse(prefix, 5, p), decodeTxnResponse)));
    fc.assert(fc.property(natural, (revision) =>
      responseAgrees('Compact', { revision }, encodeCompactionResponse(prefix, 5, { revision }), decodeCompactionResponse)));
  });

  it('a nested txn has an empty header and other inner headers only a revision', () => {
    const response: wire.TxnResponse = {
      revision: 9, succeeded: true,
      responses: [
        { kind: 'put', response: { revision: 9, prevKv: undefined } },
        { kind: 'txn', response: { revision: 9, succeeded: false, responses: [] } },
      ],
    };
    const decoded = method('Txn').responseDeserialize(encodeTxnResponse(encodeHeaderPrefix(1n, 2n), 3, response)) as {
      responses: { response_put?: { header: unknown }; response_txn?: { header: unknown } }[];
    };
    const none = { cluster_id: '0', member_id: '0', raft_term: '0' };
    assert.deepEqual(decoded.responses[0]?.response_put?.header, { ...none, revision: '9' });
    assert.deepEqual(decoded.responses[1]?.response_txn?.header, { ...none, revision: '0' });
  });

  it('numbers beyond 2^53 saturate, which keeps their order against every real revision', () => {
    const generic = method('Range');
    const q = (revision: string): number => decodeRangeRequest(generic.requestSerialize({ revision })).revision;
    assert.equal(q('9223372036854775807'), Number.MAX_SAFE_INTEGER);
    assert.equal(q('-9223372036854775808'), Number.MIN_SAFE_INTEGER);
    assert.equal(q('-1'), -1);
  });

  it('unknown enum numbers and fields mean what they mean to etcd', () => {
    const q = decodeRangeRequest(Buffer.from([0x28, 9, 0x30, 9, 0xa2, 6, 1, 0]));
    assert.deepEqual([q.sortOrder, q.sortTarget], ['unknown', 'unknown']);
    const t = decodeTxnRequest(Buffer.from([0x0a, 4, 0x08, 7, 0x10, 9]));
    assert.equal(t.compare[0]?.result, 'unknown');
    assert.deepEqual(t.compare[0]?.target, { kind: 'unknown' });
  });

  it('damaged bytes are a CodecError or another message, never a crash', () => {
    const decoders = [decodeRangeRequest, decodePutRequest, decodeDeleteRangeRequest, decodeTxnRequest, decodeCompactionRequest,
      decodeRangeResponse, decodePutResponse, decodeDeleteRangeResponse, decodeTxnResponse, decodeCompactionResponse];
    fc.assert(fc.property(txn, fc.nat(), fc.nat(255), fc.nat(), (q, at, byte, cut) => {
      const damaged = encodeTxnRequest(q);
      if (damaged.length > 0) damaged[at % damaged.length] = byte;
      for (const decode of decoders) parsesOrRefuses(decode, damaged.subarray(0, cut % (damaged.length + 1)));
    }));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (b) => {
      for (const decode of decoders) parsesOrRefuses(decode, b);
    }));
  });

  it('a txn nested without end is refused before the stack is', () => {
    let q: wire.TxnRequest = { compare: [], success: [], failure: [] };
    for (let i = 0; i < MAX_TXN_DEPTH; i++) q = { compare: [], success: [{ kind: 'txn', request: q }], failure: [] };
    assert.throws(() => decodeTxnRequest(encodeTxnRequest(q)), CodecError);
  });

  it('C1 a txn of too many operations is refused before they are made, however they are written', () => {
    const op: wire.RequestOp = { kind: 'delete-range', request: { key: Uint8Array.of(97), rangeEnd: new Uint8Array(0), prevKv: false } };
    const ops = (n: number): wire.RequestOp[] => Array.from({ length: n }, () => op);
    const half = MAX_TXN_OPS_TOTAL / 2;
    const txnOf = (success: wire.RequestOp[], failure: wire.RequestOp[]): wire.TxnRequest => ({ compare: [], success, failure });
    assert.equal(decodeTxnRequest(encodeTxnRequest(txnOf(ops(half), ops(half)))).failure.length, half);
    const nested: wire.RequestOp = { kind: 'txn', request: txnOf(ops(half), ops(half)) };
    // A million operations without any bytes, and one operation that is said a million times.
    const empty = new Uint8Array(2_000_000).map((_, i) => (i % 2 === 0 ? 18 : 0));
    const again = new Uint8Array(2_000_004).map((_, i) => (i < 4 ? [18, 0x80, 0x89, 0x7a][i] as number : i % 2 === 0 ? 10 : 0));
    for (const bytes of [encodeTxnRequest(txnOf(ops(half), ops(half + 1))), encodeTxnRequest(txnOf([nested], [])), empty, again]) {
      assert.throws(() => decodeTxnRequest(bytes), (error) => codeOf(error) === 'TOO_MANY_OPS');
    }
  });

  it('C1 very many previous values are written in slices, and are the same bytes', () => {
    const kv = { key: Uint8Array.of(97), value: new Uint8Array(3), createRevision: 2, modRevision: 3, version: 1, lease: 0n };
    const response = { revision: 9, deleted: 20_000, prevKvs: Array.from({ length: 20_000 }, () => kv) };
    const prefix = encodeHeaderPrefix(1n, 2n);
    let slices = 0;
    const work = encodeDeleteRangeInSlices(prefix, 1, response);
    let step = work.next();
    for (; step.done !== true; step = work.next()) slices++;
    assert.ok(slices >= 16, `${slices} slices`);
    assert.deepEqual(step.value, encodeDeleteRangeResponse(prefix, 1, response));
    assert.equal(decodeDeleteRangeResponse(step.value).prevKvs.length, 20_000);
  });
});

function parsesOrRefuses(decode: (b: Uint8Array) => unknown, b: Uint8Array): void {
  try {
    decode(b);
  } catch (error) {
    assert.ok(error instanceof CodecError, String(error));
  }
}
