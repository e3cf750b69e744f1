/**
 * What a run with streams has besides reads and writes: clients that watch, and clients that hold
 * leases. They work while the faults last, come to rest with the cluster, and are judged by what
 * the judge of the history found to have happened.
 */

import type { Entry } from '../../raft/types.js';
import type { OpRecord } from '../workload/history/history.js';
import type { Kv } from '../workload/history/operation.js';
import { LeaseHolders } from './lease/lease-holders.js';
import type { StreamParts } from './base/parts.js';
import type { Past } from './watch/judge-watch.js';
import { Watches } from './watch/watches.js';

export interface AllOfPast extends Past {
  /** All versions of each key, oldest first. */
  readonly histories: readonly (readonly Kv[])[];
}

const SECOND_US = 1_000_000;

export class Streams {
  readonly #parts: StreamParts;
  readonly #watches: Watches;
  readonly #holders: LeaseHolders;

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#watches = new Watches(parts);
    this.#holders = new LeaseHolders(parts);
  }

  start(): void {
    this.#watches.start();
    this.#holders.start();
    this.#everySecond();
  }

  #everySecond(): void {
    this.#parts.world.schedule(SECOND_US, () => {
      this.#watches.look();
      this.#everySecond();
    });
  }

  /** A node has applied an entry. */
  applied(node: number, replica: { readonly kv: { readonly revision: number } }, entry: Entry): void {
    this.#holders.applied(node, replica, entry);
  }

  /** The faults are over, and clients begin nothing more. */
  settle(): void {
    this.#watches.settle();
    this.#holders.stop();
  }

  /** Why it is not at rest, in a cluster that is. */
  notAtRest(): string[] {
    const revisions = this.#parts.nodes.flatMap(({ running, state }) => (state === 'up' && running !== undefined ? [running.replica.kv.revision] : []));
    return [...this.#holders.open(), ...this.#watches.behind(Math.max(0, ...revisions))];
  }

  /** See `judge`. */
  seen(): readonly OpRecord[] {
    return this.#watches.seen();
  }

  /** `past`: all that happened. */
  verdict(past: AllOfPast): void {
    this.#watches.verdict(past);
    this.#holders.verdict(past.histories);
  }
}
