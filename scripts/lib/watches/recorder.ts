/** The one watcher that tells the history; what it says is proven by the others and the writers. */

import type { Client } from '../../../src/client/client.js';
import { differenceOf, type History, type SeenKv } from './history.js';

export class Recorder {
  readonly #client: Client;
  readonly #history: History;
  readonly #ending = new AbortController();
  failed: unknown;

  constructor(client: Client, history: History) {
    this.#client = client;
    this.#history = history;
    void this.#run();
  }

  close(): void {
    this.#ending.abort();
  }

  async #run(): Promise<void> {
    try {
      let marker: string | undefined;
      for await (const { revision, events, more } of this.#client.watch({ prefix: '' }, { startRevision: 1, signal: this.#ending.signal })) {
        const [first] = events;
        if (first !== undefined) marker ??= Buffer.from(first.kv.value).toString();
        if (more || marker === undefined) continue;
        this.#history.append(revision, marker);
        marker = undefined;
      }
    } catch (error) {
      if (!this.#ending.signal.aborted) this.failed = error;
    }
  }
}

/** The keys that are there, as of the end of the history, through one member. */
export async function checkKeys(client: Client, endpoint: string, history: History): Promise<string | undefined> {
  const wanted = history.keys.entries();
  for await (const kv of client.stream({ prefix: '' }, { endpoint, revision: history.last, timeoutMs: 30_000 })) {
    const { done, value } = wanted.next();
    if (done === true) return `${endpoint} has ${Buffer.from(kv.key).toString()}, which is not in the history`;
    const seen: SeenKv = { ...kv, key: Buffer.from(kv.key).toString(), lease: String(kv.lease) };
    const wrong = differenceOf(seen, value[0], value[1]);
    if (wrong !== undefined) return `${endpoint}: ${wrong}`;
  }
  const { done, value } = wanted.next();
  return done === true ? undefined : `${endpoint} does not have ${String(value[0])}`;
}
