/**
 * `client.stm(fn)`: software transactional memory over the keys, as etcd's own client has it. `fn`
 * reads and writes through its `tx`; what it wrote takes effect at once and as a whole, if what it
 * read still holds; else it is run again, with what is there now. It may run several times, so it
 * must do nothing besides.
 *
 * Isolation:
 *   serializable-snapshot  reads are of one revision; nothing that was read or is written was
 *                          changed since. The default
 *   serializable           reads are of one revision; nothing that was read was changed since
 *   repeatable-reads       a key gives the same each time, but two keys may be of two revisions
 *                          until it commits; nothing that was read was changed since
 *   read-committed         nothing is compared: the last one to write wins
 */

import type { Compare, KeyValue, RequestOp } from '../api/requests.js';
import { ETCD_MESSAGES } from '../api/etcd-error.js';
import type { CallOptions } from './caller.js';
import type { KvClient } from './kv-client.js';
import { modRevision } from './conditions.js';
import { badArgument, ClientError, ConflictError } from './errors.js';
import { op } from './operations.js';
import { pauseAfterConflict } from './pause.js';
import { bytesOf, type Bytes } from './requests.js';
import { checkRetries, DEFAULT_RETRIES } from './update.js';

export type Isolation = 'serializable-snapshot' | 'serializable' | 'repeatable-reads' | 'read-committed';

export interface StmOptions extends CallOptions {
  readonly isolation?: Isolation;
  /** How often it is run again after a conflict. Default 16. */
  readonly retries?: number;
}

interface Write {
  readonly key: Uint8Array;
  /** Undefined: deleted. */
  readonly value: Uint8Array | undefined;
  readonly lease: bigint;
}

/** What a failed attempt learnt: all of one revision. */
interface Snapshot {
  readonly revision: number;
  readonly kvs: ReadonlyMap<string, KeyValue | undefined>;
}

const nameOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');

/** One attempt. It is good for nothing once `fn` has come back. */
export class StmTransaction {
  readonly #client: KvClient;
  readonly #isolation: Isolation;
  readonly #call: CallOptions;
  readonly #known: ReadonlyMap<string, KeyValue | undefined>;
  readonly #reads = new Map<string, Promise<KeyValue | undefined>>();
  readonly #writes = new Map<string, Write>();
  /** Of what is read; undefined: nothing was read yet, or each read is of its own. */
  #revision: number | undefined;
  #first: Promise<KeyValue | undefined> | undefined;
  #over = false;

