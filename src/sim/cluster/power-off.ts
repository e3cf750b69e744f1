/** What a life whose power is gone still runs into: no fault of anybody's. */

import { DiskError } from '../../base/errors.js';

export function isPowerOff(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (at instanceof DiskError && at.data['powerOff'] === true) return true;
  }
  return false;
}
