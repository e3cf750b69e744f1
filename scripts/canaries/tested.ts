/**
 * Runs the test that must kill a mutant, on a copy of the sources with its edits, in
 * .data/canaries/<process id>/<name>/. What else a test reads from the directory it runs in is
 * linked.
 */

import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CanaryError, edited, filesOf, type Mutant, type NamedTest } from './canary.js';
import { copyDir, ROOT, sourceOf } from './mutant.js';

export interface Tested {
  /** Tests with that title. */
  readonly ran: number;
  readonly failed: number;
  /** The first line of what the first failure says. */
  readonly why: string;
  readonly wallMs: number;
}

interface MochaReport {
  readonly stats: { readonly passes: number; readonly failures: number };
  readonly failures: readonly { readonly err: { readonly message?: string } }[];
}

const MOCHA = join(ROOT, 'node_modules', 'mocha', 'bin', 'mocha.js');
const LINKED = ['package.json', 'tsconfig.json', 'tsconfig.build.json', '.mocharc.json', 'scripts', 'proto', 'INVARIANTS.md'];
/** Of wall-clock time, on a busy machine too. A mutant that hangs its test is killed by it. */
const LIMIT_MS = 240_000;

/** Throws CanaryError if an edit does not fit. */
export function makeSources(mutant: Mutant): string {
  const dir = copyDir(mutant.name);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  cpSync(join(ROOT, 'src'), join(dir, 'src'), { recursive: true });
  for (const name of LINKED) if (existsSync(join(ROOT, name))) symlinkSync(join(ROOT, name), join(dir, name));
  for (const file of filesOf(mutant)) writeFileSync(join(dir, 'src', file), edited(mutant, file, sourceOf(file)));
  return dir;
}

/** In the sources that lie in `dir`. Rejects with CanaryError if no test has that title. */
export async function runTest({ file, title }: NamedTest, dir: string): Promise<Tested> {
  const began = Date.now();
  const args = [MOCHA, '--reporter', 'json', '--fgrep', title, join('src', file)];
  const out = await new Promise<{ readonly text: string; readonly hung: boolean }>((resolve) => {
    execFile(process.execPath, args, { cwd: dir, maxBuffer: 64 << 20, timeout: LIMIT_MS }, (error, text) => {
      resolve({ text, hung: error?.killed === true });
    });
  });
  const wallMs = Date.now() - began;
  if (out.hung) return { ran: 1, failed: 1, why: 'no end', wallMs };
  const report = parse(out.text);
  if (report === undefined) throw new CanaryError(`src/${file} did not run: ${out.text.slice(-300)}`);
  const { passes, failures } = report.stats;
  if (passes + failures === 0) throw new CanaryError(`src/${file} has no test "${title}"`);
  return { ran: passes + failures, failed: failures, why: (report.failures[0]?.err.message ?? '').split('\n')[0] ?? '', wallMs };
}

/** What tests print comes before the report. */
function parse(text: string): MochaReport | undefined {
  const at = text.indexOf('{\n  "stats"');
  if (at < 0) return undefined;
  try {
    return JSON.parse(text.slice(at)) as MochaReport;
  } catch {
    return undefined;
  }
}
