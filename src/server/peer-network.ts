/**
 * The members' Network over gRPC: one long-lived stream per pair and direction, messages batched,
 * small questions among them, and unary calls beside it. Nothing is accepted from a sender that is
 * not a member of this cluster. When a stream breaks that was up, in either direction, the peer's
 * process is most likely gone: that is told at once, once per connection.
 *
 * Who the members are may change while it runs (`setPeers`), and this member may be the last to
 * know: whoever says that it is of this cluster, and where it is found, is let in as well, unless
 * it is known to be removed.
 */

import { Metadata, Server, status as Status } from '@grpc/grpc-js';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import { assert } from '../base/assert.js';
import { MiB } from '../base/bytes.js';
import type { Clock, Lane, LinkStatus, Network, NetworkHandler, Random } from '../base/env.js';
import { CodecError, NetworkError, messageOf } from '../base/errors.js';
import type { EventSink } from '../base/events.js';
import { formatId, type NodeId } from '../base/ids.js';
import { DESCRIBE_METHOD } from '../replica/state/description.js';
import { describeAt } from './peer/describe-at.js';
import { Http2Pool } from '../http2/pool.js';
import {
  CALL_PATH, DESCRIBE_PATH, META_ASKS, META_CHUNKS, META_CLUSTER, META_FROM, META_TO, META_URL, REMOVED_WORDS, STREAM_PATH, decodeCall,
  encodeReply,
} from './peer/peer-codec.js';
import { answerTo, ASKS_FORMAT, isAnswer, isQuestion, readQuestion } from './peer/asks.js';
import { CHUNK_FORMAT } from './peer/chunks.js';
import { InboundStream, type InStream } from './peer/inbound-stream.js';
import { DEFAULT_LINK_LIMITS, grpcLimits, keepalive, PeerLink, type LinkCommons, type LinkLimits } from './peer/peer-link.js';
import { forceClose } from './peer/force-close.js';
import { PeerLosses } from './peer/peer-losses.js';
import { PeerCertificates } from './peer/peer-certificates.js';
import { isSecure } from './peer/peer-url.js';
import { Refusals } from './peer/refusals.js';
import { SessionPings } from './peer/session-pings.js';
import { PeerDoor } from './peer/peer-door.js';
import type { PortTls } from './tls/open.js';
import { statusOf } from './rpc/status.js';

export interface PeerNetworkOptions {
  readonly self: NodeId;
  readonly clusterId: bigint;
  /** Where the others find this member: for those that do not know it yet. */
  readonly url?: string;
  /** All other members: `http://host:port`, or `https:` for TLS. */
  readonly peers: ReadonlyMap<NodeId, string>;
  /**
   * `host:port`, or for TLS `https://host:port`, each; port 0 takes a free one, see
   * {@link PeerNetwork.ports}.
   */
  readonly listen: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  readonly limits?: LinkLimits;
  /** For what is listened on, and for members that are found, at `https:`. */
  readonly tls?: PortTls | undefined;
  /** Members need not show a certificate that is for where they are found. */
  readonly skipsSan?: boolean;
  /**
   * Milliseconds: a peer from which nothing came for so long is pinged, and is gone when it does
   * not answer for as long: a machine that lost its power says no goodbye. Default 1000.
   */
  readonly silentMs?: number;
}

const identity = (bytes: Buffer): Buffer => bytes;
const EMPTY_REPLY = Buffer.alloc(0);
/** More than are ever added while one member is away; each costs a connection. */
const MAX_GUESTS = 16;

const MISMATCH_REMEDY = ': check --initial-cluster-token and the peer URLs; where a backup was restored, all members must be made of the same ' +
  'one, by the same program, with the same --initial-cluster, --initial-cluster-token and --bump-revision of kintsugi restore, and no old member may run';

function removalOf(member: NodeId): string {
  return `${REMOVED_WORDS}: ${formatId(member)}`;
}

