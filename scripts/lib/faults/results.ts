/**
 * Results of a campaign, kept by what was run: the commit, and the bytes of the program where the
 * tree differs from it. So a campaign goes on where it was interrupted, and never counts what
 * another program did.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { CaseResult } from '../../../src/sim/campaigns/case-result.js';

export const DIR = '.data/faults';

export class Results {
  readonly version: string;
  readonly #path: string;
  readonly #known: Map<number, CaseResult>;

  constructor(campaign: string, program: Uint8Array, anew: boolean) {
    const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
    const commit = git('rev-parse', '--short=12', 'HEAD');
    const clean = git('status', '--porcelain', '--', 'src', 'scripts') === '';
    this.version = clean ? commit : `${commit}+${createHash('sha256').update(program).digest('hex').slice(0, 8)}`;
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
