/** There are no leases. */

import type { LeasedKeys } from '../lease-permit.js';

export class NoLeases implements LeasedKeys {
  keysOf(): Iterable<Uint8Array> {
    return [];
  }
}
