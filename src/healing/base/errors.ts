/**
 * Healing's errors. What another node could not give is a NetworkError; what nobody has is
 * EtcdError DATA_LOSS.
 */

import { KintsugiError } from '../../base/errors.js';

type HealingErrorCode =
  /** A scrub is under way already. */
  | 'SCRUB_RUNNING'
  | 'STOPPED';

export class HealingError extends KintsugiError<HealingErrorCode> {
  override readonly name = 'HealingError';
}
