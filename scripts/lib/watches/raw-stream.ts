/**
 * A Watch stream as gRPC gives it: several watchers on one call to one member, over grpc-js and the
 * `.proto` files alone. When the call ends it begins again at the same member, each watcher where
 * it was. Progress is asked for all the time, and taken at its word.
 */

import { Client, credentials, Metadata, type ClientDuplexStream } from '@grpc/grpc-js';
import { serviceMethods } from '../../../src/api/protos/protos.js';
import { prefixEnd } from '../../../src/base/bytes.js';
import type { Follower } from './follower.js';
import type { SeenEvent, SeenKv } from './history.js';

interface WireKv {
  readonly key: Uint8Array;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly version: string;
  readonly value: Uint8Array;
  readonly lease: string;
}

interface WireAnswer {
  readonly header: { readonly revision: string } | null;
  readonly watch_id: string;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: string;
  readonly cancel_reason: string;
  readonly fragment: boolean;
  readonly events: readonly { readonly type: 'PUT' | 'DELETE'; readonly kv: WireKv; readonly prev_kv: WireKv | null }[];
}

interface Attached {
  readonly follower: Follower;
  /** It was answered that it has begun. */
  created: boolean;
}

const AGAIN_MS = 100;
const PROGRESS_MS = 250;
const MAX_MESSAGE_BYTES = 2.2 * 1024 * 1024;

function kvOf(kv: WireKv): SeenKv {
  return {
    key: Buffer.from(kv.key).toString(), createRevision: Number(kv.create_revision), modRevision: Number(kv.mod_revision),
    version: Number(kv.version), value: kv.value, lease: kv.lease,
  };
}

function eventOf({ type, kv, prev_kv }: WireAnswer['events'][number]): SeenEvent {
  return { type: type === 'PUT' ? 'put' : 'delete', kv: kvOf(kv), prevKv: prev_kv === null ? undefined : kvOf(prev_kv) };
}

export class RawStream {
  readonly url: string;
  readonly followers: readonly Follower[];
  readonly #client: Client;
  #call: ClientDuplexStream<object, object> | undefined;
  #watchers = new Map<string, Attached>();
  #ids = 0;
  #ended = false;
  #away = false;
  readonly #ticker: NodeJS.Timeout;
  calls = 0;

  constructor(url: string, followers: readonly Follower[]) {
    this.url = url;
    this.followers = followers;
    const options = {
      'grpc.enable_http_proxy': 0, 'grpc.use_local_subchannel_pool': 1, 'grpc.max_receive_message_length': -1,
      'grpc.initial_reconnect_backoff_ms': 100, 'grpc.min_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 300,
    };
    this.#client = new Client(new URL(url).host, credentials.createInsecure(), options);
    this.#ticker = setInterval(() => this.#call?.write({ progress_request: {} }), PROGRESS_MS);
    this.#open();
  }

  close(): void {
    this.#ended = true;
    clearInterval(this.#ticker);
    this.#call?.cancel();
    this.#client.close();
  }

  /** Takes nothing more from the connection, or goes on. */
  setReading(reading: boolean): void {
    if (reading) this.#call?.resume();
    else this.#call?.pause();
  }

  /** Hangs up, and stays away until it is called again. */
  setAway(away: boolean): void {
    this.#away = away;
    if (away) this.#call?.cancel();
    else if (this.#call === undefined) this.#open();
  }

  #open(): void {
    if (this.#ended || this.#away || this.#call !== undefined) return;
    const { path, requestSerialize, responseDeserialize } = serviceMethods('etcdserverpb.Watch')['Watch'] as ReturnType<typeof serviceMethods>[string];
    const call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata({ waitForReady: true }));
    this.#call = call;
    this.calls++;
    this.#watchers = new Map();
    call.on('data', (answer: unknown) => {
      if (this.#call === call) this.#take(answer as WireAnswer);
    });
    const over = (): void => {
      if (this.#call !== call) return;
      this.#call = undefined;
      for (const follower of this.followers) follower.dropPieces();
      setTimeout(() => this.#open(), AGAIN_MS);
    };
    call.on('error', over);
    call.on('end', over);
    for (const follower of this.followers) this.#create(follower);
  }

  #create(follower: Follower): void {
    const { key, prefix, prevKv, noPut, noDelete, fragment } = follower.want;
    const id = String(++this.#ids);
    this.#watchers.set(id, { follower, created: false });
    const bytes = Buffer.from(key);
    const end = key === '' ? Uint8Array.of(0) : prefixEnd(bytes);
    this.#call?.write({
      create_request: {
        key: key === '' ? Uint8Array.of(0) : bytes, range_end: prefix ? end : Buffer.alloc(0), start_revision: String(follower.next), watch_id: id,
        prev_kv: prevKv, fragment, filters: [...(noPut ? ['NOPUT'] : []), ...(noDelete ? ['NODELETE'] : [])],
      },
    });
  }

  #take(answer: WireAnswer): void {
    const revision = Number(answer.header?.revision ?? '0');
    if (answer.watch_id === '-1') return this.#progress(revision, answer);
    const found = this.#watchers.get(answer.watch_id);
    if (found === undefined) return this.followers[0]?.fault(`an answer for watcher ${answer.watch_id}, which nobody has created`);
    const { follower } = found;
    if (answer.canceled) {
      this.#watchers.delete(answer.watch_id);
      follower.dropPieces();
      const compacted = Number(answer.compact_revision);
      if (compacted > 0) follower.overtaken(compacted);
      else follower.fault(`it is cancelled: ${answer.cancel_reason || 'without a reason'}`);
      return this.#create(follower);
    }
    if (answer.created) {
      found.created = true;
      return follower.beganAt(revision);
    }
    const events = answer.events.map(eventOf);
    if (events.length === 0) return follower.upTo(revision);
    const last = (events.at(-1) as SeenEvent).kv.modRevision;
    if (revision < last) follower.fault(`an event of revision ${last} under a header of ${revision}`);
    const bytes = answer.events.reduce((sum, { kv, prev_kv }) => sum + kv.value.length + (prev_kv?.value.length ?? 0), 0);
    if (follower.want.fragment && events.length > 1 && bytes > MAX_MESSAGE_BYTES) follower.fault(`a fragment of ${bytes} bytes`);
    if (!follower.want.fragment && answer.fragment) follower.fault('a fragment, which was not asked for');
    follower.hear(events, answer.fragment);
  }

  #progress(revision: number, { canceled, cancel_reason }: WireAnswer): void {
    if (canceled) return this.followers[0]?.fault(`a watcher of the stream is refused: ${cancel_reason}`);
    for (const { follower, created } of this.#watchers.values()) if (created) follower.upTo(revision);
  }
}
