/** What `--auto-compaction-mode` and `--auto-compaction-retention` say, in etcd's words. */

import type { AutoCompactionOptions } from '../../node/auto-compaction.js';
import { parseDuration, UsageError } from './spec.js';

const HOUR_MS = 3_600_000;
/** Timers of more than 24 days fire at once; and nobody keeps history in memory of more looks. */
const MAX_MS = 10 * 365 * 24 * HOUR_MS;
const MIN_MS = 1_000;

/** Undefined: history stays until it is compacted by hand. Throws UsageError. */
export function autoCompactionOf(mode: string, retention: string): AutoCompactionOptions | undefined {
  if (/^0*$/.test(retention)) return undefined;
  const whole = /^\d+$/.test(retention) ? Number(retention) : undefined;
  if (mode === 'revision') {
    if (whole === undefined || !Number.isSafeInteger(whole)) throw wrong(retention, 'with --auto-compaction-mode revision it is a number of revisions, as 1000');
    return { mode, retention: whole };
  }
  const retentionMs = whole === undefined ? parseDuration(retention) : whole * HOUR_MS;
  if (retentionMs === undefined || retentionMs < MIN_MS || retentionMs > MAX_MS) throw wrong(retention, 'it is a number of hours, or a time from 1s on, as 30m');
  return { mode: 'periodic', retentionMs };
}

function wrong(retention: string, what: string): UsageError {
  return new UsageError(`--auto-compaction-retention ${JSON.stringify(retention)}: ${what}; 0 for none`);
}
