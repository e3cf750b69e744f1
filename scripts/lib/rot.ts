/**
 * Plans of damage for one node's tables: every kind the drill promises, each on tables of its own.
 */

import { forAll } from './documents.js';
import type { ClusterNode } from './node.js';
import { burst, flipBit, regionsOf, remove, tablesBySize, truncate, zero, type Region, type RegionKind } from './tables.js';

export interface Damage {
  /** One line: what was done to which node. */
  readonly what: string;
  readonly blocks: number;
}

const BURST_BYTES = 8 * 1024;
const PAGE = 4096;
const WITHIN_PARITY_BLOCKS = 120;

interface Table {
  readonly file: string;
  readonly name: string;
  readonly size: number;
  readonly regions: readonly Region[];
}

const INSPECTIONS_AT_ONCE = 2;

async function tablesOf(node: ClusterNode): Promise<Table[]> {
  const files = tablesBySize(node);
  const regions = new Map<string, readonly Region[]>();
  await forAll(files, INSPECTIONS_AT_ONCE, async ({ file }) => void regions.set(file, (await regionsOf(file)).regions));
  return files.map((table) => ({ ...table, regions: regions.get(table.file) ?? [] }));
}

const ofKind = (table: Table, kind: RegionKind): Region[] => table.regions.filter((region) => region.kind === kind);

/** One bit in each of many blocks: payload, all well within parity. */
function flipMany(tables: readonly Table[], random: () => number): number {
  let blocks = 0;
  for (const table of tables) {
    for (const region of ofKind(table, 'data')) {
      if (blocks >= WITHIN_PARITY_BLOCKS) return blocks;
      const at = region.offset + region.headerBytes + Math.floor(random() * Math.max(1, region.payloadBytes));
      flipBit(table.file, at, Math.floor(random() * 8));
      blocks++;
    }
  }
  return blocks;
}

/**
 * One bit in the header and one in the parity of data blocks, and in every index and filter block.
 */
function flipElsewhere(table: Table, random: () => number): number {
  let blocks = 0;
  const flip = (from: number, length: number): void => {
    if (length <= 0) return;
    flipBit(table.file, from + Math.floor(random() * length), Math.floor(random() * 8));
    blocks++;
  };
  const data = ofKind(table, 'data');
  data.forEach((region, i) => {
    if (i % 3 === 0) flip(region.offset, region.headerBytes);
    if (i % 3 === 1) flip(region.offset + region.headerBytes + region.payloadBytes, region.parityBytes);
  });
  for (const kind of ['index', 'filter', 'properties', 'footer'] as const) {
    for (const region of ofKind(table, kind)) flip(region.offset, region.length);
  }
  return blocks;
}

/** The whole repertoire on one node. Needs at least six tables to give each kind its own. */
export async function rotNode(node: ClusterNode, random: () => number): Promise<Damage[]> {
  const tables = await tablesOf(node);
  const out: Damage[] = [];
  const done = (blocks: number, what: string): void => void out.push({ what: `${node.name}: ${what}`, blocks });
  const [first, second, third, fourth, fifth, ...rest] = tables;
  if (!first || !second || !third || !fourth || !fifth) return out;
  done(flipMany(rest, random), `one bit flipped per block, in ${rest.length} tables`);
  const bursts = ofKind(first, 'data').filter((_, i) => i % 4 === 0);
  for (const region of bursts) burst(first.file, region.offset + region.headerBytes, Math.min(BURST_BYTES, region.length));
  done(bursts.length, `bursts of ${BURST_BYTES} B beyond parity in ${first.name}`);
  const zeroed = ofKind(second, 'data').filter((_, i) => i % 5 === 2);
  for (const region of zeroed) zero(second.file, Math.ceil(region.offset / PAGE) * PAGE, PAGE);
  done(zeroed.length, `4 KiB zeroed in ${second.name}`);
  done(flipElsewhere(third, random), `bits flipped in header, parity, index, filter and footer of ${third.name}`);
  truncate(fourth.file, Math.floor(fourth.size * 0.6));
  done(ofKind(fourth, 'data').filter((r) => r.offset + r.length > fourth.size * 0.6).length, `${fourth.name} truncated`);
  remove(fifth.file);
  done(fifth.regions.length, `${fifth.name} deleted`);
  return out;
}

/**
 * Every `of`-th block, from `which` on, beyond parity: with `which` different on each node one good
 * copy of every block is left.
 */
export async function rotStripe(node: ClusterNode, which: number, of: number): Promise<Damage> {
  let blocks = 0;
  for (const table of await tablesOf(node)) {
    table.regions.forEach((region, i) => {
      if (region.kind !== 'data' || i % of !== which) return;
      burst(table.file, region.offset + region.headerBytes, Math.min(BURST_BYTES, region.length - region.headerBytes));
      blocks++;
    });
  }
  return { what: `${node.name}: every block ${which} mod ${of} beyond parity`, blocks };
}
