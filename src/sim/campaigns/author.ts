/**
 * Writes the past of a cluster: what is asked of it, whom it loses for a while, and how it ends.
 * Every write has a key of its own, so that what became of it can be told from the keys alone.
 */

import { assert, must } from '../../base/assert.js';
import { KiB } from '../../base/bytes.js';
import type { LogIndex } from '../../base/ids.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { DEFAULT_TREE_SETTINGS } from '../../storage/base/settings.js';
import { Version } from '../../storage/version/version.js';
import type { SimNode } from '../cluster/sim-node.js';
import { readCopies } from '../faults/manifest-places.js';
import type { RunSettings } from '../model/settings.js';
import type { Stream } from '../world/random.js';
import type { Pump } from '../world/world.js';
import { filesOf, logOf, restOf, type Past, type Written } from './past.js';
import { SECOND_US, Trial } from './trial.js';

const format = { ...DEFAULT_TREE_SETTINGS.format, blockBytes: KiB, tableBytes: 32 * KiB };

/** Three members; small trees, so that a few hundred writes are flushed and compacted. */
export function pastSettings(memtableBytes = 12 * KiB, logSegmentBytes = 64 * KiB): RunSettings {
  return {
    nodes: 3, clients: 0, keys: 0, heartbeatMs: 100, electionMs: 1_000, logSegmentBytes, cacheBytes: 256 * KiB,
    tree: { format, memtableBytes, level0Tables: 2, level1Bytes: 4 * memtableBytes, levelRatio: 4 },
    newestVersion: NEWEST_VERSION, faultsFromUs: 0, faultsUntilUs: 0, endUs: Infinity,
  };
}

const REST_US = 60 * SECOND_US;

export class Author {
  readonly trial: Trial;
  readonly random: Stream;
  readonly #settings: RunSettings;
  readonly #acked = new Map<string, string>();
  readonly #unknown = new Map<string, string>();
  #commit: LogIndex = 0;
  #writes = 0;

  /** `name`: of the kind of past; each draws from a stream of its own. */
  constructor(seed: number, name: string, settings: RunSettings, pump: Pump) {
    this.trial = new Trial({ seed, settings, pump });
    this.random = this.trial.world.stream(`past ${name}`);
    this.#settings = settings;
  }

  /**
   * All members are up, one leads, and all that the program knows is allowed: who loses its
   * promises before that cannot be let in again.
   */
  async begin(): Promise<void> {
    const { trial } = this;
    trial.startAll();
    await this.led();
    const { newestVersion } = this.#settings;
    const isNewest = (): boolean => trial.nodes.every(({ running }) => running?.store.status().clusterVersion === newestVersion);
    assert(await trial.until(isNewest, REST_US), `the cluster's version is raised: ${trial.violations.join('; ')}`);
  }

  async led(): Promise<SimNode> {
    const { trial } = this;
    const found = await trial.until(() => trial.leader() !== undefined && trial.nodes.every(({ state }) => state !== 'opening'), REST_US);
    assert(found, `a leader is found: ${trial.violations.join('; ')}`);
    return must(trial.leader(), 'there is a leader');
  }

  /** One write, by whoever leads unless another member is meant. */
  async write(bytes: number, at?: SimNode): Promise<string> {
    const [key, value] = this.#next(bytes);
    const answer = await this.trial.put(at ?? (await this.led()), key, value);
    ('value' in answer ? this.#acked : this.#unknown).set(key, value);
    return key;
  }

  async writes(count: number, fromBytes = 40, toBytes = 400): Promise<void> {
    for (let i = 0; i < count; i++) await this.write(this.random.between(fromBytes, toBytes));
  }

  /**
   * Writes that the leader alone takes: nobody knows what becomes of them. The others end before,
   * and come back afterwards, without it.
   */
  async loneWrites(count: number): Promise<void> {
    const { trial } = this;
    const leader = await this.led();
    const others = trial.up.filter((node) => node !== leader);
    for (const node of others) trial.end(node);
    this.asks(count, leader);
    await trial.pass(SECOND_US / 2);
    trial.end(leader);
    for (const node of others) trial.restart(node);
    // Two of them can go on.
    if (others.length < 2 || this.random.chance(1, 2)) trial.restart(leader);
  }

  /** Writes whose answers nobody waits for. */
  asks(count: number, at: SimNode): void {
    for (let i = 0; i < count; i++) this.#asked(this.#next(this.random.between(40, 200)), at);
  }

  /** So far. */
  get written(): Written {
    return { acked: this.#acked, unknown: this.#unknown };
  }

  #next(bytes: number): readonly [key: string, value: string] {
    const key = `key ${String(++this.#writes).padStart(6, '0')}`;
    return [key, `${key} `.padEnd(bytes, String.fromCharCode(97 + this.random.below(26)))];
  }

  /** Whatever is answered, if anything is. */
  #asked([key, value]: readonly [key: string, value: string], at: SimNode): void {
    this.#unknown.set(key, value);
    this.trial.ask(at, key, value);
  }

  /**
   * Those that are up have applied the same, and have nothing to do. `long`: their logs say so by
   * then, too.
   */
  async rest(long = true): Promise<void> {
    const { trial } = this;
    const isAtRest = (): boolean => {
      const statuses = trial.up.flatMap(({ running }) => (running === undefined ? [] : [running.store.status()]));
      const last = Math.max(...statuses.map(({ lastLogIndex }) => lastLogIndex));
      return trial.leader() !== undefined && statuses.every(({ leader, appliedIndex, owedTables, pendingPlans, sealedMemtables }) =>
        leader !== 0 && appliedIndex === last && owedTables + pendingPlans + sealedMemtables === 0);
    };
    assert(await trial.until(isAtRest, REST_US), `the past comes to rest: ${trial.violations.join('; ')}`);
    // The last batch of the log is identified, and the manifest written.
    await trial.pass(long ? 2 * SECOND_US : SECOND_US / 2);
  }

  /** Ends all members: in order, unless they are to be killed. */
  async end(how: 'stop' | 'kill' = 'stop'): Promise<Past> {
    const { trial } = this;
    const settings = this.#settings;
    for (const { running } of trial.up) this.#commit = Math.max(this.#commit, running?.replica.driver.node.commit ?? 0);
    for (const node of trial.up) await (how === 'stop' ? trial.stop(node) : trial.end(node));
    assert(trial.violations.length === 0, `a past without faults: ${trial.violations.join('; ')}`);
    const members = await Promise.all(trial.nodes.map(async ({ id, disk }) => {
      const image = disk.image();
      const files = filesOf(image);
      const { entries, ends } = await logOf(files, settings.logSegmentBytes);
      const copies = readCopies(disk);
      const numbers = [...new Set(copies.map(({ frame }) => frame.record))];
      const records = numbers.map((number) => copies.filter(({ frame }) => frame.record === number));
      return { image, files, entries, ends, rest: restOf(files), durable: trial.durable.get(id) ?? Version.empty(), records };
    }));
    return { settings, members, acked: this.#acked, unknown: this.#unknown, commit: this.#commit };
  }
}
