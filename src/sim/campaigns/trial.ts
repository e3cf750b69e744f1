/**
 * A cluster on disks that are given to it: started, asked, and watched for what no member may do.
 * The network is fair; what is broken is on the disks, or down. The shipping replica runs in
 * simulated time, so that a trial is a function of its seed and its disks.
 */

import { codeOf, messageOf } from '../../base/errors.js';
import { utf8, fromUtf8 } from '../../base/bytes.js';
import type { PutRequest, RangeRequest } from '../../api/requests.js';
import type { NodeId } from '../../base/ids.js';
import type { Store } from '../../node/store.js';
import type { Version } from '../../storage/version/version.js';
import { isPowerOff } from '../cluster/power-off.js';
import { SimCluster } from '../cluster/sim-cluster.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { DiskImage } from '../disk/sim-disk.js';
import { Coverage } from '../model/coverage.js';
import type { RunSettings } from '../model/settings.js';
import { SimNetwork } from '../network/sim-network.js';
import { calm } from '../network/strike.js';
import { WallClocks } from '../world/wall-clocks.js';
import { World, type Pump } from '../world/world.js';

export const SECOND_US = 1_000_000;
/** Of simulated time, for one request. */
const ASK_US = 15 * SECOND_US;

export interface TrialOptions {
  readonly seed: number;
  readonly settings: RunSettings;
  readonly pump: Pump;
}

export type Answer<T> = { readonly value: T } | { readonly refused: string };

export class Trial {
  readonly world: World;
  readonly network: SimNetwork;
  readonly wall = new WallClocks();
  /** What no member may do. */
  readonly violations: string[] = [];
  /** Errors by which members ended, newest last. */
  readonly stops: { readonly node: number; readonly code: string }[] = [];
  /** What the manifest of each member held when its last life ended. */
  readonly durable = new Map<NodeId, Version>();
  /** The last one of each member. */
  readonly warnings = new Map<NodeId, string>();
  /** Writes of this trial, and those of which nobody knows. */
  readonly acked = new Map<string, string>();
  readonly unknown = new Map<string, string>();
  readonly #cluster: SimCluster;
  readonly #pump: Pump;

  constructor({ seed, settings, pump }: TrialOptions) {
    this.#pump = pump;
    this.world = new World({ seed, onThrow: (process, error) => this.#cluster.threw(process, error) });
    const coverage = new Coverage();
    this.network = new SimNetwork(this.world, Array.from({ length: settings.nodes }, (_, i) => i + 1), coverage);
    calm(this.network);
    this.#cluster = new SimCluster(this.world, settings, this.network, coverage, this.wall);
    this.#cluster.watch({
      onEvent: ({ id }, event) => {
        if (event.type === 'warning') this.warnings.set(id, `${event.message} ${JSON.stringify(event.data ?? {})}`);
        if (event.type === 'readmission') this.warnings.set(id, `re-admission ${event.stage}: ${event.why}`);
      },
      onOpen: () => undefined,
      onStart: () => undefined,
      onDeath: ({ id, running }) => {
        if (running !== undefined) this.durable.set(id, running.replica.tree.durable);
      },
      excuse: (node, error) => {
        this.stops.push({ node: node.id, code: codeOf(error) ?? '' });
        return 'the trial judges it';
      },
      isRemoved: () => false,
      onReborn: () => undefined,
      report: (kind, check, message, node) => void this.violations.push(`node ${node}: ${kind}: ${check}: ${message}`),
    });
  }

  get nodes(): readonly SimNode[] {
    return this.#cluster.nodes;
  }

  get up(): readonly SimNode[] {
    return this.nodes.filter((node) => node.state === 'up');
  }

  get fenced(): readonly SimNode[] {
    return this.nodes.filter((node) => node.state === 'fenced');
  }

  /** All are down. */
  restore(images: readonly DiskImage[]): void {
    for (const [i, image] of images.entries()) this.nodes[i]?.disk.restore(image);
  }

  start(node: SimNode): void {
    if (node.process !== undefined) return;
    this.#cluster.down(node, 'kill');
    this.#cluster.up(node);
  }

  startAll(): void {
    for (const node of this.nodes) this.start(node);
  }

  /** A kill, which the page cache survives, or a loss of power. */
  end(node: SimNode, how: 'kill' | 'power' = 'kill'): void {
    this.#cluster.down(node, how);
  }

  /** After {@link end} and {@link stop}. */
  restart(node: SimNode): void {
    this.#cluster.up(node);
  }

  /** As an operator stops it. */
  async stop(node: SimNode): Promise<void> {
    await this.#settled(this.#cluster.stop(node), 90 * SECOND_US);
  }

  leader(): SimNode | undefined {
    return this.#cluster.leader();
  }

  /** False: so much time went by in vain, or a violation. */
  async until(condition: () => boolean, withinUs: number): Promise<boolean> {
    const deadline = this.world.nowUs + withinUs;
    // What was asked for just now gets its turn before time goes by.
    this.world.schedule(0, () => undefined);
    await this.world.run(this.#pump, deadline, () => this.violations.length > 0 || condition());
    return this.violations.length === 0 && condition();
  }

  /** Time goes by. */
  async pass(us: number): Promise<void> {
    await this.until(() => false, us);
  }

  /** An answer, whatever its value: it is acknowledged. */
  async put(node: SimNode, key: string, value: string): Promise<Answer<unknown>> {
    const answer = await this.#ask(node, (store) => store.put(putRequest(key, value)));
    ('value' in answer ? this.acked : this.unknown).set(key, value);
    return answer;
  }

  /** A write whose answer nobody waits for. */
  ask(node: SimNode, key: string, value: string): void {
    const { running } = node;
    this.world.schedule(0, () => void running?.store.put(putRequest(key, value)).catch(() => undefined), running?.process);
  }

  /** Everything that the member holds, as text; serializable also of one that waits for its log. */
  async all(node: SimNode, serializable: boolean): Promise<Answer<ReadonlyMap<string, string>>> {
    return this.#ask(node, async (store) => {
      const { kvs } = await store.range({ ...EVERYTHING, serializable });
      return new Map(kvs.map(({ key, value }) => [fromUtf8(key), fromUtf8(value)]));
    });
  }

  async #ask<T>(node: SimNode, request: (store: Store) => Promise<T>): Promise<Answer<T>> {
    const { running, process } = node;
    const store = node.waitingStore ?? running?.store;
    if (store === undefined || node.state === 'down') return { refused: 'DOWN' };
    let answer: Answer<T> | undefined;
    this.world.schedule(0, () => {
      request(store).then(
        (value) => (answer = { value }),
        (error: unknown) => {
          if (isPowerOff(error)) return;
          if (codeOf(error) === undefined) this.violations.push(`node ${node.id} answered with ${messageOf(error)}`);
          answer = { refused: codeOf(error) ?? 'UNTYPED' };
        },
      );
    }, process);
    await this.until(() => answer !== undefined, ASK_US);
    return answer ?? { refused: 'NO_ANSWER' };
  }

  async #settled(promise: Promise<void>, withinUs: number): Promise<void> {
    let over = false;
    void promise.then(() => (over = true));
    if (!(await this.until(() => over, withinUs)) && this.violations.length === 0) this.violations.push('a stop hangs');
  }
}

function putRequest(key: string, value: string): PutRequest {
  return { key: utf8(key), value: utf8(value), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
}

const EVERYTHING: RangeRequest = {
  key: new Uint8Array(1), rangeEnd: new Uint8Array(1), limit: 0, revision: 0, sortOrder: 'none', sortTarget: 'key', serializable: false,
  keysOnly: false, countOnly: false, minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0,
};
