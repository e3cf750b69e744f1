/**
 * Rot as the chaos test strikes with it. Of each table only one member is ever damaged, by the
 * table's birth: the others always have a good copy (D1).
 */

import type { Disk } from '../../base/disk.js';
import type { Random } from '../../base/env.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';

/**
 * Damage to one table file of a member that may be down. `deep`: also beyond parity. A member that
 * lags may then need a block of a table that the others have compacted away, and jumps to their
 * version.
 */
export async function strikeTable<D extends Disk>(cluster: Cluster<D>, node: ClusterNode<D>, random: Random, deep: boolean): Promise<void> {
  const reference = node.up ? node : cluster.alive[0];
  if (!reference) return;
  const candidates = spoilable(cluster, node, reference);
  const table = candidates[random.below(Math.max(1, candidates.length))];
  if (!table) return;
  const path = tablePath(table.id);
  const kind = deep ? random.below(8) : 7;
  if (kind === 0) return node.disk.unlink(path);
  const file = await node.disk.open(path, 'write');
  if (kind === 1) {
    await file.truncate(random.below(table.bytes));
  } else if (kind === 2) {
    const bytes = new Uint8Array(Math.min(4096, table.bytes));
    file.writeSync(bytes, random.below(Math.max(1, table.bytes - bytes.length)));
  } else {
    for (let i = 0; i < (deep ? 8 : 2); i++) {
      const at = random.below(table.bytes);
      const byte = new Uint8Array(1);
      file.readSync(byte, at);
      byte[0] = (byte[0] as number) ^ (1 << random.below(8));
      file.writeSync(byte, at);
    }
  }
  await file.sync();
  file.close();
}

/** All the tables go that may be damaged on this member, which is down and will lag. */
export async function loseTables<D extends Disk>(cluster: Cluster<D>, node: ClusterNode<D>): Promise<void> {
  const [reference] = cluster.alive;
  for (const { id } of reference ? spoilable(cluster, node, reference) : []) await node.disk.unlink(tablePath(id));
}

function spoilable<D extends Disk>(cluster: Cluster<D>, node: ClusterNode<D>, reference: ClusterNode<D>): TableMeta[] {
  return reference.replica.tree.materialized.list().filter(
    ({ id, birth, bytes }) => (birth.sequence - node.id) % cluster.nodes.length === 0 && node.disk.sizeOf(tablePath(id)) === bytes,
  );
}
