/**
 * The members' Network over gRPC: one long-lived stream per pair and direction, messages batched,
 * and unary calls on the same connections. Nothing is accepted from a sender that is not a member
 * of this cluster. When a stream breaks that was up, in either direction, the peer's process is
 * most likely gone: that is told at once, once per connection.
 */

import { Metadata, Server, ServerCredentials, status as Status } from '@grpc/grpc-js';
import type { sendUnaryData, ServerReadableStream, ServerUnaryCall } from '@grpc/grpc-js';
import { MiB } from '../base/bytes.js';
import type { Clock, Network, NetworkHandler, Random } from '../base/env.js';
import { CodecError, NetworkError, messageOf } from '../base/errors.js';
import type { EventSink } from '../base/events.js';
import { formatId, type NodeId } from '../base/ids.js';
import {
  CALL_PATH, META_CLUSTER, META_FROM, META_TO, STREAM_PATH, decodeBatch, decodeCall, encodeReply,
} from './peer/peer-codec.js';
import { DEFAULT_LINK_LIMITS, keepalive, PeerLink, type LinkLimits } from './peer/peer-link.js';
import { forceClose } from './peer/force-close.js';
import { PeerLosses } from './peer/peer-losses.js';
import { Refusals } from './peer/refusals.js';
import { statusOf } from './rpc/status.js';

export interface PeerNetworkOptions {
  readonly self: NodeId;
  readonly clusterId: bigint;
  /** All other members: `http://host:port`. */
  readonly peers: ReadonlyMap<NodeId, string>;
  /** `host:port` each; port 0 takes a free one, see {@link PeerNetwork.ports}. */
  readonly listen: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  readonly limits?: LinkLimits;
  /**
   * Milliseconds: a peer from which nothing came for so long is pinged, and is gone when it does
   * not answer for as long: a machine that lost its power says no goodbye. Default 1000.
   */
  readonly silentMs?: number;
}

type InStream = ServerReadableStream<Buffer, Buffer>;

const identity = (bytes: Buffer): Buffer => bytes;
const EMPTY_REPLY = Buffer.alloc(0);

/** `host:port` of `http://host:port`. */
export function hostPort(url: string): string {
  const parsed = new URL(url);
  return `${parsed.hostname}:${parsed.port === '' ? '80' : parsed.port}`;
}

export class PeerNetwork implements Network {
  readonly maxFrameBytes = 8 * MiB;
  readonly #options: PeerNetworkOptions;
  readonly #links = new Map<NodeId, PeerLink>();
  /** The newest stream from each peer. */
  readonly #inbound = new Map<NodeId, InStream>();
  readonly #losses = new PeerLosses();
  readonly #refusals: Refusals;
  readonly #server: Server;
  #ports: number[] = [];
  #handler: NetworkHandler | undefined;
  #stopped = false;

