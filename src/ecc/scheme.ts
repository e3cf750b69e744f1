/**
 * Which parity a block carries. A scheme is replicated state: it comes from the cluster's settings
 * or a table's handle, never from the block that is to be corrected.
 */

import { CodecError } from '../base/errors.js';

export type EccScheme =
  | { readonly kind: 'none' }
  /** Hsiao (72,64): one bit per 8-byte word. */
  | { readonly kind: 'secded' }
  /** One parity shard over `k` data shards. */
  | { readonly kind: 'xor'; readonly k: number }
  /** Reed-Solomon over GF(2^8), `k` data and `m` parity shards. */
  | { readonly kind: 'rs'; readonly k: number; readonly m: number };

export const DEFAULT_SCHEME: EccScheme = { kind: 'rs', k: 8, m: 2 };

/** `none`, `secded`, `xor(8)`, `rs(8,2)`. */
export function formatScheme(scheme: EccScheme): string {
  switch (scheme.kind) {
    case 'none':
    case 'secded':
      return scheme.kind;
    case 'xor':
      return `xor(${scheme.k})`;
    case 'rs':
      return `rs(${scheme.k},${scheme.m})`;
  }
}

/**
 * The inverse of {@link formatScheme}. Throws CodecError for anything else; k 2 to 32, m 2 to 4.
 */
export function parseScheme(text: string): EccScheme {
  if (text === 'none' || text === 'secded') return { kind: text };
  const xor = /^xor\((\d{1,2})\)$/.exec(text);
  const rs = /^rs\((\d{1,2}),(\d)\)$/.exec(text);
  const k = Number(xor?.[1] ?? rs?.[1]);
  if (xor && k >= 2 && k <= 32) return { kind: 'xor', k };
  const m = Number(rs?.[2]);
  if (rs && k >= 2 && k <= 32 && m >= 2 && m <= 4) return { kind: 'rs', k, m };
  throw new CodecError(`ECC scheme ${JSON.stringify(text)}: use none, secded, xor(k) with k 2 to 32, or rs(k,m) with m 2 to 4`);
}
