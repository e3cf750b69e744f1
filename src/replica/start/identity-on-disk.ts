/**
 * As whom a directory's member is opened: what is on the disk goes before the flags. R5 it is one
 * that the directory shows; hard state has the last word (`open-state.ts`).
 */

import type { Disk } from '../../base/disk.js';
import type { NodeId } from '../../base/ids.js';
import { readIntent, type RecoverIntent } from '../readmission/intent.js';
import { joinedIdentity, JoinError, readJoined, type Identity, type Joined } from '../state/joined.js';

/** Rejects with JoinError JOINED_UNREADABLE, RecoverError INTENT_UNREADABLE and DiskError. */
export async function identityOnDisk(disk: Disk, flags: Identity): Promise<Identity> {
  const intent = await readIntent(disk);
  if (intent?.stage === 'asks') return askingIdentity(flags, intent, await readableJoined(disk));
  const joined = await readJoined(disk);
  return joined === undefined ? flags : joinedIdentity(joined, nameIn(flags));
}

/** Undefined: there is none that can be read. For who only asks, and is told who it is. */
export async function readableJoined(disk: Disk): Promise<Joined | undefined> {
  try {
    return await readJoined(disk);
  } catch (error) {
    if (error instanceof JoinError) return undefined;
    throw error;
  }
}

/**
 * Who asks to be re-admitted, as far as its own files and flags say: under the newest id that its
 * directory shows, at the place that the flags give it. R5 it asks, and does nothing else.
 */
export function askingIdentity(flags: Identity, { shown, id, clusterId }: RecoverIntent, joined: Joined | undefined): Identity {
  const isOwn = (self: NodeId): boolean => shown.length === 0 || shown.includes(self) || self === id;
  if (joined !== undefined && isOwn(joined.self)) return joinedIdentity(joined, nameIn(flags));
  const last = shown.at(-1);
  if (last === undefined || shown.includes(flags.self)) return flags;
  const known = flags.joins.length > 0 ? flags.joins : flags.members;
  const joins = known.map((member) => (member.id === flags.self ? { ...member, id: last } : member));
  return { ...flags, self: last, clusterId: clusterId === 0n ? flags.clusterId : clusterId, joins };
}

function nameIn({ self, members, joins }: Identity): string {
  return [...members, ...joins].find(({ id }) => id === self)?.name ?? '';
}