  /** Use `client.stm`. */
  constructor(client: KvClient, isolation: Isolation, call: CallOptions, snapshot: Snapshot | undefined) {
    this.#client = client;
    this.#isolation = isolation;
    this.#call = call;
    this.#known = this.#readsOneRevision ? (snapshot?.kvs ?? new Map()) : new Map();
    if (this.#readsOneRevision) this.#revision = snapshot?.revision;
  }

  /** Its value, or what this transaction wrote; undefined: it does not exist. */
  async get(key: Bytes): Promise<Uint8Array | undefined> {
    return (await this.getKv(key))?.value;
  }

  /** The same with its revisions; of what this transaction wrote those are 0. */
  getKv(key: Bytes): Promise<KeyValue | undefined> {
    this.#mustRun();
    const bytes = bytesOf(key);
    const name = nameOf(bytes);
    const write = this.#writes.get(name);
    if (write !== undefined) return Promise.resolve(ownKv(write));
    let read = this.#reads.get(name);
    if (read === undefined) {
      read = this.#read(bytes, name);
      // Whoever does not await it hears of it at commit.
      read.catch(() => undefined);
      this.#reads.set(name, read);
    }
    return read;
  }

  put(key: Bytes, value: Bytes, { lease = 0n }: { readonly lease?: bigint } = {}): void {
    this.#mustRun();
    const bytes = bytesOf(key);
    this.#writes.set(nameOf(bytes), { key: bytes, value: bytesOf(value), lease });
  }

  delete(key: Bytes): void {
    this.#mustRun();
    const bytes = bytesOf(key);
    this.#writes.set(nameOf(bytes), { key: bytes, value: undefined, lease: 0n });
  }

  /** `fn` has come back. Undefined: done; else what is there now. Rejects with ClientError. */
  async commit(): Promise<Snapshot | undefined> {
    this.#over = true;
    const reads = await Promise.all([...this.#reads].map(async ([name, read]) => [name, await read] as const));
    if (!this.#mustCommit(reads.length)) return undefined;
    const keys = reads.map(([name]) => Buffer.from(name, 'latin1'));
    const writes = [...this.#writes.values()];
    const ops = writes.map(({ key, value, lease }): RequestOp => (value === undefined ? op.delete(key) : op.put(key, value, { lease })));
    const txn = this.#client.txn().if(...this.#conditions(reads)).then(...ops).else(...keys.map((key) => op.get(key)));
    const outcome = await txn.commit(this.#call);
    if (outcome.succeeded) return undefined;
    return { revision: outcome.revision, kvs: new Map(reads.map(([name], i) => [name, outcome.results[i]])) };
  }

  get #readsOneRevision(): boolean {
    return this.#isolation === 'serializable-snapshot' || this.#isolation === 'serializable';
  }

  /** Reads of one revision, and a single one, hold as they are. */
  #mustCommit(reads: number): boolean {
    return this.#writes.size > 0 || (this.#isolation === 'repeatable-reads' && reads > 1);
  }

  #conditions(reads: readonly (readonly [string, KeyValue | undefined])[]): Compare[] {
    if (this.#isolation === 'read-committed') return [];
    const unchanged = reads.map(([name, kv]) => modRevision(Buffer.from(name, 'latin1')).equals(kv?.modRevision ?? 0));
    const revision = this.#revision;
    if (this.#isolation !== 'serializable-snapshot' || revision === undefined) return unchanged;
    const blind = [...this.#writes].filter(([name]) => !this.#reads.has(name));
    return [...unchanged, ...blind.map(([, { key }]) => modRevision(key).isBelow(revision + 1))];
  }

  async #read(key: Uint8Array, name: string): Promise<KeyValue | undefined> {
    if (this.#known.has(name)) return this.#known.get(name);
    if (!this.#readsOneRevision) return (await this.#client.getRange(key, this.#call)).kvs[0];
    // The first read decides which revision it is.
    if (this.#revision === undefined && this.#first !== undefined) await this.#first;
    if (this.#revision !== undefined) return (await this.#client.getRange(key, { ...this.#call, revision: this.#revision })).kvs[0];
    return (this.#first = this.#readFirst(key));
  }

  async #readFirst(key: Uint8Array): Promise<KeyValue | undefined> {
    const { kvs, revision } = await this.#client.getRange(key, this.#call);
    this.#revision = revision;
    return kvs[0];
  }

  #mustRun(): void {
    if (this.#over) throw badArgument('this transaction is over: use its tx only within the function, and await what it reads');
  }
}

export async function stm<T>(client: KvClient, fn: (tx: StmTransaction) => T | Promise<T>, options: StmOptions): Promise<T> {
  const { isolation = 'serializable-snapshot', retries = DEFAULT_RETRIES, ...call } = options;
  checkRetries(retries);
  let snapshot: Snapshot | undefined;
  for (let attempts = 1; ; attempts++) {
    const tx = new StmTransaction(client, isolation, call, snapshot);
    try {
      const result = await fn(tx);
      snapshot = await tx.commit();
      if (snapshot === undefined) return result;
    } catch (error) {
      // What was to be read was compacted meanwhile: as good as a conflict.
      if (!(error instanceof ClientError && error.details === ETCD_MESSAGES.COMPACTED)) throw error;
      snapshot = undefined;
    }
    if (attempts > retries) throw new ConflictError('what the transaction read was changed by others each time', attempts);
    await pauseAfterConflict(attempts, call.signal);
  }
}

function ownKv({ key, value, lease }: Write): KeyValue | undefined {
  return value === undefined ? undefined : { key, value, lease, createRevision: 0, modRevision: 0, version: 0 };
}
