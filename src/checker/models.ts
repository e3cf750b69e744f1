/**
 * The sequential objects histories are checked against: a register with compare-and-set, a string
 * that is put and appended to, and one key of an etcd store with its mod revision.
 */

import { must } from '../base/assert.js';
import { ILLEGAL, type Model } from './model.js';

export type RegisterOp =
  | { readonly kind: 'read'; readonly value: number | undefined }
  | { readonly kind: 'write'; readonly value: number }
  | { readonly kind: 'cas'; readonly from: number; readonly to: number; readonly ok: boolean };

/** One register of small whole numbers; undefined before the first write. */
export function registerModel(): Model<RegisterOp> {
  const stateOf = (value: number | undefined): number => (value === undefined ? 0 : value + 1);
  return {
    initial: 0,
    step(state, op, known) {
      switch (op.kind) {
        case 'read':
          return !known || stateOf(op.value) === state ? state : ILLEGAL;
        case 'write':
          return stateOf(op.value);
        case 'cas': {
          const matches = state === stateOf(op.from);
          if (known && matches !== op.ok) return ILLEGAL;
          return matches ? stateOf(op.to) : state;
        }
      }
    },
  };
}

export type StringOp = { readonly kind: 'get' | 'put' | 'append'; readonly key: string; readonly value: string };

/** One key of a map of strings; empty before the first write. */
export function stringModel(): Model<StringOp> {
  const ids = new Map<string, number>([['', 0]]);
  const values = [''];
  const intern = (value: string): number => {
    const seen = ids.get(value);
    if (seen !== undefined) return seen;
    ids.set(value, values.length);
    return values.push(value) - 1;
  };
  return {
    initial: 0,
    step(state, op, known) {
      const value = must(values[state], 'state was interned');
      switch (op.kind) {
        case 'get':
          return !known || value === op.value ? state : ILLEGAL;
        case 'put':
          return intern(op.value);
        case 'append':
          return intern(value + op.value);
      }
    },
  };
}

/**
 * One operation on one key of an etcd store, as a client saw it.
 * - put: `value` written, `revision` of the answer.
 * - delete: `ok` when something was removed.
 * - get: `value` and `modRevision` seen (undefined and 0: absent), `revision` of the answer.
 * - cas: if the mod revision is `expected` (0: absent) then put `value`; `ok` says which branch;
 *   when not ok, `modRevision` is what the other branch saw.
 */
export interface KeyOp {
  readonly kind: 'put' | 'get' | 'delete' | 'cas';
  readonly client: number;
  readonly key: string;
  readonly value: string | undefined;
  /** Of the answer's header: the store's revision at which it took effect. 0: not known. */
  readonly revision: number;
  readonly modRevision: number;
  readonly expected: number;
  readonly ok: boolean;
  /**
   * A read that may be stale: left out of the search, held to the state at its revision by the
   * witness pass.
   */
  readonly serializable?: boolean;
}

const REVISION_UNKNOWN = -1;

/** Absent is an undefined value; its revision is then the one of the delete. */
interface KeyState {
  readonly value: string | undefined;
  readonly revision: number;
}

class KeyModel implements Model<KeyOp> {
  readonly initial = 0;
  readonly #ids = new Map<string, number>();
  readonly #states: KeyState[] = [];

  constructor() {
    this.#intern(undefined, 0);
  }

  #intern(value: string | undefined, revision: number): number {
    const name = value === undefined ? `-${revision}` : `${revision}=${value}`;
    const seen = this.#ids.get(name);
    if (seen !== undefined) return seen;
    this.#ids.set(name, this.#states.length);
    return this.#states.push({ value, revision }) - 1;
  }

  step(state: number, op: KeyOp, known: boolean): number {
    const at = must(this.#states[state], 'state was interned');
    switch (op.kind) {
      case 'get':
        return known ? this.#get(state, at, op) : state;
      case 'put':
        return this.#write(at, op.value, known ? op.revision : REVISION_UNKNOWN);
      case 'delete':
        if (known && op.ok !== (at.value !== undefined)) return ILLEGAL;
        if (at.value === undefined) return state;
        return this.#write(at, undefined, known ? op.revision : REVISION_UNKNOWN);
      case 'cas':
        return this.#cas(state, at, op, known);
    }
  }

  #write(at: KeyState, value: string | undefined, revision: number): number {
    if (revision !== REVISION_UNKNOWN && revision !== 0 && revision <= at.revision) return ILLEGAL;
    return this.#intern(value, revision === 0 ? REVISION_UNKNOWN : revision);
  }

  #get(state: number, at: KeyState, op: KeyOp): number {
    if (op.value !== at.value) return ILLEGAL;
    if (op.value === undefined) return state;
    if (at.revision === REVISION_UNKNOWN) return this.#intern(at.value, op.modRevision);
    return at.revision === op.modRevision ? state : ILLEGAL;
  }

  #cas(state: number, at: KeyState, op: KeyOp, known: boolean): number {
    const mod = at.value === undefined ? 0 : at.revision;
    const mayMatch = mod === REVISION_UNKNOWN ? op.expected !== 0 : mod === op.expected;
    if (!known) return mayMatch ? this.#intern(op.value, REVISION_UNKNOWN) : state;
    if (op.ok) return mayMatch ? this.#write(at, op.value, op.revision) : ILLEGAL;
    if (mod === REVISION_UNKNOWN) return op.modRevision === 0 ? ILLEGAL : this.#intern(at.value, op.modRevision);
    return mod === op.modRevision && mod !== op.expected ? state : ILLEGAL;
  }
}

/** One key of an etcd store, absent at first. */
export function keyModel(): Model<KeyOp> {
  return new KeyModel();
}
