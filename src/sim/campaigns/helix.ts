/**
 * A helix: each member loses other stripes of every file, a third of each, so that of every stripe
 * two members have theirs. No member is whole. The cluster is writable again in half a minute
 * wherever the bytes that are left allow it, which is counted for each case: the logs of the
 * members hold the same entries at different places, so that one may lie in each one's stripes.
 */

import { KiB } from '../../base/bytes.js';
import { must } from '../../base/assert.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { Stream } from '../world/random.js';
import type { Pump } from '../world/world.js';
import { BLOCK, isStructure, spoilBlock, type BlockFault } from './blocks.js';
import type { CaseResult } from './case-result.js';
import { Copies } from './copies.js';
import type { Past } from './past.js';
import { PastShelf } from './pasts.js';
import { SECOND_US, Trial } from './trial.js';
import { recovers } from './verdict.js';

export const HELIX_CASES = 1_000;
const STRIPES = [4, 8, 16, 32, 64, 128, 256, 512, 1024].map((kib) => kib * KiB);
const CASES_PER_PAST = 20;
const WRITABLE_US = 30 * SECOND_US;
const UP_US = 90 * SECOND_US;

export class Helix {
  readonly #pump: Pump;
  readonly #pasts: PastShelf;

  constructor(pump: Pump) {
    this.#pump = pump;
    this.#pasts = new PastShelf(pump);
  }

  async run(number: number): Promise<CaseResult> {
    const past = await this.#pasts.get('wide', 2_000 + Math.floor(number / CASES_PER_PAST));
    const stripe = STRIPES[number % STRIPES.length] as number;
    const trial = new Trial({ seed: 1 + number, settings: past.settings, pump: this.#pump });
    trial.restore(past.members.map(({ image }) => image));
    const random = trial.world.stream('damage');
    const turn = random.below(trial.nodes.length);
    const fault = random.pick(['zeros', 'junk', 'unreadable'] as const);
    for (const node of trial.nodes) strikeStripes(node, past, stripe, turn, fault, random);
    const { expected, why } = new Copies(past, trial.nodes).expectation();
    const kind = `${stripe / KiB} KiB ${fault === 'unreadable' ? 'unreadable' : 'overwritten'}`;
    trial.startAll();
    const isWritable = async (): Promise<boolean> => {
      if (!(await trial.until(() => trial.leader() !== undefined, WRITABLE_US))) return false;
      const leader = must(trial.leader(), 'there is one');
      return 'value' in (await trial.put(leader, 'soon', 'soon'));
    };
    const writable = await isWritable();
    const upMs = Math.round(trial.world.nowUs / 1000);
    const judged = await recovers(trial, past, UP_US);
    const late = judged.outcome === 'recovered' && (!writable || upMs > WRITABLE_US / 1000);
    const outcome = late ? 'waits' : judged.outcome;
    const cause = expected === 'recovered' ? '' : `: ${why.replaceAll(/\d+/g, '#')}`;
    return {
      expected, outcome, kind: `must be ${expected}, is ${outcome}${cause}`, upMs,
      why: `${late ? `writable after ${upMs} ms` : judged.why} [${kind}, turn ${turn}] ${expected === 'recovered' ? '' : `${expected}: ${why}`}`,
    };
  }
}

function strikeStripes(node: SimNode, past: Past, stripe: number, turn: number, fault: BlockFault, random: Stream): void {
  const { files } = must(past.members[node.id - 1], 'it is one of them');
  for (const [path, { length }] of files) {
    if (!isStructure(path)) continue;
    for (let offset = 0; offset < length; offset += BLOCK) {
      if ((Math.floor(offset / stripe) + turn) % past.members.length === node.id - 1) spoilBlock(node, { path, offset }, fault, random);
    }
  }
}
