/**
 * Writers and readers whose every operation is written down. Writers own keys that they write once
 * (each acknowledged write can be looked for afterwards) and share a few registers (these make the
 * history worth checking). A client stays with its endpoint until that refuses it, then moves on; a
 * request is never repeated, so an unanswered write has an unknown outcome.
 */

import { Endpoint, METHODS } from './grpc.js';
import { writeHistory, type Recorded } from './history.js';
import { monotonicMs, type HistorySpec } from './protocol.js';
import { seededRandom } from '../random.js';
import { casRequest, putRequest, rangeReply, rangeRequest, revisionOf, txnReply, type KeyValue } from './wire.js';

const RESOURCE_EXHAUSTED = 8;
const RECENT_KEYS = 256;
const PAUSE_AFTER_ERROR_MS = 20;

type Partial = Pick<Recorded, 'kind' | 'client' | 'key' | 'value' | 'expected'>;
/** `saw`: the value that the other branch of a compare-and-set read. */
type Seen = Pick<Recorded, 'value' | 'revision' | 'modRevision' | 'ok'> & { readonly saw?: string | undefined };

/**
 * A value is a unique id, padded. The id alone is written down; {@link idOf} refuses padding that
 * changed.
 */
export function padded(id: string, length: number): Buffer {
  const head = `${id}|`;
  if (head.length >= length) return Buffer.from(id);
  const out = Buffer.alloc(length);
  let x = 7;
  for (let i = 0; i < head.length; i++) x = (Math.imul(x, 31) + (out[i] = head.charCodeAt(i))) >>> 0;
  for (let i = head.length; i < length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    out[i] = 97 + ((x >>> 24) % 26);
  }
  return out;
}

export function idOf(value: Buffer): string {
  const bar = value.indexOf(0x7c);
  const id = value.toString('latin1', 0, bar < 0 ? value.length : bar);
  return bar < 0 || padded(id, value.length).equals(value) ? id : `damaged:${value.toString('latin1')}`;
}

export class HistoryLoad {
  readonly #spec: HistorySpec;
  readonly #endpoints: Endpoint[];
  readonly #random: () => number;
  readonly #operations: Recorded[] = [];
  readonly #recent: string[] = [];
  /** Newest mod revision seen of each shared key: what a compare-and-set expects. */
  readonly #seen = new Map<string, number>();
  readonly #began = monotonicMs();
  #sent = 0;
  #owned = 0;
  #running = 0;
  #stopping = false;
  #idle: () => void = () => undefined;
  acknowledged = 0;
  errors = 0;

  constructor(spec: HistorySpec) {
    this.#spec = spec;
    this.#random = seededRandom(spec.seed);
    this.#endpoints = spec.endpoints.map((url) => new Endpoint(url, 2));
  }

  start(): void {
    const { writers, readers } = this.#spec;
    for (let client = 0; client < writers + readers; client++) {
      this.#running++;
      void this.#loop(client, client >= writers);
    }
  }

  /** Lets every client finish the operation it is at, then writes the history down. */
  async stop(file: string): Promise<number> {
    this.#stopping = true;
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    for (const endpoint of this.#endpoints) endpoint.close();
    writeHistory(file, this.#operations);
    return this.#operations.length;
  }

  async #loop(client: number, reads: boolean): Promise<void> {
    let at = client % this.#endpoints.length;
    for (let sequence = 0; !this.#stopping; sequence++) {
      await this.#pace();
      const outcome = reads ? await this.#read(client, at) : await this.#write(client, at, sequence);
      if (outcome === 'ok') continue;
      at = (at + 1) % this.#endpoints.length;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_ERROR_MS));
    }
    if (--this.#running === 0) this.#idle();
  }

  async #pace(): Promise<void> {
    const rate = this.#spec.operationsPerSecond;
    if (rate === 0) return;
    const due = this.#began + (this.#sent++ / rate) * 1000;
    const wait = due - monotonicMs();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }

  #sharedKey(): string {
    return `${this.#spec.prefix}s/${Math.floor(this.#random() * this.#spec.sharedKeys)}`;
  }

