/** Writes of tests: each says by its value which it is, and goes through whichever member is up. */

import { must } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import { codeOf } from '../../base/errors.js';
import type { PutRequest } from '../../api/requests.js';
import { put } from '../../api/testing/requests.js';
import type { ClusterNode } from './cluster-node.js';
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
    // A learner takes no writes.
    const takers = cluster.alive.filter(({ id, replica }) => ['voter', 'incoming', 'outgoing'].includes(replica.membership.standing(id)));
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, k) => {
        const node = must(takers[(at + k) % takers.length], 'a member is up');
        return write(node, put(`key${(at + k) % keys}`, valueOf(at + k)));
      }),
    );
  }
}

/**
 * As a client does that is asked to slow down: a member that cannot keep up with its flushes
 * refuses writes (`too many requests`) until it can.
 */
async function write({ store }: ClusterNode<Disk>, request: PutRequest): Promise<void> {
  for (;;) {
    try {
      await store.put(request);
      return;
    } catch (error) {
      if (codeOf(error) !== 'TOO_MANY_REQUESTS') throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
