/**
 * What etcd's semantics say that an operation answers, written once more from their description and
 * not from the code that is judged: keys are texts, each with all its versions, nothing is ever
 * compacted. Operations run one after the other; the last ones can be taken back, so that another
 * order can be tried.
 */

import { assert } from '../../../base/assert.js';
import {
  NO_VALUE, type Answer, type CompareOp, type InnerAnswer, type InnerOp, type Kv, type Op, type PutOp, type RangeAnswer, type RangeOp,
  type RevokeAnswer, type RevokeOp, type TxnAnswer, type TxnOp, type DeleteOp,
} from '../history/operation.js';

/** `version` 0: deleted. */
type Version = Kv;

export interface Change {
  /** `version` 0: it was deleted. */
  readonly now: Kv;
  readonly before: Kv | undefined;
}

export class ReferenceStore {
  /** Sorted. */
  readonly #keys: readonly string[];
  readonly #position = new Map<string, number>();
  /** By key, oldest first. */
  readonly #versions: Version[][];
  /** Positions of the keys that were changed, in order. */
  readonly #journal: number[] = [];
  /** Length of the journal before each revision. */
  readonly #journalAt: number[] = [0, 0];
  #revision = 1;
  #changed = false;

  /** `keys`: all that any operation may put. */
  constructor(keys: Iterable<string>) {
    this.#keys = [...new Set(keys)].sort((a, b) => (a < b ? -1 : 1));
    this.#versions = this.#keys.map((key, i) => {
      this.#position.set(key, i);
      return [];
    });
  }

  get revision(): number {
    return this.#revision;
  }

  /**
   * The answer of `op`, which takes effect now; undefined if it reads at a revision that is not
   * there yet: then it changes nothing.
   */
  apply(op: Op): Answer | undefined {
    if (op.kind === 'compact') return { kind: 'compact', revision: this.#revision };
    const path: boolean[] = [];
    if (op.kind === 'txn') this.#choose(op, path);
    if (this.#readsAhead(op, [...path])) return undefined;
    this.#changed = false;
    this.#journalAt[this.#revision + 1] = this.#journal.length;
    const answer = op.kind === 'revoke' ? this.#revoke(op) : this.#run(op, path);
    const revision = this.#shown();
    if (this.#changed) this.#revision++;
    return answer.kind === 'txn' || answer.kind === 'revoke' ? { ...answer, revision } : answer;
  }

  /** Takes back everything after `revision`. */
  backTo(revision: number): void {
    if (revision >= this.#revision) return;
    const length = this.#journalAt[revision + 1] as number;
    for (let i = this.#journal.length - 1; i >= length; i--) this.#versions[this.#journal[i] as number]?.pop();
    this.#journal.length = length;
    this.#revision = revision;
  }

  /** The versions that the newest revision made. */
  newestChanges(): readonly Kv[] {
    return this.#journal.slice(this.#journalAt[this.#revision]).map((i) => this.#versions[i]?.at(-1) as Kv);
  }

  /** What a revision changed, in order, each with what was there before. */
  changesAt(revision: number): readonly Change[] {
    if (revision < 2 || revision > this.#revision) return [];
    const end = revision === this.#revision ? this.#journal.length : this.#journalAt[revision + 1];
    return this.#journal.slice(this.#journalAt[revision], end).map((position) => {
      const versions = this.#versions[position] as Version[];
      const at = versions.findIndex(({ mod }) => mod === revision);
      const before = versions[at - 1];
      return { now: versions[at] as Version, before: before === undefined || before.version === 0 ? undefined : before };
    });
  }

  /** Every version of every key, oldest first. */
  get histories(): readonly (readonly Kv[])[] {
    return this.#versions;
  }

  /** What a key holds now, for messages. */
  held(key: string): Kv | undefined {
    const position = this.#position.get(key);
    return position === undefined ? undefined : this.#live(position, 0);
  }

  /** Of the store as an operation within a transaction sees it. */
  #shown(): number {
    return this.#changed ? this.#revision + 1 : this.#revision;
  }

  /** The live version as of `revision`; 0: now. */
  #live(position: number, revision: number): Version | undefined {
    const versions = this.#versions[position] as Version[];
    let i = versions.length - 1;
    if (revision > 0) while (i >= 0 && (versions[i] as Version).mod > revision) i--;
    const found = versions[i];
    return found === undefined || found.version === 0 ? undefined : found;
  }

  /** Positions [from, to) of the keys in a range. */
  #span(key: string, end: string): readonly [number, number] {
    if (end === '') {
      const position = this.#position.get(key);
      return position === undefined ? [0, 0] : [position, position + 1];
    }
    const from = this.#firstAtLeast(key);
    return [from, end === '\0' ? this.#keys.length : Math.max(from, this.#firstAtLeast(end))];
  }

  #firstAtLeast(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // --- Transactions: all compares first, then all checks, then the operations in order ---

  #choose(txn: TxnOp, path: boolean[]): void {
    const yes = txn.compare.every((compare) => this.#holds(compare));
    path.push(yes);
    for (const op of yes ? txn.success : txn.failure) if (op.kind === 'txn') this.#choose(op, path);
  }

  #readsAhead(op: Op, path: boolean[]): boolean {
    if (op.kind === 'range') return op.revision > this.#revision;
    if (op.kind !== 'txn') return false;
    return (path.shift() === true ? op.success : op.failure).some((inner) => this.#readsAhead(inner, path));
  }

  #holds({ key, end, target, result, operand }: CompareOp): boolean {
    const [from, to] = this.#span(key, end);
    let found = 0;
    for (let i = from; i < to; i++) {
      const version = this.#live(i, 0);
      if (version === undefined) continue;
      found++;
      if (!holds(version[target], result, operand)) return false;
    }
    return found > 0 || (target !== 'value' && holds(0, result, operand));
  }

  #run(op: InnerOp, path: boolean[]): InnerAnswer {
    switch (op.kind) {
      case 'range': return this.#range(op);
      case 'put': return this.#put(op);
      case 'delete': return this.#delete(op);
      case 'txn': return this.#txn(op, path);
    }
  }

  #txn(op: TxnOp, path: boolean[]): TxnAnswer {
    const succeeded = path.shift() === true;
    const responses = (succeeded ? op.success : op.failure).map((inner) => this.#run(inner, path));
    return { kind: 'txn', revision: 0, succeeded, responses };
  }

  #put({ key, value, prevKv, lease }: PutOp): InnerAnswer {
    const position = this.#position.get(key);
    assert(position !== undefined, 'the reference store knows every key that is put');
    const old = this.#live(position, 0);
    const mod = this.#revision + 1;
    this.#write(position, { key, value, create: old?.create ?? mod, mod, version: (old?.version ?? 0) + 1, lease });
    return { kind: 'put', revision: mod, prevKv: prevKv ? old : undefined };
  }

  #delete({ key, end, prevKv }: DeleteOp): InnerAnswer {
    const [from, to] = this.#span(key, end);
    const gone: Kv[] = [];
    for (let i = from; i < to; i++) {
      const old = this.#live(i, 0);
      if (old === undefined) continue;
      gone.push(old);
      this.#remove(i);
    }
    return { kind: 'delete', revision: this.#shown(), deleted: gone.length, prevKvs: prevKv ? gone : [] };
  }

  #revoke({ lease }: RevokeOp): RevokeAnswer {
    for (let i = 0; i < this.#keys.length; i++) if (this.#live(i, 0)?.lease === lease) this.#remove(i);
    return { kind: 'revoke', revision: 0 };
  }

  #remove(position: number): void {
    const key = this.#keys[position] as string;
    this.#write(position, { key, value: NO_VALUE, create: 0, mod: this.#revision + 1, version: 0, lease: 0 });
  }

  #write(position: number, version: Version): void {
    this.#changed = true;
    this.#versions[position]?.push(version);
    this.#journal.push(position);
  }

  #range(op: RangeOp): RangeAnswer {
    const [from, to] = this.#span(op.key, op.end);
    let kvs: Kv[] = [];
    let count = 0;
    for (let i = from; i < to; i++) {
      const version = this.#live(i, op.revision);
      if (version === undefined) continue;
      count++;
      if (!op.countOnly && version.mod >= op.minMod) kvs.push(version);
    }
    if (op.order !== 'none') sort(kvs, op.sortBy, op.order === 'descend' ? -1 : 1);
    const more = op.limit > 0 && kvs.length > op.limit;
    if (more) kvs.length = op.limit;
    if (op.keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: NO_VALUE }));
    return { kind: 'range', revision: this.#shown(), kvs, more, count };
  }
}

function holds(held: number, result: CompareOp['result'], operand: number): boolean {
  switch (result) {
    case 'equal': return held === operand;
    case 'not-equal': return held !== operand;
    case 'greater': return held > operand;
    case 'less': return held < operand;
  }
}

/** Keys that tie stay in key order. */
function sort(kvs: Kv[], by: RangeOp['sortBy'], sign: number): void {
  if (by === 'key') kvs.sort((a, b) => (a.key < b.key ? -sign : sign));
  else kvs.sort((a, b) => sign * (a[by] - b[by]));
}
