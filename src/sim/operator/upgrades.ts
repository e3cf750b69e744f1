/**
 * Operators who bring a newer program to the members, one after the other, while everything else
 * goes on, and who now and then take it back from one. They are careful as they are told to be: one
 * machine at a time, and back only while another member still runs the older program, so that the
 * version of the cluster was not raised (`replica/base/protocol.ts`). What the cluster has not
 * heard of in time may be raised over all the same: that member stops, and waits for the newer
 * program. When the faults are over, all have it.
 */

import type { ClusterVersion } from '../../base/ids.js';
import type { SimCluster } from '../cluster/sim-cluster.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { Coverage } from '../model/coverage.js';
import { PATHS } from '../model/paths.js';
import type { RunSettings } from '../model/settings.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';

export interface UpgradesParts {
  readonly world: World;
  readonly cluster: SimCluster;
  readonly coverage: Coverage;
  readonly settings: Pick<RunSettings, 'newestVersion' | 'upgradesTo' | 'faultsFromUs'>;
  /** From here on nobody takes his time, and nothing is taken back. */
  readonly untilUs: number;
}

const SECOND_US = 1_000_000;
const POLL_US = 200_000;
/** So long an operator waits for one that he started, before he goes on with the next. */
const PATIENCE_US = 60 * SECOND_US;

export class Upgrades {
  readonly #parts: UpgradesParts;
  readonly #random: Stream;
  #left = 0;
  #task: string | undefined;

  constructor(parts: UpgradesParts) {
    this.#parts = parts;
    this.#random = parts.world.stream('upgrades');
  }

  /** What is not done yet. */
  get tasks(): readonly string[] {
    return this.#task === undefined ? [] : [this.#task];
  }

  /** Nothing happens in a run without upgrades. */
  begin(): void {
    const { upgradesTo } = this.#parts.settings;
    if (upgradesTo !== undefined) void this.#upgradeAll(upgradesTo);
  }

  async #upgradeAll(newer: ClusterVersion): Promise<void> {
    const { world, coverage, settings } = this.#parts;
    const random = this.#random;
    const older = settings.newestVersion;
    this.#task = `the upgrade to version ${newer}`;
    // How often at most one is taken back.
    this.#left = random.pick([0, 1, 1, 2]);
    await this.#rest(random.between(10, 300) * SECOND_US);
    for (let next = this.#pick(older, newer); next !== undefined; next = this.#pick(older, newer)) {
      await this.#replace(next, newer);
      await this.#rest(random.between(0, 40) * SECOND_US);
      const back = this.#left > 0 && this.#with(older).length > 0 && world.nowUs < this.#parts.untilUs ? this.#with(newer) : [];
      if (back.length === 0 || !random.chance(1, 3)) continue;
      this.#left--;
      await this.#replace(random.pick(back), older);
      coverage.branch(PATHS.takenBack);
      await this.#rest(random.between(0, 40) * SECOND_US);
    }
    coverage.branch(PATHS.upgraded);
    this.#task = undefined;
  }

  /** The next to get the newer program. Machines without a member get it at once. */
  #pick(older: ClusterVersion, newer: ClusterVersion): SimNode | undefined {
    for (const node of this.#with(older)) if (node.state === 'away') this.#parts.cluster.install(node, newer);
    const waiting = this.#with(older);
    return waiting.length === 0 ? undefined : this.#random.pick(waiting);
  }

  /** In whose next life this is the program. */
  #with(program: ClusterVersion): readonly SimNode[] {
    return this.#parts.cluster.nodes.filter((node) => node.program === program);
  }

  /**
   * Stops a member, in order or not, and starts it with another program. Whatever else takes it
   * down or starts it meanwhile: when this is done, it does not run the one from before.
   */
  async #replace(node: SimNode, program: ClusterVersion): Promise<void> {
    const { world, cluster } = this.#parts;
    const random = this.#random;
    cluster.install(node, program);
    const { lives } = node;
    if (random.chance(1, 3)) cluster.down(node, random.pick(['kill', 'power'] as const));
    else await cluster.stop(node);
    await this.#rest(random.between(0, 5) * SECOND_US);
    cluster.up(node);
    const patience = world.nowUs + PATIENCE_US;
    while (node.lives === lives || node.state !== 'up') {
      if (node.state === 'away' || node.state === 'fenced' || world.nowUs >= Math.min(patience, this.#parts.untilUs)) return;
      await world.sleep(POLL_US);
    }
  }

  /** Takes his time, as long as there is some. */
  async #rest(us: number): Promise<void> {
    const { world, untilUs } = this.#parts;
    const left = Math.min(us, untilUs - world.nowUs);
    if (left > 0) await world.sleep(left);
  }
}
