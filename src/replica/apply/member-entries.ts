/**
 * Applies an entry that changes the members. S2 Whether it is carried out is decided by the members
 * before it alone; one that is not changes nothing, alike on every replica. Either way the core
 * hears that it is applied (R1).
 */

import { codeOf, messageOf } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import type { Entry } from '../../raft/types.js';
import { ReplicaError } from '../base/errors.js';
import { decodeMemberEntry, type MemberEntry } from '../entry/member-entry.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { DurableLog } from '../log/durable-log.js';
import { changeMembers, leaveJoint } from '../state/members.js';
import type { Membership } from '../state/membership.js';
import { isAllowed } from './version-entries.js';

export interface MemberEntryParts {
  readonly env: Pick<Env, 'events'>;
  readonly log: Pick<DurableLog, 'reread'>;
  readonly membership: Membership;
  readonly state: Pick<ReplicatedState, 'kv' | 'version' | 'passOver'>;
}

/** A string: why it waits for a newer program. Throws ReplicaError ENTRY_DAMAGED. */
export function applyMemberEntry(parts: MemberEntryParts, { index, data }: Entry): string | undefined {
  const { membership, state, env } = parts;
  if (!isAllowed(parts, 'members', index)) {
    membership.apply(index, membership.applied);
    return undefined;
  }
  const entry = decode(parts, index, data);
  if (typeof entry === 'string') return entry;
  const before = membership.applied;
  const after = entry === undefined ? leaveJoint(before) : changeMembers(before, entry.token, entry.change, entry.base);
  if (typeof after === 'string') {
    env.events.emit({ type: 'warning', message: 'a change of the members was not carried out', data: { index, why: after } });
    membership.apply(index, before);
    return undefined;
  }
  const gone = before.list.filter(({ id }) => !after.list.some((member) => member.id === id));
  for (const { id } of gone) state.kv.retireMember(id);
  if (after !== before) {
    env.events.emit({ type: 'members-changed', index, change: entry?.change.kind ?? 'leave', members: after.list.length });
  }
  membership.apply(index, after);
  return undefined;
}

function decode({ log, env }: MemberEntryParts, index: number, data: Uint8Array): MemberEntry | string | undefined {
  try {
    return decodeMemberEntry(data);
  } catch (error) {
    if (codeOf(error) === 'ENTRY_UNKNOWN') return messageOf(error);
    return decodeAgain({ log, env }, index, messageOf(error));
  }
}

/** S1 C1 As in apply: the log may have it as it was, and nothing is passed over. */
function decodeAgain({ log, env }: Pick<MemberEntryParts, 'log' | 'env'>, index: number, why: string): MemberEntry | string | undefined {
  try {
    const entry = decodeMemberEntry(log.reread(index).data);
    env.events.emit({ type: 'warning', message: 'a committed entry was bad in memory and good in the log', data: { index, why } });
    return entry;
  } catch (error) {
    if (codeOf(error) === 'ENTRY_UNKNOWN') return messageOf(error);
    throw new ReplicaError('ENTRY_DAMAGED', `committed entry ${index}: ${messageOf(error)}`, { index }, error);
  }
}
