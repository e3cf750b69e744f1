/** Random requests over few keys, so that they meet each other. */

import fc from 'fast-check';
import { EMPTY } from '../../../base/bytes.js';
import { bytes } from './requests.js';
import type { KvCommand } from '../command.js';
import type {
  Compare, CompareResult, CompareTarget, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, SortOrder, SortTarget,
  TxnRequest,
} from '../../../api/requests.js';

/** Records as the codec makes them. */
const plain = { noNullPrototype: true } as const;

const KEYS = ['a', 'b', 'b\0', 'b\0\xff', 'b\x01', 'c', 'd', '\0', '\xff', '\xff\xff'];
const key = fc.constantFrom(...KEYS).map(bytes);
const rangeEnd = fc.oneof(
  { weight: 4, arbitrary: fc.constant(EMPTY) },
  { weight: 2, arbitrary: fc.constant(bytes('\0')) },
  { weight: 4, arbitrary: fc.constantFrom(...KEYS, 'z').map(bytes) },
);
const value = fc.constantFrom('', '1', '2', '22').map(bytes);
const rare = (n: number): fc.Arbitrary<boolean> => fc.nat(n).map((x) => x === 0);
const revision = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -1, max: 20 }) });
const filter = fc.oneof({ weight: 25, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -1, max: 12 }) });

/** Of both signs, and with zeros in between. */
const leaseId = fc.constantFrom(1n, 256n, 2n ** 63n - 1n, -7n);

/** Grants are the most, so that there are some. */
const leaseCommand: fc.Arbitrary<KvCommand> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ id: leaseId, ttl: fc.constantFrom(1, 2, 60) }, plain).map((request) => ({ kind: 'lease-grant' as const, request })),
  },
  { weight: 1, arbitrary: leaseId.map((id) => ({ kind: 'lease-revoke' as const, request: { id } })) },
  {
    weight: 1,
    arbitrary: fc.array(fc.record({ id: leaseId, remainingMs: fc.constantFrom(0, 500, 1_500, 60_001) }, plain), { maxLength: 2 })
      .map((checkpoints) => ({ kind: 'lease-checkpoint' as const, request: { checkpoints } })),
  },
);

export const putRequest: fc.Arbitrary<PutRequest> = fc
  .record({
    key,
    value,
    lease: fc.oneof({ weight: 3, arbitrary: fc.constant(0n) }, { weight: 2, arbitrary: leaseId }),
    prevKv: fc.boolean(),
    ignoreValue: rare(19),
    ignoreLease: rare(19),
  }, plain)
  .map((put) => ({ ...put, value: put.ignoreValue ? EMPTY : put.value, lease: put.ignoreLease ? 0n : put.lease }));

export const rangeRequest: fc.Arbitrary<RangeRequest> = fc.record({
  key,
  rangeEnd,
  limit: fc.constantFrom(0, 0, -1, 1, 2, 3),
  revision,
  sortOrder: fc.constantFrom<SortOrder[]>('none', 'none', 'ascend', 'descend'),
  sortTarget: fc.constantFrom<SortTarget[]>('key', 'key', 'version', 'create', 'mod', 'value'),
  serializable: fc.boolean(),
  keysOnly: rare(4),
  countOnly: rare(4),
  minModRevision: filter,
  maxModRevision: filter,
  minCreateRevision: filter,
  maxCreateRevision: filter,
}, plain);

export const deleteRequest: fc.Arbitrary<DeleteRangeRequest> = fc.record({ key, rangeEnd, prevKv: fc.boolean() }, plain);

const small = fc.integer({ min: -1, max: 8 });
const target: fc.Arbitrary<CompareTarget> = fc.oneof(
  small.map((version) => ({ kind: 'version' as const, version })),
  small.map((at) => ({ kind: 'create' as const, revision: at })),
  small.map((at) => ({ kind: 'mod' as const, revision: at })),
  value.map((v) => ({ kind: 'value' as const, value: v })),
  fc.constantFrom(0n, 5n).map((lease) => ({ kind: 'lease' as const, lease })),
  fc.constant({ kind: 'unknown' as const }),
);
const result = fc.constantFrom<CompareResult[]>('equal', 'greater', 'less', 'not-equal', 'unknown');
export const compare: fc.Arbitrary<Compare> = fc.record({ result, target, key, rangeEnd }, plain);

export const { txnRequest } = fc.letrec<{ txnRequest: TxnRequest; op: RequestOp }>((tie) => ({
  txnRequest: fc.record({
    compare: fc.oneof(fc.constant([]), fc.array(compare, { maxLength: 2 })),
    success: fc.array(tie('op'), { maxLength: 4 }),
    failure: fc.array(tie('op'), { maxLength: 3 }),
  }, plain),
  op: fc.oneof(
    { maxDepth: 3 },
    { weight: 3, arbitrary: putRequest.map((request) => ({ kind: 'put' as const, request })) },
    { weight: 3, arbitrary: rangeRequest.map((request) => ({ kind: 'range' as const, request })) },
    { weight: 1, arbitrary: deleteRequest.map((request) => ({ kind: 'delete-range' as const, request })) },
    { weight: 2, arbitrary: tie('txnRequest').map((request) => ({ kind: 'txn' as const, request })) },
  ),
}));

export const kvCommand: fc.Arbitrary<KvCommand> = fc.oneof(
  { weight: 4, arbitrary: leaseCommand },
  { weight: 5, arbitrary: putRequest.map((request) => ({ kind: 'put' as const, request })) },
  { weight: 2, arbitrary: deleteRequest.map((request) => ({ kind: 'delete-range' as const, request })) },
  { weight: 5, arbitrary: txnRequest.map((request) => ({ kind: 'txn' as const, request })) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: -1, max: 15 }).map((at) => ({ kind: 'compact' as const, request: { revision: at, physical: false } })),
  },
);
