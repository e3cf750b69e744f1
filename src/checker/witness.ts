/**
 * The order a store claims. Every answer carries the revision at which it took effect; if replaying
 * the history in that order reproduces every answer, revisions of writes are unique, and the order
 * never contradicts real time, then that order *is* a linearization, found in O(n log n). A failure
 * does not condemn the history by itself: see `check.ts`.
 *
 * A write whose outcome nobody saw takes the revision at which some read saw its (unique) value,
 * and is left out if none did. A delete of unknown outcome leaves no value: it is taken to have
 * happened where a key is seen to be gone, if time and a revision that no other write has allow it,
 * and nowhere else.
 */

import { must } from '../base/assert.js';
import type { Interval } from './model.js';
import type { KeyOp } from './models.js';

export type WitnessFault =
  /** Two writes claim one revision, or an answer has none. */
  | 'revision'
  /** An operation began after another had returned, yet claims an earlier revision. */
  | 'real-time'
  /** An answer is not what the store held at its revision. */
  | 'replay';

export type WitnessResult =
  | { readonly kind: 'passed'; readonly operations: number }
  | { readonly kind: 'failed'; readonly fault: WitnessFault; readonly operation: number; readonly reason: string };

const SKIPPED = -1;

function isWrite(op: KeyOp): boolean {
  return op.kind === 'put' || ((op.kind === 'delete' || op.kind === 'cas') && op.ok);
}

/** True if operation `i` changed the store, as far as anybody knows. */
function changes({ op, ret }: Interval<KeyOp>): boolean {
  return ret === Infinity ? op.kind !== 'get' : isWrite(op);
}

function failed(fault: WitnessFault, operation: number, reason: string): WitnessResult {
  return { kind: 'failed', fault, operation, reason };
}

function describe({ op, call, ret }: Interval<KeyOp>): string {
  const outcome = op.kind === 'get' ? `${op.value ?? 'nothing'} mod ${op.modRevision}` : `${op.value ?? ''} ok=${op.ok}`;
  const when = `[${call.toFixed(3)}, ${ret.toFixed(3)}]`;
  return `client ${op.client} ${op.kind} ${op.key} -> ${outcome} at revision ${op.revision} ${when}`;
}

/** Position -> revision; {@link SKIPPED} for what never showed an effect. */
function assignRevisions(history: readonly Interval<KeyOp>[]): Float64Array {
  const openByValue = new Map<string, number>();
  history.forEach(({ op, ret }, i) => {
    if (ret === Infinity && (op.kind === 'put' || op.kind === 'cas')) openByValue.set(`${op.key}\0${op.value}`, i);
  });
  const revisions = new Float64Array(history.length);
  history.forEach(({ op, ret }, i) => {
    if (ret === Infinity) {
      revisions[i] ||= SKIPPED;
      return;
    }
    revisions[i] = op.revision;
    if (op.kind !== 'get' || op.value === undefined || openByValue.size === 0) return;
    const writer = openByValue.get(`${op.key}\0${op.value}`);
    if (writer !== undefined) revisions[writer] = op.modRevision;
  });
  return revisions;
}

function checkRealTime(history: readonly Interval<KeyOp>[], revisions: Float64Array): WitnessResult | undefined {
  const taken = Array.from(history.keys()).filter((i) => revisions[i] !== SKIPPED && !history[i]?.op.serializable);
  const callAt = Float64Array.from(history, (interval) => interval.call);
  const retAt = Float64Array.from(history, (interval) => interval.ret);
  const byCall = Uint32Array.from(taken).sort((a, b) => (callAt[a] as number) - (callAt[b] as number));
  const byReturn = Uint32Array.from(taken).sort((a, b) => {
    const d = (retAt[a] as number) - (retAt[b] as number);
    return Number.isNaN(d) ? 0 : d;
  });
  let returned = 0;
  let newest = 0;
  let newestBy = -1;
  for (const i of byCall) {
    for (; returned < byReturn.length; returned++) {
      const earlier = byReturn[returned] as number;
      if (!((retAt[earlier] as number) < (callAt[i] as number))) break;
      if ((revisions[earlier] as number) > newest) {
        newest = revisions[earlier] as number;
        newestBy = earlier;
      }
    }
    const interval = must(history[i], 'in range');
    const revision = revisions[i] as number;
    if (changes(interval) ? revision > newest : revision >= newest) continue;
    const other = newestBy < 0 ? 'nothing' : describe(must(history[newestBy], 'in range'));
    return failed('real-time', i, `${describe(interval)} began after ${other} had returned`);
  }
  return undefined;
}

interface Held {
  readonly value: string | undefined;
  readonly modRevision: number;
  /** Nothing removed it up to this revision. */
  seenAt: number;
}

const ABSENT: Held = { value: undefined, modRevision: 0, seenAt: 0 };

