/**
 * Arithmetic in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11d), generator 2. Addition is
 * exclusive or.
 */

import { assert } from '../base/assert.js';

const EXP = new Uint8Array(510);
const LOG = new Uint8Array(256);
{
  let x = 1;
  for (let i = 0; i < 255; i++) {
    EXP[i] = EXP[i + 255] = x;
    LOG[x] = i;
    x = x & 0x80 ? (x << 1) ^ 0x11d : x << 1;
  }
}

export function gfMul(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : (EXP[(LOG[a] as number) + (LOG[b] as number)] as number);
}

export function gfInverse(a: number): number {
  assert(a !== 0, 'zero has no inverse');
  return EXP[255 - (LOG[a] as number)] as number;
}

/** 2^i. */
export function gfExp(i: number): number {
  return EXP[i % 255] as number;
}

/**
 * The inverse of a square matrix given by rows, by Gauss-Jordan elimination; undefined if it is
 * singular.
 */
export function gfInvert(matrix: readonly Uint8Array[]): Uint8Array[] | undefined {
  const n = matrix.length;
  const rows = matrix.map((row, i): Uint8Array => {
    const wide = new Uint8Array(2 * n);
    wide.set(row);
    wide[n + i] = 1;
    return wide;
  });
  for (let column = 0; column < n; column++) {
    const pivot = rows.findIndex((row, i) => i >= column && row[column] !== 0);
    if (pivot < 0) return undefined;
    const chosen = rows[pivot] as Uint8Array;
    rows[pivot] = rows[column] as Uint8Array;
    rows[column] = chosen;
    const scale = gfInverse(chosen[column] as number);
    for (let j = 0; j < 2 * n; j++) chosen[j] = gfMul(chosen[j] as number, scale);
    for (let i = 0; i < n; i++) {
      const row = rows[i] as Uint8Array;
      const factor = row[column] as number;
      if (i === column || factor === 0) continue;
      for (let j = 0; j < 2 * n; j++) row[j] = (row[j] as number) ^ gfMul(factor, chosen[j] as number);
    }
  }
  return rows.map((row) => row.slice(n));
}
