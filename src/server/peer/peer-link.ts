/**
 * This node's way to one peer: the long-lived stream, a channel for calls, and what waits to be
 * sent. Frames that are sent without a pause between them leave as one message, in the same turn.
 * Of the bulk lane only a little is handed to the stream at a time, so that what is prompt never
 * waits behind more than that.
 */

import {
  Client, status as Status, type ChannelCredentials, type ChannelOptions, type Metadata, type ServiceError,
} from '@grpc/grpc-js';
import { assert } from '../../base/assert.js';
import { KiB, MiB } from '../../base/bytes.js';
import type { Clock, Lane, LinkStatus, Random, Timer } from '../../base/env.js';
import { NetworkError, messageOf } from '../../base/errors.js';
import { formatId, type NodeId } from '../../base/ids.js';
import type { Http2Pool } from '../../http2/pool.js';
import { MAX_MESSAGE_BYTES } from '../../replica/base/limits.js';
import { hostPort, isSecure } from './peer-url.js';
import { credentialsOf, type ClientTls } from '../tls/client-tls.js';
import { Asks, ASKS_FORMAT } from './asks.js';
import { CHUNK_FORMAT } from './chunks.js';
import { LinkRecord } from './link-record.js';
import { Outgoing, WHOLE_BYTES } from './outgoing.js';
import { CALL_PATH, META_TO, REMOVED_WORDS, decodeReply, encodeBatch, encodeCall } from './peer-codec.js';
import type { PeerLosses } from './peer-losses.js';
import { PeerStream, type PeerStreamOwner, type StreamRefusal } from './peer-stream.js';
import type { Refusals } from './refusals.js';

export interface LinkLimits {
  /** Frames that wait for a stream that is up but slow: at least one of the largest. */
  readonly queueBytes: number;
  /** Largest frame, and largest request and reply of a call. */
  readonly frameBytes: number;
}

export const DEFAULT_LINK_LIMITS: LinkLimits = { queueBytes: MAX_MESSAGE_BYTES + 64 * MiB, frameBytes: MAX_MESSAGE_BYTES };

/** What gRPC takes: a frame of an older peer, or a call, in what it is wrapped in. */
export function grpcLimits({ frameBytes }: LinkLimits): ChannelOptions {
  const bytes = Math.max(frameBytes, WHOLE_BYTES) + 64 * KiB;
  return { 'grpc.max_receive_message_length': bytes, 'grpc.max_send_message_length': bytes };
}

/**
 * Handed to the stream and not yet on its way: beyond this nothing more of the bulk lane is, so
 * that a prompt frame waits for no more than this and a message, besides what the system holds.
 * Beyond twice as much nothing is.
 */
const BULK_BYTES = MiB;
const FLUSH_BYTES = 256 * KiB;
const MAX_QUESTION_BYTES = 128 * KiB;
const FIRST_RETRY_MS = 20;
const MAX_RETRY_MS = 1_000;
/** A peer that refuses us, for a wrong cluster say, is not asked much. */
const REFUSED_RETRY_MS = 5_000;
/** For a machine that takes no connection. */
const CONNECT_TIMEOUT_MS = 2_000;
/**
 * One that takes them, and whose process does not answer yet, is given twice as long with each
 * attempt, up to this: if it takes longer than that, then because it is held up, and an attempt
 * that is always given up before its answer comes would keep both apart, and keep it busy, for as
 * long as that lasts.
 */
const MAX_ANSWER_MS = 16_000;

/** What all links of a node have in common. */
export interface LinkCommons {
  readonly clock: Clock;
  readonly random: Random;
  /** Cluster id and sender, for every call. */
  readonly identity: Metadata;
  readonly losses: PeerLosses;
  readonly refusals: Refusals;
  readonly pings: ChannelOptions;
  /** See PeerNetworkOptions. */
  readonly silentMs: number;
  readonly pool: Http2Pool;
  /** For peers whose URL begins with https. */
  readonly tls: ClientTls | undefined;
}

