/**
 * What operators do with the members while everything else goes on: they add, promote, remove and
 * replace, more than one at a time, through the code that serves etcd's Cluster service. They are
 * careful as operators are told to be: nobody is taken away without whom something that was
 * acknowledged would be nowhere. What is begun is brought to its end, at the latest when the faults
 * are over.
 */

import type { NodeId } from '../../base/ids.js';
import { VERSION_2 } from '../../replica/base/protocol.js';
import type { MemberChange, Members } from '../../replica/state/members.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { FaultAction, MemberFault } from '../model/fault.js';
import { addressOf } from '../network/address.js';
import type { Stream } from '../world/random.js';
import { Machines, type MachineParts } from './machines.js';
import { Requests, type RequestParts } from './requests.js';

export interface OperatorParts extends MachineParts, RequestParts {
  /** Nothing new is begun from here on. */
  readonly untilUs: number;
}

const SECOND_US = 1_000_000;
const POLL_US = 200_000;
/** So long it is waited for a moment at which a member can be spared. */
const SPARE_US = 30 * SECOND_US;
const MOST_VOTERS = 5;

export class Operator {
  readonly #parts: OperatorParts;
  readonly #machines: Machines;
  readonly #requests: Requests;
  readonly #tasks = new Set<string>();

  constructor(parts: OperatorParts) {
    this.#parts = parts;
    this.#machines = new Machines(parts);
    this.#requests = new Requests(parts);
  }

  /** What is not done yet. */
  get tasks(): readonly string[] {
    return [...this.#tasks];
  }

  begin(action: FaultAction): void {
    // It is refused as long as not all know how.
    if (this.#parts.settings.newestVersion < VERSION_2) return;
    const random = this.#parts.world.stream(`fault ${action.id}`);
    const kind = action.kind as MemberFault;
    if (kind !== 'two-operators') return void this.#run(`${action.id}`, kind, random);
    const both = random.shuffled<MemberFault>(['add-learner', 'add-voter', 'remove', 'replace', 'remove-leader']).slice(0, 2);
    const begun = both.map((each, i) => this.#run(`${action.id}.${i + 1}`, each, this.#parts.world.stream(`fault ${action.id} ${i}`)));
    void Promise.all(begun).then((done) => {
      if (done.every(Boolean)) this.#parts.coverage.fault(kind);
    });
  }

  async #run(name: string, kind: MemberFault, random: Stream): Promise<boolean> {
    const { coverage, world } = this.#parts;
    const task = `${name} ${kind}`;
    this.#tasks.add(task);
    const done = await this.#carryOut(kind, random);
    this.#tasks.delete(task);
    if (world.trace.taping) world.trace.row(world.nowUs, 0, `#${task}: ${done ? 'done' : 'not possible'}`);
    if (done) coverage.fault(kind);
    return done;
  }

  #carryOut(kind: MemberFault, random: Stream): Promise<boolean> {
    switch (kind) {
      case 'add-learner':
        return this.#add(this.#roomForOne ? this.#machines.unused() : undefined, true, random);
      case 'add-voter':
        return this.#add(this.#roomForOne ? this.#machines.unused() : undefined, false, random);
      case 'add-again':
        return this.#add(this.#roomForOne ? this.#machines.used() : undefined, random.chance(2, 3), random);
      case 'remove':
        return this.#remove(() => random.pick(this.#voters), random);
      case 'remove-leader':
        return this.#remove(() => this.#parts.cluster.leader(), random);
      case 'replace':
        return this.#replace(false, random);
      case 'replace-dead':
        return this.#replace(true, random);
      case 'come-back':
        return this.#comeBack();
      case 'down-to-one':
        return this.#downToOne(random);
      case 'two-operators':
        return Promise.resolve(false);
    }
  }

  async #add(machine: SimNode | undefined, learner: boolean, random: Stream): Promise<boolean> {
    const added = await this.#added(machine, learner, random);
    return added !== undefined && (!learner || this.#promote(added, random));
  }

  /** The machine, once a member lives there. A learner is to be a voter from the first moment. */
  async #added(machine: SimNode | undefined, learner: boolean, random: Stream): Promise<SimNode | undefined> {
    if (machine === undefined) return undefined;
    const { ledger } = this.#parts.oracle;
    const address = addressOf(machine.id);
    if (learner) ledger.noteRising(machine.id);
    const change: MemberChange = { kind: 'add', id: 0, peerUrls: [address], learner };
    const has = ({ list }: Members): boolean => list.some(({ peerUrls }) => peerUrls.includes(address));
    if (!(await this.#requests.carryOut(change, random, has))) {
      this.#machines.giveBack(machine);
      ledger.noteRising(machine.id, false);
      return undefined;
    }
    // Somebody takes his time to start it.
    if (random.chance(1, 4)) await this.#parts.world.sleep(random.between(1, 8) * SECOND_US);
    await this.#machines.join(machine);
    return machine;
  }

  async #promote({ id, member }: SimNode, random: Stream): Promise<boolean> {
    const done = await this.#requests.carryOut({ kind: 'promote', id: member }, random, ({ confState }) => confState.voters.includes(member));
    this.#parts.oracle.ledger.noteRising(id, false);
    return done;
  }

