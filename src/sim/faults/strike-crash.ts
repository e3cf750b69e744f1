/**
 * Power losses aimed at a structure: the power goes just after something of it was written and not
 * yet synced, or renamed and its directory not yet synced. What then becomes of it is the disk's
 * affair, which also counts it.
 */

import { codeOf } from '../../base/errors.js';
import type { SimNode } from '../cluster/sim-node.js';
import { SECTOR } from '../disk/inode.js';
import type { Strike } from './context.js';
import type { Structure } from '../model/fault.js';
import { manifestPath } from './manifest-places.js';
import { baitRepairs } from './strike-table.js';
import { fileStructure, structureAt } from './file-structure.js';

const SECOND_US = 1_000_000;
const WAIT_US = 40 * SECOND_US;
/** So many bad blocks that the offsets in their hints take more than a sector. */
const MANY_BLOCKS = 64;

export function strikeAtCrash(strike: Strike): boolean {
  const { context, random, structure, kind } = strike;
  const { world } = context;
  const node = random.shuffled(context.nodes).find(({ state }) => state === 'up');
  if (node === undefined) return false;
  const untilUs = Math.min(context.untilUs, world.nowUs + WAIT_US);
  const names = kind === 'unsynced-name-lost';
  // Changes go on while the power lasts. Names come after the write and its sync.
  const changes = names ? random.between(1, 5) : random.pick([1, 1, 1, 2, 3]);
  const watched = watchedWrites(strike, node);
  // A slow write is the way to be told of one; the delay is too short to matter.
  node.disk.arm({
    kind: 'slow-io',
    matches: (path, offset, length) =>
      world.nowUs < untilUs && length > 0 && (kind !== 'torn-append' || canTear(offset, length)) && watched(path, offset),
    times: 1,
    delayUs: 1,
    // The write itself is the first change.
    onStrike: (path) => (structure === 'hints-file' && kind === 'torn-append' ? node.disk.tear(path) : node.disk.powerOffAfter(changes)),
  });
  provoke(strike, node, structure);
  return true;
}

/** What lies in one sector gets there, or does not. */
function canTear(offset: number, length: number): boolean {
  return Math.floor(offset / SECTOR) < Math.floor((offset + length - 1) / SECTOR);
}

function watchedWrites({ structure, context, kind }: Strike, node: SimNode): (path: string, offset: number) => boolean {
  const { logSegmentBytes } = context.settings;
  if (kind === 'unsynced-name-lost' && structure !== 'manifest-file') {
    // Written under a temporary name first.
    return (path) => path.endsWith('.tmp') && fileStructure(path) === structure;
  }
  if (structure === 'manifest-file') return (path, offset) => path.startsWith('manifest/') && offset === 0;
  if (structure === 'hints-file' || structure === 'repairs-file' || structure === 'table-file') {
    return (path) => path.endsWith('.tmp') && fileStructure(path) === structure;
  }
  return (path, offset) => structureAt(path, offset, logSegmentBytes, node.disk) === structure;
}

/** As an operator may at any time. It ends with the life, or before. */
function scrub({ running, process }: SimNode): void {
  running?.store.scrub(() => undefined).catch((error: unknown) => {
    if (process?.alive === true && codeOf(error) === undefined) throw error;
  });
}

/** What seldom happens by itself is made to happen. */
function provoke(strike: Strike, node: SimNode, structure: Structure): void {
  const { random, kind } = strike;
  if (structure === 'hints-file' && kind === 'torn-append') {
    baitRepairs(strike, node, MANY_BLOCKS);
    scrub(node);
  } else if (structure === 'hints-file' || structure === 'repairs-file') baitRepairs(strike, node);
  if (structure === 'hardstate-slot' || structure === 'manifest-file') {
    // Each start updates the hard state; one that finds junk behind the manifest's end begins a new
    // file.
    const path = manifestPath(node.disk);
    const size = path === undefined ? undefined : node.disk.medium(path)?.length;
    if (structure === 'manifest-file' && path !== undefined && size !== undefined) node.disk.resize(path, size + 1 + random.below(512));
    node.disk.powerOffAfter(1);
  }
}
