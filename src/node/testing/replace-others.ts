/**
 * All members but the first are replaced, one by one, by members at other addresses: of those that
 * the flags of the first name, only it is left.
 */

import { must } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import { codeOf } from '../../base/errors.js';
import type { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';

/** Gives the one that is left. */
export async function replaceOthers<D extends Disk>(cluster: Cluster<D>): Promise<ClusterNode<D>> {
  const [stays, ...origin] = cluster.nodes;
  for (const [at, old] of origin.entries()) {
    const url = `http://m${at + 4}:2380`;
    const leader = await cluster.leader();
    const members = await leader.store.changeMembers({ kind: 'add', id: 0, peerUrls: [url], learner: false });
    await cluster.up(cluster.machine(members.find(({ peerUrls }) => peerUrls[0] === url)?.id ?? 0, leader));
    await cluster.settled(20_000);
    old.leaves = true;
    await (await cluster.leader()).store.changeMembers({ kind: 'remove', id: old.id });
    await cluster.until('it to be gone', () => codeOf(old.removed) === 'REMOVED');
    await cluster.without(old);
  }
  return must(stays, 'a cluster has a first member');
}
