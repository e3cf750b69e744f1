/**
 * This node's way to one peer: a channel, the long-lived stream on it, and what waits to be sent.
 * Frames of one turn of the event loop leave as one message. Bounded: beyond the limits frames are
 * dropped, which Raft repeats. While there is no stream only a little is kept, the newest, so that
 * a peer that comes back is not met with old news.
 */

import {
  Client, credentials, status as Status, type ChannelOptions, type ClientWritableStream, type Metadata, type ServiceError,
} from '@grpc/grpc-js';
import { MiB, KiB } from '../../base/bytes.js';
import type { Clock, Random, Timer } from '../../base/env.js';
import { NetworkError, messageOf } from '../../base/errors.js';
import { formatId, type NodeId } from '../../base/ids.js';
import { CALL_PATH, META_TO, STREAM_PATH, decodeReply, encodeBatch, encodeCall } from './peer-codec.js';
import type { PeerLosses } from './peer-losses.js';
import type { Refusals } from './refusals.js';

export interface LinkLimits {
  /** Frames that wait for a stream that is up but slow. */
  readonly queueBytes: number;
  /** Largest message, frames and replies alike. */
  readonly messageBytes: number;
}

export const DEFAULT_LINK_LIMITS: LinkLimits = { queueBytes: 64 * MiB, messageBytes: 8 * MiB + 64 * KiB };

/** Kept while there is no stream. */
const DETACHED_BYTES = 64 * KiB;
/** A message takes frames up to here; one frame may be larger by itself. */
const BATCH_BYTES = MiB;
const FIRST_RETRY_MS = 20;
const MAX_RETRY_MS = 1_000;
/** A peer that refuses us, for a wrong cluster say, is not asked much. */
const REFUSED_RETRY_MS = 5_000;
const CONNECT_TIMEOUT_MS = 2_000;

/** What all links of a node have in common. */
export interface LinkCommons {
  readonly clock: Clock;
  readonly random: Random;
  /** Cluster id and sender, for every call. */
  readonly identity: Metadata;
  readonly losses: PeerLosses;
  readonly refusals: Refusals;
  readonly pings: ChannelOptions;
}

/** Both ends of a connection ping, since either may be the one that is left over. */
export function keepalive(silentMs: number): ChannelOptions {
  return { 'grpc.keepalive_time_ms': silentMs, 'grpc.keepalive_timeout_ms': silentMs, 'grpc.keepalive_permit_without_calls': 1 };
}

type State = 'idle' | 'connecting' | 'up' | 'waiting' | 'stopped';

const identity = (bytes: Buffer): Buffer => bytes;

export class PeerLink {
  readonly peer: NodeId;
  readonly #commons: LinkCommons;
  readonly #address: string;
  readonly #limits: LinkLimits;
  readonly #metadata: Metadata;
  #state: State = 'idle';
  #client: Client | undefined;
  #stream: ClientWritableStream<Buffer> | undefined;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #flushing = false;
  #blocked = false;
  #timer: Timer | undefined;
  #attempt = 0;
  #dropped = 0;

