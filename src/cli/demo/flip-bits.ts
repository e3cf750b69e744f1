/** Rot on purpose: one bit in each of some data blocks of one table, within what parity mends. */

import { closeSync, fsyncSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { inspectTableFile } from '../inspect/table-file.js';
import { ReadOnlyDir } from '../files/read-only-disk.js';

export interface FlippedBits {
  readonly file: string;
  readonly offsets: readonly number[];
}

const MOST = 5;

/** In the biggest table of the data directory; undefined if there is none yet. */
export async function flipBits(dataDir: string): Promise<FlippedBits | undefined> {
  const dir = join(dataDir, 'tables');
  const names = readdirSync(dir).filter((name) => name.endsWith('.sst'));
  const [biggest] = names.map((name) => ({ name, size: statSync(join(dir, name)).size })).sort((a, b) => b.size - a.size);
  if (biggest === undefined) return undefined;
  const { regions } = await inspectTableFile(new ReadOnlyDir(dir), biggest.name);
  const data = regions.filter((region) => region.kind === 'data' && region.payloadBytes > 0);
  const chosen = data.filter((_, i) => i % Math.max(1, Math.floor(data.length / MOST)) === 0).slice(0, MOST);
  const file = join(dir, biggest.name);
  const fd = openSync(file, 'r+');
  try {
    const offsets = chosen.map(({ offset, headerBytes, payloadBytes }) => {
      const at = offset + headerBytes + Math.floor(Math.random() * payloadBytes);
      const byte = Buffer.alloc(1);
      readSync(fd, byte, 0, 1, at);
      byte[0] = (byte[0] ?? 0) ^ (1 << Math.floor(Math.random() * 8));
      writeSync(fd, byte, 0, 1, at);
      return at;
    });
    fsyncSync(fd);
    return { file, offsets };
  } finally {
    closeSync(fd);
  }
}
