/**
 * Names in the system space of the tree. Everything that restarts and snapshots must find again as
 * of the flushed index, and that is not a user's key, lives under one of these: written at a seal,
 * sequenced by log index, newest only. They are kept in one place so that no two owners take the
 * same name. What there may be very much of is not: each lease, and each key that has one, is a
 * system key of its own, written by the entry that changes it (`lease-keys.ts`).
 */

import { utf8 } from '../../base/bytes.js';
import { SYSTEM_SPACE, type TreeWrite } from '../../storage/base/read-view.js';
import type { ClusterVersion, LogIndex } from '../../base/ids.js';
import { FIRST_VERSION, VERSION_2, VERSION_3, type Since } from '../base/protocol.js';

export const SYSTEM_KEYS = {
  /** Revision and compact revision. */
  kv: utf8('meta/kv'),
  /** Which proposals were applied, per member. */
  appliedIds: utf8('meta/applied-ids'),
  /** Cluster id and cluster settings of the bootstrap entry. */
  cluster: utf8('meta/cluster'),
  /** The version of the cluster. */
  version: utf8('meta/version'),
  members: utf8('meta/members'),
  alarms: utf8('meta/alarms'),
  /** Users, roles, whether auth is on. */
  auth: utf8('meta/auth'),
  /** Numbers of leases, and of keys that have one. */
  leases: utf8('meta/leases'),
  /** That the version of the cluster was lowered. */
  downgrade: utf8('meta/downgrade'),
} as const;

export type SystemKey = keyof typeof SYSTEM_KEYS;

/**
 * From which version of the cluster on each is sealed. Of the first version is also what an older
 * program passes over, and does not need.
 */
export const SYSTEM_KEY_SINCE: Since<SystemKey> = {
  kv: FIRST_VERSION,
  appliedIds: FIRST_VERSION,
  cluster: FIRST_VERSION,
  version: FIRST_VERSION,
  members: VERSION_2,
  alarms: VERSION_2,
  auth: VERSION_3,
  leases: VERSION_3,
  downgrade: FIRST_VERSION,
};

/**
 * What becomes of it where a new cluster is founded on the state of another:
 *
 *   kept        the keys and tables that stay are to be understood by it
 *   kept-if-any the same, of what there may be none
 *   renewed     written anew, without what belonged to the old members
 *   forgotten   it belonged to them alone; a tombstone says that there is nothing
 */
type AtFounding = 'kept' | 'kept-if-any' | 'renewed' | 'forgotten';

/** Every key has its word: one that is added without does not compile. */
const AT_FOUNDING: Readonly<Record<SystemKey, AtFounding>> = {
  kv: 'renewed',
  appliedIds: 'renewed',
  cluster: 'kept',
  version: 'kept',
  members: 'forgotten',
  alarms: 'forgotten',
  auth: 'kept-if-any',
  leases: 'kept',
  downgrade: 'forgotten',
};

interface KeyAtFounding {
  readonly key: Uint8Array;
  readonly word: AtFounding;
  readonly since: ClusterVersion;
}

/** All of them, each with its word, and the version from which on it is sealed. */
export function* systemKeysAtFounding(): Generator<KeyAtFounding> {
  for (const name of Object.keys(SYSTEM_KEYS) as SystemKey[]) {
    yield { key: SYSTEM_KEYS[name], word: AT_FOUNDING[name], since: SYSTEM_KEY_SINCE[name] };
  }
}

/** One system key as of `index`. */
export function systemWrite(index: LogIndex, key: Uint8Array, value: Uint8Array): TreeWrite {
  return { space: SYSTEM_SPACE, key, revision: index, sub: 0, tombstone: false, liveDelta: 0, value };
}

/** From `index` on there is no such key. */
export function systemTombstone(index: LogIndex, key: Uint8Array): TreeWrite {
  return { space: SYSTEM_SPACE, key, revision: index, sub: 0, tombstone: true, liveDelta: 0, value: new Uint8Array(0) };
}
