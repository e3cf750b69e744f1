/**
 * Damage to tables, in both profiles only where the oracle says that another node still has every
 * block. Lost and misdirected writes are done to finished tables, afterwards: their medium then
 * differs from what was written, behind the cache.
 */

import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { SimNode } from '../cluster/sim-node.js';
import { changeOf, changing, endOf, stretchFor, type Stretch } from './change.js';
import { struck, type Strike } from './context.js';
import type { Spread, Structure } from '../model/fault.js';
import { placesInTable, tablesOf, type TablePlace } from './structures.js';

/** Blocks that one node loses at most by one action. */
const HELIX_STRIPES_MAX = 3;

/** True if it struck on any node. */
export function strikeTablePart(strike: Strike, spread: Spread): boolean {
  const { context, random, structure } = strike;
  const nodes = random.shuffled(context.nodes);
  const first = nodes[0] as SimNode;
  const tables = tablesOf(context, first);
  if (tables.length === 0) return false;
  const meta = random.pick(tables);
  const places = placesInTable(context, meta, structure);
  if (places.length === 0) return false;
  const place = random.pick(places);
  if (spread === 'one') return damage(strike, first, place, stretchOf(strike, place));
  if (spread === 'same') {
    const stretch = stretchOf(strike, place);
    return nodes.slice(0, -1).filter((node) => damage(strike, node, place, stretch)).length > 0;
  }
  const hit = nodes.map((node, i) =>
    stripesOf(strike, places, nodes.length, i).filter(([of, stripe]) => damage(strike, node, of, stripe)).length);
  return hit.some((stripes) => stripes > 0);
}

function stretchOf({ kind, random }: Strike, place: TablePlace): Stretch {
  // Stale content and lost writes take the place itself: a sector more would be damage of another
  // kind.
  if (kind === 'stale' || kind === 'lost-write' || kind === 'misdirected-write') return place;
  // Sectors do not end where blocks do. The oracle is asked about all they touch.
  return stretchFor(kind, random, place, { offset: 0, length: place.meta.bytes });
}

/**
 * Every node has other stripes: other blocks, or other pieces where there are fewer blocks than
 * nodes.
 */
function stripesOf(strike: Strike, places: readonly TablePlace[], nodes: number, own: number): [TablePlace, Stretch][] {
  if (places.length >= nodes) {
    const mine = places.filter((_, i) => i % nodes === own);
    return strike.random.shuffled(mine).slice(0, HELIX_STRIPES_MAX).map((place) => [place, place]);
  }
  return places.map((place) => {
    const piece = Math.floor(place.length / nodes);
    return [place, { offset: place.offset + own * piece, length: Math.max(1, piece) }];
  });
}

function damage(
  strike: Strike, node: SimNode, place: TablePlace, stretch: Stretch, behindCache = strike.random.chance(1, 2),
): boolean {
  const { context, kind, random } = strike;
  const { path, meta } = place;
  // Another node may have the table under this id on its way only.
  if (stretch.length === 0 || !tablesOf(context, node).some((own) => own.id === meta.id)) return false;
  if (!context.oracle.verdict.mayDamage(node.id, path, stretch.offset, stretch.length)) return false;
  const old = kind === 'stale' ? otherContent(strike, node, place) : undefined;
  if (kind === 'stale' && old === undefined) return false;
  const lost = kind === 'lost-write' || kind === 'misdirected-write';
  const written = kind === 'misdirected-write' ? node.disk.medium(path)?.slice(stretch.offset, endOf(stretch)) : undefined;
  const change = changing(old !== undefined ? (bytes) => bytes.set(old.subarray(0, bytes.length))
    // What the blocks held before: zeros in a new file, anything in reused ones.
    : lost ? changeOf(random.chance(1, 2) ? 'zeroed' : 'junk', random)
      : changeOf(kind, random));
  node.disk.alter(path, stretch.offset, change.apply, stretch.length, lost || behindCache);
  if (!change.changed()) return false;
  struck(strike, node.id, path, stretch.offset, stretch.length);
  if (written !== undefined) land(strike, node, place, written);
  return true;
}

/**
 * A well-formed block of the same kind from elsewhere: only who refers to a block can tell (S4).
 */
function otherContent({ context, random, structure }: Strike, node: SimNode, place: TablePlace): Uint8Array | undefined {
  const others = tablesOf(context, node).flatMap((meta) => placesInTable(context, meta, structure))
    .filter((other) => other.meta.fileDigest !== place.meta.fileDigest || other.offset !== place.offset);
  if (others.length === 0) return undefined;
  const other = random.pick(others);
  const bytes = context.oracle.census.pristine(other.meta.fileDigest)?.bytes.subarray(other.offset, endOf(other));
  const own = context.oracle.census.pristine(place.meta.fileDigest)?.bytes;
  // Both footers of a table are the same bytes.
  return bytes !== undefined && own !== undefined && bytes.some((byte, i) => byte !== own[place.offset + i]) ? bytes : undefined;
}

