/**
 * What many runs come to. Of a run that passed only sums and its digest are kept, so that many
 * seeds can be run.
 */

import type { SimProfile } from '../../sim/model/profile.js';
import type { SimOptions, SimResult, Violation } from '../../sim/model/result.js';
import { formatSeconds, plainTable, type Cell } from '../render/table.js';
import { replayCommand } from './replay.js';
import type { SeedRun } from './run-seed.js';
import { tapeTime } from './tape.js';

const SLOWEST = 5;
/** A table of more failures is not read; JSON has them all. */
const SHOWN = 40;

/**
 * What most runs must come through, or they test little: its name in the coverage, and for people.
 */
const REACHED = [
  ['event sealed', 'memtable sealed'], ['event plan', 'compaction'], ['event log-truncated', 'log truncated'],
  ['event snapshot-received', 'snapshot installed'], ['event heal-applied', 'heal'],
] as const;

export interface FailedSeed {
  readonly options: SimOptions;
  readonly violations: readonly Violation[];
}

export class Summary {
  readonly profile: SimProfile;
  readonly coverage = new Map<string, number>();
  readonly failed: FailedSeed[] = [];
  #runs = 0;
  #passed = 0;
  #simSeconds = 0;
  #cpuMs = 0;
  #leastSimSeconds = Infinity;
  #leastOperations = Infinity;
  #operations = { acknowledged: 0, unknown: 0, refused: 0 };
  #faults = { disk: 0, network: 0, process: 0, members: 0 };
  #events = 0;
  /** Seeds in which it happened. */
  readonly #reached = new Map<string, number>();
  #fencedSeeds = 0;
  readonly #fenced = new Map<string, number>();
  readonly #digests = new Map<number, string>();
  #slowest: SeedRun[] = [];

  constructor(profile: SimProfile) {
    this.profile = profile;
  }

  get runs(): number {
    return this.#runs;
  }

