/**
 * What the benchmark asks, and how it knows that an answer is right. Cases that change which keys
 * exist (put, delete) come after those that count them: see `lib/bench/cases.ts`.
 */

import { METHODS } from './grpc.js';
import type { BenchSpec, RequestSpec } from './protocol.js';
import { RangeCheck } from './range-check.js';
import { KeyList, makeValue, scatteredKey } from './values.js';
import { deleteRequest, Fields, putIfExistsRequest, putRequest, rangeRequest, revisionOf, txnReply } from './wire.js';

const RANGE_KEYS = 100;
const WRITES_OF_MIXED = 0.1;
const TO_THE_END = Buffer.from([0]);

export interface Request {
  readonly path: string;
  readonly body: Buffer;
  /** True if the answer is right. */
  readonly verify: (answer: Buffer) => boolean;
}

/** The preloaded keys, in the order of loading and in that of the store. */
class KeySpace {
  readonly keys: KeyList;
  #sorted: KeyList | undefined;

  constructor(seed: number, count: number) {
    this.keys = new KeyList(Array.from({ length: count }, (_, n) => scatteredKey(seed, n)));
  }

  get sorted(): KeyList {
    this.#sorted ??= new KeyList(Array.from({ length: this.keys.count }, (_, n) => this.keys.key(n)).sort(Buffer.compare));
    return this.#sorted;
  }

  any(): number {
    return Math.floor(Math.random() * this.keys.count);
  }
}

let cached: { readonly name: string; readonly keys: KeySpace } | undefined;

function keySpace(spec: BenchSpec): KeySpace {
  const name = `${spec.seed}/${spec.keys}`;
  if (cached?.name !== name) cached = { name, keys: new KeySpace(spec.seed, spec.keys) };
  return cached.keys;
}

const written = (answer: Buffer): boolean => revisionOf(answer) > 0;

function deletedOf(answer: Buffer): number {
  const fields = new Fields(answer);
  while (fields.next()) {
    if (fields.field === 2) return fields.number();
    fields.skip();
  }
  return 0;
}

/** The requests of one run. */
class Requests {
  readonly #spec: BenchSpec;
  readonly #space: KeySpace;
  readonly #check = new RangeCheck();
  #n = 0;

  constructor(spec: BenchSpec) {
    this.#spec = spec;
    this.#space = keySpace(spec);
  }

  put(key: Buffer, generation = 0): Request {
    return { path: METHODS.put, body: putRequest(key, makeValue(key, generation, this.#spec.valueBytes)), verify: written };
  }

  /** A put of a key that is there already. */
  overwrite(): Request {
    return this.put(this.#space.keys.key(this.#space.any()), ++this.#n);
  }

  fill(): Request | undefined {
    const { keys } = this.#space;
    return this.#n < keys.count ? this.put(keys.key(this.#n++)) : undefined;
  }

  /** As many keys again, none of them there already. */
  more(): Request | undefined {
    return this.#n < this.#spec.keys ? this.putNew() : undefined;
  }

  putNew(): Request {
    const { seed, run, keys } = this.#spec;
    return this.put(scatteredKey(seed + 1 + run, keys + this.#n++));
  }

  get(serializable: boolean): Request {
    const { keys } = this.#space;
    const at = this.#space.any();
    const verify = (answer: Buffer): boolean => this.#check.holds(answer, keys, at, 1, this.#spec.valueBytes);
    return { path: METHODS.range, body: rangeRequest({ key: keys.key(at), serializable }), verify };
  }

  /** Borders that hold exactly 100 preloaded keys, no limit. */
  range(): Request {
    const { sorted } = this.#space;
    const at = Math.floor(Math.random() * (sorted.count - RANGE_KEYS - 1));
    const verify = (answer: Buffer): boolean => this.#check.holds(answer, sorted, at, RANGE_KEYS, this.#spec.valueBytes);
    const body = rangeRequest({ key: sorted.key(at), rangeEnd: sorted.key(at + RANGE_KEYS) });
    return { path: METHODS.range, body, verify };
  }

  /** From a key to the end of the store, 100 keys of it; the answer's count is that of all. */
  rangeLimit(): Request {
    const { sorted } = this.#space;
    const at = Math.floor(Math.random() * (sorted.count - RANGE_KEYS - 1));
    const verify = (answer: Buffer): boolean =>
      this.#check.holds(answer, sorted, at, RANGE_KEYS, this.#spec.valueBytes) && this.#check.more &&
      this.#check.count === sorted.count - at;
    const body = rangeRequest({ key: sorted.key(at), rangeEnd: TO_THE_END, limit: RANGE_KEYS });
    return { path: METHODS.range, body, verify };
  }

  cas(): Request {
    const key = this.#space.keys.key(this.#space.any());
    const body = putIfExistsRequest(key, makeValue(key, ++this.#n, this.#spec.valueBytes));
    return { path: METHODS.txn, body, verify: (answer) => txnReply(answer).succeeded };
  }

  /** Each preloaded key once; undefined when all are gone. */
  delete(): Request | undefined {
    const { keys } = this.#space;
    if (this.#n === keys.count) return undefined;
    return { path: METHODS.deleteRange, body: deleteRequest(keys.key(this.#n++)), verify: (answer) => deletedOf(answer) === 1 };
  }
}

/** Requests of one kind: endless, but for fills and for deletes, which end with the keys. */
export function requests(spec: RequestSpec): () => Request | undefined {
  const make = new Requests(spec);
  switch (spec.kind) {
    case 'fill':
      return () => make.fill();
    case 'more':
      return () => make.more();
    case 'put':
      return () => make.putNew();
    case 'get':
    case 'sget': {
      const serializable = spec.kind === 'sget';
      return () => make.get(serializable);
    }
    case 'range':
      return () => make.range();
    case 'rangelim':
      return () => make.rangeLimit();
    case 'mixed':
      return () => (Math.random() < WRITES_OF_MIXED ? make.overwrite() : make.get(false));
    case 'cas':
      return () => make.cas();
    case 'delete':
      return () => make.delete();
  }
}
