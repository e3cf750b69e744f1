/** Requests as tests mean them: everything that is not said is off. */

import { utf8 } from '../../base/bytes.js';
import type { PutRequest, RangeRequest } from '../requests.js';

export function put(key: string, value: string | Uint8Array): PutRequest {
  return { key: utf8(key), value: typeof value === 'string' ? utf8(value) : value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
}

export function get(key: string, serializable = false): RangeRequest {
  return {
    key: utf8(key), rangeEnd: new Uint8Array(0), limit: 0, revision: 0, sortOrder: 'none', sortTarget: 'key', serializable,
    keysOnly: false, countOnly: false, minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0,
  };
}