  #write(client: number, at: number, sequence: number): Promise<Recorded['outcome']> {
    const { sharedWrites, casShare, valueBytes, prefix } = this.#spec;
    const id = `${client}.${sequence}`;
    const value = padded(id, valueBytes);
    if (this.#random() >= sharedWrites) {
      const key = `${prefix}u/${client}/${sequence}`;
      const op = { kind: 'put', client, key, value: id, expected: 0 } as const;
      return this.#call(op, at, METHODS.put, putRequest(Buffer.from(key), value), (answer) => this.#onPut(key, id, answer));
    }
    const key = this.#sharedKey();
    if (this.#random() >= casShare) {
      const op = { kind: 'put', client, key, value: id, expected: 0 } as const;
      return this.#call(op, at, METHODS.put, putRequest(Buffer.from(key), value), (answer) => this.#onPut(key, id, answer));
    }
    const expected = this.#seen.get(key) ?? 0;
    const op = { kind: 'cas', client, key, value: id, expected } as const;
    return this.#call(op, at, METHODS.txn, casRequest(Buffer.from(key), expected, value), (answer) => {
      const { revision, succeeded, range } = txnReply(answer);
      const kv = range?.kvs[0];
      const modRevision = succeeded ? 0 : (kv?.modRevision ?? 0);
      this.#seen.set(key, succeeded ? revision : modRevision);
      return { value: id, revision, modRevision, ok: succeeded, saw: kv && idOf(kv.value) };
    });
  }

  #onPut(key: string, id: string, answer: Buffer): Seen {
    const revision = revisionOf(answer);
    if (key.startsWith(`${this.#spec.prefix}s/`)) this.#seen.set(key, revision);
    else this.#recent[this.#owned++ % RECENT_KEYS] = key;
    return { value: id, revision, modRevision: 0, ok: true };
  }

  #read(client: number, at: number): Promise<Recorded['outcome']> {
    const own = this.#recent.length > 0 && this.#random() < 0.3;
    const key = own ? (this.#recent[Math.floor(this.#random() * this.#recent.length)] as string) : this.#sharedKey();
    const op = { kind: 'get', client, key, value: undefined, expected: 0 } as const;
    return this.#call(op, at, METHODS.range, rangeRequest({ key: Buffer.from(key) }), (answer) => {
      const { revision, kvs } = rangeReply(answer);
      const kv: KeyValue | undefined = kvs[0];
      const modRevision = kv?.modRevision ?? 0;
      if (key.startsWith(`${this.#spec.prefix}s/`)) this.#seen.set(key, modRevision);
      return { value: kv && idOf(kv.value), revision, modRevision, ok: true };
    });
  }

  #call(op: Partial, at: number, path: string, body: Buffer, read: (answer: Buffer) => Seen): Promise<Recorded['outcome']> {
    const call = monotonicMs();
    const endpoint = this.#endpoints[at] as Endpoint;
    return new Promise((resolve) => {
      endpoint.call(path, body, this.#spec.timeoutMs, (error, answer) => {
        const end = monotonicMs();
        if (error) {
          this.errors++;
          const none = error.neverSent || error.code === RESOURCE_EXHAUSTED;
          const outcome = none ? 'none' : 'unknown';
          const nothing = { revision: 0, modRevision: 0, ok: false, outcome, endpoint: at } as const;
          this.#operations.push({ ...op, ...nothing, call, end, error: error.message });
          resolve(outcome);
          return;
        }
        this.acknowledged++;
        const { saw, ...seen } = read(answer);
        const answered = { ...op, ...seen, call, end, outcome: 'ok', endpoint: at, error: '' } as const;
        this.#operations.push(answered);
        // A compare-and-set that failed is a read as well: it may be the only one to see a write
        // whose outcome is unknown.
        if (op.kind === 'cas' && !seen.ok) this.#operations.push({ ...answered, kind: 'get', value: saw, expected: 0, ok: true });
        resolve('ok');
      });
    });
  }
}
