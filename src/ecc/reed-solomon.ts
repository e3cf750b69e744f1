/**
 * Systematic Reed-Solomon over GF(2^8). Every square submatrix of the parity matrix is regular, so
 * any `m` shards of a column may be lost (MDS). Its first row is all ones.
 *
 * With two parity shards the rows are 1 and 2^i: P and Q take shifts and exclusive ors on four
 * bytes at a time. With three or four a Cauchy matrix is used, because powers of 2^i stop being MDS
 * at the fourth row from 26 shards on.
 */

import { assert, must } from '../base/assert.js';
import type { ParityCodec } from './parity-codec.js';
import { gfExp, gfInverse, gfInvert, gfMul } from './gf256.js';

function parityMatrix(k: number, m: number): Uint8Array[] {
  return Array.from({ length: m }, (_, r) =>
    Uint8Array.from({ length: k }, (_, i) => {
      if (m === 2) return r === 0 ? 1 : gfExp(i);
      // 1 / (r + m + i), each column scaled so that row 0 is 1.
      return gfMul(gfInverse(r ^ (m + i)), m + i);
    }),
  );
}

/** Of 1 KiB each; few different ones are in use at a time. */
const MAX_TABLES = 4096;
const productTables = new Map<number, Int32Array>();

/** For each byte value its products with up to four coefficients, packed into one number. */
function productTable(coefficients: readonly number[]): Int32Array {
  const key = coefficients.reduce((packed, c, lane) => packed + c * 256 ** lane, 0);
  const known = productTables.get(key);
  if (known !== undefined) return known;
  if (productTables.size >= MAX_TABLES) productTables.clear();
  const table = new Int32Array(256);
  productTables.set(key, table);
  for (let x = 1; x < 256; x++) {
    let packed = 0;
    coefficients.forEach((c, lane) => (packed |= gfMul(c, x) << (8 * lane)));
    table[x] = packed;
  }
  return table;
}

/**
 * Sums `tables[n]` over shard `inputs[n]` in columns [from, to) and writes lane r to shard
 * `outputs[r]`.
 */
function combine(
  shards: Uint8Array,
  shardBytes: number,
  inputs: readonly number[],
  tables: readonly Int32Array[],
  outputs: readonly number[],
  from: number,
  to: number,
): void {
  const length = to - from;
  const sums = new Int32Array(length);
  let n = 0;
  // Four shards at a time, so that sums are loaded and stored a quarter as often.
  for (; n + 4 <= inputs.length; n += 4) {
    const [t0, t1, t2, t3] = [tables[n], tables[n + 1], tables[n + 2], tables[n + 3]] as [Int32Array, Int32Array, Int32Array, Int32Array];
    const at0 = (inputs[n] as number) * shardBytes + from;
    const at1 = (inputs[n + 1] as number) * shardBytes + from;
    const at2 = (inputs[n + 2] as number) * shardBytes + from;
    const at3 = (inputs[n + 3] as number) * shardBytes + from;
    for (let j = 0; j < length; j++) {
      sums[j] =
        (sums[j] as number) ^
        (t0[shards[at0 + j] as number] as number) ^
        (t1[shards[at1 + j] as number] as number) ^
        (t2[shards[at2 + j] as number] as number) ^
        (t3[shards[at3 + j] as number] as number);
    }
  }
  for (; n < inputs.length; n++) {
    const table = tables[n] as Int32Array;
    const base = (inputs[n] as number) * shardBytes + from;
    for (let j = 0; j < length; j++) sums[j] = (sums[j] as number) ^ (table[shards[base + j] as number] as number);
  }
  for (let lane = 0; lane < outputs.length; lane++) {
    const base = (outputs[lane] as number) * shardBytes + from;
    for (let j = 0; j < length; j++) shards[base + j] = (sums[j] as number) >>> (8 * lane);
  }
}

export class ReedSolomon implements ParityCodec {
  readonly dataShards: number;
  readonly parityShards: number;
  readonly erasures: number;
  /** A row per parity shard. */
  readonly #matrix: readonly Uint8Array[];
  readonly #encodeTables: readonly Int32Array[];

