/**
 * Where checks say what they saw. A broken rule shows again and again: of each check only the first
 * few reports are passed on.
 */

import type { Violation } from '../../model/result.js';
import type { World } from '../../world/world.js';

const MAX_EACH = 3;

export class Reporter {
  readonly #world: Pick<World, 'nowUs'>;
  readonly #report: (violation: Violation) => void;
  readonly #said = new Map<string, number>();

  constructor(world: Pick<World, 'nowUs'>, report: (violation: Violation) => void) {
    this.#world = world;
    this.#report = report;
  }

  get nowUs(): number {
    return this.#world.nowUs;
  }

  /** Data lost, wrong or forked. */
  broken(check: string, node: number, message: string): void {
    const said = this.#said.get(check) ?? 0;
    this.#said.set(check, said + 1);
    if (said < MAX_EACH) this.#report({ kind: 'correctness', check, message, atUs: this.#world.nowUs, node });
  }
}
