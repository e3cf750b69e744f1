/**
 * The directory of a member is emptied, or an older copy of it put back, at any moment: while
 * writes are on their way, while a leader is elected, when it has lagged, when all is quiet, or
 * with a loss of power at which all restart, so that the others have nothing in memory. Of
 * three members one, of five one or two. What it promised is gone, and it does not know that; the
 * others do. It comes back by re-admission, by itself or because an operator runs `kintsugi
 * recover`.
 *
 * R1 R5 from then on no message of Raft leaves it under its former id; D1 all that was acknowledged
 * before and after is read through every member; and the cluster is whole again: so many voters as
 * before, none under a former id.
 */

import { must } from '../../base/assert.js';
import type { NodeId } from '../../base/ids.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { DiskImage } from '../disk/sim-disk.js';
import { RaftFrameReader } from '../checks/consensus/raft-frames.js';
import type { Pump } from '../world/world.js';
import { Author, pastSettings } from './author.js';
import type { CaseResult } from './case-result.js';
import { SECOND_US, type Trial } from './trial.js';
import { recovers } from './verdict.js';

export const FORGETTING_CASES = 2_000;
export type Forgets = 'wipe' | 'rollback';

const UP_US = 120 * SECOND_US;
const REST_US = 60 * SECOND_US;

/** What goes on when it strikes. */
const MOMENTS = ['quiet', 'writes', 'election', 'lagging', 'all restart'] as const;
/** As the product writes down what it heard: once a second, of what is told once a second. */
const WRITTEN_US = 2.5 * SECOND_US;
type Moment = (typeof MOMENTS)[number];

interface Victim {
  readonly node: SimNode;
  /** What it was a member as. */
  readonly member: NodeId;
  /** Undefined: it is emptied. */
  readonly copy: DiskImage | undefined;
}

export class Forgetting {
  readonly #pump: Pump;
  readonly #how: Forgets;

  constructor(pump: Pump, how: Forgets) {
    this.#pump = pump;
    this.#how = how;
  }

  async run(number: number): Promise<CaseResult> {
    const nodes = number % 3 === 2 ? 5 : 3;
    const author = new Author(1 + number, this.#how, { ...pastSettings(), nodes }, this.#pump);
    const { trial, random } = author;
    await author.begin();
    await author.writes(random.between(1, 30));
    const moment = MOMENTS[Math.floor(number / 3) % MOMENTS.length] as Moment;
    const struck = random.shuffled(trial.nodes).slice(0, nodes === 5 && random.chance(1, 2) ? 2 : 1);
    const victims = await this.#copies(author, struck, moment);
    await strike(author, victims, moment);
    await this.#returns(author, victims, moment);
    return this.#judged(author, victims, `${this.#how} of ${struck.length} of ${nodes}: ${moment}`);
  }

  /** Older copies are made while their members run, and outlived by writes; some by a start. */
  async #copies(author: Author, struck: readonly SimNode[], moment: Moment): Promise<Victim[]> {
    const { trial, random } = author;
    if (this.#how === 'wipe') return struck.map((node) => ({ node, member: node.member, copy: undefined }));
    const victims = struck.map((node) => ({ node, member: node.member, copy: node.disk.image() }));
    await author.writes(random.between(1, 20));
    await trial.pass(SECOND_US);
    // Of one life nobody but those that heard its promises knows: they remember them.
    if (moment === 'election' || random.chance(1, 2)) {
      for (const { node } of victims) {
        trial.end(node);
        trial.restart(node);
        await trial.until(() => isWhole(trial), REST_US);
      }
      // It has told the log of itself by then.
      await trial.pass(2 * SECOND_US);
      await author.writes(random.between(1, 4));
    }
    return victims;
  }

  /** It starts where it can hear all others: who has an older copy is told by them alone. */
  async #returns(author: Author, victims: readonly Victim[], moment: Moment): Promise<void> {
    const { trial, random } = author;
    // Nobody may lead before it is there: it could be who decides.
    if (moment !== 'all restart') await trial.pass(random.between(0, 4) * (SECOND_US / 2));
    if (this.#how === 'rollback') {
      const others = trial.nodes.filter((node) => !victims.some((victim) => victim.node === node));
      await trial.until(() => others.every(({ state }) => state === 'up') && (moment === 'all restart' || trial.leader() !== undefined), REST_US);
    }
    for (const { node } of victims) trial.restart(node);
    for (let n = random.between(0, 6); n > 0; n--) {
      const leader = trial.leader();
      if (leader === undefined) await trial.pass(SECOND_US / 4);
      else await trial.put(leader, `meanwhile ${n}`, `meanwhile ${n}`);
    }
  }

