/**
 * From which version of the cluster on an entry of each kind may be in the log. S1 The leader
 * writes none that the version does not allow, and one that is there all the same, because the
 * version was lowered while it was on its way, changes nothing, alike on every member.
 */

import { FIRST_VERSION, VERSION_2, VERSION_3, type Since } from '../base/protocol.js';
import type { LogRecord } from './entry.js';

/** `members`: the entries of the configuration, which are none of {@link LogRecord}'s. */
export type EntryKind = LogRecord['kind'] | 'members';

export const ENTRY_SINCE: Since<EntryKind> = {
  bootstrap: FIRST_VERSION,
  kv: FIRST_VERSION,
  tree: FIRST_VERSION,
  'cluster-version': FIRST_VERSION,
  members: VERSION_2,
  alarm: VERSION_2,
  downgrade: VERSION_2,
  auth: VERSION_3,
  lease: VERSION_3,
  'lease-time': VERSION_3,
};
