/**
 * Asks {@link pickLeveled} only when the answer may be another one: as long as tables, pending
 * plans, settings and the GC revision are what they were when nothing was due, nothing is. A leader
 * asks after each batch of entries, and few of them change the tree.
 */

import { pickLeveled, type PickerInput, type PlanChoice } from './leveled.js';

const NONE: PlanChoice = { kind: 'none' };

export class Picker {
  /** Nothing was due for this, and no table was blocked: another one in its way changes nothing. */
  #idle: PickerInput | undefined;

  pick(input: PickerInput): PlanChoice {
    if (this.#idle !== undefined && sameQuestion(this.#idle, input)) return NONE;
    let met = false;
    const has = (table: number): boolean => {
      const blocked = input.blocked.has(table);
      met ||= blocked;
      return blocked;
    };
    const choice = pickLeveled({ ...input, blocked: { has } });
    this.#idle = choice.kind === 'none' && !met ? input : undefined;
    return choice;
  }
}

function sameQuestion(a: PickerInput, b: PickerInput): boolean {
  const sameVersion = a.manifest.levels === b.manifest.levels && a.manifest.plans === b.manifest.plans;
  return sameVersion && a.settings === b.settings && a.gcRevision === b.gcRevision;
}
