/**
 * What really happened, revision by revision, from what the writers have asked for: each write
 * begins with a put of its own marker, so the order of the markers alone says what every revision
 * must hold. Told by one watcher of everything, held against what writers were answered, and at the
 * end against the keys that are there.
 */

export type Change =
  | { readonly kind: 'put'; readonly key: string; readonly pad: number }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'delete-prefix'; readonly prefix: string };

/** One transaction of a writer. Its first change puts the writer's marker. */
export interface Write {
  readonly id: string;
  readonly changes: readonly Change[];
  /** Undefined: nobody knows whether it was carried out. */
  revision: number | undefined;
}

/** As a store must give it; the value is that of the write with this id. */
export interface State {
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly id: string;
  readonly pad: number;
}

export interface Expected {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly state: State | undefined;
  readonly before: State | undefined;
}

export interface SeenKv {
  readonly key: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly value: Uint8Array;
  readonly lease: string;
}

export interface SeenEvent {
  readonly type: 'put' | 'delete';
  readonly kv: SeenKv;
  readonly prevKv: SeenKv | undefined;
}

const MAX_PAD = 64 * 1024;
const PAD = Buffer.alloc(MAX_PAD, 'x');
/** That of an empty store. */
const FIRST = 1;

export function valueOf(id: string, pad: number): Buffer {
  return Buffer.concat([Buffer.from(`${id} `), PAD.subarray(0, pad)]);
}

function isValue(value: Uint8Array, { id, pad }: State): boolean {
  const head = Buffer.from(`${id} `);
  if (value.length !== head.length + pad) return false;
  return head.equals(value.subarray(0, head.length)) && PAD.subarray(0, pad).equals(value.subarray(head.length));
}

/** Undefined: it is so. */
export function differenceOf(seen: SeenKv | undefined, key: string, wanted: State | undefined): string | undefined {
  if (seen === undefined) return wanted && `nothing at ${key}`;
  if (wanted === undefined) return `something at ${key}`;
  const { createRevision, modRevision, version } = wanted;
  if (seen.key !== key) return `${seen.key} instead of ${key}`;
  if (!isValue(seen.value, wanted)) return `another value of ${key} than ${wanted.id}'s`;
  const numbers = [seen.createRevision, seen.modRevision, seen.version, seen.lease].join(' ');
  const right = [createRevision, modRevision, version, '0'].join(' ');
  return numbers === right ? undefined : `${key} with create, mod, version, lease ${numbers} instead of ${right}`;
}

export class History {
  readonly #writes = new Map<string, Write>();
  readonly #revisions: (readonly Expected[])[] = [];
  readonly #carriedOut = new Map<string, number>();
  readonly #state = new Map<string, State>();
  readonly faults: string[] = [];
  /** At which somebody has asked for compaction. */
  readonly compactions = new Set<number>();
  #deletes = 0;

  /** Before it is sent. */
  willWrite(write: Write): void {
    this.#writes.set(write.id, write);
  }

  /** The last revision that is known whole. */
  get last(): number {
    return FIRST + this.#revisions.length;
  }

  get deletes(): number {
    return this.#deletes;
  }

  /** All changes of a revision up to `last`, in order. */
  at(revision: number): readonly Expected[] {
    if (revision <= FIRST) return [];
    const found = this.#revisions[revision - FIRST - 1];
    if (found === undefined) throw new RangeError(`revision ${revision} is not known yet`);
    return found;
  }

  /** The keys that are there as of `last`, in order. */
  get keys(): ReadonlyMap<string, State> {
    return new Map([...this.#state].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** The next revision, whose first event put the marker with this value. */
  append(revision: number, marker: string): void {
    const id = marker.split(' ', 1)[0] ?? '';
    const write = this.#writes.get(id);
    const again = this.#carriedOut.get(id);
    if (revision !== this.last + 1) this.faults.push(`after revision ${this.last} the next that is told is ${revision}`);
    if (again !== undefined) this.faults.push(`write ${id} was carried out twice, at ${again} and ${revision}`);
    if (write === undefined) this.faults.push(`revision ${revision} is of nobody's write ${id}`);
    if (write?.revision !== undefined && write.revision !== revision) {
      this.faults.push(`${id} was acknowledged at ${write.revision} and told at ${revision}`);
    }
    this.#carriedOut.set(id, revision);
    this.#revisions.push((write?.changes ?? []).flatMap((change) => this.#apply(change, id, revision)));
  }

  #apply(change: Change, id: string, revision: number): Expected[] {
    if (change.kind === 'put') {
      const { key, pad } = change;
      const before = this.#state.get(key);
      const { createRevision, version } = before ?? { createRevision: revision, version: 0 };
      const state = { createRevision, modRevision: revision, version: version + 1, id, pad };
      this.#state.set(key, state);
      return [{ type: 'put', key, state, before }];
    }
    const below = (prefix: string): string[] => [...this.#state.keys()].filter((key) => key.startsWith(prefix)).sort();
    const keys = change.kind === 'delete' ? [change.key] : below(change.prefix);
    return keys.flatMap((key) => {
      const before = this.#state.get(key);
      if (!this.#state.delete(key)) return [];
      this.#deletes++;
      return [{ type: 'delete', key, state: undefined, before }];
    });
  }

  /** Every write that was acknowledged is in it. Once all is told. */
  checkWrites(): void {
    for (const { id, revision } of this.#writes.values()) {
      if (revision !== undefined && !this.#carriedOut.has(id)) this.faults.push(`write ${id}, acknowledged at ${revision}, was never told`);
    }
  }

  get counts(): { readonly acknowledged: number; readonly unknown: number; readonly told: number } {
    const all = [...this.#writes.values()];
    const acknowledged = all.filter(({ revision }) => revision !== undefined).length;
    return { acknowledged, unknown: all.length - acknowledged, told: this.#carriedOut.size };
  }
}
