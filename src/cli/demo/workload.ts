/**
 * A gentle workload that believes nothing: it remembers what was acknowledged and compares every
 * read with it.
 */

import { randomBytes } from 'node:crypto';
import { ClientError, type Client } from '../../client/client.js';
import { utf8 } from '../../base/bytes.js';

const KEYS = 4000;
const VALUE_BYTES = 1500;
const OPERATIONS_PER_SECOND = 50;
const LOAD_AT_ONCE = 32;

export class Workload {
  readonly #client: Client;
  /** Undefined while a write of the key has no known outcome. */
  readonly #expected = new Map<string, string | undefined>();
  #timer: NodeJS.Timeout | undefined;
  readonly #busy = new Set<string>();
  puts = 0;
  gets = 0;
  /** Reads that differ from what was acknowledged. Must stay 0. */
  wrong = 0;
  failed = 0;
  /** The longest time without a success, in ms. */
  longestGapMs = 0;
  #lastSuccess = performance.now();

  constructor(client: Client) {
    this.#client = client;
  }

  /** Enough data for some tables. */
  async load(onProgress: (share: number) => void): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let i = next++; i < KEYS; i = next++) {
        await this.#put(`demo/${i}`);
        if (i % 400 === 0) onProgress(i / KEYS);
      }
    };
    await Promise.all(Array.from({ length: LOAD_AT_ONCE }, lane));
    this.longestGapMs = 0;
  }

  start(): void {
    this.#lastSuccess = performance.now();
    this.#timer = setInterval(() => this.#step(), 1000 / OPERATIONS_PER_SECOND);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #step(): void {
    if (this.#busy.size >= LOAD_AT_ONCE) return;
    const key = `demo/${Math.floor(Math.random() * KEYS)}`;
    if (this.#busy.has(key)) return;
    this.#busy.add(key);
    const work = Math.random() < 0.3 ? this.#put(key) : this.#get(key);
    void work.finally(() => this.#busy.delete(key));
  }

  async #put(key: string): Promise<void> {
    const value = `${Date.now()} ${randomBytes(VALUE_BYTES / 2).toString('hex')}`;
    this.#expected.set(key, undefined);
    await this.#counted(async () => {
      await this.#client.put(key, value);
      this.#expected.set(key, value);
      this.puts++;
    });
  }

  async #get(key: string): Promise<void> {
    await this.#counted(async () => {
      const kv = await this.#client.get(key);
      const expected = this.#expected.get(key);
      this.gets++;
      if (expected !== undefined && (kv === undefined || Buffer.compare(kv.value, utf8(expected)) !== 0)) this.wrong++;
    });
  }

  async #counted(run: () => Promise<void>): Promise<void> {
    try {
      await run();
      const now = performance.now();
      this.longestGapMs = Math.max(this.longestGapMs, now - this.#lastSuccess);
      this.#lastSuccess = now;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      this.failed++;
    }
  }
}
