/**
 * Damage to hard state and manifest. What a node survives alone: one or two slots of four as long
 * as the others agree, one of the copies of a manifest record, one of the two files, an end that is
 * cut off or has junk behind it, files of generations that nobody names. In profile `full` a
 * minority may also lose more than that, but never so that an older state looks like the present
 * one: a hard state that went back as a whole is the roll-back of a node, which no file shows.
 */

import { FILE_BYTES, SLOT_BYTES, SLOT_PAGES, slotOffset } from '../../replica/hard-state/slots.js';
import { PAGE_BYTES } from '../../storage/version/manifest-record.js';
import type { SimNode } from '../cluster/sim-node.js';
import { changeOf, changing, stretchFor, type Stretch } from './change.js';
import { keepLooking, mayDoom, mayLoseVersion, struck, type Strike } from './context.js';
import {
  isClean, isWholeWithout, manifestPath, manifestPaths, othersOf, readCopies, readSlots, spareOf, type CopyPlace,
} from './manifest-places.js';

const PATH = 'hardstate';
/** For an older state of a slot the next update is waited for; each start is one. */
const STALE_POLL_US = 500_000;
const STALE_POLLS = 60;

/** All four slots hold the present record: the state from which damage may begin. */
export function slotsAgree(node: SimNode): boolean {
  const slots = readSlots(node.disk);
  const same = slots.every(({ record }) => record.sequence === slots[0]?.record.sequence);
  return slots.length === SLOT_PAGES.length && same && !node.disk.isDirty(PATH);
}

export function strikeSlot(strike: Strike, node: SimNode): boolean {
  const { context, random, kind } = strike;
  if (context.pending.has(node.id, 'hardstate') || !slotsAgree(node)) return false;
  const order = random.shuffled(SLOT_PAGES.map((_, slot) => slot));
  if (kind === 'stale') return waitForStale(strike, node, order[0] as number);
  const grave = mayDoom(context, node) && random.chance(1, 2);
  // Two at once leave no slot to spare for a crash in the middle of the next write: only while
  // there is no process that writes.
  const count = grave ? random.between(3, 4) : node.process === undefined && random.chance(1, 3) ? 2 : 1;
  return order.slice(0, count).filter((slot) => damageSlot(strike, node, slot, grave)).length > 0;
}

/** A slot is a page of its own, in which only the first bytes say anything. */
function damageSlot(strike: Strike, node: SimNode, slot: number, grave: boolean): boolean {
  const { random, kind } = strike;
  const page = { offset: slotOffset(slot), length: SLOT_BYTES };
  const stretch = kind === 'bit-flip' || kind === 'burst' ? stretchFor(kind, random, { offset: page.offset, length: 84 }, page) : page;
  return alter(strike, node, PATH, stretch, changeOf(kind, random), grave);
}

/**
 * What the slot holds now comes back after the next update, as if that write of it had been lost.
 */
function waitForStale(strike: Strike, node: SimNode, slot: number): boolean {
  const old = node.disk.medium(PATH)?.slice(slotOffset(slot), slotOffset(slot) + SLOT_BYTES);
  const sequence = readSlots(node.disk)[0]?.record.sequence;
  if (old === undefined || sequence === undefined) return false;
  keepLooking(strike.context, STALE_POLL_US, STALE_POLLS, () => {
    const now = readSlots(node.disk)[0]?.record.sequence ?? 0;
    if (now <= sequence || !slotsAgree(node) || strike.context.pending.has(node.id, 'hardstate')) return false;
    const page = { offset: slotOffset(slot), length: SLOT_BYTES };
    alter(strike, node, PATH, page, (bytes) => bytes.set(old.subarray(0, bytes.length)), false);
    return true;
  });
  return true;
}

export function strikeHardStateFile(strike: Strike, node: SimNode): boolean {
  const { context, random, kind } = strike;
  const { disk } = node;
  if (context.pending.has(node.id, 'hardstate') || !slotsAgree(node)) return false;
  if (kind === 'missing' || kind === 'misnamed') {
    if (!mayDoom(context, node)) return false;
    struck(strike, node.id, PATH, 0, FILE_BYTES, true);
    return kind === 'missing' ? disk.remove(PATH) : disk.rename(PATH, 'hardstate.lost');
  }
  // Cut off behind the third slot, so that the last one goes at most.
  const size = kind === 'extended' ? FILE_BYTES + 1 + random.below(PAGE_BYTES)
    : slotOffset(2) + SLOT_BYTES + random.below(FILE_BYTES - slotOffset(2) - SLOT_BYTES);
  if (!disk.resize(PATH, size)) return false;
  struck(strike, node.id, PATH, Math.min(size, FILE_BYTES), Math.abs(size - FILE_BYTES));
  return true;
}

/** A copy that has a spare, which is whole. */
function spared(strike: Strike, node: SimNode): { readonly copy: CopyPlace; readonly all: readonly CopyPlace[] } | undefined {
  const all = readCopies(node.disk);
  const copy = strike.random.shuffled(all).slice(0, 6).find((each) => spareOf(node.disk, all, each) !== undefined);
  return copy && { copy, all };
}