  async #remove(pick: () => SimNode | undefined, random: Stream): Promise<boolean> {
    const node = await this.#whenSpared(pick, true);
    return node !== undefined && this.#removed(node, { kind: 'remove', id: node.member }, random);
  }

  /** With one joint change, as `kintsugi ctl member replace` does. */
  async #replace(dead: boolean, random: Stream): Promise<boolean> {
    const { cluster, oracle } = this.#parts;
    const machine = this.#machines.unused() ?? this.#machines.used();
    if (machine === undefined) return false;
    let old: SimNode | undefined = cluster.nodes.find(({ state }) => state === 'fenced');
    if (old === undefined && dead) {
      old = await this.#whenSpared(() => random.pick(this.#voters), false);
      if (old !== undefined) cluster.down(old, 'power');
    }
    if (old !== undefined) oracle.ledger.noteLeaving(old.id);
    if (old === undefined && dead) {
      this.#machines.giveBack(machine);
      return false;
    }
    // Whose machine is lost stays away, so it is tried again until it is replaced.
    let added = await this.#added(machine, true, random);
    while (added === undefined && old !== undefined && old.state !== 'away') {
      await this.#parts.world.sleep(SECOND_US);
      const next = this.#machines.unused() ?? this.#machines.used();
      added = await this.#added(next, true, random);
    }
    if (added === undefined) return false;
    old ??= await this.#whenSpared(() => random.pick(this.#voters), true);
    if (old === undefined) return this.#promote(added, random);
    const { member } = added;
    if (await this.#removed(old, { kind: 'replace', id: member, removed: old.member }, random)) {
      oracle.ledger.noteRising(added.id, false);
      return true;
    }
    // Another operator was faster with one of the two.
    await this.#promote(added, random);
    return old.state === 'away' || this.#removed(old, { kind: 'remove', id: old.member }, random);
  }

  async #removed(node: SimNode, change: MemberChange, random: Stream): Promise<boolean> {
    const { world, cluster, oracle } = this.#parts;
    const { member } = node;
    const done = await this.#requests.carryOut(change, random, ({ list, confState }) =>
      !list.some(({ id }) => id === member) && confState.votersOutgoing.length === 0);
    if (!done) {
      if (node.member === member) oracle.ledger.noteLeaving(node.id, false);
      return false;
    }
    // It ends by itself when it is told; a machine without a process is given back.
    for (let polls = 0; node.member === member && node.state !== 'away'; polls++) {
      if (node.process === undefined && (polls > 50 || node.state === 'fenced')) cluster.retire(node);
      await world.sleep(POLL_US);
    }
    // It was re-admitted just before: as it is told then, it stays a learner until it is removed.
    const stays = node.formerly.includes(member) && oracle.roster.members?.confState.learners.includes(node.member) === true;
    return stays ? this.#removed(node, { kind: 'remove', id: node.member }, random) : true;
  }

  async #downToOne(random: Stream): Promise<boolean> {
    const { world, untilUs } = this.#parts;
    while (this.#voters.length > 1 && world.nowUs < untilUs) {
      if (!(await this.#remove(() => random.pick(this.#voters), random))) break;
    }
    const alone = this.#voters.length === 1;
    if (alone) await world.sleep(random.between(1, 20) * SECOND_US);
    for (let voters = this.#voters.length; voters < 3; voters++) {
      if (!(await this.#add(this.#machines.used() ?? this.#machines.unused(), random.chance(1, 2), random))) break;
    }
    return alone;
  }

  /** Nobody has told the machine: its member learns it from the others, and ends again. */
  async #comeBack(): Promise<boolean> {
    const { world, cluster } = this.#parts;
    const machine = this.#machines.removed();
    if (machine === undefined) return false;
    const { member, lives } = machine;
    cluster.startAgain(machine);
    while (machine.member === member && machine.state !== 'away') {
      if (!this.#isKnown(machine)) cluster.retire(machine);
      await world.sleep(POLL_US);
    }
    return machine.lives > lives;
  }

  /** Somebody who is a member now is one whom this machine knows. */
  #isKnown({ running }: SimNode): boolean {
    const now = this.#parts.oracle.roster.members?.list ?? [];
    return running === undefined || now.some(({ id }) => running.replica.membership.has(id));
  }

  /**
   * A member without whom all that was acknowledged is still on a majority: nobody counts on it
   * from then on. `leaves`: it is no voter afterwards.
   */
  async #whenSpared(pick: () => SimNode | undefined, leaves: boolean): Promise<SimNode | undefined> {
    const { world, oracle, untilUs } = this.#parts;
    for (const giveUpUs = Math.min(untilUs, world.nowUs + SPARE_US); world.nowUs < giveUpUs;) {
      const node = pick();
      if (node !== undefined && this.#maySpare(node, leaves)) {
        oracle.ledger.noteLeaving(node.id);
        return node;
      }
      await world.sleep(POLL_US);
    }
    return undefined;
  }

  #maySpare(node: SimNode, leaves: boolean): boolean {
    const { verdict, ledger } = this.#parts.oracle;
    if (node.state !== 'up' || ledger.leaves(node.id) || (leaves && this.#voters.length < 2)) return false;
    // Who is down may be behind: what it lacks must not depend on this one.
    const others = this.#voters.filter((each) => each !== node);
    if (!others.every((each) => verdict.doomed(each.id) || each.state === 'up')) return false;
    return verdict.maySpare(node.id, leaves) && verdict.mayLose(node.id);
  }

  get #roomForOne(): boolean {
    return this.#voters.length < MOST_VOTERS;
  }

  get #voters(): readonly SimNode[] {
    const { cluster, oracle } = this.#parts;
    const voters: readonly NodeId[] = oracle.roster.halves[0] ?? [];
    return cluster.nodes.filter(({ member }) => voters.includes(member));
  }
}
