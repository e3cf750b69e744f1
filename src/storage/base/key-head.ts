/**
 * Six bytes of a key as a number, which holds so many exactly: comparing two numbers decides most
 * comparisons of keys. Beyond the end of a key there are zeros. Of two keys that are equal up to
 * `at`, the one with the lesser head is the lesser; equal heads say nothing.
 */

export const HEAD_BYTES = 6;
const TWO_24 = 0x100_0000;

/** Of the key [0, end) of `key`, from `at` on. */
export function headOf(key: Uint8Array, at: number, end = key.length): number {
  if (at + HEAD_BYTES <= end) {
    const high = ((key[at] as number) << 16) | ((key[at + 1] as number) << 8) | (key[at + 2] as number);
    const low = ((key[at + 3] as number) << 16) | ((key[at + 4] as number) << 8) | (key[at + 5] as number);
    return high * TWO_24 + low;
  }
  let head = 0;
  for (let i = at; i < at + HEAD_BYTES; i++) head = head * 0x100 + (i < end ? (key[i] as number) : 0);
  return head;
}

/** Order of two keys that have their first `from` bytes in common, or all of them. */
export function compareFrom(a: Uint8Array, aEnd: number, b: Uint8Array, bEnd: number, from: number): number {
  const n = aEnd < bEnd ? aEnd : bEnd;
  for (let i = from; i < n; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return aEnd - bEnd;
}
