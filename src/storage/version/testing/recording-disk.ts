/**
 * A memory disk that remembers its changes, so that a test can see what any crash between two of
 * them would leave.
 */

import { MemoryDisk } from '../../../base/disk/memory-disk.js';
import type { DirectRead, Disk, DiskFile, OpenMode } from '../../../base/disk.js';

type Change =
  | { readonly kind: 'create' | 'unlink'; readonly path: string }
  | { readonly kind: 'write'; readonly path: string; readonly bytes: Uint8Array; readonly offset: number }
  | { readonly kind: 'sync'; readonly path: string };

/** Of a write that a power loss cut off at once. */
const BEGUN_BYTES = 64;

export class RecordingDisk implements Disk {
  readonly #disk = new MemoryDisk();
  readonly changes: Change[] = [];

  openSync(path: string, mode: OpenMode): DiskFile {
    const file = this.#disk.openSync(path, mode);
    if (mode === 'create') this.changes.push({ kind: 'create', path });
    const changes = this.changes;
    const write = (bytes: Uint8Array, offset: number): void => {
      changes.push({ kind: 'write', path, bytes: bytes.slice(), offset });
      file.writeSync(bytes, offset);
    };
    return {
      path,
      size: () => file.size(),
      readSync: (into, offset) => file.readSync(into, offset),
      read: (into, offset) => file.read(into, offset),
      writeSync: write,
      write: async (bytes, offset) => write(bytes, offset),
      sync: async () => {
        changes.push({ kind: 'sync', path });
        await file.sync();
      },
      truncate: (size) => file.truncate(size),
      close: () => file.close(),
    };
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.openSync(path, mode);
  }

  sizeOf(path: string): number | undefined {
    return this.#disk.sizeOf(path);
  }

  readDirect(path: string, offset: number, length: number): Promise<DirectRead> {
    return this.#disk.readDirect(path, offset, length);
  }

  list(dir: string): Promise<string[]> {
    return this.#disk.list(dir);
  }

  mkdir(dir: string): Promise<void> {
    return this.#disk.mkdir(dir);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to);
  }

  link(from: string, to: string): Promise<void> {
    return this.#disk.link(from, to);
  }

  unlink(path: string): Promise<void> {
    this.changes.push({ kind: 'unlink', path });
    return this.#disk.unlink(path);
  }

  syncDir(dir: string): Promise<void> {
    return this.#disk.syncDir(dir);
  }

  /**
   * What a crash after the first `count` changes leaves. `unsynced`: what of the writes since a
   * file's last sync is there: all, none, half of each, or no more of each than its first bytes.
   */
  async crashAfter(count: number, unsynced: 'all' | 'none' | 'half' | 'begun'): Promise<MemoryDisk> {
    const disk = new MemoryDisk();
    await disk.mkdir('manifest');
    const happened = this.changes.slice(0, count);
    for (const [i, change] of happened.entries()) {
      if (change.kind === 'create') disk.openSync(change.path, 'create').close();
      if (change.kind === 'unlink') await disk.unlink(change.path);
      if (change.kind !== 'write') continue;
      const synced = happened.slice(i).some((later) => later.kind === 'sync' && later.path === change.path);
      if (!synced && unsynced === 'none') continue;
      const file = disk.openSync(change.path, 'write');
      const kept = synced || unsynced === 'all' ? change.bytes.length : unsynced === 'half' ? change.bytes.length >> 1 : BEGUN_BYTES;
      const bytes = change.bytes.subarray(0, kept);
      file.writeSync(bytes, change.offset);
      file.close();
    }
    return disk;
  }
}
