/** The flags of etcdutl by which a new cluster's revisions go on above those that were seen. */

import { UsageFault } from './context.js';

interface BumpFlags {
  readonly bumpRevision?: string | undefined;
  readonly markCompacted?: boolean;
}

/** As etcdutl: neither without the other. Throws UsageFault. */
export function bumpOf({ bumpRevision, markCompacted = false }: BumpFlags): number {
  const bump = Number(bumpRevision ?? 0);
  if (!/^\d+$/.test(bumpRevision ?? '0') || !Number.isSafeInteger(bump)) throw new UsageFault(`--bump-revision is a whole number, got ${JSON.stringify(bumpRevision)}`);
  if (bump > 0 !== markCompacted) {
    throw new UsageFault('--bump-revision above 0 needs --mark-compacted, and that needs --bump-revision: whoever watches from an older revision must be told');
  }
  return bump;
}
