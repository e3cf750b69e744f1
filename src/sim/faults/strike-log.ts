/**
 * Damage to the log. What a node survives alone: records below the flushed index, of batches whose
 * identities are sound (the log then begins after them), identities of batches that are sound, the
 * headers at both ends of a segment, the oldest segment once the flushed index is beyond it, a tail
 * page cut off, junk behind the end, files that only wait to be used again. All else needs entries
 * from peers: profile `full` does it to one node while all others are whole, and to any number of
 * them where another has what goes (spare-entries.ts); and only to batches that the damaged log
 * itself proves, because nobody can tell the loss of others from a torn write. Where a log ended is
 * taken from it only while all others are whole: of those that know it of theirs a majority must be
 * left.
 */

import { HEADER_BYTES, encodeHeader } from '../../replica/log/segment-layout.js';
import type { SimNode } from '../cluster/sim-node.js';
import { changeOf, changing, endOf, stretchFor, type Stretch } from './change.js';
import { mayDoom, struck, type Strike } from './context.js';
import { SpareEntries } from './spare-entries.js';
import { readSegments, type BatchPlace, type SegmentPlaces } from './log-places.js';
import { landingPlace } from './strike-table.js';

export function strikeLog(strike: Strike, node: SimNode): boolean {
  const { context, random, structure } = strike;
  if (context.pending.has(node.id, 'log')) return false;
  const segments = readSegments(node.disk, context.settings.logSegmentBytes);
  if (segments.length === 0) return false;
  const graver = context.profile === 'full' && random.chance(1, 2);
  const spare = mayDoom(context, node) ? undefined : new SpareEntries(context, node);
  const mayGo = graver ? new Going(segments, spare) : undefined;
  switch (structure) {
    case 'log-record':
      return strikeRecord(strike, node, segments, mayGo);
    case 'log-identity':
      return strikeIdentity(strike, node, segments, mayGo?.end === true);
    case 'log-header':
      return strikeHeader(strike, node, segments);
    default:
      return strikeSegment(strike, node, segments, mayGo);
  }
}

/** What may be damaged that needs entries from peers. */
class Going {
  readonly #segments: readonly SegmentPlaces[];
  /** Undefined: all others are whole, and have whatever was committed. */
  readonly #spare: SpareEntries | undefined;

  constructor(segments: readonly SegmentPlaces[], spare: SpareEntries | undefined) {
    this.#segments = segments;
    this.#spare = spare;
  }

  /** Where this log ended: a majority of those that have not lost their promises must know that. */
  get end(): boolean {
    return this.#spare === undefined;
  }

  batch(batch: BatchPlace): boolean {
    return this.#spare?.mayGo(batch) ?? true;
  }

