/**
 * Faults of the next reads, writes and syncs. An armed fault counts when it strikes. It waits for a
 * bounded time, and what it may strike is asked again at that moment, because by then the files are
 * others: a slot only while the others agree, one copy of a manifest record at a time, a block only
 * while another node has it.
 */

import type { NodeId } from '../../base/ids.js';
import { FILE_BYTES, SLOT_BYTES, slotOffset } from '../../replica/hard-state/slots.js';
import { HEADER_BYTES } from '../../replica/log/segment-layout.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { ArmedFault } from '../disk/sim-disk.js';
import { clip, endOf, type Stretch } from './change.js';
import { keepLooking, struck, type Part, type Strike } from './context.js';
import type { Spread, Structure } from '../model/fault.js';
import { readSegments, type BatchPlace, type SegmentPlaces } from './log-places.js';
import { manifestPaths, readCopies, spareOf } from './manifest-places.js';
import { coveredThrough, identityOf, identityRun, isCovered, runsOf } from './strike-log.js';
import { smallFiles } from './strike-small.js';
import { moveLeaderMeanwhile } from './strike-stall.js';
import { slotsAgree } from './strike-state.js';
import { baitRepairs, landingPlace } from './strike-table.js';
import { fileStructure, structureAt } from './file-structure.js';
import { placesInTable, tablesOf, type Place } from './structures.js';

const MS = 1_000;
const SECOND_US = 1_000_000;
const SECTOR = 512;
const PAGE = 4096;
const REPAIR_POLL_US = 20 * MS;
const REPAIR_POLLS = 1_000;

type Matches = ArmedFault['matches'];

/** What of the node an armed fault may hit, and for how long and how often. */
interface Aim {
  readonly matches: Matches;
  /** Where in what is read the wrong bit is. */
  readonly flipAt?: ArmedFault['flipAt'];
  readonly part?: Part;
  /** Only a restart reads it. */
  readonly atOpen?: boolean;
}

export function strikeArmed(strike: Strike, spread: Spread): boolean {
  const nodes = strike.random.shuffled(strike.context.nodes);
  const lies = strike.kind === 'lost-write' || strike.kind === 'misdirected-write' || strike.kind === 'sticky-read-error' || strike.kind === 'misread';
  const count = lies || spread === 'one' ? 1 : spread === 'same' ? nodes.length - 1 : nodes.length;
  let armed = 0;
  for (const node of nodes) if (armed < count && arm(strike, node)) armed++;
  return armed > 0;
}

function arm(strike: Strike, node: SimNode): boolean {
  const { context, random, kind, structure } = strike;
  const { world } = context;
  const aim = aimAt(strike, node);
  if (aim === undefined || (aim.part !== undefined && context.pending.has(node.id, aim.part))) return false;
  let untilUs = Math.min(context.untilUs, world.nowUs + random.between(10, 60) * SECOND_US);
  let first = true;
  const windowUs = windowOf(strike);
  const { part } = aim;
  const times = windowUs > 0 ? Infinity : timesOf(strike);
  const delayUs = delayOf(strike);
  if (part !== undefined) context.pending.begin(node.id, part, untilUs);
  node.disk.arm({
    kind: kind as ArmedFault['kind'],
    matches: (path, offset, length) => world.nowUs < untilUs && aim.matches(path, offset, length),
    times,
    delayUs,
    ...(aim.flipAt === undefined ? {} : { flipAt: aim.flipAt }),
    target: (_path, _offset, length) => landingPlace(strike, node, length),
    onStrike: (path, offset, length) => {
      if (windowUs > 0) untilUs = Math.min(untilUs, first ? world.nowUs + windowUs : untilUs);
      else if (part !== undefined) context.pending.end(node.id, part);
      const lost = kind === 'sticky-read-error' ? pageOf(offset) : { offset, length };
      // Counted once; what else it does is noted, because it may be what stops the node.
      if (first) struck(strike, node.id, path, lost.offset, lost.length);
      else if (kind !== 'slow-io' && kind !== 'stalled-sync') context.oracle.noteDamage(node.id, path, lost.offset, lost.length, kind);
      first = false;
      if (kind === 'stalled-sync') moveLeaderMeanwhile(strike, node, delayUs);
    },
  });
  if (structure === 'repairs-file' || structure === 'hints-file') baitRepairs(strike, node);
  if (aim.atOpen === true) restart(strike, node);
  else if (structure === 'repairs-file' && isRead(strike)) restartOnceRepaired(strike, node);
  return true;
}

/** A power loss now or soon, so that the node reads everything again. */
function restart({ random }: Strike, node: SimNode): void {
  if (node.state === 'up') node.disk.powerOffAfter(random.below(8));
}

