/**
 * Damage to the hints file, to kept repairs and to what is remembered of others. Nothing in them is
 * the only copy of anything that must be kept, so all of it is allowed. The first two exist only
 * while there is something to heal: where there is none, blocks are damaged first and the strike
 * waits for what follows.
 */

import { equalBytes } from '../../base/bytes.js';
import { PROMISES_PATH } from '../../replica/start/promises-store.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { Structure } from '../model/fault.js';
import { changeOf, changing, stretchFor } from './change.js';
import { keepLooking, struck, type Strike } from './context.js';
import { baitRepairs } from './strike-table.js';

const POLL_US = 20_000;
const STALE_POLL_US = 100_000;
/** 20 s: a read must come by, and a peer must answer. */
const POLLS = 1_000;

/** Structures that are one file. */
const ONE_FILE: Partial<Record<Structure, string>> = { 'hints-file': 'hints', 'promises-file': PROMISES_PATH };

export function smallFiles({ structure }: Pick<Strike, 'structure'>, node: SimNode): string[] {
  const one = ONE_FILE[structure];
  if (one !== undefined) return node.disk.sizeOf(one) === undefined ? [] : [one];
  return node.disk.list().map(({ path }) => path).filter((path) => path.startsWith('repairs/') && !path.endsWith('.tmp'));
}

/** True if it struck, or waits for what it damaged to be found. */
export function strikeSmall(strike: Strike, node: SimNode): boolean {
  if (now(strike, node)) return true;
  if (strike.structure === 'promises-file') return false;
  if (!baitRepairs(strike, node)) return false;
  keepLooking(strike.context, POLL_US, POLLS, () => now(strike, node));
  return true;
}

function now(strike: Strike, node: SimNode): boolean {
  const files = smallFiles(strike, node);
  return files.length > 0 && damage(strike, node, strike.random.pick(files), files);
}

function damage(strike: Strike, node: SimNode, path: string, files: readonly string[]): boolean {
  const { random, kind, structure } = strike;
  const { disk } = node;
  const size = disk.medium(path)?.length ?? 0;
  switch (kind) {
    case 'missing':
      return disk.remove(path) && told(strike, node, path, size);
    case 'misnamed':
      return disk.rename(path, ONE_FILE[structure] !== undefined ? `${path}.lost` : `repairs/${'0'.repeat(32)}-${random.below(100_000)}`) && told(strike, node, path, size);
    case 'truncated':
      return size > 0 && disk.resize(path, random.below(size)) && told(strike, node, path, size);
    case 'extended':
      return disk.resize(path, size + 1 + random.below(600)) && told(strike, node, path, size);
    case 'stale':
      return putStale(strike, node, path, files);
    default: {
      if (size === 0) return false;
      const whole = { offset: 0, length: size };
      const counted = changing(changeOf(kind, random));
      const stretch = stretchFor(kind, random, whole, whole);
      disk.alter(path, stretch.offset, counted.apply, stretch.length, random.chance(1, 2));
      return counted.changed() && told(strike, node, path, stretch.length);
    }
  }
}

/** What the file held some time ago comes back, or what another one holds. */
function putStale(strike: Strike, node: SimNode, path: string, files: readonly string[]): boolean {
  const { random, structure, context } = strike;
  const other = random.pick(files);
  const bytes = node.disk.medium(other)?.slice();
  if (bytes === undefined) return false;
  if (other !== path) {
    node.disk.put(path, bytes);
    return told(strike, node, path, bytes.length);
  }
  if (ONE_FILE[structure] === undefined) return false;
  // Something to heal, so that it changes.
  if (structure === 'hints-file') baitRepairs(strike, node);
  keepLooking(context, STALE_POLL_US, POLLS, () => {
    const present = node.disk.medium(path);
    if (present === undefined || equalBytes(present, bytes)) return false;
    node.disk.put(path, bytes);
    return told(strike, node, path, bytes.length);
  });
  return true;
}

function told(strike: Strike, node: SimNode, path: string, length: number): boolean {
  struck(strike, node.id, path, 0, length);
  return true;
}