/** For calls. Both ends of a connection ping, since either may be the one that is left over. */
export function keepalive(silentMs: number): ChannelOptions {
  return { 'grpc.keepalive_time_ms': silentMs, 'grpc.keepalive_timeout_ms': silentMs, 'grpc.keepalive_permit_without_calls': 1 };
}

const identity = (bytes: Buffer): Buffer => bytes;

export class PeerLink implements PeerStreamOwner {
  readonly peer: NodeId;
  readonly #commons: LinkCommons;
  /** Where it is found: `http://host:port`. */
  readonly url: string;
  /** `host:port`. */
  readonly #address: string;
  readonly #tls: ClientTls | undefined;
  #credentials: ChannelCredentials | undefined;
  readonly #limits: LinkLimits;
  readonly #record: LinkRecord;
  #client: Client | undefined;
  #stream: PeerStream | undefined;
  readonly #outgoing: Outgoing;
  /** The peer says that it takes chunks. */
  #chunks = false;
  /** It answers questions. */
  #answers = false;
  #sentBytes = 0;
  /** Of the peer's streams to this node. */
  receivedBytes = 0;
  /** What it was asked over the stream. */
  readonly asks: Asks;
  #flushing = false;
  #timer: Timer | undefined;
  #attempt = 0;
  /** For the attempt at hand. */
  #patienceMs = CONNECT_TIMEOUT_MS;
  /** The peer has said that this node was removed from the cluster. */
  #isRemoved = false;

  constructor(peer: NodeId, url: string, commons: LinkCommons, limits: LinkLimits) {
    this.peer = peer;
    this.#commons = commons;
    this.#record = new LinkRecord(commons.clock);
    this.url = url;
    this.#address = hostPort(url);
    this.#tls = isSecure(url) ? commons.tls : undefined;
    this.#limits = limits;
    assert(limits.queueBytes >= limits.frameBytes, `a queue of ${limits.queueBytes} bytes takes a frame of ${limits.frameBytes}`);
    this.#outgoing = new Outgoing(limits.queueBytes);
    this.asks = new Asks(commons.clock, this.#address);
  }

  /** Of each stream and call: what this node says of itself may change. */
  get #metadata(): Metadata {
    const metadata = this.#commons.identity.clone();
    metadata.set(META_TO, String(this.peer));
    return metadata;
  }

  get isUp(): boolean {
    return this.#record.state === 'up';
  }

  /** Bytes of frames that wait. */
  get queuedBytes(): number {
    return this.#outgoing.bytes;
  }

  /** Frames dropped for want of room since the start. */
  get dropped(): number {
    return this.#outgoing.dropped;
  }