/** Kept repairs are read by the next life. */
function restartOnceRepaired(strike: Strike, node: SimNode): void {
  keepLooking(strike.context, REPAIR_POLL_US, REPAIR_POLLS, () => {
    if (smallFiles(strike, node).length === 0) return false;
    restart(strike, node);
    return true;
  });
}

/** Faults that last for a while once they began. 0: they are counted by times. */
function windowOf({ kind, random }: Strike): number {
  if (kind === 'no-space') return random.chance(1, 2) ? random.between(200, 2_000) * MS : random.between(2, 10) * SECOND_US;
  if (kind === 'slow-io') return random.between(500, 8_000) * MS;
  return 0;
}

function timesOf({ kind, random, structure }: Strike): number {
  if (kind === 'stalled-sync') return random.between(1, 3);
  if (kind === 'read-error' && structure.startsWith('table-')) return random.between(1, 3);
  if (kind === 'write-error') return random.between(1, 2);
  return 1;
}

function delayOf({ kind, random, context }: Strike): number {
  if (kind === 'slow-io') return random.pick([200, 1_000, 5_000, 20_000]) + random.tail(2_000);
  const election = context.settings.electionMs * MS;
  return random.pick([20 * MS, 200 * MS, election, 2 * election]) + random.tail(100 * MS);
}

function isRead({ kind }: Strike): boolean {
  return kind === 'read-error' || kind === 'sticky-read-error' || kind === 'misread';
}

/** Undefined: there is nothing to aim at now. */
function aimAt(strike: Strike, node: SimNode): Aim | undefined {
  const { structure, context } = strike;
  switch (structure) {
    case 'table-file':
      return { matches: atTableWrite(strike, node.id) };
    case 'log-file': case 'manifest-file': case 'hardstate-file':
      return { matches: (path) => fileStructure(path) === structure };
    case 'directory':
      return { matches: (path) => fileStructure(path) === 'directory' };
    case 'hints-file': case 'repairs-file': case 'promises-file':
      return { matches: (path) => fileStructure(path) === structure, atOpen: structure !== 'repairs-file' && isRead(strike) };
    case 'hardstate-slot':
      return atSlot(strike, node);
    case 'manifest-record':
      return atManifestRecord(strike, node);
    case 'log-record': case 'log-identity': case 'log-header': {
      if (isRead(strike)) return atLogRead(strike, node);
      const { logSegmentBytes } = context.settings;
      return {
        matches: (path, offset, length) => {
          const partAt = (at: number): Structure => structureAt(path, at, logSegmentBytes, node.disk);
          return length > 0 && path.startsWith('log/') && touches(offset, length, structure, partAt);
        },
      };
    }
    default:
      return atBlocks(strike, node);
  }
}

/**
 * A write may begin in one area only; of a sync, which spans many, the areas at both ends count.
 */
function touches(offset: number, length: number, structure: Structure, partAt: (offset: number) => Structure): boolean {
  return partAt(offset) === structure || partAt(offset + length - 1) === structure;
}

/**
 * Output of a plan, a heal or a fetch on its way. What the device loses of it, another node must
 * have.
 */
function atTableWrite({ kind, context }: Strike, node: NodeId): Matches {
  const lies = kind === 'lost-write' || kind === 'misdirected-write';
  return (path, offset, length) =>
    path.startsWith('tables/') && (lies ? length > 0 && context.oracle.verdict.mayDamage(node, path, offset, length) : kind !== 'slow-io' || length > 0);
}

/**
 * One slot, while the other three are sound; of writes that fail also the one behind it, which is
 * one more than a record may miss.
 */
function atSlot(strike: Strike, node: SimNode): Aim | undefined {
  const { random, kind } = strike;
  if (!slotsAgree(node)) return undefined;
  const start = slotOffset(random.below(4));
  const page = { offset: start, length: kind === 'write-error' ? FILE_BYTES - start : SLOT_BYTES };
  return {
    matches: (path, offset, length) => path === 'hardstate' && overlap({ offset, length }, page),
    flipAt: () => start + random.below(84),
    part: 'hardstate',
    atOpen: isRead(strike),
  };
}

function atManifestRecord(strike: Strike, node: SimNode): Aim | undefined {
  const { random, kind } = strike;
  if (!isRead(strike)) {
    // With one of the files gone the other may have the only copy of what is written.
    const areThere = (): boolean => manifestPaths(node.disk).every((path) => node.disk.sizeOf(path) !== undefined);
    return { matches: (path, _offset, length) => path.startsWith('manifest/') && length > 0 && areThere(), part: 'manifest' };
  }
  const copies = readCopies(node.disk);
  const copy = random.shuffled(copies).slice(0, 6).find((each) => spareOf(node.disk, copies, each) !== undefined);
  if (copy === undefined) return undefined;
  const sector = copy.offset + random.below(Math.max(1, Math.floor(copy.length / SECTOR))) * SECTOR;
  const wanted = kind === 'sticky-read-error' ? { offset: sector, length: SECTOR } : copy;
  return {
    matches: (path, offset, length) => path === copy.path && manifestPaths(node.disk).includes(path) && overlap({ offset, length }, wanted),
    flipAt: () => copy.offset + random.below(copy.length),
    part: 'manifest',
    atOpen: true,
  };
}

