/**
 * Who a member is that was not there when its cluster began, or that began one with what was left
 * of another or with a backup, or that was re-admitted: the file `joined`, kept twice. Its ids do
 * not follow from its flags, and with whom the log began is known to nobody but members, and a
 * member must know it before its first entry; so it is needed at every start, and goes before the
 * flags.
 */

import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import type { Disk } from '../../base/disk.js';
import { CodecError, KintsugiError } from '../../base/errors.js';
import { formatId, type NodeId } from '../../base/ids.js';
import type { MemberConfig } from '../base/member-config.js';
import { decodeDescription, encodeDescription, type ClusterDescription } from './description.js';
import { readTwice, TwiceKeeper, writeTwice, type KeptTwice } from './kept-twice.js';

export type JoinErrorCode =
  /** No member of the cluster could be asked. */
  | 'NO_MEMBER_ANSWERS'
  /** The cluster does not know this member. */
  | 'NOT_ADDED'
  /** Neither copy of the file `joined` can be read. */
  | 'JOINED_UNREADABLE'
  /** The file `joined` is gone, or speaks of another member than the hard state beside it. */
  | 'JOINED_MISSING';

export class JoinError extends KintsugiError<JoinErrorCode> {
  override readonly name = 'JoinError';
}

/** As whom a member is opened. */
export interface Identity {
  readonly self: NodeId;
  readonly clusterId: bigint;
  /** With whom the log began. */
  readonly members: readonly MemberConfig[];
  /** The members with this one; empty: it is one of `members`. */
  readonly joins: readonly MemberConfig[];
}

export interface Joined {
  readonly self: NodeId;
  /** As the members told it, this one among them. */
  readonly description: ClusterDescription;
}

export const JOINED_FILE = 'joined';

/**
 * `name`: of this member, which the others may not know yet. At its own place there is nobody else:
 * who has the same peer URL is what it was before it was re-admitted.
 */
export function joinedIdentity({ self, description }: Joined, name: string): Identity {
  const { clusterId, members } = description;
  // Nothing was ever changed: it is one of those with whom the log begins.
  if (members.isStatic && members.origin.some(({ id }) => id === self)) return { self, clusterId, members: members.origin, joins: [] };
  const own = members.list.find(({ id }) => id === self)?.peerUrls ?? [];
  const others = members.list.filter(({ id, peerUrls }) => id === self || !peerUrls.some((url) => own.includes(url)));
  const { learners } = members.confState;
  const joins = others.map(({ id, name: known, peerUrls }) =>
    ({ id, name: id === self ? name : known, peerUrls, ...(learners.includes(id) ? { learner: true } : {}) }));
  return { self, clusterId, members: members.origin, joins };
}

/** Durable when it resolves. */
export function writeJoined(disk: Disk, { self, description }: Joined): Promise<void> {
  const body = new ByteWriter(256).u53(self).bytes(encodeDescription(description)).finish();
  return writeTwice(disk, JOINED_FILE, new ByteWriter(body.length + 4).u32(crc32c(body)).raw(body).finish());
}

/** Undefined: there is none. Throws JoinError JOINED_UNREADABLE. */
export async function readJoined(disk: Disk): Promise<Joined | undefined> {
  return (await read(disk))?.value;
}

/**
 * What looks after both copies while the member runs that was opened as `self`. Undefined: it needs
 * none, or what is there is another one's.
 */
export async function keeperOfJoined(disk: Disk, self: NodeId): Promise<TwiceKeeper | undefined> {
  const kept = await read(disk);
  return kept?.value.self === self ? new TwiceKeeper(disk, JOINED_FILE, kept.bytes) : undefined;
}

async function read(disk: Disk): Promise<KeptTwice<Joined> | undefined> {
  try {
    return await readTwice(disk, JOINED_FILE, decodeJoined);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new JoinError('JOINED_UNREADABLE',
      `the file ${JOINED_FILE} in the data directory, which says who this member is, cannot be read (${error.message}), nor its copy: ${REMEDY}`);
  }
}

function decodeJoined(bytes: Uint8Array): Joined {
  const input = new ByteReader(bytes, JOINED_FILE);
  if (input.u32() !== crc32c(bytes.subarray(4))) throw new CodecError('its checksum is wrong');
  return { self: input.u53(), description: decodeDescription(input.bytes()) };
}

const REMEDY =
  'put it back, never from another member. If it is lost: kintsugi recover --data-dir DIR, and start it again: it is re-admitted as a new member in ' +
  'its place. If it is the only member of its cluster, nobody can let it in: kintsugi recover --force-new-cluster --data-dir DIR';

/**
 * R5 The hard state here is of this member, and no file says with whom its cluster began. `isSure`:
 * its flags are right, since they speak of its cluster. Otherwise they may be another member's.
 */
export function joinedMissing(
  whose: { readonly memberId: NodeId; readonly clusterId: bigint }, found: NodeId | undefined, isSure: boolean,
): JoinError {
  const what = found === undefined ? `the file ${JOINED_FILE} is gone that says who it is` : `the file ${JOINED_FILE} there is of member ${formatId(found)}`;
  const flags = isSure ? '' : 'If its flags are those of another member, mend them. Otherwise ';
  return new JoinError('JOINED_MISSING',
    `the data directory is of member ${formatId(whose.memberId)} of cluster ${whose.clusterId.toString(16)}, which was added later or re-admitted, or has ` +
      `founded its cluster anew, and ${what}: ${flags}${REMEDY}`, { isSure });
}