  constructor(peer: NodeId, address: string, commons: LinkCommons, limits: LinkLimits) {
    this.peer = peer;
    this.#commons = commons;
    this.#address = address;
    this.#limits = limits;
    this.#metadata = commons.identity.clone();
    this.#metadata.set(META_TO, String(peer));
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Frames dropped for want of room since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  start(): void {
    if (this.#state === 'idle') this.#connect();
  }

  /** The peer was heard from: it is worth another try at once. */
  hurry(): void {
    if (this.#state !== 'waiting') return;
    this.#timer?.cancel();
    this.#attempt = 0;
    this.#connect();
  }

  send(frame: Uint8Array): void {
    if (this.#state === 'stopped') return;
    if (this.#state !== 'up') {
      this.#keepNewest(frame);
      return;
    }
    if (this.#queuedBytes + frame.length > this.#limits.queueBytes) {
      this.#dropped++;
      return;
    }
    this.#queue.push(frame);
    this.#queuedBytes += frame.length;
    this.#schedule();
  }

  #keepNewest(frame: Uint8Array): void {
    this.#queue.push(frame);
    this.#queuedBytes += frame.length;
    let from = 0;
    while (this.#queuedBytes > DETACHED_BYTES && from < this.#queue.length) {
      this.#queuedBytes -= (this.#queue[from++] as Uint8Array).length;
      this.#dropped++;
    }
    if (from > 0) this.#queue = this.#queue.slice(from);
  }

  #schedule(): void {
    if (this.#flushing || this.#blocked || this.#queue.length === 0) return;
    this.#flushing = true;
    this.#commons.clock.defer(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    const stream = this.#stream;
    if (this.#state !== 'up' || stream === undefined) return;
    const queue = this.#queue;
    let from = 0;
    while (from < queue.length && !this.#blocked) {
      let to = from;
      let bytes = 0;
      do {
        bytes += (queue[to++] as Uint8Array).length;
      } while (to < queue.length && bytes + (queue[to] as Uint8Array).length <= BATCH_BYTES);
      this.#queuedBytes -= bytes;
      const batch = from === 0 && to === queue.length ? queue : queue.slice(from, to);
      from = to;
      if (!stream.write(encodeBatch(batch))) this.#blocked = true;
    }
    this.#queue = from === queue.length ? [] : queue.slice(from);
  }

  #connect(): void {
    this.#state = 'connecting';
    const client = new Client(this.#address, credentials.createInsecure(), {
      ...this.#commons.pings,
      'grpc.max_receive_message_length': this.#limits.messageBytes,
      'grpc.max_send_message_length': this.#limits.messageBytes,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
      'grpc.enable_channelz': 0,
      'grpc.enable_retries': 0,
      'grpc-node.flow_control_window': 4 * MiB,
    });
    this.#client = client;
    const stream = client.makeClientStreamRequest(STREAM_PATH, identity, identity, this.#metadata, (error) => {
      this.#ended(stream, error);
    });
    this.#stream = stream;
    this.#timer = this.#commons.clock.setTimer(CONNECT_TIMEOUT_MS, () => this.#tooSlow(stream));
    stream.on('metadata', () => this.#established(stream));
    stream.on('drain', () => {
      if (stream !== this.#stream) return;
      this.#blocked = false;
      this.#schedule();
    });
  }

  #tooSlow(stream: ClientWritableStream<Buffer>): void {
    if (stream === this.#stream && this.#state === 'connecting') stream.cancel();
  }

  #established(stream: ClientWritableStream<Buffer>): void {
    if (stream !== this.#stream || this.#state !== 'connecting') return;
    this.#timer?.cancel();
    this.#state = 'up';
    this.#attempt = 0;
    this.#blocked = false;
    this.#commons.losses.connected(this.peer);
    this.#schedule();
  }

  #ended(stream: ClientWritableStream<Buffer>, error: ServiceError | null): void {
    if (stream !== this.#stream || this.#state === 'stopped') return;
    const wasUp = this.#state === 'up';
    this.#timer?.cancel();
    this.#stream = undefined;
    this.#client?.close();
    this.#client = undefined;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#blocked = false;
    const refused = error?.code === Status.FAILED_PRECONDITION || error?.code === Status.PERMISSION_DENIED;
    if (refused) this.#commons.refusals.warn(`peer ${formatId(this.peer)}`, 'a peer refuses this node', error.details);
    this.#state = 'waiting';
    this.#timer = this.#commons.clock.setTimer(refused ? REFUSED_RETRY_MS : this.#nextDelay(), () => this.#connect());
    if (wasUp) this.#commons.losses.broke(this.peer);
  }

  /**
   * 20 ms at first, so that a restart is noticed at once, then doubling to 1 s; always with jitter.
   */
  #nextDelay(): number {
    const base = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#attempt);
    this.#attempt = Math.min(this.#attempt + 1, 16);
    return base * (0.5 + this.#commons.random.float() / 2);
  }

  call(method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const client = this.#client;
    if (this.#state === 'stopped') return Promise.reject(new NetworkError('CLOSED', 'the network is stopped'));
    if (client === undefined) return Promise.reject(new NetworkError('UNREACHABLE', `no connection to ${this.#address}`));
    const options = { deadline: Date.now() + timeoutMs };
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(CALL_PATH, identity, identity, encodeCall(method, request), this.#metadata, options, (error, reply) => {
        if (error !== null) reject(toNetworkError(error, method, this.#address));
        else if (reply === undefined) reject(new NetworkError('REMOTE', `${method}: no reply`));
        else settle(reply, resolve, reject);
      });
    });
  }

  stop(): void {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.#timer?.cancel();
    this.#queue = [];
    this.#stream?.end();
    this.#client?.close();
    this.#stream?.cancel();
  }
}

function settle(reply: Buffer, resolve: (bytes: Uint8Array) => void, reject: (error: unknown) => void): void {
  try {
    resolve(decodeReply(reply));
  } catch (error) {
    reject(new NetworkError('REMOTE', messageOf(error)));
  }
}

function toNetworkError(error: ServiceError, method: string, address: string): NetworkError {
  switch (error.code) {
    case Status.DEADLINE_EXCEEDED:
      return new NetworkError('TIMEOUT', `${method} at ${address}`, { address });
    case Status.UNAVAILABLE:
    case Status.CANCELLED:
      return new NetworkError('UNREACHABLE', `${method} at ${address}: ${error.details}`, { address });
    case Status.RESOURCE_EXHAUSTED:
      return new NetworkError('TOO_LARGE', `${method} at ${address}: ${error.details}`, { address });
    default:
      return new NetworkError('REMOTE', error.details, { address });
  }
}
