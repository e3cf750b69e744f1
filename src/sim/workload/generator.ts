/**
 * What one client asks next. Only well-formed requests, of every kind that etcd's clients send; how
 * often each kind comes differs from run to run. A client remembers what it saw, as an application
 * would: its compare-and-sets mostly expect the truth.
 */

import type { Stream } from '../world/random.js';
import type { Answer, CompareOp, InnerOp, Op, RangeOp, TxnOp } from './history/operation.js';
import { kvsOf, putsOf } from './history/operation.js';
import type { Values } from './values.js';

const KINDS = [
  'put', 'get', 'serializable-get', 'range', 'serializable-range', 'old-range', 'delete', 'delete-range', 'cas', 'txn', 'nested-txn',
  'read-txn', 'compact',
] as const;
type Kind = (typeof KINDS)[number];

const WEIGHTS: Readonly<Record<Kind, number>> = {
  'put': 34, 'get': 12, 'serializable-get': 6, 'range': 6, 'serializable-range': 3, 'old-range': 4, 'delete': 5, 'delete-range': 2,
  'cas': 9, 'txn': 6, 'nested-txn': 4, 'read-txn': 3, 'compact': 1,
};

/** Shared by the clients of a run. */
export interface Mix {
  readonly kinds: readonly Kind[];
  /** So many of 12 operations go to a few keys. */
  readonly hotIn12: number;
  /** Values of more than a KiB: so many of 24. */
  readonly largeIn24: number;
  readonly compactions: 'all' | 'most' | 'some';
}

export function mixOf(random: Stream): Mix {
  const kinds = KINDS.flatMap((kind): Kind[] => {
    const factor = kind === 'put' ? random.between(2, 4) : random.pick([0, 1, 2, 2, 2, 4]);
    return Array.from({ length: Math.ceil((WEIGHTS[kind] * factor) / 2) }, () => kind);
  });
  return {
    kinds, hotIn12: random.pick([0, 3, 6, 9]), largeIn24: random.pick([0, 1, 2, 5]), compactions: random.pick(['all', 'most', 'some'] as const),
  };
}

const HOT_KEYS = 6;
const GET: RangeOp = {
  kind: 'range', key: '', end: '', limit: 0, revision: 0, order: 'none', sortBy: 'key', serializable: false, keysOnly: false,
  countOnly: false, minMod: 0,
};
export const READ_ALL: RangeOp = { ...GET, key: '\0', end: '\0' };

/** Keys that one path through a transaction writes: none twice. */
interface Taken {
  readonly puts: Set<string>;
  readonly deleted: Set<string>;
}

export interface GeneratorOptions {
  readonly random: Stream;
  readonly mix: Mix;
  /** Sorted. */
  readonly keys: readonly string[];
  readonly values: Values;
}

export class Generator {
  readonly #random: Stream;
  readonly #mix: Mix;
  readonly #keys: readonly string[];
  readonly #values: Values;
  readonly #seen = new Map<string, number>();
  #newest = 1;

  constructor({ random, mix, keys, values }: GeneratorOptions) {
    this.#random = random;
    this.#mix = mix;
    this.#keys = keys;
    this.#values = values;
  }