/** Reads of the log, at a place whose loss the node survives alone. */
function atLogRead(strike: Strike, node: SimNode): Aim | undefined {
  const { random, structure, context, kind } = strike;
  const segments = readSegments(node.disk, context.settings.logSegmentBytes);
  const places = segments.flatMap((segment): Place[] => {
    const { path, batches, headerAt } = segment;
    if (structure === 'log-header') {
      const length = kind === 'sticky-read-error' ? HEADER_BYTES : 28;
      return headerAt.length < 2 ? [] : headerAt.map((offset) => ({ path, offset, length }));
    }
    const flushed = coveredThrough(strike, node);
    if (structure === 'log-identity') {
      if (kind === 'sticky-read-error') return pagesOfIdentities(segment, flushed);
      return batches.filter(isSpareIdentity).map((batch) => ({ path, ...identityOf(batch) }));
    }
    // Not more than once in a row: a read that fails is tried again page by page.
    const through = kind === 'read-error' ? Infinity : flushed;
    const runs = runsOf(batches, (batch) => isCovered(batch, through)).map(({ allowed }) => ({ path, ...allowed }));
    return kind === 'sticky-read-error' ? runs.flatMap(wholePages) : runs;
  });
  if (places.length === 0) return undefined;
  const place = random.pick(places);
  return {
    matches: (path, offset, length) => path === place.path && overlap({ offset, length }, place),
    flipAt: () => place.offset + random.below(place.length),
    part: 'log',
    atOpen: true,
  };
}

function isSpareIdentity({ whole, endsArea }: BatchPlace): boolean {
  return whole && !endsArea;
}

/** In a striped segment batches lie between them: such as durable tables cover. */
function pagesOfIdentities({ path, batches }: SegmentPlaces, flushed: number): Place[] {
  const spare = batches.filter(isSpareIdentity);
  const identities = spare.map(identityOf);
  const alone = spare.map((batch) => identityRun(spare, batch));
  const mixed = runsOf(batches, (batch) => isCovered(batch, flushed)).map(({ allowed }) => allowed);
  const pages = [...alone, ...mixed].flatMap((run) => wholePages({ path, ...run }));
  return pages.filter((page) => identities.some((identity) => overlap(page, identity)));
}

/** A bad sector takes its page with it, as the log reads: only pages that hold nothing else. */
function wholePages({ path, offset, length }: Place): Place[] {
  const pages: Place[] = [];
  for (let at = Math.ceil(offset / HEADER_BYTES) * HEADER_BYTES; at + HEADER_BYTES <= offset + length; at += HEADER_BYTES) {
    pages.push({ path, offset: at, length: HEADER_BYTES });
  }
  return pages;
}

/** Blocks of some tables of this node: whichever is read first. */
function atBlocks(strike: Strike, node: SimNode): Aim | undefined {
  const { context, random, structure, kind } = strike;
  const byPath = new Map<string, Stretch[]>();
  for (const meta of random.shuffled(tablesOf(context, node)).slice(0, 8)) {
    const places = placesInTable(context, meta, structure);
    if (places.length > 0) byPath.set((places[0] as Place).path, places);
  }
  if (byPath.size === 0) return undefined;
  const hit = (path: string, offset: number, length: number): Stretch | undefined => {
    const read = { offset, length };
    return byPath.get(path)?.find((place) => overlap(read, place));
  };
  if (kind !== 'sticky-read-error') {
    return {
      matches: (path, offset, length) => hit(path, offset, length) !== undefined,
      flipAt: (path, offset, length) => {
        const there = clip(hit(path, offset, length) as Stretch, { offset, length });
        return there.offset + random.below(there.length);
      },
    };
  }
  return {
    matches: (path, offset, length) => {
      const place = hit(path, offset, length);
      if (place === undefined) return false;
      // The disk asks for the read first and then for each of its sectors alone. The page of a bad
      // sector goes with it.
      const there = clip(place, { offset, length });
      for (let at = pageOf(there.offset).offset; at < endOf(there); at += PAGE) {
        if (context.oracle.verdict.mayDamage(node.id, path, at, PAGE)) return true;
      }
      return false;
    },
  };
}

/** What a reader loses who reads page by page. */
function pageOf(offset: number): Stretch {
  return { offset: offset - (offset % PAGE), length: PAGE };
}

function overlap(a: Stretch, b: Stretch): boolean {
  return a.offset < endOf(b) && b.offset < endOf(a);
}
