/** The codec of each scheme. */

import { assert } from '../base/assert.js';
import { NoParity } from './none.js';
import type { ParityCodec } from './parity-codec.js';
import { ReedSolomon } from './reed-solomon.js';
import { formatScheme, type EccScheme } from './scheme.js';
import { Secded } from './secded.js';
import { XorParity } from './xor.js';

const codecs = new Map<string, ParityCodec>();
const recent = new WeakMap<EccScheme, ParityCodec>();

/** The codec of a scheme; there is one per scheme. */
export function parityCodec(scheme: EccScheme): ParityCodec {
  const known = recent.get(scheme);
  if (known) return known;
  const name = formatScheme(scheme);
  const codec = codecs.get(name) ?? build(scheme);
  codecs.set(name, codec);
  recent.set(scheme, codec);
  return codec;
}

function build(scheme: EccScheme): ParityCodec {
  switch (scheme.kind) {
    case 'none':
      return new NoParity();
    case 'secded':
      return new Secded();
    case 'xor':
      assert(scheme.k >= 2 && scheme.k <= 32, `xor takes 2 to 32 data shards, got ${scheme.k}`);
      return new XorParity(scheme.k);
    case 'rs':
      assert(scheme.k >= 2 && scheme.k <= 32 && scheme.m >= 2 && scheme.m <= 4, 'rs takes 2 to 32 data and 2 to 4 parity shards');
      return new ReedSolomon(scheme.k, scheme.m);
  }
}
