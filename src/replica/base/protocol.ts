/**
 * What this program can write into entries, frames, manifest, log and hard state. The cluster's
 * version is replicated state (`kv/replicated-state.ts`): the lowest that all members know, raised
 * by the leader through the log once all are new (`consensus/cluster-version.ts`). Nothing is
 * written that a member of the cluster's version could not read, so members are upgraded one by
 * one, and may go back as long as the version was not raised.
 *
 * Each structure has a format number of its own beside its bytes, and a reader refuses a number
 * that it does not know. This table says which of them a version of the cluster brings:
 *
 *   1   entries, frames and files as of the first version
 *   2   entries that change the members (`entry/member-entry.ts`), and the members in what is
 *       sealed (`state/members-codec.ts`); log segments of format 2, striped
 *       (`log/segment-layout.ts`); alarms: entries of kind 9, the system key `meta/alarms`, frames
 *       that tell of room on disks
 */

import type { ClusterVersion } from '../../base/ids.js';

/** The version with which every cluster begins. */
export const FIRST_VERSION: ClusterVersion = 1;

export const VERSION_2: ClusterVersion = 2;

/** The newest that this program knows. */
export const NEWEST_VERSION: ClusterVersion = 2;