export class PeerNetwork implements Network {
  readonly maxFrameBytes: number;
  readonly #options: PeerNetworkOptions;
  readonly #links = new Map<NodeId, PeerLink>();
  readonly #commons: LinkCommons;
  readonly #limits: LinkLimits;
  readonly #identity: Metadata;
  /**
   * Of this cluster, by their word, and not known here: this member may be behind, and they lead.
   */
  readonly #guests = new Set<NodeId>();
  /** They are told so, and not heard. */
  #removed: ReadonlySet<NodeId> = new Set();
  /** The newest stream from each peer. */
  readonly #inbound = new Map<NodeId, InboundStream>();
  readonly #losses = new PeerLosses();
  readonly #refusals: Refusals;
  readonly #certificates = new PeerCertificates();
  readonly #doors: PeerDoor[] = [];
  readonly #server: Server;
  readonly #pings: SessionPings;
  #ports: number[] = [];
  #handler: NetworkHandler | undefined;
  #stopped = false;

  constructor(options: PeerNetworkOptions) {
    this.#options = options;
    const limits = options.limits ?? DEFAULT_LINK_LIMITS;
    this.maxFrameBytes = limits.frameBytes;
    const silentMs = options.silentMs ?? 1_000;
    const pings = keepalive(silentMs);
    const own = new Metadata();
    own.set(META_CLUSTER, options.clusterId.toString());
    own.set(META_FROM, String(options.self));
    this.#identity = own;
    this.#refusals = new Refusals(options.events);
    const { clock, random } = options;
    const pool = new Http2Pool(clock);
    this.#limits = limits;
    const tls = options.tls?.client;
    this.#commons = { clock, random, identity: own, losses: this.#losses, refusals: this.#refusals, pings, silentMs, pool, tls };
    for (const [peer, url] of options.peers) this.#links.set(peer, this.#link(peer, url));
    this.#server = new Server({
      ...grpcLimits(limits),
      'grpc.enable_channelz': 0,
      'grpc-node.flow_control_window': 4 * MiB,
    });
    this.#pings = new SessionPings(this.#server, clock, silentMs);
    this.#server.register(STREAM_PATH, this.#onStream.bind(this), identity, identity, 'clientStream');
    this.#server.register(CALL_PATH, this.#onCall.bind(this), identity, identity, 'unary');
    this.#server.register(DESCRIBE_PATH, this.#onDescribe.bind(this), identity, identity, 'unary');
  }

  #link(peer: NodeId, url: string): PeerLink {
    return new PeerLink(peer, url, this.#commons, this.#limits);
  }

  /** The ports that are listened on, in the order of `listen`. */
  get ports(): readonly number[] {
    return this.#ports;
  }

  /** Whether frames to this peer find a stream. */
  isUp(peer: NodeId): boolean {
    return this.#links.get(peer)?.isUp ?? false;
  }

  /** Bytes of frames that wait for the stream to this peer. */
  queuedBytes(peer: NodeId): number {
    return this.#links.get(peer)?.queuedBytes ?? 0;
  }

  links(): readonly LinkStatus[] {
    return [...this.#links].map(([peer, link]) => ({ ...link.status, isHeard: this.#inbound.has(peer) }));
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
    if (this.#stopped) return;
    this.#ports = await Promise.all(this.#options.listen.map((address) => this.#listen(address)));
    if (this.#stopped) return;
    this.#pings.start();
    for (const link of this.#links.values()) link.start();
  }

  setPeers(peers: ReadonlyMap<NodeId, readonly string[]>, removed: readonly NodeId[]): void {
    this.#removed = new Set(removed);
    if (this.#options.url !== undefined) this.#identity.set(META_URL, this.#options.url);
    for (const id of this.#guests) if (peers.has(id) || this.#removed.has(id)) this.#guests.delete(id);
    for (const [peer, link] of this.#links) {
      if (this.#guests.has(peer)) continue;
      const url = peers.get(peer)?.[0];
      if (url !== undefined && url === link.url) continue;
      // What it has asked for is given back, and nothing comes from it any more.
      link.stop();
      this.#links.delete(peer);
      this.#losses.forget(peer);
      if (url === undefined) this.#inbound.get(peer)?.end(Status.PERMISSION_DENIED, removalOf(peer));
    }
    for (const [peer, [url]] of peers) {
      // Who is found here is this member, from before it was re-admitted.
      if (url === undefined || url === this.#options.url || this.#links.has(peer) || this.#stopped) continue;
      const link = this.#link(peer, url);
      this.#links.set(peer, link);
      if (this.#handler !== undefined) link.start();
    }
  }

  #listen(address: string): Promise<number> {
    const secure = isSecure(address);
    assert(!secure || this.#options.tls !== undefined, `${address} is listened on with certificates`);
    const door = new PeerDoor(this.#server, secure ? this.#options.tls?.server : undefined, address, this.#options.clock);
    this.#doors.push(door);
    return door.listen();
  }

  send(to: NodeId, frame: Uint8Array, lane: Lane = 'prompt'): void {
    if (frame.length > this.maxFrameBytes) {
      const { code } = new NetworkError('TOO_LARGE', `a frame of ${frame.length} bytes`);
      this.#warn('a frame above the limit was refused', { code, to: formatId(to), bytes: frame.length });
      return;
    }
    this.#links.get(to)?.send(frame, lane);
  }

  call(to: NodeId, method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const link = this.#links.get(to);
    if (link === undefined) return Promise.reject(new NetworkError('UNREACHABLE', `no member ${formatId(to)}`));
    return link.call(method, request, timeoutMs);
  }

  ask(to: NodeId, method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const asked = this.#inbound.has(to) ? this.#links.get(to)?.ask(method, request, timeoutMs) : undefined;
    return asked ?? this.call(to, method, request, timeoutMs);
  }

  guests(): readonly NodeId[] {
    return [...this.#guests];
  }

  async describe(url: string, timeoutMs: number): Promise<Uint8Array> {
    // Who is found here is this member.
    if (this.#stopped || url === this.#options.url) throw new NetworkError('CLOSED', `nobody else is asked at ${url}`);
    return describeAt(url, timeoutMs, this.#options.tls?.client);
  }

  /** The sender, or why it is refused. */
  #sender(call: InStream | ServerUnaryCall<Buffer, Buffer>): NodeId | { readonly code: Status; readonly details: string } {
    const first = (key: string): string => String(call.metadata.get(key)[0] ?? '');
    const { clusterId, self } = this.#options;
    const cluster = first(META_CLUSTER);
    const from = Number(first(META_FROM));
    const refuse = (code: Status, details: string): { code: Status; details: string } => ({ code, details });
    if (cluster !== clusterId.toString()) {
      const theirs = /^\d+$/.test(cluster) ? BigInt(cluster).toString(16) : 'none';
      return refuse(Status.FAILED_PRECONDITION, `cluster id mismatch: this is ${clusterId.toString(16)}, the sender's is ${theirs}${MISMATCH_REMEDY}`);
    }
    if (Number(first(META_TO)) !== self) {
      return refuse(Status.FAILED_PRECONDITION, `this is member ${formatId(self)}, not ${formatId(Number(first(META_TO)))}`);
    }
    if (this.#removed.has(from)) return refuse(Status.PERMISSION_DENIED, removalOf(from));
    if (!this.#links.has(from) && !this.#admit(from, first(META_URL))) return refuse(Status.PERMISSION_DENIED, `member ${formatId(from)} is not known here`);
    const shown = this.#options.skipsSan === true ? undefined : call.getAuthContext().sslPeerCertificate?.raw;
    const why = this.#certificates.refusal(shown, this.#links.get(from)?.url ?? '');
    return why === undefined ? from : refuse(Status.PERMISSION_DENIED, why);
  }

  /** A member that was added while this one was away: what it says brings this one up to date. */
  #admit(from: NodeId, url: string): boolean {
    if (url === '' || !URL.canParse(url) || !Number.isSafeInteger(from) || from <= 0 || from === this.#options.self) return false;
    if (this.#guests.size >= MAX_GUESTS || this.#stopped) return false;
    this.#guests.add(from);
    this.#warn('a member that is not known here is let in on its word', { from: formatId(from), url, atMost: MAX_GUESTS });
    const link = this.#link(from, url);
    this.#links.set(from, link);
    link.start();
    return true;
  }

  #onStream(call: InStream, callback: sendUnaryData<Buffer>): void {
    const sender = this.#sender(call);
    if (typeof sender !== 'number') {
      this.#refusals.warn(call.getPeer().replace(/:\d+$/, ''), 'a stream was refused', sender.details);
      callback(sender, null);
      return;
    }
    const answer = new Metadata();
    answer.set(META_CHUNKS, String(CHUNK_FORMAT));
    answer.set(META_ASKS, String(ASKS_FORMAT));
    call.sendMetadata(answer);
    const older = this.#inbound.get(sender);
    const stream = new InboundStream(sender, call, this.maxFrameBytes);
    this.#inbound.set(sender, stream);
    // The newer may be one that its sender gave up long ago and that was late. Whichever is in use
    // is begun anew; one that went on half heard would never bring a frame in chunks again.
    older?.end(Status.ABORTED, 'another stream of this member has taken its place');
    this.#losses.connected(sender);
    this.#links.get(sender)?.hurry();
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      stream.release();
      if (this.#inbound.get(sender) !== stream) return;
      this.#inbound.delete(sender);
      // Answers would have come over it.
      this.#links.get(sender)?.asks.lost();
      this.#losses.broke(sender);
    };
    call.on('data', (batch: Buffer) => this.#onBatch(stream, batch));
    call.on('end', () => {
      end();
      callback(null, EMPTY_REPLY);
    });
    call.on('cancelled', end);
    call.on('error', end);
  }

  #onBatch(stream: InboundStream, batch: Buffer): void {
    const handler = this.#handler;
    if (handler === undefined || this.#stopped) return;
    const link = this.#links.get(stream.from);
    if (link !== undefined) link.receivedBytes += batch.length;
    try {
      stream.take(batch, { onFrame: (from, frame) => this.#onFrame(handler, from, frame) });
    } catch (error) {
      if (error instanceof CodecError) this.#warn('a batch of frames does not parse', { from: formatId(stream.from), why: messageOf(error) });
      stream.refuse(error);
    }
  }

  #onFrame(handler: NetworkHandler, from: NodeId, frame: Uint8Array): void {
    if (isAnswer(frame)) return this.#links.get(from)?.asks.answered(frame);
    if (!isQuestion(frame)) return handler.onFrame(from, frame);
    const answering = answerTo(readQuestion(frame), (method, request) => handler.onCall(from, method, request));
    void answering.then((answer) => this.send(from, answer));
  }

  /** Who joins asks, and knows neither the cluster nor its own id: it is told what is public. */
  #onDescribe(_call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void {
    const handler = this.#stopped ? undefined : this.#handler;
    const answer = handler?.onCall(0, DESCRIBE_METHOD, EMPTY_REPLY) ?? Promise.reject(new NetworkError('CLOSED', 'the network is stopped'));
    answer.then(
      (reply) => callback(null, encodeReply(reply)),
      (error: unknown) => callback({ code: Status.UNAVAILABLE, details: messageOf(error) }, null),
    );
  }

  #onCall(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void {
    const sender = this.#sender(call);
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
    this.#pings.stop();
    for (const link of this.#links.values()) link.stop();
    for (const door of this.#doors) door.close();
    this.#options.tls?.close();
    forceClose(this.#server);
    return Promise.resolve();
  }
}
