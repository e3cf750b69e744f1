/**
 * Outcomes of cases that held, one line each, kept by the program that they were cases of: what was
 * interrupted goes on.
 */

import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { DIR } from './results.js';
import { programVersion } from './version.js';

export interface NamedOutcome {
  readonly name: string;
}

export class Outcomes<T extends NamedOutcome> {
  readonly version = programVersion();
  readonly #path: string;
  readonly #known = new Map<string, T>();

  constructor(campaign: string, anew: boolean) {
    mkdirSync(DIR, { recursive: true });
    this.#path = `${DIR}/${campaign}-${this.version}.jsonl`;
    if (anew) rmSync(this.#path, { force: true });
    const lines = existsSync(this.#path) ? readFileSync(this.#path, 'utf8').split('\n') : [];
    for (const line of lines) {
      const outcome = parsed<T>(line);
      if (outcome !== undefined) this.#known.set(outcome.name, outcome);
    }
  }

  get(name: string): T | undefined {
    return this.#known.get(name);
  }

  /** It held. */
  add(outcome: T): void {
    this.#known.set(outcome.name, outcome);
    appendFileSync(this.#path, `${JSON.stringify(outcome)}\n`);
  }
}

/** Undefined: whoever wrote the line was interrupted. */
function parsed<T>(line: string): T | undefined {
  try {
    return JSON.parse(line) as T;
  } catch {
    return undefined;
  }
}
