/**
 * Whether a log takes anything: a write or a sync that failed leaves it refusing everything until
 * it goes on in a fresh segment, for what its files then hold is not known.
 */

import { assert } from '../../base/assert.js';
import { codeOf, messageOf } from '../../base/errors.js';
import { LogError } from './errors.js';

type State = { readonly s: 'open' } | { readonly s: 'failed'; readonly error: LogError } | { readonly s: 'closed' };

export class LogHealth {
  #state: State = { s: 'open' };

  get isFailed(): boolean {
    return this.#state.s === 'failed';
  }

  get isClosed(): boolean {
    return this.#state.s === 'closed';
  }

  /** Why it takes nothing; undefined: it does. */
  get refusal(): LogError | undefined {
    switch (this.#state.s) {
      case 'open':
        return undefined;
      case 'failed':
        return this.#state.error;
      case 'closed':
        return new LogError('CLOSED', 'the log is closed');
    }
  }

  /** It goes on in a fresh segment. */
  renewed(): void {
    if (this.#state.s === 'failed') this.#state = { s: 'open' };
  }

  closed(): void {
    this.#state = { s: 'closed' };
  }

  /** Anything but a want of room is for good. Returns what the caller is told. */
  fail(error: unknown): unknown {
    const known = this.#state.s === 'failed' ? this.#state.error : undefined;
    if (error instanceof LogError && (error.code === 'NO_SPACE' || error === known)) return error;
    if (codeOf(error) === undefined) return error;
    const code = codeOf(error) === 'SYNC_FAILED' ? 'SYNC_FAILED' : 'WRITE_FAILED';
    assert(this.#state.s !== 'closed', 'R2 nothing is written to a log that is closed');
    const failure = new LogError(code, `the log takes nothing more in this segment: ${messageOf(error)}`, {}, error);
    this.#state = { s: 'failed', error: failure };
    return failure;
  }
}
