/**
 * The Network of one life of a node: the member as which it speaks, at the place where its machine
 * stands, and whom it knows where. What it sends is moved by `SimNetwork`; once its process is dead
 * it does nothing any more.
 *
 * As the real transport has it: whoever says that it is of this cluster is let in, up to a bound,
 * even if it is not known here; who was removed is told so and not heard.
 */

import type { Network, NetworkHandler } from '../../base/env.js';
import { NetworkError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { MAX_MESSAGE_BYTES } from '../../replica/base/limits.js';
import type { Process } from '../world/world.js';
import { placeAt } from './address.js';

/** As the real transport has it. */
export const MAX_FRAME_BYTES = MAX_MESSAGE_BYTES;

/** More than are ever added while one member is away. */
const MAX_GUESTS = 16;

/** As whom a life speaks, and where it finds the others when it begins. */
export interface Speaker {
  readonly member: NodeId;
  /** By member, itself not among them: the place. */
  readonly peers: ReadonlyMap<NodeId, NodeId>;
}

/** A call under way, at the caller. Settled once; later answers are ignored. */
export interface PendingCall {
  /** The place that is called, and the member that is meant. */
  readonly to: NodeId;
  readonly member: NodeId;
  readonly fail: (error: Error) => void;
}

export interface EndpointHost {
  started(endpoint: SimEndpoint): Promise<void>;
  stopped(endpoint: SimEndpoint): void;
  /** It talks with others from now on; these were removed, and are to be told. */
  repeered(endpoint: SimEndpoint, removed: readonly NodeId[]): void;
  send(endpoint: SimEndpoint, to: NodeId, frame: Uint8Array): void;
  call(endpoint: SimEndpoint, to: NodeId, method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /** What whoever stands at that place says of his cluster. */
  describe(endpoint: SimEndpoint, place: NodeId, timeoutMs: number): Promise<Uint8Array>;
}

export class SimEndpoint implements Network {
  readonly maxFrameBytes = MAX_FRAME_BYTES;
  /** Its place. */
  readonly id: NodeId;
  readonly member: NodeId;
  readonly process: Process;
  /** Calls of this life that wait for their answer, in the order in which they were made. */
  readonly pending = new Set<PendingCall>();
  handler: NetworkHandler | undefined;
  isStopped = false;
  readonly #host: EndpointHost;
  /** Where each member that it talks to is found. */
  #places: ReadonlyMap<NodeId, NodeId>;
  /** Of the cluster by their word, and not among those that it was told of. */
  readonly #guests = new Map<NodeId, NodeId>();
  #removed: ReadonlySet<NodeId> = new Set();

  constructor(process: Process, { member, peers }: Speaker, host: EndpointHost) {
    this.id = process.node;
    this.member = member;
    this.#places = peers;
    this.process = process;
    this.#host = host;
  }

  /** It can be connected to. */
  get listens(): boolean {
    return this.handler !== undefined && !this.isStopped && this.process.alive;
  }

  start(handler: NetworkHandler): Promise<void> {
    this.handler = handler;
    return this.#host.started(this);
  }

  send(to: NodeId, frame: Uint8Array): void {
    if (this.isStopped || !this.process.alive) return;
    this.#host.send(this, to, frame);
  }

  call(to: NodeId, method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return this.#host.call(this, to, method, request, timeoutMs);
  }

  ask(to: NodeId, method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return this.call(to, method, request, timeoutMs);
  }

  describe(url: string, timeoutMs: number): Promise<Uint8Array> {
    const place = placeAt(url);
    if (place === undefined || place === this.id) return Promise.reject(new NetworkError('UNREACHABLE', `nobody else is asked at ${url}`));
    return this.#host.describe(this, place, timeoutMs);
  }

  guests(): readonly NodeId[] {
    return [...this.#guests.keys()];
  }

  /** Where it finds that member. */
  placeOf(member: NodeId): NodeId | undefined {
    return this.#places.get(member) ?? this.#guests.get(member);
  }

  /** It talks to that member, or has let it in. */
  knows(member: NodeId): boolean {
    return this.placeOf(member) !== undefined;
  }

  /** It tells that one that it was removed, and hears nothing of what it says. */
  refuses(member: NodeId): boolean {
    return this.#removed.has(member);
  }

  /** Whether it listens to who says that it is this member, from there. */
  admits(member: NodeId, place: NodeId): boolean {
    if (this.refuses(member)) return false;
    if (this.knows(member)) return true;
    if (this.#guests.size >= MAX_GUESTS) return false;
    this.#guests.set(member, place);
    return true;
  }

  setPeers(peers: ReadonlyMap<NodeId, readonly string[]>, removed: readonly NodeId[]): void {
    const places = new Map<NodeId, NodeId>();
    for (const [member, [url]] of peers) {
      const place = placeAt(url);
      if (place !== undefined) places.set(member, place);
    }
    const told = removed.filter((member) => !this.#removed.has(member));
    this.#places = places;
    this.#removed = new Set(removed);
    for (const guest of this.#guests.keys()) if (places.has(guest) || this.#removed.has(guest)) this.#guests.delete(guest);
    if (!this.isStopped) this.#host.repeered(this, told);
  }

  stop(): Promise<void> {
    if (!this.isStopped) {
      this.isStopped = true;
      this.#host.stopped(this);
    }
    return Promise.resolve();
  }
}
