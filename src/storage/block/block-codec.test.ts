import assert from 'node:assert/strict';
import fc from 'fast-check';
import { digest128 } from '../../base/digest.js';
import { parseScheme, type EccScheme } from '../../ecc/scheme.js';
import { decodeBlock, encodeBlock, type DecodedBlock } from './block-codec.js';
import type { BlockSpec } from './handle.js';
import { locateBlock } from './header.js';
import { blockLayout } from './layout.js';

const CORRECTING = ['secded', 'xor(2)', 'xor(8)', 'rs(8,2)', 'rs(4,3)', 'rs(2,4)'].map(parseScheme);

function payloadOf(length: number, seed = 7): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) >>> 16);
}

interface Made {
  readonly payload: Uint8Array;
  readonly region: Uint8Array;
  readonly spec: BlockSpec;
}

function make(length: number, scheme: EccScheme, seed?: number): Made {
  const payload = payloadOf(length, seed);
  const { region, digest } = encodeBlock(payload, 'data', 'none', scheme);
  return { payload, region, spec: { type: 'data', codec: 'none', scheme, payloadBytes: length, digest } };
}

/** Decodes, and fails unless the right bytes come out. */
function assertServed(made: Made, damaged: Uint8Array, what: string): DecodedBlock {
  const before = damaged.slice();
  const decoded = decodeBlock(damaged, made.spec);
  assert.ok(decoded.kind !== 'unreadable', `${what}: ${decoded.kind === 'unreadable' ? decoded.why : ''}`);
  assert.equal(Buffer.compare(decoded.payload, made.payload), 0, what);
  assert.equal(Buffer.compare(before, damaged), 0, 'what was read is not changed');
  return decoded;
}

