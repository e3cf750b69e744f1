/** A version of one level of many tables with long keys: what a large store's manifest names. */

import { utf8 } from '../../../base/bytes.js';
import { encodeInternalKey } from '../../base/key.js';
import { LEVELS } from '../../base/settings.js';
import type { TableMeta } from '../../table/table-meta.js';
import { Version } from '../version.js';

export function largeVersion(tables: number, keyBytes: number): Version {
  const key = (i: number, end: number): Uint8Array =>
    encodeInternalKey(1, utf8(`${String(i).padStart(8, '0')}${end}`.padEnd(keyBytes, 'k')), i + 1, 0);
  const level = Array.from({ length: tables }, (_, i): TableMeta => ({
    id: i + 1, birth: { term: 1, proposer: 1, sequence: i + 1, ordinal: 0 }, bytes: 1 << 20, scheme: { kind: 'rs', k: 8, m: 2 },
    rootDigest: i.toString(16).padStart(32, '0'), fileDigest: i.toString(16).padStart(32, 'f'),
    smallest: key(i, 0), largest: key(i, 1), entries: 1, tombstones: 0, minRevision: i + 1, maxRevision: i + 1, liveDelta: 1,
  }));
  const at = { index: 9, term: 2 };
  const levels = Array.from({ length: LEVELS }, (_, i) => (i === LEVELS - 1 ? level : []));
  return Version.of({ nextTableId: tables + 1, levels, seals: [], plans: [], flushed: at, last: at });
}
