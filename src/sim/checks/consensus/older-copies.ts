/**
 * R5: a member whose directory was put back to an earlier moment makes no promise under its id once
 * another member remembers more of it than the directory does: a start of it that came later, which
 * every member has in its state; what it promised to one that is up when it begins, in this life of
 * that one or an earlier; or what it acknowledged to the very leader of the term.
 */

import type { LogIndex, NodeId } from '../../../base/ids.js';
import { forgotten, type Kept } from '../../../replica/start/promises-heard.js';
import type { WatchedNode } from '../../cluster/watched-node.js';
import type { Reporter } from '../base/reporter.js';
import { HARD_STATE, slotsOf } from './hard-state-slots.js';
import { MSG_APP_RESP, MSG_VOTE, MSG_VOTE_RESP, type MessageHead } from './raft-frames.js';

interface Aged {
  readonly member: NodeId;
  /** The newest start that the directory knows of. */
  readonly incarnation: number;
  /** Who has a later one in its state, which outlives what it has in memory. */
  readonly met: readonly WatchedNode[];
  /** Where its log ended at most. */
  readonly last: LogIndex;
  /** What it holds; its log ends there at most. */
  readonly kept: Kept;
  /** Who remembers promises that are not in there, since the life that does. */
  readonly told: Map<WatchedNode, number>;
  /** The life that began on it, once it has. */
  life: number | undefined;
}

export class OlderCopies {
  readonly #reporter: Reporter;
  readonly #nodes: readonly WatchedNode[];
  readonly #aged = new Map<NodeId, Aged>();

  constructor(reporter: Reporter, nodes: readonly WatchedNode[]) {
    this.#reporter = reporter;
    this.#nodes = nodes;
  }

  /** The directory is an older copy now, whose log ends at `last` or before; nothing runs on it. */
  aged({ id, member, disk }: WatchedNode, last: LogIndex): void {
    const slots = slotsOf(disk.medium(HARD_STATE)).filter((slot) => slot !== undefined);
    const [newest] = slots.sort((a, b) => b.sequence - a.sequence);
    const { incarnation = 0, term = 0, vote = 0 } = newest ?? {};
    const knows = ({ running }: WatchedNode): boolean => (running?.replica.kv.incarnationOf(member) ?? 0) > incarnation;
    const met = this.#nodes.filter((other) => other.id !== id && knows(other));
    this.#aged.set(id, { member, incarnation, met, last, kept: { term, vote, lastIndex: last }, told: new Map(), life: undefined });
  }

  /** Its replica is there. */
  onOpen({ id, lives }: WatchedNode): void {
    const aged = this.#aged.get(id);
    if (aged === undefined) return;
    // A later life has what this one was let through with.
    if (aged.life !== undefined) return void this.#aged.delete(id);
    aged.life = lives;
    for (const other of this.#nodes) if (other.id !== id && remembersMore(other, aged)) aged.told.set(other, other.lives);
  }

  /** When it is sent. */
  onMessage(node: WatchedNode, { type, from, reject, term }: MessageHead): void {
    const aged = this.#aged.get(node.id);
    if (aged?.life !== node.lives || from !== aged.member) return;
    if (reject || (type !== MSG_VOTE && type !== MSG_VOTE_RESP && type !== MSG_APP_RESP)) return;
    const knows = this.#nodes.find((other) => other !== node && other.state === 'up' && doesKnow(other, aged));
    if (knows === undefined) return;
    this.#reporter.broken('an older copy promises nothing', node.id,
      `R5 node ${node.id} runs on an older copy of its directory, of its start ${aged.incarnation} and with a log to ${aged.last} at most, ` +
        `and makes a promise in term ${term}; node ${knows.id} remembers more of it`);
  }
}

function doesKnow(other: WatchedNode, aged: Aged): boolean {
  return aged.met.includes(other) || aged.told.get(other) === other.lives || isTold(other, aged);
}

/** It is up, and will say so to one that asks. */
function remembersMore({ member: self, state, running }: WatchedNode, { member, kept }: Aged): boolean {
  return state === 'up' && running !== undefined && forgotten(running.replica.promises.heard.of(member), kept, self) !== undefined;
}

/** It leads, and was told by the member that more is durable there. */
function isTold({ running }: WatchedNode, { member, last }: Aged): boolean {
  const raft = running?.replica.driver.node;
  return raft?.isLeader === true && raft.matchOf(member) > last;
}