  /**
   * Of batches whose identity is damaged nothing is known but the entries that are not in others.
   * The last that is in use stays: without it nobody knows where this log ended, and that a
   * majority must know who has not lost its promises.
   */
  segment(segment: SegmentPlaces): boolean {
    if (this.#spare === undefined) return true;
    if (!segment.batches.every((batch) => this.batch(batch))) return false;
    const at = this.#segments.indexOf(segment);
    const before = this.#segments.slice(0, at).flatMap(({ batches }) => batches.map(({ last }) => last));
    const after = this.#segments.slice(at + 1).flatMap(({ batches }) => batches.map(({ previousIndex }) => previousIndex));
    if (after.length === 0) return false;
    const own = segment.batches.map(({ previousIndex }) => previousIndex);
    return this.#spare.mayGoBetween(Math.min(...own, Math.max(0, ...before)), Math.min(...after));
  }
}

/** Everything up to here is in durable tables; 0 while it is not known. */
export function coveredThrough({ context }: Pick<Strike, 'context'>, node: SimNode): number {
  return context.oracle.census.durableOf(node.id)?.flushed.index ?? 0;
}

interface Run {
  readonly allowed: Stretch;
  readonly batches: readonly BatchPlace[];
}

/**
 * Batches that may be damaged, one behind the other: stretches in which a sector may go. Identities
 * between them may go as well if their batches, which are in the other area, are whole.
 */
export function runsOf(batches: readonly BatchPlace[], fits: (batch: BatchPlace) => boolean): readonly Run[] {
  const parts = [
    ...batches.filter((batch) => fits(batch) && batch.records.length > 0).map((batch) => {
      const { offset, length } = batch;
      return { offset, length, batch };
    }),
    ...batches.filter(({ whole, endsArea }) => whole && !endsArea).map((batch) => ({ ...identityOf(batch), batch: undefined })),
  ].sort((a, b) => a.offset - b.offset);
  const runs: { allowed: Stretch; batches: BatchPlace[] }[] = [];
  for (const { offset, length, batch } of parts) {
    let run = runs.at(-1);
    if (run === undefined || endOf(run.allowed) !== offset) runs.push((run = { allowed: { offset, length: 0 }, batches: [] }));
    run.allowed = { offset: run.allowed.offset, length: run.allowed.length + length };
    if (batch !== undefined) run.batches.push(batch);
  }
  return runs.filter((run) => run.batches.length > 0);
}

/**
 * Strictly below the flushed index: the entry at that index stays, because the log continues from
 * it.
 */
export function isCovered(batch: BatchPlace, flushed: number): boolean {
  return batch.last < flushed;
}

function strikeRecord(strike: Strike, node: SimNode, segments: readonly SegmentPlaces[], mayGo: Going | undefined): boolean {
  const { random, kind } = strike;
  const flushed = coveredThrough(strike, node);
  const runs = segments.flatMap(({ path, batches }) =>
    runsOf(batches, (batch) => isCovered(batch, flushed) || mayGo?.batch(batch) === true).map((run) => ({ path, ...run })));
  if (runs.length === 0) return false;
  const { path, allowed, batches } = random.pick(runs);
  const batch = random.pick(batches);
  const unit = random.chance(3, 4) ? random.pick(batch.records) : batch;
  const grave = (stretch: Stretch): boolean =>
    batches.some((each) => !isCovered(each, flushed) && each.offset < endOf(stretch) && stretch.offset < endOf(each));
  if (kind === 'stale') {
    const older = random.pick(batches);
    const bytes = node.disk.medium(path)?.slice(older.offset, endOf(older));
    const stretch = { offset: batch.offset, length: Math.min(batch.length, older.length) };
    return older !== batch && bytes !== undefined
      && alter(strike, node, path, stretch, (old) => old.set(bytes.subarray(0, old.length)), grave(stretch));
  }
  if (kind === 'lost-write' || kind === 'misdirected-write') return loseWrite(strike, node, path, batch, grave(batch));
  const stretch = stretchFor(kind, random, unit, allowed);
  return alter(strike, node, path, stretch, changeOf(kind, random), grave(stretch));
}

function strikeIdentity(strike: Strike, node: SimNode, segments: readonly SegmentPlaces[], mayEnd: boolean): boolean {
  const { random, kind } = strike;
  const fits = ({ whole, endsArea }: BatchPlace): boolean => whole && (mayEnd || !endsArea);
  const fitting = segments.filter(({ batches }) => batches.some(fits));
  if (fitting.length === 0) return false;
  const { path, batches } = random.pick(fitting);
  const batch = random.pick(batches.filter(fits));
  const unit = identityOf(batch);
  const grave = batch.endsArea;
  if (kind === 'stale') {
    const older = random.pick(batches);
    const bytes = node.disk.medium(path)?.slice(older.identityAt, endOf(identityOf(older)));
    const stretch = { offset: unit.offset, length: Math.min(unit.length, older.identityLength) };
    return older !== batch && bytes !== undefined
      && alter(strike, node, path, stretch, (old) => old.set(bytes.subarray(0, old.length)), grave);
  }
  if (kind === 'lost-write' || kind === 'misdirected-write') return loseWrite(strike, node, path, unit, grave);
  const stretch = stretchFor(kind, random, unit, grave ? unit : identityRun(batches.filter(({ endsArea }) => !endsArea), batch));
  return alter(strike, node, path, stretch, changeOf(kind, random), grave);
}

export function identityOf({ identityAt, identityLength }: BatchPlace): Stretch {
  return { offset: identityAt, length: identityLength };
}

/**
 * The identities around that of `batch`, without a gap, whose batches are all sound and vouch for
 * themselves.
 */
export function identityRun(batches: readonly BatchPlace[], batch: BatchPlace): Stretch {
  const inOrder = [...batches].sort((a, b) => a.identityAt - b.identityAt);
  const at = inOrder.indexOf(batch);
  let [from, to] = [at, at];
  while (joins(inOrder[from - 1], inOrder[from])) from--;
  while (joins(inOrder[to], inOrder[to + 1])) to++;
  const start = (inOrder[from] as BatchPlace).identityAt;
  return { offset: start, length: endOf(identityOf(inOrder[to] as BatchPlace)) - start };
}

function joins(a: BatchPlace | undefined, b: BatchPlace | undefined): boolean {
  return a !== undefined && b !== undefined && a.whole && b.whole && endOf(identityOf(a)) === b.identityAt;
}

function strikeHeader(strike: Strike, node: SimNode, segments: readonly SegmentPlaces[]): boolean {
  const { random, kind } = strike;
  const fitting = segments.filter(({ headerAt, sizeGood }) => sizeGood && headerAt.length === 2);
  if (fitting.length === 0) return false;
  const segment = random.pick(fitting);
  const { path, headerAt, layout, generation } = segment;
  const both = random.chance(1, 3);
  const stale = encodeHeader({ format: layout.format, generation: Math.max(1, generation - 1), segmentBytes: layout.bytes });
  let hits = 0;
  for (const at of both ? headerAt : [random.pick(headerAt)]) {
    const page = { offset: at, length: HEADER_BYTES };
    // Only the first bytes say anything.
    const stretch = kind === 'bit-flip' || kind === 'burst' ? stretchFor(kind, random, { offset: at, length: 28 }, page) : page;
    const change = kind === 'stale' ? (bytes: Uint8Array): void => bytes.set(stale.subarray(0, bytes.length))
      : changeOf(kind === 'lost-write' || kind === 'misdirected-write' ? 'zeroed' : kind, random);
    if (kind === 'stale' && generation === 1) return false;
    if (alter(strike, node, path, stretch, change, false)) hits++;
  }
  return hits > 0;
}

/**
 * The device says it wrote: behind the cache there is what was there before, and maybe the bytes
 * lie elsewhere.
 */
function loseWrite(strike: Strike, node: SimNode, path: string, place: Stretch, grave: boolean): boolean {
  const bytes = node.disk.medium(path)?.slice(place.offset, endOf(place));
  if (bytes === undefined || !alter(strike, node, path, place, (old) => void old.fill(0), grave, true)) return false;
  const target = strike.kind === 'misdirected-write' ? landingPlace(strike, node, bytes.length) : undefined;
  if (target === undefined) return true;
  node.disk.alter(target.path, target.offset, (old) => old.set(bytes.subarray(0, old.length)), bytes.length, true);
  strike.context.oracle.noteDamage(node.id, target.path, target.offset, bytes.length, strike.kind);
  return true;
}

function alter(
  strike: Strike, node: SimNode, path: string, stretch: Stretch, change: (bytes: Uint8Array) => void, grave: boolean,
  behindCache = strike.random.chance(1, 2),
): boolean {
  if (stretch.length === 0) return false;
  const counted = changing(change);
  node.disk.alter(path, stretch.offset, counted.apply, stretch.length, behindCache);
  if (!counted.changed()) return false;
  struck(strike, node.id, path, stretch.offset, stretch.length, grave);
  return true;
}

/**
 * The oldest segment, if nothing in it is needed any more and the next one says where the log
 * begins.
 */
function superfluous(segments: readonly SegmentPlaces[], flushed: number): SegmentPlaces | undefined {
  const [oldest, next] = segments;
  const first = next?.batches[0];
  if (oldest === undefined || next === undefined || first === undefined) return undefined;
  const begins = next.generation === oldest.generation + 1 && first.offset === next.layout.dataStart && first.whole;
  return begins && first.previousIndex < flushed ? oldest : undefined;
}

function strikeSegment(strike: Strike, node: SimNode, segments: readonly SegmentPlaces[], mayGo: Going | undefined): boolean {
  const { random, kind } = strike;
  const { disk } = node;
  const whole = segments.filter(({ sizeGood, headerAt }) => sizeGood && headerAt.length === 2);
  if (kind === 'extended' || (kind === 'truncated' && mayGo === undefined)) {
    if (whole.length === 0) return false;
    const { path, layout } = random.pick(whole);
    // The copy of the header at the end goes, the one at the head stays.
    const size = kind === 'extended' ? layout.bytes + 1 + random.below(8192) : layout.bytes - 1 - random.below(HEADER_BYTES);
    if (!disk.resize(path, size)) return false;
    struck(strike, node.id, path, Math.min(size, layout.bytes), Math.abs(size - layout.bytes));
    return true;
  }
  // Of a segment with a successor in use the loss shows by the sequence of batches, of any other
  // one by its size or its name.
  const used = segments.filter((segment) => segment.batches.length > 0);
  const grave = mayGo !== undefined;
  const target = grave ? goingSegment(strike, used, mayGo) : superfluous(segments, coveredThrough(strike, node));
  if (target === undefined) return !grave && strikeSpare(strike, node, used);
  const { path, layout } = target;
  const done = kind === 'missing' ? disk.remove(path)
    : kind === 'misnamed' ? disk.rename(path, `log/lost-${random.below(1_000_000)}`)
      : kind === 'truncated' ? disk.resize(path, random.below(layout.identityStart))
        : makeStale(strike, node, target);
  if (!done) return false;
  struck(strike, node.id, path, 0, layout.bytes, grave);
  return true;
}

/**
 * A file that waits to become a segment again: what it holds is of an earlier generation, and a new
 * one can be made.
 */
function strikeSpare(strike: Strike, node: SimNode, used: readonly SegmentPlaces[]): boolean {
  const { random, kind } = strike;
  const { disk } = node;
  const spares = disk.list().filter(({ path }) => path.startsWith('log/spare-'));
  const spare = spares[0];
  const content = used.length === 0 ? undefined : disk.medium(random.pick(used).path);
  if (spare === undefined || content === undefined) return false;
  const { path, bytes } = spare;
  if (kind === 'missing') disk.remove(path);
  else if (kind === 'misnamed') disk.rename(path, `log/lost-${random.below(1_000_000)}`);
  else if (kind === 'stale') disk.put(path, content);
  else return false;
  struck(strike, node.id, path, 0, bytes);
  return true;
}

function goingSegment({ random, kind }: Strike, used: readonly SegmentPlaces[], mayGo: Going): SegmentPlaces | undefined {
  // An older state of the last one cannot be told from a log that was never written further.
  const fitting = (kind === 'stale' ? used.slice(0, -1) : used).filter((segment) => mayGo.segment(segment));
  return fitting.length === 0 ? undefined : random.pick(fitting);
}

/** As it was some batches ago: what came later is zeros. */
function makeStale({ random }: Strike, node: SimNode, { path, batches, layout }: SegmentPlaces): boolean {
  const from = batches.length === 0 ? undefined : random.pick(batches);
  if (from === undefined) return false;
  const behindCache = random.chance(1, 2);
  const later = batches.filter(({ sequence }) => sequence >= from.sequence);
  for (const { start, end } of layout.areas) {
    const places = later.flatMap(({ offset, identityAt }) => [offset, identityAt]).filter((at) => at >= start && at < end);
    if (places.length === 0) continue;
    const first = Math.min(...places);
    node.disk.alter(path, first, (bytes) => void bytes.fill(0), end - first, behindCache);
  }
  return true;
}
