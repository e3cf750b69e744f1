/**
 * The keys of a run, one byte per character: most are alike, some have bytes at which an encoding
 * of keys could trip (0x00, 0xff), are prefixes of others, or are long.
 */

/** Sorted. */
export function keysOf(count: number): readonly string[] {
  const keys = new Set<string>();
  for (let i = 0; keys.size < count; i++) {
    const name = `k${String(Math.floor(i / 2)).padStart(3, '0')}`;
    const suffix = i % 2 === 0 ? '' : ODD_SUFFIXES[(i >> 1) % ODD_SUFFIXES.length];
    keys.add(name + (suffix ?? ''));
  }
  return [...keys].sort((a, b) => (a < b ? -1 : 1));
}

const ODD_SUFFIXES = ['a', '\0', 'b', '\xff', 'c', '\0\xff', 'd', '\0\x01', 'long'.repeat(50), 'e', '\xff\xff\0'] as const;
