/** Writes of tests: each says by its value which it is, and goes through whichever member is up. */

import { must } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import { put } from '../../api/testing/requests.js';
import type { Cluster } from './cluster.js';

const AT_ONCE = 20;

/** Of write number `i`. */
export function valueOf(i: number): string {
  return `${i}-`.padEnd(260, String((i * 2654435761) % 1000003));
}

/**
 * Writes number `from` to `to`, in groups of twenty at once, over and over the first `keys` keys.
 */
export async function load(cluster: Cluster<Disk>, from: number, to: number, keys = Infinity): Promise<void> {
  for (let at = from; at < to; at += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, k) => {
        const node = must(cluster.alive[(at + k) % cluster.alive.length], 'a member is up');
        return node.store.put(put(`key${(at + k) % keys}`, valueOf(at + k)));
      }),
    );
  }
}