  constructor(options: PeerNetworkOptions) {
    this.#options = options;
    const limits = options.limits ?? DEFAULT_LINK_LIMITS;
    const pings = keepalive(options.silentMs ?? 1_000);
    const own = new Metadata();
    own.set(META_CLUSTER, options.clusterId.toString());
    own.set(META_FROM, String(options.self));
    this.#refusals = new Refusals(options.events);
    const { clock, random } = options;
    const commons = { clock, random, identity: own, losses: this.#losses, refusals: this.#refusals, pings };
    for (const [peer, url] of options.peers) this.#links.set(peer, new PeerLink(peer, hostPort(url), commons, limits));
    this.#server = new Server({
      ...pings,
      'grpc.max_receive_message_length': limits.messageBytes,
      'grpc.max_send_message_length': limits.messageBytes,
      'grpc.enable_channelz': 0,
      'grpc-node.flow_control_window': 4 * MiB,
    });
    this.#server.register(STREAM_PATH, this.#onStream.bind(this), identity, identity, 'clientStream');
    this.#server.register(CALL_PATH, this.#onCall.bind(this), identity, identity, 'unary');
  }

  /** The ports that are listened on, in the order of `listen`. */
  get ports(): readonly number[] {
    return this.#ports;
  }

  /** Whether frames to this peer find a stream. */
  isUp(peer: NodeId): boolean {
    return this.#links.get(peer)?.isUp ?? false;
  }

  /** Frames dropped for want of room since the start, all peers together. */
  get droppedFrames(): number {
    let dropped = 0;
    for (const link of this.#links.values()) dropped += link.dropped;
    return dropped;
  }

  async start(handler: NetworkHandler): Promise<void> {
    this.#handler = handler;
    this.#losses.start(handler);
    this.#ports = await Promise.all(this.#options.listen.map((address) => this.#listen(address)));
    for (const link of this.#links.values()) link.start();
  }

  #listen(address: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(new NetworkError('UNREACHABLE', `cannot listen on ${address}: ${/\[(.*)\]$/.exec(error.message)?.[1] ?? error.message}`, { address }));
      });
    });
  }

  send(to: NodeId, frame: Uint8Array): void {
    if (frame.length > this.maxFrameBytes) {
      this.#warn('frame above the limit was dropped', { to: formatId(to), bytes: frame.length });
      return;
    }
    this.#links.get(to)?.send(frame);
  }

  call(to: NodeId, method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const link = this.#links.get(to);
    if (link === undefined) return Promise.reject(new NetworkError('UNREACHABLE', `no member ${formatId(to)}`));
    return link.call(method, request, timeoutMs);
  }

  /** The sender, or why it is refused. */
  #sender(metadata: Metadata): NodeId | { readonly code: Status; readonly details: string } {
    const first = (key: string): string => String(metadata.get(key)[0] ?? '');
    const { clusterId, self } = this.#options;
    const cluster = first(META_CLUSTER);
    const from = Number(first(META_FROM));
    const refuse = (code: Status, details: string): { code: Status; details: string } => ({ code, details });
    if (cluster !== clusterId.toString()) {
      const theirs = /^\d+$/.test(cluster) ? BigInt(cluster).toString(16) : 'none';
      return refuse(Status.FAILED_PRECONDITION, `cluster id mismatch: this is ${clusterId.toString(16)}, the sender's is ${theirs}`);
    }
    if (Number(first(META_TO)) !== self) {
      return refuse(Status.FAILED_PRECONDITION, `this is member ${formatId(self)}, not ${formatId(Number(first(META_TO)))}`);
    }
    if (!this.#links.has(from)) return refuse(Status.PERMISSION_DENIED, `member ${formatId(from)} is not known here`);
    return from;
  }

  #onStream(call: InStream, callback: sendUnaryData<Buffer>): void {
    const sender = this.#sender(call.metadata);
    if (typeof sender !== 'number') {
      this.#refusals.warn(call.getPeer().replace(/:\d+$/, ''), 'a stream was refused', sender.details);
      callback(sender, null);
      return;
    }
    call.sendMetadata(new Metadata());
    this.#inbound.set(sender, call);
    this.#losses.connected(sender);
    this.#links.get(sender)?.hurry();
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      if (this.#inbound.get(sender) !== call) return;
      this.#inbound.delete(sender);
      this.#losses.broke(sender);
    };
    call.on('data', (batch: Buffer) => this.#onBatch(sender, batch, call));
    call.on('end', () => {
      end();
      callback(null, EMPTY_REPLY);
    });
    call.on('cancelled', end);
    call.on('error', end);
  }

  #onBatch(from: NodeId, batch: Buffer, call: InStream): void {
    const handler = this.#handler;
    if (handler === undefined || this.#stopped) return;
    try {
      decodeBatch(batch, (frame) => handler.onFrame(from, frame));
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.#warn('a batch of frames does not parse', { from: formatId(from), why: messageOf(error) });
      call.emit('error', { code: Status.INTERNAL, details: messageOf(error) });
    }
  }

  #onCall(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void {
    const sender = this.#sender(call.metadata);
    if (typeof sender !== 'number') {
      callback(sender, null);
      return;
    }
    const fail = (error: unknown): void => callback({ code: Status.UNKNOWN, details: statusOf(error).details }, null);
    const handler = this.#handler;
    if (handler === undefined || this.#stopped) {
      callback({ code: Status.UNAVAILABLE, details: 'the network is stopped' }, null);
      return;
    }
    try {
      const { method, payload } = decodeCall(call.request);
      handler.onCall(sender, method, payload).then((reply) => callback(null, encodeReply(reply)), fail);
    } catch (error) {
      fail(error);
    }
  }

  #warn(message: string, data: Record<string, unknown>): void {
    this.#options.events.emit({ type: 'warning', message, data });
  }

  stop(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#stopped = true;
    this.#losses.stop();
    for (const link of this.#links.values()) link.stop();
    forceClose(this.#server);
    return Promise.resolve();
  }
}
