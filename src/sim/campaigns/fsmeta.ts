/**
 * The files of one or two of three members are missing, cut short, extended, cannot be opened, or
 * have changed names. No byte of the others is touched: what was acknowledged is there, and only a
 * majority that lost what it promised, or where its logs ended, may keep a cluster from going on.
 */

import { must } from '../../base/assert.js';
import type { Pump } from '../world/world.js';
import type { CaseResult } from './case-result.js';
import { Copies } from './copies.js';
import { strikeFile } from './file-faults.js';
import { PastShelf, type PastKind } from './pasts.js';
import { SECOND_US, Trial } from './trial.js';
import { limps, recovers } from './verdict.js';

export const FSMETA_CASES = 1_000;
/** What may wait in vain: no published store does with less than 434. */
export const FSMETA_WAITS = 20;

const CASES_PER_PAST = 20;
const UP_US = 90 * SECOND_US;

export class FileSystemFaults {
  readonly #pump: Pump;
  readonly #pasts: PastShelf;

  constructor(pump: Pump) {
    this.#pump = pump;
    this.#pasts = new PastShelf(pump);
  }

  async run(number: number): Promise<CaseResult> {
    const shelf = Math.floor(number / CASES_PER_PAST);
    const kind = (['even', 'even', 'snapshot', 'lagging'] as const satisfies readonly PastKind[])[shelf % 4] as PastKind;
    const past = await this.#pasts.get(kind, 1_000 + shelf);
    const trial = new Trial({ seed: 1 + number, settings: past.settings, pump: this.#pump });
    trial.restore(past.members.map(({ image }) => image));
    const random = trial.world.stream('damage');
    const struck = random.shuffled(trial.nodes).slice(0, random.between(1, 2));
    const what: string[] = [];
    for (const node of struck) {
      for (let n = random.between(1, 2); n > 0; n--) {
        what.push(`node ${node.id}: ${strikeFile(node, must(past.members[node.id - 1], 'it is one of them'), random)}`);
      }
    }
    const { expected, why } = new Copies(past, trial.nodes).expectation();
    trial.startAll();
    const first = await recovers(trial, past, UP_US);
    const judged = first.outcome === 'waits' ? await limps(trial, past, first.why) : first;
    const upMs = Math.round(trial.world.nowUs / 1000);
    const came = `${expected} ${judged.outcome}${judged.outcome === 'waits' && (await isWritable(trial)) ? ', a majority writes' : ''}`;
    return { expected, outcome: judged.outcome, why: `${judged.why} [${what.join('; ')}] ${why}`, kind: came, upMs };
  }
}

/** Not all of it is up, and it goes on all the same. */
async function isWritable(trial: Trial): Promise<boolean> {
  const leader = trial.leader();
  return leader !== undefined && 'value' in (await trial.put(leader, 'in the end', 'in the end'));
}