  next(): { readonly kind: string; readonly op: Op } {
    const kind = this.#random.pick(this.#mix.kinds);
    return { kind, op: this.#make(kind) };
  }

  /** Looks for the traces of a write whose outcome is unknown. */
  probe(write: Op): RangeOp {
    let only: string | undefined;
    let puts = 0;
    putsOf(write, ({ key }) => {
      only = key;
      puts++;
    });
    if (write.kind === 'delete') return { ...GET, key: write.key, end: write.end };
    return puts === 1 && only !== undefined ? { ...GET, key: only } : READ_ALL;
  }

  learn(op: Op, answer: Answer): void {
    if (answer.revision > this.#newest) this.#newest = answer.revision;
    if (op.kind === 'range' && op.end === '' && op.revision === 0 && answer.kind === 'range' && answer.count === 0) this.#seen.delete(op.key);
    kvsOf(answer, ({ key, mod }) => {
      if (mod > (this.#seen.get(key) ?? 0)) this.#seen.set(key, mod);
    });
    if (op.kind === 'put') this.#seen.set(op.key, answer.revision);
    else if (op.kind === 'delete' && op.end === '') this.#seen.delete(op.key);
  }

  #make(kind: Kind): Op {
    const random = this.#random;
    switch (kind) {
      case 'put': return this.#put(this.#key());
      case 'get': return { ...GET, key: this.#key() };
      case 'serializable-get': return { ...GET, key: this.#key(), serializable: true };
      case 'range': return this.#range();
      case 'serializable-range': return { ...this.#range(), serializable: true };
      case 'old-range': return { ...this.#range(), revision: this.#oldRevision(), serializable: random.chance(1, 3) };
      case 'delete': return { kind: 'delete', key: this.#key(), end: '', prevKv: random.chance(1, 2) };
      case 'delete-range': return { kind: 'delete', ...this.#span(4), prevKv: random.chance(1, 2) };
      case 'cas': return this.#cas();
      case 'txn': return this.#txn(1);
      case 'nested-txn': return this.#txn(random.between(2, 3));
      case 'read-txn': return this.#readTxn();
      case 'compact': return { kind: 'compact', revision: this.#compactRevision() };
    }
  }

  #key(): string {
    const count = this.#random.chance(this.#mix.hotIn12, 12) ? Math.min(HOT_KEYS, this.#keys.length) : this.#keys.length;
    return this.#keys[this.#random.below(count)] as string;
  }

  /** A range of up to `most` keys that exist or may. */
  #span(most: number): { key: string; end: string } {
    const from = this.#random.below(this.#keys.length);
    const to = from + this.#random.between(1, most);
    if (this.#random.chance(1, 40)) return { key: this.#keys[from] as string, end: this.#keys[0] as string };
    return { key: this.#keys[from] as string, end: this.#keys[to] ?? '\0' };
  }

  #value(): number {
    const random = this.#random;
    if (random.chance(this.#mix.largeIn24, 24)) return this.#values.next(random.between(1_000, 3_072));
    return this.#values.next(random.chance(1, 2) ? random.between(10, 200) : random.between(200, 900));
  }

  #put(key: string): Extract<Op, { kind: 'put' }> {
    return { kind: 'put', key, value: this.#value(), prevKv: this.#random.chance(1, 4), lease: 0 };
  }

  #range(): RangeOp {
    const random = this.#random;
    const span = random.chance(1, 3) ? { key: '\0', end: '\0' } : this.#span(random.pick([3, 10, 1_000]));
    const sorted = random.chance(1, 3);
    return {
      ...GET, ...span,
      limit: random.chance(1, 3) ? random.between(1, 10) : 0,
      order: sorted ? random.pick(['ascend', 'descend'] as const) : 'none',
      sortBy: sorted ? random.pick(['key', 'version', 'create', 'mod', 'value'] as const) : 'key',
      keysOnly: random.chance(1, 6),
      countOnly: random.chance(1, 6),
      minMod: random.chance(1, 10) ? Math.max(1, this.#newest - random.below(50)) : 0,
    };
  }

  #oldRevision(): number {
    const random = this.#random;
    if (random.chance(1, 12)) return this.#newest + random.between(1, 40);
    return Math.max(1, this.#newest - random.below(random.pick([4, 30, 150])));
  }

  #compactRevision(): number {
    const random = this.#random;
    if (random.chance(1, 10)) return this.#newest + random.between(1, 20);
    const behind = { all: 5, most: 60, some: 300 }[this.#mix.compactions];
    return Math.max(1, this.#newest - random.below(behind));
  }

  #cas(): TxnOp {
    const key = this.#key();
    const operand = this.#seen.get(key) ?? 0;
    return {
      kind: 'txn', compare: [{ key, end: '', target: 'mod', result: 'equal', operand }],
      success: [this.#put(key)], failure: [{ ...GET, key }],
    };
  }

  #compare(): CompareOp {
    const random = this.#random;
    const key = this.#key();
    const mod = this.#seen.get(key) ?? 0;
    switch (random.below(6)) {
      case 0: return { key, end: '', target: 'version', result: random.pick(['greater', 'less'] as const), operand: random.between(0, 8) };
      case 1: return { key, end: '', target: 'create', result: random.pick(['equal', 'not-equal'] as const), operand: 0 };
      case 2: return { key, end: '', target: 'value', result: random.pick(['greater', 'less'] as const), operand: this.#values.newest };
      case 3: return { ...this.#span(4), target: 'mod', result: 'less', operand: this.#newest };
      default: return { key, end: '', target: 'mod', result: random.pick(['equal', 'equal', 'not-equal', 'greater'] as const), operand: mod };
    }
  }

  #txn(depth: number): TxnOp {
    const compare = Array.from({ length: this.#random.below(3) }, () => this.#compare());
    return { kind: 'txn', compare, success: this.#branch(depth, fresh()), failure: this.#branch(depth, fresh()) };
  }

  #branch(depth: number, taken: Taken): InnerOp[] {
    const random = this.#random;
    const out: InnerOp[] = [];
    for (let left = random.between(1, 4); left > 0; left--) {
      const dice = random.below(10);
      if (dice < 5) this.#innerPut(out, taken);
      else if (dice < 6) this.#innerDelete(out, taken);
      else if (dice < 9) out.push(random.chance(1, 2) ? { ...GET, key: this.#key() } : this.#innerRange());
    }
    if (depth > 1) {
      const compare = Array.from({ length: random.below(3) }, () => this.#compare());
      const nested: TxnOp = { kind: 'txn', compare, success: this.#branch(depth - 1, taken), failure: this.#branch(depth - 1, taken) };
      out.splice(random.below(out.length + 1), 0, nested);
    }
    return out;
  }

  #innerRange(): RangeOp {
    return this.#random.chance(1, 12) ? { ...this.#range(), revision: Math.max(1, this.#newest - this.#random.below(6)) } : this.#range();
  }

  #innerPut(out: InnerOp[], taken: Taken): void {
    const key = this.#key();
    if (taken.puts.has(key) || taken.deleted.has(key)) return;
    taken.puts.add(key);
    out.push(this.#put(key));
  }

  #innerDelete(out: InnerOp[], taken: Taken): void {
    const random = this.#random;
    const { key, end } = random.chance(1, 2) ? { key: this.#key(), end: '' } : this.#span(3);
    const from = this.#keys.indexOf(key);
    const to = end === '' ? from + 1 : end === '\0' ? this.#keys.length : this.#keys.indexOf(end);
    // An empty range still counts for its first key.
    const covered = to > from ? this.#keys.slice(from, to) : [key];
    if (covered.some((each) => taken.puts.has(each) || taken.deleted.has(each))) return;
    for (const each of covered) taken.deleted.add(each);
    out.push({ kind: 'delete', key, end, prevKv: random.chance(1, 2) });
  }

  #readTxn(): TxnOp {
    const random = this.#random;
    const serializable = random.chance(1, 3);
    const read = (): InnerOp => ({ ...(random.chance(1, 2) ? { ...GET, key: this.#key() } : this.#range()), serializable });
    const reads = (): InnerOp[] => Array.from({ length: random.between(1, 3) }, read);
    return { kind: 'txn', compare: random.chance(1, 2) ? [this.#compare()] : [], success: reads(), failure: reads() };
  }
}

function fresh(): Taken {
  return { puts: new Set(), deleted: new Set() };
}