/** What is wrong with the answer of `op`, if the store held `held`. */
function contradiction(op: KeyOp, held: Held): string | undefined {
  switch (op.kind) {
    case 'put':
      return undefined;
    case 'get':
      if (op.value === held.value && op.modRevision === held.modRevision) return undefined;
      return `the store held ${held.value ?? 'nothing'} mod ${held.modRevision}`;
    case 'delete':
      return op.ok === (held.value !== undefined) ? undefined : `the store held ${held.value ?? 'nothing'}`;
    case 'cas':
      if (op.ok === (op.expected === held.modRevision) && (op.ok || op.modRevision === held.modRevision)) return undefined;
      return `expected mod ${op.expected}, the store held mod ${held.modRevision}`;
  }
}

/** The answer can only be explained by the absence of the key. */
function saysAbsent(op: KeyOp): boolean {
  switch (op.kind) {
    case 'put': return false;
    case 'get': return op.value === undefined;
    case 'delete': return !op.ok;
    case 'cas': return op.ok ? op.expected === 0 : op.modRevision === 0;
  }
}

interface OpenDelete {
  readonly call: number;
  /** The newest revision that had been answered when it was called: its own is higher. */
  readonly floor: number;
}

/** Deletes of unknown outcome, by key, and the revisions that one of them may have. */
class OpenDeletes {
  readonly #byKey = new Map<string, OpenDelete[]>();
  readonly #used = new Set<number>();

  constructor(history: readonly Interval<KeyOp>[], revisions: Float64Array) {
    const open = history.filter(({ op, ret }) => op.kind === 'delete' && ret === Infinity);
    if (open.length === 0) return;
    const returned = history.filter(({ ret }) => ret !== Infinity).sort((a, b) => a.ret - b.ret);
    let newest = 0;
    let at = 0;
    for (const { op, call } of open.sort((a, b) => a.call - b.call)) {
      for (; at < returned.length && must(returned[at], 'in range').ret < call; at++) {
        newest = Math.max(newest, must(returned[at], 'in range').op.revision);
      }
      const list = this.#byKey.get(op.key);
      if (list === undefined) this.#byKey.set(op.key, [{ call, floor: newest }]);
      else list.push({ call, floor: newest });
    }
    history.forEach((interval, i) => {
      if (changes(interval)) this.#used.add(revisions[i] as number);
    });
  }

  /**
   * True: one of them removed the key after revision `after`, at `until` or before, and is used up.
   */
  explain(key: string, after: number, until: number, ret: number): boolean {
    const list = this.#byKey.get(key) ?? [];
    for (let i = 0; i < list.length; i++) {
      const { call, floor } = must(list[i], 'in range');
      if (call > ret) continue;
      let revision = Math.max(after, floor) + 1;
      while (revision <= until && this.#used.has(revision)) revision++;
      if (revision > until) continue;
      this.#used.add(revision);
      list.splice(i, 1);
      return true;
    }
    return false;
  }
}

function replay(history: readonly Interval<KeyOp>[], revisions: Float64Array): WitnessResult {
  const taken: number[] = [];
  for (let i = 0; i < history.length; i++) if (revisions[i] !== SKIPPED) taken.push(i);
  const reads = Uint8Array.from(history, (interval) => (changes(interval) ? 0 : 1));
  const order = Uint32Array.from(taken).sort(
    (a, b) => (revisions[a] as number) - (revisions[b] as number) || (reads[a] as number) - (reads[b] as number),
  );
  const store = new Map<string, Held>();
  const openDeletes = new OpenDeletes(history, revisions);
  let lastWrite = 0;
  for (const i of order) {
    const interval = must(history[i], 'in range');
    const { op } = interval;
    const revision = revisions[i] as number;
    if (!(revision > 0)) return failed('revision', i, `${describe(interval)} has no revision`);
    const known = interval.ret !== Infinity;
    if (reads[i] === 0 && revision === lastWrite) {
      return failed('revision', i, `${describe(interval)} shares its revision with another write`);
    }
    let held = store.get(op.key) ?? ABSENT;
    let wrong = known ? contradiction(op, held) : undefined;
    if (wrong !== undefined && saysAbsent(op)) {
      // What a write sees is the store before its own revision.
      const until = reads[i] === 1 ? revision : revision - 1;
      if (openDeletes.explain(op.key, Math.max(held.modRevision, held.seenAt), until, interval.ret)) {
        store.delete(op.key);
        held = ABSENT;
        wrong = contradiction(op, held);
      }
    }
    if (wrong !== undefined) return failed('replay', i, `${describe(interval)}: ${wrong}`);
    if (reads[i] === 1) {
      if (held.value !== undefined) held.seenAt = revision;
      continue;
    }
    lastWrite = revision;
    if (op.kind === 'delete') store.delete(op.key);
    else store.set(op.key, { value: op.value, modRevision: revision, seenAt: revision });
  }
  return { kind: 'passed', operations: order.length };
}

/** Holds the whole history, all keys together, to the order of its revisions. */
export function checkWitness(history: readonly Interval<KeyOp>[]): WitnessResult {
  const revisions = assignRevisions(history);
  return checkRealTime(history, revisions) ?? replay(history, revisions);
}