/** Where the bytes went: over blocks that another node has, or nowhere. */
function land(strike: Strike, node: SimNode, from: TablePlace, bytes: Uint8Array): void {
  const target = landingPlace(strike, node, bytes.length, from.path);
  if (target === undefined) return;
  const { path, offset } = target;
  node.disk.alter(path, offset, (old) => old.set(bytes.subarray(0, old.length)), bytes.length, true);
  strike.context.oracle.noteDamage(node.id, path, offset, bytes.length, strike.kind);
}

/** A stretch of a table on that node that may be overwritten. */
export function landingPlace(
  { context, random }: Pick<Strike, 'context' | 'random'>, node: SimNode, length: number, except = '',
): { readonly path: string; readonly offset: number } | undefined {
  const tables = tablesOf(context, node).filter((meta) => tablePath(meta.id) !== except);
  for (let tries = 0; tries < 3 && tables.length > 0; tries++) {
    const meta = random.pick(tables);
    const path = tablePath(meta.id);
    const offset = random.below(Math.ceil(meta.bytes / 512)) * 512;
    const there = Math.min(length, meta.bytes - offset);
    if (there > 0 && context.oracle.verdict.mayDamage(node.id, path, offset, there)) return { path, offset };
  }
  return undefined;
}

/** The file as a whole: its name, its size, or all of it. */
export function strikeTableFile(strike: Strike, spread: Spread): boolean {
  const { context, random } = strike;
  const nodes = random.shuffled(context.nodes);
  const tables = tablesOf(context, nodes[0] as SimNode);
  if (tables.length === 0) return false;
  const meta = random.pick(tables);
  if (spread === 'one') return strikeFile(strike, nodes[0] as SimNode, meta);
  if (spread === 'same') return nodes.slice(0, -1).filter((node) => strikeFile(strike, node, meta)).length > 0;
  const offset = random.below(tables.length);
  return nodes.filter((node, i) => strikeFile(strike, node, tables[(offset + i) % tables.length] as TableMeta)).length > 0;
}

function strikeFile(strike: Strike, node: SimNode, meta: TableMeta): boolean {
  const { context, random, kind } = strike;
  const { disk } = node;
  const { oracle } = context;
  const path = tablePath(meta.id);
  const size = disk.medium(path)?.length;
  if (size === undefined || !tablesOf(context, node).some((own) => own.id === meta.id)) return false;
  if (kind === 'extended') {
    const more = random.pick([1, 8, 512, 4096, 1 + random.below(8192)]);
    if (!disk.resize(path, size + more)) return false;
    struck(strike, node.id, path, size, more);
    return true;
  }
  const from = kind === 'truncated' ? random.pick([0, 0, Math.max(0, size - 1 - random.below(512)), random.below(Math.max(1, size))]) : 0;
  if (!oracle.verdict.mayDamage(node.id, path, from, meta.bytes - from)) return false;
  const done = kind === 'missing' ? disk.remove(path)
    : kind === 'truncated' ? from < size && disk.resize(path, from)
      : kind === 'misnamed' ? misname(strike, node, path)
        : putOther(strike, node, meta);
  if (!done) return false;
  struck(strike, node.id, path, from, meta.bytes - from);
  return true;
}

/** Two files have each other's names, or one has a name of its own. */
function misname(strike: Strike, node: SimNode, path: string): boolean {
  const { context, random } = strike;
  const { disk } = node;
  const others = tablesOf(context, node).filter((meta) => tablePath(meta.id) !== path);
  const other = others.length > 0 && random.chance(2, 3) ? random.pick(others) : undefined;
  // One that the store itself gives to files on their way, and sweeps.
  const aside = `tables/fetch-${900_000_000 + strike.random.below(1_000_000)}.tmp`;
  if (other === undefined) return disk.rename(path, aside);
  const otherPath = tablePath(other.id);
  if (!context.oracle.verdict.mayDamage(node.id, otherPath, 0, other.bytes)) return disk.rename(path, aside);
  disk.rename(path, aside);
  disk.rename(otherPath, path);
  disk.rename(aside, otherPath);
  context.oracle.noteDamage(node.id, otherPath, 0, other.bytes, strike.kind);
  return true;
}

/** The whole content of another table: every block of it is sound, and none is the right one. */
function putOther({ context, random }: Strike, node: SimNode, meta: TableMeta): boolean {
  const others = tablesOf(context, node).filter((other) => other.fileDigest !== meta.fileDigest);
  if (others.length === 0) return false;
  const bytes = context.oracle.census.pristine(random.pick(others).fileDigest)?.bytes;
  if (bytes === undefined) return false;
  node.disk.put(tablePath(meta.id), bytes);
  return true;
}

/** Beyond parity, so that a peer is asked: for what only exists while that goes on. */
export function baitRepairs(strike: Strike, node: SimNode, most = 2): boolean {
  const { context, random } = strike;
  const data: Structure = 'table-data';
  const own: Strike = { ...strike, kind: 'zeroed', structure: data };
  const places = tablesOf(context, node).flatMap((meta) => placesInTable(context, meta, data));
  let hit = 0;
  for (const place of random.shuffled(places).slice(0, 6 * most)) if (hit < most && damage(own, node, place, place, false)) hit++;
  return hit > 0;
}
