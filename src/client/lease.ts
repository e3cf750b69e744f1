/**
 * A lease that keeps itself alive: a keep-alive each third of its TTL, at any endpoint that
 * answers. Whoever holds it may act on it until `lost` is aborted, and that is never later than the
 * cluster may let it end: the TTL counts from when the last keep-alive that was answered had been
 * *sent*.
 *
 *     await using lease = await client.lease.hold({ ttl: 10 });
 *     await client.put('services/a', '10.0.0.1:80', { lease: lease.id });
 *     lease.lost.addEventListener('abort', () => stopServing());
 */

import type { Clock, Timer } from '../base/env.js';
import type { Caller } from './caller.js';
import { ClientError } from './errors.js';
import { leaseKeepAlive, leaseRevoke } from './lease-calls.js';

/** Of the TTL, between two keep-alives; what is not answered by then is asked elsewhere. */
const SHARE = 1 / 3;
/** Before a keep-alive that failed at all endpoints is sent again. */
const RETRY_MS = 200;

export class Lease implements AsyncDisposable {
  readonly id: bigint;
  readonly #caller: Caller;
  readonly #clock: Clock;
  readonly #lost = new AbortController();
  #ttlMs: number;
  /** The next keep-alive. */
  #next: Timer | undefined;
  /** The moment from which on the cluster may have let it end. */
  #end: Timer | undefined;
  /** Why the last keep-alive was not answered. */
  #failure: ClientError | undefined;

  /** `ttl` in seconds counts from `sentAt`, of the clock. Use `client.lease.hold`. */
  constructor(caller: Caller, { id, ttl }: { readonly id: bigint; readonly ttl: number }, sentAt: number, clock: Clock) {
    this.id = id;
    this.#caller = caller;
    this.#clock = clock;
    this.#ttlMs = ttl * 1000;
    this.#renewed(sentAt);
  }

  /** Seconds. */
  get ttl(): number {
    return this.#ttlMs / 1000;
  }

  /**
   * Aborted once this lease must not be relied upon any more. Its `reason` is a ClientError:
   * NOT_FOUND: it ended or was revoked; CANCELLED: it was given up here; else why no keep-alive was
   * answered for a TTL.
   */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Its keys are deleted. `lost` is aborted before that is sent. One that is gone already is no
   * error.
   */
  async revoke(): Promise<void> {
    this.abandon();
    try {
      await leaseRevoke(this.#caller, this.id, {}, 'read');
    } catch (error) {
      if (!(error instanceof ClientError && error.code === 'NOT_FOUND')) throw error;
    }
  }

  /** It is not kept alive from now on: the cluster lets it end after its TTL. */
  abandon(): void {
    this.#lose(new ClientError('CANCELLED', { details: 'the lease was given up', unsent: true }));
  }

  /** Revokes it; if that fails, it ends by itself after its TTL. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.revoke().catch(() => undefined);
  }

  #lose(why: ClientError): void {
    this.#next?.cancel();
    this.#end?.cancel();
    // Ends the keep-alive that is under way, too.
    if (!this.#lost.signal.aborted) this.#lost.abort(why);
  }

  #renewed(sentAt: number): void {
    const past = this.#clock.now() - sentAt;
    this.#failure = undefined;
    this.#end?.cancel();
    this.#end = this.#clock.setTimer(Math.max(0, this.#ttlMs - past), () => this.#lose(this.#failure ?? unanswered(this.ttl)));
    this.#schedule(Math.max(0, this.#ttlMs * SHARE - past));
  }

  #schedule(afterMs: number): void {
    this.#next = this.#clock.setTimer(afterMs, () => void this.#keepAlive());
  }

  /** Never rejects. */
  async #keepAlive(): Promise<void> {
    const sentAt = this.#clock.now();
    try {
      const { ttl } = await leaseKeepAlive(this.#caller, this.id, { timeoutMs: this.#ttlMs * SHARE, signal: this.lost });
      if (this.lost.aborted) return;
      this.#ttlMs = ttl * 1000;
      this.#renewed(sentAt);
    } catch (error) {
      if (this.lost.aborted) return;
      const failure = error instanceof ClientError ? error : new ClientError('INTERNAL', { details: String(error), cause: error });
      this.#failure = failure;
      if (failure.code === 'NOT_FOUND') this.#lose(failure);
      else this.#schedule(RETRY_MS);
    }
  }
}

function unanswered(ttl: number): ClientError {
  return new ClientError('DEADLINE_EXCEEDED', { details: `no keep-alive was answered for ${ttl} s` });
}