  get status(): Omit<LinkStatus, 'isHeard'> {
    const { peer, url, queuedBytes, dropped, receivedBytes } = this;
    const counts = { queuedBytes, droppedFrames: dropped, sentBytes: this.#sentBytes, receivedBytes };
    return { peer, url, ...this.#record.told, patienceMs: this.#patienceMs, ...counts };
  }

  start(): void {
    if (this.#record.state === 'idle') this.#connect();
  }

  /** The peer was heard from: it is worth another try at once. */
  hurry(): void {
    if (this.#record.state !== 'waiting') return;
    this.#timer?.cancel();
    this.#attempt = 0;
    this.#connect();
  }

  send(frame: Uint8Array, lane: Lane): void {
    if (this.#record.state === 'stopped') return;
    if (this.#record.state !== 'up') {
      this.#outgoing.keep(frame, lane);
      return;
    }
    if (frame.length > WHOLE_BYTES && !this.#chunks) this.#tooLargeForPeer(frame.length);
    this.#outgoing.push(frame, lane);
    this.#schedule();
  }

  #tooLargeForPeer(bytes: number): void {
    const why = new NetworkError('TOO_LARGE', `${bytes} bytes: it takes ${WHOLE_BYTES} until it runs a newer version`);
    this.#commons.refusals.warn(`peer ${formatId(this.peer)}`, 'a frame is too large for a peer', why.message);
  }

  #schedule(): void {
    if (this.#flushing || !this.#outgoing.has(this.#mayGo(BULK_BYTES)) || !this.#mayGo(2 * BULK_BYTES)) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  /** Less than so many bytes of the stream are not on their way yet. */
  #mayGo(bytes: number): boolean {
    return (this.#stream?.waitingBytes ?? 0) < bytes;
  }

  #flush(): void {
    const stream = this.#stream;
    if (this.#record.state !== 'up' || stream === undefined) return;
    while (this.#mayGo(2 * BULK_BYTES)) {
      const batch = this.#outgoing.take(this.#mayGo(BULK_BYTES), this.#chunks);
      if (batch === undefined) break;
      const message = encodeBatch(batch);
      this.#sentBytes += message.length;
      stream.write(message);
      // What goes into one system call as well as into two is not gathered.
      if (stream.waitingBytes >= FLUSH_BYTES) stream.flush();
    }
    stream.flush();
  }

  #connect(): void {
    this.#record.to('connecting');
    const { clock, pool, silentMs } = this.#commons;
    this.#client = this.#newClient();
    const identity = this.#metadata.getMap() as Record<string, string>;
    const stream = new PeerStream(this.#address, { clock, pool, silentMs, identity, tls: this.#tls }, this);
    this.#stream = stream;
    this.#timer = clock.setTimer(this.#patienceMs, () => this.#tooSlow(stream));
  }

  #newClient(): Client {
    this.#credentials = credentialsOf(this.#tls);
    return new Client(this.#address, this.#credentials, {
      ...this.#commons.pings,
      ...grpcLimits(this.#limits),
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
      'grpc.enable_channelz': 0,
      'grpc.enable_retries': 0,
      'grpc-node.flow_control_window': 4 * MiB,
    });
  }

  /** For calls; another one once certificates have changed, since its connection may come anew. */
  #callClient(): Client | undefined {
    if (this.#client !== undefined && this.#tls !== undefined && this.#tls.credentials !== this.#credentials) {
      this.#client.close();
      this.#client = this.#newClient();
    }
    return this.#client;
  }

  #tooSlow(stream: PeerStream): void {
    if (stream !== this.#stream || this.#record.state !== 'connecting') return;
    const nextMs = stream.isTaken ? Math.min(MAX_ANSWER_MS, 2 * this.#patienceMs) : CONNECT_TIMEOUT_MS;
    stream.cancel();
    this.#over(stream, undefined, `no answer within ${this.#patienceMs} ms`);
    this.#patienceMs = nextMs;
  }

  streamUp(stream: PeerStream, chunks: string, asks: string): void {
    if (stream !== this.#stream || this.#record.state !== 'connecting') return;
    this.#timer?.cancel();
    this.#record.to('up');
    this.#attempt = 0;
    this.#chunks = chunks === String(CHUNK_FORMAT);
    this.#answers = asks === String(ASKS_FORMAT);
    this.#commons.losses.connected(this.peer);
    this.#schedule();
  }

  streamRoom(stream: PeerStream): void {
    if (stream === this.#stream) this.#schedule();
  }

  streamOver(stream: PeerStream, refusal: StreamRefusal | undefined): void {
    this.#over(stream, refusal, refusal?.details ?? stream.failure?.message ?? 'the stream ended');
  }

  #over(stream: PeerStream, refusal: StreamRefusal | undefined, why: string): void {
    if (stream !== this.#stream || this.#record.state === 'stopped') return;
    const wasUp = this.#record.state === 'up';
    this.#record.ended(why);
    this.#timer?.cancel();
    this.#stream = undefined;
    this.#client?.close();
    this.#client = undefined;
    this.#outgoing.clear();
    this.asks.lost();
    this.#patienceMs = CONNECT_TIMEOUT_MS;
    const refused = refusal?.code === Status.FAILED_PRECONDITION || refusal?.code === Status.PERMISSION_DENIED;
    if (isRemoval(refusal)) {
      this.#isRemoved = true;
      this.#commons.losses.removed(this.peer);
    }
    if (this.#tls !== undefined && !wasUp && stream.failure !== undefined && !isUnreachable(stream.failure)) {
      this.#commons.refusals.warn(`peer ${formatId(this.peer)}`, 'no TLS with a peer comes about', stream.failure.message);
    }
    if (refused) this.#commons.refusals.warn(`peer ${formatId(this.peer)}`, 'a peer refuses this node', refusal.details);
    this.#record.to('waiting');
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
    if (this.#record.state === 'stopped') return Promise.reject(new NetworkError('CLOSED', 'the network is stopped'));
    const client = this.#callClient();
    if (this.#isRemoved) return Promise.reject(new NetworkError('REMOVED', `${this.#address} says that this member was removed from the cluster`));
    if (client === undefined) return Promise.reject(new NetworkError('UNREACHABLE', `no connection to ${this.#address}`));
    if (request.length > this.#limits.frameBytes) return Promise.reject(new NetworkError('TOO_LARGE', `${method}: a request of ${request.length} bytes`));
    const options = { deadline: Date.now() + timeoutMs };
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(CALL_PATH, identity, identity, encodeCall(method, request), this.#metadata, options, (error, reply) => {
        if (error !== null) reject(toNetworkError(error, method, this.#address));
        else if (reply === undefined) reject(new NetworkError('REMOTE', `${method}: no reply`));
        else settle(reply, resolve, reject);
      });
    });
  }

  /** Over the stream. Undefined: it takes no questions, or not now. */
  ask(method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> | undefined {
    if (this.#record.state !== 'up' || !this.#answers || request.length > MAX_QUESTION_BYTES) return undefined;
    return this.asks.ask(method, request, timeoutMs, (frame) => this.send(frame, 'prompt'));
  }

  stop(): void {
    if (this.#record.state === 'stopped') return;
    this.#record.to('stopped');
    this.asks.lost();
    this.#timer?.cancel();
    this.#outgoing.clear();
    this.#client?.close();
    this.#stream?.cancel();
  }
}

/** Nobody is there: what every start of a cluster sees. */
function isUnreachable(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET';
}

function isRemoval(refusal: Pick<StreamRefusal, 'code' | 'details'> | undefined): boolean {
  return refusal?.code === Status.PERMISSION_DENIED && refusal.details.startsWith(REMOVED_WORDS);
}

function settle(reply: Buffer, resolve: (bytes: Uint8Array) => void, reject: (error: unknown) => void): void {
  try {
    resolve(decodeReply(reply));
  } catch (error) {
    reject(new NetworkError('REMOTE', messageOf(error)));
  }
}

function toNetworkError(error: ServiceError, method: string, address: string): NetworkError {
  if (isRemoval(error)) return new NetworkError('REMOVED', error.details, { address });
  switch (error.code) {
    case Status.DEADLINE_EXCEEDED:
      return new NetworkError('TIMEOUT', `${method} at ${address}`, { address });
    case Status.UNAVAILABLE:
    case Status.CANCELLED:
      return new NetworkError('UNREACHABLE', `${method} at ${address}: ${error.details}`, { address });
    case Status.RESOURCE_EXHAUSTED:
      return new NetworkError('TOO_LARGE', `${method} at ${address}: ${error.details}`, { address });
    case Status.FAILED_PRECONDITION:
      return new NetworkError('OTHER_MEMBER', `${method} at ${address}: ${error.details}`, { address });
    default:
      return new NetworkError('REMOTE', error.details, { address });
  }
}
