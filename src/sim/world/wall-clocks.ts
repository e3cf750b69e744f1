/**
 * The clocks on the walls of the machines, and how they jump: a function of the time of the run,
 * and no event of it. So a run whose clocks jump is, event by event, the run whose clocks do not:
 * unless something hangs on what they show.
 */

interface Jump {
  readonly atUs: number;
  readonly byMs: number;
}

export class WallClocks {
  readonly #jumps = new Map<number, Jump[]>();

  /** From `atUs` on the clock of that machine shows so much more, or less. */
  jump(machine: number, atUs: number, byMs: number): void {
    this.#jumps.set(machine, [...(this.#jumps.get(machine) ?? []), { atUs, byMs }]);
  }

  /** How much more it shows than it should. Milliseconds. */
  offsetMs(machine: number, nowUs: number): number {
    let sum = 0;
    for (const { atUs, byMs } of this.#jumps.get(machine) ?? []) if (atUs <= nowUs) sum += byMs;
    return sum;
  }
}
