/**
 * Runs of one built copy, in worker processes of that copy; and a limit on how many there are at a
 * time in all.
 */

import type { SimProfile } from '../../src/sim/model/profile.js';
import type { Violation } from '../../src/sim/model/result.js';
import type { Pool, PoolOptions } from '../../src/cli/sim/pool.js';
import type { BROKEN } from '../../src/cli/sim/run-seed.js';
import { CanaryError, type Canary } from './canary.js';
import { load } from './mutant.js';

export interface Outcome {
  readonly seed: number;
  /** Undefined: the run passed. */
  readonly first: Violation | undefined;
  /**
   * No end within the limit. How busy the machine was has a say in it, so it is no proof of
   * anything.
   */
  readonly late: boolean;
  readonly wallMs: number;
}

export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** In the order in which they were asked for. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/** Of wall-clock time, for one run: on a busy machine too. */
const LIMIT_MS = 300_000;

export class Runs {
  readonly #pool: Pool;
  readonly #slots: Slots;
  readonly #broken: typeof BROKEN;
  readonly #known = new Map<string, Promise<Outcome>>();

  private constructor(pool: Pool, slots: Slots, broken: typeof BROKEN) {
    this.#pool = pool;
    this.#slots = slots;
    this.#broken = broken;
  }

  static async of(dist: string, slots: Slots, workers: number): Promise<Runs> {
    const { Pool: Workers } = await load<{ Pool: new (options: PoolOptions) => Pool }>(dist, 'cli/sim/pool.js');
    const { BROKEN: broken } = await load<{ BROKEN: typeof BROKEN }>(dist, 'cli/sim/run-seed.js');
    return new Runs(new Workers({ workers, limitMs: LIMIT_MS, module: undefined }), slots, broken);
  }

  /**
   * A run that may have been made before: many canaries show at the same seeds, each of which must
   * pass without them.
   */
  once(seed: number, profile: SimProfile): Promise<Outcome> {
    const key = `${seed} ${profile}`;
    let known = this.#known.get(key);
    if (known === undefined) this.#known.set(key, (known = this.run(seed, profile)));
    return known;
  }

  /** Rejects with CanaryError if the run says nothing about the store. */
  async run(seed: number, profile: SimProfile): Promise<Outcome> {
    const { result, wallMs } = await this.#slots.use(() => this.#pool.run({ seed, profile }));
    const [first] = result.violations;
    if (!result.passed && first === undefined) throw new CanaryError(`seed ${seed} failed and does not say why`);
    const { simulator, death, limit } = this.#broken;
    if (first?.check === limit) return { seed, first, late: true, wallMs };
    if (first?.check.startsWith(simulator) === true || first?.check.startsWith(death) === true) {
      throw new CanaryError(`seed ${seed} broke the simulator: ${first.check}: ${first.message}`);
    }
    return { seed, first, late: false, wallMs };
  }

  close(): void {
    this.#pool.close();
  }
}

/** Whether this is what the canary was to be found by. */
export function finds(canary: Canary, { first, late }: Outcome): boolean {
  return first !== undefined && !late && (canary.expectedChecks?.includes(first.check) ?? true);
}
