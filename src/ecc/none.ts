/** No parity: damage is found by the digest and mended from a peer alone. */

import type { ParityCodec } from './parity-codec.js';

export class NoParity implements ParityCodec {
  readonly dataShards = 1;
  readonly parityShards = 0;
  readonly erasures = 0;

  encode(): void {}

  restore(_shards: Uint8Array, _shardBytes: number, lost: readonly number[]): boolean {
    return lost.length === 0;
  }

  correct(): number {
    return -1;
  }
}
