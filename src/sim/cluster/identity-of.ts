/**
 * As whom a machine is opened: what `server/join.ts` finds out, and how it ends where it cannot.
 */

import { must } from '../../base/assert.js';
import type { Env } from '../../base/env.js';
import { afterRefusal } from '../../replica/start/after-refusal.js';
import { identityOnDisk } from '../../replica/start/identity-on-disk.js';
import { JOINED_FILE } from '../../replica/state/joined.js';
import { copyOf } from '../../replica/state/kept-twice.js';
import type { Identity } from './identity.js';
import type { Node } from './node.js';

/**
 * An emptied machine would be told by the others who it is now; here it knows. One that has its
 * hard state, and has lost the file beside it, has but its flags. Rejects with JoinError,
 * RecoverError, DiskError, and ReplicaError READMISSION.
 */
export async function identityOf(
  node: Node, env: Pick<Env, 'disk' | 'clock' | 'random' | 'events'>, autoRecover: boolean,
): Promise<Identity> {
  const { disk } = env;
  const isLost = disk.sizeOf('hardstate') !== undefined && [JOINED_FILE, copyOf(JOINED_FILE)].every((path) => disk.sizeOf(path) === undefined);
  const flags = must(isLost ? node.flags : node.identity, 'who starts is somebody');
  try {
    return await identityOnDisk(disk, flags);
  } catch (error) {
    throw await afterRefusal({ env, self: flags.self, clusterId: flags.clusterId, autoRecover }, error);
  }
}
