/**
 * A watch through the published client, which goes on by itself after whatever happens; where it is
 * told that what it wants is compacted, another one begins there.
 */

import { CompactedError, type Client, type Watch, type WatchEvent } from '../../../src/client/client.js';
import type { KeyValue } from '../../../src/api/requests.js';
import type { Follower } from './follower.js';
import type { SeenEvent, SeenKv } from './history.js';

const PROGRESS_MS = 300;

function kvOf({ key, createRevision, modRevision, version, value, lease }: KeyValue): SeenKv {
  return { key: Buffer.from(key).toString(), createRevision, modRevision, version, value, lease: String(lease) };
}

export function eventOf({ type, kv, prevKv }: WatchEvent): SeenEvent {
  return { type, kv: kvOf(kv), prevKv: prevKv && kvOf(prevKv) };
}

export class ClientWatch {
  readonly follower: Follower;
  readonly #client: Client;
  readonly #endpoint: string | undefined;
  readonly #ending = new AbortController();
  readonly #ticker: NodeJS.Timeout;
  #watch: Watch | undefined;

  /** With an endpoint: through that one alone. */
  constructor(client: Client, follower: Follower, endpoint?: string) {
    this.follower = follower;
    this.#client = client;
    this.#endpoint = endpoint;
    this.#ticker = setInterval(() => this.#watch?.requestProgress(), PROGRESS_MS);
    void this.#run();
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#ending.abort();
  }

  async #run(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      try {
        await this.#follow();
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        if (error instanceof CompactedError) this.follower.overtaken(error.compactRevision);
        else return this.follower.fault(`its watch ends: ${String(error)}`);
      }
    }
  }

  async #follow(): Promise<void> {
    const { follower } = this;
    const { key, prefix, prevKv, noPut, noDelete } = follower.want;
    this.#watch = this.#client.watch(prefix ? { prefix: key } : key, {
      startRevision: follower.next, prevKv, noPut, noDelete, signal: this.#ending.signal,
      ...(this.#endpoint === undefined ? {} : { endpoint: this.#endpoint }),
    });
    let begun = false;
    for await (const { revision, events, more } of this.#watch) {
      if (!begun) follower.beganAt(revision);
      else if (events.length === 0) follower.toldTo(revision);
      else follower.hear(events.map(eventOf), more);
      begun = true;
    }
  }
}
