import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parityCodec } from './codec.js';
import { shardBytesOf, type ParityCodec } from './parity-codec.js';
import { formatScheme, parseScheme, type EccScheme } from './scheme.js';

function filled(length: number, seed: number): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) >>> 16);
}

function encoded(codec: ParityCodec, shardBytes: number, seed = 1): Uint8Array {
  const shards = new Uint8Array((codec.dataShards + codec.parityShards) * shardBytes);
  shards.set(filled(codec.dataShards * shardBytes, seed));
  codec.encode(shards, shardBytes);
  return shards;
}

function subsets(n: number, size: number): number[][] {
  if (size === 0) return [[]];
  return Array.from({ length: n }, (_, i) => i).flatMap((i) => subsets(i, size - 1).map((rest) => [...rest, i]));
}

/** Destroys `lost` and restores it; whether all data came back. */
function survives(codec: ParityCodec, good: Uint8Array, shardBytes: number, lost: readonly number[]): boolean {
  const shards = good.slice();
  for (const shard of lost) shards.fill(0xa5, shard * shardBytes, (shard + 1) * shardBytes);
  if (!codec.restore(shards, shardBytes, lost, 0, shardBytes)) return false;
  const data = codec.dataShards * shardBytes;
  return Buffer.compare(shards.subarray(0, data), good.subarray(0, data)) === 0;
}

describe('parity codecs', () => {
  it('rs(8,2) restores every choice of up to two lost shards', () => {
    const codec = parityCodec({ kind: 'rs', k: 8, m: 2 });
    const good = encoded(codec, 32);
    for (const size of [0, 1, 2]) {
      for (const lost of subsets(10, size)) assert.ok(survives(codec, good, 32, lost), `lost ${lost.join()}`);
    }
    assert.equal(survives(codec, good, 32, [1, 2, 3]), false);
  });

  it('rs(8,3) and rs(8,4) restore every choice of lost shards that they claim', () => {
    for (const m of [3, 4]) {
      const codec = parityCodec({ kind: 'rs', k: 8, m });
      const good = encoded(codec, 16);
      for (const lost of subsets(8 + m, m)) assert.ok(survives(codec, good, 16, lost), `m ${m}, lost ${lost.join()}`);
    }
  });

  it('rs(k,m) restores any m lost shards for every k and m that is supported', () => {
    for (let m = 2; m <= 4; m++) {
      for (let k = 2; k <= 32; k++) {
        const codec = parityCodec({ kind: 'rs', k, m });
        const good = encoded(codec, 16, k * 8 + m);
        const picks = fc.sample(fc.uniqueArray(fc.nat(k + m - 1), { minLength: m, maxLength: m }), { numRuns: 25, seed: k * 100 + m });
        for (const lost of picks) assert.ok(survives(codec, good, 16, lost.sort((a, b) => a - b)), `rs(${k},${m}) lost ${lost.join()}`);
      }
    }
  });

  it('rs(32,4) restores lost shards where powers of two would not be MDS', () => {
    const codec = parityCodec({ kind: 'rs', k: 32, m: 4 });
    const good = encoded(codec, 16);
    for (const lost of [[0, 1, 25, 34], [0, 1, 25, 33], [5, 6, 30, 34]]) assert.ok(survives(codec, good, 16, lost));
  });

  it('xor(k) restores any one shard', () => {
    for (const k of [2, 3, 8, 32]) {
      const codec = parityCodec({ kind: 'xor', k });
      const good = encoded(codec, 16);
      for (let shard = 0; shard <= k; shard++) assert.ok(survives(codec, good, 16, [shard]));
      assert.equal(survives(codec, good, 16, [0, 1]), false);
    }
  });

  it('restoring a range of columns leaves the others as they are', () => {
    for (const scheme of [{ kind: 'rs', k: 5, m: 3 }, { kind: 'xor', k: 5 }] satisfies EccScheme[]) {
      const codec = parityCodec(scheme);
      const good = encoded(codec, 32);
      const shards = good.slice();
      shards.fill(1, 64, 96);
      assert.ok(codec.restore(shards, 32, [2], 10, 20));
      assert.deepEqual(shards.subarray(74, 84), good.subarray(74, 84));
      assert.ok(shards.subarray(64, 74).every((b) => b === 1) && shards.subarray(84, 96).every((b) => b === 1));
    }
  });

  it('secded corrects every single bit of data and parity, and refuses every pair in one word', () => {
    const codec = parityCodec({ kind: 'secded' });
    const good = encoded(codec, 16);
    const flip = (shards: Uint8Array, bit: number): void => {
      const at = (bit >> 3) * 16 + 5;
      shards[at] = (shards[at] as number) ^ (1 << (bit & 7));
    };
    for (let first = 0; first < 72; first++) {
      const one = good.slice();
      flip(one, first);
      assert.equal(codec.correct(one, 16), 1);
      assert.deepEqual(one.subarray(0, 128), good.subarray(0, 128));
      for (let second = first + 1; second < 72; second++) {
        const two = good.slice();
        flip(two, first);
        flip(two, second);
        assert.equal(codec.correct(two, 16), -1, `bits ${first} and ${second}`);
      }
    }
  });

  it('rs finds one wrong byte per column in any shard without being told where', () => {
    for (const scheme of [{ kind: 'rs', k: 8, m: 2 }, { kind: 'rs', k: 32, m: 2 }, { kind: 'rs', k: 12, m: 4 }] satisfies EccScheme[]) {
      const codec = parityCodec(scheme);
      const good = encoded(codec, 48);
      const shards = good.slice();
      const n = codec.dataShards + codec.parityShards;
      for (let j = 0; j < 48; j++) {
        const at = ((j * 7) % n) * 48 + j;
        shards[at] = (shards[at] as number) ^ (j + 1);
      }
      assert.equal(codec.correct(shards, 48), 48);
      assert.deepEqual(shards.subarray(0, codec.dataShards * 48), good.subarray(0, codec.dataShards * 48));
    }
  });

  it('P and Q computed four columns at a time equal their definition', () => {
    const codec = parityCodec({ kind: 'rs', k: 3, m: 2 });
    const shards = encoded(codec, 16);
    const double = (x: number): number => (x & 0x80 ? (x << 1) ^ 0x11d : x << 1);
    for (let j = 0; j < 16; j++) {
      const [a, b, c] = [shards[j] as number, shards[16 + j] as number, shards[32 + j] as number];
      assert.equal(shards[48 + j], a ^ b ^ c);
      assert.equal(shards[64 + j], a ^ double(b) ^ double(double(c)));
    }
  });

  it('an empty payload has empty shards', () => {
    for (const name of ['none', 'secded', 'xor(8)', 'rs(8,2)']) {
      const codec = parityCodec(parseScheme(name));
      assert.equal(shardBytesOf(codec, 0), 0);
      codec.encode(new Uint8Array(0), 0);
      assert.equal(formatScheme(parseScheme(name)), name);
    }
  });
});
