/**
 * What somebody holds for as long as its key is there and its lease lives: a lock, or the
 * leadership of an election. Whoever holds it may act on it until `lost` is aborted. A write that
 * must not come late, whatever happens, has `isHeld` among its conditions.
 */

import type { Compare } from '../api/requests.js';
import { ClientError } from './errors.js';
import type { Lease } from './lease.js';
import { isCreatedAt, type Place, type Queue } from './queue.js';

export abstract class Held implements AsyncDisposable {
  /** There as long as it is held. */
  readonly key: Uint8Array;
  /** The revision that created the key: grows from one holder to the next. */
  readonly createRevision: number;
  readonly lease: Lease;
  /** Of the store, when it was taken. */
  readonly revision: number;
  protected readonly queue: Queue;
  readonly #ownsLease: boolean;
  readonly #lost = new AbortController();
  readonly #leaseLost = (): void => this.lose(this.lease.lost.reason as ClientError);
  #released: Promise<void> | undefined;

  constructor(queue: Queue, place: Place) {
    this.queue = queue;
    this.key = place.key;
    this.createRevision = place.createRevision;
    this.revision = place.revision;
    this.lease = place.lease;
    this.#ownsLease = place.ownsLease;
    this.lease.lost.addEventListener('abort', this.#leaseLost, { once: true });
    if (this.lease.lost.aborted) this.#leaseLost();
  }

  /**
   * Aborted once this must not be relied upon any more. Its `reason` is a ClientError: CANCELLED:
   * it was given up here; FAILED_PRECONDITION: somebody deleted its key; else what ended the lease.
   */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** A condition of a transaction that holds as long as this is held. */
  get isHeld(): Compare {
    return isCreatedAt(this.key, this.createRevision);
  }

  /** Gives it up; if that fails, it ends with its lease. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch(() => undefined);
  }

  /** Once. `lost` is aborted before that is sent. */
  protected release(): Promise<void> {
    return (this.#released ??= this.#release());
  }

  protected lose(why: ClientError): void {
    this.lease.lost.removeEventListener('abort', this.#leaseLost);
    if (!this.#lost.signal.aborted) this.#lost.abort(why);
  }

  async #release(): Promise<void> {
    this.lose(new ClientError('CANCELLED', { details: 'it was given up', unsent: true }));
    if (this.#ownsLease) await this.lease.revoke();
    else await this.queue.delete(this);
  }
}
