/** Results of a campaign of simulated cases, kept by the program that was run (`version.ts`). */

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { CaseResult } from '../../../src/sim/campaigns/case-result.js';
import { programVersion } from './version.js';

export const DIR = '.data/faults';

export class Results {
  readonly version: string;
  readonly #path: string;
  readonly #known: Map<number, CaseResult>;

  constructor(campaign: string, program: Uint8Array, anew: boolean) {
    this.version = programVersion(program);
    this.#path = `${DIR}/${campaign}-${this.version}.json`;
    if (anew) rmSync(this.#path, { force: true });
    this.#known = new Map(read(this.#path));
  }

  get(number: number): CaseResult | undefined {
    return this.#known.get(number);
  }

  set(number: number, result: CaseResult): void {
    this.#known.set(number, result);
  }

  save(): void {
    mkdirSync(DIR, { recursive: true });
    writeFileSync(`${this.#path}.tmp`, JSON.stringify([...this.#known]));
    renameSync(`${this.#path}.tmp`, this.#path);
  }
}

function read(path: string): [number, CaseResult][] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as [number, CaseResult][];
  } catch {
    return [];
  }
}
