import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import { TXN_DEPTH_MAX, decodeKvCommand, decodeProposalId, encodeKvCommand, encodeProposalId } from './command-codec.js';
import { kvCommand } from './testing/arbitraries.js';
import { bytes, command, compareOf, op, putOf, txnOf } from './testing/requests.js';
import { decodeKeyValue, encodeRecord } from './value-record.js';
import { isLeaseCommand, type KvCommand } from './command.js';
import { decodeLeaseCommand } from './lease-codec.js';
import type { TxnRequest } from '../../api/requests.js';

function encode(what: KvCommand, capacity = 256): Uint8Array {
  const out = new ByteWriter(capacity);
  encodeKvCommand(out, what);
  return out.finish();
}

/** `like`: of leases, or of keys. */
function decode(encoded: Uint8Array, like?: KvCommand): KvCommand {
  const input = new ByteReader(encoded, 'command');
  const decoded = like !== undefined && isLeaseCommand(like) ? decodeLeaseCommand(input) : decodeKvCommand(input);
  input.end();
  return decoded;
}

function nested(depth: number): TxnRequest {
  let txn = txnOf([], []);
  for (let i = 1; i < depth; i++) txn = txnOf([], [{ kind: 'txn', request: txn }]);
  return txn;
}

describe('command codec', () => {
  it('gives back every command, from a buffer of any first size', () => {
    fc.assert(fc.property(kvCommand, fc.integer({ min: 1, max: 64 }), (what, capacity) => {
      assert.deepEqual(decode(encode(what, capacity), what), what);
    }), { numRuns: 500 });
  });

  it('refuses every truncation and survives every damaged byte with CodecError or another command', () => {
    fc.assert(fc.property(kvCommand, fc.nat(), fc.integer({ min: 1, max: 255 }), (what, where, flip) => {
      const encoded = encode(what);
      assert.throws(() => decode(encoded.subarray(0, where % encoded.length), what), CodecError);
      const damaged = encoded.slice();
      damaged[where % encoded.length] = (damaged[where % encoded.length] as number) ^ flip;
      try {
        decode(damaged, what);
      } catch (error) {
        assert.ok(error instanceof CodecError, String(error));
      }
    }), { numRuns: 500 });
  });

  it('keys and values are views into the entry', () => {
    const encoded = encode(command.put('key', 'value'));
    const decoded = decode(encoded);
    assert.ok(decoded.kind === 'put' && decoded.request.value.buffer === encoded.buffer);
  });

  it('nesting is bounded on both sides', () => {
    const deepest = { kind: 'txn', request: nested(TXN_DEPTH_MAX) } as const;
    assert.deepEqual(decode(encode(deepest)), deepest);
    assert.throws(() => encode({ kind: 'txn', request: nested(TXN_DEPTH_MAX + 1) }), CodecError);
    const forged = Uint8Array.from([3, ...Array.from({ length: 400 }, () => [0, 1, 3]).flat(), 0, 0, 0]);
    assert.throws(() => decode(forged), /nested deeper/);
  });

  it('a count that cannot fit is refused before anything is allocated', () => {
    assert.throws(() => decode(Uint8Array.from([3, 0xff, 0xff, 0xff, 0x7f])), /does not fit/);
  });

  it('numbers beyond all revisions are clamped, leases keep all 64 bits', () => {
    const most = decode(encode({ kind: 'compact', request: { revision: 2 ** 63, physical: true } }));
    assert.deepEqual(most, { kind: 'compact', request: { revision: 2 ** 52 - 1, physical: true } });
    const least = decode(encode({ kind: 'compact', request: { revision: -(2 ** 63), physical: false } }));
    assert.deepEqual(least, { kind: 'compact', request: { revision: -(2 ** 52 - 1), physical: false } });
    const leased = command.put('k', 'v', { lease: 0x7fff_ffff_ffff_ffffn });
    assert.deepEqual(decode(encode(leased)), leased);
    const compared = command.txn([compareOf('k', { kind: 'lease', lease: -1n })], [op.put('k', '')]);
    assert.deepEqual(decode(encode(compared)), compared);
  });

  it('an empty operation is never written', () => {
    assert.throws(() => encode(command.txn([], [{ kind: 'empty' }])), CodecError);
  });

  it('a plain put costs four bytes besides key and value, and the id is carried in front', () => {
    assert.equal(encode({ kind: 'put', request: putOf('key', 'value') }).length, 4 + 8);
    const out = new ByteWriter();
    encodeProposalId(out, { member: 2 ** 53 - 1, incarnation: 3, sequence: 70_000 });
    assert.deepEqual(decodeProposalId(new ByteReader(out.finish(), 'id')), { member: 2 ** 53 - 1, incarnation: 3, sequence: 70_000 });
  });
});

describe('value record', () => {
  it('gives back what was put in, values as views', () => {
    const number = fc.integer({ min: 1, max: 2 ** 40 });
    fc.assert(fc.property(number, number, number, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.uint8Array(),
      (create, age, version, lease, value) => {
        const record = encodeRecord(create, create + age, version, lease, value);
        const kv = decodeKeyValue(bytes('k'), create + age, record);
        assert.deepEqual(kv, { key: bytes('k'), createRevision: create, modRevision: create + age, version, value, lease });
        assert.equal(kv.value.buffer, record.buffer);
      }));
  });

  it('damage is refused', () => {
    const good = encodeRecord(5, 9, 2, 7n, bytes(''));
    for (let length = 0; length < good.length; length++) {
      assert.throws(() => decodeKeyValue(bytes('k'), 9, good.subarray(0, length)), CodecError);
    }
    assert.throws(() => decodeKeyValue(bytes('k'), 4, good), /first revision/);
    assert.throws(() => decodeKeyValue(bytes('k'), 9, Uint8Array.from([0x20, 0, 1])), /flags/);
    assert.throws(() => decodeKeyValue(bytes('k'), 9, Uint8Array.from([0x10, 0, 0])), /version 0/);
  });
});
