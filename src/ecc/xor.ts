/** One parity shard, the exclusive or of `k` data shards: any one shard of a column may be lost. */

import type { ParityCodec } from './parity-codec.js';

export class XorParity implements ParityCodec {
  readonly dataShards: number;
  readonly parityShards = 1;
  readonly erasures = 1;

  constructor(k: number) {
    this.dataShards = k;
  }

  encode(shards: Uint8Array, shardBytes: number, from = 0, to = shardBytes): void {
    const k = this.dataShards;
    const words = shardBytes >> 2;
    const all = new Int32Array(shards.buffer, shards.byteOffset, (k + 1) * words);
    const parity = k * words;
    for (let j = from >> 2, end = to >> 2; j < end; j++) {
      let p = 0;
      for (let at = j; at < parity; at += words) p ^= all[at] as number;
      all[parity + j] = p;
    }
  }

  restore(shards: Uint8Array, shardBytes: number, lost: readonly number[], from: number, to: number): boolean {
    if (lost.length > 1) return false;
    const bad = lost[0];
    if (bad === undefined || bad === this.dataShards) return true;
    for (let j = from; j < to; j++) {
      let byte = 0;
      for (let i = 0; i <= this.dataShards; i++) if (i !== bad) byte ^= shards[i * shardBytes + j] as number;
      shards[bad * shardBytes + j] = byte;
    }
    return true;
  }

  /** Parity alone says that a column is wrong, not where. */
  correct(): number {
    return -1;
  }
}
