/**
 * Who the members were as of the flushed index, as the tables here say, before anything is open: a
 * damaged log is mended by the word of a majority of them (R6), and the flags name those that the
 * cluster began with.
 */

import type { Disk } from '../../base/disk.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import { noFaults } from '../../storage/table/block-faults.js';
import { TableStore } from '../../storage/table/table-store.js';
import { Tree } from '../../storage/tree/tree.js';
import type { Version } from '../../storage/version/version.js';
import { ReplicatedState } from '../kv/replicated-state.js';
import type { MembersAsOf } from '../log-recovery/configurations.js';
import type { Membership } from '../state/membership.js';

/**
 * From now on `membership` says so, too. Undefined: the tables cannot be read without a peer's
 * help.
 */
export function membersAtRest(disk: Disk, durable: Version, membership: Membership): MembersAsOf | undefined {
  const { index } = durable.flushed;
  const tables = new TableStore(disk, new BlockCache(0), noFaults);
  try {
    const state = new ReplicatedState(new Tree({ disk, tables, durable }), undefined, undefined, membership);
    return state.peekMembers(index) ? { index, members: membership.applied } : undefined;
  } finally {
    tables.close();
  }
}
