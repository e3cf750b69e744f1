/**
 * Table files as an enemy sees them: where their parts lie, and ways to rot them under a node,
 * running or not. Damage goes through the page cache into the same inode and is synced, so that
 * both plain and direct reads meet it.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, readSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KINTSUGI_MAIN } from './binary.js';
import type { Cluster } from './cluster.js';
import type { ClusterNode } from './node.js';

const run = promisify(execFile);

export type RegionKind = 'data' | 'index' | 'filter' | 'properties' | 'footer';

/** A block: header, payload, parity, in this order. */
export interface Region {
  readonly kind: RegionKind;
  readonly offset: number;
  readonly length: number;
  readonly headerBytes: number;
  readonly payloadBytes: number;
  readonly parityBytes: number;
}

const BLOCK_GUESS = 20 * 1024;

/** Where the parts are: as `inspect` says, else guessed to be blocks of 20 KiB. */
export async function regionsOf(file: string): Promise<{ readonly regions: Region[]; readonly exact: boolean }> {
  try {
    const { stdout } = await run(process.execPath, [KINTSUGI_MAIN, 'inspect', 'table', file, '--json'], { maxBuffer: 1 << 26 });
    const { regions } = JSON.parse(stdout) as { regions: Region[] };
    if (Array.isArray(regions) && regions.length > 0) return { regions, exact: true };
  } catch {
    // No such command yet, or the file is already beyond it.
  }
  const size = statSync(file).size;
  const regions: Region[] = [];
  for (let offset = 0; offset + BLOCK_GUESS <= size; offset += BLOCK_GUESS) {
    regions.push({ kind: 'data', offset, length: BLOCK_GUESS, headerBytes: 32, payloadBytes: 16 * 1024, parityBytes: 4 * 1024 - 32 });
  }
  return { regions, exact: false };
}

function change(file: string, offset: number, length: number, edit: (bytes: Buffer) => void): void {
  const fd = openSync(file, 'r+');
  try {
    const bytes = Buffer.alloc(length);
    const read = readSync(fd, bytes, 0, length, offset);
    const there = bytes.subarray(0, read);
    edit(there);
    writeSync(fd, there, 0, read, offset);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Flips one bit. */
export function flipBit(file: string, offset: number, bit: number): void {
  change(file, offset, 1, (bytes) => (bytes[0] = (bytes[0] ?? 0) ^ (1 << (bit & 7))));
}

/** Every byte in the range becomes another one. */
export function burst(file: string, offset: number, length: number): void {
  change(file, offset, length, (bytes) => bytes.forEach((byte, i) => (bytes[i] = byte ^ (1 + ((i * 37 + offset) % 255)))));
}

export function zero(file: string, offset: number, length: number): void {
  change(file, offset, length, (bytes) => bytes.fill(0));
}

export function truncate(file: string, size: number): void {
  const fd = openSync(file, 'r+');
  ftruncateSync(fd, size);
  fsyncSync(fd);
  closeSync(fd);
}

export function remove(file: string): void {
  unlinkSync(file);
}

export function tableFile(node: ClusterNode, name: string): string {
  return join(node.tablesDir, name);
}

/** Tables of a node, the biggest first. */
export function tablesBySize(node: ClusterNode): { readonly name: string; readonly file: string; readonly size: number }[] {
  return node.tableFiles()
    .flatMap((name) => {
      const file = tableFile(node, name);
      return existsSync(file) ? [{ name, file, size: statSync(file).size }] : [];
    })
    .sort((a, b) => b.size - a.size);
}

export interface Comparison {
  readonly equal: boolean;
  readonly tables: number;
  readonly bytes: number;
  readonly difference: string;
}

/** Byte for byte: the same names with the same contents in every node's directory. */
export function compareTables(cluster: Cluster): Comparison {
  const lists = cluster.nodes.map((node) => node.tableFiles());
  const names = lists[0] ?? [];
  const odd = lists.findIndex((list) => list.join() !== names.join());
  if (odd > 0) {
    const other = lists[odd] ?? [];
    const extra = [...names.filter((n) => !other.includes(n)), ...other.filter((n) => !names.includes(n))];
    const who = `${cluster.node(0).name} and ${cluster.node(odd).name}`;
    return { equal: false, tables: names.length, bytes: 0, difference: `${who} differ in ${extra.slice(0, 5).join(', ')}` };
  }
  let bytes = 0;
  for (const name of names) {
    const digests = cluster.nodes.map((node) => {
      const content = existsSync(tableFile(node, name)) ? readFileSync(tableFile(node, name)) : Buffer.from('gone');
      if (node === cluster.node(0)) bytes += content.length;
      return createHash('sha256').update(content).digest('hex');
    });
    const differs = digests.findIndex((digest) => digest !== digests[0]);
    if (differs > 0) {
      return { equal: false, tables: names.length, bytes, difference: `${name} differs on ${cluster.node(differs).name}` };
    }
  }
  return { equal: true, tables: names.length, bytes, difference: '' };
}
