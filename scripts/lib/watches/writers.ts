/**
 * Writers of transactions: some keys at a time, put and deleted, now and then a whole group of keys
 * or some megabytes at once. Each says what it is about to do before it does.
 */

import { ClientError, op, type Client, type RequestOp } from '../../../src/client/client.js';
import { valueOf, type Change, type History, type Write } from './history.js';

export interface WritersOptions {
  readonly writers: number;
  /** Transactions per second of all together. */
  readonly perSecond: number;
}

export const GROUPS = 8;
const KEYS_PER_GROUP = 40;
const MAX_KEYS = 6;
const DELETE_SHARE = 0.25;
const GROUP_DELETE_SHARE = 0.004;
const SMALL_PAD = 200;
/** Two transactions put so much, a third deletes it: more than a message of a watch holds. */
const BULK_KEYS = 46;
const BULK_PAD = 50 * 1024;
const BULK_EVERY_MS = 12_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function opOf(change: Change, id: string): RequestOp {
  if (change.kind === 'put') return op.put(change.key, valueOf(id, change.pad));
  return op.delete(change.kind === 'delete' ? change.key : { prefix: change.prefix });
}

export class Writers {
  readonly #client: Client;
  readonly #history: History;
  readonly #random: () => number;
  #stopped = false;
  #writes = 0;
  #done: Promise<unknown> = Promise.resolve();
  acknowledged = 0;
  failed = 0;

  constructor(client: Client, history: History, random: () => number) {
    this.#client = client;
    this.#history = history;
    this.#random = random;
  }

  start({ writers, perSecond }: WritersOptions): void {
    const each = Array.from({ length: writers }, (_, w) => this.#loop(`w${w}`, (1000 * writers) / perSecond, () => this.#some()));
    let turn = 0;
    this.#done = Promise.all([...each, this.#loop('bulk', BULK_EVERY_MS / 3, () => this.#bulk(turn++ % 3))]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  /** The revision of a write of the marker alone; undefined: that is not known. */
  mark(name: string): Promise<number | undefined> {
    return this.#write(name, []);
  }

  async #loop(name: string, everyMs: number, choose: () => Change[]): Promise<void> {
    for (let due = Date.now(); !this.#stopped;) {
      due = Math.max(due + everyMs, Date.now() - everyMs);
      await this.#write(name, choose());
      const left = due - Date.now();
      if (left > 0) await sleep(left);
    }
  }

  async #write(name: string, after: readonly Change[]): Promise<number | undefined> {
    const id = `${name}.${this.#writes++}`;
    const changes: Change[] = [{ kind: 'put', key: `m/${name}`, pad: 0 }, ...after];
    const write: Write = { id, changes, revision: undefined };
    this.#history.willWrite(write);
    try {
      const { header } = await this.#client.txn().then(...changes.map((change) => opOf(change, id))).commit();
      write.revision = header.revision;
      this.acknowledged++;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      this.failed++;
    }
    return write.revision;
  }

  #pick(n: number): number {
    return Math.floor(this.#random() * n);
  }

  #some(): Change[] {
    if (this.#random() < GROUP_DELETE_SHARE) return [{ kind: 'delete-prefix', prefix: `k/${this.#pick(GROUPS)}/` }];
    const keys = new Set<string>();
    for (let left = this.#pick(MAX_KEYS); left > 0; left--) keys.add(`k/${this.#pick(GROUPS)}/${this.#pick(KEYS_PER_GROUP)}`);
    return [...keys].map((key) => (this.#random() < DELETE_SHARE ? { kind: 'delete', key } : { kind: 'put', key, pad: this.#pick(SMALL_PAD) }));
  }

  #bulk(turn: number): Change[] {
    if (turn === 2) return [{ kind: 'delete-prefix', prefix: 'bulk/' }];
    const half = BULK_KEYS / 2;
    return Array.from({ length: half }, (_, i) => ({ kind: 'put', key: `bulk/${turn * half + i}`, pad: BULK_PAD }));
  }
}
