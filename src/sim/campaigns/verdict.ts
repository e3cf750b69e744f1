/**
 * What became of a cluster whose disks were damaged, by what its members answer. Nothing that was
 * acknowledged may be missing from a linearizable read, no value may be one that nobody wrote, and
 * all members say the same.
 */

import type { SimNode } from '../cluster/sim-node.js';
import type { Written } from './past.js';
import { SECOND_US, type Trial } from './trial.js';

/**
 *   recovered   all that was acknowledged is there, and more is written
 *   waits       nothing is written, and nothing is served as if it had never been
 *   lost        something that was acknowledged is missing
 *   wrong       an answer that cannot be, or a member that did what none may do
 */
export type Outcome = 'recovered' | 'waits' | 'lost' | 'wrong';

export interface Judged {
  readonly outcome: Outcome;
  readonly why: string;
}

const PROBES = 3;
const RETRY_US = 2 * SECOND_US;

/** Those that have not stopped for good are up, and one of them leads. */
export function isUp(trial: Trial): boolean {
  return trial.leader() !== undefined && trial.nodes.every(({ state }) => state === 'up' || state === 'fenced');
}

/**
 * Waits so long for the cluster to be up, then writes and reads through every member that is.
 * `among`: members that are expected up; the others were taken down. Undefined: not up by then.
 */
export async function recovers(trial: Trial, past: Written, withinUs: number, ready = (): boolean => isUp(trial)): Promise<Judged> {
  if (!(await trial.until(ready, withinUs))) return broken(trial) ?? { outcome: 'waits', why: `not up: ${describe(trial)}` };
  for (const node of trial.up) {
    const key = `probe ${node.id} at ${trial.world.nowUs}`;
    if (!(await insists(trial, async () => trial.put(node, key, key)))) return broken(trial) ?? { outcome: 'waits', why: `node ${node.id} takes no write` };
  }
  let first: ReadonlyMap<string, string> | undefined;
  for (const node of trial.up) {
    const all = await insists(trial, () => trial.all(node, false));
    if (!all) return broken(trial) ?? { outcome: 'waits', why: `node ${node.id} answers no read` };
    const judged = judge(all, new Map([...past.acked, ...trial.acked]), new Map([...past.unknown, ...trial.unknown]));
    if (judged !== undefined) return { ...judged, why: `node ${node.id}: ${judged.why}` };
    first ??= all;
    if (!isSame(first, all)) return { outcome: 'wrong', why: `node ${node.id} says otherwise than node ${trial.up[0]?.id}` };
  }
  return broken(trial) ?? { outcome: 'recovered', why: '' };
}

/** Nobody writes, nobody serves a linearizable read; what is served is what once was. */
export async function waits(trial: Trial, past: Written): Promise<Judged> {
  for (const node of trial.nodes) {
    const read = await trial.all(node, false);
    if ('value' in read) return { outcome: 'lost', why: `node ${node.id} serves a linearizable read` };
    const written = await trial.put(node, 'too early', 'x');
    if ('value' in written) return { outcome: 'lost', why: `node ${node.id} acknowledges a write` };
    const before = await trial.all(node, true);
    if (!('value' in before)) continue;
    for (const [key, value] of before.value) {
      if ((past.acked.get(key) ?? past.unknown.get(key) ?? trial.unknown.get(key)) !== value) return { outcome: 'wrong', why: `node ${node.id} serves ${key}` };
    }
  }
  return broken(trial) ?? { outcome: 'waits', why: describe(trial) };
}

/**
 * It is not up as a whole, and may serve what it can: whatever it serves as linearizable has all
 * that was acknowledged.
 */
export async function limps(trial: Trial, past: Written, why: string): Promise<Judged> {
  for (const node of trial.up) {
    const all = await trial.all(node, false);
    if (!('value' in all)) continue;
    const judged = judge(all.value, new Map([...past.acked, ...trial.acked]), new Map([...past.unknown, ...trial.unknown]));
    if (judged !== undefined) return { ...judged, why: `node ${node.id}: ${judged.why}` };
  }
  return broken(trial) ?? { outcome: 'waits', why };
}

async function insists<T>(trial: Trial, ask: () => Promise<{ readonly value: T } | { readonly refused: string }>): Promise<T | undefined> {
  for (let i = 0; i < PROBES; i++) {
    const answer = await ask();
    if ('value' in answer) return answer.value;
    await trial.pass(RETRY_US);
  }
  return undefined;
}

type Values = ReadonlyMap<string, string>;

function judge(all: Values, written: Values, unknown: Values): Judged | undefined {
  for (const [key, value] of written) {
    const found = all.get(key);
    if (found === undefined) return { outcome: 'lost', why: `${key} is missing` };
    if (found !== value) return { outcome: 'wrong', why: `${key} is ${found.slice(0, 40)}` };
  }
  for (const [key, value] of all) {
    if (!written.has(key) && unknown.get(key) !== value) return { outcome: 'wrong', why: `nobody wrote ${key}` };
  }
  return undefined;
}

function isSame(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

function broken(trial: Trial): Judged | undefined {
  return trial.violations.length === 0 ? undefined : { outcome: 'wrong', why: trial.violations[0] as string };
}

function describe(trial: Trial): string {
  const one = ({ id, state }: SimNode): string => {
    const stop = trial.stops.findLast(({ node }) => node === id);
    const warned = state === 'up' ? undefined : trial.warnings.get(id);
    return `node ${id} ${state}${stop === undefined ? '' : ` after ${stop.code}`}${warned === undefined ? '' : ` (${warned})`}`;
  };
  return trial.nodes.map(one).join(', ');
}
