/**
 * Is the peer still there? One that is silent for too long is pinged, and given up if it stays
 * silent. Anything that it sends is a sign of life, and so is that it reads what we send.
 */

import type { Http2Limits } from './limits.js';

type KeepaliveLimits = Pick<Http2Limits, 'keepaliveMs' | 'keepaliveTimeoutMs'>;

export class Keepalive {
  readonly #limits: KeepaliveLimits;
  #heard = false;
  #heardAt: number;
  #pingedAt: number | undefined = undefined;

  constructor(limits: KeepaliveLimits, now: number) {
    this.#limits = limits;
    this.#heardAt = now;
  }

  /** A sign of life; cheap, as it is given for each chunk. */
  heard(): void {
    this.#heard = true;
  }

  tick(now: number): 'alive' | 'ping' | 'dead' {
    const { keepaliveMs, keepaliveTimeoutMs } = this.#limits;
    if (this.#heard) {
      this.#heard = false;
      this.#heardAt = now;
      this.#pingedAt = undefined;
    }
    if (keepaliveMs === 0) return 'alive';
    if (this.#pingedAt !== undefined) return now - this.#pingedAt >= keepaliveTimeoutMs ? 'dead' : 'alive';
    if (now - this.#heardAt < keepaliveMs) return 'alive';
    this.#pingedAt = now;
    return 'ping';
  }
}
