/**
 * Cases that were run, on disk as they come: an interrupted run goes on with the next. Ours are
 * kept by commit and build, those of an etcd by its version.
 */

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { CaseResult } from './run-case.js';

export class Results {
  readonly #file: string;
  readonly #known: Map<string, CaseResult>;

  constructor(file: string, anew: boolean) {
    this.#file = file;
    const kept = !anew && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as [string, CaseResult][]) : [];
    this.#known = new Map(kept);
  }

  of(scenario: string, seed: number): CaseResult | undefined {
    return this.#known.get(`${scenario} ${seed}`);
  }

  add(scenario: string, seed: number, result: CaseResult): void {
    this.#known.set(`${scenario} ${seed}`, result);
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(`${this.#file}.tmp`, JSON.stringify([...this.#known], null, 1));
    renameSync(`${this.#file}.tmp`, this.#file);
  }
}
