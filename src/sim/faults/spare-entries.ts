/**
 * Which entries of a log may go: those of which another member, that is up and will stay, has a
 * copy that is proven, or tables with what they did. Members may lose any entries so, several of
 * them at once: each comes back from whoever has it.
 */

import type { LogIndex, NodeId, Term } from '../../base/ids.js';
import type { DurableLog } from '../../replica/log/durable-log.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { DiskContext } from './context.js';
import { readSegments, type BatchPlace, type SegmentPlaces } from './log-places.js';

/** What is proven to be good on the medium: index to term. */
export function entriesOn(segments: readonly SegmentPlaces[]): Map<LogIndex, Term> {
  const entries = new Map<LogIndex, Term>();
  const batches = segments.flatMap((segment) => segment.batches.map((batch) => ({ ...batch, headed: segment.headed })));
  let last = 0;
  for (const { previousIndex, whole, terms, headed } of batches.sort((a, b) => a.sequence - b.sequence)) {
    for (let index = previousIndex + 1; index <= last; index++) entries.delete(index);
    last = previousIndex + terms.length;
    if (whole && headed) terms.forEach((term, i) => entries.set(previousIndex + 1 + i, term));
  }
  return entries;
}

interface Holder {
  readonly flushed: LogIndex;
  readonly has: (index: LogIndex, term: Term) => boolean;
}

export class SpareEntries {
  readonly #holders: readonly Holder[];
  readonly #node: SimNode;

  constructor(context: DiskContext, node: SimNode) {
    this.#node = node;
    const { nodes, oracle } = context;
    this.#holders = nodes
      .filter((other) => other !== node && other.state === 'up' && !oracle.verdict.doomed(other.id))
      .map((other) => holderOf(context, other));
  }

  /**
   * All entries of the batch. One that a later batch has replaced, or that tables hold, so that the
   * log begins after it, is needed by nobody.
   */
  mayGo({ previousIndex, terms }: BatchPlace): boolean {
    return terms.every((term, i) => this.#isSpare(previousIndex + 1 + i, term) || !this.#isCurrent(previousIndex + 1 + i, term));
  }

  /**
   * All that the log has after `from` and up to `through`, proven or not. False of a member that is
   * down.
   */
  mayGoBetween(from: LogIndex, through: LogIndex): boolean {
    const log = this.#node.running?.replica.log;
    if (this.#node.state !== 'up' || log === undefined) return false;
    const last = Math.min(through, log.lastIndex());
    for (let at = Math.max(from + 1, log.firstIndex()); at <= last; at++) if (!this.#isSpare(at, log.term(at))) return false;
    return true;
  }

  #isSpare(index: LogIndex, term: Term): boolean {
    return this.#holders.some(({ flushed, has }) => index <= flushed || has(index, term));
  }

  #isCurrent(index: LogIndex, term: Term): boolean {
    const log = this.#node.running?.replica.log;
    return log === undefined || index > log.lastIndex() || holds(log, index, term);
  }
}

/** What lies on the medium may be behind the log, or not in it yet. */
function holds(log: DurableLog, index: LogIndex, term: Term): boolean {
  return index >= log.firstIndex() && index <= log.lastIndex() && log.term(index) === term;
}

function holderOf({ settings, oracle }: DiskContext, { id, disk, running }: SimNode): Holder {
  const proven = entriesOn(readSegments(disk, settings.logSegmentBytes));
  const log = running?.replica.log;
  // What is not proven may have replaced it.
  const has = (index: LogIndex, term: Term): boolean => proven.get(index) === term && log !== undefined && holds(log, index, term);
  return { flushed: flushedOf(oracle, id), has };
}

function flushedOf({ census }: DiskContext['oracle'], node: NodeId): LogIndex {
  return census.durableOf(node)?.flushed.index ?? 0;
}
