/**
 * Where a value lies in the files of a member, of either server, found by its bytes alone:
 * what the values are made of is not compressed by anybody, and nothing else holds the same.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../command.js';
import type { ClusterNode } from '../node.js';

/** The log, or the files that a read is answered from. */
export type Part = 'log' | 'data';

const PATHS = {
  kintsugi: { log: 'log', data: 'tables' },
  etcd: { log: 'member/wal', data: 'member/snap' },
} as const;

export interface Place {
  readonly file: string;
  /** Of the middle of the value, in bytes from the file's beginning. */
  readonly offset: number;
}

/** From the middle of a value. */
const NEEDLE_BYTES = 32;

/** Every place of `value` in that part of the member's files. */
export function placesOf(node: ClusterNode, part: Part, value: Buffer): Place[] {
  const dir = join(node.spec.dataDir, PATHS[node.spec.binary.kind][part]);
  if (!existsSync(dir)) return [];
  const middle = value.length >> 1;
  const needle = value.subarray(middle, middle + NEEDLE_BYTES);
  const out: Place[] = [];
  for (const name of readdirSync(dir)) {
    const file = join(dir, name);
    const bytes = contentOf(file);
    for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) out.push({ file, offset: at });
  }
  return out;
}

/** Empty if it is gone by now: a member that runs replaces its files. */
function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

/** As {@link placesOf}; throws Failure if there is none: the damage would miss. */
export function mustFind(node: ClusterNode, part: Part, key: string, value: Buffer): Place[] {
  const places = placesOf(node, part, value);
  if (places.length === 0) throw new Failure(`the value of ${key} is not in the ${part} of ${node.name}`);
  return places;
}
