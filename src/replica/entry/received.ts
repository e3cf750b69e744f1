/**
 * What may come into the log from a peer. A leader reads what it is asked to append: one entry that
 * nobody can carry out would stop all members. And what was damaged on its way, or in the memory of
 * the one that sends it, is not taken: its sender sends it again, or another leader does.
 */

import { CodecError } from '../../base/errors.js';
import { formatId, type ClusterVersion } from '../../base/ids.js';
import type { Entry, Message } from '../../raft/types.js';
import { decodeLogRecord, isCopySound } from './entry.js';
import { ENTRY_SINCE } from './entry-since.js';

/**
 * `version`: that of the cluster. Throws CodecError, EntryError: the whole message is refused.
 */
export function checkReceived({ type, from, entries }: Message, version: ClusterVersion): void {
  if (type === 'MsgProp') for (const entry of entries) checkProposal(from, entry, version);
  if (type === 'MsgApp') for (const entry of entries) checkCopy(from, entry);
}

/** Of all that is written to the log, only what clients and operators ask for is forwarded (S3). */
function checkProposal(from: number, { type, data }: Entry, version: ClusterVersion): void {
  if (type !== 'normal') throw new CodecError(`member ${formatId(from)} proposes a change of the configuration`);
  const { kind } = decodeLogRecord(data);
  if (kind !== 'kv' && kind !== 'alarm' && kind !== 'auth' && kind !== 'lease') {
    throw new CodecError(`member ${formatId(from)} forwards an entry of kind ${kind}, which only a leader proposes`);
  }
  // S1 Whoever forwards it may not have applied yet that the version was lowered.
  if (ENTRY_SINCE[kind] > version) throw new CodecError(`member ${formatId(from)} forwards an entry of kind ${kind}, which version ${version} does not allow`);
}

/** What it means is looked at when it is applied. */
function checkCopy(from: number, entry: Entry): void {
  if (!isCopySound(entry)) throw new CodecError(`entry ${entry.index}, as member ${formatId(from)} sends it, is not what its proposer made`);
}
