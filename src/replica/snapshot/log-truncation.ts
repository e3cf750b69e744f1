/**
 * The log is truncated only below what this node and a quorum hold in durable tables, and what no
 * snapshot transfer needs: whoever lacks more of it than that is sent a snapshot.
 */

import { assert } from '../../base/assert.js';
import type { EventSink } from '../../base/events.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { Gossip } from '../consensus/gossip.js';
import type { DurableLog } from '../log/durable-log.js';
import type { Life } from '../state/life.js';
import type { SnapshotSender } from './snapshot-sender.js';

export interface LogTruncationParts {
  readonly life: Life;
  readonly log: DurableLog;
  readonly tree: Tree;
  readonly gossip: Gossip;
  readonly events: EventSink;
  readonly sender: SnapshotSender;
}

export class LogTruncation {
  readonly #parts: LogTruncationParts;
  /** The truncation that goes on: one at a time. */
  #running: Promise<void> | undefined;
  /** Another version is being put in place. */
  #held = false;

  constructor(parts: LogTruncationParts) {
    this.#parts = parts;
  }

  /**
   * Manifest and log do not belong together for the moment: nothing is truncated until `release`.
   */
  hold(): void {
    assert(!this.#held, 'S2 one version takes the place of another at a time');
    this.#held = true;
  }

  release(): void {
    assert(this.#held, 'S2 what is released was held');
    this.#held = false;
  }

  /** Resolves when it is over; undefined when nothing is under way. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /** Truncates as far as it may. Rejects with LogError. */
  async run(): Promise<void> {
    const { life, log, tree, gossip, events, sender } = this.#parts;
    const own = tree.durable.flushed.index;
    const limit = Math.min(own, gossip.quorumFlushed(own), sender.floor());
    const before = log.firstIndex();
    if (limit < before || this.#held || life.ended || this.#running) return;
    assert(limit <= own && limit <= log.lastIndex(), `D1 the log goes up to ${limit}, tables hold it up to ${own}`);
    this.#running = log.truncateBefore(limit, log.term(limit)).finally(() => (this.#running = undefined));
    await this.#running;
    assert(log.firstIndex() <= tree.durable.flushed.index + 1, `D1 the log begins at ${log.firstIndex()}, tables reach to ${tree.durable.flushed.index}`);
    if (log.firstIndex() > before) events.emit({ type: 'log-truncated', below: log.firstIndex() });
  }
}
