/**
 * Random blocks of random members go bad, or cannot be read: of clusters whose members have all the
 * same, of clusters with members that lag, entries of several terms and members that stay away, and
 * of clusters whose logs are dropped behind tables.
 */

import { must } from '../../base/assert.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { Stream } from '../world/random.js';
import type { Pump } from '../world/world.js';
import { CORRUPTIONS, spoilBlock, usedBlocks, type BlockFault } from './blocks.js';
import type { CaseResult } from './case-result.js';
import { Copies } from './copies.js';
import type { Past } from './past.js';
import { PastShelf, type PastKind } from './pasts.js';
import { SECOND_US, Trial } from './trial.js';
import { limps, recovers, waits } from './verdict.js';

interface Part {
  readonly name: string;
  readonly cases: number;
  readonly past: PastKind;
  readonly faults: readonly BlockFault[];
}

const PARTS: readonly Part[] = [
  { name: 'corruption', cases: 5_000, past: 'even', faults: CORRUPTIONS },
  { name: 'errors', cases: 5_000, past: 'even', faults: ['unreadable'] },
  { name: 'lagging', cases: 5_000, past: 'lagging', faults: [...CORRUPTIONS, 'unreadable'] },
  { name: 'snapshots', cases: 1_000, past: 'snapshot', faults: [...CORRUPTIONS, 'unreadable'] },
];
export const RANDOM_CASES = PARTS.reduce((sum, { cases }) => sum + cases, 0);

/** Cases that begin with the same disks. */
const CASES_PER_PAST = 50;
const UP_US = 90 * SECOND_US;
const WAIT_US = 25 * SECOND_US;
/** Of trials in which members stay away at first. */
const PARTIAL_US = 20 * SECOND_US;

export class CtrlRandom {
  readonly #pump: Pump;
  readonly #pasts: PastShelf;

  constructor(pump: Pump) {
    this.#pump = pump;
    this.#pasts = new PastShelf(pump);
  }

  async run(number: number): Promise<CaseResult> {
    const { part, seed } = partOf(number);
    const past = await this.#pasts.get(part.past, 1 + Math.floor(seed / CASES_PER_PAST));
    const trial = new Trial({ seed: 1 + number, settings: past.settings, pump: this.#pump });
    trial.restore(past.members.map(({ image }) => image));
    const random = trial.world.stream('damage');
    damage(trial.nodes, past, part.faults, random);
    const copies = new Copies(past, trial.nodes);
    const { expected, why } = copies.expectation();
    const kind = expected === 'safe' ? `${part.name}: ${why.replaceAll(/\d+/g, '#').replace(/a block is lost.*/, 'a block is lost')}` : `${part.name}: ${expected}`;
    const judged = (await this.#partial(trial, past, part, random)) ?? (await this.#whole(trial, past, expected));
    return { expected, kind, ...judged, why: judged.why === '' ? why : `${judged.why}${why === '' ? '' : ` (${why})`}` };
  }

  /** Some of those that lag stay away at first: what the others then do must not lose anything. */
  async #partial(trial: Trial, past: Past, part: Part, random: Stream): Promise<{ outcome: 'lost' | 'wrong'; why: string } | undefined> {
    if (part.name === 'snapshots' && random.chance(1, 3)) must(random.pick(trial.nodes), 'there are some').disk.powerOffAfter(random.between(5, 400));
    if (part.name !== 'lagging' || !random.chance(2, 3)) return undefined;
    const away = random.pick(trial.nodes);
    for (const node of trial.nodes) if (node !== away) trial.start(node);
    const isReady = (): boolean => trial.leader() !== undefined && trial.nodes.every((node) => node === away || node.state === 'up' || node.state === 'fenced');
    const { outcome, why } = await recovers(trial, past, PARTIAL_US, isReady);
    if (outcome === 'lost' || outcome === 'wrong') return { outcome, why: `without node ${away.id}: ${why}` };
    return undefined;
  }

  async #whole(trial: Trial, past: Past, expected: CaseResult['expected']): Promise<Pick<CaseResult, 'outcome' | 'why' | 'upMs'>> {
    const from = trial.world.nowUs;
    trial.startAll();
    if (expected !== 'recovered') {
      const { outcome, why } = await recovers(trial, past, WAIT_US);
      if (outcome !== 'waits') return { outcome, why };
      return expected === 'waits' ? waits(trial, past) : limps(trial, past, why);
    }
    const judged = await recovers(trial, past, UP_US);
    return { ...judged, upMs: Math.round((trial.world.nowUs - from) / 1000) };
  }
}

function partOf(number: number): { readonly part: Part; readonly seed: number } {
  let from = 0;
  for (const part of PARTS) {
    if (number < from + part.cases) return { part, seed: number - from };
    from += part.cases;
  }
  throw new Error(`there are ${RANDOM_CASES} cases`);
}

/** One to three members; of each from one block to half of all. */
function damage(nodes: readonly SimNode[], past: Past, faults: readonly BlockFault[], random: Stream): void {
  const struck = random.shuffled(nodes).slice(0, random.between(1, nodes.length));
  // Blocks of log and hard state are few beside those of tables: half of the cases are theirs.
  const of = random.chance(1, 2) ? (path: string) => path.startsWith('log/') || path === 'hardstate' || path.startsWith('manifest/') : undefined;
  const [n, in_] = random.pick([[1, 20], [1, 8], [1, 4], [1, 2]] as const);
  for (const node of struck) {
    const member = must(past.members[node.id - 1], 'it is one of them');
    const all = usedBlocks(member, of);
    const some = all.filter(() => random.chance(n, in_));
    for (const place of some.length > 0 ? some : [random.pick(all)]) spoilBlock(node, place, random.pick(faults), random);
  }
}
