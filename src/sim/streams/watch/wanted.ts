/** What a watch asks for, and what of all that happens it must be told. */

import { keyName } from '../../workload/history/describe.js';
import { holdsKey, type Kv } from '../../workload/history/operation.js';
import type { Stream } from '../../world/random.js';

export interface Wanted {
  readonly key: string;
  /** Empty: the one key. "\0": to the end. */
  readonly end: string;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly fragment: boolean;
  readonly progressNotify: boolean;
}

const HOT_KEYS = 6;

export function drawWanted(random: Stream, keys: readonly string[]): Wanted {
  const filter = random.below(8);
  return {
    ...drawKeys(random, keys), prevKv: random.chance(1, 2), noPut: filter === 0, noDelete: filter === 1,
    fragment: random.chance(1, 2), progressNotify: random.chance(1, 3),
  };
}

function drawKeys(random: Stream, keys: readonly string[]): { readonly key: string; readonly end: string } {
  const pick = (): number => (random.chance(1, 2) ? random.below(Math.min(HOT_KEYS, keys.length)) : random.below(keys.length));
  switch (random.below(4)) {
    case 0: return { key: keys[pick()] as string, end: '' };
    case 1: {
      const from = pick();
      return { key: keys[from] as string, end: keys[from + random.between(1, 20)] ?? '\0' };
    }
    case 2: return { key: '', end: '\0' };
    default: return { key: '\0', end: '\0' };
  }
}

/** Whether it must be told that the key became `now`. */
export function wants({ key, end, noPut, noDelete }: Wanted, now: Kv): boolean {
  return !(now.version === 0 ? noDelete : noPut) && holdsKey(key, end, now.key);
}

export function describeWanted({ key, end, ...flags }: Wanted): string {
  const set = Object.entries(flags).flatMap(([name, on]) => (on ? [name] : []));
  return `${end === '' ? keyName(key) : `[${keyName(key)}, ${keyName(end)})`}${set.length === 0 ? '' : ` ${set.join(' ')}`}`;
}
