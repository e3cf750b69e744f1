/**
 * What is known of each canary: committed, so that a hunt can go on where another stopped and every
 * find can be shown again.
 */

import { readFileSync, renameSync, writeFileSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Canary } from './canary.js';

export interface Known {
  readonly name: string;
  /** All seeds from 1 up to here were tried in the present hunt. */
  readonly seedsTried: number;
  /** The first that showed it; null: none so far. */
  readonly foundAtSeed: number | null;
  readonly check: string | null;
  /** Hunts that came to an end, found or not. */
  readonly hunts: number;
  /**
   * The store and simulator that were used: after a change of either the same seed is another run.
   */
  readonly build: string;
  /** Where the hunts before this one ended; null: nothing found. */
  readonly earlier: readonly (number | null)[];
}

const PATH = fileURLToPath(new URL('./state.json', import.meta.url));
const EARLIER_MAX = 20;

export class State {
  readonly #known = new Map<string, Known>();
  readonly #order: readonly string[];
  readonly #path: string;

  constructor(canaries: readonly Canary[], path = PATH) {
    this.#order = canaries.map(({ name }) => name);
    this.#path = path;
    for (const known of readRows(path)) this.#known.set(known.name, known);
  }

  of(name: string): Known | undefined {
    return this.#known.get(name);
  }

  /** From the first seed, with this build. */
  begin(name: string, build: string): void {
    const last = this.of(name);
    const ended = last !== undefined && last.hunts > 0 ? [last.foundAtSeed] : [];
    const earlier = [...(last?.earlier ?? []), ...ended].slice(-EARLIER_MAX);
    this.#put({ name, seedsTried: 0, foundAtSeed: null, check: null, hunts: last?.hunts ?? 0, build, earlier });
  }

  /** The same seed shows it with another build too. */
  stillFound(name: string, build: string, check: string): void {
    const known = this.of(name);
    if (known !== undefined) this.#put({ ...known, build, check });
  }

  tried(name: string, seedsTried: number): void {
    const known = this.of(name);
    if (known !== undefined && known.seedsTried < seedsTried) this.#put({ ...known, seedsTried });
  }

  /** The hunt is over. */
  ended(name: string, foundAtSeed: number | null, check: string | null): void {
    const known = this.of(name);
    if (known !== undefined) this.#put({ ...known, foundAtSeed, check, hunts: known.hunts + 1 });
  }

  #put(known: Known): void {
    // Several may hunt at a time, each for canaries of its own: what others have written meanwhile
    // stays.
    for (const row of readRows(this.#path)) this.#known.set(row.name, row);
    this.#known.set(known.name, known);
    const rows = this.#order.flatMap((name) => this.#known.get(name) ?? []);
    // Whole or not at all: a hunt may be stopped at any moment.
    const temporary = `${this.#path}.tmp.${process.pid}`;
    writeFileSync(temporary, `[\n${rows.map((row) => `  ${JSON.stringify(row)}`).join(',\n')}\n]\n`);
    renameSync(temporary, this.#path);
  }
}

function readRows(path: string): Known[] {
  if (!existsSync(path)) return [];
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Known[];
  } catch (error) {
    throw new Error(`${path} does not parse; put the committed one back: git checkout ${path}`, { cause: error });
  }
}
