/** Backups of the members of a test's cluster, and clusters of what they hold. */

import { get } from '../../api/testing/requests.js';
import { fromUtf8 } from '../../base/bytes.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Disk } from '../../base/disk.js';
import { testClock, testWorkers } from '../../base/testing/test-env.js';
import type { KeyValue } from '../../api/requests.js';
import { OpenBackup } from '../../replica/backup/open-backup.js';
import { restore, type Restored } from '../../replica/backup/restore.js';
import { Cluster, configOf } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { calm } from './surroundings.js';

/** Takes a backup of the member to a file of a disk of its own. */
export async function save(node: ClusterNode, held?: ReadonlySet<string>, disk = new MemoryDisk(), path = 'backup'): Promise<MemoryDisk> {
  const file = await disk.open(path, 'create');
  let offset = 0;
  for await (const { bytes } of node.store.backup(held)) {
    await file.write(bytes, offset);
    offset += bytes.length;
  }
  return disk;
}

export const openIn = (disk: Disk, path = 'backup'): Promise<OpenBackup> => OpenBackup.open(disk, path, testWorkers);

/** Of the cluster that is made of it. */
export function newIdFor({ archive }: OpenBackup): bigint {
  return archive.header.clusterId + 1n;
}

export async function restoreTo(disk: Disk, backup: OpenBackup, self: number, bump = 0): Promise<Restored> {
  const env = { disk, clock: testClock, events: { emit: () => undefined }, workers: testWorkers };
  const options = { env, backup, bump, command: 'kintsugi restore again', logSegmentBytes: 64 * 1024 };
  return restore(options, () => ({ self, clusterId: newIdFor(backup), members: [1, 2, 3].map(configOf), joins: [] }));
}

/** A cluster of what the backup holds. */
export async function restored(from: Disk, { bump = 0, path = 'backup', lacking = 0 } = {}): Promise<Cluster> {
  const backup = await openIn(from, path);
  const cluster = new Cluster(calm, { clusterId: newIdFor(backup) });
  for (const node of cluster.nodes) if (node.id > lacking) await restoreTo(node.disk, backup, node.id, bump);
  await cluster.upAll();
  await cluster.leader();
  return cluster;
}

export async function all(node: ClusterNode, revision = 0): Promise<{ readonly kvs: readonly KeyValue[]; readonly revision: number }> {
  return node.store.range({ ...get(''), key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), revision });
}

export const shown = (kvs: readonly KeyValue[]): string[] =>
  kvs.map((kv) => [fromUtf8(kv.key), fromUtf8(kv.value), kv.createRevision, kv.modRevision, kv.version, kv.lease].join(' '));