  constructor(k: number, m: number) {
    this.dataShards = k;
    this.parityShards = m;
    this.erasures = m;
    this.#matrix = parityMatrix(k, m);
    assert(this.#matrix[0]?.every((c) => c === 1) === true, 'the first parity shard is the exclusive or of the data shards');
    this.#encodeTables = Array.from({ length: k }, (_, i) => productTable(this.#matrix.map((row) => row[i] as number)));
  }

  encode(shards: Uint8Array, shardBytes: number, from = 0, to = shardBytes): void {
    const k = this.dataShards;
    assert(from % 4 === 0 && to % 4 === 0 && to <= shardBytes, 'parity is made of four columns at a time');
    if (this.parityShards === 2) return this.#encodePQ(shards, shardBytes, from, to);
    const inputs = Array.from({ length: k }, (_, i) => i);
    const outputs = this.#matrix.map((_, r) => k + r);
    combine(shards, shardBytes, inputs, this.#encodeTables, outputs, from, to);
  }

  /**
   * Horner's rule: Q = (...(d[k-1] * 2 + d[k-2]) * 2 ...) + d[0], four columns in one 32-bit
   * number.
   */
  #encodePQ(shards: Uint8Array, shardBytes: number, from: number, to: number): void {
    const words = shardBytes >> 2;
    const k = this.dataShards;
    const all = new Int32Array(shards.buffer, shards.byteOffset, (k + 2) * words);
    const last = (k - 1) * words;
    for (let j = from >> 2, end = to >> 2; j < end; j++) {
      let p = 0;
      let q = 0;
      for (let at = last + j; at >= 0; at -= words) {
        const d = all[at] as number;
        p ^= d;
        q = ((q & 0x7f7f7f7f) << 1) ^ Math.imul((q >>> 7) & 0x01010101, 0x1d) ^ d;
      }
      all[last + words + j] = p;
      all[last + 2 * words + j] = q;
    }
  }

  restore(shards: Uint8Array, shardBytes: number, lost: readonly number[], from: number, to: number): boolean {
    const k = this.dataShards;
    if (lost.length > this.parityShards) return false;
    const targets = lost.filter((shard) => shard < k);
    if (targets.length === 0) return true;
    assert(to <= shardBytes && lost.every((shard, i) => i === 0 || shard > (lost[i - 1] as number)), 'lost shards ascend, columns are theirs');
    const rows: number[] = [];
    for (let r = 0; r < this.parityShards && rows.length < targets.length; r++) if (!lost.includes(k + r)) rows.push(r);
    assert(rows.length === targets.length, 'a parity shard that is left for each data shard that is lost');
    const system = rows.map((r) => Uint8Array.from(targets, (i) => this.#at(r, i)));
    const inverse = must(gfInvert(system), 'every square submatrix of the parity matrix is regular');
    const inputs: number[] = [];
    const tables: Int32Array[] = [];
    for (let i = 0; i < k; i++) {
      if (targets.includes(i)) continue;
      inputs.push(i);
      tables.push(
        productTable(inverse.map((row) => rows.reduce((sum, r, n) => sum ^ gfMul(row[n] as number, this.#at(r, i)), 0))),
      );
    }
    rows.forEach((r, n) => {
      inputs.push(k + r);
      tables.push(productTable(inverse.map((row) => row[n] as number)));
    });
    combine(shards, shardBytes, inputs, tables, targets, from, to);
    return true;
  }

  #at(row: number, column: number): number {
    return (this.#matrix[row] as Uint8Array)[column] as number;
  }

  correct(shards: Uint8Array, shardBytes: number): number {
    const k = this.dataShards;
    const m = this.parityShards;
    // Copied so that it begins at a multiple of 4 and the stored parity stays.
    const fresh = shards.slice(0, (k + m) * shardBytes);
    this.encode(fresh, shardBytes);
    const syndrome = new Uint8Array(m);
    let wrong = 0;
    for (let j = 0; j < shardBytes; j++) {
      let nonZero = 0;
      for (let r = 0; r < m; r++) {
        const at = (k + r) * shardBytes + j;
        const s = (shards[at] as number) ^ (fresh[at] as number);
        syndrome[r] = s;
        if (s !== 0) nonZero++;
      }
      if (nonZero === 0) continue;
      wrong++;
      // One row: its parity byte is wrong. An error in a data byte shows in every row.
      if (nonZero === 1) continue;
      const shard = nonZero === m ? this.#locate(syndrome) : -1;
      if (shard < 0) return -1;
      const at = shard * shardBytes + j;
      shards[at] = (shards[at] as number) ^ (syndrome[0] as number);
    }
    return wrong;
  }

  /** The data shard in which one wrong byte explains this syndrome, -1 if there is none. */
  #locate(syndrome: Uint8Array): number {
    const error = syndrome[0] as number;
    for (let i = 0; i < this.dataShards; i++) {
      let fits = true;
      for (let r = 1; r < this.parityShards && fits; r++) fits = gfMul(error, this.#at(r, i)) === syndrome[r];
      if (fits) return i;
    }
    return -1;
  }
}