describe('blocks', () => {
  it('every flip of one bit anywhere in a region is served right under every correcting scheme', () => {
    for (const scheme of CORRECTING) {
      const made = make(150, scheme);
      for (let bit = 0; bit < made.region.length * 8; bit++) {
        const damaged = made.region.slice();
        damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
        assertServed(made, damaged, `${JSON.stringify(scheme)} bit ${bit}`);
      }
    }
  });

  it('a burst as long as the parity shards is corrected at every offset, header, parity and mirror included', () => {
    for (const scheme of CORRECTING) {
      if (scheme.kind === 'secded') continue;
      const made = make(300, scheme);
      const { codec, shardBytes } = blockLayout(300, scheme);
      const burst = codec.parityShards * shardBytes;
      for (let at = 1 - burst; at < made.region.length; at++) {
        for (const fill of ['zero', 'invert'] as const) {
          const damaged = made.region.slice();
          for (let i = Math.max(0, at); i < Math.min(at + burst, damaged.length); i++) damaged[i] = fill === 'zero' ? 0 : ~(damaged[i] as number);
          assertServed(made, damaged, `${JSON.stringify(scheme)} ${fill} at ${at}`);
        }
      }
    }
  });

  it('a zeroed page of 4 KiB in a block of 16 KiB is corrected by rs(8,2) wherever it begins', () => {
    const made = make(16 * 1024, { kind: 'rs', k: 8, m: 2 });
    for (let at = 0; at < made.region.length; at += 97) {
      const damaged = made.region.slice();
      damaged.fill(0, at, at + 4096);
      assertServed(made, damaged, `zeroed at ${at}`);
    }
  });

  it('single errors scattered over all shards are corrected by rs if no column has two', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(2047), { minLength: 3, maxLength: 30 }), fc.infiniteStream(fc.nat(9)), (columns, shards) => {
        const made = make(16 * 1024, { kind: 'rs', k: 8, m: 2 });
        const damaged = made.region.slice();
        for (const column of columns) {
          const at = 72 + (shards.next().value as number) * 2048 + column;
          damaged[at] = (damaged[at] as number) ^ 0x41;
        }
        assertServed(made, damaged, `columns ${columns.join()}`);
      }),
      { numRuns: 30 },
    );
  });

  it('bad shards are found by trial when both copies of the checksums are destroyed', () => {
    for (const scheme of [parseScheme('xor(8)'), parseScheme('rs(8,2)')]) {
      const made = make(2000, scheme);
      const layout = blockLayout(2000, scheme);
      const damaged = made.region.slice();
      damaged.fill(0xee, 0, layout.headerBytes).fill(0xee, layout.mirrorAt);
      const at = layout.headerBytes + 3 * layout.shardBytes;
      damaged.fill(0, at, at + layout.shardBytes);
      if (scheme.kind === 'rs') damaged.fill(0, at + 2 * layout.shardBytes, at + 3 * layout.shardBytes);
      const decoded = assertServed(made, damaged, 'shards 3 and 5');
      assert.match(decoded.kind === 'corrected' ? decoded.how : '', /found by trial/);
    }
  });

  it('S4 damage beyond parity never gives wrong bytes: right ones or unreadable', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CORRECTING, parseScheme('none')),
        fc.nat(600),
        fc.array(fc.tuple(fc.nat(2000), fc.integer({ min: 1, max: 200 }), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (scheme, length, faults) => {
          const made = make(length, scheme);
          const damaged = made.region.slice();
          for (const [at, n, byte] of faults) damaged.fill(byte, at % damaged.length, (at % damaged.length) + n);
          const decoded = decodeBlock(damaged, made.spec);
          assert.ok(decoded.kind === 'unreadable' || Buffer.compare(decoded.payload, made.payload) === 0);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('S4 another whole block of the same size is refused, however well-formed', () => {
    for (const scheme of CORRECTING) {
      const made = make(500, scheme, 1);
      const other = make(500, scheme, 2);
      assert.deepEqual(decodeBlock(other.region, made.spec), { kind: 'unreadable', why: 'another block lies here' });
    }
  });

  it('S4 a block whose first half is of another version is refused or right', () => {
    const made = make(4000, parseScheme('rs(8,2)'), 1);
    const stale = make(4000, parseScheme('rs(8,2)'), 2);
    const torn = made.region.slice();
    torn.set(stale.region.subarray(0, torn.length >> 1));
    assert.equal(decodeBlock(torn, made.spec).kind, 'unreadable');
  });

  it('a region that is cut short is served as long as its payload is there, and never wrong', () => {
    const made = make(1000, parseScheme('rs(8,2)'));
    const layout = blockLayout(1000, made.spec.scheme);
    for (let length = 0; length < made.region.length; length += 8) {
      const kind = decodeBlock(made.region.slice(0, length), made.spec).kind;
      assert.equal(kind, length >= layout.headerBytes + 1000 ? 'clean' : 'unreadable');
    }
  });

  it('an empty payload round-trips and needs no bytes', () => {
    for (const scheme of [...CORRECTING, parseScheme('none')]) {
      const made = make(0, scheme);
      assert.equal(decodeBlock(made.region, made.spec).kind, 'clean');
      assert.equal(decodeBlock(new Uint8Array(0), made.spec).kind, 'clean');
    }
  });

  it('a region is a function of its payload: encoding what was decoded gives the same bytes', () => {
    fc.assert(
      fc.property(fc.constantFrom(...CORRECTING, parseScheme('none')), fc.uint8Array({ maxLength: 3000 }), (scheme, payload) => {
        const { region, digest } = encodeBlock(payload, 'index', 'none', scheme);
        assert.equal(region.length, blockLayout(payload.length, scheme).length);
        const decoded = decodeBlock(region, { type: 'index', codec: 'none', scheme, payloadBytes: payload.length, digest });
        assert.ok(decoded.kind === 'clean');
        assert.deepEqual(encodeBlock(decoded.payload, 'index', 'none', scheme).region, region);
        assert.ok(region.subarray(blockLayout(payload.length, scheme).headerBytes + payload.length).length > 0);
      }),
      { numRuns: 50 },
    );
  });

  it('a block can be judged by a digest of 128 bits and decoded at any alignment', () => {
    const made = make(777, parseScheme('rs(8,2)'));
    const spec = { ...made.spec, digest: digest128(made.payload) };
    const shifted = new Uint8Array(made.region.length + 3);
    shifted.set(made.region, 3);
    shifted.fill(0, 100, 300);
    assert.equal(decodeBlock(shifted.subarray(3), spec).kind, 'corrected');
  });

  it('a block without a referrer is found by its header, or by the mirror if that is bad', () => {
    for (const scheme of [...CORRECTING, parseScheme('none')]) {
      const made = make(333, scheme);
      const file = new Uint8Array(5 + 2 * made.region.length);
      file.set(made.region, 5);
      file.set(made.region, 5 + made.region.length);
      const whole = locateBlock(file, 5);
      assert.deepEqual(whole, { ...made.spec, offset: 5, length: made.region.length });
      file.fill(0, 5, 25);
      assert.deepEqual(locateBlock(file, 5), whole);
    }
    assert.equal(locateBlock(new Uint8Array(4096), 0), undefined);
  });
});
