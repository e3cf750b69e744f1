/**
 * Finds the damage in a region whose payload does not verify. Each attempt starts from the bytes as
 * read and counts only if the digest holds, so a wrong guess costs time and nothing else; the
 * number of guesses is bounded.
 *
 * 1. The checksums name the bad shards, no more than parity can replace.
 * 2. One shard too many, in a row: one burst that crosses shard borders. Up to some column the
 *    first of these shards is intact, and from there on the last one is; the checksum of the first
 *    tells which column.
 * 3. Scattered damage, at most one error a column: no need to know where.
 * 4. The checksums are bad too: every choice of shards, up to a bound.
 */

import { assert } from '../../base/assert.js';
import { crc32c } from '../../base/crc32c.js';
import type { BlockSpec } from './handle.js';
import { readHeader, readShardCrcs } from './header.js';
import type { BlockLayout } from './layout.js';
import { splitColumns } from './split-columns.js';

/**
 * Choices of shards that step 4 tries: all of them for two parity shards over up to 14 data shards.
 */
const MAX_TRIALS = 128;

type Correction =
  | { readonly kind: 'corrected'; readonly payload: Uint8Array; readonly how: string }
  | { readonly kind: 'unreadable'; readonly why: string };

class Attempts {
  readonly #layout: BlockLayout;
  readonly #payloadBytes: number;
  readonly #verify: (payload: Uint8Array) => boolean;
  /** The shards as read. */
  readonly stored: Uint8Array;

  constructor(region: Uint8Array, layout: BlockLayout, payloadBytes: number, verify: (payload: Uint8Array) => boolean) {
    this.#layout = layout;
    this.#payloadBytes = payloadBytes;
    this.#verify = verify;
    this.stored = region.slice(layout.headerBytes, layout.mirrorAt);
  }

  judge(shards: Uint8Array): Uint8Array | undefined {
    const payload = shards.subarray(0, this.#payloadBytes);
    assert(payload.length === this.#payloadBytes, 'S4 the whole payload is judged');
    return this.#verify(payload) ? payload : undefined;
  }

  restored(lost: readonly number[]): Uint8Array | undefined {
    const { codec, shardBytes } = this.#layout;
    const shards = this.stored.slice();
    return codec.restore(shards, shardBytes, lost, 0, shardBytes) ? shards : undefined;
  }

  without(lost: readonly number[]): Uint8Array | undefined {
    const shards = this.restored(lost);
    return shards && this.judge(shards);
  }

  scattered(): { readonly payload: Uint8Array; readonly columns: number } | undefined {
    const shards = this.stored.slice();
    const columns = this.#layout.codec.correct(shards, this.#layout.shardBytes);
    const payload = columns > 0 ? this.judge(shards) : undefined;
    return payload && { payload, columns };
  }

  /** Step 2: `lost` are neighbours, one more than parity replaces, the first a data shard. */
  burst(lost: readonly number[], firstCrcs: readonly number[]): Uint8Array | undefined {
    const { codec, shardBytes } = this.#layout;
    assert(lost.length === codec.erasures + 1, 'a burst hits one shard more than parity replaces');
    const first = lost[0] as number;
    const right = this.restored(lost.slice(0, -1));
    const left = this.restored(lost.slice(1));
    if (!right || !left || first >= codec.dataShards) return undefined;
    const start = first * shardBytes;
    const end = start + shardBytes;
    for (const crc of firstCrcs) {
      for (const column of splitColumns(this.stored.subarray(start, end), right.subarray(start, end), crc)) {
        const shards = left.slice();
        for (const shard of lost) {
          const at = shard * shardBytes + column;
          shards.set(right.subarray(at, (shard + 1) * shardBytes), at);
        }
        const payload = this.judge(shards);
        if (payload) return payload;
      }
    }
    return undefined;
  }
}

/** Each choice of `n` of `from`, in lexicographic order. */
export function* choices(from: readonly number[], n: number): Generator<number[]> {
  if (n === 0) {
    yield [];
    return;
  }
  for (let i = 0; i + n <= from.length; i++) {
    for (const rest of choices(from.slice(i + 1), n - 1)) yield [from[i] as number, ...rest];
  }
}

/**
 * For each shard the checksums it may have: one list from a whole header, else what both ends say.
 */
function expectedCrcs(region: Uint8Array, layout: BlockLayout, spec: BlockSpec): { crcs: readonly number[][]; foreign: boolean } {
  const headers = [readHeader(region, 0), readHeader(region, layout.mirrorAt)];
  const own = headers.find(
    (header) =>
      header?.payloadBytes === spec.payloadBytes &&
      header.type === spec.type &&
      header.shardCrcs.length === layout.shards &&
      (typeof spec.digest === 'string' || header.digest === spec.digest),
  );
  if (own) return { crcs: [[...own.shardCrcs]], foreign: false };
  const crcs = [readShardCrcs(region, 0, layout.shards), readShardCrcs(region, layout.mirrorAt, layout.shards)];
  return { crcs, foreign: headers.some((header) => header !== undefined) };
}

export function correctBlock(
  stored: Uint8Array,
  layout: BlockLayout,
  spec: BlockSpec,
  verify: (payload: Uint8Array) => boolean,
): Correction {
  const { codec, shardBytes, shards } = layout;
  // Short reads are padded with zeros: what is missing is damaged.
  const region = new Uint8Array(layout.length);
  region.set(stored.subarray(0, layout.length));
  const { crcs, foreign } = expectedCrcs(region, layout, spec);
  const attempts = new Attempts(region, layout, spec.payloadBytes, verify);
  const suspects: number[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const crc = crc32c(attempts.stored, 0, shard * shardBytes, (shard + 1) * shardBytes);
    if (!crcs.some((list) => list[shard] === crc)) suspects.push(shard);
  }
  const bad = `${suspects.length} of ${shards} shards are bad`;
  if (suspects.length > 0 && suspects.length <= codec.erasures) {
    const payload = attempts.without(suspects);
    if (payload) return { kind: 'corrected', payload, how: `shards ${suspects.join(' ')} from parity` };
  }
  const inARow = (suspects.at(-1) ?? 0) - (suspects[0] ?? 0) === codec.erasures;
  if (codec.erasures > 0 && suspects.length === codec.erasures + 1 && inARow) {
    const payload = attempts.burst(suspects, crcs.map((list) => list[suspects[0] as number] as number));
    if (payload) return { kind: 'corrected', payload, how: `a burst in shards ${suspects.join(' ')} from parity` };
  }
  const scattered = attempts.scattered();
  if (scattered) return { kind: 'corrected', payload: scattered.payload, how: `${scattered.columns} scattered errors` };
  if (codec.erasures > 0) {
    const all = Array.from({ length: shards }, (_, shard) => shard);
    let trials = 0;
    for (const lost of choices(suspects.length > codec.erasures ? suspects : all, codec.erasures)) {
      if (++trials > MAX_TRIALS) break;
      const payload = attempts.without(lost);
      if (payload) return { kind: 'corrected', payload, how: `shards ${lost.join(' ')} from parity, found by trial` };
    }
  }
  return { kind: 'unreadable', why: foreign && suspects.length === 0 ? 'another block lies here' : bad };
}
