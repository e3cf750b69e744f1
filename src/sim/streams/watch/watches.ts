/** All clients that watch, and the verdict on what they were told. */

import { KiB } from '../../../base/bytes.js';
import type { OpRecord } from '../../workload/history/history.js';
import type { StreamParts } from '../base/parts.js';
import { judgeWatch, type Past } from './judge-watch.js';
import { Sightings } from './sightings.js';
import { WatchClient } from './watch-client.js';

/**
 * More than a revision of the workload has, with what was there before: each watch of a stream that
 * is not full takes one.
 */
const REVISION_BYTES = 48 * KiB;
const MAX_MISFITS = 4;

export class Watches {
  readonly #parts: StreamParts;
  readonly #sightings = new Sightings();
  readonly #clients: readonly WatchClient[];

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#clients = Array.from({ length: parts.settings.watchClients }, (_, i) => new WatchClient(parts, this.#sightings, i + 1));
  }

  start(): void {
    for (const client of this.#clients) client.start();
  }

  settle(): void {
    for (const client of this.#clients) client.settle();
  }

  /** Each second: what a stream holds of a slow client is bounded. */
  look(): void {
    const { settings, report } = this.#parts;
    for (const { stream, watching } of this.#clients) {
      const queued = stream?.queued ?? 0;
      if (queued <= settings.streamBytes + watching * REVISION_BYTES) continue;
      report('correctness', 'a slow watch holds a bound', `${queued} bytes wait in a stream that takes ${settings.streamBytes}`, stream?.node.id ?? 0);
    }
  }

  behind(revision: number): string[] {
    return this.#clients.flatMap((client) => client.behind(revision));
  }

  /** The changes that anybody was told of. */
  seen(): readonly OpRecord[] {
    return this.#sightings.records();
  }

  verdict(past: Past): void {
    const { coverage, history, report } = this.#parts;
    const compactions = history.records.filter(({ op, outcome }) => op.kind === 'compact' && outcome?.kind !== 'refused');
    const gone = (revision: number, atUs: number): boolean =>
      compactions.some(({ op, callUs }) => op.kind === 'compact' && op.revision >= revision && callUs <= atUs);
    const remembered: Past = new Remembered(past);
    let misfits = 0;
    for (const { logs } of this.#clients) {
      for (const log of logs) {
        coverage.branch('watch events', log.stretches.reduce((sum, { told }) => sum + told.length, 0));
        const misfit = judgeWatch(log, remembered, gone);
        if (misfit !== undefined && ++misfits <= MAX_MISFITS) report('correctness', misfit.check, `${String(log)}: ${misfit.why}`, misfit.node);
      }
    }
  }
}

/** Watches ask for the same revisions. */
class Remembered implements Past {
  readonly revision: number;
  readonly #past: Past;
  readonly #changes: (ReturnType<Past['changesAt']> | undefined)[] = [];

  constructor(past: Past) {
    this.#past = past;
    this.revision = past.revision;
  }

  changesAt(revision: number): ReturnType<Past['changesAt']> {
    return (this.#changes[revision] ??= this.#past.changesAt(revision));
  }
}