  add(run: SeedRun): void {
    const { result } = run;
    this.#runs++;
    if (result.passed) this.#passed++;
    else this.failed.push({ options: run.options, violations: result.violations });
    this.#simSeconds += result.simSeconds;
    this.#cpuMs += run.cpuMs;
    this.#events += result.events;
    const { acknowledged, unknown, refused } = result.operations;
    this.#leastSimSeconds = Math.min(this.#leastSimSeconds, result.simSeconds);
    this.#leastOperations = Math.min(this.#leastOperations, acknowledged + unknown + refused);
    this.#operations = {
      acknowledged: this.#operations.acknowledged + acknowledged,
      unknown: this.#operations.unknown + unknown,
      refused: this.#operations.refused + refused,
    };
    for (const name of ['disk', 'network', 'process', 'members'] as const) this.#faults[name] += result.faults[name];
    if (result.fenced.length > 0) this.#fencedSeeds++;
    for (const { code } of result.fenced) this.#fenced.set(code, (this.#fenced.get(code) ?? 0) + 1);
    for (const [name, n] of Object.entries(result.coverage)) this.coverage.set(name, (this.coverage.get(name) ?? 0) + n);
    for (const [name, what] of REACHED) {
      if ((result.coverage[name] ?? 0) > 0) this.#reached.set(what, (this.#reached.get(what) ?? 0) + 1);
    }
    this.#digests.set(result.seed, result.digest);
    this.#slowest = [...this.#slowest, run].sort((a, b) => b.wallMs - a.wallMs).slice(0, SLOWEST);
  }

  /** For `--json`. */
  toObject(wallMs: number, withDigests: boolean): Record<string, unknown> {
    const round = (n: number, digits: number): number => Number(n.toFixed(digits));
    const mean = (n: number): number => (this.#runs === 0 ? 0 : round(n / this.#runs, 2));
    return {
      profile: this.profile,
      node: process.version,
      seeds: this.#runs,
      passed: this.#passed,
      failed: this.failed.map(({ options, violations }) => ({ seed: options.seed, violations })),
      simHours: round(this.#simSeconds / 3600, 3),
      wallSeconds: round(wallMs / 1000, 3),
      cpuSecondsOfASeed: mean(this.#cpuMs / 1000),
      operations: { ...this.#operations, leastOfASeed: this.#runs === 0 ? 0 : this.#leastOperations },
      faults: {
        disk: mean(this.#faults.disk), network: mean(this.#faults.network), process: mean(this.#faults.process),
        members: mean(this.#faults.members),
      },
      leastSimSeconds: this.#runs === 0 ? 0 : this.#leastSimSeconds,
      events: this.#events,
      reached: Object.fromEntries(this.#reached),
      fenced: {
        seeds: this.#fencedSeeds,
        nodes: [...this.#fenced.values()].reduce((a, b) => a + b, 0),
        byCode: Object.fromEntries([...this.#fenced].sort()),
      },
      slowestSeeds: this.#slowest.map((run) => ({ seed: run.result.seed, wallSeconds: round(run.wallMs / 1000, 3) })),
      ...(withDigests ? { digests: Object.fromEntries([...this.#digests].sort(([a], [b]) => a - b)) } : {}),
    };
  }

  table(wallMs: number): string {
    const n = Math.max(1, this.#runs);
    const { acknowledged, unknown, refused } = this.#operations;
    const fenced = [...this.#fenced].sort().map(([code, times]) => `${code} ${times}`);
    const rows: Cell[][] = [
      ['profile', this.profile],
      ['seeds', `${this.#runs}, ${this.#passed} passed, ${this.failed.length} failed`],
      ['cluster time', `${(this.#simSeconds / 3600).toFixed(1)} h in ${formatSeconds(wallMs)}, ${(this.#cpuMs / n / 1000).toFixed(2)} s of CPU a seed`],
      ['operations', `${acknowledged + unknown + refused}: ${acknowledged} acknowledged, ${unknown} of unknown outcome, ${refused} refused`],
      ['of one seed', `at least ${this.#runs === 0 ? 0 : this.#leastOperations} operations, ${this.#runs === 0 ? 0 : this.#leastSimSeconds.toFixed(0)} s`],
      ['faults of a seed', `${(this.#faults.disk / n).toFixed(1)} disk, ${(this.#faults.network / n).toFixed(1)} network, ${(this.#faults.process / n).toFixed(1)} process, ${(this.#faults.members / n).toFixed(1)} of members`],
      ['seeds with', REACHED.map(([, what]) => `${what} ${this.#reached.get(what) ?? 0}`).join(', ')],
      ['nodes that stopped', fenced.length === 0 ? 'none' : `${fenced.join(', ')}, in ${this.#fencedSeeds} seeds`],
      ['slowest', this.#slowest.map((run) => `${run.result.seed} (${(run.wallMs / 1000).toFixed(1)} s)`).join(', ')],
    ];
    return plainTable(['', ''], rows).split('\n').slice(1).join('\n') + this.failures();
  }

  failures(): string {
    if (this.failed.length === 0) return '';
    const failed = [...this.failed].sort((a, b) => a.options.seed - b.options.seed);
    const lines = failed.slice(0, SHOWN).map(({ options, violations }) => {
      const first = violations[0];
      return `\n  ${replayCommand(options)}\n    ${first === undefined ? 'no reason is given' : violationLine(first)}${violations.length > 1 ? ` (and ${violations.length - 1} more)` : ''}\n`;
    });
    const more = failed.length > SHOWN ? `\n  and ${failed.length - SHOWN} more seeds: ${failed.slice(SHOWN, SHOWN + 100).map((f) => f.options.seed).join(' ')}\n` : '';
    return `\nFailed:\n${lines.join('')}${more}`;
  }
}

export function violationLine(violation: Violation): string {
  const where = violation.node === 0 ? '' : ` on n${violation.node}`;
  return `${violation.kind} at ${tapeTime(violation.atUs).trim()} s${where}: ${violation.check}: ${violation.message}`;
}

/** One run, for people. */
export function runTable(run: SeedRun): string {
  const { result } = run;
  const { acknowledged, unknown, refused } = result.operations;
  const rows: Cell[][] = [
    ['seed', `${result.seed}, profile ${result.profile}`],
    ['cluster', `${result.nodes} nodes, ${result.simSeconds.toFixed(1)} s in ${formatSeconds(run.wallMs)} (${formatSeconds(run.cpuMs)} of CPU), ${result.events} events`],
    ['operations', `${acknowledged} acknowledged, ${unknown} of unknown outcome, ${refused} refused`],
    ['faults', `${result.faults.disk} disk, ${result.faults.network} network, ${result.faults.process} process, ${result.faults.members} of members; ${result.plan.length} planned`],
    ['trace', result.digest === '' ? '-' : result.digest],
  ];
  const fenced = result.fenced.map(({ node, code, excuse }) => `n${node} stopped: ${code}; excused: ${excuse}\n`).join('');
  return plainTable(['', ''], rows).split('\n').slice(1).join('\n') + fenced + verdict(result);
}

function verdict(result: SimResult): string {
  if (result.passed) return 'PASS\n';
  return `FAIL\n${result.violations.map((violation) => `  ${violationLine(violation)}\n`).join('')}`;
}
