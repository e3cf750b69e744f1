/** Queues are bounded, whatever goes on: looked at each second. */

import type { Reporter } from './base/reporter.js';
import type { WatchedNode } from '../cluster/watched-node.js';

/** Files that one node may have at a time. */
const MAX_FILES = 2_048;

/** In a run of a few thousand small operations nothing sound comes near these. */
export const BOUNDS = {
  'sealed memtables': 64,
  'pending plans': 64,
  'pending seals': 256,
  'owed tables': 512,
  'entries that wait to be applied': 20_000,
  'proposals in flight': 16_384,
  'entries in the log': 50_000,
  'open hints': 4_096,
} as const;

export function checkFiles(node: WatchedNode, reporter: Reporter): void {
  const files = node.disk.list().length;
  if (files > MAX_FILES) reporter.broken('queues are bounded', node.id, `node ${node.id}: ${files} files on its disk, more than ${MAX_FILES}`);
}

export function checkBounds(node: WatchedNode, reporter: Reporter): void {
  if (node.running === undefined) return;
  const { tree, applier, proposals, log } = node.running.replica;
  const sizes: Readonly<Record<keyof typeof BOUNDS, number>> = {
    'sealed memtables': tree.sealedMemtables,
    'pending plans': tree.latest.plans.length,
    'pending seals': tree.latest.seals.length,
    'owed tables': tree.owed().length,
    'entries that wait to be applied': applier.backlog,
    'proposals in flight': proposals.size,
    'entries in the log': log.lastIndex() - log.firstIndex() + 1,
    'open hints': node.running.healing.hints().length,
  };
  for (const [what, size] of Object.entries(sizes)) {
    const bound = BOUNDS[what as keyof typeof BOUNDS];
    if (size > bound) reporter.broken('queues are bounded', node.id, `node ${node.id}: ${size} ${what}, more than ${bound}`);
  }
}
