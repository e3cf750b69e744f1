/**
 * The verdict on a history. A run passes when the order that the store claims explains every answer
 * (see `replay.ts`), real time and sessions agree with it, errors about revisions are right, and
 * the search key by key finds nothing against it. Such an order is a proof, so the search is a
 * second opinion that may run out of steps; where there is no such order nothing has passed.
 */

import { searchByKey } from '../../../checker/check.js';
import type { SearchLimits } from '../../../checker/model.js';
import type { OpRecord } from '../history/history.js';
import { gather, type Evidence } from './evidence.js';
import type { Fault } from './fault.js';
import { projectToKeys } from './projection.js';
import { checkRealTime, checkSessions, NewestBefore } from './real-time.js';
import type { ReferenceStore } from './reference-store.js';
import { replay, type Likely } from './replay.js';
import { checkRevisionErrors } from './revision-errors.js';
import { describeRecord, keyName } from '../history/describe.js';

export interface Judgement {
  readonly passed: boolean;
  /** The first is the most telling. */
  readonly faults: readonly Fault[];
  readonly stats: Readonly<Record<string, number>>;
  /** Holds all that happened, in its order; undefined if nothing explains it. */
  readonly model: ReferenceStore | undefined;
}

/** Of one kind: the rest follows from the first. */
const MAX_OF_A_KIND = 4;

/** Of the search, in units of some thousand steps; each key costs two in any case. */
const SEARCH_UNITS = 64;

/** Counted, not timed: the verdict is the same on every machine. */
function limits(keys: number): SearchLimits {
  let now = 0;
  return { timeMs: SEARCH_UNITS + 2 * keys, memo: 300_000, now: () => now++ };
}

/**
 * `likely`: that a write of unknown outcome took a revision of which nobody was told, as far as
 * anything but answers shows. `seen`: see {@link gather}.
 */
export function judge(records: readonly OpRecord[], likely: Likely = () => false, seen: readonly OpRecord[] = []): Judgement {
  const evidence = gather(records, seen);
  const { answered, traced, untraced } = evidence;
  const newest = new NewestBefore(answered);
  const replayed = replay(evidence, newest, likely);
  const faults: Fault[] = [];
  for (const list of [
    evidence.faults, replayed.faults, checkRealTime(evidence, newest), checkSessions(answered),
    checkRevisionErrors(records, answered, newest),
  ]) {
    faults.push(...list.slice(0, MAX_OF_A_KIND));
  }
  const search = secondOpinion(records, evidence);
  if (search.fault !== undefined) faults.push(search.fault);
  const undecided = search.undecided ? 1 : 0;
  return {
    passed: faults.length === 0,
    faults,
    model: replayed.model,
    stats: {
      operations: records.length, answered: answered.length, traced: traced.size, untraced: untraced.length,
      revisions: replayed.revisions, inferred: replayed.inferred, steps: replayed.steps, undecided,
    },
  };
}

function secondOpinion(records: readonly OpRecord[], { keys, leased }: Evidence): { fault: Fault | undefined; undecided: boolean } {
  const { intervals, sources } = projectToKeys(records, { keys: [...keys].sort((a, b) => (a < b ? -1 : 1)), leased });
  const verdict = searchByKey(intervals, limits(keys.size));
  if (verdict.kind !== 'illegal') return { fault: undefined, undecided: verdict.kind === 'unknown' };
  const stuck = verdict.stuck.flatMap((i) => sources[i] ?? []);
  const key = intervals[verdict.stuck[0] ?? -1]?.op.key ?? '';
  const list = stuck.map((record) => `\n  ${describeRecord(record)}`).join('');
  const message = `key ${keyName(key)}: whatever the revisions say, no order of its operations explains one of${list}`;
  return { fault: { check: 'no order of a key', message, atUs: stuck[0]?.retUs ?? 0, node: stuck[0]?.node ?? 0 }, undecided: false };
}
