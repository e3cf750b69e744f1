/**
 * A leader's look at its own copies of entries. C1: nobody takes a copy that is not what its
 * proposer made, so one that went bad in a leader's memory holds up every follower that needs it,
 * and all writes behind it, for as long as this member leads. So a leader that a follower makes no
 * progress under reads what that follower needs next. If that is bad it steps down: another
 * member's copy is good, or nobody else has the entry and it never was committed.
 *
 * R5: while the bad copy is in its log and the disk has no better one, the member neither votes nor
 * campaigns on the strength of that log.
 */

import { MiB } from '../../base/bytes.js';
import type { EventSink } from '../../base/events.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import { RaftError } from '../../raft/errors.js';
import type { RaftNode } from '../../raft/node.js';
import type { Entry } from '../../raft/types.js';
import { isCopySound } from '../entry/entry.js';
import type { DurableLog } from '../log/durable-log.js';
import { LogError } from '../log/errors.js';

/**
 * Of entries in one append, and so of those that are read for one follower in one look (about a
 * millisecond of checksums): it refuses all that come with a bad one.
 */
export const APPEND_BYTES = MiB;

interface OwnCopiesParts {
  readonly log: Pick<DurableLog, 'reread' | 'firstIndex' | 'lastIndex'>;
  readonly env: { readonly events: EventSink };
}

export class OwnCopies {
  readonly #parts: OwnCopiesParts;
  /** Before what each follower was to get next at the last look. */
  readonly #before = new Map<NodeId, LogIndex>();
  #bad: Entry | undefined;

  constructor(parts: OwnCopiesParts) {
    this.#parts = parts;
  }

  /** Another core reads the same log. */
  attach(node: RaftNode): void {
    this.#before.clear();
    if (this.#bad !== undefined) node.setMayVote(false);
  }

  /** About once in an election time-out. */
  look(node: RaftNode): void {
    this.#letVote(node);
    const { progress } = node.status();
    if (progress === undefined) return this.#before.clear();
    for (const [id, { match, next, state }] of progress) {
      // One that is probed has said nothing of its log that counts, or refuses all it is sent.
      const before = state === 'probe' ? next - 1 : match;
      const stands = this.#before.get(id) === before;
      this.#before.set(id, before);
      if (!stands || id === node.id || state === 'snapshot' || before >= node.lastIndex) continue;
      const bad = firstBad(node, before);
      if (bad !== undefined) return this.#found(node, bad);
    }
  }

  #found(node: RaftNode, entry: Entry): void {
    const { events } = this.#parts.env;
    const onDisk = this.#isGoodOnDisk(entry);
    const data = { index: entry.index, term: entry.term, onDisk };
    events.emit({ type: 'warning', message: 'an entry in this leader\'s memory is not what its proposer made: it steps down', data });
    if (!onDisk) {
      this.#bad = entry;
      node.setMayVote(false);
    }
    this.#before.clear();
    node.stepDown();
  }

  /** Whether the disk has it as it should be; memory has it then, too. */
  #isGoodOnDisk({ index }: Entry): boolean {
    const { log } = this.#parts;
    if (index < log.firstIndex() || index > log.lastIndex()) return false;
    try {
      return isCopySound(log.reread(index));
    } catch (error) {
      if (error instanceof LogError) return false;
      throw error;
    }
  }

  /** Another leader's log has taken the place of what was bad, or memory has it right again. */
  #letVote(node: RaftNode): void {
    if (this.#bad === undefined) return;
    const { index, term } = this.#bad;
    if (node.termAt(index) === term && firstBad(node, index - 1)?.index === index) return;
    this.#bad = undefined;
    node.setMayVote(true);
  }
}

/** Of the entries after `index`, those that are looked at. */
function firstBad(node: RaftNode, index: LogIndex): Entry | undefined {
  try {
    return node.entriesAfter(index, APPEND_BYTES).find((entry) => !isCopySound(entry));
  } catch (error) {
    // They are no longer in the log: whoever needs them gets a snapshot.
    if (error instanceof RaftError) return undefined;
    throw error;
  }
}
