/**
 * Finds a canary from scratch: seeds from the first on, until one fails. The same seed must pass
 * without the canary, or it is a bug of the product that was found, which is said loudly, and the
 * hunt goes on.
 */

import type { Canary } from './canary.js';
import { finds, type Outcome, type Runs } from './runs.js';
import type { State } from './state.js';

export interface HuntTools {
  readonly mutant: Runs;
  readonly sound: Runs;
  readonly state: State;
  /** Seeds at a time. */
  readonly width: number;
  readonly max: number;
  readonly say: (text: string) => void;
}

export interface Hunted {
  readonly canary: Canary;
  readonly found: Outcome | undefined;
  /** Seeds at which the store fails without the canary. */
  readonly productBugs: readonly number[];
}

export async function hunt(canary: Canary, tools: HuntTools): Promise<Hunted> {
  const { sound, state, max, say } = tools;
  const { name, profile } = canary;
  const productBugs: number[] = [];
  for (;;) {
    const from = (state.of(name)?.seedsTried ?? 0) + 1;
    const found = await firstFailing(canary, from, tools);
    if (found === undefined) {
      state.tried(name, max);
      state.ended(name, null, null);
      say(`${name}: NOT FOUND in ${max} seeds`);
      return { canary, found, productBugs };
    }
    const { seed, first } = found;
    state.tried(name, seed);
    const control = await sound.once(seed, profile);
    if (control.first === undefined) {
      state.ended(name, seed, first?.check ?? null);
      say(`${name}: found at seed ${seed} by ${first?.check}: ${first?.message.slice(0, 200)}`);
      return { canary, found, productBugs };
    }
    productBugs.push(seed);
    const { check, message } = control.first;
    say(`PRODUCT BUG: seed ${seed}, profile ${profile} fails without any canary: ${check}: ${message.slice(0, 400)}`);
  }
}

/** The lowest seed from `from` on that fails, whatever order runs end in. */
async function firstFailing(canary: Canary, from: number, { mutant, state, width, max, say }: HuntTools): Promise<Outcome | undefined> {
  const done = new Set<number>();
  let next = from;
  let through = from - 1;
  let best: Outcome | undefined;
  const lane = async (): Promise<void> => {
    for (;;) {
      const seed = next++;
      if (seed > max || (best !== undefined && seed > best.seed)) return;
      const outcome = await mutant.run(seed, canary.profile);
      if (finds(canary, outcome)) {
        if (best === undefined || seed < best.seed) best = outcome;
        continue;
      }
      if (outcome.first !== undefined) say(`${canary.name}: seed ${seed} ended by ${outcome.first.check}, which does not count`);
      done.add(seed);
      while (done.delete(through + 1)) through++;
      if (through % 10 === 0) state.tried(canary.name, through);
      if (through % 100 === 0 && through > 0) say(`${canary.name}: ${through} seeds, nothing yet`);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return best;
}
