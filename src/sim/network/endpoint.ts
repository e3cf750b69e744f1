/**
 * The Network of one life of a node. What it sends is moved by `SimNetwork`; once its process is
 * dead it does nothing any more.
 */

import type { Network, NetworkHandler } from '../../base/env.js';
import type { NodeId } from '../../base/ids.js';
import { MAX_MESSAGE_BYTES } from '../../replica/base/limits.js';
import type { Process } from '../world/world.js';

/** As the real transport has it. */
export const MAX_FRAME_BYTES = MAX_MESSAGE_BYTES;

/** A call under way, at the caller. Settled once; later answers are ignored. */
export interface PendingCall {
  readonly to: NodeId;
  readonly fail: (error: Error) => void;
}

export interface EndpointHost {
  started(endpoint: SimEndpoint): Promise<void>;
  stopped(endpoint: SimEndpoint): void;
  send(endpoint: SimEndpoint, to: NodeId, frame: Uint8Array): void;
  call(endpoint: SimEndpoint, to: NodeId, method: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
}

export class SimEndpoint implements Network {
  readonly maxFrameBytes = MAX_FRAME_BYTES;
  readonly id: NodeId;
  readonly process: Process;
  /** Calls of this life that wait for their answer, in the order in which they were made. */
  readonly pending = new Set<PendingCall>();
  handler: NetworkHandler | undefined;
  isStopped = false;
  readonly #host: EndpointHost;

  constructor(process: Process, host: EndpointHost) {
    this.id = process.node;
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

  /** All nodes of a run are members for the whole run. */
  setPeers(): void {
    // There are links between all of them.
  }

  stop(): Promise<void> {
    if (!this.isStopped) {
      this.isStopped = true;
      this.#host.stopped(this);
    }
    return Promise.resolve();
  }
}
