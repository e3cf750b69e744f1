/**
 * A disk in memory that has no more room than it is given: for tests of what happens when it is
 * full. A write that makes a file longer, and a new name, are refused; what loses its last name is
 * free at once. `capacity` may change at any time.
 */

import { DiskError } from '../../errors.js';
import { MemoryDisk, type MemoryChange, type MemoryNode } from '../memory-disk.js';

export class SmallDisk extends MemoryDisk {
  /** Bytes. */
  capacity = Infinity;
  /** What is overwritten takes room as well, until it is over. */
  copiesOnWrite = false;
  /** How often something was refused. */
  refusals = 0;

  constructor() {
    super({ onChange: (change) => this.#check(change) });
  }

  /** Bytes of all files that have a name. */
  get used(): number {
    const nodes = new Set<MemoryNode>();
    for (const path of this.files()) nodes.add(this.node(path) as MemoryNode);
    let bytes = 0;
    for (const { size } of nodes) bytes += size;
    return bytes;
  }

  /** No byte more than now. */
  fill(): void {
    this.capacity = this.used;
  }

  #check(change: MemoryChange): void {
    const grows = this.copiesOnWrite && change.kind === 'write' ? change.bytes.length : growth(change);
    if (grows === undefined || this.capacity === Infinity || this.used + grows <= this.capacity) return;
    this.refusals++;
    throw new DiskError('NO_SPACE', 'ENOSPC (a small disk)', { errno: 'ENOSPC' });
  }
}

/** Undefined: nothing is taken. A new name takes a little. */
function growth(change: MemoryChange): number | undefined {
  switch (change.kind) {
    case 'write': {
      const grows = change.offset + change.bytes.length - change.node.size;
      return grows > 0 ? grows : undefined;
    }
    case 'resize':
      return change.size > change.node.size ? change.size - change.node.size : undefined;
    case 'names':
      return change.changes.some(({ node }) => node?.size === 0) ? 1 : undefined;
    default:
      return undefined;
  }
}
