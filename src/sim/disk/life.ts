/**
 * One life of a node as its disk sees it: what it calls costs its event loop time or takes effect
 * on the side, and nothing it began outlives it. A life ends from outside, or here, when the power
 * goes between two changes.
 */

import { DiskError } from '../../base/errors.js';
import type { Process } from '../world/world.js';
import type { DiskState } from './disk-state.js';

export class Life {
  readonly state: DiskState;
  readonly process: Process;
  readonly #onPowerOff: () => void;
  #over = false;

  constructor(state: DiskState, process: Process, onPowerOff: () => void) {
    this.state = state;
    this.process = process;
    this.#onPowerOff = onPowerOff;
  }

  get over(): boolean {
    return this.#over || !this.process.alive;
  }

  /** Every later call fails. */
  end(): void {
    this.#over = true;
  }

  /**
   * Throws DiskError IO, marked as `powerOff`, once the life is over: what is left of it in
   * callbacks may run into that.
   */
  check(path: string): void {
    if (this.over) throw new DiskError('IO', 'the power is off', { path, powerOff: true });
  }

  stall(costUs: number): void {
    this.state.world.stall(this.process, costUs);
  }

  /** After each change: it may be the last for which there is power. */
  changed(): void {
    const { state } = this;
    state.changes++;
    if (--state.changesLeft > 0) return;
    state.changesLeft = Infinity;
    this.powerOff();
  }

  powerOff(): void {
    this.end();
    this.process.alive = false;
    this.state.world.schedule(0, this.#onPowerOff);
  }

  /**
   * An operation that takes as long as `begin` says (which may throw to refuse it) and has its
   * effect at its beginning or at its end.
   */
  later<T>(begin: () => number, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const delayUs = begin();
      const { world, random } = this.state;
      if (!random.chance(1, 2)) {
        world.schedule(delayUs, () => settle(effect, resolve, reject), this.process);
        return;
      }
      settle(
        effect,
        (value) => void world.schedule(delayUs, () => resolve(value), this.process),
        (error) => void world.schedule(delayUs, () => reject(error as Error), this.process),
      );
    });
  }
}

export function settle<T>(effect: () => T, resolve: (value: T) => void, reject: (error: unknown) => void): void {
  let value: T;
  try {
    value = effect();
  } catch (error) {
    return reject(error);
  }
  resolve(value);
}