export function strikeManifestRecord(strike: Strike, node: SimNode): boolean {
  const { context, random, kind } = strike;
  if (context.pending.has(node.id, 'manifest')) return false;
  const found = spared(strike, node);
  if (found === undefined) return false;
  const { copy, all } = found;
  const grave = kind !== 'stale' && mayLoseVersion(context, node) && random.chance(1, 2);
  if (kind === 'stale') {
    const older = random.pick(all);
    const bytes = node.disk.medium(older.path)?.slice(older.offset, older.offset + older.length);
    const stretch = { offset: copy.offset, length: Math.min(copy.length, older.length) };
    return older.frame.record !== copy.frame.record && bytes !== undefined
      && alter(strike, node, copy.path, stretch, (old) => old.set(bytes.subarray(0, old.length)), false);
  }
  return (grave ? [copy, ...othersOf(all, copy)] : [copy]).filter((place) => {
    // A frame has no parity: even one bit in each copy may be too much.
    const stretch = grave ? place : stretchFor(kind, random, place, place);
    return alter(strike, node, place.path, stretch, changeOf(kind, random), grave);
  }).length > 0;
}

export function strikeManifestFile(strike: Strike, node: SimNode): boolean {
  const { context, random, kind } = strike;
  const { disk } = node;
  const path = manifestPath(disk);
  const size = path === undefined ? undefined : disk.medium(path)?.length;
  if (path === undefined || size === undefined || context.pending.has(node.id, 'manifest')) return false;
  switch (kind) {
    case 'missing':
    case 'misnamed':
      return takeName(strike, node);
    case 'stale':
      return putLeftover(strike, node, path);
    case 'extended': {
      const longer = random.pick(manifestPaths(disk));
      const from = disk.medium(longer)?.length;
      const more = random.pick([1, 100, PAGE_BYTES, 2 * PAGE_BYTES, 1 + random.below(3 * PAGE_BYTES)]);
      if (from === undefined || !disk.resize(longer, from + more)) return false;
      struck(strike, node.id, longer, from, more);
      return true;
    }
    default:
      return cutSecondCopy(strike, node, path, size);
  }
}

/** One of the files is gone, or both, if the node may lose its version. */
function takeName(strike: Strike, node: SimNode): boolean {
  const { context, random, kind } = strike;
  const { disk } = node;
  const there = manifestPaths(disk).filter((path) => disk.sizeOf(path) !== undefined);
  const grave = mayLoseVersion(context, node) && random.chance(1, 2);
  const one = random.shuffled(there).find((path) => isWholeWithout(disk, path) && !disk.isDirty(path));
  for (const path of grave ? there : one === undefined ? [] : [one]) {
    struck(strike, node.id, path, 0, disk.medium(path)?.length ?? 0, grave);
    if (kind === 'missing') disk.remove(path);
    else disk.rename(path, `manifest/${1_000_000 + random.below(1_000_000)}`);
  }
  return grave || one !== undefined;
}

/** The end of the file goes, up to all of the last record's second copy. */
function cutSecondCopy(strike: Strike, node: SimNode, path: string, size: number): boolean {
  const copies = readCopies(node.disk).filter((copy) => copy.path === path);
  const last = copies.at(-1);
  const first = last && othersOf(copies, last)[0];
  if (last === undefined || first === undefined || last.frame.copy !== 1) return false;
  if (!isClean(node.disk, first) || node.disk.isDirty(path)) return false;
  const to = last.offset + strike.random.below(last.length);
  if (to >= size || !node.disk.resize(path, to)) return false;
  struck(strike, node.id, path, to, size - to);
  return true;
}

/**
 * A file of a generation that hard state does not name is there: one that should be gone, or one
 * that was never named.
 */
function putLeftover(strike: Strike, node: SimNode, path: string): boolean {
  const { random } = strike;
  const generation = Number(path.slice(path.indexOf('/') + 1));
  const bytes = node.disk.medium(path);
  const at = random.chance(1, 2) && generation > 1 ? generation - 1 : generation + 1;
  const leftover = `manifest/${at}`;
  if (bytes === undefined || node.disk.sizeOf(leftover) !== undefined) return false;
  const records = readCopies(node.disk).filter(({ frame }) => frame.copy === 1);
  if (records.length === 0) return false;
  const { offset, length } = random.pick(records);
  node.disk.put(leftover, bytes.slice(0, offset + length));
  struck(strike, node.id, leftover, 0, offset + length);
  return true;
}

function alter(
  strike: Strike, node: SimNode, path: string, stretch: Stretch, change: (bytes: Uint8Array) => void, grave: boolean,
): boolean {
  const counted = changing(change);
  node.disk.alter(path, stretch.offset, counted.apply, stretch.length, strike.random.chance(1, 2));
  if (!counted.changed()) return false;
  struck(strike, node.id, path, stretch.offset, stretch.length, grave);
  return true;
}
