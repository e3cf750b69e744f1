/**
 * Which peers were reported as disconnected. A broken stream, in either direction, most likely
 * means that the peer's process is gone: the node hears of it at once, and once per connection,
 * whichever direction breaks first.
 */

import type { NetworkHandler } from '../../base/env.js';
import type { NodeId } from '../../base/ids.js';

export class PeerLosses {
  readonly #reported = new Set<NodeId>();
  #handler: NetworkHandler | undefined;

  /** Reports to this handler from now on. */
  start(handler: NetworkHandler): void {
    this.#handler = handler;
  }

  /** Nothing is reported any more. */
  stop(): void {
    this.#handler = undefined;
  }

  /** A stream of this peer is up: when it breaks, that is news again. */
  connected(peer: NodeId): void {
    this.#reported.delete(peer);
  }

  /** It is no peer any more. */
  forget(peer: NodeId): void {
    this.#reported.delete(peer);
  }

  /** The peer says that this member was removed from the cluster. */
  removed(peer: NodeId): void {
    this.#handler?.onRemoved(peer);
  }

  /** A stream that was up broke. */
  broke(peer: NodeId): void {
    if (this.#handler === undefined || this.#reported.has(peer)) return;
    this.#reported.add(peer);
    this.#handler.onDisconnect(peer);
  }
}
