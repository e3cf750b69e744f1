/**
 * Names in the system space of the tree. Everything that restarts and snapshots must find again as
 * of the flushed index, and that is not a user's key, lives under one of these: written at a seal,
 * sequenced by log index, newest only. They are kept in one place so that no two owners take the
 * same name.
 */

import { utf8 } from '../../base/bytes.js';
import { SYSTEM_SPACE, type TreeWrite } from '../../storage/base/read-view.js';
import type { LogIndex } from '../../base/ids.js';

export const SYSTEM_KEYS = {
  /** Revision and compact revision. */
  kv: utf8('meta/kv'),
  /** Which proposals were applied, per member. */
  appliedIds: utf8('meta/applied-ids'),
  /** Cluster id and cluster settings of the bootstrap entry. */
  cluster: utf8('meta/cluster'),
  /** The version of the cluster. */
  version: utf8('meta/version'),
  /** These two do not outlive a restore: a tombstone then says that there is nothing. */
  members: utf8('meta/members'),
  alarms: utf8('meta/alarms'),
} as const;

/** One system key as of `index`. */
export function systemWrite(index: LogIndex, key: Uint8Array, value: Uint8Array): TreeWrite {
  return { space: SYSTEM_SPACE, key, revision: index, sub: 0, tombstone: false, liveDelta: 0, value };
}
