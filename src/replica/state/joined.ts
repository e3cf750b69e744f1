/**
 * Who a member is that was not there when its cluster began, or that began one with what was left
 * of another or with a backup, or that was re-admitted: the file `joined`. Its ids do not follow
 * from its flags, and with whom the log began is known to nobody but members, and a member must
 * know it before its first entry; so it is needed at every start, and goes before the flags.
 */

import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import type { Disk } from '../../base/disk.js';
import { CodecError, KintsugiError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { replaceFile } from '../../base/replace-file.js';
import type { MemberConfig } from '../base/member-config.js';
import { decodeDescription, encodeDescription, type ClusterDescription } from './description.js';

export type JoinErrorCode =
  /** No member of the cluster could be asked. */
  | 'NO_MEMBER_ANSWERS'
  /** The cluster does not know this member. */
  | 'NOT_ADDED'
  /** The file `joined` cannot be read. */
  | 'JOINED_UNREADABLE';

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

/** As whom this directory's member is to be opened: what is on the disk goes before the flags. */
export async function identityOnDisk(disk: Disk, flags: Identity): Promise<Identity> {
  const joined = await readJoined(disk);
  if (joined === undefined) return flags;
  const name = [...flags.members, ...flags.joins].find(({ id }) => id === flags.self)?.name ?? '';
  return joinedIdentity(joined, name);
}

/** Durable when it resolves. */
export async function writeJoined(disk: Disk, { self, description }: Joined): Promise<void> {
  const body = new ByteWriter(256).u53(self).bytes(encodeDescription(description)).finish();
  await replaceFile(disk, JOINED_FILE, new ByteWriter(body.length + 4).u32(crc32c(body)).raw(body).finish(), { unlinkFirst: true });
}

/** Undefined: there is none. Throws JoinError JOINED_UNREADABLE. */
export async function readJoined(disk: Disk): Promise<Joined | undefined> {
  const size = disk.sizeOf(JOINED_FILE);
  if (size === undefined) return undefined;
  const file = await disk.open(JOINED_FILE, 'read');
  try {
    const bytes = new Uint8Array(size);
    await file.read(bytes, 0);
    const input = new ByteReader(bytes, JOINED_FILE);
    if (input.u32() !== crc32c(bytes.subarray(4))) throw new CodecError('its checksum is wrong');
    return { self: input.u53(), description: decodeDescription(input.bytes()) };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new JoinError('JOINED_UNREADABLE',
      `the file ${JOINED_FILE} in the data directory, which says who this member is, cannot be read (${error.message}): put it back. ` +
        'If it is lost: kintsugi recover --data-dir DIR, and start it again: it is re-admitted as a new member in its place');
  } finally {
    file.close();
  }
}
