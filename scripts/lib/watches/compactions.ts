/**
 * Compacts what all regular watchers have behind them, and asks now and then for what is gone: a
 * watcher that wants it must be told so, and by which revision.
 */

import { ClientError, CompactedError, type Client } from '../../../src/client/client.js';
import type { Follower } from './follower.js';
import type { History } from './history.js';
import type { Writers } from './writers.js';

/** All that is asked after a write at `fence` was applied sees this compaction. */
interface Acknowledged {
  readonly revision: number;
  readonly fence: number;
}

export class Compactions {
  readonly #client: Client;
  readonly #history: History;
  readonly #writers: Writers;
  /** Revisions behind the newest that are kept. */
  readonly #keep: number;
  readonly #acknowledged: Acknowledged[] = [];
  #newest = 0;
  readonly faults: string[] = [];
  done = 0;
  probes = 0;

  constructor(client: Client, history: History, writers: Writers, keep: number) {
    this.#client = client;
    this.#history = history;
    this.#writers = writers;
    this.#keep = keep;
  }

  /** None has been asked for above it. */
  get newest(): number {
    return this.#newest;
  }

  async compact(followers: Iterable<Follower>): Promise<void> {
    let at = this.#history.last - this.#keep;
    for (const { regular, next } of followers) if (regular && next > 0) at = Math.min(at, next - 1);
    if (at <= this.#newest) return;
    this.#newest = at;
    this.#history.compactions.add(at);
    try {
      await this.#client.compact(at);
      this.done++;
      // A write that was acknowledged later is after it in the log.
      const fence = await this.#writers.mark('compactor');
      if (fence !== undefined) this.#acknowledged.push({ revision: at, fence });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
    }
  }

  /** A watch of one member that begins below what is compacted. */
  async probe(endpoint: string, random: () => number): Promise<void> {
    const sure = this.#acknowledged.at(-1);
    if (sure === undefined) return;
    const startRevision = 1 + Math.floor(random() * (sure.revision - 1));
    const signal = AbortSignal.timeout(5_000);
    const watch = this.#client.watch({ prefix: '' }, { startRevision, endpoint, signal });
    let at = 0;
    try {
      for await (const { header, events } of watch) {
        if (events.length > 0) {
          // Of a member that has not applied it yet.
          if (at >= sure.fence) this.faults.push(`${endpoint} is at ${at} and tells of ${startRevision}, which was compacted at ${sure.revision}`);
          return;
        }
        at = Math.max(at, header.revision);
      }
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (!(error instanceof CompactedError)) return;
      this.#judge(error.compactRevision, startRevision, at >= sure.fence ? sure.revision : 0, endpoint);
    }
  }

  #judge(told: number, asked: number, atLeast: number, endpoint: string): void {
    this.probes++;
    const right = told > asked && told >= atLeast && this.#history.compactions.has(told);
    if (!right) this.faults.push(`${endpoint}: asked for ${asked}, which was compacted at ${atLeast} or above, it tells of ${told}`);
  }
}
