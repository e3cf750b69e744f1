/**
 * An empty data directory of a member that the others know is refused, never silently re-created: what the member promised
 * (votes, acknowledgements) is gone with its files, and a voter without memory can help to elect a leader that lacks
 * acknowledged writes (R1, D1). Before a member takes part for the first time it asks the others whether they know it.
 * Who cannot be asked is taken not to: a new cluster's first member has nobody to ask.
 */

import { messageOf } from '../base/errors.js';
import type { Env } from '../base/env.js';
import { formatId, type NodeId } from '../base/ids.js';
import { ReplicaError } from './errors.js';

export const KNOWN_METHOD = 'member.known';
const ASK_MS = 1_500;

const YES = Uint8Array.of(1);
const NO = Uint8Array.of(0);

export function answerKnown(known: boolean): Uint8Array {
  return known ? YES : NO;
}

/** Rejects with ReplicaError EMPTIED. */
export async function refuseIfKnown(env: Env, self: NodeId, voters: readonly NodeId[]): Promise<void> {
  const peers = voters.filter((id) => id !== self);
  const answers = await Promise.all(peers.map((peer) => ask(env, peer)));
  const by = peers.find((_, i) => answers[i] === true);
  if (by === undefined) return;
  // Made a moment ago: with it, the next start would take this member for one that remembers.
  await env.disk.unlink('hardstate');
  await env.disk.syncDir('.');
  throw new ReplicaError(
    'EMPTIED',
    `the data directory is empty, but member ${formatId(by)} has met this member (${formatId(self)}) before: what it promised is lost with its files, ` +
      'so it must not vote again under this id. Put the old data directory back. Re-admission as a new member (kintsugi recover) comes with a later version',
  );
}

async function ask(env: Env, peer: NodeId): Promise<boolean> {
  try {
    const reply = await env.network.call(peer, KNOWN_METHOD, NO, ASK_MS);
    return reply[0] === 1;
  } catch (error) {
    env.events.emit({ type: 'warning', message: 'a member could not be asked whether it knows this one', data: { peer: formatId(peer), why: messageOf(error) } });
    return false;
  }
}
