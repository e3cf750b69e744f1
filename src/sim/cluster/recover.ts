/**
 * `kintsugi recover --emptied`, as an operator runs it on the directory of a member that has
 * stopped because it cannot know what it has promised.
 */

import type { Disk } from '../../base/disk.js';
import type { NodeId } from '../../base/ids.js';
import { beginRecovery, planRecovery } from '../../replica/readmission/begin.js';
import { findEvidence } from '../../replica/readmission/evidence.js';
import type { Stream } from '../world/random.js';
import { CLUSTER_ID } from './identity.js';

/** What it is the cure for. */
export const CURED: ReadonlySet<string> = new Set([
  'MISSING', 'UNREADABLE', 'EMPTIED', 'ROLLED_BACK', 'LOG_MISSING', 'JOINED_MISSING', 'JOINED_UNREADABLE', 'INTENT_UNREADABLE',
]);

/** Rejects with RecoverError and DiskError. */
export async function recoverDirectory(disk: Disk, self: NodeId, random: Stream): Promise<void> {
  const claimed = { self, clusterId: CLUSTER_ID };
  await beginRecovery(disk, planRecovery({ evidence: await findEvidence(disk), claimed, emptied: true }, random));
}
