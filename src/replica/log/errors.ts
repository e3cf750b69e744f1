/**
 * What the durable log says instead of losing or inventing an entry. Damage is an operating error,
 * never an assertion.
 */

import { KintsugiError } from '../../base/errors.js';

export type LogErrorCode =
  /**
   * R6 an entry is known to have been written and its bytes are bad. `data`: index, term, segment,
   * offset, count, why.
   */
  | 'ENTRY_FAULTY'
  /** A tail that nothing proves is to be cut off. */
  | 'TAIL_TORN'
  /** An entry that was good at open cannot be read now. `data`: index, term, segment, offset. */
  | 'ENTRY_UNREADABLE'
  /** A sync failed: the log takes nothing more until it is opened again. */
  | 'SYNC_FAILED'
  /** A write failed in the middle: the log takes nothing more until it is opened again. */
  | 'WRITE_FAILED'
  /** There was no room for another segment. Nothing was written; the append may be tried again. */
  | 'NO_SPACE'
  | 'CLOSED';

export class LogError extends KintsugiError<LogErrorCode> {
  override readonly name = 'LogError';
}
