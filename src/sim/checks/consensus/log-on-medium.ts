/**
 * R2: what the log calls durable is on the medium: when a write of entries has returned, and when
 * the log is open and nothing was written yet, no segment of it has changes that wait for a sync,
 * nor a name that does. A member acknowledges by what its log says; a power loss shows the lie only
 * if it comes before the next sync. A segment that failed in this life is never synced again: the
 * next one says how much of it counts.
 */

import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';
import type { Ledger } from '../../oracle/ledger.js';

const SEGMENT = /^log\/[0-9a-f]+\.seg$/;

export function checkLogOnMedium({ id, disk }: WatchedNode, when: string, ledger: Ledger, reporter: Reporter): void {
  const segments = disk.list().filter(({ path }) => path.startsWith('log/') && SEGMENT.test(path));
  segments.forEach(({ path }, i) => {
    if (ledger.refusedAt(id, path, ledger.lifeBeganUs(id))) return;
    // The last is yet to be used, and may be on its way in.
    const dirty = disk.isDirty(path) ? 'changes' : i < segments.length - 1 && !disk.isNamed(path) ? 'the name' : undefined;
    if (dirty !== undefined) reporter.broken('the log is on the medium', id, `R2 node ${id} ${when}, and ${dirty} of ${path} would not survive a power loss`);
  });
}
