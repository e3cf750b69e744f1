/**
 * Whether the system may put parts of this process on a disk that is not ours: a page that waits
 * for a swap device stops the whole loop, and heartbeats with it. A process of Node cannot lock its
 * memory, so whoever runs it is told.
 */

import { readFileSync } from 'node:fs';

/** What to say at the start; undefined: there is no swap, or this process has no part in it. */
export function swapNotice(read: (path: string) => string | undefined = readIfThere): string | undefined {
  // The first line is the head of a table.
  const devices = (read('/proc/swaps') ?? '').trim().split('\n').slice(1).map((line) => line.split(/\s+/)[0]);
  if (devices.length === 0) return undefined;
  const group = /^0::(.*)$/m.exec(read('/proc/self/cgroup') ?? '')?.[1];
  if (group !== undefined && read(`/sys/fs/cgroup${group}/memory.swap.max`)?.trim() === '0') return undefined;
  return `memory of this process may be swapped out to ${devices.join(', ')}, and it stands still while that is read: ` +
    'turn swap off, or run it in a control group with memory.swap.max=0 (systemd: MemorySwapMax=0)';
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
