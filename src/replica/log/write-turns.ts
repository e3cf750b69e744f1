/**
 * Who writes to a log: one at a time, an append or other work (identities, marks, the record of
 * rest), which an append waits for. R2 After a write or a sync that failed nobody does but what
 * renews the log, and nobody once it is closed.
 */

import { assert } from '../../base/assert.js';
import type { LogError } from './errors.js';
import { LogHealth } from './log-health.js';

export class WriteTurns {
  readonly #health = new LogHealth();
  /** An append has begun and not ended. */
  #appending = false;
  /** Other work goes on. */
  #busy: Promise<void> | undefined;

  get isAppending(): boolean {
    return this.#appending;
  }

  /** Nothing is written, and it may be. */
  get isQuiet(): boolean {
    return !this.#appending && this.#busy === undefined && this.refusal === undefined;
  }

  /** Why nothing may be written; undefined: it may. */
  get refusal(): LogError | undefined {
    return this.#health.refusal;
  }

  /** Only what renews the log may write. */
  get isFailed(): boolean {
    return this.#health.isFailed;
  }

  get isClosed(): boolean {
    return this.#health.isClosed;
  }

  /** To be called by who has its turn: the log goes on in a fresh segment. */
  renewed(): void {
    this.#health.renewed();
  }

  closed(): void {
    this.#health.closed();
  }

  /**
   * One at a time. `undo` is called when it came to nothing. Rejects with LogError, or what no disk
   * does.
   */
  async append(write: () => Promise<void>, undo: () => void): Promise<void> {
    assert(!this.#appending, 'one append at a time');
    this.#appending = true;
    try {
      while (this.#busy !== undefined) await this.#busy;
      if (this.refusal !== undefined) throw this.refusal;
      await write();
    } catch (error) {
      undo();
      throw this.#health.fail(error);
    } finally {
      this.#appending = false;
    }
  }

  /**
   * Not while an append goes on. `renews`: it writes a mark, which a log that failed goes on with.
   * Rejects as {@link append} does.
   */
  async exclusively(run: () => Promise<void>, renews = false): Promise<void> {
    assert(!this.#appending, 'one write at a time');
    // Nobody may begin between the last look and the turn: no wait where nothing is waited for.
    while (this.#busy !== undefined) await this.#busy;
    if (this.refusal !== undefined && !(renews && this.isFailed)) throw this.refusal;
    const running = run().catch((error: unknown) => Promise.reject(this.#health.fail(error)));
    this.#busy = running.then(() => undefined, () => undefined).finally(() => (this.#busy = undefined));
    await running;
  }

  /** Resolves when no other work goes on, however it ended. */
  async settled(): Promise<void> {
    while (this.#busy !== undefined) await this.#busy;
  }
}
