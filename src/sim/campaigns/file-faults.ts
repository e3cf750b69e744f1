/**
 * What a file system may do to whole files and directories: they are missing, too short, too long,
 * cannot be opened, or have another's name.
 */

import { must } from '../../base/assert.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { Stream } from '../world/random.js';
import { BLOCK, isStructure } from './blocks.js';
import type { PastMember } from './past.js';

const FILE_FAULTS = ['missing', 'truncated', 'extended', 'unopenable', 'renamed', 'swapped', 'directory missing', 'directory renamed'] as const;

/** Strikes once; returns what it was. */
export function strikeFile({ disk }: SimNode, { files }: PastMember, random: Stream): string {
  const paths = [...files.keys()].filter((path) => isStructure(path) && disk.sizeOf(path) !== undefined).sort();
  if (paths.length === 0) return 'nothing is left';
  const path = random.pick(paths);
  const dir = path.slice(0, path.lastIndexOf('/') + 1);
  const beside = paths.filter((other) => other !== path && other.startsWith(dir) && dir !== '');
  // Those of a directory are as likely as those of a file, not of all its files.
  const kind = random.chance(1, 12) && dir !== '' ? random.pick(FILE_FAULTS.slice(6)) : random.pick(FILE_FAULTS.slice(0, beside.length > 0 ? 6 : 5));
  const size = must(disk.sizeOf(path), 'it is there');
  switch (kind) {
    case 'missing':
      disk.remove(path);
      break;
    case 'truncated':
      disk.resize(path, random.pick([0, Math.max(0, size - BLOCK), random.below(size + 1), Math.max(0, size - 1)]));
      break;
    case 'extended':
      disk.resize(path, size + random.pick([1, BLOCK, 16 * BLOCK]));
      break;
    case 'unopenable':
      disk.lock(path);
      break;
    case 'renamed':
      disk.rename(path, `${path}.old`);
      break;
    case 'swapped': {
      const other = random.pick(beside);
      disk.rename(path, `${path}.swap`);
      disk.rename(other, path);
      disk.rename(`${path}.swap`, other);
      break;
    }
    case 'directory missing':
      for (const one of [path, ...beside]) disk.remove(one);
      break;
    case 'directory renamed':
      for (const one of [path, ...beside]) disk.rename(one, `${one}.old`);
      break;
  }
  return `${kind} ${path}`;
}
