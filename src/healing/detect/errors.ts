/** Healing's errors. What another node could not give is a NetworkError; what nobody has is EtcdError DATA_LOSS. */

import { KintsugiError } from '../../base/errors.js';

export type HealingErrorCode =
  /** The table could not be rebuilt completely and correctly, so nothing was installed or proposed (H5). `data`: tableId, why. */
  | 'NOT_REBUILT'
  /** A scrub is under way already. */
  | 'SCRUB_RUNNING'
  | 'STOPPED';

export class HealingError extends KintsugiError<HealingErrorCode> {
  override readonly name = 'HealingError';
}
