/**
 * What this program can write into entries, frames, manifest, log and hard state. The cluster's
 * version is replicated state (`kv/replicated-state.ts`): the lowest that all members know, raised
 * by the leader through the log once all are new (`consensus/cluster-version.ts`). Nothing is
 * written that a member of the cluster's version could not read, so members are upgraded one by
 * one, and may go back as long as the version was not raised, or after it was lowered again
 * (`downgrade.ts`).
 *
 * Each structure has a format number of its own beside its bytes, and a reader refuses a number
 * that it does not know. What a version of the cluster brings:
 *
 *   1   entries, frames and files as of the first version
 *   2   entries that change the members (`entry/member-entry.ts`), and the members in what is
 *       sealed (`state/members-codec.ts`); log segments of format 2, striped
 *       (`log/segment-layout.ts`); alarms: entries of kind 9, the system key `meta/alarms`, frames
 *       that tell of room on disks; entries that lower the version
 *   3   auth: entries of kind 8, the system key `meta/auth`; leases: entries of kinds 7 and 13, the
 *       system key `meta/leases`, and one of each lease and of each key that is attached to one
 *       (`kv/lease-keys.ts`), of which tombstones may stay
 *
 * and how it goes when the version is lowered. Each table is total by its type: what has no version
 * does not compile.
 *
 *   what            from which version on        when the version is lowered below that
 *   entries         `ENTRY_SINCE` (`entry/`)     one that is applied later changes nothing; all are
 *                                                flushed, and the log is dropped past them
 *   system keys     `SYSTEM_KEY_SINCE` (`kv/`)   tombstones in the next seal; what an older version
 *                                                cannot say is a reason not to lower it
 *                                                (`ReplicatedState.obstacle`)
 *   log segments    `SEGMENT_SINCE` (`log/`)     no new ones; those in use are left and dropped,
 *                                                empty ones are made anew (`DurableLog.shed`)
 *   frames          `FRAME_SINCE` (`wire/`)      not sent; nothing of them stays
 */

import type { ClusterVersion } from '../../base/ids.js';

/** The first version of the cluster that allows each of some things. */
export type Since<Thing extends PropertyKey> = Readonly<Record<Thing, ClusterVersion>>;

/** The version with which every cluster begins. */
export const FIRST_VERSION: ClusterVersion = 1;

export const VERSION_2: ClusterVersion = 2;

export const VERSION_3: ClusterVersion = 3;

/** The newest that this program knows. */
export const NEWEST_VERSION: ClusterVersion = 3;
