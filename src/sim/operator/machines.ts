/**
 * Machines as operators have them: taken from the shelf, or one that was a member before and gets
 * an empty disk. A machine that is to join asks whoever it reaches who is in the cluster, until it
 * finds itself there, as `server/join.ts` does.
 */

import { DESCRIBE_METHOD, decodeDescription } from '../../replica/state/description.js';
import { joinedIdentity, type Identity } from '../../replica/state/joined.js';
import { foundBy, memberAt, type Told } from '../../replica/state/told-members.js';
import type { SimCluster } from '../cluster/sim-cluster.js';
import type { SimNode } from '../cluster/sim-node.js';
import { tellStructures } from '../faults/context.js';
import type { RunSettings } from '../model/settings.js';
import { addressOf } from '../network/address.js';
import type { SimNetwork } from '../network/sim-network.js';
import type { DamageOracle } from '../oracle/damage-oracle.js';
import type { World } from '../world/world.js';

export interface MachineParts {
  readonly world: World;
  readonly cluster: SimCluster;
  readonly network: SimNetwork;
  readonly oracle: DamageOracle;
  readonly settings: Pick<RunSettings, 'logSegmentBytes' | 'newestVersion'>;
}

/** In a run, the first ones included. */
const MOST = 9;
const ASK_US = 250_000;

export class Machines {
  readonly #parts: MachineParts;
  /** On their way to be members. */
  readonly #taken = new Set<SimNode>();

  constructor(parts: MachineParts) {
    this.#parts = parts;
  }

  /** One that was never a member. Undefined: there are enough. */
  unused(): SimNode | undefined {
    const { cluster, settings } = this.#parts;
    if (cluster.nodes.length >= MOST) return this.#free(({ member }) => member === 0);
    const machine = cluster.addMachine();
    tellStructures(machine, settings.logSegmentBytes);
    this.#taken.add(machine);
    return machine;
  }

  /** One that was a member, whose disk is empty now. */
  used(): SimNode | undefined {
    const { cluster, oracle } = this.#parts;
    const machine = this.#free(({ member }) => member !== 0);
    if (machine === undefined) return undefined;
    cluster.empty(machine);
    oracle.noteReborn(machine.id, true);
    return machine;
  }

  /** One that was removed, with all that it had. */
  removed(): SimNode | undefined {
    return this.#parts.cluster.nodes.find((node) => this.#isFree(node) && node.member !== 0 && node.disk.list().length > 0);
  }

  giveBack(machine: SimNode): void {
    this.#taken.delete(machine);
  }

  /** It was added, and starts as soon as it has found that out. */
  async join(machine: SimNode): Promise<void> {
    const { world, cluster } = this.#parts;
    let found: Identity | undefined;
    while (found === undefined) {
      const answers: Told[] = [];
      for (const { id, state } of cluster.nodes) {
        if (id !== machine.id && state === 'up') this.#ask(machine, id, answers);
      }
      await world.sleep(ASK_US);
      found = whoIsAt(machine, answers);
    }
    this.#taken.delete(machine);
    cluster.enroll(machine, found);
  }

  #ask(machine: SimNode, of: number, answers: Told[]): void {
    this.#parts.network.describe(machine.id, of, DESCRIBE_METHOD, (reply) => {
      answers.push({ url: addressOf(of), description: decodeDescription(reply) });
    });
  }

  #free(is: (node: SimNode) => boolean): SimNode | undefined {
    const machine = this.#parts.cluster.nodes.find((node) => this.#isFree(node) && is(node));
    if (machine !== undefined) this.#taken.add(machine);
    return machine;
  }

  #isFree(node: SimNode): boolean {
    return node.state === 'away' && node.process === undefined && !this.#taken.has(node);
  }
}

/** As `server/join.ts` finds it. */
function whoIsAt(machine: SimNode, answers: readonly Told[]): Identity | undefined {
  const found = foundBy(answers, memberAt([addressOf(machine.id)]));
  if (found === undefined || found.self === machine.member || found.self === 0 || found.lacking.length > 0) return undefined;
  return joinedIdentity(found, `n${machine.id}`);
}
