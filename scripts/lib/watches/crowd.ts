/**
 * Many watchers at little cost to whoever counts them: several Watch streams to one member, each
 * with many watchers; of each watcher only how many events it heard, and that their revisions rise.
 */

import { Client, credentials, Metadata, type ClientDuplexStream } from '@grpc/grpc-js';
import { serviceMethods } from '../../../src/api/protos/protos.js';
import { prefixEnd } from '../../../src/base/bytes.js';
import { decodeWatchResponse } from '../../../src/api/wire/watch-client-codec.js';

const OPTIONS = { 'grpc.enable_http_proxy': 0, 'grpc.use_local_subchannel_pool': 1, 'grpc.max_receive_message_length': -1 };
const POLL_MS = 20;

export interface CrowdWant {
  readonly key: string;
  readonly prefix?: boolean;
  /** 0: from now on. */
  readonly startRevision?: number;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Crowd {
  readonly #clients: Client[] = [];
  readonly #calls: ClientDuplexStream<object, Buffer>[] = [];
  readonly #last = new Map<string, number>();
  created = 0;
  events = 0;
  faults = 0;
  firstFault = '';

  /** `wants` are dealt out to so many streams, each over a connection of its own. */
  constructor(url: string, wants: readonly CrowdWant[], streams: number) {
    const { path, requestSerialize } = serviceMethods('etcdserverpb.Watch')['Watch'] as ReturnType<typeof serviceMethods>[string];
    for (let s = 0; s < streams; s++) {
      const client = new Client(new URL(url).host, credentials.createInsecure(), OPTIONS);
      const call = client.makeBidiStreamRequest(path, requestSerialize, (bytes: Buffer) => bytes, new Metadata());
      call.on('data', (bytes: Buffer) => this.#hear(s, bytes));
      call.on('error', (error) => this.#fault(error.message));
      this.#clients.push(client);
      this.#calls.push(call);
    }
    wants.forEach(({ key, prefix = false, startRevision = 0 }, i) => {
      const bytes = Buffer.from(key);
      const end = prefix ? (prefixEnd(bytes) ?? Buffer.alloc(1)) : Buffer.alloc(0);
      this.#calls[i % streams]?.write({ create_request: { key: bytes, range_end: end, start_revision: String(startRevision) } });
    });
  }

  #fault(text: string): void {
    this.faults++;
    this.firstFault ||= text;
  }

  #hear(stream: number, bytes: Buffer): void {
    const { created, canceled, cancelReason, watchId, events } = decodeWatchResponse(bytes);
    if (canceled) this.#fault(`watcher ${watchId} is cancelled: ${cancelReason}`);
    else if (created) this.created++;
    const name = `${stream}/${watchId}`;
    for (const { kv } of events) {
      if (kv.modRevision <= (this.#last.get(name) ?? 0)) this.#fault(`watcher ${name} hears of ${kv.modRevision} after ${this.#last.get(name)}`);
      this.#last.set(name, kv.modRevision);
      this.events++;
    }
  }

  /** False: not in time. */
  heard(events: number, timeoutMs: number): Promise<boolean> {
    return this.#until(() => this.events >= events, timeoutMs);
  }

  begun(watchers: number, timeoutMs: number): Promise<boolean> {
    return this.#until(() => this.created >= watchers, timeoutMs);
  }

  async #until(done: () => boolean, timeoutMs: number): Promise<boolean> {
    for (const deadline = Date.now() + timeoutMs; !done() && this.faults === 0; await sleep(POLL_MS)) {
      if (Date.now() > deadline) return false;
    }
    return this.faults === 0;
  }

  close(): void {
    for (const call of this.#calls) {
      call.removeAllListeners('error');
      call.on('error', () => undefined);
      call.cancel();
    }
    for (const client of this.#clients) client.close();
  }
}
