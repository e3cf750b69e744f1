/**
 * Time as clients know it: what had been answered when something began. Equal times count as at
 * once.
 */

import type { OpRecord } from '../history/history.js';
import { changed, isSerializable } from '../history/operation.js';
import { revisionOf, type Evidence } from './evidence.js';
import { faultOf, type Fault } from './fault.js';

/** The newest answer before any time. */
export class NewestBefore {
  readonly #times: Float64Array;
  /** Of the answers up to the same position, the one with the highest revision. */
  readonly #newest: OpRecord[] = [];

  constructor(answered: readonly OpRecord[]) {
    const byReturn = [...answered].sort((a, b) => a.retUs - b.retUs);
    this.#times = Float64Array.from(byReturn, ({ retUs }) => retUs);
    let newest: OpRecord | undefined;
    for (const record of byReturn) {
      if (newest === undefined || revisionOf(record) > revisionOf(newest)) newest = record;
      this.#newest.push(newest);
    }
  }

  /** Among those that had returned before `timeUs`. */
  at(timeUs: number): OpRecord | undefined {
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#times[middle] as number) < timeUs) low = middle + 1;
      else high = middle;
    }
    return this.#newest[low - 1];
  }

  revisionAt(timeUs: number): number {
    const newest = this.at(timeUs);
    return newest === undefined ? 1 : revisionOf(newest);
  }
}

/**
 * Answers from what a node has are as old as it likes while the run lasts, and as new as all others
 * at rest.
 */
export function mayBeStale({ op, atRest }: OpRecord): boolean {
  return !atRest && isSerializable(op);
}

/** R4: what begins after an answer shows at least its revision; a write has a higher one. */
export function checkRealTime({ answered, traced }: Evidence, newest: NewestBefore): Fault[] {
  const faults: Fault[] = [];
  const look = (record: OpRecord, revision: number, writes: boolean): void => {
    const before = newest.at(record.callUs);
    if (before === undefined) return;
    const least = revisionOf(before);
    if (writes ? revision > least : revision >= least) return;
    faults.push(faultOf('R4 real time', record, `began at revision ${least} or later, and claims revision ${revision}`, [before]));
  };
  for (const record of answered) {
    if (mayBeStale(record)) continue;
    look(record, revisionOf(record), record.outcome?.kind === 'answered' && changed(record.outcome.answer));
  }
  for (const { record, revision } of traced.values()) look(record, revision, true);
  return faults;
}

/** One life of a node never goes back, whoever asks, and whether or not the others are asked. */
export function checkSessions(answered: readonly OpRecord[]): Fault[] {
  const faults: Fault[] = [];
  for (const [, part] of byLife(answered)) {
    const newest = new NewestBefore(part);
    for (const record of part) {
      const before = newest.at(record.callUs);
      if (before === undefined || revisionOf(record) >= revisionOf(before)) continue;
      const why = `node ${record.node} went back from revision ${revisionOf(before)} to ${revisionOf(record)} within one life`;
      faults.push(faultOf('stale reads never go back', record, why, [before]));
    }
  }
  return faults;
}

export function lifeOf({ node, life }: OpRecord): string {
  return `${node}/${life}`;
}

export function byLife(answered: readonly OpRecord[]): Map<string, OpRecord[]> {
  const lives = new Map<string, OpRecord[]>();
  for (const record of answered) {
    const name = lifeOf(record);
    const part = lives.get(name);
    if (part === undefined) lives.set(name, [record]);
    else part.push(record);
  }
  return lives;
}
