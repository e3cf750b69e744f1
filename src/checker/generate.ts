/**
 * Histories of a store that behaves, and small damages to them. A checker that never saw a bad
 * history reject proves nothing, so tests run both. The store is atomic: each operation takes
 * effect at one moment between call and return.
 */

import { must } from '../base/assert.js';
import type { Interval } from './model.js';
import type { KeyOp } from './models.js';

export interface GenerateOptions {
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
  /** 0 to 1: how many operations never get an answer. */
  readonly unknown: number;
  /** [0, 1). */
  readonly random: () => number;
}

interface Held {
  readonly value: string;
  readonly modRevision: number;
}

interface Pending {
  readonly client: number;
  readonly kind: KeyOp['kind'];
  readonly key: string;
  readonly call: number;
  readonly expected: number;
}

const KINDS: readonly KeyOp['kind'][] = ['put', 'put', 'put', 'get', 'get', 'get', 'cas', 'delete'];

class GoodStore {
  readonly #held = new Map<string, Held>();
  #revision = 1;
  #values = 0;

  guess(key: string): number {
    return this.#held.get(key)?.modRevision ?? 0;
  }

  /** Takes effect now and says what the client will see. */
  take({ client, kind, key, expected }: Pending): KeyOp {
    const held = this.#held.get(key);
    const mod = held?.modRevision ?? 0;
    const ok = kind === 'delete' ? held !== undefined : kind !== 'cas' || mod === expected;
    const writes = kind === 'put' || (kind === 'cas' && ok);
    const value = kind === 'get' ? held?.value : kind === 'delete' ? undefined : `v${++this.#values}`;
    if (writes || (kind === 'delete' && ok)) this.#revision++;
    if (writes) this.#held.set(key, { value: must(value, 'a write has a value'), modRevision: this.#revision });
    else if (kind === 'delete') this.#held.delete(key);
    const modRevision = kind === 'get' || (kind === 'cas' && !ok) ? mod : 0;
    return { kind, client, key, value, revision: this.#revision, modRevision, expected, ok };
  }
}

/** A linearizable history; equal options and randomness give equal histories. */
export function generateHistory({ operations, clients, keys, unknown, random }: GenerateOptions): Interval<KeyOp>[] {
  const store = new GoodStore();
  const history: Interval<KeyOp>[] = [];
  const idle = Array.from({ length: clients }, (_, client) => client);
  const called: Pending[] = [];
  const effective: { readonly pending: Pending; readonly op: KeyOp }[] = [];
  const takeOut = <T>(list: T[]): T => {
    const at = Math.floor(random() * list.length);
    const taken = must(list[at], 'in range');
    list[at] = must(list.at(-1), 'not empty');
    list.pop();
    return taken;
  };
  let now = 0;
  for (let begun = 0; begun < operations || called.length + effective.length > 0; now++) {
    const dice = random();
    if (idle.length > 0 && begun < operations && dice < 0.34) {
      const key = `k${Math.floor(random() * keys)}`;
      const kind = must(KINDS[Math.floor(random() * KINDS.length)], 'in range');
      const expected = kind !== 'cas' ? 0 : random() < 0.8 ? store.guess(key) : 1;
      called.push({ client: takeOut(idle), kind, key, call: now, expected });
      begun++;
    } else if (called.length > 0 && dice < 0.67) {
      const pending = takeOut(called);
      effective.push({ pending, op: store.take(pending) });
    } else if (effective.length > 0) {
      const { pending, op } = takeOut(effective);
      const lost = random() < unknown;
      if (!lost || op.kind !== 'get') history.push({ op, call: pending.call, ret: lost ? Infinity : now });
      idle.push(pending.client);
    }
  }
  return history;
}

/**
 * Swaps what two reads of one key returned, one after the other, of different values; undefined if
 * there are none.
 */
export function swapReturns(history: readonly Interval<KeyOp>[]): Interval<KeyOp>[] | undefined {
  for (let i = 0; i < history.length; i++) {
    const a = must(history[i], 'in range');
    if (a.op.kind !== 'get' || a.op.value === undefined) continue;
    for (let j = i + 1; j < history.length; j++) {
      const b = must(history[j], 'in range');
      if (b.op.kind !== 'get' || b.op.value === undefined || b.op.key !== a.op.key) continue;
      if (b.op.value === a.op.value || a.ret >= b.call) continue;
      const { value, modRevision, revision } = a.op;
      const out = [...history];
      out[i] = { ...a, op: { ...a.op, value: b.op.value, modRevision: b.op.modRevision, revision: b.op.revision } };
      out[j] = { ...b, op: { ...b.op, value, modRevision, revision } };
      return out;
    }
  }
  return undefined;
}

/** Leaves out a write that some read saw. */
export function dropWrite(history: readonly Interval<KeyOp>[]): Interval<KeyOp>[] | undefined {
  for (const { op } of history) {
    if (op.kind !== 'get' || op.value === undefined) continue;
    const left = history.filter(({ op: o }) => o.kind === 'get' || o.key !== op.key || o.value !== op.value);
    if (left.length === history.length - 1) return left;
  }
  return undefined;
}

/** Makes one read return a value that was overwritten before it was called. */
export function staleRead(history: readonly Interval<KeyOp>[]): Interval<KeyOp>[] | undefined {
  for (let i = 0; i < history.length; i++) {
    const read = must(history[i], 'in range');
    if (read.op.kind !== 'get') continue;
    const puts = history.filter(({ op, ret }) => op.kind === 'put' && op.key === read.op.key && ret < read.call);
    puts.sort((a, b) => a.op.revision - b.op.revision);
    const old = puts.find((put, at) => puts.slice(at + 1).some((later) => put.ret < later.call));
    if (old === undefined || old.op.value === read.op.value) continue;
    const out = [...history];
    out[i] = { ...read, op: { ...read.op, value: old.op.value, modRevision: old.op.revision } };
    return out;
  }
  return undefined;
}
