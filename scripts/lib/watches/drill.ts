/** The watch drill from its first write to its verdict; what goes wrong meanwhile is another's. */

import type { Client } from '../../../src/client/client.js';
import { onExit } from '../command.js';
import { Compactions } from './compactions.js';
import { Fleet } from './fleet.js';
import { History } from './history.js';
import { checkKeys, Recorder } from './recorder.js';
import { Writers, type WritersOptions } from './writers.js';

const JUDGE_MS = 200;
const COMPACT_MS = 1_000;
const PROBE_MS = 2_500;
const LATE_MS = 5_000;
const LATE_MAX = 15;
const SLOW_MS = 4_000;
/** Of history behind the newest that is kept, and how long stragglers stay away. */
const KEPT_S = 6;
const AWAY_MS = 20_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class WatchDrill {
  readonly #client: Client;
  readonly #urls: readonly string[];
  readonly #random: () => number;
  readonly #history = new History();
  readonly #recorder: Recorder;
  readonly #writers: Writers;
  readonly #fleet: Fleet;
  readonly #compactions: Compactions;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #late: string[] = [];

  constructor(client: Client, urls: readonly string[], random: () => number, perSecond: number) {
    this.#client = client;
    this.#urls = urls;
    this.#random = random;
    this.#writers = new Writers(client, this.#history, random);
    this.#fleet = new Fleet(this.#history, urls, random);
    this.#compactions = new Compactions(client, this.#history, this.#writers, KEPT_S * perSecond);
    this.#recorder = new Recorder(client, this.#history);
    onExit(() => this.#stop());
  }

  start(options: WritersOptions): void {
    this.#fleet.start();
    this.#writers.start(options);
    const { followers } = this.#fleet;
    this.#every(JUDGE_MS, () => this.#fleet.judge());
    this.#every(COMPACT_MS, () => void this.#compactions.compact(followers));
    this.#every(PROBE_MS, () => void this.#compactions.probe(this.#pickUrl(), this.#random));
    this.#every(LATE_MS, () => this.#fleet.late < LATE_MAX && this.#fleet.joinLate(this.#compactions.newest));
    let turn = 0;
    this.#every(SLOW_MS, () => this.#fleet.setSlow(turn++ % 2 === 0));
    let away = 0;
    this.#every(AWAY_MS, () => this.#fleet.setStraggling(away++ % 2 === 0));
  }

  #every(ms: number, act: () => unknown): void {
    this.#timers.push(setInterval(act, ms));
  }

  #pickUrl(): string {
    return this.#urls[Math.floor(this.#random() * this.#urls.length)] as string;
  }

  #stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#recorder.close();
  }

  get faults(): string[] {
    const { failed } = this.#recorder;
    const ended = failed instanceof Error ? failed.stack : String(failed);
    const recorder = failed === undefined ? [] : [`the watch that records the history ends: ${ended}`];
    const heard = this.#fleet.followers.flatMap(({ faults }) => faults);
    return [...recorder, ...this.#history.faults, ...this.#compactions.faults, ...heard, ...this.#late];
  }

  /** Every watcher that is there has been let in. */
  get begun(): boolean {
    return this.#fleet.followers.every(({ begun }) => begun > 0);
  }

  get holds(): boolean {
    return this.faults.length === 0;
  }

  tell(): string {
    const { last } = this.#history;
    const behind = last - Math.min(...this.#fleet.followers.filter(({ regular }) => regular).map(({ next }) => next - 1));
    return `revision ${last}, compacted at ${this.#compactions.newest}, furthest behind ${behind}, ${this.faults.length} faults`;
  }

  /** Waits until everybody has heard all, and gives the last revision. */
  async finish(patienceMs: number): Promise<number> {
    const deadline = Date.now() + patienceMs;
    await this.#writers.stop();
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    this.#fleet.setSlow(false);
    this.#fleet.setStraggling(false);
    this.#fleet.joinAfter(this.#compactions.newest);
    const last = await this.#last();
    while (Date.now() < deadline && this.holds && (this.#history.last < last || this.#fleet.behind(last).length > 0)) {
      this.#fleet.judge();
      await sleep(JUDGE_MS);
    }
    this.#fleet.judge();
    if (this.#history.last !== last) this.#late.push(`the history ends at ${this.#history.last}, the store is at ${last}`);
    for (const { name, next } of this.#fleet.behind(last)) this.#late.push(`${name}: it has heard all up to ${next - 1}, and not up to ${last}`);
    this.#history.checkWrites();
    for (const url of this.#urls) {
      const wrong = await checkKeys(this.#client, url, this.#history);
      if (wrong !== undefined) this.#late.push(wrong);
    }
    return last;
  }

  /** Once nothing more is on its way: of a write whose outcome is not known, either. */
  async #last(): Promise<number> {
    for (let last = 0; ; await sleep(1_000)) {
      const { header } = await this.#client.getRange('m/w0', { timeoutMs: 30_000 });
      if (header.revision === last) return last;
      last = header.revision;
    }
  }

  get counts(): [string, string | number][] {
    const { followers } = this.#fleet;
    const sum = (field: 'events' | 'inPieces' | 'progress' | 'compacted' | 'begun'): number => followers.reduce((n, one) => n + one[field], 0);
    const { acknowledged, unknown, told } = this.#history.counts;
    return [
      ['transactions acknowledged', acknowledged],
      ['of unknown outcome', `${unknown}, carried out ${told - acknowledged}`],
      ['revisions', this.#history.last],
      ['watchers', `${followers.length}, ${this.#fleet.late * 2} late`],
      ['begun anew', sum('begun')],
      ['events heard', sum('events')],
      ['messages in pieces', sum('inPieces')],
      ['progress that was claimed', sum('progress')],
      ['compactions', `${this.#compactions.done}, the last at ${this.#compactions.newest}`],
      ['told that it is compacted', `${sum('compacted')} stragglers, ${this.#compactions.probes} probes`],
      ['faults', this.faults.length],
    ];
  }
}
