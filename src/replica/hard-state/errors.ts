/** Why the hard state cannot be used. */

import { KintsugiError } from '../../base/errors.js';

export type HardStateErrorCode =
  /** The file is gone beside files that were only written after it. */
  | 'MISSING'
  /**
   * Fewer than two slots agree on the highest sequence: what was promised is not known, so the node
   * must not vote (R5).
   */
  | 'UNREADABLE'
  /**
   * A write or sync failed: what is durable is unknown, so nothing may be sent on the strength of
   * it (R2).
   */
  | 'WRITE_FAILED'
  | 'EXISTS';

export class HardStateError extends KintsugiError<HardStateErrorCode> {
  override readonly name = 'HardStateError';
}
