/** Why no new cluster is made of a data directory. Nothing in it was changed. */

import { KintsugiError } from '../../base/errors.js';

export type LostClusterErrorCode =
  /** No cluster has begun here. */
  | 'NOTHING_HERE'
  /** Something is lost for certain, and it was not said that this is accepted. */
  | 'LOSS_NOT_ACCEPTED'
  /** What the tables hold cannot be known, or the state in them cannot be read. */
  | 'STATE_LOST';

export class LostClusterError extends KintsugiError<LostClusterErrorCode> {
  override readonly name = 'LostClusterError';
}
