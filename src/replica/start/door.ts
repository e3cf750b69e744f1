/**
 * The peers' way in, from before there is a replica: one that lacks something at its very start
 * must be able to ask for it. Until the replica takes its place frames are dropped, as any network
 * may drop them, and calls are refused but for those that can be answered without it: a member that
 * waits for its peers must not keep from them what they wait for.
 */

import type { Network, NetworkHandler } from '../../base/env.js';
import { NetworkError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { isTableCall, type TableServer } from '../fetch/table-server.js';

export class Door implements NetworkHandler {
  readonly #network: Network;
  #inner: NetworkHandler | undefined;
  #early: TableServer | undefined;
  #opened = false;

  constructor(network: Network) {
    this.#network = network;
  }

  /** From now on peers can be called. More than once does nothing more. */
  async open(): Promise<void> {
    if (this.#opened) return;
    this.#opened = true;
    await this.#network.start(this);
  }

  /** Blocks of tables are served, before there is a replica; undefined: no more. */
  serve(early: TableServer | undefined): void {
    this.#early = early;
  }

  /** From now on peers are answered. */
  async enter(inner: NetworkHandler): Promise<void> {
    this.#inner = inner;
    await this.open();
  }

  /** Nobody will answer. */
  async shut(): Promise<void> {
    if (this.#opened) await this.#network.stop();
  }

  onFrame(from: NodeId, frame: Uint8Array): void {
    this.#inner?.onFrame(from, frame);
  }

  onCall(from: NodeId, method: string, request: Uint8Array): Promise<Uint8Array> {
    if (this.#inner !== undefined) return this.#inner.onCall(from, method, request);
    if (this.#early !== undefined && isTableCall(method)) return this.#early.answer(request);
    return Promise.reject(new NetworkError('CLOSED', 'this member is still opening its files'));
  }

  onDisconnect(peer: NodeId): void {
    this.#inner?.onDisconnect(peer);
  }
}