  async #judged(author: Author, victims: readonly Victim[], kind: string): Promise<CaseResult> {
    const { trial } = author;
    const from = trial.world.nowUs;
    const isBack = (): boolean => isWhole(trial) && victims.every(({ node, member }) => node.member !== member && !isKnown(trial, member));
    const { outcome, why } = await recovers(trial, author.written, UP_US, isBack);
    return { expected: 'recovered', outcome, why: `${why} [${kind}]`, kind: `${kind}, is ${outcome}`, upMs: Math.round((trial.world.nowUs - from) / 1000) };
  }
}

/** They are ended, and lose what they promised; what else happens is `moment`'s. */
async function strike(author: Author, victims: readonly Victim[], moment: Moment): Promise<void> {
  const { trial, random } = author;
  const leader = await author.led();
  const isVictim = (node: SimNode): boolean => victims.some((victim) => victim.node === node);
  const others = trial.nodes.filter((node) => !isVictim(node));
  let away: SimNode | undefined;
  if (moment === 'all restart' || (moment === 'lagging' && trial.nodes.length > 3)) {
    away = random.pick(others);
    trial.end(away);
    await author.led();
    await author.writes(random.between(1, 10));
  }
  if (moment === 'all restart') await trial.pass(WRITTEN_US);
  if (moment === 'writes' || moment === 'election') author.asks(random.between(1, 6), trial.leader() ?? leader);
  if (moment !== 'quiet' && moment !== 'all restart') await trial.pass(random.between(0, 40) * 1_000);
  watch(trial, victims);
  for (const { node, copy } of victims) {
    trial.end(node, random.pick(['kill', 'power']));
    if (copy === undefined) node.disk.wipe();
    else node.disk.restore(copy);
  }
  if (moment === 'all restart') {
    const rest = others.filter((node) => node !== away);
    for (const node of rest) trial.end(node, 'power');
    for (const node of rest) trial.restart(node);
  }
  if (moment === 'election') {
    const one = isVictim(leader) ? random.pick(others) : leader;
    await trial.pass(random.between(0, 20) * 100_000);
    trial.end(one, random.pick(['kill', 'power']));
    await trial.pass(random.between(0, 20) * 100_000);
    trial.restart(one);
  }
  if (away !== undefined) trial.restart(away);
}

/** Whatever they send as members of Raft under their former ids, from now on, is a violation. */
function watch(trial: Trial, victims: readonly Victim[]): void {
  const reader = new RaftFrameReader();
  const former = new Set(victims.map(({ member }) => member));
  trial.network.onFrame = (_from, _to, frame) => {
    if (!reader.open(frame)) return;
    while (reader.next()) {
      const { from, type } = reader.head;
      if (former.has(from)) trial.violations.push(`member ${from}, whose promises are gone, sends a message of type ${type}`);
    }
  };
}

/** All are up, and voters of one configuration. */
function isWhole(trial: Trial): boolean {
  const { nodes } = trial;
  return trial.leader() !== undefined && nodes.every(({ state, running, member }) => {
    if (state !== 'up' || running === undefined) return false;
    const { voters, votersOutgoing, learners } = running.replica.membership.confState;
    return voters.length === nodes.length && votersOutgoing.length === 0 && learners.length === 0 && voters.includes(member);
  });
}

/** It is still a member, as far as anybody knows. */
function isKnown(trial: Trial, member: NodeId): boolean {
  return trial.nodes.some(({ running }) => must(running, 'all are up').replica.membership.has(member));
}
