/** Design 5.8: the log goes only below what this node and a quorum hold in durable tables, and what no snapshot transfer needs. */

import type { EventSink } from '../../base/events.js';
import type { LogIndex } from '../../base/ids.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { Gossip } from '../consensus/gossip.js';
import type { DurableLog } from '../log/durable-log.js';

export interface LogShortenerOptions {
  readonly log: DurableLog;
  readonly tree: Tree;
  readonly gossip: Gossip;
  readonly events: EventSink;
  /** The log from here on is needed by a transfer. */
  readonly floor: () => LogIndex;
  /** Manifest and log do not belong together for the moment, or the node is stopping. */
  readonly busy: () => boolean;
}

export class LogShortener {
  readonly #options: LogShortenerOptions;
  #running: Promise<void> | undefined;

  constructor(options: LogShortenerOptions) {
    this.#options = options;
  }

  /** Resolves when it is over; undefined when nothing is under way. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /** Drops what may go. Rejects with LogError. */
  async run(): Promise<void> {
    const { log, tree, gossip, events, floor, busy } = this.#options;
    const own = tree.durable.flushed.index;
    const limit = Math.min(own, gossip.quorumFlushed(own), floor());
    const before = log.firstIndex();
    if (limit < before || busy() || this.#running) return;
    this.#running = log.truncateBefore(limit, log.term(limit)).finally(() => (this.#running = undefined));
    await this.#running;
    if (log.firstIndex() > before) events.emit({ type: 'log-truncated', below: log.firstIndex() });
  }
}
